"""`ner-lstm-crf evaluate`."""

from __future__ import annotations

import argparse
import shlex
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ner_lstm_crf.cli.display import show_evaluation
from ner_lstm_crf.cli.options import READ_OPTIONS, READING, Parser, add_options, read_options
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.runs.display import progress_bar, say

if TYPE_CHECKING:
    from ner_lstm_crf.evaluation.evaluate import TestResult

EPILOG = """\
examples:
  ner-lstm-crf evaluate my-model test.conll
  ner-lstm-crf evaluate my-model test.conll --labels PER,LOC,ORG --json

An entity is right if its start, end and label are right. --labels and --rename hold for the file and for what the
model finds. The interval is that of other sentences of the same kind (bootstrap, 95%). A model trained on characters
splits the file's tokens into characters by itself. The texts of JSON lines are cut into tokens as in tagging, their
spans count characters, and each is one sentence in the table."""


def add_command(parser: Parser) -> None:
    """Add the command's options."""
    parser.description = "Evaluate a model on an annotated file: span precision, recall and F1."
    parser.epilog = EPILOG
    parser.add_argument("model", metavar="MODEL", help="directory of the model, or en or zh: the shipped taggers")
    parser.add_argument("file", metavar="FILE", help="annotated file")
    add_options(parser.add_argument_group(*READING), *READ_OPTIONS)
    add_options(parser, "--threads", "--precision", "--json")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> None:
    """Tag the file and score the entities against its own."""
    from ner_lstm_crf.evaluation.evaluate import evaluate_model, evaluate_texts
    from ner_lstm_crf.evaluation.metrics import evaluate_spans
    from ner_lstm_crf.formats.registry import detect_format, read_sentences
    from ner_lstm_crf.formats.text_json import TextFormat
    from ner_lstm_crf.saving.model import SHIPPED, Model
    from ner_lstm_crf.tags.labels import require_entities, warn_of_unknown_labels

    if Path(args.model).is_file() and (args.file in SHIPPED or Path(args.file).is_dir()):
        command = shlex.join(["ner-lstm-crf", "evaluate", args.file, args.model])
        raise InputError(f"expected the model first, then the file: {command}")
    model = Model.load(args.model)
    options = read_options(args, token_unit=model.config.token_unit, hyphens=model.config.hyphens)

    # The file: running text is cut into tokens as in tagging; cut at its entities, it would give them away.
    evaluate: Callable[..., TestResult]
    file_format = detect_format(args.file, options.encoding)
    if isinstance(file_format, TextFormat):
        texts = file_format.read_texts(args.file, options)
        gold, evaluate = [text.spans for text in texts], partial(evaluate_texts, test=texts)
    else:
        sentences = read_sentences(args.file, options)
        gold, evaluate = [sentence.spans for sentence in sentences], partial(evaluate_model, test=sentences)
    require_entities(gold, args.file, options.labels)
    known = {options.labels.renaming(label) for label in model.tags.labels}
    counts = Counter(span.label for spans in gold for span in spans)
    warn_of_unknown_labels(args.file, counts, known, "the model does not know")

    # The model's entities, under the labels that the file has after --labels and --rename: else every entity of a label
    # that was dropped from the file would count as wrong.
    with progress_bar("tagging", unit=" sentences") as progress:
        result = evaluate(model, precision=args.precision, progress=progress)
    scores = result.evaluation
    if options.labels:
        renamed = evaluate_spans(gold, map(options.labels, result.spans))
        scores = replace(renamed, ill_formed=scores.ill_formed, ill_formed_tags=scores.ill_formed_tags)
    show_evaluation(scores, as_json=args.json, seconds=result.seconds)
    if not args.json:
        say(f"{result.tokens:,} tokens tagged in {result.seconds:.2f} s")
