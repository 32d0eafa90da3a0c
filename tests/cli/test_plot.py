"""`plot`: the pictures of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Files, Run

pytest.importorskip("matplotlib")


def test_a_run_is_drawn_and_the_pictures_are_named(model: Path, files: Files, run: Run, tmp_path: Path) -> None:
    done = run("plot", model, files.test, "--output", tmp_path / "new" / "pictures")
    paths = [Path(line) for line in done.out.splitlines()]
    assert [path.name for path in paths] == ["transitions.png", "curve.png", "confusion.png", "reliability.png"]
    assert {path.parent for path in paths} == {tmp_path / "new" / "pictures"}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)


def test_a_shipped_tagger_has_no_curve_and_needs_a_folder(run: Run, tmp_path: Path) -> None:
    assert "--output: expected a folder" in run("plot", "en").complaint
    done = run("plot", "en", "--output", tmp_path, "--picture-format", "svg")
    assert done.out == f"{tmp_path / 'transitions.svg'}\n"
    assert (tmp_path / "transitions.svg").read_text(encoding="utf-8").startswith("<?xml")
