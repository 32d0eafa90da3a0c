"""JSON of running text: an object for each text, with its entities by character offsets.

    {"text": "Rome is old", "entities": [{"start": 0, "end": 4, "label": "LOC"}]}      as written by this package
    {"text": "Rome is old", "label": [[0, 4, "LOC"]]}                                  doccano
    {"text": "Rome is old", "spans": [{"start": 0, "end": 4, "label": "LOC"}]}         Prodigy
    {"text": "Rome is old", "ents": [{"start": 0, "end": 4, "label": "LOC"}]}          spaCy
    {"text": "Rome is old", "label": [{"start": 0, "end": 4, "labels": ["LOC"]}]}      Label Studio, JSON_MIN
    {"data": {"text": "Rome is old"}, "annotations": [{"result": [{"value": ...}]}]}   Label Studio, JSON
    ["Rome is old", {"entities": [[0, 4, "LOC"]]}]                                     spaCy 2
    {"classes": ["LOC"], "annotations": [["Rome is old", {"entities": [[0, 4, "LOC"]]}]]}
    {"text": "罗马很老", "label": {"address": {"罗马": [[0, 1]]}}}                       CLUENER; ends are inclusive

The objects stand one a line, or in one array. Offsets count Unicode code points, and ends are exclusive, except for
CLUENER. All styles are read alike, even within one file. The first is written here, the last by `cluener`. The "score"
of an entity, its probability, is kept.

Labels are chosen first: entities of others are not checked. What an annotator rejected is left out and counted.
"""

from __future__ import annotations

import logging
import re
import unicodedata
from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, chain, islice, pairwise
from operator import attrgetter
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple

from ner_lstm_crf.config import Hyphens, TokenUnit
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.json import as_object, as_record, json_line, json_values, kind_of, quoted_json
from ner_lstm_crf.files.text import FilePath, TextFile, quoted, writing
from ner_lstm_crf.formats.format import Format, Sample
from ner_lstm_crf.formats.options import ReadOptions, ReadReport, WriteOptions
from ner_lstm_crf.tags.labels import NAME_FOR_O
from ner_lstm_crf.tags.scheme import OUTSIDE
from ner_lstm_crf.text.annotation import Entity, Sentence, Span, Token, characters_of, cut_tokens
from ner_lstm_crf.text.normalization import is_visible
from ner_lstm_crf.text.scripts import HAN, has_han
from ner_lstm_crf.text.sentences import sentence_tokens

_log = logging.getLogger(__name__)

ENTITY_KEYS = ("entities", "spans", "ents", "label", "labels")
"""The keys that entities may stand under; the first that has some counts, else the first that has a value."""

_KEYS_OF_ENTITIES = {"start", "end", "start_offset", "end_offset", "label", "labels", "text", "score"}

# Values, in small letters, by which an annotator says that a record or an entity is not as it stands there.
_REJECTIONS: Mapping[str, Sequence[str | bool]] = {
    "answer": ("reject", "ignore"),  # Prodigy
    "was_cancelled": (True,),  # Label Studio
    "status": ("rejected", "discarded", "ignored", "skipped"),
    **dict.fromkeys(("rejected", "discarded", "ignored", "skipped", "cancelled", "deleted"), (True,)),
    **dict.fromkeys(("accept", "accepted", "valid", "correct"), (False,)),
}
_WITHIN_WORD = re.compile(rf"[^\W{HAN}]{{2}}")
_start, _end = attrgetter("start"), attrgetter("end")
_boundaries = attrgetter("start", "end", "label")


class AnnotatedText(NamedTuple):
    """A text and its entities, sorted and without overlap.

    Attributes:
        text: The text, untouched.
        entities: Its entities.
        line: The line in its file, from 1; None for a text that comes from no file.
        rest: The rest of its object, by key.
        origin: The object as it stands in its file; None if there is none.
    """

    text: str
    entities: tuple[Entity, ...] = ()
    line: int | None = None
    rest: Mapping[str, Any] = MappingProxyType({})
    origin: Any = None

    @property
    def spans(self) -> tuple[Span, ...]:
        """The entities as spans over the characters of the text."""
        return tuple(Span(entity.start, entity.end, entity.label) for entity in self.entities)

    def with_spans(self, spans: Iterable[Span]) -> AnnotatedText:
        """The same text with other entities, as spans over its characters."""
        return self._replace(entities=tuple(Entity(*span, self.text[span.start : span.end]) for span in spans))


