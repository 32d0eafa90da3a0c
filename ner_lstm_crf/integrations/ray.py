"""Ray: bulk tagging over the machines of a cluster, and training runs side by side on them.

`tag_files` tags folders of files (see `ner_lstm_crf.bulk`): each worker is an actor that holds the model, reads slices
of files and writes their shards. So no text goes through Ray's object store, and nothing is shuffled. `side_by_side`
trains networks in actors.

The actors are plain ones, not a pool of Ray Data, which may wait for a lost node without end.

All nodes need this package, and reach the files under the same paths: on a shared file system, unless there is one.
"""

from __future__ import annotations

import hashlib
import logging
import os
import signal
import socket
import threading
import traceback
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

from ner_lstm_crf.bulk.columns import Shape
from ner_lstm_crf.bulk.inputs import Kind, Slice
from ner_lstm_crf.bulk.job import Scanned, plan_job, run_job
from ner_lstm_crf.bulk.manifest import Manifest
from ner_lstm_crf.bulk.shards import BulkOptions, Shard, scan, tag_slice
from ner_lstm_crf.errors import InputError, counted
from ner_lstm_crf.integrations.model_bytes import tagger_from_bytes, tagger_to_bytes
from ner_lstm_crf.progress import Progress, silent
from ner_lstm_crf.runs.display import say
from ner_lstm_crf.runs.worker import train_network
from ner_lstm_crf.saving.model import SHIPPED
from ner_lstm_crf.tagging.script_tagger import ScriptTagger
from ner_lstm_crf.tagging.tagger import Tagger

if TYPE_CHECKING:  # tagging does without torch
    from ner_lstm_crf.runs.data import ResolvedData
    from ner_lstm_crf.runs.run import NetworkRun
    from ner_lstm_crf.training.trainer import EpochReport

_log = logging.getLogger(__name__)

_PATIENCE = 10.0  # seconds until an address answers
_LONG = 60.0  # seconds without a worker after which the user is told

_MOST_LOST = 3  # processes in a row that are lost at the same epoch, or at the same slice


@contextmanager
def connected(address: str | None = None) -> Iterator[None]:
    """A connection to Ray within this context; one that the program has made is used as it is.

    Args:
        address: The address of a cluster, "auto" for the one that runs on this machine; None for RAY_ADDRESS, and where
            that is not set for a Ray of this machine alone, which ends with the context.

    Raises:
        InputError: If Ray is not installed, or no cluster answers.
    """
    _check_installed("ray")
    import ray

    if ray.is_initialized():
        yield
        return
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    _check_answers(address)
    with _quiet(), _signals_kept() as keep:
        dashboard = False if address == "local" else None
        try:
            with _standard_error_without("Set ray log level"):
                ray.init(address, include_dashboard=dashboard, log_to_driver=False, logging_level=logging.CRITICAL)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise InputError(f"no cluster of Ray answers at {address}: {error}") from error
        keep()
        try:
            yield
        finally:
            ray.shutdown()


def _check_installed(*packages: str) -> None:
    """Say how to install what is missing.

    Raises:
        InputError: If one of the packages is.
    """
    if missing := next((package for package in packages if find_spec(package) is None), None):
        raise InputError(f"Ray needs the package {missing}: pip install 'ner-lstm-crf[ray]'")


def _check_answers(address: str) -> None:
    """Refuse an address where nobody listens, for which Ray itself would wait for minutes.

    Raises:
        InputError: If it is none, or nobody listens there.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if address in ("local", "auto"):
        return
    if not host or not port.isdecimal():
        raise InputError(f"expected the address of a cluster as HOST:PORT, or auto, got {address!r}")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"no cluster of Ray answers at {address}: {error}") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Ray without reports to its makers, and without lines on the terminal; its log files stay."""
    names = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_BACKEND_LOG_LEVEL": "fatal",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    }
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _standard_error_without(part: str) -> Iterator[None]:
    """Standard error of the process without the lines that hold this, which no setting of Ray turns off.

    The others come at the end of the context.
    """
    with TemporaryFile() as held:
        original = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(original, 2)
            held.seek(0)
            for line in held:
                if part.encode() not in line:
                    os.write(original, line)
            os.close(original)


