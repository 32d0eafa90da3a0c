"""Words of a lexicon in a text: what searching every substring finds."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features import lexicon as module
from ner_lstm_crf.features.lexicon import (
    Lexicon,
    builtin_words,
    read_lexicon,
)
from ner_lstm_crf.features.token_feature import Rows, SavedFeature
from ner_lstm_crf.features.vectors import Vectors

Words = st.dictionaries(st.text("abc", min_size=2, max_size=6), st.sampled_from(["", "n", "v"]), max_size=12)
Texts = st.lists(st.text("abc", max_size=12), max_size=5)


def ids_of(lexicon: Lexicon, text: str) -> list[list[int]]:
    return lexicon.encode([], lexicon.type_ids(text), np.array([len(text)])).tolist()


def naive_ids(lexicon: Lexicon, text: str) -> list[list[int]]:
    """For each token the longest word that begins there, goes on over it (the later of two), and ends there."""
    rows, first = {}, 1 + 4 * len(lexicon.categories)
    for number, word in enumerate(lexicon.words):
        shared = 1 + 4 * lexicon.category_ids[number] + min(len(word), 5) - 2
        rows[word] = number + first if number < lexicon.trainable else shared
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
def test_ids_are_those_of_a_search_of_every_substring(words: dict[str, str], train: list[str], test: list[str]) -> None:
    lexicon = Lexicon.of_words(words, [list(text) for text in train if text])
    assert {
        word: lexicon.categories[kind] for word, kind in zip(lexicon.words, lexicon.category_ids, strict=True)
    } == words
    for number, word in enumerate(lexicon.words):
        count = sum(text.startswith(word, start) for text in train for start in range(len(text)))
        assert (count >= 2) == (number < lexicon.trainable)
    codes = lexicon.type_ids("".join(test))
    ids = lexicon.encode([], codes, np.array([len(text) for text in test], np.int64))
    assert ids.tolist() == [row for text in test for row in naive_ids(lexicon, text)]


def test_words_share_the_row_of_their_length_and_category() -> None:
    lexicon = Lexicon.of_words({"北京": "ns", "北京人": "n", "abcdefg": "n", "人们": "n"}, [list("北京北京")])
    assert lexicon.words == ("北京", "abcdefg", "人们", "北京人")
    assert lexicon.trainable == 1
    assert lexicon.categories == ("n", "ns")
    assert lexicon.shared_rows().tolist() == [*range(9), 5]
    assert ids_of(lexicon, "北京人们") == [[2, 0, 0], [0, 2, 9], [1, 0, 2], [0, 0, 1]]


@given(
    words=st.dictionaries(st.text("國国家x", min_size=2, max_size=4), st.sampled_from(["", "n"]), max_size=8),
    train=st.text("國国家x", max_size=12),
    text=st.text("國国家x", max_size=12),
)
def test_traditional_and_simplified_forms_are_the_same(words: dict[str, str], train: str, text: str) -> None:
    lexicon = Lexicon.of_words(words, [list(train)] if train else [])
    assert (
        ids_of(lexicon, text) == ids_of(lexicon, text.replace("國", "国")) == ids_of(lexicon, text.replace("国", "國"))
    )
    if all("國" not in word for word in words):
        again = Lexicon.of_words(words, [list(train.replace("國", "国"))] if train else [])
        assert lexicon.to_json() == again.to_json()


def test_of_words_that_are_the_same_the_one_that_is_trained_counts() -> None:
    lexicon = Lexicon.of_words({"國家": "n", "国家": "ns", "国": ""}, [list("國家国家")])
    assert (lexicon.trainable, len(lexicon.words)) == (1, 2)
    row = ids_of(lexicon, "国家")[0][0]
    assert row >= 1 + 4 * len(lexicon.categories)  # one of its own
    assert ids_of(lexicon, "國家")[0][0] == row


def test_whitespace_in_a_word_is_left_out_and_a_token_of_several_characters_is_in_no_word() -> None:
    lexicon = Lexicon.of_words({"New 7": "", "x": "", "": ""}, [])
    assert lexicon.words == ("New7",)
    codes = lexicon.type_ids(["N", "e", "w", "7", "New7", "new"])
    assert lexicon.encode([], codes, np.array([6]))[:, 0].tolist() == [3, 0, 0, 0, 0, 0]


def test_the_order_of_words_does_not_matter_even_where_they_become_the_same() -> None:
    first, second = {"北 京": "x", "北京": "y", "上海": ""}, {"上海": "", "北京": "y", "北 京": "x"}
    assert Lexicon.of_words(first, []).to_json() == Lexicon.of_words(second, []).to_json()


def test_half_of_a_surrogate_pair_is_a_character_too() -> None:
    lexicon = Lexicon.of_words({"a\ud83d": "", "bc": ""}, [list("a\ud83da\ud83d")])
    assert ids_of(lexicon, "a\ud83dbc")[0][0] > 0


def test_too_many_categories_are_none() -> None:
    words = {f"{number:04}": str(number) for number in range(1001)}
    with pytest.raises(InputError, match="at most 1,000 categories in a lexicon, found 1,001"):
        Lexicon.of_words(words, [])
    assert len(Lexicon.of_words(dict(list(words.items())[1:]), []).categories) == 1000


def numbered(words: Iterable[str], size: int = 3) -> Vectors:
    """Vectors that tell their words: the number of a word, in the order given, from 1, then zeros."""
    words = tuple(words)
    return Vectors(words, np.pad(np.arange(1, len(words) + 1, dtype=np.float32)[:, None], [(0, 0), (0, size - 1)]))


@given(
    words=Words, train=Texts, known=st.sets(st.text("abc", min_size=2, max_size=4)), test=st.text("abc", max_size=12)
)
def test_every_word_with_a_vector_has_a_row_of_its_own_and_no_word_is_found_less_by_it(
    words: dict[str, str], train: list[str], known: set[str], test: str
) -> None:
    sentences = [list(text) for text in train if text]
    plain, lexicon = (Lexicon.of_words(words, sentences, vectors) for vectors in (None, numbered(sorted(known))))
    number = {word: place for place, word in enumerate(sorted(known), 1)}
    # 1. The vectors are those of the words, trained or not.
    assert lexicon.words[: lexicon.trainable] == plain.words[: plain.trainable]
    assert lexicon.frozen is not None
    assert lexicon.pretrained is not None
    frozen = dict(zip(lexicon.words[lexicon.trainable :], lexicon.frozen[:, 0].tolist(), strict=False))
    assert frozen == {word: number[word] for word in lexicon.words[lexicon.trainable :] if word in known}
    positions, rows = lexicon.pretrained
    first = {lexicon.words[place]: value for place, value in zip(positions.tolist(), rows[:, 0].tolist(), strict=True)}
    assert first == {word: number[word] for word in lexicon.words[: lexicon.trainable] if word in known}
    # 2. The same words are found, and what a row shares is the row that its word has without vectors of its own.
    shared = lexicon.shared_rows()
    kinds = Lexicon.of_words(words, [])
    assert [[int(shared[row]) for row in rows] for rows in ids_of(lexicon, test)] == ids_of(kinds, test)
    row_of = dict(zip(lexicon.words, lexicon.word_rows().tolist(), strict=True))
    for word, row in row_of.items():
        own = word in lexicon.words[: lexicon.trainable] or word in known
        assert (row >= lexicon.first_own) == own
        assert row < len(shared)


def test_a_word_in_traditional_characters_has_the_vector_of_its_simplified_form_unless_it_has_one() -> None:
    words = {"國家": "", "臺灣": "", "家国": "", "ab": ""}
    lexicon = Lexicon.of_words(words, [], numbered(["国家", "台湾", "臺灣", "家國"]))
    assert lexicon.frozen is not None
    found = dict(zip(lexicon.words, lexicon.frozen[:, 0].tolist(), strict=False))
    assert found == {"國家": 1, "臺灣": 3}


@given(words=Words, vectors=st.permutations(["ab", "abc", "bb", "ca"]))
def test_the_order_of_vectors_does_not_matter(words: dict[str, str], vectors: list[str]) -> None:
    given = numbered(["ab", "abc", "bb", "ca"])
    other = Vectors(tuple(vectors), np.array([given.matrix[given.words.index(word)] for word in vectors]))
    one, two = (Lexicon.of_words(words, [list("abab")], each) for each in (given, other))
    assert one.to_json() == two.to_json()
    assert np.array_equal(one.frozen, two.frozen)


def load(value: object, frozen: Rows | None = None) -> Lexicon:
    return Lexicon.load(SavedFeature(ModelConfig(token_unit="character", lexicon_size=3), value, frozen))


def test_json_comes_back_and_anything_else_is_refused() -> None:
    lexicon = Lexicon.of_words({"ab": "n", "bcd": ""}, [list("abab")])
    good = lexicon.to_json()
    assert load(good).to_json() == good
    assert ids_of(load(good), "abcd") == ids_of(lexicon, "abcd")
    with_vectors = Lexicon.of_words({"ab": "n", "bcd": ""}, [list("abab")], numbered(["bcd"]))
    again = load(with_vectors.to_json(), with_vectors.frozen)
    assert ids_of(again, "abcd") == ids_of(with_vectors, "abcd") != ids_of(load(good), "abcd")
    for rows, message in ((2, "a lexicon: expected vectors of at most 2 words, got 3"), (1, "vectors of 3 values")):
        with pytest.raises(InputError, match=message):
            load(good, np.zeros((rows, rows + 1), np.float16))
    wrong: list[tuple[object, str]] = [
        ([], "'words', 'trainable', 'categories' and 'category_ids'"),
        ({"words": ["ab"], "trainable": 0}, "'words', 'trainable', 'categories' and 'category_ids'"),
        ({**good, "words": ["a", "bcd"]}, "two characters"),
        ({**good, "words": ["ab", "ab"]}, "distinct words"),
        ({**good, "trainable": 3}, "at most 2 trainable words in a lexicon, got 3"),
        ({**good, "trainable": True}, "at most 2 trainable words in a lexicon, got True"),
        ({**good, "categories": "n"}, "expected words, categories"),
        ({**good, "category_ids": [0, 2]}, "a category of each word"),
        ({**good, "category_ids": [0]}, "a category of each word"),
    ]
    for value, message in wrong:
        with pytest.raises(InputError, match=message):
            load(value)


def test_a_file_of_words_may_have_counts_and_categories(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    lines = ["北京\t5\r", "", "上海 34.5 ns", "人", "东京\tns", "大阪\t7\tns\t3", "西安\tnan", "广州\ta city"]
    path.write_bytes("\n".join(["\ufeff" + lines[0], *lines[1:], "深圳\t\tns", "长沙\t5 ns", ""]).encode())
    known = {"北京": "", "上海": "ns", "东京": "ns", "大阪": "ns", "西安": "nan", "广州": "a city"}
    known |= {"深圳": "ns", "长沙": "ns"}
    assert read_lexicon(path) == known


def test_the_general_lexicon_tells_names_from_other_words(monkeypatch: pytest.MonkeyPatch) -> None:
    words = builtin_words()
    assert len(words) > 300_000
    assert min(map(len, words)) == 2
    assert (words["上海"], words["国务院"], words["毛泽东"]) == ("ns", "nt", "nr")
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="expected the package jieba"):
        builtin_words()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("北京 5\n上海 市\n".encode(), r":2: expected a word, or a word and its count, found '上海 市'"),
        ("北京\n".encode() + b"\xff\n", r":2: .*UTF-8|utf-8"),
        ("北京\n上海,5,ns\n".encode(), r":2: .*apart by a space or tab, found '上海,5,ns'"),
        ("上海; 5\n".encode(), r":1: .*apart by a space or tab, found '上海; 5'"),
        ("上海 nan\n".encode(), r":1: expected a word, or a word and its count, found '上海 nan'"),
        ("上海 5 a city\n".encode(), r":1: .*a category of several words stands after a tab"),
        ("上海 5 a b\tfoo\n".encode(), r":1: .*a category of several words stands after a tab"),
        (b"\n \n", "found no word of two characters or more"),
        ("王\tB-PER\n在\tO\n".encode(), "found no word of two characters or more"),
        ("".join(f"w{number}\tk{number}\n" for number in range(1001)).encode(), "words.txt: .*1,000 categories"),
    ],
)
def test_what_is_no_lexicon_is_refused_with_its_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_lexicon(path)
    with pytest.raises(InputError, match=r"none.txt"):
        read_lexicon(tmp_path / "none.txt")
