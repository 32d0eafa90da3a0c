"""The data of a run: what the caller gives, and the same with every default decided."""

from __future__ import annotations

import hashlib
import logging
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ner_lstm_crf.config import VECTORS_LIMIT, Config, Device, ModelConfig, TrainingConfig, without_effect
from ner_lstm_crf.errors import InputError, counted, did_you_mean
from ner_lstm_crf.features.gazetteer import builtin_names, check_names, checked_names, read_names
from ner_lstm_crf.features.lexicon import builtin_words, check_lexicon, read_lexicon
from ner_lstm_crf.features.simplified import simplified_form
from ner_lstm_crf.features.token_feature import Rows
from ner_lstm_crf.features.transformer.feature import Transformer
from ner_lstm_crf.features.transformer.subtokens import pretrained_folder
from ner_lstm_crf.features.vectors import Vectors, builtin_character_vectors, builtin_lexicon_vectors, read_vectors
from ner_lstm_crf.features.vocabulary import spellings
from ner_lstm_crf.files.atomic import make_directory, remove_temp_files
from ner_lstm_crf.files.text import FilePath
from ner_lstm_crf.formats.options import ReadOptions
from ner_lstm_crf.formats.registry import read_sentences, read_unlabelled
from ner_lstm_crf.progress import Progress, silent
from ner_lstm_crf.saving.feature_folders import folder_digest
from ner_lstm_crf.saving.model import ModelDescription, model_directory
from ner_lstm_crf.saving.tensors import read_tensors, write_tensors
from ner_lstm_crf.tags.labels import fully_known, warn_of_unknown_labels
from ner_lstm_crf.tags.partial import PartialReader, encode_partial
from ner_lstm_crf.tags.scheme import SCHEMES
from ner_lstm_crf.text.annotation import CHARACTER_SHARE, Sentence, share_of_characters, tell_of_spaces
from ner_lstm_crf.text.normalization import normalized_words
from ner_lstm_crf.text.scripts import script_language
from ner_lstm_crf.text.tokenizer import check_characters, detect_hyphens

_log = logging.getLogger(__name__)


