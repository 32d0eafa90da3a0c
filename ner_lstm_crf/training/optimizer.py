"""The optimizer: schedule, clipping, dense and sparse AdamW or SGD, and the moving average of the weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import assert_never

import torch
from torch import Tensor
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd

from ner_lstm_crf.config import MAX_LR, MIN_LR, TrainingConfig
from ner_lstm_crf.isolation import computing
from ner_lstm_crf.kernels import available_for
from ner_lstm_crf.model.embedding.token_embedding import TensorBatch
from ner_lstm_crf.model.network import Network
from ner_lstm_crf.training.sparse_adamw import BETA1, BETA2, SparseAdamW

_PEAK_TIMES_STEPS = 7.5
_EPSILON = 1e-8  # that of torch.optim.AdamW, as in the kernel of `SparseAdamW`
# What torch calls the parts of the state of `SparseAdamW`.
_DENSE_NAMES = {"average": "average", "first": "exp_avg", "second": "exp_avg_sq"}


def peak_learning_rate(config: TrainingConfig, steps: int) -> float:
    """The highest learning rate of a training of so many steps.

    Unless `config` sets it, it is 7.5 / steps, from 0.0015 for 5,000 steps or more to 0.005 for 1,500 or less: a
    network has to go as far in a few steps as in many (docs/recipe.md).
    """
    if config.learning_rate is not None:
        return config.learning_rate
    return min(max(_PEAK_TIMES_STEPS / steps, MIN_LR), MAX_LR)


def learning_rate_factor(step: int, steps: int, steps_per_epoch: int, config: TrainingConfig) -> float:
    """The schedule: the share of the highest learning rate to use in step `step` of `steps`, counted from 0.

    Example:
        >>> [learning_rate_factor(step, 4, 2, TrainingConfig(warmup_ratio=0, schedule="linear")) for step in range(4)]
        [1.0, 0.75, 0.5, 0.25]
    """
    warmup = config.warmup_ratio * steps
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if config.schedule == "linear":
        return (steps - step) / max(steps - warmup, 1)
    if config.schedule == "inverse":
        return 1 / (1 + config.lr_decay * (step // steps_per_epoch))
    if config.schedule == "constant":
        return 1.0
    assert_never(config.schedule)


def clip_gradients(gradients: list[Tensor], max_norm: float) -> None:
    """Scale gradients in place so that their common norm is at most `max_norm` (Pascanu, Mikolov and Bengio 2013)."""
    norm = torch.stack(torch._foreach_norm(gradients)).norm()
    torch._foreach_mul_(gradients, torch.clamp(max_norm / (norm + 1e-6), max=1.0))


class _DenseWeights:
    """Weights that share a learning rate, and their moments, changed by AdamW or SGD of torch.

    The functions of `torch.optim` are called, not its classes: the first object of one imports what `torch.compile`
    needs, which takes longer than all else before the first epoch.

    Args:
        weights: The weights by name.
        config: The training.
        peak: Their highest learning rate.

    Attributes:
        peak: Their highest learning rate.
        moments: The tensors of each kind by the name of the weight: exp_avg, exp_avg_sq and step of AdamW;
            momentum_buffer of SGD with momentum.
    """

    def __init__(self, weights: Mapping[str, Tensor], config: TrainingConfig, peak: float) -> None:
        self._weights, self._config, self.peak = weights, config, peak
        kinds: Sequence[str] = ["momentum_buffer"] if config.momentum else []
        if config.optimizer == "adamw":
            kinds = ["exp_avg", "exp_avg_sq"]
        self.moments = {kind: {name: torch.zeros_like(weight) for name, weight in weights.items()} for kind in kinds}
        if config.optimizer == "adamw":
            self.moments["step"] = {
                name: torch.zeros((), dtype=torch.float32, device=weight.device) for name, weight in weights.items()
            }

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Change the weights that have a gradient along it, and remove it."""
        config = self._config
        names = [name for name, weight in self._weights.items() if weight.grad is not None]
        weights = [self._weights[name] for name in names]
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        moments = {kind: [of_kind[name] for name in names] for kind, of_kind in self.moments.items()}
        if not weights:
            return
        if config.optimizer == "adamw":
            adamw(
                weights,
                gradients,
                moments["exp_avg"],
                moments["exp_avg_sq"],
                [],
                moments["step"],
                fused=True,
                amsgrad=False,
                beta1=BETA1,
                beta2=BETA2,
                lr=learning_rate,
                weight_decay=config.weight_decay,
                eps=_EPSILON,
                maximize=False,
            )
        else:
            sgd(
                weights,
                gradients,
                list(moments.get("momentum_buffer", ())),
                fused=True,
                weight_decay=config.weight_decay,
                momentum=config.momentum,
                lr=learning_rate,
                dampening=0,
                nesterov=False,
                maximize=False,
            )
        for weight in weights:
            weight.grad = None


