"""Heads, which turn emissions into tags: a CRF, or a softmax at each token.

Why put a CRF after the LSTM, when a classifier could pick a tag per token? Both score a tag by its emission. The
softmax then normalises over the K tags of each token alone, so nothing stops it from writing `O E-PER`. The CRF adds
a score for each transition from one tag to the next and normalises over all sequences, so transitions that the scheme
forbids hold no probability, in training as in decoding, and the tags of an entity are chosen together.

A CRF whose transition scores are all zero and all allowed *is* the softmax head: the sum over all sequences falls apart
into a product over tokens, so loss, decoding and marginals are the same.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from ner_lstm_crf.crf import FORBIDDEN, ScoreTables, marginals, viterbi
from ner_lstm_crf.model import crf
from ner_lstm_crf.model.crf import token_mask


class Head(nn.Module, ABC):
    """The last part of a network. Emissions are (B, T, K), lengths (B,) and at least 1."""

    @abstractmethod
    def loss(self, emissions: Tensor, tags: Tensor, lengths: Tensor) -> Tensor:
        """Negative log-likelihood of each sentence's tags (B, T), in nats (B,); differentiable."""

    @abstractmethod
    def partial_loss(self, emissions: Tensor, allowed: Tensor, lengths: Tensor) -> Tensor:
        """Negative log-likelihood that each token has one of its allowed tags, in nats (B,); differentiable.

        The probability of all tag sequences that fit what is known (Tsuboi et al. 2008, Training conditional random
        fields using incomplete annotations). Where all is known it is that of the gold tags.

        Args:
            emissions: (B, T, K).
            allowed: True for the tags that each token may have (B, T, K), one or more; all True beyond the lengths.
            lengths: (B,).
        """

    def taught_loss(self, emissions: Tensor, tags: Tensor, transitions: Tensor, lengths: Tensor) -> Tensor:
        """Cross-entropy of the distribution over sequences to that of a teacher, in nats (B,); differentiable.

        That is -score + log Z, expected by the teacher. A score is a sum over emissions and transitions, so the
        numbers that the teacher expects of each are all it takes (Wang et al. 2020, Structure-level knowledge
        distillation for multilingual sequence labeling; Wang et al. 2021, Structural knowledge distillation). Its
        gradients are what the head expects, less what the teacher does.

        Args:
            emissions: (B, T, K).
            tags: The teacher's distribution over the tags of each token (B, T, K), 0 beyond the lengths.
            transitions: How often the teacher expects a tag after another, [from, to], in each sentence (B, K, K).
            lengths: (B,).
        """
        start, between, end = self.scores()
        last = tags[torch.arange(len(tags), device=tags.device), lengths - 1]  # (B, K)
        expected = (
            (emissions * tags).sum((1, 2)) + (between * transitions).sum((1, 2)) + tags[:, 0] @ start + last @ end
        )
        return self.log_partition(emissions, lengths) - expected

    def token_losses(self, emissions: Tensor, allowed: Tensor, lengths: Tensor) -> Tensor:
        """Negative log of the probability that a token has one of its allowed tags, each by itself (B, T).

        Zero beyond the lengths; differentiable. Arguments are as those of `partial_loss`.
        """
        return _token_losses(crf.log_marginals(emissions, lengths, *self.scores()), allowed, lengths)

    @abstractmethod
    def scores(self) -> tuple[Tensor, Tensor, Tensor]:
        """Scores of the start (K,), of transitions from row to column (K, K), of the end (K,); -1e4 if forbidden."""

    def log_partition(self, emissions: Tensor, lengths: Tensor, allowed: Tensor | None = None) -> Tensor:
        """Log of the sum over all paths, or over those of allowed tags (B, T, K), (B,); see `crf.log_partition`."""
        return crf.log_partition(emissions, lengths, *self.scores(), allowed)

    def tables(self) -> ScoreTables:
        """The scores as arrays, for all that `ner_lstm_crf.crf` computes of them; a copy."""
        return ScoreTables(*(scores.detach().cpu().numpy().copy() for scores in self.scores()))

    def decode(self, emissions: Tensor, lengths: Tensor) -> Tensor:
        """Tags of the best sequence (Viterbi 1967) (B, T), zero beyond the lengths."""
        best = viterbi(emissions.detach().cpu().numpy(), lengths.cpu().numpy(), self.tables())
        return torch.from_numpy(best).to(emissions.device)

    def marginals(self, emissions: Tensor, lengths: Tensor) -> Tensor:
        """Distribution over tags of each token, summed over all sequences (forward-backward) (B, T, K)."""
        found = marginals(emissions.detach().cpu().numpy(), lengths.cpu().numpy(), self.tables())
        return torch.from_numpy(found).to(emissions.device)


