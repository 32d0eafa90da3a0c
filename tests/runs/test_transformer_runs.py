"""A transformer in training, on disk and in tagging: frozen, and trained with the rest."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import shutil
import time
from collections.abc import Callable
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import pytest
import torch
from ner_lstm_crf.saving.checkpoint import copy_model, load_model, save_model
from safetensors import SafetensorError
from safetensors.torch import load_file

from ner_lstm_crf.config import Config
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.transformer.encoder import TransformerEmbedding
from ner_lstm_crf.model import cpu
from ner_lstm_crf.runs import transformer_cache as contextual
from ner_lstm_crf.runs.data import Data
from ner_lstm_crf.runs.network_runs import read_with_transformer
from ner_lstm_crf.runs.processes import Job, run_jobs
from ner_lstm_crf.runs.run import train_run
from ner_lstm_crf.runs.transformer_cache import contextual_file, read_contextual
from ner_lstm_crf.saving.model import build_model
from ner_lstm_crf.tagging.tagger import Tagger
from ner_lstm_crf.text.annotation import Sentence
from tests.encoders import write_encoder

pytest.importorskip("transformers")

Make = Callable[..., list[Sentence]]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("encoders") / "first", 1)


@pytest.fixture(scope="module")
def data(make_sentences: Make) -> Data:
    return Data(make_sentences(40), make_sentences(8, seed=1))


def configured(tiny: Config, encoder: Path, *, fine_tune: bool = False, epochs: int = 3) -> Config:
    model = dataclasses.replace(
        tiny.model, transformer=str(encoder), transformer_layers=1, transformer_size=6, fine_tune=fine_tune
    )
    training = dataclasses.replace(
        tiny.training, epochs=epochs, batch_size=2, learning_rate=0.02, transformer_learning_rate=1e-3
    )
    return Config(model=model, training=training)


@pytest.fixture(scope="module")
def trained(data: Data, tiny: Config, encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a model with a frozen transformer."""
    directory = tmp_path_factory.mktemp("trained") / "model"
    list(train_run(data, configured(tiny, encoder, epochs=1), directory))
    return directory


@pytest.fixture
def copy(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "copy"))


def folders(directory: Path) -> list[Path]:
    return sorted(directory.glob("transformer*"))


def same_files(first: Path, second: Path) -> bool:
    return {path.name: path.read_bytes() for path in first.iterdir()} == {
        path.name: path.read_bytes() for path in second.iterdir()
    }


@pytest.mark.parametrize("fine_tune", [False, True])
def test_a_resumed_run_ends_where_an_unbroken_one_does(
    data: Data, tiny: Config, encoder: Path, tmp_path: Path, make_sentences: Make, fine_tune: bool
) -> None:
    config = configured(tiny, encoder, fine_tune=fine_tune)
    losses = [report.loss for report in train_run(data, config, tmp_path / "unbroken")]
    assert losses[-1] < losses[0]
    reports = train_run(data, config, tmp_path / "broken")
    first = next(reports)
    reports.close()
    resumed = list(train_run(data, config, tmp_path / "broken", resume=True))
    assert [first.loss, *(report.loss for report in resumed)] == losses

    whole, broken = (load_file(tmp_path / name / "model.safetensors") for name in ("unbroken", "broken"))
    assert all(torch.equal(whole[name], broken[name]) for name in whole)
    ((kept,), (again,)) = (folders(tmp_path / name) for name in ("unbroken", "broken"))
    assert kept.name == again.name
    assert same_files(kept, again)
    before, after = (TransformerEmbedding.from_pretrained(path, layers=1).state_dict() for path in (encoder, kept))
    assert all(torch.equal(before[name], after[name]) for name in after) != fine_tune

    shutil.move(encoder, tmp_path / "gone")  # the model needs only its own files
    try:
        sentences = make_sentences(10, seed=3)
        tagged = list(Tagger.load(tmp_path / "unbroken").tag_sentences(sentences))
        Tagger.load(tmp_path / "unbroken").save(tmp_path / "saved")
        assert list(Tagger.load(tmp_path / "saved").tag_sentences(sentences)) == tagged
        assert any(sentence.spans for sentence in tagged)
    finally:
        shutil.move(tmp_path / "gone", encoder)


