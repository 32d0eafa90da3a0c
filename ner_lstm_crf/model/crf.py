"""The mathematics of a linear-chain CRF, as functions of the scores.

A path of tags y over a sentence of n tokens scores

    score(y) = start[y_1] + sum_t emissions[t, y_t] + sum_t transitions[y_t, y_(t+1)] + end[y_n]

and has probability exp(score(y)) / Z, where the partition Z sums over all K^n paths (Lafferty, McCallum and
Pereira 2001).

Every function takes, in this order, where B counts sentences, T tokens of the longest one, K tags:

    emissions    (B, T, K)  float; what lies beyond a sentence's length is never read
    tags         (B, T)     int64, 0..K-1 within the sentence (only where a path is given)
    lengths      (B,)       int64, 1..T
    start        (K,)       score of beginning with a tag
    transitions  (K, K)     score of a transition, [from, to]
    end          (K,)       score of ending with a tag

The work is done by compiled kernels (`crf_compiled`) or, on other devices and where there are none, by plain torch
(`crf_portable`), which alone has the label-wise loss.

Scores must be finite: a forbidden transition has a score such as -1e4, never -inf, so that gradients stay finite.
"""

from __future__ import annotations

from types import ModuleType

import torch
from torch import Tensor

from ner_lstm_crf import kernels
from ner_lstm_crf.model import crf_compiled, crf_portable

__all__ = ["log_likelihood", "labelwise_log_likelihood", "marginals", "viterbi"]


def log_likelihood(
    emissions: Tensor, tags: Tensor, lengths: Tensor, start: Tensor, transitions: Tensor, end: Tensor
) -> Tensor:
    """Return log p(tags) of each sentence (B,), differentiable in emissions and the three score tables.

    Raises:
        ValueError: A shape, type or length is not what the module describes.
    """
    _check(emissions, lengths, start, transitions, end)
    _check_tags(emissions, tags)
    likelihood: Tensor = _path(emissions).log_likelihood(emissions, tags, lengths, start, transitions, end)
    return likelihood


def labelwise_log_likelihood(
    emissions: Tensor, tags: Tensor, lengths: Tensor, start: Tensor, transitions: Tensor, end: Tensor
) -> Tensor:
    """Return per sentence the sum over tokens t of log p(tag of t is tags[t]) (B,), differentiable.

    The label-wise loss of Kakade, Teh and Roweis (2002), An alternate objective function for Markovian fields: it asks
    for each token's tag to be probable, not for the whole path to be.

    Raises:
        ValueError: A shape, type or length is not what the module describes.
    """
    _check(emissions, lengths, start, transitions, end)
    _check_tags(emissions, tags)
    return crf_portable.labelwise_log_likelihood(emissions, tags, lengths, start, transitions, end)


def marginals(emissions: Tensor, lengths: Tensor, start: Tensor, transitions: Tensor, end: Tensor) -> Tensor:
    """Return each token's distribution over tags (B, T, K), 0 on padding; takes no part in autograd.

    Raises:
        ValueError: A shape, type or length is not what the module describes.
    """
    _check(emissions, lengths, start, transitions, end)
    found: Tensor = _path(emissions).marginals(emissions, lengths, start, transitions, end)
    return found


def viterbi(emissions: Tensor, lengths: Tensor, start: Tensor, transitions: Tensor, end: Tensor) -> Tensor:
    """Return each sentence's most probable tag path (B, T) int64, 0 on padding; ties go to the lower tag.

    Raises:
        ValueError: A shape, type or length is not what the module describes.
    """
    _check(emissions, lengths, start, transitions, end)
    best: Tensor = _path(emissions).viterbi(emissions, lengths, start, transitions, end)
    return best


def _path(emissions: Tensor) -> ModuleType:
    """Compiled kernels where they serve, else plain torch: the same results."""
    return crf_compiled if kernels.serves(emissions) else crf_portable


def _check(emissions: Tensor, lengths: Tensor, start: Tensor, transitions: Tensor, end: Tensor) -> None:
    """Raise ValueError, saying what was expected and what came, unless the arguments fit together."""
    if emissions.ndim != 3 or 0 in emissions.shape:
        raise ValueError(f"expected emissions of shape (B, T, K), each at least 1, got {tuple(emissions.shape)}")
    if not emissions.is_floating_point():
        raise ValueError(f"expected emissions of a floating type, got {emissions.dtype}")
    batch, _, count = emissions.shape
    for name, table, shape in (
        ("start", start, (count,)),
        ("transitions", transitions, (count, count)),
        ("end", end, (count,)),
    ):
        if table.shape != shape or table.dtype != emissions.dtype:
            raise ValueError(
                f"expected {name} of shape {shape} and type {emissions.dtype}, got {tuple(table.shape)} {table.dtype}"
            )
        _check_device(name, table, emissions)
    _check_device("lengths", lengths, emissions)
    if lengths.shape != (batch,) or lengths.dtype != torch.int64:
        raise ValueError(f"expected lengths of shape ({batch},) int64, got {tuple(lengths.shape)} {lengths.dtype}")


def _check_device(name: str, tensor: Tensor, emissions: Tensor) -> None:
    if tensor.device != emissions.device:
        raise ValueError(f"expected {name} on {emissions.device}, where the emissions are, got {tensor.device}")


def _check_tags(emissions: Tensor, tags: Tensor) -> None:
    _check_device("tags", tags, emissions)
    if tags.shape != emissions.shape[:2] or tags.dtype != torch.int64:
        raise ValueError(
            f"expected tags of shape {tuple(emissions.shape[:2])} int64, got {tuple(tags.shape)} {tags.dtype}"
        )
