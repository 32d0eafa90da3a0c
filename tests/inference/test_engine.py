"""The engine without torch computes what the networks compute, in any batch, thread and process."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ner_lstm_crf import kernels
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.batch import RaggedSentences, WordTypes
from ner_lstm_crf.formats.registry import read_sentences
from ner_lstm_crf.inference.engine import OnnxEngine, engine_for
from ner_lstm_crf.inference.type_vectors import CharCnn, IntNet
from ner_lstm_crf.model.inference import InferenceNetwork, mean_head
from ner_lstm_crf.saving.model import Model
from tests.random_models import random_model, random_sentences

SEEDS = range(12)


def encoded(model: Model, sentences: Sequence[Sequence[str]], word_types: WordTypes) -> RaggedSentences:
    return model.features.encode(list(chain.from_iterable(sentences)), list(map(len, sentences)), word_types)


def engine_of(model: Model, word_types: WordTypes, *, quantized: bool = False) -> OnnxEngine:
    return OnnxEngine(model, word_types, quantized=quantized)


def of_tokens(
    engine: OnnxEngine, sentences: RaggedSentences, *, encoder: bool = False, most: tuple[int, int] = (128, 1024)
) -> np.ndarray:
    """The emissions of all tokens (N, K), or what the encoder says of them (N, D)."""
    vectors, compute = engine.type_vectors(sentences.types), engine.encoded if encoder else engine.emissions
    kept: np.ndarray | None = None
    for batch_of in sentences.tagging_batches(sentences=most[0], tokens=most[1]):
        batch, positions, counts = sentences.tagging_batch(*batch_of)
        computed = compute(vectors, batch)
        assert computed.dtype == np.float32
        kept = np.zeros((len(sentences.types), computed.shape[2]), np.float32) if kept is None else kept
        kept[positions[counts]] = computed[counts]
    assert kept is not None
    return kept


def expected(model: Model, sentences: Sequence[Sequence[str]], *, encoder: bool = False) -> np.ndarray:
    """The same from torch's networks, a sentence at a time."""
    word_types = WordTypes(model.features)
    network, rows = InferenceNetwork(model.networks, word_types), []
    compute = network.encoded if encoder else network.emissions
    with torch.inference_mode():
        for words in sentences:
            one = encoded(model, [words], word_types)
            vectors = network.type_vectors(one.types)
            batch, _, _ = one.tagging_batch(np.array([0]), len(words))
            rows.append(np.asarray(compute(vectors, batch))[0])
    return np.concatenate(rows)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("encoder", [False, True], ids=["emissions", "encoder"])
def test_values_are_those_of_the_networks(seed: int, encoder: bool) -> None:
    model = random_model(seed)
    sentences = random_sentences(random.Random(seed), model.config.token_unit, 20)
    word_types = WordTypes(model.features)
    found = of_tokens(
        engine_of(model, word_types), encoded(model, sentences, word_types), encoder=encoder, most=(6, 60)
    )
    np.testing.assert_allclose(found, expected(model, sentences, encoder=encoder), atol=1e-4)


@pytest.mark.parametrize("seed", SEEDS)
def test_values_in_8_bits_are_near_those_of_the_networks(seed: int) -> None:
    model = random_model(seed)
    sentences = random_sentences(random.Random(seed), model.config.token_unit, 20)
    word_types = WordTypes(model.features)
    engine, ragged = engine_of(model, word_types, quantized=True), encoded(model, sentences, word_types)
    for encoder in (False, True):
        wanted = expected(model, sentences, encoder=encoder)
        found = of_tokens(engine, ragged, encoder=encoder)
        assert found.shape == wanted.shape
        assert 0 < np.sqrt(np.mean((found - wanted) ** 2)) < 0.15 * wanted.std()


@pytest.mark.parametrize("quantized", [False, True], ids=["float32", "int8"])
@pytest.mark.parametrize("seed", SEEDS)
def test_emissions_do_not_depend_on_the_batch(seed: int, quantized: bool) -> None:
    """In 8 bits a step would be larger by itself where the batch holds a larger value."""
    model = random_model(seed)
    sentences = random_sentences(random.Random(seed), model.config.token_unit, 20)
    word_types = WordTypes(model.features)
    engine, ragged = engine_of(model, word_types, quantized=quantized), encoded(model, sentences, word_types)
    together, alone = of_tokens(engine, ragged), of_tokens(engine, ragged, most=(1, 1))
    np.testing.assert_allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("quantized", [False, True], ids=["float32", "int8"])
def test_eight_threads_find_what_one_finds(quantized: bool) -> None:
    model = random_model(1)
    word_types = WordTypes(model.features)
    engine = engine_of(model, word_types, quantized=quantized)
    ragged = encoded(model, random_sentences(random.Random(1), model.config.token_unit, 200), word_types)
    alone = of_tokens(engine, ragged)
    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(lambda _: of_tokens(engine, ragged, most=(5, 50)), range(24)):
            np.testing.assert_allclose(found, alone, atol=1e-5)


