"""Sentences as ids end to end, and the batches that are cut from them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, strategies as st

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.features.batch import RaggedSentences, WordTypes, shuffled_batches
from ner_lstm_crf.features.casing import casing
from ner_lstm_crf.features.registry import Features
from ner_lstm_crf.features.token_feature import Resources
from ner_lstm_crf.text.normalization import normalized_words

TRAIN = [["Rome", "in", "1998", ""], ["Ünïcode", "in", "Rome", "in"]]
Lengths = st.lists(st.integers(0, 40), max_size=60)


def features(width: int = 3) -> Features:
    return Features.build(Resources(ModelConfig(char_widths=(width,)), TRAIN))


def encoded(made: Features, sentences: list[list[str]]) -> RaggedSentences:
    return made.encode([word for words in sentences for word in words], [len(words) for words in sentences])


def numbered(lengths: list[int]) -> RaggedSentences:
    """Sentences whose tokens are numbered through."""
    return RaggedSentences(WordTypes({}), np.arange(sum(lengths)), np.array(lengths, np.int64), {})


@given(st.lists(st.lists(st.text(max_size=6), min_size=1, max_size=9), min_size=1, max_size=6), st.integers(1, 6))
def test_every_token_finds_its_word_casing_and_characters(sentences: list[list[str]], width: int) -> None:
    made, gap = features(width), width // 2
    batch = encoded(made, sentences).training_batch(range(len(sentences)))
    assert batch.lengths.tolist() == [len(words) for words in sentences]
    assert batch.tags is None
    characters, counts = batch.inputs["characters"]
    starts = [0, *(counts + gap).cumsum()]
    for row, words in enumerate(sentences):
        for column, word in enumerate(normalized_words(words)):
            number = batch.tokens[row, column]
            assert batch.inputs["word"][number] == made["word"].type_ids([word])[0]
            assert batch.inputs["casing"][number] == casing(word)
            start, count = int(starts[number]), int(counts[number])
            expected = made["characters"].vocabulary.ids(word).tolist() or [1]
            assert characters[start : start + count + gap].tolist() == expected + [0] * gap


def test_a_word_is_in_the_batch_once_and_padding_is_zero() -> None:
    batch = encoded(features(), [["in", "Rome", "in"], ["x"], ["Rome"]]).training_batch([0, 2])
    assert len(batch.inputs["word"]) == 2
    assert batch.tokens.tolist() == [[0, 1, 0], [1, 0, 0]]


def test_gold_tags_are_padded_with_zeros() -> None:
    sentences = numbered([3, 0, 2])
    sentences.tags = np.array([1, 2, 3, 4, 5])
    batch = sentences.training_batch([2, 0])
    assert batch.tags is not None
    assert batch.tags.tolist() == [[4, 5, 0], [1, 2, 3]]


@given(Lengths, st.integers(1, 20), st.integers(1, 100))
def test_every_token_is_tagged_in_one_batch_beside_its_neighbours(
    lengths: list[int], sentences: int, tokens: int
) -> None:
    all_sentences = numbered(lengths)
    seen = np.zeros(sum(lengths), np.int64)
    for numbers, longest in all_sentences.tagging_batches(sentences=sentences, tokens=tokens):
        assert lengths[numbers[0]] <= longest <= 1.125 * lengths[numbers[0]] + 1  # little is padded
        batch, positions, real = all_sentences.tagging_batch(numbers, longest)
        assert len(numbers) <= sentences
        assert positions.size <= tokens or len(numbers) == 1
        assert batch.tokens.shape == positions.shape == real.shape
        for row, number in enumerate(numbers):
            length = int(batch.lengths[row])
            assert length == lengths[number] == real[row].sum() > 0
            first = sum(lengths[:number])
            assert batch.tokens[row, :length].tolist() == list(range(first, first + length))
        seen[positions[real]] += 1
    assert seen.tolist() == [1] * len(seen)


def test_shapes_are_few_however_the_lengths_vary() -> None:
    random, shapes = np.random.default_rng(0), set()
    for _ in range(200):
        sentences = numbered(random.geometric(0.05, 300).tolist())
        for numbers in sentences.tagging_batches(sentences=64, tokens=1024):
            shapes.add(sentences.tagging_batch(*numbers)[0].tokens.shape)
    assert len(shapes) < 150


@pytest.mark.parametrize("numbers", [[0, 1], [1]])
def test_context_ids_are_those_of_each_token_and_zero_on_padding(numbers: list[int]) -> None:
    made = Features.build(
        Resources(ModelConfig(token_unit="character"), [list("北京"), list("北京")], lexicon={"北京": ""})
    )
    sentences = encoded(made, [list("在北京"), list("京")])
    (expected,) = (ids for feature, ids in [sentences.context["bigrams"]])
    training = sentences.training_batch(numbers)
    tagging, _, _ = sentences.tagging_batch(np.array(numbers), [3, 1][numbers[0]])
    for batch in (training, tagging):
        assert batch.inputs.keys() >= {"bigrams", "lexicon"}
        assert batch.inputs["bigrams"].shape == (len(numbers), [3, 1][numbers[0]], 2)
        for row, number in enumerate(numbers):
            length, start = [3, 1][number], [0, 3][number]
            assert batch.inputs["bigrams"][row, :length].tolist() == expected[start : start + length].tolist()
            assert not batch.inputs["bigrams"][row, length:].any()
    assert "word" not in tagging.inputs  # the vectors of word types are cached


LENGTHS = st.lists(st.integers(1, 60), max_size=80)


@given(LENGTHS, st.integers(1, 9), st.integers(1, 100), st.integers(0, 5))
def test_each_sentence_is_in_one_batch_within_the_limits(
    lengths: list[int], sentences: int, tokens: int, seed: int
) -> None:
    batches = shuffled_batches(lengths, np.random.default_rng(seed), sentences=sentences, tokens=tokens)
    assert sorted(number for batch in batches for number in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) <= sentences
        assert len(batch) == 1 or len(batch) * max(lengths[number] for number in batch) <= tokens


def test_like_lengths_share_a_batch() -> None:
    lengths = np.random.default_rng(0).integers(1, 60, 1000).tolist()
    batches = shuffled_batches(lengths, np.random.default_rng(1), sentences=32, tokens=10_000)
    assert sum(len(batch) * max(lengths[number] for number in batch) for batch in batches) < 1.3 * sum(lengths)


def test_another_epoch_has_other_neighbours_and_the_same_seed_the_same() -> None:
    lengths = [5, 6, 7, 8] * 20
    first, again, other = (
        shuffled_batches(lengths, np.random.default_rng(seed), sentences=8, tokens=100) for seed in (1, 1, 2)
    )
    assert first == again != other
