"""The notations of tags in files: where the prefix stands, what divides it from the label, and what stands for O.

    B-PER  I-PER  O      the standard notation, which all else in the package reads; also B_PER, or a prefix alone
    PER-B  PER-I  O      the prefix is behind the label
    B.PER  I.PER  O      another separator, or none: BPER
    b-per  i-per  o      small letters
    BEGIN-PER            the prefix is a word
    B-PER  I-PER  -      another sign for O

A file is written in one of the other notations only if all its tags fit it. A `?` in place of a tag says that it is not
known.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice

from ner_lstm_crf.tags.scheme import OUTSIDE, PREFIXES, split_tag

NO_LABELS = frozenset(("", "-", "_", "0", "O", "OUT", "OUTSIDE", "NONE", "NULL", "NIL", "NA", "N/A", "NAN"))
"""Signs for O, in capital letters, that are never the label of an entity."""

UNKNOWN = "?"
"""The sign for a tag that is not known."""

PERHAPS_A_LABEL = "OTHER"
"""A sign for O, in capital letters, that may also be the label of an entity."""

_SEPARATORS = "-_.:/|\N{EN DASH}"
_WORDS = "begin|beginning|inside|intermediate|middle|end|last|single|singleton|unit|unique|whole"
_LABEL = re.compile(r"[^\W\d][\w.&/-]*")

BETWEEN_TAGS = re.compile(r"\s*[#|,;+&/]\s*|\s+")
"""What stands between the tags of a cell that holds several."""


@dataclass(frozen=True, slots=True)
class Notation:
    """A way to write tags.

    Attributes:
        separators: What may stand between prefix and label; "" for nothing. Only the standard notation has several.
        prefix_last: True if the prefix stands behind the label.
        small: True if the prefix is a small letter.
        words: True if it is a word (`BEGIN-PER`), in letters of any size.
        outside: The sign for O.

    Example:
        >>> Notation("-", prefix_last=True).read("PER-B"), Notation("", small=True).read("bper"), Notation().read("NNP")
        ('B-PER', 'B-per', None)
    """

    separators: str = "-_"
    prefix_last: bool = False
    small: bool = False
    words: bool = False
    outside: str = OUTSIDE

    def read(self, tag: str) -> str | None:
        """The tag in the standard notation; None if it is not written in this one."""
        if tag == self.outside:
            return OUTSIDE
        match = _pattern(self.separators, self.prefix_last, self.small, self.words).fullmatch(tag)
        if match is None:
            return None
        if self.separators == STANDARD.separators:
            return tag
        prefix, label = match["prefix"][0].upper(), match["label"]
        return f"{prefix}-{label}" if label else prefix

    def describe(self, tag: str) -> str:
        """The notation in words, shown by one of the tags that have a prefix."""
        parts = []
        if self.separators != STANDARD.separators:
            parts.append(f"tags are written {tag}: read as {self.read(tag)}")
        if self.outside != OUTSIDE:
            parts.append(f"{self.outside or 'an empty tag'} is read as O")
        return "; ".join(parts)


STANDARD = Notation()
"""The standard notation."""


def is_tag(text: str) -> bool:
    """True if a text can be a tag of some scheme: `O`, or a known prefix, alone or with a label.

    Example:
        >>> [is_tag(text) for text in ("O", "B", "B-creative-work", "M_PER", "NNP", "I-")]
        [True, True, True, True, False, False]
    """
    return _TAG.fullmatch(text) is not None


@cache
def _pattern(separators: str, prefix_last: bool, small: bool, words: bool) -> re.Pattern[str]:
    """A tag with a prefix."""
    letters = "".join(sorted(PREFIXES))
    prefix = f"(?P<prefix>(?i:{_WORDS}))" if words else f"(?P<prefix>[{letters.lower() if small else letters}])"
    if not separators:  # `BPER`: a label begins with a letter
        return re.compile(rf"{prefix}(?P<label>[^\W\d_].+)", re.DOTALL)
    separator, label = f"[{re.escape(separators)}]", r"(?P<label>.+)"
    if prefix_last:
        return re.compile(f"{label}{separator}{prefix}", re.DOTALL)
    return re.compile(f"{prefix}(?:{separator}{label})?", re.DOTALL)


_TAG = re.compile(f"{OUTSIDE}|{_pattern('-_', False, False, False).pattern}", re.DOTALL)  # in the standard notation

OTHER_NOTATIONS = (
    *(Notation(mark, prefix_last=True, small=small) for small in (False, True) for mark in _SEPARATORS),
    *(Notation(mark) for mark in _SEPARATORS if mark not in STANDARD.separators),
    *(Notation(mark, small=True) for mark in _SEPARATORS),
    *(Notation(mark, prefix_last=prefix_last, words=True) for prefix_last in (False, True) for mark in "-_"),
    Notation(""),
    Notation("", small=True),
)
"""The other notations."""

_ANY_TAG = re.compile(  # in one of the other notations
    "|".join(
        _pattern(one.separators, one.prefix_last, one.small, one.words)
        .pattern.replace("?P<prefix>", "")
        .replace("?P<label>", "")
        for one in OTHER_NOTATIONS
    ),
    re.DOTALL,
)


def notations_of(tags: Collection[str]) -> list[Notation]:
    """The notations in which all tags of a file may be written; the standard one alone, if it is one of them.

    Args:
        tags: The different tags. One may stand for O: `O`, if it occurs, else a known sign.

    Example:
        >>> notations_of(["PER-B", "PER-I", "-"])
        [Notation(separators='-', prefix_last=True, small=False, words=False, outside='-')]
    """
    if standard := list(_fitting(STANDARD, tags)):
        return standard
    odd = (tag for tag in tags if tag != OUTSIDE and not _ANY_TAG.fullmatch(tag))
    if len(list(islice(odd, 2))) > 1:  # so no notation fits, as for most words
        return []
    return [notation for other in OTHER_NOTATIONS for notation in _fitting(other, tags)]


def _fitting(notation: Notation, tags: Collection[str]) -> Iterator[Notation]:
    """The notation with the file's sign for O, if all tags fit it and at least one has a prefix."""
    rest = list[str]()
    for tag in tags:
        if tag != OUTSIDE and notation.read(tag) is None:
            rest.append(tag)
            if len(rest) > 1 or OUTSIDE in tags:
                return
    found = {notation.read(tag) for tag in tags} - {None, OUTSIDE}
    # Small letters alone are tags only beside a sign that is like them: a column of `m` and `-` may be anything.
    if not found or (notation != STANDARD and found <= PREFIXES and not {*rest} <= {"o", "0"}):
        return
    if not rest:
        yield notation
    elif is_outside(rest[0]) or rest[0].upper() == PERHAPS_A_LABEL:
        yield replace(notation, outside=rest[0])


