"""spaCy's documents become sentences and come back, with offsets in their text."""

from __future__ import annotations

from typing import Any

import pytest
import spacy
from hypothesis import given, strategies as st
from spacy.tokens import Doc, DocBin, Span as DocSpan

from ner_lstm_crf import InputError, Sentence, Span, Unknown, sentences
from ner_lstm_crf.formats.spacy_docs import docs_from_sentences, sentences_from_docs

NLP = spacy.blank("en")
SPACES = st.text(" \n\t", min_size=1, max_size=3)
WORDS = st.sampled_from(
    ["Ada", "Green", "isn't", "U.S.", "well-known", "北京", "Zoë", "No.", "e\u0301", "😀", "!", "5pm"]
)


@st.composite
def annotated_docs(draw: Any) -> Doc:
    """A text with white space of all kinds, cut by spaCy, with entities, missing tokens, and perhaps sentences."""
    text = "".join(draw(st.lists(st.one_of(WORDS, SPACES), min_size=1, max_size=16)))
    doc = NLP(text)
    edges = sorted(draw(st.sets(st.integers(0, len(doc)), max_size=8)))
    kinds = draw(st.lists(st.sampled_from(["PER", "LOC", "missing", ""]), min_size=len(edges), max_size=len(edges)))
    pieces = list(zip(kinds, edges, edges[1:], strict=False))
    ents = [DocSpan(doc, start, end, label=kind) for kind, start, end in pieces if kind in ("PER", "LOC")]
    doc.set_ents(ents, missing=[doc[start:end] for kind, start, end in pieces if kind == "missing"])
    if draw(st.booleans()):
        for token in doc[1:]:
            token.is_sent_start = draw(st.booleans())
    return doc


@given(annotated_docs())
def test_every_token_and_every_entity_of_a_document_is_in_one_sentence_at_its_offsets(doc: Doc) -> None:
    found = list(sentences_from_docs([doc]))
    assert [(token.text, token.start) for one in found for token in one.tokens] == [
        (token.text, token.idx) for token in doc if not token.is_space
    ]
    entities = [entity for one in found for entity in one.entities(doc.text)]
    expected = []
    for ent in doc.ents:
        inner = [token for token in ent if not token.is_space]
        if inner:
            expected.append((inner[0].idx, inner[-1].idx + len(inner[-1]), ent.label_))
    assert [(one.start, one.end, one.label) for one in entities] == expected
    assert all(doc.text[one.start : one.end] == one.text for one in entities)
    unknown = [one.tokens[at].start for one in found for at, _ in one.unknown]
    assert unknown == [token.idx for token in doc if token.ent_iob == 0 and not token.is_space]


@given(annotated_docs())
def test_a_sentence_begins_where_the_document_says_so_and_nowhere_within_an_entity(doc: Doc) -> None:
    starts = [one.tokens[0].start for one in sentences_from_docs([doc])]
    if not doc.has_annotation("SENT_START"):
        said = {one.tokens[0].start for one in sentences(doc.text)}
    else:
        said = {sent.start_char for sent in doc.sents}
    # A boundary that stands on white space, or within one of our tokens, is one of the token behind it.
    behind = {min((t.idx for t in doc if not t.is_space and t.idx >= start), default=None) for start in {0, *said}}
    inner = {token.idx for ent in doc.ents for token in [t for t in ent if not t.is_space][1:]}
    assert starts == sorted(behind - inner - {None})


@given(st.lists(annotated_docs(), max_size=3), st.booleans())
def test_sentences_survive_the_way_through_a_docbin(docs: list[Doc], by_document: bool) -> None:
    given_sentences = list(sentences_from_docs(docs))
    made = DocBin(docs=docs_from_sentences(given_sentences, NLP.vocab, by_document=by_document)).to_bytes()
    back = list(sentences_from_docs(DocBin().from_bytes(made).get_docs(NLP.vocab)))
    assert [(one.words, one.spans, one.unknown) for one in back] == [
        (one.words, one.spans, one.unknown) for one in given_sentences
    ]
    if by_document:
        numbers = {number: at for at, number in enumerate(dict.fromkeys(one.document for one in given_sentences))}
        assert [one.document for one in back] == [numbers[one.document] for one in given_sentences]


def test_a_document_of_several_sentences_has_the_spaces_that_their_offsets_tell() -> None:
    running = sentences("Ada left.  Milo (who?)\nstayed.")
    columns = [Sentence.from_words(["It", "rains"]), Sentence.from_words(["Why"])]
    chinese = [Sentence.from_text("他走了。"), Sentence.from_text("是吗？")]
    for given_sentences, text in [
        (running, "Ada left. Milo (who?) stayed."),
        (columns, "It rains Why"),
        (chinese, "他走了。是吗？"),
    ]:
        (doc,) = docs_from_sentences(given_sentences, by_document=True)
        assert doc.text == text
        assert [sent.start for sent in doc.sents][1:] == [len(given_sentences[0])]


def test_a_document_that_nobody_annotated_is_unknown_and_one_without_entities_is_known() -> None:
    bare, empty = NLP("It rains."), NLP("It rains.")
    empty.ents = []
    first, second = sentences_from_docs([bare, empty])
    assert first.unknown == (Unknown(0), Unknown(1), Unknown(2))
    assert second.unknown == ()
    assert [first.document, second.document] == [0, 1]


def test_the_labels_of_unknown_tokens_are_missing_annotation() -> None:
    sentence = Sentence.from_words(["Ada", "met", "Milo"], [Span(0, 1, "PER")]).with_unannotated(["ORG"])
    (doc,) = docs_from_sentences([sentence], NLP.vocab)
    assert [token.ent_iob_ for token in doc] == ["B", "", ""]
    assert doc.vocab is NLP.vocab


def test_an_entity_without_a_label_is_refused() -> None:
    with pytest.raises(InputError, match="expected a label for each entity, found none for 'Ada'"):
        list(docs_from_sentences([Sentence.from_words(["Ada"], [Span(0, 1, "")])]))


def test_an_empty_document_has_no_sentence() -> None:
    assert list(sentences_from_docs([NLP(""), NLP(" \n ")])) == []
