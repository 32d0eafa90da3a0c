"""Fields out of range are refused by name, presets are valid, and what is wrong in a TOML file is said with its key."""

from __future__ import annotations

import json
import math
from dataclasses import FrozenInstanceError, asdict, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

from ner_lstm_crf.config import (
    MAX_LR,
    MIN_LR,
    PRESETS,
    Config,
    ModelConfig,
    TokenUnit,
    TrainingConfig,
    check_tables,
    configured,
    merge_config,
    preset,
    read_config,
    settings,
    without_effect,
)
from ner_lstm_crf.errors import InputError

TABLES = {"model": ModelConfig, "training": TrainingConfig}
FIELDS = [(table, name) for table in TABLES for name in settings(table)]
NUMBERS = [(TABLES[table], name) for table, name in FIELDS if settings(table)[name].kind in (int, float)]
NUMBERS.remove((ModelConfig, "char_widths"))  # several
RATES = ["word_dropout", "char_dropout", "input_dropout", "recurrent_dropout", "output_dropout"]
SHARES = ["momentum", "warmup_ratio", "ema_decay"]


def test_the_fields_that_hold_numbers_are_found() -> None:
    assert {name for _, name in NUMBERS} > {*RATES, *SHARES, "epochs", "hidden_size", "learning_rate", "seed"}


@pytest.mark.parametrize(("table", "name"), NUMBERS)
@pytest.mark.parametrize("value", [-1, -0.001, math.nan, math.inf, -math.inf])
def test_no_number_may_be_negative_or_infinite_or_no_number(
    table: type[ModelConfig | TrainingConfig], name: str, value: float
) -> None:
    with pytest.raises(InputError, match=f"^{name}: expected a (whole )?number of at least [01].*, got {value}$"):
        table(**{name: value})


@pytest.mark.parametrize(
    ("table", "name"), [*((ModelConfig, name) for name in RATES), *((TrainingConfig, name) for name in SHARES)]
)
def test_shares_are_below_one(table: type[ModelConfig | TrainingConfig], name: str) -> None:
    assert getattr(table(**{name: 0}), name) == 0
    assert getattr(table(**{name: 0.999}), name) == 0.999
    with pytest.raises(InputError, match=f"^{name}: expected a number of at least 0 and below 1, got 1$"):
        table(**{name: 1})


CHOICES = [
    (table, name, choice)
    for table in (ModelConfig, TrainingConfig)
    for name, kind in get_type_hints(table).items()
    if get_origin(kind) is Literal
    for choice in get_args(kind)
]


@pytest.mark.parametrize(("table", "name", "choice"), CHOICES)
def test_of_choices_there_must_be_one(table: type[ModelConfig | TrainingConfig], name: str, choice: str) -> None:
    beside = {"learning_rate": 0.1} if choice == "sgd" else {}  # which has none of its own
    assert getattr(table(**{name: choice}, **beside), name) == choice
    with pytest.raises(InputError, match=f"^{name}: expected one of .*{choice}.*, got '{choice.swapcase()}'$"):
        table(**{name: choice.swapcase()})


def test_the_fields_that_hold_choices_are_found() -> None:
    names = {
        "scheme",
        "head",
        "crf_loss",
        "char_encoder",
        "token_unit",
        "hyphens",
        "optimizer",
        "schedule",
        "reduction",
        "transformer_precision",
        "device",
    }
    assert {name for _, name, _ in CHOICES} == names


def test_pretrained_vectors_may_learn_as_fast_as_all_else_and_no_faster() -> None:
    assert TrainingConfig(pretrained_lr_scale=1.0).pretrained_lr_scale == 1.0
    with pytest.raises(
        InputError, match=r"pretrained_lr_scale: expected a number of at least 0 and at most 1, got 1\.5$"
    ):
        TrainingConfig(pretrained_lr_scale=1.5)


