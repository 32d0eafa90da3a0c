"""`ner-lstm-crf plot`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ner_lstm_crf.cli.options import READ_OPTIONS, READING, Parser, add_options, read_options
from ner_lstm_crf.cli.output import show
from ner_lstm_crf.errors import InputError

EPILOG = """\
examples:
  ner-lstm-crf plot my-model
  ner-lstm-crf plot my-model test.conll --output pictures --picture-format svg

Drawn are the learning curves (curve.png; not of a model without a training history) and the transition scores
(transitions.png); with an annotated file also which labels are taken for which (confusion.png) and how reliable the
scores of entities are (reliability.png). It needs matplotlib: pip install 'ner-lstm-crf[plots]'."""


def add_command(parser: Parser) -> None:
    """Add the command's options."""
    parser.description = "Draw a training run: learning curves, transition scores, confusions, reliability."
    parser.epilog = EPILOG
    parser.add_argument("model", metavar="RUN", help="directory of a training run or a model, or en or zh")
    parser.add_argument("gold", nargs="?", metavar="FILE", help="annotated file to measure the model on")
    parser.add_argument("--output", metavar="DIR", help="folder of the pictures (default: RUN)")
    parser.add_argument("--picture-format", choices=("png", "svg", "pdf"), default="png", help="format (default: png)")
    add_options(parser.add_argument_group(*READING), *READ_OPTIONS)
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> None:
    """Draw the pictures, and say where they are."""
    from ner_lstm_crf.evaluation.calibration import Calibration
    from ner_lstm_crf.evaluation.error_analysis import confusion
    from ner_lstm_crf.explanation import plots
    from ner_lstm_crf.formats.registry import read_sentences
    from ner_lstm_crf.runs.run import HISTORY, Run
    from ner_lstm_crf.saving.model import SHIPPED
    from ner_lstm_crf.tagging.tagger import Tagger

    # 1. The model, and where the pictures go.
    plots.new_figure(1, 1)  # refuses, before anything is read, where matplotlib is missing
    tagger = Tagger.load(args.model)
    if args.model in SHIPPED and args.output is None:
        raise InputError("--output: expected a folder for the pictures of a shipped tagger")
    folder = Path(args.output or args.model)
    folder.mkdir(parents=True, exist_ok=True)
    # 2. What it says of itself.
    pictures = {"transitions": plots.transition_picture(tagger.transitions)}
    if (Path(args.model) / HISTORY).is_file():
        history = Run(args.model).history()
        numbers = sorted({report["network"] for report in history})
        by_network = {f"network {one}": [report for report in history if report["network"] == one] for one in numbers}
        pictures["curve"] = plots.learning_curves(by_network)
    # 3. What it does on the file.
    if args.gold is not None:
        unit = tagger.model.config.token_unit
        gold = list(read_sentences(args.gold, read_options(args, token_unit=unit)))
        found = list(tagger.tag_sentences(gold))
        pictures["confusion"] = plots.confusion_picture(confusion(gold, found))
        calibration = Calibration.of(
            [one.spans for one in gold], [one.spans for one in found], [one.scores for one in found]
        )
        pictures["reliability"] = plots.reliability_picture(calibration.bins(10), calibration.error())
    for name, figure in pictures.items():
        show(str(plots.saved(figure, folder / f"{name}.{args.picture_format}")))
