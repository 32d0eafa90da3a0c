"""Scores against seqeval, and as counts that add up."""

from __future__ import annotations

import json
import warnings

import pytest
from hypothesis import given, strategies as st
from seqeval.metrics import classification_report
from seqeval.scheme import IOB2

from ner_lstm_crf.evaluation.metrics import Evaluation, Score, Summary, evaluate_spans, text_table
from ner_lstm_crf.tags.scheme import SCHEMES
from ner_lstm_crf.text.annotation import Span

LENGTH = 8


@st.composite
def annotations(draw):
    """Spans over a sentence of `LENGTH` tokens."""
    spans, position = [], 0
    for gap, size, label in draw(
        st.lists(st.tuples(st.integers(0, 2), st.integers(1, 2), st.sampled_from(["LOC", "ORG", "PER"])), max_size=4)
    ):
        if position + gap + size <= LENGTH:
            spans.append(Span(position + gap, position + gap + size, label))
            position += gap + size
    return tuple(spans)


pairs = st.lists(st.tuples(annotations(), annotations()), min_size=1, max_size=8)


def evaluate(sample):
    return evaluate_spans([gold for gold, _ in sample], [predicted for _, predicted in sample])


def in_seqeval(sample):
    gold, predicted = ([SCHEMES["IOB2"].encode(pair[side], LENGTH) for pair in sample] for side in (0, 1))
    with warnings.catch_warnings():
        # seqeval divides by zero where there is no entity, and averages an empty list where there is no label.
        warnings.simplefilter("ignore")
        return classification_report(gold, predicted, mode="strict", scheme=IOB2, output_dict=True, zero_division=0)


@pytest.mark.parametrize(("gold", "predicted", "more"), [(1, 2, "predicted"), (3, 2, "gold")])
def test_sentences_of_one_side_alone_are_an_error(gold: int, predicted: int, more: str) -> None:
    with pytest.raises(ValueError, match=f"expected as many sentences, got {min(gold, predicted)} .* more of {more}"):
        evaluate_spans([[]] * gold, [[]] * predicted)


@given(pairs)
def test_equal_to_seqeval_strict(sample):
    evaluation = evaluate(sample)
    if not evaluation.per_label:
        return  # seqeval fails here
    theirs = in_seqeval(sample)
    ours = {
        "micro avg": (evaluation.micro.precision, evaluation.micro.recall, evaluation.micro.f1),
        "macro avg": tuple(evaluation.macro),
        **{label: (s.precision, s.recall, s.f1) for label, s in evaluation.per_label.items()},
    }
    assert ours.keys() == theirs.keys() - {"weighted avg"}
    for name, scores in ours.items():
        assert scores == pytest.approx([theirs[name][key] for key in ("precision", "recall", "f1-score")])
    assert evaluation.micro.gold == theirs["micro avg"]["support"]
    assert list(evaluation.per_label) == sorted(evaluation.per_label)


@given(pairs, pairs)
def test_parts_add_up_to_the_whole(first, second):
    assert evaluate(first) + evaluate(second) == evaluate(first + second)
    assert Evaluation() + evaluate(first) == evaluate(first)


@given(pairs)
def test_sentences_and_labels_hold_the_same_counts(sample):
    evaluation = evaluate(sample)
    assert sum(evaluation.by_sentence, Score()) == evaluation.micro
    assert len(evaluation.by_sentence) == len(sample)


@given(pairs)
def test_swapping_the_sides_swaps_precision_and_recall(sample):
    straight, swapped = evaluate(sample).micro, evaluate([(predicted, gold) for gold, predicted in sample]).micro
    assert (straight.precision, straight.recall, straight.f1) == (swapped.recall, swapped.precision, swapped.f1)


def test_a_span_must_match_in_start_end_and_label():
    gold = [[Span(1, 3, "PER")]]
    for predicted in (Span(0, 3, "PER"), Span(1, 2, "PER"), Span(1, 3, "LOC")):
        assert evaluate_spans(gold, [[predicted]]).micro == Score(0, 1, 1)
    assert evaluate_spans(gold, gold).micro == Score(1, 1, 1)


def test_undefined_ratios_are_zero():
    assert (Score().precision, Score().recall, Score().f1) == (0.0, 0.0, 0.0)
    assert Evaluation().macro == (0.0, 0.0, 0.0)


def test_ill_formed_sentences_and_tags_are_counted():
    evaluation = evaluate_spans([(), (), ()], [(), (), ()], ill_formed=[(), (1, 2), (0,)])
    assert (evaluation.ill_formed, evaluation.ill_formed_tags) == (2, 3)
    twice = evaluation + evaluation
    assert (twice.ill_formed, twice.ill_formed_tags, len(twice.by_sentence)) == (4, 6, 6)


def sample_evaluation():
    gold = [[Span(0, 2, "PER"), Span(3, 4, "LOC")], [Span(0, 1, "LOC")], []]
    predicted = [[Span(0, 2, "PER")], [Span(0, 1, "LOC"), Span(1, 2, "creative-work")], []]
    return evaluate_spans(gold, predicted, ill_formed=[(), (1,), ()])


def test_json():
    found = json.loads(json.dumps(sample_evaluation().to_json()))
    assert found == {
        "precision": pytest.approx(2 / 3),
        "recall": pytest.approx(2 / 3),
        "f1": pytest.approx(2 / 3),
        "support": 3,
        "predicted": 3,
        "macro_precision": pytest.approx(2 / 3),
        "macro_recall": pytest.approx(1 / 2),
        "macro_f1": pytest.approx(5 / 9),
        "per_label": {
            "LOC": {"precision": 1.0, "recall": 0.5, "f1": pytest.approx(2 / 3), "support": 2, "predicted": 1},
            "PER": {"precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 1, "predicted": 1},
            "creative-work": {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0, "predicted": 1},
        },
        "sentences": 3,
        "ill_formed": 1,
        "ill_formed_tags": 1,
    }


def test_table():
    assert sample_evaluation().table().splitlines() == [
        "label          precision  recall      f1  support  predicted",
        "LOC               1.0000  0.5000  0.6667        2          1",
        "PER               1.0000  1.0000  1.0000        1          1",
        "creative-work     0.0000  0.0000  0.0000        0          1",
        "micro             0.6667  0.6667  0.6667        3          3",
        "macro             0.6667  0.5000  0.5556        3          3",
        "ill-formed: 1 of 3 sentences (1 tags)",
    ]


def test_summary_is_mean_and_sample_deviation() -> None:
    summary = Summary.of([0.7, 0.8, 0.9])
    assert (summary.mean, summary.deviation, summary.runs) == (pytest.approx(0.8), pytest.approx(0.1), 3)
    assert Summary.of([0.5]).deviation == 0


def test_nothing_has_no_mean() -> None:
    with pytest.raises(ValueError, match="at least one value"):
        Summary.of([])


def test_columns_are_as_wide_as_their_cells():
    assert text_table([("name", "n"), ("b", "1,234")], "<>") == "name      n\nb     1,234"
    assert text_table([("name", "n"), ("b", "1,234")], "><") == "name  n\n   b  1,234"
