"""Encodings of text: which ones are known, and which one some bytes are likely to be in."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.text.scripts import HAN, has_han

WIDE = ("utf-16", "utf-32")
"""The beginnings of the names of encodings whose characters all have several bytes."""

BYTE_ORDER_MARK = "\ufeff"
"""The first character of some files; within a file that was joined from several it begins a line, and is no text."""

MARKS: Mapping[bytes, str] = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    codecs.BOM_UTF8: "utf-8",
}
"""The encoding of each byte order mark; that of UTF-32 begins as that of UTF-16 does."""

# Codecs of Python that make text of bytes, but are ways to write a name or a string of a program.
_NO_TEXT = ("punycode", "idna", "unicode-escape", "raw-unicode-escape", "undefined")

_MOST_BYTES = 4096  # of lines that are looked at
_LEAST_SHARE = 0.6  # of frequent characters among those that are not ASCII
_PUNCTUATION = "\u3001-\u3011\uff01-\uff1f"  # of Chinese and Japanese
_QUOTES = "[‘’“”„–—…]"
_WESTERN = "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜßàáâãäåæçèéêëìíîïñòóôõöøùúûüÿœŒ"
_CENTRAL = "ĄĆĘŁŃÓŚŹŻÁČĎÉĚÍŇŘŠŤÚŮÝŽŐÖŰÜąćęłńóśźżáčďéěíňřšťúůýžőöűüăâîșşţțßä"


def known_encoding(name: str) -> str:
    """The encoding of that name, in Python's spelling.

    Raises:
        InputError: If there is none, or it is no encoding of text.
    """
    try:
        "".encode(name)  # refuses what `lookup` finds but makes no text, such as base64
        known = codecs.lookup(name).name
    except (LookupError, ValueError):
        known = ""
    if not known or known.replace("_", "-") in _NO_TEXT:
        raise InputError(f"unknown encoding {name[:80]!r}: expected utf-8, latin-1, gb18030 or the like")
    return known


def likely_encoding(content: bytes) -> str | None:
    """The encoding that some text is likely to be in; None if that is not clear.

    Example:
        >>> likely_encoding("Zürich".encode("cp1252")), likely_encoding("王小明".encode("gb18030"))
        ('latin-1', 'gb18030')
    """
    # 1. A byte order mark.
    marked = next((encoding for mark, encoding in MARKS.items() if content.startswith(mark)), None)
    if marked:
        return marked
    # 2. UTF-16 and UTF-32 without one: half or more of the bytes of ASCII, such as line feeds, are zero.
    if b"\0" in content:
        return next(
            (
                encoding
                for encoding in ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
                if _is_wide(content, encoding)
            ),
            None,
        )
    # 3. ASCII and UTF-8: no other text has its form by chance, but some of its bytes may be damaged.
    text = content.decode("utf-8", "replace")
    damaged = text.count("\ufffd")
    if not damaged or sum(not character.isascii() for character in text) > 2 * damaged:
        return "utf-8"
    # 4. Else the encoding that makes the most of the other bytes characters that are frequent where it is used.
    lines = b"\n".join(line for line in content.split(b"\n") if not line.isascii())[:_MOST_BYTES].split(b"\n")
    shares = {encoding: _share(lines, encoding, frequent) for encoding, frequent in _frequent().items()}
    best = max(shares, key=shares.__getitem__)
    if shares[best] < _LEAST_SHARE:
        return None
    has_controls = any(0x80 <= byte <= 0x9F for line in lines for byte in line)
    return "latin-1" if best == "cp1252" and not has_controls else best


def _is_wide(content: bytes, encoding: str) -> bool:
    """True if bytes with zeros among them are text in an encoding of wide characters."""
    width = 4 if "32" in encoding else 2
    try:
        text = content[: len(content) // width * width].decode(encoding)
    except UnicodeDecodeError as error:
        if error.start + 4 < len(content):  # it is no character that was cut
            return False
        text = content[: error.start].decode(encoding, "replace")
    readable = sum(character.isprintable() or character.isspace() for character in text)
    has_lines = "\n" in text or 2 * sum(map(str.isascii, text)) > len(text)
    return has_lines and "\0" not in text and readable >= 0.95 * len(text)


def _share(lines: Sequence[bytes], encoding: str, frequent: _Frequent) -> float:
    """The share of frequent characters among those that are not ASCII; 0 without one that is needed."""
    found = total = needed = 0
    for line in lines:
        try:
            text = line.decode(encoding)
        except UnicodeDecodeError:
            total += sum(byte >= 0x80 for byte in line)
            continue
        total += sum(not character.isascii() for character in text)
        found += len(frequent.characters.findall(text))
        needed += len(frequent.needed.findall(text))
    return found / total if total and needed >= frequent.least else 0


class _Frequent(NamedTuple):
    """Patterns of characters that are frequent in texts of one encoding, and of those that cannot be lacking."""

    characters: re.Pattern[str]
    needed: re.Pattern[str]
    least: int = 1


@lru_cache(maxsize=1)
def _frequent() -> dict[str, _Frequent]:
    """The frequent characters by encoding; of encodings that are equally likely the first is meant."""
    # Western words have ASCII letters too; in another alphabet whole words are beyond ASCII.
    western, central = (
        re.compile(rf"{signs}|[{letters}](?:(?<=[A-Za-z].)|(?<=[A-Za-z]..)|(?=.?[A-Za-z]))")
        for signs, letters in ((rf"{_QUOTES}|(?<!\w)[¿¡]", _WESTERN), (_QUOTES, _CENTRAL))
    )
    cyrillic = re.compile("[оеаинтсрвлкмдуі]")  # small letters: those of one encoding are the capitals of the other
    hangul, kana = re.compile("[가-힣]"), re.compile("[ぁ-んァ-ヶ]")
    japanese = re.compile(f"[ぁ-んァ-ヶー{HAN}{_PUNCTUATION}]")
    # The first bytes of the most frequent Chinese characters: 3,755 of GB 2312 and 5,401 of Big5.
    simplified, traditional = (
        re.compile(f"[{_characters(encoding, first, last)}{_PUNCTUATION}]")
        for encoding, first, last in (("gb2312", 0xB0, 0xD7), ("big5", 0xA4, 0xC6))
    )
    han = re.compile(f"[{HAN}]")
    return {
        "cp1252": _Frequent(western, western),
        "cp1250": _Frequent(central, central),
        "cp1251": _Frequent(cyrillic, cyrillic, 3),
        "koi8-r": _Frequent(cyrillic, cyrillic, 3),
        "shift_jis": _Frequent(japanese, kana),
        "euc_jp": _Frequent(japanese, kana),
        "euc_kr": _Frequent(hangul, hangul, 8),  # fewer may as well be Chinese
        "gb18030": _Frequent(simplified, han),
        "big5": _Frequent(traditional, han),
    }


def _characters(encoding: str, first: int, last: int) -> str:
    """The Chinese characters of two bytes whose first byte lies between these two."""
    pairs = (bytes((lead, trail)) for lead in range(first, last + 1) for trail in range(0x40, 0xFF))
    return "".join(character for pair in pairs if has_han(character := pair.decode(encoding, "ignore")))
