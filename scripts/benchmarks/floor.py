"""The floor of training and tagging: a bare bidirectional `nn.LSTM` on padded batches of like length, nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from ner_lstm_crf.config import ModelConfig

__all__ = ["BareLstm", "input_size"]


def input_size(config: ModelConfig) -> int:
    """Values per token that the network's LSTM reads."""
    return config.word_size + config.char_filters * len(config.char_widths) + config.casing_size


class BareLstm:
    """Reads random numbers in batches of given shapes.

    Args:
        config: Sizes, as the network's.
        shapes: Sentences and tokens of the longest, for each batch.
    """

    def __init__(self, config: ModelConfig, shapes: Sequence[tuple[int, int]]) -> None:
        self.lstm = nn.LSTM(input_size(config), config.hidden_size, batch_first=True, bidirectional=True)
        most = max(batch * longest for batch, longest in shapes)
        self._values = torch.randn(most, input_size(config))
        self._gradient = torch.randn(most, 2 * config.hidden_size)
        self._shapes = list(shapes)

    def train(self) -> None:
        """Forward and backward, the gradient of the input included: embeddings are trained with it."""
        for batch, longest in self._shapes:
            values = self._values[: batch * longest].view(batch, longest, -1).detach().requires_grad_()
            output = self.lstm(values)[0]
            output.backward(self._gradient[: batch * longest].view_as(output))
            self.lstm.zero_grad()

    def tag(self) -> None:
        """Forward."""
        with torch.inference_mode():
            for batch, longest in self._shapes:
                self.lstm(self._values[: batch * longest].view(batch, longest, -1))
