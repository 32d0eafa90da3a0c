"""What reading a file finds beside its sentences, whatever its form, and how people are told."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from ner_lstm_crf.tags.labels import LabelMap
from ner_lstm_crf.text.annotation import Sentence

__all__ = [
    "ReadReport",
    "counted",
    "some_lines",
    "warn_of_findings",
    "warn_of_losses",
    "warn_of_missing_labels",
    "warn_of_ragged_rows",
]

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class ReadReport:
    """What reading a file finds beside its sentences; filled while they are read. Lines count from 1.

    Attributes:
        scheme: The tag scheme of the file; None if it has no tags.
        separator: `tab` or `space`; None where there are no columns.
        tag_columns: The columns with tags of entities, from 1, and first the one that is read.
        sentences: Sentences so far.
        tokens: Tokens so far, in the unit asked for.
        documents: Documents so far.
        comments: Comment lines, with CoNLL-U's multiword ranges and empty nodes.
        ill_formed: The lines of tags that break the scheme.
        ragged: The lines of rows with fewer or more columns than most.
        widths: How many rows have so many columns.
        labels: How many entities each label has, by its name in the file.
        cut: The lines of entities of running text that begin or end within a word: the word became two tokens.
        dropped: The lines of entities left out because a longer one overlaps them (CLUENER alone; elsewhere that is
            an error).
        unannotated: The lines of records that say nothing about entities.
        reduced: The lines of records with entities that say more than their place, label and text.
    """

    scheme: str | None = None
    separator: str | None = None
    tag_columns: tuple[int, ...] = ()
    sentences: int = 0
    tokens: int = 0
    documents: int = 0
    comments: int = 0
    ill_formed: list[int] = field(default_factory=list)
    ragged: list[int] = field(default_factory=list)
    widths: Counter[int] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    cut: list[int] = field(default_factory=list)
    dropped: list[int] = field(default_factory=list)
    unannotated: list[int] = field(default_factory=list)
    reduced: list[int] = field(default_factory=list)

    def count(self, sentence: Sentence) -> None:
        """Add one sentence."""
        self.sentences += 1
        self.tokens += len(sentence.tokens)
        self.documents = sentence.document + 1


def counted(count: int, noun: str) -> str:
    """So many of something, for people.

    Example:
        >>> counted(1, "column"), counted(2000, "row")
        ('1 column', '2,000 rows')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def some_lines(lines: Sequence[int], most: int = 10) -> str:
    """The first line numbers, each once, for people: `3, 18, 40 and 12 more`."""
    lines = list(dict.fromkeys(lines))
    shown = ", ".join(map(str, lines[:most]))
    return shown if len(lines) <= most else f"{shown} and {len(lines) - most} more"


def warn_of_findings(path: str, report: ReadReport, policy: str, *, read_tags: bool = True) -> None:
    """Log what reading met, as it does where nobody asks for the report.

    Args:
        path: The file.
        report: What was found.
        policy: How tags that break the scheme are read.
        read_tags: Whether entities were asked for.
    """
    if report.ill_formed:
        message = f"%s: %d tags break {report.scheme} and are read by the policy {policy}: lines %s"
        _log.warning(message, path, len(report.ill_formed), some_lines(report.ill_formed))
    warn_of_losses(path, report, read_tags=read_tags)
    warn_of_ragged_rows(path, report)


def warn_of_ragged_rows(path: str, report: ReadReport) -> None:
    """Log which rows have other columns than most where spaces separate them, one of which may belong to a token.

    Tabs do not: further columns behind the tag, which some corpora have where there is an entity, mean nothing.
    """
    if report.ragged and report.separator == "space":
        message = "%s: rows with fewer or more columns than most, which have %d: lines %s"
        _log.warning(message, path, report.widths.most_common(1)[0][0], some_lines(report.ragged))


def warn_of_missing_labels(path: str, labels: LabelMap, report: ReadReport) -> None:
    """Log which of the labels asked for the file never has."""
    if missing := labels.missing(report.labels):
        found = ", ".join(sorted(report.labels)) or "none"
        _log.warning("%s: no entity is labelled %s (labels found: %s)", path, " or ".join(missing), found)


def warn_of_losses(path: str, report: ReadReport, *, read_tags: bool = True) -> None:
    """Log where records of running text could not be taken as they are.

    Args:
        path: Their file.
        report: What was found.
        read_tags: Whether entities were asked for, so that records without any are worth a word.
    """
    for lines, message in (
        (report.cut, "entities begin or end within a word, which was cut there"),
        (report.dropped, "entities are left out, since longer ones overlap them"),
        (
            report.unannotated if read_tags else [],
            "records say nothing about entities (expected the key entities, spans, ents, label or labels)",
        ),
    ):
        if lines:
            _log.warning("%s: %d %s: lines %s", path, len(lines), message, some_lines(lines))
