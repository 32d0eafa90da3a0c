"""The characters of a word, of which convolutions make a vector (Ma and Hovy 2016, section 2.1; Xin et al. 2018)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.features.token_feature import Column, Ids, Resources, Rows, SavedFeature, TypeFeature, grown
from ner_lstm_crf.features.vocabulary import PADDING, UNKNOWN, Vocabulary, by_frequency


class Spellings(NamedTuple):
    """The characters of words.

    Attributes:
        characters: Character ids of all words, each word followed by a gap of zeros (N,).
        lengths: Characters of each word, at least 1, without the gap (W,).
    """

    characters: Ids
    lengths: Ids


class Characters(TypeFeature):
    """The characters of a word.

    Args:
        vocabulary: The characters of the training data, most frequent first.
        gap: Zeros after each word, so that no filter sees two words.
    """

    name = "characters"

    def __init__(self, vocabulary: Vocabulary, gap: int) -> None:
        self.vocabulary, self.gap = vocabulary, gap

    @classmethod
    def build(cls, resources: Resources) -> Characters | None:
        """See `TokenFeature.build`."""
        config = resources.config
        if not config.char_filters:
            return None
        counts: dict[str, int] = {}
        for word, count in resources.counts.items():
            for character in word:
                counts[character] = counts.get(character, 0) + count
        return cls(Vocabulary(by_frequency(counts)), max(config.char_widths) // 2)

    @classmethod
    def load(cls, saved: SavedFeature) -> Characters:
        """See `TokenFeature.load`."""
        return cls(Vocabulary.from_json(saved.value), max(saved.config.char_widths) // 2)

    def to_json(self) -> Any:
        """The list of characters."""
        return list(self.vocabulary.symbols)

    def column(self) -> SpellingColumn:
        """A column of several numbers a word."""
        return SpellingColumn(self)

    def vector_size(self, config: ModelConfig) -> int:
        """See `TokenFeature.vector_size`."""
        filters = config.char_filters
        if config.char_encoder == "intnet":
            filters = config.char_size + config.char_blocks * config.char_filters
        return filters * len(config.char_widths)

    def weight_shapes(self, config: ModelConfig) -> Mapping[str, tuple[int, ...]]:
        """See `TokenFeature.weight_shapes`."""
        shapes: dict[str, tuple[int, ...]] = {"embedding.weight": (len(self.vocabulary), config.char_size)}
        filters = config.char_filters
        if config.char_encoder == "intnet":
            # The first convolution keeps the size of the embedding; each block reads all that is before it.
            count, size = len(config.char_widths), config.char_size
            for block in range(config.char_blocks):
                own = f"blocks.{block}."
                shapes[f"{own}narrow.weight"] = (filters, (size + block * filters) * count)
                shapes[f"{own}narrow.bias"] = (filters,)
                shapes |= _convolutions(own, config.char_widths, filters, filters)
            filters = size
        return shapes | _convolutions("", config.char_widths, filters, config.char_size)

    def extended(self, resources: Resources, _: Rows | None) -> Characters:
        """These characters, and behind them those that only the other training data have."""
        new = Characters.build(resources)
        return self if new is None else Characters(self.vocabulary.extended(new.vocabulary.symbols), self.gap)


def _convolutions(prefix: str, widths: Sequence[int], filters: int, size: int) -> dict[str, tuple[int, ...]]:
    """The shapes of convolutions of several widths over vectors of a size."""
    shapes: dict[str, tuple[int, ...]] = {}
    for number, width in enumerate(widths):
        shapes[f"{prefix}convolutions.{number}.weight"] = (filters, size, width)
        shapes[f"{prefix}convolutions.{number}.bias"] = (filters,)
    return shapes


class SpellingColumn(Column):
    """The characters of word types, end to end in one array that grows, each word followed by a gap of zeros.

    Args:
        characters: The feature.
    """

    def __init__(self, characters: Characters) -> None:
        super().__init__(characters)
        self._characters = characters
        self._ends = np.zeros(1024, np.int64)  # of each word, gap included; its length is in the column's own numbers
        self._flat = np.zeros(8192, np.int64)

    def write(self, first: int, words: Sequence[str]) -> None:
        """Set the characters of these words, whose rows begin with `first`. An empty word has one, the unknown one."""
        get, gap = self._characters.vocabulary.id_of.get, self._characters.gap
        ids = np.array([get(character, UNKNOWN) for word in words for character in word or [""]], np.int64)
        lengths = np.array([len(word) or 1 for word in words], np.int64)
        used, last = int(self._ends[first - 1]) if first else 0, first + len(words)
        ends = used + (lengths + gap).cumsum()
        self._values, self._ends = grown(self._values, last), grown(self._ends, last)
        self._values[first:last], self._ends[first:last] = lengths, ends
        self._flat = grown(self._flat, int(ends[-1]))
        self._flat[used : ends[-1]] = PADDING
        gaps = np.repeat(np.arange(len(words)) * gap, lengths)  # before each character, among the new words
        self._flat[used + np.arange(len(ids)) + gaps] = ids

    def inputs(self, rows: Ids) -> Spellings:
        """The characters of these rows (W,)."""
        lengths, ends = self._values[rows], self._ends[rows]
        widths = lengths + self._characters.gap
        ends_here = widths.cumsum()
        shifts = ends - ends_here  # of each word, from its positions in the result to those in the flat array
        positions = np.arange(ends_here[-1] if len(rows) else 0) + np.repeat(shifts, widths)
        return Spellings(self._flat[positions], lengths)
