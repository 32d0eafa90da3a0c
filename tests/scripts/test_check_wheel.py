"""scripts/check_wheel.py: a package that stands elsewhere is whole, and one without kernels is noticed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ner_lstm_crf import kernels

ROOT = Path(__file__).resolve().parents[2]
BUILT = Path(kernels.__file__).parent / "built"


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with the package alone, as an installation of a wheel has it."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "ner_lstm_crf", tmp_path / "ner_lstm_crf", ignore=ignored)
    return tmp_path


def check(installed: Path) -> subprocess.CompletedProcess[str]:
    """Run the script with a package that stands before all others."""
    environment = os.environ | {"PYTHONPATH": str(installed)}
    command = [sys.executable, str(ROOT / "scripts" / "check_wheel.py")]
    return subprocess.run(command, env=environment, cwd=installed, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.skipif(not BUILT.is_dir(), reason="the kernels are not compiled")
def test_a_package_tags_with_its_kernels_and_one_without_them_is_noticed(installed: Path) -> None:
    done = check(installed)
    assert done.returncode == 0, done.stderr
    assert "kernels and taggers work" in done.stdout
    shutil.rmtree(installed / "ner_lstm_crf" / "kernels" / "built")
    done = check(installed)
    assert (done.returncode, done.stdout) == (1, "")
    assert "expected compiled kernels in" in done.stderr


@pytest.mark.slow
def test_the_checkout_is_not_taken_for_an_installation() -> None:
    done = check(ROOT)
    assert (done.returncode, done.stdout) == (1, "")
    assert "found the checkout" in done.stderr
