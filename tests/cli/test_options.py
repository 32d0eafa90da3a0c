"""The flags made from the fields of the configuration, and the order in which preset, file and flags count."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, strategies

from ner_lstm_crf.cli.main import COMMANDS, parser_for
from ner_lstm_crf.cli.options import StoreOnce, YesOrNo, config_from, settings_from
from ner_lstm_crf.config import Config, preset, settings
from ner_lstm_crf.errors import InputError
from tests.cli.conftest import Files, Run


def configured(*arguments: str) -> Config:
    command = ["train", "--train", "f", "--output", "m", *arguments]
    args = parser_for(command).parse_args(command)
    return config_from(args, settings_from(args))


def test_a_flag_beats_the_file_and_the_file_beats_the_preset(files: Files) -> None:
    paper = configured("--preset", "paper")
    assert (paper.training.optimizer, paper.training.min_epochs, paper.model.hidden_size) == ("sgd", 50, 100)
    mixed = configured("--preset", "paper", "--config", str(files.config))
    assert (mixed.training.optimizer, mixed.training.epochs, mixed.model.hidden_size) == ("sgd", 12, 16)
    flags = (
        "--epochs",
        "3",
        "--seed",
        "7",
        "--head",
        "softmax",
        "--token-unit",
        "character",
        "--crf-loss",
        "labelwise",
    )
    config = configured("--preset", "paper", "--config", str(files.config), *flags)
    assert (config.training.epochs, config.training.seed) == (3, 7)
    assert (config.model.head, config.model.token_unit, config.model.crf_loss) == ("softmax", "character", "labelwise")
    assert config.training.learning_rate == 0.02


@strategies.composite
def fields_and_values(draw: strategies.DrawFn) -> tuple[str, str, Any]:
    """A field, by its table and name, and a value that it takes."""
    table = draw(strategies.sampled_from(["model", "training"]))
    name = draw(strategies.sampled_from(sorted(settings(table))))
    setting = settings(table)[name]
    kinds: dict[type, strategies.SearchStrategy[Any]] = {
        bool: strategies.booleans(),
        int: strategies.integers(0, 2**63),
        float: strategies.floats(0, 1e300) | strategies.floats(0, 1) | strategies.integers(0, 100),
        str: strategies.text(strategies.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1),
    }
    one = strategies.sampled_from(setting.choices) if setting.choices else kinds[setting.kind]
    value = strategies.lists(one, min_size=1).map(tuple) if setting.many else one
    return table, name, draw(value.filter(setting.accepts))


@given(fields_and_values())
def test_a_flag_and_a_file_give_the_same_value(made: tuple[str, str, Any]) -> None:
    table, name, value = made
    flag = settings(table)[name].flag
    if isinstance(value, bool):
        option = flag if value else flag.replace("--", "--no-")
    else:
        option = f"{flag}={','.join(map(str, value)) if isinstance(value, tuple) else value}"
    with TemporaryDirectory() as folder:
        file = Path(folder) / "one.toml"
        file.write_text(f"[{table}]\n{name} = {json.dumps(value, ensure_ascii=False)}\n", encoding="utf-8")
        for arguments in ([option], ["--config", str(file)]):
            command = ["train", "--train", "f", "--output", "m", *arguments]
            given = settings_from(parser_for(command).parse_args(command))
            assert given[table] == {name: value}


def test_a_frozen_transformer_changes_the_preset_and_the_file_changes_both(tmp_path: Path) -> None:
    joined = preset("best", transformer="minilm")
    assert configured("--preset", "best", "--transformer", "minilm") == joined
    assert joined.training != preset("best").training
    path = tmp_path / "joined.toml"
    path.write_text('[model]\ntransformer = "minilm"\n[training]\nlearning_rate = 0.5\n', encoding="utf-8")
    named = configured("--preset", "best", "--config", str(path))
    assert named == replace(joined, training=replace(joined.training, learning_rate=0.5))
    tuned = configured("--preset", "best", "--transformer", "minilm", "--fine-tune")
    assert tuned.training == replace(preset("best").training, ensemble_size=1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--fine-tune"], "--fine-tune: expected a transformer to train, got none"),
        (["--config", "tuned.toml"], "tuned.toml: fine_tune: expected a transformer to train"),
        (["--optimizer", "sgd"], "--learning-rate: expected one for the optimizer 'sgd', got None"),
        (["--weight-decay", "500"], "--weight-decay: expected learning_rate . weight_decay below 1"),
        (["--transformer-cache", "kept"], "--transformer-cache: expected a --transformer that is not trained"),
        (
            ["--transformer-cache", "kept", "--transformer", "t", "--fine-tune"],
            "--transformer-cache: expected a --transformer that is not",
        ),
        (["--vectors-limit", "10"], "--vectors-limit: expected the file of --vectors"),
        (
            ["--vectors-limit", "10", "--vectors", "builtin", "--token-unit", "character"],
            "--vectors-limit: expected the file",
        ),
        (["--vectors-limit", "10", "--vectors", "none"], "--vectors-limit: expected the file"),
        (["--config", "missing.toml"], "missing.toml: no such file"),
        (["--config", "odd.toml"], r"odd.toml: \[model\] scheme: expected one of IO, .*, got 'BIX'"),
    ],
)
def test_what_is_refused_before_any_file_is_read(
    arguments: list[str], said: str, write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write("odd.toml", '[model]\nscheme = "BIX"\n')
    write("tuned.toml", "[model]\nfine_tune = true\n")
    with pytest.raises(InputError, match=said):
        configured(*arguments)


def test_characters_have_a_preset_of_their_own(write) -> None:
    characters = preset("best", token_unit="character")
    assert characters.training != preset("best").training
    assert configured("--preset", "best", "--token-unit", "character") == characters
    named = write("named.toml", '[model]\ntoken_unit = "character"\n[training]\nmin_steps = 7\n')
    training = replace(characters.training, min_steps=7)
    assert configured("--preset", "best", "--config", str(named)) == replace(characters, training=training)


def test_epochs_are_not_named_twice(write) -> None:
    steps = write("steps.toml", "[training]\nmin_steps = 70\n")
    assert configured("--epochs", "3").training.epochs == 3
    with pytest.raises(InputError, match="min_steps: expected none beside epochs"):
        configured("--epochs", "3", "--config", str(steps))


def test_as_many_networks_as_the_flag_the_file_or_the_preset_says(write) -> None:
    three = str(write("three.toml", "[training]\nensemble_size = 3\n"))
    assert configured("--train", "x").training.ensemble_size == 1
    assert configured("--train", "x", "--preset", "best").training.ensemble_size == 3
    assert configured("--train", "x", "--config", three).training.ensemble_size == 3
    assert configured("--train", "x", "--preset", "best", "--ensemble", "1").training.ensemble_size == 1
    beside = ("--train", "x", "--preset", "best", "--transformer", "t")
    assert configured(*beside).training.ensemble_size == 3
    assert configured(*beside, "--fine-tune").training.ensemble_size == 1
    for named in (("--ensemble", "2"), ("--config", three)):
        with pytest.raises(InputError, match=r"ensemble.*: expected 1 where a transformer is fine-tuned, got [23]$"):
            configured(*beside, "--fine-tune", *named)


@pytest.mark.parametrize("command", ["train", "compare"])
def test_every_field_has_a_flag_whose_help_is_its_sentence(command: str, run: Run) -> None:
    parser = parser_for([command, "--help-all"])
    (subparsers,) = (action for action in parser._actions if action.choices and command in action.choices)
    helps = {flag: action.help for action in subparsers.choices[command]._actions for flag in action.option_strings}
    for table in ("model", "training"):
        for name, setting in settings(table).items():
            if (command, name) == ("compare", "head"):
                assert setting.flag not in helps
            else:
                assert helps[setting.flag].startswith(setting.sentence), name


@pytest.mark.parametrize("command", ["train", "compare"])
def test_help_shows_the_common_flags_and_help_all_the_rare_ones_too(command: str, run: Run) -> None:
    common, every = (run(command, option) for option in ("--help", "--help-all"))
    assert (common.code, every.code, common.err, every.err) == (0, 0, "", "")
    shown, all_shown = (
        {line.split()[0].rstrip(",") for line in one.out.splitlines() if line.startswith("  -")}
        for one in (common, every)
    )
    flags = {setting.flag: setting.common for table in ("model", "training") for setting in settings(table).values()}
    if command == "compare":
        del flags["--head"]
    assert {"--epochs", "--hidden-size", "--learning-rate", "--transformer"} < {flag for flag in flags if flags[flag]}
    for flag, is_common in flags.items():
        assert (flag in shown) == is_common, flag
        assert flag in all_shown, flag
    assert shown < all_shown
    assert "\ndropout:" in every.out
    assert "\ndropout:" not in common.out  # a group of which nothing is shown


@pytest.mark.parametrize("command", COMMANDS)
def test_no_option_takes_the_last_of_two_values_in_silence(command: str) -> None:
    parser = parser_for([command])
    options = next(action for action in parser._actions if isinstance(action.choices, dict)).choices[command]
    for action in options._actions:
        if action.option_strings and isinstance(action, StoreOnce):
            option = action.option_strings[0]
            action.type = action.choices = None  # any value will do
            with pytest.raises(InputError, match=f"{option} was given twice"):
                options.parse_args([option, "1", option, "2"])
        elif isinstance(action, YesOrNo):
            yes, no = action.option_strings
            with pytest.raises(InputError, match=f"{yes} and {no} were both given"):
                options.parse_args([yes, no])
        else:  # it can be given as often as one likes, or has no value
            assert action.nargs == 0 or not action.option_strings or isinstance(action.default, list) or action.required
