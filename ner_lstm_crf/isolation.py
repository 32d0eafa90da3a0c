"""The library in a program: what that does with torch and with processes changes no result, and is not changed.

Threads and processes. A process that is forked has the memory of its parent, but of its threads only the one that
forked. What another thread held at that moment, a lock of this library, of oneDNN or of MKL, is held for ever; and
OpenMP waits for ever for the threads that it had. So all that the library computes is within `computing()`: a fork
waits until no other thread is there, and OpenMP ends the threads of the one that forks. It starts them again when they
are needed, in both processes.

Settings of torch. Those of the application's thread (autocast, the default device, gradients that are disabled) are put
aside within `computing()`. Those of the whole process, the random generator and the default number type, belong to the
application: other threads see them. They are neither used nor changed; see `model.generators`. Tagging may do without
torch, which is not imported here: where the program has not imported it, it has no settings either.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from threading import Condition, RLock, get_ident
from typing import Any

_SOFT = 1  # omp_pause_soft of OpenMP 5.0: settings stay as they are


def imported_torch() -> Any:
    """The module torch; None if the program has not imported it, or another thread is about to."""
    module = sys.modules.get("torch")
    return None if module is None or getattr(module.__spec__, "_initializing", False) else module


def torch_function(name: str) -> Callable[[int], int]:
    """A function of the libraries that torch uses, of OpenMP or MKL; where there is none, one without effect."""
    torch = imported_torch()
    return int if torch is None else _function_of(torch._C.__file__, name)


@cache
def _function_of(path: str, name: str) -> Callable[[int], int]:
    """A function of a library, or of one that it uses; where there is none, one without effect."""
    try:
        function: Callable[[int], int] = getattr(ctypes.CDLL(path), name, int)
    except OSError:  # a torch that is linked in another way
        function = int
    return function


class _Gate:
    """The computations of the library at the moment, and the forks that wait for their end.

    Attributes:
        threads: The thread of each computation.
        forks: Number of threads that are about to fork.
        openmp: The functions that end the threads which the calling thread has started, of OpenMP beside torch's.
    """

    def __init__(self) -> None:
        self.lock = RLock()
        self.changed = Condition(self.lock)
        self.threads: dict[object, int] = {}
        self.forks = 0
        self.openmp: list[Callable[[int], int]] = []

    def before_fork(self) -> None:
        """Wait until no other thread computes, and end the OpenMP threads of this one."""
        with self.lock:
            self.forks += 1
            while any(thread != get_ident() for thread in self.threads.values()):
                self.changed.wait()
        for end_threads in (torch_function("omp_pause_resource_all"), *self.openmp):
            end_threads(_SOFT)

    def after_fork_in_parent(self) -> None:
        """Let the other threads go on."""
        with self.lock:
            self.forks -= 1
            self.changed.notify_all()

    def after_fork_in_child(self) -> None:
        """Forget the other threads, which are not in this process."""
        self.lock = RLock()
        self.changed = Condition(self.lock)
        self.threads = {one: thread for one, thread in self.threads.items() if thread == get_ident()}
        self.forks = 0


_gate = _Gate()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_gate.before_fork,
        after_in_parent=_gate.after_fork_in_parent,
        after_in_child=_gate.after_fork_in_child,
    )


def end_threads_of(library: ctypes.CDLL) -> None:
    """Let a fork end the OpenMP threads that a library has started, too."""
    function = getattr(library, "omp_pause_resource_all", None)
    if function is not None:
        _gate.openmp.append(function)


@contextmanager
def computing() -> Iterator[None]:
    """The context, or decorator, of all that the library computes: a fork waits for its end, and torch is as it comes.

    Nothing within it may wait for another thread that computes, or call what a user has given.
    """
    computation, thread = object(), get_ident()
    # Ctrl-C may come at any moment: after `try` all is undone, if only when the context is forgotten.
    try:
        # 1. Wait for a fork that another thread is about to make, unless this is a part of another computation.
        with _gate.lock:
            while _gate.forks and thread not in _gate.threads.values():
                _gate.changed.wait()
            _gate.threads[computation] = thread
        # 2. Put aside what the application has set for this thread.
        torch = imported_torch()
        if torch is None:
            yield
            return
        changed = torch.is_inference_mode_enabled() or not torch.is_grad_enabled() or torch.is_autocast_enabled("cpu")
        if not changed and torch.get_default_device().type == "cpu":  # nearly always, and twice as fast
            yield
            return
        with (
            torch.inference_mode(False),
            torch.enable_grad(),
            torch.autocast("cpu", enabled=False),
            torch.device("cpu"),
        ):
            yield
    finally:
        with _gate.lock:
            _gate.threads.pop(computation, None)
            if _gate.forks:
                _gate.changed.notify_all()