class TextWriter(ABC):
    """A format that can hold running text as it is, with white space of any kind."""

    description: ClassVar[str]

    @abstractmethod
    def write_checked(self, path: FilePath, texts: Iterable[AnnotatedText], options: WriteOptions) -> None:
        """Write texts whose entities all have a label and a text."""

    def write_texts(self, path: FilePath, texts: Iterable[AnnotatedText], options: WriteOptions | None = None) -> None:
        """Write texts.

        Raises:
            InputError: If the file cannot be written, or an entity has no label or no text, which could not be read
                again.
        """
        self.write_checked(path, self._checked(texts, path), options or WriteOptions())

    def _checked(self, texts: Iterable[AnnotatedText], path: FilePath) -> Iterator[AnnotatedText]:
        """The texts, each looked at when its turn comes."""
        for text in texts:
            for entity in text.entities:
                reason = ""
                if not entity.label.strip():
                    reason = f"an entity without a label cannot stand in {self.description}: its tag is a prefix alone"
                elif not is_visible(entity.text):
                    span = f"{entity.label} at {entity.start}-{entity.end} of {quoted(text.text)}"
                    reason = f"an entity without visible text cannot stand in {self.description}: {span}"
                if reason:
                    raise InputError(reason, path=path)
            yield text


class TextFormat(Format, TextWriter):
    """Running text with entities by their offsets; subclasses define how both stand in files.

    Whoever compares a model or a prediction with such files has to cut the texts into tokens as in tagging: the tokens
    that `read` yields are cut at the entities, and so give them away.

    Attributes:
        prefers_characters: True if a file is read as characters, unless the options name the unit, or the first text is
            one of words.
    """

    prefers_characters: ClassVar[bool] = False

    @abstractmethod
    def texts(self, path: FilePath, options: ReadOptions, report: ReadReport) -> Iterator[AnnotatedText]:
        """The texts of a file, their labels renamed and dropped; the report counts the labels of the file.

        Without `read_tags` no entity is looked at.

        Raises:
            InputError: If the file cannot be read or holds no texts; if an entity with a chosen label is out of range,
                empty, or not the text that it claims; if one overlaps another, and that is an error.
        """

    def read(self, path: FilePath, options: ReadOptions, report: ReadReport) -> Iterator[Sentence]:
        """The sentences of the texts; each text is a document. Token offsets count in the whole text.

        Of the options, `encoding`, `token_unit`, `hyphens`, `labels`, `overlaps`, `offsets` and `read_tags` matter.
        """
        texts = self.texts(path, options, report)
        first = list(islice(texts, 1))
        unit = options.token_unit or "word"
        if options.token_unit is None and self.prefers_characters:
            unit = "character" if has_han(first[0].text) or " " not in first[0].text else "word"
        for document, text in enumerate(chain(first, texts)):
            for sentence in annotate(text, unit, hyphens=options.hyphens, report=report):
                numbered = Sentence(sentence.tokens, sentence.spans, document, text.line)
                report.count(numbered)
                yield numbered
        if not report.sentences:
            raise InputError("expected texts, found none", path=path)

    def read_texts(
        self, path: FilePath, options: ReadOptions | None = None, *, report: ReadReport | None = None
    ) -> list[AnnotatedText]:
        """The texts of a file in one piece, with their entities.

        Args:
            path: The file.
            options: The options of reading; `encoding`, `labels`, `overlaps`, `offsets` and `read_tags` matter.
            report: Receives the findings, which are logged if there is none.

        Raises:
            InputError: If the file cannot be read, a line is no text, or there are none.
        """
        options, findings = options or ReadOptions(), report if report is not None else ReadReport()
        texts = list(self.texts(path, options, findings))
        if report is None:
            findings.warn(path, options)
        return texts

    def write(self, path: FilePath, sentences: Iterable[Sentence], options: WriteOptions) -> None:
        """Write each sentence as a text of its own."""
        self.write_texts(path, map(text_of, sentences), options)

    def rewrite(
        self, source: FilePath, target: FilePath, options: ReadOptions, output: WriteOptions, report: ReadReport
    ) -> None:
        """Write the texts of a file again, with all that stands beside them."""
        self.write_texts(target, self.texts(source, options, report), output)


