"""Every token feature of the registry, whichever there are."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.registry import Features
from ner_lstm_crf.features.token_feature import Resources
from tests.all_features import CONFIG, SENTENCES, all_features


@pytest.fixture
def features() -> Features:
    return all_features()


def test_saved_and_loaded_they_give_the_same_ids(features: Features) -> None:
    values = json.loads(json.dumps(features.to_json()))
    frozen = {name: feature.frozen for name, feature in features.items() if feature.frozen is not None}
    loaded = Features.load(CONFIG, values, frozen, {})
    assert loaded.to_json() == features.to_json()
    words, lengths = [*"人在北京大学", "", "new"], [6, 2]
    ours, theirs = (one.encode(words, lengths).training_batch([0, 1]) for one in (features, loaded))
    assert np.array_equal(ours.tokens, theirs.tokens)
    for name, inputs in ours.inputs.items():
        for one, other in zip(
            *(x if isinstance(x, tuple) else (x,) for x in (inputs, theirs.inputs[name])), strict=True
        ):
            assert np.array_equal(one, other), name


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


@pytest.mark.parametrize("value", [None, [], {}, {"word": {}, "colour": []}])
def test_features_that_do_not_exist_are_refused(value: object) -> None:
    with pytest.raises(InputError, match="expected a JSON object of token features"):
        Features.load(CONFIG, value, {}, {})


def test_the_configuration_decides_which_there_are() -> None:
    plain = ModelConfig(casing_size=0, char_filters=0, bigram_size=0)
    assert list(Features.build(Resources(plain, SENTENCES))) == ["word"]
    with pytest.raises(InputError, match="a lexicon: expected data whose tokens are characters"):
        Features.build(Resources(plain, SENTENCES, lexicon={"ab": ""}))
