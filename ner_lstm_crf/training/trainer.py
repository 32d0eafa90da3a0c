"""Training as a generator of reports: one per epoch; printing, saving and stopping are the caller's."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from math import ceil, isfinite
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ner_lstm_crf.config import TrainingConfig
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.evaluation.metrics import Evaluation, evaluate_decoded
from ner_lstm_crf.features.batch import EncodedSentence
from ner_lstm_crf.features.batching import shuffled_batches
from ner_lstm_crf.model.network import Network
from ner_lstm_crf.model.threads import one_thread
from ner_lstm_crf.progress import Progress, silent
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.tagging.predictor import predict
from ner_lstm_crf.text.annotation import Sentence
from ner_lstm_crf.training.adversarial import adversarial_backward
from ner_lstm_crf.training.optimizer import (
    ExponentialMovingAverage,
    clip_gradients,
    kept_by_optimizer,
    learning_rate_factor,
    make_optimizer,
    set_learning_rate,
    set_transformer_precision,
)
from ner_lstm_crf.training.state import check_state

__all__ = ["DevSet", "EpochReport", "Trainer", "evaluate_encoded"]

# A corpus of a few sentences is not passed over for ever to make up the least number of steps.
MOST_REPEATS = 10


@dataclass(frozen=True, slots=True)
class DevSet:
    """What each epoch is measured on: gold sentences and the same as numbers."""

    gold: Sequence[Sentence]
    encoded: Sequence[EncodedSentence]


@dataclass(frozen=True, slots=True)
class EpochReport:
    """One epoch of training.

    Attributes:
        epoch: Its number, from 1.
        epochs: How many there will be at most.
        loss: Mean negative log-likelihood of a training token, in nats: that of whole sentences, or with the label-wise
            loss the sum of the tokens' negative log marginals, over the number of tokens.
        seconds: Time spent training.
        tokens_per_second: Training tokens per second.
        learning_rate: The learning rate of its last step.
        dev: Scores on the dev set; None without one.
        best: Whether this is the best epoch so far, the one to keep; each is where dev has no entities to find.
        last: Whether the training of this network ends here.
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

    def to_json(self) -> dict[str, Any]:
        """The report as a line of `history.jsonl`."""
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in ("dev", "last")}
        return values | {"dev": self.dev.to_json() if self.dev else None}


