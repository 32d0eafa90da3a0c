"""Token vectors in their context: a bidirectional LSTM (Graves and Schmidhuber 2005), with its dropout.

Letters: B sentences, T tokens of the longest, D vector size, H LSTM units per direction.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ner_lstm_crf.threads import one_thread, use_one_thread


class BiLstm(nn.Module):
    """Stacked bidirectional LSTM layers over padded batches.

    Each direction is an LSTM of its own, and the backward one reads every sentence reversed within its own length. So
    padding comes last for both and cannot reach a real token, and no sequence needs packing, which halves the speed of
    `nn.LSTM` on a CPU.

    Args:
        input_size: Size of a token's vector.
        hidden_size: Units per direction.
        layers: Number of layers; each reads both directions of the one below.
        residual: Add the input of each layer but the first to its output (He et al. 2016).
        dropouts: Rates of the variational dropout on the input of the first layer, of the dropped hidden-to-hidden
            weights (Merity et al. 2018) and of the variational dropout on the output of each layer.
        initialise: Draw good first weights, which takes a while; False if they are replaced anyway.

    Attributes:
        size: Size of a token's vector in context, 2 H.
        generator: The source of dropout; None for torch's own.
    """

    generator: torch.Generator | None = None

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
        self.input_rate, recurrent_rate, self.output_rate = dropouts
        sizes = [input_size] + [2 * hidden_size] * (layers - 1)
        one = partial(LstmDirection, hidden_size=hidden_size, recurrent_rate=recurrent_rate, initialise=initialise)
        self.forwards = nn.ModuleList(map(one, sizes))
        self.backwards = nn.ModuleList(map(one, sizes))
        self.size, self.residual = 2 * hidden_size, residual
        self._second_thread: ThreadPoolExecutor | None = None

    def forward(self, values: Tensor, lengths: Tensor) -> Tensor:
        """Vectors of each token in its context.

        Args:
            values: Token vectors (B, T, D); what is beyond a sentence's length is not read.
            lengths: Tokens of each sentence (B,).

        Returns:
            (B, T, 2 H), undefined beyond the lengths.
        """
        order = reversal(lengths, values.shape[1])  # (B, T)
        if self.training:
            values = variational_dropout(values, self.input_rate, self.generator)
        for depth, (forward_lstm, backward_lstm) in enumerate(zip(self.forwards, self.backwards, strict=True)):
            # 1. Each direction reads the tokens from its side. Dropped weights are drawn forward first.
            reverse = _Permuted.apply(values, order)  # type: ignore[no-untyped-call]
            weights = forward_lstm.weights(), backward_lstm.weights()  # type: ignore[operator]
            if self._second_thread is None:
                forward_out, backward_out = run_lstm(values, *weights[0]), run_lstm(reverse, *weights[1])
            else:
                inputs = values, reverse, *weights[0], *weights[1]
                forward_out, backward_out = _ParallelDirections.apply(self._second_thread, *inputs)  # type: ignore[no-untyped-call]
            # 2. Both outputs of a token side by side, the backward one put back into the order of the sentence.
            output = torch.cat([forward_out, _Permuted.apply(backward_out, order)], dim=-1)  # type: ignore[no-untyped-call]
            # 3. The residual connection, and dropout for the layer above.
            values = output + values if self.residual and depth else output
            if self.training:
                values = variational_dropout(values, self.output_rate, self.generator)
        return values

    @contextmanager
    def parallel_directions(self) -> Iterator[None]:
        """Compute the two directions at once, each on one thread, forward and backward pass, if torch may use several.

        Torch by itself shares every step between the threads, and waits for the slower one at each. Within the context
        it uses one thread for all else that the calling thread computes: the rest of a training step is too little to
        be shared.
        """
        if torch.get_num_threads() == 1:
            yield
            return
        with one_thread(), ThreadPoolExecutor(1, "backward-lstm", use_one_thread) as second_thread:
            self._second_thread = second_thread
            try:
                yield
            finally:
                self._second_thread = None


class LstmDirection(nn.Module):
    """One direction of one layer, with dropped hidden-to-hidden weights in training.

    Attributes:
        generator: The source of dropout; None for torch's own.
    """

    generator: torch.Generator | None = None

    def __init__(self, input_size: int, hidden_size: int, recurrent_rate: float, *, initialise: bool) -> None:
        super().__init__()
        self.lstm = nn.LSTM(input_size, hidden_size, batch_first=True)
        self.recurrent_rate = recurrent_rate
        if not initialise:
            return
        # Orthogonal recurrence, Glorot input weights, a forget gate that starts open (Jozefowicz et al. 2015).
        from_input, from_hidden, input_bias, hidden_bias = self.lstm.parameters()
        with torch.no_grad(), one_thread():  # several threads would round an orthogonal matrix otherwise
            for gate in range(4):
                nn.init.orthogonal_(from_hidden[gate * hidden_size : (gate + 1) * hidden_size])
                nn.init.xavier_uniform_(from_input[gate * hidden_size : (gate + 1) * hidden_size])
            input_bias.zero_()
            hidden_bias.zero_()
            input_bias[hidden_size : 2 * hidden_size] = 1  # torch orders the gates input, forget, cell, output

    def weights(self) -> list[Tensor]:
        """Weights from the input (4 H, D) and from the hidden state (4 H, H), some dropped in training, and biases."""
        weights: list[Tensor] = list(self.lstm.parameters())
        if self.training and self.recurrent_rate:
            weights[1] = drop_weights(weights[1], self.recurrent_rate, self.generator)
        return weights


def run_lstm(values: Tensor, *weights: Tensor) -> Tensor:
    """Run one direction of one layer: values (B, T, D) and `LstmDirection.weights` to (B, T, H)."""
    zeros = values.new_zeros(1, len(values), weights[1].shape[1])
    state, bidirectional, batch_first = (zeros, zeros), False, True
    output: Tensor = torch.lstm(values, state, weights, True, 1, 0.0, False, bidirectional, batch_first)[0]
    return output


class _ParallelDirections(torch.autograd.Function):
    """Both directions at once, each on one thread, forward and backward pass; autograd by itself uses one thread.

    The backward direction runs on the given second thread, the forward direction on the calling one.
    """

    @staticmethod
    def forward(
        ctx: Any, second_thread: ThreadPoolExecutor, values: Tensor, reverse: Tensor, *weights: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Outputs of both directions (B, T, H)."""
        # Each side has an autograd graph of its own, so that `backward` can give it to the same thread.
        half = len(weights) // 2
        inputs = (values, *weights[:half]), (reverse, *weights[half:])
        ctx.leaves = [[tensor.detach().requires_grad_() for tensor in side] for side in inputs]
        running = second_thread.submit(run_lstm, *ctx.leaves[1])  # in a thread of its own gradients are enabled
        with torch.enable_grad():
            ctx.outputs = run_lstm(*ctx.leaves[0]), running.result()
        ctx.second_thread = second_thread
        return ctx.outputs[0].detach(), ctx.outputs[1].detach()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of the values, the reversed values and the weights."""
        forward_side, backward_side = zip(ctx.outputs, ctx.leaves, gradients, strict=True)
        running = ctx.second_thread.submit(torch.autograd.grad, *backward_side)
        forwards, backwards = torch.autograd.grad(*forward_side), running.result()
        return None, forwards[0], backwards[0], *forwards[1:], *backwards[1:]


class _Permuted(torch.autograd.Function):
    """Tokens in another order that is its own inverse: values (B, T, D), order (B, T).

    As `gather` along the tokens, but by whole rows, and its gradient is no scattered sum.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor, order: Tensor) -> Tensor:
        """The values in this order (B, T, D)."""
        batch, tokens, size = values.shape
        starts = torch.arange(0, batch * tokens, tokens, device=order.device).unsqueeze(1)
        ctx.rows = (order + starts).flatten()
        return values.reshape(-1, size).index_select(0, ctx.rows).view(batch, tokens, size)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """The gradient in the same order, which is its own inverse (B, T, D)."""
        return gradient.reshape(-1, gradient.shape[2]).index_select(0, ctx.rows).view_as(gradient), None


