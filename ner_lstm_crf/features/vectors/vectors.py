"""Pretrained word vectors: GloVe, word2vec and fastText files, and what share of a text they know.

The formats are text with or without a header line, and word2vec binary, each plain or compressed (gzip, xz, bzip2, or a
zip archive of one file); the content of a file decides, not its name. Only the rows that are kept are held in memory.
"""

from __future__ import annotations

import logging
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.vectors.rows import RowStore, detect_layout, read_binary_rows, read_text_rows
from ner_lstm_crf.features.vocabulary import spellings
from ner_lstm_crf.files.text import open_compressed
from ner_lstm_crf.progress import Progress, silent

__all__ = [
    "CHARACTER_VECTORS",
    "MATCHES",
    "Coverage",
    "Vectors",
    "builtin_character_vectors",
    "coverage",
    "read_vectors",
]

_log = logging.getLogger(__name__)
_HEAD = 1 << 20  # bytes that decide the layout: enough for a hundred lines of any size in use

CHARACTER_VECTORS = Path(__file__).parents[2] / "shipped" / "characters.100d.txt.xz"
"""The file of `builtin_character_vectors`, as GloVe's text, made by `scripts/make_character_vectors.py`."""

MATCHES = ("surface", "lower", "digits", "missing")
"""The spelling under which a word has a vector: its own, in lower case, with digits as 0 (in either case), or none."""


@dataclass(frozen=True, slots=True, eq=False)
class Vectors:
    """Words and their pretrained vectors.

    Attributes:
        words: The distinct words, in the order of the file (most frequent first, in published files).
        matrix: Their vectors, (N, D) float32.
        rows: The number of rows of the file that were read, kept or not; 0 if the vectors come from no file.
        beyond: The number of words beyond the limit, which were kept because they are needed.
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
        path: GloVe, word2vec or fastText text, or word2vec binary, plain or compressed.
        needed: Keep these words, in any row.
        limit: Keep the words of so many rows at the beginning; published files have the most frequent words first.
            Without `needed`, no more is read. With neither, all words are kept; with `needed` alone, no others.
        progress: Called with the bytes read of the file on disk, and its size.

    Raises:
        InputError: If the file is missing, empty, damaged, ends early or holds something else; if a row has another
            number of values than the rest or a value that is no finite number, with the line.
        ValueError: If `limit` is less than 1.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"expected a limit of at least 1, got {limit}")
    with open_compressed(path, zip_allowed=True) as file:
        head = file.stream.read(_HEAD)
        layout = detect_layout(head, file.path)
        store = RowStore(layout.size, needed, limit)
        read = read_binary_rows if layout.binary else read_text_rows
        read(file, head, layout, store, progress=progress)
        progress(file.total, file.total)
    if not store.seen:
        raise InputError("expected word vectors, found only a header line", path=path)
    if layout.count is not None and store.seen != layout.count and not store.full:
        _log.warning("%s: the header announces %d vectors, the file holds %d", path, layout.count, store.seen)
    if store.goes_on:
        _log.warning("%s: the header announces %d vectors, the file goes on: the rest is not read", path, store.seen)
    if store.duplicates:
        _log.warning("%s: kept the first vector of words that occur again (%d rows)", path, store.duplicates)
    if store.nameless:
        _log.warning("%s: left out %d rows whose word is empty or not UTF-8", path, store.nameless)
    return Vectors(tuple(store.words), store.matrix(), store.seen, store.beyond)


def builtin_character_vectors() -> Vectors:
    """The vectors of Chinese characters that come with the package: 100 values of each of 9,000 characters.

    They were made from the words of jieba's dictionary. Characters that make the same kind of words in the same places,
    such as family names, have similar vectors. A traditional character with few words of its own in the dictionary has
    the vector of its simplified form.
    """
    return read_vectors(CHARACTER_VECTORS)


@dataclass(frozen=True, slots=True)
class Coverage:
    """The share of a text's words that have a vector.

    Attributes:
        types: The number of distinct words, for each of `MATCHES`.
        tokens: The number of their occurrences, for each of `MATCHES`.
    """

    types: Mapping[str, int]
    tokens: Mapping[str, int]

    def share(self, match: str, *, of: str = "tokens") -> float:
        """The share of tokens (or of types) with this match; 0 for an empty text."""
        counts = self.tokens if of == "tokens" else self.types
        return counts[match] / (sum(counts.values()) or 1)

    def __str__(self) -> str:
        """One line: `vectors know 98.3% of 1,204 tokens (surface 90.1%, ...), 93.0% of 402 word types`."""
        parts = ", ".join(f"{match} {self.share(match):.1%}" for match in MATCHES)
        tokens, types = sum(self.tokens.values()), sum(self.types.values())
        return (
            f"vectors know {1 - self.share('missing'):.1%} of {tokens:,} tokens ({parts}), "
            f"{1 - self.share('missing', of='types'):.1%} of {types:,} word types"
        )


def coverage(known: Container[str], counts: Mapping[str, int]) -> Coverage:
    """Count the words that have a vector, by the spelling under which they have it.

    Args:
        known: The words that have a vector; a set, since it is searched four times per word.
        counts: The number of occurrences of every word of the text.

    Example:
        >>> coverage({"rome", "in"}, {"Rome": 3, "in": 6, "Oslo": 1}).tokens
        {'surface': 6, 'lower': 3, 'digits': 0, 'missing': 1}
    """
    types, tokens = dict.fromkeys(MATCHES, 0), dict.fromkeys(MATCHES, 0)
    for word, count in counts.items():
        match = next((min(rank, 2) for rank, spelling in enumerate(spellings(word)) if spelling in known), 3)
        types[MATCHES[match]] += 1
        tokens[MATCHES[match]] += count
    return Coverage(types, tokens)
