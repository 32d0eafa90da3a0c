"""The vectors of Chinese characters that come with the package."""

from __future__ import annotations

from pathlib import Path

from ner_lstm_crf.features.vectors.vectors import Vectors, read_vectors

__all__ = ["CHARACTER_VECTORS", "character_vectors"]

CHARACTER_VECTORS = Path(__file__).parents[2] / "shipped" / "characters.100d.txt.xz"
"""The file: text as that of GloVe, packed, made by `scripts/make_character_vectors.py` from jieba's dictionary."""


def character_vectors() -> Vectors:
    """Vectors of 100 values of 9,000 characters, simplified and traditional, by the words they are part of.

    Characters that make the same kind of words in the same places lie beside each other, such as family names. A
    traditional character with few words of its own in the dictionary has the vector of its simplified form.
    """
    return read_vectors(CHARACTER_VECTORS)
