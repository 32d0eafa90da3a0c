"""A model cut to fewer words."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace

import numpy as np
import torch

from ner_lstm_crf.features.registry import Features
from ner_lstm_crf.features.vocabulary import FIRST, Vocabulary
from ner_lstm_crf.features.word import Words
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.saving.networks import new_network

__all__ = ["with_words", "words_of"]


def words_of(model: Model) -> Words:
    """The feature of a model that knows its words."""
    feature = model.features[Words.name]
    if not isinstance(feature, Words):
        raise TypeError(f"expected a model with words, got {type(feature).__name__}")
    return feature


def with_words(model: Model, words: Container[str]) -> Model:
    """The same model, which knows only these words; any other is the unknown word to it from now on.

    Args:
        model: The model, without a transformer.
        words: Words as `Words.vocabulary` spells them.
    """
    old = words_of(model)
    symbols, count = old.vocabulary.symbols, len(old.counts)
    kept = [number for number, symbol in enumerate(symbols) if symbol in words]
    trainable, frozen = [number for number in kept if number < count], [number for number in kept if number >= count]
    vocabulary, counts = Vocabulary(symbols[number] for number in kept), [old.counts[number] for number in trainable]
    rows = old.frozen[np.array(frozen, np.int64) - count]
    features = Features(model.features | {Words.name: Words(vocabulary, counts, rows)})
    kept_rows, networks = torch.tensor([*range(FIRST), *(number + FIRST for number in trainable)]), []
    for network in model.networks:
        weights = network.state_dict()
        weights["embedding.word.table.trainable"] = weights["embedding.word.table.trainable"][kept_rows]
        fewer = new_network(model.config, features, model.tags, None)
        fewer.load_state_dict(weights)
        networks.append(fewer.eval())
    return replace(model, features=features, networks=tuple(networks))
