"""The word vectors in training: moved only where a batch reads them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ner_lstm_crf.kernels import kernel, serves

__all__ = ["WordRows"]

_MOMENTUM, _VARIANCE = 0.9, 0.999  # those of torch.optim.AdamW, as in the kernel
# What is left of a step of momentum, over what is left of the root mean square it is divided by, after 0, 1, ... steps.
_FADING = (_MOMENTUM / _VARIANCE**0.5) ** np.arange(256)


class WordRows:
    """AdamW (Loshchilov and Hutter 2019) and a running average of word vectors, at the cost of the rows in use.

    AdamW moves all rows at every step, and a corpus has thousands of times as many as a batch. But a row that no batch
    reads only follows its momentum, which dies away as a geometric series, shrinks by the weight decay, and draws its
    average near. So it is left alone, and what it missed is summed up when it is read again: the same training, but
    that the average sees the sum of the series at once.

    Letters: V rows, R rows of a batch, D size of a vector.

    Args:
        weight: The vectors (V, D), which have to be ones that `serves` accepts, and their gradient sparse.
        decay: Decoupled weight decay.
        shares: What share of the learning rate each row has (V,).

    Attributes:
        average: The running average (V, D), up to date for the rows that the weight is up to date for.
        steps: How many steps there were.
    """

    def __init__(self, weight: nn.Parameter, decay: float, shares: Tensor) -> None:
        self.weight, self.decay, self.steps = weight, decay, 0
        self._shares = shares.to(weight)
        self.average = weight.detach().clone()
        self._first, self._second = torch.zeros_like(self.average), torch.zeros_like(self.average)
        self._last = torch.zeros(len(weight), dtype=torch.int64)  # the step each row is up to date with
        # By step: how far the momentum after it has carried since, as a multiple of first / sqrt(second); and the logs
        # of what weight decay has left of a weight until then, and steps of an average.
        self._history = torch.zeros(3, 1024, dtype=torch.float64)

    @staticmethod
    def serves(weight: Tensor) -> bool:
        """Whether there are kernels for such a weight; torch's AdamW moves all rows of another."""
        return weight.is_contiguous() and serves(weight)

    def gradient(self) -> tuple[Tensor, Tensor]:
        """The rows that have one (R,) and their gradients (R, D)."""
        if self.weight.grad is None:
            raise ValueError("expected a gradient, got none")
        gradient = self.weight.grad.coalesce()
        return gradient.indices()[0], gradient.values()

    def catch_up(self, rows: Tensor | None = None) -> None:
        """Let these rows (R,), without repetition, or all have what they missed: to be called before they are read."""
        if rows is None:
            rows = torch.nonzero(self._last < self.steps)[:, 0]
        self._call("word_rows_catch_up", rows, self._history.data_ptr(), self._history.shape[1])

    def step(self, rows: Tensor, gradients: Tensor, rate: float, average_kept: float) -> None:
        """One step of AdamW for the rows of a batch.

        Args:
            rows: The rows (R,), without repetition and up to date.
            gradients: Their gradients (R, D).
            rate: The learning rate.
            average_kept: What the average keeps of itself; 0 makes it the weights.
        """
        self.steps += 1
        self._note(rate, average_kept)
        gradients = gradients.contiguous()
        numbers = torch.tensor([rate, self.decay, average_kept], dtype=torch.float64)
        self._call("word_rows_step", rows, gradients.data_ptr(), numbers.data_ptr())

    def _call(self, name: str, rows: Tensor, *more: int) -> None:
        """Call one of the kernels in `kernels/word_rows.c`."""
        rows, count = rows.contiguous(), len(rows)
        tables = (self.weight, self.average, self._first, self._second, self._last, self._shares)
        addresses = [table.data_ptr() for table in (*tables, rows)]
        kernel(name, self.weight.dtype)(*addresses, count, self.weight.shape[1], self.steps, *more)
        with torch.no_grad():
            self.weight[:0].zero_()  # tells torch, and what was computed from the weight, that it has changed

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and numbers that `restore` needs; everything is brought up to date."""
        self.catch_up()
        return {"average": self.average, "first": self._first, "second": self._second}, {"steps": self.steps}

    @torch.no_grad()
    def restore(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
        """Take up what `state` returned."""
        for name, own in (("average", self.average), ("first", self._first), ("second", self._second)):
            own.copy_(tensors[name])
        self.steps = numbers["steps"]
        self._last.fill_(self.steps)
        self._history = torch.zeros(3, self.steps + 1024, dtype=torch.float64)

    def _note(self, rate: float, average_kept: float) -> None:
        if self.steps == self._history.shape[1]:
            self._history = torch.cat([self._history, torch.zeros_like(self._history)], dim=1)
        of_first, of_second = 1 - _MOMENTUM**self.steps, 1 - _VARIANCE**self.steps
        recent = min(self.steps, len(_FADING) - 1)
        fading = torch.from_numpy(_FADING[recent:0:-1].copy())
        self._history[0, self.steps - recent : self.steps] += fading * (rate * math.sqrt(of_second) / of_first)
        # Of an average that keeps nothing, 1e-30 is left after a step.
        logs = torch.tensor([math.log1p(-rate * self.decay), math.log(max(average_kept, 1e-30))], dtype=torch.float64)
        self._history[1:, self.steps] = self._history[1:, self.steps - 1] + logs
