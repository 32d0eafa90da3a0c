from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.tags.labels import LabelMap, require_entities
from ner_lstm_crf.text.annotation import Span

SPANS = (Span(0, 1, "person"), Span(1, 2, "OTH"), Span(2, 4, "LOC"), Span(5, 6, "O"))


def test_no_map_keeps_all():
    assert LabelMap()(SPANS) == SPANS
    assert not LabelMap()
    assert LabelMap.parse(None, []) == LabelMap()


def test_labels_are_renamed_first_and_then_kept():
    assert LabelMap.parse("PER", ["person=PER"])(SPANS) == (Span(0, 1, "PER"),)
    assert LabelMap.parse("person", ["person=PER"])(SPANS) == ()


def test_mapping_to_o_drops_and_so_does_not_being_kept():
    assert LabelMap.parse(None, ["OTH=O"])(SPANS) == (SPANS[0], SPANS[2], SPANS[3])
    assert LabelMap.parse("LOC")(SPANS) == (Span(2, 4, "LOC"),)


def test_a_label_that_is_called_o_is_dropped_only_when_asked():
    assert LabelMap.parse(None, ["O=O,OTH=O"])(SPANS) == (SPANS[0], SPANS[2])


def test_mappings_may_be_joined_by_commas_or_repeated_and_do_not_chain():
    joined = LabelMap.parse(None, ["person=LOC,LOC=PLACE"])
    assert joined == LabelMap.parse(None, ["person=LOC", "LOC=PLACE"])
    assert [span.label for span in joined(SPANS)] == ["LOC", "OTH", "PLACE", "O"]


@pytest.mark.parametrize("rule", ["OTH", "=", "OTH=", "", "a=b,,"])
def test_a_broken_mapping_is_refused(rule):
    with pytest.raises(InputError, match="expected a label mapping such as OTH=O"):
        LabelMap.parse(None, [rule])


def test_contradictions_and_empty_labels_are_refused():
    with pytest.raises(InputError, match="OTH is mapped twice: to A and to B"):
        LabelMap.parse(None, ["OTH=A", "OTH=B"])
    with pytest.raises(InputError, match="expected labels such as PER,LOC,ORG, found 'PER,,LOC'"):
        LabelMap.parse("PER,,LOC")


@given(
    keep=st.none() | st.frozensets(st.sampled_from("ABCD")),
    renamed=st.dictionaries(st.sampled_from("ABCD"), st.sampled_from("ABCDO")),
)
def test_spans_keep_their_places_and_their_order(keep, renamed):
    spans = tuple(Span(position, position + 1, label) for position, label in enumerate("ABCDABCD"))
    mapped = LabelMap(renamed, keep)(spans)
    for span in spans:
        new = renamed.get(span.label, span.label)
        expected = new != "O" and (keep is None or new in keep)
        assert (span._replace(label=new) in mapped) == expected
    assert list(mapped) == sorted(mapped)


def test_the_label_of_tags_that_are_a_prefix_alone_can_be_named():
    labels = LabelMap.parse("GENE", ["=GENE"])
    assert labels([Span(0, 1, ""), Span(1, 2, "X")]) == (Span(0, 1, "GENE"),)


def test_a_file_without_entities_is_refused():
    with pytest.raises(InputError, match=r"x.conll: expected entities, found none: nothing in it is annotated"):
        require_entities([(), ()], "x.conll", LabelMap())
    with pytest.raises(InputError, match="no entity has a label to keep"):
        require_entities([()], "x.conll", LabelMap.parse("PER"))
    require_entities([(), (Span(0, 1, "PER"),)], "x.conll", LabelMap())
