from __future__ import annotations

import io
import json
import os
import re
import sys
from itertools import pairwise
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given, strategies as st

from ner_lstm_crf.corpora import inspect
from ner_lstm_crf.corpora.inspect import inspect_files
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.formats import registry
from ner_lstm_crf.formats.format import Format
from ner_lstm_crf.formats.options import ReadOptions, ReadReport
from ner_lstm_crf.formats.registry import (
    FORMATS,
    convert,
    detect_format,
    format_of_name,
    read_sentences,
    read_unlabelled,
    suffix_of,
    write_sentences,
)
from ner_lstm_crf.formats.text_json import TextJson, text_of
from ner_lstm_crf.tags.labels import LabelMap
from ner_lstm_crf.text.annotation import Sentence, Span
from ner_lstm_crf.text.normalization import is_visible

COLUMNS = "# two sentences\nAda\tB-PER\nKing\tI-PER\nsings\tO\n.\tO\n\nRome\tB-LOC\nfalls\tO\n.\tO\n"
RECORDS = (
    '{"text": "Ada King sings .", "entities": [{"start": 0, "end": 8, "label": "PER"}]}\n'
    '{"text": "Rome falls .", "entities": [{"start": 0, "end": 4, "label": "LOC"}]}\n'
)
CLUENER = (
    '{"text": "Ada King sings .", "label": {"PER": {"Ada King": [[0, 7]]}}}\n'
    '{"text": "Rome falls .", "label": {"LOC": {"Rome": [[0, 3]]}}}\n'
)
TOKENS = (
    '{"tokens": ["Ada", "King", "sings", "."], "ner_tags": ["B-PER", "I-PER", "O", "O"]}\n'
    '{"tokens": ["Rome", "falls", "."], "ner_tags": ["B-LOC", "O", "O"]}\n'
)
INLINE = "# two sentences\n[Ada King](PER) sings .\n[Rome](LOC) falls .\n"
DOCCANO = (
    '{"id": 1, "text": "Ada King sings .", "label": [[0, 8, "PER"]]}\n'
    '{"id": 2, "text": "Rome falls .", "label": [[0, 4, "LOC"]]}\n'
)
PRODIGY = (
    '{"text": "Ada King sings .", "_task_hash": 1, "spans": [{"start": 0, "end": 8, "label": "PER"}]}\n'
    '{"text": "Rome falls .", "_task_hash": 2, "spans": [{"start": 0, "end": 4, "label": "LOC"}]}\n'
)
TASKS = """[
 {"data": {"text": "Ada King sings ."}, "annotations": [{"result": [{"value":
  {"start": 0, "end": 8, "text": "Ada King", "labels": ["PER"]}}]}]},
 {"data": {"text": "Rome falls ."}, "annotations": [{"result": [{"value":
  {"start": 0, "end": 4, "text": "Rome", "labels": ["LOC"]}}]}]}
]
"""
WEBANNO = (
    "#FORMAT=WebAnno TSV 3.3\n#T_SP=de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity|identifier|value\n\n\n"
    "#Text=Ada King sings .\n"
    "1-1\t0-3\tAda\t*[1]\tPER[1]\t\n1-2\t4-8\tKing\t*[1]\tPER[1]\t\n"
    "1-3\t9-14\tsings\t_\t_\t\n1-4\t15-16\t.\t_\t_\t\n\n"
    "#Text=Rome falls .\n2-1\t17-21\tRome\t*\tLOC\t\n2-2\t22-27\tfalls\t_\t_\t\n2-3\t28-29\t.\t_\t_\t\n"
)
CONTENTS = {
    "conll": COLUMNS,
    "tokens": TOKENS,
    "jsonl": RECORDS,
    "cluener": CLUENER,
    "inline": INLINE,
    "doccano": DOCCANO,
    "prodigy": PRODIGY,
    "label-studio": TASKS,
    "webanno": WEBANNO,
}
OF_FILES = ("brat", "spacy")  # that no text is the whole content of


def test_every_format_has_an_example():
    assert {*CONTENTS, *OF_FILES} == {*FORMATS}


