"""Bootstrap intervals for F1, and a paired test of the difference between two systems.

The bootstrap draws as many sentences as there are, with replacement, and scores them again, many times (Efron and
Tibshirani 1993; for the paired test on NLP data Berg-Kirkpatrick, Burkett and Klein 2012). F1 needs only the summed
counts, and sentences with the same counts are interchangeable. So one draw is one multinomial sample over the distinct
counts, a few dozen instead of thousands of sentences, with exactly the same distribution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from ner_lstm_crf.evaluation.metrics import Evaluation

_Floats = NDArray[np.float64]
_Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A value and the interval that holds it with the given confidence (percentile bootstrap)."""

    value: float
    low: float
    high: float
    confidence: float = 0.95

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"

    def to_json(self) -> dict[str, float]:
        """Fields by name."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Difference(Interval):
    """An interval for a difference, and the probability that chance makes one so large.

    Attributes:
        p_value: The probability of a difference at least as large, in either direction, if the systems were equally
            good: the share of the draws whose difference is as far from the observed one as that is from zero.
    """

    p_value: float = 1.0

    def __str__(self) -> str:
        return f"{self.value:+.4f} [{self.low:+.4f}, {self.high:+.4f}], p = {self.p_value:.3f}"


def f1_interval(
    runs: Sequence[Evaluation], *, resamples: int = 1000, confidence: float = 0.95, seed: int = 0
) -> Interval:
    """Interval of the micro F1, for other sentences of the same kind.

    Args:
        runs: Evaluations on the same sentences, of one system or of several seeds of it; their mean F1 is taken.
        resamples: The number of draws.
        confidence: The share of the draws that the interval holds.
        seed: The same seed gives the same interval.

    Raises:
        ValueError: If there is no run or no sentence, the runs are not on the same sentences, the number of draws is
            not positive, or the confidence is not from 0 to 1.
    """
    counts = _counts(runs)
    draws = _mean_f1(_resample(counts, resamples, seed))
    low, high = _percentiles(draws, confidence)
    return Interval(float(_mean_f1(counts.sum(0))), low, high, confidence)


def f1_difference(
    first: Sequence[Evaluation],
    second: Sequence[Evaluation],
    *,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Difference:
    """Paired bootstrap of `first - second`, the difference of the two systems' (mean) micro F1.

    Every draw scores both systems on the same sentences, so the difficulty that a sentence has for both cancels out.
    Only sentences are drawn: the interval does not cover that other seeds would give other runs.

    Args:
        first: Evaluations of one system: one run, or one per seed.
        second: Evaluations of the other on the same sentences; the number of runs may differ.
        resamples: The number of draws.
        confidence: The share of the draws that the interval holds.
        seed: The same seed gives the same result.

    Raises:
        ValueError: If there is no run or no sentence, the runs are not on the same sentences, the number of draws is
            not positive, or the confidence is not from 0 to 1.
    """
    counts = _counts([*first, *second])
    split = 3 * len(first)
    if not 0 < split < counts.shape[1]:
        raise ValueError("expected at least one run of each system")
    totals = _resample(counts, resamples, seed)
    draws = _mean_f1(totals[:, :split]) - _mean_f1(totals[:, split:])
    observed = counts.sum(0)
    value = float(_mean_f1(observed[:split]) - _mean_f1(observed[split:]))
    as_far = int(np.count_nonzero(np.abs(draws - value) >= abs(value) - 1e-12))
    low, high = _percentiles(draws, confidence)
    # The observed sample counts as one more draw, so that p is never zero (Davison and Hinkley 1997).
    return Difference(value, low, high, confidence, (as_far + 1) / (resamples + 1))


def _counts(runs: Sequence[Evaluation]) -> _Counts:
    """True positives, predicted and gold of each run side by side: (sentences, 3 x runs)."""
    for run in runs:
        if not isinstance(run, Evaluation):
            raise TypeError(f"expected evaluations, one for each run, got {type(run).__name__} among them")
    if not runs or not runs[0].by_sentence:
        raise ValueError("expected at least one run over at least one sentence")
    gold = [score.gold for score in runs[0].by_sentence]
    for run in runs:
        if [score.gold for score in run.by_sentence] != gold:
            raise ValueError("expected runs over the same sentences, found other numbers of gold spans")
    rows = zip(*(run.by_sentence for run in runs), strict=True)
    return np.array([[n for s in row for n in (s.true_positives, s.predicted, s.gold)] for row in rows], np.int64)


def _resample(counts: _Counts, resamples: int, seed: int) -> _Counts:
    """The summed counts of each draw: (resamples, 3 x runs)."""
    if resamples < 1:
        raise ValueError(f"expected at least one draw, got {resamples}")
    distinct, frequency = np.unique(counts, axis=0, return_counts=True)
    # For each draw the number of sentences with each of the distinct counts, then the sum of their counts.
    drawn = np.random.default_rng(seed).multinomial(len(counts), frequency / len(counts), size=resamples)
    return drawn @ distinct


def _mean_f1(totals: _Counts) -> _Floats:
    """The F1 of each run, averaged: (..., 3 x runs) to (...)."""
    true_positives, predicted, gold = (totals[..., i::3] for i in range(3))
    spans = predicted + gold
    mean: _Floats = np.divide(2.0 * true_positives, spans, out=np.zeros(spans.shape), where=spans > 0).mean(-1)
    return mean


def _percentiles(draws: _Floats, confidence: float) -> tuple[float, float]:
    if not 0 <= confidence <= 1:
        raise ValueError(f"expected a confidence from 0 to 1, got {confidence}")
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
