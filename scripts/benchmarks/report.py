"""Results as a table for people, a table for Markdown, and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.measure import Result, Samples
from ner_lstm_crf.evaluation.metrics import text_table

__all__ = ["Report"]

HEAD = ("case", "threads", "ours", "baseline", "floor", "speedup", "over floor", "more")
TO_THE_LEFT = (0, 7)


@dataclass(frozen=True, slots=True)
class Report:
    """The results of a run, and the conditions to repeat it.

    Attributes:
        machine: The processor, the system and the versions.
        command: The command line.
        corpus: The name of the corpus; None if none was read.
        vectors: The file of word vectors; None without one.
        results: The figures.
    """

    machine: Mapping[str, Any]
    command: str
    corpus: str | None
    vectors: str | None
    results: Sequence[Result]

    def to_json(self) -> dict[str, Any]:
        """The report as values of JSON, for `--json`."""
        return asdict(self) | {"results": [result.to_json() for result in self.results]}

    def to_text(self) -> str:
        """A line a case, in columns."""
        rows = [HEAD, *(_cells(result, spread=True) for result in self.results)]
        align = "".join("<" if column in TO_THE_LEFT else ">" for column in range(len(HEAD)))
        return "\n".join([f"$ {self.command}", self._circumstances(), "", text_table(rows, align)])

    def to_markdown(self) -> str:
        """The same for a page of documentation, without the spread."""
        rows = [_cells(result, spread=False) for result in self.results]
        rule = tuple("---" if column in TO_THE_LEFT else "---:" for column in range(len(HEAD)))
        lines = [f"| {' | '.join(row)} |" for row in (HEAD, rule, *rows)]
        return "\n".join([f"`{self.command}`: {self._circumstances()}.", "", *lines])

    def _circumstances(self) -> str:
        machine = "{processor}, {cores} cores, {capability}, {system}, Python {python}, torch {torch}"
        machine = machine.format(**self.machine)
        return ", ".join([machine, *(name for name in (self.corpus, self.vectors) if name is not None)])


def _cells(result: Result, *, spread: bool) -> tuple[str, ...]:
    sides = [_side(result, side, spread) for side in (result.ours, result.baseline, result.floor)]
    times = [f"{value:.2f}x" if value is not None else "-" for value in (result.speedup, result.over_floor)]
    more = ", ".join(f"{name} {value:.4g}" for name, value in result.extra.items() if value is not None)
    return result.case, "-" if result.threads is None else str(result.threads), *sides, *times, more


def _side(result: Result, side: Samples | None, spread: bool) -> str:
    """A rate where tokens are counted, else a time."""
    if side is None:
        return "-"
    around = f" [{_time(side.spread[0])} .. {_time(side.spread[1])}]" if spread else ""
    rate = result.rate(side)
    return (_time(side.median) if rate is None else f"{rate:,.0f} tok/s") + around


def _time(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{1e3 * seconds:.3g} ms" if seconds >= 1e-3 else f"{1e6 * seconds:.3g} us"
