"""The base classes of the parts of a network that read a token feature: ids become vectors.

Letters: W distinct words, B sentences of a batch, T tokens of the longest, D size of a vector, R ids.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.features.token_feature import TokenFeature


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

    def tensors(self, ids: Any, device: torch.device) -> Any:
        """What `forward` reads, on a device, of what the feature gives for a batch: arrays of numpy."""
        return torch.from_numpy(ids).to(device)

    def initialise(self, _feature: Any) -> None:
        """Draw the first values of its table, if it has one; not called if saved ones take their place.

        Args:
            _feature: The feature, which may have better ones.
        """
        table = getattr(self, "table", None)
        if table is not None:
            table.draw()

    def table_ids(self, ids: Any) -> Tensor:
        """The ids that are read from its `table` for the given input (R,), with repetitions."""
        flat: Tensor = ids.flatten()
        return flat

    def start_from(self, other: FeatureModule) -> None:
        """Take over the weights of a trained module; symbols that it does not know keep theirs."""
        own = self.state_dict()
        for name, weight in other.state_dict().items():
            own[name][: len(weight)] = weight

    def share_frozen(self, other: FeatureModule) -> None:
        """Read frozen vectors from the memory of another module of the feature, where they are equal."""
        table = getattr(self, "table", None)
        if table is not None:
            table.frozen = other.get_buffer("table.frozen")


class TypeModule(FeatureModule):
    """Vectors of word types: `forward` makes (W, D) of the ids of `Column.inputs`."""

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

    @classmethod
    def build(cls, feature: TokenFeature, config: ModelConfig) -> IdVectors:
        """The module for a feature with no more weights than these vectors."""
        return cls(*feature.weight_shapes(config)["embedding.weight"])

    def forward(self, ids: Tensor) -> Tensor:
        """The vectors of ids (W,): (W, D)."""
        vectors: Tensor = self.embedding(ids)
        return vectors


class ContextModule(FeatureModule):
    """Vectors of tokens in their sentence: `forward` makes (B, T, D) of those of `ContextFeature.batch`.

    Attributes:
        looks_up: True if ids (B, T, k) are all it reads, so that tokens may be read in any order.
    """

    looks_up: ClassVar[bool] = True
