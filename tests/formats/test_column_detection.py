"""The columns of the token and the tag are found in the layouts of published corpora."""

from __future__ import annotations

import pytest

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.formats.column_detection import find_layout
from ner_lstm_crf.formats.columns import ColumnLayout
from ner_lstm_crf.formats.conll import read_conll
from ner_lstm_crf.formats.options import ReadOptions
from ner_lstm_crf.text.annotation import Span


def layout_of(text: str, **options: object) -> ColumnLayout:
    return find_layout(text.splitlines(keepends=True), ReadOptions(**options), "x.conll")


# Each in the columns of a published corpus; the sentences are ours.
LAYOUTS = {
    "two columns, tabs": ("Ada\tB-PER\nsings\tO\n", (0, 1, 2, "tab", False)),
    "two columns, spaces": ("Ada B-PER\nsings O\n", (0, 1, 2, "space", False)),
    "CoNLL-2003": (
        "-DOCSTART- -X- -X- O\n\nOld JJ B-NP O\nRome NNP I-NP I-LOC\nfell VBD B-VP O\n",
        (0, 3, 4, "space", False),
    ),
    "CoNLL-2003 without an entity in sight": (
        "Old JJ B-NP O\ntowns NNS I-NP O\nfell VBD B-VP O\n",
        (0, 3, 4, "space", False),
    ),
    "SEC filings": ("-DOCSTART- -X- O O\n\nThis DT - O\nBank NNP - I-ORG\n", (0, 3, 4, "space", False)),
    "German CoNLL-2003": ("In in APPR I-PC O\nRom Rom NE I-NC I-LOC\n", (0, 4, 5, "space", False)),
    "characters with their offsets": ("北 0 1 n B-LOC\n京 1 2 n I-LOC\n人 2 3 n O\n", (0, 4, 5, "space", False)),
    "AnEM": ("Left\t0\t4\tO\nlung\t5\t9\tB-Organ\n", (0, 3, 4, "tab", False)),
    "Universal NER": ("# text = Ada sings\n1\tAda\tB-PER\t-\tann\n2\tsings\tO\t-\t-\n", (1, 2, 5, "tab", True)),
    "UNER, second layer": ("1\tRoms\tB-LOC\tB-LOC\t-\n2\tTor\tI-LOC\tO\t-\n", (1, 2, 5, "tab", True)),
    "UNER, nested layer": ("1\tRoms\tB-LOC\tB-LOC#O\t-\n2\tTor\tI-LOC\tO#O\t-\n", (1, 2, 5, "tab", True)),
    "UNER, ragged": ("1\tAda\tB-PER\t-\tann\n2\tsings\tO\n3\twell\tO\n4\t.\tO\n", (1, 2, 3, "tab", True)),
    "GermEval": ("#\thttp://x\t[2010]\t\n1\tRoms\tB-LOC\tO\n2\tTor\tI-LOC\tO\n", (1, 2, 4, "tab", True)),
    "GermEval, all outside": ("1\tein\tO\tO\n2\tTor\tO\tO\n", (1, 2, 4, "tab", True)),
    "numbered from 0": ("0\tAda\tB-PER\n1\tsings\tO\n\n0\tHer\tO\n1\tsong\tO\n", (1, 2, 3, "tab", True)),
    "MIT movies": ("B-Actor\tAda\nO\tsings\n", (1, 0, 2, "tab", False)),
    "MultiCoNER": ("# id 7\tdomain=en\nAda _ _ B-PER\nsings _ _ O\n", (0, 3, 4, "space", False)),
    "one kind of entity": ("aspirin\tB\nhelps\tO\n", (0, 1, 2, "tab", False)),
    "segmented Chinese": ("北 B B-LOC\n京 E I-LOC\n人 S O\n", (0, 2, 3, "space", False)),
    "gold and prediction": ("Ada NNP B-PER B-LOC\nsings VB O O\n", (0, 2, 4, "space", False)),
    "underscores in tags": ("Ada B_PER\nsings O\n", (0, 1, 2, "space", False)),
    "numbers as tokens": ("1\tO\n2\tO\n3\tB-NUM\n", (0, 1, 2, "tab", False)),
    "chunks alone": ("Old JJ B-NP\ntowns NNS I-NP\n", (0, 2, 3, "space", False)),
    "hashtags alone": ("#a\tO\n#b\tB-PER\n", (0, 1, 2, "tab", False)),
    "spaces in cells": ("10 000\tO\nNew York\tB-LOC\n", (0, 1, 2, "tab", False)),
    "empty tokens": ("\tO\nAda\tB-PER\n", (0, 1, 2, "tab", False)),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_columns_are_found(name):
    text, (token, tag, width, separator, numbered) = LAYOUTS[name]
    assert layout_of(text) == ColumnLayout(token, tag, width, separator, numbered=numbered)


def test_labels_without_prefixes_are_found():
    layout = layout_of("Ada NNP PERSON\nsings VB O\nin IN O\nRome NNP LOCATION\n")
    assert (layout.tag, layout.prefixless) == (2, True)


INDEXED = "科0\tO\n技1\tO\n，0\tO\n#0\tO\n10\tO\n王0\tB-PER.NAM\n小1\tI-PER.NAM\n明2\tI-PER.NAM\n"


def test_characters_with_their_index_in_words_are_found(tmp_path):
    """Weibo NER."""
    layout = layout_of(INDEXED)
    assert layout == ColumnLayout(0, 1, 2, "tab", has_char_index=True)
    assert [layout.token_in(cell) for cell in ("科0", "#0", "10", "e12", "科", "http")] == [
        "科",
        "#",
        "1",
        "e",
        "科",
        "http",
    ]
    path = tmp_path / "x.conll"
    path.write_text(INDEXED, encoding="utf-8")
    for options in (ReadOptions(), ReadOptions(token_unit="character")):
        (sentence,) = read_conll(path, options)
        assert sentence.words == list("科技，#1王小明")
        assert sentence.spans == (Span(5, 8, "PER.NAM"),)


@pytest.mark.parametrize(
    "text",
    [
        INDEXED.replace("技1", "技2"),
        "科0 O\n技0 O\n王0 B-PER\n",
        "A0 O\nB1 O\nC0 B-PER\n",
        "科0 O\n技术1 O\n王0 B-PER\n",
        "一1 O\n二2 O\n三3 B-PER\n四0 O\n五1 O\n七7 O\n",
    ],
)
def test_what_only_looks_like_an_index_is_text(text):
    layout = layout_of(text)
    assert not layout.has_char_index
    assert layout.token_in("科0") == "科0"


def test_tags_within_the_features_of_conll_u_are_found():
    row = "{}\t{}\t_\tX\t_\t_\t0\troot\t_\t{}\n"
    text = row.format(1, "Ada", "SpaceAfter=No|name=B-PER") + row.format(2, ",", "name=O") + row.format(3, "sings", "_")
    layout = layout_of(text)
    assert layout == ColumnLayout(1, 9, 10, "tab", numbered=True, key="name")
    assert layout.tag_in("SpaceAfter=No|name=B-PER") == "B-PER"
    assert layout.tag_in("_") == layout.tag_in("name=O") == "O"
    assert layout.with_tag("SpaceAfter=No|name=B-PER", "E-PER") == "SpaceAfter=No|name=E-PER"
    assert layout.with_tag("_", "B-PER") == "name=B-PER"
    assert layout.with_tag("SpaceAfter=No", "B-PER") == "SpaceAfter=No|name=B-PER"
    assert layout.with_tag("_", "O") == "_"


def test_columns_asked_for_are_taken():
    text = "1\tRoms\tB-LOC\tB-LOC\t-\n2\tTor\tI-LOC\tO\t-\n"
    assert layout_of(text, tag_column=4).tag == 3
    assert layout_of(text, tag_column=-2).tag == 3
    assert layout_of(text, token_column=3).token == 2
    assert layout_of(text, token_column=3).tag == 3
    assert layout_of("Ada B-PER\nsings O\n", separator="space", token_column=-2) == ColumnLayout(0, 1, 2, "space")


@pytest.mark.parametrize("column", [0, 3, -3, 99])
def test_a_column_that_is_not_there_is_refused(column):
    with pytest.raises(InputError, match=rf"x.conll: --tag-column {column}: expected a column from 1 to 2"):
        layout_of("Ada B-PER\nsings O\n", tag_column=column)


def test_the_token_and_the_tag_must_differ():
    with pytest.raises(InputError, match="cannot both be column 2 of 2"):
        layout_of("Ada B-PER\nsings O\n", token_column=2, tag_column=2)


def test_files_without_tags_are_refused_with_their_first_row():
    with pytest.raises(InputError) as caught:
        layout_of("# a comment\n\nAda NNP\nsings VB\n")
    assert str(caught.value).startswith(
        "x.conll:3: no tag column: none of the 2 columns holds tags such as O and B-PER"
    )
    with pytest.raises(InputError) as caught:
        layout_of("Ada\nsings\n")
    assert str(caught.value) == "x.conll:1: expected at least 2 columns (a token and its tag), found 1: 'Ada'"
    with pytest.raises(InputError, match="found no rows"):
        layout_of("\n \n\t\n")


def test_files_without_tags_are_read_where_tags_do_not_matter():
    assert layout_of("Ada\nsings\n", read_tags=False) == ColumnLayout(0, None, 1, "space")
    assert layout_of("1\tAda\t_\n2\tsings\t_\n", read_tags=False) == ColumnLayout(1, None, 3, "tab", numbered=True)
    assert layout_of("Ada\tB-PER\n", read_tags=False).tag == 1


def test_labels_without_prefixes_are_found_however_rare_entities_are():
    rows = "Ada PER\nmet O\n" + "then O\n" * 9 + "Lu PER\nin O\nRome LOC\nor O\nOslo LOC\n"
    layout = layout_of(rows)
    assert (layout.tag, layout.prefixless) == (1, True)
    assert not layout_of("then O\n" * 9 + "a foo\nb bar\n").prefixless  # broken rows


def test_chunks_are_never_taken_for_tags_to_be_replaced():
    chunked = "Ada NNP B-NP\nsings VBZ B-VP\nwell RB O\n"
    assert layout_of(chunked).tag == 2
    assert layout_of(chunked, read_tags=False).tag is None
    assert layout_of("1 Ada NNP B-NP B-NP\n2 sings VBZ B-VP B-VP\n3 well RB O O\n").tag == 4  # what was predicted
    assert layout_of(chunked, read_tags=False, tag_column=3).tag == 2


def test_a_few_broken_rows_do_not_hide_the_tag_column():
    assert layout_of("Ada B-PER\n" * 9 + "sings\n" + "sings VB\n").tag == 1


def test_languages_before_tokens_are_left_out(tmp_path):
    """WikiANN."""
    path = tmp_path / "x.conll"
    path.write_text("en:Ada\tB-PER\nen::\tO\nen:en:\tO\n")
    (sentence,) = read_conll(path)
    assert sentence.words == ["Ada", ":", "en:"]
    assert layout_of("en:Ada\tB-PER\nfr:chante\tO\n").language == ""
    assert layout_of("re:Ada\tB-PER\n").language == ""


def test_further_columns_of_tags_are_found():
    assert layout_of("Ada NNP B-PER B-LOC\nsings VB O O\n").other_tag_columns == (3,)
    assert layout_of("Ada NNP B-PER B-LOC\nsings VB O O\n", tag_column=4).other_tag_columns == ()
    assert layout_of("Old JJ B-NP O\nRome NNP I-NP I-LOC\n").other_tag_columns == ()
    assert layout_of("Ada O O\nsings O O\n").other_tag_columns == ()


def test_the_first_of_several_wrong_tags_is_named(tmp_path):
    path = tmp_path / "x.conll"
    path.write_text(
        "".join(f"{word} {tag}\n" for word, tag in zip("abcde", ("*", "(GPE)", "(X*", "*)", "O"), strict=True))
    )
    with pytest.raises(InputError, match=r"x.conll:1: .* found '\*'"):
        list(read_conll(path, ReadOptions(tag_column=2)))


@pytest.mark.parametrize(("odd", "has_index"), [(1, True), (5, False)])
@pytest.mark.parametrize("cell", ["技术1", "技9", "技100"])
def test_few_odd_cells_hide_no_index(odd, has_index, cell):
    rows = [f"{character}{index}\tO\n" for index, character in enumerate("科技王")] * 100 + ["明0\tB-PER\n"]
    rows[1 : 1 + 6 * odd : 6] = [f"{cell}\tO\n"] * odd
    assert layout_of("".join(rows)).has_char_index == has_index


def test_marks_belong_to_their_characters():
    assert layout_of(INDEXED).token_in("❤\ufe0f0") == "❤\ufe0f"
    assert layout_of(INDEXED).token_in("e\u03010") == "e\u0301"


def test_chunks_are_none_of_entities_where_some_are_unknown():
    text = "Ada NNP B-NP B-PER\nKing NNP I-NP I-PER\nsings VBZ B-VP O\nin IN B-PP O\nRome NNP B-NP B-LOC\n"
    text += "twice RB B-QP O\n"
    assert layout_of(text).tag == 3
    assert layout_of(text).other_tag_columns == ()


def test_a_token_without_the_language_of_the_others_is_refused(tmp_path):
    path = tmp_path / "x.conll"
    path.write_text("en:a\tB-X\nen:b\tO\n\n" * 1001 + "de:a\tB-X\n")
    with pytest.raises(InputError, match=r"x.conll:3004: expected a token behind 'en:', .*, found 'de:a'"):
        list(read_conll(path))
