"""Partly known tags: what they leave open, against the readings of all tag sequences that fit them."""

from __future__ import annotations

from itertools import pairwise, product

import pytest
from hypothesis import given, settings, strategies as st

from ner_lstm_crf.tags.partial import PartialReader, encode_partial, rename_partial
from ner_lstm_crf.tags.scheme import BREAKS, OUTSIDE, SCHEMES, IllFormedError
from ner_lstm_crf.tags.tag_set import TagSet
from ner_lstm_crf.text.annotation import Span, Unknown
from tests.tag_sequences import EVERY_SCHEME

BIOES = SCHEMES["BIOES"]
KNOWN, OTHER = ("PER", "LOC"), "of no tag beside it"


@st.composite
def cells_of(draw, scheme):
    """Up to three tokens, each with some of the tags of two labels, or with any."""
    names = TagSet(scheme, KNOWN).names
    some = st.frozensets(st.sampled_from(names), min_size=1, max_size=3)
    return draw(
        st.lists(st.one_of(st.sampled_from(names).map(lambda tag: frozenset((tag,))), some, st.none()), max_size=4)
    )


def possibilities(scheme, cells):
    """The BIOES tags of each token in all readings that break the scheme least, one after another."""
    every = TagSet(scheme, [*KNOWN, OTHER]).names
    found = {}
    for tags in product(*(every if cell is None else sorted(cell) for cell in cells)):
        states = [scheme.state(tag) for tag in (OUTSIDE, *tags, OUTSIDE)]
        broken = sum(bool(before.event(after) & BREAKS) for before, after in pairwise(states))
        found.setdefault(broken, []).append(BIOES.encode(scheme.decode(tags).spans, len(tags)))
    return [set(column) for column in zip(*found[min(found)], strict=True)]


def as_bioes(decoded, length):
    """What a decoded sentence says of each token."""
    tags = [{tag} for tag in BIOES.encode(decoded.spans, length)]
    for token, may_be in decoded.unknown:
        tags[token] = may_be
    return tags


@EVERY_SCHEME
@settings(max_examples=30)
@given(data=st.data())
def test_what_a_token_may_be_is_what_it_is_in_some_reading(scheme, data):
    cells = data.draw(cells_of(scheme))
    decoded = PartialReader(scheme).decode(cells)
    for found, expected in zip(as_bioes(decoded, len(cells)), possibilities(scheme, cells), strict=True):
        if found is None:
            assert any(tag.endswith(OTHER) for tag in expected)
        else:
            assert set(found) == expected


@EVERY_SCHEME
@settings(max_examples=30)
@given(data=st.data())
def test_where_all_is_known_it_reads_as_the_scheme_does(scheme, data):
    tags = data.draw(st.lists(st.sampled_from(TagSet(scheme, KNOWN).names), max_size=6))
    decoded, expected = PartialReader(scheme).decode([frozenset((tag,)) for tag in tags]), scheme.decode(tags)
    assert (decoded.spans, decoded.ill_formed, decoded.unknown) == (expected.spans, expected.ill_formed, ())
    strict = PartialReader(scheme).decode([frozenset((tag,)) for tag in tags], "strict")
    assert strict.spans == scheme.decode(tags, "strict").spans


@EVERY_SCHEME
@pytest.mark.parametrize("of_model", SCHEMES.values(), ids=list(SCHEMES))
@settings(max_examples=10)
@given(data=st.data())
def test_another_scheme_allows_all_tags_of_the_same_truths(scheme, of_model, data):
    cells = data.draw(cells_of(scheme))
    decoded = PartialReader(scheme).decode(cells)
    allowed = encode_partial(of_model, decoded.spans, decoded.unknown, len(cells))
    names = TagSet(BIOES, KNOWN).names
    bioes = [sorted(names if tags is None else tags) for tags in as_bioes(decoded, len(cells))]
    truths = [tags for tags in product(*bioes) if not BIOES.decode(tags).ill_formed]
    assert truths
    written = [
        set(column) for column in zip(*(of_model.encode(BIOES.decode(t).spans, len(t)) for t in truths), strict=True)
    ]
    for tags, needed in zip(allowed, written, strict=True):
        assert tags is None or needed <= tags


@EVERY_SCHEME
@settings(max_examples=30)
@given(data=st.data())
def test_written_again_a_sentence_says_the_same(scheme, data):
    cells = data.draw(cells_of(scheme))
    reader = PartialReader(scheme)
    once = reader.decode(cells)
    twice = reader.decode(encode_partial(scheme, once.spans, once.unknown, len(cells)))
    for tags, again in zip(as_bioes(once, len(cells)), as_bioes(twice, len(cells)), strict=True):
        assert again is None or (tags is not None and set(tags) <= set(again))


def test_a_begin_before_an_unknown_token_may_be_a_whole_entity_in_iob2_and_not_in_bioes():
    cells = [frozenset({"B-PER"}), None, frozenset({"O"})]
    assert PartialReader(SCHEMES["IOB2"]).decode(cells).unknown[0] == Unknown(0, frozenset({"B-PER", "S-PER"}))
    assert PartialReader(BIOES).decode(cells).spans == (Span(0, 2, "PER"),)


def test_tags_that_break_the_scheme_in_every_reading_are_found():
    cells = [frozenset({"O"}), frozenset({"I-PER"}), None]
    reader = PartialReader(SCHEMES["IOB2"])
    assert reader.decode(cells).ill_formed == (1,)
    with pytest.raises(IllFormedError, match=r"I-PER.* breaks IOB2"):
        reader.decode(cells, "error")
    assert reader.decode([None, frozenset({"I-PER"}), None], "error").ill_formed == ()


def test_renamed_alternatives_that_become_one_are_known():
    unknown = [Unknown(1, frozenset({"S-person", "S-PER"})), Unknown(2, frozenset({"S-MISC", "O"})), Unknown(3)]
    names = {"person": "PER", "PER": "PER", "MISC": None}
    assert rename_partial([Span(0, 1, "MISC")], unknown, names.get, 4) == ((Span(1, 2, "PER"),), (Unknown(3),))
