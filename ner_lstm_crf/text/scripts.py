"""Scripts and kinds of characters, as ranges for regular expressions; Chinese or not.

Each constant is the inside of a character class, to be written between brackets: `re.compile(f"[{HAN}]")`. `re` knows
no scripts, so these are Unicode blocks, roughly. They need not be complete: a character in none of them is a token of
its own.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from itertools import chain, groupby
from typing import Literal

# Scripts written without spaces: an entity may begin at any character.
HAN = (
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u3035\u303b\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
KANA = (
    "\u3041-\u3096\u309b-\u309f\u30a1-\u30fa\u30fc-\u312f\u31a0-\u31bf\u31f0-\u31ff\uff66-\uff9f\U0001aff0-\U0001b16f"
)
_SOUTH_EAST_ASIAN = (  # Thai, Lao, Myanmar, Khmer, Tai: letters; their digits stay with the numbers
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ecd\u0edc-\u0edf\u1000-\u103f\u1050-\u108f\u109a-\u109d\u1780-\u17d3\u17dc"
    "\u1950-\u19c9\u1a20-\u1a7c\ua9e0-\ua9ef\uaa60-\uaa76\uaa7a-\uaadd"
)
ALONE = HAN + KANA + _SOUTH_EAST_ASIAN

# All CJK blocks with their punctuation: no character of a URL.
WIDE = "\u2e80-\ua4cf\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\U00020000-\U0003ffff"

# Letters of the alphabets whose sentences start with a capital.
UPPER = "A-Z\u00c0-\u00d6\u00d8-\u00deĀĂĄĆČĎĐĒĖĘĚĞĢĪĮİĶĹĻĽŁŃŅŇŌŐŒŔŘŚŞŠŢŤŪŮŰŲŹŻŽȘȚΆΈ-ΏΑ-ΫЀ-Я"
LOWER = "a-z\u00df-\u00f6\u00f8-\u00ffāăąćčďđēėęěğģīįıķĺļľłńņňōőœŕřśşšţťūůűųźżžșțά-ώа-џ"

# Pictographs; a flag is a pair of FLAG_LETTERS.
EMOJI = (
    "\u203c\u2049\u231a-\u23ff\u2600-\u27bf\u2b00-\u2bff\u2934\u2935\u3030\u303d\u3297\u3299"
    "\U0001f000-\U0001f1e5\U0001f200-\U0001f3fa\U0001f400-\U0001faff"
)
FLAG_LETTERS = "\U0001f1e6-\U0001f1ff"
EMOJI_MODIFIERS = "\ufe0e\ufe0f\u20e3\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f"  # presentation, skin, keycap, tags

# Characters that nobody sees: controls without those that are white space, soft hyphens, zero-width spaces, marks of
# direction, byte order marks, variation selectors. Joiners, and the selectors of emoji, are seen by what they do.
INVISIBLE = (
    "\x01-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0d\ufeff\uffa0\ufff9-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001\U000e0100-\U000e01ef"
)
# Letters of scripts that spell with joiners: Arabic, Syriac, those of India and of Tibet, Myanmar, Khmer, Mongolian.
JOINED = "\u0600-\u109f\u1780-\u18af\u1a20-\u1cff\ua800-\uabff"

# Quotation marks and brackets; the straight quotes and some of the curled ones both open and close.
OPENERS = "\"'`‘“”„‚«»‹›(\\[{（［｛「『《〈【〔¿¡"
CLOSERS = "\"'’”“‘»«›‹)\\]}）］｝」』》〉】〕"


def _marks() -> str:
    """Combining accents, vowel signs, joiners and other characters without width, which belong to the one before."""
    blocks = chain(range(0x0300, 0x3400), range(0xA000, 0xAC00), range(0xFB00, 0x10000))
    codes = [code for code in blocks if unicodedata.category(chr(code)).startswith("M")]
    runs = (list(run) for _, run in groupby(enumerate(codes), lambda pair: pair[1] - pair[0]))
    ranges = "".join(f"{chr(run[0][1])}-{chr(run[-1][1])}" for run in runs)
    return ranges + "\u00ad\u200b-\u200f\u2060-\u2064\ufeff\U000e0100-\U000e01ef"


MARKS = _marks()
_HAN = re.compile(f"[{HAN}]")
_KANA = re.compile(f"[{KANA}]")
_LETTER = re.compile(r"[^\W\d_]")
_KNOWN = re.compile(
    f"[A-Za-z\u00aa-\u024f\u1e00-\u1eff\ua720-\ua7ff\uab30-\uab6f\uff21-\uff5a\U0001d400-\U0001d7ff{HAN}]"
)
_SAMPLE = 10_000  # characters of a text that decide about its language
_HAN_SHARE = 0.2  # of all letters: a Chinese text may hold many Latin names, an English one few Chinese characters


def has_han(text: str) -> bool:
    """True if a text holds a Chinese character."""
    return _HAN.search(text) is not None


def script_language(texts: Iterable[str]) -> Literal["en", "zh"]:
    """The language of these texts, as far as their script shows it: "zh" for Han characters, else "en".

    Example:
        >>> script_language(["王小明从北京飞往巴黎。"]), script_language(["He wrote 北京 on a map of Beijing."])
        ('zh', 'en')
    """
    samples = [text[:_SAMPLE] for text in texts]
    han = sum(len(_HAN.findall(sample)) for sample in samples if not sample.isascii())
    return "zh" if han and han >= _HAN_SHARE * sum(len(_LETTER.findall(sample)) for sample in samples) else "en"


def unknown_script(text: str) -> str | None:
    """The script of a text, if it is neither Latin nor Chinese; None if it is, or has no letters.

    Example:
        >>> unknown_script("Она живёт в Перми."), unknown_script("東京へ行きました"), unknown_script("In Rome 北京")
        ('Cyrillic', 'Japanese', None)
    """
    sample = text[:_SAMPLE]
    if sample.isascii():
        return None
    letters = _LETTER.findall(sample)
    if len(_KANA.findall(sample)) >= _HAN_SHARE * len(letters) > 0:
        return "Japanese"
    others = [letter for letter in letters if not _KNOWN.match(letter)]
    if 2 * len(others) <= len(letters):
        return None
    names = Counter(unicodedata.name(letter, "unknown characters").partition(" ")[0] for letter in others)
    return names.most_common(1)[0][0].capitalize()
