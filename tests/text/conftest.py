"""A check that time is linear in the text."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest


def _seconds(function: Callable[[str], object], text: str) -> float:
    def once() -> float:
        start = time.process_time()
        function(text)
        return time.process_time() - start

    return min(once() for _ in range(2))


@pytest.fixture(scope="session")
def is_linear() -> Callable[[Callable[[str], object], str], bool]:
    """True if a function's time grows like the number of repetitions of a piece of text, and not like its square.

    The text ends in a way that makes rules fail which have read all of it.
    """

    def check(function: Callable[[str], object], piece: str) -> bool:
        for end in ("\x00", f"{piece[0] * 3}X"):
            few, many = (piece * (size // len(piece)) + end for size in (2_500, 20_000))
            seconds = _seconds(function, many)
            if seconds > 0.02 and seconds > 24 * _seconds(function, few):  # 8 times the text: 8 if linear, 64 if square
                return False
        return True

    return check
