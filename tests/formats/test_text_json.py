from __future__ import annotations

import json
import logging
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.formats.options import ReadOptions, ReadReport
from ner_lstm_crf.formats.registry import FORMATS, detect_format, read_sentences
from ner_lstm_crf.formats.text_json import AnnotatedText, TextFormat, TextJson, annotate, text_of
from ner_lstm_crf.tags.labels import LabelMap
from ner_lstm_crf.text.annotation import Entity, Sentence, Span, Token

TEXT = "Ada met King Lu in Rome."
ENTITIES = (Entity(0, 3, "PER", "Ada"), Entity(8, 15, "PER", "King Lu"), Entity(19, 23, "LOC", "Rome"))
STYLES = {
    "ours": {
        "entities": [{"start": 0, "end": 3, "label": "PER"}, {"start": 19, "end": 23, "label": "LOC"}, [8, 15, "PER"]]
    },
    "with texts": {"entities": [{"start": e.start, "end": e.end, "label": e.label, "text": e.text} for e in ENTITIES]},
    "doccano": {"id": 3, "label": [[0, 3, "PER"], [8, 15, "PER"], [19, 23, "LOC"]]},
    "doccano, new": {"labels": [[0, 3, "PER"], [8, 15, "PER"], [19, 23, "LOC"]], "meta": {"x": None}},
    "doccano, offsets": {
        "entities": [{"start_offset": e.start, "end_offset": e.end, "label": e.label} for e in ENTITIES]
    },
    "Prodigy": {"spans": [{"start": e.start, "end": e.end, "label": e.label, "token_start": 0} for e in ENTITIES]},
    "CLUENER": {"label": {"PER": {"Ada": [[0, 2]], "King Lu": [[8, 14]]}, "LOC": {"Rome": [[19, 22]]}}},
    "repeated": {"entities": [[e.start, e.end, e.label] for e in ENTITIES * 2]},
    "spaces included": {"entities": [[0, 4, "PER"], [7, 15, "PER"], [18, 23, "LOC"]]},
}


def written_by(name: str) -> TextFormat:
    chosen = FORMATS[name]
    assert isinstance(chosen, TextFormat)
    return chosen


def file_of(folder: Path, *lines: object) -> Path:
    path = folder / "x.jsonl"
    texts = [line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines]
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("name", STYLES)
def test_every_style_gives_the_same_entities(name, tmp_path):
    (record,) = TextJson().read_texts(file_of(tmp_path, {"text": TEXT} | STYLES[name]))
    assert (record.text, record.entities, record.line) == (TEXT, ENTITIES, 1)
    assert detect_format(tmp_path / "x.jsonl").name == ("cluener" if name == "CLUENER" else "jsonl")


def test_entities_become_spans_over_tokens_that_keep_their_places(tmp_path):
    (sentence,) = read_sentences(file_of(tmp_path, {"text": TEXT} | STYLES["ours"]))
    assert tuple(sentence.entities(TEXT)) == ENTITIES
    assert sentence.words == ["Ada", "met", "King", "Lu", "in", "Rome", "."]


def test_words_are_split_at_hyphens_or_not(tmp_path):
    path = file_of(tmp_path, {"text": "A well-known name.", "entities": [{"start": 2, "end": 12, "label": "X"}]})
    (split,) = read_sentences(path)
    assert (split.words, split.spans) == (["A", "well", "-", "known", "name", "."], (Span(1, 4, "X"),))
    (kept,) = read_sentences(path, ReadOptions(hyphens="keep"))
    assert (kept.words, kept.spans) == (["A", "well-known", "name", "."], (Span(1, 2, "X"),))


def test_each_line_is_a_document_and_may_hold_several_sentences(tmp_path):
    first = {"text": "Ada sings. Rome falls.", "entities": [[11, 15, "LOC"]]}
    sentences = read_sentences(file_of(tmp_path, first, "", {"text": "", "entities": []}, {"text": "Lu"}))
    assert [(s.words, s.spans, s.document, s.line) for s in sentences] == [
        (["Ada", "sings", "."], (), 0, 1),
        (["Rome", "falls", "."], (Span(0, 1, "LOC"),), 0, 1),
        (["Lu"], (), 2, 4),
    ]
    assert sentences[1].tokens[0].start == 11


