"""Traditional Chinese characters and their simplified forms."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from ner_lstm_crf.features.forms import Ids

__all__ = ["SIMPLIFIED", "simplified"]

SIMPLIFIED = Path(__file__).parents[1] / "shipped" / "simplified.txt"
"""A pair a line, a traditional character and its simplified form, made by `scripts/make_character_vectors.py`."""


def simplified(codes: Ids) -> Ids:
    """The codes of characters (N,), those of traditional ones replaced by those of their simplified forms.

    Example:
        >>> "".join(map(chr, simplified(np.array([ord(character) for character in "臺灣 and 台湾"]))))
        '台湾 and 台湾'
    """
    traditional, simple = _pairs()
    places = np.minimum(np.searchsorted(traditional, codes), len(traditional) - 1)
    found: Ids = np.where(traditional[places] == codes, simple[places], codes)
    return found


@cache
def _pairs() -> tuple[Ids, Ids]:
    """The codes of all traditional characters, rising, and those of their simplified forms (N,)."""
    pairs = sorted(SIMPLIFIED.read_text(encoding="utf-8").split())
    codes = np.array([[ord(character) for character in pair] for pair in pairs], np.int64)
    return codes[:, 0], codes[:, 1]
