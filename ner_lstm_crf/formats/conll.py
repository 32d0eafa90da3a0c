"""Column files (CoNLL and its kin): read as sentences, written, and rewritten with their tags replaced.

A file is read once from start to end; twice if its tag scheme has to be detected, since the one tag that tells two
schemes apart may be the last. A rewritten file keeps everything but its tags, byte for byte: comments, further columns,
spaces, line ends, the byte order mark. A tag that already means what is to be written keeps its spelling.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain, count, groupby, islice, repeat
from operator import itemgetter
from pathlib import Path
from typing import Literal, NamedTuple

from ner_lstm_crf.errors import InputError, counted
from ner_lstm_crf.files.encodings import BYTE_ORDER_MARK
from ner_lstm_crf.files.text import FilePath, TextFile, quoted, writing
from ner_lstm_crf.formats.column_detection import GLOBAL_COLUMNS, find_layout
from ner_lstm_crf.formats.columns import (
    DOCUMENT_START,
    LONGEST_ROW,
    MOST_LINES,
    SEPARATORS,
    WEBANNO,
    ColumnLayout,
    SentenceColumn,
    brackets_of,
    features_of,
    has_suffix,
    is_bracketed,
    labels_of_brackets,
    mark_of,
    same_brackets,
    split_at_spaces,
    tags_of_brackets,
    without_mark,
)
from ner_lstm_crf.formats.format import Format, Sample
from ner_lstm_crf.formats.options import ReadOptions, ReadReport, WriteOptions
from ner_lstm_crf.formats.tagged_file import TagReader, TagWriter
from ner_lstm_crf.tags.scheme import OUTSIDE, TagError, get_scheme, split_tag
from ner_lstm_crf.text.annotation import Sentence, characters_of, unspaced_chinese

_NEW_DOCUMENT = re.compile(r"#\s*(?:newdoc|begin document)\b")
# CoNLL-U: `1-2` spans the words of one printed form, `1.1` is not printed.
_TEXT = re.compile(r"#\s*text\s*=\s*(.*)")
_NO_SPACE = re.compile(r"\bSpaceAfter=No\b|\bNoSpaceAfter\b|\bSpacesAfter=(?:\||$)")
_NOT_A_TOKEN = re.compile(r"\d+[-.]\d+[ \t]")
_NOT_A_TOKEN_LATER = re.compile(r"\n\d+[-.]\d+[ \t]")
_MOST_KEPT = 2**22  # characters of a file whose sentences are kept for the second time it is read
_MOST_BLANK = 2**16  # blank lines that are held at once
_NEW_NAMES = ("tag", "ner_tag", "predicted_tag", "new_tag")  # of a column that is added: the first that is free
_NOT_IN_A_TOKEN = re.compile(r"[\t\n\0]")  # NUL marks binary data


class Conll(Format):
    """Column files: one token a line, its tag in another column, a blank line after each sentence."""

    name = "conll"
    suffixes = (".conll", ".conllu", ".iob", ".iob2", ".bio", ".bieo", ".bioes", ".bmes", ".tsv", ".csv", ".ner")
    description = "columns"
    has_tags = True
    says_unknown = True

    def detect(self, sample: Sample) -> bool:
        """True if the suffix says so, and the first line does not say that it is another form of columns."""
        return super().detect(sample) and not sample.first.startswith(WEBANNO)

    def read(self, path: FilePath, options: ReadOptions, report: ReadReport) -> Iterator[Sentence]:
        """The sentences of a file. Chinese characters touch, as in running text, unless the unit is given."""
        pairs = ColumnFile(path, options).read(report)
        sentences = (sentence for _, sentence in pairs if sentence is not None)
        return sentences if options.token_unit else unspaced_chinese(sentences)

    def write(self, path: FilePath, sentences: Iterable[Sentence], options: WriteOptions) -> None:
        """Write sentences as two columns, token and tag, with a `-DOCSTART-` line between documents.

        Under a name that ends in `.csv`, they are the rows of a table whose first column numbers the first word of each
        sentence, as in the corpus GMB on Kaggle. With
        `scores` each token has the score of its entity in a further column, `_` in none.
        """
        writer = TagWriter(get_scheme(options.scheme or "IOB2"), path, "tab")
        document: int | None = None
        is_table = has_suffix(path, ".csv")
        with writing(path, options.encoding) as out:
            if is_table:
                out.write(_TABLE.row(("Sentence #", "Word", "Tag", "Score")[: 4 if options.scores else 3]))
            for number, sentence in enumerate(sentences, 1):
                words = sentence.words
                for word in words:
                    if _NOT_IN_A_TOKEN.search(word) or DOCUMENT_START.match(word):
                        origin = "" if sentence.line is None else f" (line {sentence.line} of its source)"
                        raise InputError(f"the token {quoted(word)} cannot stand in a column file{origin}", path=path)
                columns = [writer.tags(sentence), *([score_cells(sentence)] * options.scores)]
                if is_table:
                    numbers = chain([f"Sentence: {number}"], repeat(""))
                    out.writelines(map(_TABLE.row, zip(numbers, words, *columns, strict=False)))
                    continue
                if document is None and words and words[0].startswith(BYTE_ORDER_MARK):
                    out.write(BYTE_ORDER_MARK)  # else the token's own would be read as that of the file
                if document not in (None, sentence.document):
                    out.write(f"-DOCSTART-\tO\t{NO_SCORE}\n\n" if options.scores else "-DOCSTART-\tO\n\n")
                document = sentence.document
                words = [f"{word[:1]}{word}" if word[:1] == BYTE_ORDER_MARK != word else word for word in words]
                out.writelines("\t".join(row) + "\n" for row in zip(words, *columns, strict=True))
                out.write("\n")
        writer.warn()

    def rewrite(
        self, source: FilePath, target: FilePath, options: ReadOptions, output: WriteOptions, report: ReadReport
    ) -> None:
        """Write a file again with other tags. Without a scheme ill-formed tags become well formed.

        With the unit `character` every row becomes as many rows as its token has characters, with the other columns
        repeated. Between CSV and other columns, nothing but tokens and tags is kept.
        """
        file = ColumnFile(source, options)
        if not file.keeps_rows(target):
            scheme = output.scheme or (file.tag_reader.scheme or get_scheme("IOB2")).name
            self.write(target, self.read(source, options, report), replace(output, scheme=scheme))
            return
        report.keeps_lines = True
        keeps_brackets = file.layout.bracketed and output.scheme is None
        _Rewriter(file, file.writer(target, output.scheme), keeps_brackets).write(file.read(report))


NO_SCORE = "_"
"""What stands in the column of scores beside a token in no entity."""


def score_cells(sentence: Sentence) -> list[str]:
    """The score of each token's entity in 4 digits, as a column has it."""
    cells = [NO_SCORE] * len(sentence.tokens)
    for (start, end, _), score in zip(sentence.spans, sentence.scores, strict=False):
        cells[start:end] = [f"{score:.4f}"] * (end - start)
    return cells


