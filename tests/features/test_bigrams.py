"""Pairs of neighbouring characters, against a look at each sentence by itself."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, strategies as st

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.bigrams import EDGE, Bigrams
from ner_lstm_crf.features.token_feature import Resources, SavedFeature
from ner_lstm_crf.features.vocabulary import UNKNOWN

CONFIG = ModelConfig(token_unit="character")

Sentences = st.lists(st.lists(st.sampled_from("北京人大\U00020000é"), min_size=1, max_size=8), max_size=8)


def build_bigrams(sentences: list[list[str]]) -> Bigrams:
    bigrams = Bigrams.build(Resources(CONFIG, sentences))
    assert bigrams is not None
    return bigrams


def pairs_of(words: list[str]) -> list[tuple[str, str]]:
    text = [EDGE, *words, EDGE]
    return [(text[place - 1] + text[place], text[place] + text[place + 1]) for place in range(1, len(text) - 1)]


@given(Sentences, Sentences)
def test_each_token_finds_its_two_pairs_whatever_its_neighbours_in_the_batch(
    train: list[list[str]], test: list[list[str]]
) -> None:
    bigrams = build_bigrams(train)
    row = {symbol: number for number, symbol in enumerate(bigrams.vocabulary.symbols, UNKNOWN + 1)}
    tokens = [word for words in test for word in words]
    found = bigrams.encode(tokens, bigrams.type_ids(tokens), np.array([len(words) for words in test], np.int64))
    expected = [[row.get(first, 1), row.get(second, 1)] for words in test for first, second in pairs_of(words)]
    assert found.tolist() == expected


@given(Sentences)
def test_pairs_that_occur_twice_have_a_row_the_most_frequent_first(train: list[list[str]]) -> None:
    counts = Counter(
        pair for words in train for pair in ["".join(two) for two in zip([EDGE, *words], [*words, EDGE], strict=True)]
    )
    symbols = build_bigrams(train).vocabulary.symbols
    assert set(symbols) == {pair for pair, count in counts.items() if count > 1}
    frequencies = [counts[pair] for pair in symbols]
    assert frequencies == sorted(frequencies, reverse=True)
    assert build_bigrams(train[::-1]).vocabulary.symbols == symbols


def test_sentences_without_tokens_have_no_pairs() -> None:
    bigrams = build_bigrams([["北", "京"], ["北", "京"]])
    codes = np.array([ord("北"), ord("京")], np.int64)
    alone = bigrams.encode([], codes, np.array([2], np.int64))
    assert (bigrams.encode([], codes, np.array([0, 2, 0], np.int64)) == alone).all()
    assert bigrams.encode([], codes[:0], np.array([0], np.int64)).shape == (0, 2)


def test_pairs_survive_json_and_others_are_refused() -> None:
    bigrams = build_bigrams([["北", "京"], ["北", "京"]])
    assert Bigrams.load(SavedFeature(CONFIG, bigrams.to_json())).vocabulary.symbols == bigrams.vocabulary.symbols
    with pytest.raises(InputError, match="pairs of characters"):
        Bigrams.load(SavedFeature(CONFIG, ["北京人"]))


def test_an_empty_token_is_an_edge() -> None:
    bigrams = build_bigrams([["北", ""], ["北", ""]])
    assert set(bigrams.vocabulary.symbols) == {EDGE + "北", "北" + EDGE, EDGE + EDGE}
    assert bigrams.type_ids(["北京", ""]).tolist() == [ord("北"), 0]
