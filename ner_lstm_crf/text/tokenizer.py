"""Raw text to tokens that remember where they stand.

One compiled regular expression walks the text from left to right; its alternatives, in order, are the rules below.
They follow the Penn Treebank and its heirs, CoNLL-2003 and Universal Dependencies: clitics apart (do n't, John 's),
abbreviations (U.S., Mr.), numbers (1,234.56), addresses, @names, #hashtags, emoticons and emoji whole, other
punctuation apart with runs of one sign together (... --). Where words are not spaced (Han, Kana, Thai), each character
with its marks is a token, so that an entity may begin anywhere; Hangul is spaced and stays in words, as in the Korean
treebanks.

The treebanks part ways over hyphens. Universal Dependencies' English (EWT, PUD), OntoNotes and the biomedical corpora
split them, well - known; CoNLL-2003, wikigold and the treebanks of most other languages keep well-known. Measured by
`scripts/check_tokenizer.py`, the share of sentences cut exactly as in the gold standard, split against keep:
English EWT dev 97% against 93%, English PUD 99% against 91%; Portuguese dev 88% against 98%, Danish dev 85% against
97%. A model does best on text cut as its training data were, so the choice is an argument, and `detect_hyphens` reads
it off the training words.

What is not attempted: French elision (l'homme stays whole), Chinese words, Swedish abbreviations with spaces (t ex).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import groupby, islice
from operator import itemgetter
from typing import Literal, TypeAlias

from ner_lstm_crf.config import Hyphens
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.text.abbreviations import ABBREVIATIONS, BEFORE_NAMES, BEFORE_NUMBERS
from ner_lstm_crf.text.annotation import Token
from ner_lstm_crf.text.scripts import ALONE, EMOJI, EMOJI_MODIFIERS, FLAG_LETTERS, LOWER, MARKS, UPPER, WIDE

__all__ = [
    "HyphenRule",
    "character_portions",
    "characters",
    "check_characters",
    "hyphen_rule",
    "detect_hyphens",
    "tokenize",
    "word_portions",
]

HyphenRule: TypeAlias = Literal["split", "keep"]
"""Whether `well-known`, `and/or` and `5pm` are several tokens or one."""


def hyphen_rule(hyphens: Hyphens) -> HyphenRule:
    """The rule for text of a model with this setting; one that was to be found in training data and was not splits."""
    return "keep" if hyphens == "keep" else "split"


# Every quantifier below is bounded, possessive (`++`), or followed by nothing that can fail, and rules that read a long
# run and may then fail begin with a look-behind that lets them try once per run. So the time is linear in the text.

_LETTER = rf"[^\W\d_{ALONE}]"
_LETTER_OR_DIGIT = rf"[^\W_{ALONE}]"
_WORD = rf"{_LETTER_OR_DIGIT}+(?:[{MARKS}]+{_LETTER_OR_DIGIT}*)*"
_START = rf"(?<![^\W{ALONE}])"  # \b, but a word may also begin or end beside a character that stands alone
_END = rf"(?![^\W{ALONE}])"
_CLITIC = rf"['’](?:[sSmMdD]|ll|re|ve|LL|RE|VE){_END}"
_JOINER = rf"(?!{_CLITIC})['’]|&|_+"  # inside O'Neal, AT&T, snake_case
_NOT = rf"[nN]['’][tT]{_END}"
_NUMBER = r"\d++(?:[.,:]\d++)*+"
_UNIT = rf"(?:[ap]m|[AP]M|[kKmMbB]|[mck]m|MM|bn|kg|ft|lbs?|hh|[kKmMgG][bB]){_END}"
_URL = rf"[^\s<>\"“”{WIDE}]*(?<=[\w/&=#+%~-])"  # to the last character that is not the sentence's punctuation
_SUFFIX = (
    r"(?i:com|net|org|edu|gov|mil|info|biz|co|uk|de|fr|nl|se|dk|eu|ru|cn|jp|ca|au|tv|io|hr|rs|sk|br|pt"
    r"|docx?|pdf|xlsx?|pptx?|txt|html?|exe|zip|jpe?g|png|gif|csv|url)"
)
_HOST_LABEL = r"[A-Za-z0-9\u00c0-\u024f_-]{1,63}+"
_PREFIX = (
    r"(?=[A-Za-z]{1,7}-\w)"
    r"(?i:e|pre|post|non|co|re|anti|ex|mid|semi|multi|un|inter|extra|sub|ultra|pro|counter)-"
)


def _one_of(words: Iterable[str]) -> str:
    """An alternation over words, grouped by first letter: a tenth of the comparisons."""
    groups = groupby(sorted(words, key=lambda word: (word[0], -len(word), word)), key=itemgetter(0))
    return "(?:" + "|".join(f"{first}(?:{'|'.join(word[1:] for word in group)})" for first, group in groups) + ")"


_NAME_FOLLOWS, _NUMBER_FOLLOWS, _OTHERS = map(_one_of, (BEFORE_NAMES, BEFORE_NUMBERS, ABBREVIATIONS))

_FIRST = (
    rf"[{ALONE}][{MARKS}]*",  # scripts without spaces
    rf"(?=[CcGgWw])(?:[Cc]an(?=not{_END})|(?:[Gg]on|[Ww]an)(?=na{_END})|[Gg]ot(?=ta{_END}))",
)
_SHORTCUTS = (  # what the later rules would find, found sooner: 19 tokens in 20 get no further
    r"[A-Za-z]++(?![^\s,;!?)\]\"”])",
    r"[^\w\s](?=\s)|[-(\[\"“$/](?=\w)",
    rf"(?!(?:{_NAME_FOLLOWS}|{_NUMBER_FOLLOWS}|{_OTHERS})\.)[A-Za-z]{{2,}}+(?=\.(?:\s|\Z))",
    rf"[A-Za-z]++(?=['’]s{_END})|\d++(?=\s)",
)
_ADDRESSES = (
    rf"(?:[hH][tT][tT][pP][sS]?|[fF][tT][pP])://{_URL}|[wW][wW][wW]\.{_URL}",
    rf"{_START}(?<!\w[.%+-])(?=[A-Za-z0-9_])[A-Za-z0-9._%+-]{{1,64}}+@(?=[A-Za-z])[A-Za-z0-9-]++(?:\.[A-Za-z0-9-]++)*",
    rf"{_START}(?<!\w[.-])(?=[A-Za-z0-9])(?:{_HOST_LABEL}\.){{1,8}}{_SUFFIX}{_END}(?:/{_URL})?",
    rf"(?<![\w.])[a-z]++(?:\.[a-z]{{3,}}+){{2,}}+{_END}",  # a newsgroup: comp.sources.unix
    rf"@[A-Za-z_][A-Za-z0-9_]*(?:\.{_SUFFIX}{_END})?",
    rf"#{_LETTER}(?:{_LETTER_OR_DIGIT}|_)*",
)
_PICTURES = (
    rf"[:;][-^'’]?[)(]+{_END}",
    rf"{_START}(?:[:;=][-^o'’]?[)(\]\[DPpOo/\\|3*]+(?!/){_END}|[xX]D+{_END})|<3+{_END}|\^[_.]?\^",
    rf"[{FLAG_LETTERS}]{{2}}|[0-9#*]\ufe0f?\u20e3",
    rf"[{EMOJI}][{EMOJI_MODIFIERS}]*(?:\u200d[{EMOJI}][{EMOJI_MODIFIERS}]*)*",
)
_ABBREVIATIONS = (
    rf"(?:{_LETTER}\.){{2,}}+(?:{_LETTER}{_END})?+|{_LETTER}\.{_LETTER}{_END}",  # U.S. e.g. U.S.A
    rf"{_START}(?<!\w\.)(?:[{LOWER}]{{1,3}}\.){{2,}}+{_END}",  # f.eks. bl.a.
    rf"(?!I){_LETTER}\.(?=\s*[{UPPER}])",  # an initial
    rf"(?=\w{{1,6}}\.)(?:{_NAME_FOLLOWS}\.{_END}|{_NUMBER_FOLLOWS}\.(?=\s*\d)|{_OTHERS}\.(?![^\W\d]|\.\.|\s*(?:\n|\Z)))",
)
_CLITICS = (
    rf"(?=[A-Za-z]++['’])[A-Za-z]+?(?={_NOT})|{_NOT}",
    rf"(?<![^\w\s]){_CLITIC}",
    rf"{_START}['’]\d\ds?{_END}",  # '98 '90s
)
_PUNCTUATION = (r"[?!]{2,}", r"([^\w\s]|_)\1+", rf"\S[{MARKS}]*")


def _word_rules(hyphens: HyphenRule) -> tuple[str, ...]:
    """The rules for numbers and words, which are where the treebanks differ."""
    ordinal = rf"\+?{_NUMBER}(?:\.(?=\s+[{LOWER}])|['’]s{_END})"  # 3. maj, the 60's
    currency = r"[A-Z]{1,3}\$"
    if hyphens == "keep":
        tail = rf"(?:(?:{_JOINER}|[-‐‑/]){_WORD})*(?:-(?=\s))?"
        return ordinal, currency, rf"\+?{_NUMBER}(?:{_WORD})?{tail}", rf"{_WORD}{tail}"
    tail = rf"(?:(?:{_JOINER}){_WORD})*"
    return (
        rf"(?<![\w./-])\d++(?:[-/.]\d++){{2,}}+{_END}|\d{{3}}-\d{{4}}{_END}|\d\d?/\d{{1,4}}{_END}",  # telephone, date
        rf"{_NUMBER}(?={_UNIT})",
        ordinal,
        currency,
        rf"\+?{_NUMBER}(?:{_WORD})?{tail}",
        rf"(?:{_PREFIX})?{_WORD}{tail}",
    )


def _rules(hyphens: HyphenRule, shortcuts: Iterable[str] = _SHORTCUTS) -> tuple[str, ...]:
    """All rules, first come, first served."""
    special = (*_ADDRESSES, *_PICTURES, *_ABBREVIATIONS, *_CLITICS)
    return (*_FIRST, *shortcuts, *special, *_word_rules(hyphens), *_PUNCTUATION)


@cache
def _pattern(hyphens: HyphenRule) -> re.Pattern[str]:
    if hyphens not in ("split", "keep"):
        raise ValueError(f'expected hyphens "split" or "keep", got {hyphens!r}')
    # Without the look-ahead, every space would try every rule: half the speed.
    return re.compile(rf"(?=\S)(?:{'|'.join(_rules(hyphens))})")


def tokenize(text: str, *, hyphens: HyphenRule = "split") -> list[Token]:
    """The words and signs of a text, with their places.

    Args:
        text: Any Unicode string, of any length; it is not normalised.
        hyphens: Whether `well-known`, `and/or` and `5pm` are cut into their parts.

    Returns:
        Tokens in order, never empty, without overlap and without whitespace inside; every character that is not
        whitespace (`str.isspace`) lies in exactly one.

    Raises:
        ValueError: If `hyphens` is neither "split" nor "keep".

    Example:
        >>> [token.text for token in tokenize("Don't call Mr. O'Neal's U.S. office :-)")]
        ['Do', "n't", 'call', 'Mr.', "O'Neal", "'s", 'U.S.', 'office', ':-)']
        >>> tokenize("去Paris吧")
        [Token(text='去', start=0, end=1), Token(text='Paris', start=1, end=6), Token(text='吧', start=6, end=7)]
    """
    new = tuple.__new__  # a third faster than Token(...), and the bulk of the time
    return [new(Token, (match[0], match.start(), match.end())) for match in _pattern(hyphens).finditer(text)]


def check_characters(tokens: Sequence[str]) -> None:
    """Refuse the tokens of a sentence, for a model whose tokens are characters, if they are longer.

    Raises:
        InputError: If a token has more than one character.
    """
    if max(map(len, tokens), default=1) > 1:
        found = next(token for token in tokens if len(token) > 1)
        ways = "list(text) makes such of a text, ReadOptions(token_unit='character') of a file"
        raise InputError(f"expected tokens of one character, found {found!r:.40}: {ways}")


def characters(text: str) -> list[Token]:
    """Every character of a text that is not whitespace, as a token: for models trained on characters.

    Example:
        >>> characters("a 猫")
        [Token(text='a', start=0, end=1), Token(text='猫', start=2, end=3)]
    """
    new = tuple.__new__
    return [new(Token, (char, place, place + 1)) for place, char in enumerate(text) if not char.isspace()]


def word_portions(text: str, size: int, *, hyphens: HyphenRule = "split") -> Iterator[tuple[list[str], list[int]]]:
    """What `tokenize` finds as texts and starts, without an object per token, portion by portion.

    Args:
        text: As in `tokenize`.
        size: Tokens in a portion; the last has fewer, perhaps none.
        hyphens: As in `tokenize`.
    """
    matches = _pattern(hyphens).finditer(text)
    full = True
    while full:
        texts, starts = list[str](), list[int]()
        add_text, add_start = texts.append, starts.append
        for match in islice(matches, size):
            add_text(match[0])
            add_start(match.start())
        full = len(texts) == size
        yield texts, starts


def character_portions(text: str, size: int) -> Iterator[tuple[list[str], list[int]]]:
    """What `characters` finds as texts and starts, portion by portion; arguments as those of `word_portions`."""
    places = (place for place, char in enumerate(text) if not char.isspace())
    full = True
    while full:
        starts = list(islice(places, size))
        full = len(starts) == size
        yield [text[start] for start in starts], starts


_COMPOUND = re.compile(rf"(?!{_PREFIX}){_LETTER}{{2,}}-{_LETTER}{{2,}}")


def detect_hyphens(words: Iterable[str]) -> HyphenRule:
    """Whether a corpus splits hyphens: what to ask of `tokenize` for a model trained on these words.

    "keep" if there is a word like `well-known` for every 20 lone hyphens. (In the public corpora there are
    at most one where hyphens are split, and 3 to 500 where they are kept.)

    Example:
        >>> detect_hyphens(["a", "well-known", "name"]), detect_hyphens(["a", "well", "-", "known", "name"])
        ('keep', 'split')
    """
    lone = kept = 0
    for word in words:
        if "-" in word:
            lone += word == "-"
            kept += _COMPOUND.fullmatch(word) is not None
    return "keep" if 20 * kept > lone else "split"