class JsonTextFormat(TextFormat):
    """JSON of running text, an object for each; subclasses define how entities are written. All styles are read."""

    @abstractmethod
    def content_of(self, text: AnnotatedText, options: WriteOptions) -> dict[str, object]:
        """The JSON object that is written for a text."""

    def texts(self, path: FilePath, options: ReadOptions, report: ReadReport) -> Iterator[AnnotatedText]:
        """The texts of a file, see `TextFormat.texts`. Lines of nothing but whitespace are passed over."""
        file, is_empty, number = TextFile(path, options.encoding), True, None
        try:
            values = ((number, one) for number, value in json_values(file.pieces()) for one in _texts_within(value))
            for number, value in values:
                content = as_text(value)
                if options.read_tags and is_rejected(content):
                    report.rejected.append(number)
                    continue
                is_empty = False
                yield _annotated(content, number, options, report)._replace(origin=value)
        except InputError as error:
            raise error.at(file.path, number) from None
        if is_empty:
            why = ": an annotator rejected all of them" if report.rejected else ""
            raise InputError(f"expected texts, found none{why}", path=path)

    def write_checked(self, path: FilePath, texts: Iterable[AnnotatedText], options: WriteOptions) -> None:
        """Write texts as JSON lines."""
        with writing(path, options.encoding) as out:
            for text in texts:
                out.write(json_line(self.content_of(text, options), options.encoding))


class TextJson(JsonTextFormat):
    """JSON lines of texts with a list of entities."""

    name = "jsonl"
    suffixes = (".jsonl", ".ndjson", ".json")
    description = "JSON lines of texts"

    def detect(self, sample: Sample) -> bool:
        """True if the first line is a JSON object, or the suffix promises one."""
        return sample.content is not None or super().detect(sample)

    def content_of(self, text: AnnotatedText, options: WriteOptions) -> dict[str, object]:
        """The object with a list of entities under `entities`, with their scores if they have some."""
        del options
        entities = [{key: value for key, value in one.to_json().items() if key != "text"} for one in text.entities]
        return {**text.rest, "text": text.text, "entities": entities}


# One value becomes a text with its entities.


def _texts_within(value: object) -> Iterator[object]:
    """The texts of a value: several, if it is an object of classes and annotations, as some annotators write."""
    match value:
        case {"classes": _, "annotations": [*pairs]}:
            yield from (pair for pair in pairs if pair is not None)
        case _:
            yield value


def as_text(value: object) -> dict[str, Any]:
    """A JSON value as an object with a string under `text`; what another tool writes otherwise is put into this form.

    Raises:
        InputError: If there is no text; without path and line, which the reader adds.
    """
    match value:
        case [str(text), dict(entities)]:
            return {"text": text, **entities}
        case {"data": dict(data), **task} if "text" not in task:
            return _of_label_studio(data, as_object(task))
        case _:
            return as_record(as_object(value))


def is_rejected(content: Mapping[str, Any]) -> bool:
    """True if a key of a record or an entity says that an annotator has not accepted it.

    Example:
        >>> is_rejected({"text": "Maple trees", "spans": [[0, 5, "ORG"]], "answer": "reject"})
        True
    """
    if _REJECTIONS.keys().isdisjoint(content):  # as almost always
        return False
    for key in content.keys() & _REJECTIONS.keys():
        value = content[key]
        if isinstance(value, str | bool) and (value.lower() if isinstance(value, str) else value) in _REJECTIONS[key]:
            return True
    return False


def text_key_of(data: Mapping[str, Any]) -> str:
    """The key of the text in the data of a task of Label Studio: that of the only string, else `text`."""
    strings = [key for key, value in data.items() if isinstance(value, str)]
    return strings[0] if len(strings) == 1 else "text"


def _of_label_studio(data: Mapping[str, Any], task: Mapping[str, Any]) -> dict[str, Any]:
    """The record of a task of Label Studio, with the entities of its annotation.

    Without any annotations, those of its prediction: what a model found is no annotation where annotators are at work.
    """
    text_key = text_key_of(data)
    # 1. The annotation: the one that counts as the truth, else the only one that was not cancelled.
    kinds = [key for key in ("annotations", "completions", "predictions") if isinstance(task.get(key), list)]
    given = [one for one in (task[kinds[0]] if kinds else ()) if isinstance(one, dict)]
    kept = [one for one in given if not is_rejected(one)]
    results = [one.get("result") or [] for one in [one for one in kept if one.get("ground_truth")] or kept]
    entities = [list(_values_of_regions(result)) for result in results]
    if any(other != entities[0] for other in entities):
        hint = "mark one as ground truth, or export as JSON_MIN, which has a record for each"
        raise InputError(f"{len(results)} {kinds[0]} of one text differ: {hint}")
    # 2. The record, under our keys.
    record = {key: value for key, value in task.items() if key not in kinds[:1]}
    record |= {key: value for key, value in data.items() if key != text_key} | {"text": data.get(text_key)}
    if entities:
        record["entities"] = entities[0]
    elif given:
        record["was_cancelled"] = True
    return as_record(record)


