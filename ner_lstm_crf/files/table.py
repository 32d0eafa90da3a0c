r"""Tables with a text in one column: CSV, whose cells may hold separators, quotes and line breaks within double quotes.

The first row names the columns where one of them is asked for by its name; asked for by its number, all rows are texts.
A table of one column needs no separator: the commas in it are those of its texts.
"""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice

from ner_lstm_crf.errors import InputError, counted, did_you_mean

_log = logging.getLogger(__name__)

SEPARATORS: Mapping[str, str] = {"tab": "\t", "comma": ",", "semicolon": ";"}
"""The separators of tables by their names."""

_NONE = "\x1f"  # the separator of a table of one column
_SAMPLE_LINES = 100
_LONGEST_CELL = 2**24  # characters
_MOST_NAMED = 10  # columns that are named in a message
_WORDS_OF_A_NAME = 2


def read_texts(lines: Iterable[str], column: str, separator: str | None = None) -> Iterator[dict[str, str]]:
    r"""The rows of a table, each with its cells by the names of their columns, and its text as `text`.

    Args:
        lines: The lines of the table, with their ends.
        column: The column of the texts: its name in the first row; or its number, from 1, or from the end as -1. Then
            all rows are texts, and the others are called `column 1` and so on.
        separator: A key of `SEPARATORS`; None to detect it.

    Raises:
        InputError: If there is no such column, two columns would have one name, or a row has more or fewer cells than
            the first; without the file, which the caller adds.

    Example:
        >>> next(read_texts(['id,body\n', '7,"Ada, in Rome"\n'], "body"))
        {'id': '7', 'text': 'Ada, in Rome'}
    """
    remaining = iter(lines)
    first = list(islice(remaining, _SAMPLE_LINES))
    rows = _rows(chain(first, remaining), SEPARATORS[separator] if separator else _separator(first))
    begin = next(rows, None)
    if begin is None:
        return
    # 1. The names of the columns, and which of them is that of the texts.
    line, head = begin
    if column.lstrip("-").isdecimal():
        names, number = [f"column {at}" for at in range(1, len(head) + 1)], int(column)
        if number == 0 or abs(number) > len(head):
            raise InputError(f"expected a column from 1 to {len(head)}, or from -{len(head)} to -1, got {column}")
        at = number - 1 if number > 0 else len(head) + number
        rows = chain([begin], rows)
        if len(head) > 1 and _are_names(head):
            _log.warning(
                "the first row is read as a text: %s (a column that it names is chosen by its name)", ", ".join(head)
            )
    else:
        names = [cell.strip() for cell in head]
        if column not in names:
            known = f"the first row has {', '.join(names[:_MOST_NAMED])}"
            raise InputError(f"no column is called {column!r}{did_you_mean(column, names)} ({known})", line=line)
        at = names.index(column)
    names[at] = "text"
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"two columns are called {twice!r}: rename one that holds no texts", line=line)
    # 2. The rows.
    for line, cells in rows:
        if len(cells) != len(names):
            usual = counted(len(names), "cell")
            why = "a cell that holds the separator needs double quotes"
            raise InputError(f"expected {usual} as in the first row, found {len(cells)}: {why}", line=line)
        yield dict(zip(names, cells, strict=True))


def column_of_texts(lines: Iterable[str]) -> str | None:
    r"""The column of a table that seems to hold its texts, as `read_texts` takes it; None if each line is a text.

    Example:
        >>> column_of_texts(["id,body\n", "7,Ada in Rome\n"]), column_of_texts(["7,Ada in Rome\n", "8,Lu in Oslo\n"])
        ('body', '2')
        >>> column_of_texts(["Ada, in Rome\n", "Lu\n"]), column_of_texts(["text\n", "Ada, in Rome\n", "Lu sings\n"])
        (None, 'text')
    """
    first = list(islice(lines, _SAMPLE_LINES))
    sign = _separator(first)
    rows = [cells for _, cells in _rows(first, sign, strict=False)]
    head, others = rows[0], [row for row in rows[1:] if len(row) == len(rows[0])] or rows[:1]
    words = [sum(len(row[at].split()) for row in others) for at in range(len(head))]
    at = words.index(max(words))
    longer = words[at] >= 2 * len(head[at].split()) * len(others)  # texts are, than the name of their column
    is_header = _are_names(head) and len(rows) > 1 and longer
    if is_header and head.count(head[at]) == 1 and not head[at].strip().isdecimal():
        return head[at].strip()
    return None if sign == _NONE and not any(line.startswith('"') for line in first) else str(at + 1)


def _rows(lines: Iterable[str], sign: str, *, strict: bool = True) -> Iterator[tuple[int, list[str]]]:
    """The cells of each row that is not blank, with the number of its last line."""
    limit = csv.field_size_limit(_LONGEST_CELL)
    reader = csv.reader(lines, delimiter=sign, strict=strict)
    try:
        yield from ((reader.line_num, row) for row in reader if row)
    except csv.Error as error:
        why = f"expected cells with all of their text in double quotes, or without quotes: {error}"
        raise InputError(why, line=reader.line_num) from None
    finally:
        csv.field_size_limit(limit)


def _separator(lines: Sequence[str]) -> str:
    """The separator of the first lines of a table: one that all rows have as often, else one between names."""
    found = {sign: [row for _, row in _rows(lines, sign, strict=False)] for sign in SEPARATORS.values()}
    whole = None if len(lines) < _SAMPLE_LINES else -1  # the last row may go on
    widths = {sign: {len(row) for row in rows[:whole]} for sign, rows in found.items()}
    even = [sign for sign, of_rows in widths.items() if len(of_rows) == 1 and of_rows != {1}]
    heads = {sign: rows[0] for sign, rows in found.items() if rows and not any(cell[:1] == " " for cell in rows[0])}
    named = [sign for sign, head in heads.items() if len(head) > 1 and _are_names(head)]
    return max(even or named, key=lambda sign: len(found[sign][0]), default=_NONE)


def _are_names(cells: Sequence[str]) -> bool:
    """True if cells can be the names of columns: short."""
    return all(0 < len(cell.split()) <= _WORDS_OF_A_NAME for cell in cells)
