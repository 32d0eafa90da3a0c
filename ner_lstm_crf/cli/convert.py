"""`ner-lstm-crf convert`."""

from __future__ import annotations

import argparse

from ner_lstm_crf.cli.options import READ_OPTIONS, READING, SCHEME_NAMES, Parser, add_options, read_options
from ner_lstm_crf.formats.registry import FORMATS, convert
from ner_lstm_crf.tags.scheme import get_scheme

__all__ = ["add_command"]

EPILOG = """\
examples:
  ner-lstm-crf convert iob1.conll bioes.conll --to BIOES
  ner-lstm-crf convert train.conll train.jsonl
  ner-lstm-crf convert train.conll train.jsonl --format tokens
  ner-lstm-crf convert source.inline train.conll --to BIEO
  ner-lstm-crf convert all.conll three.conll --to IOB2 --labels PER,LOC,ORG

formats:
  conll    one token a line, in columns
  tokens   JSON lines: {"tokens": ["Rome", "fell"], "ner_tags": ["B-LOC", "O"]}, as Hugging Face's datasets have them
  jsonl    JSON lines: {"text": "Rome fell", "entities": [{"start": 0, "end": 4, "label": "LOC"}]}
  cluener  JSON lines: {"text": "Rome fell", "label": {"LOC": {"Rome": [[0, 3]]}}}
  inline   [Rome](LOC) fell
Columns to columns keeps everything but the tags: other columns, comments, line ends. JSON lines keep their other keys,
inline-marked text its comments and sections, as long as the format stays. The format of IN is found out.
The suffix of OUT (.conll, .jsonl, .inline) tells its format, unless --format does; else it is that of IN."""


def add_command(parser: Parser) -> None:
    """Add the command's options."""
    parser.description = "Write an annotated file in another tag scheme or another format."
    parser.epilog = EPILOG
    parser.add_argument("source", metavar="IN", help="file to read")
    parser.add_argument("target", metavar="OUT", help="file to write, - for standard output")
    parser.add_argument("--to", metavar="SCHEME", help=f"tag scheme to write: {SCHEME_NAMES} (default: as in IN)")
    parser.add_argument("--format", choices=FORMATS, help="format of OUT")
    add_options(parser.add_argument_group(*READING), *READ_OPTIONS, "--token-unit")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> None:
    """Write the file."""
    scheme = None if args.to is None else get_scheme(args.to).name
    convert(args.source, args.target, scheme=scheme, form=args.format, options=read_options(args))
