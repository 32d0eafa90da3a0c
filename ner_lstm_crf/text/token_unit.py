"""What the tokens of annotated data are: words, or characters, as in Chinese corpora."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import accumulate, chain, islice

from ner_lstm_crf.text.annotation import Sentence, Span, Token
from ner_lstm_crf.text.scripts import has_han

__all__ = ["CHARACTER_SHARE", "by_character", "characters_of", "share_of_characters", "unspaced_chinese"]

CHARACTER_SHARE = 0.999
"""Share of one-character tokens from which data are those of characters: more than any corpus of words has, less than
a slip can hide."""

_SAMPLE = 200  # sentences


def share_of_characters(sentences: Iterable[Sentence]) -> float:
    """How many of the tokens are one character long, from 0 to 1; 0 where there is no token.

    In Chinese text only those with a Chinese character count: corpora of characters may leave numbers and foreign words
    whole, but corpora of words have Chinese ones of several.
    """
    counts = Counter(token.text for sentence in sentences for token in sentence.tokens)
    chinese = Counter({word: count for word, count in counts.items() if has_han(word)})
    if 2 * chinese.total() > counts.total():
        counts = chinese
    return sum(count for word, count in counts.items() if len(word) == 1) / max(counts.total(), 1)


def characters_of(word: str) -> str:
    """The characters of a token that become tokens themselves: all but whitespace."""
    return "".join(word.split())


def by_character(words: Sequence[str], spans: Sequence[Span]) -> tuple[list[str], tuple[Span, ...]]:
    """The characters of tokens as tokens of their own, and the spans over them.

    A span over nothing but white space is left out.

    Example:
        >>> by_character(["北京", "很", "大"], [Span(0, 1, "LOC")])
        (['北', '京', '很', '大'], (Span(start=0, end=2, label='LOC'),))
    """
    characters = [characters_of(word) for word in words]
    starts = list(accumulate(map(len, characters), initial=0))
    moved = (Span(starts[start], starts[end], label) for start, end, label in spans)
    return list("".join(characters)), tuple(span for span in moved if span.start < span.end)


def unspaced_chinese(sentences: Iterator[Sentence]) -> Iterator[Sentence]:
    """Sentences of a column file; if their tokens are Chinese characters, these touch, as they do in running text."""
    first = list(islice(sentences, _SAMPLE))
    is_chinese = any(has_han(word) for sentence in first for word in sentence.words)
    together = is_chinese and share_of_characters(first) >= CHARACTER_SHARE
    for sentence in chain(first, sentences):
        yield replace(sentence, tokens=_without_spaces(sentence.words)) if together else sentence


def _without_spaces(words: Sequence[str]) -> tuple[Token, ...]:
    """Tokens that touch, but where one of several characters meets another, which could not be told from it."""
    tokens = list[Token]()
    for before, word in zip(["", *words], words, strict=False):
        start = (tokens[-1].end if tokens else 0) + (len(before) > 1 < len(word))
        tokens.append(Token(word, start, start + len(word)))
    return tuple(tokens)
