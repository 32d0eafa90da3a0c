"""What the encoder reads of each token: the vectors of all its features side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ner_lstm_crf.features.batch import Batch
from ner_lstm_crf.model.embedding.feature_module import ContextModule, FeatureModule, TypeModule
from ner_lstm_crf.model.embedding.table import EmbeddingTable


class Taught(NamedTuple):
    """What a teacher says of the sentences of a batch, and how much that counts.

    Attributes:
        tags: Its distribution over the tags of each token (B, T, K), 0 beyond the lengths.
        transitions: How often it expects a tag after another, [from, to], in each sentence (B, K, K).
        share: The share of it in the loss of each sentence (B,), from 0 to 1; the rest is that of the gold tags.
    """

    tags: Tensor
    transitions: Tensor
    share: Tensor


@dataclass(frozen=True, slots=True)
class TensorBatch:
    """A `Batch` as tensors on the device of a network, see there.

    Attributes:
        tokens: The word type of each token (B, T).
        lengths: Tokens of each sentence (B,), at least 1.
        inputs: The input of each feature's module, by name.
        tags: Gold tag ids (B, T), 0 beyond the lengths; None without gold tags.
        allowed: True for the tags that each token may have (B, T, K); None if all tokens are known.
        taught: What a teacher says of the sentences; None without one.
    """

    tokens: Tensor
    lengths: Tensor
    inputs: Mapping[str, Any]
    tags: Tensor | None = None
    allowed: Tensor | None = None
    taught: Taught | None = None


class TokenEmbedding(nn.ModuleDict):
    """The vectors of all features of a token side by side.

    The vectors of type features come first, then those of context features, among these last those that do not only
    look up ids.

    Args:
        modules: The modules of the features by name, in the order in which their weights are trained and saved.

    Attributes:
        types: The names and modules of type features.
        context: The names and modules of context features.
        size: Size of a token's vector (D).
        type_size: Size of the vectors of type features.
        looks_up: True if all context features only look up ids.
        tables: The tables of vectors by feature, of which a batch reads some rows.
    """

    def __init__(self, modules: Mapping[str, FeatureModule]) -> None:
        super().__init__(modules)
        self.types = [(name, module) for name, module in modules.items() if isinstance(module, TypeModule)]
        context = [(name, module) for name, module in modules.items() if isinstance(module, ContextModule)]
        self.context = sorted(context, key=lambda item: not item[1].looks_up)
        self.looks_up = all(module.looks_up for _, module in context)
        self.type_size = sum(module.size for _, module in self.types)
        self.size = self.type_size + sum(module.size for _, module in context)
        tables = {name: getattr(module, "table", None) for name, module in modules.items()}
        self.tables = {name: table for name, table in tables.items() if isinstance(table, EmbeddingTable)}

    def tensors(self, batch: Batch, device: torch.device) -> TensorBatch:
        """A batch as tensors on a device. Where a transformer is frozen, it computes its vectors here, once."""
        modules = (*self.types, *self.context)
        inputs = {name: one.tensors(batch.inputs[name], device) for name, one in modules if name in batch.inputs}
        tokens, lengths = torch.from_numpy(batch.tokens).to(device), torch.from_numpy(batch.lengths).to(device)
        tags, allowed = (
            None if known is None else torch.from_numpy(known).to(device) for known in (batch.tags, batch.allowed)
        )
        return TensorBatch(tokens, lengths, inputs, tags, allowed)

    def forward(self, batch: TensorBatch) -> Tensor:
        """The vector of each token (B, T, D)."""
        types = [module.at_tokens(batch.inputs[name], batch.tokens) for name, module in self.types]
        context = [module(batch.inputs[name]) for name, module in self.context]
        return torch.cat([*types, *context], dim=-1)

    def share_frozen(self, other: TokenEmbedding) -> None:
        """Read what is frozen from the memory of another embedding of the same features, where it has equal values."""
        for (_, own), (_, of_other) in zip((*self.types, *self.context), (*other.types, *other.context), strict=True):
            own.share_frozen(of_other)

    def fine_tuned(self) -> Any:
        """The pretrained encoder that is trained with a learning rate of its own; None without one."""
        return next((module for module in self.modules() if getattr(module, "fine_tune", False)), None)

    def table_ids(self, batch: TensorBatch) -> dict[str, Tensor]:
        """The ids that a batch reads from each of the `tables` (R,), with repetitions, beside the unknown one."""
        modules = (*self.types, *self.context)
        return {name: module.table_ids(batch.inputs[name]) for name, module in modules if name in self.tables}
