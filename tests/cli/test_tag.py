from __future__ import annotations

import gzip
import html
import io
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from ner_lstm_crf import read_sentences
from ner_lstm_crf.cli import output, tag
from ner_lstm_crf.explanation import style
from ner_lstm_crf.tagging.tagger import Tagger
from ner_lstm_crf.tags.scheme import get_scheme
from tests.cli.conftest import Files, Run

TEXT = "Ada Brandt met Port Alba today. Milo saw Oslo again."
ROWS = "0\t10\tPER\tAda Brandt\n15\t24\tLOC\tPort Alba\n32\t36\tPER\tMilo\n41\t45\tLOC\tOslo\n"


def numbered(number: int, rows: str = ROWS) -> str:
    return "".join(f"{number}\t{row}\n" for row in rows.splitlines())


# Texts on the command line


def test_a_text_gives_a_line_per_entity(model: Path, run: Run) -> None:
    result = run("tag", "--model", model, TEXT)
    assert (result.code, result.out, result.err) == (0, ROWS, "")


def test_several_texts_are_numbered(model: Path, run: Run) -> None:
    assert run("tag", "--model", model, TEXT, "", TEXT).out == numbered(1) + numbered(3)


def test_a_text_as_json(model: Path, run: Run) -> None:
    record = json.loads(run("tag", "--model", model, "--output-format", "jsonl", TEXT).out)
    assert record["text"] == TEXT
    assert [entity["label"] for entity in record["entities"]] == ["PER", "LOC", "PER", "LOC"]
    assert all(TEXT[entity["start"] : entity["end"]] == entity["text"] for entity in record["entities"])


def test_scores_are_probabilities_and_the_least_chooses(model: Path, write, run: Run) -> None:
    def entities(*options: str) -> list[dict[str, object]]:
        found = json.loads(run("tag", "--model", model, "--output-format", "jsonl", *options, TEXT).out)
        return cast("list[dict[str, object]]", found["entities"])

    scores = [cast("float", entity["score"]) for entity in entities()]
    assert all(0 < score <= 1 for score in scores)
    between = sorted(scores)[1]
    assert [entity["score"] for entity in entities("--min-score", str(between - 1e-4))] == [
        score for score in scores if score >= between
    ]
    posterior = entities("--decoding", "posterior", "--min-score", "0.01")
    assert len(posterior) >= len(scores)
    path = write("news.jsonl", run("tag", "--model", model, "--output-format", "jsonl", TEXT).out)
    converted = run("convert", path, "-", "--output-format", "jsonl")
    assert [entity["score"] for entity in json.loads(converted.out)["entities"]] == scores
    assert "score" not in converted.err


@pytest.mark.parametrize("name", ["text", "conll", "html", "colours"])
def test_scores_stand_beside_entities(name: str, model: Path, run: Run) -> None:
    record = json.loads(run("tag", "--model", model, "--output-format", "jsonl", TEXT).out)
    scores = [f"{entity['score']:.3f}" for entity in record["entities"]]
    out = run("tag", "--model", model, "--output-format", name, "--scores", TEXT).out
    if name == "conll":
        rows = [line.split("\t") for line in out.splitlines() if line]
        assert {len(row) for row in rows} == {3}
        assert [f"{float(row[2]):.3f}" for row in rows if row[1].startswith("B-")] == scores
        assert all((row[1] == "O") == (row[2] == "_") for row in rows)
    elif name == "text":
        rows = [line.split("\t") for line in out.splitlines()]
        assert [row[3] for row in rows] == scores
        assert ["\t".join([*row[:3], *row[4:]]) + "\n" for row in rows] == ROWS.splitlines(keepends=True)
    else:
        assert all(score in out for score in scores)


def test_columns_get_a_column_of_scores_and_are_read_again(model: Path, files: Files, tmp_path: Path, run: Run) -> None:
    plain, scored = tmp_path / "plain.conll", tmp_path / "scored.conll"
    assert run("tag", "--model", model, "--input", files.test, "--output", plain).code == 0
    assert run("tag", "--model", model, "--input", files.test, "--output", scored, "--scores").code == 0
    rows = [line.split() for line in scored.read_text(encoding="utf-8").splitlines()]
    assert [" ".join(row[:-1]) for row in rows] == [
        " ".join(line.split()) for line in plain.read_text(encoding="utf-8").splitlines()
    ]
    cells = {row[-1] for row in rows if row} - {"_"}
    assert cells
    assert all(0 < float(cell) <= 1 for cell in cells)
    assert [one.spans for one in read_sentences(scored)] == [one.spans for one in read_sentences(plain)]


@pytest.mark.parametrize("name", ["inline", "jsonl"])
def test_scores_without_a_place_are_refused(name: str, model: Path, write, run: Run) -> None:
    path = write("tokens.jsonl", '{"tokens": ["Ada", "met", "Milo"]}\n')
    result = run("tag", "--model", model, "--input", path, "--output-format", name, "--scores")
    assert f"--scores: sentences written as {name} have no place for scores: leave it out" in result.complaint
    assert run("tag", "--model", model, "--input", path, "--output-format", name).code == 0


def test_a_text_as_columns(model: Path, run: Run) -> None:
    result = run(
        "tag", "--model", model, "--output-format", "conll", "--output-scheme", "bioes", "Ada Brandt met Oslo today."
    )
    assert result.out == "Ada\tB-PER\nBrandt\tE-PER\nmet\tO\nOslo\tS-LOC\ntoday\tO\n.\tO\n\n"


@pytest.mark.parametrize("name", ["text", "jsonl", "conll"])
@pytest.mark.parametrize("text", ["", " \n\t "])
def test_a_text_of_nothing(name: str, text: str, model: Path, run: Run) -> None:
    result = run("tag", "--model", model, "--output-format", name, text)
    assert result.code == 0
    assert result.out == ("" if name != "jsonl" else json.dumps({"text": text, "entities": []}) + "\n")


