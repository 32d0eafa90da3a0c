"""Several training runs on the same data: other seeds, other heads; one after another or side by side.

A small network leaves a second thread little to do: at 500 tokens a batch it saves a fifth of the time. Two runs with
one thread each do nearly twice the work, so worker processes are the better use of cores.
"""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Protocol

from ner_lstm_crf.config import Config
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.progress import Progress, silent
from ner_lstm_crf.runs.data import ResolvedData, read_with_transformer
from ner_lstm_crf.runs.lock import locked
from ner_lstm_crf.runs.run import NetworkRun, Run
from ner_lstm_crf.runs.teacher import read_with_teacher
from ner_lstm_crf.runs.worker import work
from ner_lstm_crf.training.trainer import EpochReport


class Spread(Protocol):
    """What trains networks at the same time."""

    def __call__(
        self, data: ResolvedData, networks: Sequence[NetworkRun], workers: int, /
    ) -> Generator[tuple[int, EpochReport], None, None]:
        """Train networks, and pass on the reports as they come, each with the index of its network.

        Args:
            data: The data.
            networks: The networks.
            workers: The number of networks that are trained at the same time, at most.

        Raises:
            InputError: As `train_runs` does.
        """


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """A training run that is to be done.

    Attributes:
        config: The model and its training.
        directory: The folder of the run and of its model.
        resume: True to go on with a run that was interrupted.
        overwrite: True if a model in the directory may be replaced.
    """

    config: Config
    directory: Path
    resume: bool = False
    overwrite: bool = False


def plan_seeds(planned: PlannedRun, seeds: int) -> list[PlannedRun]:
    """`seeds` runs like this one, with its seed and those that follow, each in a folder of its own: `seed-1`, ..."""
    first = planned.config.training.seed
    return [
        replace(
            planned,
            config=replace(planned.config, training=replace(planned.config.training, seed=seed)),
            directory=planned.directory / f"seed-{seed}",
        )
        for seed in range(first, first + seeds)
    ]


def train_runs(
    data: ResolvedData,
    planned: Sequence[PlannedRun],
    *,
    workers: int = 1,
    spread: Spread | None = None,
    progress: Progress = silent,
) -> Iterator[tuple[PlannedRun, EpochReport]]:
    """Train all runs and pass on the reports as they come, each with the run that it is of.

    All runs are created before the first is trained, so that each of them can be resumed, whatever was in its directory
    before. A run is finished as soon as the last of its networks is trained.

    Args:
        data: The data of all of them.
        planned: The runs, with the same transformer if there is a frozen one.
        workers: Number of networks that are trained at the same time, each in a process and with one thread.
        spread: What trains them at the same time; None for worker processes of this machine.
        progress: Called with the batches of the current epoch that are done; with one worker only.

    Raises:
        InputError: If a run cannot be created or resumed (see `Run.epochs`), or the system ends its process.
        ValueError: If there are no workers.
    """
    if workers < 1:
        raise ValueError(f"expected at least one worker, got {workers}")
    runs = [(Run(plan.directory), plan) for plan in planned]
    # 1. Refuse what cannot be done before anything is written.
    for run, plan in runs:
        run.check(data, plan.config, resume=plan.resume, overwrite=plan.overwrite)
    with ExitStack() as locks:
        checks = [locks.enter_context(locked(run.directory)) for run, _ in runs]
        # 2. Let a frozen transformer and a teacher read the data, once for all runs, and create those that are new.
        if not all(plan.resume and run.finished for run, plan in runs):
            data = read_with_transformer(
                data, planned[0].config.model, runs[0][0].transformer_cache, progress, planned[0].config.training.device
            )
            data = read_with_teacher(data, planned[0].config.model, runs[0][0].teacher_cache, progress)
        new = [(run, plan) for run, plan in runs if not plan.resume]
        for run, _ in new:
            run.delete()  # before the first is created: a kill in between leaves no old one among new ones
        for run, plan in new:
            run.create(data, plan.config)
        # 3. Train the networks that are not trained yet.
        waiting = [
            (run, plan, network)
            for run, plan in runs
            if not run.finished
            for network in run.networks(plan.config)
            if not network.finished
        ]
        networks = [network for _, _, network in waiting]
        in_turn = ((index, one) for index, network in enumerate(networks) for one in network.train(data, progress))
        reports = in_turn if workers == 1 and spread is None else (spread or _side_by_side)(data, networks, workers)
        locks.enter_context(closing(reports))  # no worker outlives the locks
        for index, report in reports:
            run, plan, _ = waiting[index]
            yield plan, report
            if report.last:
                for check in checks:
                    check()
                run.finish(data, plan.config)
        # 4. Finish those that were trained already, and clean up.
        for run, plan in runs:
            run.finish(data, plan.config)
            run.remove_caches()


def _side_by_side(
    data: ResolvedData, networks: Sequence[NetworkRun], workers: int
) -> Generator[tuple[int, EpochReport], None, None]:
    """Train networks in worker processes, and pass on the reports as they come, each with the index of its network."""
    with _worker_processes(min(workers, len(networks))) as connections:
        # 1. Send each worker the data and its first network.
        waiting, at_work = iter(enumerate(networks)), dict[Connection, int]()
        for connection in connections:
            _send(connection, data)
        for connection, (index, network) in zip(connections, waiting, strict=False):
            _send(connection, (network, index == 0))
            at_work[connection] = index
        # 2. Receive what they send: reports, an error, or None when a network is trained and the next can be.
        while at_work:
            ready = wait(connections)
            for connection in [one for one in connections if one in ready]:
                message = _receive(connection)
                if isinstance(message, Exception):
                    raise message
                if message is not None:
                    yield at_work[connection], message
                    continue
                del at_work[connection]
                for index, network in islice(waiting, 1):
                    _send(connection, (network, False))
                    at_work[connection] = index


@contextmanager
def _worker_processes(count: int) -> Iterator[list[Connection]]:
    """Start so many workers, and end them with the context: if one fails, the others must not train on for hours.

    Each has a pipe of its own, which ends when the worker does, however that happens.
    """
    context = multiprocessing.get_context("spawn")
    processes: dict[Connection, BaseProcess] = {}
    try:
        with _interrupts_deferred():
            for _ in range(count):
                connection, of_worker = context.Pipe()
                process: BaseProcess = context.Process(target=work, args=(of_worker,))
                process.start()
                of_worker.close()
                processes[connection] = process
        yield list(processes)
    finally:
        for process in processes.values():
            process.terminate()
        for connection, process in processes.items():
            process.join()
            connection.close()


def _send(connection: Connection, message: object) -> None:
    with _worker_must_live():
        connection.send(message)


def _receive(connection: Connection) -> Any:
    with _worker_must_live():
        return connection.recv()


@contextmanager
def _worker_must_live() -> Iterator[None]:
    """Raise one error if the worker at the other end of a pipe is gone, perhaps in the middle of a message."""
    try:
        yield
    except (EOFError, OSError) as error:
        raise InputError(
            "a training process was ended by the system, perhaps for lack of memory: use fewer --workers"
        ) from error


@contextmanager
def _interrupts_deferred() -> Iterator[None]:
    """Defer Ctrl-C to the end. Processes started within never receive it, not even before they can ignore it."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "pthread_sigmask"):
        yield
        return
    received = list[int]()
    handler = signal.signal(signal.SIGINT, lambda number, _: received.append(number))  # other threads may get them
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # a process inherits it
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, signal.SIG_DFL if handler is None else handler)
        if received:
            signal.raise_signal(signal.SIGINT)
