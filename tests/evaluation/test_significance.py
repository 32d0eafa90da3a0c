"""Bootstrap intervals: against a plain bootstrap, and where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ner_lstm_crf.evaluation.metrics import Evaluation, Score
from ner_lstm_crf.evaluation.significance import Difference, Interval, f1_difference, f1_interval


def system(quality: float, *, sentences: int = 400, seed: int = 1, spurious: float = 0.2) -> Evaluation:
    """A system that finds each gold span with probability `quality`; the gold spans are always the same."""
    gold = np.random.default_rng(0).poisson(1.0, sentences)
    rng = np.random.default_rng(seed)
    right = rng.binomial(gold, quality)
    found = right + rng.poisson(spurious, sentences)
    scores = tuple(Score(int(a), int(b), int(c)) for a, b, c in zip(right, found, gold, strict=True))
    return Evaluation({"PER": sum(scores, Score())}, scores)


def plain_bootstrap(evaluations: list[Evaluation], resamples: int = 2000) -> NDArray[np.float64]:
    """The mean F1 of each draw of sentences, drawn one by one."""
    rng = np.random.default_rng(7)
    draws = []
    for _ in range(resamples):
        drawn = rng.integers(0, len(evaluations[0].by_sentence), len(evaluations[0].by_sentence))
        draws.append(np.mean([sum((e.by_sentence[i] for i in drawn), Score()).f1 for e in evaluations]))
    return np.quantile(draws, [0.025, 0.975])


def test_the_interval_equals_a_plain_bootstrap() -> None:
    runs = [system(0.7, sentences=60), system(0.7, sentences=60, seed=2)]
    interval = f1_interval(runs, resamples=20_000)
    assert interval.value == pytest.approx(np.mean([run.micro.f1 for run in runs]))
    assert (interval.low, interval.high) == pytest.approx(plain_bootstrap(runs), abs=0.01)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    # The share of gold spans found is 0.7 and no span is spurious: precision is 1 and F1 is 2 * 0.7 / 1.7.
    truth = 2 * 0.7 / 1.7
    intervals = [
        f1_interval([system(0.7, sentences=200, seed=seed, spurious=0)], resamples=300, confidence=0.9)
        for seed in range(200)
    ]
    held = sum(interval.low <= truth <= interval.high for interval in intervals)
    assert 165 <= held <= 195


def test_more_sentences_narrow_the_interval_and_confidence_widens_it() -> None:
    few, many = f1_interval([system(0.7, sentences=100)]), f1_interval([system(0.7, sentences=6400)])
    assert few.low < few.value < few.high
    assert 5 < (few.high - few.low) / (many.high - many.low) < 13  # the square root of 64 is 8
    surer = f1_interval([system(0.7, sentences=100)], confidence=0.99)
    assert surer.low < few.low < few.high < surer.high


def test_the_same_seed_gives_the_same_result() -> None:
    assert f1_interval([system(0.7)], seed=3) == f1_interval([system(0.7)], seed=3)
    assert f1_interval([system(0.7)], seed=3) != f1_interval([system(0.7)], seed=4)


def test_a_clear_difference_is_significant() -> None:
    difference = f1_difference([system(0.9)], [system(0.6, seed=2)])
    assert difference.value == pytest.approx(system(0.9).micro.f1 - system(0.6, seed=2).micro.f1)
    assert 0 < difference.low < difference.value < difference.high
    assert difference.p_value == pytest.approx(1 / 1001)


def test_swapping_the_systems_changes_the_sign_alone() -> None:
    straight = f1_difference([system(0.72)], [system(0.70, seed=2)], resamples=20_000)
    swapped = f1_difference([system(0.70, seed=2)], [system(0.72)], resamples=20_000)
    assert swapped.value == pytest.approx(-straight.value)
    assert (swapped.low, swapped.high) == pytest.approx((-straight.high, -straight.low), abs=0.003)
    assert swapped.p_value == pytest.approx(straight.p_value, abs=0.02)


def test_a_system_does_not_differ_from_itself() -> None:
    difference = f1_difference([system(0.7)], [system(0.7)])
    assert (difference.value, difference.low, difference.high, difference.p_value) == (0, 0, 0, 1)


def test_equal_systems_are_rarely_called_different() -> None:
    p_values = [f1_difference([system(0.7, seed=2 * i)], [system(0.7, seed=2 * i + 1)]).p_value for i in range(100)]
    assert 1 <= sum(p < 0.05 for p in p_values) <= 13
    assert 0.35 < np.mean(p_values) < 0.65


def test_pairing_takes_out_what_both_share() -> None:
    # Both systems fail on the same sentences, and the second misses one span in every tenth sentence besides.
    first = system(0.5, sentences=500)
    worse = [
        Score(s.true_positives - 1, s.predicted - 1, s.gold) if i % 10 == 0 and s.true_positives else s
        for i, s in enumerate(first.by_sentence)
    ]
    second = Evaluation({"PER": sum(worse, Score())}, tuple(worse))
    difference = f1_difference([first], [second])
    assert difference.low > 0
    assert difference.high - difference.low < (f1_interval([first]).high - f1_interval([first]).low) / 2


def test_several_seeds_are_averaged() -> None:
    first, second = [system(0.8, seed=i) for i in range(3)], [system(0.7, seed=i) for i in range(3, 5)]
    means = [np.mean([run.micro.f1 for run in runs]) for runs in (first, second)]
    assert f1_difference(first, second).value == pytest.approx(means[0] - means[1])


def test_no_entities_at_all() -> None:
    empty = Evaluation({}, (Score(), Score()))
    assert f1_interval([empty]) == Interval(0.0, 0.0, 0.0)
    assert f1_difference([empty], [empty]).p_value == 1


@pytest.mark.parametrize("runs", [[], [Evaluation()]])
def test_nothing_to_draw_from(runs: list[Evaluation]) -> None:
    with pytest.raises(ValueError, match="at least one run over at least one sentence"):
        f1_interval(runs)


def test_draws_and_confidence_out_of_range() -> None:
    with pytest.raises(ValueError, match="at least one draw, got 0"):
        f1_interval([system(0.5)], resamples=0)
    with pytest.raises(ValueError, match="a confidence from 0 to 1, got 2"):
        f1_interval([system(0.5)], confidence=2)


def test_both_systems_need_a_run() -> None:
    for first, second in (([], [system(0.5)]), ([system(0.5)], [])):
        with pytest.raises(ValueError, match="at least one run of each system"):
            f1_difference(first, second)


def test_runs_on_other_sentences_are_refused() -> None:
    with pytest.raises(ValueError, match="same sentences"):
        f1_difference([system(0.5)], [system(0.5, sentences=399)])


def test_text_and_json() -> None:
    assert str(Interval(0.76421, 0.75, 0.77)) == "0.7642 [0.7500, 0.7700]"
    assert str(Difference(0.01, -0.002, 0.02, 0.95, 0.04)) == "+0.0100 [-0.0020, +0.0200], p = 0.040"
    assert Difference(0.01, -0.002, 0.02, 0.95, 0.04).to_json() == {
        "value": 0.01, "low": -0.002, "high": 0.02, "confidence": 0.95, "p_value": 0.04
    }  # fmt: skip
