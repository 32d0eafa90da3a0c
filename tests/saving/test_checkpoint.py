"""A model's directory: what is saved is loaded, and what is damaged is refused."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from ner_lstm_crf.saving.checkpoint import load_model, model_config, save_model

from ner_lstm_crf.config import Config
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.vectors.vectors import Vectors
from ner_lstm_crf.features.vocabulary import WordVocabulary
from ner_lstm_crf.runs.data import Data
from ner_lstm_crf.saving import tensors as tensor_files
from ner_lstm_crf.tagging.predictor import predict
from ner_lstm_crf.text.annotation import Sentence, Span
from tests.made import trainer_for

Make = Callable[..., list[Sentence]]


@pytest.fixture(scope="module")
def saved(make_sentences: Make, tiny: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a model trained for one epoch, with vectors that know more words than the training data."""
    words = ("met", "oslo", "unseen", "Quito")
    vectors = Vectors(words, torch.randn(len(words), 12, generator=torch.Generator().manual_seed(0)).numpy())
    trainer = trainer_for(Data(make_sentences(30), vectors=vectors), tiny)
    next(trainer.epochs())
    directory = tmp_path_factory.mktemp("model")
    save_model(trainer.model, directory)
    return directory


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "copy"))


def test_a_loaded_model_is_the_saved_one(saved: Path, tmp_path: Path, make_sentences: Make) -> None:
    first = load_model(saved)
    save_model(first, tmp_path)
    second = load_model(tmp_path)
    assert (saved / "model.safetensors").read_bytes() == (tmp_path / "model.safetensors").read_bytes()
    words = [sentence.words for sentence in make_sentences(20, seed=5)]
    found = [predict(one, [one.featurizer.encode(sentence) for sentence in words]) for one in (first, second)]
    assert found[0] == found[1]
    assert first.config == second.config


def test_half_of_a_surrogate_pair_is_kept(tiny: Config, tmp_path: Path) -> None:
    """JSON lines may hold one, where an emoji was cut; no encoding does."""
    sentence = Sentence.from_words(["Anna", "\ud83d"], [Span(0, 1, "PER\ud83d")])
    save_model(trainer_for(Data([sentence] * 3), tiny).model, tmp_path)
    featurizer = load_model(tmp_path).featurizer
    assert "\ud83d" in featurizer.words.symbols
    assert featurizer.labels == ("PER\ud83d",)


def test_words_that_only_the_vectors_know_keep_their_vector(saved: Path) -> None:
    model = load_model(saved)
    vocabulary, word = model.featurizer.words, model.network.embedding.word
    assert vocabulary.word_id("unseen") >= vocabulary.trainable_size
    vector = torch.randn(4, 12, generator=torch.Generator().manual_seed(0))[2]
    found = word(torch.from_numpy(vocabulary.word_ids(["unseen"])))[0]
    torch.testing.assert_close(found, vector, atol=2e-3, rtol=1e-3)


def test_nothing_is_pickled(saved: Path) -> None:
    assert {path.name for path in saved.iterdir()} == {"config.json", "vocabulary.json", "model.safetensors"}
    for path in saved.iterdir():
        with pytest.raises((pickle.UnpicklingError, UnicodeDecodeError, ValueError, KeyError, IndexError, EOFError)):
            pickle.loads(path.read_bytes())


@pytest.mark.parametrize("name", ["config.json", "vocabulary.json", "model.safetensors"])
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(InputError, match=f"{name}: expected a model, but this file is missing"):
        load_model(copy)


@pytest.mark.parametrize("name", ["config.json", "vocabulary.json", "model.safetensors"])
def test_a_cut_file_is_damage(copy: Path, name: str) -> None:
    content = (copy / name).read_bytes()
    (copy / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="damaged"):
        load_model(copy)


def test_one_flipped_bit_is_damage(copy: Path) -> None:
    content = bytearray((copy / "model.safetensors").read_bytes())
    content[-100] ^= 1
    (copy / "model.safetensors").write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        load_model(copy)


