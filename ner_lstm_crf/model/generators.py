"""Random numbers and number types from what is given: never from torch's global settings, which are the application's.

Whatever the library makes has a number type, and what it draws comes from a generator of its own; `explicit` sees to
that in the code of others, such as the modules of torch and of transformers.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

_FLOATS = ("empty", "zeros", "ones", "rand", "randn")
_DRAWN = ("uniform_", "normal_", "trunc_normal_", "kaiming_uniform_", "kaiming_normal_", "bernoulli_", "random_")


class explicit(TorchFunctionMode):  # noqa: N801 (a context, read as a word)
    """Within this context torch takes a generator and float32 for what it would take from global settings.

    Args:
        generator: The source of first weights and of dropout; None to leave weights without values, for those that get
            others anyway.
    """

    def __init__(self, generator: torch.Generator | None) -> None:
        super().__init__()
        self.generator = generator

    def __torch_function__(
        self, function: Any, _types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call a function of torch, which the mode does not see from within."""
        name, kwargs = getattr(function, "__name__", ""), dict(kwargs or {})
        if name in _FLOATS and kwargs.get("dtype") is None:
            kwargs["dtype"] = torch.float32
        if name in _DRAWN:
            if self.generator is None:
                return args[0] if args else kwargs["tensor"]
            kwargs["generator"] = self.generator
        elif self.generator is not None and function is functional.dropout:
            return self._dropout(*args, **kwargs)
        elif self.generator is not None and function is functional.scaled_dot_product_attention:
            return self._attention(*args, **kwargs)
        return function(*args, **kwargs)

    def _dropout(self, values: Tensor, p: float = 0.5, training: bool = True, **_: bool) -> Tensor:
        return dropout(values, p, self.generator) if training else values

    def _attention(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        **more: Any,
    ) -> Tensor:
        if not dropout_p:
            return functional.scaled_dot_product_attention(query, key, value, attn_mask, 0.0, is_causal, **more)
        # What attends to what is the attention with the unit vectors as values (Vaswani et al. 2017, eq. 1).
        units = torch.eye(key.shape[-2], dtype=query.dtype, device=query.device).expand(*key.shape[:-1], -1)
        shares = functional.scaled_dot_product_attention(query, key, units, attn_mask, 0.0, is_causal, **more)
        return dropout(shares, dropout_p, self.generator) @ value


def dropout(values: Tensor, rate: float, generator: torch.Generator | None) -> Tensor:
    """Values with a share of `rate` set to zero and the others scaled to the same mean, as `functional.dropout`."""
    if rate == 0:
        return values
    return values * torch.empty_like(values).bernoulli_(1 - rate, generator=generator).div_(1 - rate)
