"""A tagger's directory: what it is (JSON) and its weights (safetensors). Nothing is ever pickled.

    config.json                  the format's version, the shape of the network, the labels, the transformer's folder
    vocabulary.json              words, characters, pairs of characters and the words of a lexicon
    model.safetensors            the weights, with a digest of all three files' contents; those of several networks that
                                 were joined begin with members.0, members.1, ...
    transformer-0123456789ab/    the transformer's own files, where there is one (see `transformer_files`)

A new model takes the place of the old one by a single rename (see `write_together`), so that a full disk or a kill
leaves one of the two, whole.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ner_lstm_crf.config import Config, ModelConfig, merge_config
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.embedding import WordEmbedding
from ner_lstm_crf.features.vocabularies import Vocabularies
from ner_lstm_crf.files.atomic import Content, located, make_directory, remove_together, write_together
from ner_lstm_crf.files.json import json_text, parse_json
from ner_lstm_crf.files.text import read_text
from ner_lstm_crf.model.ensemble import Ensemble
from ner_lstm_crf.saving.model import Model, featurizer_for, network_for, transformer_for
from ner_lstm_crf.saving.quantize import compacted, expanded
from ner_lstm_crf.saving.tensors import read_tensors, save_tensors
from ner_lstm_crf.saving.transformer_files import (
    check_transformer,
    remember_transformer,
    remove_other_transformers,
    save_transformer,
)

__all__ = ["copy_model", "is_model", "load_model", "model_config", "model_digest", "remove_model", "save_model"]

FORMAT, VERSION = "ner_lstm_crf", 5
CONFIG, VOCABULARY, WEIGHTS = "config.json", "vocabulary.json", "model.safetensors"
# What a model of an older version has that does not say it.
_FIRST = {"bigram_size": 0, "residual": False}
_BEFORE: Mapping[int, dict[str, Any]] = {1: _FIRST, 2: _FIRST, 3: {}, 4: {}, 5: {}}
_WITHOUT_LEXICON = 2  # the version of a model without a lexicon, whose files have changed since in nothing else
_WITH_LEXICON = 4  # that of one with a lexicon; where several networks were joined, it is the newest
_CATEGORIES_SINCE = 3  # the version from which the words of a lexicon have categories
_TRANSFORMER_WEIGHTS = "embedding.contextual.transformer."
_RESERVE = "embedding.word.reserve"


def is_model(directory: Path) -> bool:
    """Whether the directory holds a model."""
    return any(located(directory, name).exists() for name in (CONFIG, WEIGHTS))


def save_model(model: Model, directory: Path, *, compact: bool = False) -> None:
    """Write a tagger into the directory, in place of the one that may be there.

    Args:
        model: The tagger.
        directory: Where to.
        compact: Whether its weights are rounded to take a quarter of the space (see `compact`).

    Raises:
        InputError: If it cannot be written, or a weight is too large to be rounded; what was there is unharmed.
    """
    tensors = compacted(_weights(model)) if compact else _weights(model)
    make_directory(directory)
    transformer = _save_transformer(model, directory)
    config = _config_text(model, transformer)
    vocabulary = _vocabulary_text(model)
    files: dict[str, Content] = {
        CONFIG: config,
        WEIGHTS: partial(save_tensors, tensors=tensors, metadata={"digest": _digest(config, vocabulary, tensors)}),
    }
    if not _holds(directory, VOCABULARY, vocabulary):  # of 400,000 words, and the same in each epoch
        files[VOCABULARY] = vocabulary
    write_together(directory, files)
    remove_other_transformers(directory, transformer)


def remove_model(directory: Path) -> None:
    """Remove the files of the model in the directory, if there is one; what cannot be removed does no harm."""
    remove_together(directory, (CONFIG, VOCABULARY, WEIGHTS))
    remove_other_transformers(directory, None)


def copy_model(source: Path, target: Path) -> None:
    """Write the model of one directory into another, in place of the one that may be there.

    Raises:
        InputError: If there is none, or it is damaged, or cannot be written.
    """
    save_model(load_model(source), target)


def load_model(directory: str | Path) -> Model:
    """The tagger in the directory.

    Raises:
        InputError: If there is none, or it is damaged, or was written by a newer version.
    """
    folder = Path(directory)
    if not folder.is_dir():
        raise InputError("expected the directory of a model, found no such directory", path=folder)
    config_text, vocabulary_text = (read_text(located(folder, name)) for name in (CONFIG, VOCABULARY))
    description = _description(folder / CONFIG, config_text)
    tensors, metadata = read_tensors(located(folder, WEIGHTS))
    if metadata.get("digest") != _digest(config_text, vocabulary_text, tensors):
        raise InputError("the model is damaged: its files do not belong together or have changed", path=folder)
    tensors = expanded(tensors)
    config = _config(folder / CONFIG, description)
    source = None if config.transformer is None else check_transformer(folder, description.get("transformer_files"))
    vocabularies = json.loads(vocabulary_text)
    if "lexicon" in vocabularies and description["version"] < _CATEGORIES_SINCE:
        raise InputError("this model looks for words as an older release did: train it again", path=folder)
    featurizer = featurizer_for(config, Vocabularies.from_json(vocabularies), description["labels"], source)
    transformer = transformer_for(config, source)
    if transformer is not None and source is not None:
        remember_transformer(transformer, source.name)
    networks = []
    for own in _by_member(tensors, _members(folder / CONFIG, description), folder / WEIGHTS):
        word = WordEmbedding(own["embedding.word.trained"], own[_RESERVE])
        network = network_for(config, featurizer, word, transformer, initialise=False)
        _load_weights(network, own, folder / WEIGHTS)
        networks.append(network)
    return Model(config, featurizer, (Ensemble(networks) if len(networks) > 1 else networks[0]).eval())


def model_config(directory: Path) -> tuple[ModelConfig, int]:
    """The shape of the model in the directory and the number of its networks, without a look at its weights.

    Raises:
        InputError: If there is none, or its configuration is damaged, or was written by a newer version.
    """
    path = directory / CONFIG
    description = _description(path, read_text(located(directory, CONFIG)))
    return _config(path, description), _members(path, description)


def model_digest(directory: Path) -> str:
    """What tells the model in the directory from any other.

    Raises:
        InputError: If there is none, or it is damaged.
    """
    return read_tensors(located(directory, WEIGHTS))[1].get("digest", "")


def _config(path: Path, description: Mapping[str, Any]) -> ModelConfig:
    """The shape that `config.json` describes."""
    old = {"unit": "token_unit", "compounds": "hyphens"}
    described = {old.get(name, name): value for name, value in description["model"].items()}
    shape = _BEFORE[description["version"]] | described
    return merge_config(Config(), {"model": shape}, path=path).model


def _config_text(model: Model, transformer: str | None) -> str:
    members = len(model.network.members)
    description = {
        "format": FORMAT,
        "version": _version(model),
        "labels": list(model.featurizer.labels),
        "model": asdict(model.config),
        "transformer_files": transformer,
        **({"members": members} if members > 1 else {}),
    }
    return json_text(description, indent=2) + "\n"


def _version(model: Model) -> int:
    """The oldest version whose files are of this form; a release that lacks a setting of the model says so."""
    if len(model.network.members) > 1:
        return VERSION
    return _WITHOUT_LEXICON if model.featurizer.vocabularies.lexicon is None else _WITH_LEXICON


def _vocabulary_text(model: Model) -> str:
    vocabularies = model.featurizer.vocabularies.to_json()
    return json_text(vocabularies, compact=True) + "\n"


def _holds(directory: Path, name: str, text: str) -> bool:
    """Whether the file in the directory has this text already."""
    try:
        return read_text(located(directory, name)) == text
    except InputError:
        return False


def _weights(model: Model) -> dict[str, Tensor]:
    """All weights but the transformer's, which lie in its own folder; what members have in common is the first's."""
    members = model.network.members
    tensors: dict[str, Tensor] = {}
    for number, member in enumerate(members):
        prefix = _prefix(number, len(members))
        for name, tensor in sorted(member.state_dict().items()):
            if not name.startswith(_TRANSFORMER_WEIGHTS) and (number == 0 or name != _RESERVE):
                tensors[prefix + name] = tensor.detach().contiguous()
    return tensors


def _by_member(tensors: Mapping[str, Tensor], members: int, path: Path) -> Iterator[dict[str, Tensor]]:
    """The weights of each member, under the names of a single network; the opposite of `_weights`."""
    for number in range(members):
        prefix = _prefix(number, members)
        own = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
        common = _prefix(0, members) + _RESERVE
        if "embedding.word.trained" not in own or common not in tensors:
            raise InputError(
                f"the weights do not fit the configuration: expected {members} networks, found none at '{prefix}'",
                path=path,
            )
        yield {_RESERVE: tensors[common], **own}


def _prefix(number: int, members: int) -> str:
    """What the names of a member's weights begin with."""
    return f"members.{number}." if members > 1 else ""


