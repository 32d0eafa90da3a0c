"""Every error is found once, of the right kind, and the errors add up to the scores."""

from __future__ import annotations

from collections import Counter
from itertools import product

import pytest
from hypothesis import given

from ner_lstm_crf.evaluation.error_analysis import SpanError, confusion, find_errors
from ner_lstm_crf.text.annotation import Sentence, Span
from tests.evaluation.test_metrics import LENGTH, evaluate, pairs


def annotated(spans):
    return Sentence.from_words(["word"] * LENGTH, spans)


def sides(sample):
    return [[annotated(pair[side]) for pair in sample] for side in (0, 1)]


def errors_of(gold, predicted):
    return [
        (error.kind, error.gold, error.predicted) for error in find_errors([annotated(gold)], [annotated(predicted)])
    ]


@given(pairs)
def test_errors_add_up_with_the_true_positives_to_gold_and_predicted(sample):
    errors = find_errors(*sides(sample))
    for side, name in enumerate(("gold", "predicted")):
        wrong = Counter((one.sentence, span) for one in errors if (span := getattr(one, name)) is not None)
        everything = Counter((number, span) for number, pair in enumerate(sample) for span in pair[side])
        right = {(number, span) for number, pair in enumerate(sample) for span in set(pair[0]) & set(pair[1])}
        assert wrong == Counter({key: count for key, count in everything.items() if key not in right})


@given(pairs)
def test_the_kind_of_each_error_is_what_its_spans_say(sample):
    for one in find_errors(*sides(sample)):
        if one.gold is None or one.predicted is None:
            assert one.kind == ("spurious" if one.gold is None else "missed")
            continue
        tokens, others = set(range(*one.gold[:2])), set(range(*one.predicted[:2]))
        assert tokens & others
        same_label, same_bounds = one.gold.label == one.predicted.label, tokens == others
        assert (same_label, same_bounds) != (True, True)
        assert (
            one.kind
            == {
                (False, True): "wrong label",
                (True, False): "wrong boundary",
                (False, False): "wrong label and boundary",
            }[same_label, same_bounds]
        )


@given(pairs)
def test_what_is_missed_overlaps_nothing_spurious(sample):
    errors = find_errors(*sides(sample))
    for one, other in product(errors, errors):
        if one.kind == "missed" and other.kind == "spurious" and one.sentence == other.sentence:
            assert one.gold.end <= other.predicted.start or other.predicted.end <= one.gold.start


@given(pairs)
def test_the_confusion_adds_up_to_support_and_predictions_of_each_label(sample):
    counts, scores = Counter(confusion(*sides(sample))), evaluate(sample).per_label
    for label, score in scores.items():
        assert sum(count for (gold, _), count in counts.items() if gold == label) == score.gold
        assert sum(count for (_, found), count in counts.items() if found == label) == score.predicted
        boundary = sum(one.kind == "wrong boundary" and one.gold.label == label for one in find_errors(*sides(sample)))
        assert counts[label, label] == score.true_positives + boundary
    assert (None, None) not in counts
    assert {label for pair in counts for label in pair} - {None} == scores.keys()


def test_of_two_predictions_over_one_entity_the_likest_is_its_counterpart():
    gold = [Span(0, 4, "PER")]
    left, right = Span(0, 1, "PER"), Span(1, 4, "PER")
    assert errors_of(gold, [left, right]) == [("spurious", None, left), ("wrong boundary", gold[0], right)]
    other = Span(1, 4, "LOC")
    assert errors_of(gold, [left, other]) == [("wrong boundary", gold[0], left), ("spurious", None, other)]


def test_equal_bounds_go_before_equal_labels():
    gold = [Span(0, 2, "PER"), Span(2, 4, "LOC")]
    found = [Span(0, 1, "LOC"), Span(1, 4, "PER")]
    assert errors_of(gold, [Span(0, 2, "LOC")]) == [
        ("wrong label", gold[0], Span(0, 2, "LOC")),
        ("missed", gold[1], None),
    ]
    assert errors_of(gold, found) == [
        ("spurious", None, found[0]),
        ("wrong boundary", gold[0], found[1]),
        ("missed", gold[1], None),
    ]


def test_errors_stand_in_the_order_of_the_text():
    gold, found = [annotated([Span(1, 2, "PER"), Span(6, 8, "LOC")])] * 2, [annotated([Span(3, 5, "ORG")])] * 2
    assert find_errors(gold, found) == [
        error
        for number in (0, 1)
        for error in (
            SpanError("missed", number, Span(1, 2, "PER"), None),
            SpanError("spurious", number, None, Span(3, 5, "ORG")),
            SpanError("missed", number, Span(6, 8, "LOC"), None),
        )
    ]


def test_other_numbers_of_sentences_are_refused():
    for function in (find_errors, confusion):
        with pytest.raises(ValueError, match=r"longer|shorter"):
            function([annotated([])], [])
