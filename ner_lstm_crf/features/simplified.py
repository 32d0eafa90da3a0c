"""The simplified forms of traditional Chinese characters."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

SIMPLIFIED = Path(__file__).parents[1] / "shipped" / "simplified.txt"
"""A pair a line, a traditional character and its simplified form, made by `scripts/make_character_vectors.py`."""

Codes: TypeAlias = NDArray[np.int64]
"""Code points of Unicode."""


def simplified(codes: Codes) -> Codes:
    """The codes of characters (N,), those of traditional ones replaced by those of their simplified forms.

    Example:
        >>> "".join(map(chr, simplified(np.array([ord(character) for character in "臺灣 and 台湾"]))))
        '台湾 and 台湾'
    """
    forms = _simplified_forms()
    found: Codes = np.where(codes < len(forms), forms[np.minimum(codes, len(forms) - 1)], codes)
    return found


def simplified_form(word: str) -> str:
    """A word in simplified characters.

    Example:
        >>> simplified_form("臺灣大學")
        '台湾大学'
    """
    return word.translate(_simplified_characters())


def simplified_pairs() -> list[str]:
    """Each traditional character and its simplified form, as a string of both."""
    return SIMPLIFIED.read_text(encoding="utf-8").split()


@cache
def _simplified_characters() -> dict[int, str]:
    return {ord(pair[0]): pair[1] for pair in simplified_pairs()}


@cache
def _simplified_forms() -> Codes:
    """The code of the simplified form of each code, up to the last that has another."""
    traditional, simple = np.array([[ord(character) for character in pair] for pair in simplified_pairs()], np.int64).T
    forms = np.arange(traditional.max() + 1)
    forms[traditional] = simple
    return forms
