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
import logging
import os
import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from ner_lstm_crf.config import Device, ModelConfig, check_tables
from ner_lstm_crf.errors import InputError, counted, missing
from ner_lstm_crf.features.batch import MOST_TOKENS, RaggedSentences
from ner_lstm_crf.features.registry import FEATURES, Features
from ner_lstm_crf.features.token_feature import Resources
from ner_lstm_crf.features.transformer.feature import Transformer
from ner_lstm_crf.features.vectors import Vectors
from ner_lstm_crf.features.vocabulary import is_list_of
from ner_lstm_crf.files.atomic import (
    Content,
    is_present,
    located,
    make_directory,
    open_together,
    remove_together,
    write_together,
)
from ner_lstm_crf.files.json import json_text, parse_json
from ner_lstm_crf.files.saved import saved_text
from ner_lstm_crf.isolation import computing
from ner_lstm_crf.saving.feature_folders import check_folder, remove_other_folders, save_folder
from ner_lstm_crf.saving.networks import LoadedNetworks, check_weights, new_network
from ner_lstm_crf.saving.tensors import Array, TensorFile, digest_parts, save_tensors
from ner_lstm_crf.saving.weights import Weights, quantized
from ner_lstm_crf.tags.scheme import get_scheme
from ner_lstm_crf.tags.tag_set import TagSet
from ner_lstm_crf.text.annotation import Sentence, tell_of_spaces
from ner_lstm_crf.text.normalization import normalized_words
from ner_lstm_crf.text.tokenizer import detect_hyphens

if TYPE_CHECKING:
    from ner_lstm_crf.model.network import Network

_log = logging.getLogger(__name__)

FORMAT, VERSION = "ner_lstm_crf", 1
CONFIG, VOCABULARY, FROZEN = "config.json", "vocabulary.json", "frozen.safetensors"
NETWORK = "network-{}.safetensors"

MIN_TEMPERATURE, MAX_TEMPERATURE = 0.01, 100.0
"""The temperature of a model lies between these, lest scores overflow or forbidden transitions become probable."""

SHIPPED = ("en", "zh")
"""The names of the taggers that come with the package: English and Chinese. `scripts/train_shipped.py` makes them."""

