"""Token vectors in their context: a bidirectional LSTM (Graves and Schmidhuber 2005)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ner_lstm_crf.model.dropout import VariationalDropout, dropped_weights

__all__ = ["BiLstm"]


class BiLstm(nn.Module):
    """Stacked bidirectional LSTM layers over padded batches.

    Each direction is an LSTM of its own, and the backward one reads every sentence reversed within its own length. So
    padding comes last for both and cannot reach a real token, and no sequence needs packing, which halves the speed of
    `nn.LSTM` on a CPU.

    Args:
        input_size: Size of a token's vector.
        hidden_size: Units per direction.
        layers: Number of layers; each reads both directions of the one below.
        dropouts: Rates of the variational dropout on the input of the first layer, of the dropped hidden-to-hidden
            weights (Merity et al. 2018) and of the variational dropout on the output of each layer.
    """

    def __init__(
        self, input_size: int, hidden_size: int, *, layers: int = 1, dropouts: tuple[float, float, float] = (0, 0, 0)
    ) -> None:
        super().__init__()
        input_rate, recurrent_rate, output_rate = dropouts
        sizes = [input_size] + [2 * hidden_size] * (layers - 1)
        self.input_dropout = VariationalDropout(input_rate)
        self.forwards = nn.ModuleList(_Lstm(size, hidden_size, recurrent_rate) for size in sizes)
        self.backwards = nn.ModuleList(_Lstm(size, hidden_size, recurrent_rate) for size in sizes)
        self.output_dropout = VariationalDropout(output_rate)
        self.size = 2 * hidden_size

    def forward(self, values: Tensor, lengths: Tensor) -> Tensor:
        """The context of each token.

        Args:
            values: Token vectors (B, T, D); what stands beyond a sentence's length is not read.
            lengths: Tokens of each sentence (B,).

        Returns:
            (B, T, 2 H), undefined beyond the lengths.
        """
        order = reversal(lengths, values.shape[1]).unsqueeze(-1)  # (B, T, 1)
        values = self.input_dropout(values)
        for ahead, back in zip(self.forwards, self.backwards, strict=True):
            reverse = values.gather(1, order.expand_as(values))
            there, here = ahead(values), back(reverse)
            values = self.output_dropout(torch.cat([there, here.gather(1, order.expand_as(here))], dim=-1))
        return values


class _Lstm(nn.Module):
    """One direction of one layer, with dropped hidden-to-hidden weights in training."""

    def __init__(self, input_size: int, hidden_size: int, recurrent_rate: float) -> None:
        super().__init__()
        self.lstm = nn.LSTM(input_size, hidden_size, batch_first=True)
        self.recurrent_rate = recurrent_rate
        self._initialise()

    def _initialise(self) -> None:
        """Orthogonal recurrence, Glorot input weights, a forget gate that starts open (Jozefowicz et al. 2015)."""
        hidden = self.lstm.hidden_size
        from_input, from_hidden, input_bias, hidden_bias = self.lstm.parameters()
        with torch.no_grad():
            for gate in range(4):
                nn.init.orthogonal_(from_hidden[gate * hidden : (gate + 1) * hidden])
                nn.init.xavier_uniform_(from_input[gate * hidden : (gate + 1) * hidden])
            input_bias.zero_()
            hidden_bias.zero_()
            input_bias[hidden : 2 * hidden] = 1  # torch orders the gates input, forget, cell, output

    def forward(self, values: Tensor) -> Tensor:
        """(B, T, D) to (B, T, H)."""
        if not self.training or self.recurrent_rate == 0:
            return self.lstm(values)[0]  # type: ignore[no-any-return]
        weight = dropped_weights(self.lstm.get_parameter("weight_hh_l0"), self.recurrent_rate)
        return torch.func.functional_call(self.lstm, {"weight_hh_l0": weight}, (values,))[0]  # type: ignore[no-any-return]


def reversal(lengths: Tensor, longest: int) -> Tensor:
    """Where each position of a reversed sentence comes from; its own inverse.

    Example:
        >>> reversal(torch.tensor([3, 1]), 3).tolist()
        [[2, 1, 0], [0, 1, 2]]
    """
    positions = torch.arange(longest, device=lengths.device).unsqueeze(0)  # (1, T)
    mirrored = lengths.unsqueeze(1) - 1 - positions  # (B, T)
    return torch.where(mirrored >= 0, mirrored, positions)