@pytest.mark.parametrize("seed", SEEDS)
def test_score_tables_are_the_mean_of_the_heads(seed: int) -> None:
    model = random_model(seed)
    tables = engine_of(model, WordTypes(model.features)).tables
    for found, wanted in zip(tables, mean_head([one.head for one in model.networks]).tables(), strict=True):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_onnx_runtime_computes_what_was_read_and_whatever_is_in_8_bits(tmp_path: Path) -> None:
    """Networks in memory may be trained on, so torch computes those."""
    model = random_model(1)
    model.save(tmp_path)
    chosen = {
        (loaded, precision): type(engine_for(one, WordTypes(one.features), precision))
        for loaded, one in ((False, model), (True, Model.load(tmp_path)))
        for precision in ("float32", "int8")
    }
    assert chosen == {
        (False, "float32"): InferenceNetwork,
        (False, "int8"): OnnxEngine,
        (True, "float32"): OnnxEngine,
        (True, "int8"): OnnxEngine,
    }


def test_a_precision_that_does_not_exist_is_refused() -> None:
    model = random_model(1)
    with pytest.raises(InputError, match=r"float32, int8, bfloat16.*'half'"):
        engine_for(model, WordTypes(model.features), "half")  # type: ignore[arg-type]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_goes_on_computing() -> None:
    """No thread is behind the engine that a child would lack."""
    model = random_model(1)
    word_types = WordTypes(model.features)
    engine = engine_of(model, word_types)
    ragged = encoded(model, random_sentences(random.Random(1), model.config.token_unit, 20), word_types)
    before = of_tokens(engine, ragged)
    child = os.fork()
    if not child:
        os._exit(0 if np.array_equal(of_tokens(engine, ragged), before) else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_word_types_that_were_cleared_have_the_vectors_of_other_words() -> None:
    model = random_model(1)
    word_types = WordTypes(model.features)
    engine = engine_of(model, word_types)
    first, second = (
        ([["in", "met"]], [["met", "1998", "in"]])
        if model.config.token_unit == "word"
        else ([["北", "i"]], [["i", "京", "北"]])
    )
    kept = engine.type_vectors(encoded(model, first, word_types).types)[0]
    copy = kept[:2].copy()
    word_types.clear()
    found = of_tokens(engine, encoded(model, second, word_types))
    np.testing.assert_allclose(found, expected(model, second), atol=1e-4)
    np.testing.assert_array_equal(kept[:2], copy)  # another thread may still read these


@pytest.mark.parametrize("encoder", [CharCnn, IntNet])
def test_vectors_are_computed_once_for_each_word(encoder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = {CharCnn: "cnn", IntNet: "intnet"}[encoder]
    models = map(random_model, SEEDS)
    model = next(one for one in models if "characters" in one.features and one.config.char_encoder == kind)
    computed: list[int] = []
    call = encoder.__call__
    monkeypatch.setattr(
        encoder, "__call__", lambda self, words: computed.append(len(words.lengths)) or call(self, words)
    )
    word_types = WordTypes(model.features)
    engine = engine_of(model, word_types)
    for words in (["a", "b", "a"], ["b", "c"], ["a", "b", "c"]):
        engine.type_vectors(encoded(model, [words], word_types).types)
    assert sum(computed) == 3 * len(model.networks)


@pytest.mark.parametrize("seed", SEEDS)
def test_without_compiled_kernels_characters_have_the_same_vectors(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model = random_model(seed)
    sentences = random_sentences(random.Random(seed), model.config.token_unit, 20)
    word_types = WordTypes(model.features)
    monkeypatch.setattr(kernels, "available_for", lambda _: False)
    found = of_tokens(engine_of(model, word_types), encoded(model, sentences, word_types))
    np.testing.assert_allclose(found, expected(model, sentences), atol=1e-4)


@cache
def shipped(name: str) -> Model:
    return Model.load(name)


@pytest.mark.real
@pytest.mark.parametrize(("name", "file"), [("en", "uner-en_ewt/test.iob2"), ("zh", "uner-zh_gsdsimp/test.iob2")])
def test_shipped_taggers_have_the_same_emissions(name: str, file: str, corpus_file: Callable[[str], Path]) -> None:
    model = shipped(name)
    unit = model.config.token_unit
    words = [
        list("".join(one.words)) if unit == "character" else one.words for one in read_sentences(corpus_file(file))
    ][:300]
    word_types = WordTypes(model.features)
    ragged = encoded(model, words, word_types)
    wanted = expected(model, words)
    np.testing.assert_allclose(of_tokens(engine_of(model, word_types), ragged), wanted, atol=1e-4)
    in_8_bits = of_tokens(engine_of(model, word_types, quantized=True), ragged)
    assert np.sqrt(np.mean((in_8_bits - wanted) ** 2)) < 0.05
    assert np.mean(in_8_bits.argmax(1) != wanted.argmax(1)) < 0.005
