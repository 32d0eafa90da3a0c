"""AdamW for embedding tables, at the cost of the rows that a batch reads."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ner_lstm_crf.features.vocabulary import UNKNOWN
from ner_lstm_crf.kernels import kernel
from ner_lstm_crf.model.embedding.table import EmbeddingTable

BETA1, BETA2 = 0.9, 0.999  # the decay of Adam's two moments: those of torch.optim.AdamW, as in the kernel
# The first moment over the root of the second, 0, 1, ... steps after a gradient, as a share of what it was.
_FADING = (BETA1 / BETA2**0.5) ** np.arange(256)


@dataclass(slots=True)
class _TableState:
    """The state of one table of V rows of D values.

    Attributes:
        table: The table; its trainable rows are changed in place.
        lr_scale: Learning rate of each row, as a share of that of the others (V,).
        average: The exponential moving average of the rows (V, D).
        first: Adam's first moment (V, D).
        second: Adam's second moment (V, D).
        last_step: The step that each row is up to date with (V,).
    """

    table: EmbeddingTable
    lr_scale: Tensor
    average: Tensor
    first: Tensor
    second: Tensor
    last_step: Tensor


class SparseAdamW:
    """AdamW (Loshchilov and Hutter 2019) and an exponential moving average for embedding tables.

    AdamW changes all rows of a table at every step, and a table has thousands of times as many as a batch reads. But a
    row without a gradient only follows its momentum, which fades as a geometric series, shrinks by the weight decay,
    and draws its average near. So such rows are left alone, and what they missed is summed up when they are read again:
    the same training, except that the average takes the whole sum of the series in one step.

    A step of training calls `catch_up` before the batch is read, `gradients` and `step` after the backward pass.

    Letters: V rows of a table, R rows that a batch reads, D values of a row.

    Args:
        tables: The tables by name; there must be kernels for their weights (`kernels.available_for`).
        weight_decay: Decoupled weight decay.
        pretrained_lr_scale: Learning rate of pretrained rows, as a share of that of the others.

    Attributes:
        steps: Number of steps taken.
        weights: The trainable rows of each table (V, D).
        averages: Their averages (V, D), up to date for the rows that the table is up to date for.
    """

    def __init__(self, tables: Mapping[str, EmbeddingTable], weight_decay: float, pretrained_lr_scale: float) -> None:
        self.weight_decay, self.steps = weight_decay, 0
        self._tables: dict[str, _TableState] = {}
        for name, table in tables.items():
            weight = table.trainable.detach()
            lr_scale = torch.where(table.pretrained, pretrained_lr_scale, 1.0).to(weight)
            last_step = torch.zeros(len(weight), dtype=torch.int64)
            moments = torch.zeros_like(weight), torch.zeros_like(weight)
            self._tables[name] = _TableState(table, lr_scale, weight.clone(), *moments, last_step)
        self.weights: list[Tensor] = [state.table.trainable for state in self._tables.values()]
        self.averages = [state.average for state in self._tables.values()]
        # By step: how far the momentum after it has carried a row since, as a multiple of first / sqrt(second); and the
        # logarithms of what weight decay leaves of a weight until then, and steps leave of an average.
        self._history = torch.zeros(3, 1024, dtype=torch.float64)

    def catch_up(self, ids: Mapping[str, Tensor] | None = None) -> None:
        """Bring rows up to date before they are read, and let the gradient of their tables be sparse until `step`.

        Args:
            ids: The ids that a batch reads, by the name of the table; None for all rows of all tables.
        """
        for name, state in self._tables.items():
            if ids is None:
                rows = torch.nonzero(state.last_step < self.steps)[:, 0]
            elif name in ids:  # dropout may put the unknown word in the place of any other
                rows = state.table.trainable_rows(ids[name].flatten())
                rows = torch.unique(torch.cat([rows, rows.new_tensor([UNKNOWN])]))
                state.table.sparse_gradient = True
            else:
                continue
            self._call("sparse_adamw_catch_up", state, rows, self._history.data_ptr(), self._history.shape[1])

    def gradients(self) -> list[Tensor]:
        """The gradients of the rows that the batch read, (R, D) for each table: changed in place, they change the step.

        Raises:
            ValueError: If there is none.
        """
        gradients = []
        for weight in self.weights:
            if weight.grad is None:
                raise ValueError("expected a gradient, got none")
            weight.grad = weight.grad.coalesce()
            gradients.append(weight.grad.values())
        return gradients

    def step(self, learning_rate: float, ema_decay: float) -> None:
        """Change the rows that the batch read along their gradients, which are used up.

        Args:
            learning_rate: The learning rate of rows that are not pretrained.
            ema_decay: Share of the average that this step keeps; 0 makes the average the row itself.
        """
        self.steps += 1
        if not self._tables:
            return
        # 1. Note what this step does to the rows that it does not read.
        if self.steps == self._history.shape[1]:
            self._history = torch.cat([self._history, torch.zeros_like(self._history)], dim=1)
        correction1, correction2 = 1 - BETA1**self.steps, 1 - BETA2**self.steps  # of moments that began at zero
        recent = min(self.steps, len(_FADING) - 1)
        fading = torch.from_numpy(_FADING[recent:0:-1].copy())
        carried = fading * (learning_rate * math.sqrt(correction2) / correction1)
        self._history[0, self.steps - recent : self.steps] += carried
        kept = math.log1p(-learning_rate * self.weight_decay), math.log(max(ema_decay, 1e-30))  # no logarithm of 0
        logs = torch.tensor(kept, dtype=torch.float64)
        self._history[1:, self.steps] = self._history[1:, self.steps - 1] + logs
        # 2. Change those that it reads.
        numbers = torch.tensor([learning_rate, self.weight_decay, ema_decay], dtype=torch.float64)
        for state in self._tables.values():
            if (gradient := state.table.trainable.grad) is not None:
                values = gradient.values().contiguous()
                self._call("sparse_adamw_step", state, gradient.indices()[0], values.data_ptr(), numbers.data_ptr())
            state.table.trainable.grad, state.table.sparse_gradient = None, False

    def _call(self, name: str, state: _TableState, rows: Tensor, *more: int) -> None:
        """Call one of the kernels in `kernels/sparse_adamw.c` for these rows (R,), rising and without repetition.

        Raises:
            ValueError: If a row is out of range, or the table is another than at first.
        """
        weight, rows = state.table.trainable, rows.contiguous()
        tensors = (weight, state.average, state.first, state.second, state.last_step, state.lr_scale, rows)
        if len(rows) and not (int(rows[0]) >= 0 and int(rows[-1]) < len(weight)):
            raise ValueError(f"expected rows from 0 to {len(weight) - 1}, got one out of range")
        if not weight.is_contiguous() or (weight.shape, weight.dtype) != (state.average.shape, state.average.dtype):
            raise ValueError(f"expected a table of shape {tuple(state.average.shape)}, got {tuple(weight.shape)}")
        addresses = [tensor.data_ptr() for tensor in tensors]
        kernel(name, weight.dtype)(*addresses, len(rows), weight.shape[1], self.steps, *more)
        with torch.no_grad():
            weight[:0].zero_()  # tells torch, and what was computed from the weight, that it has changed

    def state(self) -> dict[str, Tensor]:
        """The tensors needed to go on, beside the number of steps, by name; all rows are brought up to date."""
        self.catch_up()
        return {
            f"{name}.{part}": getattr(state, part)
            for name, state in self._tables.items()
            for part in ("average", "first", "second")
        }

    def resume_at(self, steps: int) -> None:
        """Go on after so many steps, once the tensors of `state` have the values that they had then."""
        self.steps = steps
        self._history = torch.zeros(3, steps + 1024, dtype=torch.float64)
        for state in self._tables.values():
            state.last_step.fill_(steps)
