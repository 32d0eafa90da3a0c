"""What a model knows of a sentence, with and without constraints, against the sum over all sequences of tags."""

from __future__ import annotations

from functools import cache
from itertools import pairwise, product
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from ner_lstm_crf.crf import FORBIDDEN
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.tagging.analysis import Analysis, TransitionTable
from ner_lstm_crf.tagging.constraints import Constraints, Gazetteer, Rule
from ner_lstm_crf.tags.scheme import SCHEMES
from ner_lstm_crf.tags.tag_set import TagSet
from ner_lstm_crf.text.annotation import Span, tokens_from_words

LABELS = ("LOC", "PER")
WORDS = ["Ada", "New", "York", "City"]


def analysis_of(
    tags: TagSet, length: int, seed: int = 0, *, head: str = "crf", scale: float = 2.0, **others: Any
) -> Analysis:
    """An analysis of random scores."""
    random, count = np.random.default_rng(seed), len(tags)
    emissions, start, end, transitions = (
        random.normal(0, scale, shape).astype(np.float32) for shape in ((length, count), count, count, (count, count))
    )
    if head == "crf":
        allowed = tags.allowed_transitions()
        start, end = np.where(allowed.start, start, FORBIDDEN), np.where(allowed.end, end, FORBIDDEN)
        transitions = np.where(allowed.transitions, transitions, FORBIDDEN)
    else:
        start, end, transitions = 0 * start, 0 * end, 0 * transitions
    return Analysis(tokens_from_words(WORDS[:length]), tags, emissions, start, transitions, end, **others)


class Path(NamedTuple):
    """A sequence of tags, its score (divided by the temperature, with bonuses) and its spans."""

    tags: tuple[int, ...]
    score: float
    spans: tuple[Span, ...]


@cache
def read(scheme: str, tags: tuple[int, ...]) -> tuple[Span, ...]:
    return TagSet(SCHEMES[scheme], LABELS).decode(np.array(tags)).spans


def all_paths(analysis: Analysis, rules: list[Rule] = []) -> list[Path]:  # noqa: B006
    """Every sequence of tags that agrees with the rules and takes no forbidden transition."""
    tags, length = analysis.tag_set, len(analysis)
    held = {token for first, final in analysis.barriers for token in range(first, final)}
    cuts = {0, length, *held, *(token + 1 for token in held), *(first for first, _ in analysis.barriers)}
    edges = sorted(cuts)
    pieces = [(start, end) for start, end in pairwise(edges) if start not in held]
    label_of = [name[2:] or "O" for name in tags.names]
    choices = [
        [0] if token in held else range(len(tags))
        for token in range(length)
    ]  # fmt: skip
    found = []
    for path in product(*choices):
        terms, spans = [0.0], list[Span]()
        for start, end in pieces:
            part = path[start:end]
            terms += [analysis.emissions[token, path[token]] for token in range(start, end)]
            terms += [analysis.transitions[pair] for pair in pairwise(part)]
            terms += [analysis.start[part[0]], analysis.end[part[-1]]]
            spans += [Span(a + start, b + start, label) for a, b, label in read(tags.scheme.name, part)]
        if min(terms) <= FORBIDDEN / 2:
            continue
        bonus = sum(rule.bonus for rule in rules if (*rule[1:3], *rule.labels) in spans)
        if all(agrees(rule, path, spans, label_of) for rule in rules):
            found.append(Path(path, float(sum(terms)) / analysis.temperature + bonus, tuple(spans)))
    return found


def agrees(rule: Rule, path: tuple[int, ...], spans: list[Span], label_of: list[str]) -> bool:
    if rule.kind == "allowed":
        return all(label_of[tag] in rule.labels for tag in path[rule.start : rule.end])
    is_there = (rule.start, rule.end, rule.labels[0]) in spans
    return rule.kind == "favoured" or is_there == (rule.kind == "span")


