"""`ner-lstm-crf score`."""

from __future__ import annotations

import argparse

from ner_lstm_crf.cli.arguments import Subparsers, add_column_options, add_json, column_options
from ner_lstm_crf.cli.display import show_evaluation

__all__ = ["add_command"]

EPILOG = """\
examples:
  ner-lstm-crf score gold.conll predicted.conll
  ner-lstm-crf score gold.conll predicted.conll --policy strict --json

The two files hold the same tokens; their schemes and columns may differ where they are found out (--scheme,
--token-column and --tag-column go for both)."""


def add_command(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "score",
        help="score the predictions of any tool against gold annotation",
        description="Score one annotated file against another, whatever tools wrote them.",
        epilog=EPILOG,
    )
    parser.add_argument("gold", metavar="GOLD", help="file with the true entities")
    parser.add_argument("predicted", metavar="PRED", help="file with the same tokens and predicted entities")
    add_column_options(parser)
    add_json(parser)
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> None:
    """Read both files and compare their spans."""
    from ner_lstm_crf.data.formats import read_sentences
    from ner_lstm_crf.data.report import ReadReport
    from ner_lstm_crf.tasks.scoring import ill_formed_by_sentence, score_sentences

    options, report = column_options(args), ReadReport()
    gold = read_sentences(args.gold, options)
    predicted = read_sentences(args.predicted, options, report=report)
    evaluation = score_sentences(
        gold,
        predicted,
        gold_path=args.gold,
        predicted_path=args.predicted,
        ill_formed=ill_formed_by_sentence(predicted, report.ill_formed),
    )
    show_evaluation(evaluation, as_json=args.json)
