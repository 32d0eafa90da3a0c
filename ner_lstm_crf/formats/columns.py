"""The columns of a file: their layout, the rows read and written by it, and entities in brackets.

Users count columns from 1, or from the end as -1, -2; `ColumnLayout` counts from 0.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from ner_lstm_crf.files.encodings import BYTE_ORDER_MARK
from ner_lstm_crf.files.text import FilePath, quoted
from ner_lstm_crf.tags.notation import STANDARD, UNKNOWN, Notation, is_tag
from ner_lstm_crf.tags.scheme import OUTSIDE, PREFIXES, TagError, split_tag
from ner_lstm_crf.text.annotation import Span
from ner_lstm_crf.text.scripts import EMOJI_MODIFIERS, MARKS

Separator: TypeAlias = Literal["tab", "space", "comma", "semicolon"]

SEPARATORS: Mapping[Separator, str] = {"tab": "\t", "space": " ", "comma": ",", "semicolon": ";"}
"""The character between two cells. Of spaces there may be several, with tabs among them."""

INDEXED_CHARACTER = re.compile(rf"(.[{MARKS}{EMOJI_MODIFIERS}]*)([0-9]{{1,2}})", re.DOTALL)
"""A character, with the marks that join it, and its index in its word, from 0."""

LONGEST_ROW = 1_000_000
"""The most characters of a row; a longer line is refused before it is cut into cells."""

MOST_LINES = 1_000_000
"""The most lines of a sentence. All are in memory at once."""

DOCUMENT_START = re.compile(r"[-<]+DOCSTART", re.IGNORECASE)
"""The beginning of a token that is no token but the start of a document."""

NUMBER = re.compile(r"([0-9]{1,9})(?:[-.][0-9]{1,9})?(?![0-9])")
"""A token's number; `1-2` and `1.1` are the ranges and empty nodes of CoNLL-U."""

SENTENCE_END = re.compile(r"\b(?:EndOfSentence|PySBDSegment)\b")
"""A feature of the last token of a sentence, as in the corpora of HIPE."""

WEBANNO = "#FORMAT=WebAnno TSV 3"
"""The beginning of a file of tokens with several layers of annotation, which are not those of column files."""

_COMMENT_SIGN = r"(?:%+|;;+|//+)(?=\s)"  # that of a `#` is every file's
_RULER = r"([-=*~])\1\1(?=\1*$)|([=*])\2(?=.*\s\2\2+$)"  # a row of signs, or a text between two
_MARK = re.compile(rf"[A-Z][A-Z_]+ ?[:=]|</?[A-Za-z]\w*(?=[\s/>])|{_COMMENT_SIGN}|{_RULER}")
_SPACED_MARK = re.compile(rf"[A-Z][A-Z_]+ ?[:=] ?\S*[0-9]\S*|<[^<>]*>|{_COMMENT_SIGN}.*|([=*])\1+\s.*\s\1\1+")
SEPARATOR_MARK = re.compile(r"sep=([,;\t])")  # as the first line of a table, for Excel
_BETWEEN_FEATURES = re.compile(r"\||[\s;,]+(?=[^\s|;,=]+=)")  # `a=b|c=d`; badly written also `a=b c=d` and `a=b;c=d`
_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff"  # no white space to Python
_PIECES = {
    separator: re.compile(rf'(?:^|{sign})("(?:[^"]|"")*"(?={sign}|$)|[^{sign}]*)')
    for separator, sign in SEPARATORS.items()
}
_SPACES = re.compile(r"[ \t]+")
_BRACKETED = re.compile(r"(?:\((?P<label>[^\s()*|]+))?(?:\*\)?|(?<=[^(*])\))")


class SentenceColumn(NamedTuple):
    """A column that tells where sentences begin, in a file without blank lines or with a header that names it so.

    Attributes:
        column: The column, from 0.
        rule: `value` if another value begins a sentence (an empty cell repeats the one before); `count` if the column
            counts tokens anew in each sentence; `end` if the last token of a sentence is marked (`EndOfSentence`).
    """

    column: int
    rule: Literal["value", "count", "end"]

    def begins(self, before: str, cell: str) -> bool:
        """True if a sentence begins with the row of a cell; `before` is the last one that was not empty."""
        if self.rule == "end":
            return SENTENCE_END.search(before) is not None
        if self.rule == "value":
            return cell not in ("", before)
        old, new = map(NUMBER.match, (before, cell))
        if old is None or new is None:
            return False
        are_tokens = before.isdecimal() and cell.isdecimal()  # no ranges or empty nodes of CoNLL-U
        return int(new[1]) < int(old[1]) or (are_tokens and int(new[1]) == int(old[1]))