def spans_within(length: int) -> st.SearchStrategy[tuple[int, int, str]]:
    places = [(a, b, label) for a in range(length) for b in range(a + 1, length + 1) for label in LABELS]
    return st.sampled_from(places)


@st.composite
def constraints(draw: st.DrawFn, length: int) -> Constraints:
    spans, labels = spans_within(length), st.sampled_from([*LABELS, "O"])
    ranges = spans.map(lambda span: span[:2])
    forbidden = labels | st.tuples(ranges, labels).map(lambda one: (*one[0], one[1]))
    allowed = st.tuples(ranges, st.sets(labels, min_size=1)).map(lambda one: (*one[0], one[1]))
    favoured = st.tuples(spans, st.floats(-3, 3)).map(lambda one: (*one[0], one[1]))
    return Constraints(
        spans=draw(st.lists(spans, max_size=2)),
        rejected=draw(st.lists(spans, max_size=2)),
        forbidden=draw(st.lists(forbidden, max_size=1)),
        allowed=draw(st.lists(allowed, max_size=1)),
        favoured=draw(st.lists(favoured, max_size=3)),
    )


@st.composite
def analyses(draw: st.DrawFn) -> Analysis:
    tags = TagSet(SCHEMES[draw(st.sampled_from(sorted(SCHEMES)))], LABELS)
    length = draw(st.integers(1, 4 if len(tags) <= 5 else 3))
    begin = draw(st.none() | st.integers(0, length - 1))
    barriers = () if begin is None else ((begin, draw(st.integers(begin, length))),)
    return analysis_of(
        tags,
        length,
        draw(st.integers(0, 10**6)),
        head=draw(st.sampled_from(["crf", "softmax"])),
        temperature=draw(st.sampled_from([0.5, 1.0, 3.0])),
        barriers=barriers,
    )


def same_as_all_paths(analysis: Analysis, paths: list[Path], rules: list[Rule]) -> None:
    """Hold all results of an analysis against a list of all paths."""
    weights = np.exp([path.score for path in paths])
    probabilities = weights / weights.sum()
    assert analysis.log_partition == pytest.approx(np.log(weights.sum()), abs=1e-5)
    assert analysis.entropy == pytest.approx(-(probabilities * np.log(probabilities)).sum(), abs=1e-4)
    marginals = np.zeros(analysis.emissions.shape)
    for path, probability in zip(paths, probabilities, strict=True):
        marginals[np.arange(len(analysis)), path.tags] += probability
    np.testing.assert_allclose(analysis.marginals, marginals, atol=1e-5)
    best = paths[int(weights.argmax())]
    assert analysis.best == [analysis.tag_names[tag] for tag in best.tags]
    assert analysis.spans == best.spans
    of_spans: dict[Span, float] = {}
    of_readings: dict[tuple[Span, ...], float] = {}
    for path, probability in zip(paths, probabilities, strict=True):
        of_readings[path.spans] = of_readings.get(path.spans, 0) + probability
        for span in path.spans:
            of_spans[span] = of_spans.get(span, 0) + probability
    assert analysis.scores == pytest.approx([of_spans[span] for span in analysis.spans], abs=1e-5)
    found = dict(analysis.probable_spans(0.01))
    assert found == pytest.approx(
        {span: found.get(span, of_spans[span]) for span in of_spans if span in found}, abs=1e-5
    )
    assert {span for span, probability in of_spans.items() if probability > 0.0101} <= found.keys()
    for span in analysis.spans:
        others = dict(analysis.competitors(span, 0.01))
        assert others == {
            one: found[one] for one in found if one != span and one.start < span.end and span.start < one.end
        }
    if len(paths) < 400:
        readings = dict(analysis.alternatives(3))
        assert readings == pytest.approx({spans: of_readings[spans] for spans in readings}, abs=1e-5)
        if analysis.transitions.any():  # of a CRF, which writes each reading in one way
            assert list(readings.values()) == pytest.approx(sorted(of_readings.values(), reverse=True)[:3], abs=1e-5)
        assert len(readings) == min(3, len(of_readings))


