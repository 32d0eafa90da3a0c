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
from ner_lstm_crf.formats.text_json import AnnotatedText, TextFormat, TextJson, annotate, as_text, text_of
from ner_lstm_crf.tags.labels import LabelMap
from ner_lstm_crf.text import sentences as splitter
from ner_lstm_crf.text.annotation import Entity, Sentence, Span, Token
from ner_lstm_crf.text.normalization import is_visible, normalized
from ner_lstm_crf.text.sentences import portions

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
    detected = {"CLUENER": "cluener", "doccano": "doccano", "doccano, offsets": "doccano"}.get(name, "jsonl")
    assert detect_format(tmp_path / "x.jsonl").name == detected


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
    "no label": ({"text": "Ada", "entities": [[0, 3, None]]}, "expected a label for the entity at 0-3, found null"),
    "an empty label": ({"text": "Ada", "entities": [[0, 3, " "]]}, 'expected a label for the entity at 0-3, found " "'),
    "too far": (
        {"text": "Ada", "entities": [[0, 4, "PER"]]},
        "the entity PER at 0-4 lies outside its text of 3 characters",
    ),
    "negative": ({"text": "Ada", "entities": [[-1, 2, "PER"]]}, "the entity PER at -1-2 lies outside"),
    "backwards": ({"text": "Ada", "entities": [[2, 1, "PER"]]}, "the entity PER at 2-1 lies outside"),
    "empty": ({"text": "Ada", "entities": [[1, 1, "PER"]]}, "the entity PER at 1-1 covers no text: ''"),
    "blank": ({"text": "A  a", "entities": [[1, 3, "PER"]]}, "the entity PER at 1-3 covers no text: '  '"),
    "another text": (
        {"text": "😀 Ada", "entities": [{"start": 4, "end": 7, "label": "PER", "text": "Ada"}]},
        "the entity PER at 4-7 lies outside its text of 5 characters",
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
    assert "1 entity with a begin or an end within a word, which was cut there: line 1" in caplog.text


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
    assert "1 entity left out, since longer ones overlap them: line 1" in caplog.text


def test_texts_without_a_key_for_entities_are_counted(tmp_path, caplog):
    path, report = file_of(tmp_path, {"text": "Ada"}, {"text": "Lu", "entitis": []}), ReadReport()
    assert [sentence.spans for sentence in read_sentences(path, report=report)] == [(), ()]
    assert report.unannotated == [1, 2]
    with caplog.at_level(logging.WARNING):
        read_sentences(path, ReadOptions(read_tags=False))
        assert not caplog.messages
        read_sentences(path)
    assert (
        "2 objects without entities (expected the key entities, spans, ents, label or labels): lines 1, 2"
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
    pieces = [
        (start, end)
        for start, end in pieces
        if is_visible(text[start:end].strip()) and text[start:end] == text[start:end].strip()
    ]
    return AnnotatedText(
        text, tuple(Entity(a, b, draw(st.sampled_from(["PER", "组 织"])), text[a:b]) for a, b in pieces)
    )


@given(record=records(), token_unit=st.sampled_from(["word", "character"]))
def test_no_entity_and_no_character_is_lost(record, token_unit):
    sentences = list(annotate(record, token_unit))
    found = [entity for sentence in sentences for entity in sentence.entities(record.text)]
    seen = [entity for entity in record.entities if normalized(entity.text).text]
    assert [normalized(one.text).text.strip() for one in found] == [normalized(one.text).text.strip() for one in seen]
    if normalized(record.text).text == record.text:
        assert found == list(record.entities)
    tokens = [token for sentence in sentences for token in sentence.tokens]
    assert tokens == sorted(tokens, key=lambda token: token.start)
    assert all(record.text[token.start : token.end] == token.text for token in tokens)
    assert normalized("".join(token.text for token in tokens)).text == "".join(normalized(record.text).text.split())


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
    assert "1 object without entities" in caplog.text


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
    with pytest.raises(
        InputError, match=r"x.jsonl: an entity without visible text cannot stand in JSON lines .*: LOC at 1-2"
    ):
        written_by(name).write_texts(tmp_path / "x.jsonl", [record])
    assert not (tmp_path / "x.jsonl").exists()


def test_entities_as_spacy_writes_them(tmp_path):
    (tmp_path / "x.jsonl").write_text('{"text": "Ada sings", "ents": [{"start": 0, "end": 3, "label": "PER"}]}\n')
    (record,) = TextJson().read_texts(tmp_path / "x.jsonl")
    assert record.entities == (Entity(0, 3, "PER", "Ada"),)


def test_the_hint_for_cluener_is_that_of_its_own_ends(tmp_path):
    (tmp_path / "x.jsonl").write_text('{"text": "Ada, sing", "label": {"name": {"Ada": [[0, 3]]}}}\n')
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
    cut = list(annotate(AnnotatedText(text, entities)))
    assert [entity for sentence in cut for entity in sentence.entities(text)] == list(entities)
    assert {word for sentence in cut for word in sentence.words} == {"Rome", "bound", "Ada", ".", "Oslo", "Lu"}


@pytest.mark.parametrize("unseen", ["\u200b", "\ufeff", "\u00ad", "\x1b"])
def test_an_entity_may_begin_and_end_with_what_nobody_sees(unseen, tmp_path):
    text = f"He left. {unseen}Rome{unseen} fell. {unseen}Ada sang."
    record = {"text": text, "entities": [[9, 15, "LOC"], [22, 26, "PER"]]}
    report = ReadReport()
    sentences = read_sentences(file_of(tmp_path, record), report=report)
    assert [[text[entity.start : entity.end].strip(unseen) for entity in one.entities(text)] for one in sentences] == [
        [],
        ["Rome"],
        ["Ada"],
    ]
    assert report.labels == {"LOC": 1, "PER": 1}
    with pytest.raises(InputError, match="covers no text"):
        read_sentences(file_of(tmp_path, {"text": text, "entities": [[9, 10, "LOC"]]}))


# Labels are chosen before entities are checked; overlaps; what an annotator rejected


OVERLAPPING = {"text": "Sales in the Harbour of Oslo.", "label": [[13, 28, "PLACE"], [24, 28, "CITY"], [0, 5, "ITEM"]]}
AS_CLUENER = {
    "text": OVERLAPPING["text"],
    "label": {"PLACE": {"Harbour of Oslo": [[13, 27]]}, "CITY": {"Oslo": [[24, 27]]}, "ITEM": {"Sales": [[0, 4]]}},
}


@pytest.mark.parametrize("record", [OVERLAPPING, AS_CLUENER])
@pytest.mark.parametrize("overlaps", ["longest", "error"])
def test_labels_are_chosen_before_overlaps_are_looked_at(record, overlaps, tmp_path):
    path, report = file_of(tmp_path, record), ReadReport()
    options = ReadOptions(labels=LabelMap.parse("CITY,ITEM"), overlaps=overlaps, token_unit="word")
    (sentence,) = read_sentences(path, options, report=report)
    assert [(e.text, e.label) for e in sentence.entities(record["text"])] == [("Sales", "ITEM"), ("Oslo", "CITY")]
    assert (report.dropped, report.labels) == ([], {"PLACE": 1, "CITY": 1, "ITEM": 1})


@pytest.mark.parametrize("record", [OVERLAPPING, AS_CLUENER])
def test_of_entities_that_overlap_the_longest_is_kept_and_the_others_are_counted(record, tmp_path):
    path, report = file_of(tmp_path, record), ReadReport()
    (sentence,) = read_sentences(path, ReadOptions(token_unit="word"), report=report)
    assert [entity.label for entity in sentence.entities(record["text"])] == ["ITEM", "PLACE"]
    assert (report.dropped, report.labels) == ([1], {"PLACE": 1, "ITEM": 1})
    with pytest.raises(
        InputError, match=r"x\.jsonl:1: the entities PLACE at 13-28 and CITY at 24-28 overlap"
    ) as caught:
        read_sentences(path, ReadOptions(overlaps="error", token_unit="word"))
    assert "--overlaps longest" in str(caught.value)
    with pytest.raises(InputError, match="expected as overlaps one of longest, error, found 'first'"):
        ReadOptions(overlaps="first")  # type: ignore[arg-type]


def test_of_equally_long_entities_the_first_is_kept_and_renaming_makes_equal_ones_one(tmp_path):
    path = file_of(tmp_path, {"text": "Ada King", "entities": [[0, 3, "B"], [0, 3, "A"], [4, 8, "C"], [4, 8, "D"]]})
    (record,) = TextJson().read_texts(path, ReadOptions(labels=LabelMap.parse(None, ["D=C"])))
    assert record.spans == (Span(0, 3, "B"), Span(4, 8, "C"))


@given(drawn=st.lists(st.tuples(st.integers(0, 20), st.integers(1, 8), st.sampled_from("AB")), max_size=12))
def test_the_longest_entities_are_those_that_the_obvious_way_keeps(drawn, tmp_path_factory):
    text = "abcdefghijklmnopqrstuvwxyz1234"
    entities = dict.fromkeys(
        Entity(start, start + size, label, text[start : start + size]) for start, size, label in drawn
    )
    kept: list[Entity] = []
    for entity in sorted(entities, key=lambda entity: (entity.start - entity.end, entity.start)):
        if all(entity.end <= other.start or other.end <= entity.start for other in kept):
            kept.append(entity)
    path, report = tmp_path_factory.mktemp("o") / "x.jsonl", ReadReport()
    path.write_text(json.dumps({"text": text, "entities": [[e.start, e.end, e.label] for e in entities]}) + "\n")
    (record,) = TextJson().texts(path, ReadOptions(), report)
    assert record.entities == tuple(sorted(kept))
    assert len(report.dropped) == len(entities) - len(kept)
    assert report.labels.total() == len(kept)


@pytest.mark.parametrize("wrong", [[0, 99, "X"], [0, 0, "X"], ["0", 1, "X"], [0, 3, None], [0, 3, 7], [5, 2, "X"]])
def test_entities_of_labels_that_are_not_chosen_are_not_checked(wrong, tmp_path):
    path = file_of(tmp_path, {"text": "Ada King", "entities": [wrong, [0, 3, "PER"]]})
    (record,) = TextJson().read_texts(path, ReadOptions(labels=LabelMap.parse("PER")))
    assert record.spans == (Span(0, 3, "PER"),)
    (plain,) = TextJson().read_texts(path, ReadOptions(read_tags=False))
    assert plain.spans == ()
    with pytest.raises(InputError, match=r"x\.jsonl:1: "):
        TextJson().read_texts(path)


def test_white_space_in_the_text_of_an_entity_does_not_matter(tmp_path):
    entity = {"start": 4, "end": 18, "label": "LOC", "text": "Oslo, Norway"}
    (record,) = TextJson().read_texts(
        file_of(tmp_path, {"text": "At: Oslo,  Norway.", "entities": [entity | {"end": 17}]})
    )
    assert record.entities == (Entity(4, 17, "LOC", "Oslo,  Norway"),)
    (record,) = TextJson().read_texts(
        file_of(tmp_path, {"text": "At: Oslo,\n\nNorway.", "entities": [entity | {"end": 17}]})
    )
    assert record.entities[0].text == "Oslo,\n\nNorway"
    with pytest.raises(InputError, match=r"covers 'Oslo,  Norway\.', but its text is 'Oslo, Norway'"):
        TextJson().read_texts(file_of(tmp_path, {"text": "At: Oslo,  Norway.", "entities": [entity]}))


def test_joined_and_combining_accents_in_the_text_of_an_entity_are_the_same(tmp_path):
    entity = {"start": 0, "end": 4, "label": "PER", "text": "\u00c1da"}
    (record,) = TextJson().read_texts(file_of(tmp_path, {"text": "A\u0301da left", "entities": [entity]}))
    assert record.entities == (Entity(0, 4, "PER", "A\u0301da"),)


def test_white_space_around_a_label_makes_no_other_label(tmp_path):
    path = file_of(tmp_path, {"text": "Ada Lu", "entities": [[0, 3, "PER "], [4, 6, "PER"]]})
    assert [span.label for span in TextJson().read_texts(path)[0].spans] == ["PER", "PER"]


REJECTED = (
    {"answer": "reject"},
    {"answer": "ignore"},
    {"answer": "Reject"},
    {"was_cancelled": True},
    {"accept": False},
    {"accepted": False},
    {"rejected": True},
    {"status": "Discarded"},
    {"skipped": True},
    {"deleted": True},
    {"valid": False},
    {"correct": False},
)
ACCEPTED = ({"answer": "accept"}, {"answer": "Oslo"}, {"was_cancelled": False}, {"accept": True}, {"status": "done"})


@pytest.mark.parametrize("key", REJECTED)
def test_what_an_annotator_rejected_is_left_out_and_counted(key, tmp_path, caplog):
    good, bad = {"text": "Ada", "spans": [[0, 3, "PER"]]}, {"text": "The maple", "spans": [[4, 9, "ORG"]]}
    path, report = file_of(tmp_path, good, bad | key), ReadReport()
    (sentence,) = read_sentences(path, report=report)
    assert (sentence.words, report.rejected, report.labels) == (["Ada"], [2], {"PER": 1})
    with caplog.at_level(logging.WARNING):
        read_sentences(path)
    assert "1 left out, since an annotator rejected them: line 2" in caplog.text
    assert len(read_sentences(path, ReadOptions(read_tags=False))) == 2  # the text is one all the same
    with pytest.raises(InputError, match="expected texts, found none: an annotator rejected all of them"):
        read_sentences(file_of(tmp_path, bad | key))
    tokens = {"tokens": ["Ada"], "ner_tags": ["B-PER"]}
    path, report = file_of(tmp_path, tokens, tokens | key), ReadReport()
    assert len(read_sentences(path, report=report)) == 1
    assert report.rejected == [2]
    entity = {"start": 0, "end": 3, "label": "PER"}
    path, report = (
        file_of(tmp_path, {"text": "Ada Lu", "spans": [entity | key, entity | {"start": 4, "end": 6}]}),
        ReadReport(),
    )
    assert [one.spans for one in read_sentences(path, report=report)] == [(Span(1, 2, "PER"),)]
    assert report.rejected == [1]


@pytest.mark.parametrize("key", ACCEPTED)
def test_what_an_annotator_accepted_is_read(key, tmp_path):
    path, report = file_of(tmp_path, {"text": "Ada", "spans": [[0, 3, "PER"]]} | key), ReadReport()
    assert (len(read_sentences(path, report=report)), report.rejected) == (1, [])


def test_each_entity_that_cuts_a_word_is_counted(tmp_path):
    record = {
        "text": "Mrs Whitehill works at Redco and Blueco.",
        "entities": [[4, 9, "A"], [23, 26, "B"], [33, 39, "C"]],
    }
    report = ReadReport()
    read_sentences(file_of(tmp_path, record), report=report)
    assert report.cut == [1, 1]


# Forms of other tools

REGION = {"start": 0, "end": 3, "text": "Ada", "labels": ["PER"]}
CHOICE = {"value": {"choices": ["good"]}, "type": "choices"}
FORMS = {
    "an array": [{"text": "Ada sings", "entities": [[0, 3, "PER"]]}, {"text": "Lu", "entities": []}],
    "Label Studio, JSON_MIN": [
        {"id": 1, "text": "Ada sings", "label": [REGION], "annotator": 1},
        {"id": 2, "text": "Lu", "annotator": 1, "label": []},
    ],
    "Label Studio, JSON_MIN, another name": [{"text": "Ada sings", "ner": [REGION]}, {"text": "Lu"}],
    "Label Studio, JSON": [
        {
            "id": 1,
            "annotations": [{"result": [{"value": REGION, "type": "labels"}, CHOICE]}],
            "data": {"text": "Ada sings"},
        },
        {"id": 2, "annotations": [{"result": []}], "data": {"content": "Lu"}, "predictions": [{"result": [3]}]},
    ],
    "Label Studio, old": [
        {"completions": [{"was_cancelled": True}, {"result": [{"value": REGION}]}], "data": {"text": "Ada sings"}},
        {"completions": [], "data": {"text": "Lu"}},
    ],
    "Label Studio, truth": [
        {
            "annotations": [{"result": []}, {"result": [{"value": REGION}], "ground_truth": True}],
            "data": {"text": "Ada sings", "meta": "x"},
        },
        {"annotations": [{"result": []}, {"result": []}], "data": {"text": "Lu"}},
    ],
    "spaCy 2": [["Ada sings", {"entities": [[0, 3, "PER"]]}], ["Lu", {"entities": []}]],
    "Prodigy, tokens": [
        {
            "text": "Ada sings",
            "tokens": [
                {"text": "Ada", "start": 0, "end": 3, "id": 0},
                {"text": "sings", "start": 4, "end": 9, "id": 1},
            ],
            "spans": [{"token_start": 0, "token_end": 0, "label": "PER"}],
        },
        {"text": "Lu", "spans": []},
    ],
}


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("suffix", ["json", "txt"])
@pytest.mark.parametrize("name", FORMS)
def test_forms_of_other_tools_are_read(name, suffix, indent, tmp_path):
    path = tmp_path / f"x.{suffix}"
    path.write_text(json.dumps(FORMS[name], indent=indent))
    tool = {"Label": "label-studio", "Prodigy,": "prodigy"}.get(name.split()[0], "jsonl")
    assert detect_format(path).name == tool
    sentences = read_sentences(path, report=ReadReport())
    assert [(one.words, one.spans) for one in sentences] == [(["Ada", "sings"], (Span(0, 1, "PER"),)), (["Lu"], ())]
    lines = tmp_path / "lines.jsonl"
    lines.write_text("".join(json.dumps(item) + "\n" for item in FORMS[name]))
    if name != "spaCy 2":
        assert [one.words for one in read_sentences(lines, report=ReadReport())] == [["Ada", "sings"], ["Lu"]]


@pytest.mark.parametrize("indent", [None, 2])
def test_an_object_of_classes_and_annotations_holds_texts(indent, tmp_path):
    path = tmp_path / "x.json"
    pairs = [["Ada sings", {"entities": [[0, 3, "PER"]]}], None, ["Lu", {"entities": []}]]
    path.write_text(json.dumps({"classes": ["PER"], "annotations": pairs}, indent=indent))
    found = [(one.words, one.spans) for one in read_sentences(path)]
    assert found == [(["Ada", "sings"], (Span(0, 1, "PER"),)), (["Lu"], ())]


def test_several_labels_of_a_region_are_entities_that_overlap(tmp_path):
    path = file_of(tmp_path, {"text": "Ada sings", "label": [REGION | {"labels": ["PER", "ARTIST"]}]})
    report = ReadReport()
    assert [one.spans for one in read_sentences(path, report=report)] == [(Span(0, 1, "PER"),)]
    assert report.dropped == [1]
    options = ReadOptions(labels=LabelMap.parse("ARTIST"))
    assert [one.spans for one in read_sentences(path, options)] == [(Span(0, 1, "ARTIST"),)]


def test_regions_of_hypertext_are_refused():
    value = {"start": "/p[1]", "end": "/p[1]", "startOffset": 0, "endOffset": 3, "hypertextlabels": ["PER"]}
    with pytest.raises(InputError, match="expected entities of a text under 'labels', found 'hypertextlabels'"):
        as_text({"data": {"text": "Ada"}, "annotations": [{"result": [{"value": value}]}]})
    with pytest.raises(InputError) as refused:  # a name of any length, in a message of some length
        as_text({"data": {"text": "Ada"}, "annotations": [{"result": [{"value": {"9" * 5000 + "labels": ["PER"]}}]}]})
    assert len(refused.value.message) < 200


def test_annotations_that_differ_are_refused(tmp_path):
    task = {"data": {"text": "Ada"}, "annotations": [{"result": [{"value": REGION}]}, {"result": []}]}
    with pytest.raises(InputError, match=r"x\.jsonl:1: 2 annotations of one text differ: .*JSON_MIN"):
        read_sentences(file_of(tmp_path, task))


def test_a_task_whose_annotations_were_all_cancelled_is_left_out(tmp_path):
    task = {"data": {"text": "Ada"}, "annotations": [{"result": [{"value": REGION}], "was_cancelled": True}]}
    report = ReadReport()
    assert len(read_sentences(file_of(tmp_path, task, {"text": "Lu", "label": []}), report=report)) == 1
    assert report.rejected == [1]


def test_entities_under_two_keys_that_differ_are_refused(tmp_path):
    both = {"text": "Ada Lu", "entities": [[0, 3, "PER"]], "spans": [[4, 6, "PER"]]}
    with pytest.raises(InputError, match="stand under 'entities' and under 'spans', and differ: take one of them out"):
        read_sentences(file_of(tmp_path, both))
    one = {"text": "Ada Lu", "entities": [], "spans": [[4, 6, "PER"]], "labels": ["smalltalk"]}
    assert read_sentences(file_of(tmp_path, one))[0].spans == (Span(1, 2, "PER"),)


def test_a_long_text_is_cut_without_all_its_tokens_in_memory(monkeypatch):
    text, made = "Ada met Lu in Oslo. " * 20_000, []

    def counted(*args, **options):
        for portion in portions(*args, **options):
            made.append(portion)
            yield portion

    monkeypatch.setattr(splitter, "portions", counted)
    cut = annotate(AnnotatedText(text, (Entity(0, 3, "PER", "Ada"),)))
    assert next(cut).words == ["Ada", "met", "Lu", "in", "Oslo", "."]
    assert len(made) == 1
    assert sum(1 for _ in cut) == 19_999
    assert len(made) > 1