@dataclass(frozen=True, slots=True)
class ColumnLayout:
    """The columns of one file, counted from 0.

    Attributes:
        token: The token's column.
        tag: The tag's column; None if the file has none.
        width: The number of columns of most rows.
        separator: What stands between columns. Between commas and semicolons, cells may be in double quotes.
        numbered: True if the first column counts the tokens of a sentence.
        key: The name before `=` if the tag is one of several features in its column, else None.
        prefixless: True if the tags are labels without prefixes (`PER`).
        notation: The notation of the first tags.
        bracketed: True if entities stand in brackets over their tokens (`(ORG*`, `*)`), as in CoNLL-2012.
        has_document_columns: True if document, part and number stand before each token, as in CoNLL-2012, and behind
            the tag as many columns as the sentence has predicates.
        has_char_index: True if each token is a character with its index in its word behind it, as in Weibo NER:
            `科0 技1`.
        language: The text before each token, as in WikiANN: `en:` before `en:Rome`.
        quoted: True if cells may be in double quotes, with quotes doubled within.
        token_from_end: True if the token's column is counted from the end of each row.
        tag_from_end: True if the tag's column is.
        tag_is_rest: True if all that is left of a row is its tag, in a file whose labels hold spaces.
        sentence: The column that tells where sentences begin; None if blank lines do alone.
        header: The line that names the columns; "" if there is none.
        marks: The beginnings of lines that are no rows, as `IMGID:` before each sentence.
        names_outside: True if the feature `key` says `O` of tokens in no entity, so that those without it are odd.
        spaces: The column of features that may say that no space follows (`SpaceAfter=No`); None if there is none.
        texts: The column that holds texts of several words, in a file without tags; None if there is none.
        sample_tags: The tags of the first rows.
        other_tag_columns: Further columns with tags of entities, if none was chosen: nested ones, or predictions.
    """

    token: int
    tag: int | None
    width: int
    separator: Separator
    numbered: bool = False
    key: str | None = None
    prefixless: bool = False
    notation: Notation = STANDARD
    bracketed: bool = False
    has_document_columns: bool = False
    has_char_index: bool = False
    language: str = ""
    quoted: bool = False
    token_from_end: bool = field(default=False, compare=False)
    tag_from_end: bool = field(default=False, compare=False)
    tag_is_rest: bool = False
    sentence: SentenceColumn | None = None
    header: str = field(default="", compare=False)
    marks: tuple[str, ...] = field(default=(), compare=False)
    names_outside: bool = field(default=False, compare=False)
    spaces: int | None = field(default=None, compare=False)
    texts: int | None = field(default=None, compare=False)
    sample_tags: frozenset[str] = field(default=frozenset(), compare=False)
    other_tag_columns: tuple[int, ...] = field(default=(), compare=False)

    @property
    def tag_columns(self) -> tuple[int, ...]:
        """The columns with tags of entities, and first the one that is read."""
        return () if self.tag is None else (self.tag, *self.other_tag_columns)

    @property
    def no_rows(self) -> tuple[str, ...]:
        """Texts that lines without a token hold; a row may hold them, too."""
        blank = SEPARATORS[self.separator] * (self.width - 1) if self.quoted else ""
        return tuple(filter(None, (self.header, blank, *self.marks)))

    # Rows are read.

    def cells(self, row: str) -> list[str]:
        """The cells of a row, without quotes around them, and without a byte order mark before them."""
        body = without_mark(row.rstrip("\r\n"), SEPARATORS[self.separator])
        if self.separator == "space":
            return split_at_spaces(body, self.width - 1 if self.tag_is_rest else 0)
        return list(map(unquoted, self._pieces(body))) if self.quoted else body.split(SEPARATORS[self.separator])

    def table(self, rows: Sequence[str]) -> list[list[str]]:
        """The cells of each row."""
        if self.quoted or self.tag_is_rest or BYTE_ORDER_MARK in "".join(rows):
            return list(map(self.cells, rows))
        if self.separator == "space":
            return [split_at_spaces(row.rstrip("\r\n")) for row in rows]
        separator = SEPARATORS[self.separator]
        return [row.rstrip("\r\n").split(separator) for row in rows]

    def columns(self, rows: Sequence[str]) -> tuple[list[str], list[str]] | None:
        """The token and the tag column of raw rows; None unless all have the usual width and one space, if any.

        All rows are split at once, with the line ends as cells of their own that prove each row's width: three times
        as fast as row by row.
        """
        text, separator, width = "".join(rows), SEPARATORS[self.separator], self.width
        if not text.endswith("\n"):
            text += "\n"
        if "\r" in text or "\0" in text or BYTE_ORDER_MARK in text or (self.quoted and '"' in text):
            return None
        if separator == " " and ("  " in text or "\t" in text or " \n" in text or "\n " in text or text[0] == " "):
            return None
        cells = text.replace("\n", f"{separator}\n{separator}").split(separator)
        if len(cells) != len(rows) * (width + 1) + 1 or cells[width :: width + 1].count("\n") != len(rows):
            return None
        tags = [] if self.tag is None else cells[self.tag : -1 : width + 1]
        return cells[self.token : -1 : width + 1], tags

    def token_at(self, width: int) -> int:
        """The index of the token's cell in a row of so many columns; negative if it has too few."""
        return self.token + (width - self.width if self.token_from_end else 0)

    def tag_at(self, width: int) -> int:
        """The index of the tag's cell in a row of so many columns; negative if it has too few, or there are no tags."""
        return -1 if self.tag is None else self.tag + (width - self.width if self.tag_from_end else 0)

    def fits(self, width: int) -> bool:
        """True if a row of so many columns has a token and a tag."""
        return 0 <= self.token_at(width) < width and (self.tag is None or 0 <= self.tag_at(width) < width)

    def token_in(self, cell: str) -> str:
        """The token in a cell of the token column."""
        indexed = INDEXED_CHARACTER.fullmatch(cell) if self.has_char_index else None
        return indexed[1] if indexed else cell.removeprefix(self.language)

    def tag_in(self, cell: str) -> str:
        """The tag in a cell of the tag column, without white space around it."""
        return stripped(cell) if self.key is None else features_of(cell).get(self.key, OUTSIDE)

    def is_tag(self, text: str) -> bool:
        """True if a text can be a tag of this file."""
        return bool(text) if self.prefixless else text == UNKNOWN or self.notation.read(text) is not None

    def is_known(self, text: str) -> bool:
        """True if a text is the tag of one of the first rows, or can hardly be anything but a tag of this file."""
        return (
            self.is_outside(text)
            or text in self.sample_tags
            or self.has_label(text)
            or (text in PREFIXES and not PREFIXES.isdisjoint(self.sample_tags))
        )

    def has_label(self, text: str) -> bool:
        """True if a text is a prefix with a label."""
        return not self.prefixless and split_tag(self.notation.read(text) or OUTSIDE)[1] != ""

    def is_outside(self, text: str) -> bool:
        """True if a text stands for O."""
        return text in (OUTSIDE, self.notation.outside)

    # Rows are written.

    def row(self, cells: Iterable[str]) -> str:
        """A new row of these cells."""
        return SEPARATORS[self.separator].join(map(self._quoted, cells)) + "\n"

    def rewritten(self, row: str, changes: Mapping[int, str]) -> str:
        """A raw row with some cells changed, and all else kept: spaces, further columns, the line end."""
        body = row.rstrip("\r\n")
        if self.separator != "space":
            pieces = self._pieces(body)
            for column, text in changes.items():
                mark = BYTE_ORDER_MARK if column == 0 and body[0] == BYTE_ORDER_MARK else ""
                pieces[column] = mark + self._quoted(text)
            return SEPARATORS[self.separator].join(pieces) + row[len(body) :]
        pieces = re.split("([ \t]+)", body, maxsplit=self.width - 1 if self.tag_is_rest else 0)
        first = 2 if pieces[0] == "" else 0  # spaces stand before the first cell
        for column, text in changes.items():
            pieces[first + 2 * column] = text
        return "".join(pieces) + row[len(body) :]

    def extended(self, row: str, cell: str) -> str:
        """A raw row with one more column at its end."""
        body = row.rstrip("\r\n")
        if self.separator == "space":
            body = body.rstrip(" ")
        return f"{body}{SEPARATORS[self.separator]}{self._quoted(cell)}{row[len(body) :].lstrip(' ')}"

    def with_tag(self, cell: str, tag: str) -> str:
        """A cell of the tag column, holding another tag."""
        if self.key is None:
            return tag
        keyed = f"{self.key}={tag}"
        feature = re.compile(rf"(^|[|;,\s])\s*{re.escape(self.key)}=.*?(?=[;,\s]*$|{_BETWEEN_FEATURES.pattern})")
        if feature.search(cell):
            return feature.sub(lambda found: found[1] + keyed, cell, count=1)
        if tag == OUTSIDE:
            return cell
        return keyed if cell in ("_", "") else f"{cell}|{keyed}"

    def _pieces(self, body: str) -> list[str]:
        """The cells of a row as they are written."""
        if self.quoted and '"' in body:
            return _PIECES[self.separator].findall(body)
        return body.split(SEPARATORS[self.separator])

    def _quoted(self, cell: str) -> str:
        """A cell as it is written."""
        needs_quotes = self.quoted and (SEPARATORS[self.separator] in cell or '"' in cell)
        return '"' + cell.replace('"', '""') + '"' if needs_quotes else cell


