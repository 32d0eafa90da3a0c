"""Traditional Chinese characters and their simplified forms."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from ner_lstm_crf.features.word_types import Ids

__all__ = ["SIMPLIFIED", "simplified"]

SIMPLIFIED = Path(__file__).parents[1] / "shipped" / "simplified.txt"
"""A pair a line, a traditional character and its simplified form, made by `scripts/make_character_vectors.py`."""


def simplified(codes: Ids) -> Ids:
    """The codes of characters (N,), those of traditional ones replaced by those of their simplified forms.

    Example:
        >>> "".join(map(chr, simplified(np.array([ord(character) for character in "臺灣 and 台湾"]))))
        '台湾 and 台湾'
    """
    forms = _forms()
    found: Ids = np.where(codes < len(forms), forms[np.minimum(codes, len(forms) - 1)], codes)
    return found


@cache
def _forms() -> Ids:
    """The code of the simplified form of each code, up to the last that has another (N,)."""
    pairs = SIMPLIFIED.read_text(encoding="utf-8").split()
    traditional, simple = np.array([[ord(character) for character in pair] for pair in pairs], np.int64).T
    forms = np.arange(traditional.max() + 1)
    forms[traditional] = simple
    return forms
