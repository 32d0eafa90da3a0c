"""The library in a program: what that does with torch and with processes changes no result, and is not changed.

Threads and processes. A process that is forked has the memory of its parent, but of its threads only the one that
forked. What another thread held at that moment, a lock of this library, of oneDNN or of MKL, is held for ever; and
OpenMP waits for ever for the threads that it had. So all that the library computes is within `computing()`: a fork
waits until no other thread is there, and OpenMP ends the threads of the one that forks. It starts them again when they
are needed, in both processes.

Settings of torch. Those of the application's thread (autocast, the default device, gradients that are disabled) are put
aside within `computing()`. Those of the whole process, the random generator and the default number type, belong to the
application: other threads see them. They are neither used nor changed. Whatever the library makes has a number type,
and what it draws comes from a generator of its own; `explicit` sees to that in the code of others, such as the modules
of torch and of transformers.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition, RLock, get_ident
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode


def torch_library(name: str) -> Callable[[int], int]:
    """A function of the libraries that torch uses, of OpenMP or MKL; where there is none, one without effect."""
    try:
        function: Callable[[int], int] = getattr(ctypes.CDLL(torch._C.__file__), name, int)
    except OSError:  # a torch that is linked in another way
        function = int
    return function


_end_openmp_threads = torch_library("omp_pause_resource_all")  # those that the calling thread has started
_SOFT = 1  # omp_pause_soft of OpenMP 5.0: settings stay as they are


class _Gate:
    """The computations of the library at the moment, and the forks that wait for their end.

    Attributes:
        threads: The thread of each computation.
        forks: Number of threads that are about to fork.
    """

    def __init__(self) -> None:
        self.lock = RLock()
        self.changed = Condition(self.lock)
        self.threads: dict[object, int] = {}
        self.forks = 0

    def before_fork(self) -> None:
        """Wait until no other thread computes, and end the OpenMP threads of this one."""
        with self.lock:
            self.forks += 1
            while any(thread != get_ident() for thread in self.threads.values()):
                self.changed.wait()
        _end_openmp_threads(_SOFT)

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


_FLOATS = ("empty", "zeros", "ones", "rand", "randn")
_DRAWN = ("uniform_", "normal_", "trunc_normal_", "kaiming_uniform_", "kaiming_normal_", "bernoulli_", "random_")


class explicit(TorchFunctionMode):  # noqa: N801 (a context, read as a word)
    """Within this context torch takes a generator and float32 for what it would take from global settings.

    Args:
        generator: The source of first weights and of dropout; None to leave weights without values, for those that get
            others anyway.
    """

    def __init__(self, generator: torch.Generator | None) -> None:
        super().__init__()
        self.generator = generator

    def __torch_function__(
        self, function: Any, _types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call a function of torch, which the mode does not see from within."""
        name, kwargs = getattr(function, "__name__", ""), dict(kwargs or {})
        if name in _FLOATS and kwargs.get("dtype") is None:
            kwargs["dtype"] = torch.float32
        if name in _DRAWN:
            if self.generator is None:
                return args[0] if args else kwargs["tensor"]
            kwargs["generator"] = self.generator
        elif self.generator is not None and function is functional.dropout:
            return self._dropout(*args, **kwargs)
        elif self.generator is not None and function is functional.scaled_dot_product_attention:
            return self._attention(*args, **kwargs)
        return function(*args, **kwargs)

    def _dropout(self, values: Tensor, p: float = 0.5, training: bool = True, **_: bool) -> Tensor:
        return dropout(values, p, self.generator) if training else values

    def _attention(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        **more: Any,
    ) -> Tensor:
        if not dropout_p:
            return functional.scaled_dot_product_attention(query, key, value, attn_mask, 0.0, is_causal, **more)
        # What attends to what is the attention with the unit vectors as values (Vaswani et al. 2017, eq. 1).
        units = torch.eye(key.shape[-2], dtype=query.dtype, device=query.device).expand(*key.shape[:-1], -1)
        shares = functional.scaled_dot_product_attention(query, key, units, attn_mask, 0.0, is_causal, **more)
        return dropout(shares, dropout_p, self.generator) @ value


def dropout(values: Tensor, rate: float, generator: torch.Generator | None) -> Tensor:
    """Values with a share of `rate` set to zero and the others scaled to the same mean, as `functional.dropout`."""
    if rate == 0:
        return values
    return values * torch.empty_like(values).bernoulli_(1 - rate, generator=generator).div_(1 - rate)
