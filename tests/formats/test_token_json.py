from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from ner_lstm_crf.corpora.inspect import inspect_files
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.formats.options import ReadOptions, ReadReport
from ner_lstm_crf.formats.registry import convert, detect_format, read_sentences, write_sentences
from ner_lstm_crf.formats.token_json import has_tokens, label_names
from ner_lstm_crf.tags.labels import LabelMap
from ner_lstm_crf.tags.scheme import SCHEMES
from ner_lstm_crf.text.annotation import Sentence, Span

ADA = {"tokens": ["Ada", "King", "met", "Bob"], "ner_tags": ["B-PER", "I-PER", "O", "B-PER"]}
SPANS = (Span(0, 2, "PER"), Span(3, 4, "PER"))


def write(folder: Path, *records: object) -> Path:
    path = folder / "x.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def lines_of(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().rstrip("\n").split("\n")]  # U+2028 ends no line


@pytest.mark.parametrize("token_key", ["tokens", "words"])
@pytest.mark.parametrize("tag_key", ["ner_tags", "tags", "labels", "ner"])
@pytest.mark.parametrize("more", [{}, {"id": 3, "pos_tags": [1, 1, 2, 1]}, {"ner_tags": None}, {"tags": ["NNP"] * 4}])
def test_every_usual_key_is_known(token_key, tag_key, more, tmp_path):
    path = write(tmp_path, {**more, token_key: ADA["tokens"], tag_key: ADA["ner_tags"]})
    assert detect_format(path).name == "tokens"
    (sentence,) = read_sentences(path)
    assert (sentence.words, sentence.spans, sentence.line) == (ADA["tokens"], SPANS, 1)


@pytest.mark.parametrize(
    "record",
    [
        {"text": "Ada", "tokens": ["Ada"], "entities": []},
        {"text": "Ada", "tokens": ["Ada"], "labels": []},
        {"text": "Ada", "tokens": [{"text": "Ada", "start": 0, "end": 3}], "spans": []},
        {"text": "Ada", "labels": [[0, 3, "PER"]]},
        {"text": "Ada", "tokens": ["Ada"], "tags": ["NNP"], "entities": [[0, 3, "PER"]]},
        {"text": "Ada", "tokens": ["Ada"], "labels": ["smalltalk"], "spans": []},
        {"text": "Ada", "tokens": ["Ada"], "ner_tags": ["B-PER"], "entities": []},
    ],
)
def test_texts_that_have_tokens_too_are_texts(record, tmp_path):
    assert not has_tokens(record)
    assert detect_format(write(tmp_path, record)).name == "jsonl"


@pytest.mark.parametrize("first", [{"ner_tags": None}, {"ner_tags": []}, {"ner_tags": ["O"]}])
def test_tags_make_a_text_a_sentence_of_tokens(first, tmp_path):
    path = write(tmp_path, {"text": "Hm", "tokens": ["Hm"], **first}, {"text": "Ada King met Bob", **ADA})
    assert detect_format(path).name == "tokens"
    if first["ner_tags"] == ["O"]:
        assert [sentence.spans for sentence in read_sentences(path)] == [(), SPANS]
    else:
        with pytest.raises(InputError, match=r"x\.jsonl:1: expected (a list of tags|as many tags as tokens)"):
            read_sentences(path)


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
    write_sentences(path, expected, output_format="tokens", scheme=scheme)
    read = read_sentences(path, ReadOptions(scheme=scheme))
    assert [(s.words, s.spans) for s in read] == [(s.words, s.spans) for s in expected]
    found = read_sentences(path)  # its scheme detected
    assert [s.spans for s in found] == [s.spans for s in expected]


