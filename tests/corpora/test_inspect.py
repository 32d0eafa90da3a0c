from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from ner_lstm_crf.corpora.inspect import Inspection, Lengths, describe, inspect_files
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.formats.options import ReadOptions

TRAIN = (
    "# newdoc\n1\tAda\tB-PER\n2\tsings\tO\n\n1\tAda\tB-PER\n2\tsings\tO\n\n# newdoc\n1\tShe\tO\t-\n2\tleft\tO\n"
    "3\tfor\tO\n4\tRome\tI-LOC\n5\t.\tO\n\n"
)
TEST = "Ada B-PER\nsings O\n\nShe O\nleft O\nfor O\nRome B-LOC\n. O\n\nLu B-PER\nJazz B-MISC\n\nAda B-PER\n"


@pytest.fixture
def inspection(tmp_path: Path) -> Inspection:
    (tmp_path / "train.iob2").write_text(TRAIN)
    (tmp_path / "test.conll").write_text(TEST)
    return inspect_files([tmp_path / "train.iob2", tmp_path / "test.conll"])


def test_the_facts_of_a_file(inspection, tmp_path):
    evidence = inspection.files[0].evidence
    assert evidence.startswith("IOB2: 2 of 3 entities begin with B-")
    assert inspection.to_json()["files"][0] == {
        "path": str(tmp_path / "train.iob2"),
        "format": "conll",
        "sentences": 3,
        "tokens": 9,
        "entities": 3,
        "documents": 2,
        "per_label": {"PER": 2, "LOC": 1},
        "lengths": {"shortest": 2, "median": 2, "mean": 3.0, "most": 5, "longest": 5, "counts": {2: 2, 5: 1}},
        "scheme": "IOB2",
        "evidence": evidence,
        "columns": 3,
        "token_column": 2,
        "tag_column": 3,
        "tag_key": None,
        "sentence_column": None,
        "other_tag_columns": [],
        "separator": "tab",
        "has_char_index": False,
        "language": "",
        "column_counts": {3: 8, 4: 1},
        "ill_formed": 1,
        "ill_formed_lines": [12],
        "ragged": 1,
        "ragged_lines": [9],
        "duplicates": 1,
        "comments": 2,
        "skipped": [],
        "marked": [],
        "padded": [],
        "empty": [],
        "trimmed": [],
        "returning": [],
        "untagged": [],
        "cut": [],
        "dropped": [],
        "split": [],
        "utf_16": [],
        "rejected": [],
        "unannotated": [],
        "unknown": [],
        "warnings": ["labels of fewer than 5 entities, too few to learn from: LOC 1, PER 2"],
    }


def test_what_of_the_second_file_is_in_the_first(inspection):
    (pair,) = inspection.overlap
    assert (pair.sentences, pair.long_sentences, pair.entities, pair.new_labels) == (2, 1, 3, ("MISC",))


def test_every_pair_of_files_is_compared_in_order(tmp_path):
    paths = [tmp_path / name for name in "abc"]
    for path in paths:
        path.write_text("Ada B-PER\n")
    pairs = [(pair.first, pair.second) for pair in inspect_files(paths).overlap]
    assert pairs == [(str(paths[i]), str(paths[j])) for i, j in ((0, 1), (0, 2), (1, 2))]


def test_the_json_holds_what_scripts_ask_for(inspection):
    read_back = json.loads(json.dumps(inspection.to_json()))
    first = read_back["files"][0]
    expected = {"sentences": 3, "tokens": 9, "entities": 3, "scheme": "IOB2", "tag_column": 3, "ill_formed": 1}
    assert {key: first[key] for key in expected} == expected
    assert first["per_label"] == {"PER": 2, "LOC": 1}
    assert read_back["overlap"][0]["sentences"] == 2


def test_the_facts_as_text(inspection):
    text = describe(inspection)
    for line in (
        "  columns     token 2, tag 3, of 3, separated by tabs",
        "  size        2 documents, 3 sentences, 9 tokens",
        "  entities    3: PER 2, LOC 1",
        "  ill-formed  1: line 12",
        "  ragged      1: line 9 (8 rows of 3, 1 row of 4)",
        "  duplicates  1 sentence occurs earlier in the file",
        "  length      2 to 5 tokens, mean 3.0, half up to 2, 95% up to 5",
        "  sentences   2 of 4 (50.0%), 1 of them of more than 3 tokens",
        "  new labels  MISC: they are not in ",
    ):
        assert line in text
    assert "ragged      none" in text


