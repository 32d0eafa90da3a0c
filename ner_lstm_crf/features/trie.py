"""A tree of sequences, which finds all of them in many texts at once."""

from __future__ import annotations

import numpy as np

from ner_lstm_crf.features.token_feature import Ids


class Trie:
    """Sequences of symbols as a tree: node n > 0 is reached by key n - 1, a node and a symbol.

    Args:
        symbols: The symbols of all sequences, end to end: whole numbers from 0.
        lengths: Symbols of each sequence; of those that are the same the first is found.
        alphabet: A number above all symbols, of these sequences and of texts.
    """

    def __init__(self, symbols: Ids, lengths: Ids, alphabet: int) -> None:
        self._alphabet = alphabet
        first, self._longest = lengths.cumsum() - lengths, int(lengths.max(initial=0))
        nodes, size, keys = np.zeros(len(lengths), np.int64), 1, list[Ids]()
        for depth in range(self._longest):
            deeper = np.flatnonzero(lengths > depth)
            new, which = np.unique(nodes[deeper] * alphabet + symbols[first[deeper] + depth], return_inverse=True)
            nodes[deeper] = size + which
            keys.append(new)
            size += len(new)
        # A depth's nodes follow those of the depth before, so that the keys rise from first to last.
        self._keys = np.concatenate([np.zeros(0, np.int64), *keys])
        self._sequence = np.full(size, -1, np.int64)
        self._sequence[nodes[::-1]] = np.arange(len(lengths))[::-1]  # what is assigned last, the first one, stays

    def matches(self, symbols: Ids, lengths: Ids) -> list[tuple[int, Ids, Ids]]:
        """For each length from 1: the length, the positions where sequences of it start, rising, and the sequences.

        Args:
            symbols: The symbols of texts, end to end (N,).
            lengths: Symbols of each text (S,).
        """
        ends = np.repeat(lengths.cumsum(), lengths)
        found = list[tuple[int, Ids, Ids]]()
        starts, nodes = np.arange(len(symbols)), np.zeros(len(symbols), np.int64)
        for size in range(1, self._longest + 1):
            inside = starts + size <= ends[starts]
            starts, nodes = starts[inside], nodes[inside]
            keys = nodes * self._alphabet + symbols[starts + size - 1]
            positions = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
            known = self._keys[positions] == keys
            starts, nodes = starts[known], positions[known] + 1
            if not len(starts):
                break
            sequences = self._sequence[nodes]
            found.append((size, starts[sequences >= 0], sequences[sequences >= 0]))
        return found
