"""Training and tagging on a device: the path without kernels, which makes no tensor elsewhere and can change over."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode

from ner_lstm_crf.config import Config, Device
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.model.device import usable_device
from ner_lstm_crf.runs.data import Data
from ner_lstm_crf.runs.run import Run
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.tagging.tagger import Tagger
from ner_lstm_crf.text.annotation import Sentence, Span
from tests.made import changed, trainer_for

Make = Callable[..., list[Sentence]]


@pytest.fixture
def without_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a device that is no CPU."""
    for asking in ("kernels", "training.optimizer", "model.embedding.characters", "model.embedding.intnet"):
        monkeypatch.setattr(f"ner_lstm_crf.{asking}.available_for", lambda _: False)


class Made(TorchFunctionMode):
    """Notes which tensors are made without a word about their device, and where."""

    NAMES = ("empty", "zeros", "ones", "full", "rand", "randn", "randint", "arange", "eye", "tensor", "linspace")

    def __init__(self) -> None:
        super().__init__()
        self.places = set[str]()

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call a function of torch, and note it."""
        if function in [getattr(torch, name) for name in self.NAMES] and (kwargs or {}).get("device") is None:
            code = sys._getframe(1).f_code
            if "ner_lstm_crf" in Path(code.co_filename).parts:
                self.places.add(f"{Path(code.co_filename).name}:{code.co_name}")
        return function(*args, **(kwargs or {}))


SETTINGS = {
    "words": {},
    "characters": {"token_unit": "character", "bigram_dropout": 0.1, "lexicon_dropout": 0.1, "layers": 2},
    "labelwise": {"crf_loss": "labelwise", "class_weights": "O=0.5", "adversarial_epsilon": 0.0},
    "intnet": {"char_encoder": "intnet", "char_widths": (3, 5)},
    "softmax": {"head": "softmax", "optimizer": "sgd", "missed_cost": 0.5},
}


@pytest.mark.usefixtures("without_kernels")
@pytest.mark.parametrize("kind", SETTINGS)
def test_a_step_of_training_makes_no_tensor_that_does_not_know_its_device(
    make_sentences: Make, tiny: Config, kind: str
) -> None:
    rates = dict.fromkeys(("word_dropout", "char_dropout", "recurrent_dropout", "output_dropout"), 0.1)
    sentences, lexicon = make_sentences(30), None
    if kind == "characters":
        sentences = [Sentence.from_words([*"".join(one.words)], [Span(0, 4, "PER")]) for one in sentences]
        lexicon = {"Oslo": "place", "met": ""}
    data = Data(sentences, vectors=None, lexicon=lexicon)
    trainer = trainer_for(data, changed(tiny, **rates, **SETTINGS[kind]))
    trainer._batches(1)
    with Made() as made:
        trainer._train_epoch(lambda *_: None)
    assert made.places == set()


def losses(reports: Iterator[Any]) -> list[float]:
    return [report.loss for report in reports]


def test_a_run_begun_with_kernels_goes_on_without_them_as_it_would_elsewhere(
    make_sentences: Make, tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state of sparse rows becomes that of dense ones, and the other way round."""
    data, config = Data(make_sentences(30)), changed(tiny, epochs=3, learning_rate=0.02)
    whole = losses(Run(tmp_path / "whole").epochs(data, config))
    for first in (True, False):
        directory = tmp_path / f"{first}"
        with monkeypatch.context() as patch:
            if not first:
                patch.setattr("ner_lstm_crf.training.optimizer.available_for", lambda _: False)
            reports = Run(directory).epochs(data, config)
            begun = [next(reports).loss]
            reports.close()
        with monkeypatch.context() as patch:
            if first:
                patch.setattr("ner_lstm_crf.training.optimizer.available_for", lambda _: False)
            begun += losses(Run(directory).epochs(data, config, resume=True))
        assert begun == pytest.approx(whole, rel=2e-3)


def test_a_run_may_go_on_on_another_device(make_sentences: Make, tiny: Config, tmp_path: Path) -> None:
    data, config = Data(make_sentences(20)), changed(tiny, epochs=2)
    run = Run(tmp_path)
    reports = run.epochs(data, config)
    next(reports)
    reports.close()
    (tmp_path / "run.json").write_text((tmp_path / "run.json").read_text().replace('"cpu"', '"cuda"'))
    assert len(list(run.epochs(data, config, resume=True))) == 1


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_refused_before_anything_is_written(
    make_sentences: Make, tiny: Config, tmp_path: Path, device: Device
) -> None:
    if {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}[device]:
        pytest.skip(f"there is {device}")
    message = f"device: expected one that torch finds on this machine \\(cpu.*, got {device}"
    with pytest.raises(InputError, match=message):
        list(Run(tmp_path / "run").epochs(Data(make_sentences(20)), changed(tiny, device=device)))
    assert not (tmp_path / "run").exists()
    with pytest.raises(InputError, match=message):
        Tagger.load("en", device=device)
    with pytest.raises(InputError, match="device: expected one of cpu, cuda, mps, got 'gpu'"):
        usable_device("gpu")  # type: ignore[arg-type]


def test_a_loaded_model_is_moved_to_the_cpu_without_its_networks(
    make_sentences: Make, tiny: Config, tmp_path: Path
) -> None:
    model = Model.build(make_sentences(5), tiny.model)
    model.save(tmp_path)
    loaded = Model.load(tmp_path)
    loaded.move("cpu")
    assert loaded.networks.weights is not None  # type: ignore[attr-defined]
    model.move("cpu")
    assert all(np.array_equal(model.weights[0][name], loaded.weights[0][name]) for name in loaded.weights[0])


def test_a_network_that_is_moved_has_its_batches_where_it_is(make_sentences: Make, tiny: Config) -> None:
    """On the device without memory, which every machine has."""
    model = Model.build(make_sentences(5), tiny.model)
    network = model.networks[0].eval().to("meta")
    batch = network.tensors(model.encode(make_sentences(3)).training_batch([0, 1, 2]))
    assert {one.device.type for one in (batch.tokens, batch.lengths, batch.inputs["word"])} == {"meta"}
    assert {one.device.type for one in batch.inputs["characters"]} == {"meta"}