class Optimizer:
    """Changes the weights of a network along their gradients.

    For each batch the trainer calls `prepare` before the forward pass and `step` after the backward pass. With AdamW on
    a CPU, embedding tables are trained row by row (`SparseAdamW`), all else by the optimizer of torch.

    An exponential moving average of the weights is kept (Polyak and Juditsky 1992), which is better than the last of
    them. Its decay grows from 0 to `ema_decay` over the first steps, so that the first weights fade fast.

    Args:
        network: The network, which is trained in place.
        config: The training.
        epochs: Number of epochs, unless training stops early.
        steps_per_epoch: Steps of an epoch, by which the schedule counts; an epoch may have a few more or less.

    Attributes:
        steps: Number of steps taken.
        peak: The highest learning rate; a fine-tuned transformer has its own.
        learning_rate: The learning rate of the last step.
    """

    def __init__(self, network: Network, config: TrainingConfig, epochs: int, steps_per_epoch: int) -> None:
        self.config = config
        self.steps, self._schedule_step = 0, 0
        self._steps_per_epoch, self._scheduled_steps = steps_per_epoch, epochs * steps_per_epoch
        self.peak = self.learning_rate = peak_learning_rate(config, self._scheduled_steps)
        self._embedding = network.embedding

        # 1. Embedding tables: sparse where that is possible. Of the others with pretrained rows that learn more
        #    slowly: the weight (V, D) and the scale of each row (V, 1).
        scale, tables = config.pretrained_lr_scale, network.embedding.tables
        sparse = {
            name: one for name, one in tables.items() if config.optimizer == "adamw" and available_for(one.trainable)
        }
        self._sparse = SparseAdamW(sparse, config.weight_decay, scale)
        self._scaled: list[tuple[Tensor, Tensor]] = [
            (one.trainable, torch.where(one.pretrained, scale, 1.0).to(one.trainable).unsqueeze(1))
            for name, one in tables.items()
            if name not in sparse and scale != 1 and bool(one.pretrained.any())
        ]

        # 2. All other weights, in two groups: a fine-tuned transformer has a learning rate of its own.
        self._trained = {name: weight for name, weight in network.named_parameters() if weight.requires_grad}
        in_tables = {id(one.trainable) for one in sparse.values()}
        dense = {name: weight for name, weight in self._trained.items() if id(weight) not in in_tables}
        encoder = network.embedding.fine_tuned()
        in_transformer = set(map(id, encoder.parameters())) if encoder is not None else set[int]()
        slow = {name: weight for name, weight in dense.items() if id(weight) in in_transformer}
        fast = {name: weight for name, weight in dense.items() if name not in slow}
        self._weights = fast | slow
        self._dense = [_DenseWeights(fast, config, self.peak)]
        if slow:
            self._dense.append(_DenseWeights(slow, config, config.transformer_learning_rate))
        self._averages = [weight.detach().clone() for weight in self._weights.values()] if config.ema_decay else []

    def start_epoch(self, epoch: int) -> None:
        """Let the schedule go on with the first step of the epoch of that number, from 1."""
        self._schedule_step = (epoch - 1) * self._steps_per_epoch

    def prepare(self, batch: TensorBatch) -> None:
        """Bring the embedding rows of this batch up to date."""
        self._sparse.catch_up(self._embedding.table_ids(batch))

    def step(self) -> None:
        """Change the weights along their gradients, which are used up."""
        config, weights = self.config, list(self._weights.values())
        # 1. The learning rate of this step.
        step, steps = min(self._schedule_step, self._scheduled_steps - 1), self._scheduled_steps
        factor = learning_rate_factor(step, steps, self._steps_per_epoch, config)
        self.learning_rate = self.peak * factor
        # 2. Clip all gradients by their common norm.
        gradients = [weight.grad for weight in weights if weight.grad is not None] + self._sparse.gradients()
        if config.max_grad_norm:
            clip_gradients(gradients, config.max_grad_norm)
        # 3. Change the weights; in tables that are dense, change pretrained rows by their share of the step.
        before = [weight.detach().clone() for weight, _ in self._scaled]
        for part in self._dense:
            part.step(part.peak * factor)
        with torch.no_grad():
            for (weight, scale), old in zip(self._scaled, before, strict=True):
                weight.copy_(torch.lerp(old, weight, scale))
        torch.autograd.graph.increment_version(weights)  # which fused optimizers leave out
        # 4. The average follows.
        ema_decay = min(config.ema_decay, (2 + self.steps) / (11 + self.steps))
        self._sparse.step(self.learning_rate, ema_decay)
        if self._averages:
            torch._foreach_lerp_(self._averages, [weight.detach() for weight in weights], 1 - ema_decay)
        self.steps += 1
        self._schedule_step += 1

    @contextmanager
    def averaged_weights(self) -> Iterator[None]:
        """Within this context the network has the averaged weights; after it, its own again."""
        weights = [*self._weights.values(), *self._sparse.weights] if self.config.ema_decay else []
        averages = [*self._averages, *self._sparse.averages] if self.config.ema_decay else []
        with computing(), torch.no_grad():
            self._sparse.catch_up()
            own = [weight.clone() for weight in weights]
            for weight, average in zip(weights, averages, strict=True):
                weight.copy_(average)
        try:
            yield
        finally:
            with computing(), torch.no_grad():
                for weight, value in zip(weights, own, strict=True):
                    weight.copy_(value)

    def state(self) -> dict[str, Tensor]:
        """All that is needed to go on, the weights included: the tensors themselves, by name.

        Rows that are trained sparsely are up to date; so the state is the same as without the kernels.
        """
        tensors = {f"weight.{name}": weight.detach() for name, weight in self._trained.items()}
        tensors |= {f"average.{name}": average for name, average in zip(self._weights, self._averages, strict=False)}
        for part in self._dense:
            for kind, moments in part.moments.items():
                tensors |= {f"{kind}.{name}": moment for name, moment in moments.items()}
        for path, rows in self._sparse.state().items():
            table, _, name = path.rpartition(".")
            if name != "average" or self.config.ema_decay:
                tensors[f"{_DENSE_NAMES[name]}.embedding.{table}.table.trainable"] = rows
            tensors[f"step.embedding.{table}.table.trainable"] = torch.tensor(self.steps, dtype=torch.float32)
        return tensors | {"steps": torch.tensor(self.steps)}

    @torch.no_grad()
    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from what `state` returned, of an optimizer of the same network and configuration, on any device.

        Raises:
            ValueError: If it is the state of another; nothing is changed then.
        """
        own = self.state()
        shapes, others = ({name: one.shape for name, one in given.items()} for given in (own, tensors))
        if differing := sorted(name for name in {*own, *tensors} if shapes.get(name) != others.get(name)):
            raise ValueError(f"expected the state of the same network, '{differing[0]}' differs")
        for name, tensor in own.items():
            tensor.copy_(tensors[name])
        self.steps = int(tensors["steps"])
        self._sparse.resume_at(self.steps)
