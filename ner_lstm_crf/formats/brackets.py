"""Entities in brackets over a column, as in CoNLL-2012 (OntoNotes) and CoNLL-2005, read as IOB2 tags.

    The   Bank   of     Rome   fell   there
    *     (ORG*  *      *)     *      *         a cell opens at most one entity, and none lies within another
    O     B-ORG  I-ORG  I-ORG  O      O

An entity of one token is `(GPE)` or `(GPE*)`. Brackets that do not fit are an error, whatever the policy.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ner_lstm_crf.tags.scheme import OUTSIDE, TagError
from ner_lstm_crf.text.annotation import Span

__all__ = [
    "brackets_of",
    "is_bracketed",
    "labels_of_brackets",
    "same_brackets",
    "share_of_brackets",
    "tags_of_brackets",
]

_BRACKETED = re.compile(r"(?:\((?P<label>[^\s()*|]+))?(?:\*\)?|(?<=[^(*])\))")


def is_bracketed(cell: str) -> bool:
    """Whether a cell is `*` or opens or closes one entity.

    Example:
        >>> [is_bracketed(cell) for cell in ("*", "(ORG*", "*)", "(GPE)", "(GPE*)", "(S(NP*", "*))", "O", ")")]
        [True, True, True, True, True, False, False, False, False]
    """
    return _BRACKETED.fullmatch(cell) is not None


def share_of_brackets(cells: Sequence[str]) -> float:
    """Which share of some cells is bracketed, from 0 to 1."""
    return sum(map(is_bracketed, cells)) / len(cells)


def labels_of_brackets(cells: Sequence[str]) -> set[str]:
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
    """Whether two cells say the same, as `(GPE)` and `(GPE*)` do."""
    return one.replace("*)", ")") == other.replace("*)", ")")
