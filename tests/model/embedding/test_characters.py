"""The char-CNN against a convolution of each word by itself."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ner_lstm_crf.model.embedding.characters import CharCnn


def laid_out(words: list[list[int]], gap: int) -> tuple[Tensor, Tensor]:
    flat = [character for word in words for character in [*word, *[0] * gap]]
    return torch.tensor(flat), torch.tensor([len(word) for word in words])


@pytest.mark.parametrize("widths", [(3,), (2, 3, 4), (1,), (5, 2)])
def test_words_in_a_row_equal_words_by_themselves(widths: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    cnn = CharCnn(20, size=6, filters=5, widths=widths, dropout=0.0)
    words = [[3, 4, 5], [7], [2] * 30, [19, 18], [3, 4, 5]]
    together = cnn(laid_out(words, cnn.gap))
    assert together.shape == (5, 5 * len(widths))
    for word, vector in zip(words, together, strict=True):
        embedded = cnn.embedding(torch.tensor(word)).T.unsqueeze(0)
        alone = torch.cat([conv(embedded)[0, :, : len(word)].amax(1) for conv in cnn.convolutions])
        torch.testing.assert_close(vector, alone)


def test_padding_never_wins_the_maximum() -> None:
    cnn = CharCnn(5, size=3, filters=4, widths=(3,), dropout=0.0)
    with torch.no_grad():
        cnn.convolutions[0].weight.fill_(-1.0)  # every real character scores below the gap, which scores the bias
        cnn.embedding.weight[1:] = 1.0
        cnn.convolutions[0].bias.zero_()
    assert (cnn(laid_out([[1, 2], [3]], cnn.gap)) < 0).all()


@pytest.mark.parametrize("widths", [(3,), (2, 3, 4), (1,), (5, 2)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_looked_up_scores_are_those_of_convolutions(widths: tuple[int, ...], dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    cnn = CharCnn(40, size=6, filters=37, widths=widths, dropout=0.0).to(dtype)
    # No character twice in a word: where two places share the maximum, each may have the gradient.
    words = laid_out([(torch.randperm(39)[:length] + 1).tolist() for length in (1, 2, 3, 30, 1, 7)], cnn.gap)
    weights = torch.randn(6, 37 * len(widths), dtype=dtype)
    results = []
    for portable in (False, True):
        vectors = cnn._portable(*words) if portable else cnn(words)
        results.append((vectors, *torch.autograd.grad((vectors * weights).sum(), list(cnn.parameters()))))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_ids_of_a_smaller_type_are_the_same_ids() -> None:
    cnn = CharCnn(40, size=6, filters=7, widths=(3,), dropout=0.0)
    characters, lengths = laid_out([[3, 4, 5], [7]], cnn.gap)
    assert torch.equal(cnn((characters.int(), lengths.short())), cnn((characters, lengths)))


def test_a_long_word_changes_nothing_for_the_others() -> None:
    torch.manual_seed(0)
    cnn = CharCnn(5, size=3, filters=4, widths=(3,), dropout=0.0)
    short = [[2, 3]] * 50
    alone = cnn(laid_out(short, cnn.gap))
    together = cnn(laid_out([[1] * 5000, *short], cnn.gap))
    torch.testing.assert_close(together[1:], alone, rtol=0, atol=0)


@pytest.mark.parametrize("kernels", [True, False])
@pytest.mark.parametrize(
    ("characters", "lengths"),
    [
        ([1, 2, 0], [3]),
        ([1, 0], [0, 0]),
        ([5, 0], [1]),
        ([-1, 0], [1]),
        ([1, 0, 2, 0], [1]),
        ([1, 2, 3, 4], [2**62] * 4),  # with their gaps they add up to 4
        ([1, 0], [2**63 - 1]),
        ([1, 0], [[1]]),
        ([[1, 0]], [1]),
    ],
)
def test_characters_that_are_not_what_the_lengths_say_are_refused(
    characters: list[int], lengths: list[int], kernels: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not kernels:
        monkeypatch.setattr("ner_lstm_crf.model.embedding.characters.available_for", lambda _: False)
    cnn = CharCnn(5, size=3, filters=4, widths=(3,), dropout=0.0)
    with pytest.raises(ValueError, match="expected"):
        cnn((torch.tensor(characters), torch.tensor(lengths)))


def test_gradients_reach_embedding_and_filters_but_not_the_padding() -> None:
    cnn = CharCnn(5, size=3, filters=4, widths=(2, 3), dropout=0.0)
    cnn(laid_out([[1, 2, 3], [4]], cnn.gap)).sum().backward()
    assert cnn.embedding.weight.grad is not None
    assert cnn.embedding.weight.grad[0].abs().sum() == 0
    assert (cnn.embedding.weight.grad[4].abs().sum() > 0).item()