def test_a_tab_within_an_entity_does_not_make_another_cell(model: Path, run: Run) -> None:
    rows = [row.split("\t") for row in run("tag", "--model", model, "Milo saw Port\nalba again.").out.splitlines()]
    assert all(len(row) == 4 for row in rows)
    assert ["0", "4", "PER", "Milo"] in rows
    split = [row.split("\t") for row in run("tag", "--model", model, "Milo Fox\tAda Brandt").out.splitlines()]
    assert all(row[3] in ("Milo", "Milo Fox", "Ada Brandt", "Ada") for row in split)


# Files and pipes


def test_a_text_file_line_by_line(model: Path, write, tmp_path: Path, run: Run) -> None:
    path = write("news.txt", f"{TEXT}\r\n\r\n{TEXT}")
    expected = numbered(1) + numbered(3)
    assert run("tag", "--model", model, "--input", path).out == expected
    assert run("tag", "--model", model, "--input", path, "--output", tmp_path / "out.txt").out == ""
    assert (tmp_path / "out.txt").read_text() == expected
    run("tag", "--model", model, "--input", path, "--output", tmp_path / "out.jsonl.gz")
    records = [json.loads(line) for line in gzip.decompress((tmp_path / "out.jsonl.gz").read_bytes()).splitlines()]
    assert [len(record["entities"]) for record in records] == [4, 0, 4]
    assert [record["text"] for record in records] == [TEXT, "", TEXT]


@pytest.mark.parametrize("piped", [True, False])
def test_lists_of_tokens(piped: bool, model: Path, write, run: Run) -> None:
    tokens = TEXT.replace(".", " .").split()
    records = [{"id": 1, "tokens": tokens, "ner_tags": [0] * len(tokens)}, {"tokens": []}, {"tokens": tokens}]
    content = "".join(json.dumps(record) + "\n" for record in records)
    path = write("news.jsonl", content)
    given = ["--input", "-", "--input-format", "jsonl"] if piped else ["--input", path]
    stdin = content.encode() if piped else None
    spans = Tagger.load(model).tag_tokens(tokens)
    tags, found = get_scheme("IOB2").encode(spans, len(tokens)), len(spans)
    out = run("tag", "--model", model, *given, stdin=stdin).out
    assert [json.loads(line) for line in out.splitlines()] == [
        {"id": 1, "tokens": tokens, "ner_tags": tags},
        {"tokens": [], "ner_tags": []},
        {"tokens": tokens, "ner_tags": tags},
    ]
    rows = [
        row.split("\t")
        for row in run("tag", "--model", model, *given, "--output-format", "text", stdin=stdin).out.splitlines()
    ]
    assert [row[0] for row in rows] == ["1"] * found + ["3"] * found
    assert all(" ".join(tokens)[int(row[1]) : int(row[2])] == row[4] for row in rows)
    columns = run("tag", "--model", model, *given, "--output-format", "conll", stdin=stdin).out
    assert columns == 2 * ("".join(f"{token}\t{tag}\n" for token, tag in zip(tokens, tags, strict=True)) + "\n")


def test_tags_of_something_else_are_not_written_over(model: Path, write, run: Run) -> None:
    record = {"tokens": ["Milo", "fell"], "tags": ["NNP", "VBD"], "labels": ["news"], "ner": ["S-LOC", "O"]}
    path = write("news.dat", json.dumps(record) + "\n")
    result = run("tag", "--model", model, "--input", path, "--output-format", "jsonl", "--output-scheme", "BIOES")
    assert json.loads(result.out) == {**record, "ner": ["S-PER", "O"]}
    assert "news.dat: taken for JSON lines" in result.err
    path = write("news.jsonl", json.dumps({"tokens": ["Milo", "fell"], "labels": []}) + "\n")
    assert json.loads(run("tag", "--model", model, "--input", path).out) == {
        "tokens": ["Milo", "fell"],
        "labels": [],
        "ner_tags": ["B-PER", "O"],
    }
    path = write("news.jsonl", '{"text": "Milo"}\n')
    assert (
        "--output-scheme BIOES: texts written as jsonl have no tags: leave it out"
        in run("tag", "--input", path, "--output-scheme", "BIOES").complaint
    )


def test_a_file_of_tokens_holds_tokens_alone(model: Path, write, run: Run) -> None:
    path = write("news.jsonl", '{"tokens": ["Milo"]}\n{"text": "Milo"}\n')
    assert (
        "news.jsonl:2: expected a list of tokens under the key 'tokens'"
        in run("tag", "--model", model, "--input", path).complaint
    )
    path = write("news.jsonl", '{"text": "Milo"}\n{"tokens": ["Milo"]}\n')
    assert (
        "news.jsonl:2: expected a string under the key 'text'"
        in run("tag", "--model", model, "--input", path).complaint
    )


def test_a_pipe(model: Path, run: Run) -> None:
    result = run(
        "tag", "--model", model, "--input", "-", "--output-format", "jsonl", stdin=f"{TEXT}\n{TEXT}\n".encode()
    )
    assert [len(json.loads(line)["entities"]) for line in result.out.splitlines()] == [4, 4]
    assert run("tag", "--model", model, "--input", "-").out == ""


@pytest.fixture
def pipe(tmp_path: Path) -> Callable[[str], Path]:
    """Makes a named pipe with this content."""

    def make(content: str) -> Path:
        path = tmp_path / "pipe"
        os.mkfifo(path)
        Thread(target=path.write_text, args=(content,), daemon=True).start()
        return path

    return make