@settings(deadline=None, max_examples=60)
@given(analyses())
def test_everything_is_the_sum_over_all_sequences(analysis: Analysis) -> None:
    same_as_all_paths(analysis, all_paths(analysis), [])


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_constraints_condition_exactly_in_every_scheme(data: st.DataObject) -> None:
    analysis = data.draw(analyses())
    known = data.draw(constraints(len(analysis)))
    rules = known.rules(analysis.tokens, LABELS)
    paths = all_paths(analysis, rules)
    if not paths:
        with pytest.raises(InputError, match="cannot hold"):
            analysis.given(known)
        return
    conditioned = analysis.given(known)
    same_as_all_paths(conditioned, paths, rules)
    hard = np.exp([path.score for path in all_paths(analysis, [rule for rule in rules if rule.kind != "favoured"])])
    everything = np.exp([path.score for path in all_paths(analysis)])
    assert conditioned.constraint_probability == pytest.approx(hard.sum() / everything.sum(), rel=1e-4)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_the_probability_of_several_spans_is_that_of_all_together(data: st.DataObject) -> None:
    analysis = data.draw(analyses())
    spans = data.draw(st.lists(spans_within(len(analysis)), max_size=3))
    paths = all_paths(analysis)
    weights = np.exp([path.score for path in paths])
    together = sum(weight for weight, path in zip(weights, paths, strict=True) if set(spans) <= set(path.spans))
    assert analysis.probability(spans) == pytest.approx(together / weights.sum(), abs=1e-6)


TAGS = TagSet(SCHEMES["BIOES"], LABELS)
ONE = analysis_of(TAGS, 4, seed=1)


def test_what_is_given_is_added_to_what_was() -> None:
    once = ONE.given(Constraints(spans=[(0, 1, "PER")]))
    twice = once.given(Constraints(forbidden=["LOC"]))
    together = ONE.given(Constraints(spans=[(0, 1, "PER")], forbidden=["LOC"]))
    assert twice.best == together.best
    assert twice.constraint_probability == together.constraint_probability < once.constraint_probability < 1
    assert ONE.constraint_probability == 1.0
    assert once.constraint_probability == pytest.approx(ONE.probability((0, 1, "PER")))


