"""Files written whole or not at all, so that a full disk or a kill never leaves half of one.

A file is written under a temporary name beside its own, brought to the disk, and renamed. Several files that belong
together are written into a folder, and one rename of that folder decides for all of them.

What a killed process left under a temporary name is removed by whoever writes there next: the name says whose it was.
"""

from __future__ import annotations

import errno
import os
import platform
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from glob import escape
from itertools import count
from pathlib import Path
from stat import S_IMODE
from typing import BinaryIO, TypeAlias

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.saved import open_saved

Content: TypeAlias = str | Callable[[Path], object]
"""The text of a file, or a function that writes the file at a path."""

_ESCAPED = "backslashreplace"  # of a character that UTF-8 lacks, half of a surrogate pair, as in the name of some files

_READY = ".files.ready"  # the folder of `write_together` with complete files
_HOST = re.sub(r"\W", "_", platform.node())[:16]
_NUMBERS = count()  # with the host and the number of the process they make temporary names unique
_in_use = set[str]()  # the temporary names of this process
_LONGEST = 50  # characters of a name in a temporary one, which must not become too long
_LEFT = re.compile(r"\..*\.(?:(?P<host>\w*)-)?(?P<process>\d+)-\w+\.new", re.DOTALL)
_DAY = 86_400  # seconds; no pause between two writes to a file is longer


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
    with temporary_path(target) as temporary:
        try:
            if target.is_symlink():  # what a chain of links ends in is no link
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            remove_temp_files(target.parent, of=target.name)
            temporary.touch(exist_ok=False)  # a new file, not what a link of that name leads to
            mode = (target if target.exists() else temporary).stat().st_mode
            yield temporary
            seal(temporary, mode)
            temporary.replace(target)
        except BrokenPipeError:  # of another stream that the caller writes to
            raise
        except OSError as error:
            unharmed = ", the old file is unharmed" if target.exists() else ""
            raise InputError(f"cannot be written{unharmed}: {error.strerror or error}", path=path) from error


@contextmanager
def temporary_path(target: Path) -> Iterator[Path]:
    """A path beside `target`, unlike those of any other process and thread; what is there at the end is removed."""
    path = target.with_name(f".{target.name[:_LONGEST]}.{_HOST}-{os.getpid()}-{next(_NUMBERS)}.new")
    _in_use.add(path.name)
    try:
        yield path
    finally:
        _in_use.discard(path.name)
        _remove(path)


def _remove(path: Path) -> None:
    """Remove a file, a link or a folder, if it is there and that is possible."""
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def seal(path: Path, mode: int) -> None:
    """Give a file that a library wrote, perhaps for its owner alone, its permissions, and wait until it is on the disk.

    Args:
        path: The file.
        mode: Its permissions. Those of a new file are what the user's umask allows; that can be read only by changing
            it for every thread of the process, so they are taken from a new file.
    """
    path.chmod(S_IMODE(mode))
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
    with temporary_path(directory / "files") as temporary:
        path = directory
        try:
            # 1. Complete what a kill interrupted after the rename (step 3), and remove what it left before.
            _settle(directory)
            remove_temp_files(directory)
            # 2. Write all files into a folder of their own.
            temporary.mkdir()
            for name, content in files.items():
                path, new = directory / name, temporary / name
                new.touch()
                mode = new.stat().st_mode
                if isinstance(content, str):
                    new.write_text(content, encoding="utf-8", errors=_ESCAPED)
                else:
                    content(new)
                seal(new, mode)
            # 3. One rename decides: from now on `open_together` finds the new files.
            temporary.rename(directory / _READY)
        except OSError as error:
            reason = error.strerror or error
            raise InputError(f"cannot be written, the old file is unharmed: {reason}", path=path) from error
    # 4. Move them to their own paths. If that fails, they are found in the folder, and the next write moves them.
    with suppress(OSError):
        _settle(directory)


def _settle(directory: Path) -> None:
    """Move the complete files of `write_together` to their own paths."""
    ready = directory / _READY
    if ready.is_dir():
        for path in ready.iterdir():
            with suppress(FileNotFoundError):  # another process does the same
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
            return open_saved(ready)
    return open_saved(directory / name)


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


def remove_temp_files(directory: Path, *, of: str = "", alone: bool = False) -> None:
    """Remove what processes that were killed left under temporary names, files and folders.

    A process of this host is known to be gone; what another host left is removed when it is a day old.

    Args:
        directory: The folder of the files.
        of: The name of the file that they were to become; "" for all.
        alone: True if nobody else is writing in this folder: then all of them are removed.
    """
    paths = list[Path]()
    with suppress(OSError):  # what cannot be listed stays
        paths = list(directory.glob(f".{escape(of[:_LONGEST])}*.new"))
    for path in paths:
        left = _LEFT.fullmatch(path.name)
        if left is None or path.name in _in_use:
            continue
        with suppress(OSError):  # another process has removed it
            gone = left["host"] == _HOST and not _is_alive(int(left["process"]))
            if alone or gone or time.time() - path.lstat().st_mtime > _DAY:
                _remove(path)


def _is_alive(process: int) -> bool:
    """True if there may be another process of this number."""
    if process == os.getpid():  # that had it before this one
        return False
    if os.name == "nt":  # where this signal would end it
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # another user's
        pass
    return True
