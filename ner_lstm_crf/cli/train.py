"""`ner-lstm-crf train`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from ner_lstm_crf.cli.display import TrainingDisplay, progress_bar, say, show, show_json
from ner_lstm_crf.cli.options import Subparsers
from ner_lstm_crf.cli.training_options import add_data_options, add_training_options, config_from
from ner_lstm_crf.config import Config, HeadName
from ner_lstm_crf.errors import InputError

if TYPE_CHECKING:
    from ner_lstm_crf.runs.data import Data
    from ner_lstm_crf.runs.processes import Job
    from ner_lstm_crf.runs.results import RunResult

__all__ = ["add_command", "check_output", "train_jobs"]

EPILOG = """\
examples:
  ner-lstm-crf train --train train.conll --dev dev.conll --test test.conll --output my-model
  ner-lstm-crf train --train train.conll --test test.conll --output my-model --vectors glove.6B.100d.txt.gz --seeds 3

The output directory then holds the model (of the best epoch on dev, or of the median of several seeds), the history of
its epochs (history.jsonl; of several --members what each adds, and their epochs in member-1 and so on), the figures
(summary.json) and the learning curves (curve.png, if matplotlib is installed).
An interrupted run goes on with the same command and --resume.

A file for --config:
  [model]
  hidden_size = 100
  [training]
  epochs = 30
  learning_rate = 1e-3"""


def add_command(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "train",
        help="learn a tagger from annotated files",
        description="Learn a tagger from annotated files, and measure it.",
        epilog=EPILOG,
    )
    add_data_options(parser, test_required=False)
    parser.add_argument("--output", required=True, metavar="DIR", help="directory of the model")
    parser.add_argument(
        "--head",
        choices=get_args(HeadName),
        help="how tags are chosen: crf, the best sequence; softmax, each by itself (default: crf)",
    )
    parser.add_argument(
        "--init",
        metavar="DIR",
        help="start from the weights of a trained model, or of en or zh: the shipped taggers; its shape is kept",
    )
    add_training_options(parser, seeds=1)
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> None:
    """Train, measure, and write down what came of it."""
    from ner_lstm_crf.cli.training_data import read_training_files
    from ner_lstm_crf.runs.processes import Job, seeded
    from ner_lstm_crf.runs.results import RunResult

    def jobs_of(config: Config) -> list[Job]:
        single = Job(config, directory, overwrite=args.overwrite)
        return seeded(single, args.seeds) if args.seeds > 1 else [single]

    directory, config = Path(args.output), config_from(args)
    check_output(directory, jobs_of(config), args)
    files = read_training_files(args, config)
    jobs = jobs_of(config_from(args, files.token_unit))
    train_jobs(files.data, jobs, args, directory)
    _finish(directory, [RunResult.of(job, files.test) for job in jobs], args)


def check_output(directory: Path, jobs: Sequence[Job], args: argparse.Namespace) -> None:
    """Refuse, before anything is read, what must not be replaced or cannot be resumed.

    Raises:
        InputError: If there is a model and neither `--overwrite` nor `--resume` is given; if it is the one to start
            from; if there is nothing to resume, or a run of one seed where runs of several are to be.
    """
    from ner_lstm_crf.runs.network_runs import check_apart
    from ner_lstm_crf.runs.run_files import check_free, has_begun

    places = [job.directory for job in jobs]
    if getattr(args, "init", None):
        for place in (directory, *places):
            check_apart(args.init, place)
    if not args.resume:
        for place in (directory, *places):
            check_free(place, overwrite=args.overwrite)
    elif directory not in places and has_begun(directory):
        raise InputError(
            "this directory holds a run of one seed: resume it with 'train', without --seeds", path=directory
        )
    elif not any(map(has_begun, places)):
        raise InputError("expected a run to resume, found none", path=directory)


def train_jobs(data: Data, jobs: Sequence[Job], args: argparse.Namespace, directory: Path) -> None:
    """Train all runs before the eyes of the user; with `--resume`, those that have begun go on.

    Raises:
        KeyboardInterrupt: With how to go on, if the user interrupts.
    """
    from ner_lstm_crf.cli.training_data import use_threads
    from ner_lstm_crf.runs.network_runs import read_with_transformer
    from ner_lstm_crf.runs.processes import network_jobs, run_jobs
    from ner_lstm_crf.runs.run_files import forget_run, has_begun, is_finished
    from ner_lstm_crf.runs.transformer_cache import forget_contextual, scratch_of

    use_threads(args.threads)
    if args.resume:
        jobs = [replace(job, resume=has_begun(job.directory)) for job in jobs]
    model, networks = jobs[0].config.model, network_jobs(jobs)
    finished = {index: epochs for index, job in enumerate(networks) if (epochs := _epochs_if_finished(job))}
    done = all(job.resume and is_finished(job.directory) for job in jobs)
    if not done and model.transformer is not None and not model.fine_tune:
        say("before the first epoch the frozen transformer reads all sentences once: this may take minutes")
        with progress_bar("reading with the transformer", unit=" sentences") as progress:
            cache = scratch_of(directory) if args.cache is None else Path(args.cache)
            data = read_with_transformer(data, model, cache, progress)
    if not args.resume and all(job.directory.parent == directory for job in jobs):
        forget_run(directory)  # of a single run that was here before
    number = {job.directory: index for index, job in enumerate(networks)}
    names = [str(job.directory.relative_to(directory)) if len(networks) > 1 else "" for job in networks]
    training = jobs[0].config.training
    try:
        with TrainingDisplay(training.epochs, names, finished) as display:
            for job, report in run_jobs(
                data, jobs, workers=min(args.jobs, max(len(networks), 1)), progress=display.batches
            ):
                display.epoch(number[job.directory], report)
                if training.ensemble_size > 1 and display.ended:
                    say(f"joining {training.ensemble_size} networks")  # of many words, which takes a while
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_how_to_go_on(args)) from None
    forget_contextual(directory)


def _how_to_go_on(args: argparse.Namespace) -> str:
    """What to do after an interruption; nothing can be done if the runs were to be thrown away."""
    if args.output is None:
        return ""
    place = " in place of --overwrite" if args.overwrite else ""
    return f"the same command with --resume{place} goes on after the last whole epoch"


def _epochs_if_finished(job: Job) -> int:
    """How many epochs a run took that has nothing left to do; 0 for any other."""
    from ner_lstm_crf.runs.run_files import is_finished, read_history

    return len(read_history(job.directory)) if job.resume and is_finished(job.directory) else 0


def _finish(directory: Path, results: Sequence[RunResult], args: argparse.Namespace) -> None:
    """Choose the model, write down the figures, draw the curves, show the scores."""
    from ner_lstm_crf.files.atomic import write_text
    from ner_lstm_crf.runs.plots import plot_curves
    from ner_lstm_crf.runs.results import median_result, results_to_json
    from ner_lstm_crf.runs.run_files import CURVES, SUMMARY
    from ner_lstm_crf.saving.model import Model

    chosen = median_result(results)
    if chosen.directory != directory:
        Model.load(chosen.directory).save(directory)
    summary = {"directory": str(directory), "seed": chosen.seed, **results_to_json(results)}
    write_text(directory / SUMMARY, json.dumps(summary, indent=2) + "\n")
    curves = {
        f"seed {result.seed} {name}".rstrip(): curve for result in results for name, curve in result.curves.items()
    }
    plot_curves(curves, directory / CURVES)
    if args.json:
        show_json(summary)
    else:
        _show(directory, chosen, results, summary)


def _show(directory: Path, chosen: RunResult, results: Sequence[RunResult], summary: dict[str, object]) -> None:
    from ner_lstm_crf.evaluation.metrics import Summary

    if len(results) > 1:
        for part in ("dev_f1", "test_f1"):
            if isinstance(figures := summary[part], dict):
                show(f"{part.replace('_f1', ' F1'):<9}{Summary(**figures)} ({len(results)} seeds)")
        why = "the median on dev" if chosen.dev_f1 is not None else "as good as any: there is no dev to choose by"
        show(f"the model is that of seed {chosen.seed}, {why}")
    if chosen.test is not None:
        show(chosen.test.evaluation.table())
    dev = "" if chosen.dev_f1 is None else f", dev F1 {chosen.dev_f1:.4f}"
    seconds = sum(result.seconds for result in results)
    kept = f"epoch {chosen.best['epoch']} of {len(chosen.history)}"
    if chosen.members > 1:
        kept = f"{chosen.members} networks joined"
    say(f"{directory}: the model of {kept}{dev}; {seconds:.0f} s of training")
    if chosen.dev_f1 == 0 and chosen.best["dev"]["support"]:
        say("it finds no entity of dev: train longer, with more --epochs")
