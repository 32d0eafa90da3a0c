from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, strategies as st

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.table import SEPARATORS, column_of_texts, read_texts

CELL = st.text(st.sampled_from('ab ,;\t"\n\r😀é'), max_size=12)


def lines_of(content: str) -> list[str]:
    return content.splitlines(keepends=True) if "\r" not in content else io.StringIO(content, newline="\n").readlines()


@given(st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=6), st.sampled_from(sorted(SEPARATORS)))
def test_rows_are_those_that_were_written(rows: list[tuple[str, str, str]], separator: str) -> None:
    written = io.StringIO(newline="")
    writer = csv.writer(written, delimiter=SEPARATORS[separator], quoting=csv.QUOTE_ALL)
    writer.writerows([("id", "body", "date"), *rows])
    lines = io.StringIO(written.getvalue(), newline="\n").readlines()
    read = list(read_texts(lines, "body", separator))
    assert read == [{"id": one, "text": text, "date": date} for one, text, date in rows]
    assert list(read_texts(lines[:1] + lines[1:], "2", separator))[1:] == [
        {"column 1": one, "text": text, "column 3": date} for one, text, date in rows
    ]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_the_separator_is_detected(mark: str) -> None:
    lines = ["id,text\n", "1,Ada sings\n", '2,"Ada, in; Rome\t"\n']
    lines = [line.replace(",", mark, 1) for line in lines]
    assert [row["text"] for row in read_texts(lines, "text")] == ["Ada sings", "Ada, in; Rome\t"]
    assert column_of_texts(lines) == "text"


@pytest.mark.parametrize(
    ("lines", "column"),
    [
        (["Ada, in Rome\n", "Lu sings.\n", "1, 2, 3\n"], None),
        (["text\n", "Ada, in Rome\n", "Lu, who sings, is here.\n"], "text"),
        (["1,Ada in Rome\n", "2,Lu sings well\n"], "2"),
        (["id,title,body text\n", "1,Ada now,Ada is here now\n", "2,A b,Lu sings well now\n"], "body text"),
        (['"Ada, in Rome"\n', '"Lu, there"\n'], "1"),
    ],
)
def test_the_column_of_texts(lines: list[str], column: str | None) -> None:
    assert column_of_texts(lines) == column
    if column is not None:
        assert "Lu" in [*read_texts(lines, column)][-1]["text"]


@pytest.mark.parametrize(
    ("content", "column", "line", "said"),
    [
        ("id,text\n1,a\n2,b,c\n", "text", 3, "expected 2 cells as in the first row, found 3"),
        ("id,text\n1,a\n", "txt", 1, "no column is called 'txt', did you mean text?"),
        ("text,text\n1,a\n", "text", 1, "two columns are called 'text'"),
        ("text,body\n1,a\n", "body", 1, "two columns are called 'text'"),
        ("id,text\n1,a\n", "0", None, "expected a column from 1 to 2"),
        ('id,text\n1,"a\nb\n', "text", 3, "double quotes"),
        ('id,text\n1,"a" b\n', "text", 2, "double quotes"),
    ],
)
def test_mistakes(content: str, column: str, line: int | None, said: str) -> None:
    with pytest.raises(InputError, match=said.replace("?", r"\?")) as raised:
        list(read_texts(content.splitlines(keepends=True), column))
    assert raised.value.line == line


def test_long_cells_are_read_and_the_limit_of_others_stays() -> None:
    before, text = csv.field_size_limit(), "a " * 200_000
    assert [row["text"] for row in read_texts(["id,text\n", f"1,{text}\n"], "text")] == [text]
    assert csv.field_size_limit() == before


def test_a_table_of_nothing() -> None:
    assert list(read_texts([], "text")) == []
    assert list(read_texts(["id,text\n"], "text")) == []
