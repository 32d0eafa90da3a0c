"""CSV: cells in quotes, a line that names the columns, and a column that says where sentences begin."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.formats.conll import DOCUMENT_START, Conll, read_conll, replace_tags
from ner_lstm_crf.formats.options import ReadOptions, ReadReport, WriteOptions
from ner_lstm_crf.formats.registry import convert, read_sentences, write_sentences
from ner_lstm_crf.runs.data import Data
from ner_lstm_crf.text.annotation import Sentence, Span

TABLE = (
    "Sentence #,Word,POS,Tag\n"
    'Sentence: 1,"so, ""Ada""",NNP,B-per\n'
    ",left,VBD,O\n"
    ',"""","""",O\n'
    "Sentence: 2,Oslo,NNP,B-geo\n"
)


def table(folder: Path, text: str = TABLE, name: str = "x.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", ["x.csv", "x", "x.txt"])
@pytest.mark.parametrize("mark", [",", ";"])
def test_quoted_cells_names_of_columns_and_sentences_are_read(mark, name, tmp_path):
    report = ReadReport()
    path = table(tmp_path, TABLE.replace("so,", "so#").replace(",", mark).replace("so#", f"so{mark}"), name)
    first, second = read_sentences(path, report=report)
    assert (first.words, first.spans) == ([f'so{mark} "Ada"', "left", '"'], (Span(0, 1, "per"),))
    assert (second.words, second.spans) == (["Oslo"], (Span(0, 1, "geo"),))
    assert (report.layout.separator, report.skipped) == ({",": "comma", ";": "semicolon"}[mark], [1])


def test_tags_are_replaced_and_all_else_stays(tmp_path):
    path = table(tmp_path)
    convert(path, tmp_path / "y.csv", scheme="BIOES")
    assert (tmp_path / "y.csv").read_text() == TABLE.replace("B-", "S-")
    spans = [[Span(1, 2, 'a, "b"')], []]
    tagged = (sentence.with_spans(new) for sentence, new in zip(read_conll(path), spans, strict=True))
    replace_tags(path, tmp_path / "z.csv", tagged)
    first, second = read_conll(tmp_path / "z.csv")
    assert [list(sentence.spans) for sentence in (first, second)] == spans


def test_a_file_that_is_named_otherwise_gets_columns_of_its_own(tmp_path):
    path = table(tmp_path)
    convert(path, tmp_path / "y.conll")
    expected = 'so, "Ada"\tB-per\nleft\tO\n"\tO\n\nOslo\tB-geo\n\n'
    assert (tmp_path / "y.conll").read_text() == expected
    replace_tags(path, tmp_path / "z.conll", read_conll(path))
    assert (tmp_path / "z.conll").read_text() == expected
    convert(tmp_path / "y.conll", tmp_path / "z.csv")
    assert (tmp_path / "z.csv").read_text() == (
        'Sentence #,Word,Tag\nSentence: 1,"so, ""Ada""",B-per\n,left,O\n,"""",O\nSentence: 2,Oslo,B-geo\n'
    )


def test_of_commas_and_semicolons_those_count_that_make_a_column_of_tags(tmp_path):
    path = table(tmp_path, "Word;Score;Tag\nAda;0,98;B-PER\nleft;0,5;O\nOslo;1,0;B-LOC\n")
    (sentence,) = read_conll(path)
    assert sentence.words == ["Ada", "left", "Oslo"]


def test_rows_of_empty_cells_are_blank_lines(tmp_path):
    path = table(tmp_path, "Word,Tag\nAda,B-PER\nleft,O\n,\nOslo,B-LOC\n")
    assert [sentence.words for sentence in read_conll(path)] == [["Ada", "left"], ["Oslo"]]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (",Oslo, Norway,NNP,B-geo", "expected 4 columns, as most rows have, found 5: ',Oslo, Norway,NNP,B-geo'"),
        (',"Oslo', "a cell goes over several lines, which is not read: write its line breaks as spaces: ',\"Oslo'"),
    ],
)
def test_commas_without_quotes_and_line_breaks_within_them_are_refused(row, message, tmp_path):
    with pytest.raises(InputError, match=rf"x\.csv:6: {message}"):
        list(read_conll(table(tmp_path, f"{TABLE}{row}\n")))


def test_quotes_between_tabs_are_those_of_csv_where_a_quotation_mark_is_four_of_them(tmp_path):
    rows = '""""\tO\n"a ""b"""\tB-X\nc\tO\n'
    (sentence,) = read_conll(table(tmp_path, rows))
    assert sentence.words == ['"', 'a "b"', "c"]
    (sentence,) = read_conll(table(tmp_path, rows), ReadOptions(separator="tab"))
    assert sentence.words == ['""""', '"a ""b"""', "c"]
    (sentence,) = read_conll(table(tmp_path, '"\tO\n""""\tO\nc\tB-X\n'))
    assert sentence.words == ['"', '""""', "c"]


