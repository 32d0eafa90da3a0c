from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice, pairwise

import pytest
from hypothesis import given, strategies as st

from ner_lstm_crf.config import TokenUnit
from ner_lstm_crf.text import sentences as module
from ner_lstm_crf.text.normalization import normalized
from ner_lstm_crf.text.sentences import portions, sentences
from ner_lstm_crf.text.tokenizer import characters, tokenize

FRAGMENTS = [
    *"aAI中あ7.,;:!?'\"“”()[]…。！？，「」\n\r\x85\u2028\t \u3000",
    *[
        "\n\n",
        "\r\n",
        ". ",
        "? ",
        "Mr. ",
        "U.S. ",
        "etc. ",
        "No. ",
        "3. ",
        "J. ",
        "...",
        "The ",
        "he ",
        " :-) ",
        "\n- ",
    ],
    *["a line that is long enough to be wrapped, give or take\n"],
]
TEXTS = st.one_of(st.text(), st.lists(st.sampled_from(FRAGMENTS), max_size=30).map("".join))


def cut(text: str) -> list[str]:
    """The source of each sentence, from its first to its last token."""
    return [text[sentence.tokens[0].start : sentence.tokens[-1].end] for sentence in sentences(text)]


@pytest.mark.parametrize(("token_unit", "tokens_of"), [("word", tokenize), ("character", characters)])
@given(text=TEXTS)
def test_sentences_partition_the_tokens(token_unit, tokens_of, text):
    parts = sentences(text, token_unit=token_unit)
    assert all(text[token.start : token.end] == token.text for sentence in parts for token in sentence.tokens)
    words = [normalized(token.text).text for sentence in parts for token in sentence.tokens]
    assert words == [token.text for token in tokens_of(normalized(text).text)]
    assert all(sentence.tokens and not sentence.spans for sentence in parts)
    places = [(token.start, token.end) for sentence in parts for token in sentence.tokens]
    assert all(start < end for start, end in places)
    assert all(end <= start for (_, end), (start, _) in pairwise(places))


@given(
    st.lists(TEXTS.filter(str.strip), min_size=1, max_size=5),
    st.sampled_from(["\n\n", "\r\n\r\n", "\n \t\n", "\n\n\n"]),
)
def test_no_sentence_crosses_a_blank_line(paragraphs, gap):
    text = gap.join(paragraphs)
    edges = [len(gap.join(paragraphs[: i + 1])) for i in range(len(paragraphs))]
    for sentence in sentences(text):
        first, last = sentence.tokens[0].start, sentence.tokens[-1].end
        assert not any(first < edge < last for edge in edges)


@given(TEXTS)
def test_no_token_is_lost_and_no_sentence_is_empty(text):
    found = sentences(text)
    assert sum(len(one.tokens) for one in found) == len(tokenize(normalized(text).text))
    assert all(sentence.tokens for sentence in found)


