"""Every token feature of the registry, whichever there are."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.registry import FEATURES, Features
from ner_lstm_crf.features.token_feature import ContextModule, Resources, TypeFeature, TypeModule

CONFIG = ModelConfig(token_unit="character", word_size=6, hidden_size=4)
SENTENCES = [list("他在北京大学"), list("北京人在巴黎"), ["", "ab", "北"]]
RESOURCES = Resources(CONFIG, SENTENCES, lexicon={"北京": "ns", "巴黎": "ns", "大学": ""})


@pytest.fixture
def features() -> Features:
    """All that a configuration asks for, but the transformer, which needs files."""
    made = Features.build(RESOURCES)
    assert {"word", "casing", "characters", "bigrams", "lexicon"} <= made.keys()
    assert list(made) == [name for name in FEATURES if name in made]
    return made


def test_ids_become_vectors_of_the_size_that_is_announced(features: Features) -> None:
    embedding = features.embedding(CONFIG)
    words = [word for sentence in SENTENCES for word in sentence]
    sentences = features.encode(words, [len(sentence) for sentence in SENTENCES])
    batch = sentences.training_batch([0, 2])
    assert embedding(batch).shape == (2, 6, embedding.size)
    assert embedding.size == sum(module.size for module in embedding.values())
    for name, feature in features.items():
        vectors = embedding[name](batch.inputs[name])
        kind = TypeModule if isinstance(feature, TypeFeature) else ContextModule
        assert isinstance(embedding[name], kind)
        assert vectors.shape[-1] == embedding[name].size
        assert vectors.ndim == (2 if kind is TypeModule else 3)


def test_saved_and_loaded_they_give_the_same_ids(features: Features) -> None:
    values = json.loads(json.dumps(features.to_json()))
    frozen = {name: feature.frozen for name, feature in features.items() if feature.frozen is not None}
    loaded = Features.load(CONFIG, values, frozen, {})
    assert loaded.to_json() == features.to_json()
    words, lengths = [*"人在北京大学", "", "new"], [6, 2]
    ours, theirs = (one.encode(words, lengths).training_batch([0, 1]) for one in (features, loaded))
    assert torch.equal(ours.tokens, theirs.tokens)
    for name, inputs in ours.inputs.items():
        for one, other in zip(
            *(x if isinstance(x, tuple) else (x,) for x in (inputs, theirs.inputs[name])), strict=True
        ):
            assert torch.equal(one, other), name


def test_ids_do_not_depend_on_the_other_sentences(features: Features) -> None:
    words = [word for sentence in SENTENCES for word in sentence]
    together = features.encode(words, [len(sentence) for sentence in SENTENCES])
    start = 0
    for sentence in SENTENCES:
        alone = features.encode(sentence, [len(sentence)], together.word_types)
        assert (together.types[start : start + len(sentence)] == alone.types).all()
        for name, (_, ids) in alone.context.items():
            assert np.array_equal(together.context[name][1][start : start + len(sentence)], ids), name
        start += len(sentence)


def test_one_that_starts_from_another_keeps_its_ids_and_weights(features: Features) -> None:
    embedding = features.embedding(CONFIG)
    resources = Resources(CONFIG, [list("巴黎在法国"), list("巴黎在法国")])
    extended = Features({name: one.extended(resources, embedding[name]) for name, one in features.items()})
    new = extended.embedding(CONFIG)
    for name, module in new.items():
        module.start_from(embedding[name])
    for words in ([*"北京"], [*"大学人在"]):
        old_batch, new_batch = (one.encode(words, [len(words)]).training_batch([0]) for one in (features, extended))
        vectors = embedding.eval()(old_batch), new.eval()(new_batch)
        torch.testing.assert_close(*vectors, rtol=1e-3, atol=1e-3)  # frozen rows are in half precision


@pytest.mark.parametrize("value", [None, [], {}, {"word": {}, "colour": []}])
def test_features_that_do_not_exist_are_refused(value: object) -> None:
    with pytest.raises(InputError, match="expected a JSON object of token features"):
        Features.load(CONFIG, value, {}, {})


def test_the_configuration_decides_which_there_are() -> None:
    plain = ModelConfig(casing_size=0, char_filters=0, bigram_size=0)
    assert list(Features.build(Resources(plain, SENTENCES))) == ["word"]
    with pytest.raises(InputError, match="a lexicon: expected data whose tokens are characters"):
        Features.build(Resources(plain, SENTENCES, lexicon={"ab": ""}))
