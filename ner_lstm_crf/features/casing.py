"""A word's casing and shape, as one of a few classes.

Pretrained vectors are mostly lower-cased, so `Bank` and `bank` share a row. The class keeps the difference for the
network, beside the char-CNN, as in Reimers and Gurevych 2017 (section 5.2), with more classes: a lone capital (an
initial), punctuation, and the scripts that have no case, Han apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from unicodedata import category

import numpy as np

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.features.token_feature import Ids, Resources, TypeFeature
from ner_lstm_crf.text.scripts import has_han

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

    def vector_size(self, config: ModelConfig) -> int:
        """See `TokenFeature.vector_size`."""
        return config.casing_size

    def weight_shapes(self, config: ModelConfig) -> Mapping[str, tuple[int, ...]]:
        """See `TokenFeature.weight_shapes`."""
        return {"embedding.weight": (len(CASINGS), config.casing_size)}


def casing(word: str) -> int:
    """The class of a word, an index into `CASINGS`; never 0, which pads.

    Example:
        >>> [CASINGS[casing(word)] for word in ("Bank", "J.", "1,000", "北京")]
        ['initial upper', 'capital', 'numeric', 'han']
    """
    digits, letters, cased = 0, len(word), True
    if not (word.isascii() and word.isalpha()):  # as most words are, which need no look at each character
        digits, letters = sum(map(str.isdigit, word)), sum(map(str.isalpha, word))
        cased = word.islower() or word.isupper() or word.lower() != word
    first = next((index for index, char in enumerate(word) if char.isalpha()), None)
    if digits:
        signs = all(char.isdigit() or char in _NUMERIC_SIGNS for char in word)
        name = "numeric" if signs else "mostly numeric" if 2 * digits > len(word) else "contains digit"
    elif not cased and letters:
        name = "han" if has_han(word) else "caseless"
    elif not cased:
        name = "punctuation" if word and all(category(char).startswith("P") for char in word) else "other"
    elif word.islower():
        name = "lower"
    elif word.isupper():
        name = "capital" if letters == 1 else "upper"
    elif first is None:  # cased signs that are no letters, such as Roman numerals
        name = "mixed"
    else:
        rest = word[first + 1 :]
        name = "initial upper" if word[first].isupper() and rest == rest.lower() else "mixed"
    return _CLASS[name]
