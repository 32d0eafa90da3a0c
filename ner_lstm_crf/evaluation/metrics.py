"""Span precision, recall and F1, as counts that can be added, and figures over several runs.

A predicted span is right if its start, its end and its label are those of a gold span. Scores of files, batches or
runs add up; every sentence keeps its own counts, which is what a bootstrap resamples (see `significance`).
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import zip_longest
from typing import Any, NamedTuple
from unicodedata import east_asian_width

from ner_lstm_crf.errors import counted
from ner_lstm_crf.text.annotation import Sentence, Span


@dataclass(frozen=True, slots=True)
class Score:
    """Counts of spans. A ratio whose denominator is zero is 0.0.

    Attributes:
        true_positives: The spans that are both predicted and gold.
        predicted: The spans predicted.
        gold: The spans to be found, the support.

    Example:
        >>> (Score(1, 2, 2) + Score(1, 1, 2)).f1
        0.5714285714285714
    """

    true_positives: int = 0
    predicted: int = 0
    gold: int = 0

    def __add__(self, other: Score) -> Score:
        return Score(
            self.true_positives + other.true_positives, self.predicted + other.predicted, self.gold + other.gold
        )

    @property
    def precision(self) -> float:
        """Share of the predicted spans that are right."""
        return self.true_positives / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """Share of the gold spans that are predicted."""
        return self.true_positives / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.true_positives / (self.predicted + self.gold) if self.predicted + self.gold else 0.0

    def to_json(self) -> dict[str, float | int]:
        """Fractions and counts under the names that the command line reports."""
        return {
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
            "support": self.gold,
            "predicted": self.predicted,
        }


class MeanScore(NamedTuple):
    """Mean precision, recall and F1 of several labels."""

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, slots=True, repr=False)
class Evaluation:
    """Scores of predicted spans over any number of sentences.

    Attributes:
        per_label: The score of each label that occurs in gold or prediction, sorted by label.
        by_sentence: The score of each sentence over all labels, in the order of the sentences.
        ill_formed: The number of sentences with a predicted tag that breaks the scheme.
        ill_formed_tags: The number of predicted tags that break the scheme.
    """

    per_label: Mapping[str, Score] = field(default_factory=dict)
    by_sentence: tuple[Score, ...] = field(default=(), repr=False)
    ill_formed: int = 0
    ill_formed_tags: int = 0

    def __repr__(self) -> str:
        micro, sentences = self.micro, len(self.by_sentence)
        scores = f"F1 {micro.f1:.4f}, precision {micro.precision:.4f}, recall {micro.recall:.4f}"
        entities = counted(micro.gold, "entity", "entities")
        return f"<Evaluation: {scores}; {entities} in {counted(sentences, 'sentence')}>"

    def __add__(self, other: Evaluation) -> Evaluation:
        if not isinstance(other, Evaluation):
            return NotImplemented
        labels = sorted({*self.per_label, *other.per_label})
        return Evaluation(
            {label: self.per_label.get(label, _NONE) + other.per_label.get(label, _NONE) for label in labels},
            self.by_sentence + other.by_sentence,
            self.ill_formed + other.ill_formed,
            self.ill_formed_tags + other.ill_formed_tags,
        )

    @property
    def micro(self) -> Score:
        """Score of all spans alike, whatever their label: the usual score of the field."""
        return sum(self.per_label.values(), _NONE)

    @property
    def macro(self) -> MeanScore:
        """Mean over the labels, those that were only predicted included, as in seqeval; zeros if there are none."""
        scores = self.per_label.values()
        count = len(scores) or 1
        return MeanScore(
            sum(score.precision for score in scores) / count,
            sum(score.recall for score in scores) / count,
            sum(score.f1 for score in scores) / count,
        )

    def to_json(self) -> dict[str, Any]:
        """All scores as plain values; ratios are fractions between 0 and 1."""
        return {
            **self.micro.to_json(),
            **{f"macro_{name}": value for name, value in self.macro._asdict().items()},
            "per_label": {label: score.to_json() for label, score in self.per_label.items()},
            "sentences": len(self.by_sentence),
            "ill_formed": self.ill_formed,
            "ill_formed_tags": self.ill_formed_tags,
        }

    def table(self) -> str:
        """Scores as lines of text: one per label, then micro and macro, then the ill-formed sentences.

        Example:
            >>> print(evaluate_spans([[Span(0, 1, "PER")]], [[Span(0, 1, "PER")]]).table())
            label  precision  recall      f1  support  predicted
            PER       1.0000  1.0000  1.0000        1          1
            micro     1.0000  1.0000  1.0000        1          1
            macro     1.0000  1.0000  1.0000        1          1
            ill-formed: 0 of 1 sentences (0 tags)
        """
        micro = self.micro
        scored: list[tuple[str, Score | MeanScore, Score]]
        scored = [(label, score, score) for label, score in self.per_label.items()]
        scored += [("micro", micro, micro), ("macro", self.macro, micro)]
        rows = [("label", "precision", "recall", "f1", "support", "predicted")]
        for name, ratios, counts in scored:
            shares = f"{ratios.precision:.4f}", f"{ratios.recall:.4f}", f"{ratios.f1:.4f}"
            rows.append((name, *shares, f"{counts.gold:,}", f"{counts.predicted:,}"))
        sentences = f"{self.ill_formed:,} of {len(self.by_sentence):,} sentences"
        return f"{text_table(rows, '<>>>>>')}\nill-formed: {sentences} ({self.ill_formed_tags:,} tags)"


_NONE = Score()


def evaluate_spans(
    gold: Iterable[Sequence[Span]],
    predicted: Iterable[Sequence[Span]],
    *,
    ill_formed: Iterable[Sequence[int]] = (),
) -> Evaluation:
    """Compare the spans of each sentence.

    Args:
        gold: The true spans of each sentence, without duplicates.
        predicted: The predicted ones, of the same sentences in the same order; a duplicate counts as wrong.
        ill_formed: The positions of each sentence's ill-formed tags, as `Scheme.decode` returns them; only counted.

    Raises:
        TypeError: If what stands for a sentence is no collection of spans.
        ValueError: If one has more sentences than the other.

    Example:
        >>> evaluate_spans([[Span(0, 2, "PER")]], [[Span(0, 1, "PER")]]).micro
        Score(true_positives=0, predicted=1, gold=1)
    """
    true_counts, predicted_counts, gold_counts = Counter[str](), Counter[str](), Counter[str]()
    by_sentence = list[Score]()
    for gold_spans, predicted_spans in zip_longest(gold, predicted):
        if gold_spans is None or predicted_spans is None:
            more, fewer = ("gold", "predicted") if predicted_spans is None else ("predicted", "gold")
            raise ValueError(f"expected as many sentences, got {len(by_sentence)} of {fewer} and more of {more}")
        for spans in (gold_spans, predicted_spans):
            if isinstance(spans, Sentence) or not {*map(type, spans)} <= {Span}:
                number = len(by_sentence) + 1
                raise TypeError(
                    f"expected the spans of sentence {number}, got {spans!r:.60}: its spans are sentence.spans"
                )
        true_positives = set(gold_spans).intersection(predicted_spans)
        score = Score(len(true_positives), len(predicted_spans), len(gold_spans))
        by_sentence.append(score if gold_spans or predicted_spans else _NONE)
        true_counts.update(span.label for span in true_positives)
        predicted_counts.update(span.label for span in predicted_spans)
        gold_counts.update(span.label for span in gold_spans)
    per_label = {
        label: Score(true_counts[label], predicted_counts[label], gold_counts[label])
        for label in sorted({*predicted_counts, *gold_counts})
    }
    broken = [len(positions) for positions in ill_formed if positions]
    return Evaluation(per_label, tuple(by_sentence), len(broken), sum(broken))


@dataclass(frozen=True, slots=True)
class Summary:
    """Mean and sample standard deviation of one figure over several runs.

    Example:
        >>> print(Summary.of([0.75, 0.77]))
        0.7600 ± 0.0141
    """

    mean: float
    deviation: float
    runs: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Summary:
        """Summarise the values; the deviation of a single one is 0.

        Raises:
            ValueError: If there are none.
        """
        if not values:
            raise ValueError("expected at least one value, got none")
        return cls(statistics.mean(values), statistics.stdev(values) if len(values) > 1 else 0.0, len(values))

    def __str__(self) -> str:
        return f"{self.mean:.4f} ± {self.deviation:.4f}"

    def to_json(self) -> dict[str, float | int]:
        """The fields by name."""
        return asdict(self)


def text_table(rows: Sequence[Sequence[str]], align: str) -> str:
    """Lines of text with columns as wide as their widest cell, two spaces apart; a Han character is two wide.

    Args:
        rows: The cells of each line, the heading's first.
        align: For each column "<" for left or ">" for right.

    Example:
        >>> print(text_table([("label", "entities"), ("PER", "12")], "<>"))
        label  entities
        PER          12
    """

    def width(cell: str) -> int:
        """The columns of a terminal that a cell takes."""
        return len(cell) + sum(east_asian_width(character) in "WF" for character in cell)

    lines = [""] * len(rows)
    for side, column in zip(align, zip(*rows, strict=True), strict=True):
        widest = max(map(width, column))
        for number, cell in enumerate(column):
            padding = " " * (widest - width(cell))
            lines[number] += f"{cell}{padding}  " if side == "<" else f"{padding}{cell}  "
    return "\n".join(line.rstrip() for line in lines)
