"""Batches of like length."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from ner_lstm_crf.features.batching import batches_by_length, shuffled_batches

LENGTHS = st.lists(st.integers(1, 60), max_size=80)


@given(LENGTHS, st.integers(1, 9), st.integers(1, 100), st.integers(0, 5))
def test_each_sentence_is_in_one_batch_within_the_limits(
    lengths: list[int], sentences: int, tokens: int, seed: int
) -> None:
    shuffled = shuffled_batches(lengths, np.random.default_rng(seed), sentences=sentences, tokens=tokens)
    for batches in (batches_by_length(lengths, sentences=sentences, tokens=tokens), shuffled):
        assert sorted(number for batch in batches for number in batch) == list(range(len(lengths)))
        for batch in batches:
            assert len(batch) <= sentences
            assert len(batch) == 1 or len(batch) * max(lengths[number] for number in batch) <= tokens


def test_like_lengths_share_a_batch() -> None:
    lengths = np.random.default_rng(0).integers(1, 60, 1000).tolist()
    batches = shuffled_batches(lengths, np.random.default_rng(1), sentences=32, tokens=10_000)
    padded = sum(len(batch) * max(lengths[number] for number in batch) for batch in batches)
    assert padded < 1.3 * sum(lengths)


def test_another_epoch_has_other_neighbours_and_the_same_seed_the_same() -> None:
    lengths = [5, 6, 7, 8] * 20
    first, again, other = (
        shuffled_batches(lengths, np.random.default_rng(seed), sentences=8, tokens=100) for seed in (1, 1, 2)
    )
    assert first == again != other
