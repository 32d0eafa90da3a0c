"""Training against the worst of small moves: what is moved, how far, and what is learnt from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from ner_lstm_crf.config import Config
from ner_lstm_crf.model.embedding.token_embedding import TensorBatch
from ner_lstm_crf.model.network import Network
from ner_lstm_crf.runs.data import Data
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.text.annotation import Sentence
from ner_lstm_crf.training.trainer import Trainer, adversarial_backward, fgm_perturbation
from tests.made import trainer_for

Make = Callable[..., list[Sentence]]
STEP = 0.3


@pytest.fixture
def parts(make_sentences: Make, tiny: Config) -> tuple[Network, TensorBatch]:
    """A network without dropout and a batch of sentences of different lengths."""
    sentences = make_sentences(7)
    model = Model.build(sentences, tiny.model)
    network, encoded = model.networks[0].eval(), model.encode(sentences, gold=True)
    return network, network.tensors(encoded.training_batch(range(7)))


def by_hand(network: Network, batch: TensorBatch, step: float) -> dict[str, Tensor]:
    """The gradients of half of both losses, each sentence by itself, without padding."""
    assert batch.tags is not None
    total = torch.zeros(())
    vectors = network.embedding(batch)
    for row, length in enumerate(batch.lengths.tolist()):
        own = vectors[row : row + 1, :length]
        tags, lengths = batch.tags[row : row + 1, :length], torch.tensor([length])
        loss = network.head.loss(network.emissions(own, lengths), tags, lengths)
        gradient = torch.autograd.grad(loss.sum(), own, retain_graph=True)[0]
        move = step * length**0.5 * gradient / gradient.norm()
        harder = network.head.loss(network.emissions(own + move, lengths), tags, lengths)
        total = total + (loss + harder).sum() / 2
    names, weights = zip(*network.named_parameters(), strict=True)
    return dict(zip(names, torch.autograd.grad(total, weights), strict=True))


@pytest.mark.parametrize("factor", [0.25, 1e-12])
def test_gradients_are_those_of_both_losses_sentence_by_sentence(
    parts: tuple[Network, TensorBatch], factor: float
) -> None:
    network, batch = parts
    expected = by_hand(network, batch, STEP)
    losses = adversarial_backward(network, batch, STEP, factor)
    torch.testing.assert_close(losses, network.loss(batch).detach())
    for name, weight in network.named_parameters():
        assert weight.grad is not None
        torch.testing.assert_close(weight.grad / factor, expected[name], rtol=1e-3, atol=1e-5)


def test_a_move_has_its_length_spares_the_padding_and_makes_it_harder(parts: tuple[Network, TensorBatch]) -> None:
    network, batch = parts
    assert batch.tags is not None
    vectors = network.embedding(batch).detach().requires_grad_()
    losses = network.head.loss(network.emissions(vectors, batch.lengths), batch.tags, batch.lengths)
    moves = fgm_perturbation(torch.autograd.grad(losses.sum(), vectors)[0], batch.lengths, STEP)
    for move, length in zip(moves, batch.lengths.tolist(), strict=True):
        assert move[:length].square().sum(-1).mean().sqrt().item() == pytest.approx(STEP, rel=1e-4)
        assert not move[length:].any()
    moved = network.emissions(vectors + moves, batch.lengths)
    assert (network.head.loss(moved, batch.tags, batch.lengths) > losses).all()


@pytest.mark.parametrize("size", [0.0, 1e-24])
def test_a_sentence_without_a_gradient_stays_where_it_is(size: float) -> None:
    gradient = torch.full((2, 5000, 3), size)
    gradient[1] = 1.0
    moves = fgm_perturbation(gradient, torch.tensor([5000, 5000]), 10.0)
    assert not moves[0].any()
    assert moves[1].square().sum(-1).mean().sqrt().item() == pytest.approx(10.0, rel=1e-3)


def test_data_without_entities_do_no_harm(make_sentences: Make, tiny: Config) -> None:
    """With `O` alone the loss is 0, and there is no gradient to go against."""
    bare = [Sentence.from_words(sentence.words * 40, []) for sentence in make_sentences(8)]
    config = replace(tiny, training=replace(tiny.training, adversarial_epsilon=5.0, epochs=1))
    model = Model.build(bare, config.model, seed=1)
    trainer = Trainer(model, model.encode(bare, gold=True), None, config.training)
    assert next(trainer.epochs()).loss == 0
    assert all(weight.isfinite().all() for weight in trainer.model.networks[0].parameters())


def test_a_batch_without_tags_is_refused(parts: tuple[Network, TensorBatch]) -> None:
    network, batch = parts
    with pytest.raises(ValueError, match="expected a batch with gold tags, got none"):
        adversarial_backward(network, replace(batch, tags=None), STEP, 1.0)


def test_the_reported_loss_is_that_of_the_sentences_as_they_are(make_sentences: Make, tiny: Config) -> None:
    sentences = make_sentences(30)
    rates = ("word_dropout", "char_dropout", "input_dropout", "recurrent_dropout", "output_dropout")
    still = replace(tiny.training, learning_rate=0.0, epochs=1)
    model = replace(tiny.model, **dict.fromkeys(rates, 0.0))  # type: ignore[arg-type]
    plain, against = (
        next(
            trainer_for(
                Data(sentences), Config(model=model, training=replace(still, adversarial_epsilon=step))
            ).epochs()
        )
        for step in (0.0, 3.0)
    )
    assert against.loss == pytest.approx(plain.loss, rel=1e-5)


def test_the_trainer_learns_so(make_sentences: Make, tiny: Config) -> None:
    sentences = make_sentences(60)
    plain, against = (
        list(trainer_for(Data(sentences, sentences), replace(tiny, training=training)).epochs())
        for training in (replace(tiny.training, adversarial_epsilon=step) for step in (0.0, STEP))
    )
    assert against[-1].dev is not None
    assert against[-1].dev.micro.f1 > 0.9
    assert [report.loss for report in plain] != [report.loss for report in against]
