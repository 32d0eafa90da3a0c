"""The named presets, and configurations read from TOML."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from ner_lstm_crf.config import MIN_LR, Config, ModelConfig, TokenUnit, TrainingConfig
from ner_lstm_crf.errors import InputError

__all__ = ["PRESETS", "merge_config", "preset", "read_config", "read_tables"]

PRESETS: Mapping[str, Config] = {
    # A good F1 within minutes on two cores; docs/recipe.md says why.
    "fast": Config(),
    # Three networks of `fast`, each with a seed of its own, joined.
    "best": Config(training=TrainingConfig(members=3)),
    # A few hundred sentences: small batches, so that they make many steps, each of them plain.
    "small": Config(
        training=TrainingConfig(
            epochs=25, min_steps=0, batch_size=8, learning_rate=1e-3, pretrained_lr_scale=1.0, adversarial_epsilon=0.0
        )
    ),
    # Ma and Hovy 2016, table 1 and section 3: 30 filters of width 3, 100 units per direction, SGD at 0.015 decayed by
    # 0.05 per epoch, momentum 0.9, batch 10, norm clipping at 5, dropout 0.5. The loss is the mean over the sentences:
    # with momentum 0.9 that is the same step as 0.015 on the sum of a batch of ten without momentum.
    "paper": Config(
        model=ModelConfig(
            char_filters=30,
            char_widths=(3,),
            casing_size=0,
            bigram_size=0,
            lexicon_size=0,
            hidden_size=100,
            word_dropout=0.0,
            char_dropout=0.5,
            input_dropout=0.5,
            recurrent_dropout=0.0,
            output_dropout=0.5,
        ),
        training=TrainingConfig(
            epochs=50,
            min_steps=0,
            batch_size=10,
            max_batch_tokens=100_000,
            pretrained_lr_scale=1.0,
            adversarial_epsilon=0.0,
            optimizer="sgd",
            learning_rate=0.015,
            momentum=0.9,
            weight_decay=0.0,
            schedule="inverse",
            lr_decay=0.05,
            warmup_ratio=0.0,
            reduction="sentence",
            max_grad_norm=5.0,
            ema_decay=0.0,
            patience=15,
        ),
    ),
}

_WITH_VARIANTS = ("fast", "best")

# Characters, of which there are fewer than words, each seen oftener, are learnt by heart sooner: so more of what the
# encoder reads is dropped, steps are short, and their vectors may be moved further.
_OF_CHARACTERS: Mapping[str, Any] = {
    "model": {"input_dropout": 0.5},
    "training": {"epochs": 15, "min_steps": 3000, "learning_rate": MIN_LR, "adversarial_epsilon": 0.2},
}

# The vectors of a frozen transformer tell so much that words are learnt by heart sooner too: more is dropped, and the
# rate is that of a run of 3,000 steps, however many there are.
_BESIDE_TRANSFORMER: Mapping[str, Any] = {
    "model": {"input_dropout": 0.5},
    "training": {"learning_rate": 2.5e-3},
}

_Table = TypeVar("_Table", ModelConfig, TrainingConfig)


def preset(name: str, *, token_unit: TokenUnit = "word", transformer: str | None = None) -> Config:
    """The preset of that name.

    Args:
        name: One of `PRESETS`.
        token_unit: What a token is; for a "character" `fast` and `best` have settings of their own.
        transformer: Folder or hub name of a frozen transformer joined to it, beside which `fast` and `best` have
            settings of their own for words too; None for none.

    Raises:
        InputError: If there is none, or no such unit.
    """
    if name not in PRESETS:
        raise InputError(f"expected a preset, one of {', '.join(PRESETS)}, got '{name}'")
    if token_unit not in get_args(TokenUnit):
        raise InputError(f"expected a unit, one of {', '.join(get_args(TokenUnit))}, got '{token_unit}'")
    config = PRESETS[name]
    if token_unit == "character":
        if name in _WITH_VARIANTS:
            config = merge_config(config, _OF_CHARACTERS)
    elif transformer is not None and name in _WITH_VARIANTS:
        config = merge_config(config, _BESIDE_TRANSFORMER)
    return replace(config, model=replace(config.model, token_unit=token_unit, transformer=transformer))


def read_config(path: str | Path, base: Config | None = None) -> Config:
    """`base` (the default configuration) with what the TOML file's tables `[model]` and `[training]` set.

    See `merge_config`.

    Raises:
        InputError: If the file is no TOML, or holds an unknown table or key, or a value of the wrong type.
    """
    return merge_config(base or Config(), read_tables(path), path=path)


def read_tables(path: str | Path) -> dict[str, Any]:
    """The tables of a TOML file, for `merge_config`, which checks them.

    Raises:
        InputError: If it is none.
    """
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"expected a readable TOML file: {error}", path=path) from error


def merge_config(base: Config, tables: Mapping[str, Any], *, path: str | Path | None = None) -> Config:
    """`base` with the values of `{"model": {...}, "training": {...}}`, each checked by name and type.

    Who names `epochs` has so many, however small the corpus: `min_steps` is 0 then, unless it is named too.

    Raises:
        InputError: If a table or key is unknown, or a value has the wrong type.
    """
    unknown = sorted(set(tables) - {"model", "training"})
    if unknown:
        raise InputError(f"expected the tables [model] and [training], found '{unknown[0]}'", path=path)
    for table, values in tables.items():
        if not isinstance(values, Mapping):
            raise InputError(f"expected a table [{table}], found {values!r}", path=path)
    training = tables.get("training", {})
    if "epochs" in training:  # what was asked for, however small the corpus
        training = {"min_steps": 0, **training}
    try:
        return Config(
            model=_merge(base.model, tables.get("model", {}), "model", path),
            training=_merge(base.training, training, "training", path),
        )
    except InputError as error:
        raise InputError(error.message, path=error.path or path, line=error.line) from error


def _merge(base: _Table, values: Mapping[str, Any], table: str, path: str | Path | None) -> _Table:
    types = get_type_hints(type(base))
    for key, value in values.items():
        if key not in types:
            raise InputError(f"[{table}]: unknown key '{key}', expected one of {', '.join(types)}", path=path)
        if not _fits(value, types[key]):
            raise InputError(f"[{table}] {key}: expected {_wanted(types[key])}, got {value!r}", path=path)
    changes: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    return replace(base, **changes)


def _fits(value: object, kind: Any) -> bool:
    """Whether a value read from TOML or JSON has the type a field declares."""
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if get_origin(kind) is tuple:
        return isinstance(value, list | tuple) and all(_fits(item, get_args(kind)[0]) for item in value)
    if get_origin(kind) in (Union, UnionType):
        return any(_fits(value, part) for part in get_args(kind))
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kind)


def _wanted(kind: Any) -> str:
    """How to name a field's type to the person who got it wrong."""
    if get_origin(kind) is Literal:
        return " or ".join(repr(choice) for choice in get_args(kind))
    if get_origin(kind) in (Union, UnionType):
        return _wanted(get_args(kind)[0])  # what may be left out as well
    names = {float: "a number", int: "a whole number", bool: "true or false", str: "a string"}
    return names.get(kind, "a list of whole numbers" if get_origin(kind) is tuple else "a string")
