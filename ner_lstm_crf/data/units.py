"""What the tokens of annotated data are: words, or characters, as in Chinese corpora."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ner_lstm_crf.data.annotation import Sentence

__all__ = ["CHARACTER_SHARE", "share_of_characters"]

CHARACTER_SHARE = 0.999
"""Share of one-character tokens from which data are those of characters: more than any corpus of words has, less than
a slip can hide."""


def share_of_characters(sentences: Iterable[Sentence]) -> float:
    """How many of the tokens are one character long, from 0 to 1; 0 where there is no token."""
    lengths = Counter(len(token.text) for sentence in sentences for token in sentence.tokens)
    return lengths[1] / max(lengths.total(), 1)
