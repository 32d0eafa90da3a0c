"""Results as a table for people, a table for Markdown, and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.measure import Result, Samples

__all__ = ["as_json", "as_markdown", "as_table"]

HEAD = ("case", "threads", "ours", "baseline", "floor", "speedup", "over floor", "more")


def as_json(machine: Mapping[str, Any], results: Sequence[Result]) -> dict[str, Any]:
    """What `--json` writes."""
    return {"machine": dict(machine), "results": [result.to_json() for result in results]}


def as_table(machine: Mapping[str, Any], results: Sequence[Result]) -> str:
    """A line a case, in columns."""
    rows = [HEAD, *(_cells(result, spread=True) for result in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = [
        "  ".join(
            cell.ljust(width) if column in (0, 7) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([_machine_line(machine), "", *lines])


def as_markdown(machine: Mapping[str, Any], results: Sequence[Result]) -> str:
    """The same for a page of documentation, without the spread."""
    rows = [_cells(result, spread=False) for result in results]
    lines = [HEAD, tuple("---" if column in (0, 7) else "---:" for column in range(len(HEAD))), *rows]
    return "\n".join([_machine_line(machine) + ".", "", *(f"| {' | '.join(row)} |" for row in lines)])


def _machine_line(machine: Mapping[str, Any]) -> str:
    parts = ["{processor}, {cores} cores, {capability}, {system}", "Python {python}, torch {torch}"]
    return ", ".join(parts).format(**machine)


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