def _values_of_regions(result: object) -> Iterator[dict[str, Any]]:
    """The regions of an annotation that have labels: classes and relations have none."""
    for item in result if isinstance(result, list) else []:
        value = item.get("value") if isinstance(item, dict) else None
        if isinstance(value, dict) and "labels" in value:
            yield value
        elif isinstance(value, dict) and (key := next((key for key in value if key.endswith("labels")), None)):
            raise InputError(
                f"expected entities of a text under 'labels', found {quoted(key)}: annotate the plain text"
            )


class Found(NamedTuple):
    """An entity as it stands in a file, unchecked.

    Attributes:
        start: Where it begins, if this is a number.
        end: Where it ends, exclusive.
        label: Its label.
        text: What it covers, if the file says so.
        score: Its score.
        ends: The kind of ends that the file has, for messages.
        line: Its line, if it has one of its own.
    """

    start: object
    end: object
    label: object
    text: object = None
    score: object = None
    ends: str = "exclusive"
    line: int | None = None

    @property
    def offsets(self) -> str:
        """Its start and end, for messages."""
        return f"{quoted_json(self.start)}-{quoted_json(self.end)}"


def _annotated(content: Mapping[str, Any], number: int, options: ReadOptions, report: ReadReport) -> AnnotatedText:
    """The text of a record with its entities that are chosen."""
    text, key = content["text"], _entity_key(content)
    rest = {name: value for name, value in content.items() if name not in ("text", key)}
    if not options.read_tags:
        return AnnotatedText(text, (), number, rest)
    if key is None:
        report.unannotated.append(number)
        return AnnotatedText(text, (), number, rest)
    found = list(_found_in(content, key, number, report))
    counts_units = "id" in content if _are_of_doccano(content[key], key) else None
    entities = chosen_entities(text, found, number, options, report, counts_units=counts_units)
    if any(isinstance(item, dict) and not item.keys() <= _KEYS_OF_ENTITIES for item in content[key]):
        report.reduced.append(number)
    return AnnotatedText(text, entities, number, rest)


def chosen_entities(
    text: str,
    given: Sequence[Found],
    number: int,
    options: ReadOptions,
    report: ReadReport,
    *,
    counts_units: bool | None = None,
) -> tuple[Entity, ...]:
    """The entities of a text whose labels are chosen, checked, sorted and without overlap.

    Args:
        text: The text.
        given: The entities as they stand in the file.
        number: The line of the text.
        options: The options of reading.
        report: Receives the findings.
        counts_units: If the offsets of entities that have no text may count UTF-16 units, the edges of words show it;
            True if they do where nothing shows it. None if they count code points.

    Raises:
        InputError: If an entity has no label, is out of range or empty, or is not the text that it claims; if two
            overlap, and that is an error. Without path, and without line unless the entity has one.
    """
    labels: dict[Entity, str] = {}  # those of the file
    for found in in_code_points(text, given, number, options, report, counts_units=counts_units):
        line = found.line or number
        try:
            label = found.label.strip() if isinstance(found.label, str) else ""
            new = options.labels.renaming(label) if label else None
            if new == OUTSIDE:
                raise InputError(f"expected a label for the entity at {found.offsets}, found O: {NAME_FOR_O}")
            if new is not None:
                entity = _entity(found, new, text)
                if (entity.start, entity.end) != (found.start, found.end):
                    report.trimmed.append(line)
                labels.setdefault(entity, label)
            elif label:
                report.labels[label] += 1
            elif options.labels.keep is None:
                raise InputError(
                    f"expected a label for the entity at {found.offsets}, found {quoted_json(found.label)}"
                )
        except InputError as error:
            raise error.at(line=found.line) from None
    # Of those that overlap the longest are kept.
    entities = _without_overlap(labels, number, options, report)
    report.labels.update(labels[entity] for entity in entities)
    return entities


