"""Normalization: what nobody sees changes nothing, and every offset is found again."""

from __future__ import annotations

from itertools import pairwise
from unicodedata import normalize

import pytest
from hypothesis import example, given, strategies as st

from ner_lstm_crf.text.normalization import normalized, normalized_words

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
@example("&amp;nbsp; &#92;nTom &\u200bnbsp; &ｎｂｓｐ; e&#769; 王&#8226;李 &#65313; &amp;&amp;lt;")
def test_any_text_is_normalized_and_offsets_are_in_it(text: str) -> None:
    normal = normalized(text, html=True)
    assert normalize("NFC", normal.text) == normal.text or not normal.edits
    places = [normal.in_source(at, at + 1) for at in range(len(normal.text))]
    assert all(0 <= start < end <= len(text) for start, end in places)
    assert places == sorted(places)
    assert normalized(normal.text, html=True).text == normal.text


@given(st.lists(st.sampled_from(PIECES), max_size=12), st.lists(st.sampled_from(UNSEEN), min_size=12, max_size=12))
def test_what_nobody_sees_is_not_read_and_is_no_part_of_what_stands_beside_it(
    pieces: list[str], unseen: list[str]
) -> None:
    plain = normalized("".join(pieces)).text
    text, places = "", []
    for piece, mark in zip(pieces, unseen, strict=False):
        text += mark
        places.append((len(text), len(text) + len(piece)))
        text += piece
    normal = normalized(text)
    if all(normalize("NFC", a + b) == normalize("NFC", a) + normalize("NFC", b) for a, b in pairwise(pieces)):
        assert normal.text == plain
        at, found = 0, []
        for piece in pieces:
            length = len(normalized(piece).text)
            found.append(normal.in_source(at, at + length))
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
        "R&D; AT&T &foo; &; &#1; &#8203; &#38;lt; &amp;lt; &bsol;",
        r"C:\new\Temp \nand \\server",
        "• 王小明 • 李华 a•b",
    ],
)
def test_what_has_a_meaning_is_read_as_it_is(text: str) -> None:
    assert normalized(text, html=True).text == text


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("Angela&nbsp;Merkel", "Angela Merkel"),
        (
            "AT&amp;T &lt;b&gt; &quot;Rome&#34; O&#x27;Neal caf&eacute; &#21271;&#20140;",
            'AT&T <b> "Rome" O\'Neal café 北京',
        ),
        ("𝗔𝗻𝗴𝗲𝗹𝗮 𝟙𝟚", "Angela 12"),
        ("⻄安市和⾹港", "西安市和香港"),
        ("史蒂夫•乔布斯 安娜・科瓦奇", "史蒂夫·乔布斯 安娜·科瓦奇"),
    ],
)
def test_what_is_written_in_another_way_is_read_as_the_usual_one(text: str, read: str) -> None:
    assert normalized(text, html=True).text == read


def test_an_entity_of_written_out_characters_includes_them() -> None:
    text = "in New&nbsp;York&quot;."
    assert normalized(text).text == text  # unless it is asked for
    normal = normalized(text, html=True)
    assert text[slice(*normal.in_source(3, 11))] == "New&nbsp;York"
    assert normalized_words(["AT&amp;T", "&nbsp;"]) == ["AT&amp;T", "&nbsp;"]  # a token stays one


def test_words_that_are_read_as_they_are_are_the_same_object() -> None:
    words = ["Ada", "é", "北京"]
    assert normalized_words(words) is words
    assert normalized_words(["Ada\u200b", "e\u0301", "", "\u200b"]) == ["Ada", "é", "", ""]
