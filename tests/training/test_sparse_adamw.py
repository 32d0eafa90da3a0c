"""Word vectors that are moved where a batch reads them, against torch's AdamW on all of them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ner_lstm_crf.training.sparse_adamw import WordRows

DECAY, KEPT = 0.01, 0.99
SHARES = torch.tensor([1.0, 0.1]).repeat(25)  # of the learning rate: every second row has a tenth


def trained(
    steps: int, *, seed: int = 0, saved_at: int | None = None, restored: bool = False
) -> tuple[WordRows, nn.Parameter, torch.Tensor]:
    """Rows trained both ways on the same sparse gradients: the rows, AdamW's weight, and its average."""
    random = torch.Generator().manual_seed(seed)
    start = torch.randn(50, 4, generator=random)
    rows, dense = WordRows(nn.Parameter(start.clone()), DECAY, SHARES), nn.Parameter(start.clone())
    adam, average = torch.optim.AdamW([dense], lr=1.0, weight_decay=DECAY), start.clone()
    for step in range(steps):
        rate = 0.01 * (1 - step / steps / 2)
        # Frequent rows, rare ones and, from 40 on, some that are never read.
        weights = torch.cat([torch.ones(5), torch.full((35,), 0.05), torch.zeros(10)])
        read = torch.multinomial(weights, 6, generator=random)
        rows.catch_up(read)
        version = rows.weight._version
        gradient = torch.randn(6, 4, generator=random) + 0.3
        rows.step(read, gradient, rate, KEPT)
        assert rows.weight._version > version  # whoever computed something from the weight can tell
        dense.grad = torch.zeros(50, 4).index_add_(0, read, gradient)
        adam.param_groups[0]["lr"] = rate
        before = dense.detach().clone()
        adam.step()
        dense.data.lerp_(before, 1 - SHARES.unsqueeze(1))
        average.lerp_(dense.detach(), 1 - KEPT)
        state = rows.state() if step == saved_at else None
        if state is not None and restored:
            tensors, numbers = state
            copy = WordRows(nn.Parameter(rows.weight.detach().clone()), DECAY, SHARES)
            copy.restore({name: tensor.clone() for name, tensor in tensors.items()}, numbers)
            rows = copy
    return rows, dense, average


@pytest.mark.parametrize("steps", [1, 30, 400, 1500])
def test_rows_end_where_adamw_moves_them(steps: int) -> None:
    rows, dense, average = trained(steps)
    rows.catch_up()
    moved = (dense - trained(0)[1]).abs().mean()
    assert (rows.weight - dense).abs().mean() < 0.01 * moved
    assert (rows.average - average).abs().mean() < 0.03 * moved


def test_a_row_that_is_read_is_up_to_date() -> None:
    rows, dense, _ = trained(300)
    stale = (rows.weight - dense).abs().amax(1)
    rows.catch_up(torch.arange(20, 30))
    fresh = (rows.weight - dense).abs().amax(1)
    assert fresh[20:30].max() < 0.1 * stale[20:30].max()
    assert torch.equal(fresh[30:], stale[30:])


def test_a_row_that_is_never_read_only_shrinks() -> None:
    rows, dense, _ = trained(300)
    rows.catch_up()
    torch.testing.assert_close(rows.weight[40:], dense[40:])
    assert (rows.weight[40:].abs() < trained(0)[1][40:].abs()).all()


def test_catching_up_twice_is_catching_up_once() -> None:
    rows, _, _ = trained(100)
    rows.catch_up()
    before = rows.weight.detach().clone(), rows.average.clone()
    rows.catch_up()
    assert torch.equal(rows.weight, before[0])
    assert torch.equal(rows.average, before[1])


def test_restored_rows_go_on_as_if_nothing_had_been() -> None:
    (rows, *_), (unbroken, *_) = (trained(300, saved_at=150, restored=restored) for restored in (True, False))
    assert rows is not unbroken
    for one in (rows, unbroken):
        one.catch_up()
    assert torch.equal(rows.weight, unbroken.weight)
    assert torch.equal(rows.average, unbroken.average)


def test_rows_without_a_gradient_are_refused() -> None:
    with pytest.raises(ValueError, match="expected a gradient"):
        WordRows(nn.Parameter(torch.zeros(2, 2)), DECAY, torch.ones(2)).gradient()