def test_labels_are_renamed_and_the_scheme_of_the_options_is_the_evidence(tmp_path):
    from ner_lstm_crf.tags.labels import LabelMap

    (tmp_path / "x").write_text(TRAIN)
    options = ReadOptions(scheme="BIO", labels=LabelMap.parse(None, ["LOC=O"]))
    (facts,) = inspect_files([tmp_path / "x"], options).files
    assert (facts.per_label, facts.evidence) == ({"PER": 2}, "IOB2: as given")


def test_json_lines_have_no_columns(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text('{"text": "Romebound", "entities": [[0, 4, "LOC"]]}\n{"text": "Ada"}\n')
    inspection = inspect_files([path])
    facts = inspection.files[0].to_json()
    assert (facts["format"], facts["scheme"], facts["columns"], facts["tag_column"]) == ("jsonl", None, None, None)
    assert (facts["cut"], facts["unannotated"]) == ([1], [2])
    assert "1 entity with a begin or an end within a word: line 1" in describe(inspection)


def test_a_file_without_entities_can_be_inspected(tmp_path):
    (tmp_path / "x").write_text("Ada O\n")
    inspection = inspect_files([tmp_path / "x", tmp_path / "x"])
    assert not inspection.files[0].per_label
    assert "  entities    none" in describe(inspection)


def test_a_broken_file_is_refused_and_progress_is_reported(tmp_path):
    (tmp_path / "x").write_text("Ada B-PER\n")
    told: list[tuple[int, int | None]] = []
    inspect_files([tmp_path / "x"] * 2, progress=lambda done, total: told.append((done, total)))
    assert told == [(0, 2), (1, 2), (2, 2)]
    with pytest.raises(InputError, match="no such file"):
        inspect_files([tmp_path / "x", tmp_path / "y"])


@given(st.lists(st.integers(1, 400), min_size=1, max_size=30))
def test_lengths_are_summed_up_as_sorting_would(lengths):
    random.Random(0).shuffle(lengths)
    from collections import Counter

    facts = Lengths.of(Counter(lengths))
    ordered = sorted(lengths)
    assert (facts.shortest, facts.longest) == (ordered[0], ordered[-1])
    assert facts.median == ordered[(len(ordered) + 1) // 2 - 1]
    assert sum(length <= facts.most for length in lengths) >= 0.95 * len(lengths)
    assert sum(length < facts.most for length in lengths) < 0.95 * len(lengths)
    assert facts.mean == pytest.approx(sum(lengths) / len(lengths))


def test_text_beside_tokens_is_left_out_and_shown(tmp_path):
    def said(text):
        (tmp_path / "x.conll").write_text(text, encoding="utf-8")
        return describe(inspect_files([tmp_path / "x.conll"]))

    assert "token 1 (a character and its index in the word, which is left out), tag 2" in said("科0\tO\n技1\tB-X\n")
    assert "token 1 (behind 'en:', which is left out), tag 2" in said("en:Ada\tB-PER\nen:sings\tO\n")
    assert "tag 2 (not read: the tags of 3), of 3" in said("Ada B-PER B-LOC\nsings O O\n")


def test_what_was_left_out_of_a_column_file_is_shown(tmp_path):
    path = tmp_path / "x.conllu"
    row = "{}\t{}\t_\t_\t_\t_\t_\t_\t_\t{}\n"
    path.write_text(
        "\ufeff"
        + row.format(1, "Ada", "ent=B-PER")
        + "\ufeff"
        + row.format(2, "left", "ent=O")
        + row.format(3, "!", "_")
    )
    inspection = inspect_files([path])
    shown = describe(inspection)
    for line in (
        "columns     token 2, tag 10 (the feature ent), of 10, separated by tabs",
        "joined      1 byte order mark within the file, left out: line 2",
        "untagged    1 token without the feature that holds the tags, read as O: line 3",
    ):
        assert f"  {line}\n" in shown
    path.write_text("sent_id\ttoken\ttag\n1\tAda\tB-PER \n1\tleft\tO\n2\tOslo\tB-LOC\n2\tgrew\tO\n")
    inspection = inspect_files([path])
    shown = describe(inspection)
    for line in (
        "columns     token 2, tag 3, sentences by 1, of 3, separated by tabs",
        "left out    1 line without a token (names of columns, marks): line 1",
        "padded      1 tag with white space around, left out: line 2",
    ):
        assert f"  {line}\n" in shown
    facts = inspection.files[0].to_json()
    assert (facts["skipped"], facts["padded"], facts["sentence_column"], facts["tag_key"]) == ([1], [2], 1, None)
