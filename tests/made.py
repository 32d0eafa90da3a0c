"""A made corpus that a small network learns in seconds."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ner_lstm_crf.config import Config, ModelConfig, TrainingConfig
from ner_lstm_crf.runs.data import Data, resolve_defaults
from ner_lstm_crf.runs.run import prepare_trainer
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.text.annotation import Sentence, Span
from ner_lstm_crf.training.trainer import Trainer

FIRST = ["Anna", "Boris", "Clara", "Deniz", "Emil", "Farida"]
LAST = ["Okafor", "Petrov", "Quist", "Romero", "Singh", "Tamura"]
PLACES = ["Oslo", "Quito", "Lagos", "Osaka", "Perth", "Turin"]
FILLER = ["today", "slowly", "again", "often", "never", "and", "then", "quietly"]


def made_sentence(source: random.Random) -> Sentence:
    """`[Anna Okafor](PER) met [Boris](PER) in [Oslo](LOC) today`, in several shapes."""
    words: list[str] = []
    spans: list[Span] = []

    def add(label: str | None, *text: str) -> None:
        if label:
            spans.append(Span(len(words), len(words) + len(text), label))
        words.extend(text)

    if source.random() < 0.5:
        add("PER", source.choice(FIRST), source.choice(LAST))
    else:
        add("PER", source.choice(FIRST))
    add(None, "met", *source.choices(FILLER, k=source.randrange(4)))
    if source.random() < 0.5:
        add("PER", source.choice(FIRST), source.choice(LAST))
    add(None, "in")
    add("LOC", source.choice(PLACES))
    add(None, *source.choices(FILLER, k=source.randrange(4)))
    if source.random() < 0.7:
        add(None, ".")
    return Sentence.from_words(words, spans)


@pytest.fixture(scope="session")
def make_sentences() -> Callable[..., list[Sentence]]:
    """Makes a number of sentences from a seed."""

    def make(count: int, seed: int = 0) -> list[Sentence]:
        source = random.Random(seed)
        return [made_sentence(source) for _ in range(count)]

    return make


@pytest.fixture(scope="session")
def tiny() -> Config:
    """A network and a training so small that a run takes a second."""
    return Config(
        model=ModelConfig(word_size=12, char_size=6, char_filters=8, casing_size=3, hidden_size=12, input_dropout=0.2),
        training=TrainingConfig(epochs=6, min_steps=0, batch_size=8, learning_rate=0.01),
    )


def changed(config: Config, **values: object) -> Config:
    """The configuration with other values of its fields, whichever table they are in."""
    model = {name: value for name, value in values.items() if hasattr(config.model, name)}
    training = {name: value for name, value in values.items() if hasattr(config.training, name)}
    return Config(model=replace(config.model, **model), training=replace(config.training, **training))  # type: ignore[arg-type]


def same_networks(first: Path, second: Path) -> bool:
    """True if the models in two directories have the same weights."""
    one, other = ([network.state_dict() for network in Model.load(directory).networks] for directory in (first, second))
    return len(one) == len(other) and all(
        weights.keys() == others.keys() and all(torch.equal(weights[name], others[name]) for name in weights)
        for weights, others in zip(one, other, strict=True)
    )


def trainer_for(data: Data, config: Config) -> Trainer:
    """The trainer of a new network for the data."""
    return prepare_trainer(resolve_defaults(data, config.model), config)
