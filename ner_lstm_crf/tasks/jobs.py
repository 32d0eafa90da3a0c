"""Several training runs on the same data: other seeds, other heads; one after another or side by side.

A small network leaves a second thread little to do: at 500 tokens a batch it saves a fifth of the time. Two runs with
one thread each do nearly twice the work, so workers are the better use of cores.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import statistics
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing.queues import Queue
from pathlib import Path
from queue import Empty
from typing import TypeAlias

import torch

from ner_lstm_crf.config import Config
from ner_lstm_crf.progress import Progress, silent
from ner_lstm_crf.tasks.runs import Data, train_run
from ner_lstm_crf.tasks.training import EpochReport

__all__ = ["Job", "Summary", "median_run", "run_jobs", "seeded"]

_Numbered: TypeAlias = tuple[int, EpochReport]


@dataclass(frozen=True, slots=True)
class Job:
    """One training run.

    Attributes:
        config: The model and its training.
        directory: Where the run lives.
        resume: Whether to go on with a run that was interrupted.
        overwrite: Whether a model in the directory may be replaced.
    """

    config: Config
    directory: Path
    resume: bool = False
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class Summary:
    """Mean and sample standard deviation of one figure over several runs.

    Example:
        >>> print(Summary.of([0.75, 0.77]))
        0.7600 ± 0.0141
    """

    mean: float
    deviation: float
    runs: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Summary:
        """The summary of the values; the deviation of a single one is 0."""
        return cls(statistics.mean(values), statistics.stdev(values) if len(values) > 1 else 0.0, len(values))

    def __str__(self) -> str:
        return f"{self.mean:.4f} ± {self.deviation:.4f}"

    def to_json(self) -> dict[str, float | int]:
        """The fields by name."""
        return {"mean": self.mean, "deviation": self.deviation, "runs": self.runs}


def seeded(job: Job, seeds: int) -> list[Job]:
    """`seeds` jobs like this one, with its seed and those that follow, each in a folder of its own: `seed-1`, ..."""
    first = job.config.training.seed
    return [
        replace(
            job,
            config=replace(job.config, training=replace(job.config.training, seed=seed)),
            directory=job.directory / f"seed-{seed}",
        )
        for seed in range(first, first + seeds)
    ]


def run_jobs(
    data: Data, jobs: Sequence[Job], *, workers: int = 1, progress: Progress = silent
) -> Iterator[tuple[Job, EpochReport]]:
    """Train every job and pass on its reports as they come.

    Args:
        data: What all of them learn from.
        jobs: The runs.
        workers: How many to train at the same time, each in a process and with one thread.
        progress: Told the batches of the current epoch; with one worker only.
    """
    if workers == 1:
        for job in jobs:
            yield from ((job, report) for report in _train(data, job, progress))
        return
    context = multiprocessing.get_context("spawn")
    reports: Queue[_Numbered] = context.Queue()
    strangers = multiprocessing.active_children()
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=(data, reports))
    try:
        futures = [pool.submit(_work, number, job) for number, job in enumerate(jobs)]
        for number, report in _arriving(reports, futures):
            yield jobs[number], report
    except BaseException:  # one run failed, or the caller leaves: the others would train on for hours
        for process in multiprocessing.active_children():
            if process not in strangers:
                process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _arriving(reports: Queue[_Numbered], futures: Sequence[Future[None]]) -> Iterator[_Numbered]:
    """Reports in the order they arrive, until every run has ended; raises what a run raised."""
    running = True
    while running:
        running = not all(future.done() for future in futures)
        for future in futures:
            if future.done():
                future.result()
        try:
            while True:
                yield reports.get(timeout=0.2)
        except Empty:
            pass


def median_run(scores: Sequence[float]) -> int:
    """Which of the runs has the median score; the lower of the middle two if their number is even.

    Example:
        >>> median_run([0.75, 0.77, 0.76])
        2
    """
    order = sorted(range(len(scores)), key=lambda number: scores[number])
    return order[(len(order) - 1) // 2]


_shared: list[tuple[Data, Queue[_Numbered]]] = []  # what a worker process was given, once


def _start_worker(data: Data, reports: Queue[_Numbered]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends its workers
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    _shared[:] = [(data, reports)]


def _end_with_parent() -> None:
    """End the process when the one that started it is gone, even killed: a run that is resumed must run alone."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(number: int, job: Job) -> None:
    data, reports = _shared[0]
    for report in _train(data, job, silent):
        reports.put((number, report))


def _train(data: Data, job: Job, progress: Progress) -> Iterator[EpochReport]:
    return train_run(data, job.config, job.directory, resume=job.resume, overwrite=job.overwrite, progress=progress)
