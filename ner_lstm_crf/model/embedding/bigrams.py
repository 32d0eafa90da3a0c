"""Vectors of pairs of neighbouring characters."""

from __future__ import annotations

from torch import Tensor

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.features.bigrams import Bigrams
from ner_lstm_crf.features.vocabulary import UNKNOWN
from ner_lstm_crf.model.embedding.feature_module import ContextModule, drawn
from ner_lstm_crf.model.embedding.table import EmbeddingTable


class BigramVectors(ContextModule):
    """The vectors of the two pairs of each token, side by side.

    Args:
        table: The vectors of pairs.
        dropout: Share of pairs in training that are taken for the unknown one.
    """

    def __init__(self, table: EmbeddingTable, dropout: float) -> None:
        super().__init__()
        self.table, self.dropout, self.size = table, dropout, 2 * table.size

    @classmethod
    def build(cls, bigrams: Bigrams, config: ModelConfig) -> BigramVectors:
        """The module for these pairs."""
        return cls(EmbeddingTable(len(bigrams.vocabulary), config.bigram_size), config.bigram_dropout)

    def forward(self, bigrams: Tensor) -> Tensor:
        """The vectors of pairs (B, T, 2): (B, T, D)."""
        if self.training and self.dropout:
            dropped = drawn(bigrams, self.dropout, self.generator)
            bigrams = bigrams.masked_fill(dropped, UNKNOWN)
        vectors: Tensor = self.table(bigrams.flatten())
        return vectors.view(*bigrams.shape[:2], self.size)
