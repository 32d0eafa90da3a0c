from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tests.cli.conftest import Files, Run


def test_json_has_the_agreed_keys(files: Files, run: Run) -> None:
    result = run("inspect", files.train, files.test, "--json")
    found = json.loads(result.out)
    assert [facts["path"] for facts in found["files"]] == [str(files.train), str(files.test)]
    facts = found["files"][1]
    assert (facts["sentences"], facts["entities"], facts["per_label"]) == (20, 40, {"LOC": 20, "PER": 20})
    assert (facts["scheme"], facts["tag_column"], facts["ill_formed"]) == ("IOB2", 2, 0)
    assert len(found["overlap"]) == 1


def test_text_names_scheme_sizes_and_overlap(files: Files, run: Run) -> None:
    result = run("inspect", files.train, files.test)
    assert (result.code, result.said) == (0, "")
    for part in (str(files.train), "IOB2", "20 sentences", "LOC", "overlap"):
        assert part in result.out


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("missing.conll", None, "no such file"),
        ("empty.conll", b"", "empty"),
        ("blank.conll", b"\n \n\n", "no rows"),
        ("binary.conll", b"\x7fELF\x00\x01", "binary"),
        ("latin.conll", "Café\tO\nZoë\tB-PER\n".encode("latin-1"), ":1: byte 0xe9 at offset 3 is not valid utf-8"),
        ("untagged.conll", b"The\tDT\nrain\tNN\n\nIt\tPRP\nrains\tVBZ\n", "no tag column"),
        ("single.conll", b"The\nrain\n", "expected at least 2 columns (a token and its tag), found 1"),
        ("ragged.conll", b"The\tO\nrain\tO\nfalls\nhere\tO\n", ":3: expected at least 2 columns, found 1: 'falls'"),
        ("damaged.conll", gzip.compress(b"The\tO\n" * 999, mtime=0)[:-20], "damaged or cut short"),
        ("broken.jsonl", b'{"text": "Oslo", "entities": [{"start": 0, "end": 9, "label": "LOC"}]}\n', ":1: "),
    ],
)
def test_bad_files_are_refused_by_name_and_line(
    name: str, content: bytes | None, said: str, tmp_path: Path, run: Run
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    complaint = run("inspect", path).complaint
    assert complaint.startswith(f"error: {path}")
    assert said in complaint


def test_the_encoding_is_an_option(write, run: Run) -> None:
    path = write("latin.conll", "Café\tO\nZoë\tB-PER\n".encode("latin-1"))
    assert run("inspect", path, "--encoding", "latin-1").code == 0
    assert "unknown encoding 'latin-99'" in run("inspect", path, "--encoding", "latin-99").complaint


def test_columns_are_options(write, run: Run) -> None:
    path = write("odd.conll", "O x The\nB-LOC y Oslo\n")
    facts = json.loads(run("inspect", path, "--token-column", "-1", "--tag-column", "1", "--json").out)["files"][0]
    assert (facts["token_column"], facts["tag_column"]) == (3, 1)
    assert "--tag-column 4" in run("inspect", path, "--tag-column", "4").complaint


def test_names_and_labels_that_are_no_text_are_escaped(write, tmp_path: Path, run: Run) -> None:
    records = [{"text": "Ada met Milo", "entities": [{"start": 0, "end": 3, "label": "P\udce9\x1b[2J"}]}]
    path = write("caf\udce9.jsonl", "".join(json.dumps(record) + "\n" for record in records))
    assert json.loads(run("inspect", path, "--json").out)["files"][0]["per_label"] == {"P\udce9\x1b[2J": 1}
    shown = run("inspect", path).out
    assert f"{tmp_path}/caf\\udce9.jsonl" in shown
    assert "P\\udce9\\x1b[2J" in shown
    assert "caf\\udce9.none: no such file" in run("inspect", tmp_path / "caf\udce9.none").complaint


def test_a_label_that_is_no_text_loses_no_trained_model(write, files: Files, tmp_path: Path, run: Run) -> None:
    path = write("train.jsonl", files.train.read_text())
    run("convert", files.train, path)
    path.write_text(path.read_text().replace('"PER"', '"\\udce9\\u001b"'))
    options = ["--train", path, "--config", files.config, "--epochs", "1", "--output", tmp_path / "model"]
    trained = run("train", *options, "--test", path, "--json")
    assert trained.code == 0
    assert "\\udce9\\u001b" in json.dumps(json.loads(trained.out))
    assert "\\udce9\\x1b" in run("train", *options, "--test", path, "--overwrite").out


def test_labels_that_no_file_has_are_said_once_with_what_is_near(write, run: Run) -> None:
    one, two = write("one.conll", "Ada\tB-PERSON\n"), write("two.conll", "Oslo\tB-LOC\n")
    said = run("inspect", one, two, "--rename", "PERSN=PER,LOC=PLACE,PERSON=PER").err
    assert said.splitlines()[0] == (
        f"warning: {one}, {two}: no entity is labelled PERSN, to be renamed (labels found: LOC, PERSON), did you mean "
        "PERSON?"
    )
    assert (
        "no entity is labelled PRE (labels found: LOC, PERSON)" in run("inspect", one, two, "--labels", "PRE,LOC").err
    )


def test_a_tag_that_is_renamed_to_o_is_found(write, run: Run) -> None:
    file = write("one.conll", "Ada\tB-PER\nmet\tO\nMilo\tB-PER\nand\tO\nIda\tskip\n")
    assert "skip" in run("inspect", file).complaint
    assert "skip" not in run("inspect", file, "--rename", "skip=O").err.partition("next:")[0]
