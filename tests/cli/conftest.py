"""A made corpus, a model trained on it within a second, and the command line run in process."""

from __future__ import annotations

import io
import json
import random
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from ner_lstm_crf.cli.main import main

PEOPLE = ("Ada Brandt", "Ines Okoro", "Milo", "Tom Harju", "Rosa Lind")
PLACES = ("Quito", "Port Alba", "Oslo", "Graz", "New Ely")
WORDS = ("met", "saw", "called", "left", "liked")
ZH = "王\tB-PER\n明\tI-PER\n在\tO\n巴\tB-LOC\n黎\tI-LOC\n。\tO\n\n" * 20
DAYS = ("today", "yesterday", "again", "twice")

TINY = """
[model]
word_size = 16
char_size = 8
char_filters = 8
casing_size = 4
hidden_size = 16
word_dropout = 0.0
char_dropout = 0.0
input_dropout = 0.1
recurrent_dropout = 0.0
output_dropout = 0.0

[training]
epochs = 12
min_steps = 0
batch_size = 8
learning_rate = 0.02
ema_decay = 0.0
"""


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line of a refused command line, which prints nothing else."""
        assert self.code == 2, self
        assert self.out == ""
        (line,) = [line for line in self.err.splitlines() if line.startswith("error: ")]
        assert line == self.err.splitlines()[-1]
        assert "Traceback" not in self.err
        return line

    @property
    def next(self) -> list[list[str]]:
        """The arguments of the command lines that it says come next."""
        lines = [line for line in self.err.splitlines() if line.startswith("next: ner-lstm-crf ")]
        assert self.err.splitlines()[len(self.err.splitlines()) - len(lines) :] == lines  # they are the last ones
        return [shlex.split(line)[2:] for line in lines]

    @property
    def said(self) -> str:
        """The text on standard error but for these."""
        return "".join(line for line in self.err.splitlines(keepends=True) if not line.startswith("next: "))


Run = Callable[..., Result]


def column_text(sentences: int, seed: int) -> str:
    """`PER met LOC day .`, in IOB2."""
    draw = random.Random(seed)
    blocks = []
    for _ in range(sentences):
        rows = []
        for words, label in ((draw.choice(PEOPLE), "PER"), (draw.choice(WORDS), ""), (draw.choice(PLACES), "LOC")):
            for number, word in enumerate(words.split()):
                rows.append(f"{word}\t{'BI'[number > 0]}-{label}" if label else f"{word}\tO")
        blocks.append("\n".join([*rows, f"{draw.choice(DAYS)}\tO", ".\tO"]) + "\n")
    return "\n".join(blocks)


def call(arguments: Sequence[Any]) -> Result:
    """Run a command line with streams of its own: for fixtures that outlive one test."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([str(argument) for argument in arguments])
    return Result(code, out.getvalue(), err.getvalue())


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command line in this process."""

    def run(*arguments: Any, stdin: bytes = b"") -> Result:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run


@dataclass(frozen=True)
class Files:
    """A made corpus and how to train on it."""

    train: Path
    dev: Path
    test: Path
    config: Path

    @property
    def options(self) -> list[str]:
        return ["--train", str(self.train), "--dev", str(self.dev), "--config", str(self.config), "--threads", "1"]


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("corpus")
    made = Files(*(folder / name for name in ("train.conll", "dev.conll", "test.conll", "tiny.toml")))
    for seed, (path, sentences) in enumerate(((made.train, 48), (made.dev, 10), (made.test, 20))):
        path.write_text(column_text(sentences, seed), encoding="utf-8")
    made.config.write_text(TINY, encoding="utf-8")
    return made


@pytest.fixture(scope="session")
def trained(files: Files, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A model's directory, and what the command said that trained it."""
    threads = torch.get_num_threads()
    directory = tmp_path_factory.mktemp("models") / "tiny"
    result = call(["train", *files.options, "--test", files.test, "--output", directory])
    torch.set_num_threads(threads)
    assert result.code == 0, result.err
    return directory, result


@pytest.fixture(scope="session")
def model(trained: tuple[Path, Result]) -> Path:
    """The directory of a model that knows the made corpus; not to be written to."""
    return trained[0]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes], Path]:
    """Write a file."""

    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture(autouse=True)
def threads_as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def equal_weights(first: Path, second: Path) -> bool:
    names = [sorted(path.name for path in directory.glob("*.safetensors")) for directory in (first, second)]
    files = [(load_file(first / name), load_file(second / name)) for name in names[0]]
    return names[0] == names[1] and all(
        one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one) for one, two in files
    )


def same_history(first: Path, second: Path) -> bool:
    """True if each epoch had the same loss and dev scores: then the weights after the last are the same as well."""
    one, two = (
        [json.loads(line) | {"seconds": 0, "tokens_per_second": 0} for line in path.read_text().splitlines()]
        for path in (first / "history.jsonl", second / "history.jsonl")
    )
    return one == two
