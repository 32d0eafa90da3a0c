"""Kill trainings at any moment, resume them, and compare their weights with those of unbroken ones.

    python scripts/crash.py --kills 100

Each training runs in a process of its own, in the place of an old model. It is killed at a random moment, by SIGKILL or
SIGTERM, or before a random one of its changes of the file system. All that time, and afterwards, a model has to be
there: the old or the new one. Then `--resume` goes on to the end, and the weights have to be those of the unbroken
training, bit for bit, with nothing left beside them. No process may outlive the killed one by more than 5 seconds.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

import torch

from locations import ROOT
from ner_lstm_crf.cli.main import main as command_line
from ner_lstm_crf.formats.conll import read_conll
from ner_lstm_crf.formats.registry import write_sentences
from ner_lstm_crf.saving.model import Model

__all__ = ["main"]

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
CHANGES = ("mkdir", "rename", "replace", "rmdir", "touch", "unlink", "write_text")  # of `Path`
NOTHING_BEGUN = ("expected a run to resume, found none", "the run to resume had")  # none, or that of the old model


@dataclass
class Unbroken:
    """A training that nothing interrupted.

    Attributes:
        model: Its directory.
        seconds: The time it took.
        changes: How often it changed the file system, in the process that was started.
    """

    model: Path
    seconds: float
    changes: int


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


def main(arguments: Sequence[str] | None = None) -> int:
    """Kill and resume, and print what came of it; 1 if something was wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=100, help="number of kills (default: 100)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the moments")
    parser.add_argument("--only", choices=SHAPES, action="append", help="this kind of training alone")
    options = parser.parse_args(arguments)
    source, shapes, faults = random.Random(options.seed), options.only or list(SHAPES), 0
    torch.set_num_threads(1)
    print(f"{'training':<30} {'kills':>5} {'equal':>5} {'not begun':>9} {'loads meanwhile':>15} {'longest orphan':>14}")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for name in ("train", "dev"):
            sentences = list(read_conll(ROOT / "corpora" / "en" / f"{name}.conll"))[: 40 if name == "train" else 10]
            write_sentences(work / f"{name}.conll", sentences)
        old = train_unbroken(work, "old", ("--preset", "small", "--seed", "9")).model
        for number, shape in enumerate(shapes):
            unbroken, outcome = train_unbroken(work, "unbroken", SHAPES[shape]), Outcome()
            for _ in range(options.kills // len(shapes) + (number < options.kills % len(shapes))):
                kill_and_resume(work, SHAPES[shape], old, unbroken, source, outcome)
            shutil.rmtree(unbroken.model)
            counts, faults = outcome.counts, faults + len(outcome.faults)
            print(
                f"{shape:<30} {counts['kills']:>5} {counts['equal']:>5} {counts['not begun']:>9} {counts['loads']:>15} "
                f"{outcome.longest:>12.1f} s",
                *(f"  FAULT: {fault}" for fault in outcome.faults),
                sep="\n",
                flush=True,
            )
    return 1 if faults else 0


def train_unbroken(work: Path, name: str, options: Sequence[str]) -> Unbroken:
    """Train without interruption."""
    started = time.monotonic()
    process = start(work, name, options)
    code = wait(process)
    if code:
        raise RuntimeError(f"expected a training, got exit code {code}: {last_line(work)}")
    seconds = time.monotonic() - started
    return Unbroken(work / name, seconds, int((work / "changes").read_text()))


def kill_and_resume(
    work: Path, options: Sequence[str], old: Path, unbroken: Unbroken, source: random.Random, outcome: Outcome
) -> None:
    """Kill a training once, go on, and look at all that is promised."""
    directory, models = work / "broken", (weights(old), weights(unbroken.model))
    shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(old, directory)
    # 1. Kill it, and load the model all the time.
    if source.random() < 0.5:
        number, moment = source.choice([signal.SIGKILL, signal.SIGTERM]), source.uniform(0, unbroken.seconds)
        how, deadline = f"{number.name} after {moment:.2f} s", time.monotonic() + moment
        process = start(work, "broken", ("--overwrite", *options))
    else:
        number, change = signal.SIGKILL, source.randrange(unbroken.changes)
        how, deadline = f"SIGKILL before change {change}", time.monotonic() + 600
        process = start(work, "broken", ("--overwrite", *options), kill_at=change)
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
    code = wait(start(work, "broken", ("--resume", *options)))
    if code and any(message in last_line(work) for message in NOTHING_BEGUN):
        outcome.counts["not begun"] += 1
        code = wait(start(work, "broken", ("--overwrite", *options)))
    equal = not code and same(weights(directory), models[1])
    outcome.counts["equal"] += equal
    left = ", ".join(sorted(str(path.relative_to(directory)) for path in directory.rglob(".*")))
    faults += [f"exit code {code}: {last_line(work)}" * bool(code), "other weights" * (not code and not equal)]
    faults += [f"left behind: {left}" * bool(left)]
    outcome.faults += [f"{how}: {fault}" for fault in faults if fault]


def start(work: Path, name: str, options: Sequence[str], *, kill_at: int | None = None) -> int:
    """Start a training in a process group of its own, and return its number."""
    files = ("--train", str(work / "train.conll"), "--dev", str(work / "dev.conll"), "--output", str(work / name))
    if process := os.fork():
        return process
    os.setsid()
    vars(sys.modules["__main__"]).pop(
        "__file__", None
    )  # or workers would begin by importing this script, as no user's do
    changes = 0

    def counted(change: Callable[..., object]) -> Callable[..., object]:
        def run(*args: object, **keywords: object) -> object:
            nonlocal changes
            if changes == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            changes += 1
            return change(*args, **keywords)

        return run

    for change in CHANGES:
        setattr(Path, change, counted(getattr(Path, change)))
    shutil.rmtree = counted(shutil.rmtree)  # type: ignore[assignment]
    code = 1
    try:
        with (work / "output").open("w") as output, redirect_stdout(output), redirect_stderr(output):
            os.dup2(output.fileno(), 2)  # of workers
            code = command_line(["train", *TINY, *options, *files])
    finally:
        with (work / "changes").open("w") as file:
            file.write(str(changes))
        os._exit(code)


def wait(process: int) -> int:
    """The exit code of a process, when it has ended."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def ended(process: int) -> bool:
    """True if a process has ended; it can still be waited for."""
    return os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def alive(group: int) -> bool:
    """True if a process of the group is there."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def last_line(work: Path) -> str:
    """The last line that a training printed."""
    return ([*(work / "output").read_text().strip().splitlines()] or [""])[-1]


def weights(directory: Path) -> list[torch.Tensor]:
    """All weights of the model in a directory."""
    return [tensor for network in Model.load(directory).networks for tensor in network.state_dict().values()]


def same(first: Sequence[torch.Tensor], second: Sequence[torch.Tensor]) -> bool:
    """True if these are the same weights, bit for bit."""
    return len(first) == len(second) and all(map(torch.equal, first, second))


def unloadable(directory: Path, models: Sequence[Sequence[torch.Tensor]]) -> str:
    """Load the model in a directory: "" if it is one of these, else what is wrong."""
    try:
        found = weights(directory)
    except Exception as error:
        return f"not loadable: {error}"
    return "" if any(same(found, model) for model in models) else "neither the old nor the new model"


if __name__ == "__main__":
    sys.exit(main())
