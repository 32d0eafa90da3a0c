"""Sums over all paths of a CRF: likelihood with its gradients, and marginals (kernels/crf_sums.c)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ner_lstm_crf import kernels
from ner_lstm_crf.model.crf.calls import TorchCrf, call_kernel, check, checked_mask, checked_tags, without_padding


def log_likelihood(
    emissions: Tensor, tags: Tensor, lengths: Tensor, start: Tensor, transitions: Tensor, end: Tensor
) -> Tensor:
    """Return log p(tags) of each sentence (B,), differentiable in emissions and the three score tables.

    Raises:
        ValueError: A shape, type, length or tag is not what the module describes.
    """
    check(emissions, lengths, (start, transitions, end), tags)
    if kernels.available_for(emissions):
        likelihood: Tensor = _LogLikelihood.apply(emissions, tags, lengths, start, transitions, end)  # type: ignore[no-untyped-call]
    else:
        mask = checked_mask(emissions, lengths)
        tags = checked_tags(tags, mask, len(start))
        crf = TorchCrf(start, transitions, end)
        likelihood = crf(without_padding(emissions, mask), tags, mask=mask, reduction="none")
    return likelihood


def labelwise_log_likelihood(
    emissions: Tensor, tags: Tensor, lengths: Tensor, start: Tensor, transitions: Tensor, end: Tensor
) -> Tensor:
    """Return per sentence the sum over tokens t of log p(tag of t is tags[t]) (B,), differentiable.

    The label-wise loss of Kakade, Teh and Roweis (2002), An alternate objective function for Markovian fields: it asks
    for each token's tag to be probable, not for the whole path to be. It has no compiled kernel.

    Raises:
        ValueError: A shape, type, length or tag is not what the module describes.
    """
    check(emissions, lengths, (start, transitions, end), tags)
    mask = checked_mask(emissions, lengths)
    tags = checked_tags(tags, mask, len(start))
    log_marginal = log_marginals(emissions, lengths, start, transitions, end).gather(2, tags.unsqueeze(2)).squeeze(2)
    return log_marginal.masked_fill(~mask, 0.0).sum(1)  # (B, T) to (B,)


@torch.no_grad()
def marginals(emissions: Tensor, lengths: Tensor, start: Tensor, transitions: Tensor, end: Tensor) -> Tensor:
    """Return each token's distribution over tags (B, T, K), 0 on padding; takes no part in autograd.

    Raises:
        ValueError: A shape, type or length is not what the module describes.
    """
    check(emissions, lengths, (start, transitions, end))
    if kernels.available_for(emissions):
        probabilities = torch.empty(emissions.shape, dtype=emissions.dtype)
        call_kernel("crf_marginals", (emissions, lengths, start, transitions, end), probabilities.data_ptr())
        return probabilities
    mask = checked_mask(emissions, lengths)
    return log_marginals(emissions, lengths, start, transitions, end).exp().masked_fill(~mask.unsqueeze(2), 0.0)


def log_marginals(emissions: Tensor, lengths: Tensor, start: Tensor, transitions: Tensor, end: Tensor) -> Tensor:
    """Return log p(tag of token t is k) (B, T, K) in plain torch, differentiable; anything finite on padding.

    Forward-backward in log space. Each message is known up to an offset, which the softmax at the end takes away: it
    is shifted so that its maximum is 0, lest a long sentence's sums swallow the digits in which tags differ. The shifts
    are constants to autograd.

    Raises:
        ValueError: A length is not from 1 to T.
    """
    mask = checked_mask(emissions, lengths)
    emissions = without_padding(emissions, mask)
    # Forward: for each t and k the log of the sum over all paths up to t that end in tag k (B, K).
    message = start + emissions[:, 0]
    forward = [message - message.detach().amax(1, keepdim=True)]
    for t in range(1, emissions.shape[1]):
        # alpha_t[to] = log sum_from exp(alpha_(t-1)[from] + transitions[from, to]) + emissions_t[to]
        message = torch.logsumexp(forward[-1].unsqueeze(2) + transitions, 1) + emissions[:, t]
        message = torch.where(mask[:, t, None], message, forward[-1])  # on padding it stays as it was
        forward.append(message - message.detach().amax(1, keepdim=True))
    # Backward: for each t and k the log of the sum over all paths from tag k at t to the end, without t itself.
    message = end.expand(len(emissions), -1)
    backward = [message]
    for t in range(emissions.shape[1] - 1, 0, -1):
        # beta_(t-1)[from] = log sum_to exp(transitions[from, to] + emissions_t[to] + beta_t[to])
        longer = torch.logsumexp((message + emissions[:, t]).unsqueeze(1) + transitions, 2)
        message = torch.where(mask[:, t, None], longer, message)
        message = message - message.detach().amax(1, keepdim=True)
        backward.append(message)
    return torch.log_softmax(torch.stack(forward, 1) + torch.stack(backward[::-1], 1), 2)


class _LogLikelihood(torch.autograd.Function):
    """The compiled likelihoods; their gradients come out of the same pass, and the backward pass only weighs them."""

    @staticmethod
    def forward(ctx: Any, emissions: Tensor, tags: Tensor, lengths: Tensor, *tables: Tensor) -> Tensor:
        """Log-likelihood of each sentence (B,); keeps its gradients."""
        sentences, _, count = emissions.shape
        likelihood = emissions.new_empty(sentences)
        grad_emissions = torch.empty(emissions.shape, dtype=emissions.dtype)  # of the likelihood of each sentence
        grad_transitions = emissions.new_empty(sentences, count, count)
        tags, lengths = tags.contiguous(), lengths.clone().contiguous()  # the backward pass reads those checked here
        outputs = (likelihood.data_ptr(), grad_emissions.data_ptr(), grad_transitions.data_ptr())
        inputs = (emissions, lengths, *tables)
        call_kernel("crf_log_likelihood", inputs, tags.data_ptr(), tags.stride(0), *outputs)
        ctx.save_for_backward(grad_emissions, grad_transitions, lengths)
        return likelihood

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, weights: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of emissions and score tables, weighted by sentence."""
        inputs = ctx.saved_tensors
        sentences, tokens, count = inputs[0].shape
        emissions, start = torch.empty_like(inputs[0]), weights.new_empty(count)
        transitions, end = weights.new_empty(count, count), weights.new_empty(count)
        addresses = (tensor.data_ptr() for tensor in (*inputs, weights))
        outputs = (tensor.data_ptr() for tensor in (emissions, start, transitions, end))
        gradient = kernels.kernel("crf_gradient", emissions.dtype)
        gradient(*addresses, weights.stride(0), sentences, tokens, count, *outputs)
        return emissions, None, None, start, transitions, end
