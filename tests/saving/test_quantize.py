"""Compact models: small, near, stable, and less well read if that is wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from ner_lstm_crf.saving.checkpoint import load_model, save_model
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from ner_lstm_crf.config import Config
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.vectors.vectors import Vectors
from ner_lstm_crf.runs.data import Data
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.saving.quantize import compacted, expanded, with_words
from ner_lstm_crf.tagging.predictor import predict
from ner_lstm_crf.tagging.tagger import Tagger
from ner_lstm_crf.tags.scheme import DecodedTags
from ner_lstm_crf.text.annotation import Sentence
from tests.made import trainer_for

Make = Callable[..., list[Sentence]]
VECTORS = "embedding.word.trained"
FILES = ("config.json", "vocabulary.json", "model.safetensors")


@pytest.fixture(scope="module", params=["word", "character"])
def model(request: pytest.FixtureRequest, make_sentences: Make, tiny: Config) -> Model:
    """Trained for three epochs, with vectors that know more words than the training data."""
    words = ("met", "oslo", "unseen", "Quito")
    vectors = Vectors(words, torch.randn(len(words), 12, generator=torch.Generator().manual_seed(0)).numpy())
    config = replace(tiny, model=replace(tiny.model, token_unit=request.param))
    trainer = trainer_for(Data(make_sentences(60), vectors=vectors), config)
    reports = trainer.epochs()
    for _ in range(3):
        next(reports)
    return trainer.model


def found_by(model: Model, sentences: list[Sentence]) -> list[DecodedTags]:
    return predict(model, [model.featurizer.encode(sentence.words) for sentence in sentences])


@given(st.integers(0, 5), st.integers(1, 7), st.floats(1e-30, 1e30), st.integers(0, 99))
def test_a_vector_is_off_by_half_a_step_at_most_and_stays_so(rows: int, size: int, scale: float, seed: int) -> None:
    vectors = scale * torch.randn(rows, size, generator=torch.Generator().manual_seed(seed))
    small = compacted({VECTORS: vectors})
    full = expanded(small)[VECTORS]
    assert small[VECTORS].dtype == torch.int8
    step = vectors.abs().amax(1, keepdim=True) / 127
    assert bool(((full - vectors).abs() <= 0.501 * step).all())
    again = compacted({VECTORS: full})
    assert torch.equal(again[VECTORS], small[VECTORS])


def test_a_vector_of_zeros_stays_one() -> None:
    assert not expanded(compacted({VECTORS: torch.zeros(2, 3)}))[VECTORS].any()


def test_weights_beyond_sixteen_bits_are_refused() -> None:
    with pytest.raises(InputError, match=r"65,504.*'head.x'"):
        compacted({"head.x": torch.tensor([1e6])})


def test_a_compact_model_is_small_and_tags_alike(model: Model, make_sentences: Make, tmp_path: Path) -> None:
    save_model(model, tmp_path / "full")
    save_model(model, tmp_path / "small", compact=True)
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("small", "full")]
    assert sizes[0] < 0.6 * sizes[1]
    sentences = make_sentences(50, seed=3)
    ours, theirs = found_by(load_model(tmp_path / "small"), sentences), found_by(model, sentences)
    assert sum(a == b for a, b in zip(ours, theirs, strict=True)) >= 48


def test_a_compact_model_that_is_written_again_is_the_same(model: Model, tmp_path: Path) -> None:
    save_model(model, tmp_path / "first", compact=True)
    save_model(load_model(tmp_path / "first"), tmp_path / "second", compact=True)
    save_model(load_model(tmp_path / "second"), tmp_path / "full")
    save_model(load_model(tmp_path / "full"), tmp_path / "third", compact=True)
    for file in FILES:
        contents = {(tmp_path / name / file).read_bytes() for name in ("first", "second", "third")}
        assert len(contents) == 1, file


@given(st.integers(1, 5), st.integers(1, 4), st.floats(1e-2, 1e2), st.integers(0, 99))
def test_a_reserve_in_half_precision_loses_nothing_more(rows: int, size: int, scale: float, seed: int) -> None:
    vectors = scale * (0.1 + torch.rand(rows, size, generator=torch.Generator().manual_seed(seed)))
    first = compacted({VECTORS: vectors})
    again = compacted({VECTORS: expanded(first)[VECTORS].half()})
    assert all(torch.equal(again[name], first[name]) for name in first)


@pytest.mark.parametrize("file", FILES)
def test_a_compact_model_that_was_changed_is_refused(file: str, model: Model, tmp_path: Path) -> None:
    save_model(model, tmp_path, compact=True)
    path = tmp_path / file
    if path.suffix == ".json":
        path.write_text(path.read_text().replace("PER", "PUR").replace("oslo", "osla"))
    else:
        with safe_open(path, framework="pt") as old:
            metadata = old.metadata()
        tensors = load_file(path)
        save_file(tensors | {f"{VECTORS}.scale": 2 * tensors[f"{VECTORS}.scale"]}, path, metadata)
    with pytest.raises(InputError, match="the model is damaged"):
        load_model(tmp_path)


def test_a_model_that_cannot_be_compact_leaves_the_old_one_alone(model: Model, tmp_path: Path) -> None:
    Tagger(model).save(tmp_path, compact=True)
    before = [(tmp_path / file).read_bytes() for file in FILES]
    large = load_model(tmp_path)
    with torch.no_grad():
        large.network.projection.bias.fill_(1e5)
    for directory in (tmp_path, tmp_path / "new"):
        with pytest.raises(InputError, match=r"'projection\.bias'"):
            Tagger(large).save(directory, compact=True)
    assert [(tmp_path / file).read_bytes() for file in FILES] == before
    assert not (tmp_path / "new").exists()


def test_a_model_forgets_words_and_keeps_the_others(model: Model, make_sentences: Make) -> None:
    symbols = model.featurizer.words.symbols
    fewer = with_words(model, set(symbols) - {"oslo", "quietly", "Quito"})
    words = fewer.featurizer.words
    assert len(words) < len(model.featurizer.words)
    for symbol in words.symbols:
        ids = [torch.from_numpy(one.featurizer.words.word_ids([symbol])) for one in (model, fewer)]
        old, new = (one.network.embedding.word(i) for one, i in zip((model, fewer), ids, strict=True))
        assert torch.equal(old, new), symbol
    assert (words.word_id("Oslo"), words.word_id("quietly")) == (1, 1)
    known = [s for s in make_sentences(200, seed=4) if all(words.word_id(word) > 1 for word in s.words)]
    assert known
    assert found_by(fewer, known) == found_by(model, known)
