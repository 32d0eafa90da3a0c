"""Annotations that may be wrong: what a model, trained on the other sentences, finds improbable.

The sentences are dealt into folds. A model is trained on all folds but one and reads that one, so that no sentence is
judged by a model that has learnt its mistakes by heart (Wang et al. 2019, CrossWeigh: training named entity tagger from
imperfect annotations). Sentences of one document, or equal ones, are in the same fold: a mistake that is repeated there
cannot vouch for itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from ner_lstm_crf.config import Config
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.progress import Progress, silent
from ner_lstm_crf.runs.data import Data
from ner_lstm_crf.runs.train import train
from ner_lstm_crf.tagging.analysis import Analysis, ScoredSpan
from ner_lstm_crf.tagging.tagger import Tagger
from ner_lstm_crf.text.annotation import Sentence, Span, each

Kind: TypeAlias = Literal["annotated", "missing"]


class Suspect(NamedTuple):
    """An annotation that may be wrong.

    Attributes:
        sentence: The place of its sentence, from 0.
        span: The entity.
        kind: `annotated` if it is annotated and the model doubts it, `missing` if the model finds it where no entity is
            annotated.
        suspicion: The probability that the annotation is wrong, by the model: 1 - p(span) of an annotated one, p(span)
            of a missing one.
        instead: The most probable entity that shares a token with it, other than itself; None if there is none above
            0.001.
    """

    sentence: int
    span: Span
    kind: Kind
    suspicion: float
    instead: ScoredSpan | None


def suspects_by(tagger: Tagger, sentences: Iterable[Sentence], progress: Progress = silent) -> list[Suspect]:
    """The annotations of sentences that a tagger doubts, the most suspicious first.

    The tagger must not have been trained on them: it would have learnt the mistakes.

    Raises:
        TypeError: If one of them is no `Sentence`, with its number.
    """
    found = list[Suspect]()
    for number, sentence in enumerate(each(Sentence, sentences)):
        if sentence.tokens:
            (analysis,) = tagger.analyze(sentence)
            found += _suspects_in(number, sentence.spans, analysis)
        progress(number + 1, None)
    return sorted(found, key=lambda one: -one.suspicion)


def find_suspects(
    data: Data,
    config: Config | str = "fast",
    *,
    folds: int = 5,
    seed: int = 1,
    progress: Progress = silent,
    show_training: bool = False,
    **settings: Any,
) -> list[Suspect]:
    """The annotations of training data that may be wrong, the most suspicious first, by cross-validation.

    Every entity that is annotated is listed, and every one that a model finds where none is.

    Args:
        data: The sentences, in `train`; `dev` is not read. Vectors and lexicon are those of each training.
        config: A preset or a configuration, as in `train`.
        folds: The number of models, each of which reads what the others learn from.
        seed: Seed of the folds.
        progress: Called with the sentences that are read.
        show_training: True to show the epochs on standard error.
        **settings: Fields of the configuration, as in `train`.

    Raises:
        InputError: If there are fewer than two folds, or fewer documents (of one, sentences) than folds.
    """
    sentences = data.train
    of_fold, found = fold_of(sentences, folds, seed), list[Suspect]()
    for fold in range(folds):
        # 1. Learn from the other folds, up to the last epoch: there is no dev set to choose one by.
        part = [sentence for sentence, of in zip(sentences, of_fold, strict=True) if of != fold]
        others = replace(data, train=part, dev=())
        with TemporaryDirectory(prefix="ner-lstm-crf-") as directory:
            tagger = train(others, config, Path(directory) / "fold", progress=show_training, **settings)
        # 2. Read this one.
        numbers = np.flatnonzero(of_fold == fold).tolist()
        for number in numbers:
            (analysis,) = tagger.analyze(sentences[number])
            found += _suspects_in(number, sentences[number].spans, analysis)
        progress(int((of_fold <= fold).sum()), len(sentences))
    return sorted(found, key=lambda one: -one.suspicion)


def fold_of(sentences: Sequence[Sentence], folds: int, seed: int = 1) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The fold of each sentence (S,): the same for sentences of one document, if there are many, and for equal ones.

    Raises:
        InputError: If there are fewer than two folds, or too few sentences for them.
    """
    if folds < 2:
        raise InputError(f"expected at least 2 folds, got {folds}")
    documents = {sentence.document for sentence in sentences}
    by_document = len(documents) >= 10 * folds
    groups: dict[object, int] = {}
    of_group = [
        groups.setdefault(sentence.document if by_document else tuple(sentence.words), len(groups))
        for sentence in sentences
    ]
    if len(groups) < folds:
        raise InputError(f"expected at least {folds} different sentences for {folds} folds, found {len(groups)}")
    folds_in_turn = np.arange(len(groups)) % folds
    np.random.default_rng(seed).shuffle(folds_in_turn)
    chosen: np.ndarray[tuple[int], np.dtype[np.int64]] = folds_in_turn[of_group]
    return chosen


def _suspects_in(number: int, gold: Sequence[Span], analysis: Analysis) -> Iterator[Suspect]:
    """The entities of one sentence, annotated or found, that are not both."""
    labels = analysis.tag_set.labels
    annotated = {token for start, end, _ in gold for token in range(start, end)}
    for span in gold:
        # A label that the other folds lack is one the model cannot give.
        probability = analysis.probability(span) if span.label in labels else 0.0
        yield Suspect(number, span, "annotated", 1 - probability, next(iter(analysis.competitors(span)), None))
    for span, probability in zip(analysis.spans, analysis.scores, strict=True):
        if annotated.isdisjoint(range(span.start, span.end)):
            yield Suspect(number, span, "missing", probability, next(iter(analysis.competitors(span)), None))
