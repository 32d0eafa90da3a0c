"""The mathematics of a linear-chain CRF, as functions of the scores.

A path of tags y over a sentence of n tokens scores

    score(y) = start[y_1] + sum_t emissions[t, y_t] + sum_t transitions[y_t, y_(t+1)] + end[y_n]

and has probability exp(score(y)) / Z, where the partition Z sums over all K^n paths (Lafferty, McCallum and
Pereira 2001, Conditional random fields).

Every function takes, in this order, where B counts sentences, T tokens of the longest one, K tags:

    emissions    (B, T, K)  float; what lies beyond a sentence's length is never read, whatever it holds
    tags         (B, T)     int64, 0..K-1 within the sentence (only where a path is given)
    lengths      (B,)       int64, 1..T
    start        (K,)       score of beginning with a tag
    transitions  (K, K)     score of a transition, [from, to]
    end          (K,)       score of ending with a tag

Scores must be finite: a forbidden transition has a score such as -1e4, never -inf, so that gradients stay finite.

CPU tensors go through compiled kernels (`kernels/crf_*.c`), which read torch's memory as it is and visit no padding.
On other devices, and where the kernels were not compiled, plain torch gives the same results, slower: likelihood and
decoding of pytorch-crf (`torchcrf.CRF`), which is small and well tested, and for sums over single tokens, which it does
not offer, `log_marginals`. The tests hold the two paths against each other and against the sum over all paths.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.utils.rnn import pad_sequence
from torchcrf import CRF

from ner_lstm_crf import kernels


def log_likelihood(
    emissions: Tensor, tags: Tensor, lengths: Tensor, start: Tensor, transitions: Tensor, end: Tensor
) -> Tensor:
    """Return log p(tags) of each sentence (B,), differentiable in emissions and the three score tables.

    Raises:
        ValueError: A shape, type, length or tag is not what the module describes.
    """
    _check(emissions, lengths, (start, transitions, end), tags)
    if kernels.available_for(emissions):
        likelihood: Tensor = _LogLikelihood.apply(emissions, tags, lengths, start, transitions, end)  # type: ignore[no-untyped-call]
    else:
        mask = _checked_mask(emissions, lengths)
        tags = _checked_tags(tags, mask, len(start))
        crf = _TorchCrf(start, transitions, end)
        likelihood = crf(_without_padding(emissions, mask), tags, mask=mask, reduction="none")
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
    _check(emissions, lengths, (start, transitions, end), tags)
    mask = _checked_mask(emissions, lengths)
    tags = _checked_tags(tags, mask, len(start))
    log_marginal = log_marginals(emissions, lengths, start, transitions, end).gather(2, tags.unsqueeze(2)).squeeze(2)
    return log_marginal.masked_fill(~mask, 0.0).sum(1)  # (B, T) to (B,)


@torch.no_grad()
def marginals(emissions: Tensor, lengths: Tensor, start: Tensor, transitions: Tensor, end: Tensor) -> Tensor:
    """Return each token's distribution over tags (B, T, K), 0 on padding; takes no part in autograd.

    Raises:
        ValueError: A shape, type or length is not what the module describes.
    """
    _check(emissions, lengths, (start, transitions, end))
    if kernels.available_for(emissions):
        probabilities = torch.empty(emissions.shape, dtype=emissions.dtype)
        _call_kernel("crf_marginals", (emissions, lengths, start, transitions, end), probabilities.data_ptr())
        return probabilities
    mask = _checked_mask(emissions, lengths)
    return log_marginals(emissions, lengths, start, transitions, end).exp().masked_fill(~mask.unsqueeze(2), 0.0)


@torch.no_grad()
def viterbi(emissions: Tensor, lengths: Tensor, start: Tensor, transitions: Tensor, end: Tensor) -> Tensor:
    """Return each sentence's most probable path of tags (B, T) int64, 0 on padding; ties go to the lower tag.

    Raises:
        ValueError: A shape, type or length is not what the module describes.
    """
    _check(emissions, lengths, (start, transitions, end))
    if kernels.available_for(emissions):
        best = torch.empty(emissions.shape[:2], dtype=torch.int64)
        _call_kernel("crf_viterbi", (emissions, lengths, start, transitions, end), best.data_ptr())
        return best
    mask = _checked_mask(emissions, lengths)
    paths = _TorchCrf(start, transitions, end).decode(_without_padding(emissions, mask), mask=mask)
    best = pad_sequence([torch.tensor(path) for path in paths], batch_first=True)  # (B, longest)
    return nn.functional.pad(best, (0, emissions.shape[1] - best.shape[1])).to(emissions.device)


def log_marginals(emissions: Tensor, lengths: Tensor, start: Tensor, transitions: Tensor, end: Tensor) -> Tensor:
    """Return log p(tag of token t is k) (B, T, K) in plain torch, differentiable; anything finite on padding.

    Forward-backward in log space. Each message is known up to an offset, which the softmax at the end takes away: it
    is shifted so that its maximum is 0, lest a long sentence's sums swallow the digits in which tags differ. The shifts
    are constants to autograd.

    Raises:
        ValueError: A length is not from 1 to T.
    """
    mask = _checked_mask(emissions, lengths)
    emissions = _without_padding(emissions, mask)
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


def token_mask(lengths: Tensor, longest: int) -> Tensor:
    """True where there is a token (B, T), given the lengths (B,) and T."""
    return torch.arange(longest, device=lengths.device).unsqueeze(0) < lengths.unsqueeze(1)


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
        _call_kernel("crf_log_likelihood", inputs, tags.data_ptr(), tags.stride(0), *outputs)
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


def _call_kernel(name: str, inputs: tuple[Tensor, ...], *more: int) -> None:
    """Call a compiled kernel.

    Args:
        name: The C function.
        inputs: Emissions, lengths and the three score tables. Emissions may have any strides but between tags.
        more: Its other arguments: addresses and numbers.

    Raises:
        ValueError: If a length or a tag is out of range.
        MemoryError: If there is no memory left.
    """
    emissions = inputs[0] if inputs[0].stride(2) == 1 else inputs[0].contiguous()
    others = [tensor.contiguous() for tensor in inputs[1:]]
    addresses = [tensor.data_ptr() for tensor in others]
    sizes = (*emissions.shape, torch.get_num_threads())
    call = kernels.kernel(name, emissions.dtype)
    failure = call(emissions.data_ptr(), *emissions.stride()[:2], *addresses, *sizes, *more)
    if failure == 0:
        return
    _, tokens, count = emissions.shape
    if failure == 1:
        raise ValueError(f"expected lengths from 1 to {tokens}, got one out of range")
    if failure == 2:
        raise ValueError(f"expected tags from 0 to {count - 1}, got one out of range")
    raise MemoryError(f"{name}: no memory for emissions of shape {tuple(emissions.shape)}")


class _TorchCrf(CRF):  # type: ignore[misc]
    """torchcrf.CRF as a function of its score tables: the tables are given tensors, not parameters of its own."""

    def __init__(self, start: Tensor, transitions: Tensor, end: Tensor) -> None:
        nn.Module.__init__(self)  # CRF's own would draw parameters from the global random generator
        self.num_tags, self.batch_first = len(start), True
        self.start_transitions, self.transitions, self.end_transitions = start, transitions, end


def _without_padding(emissions: Tensor, mask: Tensor) -> Tensor:
    """Emissions with zeros on padding: torchcrf multiplies by the mask, and 0 * inf would not be 0."""
    return emissions.masked_fill(~mask.unsqueeze(2), 0.0)


def _checked_mask(emissions: Tensor, lengths: Tensor) -> Tensor:
    """True where there is a token (B, T); refuses lengths out of range, as the kernels do themselves."""
    tokens = emissions.shape[1]
    if int(lengths.min()) < 1 or int(lengths.max()) > tokens:
        raise ValueError(f"expected lengths from 1 to {tokens}, got {int(lengths.min())} to {int(lengths.max())}")
    return token_mask(lengths, tokens)


def _checked_tags(tags: Tensor, mask: Tensor, count: int) -> Tensor:
    """Tags with 0 on padding; refuses those out of range, as the kernels do themselves."""
    tags = tags.masked_fill(~mask, 0)
    if int(tags.min()) < 0 or int(tags.max()) >= count:
        raise ValueError(f"expected tags from 0 to {count - 1}, got {int(tags.min())} to {int(tags.max())}")
    return tags


def _check(emissions: Tensor, lengths: Tensor, tables: tuple[Tensor, ...], tags: Tensor | None = None) -> None:
    """Raise ValueError, with what was expected and what came, unless the arguments fit together."""
    if emissions.ndim != 3 or 0 in emissions.shape:
        raise ValueError(f"expected emissions of shape (B, T, K), each at least 1, got {tuple(emissions.shape)}")
    if not emissions.is_floating_point():
        raise ValueError(f"expected emissions of a floating type, got {emissions.dtype}")
    batch, tokens, count = emissions.shape
    start, transitions, end = tables
    for name, tensor, shape, dtype in (
        ("start", start, (count,), emissions.dtype),
        ("transitions", transitions, (count, count), emissions.dtype),
        ("end", end, (count,), emissions.dtype),
        ("lengths", lengths, (batch,), torch.int64),
        ("tags", tags, (batch, tokens), torch.int64),
    ):
        if tensor is None:
            continue
        if tensor.device != emissions.device:
            raise ValueError(f"expected {name} on {emissions.device}, where the emissions are, got {tensor.device}")
        if tensor.shape != shape or tensor.dtype != dtype:
            raise ValueError(
                f"expected {name} of shape {shape} and type {dtype}, got {tuple(tensor.shape)} {tensor.dtype}"
            )