def test_columns_through_a_pipe_of_a_name(model: Path, pipe: Callable[[str], Path], run: Run) -> None:
    assert "Oslo X B-LOC" in run("tag", "--model", model, "--input-format", "conll", "--input", pipe(COLUMNS)).out


def test_broken_columns_through_pipes_are_named_by_what_they_are(
    model: Path, pipe: Callable[[str], Path], run: Run
) -> None:
    arguments = ["tag", "--model", model, "--input-format", "conll", "--input"]
    path = pipe("Milo O\nsaw\n")
    assert f"{path}:2: expected at least 2 columns" in run(*arguments, path).complaint
    assert "standard input:2: expected at least 2 columns" in run(*arguments, "-", stdin=b"Milo O\nsaw\n").complaint
    warned = run(*arguments, "-", "--tag-column", 2, stdin=b"Milo O\nsaw O\nOslo O X\n")
    assert "warning: standard input: rows with fewer or more columns than most, which have 2: line 3" in warned.err


def test_texts_become_documents_of_columns(model: Path, run: Run) -> None:
    result = run(
        "tag", "--model", model, "--input", "-", "--output-format", "conll", stdin=b"Milo saw Oslo again.\nWe left.\n"
    )
    assert result.out.startswith("Milo\tB-PER\nsaw\tO\nOslo\tB-LOC\n")
    assert "\n\n-DOCSTART-\tO\n\nWe\t" in result.out


def test_json_lines_keep_what_else_they_hold(model: Path, write, run: Run) -> None:
    lines = [{"id": 7, "text": TEXT, "entities": [{"start": 0, "end": 3, "label": "X"}], "é": None}, {"text": ""}]
    path = write("in.jsonl", "\n".join(map(json.dumps, lines)) + "\n\n")
    first, second = (json.loads(line) for line in run("tag", "--model", model, "--input", path).out.splitlines())
    assert {key: value for key, value in first.items() if key != "entities"} == {"id": 7, "text": TEXT, "é": None}
    assert [entity["text"] for entity in first["entities"]] == ["Ada Brandt", "Port Alba", "Milo", "Oslo"]
    assert second == {"text": "", "entities": []}


COLUMNS = "# a comment\n1  Ada  X B-ORG  left\n2  Brandt X I-ORG right\n3 met X O -\n4 Oslo X O -\n\n"


def test_columns_keep_all_but_the_tags(model: Path, write, run: Run) -> None:
    path = write("in.conll", COLUMNS)
    result = run("tag", "--model", model, "--input", path)
    expected = COLUMNS.replace("B-ORG", "B-PER").replace("I-ORG", "I-PER").replace("Oslo X O", "Oslo X B-LOC")
    assert result.out == expected
    piped = run("tag", "--model", model, "--input", "-", "--input-format", "conll", stdin=COLUMNS.encode())
    assert piped.out == expected
    run("tag", "--model", model, "--input", path, "--output", path, "--output-scheme", "BILOU")  # in its own place
    assert path.read_text() == expected.replace("I-PER", "L-PER").replace("B-LOC", "U-LOC")


def test_a_file_of_tokens_alone_gets_a_column(model: Path, write, run: Run) -> None:
    path = write("tokens.conll", "Milo\nsaw\nOslo\n")
    assert run("tag", "--model", model, "--input", path).out == "Milo B-PER\nsaw O\nOslo B-LOC\n"


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("x.csv", 'id,text\n1,"Milo saw Oslo again"\n2,Ada Brandt met Milo\n'),
        ("x.tsv", "Ada Brandt\tOslo\nTom Harju\tGraz\nRosa Lind\tPort Alba\n"),
        ("x.csv", "text\nAda Brandt met Graz, twice, again.\nMilo saw Oslo, today.\nMilo saw Oslo\n"),
        ("x.csv", "Ada Brandt, who met Milo, left.\nMilo saw Oslo again.\nMilo saw Graz, twice.\n"),
        ("x.csv", '"Ada Brandt, who met Milo, left."\n"Milo saw Oslo again."\n'),
        ("x.conll", "Ada Brandt met Milo\nMilo saw Oslo again, and Graz.\nMilo left.\n"),
    ],
)
def test_a_table_of_texts_is_refused_and_the_hint_tags_its_texts(
    name: str, rows: str, model: Path, write, run: Run
) -> None:
    path = write(name, rows)
    complaint = run("tag", "--model", model, "--input", path).complaint
    assert "expected a token a row, found texts: to tag them, say --" in complaint
    hint = shlex.split(re.findall(r"say (--.*?) \(", complaint)[0])
    tagged = run("tag", "--model", model, "--input", path, *hint)
    assert tagged.code == 0
    assert "error" not in tagged.err
    assert "PER\tAda Brandt\n" in tagged.out
    described = run("inspect", path).complaint
    assert "found texts in column" in described or "found running text" in described
    assert described.endswith("say tag --input")