def test_tags_are_those_of_the_dev_scores(data: Data, tiny: Config, encoder: Path, tmp_path: Path) -> None:
    """What training computed once in half precision, tagging computes anew."""
    reports = list(train_run(data, configured(tiny, encoder, epochs=6), tmp_path))
    best = next(report for report in reversed(reports) if report.best)
    found = Tagger.load(tmp_path).tag_sentences(data.dev)
    right = sum(len({*a.spans} & {*b.spans}) for a, b in zip(found, data.dev, strict=True))
    assert best.dev is not None
    assert right == best.dev.micro.true_positives > 0


def test_a_frozen_transformer_reads_the_data_once_for_all_runs(
    data: Data, tiny: Config, encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int | None]] = []
    config = configured(tiny, encoder, epochs=1)
    cache = tmp_path / "cache"
    cache.mkdir()
    abandoned, growing = (cache / f".contextual-{name}.safetensors.123.new" for name in ("old", "new"))
    for draft, age in ((abandoned, 2 * 86_400), (growing, 60)):
        draft.touch()
        os.utime(draft, (time.time() - age,) * 2)
    read = read_with_transformer(data, config.model, cache, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (48, 48)
    assert read.contextual is not None
    sentences = [*data.train, *data.dev]
    vectors = read_contextual(read.contextual, sentences, config.model)
    assert [one.shape for one in vectors] == [(len(sentence.tokens), 12) for sentence in sentences]
    assert read_with_transformer(read, config.model, cache) is read
    assert read_with_transformer(data, tiny.model, cache) is data
    fine_tuned = dataclasses.replace(config.model, fine_tune=True)
    assert read_with_transformer(data, fine_tuned, cache) is data

    sent: Data = pickle.loads(bytes(ForkingPickler.dumps(read)))  # as a worker gets it
    list(train_run(data, config, tmp_path / "alone"))
    assert not list((tmp_path / "alone").rglob("contextual-*"))  # removed when the run has ended
    assert (abandoned.exists(), growing.exists()) == (False, True)  # another run may be writing the second
    assert list(cache.glob("contextual-*"))  # kept: it was asked for
    monkeypatch.setattr(contextual, "contextual_vectors", lambda *_, **__: pytest.fail("the transformer was run again"))
    assert read_with_transformer(data, config.model, cache).contextual == read.contextual
    list(run_jobs(sent, [Job(config, tmp_path / "shared")]))
    alone, shared = (load_file(tmp_path / name / "model.safetensors") for name in ("alone", "shared"))
    assert all(torch.equal(alone[name], shared[name]) for name in alone)


def test_vectors_are_made_again_where_they_are_damaged_or_of_something_else(
    data: Data, tiny: Config, encoder: Path, tmp_path: Path
) -> None:
    model = configured(tiny, encoder).model
    path = contextual_file(data.train, model, tmp_path)
    content = path.read_bytes()
    assert contextual_file(data.train, model, tmp_path, lambda *_: pytest.fail("read again")) == path
    for other in (data.train[1:], data.dev):
        assert contextual_file(other, model, tmp_path) != path
    assert contextual_file(data.train, dataclasses.replace(model, transformer_mix=True), tmp_path) != path
    assert contextual_file(data.train, dataclasses.replace(model, transformer_layers=2), tmp_path) != path
    path.write_bytes(content[:-9])
    with pytest.raises(InputError, match="cache of contextual vectors is damaged"):
        read_contextual(path, data.train, model)
    assert contextual_file(data.train, model, tmp_path) == path
    assert path.read_bytes() == content
    with pytest.raises(InputError, match="found that of others"):
        read_contextual(path, data.train[::-1], model)


def test_networks_that_are_joined_share_a_frozen_transformer(
    data: Data, tiny: Config, encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configured(tiny, encoder, epochs=1)
    config = dataclasses.replace(config, training=dataclasses.replace(config.training, ensemble_size=2))
    read: list[int] = []
    whole = contextual.contextual_vectors
    monkeypatch.setattr(
        contextual, "contextual_vectors", lambda *given, **named: read.append(1) or whole(*given, **named)
    )
    list(train_run(data, config, tmp_path))
    assert read == [1]  # by all networks, and to measure them, once
    assert not list(tmp_path.rglob("contextual-*"))
    assert len(list(tmp_path.rglob("transformer-*"))) == 1
    model = load_model(tmp_path)
    first, second = (member.embedding.contextual for member in model.network.members)
    assert first is not None
    assert second is not None
    assert first.transformer is second.transformer
    assert not torch.equal(first.projection.weight, second.projection.weight)
    calls: list[int] = []
    first.transformer.register_forward_hook(lambda *_: calls.append(1))
    found = [list(sentence.spans) for sentence in Tagger(model).tag_sentences(data.dev)]
    assert len(calls) == 1  # for both networks, once a batch
    for sentence, spans in zip(data.dev, found, strict=True):
        batch = model.featurizer.collate([model.featurizer.encode(sentence.words)])
        tags = [model.featurizer.tags[tag] for tag in model.network.decode(batch)[0].tolist()]
        assert spans == list(model.featurizer.scheme.decode(tags).spans)


def test_a_mix_of_layers_is_learnt_and_saved(data: Data, tiny: Config, encoder: Path, tmp_path: Path) -> None:
    config = configured(tiny, encoder, epochs=2)
    config = dataclasses.replace(
        config, model=dataclasses.replace(config.model, transformer_mix=True, transformer_layers=3)
    )
    reports = list(train_run(data, config, tmp_path))
    weights = load_file(tmp_path / "model.safetensors")["embedding.contextual.weights"]
    assert weights.shape == (3,)
    assert weights[0] != weights[1]
    best = max(reports, key=lambda report: report.dev.micro.f1 if report.dev else 0)
    found = Tagger.load(tmp_path).tag_sentences(data.dev)
    right = sum(len({*a.spans} & {*b.spans}) for a, b in zip(found, data.dev, strict=True))
    assert best.dev is not None
    assert right == best.dev.micro.true_positives


def test_a_transformer_is_trained_in_bfloat16_where_the_processor_has_it(
    data: Data, tiny: Config, encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = configured(tiny, encoder, epochs=2, fine_tune=True)
    quick = dataclasses.replace(exact, training=dataclasses.replace(exact.training, transformer_precision="bfloat16"))
    monkeypatch.setattr(cpu, "quickest_dtype", lambda: torch.float32)
    with pytest.raises(InputError, match="transformer_precision: expected a processor that multiplies bfloat16"):
        list(train_run(data, quick, tmp_path / "refused"))
    monkeypatch.setattr(cpu, "quickest_dtype", lambda: torch.bfloat16)
    losses = [[report.loss for report in train_run(data, exact, tmp_path / "exact")]]
    losses += [[report.loss for report in train_run(data, quick, tmp_path / "quick")]]
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=0.05)
    (folder,) = folders(tmp_path / "quick")
    assert {weight.dtype for weight in load_file(folder / "model.safetensors").values()} == {torch.float32}


def test_a_frozen_transformer_is_written_once(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_model(copy)
    monkeypatch.setattr(TransformerEmbedding, "save", lambda *_: pytest.fail("written again"))
    save_model(model, copy)
    load_model(copy)


def test_another_transformer_takes_the_place_of_the_old_one(
    data: Data, copy: Path, tiny: Config, tmp_path: Path
) -> None:
    """Also where it has the name of the old one: the encoder was exchanged in its folder."""
    encoder = tmp_path / "encoder"
    write_encoder(encoder, 2)
    before = folders(copy)
    config = configured(tiny, encoder, epochs=1)
    list(train_run(data, config, copy, overwrite=True))
    (second,) = folders(copy)
    assert [second] != before
    shutil.rmtree(encoder)
    write_encoder(encoder, 3)
    list(train_run(data, config, copy, overwrite=True))
    (third,) = folders(copy)
    assert third != second
    expected = TransformerEmbedding.from_pretrained(encoder, layers=1).state_dict()
    contextual = load_model(copy).network.embedding.contextual
    assert contextual is not None
    found = contextual.transformer.state_dict()
    assert all(torch.equal(found[name], expected[name]) for name in found)


def test_a_model_without_one_takes_its_place(data: Data, copy: Path, tiny: Config) -> None:
    save_model(build_model(data.train, tiny.model), copy)
    assert folders(copy) == []
    load_model(copy)


def flip(folder: Path) -> None:
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-100] ^= 1
    (folder / "model.safetensors").write_bytes(content)


DAMAGE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a flipped bit": (flip, "the files of its transformer have changed"),
    "a missing file": (lambda folder: (folder / "config.json").unlink(), "the files of its transformer have changed"),
    "no folder": (shutil.rmtree, "expected the transformer of a model, but this folder is missing"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_transformer_is_refused_and_can_be_replaced(trained: Path, copy: Path, kind: str) -> None:
    damage, message = DAMAGE[kind]
    damage(*folders(copy))
    with pytest.raises(InputError, match=message):
        load_model(copy)
    copy_model(trained, copy)
    load_model(copy)


@pytest.mark.parametrize("content", ['{"format": "ner_lstm_crf", "version": 99}', "{", "[]"])
def test_a_newer_or_damaged_model_can_be_overwritten(
    data: Data, copy: Path, tiny: Config, encoder: Path, content: str
) -> None:
    (copy / "config.json").write_text(content, encoding="utf-8")
    config = configured(tiny, encoder, epochs=1)
    config = dataclasses.replace(config, model=dataclasses.replace(config.model, transformer_size=7))
    list(train_run(data, config, copy, overwrite=True))
    assert load_model(copy).config.transformer_size == 7


@pytest.mark.parametrize("name", ["../outside", "transformer", None, 3])
def test_a_folder_of_another_name_is_damage(copy: Path, name: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ner_lstm_crf.saving.checkpoint.save_transformer", lambda *_: name)
    save_model(load_model(copy), copy)
    assert json.loads((copy / "config.json").read_text(encoding="utf-8"))["transformer_files"] == name
    with pytest.raises(InputError, match="expected the name of its transformer's folder"):
        load_model(copy)


@pytest.mark.parametrize("error", [SafetensorError("I/O error\nNo space left"), OSError(28, "No space left on device")])
def test_the_old_model_survives_a_full_disk(
    copy: Path,
    trained: Path,
    encoder: Path,
    tiny: Config,
    data: Data,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    def full(self: TransformerEmbedding, folder: Path) -> None:
        (folder / "config.json").write_text("{")
        raise error

    new = build_model(data.train, configured(tiny, encoder, fine_tune=True).model)
    monkeypatch.setattr(TransformerEmbedding, "save", full)
    with pytest.raises(InputError, match="the old model is unharmed: ") as raised:
        save_model(new, copy)
    assert "\n" not in str(raised.value)
    assert {path.name for path in copy.iterdir()} == {path.name for path in trained.iterdir()}
    load_model(copy)


def test_the_files_can_be_read_by_whom_the_others_can(trained: Path) -> None:
    (folder,) = folders(trained)
    modes = {path.stat().st_mode for path in folder.iterdir()}
    assert modes == {(trained / "config.json").stat().st_mode}


def test_a_run_does_not_go_on_with_another_transformer(data: Data, tiny: Config, tmp_path: Path) -> None:
    """Exchanged in its folder."""
    encoder = tmp_path / "encoder"
    write_encoder(encoder, 2)
    config = configured(tiny, encoder, epochs=2)
    reports = train_run(data, config, tmp_path / "run")
    next(reports)
    reports.close()
    shutil.rmtree(encoder)
    write_encoder(encoder, 3)
    with pytest.raises(InputError, match="the run to resume had other transformer"):
        next(train_run(data, config, tmp_path / "run", resume=True))
