"""The library's own threads: each computes batches of its own, and uses one thread of torch and of OpenMP.

An operation shared by two threads ends when the slower one does, at every step of an LSTM. Two batches on one core each
never wait for one another, and the Python code of one runs while the network computes the other.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import local
from typing import Protocol, TypeVar

from ner_lstm_crf.isolation import imported_torch, torch_function

Value = TypeVar("Value")
Result = TypeVar("Result")

# With more threads the Python code counts, of which one thread at a time can run any.
MAX_THREADS = 8

# They set the calling thread's number of OpenMP and MKL threads.
OPENMP, MKL = "omp_set_num_threads", "MKL_Set_Num_Threads_Local"


_here = local()  # `is_one` is true for a thread that is to do without others


def usable_threads() -> int:
    """As many threads as the calling one may let work for it.

    They are as many as torch may use; if it is not imported, as many as it would: one a core, or OMP_NUM_THREADS.
    """
    if getattr(_here, "is_one", False):
        return 1
    torch = imported_torch()
    if torch is not None:
        threads: int = torch.get_num_threads()
        return threads
    chosen = os.environ.get("OMP_NUM_THREADS", "")
    if chosen.isdecimal() and int(chosen):
        return int(chosen)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Map(Protocol):
    """A function like `map`, which may call the function on other threads and before the result is asked for."""

    def __call__(self, function: Callable[[Value], Result], values: Iterable[Value], /) -> Iterator[Result]:
        """The result for each value, in order."""


@contextmanager
def worker_map() -> Iterator[Map]:
    """Yield a `map` that calls its function on as many threads as may be used; within each, torch uses one.

    The threads start with the first call. They have ended when the context is left: running calls are waited for, the
    others dropped. If only one may be used, it is the builtin `map`: no thread is started, and each result is
    computed by the caller when it is asked for.
    """
    threads = min(usable_threads(), MAX_THREADS)
    if threads == 1:
        yield map
        return
    pool = ThreadPoolExecutor(threads, thread_name_prefix="ner-lstm-crf", initializer=use_one_thread)
    process = os.getpid()

    def run(function: Callable[[Value], Result], values: Iterable[Value], /) -> Iterator[Result]:
        """Start all calls at once."""
        return results(deque(pool.submit(function, value) for value in values))

    def results(futures: deque[Future[Result]]) -> Iterator[Result]:
        """Wait for each in turn."""
        while futures:
            if os.getpid() != process:  # of a fork: the threads are not here, so the results would never come
                raise RuntimeError("expected results to be read by the process that began to compute them")
            yield futures.popleft().result()

    try:
        yield run
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let the calling thread, and torch within it, do without others in the context.

    For small computations: a second thread that sleeps takes longer to wake up, up to 15 ms, than one takes in all.
    """
    was_one, torch = getattr(_here, "is_one", False), imported_torch()
    threads, mkl_threads = torch.get_num_threads() if torch else 1, 0  # 0 is MKL's own choice
    try:  # from here on Ctrl-C undoes it
        mkl_threads = use_one_thread()
        yield
    finally:
        _here.is_one = was_one
        if torch:
            torch_function(OPENMP)(threads)
            torch_function(MKL)(mkl_threads)


def use_one_thread() -> int:
    """Let the calling thread, and torch within it, do without others from now on; torch only if it has OpenMP.

    `torch.set_num_threads` would also change MKL and every thread that starts later.

    Returns:
        The number of threads that MKL had been given for this thread.
    """
    _here.is_one = True
    torch = imported_torch()
    if torch:
        torch.get_num_threads()  # torch sets up each thread at its first call, which would undo the next lines
    torch_function(OPENMP)(1)
    return torch_function(MKL)(1)
