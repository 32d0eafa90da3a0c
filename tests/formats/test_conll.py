"""Column files: how they are cut into sentences, read, written and rewritten."""

from __future__ import annotations

import gzip
import logging
import lzma
from dataclasses import replace
from io import StringIO
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files import text
from ner_lstm_crf.formats import conll, registry
from ner_lstm_crf.formats.columns import ColumnLayout, SentenceColumn
from ner_lstm_crf.formats.conll import (
    DOCUMENT_START,
    ColumnFile,
    Conll,
    RawSentence,
    read_conll,
    read_raw_sentences,
    replace_tags,
)
from ner_lstm_crf.formats.options import ReadOptions, ReadReport, WriteOptions
from ner_lstm_crf.formats.text_json import text_of
from ner_lstm_crf.tags.labels import LabelMap
from ner_lstm_crf.tags.scheme import SCHEMES, split_tag
from ner_lstm_crf.text.annotation import Entity, Sentence, Span

PLAIN = ColumnLayout(0, 1, 2, "tab")
SPACED = ColumnLayout(0, 1, 2, "space")
NUMBERED = ColumnLayout(1, 2, 3, "tab", numbered=True)
UNTAGGED = ColumnLayout(0, None, 1, "space")

LINES = st.sampled_from(
    [
        *("\n", " \n", "\t\n", "\r\n", "\u2028\n"),
        *("Ada\tB-PER\n", "Ada B-PER\r\n", "1\tAda\tB-PER\n", "2\tsings\tO\t-\n", "\tO\n", " \tO\n"),
        *(
            "# text = Ada\n",
            "#\n",
            "#tag\tO\n",
            "# O\n",
            "# newdoc id = 1\n",
            "#newdoc\n",
            "1-2\tim\t_\n",
            "1.1\tgone\t_\n",
        ),
        *("-DOCSTART- -X- -X- O\n", "-DOCSTART-\tO\n", "-docstart-\n", "--DOCSTART-- (1 x)\n", "<DOCSTART>\tO\n"),
        *("1\t-DOCSTART-\tO\n", "xDOCSTART\tO\n", "-\tO\n", "a\u2028b\tO\n", "lone\n", "DOCSTART\n"),
    ]
)
FILES = st.lists(LINES, max_size=14).map("".join)
LAYOUTS = st.sampled_from([PLAIN, SPACED, NUMBERED, UNTAGGED])


def raw_sentences(text: str, layout: ColumnLayout = PLAIN) -> list[RawSentence]:
    return list(read_raw_sentences(StringIO(text, newline="\n"), layout))


def rows_of(raw: RawSentence) -> list[str]:
    return [line.rstrip("\r\n") for line in raw.rows]


@given(FILES, LAYOUTS, st.booleans())
def test_raw_sentences_joined_are_the_file(text, layout, final):
    text = text if final else text.removesuffix("\n")
    found = raw_sentences(text, layout)
    assert "".join(line for raw in found for line in raw.lines) == text


@given(FILES, LAYOUTS)
def test_every_line_knows_its_number_and_only_the_last_may_lack_rows(text, layout):
    found, lines = raw_sentences(text, layout), StringIO(text, newline="\n").readlines()
    assert all(raw.token_lines for raw in found[:-1])
    for raw in found:
        assert raw.lines == lines[raw.line - 1 :][: len(raw.lines)]
        assert [lines[number - 1] for number in raw.line_numbers] == raw.rows
        first, last = (raw.token_lines[0], raw.token_lines[-1]) if raw.token_lines else (0, 0)
        assert not any(line.isspace() for line in raw.lines[first:last])


@given(FILES, LAYOUTS)
def test_documents_are_counted_up_by_at_most_one(text, layout):
    numbers = [raw.document for raw in raw_sentences(text, layout) if raw.token_lines]
    assert numbers == sorted(numbers)
    assert set(numbers) == set(range(len(set(numbers))))


@pytest.mark.parametrize("blank", ["\n", "\r\n", " \n", "\t\n", " \t \r\n", "\u00a0\n", "\n\n\n"])
def test_lines_of_white_space_end_sentences(blank):
    assert list(map(rows_of, raw_sentences(f"a\tO\n{blank}b\tO\n"))) == [["a\tO"], ["b\tO"]]


def test_a_row_with_an_empty_token_is_no_blank_line():
    assert list(map(rows_of, raw_sentences("a\tO\n\tO\n \tO\n"))) == [["a\tO", "\tO", " \tO"]]


MARKS = [
    *("-DOCSTART-\tO", "-DOCSTART- -X- -X- O", "-DOCSTART- O", "-DOCSTART-", "-docstart- O"),
    *("--DOCSTART--\tO", "-DOCSTART- (3 sport)", "-DOCSTART-(3", "<DOCSTART>", "# newdoc id = 3", "#newdoc"),
]


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize("after", ["\n\n", "\n", "\r\n\r\n"])
def test_a_document_mark_in_any_spelling_is_a_boundary_and_no_token(mark, after):
    found = raw_sentences(f"a\tO\n\nb\tO\n{mark}{after}c\tO\n")
    assert [(rows_of(raw), raw.document) for raw in found] == [(["a\tO"], 0), (["b\tO"], 0), (["c\tO"], 1)]


@pytest.mark.parametrize("first", ["", "-DOCSTART- O\n\n"])
@pytest.mark.parametrize("last", ["", "-DOCSTART- O\n", "-DOCSTART- O\n\n"])
def test_marks_may_open_documents_or_close_them(first, last):
    found = raw_sentences(f"{first}a O\n\n-DOCSTART- O\n\n-DOCSTART- O\n\nb O\n\n{last}", SPACED)
    assert [(rows_of(raw), raw.document) for raw in found if raw.token_lines] == [(["a O"], 0), (["b O"], 1)]


