from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from ner_lstm_crf.text import tokenizer
from ner_lstm_crf.text.tokenizer import characters, detect_hyphens, tokenize

# Pieces that the rules care about: random letters alone would hardly ever meet one.
FRAGMENTS = [
    *"aAIéßЖع한中あกि0 7.,:;!?'\"’“”-–—/\\|&_@#$%*+=<>()[]{}~^…。，、！？「」\n\t\r\x00\x1c\x85\xa0\u3000",
    *["\u200b", "\u200d", "\ufeff", "\ufe0f", "\u20e3", "\u0301", "\u0e34", "\u3099", "\U00020000", "\U0001d400"],
    *["👩", "🏽", "🇩", "🇪", "☀", "😀", "xD", ":-)", "<3", "...", "--"],
    *["Mr.", "U.S.", "etc.", "No.", "3.", "J.", "e.g.", "f.eks.", "n't", "'s", "’ll", "can", "not", "gonna", "US$"],
    *["http://", "www.", ".com", "x@y.z", "@me", "#tag", "well-known", "e-mail", "1,234.56", "24/7", "5pm", "'90s"],
]
TEXTS = st.one_of(st.text(), st.lists(st.sampled_from(FRAGMENTS), max_size=30).map("".join))
WAYS = [
    pytest.param(tokenize, id="split"),
    pytest.param(lambda text: tokenize(text, hyphens="keep"), id="keep"),
    pytest.param(characters, id="characters"),
]


def words(text: str, **options: str) -> list[str]:
    return [token.text for token in tokenize(text, **options)]


@pytest.mark.parametrize("cut", WAYS)
@given(TEXTS)
def test_tokens_tile_the_text_up_to_whitespace(cut, text):
    tokens = cut(text)
    assert all(text[token.start : token.end] == token.text for token in tokens)
    assert all(0 <= token.start < token.end <= len(text) for token in tokens)
    assert all(left.end <= right.start for left, right in pairwise(tokens))
    assert "".join(token.text for token in tokens) == "".join(text.split())


@pytest.mark.parametrize("cut", WAYS)
@given(TEXTS)
def test_no_token_holds_whitespace(cut, text):
    assert not any(char.isspace() for token in cut(text) for char in token.text)


@pytest.mark.parametrize("hyphens", ["split", "keep"])
@given(text=TEXTS)
def test_shortcuts_change_only_the_speed(hyphens, text):
    slow = tokenizer.token_pattern(hyphens, ())
    assert [match[0] for match in slow.finditer(text)] == words(text, hyphens=hyphens)


@given(st.text())
def test_characters_are_the_characters(text):
    assert [token.text for token in characters(text)] == [char for char in text if not char.isspace()]


@given(TEXTS)
def test_lone_surrogates_and_substrings_are_text_too(text):
    damaged = text + "\ud800"
    assert "".join(words(damaged)) == "".join(damaged.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # clitics
        ("Don't say it isn't Anna's.", "Do n't say it is n't Anna 's ."),
        (
            "We’ll see what they've done; I'm sure you'd know.",
            "We ’ll see what they 've done ; I 'm sure you 'd know .",
        ),
        ("CAN'T and WE'RE", "CA N'T and WE 'RE"),
        ("They cannot, I'm gonna, you wanna", "They can not , I 'm gon na , you wan na"),
        ("the cannoteer, O'Neal and rock'n'roll", "the cannoteer , O'Neal and rock'n'roll"),
        ("the 60's, the '90s, class of '04", "the 60's , the '90s , class of '04"),
        ("'Yes,' he said", "' Yes , ' he said"),
        # abbreviations
        ("Mr. Lopez of Acme Inc. met Dr. Wu.", "Mr. Lopez of Acme Inc. met Dr. Wu ."),
        ("The U.S. and the U.K., e.g. at 5 p.m. sharp", "The U.S. and the U.K. , e.g. at 5 p.m. sharp"),
        ("J. R. Smith and J.R. Smith", "J. R. Smith and J.R. Smith"),
        ("It was I. She left.", "It was I . She left ."),
        ("room no. 5? No. Never.", "room no. 5 ? No . Never ."),
        ("apples, pears, etc.", "apples , pears , etc ."),
        ("f.eks. den 3. maj", "f.eks. den 3. maj"),
        # numbers
        ("1,234.56 and 3.14, 7:30 on 11/28/2000", "1,234.56 and 3.14 , 7:30 on 11/28/2000"),
        ("$5.50, US$4.5, 20%, 5pm, 16kg, the 21st", "$ 5.50 , US$ 4.5 , 20 % , 5 pm , 16 kg , the 21st"),
        ("call 713-853-3989 or +44 20", "call 713-853-3989 or +44 20"),
        ("in 1999.", "in 1999 ."),
        # addresses
        ("see https://example.org/a_b?x=1&y=2.", "see https://example.org/a_b?x=1&y=2 ."),
        ("(www.example.com/x), shop.example.co.uk!", "( www.example.com/x ) , shop.example.co.uk !"),
        ("mail jo.doe+x@mail.example.org, or report.pdf", "mail jo.doe+x@mail.example.org , or report.pdf"),
        ("@jo_doe loves #python3 and C#", "@jo_doe loves #python3 and C #"),
        # pictures
        ("nice :-) :( ;-) :D <3 xD", "nice :-) :( ;-) :D <3 xD"),
        ("thanks:) (see: this)", "thanks :) ( see : this )"),
        ("go 👩‍👩‍👧🇩🇪🇫🇷 👍🏽👍 1️⃣ ☀️!", "go 👩‍👩‍👧 🇩🇪 🇫🇷 👍🏽 👍 1️⃣ ☀️ !"),
        # punctuation
        ("Well... no!!! -- really?!", "Well ... no !!! -- really ?!"),
        ('"Quoted" “text” (here) [there]', '" Quoted " “ text ” ( here ) [ there ]'),
        ("AT&T, R&D, snake_case", "AT&T , R&D , snake_case"),
        # scripts
        ("我爱Paris的café。", "我 爱 Paris 的 café 。"),
        ("東京タワーは333mです", "東 京 タ ワ ー は 333 m で す"),
        ("서울에서 만나요", "서울에서 만나요"),
        ("กิน", "กิ น"),
        ("cafe\u0301 हिन्दी שָׁלוֹם", "cafe\u0301 हिन्दी שָׁלוֹם"),
        ("我爱NLP，:D你can't去5pm的", "我 爱 NLP ， :D 你 ca n't 去 5 pm 的"),
        ("他说：“你好！”——真的吗？", "他 说 ： “ 你 好 ！ ” —— 真 的 吗 ？"),
        ("看https://example.cn/新。", "看 https://example.cn/ 新 。"),
        ("an\u200bgela so\u00adft", "an\u200bgela so\u00adft"),
    ],
)
def test_examples(text, expected):
    assert words(text) == expected.split(" ")


