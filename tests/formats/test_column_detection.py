"""The columns of the token and the tag are found in the layouts of published corpora."""

from __future__ import annotations

import re

import pytest

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.formats.column_detection import find_layout
from ner_lstm_crf.formats.columns import ColumnLayout
from ner_lstm_crf.formats.conll import read_conll
from ner_lstm_crf.formats.options import ReadOptions, ReadReport
from ner_lstm_crf.formats.registry import convert
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


# Columns that are no words stand beside the tokens; each sentence is ours.
TOKENS = {
    "tag and offsets before the token": "B-Place\t0\t4\tOslo\nO\t5\t9\tgrew\n\nO\t10\t13\tfar\nB-Place\t14\t18\tBonn\n",
    "one offset": "B-Place\t0-4\tOslo\nO\t5-9\tgrew\n\nO\t10-13\tfar\nB-Place\t14-18\tBonn\n",
    "an offset with a colon": "0:4\tOslo\tB-Place\n5:9\tgrew\tO\n\n10:13\tfar\tO\n14:18\tBonn\tB-Place\n",
    "the number of the sentence": "41 Oslo B-Place\n41 grew O\n41 a O\n\n42 far O\n42 Bonn B-Place\n",
    "the name of the document": "news/a Oslo B-Place\nnews/a grew O\nnews/a a O\n\nnews/b far O\nnews/b Bonn B-Place\n",
    "numbers with a name": "s1.t1 Oslo B-Place\ns1.t2 grew O\n\ns2.t1 far O\ns2.t2 Bonn B-Place\n",
    "numbers that never start anew": "17 Oslo B-Place\n18 grew O\n\n19 far O\n20 Bonn B-Place\n",
    "probabilities": "0.98 Oslo B-Place\n1e-05 grew O\n\n0.5 far O\n1.0 Bonn B-Place\n",
    "nothing": "_ Oslo B-Place\n_ grew O\n\n_ far O\n_ Bonn B-Place\n",
    "empty cells": "\tOslo\tB-Place\n\tgrew\tO\n\n\tfar\tO\n\tBonn\tB-Place\n",
    "parts of speech": "NNP Oslo B-Place\nVBD grew O\n\nRB far O\nNNP Bonn B-Place\n",
    "tag, part of speech": "B-Place NNP Oslo\nO VBD grew\n\nO RB far\nB-Place NNP Bonn\n",
    "lemmas, in small letters": "oslo Oslo B-Place\ngrow grew O\n\nfar far O\nbonn Bonn B-Place\n",
    "lemmas, longer than offsets say": "Oslo 0 4 Oslo B-Place\ngrow 5 9 grew O\n\n"
    "away 10 13 far O\nBonn 14 18 Bonn B-Place\n",
    "behind the tag": "Oslo B-Place 0.9 12\ngrew O 0.5 3\n\nfar O 1.0 4\nBonn B-Place 0.7 9\n",
    "named": "lemma word tag\nOslo Oslo B-Place\ngrow grew O\n\nfar far O\nBonn Bonn B-Place\n",
    "named, with an index": "\tner\tForm\n0\tB-Place\tOslo\n1\tO\tgrew\n\n2\tO\tfar\n3\tB-Place\tBonn\n",
    "named in CoNLL-U Plus": "# global.columns = LEMMA FORM NER\nOslo\tOslo\tB-Place\ngrow\tgrew\tO\n\n"
    "away\tfar\tO\nBonn\tBonn\tB-Place\n",
}


@pytest.mark.parametrize("name", TOKENS)
def test_tokens_are_words_and_no_numbers_names_of_documents_or_parts_of_speech(name, tmp_path):
    path = tmp_path / "x.conll"
    path.write_text(TOKENS[name])
    read = [(sentence.words[-2:], sentence.spans) for sentence in read_conll(path)]
    assert [words for words, _ in read] in ([["Oslo", "grew"], ["far", "Bonn"]], [["grew", "a"], ["far", "Bonn"]])
    assert [spans for _, spans in read] == [(Span(0, 1, "Place"),), (Span(1, 2, "Place"),)]


