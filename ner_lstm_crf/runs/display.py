"""Long work as the person at the terminal sees it, on standard error: lines, bars, the epochs of a training.

The command line and `ner_lstm_crf.train` show their work with it. It imports neither torch nor the rooms below.
"""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TextIO

from tqdm import tqdm

from ner_lstm_crf.files.text import printable
from ner_lstm_crf.progress import Progress

if TYPE_CHECKING:
    from ner_lstm_crf.training.trainer import EpochReport

DELAY = 0.5  # seconds that work may take before it gets a bar
PAUSES = (10, 60)  # seconds before the first line about work in a log; then twice as many each time, up to so many


def is_terminal(stream: TextIO) -> bool:
    """True if a stream is a terminal that can do more than write lines."""
    return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"


def say(message: str) -> None:
    """Print a line that is no result, on standard error, above the bar if one is drawn.

    One that cannot be written is lost: it ends no work.
    """
    try:
        tqdm.write(printable(message), file=sys.stderr)
        sys.stderr.flush()
    except OSError:
        discard(sys.stderr)


def discard(stream: TextIO) -> None:
    """Throw away what a stream holds and what will be written to it: else it fails once more when Python ends."""
    with suppress(io.UnsupportedOperation):  # a stream of a test may have no number
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


@contextmanager
def progress_bar(what: str, *, unit: str, scale: bool = False) -> Iterator[Progress]:
    """A bar on standard error while work is done; a line now and then where that is no terminal.

    Args:
        what: The work, such as "reading".
        unit: The unit counted.
        scale: True to write large counts as 1.2M.
    """
    if not is_terminal(sys.stderr):
        yield _LogLines(what, unit)
        return
    with tqdm(desc=what, unit=unit, unit_scale=scale, delay=DELAY, leave=False, file=sys.stderr) as bar:

        def update(done: int, total: int | None) -> None:
            """Move the bar."""
            bar.total = total
            bar.update(done - bar.n)

        yield update


class _LogLines:
    """Work in a log: a line when it has taken a while, and then ever more seldom (a `Progress`)."""

    def __init__(self, what: str, unit: str) -> None:
        self._what, self._unit = what, unit
        self._began = self._last = time.perf_counter()
        self._pause = PAUSES[0]

    def __call__(self, done: float, total: float | None) -> None:
        """Write a line if it is time."""
        now = time.perf_counter()
        if now - self._last < self._pause:
            return
        self._last, self._pause = now, min(2 * self._pause, PAUSES[1])
        passed = now - self._began
        if total and done:
            left = tqdm.format_interval(passed * (total - done) / done)
            say(f"{self._what}: {done / total:.0%}, {tqdm.format_interval(passed)} passed, {left} left")
        else:
            say(f"{self._what}: {done:,}{self._unit}, {tqdm.format_interval(passed)} passed")


class TrainingDisplay:
    """The progress of training runs: a line for each epoch, and on a terminal a bar below it.

    Args:
        epochs: The epochs of each run, as far as is known before the first one ends.
        names: The names of the runs; a single one needs none, "".
        finished: The epochs of each run that was finished before.
        shown: False to show nothing.
    """

    def __init__(
        self, epochs: int, names: Sequence[str], finished: Mapping[str, int] | None = None, *, shown: bool = True
    ) -> None:
        self._shown = shown
        self._finished = frozenset(finished or ())
        self._epochs, self._names = max(epochs, *(finished or {}).values(), 0), names
        self._done = {name: self._epochs if name in self._finished else 0 for name in names}
        self._trained = 0  # epochs trained since the display began: a resumed run has others before
        self._began = time.perf_counter()
        layout = "{desc}{percentage:3.0f}%|{bar}|{postfix} [{elapsed}<{remaining}]"
        self._bar = tqdm(
            total=self._epochs * len(names),
            initial=sum(self._done.values()),
            bar_format=layout,
            miniters=0,  # drawn by the clock: epochs are few, and a resumed run leaps over some
            leave=False,
            file=sys.stderr,
            disable=not (shown and is_terminal(sys.stderr)),
        )
        self._bar.set_description_str("building the vocabulary, encoding the sentences ")
        self._lines = _LogLines("training", " epochs")

    def close(self) -> None:
        """Remove the bar."""
        self._bar.close()

    def batches(self, done: int, total: int | None) -> None:
        """Move the bar within the current epoch (a `Progress`)."""
        so_far = sum(self._done.values()) + done / (total or done or 1)
        if self._shown and self._bar.disable:
            self._lines(so_far, self._bar.total)
        self._move(so_far)

    def _move(self, so_far: float) -> None:
        """Move the bar to so many epochs of all runs."""
        epoch = next((epochs for epochs in self._done.values() if epochs < self._epochs), self._epochs - 1) + 1
        self._bar.set_description_str(f"epoch {epoch}/{self._epochs} ", refresh=False)
        self._bar.update(so_far - self._bar.n)

    def epoch(self, run: str, report: EpochReport) -> None:
        """Write the line of an epoch that has ended."""
        self._trained += 1
        self._epochs = report.epochs
        self._done[run] = report.epochs if report.last else report.epoch
        for other in self._finished:
            self._done[other] = report.epochs  # a small corpus takes more epochs than were expected at first
        self._bar.total = report.epochs * len(self._names)
        figures = f"loss {report.loss:.4f}  {report.tokens_per_second:,.0f} tokens/s"
        if report.dev is not None:
            dev = report.dev.micro
            figures += f"  dev P {dev.precision:.4f} R {dev.recall:.4f} F1 {dev.f1:.4f}"
        name = f"{run:<{max(map(len, self._names))}}  " if len(self._names) > 1 else ""
        number = f"{report.epoch:>{len(str(self._epochs))}}/{self._epochs}"
        best = " *" if report.best and report.dev is not None else "  "
        # The epochs to come take as long as those since the display began.
        left = (self._bar.total - sum(self._done.values())) * (time.perf_counter() - self._began) / self._trained
        if self._shown:
            say(f"{name}epoch {number}  {figures}{best}  {report.seconds:.1f} s, {tqdm.format_interval(left)} left")
        self._bar.set_postfix_str(f" {figures}", refresh=False)
        self._move(sum(self._done.values()))

    @property
    def ended(self) -> bool:
        """True if no epoch is left in any run."""
        return sum(self._done.values()) >= self._epochs * len(self._names)