def test_the_rows_of_a_table_stay_with_their_entities(model: Path, write, run: Run) -> None:
    rows = 'id;body;date\n7;"Milo saw Oslo again; ""Ada""\nor so";May\n8;;June\n'
    path = write("t.csv", rows)
    arguments = ["tag", "--model", model, "--input", path, "--text-column"]
    first, second = map(json.loads, run(*arguments, "body", "--output-format", "jsonl").out.splitlines())
    assert list(first) == ["id", "text", "date", "entities"]
    assert (first["id"], first["text"], first["date"]) == ("7", 'Milo saw Oslo again; "Ada"\nor so', "May")
    assert first["entities"]
    assert all(first["text"][one["start"] : one["end"]] == one["text"] for one in first["entities"])
    assert second == {"id": "8", "text": "", "date": "June", "entities": []}
    assert run(*arguments, "body").out.startswith("1\t0\t")
    numbered = run(*arguments, "-2", "--output-format", "jsonl")
    assert json.loads(numbered.out.splitlines()[1])["column 1"] == "7"
    assert "warning: the first row is read as a text: id, body, date" in numbered.err
    piped = run("tag", "--model", model, "--text-column", "body", "--separator", "semicolon", stdin=rows.encode())
    assert piped.out == run(*arguments, "body").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--text-column", "bodi"],
            "t.csv:1: no column is called 'bodi', did you mean body? (the first row has id, body)",
        ),
        (["--text-column", "3"], "t.csv: --text-column: expected a column from 1 to 2, or from -2 to -1, got 3"),
        (["--text-column", "id"], "t.csv:3: expected 2 cells as in the first row, found 3"),
        (["--text-column", "id", "--input-format", "text"], "--text-column: expected --input with a table"),
        (["--text-column", "id", "--separator", "space"], "--separator space: expected tab, comma, semicolon"),
        (["--text-column", "id", "--tag-column", "2"], "--tag-column: only column files have columns"),
        (["--text-column", "id", "--output", "o.csv"], "o.csv: a CSV file of tokens does not keep the rows"),
    ],
)
def test_mistakes_about_tables(arguments: list[str], said: str, model: Path, write, run: Run) -> None:
    path = write("t.csv", "id,body\n1,Milo\n2,Milo, again\n")
    assert said in run("tag", "--model", model, "--input", path, *arguments).complaint


def test_a_column_that_is_added_gets_a_name(model: Path, write, tmp_path: Path, run: Run) -> None:
    for name, mark in (("n.csv", ","), ("n.csv", ";"), ("n.tsv", "\t"), ("n.conll", " ")):
        path, out = write(name, "id,word\n1,Milo\n2,saw\n".replace(",", mark)), tmp_path / f"out-{name}"
        assert run("tag", "--model", model, "--input", path, "--output", out).err == ""
        assert out.read_text() == "id,word,tag\n1,Milo,B-PER\n2,saw,O\n".replace(",", mark)
    for name, mark in (("w.csv", ","), ("w.tsv", "\t")):
        path = write(name, "word\nMilo\nsaw\n")
        result = run("tag", "--model", model, "--input", path)
        assert (result.out, result.err) == ("word,tag\nMilo,B-PER\nsaw,O\n".replace(",", mark), "")
    path = write("g.conllup", "# global.columns = ID FORM\n1\tMilo\n2\tsaw\n")
    shown = run("tag", "--model", model, "--input", path, "--input-format", "conll").out
    assert shown == "# global.columns = ID FORM tag\n1\tMilo\tB-PER\n2\tsaw\tO\n"
    converted = write("t.csv", "word,tag\nMilo,B-PER\nsaw,O\n")
    assert run("convert", converted, tmp_path / "u.csv").said == ""  # all lines are kept


# Several files, standard input, wrapped lines, files of nothing


def test_all_files_are_tagged_and_named(model: Path, write, tmp_path: Path, run: Run) -> None:
    one, two, empty = write("one.txt", f"{TEXT}\n\n"), write("two.txt", "Milo left."), write("none.txt", "")
    for inputs in (["--input", one, empty, two], ["--input", one, "--input", empty, "--input", two]):
        result = run("tag", "--model", model, *inputs)
        expected = [f"{one}\t{row}" for row in numbered(1).splitlines()] + [f"{two}\t1\t0\t4\tPER\tMilo"]
        assert result.out.splitlines() == expected
        assert result.err == f"warning: {empty}: nothing to tag: it is empty\n"
    lines = run("tag", "--model", model, "--input", one, two, "--output-format", "jsonl").out.splitlines()
    assert [json.loads(line)["file"] for line in lines] == [str(one), str(one), str(two)]
    page = tmp_path / "page.html"
    run("tag", "--model", model, "--input", one, two, "--output", page)
    pieces = re.findall(r"<h2>(.*?)</h2>|<p [^>]*>(.*?)</p>", page.read_text())
    assert [bool(heading) for heading, _ in pieces] == [True, False, False, True, False]
    assert [heading for heading, _ in pieces if heading] == [str(one), str(two)]
    coloured = run("tag", "--model", model, "--input", one, two, "--output-format", "colours").out
    assert [line for line in coloured.splitlines() if line.endswith(":")] == [f"{one}:", f"{two}:"]
    tokens = write("a.jsonl", '{"tokens": ["Milo"]}\n'), write("b.jsonl", '{"file": "own", "tokens": ["Oslo"]}\n')
    lines = run("tag", "--model", model, "--input", *tokens).out.splitlines()
    assert [json.loads(line)["file"] for line in lines] == [str(tokens[0]), "own"]


def test_files_that_do_not_go_together(model: Path, files: Files, write, run: Run) -> None:
    text, tokens = write("a.txt", "Milo"), write("b.jsonl", '{"tokens": ["Milo"]}\n')
    texts = write("c.jsonl", '{"text": "Milo"}\n')
    tagging = ["tag", "--model", model, "--input"]
    assert f"{text} is text, {tokens} jsonl: expected one format" in run(*tagging, text, tokens).complaint
    complaint = run(*tagging, texts, tokens).complaint
    assert f"{tokens}: expected texts as in the files before, found sentences of tokens" in complaint
    assert "several column files do not become one" in run(*tagging, files.test, files.dev).complaint
    assert "this file is the output as well" in run(*tagging, text, text, "--output", text).complaint
    assert text.read_text() == "Milo"
    for arguments in (["--input", "-", "-"], ["Milo", "-"]):
        assert "- is standard input: expected it once" in run("tag", "--model", model, *arguments).complaint
    assert "files of these names exist: say --input" in run("tag", "--model", model, text, texts).complaint


