"""Sub-tokens in windows that fit a pretrained encoder, each aligned to its token: numbers only, no strings.

Letters: B sentences, T tokens of the longest, W windows, S sub-tokens of the longest, P sub-tokens that are pooled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

__all__ = ["Framing", "SubTokenBatch", "SubTokens", "collate_subtokens", "cut_windows"]

Ints = npt.NDArray[np.int32]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class SubTokens:
    """The sub-tokens of one sentence, in windows of equal length.

    Attributes:
        ids: (windows, length) sub-token ids, special ones included; no window for a sentence without tokens.
        targets: (windows, length) the token that each sub-token is pooled into, counted from 0; -1 for special ones and
            for those that are pooled in another window.
        tokens: Number of tokens. Each has at least one sub-token, and each of its sub-tokens is pooled exactly once.
    """

    ids: Ints
    targets: Ints
    tokens: int


@dataclass(frozen=True, slots=True)
class Framing:
    """What an encoder expects around sub-tokens.

    Attributes:
        window: Most sub-tokens in one window, special ones included.
        prefix: Ids of the special sub-tokens that begin a window: `[CLS]`.
        suffix: Ids of those that end it: `[SEP]`.
    """

    window: int
    prefix: tuple[int, ...] = ()
    suffix: tuple[int, ...] = ()

    @property
    def capacity(self) -> int:
        """How many sub-tokens of the text fit in a window."""
        return self.window - len(self.prefix) - len(self.suffix)


def cut_windows(pieces: Sequence[Sequence[int]], framing: Framing) -> SubTokens:
    """Put the sub-tokens of a sentence's tokens in windows.

    Windows overlap by at least a quarter. In an overlap the tokens up to its middle are pooled in the left window, the
    others in the right one: each where it has most context, about an eighth of a window or more on either side, unless
    the text ends there. A token is pooled in one window, unless it is longer than an overlap: then the mean may be
    over sub-tokens of several windows.

    Args:
        pieces: For each token the ids of its sub-tokens, at least one.
        framing: The window and its special sub-tokens.
    """
    if not pieces:
        return SubTokens(np.empty((0, 0), np.int32), np.empty((0, 0), np.int32), 0)
    counts = np.fromiter(map(len, pieces), np.int32, len(pieces))
    first = np.zeros(len(pieces) + 1, np.int32)
    np.cumsum(counts, out=first[1:])
    ids = np.fromiter(chain.from_iterable(pieces), np.int32, first[-1])
    owners = np.repeat(np.arange(len(pieces), dtype=np.int32), counts)
    blocks, targets = ids[None], owners[None]
    if len(ids) > framing.capacity:
        places, here = _overlapping(framing.capacity, first, owners)
        blocks, targets = ids[places], np.where(here, owners[places], np.int32(-1))
    outside = (-1,) * len(framing.prefix), (-1,) * len(framing.suffix)
    return SubTokens(_framed(blocks, framing.prefix, framing.suffix), _framed(targets, *outside), len(pieces))


def _framed(rows: Ints, prefix: tuple[int, ...], suffix: tuple[int, ...]) -> Ints:
    framed = np.empty((len(rows), len(prefix) + rows.shape[1] + len(suffix)), np.int32)
    framed[:, : len(prefix)] = prefix
    framed[:, len(prefix) : len(prefix) + rows.shape[1]] = rows
    framed[:, len(prefix) + rows.shape[1] :] = suffix
    return framed


def _overlapping(capacity: int, first: Ints, owners: Ints) -> tuple[Places, npt.NDArray[np.bool_]]:
    """Two arrays (windows, capacity): which sub-token stands at each place, and whether it is pooled there.

    All windows are full: the last one is moved left until it ends with the text.
    """
    overlap = min(max(capacity // 4, 1), capacity - 1)
    starts = np.arange(0, len(owners) - overlap, capacity - overlap)
    starts[-1] = len(owners) - capacity
    borders = _borders(starts, capacity, first, owners)
    places = starts[:, None] + np.arange(capacity)
    return places, (places >= borders[:-1, None]) & (places < borders[1:, None])


def _borders(starts: Places, capacity: int, first: Ints, owners: Ints) -> Places:
    """Where each window begins to pool, and the end: the middle of each overlap, moved to a token's nearest border."""
    begins, ends = starts[1:], starts[:-1] + capacity
    middles = (begins + ends + 1) // 2
    left, right = first[owners[middles]], first[owners[middles] + 1]
    nearest = np.where(middles - left <= right - middles, left, right)
    borders = np.where((nearest >= begins) & (nearest <= ends), nearest, middles)
    return np.concatenate(([0], np.maximum.accumulate(borders), [starts[-1] + capacity]))


@dataclass(frozen=True, slots=True, eq=False)
class SubTokenBatch:
    """The windows of several sentences, the longest first.

    Attributes:
        ids: (W, S) int64 sub-token ids; 0 where a window is padded.
        mask: (W, S) bool, True where there is a sub-token.
        pooled: (W, S) bool, True where it is pooled into a token: P of them.
        targets: (P,) int64 the flat place b * T + t of that token, in the order of `pooled`'s rows.
        weights: (P,) float32, 1 over the number of sub-tokens of that token: the weighted sum is their mean.
        lengths: Of each window, in sub-tokens; falling.
        shape: (B, T).
    """

    ids: Tensor
    mask: Tensor
    pooled: Tensor
    targets: Tensor
    weights: Tensor
    lengths: tuple[int, ...]
    shape: tuple[int, int]

    def to(self, device: torch.device | str) -> SubTokenBatch:
        """The same batch on `device`."""
        tensors = {name: getattr(self, name).to(device) for name in ("ids", "mask", "pooled", "targets", "weights")}
        return replace(self, **tensors)


def collate_subtokens(sentences: Sequence[SubTokens]) -> SubTokenBatch:
    """One batch of the windows of `sentences`, in order B, padded to the longest window and the most tokens."""
    width = max((sentence.tokens for sentence in sentences), default=0)
    lengths = np.array([len(window) for sentence in sentences for window in sentence.ids], np.int64)
    order = np.argsort(-lengths, kind="stable")
    mask = np.arange(lengths.max(initial=0)) < lengths[order, None]  # (W, S)
    # A row of `places` says where in the flat arrays of all windows, as they come, each sub-token of a window lies.
    places = (np.cumsum(lengths) - lengths)[order, None] + np.arange(mask.shape[1])
    places = places[mask]
    ids = np.zeros(mask.shape, np.int64)
    ids[mask] = _flat([sentence.ids for sentence in sentences])[places]
    targets = _flat([_shifted(sentence.targets, b * width) for b, sentence in enumerate(sentences)])[places]
    pooled = np.zeros(mask.shape, np.bool_)
    pooled[mask] = targets >= 0
    targets = targets[targets >= 0]
    weights = 1 / np.bincount(targets)[targets] if len(targets) else np.empty(0)
    return SubTokenBatch(
        ids=torch.from_numpy(ids),
        mask=torch.from_numpy(mask),
        pooled=torch.from_numpy(pooled),
        targets=torch.from_numpy(targets),
        weights=torch.from_numpy(weights.astype(np.float32)),
        lengths=tuple(lengths[order].tolist()),
        shape=(len(sentences), width),
    )


def _flat(rows: Sequence[npt.NDArray[np.integer]]) -> Places:
    return np.concatenate([np.empty(0, np.int64), *(row.ravel() for row in rows)])


def _shifted(targets: Ints, offset: int) -> Places:
    return np.where(targets < 0, np.int64(-1), targets + np.int64(offset))
