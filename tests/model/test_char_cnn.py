"""The char-CNN against a convolution of each word by itself."""

from __future__ import annotations

import pytest
import torch

from ner_lstm_crf.model.char_cnn import CharCnn


def laid_out(words: list[list[int]], gap: int) -> tuple[torch.Tensor, torch.Tensor]:
    flat = [character for word in words for character in [*word, *[0] * gap]]
    return torch.tensor(flat), torch.tensor([len(word) for word in words])


@pytest.mark.parametrize("widths", [(3,), (2, 3, 4), (1,), (5, 2)])
def test_words_in_a_row_equal_words_by_themselves(widths: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    cnn = CharCnn(20, size=6, filters=5, widths=widths, dropout=0.0)
    words = [[3, 4, 5], [7], [2] * 30, [19, 18], [3, 4, 5]]
    together = cnn(*laid_out(words, cnn.gap))
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
    assert (cnn(*laid_out([[1, 2], [3]], cnn.gap)) < 0).all()


def test_a_long_word_costs_the_others_nothing() -> None:
    torch.manual_seed(0)
    cnn = CharCnn(5, size=3, filters=4, widths=(3,), dropout=0.0)
    convolved: list[int] = []
    cnn.convolutions[0].register_forward_hook(lambda module, inputs, output: convolved.append(output.numel()))
    short = [[2, 3]] * 50
    alone = cnn(*laid_out(short, cnn.gap))
    together = cnn(*laid_out([[1] * 5000, *short], cnn.gap))
    assert convolved[1] - convolved[0] == 4 * (5000 + cnn.gap)  # the long word's own positions, for each filter
    torch.testing.assert_close(together[1:], alone)


def test_gradients_reach_embedding_and_filters_but_not_the_padding() -> None:
    cnn = CharCnn(5, size=3, filters=4, widths=(2, 3), dropout=0.0)
    cnn(*laid_out([[1, 2, 3], [4]], cnn.gap)).sum().backward()
    assert cnn.embedding.weight.grad is not None
    assert cnn.embedding.weight.grad[0].abs().sum() == 0
    assert (cnn.embedding.weight.grad[4].abs().sum() > 0).item()
