"""A convolution over the characters of a word (Ma and Hovy 2016, section 2.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.features.characters import Characters, Spellings
from ner_lstm_crf.features.vocabulary import PADDING
from ner_lstm_crf.kernels import available_for, kernel
from ner_lstm_crf.model.embedding.feature_module import TypeModule
from ner_lstm_crf.model.generators import dropout


class CharacterVectors(TypeModule):
    """The vector of each word, of its characters: what the char-CNN and IntNet share.

    The words lie end to end in one row of characters, each followed by a gap of zeros, so that a long word makes no
    other word longer, and no filter sees two words. Positions in the gaps never win the maximum over a word.

    Args:
        characters: Size of the character vocabulary; id 0 is padding.
        size: Size of a character embedding.
        widths: Widths of the filters, in characters.
        dropout: Dropout on a word's vector.

    Attributes:
        gap: Zeros after each word.
    """

    def __init__(self, characters: int, *, size: int, widths: Sequence[int], dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(characters, size, padding_idx=PADDING)
        nn.init.uniform_(self.embedding.weight, -((3 / size) ** 0.5), (3 / size) ** 0.5)  # Ma and Hovy 2016, 3.1
        with torch.no_grad():
            self.embedding.weight[PADDING] = 0
        self.dropout = dropout
        self.gap = max(widths) // 2

    def tensors(self, words: Spellings, device: torch.device) -> tuple[Tensor, Tensor]:
        """The characters (N,) and the lengths (W,) on a device."""
        return torch.from_numpy(words.characters).to(device), torch.from_numpy(words.lengths).to(device)

    def forward(self, words: tuple[Tensor, Tensor]) -> Tensor:
        """The vector of each word (W, D), of their characters (N,) and lengths (W,).

        Raises:
            ValueError: If the characters are not words of these lengths with gaps, or one is not in the vocabulary.
        """
        vectors = self.encoded(*self._checked(*words))
        return dropout(vectors, self.dropout, self.generator) if self.training else vectors

    def encoded(self, characters: Tensor, lengths: Tensor) -> Tensor:
        """The same without dropout and checks."""
        raise NotImplementedError

    def _checked(self, characters: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """A copy of these numbers, which say where both passes of the kernels read and write."""
        characters, lengths = (
            ids.to(self.embedding.weight.device, torch.int64, copy=True).contiguous() for ids in (characters, lengths)
        )
        if characters.ndim != 1 or lengths.ndim != 1:
            raise ValueError("expected characters (N,) and lengths (W,)")
        count, known = len(characters), len(self.embedding.weight)
        least, most = (int(lengths.min()), int(lengths.max())) if len(lengths) else (1, 0)
        # The sum is right if no length is larger than it can be: lengths of 2^62 would add up to anything.
        if least < 1 or most > count or int(lengths.sum()) + self.gap * len(lengths) != count:
            raise ValueError(f"expected {count} characters to be words of at least one and gaps of {self.gap}")
        if count and not (int(characters.min()) >= 0 and int(characters.max()) < known):
            raise ValueError(f"expected characters from 0 to {known - 1}, got one out of range")
        return characters, lengths


class CharCnn(CharacterVectors):
    """Convolutions over the characters of each word, then the maximum over its positions.

    Args:
        characters: Size of the character vocabulary; id 0 is padding.
        size: Size of a character embedding.
        filters: Filters of each width.
        widths: Widths of the filters, in characters.
        dropout: Dropout on a word's vector.
    """

    def __init__(self, characters: int, *, size: int, filters: int, widths: Sequence[int], dropout: float) -> None:
        super().__init__(characters, size=size, widths=widths, dropout=dropout)
        self.convolutions = nn.ModuleList(nn.Conv1d(size, filters, width, padding=width // 2) for width in widths)
        self.size = filters * len(widths)

    @classmethod
    def build(cls, characters: Characters, config: ModelConfig) -> CharCnn:
        """The module for these characters."""
        sizes = {"size": config.char_size, "filters": config.char_filters}
        return cls(len(characters.vocabulary), **sizes, widths=config.char_widths, dropout=config.char_dropout)

    def encoded(self, characters: Tensor, lengths: Tensor) -> Tensor:
        """See `CharacterVectors.encoded`: (W, filters * number of widths)."""
        read = self._compiled if available_for(self.embedding.weight) else self._portable
        return read(characters, lengths)

    def _compiled(self, characters: Tensor, lengths: Tensor) -> Tensor:
        """The vectors without dropout (W, F), from the kernel."""
        maxima = []
        for convolution in self.convolutions:
            # The score of each filter for each character at each of its offsets is looked up, not computed anew.
            weight, bias = convolution.get_parameter("weight"), convolution.get_parameter("bias")
            offsets = weight.permute(1, 2, 0)  # (D, width, F)
            table = self.embedding.weight @ offsets.flatten(1)  # (characters, width * F)
            best = _Maxima.apply(table, characters, lengths, self.gap, weight.shape[2])  # type: ignore[no-untyped-call]
            maxima.append(best + bias)
        return torch.cat(maxima, dim=1)

    def _portable(self, characters: Tensor, lengths: Tensor) -> Tensor:
        """The same in plain torch, on any device."""
        embedded = self.embedding(characters).T.unsqueeze(0)  # (1, D, N)
        # A filter of even width has one position more than there are characters.
        scores = torch.cat([conv(embedded)[0, :, : len(characters)] for conv in self.convolutions]).T  # (N, F)
        scores = scores.masked_fill(characters.eq(PADDING).unsqueeze(1), -torch.inf)
        return torch.segment_reduce(scores, "max", lengths=lengths + self.gap, axis=0)  # (W, F)


class _Maxima(torch.autograd.Function):
    """The largest score of each filter within each word (W, F), from a table of its scores (`kernels/char_cnn.c`)."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, characters: Tensor, lengths: Tensor, gap: int, width: int) -> Tensor:
        table, filters = table.contiguous(), table.shape[1] // width
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
    def backward(ctx: Any, grad_max: Tensor) -> tuple[Tensor | None, ...]:
        where, characters, lengths = ctx.saved_tensors
        grad_max = grad_max.contiguous()
        grad_table = grad_max.new_zeros(ctx.shape)
        inputs = grad_max.data_ptr(), where.data_ptr(), characters.data_ptr(), lengths.data_ptr()
        kernel("char_cnn_backward", grad_max.dtype)(*inputs, *ctx.sizes, grad_table.data_ptr())
        return grad_table, None, None, None, None
