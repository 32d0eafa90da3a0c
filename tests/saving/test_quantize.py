"""Quantized models: small, near, and the same when they are written again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, strategies as st
from safetensors.torch import load_file, save_file

from ner_lstm_crf.config import Config
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.vectors import Vectors
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.saving.tensors import dequantized, quantized
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


@given(st.integers(0, 5), st.integers(1, 7), st.floats(1e-30, 1e30), st.integers(0, 99))
def test_a_vector_is_off_by_half_a_step_at_most_and_stays_so(rows: int, size: int, scale: float, seed: int) -> None:
    vectors = scale * torch.randn(rows, size, generator=torch.Generator().manual_seed(seed))
    small = quantized({TABLE: vectors})
    full = dequantized(small)[TABLE]
    assert small[TABLE].dtype == torch.int8
    step = vectors.abs().amax(1, keepdim=True) / 127
    assert bool(((full - vectors).abs() <= 0.501 * step).all())
    again = quantized({TABLE: full})
    assert torch.equal(again[TABLE], small[TABLE])


def test_a_vector_of_zeros_stays_one() -> None:
    assert not dequantized(quantized({TABLE: torch.zeros(2, 3)}))[TABLE].any()


def test_other_weights_are_rounded_to_sixteen_bits_and_larger_ones_refused() -> None:
    assert quantized({"head.x": torch.ones(1), "frozen": torch.zeros(1)})["head.x"].dtype == torch.float16
    with pytest.raises(InputError, match=r"65,504.*'head.x'"):
        quantized({"head.x": torch.tensor([1e6])})
    with pytest.raises(InputError, match="holds finite vectors"):
        quantized({TABLE: torch.tensor([[float("inf")]])})


def test_weights_that_are_not_quantized_are_left_as_they_are() -> None:
    tensors = {"a.scale": torch.ones(2), TABLE: torch.randn(2, 3)}
    assert dequantized(tensors) == tensors


@given(st.integers(1, 5), st.integers(1, 4), st.floats(1e-2, 1e2), st.integers(0, 99))
def test_frozen_rows_in_half_precision_lose_nothing_more(rows: int, size: int, scale: float, seed: int) -> None:
    vectors = scale * (0.1 + torch.rand(rows, size, generator=torch.Generator().manual_seed(seed)))
    first = quantized({"word.frozen": vectors})
    again = quantized({"word.frozen": dequantized(first)["word.frozen"].half()})
    assert all(torch.equal(again[name], first[name]) for name in first)


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