@pytest.mark.parametrize(
    ("table", "name"),
    [
        *((ModelConfig, name) for name in ("word_size", "char_size", "hidden_size", "layers", "transformer_layers")),
        *((TrainingConfig, name) for name in ("epochs", "batch_size", "max_batch_tokens")),
    ],
)
def test_what_there_must_be_one_of(table: type[ModelConfig | TrainingConfig], name: str) -> None:
    assert getattr(table(**{name: 1}), name) == 1
    with pytest.raises(InputError, match=rf"^{name}: expected a whole number of at least 1( and at most \d+)?, got 0$"):
        table(**{name: 0})


def test_a_decay_that_leaves_no_weight_is_refused() -> None:
    with pytest.raises(InputError, match=r"learning_rate \* weight_decay below 1, .* got 2$"):
        TrainingConfig(learning_rate=0.5, weight_decay=4)
    assert TrainingConfig(optimizer="sgd", learning_rate=0.5, weight_decay=4).weight_decay == 4


def test_only_adamw_may_be_left_to_choose_its_learning_rate() -> None:
    assert TrainingConfig().learning_rate is None
    with pytest.raises(InputError, match="learning_rate: expected one for the optimizer 'sgd', got None"):
        TrainingConfig(optimizer="sgd")
    with pytest.raises(InputError, match=r"learning_rate \* weight_decay below 1, .* got 1$"):
        TrainingConfig(weight_decay=1 / MAX_LR)


@pytest.mark.parametrize("name", ["char_filters", "casing_size", "transformer_size"])
def test_what_may_be_left_out(name: str) -> None:
    assert getattr(ModelConfig(**{name: 0}), name) == 0


@pytest.mark.parametrize("widths", [(), (0,), (3, -1)])
def test_filters_have_a_width(widths: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"^char_widths: expected whole numbers of at least 1 and at most 100, got \["):
        ModelConfig(char_widths=widths)


def test_a_configuration_is_a_value() -> None:
    assert Config() == Config(model=ModelConfig(), training=TrainingConfig())
    assert hash(ModelConfig()) == hash(ModelConfig())
    with pytest.raises(FrozenInstanceError):
        Config().model.layers = 2  # type: ignore[misc]


def test_a_seed_that_no_generator_takes_is_refused() -> None:
    assert TrainingConfig(seed=2**63 - 1).seed == 2**63 - 1
    with pytest.raises(
        InputError,
        match=r"^seed: expected a whole number of at least 0 and below 9223372036854775808, got 9223372036854775808$",
    ):
        TrainingConfig(seed=2**63)


# Presets and files


