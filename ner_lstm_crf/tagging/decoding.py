"""From emissions to spans: those of the best path, or those that are most probable by themselves.

viterbi      the spans of the best path of tags (Viterbi 1967)
posterior    of all spans, the set without overlap whose sum of (probability - threshold) is largest: each span that is
             more probable than the threshold, unless a better one overlaps it. It expects the most right entities for
             the wrong ones that it risks, and the threshold says how many these may be.

The probability of a span is that of all paths together that read back as exactly this span with this label, by the CRF
at the temperature of the model. Letters: N tokens of all sentences, B sentences of a batch, T tokens of the longest, K
tags, P spans.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import compress
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ner_lstm_crf import crf
from ner_lstm_crf.config import DecodingName
from ner_lstm_crf.crf import ScoreTables
from ner_lstm_crf.crf.scores import divided
from ner_lstm_crf.features.token_feature import Ids
from ner_lstm_crf.tags.scheme import CLOSES, OPENS, DecodedTags
from ner_lstm_crf.tags.tag_set import TagSet
from ner_lstm_crf.text.annotation import Span

THRESHOLD = 0.4
"""The threshold of posterior decoding where none is given: half of an F1 of 0.8. The threshold that makes F1 largest is
half of the F1 that it reaches (Lipton, Elkan and Naryanaswamy 2014, Optimal thresholding of classifiers to maximize F1
measure)."""

Emissions: TypeAlias = NDArray[np.float32]

LEAST_PROBABLE = 0.01
"""Posterior decoding looks at no span that is less probable, whatever the threshold."""


@dataclass(frozen=True, eq=False, slots=True)
class TagScores:
    """The tags of a model, their scores beside emissions, and how paths read as spans: the same for all batches.

    Attributes:
        tags: The tags.
        tables: The score tables of the model.
        temperature: Its temperature.
        at_temperature: The score tables at this temperature.
        labels: See `TagSet.label_numbers`.
        events: See `TagSet.events`.
        one_sentence: The same for one sentence at a time.
    """

    tags: TagSet
    tables: ScoreTables
    temperature: float
    at_temperature: ScoreTables
    labels: Ids
    events: Ids
    one_sentence: crf.OneSentence

    @classmethod
    def of(cls, tags: TagSet, tables: ScoreTables, temperature: float) -> TagScores:
        """The tags of a model with these tables and this temperature."""
        cooled = ScoreTables(*(divided(table, temperature) for table in tables))
        labels, events = tags.label_numbers(), tags.events()
        one_sentence = crf.OneSentence(tables, cooled, labels, events)
        return cls(tags, tables, temperature, cooled, labels, events, one_sentence)

    def span_probabilities(self, emissions: Emissions, lengths: Ids, spans: Ids) -> NDArray[np.floating]:
        """The probability of each of these spans (P, 4), see `crf.span_probabilities`: (P,), from 0 to 1."""
        cooled = emissions / self.temperature
        found = crf.span_probabilities(cooled, lengths, self.at_temperature, spans, self.labels, self.events)
        return found.clip(0, 1)


@dataclass(frozen=True, slots=True)
class Decoding:
    """How spans are found.

    Attributes:
        method: "viterbi" or "posterior".
        threshold: The least probability of a span of posterior decoding.
        scored: True if the spans of the best path have their probabilities, too; those of posterior decoding have them
            anyway.
    """

    method: DecodingName = "viterbi"
    threshold: float = THRESHOLD
    scored: bool = True

    def of_sentence(self, scores: TagScores, emissions: Emissions) -> DecodedTags:
        """The spans of one sentence, given its emissions (1, T, K): what a reader finds in it."""
        if self.method == "posterior":
            tokens = emissions.shape[1]
            lengths, reader, steps = np.array([tokens]), self.reader(scores, tokens), np.arange(tokens)[None]
            reader.read(emissions, lengths, steps, steps >= 0)
            return reader.decoded(lengths, None)[0]
        found = scores.tags.decode(scores.one_sentence.best_path(emissions))
        if not (self.scored and found.spans):
            return found
        number_of = scores.tags.labels.index
        spans = np.array([(0, start, end, number_of(label)) for start, end, label in found.spans])
        probabilities = scores.one_sentence.span_probabilities(emissions / scores.temperature, spans).tolist()
        return DecodedTags(found.spans, found.ill_formed, tuple(min(max(one, 0.0), 1.0) for one in probabilities))

    def reader(self, scores: TagScores, tokens: int) -> Reader:
        """What reads the spans of some sentences that have so many tokens together."""
        if self.method == "posterior":
            return ProbableSpans(scores, tokens, self.threshold)
        return ScoredPaths(scores, tokens) if self.scored else BestPaths(scores, tokens)


class Reader(Protocol):
    """Reads the spans of sentences from their emissions, batch by batch, in any order and on several threads."""

    def read(self, emissions: Emissions, lengths: Ids, positions: Ids, real: NDArray[np.bool_]) -> None:
        """Read a batch.

        Args:
            emissions: Emissions (B, T, K).
            lengths: Tokens of each sentence (B,).
            positions: The number of each token among all (B, T).
            real: True for the tokens that count (B, T).
        """

    def clear(self, start: int, end: int) -> None:
        """Forget what was found in these tokens."""

    def decoded(self, lengths: Ids, cuts: Ids | None) -> list[DecodedTags]:
        """The spans of each sentence.

        Args:
            lengths: Tokens of each sentence (S,), N together.
            cuts: Tokens before which a span ends, as before a sentence.
        """


class BestPaths(Reader):
    """The spans of the best path of each sentence, without their probabilities.

    Attributes:
        tags: The tag of each token (N,).
    """

    def __init__(self, scores: TagScores, tokens: int) -> None:
        self._of_tags = scores
        self.tags = np.zeros(tokens, np.int64)

    def read(self, emissions: Emissions, lengths: Ids, positions: Ids, real: NDArray[np.bool_]) -> None:
        """Write the tags of the best paths."""
        best = crf.viterbi(emissions, lengths, self._of_tags.tables)
        self.tags[positions[real]] = best[real]

    def clear(self, start: int, end: int) -> None:
        """Let these tokens be outside of entities."""
        self.tags[start:end] = 0

    def decoded(self, lengths: Ids, cuts: Ids | None) -> list[DecodedTags]:
        """The spans, and the positions of tags that break the scheme."""
        return self._of_tags.tags.decode_all(self.tags, lengths, cuts)


class ScoredPaths(BestPaths):
    """The spans of the best path of each sentence with their probabilities.

    Attributes:
        scores: The probability of the span that begins with a token (N,).
    """

    def __init__(self, scores: TagScores, tokens: int) -> None:
        super().__init__(scores, tokens)
        self.scores = np.zeros(tokens)

    def read(self, emissions: Emissions, lengths: Ids, positions: Ids, real: NDArray[np.bool_]) -> None:
        """Write the tags of the best paths, and the probabilities of their spans."""
        best = crf.viterbi(emissions, lengths, self._of_tags.tables)
        self.tags[positions[real]] = best[real]
        spans = spans_of(best, self._of_tags.labels, self._of_tags.events)
        if len(spans):
            begins = positions[spans[:, 0], spans[:, 1]]
            self.scores[begins] = self._of_tags.span_probabilities(emissions, lengths, spans)

    def decoded(self, lengths: Ids, cuts: Ids | None) -> list[DecodedTags]:
        """The spans with their probabilities, and the positions of tags that break the scheme."""
        found, scores = super().decoded(lengths, cuts), self.scores.tolist()
        for number, (start, one) in enumerate(zip((lengths.cumsum() - lengths).tolist(), found, strict=True)):
            if one.spans:
                of_spans = tuple([scores[start + span[0]] for span in one.spans])
                found[number] = DecodedTags(one.spans, one.ill_formed, of_spans)
        return found


class ProbableSpans(Reader):
    """The spans of posterior decoding.

    Attributes:
        labels: The label number of the span that begins with a token, -1 for none (N,).
        sizes: The number of its tokens (N,).
        scores: Its probability (N,).
    """

    def __init__(self, scores: TagScores, tokens: int, threshold: float) -> None:
        self._of_tags, self._threshold = scores, threshold
        self.labels = np.full(tokens, -1)
        self.sizes, self.scores = np.zeros(tokens, np.int64), np.zeros(tokens)

    def read(self, emissions: Emissions, lengths: Ids, positions: Ids, real: NDArray[np.bool_]) -> None:
        """Write the best set of spans of each sentence."""
        del real  # the spans of a window are forgotten again
        least, of_tags = max(self._threshold, LEAST_PROBABLE), self._of_tags
        cooled, tables = emissions / of_tags.temperature, of_tags.at_temperature
        spans, probable = crf.probable_spans(cooled, lengths, tables, of_tags.labels, of_tags.events, least)
        probabilities = probable.clip(0, 1).astype(np.float64)
        chosen = best_spans(spans, probabilities - self._threshold)
        sentences, starts, stops, numbers = spans[chosen].T
        begins = positions[sentences, starts]
        self.labels[begins], self.sizes[begins], self.scores[begins] = numbers, stops - starts, probabilities[chosen]

    def clear(self, start: int, end: int) -> None:
        """Forget the spans that begin in these tokens."""
        self.labels[start:end] = -1

    def decoded(self, lengths: Ids, cuts: Ids | None) -> list[DecodedTags]:
        """The spans with their probabilities."""
        del cuts  # no span goes over one
        starts = np.flatnonzero(self.labels >= 0)
        edges = np.searchsorted(starts, [0, *lengths.cumsum()]).tolist()
        offsets = (lengths.cumsum() - lengths).tolist()
        columns = [column[starts].tolist() for column in (self.labels, self.sizes, self.scores)]
        rows, found = list(zip(starts.tolist(), *columns, strict=True)), list[DecodedTags]()
        names = self._of_tags.tags.labels
        for offset, first, last in zip(offsets, edges, edges[1:], strict=False):
            of_one = rows[first:last]
            spans = tuple(Span(at - offset, at - offset + size, names[label]) for at, label, size, _ in of_one)
            found.append(DecodedTags(spans, (), tuple(score for *_, score in of_one)))
        return found


def spans_of(best: Ids, labels: Ids, events: Ids) -> Ids:
    """The spans of paths of tags.

    Args:
        best: A path for each sentence (B, T), `O` beyond its end.
        labels: The label number of each tag (K,), see `TagSet.label_numbers`.
        events: The events between neighbours (K, K), see `TagSet.events`.

    Returns:
        Sentence, start, end and label number of each span (P, 4), in order.
    """
    padded = np.zeros((len(best), best.shape[1] + 2), np.int64)  # as np.pad, which takes longer than all the rest
    padded[:, 1:-1] = best
    between = events[padded[:, :-1], padded[:, 1:]]  # (B, T + 1)
    sentences, starts = np.nonzero(between & OPENS)
    _, ends = np.nonzero(between & CLOSES)
    return np.stack([sentences, starts, ends, labels[best[sentences, starts]]], axis=1)


def best_spans(spans: Ids, weights: NDArray[np.float64]) -> Ids:
    """The spans of positive weight that do not overlap and weigh most together (weighted interval scheduling).

    Args:
        spans: Sentence, start, end and label number of each (P, 4).
        weights: The weight of each (P,).

    Returns:
        The numbers of those that are chosen, in the order of their ends.
    """
    # 1. All sentences on one line, in the order of the ends of spans.
    offsets = spans[:, 0] * (spans[:, 2].max(initial=0) + 1)
    order = np.argsort(offsets + spans[:, 2], kind="stable")
    starts, ends = (offsets + spans[:, 1])[order], (offsets + spans[:, 2])[order]
    # 2. The most that the first spans weigh: without the last of them, or with it and those that end before it.
    before = np.searchsorted(ends, starts, side="right").tolist()
    most, weighed = [0.0], weights[order].tolist()
    for number, weight in enumerate(weighed):
        most.append(max(most[number], most[before[number]] + weight))
    # 3. Back from the end, those that made it so.
    chosen, number = list[int](), len(weighed)
    while number:
        if most[number] > most[number - 1]:
            chosen.append(number - 1)
            number = before[number - 1]
        else:
            number -= 1
    return order[chosen[::-1]].astype(np.int64)


def at_least(min_score: float, spans: Iterable[Span], scores: Iterable[float]) -> tuple[list[Span], list[float]]:
    """The spans whose score is at least so high, and their scores."""
    spans, scores = list(spans), list(scores)
    if min_score <= 0:
        return spans, scores
    kept = [score >= min_score for score in scores]
    return list(compress(spans, kept)), list(compress(scores, kept))
