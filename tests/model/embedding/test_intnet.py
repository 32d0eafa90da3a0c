"""IntNet against convolutions of each word by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.features.characters import Characters, Spellings
from ner_lstm_crf.features.vocabulary import Vocabulary
from ner_lstm_crf.inference import type_vectors
from ner_lstm_crf.model.embedding.intnet import IntNet
from tests.model.embedding.test_characters import laid_out

WORDS = [[3, 4, 5], [7], [2] * 30, [19, 18], [3, 4, 5], [9, 8, 7, 6, 5, 4, 3]]
WIDTHS = [(3, 5), (3,), (2, 3, 4), (1,), (5, 2), (4, 1)]


def made(widths: tuple[int, ...] = (3, 5), blocks: int = 3, known: int = 20) -> IntNet:
    """A network whose biases would be seen in gaps."""
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        net = IntNet(known, size=6, filters=5, widths=widths, blocks=blocks, dropout=0.0)
        with torch.no_grad():
            for name, weight in net.named_parameters():
                if name.endswith("bias"):
                    weight.uniform_(-0.2, 0.6)
    return net


def by_itself(net: IntNet, word: list[int]) -> Tensor:
    """The vector of a word (D,), by the operations of torch for one sequence."""

    def convolved(values: Tensor, convolutions: Any) -> list[Tensor]:
        count = values.shape[2]
        return [
            nn.functional.conv1d(values, one.weight, one.bias, padding=one.kernel_size[0] // 2)[:, :, :count].relu()
            for one in convolutions
        ]

    found = torch.cat(convolved(net.embedding(torch.tensor(word)).T.unsqueeze(0), net.convolutions), dim=1)
    for block in net.blocks:
        narrow = block["narrow"](found.transpose(1, 2)).transpose(1, 2).relu()  # type: ignore[index]
        found = torch.cat([found, *convolved(narrow, block["convolutions"])], dim=1)  # type: ignore[index]
    return found[0].amax(1)


@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("blocks", [1, 3])
@pytest.mark.parametrize("kernels", [True, False])
def test_words_in_a_row_equal_words_by_themselves(
    widths: tuple[int, ...], blocks: int, kernels: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not kernels:
        monkeypatch.setattr("ner_lstm_crf.model.embedding.intnet.available_for", lambda _: False)
    net = made(widths, blocks)
    together = net(laid_out(WORDS, net.gap))
    assert together.shape == (len(WORDS), net.size)
    assert net.size == (6 + 5 * blocks) * len(widths)
    for word, vector in zip(WORDS, together, strict=True):
        torch.testing.assert_close(vector, by_itself(net, word))


@pytest.mark.parametrize("kernels", [True, False])
def test_the_gradients_are_those_of_words_by_themselves(kernels: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not kernels:
        monkeypatch.setattr("ner_lstm_crf.model.embedding.intnet.available_for", lambda _: False)
    net = made().double()
    # No character twice in a word: where two places share the maximum, each may have the gradient.
    words = [[1, 2, 3, 4, 5, 6, 7], [8], [9, 10], [19, 4, 11]]
    weights = torch.randn(len(words), net.size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    alone = torch.stack([by_itself(net, word) for word in words])
    gradients = [
        torch.autograd.grad((vectors * weights).sum(), list(net.parameters()))
        for vectors in (net(laid_out(words, net.gap)), alone)
    ]
    for name, one, other in zip(dict(net.named_parameters()), *gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)
        assert one.abs().sum() > 0, name


def test_the_gradients_are_those_of_small_steps() -> None:
    net = made((3, 2), 2).double()
    words = laid_out([[1, 2, 3, 4], [5], [6, 7]], net.gap)
    weights = [one for name, one in net.named_parameters() if not name.startswith("embedding")]  # padding is fixed
    assert torch.autograd.gradcheck(lambda *_: net(words), weights, eps=1e-7, atol=1e-5)


def test_a_character_changes_its_own_word_alone() -> None:
    net = made()
    one, other = (net(laid_out([[1, 2, 3], word, [4, 5]], net.gap)) for word in ([6], [7]))
    torch.testing.assert_close(one[[0, 2]], other[[0, 2]], rtol=0, atol=0)
    assert not torch.allclose(one[1], other[1])


@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("kernels", [True, False])
def test_in_tagging_words_have_the_same_vectors(
    widths: tuple[int, ...], kernels: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not kernels:
        monkeypatch.setattr("ner_lstm_crf.kernels.available_for", lambda _: False)
    net = made(widths)
    characters, lengths = laid_out(WORDS, net.gap)
    weights = {name: one.detach().numpy() for name, one in net.named_parameters()}
    found = type_vectors.IntNet(net.gap, weights)(Spellings(characters.numpy(), lengths.numpy()))
    np.testing.assert_allclose(found, net((characters, lengths)).detach().numpy(), atol=1e-6)
    none = np.zeros(0, np.int64)
    assert type_vectors.IntNet(net.gap, weights)(Spellings(none, none)).shape == (0, net.size)


def test_in_tagging_the_vector_of_a_word_is_the_same_bit_for_bit_beside_others() -> None:
    net = made()
    weights = {name: one.detach().numpy() for name, one in net.named_parameters()}
    encoder = type_vectors.IntNet(net.gap, weights)
    together, alone = (
        [encoder(Spellings(*(one.numpy() for one in laid_out(words, net.gap)))) for words in parts]
        for parts in ([WORDS], [[word] for word in WORDS])
    )
    np.testing.assert_array_equal(together[0], np.concatenate(alone))


def test_what_is_saved_is_what_the_configuration_announces() -> None:
    config = ModelConfig(char_encoder="intnet", char_size=7, char_filters=4, char_widths=(3, 2), char_blocks=2)
    feature = Characters(Vocabulary(["a", "b"]), 1)
    net = IntNet.build(feature, config)
    assert {name: tuple(one.shape) for name, one in net.state_dict().items()} == feature.weight_shapes(config)
    assert net.size == feature.vector_size(config)
    assert net.gap == 1
