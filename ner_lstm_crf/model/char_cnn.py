"""A vector for a word from its characters (Ma and Hovy 2016, section 2.1)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ner_lstm_crf.features.vocabulary import PADDING

__all__ = ["CharCnn", "gap_of"]


class CharCnn(nn.Module):
    """Convolutions over the characters of each word, then the maximum over its positions.

    The words lie end to end in one row of characters, each followed by `gap` zeros, so that a long word makes no other
    word longer, and no filter sees two words. Positions in the gaps never win the maximum.

    Args:
        characters: Size of the character vocabulary; id 0 is padding.
        size: Size of a character embedding.
        filters: Filters of each width.
        widths: Widths of the filters, in characters.
        dropout: Dropout on a word's vector.
    """

    def __init__(self, characters: int, *, size: int, filters: int, widths: Sequence[int], dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(characters, size, padding_idx=PADDING)
        nn.init.uniform_(self.embedding.weight, -((3 / size) ** 0.5), (3 / size) ** 0.5)  # Ma and Hovy 2016, 3.1
        with torch.no_grad():
            self.embedding.weight[PADDING] = 0
        self.convolutions = nn.ModuleList(nn.Conv1d(size, filters, width, padding=width // 2) for width in widths)
        self.dropout = nn.Dropout(dropout)
        self.gap = gap_of(widths)
        self.size = filters * len(widths)

    def forward(self, characters: Tensor, lengths: Tensor) -> Tensor:
        """The vector of each word.

        Args:
            characters: Character ids of all words, each word followed by `gap` zeros (N,).
            lengths: Characters of each word, at least 1, without the gap (W,).

        Returns:
            (W, filters * number of widths)
        """
        embedded = self.embedding(characters).T.unsqueeze(0)  # (1, D, N)
        # A filter of even width has one position more than there are characters.
        scores = torch.cat([conv(embedded)[0, :, : len(characters)] for conv in self.convolutions]).T  # (N, F)
        scores = scores.masked_fill(characters.eq(PADDING).unsqueeze(1), -torch.inf)
        best = torch.segment_reduce(scores, "max", lengths=lengths + self.gap, axis=0)  # (W, F)
        vectors: Tensor = self.dropout(best)
        return vectors


def gap_of(widths: Sequence[int]) -> int:
    """How many zeros keep filters of these widths from seeing two words at once."""
    return max(widths, default=1) // 2