def test_a_column_of_few_kinds_is_no_token_and_one_that_may_be_is_refused(tmp_path):
    rows = [
        f"k{'abcdefghijklmnopqrst'[number % 7]} {'abcdefghij'[number % 10]}{'klmnopqrst'[number // 10]} O"
        for number in range(90)
    ]
    assert layout_of("\n".join([*rows, "x Oslo B-LOC"])).token == 1
    rows = [
        f"k{'abcdefghijklmnopqrst'[number % 17]} {'abcdefghij'[number % 10]}{'klm'[number // 30]} O"
        for number in range(90)
    ]
    text = "\n".join([*rows, "x Oslo B-LOC"])
    with pytest.raises(
        InputError, match=r"columns 1 and 2 may both hold the tokens: name one with --token-column \(1 or 2\)"
    ):
        layout_of(text)
    assert [layout_of(text, token_column=column).token for column in (1, 2)] == [0, 1]


@pytest.mark.parametrize("cell", ["_", "", "978"])
def test_a_file_without_tokens_is_refused_unless_their_column_is_named(cell):
    text = f"{cell}\tB-LOC\n" * 3
    with pytest.raises(
        InputError, match=f"no column of tokens: column 1 holds '{cell}' in row after row; .* --token-column 1"
    ):
        layout_of(text)
    assert layout_of(text, token_column=1).token == 0


FEATURES = "{}\t{}\t_\tX\t_\t{}\t0\troot\t_\t{}\n"


@pytest.mark.parametrize(
    "cells",
    [
        [("_", "Tag=B-PER"), ("_", "Tag=I-PER"), ("_", "Tag=O")],
        [("_", "SpaceAfter=No entity=B-PER"), ("_", "entity=I-PER"), ("_", "entity=O")],
        [("_", "Gloss=a;b;ent=B-PER"), ("_", "ent=I-PER;"), ("_", "ent=O")],
        [("Case=Nom|iob=B-PER", "_"), ("iob=I-PER", "SpaceAfter=No"), ("iob=O", "_")],
        [("Case=Nom iob=B-PER", "_"), ("iob=I-PER", "SpaceAfter=No"), ("_", "_")],
    ],
)
def test_tags_in_features_are_found_under_any_name_and_however_they_are_separated(cells, tmp_path):
    path = tmp_path / "x.conllu"
    rows = (
        FEATURES.format(number, word, *pair)
        for number, (word, pair) in enumerate(zip(["Ada", "King", "sings"], cells, strict=True), 1)
    )
    path.write_text("".join(rows))
    (sentence,) = read_conll(path)
    assert (sentence.words, sentence.spans) == (["Ada", "King", "sings"], (Span(0, 2, "PER"),))
    convert(path, tmp_path / "y.conllu", scheme="BIEO")
    assert (tmp_path / "y.conllu").read_text() == path.read_text().replace("I-PER", "E-PER")


def test_of_two_features_with_different_tags_one_has_to_be_named(tmp_path):
    path = tmp_path / "x.conllu"
    path.write_text(FEATURES.format(1, "Ada", "_", "a=B-PER|b=B-LOC") + FEATURES.format(2, "sings", "_", "a=O|b=O"))
    with pytest.raises(InputError, match="the features a and b hold different tags: choose one with --tag-key"):
        list(read_conll(path))
    for key, label in (("a", "PER"), ("b", "LOC")):
        (sentence,) = read_conll(path, ReadOptions(tag_key=key))
        assert sentence.spans == (Span(0, 1, label),)
    with pytest.raises(InputError, match=r"--tag-key c: no cell of the first rows has such a feature \(found: a, b\)"):
        list(read_conll(path, ReadOptions(tag_key="c")))


def test_a_feature_with_labels_without_prefixes_is_read_when_it_is_named(tmp_path):
    path = tmp_path / "x.conllu"
    path.write_text(FEATURES.format(1, "Ada", "_", "SpaceAfter=No|Kind=PER") + FEATURES.format(2, "sings", "_", "_"))
    with pytest.raises(InputError, match=r"--tag-column.*, or the feature with --tag-key \(Kind\)$"):
        list(read_conll(path))
    (sentence,) = read_conll(path, ReadOptions(tag_key="Kind"))
    assert sentence.spans == (Span(0, 1, "PER"),)


def test_tokens_without_the_feature_that_all_others_have_are_reported(tmp_path):
    path, report = tmp_path / "x.conllu", ReadReport()
    rows = [("Ada", "name=B-PER"), ("King", "nameI-PER"), ("sings", "name=O")]
    path.write_text("".join(FEATURES.format(number, word, "_", cell) for number, (word, cell) in enumerate(rows, 1)))
    list(read_conll(path, report=report))
    assert report.untagged == [2]


