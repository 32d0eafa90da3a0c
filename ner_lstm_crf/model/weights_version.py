"""Whether weights are still what they were when something was computed from them."""

from __future__ import annotations

from itertools import chain

from torch import nn

__all__ = ["WeightsVersion"]


class WeightsVersion:
    """Differs from an earlier one if a weight was replaced or changed in place, by `Trainer` or `load_state_dict`.

    What escapes autograd escapes it too: changes through `weight.data`, and those of torch's fused optimizers, unless
    `torch.autograd.graph.increment_version` is told of them.

    Args:
        modules: Whose weights; None for no module.
    """

    def __init__(self, *modules: nn.Module | None) -> None:
        parts = [module for module in modules if module is not None]
        # Holding the tensors keeps their numbers from being given to others.
        self._weights = [weight for part in parts for weight in chain(part.parameters(), part.buffers())]
        self._numbers = [
            (id(weight), weight.data_ptr(), 0 if weight.is_inference() else weight._version) for weight in self._weights
        ]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WeightsVersion) and self._numbers == other._numbers

    __hash__ = None  # type: ignore[assignment]
