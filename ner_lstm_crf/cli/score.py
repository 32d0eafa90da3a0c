"""`ner-lstm-crf score`."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from ner_lstm_crf.cli.evaluate import show_evaluation
from ner_lstm_crf.cli.options import READ_OPTIONS, READING, Parser, add_options, read_options, reading_words
from ner_lstm_crf.cli.output import say_next
from ner_lstm_crf.errors import InputError

if TYPE_CHECKING:
    from ner_lstm_crf.formats.options import ReadOptions, ReadReport
    from ner_lstm_crf.text.annotation import Sentence

EPILOG = """\
examples:
  ner-lstm-crf score gold.conll predicted.conll --errors
  ner-lstm-crf score gold.conll predicted.conll --ill-formed strict --json

The two files hold the same tokens, or are JSON lines with the same texts; their columns may differ where they are
detected (--token-column and --tag-column hold for both). Predictions are judged by the tag scheme of GOLD, or of
--scheme; only if they have prefixes that it lacks, their own is detected. A file with the gold tags beside the
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
    parser.add_argument("--predicted-scheme", metavar="S", help="tag scheme of PRED (default: that of GOLD)")
    add_options(parser.add_argument_group(*READING), *READ_OPTIONS, "--token-unit")
    add_options(parser, "--errors", "--show", "--json")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> None:
    """Read both files and compare their spans."""
    from ner_lstm_crf.evaluation.evaluate import score_texts
    from ner_lstm_crf.formats.options import ReadReport
    from ner_lstm_crf.formats.registry import detect_format
    from ner_lstm_crf.formats.text_json import TextFormat
    from ner_lstm_crf.tags.labels import require_entities

    options = read_options(args)
    reports = ReadReport(), ReadReport()
    formats = [detect_format(path, options) for path in (args.gold, args.predicted)]
    if all(isinstance(file_format, TextFormat) for file_format in formats):
        if args.predicted_column is not None:
            raise InputError("--predicted-column: only column files have columns", path=args.predicted)
        if args.predicted_scheme is not None:
            raise InputError("--predicted-scheme: only files of tags have a tag scheme", path=args.predicted)
        gold, predicted = (
            cast(TextFormat, file_format).read_texts(path, options, report=report)
            for file_format, path, report in zip(formats, (args.gold, args.predicted), reports, strict=True)
        )
        for path, report in zip((args.gold, args.predicted), reports, strict=True):
            report.warn(path, options, labels=False)
        options.labels.warn_of_missing(f"{args.gold}, {args.predicted}", reports[0].names | reports[1].names)
        require_entities((one.spans for one in gold), args.gold, options.labels)
        evaluation = score_texts(gold, predicted, gold_path=args.gold, predicted_path=args.predicted)
        show_evaluation(evaluation, gold, predicted, args)
    else:
        _score_tokens(args, options)
    if not args.json and not args.errors and args.show is None:
        column = () if args.predicted_column is None else ("--predicted-column", str(args.predicted_column))
        scheme = () if args.predicted_scheme is None else ("--predicted-scheme", args.predicted_scheme)
        say_next("score", args.gold, args.predicted, *column, *scheme, *reading_words(args), "--errors")


def _score_tokens(args: argparse.Namespace, options: ReadOptions) -> None:
    """Show the scores of two files with the same tokens.

    Raises:
        InputError: If the predicted file has tags in several columns, others than the gold file, so that some may be
            gold, and `--predicted-column` does not say which are predicted.
    """
    from ner_lstm_crf.evaluation.evaluate import score_sentences
    from ner_lstm_crf.formats.options import ReadReport
    from ner_lstm_crf.formats.registry import read_sentences
    from ner_lstm_crf.tags.labels import require_entities

    # 1. The true spans.
    gold_report = ReadReport()
    gold = read_sentences(args.gold, options, report=gold_report)
    gold_report.warn(args.gold, options, labels=False)
    require_entities((one.spans for one in gold), args.gold, options.labels)
    # 2. The predicted spans, if it is clear which they are.
    column = args.predicted_column
    if column is not None:
        options = replace(options, tag_column=column)
    scheme = args.predicted_scheme or options.scheme
    predicted, report = _read_predicted(args.predicted, replace(options, scheme=scheme), gold_report.scheme)
    if column is not None and report.layout is None:
        raise InputError("--predicted-column: only column files have columns", path=args.predicted)
    if args.predicted_scheme is not None and report.scheme is None:
        raise InputError("--predicted-scheme: only files of tags have a tag scheme", path=args.predicted)
    gold_columns, columns = (one.layout.tag_columns if one.layout else () for one in (gold_report, report))
    if len(columns) > 1 and (columns != gold_columns or args.gold == args.predicted):
        several = ", ".join(str(column + 1) for column in sorted(columns))
        raise InputError(
            f"tags in the columns {several}: expected --predicted-column to say which", path=args.predicted
        )
    report.warn(args.predicted, options, ill_formed=False, labels=False)  # ill-formed tags are counted in the scores
    options.labels.warn_of_missing(f"{args.gold}, {args.predicted}", gold_report.names | report.names)
    # 3. The scores, and the schemes that the tags were judged by.
    evaluation = score_sentences(
        gold, predicted, gold_path=args.gold, predicted_path=args.predicted, ill_formed_lines=report.ill_formed
    )
    schemes = {"gold_scheme": gold_report.scheme, "predicted_scheme": report.scheme}
    note = f"tag schemes: gold {gold_report.scheme or 'none'}, predicted {report.scheme or 'none'}"
    known = [(one, other) for one, other in zip(gold, predicted, strict=True) if not one.unknown]
    gold, predicted = [one for one, _ in known], [other for _, other in known]
    show_evaluation(evaluation, gold, predicted, args, note=note, **schemes)


def _read_predicted(path: str, options: ReadOptions, gold_scheme: str | None) -> tuple[list[Sentence], ReadReport]:
    """The predicted sentences, and the findings.

    A scheme guessed from predictions would find none of their tags ill-formed. So that of the gold tags is theirs,
    unless they have prefixes that it lacks.
    """
    from ner_lstm_crf.formats.options import ReadReport
    from ner_lstm_crf.formats.registry import read_sentences
    from ner_lstm_crf.tags.detect import NoSchemeError

    report = ReadReport()
    if options.scheme is None and gold_scheme is not None:
        try:
            return read_sentences(path, replace(options, scheme=gold_scheme), report=report), report
        except NoSchemeError:
            report = ReadReport()
    return read_sentences(path, options, report=report), report
