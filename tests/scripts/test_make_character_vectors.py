"""Vectors of characters from a dictionary."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

import make_character_vectors


def test_a_character_is_described_by_kind_place_and_neighbours() -> None:
    described = defaultdict(float)
    for character, description, weight in make_character_vectors.descriptions("北京市", "ns"):
        described[character, description] += weight
    assert {description: weight for (character, description), weight in described.items() if character == "京"} == {
        "kind ns": 1,
        "inner of kind ns": 1,
        "place 1 of 3": 1,
        "before 市": 1,
        "after 北": 1,
        "with 北": 0.5,
        "with 市": 0.5,
    }
    assert described["北", "first of kind ns"] == described["市", "last of kind ns"] == 1
    assert ("北", "after 京") not in described
    assert [name for _, name, _ in make_character_vectors.descriptions("人", "n")] == [
        "kind n",
        "only of kind n",
        "place 0 of 1",
    ]


def test_characters_of_like_descriptions_lie_beside_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_character_vectors, "SIZE", 3)
    monkeypatch.setattr(make_character_vectors, "LEAST_WEIGHT", 0.0)
    monkeypatch.setattr(make_character_vectors, "EXTRA", 2)
    weights = {(name, f"name {number}"): 9.0 for name in "王李张" for number in range(6)}
    weights |= {(name, f"place {number}"): 9.0 for name in "京沪" for number in range(6)}
    characters, vectors = make_character_vectors.character_rows(weights)
    assert characters == sorted("王李张京沪")
    assert vectors.shape == (5, 3)
    assert np.allclose(np.linalg.norm(vectors, axis=1), make_character_vectors.SPREAD * 3**0.5, atol=1e-4)
    likeness = vectors @ vectors.T / np.linalg.norm(vectors, axis=1)[:, None] ** 2
    alike = np.array([[(one in "京沪") == (other in "京沪") for other in characters] for one in characters])
    assert likeness[alike].min() > 0.9
    assert likeness[~alike].max() < 0
