"""Vectors of forms are computed once, never old, and stay valid for whoever holds them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from ner_lstm_crf.model.type_vectors import TypeVectorCache

from ner_lstm_crf.config import Config
from ner_lstm_crf.features.vectors.vectors import Vectors
from ner_lstm_crf.model import type_vectors as module
from ner_lstm_crf.saving.model import Model, build_model
from ner_lstm_crf.text.annotation import Sentence

Make = Callable[..., list[Sentence]]
WORDS = ["Anna", "met", "", "Öslo-3", "x" * 300, "nowhere"]


@pytest.fixture
def model(make_sentences: Make, tiny: Config) -> Model:
    size = tiny.model.word_size
    vectors = Vectors(("nowhere",), torch.full((1, size), 0.5).numpy())  # which training does not have: in the reserve
    made = build_model(make_sentences(20), tiny.model, vectors=vectors)
    made.network.eval()
    return made


def expected(model: Model, words: list[str]) -> torch.Tensor:
    """The vector of each word, computed from nothing."""
    with torch.no_grad():
        return torch.stack(
            [
                model.network.embedding(model.featurizer.collate([model.featurizer.encode([word])]))[0, 0]
                for word in words
            ]
        )


def test_each_form_is_computed_once(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ROOM", 2)
    monkeypatch.setattr(module, "_CHARACTERS_AT_ONCE", 10)
    table, embedding = model.featurizer.table, model.network.embedding
    computed: list[int] = []
    original = embedding.type_vectors

    def counted(words: torch.Tensor, *rest: torch.Tensor) -> torch.Tensor:
        computed.append(len(words))
        return original(words, *rest)

    monkeypatch.setattr(embedding, "type_vectors", counted)
    table.rows(["a", "lot", "of", "others"])
    vectors, rows = TypeVectorCache(embedding, table), table.rows(WORDS * 2)
    for _ in range(2):
        torch.testing.assert_close(vectors.of(rows)[rows], expected(model, WORDS * 2))
    assert sum(computed) == len(WORDS)
    assert len(computed) > 1  # a bounded number of characters at once
    more = table.rows(["one", "more", *WORDS])
    torch.testing.assert_close(vectors.of(more)[more], expected(model, ["one", "more", *WORDS]))
    assert sum(computed) == len(WORDS) + 2


@pytest.mark.parametrize("part", ["word.trained", "word.reserve", "casing.weight", "characters.convolutions.0.weight"])
def test_they_follow_every_weight(model: Model, part: str) -> None:
    table, embedding = model.featurizer.table, model.network.embedding
    assert len(embedding.word.reserve) == 1
    vectors, rows = TypeVectorCache(embedding, table), table.rows(WORDS)
    before = vectors.of(rows)[rows].clone()
    tensors = dict(embedding.named_parameters()) | dict(embedding.named_buffers())
    with torch.no_grad():
        tensors[part].add_(1)
    known = table.generation
    torch.testing.assert_close(vectors.of(rows)[rows], expected(model, WORDS))
    assert table.generation == known
    assert not torch.equal(vectors.of(rows)[rows], before)
    embedding.load_state_dict({name: tensor * 2 for name, tensor in embedding.state_dict().items()}, assign=True)
    torch.testing.assert_close(vectors.of(rows)[rows], expected(model, WORDS))


def test_a_cleared_table_leaves_what_was_given_out(model: Model) -> None:
    table = model.featurizer.table
    vectors, rows = TypeVectorCache(model.network.embedding, table), table.rows(WORDS)
    given, content = vectors.of(rows), vectors.of(rows)[rows].clone()
    table.clear()
    others = table.rows(["entirely", "different", *WORDS])
    torch.testing.assert_close(vectors.of(others)[others], expected(model, ["entirely", "different", *WORDS]))
    assert torch.equal(given[rows], content)
