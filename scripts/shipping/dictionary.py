"""jieba's dictionary, and the words of it that are the lexicon of the Chinese tagger."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ner_lstm_crf.features.lexicon import dictionary_file

__all__ = ["Entry", "dictionary", "names_and_frequent_words"]

NAMES = frozenset({"nr", "nrt", "nrfg", "ns", "nt", "nz"})  # persons, locations, organisations, others
RARE, FREQUENT = 3, 50


class Entry(NamedTuple):
    """A word, how often jieba's makers counted it, and its part of speech."""

    word: str
    occurrences: int
    kind: str


def dictionary() -> Iterator[Entry]:
    """The words of nothing but Han characters.

    Raises:
        InputError: If the package is not installed.
    """
    for line in dictionary_file().read_text(encoding="utf-8").splitlines():
        word, count, kind = line.split()
        if all("\u4e00" <= character <= "\u9fff" for character in word):
            yield Entry(word, int(count), kind)


def names_and_frequent_words() -> dict[str, str]:
    """Names that are not rare, and other words that are frequent, by part of speech: all of them would be too large."""
    return {word: kind for word, count, kind in dictionary() if count >= (RARE if kind in NAMES else FREQUENT)}
