"""One network: its scores of a sentence depend on that sentence alone, however long."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.model.embedding.token_embedding import TensorBatch, TokenEmbedding
from ner_lstm_crf.model.embedding.word import WordVectors
from ner_lstm_crf.model.heads import CrfHead, SoftmaxHead
from ner_lstm_crf.model.network import Network
from tests.made_batches import drawn_table, made_network

MakeBatch = Callable[..., TensorBatch]
HEADS = pytest.mark.parametrize(
    "shape", [{"head": "softmax"}, {"head": "crf"}, {"head": "crf", "crf_loss": "labelwise"}], ids=str
)
SENTENCES = [[2, 7, 2, 5, 11], [8], [7, 3, 3]]
TAGS = [[0, 1, 2, 0, 3], [3], [1, 1, 0]]


def emissions(network: Network, batch: TensorBatch) -> Tensor:
    return network.emissions(network.embedding(batch), batch.lengths)


@HEADS
def test_a_sentence_fares_alike_alone_and_in_company(make_batch: MakeBatch, shape: dict[str, str]) -> None:
    network = made_network(layers=2, **shape)
    together = make_batch(SENTENCES, tags=TAGS)
    with torch.no_grad():
        losses, scores = network.loss(together), emissions(network, together)
        for row, (words, tags) in enumerate(zip(SENTENCES, TAGS, strict=True)):
            alone = make_batch([words], tags=[tags])
            torch.testing.assert_close(losses[row], network.loss(alone)[0])
            torch.testing.assert_close(scores[row, : len(words)], emissions(network, alone)[0])


@HEADS
def test_a_training_step_lowers_the_loss_and_moves_every_weight(make_batch: MakeBatch, shape: dict[str, str]) -> None:
    rates = ("word_dropout", "char_dropout", "input_dropout", "recurrent_dropout", "output_dropout")
    network = made_network(layers=2, **shape, **dict.fromkeys(rates, 0.0)).train()
    batch = make_batch(SENTENCES, tags=TAGS)
    before = network.loss(batch).sum()
    before.backward()
    assert [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()] == []
    with torch.no_grad():
        for weight in network.parameters():
            weight.sub_(1e-3 * weight.grad)
        assert network.loss(batch).sum() < before


def test_a_loss_needs_gold_tags(make_batch: MakeBatch) -> None:
    with pytest.raises(ValueError, match="expected a batch with gold tags, got none"):
        made_network().loss(make_batch(SENTENCES))


def test_dropout_is_for_training_only(make_batch: MakeBatch) -> None:
    network, batch = made_network(word_dropout=0.5), make_batch(SENTENCES)
    assert torch.equal(emissions(network, batch), emissions(network, batch))
    network.train()
    assert not torch.equal(emissions(network, batch), emissions(network, batch))


@pytest.mark.parametrize("head", ["crf", "softmax"])
def test_a_sentence_of_twenty_thousand_tokens_goes_through(make_batch: MakeBatch, head: str) -> None:
    network = made_network(head=head, layers=2)
    words = torch.randint(2, 15, (20_000,)).tolist()
    batch = make_batch([words], tags=[[word % 4 for word in words]])
    loss = network.loss(batch)
    loss.sum().backward()
    assert loss.isfinite().all()
    assert all(weight.grad.isfinite().all() for weight in network.parameters() if weight.grad is not None)
    assert network.head.decode(emissions(network, batch), batch.lengths).shape == (1, 20_000)


def test_a_word_of_five_thousand_characters_goes_through(make_batch: MakeBatch) -> None:
    network, batch = made_network(), make_batch([[2, 3], [3]])
    spelled = [4] * 5000 + [0], [4, 4, 4, 4, 0]  # word 2, word 3 as it was
    characters = torch.tensor(spelled[0] + spelled[1]), torch.tensor([5000, 4])
    long = replace(batch, inputs={**batch.inputs, "characters": characters})
    with torch.no_grad():
        scores = emissions(network, long)
        assert scores.isfinite().all()
        torch.testing.assert_close(scores[1, 0], emissions(network, make_batch([[3]]))[0, 0])


def build(seed: int = 0, **shape: object) -> Network:
    torch.manual_seed(seed)
    config = ModelConfig(hidden_size=7, layers=2, **shape)  # type: ignore[arg-type]
    every = torch.ones(5, dtype=torch.bool)
    embedding = TokenEmbedding({"word": WordVectors(drawn_table(10, 8), config.word_dropout)})
    return Network.build(config, embedding, (every, every.expand(5, 5).clone(), every))


def test_sizes_and_rates_are_those_of_the_configuration() -> None:
    network = build(input_dropout=0.2, recurrent_dropout=0.3, output_dropout=0.4)
    assert [one.lstm.input_size for one in network.encoder.forwards] == [8, 14]
    assert [one.lstm.hidden_size for one in [*network.encoder.forwards, *network.encoder.backwards]] == [7] * 4
    assert network.projection.weight.shape == (5, 14)
    assert (network.encoder.input_rate, network.encoder.output_rate) == (0.2, 0.4)
    assert {one.recurrent_rate for one in [*network.encoder.forwards, *network.encoder.backwards]} == {0.3}


def test_heads_are_those_of_the_configuration() -> None:
    assert isinstance(build(head="softmax").head, SoftmaxHead)
    sequence, labelwise = build(head="crf").head, build(head="crf", crf_loss="labelwise").head
    assert isinstance(sequence, CrfHead)
    assert isinstance(labelwise, CrfHead)
    assert (sequence.labelwise, labelwise.labelwise) == (False, True)


def test_networks_of_one_seed_are_equal_below_the_head() -> None:
    crf, softmax, other = (
        dict(network.named_parameters())
        for network in (build(head="crf"), build(head="softmax"), build(seed=1, head="softmax"))
    )
    assert {name for name in crf if not name.startswith("head.")} == set(softmax)
    assert all(torch.equal(crf[name], softmax[name]) for name in softmax)
    assert not torch.equal(other["projection.weight"], softmax["projection.weight"])
