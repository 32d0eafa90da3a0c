"""What training minimizes: the loss of the head on what is known, and what is asked beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from ner_lstm_crf.crf.sums import expected_counts
from ner_lstm_crf.model.crf import token_mask
from ner_lstm_crf.model.embedding.token_embedding import TensorBatch
from ner_lstm_crf.model.heads import Head

RATIO_MARGIN = 0.1
"""The share of the expected entity ratio that a batch may differ from it at no cost."""

RATIO_WEIGHT = 1.0
"""The weight of a token's share of the difference beyond, beside its loss in nats."""


@dataclass(frozen=True, slots=True, eq=False)
class StartingNetwork:
    """The network that training started from: how probable it takes each of the tag sequences that fit what is known.

    Attributes:
        head: Its head.
        emissions: Gives the emissions of a batch (B, T, K).
    """

    head: Head
    emissions: Callable[[TensorBatch], Tensor]

    def losses(self, head: Head, emissions: Tensor, batch: TensorBatch, allowed: Tensor) -> Tensor:
        """The cross-entropy of the distribution of a head to this one, over the sequences that fit (B,).

        Distillation of whole sequences, restricted to what is not known (Monaikul et al. 2021, Continual learning for
        named entity recognition); see `Head.taught_loss`.

        Args:
            head: The head that learns.
            emissions: Its emissions (B, T, K).
            batch: The sentences.
            allowed: True for the tags that each token may have (B, T, K).
        """
        with torch.no_grad():
            own = self.emissions(batch).numpy(force=True)
        expected = expected_counts(own, batch.lengths.numpy(force=True), self.head.tables(), allowed.numpy(force=True))
        tags, transitions = (torch.from_numpy(counts).to(emissions.device) for counts in expected)
        return head.taught_loss(emissions, tags, transitions, batch.lengths)


@dataclass(frozen=True, slots=True, eq=False)
class Objective:
    """The loss of a batch.

    Attributes:
        costs: What it costs to take a tag for another, [gold, taken] (K, K), 0 where they are equal; it is added to the
            emissions in training, so that costly mistakes are to be less probable by that much (softmax-margin, Gimpel
            and Smith 2010, Softmax-margin CRFs). None for none.
        weights: The weight of the loss of a token by its gold tag (K,), 1 for a token that is not known; None for equal
            weights. Only for losses that are a sum over tokens.
        entity_ratio: The share of tokens in entities, to which that expected of the unknown tokens' sentences is drawn
            (expected entity ratio, Effland and Collins 2021, Partially supervised named entity recognition); 0 for
            none.
        start: The network that tells how probable each tag of unknown tokens is; None if any is as good.
    """

    costs: Tensor | None = None
    weights: Tensor | None = None
    entity_ratio: float = 0.0
    start: StartingNetwork | None = None

    def losses(self, head: Head, emissions: Tensor, batch: TensorBatch) -> Tensor:
        """The loss of each sentence, in nats (B,).

        Args:
            head: The head.
            emissions: (B, T, K).
            batch: The sentences, with gold tags; any for a sentence whose loss is the teacher's alone.

        Raises:
            ValueError: If the batch has no gold tags.
        """
        tags, allowed, lengths = batch.tags, batch.allowed, batch.lengths
        if tags is None:
            raise ValueError("expected a batch with gold tags, got none")
        # 1. What mistakes cost: of a token that is not known, beside the nearest of the tags that it may have.
        scores = emissions
        if self.costs is not None:
            if allowed is None:
                scores = emissions + self.costs[tags]
            else:
                of_each = self.costs.masked_fill(~allowed.unsqueeze(3), float("inf"))  # (B, T, K, K)
                scores = emissions + of_each.amin(2)
        # 2. The loss of what is known.
        if self.weights is not None:
            may_be = one_hot(tags, len(self.weights)).bool() if allowed is None else allowed
            is_known = may_be.sum(2) == 1
            weights = torch.where(is_known, self.weights[may_be.to(torch.uint8).argmax(2)], 1.0)  # (B, T)
            losses = (head.token_losses(scores, may_be, lengths) * weights).sum(1)
        elif allowed is None:
            losses = head.loss(scores, tags, lengths)
        elif self.start is not None:
            losses = self.start.losses(head, scores, batch, allowed)
        else:
            losses = head.partial_loss(scores, allowed, lengths)
        # 3. What a teacher says takes its share.
        if batch.taught is not None:
            of_tags, of_transitions, share = batch.taught
            of_teacher = head.taught_loss(emissions, of_tags, of_transitions, lengths)
            losses = (1 - share) * losses + share * of_teacher
        # 4. The expected share of tokens in entities.
        if self.entity_ratio and allowed is not None:
            outside = torch.zeros_like(allowed)
            outside[:, :, 0] = True
            inside = (1 - (-head.token_losses(emissions, outside, lengths)).exp()) * token_mask(lengths, tags.shape[1])
            difference = (inside.sum() / lengths.sum() - self.entity_ratio).abs()
            penalty = (difference - RATIO_MARGIN * self.entity_ratio).clamp(min=0)
            losses = losses + RATIO_WEIGHT * penalty * lengths
        return losses
