"""The options that train and compare share: the data, the model, its training."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any, get_args

from ner_lstm_crf.cli.options import Parser, add_column_options, add_json, add_threads, at_least
from ner_lstm_crf.config import PRESETS, Config, CrfLoss, ModelConfig, TokenUnit, merge_config, preset, read_tables
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.tags.scheme import get_scheme

__all__ = ["VECTORS_LIMIT", "add_data_options", "add_training_options", "config_from", "unit_asked_for"]

VECTORS_LIMIT = 400_000
"""Vectors read unless `--vectors-limit` says otherwise: all of GloVe 6B; half a gigabyte of fastText's 300 values."""


def add_training_options(parser: Parser, *, seeds: int) -> None:
    """Add the options of a command that trains.

    Args:
        parser: Where to.
        seeds: How many runs there are unless `--seeds` says otherwise.
    """
    _add_model_options(parser)
    _add_run_options(parser, seeds)
    add_column_options(parser)


def _add_model_options(parser: Parser) -> None:
    group = parser.add_argument_group("the model", "A preset, changed by a file, changed by the options given here.")
    group.add_argument(
        "--preset",
        choices=tuple(PRESETS),
        default="fast",
        help="fast: a good F1 within minutes; best: three networks of fast joined, in three times the time, in tagging "
        "too (both train characters otherwise than words); small: for a few hundred sentences; paper: Ma and Hovy 2016 "
        "(default: fast)",
    )
    group.add_argument(
        "--config",
        metavar="F.toml",
        help="a TOML file with tables [model] and [training]; its keys are the fields of "
        "ModelConfig and TrainingConfig",
    )
    group.add_argument(
        "--crf-loss",
        choices=get_args(CrfLoss),
        help="what the CRF maximizes: the likelihood of the whole sequence, or of each tag by itself",
    )
    _add_knowledge_options(group)


def _add_knowledge_options(group: argparse._ArgumentGroup) -> None:
    """Add what a model is given beside its training data: vectors, a lexicon, a transformer."""
    group.add_argument(
        "--vectors",
        metavar="F",
        help="pretrained word vectors: GloVe, word2vec or fastText, also packed; or none; or general, those of Chinese "
        "characters that come with the package (default for characters: general; a file of such a name: ./none). "
        "Their size is that of the model's word vectors, whatever word_size says",
    )
    group.add_argument(
        "--vectors-limit",
        type=at_least(1),
        metavar="N",
        help="keep the first N vectors, and those of the words in the training and dev files wherever they stand "
        f"(default: {VECTORS_LIMIT:,})",
    )
    group.add_argument("--freeze-vectors", action="store_true", help="leave the vectors as they are in training")
    group.add_argument(
        "--lexicon",
        metavar="F",
        help="words to look for in text whose tokens are characters: UTF-8, one a line, a count and a category may "
        "follow; or none; or general, the dictionary of jieba (default for characters: general)",
    )
    group.add_argument(
        "--transformer",
        metavar="DIR",
        help="join a transformers encoder, a folder or a name on the hub, to the words; beside a frozen one the "
        "presets fast and best have settings of their own",
    )
    group.add_argument(
        "--cache",
        metavar="DIR",
        help="keep what a frozen transformer makes of the data here, for later runs on them (default: it is removed)",
    )
    group.add_argument("--fine-tune", action="store_true", help="train the transformer too")


def _add_run_options(parser: Parser, seeds: int) -> None:
    group = parser.add_argument_group("the training")
    group.add_argument(
        "--epochs",
        type=at_least(1),
        metavar="N",
        help="passes over the training data (default: as the preset says, and more over a small corpus: steps enough)",
    )
    group.add_argument(
        "--members",
        type=at_least(1),
        metavar="N",
        help="train N networks and join them into a model that is often better, and takes N times as long to tag "
        "(default: as the preset says, 3 for best, else 1; 1 with --fine-tune)",
    )
    group.add_argument("--seed", type=at_least(0), metavar="N", help="seed of everything random (default: 1)")
    group.add_argument(
        "--seeds",
        type=at_least(1),
        default=seeds,
        metavar="N",
        help=f"train N times, seeds in a row (default: {seeds})",
    )
    group.add_argument(
        "--jobs",
        type=at_least(1),
        default=1,
        metavar="N",
        help="train N networks at a time, a thread each (default: 1)",
    )
    add_threads(group)
    again = group.add_mutually_exclusive_group()
    again.add_argument("--resume", action="store_true", help="go on with a run that was interrupted, same options")
    again.add_argument("--overwrite", action="store_true", help="replace the model in the output directory")
    add_json(parser)


def add_data_options(parser: Parser, *, test_required: bool) -> None:
    """Add `--train`, `--dev` and `--test`."""
    group = parser.add_argument_group("the data")
    group.add_argument(
        "--train", action="append", required=True, metavar="F", help="training file; say it again to join several"
    )
    group.add_argument(
        "--dev",
        metavar="F",
        help="file that the best epoch is chosen by, or none: the last epoch is kept (default: a tenth of --train is "
        "set aside; a file of such a name: ./none)",
    )
    group.add_argument(
        "--test",
        required=test_required,
        metavar="F",
        help="file that the trained model is measured on (words of texts in JSON lines are cut where entities end, "
        "which tells a little of where they are: 'evaluate' cuts none)",
    )


