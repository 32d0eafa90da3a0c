"""What a careful person wants to know of annotated files before training on them.

Columns, scheme and why, sizes, labels, lengths; ill-formed tags, ragged rows and duplicates; and for every two files
what of the second is in the first: a test sentence that was trained on measures memory.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import accumulate, combinations
from typing import Any

from ner_lstm_crf.formats.columns import ColumnLayout, ReadOptions
from ner_lstm_crf.formats.conll import ColumnFile
from ner_lstm_crf.formats.registry import detect_format, iterate_sentences
from ner_lstm_crf.formats.report import ReadReport
from ner_lstm_crf.formats.tagged_file import TaggedFile
from ner_lstm_crf.formats.token_json import TokenFile
from ner_lstm_crf.progress import Progress, silent
from ner_lstm_crf.text.annotation import Sentence

__all__ = ["LONG", "FileFacts", "Inspection", "Lengths", "Overlap", "inspect_files"]

LONG = 3
"""Sentences of more tokens than this are hardly equal by chance."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long sentences are, in tokens.

    Attributes:
        shortest: The shortest.
        median: Half of them are no longer.
        mean: The mean.
        most: 95% of them are no longer.
        longest: The longest.
        counts: How many have each length, by length.
    """

    shortest: int
    median: int
    mean: float
    most: int
    longest: int
    counts: dict[int, int]

    @classmethod
    def of(cls, counts: Counter[int]) -> Lengths:
        """The lengths counted."""
        ordered = dict(sorted(counts.items()))
        mean = sum(length * count for length, count in ordered.items()) / counts.total()
        return cls(min(ordered), _quantile(ordered, 0.5), mean, _quantile(ordered, 0.95), max(ordered), ordered)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """One file. Columns and lines count from 1.

    Attributes:
        path: The file.
        format: Its form: `conll`, `tokens`, `jsonl` or `inline`.
        sentences: The number of sentences.
        tokens: The number of tokens.
        entities: The number of entities.
        documents: The number of documents.
        per_label: The number of entities of each label, the most frequent first.
        lengths: The lengths of the sentences.
        scheme: The tag scheme; None where there are no tags.
        evidence: What speaks for the scheme.
        columns: The number of columns of most rows; None where there are none.
        token_column: The token's column.
        tag_column: The tag's column.
        other_tag_columns: Further columns with tags of entities, which are not read.
        separator: `tab` or `space`.
        placed: Whether tokens are characters with their places in words behind them (`科0`), which are left out.
        language: What stands before each token (`en:`), and is left out.
        column_counts: How many rows have so many columns.
        ill_formed: The number of tags that break the scheme.
        ill_formed_lines: Where.
        ragged: The number of rows with fewer or more columns than most.
        ragged_lines: Where.
        duplicates: The number of sentences that stand in the file before.
        comments: The number of comment lines.
        cut: The lines of entities of running text that begin or end within a word.
        dropped: The lines of entities left out because longer ones overlap them.
        unannotated: The lines of records that say nothing about entities.
    """

    path: str
    format: str
    sentences: int
    tokens: int
    entities: int
    documents: int
    per_label: dict[str, int]
    lengths: Lengths
    scheme: str | None = None
    evidence: str | None = None
    columns: int | None = None
    token_column: int | None = None
    tag_column: int | None = None
    other_tag_columns: tuple[int, ...] = ()
    separator: str | None = None
    placed: bool = False
    language: str = ""
    column_counts: dict[int, int] = field(default_factory=dict)
    ill_formed: int = 0
    ill_formed_lines: tuple[int, ...] = ()
    ragged: int = 0
    ragged_lines: tuple[int, ...] = ()
    duplicates: int = 0
    comments: int = 0
    cut: tuple[int, ...] = ()
    dropped: tuple[int, ...] = ()
    unannotated: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """What of the second file stands in the first.

    Attributes:
        first: The one file.
        second: The other.
        sentences: How many sentences of the second occur in the first.
        long_sentences: How many of these have more than 3 tokens.
        entities: How many entities of the second occur in the first, with the same words and label.
        new_labels: Labels of the second that the first lacks.
    """

    first: str
    second: str
    sentences: int
    long_sentences: int
    entities: int
    new_labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Inspection:
    """Files and how they overlap."""

    files: tuple[FileFacts, ...]
    overlap: tuple[Overlap, ...]

    def to_json(self) -> dict[str, Any]:
        """The same as values that JSON knows: `{"files": [...], "overlap": [...]}`."""
        return {"files": [asdict(facts) for facts in self.files], "overlap": [asdict(pair) for pair in self.overlap]}


def inspect_files(
    paths: Sequence[str | os.PathLike[str]], options: ReadOptions | None = None, *, progress: Progress = silent
) -> Inspection:
    """Read files and say what is in them.

    Raises:
        InputError: If a file cannot be read or is malformed.
    """
    tallies = []
    for done, path in enumerate(paths):
        progress(done, len(paths))
        tallies.append(_tally(path, options or ReadOptions()))
    progress(len(paths), len(paths))
    overlaps = (_overlap(first, second) for first, second in combinations(tallies, 2))
    return Inspection(tuple(tally.facts() for tally in tallies), tuple(overlaps))


@dataclass(slots=True)
class _Tally:
    """One file while it is read. Sentences and entities are known by their hashes, so memory stays small."""

    path: str
    format: str
    report: ReadReport = field(default_factory=ReadReport)
    layout: ColumnLayout | None = None
    scheme: str | None = None
    evidence: str | None = None
    labels: Counter[str] = field(default_factory=Counter)
    lengths: Counter[int] = field(default_factory=Counter)
    sentences: Counter[tuple[int, bool]] = field(default_factory=Counter)
    entities: Counter[int] = field(default_factory=Counter)

    def add(self, sentences: Iterable[Sentence]) -> None:
        for sentence in sentences:
            words = tuple(sentence.words)
            self.lengths[len(words)] += 1
            self.sentences[hash(words), len(words) > LONG] += 1
            for start, end, label in sentence.spans:
                self.labels[label] += 1
                self.entities[hash((label, words[start:end]))] += 1

    def facts(self) -> FileFacts:
        report = self.report
        return FileFacts(
            path=self.path,
            format=self.format,
            sentences=report.sentences,
            tokens=report.tokens,
            entities=self.labels.total(),
            documents=report.documents,
            per_label=dict(self.labels.most_common()),
            lengths=Lengths.of(self.lengths),
            scheme=self.scheme,
            evidence=self.evidence,
            column_counts=dict(sorted(report.widths.items())),
            ill_formed=len(report.ill_formed),
            ill_formed_lines=tuple(report.ill_formed),
            ragged=len(report.ragged),
            ragged_lines=tuple(report.ragged),
            duplicates=report.sentences - len(self.sentences),
            comments=report.comments,
            cut=tuple(report.cut),
            dropped=tuple(report.dropped),
            unannotated=tuple(report.unannotated),
            **_columns(self.layout),
        )


def _columns(layout: ColumnLayout | None) -> dict[str, Any]:
    if layout is None:
        return {}
    tag = None if layout.tag is None else layout.tag + 1
    return {
        "columns": layout.width,
        "token_column": layout.token + 1,
        "tag_column": tag,
        "other_tag_columns": tuple(column + 1 for column in layout.others),
        "separator": layout.separator,
        "placed": layout.placed,
        "language": layout.language,
    }


def _tally(path: str | os.PathLike[str], options: ReadOptions) -> _Tally:
    tally = _Tally(os.fspath(path), detect_format(path, options.encoding))
    if tally.format in ("jsonl", "inline"):
        tally.add(iterate_sentences(path, options, report=tally.report))
        return tally
    file: TaggedFile
    if tally.format == "tokens":
        file = TokenFile(path, options)
    else:
        file = columns = ColumnFile(path, options)
        tally.layout = columns.layout
    tally.scheme, tally.evidence = file.scheme.name if file.scheme else None, file.evidence
    tally.add(sentence for _, sentence in file.read(tally.report) if sentence is not None)
    return tally


def _overlap(first: _Tally, second: _Tally) -> Overlap:
    shared = Counter({key: count for key, count in second.sentences.items() if key in first.sentences})
    return Overlap(
        first=first.path,
        second=second.path,
        sentences=shared.total(),
        long_sentences=sum(count for (_, is_long), count in shared.items() if is_long),
        entities=sum(count for entity, count in second.entities.items() if entity in first.entities),
        new_labels=tuple(sorted(second.labels.keys() - first.labels.keys())),
    )


def _quantile(counts: dict[int, int], share: float) -> int:
    """The smallest length that at least this share of the sentences does not exceed."""
    cumulated = zip(counts, accumulate(counts.values()), strict=True)
    return next(length for length, seen in cumulated if seen >= share * sum(counts.values()))