_TABLE = ColumnLayout(1, 2, 3, "comma", quoted=True)  # the columns that are written as CSV


# Reading: a file is cut into raw sentences, and these into columns.


def read_conll(
    path: FilePath, options: ReadOptions | None = None, *, report: ReadReport | None = None
) -> Iterator[Sentence]:
    """Read the sentences of a column file, compressed or not.

    Columns and scheme are detected unless the options name them. Tokens stand as if joined by one space,
    unless the file tells its text (`# text = `) or its spaces (`SpaceAfter=No`).

    Args:
        path: The file, or `-` for standard input.
        options: The options of reading.
        report: Receives the findings, which are logged if there is none.

    Raises:
        InputError: If the file cannot be read, holds no tokens or no tags, or a row lacks a column or holds no tag.

    Example:
        >>> for sentence in read_conll("train.conll"):  # doctest: +SKIP
        ...     print(sentence.words, sentence.spans)
    """
    options, findings = options or ReadOptions(), report if report is not None else ReadReport()
    for _, sentence in ColumnFile(path, options).read(findings):
        if sentence is not None:
            yield sentence
    if report is None:
        findings.warn(path, options)


def holds_tags(path: FilePath, encoding: str = "utf-8") -> bool:
    """True if the first lines of a file are rows with a column of tags, one of which is that of an entity.

    Of running text the second or third words may all be `O`, or labels.
    """
    try:
        layout = ColumnFile(path, ReadOptions(encoding=encoding)).layout
    except InputError:
        return False
    return any(map(layout.has_label, layout.sample_tags))


_MOST_NUMBERS = 1_000_000  # of sentences that are remembered


