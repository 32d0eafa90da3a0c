"""One sentence by itself has the values that it has in a batch, computed in C."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from ner_lstm_crf import kernels
from ner_lstm_crf.features.batch import WordTypes
from ner_lstm_crf.inference.engine import OnnxEngine
from ner_lstm_crf.inference.network_graph import directions
from ner_lstm_crf.inference.sentence_network import _READ_HALVES, _Direction
from tests.inference.test_engine import encoded, engine_of, expected, of_tokens
from tests.random_models import random_model, random_sentences

ONE = 1, 10_000  # sentences and tokens of a batch at most


@pytest.mark.parametrize("seed", range(40))
def test_states_are_those_of_torch(seed: int) -> None:
    chance = random.Random(seed)
    tokens, size, units = chance.randint(1, 23), chance.randint(1, 40), chance.randint(1, 70)
    torch.manual_seed(seed)
    lstm = torch.nn.LSTM(size, units, bidirectional=True)
    halves = seed % 2 == 0
    if halves:
        for weight in (lstm.weight_hh_l0, lstm.weight_hh_l0_reverse):
            weight.data = weight.data.half().float()
    values = torch.randn(tokens, size)
    weights = {
        f"encoder.{way}.0.lstm.{name}_l0": getattr(lstm, f"{name}_l0{suffix}").detach().numpy()
        for way, suffix in (("forwards", ""), ("backwards", "_reverse"))
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    }
    found = np.full((tokens, 2 * units + 1), 7, np.float32)
    for number, parts in enumerate(directions(weights, 0)):
        direction = _Direction.of(*parts, bool(number))
        is_half = direction.from_hidden.dtype == np.float16
        assert is_half == (halves and kernels.level_in_use() in _READ_HALVES)
        direction.write(values.numpy(), found[:, number * units : (number + 1) * units])
    np.testing.assert_allclose(found[:, :-1], lstm(values)[0].detach().numpy(), atol=2e-6)
    assert (found[:, -1] == 7).all()


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("encoder", [False, True], ids=["emissions", "encoder"])
def test_a_sentence_alone_is_computed_in_c_to_the_values_of_a_batch(
    seed: int, encoder: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = random_model(seed)
    sentences = random_sentences(random.Random(seed), model.config.token_unit, 20)
    word_types = WordTypes(model.features)
    engine, ragged = engine_of(model, word_types), encoded(model, sentences, word_types)
    together = of_tokens(engine, ragged, encoder=encoder, most=(20, 10_000))
    monkeypatch.setattr(engine, "_session", None)
    alone = of_tokens(engine, ragged, encoder=encoder, most=ONE)
    np.testing.assert_allclose(alone, together, atol=1e-5)
    np.testing.assert_allclose(alone, expected(model, sentences, encoder=encoder), atol=1e-4)


@pytest.mark.parametrize("quantized", [False, True], ids=["no kernels", "int8"])
def test_elsewhere_onnx_runtime_computes_it(quantized: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    model = random_model(3)
    word_types = WordTypes(model.features)
    if not quantized:
        monkeypatch.setattr(kernels, "available_for", lambda _: False)
    engine = OnnxEngine(model, word_types, quantized=quantized)
    sentences = random_sentences(random.Random(3), model.config.token_unit, 5)
    ragged = encoded(model, sentences, word_types)
    np.testing.assert_allclose(of_tokens(engine, ragged, most=ONE), of_tokens(engine, ragged), atol=1e-5)
    monkeypatch.setattr(engine, "_session", None)
    with pytest.raises(AttributeError):
        of_tokens(engine, ragged, most=ONE)
