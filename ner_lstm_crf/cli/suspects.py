"""`ner-lstm-crf suspects`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ner_lstm_crf.cli.compare import marked
from ner_lstm_crf.cli.options import (
    READ_OPTIONS,
    READING,
    Parser,
    add_options,
    add_settings,
    at_least,
    config_from,
    read_options,
    settings_from,
)
from ner_lstm_crf.cli.output import show, show_json
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.runs.display import progress_bar, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ner_lstm_crf.config import TokenUnit
    from ner_lstm_crf.curation.suspects import Suspect
    from ner_lstm_crf.text.annotation import Sentence

EPILOG = """\
examples:
  ner-lstm-crf suspects train.conll
  ner-lstm-crf suspects train.conll --preset small --folds 10 --json
  ner-lstm-crf suspects train.conll --model en

The file is cut into --folds parts. A model learns from all parts but one and reads that one, so none judges what it has
learnt by heart; that takes as long as so many trainings. With --model, a model that was trained on other data judges
all of it, in seconds. Listed are the annotated entities that the model finds improbable, and those it finds where none
is annotated, the most suspicious first."""


def add_command(parser: Parser) -> None:
    """Add the command's options."""
    parser.description = "Find annotations that may be wrong: a model trained on the other sentences doubts them."
    parser.usage = "%(prog)s FILE [options]"
    parser.epilog = EPILOG
    parser.add_argument("file", metavar="FILE", help="annotated file")
    parser.add_argument(
        "--model", metavar="DIR", help="a model trained on other data, or en or zh, in place of the trainings"
    )
    parser.add_argument("--folds", type=at_least(2), default=5, metavar="N", help="parts of the file (default: 5)")
    parser.add_argument(
        "--count", type=at_least(1), default=50, metavar="N", help="suspects to show; --json has all (default: 50)"
    )
    config = parser.add_argument_group("configuration")
    add_options(config, "--help-all", "--preset", "--config")
    groups = add_settings(parser)
    options = "--vectors", "--vectors-limit", "--lexicon", "--lexicon-vectors", "--gazetteer"
    add_options(groups["vectors and lexicon"], *options)
    add_options(parser.add_argument_group(*READING), *READ_OPTIONS)
    add_options(parser, "--threads", "--json")
    parser.set_defaults(command=run, init_from=None, transformer_cache=None)


def run(args: argparse.Namespace) -> None:
    """Read the file with models that have not learnt it, and show what they doubt."""
    from ner_lstm_crf.curation.suspects import find_suspects, suspects_by
    from ner_lstm_crf.formats.registry import read_sentences
    from ner_lstm_crf.runs.data import Data
    from ner_lstm_crf.tagging.tagger import Tagger
    from ner_lstm_crf.text.annotation import CHARACTER_SHARE, share_of_characters

    sentences: Sequence[Sentence]
    unit: TokenUnit
    if args.model is not None:
        tagger = Tagger.load(args.model)
        config = tagger.model.config
        unit = config.token_unit
        sentences = read_sentences(args.file, read_options(args, token_unit=config.token_unit, hyphens=config.hyphens))
        with progress_bar("reading", unit=" sentences") as progress:
            suspects = suspects_by(tagger, sentences, progress)
    else:
        given = settings_from(args)
        words: dict[str, Any] = {
            name: None if vars(args)[name] == "none" else vars(args)[name] or "builtin"
            for name in ("vectors", "lexicon", "lexicon_vectors")
        }
        options = read_options(args, token_unit=given["model"].get("token_unit"))
        names = None if args.gazetteer == "none" else args.gazetteer
        data = Data.read(args.file, None, **words, names=names, options=options)
        sentences = data.train
        unit = "character" if share_of_characters(sentences) >= CHARACTER_SHARE else "word"
        say(f"{args.folds} trainings on {len(sentences):,} sentences, a part left out in each")
        with progress_bar("reading the parts left out", unit=" sentences") as progress:
            suspects = find_suspects(
                data, config_from(args, given, unit), folds=args.folds, progress=progress, show_training=True
            )
    if not any(one.spans for one in sentences):
        raise InputError("expected entities, found none", path=args.file)
    joiner = " " if unit == "word" else ""
    if args.json:
        show_json({"suspects": [_to_json(one, sentences[one.sentence], joiner) for one in suspects]})
        return
    for one in suspects[: args.count]:
        show(_row(one, sentences[one.sentence], joiner))


def _row(suspect: Suspect, sentence: Sentence, joiner: str) -> str:
    """A suspect on one line: where, how suspicious, what, and what the model finds instead."""
    _, (start, end, label), kind, suspicion, instead = suspect
    words = sentence.words
    text = joiner.join(words[start:end])
    what = f"{label} {text}" if kind == "annotated" else f"no entity, not {label} {text}"
    if instead is not None and kind == "annotated":
        other = instead.span
        what += f" → {other.label} {joiner.join(words[other.start : other.end])}"
    place = sentence.line or suspect.sentence + 1
    return f"{place:>7}  {suspicion:.3f}  {what}  |  {marked(words, sentence.spans, joiner=joiner, around=start)}"


def _to_json(suspect: Suspect, sentence: Sentence, joiner: str) -> dict[str, Any]:
    """A suspect as plain values."""
    number, span, kind, suspicion, instead = suspect
    return {
        "sentence": number + 1,
        "line": sentence.line,
        "kind": kind,
        "suspicion": round(suspicion, 4),
        **span._asdict(),
        "text": joiner.join(sentence.words[span.start : span.end]),
        "instead": None
        if instead is None
        else {**instead.span._asdict(), "probability": round(instead.probability, 4)},
    }
