"""Training learns, repeats itself, and goes on where it stopped."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from ner_lstm_crf.saving.checkpoint import load_model
from safetensors.torch import load_file, save

from ner_lstm_crf.config import MAX_LR, MIN_LR, Config
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.embedding import WordEmbedding
from ner_lstm_crf.features.vectors.vectors import Vectors
from ner_lstm_crf.model import bilstm
from ner_lstm_crf.runs.data import Data, split_dev
from ner_lstm_crf.runs.network_runs import prepare
from ner_lstm_crf.runs.run import train_run
from ner_lstm_crf.runs.run_files import read_history, read_run
from ner_lstm_crf.tagging.predictor import predict
from ner_lstm_crf.text.annotation import Sentence, Span
from ner_lstm_crf.training.sparse_adamw import SparseAdamW
from ner_lstm_crf.training.trainer import EpochReport, Trainer

Make = Callable[..., list[Sentence]]


def changed(config: Config, **values: object) -> Config:
    model = {key: value for key, value in values.items() if hasattr(config.model, key)}
    training = {key: value for key, value in values.items() if hasattr(config.training, key)}
    return Config(
        model=dataclasses.replace(config.model, **model), training=dataclasses.replace(config.training, **training)
    )


def weights(directory: Path) -> dict[str, torch.Tensor]:
    return load_file(directory / "model.safetensors")


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"head": "softmax"},
        {"crf_loss": "labelwise"},
        {"scheme": "IOB2", "layers": 2, "char_widths": (2, 3)},
        {"optimizer": "sgd", "learning_rate": 0.1, "momentum": 0.9, "schedule": "inverse", "ema_decay": 0.0},
        {"char_filters": 0, "casing_size": 0, "reduction": "token"},
    ],
    ids=str,
)
def test_every_kind_of_network_learns(
    make_sentences: Make, tiny: Config, tmp_path: Path, settings: dict[str, object]
) -> None:
    data = Data(make_sentences(200), make_sentences(40, seed=1))
    reports = list(train_run(data, changed(tiny, **settings), tmp_path))
    assert reports[-1].loss < reports[0].loss
    assert reports[-1].last
    assert max(report.dev.micro.f1 for report in reports if report.dev) > 0.9
    assert [entry["epoch"] for entry in read_history(tmp_path)] == [report.epoch for report in reports]


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(
    make_sentences: Make, tiny: Config, tmp_path: Path
) -> None:
    data = Data(make_sentences(60), make_sentences(10, seed=1))
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        list(train_run(data, changed(tiny, seed=seed, epochs=2), tmp_path / name))
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))
    assert not same(weights(tmp_path / "a"), weights(tmp_path / "c"))


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
            trainer = prepare(data, changed(tiny, epochs=3, **settings))
            ends.append(([report.loss for report in trainer.epochs()], trainer.network.state_dict()))
            assert (len(used) > 1) == (count == 2)
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)
    assert ends[0][0] == ends[1][0]
    assert same(ends[0][1], ends[1][1])


def test_training_that_diverges_ends_with_an_error(make_sentences: Make, tiny: Config, tmp_path: Path) -> None:
    data = Data(make_sentences(40), make_sentences(10, seed=1))
    reports = []
    with pytest.raises(
        InputError, match=r"epoch \d: expected a finite loss, got nan: is learning_rate 1e\+30 too high"
    ):
        reports += train_run(data, changed(tiny, epochs=5, learning_rate=1e30, weight_decay=0.0), tmp_path / "run")
    assert len(read_history(tmp_path / "run")) < 5


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("stop_after", [1, 3])
def test_a_resumed_run_ends_where_an_unbroken_one_does(
    make_sentences: Make, tiny: Config, tmp_path: Path, stop_after: int, optimizer: str
) -> None:
    data = Data(make_sentences(60), make_sentences(10, seed=1))
    config = changed(tiny, epochs=5, optimizer=optimizer, momentum=0.9)
    unbroken = list(train_run(data, config, tmp_path / "unbroken"))
    reports = train_run(data, config, tmp_path / "broken")
    for _ in range(stop_after):
        next(reports)
    reports.close()
    resumed = list(train_run(data, config, tmp_path / "broken", resume=True))
    assert [report.epoch for report in resumed] == list(range(stop_after + 1, 6))
    assert same(weights(tmp_path / "unbroken"), weights(tmp_path / "broken"))
    losses = [[entry["loss"] for entry in read_history(tmp_path / name)] for name in ("unbroken", "broken")]
    assert losses[0] == losses[1] == [report.loss for report in unbroken]
    assert not (tmp_path / "broken" / "resume.safetensors").exists()


def test_resuming_a_run_that_has_ended_trains_nothing(make_sentences: Make, tiny: Config, tmp_path: Path) -> None:
    data, config = Data(make_sentences(20)), changed(tiny, epochs=1)
    list(train_run(data, config, tmp_path))
    assert list(train_run(data, config, tmp_path, resume=True)) == []


@pytest.fixture
def broken(make_sentences: Make, tiny: Config, tmp_path: Path) -> Callable[[], list[EpochReport]]:
    """Resumes a run of three epochs that broke after the second; its directory is `tmp_path`."""
    data, config = Data(make_sentences(20)), changed(tiny, epochs=3)
    reports = train_run(data, config, tmp_path)
    next(reports)
    next(reports)
    reports.close()
    return lambda: list(train_run(data, config, tmp_path, resume=True))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("run.json", b'{"config": {"mod'),
        ("run.json", b"[1, 2]"),
        ("run.json", b'{"config": {"model": {}}, "data": {}, "finished": false}'),
        ("run.json", b"\xff"),
        ("history.jsonl", b'{"epoch": 1, "lo\n'),
        ("history.jsonl", b'{"epoch": 1}\n{"epoch": 2}\n'),
        ("history.jsonl", b""),
        ("resume.safetensors", b"cut"),
        ("resume.safetensors", save({"weight.projection.bias": torch.zeros(1)})),
        ("resume.safetensors", save({"progress": torch.zeros(3)})),
        ("resume.safetensors", save({})),
    ],
    ids=str,
)
def test_a_damaged_run_is_one_line_that_names_the_file(
    tmp_path: Path, broken: Callable[[], list[EpochReport]], name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=f"{name}(:1)?: the run (to resume )?is damaged"):
        broken()


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors: tensors.pop("average.projection.bias"),
        lambda tensors: tensors.pop("progress"),
        lambda tensors: tensors.pop("steps"),
        lambda tensors: tensors.update({"weight.more": torch.zeros(1)}),
        lambda tensors: tensors.update({"exp_avg.projection.bias": torch.zeros(1)}),
        lambda tensors: tensors.update({"weight.projection.bias": torch.zeros(1)}),  # would fit by broadcasting
        lambda tensors: [tensors.pop(name) for name in list(tensors) if name.startswith("exp_avg.")],
        lambda tensors: tensors.pop("step.projection.bias"),
        lambda tensors: tensors.update({"zzz.projection.bias": torch.zeros(())}),
    ],
)
def test_another_networks_state_is_refused(
    tmp_path: Path, broken: Callable[[], list[EpochReport]], change: Callable[[dict[str, torch.Tensor]], object]
) -> None:
    path = tmp_path / "resume.safetensors"
    tensors = load_file(path)
    change(tensors)
    path.write_bytes(save(tensors))
    with pytest.raises(InputError, match="is damaged: expected the state of the same network"):
        broken()


def test_a_state_without_kernels_is_told_from_that_of_another_network(
    tmp_path: Path, broken: Callable[[], list[EpochReport]]
) -> None:
    path = tmp_path / "resume.safetensors"
    path.write_bytes(save({name: tensor for name, tensor in load_file(path).items() if "sparse" not in name}))
    with pytest.raises(InputError, match="both times with the compiled kernels, or both times without"):
        broken()


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_weights_tell_that_they_were_trained(make_sentences: Make, tiny: Config, optimizer: str) -> None:
    trainer = prepare(Data(make_sentences(20)), changed(tiny, optimizer=optimizer, ema_decay=0.0, epochs=1))
    network = trainer.model.network
    before = {name: weight._version for name, weight in network.named_parameters()}
    next(trainer.epochs())
    assert all(weight._version > before[name] for name, weight in network.named_parameters())
    assert not network.embedding.word.sparse_gradient  # another loop over the network has dense gradients


def test_a_missing_history_is_no_missing_model(tmp_path: Path, broken: Callable[[], list[EpochReport]]) -> None:
    (tmp_path / "history.jsonl").unlink()
    with pytest.raises(InputError, match="expected a run, but this file is missing"):
        broken()


def test_a_half_written_last_report_is_dropped(tmp_path: Path, broken: Callable[[], list[EpochReport]]) -> None:
    with (tmp_path / "history.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"epoch": 3, "lo')
    assert [report.epoch for report in broken()] == [3]
    assert [report["epoch"] for report in read_history(tmp_path)] == [1, 2, 3]


def test_the_same_vectors_of_other_words_are_other_data(make_sentences: Make) -> None:
    sentences, matrix = make_sentences(10), np.zeros((2, 3), np.float32)
    first, second = (Data(sentences, vectors=Vectors(words, matrix)) for words in (("a", "b"), ("b", "a")))
    assert first.fingerprints() != second.fingerprints()


def test_a_report_is_written_without_the_scores_of_each_sentence(make_sentences: Make, tiny: Config) -> None:
    report = next(prepare(Data(make_sentences(20), make_sentences(5, seed=1)), tiny).epochs())
    written = report.to_json()
    assert report.dev is not None
    assert written.pop("dev") == report.dev.to_json()
    assert written == {name: getattr(report, name) for name in written}
    assert written.keys() == {field.name for field in dataclasses.fields(report)} - {"dev", "last"}


def test_a_prediction_that_fails_leaves_the_network_training(make_sentences: Make, tiny: Config) -> None:
    trainer = prepare(Data(make_sentences(20)), tiny)
    trainer.model.network.train()

    def refuse(done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict(trainer.model, trainer.sentences, progress=refuse)
    assert trainer.model.network.training


def test_only_the_same_run_can_be_resumed(make_sentences: Make, tiny: Config, tmp_path: Path) -> None:
    data, config = Data(make_sentences(20)), changed(tiny, epochs=1)
    with pytest.raises(InputError, match="expected a run to resume, found none"):
        next(train_run(data, config, tmp_path, resume=True))
    list(train_run(data, config, tmp_path))
    with pytest.raises(InputError, match=r"the run to resume had hidden_size = 12, this one has 13"):
        next(train_run(data, changed(config, hidden_size=13), tmp_path, resume=True))
    with pytest.raises(InputError, match=r"had other training data$"):
        next(train_run(Data(make_sentences(21)), config, tmp_path, resume=True))
    other = Data(data.train, make_sentences(3), Vectors(("a",), np.zeros((1, 3), np.float32)))
    with pytest.raises(InputError, match=r"had other dev data and other vectors$"):
        next(train_run(other, config, tmp_path, resume=True))
    (tmp_path / "run.json").write_text(json.dumps(read_run(tmp_path) | {"data": "0123"}), encoding="utf-8")
    with pytest.raises(InputError, match="begun by another release"):
        next(train_run(data, config, tmp_path, resume=True))


def test_a_directory_that_holds_a_model_is_not_overwritten_unasked(
    make_sentences: Make, tiny: Config, tmp_path: Path
) -> None:
    data, config = Data(make_sentences(20)), changed(tiny, epochs=1)
    list(train_run(data, config, tmp_path))
    before = weights(tmp_path)
    with pytest.raises(InputError, match="holds a model"):
        next(train_run(data, changed(config, seed=2), tmp_path))
    assert same(before, weights(tmp_path))
    list(train_run(data, changed(config, seed=2), tmp_path, overwrite=True))
    assert not same(before, weights(tmp_path))


def test_training_stops_when_dev_f1_no_longer_rises(make_sentences: Make, tiny: Config, tmp_path: Path) -> None:
    config = changed(tiny, epochs=30, patience=2, learning_rate=0.0)
    reports = list(train_run(Data(make_sentences(20), make_sentences(5, seed=1)), config, tmp_path))
    assert len(reports) == 3
    assert reports[-1].last


def test_of_epochs_that_find_nothing_the_last_is_kept(make_sentences: Make, tiny: Config, tmp_path: Path) -> None:
    unknown = [sentence.with_spans([Span(0, 1, "UNKNOWN")]) for sentence in make_sentences(5, seed=1)]
    reports = list(train_run(Data(make_sentences(20), unknown), changed(tiny, epochs=3), tmp_path / "m"))
    assert [report.best for report in reports] == [True, True, True]
    whole = weights(tmp_path / "m")
    list(train_run(Data(make_sentences(20)), changed(tiny, epochs=3), tmp_path / "last"))
    assert same(whole, weights(tmp_path / "last"))
    patient = changed(tiny, epochs=30, patience=2, learning_rate=0.0)
    assert len(list(train_run(Data(make_sentences(20), unknown), patient, tmp_path / "p"))) == 3


def test_the_loss_of_an_epoch_does_not_depend_on_how_it_is_divided_for_the_step(
    make_sentences: Make, tiny: Config
) -> None:
    """Reported losses are nats per token whatever the reduction; with a learning rate of 0 they are equal."""
    losses = []
    for reduction in ("token", "sentence", "sum"):
        config = changed(tiny, reduction=reduction, learning_rate=0.0, epochs=1)
        losses.append(next(prepare(Data(make_sentences(30)), config).epochs()).loss)
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
    trainer = prepare(Data(sentences), config)
    network, weight = trainer.model.network, trainer.model.network.projection.weight
    before, encoded = weight.detach().clone(), trainer.sentences
    network.train()
    divisor = {"token": sum(map(len, encoded)), "sentence": len(encoded), "sum": 1}[reduction]
    loss = network.loss(trainer.model.featurizer.collate(encoded)).sum() / divisor
    (gradient,) = torch.autograd.grad(loss, [weight])
    next(trainer.epochs())
    torch.testing.assert_close(weight.detach(), before - 0.5 * gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("token_unit", ["word", "character"])
def test_training_moves_tables_of_vectors_as_it_would_without_kernels(
    make_sentences: Make, tiny: Config, token_unit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that are stale when a batch reads them, or when an epoch is measured, would show."""
    sentences = [Sentence.from_words([c for word in s.words for c in word]) for s in make_sentences(40)]
    data = Data(make_sentences(40) if token_unit == "word" else sentences, lexicon=None, vectors=None)
    config = changed(tiny, token_unit=token_unit, epochs=3, learning_rate=0.02, weight_decay=0.1, max_grad_norm=0.5)
    found = []
    for serves in (True, False):
        if not serves:
            monkeypatch.setattr(SparseAdamW, "available_for", staticmethod(lambda _: False))
        trainer = prepare(data, config)
        assert any(name.startswith("sparse.") for name in trainer.state()) == serves
        assert (trainer.model.network.embedding.bigrams is None) == (token_unit == "word")
        losses = [report.loss for report in trainer.epochs()]
        with trainer.optimizer.averaged_weights():
            averages = {name: table.trained.detach().clone() for name, table in tables_of(trainer).items()}
        found.append((losses, averages))
    (losses, averages), (expected_losses, expected) = found
    assert losses == pytest.approx(expected_losses, rel=2e-3)
    for name, average in averages.items():
        assert (average - expected[name]).abs().mean() < 0.02 * expected[name].std()


