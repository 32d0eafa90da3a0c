"""`ner-lstm-crf train`: from options to a saved model. `run` is the whole way; `compare` shares its steps."""

from __future__ import annotations

import argparse
import logging
import shlex
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ner_lstm_crf.cli.options import (
    Parser,
    add_options,
    add_training_options,
    config_from,
    read_options,
    reading_words,
    settings_from,
)
from ner_lstm_crf.cli.output import say_next, show, show_json
from ner_lstm_crf.config import VECTORS_LIMIT, Config, Tables, TokenUnit
from ner_lstm_crf.errors import InputError, counted
from ner_lstm_crf.formats.options import ReadOptions, ReadReport
from ner_lstm_crf.formats.registry import read_sentences
from ner_lstm_crf.runs.display import progress_bar, say
from ner_lstm_crf.tags.labels import fully_known, require_entities, warn_of_unknown_labels
from ner_lstm_crf.text.annotation import CHARACTER_SHARE, Sentence, share_of_characters

if TYPE_CHECKING:
    from ner_lstm_crf.corpora.statistics import FileStatistics
    from ner_lstm_crf.features.vectors import Vectors
    from ner_lstm_crf.runs.data import ResolvedData
    from ner_lstm_crf.runs.results import RunResult

_log = logging.getLogger(__name__)

_LONGEST_EXAMPLE = 80  # characters of a text to try a model on

_MOST_MISSING = 0.6  # share of the tokens without a vector, in any language whose vectors these are

EPILOG = """\
examples:
  ner-lstm-crf train --train train.conll --dev dev.conll --test test.conll --output my-model
  ner-lstm-crf train --train train.conll --test test.conll --output my-model --vectors glove.6B.100d.txt.gz --seeds 3
  ner-lstm-crf train --train few.conll --output my-model --init-from en --epochs 5 --batch-size 8

The output directory then holds the model (of the best epoch on dev, or of the median of several seeds), the history of
its epochs (history.jsonl), the figures (summary.json), the learning curves (curve.png, if matplotlib is installed) and
a card to complete (README.md).
An interrupted run goes on with the same command and --resume.

A file for --config:
  [model]
  hidden_size = 100
  [training]
  epochs = 30
  learning_rate = 1e-3"""


def add_command(parser: Parser) -> None:
    """Add the command's options."""
    parser.description = "Train a tagger on annotated files, and evaluate it."
    parser.usage = "%(prog)s --train F --output DIR [options]"
    parser.epilog = EPILOG
    parser.add_argument("--output", required=True, metavar="DIR", help="directory of the model")
    parser.add_argument(
        "--init-from",
        metavar="DIR",
        help="start from the weights of a trained model, or of en or zh: the shipped taggers; its [model] is kept",
    )
    parser.add_argument(
        "--teacher",
        metavar="DIR",
        help="learn the tag sequences of a trained model, too, as probable as it takes them (--teacher-weight): of an "
        "ensemble, or one with a transformer; or en or zh",
    )
    parser.add_argument(
        "--unlabelled",
        action="append",
        default=[],
        metavar="F",
        help="file of sentences that only the teacher says something of: annotated, which is not read, or running text "
        "(.txt, a text on each line); repeat the option for several",
    )
    add_training_options(parser, seeds=1)
    engine = parser.add_argument_group(
        "engine",
        "With ray the networks of --seeds and of an ensemble are trained on the machines of a cluster, --workers at a\n"
        "time (default: all); each machine has this package, and reaches --output under the same path.",
    )
    add_options(engine, "--engine", "--ray-address")
    parser.set_defaults(command=run)


