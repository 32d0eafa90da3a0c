"""The files of a saved model or run, read back: plain files of a sane size, else they are refused.

A pipe or a device under such a name would never end, so nothing but a plain file is opened.
"""

from __future__ import annotations

import os
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO

from ner_lstm_crf.errors import InputError

MOST_TEXT = 1 << 30  # bytes of a text; the vocabulary of four million words takes a tenth
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # a pipe without a writer: no wait


def open_saved(path: Path, what: str = "model") -> BinaryIO:
    """Open a file that is part of `what`, for reading its bytes.

    Raises:
        InputError: If the file is missing, may not be read, or is no plain file.
    """
    try:
        descriptor = os.open(path, _FLAGS)
        if S_ISREG(os.fstat(descriptor).st_mode):
            return os.fdopen(descriptor, "rb")
        os.close(descriptor)
    except FileNotFoundError:
        raise InputError(f"expected a {what}, but this file is missing", path=path) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise InputError(f"the {what} is damaged: {error}", path=path) from error
    raise InputError(f"the {what} is damaged: expected a plain file, found something else", path=path)


def read_saved(path: Path, what: str = "model", *, most: int = MOST_TEXT) -> str:
    """A UTF-8 text file that is part of `what`.

    Raises:
        InputError: If the file is missing or unreadable, or larger than `most` bytes.
    """
    with open_saved(path, what) as file:
        return saved_text(file, path, what, most=most)


def saved_text(file: BinaryIO, path: Path, what: str = "model", *, most: int = MOST_TEXT) -> str:
    """The text of an open file, see `read_saved`."""
    try:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise InputError(f"the {what} is damaged: expected at most {most:,} bytes, found {size:,}", path=path)
        return file.read(size).decode()
    except (OSError, UnicodeDecodeError, MemoryError) as error:
        raise InputError(f"the {what} is damaged: {error}", path=path) from error
