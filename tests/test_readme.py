"""The README's commands and their output, as a reader would run them."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"<!-- tested -->\n```(console|pycon)\n(.*?)```", re.DOTALL)


@pytest.mark.slow
def test_every_tested_block_gives_what_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks run in order in one folder, since later ones use the models that earlier ones train."""
    (tmp_path / "corpora").symlink_to(ROOT / "corpora")
    (tmp_path / "runs").mkdir()
    monkeypatch.chdir(tmp_path)
    blocks = BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    assert [kind for kind, _ in blocks] == ["console", "console", "console", "console", "pycon"]
    for kind, text in blocks:
        (run_console if kind == "console" else run_python)(text)


def run_console(text: str) -> None:
    """Run each `$ command` and compare its standard output with the lines below it."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        done = subprocess.run(command, shell=True, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        if expected:
            assert done.stdout == expected, command


def run_python(text: str) -> None:
    """Run a session and compare what it shows."""
    test = doctest.DocTestParser().get_doctest(text, {}, "README", "README.md", 0)
    shown: list[str] = []
    result = doctest.DocTestRunner(verbose=False).run(test, out=shown.append)
    assert result.failed == 0, "".join(shown)
    assert result.attempted > 4
