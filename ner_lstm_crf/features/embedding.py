"""Tables of vectors, and what the encoder reads of each token: the vectors of all its features side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ner_lstm_crf.features.batch import Batch
from ner_lstm_crf.features.token_feature import ContextModule, FeatureModule, TypeModule
from ner_lstm_crf.features.vocabulary import PADDING, UNKNOWN


class EmbeddingTable(nn.Module):
    """Vectors in two blocks: trainable rows, and behind them frozen rows, which are pretrained.

    The frozen rows let a tagger profit in new text from words it never saw in training, and hold the pretrained vectors
    that are not to change. They are no parameters: no gradient, weight decay or averaging touches them, their number
    costs nothing in training, and all networks of a model read the same ones.

    Args:
        rows: Number of trainable rows, padding and unknown included (V).
        size: Size of a vector (D).
        frozen: The frozen rows (R, D); None for none.

    Attributes:
        trainable: The trainable rows (V, D), without values until `draw`.
        pretrained: True for the trainable rows whose first values are pretrained (V,).
        sparse_gradient: True if the gradient has the rows of the batch alone.
    """

    frozen: Tensor

    def __init__(self, rows: int, size: int, frozen: Tensor | None = None) -> None:
        super().__init__()
        self.trainable = nn.Parameter(torch.empty(rows, size, dtype=torch.float32))
        frozen = torch.empty(0, size, dtype=torch.float32) if frozen is None else frozen
        self.register_buffer("frozen", frozen, persistent=False)
        self.pretrained = torch.zeros(rows, dtype=torch.bool)
        self.sparse_gradient = False
        self.size = size

    @torch.no_grad()
    def draw(self) -> None:
        """Draw the trainable rows: uniform within sqrt(3 / D) (Ma and Hovy 2016, section 3.1), padding zero."""
        bound = (3 / self.size) ** 0.5
        self.trainable.uniform_(-bound, bound)
        self.trainable[PADDING] = 0

    def forward(self, ids: Tensor) -> Tensor:
        """The vectors of these ids (W,): (W, D)."""
        size = len(self.trainable)
        is_trainable = ids < size
        rows = ids.where(is_trainable, UNKNOWN)
        vectors = nn.functional.embedding(rows, self.trainable, sparse=self.sparse_gradient)
        if not len(self.frozen) or bool(is_trainable.all()):
            return vectors
        frozen = self.frozen[(ids - size).clamp(min=0)].to(vectors.dtype)
        return torch.where(is_trainable.unsqueeze(1), vectors, frozen)

    def trainable_rows(self, ids: Tensor) -> Tensor:
        """The trainable rows that are read for these ids (W,): for frozen ones that of the unknown symbol."""
        return ids.where(ids < len(self.trainable), UNKNOWN)


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

    def forward(self, batch: Batch) -> Tensor:
        """The vector of each token (B, T, D)."""
        types = [module.at_tokens(batch.inputs[name], batch.tokens) for name, module in self.types]
        context = [module(batch.inputs[name]) for name, module in self.context]
        return torch.cat([*types, *context], dim=-1)

    def fine_tuned(self) -> Any:
        """The pretrained encoder that is trained with a learning rate of its own; None without one."""
        return next((module for module in self.modules() if getattr(module, "fine_tune", False)), None)

    def table_ids(self, batch: Batch) -> dict[str, Tensor]:
        """The ids that a batch reads from each of the `tables` (R,), with repetitions, beside the unknown one."""
        modules = (*self.types, *self.context)
        return {name: module.table_ids(batch.inputs[name]) for name, module in modules if name in self.tables}