@dataclass(slots=True)
class RawSentence:
    """The lines of one sentence with their ends: everything before its tokens, its tokens, the blank lines behind them.

    Attributes:
        line: The number of the first line, from 1.
        document: The number of the document, from 0.
        lines: All lines: comments, document marks, rows and blank lines.
        rows: Those that are tokens; there are none in the last raw sentence of a file, if it holds leftovers, and among
            very many blank lines.
        token_lines: The indices of the rows in `lines`.
        line_numbers: The numbers of the rows in the file.
        comments: The lines that are neither tokens nor blank nor a `-DOCSTART-`.
        skipped: The numbers of the lines that are no rows: the names of the columns, and marks such as `IMGID:1`.
        marked: The numbers of the lines that begin with a byte order mark.
        cells: The token and the tag column of the rows, if these have been cut.
        widths: The numbers of columns of the rows, if these have been cut and are not all alike.
    """

    line: int
    document: int
    lines: list[str] = field(default_factory=list)
    rows: list[str] = field(default_factory=list)
    token_lines: Sequence[int] = ()
    line_numbers: Sequence[int] = ()
    comments: list[str] = field(default_factory=list)
    skipped: Sequence[int] = ()
    marked: Sequence[int] = ()
    cells: tuple[list[str], list[str]] | None = None
    widths: Sequence[int] = ()

    def add(self, piece: _Piece) -> None:
        """Add lines and the tokens among them, before which there are none."""
        indices, before = piece.token_lines, len(self.lines)
        if isinstance(indices, range):  # as almost always
            self.token_lines = range(before + indices.start, before + indices.stop)
            self.line_numbers = range(self.line + self.token_lines.start, self.line + self.token_lines.stop)
        else:
            self.token_lines = [before + index for index in indices]
            self.line_numbers = [self.line + index for index in self.token_lines]
        self.rows = piece.rows
        self.comments += piece.comments
        if piece.skipped or piece.marked:
            self.skipped = [*self.skipped, *(self.line + before + index for index in piece.skipped)]
            self.marked = [*self.marked, *(self.line + before + index for index in piece.marked)]
        self.lines += piece.lines


