"""A trained model on a test set: what it finds, how good that is, how long it takes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ner_lstm_crf.data.annotation import Sentence, Span
from ner_lstm_crf.data.schemes import Decoded
from ner_lstm_crf.progress import Progress, silent
from ner_lstm_crf.tasks.assembly import Assembly
from ner_lstm_crf.tasks.checkpoint import load_assembly
from ner_lstm_crf.tasks.evaluation import Evaluation, evaluate_spans
from ner_lstm_crf.tasks.prediction import predict

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


def measure_assembly(assembly: Assembly, test: Sequence[Sentence], *, progress: Progress = silent) -> Outcome:
    """What a model finds in the test sentences; one without tokens counts, and has nothing to be found."""
    filled = [number for number, sentence in enumerate(test) if sentence.tokens]
    predict(
        assembly, [assembly.featurizer.encode(test[number].words) for number in filled[:8]]
    )  # what only the first costs
    began = time.perf_counter()
    encoded = [assembly.featurizer.encode(test[number].words) for number in filled]
    found = [Decoded(())] * len(test)
    for number, decoded in zip(filled, predict(assembly, encoded, progress=progress), strict=True):
        found[number] = decoded
    seconds = time.perf_counter() - began
    spans = tuple(decoded.spans for decoded in found)
    evaluation = evaluate_spans(
        (sentence.spans for sentence in test), spans, ill_formed=(decoded.ill_formed for decoded in found)
    )
    return Outcome(evaluation, spans, seconds)
