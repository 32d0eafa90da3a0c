"""`ner-lstm-crf explain`."""

from __future__ import annotations

import argparse
import shutil
import sys

from ner_lstm_crf.cli.options import Parser, add_options
from ner_lstm_crf.cli.output import shows_colours
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.text import STANDARD_STREAM, standard_input, writing
from ner_lstm_crf.formats.registry import suffix_of
from ner_lstm_crf.runs.display import say

EPILOG = """\
examples:
  ner-lstm-crf explain "Angela Merkel visited Rome."
  ner-lstm-crf explain --model my-model "Angela Merkel visited Rome." --output page.html

Shown of each sentence: the emission of each tag for each token with the best sequence of tags, what the transitions
changed, the probability of each entity and what else it might be, and the most probable readings. A page (.html) is
complete in itself: it loads nothing."""


def add_command(parser: Parser) -> None:
    """Add the command's options."""
    parser.description = "Show why a tagger finds what it finds: scores, transitions, probabilities, other readings."
    parser.epilog = EPILOG
    parser.add_argument("text", metavar="TEXT", help="the text; - for standard input")
    parser.add_argument("--model", metavar="DIR", help="directory of a model, or en or zh (default: by the script)")
    parser.add_argument(
        "--output", metavar="F", default=STANDARD_STREAM, help="page (.html) or text (.txt) to write (default: -)"
    )
    add_options(parser, "--precision")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> None:
    """Explain a text."""
    suffix = suffix_of(args.output)
    if args.output != STANDARD_STREAM and suffix not in (".html", ".htm", ".txt"):
        raise InputError("expected a page (.html) or a text (.txt) to write", path=args.output)
    text = args.text
    if text == STANDARD_STREAM:
        with standard_input() as stream:
            text = stream.read().decode("utf-8", "replace")
    from ner_lstm_crf.tagging.script_tagger import ScriptTagger
    from ner_lstm_crf.tagging.tagger import Tagger

    if args.model is None:
        by_script = ScriptTagger(args.precision, say)
        tagger = by_script.tagger(by_script.language(text))
    else:
        tagger = Tagger.load(args.model, precision=args.precision)
    explanation = tagger.explain(text)
    if not explanation.analyses:
        raise InputError("expected a text with at least one token")
    colours = args.output == STANDARD_STREAM and shows_colours()
    width = shutil.get_terminal_size((100, 24)).columns if sys.stdout.isatty() else 120
    with writing(args.output, coloured=colours) as out:
        out.write(explanation.html() if suffix in (".html", ".htm") else explanation.text(width=width, colours=colours))
