"""Small models of every shape, with random weights, and sentences for them."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.features.vectors import Vectors
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.text.annotation import Sentence, Span

__all__ = ["random_model", "random_sentences", "weights_of"]

KNOWN = ["Anna", "met", "Öslo-3", "in", "北", "京", "1998", "x" * 40]
FROZEN = ["nowhere", "海", "elsewhere"]


def random_sentences(random_source: random.Random, unit: str, count: int) -> list[list[str]]:
    """Sentences of known, frozen and unknown words, or of such characters; empty words too."""
    words = [*KNOWN, *FROZEN, "unseen", "", "Ünseen-77", "大"]
    if unit == "character":
        words = [*"".join(words), ""]
    return [random_source.choices(words, k=random_source.randint(1, 12)) for _ in range(count)]


def random_model(seed: int) -> Model:
    """A model in evaluation mode: one to three layers and networks, features on and off, one of the heads."""
    source = random.Random(seed)
    unit = source.choice(["word", "character"])
    config = ModelConfig(
        head=source.choice(["crf", "softmax"]),
        token_unit=unit,
        hidden_size=source.randint(3, 20),
        layers=source.randint(1, 3),
        residual=source.random() < 0.5,
        word_size=6,
        char_size=5,
        char_filters=source.choice([0, 3, 17]),
        char_widths=tuple(sorted(source.sample(range(1, 6), source.randint(1, 3)))),
        casing_size=source.choice([0, 3]),
        bigram_size=source.choice([0, 4]),
        lexicon_size=4,
        gazetteer_size=3,
        char_encoder="intnet" if seed % 3 == 1 else "cnn",
        char_blocks=1 + seed % 2,
    )
    sentences = [
        Sentence.from_words([word or "a" for word in words], [Span(0, 1, source.choice(["PER", "LOC"]))])
        for words in random_sentences(source, unit, 8)
    ]
    lexicon = {"北京": "ns", "in": "", "met": "v", "北京大": ""} if unit == "character" and seed % 2 else None
    vectors = None
    if source.random() < 0.7:
        numbers = np.random.default_rng(seed)
        vectors = Vectors([*KNOWN, *FROZEN], numbers.normal(size=(len(KNOWN + FROZEN), 6)).astype(np.float32))
    of_words = None
    if lexicon is not None and seed % 3:
        of_words = Vectors(("in", "北京大"), np.random.default_rng(seed).normal(size=(2, 4)))
    names = [("Anna", "given"), ("met in", "odd"), ("in", "odd")] if unit == "word" and seed % 2 else None
    given: dict[str, Any] = {"vectors": vectors, "lexicon": lexicon, "lexicon_vectors": of_words, "names": names}
    models = [Model.build(sentences, config, **given, seed=seed + number) for number in range(source.choice([1, 1, 3]))]
    # Weights that are zero at first get values, too.
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for model in models:
            for network in model.networks:
                network.eval()
                for name, weight in network.named_parameters():
                    weight.add_(0.3 * torch.randn(weight.shape, generator=generator))
                    if name == "embedding.characters.embedding.weight":
                        weight[0] = 0
    return replace(Model.ensemble(models), temperature=1.3) if len(models) > 1 else models[0]


def weights_of(model: Model) -> list[dict[str, np.ndarray]]:
    """The weights of each network by name."""
    return [{name: one.numpy() for name, one in network.state_dict().items()} for network in model.networks]
