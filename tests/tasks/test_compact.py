"""Compact models: small, near, stable, and less well read if that is wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ner_lstm_crf.config import Config
from ner_lstm_crf.data.annotation import Sentence
from ner_lstm_crf.features.vectors import Vectors
from ner_lstm_crf.tasks.assembly import Assembly
from ner_lstm_crf.tasks.checkpoint import load_assembly, save_assembly
from ner_lstm_crf.tasks.compact import compacted, expanded, with_words
from ner_lstm_crf.tasks.prediction import predict_tags
from ner_lstm_crf.tasks.runs import Data, prepare

Make = Callable[..., list[Sentence]]
VECTORS = "embedding.word.trained"


@pytest.fixture(scope="module", params=["word", "character"])
def assembly(request: pytest.FixtureRequest, make_sentences: Make, tiny: Config) -> Assembly:
    """Trained for three epochs, with vectors that know more words than the training data."""
    words = ("met", "oslo", "unseen", "Quito")
    vectors = Vectors(words, torch.randn(len(words), 12, generator=torch.Generator().manual_seed(0)).numpy())
    config = replace(tiny, model=replace(tiny.model, unit=request.param))
    trainer = prepare(Data(make_sentences(60), vectors=vectors), config)
    reports = trainer.run()
    for _ in range(3):
        next(reports)
    return trainer.assembly


def tags(assembly: Assembly, sentences: list[Sentence]) -> list[list[int]]:
    encoded = [assembly.featurizer.encode(sentence.words) for sentence in sentences]
    return [found.tolist() for found in predict_tags(assembly, encoded)]


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
    with pytest.raises(ValueError, match=r"65,504.*'head.x'"):
        compacted({"head.x": torch.tensor([1e6])})


def test_a_compact_model_is_small_and_tags_alike(assembly: Assembly, make_sentences: Make, tmp_path: Path) -> None:
    save_assembly(assembly, tmp_path / "full")
    save_assembly(assembly, tmp_path / "small", compact=True)
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("small", "full")]
    assert sizes[0] < 0.6 * sizes[1]
    sentences = make_sentences(50, seed=3)
    ours, theirs = tags(load_assembly(tmp_path / "small"), sentences), tags(assembly, sentences)
    assert sum(a == b for a, b in zip(ours, theirs, strict=True)) >= 48


def test_a_compact_model_that_is_written_again_is_the_same(assembly: Assembly, tmp_path: Path) -> None:
    save_assembly(assembly, tmp_path / "first", compact=True)
    save_assembly(load_assembly(tmp_path / "first"), tmp_path / "second", compact=True)
    states = [load_assembly(tmp_path / name).network.state_dict() for name in ("first", "second")]
    for name, weight in states[0].items():
        torch.testing.assert_close(states[1][name], weight, rtol=1e-3, atol=1e-6, msg=name)


def test_a_model_forgets_words_and_keeps_the_others(assembly: Assembly, make_sentences: Make) -> None:
    symbols = assembly.featurizer.words.symbols
    fewer = with_words(assembly, set(symbols) - {"oslo", "quietly", "Quito"})
    words = fewer.featurizer.words
    assert len(words) < len(assembly.featurizer.words)
    for symbol in words.symbols:
        ids = [torch.from_numpy(one.featurizer.words.word_ids([symbol])) for one in (assembly, fewer)]
        old, new = (one.network.embedding.word(i) for one, i in zip((assembly, fewer), ids, strict=True))
        assert torch.equal(old, new), symbol
    assert (words.word_id("Oslo"), words.word_id("quietly")) == (1, 1)
    known = [s for s in make_sentences(200, seed=4) if all(words.word_id(word) > 1 for word in s.words)]
    assert known
    assert tags(fewer, known) == tags(assembly, known)