@dataclass(slots=True, repr=False)
class Data:
    """The data that a run learns from and is measured on. Sentences without a token are left out.

    `Data.read` reads them from files.

    Attributes:
        train: Training sentences; any iterable of them, kept as a tuple.
        dev: The sentences by which the best epoch is chosen; may be empty, kept as a tuple.
        vectors: Pretrained word vectors; or "builtin", those of `builtin_character_vectors` where tokens are
            characters, else none; None for none.
        init_from: The directory of a trained model to start from, or "en" or "zh", a shipped tagger; None to start
            from random weights. The configuration's model is then that of the tagger,
            `Tagger.load(init_from).model.config`.
        lexicon: Words to find in the text where tokens are characters, each with its category, "" for none; or
            "builtin", those of `builtin_words`; None for no lexicon.
        unannotated: Labels that the training sentences do not annotate: a token without an entity may be in one of
            these, see `Sentence.with_unannotated`.
        lexicon_vectors: Pretrained vectors of words of the lexicon; or "builtin", those of `builtin_lexicon_vectors`
            where there is a lexicon; None for none.
        teacher: The directory of a trained model, or "en" or "zh", whose tag sequences are learnt beside the annotated
            ones; of an ensemble, or with a transformer, as it may be. None for none.
        unlabelled: Sentences that the teacher alone says something of; their spans do not matter. Kept as a tuple.
        names: Names to find in the text where tokens are words, pairs of a name and its list; or "builtin", those of
            `builtin_names`; None for none.

    Dev sentences with unknown tokens are left out, and sentences with a token of no character; both are logged.

    Raises:
        TypeError: If a part is of another type; with the number of what is no sentence.
        InputError: If there is no training sentence, or a token or a label could stand in no file; if there are
            unlabelled sentences and no teacher.
    """

    train: Sequence[Sentence]
    dev: Sequence[Sentence] = ()
    vectors: Vectors | Literal["builtin"] | None = "builtin"
    init_from: str | Path | None = None
    lexicon: Mapping[str, str] | Literal["builtin"] | None = "builtin"
    unannotated: Sequence[str] = ()
    lexicon_vectors: Vectors | Literal["builtin"] | None = "builtin"
    teacher: str | Path | None = None
    unlabelled: Sequence[Sentence] = ()
    names: Collection[tuple[str, str]] | Literal["builtin"] | None = None

    def __post_init__(self) -> None:
        self._check_sources()
        if isinstance(self.train, Iterator) and self.train is self.dev:
            raise TypeError("expected dev sentences of their own, got the iterator that gives those of train")
        for part in ("train", "dev"):
            sentences = _without_empty_tokens(as_sentences(getattr(self, part), part), part)
            check_sentences(sentences, part)
            setattr(self, part, tuple(sentence for sentence in sentences if sentence.tokens))
        if not self.train:
            raise InputError("train: expected sentences with tokens, found none")
        self.dev = tuple(fully_known(self.dev, "dev"))
        self.unlabelled = _without_labels(self.unlabelled, self.teacher)
        self.unannotated = _checked_labels(self.unannotated)
        if self.unannotated:
            self.train = tuple(sentence.with_unannotated(self.unannotated) for sentence in self.train)

    def _check_sources(self) -> None:
        """Refuse vectors, a lexicon and names that are something else.

        Raises:
            TypeError: See the class.
            InputError: See `checked_names`.
        """
        for part, kind, hint in (
            ("vectors", Vectors, "read_vectors reads a file, Vectors.from_dict takes a dict"),
            ("lexicon", Mapping, "read_lexicon reads a file, dict.fromkeys(words, '') takes a list"),
            ("lexicon_vectors", Vectors, "read_vectors reads a file, Vectors.from_dict takes a dict"),
        ):
            given = getattr(self, part)
            if not (given is None or isinstance(given, kind) or (isinstance(given, str) and given == "builtin")):
                raise TypeError(
                    f"{part}: expected {kind.__name__}, 'builtin' or None, got {type(given).__name__}: {hint}"
                )

        if self.names is not None and self.names != "builtin":
            self.names = checked_names(self.names)
        if isinstance(self.lexicon, Mapping):
            for word, category in self.lexicon.items():
                if not isinstance(word, str) or not isinstance(category, str):
                    raise TypeError(f"lexicon: expected words and their categories, got {word!r:.40}: {category!r:.40}")

    def __repr__(self) -> str:
        parts = f"{len(self.train):,} training and {len(self.dev):,} dev sentences"
        start = "" if self.init_from is None else f", from {self.init_from}"
        teacher = "" if self.teacher is None else f", taught by {self.teacher}"
        return f"<Data: {parts}, vectors {self.vectors}{start}{teacher}>"

    @classmethod
    def read(  # noqa: PLR0913  (one call)
        cls,
        train: FilePath | Sequence[FilePath],
        dev: FilePath | Literal["split"] | None = "split",
        *,
        vectors: FilePath | Vectors | Literal["builtin"] | None = "builtin",
        lexicon: FilePath | Mapping[str, str] | Literal["builtin"] | None = "builtin",
        lexicon_vectors: FilePath | Vectors | Literal["builtin"] | None = "builtin",
        names: FilePath | Collection[tuple[str, str]] | Literal["builtin"] | None = None,
        init_from: str | Path | None = None,
        unannotated: Sequence[str] = (),
        teacher: str | Path | None = None,
        unlabelled: FilePath | Sequence[FilePath] = (),
        options: ReadOptions | None = None,
    ) -> Data:
        """The data in files, as the command line reads them.

        Args:
            train: The training file, in any format; or several.
            dev: The dev file; or "split" for every tenth sentence of `train`, or None for none (a file of such a name:
                "./split").
            vectors: A file of pretrained vectors, of which the first 400,000 are read, and those of the words in the
                sentences; or as in the class.
            lexicon: A file of words; or as in the class.
            lexicon_vectors: A file of the vectors of words, of which those of the lexicon are read; or as in the class.
            names: A file of names; or as in the class.
            init_from: As in the class.
            unannotated: As in the class.
            teacher: As in the class.
            unlabelled: A file, or several, of sentences without labels, see `read_unlabelled`.
            options: How the files are read; what is not set is detected. If nearly all tokens are one character and
                `token_unit` is not set, all become characters.

        Raises:
            TypeError: If there is no path of a training file.
            InputError: If a file cannot be read, or there are too few sentences to split off a dev set.
        """
        options = options or ReadOptions()
        if hasattr(train, "columns"):
            raise TypeError("expected the path of a training file, got a table: write it with to_csv, and read that")
        if not train or not isinstance(train, str | os.PathLike | Sequence):
            raise TypeError(f"expected the path of a training file, or several, got {train!r:.40}")
        paths = [train] if isinstance(train, str | os.PathLike) else list(train)
        sentences = [sentence for path in paths for sentence in read_sentences(path, options)]
        if options.token_unit is None and share_of_characters(sentences) >= CHARACTER_SHARE:
            options = replace(options, token_unit="character")
            sentences = [sentence for path in paths for sentence in read_sentences(path, options)]
        if dev == "split":
            sentences, of_dev = split_dev([sentence for sentence in sentences if sentence.tokens])
        else:
            of_dev = [] if dev is None else read_sentences(dev, options)
        hyphens = detect_hyphens(word for sentence in sentences for word in sentence.words)
        files = [unlabelled] if isinstance(unlabelled, str | os.PathLike) else unlabelled
        bare = [one for path in files for one in read_unlabelled(path, replace(options, hyphens=hyphens))]
        if isinstance(vectors, str | os.PathLike) and vectors != "builtin":
            vectors = read_vectors(vectors, needed=needed_words([*sentences, *of_dev, *bare]), limit=VECTORS_LIMIT)
        if isinstance(lexicon, str | os.PathLike) and lexicon != "builtin":
            lexicon = read_lexicon(Path(lexicon))
        if isinstance(lexicon_vectors, str | os.PathLike) and lexicon_vectors != "builtin":
            words = builtin_words() if lexicon == "builtin" else lexicon or {}
            lexicon_vectors = read_lexicon_vectors(Path(lexicon_vectors), words)
        if isinstance(names, str | os.PathLike) and names != "builtin":
            names = read_names(Path(names))
        rest: Any = unannotated, lexicon_vectors, teacher, bare, names
        return cls(sentences, of_dev, vectors, init_from, lexicon, *rest)  # type: ignore[arg-type]

    @classmethod
    def from_datasets(
        cls,
        dataset: Any,
        *,
        tokens: str | None = None,
        tags: str | None = None,
        options: ReadOptions | None = None,
        **further: Any,
    ) -> Data:
        """The data in a dataset of Hugging Face's `datasets`; `read_dataset` says which, and reads its test split.

        Args:
            dataset: A `DatasetDict`, whose splits `train` and `validation` (or `dev`) are read; or one dataset. Without
                dev sentences every tenth one of the training sentences is taken for them, as in `read`.
            tokens: The column of the tokens; None for `tokens` or `words`.
            tags: The column of the tags; None for `ner_tags`, `tags`, `labels` or `ner`.
            options: The options of reading; `label_names` are the names of numbers that the dataset does not name.
            **further: `vectors`, `init_from`, `lexicon`, `lexicon_vectors`, `names` and `unannotated`, as in
                the class.

        Raises:
            TypeError: If it is no dataset.
            InputError: If it lacks the split or a column, a row is malformed, or there are too few sentences to split
                off a dev set; the message names row, from 0, and column.
        """
        from ner_lstm_crf.integrations.huggingface import read_splits  # a door to another library; see pyproject.toml

        train, dev = read_splits(dataset, options, tokens, tags)
        if dev is None:
            train, dev = split_dev([sentence for sentence in train if sentence.tokens])
        return cls(train, dev, **further)


