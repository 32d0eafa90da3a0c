"""Raw text to tokens with their offsets.

One regular expression is matched from left to right; its alternatives, in order, are the rules below. They follow the
Penn Treebank and its heirs, CoNLL-2003 and Universal Dependencies: clitics apart (do n't, John 's), abbreviations
(U.S., Mr.), numbers (1,234.56), addresses, @names, #hashtags, emoticons and emoji whole, other punctuation apart with
runs of one sign together (... --). Where words are not spaced (Han, Kana, Thai), each character with its marks is a
token, so that an entity may begin anywhere; Hangul is spaced and stays in words, as in the Korean treebanks.

The treebanks part ways over hyphens. Universal Dependencies' English (EWT, PUD), OntoNotes and the biomedical corpora
split them, well - known; CoNLL-2003, wikigold and the treebanks of most other languages keep well-known. The share of
sentences tokenized exactly as in the gold standard (`scripts/check_tokenizer.py`), split against keep: English EWT dev
97% against 93%, English PUD 99% against 91%; Portuguese dev 88% against 98%, Danish dev 85% against 97%. A model does
best on text tokenized as its training data were, so `hyphens` is an argument, and `detect_hyphens` finds it from the
training words.

Not attempted: French elision (l'homme stays whole), Chinese words, Swedish abbreviations with spaces (t ex).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import get_args

from ner_lstm_crf.config import Hyphens, TokenUnit
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.text.annotation import Token
from ner_lstm_crf.text.scripts import ALONE, EMOJI, EMOJI_MODIFIERS, FLAG_LETTERS, LOWER, MARKS, UPPER, WIDE

# 1. Abbreviations, in English and the other languages of the corpora, without their stop, each also with its first
#    letter capitalised. Dotted ones (U.S., e.g., f.eks.) need no list: their form shows what they are. The sentence
#    splitter uses the same lists.
BEFORE_NAMES, BEFORE_NUMBERS, ABBREVIATIONS = (
    frozenset(form for word in words.split() for form in (word, word[0].upper() + word[1:]))
    for words in (
        # A name follows: they never end a sentence.
        "Mr Mrs Ms Mx Dr Prof St Sts Ft Mt Drs Gen Gov Lt Col Sgt Capt Cpl Cmdr Adm Maj Rev Sen Sens Rep Reps Hon"
        " Messrs Mme Mlle Hr Sra Dra dr prof sr sra sv vs",
        # Abbreviations if a number follows; otherwise ordinary words, or too rare to tell.
        "no nos nr vol fig figs sec art ch p pp par ext tel kap kl sid pág Mar Sat Sun Wed",
        # In the middle of a sentence, or at its end, where their stop is also that of the sentence.
        "Inc Corp Co Cos Ltd Bros Jr Sr Assn Dept Dist Univ Ph Ave Blvd Rd Attn Calif Fla Ariz Conn Tenn Va Ala Ont Que"
        " Jan Feb Apr Jun Jul Aug Sep Sept Oct Nov Dec Mon Tue Tues Thu Thur Thurs Fri"
        " etc eg ie cf ca approx incl est esp lb lbs oz mins hrs yrs"
        " usw bzw Chr Str Mio Mrd evtl ggf dvs resp kr pr pct mill bl osv ang inkl hhv mia npr tj engl tzv dom kgl",
    )
)
ABBREVIATIONS |= {"al"}  # "Al" is a name

# 2. The rules. Every quantifier below is bounded, possessive (`++`), or followed by nothing that can fail, and rules
#    that read a long run and may then fail begin with a look-behind that lets them try once per run. So the time is
#    linear in the text.

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

# An alternation of each list, grouped by first letter, which needs a tenth of the comparisons.
_NAME_FOLLOWS, _NUMBER_FOLLOWS, _OTHERS = (
    "(?:" + "|".join(f"{first}(?:{'|'.join(word[1:] for word in group)})" for first, group in groups) + ")"
    for words in (BEFORE_NAMES, BEFORE_NUMBERS, ABBREVIATIONS)
    for groups in [groupby(sorted(words, key=lambda word: (word[0], -len(word), word)), key=itemgetter(0))]
)

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


_ORDINAL = rf"\+?{_NUMBER}(?:\.(?=\s+[{LOWER}])|['’]s{_END})"  # 3. maj, the 60's
_CURRENCY = r"[A-Z]{1,3}\$"
_TAIL_SPLIT = rf"(?:(?:{_JOINER}){_WORD})*"
_TAIL_KEEP = rf"(?:(?:{_JOINER}|[-‐‑/]){_WORD})*(?:-(?=\s))?"
_WORDS: Mapping[Hyphens, tuple[str, ...]] = {  # numbers and words, where the treebanks differ
    "split": (
        rf"(?<![\w./-])\d++(?:[-/.]\d++){{2,}}+{_END}|\d{{3}}-\d{{4}}{_END}|\d\d?/\d{{1,4}}{_END}",  # telephone, date
        rf"{_NUMBER}(?={_UNIT})",
        _ORDINAL,
        _CURRENCY,
        rf"\+?{_NUMBER}(?:{_WORD})?{_TAIL_SPLIT}",
        rf"(?:{_PREFIX})?{_WORD}{_TAIL_SPLIT}",
    ),
    "keep": (_ORDINAL, _CURRENCY, rf"\+?{_NUMBER}(?:{_WORD})?{_TAIL_KEEP}", rf"{_WORD}{_TAIL_KEEP}"),
}


@cache
def token_pattern(hyphens: Hyphens, shortcuts: tuple[str, ...] = _SHORTCUTS) -> re.Pattern[str]:
    """All rules as one regular expression; the first rule that matches decides."""
    if hyphens not in get_args(Hyphens):
        raise ValueError(f'expected hyphens "split" or "keep", got {hyphens!r}')
    words = _WORDS["keep" if hyphens == "keep" else "split"]
    rules = (*_FIRST, *shortcuts, *_ADDRESSES, *_PICTURES, *_ABBREVIATIONS, *_CLITICS, *words, *_PUNCTUATION)
    # Without the look-ahead, every space would try every rule: half the speed.
    return re.compile(rf"(?=\S)(?:{'|'.join(rules)})")


def tokenize(text: str, *, hyphens: Hyphens = "split") -> list[Token]:
    """The words and signs of a text.

    Args:
        text: Any Unicode string, of any length; it is not normalised.
        hyphens: "split" makes several tokens of `well-known`, `and/or` and `5pm`, "keep" one. "auto", which leaves the
            choice to the training data, splits: a text alone does not tell.

    Returns:
        Tokens in order, never empty, without overlap and without whitespace inside; every character that is not
        whitespace (`str.isspace`) lies in exactly one.

    Raises:
        TypeError: If `text` is no string.
        ValueError: If `hyphens` is none of these.

    Example:
        >>> [token.text for token in tokenize("Don't call Mr. O'Neal's U.S. office :-)")]
        ['Do', "n't", 'call', 'Mr.', "O'Neal", "'s", 'U.S.', 'office', ':-)']
        >>> tokenize("去Paris吧")
        [Token(text='去', start=0, end=1), Token(text='Paris', start=1, end=6), Token(text='吧', start=6, end=7)]
    """
    check_text(text)
    new = tuple.__new__  # a third faster than Token(...), and the bulk of the time
    return [new(Token, (match[0], match.start(), match.end())) for match in token_pattern(hyphens).finditer(text)]


def check_text(text: object) -> None:
    """Refuse what is no string.

    Raises:
        TypeError: If it is none.
    """
    if not isinstance(text, str):
        decoded = ": decode it first" if isinstance(text, bytes) else ""
        raise TypeError(f"expected a text, got {type(text).__name__}{decoded}")


def check_characters(tokens: Sequence[str]) -> None:
    """Refuse tokens of several characters, for a model whose tokens are characters.

    Raises:
        InputError: If a token has more than one character.
    """
    if max(map(len, tokens), default=1) > 1:
        found = next(token for token in tokens if len(token) > 1)
        ways = "list(text) makes such of a text, ReadOptions(token_unit='character') of a file"
        raise InputError(f"expected tokens of one character, found {found!r:.40}: {ways}")


def characters(text: str) -> list[Token]:
    """Every character of a text that is not whitespace, as a token, for models whose tokens are characters.

    Example:
        >>> characters("a 猫")
        [Token(text='a', start=0, end=1), Token(text='猫', start=2, end=3)]
    """
    check_text(text)
    new = tuple.__new__
    return [new(Token, (char, start, start + 1)) for start, char in enumerate(text) if not char.isspace()]


def read_tokens(
    text: str, start: int, end: int, token_unit: TokenUnit, hyphens: Hyphens
) -> tuple[list[str], list[int]]:
    """The tokens that begin between two offsets of a text, as two lists, their texts and their starts.

    This is faster than one object per token.

    Args:
        text: As in `tokenize`.
        start: Where the first of them may begin; a token is not cut there.
        end: Where the next one may begin (exclusive).
        token_unit: "word" for the tokens of `tokenize`, "character" for those of `characters`.
        hyphens: As in `tokenize`.
    """
    if token_unit == "character":
        starts = [position for position, char in enumerate(text[start:end], start) if not char.isspace()]
        return [text[position] for position in starts], starts
    texts, starts = list[str](), list[int]()
    add_text, add_start = texts.append, starts.append
    for match in token_pattern(hyphens).finditer(text, start):
        position = match.start()
        if position >= end:
            break
        add_text(match[0])
        add_start(position)
    return texts, starts


_COMPOUND = re.compile(rf"(?!{_PREFIX}){_LETTER}{{2,}}-{_LETTER}{{2,}}")


def detect_hyphens(words: Iterable[str]) -> Hyphens:
    """The argument `hyphens` of `tokenize` that suits a corpus of these words.

    "keep" if there is at least one word like `well-known` for every 20 lone hyphens. (Public corpora have at most one
    if they split hyphens, and 3 to 500 if they keep them.)

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
