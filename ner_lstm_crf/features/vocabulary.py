"""Symbols become numbers: the vocabularies of words and of characters.

Everywhere, id 0 pads and id 1 is the unknown symbol; real symbols follow. Neither of the two is a symbol of its own, so
no text can collide with them.

How a word finds its row. A form is tried in four spellings, and the first that has a row wins:

    surface form        Rome-1998
    lower case          rome-1998
    digits as 0         Rome-0000
    both                rome-0000

and if none has, it is the unknown word. Which spellings have rows is decided when the vocabulary is built: a word of
the training data takes the first of the four that the pretrained vectors know, so cased vectors keep case apart and
lower-cased ones join it; what the vectors do not know is kept under the last, the lower-cased form with its digits as
0. Case is not lost by that: the network sees it through the casing class and the char-CNN.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ner_lstm_crf.errors import InputError

__all__ = [
    "FIRST",
    "PADDING",
    "UNKNOWN",
    "Vocabulary",
    "WordVocabulary",
    "build_characters",
    "build_words",
    "is_list_of",
    "spellings",
]

PADDING = 0
UNKNOWN = 1
FIRST = 2  # of the ids that stand for a symbol
_DIGIT = re.compile(r"\d")


def spellings(form: str) -> tuple[str, str, str, str]:
    """The spellings under which a word may have a row, best first.

    Example:
        >>> spellings("Rome-1998")
        ('Rome-1998', 'rome-1998', 'Rome-0000', 'rome-0000')
    """
    lower = form.lower()
    return form, lower, _DIGIT.sub("0", form), _DIGIT.sub("0", lower)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Symbols and their ids: 0 pads, 1 is unknown, `symbols[i]` has the id `i + 2`.

    Attributes:
        symbols: The distinct symbols.

    Raises:
        ValueError: If a symbol occurs twice.

    Example:
        >>> Vocabulary(("a", "b")).ids("bat").tolist()
        [3, 2, 1]
    """

    symbols: tuple[str, ...]
    _ids: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ids = {symbol: number for number, symbol in enumerate(self.symbols, FIRST)}
        if len(ids) != len(self.symbols):
            twice = Counter(self.symbols).most_common(1)[0][0]
            raise ValueError(f"expected distinct symbols, got '{twice}' twice")
        object.__setattr__(self, "_ids", ids)

    def __len__(self) -> int:
        """All rows: the symbols, padding and unknown."""
        return len(self.symbols) + FIRST

    def __contains__(self, symbol: object) -> bool:
        return symbol in self._ids

    def ids(self, symbols: Iterable[str]) -> npt.NDArray[np.int64]:
        """The id of each symbol, (N,)."""
        get = self._ids.get
        return np.array([get(symbol, UNKNOWN) for symbol in symbols], dtype=np.int64)

    def to_json(self) -> Any:
        """What `from_json` makes the same vocabulary of: the list of symbols."""
        return list(self.symbols)

    @classmethod
    def from_json(cls, value: Any) -> Vocabulary:
        """The vocabulary that `to_json` wrote.

        Raises:
            InputError: If the value is something else.
        """
        return Vocabulary(_symbols(value))


