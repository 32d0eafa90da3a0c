"""Calibration: whether entities with a score of 0.9 are right nine times of ten, and the temperature that makes it so.

The expected calibration error (ECE) puts entities into bins by their scores and is the mean difference, over the
entities, between the mean score of a bin and the share of its entities that are right (Naeini, Cooper and Hauskrecht
2015, Obtaining well calibrated probabilities using Bayesian binning; Guo et al. 2017, On calibration of modern neural
networks). Bins have equal widths, or, adaptively, equal numbers of entities (Nguyen and O'Connor 2015, Posterior
calibration and exploratory analysis for natural language processing models).

The temperature T divides emissions and transition scores. It is fitted by maximum likelihood: the mean of

    log Z(emissions / T, transitions / T) - score(gold tags) / T

over gold sentences is convex in 1 / T, so that a golden-section search over log T finds the least. A weak normal prior
on log T keeps it near 1 where there are few sentences. Where labels are not annotated, the score of the gold tags is
the log of the sum over all paths that agree with what is.

Letters: P entities, S sentences, N tokens of all, B sentences of a batch, T tokens of its longest, K tags.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from math import exp, log, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ner_lstm_crf import crf
from ner_lstm_crf.evaluation.metrics import Score, text_table
from ner_lstm_crf.features.batch import RaggedSentences, like_lengths
from ner_lstm_crf.features.token_feature import Ids
from ner_lstm_crf.isolation import computing
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.tagging.decoding import Emissions, at_least, spans_of
from ner_lstm_crf.tagging.predictor import BATCH_SENTENCES, BATCH_TOKENS, emissions_of
from ner_lstm_crf.tags.labels import LabelMap
from ner_lstm_crf.text.annotation import Sentence, Span

BINS = 15
SURE = 0.9
THRESHOLDS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
_LEAST_T, _MOST_T = 0.1, 10.0
_PRIOR = 0.5  # standard deviation of log T before any sentence is seen


@dataclass(frozen=True, slots=True)
class Bin:
    """Entities with like scores.

    Attributes:
        low: The lowest score of the bin.
        high: The highest.
        count: The number of entities.
        score: Their mean score.
        precision: The share of them that are right.
    """

    low: float
    high: float
    count: int
    score: float
    precision: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Scores of predicted entities, and which of these are right.

    Attributes:
        scores: The score of each entity, from 0 to 1 (P,).
        right: True if an entity is right (P,).

    Raises:
        ValueError: If there are not as many of both.

    Example:
        >>> round(Calibration(np.array([0.9, 0.9, 0.5]), np.array([True, True, False])).error(), 4)
        0.2333
    """

    scores: NDArray[np.float64]
    right: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if self.scores.shape != self.right.shape or self.scores.ndim != 1:
            raise ValueError(f"expected a score for each entity, got {self.scores.shape} for {self.right.shape}")

    @classmethod
    def of(
        cls,
        gold: Iterable[Sequence[Span]],
        predicted: Iterable[Sequence[Span]],
        scores: Iterable[Sequence[float]],
    ) -> Calibration:
        """The scores of the spans predicted in sentences with these gold spans."""
        found, right = list[float](), list[bool]()
        for true, spans, of_spans in zip(gold, predicted, scores, strict=True):
            expected = set(true)
            found += of_spans
            right += [span in expected for span in spans]
        return cls(np.array(found, np.float64), np.array(right, np.bool_))

    def bins(self, count: int = BINS, *, adaptive: bool = False) -> list[Bin]:
        """The entities by their scores.

        Args:
            count: The number of bins; those without entities are left out.
            adaptive: True for bins of equal numbers of entities, False for such of equal widths.
        """
        order = np.argsort(self.scores, kind="stable")
        if adaptive:
            parts = np.array_split(order, count)
        else:
            numbers = np.minimum((self.scores[order] * count).astype(np.int64), count - 1)
            parts = np.split(order, np.searchsorted(numbers, np.arange(1, count)))
        found = list[Bin]()
        for part in parts:
            if len(part):
                scores, right = self.scores[part], self.right[part]
                found.append(
                    Bin(float(scores[0]), float(scores[-1]), len(part), float(scores.mean()), float(right.mean()))
                )
        return found

    def error(self, count: int = BINS, *, adaptive: bool = False) -> float:
        """The expected calibration error, from 0 to 1; 0 without entities."""
        weighed = (one.count * abs(one.score - one.precision) for one in self.bins(count, adaptive=adaptive))
        return sum(weighed) / max(len(self.scores), 1)

    def expected_error(self, count: int = BINS, *, draws: int = 200) -> float:
        """The expected calibration error of a perfect model with these scores, which is not 0: entities are few.

        It is the mean over draws in which each entity is right with the probability that its score says.
        """
        random = np.random.default_rng(1)
        drawn = (random.random(len(self.scores)) < self.scores for _ in range(draws))
        return float(np.mean([Calibration(self.scores, right).error(count) for right in drawn]))

    def above(self, threshold: float) -> Score:
        """Counts of the entities with a score above the threshold, and of those of them that are right."""
        above = self.scores > threshold
        return Score(int(self.right[above].sum()), int(above.sum()), 0)

    def table(self, count: int = 10) -> str:
        """The reliability table: how many entities have which score, and how many of them are right."""
        rows = [("score", "  entities", "mean score", "precision")]
        for one in self.bins(count):
            shown = f"{one.low:.2f}-{one.high:.2f}"
            rows.append((shown, f"{one.count:,}", f"{one.score:.3f}", f"{one.precision:.3f}"))
        return text_table(rows, "<>>>")

    def to_json(self) -> dict[str, Any]:
        """The figures by name."""
        sure = self.above(SURE)
        return {
            "entities": len(self.scores),
            "ece": self.error(),
            "adaptive_ece": self.error(adaptive=True),
            "ece_of_a_perfect_model": self.expected_error(),
            "above_0.9": {"entities": sure.predicted, "precision": sure.precision},
        }


