from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Files, Run

SOURCE = "# note\nAda\tx\tI-PER\nBrandt\tx\tI-PER\nmet\ty\tO\nOslo\tx\tI-LOC\n\n"


def test_columns_keep_all_but_the_tags(write, tmp_path: Path, run: Run) -> None:
    source, target = write("in.conll", SOURCE), tmp_path / "out.conll"
    result = run("convert", source, target, "--output-scheme", "iobes")
    assert (result.code, result.out, result.said) == (0, "", "")
    expected = SOURCE.replace("I-PER", "B-PER", 1).replace("Brandt\tx\tI", "Brandt\tx\tE").replace("I-LOC", "S-LOC")
    assert target.read_text() == expected
    assert run("convert", source, "-", "--output-scheme", "BIOES").out == expected


def test_labels_are_dropped_and_renamed(write, run: Run) -> None:
    source = write("in.conll", SOURCE)
    out = run("convert", source, "-", "--output-scheme", "IOB2", "--rename", "PER=person", "--labels", "person").out
    assert [line.split("\t")[2] for line in out.splitlines()[1:5]] == ["B-person", "I-person", "O", "O"]


def test_formats_follow_the_suffix_or_the_option(write, tmp_path: Path, run: Run) -> None:
    source, lines, marked = write("in.conll", SOURCE), tmp_path / "out.jsonl", tmp_path / "out.inline"
    assert run("convert", source, lines).code == 0
    assert json.loads(lines.read_text())["text"] == "Ada Brandt met Oslo"
    assert run("convert", lines, marked).code == 0
    assert marked.read_text() == "[Ada Brandt](PER) met [Oslo](LOC)\n"
    assert run("convert", marked, tmp_path / "back.conll").code == 0
    assert (tmp_path / "back.conll").read_text() == "Ada\tB-PER\nBrandt\tI-PER\nmet\tO\nOslo\tB-LOC\n\n"
    assert run("convert", marked, tmp_path / "back", "--output-scheme", "BIEO").code == 0
    assert (tmp_path / "back").read_text() == "Ada\tB-PER\nBrandt\tE-PER\nmet\tO\nOslo\tB-LOC\n\n"
    assert json.loads(run("convert", source, "-", "--output-format", "jsonl").out)["entities"][0]["label"] == "PER"


def test_json_lines_keep_their_other_keys_and_inline_marks_their_comments(write, run: Run) -> None:
    lines = write("in.jsonl", '{"id": 7, "text": "Oslo", "label": [[0, 4, "LOC"]], "meta": {"by": "hand"}}\n')
    record = json.loads(run("convert", lines, "-").out)
    assert record == {
        "id": 7,
        "text": "Oslo",
        "label": [[0, 4, "LOC"]],
        "meta": {"by": "hand"},
    }
    marked = write("in.inline", "# by hand\n## news\n[Oslo](city) fell\n".encode("utf-16"))
    renamed = run("convert", marked, marked, "--encoding", "utf-16", "--rename", "city=LOC")
    assert (renamed.code, renamed.said) == (0, "")
    assert marked.read_text(encoding="utf-16") == "# by hand\n## news\n[Oslo](LOC) fell\n"


def test_every_suffix_of_columns_tells_the_format(write, tmp_path: Path, run: Run) -> None:
    source = write("in.jsonl", '{"text": "Oslo", "entities": [{"start": 0, "end": 4, "label": "LOC"}]}\n')
    for suffix in ("bieo", "bmes", "ner", "iob2", "tsv"):
        assert run("convert", source, tmp_path / f"out.{suffix}").code == 0
        assert (tmp_path / f"out.{suffix}").read_text() == "Oslo\tB-LOC\n\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing.conll", "out.conll", "--output-scheme", "IOB2"], "missing.conll: no such file"),
        (["in.conll", "out.conll", "--output-scheme", "BIX"], "BIX"),
        (["in.conll", "out.jsonl", "--output-scheme", "IOB2"], "the formats conll and tokens have tags, not jsonl"),
        (["in.conll", "no/such/place.conll", "--output-scheme", "IOB2"], "cannot be written"),
    ],
)
def test_mistakes(
    arguments: list[str], said: str, write, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("in.conll", SOURCE)
    monkeypatch.chdir(tmp_path)
    assert said in run("convert", *arguments).complaint
    assert [path.name for path in tmp_path.iterdir()] == ["in.conll"]


@pytest.mark.parametrize("command", ["convert", "tag", "train"])
def test_an_output_that_is_a_loop_of_links(command: str, model: Path, files: Files, tmp_path: Path, run: Run) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "a")
    options = {
        "convert": ["convert", files.test, tmp_path / "a"],
        "tag": ["tag", "--model", model, "Milo", "--output", tmp_path / "a"],
        "train": ["train", "--train", files.train, "--output", tmp_path / "a"],
    }
    assert run(*options[command]).complaint.startswith(f"error: {tmp_path / 'a'}: ")
    assert (tmp_path / "a").is_symlink()


def test_tags_become_numbers_by_a_file_of_names_that_is_made_once(write, tmp_path: Path, run: Run) -> None:
    train, dev = write("train.conll", "Ada B-PER\nin O\nRome B-LOC\n"), write("dev.conll", "in O\nRome B-LOC\nnow O\n")
    names = tmp_path / "names.txt"
    options = ["--output-format", "tokens", "--output-label-names", names]
    run("convert", train, tmp_path / "train.jsonl", *options)
    assert names.read_text() == "O\nB-LOC\nI-LOC\nB-PER\nI-PER\n"
    assert json.loads((tmp_path / "train.jsonl").read_text()) == {
        "tokens": ["Ada", "in", "Rome"],
        "ner_tags": [3, 0, 1],
    }
    run("convert", dev, tmp_path / "dev.jsonl", *options)
    assert json.loads((tmp_path / "dev.jsonl").read_text())["ner_tags"] == [0, 1, 0]
    run("convert", tmp_path / "train.jsonl", tmp_path / "again.conll", "--label-names", names)
    assert (tmp_path / "again.conll").read_text() == "Ada\tB-PER\nin\tO\nRome\tB-LOC\n\n"
