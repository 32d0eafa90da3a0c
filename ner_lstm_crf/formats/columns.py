"""The columns of a file: their layout, the rows read and written by it, and entities in brackets.

Users count columns from 1, or from the end as -1, -2; `ColumnLayout` counts from 0.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from ner_lstm_crf.tags.scheme import OUTSIDE, PREFIXES, TagError, split_tag
from ner_lstm_crf.tags.spelling import STANDARD, Spelling
from ner_lstm_crf.text.annotation import Span
from ner_lstm_crf.text.scripts import EMOJI_MODIFIERS, MARKS

Separator: TypeAlias = Literal["tab", "space"]

INDEXED_CHARACTER = re.compile(rf"(.[{MARKS}{EMOJI_MODIFIERS}]*)([0-9]{{1,2}})", re.DOTALL)
"""A character, with the marks that join it, and its index in its word, from 0."""

_SPACES = re.compile(r"[ \t]+")
_BRACKETED = re.compile(r"(?:\((?P<label>[^\s()*|]+))?(?:\*\)?|(?<=[^(*])\))")


@dataclass(frozen=True, slots=True)
class ColumnLayout:
    """The columns of one file, counted from 0.

    Attributes:
        token: The token's column.
        tag: The tag's column; None if the file has none.
        width: The number of columns of most rows.
        separator: `tab` or `space`.
        numbered: True if the first column counts the tokens of a sentence.
        key: The name before `=` if the tag is one of several features in its column, else None.
        prefixless: True if the tags are labels without prefixes (`PER`).
        spelling: The way in which the first tags are written.
        bracketed: True if entities stand in brackets over their tokens (`(ORG*`, `*)`), as in CoNLL-2012.
        has_document_columns: True if document, part and number stand before each token, as in CoNLL-2012, and behind
            the tag as many columns as the sentence has predicates.
        has_char_index: True if each token is a character with its index in its word behind it, as in Weibo NER:
            `科0 技1`.
        language: The text before each token, as in WikiANN: `en:` before `en:Rome`.
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
    spelling: Spelling = STANDARD
    bracketed: bool = False
    has_document_columns: bool = False
    has_char_index: bool = False
    language: str = ""
    sample_tags: frozenset[str] = field(default=frozenset(), compare=False)
    other_tag_columns: tuple[int, ...] = field(default=(), compare=False)

    @property
    def tag_columns(self) -> tuple[int, ...]:
        """The columns with tags of entities, and first the one that is read."""
        return () if self.tag is None else (self.tag, *self.other_tag_columns)

    # Rows are read.

    def cells(self, row: str) -> list[str]:
        """The cells of a row."""
        body = row.rstrip("\r\n")
        return body.split("\t") if self.separator == "tab" else split_at_spaces(body)

    def columns(self, rows: Sequence[str]) -> tuple[list[str], list[str]] | None:
        """The token and the tag column of raw rows; None unless all have the usual width and one space, if any.

        All rows are split at once, with the line ends as cells of their own that prove each row's width: three times
        as fast as row by row.
        """
        text, separator, width = "".join(rows), "\t" if self.separator == "tab" else " ", self.width
        if not text.endswith("\n"):
            text += "\n"
        if "\r" in text:
            return None
        if separator == " " and ("  " in text or "\t" in text or " \n" in text or "\n " in text or text[0] == " "):
            return None
        cells = text.replace("\n", f"{separator}\n{separator}").split(separator)
        if len(cells) != len(rows) * (width + 1) + 1 or cells[width :: width + 1].count("\n") != len(rows):
            return None
        tags = [] if self.tag is None else cells[self.tag : -1 : width + 1]
        return cells[self.token : -1 : width + 1], tags

    def token_in(self, cell: str) -> str:
        """The token in a cell of the token column."""
        indexed = INDEXED_CHARACTER.fullmatch(cell) if self.has_char_index else None
        return indexed[1] if indexed else cell.removeprefix(self.language)

    def tag_in(self, cell: str) -> str:
        """The tag in a cell of the tag column."""
        if self.key is None:
            return cell
        features = dict(feature.partition("=")[::2] for feature in cell.split("|"))
        return features.get(self.key, OUTSIDE)

    def is_tag(self, text: str) -> bool:
        """True if a text can be a tag of this file."""
        return bool(text) if self.prefixless else self.spelling.read(text) is not None

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
        return not self.prefixless and split_tag(self.spelling.read(text) or OUTSIDE)[1] != ""

    def is_outside(self, text: str) -> bool:
        """True if a text stands for O."""
        return text in (OUTSIDE, self.spelling.outside)

    # Rows are written again.

    def rewritten(self, row: str, changes: Mapping[int, str]) -> str:
        """A raw row with some cells changed, and all else kept: spaces, further columns, the line end."""
        body = row.rstrip("\r\n")
        pieces = re.split("(\t)" if self.separator == "tab" else "([ \t]+)", body)
        first = 2 if self.separator == "space" and pieces[0] == "" else 0  # spaces stand before the first cell
        for column, text in changes.items():
            pieces[first + 2 * column] = text
        return "".join(pieces) + row[len(body) :]

    def extended(self, row: str, cell: str) -> str:
        """A raw row with one more column at its end."""
        body = row.rstrip("\r\n")
        if self.separator == "tab":
            return f"{body}\t{cell}{row[len(body) :]}"
        return f"{body.rstrip(' ')} {cell}{row[len(body) :]}"

    def with_tag(self, cell: str, tag: str) -> str:
        """A cell of the tag column, holding another tag."""
        if self.key is None:
            return tag
        keyed = f"{self.key}={tag}"
        pattern = re.compile(rf"(^|\|){self.key}=[^|]*")
        if pattern.search(cell):
            return pattern.sub(lambda found: found[1] + keyed, cell, count=1)
        if tag == OUTSIDE:
            return cell
        return keyed if cell in ("_", "") else f"{cell}|{keyed}"


def is_tag(text: str) -> bool:
    """True if a text can be a tag of some scheme: `O`, or a known prefix, alone or with a label.

    Example:
        >>> [is_tag(text) for text in ("O", "B", "B-creative-work", "M_PER", "NNP", "I-")]
        [True, True, True, True, False, False]
    """
    return STANDARD.read(text) is not None


def split_at_spaces(body: str) -> list[str]:
    """Split at runs of ASCII spaces and tabs alone: str.split would also cut at U+00A0 and U+3000, which are tokens."""
    body = body.strip(" \t")
    return _SPACES.split(body) if "  " in body or "\t" in body else body.split(" ")


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
            raise TagError(f"expected brackets such as * or (ORG*, found {cell!r}", tag=cell, position=position)
        closes = cell.endswith(")")
        if opened := match["label"]:
            if label:
                raise TagError(f"{cell!r} opens an entity within another", tag=cell, position=position)
            tags.append(f"B-{opened}")
            label, start = opened, position
        elif closes and not label:
            raise TagError(f"{cell!r} closes an entity that was not opened", tag=cell, position=position)
        else:
            tags.append(f"I-{label}" if label else OUTSIDE)
        if closes:
            label = ""
    if label:
        raise TagError(f"{cells[start]!r} opens an entity that is not closed", tag=cells[start], position=start)
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
