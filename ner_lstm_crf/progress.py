"""How long work tells its caller how far it is. The library never prints: the command line draws the bar."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Progress", "silent"]


class Progress(Protocol):
    """Called now and then with what is done so far and the whole, in one unit (bytes, sentences, batches)."""

    def __call__(self, done: int, total: int | None) -> None:
        """Report that `done` of `total` are finished; `total` is None where it is not known."""


def silent(done: int, total: int | None) -> None:
    """Report nothing."""
    del done, total
