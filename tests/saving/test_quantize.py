"""Quantized models: small, near, and the same when they are written again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from ner_lstm_crf.config import Config
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.vectors import Vectors
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.saving.weights import Weights, quantized
from ner_lstm_crf.tagging.predictor import predict
from ner_lstm_crf.tagging.tagger import Tagger
from ner_lstm_crf.text.annotation import Sentence
from tests.trained import trained_model

Make = Callable[..., list[Sentence]]
TABLE = "embedding.word.table.trainable"
FILES = ("config.json", "vocabulary.json", "frozen.safetensors", "network-1.safetensors")


@pytest.fixture(scope="module", params=["word", "character"])
def model(request: pytest.FixtureRequest, make_sentences: Make, tiny: Config) -> Model:
    """Trained for three epochs, with vectors that know more words than the training data."""
    words = ("met", "oslo", "unseen", "Quito")
    vectors = Vectors(words, torch.randn(len(words), 12, generator=torch.Generator().manual_seed(0)).numpy())
    config = replace(tiny, model=replace(tiny.model, token_unit=request.param))
    return trained_model(make_sentences(60), config, 3, vectors=vectors)


def drawn(seed: int, rows: int, size: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((rows, size), np.float32)


@given(st.integers(0, 5), st.integers(1, 7), st.floats(1e-30, 1e15), st.integers(0, 99))
def test_a_vector_is_off_by_half_a_step_at_most_and_stays_so(rows: int, size: int, scale: float, seed: int) -> None:
    vectors = np.float32(scale) * drawn(seed, rows, size)
    small = quantized({TABLE: vectors})
    full = Weights(small)[TABLE]
    assert small[TABLE].dtype == np.int8
    step = np.abs(vectors).max(1, keepdims=True) / 127
    assert (np.abs(full - vectors) <= 0.501 * step).all()
    again = quantized({TABLE: full})
    assert np.array_equal(again[TABLE], small[TABLE])


def test_rows_are_rounded_as_torch_rounds_them() -> None:
    """A model is the same file whoever quantizes it."""
    vectors = 3 * drawn(0, 500, 16)
    largest = torch.from_numpy(vectors).abs().amax(1).half().float() / 127
    steps = (torch.from_numpy(vectors) / largest.unsqueeze(1)).round().clamp(-127, 127).to(torch.int8)
    small = quantized({TABLE: vectors})
    assert np.array_equal(small[TABLE], steps.numpy())
    assert np.array_equal(small[f"{TABLE}.scale"], largest.numpy())


def test_a_vector_of_zeros_stays_one() -> None:
    assert not Weights(quantized({TABLE: np.zeros((2, 3), np.float32)}))[TABLE].any()


def test_other_weights_are_rounded_to_sixteen_bits_and_larger_ones_refused() -> None:
    ones = np.ones(1, np.float32)
    assert quantized({"head.x": ones, "frozen": ones})["head.x"].dtype == np.float16
    with pytest.raises(InputError, match=r"65,504.*'head.x'"):
        quantized({"head.x": np.array([1e6], np.float32)})
    with pytest.raises(InputError, match="holds finite vectors"):
        quantized({TABLE: np.array([[np.inf]], np.float32)})


def test_weights_that_are_not_quantized_are_left_as_they_are() -> None:
    tensors = {"a.scale": np.ones(2, np.float32), TABLE: drawn(0, 2, 3), "b": np.array(3.0, np.float32)}
    weights = Weights(tensors)
    assert weights.keys() == tensors.keys()
    assert all(np.shares_memory(weights[name], tensor) for name, tensor in tensors.items())
    assert [weights.shape(name) for name in tensors] == [(2,), (2, 3), ()]


@given(st.integers(1, 5), st.integers(1, 4), st.floats(1e-2, 1e2), st.integers(0, 99))
def test_frozen_rows_in_half_precision_lose_nothing_more(rows: int, size: int, scale: float, seed: int) -> None:
    vectors = np.float32(scale) * (0.1 + np.random.default_rng(seed).random((rows, size), np.float32))
    first = quantized({"word.frozen": vectors})
    half = Weights(first).in_half("word.frozen")
    assert np.array_equal(half, Weights(first)["word.frozen"].astype(np.float16))
    again = quantized({"word.frozen": half})
    assert all(np.array_equal(again[name], first[name]) for name in first)


def test_rows_are_in_half_precision_unless_that_overflows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ner_lstm_crf.saving.weights._AT_ONCE", 2)
    vectors = drawn(0, 5, 3)
    assert np.array_equal(Weights({TABLE: vectors}).in_half(TABLE), vectors.astype(np.float16))
    vectors[4, 0] = 1e5
    assert np.array_equal(Weights({TABLE: vectors}).in_half(TABLE), vectors)


@pytest.mark.parametrize("scale", [np.inf, np.nan, 1e38])
def test_rows_whose_worth_is_no_number_or_too_large_are_refused(scale: float) -> None:
    table, scales = np.array([[100, -128]], np.int8), np.array([scale], np.float32)
    with pytest.raises(ValueError, match="expected finite numbers"):
        Weights({TABLE: table, f"{TABLE}.scale": scales})


def test_a_quantized_model_is_small_and_tags_alike(model: Model, make_sentences: Make, tmp_path: Path) -> None:
    model.save(tmp_path / "full")
    model.save(tmp_path / "small", quantize=True)
    sizes = [(tmp_path / name / "network-1.safetensors").stat().st_size for name in ("small", "full")]
    assert sizes[0] < 0.6 * sizes[1]
    sentences = make_sentences(50, seed=3)
    ours, theirs = (predict(one, one.encode(sentences)) for one in (Model.load(tmp_path / "small"), model))
    assert sum(a == b for a, b in zip(ours, theirs, strict=True)) >= 48


def test_a_quantized_model_that_is_written_again_is_the_same(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path / "first", quantize=True)
    Model.load(tmp_path / "first").save(tmp_path / "second", quantize=True)
    Model.load(tmp_path / "second").save(tmp_path / "full")
    Model.load(tmp_path / "full").save(tmp_path / "third", quantize=True)
    for file in FILES:
        contents = {(tmp_path / name / file).read_bytes() for name in ("first", "second", "third")}
        assert len(contents) == 1, file


@pytest.mark.parametrize("file", FILES)
def test_a_quantized_model_that_was_changed_is_refused(file: str, model: Model, tmp_path: Path) -> None:
    model.save(tmp_path, quantize=True)
    path = tmp_path / file
    if path.suffix == ".json":
        path.write_text(path.read_text().replace("PER", "PUR").replace("oslo", "osla"))
    else:
        tensors = load_file(path)
        scale = next(name for name in tensors if name.endswith(".scale"))
        save_file(tensors | {scale: 2 * tensors[scale]}, path)
    with pytest.raises(InputError, match="the model is damaged"):
        Model.load(tmp_path)


def test_a_model_that_cannot_be_quantized_leaves_the_old_one_alone(model: Model, tmp_path: Path) -> None:
    Tagger(model).save(tmp_path, quantize=True)
    before = [(tmp_path / file).read_bytes() for file in FILES]
    large = Model.load(tmp_path)
    with torch.no_grad():
        large.networks[0].projection.bias.fill_(1e5)
    for directory in (tmp_path, tmp_path / "new"):
        with pytest.raises(InputError, match=r"'projection\.bias'"):
            Tagger(large).save(directory, quantize=True)
    assert [(tmp_path / file).read_bytes() for file in FILES] == before
    assert not (tmp_path / "new").exists()