def _members(path: Path, description: Mapping[str, Any]) -> int:
    """How many networks were joined, as `config.json` says."""
    members = description.get("members", 1)
    if not isinstance(members, int) or members < 1:
        raise InputError(f"the model is damaged: expected the number of its networks, found {members!r}", path=path)
    return members


def _load_weights(network: torch.nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    try:
        missing, unexpected = network.load_state_dict(tensors, strict=False)
    except RuntimeError as error:  # a shape differs
        raise InputError(
            f"the weights do not fit the configuration: {str(error).splitlines()[-1].strip()}", path=path
        ) from error
    missing = [name for name in missing if not name.startswith(_TRANSFORMER_WEIGHTS)]
    if missing or unexpected:
        raise InputError(f"the weights do not fit the configuration: {(missing + unexpected)[0]}", path=path)


def _save_transformer(model: Model, directory: Path) -> str | None:
    """Write the transformer's files, where there is one; returns the name of their folder."""
    contextual, subtokenizer = model.network.members[0].embedding.contextual, model.featurizer.subtokenizer
    if contextual is None or subtokenizer is None:
        return None
    return save_transformer(contextual.transformer, subtokenizer, directory)


def _description(path: Path, text: str) -> dict[str, Any]:
    """The contents of `config.json`, checked for format and version."""
    description = parse_json(text, path)
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise InputError(f"expected the configuration of a model with format '{FORMAT}'", path=path)
    version = description.get("version")
    if not isinstance(version, int) or not 1 <= version <= VERSION:
        raise InputError(
            f"the model has format version {version}, this release reads up to {VERSION}: install a newer release",
            path=path,
        )
    if not isinstance(description.get("labels"), list) or not isinstance(description.get("model"), dict):
        raise InputError("the model is damaged: expected 'labels' and 'model'", path=path)
    return description


def _digest(config: str, vocabulary: str, tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of all that a model consists of."""
    digest = hashlib.sha256(config.encode() + b"\0" + vocabulary.encode())
    for name in sorted(tensors):
        digest.update(f"\0{name}\0{tensors[name].dtype}\0{tuple(tensors[name].shape)}\0".encode())
        digest.update(tensors[name].contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
