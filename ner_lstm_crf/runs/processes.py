"""Several training runs on the same data: other seeds, other heads; one after another or side by side.

A small network leaves a second thread little to do: at 500 tokens a batch it saves a fifth of the time. Two runs with
one thread each do nearly twice the work, so workers are the better use of cores.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Lock
from pathlib import Path

import torch

from ner_lstm_crf.config import Config
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.progress import Progress, silent
from ner_lstm_crf.runs.data import Data
from ner_lstm_crf.runs.network_runs import check_may_begin, train_network
from ner_lstm_crf.runs.run import begin_run, check_run, join_members, members_of
from ner_lstm_crf.runs.run_files import has_begun, is_finished
from ner_lstm_crf.training.trainer import EpochReport

__all__ = ["Job", "network_jobs", "run_jobs", "seeded"]

_POLL = 0.2  # seconds after which the parent looks whether a run has failed


@dataclass(frozen=True, slots=True)
class _Given:
    """What each worker process is given once.

    Attributes:
        data: What all runs learn from.
        reports: Where the reports of all workers go, each with the number of its job.
        turn: Held while one is sent.
    """

    data: Data
    reports: Connection
    turn: Lock


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


def network_jobs(jobs: Sequence[Job]) -> list[Job]:
    """The jobs that train one network each: those of the members of a job, or else itself; none where all is done."""
    found: list[Job] = []
    for job in jobs:
        if job.config.training.ensemble_size == 1:
            found.append(job)
        elif not (job.resume and is_finished(job.directory)):
            found += [
                replace(job, config=config, directory=directory, resume=job.resume and has_begun(directory))
                for config, directory in members_of(job.config, job.directory)
            ]
    return found


def run_jobs(
    data: Data, jobs: Sequence[Job], *, workers: int = 1, progress: Progress = silent
) -> Iterator[tuple[Job, EpochReport]]:
    """Train every job and pass on the reports as they come, each with the job, one of `network_jobs`, that it is of.

    Of several jobs all begin before the first is trained, so that each of them can be resumed, whatever was in its
    directory before. Several networks of a job are joined as soon as all of them are trained.

    Args:
        data: What all of them learn from.
        jobs: The runs.
        workers: How many to train at the same time, each in a process and with one thread.
        progress: Told the batches of the current epoch; with one worker only.

    Raises:
        InputError: If a run cannot begin or go on (see `train_run`), or the system ends its process.
        ValueError: If there are no workers.
    """
    if workers < 1:
        raise ValueError(f"expected at least one worker, got {workers}")
    joined = [job for job in jobs if job.config.training.ensemble_size > 1]
    for job in joined:
        if job.resume:
            check_run(data, job.config, job.directory)
    networks = network_jobs(jobs)
    several = len(jobs) > 1 or len(networks) > 1
    begun = network_jobs(_begun(data, jobs)) if several else networks
    for network, report in _trained(data, list(zip(networks, begun, strict=True)), workers, progress):
        yield network, report
        for job in joined:
            if report.last and network.directory.parent == job.directory and _is_trained(job):
                join_members(data, job.config, job.directory)
    for job in joined:  # of those that were trained already
        join_members(data, job.config, job.directory)


def _is_trained(job: Job) -> bool:
    """Whether nothing is left to train of any network of the job."""
    return all(is_finished(directory) for _, directory in members_of(job.config, job.directory))


def _trained(
    data: Data, jobs: Sequence[tuple[Job, Job]], workers: int, progress: Progress
) -> Iterator[tuple[Job, EpochReport]]:
    """Train networks; each job is given as the caller knows it and as it is to be done."""
    if workers == 1:
        for job, one in jobs:
            yield from ((job, report) for report in _train(data, one, progress))
        return
    begun = [one for _, one in jobs]
    context = multiprocessing.get_context("spawn")
    reports, sender = context.Pipe(duplex=False)
    given = _Given(data, sender, context.Lock())
    strangers, own = multiprocessing.active_children(), list[BaseProcess]()
    first = next((number for number, job in enumerate(begun) if not (job.resume and is_finished(job.directory))), 0)
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=(given,))
    try:
        with _interrupts_later():
            futures = [pool.submit(_work, number, job, warns=number == first) for number, job in enumerate(begun)]
        own += (process for process in multiprocessing.active_children() if process not in strangers)
        sender.close()  # so that the pipe ends when the last worker does
        for number, report in _arriving(reports, futures):
            yield jobs[number][0], report
    except BaseException as error:  # one run failed, or the caller leaves: the others would train on for hours
        _terminate(own or (process for process in multiprocessing.active_children() if process not in strangers))
        if isinstance(error, BrokenProcessPool):
            raise InputError(
                "a training process was ended by the system, perhaps for lack of memory: use fewer --workers"
            ) from error
        raise
    finally:
        pool.shutdown(cancel_futures=True)
        reports.close()
        sender.close()


def _begun(data: Data, jobs: Sequence[Job]) -> list[Job]:
    """The same jobs, to be resumed: those that are new have begun."""
    new = [job for job in jobs if not job.resume]
    for job in new:  # all of them before anything is written
        check_may_begin(data, job.directory, overwrite=job.overwrite)
    for job in new:
        begin_run(data, job.config, job.directory, overwrite=job.overwrite)
    return [replace(job, resume=True) for job in jobs]


@contextmanager
def _interrupts_later() -> Iterator[None]:
    """Hear interrupts at the end. Processes started meanwhile never do, not even before they can say so themselves."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "pthread_sigmask"):
        yield
        return
    heard = list[int]()
    handler = signal.signal(signal.SIGINT, lambda number, _: heard.append(number))  # other threads may take them
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # what a process inherits
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, signal.SIG_DFL if handler is None else handler)
        if heard:
            signal.raise_signal(signal.SIGINT)


def _terminate(processes: Iterable[BaseProcess]) -> None:
    for process in processes:
        process.terminate()


def _arriving(reports: Connection, futures: Sequence[Future[None]]) -> Iterator[tuple[int, EpochReport]]:
    """Reports in the order they arrive, until every run has ended; raises what a run raised."""
    while True:
        ended = [future for future in futures if future.done()]
        for future in ended:
            future.result()
        # A run sends its reports before it ends: when all have ended, what is not in the pipe by now never comes.
        if reports.poll(0 if len(ended) == len(futures) else _POLL):
            try:
                arrived = reports.recv()
            except (EOFError, OSError):  # the workers are gone, perhaps while one sent this
                for future in futures:
                    future.result()
                return
            yield arrived
        elif len(ended) == len(futures):
            return


_shared: list[_Given] = []


def _start_worker(given: _Given) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends its workers
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    logging.basicConfig(format="warning: %(message)s")
    _shared[:] = [given]


def _end_with_parent() -> None:
    """End the process when the one that started it is gone, even killed: a run that is resumed must run alone."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(number: int, job: Job, *, warns: bool) -> None:
    given = _shared[0]
    # All runs have the same data: one of them says what is wrong with these.
    logging.disable(logging.NOTSET if warns else logging.WARNING)
    for report in _train(given.data, job, silent):
        with given.turn:
            given.reports.send((number, report))


def _train(data: Data, job: Job, progress: Progress) -> Iterator[EpochReport]:
    return train_network(data, job.config, job.directory, resume=job.resume, overwrite=job.overwrite, progress=progress)
