"""scripts/shipping/cut.py: a model that knows fewer words."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from ner_lstm_crf.config import Config, ModelConfig, TrainingConfig
from ner_lstm_crf.features.vectors import Vectors
from ner_lstm_crf.tagging.predictor import predict
from ner_lstm_crf.text.annotation import Sentence
from shipping.cut import with_words, words_of
from tests.trained import trained_model

Make = Callable[..., list[Sentence]]
TINY = Config(
    model=ModelConfig(word_size=12, char_size=6, char_filters=8, casing_size=3, hidden_size=12, input_dropout=0.2),
    training=TrainingConfig(epochs=6, min_steps=0, batch_size=8, learning_rate=0.01),
)


def test_a_model_knows_fewer_words_and_tags_the_others_alike(make_sentences: Make) -> None:
    known = ("met", "oslo", "unseen", "Quito")
    vectors = Vectors(known, torch.randn(len(known), 12, generator=torch.Generator().manual_seed(0)).numpy())
    model = trained_model(make_sentences(60), TINY, 3, vectors=vectors)
    symbols = words_of(model).vocabulary.symbols
    fewer = with_words(model, set(symbols) - {"oslo", "quietly", "Quito"})
    words = words_of(fewer)
    assert len(words.vocabulary) == len(words_of(model).vocabulary) - 3
    for symbol in words.vocabulary.symbols:
        ids = [torch.from_numpy(words_of(one).type_ids([symbol])) for one in (model, fewer)]
        old, new = (one.networks[0].embedding.tables["word"](i) for one, i in zip((model, fewer), ids, strict=True))
        assert torch.equal(old, new), symbol
    assert words.type_ids(["Oslo", "quietly"]).tolist() == [1, 1]
    sentences = [one for one in make_sentences(200, seed=4) if (words.type_ids(one.words) > 1).all()]
    assert sentences
    assert predict(fewer, fewer.encode(sentences)) == predict(model, model.encode(sentences))


def test_a_model_without_words_is_refused(make_sentences: Make) -> None:
    model = trained_model(make_sentences(5), TINY, 0)
    del model.features["word"]
    with pytest.raises(KeyError):
        with_words(model, {"a"})
