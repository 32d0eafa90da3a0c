"""`ner-lstm-crf select`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, get_args

from ner_lstm_crf.cli.compare import marked
from ner_lstm_crf.cli.options import COLUMN_OPTIONS, READING, Parser, add_options, at_least, read_options
from ner_lstm_crf.cli.output import say_next, show, show_json
from ner_lstm_crf.config import Criterion
from ner_lstm_crf.runs.display import progress_bar, say

if TYPE_CHECKING:
    from ner_lstm_crf.text.annotation import Sentence

EPILOG = """\
examples:
  ner-lstm-crf select pool.txt --model my-model --count 50 --output next.conll
  ner-lstm-crf select pool.conll --model my-model --count 20 --by errors --per-token

The pool is an annotated file, whose annotation is not looked at, or running text (.txt, a text on each line). A file of
--output holds the sentences with the entities that the model finds, to be corrected."""


def add_command(parser: Parser) -> None:
    """Add the command's options."""
    parser.description = "Choose the sentences to annotate next: those that a model is least sure of."
    parser.epilog = EPILOG
    parser.add_argument("pool", metavar="POOL", help="file of sentences or texts to choose from")
    parser.add_argument("--model", required=True, metavar="DIR", help="directory of a model, or en or zh")
    parser.add_argument("--count", type=at_least(1), default=20, metavar="N", help="sentences to choose (default: 20)")
    parser.add_argument(
        "--by",
        choices=get_args(Criterion),
        default="entropy",
        help="what makes a sentence worth annotating: entropy, of its tag sequences; margin, between its two best "
        "readings; errors, the number expected in it; random, to compare with (default: entropy)",
    )
    parser.add_argument(
        "--per-token", action="store_true", help="divide by the number of tokens: where a token costs, not a sentence"
    )
    parser.add_argument("--seed", type=at_least(0), default=1, metavar="N", help="seed of --by random (default: 1)")
    parser.add_argument("--output", metavar="F", help="file to write them to, in the format of its suffix")
    add_options(parser.add_argument_group(*READING), *COLUMN_OPTIONS)
    add_options(parser, "--threads", "--json")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> None:
    """Read the pool with the model, and show or write what it is least sure of."""
    from ner_lstm_crf.curation.selection import select
    from ner_lstm_crf.formats.registry import read_unlabelled, write_sentences
    from ner_lstm_crf.tagging.tagger import Tagger

    tagger = Tagger.load(args.model)
    options = read_options(
        args, token_unit=tagger.model.config.token_unit, hyphens=tagger.model.config.hyphens, read_tags=False
    )
    with progress_bar("reading the pool", unit=" sentences") as progress:
        pool = read_unlabelled(args.pool, options)
        chosen = select(
            tagger, pool, args.count, by=args.by, per_token=args.per_token, seed=args.seed, progress=progress
        )
    if args.output is not None:
        write_sentences(args.output, [choice.sentence for choice in chosen])
        say(f"{args.output}: {len(chosen):,} sentences with the entities that {args.model} finds, to be corrected")
        say_next("inspect", args.output)
    if args.json:
        rows = [
            {"number": number, "line": one.line, "value": value, "tokens": one.words, "spans": _spans(one)}
            for number, value, one in chosen
        ]
        show_json({"by": args.by, "chosen": rows})
    elif args.output is None:
        joiner = " " if tagger.model.config.token_unit == "word" else ""
        for number, value, one in chosen:
            show(f"{one.line or number + 1:>7}  {value:7.3f}  {marked(one.words, one.spans, joiner=joiner)}")


def _spans(sentence: Sentence) -> list[dict[str, object]]:
    """The entities of a sentence, over tokens, with their scores, for JSON."""
    pairs = zip(sentence.spans, sentence.scores, strict=True)
    return [{**span._asdict(), "score": round(score, 4)} for span, score in pairs]
