from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from ner_lstm_crf.config import TokenUnit
from ner_lstm_crf.text import sentences as module
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
    assert [token for sentence in parts for token in sentence.tokens] == tokens_of(text)
    assert all(sentence.tokens and not sentence.spans for sentence in parts)


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
    assert [token for sentence in found for token in sentence.tokens] == tokenize(text)
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


@pytest.mark.parametrize("token_unit", ["word", "character"])
@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join), st.integers(1, 20))
def test_portions_hold_the_same_sentences_none_cut(token_unit: TokenUnit, text: str, size: int) -> None:
    expected = [
        [(token.text, token.start) for token in sentence.tokens] for sentence in sentences(text, token_unit=token_unit)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_PORTION", size)
        parts = list(portions(text, token_unit=token_unit))
    found = [
        list(zip(part.words[start:end], part.starts[start:end], strict=True))
        for part in parts
        for start, end in pairwise(part.edges)
    ]
    assert found == expected
    assert [part.last for part in parts] == [False] * (len(parts) - 1) + [True]
    longest = max(map(len, expected), default=0)
    assert all(len(part.words) <= 2 * size + longest for part in parts)


def test_a_long_text_is_read_as_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PORTION", 10)
    first = next(portions("He left. " * 100_000))
    assert first.words[:3] == ["He", "left", "."]
    assert len(first.words) < 20
