"""Training as a generator of reports: one per epoch; printing, saving and stopping are the caller's."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, fields, replace
from math import ceil, isfinite
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ner_lstm_crf.config import TrainingConfig, weights_of
from ner_lstm_crf.crf import ScoreTables
from ner_lstm_crf.crf.sums import expected_counts
from ner_lstm_crf.errors import InputError, did_you_mean
from ner_lstm_crf.evaluation.metrics import Evaluation, evaluate_spans
from ner_lstm_crf.features.batch import Batch, RaggedSentences, shuffled_batches
from ner_lstm_crf.isolation import computing
from ner_lstm_crf.model.cpu import check_bfloat16
from ner_lstm_crf.model.device import usable_device
from ner_lstm_crf.model.embedding.token_embedding import Taught, TensorBatch
from ner_lstm_crf.model.losses import Objective, StartingNetwork
from ner_lstm_crf.model.network import Network
from ner_lstm_crf.progress import Progress, silent
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.tagging.predictor import predict
from ner_lstm_crf.tags.scheme import OUTSIDE, split_tag
from ner_lstm_crf.tags.tag_set import TagSet
from ner_lstm_crf.text.annotation import Sentence
from ner_lstm_crf.training.optimizer import Optimizer

# Most repetitions of the epochs that a small corpus is given to make up `min_steps`.
_MAX_REPEATS = 10


@dataclass(frozen=True, slots=True)
class DevSet:
    """The sentences that each epoch is measured on: gold sentences and the same encoded.

    Attributes:
        gold: The gold sentences.
        encoded: The same, encoded.
        uncounted: Labels that they do not annotate: what is found of these is not counted.
    """

    gold: Sequence[Sentence]
    encoded: RaggedSentences
    uncounted: frozenset[str] = frozenset()


def evaluate_encoded(model: Model, data: DevSet) -> Evaluation:
    """Span scores of a model on encoded sentences."""
    predicted = predict(model, data.encoded)
    if data.uncounted:
        predicted = [
            tags._replace(spans=tuple(span for span in tags.spans if span.label not in data.uncounted))
            for tags in predicted
        ]
    return evaluate_spans(
        (sentence.spans for sentence in data.gold),
        (tags.spans for tags in predicted),
        ill_formed=(tags.ill_formed for tags in predicted),
    )


@dataclass(frozen=True, slots=True)
class EpochReport:
    """One epoch of training.

    Attributes:
        epoch: Its number, from 1.
        epochs: Number of epochs, unless training stops early.
        loss: Mean negative log-likelihood of a training token, in nats: that of whole sentences, or with the label-wise
            loss the sum of the tokens' negative log marginals, over the number of tokens. Beside a teacher, the mean of
            that and the cross-entropy to the teacher.
        seconds: Time spent training.
        tokens_per_second: Training tokens per second.
        learning_rate: The learning rate of its last step.
        dev: Scores on the dev set; None without one.
        best: True if this is the best epoch so far, the one to keep; each is where dev has no entities to find.
        last: True if the training of this network ends with it.
        network: Number of the network of the ensemble, from 1.
    """

    epoch: int
    epochs: int
    loss: float
    seconds: float
    tokens_per_second: float
    learning_rate: float
    dev: Evaluation | None
    best: bool
    last: bool
    network: int = 1

    def to_json(self) -> dict[str, Any]:
        """The report as a line of `history.jsonl`."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return values | {"dev": self.dev.to_json() if self.dev else None}


