"""What all files of tokens and their tags have in common: their scheme, and how tags become spans."""

from __future__ import annotations

import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import ClassVar, Protocol

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.text import TextFile, quoted
from ner_lstm_crf.formats.columns import ReadOptions, Separator
from ner_lstm_crf.formats.report import ReadReport, warn_of_findings, warn_of_missing_labels
from ner_lstm_crf.formats.tag_writer import TagWriter
from ner_lstm_crf.tags.detect import Detection, NoSchemeError, detect_scheme
from ner_lstm_crf.tags.scheme import OUTSIDE, Scheme, TagError, get_scheme
from ner_lstm_crf.text.annotation import Sentence, Span, tokens_from_words
from ner_lstm_crf.text.token_unit import by_character

__all__ = ["Located", "TaggedFile"]

_log = logging.getLogger(__name__)


class Located(Protocol):
    """A sentence's place in its file."""

    def line_of(self, token: int) -> int:
        """The 1-based line of a token."""


class TaggedFile(ABC):
    """A file of sentences of tokens and their tags, in whatever form; it can be read as often as needed.

    Args:
        path: The file, or `-` for standard input.
        options: What is known of it.

    Raises:
        InputError: If it cannot be read.
    """

    HOLDS: ClassVar = "rows of a token and a tag"
    """What it has to have, for people."""

    def __init__(self, path: str | os.PathLike[str], options: ReadOptions) -> None:
        self.text = TextFile(path, options.encoding)
        self.path, self.options = self.text.path, options

    @property
    @abstractmethod
    def has_tags(self) -> bool:
        """Whether there are tags at all."""

    @abstractmethod
    def tagged(self) -> Iterator[tuple[Located, Sequence[str]]]:
        """The tags of each sentence, and where it stands."""

    @abstractmethod
    def is_tag(self, tag: str) -> bool:
        """Whether a text can be a tag of this file."""

    @property
    @abstractmethod
    def bare(self) -> bool:
        """Whether the tags are labels without prefixes (`PER`)."""

    @property
    @abstractmethod
    def separator(self) -> Separator | None:
        """What separates its columns; None if it has none."""

    @property
    @abstractmethod
    def tag_place(self) -> str:
        """Where its tags stand, for people: `column 4`."""

    @abstractmethod
    def read(self, report: ReadReport | None = None) -> Iterator[tuple[Located, Sentence | None]]:
        """Each sentence and where it stands; None where no token does.

        Args:
            report: Receives what was met, which is logged where there is none.

        Raises:
            InputError: If the file is malformed or has no sentence, or ill-formed tags are an error.
        """

    @property
    def evidence(self) -> str | None:
        """Why it has its scheme; None if it has no tags."""
        if self.options.scheme is not None and self.scheme:
            return f"{self.scheme.name}: as asked for"
        return self.detection.evidence if self.detection else None

    @cached_property
    def detection(self) -> Detection | None:
        """What the tags of the whole file say about their scheme; None if the file has none."""
        if not self.has_tags:
            return None
        lines: dict[str, int] = {}
        try:
            return detect_scheme(self._checked_tags(lines))
        except NoSchemeError as error:
            raise InputError(error.message, path=self.path, line=lines[error.tag]) from None

    def _checked_tags(self, lines: dict[str, int]) -> Iterator[Sequence[str]]:
        """The tags of each sentence with entities, refused with their line if they can be the tags of no scheme.

        The first line of each tag goes to `lines`.
        """
        for where, tags in self.tagged():
            for tag in sorted(set(tags) - lines.keys(), key=tags.index):
                lines[tag] = where.line_of(tags.index(tag))
                if not self.is_tag(tag):
                    message = f"expected a tag such as O or B-PER in {self.tag_place}, found {quoted(tag)}"
                    raise InputError(message, path=self.path, line=lines[tag])
            if tags.count(OUTSIDE) != len(tags):
                yield tags

    @cached_property
    def scheme(self) -> Scheme | None:
        """The scheme asked for, else the one found; None if the file has no tags, or they do not matter."""
        if not (self.has_tags and self.options.read_tags):
            return None
        if self.options.scheme is not None:
            return get_scheme(self.options.scheme)
        return get_scheme(self.detection.scheme) if self.detection else None

    def writer(self, target: str | os.PathLike[str], scheme: str | None = None) -> TagWriter:
        """What writes tags into another file of this form: in a scheme, or in its own (IOB2 if it has none)."""
        chosen = get_scheme(scheme) if scheme else self.scheme or get_scheme("IOB2")
        return TagWriter(chosen, os.fspath(target), self.separator, bare=chosen.name == "IO" and self.bare)

    def sentence(
        self, where: Located, words: Sequence[str], tags: Sequence[str], report: ReadReport, document: int = 0
    ) -> Sentence:
        """A sentence under the spans of its tags, by the options; what is met goes to the report."""
        spans = self._decode(self.scheme, where, tags, report) if self.scheme else ()
        if spans and self.options.labels:
            spans = self.options.labels(spans)
        if self.options.token_unit == "character":
            words, spans = self._by_character(where, words, spans)
        tokens = tokens_from_words(words, joiner="" if self.options.token_unit == "character" else " ")
        return Sentence(tokens, spans, document, where.line_of(0))

    def _decode(self, scheme: Scheme, where: Located, tags: Sequence[str], report: ReadReport) -> tuple[Span, ...]:
        try:
            spans, ill_formed = scheme.decode(tags, self.options.policy)
        except TagError as error:
            raise self.misplaced(error, where) from None
        if ill_formed:
            report.ill_formed += [where.line_of(position) for position in ill_formed]
        report.labels.update([label for _, _, label in spans])
        return spans

    def misplaced(self, error: TagError, where: Located) -> InputError:
        """An error of a tag sequence, with its place."""
        return InputError(f"{self.tag_place}: {error.message}", path=self.path, line=where.line_of(error.position))

    def _by_character(
        self, where: Located, words: Sequence[str], spans: tuple[Span, ...]
    ) -> tuple[list[str], tuple[Span, ...]]:
        characters, moved = by_character(words, spans)
        if len(moved) < len(spans):
            for start, end, _ in spans:
                if not "".join(words[start:end]).strip():
                    _log.warning("%s:%d: an entity without characters is left out", self.path, where.line_of(start))
        return characters, moved

    def conclude(self, report: ReadReport, *, told: bool) -> None:
        """Refuse a file without sentences, and log what was met, unless somebody asked for the report.

        Raises:
            InputError: If there was no sentence.
        """
        if not report.sentences:
            raise InputError(f"expected {self.HOLDS}, found none", path=self.path)
        if not told:
            warn_of_findings(self.path, report, self.options.policy)
        warn_of_missing_labels(self.path, self.options.labels, report)
