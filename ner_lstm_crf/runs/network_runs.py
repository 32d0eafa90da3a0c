"""The training run of one network and its directory.

config.json, vocabulary.json, model.safetensors, transformer-*/    the best model so far (see `checkpoint`)
run.json, history.jsonl, resume.safetensors                        its training (see `run_files`)
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from ner_lstm_crf.config import MIN_LR, Config, ModelConfig
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.transformer.feature import Transformer
from ner_lstm_crf.features.transformer.pretrained import pretrained_folder
from ner_lstm_crf.features.vectors.vectors import Vectors
from ner_lstm_crf.files.atomic import append_line, make_directory, remove_temp_files, write_text
from ner_lstm_crf.progress import Progress, silent
from ner_lstm_crf.runs.data import Data, resolve_defaults, warn_of_other_tokens
from ner_lstm_crf.runs.run_files import (
    HISTORY,
    RESUME,
    RUN,
    alone_in,
    check_free,
    finish,
    forget_after,
    forget_run,
    has_begun,
    is_finished,
    read_run,
    runs_of_networks,
)
from ner_lstm_crf.runs.transformer_cache import contextual_file, forget_contextual, read_contextual, scratch_of
from ner_lstm_crf.saving.feature_folders import folder_digest
from ner_lstm_crf.saving.model import Model, model_directory
from ner_lstm_crf.saving.tensors import read_tensors, write_tensors
from ner_lstm_crf.training.trainer import DevSet, EpochReport, Trainer
from ner_lstm_crf.training.warm_start import warm_start

__all__ = [
    "begin",
    "check_apart",
    "check_may_begin",
    "check_same_run",
    "description",
    "dev_set",
    "prepare",
    "read_with_transformer",
    "train_network",
]


def train_network(
    data: Data,
    config: Config,
    directory: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Iterator[EpochReport]:
    """Train one network in its directory, as `runs.train_run` does a model; arguments and errors are the same."""
    data = resolve_defaults(data, config.model)
    run = description(data, config)
    if resume:
        check_same_run(directory, run)
        if is_finished(directory):
            (directory / RESUME).unlink(missing_ok=True)
            forget_contextual(directory)
            return
    else:
        check_may_begin(data, directory, overwrite=overwrite)
    trainer = prepare(data, config, directory, progress)
    with alone_in(directory):
        if not resume:  # only now is an old run lost: all that could be refused was
            begin(directory, run)
        remove_temp_files(directory)
        _restore(trainer, directory)
        for report in trainer.epochs(progress):
            _keep(report, trainer, directory)
            if report.last:
                forget_contextual(directory)
            yield report


def description(data: Data, config: Config) -> dict[str, Any]:
    """What `run.json` knows a run by."""
    parts = data.fingerprints()
    if config.model.transformer is not None and data.initial is None:
        with suppress(InputError):  # whoever needs it says that it is not there
            parts["transformer"] = folder_digest(pretrained_folder(config.model.transformer))
    return {"config": asdict(config), "data": parts}


def check_may_begin(data: Data, directory: Path, *, overwrite: bool) -> None:
    """Refuse to begin a run in a directory whose model may not be replaced, or is the one to start from.

    Raises:
        InputError: If it is such a directory.
    """
    check_free(directory, overwrite=overwrite)
    if data.initial is not None:
        check_apart(data.initial, directory)


def check_apart(initial: str | Path, directory: Path) -> None:
    """Refuse a directory for a run that would replace the model to start from.

    Raises:
        InputError: If it would.
    """
    replaced = [place.resolve() for place in (directory, *runs_of_networks(directory))]
    if model_directory(initial).resolve() in replaced:
        raise InputError("expected another directory than that of the model to start from", path=directory)


def begin(directory: Path, run: dict[str, Any]) -> None:
    """Make the directory of a new run, or clear that of an old one."""
    make_directory(directory)
    forget_run(directory)
    write_text(directory / RUN, json.dumps(run | {"finished": False}, indent=2) + "\n")


def prepare(data: Data, config: Config, directory: Path | None = None, progress: Progress = silent) -> Trainer:
    """The trainer of a new network for the data; what a frozen transformer makes of them is kept in the directory."""
    data = resolve_defaults(data, config.model)
    if directory is not None:
        data = read_with_transformer(data, config.model, scratch_of(directory), progress)
    warn_of_other_tokens(data, config.model.token_unit)
    model = _assemble(data, config)
    train = model.encode(data.train, gold=True, computed=_computed(data, config.model)[0])
    dev = dev_set(data, config.model, model)
    training = config.training
    if data.initial is not None and training.learning_rate is None:  # a few long steps, and what it knew is lost
        training = replace(training, learning_rate=MIN_LR)
    return Trainer(model, train, dev, training)


def dev_set(data: Data, config: ModelConfig, model: Model) -> DevSet | None:
    """What a model is measured on; `data` have what a frozen transformer makes of them."""
    return DevSet(data.dev, model.encode(data.dev, computed=_computed(data, config)[1])) if data.dev else None


def _assemble(data: Data, config: Config) -> Model:
    """A new network for the data, or the one to start from, made fit for them."""
    freeze, seed = config.training.freeze_vectors, config.training.seed
    if data.initial is None:
        vectors = data.vectors if isinstance(data.vectors, Vectors) else None
        words = data.lexicon if isinstance(data.lexicon, Mapping) else None
        return Model.build(data.train, config.model, vectors=vectors, lexicon=words, freeze_vectors=freeze, seed=seed)
    directory = model_directory(data.initial)
    base = Model.load(directory)
    if base.config != config.model or data.vectors is not None:
        raise InputError("expected the configuration of the model to start from, and no vectors", path=directory)
    return warm_start(base, data.train, freeze_vectors=freeze, seed=seed)


def read_with_transformer(data: Data, config: ModelConfig, cache: Path, progress: Progress = silent) -> Data:
    """The data with what the frozen transformer of `config` makes of them, so that no epoch or run need ask it again.

    Args:
        data: The data; they are returned as they are if they have it, or there is no frozen transformer.
        config: Names the transformer.
        cache: The directory of the file it is kept in; see `contextual`.
        progress: Told how many sentences it has read.

    Raises:
        InputError: If the transformer cannot be read, or the file cannot be written.
    """
    if config.transformer is None or config.fine_tune or data.contextual is not None:
        return data
    return replace(data, contextual=contextual_file([*data.train, *data.dev], config, cache, progress))


def _computed(data: Data, config: ModelConfig) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """What the frozen transformer makes of the tokens of `train` and of `dev`; nothing where it read nothing."""
    if data.contextual is None or config.fine_tune:
        return {}, {}
    vectors = read_contextual(data.contextual, [*data.train, *data.dev], config)
    train = sum(len(sentence.tokens) for sentence in data.train)
    return {Transformer.name: vectors[:train]}, {Transformer.name: vectors[train:]}


def _keep(report: EpochReport, trainer: Trainer, directory: Path) -> None:
    """Write the model if it is the best, the report, and what is needed to continue, or that nothing is left to do."""
    if report.best:
        with trainer.optimizer.averaged_weights():
            trainer.model.save(directory)
    append_line(directory / HISTORY, json.dumps(report.to_json()))
    if trainer.finished:
        finish(directory)
        (directory / RESUME).unlink(missing_ok=True)
    else:
        write_tensors(directory / RESUME, trainer.state(), {})


def check_same_run(directory: Path, run: dict[str, Any]) -> None:
    """Refuse to resume a run that is not there, or was another.

    Raises:
        InputError: If it is such a run.
    """
    if not has_begun(directory):
        raise InputError("expected a run to resume, found none", path=directory)
    old, new = read_run(directory), json.loads(json.dumps(run))
    other = [part for part, fingerprint in new["data"].items() if old["data"].get(part, fingerprint) != fingerprint]
    if other and other[0] == "model to start from":  # before its settings, which nobody has chosen
        raise InputError("the run to resume had another model to start from, or none", path=directory)
    for table, values in new["config"].items():
        for key, value in values.items():
            was = old["config"][table].get(key)
            if was != value:
                raise InputError(
                    f"the run to resume had {key} = {was!r}, this one has {value!r} (presets may have changed since an "
                    "earlier release: --config sets what it had)",
                    path=directory,
                )
    if other:
        raise InputError(f"the run to resume had other {' and other '.join(other)}", path=directory)


def _restore(trainer: Trainer, directory: Path) -> None:
    """Let the trainer go on after the last whole epoch of the run in the directory, if there was one."""
    path = directory / RESUME
    if path.is_file():
        try:
            trainer.restore(read_tensors(path, "run")[0])
        except ValueError as error:
            raise InputError(f"the run to resume is damaged: {error}", path=path) from error
    forget_after(directory, trainer.epoch)