class Trainer:
    """Trains the network of a model.

    Every epoch draws its random numbers from the seed and its own number, so that training continued after an epoch
    goes on exactly as if it had never stopped.

    Args:
        model: A model of one network, which is trained in place.
        sentences: The training data, with gold tags; those of sentences that are not labelled do not matter.
        dev: The sentences that each epoch is measured on; None for none.
        config: The training.
        start: The network that unknown tokens are learnt from, where the configuration says so; None for none.
        teacher: The score tables of the teacher whose emissions the sentences have; None without one.

    Attributes:
        max_epochs: Number of epochs, unless training stops early.
        optimizer: Has the averaged weights, which are to be saved: `with trainer.optimizer.averaged_weights()`.

    Raises:
        ValueError: If there are no sentences.
        InputError: If the model has several networks, which are trained apart, the processor lacks the precision that
            a transformer is to be trained in, or the machine lacks the device.
    """

    @computing()
    def __init__(
        self,
        model: Model,
        sentences: RaggedSentences,
        dev: DevSet | None,
        config: TrainingConfig,
        start: Network | None = None,
        teacher: ScoreTables | None = None,
    ) -> None:
        if not len(sentences):
            raise ValueError("expected at least one training sentence, got none")
        if (teacher is None) != (sentences.taught is None):
            raise ValueError("expected the emissions of a teacher and its score tables, got one of them")
        if len(model.networks) > 1:
            raise InputError(f"expected a model of one network to train, got one of {len(model.networks)}")
        self.model, self.network, self.sentences, self.dev, self.config = (
            model,
            model.networks[0],
            sentences,
            dev,
            config,
        )
        model.move(config.device)
        self._device = usable_device(config.device)
        self._teacher = teacher
        self.network.objective = objective_of(model.tags, config, start, self._device)
        encoder = self.network.embedding.fine_tuned()
        self._fine_tune = encoder is not None
        if encoder is not None:
            encoder.in_bfloat16 = config.transformer_precision == "bfloat16"
            if encoder.in_bfloat16 and config.device == "cpu":
                check_bfloat16("transformer_precision")
        # Batches differ in each epoch, so their number may vary by a few; the schedule needs one number.
        steps_per_epoch = len(self._batches(0))
        needed = ceil(config.min_steps / steps_per_epoch)
        self.max_epochs = config.epochs or max(config.min_epochs, min(needed, _MAX_REPEATS * config.min_epochs))
        self.optimizer = Optimizer(self.network, config, self.max_epochs, steps_per_epoch)
        self.epoch, self.best_epoch, self.best_f1 = 0, 0, -1.0

    @property
    def finished(self) -> bool:
        """True if nothing is left to train: all epochs are done, or no dev F1 within the patience was better."""
        waited = self.epoch - self.best_epoch
        return self.epoch >= self.max_epochs or 0 < self.config.patience <= waited

    def epochs(self, progress: Progress = silent) -> Iterator[EpochReport]:
        """Train, one report per epoch.

        The scores are those of the averaged weights. After each epoch the network has the weights that training goes on
        with.

        Args:
            progress: Called with the batches of the current epoch that are done.

        Raises:
            InputError: If the loss is no number: nothing can be learnt from then on.
        """
        while not self.finished:
            started = time.perf_counter()
            self.epoch += 1
            loss, tokens = self._train_epoch(progress)
            seconds = time.perf_counter() - started
            if not isfinite(loss):
                rate = f"learning_rate {self.optimizer.peak:g}"
                raise InputError(f"epoch {self.epoch}: expected a finite loss, got {loss}: is {rate} too high?")
            with self.optimizer.averaged_weights():
                dev = evaluate_encoded(self.model, self.dev) if self.dev else None
            # Without a dev set, or entities in it, nothing tells epochs apart and the last is the best.
            f1 = dev.micro.f1 if dev and dev.micro.gold else float(self.epoch)
            # Of epochs that find nothing the last has learnt most: the patience begins with the first that finds some.
            best = f1 > self.best_f1 or f1 == 0 == self.best_f1
            if best:
                self.best_f1, self.best_epoch = f1, self.epoch
            yield EpochReport(
                epoch=self.epoch,
                epochs=self.max_epochs,
                loss=loss,
                seconds=seconds,
                tokens_per_second=tokens / seconds,
                learning_rate=self.optimizer.learning_rate,
                dev=dev,
                best=best,
                last=self.finished,
            )

    def _train_epoch(self, progress: Progress) -> tuple[float, int]:
        """One pass over the data; returns the mean loss per token, and the number of tokens."""
        network, config = self.network, self.config
        total, tokens = 0.0, 0
        batches = self._batches(self.epoch)
        seed = np.random.SeedSequence([config.seed, self.epoch]).generate_state(1, np.uint64)[0] >> 1
        self.optimizer.start_epoch(self.epoch)
        network.train()
        # A transformer that is trained keeps all the threads of torch; another device has its own.
        is_shared = self._fine_tune or config.device != "cpu"
        threads = nullcontext() if is_shared else network.encoder.parallel_directions()
        network.draw_from(torch.Generator(self._device).manual_seed(int(seed)))  # dropout
        with threads:
            for number, indices in enumerate(batches, 1):
                with computing():
                    sentences = self.sentences.training_batch(indices)
                    batch = network.tensors(sentences)  # (B, T)
                    if self._teacher is not None:
                        taught = taught_by(self._teacher, sentences, config.teacher_weight, self._device)
                        batch = replace(batch, taught=taught)
                    self.optimizer.prepare(batch)  # bring the embedding rows of this batch up to date
                    batch_tokens = int(sentences.lengths.sum())
                    divisor = {"token": batch_tokens, "sentence": len(indices), "sum": 1}[config.reduction]
                    if config.adversarial_epsilon:
                        losses = adversarial_backward(network, batch, config.adversarial_epsilon, 1 / divisor)  # (B,)
                    else:
                        losses = network.loss(batch)  # (B,)
                        (losses.sum() / divisor).backward()  # type: ignore[no-untyped-call]
                    self.optimizer.step()  # schedule, clipping, dense and sparse update, moving average
                    total += losses.detach().sum().item()
                    tokens += batch_tokens
                progress(number, len(batches))
        return total / tokens, tokens

    def _batches(self, epoch: int) -> list[list[int]]:
        """The sentences of each batch of an epoch: of like length, shuffled."""
        random = np.random.default_rng([self.config.seed, epoch])
        lengths = self.sentences.lengths.tolist()
        return shuffled_batches(lengths, random, sentences=self.config.batch_size, tokens=self.config.max_batch_tokens)

    @computing()
    def state(self) -> dict[str, NDArray[Any]]:
        """All that `restore` needs to go on after the last epoch, by name."""
        progress = np.array([self.epoch, self.best_epoch, self.best_f1], np.float64)
        return {"progress": progress} | {name: one.numpy(force=True) for name, one in self.optimizer.state().items()}

    @computing()
    def restore(self, tensors: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what `state` returned.

        Raises:
            ValueError: If something is missing, or it is the state of another network; nothing is changed then.
        """
        progress = tensors.get("progress", np.zeros(0))
        if progress.shape != (3,):
            raise ValueError("expected the state of the same network, 'progress' differs")
        self.optimizer.restore({name: torch.from_numpy(one) for name, one in tensors.items() if name != "progress"})
        epoch, best_epoch, self.best_f1 = progress.tolist()
        self.epoch, self.best_epoch = int(epoch), int(best_epoch)


def taught_by(tables: ScoreTables, batch: Batch, weight: float, device: torch.device) -> Taught:
    """What a teacher says of a batch.

    Args:
        tables: Its score tables.
        batch: Sentences with its emissions.
        weight: The share of the loss of a labelled sentence that is the teacher's; of one without labels it is all.
        device: Where the tensors are to be.

    Raises:
        ValueError: If the batch has no emissions of a teacher.
    """
    if batch.taught is None:
        raise ValueError("expected a batch with the emissions of a teacher, got none")
    tags, transitions = expected_counts(batch.taught, batch.lengths, tables)
    share = np.full(len(batch.lengths), weight, np.float32)
    if batch.labelled is not None:
        share[~batch.labelled] = 1
    return Taught(*(torch.from_numpy(one).to(device) for one in (tags, transitions, share)))


def objective_of(
    tags: TagSet, config: TrainingConfig, start: Network | None = None, device: torch.device | None = None
) -> Objective:
    """The loss that a configuration asks for.

    Args:
        tags: The tags of the network.
        config: The training.
        start: The trained network, of the same tags, that unknown tokens are learnt from; None for none.
        device: Where the network is; None for the CPU.

    Raises:
        InputError: If it weighs a label that the tags lack.
    """
    # 1. The weight of each tag is that of its label.
    weights = weights_of(config.class_weights)
    labels = [split_tag(name)[1] if name != OUTSIDE else OUTSIDE for name in tags.names]
    if unknown := [label for label in weights if label not in labels]:
        near = "".join(did_you_mean(label, labels) for label in unknown)
        raise InputError(f"class_weights: expected labels of the model, got {', '.join(unknown)}{near}")
    weight = torch.tensor([weights.get(label, 1.0) for label in labels])
    # 2. Mistakes cost where one of two tags is O, which is the first.
    costs = torch.zeros(len(tags), len(tags))
    costs[1:, 0], costs[0, 1:] = config.missed_cost, config.spurious_cost
    # 3. The network that training started from is read without dropout.
    first = None
    if start is not None:
        network = start.eval().to(device)
        first = StartingNetwork(network.head, lambda batch: network.emissions(network.embedding(batch), batch.lengths))
    used = costs.to(device) if costs.any() else None, weight.to(device) if weights else None
    return Objective(*used, config.entity_ratio, first)


_MIN_NORM = 1e-12  # of a gradient; a smaller one has nothing to teach, and no direction to trust


def adversarial_backward(network: Network, batch: TensorBatch, epsilon: float, factor: float) -> Tensor:
    """Add the gradients of a loss: half that of the batch, and half that of the batch with perturbed vectors.

    Args:
        network: Its weights have the gradients afterwards.
        batch: Sentences with gold tags.
        epsilon: Size of the perturbation, see `fgm_perturbation`.
        factor: The loss, summed over the sentences, is multiplied by it.

    Returns:
        The loss of each sentence as it is (B,), without a graph.

    Raises:
        ValueError: If the batch has no gold tags.
    """
    # 1. The sentences as they are. The vectors are cut off from the embedding, which is passed through only once.
    vectors = network.embedding(batch)  # (B, T, D)
    leaf = vectors.detach().requires_grad_()
    losses = network.loss_from_vectors(leaf, batch)  # (B,)
    (losses.sum() * (factor / 2)).backward()  # type: ignore[no-untyped-call]
    if leaf.grad is None:
        raise ValueError("expected a loss that depends on the vectors")
    # 2. The adversarial pass: the same vectors, perturbed along the gradient of the loss.
    perturbed = leaf + fgm_perturbation(leaf.grad / (factor / 2), batch.lengths, epsilon)
    harder = network.loss_from_vectors(perturbed, batch)
    (harder.sum() * (factor / 2)).backward()  # type: ignore[no-untyped-call]
    # 3. The gradients of both passes go on into the embedding.
    vectors.backward(leaf.grad)
    return losses.detach()


def fgm_perturbation(gradient: Tensor, lengths: Tensor, epsilon: float) -> Tensor:
    """The step that is added to the vectors of each sentence (B, T, D): along the gradient, of norm epsilon * sqrt(T).

    So the root mean square over the tokens of a sentence is `epsilon`. A sentence without a gradient has none.

    Args:
        gradient: The gradient of each sentence's loss (B, T, D), zero where it is padded.
        lengths: Tokens of each sentence (B,).
        epsilon: See above.
    """
    norms = gradient.flatten(1).norm(dim=1)  # (B,)
    scale: Tensor = epsilon * lengths.to(gradient).sqrt() / norms.clamp(min=_MIN_NORM)
    scale = scale.masked_fill(norms < _MIN_NORM, 0)
    return gradient * scale.view(-1, 1, 1)
