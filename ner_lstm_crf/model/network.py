"""The whole network: embedding, encoder, emissions, head."""

from __future__ import annotations

from torch import Tensor, nn

from ner_lstm_crf.features.batch import Batch
from ner_lstm_crf.features.embedding import TokenEmbedding
from ner_lstm_crf.model.bilstm import BiLstm
from ner_lstm_crf.model.heads import Head

__all__ = ["Network"]


class Network(nn.Module):
    """A batch of sentences to tags.

    Args:
        embedding: What is known of each token (B, T, D).
        encoder: The same in its context (B, T, 2 H).
        projection: How well each tag suits each token by itself (B, T, K).
        head: Turns these emissions into a loss, tags or marginals.
    """

    def __init__(self, embedding: TokenEmbedding, encoder: BiLstm, projection: nn.Linear, head: Head) -> None:
        super().__init__()
        self.embedding = embedding
        self.encoder = encoder
        self.projection = projection
        self.head = head

    @property
    def members(self) -> tuple[Network, ...]:
        """Itself: it is one where an `Ensemble` is several."""
        return (self,)

    def emissions(self, batch: Batch) -> Tensor:
        """How well each tag suits each token by itself (B, T, K)."""
        return self.emissions_of(self.embedding(batch), batch.lengths)

    def emissions_of(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """How well each tag suits each token (B, T, K), given the tokens' vectors (B, T, D) and the lengths (B,)."""
        encoded = self.encoder(vectors, lengths)  # (B, T, 2 H)
        projected: Tensor = self.projection(encoded)
        return projected

    def loss(self, batch: Batch) -> Tensor:
        """The negative log-likelihood of each sentence's gold tags, in nats (B,).

        Raises:
            ValueError: If the batch has no gold tags.
        """
        return self.loss_of(self.embedding(batch), batch)

    def loss_of(self, vectors: Tensor, batch: Batch) -> Tensor:
        """The same, given the vectors of the batch's tokens (B, T, D)."""
        if batch.tags is None:
            raise ValueError("expected a batch with gold tags, got none")
        return self.head.loss(self.emissions_of(vectors, batch.lengths), batch.tags, batch.lengths)

    def decode(self, batch: Batch) -> Tensor:
        """The best tag of each token (B, T), zero beyond the lengths."""
        return self.head.decode(self.emissions(batch), batch.lengths)

    def marginals(self, batch: Batch) -> Tensor:
        """Each token's distribution over tags (B, T, K), zero beyond the lengths."""
        return self.head.marginals(self.emissions(batch), batch.lengths)