def _without_labels(given: Iterable[Sentence], teacher: str | Path | None) -> tuple[Sentence, ...]:
    """Sentences for a teacher, with nothing but their tokens.

    Raises:
        TypeError: If they are none.
        InputError: If there are some and no teacher, or a token could stand in no file.
    """
    sentences = as_sentences(given, "unlabelled")
    if sentences and teacher is None:
        raise InputError("unlabelled: expected a teacher as well, which says what is in these sentences")
    whole = _without_empty_tokens(sentences, "unlabelled")
    bare = tuple(sentence.with_spans(()) for sentence in whole if sentence.tokens)
    check_sentences(bare, "unlabelled")
    return bare


def _checked_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """Labels as a tuple.

    Raises:
        TypeError: If they are a string, or one is none.
    """
    if isinstance(labels, str) or not all(isinstance(label, str) for label in labels):
        raise TypeError(f"unannotated: expected a list of labels, got {labels!r:.40}")
    return tuple(labels)


def as_sentences(given: Iterable[Sentence], part: str) -> tuple[Sentence, ...]:
    """Any iterable of sentences as a tuple.

    Raises:
        TypeError: If it is none, or holds something else.
    """
    if isinstance(given, str | os.PathLike | Sentence) or not isinstance(given, Iterable):
        hint = "put it into a list" if isinstance(given, Sentence) else "read_sentences reads a file"
        hint = "an empty list is none" if given is None else hint
        raise TypeError(f"expected sentences as {part}, got {type(given).__name__}: {hint}")
    sentences = tuple(given)
    for number, one in enumerate(sentences, 1):
        if not isinstance(one, Sentence):
            raise TypeError(
                f"expected sentences as {part}, got {type(one).__name__} as number {number}: "
                "Sentence.from_tags and from_text make them"
            )
    return sentences


