"""Tag schemes: what they write, allow and read, against enumeration, seqeval, conlleval's rules, and by example."""

from __future__ import annotations

import pickle
from typing import get_args

import pytest
from hypothesis import given, strategies as st
from seqeval import scheme as peer
from seqeval.metrics.sequence_labeling import get_entities

from ner_lstm_crf.config import SchemeName
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.tags.scheme import SCHEMES, DecodedTags, IllFormedError, UnknownTagError, get_scheme, split_tag
from ner_lstm_crf.tags.tag_set import TagSet
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
    assert set(tags) <= set(TagSet(scheme, [span.label for span in spans]).names)


@EVERY_SCHEME
def test_legal_is_what_encode_writes(scheme):
    for tags in sequences(scheme, 5 if len(scheme.prefixes) < 3 else 4):
        decoded = scheme.decode(tags)
        legal = decoded.ill_formed == ()
        assert legal == (scheme.encode(decoded.spans, len(tags)) == tags), tags
        assert decoded.spans == tuple(sorted(set(decoded.spans)))


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


@EVERY_SCHEME
def test_a_pickled_scheme_is_the_same_object(scheme):
    assert pickle.loads(pickle.dumps(scheme)) is scheme


def test_nothing_comes_from_nothing():
    assert SCHEMES["BIEO"].decode([]) == DecodedTags(())
    assert SCHEMES["BIEO"].encode([], 0) == []


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
    legal = [tags for tags in everything if not scheme.decode(tags).ill_formed]
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


@pytest.mark.parametrize(("name", "theirs"), [("IOB1", peer.IOB1), ("IOE1", peer.IOE1)])
def test_strict_differs_from_seqeval_strict_where_that_reads_what_the_scheme_does_not_write(name, theirs):
    scheme, differs = SCHEMES[name], 0
    for tags in sequences(scheme, 4):
        spans, found = scheme.decode(tags, "strict").spans, strict_in_seqeval(tags, theirs)
        if spans != found:
            differs += 1
            assert scheme.encode(found, len(tags)) != tags  # not what seqeval found is written so
    assert differs


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
    tags = data.draw(st.lists(st.sampled_from(TagSet(scheme, LABELS).names), max_size=12))
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
    assert decoded == ((Span(0, 2, "PER"),), (2,), ())


@pytest.mark.parametrize(
    ("tag", "parts"),
    [
        ("O", ("O", "")),
        ("B", ("B", "")),
        ("PER", ("", "PER")),
        ("B-PER", ("B", "PER")),
        ("B-O", ("B", "O")),
        ("B-creative-work", ("B", "creative-work")),
        ("I-PER.NOM", ("I", "PER.NOM")),
        ("B-Multi-tissue_structure", ("B", "Multi-tissue_structure")),
        ("B_a-b", ("B", "a-b")),
        ("B-a_b", ("B", "a_b")),
        ("Q-PER", ("Q", "PER")),
        ("person-actor", ("person", "actor")),
        ("", ("", "")),
    ],
)
def test_split_tag(tag, parts):
    assert split_tag(tag) == parts


def test_a_model_can_be_trained_in_every_scheme() -> None:
    """The configuration lists the names itself, since it knows nothing of tags."""
    assert sorted(get_args(SchemeName)) == sorted(SCHEMES)
