"""A made corpus that a small network learns in seconds."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from ner_lstm_crf.config import Config, ModelConfig, TrainingConfig
from ner_lstm_crf.text.annotation import Sentence, Span

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
