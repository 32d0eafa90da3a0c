"""Processes that run a command in a copy of this one, and can be killed."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import torch

from ner_lstm_crf.cli.main import main as command_line
from ner_lstm_crf.saving.model import Model

__all__ = [
    "Unbroken",
    "alive",
    "ended",
    "forked",
    "hidden",
    "last_line",
    "run_unbroken",
    "same",
    "start",
    "wait",
    "weights",
]

CHANGES = ("mkdir", "rename", "replace", "rmdir", "touch", "unlink", "write_text")  # of `Path`


@dataclass(frozen=True)
class Unbroken:
    """What a command takes that nothing interrupts.

    Attributes:
        seconds: Its time.
        changes: How often it changes the file system, in the process that was started.
    """

    seconds: float
    changes: int


def forked(action: Callable[[], int], output: Path) -> int:
    """Run an action in a process group of its own, which ends with its exit code; returns the number of the process.

    What it prints goes into a file; a traceback, too, and then the exit code is 1.
    """
    if process := os.fork():
        return process
    code = 1
    try:
        os.setsid()
        vars(sys.modules["__main__"]).pop("__file__", None)  # else workers would import this script, as no user's do
        with output.open("w") as stream, redirect_stdout(stream), redirect_stderr(stream):
            os.dup2(stream.fileno(), 2)  # of workers
            try:
                code = action()
            except BaseException:
                traceback.print_exc()
    finally:
        os._exit(code)


def start(work: Path, arguments: Sequence[str], *, kill_at: int | None = None) -> int:
    """Start a command line as a forked process, and return its number.

    Args:
        work: The folder of the files `output`, what it prints, and `changes`, how often it changes the file system.
        arguments: The command line.
        kill_at: The number of the change before which it kills itself.
    """
    changes = 0

    def counted(change: Callable[..., object]) -> Callable[..., object]:
        """The same function, which counts its calls."""

        def run(*args: object, **keywords: object) -> object:
            """Count, and perhaps die."""
            nonlocal changes
            if changes == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            changes += 1
            return change(*args, **keywords)

        return run

    def action() -> int:
        """Run the command."""
        for change in CHANGES:
            setattr(Path, change, counted(getattr(Path, change)))
        shutil.rmtree = counted(shutil.rmtree)  # type: ignore[assignment]
        try:
            return command_line(arguments)
        finally:
            with (work / "changes").open("w") as file:
                file.write(str(changes))

    return forked(action, work / "output")


def run_unbroken(work: Path, arguments: Sequence[str]) -> Unbroken:
    """Run a command line to its end.

    Raises:
        RuntimeError: If it fails.
    """
    started = time.monotonic()
    code = wait(start(work, arguments))
    if code:
        raise RuntimeError(f"expected exit code 0, got {code}: {last_line(work)}")
    return Unbroken(time.monotonic() - started, int((work / "changes").read_text()))


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
    """The last line that a command printed."""
    return ([*(work / "output").read_text().strip().splitlines()] or [""])[-1]


def hidden(folder: Path) -> str:
    """The files under hidden names that were left in a folder; "" if there are none."""
    return ", ".join(sorted(str(path.relative_to(folder)) for path in folder.rglob(".*")))


def weights(directory: Path) -> list[torch.Tensor]:
    """All weights of the model in a directory."""
    return [tensor for network in Model.load(directory).networks for tensor in network.state_dict().values()]


def same(first: Sequence[torch.Tensor], second: Sequence[torch.Tensor]) -> bool:
    """True if these are the same weights, bit for bit."""
    return len(first) == len(second) and all(map(torch.equal, first, second))
