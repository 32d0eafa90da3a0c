"""One tag: its prefix and its label, and the errors that tags cause."""

from __future__ import annotations

__all__ = ["CLOSING", "OPENING", "OUTSIDE", "PREFIXES", "IllFormedError", "TagError", "UnknownTagError", "split_tag"]

OUTSIDE = "O"
"""The tag of a token in no entity."""

OPENING = frozenset("BSUW")
"""Prefixes that always begin a span, whatever stands before them."""

CLOSING = frozenset("ESLUW")
"""Prefixes that always end a span, whatever comes after them."""

PREFIXES = frozenset("IM") | OPENING | CLOSING
"""Every prefix that some scheme uses (`O` is a tag, not a prefix)."""


class TagError(ValueError):
    """A tag sequence that cannot be read as asked; readers add the path and the line.

    Args:
        message: What was expected and what came.
        tag: The tag it is about.
        position: Where the tag stands in its sequence, from 0.
    """

    def __init__(self, message: str, *, tag: str, position: int) -> None:
        self.message, self.tag, self.position = message, tag, position
        super().__init__(f"position {position}: {message}")


class UnknownTagError(TagError):
    """A tag whose prefix the scheme does not have."""


class IllFormedError(TagError):
    """A tag that may not stand where it stands."""


def split_tag(tag: str) -> tuple[str, str]:
    """A tag's prefix and label, split once: at the `-` (or, in some corpora, the `_`) after its prefix.

    `O` has no label. A prefix alone (`B`, in corpora with one kind of entity) has the label `""`, and a label alone
    (`PER`) the prefix `""`. Where nothing before a `-` or `_` is a known prefix, the first `-` splits.

    Example:
        >>> split_tag("B-creative-work"), split_tag("I_PER"), split_tag("O"), split_tag("PER")
        (('B', 'creative-work'), ('I', 'PER'), ('O', ''), ('', 'PER'))
    """
    if tag == OUTSIDE or tag in PREFIXES:
        return tag, ""
    if tag[1:2] in ("-", "_") and tag[0] in PREFIXES:
        return tag[0], tag[2:]
    prefix, hyphen, label = tag.partition("-")
    return (prefix, label) if hyphen else ("", tag)
