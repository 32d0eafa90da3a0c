"""Hugging Face: datasets become sentences, and sentences a dataset; models come from the hub, and go there.

Read `read_dataset` first, then `download` and `upload`. `datasets` and `huggingface_hub` are imported where they are
used: rows are read of anything that gives them, so `read_dataset` needs neither.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ner_lstm_crf.errors import InputError, counted, did_you_mean
from ner_lstm_crf.formats.column_detection import SAMPLE_ROWS, content_of
from ner_lstm_crf.formats.options import ReadOptions, ReadReport, some_lines
from ner_lstm_crf.formats.tagged_file import TagReader
from ner_lstm_crf.runs.card import HUB_FIELDS, LICENCE, USE, bare_card
from ner_lstm_crf.runs.run import CARD
from ner_lstm_crf.saving.model import CONFIG, FROZEN, NETWORK, VOCABULARY, ModelDescription
from ner_lstm_crf.tags.scheme import OUTSIDE, get_scheme
from ner_lstm_crf.tags.tag_set import TagSet
from ner_lstm_crf.text.annotation import (
    CHARACTER_SHARE,
    Sentence,
    each,
    share_of_characters,
    unspaced_chinese,
)

if TYPE_CHECKING:
    import datasets

    from ner_lstm_crf.tagging.tagger import Tagger

_log = logging.getLogger(__name__)

_TOKEN_COLUMNS = ("tokens", "words")
_TAG_COLUMNS = ("ner_tags", "tags", "labels", "ner")
_DEV_SPLITS = ("validation", "dev", "valid", "val")

_OF_A_MODEL = re.compile(r"network-\d+\.safetensors|[a-z]+-[0-9a-f]{12}/.*")  # the files that not every model has


def read_dataset(
    dataset: Any, options: ReadOptions | None = None, *, tokens: str | None = None, tags: str | None = None
) -> list[Sentence]:
    """All sentences of a dataset of `datasets`: of one split, whole in memory or streamed.

    Args:
        dataset: The dataset: each row has a list of tokens and a list of their tags. Tags are strings, or numbers whose
            names the column knows (`ClassLabel`) or `options.label_names` gives.
        options: The options of reading; the scheme is detected, and if nearly all tokens are one character and
            `token_unit` is not set, all become characters.
        tokens: The column of the tokens; None for `tokens` or `words`.
        tags: The column of the tags; None for `ner_tags`, `tags`, `labels` or `ner`.

    Raises:
        TypeError: If it is no dataset, or one of several splits.
        InputError: If it has no such column, or a row is malformed: the message names row, from 0, and column.

    Example:
        >>> rows = [{"tokens": ["Ada", "sings"], "ner_tags": [1, 0]}]
        >>> read_dataset(rows, ReadOptions(label_names=["O", "B-PER", "I-PER"]))
        [<Sentence of 2 tokens: [Ada](PER) sings>]
    """
    if isinstance(dataset, Mapping):
        hint = "choose one, or Data.from_datasets(dataset)"
        raise TypeError(f"expected a dataset of one split, got {', '.join(map(repr, dataset))}: {hint}")
    return _read(dataset, "dataset", options or ReadOptions(), tokens, tags)


def read_splits(
    dataset: Any, options: ReadOptions | None, tokens: str | None, tags: str | None
) -> tuple[list[Sentence], list[Sentence] | None]:
    """The training and the dev sentences of a dataset, None for dev if it has no such split; see `Data.from_datasets`.

    Raises:
        TypeError: If it is no dataset.
        InputError: If there is no split `train`, and as `read_dataset` does.
    """
    options = options or ReadOptions()
    if not isinstance(dataset, Mapping):
        return _read(dataset, "dataset", options, tokens, tags), None
    if "train" not in dataset:
        known = ", ".join(map(str, dataset)) or "none"
        raise InputError(f"expected a split 'train', found {known}: give one of them, dataset['...']")
    train = _read(dataset["train"], "train", options, tokens, tags)
    dev = next((name for name in _DEV_SPLITS if name in dataset), None)
    return train, None if dev is None else _read(dataset[dev], dev, options, tokens, tags)


def _read(
    dataset: Any, name: str, options: ReadOptions, token_column: str | None, tag_column: str | None
) -> list[Sentence]:
    """The sentences of one split; `name` is what messages call it."""
    if isinstance(dataset, str | bytes) or not isinstance(dataset, Iterable):
        raise TypeError(f"expected a dataset, got {type(dataset).__name__}: datasets.load_dataset(...) gives one")
    # 1. The columns, and the names of tags that are numbers. Of a dataset that is streamed they may not be known.
    features: Any = getattr(dataset, "features", None)
    rows = list[tuple[list[str], list[str]]]()
    columns = None if features is None else _columns(features, name, token_column, tag_column, options.read_tags)
    names = options.label_names
    if columns is not None:
        names = names or _names_of(features.get(columns[1]))
        if hasattr(dataset, "select_columns"):  # the others are not even read
            dataset = dataset.select_columns([*columns] if options.read_tags else [columns[0]])
    if hasattr(dataset, "with_format"):  # lists, not the tensors of another library
        dataset = dataset.with_format(None)
    # 2. The rows, each checked.
    for number, row in enumerate(dataset):
        at = f"{name}, row {number}"
        if not isinstance(row, Mapping):
            raise TypeError(f"{at}: expected a row as a dict, got {type(row).__name__}")
        columns = columns or _columns(row, name, token_column, tag_column, options.read_tags)
        words = _checked(row, columns[0], "token", at)
        of_words = _checked(row, columns[1], "tag", at, names) if options.read_tags else [OUTSIDE] * len(words)
        if len(of_words) != len(words):
            found = f"column {columns[0]!r}, found {counted(len(of_words), 'tag')} for {len(words):,}"
            raise InputError(f"{at}, column {columns[1]!r}: expected as many tags as tokens in {found}")
        rows.append((words, of_words))
    if columns is None:
        raise InputError(f"{name}: expected rows, found none")
    # 3. Tags become spans, by the scheme of the split.
    if options.token_unit is None:
        share = share_of_characters(Sentence.from_words(words) for words, _ in rows)
        options = replace(options, token_unit="character") if share >= CHARACTER_SHARE else options
    return _decoded(rows, name, columns[1], options)


def _columns(
    known: Iterable[str], name: str, token_column: str | None, tag_column: str | None, read_tags: bool
) -> tuple[str, str]:
    """The columns of the tokens and of the tags: those that are given, else the usual ones.

    Raises:
        InputError: If there is none.
    """
    found, known = list[str](), list(known)
    for argument, given, usual in (("tokens", token_column, _TOKEN_COLUMNS), ("tags", tag_column, _TAG_COLUMNS)):
        column = given or next((column for column in usual if column in known), None)
        if column not in known and (argument == "tokens" or read_tags):
            expected = f"a column {given!r}" if given else f"a column of {argument} ({', '.join(usual)})"
            near = did_you_mean(given, known) if given else f": {argument}='...' names it"
            raise InputError(f"{name}: expected {expected}, found {', '.join(known)}{near}")
        found.append(column or usual[0])
    return found[0], found[1]


def _names_of(feature: Any) -> Sequence[str] | None:
    """The names of the numbers in a column of lists of `ClassLabel`; None in any other."""
    inner = feature[0] if isinstance(feature, list) and feature else getattr(feature, "feature", None)
    return getattr(inner, "names", None)


def _checked(row: Mapping[str, Any], column: str, what: str, at: str, names: Sequence[str] | None = None) -> list[str]:
    """The tokens or tags of a row, those that are numbers by their names.

    Raises:
        InputError: If there is no list, or an item is none.
    """
    at = f"{at}, column {column!r}"
    values: Any = row.get(column)
    values = values.tolist() if hasattr(values, "tolist") else values
    if not isinstance(values, list | tuple):
        raise InputError(f"{at}: expected a list of {what}s, found {type(values).__name__}")
    items = list[str]()
    for number, value in enumerate(values, 1):
        if isinstance(value, str):
            items.append(value)
            continue
        found = f"found {value!r:.40} ({type(value).__name__}) as {what} {number}"
        if what == "token" or not isinstance(value, int) or isinstance(value, bool):
            raise InputError(f"{at}: expected {what}s as strings, {found}")
        if not names:
            hint = "options=ReadOptions(label_names=['O', 'B-PER', ...]) names them in their order"
            raise InputError(f"{at}: expected tags as strings or numbers of known names, {found}: {hint}")
        if not 0 <= value < len(names):
            raise InputError(f"{at}: expected tags from 0 to {len(names) - 1}, which have a name, {found}")
        items.append(names[value])
    return items


def _decoded(
    rows: Sequence[tuple[list[str], list[str]]], name: str, column: str, options: ReadOptions
) -> list[Sentence]:
    """The sentences of the rows, whose spans are those of their tags; what is odd is logged.

    Raises:
        InputError: If the tags are those of no scheme, or ill-formed where that is an error.
    """
    reader, report = TagReader(name, options, "tag {}"), ReadReport()
    try:
        first = [tag for _, tags in rows[:SAMPLE_ROWS] for tag in tags]
        reader.find_scheme(
            lambda: ((tags, [number] * len(tags)) for number, (_, tags) in enumerate(rows)),
            first,
            expects_labels=bool(first) and content_of(first) == "prefixless",
        )
        sentences = [
            replace(reader.sentence(words, tags, [number] * len(words), report), line=None) if words else Sentence(())
            for number, (words, tags) in enumerate(rows)
        ]
    except InputError as error:
        raise InputError(f"{name}, row {error.line}, column {column!r}: {error.message}") from None
    for found, finding in (
        (report.ill_formed, f"against {reader.scheme and reader.scheme.name}, read by the policy {options.ill_formed}"),
        (report.unknown, "not known"),
    ):
        if found:
            tags_found = f"{counted(len(found), 'tag')} {finding}"
            _log.warning("%s, column %r: %s: %s", name, column, tags_found, some_lines(found, what="row"))
    if reader.notation_words:
        _log.warning("%s, column %r: %s", name, column, reader.notation_words)
    options.labels.warn_of_missing(name, report.names)
    return sentences if options.token_unit else list(unspaced_chinese(iter(sentences)))


def to_dataset(
    sentences: Iterable[Sentence], *, scheme: str = "IOB2", labels: Sequence[str] | None = None
) -> datasets.Dataset:
    """Sentences as a dataset of `datasets`: `tokens`, and `ner_tags` as a `ClassLabel`.

    Args:
        sentences: The sentences.
        scheme: The tag scheme.
        labels: The labels, in the order of their tags, for splits that are to have the same; None for those of the
            sentences, sorted.

    Raises:
        TypeError: If one of them is no `Sentence`, with its number.
        InputError: If there is no such scheme, a label is not among `labels`, or a token is not known to be in an
            entity or in none; if `datasets` is not installed.

    Example:
        >>> to_dataset([Sentence.from_words(["Ada", "sings"], [(0, 1, "PER")])])[0]
        {'tokens': ['Ada', 'sings'], 'ner_tags': [1, 0]}
    """
    datasets = _package("datasets")
    sentences = list(each(Sentence, sentences))
    found = sorted(set().union(*(sentence.labels for sentence in sentences)))
    tags = TagSet(get_scheme(scheme), found if labels is None else labels)
    if other := [label for label in found if label not in tags.labels]:
        raise InputError(f"labels: expected all labels of the sentences, found no {', '.join(other)}")
    for number, sentence in enumerate(sentences):
        if sentence.unknown:
            raise InputError(f"sentence {number}: expected tags that are known, found an unknown token")
    features = datasets.Features(
        {
            "tokens": datasets.Sequence(datasets.Value("string")),
            "ner_tags": datasets.Sequence(datasets.ClassLabel(names=list(tags.names))),
        }
    )
    rows: dict[str, list[Any]] = {
        "tokens": [sentence.words for sentence in sentences],
        "ner_tags": [tags.encode(sentence.spans, len(sentence.tokens)).tolist() for sentence in sentences],
    }
    return datasets.Dataset.from_dict(rows, features=features)


def download(
    repo: str,
    *,
    revision: str | None = None,
    token: str | bool | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
) -> Path:
    """The files of a model in a repository of the hub: the folder in the cache of `huggingface_hub`.

    No other file is fetched. Whether they are whole is seen when they are loaded: config.json has their digest.

    Args:
        repo: The repository, `NAME/MODEL`.
        revision: Its branch, tag or commit; None for its main branch.
        token: As in `huggingface_hub`.
        cache_dir: The folder of the cache; None for the usual one.

    Raises:
        InputError: If there is no such repository, revision or model in it; if the hub cannot be reached and the cache
            does not have the files; if `huggingface_hub` is not installed.
    """
    hub = _package("huggingface_hub")
    with _of_the_hub(hub, repo):
        # 1. Its config.json says which files belong to it. What the branch is now, it is for all of them.
        options: dict[str, Any] = {"token": token, "cache_dir": cache_dir}
        folder = Path(hub.snapshot_download(repo, revision=revision, allow_patterns=[CONFIG], **options))
        if not (folder / CONFIG).is_file():
            raise InputError(f"{repo}: expected a model, found no {CONFIG} in this repository")
    model = ModelDescription.read(folder)
    # 2. The others.
    names = [VOCABULARY, FROZEN, *(NETWORK.format(number) for number in range(1, model.networks + 1))]
    names += [f"{name}/*" for name in model.folders.values()]
    with _of_the_hub(hub, repo):
        return Path(hub.snapshot_download(repo, revision=folder.name, allow_patterns=[CONFIG, *names], **options))


def upload(  # noqa: PLR0913  (see `Tagger.push_to_hub`)
    tagger: Tagger,
    repo: str,
    *,
    private: bool | None,
    token: str | bool | None,
    commit_message: str,
    quantize: bool,
    licence: str | None,
    language: str | Sequence[str] | None,
    datasets: Sequence[str],
) -> str:
    """Write a tagger and its card into a repository of the hub, in one commit; see `Tagger.push_to_hub`.

    Returns:
        The address of the repository.
    """
    hub = _package("huggingface_hub")
    api = hub.HfApi(token=token)
    with TemporaryDirectory() as temporary, _of_the_hub(hub, repo):
        # 1. The files of the model, as `save` writes them.
        folder = Path(temporary) / "model"
        tagger.save(folder, quantize=quantize)
        # 2. The repository, made if it does not exist; its name has its owner, who may be left out.
        made = api.create_repo(repo, private=private, exist_ok=True)
        # 3. The card.
        card = hub.ModelCard(_card_of(tagger, made.repo_id), ignore_metadata_errors=True)
        known = {"license": licence, "language": language, "datasets": [*datasets] or None}
        for key, value in [*HUB_FIELDS.items(), *((key, value) for key, value in known.items() if value is not None)]:
            if key in known or getattr(card.data, key) is None:
                setattr(card.data, key, value)
        card.text = card.text if licence is None else card.text.replace(LICENCE, licence)
        (folder / CARD).write_text(str(card), encoding="utf-8")
        if missing := [line for line in card.text.splitlines() if line.startswith("TODO")]:
            _log.warning("%s: the card is not complete: %s", made.repo_id, "; ".join(missing))
        # 4. One commit, which also removes what only a model that was there before had.
        files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        old = {name for name in api.list_repo_files(made.repo_id) if _OF_A_MODEL.fullmatch(name)}
        changes = [hub.CommitOperationDelete(name) for name in sorted(old - files.keys())]
        changes += [hub.CommitOperationAdd(name, path) for name, path in sorted(files.items())]
        api.create_commit(made.repo_id, changes, commit_message=commit_message)
    return str(made)


def _card_of(tagger: Tagger, repo: str) -> str:
    """The card in the directory that the tagger is from, or a new one, which says how it is loaded from the hub."""
    name = repo.rpartition("/")[2]
    own = None if tagger.directory is None else tagger.directory / CARD
    if own is not None and own.is_file():
        text = own.read_text(encoding="utf-8")
        name = own.resolve().parent.name
    else:
        text = bare_card(name, tagger.labels, tagger.model.config.token_unit)
    return text.replace(USE.format(name=name), f"Tagger.from_pretrained({repo!r})")


def _package(name: str) -> Any:
    """A package of the extra `huggingface`.

    Raises:
        InputError: If it is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise InputError(f"this needs the package {name}: pip install 'ner-lstm-crf[huggingface]'") from error


@contextmanager
def _of_the_hub(hub: Any, repo: str) -> Iterator[None]:
    """What goes wrong with the hub within this context as one line about the repository.

    Raises:
        InputError: If it does.
    """
    errors = hub.errors
    try:
        yield
    except InputError:
        raise
    except errors.RevisionNotFoundError as error:
        raise InputError(f"{repo}: expected a branch, tag or commit of this repository, found no such") from error
    except errors.RepositoryNotFoundError as error:  # also a private one, and one whose conditions are not accepted
        message = f"{repo}: found no such repository, or one that is closed: `hf auth login` or token='...' opens it"
        raise InputError(message) from error
    except (OSError, ValueError, RuntimeError, errors.HTTPError) as error:
        raise InputError(f"{repo}: {' '.join(str(error).split()):.300}") from error
