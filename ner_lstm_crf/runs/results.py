"""What came of training runs: of one, and of several seeds together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.evaluation.evaluate import TestResult, evaluate_model
from ner_lstm_crf.evaluation.metrics import Summary, median_run
from ner_lstm_crf.runs.processes import Job
from ner_lstm_crf.runs.run import members_of
from ner_lstm_crf.runs.run_files import has_begun, read_history
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.text.annotation import Sentence

__all__ = ["RunResult", "median_result", "results_to_json"]


@dataclass(frozen=True, slots=True)
class RunResult:
    """One training run that has ended.

    Attributes:
        directory: Where its model is.
        seed: Its seed.
        history: The reports of its epochs, as `read_history` returns them; where networks were joined, one for each.
        members: How many networks its model is of.
        curves: The reports of the epochs of each network, by the names of their runs, if they are still there; "" is
            that of an only one.
        test: What its model found in the test set; None without one.
    """

    directory: Path
    seed: int
    history: Sequence[dict[str, Any]]
    members: int
    curves: Mapping[str, Sequence[dict[str, Any]]]
    test: TestResult | None

    @classmethod
    def of(cls, job: Job, test: Sequence[Sentence]) -> RunResult:
        """The result of a job that is done, its model measured on `test` if that is not empty.

        Raises:
            InputError: If its model or its history cannot be read.
        """
        history = read_history(job.directory)
        if not any(report["best"] for report in history):
            raise InputError("the run is damaged: its history has no best epoch", path=job.directory)
        return cls(
            directory=job.directory,
            seed=job.config.training.seed,
            history=history,
            members=job.config.training.ensemble_size,
            curves=_curves(job, history),
            test=evaluate_model(Model.load(job.directory), test) if test else None,
        )

    @property
    def best(self) -> dict[str, Any]:
        """The report of the epoch whose model was kept, or of all networks together."""
        return next(report for report in reversed(self.history) if report["best"])

    @property
    def dev_f1(self) -> float | None:
        """The dev F1 of the model that was kept; None without a dev set."""
        return None if self.best["dev"] is None else float(self.best["dev"]["f1"])

    @property
    def seconds(self) -> float:
        """Time spent training."""
        return float(sum(report["seconds"] for report in self.history))

    def to_json(self) -> dict[str, Any]:
        """The figures by name."""
        return {
            "directory": str(self.directory),
            "seed": self.seed,
            "members": self.members,
            "epochs": sum(map(len, self.curves.values())),
            "best_epoch": self.best["epoch"] if self.members == 1 else None,
            "training_seconds": self.seconds,
            "dev": self.best["dev"],
            "test": self.test.evaluation.to_json() if self.test else None,
        }


def _curves(job: Job, history: Sequence[dict[str, Any]]) -> dict[str, Sequence[dict[str, Any]]]:
    if job.config.training.ensemble_size == 1:
        return {"": history}
    places = [place for _, place in members_of(job.config, job.directory)]
    return {place.name: read_history(place) for place in places if has_begun(place)}


def median_result(results: Sequence[RunResult]) -> RunResult:
    """The run with the median dev F1: what to expect of one run, without choosing by the test set."""
    return results[median_run([result.dev_f1 or 0.0 for result in results])]


def results_to_json(results: Sequence[RunResult]) -> dict[str, Any]:
    """Each run, and mean and deviation over all of them."""
    dev = [result.dev_f1 for result in results if result.dev_f1 is not None]
    test = [result.test.evaluation.micro.f1 for result in results if result.test is not None]
    return {
        "runs": [result.to_json() for result in results],
        "dev_f1": Summary.of(dev).to_json() if dev else None,
        "test_f1": Summary.of(test).to_json() if test else None,
    }
