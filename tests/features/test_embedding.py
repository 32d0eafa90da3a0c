"""Word vectors that are trained and those that are kept, and what is joined to them for each token."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from ner_lstm_crf.features.char_cnn import CharCnn
from torch import Tensor, nn

from ner_lstm_crf.config import ModelConfig, TrainingConfig
from ner_lstm_crf.features.batch import Batch
from ner_lstm_crf.features.embedding import ContextualInput, TokenEmbedding, WordEmbedding
from ner_lstm_crf.features.vectors.vectors import Vectors
from ner_lstm_crf.features.vocabulary import UNKNOWN
from ner_lstm_crf.saving.model import build_model
from ner_lstm_crf.text.annotation import Sentence, Span
from ner_lstm_crf.training.trainer import Trainer

MakeBatch = Callable[..., Batch]
SENTENCES = [[2, 7, 2, 5], [8], [7, 3]]


def words(trained: int = 6, reserve: int = 3) -> WordEmbedding:
    torch.manual_seed(0)
    return WordEmbedding(torch.randn(trained, 4), torch.randn(reserve, 4))


def test_ids_beyond_the_trained_block_read_the_reserve() -> None:
    torch.manual_seed(0)
    trained, reserve = torch.randn(6, 4), torch.randn(3, 4)
    found = WordEmbedding(trained, reserve)(torch.arange(9))
    assert torch.equal(found[:6], trained)
    assert torch.equal(found[6:], reserve.half().float())


def test_an_empty_reserve_is_no_special_case() -> None:
    embedding = words(reserve=0)
    assert torch.equal(embedding(torch.tensor([5, 1])), embedding.trained[[5, 1]])


def test_the_reserve_is_in_half_precision_unless_that_overflows() -> None:
    assert words().reserve.dtype == torch.float16
    large = torch.tensor([[1e5, -1.0]])
    kept = WordEmbedding(torch.zeros(2, 2), large)
    assert torch.equal(kept(torch.tensor([2])), large)


def test_gradients_reach_the_rows_of_trained_words_alone() -> None:
    embedding = words()
    embedding(torch.tensor([2, 7, 4])).sum().backward()
    assert embedding.trained.grad is not None
    assert embedding.trained.grad.abs().sum(1).nonzero().flatten().tolist() == [2, 4]  # nor the unknown word's
    assert [name for name, _ in embedding.named_parameters()] == ["trained"]
    assert "reserve" in embedding.state_dict()


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_freezing_keeps_pretrained_vectors_and_trains_all_other_rows(optimizer: str) -> None:
    vectors = Vectors(("rome", "met", "oslo"), torch.randn(3, 12, generator=torch.Generator().manual_seed(0)).numpy())
    sentences = [Sentence.from_words(["Anna", "met", "Rome", "again"], [Span(2, 3, "LOC")])] * 3
    config = ModelConfig(word_size=12, char_size=4, char_filters=4, hidden_size=6, word_dropout=0.3)
    model = build_model(sentences, config, vectors=vectors, freeze_vectors=True)
    word, vocabulary = model.network.embedding.word, model.featurizer.words
    rows = torch.from_numpy(vocabulary.word_ids(["Rome", "met", "oslo", "anna", "again", "xyzzy"]))
    before = word(rows).detach().clone()
    torch.testing.assert_close(before[:3], torch.from_numpy(vectors.matrix)[[0, 1, 2]], atol=1e-3, rtol=1e-3)
    training = TrainingConfig(
        epochs=3, min_steps=0, optimizer=optimizer, learning_rate=1e-3, weight_decay=0.1, ema_decay=0.5
    )
    trainer = Trainer(model, [model.featurizer.encode_gold(one) for one in sentences], None, training)
    for _ in trainer.epochs():
        with trainer.optimizer.averaged_weights():
            assert torch.equal(word(rows)[:3], before[:3])
    assert (word(rows)[3:] != before[3:]).any(1).all()


def test_each_token_gets_the_parts_of_its_own_word(make_batch: MakeBatch) -> None:
    torch.manual_seed(0)
    casing, characters = nn.Embedding(5, 3), CharCnn(7, size=4, filters=5, widths=(3,), dropout=0.0)
    embedding = TokenEmbedding(words(), casing=casing, characters=characters)
    joined = embedding(make_batch(SENTENCES))
    assert joined.shape == (3, 4, embedding.size) == (3, 4, 4 + 3 + 5)
    for row, sentence in enumerate(SENTENCES):
        for column, word in enumerate(sentence):
            spelled = torch.tensor([1 + word % 6] * (1 + word % 4) + [0])
            alone = [
                embedding.word(torch.tensor([word]))[0],
                casing(torch.tensor(word % 5)),
                characters(spelled, torch.tensor([1 + word % 4]))[0],
            ]
            torch.testing.assert_close(joined[row, column], torch.cat(alone))


def test_word_dropout_takes_the_unknown_vector_in_training_at_its_rate(make_batch: MakeBatch) -> None:
    embedding = TokenEmbedding(words(), word_dropout=0.3)
    batch = make_batch([[2, 7] * 2000, [5] * 4000])
    plain = embedding.eval()(batch)
    dropped = embedding.train()(batch)
    unknown = (dropped == embedding.word.trained[UNKNOWN]).all(2)
    assert torch.equal(dropped[~unknown], plain[~unknown])
    assert unknown.float().mean(1).tolist() == pytest.approx([0.3, 0.3], abs=0.03)
    # Token by token, not word by word: one occurrence of a word is dropped, the next is not.
    assert unknown[1].unique().tolist() == [False, True]
    dropped.sum().backward()
    assert embedding.word.trained.grad is not None
    assert embedding.word.trained.grad[UNKNOWN].unique().item() == unknown.sum()


def test_word_dropout_leaves_casing_and_characters(make_batch: MakeBatch) -> None:
    embedding = TokenEmbedding(words(), casing=nn.Embedding(5, 3), word_dropout=0.5)
    batch = make_batch([[2, 7] * 50])
    assert torch.equal(embedding.train()(batch)[..., 4:], embedding.eval()(batch)[..., 4:])


class Numbered(nn.Module):
    """Stands in for a transformer: the vector of a token is its place."""

    size, mix = 2, False

    def forward(self, subtokens: Tensor) -> Tensor:
        return subtokens


@pytest.mark.parametrize("size", [0, 3])
def test_contextual_vectors_are_joined_last_whether_computed_before_or_now(make_batch: MakeBatch, size: int) -> None:
    vectors = torch.arange(24.0).view(3, 4, 2)
    embedding = TokenEmbedding(words(), contextual=ContextualInput(Numbered(), size))  # type: ignore[arg-type]
    batch = make_batch(SENTENCES)
    computed = embedding(replace(batch, subtokens=vectors))
    kept = embedding(replace(batch, contextual=vectors.half()))
    assert torch.equal(computed, kept)
    assert computed.shape == (3, 4, embedding.size) == (3, 4, 4 + (size or 2))
    expected = embedding.contextual.projection(vectors) if size else vectors
    assert torch.equal(computed[..., 4:], expected)


class Layered(Numbered):
    """The same with two layers side by side."""

    size, layers, mix = 4, 2, True


def test_layers_are_mixed_by_their_weights(make_batch: MakeBatch) -> None:
    vectors = torch.randn(3, 4, 4)
    contextual = ContextualInput(Layered(), 0)  # type: ignore[arg-type]
    assert contextual.size == 2
    with torch.no_grad():
        contextual.weights.copy_(torch.tensor([1.0, 3.0]).log())
        contextual.scale.fill_(2)
    found = contextual(replace(make_batch(SENTENCES), contextual=vectors))
    torch.testing.assert_close(found, 2 * (0.25 * vectors[..., :2] + 0.75 * vectors[..., 2:]))


def test_a_batch_without_what_the_transformer_reads_is_refused(make_batch: MakeBatch) -> None:
    embedding = TokenEmbedding(words(), contextual=ContextualInput(Numbered(), 0))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="sub-tokens or contextual vectors, got neither"):
        embedding(make_batch(SENTENCES))