def test_numbered_document_marks():
    found = raw_sentences("1\ta\tO\n\n0\t-DOCSTART-\tO\n\n1\tb\tO\n", NUMBERED)
    assert [raw.document for raw in found] == [0, 1]


def test_comments_stand_apart_and_hashtags_do_not():
    (raw,) = raw_sentences("# text = #now b\n#now\tO\n#b\tB-PER\n# \tO\n#lone\n")
    assert rows_of(raw) == ["#now\tO", "#b\tB-PER", "# \tO"]
    assert raw.comments == ["# text = #now b\n", "#lone\n"]


def test_the_words_of_a_comment_are_no_cells():
    (raw,) = raw_sentences(
        "# I went home\n# B-PER is a person\n#now O\n#b B-PER\n# I\n#c B-LOC more\n#d B more\n", SPACED
    )
    assert rows_of(raw) == ["#now O", "#b B-PER", "#c B-LOC more"]
    unnamed = ColumnLayout(0, 1, 2, "space", sample_tags=frozenset(("O", "B")))
    (raw,) = raw_sentences("#New B\n#York I\n# I went home\n", unnamed)
    assert rows_of(raw) == ["#New B", "#York I"]
    bare = ColumnLayout(0, 1, 2, "space", prefixless=True, sample_tags=frozenset(("O", "PER")))
    (raw,) = raw_sentences("# corpus\n# two words\n#now O\n#b PER\nAda PER\n", bare)
    assert rows_of(raw) == ["#now O", "#b PER", "Ada PER"]
    (raw,) = raw_sentences("#now\tO\n#b\tEVENT\nAda\tPER\n", replace(bare, separator="tab"))
    assert rows_of(raw) == ["#now\tO", "#b\tEVENT", "Ada\tPER"]


def test_in_numbered_files_whatever_starts_with_a_hash_is_a_comment():
    (raw,) = raw_sentences("# a\tb\tO\n1\t#\tO\n# in between\n2\tb\tO\n", NUMBERED)
    assert rows_of(raw) == ["1\t#\tO", "2\tb\tO"]
    assert raw.comments == ["# a\tb\tO\n", "# in between\n"]


def test_multiword_ranges_and_empty_nodes_are_kept_but_are_no_tokens():
    (raw,) = raw_sentences("1-2\tim\t_\n1\tin\tO\n2\tdem\tO\n2.1\tnull\t_\n3\tHaus\tO\n", NUMBERED)
    assert rows_of(raw) == ["1\tin\tO", "2\tdem\tO", "3\tHaus\tO"]
    assert len(raw.comments) == 2


def test_in_untagged_files_a_hashtag_is_a_token_and_a_text_a_comment():
    (raw,) = raw_sentences("# text = #now\n#now\n#\n", UNTAGGED)
    assert rows_of(raw) == ["#now", "#"]


def test_raw_sentences_are_made_one_at_a_time():
    def endless():
        while True:
            yield "a\tO\n"
            yield "\n"

    assert next(read_raw_sentences(endless(), PLAIN)).line == 1


@pytest.mark.parametrize("mark", ["-DOCSTART-", "-docstart-", "-Docstart-", "<DOCSTART>"])
def test_documents_begin_in_any_spelling(mark):
    text = f"{mark}\tO\n\nRome\tO\nis\tO\n\n{mark}\tO\n\nParis\tO\n"
    assert [(len(raw.token_lines), raw.document) for raw in raw_sentences(text, PLAIN)] == [(2, 0), (1, 1)]


def test_a_comment_with_a_tab_is_no_row_of_bare_labels():
    layout = ColumnLayout(0, 1, 2, "tab", prefixless=True, sample_tags=frozenset(("O", "LOC")))
    (raw,) = raw_sentences("# doc\tsecond\n#rome\tLOC\nis\tO\n", layout)
    assert raw.rows == ["#rome\tLOC\n", "is\tO\n"]


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
    words = ["a\u200bb", "c\ufeff", "d\u00a0e", "\u3000", "f\u2028g", "h\u0085", "\u200b"]
    assert read(tmp_path, "".join(f"{word} O\n" for word in words))[0].words == words
    assert read(tmp_path, "".join(f"{word}\tO\n" for word in words))[0].words == words


def test_cells_of_tab_separated_files_may_hold_spaces_or_nothing(tmp_path):
    (sentence,) = read(tmp_path, "10 000\tO\n😀 \tO\n\tO\n Rome\tB-LOC\n")
    assert sentence.words == ["10 000", "😀 ", "", " Rome"]


