"""`select` and `suspects`: what to annotate next, and what may be wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ner_lstm_crf.formats.registry import read_sentences
from ner_lstm_crf.tagging.tagger import Tagger
from tests.cli.conftest import Files, Run, column_text


def test_the_chosen_sentences_are_shown_or_written_with_what_the_model_finds(
    files: Files, model: Path, tmp_path: Path, run: Run
) -> None:
    pool = read_sentences(files.test)
    figures = json.loads(run("select", files.test, "--model", model, "--count", "3", "--json").out)
    assert [one["tokens"] for one in figures["chosen"]] == [pool[one["number"]].words for one in figures["chosen"]]
    values = [one["value"] for one in figures["chosen"]]
    assert values == sorted(values, reverse=True)
    lines = run("select", files.test, "--model", model, "--count", "3").out.splitlines()
    assert [int(line.split()[0]) for line in lines] == [one["line"] for one in figures["chosen"]]
    written = run("select", files.test, "--model", model, "--count", "3", "--output", tmp_path / "next.conll")
    assert written.next == [["inspect", str(tmp_path / "next.conll")]]
    tagger = Tagger.load(model)
    for one, chosen in zip(read_sentences(tmp_path / "next.conll"), figures["chosen"], strict=True):
        assert one.words == chosen["tokens"]
        assert list(one.spans) == tagger.tag_tokens(one.words)


def test_a_pool_may_be_running_text(model: Path, write, run: Run) -> None:
    pool = write("pool.txt", "Ada Brandt met Oslo today.\n\nMilo saw Graz. Tom left.\n")
    figures = json.loads(run("select", pool, "--model", model, "--by", "random", "--json").out)
    assert sorted((one["line"], one["tokens"][0]) for one in figures["chosen"]) == [(1, "Ada"), (3, "Milo"), (3, "Tom")]


@pytest.mark.slow
def test_a_wrong_label_is_the_first_suspect(write, run: Run) -> None:
    text = column_text(60, seed=3)
    lines = text.splitlines()
    wrong = next(number for number, line in enumerate(lines) if number > 100 and line.endswith("B-LOC"))
    lines[wrong] = lines[wrong].replace("B-LOC", "B-PER")
    spoilt = write("spoilt.conll", "\n".join(lines) + "\n")
    small = write("small.toml", "[model]\nhidden_size = 16\n[training]\nepochs = 12\nlearning_rate = 0.02\n")
    options = ["--config", small, "--vectors", "none", "--folds", "2"]
    result = run("suspects", spoilt, *options, "--json")
    assert result.code == 0, result.err
    first = json.loads(result.out)["suspects"][0]
    assert lines[wrong].split("\t")[0] in first["text"]
    assert first["label"] == "PER"
    assert first["line"] <= wrong + 1
    assert run("suspects", spoilt, *options, "--count", "2").out.count("\n") == 2


def test_the_text_of_a_suspect_is_written_as_its_language_is(write, run: Run) -> None:
    file = write("zh.conll", "我\tO\n在\tO\n北\tB-PER\n京\tI-PER\n\n")
    first = json.loads(run("suspects", file, "--model", "zh", "--json").out)["suspects"][0]
    assert first["text"] == "北京"


def test_a_model_of_other_data_judges_at_once(files: Files, model: Path, write, run: Run) -> None:
    text = Path(files.test).read_text().replace("B-LOC", "B-GOD", 1)
    result = run("suspects", write("odd.conll", text), "--model", model, "--count", "1")
    assert result.code == 0, result.err
    assert " 1.000  GOD " in result.out
    assert "epoch" not in result.err