class ColumnFile:
    """A column file whose columns are known; it can be read as often as needed.

    Small files are cut into sentences once: those that were looked at to find the scheme are kept for the reading.

    Args:
        path: The file, or `-` for standard input.
        options: The options of reading.

    Attributes:
        layout: Its columns.

    Raises:
        InputError: If it cannot be read, or its columns cannot be found.
    """

    def __init__(self, path: FilePath, options: ReadOptions) -> None:
        self.text = TextFile(path, options.encoding)
        self.path, self.options = self.text.path, options
        self.layout: ColumnLayout = find_layout(self.text.lines(), options, self.path)
        self._kept: tuple[ColumnLayout, list[RawSentence]] | None = None  # all sentences, as this layout has them

    def keeps_rows(self, target: FilePath) -> bool:
        """True if its rows can stand in a file of this name: those of CSV in a `.csv` file, and others elsewhere."""
        is_other = Path(target).suffix not in ("", Path(self.path).suffix)
        return not is_other or has_suffix(target, ".csv") == (self.layout.separator in ("comma", "semicolon"))

    @cached_property
    def tag_reader(self) -> TagReader:
        """The reader of its tags, which knows the scheme."""
        layout = self.layout
        reader = TagReader(self.path, self.options, f"column {(layout.tag or 0) + 1}")
        if layout.bracketed:
            reader.scheme = get_scheme("IOB2") if self.options.read_tags else None
            reader.evidence = "brackets, as in CoNLL-2012, read as IOB2"
        elif layout.tag is not None:
            reader.find_scheme(self._tags, layout.sample_tags, expects_labels=layout.prefixless)
            self.layout = replace(layout, prefixless=reader.prefixless, notation=reader.notation)
        return reader

    def _tags(self) -> Iterator[tuple[Sequence[str], Sequence[int]]]:
        """The tags of each sentence, and their lines."""
        kept, size = list[RawSentence](), 0
        for raw in self.raw_sentences():
            yield self.columns(raw)[1], raw.line_numbers
            size += sum(map(len, raw.lines))
            if size <= _MOST_KEPT:
                kept.append(raw)
            else:
                kept.clear()
        self._kept = (self.layout, kept) if size <= _MOST_KEPT else None

    def raw_sentences(self) -> Iterator[RawSentence]:
        """The raw lines of each sentence.

        Raises:
            InputError: If the file cannot be read to its end, or a sentence has more than `MOST_LINES` lines.
        """
        kept, self._kept = self._kept, None
        try:
            if kept is not None and kept[0] == self.layout:
                waiting = kept[1]
                waiting.reverse()
                while waiting:
                    yield waiting.pop()
            else:
                yield from read_raw_sentences(self.text.lines(), self.layout)
        except InputError as error:
            raise error.at(self.path) from None

    def read(self, report: ReadReport) -> Iterator[tuple[RawSentence, Sentence | None]]:
        """Each raw sentence with its sentence; None for a last one without tokens.

        Args:
            report: Receives the findings.

        Raises:
            InputError: If the file is malformed or has no sentence, or ill-formed tags are an error.
        """
        report.scheme = self.tag_reader.scheme.name if self.tag_reader.scheme else None
        report.notation_words = self.tag_reader.notation_words
        report.evidence, report.layout = self.tag_reader.evidence, self.layout
        numbers, last = dict[str, int](), -1  # the places of sentence numbers, in the order of their first rows
        for raw in self.raw_sentences():
            report.comments += len(raw.comments)
            report.skipped += raw.skipped
            report.marked += raw.marked
            if raw.rows:
                words, tags = self.columns(raw, report)
                # An empty cell is a word that was lost; a number of long ago shows that the rows are out of order.
                if "" in words:
                    report.empty += [line for line, word in zip(raw.line_numbers, words, strict=True) if not word]
                by = self.layout.sentence
                number = self._number(raw, by.column) if by and by.rule == "value" else ""
                if number and len(numbers) < _MOST_NUMBERS:
                    place = numbers.setdefault(number, len(numbers))
                    if 0 < place <= last:  # with the first one another document begins
                        report.returning.append(raw.line_numbers[0])
                    last = place
                text = self._text(raw, words)
                yield raw, self.tag_reader.sentence(words, tags, raw.line_numbers, report, raw.document, text)
            else:
                yield raw, None
        if not report.sentences:
            raise InputError("expected rows of a token and a tag, found none", path=self.path)

    def _number(self, raw: RawSentence, column: int) -> str:
        """The first cell in a column of a raw sentence that is there and not empty; "" if none is."""
        rows = map(self.layout.cells, raw.rows)
        return next((cells[column] for cells in rows if len(cells) > column and cells[column]), "")

    def columns(self, raw: RawSentence, report: ReadReport | None = None) -> tuple[list[str], list[str]]:
        """The tokens and the tags of a raw sentence (no tags in a file without); the report counts the rows' widths."""
        layout, rows = self.layout, raw.rows
        # 1. The rows are cut, unless they have been.
        if raw.cells is None:
            raw.cells = layout.columns(rows) if rows else ([], [])
        if raw.cells is None:
            raw.cells = self._columns_by_row(raw)
        words, tags = raw.cells
        if report is not None:
            self._report_widths(raw, report)
        # 2. Some layouts have more than the token and the tag in their cells.
        if layout.has_char_index or layout.language:
            for token, cell in enumerate(words):
                if not cell.startswith(layout.language):
                    message = f"expected a token behind {layout.language!r}, as the first ones are"
                    raise InputError(f"{message}, found {quoted(cell)}", path=self.path, line=raw.line_numbers[token])
            words = list(map(layout.token_in, words))
        if layout.bracketed:
            try:
                return words, tags_of_brackets(tags) if self.options.read_tags else []
            except TagError as error:
                raise self.tag_reader.error(error.message, error.position, raw.line_numbers) from None
        return words, self._tags_in(tags, raw, report)

    def _report_widths(self, raw: RawSentence, report: ReadReport) -> None:
        """Count the widths of the rows of a raw sentence."""
        layout = self.layout
        if not raw.widths:
            report.widths[layout.width] += len(raw.rows)
            return
        report.widths.update(raw.widths)
        if not (layout.bracketed or layout.has_document_columns):  # a column for each predicate of the sentence
            odd = zip(raw.line_numbers, raw.widths, strict=True)
            report.ragged += [line for line, width in odd if width != layout.width]

    def _tags_in(self, cells: list[str], raw: RawSentence, report: ReadReport | None) -> list[str]:
        """The tags in cells of the tag column; the report counts those that are not all of their cell."""
        layout = self.layout
        if layout.key is None:
            joined = "".join(cells)
            if joined.isascii() and joined.isprintable() and " " not in joined:  # as almost always
                return cells
        tags = {cell: layout.tag_in(cell) for cell in set(cells)}
        if report is not None:
            if layout.key is None:
                odd = {cell for cell in tags if cell != tags[cell]}
                report.padded += [line for line, cell in zip(raw.line_numbers, cells, strict=True) if cell in odd]
            elif layout.names_outside:
                odd = {cell for cell in tags if layout.key not in features_of(cell)}
                report.untagged += [line for line, cell in zip(raw.line_numbers, cells, strict=True) if cell in odd]
        return [tags[cell] for cell in cells]

    def _text(self, raw: RawSentence, words: Sequence[str]) -> str | None:
        """The running text of a sentence, as far as the file tells it: in a comment, or in features of the tokens."""
        for comment in raw.comments:
            if found := _TEXT.match(comment):
                text, joined = found[1], "".join(words)
                if text.replace(" ", "") == joined or characters_of(text) == characters_of(joined):
                    return text
        if self.layout.spaces is None:
            return None
        pieces, column = list[str](), self.layout.spaces
        for word, row in zip(words, raw.rows, strict=True):
            cells = self.layout.cells(row) if "Space" in row else []
            pieces += word, "" if len(cells) > column and _NO_SPACE.search(cells[column]) else " "
        return "".join(pieces)

    def _columns_by_row(self, raw: RawSentence) -> tuple[list[str], list[str]]:
        """The token and the tag column of rows that are not all alike."""
        layout, rows, lines = self.layout, raw.rows, raw.line_numbers
        # 1. Rows too long to be such are refused before they are cut.
        text = "".join(rows)
        if len(text) > LONGEST_ROW and max(map(len, rows)) > LONGEST_ROW:
            line, length = next(
                (line, len(row)) for line, row in zip(lines, rows, strict=True) if len(row) > LONGEST_ROW
            )
            message = f"expected a row of at most {LONGEST_ROW:,} characters, found one of {length:,}"
            raise InputError(message, path=self.path, line=line)
        table = layout.table(rows)
        raw.widths = list(map(len, table))
        # 2. Another width is a riddle where spaces or commas separate columns: one may belong to a token or to a tag.
        #    With tabs it is not: some corpora have further columns behind the tag where there is an entity.
        is_clear = layout.separator == "tab" or layout.bracketed or layout.has_document_columns
        is_clear = is_clear or self.options.tag_column is not None or layout.tag is None
        odd = {width for width in set(raw.widths) if not layout.fits(width) or (width != layout.width and not is_clear)}
        for row, cells, line in zip(rows, table, lines, strict=True) if odd or "\0" in text else ():
            body, width = row.rstrip("\r\n"), len(cells)
            if "\0" in body:
                raise InputError("expected text, found a NUL character", path=self.path, line=line)
            if layout.quoted and body.count('"') % 2:
                message = "a cell goes over several lines, which is not read: write its line breaks as spaces"
                raise InputError(f"{message}: {quoted(body)}", path=self.path, line=line)
            if not layout.fits(width):
                needed = 1 + max(layout.token, layout.tag or 0)
                message = f"expected at least {counted(needed, 'column')}, found {width}: {quoted(body)}"
                if layout.separator == "tab" and len(split_at_spaces(body)) == layout.width:
                    message += "; --separator space cuts rows at spaces too"
                raise InputError(message, path=self.path, line=line)
            if width in odd:
                raise self._other_width(body, cells, line)
        # 3. The columns.
        if layout.token_from_end or layout.tag_from_end:
            words = [cells[layout.token_at(len(cells))] for cells in table]
            return words, [] if layout.tag is None else [cells[layout.tag_at(len(cells))] for cells in table]
        tags = [] if layout.tag is None else list(map(itemgetter(layout.tag), table))
        return list(map(itemgetter(layout.token), table)), tags

    def _other_width(self, body: str, cells: Sequence[str], line: int) -> InputError:
        """The error of a row with more or fewer cells than most; it names the option that reads it, if there is one."""
        layout, tag = self.layout, self.layout.tag or 0
        options = [
            f"--tag-column {option} reads {quoted(layout.tag_in(cell))} as its tag"
            for option, cell in ((tag + 1, cells[tag]), (-1, cells[-1]))
            if layout.is_known(layout.tag_in(cell)) and (option > 0 or tag == layout.width - 1)
        ]
        hint = "labels or tokens with spaces need tabs between columns"
        if options:
            hint += f"; {', '.join(options)}"
        usual = counted(layout.width, "column")
        message = f"expected {usual}, as most rows have, found {len(cells)}: {quoted(body)}; {hint}"
        return InputError(message, path=self.path, line=line)

    def writer(self, target: FilePath, scheme: str | None) -> TagWriter:
        """The writer of its tags into another file: in a scheme, or in its own (IOB2 if it has none)."""
        chosen = get_scheme(scheme) if scheme else self.tag_reader.scheme or get_scheme("IOB2")
        return TagWriter(
            chosen,
            target,
            None if self.layout.tag_is_rest or self.layout.quoted else self.layout.separator,
            prefixless=chosen.bare_labels and self.layout.prefixless,
        )


