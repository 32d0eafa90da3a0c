"""scripts/results.py: that its rows are real corpora, its lines say what the runs found, and none of them is stale."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import results
from ner_lstm_crf.config import Config, TrainingConfig

COMPARISON = {
    "heads": [
        {"f1": {"mean": 0.7852, "deviation": 0.0066}, "training_seconds": {"mean": 90.0}},
        {"f1": {"mean": 0.74, "deviation": 0.001}, "training_seconds": {"mean": 60.0}},
    ],
    "gain": {"value": 0.0452, "low": 0.03, "high": 0.06},
}
SEEDS = {"test_f1": {"mean": 0.5, "deviation": 0.02}, "runs": [{"training_seconds": 60.0}, {"training_seconds": 120.0}]}


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that were run, in place of which `COMPARISON` or `SEEDS` is found."""
    called: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        called.append(command)
        return subprocess.CompletedProcess(command, 0, json.dumps(COMPARISON if "compare" in command else SEEDS))

    monkeypatch.setattr(subprocess, "run", run)
    return called


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Makes the row of wnut17, which it gives."""

    def call(*options: str) -> str:
        fixed = ["results.py", "corpora", "--output", str(tmp_path / "runs"), "--corpora", "wnut17"]
        monkeypatch.setattr(sys, "argv", [*fixed, *options])
        results.main()
        return capsys.readouterr().out.splitlines()[-1]

    return call


@pytest.fixture
def refused(call: Callable[..., str], capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """The complaint about a call."""

    def refused(*options: str) -> str:
        with pytest.raises(SystemExit, match="2"):
            call(*options)
        return capsys.readouterr().err.splitlines()[-1]

    return refused


@pytest.mark.real
def test_all_rows_are_there(corpora: Path) -> None:
    for row in results.ROWS.values():
        for name in (*row.train, row.dev, row.test):
            assert (corpora / name).is_file()


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ([], "| wnut17 | 78.5 ± 0.7 | 74.0 ± 0.1 | +4.5 (+3.0 to +6.0) | 1.5 |"),
        (["--crf-only"], "| wnut17 | 50.0 ± 2.0 | | | 1.5 |"),
    ],
)
def test_a_line_says_what_the_command_found_and_it_runs_once(
    options: list[str], line: str, commands: list[list[str]], call: Callable[..., str]
) -> None:
    options = ["--vectors", "v.txt", *options]
    assert [call(*options), call(*options)] == [line, line]
    (command,) = commands
    assert "--resume" not in command
    assert command[command.index("--vectors") + 1] == "v.txt"
    assert ("compare" in command) == ("--crf-only" not in options)


def test_the_result_of_another_command_is_refused(
    commands: list[list[str]], call: Callable[..., str], refused: Callable[..., str]
) -> None:
    call()
    assert "wnut17.json: holds the result of another command" in refused("--seeds", "9")
    assert len(commands) == 1


def test_the_result_of_a_preset_that_has_changed_is_refused(
    commands: list[list[str]], call: Callable[..., str], refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    call()
    monkeypatch.setattr(results, "preset", lambda *_, **__: Config(training=TrainingConfig(epochs=99)))
    assert "wnut17.json: holds the result of a preset or a --config that has changed since" in refused()
    assert len(commands) == 1


def test_the_result_of_a_config_that_has_changed_is_refused(
    commands: list[list[str]], call: Callable[..., str], refused: Callable[..., str], tmp_path: Path
) -> None:
    path = tmp_path / "own.toml"
    path.write_text("[training]\nepochs = 3\n")
    line = call("--config", str(path))
    kept = json.loads((tmp_path / "runs" / "wnut17.json").read_text())
    assert kept["settings"]["training"]["epochs"] == 3
    path.write_text("# the same, otherwise written\n[training]\nepochs=3\n")
    assert call("--config", str(path)) == line
    path.write_text("[training]\nepochs = 4\n")
    assert "wnut17.json: holds the result of a preset or a --config that has changed since" in refused(
        "--config", str(path)
    )
    assert len(commands) == 1


def test_a_config_that_is_wrong_is_named(
    commands: list[list[str]], refused: Callable[..., str], tmp_path: Path
) -> None:
    path = tmp_path / "own.toml"
    assert f"{path}: no such file" in refused("--config", str(path))
    path.write_text("[training]\nepoch = 3\n")
    assert f"{path}: " in refused("--config", str(path))
    assert not commands


def test_english_vectors_are_not_for_chinese() -> None:
    args = results._parser().parse_args(["corpora", "--output", "runs", "--vectors", "v.txt"])
    command = results._command("uner-zh_gsdsimp", args)
    assert "--vectors" not in command
    assert "--token-unit" in command