def _without_empty_tokens(sentences: Sequence[Sentence], part: str) -> list[Sentence]:
    """The sentences without tokens of no character, as pandas writes NaN: what stood there is not known. Logged."""
    whole = [sentence for sentence in sentences if all(token.text for token in sentence.tokens)]
    if len(whole) < len(sentences):
        message = (
            f"{counted(len(sentences) - len(whole), 'sentence has', 'sentences have')} a token without a character"
        )
        _log.warning("%s: %s: left out", part, message)
    return whole


def check_sentences(sentences: Sequence[Sentence], part: str) -> None:
    """Refuse tokens, labels and unknown tokens that no file could hold: they would be written, and learnt, as others.

    Raises:
        InputError: If a token has a line break, a label has white space at its ends or a line break, or no
            tags fit what unknown tokens may be.
    """
    for number, sentence in enumerate(sentences, 1):
        at = f"{part}, sentence {number}" + (f" (line {sentence.line})" if sentence.line is not None else "")
        for token in sentence.tokens:
            if "\n" in token.text or "\r" in token.text:
                raise InputError(f"{at}: expected tokens on one line, found {token.text!r:.40}")
        for span in sentence.spans:
            if span.label != span.label.strip() or len(span.label.splitlines()) > 1:
                found = f"found {span.label!r:.40}"
                raise InputError(f"{at}: expected a label without white space around it, {found}")
        if sentence.unknown:
            bioes = encode_partial(SCHEMES["BIOES"], sentence.spans, sentence.unknown, len(sentence.tokens))
            if broken := PartialReader(SCHEMES["BIOES"]).decode(bioes).ill_formed:
                found = f"token {broken[0] + 1} has none that may follow"
                raise InputError(f"{part}, sentence {number}: expected unknown tokens that some tags fit, {found}")