class _Piece(NamedTuple):
    """Lines without a blank one between them, see `RawSentence`; indices are those in `lines`.

    Attributes:
        opens_document: True if a document begins with them.
    """

    lines: list[str]
    rows: list[str]
    token_lines: Sequence[int]
    comments: list[str]
    skipped: list[int]
    marked: list[int]
    opens_document: bool = False


def read_raw_sentences(lines: Iterable[str], layout: ColumnLayout) -> Iterator[RawSentence]:
    """Cut a file into the raw lines of its sentences. No line is lost: joined, they are the file.

    A sentence ends at a line of nothing but whitespace or a mark that is no row, where a column says so, and before a
    document mark: a `-DOCSTART-` line in any of its spellings, or a comment that begins with `# newdoc` or
    `#begin document`. A mark that follows no sentence opens no
    further document, so files that begin with one, end with one, or do both, count alike.

    Raises:
        InputError: If more than `MOST_LINES` lines hold no end of a sentence.
    """
    raw, has_sentence, no_rows = RawSentence(1, 0), False, layout.no_rows
    for is_blank, block in _blocks(lines, layout):
        if len(block) > MOST_LINES or len(raw.lines) > MOST_LINES:
            message = f"expected a sentence and a blank line behind it within {MOST_LINES:,} lines, found none"
            raise InputError(message, line=raw.line + len(raw.lines))
        if is_blank:
            raw.lines += block
            if len(raw.lines) > _MOST_BLANK:  # millions of them may follow each other: memory stays flat
                yield raw
                raw, has_sentence = RawSentence(raw.line + len(raw.lines), raw.document), has_sentence or bool(raw.rows)
            continue
        for piece in _pieces(block, layout, no_rows):
            if raw.rows:
                yield raw
                raw, has_sentence = RawSentence(raw.line + len(raw.lines), raw.document), True
            if piece.opens_document:
                raw.document += has_sentence
                has_sentence = False
            raw.add(piece)
    if raw.lines:
        yield raw