def is_outside(tag: str) -> bool:
    """True if a tag is a sign for O that is never a label."""
    return tag.upper() in NO_LABELS


def is_label(text: str) -> bool:
    """True if a text can be a label without a prefix: it is a name."""
    return _LABEL.fullmatch(text) is not None


def has_prefix(tag: str) -> bool:
    """True if a tag begins with a prefix, in the standard notation, and is not O.

    Example:
        >>> has_prefix("B-PER"), has_prefix("B"), has_prefix("O"), has_prefix("PER")
        (True, True, False, False)
    """
    return tag != OUTSIDE and split_tag(tag)[0] in PREFIXES


def has_family(notation: Notation, tags: Collection[str]) -> bool:
    """True if a label occurs with several prefixes, which shows that these are prefixes."""
    labels: dict[str, str] = {}
    for tag in tags:
        prefix, label = split_tag(notation.read(tag) or OUTSIDE)
        if prefix != OUTSIDE and labels.setdefault(label, prefix) != prefix:
            return True
    return False


def notation_of_sample(tags: Collection[str]) -> Notation:
    """The notation of the first tags of a file: the standard one unless only another fits all of them.

    Nothing is sure of a sample: `detect_scheme` decides by all tags of the file.
    """
    notations = [notation for notation in notations_of(tags) if notation.separators or has_family(notation, tags)]
    return next((notation for notation in notations if has_family(notation, tags)), next(iter(notations), STANDARD))


def tags_within(cell: str) -> list[str]:
    """The tags in a cell that holds several, as those of nested entities; else the cell alone.

    Example:
        >>> tags_within("B-PER|B-LOC"), tags_within("O#B-LOC"), tags_within("B-R&B")
        (['B-PER', 'B-LOC'], ['O', 'B-LOC'], ['B-R&B'])
    """
    parts = BETWEEN_TAGS.split(cell)
    if len(parts) > 1 and all(parts):
        for notation in (STANDARD, *OTHER_NOTATIONS):
            tags = (
                OUTSIDE if is_outside(part) else notation.read(part) if notation.separators else None for part in parts
            )
            if all(tag is not None and (tag == OUTSIDE or split_tag(tag)[1]) for tag in tags):
                return parts
    return [cell]