@pytest.mark.parametrize("arguments", [[], ["-"], ["--input", "-"]])
def test_a_pipe_is_read_without_being_named(arguments: list[str], model: Path, run: Run) -> None:
    result = run("tag", "--model", model, *arguments, stdin=f"{TEXT}\n".encode())
    assert (result.out, result.err) == (numbered(1), "")


def test_a_terminal_is_not_waited_for(model: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tag, "is_terminal", lambda _: True)
    assert "either texts or --input" in run("tag", "--model", model).complaint
    assert run("tag", "--model", model, "-", stdin=TEXT.encode()).out == numbered(1)


@pytest.mark.parametrize("name", ["in.txt", "in.jsonl", "in.conll", "in", "-"])
@pytest.mark.parametrize("output", ["out.txt", "out.jsonl", "out.html", "out.conll"])
def test_a_file_of_nothing_gives_nothing(name: str, output: str, model: Path, write, tmp_path: Path, run: Run) -> None:
    for content in ["", "\n \n"] if name in ("in.conll", "in.jsonl") else [""]:
        path = "-" if name == "-" else write(name, content)
        result = run("tag", "--model", model, "--input", path, "--output", tmp_path / output)
        assert result.code == 0
        assert "nothing to tag: it is empty" in result.err
        written = (tmp_path / output).read_text()
        assert ("</html>" in written) == output.endswith("html")
        assert "PER" not in written


WRAPPED = (
    "Milo, who had seen a great deal of the world, met Ada\n"
    "Brandt in the morning and left for the town of Port\n"
    "Alba, where Ines and the other people of the company\n"
    "had been for quite some time. Then they went to Oslo.\n"
)


def test_wrapped_lines(model: Path, write, run: Run) -> None:
    path = write("mail.txt", f"{WRAPPED}\r\n \r\nAda\r\nBrandt met Milo.\n")
    joined = WRAPPED.strip().replace("\n", " "), "Ada  Brandt met Milo."
    result = run("tag", "--model", model, "--input", path, "--wrapped", "--output-format", "jsonl")
    records = [json.loads(line) for line in result.out.splitlines()]
    assert tuple(record["text"] for record in records) == joined
    assert "Port Alba" in [entity["text"] for entity in records[0]["entities"]]
    assert result.err == ""
    lines = write("mail.jsonl", json.dumps({"text": WRAPPED}))
    (record,) = map(json.loads, run("tag", "--model", model, "--input", lines, "--wrapped").out.splitlines())
    assert record["text"] == WRAPPED
    assert "Port\nAlba" in [entity["text"] for entity in record["entities"]]
    assert all(WRAPPED[one["start"] : one["end"]] == one["text"] for one in record["entities"])
    shown = run("tag", "--model", model, "--wrapped", "Ada Brandt met Port\nAlba.")
    assert "PER\tAda Brandt\n" in shown.out


def test_lines_that_look_wrapped_are_said_to_be_once(model: Path, write, run: Run) -> None:
    hint = "the lines look wrapped, and each is read by itself: --wrapped reads their ends as spaces\n"
    path = write("mail.txt", WRAPPED * 100)
    assert run("tag", "--model", model, "--input", path).err == hint
    assert run("tag", "--model", model, "--input", path, "--wrapped").err == ""
    assert run("tag", "--model", model, "--input", write("s.txt", f"{TEXT}\n" * 30)).err == ""


def test_wrapped_is_for_texts(model: Path, files: Files, run: Run) -> None:
    said = "--wrapped: expected texts"
    assert said in run("tag", "--model", model, "--input", files.test, "--wrapped").complaint


@pytest.mark.parametrize("longest", [5, 7, 64])
def test_long_paragraphs_come_in_pieces(longest: int, model: Path, write, run: Run, monkeypatch) -> None:
    paragraphs = ["Milo saw\nOslo again", "Ada", "x" * 7, "Milo\nmet\nTom Harju .", "a" * 64]
    path = write("in.txt", "\n\n".join(paragraphs))
    monkeypatch.setattr(tag, "_LONGEST_PIECE", longest)
    out = run("tag", "--model", model, "--input", path, "--wrapped", "--output-format", "jsonl").out
    assert [json.loads(line)["text"] for line in out.splitlines()] == [one.replace("\n", " ") for one in paragraphs]


def test_one_window_after_another_in_order(model: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ner_lstm_crf.tagging.predictor.CHUNK_TOKENS", 20)
    texts = [TEXT if number % 3 else f"Milo saw Graz {number}." for number in range(40)]
    result = run("tag", "--model", model, "--input", "-", "--output-format", "jsonl", stdin="\n".join(texts).encode())
    records = [json.loads(line) for line in result.out.splitlines()]
    assert [record["text"] for record in records] == texts
    assert [len(record["entities"]) for record in records] == [4 if number % 3 else 2 for number in range(40)]


def test_lower_precision(model: Path, files: Files, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    quickest = "ner_lstm_crf.model.cpu.quickest_dtype"
    monkeypatch.setattr(quickest, lambda: torch.bfloat16)
    assert run("tag", "--model", model, "--precision", "bfloat16", TEXT).out == ROWS
    assert run("evaluate", model, files.test, "--precision", "bfloat16", "--json").code == 0
    monkeypatch.setattr(quickest, lambda: torch.float32)
    said = "expected a processor that multiplies bfloat16"
    assert said in run("tag", "--model", model, "--precision", "bfloat16", TEXT).complaint
    assert said in run("evaluate", model, files.test, "--precision", "bfloat16").complaint


# Mistakes


def test_a_model_that_is_not_there(run: Run) -> None:
    assert (
        "nowhere: expected the directory of a model, or 'en' or 'zh'"
        in run("tag", "--model", "nowhere", "text").complaint
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["text", "--input", "f.txt"], "either texts or --input"),
        (["text", "--input-format", "text"], "--input-format is for --input FILE"),
        (["--model", "twice", "text"], "--model was given twice"),
        (["--input", "f.inline"], "f.inline: this text is marked already"),
        (["text", "--output-scheme", "BIX", "--output-format", "conll"], "expected a tag scheme"),
        (["--input", "missing.txt"], "missing.txt: no such file"),
        (["--input", "missing.conll"], "missing.conll: no such file"),
        (["bad \udcff bytes"], "UTF-8"),
        (["text", "--output-scheme", "BIOES"], "--output-scheme BIOES: texts written as text have no tags"),
        (["--input", "-", "--token-column", "2"], "--token-column: only column files have columns, the input is text"),
        (["text", "--separator", "tab", "--output-format", "conll"], "--separator: only column files have columns"),
        (["text", "--output", "no/such/folder/out.txt"], "cannot be written"),
        (["text", "--min-score", "90"], "expected a number from 0 to 1, got '90'"),
        (["text", "--decoding", "beam"], "expected one of viterbi, posterior, got 'beam'"),
    ],
)
def test_mistakes(arguments: list[str], said: str, model: Path, run: Run) -> None:
    assert said in run("tag", "--model", model, *arguments).complaint


