"""Sentences as ids, end to end, and the batches that are cut from them without an object per sentence.

Letters: S sentences, N tokens of all of them; B sentences of a batch, T tokens of its longest; W distinct words of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ner_lstm_crf.features.token_feature import ContextFeature, Ids
from ner_lstm_crf.features.word_types import WordTypes

__all__ = ["Batch", "RaggedSentences", "batches_by_length", "rounded_up", "shuffled_batches"]


@dataclass(frozen=True, slots=True)
class Batch:
    """Padded sentences of like length.

    Attributes:
        tokens: The word type of each token (B, T): in training its number among the distinct words of the batch, 0
            beyond the lengths; in tagging its row in `WordTypes`, any row beyond the lengths.
        lengths: Tokens of each sentence (B,), at least 1.
        inputs: What the module of each feature reads, by name: in training of the distinct words (W,) and of the tokens
            in context (B, T), in tagging of the latter alone, since the vectors of word types are cached.
        tags: Gold tag ids (B, T), 0 beyond the lengths; None without gold tags.
    """

    tokens: Tensor
    lengths: Tensor
    inputs: Mapping[str, Any]
    tags: Tensor | None = None


class RaggedSentences:
    """Sentences as one array of word types, with the ids of context features; some may have no token.

    The shape of a batch for tagging is one of a few dozen. For every shape that `nn.LSTM` meets on a CPU, oneDNN
    compiles code in some milliseconds and keeps it, 0.3 MB for each of the last 1,024 shapes: with shapes as they come,
    tagging would be slow at first and come to hold 300 MB more.

    Args:
        word_types: The word types that `types` refers to.
        types: The row of each token's word (N,).
        lengths: Tokens of each sentence (S,).
        context: Each context feature, and what its `encode` made of the sentences, by name.
        tags: The gold tag id of each token (N,); None without gold tags.
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
        self._starts = lengths.cumsum() - lengths

    def __len__(self) -> int:
        """The number of sentences."""
        return len(self.lengths)

    def training_batch(self, numbers: Sequence[int]) -> Batch:
        """The sentences of these numbers (B,), each of a token or more, over their distinct words."""
        sentences = np.array(numbers, np.int64)
        positions, real = self._positions(sentences, int(self.lengths[sentences].max()))
        rows, which = np.unique(self.types[positions[real]], return_inverse=True)  # (W,)
        tokens, tags = np.zeros(real.shape, np.int64), None
        tokens[real] = which
        if self.tags is not None:
            tags = torch.from_numpy(np.where(real, self.tags[positions], 0))
        inputs = self.word_types.inputs(rows) | self._context_inputs(sentences, positions, real)
        return Batch(torch.from_numpy(tokens), torch.from_numpy(self.lengths[sentences]), inputs, tags)

    def tagging_batches(self, *, sentences: int, tokens: int) -> list[Ids]:
        """The numbers of the sentences that go together, longest first; those without tokens are in none.

        Args:
            sentences: Most sentences in a batch; fewer make it a power of two, or half as many again.
            tokens: Most tokens in a batch, padding included; a longer sentence is a batch of its own.
        """
        order = np.argsort(-self.lengths, kind="stable")[: np.count_nonzero(self.lengths)]
        batches, start = list[Ids](), 0
        while start < len(order):
            most = tokens // rounded_up(int(self.lengths[order[start]]))
            size = min(max(most, 1), sentences, len(order) - start)
            power = 1 << (size.bit_length() - 1)
            size = power + power // 2 if size >= power + power // 2 else power
            batches.append(order[start : start + size])
            start += size
        return batches

    def tagging_batch(self, numbers: Ids) -> tuple[Batch, Ids, NDArray[np.bool_]]:
        """The sentences of these numbers (B,), for networks that have the vectors of word types already.

        Returns:
            The batch, its longest sentence `rounded_up`; the positions of its tokens among all (B, T); and which of
            these hold a token of the sentence (B, T).
        """
        positions, real = self._positions(numbers, rounded_up(int(self.lengths[numbers].max())))
        tokens, lengths = torch.from_numpy(self.types[positions]), torch.from_numpy(self.lengths[numbers])
        return Batch(tokens, lengths, self._context_inputs(numbers, positions, real)), positions, real

    def _positions(self, sentences: Ids, longest: int) -> tuple[Ids, NDArray[np.bool_]]:
        """The positions of the sentences' tokens in the flat arrays (B, T), and which of them are of the sentence."""
        steps = np.arange(longest)
        positions = np.minimum(self._starts[sentences, None] + steps, len(self.types) - 1)
        return positions, steps < self.lengths[sentences, None]

    def _context_inputs(self, sentences: Ids, positions: Ids, real: NDArray[np.bool_]) -> dict[str, Any]:
        return {name: feature.batch(ids, sentences, positions, real) for name, (feature, ids) in self.context.items()}


def rounded_up(tokens: int) -> int:
    """The tokens of a batch for tagging: eight sizes between a power of two and the next.

    Example:
        >>> [rounded_up(tokens) for tokens in (5, 16, 17, 33, 1000)]
        [5, 16, 18, 36, 1024]
    """
    step = 1 << max((tokens - 1).bit_length() - 4, 0)
    return -(-tokens // step) * step


def batches_by_length(
    lengths: Sequence[int], *, sentences: int, tokens: int, order: Sequence[int] | None = None
) -> list[list[int]]:
    """Cut sentences into batches, longest first.

    Args:
        lengths: The length of each sentence, in tokens.
        sentences: Most sentences in a batch.
        tokens: Most tokens in a batch, padding included; a longer sentence is a batch of its own.
        order: The sentences in the order of cutting; by falling length where it is not given.

    Returns:
        Batches of sentence numbers; each sentence is in one of them.

    Example:
        >>> batches_by_length([1, 5, 2, 4], sentences=2, tokens=8)
        [[1], [3, 2], [0]]
    """
    if order is None:
        order = np.argsort(-np.asarray(lengths, np.int64), kind="stable").tolist()
    batches: list[list[int]] = []
    longest = 0
    for number in order:
        longest = max(longest, lengths[number])
        full = not batches or len(batches[-1]) == sentences or (len(batches[-1]) + 1) * longest > tokens
        if full:
            batches.append([])
            longest = lengths[number]
        batches[-1].append(number)
    return batches


def shuffled_batches(
    lengths: Sequence[int], random: np.random.Generator, *, sentences: int, tokens: int
) -> list[list[int]]:
    """Batches for one epoch of training: like lengths together, yet other neighbours in every epoch.

    The sentences are sorted by their length times a random factor within 20%, cut, and the batches shuffled.
    """
    noisy = np.asarray(lengths, np.float64) * random.uniform(0.8, 1.2, len(lengths))
    order = np.lexsort((random.random(len(lengths)), noisy)).tolist()
    batches = batches_by_length(lengths, sentences=sentences, tokens=tokens, order=order)
    random.shuffle(batches)
    return batches
