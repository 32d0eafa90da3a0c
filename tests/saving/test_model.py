"""A model and its directory: what is saved is loaded, and what is damaged is refused."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ner_lstm_crf.config import Config
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.registry import Features
from ner_lstm_crf.features.vectors import Vectors
from ner_lstm_crf.features.vocabulary import Vocabulary
from ner_lstm_crf.features.word import Words
from ner_lstm_crf.saving import model as module, tensors as tensor_files
from ner_lstm_crf.saving.model import (
    SHIPPED,
    Model,
    ModelDescription,
    model_directory,
)
from ner_lstm_crf.tagging.predictor import predict
from ner_lstm_crf.tagging.tagger import Tagger
from ner_lstm_crf.text.annotation import Sentence, Span
from tests.killing import Killed, kill_at
from tests.plain_path import batch_of, decode_one_by_one, mean_emissions, words_of
from tests.saving.signing import arrays_of
from tests.trained import trained_model

Make = Callable[..., list[Sentence]]
FILES = ("config.json", "vocabulary.json", "frozen.safetensors", "network-1.safetensors")


def pretrained() -> Vectors:
    """Vectors that know more words than the training data."""
    words = ("met", "oslo", "unseen", "Quito")
    return Vectors(words, torch.randn(len(words), 12, generator=torch.Generator().manual_seed(0)).numpy())


@pytest.fixture(scope="module")
def saved(make_sentences: Make, tiny: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a model trained for one epoch."""
    directory = tmp_path_factory.mktemp("model")
    trained_model(make_sentences(30), tiny, 1, vectors=pretrained()).save(directory)
    return directory


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "copy"))


@pytest.fixture(scope="module")
def three(make_sentences: Make, tiny: Config) -> Model:
    """A model of three networks with random weights large enough that they differ."""
    sentences = make_sentences(30)
    models = [Model.build(sentences, tiny.model, vectors=pretrained(), seed=seed) for seed in (1, 2, 3)]
    for model in models:
        with torch.no_grad():
            model.networks[0].projection.weight.mul_(30)
        model.networks[0].eval()
    return Model.ensemble(models)


# What is saved is loaded


@pytest.mark.parametrize("quantize", [False, True])
def test_a_loaded_model_is_the_saved_one(
    saved: Path, three: Model, tmp_path: Path, make_sentences: Make, quantize: bool
) -> None:
    sentences = make_sentences(20, seed=5)
    for number, model in enumerate((Model.load(saved), three)):
        first, second = tmp_path / f"{number}-first", tmp_path / f"{number}-second"
        model.save(first, quantize=quantize)
        loaded = Model.load(first)
        loaded.save(second, quantize=quantize)
        assert {path.name: path.read_bytes() for path in first.iterdir()} == {
            path.name: path.read_bytes() for path in second.iterdir()
        }
        assert loaded.config == model.config
        assert len(loaded.networks) == len(model.networks)
        if not quantize:
            assert predict(loaded, loaded.encode(sentences)) == predict(model, model.encode(sentences))


