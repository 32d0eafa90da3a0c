"""JSON lines become Sentences and Sentences JSON lines; `records` knows the files, this module the tokens."""

from __future__ import annotations

import logging
import os
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice
from operator import attrgetter

from ner_lstm_crf.config import Hyphens, TokenUnit
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.text import quoted
from ner_lstm_crf.formats.columns import ReadOptions
from ner_lstm_crf.formats.records import Record, read_records
from ner_lstm_crf.formats.report import ReadReport, warn_of_findings, warn_of_losses, warn_of_missing_labels
from ner_lstm_crf.text.annotation import Entity, Sentence, Span, Token
from ner_lstm_crf.text.scripts import has_han
from ner_lstm_crf.text.sentences import sentences

__all__ = ["annotate", "read_jsonl", "read_texts", "record_of", "relabelled_records"]

_log = logging.getLogger(__name__)

_start = attrgetter("start")
_place = attrgetter("start", "end", "label")


def read_jsonl(
    path: str | os.PathLike[str], options: ReadOptions | None = None, *, report: ReadReport | None = None
) -> Iterator[Sentence]:
    """Read JSON lines and cut their texts into sentences; each line is a document.

    Of the options, `encoding`, `token_unit`, `hyphens`, `labels` and `read_tags` matter; without a unit Chinese in the
    form of CLUENER is read as characters, by its first record. Token places count in the whole text.

    Raises:
        InputError: If the file cannot be read, a line is not a record, or there are no tokens.
    """
    options, told = options or ReadOptions(), report is not None
    counted = report if report is not None else ReadReport()
    records = relabelled_records(path, options, report=counted)
    first = list(islice(records, 1))
    token_unit = options.token_unit or ("character" if any(map(_is_of_characters, first)) else "word")
    for document, record in enumerate(chain(first, records)):
        annotated = record if options.read_tags else record._replace(entities=())
        for sentence in annotate(annotated, token_unit, hyphens=options.hyphens, report=counted):
            placed = replace(sentence, document=document, line=record.line)
            counted.count(placed)
            yield placed
    _conclude(os.fspath(path), options, counted, told=told)


def _is_of_characters(record: Record) -> bool:
    """Whether a record has the form of CLUENER, and is no text of words."""
    return record.shape == "cluener" and (has_han(record.text) or " " not in record.text)


def read_texts(path: str | os.PathLike[str], options: ReadOptions | None = None) -> list[Record]:
    """Read JSON lines as they are, their texts in one piece: what `read_jsonl` cuts at entities tells where they are.

    Of the options, `encoding` and `labels` matter.

    Raises:
        InputError: If the file cannot be read, a line is not a record, or there are none.
    """
    options, report = options or ReadOptions(), ReadReport()
    records = list(relabelled_records(path, options, report=report))
    warn_of_missing_labels(os.fspath(path), options.labels, report)
    warn_of_losses(os.fspath(path), report)
    return records


def relabelled_records(path: str | os.PathLike[str], options: ReadOptions, *, report: ReadReport) -> Iterator[Record]:
    """The records of a file, their labels kept, dropped and renamed; the report counts those of the file.

    Raises:
        InputError: As `read_records`, and if there are none.
    """
    is_empty = True
    for record in read_records(path, options.encoding, report=report):
        is_empty = False
        report.labels.update(entity.label for entity in record.entities)
        renamed = ((entity, options.labels.renaming(entity.label)) for entity in record.entities)
        kept = tuple(replace(entity, label=new) for entity, new in renamed if new is not None)
        yield record._replace(entities=kept)
    if is_empty:
        raise InputError("expected texts, found none", path=path)


def annotate(
    record: Record, token_unit: TokenUnit = "word", *, hyphens: Hyphens = "split", report: ReadReport | None = None
) -> list[Sentence]:
    """The sentences of a text, cut as `sentences` cuts it, with its entities as spans.

    No entity is lost: where one begins or ends within a token, the token becomes two, and where one runs over the end
    of a sentence, the sentences become one.

    Example:
        >>> annotate(Record("Romebound", (Entity(0, 4, "LOC", "Rome"),)))[0].words
        ['Rome', 'bound']
    """
    parts = [list(sentence.tokens) for sentence in sentences(record.text, token_unit=token_unit, hyphens=hyphens)]
    if not record.entities:
        return [Sentence(tuple(tokens)) for tokens in parts]
    edges = sorted({edge for entity in record.entities for edge in (entity.start, entity.end)})
    cut = [_cut(tokens, _within(edges, tokens)) for tokens in parts]
    if report is not None and record.line is not None and sum(map(len, cut)) > sum(map(len, parts)):
        report.cut.append(record.line)
    return [_with_spans(tokens, record.entities) for tokens in _joined(cut, record.entities)]


def record_of(sentence: Sentence) -> Record:
    """A sentence as a text of its own: its tokens, with spaces where they do not touch.

    Example:
        >>> record_of(Sentence.from_words(["In", "Rome"], [Span(1, 2, "LOC")])).entities
        (Entity(start=3, end=7, label='LOC', text='Rome'),)
    """
    origin = sentence.tokens[0].start if sentence.tokens else 0
    text = ""
    for token in sentence.tokens:
        text += " " * (token.start - origin - len(text)) + token.text
    moved = [Token(token.text, token.start - origin, token.end - origin) for token in sentence.tokens]
    entities = Sentence(tuple(moved), sentence.spans).entities(text)
    kept = tuple(entity for entity in entities if entity.start < entity.end)
    if len(kept) < len(entities):
        _log.warning("an entity without characters is left out: %s", quoted(" ".join(sentence.words)))
    return Record(text, kept, sentence.line)


def _within(edges: Sequence[int], tokens: Sequence[Token]) -> Sequence[int]:
    """Those of the edges (sorted) that lie within a sentence."""
    return edges[bisect_left(edges, tokens[0].start) : bisect_left(edges, tokens[-1].end)]


def _cut(tokens: Iterable[Token], edges: Iterable[int]) -> list[Token]:
    """The tokens, cut in two wherever one of the edges (sorted) lies within."""
    pieces: list[Token] = []
    remaining = iter(edges)
    edge = next(remaining, None)
    for whole in tokens:
        token = whole
        while edge is not None and edge < token.end:
            if edge > token.start:
                at = edge - token.start
                pieces.append(Token(token.text[:at], token.start, edge))
                token = Token(token.text[at:], edge, token.end)
            edge = next(remaining, None)
        pieces.append(token)
    return pieces


def _joined(parts: Iterable[list[Token]], entities: Iterable[Entity]) -> Iterator[list[Token]]:
    """The sentences, those joined that one entity runs across."""
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
    first = {token.start: index for index, token in enumerate(tokens)}
    last = {token.end: index + 1 for index, token in enumerate(tokens)}
    begin = bisect_left(entities, tokens[0].start, key=_start)
    inside = entities[begin : bisect_left(entities, tokens[-1].end, begin, key=_start)]
    return Sentence(
        tuple(tokens), tuple(Span(first[start], last[end], label) for start, end, label in map(_place, inside))
    )


def _conclude(path: str, options: ReadOptions, report: ReadReport, *, told: bool) -> None:
    if not report.sentences:
        raise InputError("expected texts, found none", path=path)
    warn_of_missing_labels(path, options.labels, report)
    if not told:
        warn_of_findings(path, report, options.policy, read_tags=options.read_tags)
