"""The networks of a loaded model are those that were saved; only their weights are there until they are needed."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ner_lstm_crf.config import Config
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.saving.networks import LoadedNetworks, weight_shapes
from ner_lstm_crf.text.annotation import Sentence
from tests.random_models import random_model

Make = Callable[..., list[Sentence]]


@pytest.fixture(scope="module")
def saved(make_sentences: Make, tiny: Config, tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, Path]:
    """A model of two networks, and its directory."""
    sentences = make_sentences(10)
    models = [Model.build(sentences, tiny.model, seed=seed) for seed in (1, 2)]
    model, directory = Model.ensemble(models), tmp_path_factory.mktemp("model")
    model.save(directory)
    return model, directory


def test_shapes_are_those_of_the_tensors_of_a_network() -> None:
    for model in map(random_model, range(20)):
        shapes = {name: tuple(weight.shape) for name, weight in model.networks[0].state_dict().items()}
        assert weight_shapes(model.config, model.features, len(model.tags)) == shapes
        sizes = {name: module.size for name, module in model.networks[0].embedding.items()}
        assert {name: one.vector_size(model.config) for name, one in model.features.items()} == sizes


def networks_of(model: Model) -> LoadedNetworks:
    assert isinstance(model.networks, LoadedNetworks)
    return model.networks


def test_weights_are_those_that_were_saved_and_no_network_is_made_for_them(saved: tuple[Model, Path]) -> None:
    expected, loaded = saved[0], Model.load(saved[1])
    assert len(loaded.networks) == 2
    for network, weights in zip(expected.networks, loaded.weights, strict=True):
        state = network.state_dict()
        assert weights.keys() == state.keys()
        assert all(np.array_equal(weights[name], weight.numpy()) for name, weight in state.items())
    assert networks_of(loaded).weights is not None


def test_networks_that_were_made_are_the_weights_from_then_on(saved: tuple[Model, Path], tmp_path: Path) -> None:
    loaded = Model.load(saved[1])
    first, second = loaded.networks
    assert loaded.networks[0] is first
    assert list(loaded.networks[1:]) == [second]
    assert networks_of(loaded).weights is None
    with torch.no_grad():
        second.projection.bias.fill_(7)
    assert (loaded.weights[1]["projection.bias"] == 7).all()
    loaded.save(tmp_path)
    assert (Model.load(tmp_path).weights[1]["projection.bias"] == 7).all()


def test_several_threads_get_the_same_networks(saved: tuple[Model, Path]) -> None:
    loaded = Model.load(saved[1])
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: loaded.networks[0], range(8)))
    assert len(set(map(id, found))) == 1


@pytest.mark.parametrize("made", [False, True])
def test_a_loaded_model_is_pickled_with_or_without_its_networks(saved: tuple[Model, Path], made: bool) -> None:
    loaded = Model.load(saved[1])
    if made:
        assert len(list(loaded.networks)) == 2
    again = pickle.loads(pickle.dumps(loaded))
    assert (networks_of(again).weights is None) == made
    for weights, expected in zip(again.weights, loaded.weights, strict=True):
        assert all(np.array_equal(weights[name], expected[name]) for name in expected)


def test_a_model_saved_without_networks_is_the_same_directory(saved: tuple[Model, Path], tmp_path: Path) -> None:
    Model.load(saved[1]).save(tmp_path)
    for path in saved[1].iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()
    quantized = tmp_path / "quantized"
    replace(saved[0], temperature=1.0).save(quantized, quantize=True)
    Model.load(saved[1]).save(tmp_path / "again", quantize=True)
    for path in quantized.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()
