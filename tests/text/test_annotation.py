"""Sentences made of words, tags and texts; what is wrong in them is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.tags.scheme import SCHEMES
from ner_lstm_crf.text.annotation import Entity, Sentence, Span, Token, align

TEXT = "Ada Green flew from Rome."


def test_tags_and_words_make_a_sentence_in_every_scheme() -> None:
    words, spans = ["Ada", "Green", "met", "Milo", "Jo"], (Span(0, 2, "PER"), Span(3, 4, "PER"), Span(4, 5, "ORG"))
    for scheme in SCHEMES:
        sentence = Sentence.from_words(words, spans)
        assert Sentence.from_tags(words, sentence.tags(scheme), scheme=scheme) == sentence
    assert Sentence.from_tags(np.array(["Ada"]), np.array(["B-PER"]), scheme="bio").spans == (Span(0, 1, "PER"),)
    assert Sentence.from_tags([], []).tags() == []


@pytest.mark.parametrize(
    ("words", "tags", "error", "said"),
    [
        (["Ada", "met"], ["B-PER"], ValueError, "expected one tag for each of 2 words, got 1 tags"),
        (["Ada"], ["I-PER"], ValueError, "position 0: 'I-PER' may not start a sentence in IOB2"),
        (["Ada"], ["S-PER"], ValueError, r"position 0: expected a tag of IOB2 \(O, B-, I-\), found 'S-PER'"),
        ("Ada", ["B-PER"], TypeError, "expected a list of words and one of tags, got a string"),
        (["Ada", 3], ["O", "O"], TypeError, r"expected a string as word 2, got 3 \(int\)"),
        (["Ada"], [None], TypeError, r"expected a string as tag 1, got None \(NoneType\)"),
    ],
)
def test_tags_that_do_not_fit_are_named(words: Any, tags: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        Sentence.from_tags(words, tags)
    with pytest.raises(InputError, match="expected a tag scheme"):
        Sentence.from_tags(["Ada"], ["O"], scheme="BIX")


def test_entities_of_a_text_become_spans() -> None:
    given_entities: list[Any] = [(20, 24, "LOC"), Entity(0, 9, "PER", "Ada Green")]
    sentence = Sentence.from_text(TEXT, given_entities)
    assert sentence.words == ["Ada", "Green", "flew", "from", "Rome", "."]
    assert sentence.spans == (Span(0, 2, "PER"), Span(4, 5, "LOC"))
    assert sentence.entities(TEXT) == sentence.entities() == [given_entities[1], Entity(20, 24, "LOC", "Rome")]
    assert Sentence.from_text(TEXT, [(0, 10, "PER")]).spans == (Span(0, 2, "PER"),)  # white space is no part of it
    characters = Sentence.from_text("王明在巴黎", [(3, 5, "LOC")], token_unit="character")
    assert (characters.words, characters.spans) == (list("王明在巴黎"), (Span(3, 5, "LOC"),))
    assert Sentence.from_text("", []).words == []
    assert Sentence.from_text(TEXT, [(np.int64(0), np.int32(9), "PER")]).spans == (Span(0, 2, "PER"),)
    for label in ("", "O"):
        with pytest.raises(ValueError, match=f"expected a label such as PER, got '{label}' for"):
            Sentence.from_text(TEXT, [(0, 9, label)])


@pytest.mark.parametrize(
    ("entities", "error", "said"),
    [
        (
            [(0, 2, "PER")],
            ValueError,
            r"'Ad' \(PER at 0-2\) begins or ends within the token 'Ada': cut=True",
        ),
        ([(1, 9, "PER")], ValueError, r"the entity 'da Green' \(PER at 1-9\) begins or ends within the token 'Ada'"),
        ([(0, 99, "PER")], ValueError, "expected an entity within the 25 characters of its text"),
        ([(5, 3, "PER")], ValueError, "expected an entity within the 25 characters of its text"),
        ([(3, 4, "PER")], ValueError, "expected an entity within the 25 characters of its text"),
        ([Entity(0, 3, "PER", "Bob")], ValueError, "expected an entity with the text at its offsets, 'Ada', got"),
        ([(0, 9, "PER"), (4, 9, "ORG")], ValueError, "expected sorted spans without overlap"),
        (["PER"], TypeError, r"expected an entity as \(start, end, label\), got 'PER'"),
        ([(0, 3, None)], TypeError, r"expected an entity as \(start, end, label\), got \(0, 3, None\)"),
        ([{"start": 0}], TypeError, r"expected an entity as \(start, end, label\)"),
    ],
)
def test_entities_that_do_not_fit_are_named(entities: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        Sentence.from_text(TEXT, entities)
    with pytest.raises(TypeError, match="expected a text, got NoneType"):
        Sentence.from_text(None)  # type: ignore[arg-type]


@given(text=strategies.text("ab. 王\u200b", max_size=20))
def test_tokens_touch_where_the_text_has_nothing_between_them(text: str) -> None:
    sentence = Sentence.from_text(text)
    ends, starts = [one.end for one in sentence.tokens], [one.start for one in sentence.tokens]
    between = [text[end:start] for end, start in zip(ends, starts[1:], strict=False)]
    assert sentence.touching == [not gap for gap in between] + [False] * bool(ends)
    assert not any(Sentence.from_words(sentence.words).touching)


def test_tokens_are_cut_at_entities_where_asked_for() -> None:
    sentence = Sentence.from_text("Romebound", [(0, 4, "LOC")], cut=True)
    assert (sentence.words, sentence.spans) == (["Rome", "bound"], (Span(0, 1, "LOC"),))


@given(strategies.text(max_size=30), strategies.integers(0, 30), strategies.integers(0, 30))
def test_an_entity_anywhere_is_kept_by_a_cut(text: str, start: int, end: int) -> None:
    if start < end <= len(text) and text[start:end].strip():
        (entity,) = Sentence.from_text(text, [(start, end, "X")], cut=True).entities(text)
        assert entity.text == text[start:end].strip()


@pytest.mark.parametrize(
    ("tokens", "spans", "error", "said"),
    [
        ("Ada", (), TypeError, "expected a tuple of Token as tokens, found 'Ada': Sentence.from_words takes words"),
        (["Ada"], (), TypeError, r"expected a tuple of Token as tokens, found \['Ada'\]"),
        (("Ada",), (), TypeError, "expected a tuple of Token as tokens, found 'Ada'"),
        ((Token("Ada", 0, 3),), [Span(0, 1, "PER")], TypeError, "expected a tuple of Span as spans"),
        ((Token("Ada", 0, 3),), ((0, 1, "PER"),), TypeError, r"as spans, found \(0, 1, 'PER'\)"),
        ((Token("Ada", 0, 3),), (Span(0, 1, None),), TypeError, "expected a string as the label of a span, got Span"),
        (
            (Token("Ada", 0, 3),),
            (Span(1, 1, "X"),),
            ValueError,
            r"1 tokens, got Span\(start=1, end=1, label='X'\)$",
        ),
        (
            (Token("Ada", 0, 3),),
            (Span(0, 2, "X"),),
            ValueError,
            r"1 tokens, got Span\(start=0, end=2, label='X'\)$",
        ),
        (
            (Token("A", 0, 1), Token("b", 2, 3)),
            (Span(1, 2, "X"), Span(0, 1, "Y")),
            ValueError,
            r"got Span\(start=0, end=1, label='Y'\) after Span\(start=1, end=2, label='X'\)$",
        ),
    ],
)
def test_what_makes_no_sentence_is_named(tokens: Any, spans: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        Sentence(tokens, spans)


def test_a_string_is_not_taken_for_words() -> None:
    with pytest.raises(TypeError, match=r"expected words, got a string: Sentence.from_text\(text\)"):
        Sentence.from_words("Ada met Milo")
    with pytest.raises(TypeError, match=r"expected a string as word 2, got nan \(float\)"):
        Sentence.from_words(["Ada", float("nan")])  # type: ignore[list-item]
    assert Sentence.from_words("王明", joiner="").words == ["王", "明"]


def test_a_sentence_shows_its_entities_on_one_short_line() -> None:
    assert (
        repr(Sentence.from_text(TEXT, [(20, 24, "LOC")])) == "<Sentence of 6 tokens: Ada Green flew from [Rome](LOC).>"
    )
    long = Sentence.from_words(["word"] * 1000, [Span(0, 900, "X"), Span(900, 1000, "Y")])
    assert len(repr(long)) < 150
    assert repr(long).endswith(" …>")
    assert len(long) == 1000
    assert Sentence(())


@given(
    strategies.lists(strategies.tuples(strategies.integers(0, 3), strategies.integers(1, 6)), max_size=8),
    strategies.integers(0, 3),
    strategies.integers(2, 7),
)
def test_pieces_of_a_long_sentence_hold_all_and_cut_no_entity(
    gaps: list[tuple[int, int]], rest: int, longest: int
) -> None:
    spans, end = [], 0
    for gap, length in gaps:
        spans.append(Span(end + gap, end + gap + length, "PER"))
        end += gap + length
    sentence = Sentence.from_words([f"w{number}" for number in range(end + rest)], spans)
    pieces = list(sentence.pieces(longest))
    assert [token for piece in pieces for token in piece.tokens] == list(sentence.tokens)
    assert [piece.tokens[start] for piece in pieces for start, _, _ in piece.spans] == [
        sentence.tokens[start] for start, _, _ in spans
    ]
    assert [stop - start for piece in pieces for start, stop, _ in piece.spans] == [length for _, length in gaps]
    widest = max([longest, *(length for _, length in gaps)])
    assert all(len(piece.tokens) <= widest for piece in pieces)


def test_scores_go_with_spans_and_do_not_count_in_comparisons() -> None:
    sentence = Sentence.from_words(["Ada", "met", "Milo"], [Span(0, 1, "PER"), Span(2, 3, "PER")])
    scored = sentence.with_spans(sentence.spans, (0.9, 0.25))
    assert scored == sentence
    assert hash(scored) == hash(sentence)
    first, second = scored.entities("Ada met Milo")
    assert (first.score, second.score) == (0.9, 0.25)
    assert first == Entity(0, 3, "PER", "Ada")
    assert not first < Entity(0, 3, "PER", "Ada", score=0.1)
    assert repr(second) == "Entity(start=8, end=12, label='PER', text='Milo', score=0.250)"
    assert eval(repr(second)) == second
    assert repr(Entity(0, 3, "PER", "Ada")) == "Entity(start=0, end=3, label='PER', text='Ada')"
    assert Entity(0, 3, "PER", "Ada", 0.123456).to_json() == {
        "start": 0,
        "end": 3,
        "label": "PER",
        "text": "Ada",
        "score": 0.1235,
    }
    assert "score" not in Entity(0, 3, "PER", "Ada").to_json()
    assert [piece.scores for piece in scored.pieces(2)] == [(0.9,), (0.25,)]
    assert scored.with_spans([Span(0, 1, "PER")]).scores == ()
    with pytest.raises(ValueError, match="expected one score for each of 2 spans, got 1"):
        sentence.with_spans(sentence.spans, [0.5])


WORDS = strategies.lists(strategies.text(" ab\u00a0\u200b", max_size=3), max_size=5)


@given(WORDS, strategies.lists(strategies.sampled_from(["", " ", "  ", "\t", "\u00a0", "x"]), min_size=6, max_size=6))
def test_words_are_found_in_their_text_one_behind_another(words, gaps):
    text = "".join(gap + word for gap, word in zip(gaps, [*words, ""], strict=False))
    expected, position = [], 0
    for word in words:  # the slow way
        start = text.find(word, position)
        if start < 0 or text[position:start].strip():
            assert align(words, text) is None
            return
        position = start + len(word)
        expected.append(Token(word, start, position))
    assert align(words, text) == (None if text[position:].strip() else tuple(expected))
