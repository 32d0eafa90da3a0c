"""Trainings that are killed at any moment, and resumed.

Each training runs in a process of its own, in the place of an old model. It is killed at a random moment, by SIGKILL or
SIGTERM, or before a random one of its changes of the file system. All that time, and afterwards, a model has to
be there: the old or the new one. Then `--resume` goes on to the end, and the weights have to be those of the unbroken
training, bit for bit, with nothing left beside them. No process may outlive the killed one by more than 5 seconds.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from crashing.processes import (
    Unbroken,
    alive,
    ended,
    hidden,
    last_line,
    run_unbroken,
    same,
    start,
    wait,
    weights,
)
from locations import ROOT
from ner_lstm_crf.formats.conll import read_conll
from ner_lstm_crf.formats.registry import write_sentences

__all__ = ["NOTHING_BEGUN", "SHAPES", "kill_trainings", "training", "write_data"]

SHAPES = {
    "small": ("--preset", "small"),
    "fast": ("--preset", "fast"),
    "small, 3 networks": ("--preset", "small", "--ensemble", "3"),
    "fast, 3 networks": ("--preset", "fast", "--ensemble", "3"),
    "small, 2 seeds in 2 workers": ("--preset", "small", "--seeds", "2", "--workers", "2"),
    "fast, 3 networks in 2 workers": ("--preset", "fast", "--ensemble", "3", "--workers", "2"),
}
TINY = ("--epochs", "2", "--hidden-size", "8", "--word-size", "8", "--char-filters", "4", "--batch-size", "8")
LONGEST = 5.0  # seconds in which no process of a killed training may be left
NOTHING_BEGUN = ("expected a run to resume, found none", "the run to resume had")  # none, or that of the old model


@dataclass
class Outcome:
    """The outcome of all kills of one kind of training.

    Attributes:
        counts: Of kills, of equal weights, of trainings that had not begun, of loads in between.
        longest: Seconds that a process outlived the killed one.
        faults: What must not be, one line each.
    """

    counts: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0
    faults: list[str] = field(default_factory=list)


def kill_trainings(work: Path, kills: int, shapes: Sequence[str], source: random.Random) -> int:
    """Kill and resume trainings of these shapes in turn, and print what came of it.

    Args:
        work: An empty folder.
        kills: The number of kills, of all shapes together.
        shapes: Names of `SHAPES`.
        source: Where the moments come from.

    Returns:
        The number of faults.
    """
    faults = 0
    print(f"{'training':<30} {'kills':>5} {'equal':>5} {'not begun':>9} {'loads meanwhile':>15} {'longest orphan':>14}")
    write_data(work)
    old = work / "old"
    run_unbroken(work, training(work, old, "--preset", "small", "--seed", "9"))
    for number, shape in enumerate(shapes):
        new, outcome = work / "new", Outcome()
        unbroken = run_unbroken(work, training(work, new, *SHAPES[shape]))
        for _ in range(kills // len(shapes) + (number < kills % len(shapes))):
            kill_and_resume(work, SHAPES[shape], unbroken, source, outcome)
        shutil.rmtree(new)
        counts, faults = outcome.counts, faults + len(outcome.faults)
        print(
            f"{shape:<30} {counts['kills']:>5} {counts['equal']:>5} {counts['not begun']:>9} {counts['loads']:>15} "
            f"{outcome.longest:>12.1f} s",
            *(f"  FAULT: {fault}" for fault in outcome.faults),
            sep="\n",
            flush=True,
        )
    return faults


def write_data(work: Path, train: int = 40, dev: int = 10) -> None:
    """Write `train.conll` and `dev.conll` of so many sentences."""
    for name, count in (("train", train), ("dev", dev)):
        write_sentences(work / f"{name}.conll", list(read_conll(ROOT / "corpora" / "en" / f"{name}.conll"))[:count])


def training(data: Path, output: Path, *options: str) -> list[str]:
    """The command line of a training of a second."""
    files = ("--train", str(data / "train.conll"), "--dev", str(data / "dev.conll"), "--output", str(output))
    return ["train", *TINY, *options, *files]


def kill_and_resume(
    work: Path, options: Sequence[str], unbroken: Unbroken, source: random.Random, outcome: Outcome
) -> None:
    """Kill a training once, go on, and look at all that is promised."""
    directory, models = work / "broken", (weights(work / "old"), weights(work / "new"))
    shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(work / "old", directory)
    # 1. Kill it, and load the model all the time.
    overwriting = training(work, directory, "--overwrite", *options)
    if source.random() < 0.5:
        number, moment = source.choice([signal.SIGKILL, signal.SIGTERM]), source.uniform(0, unbroken.seconds)
        how, deadline = f"{number.name} after {moment:.2f} s", time.monotonic() + moment
        process = start(work, overwriting)
    else:
        number, change = signal.SIGKILL, source.randrange(unbroken.changes)
        how, deadline = f"SIGKILL before change {change}", time.monotonic() + 600
        process = start(work, overwriting, kill_at=change)
    found = ""
    while not found and time.monotonic() < deadline and not ended(process):
        found = unloadable(directory, models)
        outcome.counts["loads"] += 1
    killed = time.monotonic()
    if not ended(process):
        os.kill(process, number)
    os.waitpid(process, 0)
    outcome.counts["kills"] += 1
    # 2. Nobody outlives it, and a model is there.
    while alive(process) and time.monotonic() < killed + 2 * LONGEST:
        time.sleep(0.02)
    orphan = time.monotonic() - killed
    outcome.longest = max(outcome.longest, orphan)
    faults = [found, unloadable(directory, models), "a process was left" if orphan > LONGEST else ""]
    # 3. Go on to the end.
    code = wait(start(work, training(work, directory, "--resume", *options)))
    if code and any(message in last_line(work) for message in NOTHING_BEGUN):
        outcome.counts["not begun"] += 1
        code = wait(start(work, overwriting))
    equal = not code and same(weights(directory), models[1])
    outcome.counts["equal"] += equal
    left = hidden(directory)
    faults += [f"exit code {code}: {last_line(work)}" * bool(code), "other weights" * (not code and not equal)]
    faults += [f"left behind: {left}" * bool(left)]
    outcome.faults += [f"{how}: {fault}" for fault in faults if fault]


def unloadable(directory: Path, models: Sequence[Sequence[torch.Tensor]]) -> str:
    """Load the model in a directory: "" if it is one of these, else what is wrong."""
    try:
        found = weights(directory)
    except Exception as error:
        return f"not loadable: {error}"
    return "" if any(same(found, model) for model in models) else "neither the old nor the new model"
