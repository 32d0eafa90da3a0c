"""What tags mean, well formed or not: against seqeval, against conlleval's rules, and by example."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval import scheme as peer
from seqeval.metrics.sequence_labeling import get_entities

from ner_lstm_crf.tags.scheme import SCHEMES, IllFormedError, UnknownTagError
from ner_lstm_crf.text.annotation import Span
from tests.tag_sequences import EVERY_SCHEME, LABELS, sequences


def conlleval(tags: list[str]) -> tuple[Span, ...]:
    """The chunks that conlleval.pl counts, by the rules of its startOfChunk and endOfChunk."""
    spans, start, before, label_before = [], 0, "O", ""
    for position, tag in enumerate([*tags, "O"]):
        kind, _, label = tag.partition("-")
        ends = (before, kind) in {("B", "B"), ("B", "O"), ("I", "B"), ("I", "O"), ("E", "E"), ("E", "I"), ("E", "O")}
        starts = (before, kind) in {("B", "B"), ("I", "B"), ("O", "B"), ("O", "I"), ("E", "E"), ("E", "I"), ("O", "E")}
        if ends or (before != "O" and label_before != label):
            spans.append(Span(start, position, label_before))
        if starts or (kind != "O" and label_before != label):
            start = position
        before, label_before = kind, label
    return tuple(spans)


def test_bieo_has_779_legal_sequences_of_19607():
    scheme = SCHEMES["BIEO"]
    everything = [tags for tags in sequences(scheme, 5) if tags]
    legal = [tags for tags in everything if scheme.is_well_formed(tags)]
    assert (len(everything), len(legal)) == (19_607, 779)
    for tags in legal:  # seqeval has no BIEO, but reads it right as IOB2 once every E- is an I-
        as_iob2 = ["I" + tag[1:] if tag[0] == "E" else tag for tag in tags]
        assert strict_in_seqeval(as_iob2, peer.IOB2) == scheme.decode(tags).spans


def strict_in_seqeval(tags, theirs):
    return tuple(Span(e.start, e.end, e.tag) for e in peer.Tokens(tags, theirs, sent_id=0).entities)


@pytest.mark.parametrize(
    ("name", "theirs"), [("IOB2", peer.IOB2), ("IOE2", peer.IOE2), ("BIOES", peer.IOBES), ("BILOU", peer.BILOU)]
)
def test_strict_equals_seqeval_strict(name, theirs):
    scheme = SCHEMES[name]
    for tags in sequences(scheme, 4):
        assert scheme.decode(tags, "strict").spans == strict_in_seqeval(tags, theirs), tags


@EVERY_SCHEME
def test_strict_drops_only_spans_not_written_so(scheme):
    for tags in sequences(scheme, 3):
        lenient, strict = scheme.decode(tags), scheme.decode(tags, "strict")
        assert strict.ill_formed == lenient.ill_formed
        assert set(strict.spans) <= set(lenient.spans)
        written = scheme.encode(lenient.spans, len(tags))
        for span in lenient.spans:
            assert (span in strict.spans) == (written[span.start : span.end] == tags[span.start : span.end])


@pytest.mark.parametrize("name", ["IO", "IOB1", "IOB2", "IOE1", "IOE2"])
def test_lenient_equals_conlleval(name):
    for tags in sequences(SCHEMES[name], 5):
        assert SCHEMES[name].decode(tags, "conlleval").spans == conlleval(tags), tags


@pytest.mark.parametrize("name", ["IOB1", "IOB2", "BIEO", "BIOES"])
@given(data=st.data())
def test_lenient_equals_seqeval_default(name, data):
    scheme = SCHEMES[name]
    tags = data.draw(st.lists(st.sampled_from(scheme.tags(LABELS)), max_size=12))
    expected = tuple(Span(start, end + 1, label) for label, start, end in get_entities(tags))
    assert scheme.decode(tags).spans == expected


def test_a_b_after_an_e_begins_a_span_unlike_conlleval():
    tags = ["B-PER", "E-PER", "B-PER", "E-PER"]
    assert conlleval(tags) == (Span(0, 4, "PER"),)
    assert SCHEMES["BIEO"].decode(tags).spans == (Span(0, 2, "PER"), Span(2, 4, "PER"))


@pytest.mark.parametrize(
    ("name", "tags", "positions"),
    [
        ("IOB2", "O I-X I-X", (1,)),
        ("IOB2", "I-X B-X I-Y", (0, 2)),
        ("IOB1", "O B-X", (1,)),
        ("BIEO", "B-X I-X O", (2,)),
        ("BIEO", "B-X I-X", (1,)),
        ("BIEO", "I-X", (0,)),
        ("BIOES", "B-X", (0,)),
        ("BIOES", "O O B-X S-X E-X", (3, 4)),
    ],
)
def test_ill_formed_positions(name, tags, positions):
    scheme = SCHEMES[name]
    assert scheme.decode(tags.split()).ill_formed == positions
    with pytest.raises(IllFormedError) as caught:
        scheme.decode(tags.split(), "error")
    assert caught.value.position == positions[0]
    assert f"position {positions[0]}: " in str(caught.value)
    assert tags.split()[positions[0]] == caught.value.tag


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ("I-X", "'I-X' may not start a sentence in BIEO"),
        ("O I-X", "'I-X' may not follow 'O' in BIEO"),
        ("B-X I-X", "'I-X' may not end a sentence in BIEO"),
    ],
)
def test_the_error_says_why(tags, reason):
    with pytest.raises(IllFormedError, match=reason):
        SCHEMES["BIEO"].decode(tags.split(), "error")


@pytest.mark.parametrize(
    ("name", "tag"), [("IOB2", "PER"), ("IOB2", "Q-PER"), ("IOB2", "E-PER"), ("IOB2", ""), ("IO", "B-PER"), ("IO", "")]
)
def test_an_unknown_tag_is_named_with_its_position(name, tag):
    with pytest.raises(UnknownTagError) as caught:
        SCHEMES[name].decode(["O", "O", tag])
    assert caught.value.position == 2
    assert f"found {tag!r}" in str(caught.value)
    assert not SCHEMES[name].has(tag)


def test_an_unknown_policy_is_refused():
    with pytest.raises(ValueError, match="expected a policy"):
        SCHEMES["IOB2"].decode(["O"], "lenient")


def test_io_reads_bare_labels():
    decoded = SCHEMES["IO"].decode(["PER", "PER", "person-actor", "I-PER", "O", "O-x"])
    assert decoded.spans == (Span(0, 2, "PER"), Span(2, 3, "person-actor"), Span(3, 4, "PER"), Span(5, 6, "O-x"))
    assert decoded.ill_formed == ()


def test_a_label_may_be_called_o():
    assert SCHEMES["IOB2"].decode(["O", "B-O", "I-O", "O"]).spans == (Span(1, 3, "O"),)


def test_prefixes_alone_are_tags_of_one_unnamed_label():
    assert SCHEMES["IOB2"].decode(["B", "I", "O", "B"]).spans == (Span(0, 2, ""), Span(3, 4, ""))
    assert SCHEMES["IOB2"].decode(["O", "I"]).spans == (Span(1, 2, ""),)


def test_underscores_are_read_and_hyphens_written():
    decoded = SCHEMES["IOB2"].decode(["B_PER", "I_PER", "I_LOC"], "strict")
    assert decoded == ((Span(0, 2, "PER"),), (2,))
