"""Training learns, repeats itself, and goes on where it stopped."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ner_lstm_crf.config import Config
from ner_lstm_crf.data.annotation import Sentence
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.tasks.runs import Data, hold_out, prepare, read_history, train_run

Make = Callable[..., list[Sentence]]


def changed(config: Config, **values: object) -> Config:
    model = {key: value for key, value in values.items() if hasattr(config.model, key)}
    training = {key: value for key, value in values.items() if hasattr(config.training, key)}
    return Config(
        model=dataclasses.replace(config.model, **model), training=dataclasses.replace(config.training, **training)
    )


def weights(directory: Path) -> dict[str, torch.Tensor]:
    return load_file(directory / "model.safetensors")


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"head": "softmax"},
        {"crf_loss": "labelwise"},
        {"scheme": "IOB2", "layers": 2, "char_widths": (2, 3)},
        {"optimizer": "sgd", "learning_rate": 0.1, "momentum": 0.9, "schedule": "inverse", "ema_decay": 0.0},
        {"char_filters": 0, "casing_size": 0, "reduction": "token"},
    ],
    ids=str,
)
def test_every_kind_of_network_learns(
    make_sentences: Make, tiny: Config, tmp_path: Path, settings: dict[str, object]
) -> None:
    data = Data(make_sentences(200), make_sentences(40, seed=1))
    reports = list(train_run(data, changed(tiny, **settings), tmp_path))
    assert reports[-1].loss < reports[0].loss
    assert reports[-1].last
    assert max(report.dev.micro.f1 for report in reports if report.dev) > 0.9
    assert [entry["epoch"] for entry in read_history(tmp_path)] == [report.epoch for report in reports]


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(
    make_sentences: Make, tiny: Config, tmp_path: Path
) -> None:
    data = Data(make_sentences(60), make_sentences(10, seed=1))
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        list(train_run(data, changed(tiny, seed=seed, epochs=2), tmp_path / name))
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))
    assert not same(weights(tmp_path / "a"), weights(tmp_path / "c"))


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("stop_after", [1, 3])
def test_a_resumed_run_ends_where_an_unbroken_one_does(
    make_sentences: Make, tiny: Config, tmp_path: Path, stop_after: int, optimizer: str
) -> None:
    data = Data(make_sentences(60), make_sentences(10, seed=1))
    config = changed(tiny, epochs=5, optimizer=optimizer, momentum=0.9)
    unbroken = list(train_run(data, config, tmp_path / "unbroken"))
    reports = train_run(data, config, tmp_path / "broken")
    for _ in range(stop_after):
        next(reports)
    reports.close()
    resumed = list(train_run(data, config, tmp_path / "broken", resume=True))
    # The report in hand when the run broke was not yet kept: that epoch is trained again.
    assert [report.epoch for report in resumed][-1] == 5
    assert same(weights(tmp_path / "unbroken"), weights(tmp_path / "broken"))
    losses = [[entry["loss"] for entry in read_history(tmp_path / name)] for name in ("unbroken", "broken")]
    assert losses[0] == losses[1] == [report.loss for report in unbroken]
    assert not (tmp_path / "broken" / "resume.safetensors").exists()


def test_resuming_a_run_that_has_ended_trains_nothing(make_sentences: Make, tiny: Config, tmp_path: Path) -> None:
    data, config = Data(make_sentences(20)), changed(tiny, epochs=1)
    list(train_run(data, config, tmp_path))
    assert list(train_run(data, config, tmp_path, resume=True)) == []


def test_only_the_same_run_can_be_resumed(make_sentences: Make, tiny: Config, tmp_path: Path) -> None:
    data, config = Data(make_sentences(20)), changed(tiny, epochs=1)
    with pytest.raises(InputError, match="expected a run to resume, found none"):
        next(train_run(data, config, tmp_path, resume=True))
    list(train_run(data, config, tmp_path))
    with pytest.raises(InputError, match=r"the run to resume had hidden_size = 12, this one has 13"):
        next(train_run(data, changed(config, hidden_size=13), tmp_path, resume=True))
    with pytest.raises(InputError, match="other training data"):
        next(train_run(Data(make_sentences(21)), config, tmp_path, resume=True))


def test_a_directory_that_holds_a_model_is_not_overwritten_unasked(
    make_sentences: Make, tiny: Config, tmp_path: Path
) -> None:
    data, config = Data(make_sentences(20)), changed(tiny, epochs=1)
    list(train_run(data, config, tmp_path))
    before = weights(tmp_path)
    with pytest.raises(InputError, match="holds a model"):
        next(train_run(data, changed(config, seed=2), tmp_path))
    assert same(before, weights(tmp_path))
    list(train_run(data, changed(config, seed=2), tmp_path, overwrite=True))
    assert not same(before, weights(tmp_path))


def test_training_stops_when_dev_f1_no_longer_rises(make_sentences: Make, tiny: Config, tmp_path: Path) -> None:
    config = changed(tiny, epochs=30, patience=2, learning_rate=0.0)
    reports = list(train_run(Data(make_sentences(20), make_sentences(5, seed=1)), config, tmp_path))
    assert len(reports) == 3
    assert reports[-1].last


def test_the_loss_of_an_epoch_does_not_depend_on_how_it_is_divided_for_the_step(
    make_sentences: Make, tiny: Config
) -> None:
    """Reported losses are nats per token whatever the reduction; with a learning rate of 0 they are equal."""
    losses = []
    for reduction in ("token", "sentence", "sum"):
        config = changed(tiny, reduction=reduction, learning_rate=0.0, epochs=1)
        losses.append(next(prepare(Data(make_sentences(30)), config).run()).loss)
    assert losses[0] == losses[1] == losses[2]


def test_a_tenth_is_held_out(make_sentences: Make) -> None:
    sentences = make_sentences(25)
    rest, held = hold_out(sentences)
    assert (len(rest), len(held)) == (23, 2)
    assert held == [sentences[9], sentences[19]]
    with pytest.raises(InputError, match="at least 10 sentences"):
        hold_out(sentences[:9])
