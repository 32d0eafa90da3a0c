"""The error that a user can fix: what was expected, what was found, in which file and line."""

from __future__ import annotations

from os import PathLike


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
        self.message, self.path, self.line = message, path, line
        where = "" if path is None else f"{path}: " if line is None else f"{path}:{line}: "
        super().__init__(f"{where}{message}")

    def at(self, path: str | PathLike[str] | None = None, line: int | None = None) -> InputError:
        """The same error with a path and a line, where it has none."""
        line = line if self.line is None else self.line
        return InputError(self.message, path=path if self.path is None else self.path, line=line)
