"""The tags of a model: numbered, written, read back for many sentences at once, and the transitions between them."""

from __future__ import annotations

import pickle
import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, strategies as st

from ner_lstm_crf.tags import tag_set as module
from ner_lstm_crf.tags.scheme import CLOSES, OPENS, SCHEMES, DecodedTags, Scheme
from ner_lstm_crf.tags.tag_set import TagSet
from ner_lstm_crf.text.annotation import Span
from tests.tag_sequences import EVERY_SCHEME, sequences

LABELS = ("LOC", "PER")


@EVERY_SCHEME
@given(data=st.data())
def test_any_tags_are_read_as_the_scheme_reads_them(scheme: Scheme, data: st.DataObject) -> None:
    tags = TagSet(scheme, LABELS)
    ids = st.one_of(st.just(0), st.integers(0, len(tags) - 1))
    sentences = data.draw(st.lists(st.lists(ids, max_size=8), max_size=6))
    flat = np.array([tag for sentence in sentences for tag in sentence], np.int64)
    expected = [scheme.decode([tags.names[tag] for tag in sentence]) for sentence in sentences]
    for _ in range(2):  # the second time from the cache
        assert tags.decode_all(flat, np.array([len(sentence) for sentence in sentences], np.int64)) == expected
    assert [tags.decode(np.array(sentence, np.int64)) for sentence in sentences] == expected


@EVERY_SCHEME
@given(data=st.data())
def test_a_span_ends_before_a_cut_as_before_a_sentence(scheme: Scheme, data: st.DataObject) -> None:
    tags = TagSet(scheme, LABELS)
    sentences = data.draw(
        st.lists(st.lists(st.integers(0, len(tags) - 1), min_size=1, max_size=8), min_size=1, max_size=4)
    )
    flat = np.array([tag for sentence in sentences for tag in sentence], np.int64)
    cuts = data.draw(st.lists(st.integers(0, len(flat)), max_size=6))
    found = tags.decode_all(flat, np.array(list(map(len, sentences))), np.array(cuts, np.int64))
    begin = 0
    for sentence, decoded in zip(sentences, found, strict=True):
        edges = sorted({0, len(sentence), *(cut - begin for cut in cuts if 0 < cut - begin < len(sentence))})
        pieces = [tags.decode(np.array(sentence[first:end])) for first, end in pairwise(edges)]
        moved = [
            Span(s + at, e + at, label) for at, one in zip(edges, pieces, strict=False) for s, e, label in one.spans
        ]
        assert list(decoded.spans) == moved
        assert list(decoded.ill_formed) == [
            n + at for at, one in zip(edges, pieces, strict=False) for n in one.ill_formed
        ]
        begin += len(sentence)


def test_the_cache_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_CACHED", 3)
    monkeypatch.setattr(module, "_LONGEST_CACHED", 2)
    tags = TagSet(SCHEMES["IOB2"], LABELS)
    for length in range(1, 6):
        for tag in (1, 3):
            assert len(tags.decode(np.full(length, tag)).spans) == length
    assert len(tags._cache) <= 3
    assert all(len(ids) <= 2 for ids in tags._cache)
    assert tags.decode_all(np.zeros(4, np.int64), np.array([0, 4])) == [DecodedTags(())] * 2


@EVERY_SCHEME
def test_ids_are_those_of_the_names(scheme: Scheme) -> None:
    tags, spans = TagSet(scheme, LABELS), [Span(0, 1, "PER"), Span(1, 4, "LOC"), Span(5, 7, "PER")]
    ids = tags.encode(spans, 8)
    assert ids.dtype == np.int64
    assert [tags.names[tag] for tag in ids] == scheme.encode(spans, 8)
    assert tags.decode(ids) == (tuple(spans), (), ())


def test_names_are_in_the_order_of_labels_and_prefixes() -> None:
    names = TagSet(SCHEMES["BIEO"], ["PER", "LOC"]).names
    assert names == ("O", "B-PER", "I-PER", "E-PER", "B-LOC", "I-LOC", "E-LOC")
    assert TagSet(SCHEMES["BIOES"], ["X"]).names == ("O", "B-X", "I-X", "E-X", "S-X")
    assert TagSet(SCHEMES["IOB2"], [""]).names == ("O", "B", "I")


def test_an_unknown_label_is_refused() -> None:
    with pytest.raises(ValueError, match=re.escape("expected tags of the labels LOC, PER, got 'B-ORG'")):
        TagSet(SCHEMES["IOB2"], LABELS).encode([Span(0, 1, "ORG")], 2)


@EVERY_SCHEME
def test_transitions_allow_exactly_the_well_formed(scheme: Scheme) -> None:
    tags = TagSet(scheme, LABELS)
    allowed = tags.allowed_transitions()
    for sequence in sequences(scheme, 3, LABELS):
        ids = [tags.names.index(tag) for tag in sequence]
        steps = all(allowed.transitions[i, j] for i, j in pairwise(ids))
        accepted = steps and (not ids or (allowed.start[ids[0]] and allowed.end[ids[-1]]))
        assert accepted == (scheme.encode(scheme.decode(sequence).spans, len(sequence)) == sequence), sequence


@EVERY_SCHEME
def test_events_and_label_numbers_read_any_tags_as_the_scheme_does(scheme: Scheme) -> None:
    tags = TagSet(scheme, LABELS)
    labels, events = tags.label_numbers(), tags.events()
    assert (labels.dtype, events.dtype) == (np.int64, np.int64)
    for sequence in sequences(scheme, 3, LABELS):
        ids = [0, *(tags.names.index(tag) for tag in sequence), 0]
        spans, start = [], 0
        for position, (before, after) in enumerate(pairwise(ids)):
            if events[before, after] & CLOSES:
                spans.append(Span(start, position, LABELS[labels[before]]))
            if events[before, after] & OPENS:
                start = position
        assert tuple(spans) == scheme.decode(sequence).spans


def test_events_are_an_array_of_their_own_on_each_call() -> None:
    tags = TagSet(SCHEMES["BIEO"], LABELS)
    tags.events()[:] = -1
    assert tags.events().min() >= 0


def test_a_pickled_tag_set_is_equal() -> None:
    tags = TagSet(SCHEMES["BIEO"], LABELS)
    copy = pickle.loads(pickle.dumps(tags))
    assert (copy.names, copy.scheme) == (tags.names, tags.scheme)
    assert copy.decode(np.array([1, 3])) == tags.decode(np.array([1, 3]))
