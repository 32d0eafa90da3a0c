"""Column files (CoNLL and its kin) become Sentences, one at a time.

The file is read once from start to end; twice if its tag scheme is to be found out, since the one tag that tells two
schemes apart may be the last.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cached_property

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.text import quoted
from ner_lstm_crf.formats.brackets import tags_of_brackets
from ner_lstm_crf.formats.column_detection import find_layout
from ner_lstm_crf.formats.columns import ColumnLayout, ReadOptions, Separator
from ner_lstm_crf.formats.raw_sentences import RawSentence, read_blocks
from ner_lstm_crf.formats.report import ReadReport, counted
from ner_lstm_crf.formats.tagged_file import TaggedFile
from ner_lstm_crf.tags.scheme import Scheme, TagError, get_scheme
from ner_lstm_crf.text.annotation import Sentence

__all__ = ["ColumnFile", "holds_tags", "read_conll"]


def read_conll(
    path: str | os.PathLike[str], options: ReadOptions | None = None, *, report: ReadReport | None = None
) -> Iterator[Sentence]:
    """Read the sentences of a column file, packed or not.

    Columns and scheme are found out unless the options name them. Ill-formed tags are read by the options' policy;
    their lines go to `report`, or to the log where there is none.

    Raises:
        InputError: If the file cannot be read, holds no tokens or no tags, or a row lacks a column or holds no tag.

    Example:
        >>> for sentence in read_conll("train.conll"):  # doctest: +SKIP
        ...     print(sentence.words, sentence.spans)
    """
    for _, sentence in ColumnFile(path, options or ReadOptions()).read(report):
        if sentence is not None:
            yield sentence


def holds_tags(path: str | os.PathLike[str], encoding: str = "utf-8") -> bool:
    """Whether the first lines of a file are rows with a column of tags and one of them is that of an entity.

    Of running text the second or third words may all be `O`, or labels.
    """
    try:
        layout = ColumnFile(path, ReadOptions(encoding=encoding)).layout
    except InputError:
        return False
    return any(map(layout.has_label, layout.seen))


class ColumnFile(TaggedFile):
    """A column file whose columns are known.

    Args:
        path: The file, or `-` for standard input.
        options: What is known of it.

    Attributes:
        layout: Its columns.

    Raises:
        InputError: If it cannot be read, or its columns cannot be found.
    """

    def __init__(self, path: str | os.PathLike[str], options: ReadOptions) -> None:
        super().__init__(path, options)
        self.layout: ColumnLayout = find_layout(self.text.lines(), options, self.path)

    def blocks(self) -> Iterator[RawSentence]:
        """The raw lines, sentence by sentence."""
        return read_blocks(self.text.lines(), self.layout)

    @property
    def has_tags(self) -> bool:
        """Whether it has a column of tags."""
        return self.layout.tag is not None

    def tagged(self) -> Iterator[tuple[RawSentence, Sequence[str]]]:
        """The blocks with their tags."""
        return ((block, self.columns(block)[1]) for block in self.blocks())

    def is_tag(self, tag: str) -> bool:
        """Whether a text can be a tag of this file."""
        return self.layout.is_tag(tag)

    @property
    def bare(self) -> bool:
        """Whether the tags are labels without prefixes (`PER`)."""
        return self.layout.bare

    @property
    def separator(self) -> Separator:
        """What separates its columns."""
        return self.layout.separator

    @property
    def tag_place(self) -> str:
        """The column of the tags."""
        return f"column {(self.layout.tag or 0) + 1}"

    @cached_property
    def scheme(self) -> Scheme | None:
        """The scheme asked for, else the one found; None if the file has no tags, or they do not matter."""
        return get_scheme("IOB2") if self.layout.bracketed and self.options.read_tags else super().scheme

    @property
    def evidence(self) -> str | None:
        """Why it has its scheme; None if it has no tags."""
        return "brackets, as in CoNLL-2012, read as IOB2" if self.layout.bracketed else super().evidence

    def read(self, report: ReadReport | None = None) -> Iterator[tuple[RawSentence, Sentence | None]]:
        """Each block with its sentence; None for a last block without tokens."""
        found = report if report is not None else ReadReport()
        found.scheme, found.separator = self.scheme.name if self.scheme else None, self.layout.separator
        if self.layout.tag is not None:
            found.tag_columns = tuple(column + 1 for column in (self.layout.tag, *self.layout.others))
        for block in self.blocks():
            found.comments += len(block.comments())
            if not block.rows:
                yield block, None
                continue
            words, tags = self.columns(block, found)
            sentence = self.sentence(block, words, tags, found, block.document)
            found.count(sentence)
            yield block, sentence
        self.conclude(found, told=report is not None)

    def columns(self, block: RawSentence, report: ReadReport | None = None) -> tuple[list[str], list[str]]:
        """The tokens and the tags of a block (no tags in a file without); the rows' widths go to the report."""
        rows = block.row_lines()
        columns = self.layout.columns(rows) if rows else ([], [])
        if columns is None:
            columns = self._columns_by_row(block, rows, report)
        elif report is not None:
            report.widths[self.layout.width] += len(rows)
        words, tags = columns
        if self.layout.placed or self.layout.language:
            words = self._undressed(block, words)
        if self.layout.bracketed:
            return words, self._unbracketed(block, tags) if self.options.read_tags else []
        return words, tags if self.layout.key is None else [self.layout.tag_in(cell) for cell in tags]

    def _unbracketed(self, block: RawSentence, cells: Sequence[str]) -> list[str]:
        """The tags of cells in brackets."""
        try:
            return tags_of_brackets(cells)
        except TagError as error:
            raise self.misplaced(error, block) from None

    def _undressed(self, block: RawSentence, cells: Sequence[str]) -> list[str]:
        """The tokens of cells that hold more."""
        language = self.layout.language
        for token, cell in enumerate(cells):
            if not cell.startswith(language):
                message = f"expected a token behind {language!r}, as the first ones are, found {quoted(cell)}"
                raise InputError(message, path=self.path, line=block.line_of(token))
        return list(map(self.layout.token_in, cells))

    def _columns_by_row(
        self, block: RawSentence, rows: Sequence[str], report: ReadReport | None
    ) -> tuple[list[str], list[str]]:
        layout = self.layout
        table = [layout.cells(row.rstrip("\r\n")) for row in rows]
        widths = list(map(len, table))
        needed = 1 + max(layout.token, -1 if layout.tag is None else layout.tag)
        if min(widths) < needed:
            at = next(token for token, width in enumerate(widths) if width < needed)
            raise self._other_width(block, at, rows[at], f"at least {counted(needed, 'column')}")
        if layout.bare and layout.separator == "space" and max(widths) > layout.width:  # any word could be its tag
            at = next(token for token, width in enumerate(widths) if width > layout.width)
            raise self._other_width(block, at, rows[at], f"{layout.width} columns")
        if report is not None:
            report.widths.update(widths)
            if not (layout.bracketed or layout.located):  # they have a column for each predicate of a sentence
                report.ragged += [block.line_of(token) for token, width in enumerate(widths) if width != layout.width]
        tags = [] if layout.tag is None else [cells[layout.tag] for cells in table]
        return [cells[layout.token] for cells in table], tags

    def _other_width(self, block: RawSentence, token: int, row: str, expected: str) -> InputError:
        body = row.rstrip("\r\n")
        return InputError(
            f"expected {expected}, found {len(self.layout.cells(body))}: {quoted(body)}",
            path=self.path,
            line=block.line_of(token),
        )
