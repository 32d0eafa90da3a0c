"""Which sentences share a batch: those of like length, so that padding costs little."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["batches_by_length", "shuffled_batches"]


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