def reversal(lengths: Tensor, longest: int) -> Tensor:
    """Order of the tokens of reversed sentences (B, T), each within its own length; its own inverse.

    Example:
        >>> reversal(torch.tensor([3, 1]), 3).tolist()
        [[2, 1, 0], [0, 1, 2]]
    """
    positions = torch.arange(longest, device=lengths.device).unsqueeze(0)  # (1, T)
    mirrored = lengths.unsqueeze(1) - 1 - positions  # (B, T)
    return torch.where(mirrored >= 0, mirrored, positions)


def variational_dropout(values: Tensor, rate: float, generator: torch.Generator | None = None) -> Tensor:
    """Values (B, T, D) with whole features set to zero: one mask per sentence, the same at each token.

    The features are drawn as in `drop_weights` (Gal and Ghahramani 2016, A theoretically grounded application of
    dropout in recurrent neural networks).
    """
    if rate == 0:
        return values
    return values * drop_weights(values.new_ones(values.shape[0], 1, values.shape[2]), rate, generator)


def drop_weights(weights: Tensor, rate: float, generator: torch.Generator | None = None) -> Tensor:
    """Weights with a share of `rate` (rounded to 1/256) set to zero and the others scaled to the same mean.

    As `nn.functional.dropout`, in a fifth of its time: eight draws are cut from each 64-bit random number.
    """
    limit = min(round(256 * rate), 255)
    count = weights.numel()
    numbers = torch.empty((count + 7) // 8, dtype=torch.int64, device=weights.device)
    numbers.random_(-(2**63), None, generator=generator)
    kept = numbers.view(torch.uint8)[:count].view(weights.shape) >= limit
    return weights * kept * (256 / (256 - limit))