class Trainer:
    """Trains the network of an model.

    Every epoch draws its random numbers from the seed and its own number, so that training continued after an epoch
    goes on exactly as if it had never stopped.

    Args:
        model: What is trained, in place.
        sentences: The training data, with gold tags.
        dev: What each epoch is measured on; None for nothing.
        config: How to train.

    Attributes:
        epochs: How many epochs there will be at most.

    Raises:
        ValueError: If there are no sentences.
        InputError: If the model has several networks, which are trained apart, or the processor lacks the precision
            that a transformer is to be trained in.
    """

    def __init__(
        self, model: Model, sentences: Sequence[EncodedSentence], dev: DevSet | None, config: TrainingConfig
    ) -> None:
        if not sentences:
            raise ValueError("expected at least one training sentence, got none")
        self.model, self.sentences, self.dev, self.config = model, sentences, dev, config
        self.network = model.single
        self._lengths = [len(sentence) for sentence in sentences]
        # Batches are drawn anew in each epoch, so their number may vary by a few; the schedule needs one number.
        self._steps_per_epoch = len(self._batches(0))
        needed = ceil(config.min_steps / self._steps_per_epoch)
        self.epochs = max(config.epochs, min(needed, MOST_REPEATS * config.epochs))
        self.optimizer, self.tables = make_optimizer(self.network, config, self.epochs * self._steps_per_epoch)
        set_transformer_precision(self.network, config)
        self._weights = [weight for group in self.optimizer.param_groups for weight in group["params"]]
        self.average = ExponentialMovingAverage(self._weights, config.ema_decay, self.tables.all_rows)
        self.epoch, self.best_epoch, self.best_f1 = 0, 0, -1.0

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to train: all epochs done, or no better dev F1 within the patience."""
        waited = self.epoch - self.best_epoch
        return self.epoch >= self.epochs or 0 < self.config.patience <= waited

    def run(self, progress: Progress = silent) -> Generator[EpochReport, None, None]:
        """Train epoch after epoch.

        The scores are those of the averaged weights, which the network has within `with trainer.average.applied()`:
        save the model there. Outside, it has the weights that training goes on with.

        Args:
            progress: Told the batches of the current epoch done so far.
        """
        while not self.finished:
            began = time.perf_counter()
            self.epoch += 1
            loss, tokens = self._train_epoch(progress)
            seconds = time.perf_counter() - began
            with self.average.applied():
                dev = evaluate_encoded(self.model, self.dev) if self.dev else None
            # Without a dev set, or entities in it, nothing tells epochs apart and the last is the best.
            f1 = dev.micro.f1 if dev and dev.support else float(self.epoch)
            higher = f1 > self.best_f1
            best = higher or f1 == 0 == self.best_f1  # of epochs that find nothing the last knows most
            if higher:
                self.best_f1, self.best_epoch = f1, self.epoch
            yield EpochReport(
                epoch=self.epoch,
                epochs=self.epochs,
                loss=loss,
                seconds=seconds,
                tokens_per_second=tokens / seconds,
                learning_rate=self.optimizer.param_groups[0]["lr"],
                dev=dev,
                best=best,
                last=self.finished,
            )

    def _batches(self, epoch: int) -> list[list[int]]:
        random = np.random.default_rng([self.config.seed, epoch])
        return shuffled_batches(
            self._lengths, random, sentences=self.config.batch_size, tokens=self.config.max_batch_tokens
        )

    def _train_epoch(self, progress: Progress) -> tuple[float, int]:
        """One pass over the data; returns the mean loss per token, and the tokens, which replaced entities vary.

        Raises:
            InputError: If the loss is no number: what is learnt from then on is nothing.
        """
        batches = self._batches(self.epoch)
        steps = self.epochs * self._steps_per_epoch
        self.network.train()
        total, tokens = torch.zeros((), dtype=torch.float64), 0
        with torch.random.fork_rng(devices=[]), self.tables.sparse(), self._cores():
            torch.manual_seed(_mixed(self.config.seed, self.epoch))
            for number, batch in enumerate(batches):
                step = min((self.epoch - 1) * self._steps_per_epoch + number, steps - 1)
                factor = learning_rate_factor(step, steps, self._steps_per_epoch, self.config)
                set_learning_rate(self.optimizer, factor)
                sentences = [self.sentences[index] for index in batch]
                total += self._step(sentences)
                tokens += sum(map(len, sentences))
                progress(number + 1, len(batches))
        loss = total.item() / tokens
        if not isfinite(loss):
            rate = f"learning_rate {self.optimizer.param_groups[0]['peak']:g}"
            raise InputError(f"epoch {self.epoch}: expected a finite loss, got {loss}: is {rate} too high?")
        return loss, tokens

    @contextmanager
    def _cores(self) -> Iterator[None]:
        """Let each direction of the encoder have a core; what else there is to do is too little to be shared.

        A transformer that is trained is not: it keeps all the threads of torch.
        """
        network = self.network
        contextual = network.embedding.contextual
        if torch.get_num_threads() == 1 or (contextual is not None and contextual.transformer.fine_tune):
            yield
            return
        network.encoder.side_by_side = True
        try:
            with one_thread():
                yield
        finally:
            network.encoder.side_by_side = False

    def _step(self, sentences: Sequence[EncodedSentence]) -> Tensor:
        """One step of the optimizer; returns the summed loss of the batch."""
        network, config = self.network, self.config
        batch = self.model.featurizer.collate(sentences)
        self.tables.catch_up(batch)
        divisors = {"token": sum(len(sentence) for sentence in sentences), "sentence": len(sentences), "sum": 1}
        divisor = divisors[config.reduction]
        if config.adversarial_epsilon:
            losses = adversarial_backward(network, batch, config.adversarial_epsilon, 1 / divisor)
        else:
            losses = network.loss(batch)
            (losses.sum() / divisor).backward()  # type: ignore[no-untyped-call]
        self._update()
        return losses.detach().sum()

    def _update(self) -> None:
        """Move the weights along their gradients, which are used up."""
        gradients = [weight.grad for weight in self._weights if weight.grad is not None]
        touched = self.tables.gradients()
        if self.config.max_grad_norm:
            clip_gradients([*gradients, *(gradient for _, _, gradient in touched)], self.config.max_grad_norm)
        with self.tables.scaled_updates():
            self.optimizer.step()
        torch.autograd.graph.increment_version(self._weights)  # fused optimizers do not say that they change weights
        self.optimizer.zero_grad()
        self.tables.step(touched, self.optimizer.param_groups[0]["lr"], self.average.next_kept())
        self.average.update()

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """All that `restore` needs to go on after the last epoch: tensors by name, and numbers."""
        tensors = {f"network.{name}": weight for name, weight in _trained(self.network)}
        tensors |= {f"average.{number}": weight for number, weight in enumerate(self.average.average)}
        for weight, values in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{weight}.{name}": value for name, value in values.items() if value is not None}
        rows, row_numbers = self.tables.state()
        tensors |= {f"rows.{name}": tensor for name, tensor in rows.items()}
        numbers = {
            "epoch": self.epoch,
            "best_epoch": self.best_epoch,
            "best_f1": self.best_f1,
            "average_steps": self.average.steps,
            "rows": row_numbers,
        }
        return {name: tensor.detach() for name, tensor in tensors.items()}, numbers

    def restore(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
        """Take up the state that `state` returned.

        Raises:
            ValueError: If something is missing, or it is the state of another network; nothing was taken up then.
        """
        kept = kept_by_optimizer(self.config)
        check_state(self.state(), (tensors, numbers), [weight.shape for weight in self._weights], kept)
        with torch.no_grad():
            for name, weight in _trained(self.network):
                weight.copy_(tensors[f"network.{name}"])
            for number, weight in enumerate(self.average.average):
                weight.copy_(tensors[f"average.{number}"])
        optimizer = self.optimizer.state_dict()
        for name, tensor in tensors.items():
            if name.startswith("optimizer."):
                _, index, key = name.split(".")
                optimizer["state"].setdefault(int(index), {})[key] = tensor
        self.optimizer.load_state_dict(optimizer)
        self.epoch, self.best_epoch = numbers["epoch"], numbers["best_epoch"]
        self.best_f1, self.average.steps = numbers["best_f1"], numbers["average_steps"]
        rows = {name.removeprefix("rows."): tensor for name, tensor in tensors.items() if name.startswith("rows.")}
        self.tables.restore(rows, numbers["rows"])


def evaluate_encoded(model: Model, data: DevSet, progress: Progress = silent) -> Evaluation:
    """Span scores of the network as it stands."""
    return evaluate_decoded(data.gold, predict(model, data.encoded, progress=progress))


def _trained(network: Network) -> list[tuple[str, Tensor]]:
    return [(name, weight) for name, weight in network.named_parameters() if weight.requires_grad]


def _mixed(seed: int, epoch: int) -> int:
    """One seed for torch out of two numbers."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0] >> 1)
