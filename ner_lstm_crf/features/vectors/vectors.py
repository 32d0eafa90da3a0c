"""Pretrained word vectors: GloVe, word2vec and fastText files, and what share of a text they know.

Text with or without a header line and word2vec binary, each plain or packed (gzip, xz, bzip2, or a zip archive of one
file); which of these a file is, its content tells. Reading streams: only the rows that are kept are in memory.
"""

from __future__ import annotations

import logging
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from os import PathLike

import numpy as np
import numpy.typing as npt

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.vectors.rows import RowLayout, RowStore, detect_layout, read_binary_rows, read_text_rows
from ner_lstm_crf.features.vocabulary import spellings
from ner_lstm_crf.files.compression import open_compressed
from ner_lstm_crf.progress import Progress, silent

__all__ = ["HOW", "Coverage", "Vectors", "coverage", "read_vectors"]

_LOGGER = logging.getLogger(__name__)
_HEAD = 1 << 20  # bytes that decide the layout: enough for a hundred lines of any size in use

HOW = ("surface", "lower", "digits", "missing")
"""How a word is known: as it stands, in lower case, with its digits as 0 (in either case), or not at all."""


@dataclass(frozen=True, slots=True, eq=False)
class Vectors:
    """Words and their pretrained vectors.

    Attributes:
        words: The distinct words, in the order of the file (most frequent first, in published files).
        matrix: Their vectors, (N, D) float32.
        rows: The rows of the file that were seen, kept or not; 0 where the vectors come from no file.
        beyond: How many of the words stand beyond the limit, and are kept since they are needed.
    """

    words: tuple[str, ...] = field(repr=False)
    matrix: npt.NDArray[np.float32] = field(repr=False)
    rows: int = 0
    beyond: int = 0

    def __len__(self) -> int:
        return len(self.words)

    @property
    def size(self) -> int:
        """Values per vector, D."""
        return int(self.matrix.shape[1])


def read_vectors(
    path: str | PathLike[str],
    *,
    needed: Container[str] | None = None,
    limit: int | None = None,
    progress: Progress = silent,
) -> Vectors:
    """Read the vectors of a file.

    Where a word occurs twice, its first vector is kept. Words may hold spaces (`. . .` in GloVe 840B): the last D
    fields are the values. The rows of words that are not needed are counted but not parsed, so a broken value in them
    goes unseen.

    Args:
        path: GloVe, word2vec or fastText text, or word2vec binary, plain or packed.
        needed: Keep these words, wherever they stand.
        limit: Keep the words of so many rows at the beginning; published files have the most frequent words first.
            Without `needed`, no more is read. With neither, all words are kept; with `needed` alone, no others.
        progress: Told the bytes read of the file on disk, and its size.

    Raises:
        InputError: If the file is missing, empty, damaged, ends early or holds something else; if a row has another
            number of values than the rest or a value that is no finite number, with the line.
        ValueError: If `limit` is less than 1.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"expected a limit of at least 1, got {limit}")
    with open_compressed(path, zip_allowed=True) as source:
        head = source.stream.read(_HEAD)
        layout = detect_layout(head, source)
        store = RowStore(layout.size, needed, limit)
        read = read_binary_rows if layout.binary else read_text_rows
        read(source, head, layout, store, progress=progress)
        progress(source.total, source.total)
    if not store.seen:
        raise InputError("expected word vectors, found only a header line", path=path)
    _report(path, layout, store)
    return Vectors(tuple(store.words), store.matrix(), store.seen, store.beyond)


def _report(path: str | PathLike[str], layout: RowLayout, store: RowStore) -> None:
    """Log what a careful reader would want to know."""
    if layout.count is not None and store.seen != layout.count and not store.full:
        _LOGGER.warning("%s: the header announces %d vectors, the file holds %d", path, layout.count, store.seen)
    if store.goes_on:
        _LOGGER.warning("%s: the header announces %d vectors, the file goes on: the rest is not read", path, store.seen)
    if store.duplicates:
        _LOGGER.warning("%s: kept the first vector of words that occur again (%d rows)", path, store.duplicates)
    if store.nameless:
        _LOGGER.warning("%s: left out %d rows whose word is empty or not UTF-8", path, store.nameless)


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many words of a text have a vector.

    Attributes:
        types: The number of distinct words, for each of `HOW`.
        tokens: The number of their occurrences, for each of `HOW`.
    """

    types: Mapping[str, int]
    tokens: Mapping[str, int]

    def share(self, how: str, *, of: str = "tokens") -> float:
        """The share of tokens (or of types) known so; 0 for an empty text."""
        counts = self.tokens if of == "tokens" else self.types
        return counts[how] / (sum(counts.values()) or 1)

    def __str__(self) -> str:
        """One line: `vectors know 98.3% of 1,204 tokens (surface 90.1%, ...), 93.0% of 402 word types`."""
        parts = ", ".join(f"{how} {self.share(how):.1%}" for how in HOW)
        tokens, types = sum(self.tokens.values()), sum(self.types.values())
        return (
            f"vectors know {1 - self.share('missing'):.1%} of {tokens:,} tokens ({parts}), "
            f"{1 - self.share('missing', of='types'):.1%} of {types:,} word types"
        )


def coverage(known: Container[str], counts: Mapping[str, int]) -> Coverage:
    """How many of the words that occur so often have a vector, and under which spelling.

    Args:
        known: The words that have a vector: a set, not a tuple, since it is searched four times a word.
        counts: Every form of the text and how often it occurs.

    Example:
        >>> coverage({"rome", "in"}, {"Rome": 3, "in": 6, "Oslo": 1}).tokens
        {'surface': 6, 'lower': 3, 'digits': 0, 'missing': 1}
    """
    types, tokens = dict.fromkeys(HOW, 0), dict.fromkeys(HOW, 0)
    for form, count in counts.items():
        how = next((min(rank, 2) for rank, spelling in enumerate(spellings(form)) if spelling in known), 3)
        types[HOW[how]] += 1
        tokens[HOW[how]] += count
    return Coverage(types, tokens)