@contextmanager
def _signals_kept() -> Iterator[Any]:
    """A function that gives back the handling of signals to the program, from which Ray takes it."""
    is_main = threading.current_thread() is threading.main_thread()
    handlers = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)} if is_main else {}

    def keep() -> None:
        for number, handler in handlers.items():
            signal.signal(number, handler)

    try:
        yield keep
    finally:
        keep()


# Tagging


def tag_files(  # noqa: PLR0913  (one call)
    inputs: Sequence[str | os.PathLike[str]] | str | os.PathLike[str],
    output: str | os.PathLike[str],
    model: str | os.PathLike[str] | None = None,
    *,
    address: str | None = None,
    workers: int | None = None,
    threads: int = 1,
    resume: bool = False,
    input_format: Kind | None = None,
    checking: Progress = silent,
    tagging: Progress = silent,
    **options: Any,
) -> dict[str, Any]:
    """Tag files into a folder of shards, which hold all their rows and columns and a column of entities.

    Args:
        inputs: Parquet, JSON lines or text: files, folders, and patterns such as ``news/*.jsonl.gz``.
        output: The folder of the shards, new or empty; with `resume`, that of the job.
        model: The directory of a model; "en" or "zh"; None for the shipped tagger of the script of each text.
        address: The cluster, see `connected`.
        workers: The number of workers, each with the model; None for as many as the cluster has CPUs for.
        threads: The threads of a worker.
        resume: True to tag only what an earlier call left; if there was none, all.
        input_format: "parquet", "jsonl" or "text"; None for that of the suffixes.
        checking: Called with the slices that are checked before the first is tagged.
        tagging: Called with the rows that are tagged.
        **options: The fields of `BulkOptions`: `text_column="body", min_score=0.9`.

    Returns:
        The manifest, as `_manifest.json` in the folder has it.

    Raises:
        InputError: If a file cannot be read, or a row has no text, with the file and the row; if the folder holds other
            things, or another job; if Ray is not installed, or no cluster answers; if workers are lost again and again.
    """
    _check_installed("ray", "pyarrow")
    given = [inputs] if isinstance(inputs, str | os.PathLike) else inputs
    chosen = BulkOptions(**options)
    for_workers = _Model.of(model, chosen)
    job = plan_job(
        [os.fspath(one) for one in given],
        Path(output).absolute(),
        (for_workers.name, for_workers.digest),
        chosen,
        input_format,
    )
    with connected(address):
        run_job(job, _Engine(for_workers, workers, threads), resume=resume, checking=checking, tagging=tagging)
    return job.to_json()


@dataclass(frozen=True, slots=True)
class _Model:
    """A model on its way to the workers.

    Attributes:
        name: Its name.
        digest: The digest of its files.
        content: Its files; None for the shipped ones, which every node has.
    """

    name: str
    digest: str
    content: bytes | None

    @classmethod
    def of(cls, model: str | os.PathLike[str] | None, options: BulkOptions) -> _Model:
        """The model that a user names.

        Raises:
            InputError: As `Tagger.load` does.
        """
        settings: dict[str, Any] = {"precision": options.precision, "decoding": options.decoding}
        names = [os.fspath(model)] if model is not None else sorted(SHIPPED)
        contents = [tagger_to_bytes(Tagger.load(name, **settings)) for name in names]
        digest = hashlib.sha256(b"".join(contents)).hexdigest()
        return cls("+".join(names), digest, None if model is None else contents[0])

    def load(self, options: BulkOptions, said: list[str]) -> Tagger | ScriptTagger:
        """The tagger; what it says is kept in the list."""
        if self.content is None:
            return ScriptTagger(options.precision, said.append, options.decoding)
        return tagger_from_bytes(self.content, precision=options.precision, decoding=options.decoding)