class GoldEmissions:
    """Emissions of gold sentences, computed once, and their likelihood at any temperature.

    Sentences without tokens, with unknown ones, and with a label that the model does not know are left out.

    Args:
        model: The model; its temperature plays no part.
        gold: The sentences.
        encoded: The same encoded, if that is at hand.
        uncounted: Labels that the sentences do not annotate: a token in no entity may be in one of these.

    Attributes:
        usable: The numbers of the sentences that are not left out.
    """

    @computing()
    def __init__(
        self,
        model: Model,
        gold: Sequence[Sentence],
        encoded: RaggedSentences | None = None,
        uncounted: Collection[str] = (),
    ) -> None:
        encoded = model.encode(gold) if encoded is None else encoded
        emissions, tables = emissions_of(model, encoded)
        self._tables = tables.astype(np.float64)
        # 1. The sentences whose gold tags the model has, and the tags that each token may have.
        known, lengths, names = set(model.tags.labels), encoded.lengths, model.tags.labels
        usable = [{span.label for span in one.spans} <= known and not one.unknown for one in gold]
        self.usable = np.flatnonzero(np.array(usable, np.bool_) & (lengths > 0))
        allowed, starts = np.zeros(emissions.shape, np.bool_), lengths.cumsum() - lengths
        for number in self.usable.tolist():
            tags = model.tags.encode(gold[number].spans, int(lengths[number]))
            allowed[starts[number] + np.arange(len(tags)), tags] = True
        of_uncounted = np.array([label >= 0 and names[label] in uncounted for label in model.tags.label_numbers()])
        allowed[np.ix_(allowed[:, 0], of_uncounted)] = True
        # 2. The batches.
        self._batches = [
            (batch.astype(np.float64), sizes, allowed[positions])
            for _, batch, sizes, positions in batches_of(emissions, lengths, self.usable)
        ]

    @computing()
    def loss(self, temperature: float) -> float:
        """The negative log-likelihood of all gold sentences at a temperature, in nats."""
        total = 0.0
        for batch, lengths, allowed in self._batches:
            emissions, tables = crf.at_temperature(batch, self._tables, temperature)
            for paths, sign in ((None, 1), (allowed, -1)):
                total += sign * float(crf.log_partition(emissions, lengths, tables, paths).sum())
        return total


def fitted_temperature(
    model: Model,
    gold: Sequence[Sentence],
    encoded: RaggedSentences | None = None,
    uncounted: Collection[str] = (),
) -> float:
    """The temperature at which gold sentences are most likely, from 0.1 to 10, in four digits; 1 if there are none.

    Args:
        model: The model, whose temperature plays no part.
        gold: Sentences that it was not trained on; for those that are left out see `GoldEmissions`.
        encoded: The same encoded, if that is at hand.
        uncounted: Labels that the sentences do not annotate.
    """
    given = GoldEmissions(model, gold, encoded, uncounted)
    if not len(given.usable):
        return 1.0

    def penalised(log_temperature: float) -> float:
        """The loss at a temperature, and that of the prior."""
        return given.loss(exp(log_temperature)) + 0.5 * (log_temperature / _PRIOR) ** 2

    return float(f"{exp(_least(penalised, log(_LEAST_T), log(_MOST_T))):.4g}")


def _least(function: Callable[[float], float], low: float, high: float, tolerance: float = 1e-4) -> float:
    """Where a function with one minimum is least, by golden-section search."""
    ratio = (sqrt(5) - 1) / 2
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = function(left), function(right)
    while high - low > tolerance:
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = function(right)
    return (low + high) / 2


