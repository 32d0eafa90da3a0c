"""Ray: bulk tagging over the machines of a cluster, and training runs side by side on them.

`tag_files` tags folders of files with Ray Data (see `ner_lstm_crf.bulk`): a slice of a file is a row of its dataset,
and each worker is an actor that holds the model and writes the shards. So no text goes through Ray's object store, and
nothing is shuffled. `side_by_side` trains networks in actors.

All nodes need this package, and reach the files under the same paths: on a shared file system, unless there is one.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import signal
import socket
import threading
import traceback
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any
from warnings import catch_warnings, simplefilter

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

_MOST_LOST = 3  # processes in a row that are lost while they train the same epoch

_PATIENCE = 600.0  # seconds without a result after which a lost node ends the job
_FRUITLESS = 3  # passes in which workers are lost and no shard is finished


@contextmanager
def connected(address: str | None = None) -> Iterator[None]:
    """A connection to Ray within this context; one that the program has made is used as it is.

    Args:
        address: The address of a cluster, "auto" for the one that runs on this machine; None for RAY_ADDRESS, and where
            that is not set for a Ray of this machine alone, which ends with the context.

    Raises:
        InputError: If Ray is not installed, or no cluster answers.
    """
    try:
        import ray
        import ray.data
    except ModuleNotFoundError as error:
        if error.name not in ("ray", "pyarrow", "pandas"):
            raise
        raise InputError(f"Ray needs the package {error.name}: pip install 'ner-lstm-crf[ray]'") from error

    if ray.is_initialized():
        with _without_warnings():
            yield
        return
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    _check_answers(address)
    with _quiet(), _without_warnings(), _signals_kept() as keep:
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
    handlers = [one for one in logging.getLogger("ray.data").handlers if isinstance(one, logging.StreamHandler)]
    levels = [one.level for one in handlers]
    os.environ.update(names)
    for handler in handlers:
        handler.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for handler, level in zip(handlers, levels, strict=True):
            handler.setLevel(level)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Ray Data without warnings of what it sets and calls itself, and of the options of its actors."""
    with catch_warnings():
        simplefilter("ignore", DeprecationWarning)
        yield


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
    """Ray Data as an `Engine`.

    Args:
        model: The model.
        workers: The number of workers; None for as many as the cluster has CPUs for.
        threads: The threads of each.
    """

    def __init__(self, model: _Model, workers: int | None, threads: int) -> None:
        self._model, self._workers, self._threads = model, workers, threads
        self._said, self._fruitless = set[str](), 0

    def scan(self, slices: Sequence[Slice], options: BulkOptions) -> Iterator[Scanned]:
        """`scan` of each slice, by tasks."""
        left = {number: {"number": number, "slice": asdict(part)} for number, part in enumerate(slices)}
        while left:
            for found in self._pass([*left.values()], partial(_scan, options=options)):
                del left[found["number"]]
                yield Scanned(**found)

    def tag(self, job: Manifest) -> Iterator[Shard]:
        """`tag_slice` of each slice, by actors."""
        import ray

        task = ray.put((self._model, str(job.folder), job.options, job.shapes, self._threads))
        while left := job.left:
            cpus = max(1, int(ray.cluster_resources().get("CPU", 1)) // self._threads)
            actors = {
                "fn_constructor_args": ([task],),  # in a list, lest Ray Data puts it into each actor's arguments
                "compute": ray.data.ActorPoolStrategy(size=min(self._workers or cpus, len(left))),
                "num_cpus": self._threads,
                "max_restarts": -1,
                "max_task_retries": 0,  # by an actor that may wait for a node for ever: the next pass does it
            }
            items = [{"slice": asdict(part), "rows": job.rows[part.shard]} for part in left]
            for found in self._pass(items, _Worker, **actors):
                for line in found.pop("said"):
                    if line not in self._said:
                        self._said.add(line)
                        say(line)
                yield Shard(**found)

    def _pass(self, items: Sequence[Mapping[str, Any]], function: Any, **options: Any) -> Iterator[dict[str, Any]]:
        """The results for the items, as they come, but for those that are lost with workers: another pass does them.

        Raises:
            InputError: If the function raises one, or several passes in a row give nothing.
            RuntimeError: If the function raises any other error.
        """
        import ray

        count, lost = 0, None
        try:
            for found in _results(items, function, **options):
                count += 1
                yield found
        except ray.exceptions.RayError as error:
            lost = error
        self._fruitless = 0 if count else self._fruitless + 1
        if self._fruitless == _FRUITLESS:
            path = items[0]["slice"]["path"]
            why = "workers are lost again and again, perhaps for lack of memory (fewer --workers, another --shard-size)"
            raise InputError(f"{why}: {lost}" if lost else why, path=path) from lost
        if count < len(items):
            left = counted(len(items) - count, "slice")
            say(f"workers were lost: {left} of {len(items):,} that they had at hand, or did not come to, are next")


def _results(items: Sequence[Mapping[str, Any]], function: Any, **options: Any) -> Iterator[dict[str, Any]]:
    """What a function, or the actors of a class, give for each item, as it comes; without those that were lost.

    Raises:
        InputError: If the function raises one, or Ray Data waits for a node that was lost.
        RuntimeError: If it raises any other error, with its traceback.
        RayError: If so many workers are lost that Ray Data ends.
    """
    import ray

    context = ray.data.DataContext.get_current().copy()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.max_errored_blocks = -1  # lost workers; errors of the function come as results
    rows, results, is_left = (
        [json.dumps(item) for item in items],
        SimpleQueue[str | Exception | None](),
        threading.Event(),
    )

    def read() -> None:
        """Put each result, and then None or the error that ended them, into the queue."""
        try:
            with ray.data.DataContext.current(context):
                data = ray.data.from_items(rows, override_num_blocks=len(rows))
                for row in data.map_batches(function, batch_size=1, **options).iter_rows():
                    results.put(row["found"])
                    if is_left.is_set():
                        return
        except Exception as error:
            results.put(error)
        else:
            results.put(None)

    # Ray Data may wait for a lost node without end: a thread of its own does, and is looked after.
    threading.Thread(target=read, daemon=True).start()
    try:
        for result in _watched(results, items[0]["slice"]["path"]):
            found = json.loads(result)
            if "error" in found:
                raise InputError(**found["error"])
            if "traceback" in found:
                raise RuntimeError(f"a worker failed:\n{found['traceback']}")
            yield found
    finally:
        is_left.set()


def _watched(results: SimpleQueue[str | Exception | None], path: str) -> Iterator[str]:
    """The results of a queue, to the None behind them; an error in it is raised.

    Raises:
        InputError: If nothing comes for `_PATIENCE` and a node was lost.
    """
    nodes = _nodes()
    while True:
        try:
            result = results.get(timeout=_PATIENCE)
        except Empty:
            if lost := len(nodes - _nodes()):
                why = f"{counted(lost, 'node')} of the cluster lost, and no result since: go on with --resume"
                raise InputError(why, path=path) from None
            continue
        if isinstance(result, Exception):
            raise result
        if result is None:
            return
        yield result


def _nodes() -> set[str]:
    """The nodes of the cluster that are alive."""
    import ray

    return {node["NodeID"] for node in ray.nodes() if node["Alive"]}


def _answers(batch: Mapping[str, Any], function: Any) -> dict[str, Any]:
    """The results of a function for a batch of items; errors are results: Ray would take them for lost workers."""
    found = list[dict[str, Any]]()
    for item in batch["item"]:
        try:
            found.append(function(json.loads(item)))
        except InputError as error:
            path = None if error.path is None else os.fspath(error.path)
            found.append({"error": {"message": error.message, "path": path, "line": error.line}})
        except Exception:
            found.append({"traceback": traceback.format_exc()})
    return {"found": [json.dumps(one) for one in found]}


def _scan(batch: Mapping[str, Any], options: BulkOptions) -> dict[str, Any]:
    """`scan`, as a function of Ray Data."""

    def scanned(item: Mapping[str, Any]) -> dict[str, Any]:
        """What is found in one slice."""
        rows, shapes = scan(Slice(**item["slice"]), options)
        return {"number": item["number"], "rows": rows, "shapes": shapes}

    return _answers(batch, scanned)


class _Worker:
    """An actor that holds the model and tags slices.

    Args:
        task: A reference to what all workers need, in a list.
    """

    def __init__(self, task: Sequence[Any]) -> None:
        import ray

        model, output, self._options, self._shapes, threads = ray.get(task[0])
        os.environ["OMP_NUM_THREADS"] = str(threads)
        self._output, self._said = Path(output), list[str]()
        self._tagger = model.load(self._options, self._said)

    def __call__(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Tag the slices of a batch."""
        return _answers(batch, self._tag)

    def _tag(self, item: Mapping[str, Any]) -> dict[str, Any]:
        part = Slice(**item["slice"])
        shard = tag_slice(self._tagger, part, self._output, self._options, self._shapes, item["rows"])
        said = [*self._said]
        self._said.clear()
        return {**asdict(shard), "said": said}


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