def test_converted_all_other_keys_stay(tmp_path):
    path = write(tmp_path, {"id": 7, **ADA, "meta": {"by": "hand"}}, {"tokens": [], "ner_tags": []})
    convert(path, tmp_path / "y.jsonl", scheme="BIOES", options=ReadOptions(labels=LabelMap.parse(None, ["PER=P"])))
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
    convert(path, tmp_path / "y.jsonl", options=ReadOptions(token_unit="character"))
    first = lines_of(tmp_path / "y.jsonl")[0]
    assert first["ner_tags"] == [
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
    convert(path, tmp_path / "y.jsonl", output_format="jsonl")
    assert lines_of(tmp_path / "y.jsonl")[0]["text"] == "王明在"


def test_what_was_met_is_reported_with_its_lines(tmp_path, caplog):
    path = write(tmp_path, ADA, {"tokens": ["a", "b"], "ner_tags": ["O", "I-LOC"]})
    report = ReadReport()
    sentences = read_sentences(path, ReadOptions(scheme="IOB2"), report=report)
    assert [sentence.spans for sentence in sentences] == [SPANS, (Span(1, 2, "LOC"),)]
    assert (report.sentences, report.tokens, report.scheme) == (2, 6, "IOB2")
    assert (report.ill_formed, report.labels) == ([2], {"PER": 2, "LOC": 1})
    read_sentences(path, ReadOptions(scheme="IOB2"))
    assert "x.jsonl: 1 tag against IOB2" in caplog.text
    with pytest.raises(InputError, match=r"x\.jsonl:2: tag 2: 'I-LOC' may not follow 'O' in IOB2"):
        read_sentences(path, ReadOptions(scheme="IOB2", ill_formed="error"))
    (facts,) = inspect_files([write(tmp_path, ADA, ADA)]).files
    assert (facts.format, facts.scheme, facts.duplicates) == ("tokens", "IOB2", 1)
    assert facts.evidence == "IOB2: all 4 entities begin with B-"
    (facts,) = inspect_files([path], ReadOptions(scheme="BIO")).files
    assert facts.evidence == "IOB2: as given"


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({**ADA, "ner_tags": [1, 2, 0, 1]}, "found a number as 1: say --label-names with the names in their order"),
        ({**ADA, "ner_tags": ["O", None, "O", "O"]}, "expected tags as strings under 'ner_tags', found null as 2"),
        ({**ADA, "ner_tags": "O O O O"}, "expected a list of tags under 'ner_tags', found a string"),
        ({**ADA, "ner_tags": ["O", "O", "O", ""]}, "tag 4: expected a tag such as O or B-PER, found ''"),
        ({**ADA, "ner_tags": ["NNP"] * 4}, "tag 1: expected a tag such as O or B-PER, found 'NNP'"),
        ({**ADA, "ner_tags": ["O"]}, "expected as many tags as tokens, found 1 tag for 4"),
        ({"tokens": ["Ada"]}, r"expected tags under the key 'ner_tags' \(keys found: tokens\)"),
        (
            {"tokens": ["Ada", 3], "ner_tags": ["O", "O"]},
            "expected tokens as strings under 'tokens', found a number as 2",
        ),
        ({"text": "Ada", "entities": []}, r"under the key 'tokens' \(keys found: text, entities\)"),
        ({"tokens": ["Ada"], "ner_tags": ["X-PER"]}, "expected a tag such as O or B-PER"),
        ({"tokens": ["Ada"], "ner_tags": ["L-PER"]}, "expected the tags of one scheme"),
    ],
)
def test_what_is_no_such_record_is_refused_with_its_line(record, said, tmp_path):
    mixed = {"tokens": ["Ada", "King"], "ner_tags": ["B-PER", "E-PER"]}
    with pytest.raises(InputError, match=rf"x\.jsonl:2: .*{said}"):
        read_sentences(write(tmp_path, ADA, record, mixed))


def test_a_file_without_tokens_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"x\.jsonl: expected sentences of tokens, found none"):
        read_sentences(write(tmp_path, {"tokens": [], "ner_tags": []}))


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        (["NNP", "VBZ"], "tag 1: expected a tag .* found 'NNP'"),
        (["b-per", "o"], "found 'b-per', which may be a label"),
        (["0", "1"], "tag 2: expected a tag .* found '1'"),
        (["-", "PER"], "tag 2: expected a tag .* found 'PER'"),
    ],
)
def test_tags_of_something_else_are_not_taken_for_labels(tags, message, tmp_path):
    with pytest.raises(InputError, match=rf"x\.jsonl:1: {message}"):
        read_sentences(write(tmp_path, {"tokens": ["Ada", "sings"], "tags": tags}))


def test_tags_are_read_and_written_in_whatever_way_they_are_written(tmp_path):
    path = write(tmp_path, {"tokens": ["Ada", "King", "in", "Oslo"], "ner_tags": ["PER_B", "PER_I", "-", "LOC_B"]})
    assert read_sentences(path)[0].spans == (Span(0, 2, "PER"), Span(3, 4, "LOC"))
    convert(path, tmp_path / "new.jsonl")
    assert json.loads((tmp_path / "new.jsonl").read_text())["ner_tags"] == ["B-PER", "I-PER", "O", "B-LOC"]


def test_labels_without_prefixes_stay_such(tmp_path):
    record = {"tokens": ["Ada", "King", "met", "Bob"], "ner_tags": ["PER", "PER", "O", "PER"]}
    path = write(tmp_path, record)
    assert read_sentences(path)[0].spans == SPANS
    convert(path, tmp_path / "y.jsonl", options=ReadOptions(labels=LabelMap.parse(None, ["PER=P"])))
    assert lines_of(tmp_path / "y.jsonl") == [{**record, "ner_tags": ["P", "P", "O", "P"]}]


def test_what_the_scheme_cannot_say_is_told(tmp_path, caplog):
    path = write(tmp_path, {"tokens": ["Ada", "Bob"], "ner_tags": ["B-PER", "B-PER"]})
    for number in range(2):
        convert(path, tmp_path / "y.jsonl", scheme="IO") if number else write_sentences(
            tmp_path / "y.jsonl", read_sentences(path), output_format="tokens", scheme="IO"
        )
        assert caplog.messages[number].endswith(
            "1 entity touches another of the same label, which IO cannot tell apart: joined"
        )