@dataclass(frozen=True, slots=True)
class WordVocabulary(Vocabulary):
    """The rows of the word embedding: those that training changes, then the reserve, whose vectors stay as they are.

    Rows 0 to `trainable_size - 1` are padding, unknown and words of the training data, most frequent first. The reserve
    follows: words that the vectors know and the training data lack, so that new text profits from them, or, where the
    vectors are frozen, all words that the vectors know.

    Attributes:
        symbols: The spelling of each row, from row 2 on.
        counts: How often each word of the training block occurred in the training data, in the order of `symbols`.
    """

    counts: tuple[int, ...]

    def __post_init__(self) -> None:
        Vocabulary.__post_init__(self)  # super() does not work in dataclasses with slots
        if len(self.counts) > len(self.symbols):
            raise ValueError(f"expected at most {len(self.symbols)} counts, got {len(self.counts)}")

    @property
    def trainable_size(self) -> int:
        """The number of rows before the reserve."""
        return len(self.counts) + FIRST

    def word_id(self, form: str) -> int:
        """The row of a word: that of its first spelling which has one, else 1."""
        for spelling in spellings(form):
            number = self._ids.get(spelling)
            if number is not None:
                return number
        return UNKNOWN

    def word_ids(self, forms: Iterable[str]) -> npt.NDArray[np.int64]:
        """The row of each word, (T,).

        Example:
            >>> build_words({"Rome": 2, "in": 1, "1998": 1}).word_ids(["ROME", "in", "2024", "Oslo"]).tolist()
            [2, 4, 3, 1]
        """
        get, find = self._ids.get, self.word_id
        return np.array([get(form) or find(form) for form in forms], dtype=np.int64)  # ids of symbols are never 0

    def to_json(self) -> Any:
        """What `from_json` makes the same vocabulary of: the symbols, and the counts of the training block."""
        return {"symbols": list(self.symbols), "counts": list(self.counts)}

    @classmethod
    def from_json(cls, value: Any) -> WordVocabulary:
        """The vocabulary that `to_json` wrote.

        Raises:
            InputError: If the value is something else.
        """
        if not isinstance(value, dict) or set(value) != {"symbols", "counts"}:
            raise InputError("expected a word vocabulary with 'symbols' and 'counts'")
        counts = value["counts"]
        if not is_list_of(int, counts) or min(counts, default=0) < 0:
            raise InputError("expected a word vocabulary whose counts are whole numbers")
        symbols = _symbols(value["symbols"])
        if len(counts) > len(symbols):
            raise InputError(f"expected a word vocabulary with at most {len(symbols)} counts, got {len(counts)}")
        return WordVocabulary(symbols, tuple(counts))


def build_words(counts: Mapping[str, int], known: Collection[str] = (), *, frozen: bool = False) -> WordVocabulary:
    """The word vocabulary of training data whose words occur so often, and of pretrained vectors.

    Each word of the training data has a row, singletons too: only word dropout trains the unknown word.

    Args:
        counts: Every form of the training data and how often it occurs.
        known: The words that the pretrained vectors know, in the order of the reserve.
        frozen: Whether the known words of the training data are in the reserve too, where no vector changes.

    Example:
        >>> words = build_words({"Rome": 2, "xyzzy": 1}, ["rome", "oslo"])
        >>> words.symbols, words.trainable_size  # padding, unknown, rome, xyzzy
        (('rome', 'xyzzy', 'oslo'), 4)
        >>> build_words({"Rome": 2, "xyzzy": 1}, ["rome", "oslo"], frozen=True).symbols
        ('xyzzy', 'rome', 'oslo')
    """
    lookup = frozenset(known)
    rows: Counter[str] = Counter()
    for form, count in counts.items():
        rows[_row_spelling(form, lookup)] += count
    trained = _by_frequency({row: count for row, count in rows.items() if not (frozen and row in lookup)})
    taken = frozenset(trained)
    reserve = (word for word in dict.fromkeys(known) if word not in taken)
    return WordVocabulary((*trained, *reserve), tuple(rows[row] for row in trained))


def build_characters(counts: Mapping[str, int]) -> Vocabulary:
    """The characters of words that occur so often, most frequent first."""
    characters: Counter[str] = Counter()
    for form, count in counts.items():
        for character in form:
            characters[character] += count
    return Vocabulary(_by_frequency(characters))


def is_list_of(kind: type, value: object) -> bool:
    """Whether a value read from JSON is a list of nothing but that type, of which `bool` is none."""
    return isinstance(value, list) and set(map(type, value)) <= {kind}


def _by_frequency(counts: Mapping[str, int]) -> tuple[str, ...]:
    """The keys, most frequent first; by spelling where that does not decide, not by the order of the data."""
    return tuple(sorted(counts, key=lambda symbol: (-counts[symbol], symbol)))


def _row_spelling(form: str, known: Container[str]) -> str:
    """The spelling under which a word of the training data has its row."""
    candidates = spellings(form)
    return next((spelling for spelling in candidates if spelling in known), candidates[-1])


def _symbols(value: Any) -> tuple[str, ...]:
    if not is_list_of(str, value):
        raise InputError("expected a vocabulary to be a list of strings")
    if len(frozenset(value)) != len(value):
        raise InputError("expected a vocabulary of distinct symbols, found one twice")
    return tuple(value)
