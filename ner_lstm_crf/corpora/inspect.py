"""The statistics that a careful person wants to know of annotated files before training on them, and these as text.

Columns, scheme and the evidence for it, sizes, labels, lengths; ill-formed tags, ragged rows and duplicates; and for
every two files the part of the second that is in the first: a test sentence that was trained on measures memory.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations, pairwise
from typing import Any

from ner_lstm_crf.corpora.statistics import LONG, FileStatistics, Lengths, Overlap
from ner_lstm_crf.corpora.warnings import file_warnings, pair_warnings
from ner_lstm_crf.errors import counted
from ner_lstm_crf.files.text import FilePath
from ner_lstm_crf.formats.options import ReadOptions, some_lines
from ner_lstm_crf.formats.registry import FORMATS, detect_format
from ner_lstm_crf.progress import Progress, silent

_EDGES = (0, 1, 5, 10, 20, 40, 80, 160, 320)
_BAR = 40  # characters of the longest bar


@dataclass(frozen=True, slots=True)
class Inspection:
    """Files and how they overlap."""

    files: tuple[FileStatistics, ...]
    overlap: tuple[Overlap, ...]

    def to_json(self) -> dict[str, Any]:
        """The statistics as values for JSON: `{"files": [...], "overlap": [...], "warnings": [...]}`."""
        files = zip(self.files, self.warnings, strict=True)
        return {
            "files": [{**statistics.to_json(), "warnings": warnings} for statistics, warnings in files],
            "overlap": [asdict(pair) for pair in self.overlap],
            "warnings": self.shared_warnings,
        }

    @property
    def warnings(self) -> list[list[str]]:
        """The warnings of each file; it is the first that a model learns from."""
        return [list(file_warnings(statistics, trains=statistics is self.files[0])) for statistics in self.files]

    @property
    def shared_warnings(self) -> list[str]:
        """The warnings of every two files."""
        return [line for pair in combinations(self.files, 2) for line in pair_warnings(*pair)]


def inspect_files(
    paths: Sequence[FilePath], options: ReadOptions | None = None, *, progress: Progress = silent
) -> Inspection:
    """Read files and collect the statistics about them.

    Raises:
        InputError: If a file cannot be read or is malformed.
    """
    options, files = options or ReadOptions(), list[FileStatistics]()
    for done, path in enumerate(paths):
        progress(done, len(paths))
        file_format = detect_format(path, options)
        statistics = FileStatistics(path=os.fspath(path), format=file_format.name)
        for sentence in file_format.read(path, options, statistics):
            statistics.add(sentence)
        files.append(statistics)
    progress(len(paths), len(paths))
    options.labels.warn_of_missing(
        ", ".join(statistics.path for statistics in files), {name for statistics in files for name in statistics.names}
    )
    return Inspection(tuple(files), tuple(Overlap.of(*pair) for pair in combinations(files, 2)))


def describe(inspection: Inspection) -> str:
    """The findings, file by file, then what the files share."""
    parts = [
        "\n".join([statistics.path, *_file(statistics), *(_row("warning", line) for line in warnings)])
        for statistics, warnings in zip(inspection.files, inspection.warnings, strict=True)
    ]
    if inspection.overlap:
        rows = [line for pair in inspection.overlap for line in _overlap_rows(pair, inspection)]
        parts.append("\n".join(["overlap", *rows, *(_row("warning", line) for line in inspection.shared_warnings)]))
    return "\n\n".join(parts)


def _file(statistics: FileStatistics) -> Iterator[str]:
    yield _row("columns", _columns(statistics))
    yield _row("scheme", statistics.evidence or "none: there are no tags")
    sizes = ((statistics.documents, "document"), (statistics.sentences, "sentence"), (statistics.tokens, "token"))
    yield _row("size", ", ".join(counted(count, name) for count, name in sizes))
    labels = ", ".join(f"{label} {count:,}" for label, count in statistics.per_label.most_common())
    yield _row("entities", f"{statistics.per_label.total():,}: {labels}" if labels else "none")
    yield _row("ill-formed", _count(statistics.ill_formed))
    if statistics.unknown:
        tokens = counted(len(statistics.unknown), "token")
        yield _row("unknown", f"{tokens} whose tag is not known: {some_lines(statistics.unknown)}")
    if statistics.layout is not None:
        rows = ", ".join(f"{counted(count, 'row')} of {width}" for width, count in sorted(statistics.widths.items()))
        yield _row("ragged", _count(statistics.ragged) + (f" ({rows})" if statistics.ragged else ""))
    duplicates = counted(statistics.duplicates, "sentence occurs", "sentences occur")
    yield _row("duplicates", f"{duplicates} earlier in the file" if statistics.duplicates else "none")
    for name, lines, one, meaning in (
        ("left out", statistics.skipped, "line", "without a token (names of columns, marks)"),
        ("joined", statistics.marked, "byte order mark", "within the file, left out"),
        ("padded", statistics.padded, "tag", "with white space around, left out"),
        (
            "empty",
            statistics.empty,
            "token",
            "without a character, as pandas writes NaN: training leaves out its sentence",
        ),
        ("returning", statistics.returning, "sentence number", "out of order: sort the rows by that column"),
        ("untagged", statistics.untagged, "token", "without the feature that holds the tags, read as O"),
        ("cut words", statistics.cut, "entity", "with a begin or an end within a word"),
        ("trimmed", statistics.trimmed, "entity", "with white space at an end, left out"),
        ("dropped", statistics.dropped, "entity", "under a longer one, left out"),
        ("in pieces", statistics.split, "entity", "of several pieces, left out"),
        ("UTF-16", statistics.utf_16, "text", "whose offsets count UTF-16 units, an emoji as two"),
        ("rejected", statistics.rejected, "annotation", "rejected by an annotator"),
        ("unannotated", statistics.unannotated, "object", "without a key for entities"),
    ):
        if lines:
            many = "entities" if one == "entity" else f"{one}s"
            yield _row(name, f"{counted(len(lines), one, many)} {meaning}: {some_lines(lines)}")
    yield from _lengths(Lengths.of(statistics.lengths))


def _columns(statistics: FileStatistics) -> str:
    layout = statistics.layout
    if layout is None:
        return f"none: {FORMATS[statistics.format].description}"
    tag = "no tag" if layout.tag is None else f"tag {layout.tag + 1}"
    if layout.key is not None:
        tag += f" (the feature {layout.key})"
    if layout.other_tag_columns:
        tag += f" (not read: the tags of {', '.join(str(column + 1) for column in layout.other_tag_columns)})"
    rest = " (a character and its index in the word, which is left out)" if layout.has_char_index else ""
    if layout.language:
        rest = f" (behind '{layout.language}', which is left out)"
    if layout.sentence is not None:
        tag += f", sentences by {layout.sentence.column + 1}"
    return f"token {layout.token + 1}{rest}, {tag}, of {layout.width}, separated by {layout.separator}s"


def _count(lines: Sequence[int]) -> str:
    return f"{len(lines):,}: {some_lines(lines)}" if lines else "none"


def _lengths(lengths: Lengths) -> Iterator[str]:
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
    statistics = next(statistics for statistics in inspection.files if statistics.path == pair.second)
    share = pair.sentences / statistics.sentences
    yield f"  of {pair.second} in {pair.first}"
    yield _row(
        "sentences",
        f"{pair.sentences:,} of {statistics.sentences:,} ({share:.1%}), "
        f"{pair.long_sentences:,} of them of more than {LONG} tokens",
    )
    if entities := statistics.per_label.total():
        yield _row("entities", f"{pair.entities:,} of {entities:,} ({pair.entities / entities:.1%})")
    if pair.new_labels:
        yield _row("new labels", f"{', '.join(pair.new_labels)}: they are not in {pair.first}")


def _row(name: str, text: str) -> str:
    return f"  {name:<11} {text}"