@pytest.mark.parametrize("name", ["x", "x.md"])
def test_a_file_of_unknown_format(name: str, model: Path, write, run: Run) -> None:
    path = write(name, TEXT)
    assert (
        f"{path}: expected a suffix or tags that tell the format"
        in run("tag", "--model", model, "--input", path).complaint
    )
    assert run("tag", "--model", model, "--input", path, "--input-format", "text").out == numbered(1)


def test_another_output_is_one_object(model: Path, write, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_counts(tagged: tag.Tagged, path: str) -> None:
        sys.stdout.write(" ".join(str(len(entities)) for _, entities in tagged.entities()) + "\n")

    monkeypatch.setitem(tag.OUTPUTS, "counts", tag.Output("counts", (".counts",), write_counts))
    assert run("tag", "--model", model, "--output-format", "counts", TEXT, "", TEXT).out == "4 0 4\n"
    path = write("x.jsonl", json.dumps({"tokens": ["Milo", "saw", "Oslo", "again", "."]}))
    assert run("tag", "--model", model, "--input", path, "--output", "x.counts").out == "2\n"


def test_chunks_are_kept(model: Path, write, run: Run) -> None:
    path = write("chunked.conll", "# three cells\nMilo NNP B-NP\nsaw VBD B-VP\n# # B-NP\nOslo NNP B-NP\n")
    expected = "# three cells\nMilo NNP B-NP B-PER\nsaw VBD B-VP O\n# # B-NP O\nOslo NNP B-NP B-LOC\n"
    assert run("tag", "--model", model, "--input", path).out == expected


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"text": 3}\n', ":1: expected a string under the key 'text', found a number"),
        (b'["text"]\n', ":1: expected one JSON object per line, found a string"),
        (b'{"text": "a"\n', ":1: expected one JSON object per line, found no valid JSON"),
        (b'{"text": ' + b"[" * 100_000, ":1: expected one JSON object per line, found values nested too deeply"),
        (b'{"text": "caf\xe9"}\n', "0xe9"),
        (b"\x00\x01\x02", "binary"),
    ],
)
def test_a_broken_file_of_records(content: bytes, said: str, model: Path, write, tmp_path: Path, run: Run) -> None:
    path = write("in.jsonl", content)
    complaint = run("tag", "--model", model, "--input", path, "--output", tmp_path / "out.jsonl").complaint
    assert str(path) in complaint
    assert said in complaint
    assert not (tmp_path / "out.jsonl").exists()


def test_an_array_is_tagged_as_lines_are(model: Path, write, run: Run) -> None:
    lines = b'{"text": "Ada met Lu in Oslo."}\n{"text": "Rome", "id": 2}\n'
    array = b"[" + b",\n".join(lines.splitlines()) + b"]"
    tagged = [
        run("tag", "--model", model, "--input", write(name, content)).out
        for name, content in (("a.jsonl", lines), ("b.json", array))
    ]
    assert tagged[0] == tagged[1] != ""


def test_wrong_bytes_in_a_pipe(model: Path, run: Run) -> None:
    arguments = ["tag", "--model", model, "--input", "-"]
    assert "standard input: byte 0xe9 is not valid utf-8" in run(*arguments, stdin=b"caf\xe9\n").complaint
    assert run(*arguments, "--encoding", "latin-1", stdin=b"caf\xe9 Milo saw Oslo\n").code == 0
    assert "unknown encoding 'latin-99'" in run(*arguments, "--encoding", "latin-99", stdin=b"Milo\n").complaint


def test_a_byte_order_mark_in_a_pipe_is_no_text(model: Path, run: Run) -> None:
    for name, line in (("text", TEXT), ("jsonl", json.dumps({"text": TEXT}))):
        arguments = ["tag", "--model", model, "--input", "-", "--input-format", name, "--output-format", "jsonl"]
        record = json.loads(run(*arguments, stdin=f"\ufeff{line}\n".encode()).out)
        assert record["text"] == TEXT
        assert record["entities"][0]["start"] == 0


def test_half_a_surrogate_pair_is_written_as_it_was_read(model: Path, write, run: Run) -> None:
    path = write("in.jsonl", '{"text": "\\ud83d Oslo", "é": "\\udc00"}\n')
    result = run("tag", "--model", model, "--input", path)
    assert (result.code, result.err) == (0, "")
    record = json.loads(result.out)
    assert (record["text"], record["é"]) == ("\ud83d Oslo", "\udc00")
    assert [entity["text"][-4:] for entity in record["entities"]] == ["Oslo"]
    assert "half of a surrogate pair" in run("tag", "--model", model, "--input", path, "--output-format", "conll").err


