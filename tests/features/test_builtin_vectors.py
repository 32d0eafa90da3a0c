"""The vectors of characters and of words that come with the package."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from ner_lstm_crf.features.lexicon import builtin_words
from ner_lstm_crf.features.vectors import Vectors, builtin_character_vectors, builtin_lexicon_vectors


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


@pytest.fixture(scope="module")
def of_words() -> Vectors:
    return builtin_lexicon_vectors()


def test_those_of_the_lexicon_are_of_words_of_it_mostly_and_the_first_values_spread_most(of_words: Vectors) -> None:
    assert len(of_words) > 40_000
    assert min(map(len, of_words.words)) == 2
    lexicon = builtin_words()
    known = [word in lexicon for word in of_words.words]
    assert sum(known) > 0.95 * len(known)
    spread = of_words.matrix[known].std(0)
    assert (spread[:-1] >= spread[1:] - 0.01).all()
    assert of_words.matrix[known].std() == pytest.approx(0.4, abs=0.01)


def test_fewer_values_are_the_first_and_more_are_zero(of_words: Vectors) -> None:
    assert np.array_equal(builtin_lexicon_vectors(7).matrix, of_words.matrix[:, :7])
    larger = builtin_lexicon_vectors(60).matrix
    assert np.array_equal(larger[:, :50], of_words.matrix)
    assert not larger[:, 50:].any()


@pytest.mark.parametrize(
    ("word", "others"),
    [
        ("毛泽东", "蒋介石 刘少奇 曹操"),
        ("北京", "上海 重庆 西安"),
        ("市长", "院长 局长 主席"),
        ("微软", "惠普 英特尔 佳能"),
    ],
)
def test_words_of_a_kind_are_near(of_words: Vectors, word: str, others: str) -> None:
    assert len(near(of_words, word, 30) & set(others.split())) >= 2
