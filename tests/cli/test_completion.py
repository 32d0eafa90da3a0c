"""`ner-lstm-crf completion`: what shells complete, in a real one where it can be asked."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ner_lstm_crf.cli.completion import SHELLS
from ner_lstm_crf.cli.main import COMMANDS
from ner_lstm_crf.tags.scheme import SCHEMES
from tests.cli.conftest import Run

ASKED = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_shtab_ner_lstm_crf ner-lstm-crf "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""
FILES = {"train.conll", "two words.conll", "models"}


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script of bash, as the program writes it."""
    path = tmp_path_factory.mktemp("completion") / "script"
    code = "import sys; from ner_lstm_crf.cli.main import main; sys.exit(main(['completion', 'bash']))"
    path.write_bytes(subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True).stdout)
    return path


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("ner-lstm-crf ", set(COMMANDS)),
        ("ner-lstm-crf ev", {"evaluate"}),
        ("ner-lstm-crf train --hidden-s", {"--hidden-size"}),
        ("ner-lstm-crf train --recurrent-d", {"--recurrent-dropout"}),  # which --help-all shows
        ("ner-lstm-crf train --preset ", {"fast", "best", "small", "paper"}),
        ("ner-lstm-crf train --train ", FILES),
        ("ner-lstm-crf train --output ", {"models"}),
        ("ner-lstm-crf inspect train.conll t", {"train.conll", "two words.conll"}),
        ("ner-lstm-crf tag --model ", {"en", "zh", "models"}),
        ("ner-lstm-crf tag --model models/", {"models/mine"}),
        ("ner-lstm-crf train --init-from e", {"en"}),
        ("ner-lstm-crf evaluate ", {"en", "zh", "models"}),
        ("ner-lstm-crf evaluate en ", FILES),
        ("ner-lstm-crf convert train.conll --output-scheme ", set(SCHEMES)),
        ("ner-lstm-crf corpora ", {"list", "fetch"}),
        ("ner-lstm-crf corpora fetch wnu", {"wnut17"}),
        ("ner-lstm-crf completion ", set(SHELLS)),
    ],
)
def test_bash_completes(line: str, completed: set[str], script: Path, tmp_path: Path) -> None:
    (tmp_path / "models" / "mine").mkdir(parents=True)
    for name in FILES - {"models"}:
        (tmp_path / name).touch()
    words = [*shlex.split(line), *([""] if line.endswith(" ") else [])]
    asked = ["bash", "--norc", "-c", ASKED, "bash", str(script), *words]
    done = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.splitlines()) == completed


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_quotes_names_of_files(script: Path) -> None:
    asked = ["bash", "--norc", "-c", 'source "$1"; complete -p ner-lstm-crf', "bash", str(script)]
    assert "-o filenames" in subprocess.run(asked, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_gets_a_script_that_it_can_read(shell: str, run: Run, tmp_path: Path) -> None:
    written = run("completion", shell).out
    assert all(name in written for name in COMMANDS)
    if shutil.which(shell) is not None:
        (tmp_path / "script").write_text(written, encoding="utf-8")
        done = subprocess.run([shell, "-n", str(tmp_path / "script")], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_without_shtab_the_error_names_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert "pip install 'ner-lstm-crf[completion]'" in run("completion", "bash").complaint
