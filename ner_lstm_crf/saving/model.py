"""A model: configuration, token features, tags and networks, and its directory on disk. Nothing is ever pickled.

    config.json                  the configuration, the labels, and a digest of the contents of all files
    vocabulary.json              the vocabulary of each token feature: words, characters, the words of a lexicon
    frozen.safetensors           the frozen vectors of features, which all networks read
    network-1.safetensors        the weights of the first network; the others are network-2, network-3, ...
    transformer-0123456789ab/    the files of a transformer, if there is one (see `save_folder`)

A new model takes the place of the old one by a single rename (see `write_together`), so that a full disk or a kill
leaves one of the two, whole.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Container, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ner_lstm_crf.config import ModelConfig, check_tables
from ner_lstm_crf.errors import InputError, missing
from ner_lstm_crf.features.batch import RaggedSentences
from ner_lstm_crf.features.registry import FEATURES, Features
from ner_lstm_crf.features.token_feature import Resources, TokenFeature
from ner_lstm_crf.features.vectors import Vectors
from ner_lstm_crf.files.atomic import Content, located, make_directory, remove_together, seal, write_together
from ner_lstm_crf.files.json import json_text, parse_json
from ner_lstm_crf.files.text import read_text
from ner_lstm_crf.isolation import computing, explicit
from ner_lstm_crf.model.network import Network
from ner_lstm_crf.saving.tensors import dequantized, quantized, read_tensors, save_tensors
from ner_lstm_crf.tags.scheme import get_scheme
from ner_lstm_crf.tags.tag_set import TagSet
from ner_lstm_crf.text.annotation import Sentence
from ner_lstm_crf.text.tokenizer import detect_hyphens

FORMAT, VERSION = "ner_lstm_crf", 1
CONFIG, VOCABULARY, FROZEN = "config.json", "vocabulary.json", "frozen.safetensors"
NETWORK = "network-{}.safetensors"

SHIPPED = ("en", "zh")
"""The names of the taggers that come with the package: English and Chinese. `scripts/train_shipped.py` makes them."""

_SHIPPED_FOLDER = Path(__file__).parents[1] / "shipped"
_NAME = re.compile(r"[a-z]+-[0-9a-f]{12}")  # of the folder of a feature
_TEMPORARY = ".folder.new"


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """The parts of a tagger: configuration, token features, tags and networks.

    Several networks that were trained apart on the same data tag together; one network is an ensemble of one.

    Attributes:
        config: The configuration of the networks.
        features: The token features: strings become ids.
        tags: The tags.
        networks: The networks, one or more: ids become scores of tags.
    """

    config: ModelConfig
    features: Features
    tags: TagSet
    networks: tuple[Network, ...]

    @classmethod
    @computing()
    def build(
        cls,
        sentences: Sequence[Sentence],
        config: ModelConfig,
        *,
        vectors: Vectors | None = None,
        lexicon: Mapping[str, str] | None = None,
        freeze_vectors: bool = False,
        seed: int = 1,
    ) -> Model:
        """A new model for the words and labels of training data, of one network.

        Args:
            sentences: The training data.
            config: The configuration; `word_size` gives way to the size of the vectors.
            vectors: Pretrained word vectors.
            lexicon: Words to find in the text, whose tokens have to be characters, each with its category, "" for none;
                None for no lexicon.
            freeze_vectors: True if the pretrained vectors of training words stay as they are.
            seed: Seed of the first weights.

        Raises:
            InputError: If a lexicon is given that the model would not use.
        """
        words = [sentence.words for sentence in sentences]
        if vectors is not None:
            config = replace(config, word_size=vectors.size)
        if config.hyphens == "auto":
            config = replace(config, hyphens=detect_hyphens(chain.from_iterable(words)))
        features = Features.build(Resources(config, words, vectors, freeze_vectors, lexicon))
        tags = TagSet(get_scheme(config.scheme), sorted({span.label for one in sentences for span in one.spans}))
        return cls(config, features, tags, (new_network(config, features, tags, seed),))

    @classmethod
    @computing()
    def ensemble(cls, models: Sequence[Model]) -> Model:
        """The networks of several models as one model.

        Raises:
            ValueError: If there are none, or they were not trained on the same data with the same configuration, or
                each has a fine-tuned transformer of its own.
        """
        if not models:
            raise ValueError("expected at least one model, got none")
        first, *others = models
        vocabularies = first.features.to_json()
        for other in others:
            alike = (first.config, first.tags.labels) == (other.config, other.tags.labels)
            if not alike or vocabularies != other.features.to_json():
                raise ValueError("expected networks for the same words and tags, got others")
            for name, feature in other.features.items():
                if feature.files_change:
                    raise ValueError(f"expected networks with a frozen {name}, got one that is trained")
                shared = first.features[name].frozen
                if shared is None or feature.frozen is None or shared is feature.frozen:
                    continue
                if not torch.equal(shared, feature.frozen):
                    raise ValueError("expected networks with the same frozen vectors, got others")
                for network in other.networks:  # in memory once
                    network.embedding.tables[name].frozen = shared
        return replace(first, networks=tuple(chain.from_iterable(model.networks for model in models)))

    @computing()
    def encode(
        self, sentences: Sequence[Sentence], *, gold: bool = False, computed: Mapping[str, Any] | None = None
    ) -> RaggedSentences:
        """Sentences as ids.

        Args:
            sentences: The sentences.
            gold: True to encode the tags of their spans too.
            computed: See `Features.encode`.

        Raises:
            ValueError: If a span's label is not among the labels.
        """
        words = [sentence.words for sentence in sentences]
        encoded = self.features.encode(list(chain.from_iterable(words)), list(map(len, words)), computed=computed)
        if gold:
            tags = [self.tags.encode(sentence.spans, len(sentence.tokens)) for sentence in sentences]
            encoded.tags = np.concatenate([np.zeros(0, np.int64), *tags])
        return encoded

    @classmethod
    @computing()
    def load(cls, source: str | Path) -> Model:
        """The model in a directory.

        Args:
            source: The directory; or "en" or "zh", a tagger that comes with the package.

        Raises:
            InputError: If there is none, or it is damaged, or was written by another version.
        """
        # 1. Read all files, and check that they belong together.
        directory = model_directory(source)
        description = ModelDescription.read(directory)
        vocabulary = read_text(located(directory, VOCABULARY))
        names = [FROZEN, *(NETWORK.format(number) for number in range(1, description.networks + 1))]
        frozen, *weights = ({**read_tensors(located(directory, name))[0]} for name in names)
        if description.digest != _digest(description.content, vocabulary, [frozen, *weights]):
            raise InputError("the model is damaged: its files do not belong together or have changed", path=directory)
        # 2. Make what the networks share.
        config = description.config
        folders = {name: check_folder(directory, folder) for name, folder in description.folders.items()}
        vectors = {name.removesuffix(".frozen"): tensor for name, tensor in dequantized(frozen).items()}
        features = Features.load(config, json.loads(vocabulary), vectors, folders)
        tags = TagSet(get_scheme(config.scheme), description.labels)
        # 3. Make the networks.
        networks = []
        for name, tensors in zip(names[1:], weights, strict=True):
            network = new_network(config, features, tags, None)
            try:
                network.load_state_dict(dequantized(tensors))
            except RuntimeError as error:  # a name or a shape differs
                reason = str(error).splitlines()[-1].strip()
                message = f"the weights do not fit the configuration: {reason}"
                raise InputError(message, path=directory / name) from error
            networks.append(network.eval())
        return cls(config, features, tags, tuple(networks))

    @computing()
    def save(self, directory: str | Path, *, quantize: bool = False) -> None:
        """Write the model into a directory, in place of the one that may be there.

        Args:
            directory: The directory, made if it does not exist.
            quantize: True to round vectors of tables to 8 bits and other weights to 16: a quarter of the space. Files
                of features, such as a transformer's, are written as they are.

        Raises:
            InputError: If it cannot be written, or a weight is too large to be rounded; the old model is unharmed.
        """
        # 1. Turn everything into tensors and text.
        frozen = {f"{name}.frozen": one.frozen for name, one in self.features.items() if one.frozen is not None}
        weights = [frozen]
        for network in self.networks:
            weights.append({name: one.detach().contiguous() for name, one in sorted(network.state_dict().items())})
        if quantize:
            weights = [quantized(tensors) for tensors in weights]
        vocabulary = json_text(self.features.to_json(), compact=True) + "\n"
        directory = Path(directory)
        make_directory(directory)
        folders = {name: save_folder(one, directory) for name, one in self.features.items() if one.writes_files}
        content = {
            "format": FORMAT,
            "version": VERSION,
            "labels": list(self.tags.labels),
            "networks": len(self.networks),
            "folders": folders,
            "model": {name: value for name, value in asdict(self.config).items() if value is not None},
        }
        content["digest"] = _digest(json_text(content), vocabulary, weights)
        # 2. Write the files, except those that do not change from epoch to epoch: the vectors of 400,000 words.
        files: dict[str, Content] = {CONFIG: json_text(content, indent=2) + "\n", VOCABULARY: vocabulary}
        for number, tensors in enumerate(weights):
            files[NETWORK.format(number) if number else FROZEN] = partial(save_tensors, tensors=tensors, metadata={})
        with suppress(InputError):
            if read_text(located(directory, VOCABULARY)) == vocabulary:
                del files[VOCABULARY]
        with suppress(InputError):
            old, _ = read_tensors(located(directory, FROZEN))
            alike = old.keys() == weights[0].keys() and all(
                one.dtype == weights[0][name].dtype for name, one in old.items()
            )
            if alike and all(torch.equal(one, weights[0][name]) for name, one in old.items()):
                del files[FROZEN]
        write_together(directory, files)
        # 3. Remove files that only the old model had.
        remove_together(directory, {path.name for path in directory.glob(NETWORK.format("[0-9]*"))} - files.keys())
        remove_other_folders(directory, folders.values(), FEATURES)


def new_network(config: ModelConfig, features: Features, tags: TagSet, seed: int | None) -> Network:
    """A network of this configuration for these features and tags.

    Args:
        config: The configuration.
        features: The token features.
        tags: The tags.
        seed: Seed of its first weights; None if saved ones will take their place.
    """
    initialise = seed is not None
    start, transitions, end = map(torch.from_numpy, tags.allowed_transitions())
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    with explicit(generator):
        embedding = features.embedding(config, initialise=initialise)
        return Network.build(config, embedding, (start, transitions, end), initialise=initialise)


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """The config.json of a model, read without a look at its weights.

    Attributes:
        config: The configuration.
        labels: The labels.
        networks: The number of networks.
        folders: The folder of each feature that has files of its own, by the name of the feature.
        digest: SHA-256 of all that the model consists of.
        content: All of this but the digest, as JSON.
    """

    config: ModelConfig
    labels: tuple[str, ...]
    networks: int
    folders: Mapping[str, str]
    digest: str
    content: str

    @classmethod
    def read(cls, directory: Path) -> ModelDescription:
        """The description of the model in a directory.

        Raises:
            InputError: If there is none, or it is damaged, or was written by another version.
        """
        path = directory / CONFIG
        content = parse_json(read_text(located(directory, CONFIG)), path)
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise InputError(f"expected the configuration of a model with format '{FORMAT}'", path=path)
        if content.get("version") != VERSION:
            found = f"the model has format version {content.get('version')}, this release reads version {VERSION}"
            raise InputError(f"{found}: install the release that wrote it", path=path)
        digest = content.pop("digest", None)
        types = {"labels": list, "networks": int, "folders": dict, "model": dict}
        if not all(isinstance(content.get(name), kind) for name, kind in types.items()) or content["networks"] < 1:
            raise InputError(f"the model is damaged: expected {', '.join(types)}", path=path)
        return cls(
            config=ModelConfig(**check_tables({"model": content["model"]}, path)["model"]),
            labels=tuple(content["labels"]),
            networks=content["networks"],
            folders=content["folders"],
            digest=str(digest),
            content=json_text(content),
        )


def model_directory(source: str | Path) -> Path:
    """The directory of a model: of a tagger that comes with the package ("en", "zh"), or the path itself ("./en").

    Raises:
        InputError: If there is no such directory.
    """
    if source in SHIPPED:
        return _SHIPPED_FOLDER / str(source)
    directory = Path(source)
    if not directory.is_dir():
        taggers = " or ".join(f"'{shipped}'" for shipped in SHIPPED)
        found = "found a file" if directory.exists() else "found no such directory"
        raise missing(source, f"expected the directory of a model, or {taggers}: {found}")
    return directory


def is_model(directory: Path) -> bool:
    """True if the directory holds a model."""
    return any(located(directory, name).exists() for name in (CONFIG, NETWORK.format(1)))


def _digest(content: str, vocabulary: str, weights: Sequence[Mapping[str, Tensor]]) -> str:
    """SHA-256 of config.json without the digest, of vocabulary.json, and of the tensors of each file."""
    digest = hashlib.sha256(content.encode() + b"\0" + vocabulary.encode())
    for tensors in weights:
        for name in sorted(tensors):
            digest.update(f"\0{name}\0{tensors[name].dtype}\0{tuple(tensors[name].shape)}\0".encode())
            digest.update(tensors[name].contiguous().view(-1).view(torch.uint8).numpy().data)
        digest.update(b"\0\0")
    return digest.hexdigest()


def save_folder(feature: TokenFeature, directory: Path) -> str:
    """Write the files of a feature into the directory of a model, unless they are there.

    Returns:
        The name of their folder.

    Raises:
        InputError: If they cannot be written.
    """
    name = feature.saved_as
    if name is not None and _is_whole(directory / name):
        return name
    temporary = directory / _TEMPORARY
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir()
        feature.write_files(temporary)
        seal(*_files(temporary))
        name = f"{feature.name}-{folder_digest(temporary)}"
        if not _is_whole(directory / name):
            shutil.rmtree(directory / name, ignore_errors=True)
            temporary.rename(directory / name)
    except Exception as error:  # on a full disk transformers, tokenizers and safetensors each raise their own
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        message = f"the files of the {feature.name} could not be written, the old model is unharmed: {reason}"
        raise InputError(message, path=directory) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    if not feature.files_change:
        feature.saved_as = name
    return name


def check_folder(directory: Path, name: object) -> Path:
    """The folder of that name in the directory of a model.

    Raises:
        InputError: If it is missing, or its files are not those that were written.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InputError(f"the model is damaged: expected the name of a folder, found {name!r}", path=directory)
    folder = directory / name
    if not folder.is_dir():
        raise InputError("expected the files of a model, but this folder is missing", path=folder)
    if not _is_whole(folder):
        raise InputError("the model is damaged: files in this folder have changed", path=folder)
    return folder


def remove_other_folders(directory: Path, names: Container[str], features: Container[str]) -> None:
    """Remove the folders of such features that the model in the directory does not have any more: all but `names`."""
    for folder in directory.iterdir():
        if _NAME.fullmatch(folder.name) and folder.name not in names and folder.name.split("-")[0] in features:
            shutil.rmtree(folder, ignore_errors=True)  # what cannot be removed does no harm


def folder_digest(folder: Path) -> str:
    """SHA-256 of the names and contents of the files in a folder, cut to 12 digits; hidden files do not count.

    Raises:
        OSError: If one cannot be read.
    """
    digest = hashlib.sha256()
    for path in _files(folder):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return digest.hexdigest()[:12]


def _is_whole(folder: Path) -> bool:
    """True if the folder exists with the files that its name stands for."""
    try:
        return folder.is_dir() and folder.name.endswith(f"-{folder_digest(folder)}")
    except OSError:
        return False


def _files(folder: Path) -> list[Path]:
    """All files but hidden ones, which file managers leave behind."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
