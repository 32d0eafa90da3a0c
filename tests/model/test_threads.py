"""Threads of the library's own: one core each, and nobody else's number of threads changed."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import torch

from ner_lstm_crf.model import threads as module
from ner_lstm_crf.model.threads import Workers, both, one_thread


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


def test_each_worker_has_one_core_and_others_what_they_had() -> None:
    with Workers() as workers:
        jobs = [workers.submit(torch.get_num_threads) for _ in range(20)]
        assert {job.result() for job in jobs} == {1}
        assert torch.get_num_threads() == seen_by_another_thread() == 3
    assert not any(thread.name.startswith("ner-lstm-crf") for thread in threading.enumerate())


def test_a_small_job_has_one_core_and_others_what_they_had() -> None:
    _, mkl = module._setters()
    own = mkl(5)
    mkl(own)
    with one_thread():
        assert torch.get_num_threads() == 1
        assert seen_by_another_thread() == 3
    assert torch.get_num_threads() == 3
    assert mkl(own) == own


def test_two_jobs_at_once_have_one_core_each_and_both_end() -> None:
    meeting = threading.Barrier(2, timeout=20)

    def job() -> tuple[int, str]:
        meeting.wait()  # neither goes on without the other
        return torch.get_num_threads(), threading.current_thread().name

    one, other = both(job, job)
    assert one[0] == other[0] == 1
    assert one[1] != other[1]
    assert torch.get_num_threads() == 3
    done: list[int] = []

    def fails() -> None:
        raise OSError("gone")

    for jobs in ((fails, lambda: done.append(1)), (lambda: done.append(2), fails)):
        with pytest.raises(OSError, match="gone"):
            both(*jobs)
    assert done == [1, 2]


def test_with_one_thread_the_caller_does_the_work_when_asked() -> None:
    torch.set_num_threads(1)
    with Workers() as workers:
        job = workers.submit(threading.current_thread)
        assert job.result() is threading.main_thread()


def test_jobs_that_nobody_waits_for_are_dropped_and_errors_kept() -> None:
    torch.set_num_threads(2)
    started, go = threading.Event(), threading.Event()
    done: list[int] = []

    def first() -> None:
        started.set()
        go.wait()
        raise OSError("gone")

    with Workers() as workers:
        failing = [workers.submit(first) for _ in range(2)]
        others = [workers.submit(lambda: done.append(1)) for _ in range(50)]
        started.wait()
        threading.Timer(0.05, go.set).start()
    assert len(done) < len(others)
    with pytest.raises(OSError, match="gone"):
        failing[0].result()


def test_a_torch_without_openmp_computes_as_it_pleases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_setters", lambda: (int, int))
    with one_thread(), Workers() as workers:
        assert workers.submit(lambda: 7).result() == 7
    assert torch.get_num_threads() == 3