def config_from(args: argparse.Namespace, token_unit: TokenUnit | None = None) -> Config:
    """The configuration: the preset, changed by the file, changed by the flags.

    Args:
        args: The flags.
        token_unit: What the tokens of the data are, as soon as they are read; before, what the flags and the file say.

    Raises:
        InputError: If the file is wrong, a value out of range, the scheme unknown, or a flag lacks the one it belongs
            to.
    """
    config = _from_preset(args, "word", None)
    known = token_unit or unit_asked_for(args)
    token_unit = known or "word"
    transformer = args.transformer or config.model.transformer
    fine_tuned = args.fine_tune or config.model.fine_tune
    frozen = None if fine_tuned else transformer
    config = _from_preset(args, token_unit, frozen)
    model = {
        "head": getattr(args, "head", None),
        "crf_loss": args.crf_loss,
        "transformer": args.transformer,
        "fine_tune": args.fine_tune or None,
        "token_unit": token_unit,
    }
    named = _tables(args).get("training", {})
    training = {
        "epochs": args.epochs,
        "min_steps": named.get("min_steps"),  # else --epochs would set it to 0
        "ensemble_size": args.members or named.get("ensemble_size") or (1 if fine_tuned else None),
        "seed": args.seed,
        "freeze_vectors": args.freeze_vectors or None,
    }
    config = merge_config(config, {"model": _given(model), "training": _given(training)})
    _check_scheme(config.model.scheme, args.config)
    if config.model.fine_tune and config.model.transformer is None:
        raise InputError("--fine-tune: expected a --transformer to train")
    if config.model.fine_tune and config.training.ensemble_size > 1:
        raise InputError(f"--fine-tune: expected --members 1, got {config.training.ensemble_size}")
    if args.cache is not None and (config.model.transformer is None or config.model.fine_tune):
        raise InputError("--cache: expected a --transformer that is not trained")
    if getattr(args, "init", None) is not None:
        return replace(config, model=_model_to_start_from(args))
    _check_vectors(args, known, frozen=config.training.freeze_vectors)
    return config


def _check_vectors(args: argparse.Namespace, token_unit: TokenUnit | None, *, frozen: bool) -> None:
    """Refuse what is asked of vectors that are not there; of no unit, the data have still to tell it."""
    if args.vectors_limit is not None and args.vectors in (None, "none", "builtin"):
        raise InputError("--vectors-limit: expected the file of --vectors as well")
    if frozen and (args.vectors == "none" or (args.vectors is None and token_unit == "word")):
        if args.freeze_vectors:
            raise InputError("--freeze-vectors: expected --vectors as well")
        raise InputError("[training] freeze_vectors: expected --vectors as well", path=args.config)
    if args.vectors == "builtin" and token_unit == "word":
        raise InputError(
            "--vectors general: expected data whose tokens are characters, got words (a file of that name: ./general)"
        )


def _from_preset(args: argparse.Namespace, token_unit: TokenUnit, transformer: str | None) -> Config:
    """The preset for these tokens, beside a frozen transformer if one is named, changed by the file."""
    return merge_config(
        preset(args.preset, token_unit=token_unit, transformer=transformer), _tables(args), path=args.config
    )


def _tables(args: argparse.Namespace) -> dict[str, Any]:
    """What the file of `--config` sets; it is read once, for it may be a pipe."""
    if not hasattr(args, "config_tables"):
        args.config_tables = {} if args.config is None else read_tables(args.config)
    tables: dict[str, Any] = args.config_tables
    return tables


def _model_to_start_from(args: argparse.Namespace) -> ModelConfig:
    """The configuration of the model that `--init` names.

    Raises:
        InputError: If it cannot be read, or another option asks for another model.
    """
    from ner_lstm_crf.saving.model import ModelDescription, model_directory

    others = ("head", "crf_loss", "vectors", "vectors_limit", "lexicon", "transformer")
    given = next((name for name in others if getattr(args, name, None)), None)
    if given is not None:
        raise InputError(f"--init: expected the model as it is, without --{given.replace('_', '-')}")
    directory = model_directory(args.init)
    description = ModelDescription.read(directory)
    model, networks = description.config, description.networks
    if networks > 1:
        raise InputError(
            f"--init: expected a model of one network to start from, got one of {networks}", path=directory
        )
    if model.transformer is not None:
        raise InputError("--init: expected a model without a transformer to start from", path=directory)
    if _tables(args).get("model") or (args.characters and model.token_unit != "character"):
        raise InputError("--init: expected the model as it is, without changes to [model] or --characters")
    return model


def unit_asked_for(args: argparse.Namespace) -> TokenUnit | None:
    """The unit that `--characters` or the file of `--config` names; None if the training data are to decide."""
    if args.characters:
        return "character"
    token_unit: TokenUnit | None = _tables(args).get("model", {}).get("token_unit")  # checked by `config_from`
    return token_unit


def _check_scheme(scheme: str, path: str | None) -> None:
    try:
        get_scheme(scheme)
    except InputError as error:
        raise InputError(f"[model] scheme: {error.message}", path=path) from None


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
