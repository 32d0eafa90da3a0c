"""The casing classes: every word has one, and each class holds what its name says."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from ner_lstm_crf.features.casing import CASINGS, Casing, casing

EXAMPLES = {
    "lower": ["bank", "e-mail", "don't", "étude", "i.e."],
    "upper": ["NATO", "U.S.", "AT&T", "ÖBB", "A股市B"],
    "capital": ["A", "J.", "Å", "(B)"],
    "initial upper": ["Bank", "Jean's", "Mr.", "Élodie", "'Tis"],
    "mixed": ["iPhone", "McDonald", "Jean-Luc", "O'Neill", "eBay", "éA", "Ⅳⅱ", "Ⓐⓑ"],
    "numeric": ["1998", "1,000.5", "-3", "9/11", "50%", "12:30", "٣"],
    "mostly numeric": ["1990s", "747s", "$100"],
    "contains digit": ["B2B", "Covid-19", "G7", "1st"],
    "han": ["北京", "人", "佐々木", "𠮷"],
    "caseless": ["さくら", "서울", "القاهرة", "ירושלים", "ไทย"],
    "punctuation": [".", "(", "...", "、", "--"],
    "other": ["€", "🙂", "", " ", "+"],
}


def test_every_class_but_padding_has_examples() -> None:
    assert ["padding", *EXAMPLES] == list(CASINGS)


@pytest.mark.parametrize(("name", "forms"), EXAMPLES.items())
def test_examples(name: str, forms: list[str]) -> None:
    assert {form: CASINGS[casing(form)] for form in forms} == dict.fromkeys(forms, name)


@given(st.text())
def test_every_string_has_a_class_that_is_not_padding(form: str) -> None:
    assert 1 <= casing(form) < len(CASINGS)


@given(st.text(st.characters(categories=["Ll", "Lu"], max_codepoint=0x17F), min_size=1))
def test_case_of_letters_is_what_python_says(form: str) -> None:
    name = CASINGS[casing(form)]
    assert (name == "lower") == form.islower()
    assert (name in {"upper", "capital"}) == form.isupper()


@given(st.from_regex(r"[A-Za-z]+", fullmatch=True))
def test_ascii_words_take_the_same_class_on_the_fast_path(form: str) -> None:
    assert casing(form) == casing(form + "'")  # an apostrophe leaves the fast path and changes no case


def test_ids_are_the_classes_in_order() -> None:
    forms = ["Rome", "in", "1998", "."]
    assert Casing().type_ids(forms).tolist() == [casing(form) for form in forms]
    assert Casing().type_ids([]).shape == (0,)