BROKEN = {
    "no JSON": ("{'text': 1}", "found no valid JSON: Expecting property name enclosed in double quotes (column 2)"),
    "cut short": ('{"text": "Ada', "found no valid JSON"),
    "an array": ("[1]", "expected one JSON object per line, found a list"),
    "a string": ('"Ada"', "expected one JSON object per line, found a string"),
    "no text": (
        {"tokens": ["Ada"], "tags": ["O"]},
        "expected a string under the key 'text' (keys found: tokens, tags)",
    ),
    "text that is none": ({"text": 3}, "expected a string under the key 'text', found a number"),
    "no list": ({"text": "Ada", "entities": "PER"}, "expected a list of entities under 'entities', found a string"),
    "no end": (
        {"text": "Ada", "entities": [{"start": 0, "label": "PER"}]},
        "expected an entity with start, end and label",
    ),
    "words as places": ({"text": "Ada", "entities": [["0", "3", "PER"]]}, "expected whole numbers as start and end"),
    "booleans as places": (
        {"text": "Ada", "entities": [[False, True, "PER"]]},
        "expected whole numbers as start and end",
    ),
    "no label": ({"text": "Ada", "entities": [[0, 3, None]]}, "expected a label for the entity at 0-3, found None"),
    "an empty label": ({"text": "Ada", "entities": [[0, 3, " "]]}, "expected a label for the entity at 0-3, found ' '"),
    "too far": (
        {"text": "Ada", "entities": [[0, 4, "PER"]]},
        "the entity PER at 0-4 lies outside its text of 3 characters",
    ),
    "negative": ({"text": "Ada", "entities": [[-1, 2, "PER"]]}, "the entity PER at -1-2 lies outside"),
    "backwards": ({"text": "Ada", "entities": [[2, 1, "PER"]]}, "the entity PER at 2-1 lies outside"),
    "empty": ({"text": "Ada", "entities": [[1, 1, "PER"]]}, "the entity PER at 1-1 covers no text: ''"),
    "blank": ({"text": "A  a", "entities": [[1, 3, "PER"]]}, "the entity PER at 1-3 covers no text: '  '"),
    "overlap": (
        {"text": "Ada K", "entities": [[0, 3, "A"], [2, 5, "B"]]},
        "the entities A at 0-3 and B at 2-5 overlap",
    ),
    "two labels": (
        {"text": "Ada", "entities": [[0, 3, "A"], [0, 3, "B"]]},
        "the entities A at 0-3 and B at 0-3 overlap",
    ),
    "another text": (
        {"text": "😀 Ada", "entities": [{"start": 3, "end": 6, "label": "PER", "text": "Ada"}]},
        "the entity PER at 3-6 lies outside its text of 5 characters",
    ),
    "ends inclusive": (
        {"text": "Ada", "entities": [{"start": 0, "end": 2, "label": "PER", "text": "Ada"}]},
        "the entity PER at 0-2 covers 'Ad', but its text is 'Ada' (ends are exclusive, and offsets count characters)",
    ),
    "CLUENER, another text": (
        {"text": "北京", "label": {"LOC": {"北": [[0, 1]]}}},
        "the entity LOC at 0-2 covers '北京'",
    ),
    "CLUENER, no places": (
        {"text": "北京", "label": {"LOC": {"北": [0, 1]}}},
        "expected offsets such as [[0, 3]] for '北'",
    ),
    "CLUENER, no names": ({"text": "北京", "label": {"LOC": ["北"]}}, "expected the names of the label 'LOC'"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_wrong_and_where(name, tmp_path):
    line, message = BROKEN[name]
    path = file_of(tmp_path, {"text": "fine"}, line)
    with pytest.raises(InputError) as caught:
        read_sentences(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{path}:2: ")
    assert "\n" not in str(caught.value)


def test_a_file_without_texts_is_refused(tmp_path):
    with pytest.raises(InputError, match="expected texts, found none"):
        read_sentences(file_of(tmp_path, {"text": " "}))


def test_an_entity_within_a_word_cuts_it(tmp_path, caplog):
    path = file_of(tmp_path, {"text": "In Romebound trains", "entities": [[3, 7, "LOC"]]})
    report = ReadReport()
    (sentence,) = read_sentences(path, report=report)
    assert sentence.words == ["In", "Rome", "bound", "trains"]
    assert (sentence.spans, report.cut) == ((Span(1, 2, "LOC"),), [1])
    with caplog.at_level(logging.WARNING):
        read_sentences(path)
    assert "1 entities begin or end within a word, which was cut there: lines 1" in caplog.text


def test_an_entity_across_the_end_of_a_sentence_joins_them(tmp_path):
    text = "They saw it. Who? Horton! Hears. He left. Nobody cared."
    record = {"text": text, "entities": [[5, 8, "X"], [13, 32, "WORK"], [33, 35, "PER"]]}
    sentences = read_sentences(file_of(tmp_path, record))
    assert [sentence.words[0] for sentence in sentences] == ["They", "Who", "He", "Nobody"]
    assert [[entity.text for entity in sentence.entities(text)] for sentence in sentences] == [
        ["saw"],
        ["Who? Horton! Hears."],
        ["He"],
        [],
    ]


def test_characters_for_cluener_and_when_asked(tmp_path):
    cluener = {"text": "叶老 在北京", "label": {"name": {"叶老": [[0, 1]]}, "address": {"北京": [[4, 5]]}}}
    ours = {"text": "叶老 在北京", "entities": [[0, 2, "name"], [4, 6, "address"]]}
    (expected,) = read_sentences(file_of(tmp_path, ours), ReadOptions(token_unit="character"))
    (sentence,) = read_sentences(file_of(tmp_path, cluener))
    assert sentence == expected
    assert sentence.words == list("叶老在北京")
    assert sentence.spans == (Span(0, 2, "name"), Span(3, 5, "address"))
    english = {"text": "Ada sings", "label": {"name": {"Ada": [[0, 2]]}}}
    assert read_sentences(file_of(tmp_path, english), ReadOptions(token_unit="word"))[0].words == ["Ada", "sings"]


def test_of_overlapping_cluener_entities_the_longest_stays(tmp_path, caplog):
    line = {"text": "北京大学", "label": {"address": {"北京": [[0, 1]]}, "organization": {"北京大学": [[0, 3]]}}}
    with caplog.at_level(logging.WARNING):
        (sentence,) = read_sentences(file_of(tmp_path, line))
    assert sentence.spans == (Span(0, 4, "organization"),)
    assert "1 entities are left out, since longer ones overlap them: lines 1" in caplog.text


def test_texts_without_a_key_for_entities_are_counted(tmp_path, caplog):
    path, report = file_of(tmp_path, {"text": "Ada"}, {"text": "Lu", "entitis": []}), ReadReport()
    assert [sentence.spans for sentence in read_sentences(path, report=report)] == [(), ()]
    assert report.unannotated == [1, 2]
    with caplog.at_level(logging.WARNING):
        read_sentences(path, ReadOptions(read_tags=False))
        assert not caplog.messages
        read_sentences(path)
    assert (
        "2 objects have no entities (expected the key entities, spans, ents, label or labels): lines 1, 2"
        in caplog.text
    )


def test_labels_are_mapped(tmp_path):
    path = file_of(tmp_path, {"text": TEXT, "entities": [[0, 3, "person"], [19, 23, "LOC"]]})
    (sentence,) = read_sentences(path, ReadOptions(labels=LabelMap.parse("PER", ["person=PER"])))
    assert sentence.spans == (Span(0, 1, "PER"),)


TEXTS = st.text(st.sampled_from("aB1 .!'-\n\u3000北京\u0301😀\u200b") | st.characters(codec="utf-8"), max_size=30)


@st.composite
def records(draw: st.DrawFn) -> AnnotatedText:
    text = draw(TEXTS)
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=8)))
    pieces = [(start, end) for start, end in pairwise(cuts) if draw(st.booleans())]
    pieces = [(start, end) for start, end in pieces if text[start:end] == text[start:end].strip() != ""]
    return AnnotatedText(
        text, tuple(Entity(a, b, draw(st.sampled_from(["PER", "组 织"])), text[a:b]) for a, b in pieces)
    )