def test_another_models_vocabulary_is_damage(copy: Path) -> None:
    text = (copy / "vocabulary.json").read_text(encoding="utf-8")
    (copy / "vocabulary.json").write_text(text.replace("unseen", "unsaid"), encoding="utf-8")
    with pytest.raises(InputError, match="do not belong together"):
        load_model(copy)


@pytest.mark.parametrize("version", [1, 2])
def test_an_early_model_has_what_its_release_knew(copy: Path, version: int) -> None:
    """It has no pairs of characters, and no second layer that adds what it reads."""
    description = json.loads((copy / "config.json").read_text(encoding="utf-8"))
    for name in ("bigram_size", "residual"):
        del description["model"][name]
    (copy / "config.json").write_text(json.dumps(description | {"version": version}), encoding="utf-8")
    config, _ = model_config(copy)
    assert (config.bigram_size, config.residual) == (0, False)


def test_a_newer_model_asks_for_a_newer_release(copy: Path) -> None:
    description = json.loads((copy / "config.json").read_text(encoding="utf-8"))
    (copy / "config.json").write_text(json.dumps(description | {"version": 99}), encoding="utf-8")
    with pytest.raises(InputError, match="format version 99, this release reads up to 5"):
        load_model(copy)


def test_a_directory_that_is_none_or_no_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such directory"):
        load_model(tmp_path / "nowhere")
    with pytest.raises(InputError, match="expected a model"):
        load_model(tmp_path)


def test_the_old_model_survives_a_write_that_fails(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    model = load_model(copy)
    with torch.no_grad():
        model.network.projection.weight.zero_()

    def full(tensors: object, path: Path, metadata: object) -> None:
        path.write_bytes(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tensor_files, "save_file", full)
    with pytest.raises(InputError, match=r"the old file is unharmed: .*No space left"):
        save_model(model, copy)
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before
    load_model(copy)


class Killed(BaseException):
    """Stands for the end of the process."""


def kill_at(patch: pytest.MonkeyPatch, step: int) -> None:
    """End the process before change number `step` of the file system."""
    left = step

    def counted(change: Callable[..., object]) -> Callable[..., object]:
        def run(*args: object, **options: object) -> object:
            nonlocal left
            left -= 1
            if left < 0:  # and so for every further one: the dead do not clean up
                raise Killed
            return change(*args, **options)

        return run

    for owner, name in [
        *((Path, name) for name in ("mkdir", "rename", "replace", "rmdir", "touch", "unlink", "write_text")),
        (tensor_files, "save_file"),
        (shutil, "rmtree"),
    ]:
        patch.setattr(owner, name, counted(getattr(owner, name)))


def test_a_kill_at_any_time_leaves_the_old_or_the_new_model_whole(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ends before each change of the directory in turn; the next save goes well whatever was left."""
    old, new = load_model(saved), load_model(saved)
    words = (*new.featurizer.words.symbols[:-1], "another")  # so that all three files are others
    vocabulary = WordVocabulary(words, new.featurizer.words.counts)
    new.featurizer.vocabularies = replace(new.featurizer.vocabularies, words=vocabulary)
    found, ended = [], False
    while not ended:
        directory = Path(shutil.copytree(saved, tmp_path / str(len(found))))
        with monkeypatch.context() as patch:
            kill_at(patch, len(found))
            try:
                save_model(new, directory)
                ended = True
            except Killed:
                pass
        found.append(load_model(directory).featurizer.words == new.featurizer.words)
        save_model(old, directory)
        assert load_model(directory).featurizer.words == old.featurizer.words
        assert {path.name for path in directory.iterdir()} == {path.name for path in saved.iterdir()}
    assert found == sorted(found)
    assert found.count(False) > 5
    assert found.count(True) > 3


def test_an_unchanged_vocabulary_is_not_written_again(copy: Path) -> None:
    before = (copy / "vocabulary.json").stat()
    save_model(load_model(copy), copy)
    after = (copy / "vocabulary.json").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_a_directory_that_cannot_be_made_is_named(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="expected a directory that can be written"):
        save_model(load_model(saved), tmp_path / "file" / "model")
