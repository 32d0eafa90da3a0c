"""Which sentences to annotate next: those that the model is least sure of (active learning)."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from typing import NamedTuple, get_args

import numpy as np

from ner_lstm_crf.config import Criterion
from ner_lstm_crf.errors import InputError, did_you_mean
from ner_lstm_crf.progress import Progress, silent
from ner_lstm_crf.tagging.analysis import Analysis
from ner_lstm_crf.tagging.tagger import Tagger
from ner_lstm_crf.text.annotation import Sentence, each

CRITERIA: tuple[Criterion, ...] = get_args(Criterion)
"""The ways to measure how much the annotation of a sentence would teach:

entropy    the entropy of the distribution over its tag sequences, in nats (Settles and Craven 2008, sequence entropy)
margin     how near the second reading comes to the best: 1 less the difference of their probabilities
errors     the number of entities expected to be wrong: 1 - p for each that the model finds, p for each that it does not
random     chance, to compare with
"""

_LEAST = 0.01  # probability of an entity that is not found and counts as a possible error


class Choice(NamedTuple):
    """A sentence to annotate.

    Attributes:
        number: Its place in the pool, from 0.
        value: How much its annotation would teach, by the criterion; the highest is the first to annotate.
        sentence: The sentence, with the entities that the model finds and their scores.
    """

    number: int
    value: float
    sentence: Sentence


def select(  # noqa: PLR0913  (one call)
    tagger: Tagger,
    pool: Iterable[Sentence],
    count: int,
    *,
    by: Criterion = "entropy",
    per_token: bool = False,
    seed: int = 1,
    progress: Progress = silent,
) -> list[Choice]:
    """The sentences of a pool to annotate next, the most instructive first.

    A sentence that occurs several times is chosen once; one without tokens never is.

    Args:
        tagger: The tagger.
        pool: The sentences; entities that they have do not count.
        count: The number of sentences to choose; fewer if the pool has no more.
        by: The criterion, see `CRITERIA`.
        per_token: True to divide the value by the number of tokens: where a token costs, rather than a sentence.
        seed: Seed of the criterion `random`.
        progress: Called with the sentences that are read.

    Raises:
        TypeError: If the pool holds something else than sentences.
        ValueError: If `count` is not positive.
        InputError: If there is no such criterion.

    Example:
        >>> pool = [Sentence.from_words(["It", "rains", "."]), Sentence.from_words(["Ada", "met", "Kai", "Lund", "."])]
        >>> [choice.number for choice in select(Tagger.load("en"), pool, 1)]
        [1]
    """
    if count < 1:
        raise ValueError(f"expected a count of 1 or more, got {count}")
    if by not in CRITERIA:
        raise InputError(f"expected one of {', '.join(CRITERIA)}, got {by!r}{did_you_mean(str(by), CRITERIA)}")
    values = np.random.default_rng(seed).random

    def choices() -> Iterator[tuple[Choice, Analysis | None]]:
        """Every distinct sentence with its value, and what the model says of it if the value depends on that."""
        known = set[tuple[str, ...]]()
        for number, sentence in enumerate(each(Sentence, pool)):
            words = tuple(sentence.words)
            if words and words not in known:
                known.add(words)
                analysis = None if by == "random" else tagger.analyze(sentence)[0]
                value = float(values()) if analysis is None else worth(analysis, by)
                yield Choice(number, value / len(words) if per_token else value, sentence), analysis
            progress(number + 1, None)

    chosen = []
    for choice, analysis in heapq.nlargest(count, choices(), key=lambda one: (one[0].value, -one[0].number)):
        found = tagger.analyze(choice.sentence)[0] if analysis is None else analysis
        chosen.append(choice._replace(sentence=choice.sentence.with_spans(found.spans, found.scores)))
    return chosen


def worth(analysis: Analysis, by: Criterion) -> float:
    """How much the annotation of a sentence would teach, by a criterion other than chance."""
    if by == "entropy":
        return analysis.entropy
    if by == "margin":
        best, *others = (reading.probability for reading in analysis.alternatives(2))
        return 1 - best + sum(others)
    found = dict(zip(analysis.spans, analysis.scores, strict=True))
    missed = sum(one.probability for one in analysis.probable_spans(_LEAST) if one.span not in found)
    return missed + sum(1 - score for score in found.values())