WORDS = st.text(st.characters(exclude_characters="\t\r\n\0", codec="utf-8"), min_size=1, max_size=6).filter(
    lambda word: not DOCUMENT_START.match(word)
)


@given(sentences=st.lists(st.lists(WORDS, min_size=1, max_size=4), min_size=1, max_size=4))
def test_what_is_written_is_read_back_here_and_by_others(sentences, tmp_path_factory):
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    written = [Sentence.from_words(words, [Span(0, 1, "PER")]) for words in sentences]
    Conll().write(path, written, WriteOptions())
    options = ReadOptions(separator="comma", token_column=2, tag_column=3)
    assert [(one.words, one.spans) for one in read_conll(path, options)] == [(one.words, one.spans) for one in written]
    with path.open(encoding="utf-8", newline="") as file:
        _, *rows = csv.reader(file)
    assert [word for _, word, _ in rows] == [word for words in sentences for word in words]


@pytest.mark.parametrize("name", ["y.parquet", "y.txt", "y.docx.gz"])
def test_a_suffix_of_no_format_is_refused_unless_the_format_is_said(name, tmp_path):
    source, target = table(tmp_path, "Ada\tB-PER\n", "x.conll"), tmp_path / name
    with pytest.raises(InputError, match=r"no format has the suffix .* or say --output-format"):
        convert(source, target)
    with pytest.raises(InputError, match="no format has the suffix"):
        write_sentences(target, read_sentences(source))
    assert not target.exists()
    convert(source, target, output_format="conll")
    assert [sentence.words for sentence in read_conll(target)] == [["Ada"]]


def test_a_file_of_columns_stays_one_under_the_suffix_that_it_has(tmp_path):
    source = table(tmp_path, "Ada B-PER\nleft O\n", "x.txt")
    convert(source, tmp_path / "y.txt", scheme="BIOES")
    assert (tmp_path / "y.txt").read_text() == "Ada S-PER\nleft O\n"


@pytest.mark.parametrize("tags", ["B-PER O", "['B-PER', 'O']"])
def test_whole_sentences_in_a_row_are_named_for_what_they_are(tags, tmp_path):
    path = table(tmp_path, f'text,labels\n"Ada left","{tags}"\n"Bo grew","{tags}"\n')
    with pytest.raises(InputError, match="found the tags of whole sentences in column 2: write JSON lines"):
        list(read_conll(path))


def numbered(sentences: int) -> list[str]:
    return [
        f"{one},{word},{tag}" for one in range(sentences) for word, tag in (("Ada", "B-PER"), ("met", "O"), ("us", "O"))
    ]


@given(st.integers(8, 30), st.randoms(use_true_random=False))
def test_rows_out_of_order_are_told_and_rows_in_order_are_not(tmp_path_factory, sentences, random):
    folder, rows = tmp_path_factory.mktemp("order"), numbered(sentences)
    header = "sentence_id,word,tag"
    in_order, twice, shuffled = ReadReport(), ReadReport(), ReadReport()
    read_sentences(table(folder, "\n".join([header, *rows]) + "\n"), report=in_order)
    read_sentences(table(folder, "\n".join([header, *rows, *rows]) + "\n"), report=twice)  # two documents, both from 0
    assert in_order.returning == twice.returning == []
    # The number of an earlier sentence comes again, and not as the first of the next document.
    mixed = random.sample(rows, len(rows))
    read_sentences(table(folder, "\n".join([header, *mixed]) + "\n"), report=shuffled)
    first, last, expected = list[str](), -1, list[int]()
    for line, (before, row) in enumerate(zip(["", *mixed], mixed, strict=False), 2):
        number = row.split(",")[0]
        if number != before.split(",")[0]:
            if number not in first:
                first.append(number)
            if 0 < first.index(number) <= last:
                expected.append(line)
            last = first.index(number)
    assert shuffled.returning == expected


@pytest.mark.parametrize("rows", ["Ada met/7 us/7 Bo/8 left Oslo/9", "Ada/7 met us/7 Bo/8 left Oslo/9"])
@pytest.mark.parametrize("read_tags", [True, False])
def test_a_row_that_lacks_the_number_of_its_sentence_goes_on_with_the_one_before(rows, read_tags, tmp_path):
    cells = (row.partition("/") for row in rows.split())
    text = "".join(f"{word}\tO{slash and chr(9)}{number}\n" for word, slash, number in cells)
    report, options = ReadReport(), ReadOptions(read_tags=read_tags, tag_column=2)
    path = table(tmp_path, "word\ttag\tsentence_id\n" + text, "x.tsv")
    read = read_sentences(path, options, report=report)
    assert [sentence.words for sentence in read] == [["Ada", "met", "us"], ["Bo", "left"], ["Oslo"]]
    assert report.returning == []


