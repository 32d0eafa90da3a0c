"""Wrapped text: paragraphs whose lines were broken at some width, as in e-mail and in what is copied from a PDF."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

_LINE_BREAK = re.compile(r"(\S[^\S\n]*)\n(?=[^\S\n]*\S)")  # between two lines that are not blank
_ENDS = tuple(".!?…:;。！？：；।۔؟\"'”’»)]")
_FEWEST = 3  # breaks that are evidence
_NARROWEST, _NARROWEST_HAN = 45, 20  # characters of the longest line
_LONGEST_WORD = 16  # characters that a line may fall short of the longest, since the next word did not fit
_SHARE = 0.6  # of the lines


def unwrapped(text: str) -> str:
    r"""A text of the same length whose single line breaks are spaces; blank lines stay, and so do hyphens at line ends.

    Example:
        >>> unwrapped("Ursula von der\nLeyen spoke.\n\nThe end")
        'Ursula von der Leyen spoke.\n\nThe end'
    """
    return _LINE_BREAK.sub(lambda match: match[1].replace("\r", " ") + " ", text)


def look_wrapped(lines: Sequence[str]) -> bool:
    """True if most lines are long, of like length, and end within a sentence.

    The last line of a paragraph is not looked at: it may be short, and ends a sentence.

    Args:
        lines: The first lines of a text, without their ends; blank ones divide paragraphs.
    """
    filled = [line.strip() for line in lines]
    inner = [line for line, following in pairwise(filled) if line and following]
    if len(inner) < _FEWEST:
        return False
    width = max(map(len, inner))
    narrowest = _NARROWEST if any(" " in line for line in inner) else _NARROWEST_HAN
    wrapped = [line for line in inner if len(line) > width - _LONGEST_WORD and not line.endswith(_ENDS)]
    return width >= narrowest and len(wrapped) >= max(_FEWEST, _SHARE * len(inner))
