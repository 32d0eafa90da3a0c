"""A word's casing and shape, as one of a few classes.

Pretrained vectors are mostly lower-cased, so `Bank` and `bank` share a row. The class keeps the difference for the
network, beside the char-CNN, as in Reimers and Gurevych 2017 (section 5.2), with more classes: a lone capital (an
initial), punctuation, and the scripts that have no case, Han apart.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np
from torch import Tensor, nn

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.features.token_feature import Ids, Resources, TypeFeature, TypeModule
from ner_lstm_crf.text.scripts import has_han

__all__ = ["CASINGS", "Casing", "CasingVectors", "casing"]

CASINGS: tuple[str, ...] = (
    "padding",  # 0, as everywhere: no word at all
    "lower",  # bank, e-mail, don't
    "upper",  # NATO, U.S.
    "capital",  # a lone capital: A, J.
    "initial upper",  # Bank, Jean's
    "mixed",  # iPhone, McDonald, Jean-Luc
    "numeric",  # 1998, 1,000.5, -3, 9/11
    "mostly numeric",  # 1990s, 747s: more than half of it digits
    "contains digit",  # B2B, Covid-19
    "han",  # 北京
    "caseless",  # Kana, Hangul, Arabic, Hebrew, Thai, ...
    "punctuation",  # . ( ...
    "other",  # symbols, emoji, white space
)
_CLASS = {name: number for number, name in enumerate(CASINGS)}
_NUMERIC_SIGNS = frozenset(".,:;/%+-−–'’")


class Casing(TypeFeature):
    """The casing class of a word."""

    name = "casing"

    @classmethod
    def build(cls, resources: Resources) -> Casing | None:
        """See `TokenFeature.build`."""
        return cls() if resources.config.casing_size else None

    def type_ids(self, words: Sequence[str]) -> Ids:
        """The class of each word (W,)."""
        return np.array([casing(word) for word in words], np.int64)

    def module(self, config: ModelConfig) -> CasingVectors:
        """See `TokenFeature.module`."""
        return CasingVectors(config.casing_size)


class CasingVectors(TypeModule):
    """A vector for each casing class.

    Args:
        size: Size of a vector.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.embedding, self.size = nn.Embedding(len(CASINGS), size), size

    def forward(self, casings: Tensor) -> Tensor:
        """The vectors of classes (W,): (W, D)."""
        vectors: Tensor = self.embedding(casings)
        return vectors


def casing(word: str) -> int:
    """The class of a word, an index into `CASINGS`; never 0, which pads.

    Example:
        >>> [CASINGS[casing(word)] for word in ("Bank", "J.", "1,000", "北京")]
        ['initial upper', 'capital', 'numeric', 'han']
    """
    letters = len(word)
    if not (word.isascii() and word.isalpha()):  # as most words are, which need no look at each character
        digits = sum(map(str.isdigit, word))
        letters = sum(map(str.isalpha, word))
        if digits or not (word.islower() or word.isupper() or word.lower() != word):
            return _CLASS[_without_case(word, digits, letters)]
    if word.islower():
        return _CLASS["lower"]
    if word.isupper():
        return _CLASS["capital" if letters == 1 else "upper"]
    first = next((index for index, char in enumerate(word) if char.isalpha()), None)
    if first is None:  # cased signs that are no letters, such as Roman numerals
        return _CLASS["mixed"]
    rest = word[first + 1 :]
    return _CLASS["initial upper" if word[first].isupper() and rest == rest.lower() else "mixed"]


def _without_case(word: str, digits: int, letters: int) -> str:
    """The name of the class of a word with so many digits and letters, which has digits or no case."""
    if digits:
        if all(char.isdigit() or char in _NUMERIC_SIGNS for char in word):
            return "numeric"
        return "mostly numeric" if 2 * digits > len(word) else "contains digit"
    if letters:
        return "han" if has_han(word) else "caseless"
    if word and all(unicodedata.category(char).startswith("P") for char in word):
        return "punctuation"
    return "other"
