"""The ways in which files write tags: where the prefix stands, what divides it from the label, and what stands for O.

    B-PER  I-PER  O      the standard way, which everything else in the package reads; also B_PER, or a prefix alone
    PER-B  PER-I  O      the prefix is behind the label
    B.PER  I.PER  O      another separator, or none: BPER
    b-per  i-per  o      small letters
    B-PER  I-PER  -      another sign for O

A file is written in one of the other ways only if all its tags fit it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache

from ner_lstm_crf.tags.scheme import OUTSIDE, PREFIXES, split_tag

NO_LABELS = frozenset(("-", "_", "0", "O", "OUT", "OUTSIDE", "NONE", "NULL", "NIL", "NA", "N/A"))
"""Signs for O, in capital letters, that are never the label of an entity."""

PERHAPS_A_LABEL = "OTHER"
"""A sign for O, in capital letters, that may also be the label of an entity."""

_SEPARATORS = "-_.:/|"
_BETWEEN_TAGS = re.compile(r"\s*[#|,;+&/]\s*|\s+")


@dataclass(frozen=True, slots=True)
class Spelling:
    """One way to write tags.

    Attributes:
        separators: What may stand between prefix and label; "" for nothing.
        prefix_last: True if the prefix stands behind the label.
        small: True if the prefix is a small letter.
        outside: The sign for O.

    Example:
        >>> Spelling("-", prefix_last=True).read("PER-B"), Spelling("", small=True).read("bper"), Spelling().read("NNP")
        ('B-PER', 'B-per', None)
    """

    separators: str = "-_"
    prefix_last: bool = False
    small: bool = False
    outside: str = OUTSIDE

    @property
    def is_standard(self) -> bool:
        """True if tags are written in the standard way."""
        return self == STANDARD

    def read(self, tag: str) -> str | None:
        """The tag in the standard way; None if it is not written in this one."""
        if tag == self.outside:
            return OUTSIDE
        match = _pattern(self.separators, self.prefix_last, self.small).fullmatch(tag)
        if match is None:
            return None
        if self._is_prefix_first_in_capitals:
            return tag
        prefix, label = match["prefix"].upper(), match["label"]
        return f"{prefix}-{label}" if label else prefix

    @property
    def _is_prefix_first_in_capitals(self) -> bool:
        return (self.separators, self.prefix_last, self.small) == ("-_", False, False)

    def describe(self, tag: str) -> str:
        """The way in words, shown by one of the tags that have a prefix."""
        parts = []
        if not self._is_prefix_first_in_capitals:
            parts.append(f"tags are written {tag}: read as {self.read(tag)}")
        if self.outside != OUTSIDE:
            parts.append(f"{self.outside} is read as O")
        return "; ".join(parts)


STANDARD = Spelling()
"""The standard way."""


@cache
def _pattern(separators: str, prefix_last: bool, small: bool) -> re.Pattern[str]:
    """A tag with a prefix."""
    letters = "".join(sorted(PREFIXES))
    prefix = f"(?P<prefix>[{letters.lower() if small else letters}])"
    if not separators:  # `BPER`: a label begins with a letter
        return re.compile(rf"{prefix}(?P<label>[^\W\d].+)", re.DOTALL)
    separator, label = f"[{re.escape(separators)}]", r"(?P<label>.+)"
    if prefix_last:
        return re.compile(f"{label}{separator}{prefix}", re.DOTALL)
    return re.compile(f"{prefix}(?:{separator}{label})?", re.DOTALL)


_OTHERS = (
    *(Spelling(mark, prefix_last=True, small=small) for small in (False, True) for mark in _SEPARATORS),
    *(Spelling(mark) for mark in _SEPARATORS if mark not in STANDARD.separators),
    *(Spelling(mark, small=True) for mark in _SEPARATORS),
    Spelling(""),
    Spelling("", small=True),
)


def spellings_of(counts: Mapping[str, int]) -> list[Spelling]:
    """The ways in which all tags of a file may be written; the standard way alone, if it is one of them.

    Args:
        counts: The tags with their numbers. One may stand for O: `O`, if it occurs, else a known sign, or any single
            character that is the most frequent tag.

    Example:
        >>> spellings_of({"PER-B": 2, "PER-I": 1, "-": 7})
        [Spelling(separators='-', prefix_last=True, small=False, outside='-')]
    """
    return list(_fitting(STANDARD, counts)) or [way for other in _OTHERS for way in _fitting(other, counts)]


def _fitting(spelling: Spelling, counts: Mapping[str, int]) -> Iterator[Spelling]:
    """The way with the file's sign for O, if all tags fit it and at least one has a prefix."""
    rest = list[str]()
    for tag in counts:
        if tag != OUTSIDE and spelling.read(tag) is None:
            rest.append(tag)
            if len(rest) > 1 or OUTSIDE in counts:
                return
    if len(rest) == len(counts) - (OUTSIDE in counts):
        return
    if not rest:
        yield spelling
        return
    sign = rest[0]
    is_frequent = len(sign) == 1 and 2 * counts[sign] >= sum(counts.values())
    if is_outside(sign) or sign.upper() == PERHAPS_A_LABEL or is_frequent:
        yield replace(spelling, outside=sign)


def is_outside(tag: str) -> bool:
    """True if a tag is a sign for O that is never a label."""
    return tag.upper() in NO_LABELS


def has_family(spelling: Spelling, counts: Mapping[str, int]) -> bool:
    """True if a label occurs with several prefixes, which shows that these are prefixes."""
    labels: dict[str, str] = {}
    for tag in counts:
        prefix, label = split_tag(spelling.read(tag) or OUTSIDE)
        if prefix != OUTSIDE and labels.setdefault(label, prefix) != prefix:
            return True
    return False


def tags_within(cell: str) -> list[str]:
    """The tags in a cell that holds several, as those of nested entities; else the cell alone.

    Example:
        >>> tags_within("B-PER|B-LOC"), tags_within("O#B-LOC"), tags_within("B-R&B")
        (['B-PER', 'B-LOC'], ['O', 'B-LOC'], ['B-R&B'])
    """
    parts = _BETWEEN_TAGS.split(cell)
    if len(parts) > 1:
        for way in (STANDARD, *_OTHERS):
            tags = (OUTSIDE if is_outside(part) else way.read(part) if way.separators else None for part in parts)
            if all(tag is not None and (tag == OUTSIDE or split_tag(tag)[1]) for tag in tags):
                return parts
    return [cell]
