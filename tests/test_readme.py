"""The commands of the pages and their output, their Python, and their links, as a reader would try them."""

from __future__ import annotations

import doctest
import gzip
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ner_lstm_crf.cli.main import parser_for

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"<!-- tested -->\n```(console|pycon)\n(.*?)```", re.DOTALL)
PROGRAM = re.compile(r"```python\n(.*?)```", re.DOTALL)
SCORE = re.compile(r'("score": |score=)[01]\.\d+')  # whose last digits depend on the processor
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
ELSEWHERE = {"huggingface.md", "scale.md", "tracking.md"}  # their programs need other programs: see tests/integrations
PROGRAMS = [
    pytest.param(program, id=f"{page.name}-{number}")
    for page in PAGES
    if page.name not in ELSEWHERE
    for number, program in enumerate(PROGRAM.findall(page.read_text(encoding="utf-8")), start=1)
]


class AnyScore(doctest.OutputChecker):
    """Compares what is shown, whatever the scores of entities."""

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        """True if both are equal but for scores."""
        return super().check_output(SCORE.sub(r"\1...", want), SCORE.sub(r"\1...", got), optionflags)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "kinds"),
    [("README.md", ["console", "console", "console", "pycon"]), ("docs/chinese.md", ["console"])],
)
def test_every_tested_block_gives_what_it_shows(
    page: str, kinds: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks run in order in one folder, since later ones use the models that earlier ones train."""
    (tmp_path / "corpora").symlink_to(ROOT / "corpora")
    (tmp_path / "runs").mkdir()
    monkeypatch.chdir(tmp_path)
    blocks = BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    assert [kind for kind, _ in blocks] == kinds
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
            assert SCORE.sub(r"\1...", done.stdout) == SCORE.sub(r"\1...", expected), command


def run_python(text: str) -> None:
    """Run a session and compare what it shows."""
    test = doctest.DocTestParser().get_doctest(text, {}, "README", "README.md", 0)
    shown: list[str] = []
    result = doctest.DocTestRunner(AnyScore(), verbose=False).run(test, out=shown.append)
    assert result.failed == 0, "".join(shown)
    assert result.attempted > 4


def test_programs_are_found() -> None:
    assert {str(program.id).partition("-")[0] for program in PROGRAMS} >= {"README.md", "shipped.md"}


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_runs(program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On files of the names that the pages use; a training takes few epochs."""
    for name in ("train.conll", "dev.conll"):
        (tmp_path / name).write_text("Ada\tB-PER\nmet\tO\nMilo\tB-PER\n\n" * 3, encoding="utf-8")
    with gzip.open(tmp_path / "glove.6B.100d.txt.gz", "wt", encoding="utf-8") as vectors:
        vectors.writelines(f"{word} {'0.5 ' * 100}\n" for word in ("ada", "met", "milo"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ner_lstm_crf.training.trainer._MAX_REPEATS", 1)
    exec(program, {})
    if "Run(" in program or "train(data" in program:
        assert (tmp_path / "my-model" / "network-1.safetensors").is_file()


LINK = re.compile(r"\]\((?!https?://)([^)#\s]*)(?:#([^)\s]+))?\)")
LINKED = [
    *PAGES,
    *sorted((ROOT / "docs" / "repository").glob("*.md")),
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    ROOT / "corpora" / "README.md",
]


def anchor(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", LINKED, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    prose = re.sub(r"```.*?```|`[^`]*`|^    .*?$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    for file, part in LINK.findall(prose):
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), f"{page.name}: {file}"
        if part:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), flags=re.MULTILINE)
            assert part in map(anchor, headings), f"{page.name}: {file}#{part}"


SHELL = re.compile(r"^```(?:sh|console)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def commands_of(page: Path) -> list[str]:
    """The calls of `ner-lstm-crf` in the blocks of a page, each without what the shell makes of its output."""
    blocks = "\n".join(SHELL.findall(page.read_text(encoding="utf-8"))).replace("\\\n", " ")
    calls = [line.partition("ner-lstm-crf ")[2] for line in blocks.splitlines() if not line.startswith("#")]
    return [re.split(r"\s+[|>#]\s|\s+2?>", call)[0] for call in calls if call]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_has_the_options_that_a_page_gives_it(page: Path) -> None:
    for command in commands_of(page):
        arguments = shlex.split(command)
        if arguments not in ([], ["--version"]) and "--listed" not in arguments:  # which a page shows how to add
            assert callable(parser_for(arguments).parse_args(arguments).command), command


def test_pages_have_commands() -> None:
    assert sum(len(commands_of(page)) for page in PAGES) > 50
