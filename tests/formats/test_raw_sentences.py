from __future__ import annotations

from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_lstm_crf.formats.columns import ColumnLayout
from ner_lstm_crf.formats.raw_sentences import RawSentence, read_blocks

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


def blocks_of(text: str, layout: ColumnLayout = PLAIN) -> list[RawSentence]:
    return list(read_blocks(StringIO(text, newline="\n"), layout))


def rows_of(block: RawSentence) -> list[str]:
    return [line.rstrip("\r\n") for line in block.row_lines()]


@given(FILES, LAYOUTS, st.booleans())
def test_blocks_joined_are_the_file(text, layout, final):
    text = text if final else text.removesuffix("\n")
    blocks = blocks_of(text, layout)
    assert "".join(line for block in blocks for line in block.lines) == text


@given(FILES, LAYOUTS)
def test_every_line_knows_its_number_and_only_the_last_block_may_lack_rows(text, layout):
    blocks, lines = blocks_of(text, layout), StringIO(text, newline="\n").readlines()
    assert all(block.rows for block in blocks[:-1])
    for block in blocks:
        assert block.lines == lines[block.line - 1 :][: len(block.lines)]
        assert [lines[block.line_of(token) - 1] for token in range(len(block.rows))] == block.row_lines()
        first, last = (block.rows[0], block.rows[-1]) if block.rows else (0, 0)
        assert not any(line.isspace() for line in block.lines[first:last])


@given(FILES, LAYOUTS)
def test_documents_are_counted_up_by_at_most_one(text, layout):
    numbers = [block.document for block in blocks_of(text, layout) if block.rows]
    assert numbers == sorted(numbers)
    assert set(numbers) == set(range(len(set(numbers))))


@pytest.mark.parametrize("blank", ["\n", "\r\n", " \n", "\t\n", " \t \r\n", "\u00a0\n", "\n\n\n"])
def test_lines_of_white_space_end_sentences(blank):
    assert list(map(rows_of, blocks_of(f"a\tO\n{blank}b\tO\n"))) == [["a\tO"], ["b\tO"]]


def test_a_row_with_an_empty_token_is_no_blank_line():
    assert list(map(rows_of, blocks_of("a\tO\n\tO\n \tO\n"))) == [["a\tO", "\tO", " \tO"]]


MARKS = [
    *("-DOCSTART-\tO", "-DOCSTART- -X- -X- O", "-DOCSTART- O", "-DOCSTART-", "-docstart- O"),
    *("--DOCSTART--\tO", "-DOCSTART- (3 sport)", "-DOCSTART-(3", "<DOCSTART>", "# newdoc id = 3", "#newdoc"),
]


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize("after", ["\n\n", "\n", "\r\n\r\n"])
def test_a_document_mark_in_any_spelling_is_a_boundary_and_no_token(mark, after):
    blocks = blocks_of(f"a\tO\n\nb\tO\n{mark}{after}c\tO\n")
    assert [(rows_of(block), block.document) for block in blocks] == [(["a\tO"], 0), (["b\tO"], 0), (["c\tO"], 1)]


@pytest.mark.parametrize("first", ["", "-DOCSTART- O\n\n"])
@pytest.mark.parametrize("last", ["", "-DOCSTART- O\n", "-DOCSTART- O\n\n"])
def test_marks_may_open_documents_or_close_them(first, last):
    blocks = blocks_of(f"{first}a O\n\n-DOCSTART- O\n\n-DOCSTART- O\n\nb O\n\n{last}", SPACED)
    assert [(rows_of(block), block.document) for block in blocks if block.rows] == [(["a O"], 0), (["b O"], 1)]


def test_numbered_document_marks():
    blocks = blocks_of("1\ta\tO\n\n0\t-DOCSTART-\tO\n\n1\tb\tO\n", NUMBERED)
    assert [block.document for block in blocks] == [0, 1]


def test_comments_stand_apart_and_hashtags_do_not():
    (block,) = blocks_of("# text = #now b\n#now\tO\n#b\tB-PER\n# \tO\n#lone\n")
    assert rows_of(block) == ["#now\tO", "#b\tB-PER", "# \tO"]
    assert block.comments() == ["# text = #now b", "#lone"]


def test_the_words_of_a_comment_are_no_cells():
    (block,) = blocks_of(
        "# I went home\n# B-PER is a person\n#now O\n#b B-PER\n# I\n#c B-LOC more\n#d B more\n", SPACED
    )
    assert rows_of(block) == ["#now O", "#b B-PER", "#c B-LOC more"]
    unnamed = ColumnLayout(0, 1, 2, "space", seen=frozenset(("O", "B")))
    (block,) = blocks_of("#New B\n#York I\n# I went home\n", unnamed)
    assert rows_of(block) == ["#New B", "#York I"]
    bare = ColumnLayout(0, 1, 2, "space", bare=True, seen=frozenset(("O", "PER")))
    (block,) = blocks_of("# corpus\n# two words\n#now O\n#b PER\nAda PER\n", bare)
    assert rows_of(block) == ["#now O", "#b PER", "Ada PER"]
    (block,) = blocks_of("#now\tO\n#b\tEVENT\nAda\tPER\n", ColumnLayout(0, 1, 2, "tab", bare=True, seen=bare.seen))
    assert rows_of(block) == ["#now\tO", "#b\tEVENT", "Ada\tPER"]


def test_in_numbered_files_whatever_starts_with_a_hash_is_a_comment():
    (block,) = blocks_of("# a\tb\tO\n1\t#\tO\n# in between\n2\tb\tO\n", NUMBERED)
    assert rows_of(block) == ["1\t#\tO", "2\tb\tO"]
    assert block.comments() == ["# a\tb\tO", "# in between"]


def test_multiword_ranges_and_empty_nodes_are_kept_but_are_no_tokens():
    (block,) = blocks_of("1-2\tim\t_\n1\tin\tO\n2\tdem\tO\n2.1\tnull\t_\n3\tHaus\tO\n", NUMBERED)
    assert rows_of(block) == ["1\tin\tO", "2\tdem\tO", "3\tHaus\tO"]
    assert len(block.comments()) == 2


def test_in_untagged_files_a_hashtag_is_a_token_and_a_text_a_comment():
    (block,) = blocks_of("# text = #now\n#now\n#\n", UNTAGGED)
    assert rows_of(block) == ["#now", "#"]


def test_blocks_are_made_one_at_a_time():
    def endless():
        while True:
            yield "a\tO\n"
            yield "\n"

    assert next(read_blocks(endless(), PLAIN)).line == 1


@pytest.mark.parametrize("mark", ["-DOCSTART-", "-docstart-", "-Docstart-", "<DOCSTART>"])
def test_documents_begin_in_any_spelling(mark):
    text = f"{mark}\tO\n\nRome\tO\nis\tO\n\n{mark}\tO\n\nParis\tO\n"
    assert [(len(block.rows), block.document) for block in blocks_of(text, PLAIN)] == [(2, 0), (1, 1)]


def test_a_comment_with_a_tab_is_no_row_of_bare_labels():
    layout = ColumnLayout(0, 1, 2, "tab", bare=True, seen=frozenset(("O", "LOC")))
    (block,) = blocks_of("# doc\tsecond\n#rome\tLOC\nis\tO\n", layout)
    assert block.row_lines() == ["#rome\tLOC\n", "is\tO\n"]
