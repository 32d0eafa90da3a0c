"""Command lines of any options with right and wrong values: each does its work or ends in one clear line."""

from __future__ import annotations

import argparse
import io
import os
import re
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from ner_lstm_crf.cli.main import COMMANDS, main, parser_for
from tests.cli.conftest import Result, call, column_text

SMALLEST = ["--hidden-size", "2", "--word-size", "2", "--char-size", "2", "--char-filters", "2", "--casing-size", "0"]
FEW = ["--epochs", "1", "--ensemble", "1", "--seeds", "1", "--workers", "1", "--adversarial-epsilon", "0"]
"""Options that end each training soon; of an option that is given twice, the last one counts."""

FILES = (
    *("train.conll", "test.conll", "texts.jsonl", "tokens.jsonl", "marks.inline", "text.txt", "small.toml", "model"),
    *(
        "en",
        "zh",
        "-",
        "none",
        "builtin",
        "no such file",
        "tset.conll",
        "loop",
        "folder",
        "folder/new.conll",
        "/dev/null",
    ),
    *(
        "/dev/full",
        "",
        ".",
        "..",
        "/",
        "new.jsonl",
        "new.html",
        "new.spacy",
        "caf\udce9",
        "x" * 300,
        "~",
        "train.conll/x",
    ),
)
NUMBERS = (
    "0",
    "1",
    "2",
    "-1",
    "3.5",
    "1e-3",
    "1e309",
    "nan",
    "inf",
    "٣",
    "",
    "1_0",
    "9" * 30,
    "0x10",
    "1,2",
    ",",
    "9" * 5000,
)
WORDS = ("", "x", "PER", "PER,LOC", "PRE", "PER=person", "=X", "PER=", "O=PER", "IOB2", "bio", "BOI", "utf-8", "utf-16")
MORE_WORDS = ("latin-1", "idna", "\x1b[2J", "\udce9", "北京", "-", "--", "tab", "Ada met Milo.", "\n", "wnut17", "a\tb")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder, in which the tests are, with files of all formats and a model."""
    folder = tmp_path_factory.mktemp("place")
    before = Path.cwd()
    os.chdir(folder)
    Path("train.conll").write_text(column_text(12, 1), encoding="utf-8")
    Path("test.conll").write_text(column_text(4, 2), encoding="utf-8")
    Path("text.txt").write_text("Ada Brandt met Milo in Oslo.\n北京\n", encoding="utf-8")
    Path("small.toml").write_text("[model]\nhidden_size = 2\n", encoding="utf-8")
    Path("loop").symlink_to("loop")
    Path("folder").mkdir()
    for name, output_format in (("texts.jsonl", "jsonl"), ("tokens.jsonl", "tokens"), ("marks.inline", "inline")):
        assert call(["convert", "test.conll", name, "--output-format", output_format]).code == 0
    options = ["--train", "train.conll", "--output", "model", *SMALLEST, *FEW]
    trained = call(["train", *options])
    assert trained.code == 0, trained.err
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ner_lstm_crf.runs.train.plot_curves", lambda *_: False)  # drawing takes longer than all else
        patch.setattr(
            "ner_lstm_crf.serving.server.Server.run", lambda *_: None
        )  # a service would end when it is told to
        patch.setattr("ner_lstm_crf.serving.server._serve_by_workers", lambda *_: None)
        yield folder
    os.chdir(before)


def contents(folder: Path) -> dict[str, bytes]:
    """All files in a folder, with what is in them."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def values(action: argparse.Action) -> st.SearchStrategy[str]:
    """Values for an option, most of them of its kind."""
    any_value = st.sampled_from((*WORDS, *MORE_WORDS, *NUMBERS, *FILES))
    if action.choices is not None:
        right = st.sampled_from([str(choice) for choice in action.choices])
        return right | right.map(lambda word: word[1:]) | any_value
    metavar = str(action.metavar or "")
    if metavar in ("N", "X", "N,N"):
        return st.sampled_from(("1", "2", "0.5", *NUMBERS)) | any_value
    if metavar in ("F", "DIR", "MODEL", "FILE", "IN", "OUT", "GOLD", "PRED", "F.toml"):
        return st.sampled_from(FILES) | any_value
    return st.sampled_from((*WORDS, *MORE_WORDS)) | any_value


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    """A command, some of its options and what it needs, in any order; now and then a slip in one word."""
    command = draw(st.sampled_from([name for name in COMMANDS if name != "corpora"]))
    actions = parser_for([command])._subparsers._group_actions[0].choices[command]._actions  # type: ignore[union-attr,index]
    flags = [action for action in actions if action.option_strings and not isinstance(action, argparse._HelpAction)]
    groups = [draw(values(action)) for action in actions if not action.option_strings and draw(st.integers(0, 9))]
    pieces = [[value] for value in groups]
    required = [action for action in flags if action.required and draw(st.integers(0, 9))]
    for action in required + (draw(st.lists(st.sampled_from(flags), max_size=4)) if flags else []):
        name = draw(st.sampled_from(action.option_strings))
        pieces.append([name] if action.nargs == 0 else [name, draw(values(action))])
    words = [word for piece in draw(st.permutations(pieces)) for word in piece]
    if words and draw(st.integers(0, 9)) == 0:
        at = draw(st.integers(0, len(words) - 1))
        words[at] = draw(
            st.sampled_from((words[at][:-1], words[at] + "x", words[at].upper(), f"{words[at]}=1", "--lr"))
        )
    return [command, *words, *(FEW + SMALLEST if command in ("train", "compare") else [])]


@pytest.fixture(scope="module")
def run_here(place: Path) -> Callable[[list[str]], Result]:
    """Runs a command line in the folder, with a text on standard input."""

    def run(arguments: list[str]) -> Result:
        out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"Ada met Milo.\n"), encoding="utf-8"))
            code = main(arguments)
        return Result(code, out.buffer.getvalue().decode(errors="replace"), err.getvalue())  # type: ignore[attr-defined]

    return run


@pytest.mark.timeout(0)  # any number of inputs
@settings(settings.get_profile("fuzz"), suppress_health_check=list(HealthCheck))
@given(arguments=command_lines())
def test_any_command_line_does_its_work_or_says_what_is_wrong(
    arguments: list[str], place: Path, run_here: Callable[[list[str]], Result]
) -> None:
    before = contents(place)
    result = run_here(arguments)
    # 1. It ends as commands do: a mistake is one line, the last one.
    assert result.code in (0, 2)
    lines = result.err.splitlines()
    errors = [line for line in lines if line.startswith("error: ")]
    assert len(errors) == (result.code == 2)
    if errors:
        assert lines[-1] == errors[0]
        assert "Traceback" not in result.err
        assert not re.search(r"\b(?:Error|Exception)\b|<\w+ object|\bNone\b|Errno", errors[0]), errors[0]
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", result.err)
    # 2. A mistake writes nothing; other files than the outputs named stay as they are.
    after = contents(place)
    named = {word.partition("=")[2] or word for word in arguments}
    changed = [Path(path).relative_to(place) for path in after if before.get(path) != after[path]]
    for path in changed:
        assert any(str(one) in named for one in (path, *path.parents)), f"{path} by {arguments}"
    clean(place, before)


def clean(place: Path, before: dict[str, Any]) -> None:
    """Leave the folder as it was."""
    for path in sorted(place.rglob("*"), reverse=True):
        if path.is_symlink():
            continue
        if path.is_file() and str(path) not in before:
            path.unlink()
        elif path.is_dir() and path.name != "folder" and not any(path.iterdir()):
            path.rmdir()
    for name, content in before.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(content)
