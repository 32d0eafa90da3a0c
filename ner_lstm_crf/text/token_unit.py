"""The unit of the tokens of annotated data: words, or characters, as in Chinese corpora."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import accumulate, chain, islice

from ner_lstm_crf.text.annotation import Sentence, Span, Token
from ner_lstm_crf.text.scripts import has_han

__all__ = ["CHARACTER_SHARE", "by_character", "characters_of", "share_of_characters", "unspaced_chinese"]

CHARACTER_SHARE = 0.999
"""The least share of one-character tokens in data of characters: no corpus of words has as many, and some slips are
allowed for."""

_SAMPLE = 200  # sentences


def share_of_characters(sentences: Iterable[Sentence]) -> float:
    """The share of tokens of one character, from 0 to 1; 0 if there is no token.

    In Chinese text only tokens with a Chinese character count: corpora of characters may keep numbers and foreign words
    whole, but corpora of words have Chinese words of several characters.
    """
    counts = Counter(token.text for sentence in sentences for token in sentence.tokens)
    chinese = Counter({word: count for word, count in counts.items() if has_han(word)})
    if 2 * chinese.total() > counts.total():
        counts = chinese
    return sum(count for word, count in counts.items() if len(word) == 1) / max(counts.total(), 1)


def characters_of(word: str) -> str:
    """The characters of a token that become tokens of their own: all but whitespace."""
    return "".join(word.split())


def by_character(words: Sequence[str], spans: Sequence[Span]) -> tuple[list[str], tuple[Span, ...]]:
    """The characters of words as tokens of their own, and the spans over them.

    A span over nothing but white space is left out.

    Example:
        >>> by_character(["北京", "很", "大"], [Span(0, 1, "LOC")])
        (['北', '京', '很', '大'], (Span(start=0, end=2, label='LOC'),))
    """
    characters = [characters_of(word) for word in words]
    starts = list(accumulate(map(len, characters), initial=0))
    longer = (Span(starts[start], starts[end], label) for start, end, label in spans)
    return list("".join(characters)), tuple(span for span in longer if span.start < span.end)


def unspaced_chinese(sentences: Iterator[Sentence]) -> Iterator[Sentence]:
    """Sentences of a column file, without spaces between their tokens if these are Chinese characters."""
    first = list(islice(sentences, _SAMPLE))
    is_chinese = any(has_han(word) for sentence in first for word in sentence.words)
    unspaced = is_chinese and share_of_characters(first) >= CHARACTER_SHARE
    for sentence in chain(first, sentences):
        yield replace(sentence, tokens=_without_spaces(sentence.words)) if unspaced else sentence


def _without_spaces(words: Sequence[str]) -> tuple[Token, ...]:
    """Tokens without spaces, except between two of several characters each, which could not be separated again."""
    tokens = list[Token]()
    for before, word in zip(["", *words], words, strict=False):
        start = (tokens[-1].end if tokens else 0) + (len(before) > 1 < len(word))
        tokens.append(Token(word, start, start + len(word)))
    return tuple(tokens)