def read_lexicon_vectors(path: str | Path, lexicon: Iterable[str]) -> Vectors:
    """The vectors of a file that words of a lexicon have, as they are or in simplified characters.

    Raises:
        InputError: As `read_vectors`, or if no word has one.
    """
    vectors = read_vectors(path, needed={form for word in lexicon for form in (word, simplified_form(word))})
    if not len(vectors):
        raise InputError("expected vectors of words of the lexicon, found none of them", path=path)
    return vectors


def needed_words(sentences: Iterable[Sentence]) -> set[str]:
    """The spellings under which the words of the sentences may have a vector."""
    words = {token.text for sentence in sentences for token in sentence.tokens}
    return {spelling for word in words for spelling in spellings(word)}


@dataclass(frozen=True, slots=True)
class ResolvedData:
    """The data of a run with every default decided, see `resolve_defaults`.

    Attributes:
        train: Training sentences.
        dev: Dev sentences.
        vectors: Pretrained word vectors, or None.
        init_from: The directory of the model to start from, or None.
        lexicon: Words and their categories, or None.
        lexicon_vectors: Pretrained vectors of words of the lexicon, or None.
        names: Names and their lists, or None.
        fingerprints: SHA-256 of each part, by its name in messages, to recognise the same data; "" for no such part.
        unannotated: Labels that the training sentences do not annotate.
        teacher: The directory of the teacher, or None.
        unlabelled: Sentences that the teacher alone says something of.
        contextual: The file with the vectors that a frozen transformer gives the tokens of `learnt` and then of `dev`;
            None where it has not read them (see `read_with_transformer`).
        taught: The file with what the teacher says of the tokens of `learnt`; None where it has not read them (see
            `runs.teacher`).
    """

    train: Sequence[Sentence] = field(repr=False)
    dev: Sequence[Sentence] = field(repr=False)
    vectors: Vectors | None
    init_from: Path | None
    lexicon: Mapping[str, str] | None
    lexicon_vectors: Vectors | None
    names: Collection[tuple[str, str]] | None
    fingerprints: Mapping[str, str]
    unannotated: Sequence[str] = ()
    teacher: Path | None = None
    unlabelled: Sequence[Sentence] = field(default=(), repr=False)
    contextual: Path | None = None
    taught: Path | None = None

    @property
    def learnt(self) -> list[Sentence]:
        """The sentences that are learnt from: the training sentences, then those without labels."""
        return [*self.train, *self.unlabelled]

    @property
    def uncounted(self) -> frozenset[str]:
        """Labels that dev, like the training data, does not annotate: such entities are neither right nor wrong."""
        return frozenset(self.unannotated) - {span.label for one in self.dev for span in one.spans}


