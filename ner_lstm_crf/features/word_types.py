"""Each distinct word once, as numbers.

A corpus of 200,000 tokens has some 20,000 distinct words, a batch of 500 tokens some 250. What depends on the word
alone is computed once for each of them, not for each token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ner_lstm_crf.features.token_feature import Column, Ids, TokenFeature, TypeFeature

__all__ = ["WordTypes"]


class WordTypes:
    """Distinct words in the order they were first seen, each a row, and what each feature knows of them.

    Args:
        features: The features by name.

    Attributes:
        columns: For each feature the numbers of all words.
        generation: How often `clear` was called: rows mean the same words as long as it is the same.
    """

    def __init__(self, features: Mapping[str, TokenFeature]) -> None:
        self._features = features
        self.generation = -1
        self.clear()

    def clear(self) -> None:
        """Remove all words: rows of before have no meaning any more."""
        self._rows: dict[str, int] = {}
        self.columns: dict[str, Column] = {name: feature.column() for name, feature in self._features.items()}
        self.generation += 1

    def __len__(self) -> int:
        """The number of words."""
        return len(self._rows)

    def rows(self, words: Sequence[str]) -> Ids:
        """The row of each word (N,); words that were not seen before are added."""
        row_of = self._rows.__getitem__
        try:
            return np.fromiter(map(row_of, words), np.int64, len(words))
        except KeyError:
            new = [word for word in dict.fromkeys(words) if word not in self._rows]
            first = len(self._rows)
            for column in self.columns.values():
                column.write(first, new)
            self._rows.update(zip(new, range(first, first + len(new)), strict=True))  # last: all of it, or nothing
            return np.fromiter(map(row_of, words), np.int64, len(words))

    def inputs(self, rows: Ids) -> dict[str, Any]:
        """What the modules of the type features read of these rows (W,), by name."""
        columns = self.columns.items()
        return {name: column.inputs(rows) for name, column in columns if isinstance(self._features[name], TypeFeature)}