def written(tmp_path: Path, content: str) -> Path:
    path = tmp_path / "my.toml"
    path.write_text(content, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_found_by_name_and_survives_json(name: str) -> None:
    config = preset(name)
    assert config == PRESETS[name]
    assert merge_config(Config(), check_tables(json.loads(json.dumps(asdict(config))), "x")) == config


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
        min_epochs=own.min_epochs,
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
    assert fast.training.ensemble_size == 1 < best.training.ensemble_size
    assert best == replace(fast, training=replace(fast.training, ensemble_size=best.training.ensemble_size))


@pytest.mark.parametrize("name", PRESETS)
def test_with_intnet_a_preset_differs_in_the_sizes_for_characters_alone(name: str) -> None:
    plain, dense = preset(name), preset(name, char_encoder="intnet")
    sizes = {"char_size", "char_filters", "char_widths"}
    differ = {key for key in settings("model") if getattr(plain.model, key) != getattr(dense.model, key)}
    assert {"char_encoder", "char_filters", "char_widths"} <= differ <= {"char_encoder", *sizes}
    assert dense.training == plain.training
    tables = {"model": {"char_encoder": "intnet", "char_filters": 9}, "training": {}}
    assert configured(name, tables) == dense.replace(char_filters=9)


@pytest.mark.parametrize("name", PRESETS)
def test_beside_a_fine_tuned_transformer_one_network_is_trained_as_without(name: str) -> None:
    alone, tuned = preset(name), preset(name, transformer="minilm", fine_tune=True)
    assert tuned.model == replace(alone.model, transformer="minilm", fine_tune=True)
    assert tuned.training == replace(alone.training, ensemble_size=1)


def test_an_unknown_preset_is_named_with_those_there_are() -> None:
    with pytest.raises(InputError, match=rf"^expected a preset, one of {', '.join(PRESETS)}, got 'slow'$"):
        preset("slow")


def test_an_unknown_unit_is_refused() -> None:
    with pytest.raises(InputError, match=r"^token_unit: expected one of word, character, got 'characters'$"):
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


def test_settings_that_do_nothing_beside_the_others_are_found() -> None:
    assert [found for name in PRESETS for found in without_effect(PRESETS[name])] == []
    assert without_effect(preset("fast", token_unit="character", transformer="t")) == []
    idle = {"crf_loss": "labelwise", "momentum": 0.9, "lr_decay": 0.1, "bigram_size": 9, "transformer_mix": True}
    idle["char_blocks"] = 2
    assert without_effect(Config().replace(head="softmax", **idle)) == [
        "crf_loss has no effect without the head crf",
        "char_blocks has no effect without the char_encoder intnet",
        "bigram_size has no effect without characters as tokens",
        "transformer_mix has no effect without a transformer",
        "momentum has no effect without the optimizer sgd",
        "lr_decay has no effect without the schedule inverse",
    ]
    assert without_effect(Config().replace(bigram_size=0, lexicon_size=0)) == []
    assert without_effect(preset("fast", char_encoder="intnet").replace(char_blocks=2)) == []
    assert without_effect(Config().replace(char_filters=0, char_encoder="intnet", char_blocks=2)) == [
        "char_encoder has no effect without char_filters"
    ]


def test_epochs_that_are_asked_for_are_all_there_are() -> None:
    assert Config().training.min_steps > 0
    assert merge_config(Config(), {"training": {"epochs": 3, "min_steps": 0}}).training.epochs == 3
    for name in ("min_steps", "min_epochs"):
        with pytest.raises(InputError, match=f"{name}: expected none beside epochs, which says .*, got 70"):
            merge_config(Config(), {"training": {"epochs": 3, name: 70}})
    assert merge_config(Config(), {"training": {"patience": 3}}).training == TrainingConfig(patience=3)


ERRORS = {
    "model = 3": r"expected a table \[model\], found 3",
    "training = [1]": r"expected a table \[training\], found \[1\]",
    "[modell]": r"expected the tables \[model\] and \[training\], found 'modell'",
    "epochs = 3": r"expected the tables \[model\] and \[training\], found 'epochs'",
    "[model]\nlayer = 2": r"\[model\]: unknown key 'layer', did you mean layers\?",
    "[model]\nzzz = 2": r"\[model\]: unknown key 'zzz', expected one of scheme, .*layers",
    "[training]\nlayers = 2": r"\[training\]: unknown key 'layers', expected one of epochs, ",
    "[model]\nhead = 'hmm'": r"\[model\] head: expected one of crf, softmax, got 'hmm'",
    "[model]\nhead = ['crf']": r"\[model\] head: expected one of crf, softmax, got \['crf'\]",
    "[model]\nlayers = 2.0": r"\[model\] layers: expected a whole number of at least 1 and at most 100, got 2\.0",
    "[model]\nlayers = true": r"\[model\] layers: expected a whole number of at least 1 and at most 100, got True",
    "[model]\nword_dropout = '0.1'": r"\[model\] word_dropout: expected a number of at least 0 and below 1, got '0\.1'",
    "[model]\nword_dropout = true": r"\[model\] word_dropout: expected a number of at least 0 and below 1, got True",
    "[model]\nfine_tune = 1": r"\[model\] fine_tune: expected true or false, got 1",
    "[model]\nchar_widths = 3": r"\[model\] char_widths: expected whole numbers of at least 1 and at most 100, got 3",
    "[model]\nchar_widths = [3, 2.5]": r"\[model\] char_widths: expected whole numbers .*, got \[3, 2\.5\]",
    "[model]\nchar_widths = []": r"\[model\] char_widths: expected whole numbers of at least 1 .*, got \[\]",
    "[model]\nscheme = 'BIX'": r"\[model\] scheme: expected one of IO, .*BIEO.*, got 'BIX'",
    "[model]\ntransformer = 3": r"\[model\] transformer: expected a string, got 3",
    "[model]\nlayers = 0": r"\[model\] layers: expected a whole number of at least 1 and at most 100, got 0",
    "[training]\nlearning_rate = '1e-3'": r"\[training\] learning_rate: expected a number of at least 0, got '1e-3'",
    "[training]\nlearning_rate = nan": r"learning_rate: expected a number of at least 0, got nan",
    "[training]\nlearning_rate = inf": r"learning_rate: expected a number of at least 0, got inf",
    "[training]\nmomentum = 1.0": r"\[training\] momentum: expected a number of at least 0 and below 1, got 1\.0",
    "[model]\nfine_tune = true": r"fine_tune: expected a transformer to train, got none",
    "[training]\noptimizer = 'sgd'": r"learning_rate: expected one for the optimizer 'sgd', got None",
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
    with pytest.raises(InputError, match=r"my\.toml: (expected a readable TOML file|no such file)"):
        read_config(path)


@pytest.mark.parametrize("table", [ModelConfig, TrainingConfig])
def test_every_key_is_checked_for_its_type(table: type[ModelConfig | TrainingConfig]) -> None:
    wrong: dict[str, Any] = {"nested": {}}
    name = "model" if table is ModelConfig else "training"
    for one in fields(table):
        with pytest.raises(InputError, match=rf"^my.toml: \[{name}\] {one.name}: expected .*, got "):
            check_tables({name: {one.name: wrong}}, "my.toml")


def test_a_transformer_that_is_fine_tuned_is_named_and_trained_in_one_network() -> None:
    with pytest.raises(InputError, match=r"^fine_tune: expected a transformer to train, got none$"):
        Config(model=ModelConfig(fine_tune=True))
    model = ModelConfig(fine_tune=True, transformer="minilm")
    assert Config(model=model).training.ensemble_size == 1
    with pytest.raises(InputError, match=r"^ensemble_size: expected 1 where a transformer is fine-tuned, got 2$"):
        Config(model=model, training=TrainingConfig(ensemble_size=2))


@pytest.mark.parametrize(("table", "name"), FIELDS)
def test_a_value_of_another_type_is_refused_when_it_is_made(table: str, name: str) -> None:
    with pytest.raises(InputError, match=f"^{name}: expected .*, got {{}}$"):
        TABLES[table](**{name: {}})


@pytest.mark.parametrize("table", TABLES)
def test_the_docstring_lists_each_field_with_its_sentence(table: str) -> None:
    documentation = TABLES[table].__doc__
    assert documentation is not None
    assert list(settings(table)) == [one.name for one in fields(TABLES[table])]
    for name, setting in settings(table).items():
        assert f"        {name}: {setting.sentence}.\n" in f"{documentation}\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[model]\nhidden_size = " + b"9" * 5000, "expected a readable TOML file: "),
        (b"[model]\nhidden_size = 0x" + b"f" * 9000, "too large to show|whole number"),
        (b"[model]\nchar_widths = " + b"[" * 20_000, "nested too deeply"),
        (b"a" * 2_000_000, "at most 1,048,576 bytes"),
        (b"[model]\n" + b"k" * 5000 + b" = 1", "unknown key"),
        (b'[model]\n"k\\u001b[2J\\nx" = 1', r"unknown key 'k\\x1b\[2J\\nx'"),
        (b'["t\\nx"]', r"found 't\\nx'"),
        (b'[model]\ntransformer_layers = "' + b"x" * 5000 + b'"', "a whole number"),
        (b"\xff\xfe", "expected a readable TOML file"),
    ],
)
def test_whatever_a_toml_file_holds_is_one_clear_line(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "x.toml").write_bytes(content)
    with pytest.raises(InputError, match=message) as raised:
        read_config(tmp_path / "x.toml")
    assert raised.value.path == tmp_path / "x.toml"
    assert str(raised.value).isprintable()
    assert len(raised.value.message) < 2000


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="the system has no endless file")
def test_an_endless_toml_file_is_refused() -> None:
    with pytest.raises(InputError, match="/dev/zero: expected a TOML file of at most"):
        read_config("/dev/zero")
