"""Progress of long work, reported to its caller. The library never prints: the command line draws the bar."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """A function that is called now and then with the work done and the whole, in one unit (bytes, sentences)."""

    def __call__(self, done: int, total: int | None) -> None:
        """Report that `done` of `total` are finished; `total` is None where it is not known."""


def silent(done: int, total: int | None) -> None:
    """Report nothing."""
    del done, total