def test_suffixes_tell_the_format_as_everywhere(model: Path, write, tmp_path: Path, run: Run) -> None:
    path = write("in.bieo", "Milo\tO\nsaw\tO\nOslo\tO\n")
    assert run("tag", "--model", model, "--input", path).out == "Milo\tB-PER\nsaw\tO\nOslo\tB-LOC\n"
    lines = write("in.jsonl", json.dumps({"text": TEXT}))
    run("tag", "--model", model, "--input", lines, "--output", tmp_path / "out.txt")
    assert (tmp_path / "out.txt").read_text() == numbered(1)


def test_a_reader_that_has_had_enough(model: Path, write) -> None:
    path = write("many.txt", f"{TEXT}\n" * 3000)
    command = [sys.executable, "-m", "ner_lstm_crf", "tag", "--model", str(model), "--input", str(path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | {"OMP_NUM_THREADS": "1"}
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"1\t0\t10\tPER\tAda Brandt\n"
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


@pytest.mark.parametrize("name", ["x.txt", "x.testb"])
def test_a_file_with_tags_is_one_of_columns_whatever_its_name(name: str, model: Path, write, run: Run) -> None:
    text = "-DOCSTART- -X- -X- O\n\nAda NNP I-NP I-PER\nsings VBZ I-VP O\n"
    path = write(name, text)
    result = run("tag", "--model", model, "--input", path)
    assert [line.split()[:3] for line in result.out.splitlines()] == [line.split()[:3] for line in text.splitlines()]
    assert f"{path}: taken for columns, since it has one of tags" in result.err
    assert "\tNNP" not in run("tag", "--model", model, "--input", path, "--input-format", "text").out.replace("\n", "")


def test_running_text_is_none_of_columns(model: Path, write, run: Run) -> None:
    path = write("x.txt", "O presidente Lula visitou Roma.\n")
    assert "columns" not in run("tag", "--model", model, "--input", path).err


def test_a_broken_record_in_a_pipe_is_one_line(model: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "ner_lstm_crf",
        "tag",
        "--model",
        str(model),
        "--input",
        "-",
        "--input-format",
        "jsonl",
    ]
    done = subprocess.run(command, input='{"text": "Rome"}\nbad\n', capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: standard input:2: expected one JSON object per line")
    assert done.stderr.count("\n") == 1


# Entities marked in the text


def test_marks_are_read_again(model: Path, files: Files, tmp_path: Path, run: Run) -> None:
    texts = [TEXT, "Milo [again] \\ saw Oslo.", "# Milo"]
    shown = run("tag", "--model", model, "--output-format", "inline", *texts).out
    assert shown.splitlines()[:2] == [
        "[Ada Brandt](PER) met [Port Alba](LOC) today .",
        "[Milo](PER) saw [Oslo](LOC) again .",
    ]
    out = tmp_path / "out.inline"
    assert run("tag", "--model", model, "--output", out, *texts).code == 0
    assert out.read_text() == shown
    tagger = Tagger.load(model)
    sentences = [*tagger.tag_sentences(sentence for text in texts for sentence in tagger.split(text))]
    assert [(one.words, one.spans) for one in read_sentences(out)] == [(one.words, one.spans) for one in sentences]


HOSTILE = '<script>Milo</script> & \x1b[2J "saw" Port Alba\'s\nOslo.'


def test_a_page_is_escaped_and_says_each_text_whole(model: Path, tmp_path: Path, run: Run) -> None:
    page = tmp_path / "page.html"
    assert run("tag", "--model", model, "--output", page, TEXT, HOSTILE, "").code == 0
    content = page.read_text()
    assert content.startswith('<!DOCTYPE html>\n<html lang="und">\n<head>\n<meta charset="utf-8">')
    assert len(re.findall(r'<mark class="c\d" title="[01]\.\d{3}">', content)) == content.count("<mark") > 3
    marked = '<mark class="c1">Ada Brandt&nbsp;<b dir="ltr">PER</b></mark> met <mark class="c0">Port Alba'
    assert marked in re.sub(' title="[^"]*"', "", content)
    assert "<script" not in content
    assert "\x1b" not in content
    assert "://" not in content  # nothing is fetched
    without_labels = re.sub(r'&nbsp;<b dir="ltr">\w+</b></mark>', "</mark>", content)
    paragraphs = re.findall("<p class=.*?</p>", without_labels, re.DOTALL)
    texts = [html.unescape(re.sub("<[^>]+>", "", one)) for one in paragraphs]
    assert texts == [TEXT, HOSTILE.replace("\x1b", r"\x1b"), ""]


def test_colours_are_for_terminals(model: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    coloured = run("tag", "--model", model, "--output-format", "colours", HOSTILE, TEXT).out
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured).splitlines()[2] == TEXT.replace("Brandt", "Brandt PER").replace(
        "Alba", "Alba LOC"
    ).replace("Milo", "Milo PER").replace("Oslo", "Oslo LOC")
    assert "\x1b[2J" not in coloured
    assert r"\x1b" in coloured
    monkeypatch.setattr(output, "is_terminal", lambda _: True)
    assert run("tag", "--model", model, TEXT).out == coloured.splitlines(keepends=True)[-1]
    assert run("tag", "--model", model, "--input", "-", stdin=TEXT.encode()).out == coloured.splitlines(True)[-1]
    assert run("tag", "--model", model, "--output-format", "text", TEXT).out == ROWS
    monkeypatch.setenv("NO_COLOR", "1")
    assert run("tag", "--model", model, TEXT).out == ROWS


def test_every_label_is_legible_on_its_colour() -> None:
    """By the contrast of WCAG 2: at least 7, for light pages, dark ones and terminals, whose ink is black."""

    def brightness(colour: str) -> float:
        channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def contrast(one: str, other: str) -> float:
        dark, light = sorted(map(brightness, (one, other)))
        return (light + 0.05) / (dark + 0.05)

    def of_terminal(number: int) -> str:
        if number >= 232:
            return "#" + f"{8 + 10 * (number - 232):02x}" * 3
        levels = (0, 95, 135, 175, 215, 255)
        return "#" + "".join(f"{levels[(number - 16) // weight % 6]:02x}" for weight in (36, 6, 1))

    for light, dark, number in style.COLOURS:
        assert contrast(light, style.INK[0]) >= 7
        assert contrast(dark, style.INK[1]) >= 7
        assert contrast(of_terminal(number), "#000000") >= 7


SPACED = "# text = Milo saw Oslo again.\n1\tMilo\tO\n2\tsaw\tO\n3\tOslo\tO\n4\tagain\tO\n5\t.\tO\n\n1\tOslo\tB-PER\n"


def test_columns_become_any_output(model: Path, write, tmp_path: Path, run: Run) -> None:
    path = write("in.conll", SPACED)
    tagging = ["tag", "--model", model, "--input", path]
    assert run(*tagging, "--output-format", "text").out.splitlines()[0] == "1\t0\t4\tPER\tMilo"
    run(*tagging, "--output", tmp_path / "out.jsonl")
    first, second = map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())
    assert (first["text"], second["text"]) == ("Milo saw Oslo again.", "Oslo")
    assert [one["text"] for one in first["entities"]] == ["Milo", "Oslo"]
    run(*tagging, "--output", tmp_path / "out.html")
    shown = re.sub("<[^>]+>", "", (tmp_path / "out.html").read_text())
    assert "Milo\xa0PER saw Oslo\xa0LOC again." in html.unescape(shown)
    assert run(*tagging, "--output-format", "inline").out.splitlines()[0] == "[Milo](PER) saw [Oslo](LOC) again ."
    assert "Milo" in run(*tagging, "--output-format", "colours").out
    piped = run("tag", "--model", model, "--input-format", "conll", "--output-format", "text", stdin=SPACED.encode())
    assert piped.out == run(*tagging, "--output-format", "text").out
    two = run(*tagging, path, "--output-format", "jsonl").out
    assert [json.loads(line)["file"] for line in two.splitlines()] == [str(path)] * 4
    assert (
        "written as jsonl have no tags" in run(*tagging, "--output-format", "jsonl", "--output-scheme", "BIO").complaint
    )


def test_the_object_of_a_long_text_is_never_in_memory_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    raw, written = io.BytesIO(), list[int]()

    def parts() -> Iterator[str]:
        for _ in range(3):
            written.append(raw.tell())
            yield "long text "

    tagged = SimpleNamespace(noun="texts", objects=lambda: iter([parts()]))
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw))
    tag.OUTPUTS["jsonl"].write(cast(tag.Tagged, tagged), "-")
    assert written == [0, 10, 20]


