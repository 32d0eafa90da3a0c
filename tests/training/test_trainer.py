"""Training learns, repeats itself, and goes on where it stopped."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest
import torch

from ner_lstm_crf.config import MAX_LR, MIN_LR, PRESETS, Config
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.vectors import Vectors
from ner_lstm_crf.model import bilstm
from ner_lstm_crf.runs.data import Data
from ner_lstm_crf.runs.run import Run
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.tagging.predictor import predict
from ner_lstm_crf.text.annotation import Sentence, Span
from ner_lstm_crf.training.trainer import DevSet, Trainer
from tests.made import changed, same_networks, trainer_for

Make = Callable[..., list[Sentence]]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"head": "softmax"},
        {"crf_loss": "labelwise"},
        {"scheme": "IOB2", "layers": 2, "char_widths": (2, 3)},
        {"char_encoder": "intnet", "char_widths": (3, 5), "char_blocks": 2},
        {"optimizer": "sgd", "learning_rate": 0.1, "momentum": 0.9, "schedule": "inverse", "ema_decay": 0.0},
        {"char_filters": 0, "casing_size": 0, "reduction": "token"},
    ],
    ids=str,
)
def test_every_kind_of_network_learns(
    make_sentences: Make, tiny: Config, tmp_path: Path, settings: dict[str, object]
) -> None:
    data = Data(make_sentences(200), make_sentences(40, seed=1))
    reports = list(Run(tmp_path).epochs(data, changed(tiny, **settings)))
    assert reports[-1].loss < reports[0].loss
    assert reports[-1].last
    assert max(report.dev.micro.f1 for report in reports if report.dev) > 0.9
    assert [entry["epoch"] for entry in Run(tmp_path).history()] == [report.epoch for report in reports]


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(
    make_sentences: Make, tiny: Config, tmp_path: Path
) -> None:
    data = Data(make_sentences(60), make_sentences(10, seed=1))
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        list(Run(tmp_path / name).epochs(data, changed(tiny, seed=seed, epochs=2)))
    assert same_networks(tmp_path / "a", tmp_path / "b")
    assert not same_networks(tmp_path / "a", tmp_path / "c")


@pytest.mark.parametrize("settings", [{}, {"hidden_size": 60}, {"head": "softmax", "layers": 2}], ids=str)
def test_a_second_core_changes_nothing(
    make_sentences: Make, tiny: Config, monkeypatch: pytest.MonkeyPatch, settings: dict[str, object]
) -> None:
    data, threads, used = Data(make_sentences(40)), torch.get_num_threads(), set()
    ends: list[tuple[list[float], dict[str, torch.Tensor]]] = []
    run_lstm = bilstm.run_lstm
    monkeypatch.setattr(bilstm, "run_lstm", lambda *args: used.add(threading.get_ident()) or run_lstm(*args))
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            trainer = trainer_for(data, changed(tiny, epochs=3, **settings))
            ends.append(([report.loss for report in trainer.epochs()], trainer.network.state_dict()))
            assert (len(used) > 1) == (count == 2)
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)
    assert ends[0][0] == ends[1][0]
    assert all(torch.equal(weight, ends[1][1][name]) for name, weight in ends[0][1].items())


def test_training_that_diverges_ends_with_an_error(make_sentences: Make, tiny: Config, tmp_path: Path) -> None:
    data = Data(make_sentences(40), make_sentences(10, seed=1))
    reports = []
    with pytest.raises(
        InputError, match=r"epoch \d: expected a finite loss, got nan: is learning_rate 1e\+30 too high"
    ):
        reports += Run(tmp_path / "run").epochs(data, changed(tiny, epochs=5, learning_rate=1e30, weight_decay=0.0))
    assert len(reports) < 5


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_weights_tell_that_they_were_trained(make_sentences: Make, tiny: Config, optimizer: str) -> None:
    trainer = trainer_for(Data(make_sentences(20)), changed(tiny, optimizer=optimizer, ema_decay=0.0, epochs=1))
    network = trainer.network
    before = {name: weight._version for name, weight in network.named_parameters()}
    next(trainer.epochs())
    assert all(weight._version > before[name] for name, weight in network.named_parameters())
    assert not network.embedding.tables["word"].sparse_gradient  # another loop over the network has dense gradients


def test_a_report_is_written_without_the_scores_of_each_sentence(make_sentences: Make, tiny: Config) -> None:
    report = next(trainer_for(Data(make_sentences(20), make_sentences(5, seed=1)), tiny).epochs())
    written = report.to_json()
    assert report.dev is not None
    assert written.pop("dev") == report.dev.to_json()
    assert written == {name: getattr(report, name) for name in written}
    assert written.keys() == {field.name for field in dataclasses.fields(report)} - {"dev"}


def test_a_prediction_that_fails_leaves_the_network_training(
    make_sentences: Make, tiny: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = trainer_for(Data(make_sentences(20)), tiny)
    trainer.network.train()

    def refuse(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ner_lstm_crf.tagging.predictor.Predictor._decode_batch", refuse)
    with pytest.raises(KeyboardInterrupt):
        predict(trainer.model, trainer.sentences)
    assert trainer.network.training


def test_training_stops_when_dev_f1_no_longer_rises(make_sentences: Make, tiny: Config, tmp_path: Path) -> None:
    config = changed(tiny, epochs=60, patience=2)
    reports = list(Run(tmp_path).epochs(Data(make_sentences(60), make_sentences(5, seed=1)), config))
    best = max(report.epoch for report in reports if report.best)
    assert len(reports) == best + 2 < 60
    assert reports[-1].last


def test_of_epochs_that_find_nothing_the_last_is_kept(make_sentences: Make, tiny: Config, tmp_path: Path) -> None:
    unknown = [sentence.with_spans([Span(0, 1, "UNKNOWN")]) for sentence in make_sentences(5, seed=1)]
    reports = list(Run(tmp_path / "m").epochs(Data(make_sentences(20), unknown), changed(tiny, epochs=3)))
    assert [report.best for report in reports] == [True, True, True]
    list(Run(tmp_path / "last").epochs(Data(make_sentences(20)), changed(tiny, epochs=3)))
    assert same_networks(tmp_path / "m", tmp_path / "last")


def test_the_patience_begins_with_the_first_epoch_that_finds_an_entity(make_sentences: Make, tiny: Config) -> None:
    dev = make_sentences(10, seed=1)
    unknown = [sentence.with_spans([Span(0, 1, "UNKNOWN")]) for sentence in dev]
    config = changed(tiny, epochs=9, patience=2, learning_rate=0.0)
    for of_dev, epochs in ((dev, 3), (unknown, 9)):  # with a learning rate of 0 the first epoch is as good as the last
        trained = trainer_for(Data(make_sentences(40), dev), changed(tiny, epochs=6))
        list(trained.epochs())
        gold = DevSet(of_dev, trained.model.encode(of_dev))
        trainer = Trainer(trained.model, trained.sentences, gold, config.training)
        assert len(list(trainer.epochs())) == epochs


def test_the_loss_of_an_epoch_does_not_depend_on_how_it_is_divided_for_the_step(
    make_sentences: Make, tiny: Config
) -> None:
    """Reported losses are nats per token whatever the reduction; with a learning rate of 0 they are equal."""
    losses = []
    for reduction in ("token", "sentence", "sum"):
        config = changed(tiny, reduction=reduction, learning_rate=0.0, epochs=1)
        losses.append(next(trainer_for(Data(make_sentences(30)), config).epochs()).loss)
    assert losses[0] == losses[1] == losses[2]


@pytest.mark.parametrize("reduction", ["token", "sentence", "sum"])
def test_a_step_goes_along_the_gradient_of_the_loss_divided_so(
    make_sentences: Make, tiny: Config, reduction: str
) -> None:
    parts = ("word", "char", "input", "recurrent", "output")
    plain = changed(
        tiny, epochs=1, adversarial_epsilon=0.0, ema_decay=0.0, **{f"{part}_dropout": 0.0 for part in parts}
    )
    plain = changed(plain, optimizer="sgd", weight_decay=0.0, max_grad_norm=0.0, schedule="constant", warmup_ratio=0.0)
    config = changed(plain, reduction=reduction, learning_rate=0.5)
    sentences = make_sentences(tiny.training.batch_size)  # one batch
    trainer = trainer_for(Data(sentences), config)
    network, weight = trainer.network, trainer.network.projection.weight
    before, encoded = weight.detach().clone(), trainer.sentences
    network.train()
    divisor = {"token": int(encoded.lengths.sum()), "sentence": len(encoded), "sum": 1}[reduction]
    batch = network.tensors(encoded.training_batch(range(len(encoded))))
    loss = network.loss(batch).sum() / divisor
    (gradient,) = torch.autograd.grad(loss, [weight])
    next(trainer.epochs())
    torch.testing.assert_close(weight.detach(), before - 0.5 * gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("token_unit", ["word", "character"])
def test_training_moves_tables_of_vectors_as_it_would_without_kernels(
    make_sentences: Make, tiny: Config, token_unit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that are stale when a batch reads them, or when an epoch is measured, would show."""
    first = [Span(0, 2, "PER")]
    sentences = [Sentence.from_words([c for word in s.words for c in word], first) for s in make_sentences(40)]
    data = Data(make_sentences(40) if token_unit == "word" else sentences, lexicon=None, vectors=None)
    config = changed(tiny, token_unit=token_unit, epochs=3, learning_rate=0.02, weight_decay=0.1, max_grad_norm=0.5)
    found = []
    for serves in (True, False):
        if not serves:
            monkeypatch.setattr("ner_lstm_crf.training.optimizer.available_for", lambda _: False)
        trainer = trainer_for(data, config)
        assert bool(trainer.optimizer._sparse.weights) == serves
        assert ("bigrams" in trainer.network.embedding.tables) == (token_unit == "character")
        losses = [report.loss for report in trainer.epochs()]
        with trainer.optimizer.averaged_weights():
            tables = trainer.network.embedding.tables
            averages = {name: table.trainable.detach().clone() for name, table in tables.items()}
        found.append((losses, averages))
    (losses, averages), (expected_losses, expected) = found
    assert losses == pytest.approx(expected_losses, rel=2e-3)
    for name, average in averages.items():
        assert (average - expected[name]).abs().mean() < 0.02 * expected[name].std()


