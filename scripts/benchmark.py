"""Benchmarks of the package, beside the usual code written by hand and beside a floor that no code can undercut.

    crf      loss and gradient, Viterbi, marginals of the CRF alone; baseline: pytorch-crf; floor: the multiply-adds;
             label-wise loss, ten best paths, probable spans; baseline: plain torch; floor: what they extend
    train    an epoch of training; baseline: nn.LSTM, char-CNN on every token, pytorch-crf; floor: the bare nn.LSTM
    tag      tokens, running text, one short text; the same baseline and floor
    latency  one short text at a time: after another, after a rest, for several callers; the same baseline and floor
    spacy    the component in a spaCy pipeline; floor: our own tagging
    start    from a new process to the first tagged sentence; floor: import torch
    memory   memory while a large text is tagged
    all      all of these, `memory` on a small text

All contenders of a case take turns in one run; a figure is the median of their samples. `speedup` is the baseline's
time over ours, `over floor` ours over the floor's. A contender that gives wrong answers is not timed: the run ends.
Each command's cases, baseline and floor are described in `scripts/benchmarks/`.

    python scripts/benchmark.py crf
    python scripts/benchmark.py all --quick --json figures.json
    python scripts/benchmark.py memory --size 1GB --threads 1 --precision bfloat16
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import get_args

from benchmarks import component, crf, latency, memory, start, tagging, training
from benchmarks.measure import Result, WrongAnswerError, machine, say
from benchmarks.report import Report
from benchmarks.text import PARTS, read_corpus
from locations import SHARED
from ner_lstm_crf.cli.options import at_least
from ner_lstm_crf.config import Config, Precision, preset
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.model.cpu import check_bfloat16
from ner_lstm_crf.saving.model import Model, model_directory

__all__ = ["COMMANDS", "Settings", "main"]

CORPUS = SHARED / "corpora" / "uner-en_ewt"
VECTORS = SHARED / "vectors" / "glove.6B.100d.txt.gz"


def _where_present(path: Path) -> Path | None:
    return path if path.exists() else None


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a run.

    Attributes:
        threads: Numbers of threads; `crf` and `memory` take the largest.
        quick: True for rough figures in a short time.
        repeats: Samples of each contender; each command's own number if None.
        shapes: Sentences, tokens, tags of the CRF's cases.
        sentences: Training sentences in an epoch.
        size: Bytes of text for `memory`; each command's own number if None.
        types: Distinct words of that text.
        corpus: Folder of `train.iob2`, `dev.iob2`, `test.iob2`; made text if None.
        made: Sentences of made text, to learn from and to tag.
        vectors: Word vectors; random ones if None.
        model: Directory of the model that tags; one is trained for some seconds if None.
        precision: The number type in which `memory` tags.
        config: The model that is trained.
    """

    threads: tuple[int, ...]
    quick: bool = False
    repeats: int | None = None
    shapes: tuple[tuple[int, int, int], ...] = crf.SHAPES
    sentences: int = 2000
    size: int | None = None
    types: int = 500_000
    corpus: Path | None = field(default_factory=lambda: _where_present(CORPUS))
    made: tuple[int, int] = (12_500, 4000)
    vectors: Path | None = field(default_factory=lambda: _where_present(VECTORS))
    model: Path | None = None
    precision: Precision = "float32"
    config: Config = field(default_factory=lambda: preset("fast"))

    def number(self, usual: int, quick: int) -> int:
        """The number of samples to take."""
        return self.repeats or (quick if self.quick else usual)


class Run:
    """One run of the script: what several commands need is made once.

    Args:
        settings: The settings.
        folder: A folder for its files.

    Attributes:
        read: The corpus and the file of vectors that were needed.
    """

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings, self._folder = settings, folder
        self.read: tuple[str | None, str | None] = None, None

    @cached_property
    def _prepared(self) -> training.Prepared:
        train, test = self.settings.made
        corpus = read_corpus(self.settings.corpus, train=train, test=test)
        say(f"{corpus.name}: {len(corpus.train):,} sentences to learn from, {len(corpus.test):,} to tag")
        vectors = self.settings.vectors
        prepared = training.prepare(corpus, vectors, self.settings.config)
        self.read = corpus.name, None if vectors is None else vectors.name
        return prepared

    @cached_property
    def _model(self) -> Path:
        if self.settings.model is not None:
            return self.settings.model
        directory = self._folder / "model"
        training.write_model(self._prepared, 500 if self.settings.quick else 3000, directory)
        return directory

    def crf(self) -> list[Result]:
        """`benchmark.py crf`."""
        return crf.run(self.settings.shapes, self.settings.number(25, 7), max(self.settings.threads))

    def train(self) -> list[Result]:
        """`benchmark.py train`."""
        sentences = min(self.settings.sentences, 800) if self.settings.quick else self.settings.sentences
        return training.run(self._prepared, sentences, self.settings.number(5, 3), self.settings.threads)

    def tag(self) -> list[Result]:
        """`benchmark.py tag`."""
        repeats, calls = self.settings.number(7, 3), self.settings.number(300, 60)
        return tagging.run(self._prepared, self._model, repeats, calls, self.settings.threads)

    def latency(self) -> list[Result]:
        """`benchmark.py latency`."""
        return latency.run(self._prepared, self._model, self.settings.number(200, 40))

    def spacy(self) -> list[Result]:
        """`benchmark.py spacy`."""
        repeats, calls = self.settings.number(7, 3), self.settings.number(300, 60)
        return component.run(self._prepared.corpus, self._model, repeats, calls, self.settings.threads)

    def start(self) -> list[Result]:
        """`benchmark.py start`."""
        return start.run(self._model, self.settings.number(9, 3))

    def memory(self) -> list[Result]:
        """`benchmark.py memory`."""
        size = self.settings.size or (5 * 10**6 if self.settings.quick else 10**9)
        how = memory.Tagging(self._model, max(self.settings.threads), self.settings.precision)
        return memory.run(how, size, types=self.settings.types)