def run(args: argparse.Namespace) -> None:
    """Train a model and write down how good it is."""
    from ner_lstm_crf.runs.processes import PlannedRun, plan_seeds
    from ner_lstm_crf.runs.train import check_output, train_planned, write_results

    # 1. The configuration. What is wrong in it or in the output directory is refused before any file is read.
    if args.ray_address is not None and args.engine != "ray":
        raise InputError("--ray-address: expected --engine ray as well")
    given = settings_from(args)
    config, directory = config_from(args, given), Path(args.output)
    if args.engine == "ray" and config.training.device != "cpu":
        raise InputError(f"--device {config.training.device} is not for --engine ray")
    whole = PlannedRun(config, directory, args.resume, args.overwrite)
    check_output(whole, plan_seeds(whole, args.seeds) if args.seeds > 1 else [whole], args.init_from, args.teacher)
    if args.unlabelled and args.teacher is None:
        raise InputError("--unlabelled: expected --teacher as well, which says what is in these sentences")

    # 2. The files, and what the configuration leaves to them.
    config, data, test = read_data(args, given)

    # 3. The runs, one for each seed.
    whole = replace(whole, config=config)
    planned = plan_seeds(whole, args.seeds) if args.seeds > 1 else [whole]
    cache = None if args.transformer_cache is None else Path(args.transformer_cache)
    workers, spread = args.workers, None
    if args.engine == "ray":
        from ner_lstm_crf.integrations.ray import side_by_side

        spread = partial(side_by_side, address=args.ray_address)
        if "workers" not in vars(args).get("options_given", {}):
            workers = args.seeds * config.training.ensemble_size
    with naming_resume(args):
        train_planned(data, planned, directory, workers=workers, spread=spread, transformer_cache=cache)

    # 4. The results: of several seeds the model of the median is kept.
    chosen, results = write_results(data, planned, directory, test, command=_command_of(args))
    _show_results(directory, chosen, results, args)
    if not args.json:
        tested = args.test or (None if args.dev == "none" else args.dev)
        if tested is not None:
            say_next("evaluate", args.output, tested, *reading_words(args), "--errors")
        say_next("tag", "--model", args.output, _example([*(data.dev or ()), *data.train]))


def _command_of(args: argparse.Namespace) -> str:
    """The command line for the card: of absolute paths the last part, without what says how it began or went on."""
    words = ["ner-lstm-crf"]
    for word in args.words:
        option, equals, path = word.partition("=") if word.startswith("--") else ("", "", word)
        if word not in ("--resume", "--overwrite"):
            words.append(f"{option}{equals}{Path(path).name}" if Path(path).is_absolute() else word)
    return shlex.join(words)


@contextmanager
def naming_resume(args: argparse.Namespace) -> Iterator[None]:
    """Name `--resume` to a user who interrupts the training within this context, unless the runs are thrown away."""
    try:
        yield
    except KeyboardInterrupt:
        if args.output is None:
            raise
        option = "--resume in place of --overwrite" if args.overwrite else "--resume"
        raise KeyboardInterrupt(f"the same command with {option} goes on after the last whole epoch") from None


def read_data(args: argparse.Namespace, given: Tables) -> tuple[Config, ResolvedData, Sequence[Sentence]]:
    """Read what `--train`, `--dev`, `--test`, `--vectors`, `--lexicon` and so on name, and show what it is.

    Returns:
        The configuration for these data; training and dev data, vectors and lexicon; the test sentences.

    Raises:
        InputError: If a file cannot be read, or the training or test files hold no entities.
    """
    from ner_lstm_crf.runs.data import Data, resolve_defaults, split_dev
    from ner_lstm_crf.saving.model import ModelDescription, model_directory

    # The training sentences decide what a token is, where the configuration does not.
    token_unit, train, of_train = _read_train(args, given)
    config = config_from(args, given, token_unit)

    # The dev set is a file, a tenth of the training sentences, or none; the test set is a file or none.
    options = read_options(args, token_unit=token_unit, hyphens=config.model.hyphens)
    dev, of_dev = _read([args.dev] if args.dev not in (None, "none") else [], options)
    test, of_test = _read([args.test] if args.test else [], options)
    bare = _read_unlabelled(args.unlabelled, options, train)
    dev, test = fully_known(dev, args.dev or "dev"), fully_known(test, args.test or "test")
    if args.test:
        require_entities((sentence.spans for sentence in test), args.test, options.labels)
    if args.dev is None:
        train, dev = split_dev(train)
        say("no --dev: every tenth training sentence is set aside to choose the best epoch by")
    parts = {"train": train, "dev": dev, "test": test}
    labels = _describe(parts)
    _warn_of_data(of_train, [statistics for statistics in (of_dev, of_test) if statistics.path], options)
    if args.dev != "none" and not labels["dev"]:
        where = args.dev or "dev (set aside)"
        _log.warning("%s: no entities in dev: nothing tells epochs apart, the last one is kept", where)

    # Vectors and lexicon: those of a file, none, or the builtin ones, which characters have by default.
    vectors = _read_vectors(args, config, {**parts, "unlabelled": bare})
    lexicon, of_words = _read_lexicon(args)
    names = _read_names(args)
    start = None if args.init_from is None else model_directory(args.init_from)
    further: dict[str, Any] = {"teacher": args.teacher, "unlabelled": bare, "names": names}
    given_data = Data(train, dev, vectors, start, lexicon, args.unannotated, of_words, **further)
    data = resolve_defaults(given_data, config.model)
    if args.test:
        known = {*labels["train"], *(() if start is None else ModelDescription.read(start).labels)}
        warn_of_unknown_labels(args.test, labels["test"], known, "the training data lack")
    if data.vectors is not None:
        _describe_vectors(data.vectors, parts, args)
    if data.lexicon is not None:
        _describe_lexicon(data, args)
    return config, data, test