def tables_of(trainer: Trainer) -> dict[str, WordEmbedding]:
    return trainer.model.network.embedding.tables()


def test_the_patience_of_a_resumed_run_is_that_of_an_unbroken_one(
    make_sentences: Make, tiny: Config, tmp_path: Path
) -> None:
    data, config = Data(make_sentences(30), make_sentences(10, seed=1)), changed(tiny, epochs=9, patience=3)
    config = changed(config, learning_rate=0.0)  # the first epoch is the best
    whole = [report.epoch for report in train_run(data, config, tmp_path / "whole")]
    broken = train_run(data, config, tmp_path / "broken")
    first = [next(broken).epoch for _ in range(2)]
    broken.close()
    rest = [report.epoch for report in train_run(data, config, tmp_path / "broken", resume=True)]
    assert first + rest == whole
    assert len(whole) < 9


def test_a_run_that_has_ended_leaves_nothing_to_resume_from(make_sentences: Make, tiny: Config, tmp_path: Path) -> None:
    """Killed between the last report and the removal of what it would go on with."""
    data, config = Data(make_sentences(20)), changed(tiny, epochs=1)
    list(train_run(data, config, tmp_path))
    (tmp_path / "resume.safetensors").write_bytes(b"left behind")
    assert list(train_run(data, config, tmp_path, resume=True)) == []
    assert not (tmp_path / "resume.safetensors").exists()
    (tmp_path / ".resume.safetensors.123.new").write_bytes(b"half written")
    list(train_run(data, config, tmp_path, overwrite=True))
    assert not list(tmp_path.glob(".*"))


