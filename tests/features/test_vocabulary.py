"""Vocabularies: every training word finds the row it was given, nothing collides, JSON changes nothing."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.vocabulary import (
    UNKNOWN,
    Vocabulary,
    WordVocabulary,
    build_characters,
    build_words,
    spellings,
)

FORMS = st.text("abAB01İß-", min_size=1, max_size=4)
COUNTS = st.dictionaries(FORMS, st.integers(1, 5), max_size=12)
KNOWN = st.lists(FORMS, unique=True, max_size=12)


def test_spellings_from_exact_to_loose() -> None:
    assert spellings("Rome-1998") == ("Rome-1998", "rome-1998", "Rome-0000", "rome-0000")
    assert spellings("٣")[2] == "0"  # digits of every script


def spelling_of_row(form: str, known: list[str]) -> str:
    """The oracle: the rule of the module's docstring."""
    return next((spelling for spelling in spellings(form) if spelling in known), spellings(form)[-1])


@given(COUNTS, KNOWN, st.booleans())
def test_a_training_word_takes_the_first_spelling_the_vectors_know(counts: Any, known: Any, frozen: bool) -> None:
    words = build_words(counts, known, frozen=frozen)
    for form in counts:
        assert words.symbols[words.word_id(form) - 2] == spelling_of_row(form, known)


@given(COUNTS, KNOWN)
def test_training_block_first_then_what_only_the_vectors_know(counts: Any, known: Any) -> None:
    words = build_words(counts, known)
    block = words.trainable_size - 2
    assert set(words.symbols[:block]) == {spelling_of_row(form, known) for form in counts}
    assert len(words) == len(words.symbols) + 2 == len(set(words.symbols)) + 2
    assert list(words.symbols[block:]) == [word for word in known if word not in words.symbols[:block]]
    assert list(words.counts) == sorted(words.counts, reverse=True)
    assert sum(words.counts) == sum(counts.values())


@given(COUNTS, KNOWN)
def test_frozen_vectors_are_all_in_the_reserve_and_every_other_word_is_trained(counts: Any, known: Any) -> None:
    trained, frozen = build_words(counts, known), build_words(counts, known, frozen=True)
    block = frozen.trainable_size - 2
    assert list(frozen.symbols[block:]) == known
    assert not set(frozen.symbols[:block]) & set(known)
    assert dict(zip(frozen.symbols[:block], frozen.counts, strict=True)) == {
        word: count for word, count in zip(trained.symbols, trained.counts, strict=False) if word not in known
    }
    for form in [*counts, *known, "Ab01"]:  # each word finds the same spelling as without freezing
        rows = [words.word_id(form) - 2 for words in (trained, frozen)]
        assert (rows[0] < 0) == (rows[1] < 0)
        assert rows[0] < 0 or trained.symbols[rows[0]] == frozen.symbols[rows[1]]


@given(COUNTS, KNOWN, st.lists(FORMS))
def test_look_up_takes_the_first_spelling_that_has_a_row(counts: Any, known: Any, forms: list[str]) -> None:
    words = build_words(counts, known)
    expected = [
        next((2 + words.symbols.index(spelling) for spelling in spellings(form) if spelling in words.symbols), UNKNOWN)
        for form in forms
    ]
    assert words.word_ids(forms).tolist() == expected == [words.word_id(form) for form in forms]


@given(COUNTS, KNOWN)
def test_words_survive_json(counts: Any, known: Any) -> None:
    words = build_words(counts, known)
    again = WordVocabulary.from_json(json.loads(json.dumps(words.to_json())))
    assert again == words
    assert again.trainable_size == words.trainable_size


def test_lower_cased_vectors_join_case_and_cased_ones_keep_it() -> None:
    counts = {"Bank": 2, "bank": 3, "BANK": 1}
    lower = build_words(counts, ["bank"])
    assert lower.symbols == ("bank",)
    assert lower.counts == (6,)
    cased = build_words(counts, ["Bank", "bank"])
    assert cased.word_id("Bank") != cased.word_id("bank") == cased.word_id("BANK")


def test_numbers_share_a_row_unless_the_vectors_know_them() -> None:
    words = build_words({"1998": 1, "2007": 1, "3,141": 1}, ["1998"])
    exact, masked, grouped = words.ids(["1998", "0000", "0,000"]).tolist()
    assert words.word_id("1998") == exact
    assert words.word_id("2007") == words.word_id("2031") == masked
    assert words.word_id("2,718") == grouped
    assert len({exact, masked, grouped, UNKNOWN}) == 4


@given(COUNTS)
def test_characters_are_those_of_the_words_most_frequent_first(counts: Any) -> None:
    seen = Counter("".join(form * count for form, count in counts.items()))
    vocabulary = build_characters(counts)
    assert set(vocabulary.symbols) == set(seen)
    assert [seen[symbol] for symbol in vocabulary.symbols] == sorted(map(seen.get, vocabulary.symbols), reverse=True)
    assert Vocabulary.from_json(json.loads(json.dumps(vocabulary.to_json()))) == vocabulary


@given(st.lists(st.text(max_size=2), unique=True), st.text(max_size=2))
def test_ids_invert_symbols_and_never_meet_the_two_special_rows(symbols: list[str], other: str) -> None:
    vocabulary = Vocabulary(tuple(symbols))
    assert vocabulary.ids(symbols).tolist() == list(range(2, len(vocabulary)))
    assert vocabulary.ids([other]).tolist() == [2 + symbols.index(other) if other in symbols else UNKNOWN]
    assert (other in vocabulary) == (other in symbols)


def test_building_does_not_depend_on_the_order_of_the_data() -> None:
    counts = {"b": 1, "a": 1, "c": 2}
    turned = dict(reversed(counts.items()))
    assert build_words(counts).symbols == build_words(turned).symbols == ("c", "a", "b")
    assert build_characters(counts).symbols == build_characters(turned).symbols


def test_a_symbol_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="'a' twice"):
        Vocabulary(("a", "b", "a"))
    with pytest.raises(ValueError, match="at most 1 counts"):
        WordVocabulary(("a",), (1, 2))


@pytest.mark.parametrize("value", [None, "ab", {"a": 1}, ["a", 1], ["a", "a"], 3])
def test_damaged_symbols_are_refused(value: Any) -> None:
    with pytest.raises(InputError, match="vocabulary"):
        Vocabulary.from_json(value)


@pytest.mark.parametrize(
    "value",
    [["a"], {"symbols": ["a"]}, {"symbols": ["a"], "counts": [1, 2]}, {"symbols": ["a"], "counts": ["1"]},
     {"symbols": ["a"], "counts": [True]}, {"symbols": ["a"], "counts": [-1]}, {"symbols": "a", "counts": [1]}],
)  # fmt: skip
def test_damaged_words_are_refused(value: Any) -> None:
    with pytest.raises(InputError, match="vocabulary"):
        WordVocabulary.from_json(value)
