"""Batches of made-up numbers: what the network reads, without strings."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch

from ner_lstm_crf.features.batch import Batch

MakeBatch = Callable[..., Batch]


@pytest.fixture(scope="session")
def make_batch() -> MakeBatch:
    """Makes a batch of sentences of word ids, the characters and casing of a word being a function of its id.

    Word `w` has `1 + w % 4` characters, all `1 + w % 6`, and casing `w % 5`.
    """

    def make(sentences: Sequence[Sequence[int]], *, gap: int = 1, tags: Sequence[Sequence[int]] | None = None) -> Batch:
        words = sorted({word for sentence in sentences for word in sentence})
        spelled = [[1 + word % 6] * (1 + word % 4) for word in words]
        return Batch(
            words=torch.tensor(words),
            casings=torch.tensor([word % 5 for word in words]),
            characters=torch.tensor([character for word in spelled for character in [*word, *[0] * gap]]),
            character_counts=torch.tensor([len(word) for word in spelled]),
            tokens=padded([[words.index(word) for word in sentence] for sentence in sentences]),
            lengths=torch.tensor([len(sentence) for sentence in sentences]),
            tags=None if tags is None else padded(tags),
        )

    return make


def padded(rows: Sequence[Sequence[int]]) -> torch.Tensor:
    """Rows of unlike length, filled up with zeros."""
    longest = max(len(row) for row in rows)
    return torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows])
