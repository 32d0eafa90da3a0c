"""`ner-lstm-crf score`."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from ner_lstm_crf.cli.display import show_evaluation
from ner_lstm_crf.cli.options import READ_OPTIONS, READING, Parser, add_options, read_options
from ner_lstm_crf.errors import InputError

if TYPE_CHECKING:
    from ner_lstm_crf.evaluation.metrics import Evaluation
    from ner_lstm_crf.formats.columns import ReadOptions

__all__ = ["add_command"]

EPILOG = """\
examples:
  ner-lstm-crf score gold.conll predicted.conll
  ner-lstm-crf score gold.conll predicted.conll --ill-formed strict --json

The two files hold the same tokens, or are JSON lines with the same texts; their schemes and columns may differ where
they are found out (--scheme, --token-column and --tag-column go for both). A file with the gold tags beside the
predicted ones, as conlleval reads them, can be both: --tag-column 2 --predicted-column 3."""


def add_command(parser: Parser) -> None:
    """Add the command's options."""
    parser.description = "Score one annotated file against another, whatever tools wrote them."
    parser.epilog = EPILOG
    parser.add_argument("gold", metavar="GOLD", help="file with the true entities")
    parser.add_argument("predicted", metavar="PRED", help="file with the same tokens and predicted entities")
    parser.add_argument(
        "--predicted-column", type=int, metavar="N", help="the tag's column in PRED, from 1, or -1 for the last"
    )
    add_options(parser.add_argument_group(*READING), *READ_OPTIONS, "--token-unit")
    add_options(parser, "--json")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> None:
    """Read both files and compare their spans."""
    from ner_lstm_crf.evaluation.evaluate import score_texts
    from ner_lstm_crf.formats.registry import detect_format
    from ner_lstm_crf.formats.text_json import read_texts
    from ner_lstm_crf.tags.labels import require_entities

    options = read_options(args)
    if all(detect_format(path, options.encoding) == "jsonl" for path in (args.gold, args.predicted)):
        if args.predicted_column is not None:
            raise InputError("--predicted-column: only column files have columns", path=args.predicted)
        gold, predicted = read_texts(args.gold, options), read_texts(args.predicted, options)
        require_entities((one.spans for one in gold), args.gold, options.labels)
        evaluation = score_texts(gold, predicted, gold_path=args.gold, predicted_path=args.predicted)
    else:
        evaluation = _by_tokens(args.gold, args.predicted, options, args.predicted_column)
    show_evaluation(evaluation, as_json=args.json)


def _by_tokens(gold_path: str, predicted_path: str, options: ReadOptions, column: int | None) -> Evaluation:
    """The scores of two files whose tokens are the same; `column` is that of the predicted tags, if it is known.

    Raises:
        InputError: If it is not, and the file has tags in several, others than the gold file: some may be gold.
    """
    from ner_lstm_crf.evaluation.evaluate import score_sentences
    from ner_lstm_crf.formats.registry import read_sentences
    from ner_lstm_crf.formats.report import ReadReport, warn_of_findings, warn_of_losses, warn_of_ragged_rows
    from ner_lstm_crf.tags.labels import require_entities

    report, of_gold = ReadReport(), ReadReport()
    gold = read_sentences(gold_path, options, report=of_gold)
    warn_of_findings(gold_path, of_gold, options.policy)
    require_entities((one.spans for one in gold), gold_path, options.labels)
    places = options if column is None else replace(options, tag_column=column)
    predicted = read_sentences(predicted_path, places, report=report)
    if column is not None and report.separator is None:
        raise InputError("--predicted-column: only column files have columns", path=predicted_path)
    if len(report.tag_columns) > 1 and (report.tag_columns != of_gold.tag_columns or gold_path == predicted_path):
        several = ", ".join(map(str, sorted(report.tag_columns)))
        raise InputError(
            f"tags in the columns {several}: expected --predicted-column to say which", path=predicted_path
        )
    warn_of_losses(predicted_path, report)
    warn_of_ragged_rows(predicted_path, report)
    return score_sentences(
        gold,
        predicted,
        gold_path=gold_path,
        predicted_path=predicted_path,
        ill_formed_lines=report.ill_formed,
    )
