"""Files of spaCy's documents (`DocBin`), as `spacy train` takes them.

The documents are read with their own tokens, see `spacy_docs`, and written with those of the sentences; a text that has
no tokens of its own becomes one document, cut as in tagging. spaCy is imported when a file is read or written.
"""

from __future__ import annotations

import re
import zlib
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ner_lstm_crf.config import TokenUnit
from ner_lstm_crf.errors import InputError, counted, path_given
from ner_lstm_crf.files.atomic import replacing
from ner_lstm_crf.files.text import STANDARD_STREAM, FilePath, open_compressed, quoted
from ner_lstm_crf.formats.format import Format
from ner_lstm_crf.formats.options import ReadOptions, ReadReport, WriteOptions
from ner_lstm_crf.formats.text_json import AnnotatedText, TextWriter, annotate
from ner_lstm_crf.tags.labels import NAME_FOR_O
from ner_lstm_crf.tags.partial import rename_partial
from ner_lstm_crf.tags.scheme import OUTSIDE
from ner_lstm_crf.text.annotation import Sentence, Token, by_character, unknown_by_character

if TYPE_CHECKING:
    from spacy.tokens import Doc, DocBin as SpacyDocBin
    from spacy.vocab import Vocab

_ZLIB = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
_MOST_EXPANSION, _SMALL_EXPANDED = 200, 2**25  # of a compressed file, as in `files.text`
_SURROGATE = re.compile("[\ud800-\udfff]")
_LONGEST = 2**30  # bytes of a file


class DocBin(Format, TextWriter):
    """spaCy's documents in a DocBin."""

    name = "spacy"
    suffixes = (".spacy",)
    description = "spaCy's documents (DocBin)"
    says_unknown = True

    def claims(self, path: FilePath) -> bool:
        """True if the name says so, or the file begins as zlib does, and as no text."""
        place = Path(path_given(path))
        try:
            if not place.is_file():
                return False
            if place.suffix.lower() == ".spacy":
                return True
            with place.open("rb") as file:
                first = file.read(2**12)
            return first.startswith(_ZLIB) and bool(zlib.decompressobj().decompress(first))
        except (OSError, ValueError, zlib.error):
            return False

    def read(self, path: FilePath, options: ReadOptions, report: ReadReport) -> Iterator[Sentence]:
        """The sentences of the documents. The line of a sentence is the number of its document, from 1."""
        from ner_lstm_crf.formats.spacy_docs import sentences_from_docs  # and with it numpy, which --help needs not

        for sentence in sentences_from_docs(_documents(path, annotated=options.read_tags)):
            line, labels = sentence.document + 1, {span.label for span in sentence.spans}
            if options.read_tags and OUTSIDE in labels and options.labels.renaming(OUTSIDE) == OUTSIDE:
                raise InputError(f"expected a label, found O: {NAME_FOR_O}", path=path, line=line)
            numbered = replace(sentence, line=line)
            if not options.read_tags:
                numbered = numbered.with_spans(())
            report.unknown += [line] * len(numbered.unknown)
            report.labels.update(span.label for span in numbered.spans)
            if options.labels:
                renaming, length = options.labels.renaming, len(numbered.tokens)
                spans, unknown = rename_partial(numbered.spans, numbered.unknown, renaming, length)
                numbered = replace(numbered, spans=spans, unknown=unknown)
            if options.token_unit == "character":
                numbered = _by_character(numbered)
            report.count(numbered)
            yield numbered
        if not report.sentences:
            raise InputError("expected documents with tokens, found none", path=path)

    def write(self, path: FilePath, sentences: Iterable[Sentence], options: WriteOptions) -> None:
        """Write each sentence as a document of its own, as `spacy convert` does."""
        from ner_lstm_crf.formats.spacy_docs import docs_from_sentences  # as in `read`

        del options
        _write(path, lambda vocab: docs_from_sentences(_fitting(sentences, path), vocab))

    def write_checked(self, path: FilePath, texts: Iterable[AnnotatedText], options: WriteOptions) -> None:
        """Write each text as a document of exactly this text."""
        unit = options.token_unit or "word"
        _write(path, lambda vocab: (_document(text, vocab, unit, path) for text in texts))

    def rewrite(
        self, source: FilePath, target: FilePath, options: ReadOptions, output: WriteOptions, report: ReadReport
    ) -> None:
        """Write documents again under other labels: their tokens, entities and sentences."""
        self.write(target, self.read(source, options, report), output)


def _spacy() -> tuple[type[SpacyDocBin], Vocab]:
    """The class of spaCy, and a vocabulary.

    Raises:
        InputError: If spaCy is not installed.
    """
    try:
        from spacy.tokens import DocBin as Documents
        from spacy.vocab import Vocab as Words
    except ImportError as error:
        raise InputError("files of spaCy need another package: pip install 'ner-lstm-crf[spacy]'") from error
    return Documents, Words()


