"""Tensors on disk: safetensors files, written whole or not at all, and read with a clear error."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.atomic import replacing


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file in place of the old one, or leave the old one whole.

    Raises:
        InputError: If it cannot be written.
    """
    with replacing(path) as temporary:
        save_tensors(temporary, tensors, metadata)


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file at a path, for `write_together`.

    Raises:
        OSError: If it cannot be written.
    """
    try:
        save_file(dict(tensors), path, dict(metadata))
    except SafetensorError as error:  # such as a full disk
        raise OSError(str(error)) from error


def read_tensors(path: Path, what: str = "model") -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a safetensors file that is part of `what`, and its metadata.

    Raises:
        InputError: If the file is missing or damaged.
    """
    if not path.is_file():
        raise InputError(f"expected a {what}, but this file is missing", path=path)
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise InputError(f"the {what} is damaged: {error}", path=path) from error


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