@given(record=records(), token_unit=st.sampled_from(["word", "character"]))
def test_no_entity_and_no_character_is_lost(record, token_unit):
    sentences = annotate(record, token_unit)
    assert [entity for sentence in sentences for entity in sentence.entities(record.text)] == list(record.entities)
    tokens = [token for sentence in sentences for token in sentence.tokens]
    assert tokens == sorted(tokens, key=lambda token: token.start)
    assert all(record.text[token.start : token.end] == token.text for token in tokens)
    assert "".join(token.text for token in tokens) == "".join(record.text.split())


@given(written=st.lists(records(), max_size=4), name=st.sampled_from(["jsonl", "cluener"]))
def test_what_is_written_is_read_back(written, name, tmp_path_factory):
    path = tmp_path_factory.mktemp("jsonl") / "x.jsonl"
    written_by(name).write_texts(path, [AnnotatedText("x"), *written])
    read = TextJson().read_texts(path)
    assert [(r.text, r.entities) for r in read] == [("x", ()), *((r.text, r.entities) for r in written)]
    assert [r.line for r in read] == list(range(1, len(written) + 2))


def test_the_style_that_is_written(tmp_path):
    path = tmp_path / "x.jsonl"
    written_by("jsonl").write_texts(path, [AnnotatedText("Zoë in Rome", (Entity(7, 11, "LOC", "Rome"),), 3)])
    assert path.read_text(encoding="utf-8") == (
        '{"text": "Zoë in Rome", "entities": [{"start": 7, "end": 11, "label": "LOC"}]}\n'
    )
    twice = AnnotatedText("北京 北京", (Entity(0, 2, "LOC", "北京"), Entity(3, 5, "LOC", "北京")))
    written_by("cluener").write_texts(path, [twice])
    assert path.read_text(encoding="utf-8") == '{"text": "北京 北京", "label": {"LOC": {"北京": [[0, 1], [3, 4]]}}}\n'


