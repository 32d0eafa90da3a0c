"""Sentences become column files: new ones of two columns, or an existing file with its tags replaced.

An existing file keeps all but its tags, byte for byte: comments, further columns, spaces, line ends, the byte order
mark. A tag that already says what is to be written stays as it is spelt.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.text import quoted, writing
from ner_lstm_crf.formats.brackets import brackets_of, same_brackets
from ner_lstm_crf.formats.columns import ReadOptions
from ner_lstm_crf.formats.conll import ColumnFile
from ner_lstm_crf.formats.raw_sentences import DOCUMENT_START, RawSentence
from ner_lstm_crf.formats.report import ReadReport, counted
from ner_lstm_crf.formats.tag_writer import TagWriter
from ner_lstm_crf.tags.scheme import get_scheme, split_tag
from ner_lstm_crf.text.annotation import Sentence
from ner_lstm_crf.text.token_unit import characters_of

__all__ = ["convert_columns", "replace_tags", "write_conll"]

_NOT_IN_A_TOKEN = re.compile(r"[\t\n\0]")  # NUL marks binary data


def convert_columns(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    scheme: str | None = None,
    *,
    options: ReadOptions | None = None,
    report: ReadReport | None = None,
) -> None:
    """Write a column file again with its tags in another scheme, or in its own without what is ill-formed.

    The options say how to read it; their label map applies, and with the unit `character` every row becomes as many
    rows as its token has characters, with the other columns repeated.

    Raises:
        InputError: If the source cannot be read or the target not written.
    """
    file = ColumnFile(source, options or ReadOptions())
    writer = file.writer(target, scheme)
    _Rewriter(file, writer, brackets=file.layout.bracketed and scheme is None).write(file.read(report))


def replace_tags(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    sentences: Iterable[Sentence],
    *,
    scheme: str = "IOB2",
    options: ReadOptions | None = None,
) -> None:
    """Write a column file again with other spans, for instance predicted ones, in place of its own.

    Args:
        source: The file to read; it needs no tags, in which case a column is added for them.
        target: The file to write.
        sentences: Those that `read_conll` yields for the source with these options, under new spans.
        scheme: How to write the spans.
        options: How to read the source.

    Raises:
        InputError: If the source cannot be read or the target not written.
        ValueError: If the sentences are not those of the source.
    """
    file = ColumnFile(source, replace(options or ReadOptions(), read_tags=False))
    pairs = _side_by_side(file, iter(sentences))
    _Rewriter(file, file.writer(target, scheme)).write(pairs)


def write_conll(
    target: str | os.PathLike[str], sentences: Iterable[Sentence], *, scheme: str = "IOB2", encoding: str = "utf-8"
) -> None:
    """Write sentences as a file of two columns, token and tag, with a `-DOCSTART-` line between documents.

    Raises:
        InputError: If the target cannot be written, or a token or label cannot stand in a column.
    """
    writer, document = TagWriter(get_scheme(scheme), os.fspath(target)), None
    with writing(target, encoding) as out:
        for sentence in sentences:
            if document is None and sentence.tokens and sentence.tokens[0].text.startswith("\ufeff"):
                out.write("\ufeff")  # else the token's own would be read as the file's byte order mark
            if document not in (None, sentence.document):
                out.write("-DOCSTART-\tO\n\n")
            document = sentence.document
            words = sentence.words
            for word in words:
                if _NOT_IN_A_TOKEN.search(word) or DOCUMENT_START.match(word):
                    where = "" if sentence.line is None else f" (line {sentence.line} of what it comes from)"
                    raise InputError(f"the token {quoted(word)} cannot stand in a column file{where}", path=target)
            tags = writer.tags(sentence.spans, len(words))
            out.writelines(f"{word}\t{tag}\n" for word, tag in zip(words, tags, strict=True))
            out.write("\n")
        writer.warn()


def _side_by_side(file: ColumnFile, sentences: Iterator[Sentence]) -> Iterator[tuple[RawSentence, Sentence | None]]:
    """Each block of a file with the sentence that belongs to it."""
    for block in file.blocks():
        sentence = next(sentences, None) if block.rows else None
        if block.rows and sentence is None:
            raise ValueError(f"expected as many sentences as {file.path} has, got fewer")
        yield block, sentence
    if next(sentences, None) is not None:
        raise ValueError(f"expected as many sentences as {file.path} has, got more")


@dataclass(frozen=True, slots=True)
class _Rewriter:
    """A column file on its way to other tags."""

    file: ColumnFile
    writer: TagWriter
    brackets: bool = False  # whether entities stand in brackets again

    def write(self, pairs: Iterable[tuple[RawSentence, Sentence | None]]) -> None:
        with writing(self.writer.target, self.file.options.encoding) as out:
            if self.file.text.byte_order_mark:
                out.write("\ufeff")
            for block, sentence in pairs:
                if sentence is None:
                    out.writelines(block.lines)
                else:
                    tags = self.writer.tags(sentence.spans, len(sentence.tokens))
                    cells = brackets_of(sentence.spans, len(tags)) if self.brackets else tags
                    out.writelines(self._lines(block, cells))
        self.writer.warn()

    def _lines(self, block: RawSentence, tags: list[str]) -> list[str]:
        """The lines of a block under new tags."""
        words, old = self.file.columns(block)
        if self.file.layout.bracketed:
            old = []  # they were read as tags, but that is not how they stand there
        by_character = self.file.options.token_unit == "character"
        expected = sum(len(characters_of(word)) for word in words) if by_character else len(words)
        if len(tags) != expected:
            raise ValueError(f"{self.file.path}:{block.line}: expected tags for {expected} tokens, got {len(tags)}")
        if tags == old and not by_character:
            return block.lines
        lines, rows = list(block.lines), block.row_lines()
        if self.file.layout.tag is None:
            self._require_equal_widths(block, rows)
        if by_character:
            new_rows = self._by_character(rows, words, tags)
        else:
            new_rows = list(map(self._tagged, rows, old or [""] * len(words), tags))
        for index, row in zip(block.rows, new_rows, strict=True):
            lines[index] = row
        return lines

    def _require_equal_widths(self, block: RawSentence, rows: Sequence[str]) -> None:
        """A column can only be added where all rows have the same."""
        for token, row in enumerate(rows):
            width, body = self.file.layout.width, row.rstrip("\r\n")
            if len(self.file.layout.cells(body)) != width:
                message = (
                    f"expected {counted(width, 'column')}, as most rows have, to add one of tags, found {quoted(body)}"
                )
                raise InputError(message, path=self.file.path, line=block.line_of(token))

    def _by_character(self, rows: Sequence[str], words: Sequence[str], tags: Sequence[str]) -> list[str]:
        """Each row repeated for every character of its token, and counted anew if the rows are numbered."""
        layout, remaining = self.file.layout, enumerate(tags, 1)
        repeated = []
        for row, word in zip(rows, words, strict=True):
            line, pieces = row if row.endswith("\n") else f"{row}\n", ""
            for character, (number, tag) in zip(characters_of(word), remaining, strict=False):
                changes = {0: str(number)} if layout.numbered else {}
                if len(word) > 1:
                    changes[layout.token] = layout.language + character
                pieces += self._tagged(layout.rewritten(line, changes), "", tag)
            repeated.append(pieces)
        return repeated

    def _tagged(self, row: str, old: str, tag: str) -> str:
        """A row under a new tag; `old` is the tag it has, empty if it has none."""
        layout = self.file.layout
        if layout.tag is None:
            return layout.extended(row, tag)
        if old == tag:
            return row
        cell = layout.cells(row.rstrip("\r\n"))[layout.tag]
        if self._same(layout.tag_in(cell), tag):
            return row
        return layout.rewritten(row, {layout.tag: layout.with_tag(cell, tag)})

    def _same(self, old: str, new: str) -> bool:
        """Whether two tags say the same, in whatever spelling: `B_PER` and `B-PER`; in a file of bare labels, `PER`."""
        if self.brackets:
            return same_brackets(old, new)
        if self.file.layout.bare:
            return old == new
        return old == new or split_tag(old) == split_tag(new)
