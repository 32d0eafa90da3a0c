"""IntNet: dense convolutions over the characters of a word (Xin et al. 2018, section 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.features.characters import Characters
from ner_lstm_crf.features.vocabulary import PADDING
from ner_lstm_crf.kernels import available_for, kernel
from ner_lstm_crf.model.embedding.characters import CharacterVectors


class IntNet(CharacterVectors):
    """A convolution over the characters of each word, blocks that read all before them, and the maximum over positions.

        characters (D) -> convolution -> block -> ... -> block -> maximum of what each of them has for a position
                          of each width  narrow convolution of width 1, then one of each width

    Each convolution is followed by ReLU. There is no pooling between them, so that every position keeps its place.

    Args:
        characters: Size of the character vocabulary; id 0 is padding.
        size: Size of a character embedding, and filters of each width of the first convolution.
        filters: Filters of a convolution of a block, for each width.
        widths: Widths of the filters, in characters.
        blocks: Number of blocks; L of them are 2 L + 1 layers in the words of the paper.
        dropout: Dropout on a word's vector.
    """

    def __init__(
        self, characters: int, *, size: int, filters: int, widths: Sequence[int], blocks: int, dropout: float
    ) -> None:
        super().__init__(characters, size=size, widths=widths, dropout=dropout)
        self.filters = filters
        self.convolutions = _convolutions(size, size, widths)
        self.blocks = nn.ModuleList()
        self.size = size * len(widths)
        for _ in range(blocks):
            parts = {"narrow": nn.Linear(self.size, filters), "convolutions": _convolutions(filters, filters, widths)}
            self.blocks.append(nn.ModuleDict(parts))
            self.size += filters * len(widths)

    @classmethod
    def build(cls, characters: Characters, config: ModelConfig) -> IntNet:
        """The module for these characters."""
        return cls(
            len(characters.vocabulary),
            size=config.char_size,
            filters=config.char_filters,
            widths=config.char_widths,
            blocks=config.char_blocks,
            dropout=config.char_dropout,
        )

    def encoded(self, characters: Tensor, lengths: Tensor) -> Tensor:
        """See `CharacterVectors.encoded`: (W, what all convolutions have for a position)."""
        read = self._compiled if available_for(self.embedding.weight) else self._portable
        return read(characters, lengths)

    def _compiled(self, characters: Tensor, lengths: Tensor) -> Tensor:
        """The vectors (W, D), from the kernel."""
        # 1. What each character adds to the first convolution at each place of the window (characters, window * F).
        filters, bias = self._joined(self.convolutions)
        size = self.embedding.embedding_dim
        by_place = filters.view(-1, size, filters.shape[1]).transpose(0, 1).reshape(size, -1)  # (D, window * F)
        # 2. The weights of the blocks, end to end.
        weights = list[Tensor]()
        for block in self.blocks:
            narrow = block.get_submodule("narrow")
            parts = narrow.get_parameter("weight").T, narrow.get_parameter("bias")
            weights += [part.flatten() for part in (*parts, *self._joined(block.get_submodule("convolutions")))]
        sizes = self.gap, self.filters, len(self.convolutions), len(self.blocks)
        table = self.embedding.weight @ by_place
        best: Tensor = _Compiled.apply(  # type: ignore[no-untyped-call]
            table, bias, torch.cat(weights), (characters, lengths), sizes
        )
        return best

    def _portable(self, characters: Tensor, lengths: Tensor) -> Tensor:
        """The same in plain torch, on any device."""
        # 1. What all convolutions have for each position (N, D). In gaps there is zero where a filter reads.
        is_character = characters.ne(PADDING).unsqueeze(1).to(self.embedding.weight.dtype)  # (N, 1)
        found = self._convolved(self.embedding(characters), self.convolutions)
        for block in self.blocks:
            narrow = block.get_submodule("narrow")(found).relu() * is_character
            found = torch.cat([found, self._convolved(narrow, block.get_submodule("convolutions"))], dim=1)
        # 2. The largest of each word. Nothing is below zero.
        return torch.segment_reduce(found * is_character, "max", lengths=lengths + self.gap, axis=0)

    def _convolved(self, values: Tensor, convolutions: nn.Module) -> Tensor:
        """Convolutions of several widths over values (N, D) that are zero in gaps, and ReLU: (N, filters * widths)."""
        # Each position beside its neighbours: one product for all positions and widths.
        filters, bias = self._joined(convolutions)
        padded = nn.functional.pad(values, (0, 0, self.gap, self.gap))
        windows = torch.cat([padded[first : first + len(values)] for first in range(2 * self.gap + 1)], dim=1)
        return torch.addmm(bias, windows, filters).relu()

    def _joined(self, convolutions: nn.Module) -> tuple[Tensor, Tensor]:
        """The filters as if all were as wide as the window, with zeros around them (window * D, F); biases (F,)."""
        weights, biases = list[Tensor](), list[Tensor]()
        for convolution in convolutions.children():
            weight = convolution.get_parameter("weight")  # (filters, D, width)
            width = weight.shape[2]
            before, behind = self.gap - width // 2, self.gap - (width - 1) // 2
            weights.append(nn.functional.pad(weight, (before, behind)))
            biases.append(convolution.get_parameter("bias"))
        return torch.cat(weights).permute(2, 1, 0).flatten(0, 1), torch.cat(biases)


class _Compiled(torch.autograd.Function):
    """All layers at once (`kernels/intnet.c`): the largest values within each word (W, D)."""

    @staticmethod
    def forward(
        ctx: Any,
        table: Tensor,
        bias: Tensor,
        weights: Tensor,
        words: tuple[Tensor, Tensor],
        sizes: tuple[int, int, int, int],
    ) -> Tensor:
        (characters, lengths), (gap, filters, widths, blocks) = words, sizes
        table, count = table.contiguous(), len(characters)
        first, of_block = len(bias), filters * widths
        found = table.new_empty(count, first + blocks * of_block)
        narrow = table.new_zeros(blocks, count + gap, filters)
        best = table.new_empty(len(lengths), found.shape[1])
        positions = torch.empty(best.shape, dtype=torch.int32 if table.dtype == torch.float32 else torch.int64)
        all_sizes = len(lengths), gap, first, filters, of_block, blocks, count
        inputs = (one.data_ptr() for one in (table, bias, weights, characters, lengths))
        outputs = (one.data_ptr() for one in (found, narrow, best, positions))
        kernel("intnet_forward", table.dtype)(*inputs, *all_sizes, *outputs)
        ctx.save_for_backward(weights, found, narrow, positions, characters, lengths)
        ctx.sizes, ctx.shape = all_sizes, table.shape
        return best

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_max: Tensor) -> tuple[Tensor | None, ...]:
        weights, found, narrow, positions, characters, lengths = ctx.saved_tensors
        _, gap, first, filters, of_block, blocks, _ = ctx.sizes
        window = 2 * gap + 1
        # 1. The matrices of the blocks as the gradient passes them, from the columns of their result to what they read.
        turned, begin = list[Tensor](), 0
        for block in range(blocks):
            columns = first + block * of_block
            read = weights[begin : begin + columns * filters].view(columns, filters)
            begin += (columns + 1) * filters
            convolved = weights[begin : begin + window * filters * of_block].view(window, filters, of_block)
            begin += (window * filters + 1) * of_block
            turned += [read.T.flatten(), convolved.flip(0).transpose(1, 2).flatten()]
        backwards = torch.cat(turned)
        # 2. All gradients.
        grad_max, longest = grad_max.contiguous(), int(lengths.max()) if len(lengths) else 0
        work = (
            grad_max.new_empty(longest, found.shape[1]),
            grad_max.new_empty(longest + 2 * gap, of_block),
            grad_max.new_empty(longest, filters),
        )
        gradients = grad_max.new_zeros(ctx.shape), grad_max.new_zeros(first), torch.zeros_like(weights)
        inputs = (one.data_ptr() for one in (grad_max, positions, found, narrow, backwards, characters, lengths))
        outputs = (one.data_ptr() for one in (*work, *gradients))
        kernel("intnet_backward", grad_max.dtype)(*inputs, *ctx.sizes, *outputs)
        return *gradients, None, None


def _convolutions(size: int, filters: int, widths: Sequence[int]) -> nn.ModuleList:
    return nn.ModuleList(nn.Conv1d(size, filters, width) for width in widths)
