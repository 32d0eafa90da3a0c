"""Models small enough to be sent along: vectors of tables in eight bits, the other weights in sixteen.

A vector v is written as whole numbers q and a scale s, v = s q with s = max |v| / 127: each value is off by little more
than s / 2. The maximum is first rounded to the half precision that frozen rows have in memory, so that what was read
from such a file and is written again gives the same file.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ner_lstm_crf.errors import InputError

__all__ = ["dequantized", "quantized"]

_ROWS = (".trainable", ".frozen")  # the ends of the names of tables
_SCALE = ".scale"
_LARGEST = 127
_LEAST_HALF = torch.finfo(torch.float16).smallest_normal


def quantized(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights in a quarter of the space or less.

    Raises:
        InputError: If a weight is beyond what 16 bits hold.
    """
    small: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if not name.endswith(_ROWS):
            small[name] = tensor.half() if tensor.dtype == torch.float32 else tensor
            if not bool(small[name].isfinite().all()):
                raise InputError(f"a quantized model holds weights below 65,504, found a larger one in '{name}'")
            continue
        vectors = tensor.float()
        if not bool(vectors.isfinite().all()):
            raise InputError("a quantized model holds finite vectors, found one that is not")
        # Whole numbers (V, D) from -127 to 127, and the worth of one in each row (V,).
        largest = vectors.abs().amax(1) if vectors.numel() else vectors.new_zeros(len(vectors))
        half = largest.half().float()
        scale = half.where((half >= _LEAST_HALF) & ~half.isinf(), largest) / _LARGEST
        steps = vectors / scale.clamp(min=torch.finfo(torch.float32).tiny).unsqueeze(1)
        small[name], small[name + _SCALE] = steps.round().clamp(-_LARGEST, _LARGEST).to(torch.int8), scale
    return small


def dequantized(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights that a network can use, from `quantized` ones or any others; the latter are left as they are."""
    scales = {name: tensors.get(name + _SCALE) for name in tensors}
    return {
        name: tensors[name] if scale is None else tensors[name].float() * scale.unsqueeze(1)
        for name, scale in scales.items()
        if name.removesuffix(_SCALE) not in tensors or not name.endswith(_SCALE)
    }