def test_by_character_what_there_is_for_each_token_is_repeated(tmp_path, caplog):
    record = {
        "id": "1",
        "tokens": ["北京", "很", " "],
        "pos": [1, 2, 3],
        "ner_tags": ["B-LOC", "O", "B-PER"],
        "few": [1],
    }
    convert(write(tmp_path, record), tmp_path / "y.jsonl", options=ReadOptions(token_unit="character"))
    tags = ["B-LOC", "I-LOC", "O"]
    expected = {"id": "1", "tokens": ["北", "京", "很"], "pos": [1, 1, 2], "ner_tags": tags, "few": [1]}
    assert lines_of(tmp_path / "y.jsonl") == [expected]
    assert caplog.messages == [f"{tmp_path / 'x.jsonl'}:1: an entity without characters is left out"]


def test_where_tags_do_not_matter_they_may_be_missing(tmp_path):
    path = write(tmp_path, {"tokens": ["Ada"]}, {"tokens": ["met"], "ner_tags": [3]})
    sentences = read_sentences(path, ReadOptions(read_tags=False))
    assert [(sentence.words, sentence.spans) for sentence in sentences] == [(["Ada"], ()), (["met"], ())]


# Tags that are numbers


NAMES = ("O", "B-PER", "I-PER", "B-LOC")
NUMBERED = {"tokens": ["Ada", "King", "in", "Rome"], "pos_tags": [1, 1, 2, 1], "ner_tags": [1, 2, 0, 3]}


def test_tags_that_are_numbers_are_read_by_their_names(tmp_path):
    path = write(tmp_path, NUMBERED)
    (sentence,) = read_sentences(path, ReadOptions(label_names=NAMES))
    assert sentence.spans == (Span(0, 2, "PER"), Span(3, 4, "LOC"))
    convert(path, tmp_path / "y.jsonl", options=ReadOptions(label_names=NAMES))
    assert lines_of(tmp_path / "y.jsonl") == [{**NUMBERED, "ner_tags": ["B-PER", "I-PER", "O", "B-LOC"]}]
    with pytest.raises(InputError, match=r"x\.jsonl:1: .*: say --label-names with the names in their order"):
        read_sentences(path)
    with pytest.raises(InputError, match="found a number as 4, 3, which is not one of the 3 names"):
        read_sentences(path, ReadOptions(label_names=NAMES[:3]))
    for wrong in (True, -1, -100):
        with pytest.raises(InputError, match="expected tags as strings"):
            read_sentences(write(tmp_path, {**NUMBERED, "ner_tags": [wrong, 0, 0, 0]}), ReadOptions(label_names=NAMES))
    with pytest.raises(TypeError, match="expected a list of names"):
        ReadOptions(label_names="O,B-PER")


@given(sentences=SENTENCES, order=st.permutations(["O", "B-X", "I-X", "B-Y", "I-Y"]))
def test_tags_written_as_numbers_are_read_again(sentences, order, tmp_path_factory):
    folder = tmp_path_factory.mktemp("numbers")
    made = [
        Sentence.from_words([f"w{token}" for token, _ in one], SCHEMES["IOB2"].decode([tag for _, tag in one]).spans)
        for one in sentences
        if one
    ]
    write_sentences(folder / "x.jsonl", made, output_format="tokens", label_names=order)
    assert all(type(tag) is int for line in lines_of(folder / "x.jsonl") for tag in line["ner_tags"])
    options = ReadOptions(label_names=order, scheme="IOB2")
    assert [one.spans for one in read_sentences(folder / "x.jsonl", options)] == [one.spans for one in made]


def test_a_file_of_numbers_keeps_its_other_keys(tmp_path):
    path, names = write(tmp_path, NUMBERED), [*NAMES[::-1], "B-P"]
    options = ReadOptions(label_names=NAMES, labels=LabelMap.parse(None, ["LOC=P"]))
    convert(path, tmp_path / "y.jsonl", options=options, label_names=names)
    assert lines_of(tmp_path / "y.jsonl") == [{**NUMBERED, "ner_tags": [2, 1, 3, 4]}]
    with pytest.raises(InputError, match=r"z\.jsonl: expected a tag among the 4 names for numbers, found 'B-P'"):
        convert(path, tmp_path / "z.jsonl", options=options, label_names=names[:4])
    with pytest.raises(InputError, match="the format tokens has these, not conll"):
        convert(path, tmp_path / "z.conll", options=options, label_names=names)
    with pytest.raises(InputError, match="expected each name of a tag once, found 'O' twice"):
        convert(path, tmp_path / "z.jsonl", options=options, label_names=["O", "O"])
    with pytest.raises(TypeError, match="expected a list of names"):
        write_sentences(tmp_path / "z.jsonl", [], label_names="O,B-PER")
    assert not (tmp_path / "z.jsonl").exists()


def test_the_names_of_tags_are_given_with_commas_or_in_a_file(tmp_path):
    (tmp_path / "names.txt").write_text("O\nB-PER\r\n I-PER\nB-LOC\n")
    assert label_names("O, B-PER,I-PER,B-LOC") == label_names(str(tmp_path / "names.txt")) == NAMES
    assert label_names(None) is None
    with pytest.raises(InputError, match="expected the names of tags such as O,B-PER,I-PER"):
        label_names("O,,B-PER")
    with pytest.raises(InputError, match="no such file"):
        label_names("O B-PER")