class SoftmaxHead(Head):
    """Each token by itself: p(tag | token) = softmax of its emissions.

    Args:
        tags: The number of tags K.
    """

    no_scores: Tensor

    def __init__(self, tags: int) -> None:
        super().__init__()
        self.register_buffer("no_scores", torch.zeros(tags, tags), persistent=False)

    def scores(self) -> tuple[Tensor, Tensor, Tensor]:
        """Zeros: a CRF with these is a softmax at each token."""
        return self.no_scores[0], self.no_scores, self.no_scores[0]

    def loss(self, emissions: Tensor, tags: Tensor, lengths: Tensor) -> Tensor:
        """Negative log-likelihood of each sentence's tags, the sum over its tokens (B,)."""
        scores = emissions.log_softmax(-1).gather(2, tags.unsqueeze(2)).squeeze(2)  # (B, T)
        return -scores.masked_fill(~token_mask(lengths, scores.shape[1]), 0).sum(1)

    def partial_loss(self, emissions: Tensor, allowed: Tensor, lengths: Tensor) -> Tensor:
        """Negative log-likelihood that each token has one of its allowed tags, summed over tokens (B,)."""
        return self.token_losses(emissions, allowed, lengths).sum(1)

    def token_losses(self, emissions: Tensor, allowed: Tensor, lengths: Tensor) -> Tensor:
        """Negative log of the sum of the softmax over the allowed tags of each token (B, T)."""
        return _token_losses(emissions.log_softmax(-1), allowed, lengths)


class CrfHead(Head):
    """A linear-chain conditional random field (Lafferty, McCallum and Pereira 2001).

    score(tags) = start[y1] + sum of emissions[t, yt] + sum of transitions[yt, yt+1] + end[yT]

    Args:
        start: True for the tags that may start a sentence (K,).
        transitions: True if the tag of the column may follow that of the row (K, K).
        end: True for the tags that may end a sentence (K,).
        labelwise: Train on the sum of each token's log marginal (Kakade, Teh and Roweis 2002) instead of the
            log-likelihood of the sequence.
    """

    start_allowed: Tensor
    transitions_allowed: Tensor
    end_allowed: Tensor

    def __init__(self, start: Tensor, transitions: Tensor, end: Tensor, *, labelwise: bool = False) -> None:
        super().__init__()
        tags = len(start)
        self.start_transitions = nn.Parameter(torch.empty(tags).uniform_(-0.1, 0.1))
        self.transitions = nn.Parameter(torch.empty(tags, tags).uniform_(-0.1, 0.1))
        self.end_transitions = nn.Parameter(torch.empty(tags).uniform_(-0.1, 0.1))
        self.register_buffer("start_allowed", start, persistent=False)
        self.register_buffer("transitions_allowed", transitions, persistent=False)
        self.register_buffer("end_allowed", end, persistent=False)
        self.labelwise = labelwise

    def scores(self) -> tuple[Tensor, Tensor, Tensor]:
        """Scores of the start (K,), of transitions from row to column (K, K), of the end (K,); -1e4 if forbidden."""
        return (
            self.start_transitions.masked_fill(~self.start_allowed, FORBIDDEN),
            self.transitions.masked_fill(~self.transitions_allowed, FORBIDDEN),
            self.end_transitions.masked_fill(~self.end_allowed, FORBIDDEN),
        )

    def loss(self, emissions: Tensor, tags: Tensor, lengths: Tensor) -> Tensor:
        """Negative log-likelihood of each sentence's tags, of the sequence or label by label (B,)."""
        likelihood = crf.labelwise_log_likelihood if self.labelwise else crf.log_likelihood
        return -likelihood(emissions, tags, lengths, *self.scores())

    def taught_loss(self, emissions: Tensor, tags: Tensor, transitions: Tensor, lengths: Tensor) -> Tensor:
        """See `Head.taught_loss`; with the label-wise loss the sum of the cross-entropies of the tokens' marginals."""
        if not self.labelwise:
            return super().taught_loss(emissions, tags, transitions, lengths)
        return -(crf.log_marginals(emissions, lengths, *self.scores()) * tags).sum((1, 2))

    def partial_loss(self, emissions: Tensor, allowed: Tensor, lengths: Tensor) -> Tensor:
        """Negative log-likelihood that all tags are among the allowed ones, or each of them by itself (B,)."""
        if self.labelwise:
            return self.token_losses(emissions, allowed, lengths).sum(1)
        return self.log_partition(emissions, lengths) - self.log_partition(emissions, lengths, allowed)


def _token_losses(log_probabilities: Tensor, allowed: Tensor, lengths: Tensor) -> Tensor:
    """Negative log of the probability of the allowed tags (B, T, K) of each token (B, T), zero beyond the lengths."""
    of_allowed = log_probabilities.masked_fill(~allowed, FORBIDDEN).logsumexp(2)
    return -of_allowed.masked_fill(~token_mask(lengths, of_allowed.shape[1]), 0)
