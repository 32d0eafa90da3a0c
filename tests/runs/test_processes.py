"""Several runs: side by side as one after another, and none left behind."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path
from typing import cast

import pytest

from ner_lstm_crf.config import Config
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.formats.registry import write_sentences
from ner_lstm_crf.runs.data import Data, ResolvedData, resolve_defaults
from ner_lstm_crf.runs.processes import PlannedRun, _receive, _send, _side_by_side, plan_seeds, train_runs
from ner_lstm_crf.runs.run import NetworkRun, Run
from ner_lstm_crf.text.annotation import Sentence, Span
from ner_lstm_crf.training.trainer import EpochReport
from tests.killing import Killed, kill_at
from tests.made import changed, same_networks

Make = Callable[..., list[Sentence]]
Reports = Generator[tuple[PlannedRun, EpochReport]]


@pytest.fixture(scope="module")
def data(make_sentences: Make, tiny: Config) -> ResolvedData:
    return resolve_defaults(Data(make_sentences(20), make_sentences(5, seed=1)), tiny.model)


def seeds(config: Config, directory: Path, count: int = 2, epochs: int = 2, **options: bool) -> list[PlannedRun]:
    return plan_seeds(PlannedRun(changed(config, epochs=epochs), directory, **options), count)


def test_seeds_follow_each_other_in_folders_of_their_own(tiny: Config, tmp_path: Path) -> None:
    plans = seeds(tiny, tmp_path, 3, resume=True)
    assert [plan.config.training.seed for plan in plans] == [1, 2, 3]
    assert [plan.directory.name for plan in plans] == ["seed-1", "seed-2", "seed-3"]
    assert all(plan.resume for plan in plans)


def test_runs_side_by_side_end_like_runs_one_after_another(data: ResolvedData, tiny: Config, tmp_path: Path) -> None:
    for name, workers in (("alone", 1), ("together", 2)):
        reports = list(train_runs(data, seeds(tiny, tmp_path / name, 3), workers=workers))
        assert sorted((plan.directory.name, report.epoch) for plan, report in reports) == [
            (f"seed-{seed}", epoch) for seed in (1, 2, 3) for epoch in (1, 2)
        ]
    for seed in ("seed-1", "seed-2", "seed-3"):
        assert same_networks(tmp_path / "alone" / seed, tmp_path / "together" / seed)


def test_what_goes_wrong_in_a_worker_comes_out(data: ResolvedData, tiny: Config, tmp_path: Path) -> None:
    plans = seeds(tiny, tmp_path)
    Run(plans[1].directory).create(data, plans[1].config)
    path = plans[1].directory / ".training" / "network-1" / "resume.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"cut")
    with pytest.raises(InputError, match=r"seed-2/\.training/network-1/resume\.safetensors: .*damaged") as raised:
        list(train_runs(data, [plans[0], dataclasses.replace(plans[1], resume=True)], workers=2))
    assert raised.value.path == path


def test_a_model_in_the_way_of_one_run_is_refused_before_another_is_created(
    data: ResolvedData, tiny: Config, tmp_path: Path
) -> None:
    plans = seeds(tiny, tmp_path)
    list(train_runs(data, plans[1:]))
    with pytest.raises(InputError, match="seed-2: this directory holds a model"):
        next(train_runs(data, plans))
    assert not plans[0].directory.exists()


def test_runs_that_replace_others_can_all_be_resumed(data: ResolvedData, tiny: Config, tmp_path: Path) -> None:
    """Those whose turn has not come are not taken for the finished ones that were there before."""
    list(train_runs(data, seeds(tiny, tmp_path, 3)))
    longer = seeds(tiny, tmp_path, 3, epochs=3, overwrite=True)
    broken = cast("Reports", train_runs(data, longer))
    assert next(broken)[1].epochs == 3
    broken.close()
    rest = list(train_runs(data, [dataclasses.replace(plan, resume=True) for plan in longer]))
    assert [(plan.directory.name, report.epoch) for plan, report in rest] == [
        *(("seed-1", epoch) for epoch in (2, 3)),
        *((seed, epoch) for seed in ("seed-2", "seed-3") for epoch in (1, 2, 3)),
    ]


def test_a_kill_while_new_runs_take_the_place_of_old_ones_leaves_no_mixture(
    data: ResolvedData, tiny: Config, tmp_path: Path
) -> None:
    """The process ends before each change of the file system in turn, until all new runs are created."""
    list(train_runs(data, seeds(tiny, tmp_path / "old", epochs=1)))
    longer, found = seeds(tiny, tmp_path / "new", epochs=3, overwrite=True), list[list[int]]()
    while not found or found[-1] != [3, 3]:
        shutil.copytree(tmp_path / "old", tmp_path / "new")
        with pytest.MonkeyPatch.context() as patch, suppress(Killed):
            kill_at(patch, len(found))
            next(train_runs(data, longer))
        there = [plan.directory / "run.json" for plan in longer if Run(plan.directory).exists]
        found.append([json.loads(path.read_text())["config"]["training"]["epochs"] for path in there])
        shutil.rmtree(tmp_path / "new")
    assert all(len(set(epochs)) <= 1 for epochs in found)
    assert [1, 1] in found
    assert [3] in found


def test_a_run_is_finished_as_soon_as_its_networks_are_trained(
    data: ResolvedData, tiny: Config, tmp_path: Path
) -> None:
    plans = seeds(changed(tiny, ensemble_size=2), tmp_path, epochs=1)
    reports = cast("Reports", train_runs(data, plans))
    assert [next(reports)[1].network for _ in range(3)] == [1, 2, 1]
    reports.close()
    assert [Run(plan.directory).finished for plan in plans] == [True, False]


class Deadly(Sentence):
    """A sentence that kills the process it is sent to, as the system does where memory runs out."""

    def __reduce__(self) -> tuple[object, ...]:
        return signal.raise_signal, (signal.SIGKILL,)


def test_a_worker_that_the_system_ends_is_one_line(tiny: Config, tmp_path: Path) -> None:
    data = resolve_defaults(Data([Deadly(Sentence.from_words(["Ada"]).tokens, (Span(0, 1, "PER"),))]), tiny.model)
    with pytest.raises(InputError, match="perhaps for lack of memory: use fewer --workers"):
        list(train_runs(data, seeds(tiny, tmp_path), workers=2))


class Stopping(NetworkRun):
    """A network run whose worker ends as its number says, or that waits for ever."""

    __slots__ = ()

    def train(self, *_: object) -> Generator[EpochReport]:
        if self.number == 1:
            raise InputError("no")
        if self.number == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(1000)
        yield  # type: ignore[misc]


@pytest.mark.parametrize(("number", "message"), [(1, "^no$"), (2, "perhaps for lack of memory")])
def test_a_network_that_fails_is_an_error_at_once(
    data: ResolvedData, tiny: Config, tmp_path: Path, number: int, message: str
) -> None:
    networks = [Stopping(9, tiny, tmp_path), Stopping(number, tiny, tmp_path)]
    before = set(multiprocessing.active_children())
    with pytest.raises(InputError, match=message):
        list(_side_by_side(data, networks, 2))
    assert set(multiprocessing.active_children()) <= before


def test_a_worker_that_is_gone_in_the_middle_of_a_message_is_no_wait_for_ever() -> None:
    ours, theirs = multiprocessing.Pipe()
    os.write(theirs.fileno(), (1000).to_bytes(4, "big") + b"the first bytes")
    theirs.close()
    with pytest.raises(InputError, match="a training process was ended by the system"):
        _receive(ours)
    with pytest.raises(InputError, match="a training process was ended by the system"):
        _send(ours, "the next network")


def test_a_worker_watches_its_parent_before_it_loads_anything_slow() -> None:
    code = "import sys, ner_lstm_crf.runs.worker; assert not {'torch', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
def test_workers_end_when_their_parent_is_killed(make_sentences: Make, tmp_path: Path) -> None:
    """A resumed run must not share its directory with a worker of the run that was killed."""
    write_sentences(tmp_path / "train.conll", make_sentences(100))
    histories = [tmp_path / "run" / seed / ".training" / "network-1" / "history.jsonl" for seed in ("seed-1", "seed-2")]
    options = ["--epochs", "100000", "--seeds", "2", "--workers", "2", "--output", str(tmp_path / "run")]
    command = [sys.executable, "-m", "ner_lstm_crf", "train", "--train", str(tmp_path / "train.conll"), *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            deadline = time.monotonic() + 120
            while not all(history.exists() and history.stat().st_size for history in histories):
                assert process.poll() is None
                assert time.monotonic() < deadline, "the workers have not trained an epoch"
                time.sleep(0.1)
            process.kill()
            process.communicate(timeout=120)  # to the end of what its workers might print: when the last has gone
        finally:
            with suppress(ProcessLookupError):  # as it should be: there is none left
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL


def test_no_run_is_lost_to_one_that_would_replace_the_model_to_start_from(
    make_sentences: Make, data: ResolvedData, tiny: Config, tmp_path: Path
) -> None:
    plans = seeds(tiny, tmp_path, epochs=1)
    list(train_runs(data, plans))
    again = [dataclasses.replace(plan, overwrite=True) for plan in plans]
    onward = dataclasses.replace(data, init_from=tmp_path / "seed-2")
    with pytest.raises(InputError, match="seed-2: expected another directory than that of the model to start from"):
        list(train_runs(onward, again))
    assert all(Run(plan.directory).finished and len(Run(plan.directory).history()) == 1 for plan in plans)


def test_no_workers_are_refused_before_anything_is_lost(data: ResolvedData, tiny: Config, tmp_path: Path) -> None:
    plans = seeds(tiny, tmp_path, epochs=1)
    list(train_runs(data, plans))
    again = [dataclasses.replace(plan, overwrite=True) for plan in plans]
    with pytest.raises(ValueError, match="expected at least one worker, got 0"):
        list(train_runs(data, again, workers=0))
    assert all(Run(plan.directory).history() for plan in plans)


def test_runs_keep_others_out_of_their_directories_until_all_are_trained(
    data: ResolvedData, tiny: Config, tmp_path: Path
) -> None:
    plans = seeds(tiny, tmp_path)
    reports = train_runs(data, plans)
    next(reports)
    code = (
        "import sys, pathlib; from ner_lstm_crf.runs.lock import locked; locked(pathlib.Path(sys.argv[1])).__enter__()"
    )
    for plan in plans:
        other = [sys.executable, "-c", code, str(plan.directory)]
        assert b"another run is writing here" in subprocess.run(other, capture_output=True, check=False).stderr
    assert len(list(reports)) == 3


@pytest.mark.slow
def test_a_caller_that_leaves_ends_the_workers_and_no_process_of_its_own(
    data: ResolvedData, tiny: Config, tmp_path: Path
) -> None:
    before = set(multiprocessing.active_children())  # those of another test, perhaps
    reports = cast("Reports", train_runs(data, seeds(tiny, tmp_path, epochs=100_000), workers=2))
    next(reports)
    own = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60,))
    own.start()
    reports.close()
    assert own.is_alive()
    assert set(multiprocessing.active_children()) - before == {own}
    own.terminate()
    own.join()
