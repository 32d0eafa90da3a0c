"""The rows of a slice, in batches: JSON objects, lines of text, or a part of a Parquet file; each with a text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from ner_lstm_crf.bulk.inputs import Slice, open_parquet
from ner_lstm_crf.errors import InputError, did_you_mean
from ner_lstm_crf.files.encodings import BYTE_ORDER_MARK
from ner_lstm_crf.files.json import as_object, as_record, json_values
from ner_lstm_crf.files.text import LONGEST_LINE, EmptyFileError, TextFile

BATCH_BYTES = 2**24
"""About as many bytes of text are in memory at once."""

_PIECE = 2**20  # bytes


RecordBatch: TypeAlias = Any
"""A record batch of Arrow."""


class Batch(NamedTuple):
    """Some rows of a slice.

    Attributes:
        texts: Their texts; None for one of Parquet that is null.
        rows: All of them: objects, or a record batch of Arrow.
        lines: The line of each in its file, from 1; for Parquet the row.
    """

    texts: list[str | None]
    rows: Any
    lines: list[int]


def read_batches(part: Slice, text_column: str, encoding: str, *, texts_alone: bool = False) -> Iterator[Batch]:
    """The rows of a slice.

    Args:
        part: The slice.
        text_column: The key, or the column, of the text.
        encoding: The encoding of files of text.
        texts_alone: True to read no other column of Parquet.

    Raises:
        InputError: If the file cannot be read, is damaged, or a row has no string there; with the file, and the line or
            the row.
    """
    if part.kind == "parquet":
        yield from _parquet_batches(part, text_column, texts_alone=texts_alone)
        return
    lines, first = _lines(part, encoding)
    try:
        if part.kind == "text":
            rows: Iterable[tuple[int, dict[str, Any]]] = (
                (number, {text_column: line.removesuffix("\n").removesuffix("\r")})
                for number, line in enumerate(lines, 1)
            )
        else:
            rows = ((number, _record(value, number, text_column)) for number, value in json_values(lines))
        yield from _batches(rows, text_column)
    except EmptyFileError:
        return
    except InputError as error:
        line = error.line if error.line is None or error.path is not None else error.line + first()
        raise InputError(error.message, path=error.path or part.path, line=line) from None


def _record(value: Any, number: int, text_column: str) -> dict[str, Any]:
    try:
        return as_record(as_object(value), text_column)
    except InputError as error:
        raise error.at(line=number) from None


def _batches(rows: Iterable[tuple[int, dict[str, Any]]], text_column: str) -> Iterator[Batch]:
    """Objects in batches."""
    batch, size = Batch([], [], []), 0
    for number, row in rows:
        text = row[text_column]
        batch.texts.append(text)
        batch.rows.append(row)
        batch.lines.append(number)
        size += len(text) + 1
        if size >= BATCH_BYTES:
            yield batch
            batch, size = Batch([], [], []), 0
    if batch.texts:
        yield batch


def _lines(part: Slice, encoding: str) -> tuple[Iterator[str], Callable[[], int]]:
    """The lines of a slice, and a function that counts those before it."""
    if part.stop is None:
        try:
            return TextFile(part.path, encoding).lines(), int
        except EmptyFileError:
            return iter(()), int
    return _lines_between(part, part.stop), partial(_ends_before, part.path, part.start)


def _lines_between(part: Slice, stop: int) -> Iterator[str]:
    """The lines that begin from one byte on and before another, of UTF-8.

    Raises:
        InputError: As `TextFile.lines` does.
    """
    try:
        with Path(part.path).open("rb") as file:
            if part.start:  # the line that goes on here belongs to the slice before
                file.seek(part.start - 1)
                while (rest := file.readline(_PIECE)) and not rest.endswith(b"\n"):
                    pass
            while file.tell() < stop and (line := file.readline(LONGEST_LINE + 1)):
                if len(line) > LONGEST_LINE:
                    raise UnicodeError
                text = line.decode()
                if not part.start and file.tell() == len(line):
                    text = text.removeprefix(BYTE_ORDER_MARK)
                if text:
                    yield text
    except UnicodeError:  # which line it is, and what may be done, is found from the beginning of the file
        for _ in TextFile(part.path).lines():
            pass
        raise InputError("expected UTF-8", path=part.path) from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=part.path) from error


def _ends_before(path: str, start: int) -> int:
    """The number of lines that end before the slice whose lines begin from this byte on."""
    with Path(path).open("rb") as file:
        count, left = 0, max(start - 1, 0)
        while left and (content := file.read(min(_PIECE, left))):
            count, left = count + content.count(b"\n"), left - len(content)
        return count + (start > 0)  # the end of the line that goes on there


def _parquet_batches(part: Slice, text_column: str, *, texts_alone: bool) -> Iterator[Batch]:
    """The rows of a slice of Parquet.

    Raises:
        InputError: As `read_batches` does.
    """
    import pyarrow as pa

    file, stop = open_parquet(part.path), part.stop or 0
    check_text_column(file.schema_arrow, part.path, text_column)
    # 1. The row groups that hold rows of the slice.
    groups, first, begin = list[int](), 0, 0
    for number in range(file.metadata.num_row_groups):
        end = begin + file.metadata.row_group(number).num_rows
        if begin < stop and part.start < end:
            first = first if groups else begin
            groups.append(number)
        begin = end
    size = sum(file.metadata.row_group(number).total_byte_size for number in groups)
    rows = sum(file.metadata.row_group(number).num_rows for number in groups)
    most = max(1, min(rows, BATCH_BYTES * rows // max(size, 1), 2**16))
    # 2. Their rows, without those before and after the slice.
    at = first
    try:
        columns = [text_column] if texts_alone else None
        for batch in file.iter_batches(most, row_groups=groups, columns=columns) if groups else ():
            begin, at = at, at + batch.num_rows
            inside = batch.slice(max(part.start - begin, 0))
            begin = max(part.start, begin)
            inside = inside.slice(0, max(stop - begin, 0))
            if inside.num_rows:
                yield _batch_of(inside, text_column, begin, part.path)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"the Parquet file is damaged: {error}", path=part.path) from error


def _batch_of(batch: RecordBatch, text_column: str, first: int, path: str) -> Batch:
    """A record batch with its texts.

    Raises:
        InputError: If a text is not UTF-8.
    """
    numbers = list(range(first + 1, first + 1 + batch.num_rows))
    try:
        texts = batch.column(batch.schema.get_field_index(text_column)).to_pylist()
    except UnicodeDecodeError as error:
        message = f"the column {text_column!r} has a text that is not UTF-8, from row {numbers[0]:,} on"
        raise InputError(message, path=path) from error
    return Batch(texts, batch, numbers)


def check_text_column(schema: Any, path: str, text_column: str) -> None:
    """Refuse a schema of Arrow without a column of texts.

    Raises:
        InputError: If there is no such column, or several, or it does not hold texts.
    """
    from pyarrow import types

    names = schema.names
    if names.count(text_column) != 1:
        which = ", ".join(names[:20]) or "none"
        what = "several columns are" if text_column in names else "no column is"
        near = did_you_mean(text_column, names)
        raise InputError(f"{what} called {text_column!r}{near}: --text-column names one of {which}", path=path)
    kind = schema.field(text_column).type
    if types.is_dictionary(kind):
        kind = kind.value_type
    if not (types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)):
        raise InputError(f"expected texts in the column {text_column!r}, found the type {kind}", path=path)
