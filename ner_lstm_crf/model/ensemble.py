"""Several networks as one: the mean of what they say."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn

from ner_lstm_crf.features.batch import Batch
from ner_lstm_crf.model.heads import Head
from ner_lstm_crf.model.network import Network

__all__ = ["Ensemble"]


class Ensemble(nn.Module):
    """Networks for the same words and tags that were trained apart, each of which makes mistakes of its own.

    Their emissions are averaged, and so are their transition scores. A path's score is a sum of these, so it becomes
    the mean of what the members give it, and the distribution over paths the geometric mean of theirs, normalised: a
    logarithmic opinion pool (Smith, Cohn and Osborne 2005, Logarithmic opinion pools for conditional random fields).
    It is not trained, and follows no later change of its members' heads; the word vectors in reserve and a frozen
    transformer, the same in all, are held once.

    Args:
        members: The networks, with heads of one kind; they are no longer trained either.

    Raises:
        ValueError: If there are none, or they differ in what all should have in common.
    """

    def __init__(self, members: Sequence[Network]) -> None:
        super().__init__()
        if not members:
            raise ValueError("expected at least one network, got none")
        for other in members[1:]:
            _share(members[0], other)
        self._members = nn.ModuleList(members)
        self.head = _mean_head([member.head for member in members])
        self.requires_grad_(False)

    @property
    def members(self) -> tuple[Network, ...]:
        """The networks."""
        return tuple(member for member in self._members if isinstance(member, Network))

    def emissions(self, batch: Batch) -> Tensor:
        """How well each tag suits each token by itself, the mean over the members (B, T, K)."""
        return torch.stack([member.emissions(batch) for member in self.members]).mean(0)

    def decode(self, batch: Batch) -> Tensor:
        """The best tag of each token (B, T), zero beyond the lengths."""
        return self.head.decode(self.emissions(batch), batch.lengths)

    def marginals(self, batch: Batch) -> Tensor:
        """Each token's distribution over tags (B, T, K), zero beyond the lengths."""
        return self.head.marginals(self.emissions(batch), batch.lengths)


def _share(first: Network, other: Network) -> None:
    """Let a network have the reserve of word vectors and the transformer of another, which are the same as its own."""
    mine, theirs = first.embedding.word, other.embedding.word
    if mine.trained.shape != theirs.trained.shape or not _same(mine.reserve, theirs.reserve):
        raise ValueError("expected networks with the same words and reserve of word vectors, got others")
    theirs.reserve = mine.reserve
    if first.embedding.contextual is None or other.embedding.contextual is None:
        return
    transformer = first.embedding.contextual.transformer
    if transformer.fine_tune:
        raise ValueError("expected networks with a frozen transformer, got one that is trained")
    other.embedding.contextual.transformer = transformer


def _same(one: Tensor, other: Tensor) -> bool:
    return one is other or torch.equal(one, other)


def _mean_head(heads: Sequence[Head]) -> Head:
    """A head whose weights are the mean of theirs."""
    head = deepcopy(heads[0])
    with torch.no_grad():
        for name, weight in head.named_parameters():
            weight.copy_(torch.stack([other.get_parameter(name) for other in heads]).mean(0))
    return head