def _read_train(args: argparse.Namespace, given: Tables) -> tuple[TokenUnit, list[Sentence], FileStatistics]:
    """The unit of the tokens, by the configuration, else by their look; the training sentences, and counts of them."""
    from ner_lstm_crf.runs.data import are_chinese

    token_unit, hyphens = given["model"].get("token_unit"), given["model"].get("hyphens", "auto")
    options = read_options(args, token_unit=token_unit, hyphens=hyphens)
    train, statistics = _read(args.train, options)
    require_entities((sentence.spans for sentence in train), ", ".join(args.train), options.labels)
    if token_unit is not None:
        return token_unit, train, statistics
    share, chinese = share_of_characters(train), "Chinese " if are_chinese(train) else ""
    if share < CHARACTER_SHARE:
        if chinese:
            say(
                f"{share:.1%} of the Chinese tokens are one character: they are taken for words, or say --token-unit "
                "character"
            )
        return "word", train, statistics
    if (pipe := next((path for path in args.train if Path(path).is_fifo()), None)) is not None:
        raise InputError("expected --token-unit character for these data, since a pipe is read only once", path=pipe)
    what = f"every {chinese}token of the training data is" if share == 1 else f"{share:.2%} of the {chinese}tokens are"
    say(f"{what} one character: the model takes characters as tokens")
    # Read again for the tokens that are longer, or white space, which is no character of a text.
    return "character", *_read(args.train, read_options(args, token_unit="character"))


def _read(paths: Sequence[str], options: ReadOptions) -> tuple[list[Sentence], FileStatistics]:
    """The sentences of all files, without those that have no token, and counts of them."""
    from ner_lstm_crf.corpora.statistics import FileStatistics

    sentences, statistics = list[Sentence](), FileStatistics(path=", ".join(paths))
    for path in paths:
        report = ReadReport()
        with progress_bar(f"reading {path}", unit=" sentences") as progress:
            read = read_sentences(path, options, report=report, progress=progress)
        report.warn(path, options, labels=False)
        statistics.labels.update(report.labels)
        statistics.outside |= report.outside
        statistics.unknown += report.unknown
        statistics.scheme, statistics.layout = statistics.scheme or report.scheme, statistics.layout or report.layout
        sentences += (one for one in read if one.tokens)
    for sentence in sentences:
        statistics.count(sentence)
        statistics.add(sentence)
    return sentences, statistics


def _read_unlabelled(paths: Sequence[str], options: ReadOptions, train: Sequence[Sentence]) -> list[Sentence]:
    """The sentences of the files of `--unlabelled`, cut into words as the training data are."""
    from ner_lstm_crf.formats.registry import read_unlabelled
    from ner_lstm_crf.text.tokenizer import detect_hyphens

    if options.hyphens == "auto":
        options = replace(options, hyphens=detect_hyphens(word for one in train for word in one.words))
    sentences = list[Sentence]()
    for path in paths:
        with progress_bar(f"reading {path}", unit=" sentences") as progress:
            for sentence in read_unlabelled(path, options):
                sentences += [sentence] if sentence.tokens else []
                progress(len(sentences), None)
    if paths:
        say(f"unlabelled: {counted(len(sentences), 'sentence')}, {sum(map(len, sentences)):,} tokens")
    return sentences


