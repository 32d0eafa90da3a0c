from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_lstm_crf.data.annotation import Sentence, Span
from ner_lstm_crf.data.columns import ColumnOptions
from ner_lstm_crf.data.formats import convert, detect_format, read_sentences, write_sentences
from ner_lstm_crf.data.inspection import inspect_files
from ner_lstm_crf.data.labels import LabelMap
from ner_lstm_crf.data.report import ReadReport
from ner_lstm_crf.data.schemes import SCHEMES
from ner_lstm_crf.data.token_records import has_tokens
from ner_lstm_crf.errors import InputError

ADA = {"tokens": ["Ada", "King", "met", "Bob"], "ner_tags": ["B-PER", "I-PER", "O", "B-PER"]}
SPANS = (Span(0, 2, "PER"), Span(3, 4, "PER"))


def write(folder: Path, *records: object) -> Path:
    path = folder / "x.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def lines_of(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("token_key", ["tokens", "words"])
@pytest.mark.parametrize("tag_key", ["ner_tags", "tags", "labels", "ner"])
@pytest.mark.parametrize("more", [{}, {"text": "Ada King met Bob"}, {"id": 3, "pos_tags": [1, 1, 2, 1]}])
def test_every_usual_key_is_known(token_key, tag_key, more, tmp_path):
    path = write(tmp_path, {**more, token_key: ADA["tokens"], tag_key: ADA["ner_tags"]})
    assert detect_format(path) == "tokens"
    (sentence,) = read_sentences(path)
    assert (sentence.words, sentence.spans, sentence.line) == (ADA["tokens"], SPANS, 1)


@pytest.mark.parametrize(
    "record",
    [
        {"text": "Ada", "tokens": ["Ada"], "entities": []},
        {"text": "Ada", "tokens": ["Ada"], "labels": []},
        {"text": "Ada", "tokens": [{"text": "Ada", "start": 0, "end": 3}], "spans": []},
        {"text": "Ada", "labels": [[0, 3, "PER"]]},
    ],
)
def test_texts_that_have_tokens_too_are_texts(record, tmp_path):
    assert not has_tokens(record)
    assert detect_format(write(tmp_path, record)) == "jsonl"


SENTENCES = st.lists(
    st.lists(st.tuples(st.text(max_size=4), st.sampled_from(["O", "B-X", "I-X", "B-Y", "I-Y"])), max_size=6),
    min_size=1,
    max_size=5,
).filter(any)


@given(sentences=SENTENCES, scheme=st.sampled_from(sorted(set(SCHEMES) - {"IO"})))
def test_whatever_is_written_is_read_again(sentences, scheme, tmp_path_factory):
    path = tmp_path_factory.mktemp("any") / "x.jsonl"
    expected = []
    for pairs in filter(None, sentences):
        words, tags = zip(*pairs, strict=True)
        expected.append(Sentence.from_words(words, SCHEMES["IOB2"].decode(tags).spans))
    write_sentences(path, expected, form="tokens", scheme=scheme)
    read = read_sentences(path, ColumnOptions(scheme=scheme))
    assert [(s.words, s.spans) for s in read] == [(s.words, s.spans) for s in expected]
    found = read_sentences(path)  # its scheme found out
    assert [s.spans for s in found] == [s.spans for s in expected]


def test_converted_all_other_keys_stay(tmp_path):
    path = write(tmp_path, {"id": 7, **ADA, "meta": {"by": "hand"}}, {"tokens": [], "ner_tags": []})
    convert(path, tmp_path / "y.jsonl", scheme="BIOES", options=ColumnOptions(labels=LabelMap.parse(None, ["PER=P"])))
    first, second = lines_of(tmp_path / "y.jsonl")
    assert list(first.items()) == [
        ("id", 7),
        ("tokens", ADA["tokens"]),
        ("ner_tags", ["B-P", "E-P", "O", "S-P"]),
        ("meta", {"by": "hand"}),
    ]
    assert second == {"tokens": [], "ner_tags": []}
    convert(path, tmp_path / "z", scheme=None)
    assert lines_of(tmp_path / "z") == lines_of(path)
    convert(path, tmp_path / "y.jsonl", options=ColumnOptions(unit="character"))
    assert lines_of(tmp_path / "y.jsonl")[0]["ner_tags"] == [
        "B-PER",
        *["I-PER"] * 6,
        "O",
        "O",
        "O",
        "B-PER",
        "I-PER",
        "I-PER",
    ]


