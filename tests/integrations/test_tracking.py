"""The programs of docs/tracking.md, each with the real tracker that it is for; one that is not installed is skipped."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from ner_lstm_crf import Sentence, write_sentences

Make = Callable[..., list[Sentence]]
PAGE = Path(__file__).parents[2] / "docs" / "tracking.md"
PROGRAMS = dict(
    re.findall(r"^## ([^\n]*)\n(?:(?!^## ).)*?```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
)
SETTINGS = {  # nothing leaves the folder or the machine
    "MLFLOW_TRACKING_URI": "runs",
    "MLFLOW_ALLOW_FILE_STORE": "true",
    "WANDB_MODE": "offline",
    "WANDB_SILENT": "true",
}


@pytest.fixture
def tracked(make_sentences: Make, tmp_path: Path) -> Callable[[str], list[dict[str, Any]]]:
    """Runs a program of the page in a folder of its own, and returns the reports of its epochs."""
    for name, count in (("train", 300), ("dev", 20)):
        write_sentences(tmp_path / f"{name}.conll", make_sentences(count, seed=count))

    def run(tracker: str) -> list[dict[str, Any]]:
        environment = os.environ | SETTINGS | {"HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
        command = [sys.executable, "-c", PROGRAMS[tracker]]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        lines = (tmp_path / "my-model" / "history.jsonl").read_text(encoding="utf-8").splitlines()
        history = [json.loads(line) for line in lines]
        assert [report["epoch"] for report in history] == [1, 2, 3]
        assert history[-1]["dev"]["f1"] > 0
        return history

    return run


def test_all_programs_are_tried() -> None:
    assert set(PROGRAMS) == {"TensorBoard", "MLflow", "Weights & Biases"}


def test_tensorboard_has_the_figures_of_each_epoch(tracked: Callable[[str], Any], tmp_path: Path) -> None:
    event_processing = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    history = tracked("TensorBoard")
    events = event_processing.EventAccumulator(str(tmp_path / "logs" / "my-model"))
    events.Reload()
    assert [event.step for event in events.Scalars("loss")] == [1, 2, 3]
    assert [event.value for event in events.Scalars("loss")] == pytest.approx([one["loss"] for one in history])
    for figure in ("precision", "recall", "f1"):
        found = [event.value for event in events.Scalars(f"dev/{figure}")]
        assert found == pytest.approx([one["dev"][figure] for one in history])


@pytest.mark.filterwarnings("default")
def test_mlflow_has_the_figures_of_each_epoch_and_the_model(
    tracked: Callable[[str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mlflow = pytest.importorskip("mlflow")
    history = tracked("MLflow")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    client = mlflow.MlflowClient("runs")
    (run,) = client.search_runs([client.get_experiment_by_name("names").experiment_id])
    for metric, values in (
        ("loss", [one["loss"] for one in history]),
        ("dev_f1", [one["dev"]["f1"] for one in history]),
    ):
        found = sorted(client.get_metric_history(run.info.run_id, metric), key=lambda one: one.step)
        assert [one.step for one in found] == [1, 2, 3]
        assert [one.value for one in found] == pytest.approx(values)
    assert run.data.params["epochs"] == "3"
    kept = {one.path for one in client.list_artifacts(run.info.run_id, "model")}
    assert {"model/config.json", "model/network-1.safetensors"} <= kept


def test_weights_and_biases_has_the_figures_of_each_epoch(tracked: Callable[[str], Any], tmp_path: Path) -> None:
    if find_spec("wandb") is None:
        pytest.skip("wandb is not installed")
    history = tracked("Weights & Biases")
    (log,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    content = log.read_bytes()  # records, in which each value stands as JSON behind its name
    for report in history:
        for name, value in (("loss", report["loss"]), ("dev_f1", report["dev"]["f1"])):
            assert re.search(
                rb"%b.{0,8}%b" % (name.encode(), re.escape(f"{value!r}".removesuffix(".0").encode())),
                content,
                re.DOTALL,
            )
