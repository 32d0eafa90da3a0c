"""`ner-lstm-crf inspect`."""

from __future__ import annotations

import argparse

from ner_lstm_crf.cli.display import show, show_json
from ner_lstm_crf.cli.options import READ_OPTIONS, READING, Parser, add_options, read_options
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
    """Read the files and show the facts about them."""
    from ner_lstm_crf.corpora.inspect import describe, inspect_files

    with progress_bar("reading", unit=" files") as progress:
        inspection = inspect_files(args.files, read_options(args), progress=progress)
    if args.json:
        show_json(inspection.to_json())
    else:
        show(describe(inspection))
