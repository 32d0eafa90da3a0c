"""The token feature of a pretrained transformer: sub-tokens, and the vectors that the encoder makes of them.

A frozen encoder changes nothing while others train, so its vectors are the ids of this feature: they are computed when
a batch is made, or once for all epochs (`contextual_vectors`), and no network holds the encoder. One that is fine-tuned
is a part of its network and reads sub-tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.token_feature import ContextFeature, ContextModule, Ids, Resources, SavedFeature
from ner_lstm_crf.features.transformer.encoder import PretrainedEncoder
from ner_lstm_crf.features.transformer.subtokens import SubTokenBatch, SubTokenizer, SubTokens, collate_subtokens

__all__ = ["Transformer", "TransformerVectors"]


class Transformer(ContextFeature):
    """The sub-tokens of each sentence, or the vectors of a frozen encoder.

    Args:
        encoder: The pretrained encoder.
        subtokenizer: Its tokenizer.
    """

    name = "transformer"
    writes_files = True

    def __init__(self, encoder: PretrainedEncoder, subtokenizer: SubTokenizer) -> None:
        self.encoder, self.subtokenizer = encoder, subtokenizer
        self.files_change = encoder.fine_tune

    @classmethod
    def build(cls, resources: Resources) -> Transformer | None:
        """See `TokenFeature.build`; the encoder is a folder or a name on the Hugging Face hub."""
        config = resources.config
        return None if config.transformer is None else cls.from_pretrained(config, config.transformer)

    @classmethod
    def load(cls, saved: SavedFeature) -> Transformer:
        """See `TokenFeature.load`."""
        if saved.folder is None:
            raise InputError("expected the folder of a model's transformer")
        feature = cls.from_pretrained(saved.config, saved.folder)
        feature.saved_as = None if feature.files_change else saved.folder.name
        return feature

    @classmethod
    def from_pretrained(cls, config: ModelConfig, name: str | Path) -> Transformer:
        """The feature of the encoder `name`, see `pretrained_folder`, with the settings of `config`.

        Raises:
            InputError: If there is no such encoder, or it is damaged or does not suit the configuration.
        """
        subtokenizer = SubTokenizer.from_pretrained(name)
        encoder = PretrainedEncoder.from_pretrained(
            name, layers=config.transformer_layers, mix=config.transformer_mix, fine_tune=config.fine_tune
        )
        return cls(encoder, subtokenizer)

    def write_files(self, folder: Path) -> None:
        """Write the files of the encoder and of its tokenizer."""
        self.encoder.save(folder)
        self.subtokenizer.save(folder)

    def encode(self, words: Sequence[str], _: Ids, lengths: Ids) -> list[SubTokens]:
        """The sub-tokens of each sentence."""
        edges = pairwise(accumulate(lengths.tolist(), initial=0))
        return [self.subtokenizer.encode(words[start:end]) for start, end in edges]

    def batch(
        self, ids: Sequence[SubTokens] | Tensor, sentences: Ids, positions: Ids, real: NDArray[np.bool_]
    ) -> Tensor | SubTokenBatch:
        """What the module reads of one batch: vectors of a frozen encoder (B, T, D), or sub-tokens.

        Args:
            ids: The sub-tokens of each sentence, or vectors of all tokens (N, D), computed before.
            sentences: The numbers of the batch's sentences (B,).
            positions: The positions of their tokens among all (B, T).
            real: True where there is a token (B, T).
        """
        if isinstance(ids, Tensor):
            vectors = ids.new_zeros(*real.shape, ids.shape[1])
            vectors[torch.from_numpy(real)] = ids[torch.from_numpy(positions[real])]
            return vectors
        subtokens = collate_subtokens([ids[number] for number in sentences.tolist()], real.shape[1])
        return subtokens if self.encoder.fine_tune else self.encoder(subtokens)

    def module(self, config: ModelConfig) -> TransformerVectors:
        """See `TokenFeature.module`."""
        return TransformerVectors(self.encoder, config.transformer_size)


class TransformerVectors(ContextModule):
    """The vectors of an encoder, projected to a size that does not drown the others.

    If the encoder keeps its layers apart, they are mixed as a weighted sum whose weights are learnt (Peters et al.
    2018, eq. 1).

    Args:
        encoder: The encoder. It becomes a part of the network if it is fine-tuned; the files of the feature hold its
            weights, so those of the network do not.
        size: The size after projection; 0 for no projection.
    """

    looks_up = False

    def __init__(self, encoder: PretrainedEncoder, size: int) -> None:
        super().__init__()
        layers = encoder.layers if encoder.mix else 1
        mixed = encoder.size // layers
        self.weights = nn.Parameter(torch.zeros(layers)) if encoder.mix else None  # equal at first
        self.scale = nn.Parameter(torch.ones(())) if encoder.mix else None
        self.projection = nn.Linear(mixed, size) if size else nn.Identity()
        self.size = size or mixed
        self.encoder = encoder if encoder.fine_tune else None
        self.register_state_dict_post_hook(_without_encoder)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_post_hook(_misses_no_encoder)  # type: ignore[no-untyped-call]

    def forward(self, ids: Any) -> Tensor:
        """One vector per token (B, T, D), of the encoder's vectors (B, T, D) or of the sub-tokens that it reads."""
        if isinstance(ids, SubTokenBatch):
            if self.encoder is None:
                raise ValueError("expected the vectors of a frozen encoder, got sub-tokens")
            ids = self.encoder(ids)
        vectors = ids.float()
        if self.weights is not None and self.scale is not None:
            layers = vectors.view(*vectors.shape[:2], len(self.weights), -1)  # (B, T, L, D)
            vectors = torch.einsum("btld,l->btd", layers, self.scale * self.weights.softmax(0))
        projected: Tensor = self.projection(vectors)
        return projected


def _without_encoder(_module: nn.Module, state: dict[str, Any], prefix: str, _metadata: Any) -> None:
    """Leave the encoder's weights out of the weights of a network."""
    for name in [name for name in state if name.startswith(f"{prefix}encoder.")]:
        del state[name]


def _misses_no_encoder(_module: nn.Module, keys: Any) -> None:
    """Do not miss the encoder's weights where those of a network are loaded."""
    keys.missing_keys[:] = [name for name in keys.missing_keys if f"{Transformer.name}.encoder." not in name]
