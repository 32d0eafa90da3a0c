"""The files of a training run: read, checked, and described to the person who waits."""

from __future__ import annotations

import argparse
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ner_lstm_crf.cli.display import progress_bar, say
from ner_lstm_crf.cli.options import column_options
from ner_lstm_crf.cli.training_options import VECTORS_LIMIT, unit_asked_for
from ner_lstm_crf.config import Config, Hyphens, TokenUnit
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.lexicon import Lexicon, builtin_words, read_lexicon
from ner_lstm_crf.features.vectors.vectors import Vectors, coverage, read_vectors
from ner_lstm_crf.features.vocabulary import spellings
from ner_lstm_crf.formats.columns import ReadOptions
from ner_lstm_crf.formats.registry import read_sentences
from ner_lstm_crf.runs.data import Data, are_chinese, resolve_defaults, split_dev
from ner_lstm_crf.saving.model import model_directory
from ner_lstm_crf.tags.labels import require_entities
from ner_lstm_crf.text.annotation import Sentence, Span
from ner_lstm_crf.text.token_unit import CHARACTER_SHARE, share_of_characters

__all__ = ["TrainingFiles", "read_training_files", "use_threads", "warn_of_unknown_labels"]

_log = logging.getLogger(__name__)

_MOST_MISSING = 0.6  # share of the tokens without a vector, in any language whose vectors these are


@dataclass(frozen=True, slots=True)
class TrainingFiles:
    """What the files of a training run hold.

    Attributes:
        data: Training and dev sentences, and the vectors.
        test: Test sentences; empty without a test file.
        token_unit: What the tokens of all of them are.
    """

    data: Data
    test: Sequence[Sentence]
    token_unit: TokenUnit


def read_training_files(args: argparse.Namespace, config: Config) -> TrainingFiles:
    """Read what `--train`, `--dev`, `--test`, `--vectors` and `--lexicon` name, and say what it is.

    Raises:
        InputError: If a file cannot be read, or the training files hold no entities.
    """
    hyphens = config.model.hyphens
    initial = model_directory(args.init) if getattr(args, "init", None) else None
    asked = unit_asked_for(args) if initial is None else config.model.token_unit
    token_unit, train = _read_train(args, asked, hyphens)
    options = column_options(args, token_unit=token_unit, hyphens=hyphens)
    without_dev = args.dev == "none"
    dev = _read([args.dev], options) if args.dev and not without_dev else []
    test = _read([args.test], options) if args.test else []
    if args.test:
        require_entities((one.spans for one in test), args.test, options.labels)
    if args.dev is None:
        train, dev = split_dev(train)
        say("no --dev: every tenth training sentence is set aside to choose the best epoch by")
    parts: dict[str, Sequence[Sentence]] = {"train": train, "dev": dev, "test": test}
    _describe(parts)
    _warn(parts, {"dev": None if without_dev else args.dev or "dev (set aside)", "test": args.test})
    data = Data(train, dev, _vectors(args, parts), initial, lexicon=_lexicon(args))
    data = resolve_defaults(data, replace(config.model, token_unit=token_unit))
    if isinstance(data.vectors, Vectors):
        _describe_vectors(data.vectors, parts, args)
    if isinstance(data.lexicon, Mapping):
        _describe_lexicon(data.lexicon, train, args)
    return TrainingFiles(data, test, token_unit)


def _read_train(
    args: argparse.Namespace, asked: TokenUnit | None, hyphens: Hyphens
) -> tuple[TokenUnit, list[Sentence]]:
    """The training sentences, and what their tokens are: what was asked for, else what they look like."""
    options = column_options(args, token_unit=asked, hyphens=hyphens)
    train = _read(args.train, options)
    require_entities((one.spans for one in train), ", ".join(args.train), options.labels)
    if asked is not None:
        return asked, train
    share = share_of_characters(train)
    if share < CHARACTER_SHARE:
        if are_chinese(train):
            say(f"{share:.1%} of the Chinese tokens are one character: they are taken for words, or say --characters")
        return "word", train
    if (pipe := next((path for path in args.train if Path(path).is_fifo()), None)) is not None:
        raise InputError("expected --characters for these data, since a pipe is read only once", path=pipe)
    chinese = "Chinese " if are_chinese(train) else ""
    whole = f"every {chinese}token of the training data is" if share == 1 else f"{share:.2%} of the {chinese}tokens are"
    say(f"{whole} one character: the model takes characters as tokens")
    # Read again for the tokens that are longer, or white space, which is no character of a text.
    return "character", _read(args.train, column_options(args, token_unit="character"))


def _read(paths: Iterable[str], options: ReadOptions) -> list[Sentence]:
    """The sentences of all files, without those that have no token: there is nothing to learn or find in them."""
    return [sentence for path in paths for sentence in read_sentences(path, options) if sentence.tokens]


def use_threads(threads: int | None) -> None:
    """Let torch use so many processor threads; as it pleases if None."""
    import torch

    if threads is not None:
        torch.set_num_threads(threads)


