"""The plain path of a model from sentences to spans: whole networks, one batch, no cached vectors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ner_lstm_crf.features.token_feature import TokenFeature
from ner_lstm_crf.features.word import Words
from ner_lstm_crf.model.embedding.token_embedding import TensorBatch
from ner_lstm_crf.model.inference import mean_head
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.tags.scheme import DecodedTags

__all__ = ["batch_of", "best_tags", "decode_one_by_one", "mean_emissions", "words_of"]


def batch_of(model: Model, sentences: Sequence[Sequence[str]]) -> TensorBatch:
    """Sentences, each of a token or more, as one batch without tags."""
    words = [word for sentence in sentences for word in sentence]
    encoded = model.features.encode(words, list(map(len, sentences)))
    return model.networks[0].tensors(encoded.training_batch(range(len(sentences))))


def mean_emissions(model: Model, batch: TensorBatch) -> Tensor:
    """Emission scores (B, T, K), the mean over the networks."""
    each = [network.emissions(network.embedding(batch), batch.lengths) for network in model.networks]
    return torch.stack(each).mean(0)


def best_tags(model: Model, batch: TensorBatch) -> Tensor:
    """The best tag ids (B, T)."""
    head = mean_head([network.head for network in model.networks])
    return head.decode(mean_emissions(model, batch), batch.lengths)


def decode_one_by_one(model: Model, sentences: Sequence[Sequence[str]]) -> list[DecodedTags]:
    """The spans of each sentence, which is a batch by itself; the networks have to be in evaluation mode."""
    found = []
    for words in sentences:
        with torch.inference_mode():
            tags = best_tags(model, batch_of(model, [words]))[0].numpy() if words else None
        found.append(DecodedTags(()) if tags is None else model.tags.decode(tags))
    return found


def words_of(model: Model) -> Words:
    """The feature of a model that knows its words."""
    feature: TokenFeature = model.features["word"]
    assert isinstance(feature, Words)
    return feature
