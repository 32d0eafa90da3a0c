"""`ner-lstm-crf show`."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence

from ner_lstm_crf.cli.options import READ_OPTIONS, READING, Parser, add_options, read_options
from ner_lstm_crf.cli.output import check_not_output, shows_colours
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.explanation.marked_text import MarkedText, in_colours, in_html
from ner_lstm_crf.explanation.style import PAGE_ENDS, page_begins
from ner_lstm_crf.files.text import STANDARD_STREAM, writing
from ner_lstm_crf.formats.registry import read_sentences, suffix_of
from ner_lstm_crf.formats.text_json import text_of
from ner_lstm_crf.runs.display import say

EPILOG = """\
examples:
  ner-lstm-crf show --input train.conll --output train.html
  ner-lstm-crf show "Angela Merkel visited Rome." --output page.html

An annotated file is shown as it is annotated, texts as a tagger tags them ('tag' reads texts from files, too, and
writes the same pages). A page is complete in itself: it loads nothing. Without --output the entities are coloured on a
terminal, and in marks elsewhere."""


def add_command(parser: Parser) -> None:
    """Add the command's options."""
    parser.description = "Show texts or an annotated file with the entities in colours."
    parser.epilog = EPILOG
    parser.add_argument("texts", nargs="*", metavar="TEXT", help="text to tag and show")
    parser.add_argument("--input", metavar="FILE", help="annotated file to show in place of texts")
    parser.add_argument("--model", metavar="DIR", help="model that tags the texts (default: by the script)")
    parser.add_argument("--output", metavar="F", default=STANDARD_STREAM, help="page (.html) to write")
    add_options(parser.add_argument_group(*READING), *READ_OPTIONS, "--token-unit")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> None:
    """Show what was given."""
    if bool(args.texts) == (args.input is not None):
        raise InputError("expected either texts or --input FILE")
    if args.output != STANDARD_STREAM and suffix_of(args.output) not in (".html", ".htm"):
        raise InputError("expected a page (.html) to write", path=args.output)
    if args.input is not None and args.model is not None:
        raise InputError("--model: an annotated file is shown as it is annotated: leave it out, or use 'tag'")
    texts = _annotated(args) if args.input is not None else _tagged(args)
    in_page = args.output != STANDARD_STREAM
    colours = not in_page and shows_colours()
    with writing(args.output, coloured=colours) as out:
        out.write(page_begins("Entities") * in_page)
        for marked in texts:
            if in_page:
                out.write(in_html(marked.text, marked.entities, marked.labels))
            else:
                out.write(f"{in_colours(marked.text, marked.entities, marked.labels) if colours else marked}\n")
        out.write(PAGE_ENDS * in_page)


def _annotated(args: argparse.Namespace) -> Sequence[MarkedText]:
    """The sentences of an annotated file; the most frequent label has the first colour."""
    check_not_output(args.input)
    sentences = read_sentences(args.input, read_options(args))
    labels = [label for label, _ in Counter(span.label for one in sentences for span in one.spans).most_common()]
    return [MarkedText(text.text, text.entities, labels) for text in map(text_of, sentences)]


def _tagged(args: argparse.Namespace) -> Sequence[MarkedText]:
    """The texts, tagged."""
    from ner_lstm_crf.tagging.script_tagger import ScriptTagger
    from ner_lstm_crf.tagging.tagger import Tagger

    if args.model is not None:
        return [Tagger.load(args.model).show(text) for text in args.texts]
    by_script = ScriptTagger("float32", say)
    return [by_script.tagger(by_script.language(text)).show(text) for text in args.texts]
