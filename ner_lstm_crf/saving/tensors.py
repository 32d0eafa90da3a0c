"""Tensors on disk: safetensors files, written whole or not at all, and read with a clear error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.atomic import replacing

__all__ = ["read_tensors", "tensor_writer", "write_tensors"]


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file in place of the old one, or leave the old one whole.

    Raises:
        InputError: If it cannot be written.
    """
    with replacing(path) as temporary:
        tensor_writer(tensors, metadata)(temporary)


def tensor_writer(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Callable[[Path], None]:
    """A function that writes a safetensors file, for `write_together`; its errors are `OSError`s."""

    def write(path: Path) -> None:
        try:
            save_file(dict(tensors), path, dict(metadata))
        except SafetensorError as error:  # such as a full disk
            raise OSError(str(error)) from error

    return write


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
