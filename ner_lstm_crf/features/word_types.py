"""Every distinct surface form once, as numbers.

A corpus of 200,000 tokens has some 20,000 distinct words, a batch of 500 tokens some 250. What depends on the word
alone (its row in the vocabulary, its casing, its characters) is looked up once per form, not once per token.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ner_lstm_crf.features.casing import casing_ids
from ner_lstm_crf.features.vocabulary import UNKNOWN, Vocabulary, WordVocabulary

__all__ = ["CODES", "WordTypes", "Ids", "code_of"]

Ids = NDArray[np.int64]

CODES = 0x110000
"""How many codes there are of characters, those of Unicode."""


class WordTypes:
    """Surface forms in the order they were first met, each with its word id, casing and character ids.

    Args:
        words: The word vocabulary.
        characters: The character vocabulary.
        gap: Zeros that follow the characters of each form (see `CharCnn`).

    Attributes:
        generation: How often it was cleared: a row means the same form as long as this is the same.
    """

    def __init__(self, words: WordVocabulary, characters: Vocabulary, gap: int) -> None:
        self._words, self._characters, self._gap = words, characters, gap
        self.generation = -1
        self.clear()

    def clear(self) -> None:
        """Forget all forms: rows given out before mean nothing any more."""
        self._rows: dict[str, int] = {}
        self.generation += 1
        self._columns = np.zeros((5, 1024), np.int64)  # word id, casing, first character, number of characters, code
        self._flat = np.zeros(8192, np.int64)  # the characters of all forms, each followed by the gap
        self._used = 0

    def __len__(self) -> int:
        """How many forms are known."""
        return len(self._rows)

    def rows(self, forms: Sequence[str]) -> Ids:
        """The row of each form (n,); a form that was never met is added."""
        find = self._rows.__getitem__
        try:
            return np.fromiter(map(find, forms), np.int64, len(forms))
        except KeyError:
            self._add([form for form in dict.fromkeys(forms) if form not in self._rows])
            return np.fromiter(map(find, forms), np.int64, len(forms))

    def words(self, rows: Ids) -> Ids:
        """Word ids of these rows."""
        ids: Ids = self._columns[0, rows]
        return ids

    def casings(self, rows: Ids) -> Ids:
        """Casing ids of these rows."""
        ids: Ids = self._columns[1, rows]
        return ids

    def codes(self, rows: Ids) -> Ids:
        """The code of the first character of each of these rows."""
        codes: Ids = self._columns[4, rows]
        return codes

    def lexicon_codes(self, rows: Ids) -> Ids:
        """The code of each of these rows that is one character, 0 of the others."""
        codes: Ids = np.where(self._columns[3, rows] == 1, self._columns[4, rows], 0)
        return codes

    def character_counts(self, rows: Ids) -> Ids:
        """How many characters each of these rows has, at least 1."""
        counts: Ids = self._columns[3, rows]
        return counts

    def characters(self, rows: Ids) -> tuple[Ids, Ids]:
        """The character ids of these rows end to end, each followed by the gap (N,), and how many each has (W,)."""
        starts, counts = self._columns[2, rows], self._columns[3, rows]
        widths = counts + self._gap
        ends = widths.cumsum()
        index = np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + widths, widths)
        return self._flat[index], counts

    def _add(self, forms: list[str]) -> None:
        """Add new forms; should that fail, none of them is known."""
        # An empty token has one character, the unknown one, so that every form has a maximum.
        spelled = [self._characters.ids(form) if form else np.array([UNKNOWN]) for form in forms]
        counts = np.array([len(ids) for ids in spelled], np.int64)
        widths = counts + self._gap
        starts = self._used + widths.cumsum() - widths
        columns = self._words.word_ids(forms), casing_ids(forms), starts, counts, [code_of(form) for form in forms]
        first, used = len(self._rows), self._used + int(widths.sum())
        self._columns = _grown(self._columns, first + len(forms))
        self._columns[:, first : first + len(forms)] = columns
        self._flat = _grown(self._flat, used)
        self._flat[self._used : used] = 0
        for start, ids in zip(starts.tolist(), spelled, strict=True):
            self._flat[start : start + len(ids)] = ids
        self._used = used
        self._rows.update(zip(forms, range(first, first + len(forms)), strict=True))


def code_of(form: str) -> int:
    """The code of a form's first character; 0, which stands for the edge of a sentence, if it has none."""
    return ord(form[0]) if form else 0


def _grown(array: Ids, size: int) -> Ids:
    """`array` with room for `size` entries in its last dimension, doubled so that growing stays cheap."""
    room = array.shape[-1]
    if size <= room:
        return array
    larger = np.zeros((*array.shape[:-1], max(size, 2 * room)), array.dtype)
    larger[..., :room] = array
    return larger
