"""`ner-lstm-crf evaluate`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from ner_lstm_crf.cli.display import progress_bar, say, show_evaluation
from ner_lstm_crf.cli.options import (
    Subparsers,
    add_column_options,
    add_json,
    add_precision,
    add_threads,
    column_options,
)

if TYPE_CHECKING:
    from ner_lstm_crf.evaluation.evaluate import TestResult
    from ner_lstm_crf.evaluation.metrics import Evaluation
    from ner_lstm_crf.formats.columns import ReadOptions
    from ner_lstm_crf.tags.labels import LabelMap
    from ner_lstm_crf.text.annotation import Span

__all__ = ["add_command"]

EPILOG = """\
examples:
  ner-lstm-crf evaluate my-model test.conll
  ner-lstm-crf evaluate my-model test.conll --labels PER,LOC,ORG --json

A span counts as found if its start, end and label are right. --labels and --map go for the file and for what the model
finds. The interval is that of other sentences of the same kind (bootstrap, 95%). A model trained on characters splits
the file's tokens into characters by itself. The texts of JSON lines are cut into tokens as in tagging, their spans
count characters, and each is one sentence in the table."""


def add_command(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "evaluate",
        help="measure a model on an annotated file",
        description="Measure a model on an annotated file: span precision, recall and F1.",
        epilog=EPILOG,
    )
    parser.add_argument("model", metavar="MODEL", help="directory of the model, or en or zh: the shipped taggers")
    parser.add_argument("file", metavar="FILE", help="annotated file")
    add_column_options(parser, characters=False)
    add_threads(parser)
    add_precision(parser)
    add_json(parser)
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> None:
    """Tag the file and score what was found."""
    from ner_lstm_crf.cli.training_data import use_threads, warn_of_unknown_labels
    from ner_lstm_crf.saving.model import Model
    from ner_lstm_crf.tags.labels import require_entities

    use_threads(args.threads)
    model = Model.load(args.model)
    options = column_options(args, token_unit=model.config.token_unit, hyphens=model.config.hyphens)
    gold, measure = _what_to_measure(args.file, options)
    require_entities(gold, args.file, options.labels)
    known = {new for label in model.tags.labels if (new := options.labels.renaming(label)) is not None}
    warn_of_unknown_labels(args.file, gold, known, "the model does not know")
    with progress_bar("tagging", unit=" sentences") as progress:
        outcome = measure(model, precision=args.precision, progress=progress)
    show_evaluation(_under_labels(options.labels, gold, outcome), as_json=args.json, seconds=outcome.seconds)
    if not args.json:
        say(f"{outcome.tokens:,} tokens tagged in {outcome.seconds:.2f} s")


def _what_to_measure(path: str, options: ReadOptions) -> tuple[list[tuple[Span, ...]], Callable[..., TestResult]]:
    """The true spans of each sentence, or of each text, and what measures a model on these.

    Running text is cut into tokens as in tagging: cut at its entities, it would give them away.
    """
    from ner_lstm_crf.evaluation.evaluate import evaluate_model, evaluate_texts
    from ner_lstm_crf.formats.registry import detect_format, read_sentences
    from ner_lstm_crf.formats.text_json import read_texts

    if detect_format(path, options.encoding) == "jsonl":
        texts = read_texts(path, options)
        return [text.spans for text in texts], partial(evaluate_texts, test=texts)
    sentences = read_sentences(path, options)
    return [sentence.spans for sentence in sentences], partial(evaluate_model, test=sentences)


def _under_labels(labels: LabelMap, gold: Sequence[Sequence[Span]], outcome: TestResult) -> Evaluation:
    """The scores when what the model found is kept, dropped and renamed as the labels of the file are.

    Else everything found under a label that was dropped from the file would count as wrong.
    """
    from ner_lstm_crf.evaluation.metrics import evaluate_spans

    if not labels:
        return outcome.evaluation
    found = evaluate_spans(gold, map(labels, outcome.spans))
    ill_formed, tags = outcome.evaluation.ill_formed, outcome.evaluation.ill_formed_tags
    return replace(found, ill_formed=ill_formed, ill_formed_tags=tags)
