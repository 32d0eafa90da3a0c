"""Calibration: its errors by hand, the temperature that makes gold sentences most likely, and the stand-ins."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from ner_lstm_crf.config import Config
from ner_lstm_crf.evaluation.calibration import (
    Calibration,
    GoldEmissions,
    ScoredSpans,
    calibration_table,
    fitted_temperature,
    stand_ins,
)
from ner_lstm_crf.model.heads import Head
from ner_lstm_crf.model.inference import mean_head
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.tagging.tagger import Tagger
from ner_lstm_crf.tags.labels import LabelMap
from ner_lstm_crf.text.annotation import Sentence, Span
from tests.trained import trained_model

Make = Callable[..., list[Sentence]]


@pytest.fixture(scope="module", params=["crf", "softmax"])
def model(request: pytest.FixtureRequest, make_sentences: Make, tiny: Config) -> Model:
    config = replace(tiny, model=replace(tiny.model, head=request.param))
    return trained_model(make_sentences(60), config, 4)


def noisy(sentences: list[Sentence]) -> list[Sentence]:
    """The sentences, every fourth without its entities: no model can be sure of them."""
    return [one.with_spans(()) if number % 4 == 0 else one for number, one in enumerate(sentences)]


def made(scores: list[float], right: list[bool]) -> Calibration:
    return Calibration(np.array(scores), np.array(right, np.bool_))


def test_errors_are_those_of_the_bins() -> None:
    one = made([0.1, 0.35, 0.3, 0.9, 1.0], [False, True, False, True, True])
    assert [(b.count, round(b.score, 4), b.precision) for b in one.bins(4)] == [
        (1, 0.1, 0.0),
        (2, 0.325, 0.5),
        (2, 0.95, 1.0),
    ]
    assert one.error(4) == pytest.approx((0.1 + 2 * 0.175 + 2 * 0.05) / 5)
    assert [b.count for b in one.bins(2, adaptive=True)] == [3, 2]
    assert one.error(2, adaptive=True) == pytest.approx((3 * abs(0.25 - 1 / 3) + 2 * 0.05) / 5)
    assert (one.above(0.3).predicted, one.above(0.3).true_positives, one.above(0.9).precision) == (3, 3, 1.0)
    assert "0.30-0.35" in one.table(4)
    assert "probability" in calibration_table({"probability": one})
    empty = made([], [])
    assert (empty.error(), empty.bins(), empty.above(0.9).precision) == (0.0, [], 0.0)
    with pytest.raises(ValueError, match="expected a score for each entity"):
        Calibration(np.zeros(2), np.zeros(3, np.bool_))


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=50), st.integers(1, 20), st.booleans())
def test_bins_hold_each_entity_once(pairs: list[tuple[float, bool]], count: int, adaptive: bool) -> None:
    one = made([score for score, _ in pairs], [right for _, right in pairs])
    bins = one.bins(count, adaptive=adaptive)
    assert sum(b.count for b in bins) == len(pairs)
    assert sum(b.count * b.score for b in bins) == pytest.approx(sum(score for score, _ in pairs))
    assert all(first.high <= second.low for first, second in pairwise(bins))
    if not adaptive:
        assert all(b.high - b.low <= 1 / count + 1e-9 for b in bins)
    assert 0 <= one.error(count, adaptive=adaptive) <= 1


def test_scores_that_are_right_so_often_have_the_error_of_a_perfect_model() -> None:
    random = np.random.default_rng(3)
    scores = random.random(20_000)
    perfect = Calibration(scores, random.random(20_000) < scores)
    assert perfect.error() < 0.02
    assert perfect.error() == pytest.approx(perfect.expected_error(draws=20), abs=0.01)
    assert Calibration(np.sqrt(scores), perfect.right).error() > 0.1


def test_the_temperature_makes_gold_sentences_most_likely(model: Model, make_sentences: Make) -> None:
    gold = [*noisy(make_sentences(30, seed=7)), Sentence(()), Sentence.from_words(["Anna"], [Span(0, 1, "UNKNOWN")])]
    fitted = fitted_temperature(model, gold)
    given = GoldEmissions(model, gold)
    losses = {factor: given.loss(fitted * factor) for factor in (0.8, 1.0, 1.25)}
    assert losses[1.0] == min(losses.values())
    # The loss is that of each sentence by itself, its scores divided.
    expected, head = 0.0, mean_head([network.head for network in model.networks])
    for sentence in gold[:30]:
        one = model.networks[0].tensors(model.encode([sentence], gold=True).training_batch([0]))
        with torch.no_grad():
            network = model.networks[0]
            emissions = network.emissions(network.embedding(one), one.lengths)
            assert one.tags is not None
            cooled = replace_scores(head, fitted)
            expected += float(cooled.loss(emissions / fitted, one.tags, one.lengths))
    assert given.loss(fitted) == pytest.approx(expected, rel=1e-4)


def replace_scores(head: Head, temperature: float) -> Head:
    """A head whose score tables are divided by a temperature."""
    cooled = deepcopy(head)
    with torch.no_grad():
        for weight in cooled.parameters():
            weight.div_(temperature)
    return cooled


def test_models_that_are_too_sure_are_cooled_down(model: Model, make_sentences: Make) -> None:
    gold = noisy(make_sentences(40, seed=8))
    fitted = fitted_temperature(model, gold)
    assert fitted < 10
    network = deepcopy(model.networks[0])
    with torch.no_grad():
        for weight in (*network.projection.parameters(), *network.head.parameters()):
            weight.div_(2)
    assert fitted_temperature(replace(model, networks=(network,)), gold) == pytest.approx(fitted / 2, rel=0.1)


def test_without_usable_sentences_the_temperature_is_1(model: Model) -> None:
    assert fitted_temperature(model, []) == 1.0
    assert fitted_temperature(model, [Sentence(())]) == 1.0
    assert fitted_temperature(model, [Sentence.from_words(["Anna"], [Span(0, 1, "UNKNOWN")])]) == 1.0


def test_stand_ins_are_about_the_same_entities(model: Model, make_sentences: Make) -> None:
    sentences = [*make_sentences(20, seed=6), Sentence(())]
    tagged = list(Tagger(model).tag_sentences(sentences))
    found = stand_ins(model, sentences)
    assert len(found) == 3
    for one in found.values():
        assert one.spans == tuple(sentence.spans for sentence in tagged)
        assert all(0 <= score <= 1 for scores in one.scores for score in scores)
        calibration = one.calibration([sentence.spans for sentence in sentences])
        assert len(calibration.scores) == sum(len(sentence.spans) for sentence in tagged)
    mean, product = found["mean softmax of emissions"].scores, found["product of softmax of emissions"].scores
    assert all(
        a >= b for means, products in zip(mean, product, strict=True) for a, b in zip(means, products, strict=True)
    )


def test_entities_are_renamed_and_chosen_with_their_scores() -> None:
    found = ScoredSpans(((Span(0, 1, "PER"), Span(2, 3, "ORG")), ()), ((0.9, 0.4), ()))
    assert found.renamed(LabelMap()) is found
    assert found.renamed(LabelMap.parse("P", ["PER=P"])) == ScoredSpans(((Span(0, 1, "P"),), ()), ((0.9,), ()))
    assert found.at_least(0.5) == ScoredSpans(((Span(0, 1, "PER"),), ()), ((0.9,), ()))
    assert found.at_least(0) is found
    calibration = found.calibration([[Span(0, 1, "PER")], []])
    assert (calibration.scores.tolist(), calibration.right.tolist()) == ([0.9, 0.4], [True, False])


def test_what_is_not_annotated_does_not_count_against_the_model(model: Model, make_sentences: Make) -> None:
    gold = make_sentences(10, seed=5)
    bare = [one.with_spans(span for span in one.spans if span.label == "PER") for one in gold]
    counted, uncounted = GoldEmissions(model, bare), GoldEmissions(model, bare, uncounted=["LOC"])
    assert uncounted.loss(1.0) < counted.loss(1.0)
    empty = [one.with_spans(()) for one in gold]
    assert GoldEmissions(model, empty, uncounted=["LOC", "PER"]).loss(1.0) == pytest.approx(0.0, abs=1e-6)
    assert fitted_temperature(model, empty, uncounted=["LOC", "PER"]) == pytest.approx(1.0, abs=1e-3)
    unknown = [one.with_unannotated(["LOC"]) for one in bare]
    assert not len(GoldEmissions(model, unknown).usable)