def test_frozen_vectors_are_held_once(three: Model, tmp_path: Path) -> None:
    three.save(tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {*FILES, "network-2.safetensors", "network-3.safetensors"}
    assert list(load_file(tmp_path / "frozen.safetensors")) == ["word.frozen"]
    for number in (1, 2, 3):
        assert not any("frozen" in name for name in load_file(tmp_path / f"network-{number}.safetensors"))
    for model in (three, Model.load(tmp_path)):
        tables = [network.embedding.tables["word"] for network in model.networks]
        memory = model.features["word"].frozen.ctypes.data
        assert all(table.frozen.data_ptr() == memory for table in tables)
    description = ModelDescription.read(tmp_path)
    assert (description.networks, description.config) == (3, three.config)


def test_half_of_a_surrogate_pair_is_kept(tiny: Config, tmp_path: Path) -> None:
    """JSON lines may hold one, where an emoji was cut; no encoding does."""
    sentence = Sentence.from_words(["Anna", "\ud83d"], [Span(0, 1, "PER\ud83d")])
    Model.build([sentence] * 3, tiny.model).save(tmp_path)
    loaded = Model.load(tmp_path)
    assert "\ud83d" in words_of(loaded).vocabulary.symbols
    assert loaded.tags.labels == ("PER\ud83d",)


def test_words_that_only_the_vectors_know_keep_their_vector(saved: Path) -> None:
    model = Model.load(saved)
    (number,) = ids = words_of(model).type_ids(["unseen"])
    assert number >= words_of(model).first_frozen
    vector = torch.from_numpy(pretrained().matrix)[2]
    found = model.networks[0].embedding.tables["word"](torch.from_numpy(ids))[0]
    torch.testing.assert_close(found, vector, atol=2e-3, rtol=1e-3)


def test_loading_draws_no_random_numbers(saved: Path) -> None:
    before = torch.random.get_rng_state()
    Model.load(saved)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_what_did_not_change_is_not_written_again(copy: Path) -> None:
    kept = [copy / name for name in ("vocabulary.json", "frozen.safetensors")]
    before = [(path.stat().st_ino, path.stat().st_mtime_ns) for path in kept]
    Model.load(copy).save(copy)
    assert [(path.stat().st_ino, path.stat().st_mtime_ns) for path in kept] == before
    model = Model.load(copy)
    (copy / "frozen.safetensors").write_bytes(b"damaged")
    model.save(copy)
    Model.load(copy)


def test_fewer_networks_take_the_place_of_more(three: Model, tmp_path: Path) -> None:
    three.save(tmp_path)
    replace(three, networks=three.networks[:1]).save(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(FILES)
    assert len(Model.load(tmp_path).networks) == 1


# What is damaged is refused


def test_nothing_is_pickled(saved: Path) -> None:
    assert {path.name for path in saved.iterdir()} == set(FILES)
    for path in saved.iterdir():
        with pytest.raises((pickle.UnpicklingError, UnicodeDecodeError, ValueError, KeyError, IndexError, EOFError)):
            pickle.loads(path.read_bytes())


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(InputError, match=f"{name}: expected a model, but this file is missing"):
        Model.load(copy)


@pytest.mark.parametrize("name", FILES)
def test_a_cut_file_is_damage(copy: Path, name: str) -> None:
    content = (copy / name).read_bytes()
    (copy / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="damaged"):
        Model.load(copy)


@pytest.mark.parametrize("name", ["frozen.safetensors", "network-1.safetensors"])
def test_one_flipped_bit_is_damage(copy: Path, name: str) -> None:
    content = bytearray((copy / name).read_bytes())
    content[-3] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(InputError, match="do not belong together or have changed"):
        Model.load(copy)


@pytest.mark.parametrize(
    ("name", "old", "new"), [("vocabulary.json", "unseen", "unsaid"), ("config.json", '"PER"', '"PUR"')]
)
def test_a_text_of_another_model_is_damage(copy: Path, name: str, old: str, new: str) -> None:
    text = (copy / name).read_text(encoding="utf-8")
    assert old in text
    (copy / name).write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match="do not belong together"):
        Model.load(copy)


def changed(directory: Path, **values: object) -> None:
    """Change the configuration, and its digest with it."""
    content = json.loads((directory / "config.json").read_text(encoding="utf-8")) | values
    del content["digest"]
    weights = [arrays_of(path) for path in (directory / "frozen.safetensors", directory / "network-1.safetensors")]
    text = json.dumps(content, ensure_ascii=False)
    digest = module._digest(text, (directory / "vocabulary.json").read_text(encoding="utf-8"), weights)
    (directory / "config.json").write_text(json.dumps(content | {"digest": digest}), encoding="utf-8")


def test_weights_that_do_not_fit_the_configuration_are_named(copy: Path) -> None:
    model = json.loads((copy / "config.json").read_text(encoding="utf-8"))["model"]
    changed(copy, model=model | {"hidden_size": 13})
    with pytest.raises(
        InputError, match=r"network-1.safetensors: the weights do not fit the configuration: expected .* in the shape"
    ):
        Model.load(copy)
    changed(copy, model=model | {"layers": 2})
    with pytest.raises(InputError, match="the weights do not fit the configuration"):
        Model.load(copy)
    changed(copy, model=model)
    Model.load(copy)


@pytest.mark.parametrize("values", [{"networks": "three"}, {"labels": None}, {"model": []}, {"networks": 0}])
def test_a_damaged_description_is_refused(copy: Path, values: dict[str, object]) -> None:
    changed(copy, **values)
    with pytest.raises(InputError, match=r"config.json: the model is damaged: expected labels, networks"):
        Model.load(copy)


@pytest.mark.parametrize("value", [0, -1.0, 1e9, float("inf"), float("nan"), True, "1", None, [1.0]])
def test_a_temperature_that_is_none_is_refused(copy: Path, value: object) -> None:
    changed(copy, temperature=value)
    with pytest.raises(InputError, match=r"config.json: .*(expected a temperature from 0.01 to 100, found|JSON)"):
        Model.load(copy)


def test_the_temperature_is_kept_and_covered_by_the_digest(copy: Path) -> None:
    model = Model.load(copy)
    assert model.temperature == 1.0
    replace(model, temperature=1.25).save(copy)
    assert Model.load(copy).temperature == 1.25
    assert Model.ensemble([Model.load(copy)]).temperature == 1.0
    text = (copy / "config.json").read_text(encoding="utf-8")
    (copy / "config.json").write_text(text.replace('"temperature": 1.25', '"temperature": 1.5'), encoding="utf-8")
    with pytest.raises(InputError, match="do not belong together"):
        Model.load(copy)


def test_a_network_that_is_missing_is_named(copy: Path) -> None:
    changed(copy, networks=2)
    with pytest.raises(InputError, match=r"network-2.safetensors: expected a model, but this file is missing"):
        Model.load(copy)


@pytest.mark.parametrize("version", [0, 99])
def test_another_version_asks_for_another_release(copy: Path, version: int) -> None:
    description = json.loads((copy / "config.json").read_text(encoding="utf-8"))
    (copy / "config.json").write_text(json.dumps(description | {"version": version}), encoding="utf-8")
    with pytest.raises(InputError, match=f"format version {version}, this release reads version 1: install"):
        Model.load(copy)


def test_a_directory_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a model"):
        Model.load(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="expected the configuration of a model with format"):
        Model.load(tmp_path)


def test_the_old_model_survives_a_write_that_fails(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    model = Model.load(copy)
    with torch.no_grad():
        model.networks[0].projection.weight.zero_()

    def full(tensors: object, path: Path, metadata: object) -> None:
        path.write_bytes(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tensor_files, "save_file", full)
    with pytest.raises(InputError, match=r"the old file is unharmed: .*No space left"):
        model.save(copy)
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before
    Model.load(copy)


def test_a_kill_at_any_time_leaves_the_old_or_the_new_model_whole(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ends before each change of the directory in turn; the next save goes well whatever was left."""
    old = Model.load(saved)
    words = words_of(old)
    vocabulary = Vocabulary((*words.vocabulary.symbols[:-1], "another"))  # so that all files are others
    features = Features(old.features | {"word": Words(vocabulary, words.counts, words.frozen + 1)})
    new = replace(old, features=features)
    found, ended = [], False
    while not ended:
        directory = Path(shutil.copytree(saved, tmp_path / str(len(found))))
        with monkeypatch.context() as patch:
            kill_at(patch, len(found), (tensor_files, "save_file"))
            try:
                new.save(directory)
                ended = True
            except Killed:
                pass
        found.append("another" in words_of(Model.load(directory)).vocabulary.symbols)
        old.save(directory)
        assert "another" not in words_of(Model.load(directory)).vocabulary.symbols
        assert {path.name for path in directory.iterdir()} == set(FILES)
    assert found == sorted(found)
    assert found.count(False) > 5
    assert found.count(True) > 3


def test_a_directory_that_cannot_be_made_is_named(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="expected a directory that can be written"):
        Model.load(saved).save(tmp_path / "file" / "model")


# Building


def test_the_seed_decides_the_first_weights_and_nothing_else_does(make_sentences: Make, tiny: Config) -> None:
    torch.manual_seed(99)
    one, same, other = (Model.build(make_sentences(5), tiny.model, seed=seed).networks[0] for seed in (1, 1, 2))
    assert all(torch.equal(*weights) for weights in zip(one.parameters(), same.parameters(), strict=True))
    assert not torch.equal(one.projection.weight, other.projection.weight)
    expected = torch.random.get_rng_state()
    torch.manual_seed(99)
    assert torch.equal(torch.random.get_rng_state(), expected)


@pytest.mark.parametrize(("setting", "part"), [("char_filters", "characters"), ("casing_size", "casing")])
def test_a_feature_of_size_zero_is_left_out(make_sentences: Make, tiny: Config, setting: str, part: str) -> None:
    full, less = (
        Model.build(make_sentences(5), replace(tiny.model, **change)).networks[0] for change in ({}, {setting: 0})
    )
    assert full.embedding.keys() - less.embedding.keys() == {part}
    assert (
        less.embedding.size
        == less.encoder.forwards[0].lstm.input_size
        == full.embedding.size - full.embedding[part].size
    )


def test_unknown_labels_are_refused(saved: Path) -> None:
    with pytest.raises(ValueError, match="expected tags of the labels LOC, PER, got 'B-ORG'"):
        Model.load(saved).encode([Sentence.from_words(["in"], [Span(0, 1, "ORG")])], gold=True)


# Several networks


def test_tags_are_those_of_the_networks_together(three: Model, make_sentences: Make) -> None:
    sentences = make_sentences(30, seed=4)
    words = [sentence.words for sentence in sentences]
    together = predict(three, three.encode(sentences))
    assert together == decode_one_by_one(three, words)
    single = [replace(three, networks=(network,)) for network in three.networks]
    assert any(predict(one, one.encode(sentences)) != together for one in single)
    assert next(iter(Tagger(three).tag_sentences(sentences))).spans == together[0].spans


def test_networks_of_other_words_or_tags_are_no_ensemble(make_sentences: Make, tiny: Config) -> None:
    sentences = make_sentences(20)
    first = Model.build(sentences, tiny.model, vectors=pretrained())
    other_vectors = Vectors(pretrained().words, pretrained().matrix + 1)
    for other, message in (
        (Model.build(sentences[:5], tiny.model, vectors=pretrained()), "the same words and tags"),
        (Model.build(sentences, replace(tiny.model, hidden_size=13), vectors=pretrained()), "the same words and tags"),
        (Model.build(sentences, tiny.model, vectors=other_vectors), "the same frozen vectors"),
    ):
        with pytest.raises(ValueError, match=message):
            Model.ensemble([first, other])
    with pytest.raises(ValueError, match="expected at least one model, got none"):
        Model.ensemble([])


def test_one_model_is_an_ensemble_of_one(saved: Path) -> None:
    model = Model.load(saved)
    alone = Model.ensemble([model])
    assert list(alone.networks) == list(model.networks)
    batch = batch_of(model, [["Anna", "met"]])
    assert torch.equal(mean_emissions(alone, batch), mean_emissions(model, batch))


# The taggers that come with the package


MOST_MEGABYTES = {"en": 15, "zh": 9.5}


@pytest.mark.parametrize("name", SHIPPED)
def test_each_shipped_tagger_is_small_and_described(name: str) -> None:
    directory = model_directory(name)
    files = [path for path in directory.iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= MOST_MEGABYTES[name] * 1e6
    card = (directory / "README.md").read_text(encoding="utf-8")
    for part in (
        "## Scores",
        "CC BY-SA 4.0",
        "Known weaknesses",
        f"scripts/train_shipped.py {name}",
        f"uner-{name}_pud",
    ):
        assert part in card
    assert Tagger.load(name).labels == ("LOC", "ORG", "PER")


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "en",
            "Angela Merkel visited Paris with Barack Obama.",
            {"PER": ["Angela Merkel", "Barack Obama"], "LOC": ["Paris"]},
        ),
        ("en", "angela merkel lives in germany", {"LOC": ["germany"]}),
        ("zh", "毛泽东出生于湖南。", {"PER": ["毛泽东"], "LOC": ["湖南"]}),
        ("zh", "毛澤東出生於湖南。", {"PER": ["毛澤東"], "LOC": ["湖南"]}),
    ],
)
def test_names_that_everybody_knows_are_found(name: str, text: str, expected: dict[str, list[str]]) -> None:
    found = Tagger.load(name).tag(text)
    for label, names in expected.items():
        assert [entity.text for entity in found if entity.label == label] == names


@pytest.mark.parametrize("name", SHIPPED)
def test_each_shipped_tagger_written_again_is_the_same(name: str, tmp_path: Path) -> None:
    Tagger.load(name).save(tmp_path, quantize=True)
    for file in FILES:
        assert (tmp_path / file).read_bytes() == (model_directory(name) / file).read_bytes()


def test_a_path_is_a_path_and_what_does_not_exist_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert model_directory(tmp_path) == tmp_path
    monkeypatch.chdir(tmp_path)
    (tmp_path / "en").mkdir()
    assert model_directory("en") != Path("en")
    assert model_directory("./en") == Path("en")
    for name in ("nowhere", "de", "EN", "en/x", "no/such/folder"):
        with pytest.raises(InputError, match=r"expected the directory of a model, or 'en' or 'zh': found no such"):
            Tagger.load(name)