@pytest.mark.parametrize(
    ("text", "hint", "options", "span"),
    [
        ("One\tO\n" * 7 + "Bo\tNAME\n", "--scheme IO reads it", {"scheme": "IO"}, Span(7, 8, "NAME")),
        ("One\tO\n" * 3000 + "Bo\tNAME\n", "--scheme IO reads it", {"scheme": "IO"}, Span(3000, 3001, "NAME")),
        (
            "1\thouse\nHill\troad\nOslo\tcity\n",
            r"--tag-column \(2 could hold labels",
            {"tag_column": 2},
            Span(0, 1, "house"),
        ),
        (
            "Bo NAME\nin O\nSan Remo TOWN\nor O\n" + "a TOWN\nb O\n" * 4,
            "--tag-column -1 reads",
            {"tag_column": -1},
            Span(0, 1, "NAME"),
        ),
        (
            "Bo B-NAME 1\nin O 2\nOslo O\n",
            "--tag-column 2 reads 'O' as its tag$",
            {"tag_column": 2},
            Span(0, 1, "NAME"),
        ),
        ("Bo B-NAME\nin O\nOslo B-TOWN north\n", "--tag-column 2 reads", {"tag_column": 2}, Span(0, 1, "NAME")),
    ],
)
def test_a_hint_that_is_followed_reads_the_file(text, hint, options, span, tmp_path):
    path = tmp_path / "x.conll"
    path.write_text(text)
    with pytest.raises(InputError, match=hint):
        list(read_conll(path))
    (sentence,) = read_conll(path, ReadOptions(**options), report=ReadReport())
    assert sentence.spans[0] == span


def test_labels_with_spaces_are_read_where_every_longer_row_has_one(tmp_path):
    path = tmp_path / "x.conll"
    text = "Ada -X- _ B-Lead Singer\nKing -X- _ I-Lead Singer\nin -X- _ O\nOslo -X- _ B-Town\n"
    path.write_text(text)
    (sentence,) = read_conll(path)
    assert sentence.spans == (Span(0, 2, "Lead Singer"), Span(3, 4, "Town"))
    assert list(read_conll(path, ReadOptions(tag_column=-1))) == [sentence]
    convert(path, tmp_path / "y.conll", scheme="BIEO")
    assert (tmp_path / "y.conll").read_text() == text.replace("I-Lead", "E-Lead")
    path.write_text(text + "Bo -X- _ B-Lead\n")
    with pytest.raises(
        InputError,
        match=r"x\.conll:1: expected 4 columns, as most rows have, found 5: .* --tag-column 4 reads 'B-Lead'",
    ):
        list(read_conll(path))


def test_the_last_column_is_that_of_each_row(tmp_path):
    path, report = tmp_path / "x.conll", ReadReport()
    path.write_text("Ada NNP B-PER\nsings VBZ loudly O\nOslo NNP B-LOC\n")
    (sentence,) = read_conll(path, ReadOptions(tag_column=-1), report=report)
    assert (sentence.words, sentence.spans) == (["Ada", "sings", "Oslo"], (Span(0, 1, "PER"), Span(2, 3, "LOC")))
    assert report.ragged == [2]
    convert(path, tmp_path / "y.conll", scheme="BIOES", options=ReadOptions(tag_column=-1))
    assert (tmp_path / "y.conll").read_text() == path.read_text().replace("B-", "S-")


