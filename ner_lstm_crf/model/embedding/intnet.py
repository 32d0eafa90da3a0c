"""IntNet: dense convolutions over the characters of a word (Xin et al. 2018, section 3)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.features.characters import Characters
from ner_lstm_crf.features.vocabulary import PADDING
from ner_lstm_crf.kernels import available_for
from ner_lstm_crf.model.embedding.characters import CharacterVectors, largest


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
        # 1. What all convolutions have for each position (N, D). In gaps there is zero where a filter reads.
        is_character = characters.ne(PADDING).unsqueeze(1).to(self.embedding.weight.dtype)  # (N, 1)
        found = self._convolved(self.embedding(characters), self.convolutions)
        for block in self.blocks:
            narrow = block.get_submodule("narrow")(found).relu() * is_character
            found = torch.cat([found, self._convolved(narrow, block.get_submodule("convolutions"))], dim=1)
        # 2. The largest of each word. Nothing is below zero.
        if available_for(found):
            positions = torch.arange(len(characters), device=characters.device)
            return largest(found, positions, lengths, self.gap, 1)
        return torch.segment_reduce(found * is_character, "max", lengths=lengths + self.gap, axis=0)

    def _convolved(self, values: Tensor, convolutions: nn.Module) -> Tensor:
        """Convolutions of several widths over values (N, D) that are zero in gaps, and ReLU: (N, filters * widths)."""
        # 1. The filters as if all were as wide as the widest, with zeros around them.
        weights, biases = list[Tensor](), list[Tensor]()
        for convolution in convolutions.children():
            weight = convolution.get_parameter("weight")  # (filters, D, width)
            width = weight.shape[2]
            before, behind = self.gap - width // 2, self.gap - (width - 1) // 2
            weights.append(nn.functional.pad(weight, (before, behind)))
            biases.append(convolution.get_parameter("bias"))
        matrix = torch.cat(weights).permute(2, 1, 0).flatten(0, 1)  # (window * D, filters * widths)
        # 2. Each position beside its neighbours: one product for all positions and widths.
        padded = nn.functional.pad(values, (0, 0, self.gap, self.gap))
        windows = torch.cat([padded[first : first + len(values)] for first in range(2 * self.gap + 1)], dim=1)
        return torch.addmm(torch.cat(biases), windows, matrix).relu()


def _convolutions(size: int, filters: int, widths: Sequence[int]) -> nn.ModuleList:
    return nn.ModuleList(nn.Conv1d(size, filters, width) for width in widths)
