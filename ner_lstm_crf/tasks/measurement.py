"""A trained model on a test set: what it finds, how good that is, how long it takes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ner_lstm_crf.config import Precision
from ner_lstm_crf.data.annotation import Sentence, Span
from ner_lstm_crf.progress import Progress, silent
from ner_lstm_crf.tasks.assembly import Assembly
from ner_lstm_crf.tasks.checkpoint import load_assembly
from ner_lstm_crf.tasks.evaluation import Evaluation, evaluate_decoded
from ner_lstm_crf.tasks.prediction import Predictor

__all__ = ["Outcome", "measure", "measure_assembly"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One trained model on the test set.

    Attributes:
        evaluation: Its scores.
        spans: What it found in each sentence.
        seconds: How long that took.
    """

    evaluation: Evaluation
    spans: tuple[tuple[Span, ...], ...]
    seconds: float


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
    words = [sentence.words for sentence in test]
    predictor = Predictor(assembly, precision)
    predictor.decode_all(words[:8])  # untimed: the first call alone pays for what happens once
    began = time.perf_counter()
    found = predictor.decode_all(words, progress)
    seconds = time.perf_counter() - began
    return Outcome(evaluate_decoded(test, found), tuple(decoded.spans for decoded in found), seconds)
