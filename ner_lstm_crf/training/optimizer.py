"""How weights move: optimizers, the learning rate over time, averaged weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.optim import SGD, AdamW, Optimizer

from ner_lstm_crf.config import MAX_LR, MIN_LR, TrainingConfig
from ner_lstm_crf.model.network import Network
from ner_lstm_crf.model.precision import check_bfloat16
from ner_lstm_crf.training.row_tables import RowTables
from ner_lstm_crf.training.sparse_adamw import WordRows

__all__ = [
    "ExponentialMovingAverage",
    "clip_gradients",
    "peak_learning_rate",
    "kept_by_optimizer",
    "learning_rate_factor",
    "make_optimizer",
    "set_learning_rate",
    "set_transformer_precision",
]

_WAY = 7.5  # steps times the learning rate


def peak_learning_rate(config: TrainingConfig, steps: int) -> float:
    """The learning rate that the schedule begins to fall from, in a run of so many steps.

    Unless `config` says what it is, it is 7.5 / steps, from 0.0015 for 5,000 steps or more to 0.005 for 1,500 or less:
    a network has to go as far in a few steps as in many (docs/recipe.md).
    """
    if config.learning_rate is not None:
        return config.learning_rate
    return min(max(_WAY / steps, MIN_LR), MAX_LR)


def make_optimizer(network: Network, config: TrainingConfig, steps: int) -> tuple[Optimizer, RowTables]:
    """The optimizer of `config`, with a learning rate of its own for a fine-tuned transformer.

    Args:
        network: What is trained.
        config: How.
        steps: How many steps there will be.

    Returns:
        The optimizer, and with AdamW on the CPU that of the tables of vectors, which the first then leaves out.
    """
    contextual = network.embedding.contextual
    slow = (
        [] if contextual is None else [weight for weight in contextual.transformer.parameters() if weight.requires_grad]
    )
    sparse = config.optimizer == "adamw"
    tables = RowTables(network.embedding, config.weight_decay, config.pretrained_lr_scale, apart=sparse)
    apart = {id(weight) for weight in (*slow, *(rows.weight for rows in tables.all_rows))}
    fast = [weight for weight in network.parameters() if weight.requires_grad and id(weight) not in apart]
    rate = peak_learning_rate(config, steps)
    groups: list[dict[str, object]] = [{"params": fast, "peak": rate}]
    if slow:
        groups.append({"params": slow, "peak": config.transformer_learning_rate})
    if config.optimizer == "sgd":
        momentum, decay = config.momentum, config.weight_decay
        return SGD(groups, lr=rate, momentum=momentum, weight_decay=decay, fused=True), tables
    return AdamW(groups, lr=rate, weight_decay=config.weight_decay, fused=True), tables


def kept_by_optimizer(config: TrainingConfig) -> tuple[str, ...]:
    """What the optimizer of `config` keeps of a weight that it has moved, by the names of torch."""
    if config.optimizer == "adamw":
        return "step", "exp_avg", "exp_avg_sq"
    return ("momentum_buffer",) if config.momentum else ()


def set_transformer_precision(network: Network, config: TrainingConfig) -> None:
    """Let a fine-tuned transformer multiply in the precision of `config`.

    Raises:
        InputError: If the processor lacks it.
    """
    contextual, quick = network.embedding.contextual, config.transformer_precision == "bfloat16"
    if contextual is None or not contextual.transformer.fine_tune:
        return
    if quick:
        check_bfloat16("transformer_precision")
    contextual.transformer.in_bfloat16 = quick


def clip_gradients(gradients: list[Tensor], largest: float) -> None:
    """Scale gradients in place so that their common norm is at most `largest` (Pascanu, Mikolov and Bengio 2013)."""
    norm = torch.stack(torch._foreach_norm(gradients)).norm()
    torch._foreach_mul_(gradients, torch.clamp(largest / (norm + 1e-6), max=1.0))


def learning_rate_factor(step: int, steps: int, steps_per_epoch: int, config: TrainingConfig) -> float:
    """The share of the highest learning rate to use in step `step` of `steps`, counted from 0.

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
    return 1.0


def set_learning_rate(optimizer: Optimizer, factor: float) -> None:
    """Set each group to `factor` times its highest learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * factor


class ExponentialMovingAverage:
    """An exponential moving average of the weights (Polyak and Juditsky 1992), better than the last of them.

    The decay grows from 0 to `decay` over the first steps, so that the first weights, which know nothing, fade fast.

    Args:
        weights: What is averaged.
        decay: Share of the average that a step keeps; 0 makes the average the weights themselves.
        rows: Tables of vectors, which are averaged where they are trained.
    """

    def __init__(self, weights: Sequence[Tensor], decay: float, rows: Sequence[WordRows] = ()) -> None:
        self.decay, self.steps, self._rows = decay, 0, rows
        self._weights = list(weights)
        self.average = [weight.detach().clone() for weight in self._weights] if decay else []

    def next_kept(self) -> float:
        """What the average keeps of itself at the next step."""
        return min(self.decay, (2 + self.steps) / (11 + self.steps))

    def update(self) -> None:
        """Take the weights after one more step into the average."""
        if self.decay:
            kept = self.next_kept()
            torch._foreach_lerp_(self.average, [weight.detach() for weight in self._weights], 1 - kept)
        self.steps += 1

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within this context the module has the averaged weights; after it, its own again."""
        weights, averages = list(self._weights), list(self.average)
        for rows in self._rows:
            rows.catch_up()
            if self.decay:
                weights.append(rows.weight)
                averages.append(rows.average)
        own = [weight.detach().clone() for weight in weights] if self.decay else []
        _assign(weights, averages)
        try:
            yield
        finally:
            _assign(weights, own)


def _assign(weights: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    with torch.no_grad():
        for weight, value in zip(weights, values, strict=False):
            weight.copy_(value)
