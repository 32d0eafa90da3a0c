"""A trained model on a test set: what it finds, how good that is, how long it takes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from ner_lstm_crf.config import Precision
from ner_lstm_crf.data.annotation import Sentence, Span
from ner_lstm_crf.data.records import Record
from ner_lstm_crf.data.schemes import Decoded
from ner_lstm_crf.data.splitter import sentences
from ner_lstm_crf.data.tokenizer import compound_rule
from ner_lstm_crf.progress import Progress, silent
from ner_lstm_crf.tasks.assembly import Assembly
from ner_lstm_crf.tasks.checkpoint import load_assembly
from ner_lstm_crf.tasks.evaluation import Evaluation, evaluate_decoded, evaluate_spans
from ner_lstm_crf.tasks.prediction import Predictor

__all__ = ["Outcome", "measure", "measure_assembly", "measure_texts"]


@dataclass(frozen=True, slots=True)
class Outcome:
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


def measure(directory: Path, test: Sequence[Sentence]) -> Outcome:
    """What the model in the directory finds in the test sentences."""
    return measure_assembly(load_assembly(directory), test)


def measure_assembly(
    assembly: Assembly, test: Sequence[Sentence], *, precision: Precision = "float32", progress: Progress = silent
) -> Outcome:
    """What a model finds in the test sentences; one without tokens counts, and has nothing to be found.

    Args:
        assembly: The model.
        test: The sentences.
        precision: As in `Predictor`.
        progress: Told how many sentences are done.

    Raises:
        InputError: If the processor lacks the precision.
    """
    found, seconds = _decoded(assembly, test, precision, progress)
    tokens = sum(len(sentence.tokens) for sentence in test)
    return Outcome(evaluate_decoded(test, found), tuple(decoded.spans for decoded in found), seconds, tokens)


def measure_texts(
    assembly: Assembly, test: Sequence[Record], *, precision: Precision = "float32", progress: Progress = silent
) -> Outcome:
    """What a model finds in running text, which is cut into tokens as in tagging: where entities are, it is not told.

    Arguments and errors are as those of `measure_assembly`.

    Returns:
        The outcome; its spans count the characters of each text, and in its evaluation texts stand for sentences.
    """
    unit, rule = assembly.config.unit, compound_rule(assembly.config.compounds)
    parts = [sentences(record.text, unit=unit, compounds=rule) for record in test]
    cut = list(chain.from_iterable(parts))
    decoded, seconds = _decoded(assembly, cut, precision, progress)
    remaining = iter(decoded)
    spans: list[tuple[Span, ...]] = []
    ill_formed: list[list[int]] = []
    for part in parts:
        found = list(islice(remaining, len(part)))
        spans.append(tuple(chain.from_iterable(map(_in_characters, part, found))))
        ill_formed.append([position for one in found for position in one.ill_formed])
    evaluation = evaluate_spans((record.spans for record in test), spans, ill_formed=ill_formed)
    return Outcome(evaluation, tuple(spans), seconds, sum(len(sentence.tokens) for sentence in cut))


def _in_characters(sentence: Sentence, found: Decoded) -> list[Span]:
    """What was found in a sentence, counted in the characters that its tokens count."""
    tokens = sentence.tokens
    return [Span(tokens[start].start, tokens[end - 1].end, label) for start, end, label in found.spans]


def _decoded(
    assembly: Assembly, test: Sequence[Sentence], precision: Precision, progress: Progress
) -> tuple[list[Decoded], float]:
    """What is found in each sentence, and the seconds it takes."""
    words = [sentence.words for sentence in test]
    predictor = Predictor(assembly, precision)
    predictor.decode_all(words[:8])  # untimed: the first call alone pays for what happens once
    began = time.perf_counter()
    found = predictor.decode_all(words, progress)
    return found, time.perf_counter() - began
