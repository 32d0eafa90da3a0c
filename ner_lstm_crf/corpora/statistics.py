"""Statistics of annotated sentences, of a file or of a part of the data, and of what two of them share."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from itertools import accumulate
from typing import Any

from ner_lstm_crf.formats.options import ReadReport
from ner_lstm_crf.text.annotation import Sentence

LONG = 3
"""Sentences of more tokens than this are hardly equal by chance."""


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
class FileStatistics(ReadReport):
    """The findings of reading a file, and counts of its sentences. Memory stays small: words are kept as hashes.

    Attributes:
        path: The file, or the name of the part of the data.
        format: The name of its format; "" if it is no file.
        per_label: The number of entities of each label, by its new name.
        tokens_per_label: The number of tokens in these.
        lengths: The number of sentences by their length in tokens.
        hashes: The number of sentences by their hash, and True if they are long.
        entity_hashes: The number of entities by the hash of their words and label.
    """

    path: str
    format: str = ""
    per_label: Counter[str] = field(default_factory=Counter)
    tokens_per_label: Counter[str] = field(default_factory=Counter)
    lengths: Counter[int] = field(default_factory=Counter)
    hashes: Counter[tuple[int, bool]] = field(default_factory=Counter)
    entity_hashes: Counter[int] = field(default_factory=Counter)

    def add(self, sentence: Sentence) -> None:
        """Count one sentence; `count`, which readers call, counts what a report does."""
        words = tuple(sentence.words)
        self.lengths[len(words)] += 1
        self.hashes[hash(words), len(words) > LONG] += 1
        for start, end, label in sentence.spans:
            self.per_label[label] += 1
            self.tokens_per_label[label] += end - start
            self.entity_hashes[hash((label, words[start:end]))] += 1

    @property
    def duplicates(self) -> int:
        """The number of sentences that occur earlier in the file."""
        return self.sentences - len(self.hashes)

    def to_json(self) -> dict[str, Any]:
        """All of them as values for JSON. Columns and lines count from 1; of a file without columns, they are None."""
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
            "tag_key": layout.key if layout else None,
            "sentence_column": layout.sentence.column + 1 if layout and layout.sentence else None,
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
            "skipped": self.skipped,
            "marked": self.marked,
            "padded": self.padded,
            "empty": self.empty,
            "trimmed": self.trimmed,
            "returning": self.returning,
            "untagged": self.untagged,
            "cut": self.cut,
            "dropped": self.dropped,
            "split": self.split,
            "utf_16": self.utf_16,
            "rejected": self.rejected,
            "unannotated": self.unannotated,
            "unknown": self.unknown,
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

    @classmethod
    def of(cls, first: FileStatistics, second: FileStatistics) -> Overlap:
        """The part of the second that is in the first."""
        shared = {key: count for key, count in second.hashes.items() if key in first.hashes}
        return cls(
            first=first.path,
            second=second.path,
            sentences=sum(shared.values()),
            long_sentences=sum(count for (_, is_long), count in shared.items() if is_long),
            entities=sum(count for entity, count in second.entity_hashes.items() if entity in first.entity_hashes),
            new_labels=tuple(sorted(second.per_label.keys() - first.per_label.keys())),
        )


def _quantile(counts: dict[int, int], share: float) -> int:
    """The smallest length that at least this share of the sentences does not exceed."""
    cumulated = zip(counts, accumulate(counts.values()), strict=True)
    return next(length for length, seen in cumulated if seen >= share * sum(counts.values()))
