"""The linear-chain CRF in plain torch, on any device: the path that always works and the oracle of the fast one.

Values and decoding come from pytorch-crf (`torchcrf.CRF`), which is small, well tested and slow. Sums over single
tokens, which it does not offer, are written out below as forward-backward in log space.

Letters: B sentences, T tokens of the longest one, K tags. Arguments are as `ner_lstm_crf.model.crf` describes and
checks them; nothing on padding is read, whatever it holds.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from torchcrf import CRF

__all__ = ["log_likelihood", "labelwise_log_likelihood", "marginals", "viterbi"]


class _GivenScores(CRF):  # type: ignore[misc]
    """torchcrf.CRF as a function of its score tables: the tables are given tensors, not parameters of its own."""

    def __init__(self, start: Tensor, transitions: Tensor, end: Tensor) -> None:
        nn.Module.__init__(self)  # CRF's own would draw parameters from the global random generator
        self.num_tags, self.batch_first = len(start), True
        self.start_transitions, self.transitions, self.end_transitions = start, transitions, end


def log_likelihood(
    emissions: Tensor, tags: Tensor, lengths: Tensor, start: Tensor, transitions: Tensor, end: Tensor
) -> Tensor:
    """Return the log-probability of each sentence's tags (B,); differentiable in emissions and score tables."""
    mask = _mask(emissions, lengths)  # (B, T)
    scores = _GivenScores(start, transitions, end)
    tags = _within(tags, mask, emissions.shape[2])
    likelihood: Tensor = scores(_without_padding(emissions, mask), tags, mask=mask, reduction="none")
    return likelihood


def labelwise_log_likelihood(
    emissions: Tensor, tags: Tensor, lengths: Tensor, start: Tensor, transitions: Tensor, end: Tensor
) -> Tensor:
    """Return per sentence the sum over its tokens of the log marginal of the given tag (B,); differentiable."""
    mask = _mask(emissions, lengths)
    log_marginals = _log_marginals(_without_padding(emissions, mask), mask, start, transitions, end)
    given = log_marginals.gather(2, _within(tags, mask, emissions.shape[2]).unsqueeze(2)).squeeze(2)  # (B, T)
    return given.masked_fill(~mask, 0.0).sum(1)


def marginals(emissions: Tensor, lengths: Tensor, start: Tensor, transitions: Tensor, end: Tensor) -> Tensor:
    """Return each token's distribution over tags (B, T, K), 0 on padding; takes no part in autograd."""
    with torch.no_grad():
        mask = _mask(emissions, lengths)
        log_marginals = _log_marginals(_without_padding(emissions, mask), mask, start, transitions, end)
        return log_marginals.exp().masked_fill(~mask.unsqueeze(2), 0.0)


def viterbi(emissions: Tensor, lengths: Tensor, start: Tensor, transitions: Tensor, end: Tensor) -> Tensor:
    """Return each sentence's best tag path (B, T) int64, 0 on padding; ties go to the lower tag."""
    with torch.no_grad():
        mask = _mask(emissions, lengths)
        paths = _GivenScores(start, transitions, end).decode(_without_padding(emissions, mask), mask=mask)
        best = pad_sequence([torch.tensor(path) for path in paths], batch_first=True)  # (B, longest)
        best = nn.functional.pad(best, (0, emissions.shape[1] - best.shape[1]))
        return best.to(emissions.device)


def _mask(emissions: Tensor, lengths: Tensor) -> Tensor:
    """Return which positions hold a token (B, T) bool; refuse lengths out of range."""
    tokens = emissions.shape[1]
    if int(lengths.min()) < 1 or int(lengths.max()) > tokens:
        raise ValueError(f"expected lengths from 1 to {tokens}, got {int(lengths.min())} to {int(lengths.max())}")
    return torch.arange(tokens, device=emissions.device) < lengths.to(emissions.device).unsqueeze(1)


def _within(tags: Tensor, mask: Tensor, count: int) -> Tensor:
    """Return the tags with 0 on padding; refuse those out of range."""
    tags = tags.masked_fill(~mask, 0)
    if int(tags.min()) < 0 or int(tags.max()) >= count:
        raise ValueError(f"expected tags from 0 to {count - 1}, got {int(tags.min())} to {int(tags.max())}")
    return tags


def _without_padding(emissions: Tensor, mask: Tensor) -> Tensor:
    """Return emissions with zeros on padding: torchcrf multiplies by the mask, and 0 * inf would not be 0."""
    return emissions.masked_fill(~mask.unsqueeze(2), 0.0)


def _log_marginals(emissions: Tensor, mask: Tensor, start: Tensor, transitions: Tensor, end: Tensor) -> Tensor:
    """Return log p(tag of token t is k) (B, T, K), differentiable; anything finite on padding."""
    forward = _forward(emissions, mask, start, transitions)
    backward = _backward(emissions, mask, transitions, end)
    return torch.log_softmax(torch.stack(forward, 1) + torch.stack(backward, 1), 2)


def _forward(emissions: Tensor, mask: Tensor, start: Tensor, transitions: Tensor) -> list[Tensor]:
    """Sum over all beginnings: for each t the log of all paths up to t that end in tag k (B, K), up to an offset.

    Each message is shifted so that its maximum is 0, lest a long sentence's sums swallow the digits in which tags
    differ; the shifts are constants to autograd. On padding a message stays what it was.
    """
    messages: list[Tensor] = []
    for t in range(emissions.shape[1]):
        if t == 0:
            message = start + emissions[:, 0]
        else:  # (B, from, 1) + (from, to) summed over from
            message = torch.logsumexp(messages[-1].unsqueeze(2) + transitions, 1) + emissions[:, t]
            message = torch.where(mask[:, t, None], message, messages[-1])
        messages.append(message - message.detach().amax(1, keepdim=True))
    return messages


def _backward(emissions: Tensor, mask: Tensor, transitions: Tensor, end: Tensor) -> list[Tensor]:
    """Sum over all endings: for each t the log of all paths from tag k at t to the end (B, K), up to an offset."""
    message = end.expand(len(emissions), -1)
    messages = [message]
    for t in range(emissions.shape[1] - 1, 0, -1):  # (B, 1, to) + (from, to) summed over to
        longer = torch.logsumexp((message + emissions[:, t]).unsqueeze(1) + transitions, 2)
        message = torch.where(mask[:, t, None], longer, message)
        message = message - message.detach().amax(1, keepdim=True)
        messages.append(message)
    return messages[::-1]