@pytest.mark.parametrize("name", CONTENTS)
@pytest.mark.parametrize("file", ["x.txt", "x", "named"])
def test_every_format_gives_the_same_sentences(name, file, tmp_path):
    suffix = {"conll": "conll", "inline": "inline", "webanno": "tsv"}.get(name, "jsonl")
    path = tmp_path / (f"x.{suffix}" if file == "named" else file)
    path.write_text(CONTENTS[name])
    assert detect_format(path).name == name
    sentences = read_sentences(path, ReadOptions(token_unit="word"))
    assert [sentence.words for sentence in sentences] == [["Ada", "King", "sings", "."], ["Rome", "falls", "."]]
    assert [sentence.spans for sentence in sentences] == [(Span(0, 2, "PER"),), (Span(0, 1, "LOC"),)]


@pytest.mark.parametrize("source", CONTENTS)
@pytest.mark.parametrize("target", FORMATS)
def test_every_format_becomes_every_other(source, target, tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_text(CONTENTS[source])
    convert(old, new, output_format=target, options=ReadOptions(token_unit="word"))
    assert detect_format(new).name == target
    expected = [(s.words, s.spans) for s in read_sentences(old, ReadOptions(token_unit="word"))]
    assert [(s.words, s.spans) for s in read_sentences(new, ReadOptions(token_unit="word"))] == expected


def test_content_counts_for_more_than_the_name_of_columns(tmp_path):
    path = tmp_path / "x.conll"
    path.write_text(RECORDS)
    assert detect_format(path).name == "jsonl"


def test_tokens_that_look_like_marks_or_json_do_not_make_a_file_so(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("[a](b) O\n" + "a O\n" * 30)
    assert detect_format(path).name == "conll"
    path.write_text("{ O\n} O\n")
    assert detect_format(path).name == "conll"


ATOMS = st.sampled_from(
    [
        *(
            "Ada",
            "B-PER",
            "I-PER",
            "O",
            "S-",
            "\t",
            " ",
            "\n",
            "\n\n",
            "\r\n",
            "# text",
            "-DOCSTART-",
            "1",
            "1-2",
            "_",
            "\0",
        ),
        *(
            "Ada\tB-PER\n",
            "b\tO\n",
            "1\tAda\tB-PER\n",
            "2\tb\tO\n",
            "Ada B-PER\n",
            "name=B-X|a=b",
            "# newdoc\n",
            "\ufeff",
        ),
        *(
            '{"text": "Ada b"',
            ', "entities": [[0, 3, "X"]]}\n',
            ', "label": {"x": {"Ad": [[0, 1]]}}}\n',
            '{"tokens": ["Ada", "b"]',
            ', "ner_tags": ["B-X", "O"]}\n',
            "[Ada](PER)",
            "\\",
        ),
    ]
)


@given(content=st.lists(ATOMS, max_size=20).map("".join), token_unit=st.sampled_from([None, "character"]))
def test_whatever_a_file_holds_it_is_read_or_refused_in_one_line(content, token_unit, tmp_path_factory):
    path = tmp_path_factory.mktemp("any") / "x"
    path.write_text(content, encoding="utf-8", newline="")
    try:
        outcome = "read" if read_sentences(path, ReadOptions(token_unit=token_unit)) else "lost"
        for name in FORMATS:
            convert(path, path.with_name("y"), output_format=name, options=ReadOptions(token_unit=token_unit))
    except InputError as error:
        outcome = str(error)
    assert outcome == "read" or outcome.startswith(str(path.parent))
    assert "\n" not in outcome


def test_names():
    names = ("a.jsonl", "a.JSONL.gz", "a.json.xz", "a.conll", "a.iob2.bz2", "a.tsv", "a.txt", "a", "a.gz")
    expected = ("jsonl", "jsonl", "jsonl", "conll", "conll", "conll", None, None, None)
    assert tuple(map(format_of_name, names)) == tuple(name and FORMATS[name] for name in expected)
    for suffix in (".bieo", ".bioes", ".bmes", ".ner", ".conllu"):
        assert format_of_name(f"a{suffix}") is FORMATS["conll"]
    assert (suffix_of("a.b.TXT.gz"), suffix_of("a.gz"), suffix_of("folder.x/a")) == (".txt", "", "")


def test_chinese_marks_are_read_as_characters(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("# 例\n[王小明](PER)在[北京大学](ORG)读书。\n", encoding="utf-8")
    (sentence,) = read_sentences(path)
    assert sentence.words == list("王小明在北京大学读书。")
    assert sentence.spans == (Span(0, 3, "PER"), Span(4, 8, "ORG"))


def test_sentences_without_labels_are_those_of_any_file_or_of_running_text(tmp_path):
    for name, content in CONTENTS.items():
        for file in ("x.txt", "x"):
            (tmp_path / file).write_text(content)
            found = list(read_unlabelled(tmp_path / file, ReadOptions(token_unit="word")))
            assert [one.words for one in found] == [["Ada", "King", "sings", "."], ["Rome", "falls", "."]], name
            assert not any(one.spans for one in found)
    text = tmp_path / "more.txt"
    text.write_text("Ada met Milo. He left.\n\nA well-known town\n", encoding="utf-8")
    found = list(read_unlabelled(text))
    assert [(one.line, one.words[-1]) for one in found] == [(1, "."), (1, "."), (3, "town")]
    assert not any(one.spans for one in found)
    kept = list(read_unlabelled(text, ReadOptions(hyphens="keep")))
    assert [len(one) for one in (found[2], kept[2])] == [5, 3]
    characters = list(read_unlabelled(text, ReadOptions(token_unit="character")))
    assert characters[0].words[:3] == ["A", "d", "a"]


def test_labels_and_reports_work_for_every_format(tmp_path):
    for name, content in CONTENTS.items():
        path, report = tmp_path / name, ReadReport()
        path.write_text(content)
        options = ReadOptions(token_unit="word", labels=LabelMap.parse("PERSON", ["PER=PERSON"]))
        sentences = read_sentences(path, options, report=report)
        assert [span.label for sentence in sentences for span in sentence.spans] == ["PERSON"]
        assert (report.sentences, report.tokens, report.labels) == (2, 7, {"PER": 1, "LOC": 1})
        assert [sentence.spans for sentence in read_sentences(path, ReadOptions(read_tags=False))] == [(), ()]


def test_labels_that_never_come_are_named_for_every_format(tmp_path, caplog):
    for name, content in CONTENTS.items():
        path = tmp_path / name
        path.write_text(content)
        read_sentences(path, ReadOptions(labels=LabelMap.parse("ORG")))
    assert sum("no entity is labelled ORG" in message for message in caplog.messages) == len(CONTENTS)


def test_the_first_sentence_comes_before_the_last_is_read(tmp_path):
    for name, last in (("jsonl", "{"), ("inline", "[Ada](PER")):
        path = tmp_path / name
        path.write_text(CONTENTS[name] + last)
        sentences = detect_format(path).read(path, ReadOptions(), ReadReport())
        assert next(sentences).words[0] == "Ada"
        with pytest.raises(InputError, match=r":[34]: "):
            list(sentences)


def test_standard_input_may_hold_any_format(monkeypatch):
    for content in CONTENTS.values():
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content.encode())))
        assert len(read_sentences("-")) == 2


