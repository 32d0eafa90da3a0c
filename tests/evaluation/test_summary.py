"""Figures over several runs."""

from __future__ import annotations

import pytest

from ner_lstm_crf.evaluation.summary import Summary, median_run


def test_summary_is_mean_and_sample_deviation() -> None:
    summary = Summary.of([0.7, 0.8, 0.9])
    assert (summary.mean, summary.deviation, summary.runs) == (pytest.approx(0.8), pytest.approx(0.1), 3)
    assert Summary.of([0.5]).deviation == 0


def test_the_median_run() -> None:
    assert median_run([0.9, 0.1, 0.5]) == 2
    assert median_run([0.4, 0.1, 0.5, 0.9]) == 0


def test_nothing_has_neither_mean_nor_median() -> None:
    with pytest.raises(ValueError, match="at least one value"):
        Summary.of([])
    with pytest.raises(ValueError, match="at least one run"):
        median_run([])
