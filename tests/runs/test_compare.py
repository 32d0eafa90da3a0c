"""The comparison trains equal networks and reports what differs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from ner_lstm_crf.saving.checkpoint import load_model

from ner_lstm_crf.config import Config
from ner_lstm_crf.evaluation.evaluate import evaluate_model
from ner_lstm_crf.runs.compare import HEADS, Comparison, HeadResult, comparison_jobs
from ner_lstm_crf.runs.data import Data
from ner_lstm_crf.runs.processes import run_jobs
from ner_lstm_crf.text.annotation import Sentence

Make = Callable[..., list[Sentence]]


@pytest.fixture(scope="module")
def comparison(make_sentences: Make, tiny: Config, tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    config = dataclasses.replace(tiny, training=dataclasses.replace(tiny.training, epochs=2))
    data, test = Data(make_sentences(80), make_sentences(10, seed=1)), make_sentences(40, seed=2)
    results = {}
    for head, jobs in comparison_jobs(config, tmp_path_factory.mktemp("compare"), seeds=2).items():
        list(run_jobs(data, jobs))
        results[head] = HeadResult(
            head, tuple(evaluate_model(load_model(job.directory), test) for job in jobs), (1.0, 3.0)
        )
    return Comparison(results["crf"], results["softmax"], test)


def test_both_heads_get_the_same_terms(tiny: Config, tmp_path: Path) -> None:
    jobs = comparison_jobs(tiny, tmp_path, seeds=2)
    assert tuple(jobs) == HEADS == ("crf", "softmax")
    for crf, softmax in zip(jobs["crf"], jobs["softmax"], strict=True):
        assert crf.config.training == softmax.config.training
        assert dataclasses.replace(crf.config.model, head="softmax") == softmax.config.model
        assert crf.directory != softmax.directory


def test_a_crf_never_breaks_the_scheme(comparison: Comparison) -> None:
    assert all(run.ill_formed == 0 for run in comparison.crf.evaluations)


def test_the_gain_is_the_difference_of_the_means(comparison: Comparison) -> None:
    gain = comparison.gain
    assert gain.value == pytest.approx(comparison.crf.f1.mean - comparison.softmax.f1.mean)
    assert gain.low <= gain.value <= gain.high


def test_the_sentences_shown_are_those_read_in_different_ways(comparison: Comparison) -> None:
    pairs = zip(comparison.crf.outcomes[0].spans, comparison.softmax.outcomes[0].spans, strict=True)
    expected = [number for number, (crf, softmax) in enumerate(pairs) if crf != softmax]
    assert [comparison.test.index(shown.sentence) for shown in comparison.differences()] == expected


def test_json_and_table_tell_the_same(comparison: Comparison) -> None:
    figures = comparison.to_json()
    assert [head["head"] for head in figures["heads"]] == ["crf", "softmax"]
    assert figures["heads"][0]["f1"]["mean"] == comparison.crf.f1.mean
    assert figures["heads"][0]["training_seconds"]["mean"] == 2.0
    table = comparison.table()
    assert f"{comparison.crf.f1.mean:.4f} ±" in table
    assert "2 seeds" in table