def _entity_key(content: Mapping[str, Any]) -> str | None:
    """The key under which the entities of a record stand; None if there is none.

    Raises:
        InputError: If entities stand under two keys, and differ.
    """
    filled = [key for key in ENTITY_KEYS if _are_entities(content.get(key))]
    for one, other in pairwise(filled):
        if content[one] != content[other]:
            raise InputError(f"entities stand under {one!r} and under {other!r}, and differ: take one of them out")
    # Label Studio's stand under the name of their kind of annotation, which is any.
    named = (key for key, value in content.items() if isinstance(value, list) and are_regions(value))
    return next(chain(filled, named, (key for key in ENTITY_KEYS if content.get(key) is not None)), None)


def _are_entities(value: object) -> bool:
    """True if a value has the form of entities, and is not empty."""
    match value:
        case {}:
            return bool(value) and all(isinstance(names, dict) for names in value.values())
        case [{"start": _, "end": _}, *_] | [{"start_offset": _}, *_] | [{"token_start": _}, *_] | [[_, _, _], *_]:
            return True
        case _:
            return False


def are_regions(items: Sequence[Any]) -> bool:
    """True if items are regions of Label Studio, which have several labels."""
    return _are_entities(items) and isinstance(items[0], dict) and isinstance(items[0].get("labels"), list)


def _found_in(content: Mapping[str, Any], key: str, number: int, report: ReadReport) -> Iterator[Found]:
    """The entities of a record, without those that an annotator rejected."""
    items = content[key]
    if isinstance(items, dict):
        yield from _from_names(items)
        return
    if not isinstance(items, list):
        raise InputError(f"expected a list of entities under {key!r}, found {kind_of(items)}")
    for item in items:
        if isinstance(item, dict) and is_rejected(item):
            report.rejected.append(number)
            continue
        match item:
            case {"start": start, "end": end, "label": label}:
                yield Found(start, end, label, item.get("text"), item.get("score"))
            case {"start_offset": start, "end_offset": end, "label": label}:
                yield Found(start, end, label, item.get("text"), item.get("score"))
            case {"start": start, "end": end, "labels": [_, *_] as labels}:
                yield from (Found(start, end, label, item.get("text"), item.get("score")) for label in labels)
            case {"token_start": int(first), "token_end": int(last), "label": label}:
                start, end = _of_tokens(content.get("tokens"), first, last)
                yield Found(start, end, label, item.get("text"), item.get("score"))
            case [start, end, label]:
                yield Found(start, end, label)
            case _:
                raise InputError(f"expected an entity with start, end and label, found {quoted_json(item)}")


def in_code_points(
    text: str,
    found: Sequence[Found],
    number: int,
    options: ReadOptions,
    report: ReadReport,
    *,
    counts_units: bool | None,
) -> Sequence[Found]:
    """The entities of a text, with offsets that count code points; arguments as for `chosen_entities`.

    Tools in JavaScript and Java count a character beyond U+FFFF, such as an emoji, as two. Unless the options say so,
    the entities show it: their own texts, offsets beyond the end, or for some tools the edges of words.
    """
    if options.offsets == "code-points" or text.isascii() or max(text) <= "\uffff":
        return found
    starts = list(accumulate((1 + (character > "\uffff") for character in text), initial=0))
    moved = [_moved(one, starts) for one in found]
    if options.offsets is None:
        by_words = counts_units is not None
        before = sum(_is_misfit(one, text, by_words=by_words) for one in found)
        after = sum(one is None or _is_misfit(one, text, by_words=by_words) for one in moved)
        if after > before or (after == before and not counts_units):
            return found
    elif None in moved:
        one = found[moved.index(None)]
        raise InputError(f"expected an entity of whole characters, found one at {one.offsets}").at(line=one.line)
    entities = [one if other is None else other for one, other in zip(found, moved, strict=True)]
    if entities != list(found):
        report.utf_16.append(number)
    return entities


def _moved(found: Found, starts: Sequence[int]) -> Found | None:
    """An entity whose offsets count UTF-16 units, in code points; None if it does not begin or end with a character.

    Args:
        found: The entity.
        starts: The offset of each character in UTF-16 units, and of the end of the text.
    """
    places = list[int]()
    for offset in (found.start, found.end):
        if type(offset) is not int:
            return found
        at = bisect_left(starts, offset)
        if at == len(starts) or starts[at] != offset:
            return None
        places.append(at)
    return found._replace(start=places[0], end=places[1])


