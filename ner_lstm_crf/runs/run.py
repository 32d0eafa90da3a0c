"""A training run and its directory, from its creation to the finished model.

While a run is trained, its directory holds

    run.json                        the configuration, the fingerprints of the data, and whether the run is finished
    .training/network-1/ ...        the training of each of its networks:
        history.jsonl                   one report per epoch
        resume.safetensors              what is needed to go on after the last whole epoch
        config.json ...                 the model of the best epoch so far
    .transformer/                   the vectors that a frozen transformer gives the tokens of the data
    .teacher/                       what a teacher says of the sentences to learn from

When it is finished, these folders are gone, and there are

    config.json ...                 the model of all its networks; until then, an old model stays
    history.jsonl                   the reports of all epochs
    summary.json, curve.png         its figures, and those of other seeds; its learning curves (see `results`)
    README.md                       its card (see `card`)
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from ner_lstm_crf.config import MIN_LR, Config
from ner_lstm_crf.errors import InputError, path_given
from ner_lstm_crf.evaluation.calibration import fitted_temperature
from ner_lstm_crf.files.atomic import append_line, make_directory, write_text
from ner_lstm_crf.files.json import parse_json
from ner_lstm_crf.files.saved import read_saved
from ner_lstm_crf.progress import Progress, silent
from ner_lstm_crf.runs.data import (
    Data,
    ResolvedData,
    check_settings,
    computed_features,
    read_with_transformer,
    resolve_defaults,
)
from ner_lstm_crf.runs.lock import locked
from ner_lstm_crf.runs.teacher import check_teacher, read_with_teacher, taught_emissions
from ner_lstm_crf.saving.model import Model, is_model
from ner_lstm_crf.saving.tensors import read_tensors, write_tensors
from ner_lstm_crf.training.trainer import DevSet, EpochReport, Trainer, evaluate_encoded
from ner_lstm_crf.training.warm_start import warm_start

RUN, HISTORY, RESUME = "run.json", "history.jsonl", "resume.safetensors"
SUMMARY, CURVES, CARD = "summary.json", "curve.png", "README.md"
_TRAINING = ".training"
_SEEDS = 2**63
_ORPHAN = 5.0  # seconds in which a worker ends whose parent was killed


class Run:
    """A training run of N >= 1 networks, which make one model.

    Args:
        directory: The folder of the run and of its model.

    Attributes:
        transformer_cache: The folder of the vectors that a frozen transformer gives the data.
        teacher_cache: The folder of what a teacher says of the data.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self.directory = Path(path_given(directory))
        self.transformer_cache, self.teacher_cache = (self.directory / name for name in (".transformer", ".teacher"))

    def __repr__(self) -> str:
        return f"Run({str(self.directory)!r})"

    def epochs(
        self,
        data: Data,
        config: Config,
        *,
        resume: bool = False,
        overwrite: bool = False,
        progress: Progress = silent,
    ) -> Iterator[EpochReport]:
        """Train a model, one report per epoch; it is in the directory when the iterator has come to its end.

        Each step of the iterator trains one epoch, and nothing happens without one: `ner_lstm_crf.train` trains in one
        call. The networks of an ensemble are trained one after another. An iterator may be left at any time; a run of
        the same process with `resume` goes on after its last epoch.

        Args:
            data: Training and dev sentences, vectors, lexicon.
            config: The model and its training.
            resume: True to go on with a run that was interrupted; the result is that of an unbroken run.
            overwrite: True if a model in the directory may be replaced.
            progress: Called with the sentences that a frozen transformer has read and the batches that a teacher has,
                then with the batches of the current epoch that are done.

        Raises:
            TypeError: If `data` or `config` is of another type.
            ValueError: If both `resume` and `overwrite` are given.
            InputError: If the directory holds a model and neither `resume` nor `overwrite` is given; if the run to
                resume does not exist, is damaged or was another; if nothing can be written.
        """
        given: tuple[object, object] = data, config
        if not isinstance(given[0], Data) or not isinstance(given[1], Config):
            found = " and ".join(type(one).__name__ for one in given)
            raise TypeError(f"expected Data and a Config, got {found}: Data.read, preset('fast')")
        if resume and overwrite:
            raise ValueError("expected resume or overwrite, got both")
        resolved = resolve_defaults(data, config.model)
        # 1. Refuse what cannot be done before anything is written.
        self.check(resolved, config, resume=resume, overwrite=overwrite)
        with locked(self.directory) as check:
            if not (resume and self.finished):
                # 2. Let a frozen transformer and a teacher read the data, once for all epochs and networks.
                resolved = read_with_transformer(
                    resolved, config.model, self.transformer_cache, progress, config.training.device
                )
                resolved = read_with_teacher(resolved, config.model, self.teacher_cache, progress)
                # 3. Create the run, or keep what is trained of the one to resume.
                if not resume:
                    self.create(resolved, config)
                # 4. Train the networks, each with a seed of its own.
                for network in self.networks(config):
                    if not network.finished:
                        yield from network.train(resolved, progress)
            # 5. Make one model of them, and clean up.
            check()
            self.finish(resolved, config)
            self.remove_caches()

    @property
    def exists(self) -> bool:
        """True if a run was created in the directory; it may be finished."""
        return (self.directory / RUN).is_file()

    @property
    def finished(self) -> bool:
        """True if the run exists and nothing is left to train.

        Raises:
            InputError: If it is damaged.
        """
        return self.exists and bool(self._read()["finished"])

    def networks(self, config: Config) -> list[NetworkRun]:
        """The training of each network; no two seeds share one."""
        training, size = config.training, config.training.ensemble_size
        first = size * (training.seed - 1) + 1
        return [
            NetworkRun(
                number,
                replace(config, training=replace(training, ensemble_size=1, seed=(first + number - 1) % _SEEDS)),
                self.directory / _TRAINING / f"network-{number}",
            )
            for number in range(1, size + 1)
        ]

    def trained_epochs(self, config: Config) -> dict[int, int]:
        """Number of epochs of each network that is trained, by its number."""
        networks = [network for network in self.networks(config) if network.finished]
        reports = self.history() if self.finished else [_read_history(one.directory)[-1] for one in networks]
        return {report["network"]: report["epoch"] for report in reports}

    def history(self) -> list[dict[str, Any]]:
        """The reports of all epochs of a finished run, as `EpochReport.to_json` gives them.

        The last report of each network also has "ensemble_dev", the dev scores of the networks up to it together.

        Raises:
            InputError: If the file is missing, or a line is no such report.
        """
        return _read_history(self.directory)

    def _read(self) -> dict[str, Any]:
        """The content of `run.json`: the tables of "config", the fingerprints of the "data", and "finished".

        Raises:
            InputError: If the file is missing or damaged.
        """
        path = self.directory / RUN
        run = parse_json(read_saved(path, "run"), path, "run")
        if not isinstance(run, dict) or not {"config", "data", "finished"} <= run.keys():
            raise InputError("the run is damaged: expected 'config', 'data' and 'finished'", path=path)
        tables = run["config"] if isinstance(run["config"], dict) else {}
        parts = [*(tables.get(field.name) for field in fields(Config)), run["data"]]
        if not all(isinstance(part, dict) for part in parts):
            raise InputError("the run is damaged: expected the tables 'model', 'training' and 'data'", path=path)
        return run

    def check(self, data: ResolvedData, config: Config, *, resume: bool, overwrite: bool) -> None:
        """Refuse, before anything is written, to create a run or to resume it.

        Raises:
            InputError: As `epochs` does.
        """
        check_settings(data, config)
        check_teacher(data, config.model)
        if not resume:
            self.check_free(overwrite=overwrite, init_from=data.init_from, teacher=data.teacher)
            return
        if not self.exists:
            raise InputError("expected a run to resume, found none", path=self.directory)
        old = self._read()
        other = [part for part, value in data.fingerprints.items() if old["data"].get(part, value) != value]
        if other and other[0] == "model to start from":  # before its settings, which nobody has chosen
            raise InputError("the run to resume had another model to start from, or none", path=self.directory)
        for table, values in json.loads(json.dumps(asdict(config))).items():
            for key, value in values.items():
                if key == "device":  # training may go on elsewhere
                    continue
                if (was := old["config"][table].get(key)) != value:
                    further = "; a model that is to learn further is one to start from (--init-from)"
                    raise InputError(
                        f"the run to resume had {key} = {was!r}, this one has {value!r}: give the preset and the "
                        f"settings that it was begun with{further if key == 'epochs' else ''}",
                        path=self.directory,
                    )
        if other:
            raise InputError(f"the run to resume had other {' and other '.join(other)}", path=self.directory)
        if old["finished"]:  # nothing is left to do, if what was done is still there
            self.history()
            Model.load(self.directory)

    def check_free(self, *, overwrite: bool, init_from: Path | None = None, teacher: Path | None = None) -> None:
        """Refuse a directory for a new run if a model would be lost: one that is there, or one to learn from.

        Raises:
            InputError: If there is one, unless it may be replaced; that to start from, and a teacher, never may.
        """
        for folder in (self.directory, *self.directory.glob(f"{_TRAINING}/network-*")):
            for what, source in (("model to start from", init_from), ("teacher", teacher)):
                if source is not None and folder.resolve() == source.resolve():
                    raise InputError(f"expected another directory than that of the {what}", path=folder)
            if not overwrite and is_model(folder):
                raise InputError(
                    "this directory holds a model: choose another, or replace it (--overwrite, overwrite=True), or "
                    "go on with its run (--resume, resume=True)",
                    path=folder,
                )

    def create(self, data: ResolvedData, config: Config) -> None:
        """Create the run, in place of an old one; the old model stays until there is a new one.

        Raises:
            InputError: If the directory cannot be written.
        """
        make_directory(self.directory)
        self.delete()
        run = {"config": asdict(config), "data": dict(data.fingerprints), "finished": False}
        write_text(self.directory / RUN, json.dumps(run, indent=2) + "\n")

    def delete(self) -> None:
        """Remove what a run left beside its model, if there is anything.

        Raises:
            InputError: If it cannot be removed.
        """
        try:
            for name in (RUN, HISTORY, SUMMARY, CURVES):  # first what says that there is a run: a kill leaves none
                (self.directory / name).unlink(missing_ok=True)
            if (self.directory / _TRAINING).exists():
                shutil.rmtree(self.directory / _TRAINING)
        except OSError as error:
            raise InputError(f"expected a directory that can be written: {error}", path=self.directory) from error

    def remove_caches(self) -> None:
        """Remove what a frozen transformer and a teacher made of the data."""
        for folder in (self.transformer_cache, self.teacher_cache):
            shutil.rmtree(folder, ignore_errors=True)

    def finish(self, data: ResolvedData, config: Config) -> None:
        """Make the model of all networks once the last of them is trained, and mark the run finished.

        If a kill comes in between, it is done again: until the end, the folders of the networks stay.

        Raises:
            InputError: If the model or the history of a network is missing or damaged; if the model cannot be written.
        """
        if not self.finished:
            networks = self.networks(config)
            if not all(network.finished for network in networks):
                return
            models = [Model.load(network.directory) for network in networks]
            try:
                whole = Model.ensemble(models)
            except ValueError as error:
                raise InputError(f"the run is damaged: {error}", path=self.directory) from error
            # 1. The dev scores of the first network, of the first two together, and so on.
            encoded = whole.encode(data.dev, computed=computed_features(data, config.model)[1])
            dev = DevSet(data.dev, encoded, data.uncounted)
            histories = [_read_history(network.directory) for network in networks]
            scores = [next(report["dev"] for report in reversed(histories[0]) if report["best"])]
            for number in range(2, len(networks) + 1):
                ensemble = replace(whole, networks=whole.networks[:number])
                scores.append(evaluate_encoded(ensemble, dev).to_json() if data.dev else None)
            for history, score in zip(histories, scores, strict=True):
                history[-1]["ensemble_dev"] = score
            # 2. The temperature at which the dev sentences are most likely; without a dev set it is 1.
            temperature = fitted_temperature(whole, data.dev, encoded, data.uncounted) if data.dev else 1.0
            # 3. The model, the history, and the note that both are complete.
            replace(whole, temperature=temperature).save(self.directory)
            lines = [json.dumps(report) for history in histories for report in history]
            write_text(self.directory / HISTORY, "".join(f"{line}\n" for line in lines))
            write_text(self.directory / RUN, json.dumps(self._read() | {"finished": True}, indent=2) + "\n")
        # 4. What only the training needed.
        shutil.rmtree(self.directory / _TRAINING, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class NetworkRun:
    """The training of one network of a run, in a folder of its own.

    Attributes:
        number: Number of the network, from 1.
        config: The configuration, with the seed of this network.
        directory: Its folder.
    """

    number: int
    config: Config
    directory: Path

    @property
    def finished(self) -> bool:
        """True if its last epoch is trained; False also if its history is damaged."""
        try:
            history = _read_history(self.directory)
        except InputError:
            return False
        return bool(history) and bool(history[-1]["last"])

    def train(self, data: ResolvedData, progress: Progress = silent) -> Iterator[EpochReport]:
        """Train the network from its first epoch on, or go on after the last whole one.

        Raises:
            InputError: If the state to go on from is damaged; if another process trains the network, or another run of
                this process has taken its place; if nothing can be written.
        """
        trainer = prepare_trainer(data, self.config)
        with locked(self.directory, patience=_ORPHAN) as check:
            # 1. Go on after the last whole epoch; later reports are of epochs that are trained again.
            resume = self.directory / RESUME
            if resume.is_file():
                tensors, _ = read_tensors(resume, "run")
                try:
                    trainer.restore(tensors)
                except ValueError as error:
                    raise InputError(f"the run to resume is damaged: {error}", path=resume) from error
            history = _read_history(self.directory, trainer.epoch) if trainer.epoch else []
            write_text(self.directory / HISTORY, "".join(f"{json.dumps(report)}\n" for report in history))
            for epoch in trainer.epochs(progress):
                report = replace(epoch, network=self.number)
                check()
                # 2. Keep the model if it is the best so far, then the report, then what the next epoch goes on from.
                if report.best:
                    with trainer.optimizer.averaged_weights():
                        trainer.model.save(self.directory)
                append_line(self.directory / HISTORY, json.dumps(report.to_json()))
                if not report.last:
                    write_tensors(resume, trainer.state(), {})
                yield report


def prepare_trainer(data: ResolvedData, config: Config) -> Trainer:
    """The trainer of a new network, or of one that starts from a trained model."""
    training, learnt = config.training, data.learnt
    options: dict[str, Any] = {"freeze_vectors": training.freeze_vectors, "seed": training.seed}
    start = None
    # 1. The model; sentences without labels have words to learn as well.
    if data.init_from is None:
        options |= {"vectors": data.vectors, "lexicon": data.lexicon, "lexicon_vectors": data.lexicon_vectors}
        options["names"] = data.names
        model = Model.build(learnt, config.model, **options)
    else:
        model = warm_start(Model.load(data.init_from), learnt, **options)
        if training.distill_unknown:  # what it knows now, before it learns anything
            start = deepcopy(model.networks[0])
        if training.learning_rate is None:  # a few long steps, and what it has learnt is lost
            training = replace(training, learning_rate=MIN_LR)
    # 2. The sentences as ids.
    of_learnt, of_dev = computed_features(data, config.model)
    train, dev = model.encode(learnt, gold=True, computed=of_learnt), model.encode(data.dev, computed=of_dev)
    # 3. What the teacher says of them, and which of them have labels.
    tables = None
    if (taught := taught_emissions(data, model.tags, config.model.head)) is not None:
        train.taught, tables = taught
        train.labelled = train.lengths.cumsum() <= sum(map(len, data.train))
    of_dev_set = DevSet(data.dev, dev, data.uncounted) if data.dev else None
    return Trainer(model, train, of_dev_set, training, start, tables)


def _read_history(directory: Path, epochs: int | None = None) -> list[dict[str, Any]]:
    """The reports of a history, or the first so many.

    Raises:
        InputError: If the file is missing, a line is no report, or there are too few.
    """
    path, expected = directory / HISTORY, {field.name for field in fields(EpochReport)}
    reports = []
    for number, line in enumerate(read_saved(path, "run").splitlines()[:epochs], 1):
        report = parse_json(line, path, "run", line=number)
        if not isinstance(report, dict) or not expected <= report.keys():
            raise InputError("the run is damaged: expected the report of an epoch", path=path, line=number)
        reports.append(report)
    if len(reports) < (epochs or 0):
        raise InputError(
            f"the run is damaged: expected the reports of {epochs} epochs, found {len(reports)}", path=path
        )
    return reports
