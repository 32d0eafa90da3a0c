"""Presets are valid, and a TOML file is taken over them or refused in one line that says where."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import pytest

from ner_lstm_crf.config import MAX_LR, MIN_LR, Config, ModelConfig, TokenUnit, TrainingConfig
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.presets import PRESETS, merge_config, preset, read_config


def written(tmp_path: Path, content: str) -> Path:
    path = tmp_path / "my.toml"
    path.write_text(content, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_found_by_name_and_survives_json(name: str) -> None:
    config = preset(name)
    assert config == PRESETS[name]
    assert merge_config(Config(), json.loads(json.dumps(asdict(config)))) == config


@pytest.mark.parametrize("name", PRESETS)
def test_beside_a_frozen_transformer_fast_and_best_drop_more_at_one_rate(name: str) -> None:
    alone, joined = preset(name), preset(name, transformer="minilm")
    if name not in ("fast", "best"):
        assert joined == replace(alone, model=replace(alone.model, transformer="minilm"))
        return
    dropped, rate = joined.model.input_dropout, joined.training.learning_rate
    assert joined.model == replace(alone.model, transformer="minilm", input_dropout=dropped)
    assert joined.training == replace(alone.training, learning_rate=rate)
    assert rate is not None
    assert MIN_LR < rate < MAX_LR
    assert dropped > alone.model.input_dropout


@pytest.mark.parametrize("name", PRESETS)
def test_for_characters_fast_and_best_drop_more_and_move_further(name: str) -> None:
    words, characters = preset(name), preset(name, token_unit="character")
    if name not in ("fast", "best"):
        assert characters == replace(words, model=replace(words.model, token_unit="character"))
        return
    dropped, own = characters.model.input_dropout, characters.training
    assert characters.model == replace(words.model, token_unit="character", input_dropout=dropped)
    assert own == replace(
        words.training,
        epochs=own.epochs,
        min_steps=own.min_steps,
        learning_rate=MIN_LR,
        adversarial_epsilon=own.adversarial_epsilon,
    )
    assert dropped > words.model.input_dropout
    assert own.adversarial_epsilon > words.training.adversarial_epsilon
    joined = preset(name, token_unit="character", transformer="minilm")
    assert joined == replace(characters, model=replace(characters.model, transformer="minilm"))


@pytest.mark.parametrize("token_unit", ["word", "character"])
@pytest.mark.parametrize("transformer", [None, "minilm"])
def test_best_is_several_networks_of_fast(token_unit: TokenUnit, transformer: str | None) -> None:
    fast, best = (preset(name, token_unit=token_unit, transformer=transformer) for name in ("fast", "best"))
    assert fast.training.members == 1 < best.training.members
    assert best == replace(fast, training=replace(fast.training, members=best.training.members))


def test_an_unknown_preset_is_named_with_those_there_are() -> None:
    with pytest.raises(InputError, match=rf"^expected a preset, one of {', '.join(PRESETS)}, got 'slow'$"):
        preset("slow")


def test_an_unknown_unit_is_refused() -> None:
    with pytest.raises(InputError, match=r"^expected a unit, one of word, character, got 'characters'$"):
        preset("fast", token_unit="characters")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", PRESETS)
def test_an_empty_file_changes_nothing(name: str, tmp_path: Path) -> None:
    assert read_config(written(tmp_path, ""), PRESETS[name]) == PRESETS[name]
    assert read_config(written(tmp_path, "")) == Config()


def test_a_file_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
        [model]
        head = "softmax"
        char_widths = [2, 3]
        transformer = "bert-base-cased"
        [training]
        learning_rate = 1  # a whole number where a fraction may stand
        freeze_vectors = true
        """,
    )
    base = PRESETS["paper"]
    assert read_config(path, base) == Config(
        model=replace(base.model, head="softmax", char_widths=(2, 3), transformer="bert-base-cased"),
        training=replace(base.training, learning_rate=1, freeze_vectors=True),
    )


