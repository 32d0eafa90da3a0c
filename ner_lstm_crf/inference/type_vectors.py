"""The vectors that a network's type features give words, computed once for each distinct word.

Letters: R word types, W words, D vector size, F filters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ner_lstm_crf import kernels
from ner_lstm_crf.features.batch import WordTypes
from ner_lstm_crf.features.characters import Characters, Spellings
from ner_lstm_crf.features.token_feature import Ids, TypeFeature
from ner_lstm_crf.features.word import Words
from ner_lstm_crf.inference.network_graph import Floats, Weights, convolutions, is_intnet

Vectors: TypeAlias = Callable[[Any], Floats]
"""The vectors (W, D) of the ids of some words, the result of `Column.inputs`."""

# Rows that a cache has at first. Address space, not memory: a page is taken when a vector is written to it.
_FIRST_ROWS = 98_304
# Word types whose vectors are computed at once.
_TYPES_AT_ONCE = 1024


def vectors_of(features: Mapping[str, Any], weights: Weights) -> dict[str, Vectors]:
    """What makes vectors of the ids of each type feature, by name, in their order in the model.

    Args:
        features: The features by name.
        weights: The weights of the network.
    """
    parts: dict[str, Vectors] = {}
    for name, feature in features.items():
        own = f"embedding.{name}."
        if isinstance(feature, Words):
            parts[name] = partial(word_vectors, weights[f"{own}table.trainable"], feature.frozen)
        elif isinstance(feature, Characters):
            of_feature = {key.removeprefix(own): weights[key] for key in weights if key.startswith(own)}
            encoder = IntNet if is_intnet(of_feature) else CharCnn
            parts[name] = encoder(feature.gap, of_feature)
        elif isinstance(feature, TypeFeature):
            parts[name] = weights[f"{own}embedding.weight"].__getitem__
    return parts


class TypeVectors:
    """The vectors of word types in one network, computed when they are first needed.

    They are computed anew when the word types were cleared. What was returned stays as it is for its rows, whatever is
    computed later, so that other threads may go on reading it.

    Args:
        parts: The result of `vectors_of`.
        word_types: The word types.
        finish: What is made of the vectors (W, D) of all features side by side before they are kept.
    """

    def __init__(
        self,
        parts: Mapping[str, Vectors],
        word_types: WordTypes,
        finish: Callable[[Floats], Floats] = np.asarray,
    ) -> None:
        self._parts, self._word_types, self._finish = parts, word_types, finish
        self._generation = word_types.generation
        self._is_known = np.zeros(0, np.bool_)
        self._vectors = self._computed(np.zeros(0, np.int64))

    @property
    def size(self) -> int:
        """The size of a vector."""
        return int(self._vectors.shape[1])

    def of(self, rows: Ids) -> Floats:
        """Vectors (R, D) of which these rows are computed."""
        # 1. Drop the vectors of other words. They are not overwritten: other threads may still read them.
        if self._word_types.generation != self._generation:
            self._is_known, self._vectors = np.zeros(0, np.bool_), self._vectors[:0]
            self._generation = self._word_types.generation  # last: Ctrl-C may come in between
        # 2. Make room for new word types.
        used = len(self._is_known)
        if len(self._word_types) > used:
            size = max(len(self._word_types), _FIRST_ROWS, 2 * used)
            vectors, is_known = np.empty((size, self.size), np.float32), np.zeros(size, np.bool_)
            vectors[:used], is_known[:used] = self._vectors, self._is_known
            self._vectors, self._is_known = vectors, is_known
        # 3. Compute those that are missing.
        new = rows[~self._is_known[rows]]
        if len(new):
            new = np.unique(new)
            for start in range(0, len(new), _TYPES_AT_ONCE):
                part = new[start : start + _TYPES_AT_ONCE]
                self._vectors[part] = self._computed(part)
            self._is_known[new] = True
        return self._vectors

    def _computed(self, rows: Ids) -> Floats:
        """The vectors of these rows (W, D)."""
        inputs = self._word_types.inputs(rows)
        return self._finish(np.concatenate([vectors(inputs[name]) for name, vectors in self._parts.items()], axis=1))


def word_vectors(trainable: Floats, frozen: Floats, ids: Ids) -> Floats:
    """The vectors of words (W, D): in trainable rows (V, D), and behind these in frozen ones (R, D)."""
    vectors = np.empty((len(ids), trainable.shape[1]), np.float32)
    is_trainable = ids < len(trainable)
    vectors[is_trainable] = trainable[ids[is_trainable]]
    vectors[~is_trainable] = frozen[ids[~is_trainable] - len(trainable)]
    return vectors


class CharCnn:
    """The vectors of words from convolutions over their characters, as sums of table rows (`kernels/char_cnn.c`).

    Args:
        gap: Zeros after each word.
        weights: The vectors of characters, and the filters and biases of each width.
    """

    def __init__(self, gap: int, weights: Weights) -> None:
        self._gap = gap
        characters = weights["embedding.weight"]
        # The score of each filter for each character at each of its offsets (characters, width, F), and the biases.
        self._tables: list[Floats] = []
        self._biases: list[Floats] = []
        for filters, biases in convolutions(weights):
            count, size, width = filters.shape
            offsets = filters.transpose(1, 2, 0).reshape(size, width * count)
            table = (characters @ offsets).reshape(len(characters), width, count)
            table[0] = 0  # behind the end of a word
            self._biases.append(biases)
            self._tables.append(table)

    def __call__(self, words: Spellings) -> Floats:
        """The vector of each word (W, F * number of widths)."""
        characters, lengths = words
        best = self._compiled if kernels.available_for(self._tables[0]) else self._portable
        vectors = [best(table, characters, lengths) for table in self._tables]
        return np.concatenate([one + bias for one, bias in zip(vectors, self._biases, strict=True)], axis=1)

    def _compiled(self, table: Floats, characters: Ids, lengths: Ids) -> Floats:
        """The largest score of each filter within each word (W, F), from the kernel."""
        _, width, filters = table.shape
        best = np.empty((len(lengths), filters), np.float32)
        inputs = table.ctypes.data, characters.ctypes.data, lengths.ctypes.data
        sizes = len(lengths), self._gap, width, filters
        kernels.kernel("char_cnn_forward", table.dtype)(*inputs, *sizes, best.ctypes.data, 0)
        return best

    def _portable(self, table: Floats, characters: Ids, lengths: Ids) -> Floats:
        """The same in numpy."""
        if not len(lengths):
            return np.zeros((0, table.shape[2]), np.float32)
        _, width, filters = table.shape
        padded = np.concatenate([np.zeros(self._gap, np.int64), characters])
        scores = np.zeros((len(characters), filters), np.float32)
        for offset in range(width):
            first = self._gap + offset - width // 2
            read = padded[first : first + len(characters)]
            scores[: len(read)] += table[read, offset]  # behind the last character there is nothing
        scores[characters == 0] = -np.inf
        ends = (lengths + self._gap).cumsum()
        best: Floats = np.maximum.reduceat(scores, ends - lengths - self._gap)
        return best


class IntNet:
    """The vectors of words from dense convolutions over their characters (`kernels/intnet.c`).

    Args:
        gap: Zeros after each word.
        weights: The vectors of characters, and the weights of the convolutions and the blocks.
    """

    def __init__(self, gap: int, weights: Weights) -> None:
        self._gap = gap
        # 1. What each character adds to the first convolution at each place of the window (characters, window, F).
        characters = weights["embedding.weight"]
        filters, self._bias = self._joined(weights, "")
        self._table = np.ascontiguousarray((characters @ filters).transpose(1, 0, 2))
        self._table[0] = 0  # behind the end of a word
        # 2. Of each block the weights and biases of the narrow convolution, and of those of all widths.
        self._blocks: list[tuple[Floats, ...]] = []
        while (narrow := weights.get(f"{(own := f'blocks.{len(self._blocks)}.')}narrow.weight")) is not None:
            convolved, biases = self._joined(weights, own)
            read = np.ascontiguousarray(narrow.T), weights[f"{own}narrow.bias"]
            self._blocks.append((*read, convolved.reshape(-1, convolved.shape[2]), biases))
        self._weights = np.concatenate([part.ravel() for block in self._blocks for part in block])

    def __call__(self, words: Spellings) -> Floats:
        """The vector of each word (W, what all convolutions have for a position)."""
        best = self._compiled if kernels.available_for(self._table) else self._portable
        return best(*words)

    def _compiled(self, characters: Ids, lengths: Ids) -> Floats:
        """The vectors (W, D), from the kernel: those of a word do not depend on other words, not in a bit."""
        # 1. The sizes, and the memory.
        count, blocks, first = len(characters), len(self._blocks), len(self._bias)
        filters, of_block = len(self._blocks[0][1]), len(self._blocks[0][3])
        found = np.empty((count, first + blocks * of_block), np.float32)
        narrow = np.zeros((blocks, count + self._gap, filters), np.float32)
        best = np.empty((len(lengths), found.shape[1]), np.float32)
        # 2. The call.
        inputs = (one.ctypes.data for one in (self._table, self._bias, self._weights, characters, lengths))
        sizes = len(lengths), self._gap, first, filters, of_block, blocks, count
        outputs = (one.ctypes.data for one in (found, narrow, best))
        kernels.kernel("intnet_forward", found.dtype)(*inputs, *sizes, *outputs, 0)
        return best

    def _portable(self, characters: Ids, lengths: Ids) -> Floats:
        """The same in numpy."""
        is_character = (characters != 0).astype(np.float32)[:, None]
        # 1. What all convolutions have for each position (N, D). In gaps there is zero where a filter reads.
        first = sum(self._table[read, place] for place, read in enumerate(self._windows(characters)))
        found = [np.maximum(first + self._bias, 0)]
        for weight, bias, filters, biases in self._blocks:
            narrow = np.maximum(np.concatenate(found, axis=1) @ weight + bias, 0) * is_character
            found.append(np.maximum(np.concatenate(self._windows(narrow), axis=1) @ filters + biases, 0))
        # 2. The largest of each word. Nothing is below zero.
        scores: Floats = np.concatenate(found, axis=1) * is_character
        if not len(lengths):
            return scores
        best: Floats = np.maximum.reduceat(scores, (lengths + self._gap).cumsum() - lengths - self._gap)
        return best

    def _windows(self, values: NDArray[Any]) -> list[NDArray[Any]]:
        """The values (N, ...) at each place of the window around each position, zero outside."""
        padded = np.pad(values, [(self._gap, self._gap)] + [(0, 0)] * (values.ndim - 1))
        return [padded[first : first + len(values)] for first in range(2 * self._gap + 1)]

    def _joined(self, weights: Weights, prefix: str) -> tuple[Floats, Floats]:
        """The filters of several widths as if all were as wide as the window (window, D, F), and the biases (F,)."""
        filters, biases = zip(*convolutions(weights, prefix), strict=True)
        wide = []
        for one in filters:
            width = one.shape[2]
            wide.append(np.pad(one, [(0, 0), (0, 0), (self._gap - width // 2, self._gap - (width - 1) // 2)]))
        joined: Floats = np.ascontiguousarray(np.concatenate(wide).transpose(2, 1, 0))
        return joined, np.concatenate(biases)
