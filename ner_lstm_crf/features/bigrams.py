"""Pairs of neighbouring characters, for corpora whose tokens are characters.

A Chinese character by itself says little: which word it is part of shows in its neighbours. So each token is known by
two pairs too, the one with the character before it and the one with the character after it (Zhang and Yang 2018, 3.1).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.vocabulary import FIRST, UNKNOWN, Vocabulary
from ner_lstm_crf.features.word_types import CODES, Ids

__all__ = ["EDGE", "Bigrams", "build_bigrams"]

EDGE = "\0"
"""What stands before the first token of a sentence and after the last."""

_LEAST = 2  # a pair that occurs once teaches the network nothing but that sentence


class Bigrams:
    """The pairs that have a vector of their own.

    Args:
        vocabulary: The pairs, as strings of two characters, in the order of their rows.

    Example:
        >>> bigrams = Bigrams(Vocabulary(("北京", "京" + EDGE)))
        >>> bigrams.ids(np.array([ord("北"), ord("京")]), np.array([2])).tolist()  # 1 is the unknown pair
        [[1, 2], [2, 3]]
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary

    def __len__(self) -> int:
        """All rows: the pairs, padding and unknown."""
        return len(self.vocabulary)

    def ids(self, codes: Ids, lengths: Ids) -> Ids:
        """The ids of the pairs of many sentences.

        Args:
            codes: What `code_of` says of each token, sentences end to end (N,).
            lengths: Tokens of each sentence (S,).

        Returns:
            Of each token the pair with the one before and the pair with the one after (N, 2).
        """
        before, after = np.zeros_like(codes), np.zeros_like(codes)  # 0 is the code of the edge
        before[1:], after[:-1] = codes[:-1], codes[1:]
        ends = lengths.cumsum()[lengths > 0]
        before[ends - lengths[lengths > 0]] = 0
        after[ends - 1] = 0
        return np.stack([self._find(before * CODES + codes), self._find(codes * CODES + after)], axis=1)

    def _find(self, keys: Ids) -> Ids:
        known, rows = self._sorted
        if not len(known):
            return np.full_like(keys, UNKNOWN)
        places = np.minimum(np.searchsorted(known, keys), len(known) - 1)
        found: Ids = np.where(known[places] == keys, rows[places], UNKNOWN)
        return found

    @cached_property
    def _sorted(self) -> tuple[Ids, Ids]:
        """The keys of all pairs in rising order, and their rows."""
        keys = np.array([ord(pair[0]) * CODES + ord(pair[1]) for pair in self.vocabulary.symbols], np.int64)
        order = np.argsort(keys)
        return keys[order], order + FIRST

    def to_json(self) -> Any:
        """What `from_json` makes the same pairs of."""
        return self.vocabulary.to_json()

    @classmethod
    def from_json(cls, value: Any) -> Bigrams:
        """The pairs that `to_json` wrote.

        Raises:
            InputError: If the value is something else.
        """
        vocabulary = Vocabulary.from_json(value)
        if any(len(symbol) != 2 for symbol in vocabulary.symbols):
            raise InputError("expected pairs of characters, found a string of another length")
        return cls(vocabulary)


def build_bigrams(sentences: Iterable[Sequence[str]]) -> Bigrams:
    """The pairs that occur at least twice in the sentences, most frequent first.

    Example:
        >>> build_bigrams([["北", "京"], ["北", "京", "人"]]).vocabulary.symbols == (EDGE + "北", "北京")
        True
    """
    counts: Counter[str] = Counter()
    for words in sentences:
        text = "".join([EDGE, *(form[:1] or EDGE for form in words), EDGE])
        counts.update(map("".join, pairwise(text)))
    kept = sorted((pair for pair, count in counts.items() if count >= _LEAST), key=lambda pair: (-counts[pair], pair))
    return Bigrams(Vocabulary(tuple(kept)))
