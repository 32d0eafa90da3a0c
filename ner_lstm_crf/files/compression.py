"""Packed files: which bytes tell them, what reads and writes them, and what they raise when they are damaged."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, TypeAlias, cast

__all__ = ["DAMAGE", "HEAD", "PACKERS", "ZIP", "unpacked"]

_Opener: TypeAlias = Callable[..., Any]  # gzip.open and its like: (path or stream, mode) -> a stream of bytes

HEAD = 6
"""How many bytes of a file tell whether it is packed."""

ZIP = b"PK\x03\x04"
"""How a zip archive begins, which may hold any number of files."""

PACKERS: Mapping[str, _Opener] = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}
"""What opens the files of each suffix."""

DAMAGE = (EOFError, OSError, zlib.error, lzma.LZMAError)
"""What reading damaged data raises; `OSError` is how gzip and bzip2 say it."""

_BY_FIRST_BYTES: Mapping[bytes, _Opener] = {b"\x1f\x8b": gzip.open, b"\xfd7zXZ\x00": lzma.open, b"BZh": bz2.open}


def unpacked(source: Path | IO[bytes], head: bytes) -> IO[bytes]:
    """The bytes of a file, unpacked if it is packed with gzip, xz or bzip2.

    Args:
        source: The file, or a stream at its beginning, which the result does not close.
        head: Its first `HEAD` bytes, which decide, whatever its name.
    """
    for magic, opener in _BY_FIRST_BYTES.items():
        if head.startswith(magic):
            return cast(IO[bytes], opener(source, "rb"))
    return source.open("rb") if isinstance(source, Path) else source