@pytest.mark.parametrize("way", ["entities", "sentences"])
def test_a_long_text_is_not_kept_and_empty_lines_do_not_reach_the_tagger(way: str) -> None:
    read = list[str]()

    def tag_portions(texts: Iterator[str | Iterator[str]], min_score: float | None) -> Iterator[object]:
        for text in texts:
            read.extend([text] if isinstance(text, str) else text)
        yield from ()

    text = tag.LongText(iter(["Ada ", "left."]))
    records = iter([{"text": ""}, {"text": text}, {"text": " \t"}, {"text": "Rome"}])
    tagger = cast(Any, SimpleNamespace(tag_portions=tag_portions))
    tagged = tag.TaggedTexts(tagger, records, "IOB2", tag.Sources(), min_score=None, scored=False, numbered=True)
    assert list(getattr(tagged, way)()) == ([(number, []) for number in (1, 2, 3, 4)] if way == "entities" else [])
    assert read == ["Ada ", "left.", "Rome"]
    assert text.read == []


@pytest.mark.parametrize("tool", ["doccano", "prodigy", "label-studio", "webanno", "brat", "spacy"])
def test_annotation_tools_get_what_the_tagger_finds(
    tool: str, model: Path, files: Files, write, tmp_path: Path, run: Run
) -> None:
    """The same entities as JSON lines have, in texts, with the other keys of their objects; in columns with tokens."""
    end = {"spacy": ".spacy", "webanno": ".tsv", "brat": "", "label-studio": ".json"}.get(tool, ".jsonl")
    tagging = ["tag", "--model", model, "--input"]
    record = {"text": f"😀 {TEXT}", "entities": [[0, 1, "OLD"]], "topic": "news"}
    for source in (write("texts.jsonl", json.dumps(record) + "\n" + json.dumps(record) + "\n"), files.test):
        lines, target = tmp_path / "lines.jsonl", tmp_path / f"{source.stem}{end}"
        assert run(*tagging, source, "--output", lines, "--output-format", "jsonl").code == 0
        assert run(*tagging, source, "--output", target, "--output-format", tool).code == 0
        found, expected = (
            [one.text for sentence in read_sentences(path) for one in sentence.entities()] for path in (target, lines)
        )
        assert found == expected != []
    if end.startswith(".json"):
        text = (tmp_path / f"texts{end}").read_text(encoding="utf-8")
        first = json.loads(text)[0] if tool == "label-studio" else json.loads(text.splitlines()[0])
        assert first.get("data", first)["topic"] == "news"
        assert "OLD" not in text
        assert ('"predictions": [{"model_version"' in text, '"score": 0.' in text) == (
            tool == "label-studio",
            tool != "doccano",
        )
