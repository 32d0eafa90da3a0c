"""One network: the vectors of tokens, their context, emissions, head."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.features.batch import Batch
from ner_lstm_crf.model.bilstm import BiLstm
from ner_lstm_crf.model.embedding.token_embedding import TensorBatch, TokenEmbedding
from ner_lstm_crf.model.heads import CrfHead, Head, SoftmaxHead
from ner_lstm_crf.model.losses import Objective


class Network(nn.Module):
    """A batch of sentences to emissions and to a loss.

    Args:
        embedding: The vectors of all features of each token (B, T, D).
        encoder: These in their context (B, T, 2 H).
        projection: Emission scores (B, T, K).
        head: Turns emissions into a loss, tags or marginals.

    Attributes:
        objective: What training minimizes; the loss of the head alone, unless a trainer sets another.
    """

    def __init__(self, embedding: TokenEmbedding, encoder: BiLstm, projection: nn.Linear, head: Head) -> None:
        super().__init__()
        self.embedding = embedding
        self.encoder = encoder
        self.projection = projection
        self.head = head
        self.objective = Objective()

    @classmethod
    def build(
        cls,
        config: ModelConfig,
        embedding: TokenEmbedding,
        allowed: tuple[Tensor, Tensor, Tensor],
        *,
        initialise: bool = True,
    ) -> Network:
        """The network of a configuration, its first weights drawn from torch's random numbers (see `explicit`).

        Args:
            config: The configuration.
            embedding: The token embedding; its weights are drawn already.
            allowed: True for tags that may start a sentence (K,), follow another, [from, to] (K, K), and end one (K,).
            initialise: True to draw the encoder's weights with care; False where saved ones take their place.
        """
        encoder = BiLstm(
            embedding.size,
            config.hidden_size,
            layers=config.layers,
            residual=config.residual,
            dropouts=(config.input_dropout, config.recurrent_dropout, config.output_dropout),
            initialise=initialise,
        )
        # The head draws its numbers last, so that networks of one seed are equal below it, whatever the head.
        tags = len(allowed[0])
        projection = nn.Linear(encoder.size, tags)
        labelwise = config.crf_loss == "labelwise"
        head = SoftmaxHead(tags) if config.head == "softmax" else CrfHead(*allowed, labelwise=labelwise)
        return cls(embedding, encoder, projection, head)

    def draw_from(self, generator: torch.Generator) -> None:
        """Draw the random numbers of dropout from this generator from now on."""
        for module in self.modules():
            if hasattr(module, "generator"):
                module.generator = generator  # type: ignore[assignment]

    def tensors(self, batch: Batch) -> TensorBatch:
        """A batch as tensors on the device of this network, which its other methods read."""
        return self.embedding.tensors(batch, self.projection.weight.device)

    def emissions(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """Emission scores of each token (B, T, K), given the tokens' vectors (B, T, D) and the lengths (B,)."""
        projected: Tensor = self.projection(self.encoder(vectors, lengths))
        return projected

    def loss(self, batch: TensorBatch) -> Tensor:
        """The loss of each sentence in training, in nats (B,), see `Objective`.

        Raises:
            ValueError: If the batch has no gold tags.
        """
        return self.loss_from_vectors(self.embedding(batch), batch)

    def loss_from_vectors(self, vectors: Tensor, batch: TensorBatch) -> Tensor:
        """The same, given the vectors of the batch's tokens (B, T, D)."""
        return self.objective.losses(self.head, self.emissions(vectors, batch.lengths), batch)
