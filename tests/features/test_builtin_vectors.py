"""The vectors of characters that come with the package."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from ner_lstm_crf.features.vectors import Vectors, builtin_character_vectors


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    return builtin_character_vectors()


def near(vectors: Vectors, character: str, count: int) -> set[str]:
    """The characters whose vectors point the same way, but for itself."""
    likeness = vectors.matrix @ vectors.matrix[vectors.words.index(character)]
    likeness /= np.linalg.norm(vectors.matrix, axis=1)
    return {vectors.words[row] for row in np.argsort(-likeness)[: count + 1]} - {character}


def test_they_are_of_single_characters_and_of_the_size_and_spread_of_glove(vectors: Vectors) -> None:
    assert len(vectors) > 9_000
    assert all(len(character) == 1 for character in vectors.words)
    assert len(set(vectors.words)) == len(vectors)
    assert vectors.size == 100
    assert np.allclose(np.linalg.norm(vectors.matrix, axis=1), 0.4 * 10, atol=0.05)


def test_hardly_any_share_a_vector(vectors: Vectors) -> None:
    """But for a character and its traditional forms: there is something to be said of each."""
    sharing = Counter(row.tobytes() for row in vectors.matrix)
    assert max(sharing.values()) <= 8
    assert sum(count for count in sharing.values() if count > 2) < 0.1 * len(vectors)


@pytest.mark.parametrize(
    ("character", "others"), [("李", "王刘陈张"), ("三", "四五六七"), ("局", "厅部署"), ("娅", "婭娜")]
)
def test_what_makes_the_same_kind_of_words_is_near(vectors: Vectors, character: str, others: str) -> None:
    assert len(near(vectors, character, 30) & set(others)) >= 2
    assert not near(vectors, character, 30) & set("的打吃走")


@pytest.mark.parametrize("pair", ["国國", "陈陳", "龙龍"])
def test_a_traditional_character_has_the_vector_of_its_simplified_form(vectors: Vectors, pair: str) -> None:
    simple, traditional = (vectors.matrix[vectors.words.index(character)] for character in pair)
    assert np.array_equal(simple, traditional)
