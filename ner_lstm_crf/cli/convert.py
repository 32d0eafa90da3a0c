"""`ner-lstm-crf convert`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ner_lstm_crf.cli.options import READ_OPTIONS, READING, SCHEME_NAMES, Parser, add_options, read_options
from ner_lstm_crf.cli.output import check_not_output, say_next
from ner_lstm_crf.files.atomic import write_text
from ner_lstm_crf.formats.options import ReadReport
from ner_lstm_crf.formats.registry import FORMATS, convert, read_sentences
from ner_lstm_crf.formats.token_json import label_names
from ner_lstm_crf.tags.scheme import get_scheme
from ner_lstm_crf.tags.tag_set import TagSet

EPILOG = """\
examples:
  ner-lstm-crf convert iob1.conll bioes.conll --output-scheme BIOES
  ner-lstm-crf convert train.conll train.jsonl
  ner-lstm-crf convert train.conll train.jsonl --output-format tokens
  ner-lstm-crf convert train.conll train.jsonl --output-format tokens --output-label-names names.txt
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
    parser.add_argument(
        "--output-label-names",
        metavar="O,B-PER,...",
        help="write the number of each tag, from 0, in its place (JSON lines of tokens): the names with commas, or a "
        "file with one a line, which is written from the labels of IN if it is not there",
    )
    add_options(parser.add_argument_group(*READING), *READ_OPTIONS, "--token-unit")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> None:
    """Write the file."""
    scheme = None if args.output_scheme is None else get_scheme(args.output_scheme).name
    options = read_options(args)
    check_not_output(args.source)
    # 1. The names of tags that become numbers. If their file is not there, it gets those of the labels of IN.
    given, new_file = args.output_label_names, None
    if given is not None and "," not in given and not Path(given).exists():
        scheme, new_file = scheme or "IOB2", Path(given)
        sentences = read_sentences(args.source, options, report=ReadReport())
        labels = sorted(set[str]().union(*(sentence.labels for sentence in sentences)))
        names: Sequence[str] | None = TagSet(get_scheme(scheme), labels).names
    else:
        names = label_names(given)
    # 2. The files.
    convert(
        args.source,
        args.target,
        scheme=scheme,
        output_format=args.output_format,
        label_names=names,
        options=options,
    )
    if new_file is not None and names is not None:
        write_text(new_file, "".join(f"{name}\n" for name in names))
    say_next("inspect", args.target, *(["--encoding", args.encoding] if args.encoding != "utf-8" else []))