@pytest.mark.parametrize(
    ("text", "skipped"),
    [
        ("TOKEN\tNE-COARSE\tNE-FINE\nAda\tB-pers\tb-pers.ind\nsings\tO\tO\n", [1]),
        ("ID:1\nAda\tB-pers\nsings\tO\n\nID:2\nOslo\tB-pers\n", [1, 5]),
        ("IMGID: 1\nAda B-pers\nsings O\n\nIMGID: 2\nOslo B-pers\n", [1, 5]),
        ('<doc id="1" name="a b">\nAda B-pers\nsings O\n</doc>\n<doc id="2">\nOslo B-pers\n</doc>\n', [1, 4, 5, 7]),
        ("<s>\nAda B-pers\nsings O\n</s>\n<s>\nOslo B-pers\n</s>\n", [1, 4, 5, 7]),
        ("word;tag\nAda;B-pers\nsings;O\n\nword;tag\nOslo;B-pers\n", [1, 5]),
        ("== a.txt ==\nAda B-pers\nsings O\n\n== b.txt ==\nOslo B-pers\n", [1, 5]),
        ("% from a.txt\nAda B-pers\nsings O\n-----\nOslo B-pers\n", [1, 4]),
        (";; a\nAda\tB-pers\nsings\tO\n*** p. 2 ***\nOslo\tB-pers\n", [1, 4]),
    ],
)
def test_lines_that_are_no_rows_are_left_out_and_reported(text, skipped, tmp_path):
    path, report = tmp_path / "x.conll", ReadReport()
    path.write_text(text)
    sentences = list(read_conll(path, report=report))
    assert [sentence.words for sentence in sentences] == [["Ada", "sings"], ["Oslo"]][: len(skipped)]
    assert report.skipped == skipped
    convert(path, tmp_path / "y.conll", scheme="BIOES")
    assert (tmp_path / "y.conll").read_text() == text.replace("B-", "S-")


@pytest.mark.parametrize("text", ["5 O\n% O\nAda PER\n% PER\n", "--- O\n// O\n;; O\n** O\nAda B-PER\n== O\n"])
def test_a_sign_that_is_a_token_is_no_mark(text, tmp_path):
    path, report = tmp_path / "x.conll", ReadReport()
    path.write_text(text)
    assert [words for sentence in read_conll(path, report=report) for words in sentence.words] == text.split()[::2]
    assert report.skipped == []


@pytest.mark.parametrize(
    "text", ["word\tB-X\nAda\tO\n", "Word\tPER\nAda\tPER\nsings\tO\n", "Term O\nword O\nAda B-X\n"]
)
def test_a_first_row_with_a_tag_is_no_line_of_names(text, tmp_path):
    path, report = tmp_path / "x.conll", ReadReport()
    path.write_text(text)
    list(read_conll(path, report=report))
    assert (report.skipped, report.tokens) == ([], len(text.splitlines()))


SENTENCES = {
    "numbers of sentences": "1\tAda\tB-PER\n1\tsings\tO\n2\tOslo\tB-LOC\n2\tgrew\tO\n",
    "named, the rest empty": "Sentence #,Word,Tag\nSentence: 1,Ada,B-PER\n,sings,O\nSentence: 2,Oslo,B-LOC\n,grew,O\n",
    "named, anew in documents": "doc,sent_id,word,ner\na,1,Ada,B-PER\na,1,sings,O\na,2,Oslo,B-LOC\na,2,grew,O\n"
    "b,1,far,O\nb,1,off,O\n",
    "numbers of tokens": "1\tAda\tB-PER\n2\tsings\tO\n1\tOslo\tB-LOC\n2\tgrew\tO\n",
    "ends that are marked": "Ada\tB-PER\t_\nsings\tO\tEndOfSentence\nOslo\tB-LOC\t_\ngrew\tO\t_\n",
}


@pytest.mark.parametrize("name", SENTENCES)
def test_a_column_says_where_sentences_begin_in_a_file_without_blank_lines(name, tmp_path):
    path = tmp_path / "x.conll"
    path.write_text(SENTENCES[name])
    assert [sentence.words for sentence in read_conll(path)][:2] == [["Ada", "sings"], ["Oslo", "grew"]]
    convert(path, tmp_path / "y.conll", scheme="BIOES")
    assert (tmp_path / "y.conll").read_text() == SENTENCES[name].replace("B-", "S-")


def test_labels_with_spaces_are_read_though_most_rows_have_one():
    layout = layout_of("Ada B-Lead Singer\nKing I-Lead Singer\nBo B-Lead Singer\nin O\n")
    assert (layout.tag, layout.width, layout.tag_is_rest) == (1, 2, True)
    layout = layout_of("Ada B-PER Ada_King\nKing I-PER Ada_King\nBo B-PER Bo_Blue\nin O\n")  # names of pages
    assert not layout.tag_is_rest


def test_a_first_row_that_alone_holds_no_tag_may_name_the_columns():
    with pytest.raises(
        InputError, match=r"x\.conll:1: column 2: .* 'Etikett': delete the line if it names the columns"
    ):
        layout_of("Etwas\tEtikett\nAda\tB-PER\nsings\tO\nin\tO\nRome\tB-LOC\n")