class _Engine:
    """Actors of Ray as an `Engine`.

    Args:
        model: The model.
        workers: The number of workers; None for as many as the cluster has CPUs for.
        threads: The threads of each.
    """

    def __init__(self, model: _Model, workers: int | None, threads: int) -> None:
        self._model, self._workers, self._threads = model, workers, threads

    def scan(self, slices: Sequence[Slice], options: BulkOptions) -> Iterator[Scanned]:
        """`scan` of each slice."""
        for number, (rows, shapes) in self._by_actors(_Scanner, (options,), [(part,) for part in slices], threads=1):
            yield Scanned(number, rows, shapes)

    def tag(self, job: Manifest) -> Iterator[Shard]:
        """`tag_slice` of each slice that is left."""
        import ray

        task = ray.put((self._model, job.folder, job.options, job.shapes, self._threads))
        items = [(part, job.rows[part.shard]) for part in job.left]
        said = set[str]()
        for _, (shard, lines) in self._by_actors(_Tagging, (task,), items, self._threads):
            for line in lines:
                if line not in said:
                    said.add(line)
                    say(line)
            yield shard

    def _by_actors(
        self, kind: type[_Actor], arguments: tuple[Any, ...], items: Sequence[tuple[Any, ...]], threads: int
    ) -> Iterator[tuple[int, Any]]:
        """The number of each item and what actors make of it, as it comes.

        An item whose actor is lost, with its process or its node, goes to another actor.

        Args:
            kind: The class of the actors.
            arguments: Its arguments.
            items: The arguments of its `work`, the first of which is a slice.
            threads: The CPUs of each actor.

        Raises:
            InputError: If an actor raises one, or actors are lost again and again.
            RuntimeError: If an actor raises any other error, with its traceback.
        """
        import ray

        workers = self._workers or max(1, int(ray.cluster_resources().get("CPU", 1)) // threads)
        actor_class = ray.remote(num_cpus=threads, max_restarts=0)(kind)
        waiting, lost = deque(range(len(items))), Counter[int | None]()
        idle, busy = dict[Any, Any](), dict[Any, tuple[Any, int]]()  # actors by the answers that they owe
        try:
            while waiting or busy:
                # 1. An actor for each item, so many at a time. It gets an item after it has begun: one that finds no
                #    free CPU, since a node is gone, holds none back.
                while len(idle) + len(busy) < min(workers, len(waiting) + len(busy)):
                    actor = actor_class.remote(*arguments)
                    idle[actor.begin.remote()] = actor
                # 2. The next answer, or the loss of an actor.
                ready, _ = ray.wait([*idle, *busy], num_returns=1, timeout=None if busy else _LONG)
                if not ready:
                    say(f"waiting for a node of the cluster with {counted(threads, 'free CPU')}")
                    continue
                actor, number = busy.pop(ready[0]) if ready[0] in busy else (idle.pop(ready[0]), None)
                try:
                    answer = _answered(ray.get(ready[0]))
                    lost[number] = 0
                except ray.exceptions.RayError as error:
                    lost[number] += 1
                    if lost[number] > _MOST_LOST * (workers if number is None else 1):
                        why = "workers are lost again and again, perhaps for lack of memory"
                        path = items[number or 0][0].path
                        raise InputError(f"{why} (fewer --workers, smaller shards): {error}", path=path) from error
                    if number is not None:
                        waiting.appendleft(number)
                        say("a worker was lost: another one does what it had at hand")
                    continue
                # 3. The next item.
                if waiting:
                    following = waiting.popleft()
                    busy[actor.work.remote(*items[following])] = actor, following
                else:
                    ray.kill(actor)
                if number is not None:
                    yield number, answer
        finally:
            for actor in [*idle.values(), *(actor for actor, _ in busy.values())]:
                ray.kill(actor)


def _answered(answer: Any) -> Any:
    """What an actor gave.

    Raises:
        InputError: If it raised one.
        RuntimeError: If it raised any other error, with its traceback.
    """
    if isinstance(answer, InputError):
        raise answer
    if isinstance(answer, _Failed):
        raise RuntimeError(f"a worker failed:\n{answer.traceback}")
    return answer


@dataclass(frozen=True, slots=True)
class _Failed:
    """An error of an actor, for which Ray would give one of its own."""

    traceback: str


class _Actor:
    """A process on a node that works on one slice after the other. Its errors are answers: Ray would wrap them."""

    def begin(self) -> Any:
        """Make ready."""
        return self._caught(self._begin)

    def work(self, *item: Any) -> Any:
        """Work on an item."""
        return self._caught(self._work, *item)

    def _caught(self, function: Callable[..., Any], *item: Any) -> Any:
        try:
            return function(*item)
        except InputError as error:
            return error
        except Exception:
            return _Failed(traceback.format_exc())

    def _begin(self) -> None:
        """Nothing, unless a class has something to load."""

    def _work(self, part: Slice, *item: Any) -> Any:
        raise NotImplementedError


class _Scanner(_Actor):
    """Reads slices.

    Args:
        options: The options.
    """

    def __init__(self, options: BulkOptions) -> None:
        self._options = options

    def _work(self, part: Slice, *_: Any) -> tuple[int, dict[str, Shape]]:
        return scan(part, self._options)


class _Tagging(_Actor):
    """Holds the model and tags slices.

    Args:
        task: What all of them need: the model, the folder of the shards, the options, the columns and the threads.
    """

    def __init__(self, task: tuple[_Model, Path, BulkOptions, Mapping[str, Any], int]) -> None:
        self._model, self._output, self._options, self._shapes, threads = task
        self._said = list[str]()
        os.environ["OMP_NUM_THREADS"] = str(threads)

    def _begin(self) -> None:
        self._tagger = self._model.load(self._options, self._said)

    def _work(self, part: Slice, *item: Any) -> tuple[Shard, list[str]]:
        (rows,) = item
        shard = tag_slice(self._tagger, part, self._output, self._options, self._shapes, rows)
        said = [*self._said]
        self._said.clear()
        return shard, said


# Training


def side_by_side(
    data: ResolvedData, networks: Sequence[NetworkRun], workers: int, *, address: str | None = None
) -> Generator[tuple[int, EpochReport], None, None]:
    """Train networks in actors, and pass on the reports as they come, each with the index of its network.

    It is a `Spread` of `train_runs`. The weights are those that one process gives, bit for bit, on the same processors.
    A network whose actor is lost goes on in another one after its last whole epoch.

    Args:
        data: The data.
        networks: The networks; each node reaches their directories.
        workers: The number of actors at the same time, each with one CPU.
        address: The cluster, see `connected`.

    Raises:
        InputError: If a network cannot be trained, its processes are lost again and again, or see `connected`.
    """
    with connected(address):
        import ray

        # 1. The data go to each node once.
        shared = ray.put(data)
        trainer, waiting, lost = (
            ray.remote(num_cpus=1, max_restarts=0)(_Trainer),
            deque(range(len(networks))),
            [0] * len(networks),
        )
        at_work, finished = dict[Any, tuple[int, Any]](), set[int]()
        while waiting or at_work:
            # 2. An actor for each network, so many at a time.
            while waiting and len(at_work) < workers:
                index = waiting.popleft()
                actor = trainer.remote(shared)
                network = replace(networks[index], directory=networks[index].directory.absolute())
                at_work[actor.train.options(num_returns="streaming").remote(network, index == 0)] = index, actor
            # 3. Its reports, warnings, an error, or its end.
            ready, _ = ray.wait([*at_work], num_returns=1)
            index, _ = at_work[ready[0]]
            try:
                message = ray.get(next(ready[0]))
            except StopIteration:
                del at_work[ready[0]]
                continue
            except ray.exceptions.RayError as error:
                del at_work[ready[0]]
                lost[index] += 1
                if lost[index] > _MOST_LOST:
                    why = "training processes were lost again and again, perhaps for lack of memory"
                    raise InputError(f"{why}: use fewer --workers", path=networks[index].directory) from error
                if index not in finished:
                    waiting.append(index)
                continue
            if isinstance(message, Exception):
                raise message
            if isinstance(message, str):
                _log.warning("%s", message)
                continue
            lost[index] = 0
            finished |= {index} if message.last else set()
            yield index, message


class _Trainer:
    """An actor that trains one network.

    Args:
        data: The data; their arrays are in memory that is shared and may not be written to.
    """

    def __init__(self, data: ResolvedData) -> None:
        self._data = deepcopy(data)

    def train(self, network: NetworkRun, warns: bool) -> Iterator[EpochReport | str | Exception]:
        """Reports, and before them the warnings of the library as texts; an error is the last."""
        warnings = _Kept(logging.WARNING)
        logging.getLogger("ner_lstm_crf").addHandler(warnings)
        try:
            for report in train_network(network, self._data, warns=warns):
                while warnings.messages:
                    yield warnings.messages.popleft()
                yield report
        except Exception as error:
            yield error


class _Kept(logging.Handler):
    """Keeps the messages that are logged."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.messages = deque[str]()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message."""
        self.messages.append(record.getMessage())
