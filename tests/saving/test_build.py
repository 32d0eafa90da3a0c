"""A network has the shape its configuration describes, and the seed decides its weights."""

from __future__ import annotations

import pytest
import torch
from ner_lstm_crf.saving.build import Inventory, build_network, random_words

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.features.embedding import WordEmbedding
from ner_lstm_crf.model.heads import CrfHead, SoftmaxHead
from ner_lstm_crf.model.network import Network

ANY = torch.ones(5, dtype=torch.bool)
INVENTORY = Inventory(characters=9, casings=4, start=ANY, transitions=ANY.expand(5, 5).clone(), end=ANY)
SMALL = {"char_size": 4, "char_filters": 6, "char_widths": (2, 3), "casing_size": 3, "hidden_size": 7, "layers": 2}


def build(seed: int = 0, **shape: object) -> Network:
    torch.manual_seed(seed)
    word = WordEmbedding(random_words(10, 8), torch.zeros(0, 8))
    return build_network(ModelConfig(**(SMALL | shape)), INVENTORY, word)  # type: ignore[arg-type]


def test_sizes_are_those_of_the_configuration() -> None:
    network = build()
    embedding, encoder = network.embedding, network.encoder
    assert embedding.characters is not None
    assert embedding.characters.embedding.weight.shape == (9, 4)
    assert [tuple(one.weight.shape) for one in embedding.characters.convolutions] == [(6, 4, 2), (6, 4, 3)]
    assert embedding.casing is not None
    assert embedding.casing.weight.shape == (4, 3)
    assert embedding.contextual is None
    assert embedding.size == 8 + 3 + 2 * 6
    assert [one.lstm.input_size for one in encoder.forwards] == [embedding.size, 14]
    assert [one.lstm.hidden_size for one in [*encoder.forwards, *encoder.backwards]] == [7] * 4
    assert network.projection.weight.shape == (5, 14)


def test_rates_are_those_of_the_configuration() -> None:
    network = build(word_dropout=0.1, char_dropout=0.15, input_dropout=0.2, recurrent_dropout=0.3, output_dropout=0.4)
    assert network.embedding.characters is not None
    assert network.embedding.word_dropout == 0.1
    assert network.embedding.characters.dropout.p == 0.15
    assert network.encoder.input_dropout.rate == 0.2
    assert {one.recurrent_rate for one in [*network.encoder.forwards, *network.encoder.backwards]} == {0.3}
    assert network.encoder.output_dropout.rate == 0.4


@pytest.mark.parametrize(
    ("setting", "part", "size"), [("char_filters", "characters", 11), ("casing_size", "casing", 20)]
)
def test_a_part_of_size_zero_is_left_out(setting: str, part: str, size: int) -> None:
    network = build(**{setting: 0})
    assert getattr(network.embedding, part) is None
    assert network.embedding.size == network.encoder.forwards[0].lstm.input_size == size


def test_heads() -> None:
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


def test_random_words_are_uniform_and_padding_is_zero() -> None:
    torch.manual_seed(0)
    vectors = random_words(2000, 12)
    assert vectors[0].eq(0).all()
    assert vectors.abs().max().item() == pytest.approx(0.5, abs=1e-3)  # the square root of 3 / 12
    assert vectors[1:].var().item() == pytest.approx(1 / 12, rel=0.03)
