from __future__ import annotations

import json
import os
import platform
import shlex
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from ner_lstm_crf import __version__, kernels
from ner_lstm_crf.cli import convert, corpora, main
from ner_lstm_crf.cli.main import COMMANDS, parser_for
from tests.cli.conftest import Files, Run

NAMES = [*COMMANDS]


def test_help_names_every_command(run: Run) -> None:
    result = run("--help")
    assert (result.code, result.err) == (0, "")
    listed = [line.split()[0] for line in result.out.splitlines() if line.startswith("    ") and line.strip()]
    assert [name for name in listed if name in NAMES] == NAMES


def examples_in(text: str) -> list[list[str]]:
    """The arguments of each command line in a text, without what the shell makes of the rest."""
    lines = (line.partition("ner-lstm-crf ")[2].partition(" > ")[0] for line in text.splitlines())
    return [shlex.split(line) for line in lines if line]


def test_the_shortest_way_parses(run: Run) -> None:
    examples = examples_in(run("--help").out.split("the shortest way")[1].rpartition("\n\n")[0])
    assert [parser_for(example).parse_args(example).command.__module__ for example in examples] == [
        f"ner_lstm_crf.cli.{name}" for name in ("inspect", "train", "tag")
    ]


@pytest.mark.parametrize("command", [[name] for name in NAMES] + [["corpora", "list"], ["corpora", "fetch"]])
def test_help_of_a_command_shows_examples_that_parse(command: list[str], run: Run) -> None:
    result = run(*command, "--help")
    assert result.code == 0
    examples = examples_in(result.out.split("examples:")[1])
    assert examples
    for example in examples:
        assert example[: len(command)] == command[: len(example)]
        assert callable(parser_for(example).parse_args(example).command)
    assert all(max(map(len, line.splitlines() or [""])) <= 120 for line in result.out.splitlines())


def test_help_and_the_catalogue_do_without_torch() -> None:
    code = (
        "import sys; from ner_lstm_crf.cli.main import main; main(['--help']); main(['train', '--help-all']);"
        "main(['corpora', 'list']); main(['tag', 'a', '-']);"
        "heavy = {'torch', 'transformers', 'matplotlib', 'numpy'} & sys.modules.keys(); sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_version(run: Run) -> None:
    first, second = run("--version").out.splitlines()
    assert first == f"ner-lstm-crf {__version__}"
    python = f"Python {platform.python_version()}"
    libraries = [f"{name} {version(name)}" for name in ("numpy", "torch", "onnxruntime")]
    assert second == ", ".join([python, *libraries, f"kernels {kernels.level_in_use() or 'none'}"])
    assert kernels.level_in_use() in kernels.levels() or not kernels.available_for(np.zeros(1, np.float32))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["learn"], "expected one of train, evaluate"),
        (["train", "--train", "f", "--output", ""], "--output: expected a value, got an empty one (see"),
        (["compare", "--train", "f", "--test="], "--test: expected a value, got an empty one (see"),
        (["inspect", ""], "FILE: expected a value, got an empty one (see"),
        (["trian"], "got 'trian', did you mean train?"),
        (["--threads", "2", "tag", "x"], "expected the command before its options: ner-lstm-crf tag --threads"),
        (["evaluate", "a", "b", "c"], "unexpected 'c' (see 'ner-lstm-crf evaluate --help')"),
        (["corpora", "lst"], "got 'lst', did you mean list? (see 'ner-lstm-crf corpora --help')"),
        (["corpora", "list", "--jsn"], "--jsn, did you mean --json? (see 'ner-lstm-crf corpora list --help')"),
        (
            ["train", "--train", "f", "--output", "d", "--lr=0.01"],
            "unknown option --lr, did you mean --learning-rate? (see 'ner-lstm-crf train --help')",
        ),
        (["evaluate", "--model", "m", "x.conll"], "MODEL is given without --model: ner-lstm-crf evaluate MODEL FILE"),
        (["evaluate", "m", "--file=x", "y"], "FILE is given without --file: ner-lstm-crf evaluate MODEL FILE"),
        (["convert", "a", "b", "--output-format", "conl"], "got 'conl', did you mean conll"),
        (["train"], "--output, --train"),
        (["tag", "--modell", "x", "text"], "--modell"),
        (
            ["train", "--train", "f", "--output", "d", "--epochs", "0"],
            "--epochs: expected a whole number of at least 1, got '0'",
        ),
        (["train", "--train", "f", "--output", "d", "--word-dropout", "1"], "--word-dropout: expected a number of at"),
        (
            ["train", "--train", "f", "--output", "d", "--char-widths", "3,x"],
            "--char-widths: expected whole numbers of",
        ),
        (
            ["train", "--train", "f", "--output", "d", "--schedule", "quadratic"],
            "got 'quadratic'",
        ),
        (["train", "--train", "f", "--output", "d", "--workers", "two"], "got 'two'"),
        (["train", "--train", "f", "--output", "d", "--resume", "--overwrite"], "not allowed with"),
        (["train", "--train", "f", "--output", "d", "--preset", "slow"], "got 'slow' (see"),
        (["train", "--train", "f", "--output", "d", "--preset", "fats"], "got 'fats', did you mean fast?"),
    ],
)
def test_a_wrong_command_line_is_one_line(arguments: list[str], said: str, run: Run) -> None:
    complaint = run(*arguments).complaint
    assert said in complaint
    assert "--help" in complaint


