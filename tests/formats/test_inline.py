from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from ner_lstm_crf.config import TokenUnit
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.formats.inline import Inline, format_inline, parse_inline
from ner_lstm_crf.formats.options import ReadOptions, ReadReport, WriteOptions
from ner_lstm_crf.formats.registry import convert, read_sentences
from ner_lstm_crf.tags.labels import LabelMap
from ner_lstm_crf.text.annotation import Sentence, Span, Token

# Line breaks cannot stand within a line; everything else must survive, above all what the markup itself is made of.
CHARACTERS = st.one_of(st.sampled_from("[]()\\# \t\u3000ab京"), st.characters(exclude_characters="\n\r", codec="utf-8"))
LABELS = st.sampled_from(["PER", "creative-work", "PER.NOM", "组织"])

WORDS = ReadOptions(token_unit="word")


@st.composite
def spans_over(draw: st.DrawFn, length: int) -> list[Span]:
    cuts = sorted(draw(st.sets(st.integers(0, length), max_size=8)))
    ranges = pairwise(cuts)
    return [Span(start, end, draw(LABELS)) for start, end in ranges if draw(st.booleans())]


@st.composite
def word_sentences(draw: st.DrawFn) -> Sentence:
    words = draw(st.lists(st.text(CHARACTERS, min_size=1, max_size=6), max_size=10))
    return Sentence.from_words(words, draw(spans_over(len(words))))


@st.composite
def character_sentences(draw: st.DrawFn) -> Sentence:
    tokens, position = [], 0
    for character in draw(st.text(CHARACTERS, max_size=15)):
        position += bool(tokens) and draw(st.booleans())
        tokens.append(Token(character, position, position + 1))
        position += 1
    return Sentence(tuple(tokens), tuple(draw(spans_over(len(tokens)))))


@given(word_sentences())
def test_words_survive_the_round_trip(sentence: Sentence) -> None:
    assert parse_inline(format_inline(sentence)) == sentence


@given(character_sentences())
def test_characters_survive_the_round_trip_with_their_offsets(sentence: Sentence) -> None:
    assert parse_inline(format_inline(sentence, "character"), "character") == sentence


@given(st.text(CHARACTERS, max_size=20), st.sampled_from(["word", "character"]))
def test_any_line_is_read_or_refused_and_what_is_read_can_be_written(line: str, token_unit: TokenUnit) -> None:
    try:
        sentence = parse_inline(line, token_unit)
    except InputError:
        return
    assert parse_inline(format_inline(sentence, token_unit), token_unit) == sentence


def test_words() -> None:
    sentence = parse_inline("[Angela Merkel](PER) visited [Rome](LOC) .")
    assert sentence.words == ["Angela", "Merkel", "visited", "Rome", "."]
    assert sentence.spans == (Span(0, 2, "PER"), Span(3, 4, "LOC"))
    assert sentence == Sentence.from_words(sentence.words, sentence.spans)


def test_characters() -> None:
    sentence = parse_inline("[王小明](PER)在[北京大学](ORG)读书。", "character")
    assert "".join(sentence.words) == "王小明在北京大学读书。"
    assert sentence.spans == (Span(0, 3, "PER"), Span(4, 8, "ORG"))
    assert sentence.tokens[4] == Token("北", 4, 5)


def test_a_space_between_characters_is_no_token_but_counts() -> None:
    sentence = parse_inline("[iOS 9](MISC)好", "character")
    assert sentence.words == list("iOS9好")
    assert sentence.tokens[3] == Token("9", 4, 5)
    assert sentence.spans == (Span(0, 4, "MISC"),)


def test_adjacent_entities_stay_two() -> None:
    assert parse_inline("[Milan](ORG) [Inter](ORG)").spans == (Span(0, 1, "ORG"), Span(1, 2, "ORG"))
    assert parse_inline("[法国](LOC)[马克](PER)", "character").spans == (Span(0, 2, "LOC"), Span(2, 4, "PER"))


