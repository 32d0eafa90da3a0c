"""Warnings name what will go wrong in training, by file and for two files; good files have none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ner_lstm_crf.corpora.inspect import describe, inspect_files
from ner_lstm_crf.formats.options import ReadOptions
from ner_lstm_crf.tags.labels import LabelMap

CORPORA = Path(__file__).parents[2] / "corpora"


def warnings(path: Path, text: str, **options: object) -> list[str]:
    path.write_text(text, encoding="utf-8")
    inspection = inspect_files([path], ReadOptions(**options))
    (lines,) = inspection.warnings
    assert all(f"  warning     {line}\n" in describe(inspection) + "\n" for line in lines)
    assert inspection.to_json()["files"][0]["warnings"] == lines
    return lines


PEOPLE = "".join(f"P{number}\tB-PER\nG{number}\tI-PER\nmet\tO\nus\tO\nall\tO\n\n" for number in range(6))
"""Six sentences of five tokens with a person each."""


def test_a_good_file_has_none(tmp_path: Path) -> None:
    assert warnings(tmp_path / "x.conll", PEOPLE) == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_corpora_of_this_package_have_none(language: str) -> None:
    inspection = inspect_files([CORPORA / language / f"{part}.conll" for part in ("train", "dev", "test")])
    assert inspection.warnings == [[], [], []]
    assert inspection.shared_warnings == []


def test_a_file_without_blank_lines_is_one_long_sentence(tmp_path: Path) -> None:
    (line,) = warnings(tmp_path / "x.conll", (PEOPLE * 100).replace("\n\n", "\n"))
    assert line.startswith("1 sentence of more than 2,000 tokens, up to 3,000, read in windows: are blank lines")
    (line,) = warnings(tmp_path / "x.conll", (PEOPLE * 10).replace("\n\n", "\n"))
    assert line.startswith("all 300 tokens are one sentence: are blank lines between sentences missing")
    assert warnings(tmp_path / "x.conll", PEOPLE.replace("\n\n", "\n")) == []  # one sentence of usual length
    text = json.dumps({"tokens": ["a", "b", "c", "d"] * 600, "ner_tags": ["B-X", "O", "O", "O"] * 600})
    assert warnings(tmp_path / "x.jsonl", text)[0].endswith("is each sentence or text on a line of its own?")
    assert warnings(tmp_path / "x.conll", (PEOPLE * 66).replace("\n\n", "\n") + "\n" + PEOPLE) == []


def test_one_label_on_nearly_every_token_may_stand_for_o(tmp_path: Path) -> None:
    text = PEOPLE.replace("\tO\n", "\tB-REST\n") + "and\tO\n" * 5
    (line,) = warnings(tmp_path / "x.conll", text)
    assert line == "51% of the tokens are in entities labelled REST: if it stands for O, --rename REST=O"
    assert warnings(tmp_path / "x.conll", text, labels=LabelMap.parse(None, ["REST=O"])) == []


def test_no_o_at_all_is_said(tmp_path: Path) -> None:
    text = "12\tnumber\nHill\troad\n\n" * 6
    assert warnings(tmp_path / "x.conll", text, tag_column=2)[0].startswith("every token is in an entity, none is O")


def test_a_file_without_entities_is_said(tmp_path: Path) -> None:
    assert warnings(tmp_path / "x.conll", "a\tO\nb\tO\n") == ["no entities"]


def test_labels_that_differ_by_case_or_spaces_alone_are_said_and_the_hint_joins_them(tmp_path: Path) -> None:
    text = PEOPLE + PEOPLE.replace("-PER", "-Per")
    (line,) = warnings(tmp_path / "x.conll", text)
    assert line == "the labels 'PER' and 'Per' differ by case or spaces alone: --rename Per=PER"
    assert warnings(tmp_path / "x.conll", text, labels=LabelMap.parse(None, ["Per=PER"])) == []


@pytest.mark.parametrize("labels", [("B-PER", "I-PER"), ("PER-B", "PER-I"), ("PER_B", "PER_I"), ("b-per", "i-per")])
def test_labels_that_are_tags_are_said(labels: tuple[str, str], tmp_path: Path) -> None:
    entities = [[0, 3, labels[0]], [4, 9, labels[1]]]
    text = "".join(json.dumps({"text": f"Ada Green met us all {n}", "entities": entities}) + "\n" for n in range(6))
    assert warnings(tmp_path / "x.jsonl", text) == [
        f"the labels are tags ({labels[0]}, {labels[1]}): each part of an entity is an entity of its own"
    ]


def test_rare_labels_are_said_of_the_file_that_is_trained_on(tmp_path: Path) -> None:
    rare, often = tmp_path / "rare.conll", tmp_path / "often.conll"
    rare.write_text(PEOPLE + "a\tB-LOC\nb\tO\nc\tO\n\nd\tB-ORG\ne\tO\n" + "f\tB-ORG\ng\tO\n", encoding="utf-8")
    often.write_text(PEOPLE, encoding="utf-8")
    few = "labels of fewer than 5 entities, too few to learn from: LOC 1, ORG 2"
    assert inspect_files([rare, often]).warnings == [[few], []]
    assert inspect_files([often, rare]).warnings == [[], []]


@pytest.mark.parametrize("turned", [False, True])
def test_sentences_in_both_files_are_said_whichever_comes_first(turned: bool, tmp_path: Path) -> None:
    small, large = tmp_path / "small.conll", tmp_path / "large.conll"
    small.write_text(PEOPLE, encoding="utf-8")
    others = "".join(f"word{number}\tO\nand\tO\nso\tO\non\tO\n\n" for number in range(1000))
    large.write_text(others + PEOPLE, encoding="utf-8")
    inspection = inspect_files([large, small] if turned else [small, large])
    assert inspection.shared_warnings == [
        f"6 of 6 sentences (100%) of more than 3 tokens in {small} are in {large}: a model is measured on what it was "
        "trained on"
    ]
    assert f"  warning     {inspection.shared_warnings[0]}" in describe(inspection)
    assert inspection.to_json()["warnings"] == inspection.shared_warnings


def test_schemes_that_may_be_one_are_said(tmp_path: Path) -> None:
    train, dev, other = tmp_path / "train.conll", tmp_path / "dev.conll", tmp_path / "other.conll"
    train.write_text(PEOPLE, encoding="utf-8")
    dev.write_text("a\tI-PER\nb\tI-PER\nc\tO\nd\tO\ne\tO\n", encoding="utf-8")
    other.write_text("f\tB-PER\ng\tL-PER\nh\tO\ni\tU-PER\nj\tO\nk\tO\n", encoding="utf-8")
    (line,) = inspect_files([train, dev]).shared_warnings
    assert line == f"the tags of {train} are IOB2, those of {dev} IOB1: if all are IOB2, --scheme IOB2"
    assert inspect_files([train, dev], ReadOptions(scheme="IOB2")).shared_warnings == []
    assert inspect_files([dev, train]).shared_warnings[0].endswith("if all are IOB2, --scheme IOB2")
    assert "BILOU" in inspect_files([train, other]).shared_warnings[0]