def has_suffix(path: FilePath, suffix: str) -> bool:
    """True if the name of a file, compressed or not, has a suffix.

    Example:
        >>> has_suffix("news.CSV.gz", ".csv"), has_suffix("news.conll", ".csv")
        (True, False)
    """
    return suffix in [each.lower() for each in Path(path).suffixes[-2:]]


def mark_of(body: str, cells: Sequence[str]) -> str:
    """The beginning of a line that is no row but a mark, as `IMGID:1`, `<s>` or `----`; "" if it may be a row.

    Args:
        body: The line, in a file of several columns.
        cells: Its cells; of a mark there is one, unless it holds spaces.

    Example:
        >>> mark_of("IMGID:1", ["IMGID:1"]), mark_of("<s>", ["<s>"]), mark_of("<s> O", ["<s>", "O"])
        ('IMGID:', '<s', '')
        >>> mark_of("== a ==", ["==", "a", "=="]), mark_of("% a", ["%", "a"]), mark_of("% O", ["%", "O"])
        ('==', '%', '')
    """
    if SEPARATOR_MARK.fullmatch(body):
        return body
    mark = _MARK.match(body)
    if mark and (len(cells) == 1 or (_SPACED_MARK.fullmatch(body) and not any(map(is_tag, cells)))):
        return mark[0]
    return ""


