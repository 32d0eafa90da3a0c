"""Any text through a tagger: places are right, nothing else that is tagged matters, nor what nobody sees.

Most inputs go to small networks of random weights, which find entities everywhere; some to the shipped taggers.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import example, given, settings, strategies as st

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.features import batch
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.tagging.tagger import Tagger
from ner_lstm_crf.text import sentences as module
from ner_lstm_crf.text.annotation import Entity, Sentence

CORPORA = Path(__file__).parents[2] / "corpora"
TAGGERS = st.sampled_from(["word"] * 10 + ["character"] * 10 + ["en", "zh"])
FUZZ = settings.get_profile("fuzz")

SENTENCES = [
    line
    for language in ("en", "zh")
    for line in (CORPORA / language / "source.txt").read_text(encoding="utf-8").splitlines()[:400]
    if line
]
UNSEEN = ["\u200b", "\ufeff", "\u200e", "\u200f", "\u00ad", "\u2060", "\u202a", "\u202e", "\u2066", "\u2069", "\ufe00"]
STRANGE = [
    *["\ud800", "\udfff", "\0", "\x08", "\x1b[31m", "\r", "\x85", "\u2028", "\t", "   ", "\u3000", "\xa0", "\f\v\x1c"],
    *[
        "👨\u200d👩\u200d👧",
        "❤\ufe0f",
        "🇩🇪",
        "👍🏽",
        "1\ufe0f\u20e3",
        "\U0001f3f4\U000e0067\U000e007f",
        "\u200d",
        "\ufe0f",
    ],
    *[
        "שלום",
        "العربية",
        "می\u200cخواهم",
        "हिन्दी",
        "กิน",
        "서울",
        "東京タワー",
        "Москва",
        "e\u0301",
        "x\u0327\u0301\u0302",
    ],
    *[
        "<b>",
        "</b>",
        "<!-- -->",
        "{",
        '"',
        "#Eras",
        "@ada",
        "a@b.org",
        "https://a.org/b",
        "| a | b |",
        "Ｒｏｍｅ",
        "１２",
    ],
    *[
        "王小明",
        "北京",
        "Ada Fox",
        "Oslo",
        " and ",
        "visited",
        ". ",
        "。",
        "!?",
        "...",
        "Mr. ",
        "\n",
        "\n\n",
        "",
        "-",
        "'s",
    ],
]
PIECES = st.one_of(st.sampled_from(SENTENCES), st.sampled_from(STRANGE), st.text(max_size=20), st.sampled_from(UNSEEN))
RUNS = st.tuples(PIECES, st.integers(2, 100)).map(lambda pair: (pair[0] * pair[1])[:1000])
TEXTS = st.lists(st.one_of(PIECES, PIECES, PIECES, PIECES, RUNS), max_size=6).map("".join)


@cache
def tagger(name: str) -> Tagger:
    """A shipped tagger, or one of random weights over "word" or "character" tokens."""
    if name in ("en", "zh"):
        return Tagger.load(name)
    words = ["Ada", "Fox", "visited", "Oslo", "."] if name == "word" else list("王小明访问北京。Rome")
    config = ModelConfig(
        token_unit="word" if name == "word" else "character",
        word_size=8,
        char_size=6,
        char_filters=6,
        casing_size=2,
        hidden_size=12,
    )
    model = Model.build([Sentence.from_words(words, [(0, 2, "PER"), (3, 4, "LOC")])], config)
    with torch.no_grad():
        model.networks[0].projection.weight.mul_(30)
    return Tagger(model)


def check(text: str, entities: list[Entity]) -> None:
    """Places within the text, in order, without overlap; texts as they are there; nothing invisible at either end."""
    assert all(text[entity.start : entity.end] == entity.text for entity in entities)
    assert all(0 <= entity.start < entity.end <= len(text) for entity in entities)
    assert all(before.end <= after.start for before, after in pairwise(entities))
    for entity in entities:
        assert entity.text.strip() == entity.text
        assert entity.text[0] not in UNSEEN
        assert entity.text[-1] not in UNSEEN
        assert not any(char in entity.text for char in "\t\f\v\x85\u2028\x1c")


@FUZZ
@given(name=TAGGERS, texts=st.lists(TEXTS, max_size=3))
def test_any_text_is_tagged_and_its_neighbours_change_nothing(name: str, texts: list[str]) -> None:
    found = list(tagger(name).tag_many(texts))
    assert found == [tagger(name).tag(text) for text in texts]
    for text, entities in zip(texts, found, strict=True):
        check(text, entities)


@FUZZ
@given(name=TAGGERS, data=st.data())
def test_what_nobody_sees_changes_nothing(name: str, data: st.DataObject) -> None:
    text = data.draw(TEXTS)
    places = data.draw(st.lists(st.integers(0, len(text)), max_size=6).map(sorted))
    marked, at = "", 0
    for place in places:
        marked += text[at:place] + data.draw(st.sampled_from(UNSEEN))
        at = place
    marked += text[at:]
    entities = tagger(name).tag(marked)
    check(marked, entities)
    visible = [
        (str.join("", (char for char in entity.text if char not in UNSEEN)), entity.label) for entity in entities
    ]
    if not any(_is_spelled(text, place) for place in places):
        expected = tagger(name).tag(text)
        assert visible == [
            (str.join("", (char for char in entity.text if char not in UNSEEN)), entity.label) for entity in expected
        ]


def _is_spelled(text: str, place: int) -> bool:
    """True if a mark at this place stands between two characters of one sign, so that it does change the text."""
    joins = "\u200c\u200d\ufe0e\ufe0f\u20e3"
    near = text[max(place - 2, 0) : place + 2]
    return any(char in joins or "\U000e0020" <= char <= "\U000e007f" for char in near)


@FUZZ
@given(name=TAGGERS, text=TEXTS)
@example(
    name="word",
    text="[Ada Lovelace](PER) wrote her notes a century before the first machine could have run them ." * 10,
)
@example(
    name="word",
    text="[Omar Haddad](PER) left [Jordan](LOC) as a child and returned forty years later as an ambassador ."
    "[复旦大学](ORG)的[吴](PER)老师用AI修复了一卷残破的家谱。\ud800"
    + "The curfew was lifted at noon , and by one o'clock the cafés were full ."
    * 11,
)
def test_blocks_and_windows_of_any_size_are_tagged(name: str, text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", 300)
        patch.setattr(module, "_MARGIN", 60)
        patch.setattr(batch, "MOST_TOKENS", 24)
        check(text, tagger(name).tag(text))
        portions = list(tagger(name).tag_portions([text, text]))
    words = "".join(
        token.text for one in portions[: len(portions) // 2] for part in one.sentences() for token in part.tokens
    )
    whole = "".join(token.text for sentence in tagger(name).split(text) for token in sentence.tokens)
    assert words == whole
