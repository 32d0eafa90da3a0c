"""A model that was trained for some epochs, without a run's directory."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

from ner_lstm_crf.config import Config
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.text.annotation import Sentence
from ner_lstm_crf.training.trainer import Trainer

__all__ = ["trained_model"]


def trained_model(sentences: Sequence[Sentence], config: Config, epochs: int, **resources: Any) -> Model:
    """A model of one network in evaluation mode; `resources` are those of `Model.build`."""
    model = Model.build(sentences, config.model, **resources)
    trainer = Trainer(model, model.encode(sentences, gold=True), None, config.training)
    for _ in islice(trainer.epochs(), epochs):
        pass
    model.networks[0].eval()
    return model
