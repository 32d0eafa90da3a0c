"""Vectors of forms are computed once, never old, and stay valid for whoever holds them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from ner_lstm_crf.config import Config
from ner_lstm_crf.data.annotation import Sentence
from ner_lstm_crf.features.vectors import Vectors
from ner_lstm_crf.tasks import form_vectors as module
from ner_lstm_crf.tasks.assembly import Assembly, assemble
from ner_lstm_crf.tasks.form_vectors import FormVectors

Make = Callable[..., list[Sentence]]
WORDS = ["Anna", "met", "", "Öslo-3", "x" * 300, "nowhere"]


@pytest.fixture
def assembly(make_sentences: Make, tiny: Config) -> Assembly:
    size = tiny.model.word_size
    vectors = Vectors(("nowhere",), torch.full((1, size), 0.5).numpy())  # which training does not have: in the reserve
    made = assemble(make_sentences(20), tiny.model, vectors=vectors)
    made.network.eval()
    return made


def expected(assembly: Assembly, words: list[str]) -> torch.Tensor:
    """The vector of each word, computed from nothing."""
    with torch.no_grad():
        return torch.stack(
            [
                assembly.network.embedding(assembly.featurizer.collate([assembly.featurizer.encode([word])]))[0, 0]
                for word in words
            ]
        )


def test_each_form_is_computed_once(assembly: Assembly, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ROOM", 2)
    monkeypatch.setattr(module, "_CHARACTERS_AT_ONCE", 10)
    table, embedding = assembly.featurizer.table, assembly.network.embedding
    computed: list[int] = []
    original = embedding.form_vectors

    def counted(words: torch.Tensor, *rest: torch.Tensor) -> torch.Tensor:
        computed.append(len(words))
        return original(words, *rest)

    monkeypatch.setattr(embedding, "form_vectors", counted)
    table.rows(["a", "lot", "of", "others"])
    vectors, rows = FormVectors(embedding, table), table.rows(WORDS * 2)
    for _ in range(2):
        torch.testing.assert_close(vectors.of(rows)[rows], expected(assembly, WORDS * 2))
    assert sum(computed) == len(WORDS)
    assert len(computed) > 1  # a bounded number of characters at once
    more = table.rows(["one", "more", *WORDS])
    torch.testing.assert_close(vectors.of(more)[more], expected(assembly, ["one", "more", *WORDS]))
    assert sum(computed) == len(WORDS) + 2


@pytest.mark.parametrize("part", ["word.trained", "word.reserve", "casing.weight", "characters.convolutions.0.weight"])
def test_they_follow_every_weight(assembly: Assembly, part: str) -> None:
    table, embedding = assembly.featurizer.table, assembly.network.embedding
    assert len(embedding.word.reserve) == 1
    vectors, rows = FormVectors(embedding, table), table.rows(WORDS)
    before = vectors.of(rows)[rows].clone()
    tensors = dict(embedding.named_parameters()) | dict(embedding.named_buffers())
    with torch.no_grad():
        tensors[part].add_(1)
    known = table.generation
    torch.testing.assert_close(vectors.of(rows)[rows], expected(assembly, WORDS))
    assert table.generation == known
    assert not torch.equal(vectors.of(rows)[rows], before)
    embedding.load_state_dict({name: tensor * 2 for name, tensor in embedding.state_dict().items()}, assign=True)
    torch.testing.assert_close(vectors.of(rows)[rows], expected(assembly, WORDS))


def test_a_cleared_table_leaves_what_was_given_out(assembly: Assembly) -> None:
    table = assembly.featurizer.table
    vectors, rows = FormVectors(assembly.network.embedding, table), table.rows(WORDS)
    given, content = vectors.of(rows), vectors.of(rows)[rows].clone()
    table.clear()
    others = table.rows(["entirely", "different", *WORDS])
    torch.testing.assert_close(vectors.of(others)[others], expected(assembly, ["entirely", "different", *WORDS]))
    assert torch.equal(given[rows], content)
