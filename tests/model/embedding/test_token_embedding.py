"""Tables of trainable and frozen rows, and the vectors of all features of a token."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from ner_lstm_crf.model.embedding.characters import CharCnn
from ner_lstm_crf.model.embedding.feature_module import IdVectors
from ner_lstm_crf.model.embedding.table import EmbeddingTable
from ner_lstm_crf.model.embedding.token_embedding import TensorBatch, TokenEmbedding
from ner_lstm_crf.model.embedding.word import WordVectors
from tests.made_batches import drawn_table, made_network

MakeBatch = Callable[..., TensorBatch]
SENTENCES = [[2, 7, 2, 5], [8], [7, 3]]


def test_ids_beyond_the_trainable_rows_read_the_frozen_ones() -> None:
    torch.manual_seed(0)
    table = drawn_table(6, 4, frozen=3)
    found = table(torch.arange(9))
    assert torch.equal(found[:6], table.trainable)
    assert torch.equal(found[6:], table.frozen.float())


def test_no_frozen_rows_are_no_special_case() -> None:
    table = drawn_table(6, 4)
    assert torch.equal(table(torch.tensor([5, 1])), table.trainable[[5, 1]])


def test_gradients_reach_the_trainable_rows_that_are_read_alone() -> None:
    table = drawn_table(6, 4, frozen=3)
    table(torch.tensor([2, 7, 4])).sum().backward()
    assert table.trainable.grad is not None
    assert table.trainable.grad.abs().sum(1).nonzero().flatten().tolist() == [2, 4]  # nor the unknown word's
    assert [name for name, _ in table.named_parameters()] == ["trainable"]
    assert list(table.state_dict()) == ["trainable"]  # frozen rows are saved once for all networks


def test_drawn_rows_are_uniform_and_padding_is_zero() -> None:
    torch.manual_seed(0)
    vectors = drawn_table(2000, 12).trainable.detach()
    assert vectors[0].eq(0).all()
    assert vectors.abs().max().item() == pytest.approx(0.5, abs=1e-3)  # the square root of 3 / 12
    assert vectors[1:].var().item() == pytest.approx(1 / 12, rel=0.03)


def test_each_token_gets_the_parts_of_its_own_word(make_batch: MakeBatch) -> None:
    torch.manual_seed(0)
    word, casing = WordVectors(drawn_table(6, 4, frozen=3), 0.0), IdVectors(13, 3)
    characters = CharCnn(7, size=4, filters=5, widths=(3,), dropout=0.0)
    embedding = TokenEmbedding({"word": word, "casing": casing, "characters": characters})
    vectors = embedding(make_batch(SENTENCES))
    assert vectors.shape == (3, 4, embedding.size) == (3, 4, 4 + 3 + 5)
    for row, sentence in enumerate(SENTENCES):
        for column, number in enumerate(sentence):
            spelled = torch.tensor([1 + number % 6] * (1 + number % 4) + [0])
            alone = [
                word(torch.tensor([number]))[0],
                casing(torch.tensor(number % 5)),
                characters((spelled, torch.tensor([1 + number % 4])))[0],
            ]
            torch.testing.assert_close(vectors[row, column], torch.cat(alone))


def test_word_dropout_leaves_casing_and_characters(make_batch: MakeBatch) -> None:
    embedding = TokenEmbedding({"word": WordVectors(drawn_table(9, 4), 0.5), "casing": IdVectors(13, 3)})
    batch = make_batch([[2, 7] * 50])
    assert torch.equal(embedding.train()(batch)[..., 4:], embedding.eval()(batch)[..., 4:])


def test_the_ids_that_a_batch_reads_are_given_for_each_table() -> None:
    embedding = made_network(token_unit="character", bigram_size=4).embedding
    inputs = {
        "word": torch.tensor([3, 12]),
        "bigrams": torch.tensor([[[1, 2]]]),
        "lexicon": torch.tensor([[[0, 5, 4]]]),
    }
    batch = TensorBatch(torch.zeros(1, 1, dtype=torch.int64), torch.ones(1, dtype=torch.int64), inputs)
    ids = embedding.table_ids(batch)
    assert {name: set(one.tolist()) for name, one in ids.items()} == {
        "word": {3, 12},
        "bigrams": {1, 2},
        "lexicon": {0, 4, 5},
    }
    assert embedding.tables.keys() == ids.keys()
    assert all(isinstance(table, EmbeddingTable) for table in embedding.tables.values())
    assert embedding.tables["word"].trainable_rows(ids["word"]).tolist() == [3, 1]
