"""How weights move: optimizers, the learning rate over time, averaged weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

from ner_lstm_crf.config import TrainingConfig
from ner_lstm_crf.model.network import Network

__all__ = ["AveragedWeights", "learning_rate_factor", "make_optimizer", "set_learning_rate"]


def make_optimizer(network: Network, config: TrainingConfig) -> Optimizer:
    """The optimizer of `config`, with a learning rate of its own for a fine-tuned transformer."""
    contextual = network.embedding.contextual
    slow = (
        [] if contextual is None else [weight for weight in contextual.transformer.parameters() if weight.requires_grad]
    )
    theirs = {id(weight) for weight in slow}
    fast = [weight for weight in network.parameters() if weight.requires_grad and id(weight) not in theirs]
    groups: list[dict[str, object]] = [{"params": fast, "peak": config.learning_rate}]
    if slow:
        groups.append({"params": slow, "peak": config.transformer_learning_rate})
    if config.optimizer == "sgd":
        return SGD(
            groups, lr=config.learning_rate, momentum=config.momentum, weight_decay=config.weight_decay, fused=True
        )
    return AdamW(groups, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True)


def learning_rate_factor(step: int, steps: int, steps_per_epoch: int, config: TrainingConfig) -> float:
    """The share of the highest learning rate to use in step `step` of `steps`, counted from 0.

    Example:
        >>> [learning_rate_factor(step, 4, 2, TrainingConfig(warmup=0, schedule="linear")) for step in range(4)]
        [1.0, 0.75, 0.5, 0.25]
    """
    warmup = config.warmup * steps
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if config.schedule == "linear":
        return (steps - step) / max(steps - warmup, 1)
    if config.schedule == "inverse":
        return 1 / (1 + config.decay * (step // steps_per_epoch))
    return 1.0


def set_learning_rate(optimizer: Optimizer, factor: float) -> None:
    """Set each group to `factor` times its highest learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * factor


class AveragedWeights:
    """An exponential moving average of the weights (Polyak and Juditsky 1992), better than the last of them.

    The decay grows from 0 to `decay` over the first steps, so that the first weights, which know nothing, fade fast.

    Args:
        module: Whose trained weights are averaged.
        decay: Share of the average that a step keeps; 0 makes the average the weights themselves.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay, self.steps = decay, 0
        self._weights = [weight for weight in module.parameters() if weight.requires_grad]
        self.average = [weight.detach().clone() for weight in self._weights] if decay else []

    def update(self) -> None:
        """Take the weights after one more step into the average."""
        if self.decay:
            self.steps += 1
            decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
            torch._foreach_lerp_(self.average, [weight.detach() for weight in self._weights], 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within this context the module has the averaged weights; after it, its own again."""
        own = [weight.detach().clone() for weight in self._weights] if self.decay else []
        self._assign(self.average)
        try:
            yield
        finally:
            self._assign(own)

    def _assign(self, values: list[Tensor]) -> None:
        with torch.no_grad():
            for weight, value in zip(self._weights, values, strict=False):
                weight.copy_(value)
