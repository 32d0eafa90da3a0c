"""Reading the tags of many sentences at once gives what the scheme gives for each."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_lstm_crf.tagging import span_decoder as module
from ner_lstm_crf.tagging.span_decoder import SpanDecoder
from ner_lstm_crf.tags.scheme import SCHEMES, DecodedTags, Scheme

LABELS = ("LOC", "PER")


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=lambda scheme: scheme.name)
@given(data=st.data())
def test_any_tags_are_read_as_the_scheme_reads_them(scheme: Scheme, data: st.DataObject) -> None:
    tags = scheme.tags(LABELS)
    ids = st.one_of(st.just(0), st.integers(0, len(tags) - 1))
    sentences = data.draw(st.lists(st.lists(ids, max_size=8), max_size=6))
    reader = SpanDecoder(scheme, tags)
    flat = np.array([tag for sentence in sentences for tag in sentence], np.int64)
    expected = [scheme.decode([tags[tag] for tag in sentence]) for sentence in sentences]
    for _ in range(2):  # the second time from memory
        assert reader.read(flat, np.array([len(sentence) for sentence in sentences], np.int64)) == expected


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_REMEMBERED", 3)
    monkeypatch.setattr(module, "_LONGEST_REMEMBERED", 2)
    scheme = SCHEMES["IOB2"]
    reader = SpanDecoder(scheme, scheme.tags(LABELS))
    for length in range(1, 6):
        for tag in (1, 3):
            (found,) = reader.read(np.full(length, tag), np.array([length]))
            assert len(found.spans) == length
    assert len(reader._known) <= 3
    assert all(len(ids) <= 2 for ids in reader._known)
    assert reader.read(np.zeros(4, np.int64), np.array([0, 4])) == [DecodedTags(())] * 2
