"""Slices of files: their rows together are those of the file, each once, however it is cut."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, strategies as st

from ner_lstm_crf import InputError
from ner_lstm_crf.bulk.inputs import InputFile, cut_files, find_files
from ner_lstm_crf.bulk.rows import read_batches
from ner_lstm_crf.files.text import EmptyFileError, stream_lines
from tests.bulk.made import made_rows, write_lines


def cut(path: Path, slice_bytes: int, encoding: str = "utf-8") -> InputFile:
    """A file with its slices."""
    return cut_files(find_files([str(path)]), slice_bytes, "parquet", encoding)[0]


def rows_of(file: InputFile, text_column: str = "text", encoding: str = "utf-8") -> list[dict[str, Any]]:
    """The rows of all slices, one after another."""
    rows = list[dict[str, Any]]()
    for part in file.slices:
        for batch in read_batches(part, text_column, encoding):
            content = batch.rows if isinstance(batch.rows, list) else batch.rows.to_pylist()
            assert batch.texts == [row[text_column] for row in content]
            rows += content
    return rows


@given(st.lists(st.text(alphabet="aé北\r \ufeff", max_size=9)), st.integers(1, 40), st.booleans())
def test_lines_of_text_are_read_once_wherever_the_file_is_cut(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], slice_bytes: int, ends: bool
) -> None:
    path = tmp_path_factory.mktemp("text") / "a.txt"
    path.write_bytes(("\n".join(lines) + "\n" * ends).encode())
    try:
        expected = [line.removesuffix("\n").removesuffix("\r") for line in stream_lines(path)]
    except EmptyFileError:
        expected = []
    except InputError:  # lines that end in CR alone
        with pytest.raises(InputError):
            cut(path, slice_bytes)
        return
    assert [row["text"] for row in rows_of(cut(path, slice_bytes))] == expected


@pytest.mark.parametrize("slice_bytes", [1, 100, 1000, 10**9])
def test_json_lines_are_read_once_wherever_the_file_is_cut(tmp_path: Path, slice_bytes: int) -> None:
    rows = made_rows(30)
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(json.dumps(row) + "\n" * (row["id"] % 5 == 0) for row in rows), encoding="utf-8")
    assert rows_of(cut(path, slice_bytes)) == rows


@pytest.mark.parametrize("slice_rows", [1, 7, 10, 1000])
@pytest.mark.parametrize("row_group", [3, 10, 50])
def test_parquet_is_read_once_wherever_it_is_cut(tmp_path: Path, slice_rows: int, row_group: int) -> None:
    table = pa.Table.from_pylist(made_rows(50))
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=row_group)
    metadata = pq.ParquetFile(tmp_path / "a.parquet").metadata
    size = sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))
    file = cut(tmp_path / "a.parquet", max(1, size * slice_rows // 50))
    assert (len(file.slices) > 1) == (slice_rows < 50)
    assert rows_of(file) == table.to_pylist()


@pytest.mark.parametrize("suffix", [".jsonl.gz", ".json", ".jsonl"])
def test_a_file_that_cannot_be_cut_is_one_slice(tmp_path: Path, suffix: str) -> None:
    rows, path = made_rows(20), tmp_path / f"a{suffix}"
    content = {
        ".jsonl.gz": gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()),
        ".json": json.dumps(rows).encode(),
        ".jsonl": "".join(json.dumps(row, indent=1) + "\n" for row in rows).encode(),
    }
    path.write_bytes(content[suffix])
    file = cut(path, 50)
    assert len(file.slices) == 1
    assert rows_of(file) == rows


def test_text_in_another_encoding_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("Zoë\nKöln\n".encode("utf-16"))
    assert rows_of(cut(tmp_path / "a.txt", 4, "utf-16"), encoding="utf-16") == [{"text": "Zoë"}, {"text": "Köln"}]


@pytest.mark.parametrize("slice_bytes", [30, 10**9])
@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"id": 7}', r"a\.jsonl:8: expected a string under the key 'text' \(keys found: id\)"),
        (b'{"text": 7}', r"a\.jsonl:8: expected a string under the key 'text', found a number"),
        (b'{"text": ', r"a\.jsonl:8: expected one JSON object per line"),
        (b"7", r"a\.jsonl:8: expected one JSON object per line, found a number"),
        (b'{"text": "\xff"}', r"a\.jsonl:8: byte 0xff at offset \d+ is not valid utf-8"),
    ],
)
def test_a_bad_line_is_named_wherever_the_file_is_cut(
    tmp_path: Path, line: bytes, message: str, slice_bytes: int
) -> None:
    good = [json.dumps({"text": "Rome " * 3}).encode()] * 7
    (tmp_path / "a.jsonl").write_bytes(b"\n".join([*good, line, *good]) + b"\n")
    with pytest.raises(InputError, match=message):
        rows_of(cut(tmp_path / "a.jsonl", slice_bytes))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"body": ["a"]}, "a.parquet: no column is called 'text': --text-column names one of body"),
        ({"text": [1]}, "a.parquet: expected texts in the column 'text', found the type int64"),
    ],
)
def test_a_bad_parquet_file_is_named_with_the_row(tmp_path: Path, columns: dict[str, Any], message: str) -> None:
    pq.write_table(pa.table(columns), tmp_path / "a.parquet", row_group_size=5)
    with pytest.raises(InputError, match=message):
        rows_of(cut(tmp_path / "a.parquet", 20))


def test_damaged_files_are_named(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", made_rows(500))
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(path.read_bytes())[:-20])
    with pytest.raises(InputError, match=r"b\.jsonl\.gz: the compressed data are damaged or cut short"):
        rows_of(cut(tmp_path / "b.jsonl.gz", 100))
    (tmp_path / "c.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(InputError, match=r"c\.parquet: expected a Parquet file"):
        cut(tmp_path / "c.parquet", 100)
    table = pa.table({"text": [f"Rome {number}" * 40 for number in range(2000)]})
    pq.write_table(table, tmp_path / "d.parquet", compression="none", use_dictionary=False)
    content = bytearray((tmp_path / "d.parquet").read_bytes())
    content[4:64] = bytes(60)
    (tmp_path / "d.parquet").write_bytes(content)
    with pytest.raises(InputError, match=r"d\.parquet: the Parquet file is damaged"):
        rows_of(cut(tmp_path / "d.parquet", 10**9))


def test_files_are_found_once_and_named_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("b.jsonl", "a.jsonl", "more/a.jsonl", "_manifest.json", ".c.jsonl", "notes.md"):
        write_lines(tmp_path / name, [])
    monkeypatch.chdir(tmp_path)
    found = [Path(one.path).relative_to(tmp_path).as_posix() for one in find_files([".", "*.jsonl", "**/*.jsonl"])]
    assert found == ["a.jsonl", "b.jsonl", "more/a.jsonl"]
    files = cut_files(find_files(["**/*.jsonl"], apart_from=Path("more")), 100, "parquet", "utf-8")
    assert [part.shard for one in files for part in one.slices] == [
        "a-00000-of-00001.parquet",
        "b-00000-of-00001.parquet",
    ]


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (["none/*.jsonl"], r"none/\*\.jsonl: no file matches"),
        (["a.json1"], r"a\.json1: no such file, did you mean a\.jsonl"),
        (["notes.md"], r"notes\.md: expected one of \.parquet, "),
        (["empty"], "empty: no file in this folder has one of"),
        (["a.jsonl", "a.txt"], r"a\.jsonl is jsonl, .*a\.txt text: expected files of one kind"),
        (["a.jsonl", "a.ndjson"], "its shards would have the names of those of .*: rename one"),
    ],
)
def test_what_cannot_be_found_or_named_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, patterns: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    for name in ("a.jsonl", "a.ndjson", "a.txt", "notes.md"):
        (tmp_path / name).write_text("\n", encoding="utf-8")
    with pytest.raises(InputError, match=message):
        cut_files(find_files(patterns), 100, "parquet", "utf-8")
