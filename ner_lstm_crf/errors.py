"""The error that a user can fix, and the words of messages: numbers with their noun, names near to an unknown one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from itertools import islice
from os import PathLike

# What breaks a line, controls a terminal, or lets it show letters in another order than they stand.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_MOST_NAMES = 2000  # of a folder, that are compared with the one given

NEEDS_TORCH = "expected the package torch, which this needs: pip install torch pytorch-crf jieba"
"""What is said where PyTorch is not installed: see docs/light.md."""


class InputError(ValueError):
    """The input is wrong, and the message says what was expected of it.

    The command line prints the message as one line and exits with code 2; every other exception is a bug of ours.

    Args:
        message: The expected value and the one found, in one line: `expected at least 2 columns, found 1: 'EU'`.
        path: The file it is about, if there is one.
        line: The 1-based line in that file.

    Example:
        >>> str(InputError("expected at least 2 columns, found 1: 'EU'", path="train.conll", line=118))
        "train.conll:118: expected at least 2 columns, found 1: 'EU'"
    """

    def __init__(self, message: str, *, path: str | PathLike[str] | None = None, line: int | None = None) -> None:
        self.message, self.path, self.line = one_line(message), path, line
        where = "" if path is None else f"{path}: " if line is None else f"{path}:{line}: "
        super().__init__(one_line(f"{where}{message}"))

    def at(self, path: str | PathLike[str] | None = None, line: int | None = None) -> InputError:
        """The same error with a path and a line, where it has none."""
        line = line if self.line is None else self.line
        return type(self)(self.message, path=path if self.path is None else self.path, line=line)


def one_line(text: str) -> str:
    r"""A message as one line: control characters, which a file or its name may hold, are written as escapes.

    Example:
        >>> print(one_line("the label 'P\x1b[2J\n\u202eER' of Zürich, 北京"))
        the label 'P\x1b[2J\n\u202eER' of Zürich, 北京
    """
    return _CONTROL.sub(lambda match: repr(match[0])[1:-1], text)


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """The end of a message about a name that is unknown: the known ones that are near to it, or nothing.

    Near is a name of much the same letters, in any case, or one whose words begin with the letters given.

    Example:
        >>> did_you_mean("PRE", ["PER", "LOC"]), did_you_mean("--lr", ["--learning-rate", "--epochs"])
        (', did you mean PER?', ', did you mean --learning-rate?')
        >>> did_you_mean("GPE", ["MISC", "ORG"])
        ''
    """
    from difflib import get_close_matches

    word = given.lower().lstrip("-")
    names = {name.lower().lstrip("-"): name for name in known if name != given}
    near = get_close_matches(word, names, n=3)
    near = near or [name for name in names if word == "".join(part[:1] for part in name.split("-"))]
    return f", did you mean {' or '.join(names[name] for name in near)}?" if near else ""


def path_given(given: object) -> str:
    """The path that a caller gives, as a string.

    Raises:
        TypeError: If it is none.
    """
    if isinstance(given, str):
        return given
    if isinstance(given, os.PathLike) and isinstance(path := os.fspath(given), str):
        return path
    raise TypeError(f"expected the path of a file or folder, got {type(given).__name__}")


def counted(count: int, one: str, more: str | None = None) -> str:
    """A number and its noun, or other words that go with it.

    Args:
        count: The number.
        one: The words for one.
        more: The words for any other number; None for `one` with an s.

    Example:
        >>> counted(1, "column"), counted(2000, "row"), counted(2, "entity", "entities")
        ('1 column', '2,000 rows', '2 entities')
    """
    return f"{count:,} {one if count == 1 else more or f'{one}s'}"


def missing(path: str | PathLike[str], message: str = "no such file") -> InputError:
    """The error that there is no such file or directory, with the names near to it in its folder."""
    folder, name = os.path.split(os.fspath(path))
    near = ""
    with suppress(OSError, ValueError), os.scandir(folder or os.curdir) as entries:
        near = did_you_mean(name, [entry.name for entry in islice(entries, _MOST_NAMES)])
    return InputError(f"{message}{near}", path=path)