def batches_of(emissions: Emissions, lengths: Ids, sentences: Ids) -> Iterable[tuple[Ids, Emissions, Ids, Ids]]:
    """The emissions of sentences in batches of like length.

    Args:
        emissions: Those of all tokens (N, K).
        lengths: Tokens of each sentence (S,).
        sentences: The numbers of those that are wanted, which have tokens.

    Yields:
        Numbers (B,), emissions (B, T, K), lengths (B,), and the numbers of the tokens among all (B, T).
    """
    starts = lengths.cumsum() - lengths
    for chosen, longest in like_lengths(lengths[sentences], sentences=BATCH_SENTENCES, tokens=BATCH_TOKENS):
        numbers = sentences[chosen]
        positions = np.minimum(starts[numbers, None] + np.arange(longest), len(emissions) - 1)
        yield numbers, emissions[positions], lengths[numbers], positions


def calibration_table(named: Mapping[str, Calibration]) -> str:
    """Kinds of scores beside each other: their calibration errors, and the entities that each is sure of."""
    rows = [("score", "  ECE", "adaptive", f"above {SURE:g}", "precision")]
    for name, one in named.items():
        sure = one.above(SURE)
        errors = f"{one.error():.4f}", f"{one.error(adaptive=True):.4f}"
        rows.append((name, *errors, f"{sure.predicted:,}", f"{sure.precision:.4f}" if sure.predicted else "-"))
    return text_table(rows, "<>>>>")


@dataclass(frozen=True, slots=True)
class ScoredSpans:
    """The entities found in sentences or texts, with their scores.

    Attributes:
        spans: The entities of each.
        scores: The score of each entity; () where there are none.
    """

    spans: tuple[tuple[Span, ...], ...]
    scores: tuple[tuple[float, ...], ...]

    def renamed(self, labels: LabelMap) -> ScoredSpans:
        """The entities under other labels, without those that are dropped."""
        if not labels:
            return self
        kept = [[labels.renaming(span.label) is not None for span in of_one] for of_one in self.spans]
        scores = (tuple(compress(of_one, chosen)) for of_one, chosen in zip(self.scores, kept, strict=True))
        return ScoredSpans(tuple(map(labels, self.spans)), tuple(scores))

    def at_least(self, score: float) -> ScoredSpans:
        """The entities whose score is at least so high."""
        if score <= 0:
            return self
        kept = [at_least(score, *pair) for pair in zip(self.spans, self.scores, strict=True)]
        return ScoredSpans(tuple(tuple(spans) for spans, _ in kept), tuple(tuple(scores) for _, scores in kept))

    def calibration(self, gold: Iterable[Sequence[Span]]) -> Calibration:
        """The scores, and which of the entities are right, given those of the gold annotation."""
        return Calibration.of(gold, self.spans, self.scores)


@computing()
def stand_ins(model: Model, sentences: Sequence[Sentence]) -> dict[str, ScoredSpans]:
    """The entities of the best paths of sentences with what is often taken for their probabilities, by name.

    These are the product and the mean of the softmax of the emissions of the entity's tags, which know of no
    transition, and the mean of the marginals of its tags, which know of no boundary.
    """
    encoded, tags = model.encode(sentences), model.tags
    emissions, tables = emissions_of(model, encoded)
    labels, events = tags.label_numbers(), tags.events()
    spans: list[list[Span]] = [[] for _ in sentences]
    scores: list[list[tuple[float, float, float]]] = [[] for _ in sentences]
    for numbers, batch, lengths, _ in batches_of(emissions, encoded.lengths, np.flatnonzero(encoded.lengths)):
        best = crf.viterbi(batch, lengths, tables)
        at_tags = best[..., None]
        cooler, at_t = crf.at_temperature(batch, tables, model.temperature)
        marginals = crf.marginals(cooler, lengths, at_t)
        factors = np.exp(batch - batch.max(-1, keepdims=True))
        of_tags, of_emissions = (
            np.take_along_axis(one, at_tags, 2)[..., 0] for one in (marginals, factors / factors.sum(-1, keepdims=True))
        )
        for row, first, stop, label in spans_of(best, labels, events).tolist():
            marginal, softmax = of_tags[row, first:stop], of_emissions[row, first:stop]
            spans[numbers[row]].append(Span(first, stop, tags.labels[label]))
            scores[numbers[row]].append((float(marginal.mean()), float(softmax.mean()), float(softmax.prod())))
    names = "mean marginal of its tags", "mean softmax of emissions", "product of softmax of emissions"
    found = tuple(map(tuple, spans))
    return {
        name: ScoredSpans(found, tuple(tuple(one[number] for one in of_one) for of_one in scores))
        for number, name in enumerate(names)
    }
