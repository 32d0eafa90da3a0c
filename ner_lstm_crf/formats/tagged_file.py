"""The part that column files and JSON lines of tokens share: tags become spans, and spans become tags."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from ner_lstm_crf.errors import InputError, counted
from ner_lstm_crf.files.text import FilePath, quoted
from ner_lstm_crf.formats.columns import Separator
from ner_lstm_crf.formats.options import ReadOptions, ReadReport
from ner_lstm_crf.tags.detect import Detection, NoSchemeError, detect_scheme
from ner_lstm_crf.tags.labels import NAME_FOR_O
from ner_lstm_crf.tags.notation import STANDARD, UNKNOWN, Notation, has_prefix, is_label, is_outside, tags_within
from ner_lstm_crf.tags.partial import PartialReader, PartlyDecoded, Tags, encode_partial, rename_partial
from ner_lstm_crf.tags.scheme import OUTSIDE, Scheme, TagError, UnknownTagError, get_scheme, split_tag
from ner_lstm_crf.text.annotation import (
    Sentence,
    Span,
    Unknown,
    align,
    by_character,
    tokens_from_words,
    unknown_by_character,
)

_log = logging.getLogger(__name__)

_LONGEST_IN_HINT = 60  # characters of a tag

_MOST_TAGS = 20_000  # different ones: a column of so many texts is none of tags

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
        notation: The notation of the tags.
        notation_words: The same in words; "" for the standard notation.
        prefixless: True if the tags are labels without prefixes.
    """

    path: str
    options: ReadOptions
    tag_name: str
    scheme: Scheme | None = None
    evidence: str | None = None
    notation: Notation = STANDARD
    notation_words: str = ""
    prefixless: bool = False
    _first_seen: dict[str, tuple[int, int]] = field(default_factory=dict)  # where a tag first occurs: position and line
    _replaced: dict[str, str] = field(default_factory=dict)  # what the options read in place of a tag
    _standard: dict[str, str] = field(default_factory=dict)  # the tags read so far, each in the standard notation
    _differs: bool = False  # one of them is not written so
    _alternatives: dict[str, tuple[str, ...]] = field(default_factory=dict)  # of unknown tags; () if it may be any
    _partial: dict[str, Tags] = field(default_factory=dict)  # the same in the standard notation, of those read so far
    _partial_reader: PartialReader | None = None

    def find_scheme(
        self,
        sentences: Callable[[], Iterable[tuple[Sequence[str], Sequence[int]]]],
        sample: Iterable[str],
        *,
        expects_labels: bool,
    ) -> None:
        """Find the scheme, unless the options name it, and the notation of the tags.

        Args:
            sentences: Returns the tags of each sentence of the whole file, and their lines; called if they are needed.
            sample: The first tags.
            expects_labels: True if these are labels without prefixes.

        Raises:
            InputError: If the tags are those of no scheme, can be read in two ways, or a text is no tag at all; the
                message names its line.
        """
        if not self.options.read_tags:
            return
        renamed = self.options.labels.renamed
        if self.options.scheme is not None:
            first = sorted(tags_within(tag)[0] for tag in sample if tag != UNKNOWN)
            shows_nothing = all(map(is_outside, first))  # then all tags are looked at
            tags = self._noted(sentences()) if shows_nothing else [first]
            detection = detect_scheme(tags, get_scheme(self.options.scheme), renamed, self._alternatives)
        else:
            try:
                detection = detect_scheme(self._noted(sentences()), labels=renamed, unknown=self._alternatives)
                self._check_labels(detection, expects_labels)
            except NoSchemeError as error:
                # Beside tags with prefixes, those that are renamed to O stand for it.
                outside = {tag for tag in self._first_seen if self._stands_for_outside(tag)}
                if not outside:
                    raise self._no_scheme(error) from None
                self._replaced.update(dict.fromkeys(outside, OUTSIDE))
                try:
                    detection = detect_scheme(self._noted(sentences()), labels=renamed, unknown=self._alternatives)
                except NoSchemeError as error:
                    raise self._no_scheme(error) from None
        self.scheme, self.notation = get_scheme(detection.scheme), detection.notation
        self.evidence, self.notation_words = detection.evidence, detection.notation_words
        self.prefixless = any(map(self._is_label, detection.tags))

    def _noted(self, sentences: Iterable[tuple[Sequence[str], Sequence[int]]]) -> Iterator[Sequence[str]]:
        """The tags of the sentences with entities, and the first `O`; where each tag first occurs is noted."""
        for tags, lines in sentences:
            if tags.count(OUTSIDE) != len(tags) or (tags and OUTSIDE not in self._first_seen):
                for tag in sorted(set(tags) - self._first_seen.keys(), key=tags.index):
                    position = tags.index(tag)
                    self._first_seen[tag] = position, lines[position]
                    if len(self._first_seen) > _MOST_TAGS:
                        raise self._not_a_tag(tag)
                    if not self._is_unknown(tag) and (single := self._single(tag, position, lines)) != tag:
                        self._replaced[tag] = single
                yield [self._replaced.get(tag, tag) for tag in tags] if self._replaced else tags

    def _is_unknown(self, tag: str) -> bool:
        """True if a tag is not known; the tags that it may be are noted."""
        if tag in self._alternatives:
            return True
        if tag == UNKNOWN:
            if tag in self.options.labels.renamed:
                return False
            self._alternatives[tag] = ()
        elif self.options.several_tags == "any" and len(several := tags_within(tag)) > 1:
            self._alternatives[tag] = tuple(several)
            if tag in self._first_seen:
                self._first_seen |= dict.fromkeys(several, self._first_seen[tag]) | self._first_seen
        return tag in self._alternatives

    def _single(self, tag: str, position: int, lines: Sequence[int]) -> str:
        """The tag that the options read of several in one cell."""
        several = tags_within(tag)
        if len(several) > 1 and self.options.several_tags is None:
            hint = "--several-tags first or last reads one of them, any reads that it is not known which is true"
            raise self.error(f"expected one tag, found {len(several)} in {quoted(tag)}: {hint}", position, lines)
        return several[-1 if self.options.several_tags == "last" else 0]

    def _stands_for_outside(self, tag: str) -> bool:
        return not has_prefix(tag) and self.options.labels.renamed.get(tag) == OUTSIDE

    def _is_label(self, tag: str) -> bool:
        standard = self.notation.read(tag) or tag
        return standard != OUTSIDE and not has_prefix(standard)

    def _check_labels(self, detection: Detection, expects_labels: bool) -> None:
        """Refuse labels without prefixes that may be something else: labels are names, and most occur again."""
        self.notation = detection.notation
        labels = {tag: count for tag, count in detection.tags.items() if self._is_label(tag)}
        if expects_labels or not labels:
            return
        odd = [tag for tag in labels if not is_label(tag)]
        if odd or sum(labels.values()) < 2 * len(labels):
            hint = "--scheme IO reads it as a label"
            raise self._not_a_tag([*odd, *labels][0], hint)

    def _no_scheme(self, error: NoSchemeError) -> InputError:
        """The error of a file whose tags are those of no scheme: about the first text that is none, if there is one."""
        has_prefixes = any(map(has_prefix, self._first_seen))
        for tag in self._first_seen:
            if (
                tag != OUTSIDE
                and not has_prefix(tag)
                and (has_prefixes or not is_label(tag))
                and not error.is_ambiguous
            ):
                return self._not_a_tag(
                    tag, f"--rename {tag}=O reads it as O" if has_prefixes and 0 < len(tag) < _LONGEST_IN_HINT else ""
                )
        return InputError(error.message, path=self.path, line=self._first_seen[error.tag][1])

    def _not_a_tag(self, tag: str, hint: str = "") -> InputError:
        position, line = self._first_seen[tag]
        message = f"expected a tag such as O or B-PER, found {quoted(tag)}{hint and ': '}{hint}"
        return InputError(f"{self.tag_name.format(position + 1)}: {message}", path=self.path, line=line)

    def _read(self, tag: str, position: int, lines: Sequence[int]) -> str:
        """A tag in the standard notation, checked when it first occurs.

        Raises:
            InputError: If it is several tags, has the label O, or lacks the label behind its separator, and the options
                do not say how to read it.
        """
        single = self._replaced.get(tag) or self._single(tag, position, lines)
        standard = self.notation.read(single) or single
        if self.scheme and not self.scheme.bare_labels and self._stands_for_outside(standard):
            return OUTSIDE
        _, padded = split_tag(standard)
        label = padded.strip()
        if label != padded:
            standard = standard.removesuffix(padded) + label
        if has_prefix(standard) and label not in self.options.labels.renamed:
            if label == OUTSIDE and self.options.labels.renaming(label) == OUTSIDE:
                raise self.error(f"expected a label, found O in {quoted(tag)}: {NAME_FOR_O}", position, lines)
            if not label and len(standard) > 1:
                hint = "--rename =NAME reads it as the label NAME"
                raise self.error(f"expected a label behind {quoted(tag)}: {hint}", position, lines)
        return standard

    def sentence(
        self,
        words: Sequence[str],
        tags: Sequence[str],
        lines: Sequence[int],
        report: ReadReport,
        document: int = 0,
        text: str | None = None,
    ) -> Sentence:
        """A sentence with the spans of its tags.

        Args:
            words: Its tokens, at least one.
            tags: Their tags; not looked at without a scheme.
            lines: Their lines in the file, from 1.
            report: Counts the sentence, and receives the findings.
            document: The number of its document.
            text: The words as running text, if it is known; else they stand as if joined by one space.

        Raises:
            InputError: If a tag is unknown to the scheme, or ill-formed where that is an error.
        """
        spans: Sequence[Span] = ()
        unknown: Sequence[Unknown] = ()
        # 1. Tags become spans.
        if self.scheme is not None:
            spans, ill_formed, unknown = self._decoded(self.scheme, tags, lines, report)
            report.ill_formed += [lines[position] for position in ill_formed]
        # 2. Words become characters.
        joiner = " "
        if self.options.token_unit == "character":
            for start, end, _ in spans:
                if not "".join(words[start:end]).strip():
                    _log.warning("%s:%d: an entity without characters is left out", self.path, lines[start])
            unknown = unknown_by_character(words, unknown) if unknown else unknown
            words, spans = by_character(words, spans)
            joiner, text = "", None
        # 3. Labels are counted, then renamed and dropped.
        if spans:
            report.labels.update([label for _, _, label in spans])
            spans = self.options.labels(spans) if self.options.labels and not unknown else spans
        if unknown:
            report.labels.update(dict.fromkeys((tag[2:] for one in unknown for tag in one.tags or () if tag[2:]), 0))
            spans, unknown = rename_partial(spans, unknown, self.options.labels.renaming, len(words))
        tokens = None if text is None else align(words, text)
        tokens = tokens or tokens_from_words(words, joiner)
        sentence = Sentence(tokens, tuple(spans), document, lines[0], unknown=tuple(unknown))
        report.count(sentence)
        return sentence

    def _decoded(
        self, scheme: Scheme, tags: Sequence[str], lines: Sequence[int], report: ReadReport
    ) -> PartlyDecoded | tuple[tuple[Span, ...], tuple[int, ...], tuple[()]]:
        """The spans of the tags of a sentence, however they are written; the ill-formed ones; the unknown ones."""
        new = set(tags) - self._standard.keys()
        for tag in sorted(new, key=tags.index) if new else ():
            if self._is_unknown(tag):
                self._standard[tag] = tag
                several = [self._read(one, tags.index(tag), lines) for one in self._alternatives[tag]]
                self._partial[tag] = frozenset(several) if several else None
                continue
            self._standard[tag] = self._read(tag, tags.index(tag), lines)
            self._differs = self._differs or self._standard[tag] != tag
            if self._standard[tag] == OUTSIDE and self._stands_for_outside(tag):
                report.outside.add(tag)
        if self._differs:
            tags = [self._standard[tag] for tag in tags]
        try:
            if self._partial and not self._partial.keys().isdisjoint(tags):
                report.unknown += [line for tag, line in zip(tags, lines, strict=True) if tag in self._partial]
                reader = self._partial_reader = self._partial_reader or PartialReader(scheme)
                cells = [self._partial[tag] if tag in self._partial else frozenset((tag,)) for tag in tags]
                return reader.decode(cells, self.options.ill_formed)
            decoded = scheme.decode(tags, self.options.ill_formed)
            return decoded.spans, decoded.ill_formed, ()
        except UnknownTagError as error:
            at = self.error(error.message, error.position, lines)
            raise NoSchemeError(at.message, error.tag, path=at.path, line=at.line) from None
        except TagError as error:
            raise self.error(error.message, error.position, lines) from None

    def error(self, message: str, position: int, lines: Sequence[int]) -> InputError:
        """An error about the tag at a position of a sentence."""
        name = self.tag_name.format(position + 1)
        return InputError(f"{name}: {message}", path=self.path, line=lines[position])