def test_the_format_written_goes_by_the_option_then_the_name_then_the_scheme(tmp_path):
    source = tmp_path / "x.jsonl"
    source.write_text(RECORDS)
    for name, arguments, expected in (
        ("a.conll", {}, "conll"),
        ("a", {"scheme": "BIEO"}, "conll"),
        ("a", {}, "jsonl"),
        ("a.jsonl", {"output_format": "conll"}, "conll"),
    ):
        convert(source, tmp_path / name, **arguments)
        content = (tmp_path / name).read_text()
        assert content.startswith('{"text"') == (expected == "jsonl")
        assert ("E-PER" in content) == (expected == "conll" and "scheme" in arguments)
        (tmp_path / name).unlink()
    for arguments in ({}, {"output_format": "cluener"}):
        with pytest.raises(InputError, match="the scheme BIEO: the formats conll and tokens have tags, not "):
            convert(source, tmp_path / "a.jsonl", scheme="BIEO", **arguments)


def test_json_lines_to_json_lines_keeps_the_texts_and_maps_labels(tmp_path):
    source, target = tmp_path / "x.jsonl", tmp_path / "y.jsonl"
    text = "Ada   sings.\n\nRome falls ."
    source.write_text(json.dumps({"text": text, "entities": [[0, 3, "person"], [14, 18, "LOC"]]}))
    convert(source, target, options=ReadOptions(labels=LabelMap.parse("PER", ["person=PER"])))
    assert json.loads(target.read_text()) == {"text": text, "entities": [{"start": 0, "end": 3, "label": "PER"}]}


