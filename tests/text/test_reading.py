"""A text as it is read: what nobody sees changes nothing, and every place is found again."""

from __future__ import annotations

from itertools import pairwise
from unicodedata import normalize

import pytest
from hypothesis import given, strategies as st

from ner_lstm_crf.text.reading import as_read, words_as_read

PIECES = [
    "Rome",
    "é",
    "e\u0301",
    "한",
    "\u1112\u1161\u11ab",
    "北京",
    " ",
    ".",
    "Ｒ",
    "７",
    "！",
    "\u2126",
    "x\u0327\u0301",
]
UNSEEN = ["\u200b", "\ufeff", "\u00ad", "\u200e", "\u2060", "\u200c", "\u200d", "\u202a", "\u2066", "\ufe0f", "\x08"]


@given(st.text())
def test_any_text_is_read_and_places_are_in_it(text: str) -> None:
    reading = as_read(text)
    assert normalize("NFC", reading.text) == reading.text or not reading.edits
    places = [reading.place(at, at + 1) for at in range(len(reading.text))]
    assert all(0 <= start < end <= len(text) for start, end in places)
    assert places == sorted(places)
    assert as_read(reading.text).text == reading.text


@given(st.lists(st.sampled_from(PIECES), max_size=12), st.lists(st.sampled_from(UNSEEN), min_size=12, max_size=12))
def test_what_nobody_sees_is_not_read_and_is_no_part_of_what_stands_beside_it(
    pieces: list[str], unseen: list[str]
) -> None:
    plain = as_read("".join(pieces)).text
    text, places = "", []
    for piece, mark in zip(pieces, unseen, strict=False):
        text += mark
        places.append((len(text), len(text) + len(piece)))
        text += piece
    reading = as_read(text)
    if all(normalize("NFC", a + b) == normalize("NFC", a) + normalize("NFC", b) for a, b in pairwise(pieces)):
        assert reading.text == plain
        at, found = 0, []
        for piece in pieces:
            length = len(as_read(piece).text)
            found.append(reading.place(at, at + length))
            at += length
        assert found == places


@pytest.mark.parametrize(
    "text",
    [
        "plain text, café, 北京。",
        "👨\u200d👩\u200d👧 ❤\ufe0f 1\ufe0f\u20e3 👍🏽",
        "\U0001f3f4\U000e0067\U000e0062\U000e007f",
        "می\u200cخواهم क्\u200dष",
        "हिन्दी กิน",
        "\0 \t \x1c \x85",
    ],
)
def test_what_has_a_meaning_is_read_as_it_is(text: str) -> None:
    assert as_read(text).text == text


def test_words_that_are_read_as_they_are_are_the_same_object() -> None:
    words = ["Ada", "é", "北京"]
    assert words_as_read(words) is words
    assert words_as_read(["Ada\u200b", "e\u0301", "", "\u200b"]) == ["Ada", "é", "", ""]
