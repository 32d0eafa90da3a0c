"""Compressed files: gzip, xz and bzip2, recognised by their first bytes, and zip archives of one file."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from typing import IO, Any, TypeAlias

from ner_lstm_crf.errors import InputError

__all__ = ["COMPRESSORS", "ZIP", "CompressedFile", "open_compressed"]

_Opener: TypeAlias = Callable[..., Any]  # gzip.open and its like: (path or stream, mode) -> a stream of bytes

COMPRESSORS: Mapping[str, _Opener] = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}
"""The function that opens the files of each suffix."""

ZIP = b"PK\x03\x04"
"""The first bytes of a zip archive, which may hold any number of files."""

_OPENERS: Mapping[bytes, _Opener] = {b"\x1f\x8b": gzip.open, b"\xfd7zXZ\x00": lzma.open, b"BZh": bz2.open}
_DAMAGE = (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)  # gzip and bzip2 raise OSError


@dataclass(frozen=True, slots=True)
class CompressedFile:
    """A file that `open_compressed` opened.

    Attributes:
        path: The file.
        stream: Its decompressed bytes.
        raw: Its bytes as they are.
        total: Their number, which `position` approaches.
    """

    path: str
    stream: IO[bytes]
    raw: io.BufferedReader[Any]
    total: int

    @property
    def position(self) -> int:
        """The number of bytes of the compressed file that have been read."""
        return min(self.raw.tell(), self.total)


@contextmanager
def open_compressed(
    path: str | PathLike[str], content: bytes | None = None, *, zip_allowed: bool = False
) -> Iterator[CompressedFile]:
    """Open a file for reading its bytes, decompressed if they are compressed, whatever its name.

    Args:
        path: The file.
        content: Its bytes, if they have been read before.
        zip_allowed: True to open zip archives of one file, too.

    Raises:
        InputError: If the file is missing, a directory, or may not be read; if it is damaged or cut short, also while
            it is read; if it is a zip archive of several files.
    """
    try:
        raw = io.BufferedReader(io.FileIO(path) if content is None else io.BytesIO(content))
        total = Path(path).stat().st_size if content is None else len(content)
    except FileNotFoundError:
        raise InputError("no such file", path=path) from None
    except IsADirectoryError:
        raise InputError("expected a file, found a directory", path=path) from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=path) from None
    try:
        with raw:
            first_bytes = raw.peek(max(map(len, _OPENERS)))
            openers = dict(_OPENERS) | ({ZIP: partial(_open_zip, path)} if zip_allowed else {})
            opener = next((openers[known] for known in openers if first_bytes.startswith(known)), None)
            with opener(raw, "rb") if opener else raw as stream:
                yield CompressedFile(os.fspath(path), stream, raw, total)
    except _DAMAGE as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise InputError(f"cannot be read: {error.strerror}", path=path) from error
        raise InputError(f"the compressed data are damaged or cut short ({error})", path=path) from error


def _open_zip(path: str | PathLike[str], raw: IO[bytes], mode: str) -> IO[bytes]:
    """The only file of a zip archive."""
    del mode  # of an opener
    archive = zipfile.ZipFile(raw)
    names = [member.filename for member in archive.infolist() if not member.is_dir()]
    if len(names) != 1:
        message = f"expected one file in the zip archive, found {len(names)} ({', '.join(names[:4])})"
        raise InputError(f"{message}: unpack the one you want", path=path)
    try:
        return archive.open(names[0])
    except (NotImplementedError, RuntimeError) as error:  # another method of compression, a password
        raise zipfile.BadZipFile(str(error)) from error