def test_epochs_that_are_asked_for_are_all_there_are() -> None:
    assert Config().training.min_steps > 0
    assert merge_config(Config(), {"training": {"epochs": 3}}).training.min_steps == 0
    assert merge_config(Config(), {"training": {"epochs": 3, "min_steps": 70}}).training.min_steps == 70
    assert merge_config(Config(), {"training": {"patience": 3}}).training == TrainingConfig(patience=3)


ERRORS = {
    "model = 3": r"expected a table \[model\], found 3",
    "training = [1]": r"expected a table \[training\], found \[1\]",
    "[modell]": r"expected the tables \[model\] and \[training\], found 'modell'",
    "epochs = 3": r"expected the tables \[model\] and \[training\], found 'epochs'",
    "[model]\nlayer = 2": r"\[model\]: unknown key 'layer', expected one of scheme, .*layers",
    "[training]\nlayers = 2": r"\[training\]: unknown key 'layers', expected one of epochs, ",
    "[model]\nhead = 'hmm'": r"\[model\] head: expected 'crf' or 'softmax', got 'hmm'",
    "[model]\nhead = ['crf']": r"\[model\] head: expected 'crf' or 'softmax', got \['crf'\]",
    "[model]\nlayers = 2.0": r"\[model\] layers: expected a whole number, got 2\.0",
    "[model]\nlayers = true": r"\[model\] layers: expected a whole number, got True",
    "[model]\nword_dropout = '0.1'": r"\[model\] word_dropout: expected a number, got '0\.1'",
    "[model]\nword_dropout = true": r"\[model\] word_dropout: expected a number, got True",
    "[model]\nfine_tune = 1": r"\[model\] fine_tune: expected true or false, got 1",
    "[model]\nchar_widths = 3": r"\[model\] char_widths: expected a list of whole numbers, got 3",
    "[model]\nchar_widths = [3, 2.5]": r"\[model\] char_widths: expected a list of whole numbers, got \[3, 2\.5\]",
    "[model]\nchar_widths = []": r"char_widths: expected widths of at least 1, got \[\]",
    "[model]\nscheme = 3": r"\[model\] scheme: expected a string, got 3",
    "[model]\ntransformer = 3": r"\[model\] transformer: expected a string, got 3",
    "[model]\nlayers = 0": r"layers: expected at least 1, got 0",
    "[training]\nlearning_rate = '1e-3'": r"\[training\] learning_rate: expected a number, got '1e-3'",
    "[training]\nlearning_rate = nan": r"learning_rate: expected at least 0, got nan",
    "[training]\nlearning_rate = inf": r"learning_rate: expected at least 0, got inf",
    "[training]\nwarmup = 1.0": r"warmup: expected at least 0 and below 1, got 1\.0",
    "[model\nlayers = 1": r"expected a readable TOML file: .*line 1",
    "[model]\nlayers = 1\nlayers = 2": r"expected a readable TOML file: Cannot overwrite a value",
}


@pytest.mark.parametrize("content", ERRORS)
def test_what_is_wrong_in_a_file_is_said_in_one_line(content: str, tmp_path: Path) -> None:
    path = written(tmp_path, content)
    with pytest.raises(InputError, match=ERRORS[content]) as caught:
        read_config(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"\xff\xfe[\x00m\x00", None])
def test_a_file_that_is_no_text_or_not_there_is_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    if content:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"my\.toml: expected a readable TOML file"):
        read_config(path)


@pytest.mark.parametrize("table", [ModelConfig, TrainingConfig])
def test_every_key_is_checked_for_its_type(table: type[ModelConfig | TrainingConfig]) -> None:
    wrong: dict[str, Any] = {"nested": {}}
    name = "model" if table is ModelConfig else "training"
    for one in fields(table):
        with pytest.raises(InputError, match=rf"^\[{name}\] {one.name}: expected .*, got "):
            merge_config(Config(), {name: {one.name: wrong}})
