"""Tensors on disk: safetensors files, written whole or not at all, and read with a clear error."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.atomic import replacing

__all__ = ["read_tensors", "save_tensors", "write_tensors"]


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
