"""The whole network: embedding, encoder, emissions, head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor, nn

from ner_lstm_crf.features.batch import Batch
from ner_lstm_crf.features.flat import FormBatch
from ner_lstm_crf.model.embedding import TokenEmbedding
from ner_lstm_crf.model.encoder import BiLstm
from ner_lstm_crf.model.heads import Head

__all__ = ["Network", "Reader"]

AnyBatch = TypeVar("AnyBatch", Batch, FormBatch)


class Reader(nn.Module):
    """A batch of sentences to emissions.

    Args:
        embedding: What is known of each token (B, T, D).
        encoder: The same in its context (B, T, 2 H).
        projection: How well each tag suits each token by itself (B, T, K).
    """

    def __init__(self, embedding: TokenEmbedding, encoder: BiLstm, projection: nn.Linear) -> None:
        super().__init__()
        self.embedding = embedding
        self.encoder = encoder
        self.projection = projection

    def read(self, batch: Batch) -> Tensor:
        """How well each tag suits each token by itself (B, T, K)."""
        return self.read_vectors(self.embedding(batch), batch.lengths)

    def read_vectors(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """The same of tokens that have these vectors (B, T, D), those of sentences of these lengths (B,)."""
        encoded = self.encoder(vectors, lengths)  # (B, T, 2 H)
        projected: Tensor = self.projection(encoded)
        return projected


class Network(Reader):
    """A batch of sentences to tags.

    Args:
        embedding: See `Reader`.
        encoder: See `Reader`.
        projection: See `Reader`.
        head: Turns emissions into a loss, tags or marginals.
        others: Readers beside this one, with weights of their own but for the reserve of word vectors and the
            transformer, which all share. Each learns to suit the head by itself; what they say is averaged only where
            tags are wanted, so that the mistakes of one are not those of all.
    """

    def __init__(
        self,
        embedding: TokenEmbedding,
        encoder: BiLstm,
        projection: nn.Linear,
        head: Head,
        others: Sequence[Reader] = (),
    ) -> None:
        super().__init__(embedding, encoder, projection)
        self.head = head
        self.others = nn.ModuleList(others)

    @property
    def readers(self) -> tuple[Reader, ...]:
        """This one and the others."""
        return (self, *self.others)

    def emissions(self, batch: Batch) -> Tensor:
        """How well each tag suits each token by itself, the mean of what the readers say (B, T, K)."""
        batch = self.with_contextual(batch)
        return mean([reader.read(batch) for reader in self.readers])

    def loss(self, batch: Batch) -> Tensor:
        """The negative log-likelihood of each sentence's gold tags, in nats, the mean over the readers (B,).

        Raises:
            ValueError: If the batch has no gold tags.
        """
        if batch.tags is None:
            raise ValueError("expected a batch with gold tags, got none")
        tags, batch = batch.tags, self.with_contextual(batch)
        return mean([self.head.loss(reader.read(batch), tags, batch.lengths) for reader in self.readers])

    def decode(self, batch: Batch) -> Tensor:
        """The best tag of each token (B, T), zero beyond the lengths."""
        return self.head.decode(self.emissions(batch), batch.lengths)

    def marginals(self, batch: Batch) -> Tensor:
        """Each token's distribution over tags (B, T, K), zero beyond the lengths."""
        return self.head.marginals(self.emissions(batch), batch.lengths)

    def with_contextual(self, batch: AnyBatch) -> AnyBatch:
        """The batch with what the transformer makes of it, where there is one: it is asked once for all readers."""
        contextual = self.embedding.contextual
        if contextual is None or batch.contextual is not None or batch.subtokens is None:
            return batch
        return replace(batch, contextual=contextual.transformer(batch.subtokens))


def mean(tensors: Sequence[Tensor]) -> Tensor:
    """The mean of what each reader says, which are of one shape."""
    return tensors[0] if len(tensors) == 1 else torch.stack(list(tensors)).mean(0)
