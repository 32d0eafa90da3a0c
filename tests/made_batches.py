"""Batches of made-up numbers, and networks that read them: ids without strings."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.model.embedding.bigrams import BigramVectors
from ner_lstm_crf.model.embedding.characters import CharCnn
from ner_lstm_crf.model.embedding.feature_module import FeatureModule, IdVectors
from ner_lstm_crf.model.embedding.lexicon import LexiconVectors
from ner_lstm_crf.model.embedding.table import EmbeddingTable
from ner_lstm_crf.model.embedding.token_embedding import TensorBatch, TokenEmbedding
from ner_lstm_crf.model.embedding.word import WordVectors
from ner_lstm_crf.model.network import Network

__all__ = ["drawn_table", "made_network", "padded"]

MakeBatch = Callable[..., TensorBatch]


@pytest.fixture(scope="session")
def make_batch() -> MakeBatch:
    """Makes a batch of sentences of word ids, the characters and casing of a word being a function of its id.

    Word `w` has `1 + w % 4` characters, all `1 + w % 6`, and casing `w % 5`.
    """

    def make(
        sentences: Sequence[Sequence[int]], *, gap: int = 1, tags: Sequence[Sequence[int]] | None = None
    ) -> TensorBatch:
        words = sorted({word for sentence in sentences for word in sentence})
        spelled = [[1 + word % 6] * (1 + word % 4) for word in words]
        characters = torch.tensor([character for word in spelled for character in [*word, *[0] * gap]])
        return TensorBatch(
            tokens=padded([[words.index(word) for word in sentence] for sentence in sentences]),
            lengths=torch.tensor([len(sentence) for sentence in sentences]),
            inputs={
                "word": torch.tensor(words),
                "casing": torch.tensor([word % 5 for word in words]),
                "characters": (characters, torch.tensor([len(word) for word in spelled])),
            },
            tags=None if tags is None else padded(tags),
        )

    return make


def padded(rows: Sequence[Sequence[int]]) -> torch.Tensor:
    """Rows of unlike length, filled up with zeros."""
    longest = max(len(row) for row in rows)
    return torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows])


def drawn_table(rows: int, size: int, frozen: int = 0) -> EmbeddingTable:
    """A table with random vectors, also frozen ones."""
    table = EmbeddingTable(rows, size, torch.randn(frozen, size).half() if frozen else None)
    table.draw()
    return table


def made_network(**shape: object) -> Network:
    """A network for such batches in evaluation mode: ids 0 to 9 are trainable words and 10 to 14 frozen, 4 tags.

    Where tokens are characters it reads bigrams 0 to 8 (unless `bigram_size` is 0) and words 0 to 5 of a lexicon.
    """
    torch.manual_seed(0)
    sizes = {"char_size": 4, "char_filters": 5, "casing_size": 3, "hidden_size": 6}
    config = ModelConfig(**(sizes | shape))  # type: ignore[arg-type]
    modules: dict[str, FeatureModule] = {"word": WordVectors(drawn_table(10, 8, frozen=5), config.word_dropout)}
    if config.casing_size:
        modules["casing"] = IdVectors(13, config.casing_size)
    if config.char_filters:
        modules["characters"] = CharCnn(
            7, size=4, filters=config.char_filters, widths=config.char_widths, dropout=config.char_dropout
        )
    if config.token_unit == "character" and config.bigram_size:
        modules["bigrams"] = BigramVectors(drawn_table(9, config.bigram_size), config.bigram_dropout)
        modules["lexicon"] = LexiconVectors(drawn_table(6, config.lexicon_size), torch.arange(6), 0.0)
    everything = torch.ones(4, 4, dtype=torch.bool)
    network = Network.build(config, TokenEmbedding(modules), (everything[0], everything, everything[0].clone()))
    with torch.no_grad():
        for scores in network.head.parameters():
            scores.normal_()
    return network.eval()
