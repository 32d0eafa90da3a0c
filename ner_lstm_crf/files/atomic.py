"""Files written whole or not at all, so that a full disk or a kill never leaves half of one.

A file is written under a temporary name beside its own, brought to the disk, and renamed. Several files that belong
together are written into a folder, and one rename of that folder decides for all of them.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import BinaryIO, TypeAlias

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.parts import open_part

Content: TypeAlias = str | Callable[[Path], object]
"""The text of a file, or a function that writes the file at a path."""

_ESCAPED = "backslashreplace"  # of a character that UTF-8 lacks, half of a surrogate pair, as in the name of some files

_TEMPORARY, _READY = ".files.new", ".files.ready"  # folders of `write_together`: being written, and complete
_NUMBERS = count()  # with the number of the process they make the names of temporary files unique


def write_text(path: Path, text: str) -> None:
    r"""Write a UTF-8 text file in place of the old one, or leave the old one whole.

    A character that UTF-8 lacks, half of a surrogate pair, is written as an escape (`\udcff`), here and below.

    Raises:
        InputError: If it cannot be written.
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors=_ESCAPED)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """The path of a temporary file, which the caller writes, and which takes the place of `path` at the end.

    If the caller raises an error, the old file stays as it is. A symbolic link stays a link, and an old file's
    permissions are kept.

    Raises:
        InputError: If the file cannot be written.
    """
    target = Path(os.path.realpath(path))
    temporary = target.with_name(f".{target.name}.{os.getpid()}-{next(_NUMBERS)}.new")
    try:
        if target.is_symlink():  # what a chain of links ends in is no link
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        yield temporary
        seal(temporary)
        if target.exists():
            temporary.chmod(target.stat().st_mode)
        temporary.replace(target)
    except BrokenPipeError:  # of another stream that the caller writes to
        raise
    except OSError as error:
        unharmed = ", the old file is unharmed" if target.exists() else ""
        raise InputError(f"cannot be written{unharmed}: {error.strerror or error}", path=path) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def seal(*paths: Path) -> None:
    """Give the files of one folder the permissions of new files, and wait until they are on the disk.

    The user's umask decides about permissions, but it can be read only by changing it for every thread of the
    process. So a new file shows them. (Some libraries write files that only the owner may read.)
    """
    probe = paths[0].with_name(f".permissions.{os.getpid()}-{next(_NUMBERS)}.new")
    probe.touch()
    mode = probe.stat().st_mode
    probe.unlink()
    for path in paths:
        path.chmod(mode)
        with path.open("rb+") as file:
            os.fsync(file.fileno())


def write_together(directory: Path, files: Mapping[str, Content]) -> None:
    """Write files that belong together in place of the old ones, or leave all the old ones whole.

    Args:
        directory: The folder of the files; it exists.
        files: Their contents by name.

    Raises:
        InputError: If one cannot be written.
    """
    temporary, path = directory / _TEMPORARY, directory
    try:
        # 1. Complete what a kill interrupted after the rename (step 3), and remove what it left before.
        _settle(directory)
        shutil.rmtree(temporary, ignore_errors=True)
        # 2. Write all files into a folder of their own.
        temporary.mkdir()
        for name, content in files.items():
            path, new = directory / name, temporary / name
            if isinstance(content, str):
                new.write_text(content, encoding="utf-8", errors=_ESCAPED)
            else:
                content(new)
            seal(new)
        # 3. One rename decides: from now on `located` finds the new files.
        temporary.rename(directory / _READY)
    except OSError as error:
        raise InputError(
            f"cannot be written, the old file is unharmed: {error.strerror or error}", path=path
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    # 4. Move them to their own paths. If that fails, they are found in the folder, and the next write moves them.
    with suppress(OSError):
        _settle(directory)


def _settle(directory: Path) -> None:
    """Move the complete files of `write_together` to their own paths."""
    ready = directory / _READY
    if ready.is_dir():
        for path in ready.iterdir():
            path.replace(directory / path.name)
        ready.rmdir()


def located(directory: Path, name: str) -> Path:
    """The present path of a file of `write_together`: its own, unless a kill came before it was moved to it."""
    ready = directory / _READY / name
    return ready if ready.exists() else directory / name


def open_together(directory: Path, name: str) -> BinaryIO:
    """Open the present file of `write_together`, for reading its bytes.

    Another process may write at the same time. Whoever reads several files opens them all, and then asks `is_present`
    of one that every write replaces: if it is, they belong together.

    Raises:
        InputError: If the file is missing, may not be read, or is no plain file.
    """
    ready = directory / _READY / name
    if ready.exists():
        with suppress(InputError):  # it has just been moved to its own path
            return open_part(ready)
    return open_part(directory / name)


def is_present(file: BinaryIO, directory: Path, name: str) -> bool:
    """True if no other file has taken the place of one that `open_together` opened."""
    try:
        with open_together(directory, name) as now:
            return os.path.sameopenfile(file.fileno(), now.fileno())
    except InputError:
        return False


def remove_together(directory: Path, names: Iterable[str]) -> None:
    """Remove files that `write_together` wrote; what cannot be removed stays."""
    with suppress(OSError):
        _settle(directory)
        for name in names:
            (directory / name).unlink(missing_ok=True)


def append_line(path: Path, line: str) -> None:
    """Add one line to a text file.

    Raises:
        InputError: If it cannot be written.
    """
    try:
        with path.open("a", encoding="utf-8", errors=_ESCAPED) as file:
            file.write(line + "\n")
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror or error}", path=path) from error


def make_directory(path: Path) -> None:
    """Make a directory and its parents, unless it exists.

    Raises:
        InputError: If that is not possible.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"expected a directory that can be written: {error.strerror}", path=path) from error


def remove_temp_files(directory: Path, *, older_than: float = 0) -> None:
    """Remove the temporary files of processes that were killed while they wrote.

    Args:
        directory: The folder of the files.
        older_than: Seconds since the last write. In a folder into which other processes write it must exceed any
            pause they make.
    """
    for path in directory.glob(".*.[0-9]*.new"):
        with suppress(FileNotFoundError):  # another process removed it
            if not older_than or time.time() - path.stat().st_mtime > older_than:
                path.unlink()
