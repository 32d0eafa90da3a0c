"""Words of a lexicon in a text: what searching every substring finds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_lstm_crf.data.annotation import Sentence, Span
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.lexicon import SHARED_ROWS, Lexicon, build_lexicon, lexicon_code
from ner_lstm_crf.features.lexicon_words import cohesive_words, read_lexicon, training_words

Words = st.lists(st.text("abc", min_size=2, max_size=6), max_size=12)
Texts = st.lists(st.text("abc", max_size=12), max_size=5)


def naive_ids(lexicon: Lexicon, text: str) -> list[list[int]]:
    """For each token the longest word that begins there, goes on over it (the later of two), and ends there."""
    rows = {}
    for number, word in enumerate(lexicon.words):
        rows[word] = number + SHARED_ROWS if number < lexicon.trained else min(len(word), 5) - 1
    found = [
        (end - start, start, end, rows[text[start:end]])
        for start in range(len(text))
        for end in range(start + 2, len(text) + 1)
        if text[start:end] in rows
    ]
    ids = []
    for place in range(len(text)):
        sets = (
            [word for word in found if word[1] == place],
            [word for word in found if word[1] < place < word[2] - 1],
            [word for word in found if word[2] - 1 == place],
        )
        ids.append([max(words)[3] if words else 0 for words in sets])
    return ids


@given(words=Words, train=Texts, test=Texts)
def test_ids_are_those_of_a_search_of_every_substring(words: list[str], train: list[str], test: list[str]) -> None:
    lexicon = build_lexicon(words, [list(text) for text in train if text])
    assert sorted(lexicon.words) == sorted(set(words))
    for number, word in enumerate(lexicon.words):
        count = sum(text.startswith(word, start) for text in train for start in range(len(text)))
        assert (count >= 2) == (number < lexicon.trained)
    codes = np.array([lexicon_code(character) for text in test for character in text], np.int64)
    ids = lexicon.ids(codes, np.array([len(text) for text in test], np.int64))
    assert ids.tolist() == [row for text in test for row in naive_ids(lexicon, text)]


def test_unknown_words_share_the_row_of_their_length() -> None:
    lexicon = build_lexicon(["北京", "北京人", "abcdefg"], [list("北京北京")])
    assert lexicon.words == ("北京", "abcdefg", "北京人")
    assert lexicon.trained == 1
    assert len(lexicon) == 6
    assert lexicon.shared().tolist() == [0, 1, 2, 3, 4, 1]
    codes = np.array([lexicon_code(form) for form in "北京人"], np.int64)
    assert lexicon.ids(codes, np.array([3])).tolist() == [[2, 0, 0], [0, 2, 5], [0, 0, 2]]


def test_whitespace_in_a_word_is_left_out_and_a_token_of_several_characters_is_in_no_word() -> None:
    lexicon = build_lexicon(["New 7", "x", ""], [])
    assert lexicon.words == ("New7",)
    codes = np.array([lexicon_code(form) for form in ["N", "e", "w", "7", "New7", "new"]], np.int64)
    assert lexicon.ids(codes, np.array([6]))[:, 0].tolist() == [3, 0, 0, 0, 0, 0]


def test_json_comes_back_and_anything_else_is_refused() -> None:
    lexicon = build_lexicon(["ab", "bcd"], [list("abab")])
    assert Lexicon.from_json(lexicon.to_json()) == lexicon
    for wrong in ([], {"words": ["ab"]}, {"words": ["a"], "trained": 0}, {"words": ["ab", "ab"], "trained": 0}):
        with pytest.raises(InputError, match="expected"):
            Lexicon.from_json(wrong)
    with pytest.raises(InputError, match="at most 1 trained words in a lexicon, got 2"):
        Lexicon.from_json({"words": ["ab"], "trained": 2})
    with pytest.raises(ValueError, match="at least two characters"):
        Lexicon(("a",), 0)


def test_a_file_of_words_may_have_counts(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes("\ufeff北京\t5\r\n\n上海 34.5 ns\n人".encode())
    assert read_lexicon(path) == ["北京", "上海", "人"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("北京 5\n上海 市\n".encode(), r":2: expected a word, or a word and its count, found '上海 市'"),
        ("北京\n".encode() + b"\xff\n", r":2: .*UTF-8|utf-8"),
        (b"\n \n", "found no word"),
    ],
)
def test_what_is_no_lexicon_is_refused_with_its_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_lexicon(path)
    with pytest.raises(InputError, match=r"none.txt"):
        read_lexicon(tmp_path / "none.txt")


def test_training_data_show_entities_named_twice_and_strings_that_keep_together() -> None:
    noise = [list(pair) for first in "abcdefgh" for second in "ijklmnop" for pair in (first + second, second + first)]
    strings = [list("xyz")] * 6
    assert cohesive_words([*noise, *strings]) == ["xy", "xyz", "yz"]
    twice, once = (
        Sentence.from_words(list("qr"), [Span(0, 2, "PER")]),
        Sentence.from_words(list("st"), [Span(0, 2, "X")]),
    )
    assert training_words([twice, twice, once]) == ["qr"]