def marks_of(bodies: Iterable[str], rows: Iterable[Sequence[str]]) -> set[str]:
    """The marks among lines, given with their cells."""
    possible = ((body, cells) for body, cells in zip(bodies, rows, strict=True) if _MARK.match(body))
    return {mark_of(body, cells) for body, cells in possible} - {""}


def without_mark(body: str, separator: str) -> str:
    r"""A row without the byte order mark before it, unless that is all its first cell holds.

    Example:
        >>> without_mark("\ufeffAda\tB-PER", "\t"), without_mark("\ufeff\tO", "\t")
        ('Ada\tB-PER', '\ufeff\tO')
    """
    is_mark = body[:1] == BYTE_ORDER_MARK and body[1:2] not in ("", separator, "\t")
    return body[1:] if is_mark else body


def unquoted(cell: str) -> str:
    """A cell without the quotes around it.

    Example:
        >>> unquoted('"then, ""so"" he said"'), unquoted('5" pipe')
        ('then, "so" he said', '5" pipe')
    """
    return cell[1:-1].replace('""', '"') if len(cell) > 1 and cell[0] == cell[-1] == '"' else cell


def features_of(cell: str) -> dict[str, str]:
    """The features of a cell by their names: `SpaceAfter=No|name=B-PER`.

    Example:
        >>> features_of("SpaceAfter=No name=B-PER")
        {'SpaceAfter': 'No', 'name': 'B-PER'}
    """
    pairs = (feature.partition("=") for feature in _BETWEEN_FEATURES.split(cell))
    return {stripped(name): stripped(value).rstrip(";,") for name, equals, value in pairs if equals}


