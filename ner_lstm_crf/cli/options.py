"""The parser, the options that several commands share, and those of `train` and `compare`.

The flags of a configuration's fields are made from `config.settings`: a new field needs nothing here.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any, NoReturn, cast, get_args

from ner_lstm_crf.config import (
    PRESETS,
    VECTORS_LIMIT,
    Config,
    DecodingName,
    Device,
    Hyphens,
    Precision,
    Setting,
    Tables,
    TokenUnit,
    configured,
    read_tables,
    settings,
)
from ner_lstm_crf.errors import InputError, did_you_mean
from ner_lstm_crf.formats.columns import Separator
from ner_lstm_crf.formats.options import Offsets, Overlaps, ReadOptions, SeveralTags
from ner_lstm_crf.tags.labels import LabelMap
from ner_lstm_crf.tags.scheme import SCHEMES, Policy, get_scheme

SCHEME_NAMES = ", ".join(SCHEMES)
"""The tag schemes, for help texts."""

FORM: Mapping[str, Any] = {"allow_abbrev": False, "formatter_class": argparse.RawDescriptionHelpFormatter}
"""Arguments of every `Parser`: options are written in full, and help keeps the lines of its examples."""


class StoreOnce(argparse._StoreAction):
    """Stores the value of an argument; an option that is given twice is refused, since one value would be lost."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option_string: Any = None
    ) -> None:
        """Store the value.

        Raises:
            InputError: If the option was given before.
        """
        if option_string is not None:
            refuse_second(parser, namespace, self.dest, option_string)
        super().__call__(parser, namespace, values, option_string)


class YesOrNo(argparse.BooleanOptionalAction):
    """Stores true for `--name` and false for `--no-name`; one of both after the other is refused."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option_string: Any = None
    ) -> None:
        """Store the value.

        Raises:
            InputError: If the option was given before.
        """
        refuse_second(parser, namespace, self.dest, str(option_string))
        super().__call__(parser, namespace, values, option_string)


def refuse_second(parser: argparse.ArgumentParser, namespace: argparse.Namespace, dest: str, option: str) -> None:
    """Keep in mind that an option was given.

    Raises:
        InputError: If it was given before.
    """
    given = vars(namespace).setdefault("options_given", {})
    if dest in given:
        first = given[dest]
        parser.error(f"{option} was given twice" if first == option else f"{first} and {option} were both given")
    given[dest] = option


class Parser(argparse.ArgumentParser):
    """An argument parser with errors of one line.

    Attributes:
        help_all: True if its help shows the rare options too.
    """

    help_all = False

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.register("action", None, StoreOnce)
        self.register("action", "store", StoreOnce)

    def error(self, message: str) -> NoReturn:
        """Refuse the command line.

        Raises:
            InputError: Always.
        """
        raise InputError(f"{message} (see '{self.prog} --help')")

    @property
    def options(self) -> Collection[str]:
        """All options."""
        return self._option_string_actions

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse the arguments of this command; what it does not know is refused here, where its options are known.

        Raises:
            InputError: If there is such.
        """
        if not args and self._subparsers is not None:  # a command without one of its actions: what there is
            self.print_help(sys.stderr)
            raise SystemExit(2)
        parsed, unknown = super().parse_known_args(args, namespace)
        if unknown:
            given = unknown[0].partition("=")[0]
            if not given.startswith("-"):
                self.error(f"unexpected '{unknown[0]}'")
            positional = [str(action.metavar) for action in self._get_positional_actions()]
            if (name := given.lstrip("-").upper()) in positional:
                self.error(f"{name} is given without {given}: {self.prog} {' '.join(positional)}")
            self.error(f"unknown option {given}{did_you_mean(given, self.options)}")
        return parsed, unknown

    def _get_value(self, action: argparse.Action, arg_string: str) -> Any:
        """The value written; only a text may be empty: a name or a number is not, unless a variable was not set."""
        if not arg_string and action.metavar != "TEXT" and action.nargs != argparse.PARSER:
            raise argparse.ArgumentError(action, "expected a value, got an empty one")
        return super()._get_value(action, arg_string)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Refuse a value that is none of an option's choices, and name those near to it."""
        if action.choices is not None and value not in action.choices:
            known = [str(choice) for choice in action.choices]
            message = f"expected one of {', '.join(known)}, got '{value}'{did_you_mean(str(value), known)}"
            raise argparse.ArgumentError(action, message)


