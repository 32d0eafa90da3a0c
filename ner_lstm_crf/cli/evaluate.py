"""`ner-lstm-crf evaluate`."""

from __future__ import annotations

import argparse

from ner_lstm_crf.cli.arguments import Subparsers, add_column_options, add_json, add_threads, column_options
from ner_lstm_crf.cli.display import progress_bar, say, show, show_json

__all__ = ["add_command"]

EPILOG = """\
examples:
  ner-lstm-crf evaluate my-model test.conll
  ner-lstm-crf evaluate my-model test.conll --labels PER,LOC,ORG --json

A span counts as found if its start, end and label are right. The interval is that of other sentences of the same kind
(bootstrap, 95%). A model trained on characters splits the file's tokens into characters by itself."""


def add_command(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "evaluate",
        help="measure a model on an annotated file",
        description="Measure a model on an annotated file: span precision, recall and F1.",
        epilog=EPILOG,
    )
    parser.add_argument("model", metavar="MODEL", help="directory of the model")
    parser.add_argument("file", metavar="FILE", help="annotated file")
    add_column_options(parser, characters=False)
    add_threads(parser)
    add_json(parser)
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> None:
    """Tag the file and score what was found."""
    from ner_lstm_crf.cli.training_data import use_threads, warn_of_unknown_labels
    from ner_lstm_crf.data.formats import read_sentences
    from ner_lstm_crf.tasks.checkpoint import load_assembly
    from ner_lstm_crf.tasks.measurement import measure_assembly
    from ner_lstm_crf.tasks.significance import f1_interval

    use_threads(args.threads)
    assembly = load_assembly(args.model)
    sentences = read_sentences(args.file, column_options(args, unit=assembly.config.unit))
    warn_of_unknown_labels(args.file, sentences, assembly.featurizer.labels, "the model does not know")
    with progress_bar("tagging", unit=" sentences") as progress:
        outcome = measure_assembly(assembly, sentences, progress=progress)
    interval = f1_interval([outcome.evaluation])
    if args.json:
        show_json({**outcome.evaluation.to_json(), "interval": interval.to_json(), "seconds": outcome.seconds})
        return
    show(outcome.evaluation.table())
    show(f"F1 {interval} (95%, bootstrap over sentences)")
    tokens = sum(len(sentence.tokens) for sentence in sentences)
    say(f"{tokens:,} tokens tagged in {outcome.seconds:.2f} s")