def test_ranges_and_empty_nodes_hide_no_column_of_tags():
    layout = layout_of(
        "1-2\tim\t_\n1\tin\tO\n2\tdem\tO\n2.1\tder\t_\n3\tRom\tB-LOC\n4-5\tzum\t_\n4\tzu\tO\n5\tdem\tO\n"
    )
    assert (layout.token, layout.tag, layout.numbered) == (1, 2, True)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Ada Green flew to Oslo.\n", "running text: 'Ada Green"),
        ("Ada left.\n\nI like O and B.\nHe said: O\nI go O\nIn a B I go\n", "running text: 'Ada left"),
        ('id,text,label\n1,Ada left,"[{""start"":0,""end"":3}]"\n2,Bo,[]\n', "the entities of whole texts in column 3"),
        ('id\ttext\tlabel\n1\tAda left\t"[{""start"":0}]"\n', "the entities of whole texts in column 3"),
    ],
)
def test_texts_are_named_for_what_they_are(text, found):
    with pytest.raises(InputError, match=f"x.conll:1: expected one token and its tag a row, found {re.escape(found)}"):
        layout_of(text)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("Ada\tNNP\t(PER\nGreen\tNNP\tPER)\nsings\tVBZ\t*\n", "name it with --tag-column$"),
        ("Dear\t-\nBo\tNAME\nand\t-\nAda\tNAME\n", r"--tag-column \(2 could hold labels without prefixes\)$"),
    ],
)
def test_columns_of_words_or_parts_of_speech_are_never_said_to_hold_labels(text, hint):
    with pytest.raises(InputError, match=hint):
        layout_of(text)


def test_empty_cells_are_read_as_O_in_a_file_without_one(tmp_path):
    path, report = tmp_path / "x.tsv", ReadReport()
    path.write_text("Ada\tB-PER\nsings\t\nin\t\nOslo\tB-LOC\n")
    assert [sentence.spans for sentence in read_conll(path, report=report)] == [(Span(0, 1, "PER"), Span(3, 4, "LOC"))]
    assert report.notation_words == "an empty tag is read as O"
    path.write_text("Ada\tO\nsings\tO\nin\tO\nOslo\tO\n\nHer\t\n")
    with pytest.raises(InputError, match=r"x\.tsv:6: column 2: expected a tag such as O or B-PER, found ''"):
        list(read_conll(path))


def test_labels_in_a_column_of_their_own_are_not_left_out_silently(tmp_path):
    path = tmp_path / "x.tsv"
    path.write_text("Ada\tPN\tB\tPER\nGreen\tPN\tI\tPER\nsings\tVB\tO\t_\nOslo\tPN\tB\tLOC\n")
    with pytest.raises(
        InputError, match=r"column 3 holds prefixes alone, and column 4 their labels: .* --tag-column 3"
    ):
        list(read_conll(path))
    assert [sentence.spans for sentence in read_conll(path, ReadOptions(tag_column=3))] == [
        (Span(0, 2, ""), Span(3, 4, ""))
    ]
    path.write_text("aspirin\tNN\tB\t1\nhelps\tVB\tO\t2\n")
    assert [sentence.spans for sentence in read_conll(path)] == [(Span(0, 1, ""),)]


