"""scripts/results.py: that its rows are real corpora and its lines say what the runs found."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from ner_lstm_crf.config import Config, TrainingConfig

SCRIPT = Path(__file__).parents[2] / "scripts" / "results.py"
COMPARISON = {
    "heads": [
        {"f1": {"mean": 0.7852, "deviation": 0.0066}, "training_seconds": {"mean": 90.0}},
        {"f1": {"mean": 0.74, "deviation": 0.001}, "training_seconds": {"mean": 60.0}},
    ],
    "gain": {"value": 0.0452, "low": 0.03, "high": 0.06},
}
SEEDS = {"test_f1": {"mean": 0.5, "deviation": 0.02}, "runs": [{"training_seconds": 60.0}, {"training_seconds": 120.0}]}


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("results", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "results", module)
    spec.loader.exec_module(module)
    return module


def test_all_rows_are_there(results: ModuleType, corpora: Path) -> None:
    for row in results.ROWS.values():
        for name in (*row.train, row.dev, row.test):
            assert (corpora / name).is_file()


@pytest.mark.parametrize(
    ("options", "found", "line"),
    [
        ([], COMPARISON, "| wnut17 | 78.5 ± 0.7 | 74.0 ± 0.1 | +4.5 (+3.0 to +6.0) | 1.5 |"),
        (["--crf-only"], SEEDS, "| wnut17 | 50.0 ± 2.0 | | | 1.5 |"),
    ],
)
def test_a_line_says_what_the_command_found_and_it_runs_once(
    results: ModuleType,
    options: list[str],
    found: dict[str, object],
    line: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    commands: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, 0, json.dumps(found))

    monkeypatch.setattr(subprocess, "run", run)
    arguments = ["results.py", "corpora", "--output", str(tmp_path), "--corpora", "wnut17", "--vectors", "v.txt"]
    monkeypatch.setattr(sys, "argv", [*arguments, *options])
    for _ in range(2):
        results.main()
        assert capsys.readouterr().out.splitlines()[-1] == line
    monkeypatch.setattr(sys, "argv", [*arguments, *options, "--seeds", "9"])
    with pytest.raises(SystemExit, match="holds the result of another command"):
        results.main()
    monkeypatch.setattr(sys, "argv", [*arguments, *options])
    monkeypatch.setattr(results, "preset", lambda *_, **__: Config(training=TrainingConfig(epochs=99)))
    with pytest.raises(SystemExit, match="of a preset that has changed since"):
        results.main()
    (command,) = commands
    assert "--resume" not in command
    assert command[command.index("--vectors") + 1] == "v.txt"
    assert ("compare" in command) == (not options)


def test_english_vectors_are_not_for_chinese(results: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["results.py", "corpora", "--output", "runs", "--vectors", "v.txt"])
    command = results._command("uner-zh_gsdsimp", results._arguments())
    assert "--vectors" not in command
    assert "--characters" in command
