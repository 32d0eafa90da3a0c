"""Pairs of neighbouring characters, for corpora whose tokens are characters.

A Chinese character by itself says little: which word it is part of shows in its neighbours. So each token is known by
two pairs too, the one with the character before it and the one with the character after it (Zhang and Yang 2018, 3.1).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.token_feature import ContextFeature, Ids, Resources, Rows, SavedFeature
from ner_lstm_crf.features.vocabulary import FIRST, UNKNOWN, Vocabulary, by_frequency

EDGE = "\0"
"""The character before the first token of a sentence and after the last; also that of an empty token."""

_CODES = 0x110000  # the number of code points of Unicode
_LEAST = 2  # a pair that occurs once teaches the network nothing but that sentence


class Bigrams(ContextFeature):
    """The pairs of each token with its neighbours.

    Args:
        vocabulary: The pairs, strings of two characters.

    Example:
        >>> bigrams = Bigrams(Vocabulary(["北京", "京" + EDGE]))
        >>> bigrams.encode([], np.array([ord("北"), ord("京")]), np.array([2])).tolist()  # 1 is the unknown pair
        [[1, 2], [2, 3]]
    """

    name = "bigrams"

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary

    @classmethod
    def build(cls, resources: Resources) -> Bigrams | None:
        """The pairs that occur at least twice in the sentences, most frequent first."""
        if resources.config.token_unit != "character" or not resources.config.bigram_size:
            return None
        counts = Counter[str]()
        for words in resources.sentences:
            text = "".join([EDGE, *(word[:1] or EDGE for word in words), EDGE])
            counts.update(map("".join, pairwise(text)))
        return cls(Vocabulary(by_frequency({pair: count for pair, count in counts.items() if count >= _LEAST})))

    @classmethod
    def load(cls, saved: SavedFeature) -> Bigrams:
        """See `TokenFeature.load`."""
        vocabulary = Vocabulary.from_json(saved.value)
        if any(len(symbol) != 2 for symbol in vocabulary.symbols):
            raise InputError("expected pairs of characters, found a string of another length")
        return cls(vocabulary)

    def to_json(self) -> Any:
        """The list of pairs."""
        return list(self.vocabulary.symbols)

    def type_ids(self, words: Sequence[str]) -> Ids:
        """The code point of each word's first character (W,)."""
        return np.array([ord(word[0]) if word else ord(EDGE) for word in words], np.int64)

    def encode(self, _: Sequence[str], codes: Ids, lengths: Ids, _touching: Sequence[bool] = ()) -> Ids:
        """The pair of each token with the one before and that with the one after (N, 2)."""
        before, after = np.zeros_like(codes), np.zeros_like(codes)  # 0 is the code of the edge
        before[1:], after[:-1] = codes[:-1], codes[1:]
        ends = lengths.cumsum()[lengths > 0]
        before[ends - lengths[lengths > 0]] = 0
        after[ends - 1] = 0
        keys = np.stack([before * _CODES + codes, codes * _CODES + after], axis=1)
        known, ids = self._sorted
        if not len(known):
            return np.full_like(keys, UNKNOWN)
        positions = np.minimum(np.searchsorted(known, keys), len(known) - 1)
        found: Ids = np.where(known[positions] == keys, ids[positions], UNKNOWN)
        return found

    @cached_property
    def _sorted(self) -> tuple[Ids, Ids]:
        """The keys of all pairs in rising order, and their ids."""
        keys = np.array([ord(pair[0]) * _CODES + ord(pair[1]) for pair in self.vocabulary.symbols], np.int64)
        order = np.argsort(keys)
        return keys[order], order + FIRST

    def vector_size(self, config: ModelConfig) -> int:
        """See `TokenFeature.vector_size`."""
        return 2 * config.bigram_size

    def weight_shapes(self, config: ModelConfig) -> Mapping[str, tuple[int, ...]]:
        """See `TokenFeature.weight_shapes`."""
        return {"table.trainable": (len(self.vocabulary), config.bigram_size)}

    def extended(self, resources: Resources, _: Rows | None) -> Bigrams:
        """These pairs, and behind them those that only the other training data have."""
        new = Bigrams.build(resources)
        return self if new is None else Bigrams(self.vocabulary.extended(new.vocabulary.symbols))
