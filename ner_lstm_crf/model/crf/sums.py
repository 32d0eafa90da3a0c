"""Sums over all paths of a CRF: likelihood with its gradients, and marginals (kernels/crf_sums.c)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ner_lstm_crf import kernels
from ner_lstm_crf.model.crf.calls import (
    FORBIDDING,
    NEVER,
    TorchCrf,
    call_kernel,
    check,
    checked_mask,
    checked_tags,
    without_padding,
)


def log_likelihood(
    emissions: Tensor, tags: Tensor, lengths: Tensor, start: Tensor, transitions: Tensor, end: Tensor
) -> Tensor:
    """Return log p(tags) of each sentence (B,), differentiable in emissions and the three score tables.

    Raises:
        ValueError: A shape, type, length or tag is not what the module describes.
    """
    check(emissions, lengths, (start, transitions, end), tags=tags)
    if kernels.available_for(emissions):
        likelihood: Tensor = _LogLikelihood.apply(
            "crf_log_likelihood", emissions, tags, lengths, start, transitions, end
        )  # type: ignore[no-untyped-call]
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
    for each token's tag to be probable, not for the whole path to be (kernels/crf_labelwise.c).

    Raises:
        ValueError: A shape, type, length or tag is not what the module describes.
    """
    check(emissions, lengths, (start, transitions, end), tags=tags)
    if kernels.available_for(emissions):
        likelihood: Tensor = _LogLikelihood.apply("crf_labelwise", emissions, tags, lengths, start, transitions, end)  # type: ignore[no-untyped-call]
        return likelihood
    mask = checked_mask(emissions, lengths)
    tags = checked_tags(tags, mask, len(start))
    log_marginal = log_marginals(emissions, lengths, start, transitions, end).gather(2, tags.unsqueeze(2)).squeeze(2)
    return log_marginal.masked_fill(~mask, 0.0).sum(1)  # (B, T) to (B,)


def log_partition(
    emissions: Tensor,
    lengths: Tensor,
    start: Tensor,
    transitions: Tensor,
    end: Tensor,
    allowed: Tensor | None = None,
) -> Tensor:
    """Return log Z of each sentence (B,), differentiable in emissions and the three score tables.

    With `allowed`, bool (B, T, K), the sum is over the paths whose tags are all allowed and that take no forbidden
    transition, start or end (a score of `FORBIDDING` or less). Less log Z of all paths it is the logarithm of their
    probability. If there is no such path it is -inf, with a gradient of zero.

    Raises:
        ValueError: A shape, type or length is not what the package describes.
    """
    check(emissions, lengths, (start, transitions, end), allowed=allowed)
    if allowed is not None:
        emissions = emissions.masked_fill(~allowed, NEVER)
        start, transitions, end = (table.masked_fill(table <= FORBIDDING, NEVER) for table in (start, transitions, end))
    if kernels.available_for(emissions):
        less: Tensor = _LogLikelihood.apply("crf_log_likelihood", emissions, None, lengths, start, transitions, end)  # type: ignore[no-untyped-call]
        return -less
    mask = checked_mask(emissions, lengths)
    crf = TorchCrf(start, transitions, end)
    log_z: Tensor = crf._compute_normalizer(without_padding(emissions, mask).transpose(0, 1), mask.T)
    return torch.where(log_z > NEVER / 10, log_z, -torch.inf)


