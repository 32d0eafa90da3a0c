from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from ner_lstm_crf.runs import display
from tests.cli.conftest import TINY, Files, Run, equal_weights, same_history

# What is there already


def test_a_model_is_not_replaced_unless_asked(model: Path, run: Run) -> None:
    before = (model / "network-1.safetensors").read_bytes()
    complaint = run("train", "--train", "missing.conll", "--output", model).complaint  # said before anything is read
    assert complaint.startswith(f"error: {model}: this directory holds a model")
    assert "--overwrite" in complaint
    assert (model / "network-1.safetensors").read_bytes() == before


@pytest.mark.parametrize("seeds", [1, 2])
def test_the_model_to_start_from_is_not_replaced(model: Path, run: Run, seeds: int) -> None:
    options = ["--init-from", model, "--train", "missing.conll", "--output", model, "--overwrite", "--seeds", seeds]
    assert "expected another directory than that of the model to start from" in run("train", *options).complaint


def test_overwrite_replaces(files: Files, tmp_path: Path, run: Run) -> None:
    options = [*files.options, "--epochs", "1", "--output", tmp_path / "m"]
    assert run("train", *options).code == 0
    before = (tmp_path / "m" / "network-1.safetensors").read_bytes()
    assert run("train", *options, "--overwrite", "--seed", "9").code == 0
    assert (tmp_path / "m" / "network-1.safetensors").read_bytes() != before


