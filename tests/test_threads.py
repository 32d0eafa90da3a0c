"""Threads of the library's own: each does without others, and nobody else's number of threads changes."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator

import pytest
import torch

from ner_lstm_crf import threads
from ner_lstm_crf.isolation import torch_function
from ner_lstm_crf.threads import MKL, one_thread, usable_threads, worker_map


@pytest.fixture(autouse=True)
def three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def seen_by_another_thread() -> int:
    seen: list[int] = []
    thread = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    return seen[0]


def test_torch_uses_one_thread_in_each_worker_and_elsewhere_as_many_as_before() -> None:
    with worker_map() as run:
        assert set(run(lambda _: torch.get_num_threads(), range(20))) == {1}
        assert set(run(lambda _: usable_threads(), range(20))) == {1}
        assert torch.get_num_threads() == usable_threads() == seen_by_another_thread() == 3
    assert not any(thread.name.startswith("ner-lstm-crf") for thread in threading.enumerate())


def test_results_come_in_the_order_of_the_values() -> None:
    second_has_ended = threading.Event()

    def call(number: int) -> int:
        if number == 0:
            second_has_ended.wait(20)
        if number == 1:
            second_has_ended.set()
        return number

    with worker_map() as run:
        assert list(run(call, range(9))) == list(range(9))


def test_one_thread_for_a_small_computation_and_elsewhere_as_many_as_before() -> None:
    set_mkl_threads = torch_function(MKL)
    mkl_threads = set_mkl_threads(5)
    set_mkl_threads(mkl_threads)
    with one_thread():
        assert torch.get_num_threads() == usable_threads() == 1
        assert seen_by_another_thread() == 3
        with one_thread():
            pass
        assert usable_threads() == 1
    assert torch.get_num_threads() == usable_threads() == 3
    assert set_mkl_threads(mkl_threads) == mkl_threads


def test_with_one_thread_the_caller_computes_each_result_when_it_asks_for_it() -> None:
    torch.set_num_threads(1)
    seen: list[threading.Thread] = []
    with worker_map() as run:
        results = run(lambda _: seen.append(threading.current_thread()), range(3))
        assert seen == []
        next(results)
    assert seen == [threading.main_thread()]


def test_calls_that_nobody_waits_for_are_dropped_and_errors_come_out() -> None:
    torch.set_num_threads(2)
    started, go = threading.Event(), threading.Event()
    done: list[int] = []

    def fail(_: int) -> None:
        started.set()
        go.wait()
        raise OSError("gone")

    with worker_map() as run:
        failing = run(fail, range(2))
        run(done.append, range(50))
        started.wait()
        threading.Timer(0.05, go.set).start()
    assert len(done) < 50
    with pytest.raises(OSError, match="gone"):
        next(failing)


def test_a_torch_without_openmp_keeps_its_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "torch_function", lambda _: int)
    with one_thread(), worker_map() as run:
        assert list(run(lambda number: number + 7, [0])) == [7]
    assert torch.get_num_threads() == 3


@pytest.mark.parametrize(("chosen", "expected"), [("5", 5), ("0", None), ("two", None), (None, None)])
def test_without_torch_there_are_as_many_threads_as_torch_would_take(
    chosen: str | None, expected: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 4}, raising=False)
    if chosen is None:
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    else:
        monkeypatch.setenv("OMP_NUM_THREADS", chosen)
    assert usable_threads() == (expected or 3)
    with one_thread():
        assert usable_threads() == 1
    with worker_map() as run:
        assert set(run(lambda _: usable_threads(), range(20))) == {1}
    assert usable_threads() == (expected or 3)
