"""Raw text to sentences, whose tokens have their offsets in the whole text.

A sentence ends

- at a blank line, always;
- at a single line break, unless the line looks wrapped: the next one begins in lower case, or its first word would not
  have fitted into the longest line of the paragraph, and that line is between 50 and 120 characters long;
- after `.`, `!`, `?` or an ellipsis, with the quotes and brackets closed right after, if white space follows. Not, if a
  lower-case word follows a closing quote ("Why?" he said), an ellipsis or a short word (approx. five); not after an
  initial (J. Smith), a title (Dr.), an ordinal (3. maj), a list number at the start of a line (1. Aims), `No.` before a
  number; nor, unless a word like "The" or "He" follows, after another abbreviation (Inc., U.S., p.m.);
- after 。！？ with their closing quotes, unless a comma follows; no white space is needed there.

A sentence may be of any length: text without any of these is one sentence, and nothing is ever dropped.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import groupby, pairwise
from typing import NamedTuple, get_args

from ner_lstm_crf.config import Hyphens, TokenUnit
from ner_lstm_crf.text.annotation import Sentence
from ner_lstm_crf.text.scripts import CLOSERS, HAN, KANA, OPENERS
from ner_lstm_crf.text.tokenizer import (
    ABBREVIATIONS,
    BEFORE_NAMES,
    BEFORE_NUMBERS,
    character_portions,
    characters,
    tokenize,
    word_portions,
)

_PORTION = 32_768  # tokens
_NARROWEST_WRAP, _WIDEST_WRAP = 50, 120  # characters in the longest line of wrapped text
_SHORTEST_PLAIN_WORD = 5  # before a full stop and a lower-case word: 204 sentence ends, 16 abbreviations in the corpora

# Capitalised, these words begin a sentence far more often than a name.
_SENTENCE_OPENERS = frozenset(
    re.findall(
        r"\w+",
        "The This That These Those There Then Thus It Its He She His Her They Their We Our You Your I My A An But And"
        " Or So Yet If In On At As For From With Without After Before While When Where Who Why How What Which However"
        " Also Although Because Since Some Many Most Each Both All Not No Yes Please Thanks Now Here Today Yesterday"
        " Der Die Das Ein Eine Er Sie Es Wir Ich Im Am Aber Und",
    )
)
# Nouns that German capitalises after an ordinal: 3. Oktober, 16. Jahrhundert.
_AFTER_ORDINALS = frozenset(
    re.findall(
        r"\w+",
        "Januar Februar März April Mai Juni Juli August September Oktober November Dezember"
        " Jahrhundert Jahrhunderts Jh Chr",
    )
)

_STOPS = ".!?…‥؟۔।॥"
_WIDE_STOPS = "。！？｡"
_WIDE_CLOSERS = '’”」』）］｝》〉】〕")\\]'  # not the left quotes: they close in German, where a space follows
_STOP = re.compile(
    rf"(?=[{_STOPS}{_WIDE_STOPS}])(?:"  # not needed for the result: it passes over most characters at once
    rf"(?<![{_STOPS}])(?P<stop>[{_STOPS}]++)(?P<closers>(?:\[\d{{1,3}}\])*+[{CLOSERS}]*+(?:\ ?[:;]-?[()]+)?)(?=\s)"
    rf"|(?<![{_WIDE_STOPS}])[{_WIDE_STOPS}]++[{_WIDE_CLOSERS}]*+(?![，、,；;：:])"
    rf"|(?<![!?])[!?]++(?=[{HAN}{KANA}]))"
)
_NEXT = re.compile(rf"\s*+[{OPENERS}]*+(\w{{1,20}}|.|)")
_REACH = 12  # characters before a full stop that decide what it is
_LAST_WORD = re.compile(rf"[^\s()\[\]{{}}\"“”„«»‹›\u3000-\u303f{HAN}{KANA}\uff00-\uff65]+\Z")
_DOTTED = re.compile(r"(?:[^\W\d_]{1,3}\.)*[^\W\d_]{1,3}")
_LIST_NUMBER = re.compile(r"(?m)^[ \t]{0,8}\d{1,3}\Z")


def _ends_sentence(text: str, match: re.Match[str]) -> bool:
    """True if a match of `_STOP` is the end of a sentence."""
    if match["stop"] is None:  # a wide stop, which has no other use
        return True
    following = _NEXT.match(text, match.end())
    next_word = following[1] if following else ""
    if next_word and next_word in ".,;":
        return False
    if match["stop"] == "." and not match["closers"]:
        return not _is_abbreviated(text, match.start(), next_word)
    return not next_word[:1].islower() or (match["stop"][-1] in "!?" and not match["closers"])


def _is_abbreviated(text: str, stop: int, next_word: str) -> bool:
    """True if the full stop at the index `stop` belongs only to the word before it."""
    last_word = _LAST_WORD.search(text, max(0, stop - _REACH), stop)
    word = last_word[0].lstrip("'‘’") if last_word else ""
    if word in BEFORE_NAMES or (word in BEFORE_NUMBERS and next_word[:1].isdigit()):
        return True
    if word.isdecimal():  # 1. Aims, and ordinals: 3. maj, 16. Jahrhundert
        listed = _LIST_NUMBER.search(text, max(0, stop - _REACH), stop)
        return next_word[:1].islower() or next_word in _AFTER_ORDINALS or listed is not None
    initial = len(word) == 1 and word.isalpha() and word != "I"
    if initial or word in ABBREVIATIONS or ("." in word and _DOTTED.fullmatch(word)):
        return next_word not in _SENTENCE_OPENERS
    return next_word[:1].islower() and len(word) < _SHORTEST_PLAIN_WORD


def _borders(text: str) -> list[int]:
    """The offsets at which a sentence may begin or end, in order: after stops, and at the starts of lines."""
    stops = [match.end() for match in _STOP.finditer(text) if _ends_sentence(text, match)]
    return sorted([*stops, *_line_starts(text)])


def _line_starts(text: str) -> Iterator[int]:
    """The starts of the lines that begin a sentence."""
    start = 0
    for blank, paragraph in groupby(text.splitlines(keepends=True), key=str.isspace):
        lines = list(paragraph)
        yield start
        if blank:
            start += sum(map(len, lines))
            continue
        longest = max(len(line.rstrip()) for line in lines)
        width = longest if _NARROWEST_WRAP <= longest <= _WIDEST_WRAP else len(text)
        for line, next_line in pairwise(lines):
            start += len(line)
            if not _is_wrapped(line.rstrip(), next_line.lstrip(), width):
                yield start
        start += len(lines[-1])


def _is_wrapped(line: str, next_line: str, width: int) -> bool:
    """True if `line` was broken to fit into `width`, and its sentence goes on in `next_line`."""
    first_word = next_line.split(maxsplit=1)[0]
    return next_line[0].islower() or len(line) + 1 + len(first_word) > width


def sentences(text: str, *, token_unit: TokenUnit = "word", hyphens: Hyphens = "split") -> list[Sentence]:
    """The sentences of a text.

    Args:
        text: Any Unicode string, of any length.
        token_unit: "word" for words (characters where words are not spaced), "character" for single characters.
        hyphens: As in `tokenize`.

    Returns:
        Sentences of at least one token, without spans; the offsets of tokens count from the start of the text.

    Raises:
        ValueError: If `token_unit` is neither "word" nor "character".

    Example:
        >>> [sentence.words for sentence in sentences("Dr. No left. 他走了。是吗？")]
        [['Dr.', 'No', 'left', '.'], ['他', '走', '了', '。'], ['是', '吗', '？']]
    """
    if token_unit not in get_args(TokenUnit):
        raise ValueError(f'expected token_unit "word" or "character", got {token_unit!r}')
    tokens = tokenize(text, hyphens=hyphens) if token_unit == "word" else characters(text)
    starts = [token.start for token in tokens]
    edges = sorted({0, len(tokens), *(bisect_left(starts, border) for border in _borders(text))})
    return [Sentence(tuple(tokens[start:end])) for start, end in pairwise(edges)]


class Portion(NamedTuple):
    """Some sentences of a text, without an object per token.

    Attributes:
        words: The text of each token.
        starts: The offset of each token in the text.
        edges: The index of each sentence's first token, and the number of all tokens.
        last: True if the text ends with this portion.
    """

    words: list[str]
    starts: list[int]
    edges: list[int]
    last: bool


def portions(text: str, *, token_unit: TokenUnit = "word", hyphens: Hyphens = "split") -> Iterator[Portion]:
    """The sentences of `sentences`, whose arguments these are, in one portion, or in several if the text is long.

    The tokens of a portion are made when it is read, so those of a long text are never in memory together. A sentence
    is never cut.
    """
    if token_unit == "word":
        parts = word_portions(text, _PORTION, hyphens=hyphens)
    else:
        parts = character_portions(text, _PORTION)
    borders, passed = _borders(text), 0
    words, starts = list[str](), list[int]()
    for more_words, more_starts in parts:
        # 1. Add the next tokens to those of the sentence that was not complete.
        words += more_words
        starts += more_starts
        last = len(more_words) < _PORTION
        # 2. Find the first token of each sentence, as far as the tokens reach.
        reached = bisect_right(borders, len(text) if last else starts[-1], passed)
        edges = {0, *[bisect_left(starts, border) for border in borders[passed:reached]]}
        passed = reached
        # 3. The last sentence is complete only at the end of the text.
        complete = len(words) if last else max(edges)
        if complete or last:
            yield Portion(words[:complete], starts[:complete], sorted({*edges, complete}), last)
            words, starts = words[complete:], starts[complete:]
