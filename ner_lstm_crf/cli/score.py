"""`ner-lstm-crf score`."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from ner_lstm_crf.cli.display import say_next
from ner_lstm_crf.cli.evaluate import show_evaluation
from ner_lstm_crf.cli.options import READ_OPTIONS, READING, Parser, add_options, read_options, reading_words
from ner_lstm_crf.errors import InputError

if TYPE_CHECKING:
    from ner_lstm_crf.evaluation.metrics import Evaluation
    from ner_lstm_crf.formats.options import ReadOptions
    from ner_lstm_crf.text.annotation import Sentence

EPILOG = """\
examples:
  ner-lstm-crf score gold.conll predicted.conll --errors
  ner-lstm-crf score gold.conll predicted.conll --ill-formed strict --json

The two files hold the same tokens, or are JSON lines with the same texts; their schemes and columns may differ where
they are detected (--scheme, --token-column and --tag-column hold for both). A file with the gold tags beside the
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
    add_options(parser, "--errors", "--show", "--json")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> None:
    """Read both files and compare their spans."""
    from ner_lstm_crf.evaluation.evaluate import score_texts
    from ner_lstm_crf.formats.registry import detect_format
    from ner_lstm_crf.formats.text_json import TextFormat
    from ner_lstm_crf.tags.labels import require_entities

    options = read_options(args)
    formats = [detect_format(path, options.encoding) for path in (args.gold, args.predicted)]
    if all(isinstance(file_format, TextFormat) for file_format in formats):
        if args.predicted_column is not None:
            raise InputError("--predicted-column: only column files have columns", path=args.predicted)
        gold, predicted = (
            cast(TextFormat, file_format).read_texts(path, options)
            for file_format, path in zip(formats, (args.gold, args.predicted), strict=True)
        )
        require_entities((one.spans for one in gold), args.gold, options.labels)
        evaluation = score_texts(gold, predicted, gold_path=args.gold, predicted_path=args.predicted)
        show_evaluation(evaluation, gold, predicted, args)
    else:
        show_evaluation(*_score_tokens(args.gold, args.predicted, options, args.predicted_column), args)
    if not args.json and not args.errors:
        column = () if args.predicted_column is None else ("--predicted-column", str(args.predicted_column))
        say_next("score", args.gold, args.predicted, *column, *reading_words(args), "--errors")


def _score_tokens(
    gold_path: str, predicted_path: str, options: ReadOptions, column: int | None
) -> tuple[Evaluation, list[Sentence], list[Sentence]]:
    """The scores of two files with the same tokens, and both; `column` is that of the predicted tags, if it was given.

    Raises:
        InputError: If it was not, and the file has tags in several columns, others than the gold file: some may be
            gold.
    """
    from ner_lstm_crf.evaluation.evaluate import score_sentences
    from ner_lstm_crf.formats.options import ReadReport
    from ner_lstm_crf.formats.registry import read_sentences
    from ner_lstm_crf.tags.labels import require_entities

    # 1. The true spans.
    gold_report, report = ReadReport(), ReadReport()
    gold = read_sentences(gold_path, options, report=gold_report)
    gold_report.warn(gold_path, options)
    require_entities((one.spans for one in gold), gold_path, options.labels)
    # 2. The predicted spans, if it is clear which they are.
    predicted_options = options if column is None else replace(options, tag_column=column)
    predicted = read_sentences(predicted_path, predicted_options, report=report)
    if column is not None and report.layout is None:
        raise InputError("--predicted-column: only column files have columns", path=predicted_path)
    gold_columns, columns = (one.layout.tag_columns if one.layout else () for one in (gold_report, report))
    if len(columns) > 1 and (columns != gold_columns or gold_path == predicted_path):
        several = ", ".join(str(column + 1) for column in sorted(columns))
        raise InputError(
            f"tags in the columns {several}: expected --predicted-column to say which", path=predicted_path
        )
    report.warn(predicted_path, predicted_options, ill_formed=False)  # ill-formed tags are counted in the scores
    # 3. The scores.
    evaluation = score_sentences(
        gold,
        predicted,
        gold_path=gold_path,
        predicted_path=predicted_path,
        ill_formed_lines=report.ill_formed,
    )
    return evaluation, gold, predicted
