"""The single errors behind a score, each once, and how often labels are taken for each other.

`Evaluation` counts; here every wrong span is shown. A predicted span and a gold span that overlap are one error, not
two: a wrong label, a wrong boundary, or both. What overlaps nothing is missed or spurious.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from ner_lstm_crf.text.annotation import Span

ErrorKind: TypeAlias = Literal["missed", "spurious", "wrong label", "wrong boundary", "wrong label and boundary"]


class Annotated(Protocol):
    """A `Sentence`, or an `AnnotatedText`, whose spans count characters."""

    @property
    def spans(self) -> tuple[Span, ...]:
        """The entities, sorted, without overlap."""


@dataclass(frozen=True, slots=True)
class SpanError:
    """A gold span that was not found, a predicted span that is not gold, or one taken for the other.

    Attributes:
        kind: The kind of error.
        sentence: The number of the sentence, from 0.
        gold: The span that is right; None if there is none (spurious).
        predicted: The span that was predicted; None if there is none (missed).
    """

    kind: ErrorKind
    sentence: int
    gold: Span | None
    predicted: Span | None


def find_errors(gold: Sequence[Annotated], predicted: Sequence[Annotated]) -> list[SpanError]:
    """The errors of each sentence, in the order of their first token.

    Every gold span that is no true positive is in one error, and so is every predicted one.

    Args:
        gold: The sentences with their true spans.
        predicted: The same sentences with predicted spans.

    Raises:
        ValueError: If one has more sentences than the other.

    Example:
        >>> from ner_lstm_crf.text.annotation import Sentence
        >>> gold = Sentence.from_words("Ada Green saw Oslo".split(), [Span(0, 2, "PER"), Span(3, 4, "LOC")])
        >>> [(error.kind, error.gold, error.predicted) for error in find_errors([gold], [gold.with_spans([])])]
        [('missed', Span(start=0, end=2, label='PER'), None), ('missed', Span(start=3, end=4, label='LOC'), None)]
    """
    errors: list[SpanError] = []
    for number, (true, found) in enumerate(zip(gold, predicted, strict=True)):
        # 1. Spans that are equal are right.
        right = set(true.spans).intersection(found.spans)
        missed = [span for span in true.spans if span not in right]
        spurious = [span for span in found.spans if span not in right]
        # 2. Of those that overlap, the likest pairs belong together.
        matched: list[SpanError] = []
        pairs = sorted(_overlapping(missed, spurious), key=lambda pair: _likeness(*pair), reverse=True)
        left, free = set(missed), set(spurious)
        for one, other in pairs:
            if one in left and other in free:
                left.remove(one)
                free.remove(other)
                matched.append(SpanError(_kind(one, other), number, one, other))
        # 3. The others have no counterpart.
        alone = [SpanError("missed", number, span, None) for span in left]
        alone += [SpanError("spurious", number, None, span) for span in free]
        errors += sorted(matched + alone, key=lambda error: min(filter(None, (error.gold, error.predicted))))
    return errors


def confusion(gold: Sequence[Annotated], predicted: Sequence[Annotated]) -> dict[tuple[str | None, str | None], int]:
    """The number of entities by their gold and their predicted label; None stands for no entity.

    The most frequent pairs come first. Entities with a wrong boundary count under their labels. So the counts of a gold
    label add up to its support, those of a predicted label to the spans predicted with it.

    Args:
        gold: The sentences with their true spans.
        predicted: The same sentences with predicted spans.

    Raises:
        ValueError: If one has more sentences than the other.

    Example:
        >>> from ner_lstm_crf.text.annotation import Sentence
        >>> gold, found = (Sentence.from_words(["Oslo"], [Span(0, 1, label)]) for label in ("LOC", "ORG"))
        >>> confusion([gold], [found])
        {('LOC', 'ORG'): 1}
    """
    counts = Counter[tuple[str | None, str | None]]()
    for true, found in zip(gold, predicted, strict=True):
        counts.update((span.label, span.label) for span in set(true.spans).intersection(found.spans))
    for error in find_errors(gold, predicted):
        counts[error.gold and error.gold.label, error.predicted and error.predicted.label] += 1
    return dict(
        sorted(counts.items(), key=lambda pair: (-pair[1], *((label is None, label or "") for label in pair[0])))
    )


def _overlapping(spans: Sequence[Span], others: Sequence[Span]) -> Iterator[tuple[Span, Span]]:
    """The pairs of a span and another that share a token; both sides are sorted and without overlap."""
    first = second = 0
    while first < len(spans) and second < len(others):
        span, other = spans[first], others[second]
        if span.start < other.end and other.start < span.end:
            yield span, other
        if span.end <= other.end:
            first += 1
        else:
            second += 1


def _likeness(span: Span, other: Span) -> tuple[bool, bool, int, int]:
    """The likeness of two spans that overlap: equal bounds, then equal labels, then many tokens, then the first."""
    shared = min(span.end, other.end) - max(span.start, other.start)
    return span[:2] == other[:2], span.label == other.label, shared, -max(span.start, other.start)


def _kind(span: Span, other: Span) -> ErrorKind:
    """The kind of error of a gold span and a predicted span that overlap and are not equal."""
    if span[:2] == other[:2]:
        return "wrong label"
    return "wrong boundary" if span.label == other.label else "wrong label and boundary"
