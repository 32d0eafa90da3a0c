"""The base classes of token features: strings become ids, ids become vectors.

A feature is two classes in one file:

    class Words(TypeFeature)         strings -> ids     one object for a model; its networks share it
    class WordVectors(TypeModule)    ids -> vectors     a part of each network, made by `Words.module`

There are two kinds. A *type feature* depends on the word alone: its ids are computed once for each distinct word, and
in tagging so are its vectors. A *context feature* depends on the sentence: it has ids for each token.

A new feature is a file like these and a line in `registry.FEATURES`; docs/architecture.md has an example.

Letters: W distinct words, S sentences, N tokens of all of them, B sentences of a batch, T tokens of the longest, D size
of a vector.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.features.vectors import Vectors

Ids: TypeAlias = NDArray[np.int64]
"""Whole numbers: ids, rows, lengths."""


@dataclass(frozen=True)
class Resources:
    """The material that features are built from.

    Attributes:
        config: The configuration of the model.
        sentences: The tokens of each training sentence.
        vectors: Pretrained word vectors; None for none.
        freeze_vectors: True if the vectors of training words that are pretrained stay as they are.
        lexicon: Words to find in the text, each with its category, "" for none; None for no lexicon.
    """

    config: ModelConfig
    sentences: Sequence[Sequence[str]]
    vectors: Vectors | None = None
    freeze_vectors: bool = False
    lexicon: Mapping[str, str] | None = None

    @cached_property
    def counts(self) -> Counter[str]:
        """The number of occurrences of each word in the training sentences."""
        return Counter(word for words in self.sentences for word in words)


@dataclass(frozen=True, slots=True)
class SavedFeature:
    """One feature as the directory of a model holds it.

    Attributes:
        config: The configuration of the model.
        value: The result of `TokenFeature.to_json`.
        frozen: `TokenFeature.frozen`; None if the feature has none.
        folder: The folder that `TokenFeature.write_files` wrote; None if the feature writes none.
    """

    config: ModelConfig
    value: Any
    frozen: Tensor | None = None
    folder: Path | None = None


class TokenFeature(ABC):
    """One feature of tokens, as strings and ids.

    Attributes:
        name: Its name in batches, in vocabulary.json and in the weights of a network.
        frozen: Vectors that all networks read and training leaves alone (R, D); None without such.
        writes_files: True if `write_files` writes something.
        files_change: True if training changes these files.
        saved_as: The name of the folder with these files in the directory of a model, if that is known.
    """

    name: ClassVar[str]
    frozen: Tensor | None = None
    writes_files: ClassVar[bool] = False
    files_change: bool = False
    saved_as: str | None = None

    @classmethod
    @abstractmethod
    def build(cls, resources: Resources) -> Self | None:
        """The feature for training data; None if the configuration does without it.

        Raises:
            InputError: If resources are given that it cannot use.
        """

    @classmethod
    def load(cls, _: SavedFeature) -> Self:
        """The feature that was saved; one without a vocabulary has nothing to read.

        Raises:
            InputError: If its value is damaged.
        """
        return cls()

    @abstractmethod
    def module(self, config: ModelConfig) -> FeatureModule:
        """A new part of a network for the ids of this feature. Its tables of vectors are still without values."""

    def initialise(self, module: Any) -> None:
        """Draw the first values of the module's table, if it has one; not called if saved ones take their place."""
        table = getattr(module, "table", None)
        if table is not None:
            table.draw()

    def extended(self, _resources: Resources, _module: Any) -> TokenFeature:
        """The feature for a model that starts from this one and is trained on other data.

        Ids stay as they are and those of new symbols follow, unless `FeatureModule.start_from` says otherwise.

        Args:
            _resources: The new training data.
            _module: The feature's part of the trained network.
        """
        return self

    def to_json(self) -> Any:
        """The feature as a JSON value, for `load`."""
        return None

    def write_files(self, folder: Path) -> None:
        """Write files of its own into a new folder, for `load`."""
        raise NotImplementedError(f"{self.name} has no files to write into {folder}")

    def type_ids(self, words: Sequence[str]) -> Ids:
        """A number for each of these distinct words (W,), computed once for each."""
        return np.zeros(len(words), np.int64)

    def column(self) -> Column:
        """A new column of `WordTypes` for this feature."""
        return Column(self)


class TypeFeature(TokenFeature):
    """A feature that depends on the word alone: `type_ids` are its ids."""

    @abstractmethod
    def module(self, config: ModelConfig) -> TypeModule:
        """See `TokenFeature.module`."""