@pytest.mark.parametrize(
    "text",
    [
        "Anna left. | Bob stayed! | Did he? | He did… | So they say.",
        'He said "Stop." | She did. | "Why?" he asked. | (It was late.) | Then rain fell.',
        "Mr. Wu met Dr. Ada Fox at St. Mary's. | They talked.",
        "He works for Acme Inc. in the U.S. with J. R. Smith. | She does not.",
        "He moved to the U.S. | The house was cheap. | We met at 5 p.m. | It rained.",
        "It is I. | She knows. | Plan B. | The end.",
        "Room No. 5 is free. | No. | It is not.",
        "It cost 3.50 dollars. | See www.example.com for more. | That rose 4.5. | Prices fell.",
        "Visit example.com. | Paris is far.",
        "approx. five men came etc. and vanished. | i never met those. | wow! | who knew? | not me",
        "Wait... what? | Oh... | Paris.",
        "den 3. maj og am 16. Jahrhundert. | Ja.",
        "Great! :) | Thanks.",
        "Cats.[12] | Dogs.",
        "他走了。|是吗？|“好！”|她说：“来吧。”|“真的？”，他问。|Mr. Wu来了。|去Paris! | 好",
        "猫が好き。|「本当？」|はい!|犬も！？|ええ……そう。",
        "क्या है? | यह घर है। | अच्छा।",
        "It means 你好。|He smiled. | 再见！",
    ],
)
def test_examples(text):
    expected = [part.strip() for part in text.split("|")]
    assert cut(text.replace("|", "")) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Heading\nText here", ["Heading", "Text here"]),
        ("Anna Fox\nBob Lee", ["Anna Fox", "Bob Lee"]),
        ("a line\ngoes on", ["a line\ngoes on"]),
        ("A heading\n\nlower case", ["A heading", "lower case"]),
        ("One\r\n\r\ntwo", ["One", "two"]),
        ("1. Aims\n2. Means", ["1. Aims", "2. Means"]),
        (
            "The delegates, who had come from all over the country, were met by Angela\n"
            "Merkel at the gates of the old town hall, which had been cleaned that same\nMonday.",
            None,
        ),
        ("x" * 60 + "\nNext\nMany " + "y" * 60, ["x" * 60, "Next", "Many " + "y" * 60]),
        ("去\n好", ["去", "好"]),
    ],
)
def test_line_breaks(text, expected):
    assert cut(text) == (expected or [text])


def test_places_count_in_the_whole_text():
    text = "  One. \n\n Two."
    assert [[token.start for token in sentence.tokens] for sentence in sentences(text)] == [[2, 5], [10, 13]]


def test_nothing_and_long():
    assert sentences("") == sentences(" \n\n\t") == []
    assert [len(sentence.tokens) for sentence in sentences("word " * 30_000)] == [30_000]


def test_options_reach_the_tokenizer():
    assert sentences("well-known", hyphens="keep")[0].words == ["well-known"]
    assert sentences("a b", token_unit="character")[0].words == ["a", "b"]
    with pytest.raises(ValueError, match="'line'"):
        sentences("a", token_unit="line")


@pytest.mark.parametrize(
    "token_unit",
    [
        *[
            "a",
            ".",
            ". ",
            "a. ",
            "A. ",
            "1. ",
            "1.\n",
            "Mr. ",
            "e.g. ",
            "... ",
            "。",
            "。”",
            "，",
            "。，",
            "！？",
            "!?",
            "!你",
        ],
        *[". (", '. "', ".[1]", ".)", '." ', '"', ": :)", ". :)", " ", "\n", "a\n", "\n\n", ".\u3000", "\u2029", "中"],
    ],
)
def test_time_is_linear_on_hostile_text(is_linear, token_unit):
    assert is_linear(sentences, token_unit)


def test_time_is_linear_when_a_comma_undoes_many_stops(is_linear):
    assert is_linear(lambda text: sentences(text.replace("X", "，")), "。")


PIECES = [
    "Dr. ",
    "a b ",
    "No. 3 ",
    "\n",
    "\n\n",
    ". ",
    "! ",
    "他走了。",
    "Foo ",
    "word\n",
    "x" * 60 + "\n",
    "“Why?” ",
    "…",
]

# What is read in another way if a block begins within it: emoji of several signs, letters with their accents.
JOINED = [
    *(f" word{space} " for space in (" " * 300, "\n" * 200, "\u200b" * 300, " \u200b" * 100)),
    "中。\u0301" * 20,
    "👨\u200d👩\u200d👧" * 9,
    "❤\ufe0f" * 20,
    "\U0001f3f4\U000e0067\U000e007f" * 9,
    *(
        f" {word * 7} "
        for word in ("1\ufe0f\u20e3", "\u1112\u1161\u11ab", "x\u0327\u0301\u0302", "می\u200cخ", "हिन्\u200dदी")
    ),
]