@torch.no_grad()
def entropy(emissions: Tensor, lengths: Tensor, start: Tensor, transitions: Tensor, end: Tensor) -> Tensor:
    """Return the entropy of each sentence's distribution over paths (B,), in nats; takes no part in autograd.

    H = log Z - E[score], computed in float64: the two are large, and their difference is small. It is 0 where one path
    is certain, and n log K where all are equally probable.

    Raises:
        ValueError: A shape, type or length is not what the package describes.
    """
    check(emissions, lengths, (start, transitions, end))
    exact, exact_start, exact_transitions, exact_end = (x.double() for x in (emissions, start, transitions, end))
    mask = checked_mask(emissions, lengths)
    exact = without_padding(exact, mask)
    if kernels.available_for(exact):
        # The gradients of -log Z are what is expected of each tag and transition, less than zero.
        tables = exact_start, exact_transitions, exact_end
        less_log_z, tags, pairs = _with_gradients("crf_log_likelihood", exact, None, lengths, tables)
        ends = tags[:, 0] @ exact_start + tags[torch.arange(len(tags)), lengths - 1] @ exact_end
        surplus = (tags * exact).sum((1, 2)) + (pairs * exact_transitions).sum((1, 2)) + ends - less_log_z
    else:
        # H(y_1) + sum_t H(y_t, y_(t+1)) - H(y_t)
        forward, backward = log_messages(exact, lengths, exact_start, exact_transitions, exact_end)
        alone = torch.special.entr((forward + backward).softmax(2)).sum(2)  # (B, T)
        surplus = alone[:, 0]
        for t in range(1, exact.shape[1]):
            ahead = (exact[:, t] + backward[:, t]).unsqueeze(1)
            pairs = (forward[:, t - 1].unsqueeze(2) + exact_transitions + ahead).flatten(1).softmax(1)
            surplus = surplus + torch.where(mask[:, t], torch.special.entr(pairs).sum(1) - alone[:, t - 1], 0.0)
    return surplus.clamp(min=0.0).to(emissions.dtype)


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

    Raises:
        ValueError: A length is not from 1 to T.
    """
    forward, backward = log_messages(emissions, lengths, start, transitions, end)
    return torch.log_softmax(forward + backward, 2)


def log_messages(
    emissions: Tensor, lengths: Tensor, start: Tensor, transitions: Tensor, end: Tensor
) -> tuple[Tensor, Tensor]:
    """Return forward and backward messages (B, T, K) in plain torch, differentiable; anything finite on padding.

    Forward: for each t and k the log of the sum over all paths up to t that end in tag k. Backward: over all paths from
    tag k at t to the end, without t itself. Each is known up to an offset for each token, which a softmax takes away:
    it is shifted so that its maximum is 0, lest a long sentence's sums swallow the digits in which tags differ. The
    shifts are constants to autograd.

    Raises:
        ValueError: A length is not from 1 to T.
    """
    mask = checked_mask(emissions, lengths)
    emissions = without_padding(emissions, mask)
    message = start + emissions[:, 0]
    forward = [message - message.detach().amax(1, keepdim=True)]
    for t in range(1, emissions.shape[1]):
        # alpha_t[to] = log sum_from exp(alpha_(t-1)[from] + transitions[from, to]) + emissions_t[to]
        message = torch.logsumexp(forward[-1].unsqueeze(2) + transitions, 1) + emissions[:, t]
        message = torch.where(mask[:, t, None], message, forward[-1])  # on padding it stays as it was
        forward.append(message - message.detach().amax(1, keepdim=True))
    message = end.expand(len(emissions), -1)
    backward = [message]
    for t in range(emissions.shape[1] - 1, 0, -1):
        # beta_(t-1)[from] = log sum_to exp(transitions[from, to] + emissions_t[to] + beta_t[to])
        longer = torch.logsumexp((message + emissions[:, t]).unsqueeze(1) + transitions, 2)
        message = torch.where(mask[:, t, None], longer, message)
        message = message - message.detach().amax(1, keepdim=True)
        backward.append(message)
    return torch.stack(forward, 1), torch.stack(backward[::-1], 1)


class _LogLikelihood(torch.autograd.Function):
    """The compiled likelihoods; their gradients come out of the same pass, and the backward pass only weighs them.

    Without tags, -log Z: the log-likelihood of a path whose score is 0.
    """

    @staticmethod
    def forward(
        ctx: Any, name: str, emissions: Tensor, tags: Tensor | None, lengths: Tensor, *tables: Tensor
    ) -> Tensor:
        """Log-likelihood of each sentence (B,), by the kernel of that name; keeps its gradients."""
        lengths = lengths.clone().contiguous()  # the backward pass reads those checked here
        likelihood, *gradients = _with_gradients(name, emissions, tags, lengths, tables)
        ctx.save_for_backward(*gradients, lengths)
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
        return None, emissions, None, None, start, transitions, end


def _with_gradients(
    name: str, emissions: Tensor, tags: Tensor | None, lengths: Tensor, tables: tuple[Tensor, ...]
) -> tuple[Tensor, Tensor, Tensor]:
    """Log-likelihood of each sentence (B,), its gradients of emissions (B, T, K) and of transitions (B, K, K)."""
    sentences, _, count = emissions.shape
    likelihood = emissions.new_empty(sentences)
    grad_emissions = torch.empty(emissions.shape, dtype=emissions.dtype)
    grad_transitions = emissions.new_empty(sentences, count, count)
    outputs = (likelihood.data_ptr(), grad_emissions.data_ptr(), grad_transitions.data_ptr())
    path = (0, 0)  # none
    if tags is not None:
        tags = tags.contiguous()
        path = (tags.data_ptr(), tags.stride(0))
    call_kernel(name, (emissions, lengths, *tables), *path, *outputs)
    return likelihood, grad_emissions, grad_transitions