def _documents(path: FilePath, *, annotated: bool) -> Iterator[Doc]:
    """The documents of a file.

    Args:
        path: The file.
        annotated: True if they should have entities.

    Raises:
        InputError: If it cannot be read, or is none of spaCy's; if all of its entities stand in span groups, as spaCy's
            spancat has them.
    """
    with open_compressed(path) as file:
        content = file.stream.read(_LONGEST + 1)
    if len(content) > _LONGEST:
        raise InputError(f"expected at most {_LONGEST:,} bytes of documents: make several files", path=path)
    try:
        unpacked = zlib.decompressobj()
        most = max(_SMALL_EXPANDED, _MOST_EXPANSION * len(content))
        length = len(unpacked.decompress(content, most))
        if length == most and unpacked.unconsumed_tail:
            raise InputError(f"the documents are more than {_MOST_EXPANSION} times as large as their file", path=path)
    except zlib.error:
        raise InputError(
            "expected spaCy's documents (DocBin), found something else under this name", path=path
        ) from None
    documents, vocab = _spacy()
    groups, has_entities = Counter[str](), False
    try:
        for doc in documents().from_bytes(content).get_docs(vocab):
            has_entities = has_entities or bool(doc.ents)
            groups.update({name: len(spans) for name, spans in doc.spans.items()})
            yield doc
    except InputError:
        raise
    except Exception as error:  # whatever msgpack, numpy and spaCy find wrong in damaged bytes
        kind = type(error).__name__
        raise InputError(f"expected spaCy's documents (DocBin), found damaged ones ({kind})", path=path) from error
    if annotated and not has_entities and groups.total():
        name, count = groups.most_common(1)[0]
        hint = f"doc.ents = spacy.util.filter_spans(doc.spans[{quoted(name)}]) makes entities of them"
        message = f"expected entities in doc.ents, found none but {counted(count, 'span')} in doc.spans: {hint}"
        raise InputError(message, path=path)


def _write(path: FilePath, docs_of: Any) -> None:
    """Write the documents that a function makes in a vocabulary."""
    if path == STANDARD_STREAM:
        raise InputError("spaCy's documents are no text: name a file, such as train.spacy", path="standard output")
    documents, vocab = _spacy()
    collected = documents()
    for doc in docs_of(vocab):
        collected.add(doc)
    place = Path(path_given(path))
    if place.is_dir():
        raise InputError("expected a file to write, found a directory", path=path)
    with replacing(place) as new:
        new.write_bytes(collected.to_bytes())


def _fitting(sentences: Iterable[Sentence], path: FilePath) -> Iterator[Sentence]:
    """The sentences, each looked at when its turn comes.

    Raises:
        InputError: If a token is empty, or holds half of a surrogate pair: spaCy takes neither.
    """
    for sentence in sentences:
        for word in sentence.words:
            if not word or _SURROGATE.search(word):
                origin = "" if sentence.line is None else f" (line {sentence.line} of its source)"
                raise InputError(f"the token {quoted(word)} cannot stand in spaCy's documents{origin}", path=path)
        yield sentence


def _document(annotated: AnnotatedText, vocab: Vocab, unit: TokenUnit, path: FilePath) -> Doc:
    """A text as a document. What is in no token, but one space, becomes a token as in spaCy."""
    from spacy.tokens import Doc as Document, Span as DocSpan

    text, at = annotated.text, 0
    words, spaces, starts, begins = list[str](), list[bool](), list[int](), list[bool]()

    def add(end: int, *, begins_sentence: bool) -> None:
        nonlocal at
        words.append(text[at:end])
        starts.append(at)
        spaces.append(text[end : end + 1] == " ")
        begins.append(begins_sentence or not begins)
        at = end + spaces[-1]

    for sentence in _fitting(annotate(annotated, unit), path):
        for number, token in enumerate(sentence.tokens):
            if at < token.start:
                add(token.start, begins_sentence=False)
            add(token.end, begins_sentence=number == 0)
    if at < len(text):
        add(len(text), begins_sentence=False)
    doc = Document(vocab, words=words, spaces=spaces, sent_starts=begins)
    spans = (
        (bisect_right(starts, one.start) - 1, bisect_left(starts, one.end), one.label) for one in annotated.entities
    )
    doc.set_ents([DocSpan(doc, start, end, label=label) for start, end, label in spans])
    return doc


def _by_character(sentence: Sentence) -> Sentence:
    """A sentence with its characters as tokens, at their places in the text."""
    places = [(token, at) for token in sentence.tokens for at in range(len(token.text)) if not token.text[at].isspace()]
    tokens = tuple(Token(token.text[at], token.start + at, token.start + at + 1) for token, at in places)
    _, spans = by_character(sentence.words, sentence.spans)
    return replace(sentence, tokens=tokens, spans=spans, unknown=unknown_by_character(sentence.words, sentence.unknown))
