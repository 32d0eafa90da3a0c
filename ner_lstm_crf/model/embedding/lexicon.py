"""Vectors of the words of a lexicon."""

from __future__ import annotations

import torch
from torch import Tensor

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.features.lexicon import Lexicon
from ner_lstm_crf.model.embedding.feature_module import ContextModule, drawn
from ner_lstm_crf.model.embedding.table import EmbeddingTable


class LexiconVectors(ContextModule):
    """The vectors of the three words of a lexicon that begin at a character, go on over it and end at it, side by side.

    A word's vector is the sum of what it shares with words of its length and category, and of what is its own.

    Args:
        table: The vectors of both.
        shared: The row that each row shares with others, itself for one that is shared; of trainable rows, then of
            frozen ones (V + R,).
        dropout: Probability in training that a word falls back to the vector of its length and category.
    """

    shared: Tensor

    def __init__(self, table: EmbeddingTable, shared: Tensor, dropout: float) -> None:
        super().__init__()
        self.table, self.dropout, self.size = table, dropout, 3 * table.size
        self.register_buffer("shared", shared, persistent=False)

    @classmethod
    def build(cls, lexicon: Lexicon, config: ModelConfig) -> LexiconVectors:
        """The module for these words."""
        shared = torch.from_numpy(lexicon.shared_rows())
        frozen = None if lexicon.frozen is None else torch.from_numpy(lexicon.frozen)
        rows = lexicon.first_own + lexicon.trainable
        return cls(EmbeddingTable(rows, config.lexicon_size, frozen), shared, config.lexicon_dropout)

    def initialise(self, lexicon: Lexicon) -> None:
        """Draw the vectors that words share; of its own a word has its pretrained vector at first, or nothing."""
        self.table.draw()
        self.table.trainable.data[lexicon.first_own :] = 0
        if lexicon.pretrained is not None:
            words, vectors = map(torch.from_numpy, lexicon.pretrained)
            self.table.trainable.data[lexicon.first_own + words] = vectors
            self.table.pretrained[lexicon.first_own + words] = True

    def forward(self, words: Tensor) -> Tensor:
        """The vectors of words (B, T, 3): (B, T, D)."""
        shared = self.shared[words]
        own = words != shared
        if self.training and self.dropout:
            own &= ~drawn(words, self.dropout, self.generator)
        vectors: Tensor = self.table(shared.flatten()) + self.table(words.flatten()) * own.reshape(-1, 1)
        return vectors.view(*words.shape[:2], self.size)

    def table_ids(self, words: Tensor) -> Tensor:
        """The rows of words, and those that they share."""
        return torch.cat([words.flatten(), self.shared[words.flatten()]])