@pytest.mark.parametrize(
    ("text", "split", "keep"),
    [
        ("a well-known man", "a well - known man", "a well-known man"),
        ("al-Zaman's Jean-Luc", "al - Zaman 's Jean - Luc", "al-Zaman 's Jean-Luc"),
        ("an e-mail to the co-founder", "an e-mail to the co-founder", "an e-mail to the co-founder"),
        ("and/or 6-4, 1996-08-22", "and / or 6 - 4 , 1996-08-22", "and/or 6-4 , 1996-08-22"),
        ("at 5pm in 70er", "at 5 pm in 70er", "at 5pm in 70er"),
        ("pre- and post-war", "pre - and post-war", "pre- and post-war"),
        ("no -- never - ever", "no -- never - ever", "no -- never - ever"),
    ],
)
def test_hyphens(text, split, keep):
    assert words(text, hyphens="split") == split.split(" ")
    assert words(text, hyphens="keep") == keep.split(" ")


def test_a_wrong_choice_is_refused():
    with pytest.raises(ValueError, match="'both'"):
        tokenize("a", hyphens="both")


@pytest.mark.parametrize(
    "token_unit",
    [
        *[
            "a",
            ".",
            "@",
            "-",
            "_",
            "'",
            "(",
            "#",
            "!",
            "é",
            "中",
            "\u0301",
            "a\u0301",
            " ",
            "\n",
            "<3",
            "xD",
            "^_",
            ":-",
        ],
        *[
            "a.",
            "a-",
            "a@",
            "a'",
            "a&",
            "a_",
            "a/b",
            "a.b",
            "abc.",
            "1-",
            "1.",
            "1/",
            "1:",
            "1a",
            "aa.",
            "x.com",
            ".com",
        ],
        *[
            "http://",
            "http://(",
            "www.",
            "www.((",
            "U.S.",
            "Mr.",
            "etc. ",
            "K. ",
            "1.\n",
            "don",
            "n't",
            "'s",
            "e-",
            "$1",
        ],
        *["👩\u200d", "🇩", "1\ufe0f", "a%", ":D", "\t.", "pre-a", "a%%", "a--", "a..", "a-.", "..", "abc.abc", "ab.\n"],
    ],
)
def test_time_is_linear_on_hostile_text(is_linear, token_unit):
    assert is_linear(tokenize, token_unit)


@pytest.mark.parametrize("token_unit", ["a-", "a/", "1-", "a'", "-", "a- "])
def test_time_is_linear_when_hyphens_are_kept(is_linear, token_unit):
    assert is_linear(lambda text: tokenize(text, hyphens="keep"), token_unit)


def test_compounds_are_detected_in_small():
    assert detect_hyphens(["well-known", "-", "-"]) == "keep"
    assert detect_hyphens(["well", "-", "known", "e-mail", "555-1234"]) == "split"
    assert detect_hyphens([]) == "split"


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *[("uner-en_ewt/dev.iob2", "split"), ("uner-en_pud/test.iob2", "split"), ("uner-de_pud/test.iob2", "split")],
        *[
            ("uner-pt_bosque/dev.iob2", "keep"),
            ("uner-da_ddt/dev.iob2", "keep"),
            ("uner-sv_talbanken/dev.iob2", "keep"),
        ],
        *[("wikigold/wikigold.conll", "keep"), ("wnut17/dev.conll", "keep"), ("anem/test.conll", "split")],
    ],
)
def test_compounds_are_detected_in_corpora(corpus_file, name, expected):
    column = 1 if name.endswith("iob2") else 0
    lines = corpus_file(name).read_text(encoding="utf-8").splitlines()
    rows = (line.split() for line in lines if line.strip() and not line.startswith("# "))
    assert detect_hyphens(row[column] for row in rows) == expected
