"""The rows of column files by their layout, and entities in brackets over a column."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from ner_lstm_crf.corpora.inspect import inspect_files
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.formats.column_detection import find_layout
from ner_lstm_crf.formats.columns import (
    ColumnLayout,
    brackets_of,
    same_brackets,
    split_at_spaces,
    tags_of_brackets,
)
from ner_lstm_crf.formats.conll import read_conll, replace_tags
from ner_lstm_crf.formats.options import ReadOptions, ReadReport
from ner_lstm_crf.formats.registry import convert
from ner_lstm_crf.tags.labels import LabelMap
from ner_lstm_crf.tags.notation import is_tag
from ner_lstm_crf.tags.scheme import SCHEMES, TagError
from ner_lstm_crf.text.annotation import Span


def test_tags():
    assert all(map(is_tag, ["O", "B", "B-PER", "I_PER", "E-creative-work", "S-PER.NOM", "U-x", "L-x", "W-x", "M-人"]))
    assert not any(map(is_tag, ["", "o", "-", "_", "0", "NNP", "B-", "X-PER", "PER", "IN", "-X-", "[2010]"]))


def test_only_ascii_spaces_and_tabs_separate():
    assert split_at_spaces("  a \t b\u00a0c\u3000d  O ") == ["a", "b\u00a0c\u3000d", "O"]
    assert split_at_spaces("a b") == ["a", "b"]


CELLS = st.text(st.sampled_from("ab #-\u00a0é"), max_size=3)
ROWS = st.lists(st.lists(CELLS, min_size=1, max_size=4), min_size=1, max_size=6)


@given(ROWS, st.integers(0, 2), st.integers(0, 2), st.integers(3, 4), st.sampled_from(["tab", "space"]), st.booleans())
def test_all_rows_at_once_equal_row_by_row(rows, token, tag, width, separator, final):
    layout = ColumnLayout(token, tag, width, separator)
    lines = [("\t" if separator == "tab" else " ").join(row) + "\n" for row in rows]
    if not final:
        lines[-1] = lines[-1][:-1]
    one_by_one = [layout.cells(line.rstrip("\n")) for line in lines]
    at_once = layout.columns(lines)
    if separator == "tab" and final:
        assert (at_once is None) == any(len(cells) != width for cells in one_by_one)
    if at_once is not None:
        assert all(len(cells) == width for cells in one_by_one)
        assert at_once == ([cells[token] for cells in one_by_one], [cells[tag] for cells in one_by_one])


@given(st.lists(st.text('ab \t,"\ufeff\r', max_size=6)), st.sampled_from(["tab", "space", "comma"]), st.booleans())
def test_a_table_has_the_cells_of_each_row(rows, separator, is_quoted):
    layout = ColumnLayout(0, 1, 2, separator, quoted=is_quoted)
    assert layout.table(rows) == list(map(layout.cells, rows))


@given(ROWS, st.integers(0, 3), st.sampled_from(["tab", "space"]), st.sampled_from(["", "\n", "\r\n"]))
def test_a_rewritten_row_differs_in_one_cell_alone(rows, column, separator, end):
    row = ("\t" if separator == "tab" else "  ").join(rows[0])
    layout = ColumnLayout(0, 1, len(rows[0]), separator)
    before = layout.cells(row)
    if column < len(before) and before != [""]:
        after = layout.rewritten(row + end, {column: "NEW"})
        assert after.endswith(f"{end}")
        assert layout.cells(after.rstrip("\r\n")) == [*before[:column], "NEW", *before[column + 1 :]]
        assert layout.rewritten(after, {column: before[column]}) == row + end


def test_a_row_is_extended_in_its_own_style():
    assert ColumnLayout(0, None, 1, "space").extended("Ada \r\n", "O") == "Ada O\r\n"
    assert ColumnLayout(0, None, 2, "tab").extended("Ada\t\n", "O") == "Ada\t\tO\n"


# The columns of CoNLL-2012, one for each predicate of the sentence among them; the sentences are ours.
ONTONOTES = """\
#begin document (nw/our/00/our_0001); part 000
nw/our/00/our_0001   0   0    The     DT  (TOP(S(NP(NP*        -    -   -   -        *   (ARG1*   -
nw/our/00/our_0001   0   1   Bank    NNP              *        -    -   -   -    (ORG*        *   (0
nw/our/00/our_0001   0   2     of     IN           (PP*        -    -   -   -        *        *   -
nw/our/00/our_0001   0   3   Rome    NNP        (NP*)))        -    -   -   -        *)       *)  0)
nw/our/00/our_0001   0   4   fell    VBD           (VP*     fall   01   1   -        *      (V*)  -
nw/our/00/our_0001   0   5   here     RB     (ADVP*))))        -    -   -   -    (GPE)        *   -

nw/our/00/our_0001   0   0     No     RB  (TOP(INTJ*))        -    -   -   -        *   -

#end document
#begin document (nw/our/00/our_0001); part 001
nw/our/00/our_0001   1   0    Ada    NNP  (TOP(S(NP*)        -    -   -   -    (PERSON)   *   -
nw/our/00/our_0001   1   1  slept    VBD   (VP*)))        sleep    01   1   -    *      (V*)  -

#end document
"""
PARTS_AND_NAMES = "Ada NNP (NP* (PER*\nKing NNP *) *)\nsings VBZ (VP*) *\n# NN (NP* *\n#Rome NN *) (LOC*)\n"


def write(text: str, folder: Path) -> Path:
    path = folder / "x.conll"
    path.write_text(text)
    return path


def as_brackets(spans: list[Span], length: int, *, single: str) -> list[str]:
    cells = ["*"] * length
    for start, end, label in spans:
        if end == start + 1:
            cells[start] = single.format(label)
        else:
            cells[start], cells[end - 1] = f"({label}*", "*)"
    return cells


@st.composite
def spans(draw) -> tuple[list[Span], int]:
    edges = sorted(draw(st.sets(st.integers(0, 12), max_size=8)))
    pairs = zip(edges[::2], edges[1::2], strict=False)
    return [Span(start, end, draw(st.sampled_from(["PER", "WORK_OF_ART"]))) for start, end in pairs], 12


@given(spans(), st.sampled_from(["({})", "({}*)"]))
def test_brackets_are_read_as_iob2(annotated, single):
    expected, length = annotated
    tags = tags_of_brackets(as_brackets(expected, length, single=single))
    assert SCHEMES["IOB2"].decode(tags) == (tuple(expected), (), ())
    cells = as_brackets(expected, length, single=single)
    assert all(map(same_brackets, brackets_of(expected, length), cells))


@pytest.mark.parametrize(
    ("cells", "position", "message"),
    [
        (["*", "(A*", "(B*", "*)"], 2, "opens an entity within another"),
        (["(A*", "(B)", "*)"], 1, "opens an entity within another"),
        (["*", "*)"], 1, "closes an entity that was not opened"),
        (["(A*", "*"], 0, "opens an entity that is not closed"),
        (["*", "O"], 1, "expected brackets such as"),
        (["(S(NP*"], 0, "expected brackets such as"),
    ],
)
def test_brackets_that_do_not_fit_are_refused(cells, position, message, tmp_path):
    with pytest.raises(TagError, match=message) as refused:
        tags_of_brackets(cells)
    assert refused.value.position == position
    text = "Ada NNP (PER)\n" * 100 + "\n" + "".join(f"a NN {cell}\n" for cell in cells)
    with pytest.raises(InputError, match=rf"x.conll:{102 + position}: column 3: .*{message}"):
        list(read_conll(write(text, tmp_path)))


def test_conll_2012_is_read(tmp_path):
    report = ReadReport()
    first, second, third = read_conll(write(ONTONOTES, tmp_path), report=report)
    assert first.words == ["The", "Bank", "of", "Rome", "fell", "here"]
    assert first.spans == (Span(1, 4, "ORG"), Span(5, 6, "GPE"))
    assert (second.words, second.spans) == (["No"], ())
    assert (third.words, third.spans) == (["Ada", "slept"], (Span(0, 1, "PERSON"),))
    assert [sentence.document for sentence in (first, second, third)] == [0, 0, 1]
    assert (report.scheme, report.layout.tag_columns, report.ragged, report.ill_formed) == ("IOB2", (10,), [], [])


def test_chunks_clauses_and_arguments_of_verbs_are_none_of_entities(tmp_path):
    """CoNLL-2005 has all of them in brackets."""
    layout = find_layout(PARTS_AND_NAMES.splitlines(keepends=True), ReadOptions(), "x")
    assert (layout.token, layout.tag, layout.bracketed) == (0, 3, True)
    (sentence,) = read_conll(write(PARTS_AND_NAMES, tmp_path))
    assert sentence.words == ["Ada", "King", "sings", "#", "#Rome"]
    assert sentence.spans == (Span(0, 2, "PER"), Span(4, 5, "LOC"))
    with pytest.raises(InputError, match="no tag column"):
        list(read_conll(write("Ada (S(NP*) (A0*)\nsings (VP*)) (V*)\n", tmp_path)))
    (sentence,) = read_conll(write("Ada (NP*)\nsings *\n", tmp_path), ReadOptions(tag_column=2))
    assert sentence.spans == (Span(0, 1, "NP"),)


@pytest.mark.parametrize("scheme", ["IOB2", "BIOES"])
def test_converted_the_column_holds_tags_and_all_else_stays(scheme, tmp_path):
    path = write(ONTONOTES, tmp_path)
    convert(path, tmp_path / "y.conll", scheme=scheme)
    written = (tmp_path / "y.conll").read_text()
    tags = SCHEMES[scheme].encode([Span(1, 4, "ORG"), Span(5, 6, "GPE")], 6)
    for line, cell, tag in zip(range(1, 7), ("*", "(ORG*", "*", "*)", "*", "(GPE)"), tags, strict=True):
        old, new = ONTONOTES.splitlines()[line], written.splitlines()[line]
        places = [index for index in range(len(old)) if old.startswith(f" {cell} ", index)]
        assert new in [f"{old[:at]} {tag} {old[at + len(cell) + 2 :]}" for at in places]
    report = ReadReport()
    again = list(read_conll(tmp_path / "y.conll", report=report))
    assert [(s.words, s.spans) for s in again] == [(s.words, s.spans) for s in read_conll(path)]
    assert report.ragged == []


def test_converted_without_a_scheme_brackets_stay_brackets(tmp_path):
    text = ONTONOTES.replace("(PERSON)", "(PERSON*)")
    path = write(text, tmp_path)
    convert(path, tmp_path / "y.conll")
    assert (tmp_path / "y.conll").read_text() == text
    convert(path, tmp_path / "y.conll", options=ReadOptions(labels=LabelMap.parse(None, ["ORG=O,GPE=LOC"])))
    assert (tmp_path / "y.conll").read_text() == text.replace("(ORG*        *   (0", "*        *   (0").replace(
        "*)       *)  0)", "*       *)  0)"
    ).replace("(GPE)", "(LOC)")


def test_files_of_conll_2012_without_entities_have_their_columns_too(tmp_path):
    text = (
        ONTONOTES.replace("(ORG*", "*")
        .replace(" *)       *)", " *       *)")
        .replace("(GPE)", "*")
        .replace("(PERSON)", "*")
    )
    sentences = list(read_conll(write(text, tmp_path)))
    assert [sentence.words[0] for sentence in sentences] == ["The", "No", "Ada"]
    assert [sentence.spans for sentence in sentences] == [(), (), ()]
    tagged = [sentences[0].with_spans([Span(1, 2, "ORG")]), *sentences[1:]]
    replace_tags(tmp_path / "x.conll", tmp_path / "y.conll", tagged)
    assert [(s.words, s.spans) for s in read_conll(tmp_path / "y.conll")] == [(s.words, s.spans) for s in tagged]


def test_a_number_sign_is_a_token_however_many_predicates_its_sentence_has(tmp_path):
    rows = "Ada NNP (PER) * (V*) *\nmet VBD * * * *\n\n"
    text = rows * 20 + "# nothing (here)\nno NN * *\n# NN * *\n# NN (PER* *\n#tag NN *) *\n"
    *_, last = read_conll(write(text, tmp_path))
    assert (last.words, last.spans) == (["no", "#", "#", "#tag"], (Span(2, 4, "PER"),))
    text = text.replace("# nothing (here)", "#begin document (x); part *")
    *_, last = read_conll(write(text, tmp_path))
    assert last.words == ["no", "#", "#", "#tag"]


def test_a_second_column_of_brackets_is_reported(tmp_path):
    report = ReadReport()
    list(read_conll(write("Ada (PER) (LOC)\nmet * *\n", tmp_path), report=report))
    assert report.layout.tag_columns == (1, 2)


def test_inspection_says_that_brackets_were_read(tmp_path):
    (facts,) = inspect_files([write(ONTONOTES, tmp_path)]).files
    assert facts.evidence == "brackets, as in CoNLL-2012, read as IOB2"
    assert (facts.layout.token, facts.layout.tag, facts.documents, facts.ragged) == (3, 10, 2, [])


def test_tags_that_are_not_read_are_said(tmp_path, caplog):
    path = write("Ada B-PER B-LOC\nmet O O\n", tmp_path)
    with caplog.at_level("WARNING"):
        list(read_conll(path))
        (message,) = caplog.messages
        assert message.endswith("the tags of column 2 are read, not those of 3: --tag-column chooses")
        list(read_conll(path, ReadOptions(tag_column=3)))
    assert caplog.messages == [message]