@pytest.mark.parametrize(
    ("scheme", "wanted", "message"),
    [
        (
            "BIOES",
            {"spans": [(0, 2, "PER"), (1, 3, "LOC")]},
            r"cannot hold together: PER at 0-2 \(Ada New\); LOC at 1-3 \(New York\)$",
        ),
        (
            "BIOES",
            {"spans": [(0, 2, "PER"), (3, 4, "LOC")], "forbidden": ["PER"]},
            r"PER at 0-2 \(Ada New\); only LOC, O at 0-4 \(Ada New York City\)$",
        ),
        (
            "BIOES",
            {"spans": [(0, 2, "PER")], "rejected": [(0, 2, "PER")]},
            r"PER at 0-2 \(Ada New\); no PER at 0-2 \(Ada New\)$",
        ),
        ("BIOES", {"allowed": [(2, 3, [])]}, r"this constraint cannot hold: only no label at 2-3 \(York\)$"),
        (
            "IO",
            {"spans": [(0, 2, "PER"), (2, 3, "PER")]},
            r"cannot hold together: PER at 0-2 \(Ada New\); PER at 2-3 \(York\)$",
        ),
    ],
)
def test_what_cannot_hold_is_refused_with_what_conflicts(scheme: str, wanted: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        analysis_of(TagSet(SCHEMES[scheme], LABELS), 4).given(Constraints(**wanted))


def test_an_entity_over_markup_is_refused_with_the_reason() -> None:
    with pytest.raises(InputError, match=r"no entity goes over markup.*: PER at 0-2 \(Ada New\)$"):
        analysis_of(TAGS, 4, barriers=((1, 1),)).given(Constraints(spans=[(0, 2, "PER")]))


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"spans": [(0, 1, "per")]}, "expected a label of the model .LOC, PER., found 'per'.*PER"),
        ({"rejected": [(0, 1, "O")]}, "found 'O'"),
        ({"forbidden": ["ORG"]}, "expected a label of the model .LOC, PER, O., found 'ORG'"),
        ({"gazetteers": [Gazetteer({"New York": "CITY"})]}, "found 'CITY'"),
        ({"spans": [(3, 5, "PER")]}, "expected a place within the 4 tokens of the sentence, got PER at 3-5"),
    ],
)
def test_unknown_labels_and_places_are_refused(wanted: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ONE.given(Constraints(**wanted))


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        ({"spans": (0, 1, "PER")}, TypeError),
        ({"spans": "PER"}, TypeError),
        ({"spans": [(1, 1, "PER")]}, ValueError),
        ({"spans": [(-1, 1, "PER")]}, ValueError),
        ({"allowed": [(0, 1, "PER")]}, TypeError),
        ({"favoured": [(0, 1, "PER", 101)]}, ValueError),
        ({"favoured": [(0, 1, "PER")]}, TypeError),
        ({"favoured": [(0, 1, "PER", "2")]}, TypeError),
        ({"gazetteers": {"New York": "LOC"}}, TypeError),
        ({"gazetteers": [{"New York": "LOC"}]}, TypeError),
    ],
)
def test_what_is_no_constraint_is_refused(wanted: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match="expected"):
        Constraints(**wanted)


def test_a_gazetteer_locks_the_longest_phrases_but_nothing_against_what_is_named() -> None:
    phrases = Gazetteer({"New York": "LOC", "New  York City": "LOC", "York": "PER", "Ada New": "PER"})
    assert phrases.find(ONE.tokens) == [(0, 2, "PER"), (1, 4, "LOC"), (1, 3, "LOC"), (2, 3, "PER")]
    assert ONE.given(Constraints(gazetteers=[phrases])).spans[0] == (0, 2, "PER")
    named = ONE.given(Constraints(spans=[(0, 1, "PER")], gazetteers=[phrases]))
    assert named.spans == (Span(0, 1, "PER"), Span(1, 4, "LOC"))
    rejecting = ONE.given(Constraints(rejected=[(0, 2, "PER")], gazetteers=[phrases]))
    assert rejecting.probability((0, 2, "PER")) == pytest.approx(0.0, abs=1e-9)


def test_a_favoured_phrase_gains_the_odds_of_its_bonus() -> None:
    span = (1, 3, "LOC")
    before = ONE.probability(span)
    after = ONE.given(Constraints(gazetteers=[Gazetteer({"New York": "LOC"}, bonus=1.5)])).probability(span)
    assert after / (1 - after) == pytest.approx(np.exp(1.5) * before / (1 - before))
    assert ONE.given(Constraints(favoured=[(*span, 1.5)])).constraint_probability == 1.0


def test_transitions_are_read_by_name_and_as_numbers() -> None:
    table = TransitionTable(ONE.tag_names, ONE.start, ONE.transitions, ONE.end)
    assert np.asarray(table).tolist() == ONE.transitions.tolist()
    assert table["B-LOC", "E-LOC"] == ONE.transitions[1, 3]
    assert table[None, "O"] == ONE.start[0]
    assert table["O", None] == ONE.end[0]
    head, _, start, *rows = str(table).splitlines()
    assert [row.split()[0] for row in rows] == list(ONE.tag_names)
    assert head.split() == ["to", *ONE.tag_names, "end"]
    assert start.split()[1:4] == [f"{ONE.start[0]:+.1f}", f"{ONE.start[1]:+.1f}", "·"]
    with pytest.raises(KeyError, match=r"B-LOK.*B-LOC"):
        _ = table["B-LOK", "O"]
