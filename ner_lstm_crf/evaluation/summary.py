"""One figure over several runs: mean, deviation, and which run is the median."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Summary", "median_run"]


@dataclass(frozen=True, slots=True)
class Summary:
    """Mean and sample standard deviation of one figure over several runs.

    Example:
        >>> print(Summary.of([0.75, 0.77]))
        0.7600 ± 0.0141
    """

    mean: float
    deviation: float
    runs: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Summary:
        """The summary of the values; the deviation of a single one is 0.

        Raises:
            ValueError: If there are none.
        """
        if not values:
            raise ValueError("expected at least one value, got none")
        return cls(statistics.mean(values), statistics.stdev(values) if len(values) > 1 else 0.0, len(values))

    def __str__(self) -> str:
        return f"{self.mean:.4f} ± {self.deviation:.4f}"

    def to_json(self) -> dict[str, float | int]:
        """The fields by name."""
        return {"mean": self.mean, "deviation": self.deviation, "runs": self.runs}


def median_run(scores: Sequence[float]) -> int:
    """Which of the runs has the median score; the lower of the middle two if their number is even.

    Raises:
        ValueError: If there are none.

    Example:
        >>> median_run([0.75, 0.77, 0.76])
        2
    """
    if not scores:
        raise ValueError("expected at least one run, got none")
    order = sorted(range(len(scores)), key=lambda number: scores[number])
    return order[(len(order) - 1) // 2]
