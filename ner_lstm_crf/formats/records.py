"""JSON lines: one text a line, with its entities by character offsets. This module reads and writes the records.

    {"text": "Rome is old", "entities": [{"start": 0, "end": 4, "label": "LOC"}]}      what is written
    {"text": "Rome is old", "label": [[0, 4, "LOC"]]}                                  doccano
    {"text": "Rome is old", "spans": [{"start": 0, "end": 4, "label": "LOC"}]}         Prodigy
    {"text": "Rome is old", "ents": [{"start": 0, "end": 4, "label": "LOC"}]}          spaCy
    {"text": "罗马很老", "label": {"address": {"罗马": [[0, 1]]}}}                       CLUENER; ends are inclusive

Offsets count Unicode code points, and ends are exclusive, but for CLUENER.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.json import json_line, kind_of, parse_record
from ner_lstm_crf.files.text import TextFile, quoted, writing
from ner_lstm_crf.formats.report import ReadReport
from ner_lstm_crf.text.annotation import Entity, Span

__all__ = ["Record", "JsonStyle", "read_records", "write_records"]

JsonStyle = Literal["entities", "cluener"]

_KEYS = ("entities", "spans", "ents", "label", "labels")
_KEYS_OF_ENTITIES = {"start", "end", "start_offset", "end_offset", "label", "text"}


class Record(NamedTuple):
    """A text and its entities, sorted and without overlap.

    Attributes:
        text: The text, untouched.
        entities: Its entities.
        line: The 1-based line in its file; None for a record from no file.
        shape: The form it was written in.
        rest: What else its object holds, by key.
    """

    text: str
    entities: tuple[Entity, ...] = ()
    line: int | None = None
    shape: JsonStyle = "entities"
    rest: Mapping[str, Any] = MappingProxyType({})

    @property
    def spans(self) -> tuple[Span, ...]:
        """The entities as spans over the characters of the text."""
        return tuple(Span(entity.start, entity.end, entity.label) for entity in self.entities)


def read_records(
    path: str | os.PathLike[str], encoding: str = "utf-8", *, report: ReadReport | None = None
) -> Iterator[Record]:
    """Read the records of a file, each checked; lines of nothing but whitespace are passed over.

    Raises:
        InputError: If the file cannot be read, or a line is not a record: no JSON object, no text, an entity out of
            range, empty, overlapping another, or not the text it is said to be.
    """
    file, counted = TextFile(path, encoding), report if report is not None else ReadReport()
    for number, line in enumerate(file.lines(), 1):
        if not line.isspace():
            try:
                yield _record(line, number, counted)
            except InputError as error:
                raise InputError(error.message, path=file.path, line=number) from None


def write_records(
    path: str | os.PathLike[str],
    records: Iterable[Record],
    *,
    shape: JsonStyle = "entities",
    encoding: str = "utf-8",
) -> None:
    """Write records as JSON lines.

    Raises:
        InputError: If the file cannot be written, or an entity has no label or no text, which could not be read again.
    """
    with writing(path, encoding) as out:
        for record in records:
            for entity in record.entities:
                if not entity.label.strip():
                    raise InputError(
                        "an entity without a label cannot stand in JSON lines: its tag is a prefix alone", path=path
                    )
                if not entity.text.strip():
                    raise InputError(
                        f"an entity of white space cannot stand in JSON lines: {entity.label} at {entity.start}-"
                        f"{entity.end} of {quoted(record.text)}",
                        path=path,
                    )
            content = _cluener(record) if shape == "cluener" else _plain(record)
            out.write(json_line(content, encoding))


def _plain(record: Record) -> dict[str, object]:
    entities = [{"start": entity.start, "end": entity.end, "label": entity.label} for entity in record.entities]
    return {**record.rest, "text": record.text, "entities": entities}


def _cluener(record: Record) -> dict[str, object]:
    labels: dict[str, dict[str, list[list[int]]]] = {}
    for entity in record.entities:
        labels.setdefault(entity.label, {}).setdefault(entity.text, []).append([entity.start, entity.end - 1])
    rest = {key: value for key, value in record.rest.items() if key not in _KEYS}  # would be read in place of `label`
    return {**rest, "text": record.text, "label": labels}


def _record(line: str, number: int, report: ReadReport) -> Record:
    content = parse_record(line)
    text = content["text"]
    key = next((key for key in _KEYS if content.get(key) is not None), None)
    rest = {name: value for name, value in content.items() if name not in ("text", key)}
    if key is None:
        report.unannotated.append(number)
        return Record(text, (), number, rest=rest)
    if isinstance(content[key], dict):
        entities = _longest(_from_cluener(content[key], text), number, report)
        return Record(text, entities, number, "cluener", rest)
    items = content[key]
    entities = _without_overlap(_from_list(items, key, text))
    if any(isinstance(item, dict) and not item.keys() <= _KEYS_OF_ENTITIES for item in items):
        report.reduced.append(number)
    return Record(text, entities, number, rest=rest)


def _from_list(items: object, key: str, text: str) -> Iterator[Entity]:
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


def _from_cluener(labels: Mapping[str, Any], text: str) -> Iterator[Entity]:
    for label, names in labels.items():
        if not isinstance(names, dict):
            raise InputError(f"expected the names of the label {label!r} with their places, found {kind_of(names)}")
        for name, places in names.items():
            for place in places if isinstance(places, list) else [places]:
                match place:
                    case [int(start), int(last)]:
                        yield _entity(start, last + 1, label, text, name, ends="inclusive")
                    case _:
                        raise InputError(f"expected places such as [[0, 3]] for {name!r}, found {place!r}")


def _entity(
    start: object, end: object, label: object, text: str, expected: object = None, *, ends: str = "exclusive"
) -> Entity:
    """A checked entity, without the white space at its ends."""
    if type(start) is not int or type(end) is not int:
        raise InputError(f"expected whole numbers as start and end of an entity, found {start!r} and {end!r}")
    if not isinstance(label, str) or not label.strip():
        raise InputError(f"expected a label for the entity at {start}-{end}, found {label!r}")
    where = f"the entity {label} at {start}-{end}"
    if not 0 <= start <= end <= len(text):
        raise InputError(f"{where} lies outside its text of {len(text)} characters")
    found = text[start:end]
    if isinstance(expected, str) and found != expected:
        hint = f"ends are {ends}, and offsets count characters"
        raise InputError(f"{where} covers {quoted(found)}, but says it is {quoted(expected)} ({hint})")
    inner = found.strip()
    if not inner:
        raise InputError(f"{where} covers no text: {quoted(found)}")
    start += len(found) - len(found.lstrip())
    return Entity(start, start + len(inner), label, inner)


def _without_overlap(entities: Iterable[Entity]) -> tuple[Entity, ...]:
    ordered = sorted(set(entities))
    for before, after in pairwise(ordered):
        if after.start < before.end:
            first, second = (f"{entity.label} at {entity.start}-{entity.end}" for entity in (before, after))
            raise InputError(f"the entities {first} and {second} overlap")
    return tuple(ordered)


def _longest(entities: Iterable[Entity], number: int, report: ReadReport) -> tuple[Entity, ...]:
    """Of entities that overlap, the longest (of equally long ones the first)."""
    kept: list[Entity] = []
    for entity in sorted(set(entities), key=lambda entity: (entity.start - entity.end, entity)):
        if any(entity.start < other.end and other.start < entity.end for other in kept):
            report.dropped.append(number)
        else:
            kept.append(entity)
    return tuple(sorted(kept))
