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

from ner_lstm_crf.files.text import FilePath
from ner_lstm_crf.formats.options import ReadOptions, ReadReport, counted, some_lines
from ner_lstm_crf.formats.registry import FORMATS, detect_format
from ner_lstm_crf.progress import Progress, silent

LONG = 3
"""Sentences of more tokens than this are hardly equal by chance."""

_EDGES = (0, 1, 5, 10, 20, 40, 80, 160, 320)
_BAR = 40  # characters of the longest bar


@dataclass(frozen=True, slots=True)
class Lengths:
    """The lengths of sentences, in tokens: half of them are no longer than `median`, 95% no longer than `most`.

    Attributes:
        counts: The number of sentences by length, the shortest first.
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


@dataclass(slots=True, kw_only=True)
class FileFacts(ReadReport):
    """The findings of reading a file, and counts of its sentences. Memory stays small: words are kept as hashes.

    Attributes:
        path: The file.
        format: The name of its format.
        per_label: The number of entities of each label, by its new name.
        lengths: The number of sentences by their length in tokens.
        hashes: The number of sentences by their hash, and True if they are long.
        entity_hashes: The number of entities by the hash of their words and label.
    """

    path: str
    format: str
    per_label: Counter[str] = field(default_factory=Counter)
    lengths: Counter[int] = field(default_factory=Counter)
    hashes: Counter[tuple[int, bool]] = field(default_factory=Counter)
    entity_hashes: Counter[int] = field(default_factory=Counter)

    @property
    def duplicates(self) -> int:
        """The number of sentences that occur earlier in the file."""
        return self.sentences - len(self.hashes)

    def to_json(self) -> dict[str, Any]:
        """The facts as values for JSON. Columns and lines count from 1; of a file without columns, they are None."""
        layout = self.layout
        return {
            "path": self.path,
            "format": self.format,
            "sentences": self.sentences,
            "tokens": self.tokens,
            "entities": self.per_label.total(),
            "documents": self.documents,
            "per_label": dict(self.per_label.most_common()),
            "lengths": asdict(Lengths.of(self.lengths)),
            "scheme": self.scheme,
            "evidence": self.evidence,
            "columns": layout.width if layout else None,
            "token_column": layout.token + 1 if layout else None,
            "tag_column": layout.tag + 1 if layout and layout.tag is not None else None,
            "other_tag_columns": [column + 1 for column in layout.other_tag_columns] if layout else [],
            "separator": layout.separator if layout else None,
            "has_char_index": layout.has_char_index if layout else False,
            "language": layout.language if layout else "",
            "column_counts": dict(sorted(self.widths.items())),
            "ill_formed": len(self.ill_formed),
            "ill_formed_lines": self.ill_formed,
            "ragged": len(self.ragged),
            "ragged_lines": self.ragged,
            "duplicates": self.duplicates,
            "comments": self.comments,
            "cut": self.cut,
            "dropped": self.dropped,
            "rejected": self.rejected,
            "unannotated": self.unannotated,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """The part of the second file that is in the first.

    Attributes:
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
        return {"files": [facts.to_json() for facts in self.files], "overlap": [asdict(pair) for pair in self.overlap]}


def inspect_files(
    paths: Sequence[FilePath], options: ReadOptions | None = None, *, progress: Progress = silent
) -> Inspection:
    """Read files and collect the facts about them.

    Raises:
        InputError: If a file cannot be read or is malformed.
    """
    options, files = options or ReadOptions(), list[FileFacts]()
    for done, path in enumerate(paths):
        progress(done, len(paths))
        file_format = detect_format(path, options.encoding)
        facts = FileFacts(path=os.fspath(path), format=file_format.name)
        for sentence in file_format.read(path, options, facts):
            words = tuple(sentence.words)
            facts.lengths[len(words)] += 1
            facts.hashes[hash(words), len(words) > LONG] += 1
            for start, end, label in sentence.spans:
                facts.per_label[label] += 1
                facts.entity_hashes[hash((label, words[start:end]))] += 1
        files.append(facts)
    progress(len(paths), len(paths))
    options.labels.warn_of_missing(
        ", ".join(facts.path for facts in files), {name for facts in files for name in facts.names}
    )
    return Inspection(tuple(files), tuple(_overlap(first, second) for first, second in combinations(files, 2)))


def _overlap(first: FileFacts, second: FileFacts) -> Overlap:
    shared = Counter({key: count for key, count in second.hashes.items() if key in first.hashes})
    return Overlap(
        first=first.path,
        second=second.path,
        sentences=shared.total(),
        long_sentences=sum(count for (_, is_long), count in shared.items() if is_long),
        entities=sum(count for entity, count in second.entity_hashes.items() if entity in first.entity_hashes),
        new_labels=tuple(sorted(second.per_label.keys() - first.per_label.keys())),
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
    labels = ", ".join(f"{label} {count:,}" for label, count in facts.per_label.most_common())
    yield _row("entities", f"{facts.per_label.total():,}: {labels}" if labels else "none")
    yield _row("ill-formed", _count(facts.ill_formed))
    if facts.layout is not None:
        rows = ", ".join(f"{counted(count, 'row')} of {width}" for width, count in sorted(facts.widths.items()))
        yield _row("ragged", _count(facts.ragged) + (f" ({rows})" if facts.ragged else ""))
    verb = "sentence occurs" if facts.duplicates == 1 else "sentences occur"
    yield _row("duplicates", f"{facts.duplicates:,} {verb} earlier in the file" if facts.duplicates else "none")
    for name, lines, meaning in (
        ("cut words", facts.cut, "entities that begin or end within a word"),
        ("dropped", facts.dropped, "entities that longer ones overlap"),
        ("rejected", facts.rejected, "records or entities that an annotator rejected"),
        ("unannotated", facts.unannotated, "objects without a key for entities"),
    ):
        if lines:
            yield _row(name, f"{len(lines):,} {meaning}: lines {some_lines(lines)}")
    yield from _lengths(Lengths.of(facts.lengths))


def _columns(facts: FileFacts) -> str:
    layout = facts.layout
    if layout is None:
        return f"none: {FORMATS[facts.format].description}"
    tag = "no tag" if layout.tag is None else f"tag {layout.tag + 1}"
    if layout.other_tag_columns:
        tag += f" (not read: the tags of {', '.join(str(column + 1) for column in layout.other_tag_columns)})"
    rest = " (a character and its index in the word, which is left out)" if layout.has_char_index else ""
    if layout.language:
        rest = f" (behind '{layout.language}', which is left out)"
    return f"token {layout.token + 1}{rest}, {tag}, of {layout.width}, separated by {layout.separator}s"


def _count(lines: Sequence[int]) -> str:
    return f"{len(lines):,}: lines {some_lines(lines)}" if lines else "none"


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
    facts = next(facts for facts in inspection.files if facts.path == pair.second)
    share = pair.sentences / facts.sentences
    yield f"  of {pair.second} in {pair.first}"
    yield _row(
        "sentences",
        f"{pair.sentences:,} of {facts.sentences:,} ({share:.1%}), "
        f"{pair.long_sentences:,} of them of more than {LONG} tokens",
    )
    if entities := facts.per_label.total():
        yield _row("entities", f"{pair.entities:,} of {entities:,} ({pair.entities / entities:.1%})")
    if pair.new_labels:
        yield _row("new labels", f"{', '.join(pair.new_labels)}: they are not in {pair.first}")


def _row(name: str, text: str) -> str:
    return f"  {name:<11} {text}"
