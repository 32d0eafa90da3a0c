"""The whole network: what it says of a sentence depends on that sentence alone, however long."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from ner_lstm_crf.saving.build import Inventory, build_network, random_words

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.features.batch import Batch
from ner_lstm_crf.features.embedding import WordEmbedding
from ner_lstm_crf.model.network import Network

MakeBatch = Callable[..., Batch]
HEADS = pytest.mark.parametrize(
    "shape", [{"head": "softmax"}, {"head": "crf"}, {"head": "crf", "crf_loss": "labelwise"}], ids=str
)
SENTENCES = [[2, 7, 2, 5, 11], [8], [7, 3, 3]]
TAGS = [[0, 1, 2, 0, 3], [3], [1, 1, 0]]


def network(**shape: object) -> Network:
    torch.manual_seed(0)
    config = ModelConfig(char_size=4, char_filters=5, casing_size=3, hidden_size=6, layers=2, **shape)  # type: ignore[arg-type]
    everything = torch.ones(4, 4, dtype=torch.bool)
    inventory = Inventory(
        characters=7, casings=5, start=everything[0], transitions=everything, end=everything[0].clone()
    )
    built = build_network(config, inventory, WordEmbedding(random_words(10, 8), torch.randn(5, 8)))
    with torch.no_grad():
        for scores in built.head.parameters():
            scores.normal_()
    return built.eval()


@HEADS
def test_a_sentence_fares_alike_alone_and_in_company(make_batch: MakeBatch, shape: dict[str, str]) -> None:
    model = network(**shape)
    together = make_batch(SENTENCES, tags=TAGS)
    with torch.no_grad():
        losses, paths, marginals = model.loss(together), model.decode(together), model.marginals(together)
        for row, (words, tags) in enumerate(zip(SENTENCES, TAGS, strict=True)):
            alone, length = make_batch([words], tags=[tags]), len(words)
            torch.testing.assert_close(losses[row], model.loss(alone)[0])
            torch.testing.assert_close(marginals[row, :length], model.marginals(alone)[0])
            assert paths[row, :length].tolist() == model.decode(alone)[0].tolist()
            assert paths[row, length:].eq(0).all()
            assert marginals[row, length:].eq(0).all()


@HEADS
def test_a_training_step_lowers_the_loss_and_moves_every_weight(make_batch: MakeBatch, shape: dict[str, str]) -> None:
    rates = ("word_dropout", "char_dropout", "input_dropout", "recurrent_dropout", "output_dropout")
    model = network(**shape, **dict.fromkeys(rates, 0.0)).train()
    batch = make_batch(SENTENCES, tags=TAGS)
    before = model.loss(batch).sum()
    before.backward()
    assert [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()] == []
    with torch.no_grad():
        for weight in model.parameters():
            weight.sub_(1e-3 * weight.grad)
        assert model.loss(batch).sum() < before


def test_a_loss_needs_gold_tags(make_batch: MakeBatch) -> None:
    with pytest.raises(ValueError, match="expected a batch with gold tags, got none"):
        network().loss(make_batch(SENTENCES))


def test_dropout_is_for_training_only(make_batch: MakeBatch) -> None:
    model, batch = network(word_dropout=0.5), make_batch(SENTENCES)
    assert torch.equal(model.emissions(batch), model.emissions(batch))
    model.train()
    assert not torch.equal(model.emissions(batch), model.emissions(batch))


@pytest.mark.parametrize("head", ["crf", "softmax"])
def test_a_sentence_of_twenty_thousand_tokens_goes_through(make_batch: MakeBatch, head: str) -> None:
    model = network(head=head)
    words = torch.randint(2, 15, (20_000,)).tolist()
    batch = make_batch([words], tags=[[word % 4 for word in words]])
    loss = model.loss(batch)
    loss.sum().backward()
    assert loss.isfinite().all()
    assert all(weight.grad.isfinite().all() for weight in model.parameters() if weight.grad is not None)
    assert model.decode(batch).shape == (1, 20_000)


def test_a_word_of_five_thousand_characters_goes_through(make_batch: MakeBatch) -> None:
    model, batch = network(), make_batch([[2, 3], [3]])
    spelled = [4] * 5000 + [0], [4, 4, 4, 4, 0]  # word 2, word 3 as it was
    long = replace(batch, characters=torch.tensor(spelled[0] + spelled[1]), character_counts=torch.tensor([5000, 4]))
    with torch.no_grad():
        emissions = model.emissions(long)
        assert emissions.isfinite().all()
        torch.testing.assert_close(emissions[1, 0], model.emissions(make_batch([[3]]))[0, 0])