def _blocks(lines: Iterable[str], layout: ColumnLayout) -> Iterator[tuple[bool, list[str]]]:
    """The lines between blank lines, cut where a column tells that a sentence begins; and the blank lines.

    Of too many for a sentence, the first are given, and one more.
    """
    for is_blank, group in groupby(lines, str.isspace):
        if is_blank:
            while block := list(islice(group, _MOST_BLANK)):
                yield True, block
            continue
        if layout.sentence is None:
            yield False, list(islice(group, MOST_LINES + 1))
            continue
        block, comments, before = list[str](), list[str](), ""
        for line in group:
            cells = layout.cells(line)
            is_no_row = line.rstrip("\r\n") == layout.header or (line[0] == "#" and not _is_hashtag(line, layout))
            has_cell = len(cells) > layout.sentence.column
            if is_no_row or not (has_cell or layout.fits(len(cells))):
                comments.append(line)  # it belongs to the row behind it
                continue
            cell = cells[layout.sentence.column] if has_cell else ""  # of a row that is too short
            if before and layout.sentence.begins(before, cell):
                yield False, block
                block = []
            block += [*comments, line]
            if len(block) > MOST_LINES:
                break
            comments, before = [], cell or ("" if layout.sentence.rule == "end" else before)
        yield False, block + comments


def _pieces(lines: list[str], layout: ColumnLayout, no_rows: Sequence[str]) -> list[_Piece]:
    """Lines up to a blank one: one sentence, unless a document mark or one of the texts of no rows stands within."""
    # 1. In most sentences every line behind the first comments is a token. One look at all of them is much faster than
    #    one at each.
    head = 0
    while layout.numbered and head < len(lines) and lines[head][0] == "#":
        head += 1
    comments, rows = lines[:head], lines[head:]
    body = "".join(rows)
    is_mixed = body[:1] == "#" or "\n#" in body or "docstart" in body.lower() or BYTE_ORDER_MARK in body
    is_mixed = is_mixed or any(map(body.__contains__, no_rows))
    if layout.numbered and not is_mixed:
        is_mixed = bool(_NOT_A_TOKEN.match(body) or _NOT_A_TOKEN_LATER.search(body))
    if not is_mixed:
        opens_document = any(map(_NEW_DOCUMENT.match, comments))
        return [_Piece(lines, rows, range(head, len(lines)), comments, [], [], opens_document=opens_document)]
    # 2. Else line by line.
    indices: list[int] = []
    pieces = [_Piece([], [], indices, [], [], [])]
    for line in lines:
        kind = _kind_of(without_mark(line, SEPARATORS[layout.separator]), layout)
        if kind in ("document", "blank", "skipped"):
            indices = []
            pieces.append(_Piece([], [], indices, [], [], [], opens_document=kind == "document"))
        piece, index = pieces[-1], len(pieces[-1].lines)
        if kind == "token":
            indices.append(index)
            piece.rows.append(line)
        elif kind == "skipped":
            piece.skipped.append(index)
        elif kind == "comment" or line[0] == "#":
            piece.comments.append(line)
        if line[0] == BYTE_ORDER_MARK and layout.cells(line)[0] != BYTE_ORDER_MARK:
            piece.marked.append(index)
        piece.lines.append(line)
    return [piece for piece in pieces if piece.lines]


def _kind_of(line: str, layout: ColumnLayout) -> Literal["token", "comment", "document", "skipped", "blank"]:
    if line[0] == "#" and not _is_hashtag(line, layout):
        return "document" if _NEW_DOCUMENT.match(line) else "comment"
    if line[0] == "#" or len(line) > LONGEST_ROW:  # which is refused
        return "token"
    if layout.numbered and _NOT_A_TOKEN.match(line):
        return "comment"
    cells = layout.cells(line)
    if line.strip(BYTE_ORDER_MARK).isspace() or (layout.quoted and not any(cells)):
        return "blank"
    body = line.rstrip("\r\n")
    if body == layout.header or (line.startswith(layout.marks or ("\n",)) and mark_of(body, cells)):
        return "skipped"
    token = cells[min(layout.token, len(cells) - 1)]
    return "document" if DOCUMENT_START.match(token) or DOCUMENT_START.match(cells[0]) else "token"


