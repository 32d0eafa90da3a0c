"""What the network says of each surface form by itself, computed once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from ner_lstm_crf.features.embedding import TokenEmbedding
from ner_lstm_crf.features.word_types import Ids, WordTypes
from ner_lstm_crf.model.weights_version import WeightsVersion

__all__ = ["TypeVectorCache"]

# Address space, not memory: a page is taken when a vector is written to it.
_ROOM = 98_304
# Characters that go through the char-CNN at once.
_CHARACTERS_AT_ONCE = 8192


class TypeVectorCache:
    """Vectors of the forms in a table, computed when they are first asked for.

    They are computed anew when a weight they depend on has changed or the table was cleared.

    Args:
        embedding: What computes them; it has to be in evaluation mode.
        table: The forms.
        dtype: What they are stored in.
    """

    def __init__(self, embedding: TokenEmbedding, table: WordTypes, dtype: torch.dtype = torch.float32) -> None:
        self._embedding, self._table, self._dtype = embedding, table, dtype
        self._size = embedding.type_size
        self._state: tuple[int, WeightsVersion] | None = None
        self._vectors = torch.empty(0)
        self._known = np.zeros(0, np.bool_)

    def of(self, rows: Ids) -> Tensor:
        """Vectors (R, D) of which these rows are computed.

        What was returned stays as it is, for these rows, whatever is asked for later.
        """
        self._forget_what_is_old()
        self._make_room(len(self._table))
        new = np.unique(rows[~self._known[rows]])
        if len(new):
            with torch.inference_mode():
                for part in self._portions(new):
                    self._vectors[torch.from_numpy(part)] = self._computed(part)
            self._known[new] = True
        return self._vectors

    def _computed(self, rows: Ids) -> Tensor:
        table = self._table
        characters = table.characters(rows)
        ids = table.words(rows), table.casings(rows), *characters
        return self._embedding.type_vectors(*map(torch.from_numpy, ids)).to(self._dtype)

    def _portions(self, rows: Ids) -> Iterator[Ids]:
        """The rows in portions of a bounded number of characters, unless one form alone has more."""
        ends = self._table.character_counts(rows).cumsum()
        edges = np.flatnonzero(np.diff(ends // _CHARACTERS_AT_ONCE)) + 1
        return iter(np.split(rows, edges))

    def _forget_what_is_old(self) -> None:
        embedding = self._embedding
        state = self._table.generation, WeightsVersion(embedding.word, embedding.casing, embedding.characters)
        if state != self._state:
            self._state = state
            self._vectors = torch.empty(0, self._size, dtype=self._dtype)  # not overwritten: others may still read it
            self._known = np.zeros(0, np.bool_)

    def _make_room(self, size: int) -> None:
        if size <= len(self._known):
            return
        room = max(size, _ROOM, 2 * len(self._known))
        vectors, known = torch.empty(room, self._size, dtype=self._dtype), np.zeros(room, np.bool_)
        used = len(self._known)
        vectors[:used], known[:used] = self._vectors, self._known
        self._vectors, self._known = vectors, known
