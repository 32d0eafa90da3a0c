"""`ner-lstm-crf inspect`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ner_lstm_crf.cli.options import READ_OPTIONS, READING, Parser, add_options, read_options, reading_words
from ner_lstm_crf.cli.output import say_next, show, show_json
from ner_lstm_crf.runs.display import progress_bar

EPILOG = """\
examples:
  ner-lstm-crf inspect train.conll dev.conll test.conll
  ner-lstm-crf inspect corpus.jsonl --json

Shown for each file: its columns and tag scheme with the evidence, sizes, labels, lengths, and mistakes in it; then for
every two files the part of the second that is in the first (test sentences that were trained on)."""


def add_command(parser: Parser) -> None:
    """Add the command's options."""
    parser.description = "Show what a careful person wants to know of annotated files before training."
    parser.epilog = EPILOG
    parser.add_argument("files", nargs="+", metavar="FILE", help="annotated file")
    add_options(parser.add_argument_group(*READING), *READ_OPTIONS, "--token-unit")
    add_options(parser, "--json")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> None:
    """Read the files and show what they hold."""
    from ner_lstm_crf.corpora.inspect import describe, inspect_files

    with progress_bar("reading", unit=" files") as progress:
        inspection = inspect_files(args.files, read_options(args), progress=progress)
    if args.json:
        show_json(inspection.to_json())
    else:
        show(describe(inspection))
        if any(statistics.per_label for statistics in inspection.files):
            say_next("train", *_parts(args.files), *reading_words(args), "--output", "my-model")


def _parts(files: Sequence[str]) -> list[str]:
    """Files as the options of a training: each is what its name says, else the first one is to train, the last to test.

    Example:
        >>> _parts(["a-test.conll", "a-train.conll"]), _parts(["one.conll", "two.conll"])
        (['--test', 'a-test.conll', '--train', 'a-train.conll'], ['--train', 'one.conll', '--test', 'two.conll'])
    """
    kinds = {"train": "--train", "dev": "--dev", "valid": "--dev", "test": "--test"}
    named = [next((kinds[kind] for kind in kinds if kind in Path(file).name.lower()), "") for file in files]
    if "" in named or "--train" not in named or named.count("--dev") > 1 or named.count("--test") > 1:
        named = ["--train"] * max(len(files) - 2, 1) + (["--dev"] if len(files) > 2 else []) + ["--test"]
    return [word for option, file in zip(named, files, strict=False) for word in (option, file)]
