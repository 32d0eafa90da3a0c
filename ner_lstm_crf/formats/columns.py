"""The columns of a file: what is known of them, and how rows are read and written.

Users count columns from 1, or from the end as -1, -2; `ColumnLayout` counts from 0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from ner_lstm_crf.config import Hyphens, TokenUnit
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.tags.labels import LabelMap
from ner_lstm_crf.tags.scheme import OUTSIDE, PREFIXES, Policy, split_tag
from ner_lstm_crf.text.scripts import EMOJI_MODIFIERS, MARKS

__all__ = ["PLACED_CHARACTER", "ReadOptions", "ColumnLayout", "Separator", "is_tag", "split_at_spaces"]

Separator = Literal["tab", "space"]

_TAG = re.compile(rf"O|[{''.join(sorted(PREFIXES))}](?:[-_].+)?", re.DOTALL)
_SPACES = re.compile(r"[ \t]+")

PLACED_CHARACTER = re.compile(rf"(.[{MARKS}{EMOJI_MODIFIERS}]*)([0-9]{{1,2}})", re.DOTALL)
"""A character, with the marks that join it, and its place in its word, from 0."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read annotated files; what is None is found out.

    Attributes:
        token_column: From 1, or from the end as -1.
        tag_column: From 1, or from the end as -1.
        separator: `tab` (cells may hold spaces or nothing) or `space` (runs of spaces and tabs).
        encoding: Any encoding Python knows.
        scheme: The tag scheme, in any spelling `get_scheme` knows.
        policy: What an ill-formed tag sequence means.
        token_unit: With `character` every character of a token becomes a token of its own; None is `word`, but
            `character`
            for files whose entities are marked that way (Chinese in the form of CLUENER, or with inline marks).
        hyphens: Whether words of running text (JSON lines) are split at hyphens, as in `tokenize`.
        labels: Which labels to keep and how to rename them.
        read_tags: Whether the tags matter; if not, a file may lack them, and its sentences have no spans.

    Raises:
        InputError: If there is no such unit or separator.
    """

    token_column: int | None = None
    tag_column: int | None = None
    separator: Separator | None = None
    encoding: str = "utf-8"
    scheme: str | None = None
    policy: Policy = "conlleval"
    token_unit: TokenUnit | None = None
    hyphens: Hyphens = "split"
    labels: LabelMap = field(default_factory=LabelMap)
    read_tags: bool = True

    def __post_init__(self) -> None:
        for name, known in (("token_unit", get_args(TokenUnit)), ("separator", get_args(Separator))):
            if getattr(self, name) not in (None, *known):
                raise InputError(f"expected as {name} one of {', '.join(known)}, found {getattr(self, name)!r}")
        if not isinstance(self.labels, LabelMap):
            raise TypeError(f"expected a LabelMap as labels, got {type(self.labels).__name__}: see LabelMap.parse")


@dataclass(frozen=True, slots=True)
class ColumnLayout:
    """The columns of one file, counted from 0.

    Attributes:
        token: The token's column.
        tag: The tag's column; None if the file has none.
        width: The number of columns of most rows.
        separator: `tab` or `space`.
        numbered: Whether the first column counts the tokens of a sentence.
        key: The name before `=` where the tag is one of several features in its column, else None.
        bare: Whether the tags are labels without prefixes (`PER`).
        bracketed: Whether entities stand in brackets over their tokens (`(ORG*`, `*)`), as in CoNLL-2012.
        located: Whether document, part and number stand before each token, as in CoNLL-2012, and as many columns for
            the predicates of a sentence as there are behind the tag.
        placed: Whether each token is a character with its place in its word behind it, as in Weibo NER: `科0 技1`.
        language: What stands before each token, as in WikiANN: `en:` before `en:Rome`.
        seen: The tags of the first rows.
        others: Further columns with tags of entities, where none was asked for: nested ones, or predictions.
    """

    token: int
    tag: int | None
    width: int
    separator: Separator
    numbered: bool = False
    key: str | None = None
    bare: bool = False
    bracketed: bool = False
    located: bool = False
    placed: bool = False
    language: str = ""
    seen: frozenset[str] = field(default=frozenset(), compare=False)
    others: tuple[int, ...] = field(default=(), compare=False)

    def cells(self, body: str) -> list[str]:
        """The columns of a row, given without its line end."""
        return body.split("\t") if self.separator == "tab" else split_at_spaces(body)

    def columns(self, rows: Sequence[str]) -> tuple[list[str], list[str]] | None:
        """The token and the tag column of raw rows; None unless all have the usual width and one space, if any.

        All rows are split at once, with the line ends as cells of their own that prove each row's width: three times
        as fast as row by row.
        """
        text, separator, width = "".join(rows), "\t" if self.separator == "tab" else " ", self.width
        if not text.endswith("\n"):
            text += "\n"
        if "\r" in text or (separator == " " and _has_odd_spaces(text)):
            return None
        cells = text.replace("\n", f"{separator}\n{separator}").split(separator)
        if len(cells) != len(rows) * (width + 1) + 1 or cells[width :: width + 1].count("\n") != len(rows):
            return None
        tags = [] if self.tag is None else cells[self.tag : -1 : width + 1]
        return cells[self.token : -1 : width + 1], tags

    def rewritten(self, row: str, changes: Mapping[int, str]) -> str:
        """A raw row with some cells changed, and all else as it stands: spaces, further columns, the line end."""
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

    def token_in(self, cell: str) -> str:
        """The token that stands in a cell of the token column."""
        found = PLACED_CHARACTER.fullmatch(cell) if self.placed else None
        return found[1] if found else cell.removeprefix(self.language)

    def tag_in(self, cell: str) -> str:
        """The tag that stands in a cell of the tag column."""
        if self.key is None:
            return cell
        features = dict(feature.partition("=")[::2] for feature in cell.split("|"))
        return features.get(self.key, "O")

    def is_tag(self, tag: str) -> bool:
        """Whether a text can be a tag of this file."""
        return bool(tag) if self.bare else is_tag(tag)

    def is_known(self, tag: str) -> bool:
        """Whether a text is the tag of one of the first rows, or can hardly be anything but a tag of this file."""
        return (
            tag == OUTSIDE
            or tag in self.seen
            or self.has_label(tag)
            or (tag in PREFIXES and not PREFIXES.isdisjoint(self.seen))
        )

    def has_label(self, tag: str) -> bool:
        """Whether a text is a prefix with a label."""
        return not self.bare and is_tag(tag) and split_tag(tag)[1] != ""

    def with_tag(self, cell: str, tag: str) -> str:
        """The same cell holding another tag."""
        if self.key is None:
            return tag
        keyed = f"{self.key}={tag}"
        pattern = re.compile(rf"(^|\|){self.key}=[^|]*")
        if pattern.search(cell):
            return pattern.sub(lambda found: found[1] + keyed, cell, count=1)
        if tag == "O":
            return cell
        return keyed if cell in ("_", "") else f"{cell}|{keyed}"


def is_tag(text: str) -> bool:
    """Whether a text can be a tag of some scheme: `O`, or a known prefix, alone or with a label.

    Example:
        >>> [is_tag(text) for text in ("O", "B", "B-creative-work", "M_PER", "NNP", "I-")]
        [True, True, True, True, False, False]
    """
    return _TAG.fullmatch(text) is not None


def split_at_spaces(body: str) -> list[str]:
    """Split at runs of ASCII spaces and tabs alone: str.split would also cut at U+00A0 and U+3000, which are tokens."""
    body = body.strip(" \t")
    return _SPACES.split(body) if "  " in body or "\t" in body else body.split(" ")


def _has_odd_spaces(text: str) -> bool:
    return "  " in text or "\t" in text or " \n" in text or "\n " in text or text[0] == " "
