"""Every tool's format: what is written is read again, with its texts, entities and offsets, whatever the script."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.formats.options import ReadOptions, ReadReport
from ner_lstm_crf.formats.registry import FORMATS, convert, detect_format, read_sentences, write_sentences
from ner_lstm_crf.formats.text_json import AnnotatedText, TextFormat, TextWriter
from ner_lstm_crf.tags.labels import LabelMap
from ner_lstm_crf.text.annotation import Entity, Sentence, Span

TOOLS = ["doccano", "prodigy", "label-studio", "webanno", "brat", "spacy"]
SUFFIXES = {"webanno": ".tsv", "brat": "", "spacy": ".spacy", "label-studio": ".json"}
WORDS = [
    "Ada",
    "Green",
    "isn't",
    "U.S.",
    "王小明",
    "北京",
    "Zoë",
    "e\u0301",
    "😀",
    "👩‍🚒",
    "!",
    "[x]",
    "a|b",
    "_",
    "*",
    "\\n",
    "AT&amp;T",
    "&nbsp;",
]


def path_for(name: str, folder: Path) -> Path:
    return folder / f"new{SUFFIXES.get(name, '.jsonl')}"


@st.composite
def texts(draw: st.DrawFn) -> list[AnnotatedText]:
    """Texts of words of any script with spaces and line ends of any kind, and entities over whole words."""
    found = []
    for number in range(1, draw(st.integers(1, 3)) + 1):
        text, places = "", []
        for word in draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=8)):
            text += draw(st.sampled_from(["", " ", "  ", "\n", "\r\n", "\n\n"])) if text else ""
            places.append((len(text), len(text) + len(word)))
            text += word
        entities, at = [], 0
        while at < len(places):
            size, label = draw(st.integers(1, 3)), draw(st.sampled_from(["", "PER", "LOC", "a|b_*"]))
            start, end = places[at][0], places[min(at + size, len(places)) - 1][1]
            if label:
                entities.append(Entity(start, end, label, text[start:end]))
            at += size
        found.append(AnnotatedText(text, tuple(entities), number))
    return found


@pytest.mark.parametrize("name", ["doccano", "prodigy", "label-studio", "brat"])
@settings(max_examples=40)
@given(written=texts())
def test_texts_and_offsets_are_read_as_they_were_written(
    name: str, written: list[AnnotatedText], tmp_path_factory: pytest.TempPathFactory
) -> None:
    chosen = FORMATS[name]
    assert isinstance(chosen, TextFormat)
    path = path_for(name, tmp_path_factory.mktemp("texts"))
    chosen.write_texts(path, written)
    # Whether offsets count code points or units, its entities show, or else the name of the tool.
    read = chosen.read_texts(path, ReadOptions(offsets="utf-16" if name == "doccano" else None), report=ReadReport())
    assert [(one.text, one.entities) for one in read] == [(one.text, one.entities) for one in written]


@settings(max_examples=30)
@given(written=texts())
def test_documents_of_spacy_have_exactly_the_text_and_its_entities(
    written: list[AnnotatedText], tmp_path_factory: pytest.TempPathFactory
) -> None:
    import spacy
    from spacy.tokens import DocBin

    path, chosen = tmp_path_factory.mktemp("docs") / "x.spacy", FORMATS["spacy"]
    assert isinstance(chosen, TextWriter)
    chosen.write_texts(path, written)
    docs = list(DocBin().from_disk(path).get_docs(spacy.blank("xx").vocab))
    assert [doc.text for doc in docs] == [one.text for one in written]
    found = [[(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents] for doc in docs]
    assert found == [[(one.start, one.end, one.label) for one in text.entities] for text in written]


SENTENCES = [
    Sentence.from_words(["😀", "Ada", "Green", "met", "王小明", "."], [Span(1, 3, "PER"), Span(4, 5, "PER")]),
    Sentence.from_words(["👩‍🚒", "😀", "Rome", "fell"], [Span(0, 1, "JOB"), Span(2, 3, "LOC")]),
    Sentence.from_words(["Nothing", "here", "😀"]),
    Sentence.from_words(["New", "York"], [Span(0, 2, "LOC")]),
]


@pytest.mark.parametrize("name", TOOLS)
def test_sentences_are_read_as_they_were_written(name: str, tmp_path: Path) -> None:
    path, report = path_for(name, tmp_path), ReadReport()
    write_sentences(path, SENTENCES, output_format=name)
    assert detect_format(path).name == name
    read = read_sentences(path, report=report)
    words = ["".join(sentence.words) for sentence in SENTENCES]
    assert ["".join(sentence.words) for sentence in read] == words
    covered = [[e.text for e in one.entities()] for one in read]
    assert covered == [["Ada Green", "王小明"], ["👩‍🚒", "Rome"], [], ["New York"]]
    assert report.labels == {"PER": 2, "JOB": 1, "LOC": 2}
    assert (report.cut, report.trimmed, report.dropped, report.split) == ([], [], [], [])


@pytest.mark.parametrize("name", TOOLS)
def test_labels_are_renamed_and_dropped_when_a_file_is_written_again(name: str, tmp_path: Path) -> None:
    path, again = path_for(name, tmp_path), path_for(name, tmp_path / "again")
    again.parent.mkdir()
    write_sentences(path, SENTENCES, output_format=name)
    convert(path, again, options=ReadOptions(labels=LabelMap.parse("PER,PLACE", ["LOC=PLACE"])), output_format=name)
    assert detect_format(again).name == name
    spans = [[span.label for span in sentence.spans] for sentence in read_sentences(again, report=ReadReport())]
    assert spans == [["PER", "PER"], ["PLACE"], [], ["PLACE"]]
    plain = read_sentences(again, ReadOptions(read_tags=False), report=ReadReport())
    assert [sentence.spans for sentence in plain] == [()] * 4


@pytest.mark.parametrize("name", TOOLS)
def test_an_entity_without_a_label_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "x.conll").write_text("Ada\tB\nsings\tO\n")
    with pytest.raises(InputError, match="label"):
        convert(tmp_path / "x.conll", path_for(name, tmp_path), output_format=name)


@pytest.mark.parametrize("name", ["webanno", "spacy"])
def test_an_empty_token_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the token '' cannot stand in"):
        write_sentences(path_for(name, tmp_path), [Sentence.from_words(["a", ""])], output_format=name)


@pytest.mark.parametrize("name", TOOLS)
def test_characters_are_tokens_if_asked(name: str, tmp_path: Path) -> None:
    path = path_for(name, tmp_path)
    write_sentences(path, [Sentence.from_words(["😀", "北京", "很大"], [Span(1, 2, "LOC")])], output_format=name)
    (read,) = read_sentences(path, ReadOptions(token_unit="character"), report=ReadReport())
    assert (read.words, read.spans) == (list("😀北京很大"), (Span(1, 3, "LOC"),))


@pytest.mark.parametrize("name", TOOLS)
def test_the_option_names_the_format(name: str, tmp_path: Path) -> None:
    path = path_for(name, tmp_path)
    write_sentences(path, SENTENCES, output_format=name)
    assert read_sentences(path, ReadOptions(format=name)) == read_sentences(path)
    with pytest.raises(InputError, match=r"expected a format .*, found 'brad', did you mean brat"):
        read_sentences(path, ReadOptions(format="brad"))


def entities_of(folder: Path, record: object, **options: object) -> tuple[list[str], ReadReport]:
    path, report = folder / "x.jsonl", ReadReport()
    path.write_text(json.dumps(record))
    (read,) = TextFormat.read_texts(FORMATS["jsonl"], path, ReadOptions(**options), report=report)  # type: ignore
    return [one.text for one in read.entities], report


def test_offsets_in_units_of_javascript_are_seen_by_the_entities(tmp_path: Path) -> None:
    text = "😀😀 Ada met 😀 Lu."
    units, points = [[5, 8, "PER"], [16, 18, "PER"]], [[3, 6, "PER"], [13, 15, "PER"]]
    for label, moved in ((units, [1]), (points, [])):
        found, report = entities_of(tmp_path, {"id": 1, "text": text, "label": label})
        assert (found, report.utf_16) == (["Ada", "Lu"], moved)
    regions = [{"start": 5, "end": 8, "text": "Ada", "labels": ["PER"]}]
    assert entities_of(tmp_path, {"text": text, "label": regions})[0] == ["Ada"]


def test_where_nothing_shows_it_an_export_of_doccano_counts_units_and_other_files_do_not(tmp_path: Path) -> None:
    text = "😀王小明在北京"
    assert entities_of(tmp_path, {"id": 1, "text": text, "label": [[2, 5, "PER"]]})[0] == ["王小明"]
    assert entities_of(tmp_path, {"text": text, "entities": [[1, 4, "PER"]]})[0] == ["王小明"]
    for offsets, expected in (("code-points", "小明在"), ("utf-16", "王小明")):
        assert entities_of(tmp_path, {"id": 1, "text": text, "label": [[2, 5, "PER"]]}, offsets=offsets)[0] == [
            expected
        ]


def test_an_entity_that_cuts_an_emoji_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"x\.jsonl:1: expected an entity of whole characters, found one at 1-4"):
        entities_of(tmp_path, {"text": "😀Ada", "label": [[1, 4, "PER"]]}, offsets="utf-16")
