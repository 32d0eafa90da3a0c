"""What schemes write and allow: against enumeration, and by example."""

from __future__ import annotations

import pickle
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.tags.scheme import SCHEMES, get_scheme
from ner_lstm_crf.text.annotation import Span
from tests.tag_sequences import EVERY_SCHEME, LABELS, sequences


@st.composite
def annotated(draw, labels=("PER", "LOC", "creative-work", "PER.NOM", "a_b", "O", "-x", "")):
    """Spans in order, often touching, and a length that holds them."""
    spans, position = [], 0
    for gap, size, label in draw(
        st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4), st.sampled_from(labels)), max_size=6)
    ):
        spans.append(Span(position + gap, position + gap + size, label))
        position += gap + size
    return tuple(spans), position + draw(st.integers(0, 2))


@EVERY_SCHEME
@given(annotated())
def test_spans_survive_tags(scheme, sample):
    spans, length = sample
    tags = scheme.encode(spans, length)
    assert len(tags) == length
    decoded = scheme.decode(tags)
    assert decoded.ill_formed == ()
    if scheme.separates_neighbours:
        assert decoded.spans == spans
    assert scheme.encode(decoded.spans, length) == tags
    assert {tag for tag in tags if tag != "O"} <= set(scheme.tags(span.label for span in spans))


@EVERY_SCHEME
def test_legal_is_what_encode_writes(scheme):
    for tags in sequences(scheme, 5 if len(scheme.prefixes) < 3 else 4):
        decoded = scheme.decode(tags)
        legal = scheme.is_well_formed(tags)
        assert legal == (decoded.ill_formed == ())
        assert legal == (scheme.encode(decoded.spans, len(tags)) == tags), tags
        assert decoded.spans == tuple(sorted(set(decoded.spans)))


@EVERY_SCHEME
def test_the_automaton_accepts_exactly_the_legal(scheme):
    tags = scheme.tags(LABELS)
    allowed = scheme.allowed_transitions(tags)
    for sequence in sequences(scheme, 3):
        ids = [tags.index(tag) for tag in sequence]
        steps = all(allowed.transitions[i][j] for i, j in pairwise(ids))
        accepted = steps and (not ids or (allowed.start[ids[0]] and allowed.end[ids[-1]]))
        assert accepted == (scheme.encode(scheme.decode(sequence).spans, len(sequence)) == sequence), sequence


@pytest.mark.parametrize(
    ("name", "tags"),
    [
        ("IO", "I-X I-X I-X I-X I-X I-X I-Y O"),
        ("IOB1", "I-X B-X I-X B-X I-X I-X I-Y O"),
        ("IOB2", "B-X B-X I-X B-X I-X I-X B-Y O"),
        ("IOE1", "E-X I-X E-X I-X I-X I-X I-Y O"),
        ("IOE2", "E-X I-X E-X I-X I-X E-X E-Y O"),
        ("BIEO", "B-X B-X E-X B-X I-X E-X B-Y O"),
        ("BIOES", "S-X B-X E-X B-X I-X E-X S-Y O"),
        ("BMES", "S-X B-X E-X B-X M-X E-X S-Y O"),
        ("BMEWO", "W-X B-X E-X B-X M-X E-X W-Y O"),
        ("BILOU", "U-X B-X L-X B-X I-X L-X U-Y O"),
    ],
)
def test_what_each_scheme_writes(name, tags):
    spans = [Span(0, 1, "X"), Span(1, 3, "X"), Span(3, 6, "X"), Span(6, 7, "Y")]
    assert SCHEMES[name].encode(spans, 8) == tags.split()


def test_every_scheme_has_an_example_above():
    assert set(SCHEMES) == {"IO", "IOB1", "IOB2", "IOE1", "IOE2", "BIEO", "BIOES", "BMES", "BMEWO", "BILOU"}


def test_io_merges_what_it_cannot_separate():
    scheme = SCHEMES["IO"]
    assert not scheme.separates_neighbours
    tags = scheme.encode([Span(0, 1, "X"), Span(1, 2, "X")], 2)
    assert scheme.decode(tags).spans == (Span(0, 2, "X"),)


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        *((name, name) for name in SCHEMES),
        *((name.lower(), name) for name in SCHEMES),
        ("BIO", "IOB2"),
        ("bio2", "IOB2"),
        ("IOB", "IOB1"),
        ("IOB-2", "IOB2"),
        ("IOBES", "BIOES"),
        ("BMESO", "BMES"),
        ("BMOES", "BMES"),
        ("BMEW", "BMEWO"),
        ("BILUO", "BILOU"),
        ("BIOUL", "BILOU"),
        ("IOBE", "BIEO"),
    ],
)
def test_spellings(spelling, name):
    assert get_scheme(spelling) is SCHEMES[name]


@pytest.mark.parametrize("name", ["", "O", "XYZ", "BIOX", "IOB3"])
def test_an_unknown_scheme_is_the_users_mistake(name):
    with pytest.raises(InputError, match="expected a tag scheme"):
        get_scheme(name)


@pytest.mark.parametrize(
    "spans",
    [
        [Span(0, 0, "X")],
        [Span(2, 1, "X")],
        [Span(-1, 1, "X")],
        [Span(2, 4, "X")],
        [Span(0, 2, "X"), Span(1, 3, "X")],
        [Span(1, 2, "X"), Span(0, 1, "X")],
    ],
)
def test_encode_refuses_spans_that_do_not_fit(spans):
    with pytest.raises(ValueError, match="expected sorted spans without overlap within 3 tokens"):
        SCHEMES["IOB2"].encode(spans, 3)


def test_inventory_order():
    assert SCHEMES["BIEO"].tags(["PER", "LOC"]) == ("O", "B-PER", "I-PER", "E-PER", "B-LOC", "I-LOC", "E-LOC")
    assert SCHEMES["BIOES"].tags(["X"]) == ("O", "B-X", "I-X", "E-X", "S-X")


@EVERY_SCHEME
def test_a_pickled_scheme_is_the_same_object(scheme):
    assert pickle.loads(pickle.dumps(scheme)) is scheme


def test_nothing_comes_from_nothing():
    assert SCHEMES["BIEO"].decode([]) == ((), ())
    assert SCHEMES["BIEO"].encode([], 0) == []
