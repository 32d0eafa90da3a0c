"""`ner-lstm-crf compare`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ner_lstm_crf.cli.display import marked, say, show, show_json
from ner_lstm_crf.cli.options import Subparsers, at_least
from ner_lstm_crf.cli.train import check_output, train_jobs
from ner_lstm_crf.cli.training_options import add_data_options, add_training_options, config_from
from ner_lstm_crf.errors import InputError

if TYPE_CHECKING:
    from ner_lstm_crf.runs.compare import Comparison, HeadResult, SentenceDifference
    from ner_lstm_crf.runs.processes import Job
    from ner_lstm_crf.text.annotation import Sentence, Span

__all__ = ["add_command"]

EPILOG = """\
examples:
  ner-lstm-crf compare --train train.conll --dev dev.conll --test test.conll
  ner-lstm-crf compare --train train.conll --test test.conll --seeds 5 --jobs 2 --output comparison --show 30

Both heads learn from the same data with the same seeds, and all below the head is the same. Without --output the models
are thrown away."""


def add_command(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "compare",
        help="train the CRF and the softmax head on equal terms",
        description="Train the CRF and the softmax head on equal terms and show what the CRF gains.",
        epilog=EPILOG,
    )
    add_data_options(parser, test_required=True)
    parser.add_argument("--output", metavar="DIR", help="directory of all models (default: none are kept)")
    parser.add_argument(
        "--show", type=at_least(0), default=10, metavar="N", help="sentences to show that they tag differently (10)"
    )
    add_training_options(parser, seeds=3)
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> None:
    """Train all models, measure them, and lay the heads side by side."""
    from ner_lstm_crf.cli.training_data import read_training_files
    from ner_lstm_crf.runs.compare import Comparison, comparison_jobs

    config = config_from(args)
    if args.resume and args.output is None:
        raise InputError("--resume: expected the --output directory of the comparison to go on with")
    with _directory(args.output) as directory:
        jobs = comparison_jobs(config, directory, seeds=args.seeds, overwrite=args.overwrite)
        check_output(directory, [*jobs["crf"], *jobs["softmax"]], args)
        files = read_training_files(args, config)
        config = config_from(args, files.token_unit)
        jobs = comparison_jobs(config, directory, seeds=args.seeds, overwrite=args.overwrite)
        train_jobs(files.data, [*jobs["crf"], *jobs["softmax"]], args, directory)
        results = {head: _head_result(head, runs, files.test) for head, runs in jobs.items()}
        comparison = Comparison(results["crf"], results["softmax"], files.test)
    differences = list(islice(comparison.differences(), args.show))
    if args.json:
        show_json({**comparison.to_json(), "differences": [_difference_to_json(one) for one in differences]})
    else:
        joiner = "" if files.token_unit == "character" else " "
        _show(comparison, differences, path=args.test, joiner=joiner)


@contextmanager
def _directory(output: str | None) -> Iterator[Path]:
    """The directory asked for, or one that is thrown away."""
    if output is not None:
        yield Path(output)
        return
    with TemporaryDirectory(prefix="ner-lstm-crf-") as folder:
        yield Path(folder)


def _head_result(head: str, jobs: Sequence[Job], test: Sequence[Sentence]) -> HeadResult:
    from ner_lstm_crf.runs.compare import HeadResult
    from ner_lstm_crf.runs.results import RunResult

    results = [RunResult.of(job, test) for job in jobs]
    outcomes = tuple(result.test for result in results if result.test is not None)
    return HeadResult(head, outcomes, tuple(result.seconds for result in results))


def _show(comparison: Comparison, differences: Sequence[SentenceDifference], *, path: str, joiner: str) -> None:
    show(comparison.table())
    total = sum(1 for _ in comparison.differences())
    say(f"{total:,} of {len(comparison.test):,} sentences are tagged differently (first seed)")
    for difference in differences:
        sentence = difference.sentence
        first = _first_difference(difference)
        show(f"\n{path}:{sentence.line}")
        for name, spans in (("gold", sentence.spans), ("crf", difference.crf), ("softmax", difference.softmax)):
            right = "" if name == "gold" else "  ✓" if spans == sentence.spans else "  ✗"
            show(f"  {name:<8}{marked(sentence.words, spans, joiner=joiner, around=first)}{right}")


def _first_difference(difference: SentenceDifference) -> int:
    """The first token of a span that only one of the heads found."""
    return min(start for start, _, _ in {*difference.crf} ^ {*difference.softmax})


def _difference_to_json(difference: SentenceDifference) -> dict[str, Any]:
    return {
        "line": difference.sentence.line,
        "tokens": difference.sentence.words,
        "gold": _spans_to_json(difference.sentence.spans),
        "crf": _spans_to_json(difference.crf),
        "softmax": _spans_to_json(difference.softmax),
    }


def _spans_to_json(spans: Sequence[Span]) -> list[dict[str, Any]]:
    return [span._asdict() for span in spans]
