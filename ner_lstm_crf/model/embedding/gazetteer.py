"""Vectors of what a token is of the names of lists."""

from __future__ import annotations

from torch import Tensor

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.features.gazetteer import NameLists
from ner_lstm_crf.model.embedding.feature_module import ContextModule
from ner_lstm_crf.model.embedding.table import EmbeddingTable


class GazetteerVectors(ContextModule):
    """The vectors of each token's parts in names, those of the lists side by side.

    Args:
        table: The vectors.
        lists: Number of lists.
    """

    def __init__(self, table: EmbeddingTable, lists: int) -> None:
        super().__init__()
        self.table, self.size = table, lists * table.size

    @classmethod
    def build(cls, names: NameLists, config: ModelConfig) -> GazetteerVectors:
        """The module for these lists."""
        return cls(EmbeddingTable(names.rows, config.gazetteer_size), len(names.lists))

    def forward(self, names: Tensor) -> Tensor:
        """The vectors of parts in names (B, T, lists): (B, T, D)."""
        vectors: Tensor = self.table(names.flatten())
        return vectors.view(*names.shape[:2], self.size)
