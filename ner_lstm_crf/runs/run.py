"""Training runs: of one network, or of several that are joined into one model.

A run of several networks has in its directory

member-1/, member-2/, ...                                the run of each (see `network_runs`); its model goes in the end
config.json, vocabulary.json, model.safetensors          the model of all of them (see `checkpoint`)
run.json, history.jsonl                                  the whole: a report for each network that joined the others
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ner_lstm_crf.config import Config
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.atomic import remove_temp_files, write_text
from ner_lstm_crf.progress import Progress, silent
from ner_lstm_crf.runs.data import Data, resolve_defaults
from ner_lstm_crf.runs.network_runs import (
    begin,
    check_may_begin,
    check_same_run,
    description,
    dev_set,
    read_with_transformer,
    train_network,
)
from ner_lstm_crf.runs.run_files import HISTORY, MEMBER, alone_in, finish, has_begun, is_finished, read_history
from ner_lstm_crf.runs.transformer_cache import forget_contextual, scratch_of
from ner_lstm_crf.saving.model import Model, remove_model
from ner_lstm_crf.training.trainer import EpochReport, evaluate_encoded

__all__ = ["begin_run", "check_run", "join_members", "members_of", "train_run"]

_SEEDS = 2**63


def train_run(
    data: Data,
    config: Config,
    directory: str | os.PathLike[str],
    *,
    resume: bool = False,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Iterator[EpochReport]:
    """Train a model in its directory, one report per epoch; the model of the best epoch lies there afterwards.

    With `members`, networks are trained one after another, each as a run by itself, whose reports these are; then the
    model is all of them joined, which is there when the iterator has come to its end.

    Args:
        data: What to learn from.
        config: The model and its training.
        directory: Where the run lives.
        resume: Whether to go on with a run that was interrupted; the result is that of an unbroken run.
        overwrite: Whether a model in the directory may be replaced.
        progress: Told the batches of the current epoch done so far, and before the first the sentences that a frozen
            transformer has read, unless `data` brings what it makes of them.

    Raises:
        InputError: If the directory holds a model and neither `resume` nor `overwrite` is given; if the run to resume
            is not there, is damaged or was another; if nothing can be written.
    """
    directory = Path(directory)
    if config.training.ensemble_size == 1:
        yield from train_network(data, config, directory, resume=resume, overwrite=overwrite, progress=progress)
        return
    if resume:
        check_run(data, config, directory)
    else:
        check_may_begin(data, directory, overwrite=overwrite)
    if not (resume and is_finished(directory)):
        data = read_with_transformer(data, config.model, scratch_of(directory), progress)
        if not resume:  # only now is an old run lost
            begin_run(data, config, directory, overwrite=overwrite)
        for one, place in members_of(config, directory):
            begun = has_begun(place)
            yield from train_network(data, one, place, resume=begun, overwrite=not begun, progress=progress)
    join_members(data, config, directory)


def begin_run(data: Data, config: Config, directory: Path, *, overwrite: bool = False) -> None:
    """Let a run begin that `train_run` is to go on with later, as with one that broke before its first epoch ended.

    Args:
        data: What it will learn from.
        config: The model and its training.
        directory: Where the run lives.
        overwrite: Whether a model in the directory may be replaced; it stays until there is a better one.

    Raises:
        InputError: As `train_run` does of a new run.
    """
    networks = members_of(config, directory)
    data = resolve_defaults(data, config.model)
    check_may_begin(data, directory, overwrite=overwrite)
    run = description(data, config)
    with ExitStack() as alone:
        for place in dict.fromkeys([directory, *(place for _, place in networks)]):
            alone.enter_context(alone_in(place))
        begin(directory, run)
        if len(networks) > 1:
            for one, place in networks:
                begin(place, run | {"config": asdict(one)})


def check_run(data: Data, config: Config, directory: Path) -> None:
    """Refuse to resume a run that is not there, or was another.

    Raises:
        InputError: If it is such a run.
    """
    check_same_run(directory, description(resolve_defaults(data, config.model), config))


def members_of(config: Config, directory: Path) -> list[tuple[Config, Path]]:
    """The configuration of each network that a run trains, and the directory of its run; no two seeds share a network.

    An only one has those of the run.

    Raises:
        InputError: If there are several, and a transformer is fine-tuned, which would be another one in each.
    """
    training, members = config.training, config.training.ensemble_size
    if members == 1:
        return [(config, directory)]
    if config.model.fine_tune:
        raise InputError(f"ensemble_size: expected 1 where a transformer is fine-tuned, got {members}")
    first = members * (training.seed - 1) + 1
    return [
        (
            replace(config, training=replace(training, ensemble_size=1, seed=(first + number) % _SEEDS)),
            directory / f"{MEMBER}{number + 1}",
        )
        for number in range(members)
    ]


def join_members(data: Data, config: Config, directory: Path) -> None:
    """Join the networks of a run, all of them trained, into its model, unless that is done.

    `history.jsonl` gets a report for each network: how good those up to it are together. Its loss, learning rate and
    speed are those of the last epoch, its time that of all.

    Raises:
        InputError: If a model or its history is missing or damaged; if the model cannot be written.
    """
    places = [place for _, place in members_of(config, directory)]
    remove_temp_files(directory)
    if not is_finished(directory):
        data = read_with_transformer(resolve_defaults(data, config.model), config.model, scratch_of(directory))
        models = [Model.load(place) for place in places]
        histories = [_whole_history(place) for place in places]
        dev = dev_set(data, config.model, models[0])
        lines = []
        for number, history in enumerate(histories, 1):
            together = _joined(models[:number], directory)
            f1 = evaluate_encoded(together, dev) if dev else None
            lines.append(_report(number, len(places), history) | {"dev": f1.to_json() if f1 else None})
        together.save(directory)
        write_text(directory / HISTORY, "".join(json.dumps(line) + "\n" for line in lines))
        finish(directory)
    forget_contextual(directory)
    for place in places:
        remove_model(place)


def _joined(models: Sequence[Model], directory: Path) -> Model:
    """Several models as one."""
    try:
        return Model.ensemble(models)
    except ValueError as error:
        raise InputError(f"the run is damaged: {error}", path=directory) from error


def _whole_history(directory: Path) -> list[dict[str, Any]]:
    history = read_history(directory)
    if not history:
        raise InputError("the run is damaged: expected the reports of its epochs, found none", path=directory / HISTORY)
    return history


def _report(number: int, members: int, history: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What `history.jsonl` says of the network of that number, but for the scores."""
    return history[-1] | {
        "epoch": number,
        "epochs": members,
        "seconds": sum(report["seconds"] for report in history),
        "best": True,
    }
