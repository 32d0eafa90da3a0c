"""Symbols and ids: nothing collides, and JSON changes nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.vocabulary import UNKNOWN, Vocabulary, by_frequency, spellings


def test_spellings_from_exact_to_loose() -> None:
    assert spellings("Rome-1998") == ("Rome-1998", "rome-1998", "Rome-0000", "rome-0000")
    assert spellings("٣")[2] == "0"  # digits of every script


@given(st.lists(st.text(max_size=2), unique=True), st.text(max_size=2))
def test_ids_invert_symbols_and_never_meet_the_two_special_ids(symbols: list[str], other: str) -> None:
    vocabulary = Vocabulary(symbols)
    assert vocabulary.ids(symbols).tolist() == list(range(2, len(vocabulary)))
    assert vocabulary.ids([other]).tolist() == [2 + symbols.index(other) if other in symbols else UNKNOWN]


@given(st.lists(st.text(max_size=2), unique=True), st.lists(st.text(max_size=2)))
def test_an_extended_vocabulary_keeps_its_ids(symbols: list[str], more: list[str]) -> None:
    extended = Vocabulary(symbols).extended(more)
    assert list(extended.symbols[: len(symbols)]) == symbols
    assert set(extended.symbols) == {*symbols, *more}


def test_frequency_decides_then_spelling_not_the_order_of_the_data() -> None:
    counts = {"b": 1, "a": 1, "c": 2}
    assert by_frequency(counts) == by_frequency(dict(reversed(counts.items()))) == ["c", "a", "b"]


def test_a_symbol_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="'a' twice"):
        Vocabulary(("a", "b", "a"))


@given(st.lists(st.text(max_size=2), unique=True))
def test_symbols_survive_json(symbols: list[str]) -> None:
    assert Vocabulary.from_json(json.loads(json.dumps(symbols))).symbols == tuple(symbols)


@pytest.mark.parametrize("value", [None, "ab", {"a": 1}, ["a", 1], ["a", "a"], 3])
def test_damaged_symbols_are_refused(value: Any) -> None:
    with pytest.raises(InputError, match="vocabulary"):
        Vocabulary.from_json(value)
