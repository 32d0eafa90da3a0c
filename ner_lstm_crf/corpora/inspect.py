"""The facts that a careful person wants to know of annotated files before training on them, and these as text.

Columns, scheme and the evidence for it, sizes, labels, lengths; ill-formed tags, ragged rows and duplicates; and for
every two files the part of the second that is in the first: a test sentence that was trained on measures memory.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import accumulate, combinations, pairwise
from typing import Any

from ner_lstm_crf.formats.options import ReadOptions, ReadReport, counted, some_lines
from ner_lstm_crf.formats.registry import FORMATS, detect_format
from ner_lstm_crf.progress import Progress, silent

LONG = 3
"""Sentences of more tokens than this are hardly equal by chance."""

_EDGES = (0, 1, 5, 10, 20, 40, 80, 160, 320)
_BAR = 40  # characters of the longest bar


@dataclass(frozen=True, slots=True)
class Lengths:
    """The lengths of sentences, in tokens.

    Attributes:
        shortest: The shortest.
        median: Half of them are no longer.
        mean: The mean.
        most: 95% of them are no longer.
        longest: The longest.
        counts: The number of sentences by length.
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
        format: The name of its format.
        sentences: The number of sentences.
        tokens: The number of tokens.
        entities: The number of entities.
        documents: The number of documents.
        per_label: The number of entities of each label, the most frequent first.
        lengths: The lengths of the sentences.
        scheme: The tag scheme; None if it has no tags.
        evidence: The reasons for the scheme.
        columns: The number of columns of most rows; None if it has none.
        token_column: The token's column.
        tag_column: The tag's column.
        other_tag_columns: Further columns with tags of entities, which are not read.
        separator: `tab` or `space`.
        has_char_index: True if tokens are characters with their index in a word behind them (`科0`), which is left out.
        language: The text before each token (`en:`), which is left out.
        column_counts: The number of rows by their number of columns.
        ill_formed: The number of tags that break the scheme.
        ill_formed_lines: Their lines.
        ragged: The number of rows with fewer or more columns than most.
        ragged_lines: Their lines.
        duplicates: The number of sentences that occur earlier in the file.
        comments: The number of comment lines.
        cut: The lines of entities of running text that begin or end within a word.
        dropped: The lines of entities left out because longer ones overlap them.
        unannotated: The lines of objects without a key for entities.
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
    has_char_index: bool = False
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
    """The part of the second file that is in the first.

    Attributes:
        first: The one file.
        second: The other.
        sentences: The number of sentences of the second that occur in the first.
        long_sentences: The number of these with more than 3 tokens.
        entities: The number of entities of the second that occur in the first, with the same words and label.
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
        """The facts as values for JSON: `{"files": [...], "overlap": [...]}`."""
        return {"files": [asdict(facts) for facts in self.files], "overlap": [asdict(pair) for pair in self.overlap]}


@dataclass(slots=True)
class _Tally:
    """The counts of one file. Sentences and entities are known by their hashes, so memory stays small."""

    path: str
    format: str
    report: ReadReport = field(default_factory=ReadReport)
    labels: Counter[str] = field(default_factory=Counter)
    lengths: Counter[int] = field(default_factory=Counter)
    sentences: Counter[tuple[int, bool]] = field(default_factory=Counter)
    entities: Counter[int] = field(default_factory=Counter)

    def facts(self) -> FileFacts:
        """The facts of the file, once it has been read."""
        report = self.report
        columns: dict[str, Any] = {}
        if layout := report.layout:
            columns = {
                "columns": layout.width,
                "token_column": layout.token + 1,
                "tag_column": None if layout.tag is None else layout.tag + 1,
                "other_tag_columns": tuple(column + 1 for column in layout.other_tag_columns),
                "separator": layout.separator,
                "has_char_index": layout.has_char_index,
                "language": layout.language,
            }
        return FileFacts(
            path=self.path,
            format=self.format,
            sentences=report.sentences,
            tokens=report.tokens,
            entities=self.labels.total(),
            documents=report.documents,
            per_label=dict(self.labels.most_common()),
            lengths=Lengths.of(self.lengths),
            scheme=report.scheme,
            evidence=report.evidence,
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
            **columns,
        )


def inspect_files(
    paths: Sequence[str | os.PathLike[str]], options: ReadOptions | None = None, *, progress: Progress = silent
) -> Inspection:
    """Read files and collect the facts about them.

    Raises:
        InputError: If a file cannot be read or is malformed.
    """
    options, tallies = options or ReadOptions(), list[_Tally]()
    for done, path in enumerate(paths):
        progress(done, len(paths))
        file_format = detect_format(path, options.encoding)
        tally = _Tally(os.fspath(path), file_format.name)
        for sentence in file_format.read(path, options, tally.report):
            words = tuple(sentence.words)
            tally.lengths[len(words)] += 1
            tally.sentences[hash(words), len(words) > LONG] += 1
            for start, end, label in sentence.spans:
                tally.labels[label] += 1
                tally.entities[hash((label, words[start:end]))] += 1
        tally.report.warn_of_missing_labels(path, options.labels)
        tallies.append(tally)
    progress(len(paths), len(paths))
    overlaps = (_overlap(first, second) for first, second in combinations(tallies, 2))
    return Inspection(tuple(tally.facts() for tally in tallies), tuple(overlaps))


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


def describe(inspection: Inspection) -> str:
    """The findings, file by file, then what the files share."""
    parts = ["\n".join([facts.path, *_file(facts)]) for facts in inspection.files]
    if inspection.overlap:
        parts.append(
            "\n".join(["overlap", *(line for pair in inspection.overlap for line in _overlap_rows(pair, inspection))])
        )
    return "\n\n".join(parts)


def _file(facts: FileFacts) -> Iterator[str]:
    yield _row("columns", _columns(facts))
    yield _row("scheme", facts.evidence or "none: there are no tags")
    sizes = ((facts.documents, "document"), (facts.sentences, "sentence"), (facts.tokens, "token"))
    yield _row("size", ", ".join(counted(count, name) for count, name in sizes))
    labels = ", ".join(f"{label} {count:,}" for label, count in facts.per_label.items())
    yield _row("entities", f"{facts.entities:,}: {labels}" if labels else "none")
    yield _row("ill-formed", _count(facts.ill_formed, facts.ill_formed_lines))
    if facts.columns is not None:
        rows = ", ".join(f"{counted(count, 'row')} of {width}" for width, count in facts.column_counts.items())
        yield _row("ragged", _count(facts.ragged, facts.ragged_lines) + (f" ({rows})" if facts.ragged else ""))
    verb = "sentence occurs" if facts.duplicates == 1 else "sentences occur"
    yield _row("duplicates", f"{facts.duplicates:,} {verb} earlier in the file" if facts.duplicates else "none")
    for name, lines, meaning in (
        ("cut words", facts.cut, "lines where an entity begins or ends within a word"),
        ("dropped", facts.dropped, "entities that longer ones overlap"),
        ("unannotated", facts.unannotated, "objects without a key for entities"),
    ):
        if lines:
            yield _row(name, f"{len(lines):,} {meaning}: lines {some_lines(lines)}")
    yield from _lengths(facts)


def _columns(facts: FileFacts) -> str:
    if facts.columns is None:
        return f"none: {FORMATS[facts.format].description}"
    tag = "no tag" if facts.tag_column is None else f"tag {facts.tag_column}"
    if facts.other_tag_columns:
        tag += f" (not read: the tags of {', '.join(map(str, facts.other_tag_columns))})"
    rest = " (a character and its index in the word, which is left out)" if facts.has_char_index else ""
    if facts.language:
        rest = f" (behind '{facts.language}', which is left out)"
    return f"token {facts.token_column}{rest}, {tag}, of {facts.columns}, separated by {facts.separator}s"


def _count(count: int, lines: tuple[int, ...]) -> str:
    return f"{count:,}: lines {some_lines(lines)}" if count else "none"


def _lengths(facts: FileFacts) -> Iterator[str]:
    lengths = facts.lengths
    yield _row(
        "length",
        f"{lengths.shortest:,} to {lengths.longest:,} tokens, mean {lengths.mean:.1f}, "
        f"half up to {lengths.median:,}, 95% up to {lengths.most:,}",
    )
    bins = _bins(lengths.counts)
    widest = max(bins.values())
    for name, count in bins.items():
        yield _row("", f"{name:>9}  {count:>9,}  {'#' * round(_BAR * count / widest)}".rstrip())


def _bins(counts: Mapping[int, int]) -> dict[str, int]:
    """The number of sentences by ranges of length."""
    bins = {"0": counts[0]} if 0 in counts else {}
    for low, high in pairwise((*_EDGES, max(*counts, _EDGES[-1] + 1))):
        name = f"{low + 1}-{high}" if high > low + 1 else str(high)
        bins[name] = sum(count for length, count in counts.items() if low < length <= high)
    last = max((index for index, count in enumerate(bins.values()) if count), default=0)
    return dict(list(bins.items())[: last + 1])


def _overlap_rows(pair: Overlap, inspection: Inspection) -> Iterator[str]:
    facts = next(facts for facts in inspection.files if facts.path == pair.second)
    share = pair.sentences / facts.sentences
    yield f"  of {pair.second} in {pair.first}"
    yield _row(
        "sentences",
        f"{pair.sentences:,} of {facts.sentences:,} ({share:.1%}), "
        f"{pair.long_sentences:,} of them of more than {LONG} tokens",
    )
    if facts.entities:
        yield _row("entities", f"{pair.entities:,} of {facts.entities:,} ({pair.entities / facts.entities:.1%})")
    if pair.new_labels:
        yield _row("new labels", f"{', '.join(pair.new_labels)}: they are not in {pair.first}")


def _row(name: str, text: str) -> str:
    return f"  {name:<11} {text}"
