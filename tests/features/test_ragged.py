"""Flat sentences: every token in one batch, at its place, in few shapes."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from ner_lstm_crf.features.ragged import RaggedSentences, rounded_up
from ner_lstm_crf.features.transformer.windows import Framing, cut_windows

from ner_lstm_crf.features.batch import EncodedSentence

Lengths = st.lists(st.integers(0, 40), max_size=60)


def flat(lengths: list[int]) -> RaggedSentences:
    """Sentences whose forms are numbered through."""
    return RaggedSentences(np.arange(sum(lengths)), np.array(lengths, np.int64))


@given(Lengths, st.integers(1, 20), st.integers(1, 100))
def test_every_token_is_in_one_batch_beside_its_neighbours(lengths: list[int], sentences: int, tokens: int) -> None:
    all_sentences = flat(lengths)
    seen = np.zeros(sum(lengths), np.int64)
    for numbers in all_sentences.batches(sentences=sentences, tokens=tokens):
        places, real = all_sentences.places(numbers)
        batch = all_sentences.batch(numbers, places)
        assert len(numbers) <= sentences
        assert places.size <= tokens or len(numbers) == 1
        assert batch.rows.shape == places.shape
        for row, number in enumerate(numbers):
            length = int(batch.lengths[row])
            assert length == lengths[number] == real[row].sum() > 0
            first = sum(lengths[:number])
            assert batch.rows[row, :length].tolist() == list(range(first, first + length))
        seen[places[real]] += 1
    assert seen.tolist() == [1] * len(seen)


def test_shapes_are_few_however_the_lengths_vary() -> None:
    random, shapes = np.random.default_rng(0), set()
    for _ in range(200):
        lengths = random.geometric(0.05, 300).tolist()
        sentences = flat(lengths)
        for numbers in sentences.batches(sentences=64, tokens=1024):
            shapes.add(sentences.places(numbers)[0].shape)
    assert len(shapes) < 150


@given(st.integers(1, 10_000_000))
def test_lengths_are_rounded_up_by_an_eighth_at_most(tokens: int) -> None:
    assert tokens <= rounded_up(tokens) <= tokens * 9 / 8
    assert rounded_up(rounded_up(tokens)) == rounded_up(tokens)


def test_what_a_transformer_made_or_reads_goes_with_its_sentence() -> None:
    vectors = [torch.full((length, 2), float(length)) for length in (1, 3, 2)]
    encoded = [EncodedSentence(np.arange(len(vector)), contextual=vector) for vector in vectors]
    sentences = RaggedSentences.of_encoded(encoded)
    (numbers,) = sentences.batches(sentences=4, tokens=100)
    batch = sentences.batch(numbers, sentences.places(numbers)[0])
    assert batch.contextual is not None
    assert batch.contextual[:, :, 0].tolist() == [[3, 3, 3], [2, 2, 0], [1, 0, 0]]
    pieces = [cut_windows([[7]] * length, Framing(10)) for length in (1, 3, 2)]
    sentences = RaggedSentences.of_encoded(
        [EncodedSentence(np.arange(piece.tokens), subtokens=piece) for piece in pieces],
    )
    batch = sentences.batch(numbers, sentences.places(numbers)[0])
    assert batch.subtokens is not None
    assert batch.subtokens.lengths == (3, 2, 1)
    assert RaggedSentences.of_encoded([*encoded, EncodedSentence(np.arange(2))]).contextual is None
