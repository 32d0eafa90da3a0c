"""The lock of a run's directory: one run writes there at a time.

Other processes are kept out by a record lock of the system. It ends with its process, however that ends, and processes
forked in between do not hold it. Within one process a new run takes the place of the one before: a generator that was
left in the middle must not block its directory. So each run puts a lock file of its own in the place of the last one,
and a run whose file is no longer there ends before it writes anything more.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.atomic import make_directory, remove_temp_files

if sys.platform != "win32":
    import fcntl

_LOCK = ".lock"


@contextmanager
def locked(directory: Path, *, patience: float = 0) -> Iterator[Callable[[], None]]:
    """Keep other runs out of a directory within this context; the directory is made.

    Args:
        directory: The directory.
        patience: Seconds to wait for the end of a process that has the lock.

    Yields:
        A function to call before each write: it raises an InputError if another run of this process has taken the
        place of this one, or the process is a forked copy of the one that the run belongs to.

    Raises:
        InputError: If a run of another process is writing in it.
    """
    make_directory(directory)
    path, process = directory / _LOCK, os.getpid()
    deadline = time.monotonic() + patience
    while True:
        try:
            own = _take(path)
            break
        except InputError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)

    def check() -> None:
        """Refuse to go on if the run has lost its directory."""
        if os.getpid() != process:
            raise InputError("expected the process that began this run, found one forked from it", path=directory)
        if own is not None and not _is_at(path, own):
            raise InputError("another run has begun here and taken the place of this one", path=directory)

    try:
        remove_temp_files(directory, alone=own is not None)
        yield check
    finally:
        if own is not None and os.getpid() == process:
            with suppress(OSError):  # the directory may be gone
                if _is_at(path, own):
                    path.unlink()
            _close(own)


def _take(path: Path) -> int | None:
    """Put a locked file of our own at `path`: its descriptor; None where the system has no such locks.

    Raises:
        InputError: If another process has locked the one that is there.
    """
    if sys.platform == "win32":
        return None
    while True:
        # 1. Lock the file that is there, as a process that is alive does. Its own locks never stop a process.
        try:
            there = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError:  # what cannot be written is refused where it matters
            return None
        try:
            try:
                fcntl.lockf(there, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError):
                raise InputError("another run is writing here: wait for it, or end it", path=path.parent) from None
            if not _is_at(path, there):  # it was removed in between
                continue
            # 2. Rename a locked file over it: a run of this process that has the old one sees that it is gone.
            own, name = tempfile.mkstemp(prefix=f"{_LOCK}.{os.getpid()}-", suffix=".new", dir=path.parent)
            try:
                fcntl.lockf(own, fcntl.LOCK_EX | fcntl.LOCK_NB)
                Path(name).replace(path)
            except OSError:
                _close(own)
                Path(name).unlink()
                raise
            return own
        except OSError:  # some network file systems have no locks; a full disk is said where it matters
            return None
        finally:
            _close(there)


def _close(descriptor: int) -> None:
    """Close a file that nothing was written to: an error would hide the one that matters."""
    with suppress(OSError):
        os.close(descriptor)


def _is_at(path: Path, descriptor: int) -> bool:
    """True if the open file is the one at the path."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), path.stat())
    return False
