"""JSON lines of tokens and their tags, one sentence a line, as Hugging Face's `datasets` writes them.

    {"id": "0", "tokens": ["Ada", "sings"], "ner_tags": ["B-PER", "O"]}

The tokens may stand under `words`, the tags under `tags`, `labels` or `ner`. Tags are names, in any scheme.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from ner_lstm_crf.config import Unit
from ner_lstm_crf.data.annotation import Sentence, Span, place
from ner_lstm_crf.data.columns import ColumnOptions
from ner_lstm_crf.data.detection import Detection, NoSchemeError, detect_scheme
from ner_lstm_crf.data.json_lines import json_line, parse_object
from ner_lstm_crf.data.report import ReadReport, counted, warn_of_findings, warn_of_missing_labels
from ner_lstm_crf.data.schemes import Scheme, TagError, get_scheme
from ner_lstm_crf.data.text_files import TextFile, writing
from ner_lstm_crf.data.units import by_character
from ner_lstm_crf.errors import InputError

__all__ = [
    "TokenFile",
    "TokenRecord",
    "convert_tokens",
    "has_tokens",
    "parse_tokens",
    "read_tokens",
    "write_tokens",
]

_log = logging.getLogger(__name__)

_TOKEN_KEYS = ("tokens", "words")
_TAG_KEYS = ("ner_tags", "tags", "labels", "ner")


class TokenRecord(NamedTuple):
    """A sentence as its line holds it.

    Attributes:
        tokens: Its tokens.
        tags: Their tags; None where there are none.
        content: The whole object.
        token_key: The key of the tokens.
        tag_key: The key of the tags, or the one they would have.
    """

    tokens: list[str]
    tags: list[str] | None
    content: Mapping[str, Any]
    token_key: str
    tag_key: str

    def sentence(self, unit: Unit = "word", spans: tuple[Span, ...] = (), line: int | None = None) -> Sentence:
        """The tokens, or their characters, under spans over the tokens."""
        words = self.tokens
        if unit == "character":
            words, spans = by_character(words, spans)
        return Sentence(place(words, joiner="" if unit == "character" else " "), spans, line=line)

    def retagged(self, tokens: Sequence[str], tags: Sequence[str]) -> dict[str, Any]:
        """The object with other tokens and tags, and all else as it was."""
        return {**self.content, self.token_key: list(tokens), self.tag_key: list(tags)}


def has_tokens(content: Mapping[str, Any]) -> bool:
    """Whether a JSON object is a sentence of tokens: it has a list of strings, and tags for them or no text.

    Example:
        >>> has_tokens({"tokens": ["Ada", "sings"]}), has_tokens({"text": "Ada sings", "tokens": ["Ada", "sings"]})
        (True, False)
    """
    token_key, tag_key = _token_key(content), _tag_key(content)
    if token_key is None or not isinstance(content.get("text"), str):
        return token_key is not None
    return tag_key is not None and 0 < len(content[token_key]) == len(content[tag_key])


def parse_tokens(content: Mapping[str, Any], *, tags: bool = True) -> TokenRecord:
    """The sentence of a JSON object.

    Args:
        content: The object.
        tags: Whether tags matter; if not, they may be missing or wrong, and are passed over.

    Raises:
        InputError: If it has no list of tokens, or none of as many tags; without the place, which the reader adds.
    """
    token_key, tag_key = _token_key(content), _tag_key(content)
    if token_key is None:
        found = ", ".join(content) or "none"
        raise InputError(f"expected a list of strings under the key 'tokens' (keys found: {found})")
    tokens = content[token_key]
    if not tags:
        return TokenRecord(tokens, None, content, token_key, tag_key or _TAG_KEYS[0])
    if tag_key is None:
        raise InputError(f"expected tags under the key 'ner_tags' (keys found: {', '.join(content)})")
    found = content[tag_key]
    if any(isinstance(tag, int) for tag in found):
        hint = "write the names of the tags in their place"
        raise InputError(f"expected tags such as O or B-PER under {tag_key!r}, found numbers: {hint}")
    if "" in found:
        raise InputError(f"expected tags such as O or B-PER under {tag_key!r}, found an empty one")
    if len(found) != len(tokens):
        raise InputError(f"expected as many tags as tokens, found {counted(len(found), 'tag')} for {len(tokens):,}")
    return TokenRecord(tokens, found, content, token_key, tag_key)


def _token_key(content: Mapping[str, Any]) -> str | None:
    return next((key for key in _TOKEN_KEYS if _is_list_of(content.get(key), str)), None)


def _tag_key(content: Mapping[str, Any]) -> str | None:
    return next((key for key in _TAG_KEYS if _is_list_of(content.get(key), (str, int))), None)


def _is_list_of(value: object, kind: type | tuple[type, ...]) -> bool:
    return isinstance(value, list) and all(isinstance(item, kind) for item in value)


class TokenFile:
    """A file of such lines, which can be read as often as needed.

    Args:
        path: The file, or `-` for standard input.
        options: What is known of it: of columns nothing matters.

    Raises:
        InputError: If it cannot be read.
    """

    def __init__(self, path: str | os.PathLike[str], options: ColumnOptions) -> None:
        self.text = TextFile(path, options.encoding)
        self.path, self.options = self.text.path, options

    def records(self) -> Iterator[tuple[int, TokenRecord]]:
        """Each record with its line, from 1.

        Raises:
            InputError: If a line is none.
        """
        for number, line in enumerate(self.text.lines(), 1):
            if not line.isspace():
                try:
                    yield number, parse_tokens(parse_object(line), tags=self.options.read_tags)
                except InputError as error:
                    raise InputError(error.message, path=self.path, line=number) from None

    @cached_property
    def detection(self) -> Detection:
        """What the tags of the whole file say about their scheme."""
        lines: dict[str, int] = {}
        try:
            return detect_scheme(self._tags(lines))
        except NoSchemeError as error:
            raise InputError(error.message, path=self.path, line=lines[error.tag]) from None

    def _tags(self, lines: dict[str, int]) -> Iterator[list[str]]:
        """The tags of each sentence; the first line of each tag goes to `lines`."""
        for number, record in self.records():
            tags = record.tags or []
            for tag in tags:
                lines.setdefault(tag, number)
            yield tags

    @cached_property
    def scheme(self) -> Scheme | None:
        """The scheme asked for, else the one found; None if tags do not matter."""
        if not self.options.read_tags:
            return None
        return get_scheme(self.options.scheme or self.detection.scheme)

    def read(self, report: ReadReport | None = None) -> Iterator[tuple[TokenRecord, Sentence]]:
        """Each record with its sentence, which has no tokens if the record has none.

        Raises:
            InputError: If a line is no record, the file has no tokens, or ill-formed tags are an error.
        """
        counted, scheme = report if report is not None else ReadReport(), self.scheme
        counted.scheme = scheme.name if scheme else None
        for number, record in self.records():
            spans = self._decode(scheme, record.tags, number, counted) if scheme and record.tags else ()
            sentence = record.sentence(self.options.unit or "word", self.options.labels(spans), number)
            if sentence.tokens:
                counted.count(sentence)
            yield record, sentence
        self._conclude(counted, told=report is not None)

    def _decode(self, scheme: Scheme, tags: Sequence[str], line: int, report: ReadReport) -> tuple[Span, ...]:
        try:
            spans, ill_formed = scheme.decode(tags, self.options.policy)
        except TagError as error:
            raise InputError(str(error), path=self.path, line=line) from None
        report.ill_formed += [line] * len(ill_formed)
        report.labels.update(label for _, _, label in spans)
        return spans

    def _conclude(self, report: ReadReport, *, told: bool) -> None:
        if not report.sentences:
            raise InputError("expected sentences of tokens, found none", path=self.path)
        if not told:
            warn_of_findings(self.path, report, self.options.policy)
        warn_of_missing_labels(self.path, self.options.labels, report)


def read_tokens(
    path: str | os.PathLike[str], options: ColumnOptions | None = None, *, report: ReadReport | None = None
) -> Iterator[Sentence]:
    """Read the sentences of a file of JSON lines of tokens and tags; lines without tokens are passed over.

    Raises:
        InputError: If the file cannot be read, a line is no such record, or there are no tokens.
    """
    for _, sentence in TokenFile(path, options or ColumnOptions()).read(report):
        if sentence.tokens:
            yield sentence


def write_tokens(
    path: str | os.PathLike[str], sentences: Iterable[Sentence], *, scheme: str = "IOB2", encoding: str = "utf-8"
) -> None:
    """Write sentences as JSON lines of `tokens` and `ner_tags`.

    Raises:
        InputError: If the file cannot be written.
    """
    chosen = get_scheme(scheme)
    with writing(path, encoding) as out:
        for sentence in sentences:
            content = {"tokens": sentence.words, "ner_tags": chosen.encode(sentence.spans, len(sentence.tokens))}
            out.write(json_line(content, encoding))


def convert_tokens(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    scheme: str | None = None,
    *,
    options: ColumnOptions | None = None,
    report: ReadReport | None = None,
) -> None:
    """Write such a file again with its tags in another scheme, or under other labels, and all other keys kept.

    Raises:
        InputError: If the source cannot be read or the target not written.
    """
    file = TokenFile(source, options or ColumnOptions())
    chosen = get_scheme(scheme) if scheme else file.scheme or get_scheme("IOB2")
    with writing(target, file.options.encoding) as out:
        for record, sentence in file.read(report):
            tags = chosen.encode(sentence.spans, len(sentence.tokens))
            out.write(json_line(record.retagged(sentence.words, tags), file.options.encoding))