def test_an_output_that_is_a_file(files: Files, write, run: Run) -> None:
    path = write("taken", "text")
    assert "expected a directory" in run("train", *files.options, "--output", path).complaint


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Writing more than so many bytes into a file fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_the_old_model_whole(files: Files, tmp_path: Path, run: Run) -> None:
    directory = tmp_path / "m"
    assert run("train", *files.options, "--epochs", "1", "--output", directory).code == 0
    before = {path.name: path.read_bytes() for path in directory.iterdir()}
    other = tmp_path / "other.conll"
    other.write_text(files.train.read_text().replace("Oslo", "Bergen"))
    with file_size_limit(len(before["network-1.safetensors"]) // 2):
        options = ["--dev", files.dev, "--config", files.config, "--output", directory, "--overwrite"]
        complaint = run("train", "--train", other, *options).complaint
    assert "network-1.safetensors: cannot be written" in complaint
    for name in ("config.json", "vocabulary.json", "network-1.safetensors"):
        assert (directory / name).read_bytes() == before[name]
    assert not list(directory.glob(".*.new"))
    assert run("evaluate", directory, files.test).code == 0


# Interrupted and resumed


def test_resuming_an_interrupted_run_ends_where_an_unbroken_one_does(
    files: Files, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = [*files.options, "--epochs", "4"]
    assert run("train", *options, "--output", tmp_path / "unbroken").code == 0
    show = display.TrainingDisplay.epoch

    def interrupt(self: display.TrainingDisplay, number: int, report: object) -> None:
        show(self, number, report)  # type: ignore[arg-type]
        if report.epoch == 2:  # type: ignore[attr-defined]
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(display.TrainingDisplay, "epoch", interrupt)
        result = run("train", *options, "--output", tmp_path / "m")
    assert result.code == 130
    assert result.err.splitlines()[-1].startswith("interrupted: the same command with --resume")
    result = run("train", *options, "--output", tmp_path / "m", "--resume")
    assert result.code == 0
    assert [line[:9] for line in result.err.splitlines() if line.startswith("epoch")] == ["epoch 3/4", "epoch 4/4"]
    assert equal_weights(tmp_path / "m", tmp_path / "unbroken")
    assert same_history(tmp_path / "m", tmp_path / "unbroken")
    again = run("train", *options, "--output", tmp_path / "m", "--resume", "--test", files.test)
    assert again.code == 0  # nothing left to train: the scores once more
    assert "micro" in again.out
    assert "epoch 4/4" not in again.err
    other = run("train", *files.options, "--epochs", "5", "--output", tmp_path / "m", "--resume").complaint
    assert "had epochs = 4, this one has 5" in other


def test_seeds_are_resumed_and_those_not_yet_begun_begin(
    files: Files, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = [*files.options, "--epochs", "2", "--seeds", "2", "--output", tmp_path / "m"]

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(display.TrainingDisplay, "epoch", interrupt)
        assert run("train", *options).code == 130
    assert not list((tmp_path / "m" / "seed-2").rglob("history.jsonl"))
    result = run("train", *options, "--resume")
    assert result.code == 0, result.err
    assert "seed-1  epoch 1/2" not in result.err
    assert result.err.count("seed-2  epoch") == 2
    assert "seed-2  epoch 2/2" in result.err
    assert result.err.rpartition("seed-2  epoch 2/2")[2].split("\n")[0].endswith("00:00 left")


def test_how_to_go_on_is_said_only_where_one_can(
    files: Files, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(display.TrainingDisplay, "epoch", interrupt)
    result = run("compare", *files.options, "--test", files.test, "--seeds", "1")
    assert (result.code, result.err.splitlines()[-1]) == (130, "interrupted")
    result = run("train", *files.options, "--output", tmp_path / "m", "--overwrite")
    assert result.err.splitlines()[-1].startswith("interrupted: the same command with --resume in place of --overwrite")


def test_an_old_run_is_kept_where_several_are_refused(
    files: Files, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    options, directory = [*files.options, "--epochs", "3", "--output", tmp_path / "m"], tmp_path / "m"
    with monkeypatch.context() as patch:
        patch.setattr(display.TrainingDisplay, "epoch", interrupt)
        assert run("train", *options).code == 130
    complaint = run("train", *options, "--seeds", "2", "--overwrite", "--transformer", tmp_path / "none").complaint
    assert str(tmp_path / "none") in complaint
    assert (directory / ".training" / "network-1" / "resume.safetensors").exists()
    assert run("train", *options, "--resume").code == 0
    assert run("train", *options, "--seeds", "2", "--overwrite").code == 0
    assert not (directory / "run.json").exists()


def test_nothing_to_resume_is_said_before_anything_is_read(tmp_path: Path, run: Run) -> None:
    for command in ("train", "compare"):
        options = ["--train", "missing.conll", "--test", "missing.conll", "--output", tmp_path / "m", "--resume"]
        for seeds in ("1", "2"):
            complaint = run(command, *options, "--seeds", seeds).complaint
            assert complaint == f"error: {tmp_path / 'm'}: expected a run to resume, found none"
    assert not (tmp_path / "m").exists()


def test_resuming_with_other_seeds_leaves_an_interrupted_run_alone(
    files: Files, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    options, directory = [*files.options, "--epochs", "3"], tmp_path / "m"

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(display.TrainingDisplay, "epoch", interrupt)
        assert run("train", *options, "--output", directory).code == 130
    before = {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    assert {"run.json", "history.jsonl", "resume.safetensors"} <= {path.name for path in before}
    complaint = run("train", *options, "--output", directory, "--seeds", "2", "--resume").complaint
    assert complaint.startswith(f"error: {directory}: this directory holds a run of one seed")
    assert {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()} == before
    assert run("train", *options, "--output", directory, "--resume").code == 0


def interruptible(command: Sequence[object]) -> subprocess.Popen[str]:
    """A process, in a group of its own, that hears interrupts.

    A shell makes what it puts in the background deaf to them; the suite may run so, its children must not.
    """
    heard = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(
            [str(part) for part in command],
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            start_new_session=True,
        )
    finally:
        signal.signal(signal.SIGINT, heard)


@pytest.mark.slow
def test_an_interruption_ends_the_workers_too(files: Files, write, tmp_path: Path) -> None:
    config = write("long.toml", TINY.replace("epochs = 12", "epochs = 5000"))
    options = ["--train", files.train, "--dev", files.dev, "--config", config, "--seeds", "2", "--workers", "2"]
    command = [sys.executable, "-m", "ner_lstm_crf", "train", *options, "--output", tmp_path / "m"]
    with interruptible(command) as process:
        assert process.stderr is not None
        while "epoch" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()  # to its end: when the last of the workers has gone
    assert process.returncode == 130
    assert "--resume" in rest.splitlines()[-1]
    assert "Traceback" not in rest


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="the processes of another are known from /proc")
def test_an_interruption_of_workers_that_are_about_to_start_is_one_line(files: Files, write, tmp_path: Path) -> None:
    config = write("long.toml", TINY.replace("epochs = 12", "epochs = 5000"))
    options = ["--train", files.train, "--dev", files.dev, "--config", config, "--seeds", "2", "--workers", "2"]
    command = [sys.executable, "-m", "ner_lstm_crf", "train", *options, "--output", tmp_path / "m"]
    with interruptible(command) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        while len(children.read_text().split()) < 2:  # the first one counts semaphores
            assert process.poll() is None
            time.sleep(0.001)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: all of them
        assert process.stderr is not None
        said = process.stderr.read()
    assert process.returncode == 130
    assert "Traceback" not in said


STALLING = """
import sys
import time
from ner_lstm_crf.runs import display
from ner_lstm_crf.cli.main import main

show = display.TrainingDisplay.epoch

def epoch(self, number, report):
    show(self, number, report)
    if report.epoch == 20:
        time.sleep(3600)

display.TrainingDisplay.epoch = epoch
sys.exit(main(sys.argv[1:]))
"""
"""The command line, with runs that do not go beyond their twentieth epoch, nor end, until they are killed."""


@pytest.mark.slow
def test_a_killed_run_resumes_to_the_weights_of_an_unbroken_one(files: Files, write, tmp_path: Path, run: Run) -> None:
    config = write("long.toml", TINY.replace("epochs = 12", "epochs = 24"))
    options = ["--train", files.train, "--dev", files.dev, "--config", config, "--threads", "1"]
    command = [sys.executable, "-c", STALLING, "train", *options, "--output", tmp_path / "m"]
    history = tmp_path / "m" / ".training" / "network-1" / "history.jsonl"
    with subprocess.Popen(
        [str(part) for part in command], stderr=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"}
    ) as process:
        try:
            while process.poll() is None and (not history.exists() or len(history.read_text().splitlines()) < 3):
                time.sleep(0.005)
        finally:
            process.kill()
    assert process.returncode == -signal.SIGKILL
    assert run("train", *options, "--output", tmp_path / "m", "--resume").code == 0
    assert len((tmp_path / "m" / "history.jsonl").read_text().splitlines()) == 24
    assert run("train", *options, "--output", tmp_path / "unbroken").code == 0
    assert equal_weights(tmp_path / "m", tmp_path / "unbroken")
    assert same_history(tmp_path / "m", tmp_path / "unbroken")
