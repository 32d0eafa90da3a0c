"""Timing side by side, and its results.

Contenders take turns, A B C A B C ..., so that a machine that slows down slows all of them. A figure is the median of
its samples; the spread beside it is their lower and upper quartile.
"""

from __future__ import annotations

import gc
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Any

import torch

__all__ = ["WrongAnswerError", "Fresh", "Result", "Samples", "interleave", "machine", "ratio", "say"]


class WrongAnswerError(Exception):
    """Two contenders gave different answers: their times must not be compared."""


@dataclass(frozen=True, slots=True)
class Samples:
    """The times of one contender, in seconds per call, in the order of measuring."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The figure that is reported."""
        return statistics.median(self.seconds)

    @property
    def spread(self) -> tuple[float, float]:
        """Lower and upper quartile."""
        if len(self.seconds) == 1:
            return self.seconds[0], self.seconds[0]
        low, _, high = statistics.quantiles(self.seconds, n=4, method="inclusive")
        return low, high


@dataclass(frozen=True, slots=True)
class Fresh:
    """A contender that is made anew, outside the time measured, before each of its samples."""

    make: Callable[[], Callable[[], object]]


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the report.

    Attributes:
        case: Its name, parts separated by slashes.
        ours: This package.
        baseline: The usual code written by hand; None if there is none.
        floor: The part that cannot be left out; None if there is none.
        threads: Threads of torch; None if torch chooses them.
        tokens: Tokens per call, for rates.
        extra: More figures, by name.
    """

    case: str
    ours: Samples | None = None
    baseline: Samples | None = None
    floor: Samples | None = None
    threads: int | None = None
    tokens: int | None = None
    extra: Mapping[str, float | None] = field(default_factory=dict)

    @classmethod
    def of(cls, case: str, samples: Mapping[str, Samples], *, threads: int, tokens: int | None = None) -> Result:
        """The result of samples named `ours`, `baseline` and `floor`."""
        return cls(case, samples["ours"], samples["baseline"], samples["floor"], threads=threads, tokens=tokens)

    @property
    def speedup(self) -> float | None:
        """The baseline's median time over ours."""
        return ratio(self.baseline, self.ours)

    @property
    def over_floor(self) -> float | None:
        """Our median time over the floor's: 1 cannot be beaten."""
        return ratio(self.ours, self.floor)

    def rate(self, samples: Samples | None) -> float | None:
        """Tokens per second; None without tokens or samples."""
        return None if samples is None or self.tokens is None else self.tokens / samples.median

    def to_json(self) -> dict[str, Any]:
        """All figures by name; None where one does not exist."""
        sides = {"ours": self.ours, "baseline": self.baseline, "floor": self.floor}
        figures: dict[str, Any] = {"case": self.case}
        figures |= {f"{name}_s": None if side is None else side.median for name, side in sides.items()}
        figures |= {"speedup": self.speedup, "over_floor": self.over_floor}
        figures |= {"threads": self.threads, "tokens": self.tokens}
        figures |= {f"{name}_tokens_per_s": self.rate(side) for name, side in sides.items()}
        figures |= {f"{name}_spread_s": None if side is None else list(side.spread) for name, side in sides.items()}
        figures["repeats"] = max((len(side.seconds) for side in sides.values() if side is not None), default=1)
        return figures | dict(self.extra)


def ratio(above: Samples | None, below: Samples | None) -> float | None:
    """The ratio of two medians; None where one is missing."""
    return None if above is None or below is None else above.median / below.median


def interleave(
    contenders: Mapping[str, Callable[[], object] | Fresh], repeats: int, *, least_seconds: float = 0.005
) -> dict[str, Samples]:
    """Time the contenders in turns.

    Each is called once to warm up. One that then takes less than `least_seconds` is called several times for each
    sample, and the sample is the mean of these calls.

    Args:
        contenders: What to call, by name.
        repeats: Samples of each.
        least_seconds: The shortest time worth a sample.
    """
    calls: dict[str, int] = {}
    for name, contender in contenders.items():
        _time(contender, 1)  # caches fill, memory is found, threads start
        single = isinstance(contender, Fresh) or not least_seconds
        calls[name] = 1 if single else ceil(least_seconds / _time(contender, 1))
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, contender in contenders.items():
            if calls[name] == 1 and least_seconds:
                gc.collect()  # or one contender would sweep up after another
            seconds[name].append(_time(contender, calls[name]))
    return {name: Samples(tuple(values)) for name, values in seconds.items()}


def _time(contender: Callable[[], object] | Fresh, calls: int) -> float:
    """Seconds per call."""
    call = contender.make() if isinstance(contender, Fresh) else contender
    began = time.perf_counter()
    for _ in range(calls):
        call()
    return max(time.perf_counter() - began, 1e-9) / calls


def machine() -> dict[str, Any]:
    """The processor, the system and the versions."""
    affinity = getattr(os, "sched_getaffinity", None)
    return {
        "processor": _processor(),
        "cores": len(affinity(0)) if affinity else os.cpu_count(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def _processor() -> str:
    """The processor's name, if the system gives it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def say(text: str) -> None:
    """Print a line of progress."""
    print(text, file=sys.stderr, flush=True)
