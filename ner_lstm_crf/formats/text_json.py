"""JSON lines of running text, one text a line, with its entities by character offsets.

    {"text": "Rome is old", "entities": [{"start": 0, "end": 4, "label": "LOC"}]}      as written by this package
    {"text": "Rome is old", "label": [[0, 4, "LOC"]]}                                  doccano
    {"text": "Rome is old", "spans": [{"start": 0, "end": 4, "label": "LOC"}]}         Prodigy
    {"text": "Rome is old", "ents": [{"start": 0, "end": 4, "label": "LOC"}]}          spaCy
    {"text": "罗马很老", "label": {"address": {"罗马": [[0, 1]]}}}                       CLUENER; ends are inclusive

Offsets count Unicode code points, and ends are exclusive, except for CLUENER. All styles are read alike, even within
one file. The first is written here, the last by `cluener`.
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice, pairwise
from operator import attrgetter
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

from ner_lstm_crf.config import Hyphens, TokenUnit
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.json import json_line, kind_of, parse_record
from ner_lstm_crf.files.text import FilePath, TextFile, quoted, writing
from ner_lstm_crf.formats.format import Format, Sample
from ner_lstm_crf.formats.options import ReadOptions, ReadReport, WriteOptions
from ner_lstm_crf.text.annotation import Entity, Sentence, Span, Token, cut_tokens
from ner_lstm_crf.text.scripts import has_han
from ner_lstm_crf.text.sentences import sentences

_log = logging.getLogger(__name__)

ENTITY_KEYS = ("entities", "spans", "ents", "label", "labels")
"""The keys that entities may stand under; the first that has a value counts."""

_KEYS_OF_ENTITIES = {"start", "end", "start_offset", "end_offset", "label", "text"}
_start = attrgetter("start")
_boundaries = attrgetter("start", "end", "label")


class AnnotatedText(NamedTuple):
    """A text and its entities, sorted and without overlap.

    Attributes:
        text: The text, untouched.
        entities: Its entities.
        line: The line in its file, from 1; None for a text that comes from no file.
        rest: The rest of its object, by key.
    """

    text: str
    entities: tuple[Entity, ...] = ()
    line: int | None = None
    rest: Mapping[str, Any] = MappingProxyType({})

    @property
    def spans(self) -> tuple[Span, ...]:
        """The entities as spans over the characters of the text."""
        return tuple(Span(entity.start, entity.end, entity.label) for entity in self.entities)


class TextFormat(Format):
    """JSON lines of running text; subclasses define how entities are written.

    Whoever compares a model or a prediction with such files has to cut the texts into tokens as in tagging: the tokens
    that `read` yields are cut at the entities, and so give them away.

    Attributes:
        prefers_characters: True if a file is read as characters, unless the options name the unit, or the first text is
            one of words.
    """

    prefers_characters: ClassVar[bool] = False

    @abstractmethod
    def content_of(self, text: AnnotatedText) -> dict[str, object]:
        """The JSON object that is written for a text."""

    def read(self, path: FilePath, options: ReadOptions, report: ReadReport) -> Iterator[Sentence]:
        """The sentences of the texts; each line is a document. Token offsets count in the whole text.

        Of the options, `encoding`, `token_unit`, `hyphens`, `labels` and `read_tags` matter.
        """
        texts = self.texts(path, options, report)
        first = list(islice(texts, 1))
        unit = options.token_unit or "word"
        if options.token_unit is None and self.prefers_characters:
            unit = "character" if has_han(first[0].text) or " " not in first[0].text else "word"
        for document, text in enumerate(chain(first, texts)):
            annotated = text if options.read_tags else text._replace(entities=())
            for sentence in annotate(annotated, unit, hyphens=options.hyphens, report=report):
                numbered = replace(sentence, document=document, line=text.line)
                report.count(numbered)
                yield numbered
        if not report.sentences:
            raise InputError("expected texts, found none", path=path)

    def read_texts(self, path: FilePath, options: ReadOptions | None = None) -> list[AnnotatedText]:
        """The texts of a file in one piece, with their entities; the findings are logged.

        Of the options, `encoding` and `labels` matter.

        Raises:
            InputError: If the file cannot be read, a line is no text, or there are none.
        """
        options, report = options or ReadOptions(), ReadReport()
        texts = list(self.texts(path, options, report))
        report.warn(path, options)
        return texts

    def texts(self, path: FilePath, options: ReadOptions, report: ReadReport) -> Iterator[AnnotatedText]:
        """The texts of a file, their labels renamed and dropped; the report counts the labels of the file.

        Lines of nothing but whitespace are passed over.

        Raises:
            InputError: If the file cannot be read or holds no texts, or a line is none: no JSON object, no text, an
                entity out of range, empty, overlapping another, or not the text that its object claims.
        """
        file, is_empty = TextFile(path, options.encoding), True
        for number, line in enumerate(file.lines(), 1):
            if line.isspace():
                continue
            try:
                text = _parse(line, number, report)
            except InputError as error:
                raise InputError(error.message, path=file.path, line=number) from None
            is_empty = False
            report.labels.update(entity.label for entity in text.entities)
            renamed = ((entity, options.labels.renaming(entity.label)) for entity in text.entities)
            kept = tuple(replace(entity, label=new) for entity, new in renamed if new is not None)
            yield text._replace(entities=kept)
        if is_empty:
            raise InputError("expected texts, found none", path=path)

    def write(self, path: FilePath, sentences: Iterable[Sentence], options: WriteOptions) -> None:
        """Write each sentence as a text of its own."""
        self.write_texts(path, map(text_of, sentences), options.encoding)

    def write_texts(self, path: FilePath, texts: Iterable[AnnotatedText], encoding: str = "utf-8") -> None:
        """Write texts as JSON lines.

        Raises:
            InputError: If the file cannot be written, or an entity has no label or no text, which could not be read
                again.
        """
        with writing(path, encoding) as out:
            for text in texts:
                for entity in text.entities:
                    reason = ""
                    if not entity.label.strip():
                        reason = "an entity without a label cannot stand in JSON lines: its tag is a prefix alone"
                    elif not entity.text.strip():
                        span = f"{entity.label} at {entity.start}-{entity.end} of {quoted(text.text)}"
                        reason = f"an entity of white space cannot stand in JSON lines: {span}"
                    if reason:
                        raise InputError(reason, path=path)
                out.write(json_line(self.content_of(text), encoding))

    def can_rewrite(self, source: Format) -> bool:
        """True for all formats of running text."""
        return isinstance(source, TextFormat)

    def rewrite(
        self, source: FilePath, target: FilePath, options: ReadOptions, output: WriteOptions, report: ReadReport
    ) -> None:
        """Write the texts of a file again in this format, all other keys kept."""
        self.write_texts(target, self.texts(source, options, report), output.encoding)


class TextJson(TextFormat):
    """JSON lines of texts with a list of entities."""

    name = "jsonl"
    suffixes = (".jsonl", ".ndjson", ".json")
    description = "JSON lines of texts"

    def detect(self, sample: Sample) -> bool:
        """True if the first line is a JSON object, or the suffix promises one."""
        return sample.content is not None or super().detect(sample)

    def content_of(self, text: AnnotatedText) -> dict[str, object]:
        """The object with a list of entities under `entities`."""
        entities = [{"start": entity.start, "end": entity.end, "label": entity.label} for entity in text.entities]
        return {**text.rest, "text": text.text, "entities": entities}


# One line becomes a text with its entities.


def _parse(line: str, number: int, report: ReadReport) -> AnnotatedText:
    content = parse_record(line)
    text = content["text"]
    key = next((key for key in ENTITY_KEYS if content.get(key) is not None), None)
    rest = {name: value for name, value in content.items() if name not in ("text", key)}
    if key is None:
        report.unannotated.append(number)
        return AnnotatedText(text, (), number, rest)
    items = content[key]
    if isinstance(items, dict):
        return AnnotatedText(text, _longest(_from_names(items, text), number, report), number, rest)
    entities = sorted(set(_from_list(items, key, text)))
    for before, after in pairwise(entities):
        if after.start < before.end:
            first, second = (f"{entity.label} at {entity.start}-{entity.end}" for entity in (before, after))
            raise InputError(f"the entities {first} and {second} overlap")
    if any(isinstance(item, dict) and not item.keys() <= _KEYS_OF_ENTITIES for item in items):
        report.reduced.append(number)
    return AnnotatedText(text, tuple(entities), number, rest)


def _from_list(items: object, key: str, text: str) -> Iterator[Entity]:
    """The entities of a list of objects or triples."""
    if not isinstance(items, list):
        raise InputError(f"expected a list of entities under {key!r}, found {kind_of(items)}")
    for item in items:
        match item:
            case {"start": start, "end": end, "label": label} | {
                "start_offset": start,
                "end_offset": end,
                "label": label,
            }:
                yield _entity(start, end, label, text, item.get("text"))
            case [start, end, label]:
                yield _entity(start, end, label, text)
            case _:
                found = quoted(json_line(item).rstrip("\n"))
                raise InputError(f"expected an entity with start, end and label, found {found}")


def _from_names(labels: Mapping[str, Any], text: str) -> Iterator[Entity]:
    """The entities of an object of labels, names and offsets, as in CLUENER."""
    for label, names in labels.items():
        if not isinstance(names, dict):
            raise InputError(f"expected the names of the label {label!r} with their offsets, found {kind_of(names)}")
        for name, offsets in names.items():
            for pair in offsets if isinstance(offsets, list) else [offsets]:
                match pair:
                    case [int(start), int(last)]:
                        yield _entity(start, last + 1, label, text, name, ends="inclusive")
                    case _:
                        raise InputError(f"expected offsets such as [[0, 3]] for {name!r}, found {pair!r}")


def _entity(
    start: object, end: object, label: object, text: str, expected: object = None, *, ends: str = "exclusive"
) -> Entity:
    """A checked entity, without the white space at its ends."""
    if type(start) is not int or type(end) is not int:
        raise InputError(f"expected whole numbers as start and end of an entity, found {start!r} and {end!r}")
    if not isinstance(label, str) or not label.strip():
        raise InputError(f"expected a label for the entity at {start}-{end}, found {label!r}")
    name = f"the entity {label} at {start}-{end}"
    if not 0 <= start <= end <= len(text):
        raise InputError(f"{name} lies outside its text of {len(text)} characters")
    found = text[start:end]
    if isinstance(expected, str) and found != expected:
        hint = f"ends are {ends}, and offsets count characters"
        raise InputError(f"{name} covers {quoted(found)}, but its text is {quoted(expected)} ({hint})")
    inner = found.strip()
    if not inner:
        raise InputError(f"{name} covers no text: {quoted(found)}")
    start += len(found) - len(found.lstrip())
    return Entity(start, start + len(inner), label, inner)


def _longest(entities: Iterable[Entity], number: int, report: ReadReport) -> tuple[Entity, ...]:
    """Of entities that overlap, the longest (of equally long ones the first)."""
    kept: list[Entity] = []
    for entity in sorted(set(entities), key=lambda entity: (entity.start - entity.end, entity)):
        if any(entity.start < other.end and other.start < entity.end for other in kept):
            report.dropped.append(number)
        else:
            kept.append(entity)
    return tuple(sorted(kept))


# Texts become sentences, and sentences texts.


def annotate(
    annotated: AnnotatedText,
    token_unit: TokenUnit = "word",
    *,
    hyphens: Hyphens = "split",
    report: ReadReport | None = None,
) -> list[Sentence]:
    """The sentences of a text, cut as `sentences` cuts it, with its entities as spans.

    No entity is lost: where one begins or ends within a token, the token becomes two, and where one crosses the end of
    a sentence, the sentences become one.

    Example:
        >>> annotate(AnnotatedText("Romebound", (Entity(0, 4, "LOC", "Rome"),)))[0].words
        ['Rome', 'bound']
    """
    text, entities, line, _ = annotated
    parts = [list(sentence.tokens) for sentence in sentences(text, token_unit=token_unit, hyphens=hyphens)]
    if not entities:
        return [Sentence(tuple(tokens)) for tokens in parts]
    # 1. Cut the tokens at the edges of the entities.
    edges = sorted({edge for entity in entities for edge in (entity.start, entity.end)})
    cut = []
    for tokens in parts:
        first, last = bisect_left(edges, tokens[0].start), bisect_left(edges, tokens[-1].end)
        cut.append(cut_tokens(tokens, edges[first:last]))
    if report is not None and line is not None and sum(map(len, cut)) > sum(map(len, parts)):
        report.cut.append(line)
    # 2. Join the sentences that an entity crosses, and count its tokens.
    return [_with_spans(tokens, entities) for tokens in _joined(cut, entities)]


def _joined(parts: Iterable[list[Token]], entities: Iterable[Entity]) -> Iterator[list[Token]]:
    """The tokens of the sentences, those joined that one entity crosses."""
    remaining = iter(entities)
    entity = next(remaining, None)
    held: list[Token] = []
    for tokens in parts:
        start = tokens[0].start
        while entity is not None and entity.end <= start:
            entity = next(remaining, None)
        if held and not (entity is not None and entity.start < start):
            yield held
            held = []
        held.extend(tokens)
    if held:
        yield held


def _with_spans(tokens: list[Token], entities: Sequence[Entity]) -> Sentence:
    """The sentence of tokens that no entity cuts or crosses, with those of the entities that lie in it."""
    first = {token.start: index for index, token in enumerate(tokens)}
    last = {token.end: index + 1 for index, token in enumerate(tokens)}
    begin = bisect_left(entities, tokens[0].start, key=_start)
    inside = map(_boundaries, entities[begin : bisect_left(entities, tokens[-1].end, begin, key=_start)])
    return Sentence(tuple(tokens), tuple(Span(first[start], last[end], label) for start, end, label in inside))


def text_of(sentence: Sentence) -> AnnotatedText:
    """A sentence as a text of its own: its tokens, with spaces where they do not touch.

    Example:
        >>> text_of(Sentence.from_words(["In", "Rome"], [Span(1, 2, "LOC")])).entities
        (Entity(start=3, end=7, label='LOC', text='Rome'),)
    """
    origin = sentence.tokens[0].start if sentence.tokens else 0
    text = ""
    for token in sentence.tokens:
        text += " " * (token.start - origin - len(text)) + token.text
    tokens = [Token(token.text, token.start - origin, token.end - origin) for token in sentence.tokens]
    entities = Sentence(tuple(tokens), sentence.spans).entities(text)
    kept = tuple(entity for entity in entities if entity.start < entity.end)
    if len(kept) < len(entities):
        _log.warning("an entity without characters is left out: %s", quoted(" ".join(sentence.words)))
    return AnnotatedText(text, kept, sentence.line)
