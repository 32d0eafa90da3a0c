"""The linear-chain CRF in compiled kernels (`kernels/crf_*.c`): the path that CPU tensors take.

Arguments are as `ner_lstm_crf.model.crf` describes and checks them. The kernels read what torch holds where it lies:
nothing is copied, padded positions are not visited, and the two halves of a batch may run on two threads.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ner_lstm_crf.kernels import kernel

__all__ = ["log_likelihood", "marginals", "viterbi"]


def log_likelihood(
    emissions: Tensor, tags: Tensor, lengths: Tensor, start: Tensor, transitions: Tensor, end: Tensor
) -> Tensor:
    """Return the log-probability of each sentence's tags (B,); differentiable in emissions and score tables."""
    likelihood: Tensor = _LogLikelihood.apply(emissions, tags, lengths, start, transitions, end)  # type: ignore[no-untyped-call]
    return likelihood


@torch.no_grad()
def marginals(emissions: Tensor, lengths: Tensor, start: Tensor, transitions: Tensor, end: Tensor) -> Tensor:
    """Return each token's distribution over tags (B, T, K), 0 on padding; takes no part in autograd."""
    found = torch.empty(emissions.shape, dtype=emissions.dtype)
    _call_on_batch("crf_marginals", (emissions, lengths, start, transitions, end), found.data_ptr())
    return found


@torch.no_grad()
def viterbi(emissions: Tensor, lengths: Tensor, start: Tensor, transitions: Tensor, end: Tensor) -> Tensor:
    """Return each sentence's best tag path (B, T) int64, 0 on padding; ties go to the lower tag."""
    best = torch.empty(emissions.shape[:2], dtype=torch.int64)
    _call_on_batch("crf_viterbi", (emissions, lengths, start, transitions, end), best.data_ptr())
    return best


class _LogLikelihood(torch.autograd.Function):
    """The likelihoods; their gradients fall out of the same pass, and the backward pass only weighs them."""

    @staticmethod
    def forward(ctx: Any, emissions: Tensor, tags: Tensor, lengths: Tensor, *tables: Tensor) -> Tensor:
        count = emissions.shape[2]
        likelihood = emissions.new_empty(len(lengths))
        of_emissions = torch.empty(emissions.shape, dtype=emissions.dtype)
        of_moves = emissions.new_empty(len(lengths), count, count)
        lengths = lengths.contiguous()  # the backward pass reads what was checked here
        if tags.stride(1) != 1:
            tags = tags.contiguous()
        outputs = (likelihood.data_ptr(), of_emissions.data_ptr(), of_moves.data_ptr())
        inputs = (emissions, lengths, *tables)
        _call_on_batch("crf_log_likelihood", inputs, tags.data_ptr(), tags.stride(0), *outputs)
        ctx.save_for_backward(of_emissions, of_moves, lengths)
        return likelihood

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, weights: Tensor) -> tuple[Tensor | None, ...]:
        of_emissions, of_moves, lengths = ctx.saved_tensors
        sentences, tokens, count = of_emissions.shape
        emissions, start = torch.empty_like(of_emissions), weights.new_empty(count)
        transitions, end = weights.new_empty(count, count), weights.new_empty(count)
        outputs = (emissions.data_ptr(), start.data_ptr(), transitions.data_ptr(), end.data_ptr())
        inputs = (of_emissions.data_ptr(), of_moves.data_ptr(), lengths.data_ptr(), weights.data_ptr())
        _call("crf_gradient", emissions, *inputs, weights.stride(0), sentences, tokens, count, *outputs)
        return emissions, None, None, start, transitions, end


def _call_on_batch(name: str, inputs: tuple[Tensor, ...], *more: int) -> None:
    """Call a kernel on emissions, lengths and the three score tables, and what else it takes; errors as of `_call`."""
    emissions = inputs[0] if inputs[0].stride(2) == 1 else inputs[0].contiguous()
    others = [tensor.contiguous() for tensor in inputs[1:]]
    strides, where = emissions.stride()[:2], [tensor.data_ptr() for tensor in others]
    sizes = (*emissions.shape, torch.get_num_threads())
    _call(name, emissions, emissions.data_ptr(), *strides, *where, *sizes, *more)


def _call(name: str, like: Tensor, *arguments: int) -> None:
    """Call a kernel.

    Raises:
        ValueError: If a length or a tag is out of range.
        MemoryError: If there is none left.
    """
    failure = kernel(name, like.dtype)(*arguments)
    if failure == 0:
        return
    tokens, count = like.shape[1:]
    if failure == 1:
        raise ValueError(f"expected lengths from 1 to {tokens}, got one out of range")
    if failure == 2:
        raise ValueError(f"expected tags from 0 to {count - 1}, got one out of range")
    raise MemoryError(f"{name}: no memory for emissions of shape {tuple(like.shape)}")