def resolve_defaults(data: Data, config: ModelConfig) -> ResolvedData:
    """Decide what "builtin" means for a model of this shape, and take the fingerprints of the data.

    The vectors and the lexicon of the package are for characters; a model to start from keeps those it has. Tokens that
    are not of the model's unit are logged.

    Raises:
        InputError: If there is a lexicon that the model would not use, or there are vectors of its words and no
            lexicon; if there is no model to start from, or it has another configuration, or there are vectors beside
            it; if no training sentence has an entity.
    """
    init_from, teacher = (None if one is None else model_directory(one) for one in (data.init_from, data.teacher))
    base = None if init_from is None else ModelDescription.read(init_from)
    # 1. The vectors.
    vectors = data.vectors
    if isinstance(vectors, str):  # "builtin"
        vectors = builtin_character_vectors() if config.token_unit == "character" and init_from is None else None
    # 2. The lexicon.
    lexicon, of_words = _resolved_lexicon(data, config)
    # 3. The gazetteer.
    names = tuple(builtin_names()) if data.names == "builtin" else data.names
    if names is not None:
        if init_from is not None:
            raise InputError("a gazetteer: expected none beside a model to start from, whose own stays")
        check_names(config)
    # 4. The model to start from has its own of all.
    if base is not None and (base.config != config or vectors is not None):
        raise InputError("expected the configuration of the model to start from, and no vectors", path=init_from)
    # 5. The fingerprints.
    fingerprints = {
        "model to start from": "" if base is None else base.digest,
        "training data": _fingerprint(map(_content_of, data.train)),
        "dev data": _fingerprint(repr((one.words, one.spans)) for one in data.dev),
        "vectors": _fingerprint_of(vectors),
        "lexicon": "" if lexicon is None else _fingerprint(map(repr, sorted(lexicon.items()))),
        "vectors of the lexicon": _fingerprint_of(of_words),
        "gazetteer": "" if names is None else _fingerprint(map(repr, sorted(names))),
    }
    if teacher is not None:
        fingerprints["teacher"] = ModelDescription.read(teacher).digest
        fingerprints["unlabelled data"] = _fingerprint(repr(one.words) for one in data.unlabelled)
    if config.transformer is not None and init_from is None:
        with suppress(InputError):  # a missing transformer is an error only for whoever needs it
            fingerprints["transformer"] = folder_digest(pretrained_folder(config.transformer))
    resolved = ResolvedData(
        train=data.train,
        dev=data.dev,
        vectors=vectors,
        init_from=init_from,
        lexicon=lexicon,
        lexicon_vectors=of_words,
        names=names,
        fingerprints=fingerprints,
        unannotated=data.unannotated,
        teacher=teacher,
        unlabelled=data.unlabelled,
    )
    # 6. Warn of what the model will not learn before it begins.
    _warn_of_other_tokens(resolved, config)
    _warn_of_labels(resolved, () if base is None else base.labels)
    own = data.vectors
    if isinstance(own, Vectors) and config.word_size not in (ModelConfig().word_size, own.size):
        _log.warning("word_size is %d: the vectors, of %d values, count instead", config.word_size, own.size)
    own = data.lexicon_vectors
    if isinstance(own, Vectors) and config.lexicon_size not in (ModelConfig().lexicon_size, own.size):
        _log.warning("lexicon_size is %d: the vectors, of %d values, count instead", config.lexicon_size, own.size)
    return resolved


def _resolved_lexicon(data: Data, config: ModelConfig) -> tuple[Mapping[str, str] | None, Vectors | None]:
    """The words of the lexicon, and the vectors of some of them.

    Raises:
        InputError: See `resolve_defaults`.
    """
    lexicon, vectors = data.lexicon, data.lexicon_vectors
    if isinstance(lexicon, str):  # "builtin"
        used = config.token_unit == "character" and config.lexicon_size > 0 and data.init_from is None
        lexicon = builtin_words() if used else None
    elif lexicon is not None:
        if data.init_from is not None:
            raise InputError("a lexicon: expected none beside a model to start from, whose own stays")
        check_lexicon(config)
    if isinstance(vectors, str):  # "builtin"
        vectors = None if lexicon is None else builtin_lexicon_vectors(config.lexicon_size)
    elif vectors is not None and lexicon is None:
        raise InputError("lexicon_vectors: expected a lexicon of these words, got none")
    return lexicon, vectors


def _content_of(sentence: Sentence) -> str:
    """What a sentence teaches."""
    known = repr((sentence.words, sentence.spans))
    return (
        known + repr([(token, tags and sorted(tags)) for token, tags in sentence.unknown])
        if sentence.unknown
        else known
    )


def _fingerprint_of(vectors: Vectors | None) -> str:
    return "" if vectors is None else _fingerprint([repr(vectors.words), np.ascontiguousarray(vectors.matrix)])


def _fingerprint(parts: Iterable[str | np.ndarray]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode(errors="surrogatepass") if isinstance(part, str) else part.data)
    return digest.hexdigest()