class ContextFeature(TokenFeature):
    """A feature that depends on the sentence: ids of each token, made of the `type_ids` of the words around it."""

    @abstractmethod
    def module(self, config: ModelConfig) -> ContextModule:
        """See `TokenFeature.module`."""

    @abstractmethod
    def encode(self, words: Sequence[str], type_ids: Ids, lengths: Ids) -> Any:
        """The ids of the tokens of many sentences, for `batch`: (N, k), or something else that `batch` knows.

        Args:
            words: The tokens, sentences end to end (N,).
            type_ids: The number that `type_ids` gave each of them (N,).
            lengths: Tokens of each sentence (S,).
        """

    def batch(self, ids: Any, _sentences: Ids, positions: Ids, real: NDArray[np.bool_]) -> Any:
        """The input of the module for one batch: ids (B, T, k), zero where a sentence is padded.

        Args:
            ids: The result of `encode`.
            _sentences: The numbers of the batch's sentences (B,).
            positions: The positions of their tokens among all (B, T).
            real: True where there is a token (B, T).
        """
        return torch.from_numpy(np.where(real[:, :, None], ids[positions], 0))


class Column:
    """One number for each word type, in an array that grows.

    Args:
        feature: Whose `type_ids` these are.
    """

    def __init__(self, feature: TokenFeature) -> None:
        self._feature = feature
        self._values = np.zeros(1024, np.int64)

    def write(self, first: int, words: Sequence[str]) -> None:
        """Set the numbers of these words, whose rows begin with `first`."""
        self._values = grown(self._values, first + len(words))
        self._values[first : first + len(words)] = self._feature.type_ids(words)

    def ids(self, rows: Ids) -> Ids:
        """The numbers of these rows, in the shape of `rows`."""
        ids: Ids = self._values[rows]
        return ids

    def inputs(self, rows: Ids) -> Any:
        """The input of a `TypeModule` for these rows (W,)."""
        return torch.from_numpy(self._values[rows])


def grown(array: Ids, size: int) -> Ids:
    """The array, or a copy with room for `size` numbers, doubled so that growing stays cheap."""
    if size <= len(array):
        return array
    larger = np.zeros(max(size, 2 * len(array)), array.dtype)
    larger[: len(array)] = array
    return larger


def drawn(ids: Tensor, rate: float, generator: torch.Generator | None) -> Tensor:
    """True for a share of `rate` of these ids, in their shape."""
    return torch.rand(ids.shape, generator=generator, dtype=torch.float32, device=ids.device) < rate


class FeatureModule(nn.Module):
    """The vectors of one feature, in one network.

    Attributes:
        size: Size of a vector, D.
        generator: The source of dropout; None for torch's own.
    """

    size: int
    generator: torch.Generator | None = None

    def table_ids(self, ids: Any) -> Tensor:
        """The ids that are read from its `table` for the given input (R,), with repetitions."""
        flat: Tensor = ids.flatten()
        return flat

    def start_from(self, other: FeatureModule) -> None:
        """Take over the weights of a trained module; symbols that it does not know keep theirs."""
        own = self.state_dict()
        for name, weight in other.state_dict().items():
            own[name][: len(weight)] = weight


class TypeModule(FeatureModule):
    """Vectors of word types: `forward` makes (W, D) of the result of `Column.inputs`."""

    def at_tokens(self, ids: Any, tokens: Tensor) -> Tensor:
        """The vectors of tokens (B, T, D), given the word type of each (B, T)."""
        return nn.functional.embedding(tokens, self(ids))


class IdVectors(TypeModule):
    """A vector for each of a few ids, for type features with no more than an id for each word.

    Args:
        ids: Number of ids.
        size: Size of a vector.
    """

    def __init__(self, ids: int, size: int) -> None:
        super().__init__()
        self.embedding, self.size = nn.Embedding(ids, size), size

    def forward(self, ids: Tensor) -> Tensor:
        """The vectors of ids (W,): (W, D)."""
        vectors: Tensor = self.embedding(ids)
        return vectors


class ContextModule(FeatureModule):
    """Vectors of tokens in their sentence: `forward` makes (B, T, D) of the result of `ContextFeature.batch`.

    Attributes:
        looks_up: True if ids (B, T, k) are all it reads, so that tokens may be read in any order.
    """

    looks_up: ClassVar[bool] = True