def _warn_of_data(train: FileStatistics, others: Sequence[FileStatistics], options: ReadOptions) -> None:
    """Log what will go wrong in training on these files."""
    from ner_lstm_crf.corpora.warnings import file_warnings, pair_warnings

    files = [train, *others]
    options.labels.warn_of_missing(", ".join(one.path for one in files), {name for one in files for name in one.names})
    for statistics in files:
        for warning in file_warnings(statistics, trains=statistics is train):
            _log.warning("%s: %s", statistics.path, warning)
    for statistics in others:
        for warning in pair_warnings(train, statistics):
            _log.warning("%s", warning)


def _example(sentences: Sequence[Sentence]) -> str:
    """A text to try the model on: the first short sentence with an entity, since only such data have its labels."""
    for sentence in sentences:
        text = ""
        for token in sentence.tokens:
            text = text.ljust(token.start - sentence.tokens[0].start) + token.text
        if sentence.spans and len(text) <= _LONGEST_EXAMPLE and text.isprintable() and not text.startswith("-"):
            return text
    return "A text of yours."


def _describe(parts: Mapping[str, Sequence[Sentence]]) -> Mapping[str, Counter[str]]:
    """Show the sizes of train, dev and test; returns how often each has which label."""
    labels: dict[str, Counter[str]] = {}
    for name, sentences in parts.items():
        labels[name] = Counter(span.label for sentence in sentences for span in sentence.spans)
        if sentences:
            tokens = sum(len(sentence.tokens) for sentence in sentences)
            counts = ", ".join(f"{label} {count:,}" for label, count in sorted(labels[name].items()))
            entities = labels[name].total()
            sizes = f"{counted(len(sentences), 'sentence')}, {tokens:,} tokens, {entities:,} entities"
            unknown = sum(len(sentence.unknown) for sentence in sentences)
            say(f"{name + ':':<7}{sizes} ({counts})" + (f"; {counted(unknown, 'token')} unknown" if unknown else ""))
    return labels


def _read_vectors(
    args: argparse.Namespace, config: Config, parts: Mapping[str, Sequence[Sentence]]
) -> Vectors | Literal["builtin"] | None:
    """The vectors that `--vectors` names: builtin if it names none.

    Raises:
        InputError: If their file cannot be read, or another option needs vectors and there are none.
    """
    from ner_lstm_crf.features.vectors import read_vectors
    from ner_lstm_crf.runs.data import needed_words

    words = config.model.token_unit == "word"
    if args.vectors == "builtin" and words:
        raise InputError(
            "--vectors builtin: expected data whose tokens are characters, got words (a file of that name: ./builtin)"
        )
    without = args.vectors == "none" or (args.vectors is None and words)
    if config.training.freeze_vectors and without and args.init_from is None:
        if vars(args)["training.freeze_vectors"]:
            raise InputError("--freeze-vectors: expected --vectors as well")
        raise InputError("[training] freeze_vectors: expected --vectors as well", path=args.config)
    if args.vectors in (None, "builtin", "none"):
        return None if args.vectors == "none" else "builtin"
    needed = needed_words([*parts["train"], *parts["dev"], *parts["unlabelled"]])  # those of test are not to be known
    with progress_bar("reading the vectors", unit="B", scale=True) as progress:
        return read_vectors(args.vectors, needed=needed, limit=args.vectors_limit or VECTORS_LIMIT, progress=progress)


def _read_lexicon(
    args: argparse.Namespace,
) -> tuple[Mapping[str, str] | Literal["builtin"] | None, Vectors | Literal["builtin"] | None]:
    """The words that `--lexicon` names and the vectors that `--lexicon-vectors` names, builtin if they name none.

    Raises:
        InputError: If a file cannot be read.
    """
    from ner_lstm_crf.features.lexicon import builtin_words, read_lexicon
    from ner_lstm_crf.runs.data import read_lexicon_vectors

    lexicon: Mapping[str, str] | Literal["builtin"] | None = "builtin"
    if args.lexicon == "none":
        lexicon = None
    elif args.lexicon is not None:
        lexicon = builtin_words() if args.lexicon == "builtin" else read_lexicon(args.lexicon)
    if args.lexicon_vectors in (None, "builtin", "none"):
        return lexicon, None if args.lexicon_vectors == "none" else "builtin"
    words = builtin_words() if isinstance(lexicon, str) else lexicon or {}
    return lexicon, read_lexicon_vectors(args.lexicon_vectors, words)


