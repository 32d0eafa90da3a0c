"""Token, Span, Sentence and Entity: the values that readers make, models tag and writers write.

All are immutable, and all ends are exclusive. A `Span` counts tokens; a `Token` and an `Entity` count characters
(Unicode code points of the string they came from).

Token and Span are named tuples, not frozen dataclasses: one is made per token of the input, and a named tuple takes a
quarter of the time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate, chain, islice
from operator import add
from typing import Any, NamedTuple, cast

from ner_lstm_crf.text.scripts import has_han


class Token(NamedTuple):
    """A word or sign of a text: `text == source[start:end]`."""

    text: str
    start: int
    end: int


class Span(NamedTuple):
    """An entity over the tokens `start` to `end` (exclusive) of one sentence.

    Example:
        >>> Span(0, 2, "PER") < Span(2, 3, "LOC")
        True
    """

    start: int
    end: int
    label: str


_make_token = cast(Any, partial(tuple.__new__, Token))  # Token(...) without its Python frame: a third of the time


@dataclass(frozen=True, slots=True, order=True)
class Entity:
    """An entity in a text: `text == source[start:end]`, counted in characters."""

    start: int
    end: int
    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """The tokens of a sentence and the entities in it.

    Attributes:
        tokens: The tokens in order. Those of a column file, which holds no running text, have the offsets of words
            joined by one space (by nothing where tokens are characters).
        spans: The entities, sorted, without overlap.
        document: The number of the document within its file, from 0.
        line: The 1-based line of the first token in its file; None for text that came from no file.

    Raises:
        ValueError: If a span is empty, out of range, out of order or overlaps the one before it.
    """

    tokens: tuple[Token, ...]
    spans: tuple[Span, ...] = ()
    document: int = 0
    line: int | None = None

    def __post_init__(self) -> None:
        end = 0
        for span in self.spans:
            if not end <= span.start < span.end <= len(self.tokens):
                raise ValueError(
                    f"expected sorted spans without overlap within {len(self.tokens)} tokens, got {self.spans}"
                )
            end = span.end

    @classmethod
    def from_words(cls, words: Iterable[str], spans: Iterable[Span] = (), *, joiner: str = " ") -> Sentence:
        """A sentence of words without running text: their offsets are those in the words joined by `joiner`."""
        return cls(tokens_from_words(list(words), joiner), tuple(spans))

    @property
    def words(self) -> list[str]:
        """The text of each token."""
        return [token.text for token in self.tokens]

    def with_spans(self, spans: Iterable[Span]) -> Sentence:
        """The same sentence with other spans."""
        return replace(self, spans=tuple(spans))

    def entities(self, source: str) -> list[Entity]:
        """The spans as entities of `source`, the text that the tokens are of.

        Example:
            >>> Sentence((Token("Rome", 3, 7),), (Span(0, 1, "LOC"),)).entities("In Rome")
            [Entity(start=3, end=7, label='LOC', text='Rome')]
        """
        bounds = ((self.tokens[start].start, self.tokens[end - 1].end, label) for start, end, label in self.spans)
        return [Entity(start, end, label, source[start:end]) for start, end, label in bounds]


def tokens_from_words(words: Sequence[str], joiner: str = " ") -> tuple[Token, ...]:
    """Words as tokens of the text `joiner.join(words)`.

    Example:
        >>> tokens_from_words(["In", "Rome"])
        (Token(text='In', start=0, end=2), Token(text='Rome', start=3, end=7))
    """
    lengths, gap = list(map(len, words)), len(joiner)
    starts = list(accumulate([length + gap for length in lengths] if gap else lengths, initial=0))
    return tuple(map(_make_token, zip(words, starts, map(add, starts, lengths), strict=False)))


def align(words: Iterable[str], text: str) -> tuple[Token, ...] | None:
    """Words as tokens of a text that consists of them and of white space; None if it does not.

    Example:
        >>> align(["New", "York", "!"], "New York!")[-1]
        Token(text='!', start=8, end=9)
        >>> align(["New", "York"], "New York!") is None
        True
    """
    tokens, position = list[Token](), 0
    for word in words:
        start = text.find(word, position)
        if start < 0 or text[position:start].strip():
            return None
        position = start + len(word)
        tokens.append(Token(word, start, position))
    return None if text[position:].strip() else tuple(tokens)


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