def test_json_lines_to_json_lines_keeps_what_else_the_objects_hold(tmp_path, caplog):
    source, target = tmp_path / "x.jsonl", tmp_path / "y.jsonl"
    rest = {"id": 7, "meta": {"source": [1, None]}, "é": "\ud83d"}
    records = [
        {**rest, "text": "Ada sings.", "spans": [{"start": 0, "end": 3, "label": "PER", "score": 0.5, "by": "x"}]},
        {"text": "Rome", "entities": [], "labels": ["news"]},
        {"text": "Oslo", "n": 1},
    ]
    source.write_text("".join(json.dumps(record) + "\n" for record in records))
    convert(source, target)
    first, second, third = (json.loads(line) for line in target.read_text().splitlines())
    assert first == {**rest, "text": "Ada sings.", "entities": [{"start": 0, "end": 3, "label": "PER", "score": 0.5}]}
    assert second == {"text": "Rome", "entities": [], "labels": ["news"]}
    assert third == {"text": "Oslo", "n": 1, "entities": []}
    assert [message for message in caplog.messages if "what else they hold: line 1" in message]
    assert [message for message in caplog.messages if "1 object without entities" in message]
    convert(source, target, output_format="cluener")
    first, *_ = (json.loads(line) for line in target.read_text().splitlines())
    assert first == {**rest, "text": "Ada sings.", "label": {"PER": {"Ada": [[0, 2]]}}}


def test_inline_to_inline_keeps_comments_sections_and_lines(tmp_path):
    source, target = tmp_path / "x.inline", tmp_path / "y.inline"
    content = "# by hand\r\n## news: one\r\n\r\n[Ada](person)  met [Oslo](LOC)\r\n\r\n## two\r\n \\# [Ro\\[](LOC)  fell"
    source.write_bytes(content.encode())
    convert(source, target)
    assert target.read_bytes() == source.read_bytes()
    convert(source, target, options=ReadOptions(labels=LabelMap.parse("PER,LOC", ["person=PER"])))
    assert target.read_bytes().decode() == content.replace("person", "PER").replace("  met", " met")
    convert(source, source, options=ReadOptions(labels=LabelMap.parse("LOC")))  # in its own place
    assert source.read_bytes().decode() == content.replace("[Ada](person)  met", "Ada met")
    with pytest.raises(InputError, match="expected a label without white space"):
        convert(target, source, options=ReadOptions(labels=LabelMap.parse(None, ["PER=a b"])))


def test_inline_files_have_encodings_too(tmp_path):
    source, target = tmp_path / "x.inline", tmp_path / "y.inline"
    source.write_bytes("# café\n[王小明](PER)在[北京](LOC)。\n".encode("gb18030"))
    options = ReadOptions(encoding="gb18030")
    (sentence,) = read_sentences(source, options)
    assert sentence.spans == (Span(0, 3, "PER"), Span(4, 6, "LOC"))
    assert sentence.words[0] == "王"
    convert(source, target, options=options)
    assert target.read_bytes() == source.read_bytes()
    with pytest.raises(InputError, match="is not valid utf-8"):
        read_sentences(source)


