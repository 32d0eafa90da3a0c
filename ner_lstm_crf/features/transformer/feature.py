"""A pretrained `transformers` encoder as a token feature: the sub-tokens of sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ner_lstm_crf.config import ModelConfig, TokenUnit
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.token_feature import ContextFeature, Ids, Resources, Rows, SavedFeature
from ner_lstm_crf.features.transformer.subtokens import (
    SubTokenBatch,
    SubTokenizer,
    SubTokens,
    collate_subtokens,
    pretrained_folder,
)
from ner_lstm_crf.files.saved import read_saved


class Transformer(ContextFeature):
    """The sub-tokens of each sentence.

    Args:
        folder: The folder of the pretrained encoder.
        subtokenizer: Its tokenizer.
        token_unit: What a token is. Characters touch, but for a space between two tokens of several characters each.
        touching: True if words are read as they touch in the text, False if a space parts each from the next. A model
            reads text as its training data were written: those without touching words tell nothing of spaces.
        fine_tune: True if the encoder is trained.

    Attributes:
        encoder: The encoder, which all networks of a model share if it is frozen; None until one is made.
    """

    name = "transformer"
    writes_files = True

    def __init__(
        self,
        folder: Path,
        subtokenizer: SubTokenizer,
        *,
        token_unit: TokenUnit = "word",
        touching: bool = False,
        fine_tune: bool = False,
    ) -> None:
        self.folder, self.subtokenizer, self.token_unit = folder, subtokenizer, token_unit
        self.reads_touching = touching and token_unit == "word" and subtokenizer.has_offsets
        self.files_change = fine_tune
        self.encoder: Any = None

    @classmethod
    def build(cls, resources: Resources) -> Transformer | None:
        """See `TokenFeature.build`; the encoder is a folder or a name on the Hugging Face hub."""
        config = resources.config
        if config.transformer is None:
            return None
        return cls.from_pretrained(config, config.transformer, touching=resources.touching)

    @classmethod
    def load(cls, saved: SavedFeature) -> Transformer:
        """See `TokenFeature.load`."""
        if saved.folder is None:
            raise InputError("expected the folder of a model's transformer")
        if '"auto_map"' in read_saved(saved.folder / "config.json"):
            raise InputError("expected a transformer of this library's, found one that brings code", path=saved.folder)
        if type(saved.value) is not bool:
            raise InputError("expected true or false: whether a transformer reads words as they touch")
        feature = cls.from_pretrained(saved.config, saved.folder, touching=saved.value)
        feature.saved_as = None if feature.files_change else saved.folder.name
        return feature

    @classmethod
    def from_pretrained(cls, config: ModelConfig, name: str | Path, *, touching: bool) -> Transformer:
        """The feature of the encoder `name`, see `pretrained_folder`, with the settings of `config`.

        Args:
            config: The configuration of the model.
            name: The encoder.
            touching: See the class.

        Raises:
            InputError: If there is no such encoder, or its tokenizer is damaged.
        """
        folder = pretrained_folder(name)
        subtokenizer = SubTokenizer.from_pretrained(folder)
        options = {"touching": touching, "fine_tune": config.fine_tune}
        return cls(folder, subtokenizer, token_unit=config.token_unit, **options)

    def to_json(self) -> bool:
        """Whether words are read as they touch."""
        return self.reads_touching

    def write_files(self, folder: Path) -> None:
        """Write the files of the encoder and of its tokenizer.

        Raises:
            ValueError: If no network has been made: the weights are there.
        """
        if self.encoder is None:
            raise ValueError("expected a transformer that a network has read, got one without weights")
        self.encoder.save(folder)
        self.subtokenizer.save(folder)

    def encode(self, words: Sequence[str], _: Ids, lengths: Ids, touching: Sequence[bool] = ()) -> list[SubTokens]:
        """The sub-tokens of each sentence."""
        return self.subtokens(words, lengths.tolist(), touching)

    def subtokens(self, words: Sequence[str], lengths: Iterable[int], touching: Sequence[bool] = ()) -> list[SubTokens]:
        """The sub-tokens of each sentence.

        Args:
            words: The tokens, sentences end to end (N,).
            lengths: Tokens of each sentence (S,).
            touching: True for each word that the next one touches (N,); none does if not given.
        """
        if not self.reads_touching:
            touching = ()
        if self.token_unit == "character":
            touching = [len(word) < 2 or len(following) < 2 for word, following in pairwise(words)]
        encode = self.subtokenizer.encode
        edges = pairwise(accumulate(lengths, initial=0))
        return [replace(encode(words[start:end], touching[start : end - 1]), start=start) for start, end in edges]

    def batch(
        self, ids: Sequence[SubTokens] | Rows, sentences: Ids, positions: Ids, real: NDArray[np.bool_]
    ) -> Rows | SubTokenBatch:
        """The input of the module for one batch: vectors that were computed before (B, T, D), or sub-tokens.

        Args:
            ids: The sub-tokens of each sentence, or vectors of all tokens (N, D).
            sentences: The numbers of the batch's sentences (B,).
            positions: The positions of their tokens among all (B, T).
            real: True where there is a token (B, T).
        """
        if isinstance(ids, np.ndarray):
            vectors = np.zeros((*real.shape, ids.shape[1]), ids.dtype)
            vectors[real] = ids[positions[real]]
            return vectors
        parts = zip(sentences.tolist(), positions[:, 0].tolist(), real.sum(1).tolist(), strict=True)
        subtokens = [ids[number].part(start, tokens) for number, start, tokens in parts]
        return collate_subtokens(subtokens, real.shape[1])

    def vector_size(self, config: ModelConfig) -> int:
        """See `TokenFeature.vector_size`."""
        return config.transformer_size or self._mixed(config)

    def weight_shapes(self, config: ModelConfig) -> Mapping[str, tuple[int, ...]]:
        """See `TokenFeature.weight_shapes`."""
        mixed, size = self._mixed(config), config.transformer_size
        shapes: dict[str, tuple[int, ...]] = {}
        if config.transformer_mix:
            shapes |= {"weights": (config.transformer_layers,), "scale": ()}
        if size:
            shapes |= {"projection.weight": (size, mixed), "projection.bias": (size,)}
        return shapes

    def _mixed(self, config: ModelConfig) -> int:
        """Values of the vectors of the encoder, its layers mixed.

        Raises:
            ValueError: If the encoder was not read yet.
        """
        if self.encoder is None:
            raise ValueError("expected a transformer whose encoder was read")
        return int(self.encoder.size) // (config.transformer_layers if config.transformer_mix else 1)
