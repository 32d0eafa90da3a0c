"""Span precision, recall and F1, as counts that can be added.

A predicted span is right if its start, its end and its label are those of a gold span. Scores of files, batches or
runs add up; every sentence keeps its own counts, which is what a bootstrap resamples (see `significance`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ner_lstm_crf.tags.scheme import DecodedTags
from ner_lstm_crf.text.annotation import Sentence, Span

__all__ = ["Evaluation", "Score", "evaluate_decoded", "evaluate_spans"]


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
        """The share of the predicted spans that are right."""
        return self.true_positives / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """The share of the gold spans that were found."""
        return self.true_positives / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
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


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How well predicted spans match gold ones, over any number of sentences.

    Attributes:
        per_label: The score of each label that occurs in gold or prediction, sorted by label.
        by_sentence: The score of each sentence over all labels, in the order of the sentences.
        ill_formed: How many sentences have a predicted tag that breaks the scheme.
        ill_formed_tags: How many predicted tags break the scheme.
    """

    per_label: Mapping[str, Score] = field(default_factory=dict)
    by_sentence: tuple[Score, ...] = field(default=(), repr=False)
    ill_formed: int = 0
    ill_formed_tags: int = 0

    def __add__(self, other: Evaluation) -> Evaluation:
        labels = sorted({*self.per_label, *other.per_label})
        return Evaluation(
            {label: self.per_label.get(label, _NONE) + other.per_label.get(label, _NONE) for label in labels},
            self.by_sentence + other.by_sentence,
            self.ill_formed + other.ill_formed,
            self.ill_formed_tags + other.ill_formed_tags,
        )

    @property
    def micro(self) -> Score:
        """All spans alike, whatever their label: the usual score of the field."""
        return sum(self.per_label.values(), _NONE)

    @property
    def macro_precision(self) -> float:
        """The mean precision of the labels."""
        return self._mean([score.precision for score in self.per_label.values()])

    @property
    def macro_recall(self) -> float:
        """The mean recall of the labels."""
        return self._mean([score.recall for score in self.per_label.values()])

    @property
    def macro_f1(self) -> float:
        """The mean F1 of the labels, those that were only predicted included, as in seqeval."""
        return self._mean([score.f1 for score in self.per_label.values()])

    @property
    def support(self) -> int:
        """The number of gold spans."""
        return self.micro.gold

    @staticmethod
    def _mean(values: Sequence[float]) -> float:
        return sum(values) / len(values) if values else 0.0

    def to_json(self) -> dict[str, Any]:
        """The whole as plain values; ratios are fractions between 0 and 1."""
        return {
            **self.micro.to_json(),
            "macro_precision": self.macro_precision,
            "macro_recall": self.macro_recall,
            "macro_f1": self.macro_f1,
            "per_label": {label: score.to_json() for label, score in self.per_label.items()},
            "sentences": len(self.by_sentence),
            "ill_formed": self.ill_formed,
            "ill_formed_tags": self.ill_formed_tags,
        }

    def table(self) -> str:
        """The scores as lines of text: one per label, then micro and macro, then what was ill-formed.

        Example:
            >>> print(evaluate_spans([[Span(0, 1, "PER")]], [[Span(0, 1, "PER")]]).table())
            label  precision  recall      f1  support  predicted
            PER       1.0000  1.0000  1.0000        1          1
            micro     1.0000  1.0000  1.0000        1          1
            macro     1.0000  1.0000  1.0000        1          1
            ill-formed: 0 of 1 sentences (0 tags)
        """
        micro = self.micro
        macro = (self.macro_precision, self.macro_recall, self.macro_f1, micro.gold, micro.predicted)
        rows = [(label, *score.to_json().values()) for label, score in self.per_label.items()]
        rows += [("micro", *micro.to_json().values()), ("macro", *macro)]
        width = max(len(str(row[0])) for row in rows)
        lines = [f"{'label':<{width}}  precision  recall      f1  support  predicted"]
        lines += [f"{n:<{width}}  {p:9.4f}  {r:.4f}  {f:.4f}  {s:>7,}  {k:>9,}" for n, p, r, f, s, k in rows]
        sentences = f"{self.ill_formed:,} of {len(self.by_sentence):,} sentences"
        return "\n".join([*lines, f"ill-formed: {sentences} ({self.ill_formed_tags:,} tags)"])


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
        ValueError: If one has more sentences than the other.

    Example:
        >>> evaluate_spans([[Span(0, 2, "PER")]], [[Span(0, 1, "PER")]]).micro
        Score(true_positives=0, predicted=1, gold=1)
    """
    counts: tuple[Counter[str], Counter[str], Counter[str]] = (Counter(), Counter(), Counter())
    by_sentence = []
    for true, found in zip(gold, predicted, strict=True):
        right = set(true).intersection(found)
        by_sentence.append(Score(len(right), len(found), len(true)) if true or found else _NONE)
        for count, spans in zip(counts, (right, found, true), strict=True):
            count.update(span.label for span in spans)
    labels = sorted({*counts[1], *counts[2]})
    broken = [len(positions) for positions in ill_formed if positions]
    return Evaluation(
        {label: Score(*(count[label] for count in counts)) for label in labels},
        tuple(by_sentence),
        len(broken),
        sum(broken),
    )


def evaluate_decoded(gold: Iterable[Sentence], found: Sequence[DecodedTags]) -> Evaluation:
    """Compare the spans of gold sentences with what was found in them, ill-formed tags counted.

    Raises:
        ValueError: If one has more sentences than the other.
    """
    return evaluate_spans(
        (sentence.spans for sentence in gold),
        (decoded.spans for decoded in found),
        ill_formed=(decoded.ill_formed for decoded in found),
    )