@contextmanager
def blocks_of(size: int, margin: int = 8) -> Iterator[None]:
    """Texts are read in blocks of so many characters."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", size)
        patch.setattr(module, "_MARGIN", margin)
        patch.setattr(module, "_CONTEXT", 8)
        yield


@pytest.mark.parametrize("token_unit", ["word", "character"])
@given(
    st.lists(st.sampled_from([*PIECES, *JOINED, "Ro\u00adme\u200b ", "e\u0301"]), max_size=40).map("".join),
    st.integers(80, 160),
)
def test_blocks_hold_the_same_tokens_none_twice(token_unit: TokenUnit, text: str, size: int) -> None:
    expected = [token for sentence in sentences(text, token_unit=token_unit) for token in sentence.tokens]
    with blocks_of(size):
        parts = list(portions(text, token_unit=token_unit))
        of_parts = list(portions(list(text), token_unit=token_unit))
    for cut_up in (parts, of_parts):
        assert expected == [token for part in cut_up for token in part.tokens(part.first, part.end)]
    assert [part.last for part in parts] == [False] * (len(parts) - 1) + [True]
    assert all(len(part.normal.source) <= 2 * size + 16 for part in parts)


@pytest.mark.parametrize("space", [" ", "\n", "\u3000", "\u200b"])
def test_space_of_any_length_is_passed_over(space: str) -> None:
    with blocks_of(100, 20):
        for count in range(60, 260):
            parts = list(islice(portions(space * count + "one two six " * 20), 100))  # an error had no end
            words = [word for part in parts for word in part.words[part.first : part.end]]
            assert "".join(words) == "onetwosix" * 20
            assert (
                words == ["one", "two", "six"] * 20 or not space.isspace()
            )  # one that few visible ones precede is cut


@given(st.lists(st.sampled_from([piece for piece in PIECES if "\n" not in piece]), max_size=40).map("".join))
def test_blocks_hold_the_same_sentences(text: str) -> None:
    expected = sentences(text)
    with blocks_of(200, 30):
        assert sentences(text) == expected


def test_a_long_text_is_read_as_it_is_asked_for() -> None:
    asked = 0

    def endless() -> Iterator[str]:
        nonlocal asked
        while True:
            asked += 1
            yield "He left. " * 10

    with blocks_of(200):
        first = next(portions(endless()))
    assert first.words[:3] == ["He", "left", "."]
    assert first.words[-1] == "."
    assert asked < 5


def test_a_sentence_longer_than_a_block_is_read_with_what_stands_around_each_cut() -> None:
    with blocks_of(100, 20):
        parts = list(portions("one two six " * 100))
        assert [part.is_cut for part in parts] == [True] * (len(parts) - 1) + [False]
        assert all(
            part.words[part.end :] == after.words[after.first :][: len(part.words) - part.end]
            for part, after in pairwise(parts)
        )
        assert all(part.first > 3 for part in parts[1:])
        assert all(len(part.words) - part.end > 3 for part in parts[:-1])
        assert [len(sentence.tokens) for sentence in sentences("one two six " * 100)] == [300]
        assert [token.text for token in sentences("x" * 1000)[0].tokens] == ["x" * 200] * 5


def test_the_tokens_that_an_entity_may_take_from_the_next_block_are_the_same_there() -> None:
    text = "the curfew was lifted at noon and by one o'clock the cafés of e.g. Oslo were full " * 20
    for size in range(120, 200):
        with blocks_of(size, 30):
            parts = list(portions(text))
        for part, after in pairwise(parts):
            assert part.end <= part.sure < len(part.words)
            assert part.tokens(part.end, part.sure) == after.tokens(after.first, after.first + part.sure - part.end)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Jane Doe\tParis", ["Jane Doe", "Paris"]),
        ("Jane Doe \t Paris", ["Jane Doe", "Paris"]),
        ("Name    City\nJane   Oslo", ["Name", "City", "Jane", "Oslo"]),
        ("two  spaces", ["two  spaces"]),
        ("a\u3000\u3000\u3000b", ["a", "b"]),
        ("a line\n\tgoes on   \n   and on", ["a line\n\tgoes on   \n   and on"]),
        ("Jane\x0bOslo\x0cRome\u2028paris\x85bern\x1ftrier\0", ["Jane", "Oslo", "Rome", "paris", "bern", "trier\0"]),
        ("| Jane Doe | Oslo |\n|---|", ["| Jane Doe |", "Oslo |", "|---|"]),
        ("either|or a || b", ["either|or a || b"]),
    ],
)
def test_columns_are_sentences(text: str, expected: list[str]) -> None:
    assert cut(text) == expected


def barriers(text: str, token_unit: TokenUnit = "word") -> list[str]:
    """The barriers that no entity holds, and `before|after` where it goes over no place."""
    (portion,) = portions(text, token_unit=token_unit)
    words = ["", *portion.words, ""]
    return [
        "".join(words[first + 1 : final + 1]) if final > first else f"{words[first]}|{words[first + 1]}"
        for first, final in portion.barriers
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<p>Ada <a href='x'>Fox</a></p> 1 < 2", ["<p>", "<ahref='x'>", "</a>", "</p>"]),
        ("Ada\U0001f600Fox \u2764\ufe0f \U0001f44d\U0001f3fd", ["\U0001f600", "\u2764\ufe0f", "\U0001f44d\U0001f3fd"]),
        ("the #Eras #NYC", ["the|#Eras", "#Eras|#NYC"]),
        ("by @ada and @bob", ["by|@ada", "and|@bob"]),
        ("Ada ada@fox.org Fox", ["Ada|ada@fox.org", "ada@fox.org|Fox"]),
        ("see https://fox.org www.fox.org", ["see|https://fox.org", "https://fox.org|www.fox.org", "www.fox.org|"]),
        ("Ada Fox, AT&T and O'Neal: 3 > 2", []),
    ],
)
def test_markup_emoji_and_addresses_are_barriers(text: str, expected: list[str]) -> None:
    assert barriers(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<b>李华</b>\U0001f600在*上海*", ["<b>", "</b>", "\U0001f600", "*", "*"]),
        ("李华 Ada 上海", ["华|A", "a|上"]),
        ("在New York的IBM公司", []),
        ("李华 likes 上海", ["华|l", "likes", "s|上"]),
        ("约翰·史密斯（John）说：“好。”", []),
        ("Ada <b>Fox</b>", ["<b>", "</b>"]),
    ],
)
def test_marks_and_foreign_words_are_barriers_in_chinese(text: str, expected: list[str]) -> None:
    assert barriers(text, "character") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("李华 likes 上海 and it is Ada Fox的", ["李华", "likes", "上海", "and it is", "Ada Fox的"]),
        ("李华loves上海", ["李华", "loves", "上海"]),
        ("Bank of China的iPhone重3kg，见www.fox.org/a", ["Bank of China的iPhone重3kg，见www.fox.org/a"]),
        ("no Han at all", ["no Han at all"]),
    ],
)
def test_chinese_is_cut_at_foreign_words_in_lower_case(text: str, expected: list[str]) -> None:
    found = sentences(text, token_unit="character")
    assert [text[one.tokens[0].start : one.tokens[-1].end] for one in found] == expected


@pytest.mark.parametrize("unit", ["word", "character"])
@pytest.mark.parametrize("text", ["", " ", "\n \t", "\u3000\x1c\u2000\x85"])
def test_a_text_of_white_space_is_one_portion_without_tokens_as_its_parts_give(text, unit):
    whole, parts = (
        [one._replace(normal=one.normal.text) for one in portions(t, token_unit=unit)] for t in (text, [text])
    )
    assert whole == parts


def test_words_of_a_portion_touch_as_in_the_text() -> None:
    (portion,) = portions("Ada's dog\u200b (old) met 王明. Yes!")
    touching = {word for word, touches in zip(portion.words, portion.touching, strict=True) if touches}
    assert touching == {"Ada", "(", "old", "王", "明", "Yes"}
    assert next(portions("")).touching == []
