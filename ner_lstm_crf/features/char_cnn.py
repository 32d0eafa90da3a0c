"""A vector for a word from its characters (Ma and Hovy 2016, section 2.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ner_lstm_crf.features.vocabulary import PADDING
from ner_lstm_crf.kernels import kernel, serves

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
        maxima = self._from_tables if serves(self.embedding.weight) else self._from_convolutions
        vectors: Tensor = self.dropout(maxima(characters, lengths))
        return vectors

    def _from_tables(self, characters: Tensor, lengths: Tensor) -> Tensor:
        """What a filter says of a character at one of its places depends on nothing else, so it is looked up."""
        maxima = []
        for convolution in self.convolutions:
            weight, bias = convolution.get_parameter("weight"), convolution.get_parameter("bias")
            places = weight.permute(1, 2, 0)  # (D, width, F)
            table = self.embedding.weight @ places.flatten(1)  # (characters, width * F)
            best = _Maxima.apply(table, characters, lengths, self.gap, weight.shape[2])  # type: ignore[no-untyped-call]
            maxima.append(best + bias)
        return torch.cat(maxima, dim=1)

    def _from_convolutions(self, characters: Tensor, lengths: Tensor) -> Tensor:
        """The same in plain torch, on any device."""
        embedded = self.embedding(characters).T.unsqueeze(0)  # (1, D, N)
        # A filter of even width has one position more than there are characters.
        scores = torch.cat([conv(embedded)[0, :, : len(characters)] for conv in self.convolutions]).T  # (N, F)
        scores = scores.masked_fill(characters.eq(PADDING).unsqueeze(1), -torch.inf)
        return torch.segment_reduce(scores, "max", lengths=lengths + self.gap, axis=0)  # (W, F)


class _Maxima(torch.autograd.Function):
    """The largest score of each filter within each word (W, F), from the table of its places (`kernels/char_cnn.c`)."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, characters: Tensor, lengths: Tensor, gap: int, width: int) -> Tensor:
        table = table.contiguous()
        characters, lengths = (ids.to(table.device, torch.int64).contiguous() for ids in (characters, lengths))
        filters = table.shape[1] // width
        _check(characters, lengths, gap, len(table))
        best = table.new_empty(len(lengths), filters)
        where = torch.empty(best.shape, dtype=torch.int32 if table.dtype == torch.float32 else torch.int64)
        sizes = len(lengths), gap, width, filters
        inputs = table.data_ptr(), characters.data_ptr(), lengths.data_ptr()
        kernel("char_cnn_forward", table.dtype)(*inputs, *sizes, best.data_ptr(), where.data_ptr())
        ctx.save_for_backward(where, characters, lengths)
        ctx.sizes, ctx.shape = sizes, table.shape
        return best

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_best: Tensor) -> tuple[Tensor | None, ...]:
        where, characters, lengths = ctx.saved_tensors
        of_best = of_best.contiguous()
        of_table = of_best.new_zeros(ctx.shape)
        inputs = of_best.data_ptr(), where.data_ptr(), characters.data_ptr(), lengths.data_ptr()
        kernel("char_cnn_backward", of_best.dtype)(*inputs, *ctx.sizes, of_table.data_ptr())
        return of_table, None, None, None, None


def _check(characters: Tensor, lengths: Tensor, gap: int, size: int) -> None:
    """Refuse what a kernel would read or write beyond its tensors for."""
    if int(lengths.sum()) + gap * len(lengths) != len(characters) or (len(lengths) and int(lengths.min()) < 1):
        raise ValueError(f"expected {len(characters)} characters to be words of at least one and gaps of {gap}")
    if len(characters) and not (int(characters.min()) >= 0 and int(characters.max()) < size):
        raise ValueError(f"expected characters from 0 to {size - 1}, got one out of range")


def gap_of(widths: Sequence[int]) -> int:
    """How many zeros keep filters of these widths from seeing two words at once."""
    return max(widths, default=1) // 2
