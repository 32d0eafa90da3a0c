"""Token, Span, Sentence and Entity: the values that readers make, models tag and writers write.

All are immutable, and all ends are exclusive. A `Span` counts tokens; a `Token` and an `Entity` count characters
(Unicode code points of the string they came from).

Token and Span are named tuples, not frozen dataclasses: one is made per token of the input, and a named tuple takes a
quarter of the time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from operator import add
from typing import Any, NamedTuple, cast

__all__ = ["Entity", "Sentence", "Span", "Token", "align", "tokens_from_words"]


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
