"""A column file cut into sentence-sized blocks of raw lines, of which nothing is lost: joined, they are the file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from itertools import groupby
from typing import NamedTuple

from ner_lstm_crf.formats.brackets import is_bracketed, labels_of_brackets
from ner_lstm_crf.formats.columns import ColumnLayout
from ner_lstm_crf.tags.scheme import OUTSIDE

__all__ = ["DOCUMENT_START", "RawSentence", "read_blocks"]

DOCUMENT_START = re.compile(r"[-<]+DOCSTART", re.IGNORECASE)
"""How a token begins that is no token but the start of a document."""

_NEW_DOCUMENT = re.compile(r"#\s*(?:newdoc|begin document)\b")
_NOT_A_TOKEN = re.compile(
    r"\d+[-.]\d+[ \t]"
)  # CoNLL-U: `1-2` spans the words of one printed form, `1.1` is not printed
_NOT_A_TOKEN_LATER = re.compile(r"\n\d+[-.]\d+[ \t]")


class RawSentence(NamedTuple):
    """One sentence's lines: what stands before it, its rows, and the blank lines that end it.

    Attributes:
        line: The 1-based number of the first line.
        lines: The raw lines with their ends: comments, document marks, blank lines and rows.
        rows: Which of `lines` are tokens; empty only in the last block of a file, if it holds leftovers.
        document: The number of the document from 0.
    """

    line: int
    lines: list[str]
    rows: Sequence[int]
    document: int

    def line_of(self, token: int) -> int:
        """The 1-based line of a token."""
        return self.line + self.rows[token]

    def row_lines(self) -> list[str]:
        """The raw lines of the tokens."""
        lines, rows = self.lines, self.rows
        return lines[rows.start : rows.stop] if isinstance(rows, range) else [lines[row] for row in rows]

    def comments(self) -> list[str]:
        """The lines that are neither tokens nor blank nor a `-DOCSTART-`, without their ends."""
        lines, rows = self.lines, self.rows
        if isinstance(rows, range):
            other = lines[: rows.start] + lines[rows.stop :]
        else:
            tokens = set(rows)
            other = [line for index, line in enumerate(lines) if index not in tokens]
        return [line.rstrip("\r\n") for line in other if line[0] == "#" or _NOT_A_TOKEN.match(line)]


class _Piece(NamedTuple):
    """Lines without a blank one between them, the indices of those that are tokens, and whether a document begins."""

    lines: list[str]
    rows: Sequence[int]
    opens_document: bool = False


class _Kind(Enum):
    ROW, COMMENT, DOCUMENT = range(3)


def read_blocks(lines: Iterable[str], layout: ColumnLayout) -> Iterator[RawSentence]:
    """Cut a file into sentences.

    A sentence ends at a line of nothing but whitespace, and before a document mark: a `-DOCSTART-` line in any of its
    spellings, or a comment that begins with `# newdoc` or `#begin document`. A mark that follows no sentence opens no
    further document, so files that begin with one, end with one, or do both, count alike.
    """
    held: list[str] = []
    rows: Sequence[int] = ()
    first, document, has_sentence = 1, 0, False
    for is_blank, group in groupby(lines, str.isspace):
        if is_blank:
            held.extend(group)
            continue
        for piece in _pieces(list(group), layout):
            if rows:
                yield RawSentence(first, held, rows, document)
                first, held, has_sentence = first + len(held), [], True
            if piece.opens_document:
                document += has_sentence
                has_sentence = False
            rows = _shifted(piece.rows, len(held))
            held.extend(piece.lines)
    if held:
        yield RawSentence(first, held, rows, document)


def _pieces(lines: list[str], layout: ColumnLayout) -> list[_Piece]:
    """Lines up to a blank one: one sentence, unless a document mark stands within."""
    head = 0
    if layout.numbered:
        while head < len(lines) and lines[head][0] == "#":
            head += 1
    body = "".join(lines[head:])
    if not _all_rows(body, numbered=layout.numbered):
        return _pieces_by_line(lines, layout)
    opens_document = any(map(_NEW_DOCUMENT.match, lines[:head]))
    return [_Piece(lines, range(head, len(lines)), opens_document)]


def _all_rows(body: str, *, numbered: bool) -> bool:
    """Whether it is plain that every line is a token: asked once per sentence, since asking per line takes longer."""
    if body[:1] == "#" or "\n#" in body or "docstart" in body.lower():
        return False
    return not (numbered and (_NOT_A_TOKEN.match(body) or _NOT_A_TOKEN_LATER.search(body)))


def _pieces_by_line(lines: list[str], layout: ColumnLayout) -> list[_Piece]:
    rows: list[int] = []
    pieces = [_Piece([], rows)]
    for line in lines:
        kind = _kind_of(line, layout)
        if kind is _Kind.DOCUMENT:
            rows = []
            pieces.append(_Piece([], rows, opens_document=True))
        elif kind is _Kind.ROW:
            rows.append(len(pieces[-1].lines))
        pieces[-1].lines.append(line)
    return [piece for piece in pieces if piece.lines]


def _shifted(rows: Sequence[int], by: int) -> Sequence[int]:
    return range(rows.start + by, rows.stop + by) if isinstance(rows, range) else [row + by for row in rows]


def _kind_of(line: str, layout: ColumnLayout) -> _Kind:
    if line[0] == "#":
        if _is_row(line, layout):
            return _Kind.ROW
        return _Kind.DOCUMENT if _NEW_DOCUMENT.match(line) else _Kind.COMMENT
    if layout.numbered and _NOT_A_TOKEN.match(line):
        return _Kind.COMMENT
    cells = layout.cells(line.rstrip("\r\n"))
    token = cells[min(layout.token, len(cells) - 1)]
    return _Kind.DOCUMENT if DOCUMENT_START.match(token) or DOCUMENT_START.match(cells[0]) else _Kind.ROW


def _is_row(line: str, layout: ColumnLayout) -> bool:
    """Whether a line that starts with `#` is a token all the same: a hashtag with its tag.

    Where spaces separate columns the words of a comment are cells too, and `# I went home` has an `I` in the second. So
    after a `#` alone there have to be as many as in other rows, and a tag that can hardly be a word.
    """
    if layout.numbered or layout.located or (layout.bracketed and _NEW_DOCUMENT.match(line)):
        return False
    cells = layout.cells(line.rstrip("\r\n"))
    is_whole, is_hashtag = len(cells) == layout.width, not line.startswith("# ")
    if layout.tag is None:
        return is_whole and (is_hashtag or layout.width < 3 or any(map(layout.has_label, cells)))
    tag = layout.tag_in(cells[layout.tag]) if layout.tag < len(cells) else ""
    if layout.bracketed:  # rows have as many columns as the sentence has predicates
        is_known = {f"B-{label}" for label in labels_of_brackets([tag])} <= layout.seen
        return is_bracketed(tag) and (is_hashtag or is_known)
    if layout.separator == "tab":
        return layout.is_tag(tag) if is_hashtag or not layout.bare else layout.is_known(tag)
    if is_hashtag:
        return tag == OUTSIDE or layout.has_label(tag) or (is_whole and (layout.bare or layout.is_known(tag)))
    return is_whole and layout.is_known(tag)
