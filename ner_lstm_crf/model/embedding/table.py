"""Tables of vectors, of which some rows are trained and some are not."""

from __future__ import annotations

import torch
from torch import Tensor, nn

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
