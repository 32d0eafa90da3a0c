"""Several runs: side by side as one after another, and none left behind."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from threading import Timer

import pytest
import torch
from safetensors.torch import load_file

from ner_lstm_crf.config import Config
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.formats.registry import write_sentences
from ner_lstm_crf.runs.data import Data
from ner_lstm_crf.runs.network_runs import begin, train_network
from ner_lstm_crf.runs.processes import Job, _arriving, run_jobs, seeded
from ner_lstm_crf.runs.run import begin_run, train_run
from ner_lstm_crf.runs.run_files import CURVES, SUMMARY, forget_run, has_begun, is_finished, read_history
from ner_lstm_crf.text.annotation import Sentence, Span, tokens_from_words

Make = Callable[..., list[Sentence]]


def short(config: Config, epochs: int = 2) -> Config:
    return dataclasses.replace(config, training=dataclasses.replace(config.training, epochs=epochs))


def test_seeds_follow_each_other_in_folders_of_their_own(tiny: Config, tmp_path: Path) -> None:
    jobs = seeded(Job(tiny, tmp_path, resume=True), 3)
    assert [job.config.training.seed for job in jobs] == [1, 2, 3]
    assert [job.directory.name for job in jobs] == ["seed-1", "seed-2", "seed-3"]
    assert all(job.resume for job in jobs)


def test_runs_side_by_side_end_like_runs_one_after_another(make_sentences: Make, tiny: Config, tmp_path: Path) -> None:
    data = Data(make_sentences(60), make_sentences(10, seed=1))
    for name, workers in (("alone", 1), ("together", 2)):
        jobs = seeded(Job(short(tiny), tmp_path / name), 2)
        reports = list(run_jobs(data, jobs, workers=workers))
        assert sorted((job.directory.name, report.epoch) for job, report in reports) == [
            ("seed-1", 1),
            ("seed-1", 2),
            ("seed-2", 1),
            ("seed-2", 2),
        ]
    for seed in ("seed-1", "seed-2"):
        alone, together = (load_file(tmp_path / name / seed / "model.safetensors") for name in ("alone", "together"))
        assert all(torch.equal(alone[name], together[name]) for name in alone)


def test_what_goes_wrong_in_a_worker_comes_out(make_sentences: Make, tiny: Config, tmp_path: Path) -> None:
    data, jobs = Data(make_sentences(20)), seeded(Job(short(tiny), tmp_path), 2)
    begin_run(data, jobs[1].config, jobs[1].directory)
    (jobs[1].directory / "resume.safetensors").write_bytes(b"cut")
    with pytest.raises(InputError, match=r"seed-2/resume\.safetensors: .*damaged"):
        list(run_jobs(data, [jobs[0], dataclasses.replace(jobs[1], resume=True)], workers=2))


def test_a_model_in_the_way_of_one_run_is_said_before_another_begins(
    make_sentences: Make, tiny: Config, tmp_path: Path
) -> None:
    data, jobs = Data(make_sentences(20)), seeded(Job(short(tiny), tmp_path), 2)
    list(run_jobs(data, jobs[1:]))
    with pytest.raises(InputError, match="seed-2: this directory holds a model"):
        next(run_jobs(data, jobs))
    assert not jobs[0].directory.exists()


def test_runs_that_replace_others_can_all_be_resumed(make_sentences: Make, tiny: Config, tmp_path: Path) -> None:
    """Those whose turn has not come are not taken for the finished ones that were there before."""
    data, jobs = Data(make_sentences(20)), seeded(Job(short(tiny), tmp_path), 3)
    list(run_jobs(data, jobs))
    longer = [dataclasses.replace(job, config=short(tiny, 3), overwrite=True) for job in jobs]
    broken = run_jobs(data, longer)
    assert next(broken)[1].epochs == 3
    broken.close()  # type: ignore[attr-defined]
    rest = list(run_jobs(data, [dataclasses.replace(job, resume=True) for job in longer]))
    assert [(job.directory.name, report.epoch) for job, report in rest] == [
        *(("seed-1", epoch) for epoch in (2, 3)),
        *((seed, epoch) for seed in ("seed-2", "seed-3") for epoch in (1, 2, 3)),
    ]


class Deadly(Sentence):
    """A sentence that kills the process it is sent to, as the system does where memory runs out."""

    def __reduce__(self) -> tuple[object, ...]:
        return signal.raise_signal, (signal.SIGKILL,)


def test_a_worker_that_the_system_ends_is_one_line(tiny: Config, tmp_path: Path) -> None:
    data = Data([Deadly(tokens_from_words(["Ada"]), (Span(0, 1, "PER"),))])
    with pytest.raises(InputError, match="perhaps for lack of memory: use fewer --workers"):
        list(run_jobs(data, seeded(Job(tiny, tmp_path), 2), workers=2))


def test_reports_that_are_late_arrive() -> None:
    """All runs have ended, and what they said is still in the pipe."""
    ended: Future[None] = Future()
    ended.set_result(None)
    reports, sender = multiprocessing.Pipe(duplex=False)
    for number in range(3):
        sender.send((number, None))
    assert [number for number, _ in _arriving(reports, [ended])] == [0, 1, 2]


def test_a_run_that_fails_is_told_at_once() -> None:
    failed: Future[None] = Future()
    failed.set_exception(InputError("no"))
    reports, _sender = multiprocessing.Pipe(duplex=False)
    with pytest.raises(InputError, match="no"):
        next(_arriving(reports, [Future(), failed]))


@pytest.mark.slow
def test_workers_end_when_their_parent_is_killed(make_sentences: Make, tmp_path: Path) -> None:
    """A resumed run must not share its directory with a worker of the run that was killed."""
    write_sentences(tmp_path / "train.conll", make_sentences(100))
    histories = [tmp_path / "run" / seed / "history.jsonl" for seed in ("seed-1", "seed-2")]
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


def test_the_figures_of_an_old_run_do_not_outlive_it(tmp_path: Path) -> None:
    for name in (SUMMARY, CURVES):
        (tmp_path / name).write_text("old")
    begin(tmp_path, {"config": {}, "data": {}})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.json"]


@pytest.mark.skipif(sys.platform == "win32", reason="nothing is kept out there")
def test_two_runs_do_not_share_a_directory(make_sentences: Make, tiny: Config, tmp_path: Path) -> None:
    data, config = Data(make_sentences(20)), short(tiny, 3)
    first = train_network(data, config, tmp_path)
    next(first)
    for options in ({"overwrite": True}, {"resume": True}):
        with pytest.raises(InputError, match="another run is writing here: wait for it, or end it"):
            next(train_network(data, config, tmp_path, **options))
    with pytest.raises(InputError, match="another run is writing here"):
        begin_run(data, config, tmp_path, overwrite=True)
    assert [report.epoch for report in first] == [2, 3]
    assert [report.epoch for report in train_network(data, config, tmp_path, overwrite=True)] == [1, 2, 3]


def test_no_run_is_lost_to_one_that_would_replace_the_model_to_start_from(
    make_sentences: Make, tiny: Config, tmp_path: Path
) -> None:
    data, jobs = Data(make_sentences(20)), seeded(Job(short(tiny, 1), tmp_path), 2)
    list(run_jobs(data, jobs))
    again = [dataclasses.replace(job, overwrite=True) for job in jobs]
    with pytest.raises(InputError, match="seed-2: expected another directory than that of the model to start from"):
        list(run_jobs(dataclasses.replace(data, initial=tmp_path / "seed-2"), again))
    assert all(is_finished(job.directory) and len(read_history(job.directory)) == 1 for job in jobs)


def test_no_workers_are_refused_before_anything_is_lost(make_sentences: Make, tiny: Config, tmp_path: Path) -> None:
    data, jobs = Data(make_sentences(20)), seeded(Job(short(tiny, 1), tmp_path), 2)
    list(run_jobs(data, jobs))
    again = [dataclasses.replace(job, overwrite=True) for job in jobs]
    with pytest.raises(ValueError, match="expected at least one worker, got 0"):
        list(run_jobs(data, again, workers=0))
    assert all((job.directory / "history.jsonl").read_text() for job in jobs)


def test_a_worker_that_is_gone_in_the_middle_of_a_report_is_no_wait_for_ever() -> None:
    failed: Future[None] = Future()
    reports, sender = multiprocessing.Pipe(duplex=False)
    os.write(sender.fileno(), (1000).to_bytes(4, "big") + b"the first bytes")
    sender.close()
    Timer(0.2, failed.set_exception, [InputError("it is gone")]).start()
    with pytest.raises(InputError, match="it is gone"):
        next(_arriving(reports, [failed]))


def test_a_pipe_that_ends_after_all_runs_have_is_their_end() -> None:
    ended: Future[None] = Future()
    ended.set_result(None)
    reports, sender = multiprocessing.Pipe(duplex=False)
    sender.close()
    assert list(_arriving(reports, [ended])) == []


@pytest.mark.slow
def test_a_caller_that_leaves_ends_the_workers_and_no_process_of_its_own(
    make_sentences: Make, tiny: Config, tmp_path: Path
) -> None:
    reports = run_jobs(Data(make_sentences(20)), seeded(Job(short(tiny, 100_000), tmp_path), 2), workers=2)
    next(reports)
    own = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(60,))
    own.start()
    reports.close()
    assert multiprocessing.active_children() == [own]
    own.terminate()
    own.join()


def test_a_run_that_is_half_removed_is_not_an_ended_one(
    make_sentences: Make, tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = dataclasses.replace(tiny, training=dataclasses.replace(tiny.training, epochs=1, ensemble_size=2))
    list(train_run(Data(make_sentences(20)), config, tmp_path))
    assert is_finished(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            forget_run(tmp_path)
    assert not is_finished(tmp_path)
    forget_run(tmp_path)
    assert not has_begun(tmp_path)
    assert not list(tmp_path.glob("member-*"))