def _warn_of_other_tokens(data: ResolvedData, config: ModelConfig) -> None:
    """Log that the tokens are not of the model's unit: it would cut text into others than it has learnt."""
    if config.token_unit == "character":
        try:
            for sentence in chain(data.learnt, data.dev):
                check_characters(sentence.words)
        except InputError as error:
            _log.warning("%s", error.message)
    elif share_of_characters(data.train) >= CHARACTER_SHARE and are_chinese(data.train):
        _log.warning(
            "expected words, found tokens of one character: "
            "preset('fast', token_unit='character') is for such (--token-unit character)"
        )


def _warn_of_labels(data: ResolvedData, known: Sequence[str]) -> None:
    """Log which labels have no example to learn from: those of dev, and those of the model to start from.

    Raises:
        InputError: If no training sentence has an entity.
    """
    train, dev = (Counter(span.label for one in part for span in one.spans) for part in (data.train, data.dev))
    if without := sorted({*data.unannotated} - {*train, *known}):
        near = "".join(did_you_mean(label, {*train, *known}) for label in without)
        raise InputError(
            "unannotated: expected labels with an example in the training data, or in the model to start from, "
            f"got {', '.join(without)}{near}"
        )
    if not train:
        raise InputError("train: expected entities, found none: nothing in these sentences is annotated")
    if data.dev and data.dev == data.train:
        _log.warning("dev: these are the training sentences, so their F1 says nothing about other text")
    warn_of_unknown_labels("dev", dev, {*train, *known}, "the training data lack")
    if lacking := [label for label in known if label not in {*train, *data.unannotated}]:
        _log.warning(
            "no example of %s in the training data: the model to start from knows such entities, and unlearns them "
            "where these data leave them unmarked (--unannotated %s says that they do)",
            ", ".join(lacking),
            ",".join(lacking),
        )


def check_settings(data: ResolvedData, config: Config) -> None:
    """Log the settings that do nothing with these data, or beside the others.

    Raises:
        InputError: If vectors are to be frozen, and there are none.
    """
    if config.training.freeze_vectors and data.vectors is None and data.init_from is None:
        raise InputError("freeze_vectors: expected vectors as well")
    if config.training.device != "cpu":
        from ner_lstm_crf.model.device import usable_device

        usable_device(config.training.device)
    if data.init_from is None:
        for message in without_effect(config):
            _log.warning("%s", message)
    elif config.model.token_unit == "character" and not are_chinese(data.train):
        _log.warning(
            "the tokens of %s are characters, so every letter of the training data is a token of its own: start from a "
            "model of words, such as en",
            data.init_from,
        )
    if config.training.distill_unknown and data.init_from is None:
        raise InputError("distill_unknown: expected a model to start from, which tells what unknown tokens are")
    if config.training.distill_unknown and not any(sentence.unknown for sentence in data.train):
        _log.warning("distill_unknown has no effect where all tokens are known")
    if data.teacher is None and config.training.teacher_weight != TrainingConfig().teacher_weight:
        _log.warning("teacher_weight has no effect without a teacher")
    if config.training.patience and not any(sentence.spans for sentence in data.dev):
        _log.warning("patience has no effect without entities in dev: nothing tells epochs apart")


def are_chinese(sentences: Sequence[Sentence]) -> bool:
    """True if the first sentences are written in Han characters."""
    return script_language(" ".join(sentence.words) for sentence in sentences[:1000]) == "zh"


def split_dev(sentences: Sequence[Sentence]) -> tuple[list[Sentence], list[Sentence]]:
    """Split off every tenth sentence as dev data, unless it has unknown tokens: (training sentences, dev sentences).

    Raises:
        InputError: If there are fewer than ten.
    """
    sentences = as_sentences(sentences, "training data")
    if len(sentences) < 10:
        raise InputError(f"expected at least 10 sentences to set a tenth aside for dev, found {len(sentences)}")
    train = [sentence for number, sentence in enumerate(sentences, 1) if number % 10 or sentence.unknown]
    dev = [sentence for number, sentence in enumerate(sentences, 1) if number % 10 == 0 and not sentence.unknown]
    return train, dev