def _read_names(args: argparse.Namespace) -> Collection[tuple[str, str]] | None:
    """The names that `--gazetteer` names, with their number shown; None if it names none.

    Raises:
        InputError: If their file cannot be read.
    """
    from ner_lstm_crf.features.gazetteer import builtin_names, read_names

    if args.gazetteer in (None, "none"):
        return None
    names = builtin_names() if args.gazetteer == "builtin" else read_names(args.gazetteer)
    lists = Counter(label for _, label in names)
    shown = ", ".join(f"{label} {count:,}" for label, count in sorted(lists.items()))
    say(f"{len(names):,} names in the gazetteer ({shown})")
    return names


def _describe_vectors(vectors: Vectors, parts: Mapping[str, Sequence[Sentence]], args: argparse.Namespace) -> None:
    """Show how many vectors there are, and how many words of each part have one."""
    from ner_lstm_crf.features.vectors import coverage

    if vectors.rows <= (args.vectors_limit or VECTORS_LIMIT):
        size = f"{len(vectors):,} vectors of {vectors.size} values"
    else:
        size = (
            f"{len(vectors) - vectors.beyond:,} most frequent of {vectors.rows:,} vectors of {vectors.size} values, "
            f"and {vectors.beyond:,} more that training and dev need"
        )
    say(size if args.vectors else f"{size} (of characters, from jieba's dictionary; --vectors none does without)")
    known = set(vectors.words)
    for name, sentences in parts.items():
        if sentences:
            covered = coverage(known, Counter(token.text for sentence in sentences for token in sentence.tokens))
            say(f"{name + ':':<7}{covered}")
            if name == "train" and covered.share("missing") > _MOST_MISSING:
                _log.warning(
                    "%s: most of the training tokens have no vector: are these vectors of their language?",
                    args.vectors or "builtin",
                )


def _describe_lexicon(data: ResolvedData, args: argparse.Namespace) -> None:
    """Show the size of the lexicon and of its vectors; of words of a file, also how many the training data have."""
    from ner_lstm_crf.features.lexicon import Lexicon
    from ner_lstm_crf.features.simplified import simplified_form

    words = data.lexicon or {}
    size = f"{len(words):,} words in the lexicon, of {counted(len(set(words.values())), 'category', 'categories')}"
    say(size if args.lexicon else f"{size} (jieba's dictionary; --lexicon none does without)")
    if args.lexicon not in (None, "builtin"):
        frequent = Lexicon.of_words(words, [sentence.words for sentence in data.train]).trainable
        say(f"{frequent:,} of them occur at least twice in the training data")
        if not frequent:
            _log.warning(
                "%s: no word of this lexicon occurs twice in the training data: is it one word a line?", args.lexicon
            )
    if data.lexicon_vectors is not None:
        vectors = {*data.lexicon_vectors.words}
        known = sum(word in vectors or simplified_form(word) in vectors for word in words)
        size = f"{known:,} of them have a vector of {data.lexicon_vectors.size} values"
        say(size if args.lexicon_vectors else f"{size} (made from Baidu's LAC; --lexicon-vectors none does without)")


def _show_results(directory: Path, chosen: RunResult, results: Sequence[RunResult], args: argparse.Namespace) -> None:
    """Show the scores."""
    from ner_lstm_crf.evaluation.metrics import Summary
    from ner_lstm_crf.runs.results import summary_to_json
    from ner_lstm_crf.runs.train import summary_line

    summary = summary_to_json(directory, chosen, results)
    if args.json:
        show_json(summary)
        return
    if len(results) > 1:
        for part in ("dev_f1", "test_f1"):
            if isinstance(figures := summary[part], dict):
                show(f"{part.replace('_f1', ' F1'):<9}{Summary(**figures)} ({len(results)} seeds)")
        why = "the median on dev" if chosen.dev_f1 is not None else "as good as any: there is no dev to choose by"
        show(f"the model is that of seed {chosen.seed}, {why}")
    if chosen.test is not None:
        show(chosen.test.evaluation.table())
    say(summary_line(directory, chosen, results))
    if chosen.dev is not None and chosen.dev_f1 == 0 and chosen.dev["support"]:
        say("it finds no entity of dev: train longer, with more --epochs")
