"""Compressed files are recognised by their bytes, read in blocks, and refused when they are damaged."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.text import open_compressed

CONTENT = bytes(range(256)) * 1000


def zipped(content: bytes, names: tuple[str, ...] = ("folder/", "folder/x")) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, b"" if name.endswith("/") else content)
    return stream.getvalue()


COMPRESSED: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
    "zip": zipped,
}


@pytest.mark.parametrize("compression", COMPRESSED)
def test_blocks_joined_are_the_content_and_the_position_approaches_the_size(compression: str, tmp_path: Path) -> None:
    path = tmp_path / "misnamed.txt"
    path.write_bytes(COMPRESSED[compression](CONTENT))
    with open_compressed(path, zip_allowed=True) as file:
        assert file.total == path.stat().st_size
        blocks = list(iter(lambda: file.stream.read(70_001), b""))
        assert file.total - 200 < file.position <= file.total  # a zip archive ends with its index
    assert b"".join(blocks) == CONTENT
    assert {len(block) for block in blocks[:-1]} == {70_001}


@pytest.mark.parametrize("content", [b"", b"B", b"BZ", b"PK", b"\x1f"])
def test_a_short_file_is_no_archive(content: bytes) -> None:
    with open_compressed("in memory", content, zip_allowed=True) as file:
        assert file.stream.read() == content


def test_a_zip_archive_is_opened_only_where_it_is_allowed() -> None:
    with open_compressed("in memory", zipped(CONTENT)) as file:
        assert file.stream.read() == zipped(CONTENT)


@pytest.mark.parametrize("compression", [name for name in COMPRESSED if name != "plain"])
def test_what_is_cut_short_is_refused_with_its_path(compression: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(COMPRESSED[compression](CONTENT)[:-20])
    with (
        pytest.raises(InputError, match="x: the compressed data are damaged or cut short"),
        open_compressed(path, zip_allowed=True) as file,
    ):
        file.stream.read(10**9)


@pytest.mark.parametrize(("names", "found"), [((), 0), (("a", "b"), 2)])
def test_a_zip_archive_must_hold_one_file(names: tuple[str, ...], found: int, tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(b"PK\x03\x04" if not names else zipped(CONTENT, names))
    message = f"expected one file in the zip archive, found {found}" if names else "damaged or cut short"
    with pytest.raises(InputError, match=message):
        open_compressed(path, zip_allowed=True).__enter__()


def test_missing_files_and_directories_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="absent: no such file"):
        open_compressed(tmp_path / "absent").__enter__()
    with pytest.raises(InputError, match="expected a file, found a directory"):
        open_compressed(tmp_path).__enter__()