@pytest.mark.parametrize("words", [["北京", "你好"], ["北", "京"], ["Ada", "met"], ["北", "京", " "]])
def test_inline_files_are_read_in_the_tokens_they_were_written_in(tmp_path, words):
    """Also where no entity touches the text around it, which would tell."""
    sentences = [Sentence.from_words(words, [Span(0, len(words), "LOC")]), Sentence.from_words(words, [])]
    write_sentences(tmp_path / "x.inline", sentences)
    assert [sentence.words for sentence in read_sentences(tmp_path / "x.inline")] == [words, words]


def test_json_that_python_cannot_read_is_refused_with_its_line(tmp_path):
    for number, broken in enumerate(('{"text": ' + "[" * 100_000, '{"text": "a", "n": ' + "1" * 5000 + "}")):
        path = tmp_path / f"{number}.jsonl"
        path.write_text('{"text": "Ada", "entities": []}\n' + broken + "\n")
        with pytest.raises(InputError, match=r"\.jsonl:2: expected one JSON object per line, found (values|a number)"):
            read_sentences(path)
        path.with_suffix("").write_text(broken)
        with pytest.raises(InputError):
            read_sentences(path.with_suffix(""))


def test_inline_files_keep_their_documents_and_refuse_what_they_cannot_hold(tmp_path):
    path = tmp_path / "x.inline"
    sentences = [
        Sentence(Sentence.from_words([word]).tokens, (), document) for document, word in enumerate(["ab", "cd"])
    ]
    write_sentences(path, sentences)
    assert [sentence.document for sentence in read_sentences(path)] == [0, 1]
    with pytest.raises(InputError, match="expected a label without white space"):
        write_sentences(path, [Sentence.from_words(["ab"], [Span(0, 1, "two words")])])


def test_columns_are_written_in_the_scheme_asked_for(tmp_path):
    path = tmp_path / "x"
    write_sentences(path, [Sentence.from_words(["Ada", "King"], [Span(0, 2, "PER")])], scheme="BILOU")
    assert path.read_text() == "Ada\tB-PER\nKing\tL-PER\n\n"


@pytest.mark.parametrize("name", ["jsonl", "cluener"])
def test_characters_of_columns_become_running_text(name, tmp_path):
    (tmp_path / "x.conll").write_text("王\tB-PER\n明\tI-PER\n在\tO\n\n巴\tB-LOC\n黎\tI-LOC\n", encoding="utf-8")
    convert(tmp_path / "x.conll", tmp_path / "x.jsonl", output_format=name)
    texts = [json.loads(line)["text"] for line in (tmp_path / "x.jsonl").read_text(encoding="utf-8").splitlines()]
    assert texts == ["王明在", "巴黎"]
    spans = [sentence.spans for sentence in read_sentences(tmp_path / "x.jsonl", ReadOptions(token_unit="character"))]
    assert spans == [(Span(0, 2, "PER"),), (Span(0, 2, "LOC"),)]
    convert(tmp_path / "x.conll", tmp_path / "x.inline")
    assert "[王明](PER)在" in (tmp_path / "x.inline").read_text(encoding="utf-8")
    (tmp_path / "x.conll").write_text("王\tO\n" * 4000 + "New\tO\nYork\tO\n王\tO\n2016\tO\n", encoding="utf-8")
    convert(tmp_path / "x.conll", tmp_path / "x.jsonl", output_format=name)
    text = json.loads((tmp_path / "x.jsonl").read_text(encoding="utf-8"))["text"]
    assert text.removeprefix("王" * 4000) == "New York王2016"
    (tmp_path / "x.conll").write_text("王明\tB-PER\n在\tO\n巴黎\tB-LOC\n", encoding="utf-8")
    convert(tmp_path / "x.conll", tmp_path / "x.jsonl", output_format=name)
    assert json.loads((tmp_path / "x.jsonl").read_text(encoding="utf-8"))["text"] == "王明 在 巴黎"


