"""The CRF beside the softmax, on equal terms: same data, same seeds, same network below the head."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_args

from ner_lstm_crf.config import Config, HeadName
from ner_lstm_crf.evaluation.evaluate import TestResult
from ner_lstm_crf.evaluation.metrics import Evaluation, Summary, text_table
from ner_lstm_crf.evaluation.significance import Difference, f1_difference
from ner_lstm_crf.runs.processes import Job, seeded
from ner_lstm_crf.text.annotation import Sentence, Span

__all__ = ["HEADS", "Comparison", "HeadResult", "SentenceDifference", "comparison_jobs"]

HEADS: tuple[HeadName, ...] = get_args(HeadName)


@dataclass(frozen=True, slots=True)
class HeadResult:
    """All seeds of one head.

    Attributes:
        head: "crf" or "softmax".
        outcomes: One per seed.
        training_seconds: Time spent training, one per seed.
    """

    head: str
    outcomes: tuple[TestResult, ...]
    training_seconds: tuple[float, ...]

    @property
    def evaluations(self) -> list[Evaluation]:
        """The scores of each seed."""
        return [outcome.evaluation for outcome in self.outcomes]

    @property
    def f1(self) -> Summary:
        """Micro F1 over the seeds."""
        return Summary.of([evaluation.micro.f1 for evaluation in self.evaluations])

    def to_json(self) -> dict[str, Any]:
        """The figures by name."""
        return {
            "head": self.head,
            "f1": self.f1.to_json(),
            "precision": Summary.of([run.micro.precision for run in self.evaluations]).to_json(),
            "recall": Summary.of([run.micro.recall for run in self.evaluations]).to_json(),
            "ill_formed": Summary.of([run.ill_formed for run in self.evaluations]).to_json(),
            "training_seconds": Summary.of(self.training_seconds).to_json(),
            "tagging_seconds": Summary.of([outcome.seconds for outcome in self.outcomes]).to_json(),
            "seeds": [run.to_json() for run in self.evaluations],
        }


@dataclass(frozen=True, slots=True)
class SentenceDifference:
    """A sentence that the heads read in different ways (first seed)."""

    sentence: Sentence
    crf: tuple[Span, ...]
    softmax: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The CRF beside the softmax.

    Attributes:
        crf: The CRF's results.
        softmax: The softmax's results.
        test: The sentences they were measured on.
    """

    crf: HeadResult
    softmax: HeadResult
    test: Sequence[Sentence]

    @property
    def gain(self) -> Difference:
        """Mean F1 of the CRF less that of the softmax, by a paired bootstrap over the test sentences."""
        return f1_difference(self.crf.evaluations, self.softmax.evaluations)

    def differences(self) -> Iterator[SentenceDifference]:
        """The sentences that the first seeds of the two heads read in different ways."""
        pairs = zip(self.test, self.crf.outcomes[0].spans, self.softmax.outcomes[0].spans, strict=True)
        return (SentenceDifference(*pair) for pair in pairs if pair[1] != pair[2])

    def to_json(self) -> dict[str, Any]:
        """The whole as plain values."""
        return {
            "heads": [self.crf.to_json(), self.softmax.to_json()],
            "gain": self.gain.to_json(),
            "sentences": len(self.test),
            "differing_sentences": sum(1 for _ in self.differences()),
        }

    def table(self) -> str:
        """The comparison as lines of text."""
        rows = [("", "  test F1", "ill-formed", "training s", "tagging s")]
        for result in (self.crf, self.softmax):
            figures = result.to_json()
            means = [figures[name]["mean"] for name in ("ill_formed", "training_seconds", "tagging_seconds")]
            rows.append((result.head, f"  {result.f1}", f"{means[0]:.1f}", f"{means[1]:.1f}", f"{means[2]:.2f}"))
        seeds = len(self.crf.outcomes)
        gain = f"gain of the CRF: {self.gain} (paired bootstrap, 95%; {seeds} seed{'s' * (seeds > 1)})"
        return f"{text_table(rows, '<>>>>')}\n{gain}"


def comparison_jobs(config: Config, directory: Path, *, seeds: int, overwrite: bool = False) -> dict[str, list[Job]]:
    """The runs that a comparison needs, by head: those of both are equal but for the head."""
    return {
        head: seeded(
            Job(replace(config, model=replace(config.model, head=head)), directory / head, overwrite=overwrite), seeds
        )
        for head in HEADS
    }