def test_rows_with_spaces_among_those_with_tabs_are_refused_with_the_option_that_reads_them(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("Ada\tB-PER\nsings O\nOslo\tB-LOC\n")
    with pytest.raises(InputError, match=r"x\.txt:2: .* found 1: 'sings O'; --separator space"):
        list(read_conll(path))
    (sentence,) = read_conll(path, ReadOptions(separator="space"))
    assert sentence.spans == (Span(0, 1, "PER"), Span(2, 3, "LOC"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('"Ada"\t"B-PER"\n"sings"\t"O"\n', ["Ada", "sings"]),
        ('"\tO\nAda\tB-PER\n"\tO\n', ['"', "Ada", '"']),
    ],
)
def test_quotes_between_tabs_are_those_of_a_table_where_every_cell_has_them(text, words, tmp_path):
    path = tmp_path / "x.tsv"
    path.write_text(text)
    assert [sentence.words for sentence in read_conll(path)] == [words]


def test_numbers_of_sentences_and_tokens_are_no_ranges():
    layout = layout_of("#text=Ada left\n1-1\tAda\tB-PER\n1-2\tleft\tO\n\n2-1\tOslo\tB-LOC\n2-2\tgrew\tO\n")
    assert (layout.token, layout.tag, layout.numbered) == (1, 2, False)


def test_webanno_is_named_for_what_it_is():
    with pytest.raises(InputError, match=r"found WebAnno TSV 3\.3: export the annotation as CoNLL 2003"):
        layout_of("#FORMAT=WebAnno TSV 3.3\n\n#Text=Ada\n1-1\t0-3\tAda\tPER[1]\t\n")


def test_numbers_of_thousands_of_digits_are_cells_like_any_other(tmp_path):
    number = "1" * 5000
    assert layout_of(f"{number}\tAda\tB-PER\n{number}\tsings\tO\n\n{number}\tOslo\tO\n").token == 1
    assert layout_of(f"1\tAda\tB-PER\n{number}\tsings\tO\n").token == 1
    assert layout_of(f"{number}-{number}\tAda\tB-PER\n0-3\tsings\tO\n").token == 1


def test_a_row_of_millions_of_characters_is_refused(tmp_path):
    with pytest.raises(
        InputError, match=r"x\.conll:2: expected a row of at most 1,000,000 characters, found one of 3,000,002"
    ):
        layout_of("Ada O\n" + "a b" * 1_000_000 + " O\n\n")
    path = tmp_path / "x.conll"
    path.write_text("Ada O\n" * 5000 + "a b" * 1_000_000 + " O\n")
    with pytest.raises(InputError, match=r"x\.conll:5001: expected a row of at most 1,000,000 characters"):
        list(read_conll(path))


def test_the_last_column_of_each_row_may_hold_words_that_become_characters(tmp_path):
    path, options = tmp_path / "x.conll", ReadOptions(token_column=-1, tag_column=1, token_unit="character")
    path.write_text("B-LOC\tn\t北京\nO\t好\nO\tv\t吧\n")
    convert(path, tmp_path / "y.conll", options=options)
    assert (tmp_path / "y.conll").read_text() == "B-LOC\tn\t北\nI-LOC\tn\t京\nO\t好\nO\tv\t吧\n"


@pytest.mark.parametrize(
    ("text", "hint", "mended"),
    [
        ("Etwas\tDing\nBo\tB-X\nin\tO\na\tO\nb\tO\n", "delete the line", "Bo\tB-X\nin\tO\na\tO\nb\tO\n"),
        ("Bo B-X\nNew York here\nb O\n", "need tabs between columns", "Bo\tB-X\nNew York\tO\nb\tO\n"),
        ('Bo,B-X\n"New\nYork",O\nb,O\n', "write its line breaks as spaces", 'Bo,B-X\n"New York",O\nb,O\n'),
    ],
)
def test_a_file_that_is_mended_as_the_message_says_is_read(text, hint, mended, tmp_path):
    path = tmp_path / "x.csv" if "," in text else tmp_path / "x.conll"
    path.write_text(text)
    with pytest.raises(InputError, match=hint):
        list(read_conll(path))
    path.write_text(mended)
    (sentence,) = read_conll(path)
    assert sentence.spans == (Span(0, 1, "X"),)


def test_a_long_name_of_a_feature_makes_no_long_message(tmp_path):
    path = tmp_path / "x.conll"
    path.write_text(f"Ada\tname=B-PER|{'n' * 5000}=B-LOC\nmet\tname=O|{'n' * 5000}=B-LOC\n" * 3)
    with pytest.raises(InputError, match="hold different tags: choose one with --tag-key") as refused:
        list(read_conll(path))
    assert len(refused.value.message) < 300


@pytest.mark.parametrize("text", ["B O\n- O\n", "O B\nO -\n", "B O O\n- O O\n", "I O\nO O\n"])
def test_words_that_could_be_tags_are_words_where_all_else_is_o(text, tmp_path):
    path = tmp_path / "x.conll"
    path.write_text(text)
    (sentence,) = read_conll(path)
    assert "".join(sentence.words) in ("B-", "IO")
    assert not sentence.spans


def test_a_file_whose_only_wide_rows_are_ranges_is_refused(tmp_path):
    path = tmp_path / "x.conll"
    path.write_text("1-8\t42-46\tthat\t_\n1-9\t47-50\tthe\t_\n1")
    with pytest.raises(InputError, match=r"x\.conll:3: no tag column: .* the first row is '1'"):
        list(read_conll(path))