def _is_misfit(found: Found, text: str, *, by_words: bool) -> bool:
    """True if an entity is not what its text says, or none; or if it begins or ends within a word or with a space."""
    start, end = found.start, found.end
    if type(start) is not int or type(end) is not int or not 0 <= start <= end <= len(text):
        return True
    covered = text[start:end]
    if isinstance(found.text, str):
        return _compared(covered) != _compared(found.text)
    inner = any(_WITHIN_WORD.fullmatch(text[max(at - 1, 0) : at + 1]) for at in (start, end))
    return by_words and (inner or covered != covered.strip())


def _are_of_doccano(items: object, key: str) -> bool:
    """True if the entities under a key have the form of doccano's."""
    match items:
        case [[_, _, _], *_]:
            return key == "label"
        case [{"start_offset": _}, *_]:
            return True
        case _:
            return False


def _of_tokens(tokens: object, first: int, last: int) -> tuple[object, object]:
    """The start of the first and the end of the last of some tokens, as Prodigy counts them."""
    match tokens[first : last + 1] if isinstance(tokens, list) and 0 <= first <= last < len(tokens) else None:
        case [{"start": start}, *_, {"end": end}] | [{"start": start, "end": end}]:
            return start, end
        case _:
            raise InputError(f"expected tokens {first} to {last} with start and end under 'tokens', found none")


def _from_names(labels: Mapping[str, Any]) -> Iterator[Found]:
    """The entities of an object of labels, names and offsets, as in CLUENER."""
    for label, names in labels.items():
        if not isinstance(names, dict):
            message = f"expected the names of the label {quoted(label)} with their offsets, found {kind_of(names)}"
            raise InputError(message)
        for name, offsets in names.items():
            for pair in offsets if isinstance(offsets, list) else [offsets]:
                match pair:
                    case [int(start), int(last)]:
                        yield Found(start, last + 1, label, name, ends="inclusive")
                    case _:
                        found = quoted_json(pair)
                        raise InputError(f"expected offsets such as [[0, 3]] for {quoted(name)}, found {found}")


def _entity(found: Found, label: str, text: str) -> Entity:
    """A checked entity under its new label, without the white space at its ends."""
    start, end, expected = found.start, found.end, found.text
    if type(start) is not int or type(end) is not int:
        numbers = f"{quoted_json(start)} and {quoted_json(end)}"
        raise InputError(f"expected whole numbers as start and end of an entity, found {numbers}")
    covered, problem = text[start:end], None
    inner = covered.strip()
    if not 0 <= start <= end <= len(text):
        problem = f"lies outside its text of {len(text)} characters"
    # Tools show and store white space and accents otherwise than they stand in the text.
    elif isinstance(expected, str) and covered != expected and _compared(covered) != _compared(expected):
        hint = f"ends are {found.ends}, and offsets count characters"
        problem = f"covers {quoted(covered)}, but its text is {quoted(expected)} ({hint})"
    elif not is_visible(inner):
        problem = f"covers no text: {quoted(covered)}"
    if problem:
        raise InputError(f"the entity {label[:80]} at {found.offsets} {problem}")
    start += len(covered) - len(covered.lstrip())
    score = (
        found.score if isinstance(found.score, float | int) and 0 <= found.score <= 1 else None
    )  # it may be anything
    return Entity(start, start + len(inner), label, inner, None if score is None else float(score))


def _compared(text: str) -> str:
    """A text without white space, its accents joined with their letters."""
    return unicodedata.normalize("NFC", characters_of(text))


def _without_overlap(
    entities: Iterable[Entity], number: int, options: ReadOptions, report: ReadReport
) -> tuple[Entity, ...]:
    """Of entities that overlap, the longest (of equally long ones the first, in the text, then in the file); sorted."""
    ordered = sorted(entities, key=_start)
    overlapping = next(((one, two) for one, two in pairwise(ordered) if two.start < one.end), None)
    if overlapping is None:
        return tuple(ordered)
    if options.overlaps == "error":
        names = " and ".join(f"{entity.label[:80]} at {entity.start}-{entity.end}" for entity in overlapping)
        raise InputError(f"the entities {names} overlap: --overlaps longest keeps the longer one")
    kept: list[Entity] = []  # sorted
    for entity in sorted(ordered, key=lambda entity: entity.start - entity.end):
        at = bisect_left(kept, entity)
        neighbours = kept[max(at - 1, 0) : at + 1]
        if any(entity.start < other.end and other.start < entity.end for other in neighbours):
            report.dropped.append(number)
        else:
            kept.insert(at, entity)
    return tuple(kept)