def stripped(text: str) -> str:
    """A text without white space and invisible characters around it."""
    return text.strip().strip(_INVISIBLE).strip()


def is_tight(text: str) -> bool:
    """True if a text surely has no white space and no invisible characters."""
    return text.isprintable() and " " not in text


def split_at_spaces(body: str, most: int = 0) -> list[str]:
    """Split at runs of ASCII spaces and tabs alone: str.split would also cut at U+00A0 and U+3000, which are tokens.

    Args:
        body: A row.
        most: The most times to split; 0 for as often as possible.
    """
    body = body.strip(" \t")
    return _SPACES.split(body, most) if most or "  " in body or "\t" in body else body.split(" ")


# Entities in brackets over a column, as in CoNLL-2012 (OntoNotes) and CoNLL-2005, read as IOB2 tags:
#
#     The   Bank   of     Rome   fell   there
#     *     (ORG*  *      *)     *      *         a cell opens at most one entity, and none lies within another
#     O     B-ORG  I-ORG  I-ORG  O      O
#
# An entity of one token is `(GPE)` or `(GPE*)`. Brackets that do not fit are an error, whatever the policy.


def is_bracketed(cell: str) -> bool:
    """True if a cell is `*` or opens or closes one entity.

    Example:
        >>> [is_bracketed(cell) for cell in ("*", "(ORG*", "*)", "(GPE)", "(GPE*)", "(S(NP*", "*))", "O", ")")]
        [True, True, True, True, True, False, False, False, False]
    """
    return _BRACKETED.fullmatch(cell) is not None


def labels_of_brackets(cells: Iterable[str]) -> set[str]:
    """The labels of the entities that begin in some cells."""
    found = map(_BRACKETED.fullmatch, cells)
    return {match["label"] for match in found if match and match["label"]}


def tags_of_brackets(cells: Sequence[str]) -> list[str]:
    """The IOB2 tags of a sentence.

    Raises:
        TagError: If a cell is something else, opens an entity within another, or closes none; or if one stays open.

    Example:
        >>> tags_of_brackets(["*", "(ORG*", "*)", "(GPE)"])
        ['O', 'B-ORG', 'I-ORG', 'B-GPE']
    """
    tags: list[str] = []
    label, start = "", 0
    for position, cell in enumerate(cells):
        match = _BRACKETED.fullmatch(cell)
        if match is None:
            raise TagError(f"expected brackets such as * or (ORG*, found {quoted(cell)}", tag=cell, position=position)
        closes = cell.endswith(")")
        if opened := match["label"]:
            if label:
                raise TagError(f"{quoted(cell)} opens an entity within another", tag=cell, position=position)
            tags.append(f"B-{opened}")
            label, start = opened, position
        elif closes and not label:
            raise TagError(f"{quoted(cell)} closes an entity that was not opened", tag=cell, position=position)
        else:
            tags.append(f"I-{label}" if label else OUTSIDE)
        if closes:
            label = ""
    if label:
        raise TagError(f"{quoted(cells[start])} opens an entity that is not closed", tag=cells[start], position=start)
    return tags


def brackets_of(spans: Iterable[Span], length: int) -> list[str]:
    """The cells of a sentence of `length` tokens.

    Example:
        >>> brackets_of([Span(1, 3, "ORG"), Span(3, 4, "GPE")], 5)
        ['*', '(ORG*', '*)', '(GPE)', '*']
    """
    cells = ["*"] * length
    for start, end, label in spans:
        if end == start + 1:
            cells[start] = f"({label})"
        else:
            cells[start], cells[end - 1] = f"({label}*", "*)"
    return cells


def same_brackets(one: str, other: str) -> bool:
    """True if two cells mean the same, as `(GPE)` and `(GPE*)` do."""
    return one.replace("*)", ")") == other.replace("*)", ")")
