from __future__ import annotations

import gzip
import logging
import lzma
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.formats.columns import ReadOptions
from ner_lstm_crf.formats.conll import ColumnFile, read_conll
from ner_lstm_crf.formats.raw_sentences import DOCUMENT_START
from ner_lstm_crf.formats.report import ReadReport
from ner_lstm_crf.tags.labels import LabelMap
from ner_lstm_crf.tags.scheme import SCHEMES
from ner_lstm_crf.text.annotation import Sentence, Span


def read(tmp_path: Path, content: str | bytes, report: ReadReport | None = None, **options: object) -> list[Sentence]:
    path = tmp_path / "train.conll"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read_conll(path, ReadOptions(**options), report=report))


def refusal(tmp_path: Path, content: str | bytes, **options: object) -> str:
    with pytest.raises(InputError) as caught:
        read(tmp_path, content, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{tmp_path}/")


def test_tokens_spans_documents_and_lines(tmp_path):
    first, second = read(tmp_path, "-DOCSTART- O\n\nAda B-PER\nKing I-PER\nsings O\n\n\n-DOCSTART- O\n\nRome B-LOC\n")
    assert (first.words, first.spans) == (["Ada", "King", "sings"], (Span(0, 2, "PER"),))
    assert (second.words, second.spans) == (["Rome"], (Span(0, 1, "LOC"),))
    assert [(first.document, first.line), (second.document, second.line)] == [(0, 3), (1, 10)]


def test_tokens_are_placed_as_if_joined_by_one_space(tmp_path):
    (sentence,) = read(tmp_path, "Ada\tO\n\tO\nKing Lu\tO\n😀é\tO\n")
    text = " ".join(sentence.words)
    assert all(text[token.start : token.end] == token.text for token in sentence.tokens)
    assert [token.start for token in sentence.tokens] == [0, 4, 5, 13]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("named", [True, False])
def test_every_scheme_gives_the_same_spans(scheme, named, tmp_path):
    spans = (Span(0, 1, "PER"), Span(2, 4, "PER"), Span(4, 7, "creative-work"), Span(8, 9, "LOC"))
    tags = SCHEMES[scheme].encode(spans, 9)
    text = "".join(f"w\t{tag}\n" for tag in tags)
    (sentence,) = read(tmp_path, text, scheme=scheme if named else None)
    assert sentence.spans == spans


def test_a_scheme_that_only_the_last_tag_gives_away(tmp_path):
    text = "a\tI-PER\n\n" * 3000 + "b\tI-PER\nc\tE-PER\nd\tI-PER\n"
    assert read(tmp_path, text)[-1].spans == (Span(0, 2, "PER"), Span(2, 3, "PER"))


@pytest.mark.parametrize(
    "content",
    [
        "Zoë B-PER\r\nsings O\r\n\r\nRome B-LOC\r\n".encode(),
        b"\xef\xbb\xbf" + "Zoë B-PER\nsings O\n\nRome B-LOC".encode(),
        gzip.compress("Zoë B-PER\nsings O\n\nRome B-LOC".encode(), mtime=0),
        lzma.compress("Zoë\tB-PER\nsings\tO\n \t\nRome\tB-LOC\n\n\n".encode()),
        "\n\n  Zoë   \t B-PER  \nsings  O\n\t\nRome B-LOC".encode(),
        "# about Zoë\nZoë B-PER\nsings O\n\n# about Rome\nRome B-LOC\n".encode(),
    ],
    ids=["CRLF", "BOM", "gzip", "xz and tabs", "runs of spaces", "comments"],
)
def test_the_same_in_many_guises(content, tmp_path):
    sentences = read(tmp_path, content)
    assert [sentence.words for sentence in sentences] == [["Zoë", "sings"], ["Rome"]]
    assert [sentence.spans for sentence in sentences] == [(Span(0, 1, "PER"),), (Span(0, 1, "LOC"),)]


def test_other_encodings_when_asked(tmp_path):
    content = "Zoë B-PER\nin O\nKöln B-LOC\n".encode("latin-1")
    assert read(tmp_path, content, encoding="latin-1")[0].words == ["Zoë", "in", "Köln"]
    assert refusal(tmp_path, content).startswith("train.conll:1: byte 0xeb at offset 2 is not valid utf-8")


def test_invisible_characters_stay_in_tokens(tmp_path):
    words = ["a\u200bb", "\ufeffc", "d\u00a0e", "\u3000", "f\u2028g", "h\u0085", "\u200b"]
    assert read(tmp_path, "".join(f"{word} O\n" for word in words))[0].words == words
    assert read(tmp_path, "".join(f"{word}\tO\n" for word in words))[0].words == words


def test_cells_of_tab_separated_files_may_hold_spaces_or_nothing(tmp_path):
    (sentence,) = read(tmp_path, "10 000\tO\n😀 \tO\n\tO\n Rome\tB-LOC\n")
    assert sentence.words == ["10 000", "😀 ", "", " Rome"]


def test_the_reader_is_lazy(tmp_path):
    path = tmp_path / "train.conll"
    path.write_text("Ada B-PER\n\nRome\n")
    sentences = read_conll(path, ReadOptions(scheme="IOB2"))
    assert next(sentences).words == ["Ada"]
    with pytest.raises(InputError, match=r"train\.conll:3: expected at least 2 columns, found 1: 'Rome'"):
        next(sentences)


CONTENT = {
    "one column in a row": ("Ada O\nEU\n", "train.conll:2: expected at least 2 columns, found 1: 'EU'"),
    "one column": ("Ada\nEU\n", "train.conll:1: expected at least 2 columns (a token and its tag), found 1: 'Ada'"),
    "no tag": (
        "a O\nb O\nc O\nd O\ne foo\n",
        "train.conll:5: expected a tag such as O or B-PER in column 2, found 'foo'",
    ),
    "an empty tag": (
        "a\tO\nb\tO\nc\tO\nd\tO\n\ne\t\n",
        "train.conll:6: expected a tag such as O or B-PER in column 2, found ''",
    ),
    "nothing": ("", "train.conll: the file is empty"),
    "blank lines": ("\n \n", "train.conll: expected rows of a token and a tag, found no rows"),
    "comments": ("# a\n", "train.conll:1: no tag column: none of the 2 columns holds tags"),
    "binary": ("Ada\0O\n", "train.conll: expected text, found binary data (a NUL byte at offset 3)"),
    "mixed schemes": ("a\tU-PER\nb\tB-PER\nc\tE-PER\n", "train.conll:1: expected the tags of one scheme"),
}


@pytest.mark.parametrize("name", CONTENT)
def test_what_is_wrong_and_where(name, tmp_path):
    content, message = CONTENT[name]
    assert refusal(tmp_path, content).startswith(message)


def test_a_tag_the_scheme_asked_for_lacks(tmp_path):
    message = refusal(tmp_path, "a\tO\n\nb\tO\nc\tE-PER\n", scheme="IOB2")
    assert message == "train.conll:4: column 2: expected a tag of IOB2 (O, B-, I-), found 'E-PER'"
    assert "expected a tag scheme" in refusal(tmp_path, "a\tO\n", scheme="IOB9")


ILL_FORMED = "# c\na\tO\nb\tI-PER\n\nc\tB-PER\n\nd\tB-LOC\ne\tI-PER\n" + "f\tB-PER\n\n" * 9


def test_ill_formed_tags_go_by_the_policy_and_are_counted_with_their_lines(tmp_path):
    report = ReadReport()
    sentences = read(tmp_path, ILL_FORMED, report)
    assert [sentence.spans for sentence in sentences[:2]] == [(Span(1, 2, "PER"),), (Span(0, 1, "PER"),)]
    assert report.ill_formed == [3, 8]
    strict = read(tmp_path, ILL_FORMED, ReadReport(), policy="strict")
    assert strict[0].spans == ()
    assert refusal(tmp_path, ILL_FORMED, policy="error").startswith(
        "train.conll:3: column 2: 'I-PER' may not follow 'O'"
    )


RAGGED = "Ada B-PER\n" * 3 + "met O more\n" + "Lu B-PER\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ILL_FORMED, "2 tags break IOB2 and are read by the policy conlleval: lines 3, 8"),
        (RAGGED, "rows with fewer or more columns than most, which have 2: lines 4"),
    ],
    ids=["ill-formed", "ragged"],
)
def test_what_was_met_is_logged_unless_the_caller_takes_the_report(text, said, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        read(tmp_path, text, ReadReport())
        assert not caplog.messages
        read(tmp_path, text)
    (message,) = caplog.messages
    assert message.endswith(f"train.conll: {said}")


def test_further_columns_behind_tabs_are_not_worth_a_word(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        read(tmp_path, RAGGED.replace(" ", "\t"))
    assert not caplog.messages


def test_a_token_of_two_words_is_refused_where_any_word_could_be_a_tag(tmp_path):
    message = refusal(tmp_path, "Ada PER\nmet O\nNew York LOC\n" + "then O\nLu PER\n" * 9)
    assert message == "train.conll:3: expected 2 columns, found 3: 'New York LOC'"


def test_the_tag_that_fits_no_scheme_is_named_with_its_line(tmp_path):
    message = refusal(tmp_path, "a\tB-X\nb\tE-X\n\nc\tO\nd\tL-X\ne\tL-X\n" + "f\tB-X\ng\tE-X\n" * 3)
    assert message.startswith("train.conll:5: expected the tags of one scheme")
    assert "found 'L-X' (2 times)" in message


def test_a_file_may_end_in_lines_that_are_no_tokens(tmp_path):
    for end in ("-DOCSTART- O\n", "-DOCSTART- O\n\n", "# the end", "\n\n \n"):
        (sentence,) = read(tmp_path, f"Ada B-PER\n\n{end}")
        assert sentence.words == ["Ada"]


def test_the_report_counts_everything(tmp_path):
    text = "# newdoc\n# text = a\n1\ta\tB-X\n2\tb\tO\t-\n\n# newdoc\n1-2\tcd\t_\n1\tc\tB-Y\n2\td\tI-Y\n3\te\tB-X\n"
    report = ReadReport()
    read(tmp_path, text, report)
    assert (report.sentences, report.tokens, report.documents, report.comments) == (2, 5, 2, 4)
    assert (report.ragged, report.widths) == ([4], {3: 4, 4: 1})
    assert report.labels == {"X": 2, "Y": 1}


def test_labels_are_mapped_and_those_that_never_come_are_named(tmp_path, caplog):
    text = "a\tB-person\nb\tB-OTH\nc\tB-LOC\n"
    with caplog.at_level(logging.WARNING):
        (sentence,) = read(tmp_path, text, labels=LabelMap.parse("PER,ORG", ["person=PER"]))
    assert sentence.spans == (Span(0, 1, "PER"),)
    assert caplog.messages[0].endswith("no entity is labelled ORG (labels found: LOC, OTH, person)")


def test_a_label_called_o_is_an_entity_that_can_be_dropped(tmp_path):
    text = "a\tB-PER\nb\tB-O\n"
    assert read(tmp_path, text)[0].spans == (Span(0, 1, "PER"), Span(1, 2, "O"))
    assert read(tmp_path, text, labels=LabelMap.parse(None, ["O=O"]))[0].spans == (Span(0, 1, "PER"),)


def test_characters_as_tokens(tmp_path):
    (sentence,) = read(tmp_path, "我\tO\n爱\tO\n北 京\u3000市\tB-LOC\nEU\tB-ORG\n吧\tO\n", token_unit="character")
    assert "".join(sentence.words) == "我爱北京市EU吧"
    assert sentence.spans == (Span(2, 5, "LOC"), Span(5, 7, "ORG"))
    assert [token.start for token in sentence.tokens] == list(range(8))
    assert (sentence.line, len(sentence.words)) == (1, 8)


def test_an_entity_without_characters_is_not_lost_silently(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        (sentence,) = read(tmp_path, "a\tO\n\tB-LOC\n", token_unit="character")
    assert sentence.spans == ()
    assert caplog.messages[0].endswith("train.conll:2: an entity without characters is left out")


def test_files_without_tags_where_tags_do_not_matter(tmp_path):
    assert read(tmp_path, "Ada\nsings\n\nRome\n", read_tags=False)[0].words == ["Ada", "sings"]
    (sentence,) = read(tmp_path, "Ada\tU-PER\nsings\tI-X\nRome\tE-LOC\n", read_tags=False)
    assert sentence.spans == ()


def test_tags_within_features(tmp_path):
    row = "{}\t{}\t_\tX\t_\t_\t0\troot\t_\t{}\n"
    text = (
        row.format(1, "Ada", "name=B-PER|SpaceAfter=No")
        + row.format(2, "King", "name=I-PER")
        + row.format(3, "sings", "_")
    )
    (sentence,) = read(tmp_path, text)
    assert (sentence.words, sentence.spans) == (["Ada", "King", "sings"], (Span(0, 2, "PER"),))


def test_labels_without_prefixes(tmp_path):
    (sentence,) = read(tmp_path, "Ada\tPERSON\nKing\tPERSON\nin\tO\nRome\tLOC\n")
    assert sentence.spans == (Span(0, 2, "PERSON"), Span(3, 4, "LOC"))


@pytest.mark.parametrize("length", [1, 20_000])
def test_very_long_sentences_and_tokens(length, tmp_path):
    word = "x" * 5000 if length == 1 else "x"
    (sentence,) = read(tmp_path, f"{word}\tB-PER\n" * length)
    assert (len(sentence.tokens), len(sentence.spans), len(sentence.words[0])) == (length, length, len(word))


TOKENS = st.text(st.characters(exclude_characters="\t\n\r\0", codec="utf-8"), max_size=8).filter(
    lambda word: not DOCUMENT_START.match(word)
)


@given(
    sentences=st.lists(st.lists(TOKENS, min_size=1, max_size=5), min_size=1, max_size=4),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_any_token_without_tab_and_line_end_is_read_as_it_stands(sentences, end, tmp_path_factory):
    path = tmp_path_factory.mktemp("conll") / "x.conll"
    rows = [[f"1\t{word}\tO{end}" for word in words] for words in sentences]
    path.write_bytes(end.join("".join(lines) for lines in rows).encode())
    options = ReadOptions(token_column=2, tag_column=3, separator="tab", scheme="IOB2")
    assert [sentence.words for sentence in read_conll(path, options)] == sentences


def test_a_column_file_is_read_as_often_as_needed(tmp_path):
    path = tmp_path / "train.conll"
    path.write_text("Ada B-PER\n\nRome B-LOC\n")
    file = ColumnFile(path, ReadOptions())
    assert list(file.read()) == list(file.read())
    assert file.scheme is SCHEMES["IOB2"]
    assert file.detection is not None
    assert file.detection.evidence.startswith("IOB2")