_SHIPPED_FOLDER = Path(__file__).parents[1] / "shipped"
_MOST_CONFIG = 1 << 26  # bytes


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Model:
    """The parts of a tagger: configuration, token features, tags and networks.

    Several networks that were trained apart on the same data tag together; one network is an ensemble of one.

    Attributes:
        config: The configuration of the networks.
        features: The token features: strings become ids.
        tags: The tags.
        networks: The networks, one or more: ids become scores of tags. Those of a loaded model are made when they are
            first asked for; until then torch is not needed.
        temperature: What emissions and transition scores are divided by before they become probabilities; above 1 these
            are less certain. The best tags do not depend on it (Guo et al. 2017, On calibration of modern neural
            networks).
    """

    config: ModelConfig
    features: Features
    tags: TagSet
    networks: Sequence[Network]
    temperature: float = 1.0

    def __repr__(self) -> str:
        size = f"{counted(len(self.networks), 'network')} of {self.config.hidden_size} units"
        return f"<Model: {', '.join(self.tags.labels)} over {self.config.token_unit}s, {size}>"

    @property
    def weights(self) -> tuple[Mapping[str, Array], ...]:
        """The weights of each network by name, in float32: as they were read, or those of its networks now."""
        if isinstance(self.networks, LoadedNetworks) and (read := self.networks.weights) is not None:
            return read
        states = (network.state_dict() for network in self.networks)
        return tuple({name: weight.numpy(force=True) for name, weight in state.items()} for state in states)

    @computing()
    def move(self, device: Device) -> None:
        """Let the networks compute on a device from now on. Nothing else of the model depends on it.

        Raises:
            InputError: If torch finds no such device on this machine.
        """
        if device == "cpu" and isinstance(self.networks, LoadedNetworks) and self.networks.weights is not None:
            return  # where they will be made
        from ner_lstm_crf.model.device import usable_device

        target, first = usable_device(device), self.networks[0]
        for network in self.networks:
            if network.projection.weight.device.type != target.type:
                network.to(target)
                network.embedding.share_frozen(first.embedding)

    @classmethod
    @computing()
    def build(  # noqa: PLR0913  (one call)
        cls,
        sentences: Sequence[Sentence],
        config: ModelConfig,
        *,
        vectors: Vectors | None = None,
        lexicon: Mapping[str, str] | None = None,
        lexicon_vectors: Vectors | None = None,
        names: Collection[tuple[str, str]] | None = None,
        freeze_vectors: bool = False,
        seed: int = 1,
    ) -> Model:
        """A new model for the words and labels of training data, of one network.

        Args:
            sentences: The training data.
            config: The configuration; `word_size` and `lexicon_size` give way to the sizes of the vectors.
            vectors: Pretrained word vectors.
            lexicon: Words to find in the text, whose tokens have to be characters, each with its category, "" for none;
                None for no lexicon.
            lexicon_vectors: Pretrained vectors of words of the lexicon.
            names: Names to find in the text, whose tokens have to be words, each with its list; None for none.
            freeze_vectors: True if the pretrained vectors of training words stay as they are.
            seed: Seed of the first weights.

        Raises:
            InputError: If a lexicon or names are given that the model would not use.
        """
        words = [normalized_words(sentence.words) for sentence in sentences]
        if vectors is not None:
            config = replace(config, word_size=vectors.size)
        if config.lexicon_size and lexicon_vectors is not None:
            config = replace(config, lexicon_size=lexicon_vectors.size)
        if config.hyphens == "auto":
            config = replace(config, hyphens=detect_hyphens(chain.from_iterable(words)))
        touching = config.transformer is not None and tell_of_spaces(sentences)
        resources = Resources(config, words, vectors, freeze_vectors, lexicon, lexicon_vectors, touching, names)
        features = Features.build(resources)
        tags = TagSet(get_scheme(config.scheme), sorted(set().union(*(one.labels for one in sentences))))
        return cls(config, features, tags, (new_network(config, features, tags, seed),))

    @classmethod
    @computing()
    def ensemble(cls, models: Sequence[Model]) -> Model:
        """The networks of several models as one model, whose temperature is 1 until it is fitted.

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
                if not np.array_equal(shared, feature.frozen):
                    raise ValueError("expected networks with the same frozen vectors, got others")
            for network in other.networks:  # in memory once
                network.embedding.share_frozen(first.networks[0].embedding)
        networks = tuple(chain.from_iterable(model.networks for model in models))
        return replace(first, networks=networks, temperature=1.0)

    @computing()
    def encode(
        self, sentences: Sequence[Sentence], *, gold: bool = False, computed: Mapping[str, Any] | None = None
    ) -> RaggedSentences:
        """Sentences as ids.

        Args:
            sentences: The sentences.
            gold: True to encode the tags of their spans too, and what unknown tokens may be, for training; a sentence
                of more than `MOST_TOKENS` is cut between its entities then.
            computed: See `Features.encode`.

        Raises:
            ValueError: If a span's label is not among the labels.
        """
        if gold:
            sentences = list(chain.from_iterable(one.pieces(MOST_TOKENS) for one in sentences))
        words = [sentence.words for sentence in sentences]
        reads_touching = self.features.reads_touching
        touching = [touches for one in sentences for touches in one.touching] if reads_touching else ()
        encoded = self.features.encode(
            list(chain.from_iterable(words)), list(map(len, words)), computed=computed, touching=touching
        )
        if gold:
            tags = [self.tags.encode(sentence.spans, len(sentence.tokens)) for sentence in sentences]
            encoded.tags = np.concatenate([np.zeros(0, np.int64), *tags])
            if any(sentence.unknown for sentence in sentences):
                parts = ((one.spans, one.unknown, len(one.tokens)) for one in sentences)
                encoded.allowed = np.concatenate([self.tags.allowed(*part) for part in parts])
                encoded.partly_known = np.array([bool(one.unknown) for one in sentences])
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
        directory = model_directory(source)
        while True:
            with ExitStack() as files:
                config = files.enter_context(open_together(directory, CONFIG))
                try:
                    return cls._read(directory, config, files)
                except InputError:
                    if is_present(config, directory, CONFIG):
                        raise
                # Another process has written a model meanwhile: read that.

    @classmethod
    def _read(cls, directory: Path, config_file: BinaryIO, files: ExitStack) -> Model:
        """The model that an open config.json describes; all `files` are open before the first is read."""
        # 1. Read all files, and check that they belong together.
        description = ModelDescription.parse(saved_text(config_file, directory / CONFIG, most=_MOST_CONFIG), directory)
        names = chain([FROZEN], map(NETWORK.format, range(1, description.networks + 1)))  # of any number: one may lack
        vocabulary_file = files.enter_context(open_together(directory, VOCABULARY))
        opened = [(name, files.enter_context(open_together(directory, name))) for name in names]
        vocabulary = saved_text(vocabulary_file, directory / VOCABULARY)
        frozen, *weights = [TensorFile.open(file, directory / name).read() for name, file in opened]
        if description.digest != _digest(description.content, vocabulary, [frozen, *weights]):
            raise InputError("the model is damaged: its files do not belong together or have changed", path=directory)
        # 2. Make what the networks share.
        config = description.config
        tags = TagSet(get_scheme(config.scheme), description.labels)
        folders = {name: check_folder(directory, folder) for name, folder in description.folders.items()}
        features = _read_features(config, parse_json(vocabulary, directory / VOCABULARY), frozen, folders, directory)
        # 3. Check the weights of the networks.
        checked = []
        for (name, _), tensors in zip(opened[1:], weights, strict=True):
            try:
                usable = Weights(tensors)
                check_weights(usable, config, features, tags)
            except ValueError as error:
                message = f"the weights do not fit the configuration: {error}"
                raise InputError(message, path=directory / name) from error
            checked.append(usable)
        return cls(config, features, tags, LoadedNetworks(config, features, tags, checked), description.temperature)

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
        weights: list[Mapping[str, Array]] = [frozen]
        weights += [dict(sorted(of_network.items())) for of_network in self.weights]
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
            "temperature": self.temperature,
            "model": {name: value for name, value in asdict(self.config).items() if value is not None},
        }
        content["digest"] = _digest(json_text(content), vocabulary, weights)
        # 2. Write the files, except those that do not change from epoch to epoch: the vectors of 400,000 words.
        files: dict[str, Content] = {CONFIG: json_text(content, indent=2) + "\n", VOCABULARY: vocabulary}
        for number, tensors in enumerate(weights):
            files[NETWORK.format(number) if number else FROZEN] = partial(save_tensors, tensors=tensors, metadata={})
        with suppress(InputError), open_together(directory, VOCABULARY) as old:
            if saved_text(old, directory / VOCABULARY) == vocabulary:
                del files[VOCABULARY]
        with suppress(InputError), open_together(directory, FROZEN) as old:
            if TensorFile.open(old, directory / FROZEN).holds(weights[0]):
                del files[FROZEN]
        write_together(directory, files)
        # 3. Remove files that only the old model had; what cannot be removed does no harm.
        with suppress(OSError):
            remove_together(directory, {path.name for path in directory.glob(NETWORK.format("[0-9]*"))} - files.keys())
            remove_other_folders(directory, folders.values(), FEATURES)


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """The config.json of a model, read without a look at its weights.

    Attributes:
        config: The configuration.
        labels: The labels.
        networks: The number of networks.
        folders: The folder of each feature that has files of its own, by the name of the feature.
        temperature: The temperature of its probabilities.
        digest: SHA-256 of all that the model consists of.
        content: All of this but the digest, as JSON.
    """

    config: ModelConfig
    labels: tuple[str, ...]
    networks: int
    folders: Mapping[str, str]
    temperature: float
    digest: str
    content: str

    @classmethod
    def read(cls, directory: Path) -> ModelDescription:
        """The description of the model in a directory.

        Raises:
            InputError: If there is none, or it is damaged, or was written by another version.
        """
        with open_together(directory, CONFIG) as file:
            return cls.parse(saved_text(file, directory / CONFIG, most=_MOST_CONFIG), directory)

    @classmethod
    def parse(cls, text: str, directory: Path) -> ModelDescription:
        """The description that the text of config.json gives.

        Raises:
            InputError: If it is damaged, or was written by another version.
        """
        path = directory / CONFIG
        content = parse_json(text, path)
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise InputError(f"expected the configuration of a model with format '{FORMAT}'", path=path)
        if content.get("version") != VERSION:
            found = f"the model has format version {content.get('version')!r:.20}, this release reads version {VERSION}"
            raise InputError(f"{found}: install the release that wrote it", path=path)
        digest = content.pop("digest", None)
        types = {"labels": list, "networks": int, "folders": dict, "model": dict}
        if not all(type(content.get(name)) is kind for name, kind in types.items()) or content["networks"] < 1:
            raise InputError(f"the model is damaged: expected {', '.join(types)}", path=path)
        labels = content["labels"]
        if not is_list_of(str, labels) or len(set(labels)) != len(labels):
            raise InputError("the model is damaged: expected distinct labels", path=path)
        temperature = content.get("temperature", 1.0)
        if type(temperature) not in (int, float) or not MIN_TEMPERATURE <= temperature <= MAX_TEMPERATURE:
            limits = f"{MIN_TEMPERATURE:g} to {MAX_TEMPERATURE:g}"
            message = f"the model is damaged: expected a temperature from {limits}, found {temperature!r:.40}"
            raise InputError(message, path=path)
        return cls(
            config=ModelConfig(**check_tables({"model": content["model"]}, path)["model"]),
            labels=tuple(labels),
            networks=content["networks"],
            folders=content["folders"],
            temperature=float(temperature),
            digest=str(digest),
            content=json_text(content),
        )


def _read_features(
    config: ModelConfig, vocabulary: Any, frozen: Mapping[str, Array], folders: Mapping[str, Path], directory: Path
) -> Features:
    """The token features of a model.

    Raises:
        InputError: If their vocabulary is none, or there are other frozen vectors or folders than theirs.
    """
    try:
        read = Weights(frozen)
        vectors = {name.removesuffix(".frozen"): read.in_half(name) for name in read}
    except ValueError as error:
        raise InputError(f"the model is damaged: {error}", path=directory / FROZEN) from error
    try:
        features = Features.load(config, vocabulary, vectors, folders)
        if Transformer.name in features:
            from ner_lstm_crf.model.embedding.transformer import read_encoder

            read_encoder(features, config)
    except InputError as error:
        raise InputError(f"the model is damaged: {error.message}", path=error.path or directory / VOCABULARY) from error
    for path, found, expected in (
        (FROZEN, vectors.keys(), {name for name, one in features.items() if one.frozen is not None}),
        (CONFIG, folders.keys(), {name for name, one in features.items() if one.writes_files}),
    ):
        if found != expected:
            name = min(found ^ expected)
            part = f"{'nothing more' if name in found else 'something'} of the feature {name!r:.80}"
            raise InputError(f"the model is damaged: expected {part}", path=directory / path)
    return features


def model_directory(source: str | Path) -> Path:
    """The directory of a model: of a tagger that comes with the package ("en", "zh"), or the path itself ("./en").

    That there are both, a shipped tagger and a model in a directory of its name, is logged.

    Raises:
        TypeError: If it is no path.
        InputError: If there is no such directory.
    """
    if not isinstance(source, str | os.PathLike):
        raise TypeError(f"expected the directory of a model, or 'en' or 'zh', got {type(source).__name__}")
    directory = Path(source)
    if source in SHIPPED:
        if is_model(directory):
            _log.warning("%s: taken for the shipped tagger, the model in this directory is ./%s", source, source)
        return _SHIPPED_FOLDER / str(source)
    if not directory.is_dir():
        taggers = " or ".join(f"'{shipped}'" for shipped in SHIPPED)
        found = "found a file" if directory.exists() else "found no such directory"
        if re.fullmatch(r"[\w-]+/[\w.-]+", str(source)) and not directory.parent.exists():
            found += " (Tagger.from_pretrained fetches from the hub of Hugging Face)"
        raise missing(source, f"expected the directory of a model, or {taggers}: {found}")
    return directory


def is_model(directory: Path) -> bool:
    """True if the directory holds a model."""
    return any(located(directory, name).exists() for name in (CONFIG, NETWORK.format(1)))


def _digest(content: str, vocabulary: str, weights: Sequence[Mapping[str, Array]]) -> str:
    """SHA-256 of config.json without the digest, of vocabulary.json, and of the tensors of each file."""
    digest = hashlib.sha256(content.encode() + b"\0" + vocabulary.encode())
    for tensors in weights:
        for part in digest_parts(tensors):
            digest.update(part)
        digest.update(b"\0\0")
    return digest.hexdigest()
