"""Symbols become numbers: id 0 pads, id 1 is the unknown symbol, real symbols follow.

Neither of the two is a symbol of its own, so no text can collide with them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ner_lstm_crf.errors import InputError

PADDING = 0
UNKNOWN = 1
FIRST = 2  # of the ids that stand for a symbol
_DIGIT = re.compile(r"\d")


class Vocabulary:
    """Symbols and their ids: `symbols[i]` has the id `i + 2`.

    Args:
        symbols: The distinct symbols.

    Attributes:
        symbols: The symbols.
        id_of: The id of each symbol.

    Raises:
        ValueError: If a symbol occurs twice.

    Example:
        >>> Vocabulary("ab").ids("bat").tolist()
        [3, 2, 1]
    """

    def __init__(self, symbols: Iterable[str]) -> None:
        self.symbols = tuple(symbols)
        self.id_of: Mapping[str, int] = {symbol: number for number, symbol in enumerate(self.symbols, FIRST)}
        if len(self.id_of) != len(self.symbols):
            twice = Counter(self.symbols).most_common(1)[0][0]
            raise ValueError(f"expected distinct symbols, got '{twice}' twice")

    def __len__(self) -> int:
        """The number of ids: the symbols, padding and unknown."""
        return len(self.symbols) + FIRST

    def ids(self, symbols: Iterable[str]) -> NDArray[np.int64]:
        """The id of each symbol (N,)."""
        get = self.id_of.get
        return np.array([get(symbol, UNKNOWN) for symbol in symbols], dtype=np.int64)

    def extended(self, symbols: Iterable[str]) -> Vocabulary:
        """These symbols behind those that there are."""
        return Vocabulary(dict.fromkeys((*self.symbols, *symbols)))

    @classmethod
    def from_json(cls, value: Any) -> Vocabulary:
        """The vocabulary of a JSON list of symbols.

        Raises:
            InputError: If the value is something else.
        """
        if not is_list_of(str, value):
            raise InputError("expected a vocabulary to be a list of strings")
        if len(frozenset(value)) != len(value):
            raise InputError("expected a vocabulary of distinct symbols, found one twice")
        return cls(value)


def by_frequency(counts: Mapping[str, int]) -> list[str]:
    """The symbols, most frequent first; by spelling where that does not decide, not by the order of the data."""
    return sorted(counts, key=lambda symbol: (-counts[symbol], symbol))


def is_list_of(kind: type, value: object) -> bool:
    """True if a value read from JSON is a list of nothing but that type, of which `bool` is none."""
    return isinstance(value, list) and set(map(type, value)) <= {kind}


def spellings(word: str) -> tuple[str, str, str, str]:
    """The spellings under which a word may have a vector, best first (see `features.word`).

    Example:
        >>> spellings("Rome-1998")
        ('Rome-1998', 'rome-1998', 'Rome-0000', 'rome-0000')
    """
    lower = word.lower()
    return word, lower, _DIGIT.sub("0", word), _DIGIT.sub("0", lower)