def test_the_learning_rate_is_that_of_the_length_of_the_run(make_sentences: Make, tiny: Config, tmp_path: Path) -> None:
    data, config = (
        Data(make_sentences(20)),
        changed(tiny, epochs=2, warmup_ratio=0.0, schedule="constant", learning_rate=None),
    )
    assert {report.learning_rate for report in trainer_for(data, config).epochs()} == {MAX_LR}
    long = changed(config, epochs=5000, min_steps=0)
    assert next(trainer_for(data, long).epochs()).learning_rate == MIN_LR
    list(Run(tmp_path).epochs(data, changed(config, epochs=1)))
    onward = dataclasses.replace(data, init_from=tmp_path)  # what it knows is not to be lost in a few long steps
    begun = dataclasses.replace(config, model=Model.load(tmp_path).config)
    assert next(trainer_for(onward, begun).epochs()).learning_rate == MIN_LR


@pytest.mark.parametrize("how", ["sgd", "adamw", "adamw without kernels"])
def test_pretrained_vectors_are_moved_by_their_share_of_the_learning_rate(
    make_sentences: Make, tiny: Config, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if how == "adamw without kernels":
        monkeypatch.setattr("ner_lstm_crf.training.optimizer.available_for", lambda _: False)
    matrix = np.random.default_rng(0).normal(size=(3, 12)).astype(np.float32)
    vectors = Vectors(("met", "in", "oslo"), matrix)
    moved = {}
    for rate in (0.0, 0.25, 1.0):
        # One step: what comes after depends on what the first has done.
        settings = {"optimizer": how.split(maxsplit=1)[0], "pretrained_lr_scale": rate, "batch_size": 40, "epochs": 1}
        config = changed(tiny, **settings, ema_decay=0.0, weight_decay=0.0, max_grad_norm=0.0)
        trainer = trainer_for(Data(make_sentences(40), vectors=vectors), config)
        word = trainer.network.embedding.tables["word"]
        before = word.trainable.detach().clone()
        next(trainer.epochs())
        trainer.state()  # brings all word vectors up to date
        moved[rate] = word.trainable.detach() - before
        assert word.pretrained.sum() == 3
    known = word.pretrained
    assert (moved[0.0][known] == 0).all()
    assert (moved[1.0][known].abs().amax(1) > 0).all()
    torch.testing.assert_close(moved[0.25][known], 0.25 * moved[1.0][known], rtol=1e-3, atol=1e-6)
    for rate in (0.0, 0.25):
        torch.testing.assert_close(moved[rate][~known], moved[1.0][~known], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", PRESETS)
def test_epochs_that_are_set_are_trained_whatever_the_preset_and_however_small_the_corpus(
    make_sentences: Make, tiny: Config, name: str
) -> None:
    data, training = Data(make_sentences(20)), PRESETS[name].training
    least = trainer_for(data, Config(model=tiny.model, training=dataclasses.replace(training, ensemble_size=1)))
    assert least.max_epochs == (10 * training.min_epochs if training.min_steps else training.min_epochs)
    two = dataclasses.replace(training, epochs=2, ensemble_size=1)
    assert trainer_for(data, Config(model=tiny.model, training=two)).max_epochs == 2


def test_too_long_a_sentence_is_trained_on_in_pieces(make_sentences: Make, tiny: Config, tmp_path: Path) -> None:
    made = make_sentences(400)
    starts = accumulate((len(one.tokens) for one in made), initial=0)
    spans = [
        (start + span.start, start + span.end, span.label)
        for start, one in zip(starts, made, strict=False)
        for span in one.spans
    ]
    long = Sentence.from_words([word for one in made for word in one.words], spans)
    assert len(long.tokens) > 2000
    trainer = trainer_for(Data([*made[:20], long]), changed(tiny, epochs=1))
    encoded = trainer.model.encode([long], gold=True)
    assert encoded.lengths.max() <= 2000
    assert encoded.lengths.sum() == len(long.tokens)
    assert encoded.tags is not None
    assert sum(len(decoded.spans) for decoded in trainer.model.tags.decode_all(encoded.tags, encoded.lengths)) == len(
        spans
    )
    (report,) = Run(tmp_path).epochs(Data([*made[:20], long], [long]), changed(tiny, epochs=1))
    assert np.isfinite(report.loss)
    assert report.dev is not None
    assert report.dev.micro.gold == len(spans)
