"""Files written whole or not at all, and read with a clear error."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ner_lstm_crf.errors import InputError

__all__ = ["append_line", "read_tensors", "read_text", "write_tensors", "write_text"]


def read_text(path: Path) -> str:
    """A text file of a model.

    Raises:
        InputError: If the file is missing or unreadable.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError("expected a model, but this file is missing", path=path) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the model is damaged: {error}", path=path) from error


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a safetensors file and its metadata.

    Raises:
        InputError: If the file is missing or damaged.
    """
    if not path.is_file():
        raise InputError("expected a model, but this file is missing", path=path)
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise InputError(f"the model is damaged: {error}", path=path) from error


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file in place of the old one, or leave the old one whole.

    Raises:
        InputError: If it cannot be written.
    """
    _replace(path, lambda fresh: save_file(dict(tensors), fresh, dict(metadata)))


def write_text(path: Path, text: str) -> None:
    """Write a text file in place of the old one, or leave the old one whole.

    Raises:
        InputError: If it cannot be written.
    """
    _replace(path, lambda fresh: fresh.write_text(text, encoding="utf-8"))


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    fresh = path.with_name(f".{path.name}.new")
    try:
        write(fresh)
        with fresh.open("rb+") as file:
            os.fsync(file.fileno())
        fresh.replace(path)
    except (OSError, SafetensorError) as error:
        fresh.unlink(missing_ok=True)
        raise InputError(f"could not be written, the old file is unharmed: {error}", path=path) from error


def append_line(path: Path, line: str) -> None:
    """Add one line to a text file.

    Raises:
        InputError: If it cannot be written.
    """
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
    except OSError as error:
        raise InputError(f"could not be written: {error}", path=path) from error