def _labels(text: str) -> tuple[str, ...]:
    """The labels of an option, with commas between them."""
    labels = tuple(label.strip() for label in text.split(","))
    if not all(labels):
        raise argparse.ArgumentTypeError(f"expected labels such as PER,ORG, got '{text}'")
    return labels


def at_least(lowest: int) -> Callable[[str], int]:
    """The type of an option that takes whole numbers from `lowest` on."""

    def whole_number(text: str) -> int:
        """The number written."""
        try:
            value = int(text)
        except ValueError:
            value = lowest - 1
        if value < lowest:
            raise argparse.ArgumentTypeError(f"expected a whole number of at least {lowest}, got '{text}'")
        return value

    return whole_number


def _probability(text: str) -> float:
    """The type of an option that takes numbers from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, got '{text}'")
    return value


_positive = at_least(1)

OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "--json": {"action": "store_true", "help": "print one JSON object instead of text, and nothing else"},
    "--errors": {
        "action": "store_true",
        "help": "show each error in its context, and which labels are taken for which",
    },
    "--show": {
        "type": at_least(0),
        "metavar": "N",
        "help": "show N errors of each kind, as --errors does (default: 10)",
    },
    "--threads": {"type": _positive, "metavar": "N", "help": "processor threads (default: all cores)"},
    "--precision": {
        "choices": get_args(Precision),
        "default": "float32",
        "help": "what the LSTM computes in; int8 is twice as fast and more, bfloat16 faster on processors that have it "
        "(default: float32)",
    },
    "--device": {
        "choices": get_args(Device),
        "default": "cpu",
        "help": "what the networks compute on: cpu, cuda or mps (default: cpu)",
    },
    "--decoding": {
        "choices": get_args(DecodingName),
        "default": "viterbi",
        "help": "viterbi: the entities of the most probable tag sequence; posterior: each entity that is more probable "
        "than --min-score (default: viterbi)",
    },
    "--min-score": {
        "type": _probability,
        "metavar": "P",
        "help": "least score of an entity, from 0 to 1 (default: none; of posterior decoding 0.4)",
    },
    "--format": {
        "metavar": "NAME",
        "help": "format of the files, such as conll, jsonl, tokens, doccano, label-studio or brat (default: detected)",
    },
    "--token-column": {
        "type": int,
        "metavar": "N",
        "help": "the token's column, from 1, or -1 for the last (default: detected)",
    },
    "--tag-column": {
        "type": int,
        "metavar": "N",
        "help": "the tag's column, from 1, or -1 for the last (default: detected)",
    },
    "--tag-key": {
        "metavar": "NAME",
        "help": "the tag's name among the features of a column: name in SpaceAfter=No|name=B-PER (default: detected)",
    },
    "--separator": {
        "choices": get_args(Separator),
        "help": "what separates columns; with tab, cells may hold spaces or nothing; with comma or semicolon, they may "
        "be in double quotes (default: detected)",
    },
    "--encoding": {
        "default": "utf-8",
        "metavar": "E",
        "help": "encoding of what is read and written, such as latin-1 or gb18030 (default: utf-8)",
    },
    "--scheme": {"metavar": "S", "help": f"tag scheme of the files: {SCHEME_NAMES} (default: detected)"},
    "--ill-formed": {
        "choices": get_args(Policy),
        "default": "conlleval",
        "help": "how to read tags that break the scheme: as conlleval does, as no entity (strict), or as an error "
        "(default: conlleval)",
    },
    "--several-tags": {
        "choices": get_args(SeveralTags),
        "help": "of several tags in one cell, B-PER|O, read the first or the last, or any: which is true is not known "
        "(default: refused)",
    },
    "--labels": {"metavar": "PER,LOC", "help": "keep these labels, after --rename; the others become O"},
    "--rename": {
        "action": "append",
        "default": [],
        "metavar": "OTH=O",
        "help": "rename a label, person=PER, drop one, OTH=O, or name that of tags that are a prefix alone, =GENE; "
        "several with commas, or repeat the option",
    },
    "--overlaps": {
        "choices": get_args(Overlaps),
        "default": "longest",
        "help": "which of overlapping entities of running text to keep, once labels are chosen, or an error "
        "(default: longest)",
    },
    "--offsets": {
        "choices": get_args(Offsets),
        "help": "what the offsets of entities count: an emoji is one code point, or two units of UTF-16 (default: the "
        "entities show it)",
    },
    "--label-names": {
        "metavar": "O,B-PER,...",
        "help": "names of tags that are numbers, from 0, with commas, or a file with one a line (JSON lines of tokens)",
    },
    "--token-unit": {
        "choices": get_args(TokenUnit),
        "help": "what a token is; with character, each character of a token becomes a token (Chinese corpora whose "
        "tokens are words; default: as in the file)",
    },
    "--engine": {
        "choices": ("process", "ray"),
        "default": "process",
        "help": "what does the work: processes of this machine, or Ray, here or on a cluster (default: process)",
    },
    "--ray-address": {
        "metavar": "ADDR",
        "help": "address of a Ray cluster, or auto for the one that runs here (default: RAY_ADDRESS, else a Ray of "
        "this machine, for this command alone)",
    },
    # The options of train and compare.
    "--train": {
        "action": "append",
        "required": True,
        "metavar": "F",
        "help": "training file; repeat the option for several",
    },
    "--dev": {
        "metavar": "F",
        "help": "file that chooses the best epoch; none: the last epoch is kept (default: a tenth of --train is set "
        "aside; a file of such a name: ./none)",
    },
    "--test": {
        "metavar": "F",
        "help": "file that the trained model is evaluated on (texts in JSON lines are cut into words at the ends of "
        "entities, which gives a little of them away: 'evaluate' does not)",
    },
    "--help-all": {"action": "help", "help": "show this help with the flags of all fields, and exit"},
    "--preset": {
        "choices": tuple(PRESETS),
        "default": "fast",
        "help": "fast: a good F1 within minutes; best: an ensemble of three networks of fast, in three times the time, "
        "in tagging too (both train characters otherwise than words); small: for a few hundred sentences; paper: Ma "
        "and Hovy 2016 (default: fast)",
    },
    "--config": {
        "metavar": "F.toml",
        "help": "TOML file with tables [model] and [training], whose keys are the fields of ModelConfig and "
        "TrainingConfig, such as hidden_size for --hidden-size",
    },
    "--vectors": {
        "metavar": "F",
        "help": "pretrained word vectors: GloVe, word2vec or fastText, also compressed; or none; or builtin, those of "
        "Chinese characters that come with the package (default for characters: builtin; a file of such a name: "
        "./none). Their size is that of the word embeddings, whatever --word-size says",
    },
    "--vectors-limit": {
        "type": _positive,
        "metavar": "N",
        "help": "keep the first N vectors, and those of the words in the training and dev files wherever they are "
        f"(default: {VECTORS_LIMIT:,})",
    },
    "--lexicon": {
        "metavar": "F",
        "help": "words to find in text whose tokens are characters: UTF-8, one a line, a count and a category may "
        "follow; or none; or builtin, the dictionary of jieba (default for characters: builtin)",
    },
    "--lexicon-vectors": {
        "metavar": "F",
        "help": "pretrained vectors of words of the lexicon, in the formats of --vectors; or none; or builtin, those "
        "that come with the package (default with a lexicon: builtin). Their size counts, whatever --lexicon-size says",
    },
    "--gazetteer": {
        "metavar": "F",
        "help": "names to find in text whose tokens are words: UTF-8, one a line, a tab and the name of a list may "
        "follow; or builtin, names of places and of persons that come with the package; or none (default: none)",
    },
    "--transformer-cache": {
        "metavar": "DIR",
        "help": "directory that keeps what a frozen transformer makes of the data, for later runs (default: not kept)",
    },
    "--unannotated": {
        "type": _labels,
        "default": (),
        "metavar": "PER,ORG",
        "help": "labels that the training files do not annotate: their O may be an entity of these",
    },
    "--seeds": {
        "type": _positive,
        "metavar": "N",
        "help": "train N times, with seeds in a row (default: %(default)s)",
    },
    "--workers": {
        "type": _positive,
        "default": 1,
        "metavar": "N",
        "help": "train N networks at a time, one thread each (default: 1)",
    },
    "--resume": {"action": "store_true", "help": "continue an interrupted run, with the same options"},
    "--overwrite": {"action": "store_true", "help": "replace the model in the output directory"},
}
"""The arguments of all options that several commands have."""

COLUMN_OPTIONS = ("--token-column", "--tag-column", "--tag-key", "--separator", "--encoding")
READ_OPTIONS = (
    "--format",
    *COLUMN_OPTIONS,
    "--scheme",
    "--ill-formed",
    "--several-tags",
    "--labels",
    "--rename",
    "--overlaps",
    "--offsets",
    "--label-names",
)
"""Options for reading annotated files, see `read_options`; `COLUMN_OPTIONS` are for any column file."""

READING = (
    "reading the files",
    "Column files (CoNLL), JSON lines and text with inline marks, also compressed (gz, xz, bz2). Columns and tag\n"
    "scheme are detected.",
)
"""Title and text of the group of `READ_OPTIONS`."""


def add_options(group: argparse._ActionsContainer, *names: str, **more: Any) -> None:
    """Add options of `OPTIONS`; `more` are arguments that differ from command to command."""
    for name in names:
        group.add_argument(name, **OPTIONS[name], **more)


def read_options(
    args: argparse.Namespace, *, token_unit: TokenUnit | None = None, hyphens: Hyphens = "auto", read_tags: bool = True
) -> ReadOptions:
    """The options for reading files, as the command line sets them; those that the command lacks keep their defaults.

    Args:
        args: The arguments parsed.
        token_unit: The unit of the tokens; None for that of `--token-unit`, and without it for that of the file.
        hyphens: The rule for words with hyphens of the model that the files are for.
        read_tags: False if the tags do not matter.

    Raises:
        InputError: If the scheme is unknown, or labels are not written as they should be.
    """
    from ner_lstm_crf.formats.token_json import label_names  # and with it all that reads text, which --help needs not

    given = vars(args)
    scheme = given.get("scheme") if read_tags else None
    return ReadOptions(
        format=given.get("format"),
        offsets=given.get("offsets"),
        token_column=given.get("token_column"),
        tag_column=given.get("tag_column"),
        tag_key=given.get("tag_key"),
        separator=given.get("separator"),
        encoding=args.encoding,
        scheme=None if scheme is None else get_scheme(scheme).name,
        ill_formed=cast(Policy, given.get("ill_formed", "conlleval")),
        several_tags=given.get("several_tags"),
        token_unit=token_unit or given.get("token_unit"),
        hyphens=hyphens,
        labels=LabelMap.parse(given.get("labels"), given.get("rename", ())),
        overlaps=cast(Overlaps, given.get("overlaps", "longest")),
        label_names=label_names(given.get("label_names")),
        read_tags=read_tags,
    )


def reading_words(args: argparse.Namespace) -> list[str]:
    """The options of `READ_OPTIONS` that were given, as they are written on a command line."""
    words = list[str]()
    for name in READ_OPTIONS:
        value = vars(args).get(name.removeprefix("--").replace("-", "_"))
        if value != OPTIONS[name].get("default"):
            words += [word for one in (value if isinstance(value, list) else [value]) for word in (name, str(one))]
    return words


def setting_words(args: argparse.Namespace) -> list[str]:
    """The preset, and the options of the configuration that were given, as they are written on a command line."""
    words = ["--preset", args.preset]
    for name in ("--config", "--vectors", "--vectors-limit", "--lexicon", "--lexicon-vectors", "--gazetteer"):
        value = vars(args)[name.removeprefix("--").replace("-", "_")]
        words += [] if value is None else [name, str(value)]
    for table in ("model", "training"):
        for field, setting in settings(table).items():
            value = vars(args).get(f"{table}.{field}")
            if isinstance(value, bool):
                words.append(setting.flag if value else f"--no-{setting.flag.removeprefix('--')}")
            elif value is not None:
                words += [setting.flag, ",".join(map(str, value)) if setting.many else str(value)]
    return words


def add_training_options(parser: Parser, *, seeds: int, test_required: bool = False, without: str = "") -> None:
    """Add the options of a command that trains.

    Args:
        parser: The command's parser.
        seeds: The number of runs unless `--seeds` says otherwise.
        test_required: True if the command needs a test file.
        without: A field of the configuration that gets no flag.
    """
    data = parser.add_argument_group("data")
    add_options(data, "--train", "--dev")
    add_options(data, "--test", required=test_required)
    add_options(data, "--unannotated")
    config = parser.add_argument_group(
        "configuration",
        "A preset, changed by the file of --config, changed by the flags below. The defaults shown are those of the\n"
        "preset fast.",
    )
    add_options(config, "--help-all", "--preset", "--config")
    groups = add_settings(parser, without=without)
    runs = groups["runs"]
    options = "--vectors", "--vectors-limit", "--lexicon", "--lexicon-vectors", "--gazetteer"
    add_options(groups["vectors and lexicon"], *options)
    add_options(groups["transformer"], "--transformer-cache")
    add_options(runs, "--seeds", default=seeds)
    add_options(runs, "--workers", "--threads", "--json")
    add_options(runs.add_mutually_exclusive_group(), "--resume", "--overwrite")
    add_options(parser.add_argument_group(*READING), *READ_OPTIONS)


def add_settings(parser: Parser, *, without: str = "") -> dict[str, argparse._ArgumentGroup]:
    """Add a flag for each field of the configuration but `without`; returns their groups by title.

    The rare ones are hidden unless the parser's help shows all. A flag that is not given is None.
    """
    groups: dict[str, argparse._ArgumentGroup] = {}
    for table, fast in asdict(PRESETS["fast"]).items():
        for name, setting in settings(table).items():
            if name == without:
                continue
            if setting.group not in groups:
                groups[setting.group] = parser.add_argument_group(setting.group)
            # How the value is written: yes or no, one of some choices, a number or a name.
            default = str(fast[name]).strip("(),")
            if setting.kind is bool:
                default = "yes" if fast[name] else "no"
                options: dict[str, Any] = {"action": YesOrNo}
            elif setting.choices:
                options = {"choices": setting.choices}
            else:
                metavar = "N,N" if setting.many else {int: "N", float: "X"}.get(setting.kind, "NAME")
                options = {"type": partial(_parse, setting), "metavar": metavar}
            # The help: the sentence of the field and its default.
            if name == "token_unit":
                default = "as in the training data"
            text = setting.sentence if fast[name] is None else f"{setting.sentence} (default: {default})"
            options["help"] = text if setting.common or parser.help_all else argparse.SUPPRESS
            groups[setting.group].add_argument(setting.flag, dest=f"{table}.{name}", **options)
    return groups


def _parse(setting: Setting, text: str) -> Any:
    """The value of a field that its flag gives; several have commas between them."""
    try:
        values = tuple(setting.kind(part) for part in (text.split(",") if setting.many else [text]))
    except ValueError:
        values = ()
    value: Any = values if setting.many else next(iter(values), None)
    if value is None or not setting.accepts(value):
        raise argparse.ArgumentTypeError(f"expected {setting.expected}, got '{text}'")
    return value


def settings_from(args: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """The values of fields that the file of `--config` sets, changed by the flags.

    With `--init-from`, those of "model" are all of the model to start from.

    Raises:
        InputError: If the file, or the model to start from, cannot be read, or that would have to change.
    """
    # 1. The file, and over it the flags.
    file: Tables = {"model": {}, "training": {}} if args.config is None else read_tables(args.config)
    flags = {
        table: {name: value for name in settings(table) if (value := vars(args).get(f"{table}.{name}")) is not None}
        for table in file
    }
    given = {table: {**file[table], **flags[table]} for table in file}
    # 2. A model to start from is taken as it is.
    if args.init_from is not None:
        from ner_lstm_crf.saving.model import ModelDescription, model_directory
        from ner_lstm_crf.training.warm_start import check_start

        others = [settings("model")[name].flag for name in flags["model"]]
        also = {
            "--vectors": args.vectors,
            "--vectors-limit": args.vectors_limit,
            "--lexicon": args.lexicon,
            "--lexicon-vectors": args.lexicon_vectors,
            "--gazetteer": args.gazetteer,
        }
        others += [option for option, value in also.items() if value is not None]
        if others or file["model"]:
            refused = others[0] if others else f"[model] in {args.config}"
            raise InputError(f"--init-from: expected the model as it is, without {refused}")
        directory = model_directory(args.init_from)
        start = ModelDescription.read(directory)
        try:
            check_start(start.config, start.networks)
        except InputError as error:
            raise InputError(f"--init-from: {error.message}", path=directory) from error
        given["model"] = asdict(start.config)
    return given


def config_from(args: argparse.Namespace, given: Tables, token_unit: TokenUnit = "word") -> Config:
    """The configuration: the preset, changed by the values of `settings_from`.

    `token_unit` is that of the data; it counts where no value is given.

    Raises:
        InputError: If values do not fit together, or an option lacks the one it belongs to.
    """
    try:
        config = configured(args.preset, given, token_unit)
    except InputError as error:  # which begins with the name of a field
        name, _, why = error.message.partition(": ")
        for table in given:
            if name in settings(table) and (args.config is None or vars(args).get(f"{table}.{name}") is not None):
                raise InputError(f"{settings(table)[name].flag}: {why}") from error
        raise InputError(error.message, path=args.config) from error
    if args.transformer_cache is not None and (config.model.transformer is None or config.model.fine_tune):
        raise InputError("--transformer-cache: expected a --transformer that is not trained")
    if args.vectors_limit is not None and args.vectors in (None, "none", "builtin"):
        raise InputError("--vectors-limit: expected the file of --vectors as well")
    return config
