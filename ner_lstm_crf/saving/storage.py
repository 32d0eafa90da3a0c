"""Files written whole or not at all, and read with a clear error."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ner_lstm_crf.errors import InputError

__all__ = [
    "Writer",
    "append_line",
    "forget_drafts",
    "located",
    "make_directory",
    "parse_json",
    "read_json",
    "read_tensors",
    "read_text",
    "remove_together",
    "seal",
    "tensor_writer",
    "text_writer",
    "write_tensors",
    "write_text",
    "write_together",
]

Writer: TypeAlias = Callable[[Path], object]
"""Writes a file at a path."""

_DRAFT, _READY = ".files.new", ".files.ready"


def read_text(path: Path, what: str = "model") -> str:
    """A text file that is part of `what`.

    Raises:
        InputError: If the file is missing or unreadable.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"expected a {what}, but this file is missing", path=path) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the {what} is damaged: {error}", path=path) from error


def read_json(path: Path, what: str = "model") -> Any:
    """The value in a JSON file that is part of `what`.

    Raises:
        InputError: If the file is missing, unreadable or no JSON.
    """
    return parse_json(read_text(path, what), path, what)


def parse_json(text: str, path: Path, what: str = "model", *, line: int | None = None) -> Any:
    """The JSON value of a text that stands in a file (in one of its lines) that is part of `what`.

    Raises:
        InputError: If the text is no JSON.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"the {what} is damaged: {error}", path=path, line=line) from error


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


def make_directory(path: Path) -> None:
    """Make a directory and those above it, unless it is there.

    Raises:
        InputError: If that is not possible.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"expected a directory that can be written: {error}", path=path) from error


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file in place of the old one, or leave the old one whole.

    Raises:
        InputError: If it cannot be written.
    """
    _write_alone(path, tensor_writer(tensors, metadata))


def write_text(path: Path, text: str) -> None:
    """Write a text file in place of the old one, or leave the old one whole.

    Raises:
        InputError: If it cannot be written.
    """
    _write_alone(path, text_writer(text))


def tensor_writer(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Writer:
    """What writes a safetensors file, for `write_together`."""
    return lambda fresh: save_file(dict(tensors), fresh, dict(metadata))


def text_writer(text: str) -> Writer:
    """What writes a text file, for `write_together`."""
    return lambda fresh: fresh.write_text(text, encoding="utf-8")


def write_together(directory: Path, files: Mapping[str, Writer]) -> None:
    """Write files that belong together in place of the old ones, or leave all the old ones whole.

    They are written into a folder of their own, and one rename decides: from then on `located` finds the new ones.
    Only then do they go to their places, one after another; if a kill comes in between, the next write sees to it.

    Args:
        directory: Where the files go; it exists.
        files: What writes each of them, by name.

    Raises:
        InputError: If one cannot be written.
    """
    draft, path = directory / _DRAFT, directory
    try:
        _settle(directory)
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        for name, write in files.items():
            path = directory / name
            _write_sealed(draft / name, write)
        draft.rename(directory / _READY)
    except (OSError, SafetensorError) as error:
        raise InputError(f"could not be written, the old file is unharmed: {error}", path=path) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    with suppress(OSError):  # they are found where they are
        _settle(directory)


def remove_together(directory: Path, names: Iterable[str]) -> None:
    """Remove files that `write_together` wrote; what cannot be removed stays."""
    with suppress(OSError):
        _settle(directory)
        for name in names:
            (directory / name).unlink(missing_ok=True)


def located(directory: Path, name: str) -> Path:
    """Where the file is that `write_together` wrote: in its place, unless a kill kept it from getting there."""
    ready = directory / _READY / name
    return ready if ready.exists() else directory / name


def seal(path: Path, mode: int) -> None:
    """Give a file the permissions `mode` and wait until it is on the disk."""
    path.chmod(mode)
    with path.open("rb+") as file:
        os.fsync(file.fileno())


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


def forget_drafts(directory: Path, *, older_than: float = 0) -> None:
    """Remove what a process that was killed had begun to write.

    Args:
        directory: Where.
        older_than: Seconds for which nothing was added to it; in a directory in which others write, more than a pause
            can last.
    """
    for path in directory.glob(".*.[0-9]*.new"):
        with suppress(FileNotFoundError):  # another did the same
            if not older_than or time.time() - path.stat().st_mtime > older_than:
                path.unlink()


def _settle(directory: Path) -> None:
    """Move what `write_together` has ready to its place."""
    ready = directory / _READY
    if ready.is_dir():
        for path in ready.iterdir():
            path.replace(directory / path.name)
        ready.rmdir()


def _write_alone(path: Path, write: Writer) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")  # others may write the same
    try:
        _write_sealed(fresh, write)
        fresh.replace(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"could not be written, the old file is unharmed: {error}", path=path) from error
    finally:
        fresh.unlink(missing_ok=True)


def _write_sealed(path: Path, write: Writer) -> None:
    path.unlink(missing_ok=True)
    path.touch()
    mode = path.stat().st_mode  # what the user's umask allows; safetensors would leave it to them alone
    write(path)
    seal(path, mode)
