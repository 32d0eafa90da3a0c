"""Sentences as ids, end to end, and the batches that are cut from them without an object per sentence.

In tagging a sentence of more than 2,000 tokens is read in windows, as a transformer reads a long text: a network meets
no longer sequence, whatever the text.

Letters: S sentences, N tokens of all of them, R rows: a sentence each, or a window of a long one; B sentences of a
batch, T tokens of its longest; W distinct words of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ner_lstm_crf.features.token_feature import Column, ContextFeature, Ids, TokenFeature, TypeFeature


class WordTypes:
    """Distinct words in the order they were first seen, each a row, with a number for each feature.

    A corpus of 200,000 tokens has some 20,000 distinct words, a batch of 500 tokens some 250. What depends on the word
    alone is computed once for each of them, not for each token.

    Args:
        features: The features by name.

    Attributes:
        columns: For each feature the numbers of all words.
        generation: Number of calls of `clear`: rows mean the same words as long as it is the same.
    """

    def __init__(self, features: Mapping[str, TokenFeature]) -> None:
        self._features = features
        self.generation = -1
        self.clear()

    def clear(self) -> None:
        """Remove all words: rows of before have no meaning any more."""
        self.generation += 1  # first: Ctrl-C may come in between
        self._rows: dict[str, int] = {}
        self.columns: dict[str, Column] = {name: feature.column() for name, feature in self._features.items()}

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
        """The inputs of the modules of type features for these rows (W,), by name."""
        columns = self.columns.items()
        return {name: column.inputs(rows) for name, column in columns if isinstance(self._features[name], TypeFeature)}


MOST_TOKENS = 2000
"""Tokens of the longest sentence that is read at once."""


class Rows(NamedTuple):
    """The sequences that a network reads in tagging: sentences, or windows of long ones.

    Attributes:
        starts: The position of the first token among all (R,).
        lengths: The number of tokens (R,).
        sentences: The number of the sentence (R,).
        begins: The first token whose emissions count, from the start of the row (R,); it has most context here.
        ends: The token behind the last one (R,).
    """

    starts: Ids
    lengths: Ids
    sentences: Ids
    begins: Ids
    ends: Ids


def rows_of(lengths: Ids) -> Rows:
    """Each sentence as a row; of a sentence that is too long overlapping windows.

    Windows have `MOST_TOKENS` tokens, a quarter of which the next one has, too: the left half of these counts here, the
    right half there. The last window is moved left until it ends with the sentence.

    Args:
        lengths: Tokens of each sentence (S,).
    """
    starts, longest = lengths.cumsum() - lengths, MOST_TOKENS
    rows = Rows(starts, lengths, np.arange(len(lengths)), np.zeros_like(lengths), lengths)
    if lengths.max(initial=0) <= longest:
        return rows
    parts = list[Rows]()
    shared = longest // 4
    for number, (start, length) in enumerate(zip(starts.tolist(), lengths.tolist(), strict=True)):
        if length <= longest:
            parts.append(Rows(*(column[number : number + 1] for column in rows)))
            continue
        firsts = np.arange(0, length - shared, longest - shared)
        firsts[-1] = length - longest
        borders = np.concatenate([[0], (firsts[1:] + firsts[:-1] + longest) // 2, [length]])
        sizes = np.full_like(firsts, longest), np.full_like(firsts, number)
        parts.append(Rows(start + firsts, *sizes, borders[:-1] - firsts, borders[1:] - firsts))
    return Rows(*map(np.concatenate, zip(*parts, strict=True)))


def like_lengths(lengths: Ids, *, sentences: int, tokens: int) -> list[tuple[Ids, int]]:
    """Cut sentences into batches of like length, longest first; those without tokens are in none.

    The shape of a batch is one of a few dozen. For every shape that `nn.LSTM` meets on a CPU, oneDNN compiles code in
    some milliseconds and keeps it, 0.3 MB for each of the last 1,024 shapes: with shapes as they come, tagging would be
    slow at first and come to hold 300 MB more.

    Args:
        lengths: Tokens of each sentence.
        sentences: Most sentences in a batch.
        tokens: Most tokens in a batch, padding included; a longer sentence is a batch of its own.

    Returns:
        Of each batch the numbers of its sentences (B,), and the tokens T that they are padded to.
    """
    order = np.argsort(-lengths, kind="stable")[: np.count_nonzero(lengths)]
    batches, start = list[tuple[Ids, int]](), 0
    while start < len(order):
        # T has one of eight values between a power of two and the next: 16, 18, 20, ... 32, 36, 40, ...
        longest = int(lengths[order[start]])
        step = 1 << max((longest - 1).bit_length() - 4, 0)
        longest = -(-longest // step) * step
        # B is a power of two, or half as much again: 1, 2, 3, 4, 6, 8, 12, ...
        size = min(max(tokens // longest, 1), sentences, len(order) - start)
        power = 1 << (size.bit_length() - 1)
        size = power + power // 2 if size >= power + power // 2 else power
        batches.append((order[start : start + size], longest))
        start += size
    return batches


@dataclass(frozen=True, slots=True)
class Batch:
    """Padded sentences of like length.

    Attributes:
        tokens: The word type of each token (B, T): in training its number among the distinct words of the batch, 0
            beyond the lengths; in tagging its row in `WordTypes`, any row beyond the lengths.
        lengths: Tokens of each sentence (B,), at least 1.
        inputs: The input of each feature's module, by name: in training for the distinct words (W,) and for the tokens
            in context (B, T), in tagging for the latter alone, since the vectors of word types are cached.
        tags: Gold tag ids (B, T), 0 beyond the lengths; None without gold tags.
        allowed: True for the tags that each token may have (B, T, K), all True beyond the lengths; None if all tokens
            are known, which then have their gold tags.
        taught: The emissions of a teacher (B, T, K), those of any token beyond the lengths; None without one.
        labelled: True for the sentences that have gold tags (B,), whatever `tags` says of the others; None if all have.
    """

    tokens: Ids
    lengths: Ids
    inputs: Mapping[str, Any]
    tags: Ids | None = None
    allowed: NDArray[np.bool_] | None = None
    taught: NDArray[np.float32] | None = None
    labelled: NDArray[np.bool_] | None = None


class RaggedSentences:
    """Sentences as one array of word types, with the ids of context features; some may have no token.

    Args:
        word_types: The word types that `types` refers to.
        types: The row of each token's word (N,).
        lengths: Tokens of each sentence (S,).
        context: Each context feature and the result of its `encode` for these sentences, by name.
        tags: The gold tag id of each token (N,); None without gold tags.

    Attributes:
        allowed: True for the tags that each token may have (N, K); None if all tokens are known.
        partly_known: True for the sentences with unknown tokens (S,); all False if all tokens are known.
        taught: The emissions that a teacher gives each token (N, K); None without one.
        labelled: True for the sentences that have gold tags (S,); None if all have.
    """

    def __init__(
        self,
        word_types: WordTypes,
        types: Ids,
        lengths: Ids,
        context: Mapping[str, tuple[ContextFeature, Any]],
        tags: Ids | None = None,
    ) -> None:
        self.word_types, self.types, self.lengths, self.context, self.tags = word_types, types, lengths, context, tags
        self.allowed: NDArray[np.bool_] | None = None
        self.partly_known: NDArray[np.bool_] = np.zeros(len(lengths), np.bool_)
        self.taught: NDArray[np.float32] | None = None
        self.labelled: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        """The number of sentences."""
        return len(self.lengths)

    @cached_property
    def rows(self) -> Rows:
        """The sentences, long ones in windows, as tagging reads them."""
        return rows_of(self.lengths)

    @cached_property
    def _starts(self) -> Ids:
        """The position of each sentence's first token among all (S,)."""
        return self.lengths.cumsum() - self.lengths

    def training_batch(self, numbers: Sequence[int]) -> Batch:
        """The sentences of these numbers (B,), each of a token or more, over their distinct words."""
        sentences = np.array(numbers, np.int64)
        starts, lengths = self._starts[sentences], self.lengths[sentences]
        positions, real, inputs = self._select(starts, lengths, sentences, int(lengths.max()))
        rows, which = np.unique(self.types[positions[real]], return_inverse=True)  # (W,)
        tokens, tags = np.zeros(real.shape, np.int64), None
        tokens[real] = which
        if self.tags is not None:
            tags = np.where(real, self.tags[positions], 0)
        inputs, allowed = self.word_types.inputs(rows) | inputs, None
        if self.allowed is not None and self.partly_known[sentences].any():
            allowed = self.allowed[positions] | ~real[:, :, None]
        taught = None if self.taught is None else self.taught[positions]
        labelled = None if self.labelled is None else self.labelled[sentences]
        return Batch(tokens, lengths, inputs, tags, allowed, taught, labelled)

    def tagging_batches(self, *, sentences: int, tokens: int) -> list[tuple[Ids, int]]:
        """Batches of rows, as `like_lengths` cuts them."""
        return like_lengths(self.rows.lengths, sentences=sentences, tokens=tokens)

    def single_batch(self) -> Batch:
        """The only sentence, which is read at once, as `tagging_batch` gives it, without padding."""
        steps, context = np.arange(len(self.types))[None], self.context.items()
        inputs = {name: one.batch(ids, np.zeros(1, np.int64), steps, steps >= 0) for name, (one, ids) in context}
        return Batch(self.types[None], self.lengths, inputs)

    def tagging_batch(self, numbers: Ids, longest: int) -> tuple[Batch, Ids, NDArray[np.bool_]]:
        """The rows of these numbers (B,), for networks that have the vectors of word types already.

        Returns:
            The batch, padded to T = `longest`; the positions of its tokens among all (B, T); and True for the positions
            that hold a token whose emissions count (B, T), each token in one row.
        """
        starts, lengths, sentences, begins, ends = (column[numbers] for column in self.rows)
        positions, _, inputs = self._select(starts, lengths, sentences, longest)
        steps = np.arange(longest)
        counts = (steps >= begins[:, None]) & (steps < ends[:, None])
        return Batch(self.types[positions], lengths, inputs), positions, counts

    def _select(
        self, starts: Ids, lengths: Ids, sentences: Ids, longest: int
    ) -> tuple[Ids, NDArray[np.bool_], dict[str, Any]]:
        """Positions of the tokens of rows among all, and True for real ones (B, T); inputs of context features."""
        steps = np.arange(longest)
        positions = np.minimum(starts[:, None] + steps, len(self.types) - 1)
        real = steps < lengths[:, None]
        context = self.context.items()
        return positions, real, {name: one.batch(ids, sentences, positions, real) for name, (one, ids) in context}


def shuffled_batches(
    lengths: Sequence[int], random: np.random.Generator, *, sentences: int, tokens: int
) -> list[list[int]]:
    """Batches for one epoch of training: like lengths together, yet other neighbours in every epoch.

    The sentences are sorted by their length times a random factor within 20%, cut, and the batches shuffled.

    Args:
        lengths: Tokens of each sentence.
        random: The source of the factors.
        sentences: Most sentences in a batch.
        tokens: Most tokens in a batch, padding included; a longer sentence is a batch of its own.

    Returns:
        Batches of sentence numbers; each sentence is in one of them.
    """
    noisy = np.asarray(lengths, np.float64) * random.uniform(0.8, 1.2, len(lengths))
    batches: list[list[int]] = []
    longest = 0
    for number in np.lexsort((random.random(len(lengths)), noisy)).tolist():
        longest = max(longest, lengths[number])
        if not batches or len(batches[-1]) == sentences or (len(batches[-1]) + 1) * longest > tokens:
            batches.append([])
            longest = lengths[number]
        batches[-1].append(number)
    random.shuffle(batches)
    return batches
