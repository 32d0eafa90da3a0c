"""spaCy's documents to Sentences and back: what the component and the reader of `.spacy` files share.

A `Doc` holds running text: its tokens are the words and signs of it, and white space beyond one space. The latter are
no tokens here, and nothing is learnt from them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import accumulate, groupby, pairwise, zip_longest
from typing import Any

from ner_lstm_crf.config import Hyphens, TokenUnit
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.text.annotation import Sentence, Span, Token, Unknown
from ner_lstm_crf.text.sentences import portions


def doc_tokens(doc: Any) -> list[Token]:
    """The tokens of a spaCy `Doc` with their offsets in its text, but those of white space."""
    orths, starts, lengths = doc.to_array(["ORTH", "IDX", "LENGTH"]).reshape(-1, 3).T
    texts = map(doc.vocab.strings.__getitem__, orths.tolist())  # a tenth of the time of an object for each token
    made, ends = tuple.__new__, (starts + lengths).tolist()
    return [made(Token, one) for one in zip(texts, starts.tolist(), ends, strict=True) if not one[0].isspace()]


def doc_text(doc: Any) -> str:
    """The text of a spaCy `Doc`, as `doc.text`, in a tenth of the time."""
    orths, spaces = doc.to_array(["ORTH", "SPACY"]).reshape(-1, 2).T
    texts = map(doc.vocab.strings.__getitem__, orths.tolist())
    return "".join([f"{text} " if spaced else text for text, spaced in zip(texts, spaces.tolist(), strict=True)])


def doc_sentences(
    doc: Any, tokens: list[Token], *, token_unit: TokenUnit = "word", hyphens: Hyphens = "split"
) -> list[list[Token]]:
    """The tokens of each sentence of a spaCy `Doc`: its own sentences if it has such, else those of the package.

    Args:
        doc: The document.
        tokens: Tokens with offsets in its text, in order. One belongs to the sentence in which it begins.
        token_unit: As in `ner_lstm_crf.sentences`.
        hyphens: As in `tokenize`.
    """
    if "sents" in doc.user_hooks:
        starts = [sentence.start_char for sentence in doc.sents]
    elif doc.has_annotation("SENT_START"):  # the same as `doc.sents`, in a tenth of the time
        begins, places = doc.to_array(["SENT_START", "IDX"]).reshape(-1, 2).T
        starts = places[begins == 1].tolist()
    else:
        starts, is_cut = list[int](), False
        for portion in portions(doc_text(doc), token_unit=token_unit, hyphens=hyphens):
            first = portion.first + is_cut  # what goes on with the sentence before is no start
            starts += [portion.offsets(edge, edge)[0] for edge in portion.edges[:-1] if first <= edge < portion.end]
            is_cut = portion.is_cut
    offsets = [token.start for token in tokens]
    edges = sorted({0, len(tokens), *(bisect_left(offsets, start) for start in starts)})
    return [tokens[start:end] for start, end in pairwise(edges)]


def sentences_from_docs(docs: Iterable[Any]) -> Iterator[Sentence]:
    """The sentences of spaCy documents with their entities (`doc.ents`); offsets are those in the text of the document.

    A document without sentences of its own is cut by the rules of the package, never within an entity. Tokens whose
    annotation is missing (spaCy's `-`; all tokens of a document that nobody annotated) are unknown: see
    `Sentence.unknown`. Each document has a number of its own, from 0.

    Args:
        docs: The documents, `nlp.pipe(texts)` or `DocBin().from_disk(path).get_docs(nlp.vocab)`.

    Example:
        >>> import spacy
        >>> doc = spacy.blank("en")("Ada Green flew to Oslo.")
        >>> doc.ents = [doc.char_span(0, 9, "PER"), doc.char_span(18, 22, "LOC")]
        >>> next(sentences_from_docs([doc]))
        <Sentence of 6 tokens: [Ada Green](PER) flew to [Oslo](LOC).>
    """
    for number, doc in enumerate(docs):
        tokens = doc_tokens(doc)
        places = [token.start for token in tokens]
        # 1. The entities over tokens, and the tokens of which nothing is known.
        ents = (
            (bisect_left(places, ent.start_char), bisect_left(places, ent.end_char), ent.label_) for ent in doc.ents
        )
        spans = [Span(*ent) for ent in ents if ent[0] < ent[1]]  # all but those of white space
        lacking = set(doc.to_array("IDX")[doc.to_array("ENT_IOB") == 0].tolist())
        # 2. The sentences, joined where an entity goes over the border.
        inner = {at for span in spans for at in range(span.start + 1, span.end)}
        edges = accumulate(map(len, doc_sentences(doc, tokens)), initial=0)
        for first, end in pairwise([edge for edge in edges if edge not in inner]):
            own = spans[bisect_left(spans, (first,)) : bisect_left(spans, (end,))]
            yield Sentence(
                tuple(tokens[first:end]),
                tuple(Span(span.start - first, span.end - first, span.label) for span in own),
                document=number,
                unknown=tuple(Unknown(at - first) for at in range(first, end) if places[at] in lacking),
            )


def docs_from_sentences(
    sentences: Iterable[Sentence], vocab: Any = None, *, by_document: bool = False
) -> Iterator[Any]:
    """Sentences as spaCy documents with entities and sentence boundaries, for a `DocBin` and `spacy train`.

    Where there was white space between two tokens, the text of a document has one space. Unknown tokens are those whose
    annotation is missing, whatever they may be. Scores are left out.

    Args:
        sentences: The sentences.
        vocab: The vocabulary of the documents, `nlp.vocab`; None for a new one.
        by_document: True for one `Doc` of all sentences in a row that are of one document, False for one of each.

    Raises:
        InputError: If an entity has no label: spaCy has no such entities.

    Example:
        >>> (doc,) = docs_from_sentences([Sentence.from_text("Ada flew to Oslo.", [(0, 3, "PER")])])
        >>> doc.text, doc.ents
        ('Ada flew to Oslo.', (Ada,))
    """
    from spacy.tokens import Doc, Span as DocSpan
    from spacy.vocab import Vocab

    vocab = Vocab() if vocab is None else vocab
    for _, group in groupby(enumerate(sentences), lambda one: one[1].document if by_document else one[0]):
        parts = [sentence for _, sentence in group]
        offsets = list(accumulate((len(sentence.tokens) for sentence in parts), initial=0))
        # 1. The text. Offsets that do not go on in the next sentence say nothing of the space between the two.
        words, spaces, begins = list[str](), list[bool](), list[bool]()
        for sentence, after in zip_longest(parts, parts[1:]):
            words += sentence.words
            begins += [number == 0 for number in range(len(sentence.tokens))]
            spaced = [following.start > token.end for token, following in pairwise(sentence.tokens)]
            if sentence.tokens:
                last, following = sentence.tokens[-1], after.tokens[0].start if after and after.tokens else -1
                goes_on = following > last.end if following >= last.end else any(spaced) or not spaced
                spaces += [*spaced, after is not None and goes_on]
        doc = Doc(vocab, words=words, spaces=spaces, sent_starts=begins)
        # 2. The entities, and what is unknown.
        ents, missing = list[Any](), list[Any]()
        for offset, sentence in zip(offsets, parts, strict=False):
            for start, end, label in sentence.spans:
                if not label:
                    text = doc[offset + start : offset + end].text
                    raise InputError(f"expected a label for each entity, found none for {text!r:.40}")
                ents.append(DocSpan(doc, offset + start, offset + end, label=label))
            missing += [DocSpan(doc, offset + one.token, offset + one.token + 1) for one in sentence.unknown]
        doc.set_ents(ents, missing=missing)
        yield doc