def test_a_sentence_becomes_a_text_of_its_own():
    tokens = (Token("Rome", 11, 15), Token("falls", 16, 21), Token("!", 21, 22))
    assert text_of(Sentence(tokens, (Span(0, 1, "LOC"),), line=4)) == AnnotatedText(
        "Rome falls!", (Entity(0, 4, "LOC", "Rome"),), 4
    )
    assert text_of(Sentence(())) == AnnotatedText("")


def test_texts_stay_whole_under_other_labels(tmp_path, caplog):
    path = file_of(tmp_path, {"text": TEXT, "entities": [[0, 3, "PER"], [19, 23, "LOC"]]}, {"text": "Rome"})
    first, second = TextJson().read_texts(path, ReadOptions(labels=LabelMap.parse("person", ["PER=person"])))
    assert (first.text, first.spans) == (TEXT, (Span(0, 3, "person"),))
    assert (second.text, second.spans, second.line) == ("Rome", (), 2)
    assert "1 objects have no entities" in caplog.text


def test_entities_that_are_dropped_cut_no_word(tmp_path):
    path = file_of(tmp_path, {"text": "Romebound Ada", "entities": [[0, 4, "LOC"], [10, 13, "PER"]]})
    report = ReadReport()
    (kept,) = read_sentences(path, ReadOptions(labels=LabelMap.parse("PER")), report=report)
    assert (kept.words, kept.spans, report.cut) == (["Romebound", "Ada"], (Span(1, 2, "PER"),), [])
    assert report.labels == {"LOC": 1, "PER": 1}


@pytest.mark.parametrize("name", ["jsonl", "cluener"])
def test_an_entity_of_white_space_is_not_written(tmp_path, name):
    """It could not be read again."""
    record = AnnotatedText("王\u3000去", (Entity(1, 2, "LOC", "\u3000"),), 1)
    with pytest.raises(InputError, match=r"x.jsonl: an entity of white space cannot stand in JSON lines: LOC at 1-2"):
        written_by(name).write_texts(tmp_path / "x.jsonl", [record])
    assert not (tmp_path / "x.jsonl").exists()


def test_entities_as_spacy_writes_them(tmp_path):
    (tmp_path / "x.jsonl").write_text('{"text": "Ada sings", "ents": [{"start": 0, "end": 3, "label": "PER"}]}\n')
    (record,) = TextJson().read_texts(tmp_path / "x.jsonl")
    assert record.entities == (Entity(0, 3, "PER", "Ada"),)


def test_the_hint_for_cluener_is_that_of_its_own_ends(tmp_path):
    (tmp_path / "x.jsonl").write_text('{"text": "Ada sings", "label": {"name": {"Ada": [[0, 3]]}}}\n')
    with pytest.raises(InputError, match="ends are inclusive"):
        TextJson().read_texts(tmp_path / "x.jsonl")


def test_an_entity_without_characters_is_left_out_with_a_warning(caplog):
    sentence = Sentence((Token("", 0, 0), Token("Rome", 1, 5)), (Span(0, 1, "PER"), Span(1, 2, "LOC")))
    with caplog.at_level(logging.WARNING):
        assert [entity.label for entity in text_of(sentence).entities] == ["LOC"]
    assert "an entity without characters is left out: ' Rome'" in caplog.text


def test_each_sentence_is_cut_at_its_own_entities():
    text = "Romebound Ada. Oslobound Lu. " * 50
    labels = (("Rome", "LOC"), ("Ada", "PER"), ("Oslo", "LOC"), ("Lu", "PER"))
    entities = tuple(
        Entity(start, start + len(name), label, name)
        for start, name, label in sorted(
            (place + text.index(name), name, label) for name, label in labels for place in range(0, len(text), 29)
        )
    )
    cut = annotate(AnnotatedText(text, entities))
    assert [entity for sentence in cut for entity in sentence.entities(text)] == list(entities)
    assert {word for sentence in cut for word in sentence.words} == {"Rome", "bound", "Ada", ".", "Oslo", "Lu"}