_TENSOR = "vectors"
_VERSION = 2  # of what is computed: another version is another file


def read_with_transformer(
    data: ResolvedData, config: ModelConfig, directory: Path, progress: Progress = silent, device: Device = "cpu"
) -> ResolvedData:
    """The data with the vectors of the frozen transformer of `config`, so that no epoch or run computes them again.

    Args:
        data: The data; they are returned as they are if they have the vectors, or there is no frozen transformer.
        config: The transformer and its layers.
        directory: The folder of the file, which is made unless it exists.
        progress: Called with the sentences that the transformer has read.
        device: What the transformer computes on.

    Raises:
        InputError: If the device is not there, the transformer cannot be read, or the file cannot be written.
    """
    if config.transformer is None or config.fine_tune or data.contextual is not None:
        return data
    sentences = [*data.learnt, *data.dev]
    key = _key(sentences, config)
    path = directory / f"contextual-{key[:12]}.safetensors"
    if not is_cached(path, key):
        # Read as the model will read text, which learns from all these sentences.
        feature = Transformer.from_pretrained(config, config.transformer, touching=tell_of_spaces(data.learnt))
        words = normalized_words([word for sentence in sentences for word in sentence.words])
        lengths = [len(sentence.tokens) for sentence in sentences]
        touches = [touches for sentence in sentences for touches in sentence.touching]
        subtokens = feature.subtokens(words, lengths, touches)
        make_directory(directory)
        remove_temp_files(directory)
        from ner_lstm_crf.model.device import usable_device
        from ner_lstm_crf.model.embedding.transformer import contextual_vectors, pretrained_encoder

        encoder = pretrained_encoder(feature, config).to(usable_device(device))
        vectors = contextual_vectors(encoder, subtokens, progress=progress)
        write_tensors(path, {_TENSOR: vectors}, {"key": key})
    return replace(data, contextual=path)


def is_cached(path: Path, key: str) -> bool:
    """True if a file of tensors is there and was made for this key; one that is damaged is to be made again."""
    try:
        return path.is_file() and read_tensors(path, "cache")[1].get("key") == key
    except InputError:
        return False


def computed_features(data: ResolvedData, config: ModelConfig) -> tuple[dict[str, Rows], dict[str, Rows]]:
    """The vectors of the tokens of `learnt` and of `dev` (N, D), by the name of their feature, for `Model.encode`.

    Both are empty where no transformer has read the data.

    Raises:
        InputError: If the file is missing, damaged, or was made of other data.
    """
    if data.contextual is None:
        return {}, {}
    tensors, metadata = read_tensors(data.contextual, "cache of contextual vectors")
    if metadata.get("key") != _key([*data.learnt, *data.dev], config) or _TENSOR not in tensors:
        raise InputError(
            "expected the vectors that the transformer gives these sentences, found those of others",
            path=data.contextual,
        )
    tokens, vectors = sum(len(sentence.tokens) for sentence in data.learnt), tensors[_TENSOR]
    return {Transformer.name: vectors[:tokens]}, {Transformer.name: vectors[tokens:]}


def _key(sentences: Sequence[Sentence], config: ModelConfig) -> str:
    """SHA-256 of the transformer's files, of what is taken from it, and of the tokens and the spaces between them."""
    folder = pretrained_folder(config.transformer or "")
    digest = hashlib.sha256(
        f"{_VERSION} {folder_digest(folder)} {config.transformer_depth} {config.transformer_layers} "
        f"{config.transformer_mix} {config.token_unit}\0".encode()
    )
    for sentence in sentences:
        digest.update(repr((sentence.words, sentence.touching)).encode())
    return digest.hexdigest()
