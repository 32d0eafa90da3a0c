"""The graph of a network, from the ids of tokens to emissions, computes what the network computes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.inference import network_graph
from ner_lstm_crf.inference.graph import Graph
from ner_lstm_crf.saving.model import Model
from tests.plain_path import batch_of, mean_emissions
from tests.random_models import random_model, random_sentences, weights_of

PER_TOKEN = {"characters": ("characters",), "bigrams": (2,), "lexicon": (3,), "gazetteer": (2,)}


def whole_graph(model: Model) -> bytes:
    """Ids of tokens, time first, to emissions."""
    graph = Graph("network")
    ids = {
        name: graph.input(name, np.int64, ["tokens", "sentences", *PER_TOKEN.get(name, ())]) for name in model.features
    }
    lengths = graph.input("lengths", np.int32, ["sentences"])
    each = []
    for number, weights in enumerate(weights_of(model)):
        prefix = f"{number}-"
        vectors = network_graph.token_vectors(graph, model.features, weights, ids, prefix)
        encoded = network_graph.encoder(graph, model.config, weights, vectors, lengths, prefix)
        each.append(network_graph.projection(graph, weights, encoded, prefix))
    network_graph.mean(graph, each, "emissions")
    graph.output("emissions", np.float32, ["sentences", "tokens", len(model.tags)])
    return graph.to_bytes()


def feed(model: Model, sentences: Sequence[Sequence[str]]) -> dict[str, Any]:
    """The inputs of that graph."""
    longest, widest = max(map(len, sentences)), max(1, *(len(word) for words in sentences for word in words))
    inputs: dict[str, Any] = {"lengths": np.array(list(map(len, sentences)), np.int32)}
    flat = [word for words in sentences for word in words]
    at = [(t, b) for b, words in enumerate(sentences) for t in range(len(words))]
    for name, feature in model.features.items():
        ids = np.zeros(
            (longest, len(sentences), *({"characters": widest}.get(one, one) for one in PER_TOKEN.get(name, ()))),
            np.int64,
        )
        if name == "characters":
            of_tokens = [[feature.vocabulary.id_of.get(one, 1) for one in word or [""]] for word in flat]
        elif name in PER_TOKEN:
            of_tokens = feature.encode(flat, feature.type_ids(flat), np.array(list(map(len, sentences))))
        else:
            of_tokens = feature.type_ids(flat)
        for (t, b), one in zip(at, of_tokens, strict=True):
            if name in PER_TOKEN:
                ids[t, b, : len(one)] = one
            else:
                ids[t, b] = one
        inputs[name] = ids
    return inputs


@pytest.mark.parametrize("seed", range(12))
def test_emissions_are_those_of_the_networks(seed: int) -> None:
    model = random_model(seed)
    data = whole_graph(model)
    onnx.checker.check_model(onnx.load_from_string(data), full_check=True)
    session = onnxruntime.InferenceSession(data)
    for count in (1, 7):
        sentences = random_sentences(random.Random(seed), model.config.token_unit, count)
        with torch.no_grad():
            expected = mean_emissions(model, batch_of(model, sentences)).numpy()
        (emissions,) = session.run(None, feed(model, sentences))
        for row, words in enumerate(sentences):
            np.testing.assert_allclose(emissions[row, : len(words)], expected[row, : len(words)], atol=1e-4)


def test_random_models_have_every_shape() -> None:
    """Or the test above would leave something out."""
    models = [random_model(seed) for seed in range(12)]
    assert {model.config.layers for model in models} == {1, 2, 3}
    assert {(model.config.residual, model.config.head) for model in models if model.config.layers > 1} >= {
        (True, "crf"),
        (False, "softmax"),
    }
    assert {len(model.networks) for model in models} == {1, 3}
    for name in ("casing", "characters", "bigrams", "lexicon", "gazetteer"):
        assert {name in model.features for model in models} == {True, False}, name
    assert {len(model.features["word"].frozen) > 0 for model in models} == {True, False}
    lexicons = [model.features["lexicon"] for model in models if "lexicon" in model.features]
    assert {lexicon.frozen is not None for lexicon in lexicons} == {True, False}
    spelled = [model.config for model in models if model.config.char_filters]
    assert {(one.char_encoder, one.char_blocks) for one in spelled} >= {("cnn", 1), ("intnet", 1), ("intnet", 2)}
    assert {width % 2 for model in models for width in model.config.char_widths} == {0, 1}


def test_a_feature_that_does_more_than_look_up_vectors_is_refused() -> None:
    with pytest.raises(InputError, match="expected a model whose features look up vectors, found the feature 'made'"):
        network_graph.token_vectors(Graph("network"), {"made": object()}, {}, {"made": "ids"})