def _describe(parts: dict[str, Sequence[Sentence]]) -> None:
    """Say how much there is of everything."""
    for name, sentences in parts.items():
        if sentences:
            labels = Counter(span.label for sentence in sentences for span in sentence.spans)
            tokens = sum(len(sentence.tokens) for sentence in sentences)
            counts = ", ".join(f"{label} {count:,}" for label, count in sorted(labels.items()))
            sizes = f"{len(sentences):,} sentences, {tokens:,} tokens, {labels.total():,} entities"
            say(f"{name + ':':<7}{sizes} ({counts})")


def _warn(parts: dict[str, Sequence[Sentence]], names: dict[str, str | None]) -> None:
    """Log what dev and test cannot tell."""
    labels = {span.label for sentence in parts["train"] for span in sentence.spans}
    for part, name in names.items():
        if name is not None:
            spans = (sentence.spans for sentence in parts[part])
            warn_of_unknown_labels(name, spans, labels, "the training data lack")
    if names["dev"] is not None and not any(sentence.spans for sentence in parts["dev"]):
        _log.warning("%s: no entities in dev: nothing tells epochs apart, the last one is kept", names["dev"])


def warn_of_unknown_labels(path: str | Path, spans: Iterable[Sequence[Span]], known: Iterable[str], whose: str) -> None:
    """Log which labels of a file, given the spans of its sentences, can never be found."""
    counts = Counter(span.label for of_sentence in spans for span in of_sentence)
    unknown = sorted(set(counts) - set(known))
    if unknown:
        entities = sum(counts[label] for label in unknown)
        labels = ", ".join(unknown)
        _log.warning("%s: %d entities have labels that %s (%s): they count as missed", path, entities, whose, labels)


def _vectors(args: argparse.Namespace, parts: Mapping[str, Sequence[Sentence]]) -> Vectors | Literal["builtin"] | None:
    """The vectors that are asked for: general if none are.

    Raises:
        InputError: If their file cannot be read.
    """
    if args.vectors in (None, "builtin"):
        return "builtin"
    if args.vectors == "none":
        return None
    needed = {
        spelling
        for sentences in (parts["train"], parts["dev"])  # what test holds is not to be known, and no part of the run
        for word in {token.text for sentence in sentences for token in sentence.tokens}
        for spelling in spellings(word)
    }
    with progress_bar("reading the vectors", unit="B", scale=True) as progress:
        return read_vectors(args.vectors, needed=needed, limit=args.vectors_limit or VECTORS_LIMIT, progress=progress)


def _describe_vectors(vectors: Vectors, parts: Mapping[str, Sequence[Sentence]], args: argparse.Namespace) -> None:
    """Say how many vectors there are, and how many words of each part they know."""
    declined = "" if args.vectors else " (of characters, from jieba's dictionary; --vectors none does without)"
    say(f"{_extent(vectors, args.vectors_limit or VECTORS_LIMIT)}{declined}")
    known = set(vectors.words)
    for name, sentences in parts.items():
        if sentences:
            counts = Counter(token.text for sentence in sentences for token in sentence.tokens)
            found = coverage(known, counts)
            say(f"{name + ':':<7}{found}")
            if name == "train" and found.share("missing") > _MOST_MISSING:
                where = args.vectors or "builtin"
                _log.warning("%s: most of the training tokens have no vector here: are they of this kind?", where)


def _lexicon(args: argparse.Namespace) -> dict[str, str] | Literal["builtin"] | None:
    """The lexicon that is asked for: general if none is.

    Raises:
        InputError: If its file cannot be read.
    """
    if args.lexicon is None:
        return "builtin"
    if args.lexicon == "none":
        return None
    return builtin_words() if args.lexicon == "builtin" else read_lexicon(args.lexicon)


def _describe_lexicon(words: Mapping[str, str], train: Sequence[Sentence], args: argparse.Namespace) -> None:
    """Say how much there is to look for; of the words of a file, how many of them training meets."""
    kinds = len(set(words.values()))
    asked = args.lexicon is not None
    declined = "" if asked else " (jieba's dictionary; --lexicon none does without)"
    say(f"{len(words):,} words in the lexicon, of {kinds:,} {'kind' if kinds == 1 else 'kinds'}{declined}")
    if args.lexicon not in (None, "builtin"):
        met = Lexicon.of_words(words, [sentence.words for sentence in train]).trainable
        say(f"{met:,} of them occur at least twice in the training data")
        if not met:
            _log.warning(
                "%s: no word of this lexicon occurs twice in the training data: is it one word a line?", args.lexicon
            )


def _extent(vectors: Vectors, limit: int) -> str:
    """How many vectors there are, and which of how many."""
    if vectors.rows <= limit:
        return f"{len(vectors):,} vectors of {vectors.size} values"
    first = len(vectors) - vectors.beyond
    more = f"and {vectors.beyond:,} more that training and dev need"
    return f"{first:,} most frequent of {vectors.rows:,} vectors of {vectors.size} values, {more}"
