"""Files written whole or not at all, and read with a clear error."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ner_lstm_crf.errors import InputError

__all__ = [
    "append_line",
    "read_tensors",
    "read_text",
    "tensor_writer",
    "text_writer",
    "write_tensors",
    "write_text",
    "write_together",
]

Writer: TypeAlias = Callable[[Path], object]
"""Writes a file at a path."""


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
    write_together({path: tensor_writer(tensors, metadata)})


def write_text(path: Path, text: str) -> None:
    """Write a text file in place of the old one, or leave the old one whole.

    Raises:
        InputError: If it cannot be written.
    """
    write_together({path: text_writer(text)})


def tensor_writer(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Writer:
    """What writes a safetensors file, for `write_together`."""
    return lambda fresh: save_file(dict(tensors), fresh, dict(metadata))


def text_writer(text: str) -> Writer:
    """What writes a text file, for `write_together`."""
    return lambda fresh: fresh.write_text(text, encoding="utf-8")


def write_together(files: Mapping[Path, Writer]) -> None:
    """Write files that belong together in place of the old ones, or leave all the old ones whole.

    Raises:
        InputError: If one cannot be written.
    """
    fresh = {path: path.with_name(f".{path.name}.new") for path in files}
    path = next(iter(files))
    try:
        for path, write in files.items():
            fresh[path].unlink(missing_ok=True)
            fresh[path].touch()
            mode = fresh[path].stat().st_mode  # what the user's umask allows; safetensors would leave it to them alone
            write(fresh[path])
            fresh[path].chmod(mode)
            with fresh[path].open("rb+") as file:
                os.fsync(file.fileno())
        for path in files:
            fresh[path].replace(path)
    except (OSError, SafetensorError) as error:
        for draft in fresh.values():
            draft.unlink(missing_ok=True)
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