def test_a_tenth_is_held_out(make_sentences: Make) -> None:
    sentences = make_sentences(25)
    rest, held = split_dev(sentences)
    assert (len(rest), len(held)) == (23, 2)
    assert held == [sentences[9], sentences[19]]
    with pytest.raises(InputError, match="at least 10 sentences"):
        split_dev(sentences[:9])


def test_the_learning_rate_is_that_of_the_length_of_the_run(make_sentences: Make, tiny: Config, tmp_path: Path) -> None:
    data, config = (
        Data(make_sentences(20)),
        changed(tiny, epochs=2, warmup_ratio=0.0, schedule="constant", learning_rate=None),
    )
    assert {report.learning_rate for report in prepare(data, config).epochs()} == {MAX_LR}
    long = changed(config, epochs=5000, min_steps=0)
    assert next(prepare(data, long).epochs()).learning_rate == MIN_LR
    list(train_run(data, changed(config, epochs=1), tmp_path))
    onward = dataclasses.replace(data, initial=tmp_path)  # what it knows is not to be lost in a few long steps
    begun = dataclasses.replace(config, model=load_model(tmp_path).config)
    assert next(prepare(onward, begun).epochs()).learning_rate == MIN_LR


@pytest.mark.parametrize("how", ["sgd", "adamw", "adamw without kernels"])
def test_pretrained_vectors_are_moved_by_their_share_of_the_learning_rate(
    make_sentences: Make, tiny: Config, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if how == "adamw without kernels":
        monkeypatch.setattr(SparseAdamW, "available_for", staticmethod(lambda _: False))
    matrix = np.random.default_rng(0).normal(size=(3, 12)).astype(np.float32)
    vectors = Vectors(("met", "in", "oslo"), matrix)
    moved = {}
    for rate in (0.0, 0.25, 1.0):
        # One step: what comes after depends on what the first has done.
        settings = {"optimizer": how.split(maxsplit=1)[0], "pretrained_lr_scale": rate, "batch_size": 40, "epochs": 1}
        config = changed(tiny, **settings, ema_decay=0.0, weight_decay=0.0, max_grad_norm=0.0)
        trainer = prepare(Data(make_sentences(40), vectors=vectors), config)
        word = trainer.model.network.embedding.word
        before = word.trained.detach().clone()
        next(trainer.epochs())
        trainer.state()  # brings all word vectors up to date
        moved[rate] = word.trained.detach() - before
        assert word.pretrained.sum() == 3
    known = word.pretrained
    assert (moved[0.0][known] == 0).all()
    assert (moved[1.0][known].abs().amax(1) > 0).all()
    torch.testing.assert_close(moved[0.25][known], 0.25 * moved[1.0][known], rtol=1e-3, atol=1e-6)
    for rate in (0.0, 0.25):
        torch.testing.assert_close(moved[rate][~known], moved[1.0][~known], rtol=1e-3, atol=1e-6)