COMMANDS: dict[str, Callable[[Run], list[Result]]] = {
    "crf": Run.crf,
    "train": Run.train,
    "tag": Run.tag,
    "latency": Run.latency,
    "spacy": Run.spacy,
    "start": Run.start,
    "memory": Run.memory,
}


def measure(command: str, settings: Settings, shown: str) -> Report:
    """The results of one command, or of all; `shown` is the command line."""
    with TemporaryDirectory(prefix="benchmark-") as folder:
        run = Run(settings, Path(folder))
        names = list(COMMANDS) if command == "all" else [command]
        results = [result for name in names for result in COMMANDS[name](run)]
    here = {**machine(), "threads": list(settings.threads)}
    return Report(here, shown, *run.read, results)


def main(arguments: Sequence[str] | None = None, base: Settings | None = None) -> int:
    """Measure and print.

    Args:
        arguments: Of the command line.
        base: The values of options that are not given.

    Returns:
        The exit code: 0 done, 1 a contender gave a wrong answer, 2 a mistake in the options or in what they name.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(arguments)
    shown = shlex.join(["python", "scripts/benchmark.py", *arguments])
    try:
        report = measure(options.command, _settings(options, base), shown)
    except WrongAnswerError as error:
        say(f"error: {error}")
        return 1
    except InputError as error:
        say(f"error: {error}")
        return 2
    as_json = json.dumps(report.to_json(), indent=1)
    if options.json == "-":
        print(as_json)
        return 0
    if options.json:
        Path(options.json).write_text(as_json + "\n", encoding="utf-8")
    print(report.to_markdown() if options.markdown else report.to_text())
    return 0


def _settings(options: argparse.Namespace, base: Settings | None) -> Settings:
    """The options given, over `base`; `all` is quick about what would take an hour."""
    if base is None:
        base = Settings(threads=tuple(range(1, min(2, os.cpu_count() or 1) + 1)))
    names = ("threads", "quick", "repeats", "shapes", "sentences", "size", "corpus", "vectors", "model", "precision")
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    for name in ("threads", "shapes"):
        if name in given:
            given[name] = tuple(given[name])
    if options.command == "all" and not given.get("quick"):
        given.setdefault("size", base.size or 20 * 10**6)
    return replace(base, **given)


def _parser() -> argparse.ArgumentParser:
    head, _, rest = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(description=head, epilog=rest, formatter_class=argparse.RawTextHelpFormatter)
    add = parser.add_argument
    add("command", choices=[*COMMANDS, "all"])
    add("--repeats", type=at_least(1), metavar="N", help="samples of each contender")
    add(
        "--threads",
        type=at_least(1),
        nargs="+",
        metavar="N",
        help="threads of torch; several are measured in turn (crf and memory: the largest alone)",
    )
    add("--quick", action="store_true", default=None, help="fewer samples of less work, for a rough look")
    add("--shapes", type=_shape, nargs="+", metavar="BxTxK", help="sentences, tokens and tags of the CRF's cases")
    add("--sentences", type=at_least(1), metavar="N", help="training sentences in an epoch")
    add("--size", type=_size, metavar="SIZE", help="text for the command memory, such as 50MB (default: 1GB)")
    add(
        "--corpus",
        type=_corpus,
        metavar="DIR",
        help=f"folder of {', '.join(PARTS)} (default: uner-en_ewt where present, else made text)",
    )
    add("--vectors", type=_file, metavar="FILE", help="word vectors (default: GloVe where present, else random ones)")
    add("--model", type=_model, metavar="DIR", help="model that tags (default: one trained for some seconds)")
    add(
        "--precision",
        type=_precision,
        metavar="P",
        help="number type in which memory tags: float32 (default), int8 or bfloat16",
    )
    add("--json", nargs="?", const="-", metavar="FILE", help="write JSON to the file, or print it alone")
    add("--markdown", action="store_true", help="print the table as Markdown")
    return parser


def _shape(text: str) -> tuple[int, int, int]:
    parts = text.lower().split("x")
    if len(parts) != 3:
        raise argparse.ArgumentTypeError(f"expected three numbers such as 32x25x13, got {text!r}")
    batch, longest, count = map(at_least(1), parts)
    return batch, longest, count


def _size(text: str) -> int:
    try:
        return memory.parse_size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _file(text: str) -> Path:
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"expected a file, found none: {text}")
    return Path(text)


def _corpus(text: str) -> Path:
    missing = next((name for name in PARTS if not (Path(text) / name).is_file()), None)
    if missing is not None:
        raise argparse.ArgumentTypeError(f"expected a folder of {', '.join(PARTS)}, found no {missing} in {text}")
    return Path(text)


def _model(text: str) -> Path:
    """The directory of a model that can be loaded: a process that fails over it could not report why."""
    try:
        directory = model_directory(text)
        Model.load(directory)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return directory


def _precision(text: str) -> str:
    """A number type that this processor has."""
    if text not in get_args(Precision):
        raise argparse.ArgumentTypeError(f"expected one of {', '.join(get_args(Precision))}, got {text!r}")
    if text == "bfloat16":
        try:
            check_bfloat16("bfloat16")
        except InputError as error:
            raise argparse.ArgumentTypeError(str(error)) from error
    return text


if __name__ == "__main__":
    sys.exit(main())