def _is_hashtag(line: str, layout: ColumnLayout) -> bool:
    """True if a line that begins with `#` is a token all the same: a hashtag with its tag.

    If spaces separate the columns, the words of a comment are cells too, and `# I went home` has an `I` in the second.
    So after a `#` alone there have to be as many as in other rows, and a tag that can hardly be a word.
    """
    is_never = layout.numbered or layout.has_document_columns or len(line) > LONGEST_ROW
    if is_never or (layout.bracketed and _NEW_DOCUMENT.match(line)):
        return False
    cells = layout.cells(line)
    is_whole, is_joined = len(cells) == layout.width, not line.startswith("# ")
    if layout.tag is None:
        return is_whole and (is_joined or layout.width < 3 or any(map(layout.has_label, cells)))
    tag = layout.tag_in(cells[layout.tag_at(len(cells))]) if layout.fits(len(cells)) else ""
    if layout.bracketed:  # rows have as many columns as the sentence has predicates
        is_known = {f"B-{label}" for label in labels_of_brackets([tag])} <= layout.sample_tags
        return is_bracketed(tag) and (is_joined or is_known)
    if layout.separator == "tab":
        return layout.is_tag(tag) if is_joined or not layout.prefixless else layout.is_known(tag)
    if is_joined:
        return (
            layout.is_outside(tag)
            or layout.has_label(tag)
            or (is_whole and (layout.prefixless or layout.is_known(tag)))
        )
    return is_whole and layout.is_known(tag)


# Rewriting: the tags of a file are replaced.


def replace_tags(
    source: FilePath,
    target: FilePath,
    sentences: Iterable[Sentence],
    *,
    scheme: str = "IOB2",
    scores: bool = False,
    options: ReadOptions | None = None,
) -> None:
    """Write a column file again with other spans, for instance predicted ones, in place of its own.

    Args:
        source: The file to read; it needs no tags, in which case a column is added for them.
        target: The file to write.
        sentences: Those that `read_conll` yields for the source with these options, with new spans.
        scheme: The tag scheme to write.
        scores: True to add a column with the scores of the entities, as `Conll.write` does.
        options: The options of reading the source.

    Raises:
        InputError: If the source cannot be read or the target not written.
        ValueError: If the sentences are not those of the source.
    """
    file = ColumnFile(source, replace(options or ReadOptions(), read_tags=False))
    if not file.keeps_rows(target):
        tagged = (sentence for _, sentence in _paired(file, iter(sentences)) if sentence is not None)
        Conll().write(target, tagged, WriteOptions(scheme, file.options.encoding, scores=scores))
        return
    _Rewriter(file, file.writer(target, scheme), scores=scores).write(_paired(file, iter(sentences)))


def _paired(file: ColumnFile, sentences: Iterator[Sentence]) -> Iterator[tuple[RawSentence, Sentence | None]]:
    """Each raw sentence of a file with the sentence that belongs to it."""
    for raw in file.raw_sentences():
        sentence = next(sentences, None) if raw.rows else None
        if raw.rows and sentence is None:
            raise ValueError(f"expected as many sentences as {file.path} has, got fewer")
        yield raw, sentence
    if next(sentences, None) is not None:
        raise ValueError(f"expected as many sentences as {file.path} has, got more")


