"""`ner-lstm-crf convert`."""

from __future__ import annotations

import argparse

from ner_lstm_crf.cli.options import READ_OPTIONS, READING, SCHEME_NAMES, Parser, add_options, read_options
from ner_lstm_crf.cli.output import check_not_output, say_next
from ner_lstm_crf.formats.registry import FORMATS, convert
from ner_lstm_crf.tags.scheme import get_scheme

EPILOG = """\
examples:
  ner-lstm-crf convert iob1.conll bioes.conll --output-scheme BIOES
  ner-lstm-crf convert train.conll train.jsonl
  ner-lstm-crf convert train.conll train.jsonl --output-format tokens
  ner-lstm-crf convert train.jsonl tasks.json --output-format label-studio
  ner-lstm-crf convert brat-folder train.spacy
  ner-lstm-crf convert source.inline train.conll --output-scheme BIEO
  ner-lstm-crf convert all.conll three.conll --output-scheme IOB2 --labels PER,LOC,ORG

formats:
  conll    one token a line, in columns
  jsonl    JSON lines: {"text": "Rome fell", "entities": [{"start": 0, "end": 4, "label": "LOC"}]}
  cluener  JSON lines: {"text": "Rome fell", "label": {"LOC": {"Rome": [[0, 3]]}}}
  tokens   JSON lines: {"tokens": ["Rome", "fell"], "ner_tags": ["B-LOC", "O"]}, as Hugging Face's datasets have them
  inline   [Rome](LOC) fell
  doccano, label-studio, prodigy, brat, webanno, spacy
           the files of these annotation tools; brat's are a folder, or an .ann file and its .txt file
Columns to columns keeps everything but the tags: other columns, comments, line ends. JSON lines keep their other keys,
inline-marked text its comments and sections, as long as the format stays. The format of IN is detected.
The suffix of OUT (.conll, .jsonl, .inline, .ann, .spacy) tells its format, unless --output-format does; else it is
that of IN."""


def add_command(parser: Parser) -> None:
    """Add the command's options."""
    parser.description = "Write an annotated file in another tag scheme or another format."
    parser.epilog = EPILOG
    parser.add_argument("source", metavar="IN", help="file to read")
    parser.add_argument("target", metavar="OUT", help="file to write, - for standard output")
    parser.add_argument("--output-scheme", metavar="S", help=f"tag scheme to write: {SCHEME_NAMES} (default: as in IN)")
    parser.add_argument("--output-format", choices=FORMATS, metavar="NAME", help="format of OUT, one of those below")
    add_options(parser.add_argument_group(*READING), *READ_OPTIONS, "--token-unit")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> None:
    """Write the file."""
    scheme = None if args.output_scheme is None else get_scheme(args.output_scheme).name
    options = read_options(args)
    check_not_output(args.source)
    convert(args.source, args.target, scheme=scheme, output_format=args.output_format, options=options)
    say_next("inspect", args.target, *(["--encoding", args.encoding] if args.encoding != "utf-8" else []))
