"""Word vectors that are moved where a batch reads them, against torch's AdamW on all of them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ner_lstm_crf.model.embedding.table import EmbeddingTable
from ner_lstm_crf.training.sparse_adamw import SparseAdamW

DECAY, KEPT, SCALE = 0.01, 0.99, 0.1
PRETRAINED = torch.tensor([False, True]).repeat(25)  # every second row learns at a tenth of the rate


def table_of(rows: torch.Tensor) -> EmbeddingTable:
    table = EmbeddingTable(*rows.shape)
    table.trainable.data.copy_(rows)
    table.pretrained.copy_(PRETRAINED[: len(rows)])
    return table


class Trained:
    """Two tables trained both ways on the same sparse gradients: the first row by row, its twin by AdamW of torch.

    Attributes:
        table: The table whose rows are trained.
        sparse: What trains them, and those of a second table.
        dense: The weight that AdamW of torch trains.
        average: Its moving average.
    """

    def __init__(self, steps: int, *, saved_at: int | None = None, restored: bool = False) -> None:
        random = torch.Generator().manual_seed(0)
        start = torch.randn(50, 4, generator=random)
        self.table, other = table_of(start.clone()), table_of(torch.ones(3, 2))
        self.sparse = SparseAdamW({"word": self.table, "bigrams": other}, DECAY, SCALE)
        self.dense, self.average = nn.Parameter(start.clone()), start.clone()
        adamw = torch.optim.AdamW([self.dense], lr=1.0, weight_decay=DECAY)
        lr_scale = torch.where(PRETRAINED, SCALE, 1.0).unsqueeze(1)
        for step in range(steps):
            rate = 0.01 * (1 - step / steps / 2)
            # Frequent rows, rare ones and, from 40 on, some that are never read.
            weights = torch.cat([torch.ones(5), torch.full((35,), 0.05), torch.zeros(10)])
            read = torch.multinomial(weights, 6, generator=random)
            gradient = torch.randn(6, 4, generator=random) + 0.3
            # 1. Row by row.
            self.sparse.catch_up({"word": read, "bigrams": torch.tensor([2])})
            version = self.table.trainable._version
            ((self.table(read) * gradient).sum() + other(torch.tensor([2])).sum()).backward()
            assert [len(rows) for rows in self.sparse.gradients()] == [6, 1]
            self.sparse.step(rate, KEPT)
            assert self.table.trainable._version > version  # whoever computed something from the weight can tell
            # 2. All rows at once.
            self.dense.grad = torch.zeros(50, 4).index_add_(0, read, gradient)
            adamw.param_groups[0]["lr"] = rate
            before = self.dense.detach().clone()
            adamw.step()
            self.dense.data.lerp_(before, 1 - lr_scale)
            self.average.lerp_(self.dense.detach(), 1 - KEPT)
            state = self.sparse.state() if step == saved_at else None
            if state is not None and restored:
                state = {name: tensor.clone() for name, tensor in state.items()}
                self.table, other = table_of(self.table.trainable.detach().clone()), table_of(other.trainable.detach())
                self.sparse = SparseAdamW({"word": self.table, "bigrams": other}, DECAY, SCALE)
                for name, tensor in self.sparse.state().items():
                    tensor.copy_(state[name])
                self.sparse.resume_at(step + 1)


@pytest.mark.parametrize("steps", [1, 30, 400, 1500])
def test_rows_end_where_adamw_takes_them(steps: int) -> None:
    end = Trained(steps)
    end.sparse.catch_up()
    distance = (end.dense - Trained(0).dense).abs().mean()
    assert (end.table.trainable - end.dense).abs().mean() < 0.01 * distance
    assert (end.sparse.averages[0] - end.average).abs().mean() < 0.03 * distance


def test_a_row_that_is_read_is_up_to_date() -> None:
    end = Trained(300)
    stale = (end.table.trainable - end.dense).abs().amax(1)
    end.sparse.catch_up({"word": torch.arange(20, 30)})
    fresh = (end.table.trainable - end.dense).abs().amax(1)
    assert fresh[20:30].max() < 0.1 * stale[20:30].max()
    assert torch.equal(fresh[30:], stale[30:])


def test_a_row_that_is_never_read_only_shrinks() -> None:
    end = Trained(300)
    end.sparse.catch_up()
    torch.testing.assert_close(end.table.trainable[40:], end.dense[40:])
    assert (end.table.trainable[40:].abs() < Trained(0).dense[40:].abs()).all()


def test_catching_up_twice_is_catching_up_once() -> None:
    end = Trained(100)
    end.sparse.catch_up()
    before = end.table.trainable.detach().clone(), end.sparse.averages[0].clone()
    end.sparse.catch_up()
    assert torch.equal(end.table.trainable, before[0])
    assert torch.equal(end.sparse.averages[0], before[1])


def test_restored_rows_go_on_as_if_nothing_had_been() -> None:
    restored, unbroken = (Trained(300, saved_at=150, restored=restored) for restored in (True, False))
    expected = unbroken.sparse.state()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in restored.sparse.state().items())
    assert torch.equal(restored.table.trainable, unbroken.table.trainable)


def test_gradients_are_sparse_from_the_reading_of_a_batch_to_its_step() -> None:
    table = table_of(torch.ones(9, 2))
    sparse = SparseAdamW({"word": table}, DECAY, SCALE)
    sparse.catch_up({"word": torch.tensor([4, 4])})
    table(torch.tensor([4, 4, 3])).sum().backward()
    assert table.trainable.grad is not None
    assert table.trainable.grad.is_sparse
    (gradient,) = sparse.gradients()
    assert gradient.tolist() == [[1, 1], [2, 2]]
    sparse.step(0.1, KEPT)
    assert table.trainable.grad is None
    table(torch.tensor([4])).sum().backward()
    assert not table.trainable.grad.is_sparse


def test_tables_without_a_gradient_are_refused() -> None:
    with pytest.raises(ValueError, match="expected a gradient"):
        SparseAdamW({"word": table_of(torch.zeros(2, 2))}, DECAY, SCALE).gradients()