# Texts become sentences, and sentences texts.


def annotate(
    annotated: AnnotatedText,
    token_unit: TokenUnit = "word",
    *,
    hyphens: Hyphens = "split",
    report: ReadReport | None = None,
) -> Iterator[Sentence]:
    """The sentences of a text, cut as `sentences` cuts it, with its entities as spans.

    No entity is lost: where one begins or ends within a token, the token becomes two, and where one crosses the end of
    a sentence, the sentences become one.

    Example:
        >>> next(annotate(AnnotatedText("Romebound", (Entity(0, 4, "LOC", "Rome"),)))).words
        ['Rome', 'bound']
    """
    text, entities, line = annotated[:3]
    parts = sentence_tokens(text, token_unit=token_unit, hyphens=hyphens)
    if not entities:
        yield from (Sentence(tuple(tokens)) for tokens in parts)
        return
    yield from sentences_of_tokens(parts, entities, line, report)


def sentences_of_tokens(
    parts: Iterable[Sequence[Token]], entities: Sequence[Entity], line: int | None, report: ReadReport | None
) -> Iterator[Sentence]:
    """The sentences of tokens of a text, with its entities as spans, none of them lost.

    Args:
        parts: The tokens of each sentence.
        entities: The entities, sorted and without overlap.
        line: The line of the text.
        report: Receives the line of each entity that cuts a token.
    """
    # 1. Cut the tokens at the edges of the entities.
    inside = set[int]()  # the edges within tokens
    edges = sorted({edge for entity in entities for edge in (entity.start, entity.end)})
    cut = (_cut(tokens, edges, inside) for tokens in parts)
    # 2. Join the sentences that an entity crosses, and count its tokens.
    yield from (_with_spans(tokens, entities) for tokens in _joined(cut, entities))
    if report is not None and line is not None:
        report.cut += [line for entity in entities if not inside.isdisjoint((entity.start, entity.end))]


def _cut(tokens: Sequence[Token], edges: Sequence[int], inside: set[int]) -> list[Token]:
    """The tokens of a sentence, cut in two at each of the edges (sorted) that lies within; `inside` receives these."""
    first, last = bisect_left(edges, tokens[0].start), bisect_left(edges, tokens[-1].end)
    pieces = cut_tokens(tokens, edges[first:last])
    if len(pieces) > len(tokens):
        inside |= {piece.start for piece in pieces} - {token.start for token in tokens}
    return pieces


def _joined(parts: Iterable[list[Token]], entities: Iterable[Entity]) -> Iterator[list[Token]]:
    """The tokens of the sentences, those joined that one entity crosses."""
    remaining = iter(entities)
    entity = next(remaining, None)
    held: list[Token] = []
    for tokens in parts:
        start = tokens[0].start
        while entity is not None and entity.end <= start:
            entity = next(remaining, None)
        if held and not (entity is not None and entity.start < held[-1].end):
            yield held
            held = []
        held.extend(tokens)
    if held:
        yield held


def _with_spans(tokens: list[Token], entities: Sequence[Entity]) -> Sentence:
    """The sentence of tokens that no entity cuts or crosses, with those of the entities that lie in it."""
    starts, ends = [token.start for token in tokens], [token.end for token in tokens]
    # An entity may begin or end with characters that nobody sees, and that are in no token.
    begin = bisect_right(entities, starts[0], key=_end)
    inside = map(_boundaries, entities[begin : bisect_left(entities, ends[-1], begin, key=_start)])
    found = (Span(bisect_right(ends, start), bisect_left(starts, end), label) for start, end, label in inside)
    return Sentence(tuple(tokens), tuple(span for span in found if span.start < span.end))


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
    entities = Sentence(tuple(tokens), sentence.spans, scores=sentence.scores).entities(text)
    kept = tuple(entity for entity in entities if entity.start < entity.end)
    if len(kept) < len(entities):
        _log.warning("an entity without characters is left out: %s", quoted(" ".join(sentence.words)))
    return AnnotatedText(text, kept, sentence.line)
