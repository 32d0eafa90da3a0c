"""The base classes of token features: strings become ids.

A feature is two classes, one here and one in `model/embedding/`:

    class Words(TypeFeature)         strings -> ids     one object for a model; its networks share it; numpy
    class WordVectors(TypeModule)    ids -> vectors     a part of each network, made by its line in `MODULES`; torch

There are two kinds. A *type feature* depends on the word alone: its ids are computed once for each distinct word, and
in tagging so are its vectors. A *context feature* depends on the sentence: it has ids for each token.

A new feature is a file like these, a line in `registry.FEATURES`, and a module; docs/architecture.md has an example.

Letters: W distinct words, S sentences, N tokens of all of them, B sentences of a batch, T tokens of the longest, D size
of a vector.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.features.vectors import Vectors

Ids: TypeAlias = NDArray[np.int64]
"""Whole numbers: ids, rows, lengths."""

Rows: TypeAlias = NDArray[np.floating[Any]]
"""Vectors (R, D), in float16 or float32."""


@dataclass(frozen=True)
class Resources:
    """The material that features are built from.

    Attributes:
        config: The configuration of the model.
        sentences: The tokens of each training sentence.
        vectors: Pretrained word vectors; None for none.
        freeze_vectors: True if the vectors of training words that are pretrained stay as they are.
        lexicon: Words to find in the text, each with its category, "" for none; None for no lexicon.
        lexicon_vectors: Pretrained vectors of words of the lexicon; None for none.
        touching: True if somewhere a token touches the next one: the sentences tell where spaces are.
        names: Names to find in the text, each with its list; None for none.
    """

    config: ModelConfig
    sentences: Sequence[Sequence[str]]
    vectors: Vectors | None = None
    freeze_vectors: bool = False
    lexicon: Mapping[str, str] | None = None
    lexicon_vectors: Vectors | None = None
    touching: bool = False
    names: Collection[tuple[str, str]] | None = None

    @cached_property
    def counts(self) -> Counter[str]:
        """The number of occurrences of each word in the training sentences."""
        return Counter(word for words in self.sentences for word in words)


def compact(vectors: Rows) -> Rows:
    """Vectors (R, D) in half precision, unless that overflows."""
    with np.errstate(all="ignore"):
        half = vectors.astype(np.float16, copy=False)
    return half if bool(np.isfinite(half).all()) else vectors


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
    frozen: Rows | None = None
    folder: Path | None = None


class TokenFeature(ABC):
    """One feature of tokens, as strings and ids.

    Attributes:
        name: Its name in batches, in vocabulary.json and in the weights of a network.
        frozen: Vectors that all networks read and training leaves alone (R, D); None without such.
        writes_files: True if `write_files` writes something.
        files_change: True if training changes these files.
        saved_as: The name of the folder with these files in the directory of a model, if that is known.
        reads_touching: True if it reads whether tokens touch.
    """

    name: ClassVar[str]
    frozen: Rows | None = None
    writes_files: ClassVar[bool] = False
    files_change: bool = False
    saved_as: str | None = None
    reads_touching: bool = False

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
    def vector_size(self, config: ModelConfig) -> int:
        """Values of the vector that a network of this configuration makes of it, D."""

    @abstractmethod
    def weight_shapes(self, config: ModelConfig) -> Mapping[str, tuple[int, ...]]:
        """The shape of each weight of its module in such a network, by name."""

    def extended(self, _resources: Resources, _vectors: Rows | None) -> TokenFeature:
        """The feature for a model that starts from this one and is trained on other data.

        Ids stay as they are and those of new symbols follow, unless `FeatureModule.start_from` says otherwise.

        Args:
            _resources: The new training data.
            _vectors: The trained vectors of its ids (V, D); None if it has no table of them.
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


class ContextFeature(TokenFeature):
    """A feature that depends on the sentence: ids of each token, made of the `type_ids` of the words around it."""

    @abstractmethod
    def encode(self, words: Sequence[str], type_ids: Ids, lengths: Ids, touching: Sequence[bool] = ()) -> Any:
        """The ids of the tokens of many sentences, for `batch`: (N, k), or something else that `batch` knows.

        Args:
            words: The tokens, sentences end to end (N,).
            type_ids: The number that `type_ids` gave each of them (N,).
            lengths: Tokens of each sentence (S,).
            touching: True for each token that the next one touches, no space between (N,); none does if not given.
        """

    def batch(self, ids: Any, _sentences: Ids, positions: Ids, real: NDArray[np.bool_]) -> Any:
        """The input of the module for one batch: ids (B, T, k), zero where a sentence is padded.

        Args:
            ids: The result of `encode`.
            _sentences: The numbers of the batch's sentences (B,).
            positions: The positions of their tokens among all (B, T).
            real: True where there is a token (B, T).
        """
        return np.where(real[:, :, None], ids[positions], 0)


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
        return self._values[rows]


def grown(array: Ids, size: int) -> Ids:
    """The array, or a copy with room for `size` numbers, doubled so that growing stays cheap."""
    if size <= len(array):
        return array
    larger = np.zeros(max(size, 2 * len(array)), array.dtype)
    larger[: len(array)] = array
    return larger
