"""The results of training runs: of one, of several seeds together, and of the two heads beside each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

from ner_lstm_crf.config import Config, HeadName
from ner_lstm_crf.errors import InputError, counted
from ner_lstm_crf.evaluation.evaluate import TestResult, evaluate_model
from ner_lstm_crf.evaluation.metrics import Evaluation, Summary, text_table
from ner_lstm_crf.evaluation.significance import Difference, f1_difference
from ner_lstm_crf.explanation.plots import learning_curves, saved
from ner_lstm_crf.runs.processes import PlannedRun, plan_seeds
from ner_lstm_crf.runs.run import Run
from ner_lstm_crf.saving.model import Model, ModelDescription
from ner_lstm_crf.text.annotation import Sentence, Span

HEADS: tuple[HeadName, ...] = get_args(HeadName)


@dataclass(frozen=True, slots=True)
class RunResult:
    """A finished training run.

    Attributes:
        directory: Where its model is.
        seed: Its seed.
        histories: The reports of the epochs of each network, as `Run.history` gives them.
        best_epochs: The epoch of each network whose weights were kept.
        seconds: Time spent training.
        dev: The dev scores of the model; None without a dev set.
        dev_f1: Its dev F1.
        temperature: The temperature of its probabilities, fitted on the dev set; 1 without one.
        test: Scores and spans on the test set; None without one.
    """

    directory: Path
    seed: int
    histories: Sequence[Sequence[dict[str, Any]]]
    best_epochs: Sequence[int]
    seconds: float
    dev: Mapping[str, Any] | None
    dev_f1: float | None
    temperature: float
    test: TestResult | None

    @classmethod
    def of(cls, planned: PlannedRun, test: Sequence[Sentence]) -> RunResult:
        """The result of a run that is finished, its model measured on `test` if that is not empty.

        Raises:
            InputError: If its model or its history cannot be read.
        """
        history = Run(planned.directory).history()
        numbers = range(1, planned.config.training.ensemble_size + 1)
        histories = [[report for report in history if report["network"] == number] for number in numbers]
        best = [[report["epoch"] for report in reports if report["best"]] for reports in histories]
        if not all(best):
            raise InputError("the run is damaged: its history lacks a best epoch", path=planned.directory)
        dev = history[-1].get("ensemble_dev")
        return cls(
            directory=planned.directory,
            seed=planned.config.training.seed,
            histories=histories,
            best_epochs=[epochs[-1] for epochs in best],
            seconds=sum(report["seconds"] for report in history),
            dev=dev,
            dev_f1=None if dev is None else float(dev["f1"]),
            temperature=ModelDescription.read(planned.directory).temperature,
            test=evaluate_model(Model.load(planned.directory), test) if test else None,
        )

    def to_json(self) -> dict[str, Any]:
        """The figures by name."""
        return {
            "directory": str(self.directory),
            "seed": self.seed,
            "ensemble_size": len(self.histories),
            "epochs": sum(map(len, self.histories)),
            "best_epochs": list(self.best_epochs),
            "training_seconds": self.seconds,
            "temperature": self.temperature,
            "dev": self.dev,
            "test": self.test.evaluation.to_json() if self.test else None,
        }


def median_result(results: Sequence[RunResult]) -> RunResult:
    """The run with the median dev F1: what to expect of one run, without choosing by the test set.

    Of an even number of runs it is the lower of the middle two.
    """
    return sorted(results, key=lambda result: result.dev_f1 or 0.0)[(len(results) - 1) // 2]


def summary_to_json(directory: Path, chosen: RunResult, results: Sequence[RunResult]) -> dict[str, Any]:
    """The content of summary.json: the run whose model is kept, each run, and mean and deviation over all of them.

    Args:
        directory: The directory of the model.
        chosen: The result whose model is kept.
        results: All results.
    """
    dev = [result.dev_f1 for result in results if result.dev_f1 is not None]
    test = [result.test.evaluation.micro.f1 for result in results if result.test is not None]
    return {
        "directory": str(directory),
        "seed": chosen.seed,
        "runs": [result.to_json() for result in results],
        "dev_f1": Summary.of(dev).to_json() if dev else None,
        "test_f1": Summary.of(test).to_json() if test else None,
    }


def plot_curves(results: Sequence[RunResult], path: Path) -> bool:
    """Draw the training loss and the dev F1 of each epoch, a curve for each network of each run.

    Args:
        results: The runs.
        path: The picture to write; its suffix is its format.

    Returns:
        True if it was drawn: matplotlib is an optional part of the installation.

    Raises:
        InputError: If it cannot be written.
    """
    if find_spec("matplotlib") is None:
        return False
    histories = {
        f"seed {result.seed}" + f", network {number}" * (len(result.histories) > 1): history
        for result in results
        for number, history in enumerate(result.histories, 1)
    }
    saved(learning_curves(histories), path)
    return True


def plan_comparison(
    config: Config, directory: Path, *, seeds: int, resume: bool = False, overwrite: bool = False
) -> dict[HeadName, list[PlannedRun]]:
    """The runs of a comparison, by head: those of both are equal except for the head."""
    return {
        head: plan_seeds(
            PlannedRun(config.replace(head=head), directory / head, resume, overwrite),
            seeds,
        )
        for head in HEADS
    }


@dataclass(frozen=True, slots=True)
class HeadResult:
    """All seeds of one head.

    Attributes:
        head: "crf" or "softmax".
        tests: Scores and spans on the test set, one per seed.
        training_seconds: Time spent training, one per seed.
    """

    head: str
    tests: tuple[TestResult, ...]
    training_seconds: tuple[float, ...]

    @property
    def evaluations(self) -> list[Evaluation]:
        """The scores of each seed."""
        return [test.evaluation for test in self.tests]

    @property
    def f1(self) -> Summary:
        """Micro F1 over the seeds."""
        return Summary.of([evaluation.micro.f1 for evaluation in self.evaluations])

    def to_json(self) -> dict[str, Any]:
        """The figures by name."""
        return {
            "head": self.head,
            "f1": self.f1.to_json(),
            "precision": Summary.of([one.micro.precision for one in self.evaluations]).to_json(),
            "recall": Summary.of([one.micro.recall for one in self.evaluations]).to_json(),
            "ill_formed": Summary.of([one.ill_formed for one in self.evaluations]).to_json(),
            "training_seconds": Summary.of(self.training_seconds).to_json(),
            "tagging_seconds": Summary.of([test.seconds for test in self.tests]).to_json(),
            "seeds": [one.to_json() for one in self.evaluations],
        }


@dataclass(frozen=True, slots=True)
class SentenceDifference:
    """A sentence in which the heads find different entities (first seed)."""

    sentence: Sentence
    crf: tuple[Span, ...]
    softmax: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The CRF beside the softmax, on equal terms: same data, same seeds, same network below the head.

    Attributes:
        crf: The results of the CRF.
        softmax: The results of the softmax.
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
        """The sentences in which the first seeds of the two heads find different entities."""
        pairs = zip(self.test, self.crf.tests[0].spans, self.softmax.tests[0].spans, strict=True)
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
        seeds = len(self.crf.tests)
        gain = f"gain of the CRF: {self.gain} (paired bootstrap, 95%; {counted(seeds, 'seed')})"
        return f"{text_table(rows, '<>>>>')}\n{gain}"