@pytest.mark.parametrize("arguments", [[], ["corpora"]])
def test_a_command_without_its_action_says_what_there_is(arguments: list[str], run: Run) -> None:
    result = run(*arguments)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(" ".join(["usage: ner-lstm-crf", *arguments]))
    assert ("list" if arguments else "corpora") in result.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["corpora", "fetch", "wnut-17"], "'wnut-17', did you mean wnut17"),
        (["convert", "in.conll", "out.conll", "--output-scheme", "BIOXX"], "'BIOXX', did you mean BIEO"),
        (["inspect", "inn.conll"], "inn.conll: no such file, did you mean in.conll?"),
        (["evaluate", "modell", "in.conll"], "found no such directory, did you mean model"),
        (
            ["evaluate", "in.conll", "model"],
            "the model first, then the file: ner-lstm-crf evaluate model in.conll",
        ),
        (["evaluate", "in.conll", "en"], "expected the model first, then the file: ner-lstm-crf evaluate en in.conll"),
        (["evaluate", "in.conll", "in.conll"], "expected the directory of a model, or 'en' or 'zh': found a file"),
        (["train", "--train", "x", "--output", "y", "--config", "tinny.toml"], "did you mean tiny.toml?"),
        (["train", "--train", "x", "--output", "y", "--config", "tiny.toml"], "'hiden_size', did you mean hidden_size"),
        (["tag", "in.conll"], "a file of this name exists: say --input in.conll"),
        (["tag", "A text.", "my file"], "a file of this name exists: say --input 'my file'"),
        (["tag", "--input", "in.conll", "--output", "out.docx"], "out.docx: the suffix .docx tells no format"),
    ],
)
def test_what_was_meant_is_said(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in.conll").write_text("Ada\tB-PER\n\n")
    Path("my file").write_text("Ada met Milo.\n")
    Path("tiny.toml").write_text("[model]\nhiden_size = 5\n")
    Path("model").mkdir()
    assert said in run(*arguments).complaint


def test_labels_that_are_near_are_named(files: Files, run: Run) -> None:
    said = run("inspect", files.test, "--labels", "PRE").err
    assert "no entity is labelled PRE (labels found: LOC, PER), did you mean PER?" in said


def test_what_comes_next_is_said_last_and_works(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    """From an annotated file to entities, each step as the one before says."""
    monkeypatch.chdir(tmp_path)
    Path("my files").mkdir()
    for name in ("train", "dev", "test"):
        rows = getattr(files, name).read_text().replace("\t", " x ")
        Path(f"my files/{name}.conll").write_text(rows)
    options = ["--tag-column", "-1", "--rename", "PER=person"]
    inspected = run("inspect", *(f"my files/{name}.conll" for name in ("train", "dev", "test")), *options)
    (train,) = inspected.next
    assert train[-2:] == ["--output", "my-model"]
    evaluate, tag = run(*train, "--config", files.config, "--epochs", "1").next
    assert {*options} <= {*evaluate}
    assert run(*tag).code == 0
    shown = run(*evaluate)
    assert shown.code == 0
    assert "person" in shown.out
    (again,) = run(*evaluate[:-1]).next
    assert again == evaluate


def test_what_comes_next_after_the_other_commands(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    monkeypatch.chdir(tmp_path)
    (inspect,) = run("convert", files.test, "my test.jsonl").next
    assert run(*inspect).code == 0
    assert run("convert", files.test, "-").next == []
    (score,) = run("score", files.test, files.test, "--ill-formed", "strict").next
    assert run(*score).code == 0
    (fetch,) = run("corpora", "list").next
    assert callable(parser_for(fetch).parse_args(fetch).command)
    options = ["--train", files.train, "--test", files.test, "--config", files.config, "--epochs", "1", "--seeds", "1"]
    (train,) = run("compare", *options).next
    assert run(*train).code == 0
    assert run("score", files.test, files.test, "--json").err == ""


def test_python_dash_m_is_the_same_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ner_lstm_crf", "nothing"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_reader_that_leaves_is_no_error() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "ner_lstm_crf", "corpora", "list", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_a_full_disk_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "out.conll")

    monkeypatch.setattr(convert, "convert", fail)
    assert "out.conll: No space left on device" in run("convert", "a", "b").complaint


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (signal.SIGINT, 130, "interrupted"),
        (signal.SIGTERM, 143, "terminated"),
        (signal.SIGHUP, 129, "the terminal is gone"),
    ],
)
def test_a_signal_that_ends_is_one_line(
    number: signal.Signals, code: int, said: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
    before = signal.signal(number, usual)  # which `nohup` and a shell's `&` change for the tests, too
    try:
        monkeypatch.setattr(corpora, "catalogue", lambda: signal.raise_signal(number))
        result = run("corpora", "list")
        assert (result.code, result.out, result.err) == (code, "", f"{said}\n")
        assert signal.getsignal(number) == usual
    finally:
        signal.signal(number, before)


def test_a_signal_that_was_ignored_stays_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `nohup` and a shell's `&` want it."""
    monkeypatch.setattr(convert, "convert", lambda *_, **__: signal.raise_signal(signal.SIGHUP))
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert run("convert", "a", "b").code == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_defect_of_ours_is_not_hidden(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpora, "catalogue", lambda: {}["defect"])
    with pytest.raises(KeyError):
        run("corpora", "list")


def test_warnings_of_the_package_are_lines_on_standard_error(run: Run, write) -> None:
    path = write("odd.conll", "Oslo\tI-LOC\n\nRome\tB-LOC\n\nBonn\tB-LOC\nAm\tI-PER\n" * 30)
    result = run("inspect", path, "--labels", "LOC,ORGG", "--json")
    assert result.code == 0
    assert f"warning: {path}: no entity is labelled ORGG" in result.err
    assert json.loads(result.out)
    assert not main.logging.getLogger("ner_lstm_crf").handlers


def test_results_are_utf8_whatever_the_locale(write) -> None:
    path = write("zh.conll", "北\tB-地点\n京\tI-地点\n\n")
    done = subprocess.run(
        [sys.executable, "-m", "ner_lstm_crf", "inspect", str(path), "--json"],
        capture_output=True,
        check=True,
        env={"PYTHONIOENCODING": "ascii", "PATH": ""},
    )
    assert json.loads(done.stdout.decode())["files"][0]["per_label"] == {"地点": 1}


THREADS = """
import os, sys
from ner_lstm_crf.cli import main, {command}
from ner_lstm_crf.threads import usable_threads

{command}.run = lambda args: print(usable_threads(), "torch" in sys.modules)
assert main.main(sys.argv[1:]) == 0
print(os.environ["OMP_NUM_THREADS"])
"""


@pytest.mark.parametrize(
    ("command", "arguments", "imports"), [("tag", ["x"], False), ("train", ["--train", "x", "--output", "y"], True)]
)
def test_threads_are_those_of_the_command_alone(command: str, arguments: list[str], imports: bool) -> None:
    program = THREADS.format(command=command)
    done = subprocess.run(
        [sys.executable, "-c", program, command, *arguments, "--threads", "3"],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [f"3 {imports}", "1"]
