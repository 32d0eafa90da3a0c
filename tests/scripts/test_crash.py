"""Trainings that are killed and resumed, a few of them: the long run is by hand."""

from __future__ import annotations

import os

import pytest

from crash import main


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_killed_trainings_go_on_to_the_same_weights(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--kills", "2", "--only", "small, 3 networks"]) == 0
    heading, figures = capsys.readouterr().out.splitlines()
    assert heading.split()[:3] == ["training", "kills", "equal"]
    assert figures.startswith("small, 3 networks                  2     2")
