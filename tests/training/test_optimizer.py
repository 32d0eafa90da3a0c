"""The learning rate over time and the averaged weights."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import pytest
import torch
from torch import nn
from torch.optim import SGD, AdamW

from ner_lstm_crf.config import TrainingConfig
from ner_lstm_crf.training.optimizer import (
    ExponentialMovingAverage,
    clip_gradients,
    kept_by_optimizer,
    learning_rate_factor,
    peak_learning_rate,
)


def test_linear_schedule_rises_then_falls_to_nothing() -> None:
    config = TrainingConfig(schedule="linear", warmup_ratio=0.1)
    factors = [learning_rate_factor(step, 100, 10, config) for step in range(100)]
    assert factors.index(max(factors)) == 10
    assert max(factors) == 1.0
    assert all(a < b for a, b in pairwise(factors[:11]))
    assert all(a > b for a, b in pairwise(factors[10:]))
    assert 0 < factors[-1] < 0.02


def test_inverse_schedule_is_that_of_ma_and_hovy() -> None:
    config = TrainingConfig(schedule="inverse", lr_decay=0.05, warmup_ratio=0)
    assert [learning_rate_factor(step, 40, 10, config) for step in (0, 9, 10, 39)] == pytest.approx(
        [1, 1, 1 / 1.05, 1 / 1.15]
    )


def test_the_fewer_steps_the_higher_is_the_learning_rate() -> None:
    config = TrainingConfig()
    rates = [peak_learning_rate(config, steps) for steps in (1, 100, 1500, 2000, 3000, 5000, 50_000)]
    assert rates == pytest.approx([0.005, 0.005, 0.005, 0.00375, 0.0025, 0.0015, 0.0015])
    assert peak_learning_rate(TrainingConfig(learning_rate=0.3), 2000) == 0.3
    assert peak_learning_rate(TrainingConfig(learning_rate=0.0), 2000) == 0.0


def test_average_is_the_exponential_moving_average_with_a_warm_up() -> None:
    module = nn.Linear(1, 1, bias=False)
    average = ExponentialMovingAverage(list(module.parameters()), 0.9)
    value = module.weight.item()
    for step in range(1, 200):
        with torch.no_grad():
            module.weight.fill_(step)
        average.update()
        decay = min(0.9, (1 + step) / (10 + step))
        value = decay * value + (1 - decay) * step
    with average.applied():
        assert module.weight.item() == pytest.approx(value, rel=1e-5)
    assert module.weight.item() == 199


def test_no_decay_means_the_weights_themselves() -> None:
    module = nn.Linear(1, 1)
    average = ExponentialMovingAverage(list(module.parameters()), 0.0)
    with torch.no_grad():
        module.weight.fill_(3)
    average.update()
    with average.applied():
        assert module.weight.item() == 3


@pytest.mark.parametrize("largest", [0.5, 5.0, 50.0])
def test_gradients_are_clipped_to_their_common_norm(largest: float) -> None:
    parameters = [nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(2, 2))]
    for parameter, value in zip(parameters, (3.0, 4.0), strict=True):
        parameter.grad = torch.full_like(parameter, value)
    ours = [parameter.grad.clone() for parameter in parameters if parameter.grad is not None]
    clip_gradients(ours, largest)
    nn.utils.clip_grad_norm_(parameters, largest)
    for one, parameter in zip(ours, parameters, strict=True):
        torch.testing.assert_close(one, parameter.grad)


@pytest.mark.parametrize(("optimizer", "momentum"), [("adamw", 0.0), ("sgd", 0.0), ("sgd", 0.9)])
def test_what_an_optimizer_keeps_is_known(optimizer: Literal["adamw", "sgd"], momentum: float) -> None:
    config = TrainingConfig(optimizer=optimizer, momentum=momentum, learning_rate=0.1)
    weight = nn.Parameter(torch.ones(2))
    made = AdamW([weight]) if optimizer == "adamw" else SGD([weight], momentum=momentum)
    weight.grad = torch.ones(2)
    made.step()
    kept = {name for name, value in made.state[weight].items() if value is not None}
    assert kept == set(kept_by_optimizer(config))
