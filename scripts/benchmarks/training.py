"""`benchmark.py train`: an epoch over the first sentences of the training data, with the preset `fast`.

    train/1-thread, train/2-threads                          each batch once, as the baseline and the floor do
    train/1-thread/adversarial, train/2-threads/adversarial  as the preset does, with an adversarial pass (FGM)

The vocabulary and the table of words are those of all training data. The baseline is `handrolled.HandRolled`
of the same size. The floor is the bare LSTM, forward and backward, on batches cut as the trainer cuts them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.floor import BareLstm
from benchmarks.handrolled import HandRolled
from benchmarks.measure import Result, WrongAnswerError, interleave, say
from benchmarks.text import Corpus
from ner_lstm_crf.config import Config, TrainingConfig
from ner_lstm_crf.features.batch import shuffled_batches
from ner_lstm_crf.features.vectors import Vectors, read_vectors
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.text.annotation import Sentence
from ner_lstm_crf.training.trainer import Trainer

__all__ = ["Prepared", "named", "prepare", "run", "training_shapes", "write_model"]

VECTORS_LIMIT = 400_000  # as the command line reads


@dataclass(frozen=True, slots=True)
class Prepared:
    """The data and the settings of a training.

    Attributes:
        corpus: The corpus.
        vectors: Pretrained vectors; None for random ones.
        config: The model and its training; its `word_size` is that of the vectors.
    """

    corpus: Corpus
    vectors: Vectors | None
    config: Config


def prepare(corpus: Corpus, vectors: Path | None, config: Config) -> Prepared:
    """Read the vectors, if there is a file of them.

    Raises:
        InputError: If it cannot be read or is malformed.
    """
    if vectors is None:
        return Prepared(corpus, None, config)
    read = read_vectors(vectors, limit=VECTORS_LIMIT)
    return Prepared(corpus, read, replace(config, model=replace(config.model, word_size=read.size)))


def run(prepared: Prepared, sentences: int, repeats: int, threads: Sequence[int]) -> list[Result]:
    """Time one epoch over so many sentences, for each number of threads.

    Raises:
        WrongAnswerError: If a loss is no number.
    """
    chosen = prepared.corpus.train[:sentences]
    tokens = sum(len(sentence.tokens) for sentence in chosen)
    results = []
    for count in threads:
        say(f"train, {len(chosen):,} sentences, {named(count)}")
        torch.set_num_threads(count)
        contenders = {
            "ours": _our_epochs(prepared, chosen, repeats, adversarial_epsilon=0.0),
            "adversarial": _our_epochs(
                prepared, chosen, repeats, adversarial_epsilon=prepared.config.training.adversarial_epsilon
            ),
            "baseline": _baseline_epochs(prepared, chosen),
            "floor": BareLstm(prepared.config.model, training_shapes(chosen, prepared.config.training)).train,
        }
        samples = interleave(contenders, repeats, least_seconds=0)
        for case, ours in ((named(count), "ours"), (f"{named(count)}/adversarial", "adversarial")):
            sides = samples | {"ours": samples[ours]}
            results.append(Result.of(f"train/{case}", sides, threads=count, tokens=tokens))
    return results


def named(threads: int) -> str:
    """`1-thread`, `2-threads`."""
    return f"{threads}-thread{'s' if threads > 1 else ''}"


def training_shapes(sentences: Sequence[Sentence], config: TrainingConfig) -> list[tuple[int, int]]:
    """The batches of an epoch of training: sentences and longest length of each."""
    lengths = [len(sentence.tokens) for sentence in sentences]
    random = np.random.default_rng([config.seed, 1])
    batches = shuffled_batches(lengths, random, sentences=config.batch_size, tokens=config.max_batch_tokens)
    return [(len(batch), max(lengths[number] for number in batch)) for batch in batches]


def _our_epochs(
    prepared: Prepared, sentences: Sequence[Sentence], repeats: int, *, adversarial_epsilon: float
) -> Callable[[], None]:
    """The next epoch, at each call."""
    model = _new_model(prepared)
    encoded = model.encode(sentences, gold=True)
    # One epoch for each sample and a few to warm up.
    config = replace(prepared.config.training, epochs=repeats + 3, min_steps=0, adversarial_epsilon=adversarial_epsilon)
    epochs = Trainer(model, encoded, None, config).epochs()

    def epoch() -> None:
        loss = next(epochs).loss
        if not math.isfinite(loss):
            raise WrongAnswerError(f"training: expected a finite loss, got {loss}")

    return epoch


def _baseline_epochs(prepared: Prepared, sentences: Sequence[Sentence]) -> Callable[[], None]:
    corpus = prepared.corpus
    also = (token.text for sentence in corpus.test for token in sentence.tokens)
    baseline = HandRolled(corpus.train, prepared.config.model, prepared.vectors, also)

    def epoch() -> None:
        loss = baseline.train_epoch(sentences)
        if not math.isfinite(loss):
            raise WrongAnswerError(f"baseline's training: expected a finite loss, got {loss}")

    return epoch


def write_model(prepared: Prepared, sentences: int, directory: Path) -> None:
    """Train a model that finds some entities and save it: two epochs over so many sentences, but all their words."""
    model = _new_model(prepared)
    encoded = model.encode(prepared.corpus.train[:sentences], gold=True)
    trainer = Trainer(model, encoded, None, replace(prepared.config.training, epochs=2, min_steps=0))
    for _ in trainer.epochs():
        pass
    with trainer.optimizer.averaged_weights():
        model.save(directory)


def _new_model(prepared: Prepared) -> Model:
    return Model.build(prepared.corpus.train, prepared.config.model, vectors=prepared.vectors)
