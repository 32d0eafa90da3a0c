"""The processor: how many of torch's threads an operation uses, and which numbers are multiplied fast.

An operation shared by two threads ends when the slower one does, at every step of an LSTM. Two batches on one core each
never wait for one another, and the Python code of one runs while the network computes the other.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol, TypeVar

import torch

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.isolation import torch_library

Value = TypeVar("Value")
Result = TypeVar("Result")

# With more threads the Python code counts, of which one thread at a time can run any.
MAX_THREADS = 8

# They set the calling thread's number of OpenMP and MKL threads.
_set_openmp_threads = torch_library("omp_set_num_threads")
_set_mkl_threads = torch_library("MKL_Set_Num_Threads_Local")


class Map(Protocol):
    """A function like `map`, which may call the function on other threads and before the result is asked for."""

    def __call__(self, function: Callable[[Value], Result], values: Iterable[Value], /) -> Iterator[Result]:
        """The result for each value, in order."""


@contextmanager
def worker_map() -> Iterator[Map]:
    """Yield a `map` that calls its function on as many threads as torch may use; within each, torch uses one.

    The threads start with the first call. They have ended when the context is left: running calls are waited for, the
    others dropped. If torch may use one thread only, it is the builtin `map`: no thread is started, and each result is
    computed by the caller when it is asked for.
    """
    threads = min(torch.get_num_threads(), MAX_THREADS)
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
    """Let torch use one thread for what the calling thread computes in the context.

    For small computations: a second thread that sleeps takes longer to wake up, up to 15 ms, than one takes in all.
    """
    threads, mkl_threads = torch.get_num_threads(), 0  # 0 is MKL's own choice
    try:  # from here on Ctrl-C undoes it
        mkl_threads = use_one_thread()
        yield
    finally:
        _set_openmp_threads(threads)
        _set_mkl_threads(mkl_threads)


def use_one_thread() -> int:
    """Let torch use one thread for what the calling thread computes from now on; no effect without OpenMP.

    `torch.set_num_threads` would also change MKL and every thread that starts later.

    Returns:
        The number of threads that MKL had been given for this thread.
    """
    torch.get_num_threads()  # torch sets up each thread at its first call, which would undo the next lines
    _set_openmp_threads(1)
    return _set_mkl_threads(1)


def quickest_dtype() -> torch.dtype:
    """bfloat16 if the processor multiplies it natively (AMX, AVX-512 BF16), else float32.

    With all-MiniLM-L6-v2 on two cores with AMX it is three times as fast, and the vectors' cosine to those of float32
    is at least 0.9998.
    """
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return torch.bfloat16 if capabilities.get("amx_bf16") or capabilities.get("avx512_bf16") else torch.float32


def check_bfloat16(setting: str) -> None:
    """Refuse bfloat16 on a processor that would only imitate it, more slowly than it computes in float32.

    Args:
        setting: The name of the setting, for the message.

    Raises:
        InputError: If the processor lacks it.
    """
    if quickest_dtype() != torch.bfloat16:
        raise InputError(
            f"{setting}: expected a processor that multiplies bfloat16 (AVX-512 BF16 or AMX), "
            "this one does not: float32 is the precision to use here"
        )
