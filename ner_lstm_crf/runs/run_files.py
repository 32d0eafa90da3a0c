"""The files that a training run leaves beside its model, read and checked.

run.json               the configuration and the data, to know a run again
history.jsonl          one report per epoch; of several networks one for each
resume.safetensors     what is needed to continue; gone once training has ended
summary.json           its figures, once it has ended, and those of other seeds
curve.png              its learning curves
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

from ner_lstm_crf.config import Config
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.atomic import make_directory, write_text
from ner_lstm_crf.files.json import parse_json, read_json
from ner_lstm_crf.files.text import read_text
from ner_lstm_crf.saving.model import is_model
from ner_lstm_crf.training.trainer import EpochReport

if sys.platform != "win32":
    import fcntl

__all__ = [
    "CURVES",
    "HISTORY",
    "MEMBER",
    "RESUME",
    "RUN",
    "SUMMARY",
    "alone_in",
    "check_free",
    "finish",
    "forget_after",
    "forget_run",
    "has_begun",
    "is_finished",
    "read_history",
    "read_run",
    "runs_of_networks",
]

MEMBER = "member-"
"""What the directories of the networks that a run trains are called, with a number from 1."""

RUN, HISTORY, RESUME = "run.json", "history.jsonl", "resume.safetensors"
SUMMARY, CURVES = "summary.json", "curve.png"


def check_free(directory: Path, *, overwrite: bool) -> None:
    """Refuse a directory that holds a model, or those of a run's single networks, unless they may be replaced.

    Raises:
        InputError: If it holds one.
    """
    for place in () if overwrite else (directory, *runs_of_networks(directory)):
        if is_model(place):
            raise InputError("this directory holds a model: choose another, or say --overwrite or --resume", path=place)


@contextmanager
def alone_in(directory: Path) -> Iterator[None]:
    """Keep other runs out of a directory while this one writes there, where the system can do that.

    Raises:
        InputError: If another one is writing there.
    """
    make_directory(directory)
    if sys.platform == "win32":
        yield
        return
    held = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        raise InputError("another run is writing here: wait for it, or end it", path=directory) from None
    except OSError:  # some file systems of networks know no locks
        pass
    try:
        yield
    finally:
        os.close(held)


def has_begun(directory: Path) -> bool:
    """Whether a run has begun in the directory; it may have ended."""
    return (directory / RUN).is_file()


def is_finished(directory: Path) -> bool:
    """Whether nothing is left to train."""
    return bool(read_run(directory)["finished"])


def finish(directory: Path) -> None:
    """Note that nothing is left to train."""
    _note(directory, finished=True)


def _note(directory: Path, *, finished: bool) -> None:
    run = read_run(directory)
    write_text(directory / RUN, json.dumps(run | {"finished": finished}, indent=2) + "\n")


def read_run(directory: Path) -> dict[str, Any]:
    """What `run.json` holds: the tables of "config", the fingerprints of the "data", and whether it is "finished".

    Raises:
        InputError: If the file is missing or damaged.
    """
    run = read_json(directory / RUN, "run")
    if not isinstance(run, dict) or not {"config", "data", "finished"} <= run.keys():
        raise InputError("the run is damaged: expected 'config', 'data' and 'finished'", path=directory / RUN)
    if not isinstance(run["data"], dict):
        raise InputError("the run was begun by another release, which knew its data otherwise", path=directory / RUN)
    tables = run["config"] if isinstance(run["config"], dict) else {}
    if not all(isinstance(tables.get(field.name), dict) for field in fields(Config)):
        raise InputError("the run is damaged: expected the tables 'model' and 'training'", path=directory / RUN)
    return run


def read_history(directory: Path) -> list[dict[str, Any]]:
    """The reports of a run's epochs, or of its networks, as `EpochReport.to_json` wrote them.

    Raises:
        InputError: If the file is missing, or a line is no such report.
    """
    path = directory / HISTORY
    return [_report(line, path, number) for number, line in enumerate(read_text(path, "run").splitlines(), 1)]


def forget_run(directory: Path) -> None:
    """Remove what a run left beside its model, if there is anything: also the runs of several networks.

    Raises:
        InputError: If it cannot be removed.
    """
    try:
        places = runs_of_networks(directory)
        with suppress(InputError):  # there is none, or a damaged one; else a kill amid this must not leave an ended one
            _note(directory, finished=False)
        for place in places:
            shutil.rmtree(place)
        for name in (SUMMARY, CURVES, RESUME, HISTORY, RUN):  # the last says of which networks there were runs
            (directory / name).unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"expected a directory that can be written: {error}", path=directory) from error


def runs_of_networks(directory: Path) -> list[Path]:
    """The directories that the run in this one has for its networks, where it is of several; those that are there."""
    try:
        members = read_run(directory)["config"]["training"].get("ensemble_size", 1) if has_begun(directory) else 1
    except InputError:  # damaged: what it had is not known
        return []
    if not isinstance(members, int) or members < 2:
        return []
    places = (directory / f"{MEMBER}{number}" for number in range(1, members + 1))
    return [place for place in places if place.is_dir()]


def forget_after(directory: Path, epoch: int) -> None:
    """Drop the reports of epochs that will be trained again: those after `epoch`.

    Raises:
        InputError: If the reports of the others are not there.
    """
    path = directory / HISTORY
    lines = read_text(path, "run").splitlines()[:epoch] if epoch else []
    for number, line in enumerate(lines, 1):
        _report(line, path, number)
    if len(lines) < epoch:
        raise InputError(f"the run is damaged: expected the reports of {epoch} epochs, found {len(lines)}", path=path)
    write_text(path, "".join(line + "\n" for line in lines))


def _report(text: str, path: Path, line: int) -> dict[str, Any]:
    expected = {field.name for field in fields(EpochReport)} - {"last"}
    report = parse_json(text, path, "run", line=line)
    if not isinstance(report, dict) or not expected <= report.keys():
        raise InputError("the run is damaged: expected the report of an epoch", path=path, line=line)
    return report
