"""A trained model on a test set: what it finds, how good that is, how long it takes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from ner_lstm_crf.config import Precision
from ner_lstm_crf.evaluation.metrics import Evaluation, evaluate_decoded, evaluate_spans
from ner_lstm_crf.formats.records import Record
from ner_lstm_crf.progress import Progress, silent
from ner_lstm_crf.saving.checkpoint import load_model
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.tagging.predictor import Predictor, chunks
from ner_lstm_crf.tags.scheme import DecodedTags
from ner_lstm_crf.text.annotation import Sentence, Span
from ner_lstm_crf.text.sentences import sentences

__all__ = ["TestResult", "measure", "evaluate_model", "evaluate_texts"]


@dataclass(frozen=True, slots=True)
class TestResult:
    """One trained model on the test set.

    Attributes:
        evaluation: Its scores.
        spans: What it found in each sentence.
        seconds: How long that took.
        tokens: How many tokens were tagged.
    """

    evaluation: Evaluation
    spans: tuple[tuple[Span, ...], ...]
    seconds: float
    tokens: int


def measure(directory: Path, test: Sequence[Sentence]) -> TestResult:
    """What the model in the directory finds in the test sentences."""
    return evaluate_model(load_model(directory), test)


def evaluate_model(
    model: Model, test: Sequence[Sentence], *, precision: Precision = "float32", progress: Progress = silent
) -> TestResult:
    """What a model finds in the test sentences; one without tokens counts, and has nothing to be found.

    Args:
        model: The model.
        test: The sentences.
        precision: As in `Predictor`.
        progress: Told how many sentences are done.

    Raises:
        InputError: If the processor lacks the precision.
    """
    found, seconds = _decoded(model, test, precision, progress)
    tokens = sum(len(sentence.tokens) for sentence in test)
    return TestResult(evaluate_decoded(test, found), tuple(decoded.spans for decoded in found), seconds, tokens)


def evaluate_texts(
    model: Model, test: Sequence[Record], *, precision: Precision = "float32", progress: Progress = silent
) -> TestResult:
    """What a model finds in running text, which is cut into tokens as in tagging: where entities are, it is not told.

    Arguments and errors are as those of `evaluate_model`.

    Returns:
        The outcome; its spans count the characters of each text, and in its evaluation texts stand for sentences.
    """
    token_unit, hyphens = model.config.token_unit, model.config.hyphens
    parts = [sentences(record.text, token_unit=token_unit, hyphens=hyphens) for record in test]
    cut = list(chain.from_iterable(parts))
    decoded, seconds = _decoded(model, cut, precision, progress)
    remaining = iter(decoded)
    spans: list[tuple[Span, ...]] = []
    ill_formed: list[list[int]] = []
    for part in parts:
        found = list(islice(remaining, len(part)))
        spans.append(tuple(chain.from_iterable(map(_in_characters, part, found))))
        ill_formed.append([position for one in found for position in one.ill_formed])
    evaluation = evaluate_spans((record.spans for record in test), spans, ill_formed=ill_formed)
    return TestResult(evaluation, tuple(spans), seconds, sum(len(sentence.tokens) for sentence in cut))


def _in_characters(sentence: Sentence, found: DecodedTags) -> list[Span]:
    """What was found in a sentence, counted in the characters that its tokens count."""
    tokens = sentence.tokens
    return [Span(tokens[start].start, tokens[end - 1].end, label) for start, end, label in found.spans]


def _decoded(
    model: Model, test: Sequence[Sentence], precision: Precision, progress: Progress
) -> tuple[list[DecodedTags], float]:
    """What is found in each sentence, and the seconds it takes."""
    items = [(None, sentence.words, [len(sentence.tokens)]) for sentence in test]
    predictor = Predictor(model, precision)
    list(predictor.stream(chunks(items[:8])))  # not timed: only the first call pays for what happens once
    began = time.perf_counter()
    decoded: list[DecodedTags] = []
    for _, of_chunk in predictor.stream(chunks(items)):
        decoded += of_chunk
        progress(len(decoded), len(items))
    return decoded, time.perf_counter() - began
