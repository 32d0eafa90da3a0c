"""The part that column files and JSON lines of tokens share: tags become spans, and spans become tags."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.text import FilePath, quoted
from ner_lstm_crf.formats.columns import Separator
from ner_lstm_crf.formats.options import ReadOptions, ReadReport
from ner_lstm_crf.tags.detect import NoSchemeError, detect_scheme
from ner_lstm_crf.tags.scheme import OUTSIDE, Scheme, TagError, get_scheme, split_tag
from ner_lstm_crf.text.annotation import Sentence, Span, by_character, tokens_from_words

_log = logging.getLogger(__name__)

_NOT_IN_A_LABEL = re.compile(r"[\t\n\r\0]")


@dataclass(slots=True)
class TagReader:
    """Makes sentences of the tokens and tags of a file.

    Attributes:
        path: The file.
        options: The options of reading.
        tag_name: The name of a tag in messages: `column 4`, or `tag {}`, where its number in the sentence is put in.
        scheme: The tag scheme; None while it is not known, and for a file without tags.
        evidence: The reasons for the scheme, for people.
    """

    path: str
    options: ReadOptions
    tag_name: str
    scheme: Scheme | None = None
    evidence: str | None = None

    def find_scheme(
        self, sentences: Iterable[tuple[Sequence[str], Sequence[int]]], is_tag: Callable[[str], bool]
    ) -> None:
        """Take the scheme of the options, else detect it.

        Args:
            sentences: The tags of each sentence of the whole file, and their lines; read only if they are needed.
            is_tag: Returns True if a text can be a tag of this file.

        Raises:
            InputError: If the tags are those of no scheme, or a text is no tag at all; the message names its line.
        """
        if not self.options.read_tags:
            return
        if self.options.scheme is not None:
            self.scheme = get_scheme(self.options.scheme)
            self.evidence = f"{self.scheme.name}: as given"
            return
        first_lines: dict[str, int] = {}
        try:
            detection = detect_scheme(self._checked(sentences, is_tag, first_lines))
        except NoSchemeError as error:
            raise InputError(error.message, path=self.path, line=first_lines[error.tag]) from None
        self.scheme, self.evidence = get_scheme(detection.scheme), detection.evidence

    def _checked(
        self,
        sentences: Iterable[tuple[Sequence[str], Sequence[int]]],
        is_tag: Callable[[str], bool],
        first_lines: dict[str, int],
    ) -> Iterator[Sequence[str]]:
        """The tags of the sentences with entities, each tag checked and its line noted when it first occurs."""
        for tags, lines in sentences:
            for tag in sorted(set(tags) - first_lines.keys(), key=tags.index):
                position = tags.index(tag)
                first_lines[tag] = lines[position]
                if not is_tag(tag):
                    raise self.error(f"expected a tag such as O or B-PER, found {quoted(tag)}", position, lines)
            if tags.count(OUTSIDE) != len(tags):
                yield tags

    def sentence(
        self, words: Sequence[str], tags: Sequence[str], lines: Sequence[int], report: ReadReport, document: int = 0
    ) -> Sentence:
        """A sentence with the spans of its tags.

        Args:
            words: Its tokens, at least one.
            tags: Their tags; not looked at without a scheme.
            lines: Their lines in the file, from 1.
            report: Counts the sentence, and receives the findings.
            document: The number of its document.

        Raises:
            InputError: If a tag is unknown to the scheme, or ill-formed where that is an error.
        """
        spans: Sequence[Span] = ()
        # 1. Tags become spans.
        if self.scheme is not None:
            try:
                spans, ill_formed = self.scheme.decode(tags, self.options.ill_formed)
            except TagError as error:
                raise self.error(error.message, error.position, lines) from None
            report.ill_formed += [lines[position] for position in ill_formed]
            report.labels.update([label for _, _, label in spans])
        # 2. Labels are renamed and dropped.
        if spans and self.options.labels:
            spans = self.options.labels(spans)
        # 3. Words become characters.
        joiner = " "
        if self.options.token_unit == "character":
            for start, end, _ in spans:
                if not "".join(words[start:end]).strip():
                    _log.warning("%s:%d: an entity without characters is left out", self.path, lines[start])
            words, spans = by_character(words, spans)
            joiner = ""
        sentence = Sentence(tokens_from_words(words, joiner), tuple(spans), document, lines[0])
        report.count(sentence)
        return sentence

    def error(self, message: str, position: int, lines: Sequence[int]) -> InputError:
        """An error about the tag at a position of a sentence."""
        name = self.tag_name.format(position + 1)
        return InputError(f"{name}: {message}", path=self.path, line=lines[position])


@dataclass(slots=True)
class TagWriter:
    """Makes tags of spans, and counts the spans that their scheme cannot separate.

    Attributes:
        scheme: The scheme to write.
        target: The file that is written.
        separator: The separator of its columns; None if it has none.
        prefixless: True to write labels without prefixes, as the source has them.
        merged: The number of spans that became one with the span before them.
    """

    scheme: Scheme
    target: FilePath
    separator: Separator | None = None
    prefixless: bool = False
    merged: int = 0

    def tags(self, spans: Sequence[Span], length: int) -> list[str]:
        """The tags of a sentence.

        Raises:
            InputError: If a label cannot stand in a column.
        """
        if not self.scheme.separates_neighbours:
            self.merged += sum(one.end == two.start and one.label == two.label for one, two in pairwise(spans))
        for _, _, label in spans:
            if self.separator and (_NOT_IN_A_LABEL.search(label) or (self.separator == "space" and " " in label)):
                raise InputError(f"the label {label!r} cannot stand in a column", path=self.target)
        tags = self.scheme.encode(spans, length)
        return [split_tag(tag)[1] or tag for tag in tags] if self.prefixless else tags

    def warn(self) -> None:
        """Log the number of spans that were merged."""
        if self.merged:
            message = "%s: %d entities touch another of the same label, which %s cannot tell apart: they became one"
            _log.warning(message, self.target, self.merged, self.scheme.name)
