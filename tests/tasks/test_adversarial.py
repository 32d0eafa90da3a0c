"""Training against the worst of small moves: what is moved, how far, and what is learnt from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from ner_lstm_crf.config import Config
from ner_lstm_crf.data.annotation import Sentence
from ner_lstm_crf.features.batch import Batch
from ner_lstm_crf.model.network import Network
from ner_lstm_crf.tasks.adversarial import adversarial_backward
from ner_lstm_crf.tasks.assembly import assemble
from ner_lstm_crf.tasks.runs import Data, prepare

Make = Callable[..., list[Sentence]]
STEP = 0.3


@pytest.fixture
def parts(make_sentences: Make, tiny: Config) -> tuple[Network, Batch]:
    """A network without dropout and a batch of sentences of different lengths."""
    sentences = make_sentences(7)
    assembly = assemble(sentences, tiny.model)
    featurizer = assembly.featurizer
    return assembly.network.eval(), featurizer.collate([featurizer.encode_gold(sentence) for sentence in sentences])


def by_hand(network: Network, batch: Batch, step: float, factor: float) -> tuple[dict[str, Tensor], list[Tensor]]:
    """The gradients of half of both losses, each sentence by itself, and how far the tokens of each were moved."""
    assert batch.tags is not None
    total, moves = torch.zeros(()), []
    vectors = network.embedding(batch)
    for row, length in enumerate(batch.lengths.tolist()):
        own = vectors[row : row + 1, :length]
        tags, lengths = batch.tags[row : row + 1, :length], torch.tensor([length])
        loss = network.head.loss(network.read_vectors(own, lengths), tags, lengths)
        gradient = torch.autograd.grad(loss.sum(), own, retain_graph=True)[0]
        move = step * length**0.5 * gradient / gradient.norm()
        moves.append(move)
        harder = network.head.loss(network.read_vectors(own + move, lengths), tags, lengths)
        total = total + factor * (loss + harder).sum() / 2
    names, weights = zip(*network.named_parameters(), strict=True)
    return dict(zip(names, torch.autograd.grad(total, weights), strict=True)), moves


def test_gradients_are_those_of_both_losses_sentence_by_sentence(parts: tuple[Network, Batch]) -> None:
    network, batch = parts
    expected, moves = by_hand(network, batch, STEP, 0.25)
    losses = adversarial_backward(network, batch, STEP, 0.25)
    torch.testing.assert_close(losses, network.loss(batch).detach())
    for name, weight in network.named_parameters():
        torch.testing.assert_close(weight.grad, expected[name], rtol=1e-3, atol=1e-5)
    for move in moves:  # the root mean square of the tokens' moves
        assert move.square().sum(-1).mean().sqrt().item() == pytest.approx(STEP, rel=1e-4)


def test_where_it_is_moved_the_loss_is_higher(parts: tuple[Network, Batch]) -> None:
    network, batch = parts
    plain, _ = by_hand(network, batch, 0.0, 1.0)
    harder, _ = by_hand(network, batch, STEP, 1.0)
    assert any(not torch.allclose(plain[name], harder[name]) for name in plain)
    assert batch.tags is not None
    vectors = network.embedding(batch).detach().requires_grad_()
    losses = network.head.loss(network.read_vectors(vectors, batch.lengths), batch.tags, batch.lengths)
    gradient = torch.autograd.grad(losses.sum(), vectors)[0]
    scale = STEP * batch.lengths.sqrt() / gradient.flatten(1).norm(dim=1)
    moved = network.read_vectors(vectors + gradient * scale.view(-1, 1, 1), batch.lengths)
    assert (network.head.loss(moved, batch.tags, batch.lengths) > losses).all()


def test_a_batch_without_tags_is_refused(parts: tuple[Network, Batch]) -> None:
    network, batch = parts
    with pytest.raises(ValueError, match="expected a batch with gold tags, got none"):
        adversarial_backward(network, replace(batch, tags=None), STEP, 1.0)


def test_the_trainer_learns_so_and_reports_the_loss_of_the_sentences_as_they_are(
    make_sentences: Make, tiny: Config
) -> None:
    sentences = make_sentences(60)
    plain, against = (
        list(prepare(Data(sentences, sentences), replace(tiny, training=training)).run())
        for training in (replace(tiny.training, adversarial_step=step) for step in (0.0, STEP))
    )
    assert against[-1].dev is not None
    assert against[-1].dev.micro.f1 > 0.9
    assert [report.loss for report in plain] != [report.loss for report in against]
    assert against[-1].loss < 0.5 * against[0].loss
