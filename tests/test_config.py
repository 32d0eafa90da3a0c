"""Settings out of range are refused when they are made, by name."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, fields
from typing import Literal, get_args, get_origin, get_type_hints

import pytest

from ner_lstm_crf.config import MAX_LR, Config, ModelConfig, TrainingConfig
from ner_lstm_crf.errors import InputError

NUMBERS = [
    (table, one.name)
    for table in (ModelConfig, TrainingConfig)
    for one in fields(table)
    if one.type in ("int", "float", "float | None")
]
RATES = ["word_dropout", "char_dropout", "input_dropout", "recurrent_dropout", "output_dropout"]
SHARES = ["momentum", "warmup_ratio", "ema_decay"]


def test_the_fields_that_hold_numbers_are_found() -> None:
    assert {name for _, name in NUMBERS} > {*RATES, *SHARES, "epochs", "hidden_size", "learning_rate", "seed"}


@pytest.mark.parametrize(("table", "name"), NUMBERS)
@pytest.mark.parametrize("value", [-1, -0.001, math.nan, math.inf, -math.inf])
def test_no_number_may_be_negative_or_infinite_or_no_number(
    table: type[ModelConfig | TrainingConfig], name: str, value: float
) -> None:
    with pytest.raises(InputError, match=f"^{name}: expected at least [01].*, got {value}$"):
        table(**{name: value})


@pytest.mark.parametrize(
    ("table", "name"), [*((ModelConfig, name) for name in RATES), *((TrainingConfig, name) for name in SHARES)]
)
def test_shares_are_below_one(table: type[ModelConfig | TrainingConfig], name: str) -> None:
    assert getattr(table(**{name: 0}), name) == 0
    assert getattr(table(**{name: 0.999}), name) == 0.999
    with pytest.raises(InputError, match=f"^{name}: expected at least 0 and below 1, got 1"):
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
    with pytest.raises(InputError, match=f"^{name}: expected one of .*{choice}.*, got '{choice.upper()}'$"):
        table(**{name: choice.upper()})


def test_the_fields_that_hold_choices_are_found() -> None:
    names = {"head", "crf_loss", "token_unit", "hyphens", "optimizer", "schedule", "reduction", "transformer_precision"}
    assert {name for _, name, _ in CHOICES} == names


def test_pretrained_vectors_may_learn_as_fast_as_all_else_and_no_faster() -> None:
    assert TrainingConfig(pretrained_lr_scale=1.0).pretrained_lr_scale == 1.0
    with pytest.raises(InputError, match=r"pretrained_lr_scale: expected a share, at most 1, got 1\.5"):
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
    with pytest.raises(InputError, match=f"^{name}: expected at least 1, got 0"):
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
    with pytest.raises(InputError, match=r"^char_widths: expected widths of at least 1, got \["):
        ModelConfig(char_widths=widths)


def test_a_configuration_is_a_value() -> None:
    assert Config() == Config(model=ModelConfig(), training=TrainingConfig())
    assert hash(ModelConfig()) == hash(ModelConfig())
    with pytest.raises(FrozenInstanceError):
        Config().model.layers = 2  # type: ignore[misc]


def test_a_seed_that_no_generator_takes_is_refused() -> None:
    assert TrainingConfig(seed=2**63 - 1).seed == 2**63 - 1
    with pytest.raises(
        InputError, match=r"^seed: expected at least 0 and below 9223372036854775808, got 9223372036854775808$"
    ):
        TrainingConfig(seed=2**63)
