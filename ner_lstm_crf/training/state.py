"""Whether a saved state of training fits the training that is to go on with it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor

__all__ = ["State", "check_state"]

State: TypeAlias = tuple[Mapping[str, Tensor], Mapping[str, Any]]
"""Tensors by name, and numbers."""


def check_state(own: State, given: State, weights: Sequence[torch.Size], kept: Collection[str]) -> None:
    """Refuse a state that lacks something, has too much, or is that of another network.

    Args:
        own: The state of the training as it stands.
        given: The saved one.
        weights: The shapes of the weights, in the optimizer's order.
        kept: What the optimizer keeps of a weight that it has moved.

    Raises:
        ValueError: If they differ.
    """
    (own_tensors, own_numbers), (tensors, numbers) = own, given
    if tensors and any(name.startswith("rows.") for name in own_tensors) != any(
        name.startswith("rows.") for name in tensors
    ):
        raise ValueError("expected a run that went on both times with the compiled kernels, or both times without")
    shapes = {name: tensor.shape for name, tensor in own_tensors.items() if not name.startswith("optimizer.")}
    # An optimizer keeps nothing of a weight that it has not moved, such as one of a transformer that nothing reads.
    moved = {int(match[1]) for name in tensors if (match := re.match(r"optimizer\.(\d+)\.", name))}
    for weight in (moved or {0}) & set(range(len(weights))):
        for key in kept:
            shapes[f"optimizer.{weight}.{key}"] = torch.Size() if key == "step" else weights[weight]
    differing = sorted(name for name in {*shapes, *tensors} if _shape(tensors, name) != shapes.get(name))
    if differing:
        raise ValueError(f"expected the state of the same network, '{differing[0]}' differs")
    if not _alike(numbers, own_numbers):
        raise ValueError(f"expected the numbers {', '.join(own_numbers)}, got {numbers!r}")


def _alike(values: Any, own: Mapping[str, Any]) -> bool:
    """Whether there is a number of the same type for each that there should be."""
    return isinstance(values, Mapping) and all(
        _alike(values.get(name), number) if isinstance(number, dict) else type(values.get(name)) is type(number)
        for name, number in own.items()
    )


def _shape(tensors: Mapping[str, Tensor], name: str) -> torch.Size | None:
    return tensors[name].shape if name in tensors else None
