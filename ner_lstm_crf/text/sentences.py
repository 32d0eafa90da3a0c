"""Raw text to sentences whose tokens carry their places in the whole text.

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
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import chain, groupby, pairwise
from typing import NamedTuple

from ner_lstm_crf.config import TokenUnit
from ner_lstm_crf.text.abbreviations import (
    ABBREVIATIONS,
    AFTER_ORDINALS,
    BEFORE_NAMES,
    BEFORE_NUMBERS,
    SENTENCE_OPENERS,
)
from ner_lstm_crf.text.annotation import Sentence, Token
from ner_lstm_crf.text.scripts import CLOSERS, HAN, KANA, OPENERS
from ner_lstm_crf.text.tokenizer import HyphenRule, character_portions, characters, tokenize, word_portions

__all__ = ["Portion", "portions", "sentences", "split_sentences"]

_PORTION = 32_768  # tokens
_NARROWEST_WRAP, _WIDEST_WRAP = 50, 120  # characters in the longest line of wrapped text
_SHORTEST_PLAIN_WORD = 5  # before a full stop and a lower-case word: 204 sentence ends, 16 abbreviations in the corpora

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
    """Whether the stop that `_STOP` found is the end of a sentence."""
    if match["stop"] is None:  # a wide stop, which has no other use
        return True
    following = _NEXT.match(text, match.end())
    next_word = following[1] if following else ""
    if next_word and next_word in ".,;":
        return False
    if match["stop"] == "." and not match["closers"]:
        return not _is_abbreviated(text, match.start(), next_word)
    return not next_word[:1].islower() or (match["stop"][-1] in "!?" and not match["closers"])


def _is_abbreviated(text: str, place: int, next_word: str) -> bool:
    """Whether the full stop at `place` belongs to the word before it alone."""
    last_word = _LAST_WORD.search(text, max(0, place - _REACH), place)
    word = last_word[0].lstrip("'‘’") if last_word else ""
    if word in BEFORE_NAMES or (word in BEFORE_NUMBERS and next_word[:1].isdigit()):
        return True
    if word.isdecimal():  # 1. Aims, and ordinals: 3. maj, 16. Jahrhundert
        listed = _LIST_NUMBER.search(text, max(0, place - _REACH), place)
        return next_word[:1].islower() or next_word in AFTER_ORDINALS or listed is not None
    initial = len(word) == 1 and word.isalpha() and word != "I"
    if initial or word in ABBREVIATIONS or ("." in word and _DOTTED.fullmatch(word)):
        return next_word not in SENTENCE_OPENERS
    return next_word[:1].islower() and len(word) < _SHORTEST_PLAIN_WORD


def _stops(text: str) -> Iterator[int]:
    """The places right after the stops that end a sentence."""
    return (match.end() for match in _STOP.finditer(text) if _ends_sentence(text, match))


def _line_breaks(text: str) -> Iterator[int]:
    """The starts of the lines that begin a sentence."""
    place = 0
    for blank, paragraph in groupby(text.splitlines(keepends=True), key=str.isspace):
        lines = list(paragraph)
        yield place
        if blank:
            place += sum(map(len, lines))
            continue
        longest = max(len(line.rstrip()) for line in lines)
        width = longest if _NARROWEST_WRAP <= longest <= _WIDEST_WRAP else len(text)
        for line, next_line in pairwise(lines):
            place += len(line)
            if not _is_wrapped(line.rstrip(), next_line.lstrip(), width):
                yield place
        place += len(lines[-1])


def _is_wrapped(line: str, next_line: str, width: int) -> bool:
    """Whether `next_line` goes on where `line` was broken to fit into `width`."""
    first_word = next_line.split(maxsplit=1)[0]
    return next_line[0].islower() or len(line) + 1 + len(first_word) > width


def split_sentences(text: str, tokens: Sequence[Token]) -> list[Sequence[Token]]:
    """The tokens of a text, sentence by sentence: none lost, none empty; a token is never cut.

    Args:
        text: The whole text.
        tokens: Its tokens, in order.
    """
    edges = _edges([token.start for token in tokens], chain(_stops(text), _line_breaks(text)))
    return [tokens[start:end] for start, end in pairwise(edges)]


def _edges(starts: Sequence[int], cuts: Iterable[int]) -> list[int]:
    """Where sentences begin and end among tokens that start there, each once: 0, those of the cuts, all tokens."""
    return sorted({0, len(starts), *(bisect_left(starts, cut) for cut in cuts)})


def sentences(text: str, *, token_unit: TokenUnit = "word", hyphens: HyphenRule = "split") -> list[Sentence]:
    """The sentences of a text.

    Args:
        text: Any Unicode string, of any length.
        token_unit: Whether tokens are words (characters where words are not spaced) or single characters.
        hyphens: As in `tokenize`.

    Returns:
        Sentences of at least one token, without spans; each token's place counts in the whole text.

    Raises:
        ValueError: If `token_unit` is neither "word" nor "character".

    Example:
        >>> [sentence.words for sentence in sentences("Dr. No left. 他走了。是吗？")]
        [['Dr.', 'No', 'left', '.'], ['他', '走', '了', '。'], ['是', '吗', '？']]
    """
    if token_unit not in ("word", "character"):
        raise ValueError(f'expected unit "word" or "character", got {token_unit!r}')
    tokens = tokenize(text, hyphens=hyphens) if token_unit == "word" else characters(text)
    return [Sentence(tuple(part)) for part in split_sentences(text, tokens)]


class Portion(NamedTuple):
    """Some sentences of a text, without an object per token.

    Attributes:
        words: The text of each token.
        starts: Where each token starts in the text.
        edges: Where sentences begin and end among the tokens: 0, each border, the number of tokens.
        last: Whether the text ends here.
    """

    words: list[str]
    starts: list[int]
    edges: list[int]
    last: bool


def portions(text: str, *, token_unit: TokenUnit = "word", hyphens: HyphenRule = "split") -> Iterator[Portion]:
    """The same sentences as those of `sentences`, whose arguments they are: all in one portion, unless they are many.

    A long text is read as it is asked for, so that it need not be in memory as tokens; a sentence is never cut.
    """
    cut_words = token_unit == "word"
    parts = word_portions(text, _PORTION, hyphens=hyphens) if cut_words else character_portions(text, _PORTION)
    words, starts = next(parts)
    if len(words) < _PORTION:
        yield Portion(words, starts, _edges(starts, chain(_stops(text), _line_breaks(text))), True)
        return
    cuts = merge(_stops(text), _line_breaks(text))
    cut = next(cuts, len(text))
    for more_words, more_starts in parts:
        edges = [0]
        while cut <= starts[-1]:
            edges.append(bisect_left(starts, cut))
            cut = next(cuts, len(text))
        border = edges[-1]
        if border:
            yield Portion(words[:border], starts[:border], sorted({*edges}), False)
            words, starts = words[border:], starts[border:]
        words += more_words
        starts += more_starts
    yield Portion(words, starts, _edges(starts, chain([cut], cuts)), True)
