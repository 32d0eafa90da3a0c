"""What training needs of a CRF: likelihoods with their gradients, as functions of tensors.

The functions take, in this order, emissions (B, T, K), tags (B, T) where a path is given, lengths (B,), and the scores
of start (K,), transitions (K, K) and end (K,); see `ner_lstm_crf.crf`, where everything else about a CRF is.

CPU tensors go through compiled kernels (`kernels/crf_*.c`), which give the gradients in the same pass. On other
devices, and where the kernels were not compiled, plain torch gives the same results, slower: the likelihood of
pytorch-crf (`torchcrf.CRF`), which is small and well tested, and for sums over single tokens, which it does not offer,
`log_marginals`. The tests hold the two paths against each other and against the sum over all paths.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torchcrf import CRF

from ner_lstm_crf import kernels
from ner_lstm_crf.crf.calls import check
from ner_lstm_crf.crf.scores import FORBIDDING, NEVER, ScoreTables
from ner_lstm_crf.crf.sums import likelihoods


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
    transition, start or end (a score of `FORBIDDING`, -1000, or less). Less log Z of all paths it is the logarithm of
    their probability. If there is no such path it is -inf, with a gradient of zero.

    Raises:
        ValueError: A shape, type or length is not what the module describes.
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


def log_marginals(emissions: Tensor, lengths: Tensor, start: Tensor, transitions: Tensor, end: Tensor) -> Tensor:
    """Return log p(tag of token t is k) (B, T, K) in plain torch, differentiable; anything finite on padding.

    Each message is known up to an offset for each token, which the softmax takes away: it is shifted so that its
    maximum is 0, lest a long sentence's sums swallow the digits in which tags differ. The shifts are constants to
    autograd.

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
    return torch.log_softmax(torch.stack(forward, 1) + torch.stack(backward[::-1], 1), 2)


def token_mask(lengths: Tensor, longest: int) -> Tensor:
    """True where there is a token (B, T), given the lengths (B,) and T."""
    return torch.arange(longest, device=lengths.device).unsqueeze(0) < lengths.unsqueeze(1)


def checked_mask(emissions: Tensor, lengths: Tensor) -> Tensor:
    """True where there is a token (B, T); refuses lengths out of range, as the kernels do themselves."""
    tokens = emissions.shape[1]
    if int(lengths.min()) < 1 or int(lengths.max()) > tokens:
        raise ValueError(f"expected lengths from 1 to {tokens}, got {int(lengths.min())} to {int(lengths.max())}")
    return token_mask(lengths, tokens)


def checked_tags(tags: Tensor, mask: Tensor, count: int) -> Tensor:
    """Tags with 0 on padding; refuses those out of range, as the kernels do themselves."""
    tags = tags.masked_fill(~mask, 0)
    if int(tags.min()) < 0 or int(tags.max()) >= count:
        raise ValueError(f"expected tags from 0 to {count - 1}, got {int(tags.min())} to {int(tags.max())}")
    return tags


def without_padding(emissions: Tensor, mask: Tensor) -> Tensor:
    """Emissions with zeros on padding: torchcrf multiplies by the mask, and 0 * inf would not be 0."""
    return emissions.masked_fill(~mask.unsqueeze(2), 0.0)


class TorchCrf(CRF):  # type: ignore[misc]
    """torchcrf.CRF as a function of its score tables: the tables are given tensors, not parameters of its own."""

    def __init__(self, start: Tensor, transitions: Tensor, end: Tensor) -> None:
        nn.Module.__init__(self)  # CRF's own would draw parameters from the global random generator
        self.num_tags, self.batch_first = len(start), True
        self.start_transitions, self.transitions, self.end_transitions = start, transitions, end


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
        path = None if tags is None else tags.detach().numpy()
        scores = ScoreTables(*(table.detach().numpy() for table in tables))
        found = likelihoods(name, emissions.detach().numpy(), path, lengths.numpy(), scores)
        likelihood, *gradients = map(torch.from_numpy, found)
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