def test_json_lines_to_json_lines_names_labels_that_never_come_and_refuses_nothing(tmp_path, caplog):
    (tmp_path / "x.jsonl").write_text(RECORDS)
    convert(tmp_path / "x.jsonl", tmp_path / "y.jsonl", options=ReadOptions(labels=LabelMap.parse("PER,ORG")))
    assert caplog.messages[0].endswith("no entity is labelled ORG (labels found: LOC, PER)")
    (tmp_path / "x.jsonl").write_text("\n \n")
    with pytest.raises(InputError, match=r"x\.jsonl: expected texts, found none"):
        convert(tmp_path / "x.jsonl", tmp_path / "z.jsonl")
    assert not (tmp_path / "z.jsonl").exists()


def test_an_entity_without_a_label_cannot_become_json(tmp_path):
    (tmp_path / "x.conll").write_text("Ada\tB\nsings\tO\n")
    with pytest.raises(InputError, match=r"y\.jsonl: an entity without a label"):
        convert(tmp_path / "x.conll", tmp_path / "y.jsonl")
    assert not (tmp_path / "y.jsonl").exists()


def test_a_token_that_begins_with_a_byte_order_mark_is_no_mark_of_the_file(tmp_path):
    sentence = Sentence.from_words(["\ufeffAda", "sings"], [Span(0, 1, "PER")])
    write_sentences(tmp_path / "x.inline", [sentence])
    assert [one.words for one in read_sentences(tmp_path / "x.inline")] == [["\ufeffAda", "sings"]]


def test_words_in_the_style_of_cluener_stay_words(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text(CLUENER)
    assert read_sentences(path)[0].words == ["Ada", "King", "sings", "."]
    path.write_text('{"text": "2010年", "label": {}}\n' + CLUENER, encoding="utf-8")
    assert read_sentences(path)[0].words == list("2010年")


@pytest.mark.parametrize("name", ["conll", "tokens"])
def test_chinese_characters_touch_wherever_they_are_read_from(name, tmp_path):
    sentences = [Sentence.from_words(list("王明在巴黎"), [Span(0, 2, "PER")])]
    write_sentences(tmp_path / "x", sentences, output_format=name)
    for target in ("jsonl", "cluener", "inline"):
        write_sentences(tmp_path / "y", read_sentences(tmp_path / "x"), output_format=target)
        assert "王明在巴黎" in (tmp_path / "y").read_text(encoding="utf-8").replace("[王明](PER)", "王明")


def test_unknown_formats_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"expected a format .*, found 'json'"):
        write_sentences(tmp_path / "x", [], output_format="json")
    with pytest.raises(InputError, match=r"expected a format .*, found 'CoNLL'"):
        convert(tmp_path / "x", tmp_path / "y", output_format="CoNLL")


class Shouted(Format):
    """A line of words, in which the entities are shouted."""

    name = "shouted"
    suffixes = (".shout",)
    description = "shouted entities"

    def read(self, path, options, report):
        for line in Path(path).read_text().splitlines():
            words = line.split()
            spans = [Span(index, index + 1, "X") for index, word in enumerate(words) if word.isupper()]
            sentence = Sentence.from_words(words, options.labels(spans))
            report.count(sentence)
            yield sentence

    def write(self, path, sentences, options):
        lines = []
        for sentence in sentences:
            inside = {index for start, end, _ in sentence.spans for index in range(start, end)}
            lines.append(" ".join(word.upper() if i in inside else word for i, word in enumerate(sentence.words)))
        Path(path).write_text("\n".join(lines) + "\n", options.encoding)

    def rewrite(self, source, target, options, output, report):
        self.write(target, self.read(source, options, report), output)


def test_a_new_format_is_one_object_in_the_registry(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "FORMATS", {**FORMATS, "shouted": Shouted()})
    monkeypatch.setattr(inspect, "FORMATS", registry.FORMATS)
    source = tmp_path / "x.shout"
    source.write_text("ADA met ROME\n")
    assert [sentence.spans for sentence in read_sentences(source)] == [(Span(0, 1, "X"), Span(2, 3, "X"))]
    convert(source, tmp_path / "y.conll")
    assert (tmp_path / "y.conll").read_text() == "ADA\tB-X\nmet\tO\nROME\tB-X\n\n"
    convert(tmp_path / "y.conll", tmp_path / "z", output_format="shouted")
    convert(source, tmp_path / "w.shout")
    assert (tmp_path / "z").read_text() == (tmp_path / "w.shout").read_text() == source.read_text()
    with pytest.raises(InputError, match="the formats conll and tokens have tags, not shouted"):
        convert(source, tmp_path / "z.shout", scheme="BIEO")
    assert "columns     none: shouted entities" in inspect.describe(inspect.inspect_files([source]))


