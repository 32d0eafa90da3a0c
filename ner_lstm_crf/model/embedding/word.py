"""Word vectors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.features.vocabulary import FIRST, UNKNOWN
from ner_lstm_crf.features.word import Words
from ner_lstm_crf.model.embedding.feature_module import FeatureModule, TypeModule, drawn
from ner_lstm_crf.model.embedding.table import EmbeddingTable


class WordVectors(TypeModule):
    """Word vectors, in training with word dropout.

    Args:
        table: The vectors.
        dropout: Share of tokens in training whose word is taken for the unknown one (Lample et al. 2016).
    """

    def __init__(self, table: EmbeddingTable, dropout: float) -> None:
        super().__init__()
        self.table, self.dropout, self.size = table, dropout, table.size

    @classmethod
    def build(cls, words: Words, config: ModelConfig) -> WordVectors:
        """The module for these words."""
        frozen = None if words.frozen is None else torch.from_numpy(words.frozen)
        return cls(EmbeddingTable(words.first_frozen, config.word_size, frozen), config.word_dropout)

    def initialise(self, words: Words) -> None:
        """Draw the vectors of the trainable words, but for those that are pretrained."""
        self.table.draw()
        if words.pretrained is not None:
            ids, vectors = map(torch.from_numpy, words.pretrained)
            self.table.trainable.data[ids] = vectors
            self.table.pretrained[ids] = True

    def forward(self, words: Tensor) -> Tensor:
        """The vectors of word ids (W,): (W, D)."""
        vectors: Tensor = self.table(words)
        return vectors

    def at_tokens(self, words: Tensor, tokens: Tensor) -> Tensor:
        """The vectors of tokens (B, T, D), given the ids of words (W,) and the word of each token (B, T)."""
        if self.training and self.dropout:  # the unknown word is one more word of the batch
            dropped = drawn(tokens, self.dropout, self.generator)
            tokens = tokens.masked_fill(dropped, len(words))
            words = torch.cat([words, words.new_tensor([UNKNOWN])])
        return nn.functional.embedding(tokens, self.table(words))

    def start_from(self, other: FeatureModule) -> None:
        """Take over the vectors of padding and of the unknown word; `Words.extended` keeps those of all others."""
        with torch.no_grad():
            self.table.trainable[:FIRST] = other.get_parameter("table.trainable")[:FIRST]