def _in_order(tags: Iterable[str]) -> list[str]:
    """Alternatives as they are written, `O` last: a cell that begins with a prefix is seen to be a tag."""
    return sorted(tags, key=lambda tag: (tag == OUTSIDE, tag))


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

    def tags(self, sentence: Sentence) -> list[str]:
        """The tags of a sentence: `?` of a token that may have any, `B-PER|O` of one that may have these.

        Raises:
            InputError: If a label cannot stand in a column, or could not be read back.
        """
        spans, length = sentence.spans, len(sentence.tokens)
        if not self.scheme.separates_neighbours:
            self.merged += sum(one.end == two.start and one.label == two.label for one, two in pairwise(spans))
        for label in sorted(sentence.labels) if sentence.unknown else [label for _, _, label in spans]:
            if self.separator and (_NOT_IN_A_LABEL.search(label) or (self.separator == "space" and " " in label)):
                raise InputError(f"the label {quoted(label)} cannot stand in a column", path=self.target)
            if label == OUTSIDE or len(tags_within(f"B-{label}")) > 1:
                hint = f"--rename {label}=NAME gives it another"
                raise InputError(
                    f"the label {quoted(label)} could not be read back from a tag: {hint}", path=self.target
                )
        if sentence.unknown:
            cells = encode_partial(self.scheme, spans, sentence.unknown, length)
            return [UNKNOWN if tags is None else "|".join(map(self._written, _in_order(tags))) for tags in cells]
        tags = self.scheme.encode(spans, length)
        return list(map(self._written, tags)) if self.prefixless else tags

    def _written(self, tag: str) -> str:
        return split_tag(tag)[1] or tag if self.prefixless else tag

    def warn(self) -> None:
        """Log the number of spans that were merged."""
        if self.merged:
            entities = counted(self.merged, "entity touches", "entities touch")
            message = "%s: %s another of the same label, which %s cannot tell apart: joined"
            _log.warning(message, self.target, entities, self.scheme.name)
