"""The module of every token feature of the registry, whichever there are."""

from __future__ import annotations

import pytest
import torch

from ner_lstm_crf.features.registry import FEATURES, Features
from ner_lstm_crf.features.token_feature import Resources, TypeFeature
from ner_lstm_crf.model.embedding.feature_module import ContextModule, TypeModule
from ner_lstm_crf.model.embedding.registry import MODULES, new_embedding
from tests.all_features import CONFIG, SENTENCES, all_features

CPU = torch.device("cpu")


@pytest.fixture
def features() -> Features:
    return all_features()


def test_every_feature_has_a_module() -> None:
    assert MODULES.keys() == FEATURES.keys()


def test_ids_become_vectors_of_the_size_that_is_announced(features: Features) -> None:
    embedding = new_embedding(features, CONFIG)
    words = [word for sentence in SENTENCES for word in sentence]
    sentences = features.encode(words, [len(sentence) for sentence in SENTENCES])
    batch = embedding.tensors(sentences.training_batch([0, 2]), CPU)
    assert embedding(batch).shape == (2, 6, embedding.size)
    assert embedding.size == sum(module.size for module in embedding.values())
    for name, feature in features.items():
        vectors = embedding[name](batch.inputs[name])
        kind = TypeModule if isinstance(feature, TypeFeature) else ContextModule
        assert isinstance(embedding[name], kind)
        assert vectors.shape[-1] == embedding[name].size
        assert vectors.ndim == (2 if kind is TypeModule else 3)


def test_one_that_starts_from_another_keeps_its_ids_and_weights(features: Features) -> None:
    embedding = new_embedding(features, CONFIG)
    resources = Resources(CONFIG, [list("巴黎在法国"), list("巴黎在法国")])
    tables = {name: table.trainable.detach().numpy() for name, table in embedding.tables.items()}
    extended = Features({name: one.extended(resources, tables.get(name)) for name, one in features.items()})
    new = new_embedding(extended, CONFIG)
    for name, module in new.items():
        module.start_from(embedding[name])
    for words in ([*"北京"], [*"大学人在"]):
        old_batch, new_batch = (one.encode(words, [len(words)]).training_batch([0]) for one in (features, extended))
        vectors = embedding.eval()(embedding.tensors(old_batch, CPU)), new.eval()(new.tensors(new_batch, CPU))
        torch.testing.assert_close(*vectors, rtol=1e-3, atol=1e-3)  # frozen rows are in half precision