def test_chinese_characters_become_running_text(tmp_path):
    path = write(tmp_path, {"tokens": list("王明在"), "ner_tags": ["B-PER", "I-PER", "O"]})
    convert(path, tmp_path / "y.jsonl", form="jsonl")
    assert lines_of(tmp_path / "y.jsonl")[0]["text"] == "王明在"


def test_what_was_met_is_reported_with_its_lines(tmp_path, caplog):
    path = write(tmp_path, ADA, {"tokens": ["a", "b"], "ner_tags": ["O", "I-LOC"]})
    report = ReadReport()
    sentences = read_sentences(path, ColumnOptions(scheme="IOB2"), report=report)
    assert [sentence.spans for sentence in sentences] == [SPANS, (Span(1, 2, "LOC"),)]
    assert (report.sentences, report.tokens, report.scheme) == (2, 6, "IOB2")
    assert (report.ill_formed, report.labels) == ([2], {"PER": 2, "LOC": 1})
    read_sentences(path, ColumnOptions(scheme="IOB2"))
    assert "x.jsonl: 1 tags break IOB2" in caplog.text
    with pytest.raises(InputError, match=r"x\.jsonl:2: .*'I-LOC' may not follow 'O' in IOB2"):
        read_sentences(path, ColumnOptions(scheme="IOB2", policy="error"))
    (facts,) = inspect_files([write(tmp_path, ADA, ADA)]).files
    assert (facts.format, facts.scheme, facts.duplicates) == ("tokens", "IOB2", 1)
    assert facts.evidence == "IOB2: all 4 entities begin with B-"
    (facts,) = inspect_files([path], ColumnOptions(scheme="BIO")).files
    assert facts.evidence == "IOB2: as asked for"


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({**ADA, "ner_tags": [1, 2, 0, 1]}, "found numbers: write the names of the tags in their place"),
        ({**ADA, "ner_tags": ["O", "O", "O", ""]}, "found an empty one"),
        ({**ADA, "ner_tags": ["O"]}, "expected as many tags as tokens, found 1 tag for 4"),
        ({"tokens": ["Ada"]}, r"expected tags under the key 'ner_tags' \(keys found: tokens\)"),
        ({"tokens": ["Ada", 3], "ner_tags": ["O", "O"]}, "expected a list of strings under the key 'tokens'"),
        ({"text": "Ada", "entities": []}, r"under the key 'tokens' \(keys found: text, entities\)"),
        ({"tokens": ["Ada"], "ner_tags": ["X-PER"]}, "expected the tags of one scheme"),
    ],
)
def test_what_is_no_such_record_is_refused_with_its_line(record, said, tmp_path):
    with pytest.raises(InputError, match=rf"x\.jsonl:2: .*{said}"):
        read_sentences(write(tmp_path, ADA, record))
    with pytest.raises(InputError, match=r"x\.jsonl: expected sentences of tokens, found none"):
        read_sentences(write(tmp_path, {"tokens": [], "ner_tags": []}))


def test_where_tags_do_not_matter_they_may_be_missing(tmp_path):
    path = write(tmp_path, {"tokens": ["Ada"]}, {"tokens": ["met"], "ner_tags": [3]})
    sentences = read_sentences(path, ColumnOptions(read_tags=False))
    assert [(sentence.words, sentence.spans) for sentence in sentences] == [(["Ada"], ()), (["met"], ())]
