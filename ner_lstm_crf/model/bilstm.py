"""Token vectors in their context: a bidirectional LSTM (Graves and Schmidhuber 2005)."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ner_lstm_crf.model.dropout import VariationalDropout, dropped_weights
from ner_lstm_crf.model.threads import both, one_thread

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
        residual: Whether each layer but the first adds what it reads to what it says (He et al. 2016).
        dropouts: Rates of the variational dropout on the input of the first layer, of the dropped hidden-to-hidden
            weights (Merity et al. 2018) and of the variational dropout on the output of each layer.
        initialise: Whether good first weights are drawn, which takes a while; not where others take their place.

    Attributes:
        side_by_side: Whether the two directions run at once, each on a core of its own, forward and backward. Torch
            shares every step between the cores in its place, and waits for the slower one at each.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        layers: int = 1,
        residual: bool = True,
        dropouts: tuple[float, float, float] = (0, 0, 0),
        initialise: bool = True,
    ) -> None:
        super().__init__()
        input_rate, recurrent_rate, output_rate = dropouts
        sizes = [input_size] + [2 * hidden_size] * (layers - 1)
        self.input_dropout = VariationalDropout(input_rate)
        one = partial(_Lstm, hidden_size=hidden_size, recurrent_rate=recurrent_rate, initialise=initialise)
        self.forwards = nn.ModuleList(map(one, sizes))
        self.backwards = nn.ModuleList(map(one, sizes))
        self.output_dropout = VariationalDropout(output_rate)
        self.size = 2 * hidden_size
        self.residual, self.side_by_side = residual, False

    def forward(self, values: Tensor, lengths: Tensor) -> Tensor:
        """The context of each token.

        Args:
            values: Token vectors (B, T, D); what stands beyond a sentence's length is not read.
            lengths: Tokens of each sentence (B,).

        Returns:
            (B, T, 2 H), undefined beyond the lengths.
        """
        order = reversal(lengths, values.shape[1])  # (B, T)
        values = self.input_dropout(values)
        for depth, (ahead, back) in enumerate(zip(self.forwards, self.backwards, strict=True)):
            there, here = self._directions(ahead, back, values, _Reordered.apply(values, order))  # type: ignore[no-untyped-call]
            said = torch.cat([there, _Reordered.apply(here, order)], dim=-1)  # type: ignore[no-untyped-call]
            values = self.output_dropout(said + values if self.residual and depth else said)
        return values

    def _directions(self, ahead: nn.Module, back: nn.Module, values: Tensor, reverse: Tensor) -> tuple[Tensor, Tensor]:
        """Both directions of one layer, each (B, T, H)."""
        if not self.side_by_side:
            return ahead(values), back(reverse)
        weights = (*ahead.weights(), *back.weights())  # type: ignore[operator]
        there, here = _SideBySide.apply(values, reverse, *weights)  # type: ignore[no-untyped-call]
        return there, here


class _Lstm(nn.Module):
    """One direction of one layer, with dropped hidden-to-hidden weights in training."""

    def __init__(self, input_size: int, hidden_size: int, recurrent_rate: float, *, initialise: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(input_size, hidden_size, batch_first=True)
        self.recurrent_rate = recurrent_rate
        if initialise:
            self._initialise()

    def _initialise(self) -> None:
        """Orthogonal recurrence, Glorot input weights, a forget gate that starts open (Jozefowicz et al. 2015)."""
        hidden = self.lstm.hidden_size
        from_input, from_hidden, input_bias, hidden_bias = self.lstm.parameters()
        with torch.no_grad(), one_thread():  # several would make an orthogonal matrix with other roundings
            for gate in range(4):
                nn.init.orthogonal_(from_hidden[gate * hidden : (gate + 1) * hidden])
                nn.init.xavier_uniform_(from_input[gate * hidden : (gate + 1) * hidden])
            input_bias.zero_()
            hidden_bias.zero_()
            input_bias[hidden : 2 * hidden] = 1  # torch orders the gates input, forget, cell, output

    def weights(self) -> list[Tensor]:
        """The weights from the input and from the hidden state, and their biases; some dropped in training."""
        weights: list[Tensor] = list(self.lstm.parameters())
        if self.training and self.recurrent_rate:
            weights[1] = dropped_weights(weights[1], self.recurrent_rate)
        return weights

    def forward(self, values: Tensor) -> Tensor:
        """(B, T, D) to (B, T, H)."""
        return _run(values, *self.weights())


def _run(values: Tensor, *weights: Tensor) -> Tensor:
    """One direction of one layer, from (B, T, D) to (B, T, H)."""
    zeros = values.new_zeros(1, len(values), weights[1].shape[1])
    state, bidirectional, batch_first = (zeros, zeros), False, True
    output: Tensor = torch.lstm(values, state, weights, True, 1, 0.0, False, bidirectional, batch_first)[0]
    return output


class _SideBySide(torch.autograd.Function):
    """Two directions at once, each on one core, forward and backward; autograd by itself uses one thread."""

    @staticmethod
    def forward(ctx: Any, ahead: Tensor, back: Tensor, *weights: Tensor) -> tuple[Tensor, Tensor]:
        half = len(weights) // 2
        sides = (ahead, *weights[:half]), (back, *weights[half:])
        ctx.graphs = both(*(partial(_with_graph, *side) for side in sides))
        return ctx.graphs[0][-1].detach(), ctx.graphs[1][-1].detach()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        sides = zip(ctx.graphs, gradients, strict=True)
        ahead, back = both(*(partial(torch.autograd.grad, graph[-1], graph[:-1], given) for graph, given in sides))
        return ahead[0], back[0], *ahead[1:], *back[1:]


@torch.enable_grad()
def _with_graph(*inputs: Tensor) -> list[Tensor]:
    """The leaves of a graph of its own, and what `_run` makes of them."""
    leaves = [tensor.detach().requires_grad_() for tensor in inputs]
    return [*leaves, _run(*leaves)]


class _Reordered(torch.autograd.Function):
    """Tokens in another order that is its own inverse: values (B, T, D), order (B, T).

    As `gather` along the tokens, but by whole rows, and its gradient is no scattered sum.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor, order: Tensor) -> Tensor:
        batch, tokens, size = values.shape
        starts = torch.arange(0, batch * tokens, tokens, device=order.device).unsqueeze(1)
        ctx.rows = (order + starts).flatten()
        return values.reshape(-1, size).index_select(0, ctx.rows).view(batch, tokens, size)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient.reshape(-1, gradient.shape[2]).index_select(0, ctx.rows).view_as(gradient), None


def reversal(lengths: Tensor, longest: int) -> Tensor:
    """Where each position of a reversed sentence comes from; its own inverse.

    Example:
        >>> reversal(torch.tensor([3, 1]), 3).tolist()
        [[2, 1, 0], [0, 1, 2]]
    """
    positions = torch.arange(longest, device=lengths.device).unsqueeze(0)  # (1, T)
    mirrored = lengths.unsqueeze(1) - 1 - positions  # (B, T)
    return torch.where(mirrored >= 0, mirrored, positions)
