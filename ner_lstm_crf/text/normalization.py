"""Normalization: a text without what nobody sees, in one form where Unicode has several, traced back to the source.

`Rome<U+200B>`, `Ro<U+00AD>me`, `Cafe<U+0301>` and `Ｒｏｍｅ` look like Rome, Café and Rome, so they become these.
Four kinds of characters change:

1. Invisible ones are left out: zero-width spaces and joiners, soft hyphens, byte order marks, marks of direction,
   variation selectors, control characters that are no white space. Joiners stay where they are spelling (between
   letters of Arabic, Devanagari and the like) or make one picture of several emoji; so do the selectors of an emoji.
2. Letters and accents are composed (Unicode's form NFC).
3. Full-width letters and digits become ordinary ones; so do mathematical letters and the radicals that PDFs have in
   place of Chinese characters. Between Chinese characters every middle dot is the one of foreign names.
4. In a text to tag, characters that HTML writes out are read (`&nbsp;`, `AT&amp;T`, `&#39;`).

Most texts have none of these, which is found out at once: then the text stays as it is.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import unescape
from unicodedata import is_normalized, normalize

from ner_lstm_crf.text.scripts import EMOJI, EMOJI_MODIFIERS, INVISIBLE, JOINED, MARKS

_JOINERS, _SELECTORS, _TAGS = "\u200c\u200d", "\ufe0e\ufe0f", "\U000e0020-\U000e007f"
_FULL_WIDTH = "\uff10-\uff19\uff21-\uff3a\uff41-\uff5a"
_COMPATIBLE = "\u2e80-\u2fdf\U0001d400-\U0001d7ff"  # radicals, mathematical letters
_DOTS = "•・･∙⋅"  # as many as look like the middle dot
_RARE = re.compile(f"[{INVISIBLE}{_JOINERS}{_SELECTORS}{_TAGS}{_FULL_WIDTH}{_COMPATIBLE}{_DOTS}]")
_RARE_IN_ASCII = re.compile("[\x01-\x08\x0e-\x1b\x7f]")  # the same, found in a tenth of the time
_UNSEEN = re.compile(  # one of all, then what it must be: `re` looks for the first of these far faster than for either
    rf"[{INVISIBLE}{_JOINERS}{_SELECTORS}{_TAGS}](?:(?<=[{INVISIBLE}])"
    rf"|(?<=[{_JOINERS}])(?:(?<![{JOINED}{EMOJI}{EMOJI_MODIFIERS}].)|(?![{JOINED}{EMOJI}]))"
    rf"|(?<=[{_SELECTORS}])(?<![{EMOJI}].)(?!\u20e3)"
    rf"|(?<=[{_TAGS}])(?<![{EMOJI}{_TAGS}].))"
)
_CLUSTER = re.compile(  # a letter with its accents, Hangul in parts, characters that are twice in Unicode
    rf"\S[{MARKS}]+|[\u1100-\u1112][\u1161-\u1175][\u11a8-\u11c2]?|[\uac00-\ud7a3][\u11a8-\u11c2]"
    "|[\u2126\u212a\u212b\uf900-\ufaff\U0002f800-\U0002fa1f]"
)
_GOES_ON = re.compile(f"[{INVISIBLE}{_JOINERS}{_SELECTORS}{_TAGS}{MARKS}\u1161-\u1175\u11a8-\u11c2]")
_CHINESE = "\u3400-\u9fff"
_DOT = re.compile(f"(?<=[{_CHINESE}])[{_DOTS}](?=[{_CHINESE}])")
_OTHER_FORMS = re.compile(f"[{_FULL_WIDTH}{_COMPATIBLE}]+")
# Radicals that Unicode itself does not lead back (Unihan, kRSUnicode): of simplified characters, which PDFs have.
_RADICALS = dict(
    zip(
        "⺠⻁⻄⻅⻆⻉⻋⻓⻔⻘⻙⻚⻛⻜⻝⻢⻣⻤⻥⻦⻨⻩⻬⻰⻳",
        "民虎西见角贝车长门青韦页风飞食马骨鬼鱼鸟麦黄齐龙龟",
        strict=True,
    )
)
_WRITTEN = re.compile(r"&(?!amp;(?:[a-z]+|#\w+);)(?:[a-z]{2,6}|#[0-9]{2,5}|#[xX][0-9a-fA-F]{2,4});")
_READABLE = re.compile("[!-%'-\\[\\]-~\xa1-\xac\xae-\u02ff\u2010-\u2021\u2026\u20ac\u3001-\u3020\u3400-\u9fff]")


@dataclass(slots=True)
class _Edits:
    """The offsets of an edited text in the text before.

    An offset moves by the shift of the last break at or before it. An edit moves what begins behind it; it moves an end
    only if something of the text stands between, so that what was left out beside a word is no part of it.

    Attributes:
        starts: The breaks for starts, in order.
        ends: The breaks for ends, in order.
        shifts: How far the offsets from each break on move.
    """

    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    shifts: list[int] = field(default_factory=list)

    def before(self, start: int, end: int) -> tuple[int, int]:
        """The start and the end in the text before."""
        first, last = bisect_right(self.starts, start), bisect_right(self.ends, end)
        return start + (self.shifts[first - 1] if first else 0), end + (self.shifts[last - 1] if last else 0)


@dataclass(frozen=True, slots=True)
class NormalizedText:
    """A text in the form that is read, and the way back to its source.

    Attributes:
        text: The normalized text.
        source: The text as it was.
        edits: The changes, in this order.
    """

    text: str
    source: str
    edits: Sequence[_Edits] = ()

    def in_source(self, start: int, end: int) -> tuple[int, int]:
        """The start and the end in the source of the characters `start` to `end` (exclusive) of the normalized text.

        Example:
            >>> normalized("Ro\u00adme\u200b!").in_source(0, 4)
            (0, 5)
        """
        for edits in reversed(self.edits):
            start, end = edits.before(start, end)
        return start, end


def normalized(source: str, *, html: bool = False) -> NormalizedText:
    """Normalize any Unicode string.

    Args:
        source: The string.
        html: True to read characters that HTML writes out, too.

    Example:
        >>> normalized("Cafe\u0301\u200b in Ｒｏｍｅ").text
        'Café in Rome'
    """
    text, edits = source, list[_Edits]()
    if _has_rare(text):
        text, unseen = _replaced(_UNSEEN, lambda _: "", text)
        text = _OTHER_FORMS.sub(lambda run: "".join(map(_usual, run[0])), text)
        text = _DOT.sub("·", text)
        edits.append(unseen)
    if not is_normalized("NFC", text):
        text, composed = _replaced(_CLUSTER, lambda cluster: normalize("NFC", cluster), text)
        edits.append(composed)
    if html and "&" in text:
        text, written = _replaced(_WRITTEN, _read, text)
        edits.append(written)
    return NormalizedText(text, source, edits)


def _read(written: str) -> str:
    """The character that is written out; the same text if there is none to read, or one that changes what follows."""
    found = unescape(written)
    if found.isspace():
        return " "
    return found if written == "&amp;" or _READABLE.fullmatch(found) else written


def _usual(character: str) -> str:
    """The usual form of a character that is kept for another purpose, if it is one character."""
    found = _RADICALS.get(character) or normalize("NFKC", character)
    return found if len(found) == 1 else character


def _has_rare(text: str) -> bool:
    return (_RARE_IN_ASCII if text.isascii() else _RARE).search(text) is not None


def goes_on(character: str) -> bool:
    r"""True if a character is read together with the one before it: a text must not be cut there.

    Example:
        >>> goes_on("\u0301"), goes_on("\ufe0f"), goes_on("e"), goes_on("❤")
        (True, True, False, False)
    """
    return _GOES_ON.match(character) is not None


def normalized_words(words: Sequence[str]) -> Sequence[str]:
    """Each word, normalized; the words themselves if they are so already, as nearly always.

    Example:
        >>> normalized_words(["in", "Rome\u200b"])
        ['in', 'Rome']
    """
    joined = "\n".join(words)
    is_normal = not _has_rare(joined) and is_normalized("NFC", joined)
    return words if is_normal else [normalized(word).text for word in words]


def _replaced(pattern: re.Pattern[str], replace: Callable[[str], str], text: str) -> tuple[str, _Edits]:
    """The text with a replacement, no longer than what it replaces, for each match, and the edits made."""
    parts, edits, last, length, shift = list[str](), _Edits(), 0, 0, 0
    for match in pattern.finditer(text):
        old, new = match[0], replace(match[0])
        if new == old:
            continue
        parts += (text[last : match.start()], new)
        length += match.start() - last + len(new)
        last = match.end()
        if len(new) != len(old):
            shift += len(old) - len(new)
            edits.starts.append(length)
            edits.ends.append(length if new else length + 1)
            edits.shifts.append(shift)
    return "".join([*parts, text[last:]]), edits


def is_visible(text: str) -> bool:
    r"""True if a text holds more than white space and characters that nobody sees.

    Example:
        >>> is_visible("\u200bRome"), is_visible(" \u200b")
        (True, False)
    """
    return bool((normalized(text).text if _has_rare(text) else text).strip())
