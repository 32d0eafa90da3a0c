"""The files of a transformer in the directory of a model."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError

from ner_lstm_crf.config import Config
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.model.embedding.transformer import PretrainedEncoder
from ner_lstm_crf.runs.data import Data
from ner_lstm_crf.runs.run import Run
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.text.annotation import Sentence
from tests.encoders import configured, write_encoder

pytest.importorskip("transformers")

Make = Callable[..., list[Sentence]]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("encoders") / "first", 1)


@pytest.fixture(scope="module")
def data(make_sentences: Make) -> Data:
    return Data(make_sentences(40), make_sentences(8, seed=1))


@pytest.fixture(scope="module")
def trained(data: Data, tiny: Config, encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a model with a frozen transformer."""
    directory = tmp_path_factory.mktemp("trained") / "model"
    list(Run(directory).epochs(data, configured(tiny, encoder, epochs=1)))
    return directory


@pytest.fixture
def copy(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "copy"))


def folders(directory: Path) -> list[Path]:
    return sorted(directory.glob("transformer*"))


def test_a_frozen_transformer_is_written_once(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Model.load(copy)
    monkeypatch.setattr(PretrainedEncoder, "save", lambda *_: pytest.fail("written again"))
    model.save(copy)
    Model.load(copy)


def test_another_transformer_takes_the_place_of_the_old_one(
    data: Data, copy: Path, tiny: Config, tmp_path: Path
) -> None:
    """Also where it has the name of the old one: the encoder was exchanged in its folder."""
    encoder = tmp_path / "encoder"
    write_encoder(encoder, 2)
    before = folders(copy)
    config = configured(tiny, encoder, epochs=1)
    list(Run(copy).epochs(data, config, overwrite=True))
    (second,) = folders(copy)
    assert [second] != before
    shutil.rmtree(encoder)
    write_encoder(encoder, 3)
    list(Run(copy).epochs(data, config, overwrite=True))
    (third,) = folders(copy)
    assert third != second
    expected = PretrainedEncoder.from_pretrained(encoder, layers=1).state_dict()
    found = Model.load(copy).features["transformer"].encoder.state_dict()
    assert all(torch.equal(found[name], expected[name]) for name in found)


def test_a_model_without_one_takes_its_place(data: Data, copy: Path, tiny: Config) -> None:
    Model.build(data.train, tiny.model).save(copy)
    assert folders(copy) == []
    Model.load(copy)


def flip(folder: Path) -> None:
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-100] ^= 1
    (folder / "model.safetensors").write_bytes(content)


DAMAGE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a flipped bit": (flip, "files in this folder have changed"),
    "a missing file": (lambda folder: (folder / "config.json").unlink(), "files in this folder have changed"),
    "no folder": (shutil.rmtree, "expected the files of a model, but this folder is missing"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_transformer_is_refused_and_can_be_replaced(trained: Path, copy: Path, kind: str) -> None:
    damage, message = DAMAGE[kind]
    damage(*folders(copy))
    with pytest.raises(InputError, match=message):
        Model.load(copy)
    Model.load(trained).save(copy)
    Model.load(copy)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "weights.pt", "vocabulary.pkl", "modeling.py"])
def test_nothing_pickled_and_no_code_is_taken(copy: Path, name: str) -> None:
    (folders(copy)[0] / name).write_bytes(b"code")
    with pytest.raises(InputError, match=rf"{name}: the model is damaged: expected .json, .* alone in its folder"):
        Model.load(copy)


@pytest.mark.parametrize("content", ['{"format": "ner_lstm_crf", "version": 99}', "{", "[]"])
def test_a_newer_or_damaged_model_can_be_overwritten(
    data: Data, copy: Path, tiny: Config, encoder: Path, content: str
) -> None:
    (copy / "config.json").write_text(content, encoding="utf-8")
    config = configured(tiny, encoder, epochs=1)
    config = dataclasses.replace(config, model=dataclasses.replace(config.model, transformer_size=7))
    list(Run(copy).epochs(data, config, overwrite=True))
    assert Model.load(copy).config.transformer_size == 7


@pytest.mark.parametrize("name", ["../outside", "transformer", None, 3])
def test_a_folder_of_another_name_is_damage(copy: Path, name: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ner_lstm_crf.saving.model.save_folder", lambda *_: name)
    Model.load(copy).save(copy)
    assert json.loads((copy / "config.json").read_text(encoding="utf-8"))["folders"] == {"transformer": name}
    with pytest.raises(InputError, match="expected the name of a folder, found"):
        Model.load(copy)


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
    def full(self: PretrainedEncoder, folder: Path) -> None:
        (folder / "config.json").write_text("{")
        raise error

    new = Model.build(data.train, configured(tiny, encoder, fine_tune=True).model)
    monkeypatch.setattr(PretrainedEncoder, "save", full)
    with pytest.raises(InputError, match="the old model is unharmed: ") as raised:
        new.save(copy)
    assert "\n" not in str(raised.value)
    assert {path.name for path in copy.iterdir()} == {path.name for path in trained.iterdir()}
    Model.load(copy)


def test_the_files_can_be_read_by_whom_the_others_can(trained: Path) -> None:
    (folder,) = folders(trained)
    modes = {path.stat().st_mode for path in folder.iterdir()}
    assert modes == {(trained / "config.json").stat().st_mode}
