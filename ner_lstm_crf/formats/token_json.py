"""JSON lines of tokens and their tags, one sentence a line, as Hugging Face's `datasets` writes them.

    {"id": "0", "tokens": ["Ada", "sings"], "ner_tags": ["B-PER", "O"]}

The tokens may stand under `words`, the tags under `tags`, `labels` or `ner`, by their names, in any scheme. An object
that has a `text` is one of these only if it has `ner_tags` and no entities by their offsets.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain, islice
from typing import Any, NamedTuple

from ner_lstm_crf.config import TokenUnit
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.json import json_line, kind_of, parse_object
from ner_lstm_crf.files.text import writing
from ner_lstm_crf.formats.column_detection import SAMPLE_ROWS, what_it_holds
from ner_lstm_crf.formats.columns import ReadOptions, is_tag
from ner_lstm_crf.formats.report import ReadReport, counted
from ner_lstm_crf.formats.tag_writer import TagWriter
from ner_lstm_crf.formats.tagged_file import Located, TaggedFile
from ner_lstm_crf.tags.scheme import TagError, get_scheme
from ner_lstm_crf.text.annotation import Sentence
from ner_lstm_crf.text.token_unit import characters_of

__all__ = [
    "TokenFile",
    "TokenRecord",
    "convert_tokens",
    "has_tokens",
    "parse_tokens",
    "read_tokens",
    "write_tokens",
]

_TOKEN_KEYS = ("tokens", "words")
_TAG_KEYS = ("ner_tags", "tags", "labels", "ner")
_OFFSET_KEYS = ("entities", "spans", "ents")


class TokenRecord(NamedTuple):
    """A sentence as its line holds it.

    Attributes:
        tokens: Its tokens.
        tags: Their tags; none where they do not matter.
        content: The whole object.
        token_key: The key of the tokens.
        tag_key: The key of the tags, or the one they would have.
        line: Its line, from 1; 0 if it is that of no file.
    """

    tokens: list[str]
    tags: list[str]
    content: Mapping[str, Any]
    token_key: str
    tag_key: str
    line: int = 0

    def line_of(self, token: int) -> int:
        """The line of a token, the same for all."""
        del token
        return self.line

    def sentence(self, token_unit: TokenUnit) -> Sentence:
        """Its tokens, or their characters, under no spans."""
        if token_unit == "word":
            return Sentence.from_words(self.tokens)
        return Sentence.from_words("".join(map(characters_of, self.tokens)), joiner="")

    def retagged(self, tokens: Sequence[str], tags: Sequence[str]) -> dict[str, Any]:
        """The object with other tags, and all else as it was.

        Args:
            tokens: Its tokens, or their characters; then what else there is for each token is repeated for these.
            tags: Their tags.
        """
        content = dict(self.content)
        if list(tokens) != self.tokens:
            content = {key: self._by_character(value) for key, value in content.items()}
        return {**content, self.token_key: list(tokens), self.tag_key: list(tags)}

    def _by_character(self, value: object) -> object:
        if not isinstance(value, list) or len(value) != len(self.tokens):
            return value
        pairs = zip(value, self.tokens, strict=True)
        return [item for item, token in pairs for _ in characters_of(token)]


def has_tokens(content: Mapping[str, Any]) -> bool:
    """Whether a JSON object is a sentence of tokens rather than a text.

    Example:
        >>> has_tokens({"tokens": ["Ada", "sings"]}), has_tokens({"text": "Ada sings", "tokens": ["Ada", "sings"]})
        (True, False)
    """
    if _token_key(content) is None:
        return False
    has_offsets = any(content.get(key) is not None for key in _OFFSET_KEYS)
    return "text" not in content or (_TAG_KEYS[0] in content and not has_offsets)


def parse_tokens(content: Mapping[str, Any], line: int = 0, *, read_tags: bool = True) -> TokenRecord:
    """The sentence of a JSON object.

    Args:
        content: The object.
        line: Its line.
        read_tags: Whether tags matter; if not, they may be missing or wrong, and are passed over.

    Raises:
        InputError: If it has no list of tokens, or none of as many tags; without the place, which the reader adds.
    """
    token_key = _token_key(content)
    if token_key is None:
        raise InputError(f"expected a list of tokens under the key 'tokens' (keys found: {', '.join(content)})")
    tokens = _strings(content[token_key], token_key, "token")
    fitting = next((key for key in _TAG_KEYS if _fits(content.get(key), tokens)), None)
    if not read_tags:
        return TokenRecord(tokens, [], content, token_key, fitting or _TAG_KEYS[0], line)
    tag_key = fitting or next((key for key in _TAG_KEYS if key in content), None)
    if tag_key is None:
        raise InputError(f"expected tags under the key 'ner_tags' (keys found: {', '.join(content)})")
    tags = _strings(content[tag_key], tag_key, "tag")
    if len(tags) != len(tokens):
        raise InputError(f"expected as many tags as tokens, found {counted(len(tags), 'tag')} for {len(tokens):,}")
    return TokenRecord(tokens, tags, content, token_key, tag_key, line)


def _token_key(content: Mapping[str, Any]) -> str | None:
    return next((key for key in _TOKEN_KEYS if isinstance(content.get(key), list)), None)


def _fits(value: object, tokens: Sequence[str]) -> bool:
    """Whether a value can only be the tags of entities of these tokens."""
    is_long_enough = isinstance(value, list) and len(value) == len(tokens)
    return is_long_enough and all(isinstance(tag, str) and is_tag(tag) for tag in value)  # type: ignore[attr-defined]


def _strings(value: object, key: str, name: str) -> list[str]:
    """A list of strings.

    Raises:
        InputError: If the value is something else.
    """
    if not isinstance(value, list):
        raise InputError(f"expected a list of {name}s under {key!r}, found {kind_of(value)}")
    for number, item in enumerate(value, 1):
        if not isinstance(item, str):
            hint = ": write the names of the tags in their place" if name == "tag" and isinstance(item, int) else ""
            raise InputError(f"expected {name}s as strings under {key!r}, found {kind_of(item)} as {number}{hint}")
    return value


class TokenFile(TaggedFile):
    """A file of such lines. Of its options, those that name columns do not matter."""

    HOLDS = "sentences of tokens"

    def records(self) -> Iterator[TokenRecord]:
        """The records.

        Raises:
            InputError: If a line is none.
        """
        for number, line in enumerate(self.text.lines(), 1):
            if not line.isspace():
                try:
                    yield parse_tokens(parse_object(line), number, read_tags=self.options.read_tags)
                except InputError as error:
                    raise InputError(error.message, path=self.path, line=number) from None

    @property
    def has_tags(self) -> bool:
        """That it has some: without them it cannot be read, unless they do not matter."""
        return True

    def tagged(self) -> Iterator[tuple[TokenRecord, Sequence[str]]]:
        """The records with their tags."""
        return ((record, record.tags) for record in self.records())

    @cached_property
    def bare(self) -> bool:
        """Whether the tags are labels without prefixes (`PER`), by the first of them."""
        first = list(islice(chain.from_iterable(tags for _, tags in self.tagged()), SAMPLE_ROWS))
        return bool(first) and what_it_holds(first) == "bare"

    def is_tag(self, tag: str) -> bool:
        """Whether a text can be a tag of this file."""
        return is_tag(tag) or (self.bare and tag != "")

    @property
    def separator(self) -> None:
        """None: it has no columns."""
        return

    @property
    def tag_place(self) -> str:
        """The list of tags."""
        return "the list of tags"

    def misplaced(self, error: TagError, where: Located) -> InputError:
        """An error of a tag sequence, with its place."""
        return InputError(f"tag {error.position + 1}: {error.message}", path=self.path, line=where.line_of(0))

    def read(self, report: ReadReport | None = None) -> Iterator[tuple[TokenRecord, Sentence | None]]:
        """Each record with its sentence; None for one without tokens."""
        found = report if report is not None else ReadReport()
        found.scheme = self.scheme.name if self.scheme else None
        for record in self.records():
            if not record.tokens:
                yield record, None
                continue
            sentence = self.sentence(record, record.tokens, record.tags, found)
            found.count(sentence)
            yield record, sentence
        self.conclude(found, told=report is not None)


def read_tokens(
    path: str | os.PathLike[str], options: ReadOptions | None = None, *, report: ReadReport | None = None
) -> Iterator[Sentence]:
    """Read the sentences of a file of JSON lines of tokens and tags; lines without tokens are passed over.

    Raises:
        InputError: If the file cannot be read, a line is no such record, or there are no tokens.
    """
    for _, sentence in TokenFile(path, options or ReadOptions()).read(report):
        if sentence is not None:
            yield sentence


def write_tokens(
    path: str | os.PathLike[str], sentences: Iterable[Sentence], *, scheme: str = "IOB2", encoding: str = "utf-8"
) -> None:
    """Write sentences as JSON lines of `tokens` and `ner_tags`.

    Raises:
        InputError: If the file cannot be written.
    """
    writer = TagWriter(get_scheme(scheme), os.fspath(path), None)
    with writing(path, encoding) as out:
        for sentence in sentences:
            tags = writer.tags(sentence.spans, len(sentence.tokens))
            out.write(json_line({"tokens": sentence.words, "ner_tags": tags}, encoding))
        writer.warn()


def convert_tokens(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    scheme: str | None = None,
    *,
    options: ReadOptions | None = None,
    report: ReadReport | None = None,
) -> None:
    """Write such a file again with its tags in another scheme, or under other labels, and all other keys kept.

    Raises:
        InputError: If the source cannot be read or the target not written.
    """
    file = TokenFile(source, options or ReadOptions())
    writer = file.writer(target, scheme)
    with writing(target, file.options.encoding) as out:
        for record, sentence in file.read(report):
            if sentence is None:
                out.write(json_line(record.content, file.options.encoding))
                continue
            tags = writer.tags(sentence.spans, len(sentence.tokens))
            out.write(json_line(record.retagged(sentence.words, tags), file.options.encoding))
        writer.warn()
