"""Commands that are killed and operations on files that fail, a few of them: the long run is by hand."""

from __future__ import annotations

import os
import sys

import pytest

from build_kernels import compiler
from crash import main

has_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
has_preload = pytest.mark.skipif(sys.platform != "linux" or compiler() is None, reason="no Linux with a compiler")


@pytest.mark.slow
@has_fork
def test_killed_trainings_go_on_to_the_same_weights(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trainings", "--kills", "2", "--only", "small, 3 networks"]) == 0
    heading, figures = capsys.readouterr().out.splitlines()
    assert heading.split()[:3] == ["training", "kills", "equal"]
    assert figures.startswith("small, 3 networks                  2     2")


@has_fork
def test_a_killed_command_leaves_the_old_file_or_the_new_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["outputs", "--kills", "4", "--only", "convert in place", "--only", "tag text"]) == 0
    heading, *figures = capsys.readouterr().out.splitlines()
    assert heading.split()[:3] == ["command", "kills", "no"]
    assert [line.split()[-5] for line in figures] == ["2", "2"]


@has_preload
def test_any_operation_on_files_may_fail(capfd: pytest.CaptureFixture[str]) -> None:
    scenes = ("save", "convert, compressed", "tag columns", "fetch from a copy")
    assert main(["faults", "--most", "6", *(f"--only={scene}" for scene in scenes)]) == 0
    heading, *figures = capfd.readouterr().out.splitlines()
    assert heading.split()[:3] == ["command", "operations", "faults"]
    assert [line.split()[-4] for line in figures] == ["6"] * len(scenes)


@pytest.mark.slow
@has_preload
def test_any_operation_of_a_training_may_fail(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["faults", "--most", "2", "--only", "train 2 networks"]) == 0
    assert "FAULT" not in capfd.readouterr().out
