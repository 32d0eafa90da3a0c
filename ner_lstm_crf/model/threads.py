"""Threads that compute batches side by side, each on one core, while the caller prepares the next ones.

An operation that is shared by two threads ends when the slower one does, at every step of an LSTM. Two batches side by
side do not wait for one another, and what Python does for one runs beside what the network does for the other.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cache
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

import torch

__all__ = ["LazyFuture", "Future", "Workers", "both", "one_thread"]

Result = TypeVar("Result")
Result_co = TypeVar("Result_co", covariant=True)

# Beyond that, the one thread that may run Python at a time is what counts.
MOST_THREADS = 8


class Workers:
    """As many threads as torch may use, started when they are first needed and ended with the context.

    With one thread there are none: the caller does the jobs.
    """

    def __init__(self) -> None:
        self.threads = min(torch.get_num_threads(), MOST_THREADS)
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for what is under way, drop what is not."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def submit(self, job: Callable[[], Result]) -> Future[Result]:
        """Do a job, or, with one thread, have it ready to be done."""
        if self.threads == 1:
            return LazyFuture(job)
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="ner-lstm-crf", initializer=_use_one_here)
        return self._pool.submit(job)


class Future(Protocol[Result_co]):
    """What is done or will be."""

    def result(self) -> Result_co:
        """What came of it; raises what it raised."""


class LazyFuture(Generic[Result_co]):
    """A job that is done when its result is asked for."""

    def __init__(self, job: Callable[[], Result_co]) -> None:
        self._job = job

    def result(self) -> Result_co:
        """Do it."""
        return self._job()


def both(one: Callable[[], Result], other: Callable[[], Result]) -> tuple[Result, Result]:
    """Do two jobs at once, each on one core: the second by a thread that stays, asleep, for the next call."""
    running = _companion(os.getpid()).submit(other)  # a process that was forked has none of its parent's threads
    try:
        with one_thread():
            first = one()
    finally:
        wait([running])
    return first, running.result()


@cache
def _companion(process: int) -> ThreadPoolExecutor:  # noqa: ARG001
    return ThreadPoolExecutor(1, thread_name_prefix="companion", initializer=_use_one_here)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread of the processor for what this thread does here.

    For small jobs: a second thread that sleeps wakes up later than the job takes, up to 15 ms where one takes 1.
    """
    before = torch.get_num_threads()
    of_mkl = _use_one_here()
    try:
        yield
    finally:
        openmp, mkl = _setters()
        openmp(before)
        mkl(of_mkl)


def _use_one_here() -> int:
    """Set torch's threads to one for the calling thread alone; without effect where torch is not built on OpenMP.

    `torch.set_num_threads` would set them for MKL, and for every thread that starts later, as well.

    Returns:
        What MKL had been told for this thread.
    """
    torch.get_num_threads()  # sets up what torch knows of this thread, which would undo what follows
    openmp, mkl = _setters()
    openmp(1)
    return mkl(1)


@cache
def _setters() -> tuple[Callable[[int], int], Callable[[int], int]]:
    """What sets the calling thread's threads in OpenMP and in MKL, in the libraries that torch uses."""
    try:
        libraries = ctypes.CDLL(torch._C.__file__)
    except OSError:
        return int, int
    names = ("omp_set_num_threads", "MKL_Set_Num_Threads_Local")
    openmp, mkl = (getattr(libraries, name, int) for name in names)
    return openmp, mkl