def test_an_array_is_read_as_lines_are(tmp_path):
    for name in ("tokens", "jsonl", "cluener"):
        (tmp_path / "x.json").write_text("[" + ",".join(CONTENTS[name].splitlines()) + "]")
        (tmp_path / "x.jsonl").write_text(CONTENTS[name])
        assert detect_format(tmp_path / "x.json").name == name
        array, lines = (read_sentences(tmp_path / file) for file in ("x.json", "x.jsonl"))
        assert [(one.words, one.spans) for one in array] == [(one.words, one.spans) for one in lines]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x", "T1\tPerson 0 3\tAda\nR1\tIn Arg1:T1 Arg2:T2\n", r"brat's annotations.*put the \.txt file beside it"),
        ("x.xml", "<doc><PER>Ada</PER></doc>\n", r"XML: .*JSON lines"),
        ("x", '<?xml version="1.0"?><doc/>\n', r"XML: .*JSON lines"),
        ("x", '<NAME TYPE="P">Ada</NAME> sings in <NAME TYPE="L">Oslo</NAME>.\n', r"XML: .*JSON lines"),
        ("x", "<!doctype html>\n<html><p>Ada</p></html>\n", r"an HTML page: save its text"),
        ("x.xmi", '<?xml version="1.1"?>\n<xmi:XMI xmlns:cas="http:///uima/cas.ecore"/>\n', r"UIMA .*WebAnno TSV 3"),
        ("x", '<?xml version="1.1"?><xmi:XMI xmi:version="2.0"/>\n', r"UIMA .*WebAnno TSV 3"),
        ("x.txt", "1|t|Ada sings.\n1|a|So does Bo.\n1\t0\t3\tAda\tPER\n", r"PubTator.*JSON lines"),
        ("x.spacy", "abc", r"expected spaCy's documents \(DocBin\), found something else"),
    ],
)
def test_forms_that_are_not_read_are_named(name, content, said, tmp_path):
    path = tmp_path / name
    path.write_text(content)
    for use in (read_sentences, lambda path: convert(path, tmp_path / "new.conll"), lambda path: inspect_files([path])):
        with pytest.raises(InputError, match=rf"{name}: .*{said}") as caught:
            use(path)
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "new.conll").exists()


# Whatever is written is read again, without a word about it.


@st.composite
def random_sentences(draw: st.DrawFn) -> list[Sentence]:
    """Words or characters, in any script, with what formats are made of."""
    sizes = st.integers(1, 1) if draw(st.booleans()) else st.integers(1, 4)
    alphabet = draw(st.sampled_from(["ab", "京北", "аб", "ก", "[]()\\#B-", "a京\ufeff\u3000\u200b😀 \t\x85"]))
    found = []
    for _ in range(draw(st.integers(1, 4))):
        words = [
            "".join(draw(st.lists(st.sampled_from(alphabet), min_size=draw(sizes), max_size=4)))
            for _ in range(draw(st.integers(1, 5)))
        ]
        if draw(st.booleans()):
            words = list("".join(words))
        cuts = sorted(draw(st.sets(st.integers(0, len(words)), max_size=4)))
        spans = [Span(start, end, draw(st.sampled_from(["PER", "LOC"]))) for start, end in pairwise(cuts)]
        joiner = draw(st.sampled_from(["", " "])) if all(len(word) == 1 for word in words) else " "
        found.append(Sentence.from_words(words, spans, joiner=joiner))
    return found


@given(written=random_sentences())
def test_inline_marks_are_read_as_the_tokens_that_were_written(written, tmp_path_factory):
    path = tmp_path_factory.mktemp("any") / "x.inline"
    write_sentences(path, written)
    assert [(one.words, one.spans) for one in read_sentences(path)] == [(one.words, one.spans) for one in written]