@pytest.mark.parametrize("ragged", ["", "\tmore"])
def test_a_small_file_is_opened_and_cut_once_and_reads_as_a_large_one(ragged, tmp_path, monkeypatch):
    path = tmp_path / "train.conll"
    path.write_text(f"# text = Ada left.\nAda\tB-PER\nleft\tO{ragged}\n.\tO\n\nRome\tB-LOC\n\n" * 3)
    cuts, opened = list[str](), list[str]()
    columns, open_compressed = ColumnLayout.columns, text.open_compressed
    with monkeypatch.context() as patch:
        patch.setattr(ColumnLayout, "columns", lambda layout, rows: cuts.append(rows[0]) or columns(layout, rows))
        patch.setattr(text, "open_compressed", lambda *given: opened.append(given[0]) or open_compressed(*given))
        report = ReadReport()
        sentences = list(read_conll(path, report=report))
    assert (len(opened), len(cuts), len(sentences)) == (1, 6, 6)
    monkeypatch.setattr(conll, "_MOST_KEPT", 0)
    monkeypatch.setattr(text, "_SAMPLE_BYTES", 8)
    large = ReadReport()
    assert list(read_conll(path, report=large)) == sentences
    assert large == report


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
        "train.conll:5: column 2: expected a tag such as O or B-PER, found 'foo'",
    ),
    "an empty tag": (
        "a\tO\nb\tO\nc\tO\nd\tO\n\ne\t\n",
        "train.conll:6: column 2: expected a tag such as O or B-PER, found ''",
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
    strict = read(tmp_path, ILL_FORMED, ReadReport(), ill_formed="strict")
    assert strict[0].spans == ()
    assert refusal(tmp_path, ILL_FORMED, ill_formed="error").startswith(
        "train.conll:3: column 2: 'I-PER' may not follow 'O'"
    )


RAGGED = "Ada B-PER\n" * 3 + "met O more\n" + "Lu B-PER\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ILL_FORMED, "2 tags against IOB2, read by the policy conlleval: lines 3, 8"),
        (RAGGED, "rows with fewer or more columns than most, which have 2: line 4"),
    ],
    ids=["ill-formed", "ragged"],
)
def test_what_was_met_is_logged_unless_the_caller_takes_the_report(text, said, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        read(tmp_path, text, ReadReport(), tag_column=2)
        assert not caplog.messages
        read(tmp_path, text, tag_column=2)
    (message,) = caplog.messages
    assert message.endswith(f"train.conll: {said}")


def test_further_columns_behind_tabs_are_not_worth_a_word(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        read(tmp_path, RAGGED.replace(" ", "\t"))
    assert not caplog.messages


def test_a_token_of_two_words_is_refused_where_any_word_could_be_a_tag(tmp_path):
    message = refusal(tmp_path, "Ada PER\nmet O\nNew York LOC\n" + "then O\nLu PER\nin O\nOslo LOC\n" * 9)
    assert message.startswith("train.conll:3: expected 2 columns, as most rows have, found 3: 'New York LOC'; ")
    assert message.endswith("--tag-column -1 reads 'LOC' as its tag")


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


@pytest.mark.parametrize(
    ("tag", "rename", "spans"),
    [
        ("I-O", "O=O", (Span(0, 1, "PER"),)),
        ("B-O", "O=THING", (Span(0, 1, "PER"), Span(1, 2, "THING"))),
        ("S_O", "O=THING", (Span(0, 1, "PER"), Span(1, 2, "THING"))),
        ("B-", "=GENE", (Span(0, 1, "PER"), Span(1, 2, "GENE"))),
    ],
)
@pytest.mark.parametrize("scheme", [None, "given"])
def test_a_tag_that_contradicts_itself_is_refused_and_the_hint_reads_it(tag, rename, spans, scheme, tmp_path):
    text = f"a\t{tag[0]}-PER\nb\t{tag}\nc\tO\n"
    scheme = {"I": "IOB1", "B": "IOB2", "S": "BIOES"}[tag[0]] if scheme else None
    with pytest.raises(
        InputError, match=rf"train\.conll:2: column 2: expected .* '{tag}': .*--rename {rename.partition('=')[0]}="
    ):
        read(tmp_path, text, scheme=scheme)
    assert read(tmp_path, text, scheme=scheme, labels=LabelMap.parse(None, [rename]))[0].spans == spans


@pytest.mark.parametrize("mark", ["|", "#", ",", ", ", " + ", "/", ";", "&"])
def test_a_cell_of_several_tags_is_refused_and_the_hint_reads_one(mark, tmp_path):
    text = f"a\tB-PER{mark}B-ROLE\nb\tI-PER{mark}B-NAME\nc\tO{mark}O\nd\tO{mark}B-LOC\ne\tO\n"
    with pytest.raises(InputError, match=r"train\.conll:1: column 2: .*--several-tags first or last reads one of them"):
        read(tmp_path, text)
    assert read(tmp_path, text, several_tags="first")[0].spans == (Span(0, 2, "PER"),)
    last = (Span(0, 1, "ROLE"), Span(1, 2, "NAME"), Span(3, 4, "LOC"))
    for scheme in (None, "IOB2"):
        assert read(tmp_path, text, several_tags="last", scheme=scheme)[0].spans == last


@pytest.mark.parametrize("label", ["R&B", "B-R&D", "creative/work", "PER.NOM", "and,or", "a#b"])
def test_labels_with_signs_are_no_several_tags(label, tmp_path):
    assert read(tmp_path, f"a\tB-{label}\nb\tI-{label}\nc\tO\n")[0].spans == (Span(0, 2, label),)


@pytest.mark.parametrize("label", ["O", "PER|B-LOC"])
def test_a_label_that_could_not_be_read_back_is_not_written(label, tmp_path):
    with pytest.raises(InputError, match=r"x\.conll: the label .* could not be read back from a tag: --rename"):
        Conll().write(tmp_path / "x.conll", [Sentence.from_words(["a"], [Span(0, 1, label)])], WriteOptions())


SUFFIXED = "Ada\tPER-B\nGreen\tPER-I\nin\tO\nOslo\tLOC-B\n"


@pytest.mark.parametrize(
    ("form", "outside"),
    [
        ("{label}-{prefix}", "O"),
        ("{label}_{prefix}", "-"),
        ("{label}.{prefix}", "0"),
        ("{prefix}.{label}", "O"),
        ("{prefix}:{label}", "_"),
        ("{prefix}/{label}", "OTHER"),
        ("{prefix}|{label}", "OUT"),
        ("{prefix}{label}", "O"),
        ("{prefix}-{label}", "-"),
        ("{prefix}_{label}", "other"),
    ],
)
@pytest.mark.parametrize("small", [False, True])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_prefixes_are_found_wherever_they_stand(form, outside, small, scheme, tmp_path):
    spans = (Span(0, 2, "PER"), Span(3, 4, "LOC"), Span(5, 8, "PER"), Span(10, 11, "PER"), Span(11, 12, "PER"))
    if scheme in ("IO", "IOB1", "IOE1") and not SCHEMES[scheme].separates_neighbours:
        return  # no label has two prefixes
    cells = []
    for tag in SCHEMES[scheme].encode(spans, 20):
        prefix, label = split_tag(tag)
        prefix = prefix.lower() if small else prefix
        cells.append(form.format(prefix=prefix, label=label) if label else outside)
    text = "".join(f"w{number}\t{cell}\n" for number, cell in enumerate(cells))
    report = ReadReport()
    assert read(tmp_path, text, report)[0].spans == spans
    assert report.scheme == scheme
    standard = form in ("{prefix}-{label}", "{prefix}_{label}") and not small
    assert (f"{cells[0]}: read as" in report.evidence) == (not standard)
    assert (f"{outside} is read as O" in report.evidence) == (outside != "O")
    assert read(tmp_path, text, scheme=scheme)[0].spans == spans


@pytest.mark.parametrize("scheme", [None, "IOB2"])
def test_a_way_that_shows_late_is_found(scheme, tmp_path):
    text = "w\t-\n" * 2500 + "\nAda\tPER_B\nKing\tPER_I\nin\t-\n"
    assert read(tmp_path, text, scheme=scheme, tag_column=2)[1].spans == (Span(0, 2, "PER"),)


@pytest.mark.parametrize(("cells", "label"), [("b i o b", ""), ("B I - B", ""), ("B I OTHER B", "")])
def test_prefixes_alone_may_be_small_or_beside_another_sign_for_o(cells, label, tmp_path):
    text = "".join(f"w\t{cell}\n" for cell in cells.split())
    assert read(tmp_path, text)[0].spans == (Span(0, 2, label), Span(3, 4, label))


def test_a_label_that_may_be_a_prefix_behind_a_label_is_refused_and_either_hint_reads_it(tmp_path):
    text = "a\tHEP-B\nb\tO\nc\tO\nd\tHEP-B\n"
    with pytest.raises(
        InputError, match=r"conll:1: found 'HEP-B', .* label \(--scheme IO\) or B-HEP \(--scheme IOB2\)"
    ):
        read(tmp_path, text)
    assert read(tmp_path, text, scheme="IO")[0].spans == (Span(0, 1, "HEP-B"), Span(3, 4, "HEP-B"))
    assert read(tmp_path, text, scheme="IOB2")[0].spans == (Span(0, 1, "HEP"), Span(3, 4, "HEP"))
    plain = "a\tVITAMIN-B\nb\tO\nc\tZINC\nd\tZINC\ne\tVITAMIN-B\nf\tO\n"
    assert read(tmp_path, plain)[0].spans[0] == Span(0, 1, "VITAMIN-B")


def test_labels_that_begin_with_the_letters_of_prefixes_stay_labels(tmp_path):
    labels = ["LOC", "LOC", "MISC", "MISC", "EVENT", "EVENT", "BUILDING", "WORK", "O", "O", "O"]
    text = "".join(f"w\t{label}\n" for label in labels)
    assert [span.label for span in read(tmp_path, text)[0].spans] == ["LOC", "MISC", "EVENT", "BUILDING", "WORK"]


def test_other_may_be_a_label_or_stand_for_o(tmp_path):
    text = "a\tPER\nb\tOTHER\nc\tOTHER\nd\tPER\n"
    with pytest.raises(InputError, match=r"'OTHER' may stand for O \(--rename OTHER=O\) or be a label \(--scheme IO\)"):
        read(tmp_path, text, tag_column=2)
    assert [span.label for span in read(tmp_path, text, tag_column=2, scheme="IO")[0].spans] == ["PER", "OTHER", "PER"]
    renamed = LabelMap.parse(None, ["OTHER=O"])
    assert [span.label for span in read(tmp_path, text, tag_column=2, labels=renamed)[0].spans] == ["PER", "PER"]


@pytest.mark.parametrize("sign", ["-", "0", "_", "o", "NONE"])
def test_labels_without_prefixes_may_have_another_sign_for_o(sign, tmp_path):
    text = f"a\tPER\nb\t{sign}\nc\t{sign}\nd\tPER\n"
    report = ReadReport()
    assert read(tmp_path, text, report, tag_column=2)[0].spans == (Span(0, 1, "PER"), Span(3, 4, "PER"))
    assert f"{sign} is read as O" in report.evidence


def test_labels_on_every_token_are_read_from_the_column_that_the_message_asks_for(tmp_path):
    text = "12\tnumber\nHill\troad\nOslo\tcity\n\n7\tnumber\nLake\troad\nRoad\troad\nYork\tcity\n"
    with pytest.raises(InputError, match="name it with --tag-column"):
        read(tmp_path, text)
    assert read(tmp_path, text, tag_column=2)[1].spans == (Span(0, 1, "number"), Span(1, 3, "road"), Span(3, 4, "city"))


def test_a_label_that_comes_once_is_refused_and_the_hint_reads_it(tmp_path):
    text = "a\tO\nb\tO\n\nc\tO\nd\tO\ne\tO\nBo\tNAME\n"
    with pytest.raises(InputError, match=r"conll:7: column 2: .* found 'NAME': --scheme IO reads it as a label"):
        read(tmp_path, text)
    assert read(tmp_path, text, scheme="IO")[1].spans == (Span(3, 4, "NAME"),)


def test_labels_that_come_late_are_read(tmp_path):
    text = "a\tO\n" * 2500 + "\nBo\tNAME\n#Eras\tNAME\nc\tO\nBo\tNAME\n"
    assert read(tmp_path, text)[1].spans == (Span(0, 2, "NAME"), Span(3, 4, "NAME"))


def test_a_tag_among_others_is_no_tag_unless_it_is_renamed_to_o(tmp_path):
    text = "a\tB-PER\nb\tI-PER\nc\tO\nd\tskip\n"
    with pytest.raises(InputError, match=r"conll:4: column 2: .* found 'skip': --rename skip=O reads it as O"):
        read(tmp_path, text)
    for scheme in (None, "IOB2"):
        assert read(tmp_path, text, scheme=scheme, labels=LabelMap.parse(None, ["skip=O"]))[0].spans == (
            Span(0, 2, "PER"),
        )


def test_tags_of_another_way_are_written_in_the_standard_way(tmp_path):
    assert convert(SUFFIXED, None, tmp_path) == "Ada\tB-PER\nGreen\tI-PER\nin\tO\nOslo\tB-LOC\n"
    marked = SUFFIXED.replace("\tO\n", "\t-\n")
    assert convert(marked, "BIOES", tmp_path) == "Ada\tB-PER\nGreen\tE-PER\nin\tO\nOslo\tS-LOC\n"


def test_a_hashtag_is_a_token_in_whatever_way_tags_are_written(tmp_path):
    text = "#Ada\tPER_B\nKing\tPER_I\n#now\t-\nin\t-\n"
    (sentence,) = read(tmp_path, text)
    assert (sentence.words, sentence.spans) == (["#Ada", "King", "#now", "in"], (Span(0, 2, "PER"),))


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


@pytest.mark.parametrize("rest", ["a\tO\n", "# a\n", "1\ta\tO\n"])
def test_lines_without_end_of_a_sentence_are_not_held_in_memory(rest, tmp_path, monkeypatch):
    monkeypatch.setattr(conll, "MOST_LINES", 100)
    head = "sentence\ttoken\ttag\n" if rest.startswith("1") else "a\tB-PER\n\n"
    lines = iter([head, *[rest] * 1000])
    layout = replace(PLAIN, sentence=SentenceColumn(0, "value"), width=3) if rest.startswith("1") else PLAIN
    with pytest.raises(InputError, match="expected a sentence and a blank line behind it within 100 lines, found none"):
        list(read_raw_sentences(lines, layout))
    assert len(list(lines)) > 700


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
    assert list(file.read(ReadReport())) == list(file.read(ReadReport()))
    assert file.tag_reader.scheme is SCHEMES["IOB2"]
    assert file.tag_reader.evidence == "IOB2: all 2 entities begin with B-; BIEO would fit as well, with the same spans"


EVERYTHING = (
    "\ufeff-DOCSTART- -X- O O\r\n\r\n# a  comment\nAda  NNP\tI-NP B-PER \nKing NNP I-NP I-PER\n\n \t\n"
    "   Rome NNP I-NP B-LOC\nand CC O O\n\n-DOCSTART- -X- O O\n\nfell VBD I-VP O"
)


def convert(text: str, to: str | None, folder: Path, **options: object) -> str:
    source, target = folder / "in.conll", folder / "out.conll"
    source.write_text(text, encoding="utf-8", newline="")
    registry.convert(source, target, scheme=to, options=ReadOptions(**options))
    with target.open(encoding="utf-8", newline="") as stream:
        return stream.read()


def test_tokens_without_characters_keep_their_rows(tmp_path):
    text = "1\t北京\tO\n2\t\tB-LOC\n3\t好\tO\n\n1\t\tO\n"
    assert convert(text, None, tmp_path, token_unit="character") == ("1\t北\tO\n2\t京\tO\n3\t\tO\n4\t好\tO\n\n1\t\tO\n")


def test_numbers_that_would_count_sentences_when_repeated_are_refused(tmp_path):
    rows = "7\t北京\tB-LOC\n9\t好看\tO\n"
    with pytest.raises(InputError, match="column 1, repeated for each character, would number sentences: take it out"):
        convert(rows, None, tmp_path, token_unit="character")
    expected = "7\t北\tB-LOC\n7\t京\tI-LOC\n9\t好\tO\n9\t看\tO\n"
    assert convert(f"{rows}\n{rows}", None, tmp_path, token_unit="character") == f"{expected}\n{expected}"


def test_its_own_scheme_gives_the_same_bytes(tmp_path):
    assert convert(EVERYTHING, "IOB2", tmp_path) == EVERYTHING
    assert convert(EVERYTHING, None, tmp_path) == EVERYTHING


def test_another_scheme_changes_the_tags_alone(tmp_path):
    expected = EVERYTHING.replace("I-PER", "E-PER").replace("B-LOC", "S-LOC")
    assert convert(EVERYTHING, "IOBES", tmp_path) == expected


@pytest.mark.parametrize("scheme", SCHEMES)
def test_any_scheme_and_back_gives_the_same_bytes(scheme, tmp_path):
    text = convert(EVERYTHING, scheme, tmp_path)
    assert convert(text, "IOB2", tmp_path, scheme=scheme) == EVERYTHING


def test_ragged_rows_ranges_and_other_layers_are_kept(tmp_path):
    text = "# text = im Haus\n1-2\tim\tX\n1\tin\tO\n2\tdem\tB-LOC\tB-LOC\tann\n3\tHaus\tI-LOC\n\n"
    assert convert(text, "IOE2", tmp_path) == text.replace("dem\tB-LOC", "dem\tI-LOC").replace(
        "Haus\tI-LOC", "Haus\tE-LOC"
    )


def test_tags_that_mean_the_same_keep_their_spelling(tmp_path):
    text = "Ada\tB_PER\nKing\tI_PER\nsings\tO\n"
    assert convert(text, "IOB2", tmp_path) == text
    assert convert(text, "BIEO", tmp_path) == "Ada\tB_PER\nKing\tE-PER\nsings\tO\n"


def test_labels_without_prefixes_are_rewritten(tmp_path):
    text = "Ada\tPER\nKing\tPER\nin\tO\nRome\tLOC\n"
    assert convert(text, None, tmp_path) == text
    assert convert(text, "IOB2", tmp_path) == "Ada\tB-PER\nKing\tI-PER\nin\tO\nRome\tB-LOC\n"


def test_tags_within_features_are_rewritten(tmp_path):
    row = "{}\t{}\t_\tX\t_\t_\t0\troot\t_\t{}\n"
    text = (
        row.format(1, "Ada", "name=B-PER|SpaceAfter=No")
        + row.format(2, "King", "name=I-PER")
        + row.format(3, "sings", "_")
    )
    assert convert(text, "IOB2", tmp_path) == text
    assert convert(text, "BIEO", tmp_path) == text.replace("I-PER", "E-PER")


def test_labels_are_mapped_on_the_way(tmp_path):
    text = "Ada\tB-person\nKing\tI-person\nJazz\tB-OTH\n"
    assert convert(text, None, tmp_path, labels=LabelMap.parse(None, ["person=PER", "OTH=O"])) == (
        "Ada\tB-PER\nKing\tI-PER\nJazz\tO\n"
    )


def test_ill_formed_tags_are_written_as_they_were_read(tmp_path):
    assert convert("a\tO\nb\tI-PER\nc\tB-PER\n", "IOB2", tmp_path) == "a\tO\nb\tB-PER\nc\tB-PER\n"


def test_characters_repeat_the_other_columns_and_count_anew(tmp_path):
    text = "# text = 我爱北京\n1\t我\tO\tPN\n2\t爱\tO\n3\t北京\tB-LOC\tNR"
    assert convert(text, None, tmp_path, token_unit="character") == (
        "# text = 我爱北京\n1\t我\tO\tPN\n2\t爱\tO\n3\t北\tB-LOC\tNR\n4\t京\tI-LOC\tNR\n"
    )


def test_entities_that_io_merges_are_logged(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        assert convert("a\tB-PER\nb\tB-PER\n", "IO", tmp_path) == "a\tI-PER\nb\tI-PER\n"
    assert "1 entity touches another of the same label, which IO cannot tell apart" in caplog.text


def test_compressed_and_encoded_files_stay_so(tmp_path):
    source, target = tmp_path / "in.conll.gz", tmp_path / "out.conll.gz"
    source.write_bytes(gzip.compress("Zoë B-PER\nKöln I-PER\n".encode("latin-1")))
    registry.convert(source, target, scheme="BIEO", options=ReadOptions(encoding="latin-1"))
    assert gzip.decompress(target.read_bytes()) == "Zoë B-PER\nKöln E-PER\n".encode("latin-1")


def test_a_file_may_be_converted_in_place(tmp_path):
    path = tmp_path / "x.conll"
    path.write_text("a B-PER\nb I-PER\n\n" * 5000)
    registry.convert(path, path, scheme="BIEO")
    assert path.read_text() == "a B-PER\nb E-PER\n\n" * 5000


def test_a_bad_row_leaves_no_half_written_file(tmp_path):
    with pytest.raises(InputError, match=r"in\.conll:3: expected at least 2 columns, found 1: 'EU'"):
        convert("Ada O\n\nEU\n", "BIEO", tmp_path, scheme="IOB2")
    assert not (tmp_path / "out.conll").exists()


def tagged(text: str, folder: Path, spans: list[list[Span]], **options: object) -> str:
    source, target = folder / "in.conll", folder / "out.conll"
    source.write_text(text, encoding="utf-8", newline="")
    chosen = ReadOptions(**options)
    read = read_conll(source, replace(chosen, read_tags=False))
    replace_tags(source, target, (s.with_spans(new) for s, new in zip(read, spans, strict=True)), options=chosen)
    return target.read_text(encoding="utf-8")


def test_predictions_take_the_place_of_the_tags(tmp_path):
    text = "# one\nAda NN B-PER\nsings VB O\n\n-DOCSTART- O O\n\nRome NN foo\n"
    expected = "# one\nAda NN O\nsings VB B-X\n\n-DOCSTART- O O\n\nRome NN B-LOC\n"
    assert tagged(text, tmp_path, [[Span(1, 2, "X")], [Span(0, 1, "LOC")]], tag_column=3) == expected


def test_a_file_without_tags_gets_a_column(tmp_path):
    assert tagged("Ada\nsings\n\nRome", tmp_path, [[Span(0, 1, "PER")], []]) == "Ada B-PER\nsings O\n\nRome O"
    assert tagged("1\tAda\t_\n2\tsings\t_\n", tmp_path, [[Span(0, 1, "PER")]]) == "1\tAda\t_\tB-PER\n2\tsings\t_\tO\n"


def test_no_column_is_added_to_rows_of_unequal_width(tmp_path):
    with pytest.raises(
        InputError, match=r"in\.conll:3: expected 1 column, as most rows have, to add one .* 'New York'"
    ):
        tagged("Ada\n\nNew York\nsings\n", tmp_path, [[], []])


def test_predictions_over_characters(tmp_path):
    assert (
        tagged("北京\tO\n好\tO\n", tmp_path, [[Span(0, 2, "LOC")]], token_unit="character")
        == "北\tB-LOC\n京\tI-LOC\n好\tO\n"
    )
    assert tagged("北京\n好\n", tmp_path, [[Span(0, 2, "LOC")]], token_unit="character") == "北 B-LOC\n京 I-LOC\n好 O\n"


def test_the_index_of_characters_in_words_stays(tmp_path):
    text, spans = "科0\tO\n技1\tO\n王0\tO\n", [[Span(2, 3, "PER")]]
    for token_unit in ("word", "character"):
        assert tagged(text, tmp_path, spans, token_unit=token_unit) == "科0\tO\n技1\tO\n王0\tB-PER\n"


def test_sentences_that_are_not_those_of_the_file_are_refused(tmp_path):
    source = tmp_path / "in.conll"
    source.write_text("a O\n\nb O\n")
    sentences = list(read_conll(source))
    for wrong in (sentences[:1], [*sentences, sentences[0]], [sentences[0], Sentence.from_words(["b", "c"])]):
        with pytest.raises(ValueError, match="expected"):
            replace_tags(source, tmp_path / "out.conll", wrong)
    assert not (tmp_path / "out.conll").exists()


WORDS = st.text(st.characters(exclude_characters="\t\n\0", codec="utf-8"), max_size=6)
LABELS = st.sampled_from(["PER", "creative-work", "PER.NOM", "组织", "two words", "OO", "B"])


@st.composite
def sentences(draw: st.DrawFn) -> Sentence:
    words = draw(st.lists(WORDS.filter(lambda word: not DOCUMENT_START.match(word)), min_size=1, max_size=6))
    cuts = sorted(draw(st.sets(st.integers(0, len(words)), max_size=6)))
    spans = [Span(start, end, draw(LABELS)) for start, end in pairwise(cuts) if draw(st.booleans())]
    return Sentence.from_words(words, spans)


@given(
    written=st.lists(sentences(), min_size=1, max_size=4),
    scheme=st.sampled_from([name for name in SCHEMES if name != "IO"]),
    suffix=st.sampled_from(["", ".gz"]),
)
def test_what_is_written_is_read_back(written, scheme, suffix, tmp_path_factory):
    path = tmp_path_factory.mktemp("conll") / f"x.conll{suffix}"
    written = [replace(sentence, document=index // 2) for index, sentence in enumerate(written)]
    Conll().write(path, written, WriteOptions(scheme))
    options = ReadOptions(token_column=1, tag_column=2, separator="tab", scheme=scheme)
    read = list(read_conll(path, options))
    assert [(s.tokens, s.spans, s.document) for s in read] == [(s.tokens, s.spans, s.document) for s in written]


@pytest.mark.parametrize("word", ["a\tb", "a\nb", "\0", "-DOCSTART-", "\ud800"])
def test_tokens_that_could_not_be_read_back_are_refused(word, tmp_path):
    with pytest.raises(InputError, match="cannot"):
        Conll().write(tmp_path / "x.conll", [Sentence.from_words([word])], WriteOptions())


def test_labels_that_could_not_be_read_back_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"'a\\tb' cannot stand in a column"):
        Conll().write(tmp_path / "x.conll", [Sentence.from_words(["a"], [Span(0, 1, "a\tb")])], WriteOptions())
    with pytest.raises(InputError, match="'two words' cannot stand in a column"):
        tagged("Ada O\n", tmp_path, [[Span(0, 1, "two words")]])


def test_labels_without_prefixes_are_mapped_to_such(tmp_path):
    text = "Ada\tPER\nKing\tPER\nmet\tO\nReuters\torganization-media/newspaper\nagain\tO\n"
    for rule, old, new in (
        ("PER=Person", "PER", "Person"),
        ("organization-media/newspaper=ORG", "organization-media/newspaper", "ORG"),
    ):
        converted = convert(text, None, tmp_path, labels=LabelMap.parse(None, [rule]))
        assert converted == text.replace(old, new)
    assert convert("Ada\tPER\nmet\tO\n", "IOB2", tmp_path) == "Ada\tB-PER\nmet\tO\n"


def test_languages_before_tokens_stay(tmp_path):
    text = "en:Ada\tO\nen:sings\tO\n"
    assert tagged(text, tmp_path, [[Span(0, 1, "PER")]]) == "en:Ada\tB-PER\nen:sings\tO\n"
    assert tagged("zh:北京\tO\nzh:好\tO\n", tmp_path, [[Span(0, 2, "LOC")]], token_unit="character") == (
        "zh:北\tB-LOC\nzh:京\tI-LOC\nzh:好\tO\n"
    )


def test_a_byte_order_mark_within_a_file_is_no_text(tmp_path):
    report = ReadReport()
    lines = "-DOCSTART- O\n", "\n", "# one\n", "Ada B-PER\n", "\n", "Rome B-LOC\n"
    text = "".join(f"\ufeff{line}" for line in lines)
    first, second = read(tmp_path, text, report)
    assert ([first.words, second.words], report.comments) == ([["Ada"], ["Rome"]], 1)
    assert report.marked == [3, 4, 6]
    assert convert(text, "BIOES", tmp_path) == text.replace("B-", "S-")


@pytest.mark.parametrize("words", [["\ufeff"], ["\ufeffa", "b"], ["a", "\ufeffb", "\ufeff"]])
def test_tokens_that_begin_with_a_byte_order_mark_are_read_back(words, tmp_path):
    Conll().write(tmp_path / "x.conll", [Sentence.from_words(words, [Span(0, 1, "X")])], WriteOptions())
    (sentence,) = read_conll(tmp_path / "x.conll", report=ReadReport())
    assert sentence.words == words


@pytest.mark.parametrize("padding", [" ", "\u00a0", "\u200b", " \ufeff "])
def test_white_space_around_a_tag_is_no_part_of_its_label(padding, tmp_path, caplog):
    text = f"Ada\tB-PER{padding}\nKing\tI-PER\nsings\t{padding}O\n"
    report = ReadReport()
    (sentence,) = read(tmp_path, text, report)
    assert (sentence.spans, report.padded) == ((Span(0, 2, "PER"),), [1, 3])
    assert convert(text, "IOB2", tmp_path) == text
    with caplog.at_level(logging.WARNING):
        read(tmp_path, text)
    assert caplog.messages[0].endswith("white space around tags is left out: lines 1, 3")


def test_a_nul_character_is_refused_wherever_it_stands(tmp_path):
    message = refusal(tmp_path, "a\tB-X\n" * 20_000 + "b\0\tO\n")
    assert message == "train.conll:20001: expected text, found a NUL character"


ROW = "{}\t{}\t_\tX\t_\t_\t0\troot\t_\t{}\n"
SPACES = {
    "in features": ROW.format(1, "Rome", "SpaceAfter=No|name=B-LOC")
    + ROW.format(2, "!", "name=O")
    + ROW.format(3, "?", "_"),
    "in a comment": "# text = Rome! ?\n1\tRome\tB-LOC\n2\t!\tO\n3\t?\tO\n",
    "in a comment of words of two tokens": "# text = Rome! ?\n1-2\tRome!\t_\n1\tRome\tB-LOC\n2\t!\tO\n3\t?\tO\n",
    "in a comment of another text": "# text = Roma! ?\n"
    + ROW.format(1, "Rome", "SpacesAfter=|name=B-LOC")
    + ROW.format(2, "!", "SpacesAfter=\\n|name=O")
    + ROW.format(3, "?", "name=O"),
    "as in HIPE": "TOKEN\tNE\tMISC\nRome\tB-LOC\tNoSpaceAfter|LED0.00\n!\tO\t_\n?\tO\tEndOfSentence\n",
}


@pytest.mark.parametrize("name", SPACES)
def test_what_a_file_says_of_spaces_is_its_text(name, tmp_path):
    (sentence,) = read(tmp_path, SPACES[name], ReadReport())
    assert text_of(sentence).text == "Rome! ?"
    assert sentence.entities("Rome! ?") == [Entity(0, 4, "LOC", "Rome")]
    registry.convert(tmp_path / "train.conll", tmp_path / "x.jsonl")
    assert '"text": "Rome! ?"' in (tmp_path / "x.jsonl").read_text()


def test_numbers_of_sentences_stay_when_words_become_characters(tmp_path):
    """They count up as those of tokens do."""
    source, target, options = tmp_path / "x.csv", tmp_path / "y.csv", ReadOptions(token_unit="character")
    source.write_text("Sentence,Word,Tag\n1,北京,B-LOC\n1,很,O\n2,上海,B-LOC\n2,也,O\n")
    Conll().rewrite(source, target, options, WriteOptions(), ReadReport())
    assert target.read_text().splitlines()[1:] == [
        *("1,北,B-LOC", "1,京,I-LOC", "1,很,O"),
        *("2,上,B-LOC", "2,海,I-LOC", "2,也,O"),
    ]


@pytest.mark.parametrize("label", ["\u3000PER", "PER\u00a0", "\u2003PER\u2003"])
def test_white_space_around_a_label_is_no_part_of_it(label, tmp_path):
    path = tmp_path / "x.conll"
    path.write_text(f"Ada\tB-{label}\nleft\tO\n", encoding="utf-8")
    assert [one.spans for one in read_conll(path)] == [(Span(0, 1, "PER"),)]


def test_the_message_about_an_endless_tag_is_short(tmp_path):
    path = tmp_path / "x.conll"
    path.write_text(f"Ada\tB-{'9' * 5000}\nleft\tI-PER\n", encoding="utf-8")
    with pytest.raises(InputError, match="'I-PER' may not follow 'B-9999") as error:
        list(read_conll(path, ReadOptions(ill_formed="error")))
    assert len(str(error.value)) < len(str(path)) + 300


def test_any_number_of_blank_lines_is_read_with_flat_memory_and_written_again(tmp_path, monkeypatch):
    monkeypatch.setattr(conll, "_MOST_BLANK", 100)
    monkeypatch.setattr(conll, "MOST_LINES", 150)
    content = (
        "\n" * 1000 + "Ada\tB-PER\n" + "\n" * 1000 + "-DOCSTART-\tO\n" + "\n" * 1000 + "Rome\tB-LOC\n" + "\n" * 1000
    )
    path, target = tmp_path / "train.conll", tmp_path / "new.conll"
    path.write_text(content)
    sentences = list(read_conll(path))
    assert [(one.line, one.words, one.document) for one in sentences] == [(1001, ["Ada"], 0), (3003, ["Rome"], 1)]
    assert max(len(raw.lines) for raw in conll.ColumnFile(path, ReadOptions()).raw_sentences()) <= 202
    replace_tags(path, target, [sentence.with_spans([]) for sentence in sentences])
    assert target.read_text() == content.replace("B-PER", "O").replace("B-LOC", "O")