@dataclass(frozen=True, slots=True)
class _Rewriter:
    """Writes a column file with other tags.

    Attributes:
        file: The file.
        writer: Makes the tags.
        keeps_brackets: True to write entities in brackets again.
        scores: True to add a column with the scores of entities.
    """

    file: ColumnFile
    writer: TagWriter
    keeps_brackets: bool = False
    scores: bool = False

    def write(self, pairs: Iterable[tuple[RawSentence, Sentence | None]]) -> None:
        """Write the lines of each raw sentence with the tags of its sentence."""
        lines, sentences = list[str](), 0
        with writing(self.writer.target, self.file.options.encoding) as out:
            if self.file.text.byte_order_mark:
                out.write(BYTE_ORDER_MARK)
            for raw, sentence in pairs:
                if sentence is None:
                    out.writelines(raw.lines)
                    continue
                tags = self.writer.tags(sentence)
                if self.keeps_brackets:
                    tags = brackets_of(sentence.spans, len(tags))
                cells = score_cells(sentence) if self.scores else [""] * len(tags)
                lines, sentences = self._lines(raw, tags, cells), sentences + 1
                out.writelines(lines)
            if sentences == 1 and self.file.options.token_unit == "character":
                self._check_numbers(lines)
        self.writer.warn()

    def _check_numbers(self, lines: Sequence[str]) -> None:
        """Refuse a single sentence whose numbers, repeated for each character, would be read as those of sentences.

        Of several, blank lines show where they begin.
        """
        found = find_layout("".join(lines).split("\n"), self.file.options, self.file.path).sentence
        if found is not None and found != self.file.layout.sentence:
            message = f"column {found.column + 1}, repeated for each character, would number sentences: take it out"
            raise InputError(message, path=self.file.path)

    def _lines(self, raw: RawSentence, tags: list[str], cells: list[str]) -> list[str]:
        """The lines of a raw sentence with new tags, and cells to be added where they are not empty."""
        file, layout = self.file, self.file.layout
        words, old = file.columns(raw)
        by_character = file.options.token_unit == "character"
        expected = sum(len(characters_of(word)) for word in words) if by_character else len(words)
        if len(tags) != expected:
            raise ValueError(f"{file.path}:{raw.line}: expected tags for {expected} tokens, got {len(tags)}")
        if layout.bracketed:
            old = []  # they were read as tags, but the file has brackets
        if tags == old and not by_character and not self.scores:
            return raw.lines
        rows = raw.rows
        if layout.tag is None or self.scores:  # a column can only be added where all rows have the same
            for row, line in zip(rows, raw.line_numbers, strict=True):
                if len(layout.cells(row)) != layout.width:
                    usual, body = counted(layout.width, "column"), row.rstrip("\r\n")
                    added = "tags" if layout.tag is None else "scores"
                    message = f"expected {usual}, as most rows have, to add one of {added}, found {quoted(body)}"
                    raise InputError(message, path=file.path, line=line)
        if by_character:
            rows = self._rows_by_character(rows, words, zip(tags, cells, strict=True))
        else:
            rows = list(map(self._tagged, rows, old or [""] * len(words), tags, cells))
        lines = list(raw.lines)
        if (layout.tag is None or self.scores) and (raw.skipped or raw.comments):
            lines = [self._named(line) for line in lines]
        for index, row in zip(raw.token_lines, rows, strict=True):
            lines[index] = row
        return lines

    def _named(self, line: str) -> str:
        """A line; with names for the columns that are added, if it names the columns."""
        layout, body = self.file.layout, line.rstrip("\r\n")
        is_global = body.startswith(GLOBAL_COLUMNS)
        if not is_global and (body != layout.header or not body):
            return line
        names = body.split() if is_global else layout.cells(line)
        added = [next(name for name in _NEW_NAMES if name not in names)] if layout.tag is None else []
        for name in [*added, "score"] if self.scores else added:
            line = f"{body} {name}{line[len(body) :]}" if is_global else layout.extended(line, name)
            body = line.rstrip("\r\n")
        return line

    def _rows_by_character(
        self, rows: Sequence[str], words: Sequence[str], tagged: Iterator[tuple[str, str]]
    ) -> list[str]:
        """Each row repeated for every character of its token, and counted anew if the rows are numbered.

        Args:
            rows: The rows.
            words: The token of each.
            tagged: The tag of each character, and the cell to be added.
        """
        layout, numbers = self.file.layout, count(1)
        counts_tokens = layout.numbered and layout.sentence != SentenceColumn(0, "value")
        repeated = []
        for row, word in zip(rows, words, strict=True):
            line, pieces = row if row.endswith("\n") else f"{row}\n", ""
            column = layout.token_at(len(layout.cells(row)))
            for character in characters_of(word) or [""]:  # an empty token keeps its row, and so its sentence
                changes: Mapping[int, str] = {0: str(next(numbers))} if counts_tokens else {}
                if len(word) > 1 and character:
                    changes = {**changes, column: layout.language + character}
                tag, cell = next(tagged) if character else (OUTSIDE, NO_SCORE * self.scores)
                pieces += self._tagged(layout.rewritten(line, changes), "", tag, cell)
            repeated.append(pieces)
        return repeated

    def _tagged(self, row: str, old: str, tag: str, added: str) -> str:
        """A row with a new tag; `old` is the tag it has, "" if it has none, `added` a cell at its end, "" for none."""
        layout = self.file.layout
        if added:
            row = self._tagged(row, old, tag, "")
            return layout.extended(row, added)
        if layout.tag is None:
            return layout.extended(row, tag)
        if old == tag:
            return row
        # A tag that means the same keeps its spelling: `B_PER` for `B-PER`, and `(GPE*)` for `(GPE)`.
        cells = layout.cells(row)
        column = layout.tag_at(len(cells))
        cell = cells[column]
        old = layout.tag_in(cell)
        is_same = old == tag
        if self.keeps_brackets:
            is_same = same_brackets(old, tag)
        elif not layout.prefixless:
            is_same = is_same or split_tag(old) == split_tag(tag)
        return row if is_same else layout.rewritten(row, {column: layout.with_tag(cell, tag)})
