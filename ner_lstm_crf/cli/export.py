"""`ner-lstm-crf export`."""

from __future__ import annotations

import argparse

from ner_lstm_crf.cli.options import Parser
from ner_lstm_crf.runs.display import say

EPILOG = """\
examples:
  ner-lstm-crf export my-model my-model.onnx
  ner-lstm-crf export en english.onnx --precision int8

The graph computes the scores of the tags of each token, from the ids of tokens. Beside it a JSON file of the same name
says how a text becomes ids, and scores become entities. docs/onnx.md describes both, with a tagger in JavaScript.
Both files are written once the scores are known to be those of the model."""


def add_command(parser: Parser) -> None:
    """Add the command's options."""
    parser.description = "Write a model as an ONNX graph, for C++, Java, C#, JavaScript and the browser."
    parser.epilog = EPILOG
    parser.add_argument("model", metavar="MODEL", help="directory of a model, or en or zh")
    parser.add_argument("output", metavar="FILE.onnx", help="graph to write; its description is FILE.json")
    parser.add_argument(
        "--precision",
        choices=("float32", "float16", "int8"),
        default="float32",
        help="number type of the weights in the file: smaller ones change scores a little (default: %(default)s)",
    )
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> None:
    """Write both files."""
    from ner_lstm_crf.tagging.tagger import Tagger

    description = Tagger.load(args.model).export(args.output, precision=args.precision)
    say(f"wrote {args.output} and {description}")
