"""Threads that compute batches side by side, each on one core, while the caller prepares the next ones.

One operation over two threads has to wait for both at its end, some thirty times per sentence length; two batches side
by side never wait for one another, and what Python does for one runs beside what the network does for the other.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

import torch

__all__ = ["Deferred", "Job", "Workers"]

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

    def submit(self, job: Callable[[], Result]) -> Job[Result]:
        """Do a job, or, with one thread, have it ready to be done."""
        if self.threads == 1:
            return Deferred(job)
        if self._pool is None:
            self._pool = _single_threaded_pool(self.threads)
        return self._pool.submit(job)


class Job(Protocol[Result_co]):
    """What is done or will be."""

    def result(self) -> Result_co:
        """What came of it; raises what it raised."""


class Deferred(Generic[Result_co]):
    """A job that is done when its result is asked for."""

    def __init__(self, job: Callable[[], Result_co]) -> None:
        self._job = job

    def result(self) -> Result_co:
        """Do it."""
        return self._job()


def _single_threaded_pool(threads: int) -> ThreadPoolExecutor:
    """Threads in which torch uses one thread, as it does not elsewhere.

    `torch.set_num_threads` holds for OpenMP in the calling thread, and for MKL and for threads that start later
    everywhere: the caller sets these to what they were.
    """
    before, ready = torch.get_num_threads(), Barrier(threads + 1)

    def begin() -> None:
        torch.set_num_threads(1)
        ready.wait()

    pool = ThreadPoolExecutor(threads, thread_name_prefix="ner-lstm-crf", initializer=begin)
    for _ in range(threads):
        pool.submit(int)  # a thread starts with a job
    ready.wait()
    torch.set_num_threads(before)
    return pool