def test_an_empty_word_is_told_where_it_is_read(tmp_path, caplog):
    report = ReadReport()
    path = table(tmp_path, "id,word,tag\n" + "\n".join([*numbered(3), "3,,O", "3,Bo,B-PER"]) + "\n")
    sentences = read_sentences(path, report=report)
    assert report.empty == [11]
    report.warn(path, ReadOptions())
    assert caplog.messages == [f"{path}: 1 token without a character, as NaN is written by pandas: line 11"]
    caplog.clear()
    assert Data(sentences).train == tuple(sentences[:3])
    assert caplog.messages == ["train: 1 sentence has a token without a character: left out"]


ROWS = [("1", "Ada", "B-PER"), ("1", "met", "O"), ("1", "Oslo", "B-LOC"), ("2", "He", "O"), ("2", "left", "O")]


@pytest.mark.parametrize("names", ["doc,text,entity", "id,tok,bio", "s,w,t", "sentence_id,word,tag"])
@pytest.mark.parametrize("mark", [",", ";"])
@pytest.mark.parametrize("says", [False, True])
def test_the_first_row_of_a_table_names_its_columns_whatever_the_names(names, mark, says, tmp_path, caplog):
    lines = [f"sep={mark}"] * says + [names.replace(",", mark), *(mark.join(row) for row in ROWS)]
    path, report = table(tmp_path, "\n".join(lines) + "\n"), ReadReport()
    first, second = read_sentences(path, report=report)
    assert (first.words, first.spans) == (["Ada", "met", "Oslo"], (Span(0, 1, "PER"), Span(2, 3, "LOC")))
    assert second.words == ["He", "left"]
    report.warn(path, ReadOptions())
    assert not caplog.messages
    replaced = tmp_path / "again.csv"
    replace_tags(path, replaced, read_sentences(path))
    assert replaced.read_text() == path.read_text()


def test_a_first_row_that_may_be_data_is_none_of_names(tmp_path):
    # In a file of tabs `EU  entity` may be a token with a wrong tag; in a table the cell may come again.
    with pytest.raises(InputError, match="delete the line if it names the columns"):
        read_sentences(table(tmp_path, "x\tentity\n" + "".join(f"{row[1]}\t{row[2]}\n" for row in ROWS), "x.conll"))
    again = "Ada,entity\n" + "".join(f"{row[1]},{row[2]}\n" for row in ROWS)
    with pytest.raises(InputError, match="delete the line if it names the columns"):
        read_sentences(table(tmp_path, again))


def test_the_form_of_kaggle_is_read_in_its_encoding_and_written_again(tmp_path):
    text = "Sentence #,Word,POS,Tag\nSentence: 1,Zoë,NNP,B-per\n,owns,VBZ,O\n,café,NN,O\n"
    text += "Sentence: 2,Düsseldorf,NNP,B-geo\n"
    path = tmp_path / "ner_dataset.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match="--encoding latin-1"):
        read_sentences(path)
    options = ReadOptions(encoding="latin-1")
    assert [sentence.words for sentence in read_sentences(path, options)] == [["Zoë", "owns", "café"], ["Düsseldorf"]]
    convert(path, tmp_path / "y.csv", options=options, scheme="BIOES")
    assert (tmp_path / "y.csv").read_bytes() == text.replace("B-", "S-").encode("latin-1")
    convert(path, tmp_path / "x.conll", options=options)
    convert(tmp_path / "x.conll", tmp_path / "z.csv", options=options)
    assert (tmp_path / "z.csv").read_text(encoding="latin-1") == "".join(
        f"{line.rpartition(',')[0].rpartition(',')[0]},{line.rpartition(',')[2]}\n" for line in text.splitlines()
    )


def test_syntax_without_entities_is_named_for_what_it_is(tmp_path):
    rows = "1\tAda\tAda\tPROPN\tNNP\tNumber=Sing\t2\tnsubj\t_\t_\n2\tleft\tleave\tVERB\tVBD\t_\t0\troot\t_\t_\n\n"
    (tmp_path / "x.conllu").write_text(rows * 3)
    with pytest.raises(
        InputError, match="no tag column: this looks like CoNLL-U, which has words and their syntax: none"
    ):
        read_sentences(tmp_path / "x.conllu")
