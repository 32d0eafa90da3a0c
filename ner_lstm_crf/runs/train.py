"""Training in one call: `train` in Python, and the steps that the command line shares with it.

A call trains one run, or several seeds in folders of their own, and leaves in its directory the model, its figures
(summary.json), its learning curves (curve.png) and its card (README.md, see `card`).
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from ner_lstm_crf.config import Config, configured, tables_of
from ner_lstm_crf.corpora.statistics import FileStatistics
from ner_lstm_crf.corpora.warnings import file_warnings, pair_warnings
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.atomic import write_text
from ner_lstm_crf.progress import silent
from ner_lstm_crf.runs.card import is_card, model_card
from ner_lstm_crf.runs.data import Data, ResolvedData, as_sentences, read_with_transformer, resolve_defaults
from ner_lstm_crf.runs.display import TrainingDisplay, progress_bar, say
from ner_lstm_crf.runs.processes import PlannedRun, Spread, train_runs
from ner_lstm_crf.runs.results import RunResult, median_result, plot_curves, summary_to_json
from ner_lstm_crf.runs.run import CARD, CURVES, SUMMARY, Run
from ner_lstm_crf.runs.teacher import read_with_teacher
from ner_lstm_crf.saving.model import Model, ModelDescription, model_directory
from ner_lstm_crf.tagging.tagger import Tagger
from ner_lstm_crf.tags.labels import fully_known
from ner_lstm_crf.text.annotation import CHARACTER_SHARE, Sentence, share_of_characters
from ner_lstm_crf.training.warm_start import check_start

_log = logging.getLogger(__name__)


def train(  # noqa: PLR0913  (one call)
    data: Data,
    config: Config | str,
    directory: str | os.PathLike[str],
    *,
    test: Iterable[Sentence] = (),
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = True,
    **settings: Any,
) -> Tagger:
    """Train a tagger and write it into a directory, with its figures, learning curves and card.

    It does what `ner-lstm-crf train` does. `Run(directory).epochs(data, config)` gives the report of each epoch as it
    ends.

    Args:
        data: Training and dev sentences, vectors, lexicon; `Data.read` reads files.
        config: The name of a preset ("fast", "best", "small", "paper"), in its variant for these data, or a
            configuration.
        directory: The directory of the model.
        test: Sentences that the model is evaluated on at the end; for summary.json and the card.
        resume: True to go on with a run that was interrupted; the result is that of an unbroken run.
        overwrite: True if a model in the directory may be replaced.
        progress: True to show the epochs, and on a terminal a bar, on standard error.
        **settings: Fields of `ModelConfig` and `TrainingConfig` that differ from `config`: `epochs=3, seed=2`.

    Returns:
        The tagger, as `Tagger.load(directory)` gives it.

    Raises:
        TypeError: If an argument is of another type, or there is no such setting.
        ValueError: If both `resume` and `overwrite` are given.
        InputError: If the directory holds a model and neither `resume` nor `overwrite` is given; if the run to resume
            does not exist, is damaged or was another; if a setting does not take its value, or nothing can be written.
    """
    if resume and overwrite:
        raise ValueError("expected resume or overwrite, got both")
    config = config_for(data, config, settings)
    directory, gold = Run(directory).directory, fully_known(as_sentences(test, "test"), "test")
    plan = PlannedRun(config, directory, resume=resume, overwrite=overwrite)
    check_output(plan, [plan], data.init_from, data.teacher)
    resolved, shown = resolve_defaults(data, config.model), progress and sys.stderr is not None
    _warn_of_data({"train": data.train, "dev": data.dev, "test": gold})
    train_planned(resolved, [plan], directory, shown=shown)
    chosen, results = write_results(resolved, [plan], directory, gold)
    if shown:
        say(summary_line(directory, chosen, results))
    return Tagger.load(directory)


def _warn_of_data(parts: Mapping[str, Sequence[Sentence]]) -> None:
    """Log what will go wrong in training on these sentences, as `inspect` says it of files."""
    found = {name: FileStatistics(path=name) for name, sentences in parts.items() if sentences}
    for name, statistics in found.items():
        for sentence in parts[name]:
            statistics.count(sentence)
            statistics.add(sentence)
        for warning in file_warnings(statistics, trains=name == "train"):
            _log.warning("%s: %s", name, warning)
        if parts[name] != parts["train"]:  # of equal ones `resolve_defaults` tells
            for warning in pair_warnings(found["train"], statistics):
                _log.warning("%s", warning)


def config_for(data: Data, config: Config | str, settings: dict[str, Any]) -> Config:
    """The configuration for these data: a preset in their variant, or the one given, with other values of some fields.

    Raises:
        TypeError: If `data` or `config` is of another type, or there is no such field.
        InputError: If there is no such preset, a field does not take its value, or one of the model to start from would
            have to change.
    """
    given: object = data
    if not isinstance(given, Data):
        read = f"Data.read({given!r:.60}) reads files" if isinstance(given, str | os.PathLike) else "Data(sentences)"
        raise TypeError(f"expected Data, got {type(given).__name__}: {read}")
    tables = tables_of(settings)
    if isinstance(config, Config):
        return config.replace(**settings)
    name: object = config
    if not isinstance(name, str):
        read = ": read_config reads a file" if isinstance(name, os.PathLike) else ""
        raise TypeError(f"expected the name of a preset or a Config, got {type(name).__name__}{read}")
    if data.init_from is None:
        is_characters = share_of_characters(data.train) >= CHARACTER_SHARE
        return configured(config, tables, "character" if is_characters else "word")
    # A model to start from is taken as it is.
    start = model_directory(data.init_from)
    base = ModelDescription.read(start)
    check_start(base.config, base.networks)
    if tables["model"]:
        raise InputError(f"expected the model to start from as it is, without {', '.join(tables['model'])}", path=start)
    return replace(configured(config, tables, base.config.token_unit), model=base.config)


def check_output(
    whole: PlannedRun,
    planned: Sequence[PlannedRun],
    init_from: str | Path | None = None,
    teacher: str | Path | None = None,
) -> None:
    """Refuse, before any work is done, what must not be replaced or cannot be resumed.

    Args:
        whole: The output directory, and whether a run in it may be resumed or a model replaced.
        planned: The runs; a single run has the output directory itself.
        init_from: The model to start from.
        teacher: The teacher.

    Raises:
        InputError: If the output is no directory; if there is a model that may not be replaced; if it is the one to
            start from, or the teacher; if there is nothing to resume, or a run of one seed where runs of several are
            to be.
    """
    directory, run_directories = whole.directory, [plan.directory for plan in planned]
    if os.path.lexists(directory) and not directory.is_dir():
        raise InputError("expected a directory, found something else under this name", path=directory)
    start, taught_by = (None if one is None else model_directory(one) for one in (init_from, teacher))
    for one in (directory, *run_directories):
        Run(one).check_free(overwrite=whole.overwrite or whole.resume, init_from=start, teacher=taught_by)
    if whole.resume and directory not in run_directories and Run(directory).exists:
        raise InputError(
            "this directory holds a run of one seed: resume it with 'train', without --seeds", path=directory
        )
    if whole.resume and not any(Run(one).exists for one in run_directories):
        raise InputError("expected a run to resume, found none", path=directory)


def train_planned(  # noqa: PLR0913  (one call)
    data: ResolvedData,
    planned: Sequence[PlannedRun],
    directory: Path,
    *,
    workers: int = 1,
    spread: Spread | None = None,
    transformer_cache: Path | None = None,
    shown: bool = True,
) -> None:
    """Train all runs and show their progress; those to resume go on if they exist, and begin if they do not.

    Args:
        data: The data of all of them.
        planned: The runs.
        directory: The output directory, which all of their directories are in; a single run has it for itself.
        workers: As in `train_runs`.
        spread: As in `train_runs`.
        transformer_cache: The folder that keeps the vectors that a frozen transformer gives the data; None for one that
            is removed at the end.
        shown: False to show nothing.
    """
    # Of runs to resume, those that a kill came before are created now, in place of what was there.
    planned = [
        replace(plan, resume=Run(plan.directory).exists, overwrite=True) if plan.resume else plan for plan in planned
    ]
    config, whole = planned[0].config, Run(directory)
    # What a frozen transformer gives the data is made once, for all runs and epochs.
    done = all(plan.resume and Run(plan.directory).finished for plan in planned)
    if not done and config.model.transformer is not None and not config.model.fine_tune:
        if shown:
            say("before the first epoch the frozen transformer reads all sentences once: this may take minutes")
        bar = progress_bar("reading with the transformer", unit=" sentences") if shown else nullcontext(silent)
        with bar as progress:
            data = read_with_transformer(
                data, config.model, transformer_cache or whole.transformer_cache, progress, config.training.device
            )
    # So is what a teacher says of them.
    if not done and data.teacher is not None:
        with progress_bar("reading with the teacher", unit=" batches") if shown else nullcontext(silent) as progress:
            data = read_with_teacher(data, config.model, whole.teacher_cache, progress)
    if not any(plan.resume for plan in planned) and all(plan.directory.parent == directory for plan in planned):
        whole.delete()  # of a single run that was here before
    # The display names each network of each run: seed-1/network-2, less where there is one run or one network.
    size = config.training.ensemble_size
    names = {
        (plan.directory, number): "/".join(
            [str(plan.directory.relative_to(directory))] * (len(planned) > 1) + [f"network-{number}"] * (size > 1)
        )
        for plan in planned
        for number in range(1, size + 1)
    }
    trained = [(plan, Run(plan.directory).trained_epochs(plan.config)) for plan in planned if plan.resume]
    finished = {names[plan.directory, number]: count for plan, epochs in trained for number, count in epochs.items()}
    epochs = config.training.epochs or config.training.min_epochs
    with closing(TrainingDisplay(epochs, [*names.values()], finished, shown=shown)) as display:
        options: dict[str, Any] = {"workers": min(workers, len(names)), "spread": spread, "progress": display.batches}
        for plan, report in train_runs(data, planned, **options):
            display.epoch(names[plan.directory, report.network], report)
            if shown and size > 1 and display.ended:
                say(f"making one model of {size} networks")  # which takes a while with many words
    whole.remove_caches()


def write_results(
    data: ResolvedData,
    planned: Sequence[PlannedRun],
    directory: Path,
    test: Sequence[Sentence],
    *,
    command: str | None = None,
) -> tuple[RunResult, list[RunResult]]:
    """Keep the model of one run, or that of the median of several, and write beside it what it is.

    Args:
        data: The data.
        planned: The runs, all finished.
        directory: The output directory.
        test: The sentences that all models are evaluated on; may be empty.
        command: The command line, for the card; None if a program trains.

    Returns:
        The result whose model is kept, and all of them.
    """
    results = [RunResult.of(plan, test) for plan in planned]
    chosen = median_result(results)
    if chosen.directory != directory:
        Model.load(chosen.directory).save(directory)
    summary = summary_to_json(directory, chosen, results)
    write_text(directory / SUMMARY, json.dumps(summary, indent=2) + "\n")
    plot_curves(results, directory / CURVES)
    if is_card(directory / CARD) or not (directory / CARD).exists():
        write_text(directory / CARD, model_card(directory, data, test, results, planned[0].config, command))
    return chosen, results


def summary_line(directory: Path, chosen: RunResult, results: Sequence[RunResult]) -> str:
    """The training in one line: the epoch that was kept, its dev F1, its temperature, the time."""
    dev = "" if chosen.dev_f1 is None else f", dev F1 {chosen.dev_f1:.4f}, temperature {chosen.temperature:.2f}"
    seconds = sum(result.seconds for result in results)
    kept = f"epoch {chosen.best_epochs[0]} of {len(chosen.histories[0])}"
    if len(chosen.histories) > 1:
        kept = f"an ensemble of {len(chosen.histories)} networks"
    return f"{directory}: the model of {kept}{dev}; {seconds:.0f} s of training"
