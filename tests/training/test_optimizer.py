"""The schedule, clipping, and the averaged weights."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from ner_lstm_crf.config import Config, TrainingConfig
from ner_lstm_crf.model.embedding.token_embedding import TensorBatch
from ner_lstm_crf.model.network import Network
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.text.annotation import Sentence
from ner_lstm_crf.training.optimizer import (
    Optimizer,
    _DenseWeights,
    clip_gradients,
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


@pytest.fixture
def parts(make_sentences: Callable[..., list[Sentence]], tiny: Config) -> tuple[Network, TensorBatch]:
    """A network, and a batch that it learns from."""
    sentences = make_sentences(7)
    model = Model.build(sentences, tiny.model)
    network, encoded = model.networks[0], model.encode(sentences, gold=True)
    return network, network.tensors(encoded.training_batch(range(len(sentences))))


def take_step(optimizer: Optimizer, network: Network, batch: TensorBatch) -> None:
    optimizer.prepare(batch)
    network.loss(batch).sum().backward()
    optimizer.step()


@pytest.mark.parametrize("kernels", [True, False])
@pytest.mark.parametrize("decay", [0.9, 0.0])
def test_average_is_the_exponential_moving_average_with_a_warm_up(
    parts: tuple[Network, TensorBatch], decay: float, kernels: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not kernels:
        monkeypatch.setattr("ner_lstm_crf.training.optimizer.available_for", lambda _: False)
    network, batch = parts
    optimizer = Optimizer(network, TrainingConfig(learning_rate=0.01, ema_decay=decay), 10, 20)
    weights = (network.projection.bias, network.embedding.tables["word"].trainable)
    average = [weight.detach().clone() for weight in weights]
    for step in range(1, 60):
        take_step(optimizer, network, batch)
        kept = min(decay, (1 + step) / (10 + step))
        average = [kept * old + (1 - kept) * weight.detach() for old, weight in zip(average, weights, strict=True)]
    own = [weight.detach().clone() for weight in weights]
    with optimizer.averaged_weights():
        for weight, value in zip(weights, average, strict=True):
            torch.testing.assert_close(weight.detach(), value, rtol=1e-3, atol=1e-4)
        assert torch.equal(weights[0], own[0]) == (decay == 0)
    assert torch.equal(weights[0], own[0])


def test_each_epoch_begins_its_own_part_of_the_schedule(parts: tuple[Network, TensorBatch]) -> None:
    """However many steps the epoch before it had."""
    config = TrainingConfig(learning_rate=0.1, schedule="inverse", lr_decay=1.0, warmup_ratio=0)
    optimizer = Optimizer(parts[0], config, 3, 2)
    rates = []
    for epoch, steps in ((1, 1), (2, 3), (3, 4)):
        optimizer.start_epoch(epoch)
        for _ in range(steps):
            take_step(optimizer, *parts)
            rates.append(optimizer.learning_rate)
    assert rates == pytest.approx([0.1 / share for share in (1, 2, 2, 3, 3, 3, 3, 3)])


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


@pytest.mark.parametrize("settings", [{}, {"optimizer": "sgd"}, {"optimizer": "sgd", "momentum": 0.9}], ids=str)
def test_a_state_has_the_same_names_and_shapes_from_the_beginning(
    parts: tuple[Network, TensorBatch], settings: dict[str, Any]
) -> None:
    """State that torch would add at a later step would be missed by whoever compares the state with a saved one."""
    optimizer = Optimizer(parts[0], TrainingConfig(**settings, learning_rate=0.1), 1, 9)
    before = {name: tensor.shape for name, tensor in optimizer.state().items()}
    take_step(optimizer, *parts)
    after = {name: tensor.shape for name, tensor in optimizer.state().items()}
    assert before == after
    kept = {name.partition(".")[0] for name in after} - {"sparse", "weight", "average", "steps"}
    sgd = {"momentum_buffer"} if settings.get("momentum") else set()
    assert kept == (sgd if settings else {"exp_avg", "exp_avg_sq", "step"})


@pytest.mark.parametrize("settings", [{}, {"optimizer": "sgd"}, {"optimizer": "sgd", "momentum": 0.9}], ids=str)
def test_dense_weights_go_where_the_classes_of_torch_take_them(settings: dict[str, Any]) -> None:
    config = TrainingConfig(**settings, learning_rate=0.1, weight_decay=0.02)
    source = torch.Generator().manual_seed(1)
    ours, theirs = ({name: nn.Parameter(torch.full((2, 3), 0.5)) for name in "abc"} for _ in range(2))
    weights = _DenseWeights(ours, config, 0.1)
    optimizer = (
        torch.optim.SGD(theirs.values(), momentum=config.momentum, weight_decay=0.02)
        if settings
        else torch.optim.AdamW(theirs.values(), weight_decay=0.02)
    )
    for step in range(30):
        rate = optimizer.param_groups[0]["lr"] = 0.1 / (1 + step)
        for name in ours:
            if name != "c" or step % 3:  # a weight without a gradient stays
                gradient = torch.randn(2, 3, generator=source)
                ours[name].grad, theirs[name].grad = gradient.clone(), gradient.clone()
        weights.step(rate)
        optimizer.step()
        optimizer.zero_grad()
        for name, weight in ours.items():
            assert weight.grad is None
            torch.testing.assert_close(weight, theirs[name])


def test_a_training_does_not_import_what_compiles_networks(tmp_path: Path) -> None:
    """It would take longer than all else before the first epoch."""
    code = (
        "import sys; from ner_lstm_crf import Data, Sentence, train\n"
        "sentences = [Sentence.from_words(['Ada'], [(0, 1, 'PER')])] * 4\n"
        "train(Data(sentences, sentences), 'small', sys.argv[1], epochs=1, progress=False)\n"
        "assert 'torch' in sys.modules and 'torch._dynamo' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "model")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