@given(written=random_sentences())
def test_tokens_in_json_are_read_as_they_were_written(written, tmp_path_factory):
    path = tmp_path_factory.mktemp("any") / "x.jsonl"
    write_sentences(path, written, output_format="tokens")
    assert [(one.words, one.spans) for one in read_sentences(path)] == [(one.words, one.spans) for one in written]


@given(written=random_sentences(), name=st.sampled_from(["jsonl", "cluener"]))
def test_texts_in_json_are_read_with_the_entities_that_were_written(written, name, tmp_path_factory):
    path = tmp_path_factory.mktemp("any") / "x.jsonl"
    texts = [text_of(sentence) for sentence in written]
    entities = [entity for text in texts for entity in text.entities]
    if any(entity.text != entity.text.strip() or not is_visible(entity.text) for entity in entities):
        return  # white space around an entity is no part of it, and what nobody sees is none
    write_sentences(path, written, output_format=name)
    read = TextJson().read_texts(path)
    assert [(one.text, one.entities) for one in read] == [(one.text, one.entities) for one in texts]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.jsonl", '{"text": "Ada met Bo", "entities": [[0, 3, "PER"], [8, 10, "O"]]}\n'),
        ("x.json", '{"text": "Ada met Bo", "label": {"PER": {"Ada": [[0, 2]]}, "O": {"Bo": [[8, 9]]}}}\n'),
        ("x.inline", "[Ada](PER) met [Bo](O)\n"),
        ("x.conll", "Ada\tB-PER\nmet\tO\nBo\tB-O\n"),
        ("t.jsonl", '{"tokens": ["Ada", "met", "Bo"], "ner_tags": ["B-PER", "O", "B-O"]}\n'),
    ],
)
def test_an_entity_of_the_label_o_is_refused_in_any_format_and_the_hint_reads_it(name, content, tmp_path):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(InputError, match=rf"{re.escape(name)}:[13]: .*--rename O=O reads it as O, --rename O=NAME"):
        read_sentences(path)
    (kept,) = read_sentences(path, ReadOptions(labels=LabelMap.parse("PER")))  # which drops all others
    assert [span.label for span in kept.spans] == ["PER"]
    for rule, labels in (("O=O", ["PER"]), ("O=THING", ["PER", "THING"])):
        options = ReadOptions(labels=LabelMap.parse(None, [rule]), token_unit="word")
        assert [span.label for one in read_sentences(path, options) for span in one.spans] == labels


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("Ada\tB-PER\nsings\tO\n", ["Ada", "sings"]),
        ("Ada B-PER\nsings O\n", ["Ada", "sings"]),
        ("Ada\tPER\nsings\tO\nin\tO\nLeeds\tPER\n", ["Ada", "sings", "in", "Leeds"]),
        ("[Ada](PER)\tsings\n", ["Ada", "sings"]),
        ("so do I\n", ["so", "do", "I"]),
        ("Vitamin O\n", ["Vitamin", "O"]),
    ],
)
def test_columns_under_the_name_of_inline_marks_are_read_as_columns(
    content: str, words: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "x.inline"
    path.write_text(content)
    assert read_sentences(path)[0].words == words


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("[Ada](PER) sings\n[Leeds](LOC) fell\n", "inline marks: name the file .inline, or say - for standard input"),
        ("[Ada](PER) sings well\n[Leeds](LOC) fell\n", "inline marks: name the file .inline"),
        ('{"text": "a b"}\n{"text": "a b c"}\n', "JSON: name a file, or - for standard input"),
        ('[{"text": "a b"}, {"text": "a b c"}]\n', "JSON: name a file"),
    ],
)
def test_other_formats_than_columns_through_a_pipe_are_named(content: str, found: str, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = Thread(target=pipe.write_text, args=(content,))
    writer.start()
    with pytest.raises(InputError, match=f":[12]: expected columns, found {re.escape(found)}"):
        read_sentences(pipe)
    writer.join()