def test_escaped_brackets_are_text() -> None:
    sentence = parse_inline(r"\[ sic \] [a\]b](MISC) (x) \\")
    assert sentence.words == ["[", "sic", "]", "a]b", "(x)", "\\"]
    assert sentence.spans == (Span(3, 4, "MISC"),)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("went to [Rome", "found the end of the line"),
        ("went to [Rome . (LOC)", "found the end of the line"),
        ("[Bank of [England](LOC)](ORG)", "no entity within an entity"),
        ("[Rome]() .", r"found \(\)"),
        ("[Rome] .", "found none"),
        ("[Rome](LOC .", "expected a label"),
        ("[Rome](BIG CITY) .", "expected a label"),
        ("[](LOC) .", "text between"),
        ("[ ](LOC) .", "text between"),
        ("Rome](LOC) .", "before ']'"),
        ("[Rome](LOC).", r"a space after an entity.*--token-unit character.*column 12"),
        ("[Rome](LOC)[Italy](LOC)", "a space before an entity"),
        ("un[American](MISC)", "a space before an entity.*--token-unit character"),
        (r"C:\temp", "after a backslash"),
        ("the end \\", "after a backslash"),
    ],
)
def test_malformed_markup_is_refused(line: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_inline(line)


@pytest.mark.parametrize(
    ("sentence", "token_unit"),
    [
        (Sentence.from_words(["a\nb"]), "word"),
        (Sentence.from_words([""]), "word"),
        (Sentence.from_words(["ab"]), "character"),
        (Sentence.from_words(["a"], [Span(0, 1, "")]), "word"),
        (Sentence.from_words(["a"], [Span(0, 1, "big city")]), "word"),
        (Sentence.from_words(["a"], [Span(0, 1, "X)")]), "word"),
    ],
)
def test_what_cannot_be_written_is_refused(sentence: Sentence, token_unit: TokenUnit) -> None:
    with pytest.raises(ValueError, match="expected"):
        format_inline(sentence, token_unit)


def test_a_file_has_comments_documents_and_line_numbers(tmp_path: Path) -> None:
    path = tmp_path / "source.txt"
    path.write_bytes(
        b"\xef\xbb\xbf# first line\r\n\r\n## news\r\n[Rome](LOC) .\r\n \t\nok\n## \n# x\n## sport\n\\#1 in [Oslo](LOC)"
    )
    report = ReadReport()
    first, second, third = Inline().read(path, WORDS, report)
    assert (report.sentences, report.documents, report.comments) == (3, 2, 5)
    assert [s.words for s in (first, second, third)] == [["Rome", "."], ["ok"], ["#1", "in", "Oslo"]]
    assert [(s.document, s.line) for s in (first, second, third)] == [(0, 4), (0, 6), (1, 10)]


def test_an_error_in_a_file_names_its_place(tmp_path: Path) -> None:
    path = tmp_path / "source.txt"
    path.write_text("# comment\nfine\n\n[Rome .\n")
    sentences = Inline().read(path, WORDS, ReadReport())
    assert next(sentences).words == ["fine"]
    with pytest.raises(InputError) as caught:
        next(sentences)
    assert str(caught.value).startswith(f"{path}:4: expected ']' after '['")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        next(Inline().read(tmp_path / "absent.txt", WORDS, ReadReport()))


def test_texts_read_as_words_are_written_as_words_though_each_is_one_character(tmp_path: Path) -> None:
    source, target = tmp_path / "x.jsonl", tmp_path / "y.inline"
    source.write_text('{"text": "绕0行 。", "entities": []}\n', encoding="utf-8")
    convert(source, target, options=WORDS)
    assert target.read_text(encoding="utf-8") == "绕 0 行 。\n"
    assert read_sentences(target, WORDS)[0].words == read_sentences(target)[0].words == ["绕", "0", "行", "。"]


def test_the_unit_is_named_where_the_marks_that_showed_it_are_dropped(tmp_path: Path) -> None:
    source, target = tmp_path / "x.inline", tmp_path / "y.inline"
    source.write_text("[Ada](PER)s [b](LOC) c\n")
    options = ReadOptions(labels=LabelMap.parse("LOC"))
    Inline().rewrite(source, target, options, WriteOptions(), ReadReport())
    assert target.read_text() == "# token unit: character\nAdas [b](LOC) c\n"


@pytest.mark.parametrize("marks", [1, 2, 3])
def test_a_comment_behind_byte_order_marks_is_one(marks, tmp_path):
    path, again = tmp_path / "x.inline", tmp_path / "y.inline"
    path.write_text("\ufeff" * marks + "# token unit: character\n[王 明](PER) 在\n", encoding="utf-8")
    convert(path, again)
    for one in (path, again):
        (sentence,) = read_sentences(one)
        assert (sentence.words, sentence.spans) == (["王", "明", "在"], (Span(0, 2, "PER"),))


def test_a_long_label_that_cannot_be_written_is_shown_in_part() -> None:
    with pytest.raises(ValueError, match=r"found '\[{80}\.\.\.'$"):
        format_inline(Sentence.from_words(["a"], [Span(0, 1, "[" * 3000)]))
