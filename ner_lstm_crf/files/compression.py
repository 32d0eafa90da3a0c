"""Compressed files: the bytes that announce them, the functions that open them, and the errors of damaged ones."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import IO, Any, BinaryIO, TypeAlias, cast

from ner_lstm_crf.errors import InputError

__all__ = ["COMPRESSORS", "DAMAGE", "ZIP", "CompressedFile", "damaged", "decompressed", "open_file"]

_Opener: TypeAlias = Callable[..., Any]  # gzip.open and its like: (path or stream, mode) -> a stream of bytes

COMPRESSORS: Mapping[str, _Opener] = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}
"""The function that opens the files of each suffix."""

ZIP = b"PK\x03\x04"
"""The first bytes of a zip archive, which may hold any number of files."""

DAMAGE = (EOFError, OSError, zlib.error, lzma.LZMAError)
"""The errors that reading damaged data raises; gzip and bzip2 raise `OSError`."""

_ZIP_DAMAGE = (*DAMAGE, zipfile.BadZipFile, NotImplementedError, RuntimeError)
_FIRST_BYTES: Mapping[bytes, _Opener] = {b"\x1f\x8b": gzip.open, b"\xfd7zXZ\x00": lzma.open, b"BZh": bz2.open}


def open_file(path: str | PathLike[str]) -> BinaryIO:
    """Open a file for reading its bytes, as they are.

    Raises:
        InputError: If the file is missing, a directory, or may not be read.
    """
    try:
        return Path(path).open("rb")
    except FileNotFoundError:
        raise InputError("no such file", path=path) from None
    except IsADirectoryError:
        raise InputError("expected a file, found a directory", path=path) from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=path) from None


def decompressed(raw: BinaryIO) -> IO[bytes]:
    """The decompressed bytes of an open file.

    Args:
        raw: The file, at its beginning. Its first bytes decide, whatever its name: if they are not those of gzip, xz
            or bzip2, the file itself is returned.
    """
    head = raw.read(max(map(len, _FIRST_BYTES)))
    raw.seek(0)
    for first_bytes, opener in _FIRST_BYTES.items():
        if head.startswith(first_bytes):
            return cast(IO[bytes], opener(raw, "rb"))
    return raw


def damaged(error: Exception, path: str | PathLike[str]) -> InputError:
    """The error that a user gets of a file whose reading raised one of `DAMAGE`."""
    if isinstance(error, OSError) and error.errno is not None:
        return InputError(f"cannot be read: {error.strerror}", path=path)
    return InputError(f"the compressed data are damaged or cut short ({error})", path=path)


class CompressedFile:
    """The bytes of a large file, read in blocks; plain, or compressed with gzip, xz, bzip2 or zip. A context manager.

    Attributes:
        path: The file.
        total: Its size on the disk in bytes, which `position` approaches.

    Raises:
        InputError: If the file is missing, is a directory, is damaged, or is a zip archive of several files.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._raw = open_file(path)
        self.total = path.stat().st_size
        try:
            is_zip = self._raw.read(len(ZIP)) == ZIP
            self._raw.seek(0)
            self._stream = self._only_file_of_zip() if is_zip else decompressed(self._raw)
        except _ZIP_DAMAGE as error:
            self._raw.close()
            raise damaged(error, path) from error
        except InputError:
            self._raw.close()
            raise

    def __enter__(self) -> CompressedFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()
        self._raw.close()

    @property
    def position(self) -> int:
        """Bytes of the file on the disk that have been read."""
        return min(self._raw.tell(), self.total)

    def read(self, size: int) -> bytes:
        """The next `size` decompressed bytes; fewer only at the end of the file.

        Raises:
            InputError: If the file is damaged or ends early.
        """
        try:
            return self._stream.read(size)
        except _ZIP_DAMAGE as error:
            raise damaged(error, self.path) from error

    def _only_file_of_zip(self) -> IO[bytes]:
        archive = zipfile.ZipFile(self._raw)
        names = [member.filename for member in archive.infolist() if not member.is_dir()]
        if len(names) != 1:
            raise InputError(
                f"expected one file in the zip archive, found {len(names)} ({', '.join(names[:4])}): "
                "unpack the one you want",
                path=self.path,
            )
        return archive.open(names[0])
