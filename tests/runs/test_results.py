"""The results of runs, and the two heads beside each other on equal terms."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ner_lstm_crf.config import Config
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.evaluation.evaluate import evaluate_model
from ner_lstm_crf.runs.data import Data, resolve_defaults
from ner_lstm_crf.runs.processes import PlannedRun, train_runs
from ner_lstm_crf.runs.results import (
    HEADS,
    Comparison,
    HeadResult,
    RunResult,
    median_result,
    plan_comparison,
    plot_curves,
    summary_to_json,
)
from ner_lstm_crf.runs.run import Run
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.text.annotation import Sentence
from tests.made import changed

Make = Callable[..., list[Sentence]]


@pytest.fixture(scope="module")
def planned(make_sentences: Make, tiny: Config, tmp_path_factory: pytest.TempPathFactory) -> list[PlannedRun]:
    """Two finished runs of two networks each, on the same data."""
    data = resolve_defaults(Data(make_sentences(40), make_sentences(10, seed=1)), tiny.model)
    folder, config = tmp_path_factory.mktemp("results"), changed(tiny, ensemble_size=2, epochs=2)
    plans = [PlannedRun(changed(config, seed=seed), folder / str(seed)) for seed in (3, 4)]
    list(train_runs(data, plans))
    return plans


def test_a_result_has_the_epochs_and_the_best_of_each_network(planned: list[PlannedRun], make_sentences: Make) -> None:
    result = RunResult.of(planned[0], make_sentences(5, seed=2))
    assert [[report["epoch"] for report in history] for history in result.histories] == [[1, 2], [1, 2]]
    for epoch, history in zip(result.best_epochs, result.histories, strict=True):
        assert epoch == max(report["epoch"] for report in history if report["best"])
    assert result.test is not None
    figures = result.to_json()
    assert json.loads(json.dumps(figures)) == figures
    assert (figures["seed"], figures["ensemble_size"], figures["epochs"]) == (3, 2, 4)
    assert figures["test"] == result.test.evaluation.to_json()
    assert RunResult.of(planned[0], []).to_json()["test"] is None


def test_several_results_have_a_mean_and_a_median(planned: list[PlannedRun]) -> None:
    results = [RunResult.of(plan, []) for plan in planned]
    figures = summary_to_json(Path("model"), results[0], results)
    assert figures["dev_f1"]["mean"] == pytest.approx(sum(result.dev_f1 or 0 for result in results) / 2)
    assert figures["test_f1"] is None
    assert median_result(results).dev_f1 == min(result.dev_f1 or 0 for result in results)


@pytest.mark.parametrize(("scores", "chosen"), [([0.9, 0.1, 0.5], 2), ([0.4, 0.1, 0.5, 0.9], 0)])
def test_the_run_of_the_median(scores: list[float], chosen: int, planned: list[PlannedRun]) -> None:
    result = RunResult.of(planned[0], [])
    results = [replace(result, dev_f1=score) for score in scores]
    assert median_result(results) is results[chosen]


def test_each_network_has_a_curve(planned: list[PlannedRun], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figure = pytest.importorskip("matplotlib.figure")
    drawn: list[Any] = []
    monkeypatch.setattr(figure.Figure, "savefig", lambda self, *_, **__: drawn.append(self))
    assert plot_curves([RunResult.of(plan, []) for plan in planned], tmp_path / "curve.png")
    loss, f1 = drawn[0].axes
    names = [f"seed {seed}, network {number}" for seed in (3, 4) for number in (1, 2)]
    assert [text.get_text() for text in loss.get_legend().get_texts()] == names
    assert [len(line.get_xdata()) for line in f1.lines] == [2, 2, 2, 2]


def test_curves_that_cannot_be_drawn_leave_the_old_ones(
    planned: list[PlannedRun], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figure = pytest.importorskip("matplotlib.figure")

    def full(_: object, path: Path, **__: object) -> None:
        path.write_text("half of a")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(figure.Figure, "savefig", full)
    (tmp_path / "curve.png").write_text("an old picture")
    with pytest.raises(InputError, match=r"curve\.png: cannot be written.*No space left on device"):
        plot_curves([RunResult.of(planned[0], [])], tmp_path / "curve.png")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["an old picture"]


def test_a_history_without_a_best_epoch_is_damage(planned: list[PlannedRun], tmp_path: Path) -> None:
    history = [report | {"best": False} for report in Run(planned[0].directory).history()]
    (tmp_path / "history.jsonl").write_text("".join(json.dumps(report) + "\n" for report in history))
    with pytest.raises(InputError, match="its history lacks a best epoch"):
        RunResult.of(replace(planned[0], directory=tmp_path), [])


# The heads beside each other


@pytest.fixture(scope="module")
def comparison(make_sentences: Make, tiny: Config, tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    config = changed(tiny, epochs=2)
    data, test = Data(make_sentences(80), make_sentences(10, seed=1)), make_sentences(40, seed=2)
    results = {}
    for head, plans in plan_comparison(config, tmp_path_factory.mktemp("compare"), seeds=2).items():
        list(train_runs(resolve_defaults(data, config.model), plans))
        tests = tuple(evaluate_model(Model.load(plan.directory), test) for plan in plans)
        results[head] = HeadResult(head, tests, (1.0, 3.0))
    return Comparison(results["crf"], results["softmax"], test)


def test_both_heads_get_the_same_terms(tiny: Config, tmp_path: Path) -> None:
    planned = plan_comparison(tiny, tmp_path, seeds=2)
    assert tuple(planned) == HEADS == ("crf", "softmax")
    for crf, softmax in zip(planned["crf"], planned["softmax"], strict=True):
        assert crf.config.training == softmax.config.training
        assert replace(crf.config.model, head="softmax") == softmax.config.model
        assert crf.directory != softmax.directory


def test_a_crf_never_breaks_the_scheme(comparison: Comparison) -> None:
    assert all(run.ill_formed == 0 for run in comparison.crf.evaluations)


def test_the_gain_is_the_difference_of_the_means(comparison: Comparison) -> None:
    gain = comparison.gain
    assert gain.value == pytest.approx(comparison.crf.f1.mean - comparison.softmax.f1.mean)
    assert gain.low <= gain.value <= gain.high


def test_the_sentences_shown_are_those_read_in_different_ways(comparison: Comparison) -> None:
    pairs = zip(comparison.crf.tests[0].spans, comparison.softmax.tests[0].spans, strict=True)
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
