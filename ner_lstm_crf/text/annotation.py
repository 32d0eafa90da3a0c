"""Token, Span, Unknown, Sentence and Entity: the values that readers make, models tag and writers write.

All are immutable, and all ends are exclusive. A `Span` counts tokens; a `Token` and an `Entity` count characters
(Unicode code points of the string they came from).

Token and Span are named tuples, not frozen dataclasses: one is made per token of the input, and a named tuple takes a
quarter of the time.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import accumulate, chain, count, islice, pairwise, repeat, zip_longest
from operator import add, index
from typing import Any, NamedTuple, SupportsIndex, TypeVar, cast, get_args

from ner_lstm_crf.config import Hyphens, TokenUnit
from ner_lstm_crf.errors import counted
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


class Unknown(NamedTuple):
    """A token of which it is not known what it is: in an entity, or in none.

    Attributes:
        token: Its position in the sentence.
        tags: The tags that it may have, written in BIOES whatever the scheme of its file: `B-PER` begins an entity of
            several tokens, `S-PER` is one, `O` is in none. None if it may have any.
    """

    token: int
    tags: frozenset[str] | None = None


_make_tokens = cast(Any, partial(map, tuple.__new__, repeat(Token)))  # Token(...) without its Python frame


@dataclass(frozen=True, slots=True, order=True, repr=False)
class Entity:
    """An entity in a text: `text == source[start:end]`, counted in characters.

    Attributes:
        start: Where it begins.
        end: Where it ends, exclusive.
        label: Its label.
        text: What it covers.
        score: The probability that exactly this is an entity, with this label; None if nobody has computed it. Entities
            with other scores are equal.

    Example:
        >>> Entity(3, 7, "LOC", "Rome", score=0.98765)
        Entity(start=3, end=7, label='LOC', text='Rome', score=0.988)
    """

    start: int
    end: int
    label: str
    text: str
    score: float | None = field(default=None, compare=False)

    def __repr__(self) -> str:
        score = "" if self.score is None else f", score={self.score:.3f}"
        return f"Entity(start={self.start!r}, end={self.end!r}, label={self.label!r}, text={self.text!r}{score})"

    def to_json(self) -> dict[str, Any]:
        """The entity as a JSON object: its score, if it has one, rounded to 4 digits."""
        values = {"start": self.start, "end": self.end, "label": self.label, "text": self.text}
        return values if self.score is None else values | {"score": round(self.score, 4)}


Item = TypeVar("Item")

_SHOWN = 20  # tokens in the representation of a sentence

_BIOES_TAG = re.compile(r"O|[BIES](?:-.+)?", re.DOTALL)


@dataclass(frozen=True, slots=True, repr=False)
class Sentence:
    """The tokens of a sentence and the entities in it.

    `from_words`, `from_tags` and `from_text` make one of words, of words and tags, and of a text.

    Attributes:
        tokens: The tokens in order. Those of a column file, which holds no running text, have the offsets of words
            joined by one space (by nothing where tokens are characters), unless the file tells its text or its spaces.
        spans: The entities, sorted, without overlap.
        document: The number of the document within its file, from 0.
        line: The 1-based line of the first token in its file; None for text that came from no file.
        scores: The probability of each span, as a tagger gives it; () if nobody has computed them. Sentences with other
            scores are equal.
        unknown: The tokens of which it is not known what they are, sorted; none of them is in a span. All other tokens
            are known: those in no span are in no entity.

    Raises:
        TypeError: If a token is no `Token`, a span no `Span`, or a label no string.
        ValueError: If a span is empty, out of range, out of order or overlaps the one before it; if there are scores,
            but not one for each span; if an unknown token is in a span, out of range or out of order, or one of its
            tags is none of BIOES.
    """

    tokens: tuple[Token, ...]
    spans: tuple[Span, ...] = ()
    document: int = 0
    line: int | None = None
    scores: tuple[float, ...] = field(default=(), compare=False)
    unknown: tuple[Unknown, ...] = ()

    def __post_init__(self) -> None:
        for what, given, kind in (("tokens", self.tokens, Token), ("spans", self.spans, Span)):
            if given != () and (not isinstance(given, tuple) or [*map(type, given)].count(kind) < len(given)):
                found = given if not isinstance(given, tuple) else next(one for one in given if type(one) is not kind)
                raise TypeError(
                    f"expected a tuple of {kind.__name__} as {what}, found {found!r:.80}: "
                    "Sentence.from_words takes words"
                )
        last, length = 0, len(self.tokens)
        for number, (start, end, label) in enumerate(self.spans):
            if not isinstance(label, str):
                raise TypeError(f"expected a string as the label of a span, got {self.spans[number]}")
            if not last <= start < end <= length:
                after = f" after {self.spans[number - 1]}" if start < last else ""
                raise ValueError(
                    f"expected sorted spans without overlap within {length} tokens, got {self.spans[number]}{after}"
                )
            last = end
        if self.scores and len(self.scores) != len(self.spans):
            spans, scores = counted(len(self.spans), "span"), len(self.scores)
            raise ValueError(f"expected one score for each of {spans}, got {scores}")
        if self.unknown:
            self._check_unknown()

    def _check_unknown(self) -> None:
        """Refuse unknown tokens that do not fit; see the class."""
        known, last = {token for start, end, _ in self.spans for token in range(start, end)}, -1
        for one in self.unknown:
            if not isinstance(one, Unknown) or not isinstance(one.tags, frozenset | None):
                raise TypeError(
                    f"expected unknown tokens such as Unknown(0) or Unknown(0, frozenset({{'O'}})), got {one!r:.80}"
                )
            if not last < one.token < len(self.tokens) or one.token in known:
                raise ValueError(f"expected sorted unknown tokens within the sentence and in no span, got {one}")
            if one.tags is not None and not (one.tags and all(map(_BIOES_TAG.fullmatch, one.tags))):
                raise ValueError(f"expected tags of BIOES for an unknown token, got {one}")
            last = one.token

    @classmethod
    def from_words(
        cls, words: Iterable[str], spans: Iterable[Span | tuple[int, int, str]] = (), *, joiner: str = " "
    ) -> Sentence:
        """A sentence of words without running text: their offsets are those in the words joined by `joiner`.

        Raises:
            TypeError: If `words` is a string, or one of them is none.
            ValueError: If the spans do not fit, as in the class.

        Example:
            >>> Sentence.from_words(["In", "New", "York"], [(1, 3, "LOC")])
            <Sentence of 3 tokens: In [New York](LOC)>
        """
        if isinstance(words, str) and joiner:
            raise TypeError("expected words, got a string: Sentence.from_text(text) cuts it into tokens")
        words = list(words)
        check_words(words)
        return cls(tokens_from_words(words, joiner), tuple(Span(*span) for span in spans))

    @classmethod
    def from_tags(cls, words: Iterable[str], tags: Iterable[str], *, scheme: str = "IOB2") -> Sentence:
        """A sentence of words and their tags, one for each.

        Args:
            words: The words.
            tags: The tags; `O` is that of a word in no entity.
            scheme: Their tag scheme, in any usual spelling: BIO (IOB2), IOB1, BIOES, BILOU, ...

        Raises:
            InputError: If there is no such scheme.
            TypeError: If `words` or `tags` is a string, or one of them is none.
            ValueError: If there is not one tag for each word, or a tag that the scheme does not allow there.

        Example:
            >>> Sentence.from_tags(["Ada", "Green", "met", "Milo"], ["B-PER", "I-PER", "O", "B-PER"])
            <Sentence of 4 tokens: [Ada Green](PER) met [Milo](PER)>
        """
        from ner_lstm_crf.tags.scheme import get_scheme  # the scheme is its argument; see pyproject.toml

        if isinstance(words, str) or isinstance(tags, str):
            raise TypeError("expected a list of words and one of tags, got a string")
        words, tags = list(words), list(tags)
        check_words(words)
        check_words(tags, "tag")
        if len(words) != len(tags):
            raise ValueError(f"expected one tag for each of {len(words)} words, got {len(tags)} tags")
        return cls.from_words(words, get_scheme(scheme).decode(tags, "error").spans)

    @classmethod
    def from_text(
        cls,
        text: str,
        entities: Iterable[Entity | tuple[int, int, str]] = (),
        *,
        token_unit: TokenUnit = "word",
        hyphens: Hyphens = "split",
        cut: bool = False,
    ) -> Sentence:
        """A text as one sentence, with entities given by their offsets; `ner_lstm_crf.sentences` finds sentences.

        Args:
            text: The text.
            entities: Entities as `Entity` or as (start, end, label), counted in characters, with an exclusive end; in
                any order.
            token_unit: What a token is: a word, or a character (Chinese).
            hyphens: As in `tokenize`.
            cut: True to cut a token in which an entity begins or ends; else it is refused.

        Raises:
            TypeError: If `text` is no string, or an entity is none.
            ValueError: If an entity lies outside the text, overlaps another, has another text, or begins or ends within
                a token; if there is no such unit.

        Example:
            >>> Sentence.from_text("Ada met Dr. Milo.", [(0, 3, "PER"), (12, 16, "PER")])
            <Sentence of 5 tokens: [Ada](PER) met Dr. [Milo](PER).>
        """
        from ner_lstm_crf.text.tokenizer import characters, tokenize  # which makes tokens, and needs those from here

        if token_unit not in get_args(TokenUnit):
            raise ValueError(f'expected token_unit "word" or "character", got {token_unit!r}')
        tokens = characters(text) if token_unit == "character" else tokenize(text, hyphens=hyphens)
        # 1. The entities in order, and the tokens cut at their ends.
        found = sorted(_entity_of(text, entity) for entity in entities)
        if cut:
            tokens = cut_tokens(tokens, sorted({edge for start, end, _ in found for edge in (start, end)}))
        # 2. The tokens that each begins and ends with.
        first, last = ({token[edge]: number for number, token in enumerate(tokens)} for edge in (1, 2))
        for start, end, label in found:
            if start not in first or end not in last:
                token = next(one.text for one in tokens if one.start < (end if start in first else start) < one.end)
                raise ValueError(
                    f"the entity {text[start:end]!r} ({label} at {start}-{end}) begins or ends within the token "
                    f"{token!r:.80}: cut=True cuts such tokens"
                )
        return cls(tuple(tokens), tuple(Span(first[start], last[end] + 1, label) for start, end, label in found))

    def __len__(self) -> int:
        """The number of tokens."""
        return len(self.tokens)

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        shown, spans = self.tokens[:_SHOWN], [span for span in self.spans if span.end <= _SHOWN]
        pieces = [token.text for token in shown]
        for start, end, label in spans:
            pieces[start] = f"[{pieces[start]}"
            pieces[end - 1] += f"]({label})"
        gaps = ["", *(" " * (after.start > before.end) for before, after in pairwise(shown))]
        text = "".join(map(add, gaps, pieces)) + " …" * (len(self.tokens) > _SHOWN)
        unknown = f", {len(self.unknown):,} unknown" if self.unknown else ""
        return f"<Sentence of {counted(len(self.tokens), 'token')}{unknown}: {text}>"

    @property
    def words(self) -> list[str]:
        """The text of each token."""
        return [token.text for token in self.tokens]

    @property
    def touching(self) -> list[bool]:
        """For each token whether the next one begins where it ends; False for the last one."""
        return [*(before.end == after.start for before, after in pairwise(self.tokens)), False][: len(self.tokens)]

    @property
    def labels(self) -> set[str]:
        """The labels of its spans, and those that unknown tokens may have."""
        found = {tag[2:] for one in self.unknown for tag in one.tags or () if tag != "O"}
        return found.union(span.label for span in self.spans)

    def tags(self, scheme: str = "IOB2") -> list[str]:
        """The tags of the spans, one for each token.

        Raises:
            InputError: If there is no such scheme.

        Example:
            >>> Sentence.from_words(["In", "New", "York"], [(1, 3, "LOC")]).tags("BIOES")
            ['O', 'B-LOC', 'E-LOC']
        """
        from ner_lstm_crf.tags.scheme import get_scheme  # as in `from_tags`

        return get_scheme(scheme).encode(self.spans, len(self.tokens))

    def with_spans(self, spans: Iterable[Span | tuple[int, int, str]], scores: Iterable[float] = ()) -> Sentence:
        """The same sentence with other spans, their scores if there are such, and no token unknown."""
        made = tuple([Span(*span) for span in spans])
        return Sentence(self.tokens, made, self.document, self.line, tuple(scores))  # in half the time of `replace`

    def with_unannotated(self, labels: Iterable[str]) -> Sentence:
        """The same sentence where a token without an entity may also be in one of these labels.

        For a corpus in which entities of these labels were not annotated: it does not say which tokens they are.

        Raises:
            TypeError: If `labels` is a string.

        Example:
            >>> Sentence.from_words(["Ada", "met", "Milo"], [(0, 1, "PER")]).with_unannotated(["ORG"]).unknown[0].token
            1
        """
        if isinstance(labels, str):
            raise TypeError("expected a list of labels, got a string")
        more = {prefix + (f"-{label}" if label else "") for label in labels for prefix in "BIES"}
        if not more:
            return self
        of_outside, given = frozenset(("O", *more)), {one.token: one for one in self.unknown}
        known = {token for start, end, _ in self.spans for token in range(start, end)}
        unknown = list[Unknown]()
        for token in range(len(self.tokens)):
            if token in given:
                tags = given[token].tags
                unknown.append(Unknown(token, tags if tags is None or "O" not in tags else tags | of_outside))
            elif token not in known:
                unknown.append(Unknown(token, of_outside))
        return replace(self, unknown=tuple(unknown))

    def pieces(self, longest: int) -> Iterator[Sentence]:
        """The sentence in pieces of at most `longest` tokens, cut between entities; an entity is never cut.

        Nor is it cut between two unknown tokens, which may be one entity.

        Example:
            >>> sentence = Sentence.from_words("He met Ada Fox".split(), [Span(2, 4, "PER")])
            >>> [piece.words for piece in sentence.pieces(3)]
            [['He', 'met'], ['Ada', 'Fox']]
        """
        if len(self.tokens) <= longest:
            yield self
            return
        start, begins = 0, [span.start for span in self.spans]
        blocks = sorted([*((span.start, span.end) for span in self.spans), *_runs(self.unknown)])
        firsts = [first for first, _ in blocks]
        while start < len(self.tokens):
            end = min(start + longest, len(self.tokens))
            number = bisect_left(firsts, end) - 1  # of the last block before the cut
            if number >= 0 and blocks[number][1] > end:
                end = firsts[number] if firsts[number] > start else blocks[number][1]
            inside = slice(bisect_left(begins, start), bisect_left(begins, end))
            moved = tuple(Span(first - start, stop - start, label) for first, stop, label in self.spans[inside])
            unknown = tuple(Unknown(token - start, tags) for token, tags in self.unknown if start <= token < end)
            tokens, scores = self.tokens[start:end], self.scores[inside]
            yield replace(self, tokens=tokens, spans=moved, scores=scores, unknown=unknown)
            start = end

    def entities(self, source: str | None = None) -> list[Entity]:
        """The spans as entities of `source`, the text that the tokens are of.

        Args:
            source: The text; None if it is not at hand: white space between tokens is then written as spaces.

        Example:
            >>> Sentence((Token("Rome", 3, 7),), (Span(0, 1, "LOC"),)).entities("In Rome")
            [Entity(start=3, end=7, label='LOC', text='Rome')]
        """
        entities = []
        for (begin, stop, label), score in zip_longest(self.spans, self.scores):
            start, end = self.tokens[begin].start, self.tokens[stop - 1].end
            text = "" if source is None else source[start:end]
            if source is None:
                for token in self.tokens[begin:stop]:
                    text += " " * (token.start - start - len(text)) + token.text
            entities.append(Entity(start, end, label, text, score))
        return entities


def _runs(unknown: Iterable[Unknown]) -> list[tuple[int, int]]:
    """The runs of neighbouring unknown tokens, each as (start, end)."""
    runs = list[tuple[int, int]]()
    for token, _ in unknown:
        if runs and runs[-1][1] == token:
            runs[-1] = runs[-1][0], token + 1
        else:
            runs.append((token, token + 1))
    return runs


def _entity_of(text: str, given: Entity | tuple[int, int, str]) -> tuple[int, int, str]:
    """Start, end and label of an entity of a text, checked, without the white space at its ends.

    Raises:
        TypeError: If it is none.
        ValueError: If it lies outside the text, covers none, or has another.
    """
    values = (given.start, given.end, given.label) if isinstance(given, Entity) else given
    match values:
        case (SupportsIndex() as first, SupportsIndex() as last, str(label)):  # numbers of numpy, too
            start, end = index(first), index(last)
            found = text[start:end]
            if label in ("", "O"):
                raise ValueError(f"expected a label such as PER, got {label!r} for {found!r:.80}")
            if not 0 <= start < end <= len(text) or not found.strip():
                raise ValueError(f"expected an entity within the {len(text)} characters of its text, got {given!r}")
            if isinstance(given, Entity) and given.text != found:
                raise ValueError(f"expected an entity with the text at its offsets, {found!r}, got {given!r}")
            return start + len(found) - len(found.lstrip()), end - len(found) + len(found.rstrip()), label
        case _:
            raise TypeError(f"expected an entity as (start, end, label), got {given!r:.80}")


def check_words(words: Sequence[str], what: str = "word") -> None:
    """Refuse what is no string among words.

    Raises:
        TypeError: If there is such, with its number.
    """
    if not {*map(type, words)} <= {str}:  # in most cases the whole check
        for number, word in enumerate(words, 1):
            if not isinstance(word, str):
                raise TypeError(f"expected a string as {what} {number}, got {word!r:.40} ({type(word).__name__})")


def each(kind: type[Item], items: Iterable[object]) -> Iterator[Item]:
    """The items, each checked to be a string or a sentence when its turn comes.

    Raises:
        TypeError: If one is none, with its number.
    """
    for number, item in enumerate(items, 1):
        if not isinstance(item, kind):
            expected = "a string" if kind is str else f"a {kind.__name__}"
            raise TypeError(f"expected {expected} as item {number}, got {item!r:.40} ({type(item).__name__})")
        yield item


def cut_tokens(tokens: Iterable[Token], edges: Iterable[int]) -> list[Token]:
    """The tokens, cut in two wherever one of the edges (sorted) lies within."""
    pieces: list[Token] = []
    remaining = iter(edges)
    edge = next(remaining, None)
    for whole in tokens:
        token = whole
        while edge is not None and edge < token.end:
            if edge > token.start:
                at = edge - token.start
                pieces.append(Token(token.text[:at], token.start, edge))
                token = Token(token.text[at:], edge, token.end)
            edge = next(remaining, None)
        pieces.append(token)
    return pieces


def tokens_from_words(words: Sequence[str], joiner: str = " ") -> tuple[Token, ...]:
    """Words as tokens of the text `joiner.join(words)`.

    Example:
        >>> tokens_from_words(["In", "Rome"])
        (Token(text='In', start=0, end=2), Token(text='Rome', start=3, end=7))
    """
    lengths = list(map(len, words))
    starts = list(map(add, accumulate(lengths, initial=0), count(0, len(joiner))))
    return tuple(_make_tokens(zip(words, starts, map(add, starts, lengths), strict=False)))


def align(words: Sequence[str], text: str) -> tuple[Token, ...] | None:
    """Words as tokens of a text that consists of them and of white space; None if it does not.

    Example:
        >>> align(["New", "York", "!"], "New York!")[-1]
        Token(text='!', start=8, end=9)
        >>> align(["New", "York"], "New York!") is None
        True
    """
    # 1. Of most texts single spaces are all that stands between words, and is not in these: a word begins where the
    #    words before it, or these words and the spaces so far, end. Without a loop this takes a third of the time.
    chunks = text.split(" ")
    if "".join(chunks) == "".join(words) and all(words):
        lengths = list(map(len, words))
        starts = list(accumulate(lengths, initial=0))
        edges = set(accumulate(map(len, chunks[:-1])))
        spaced = list(map(edges.__contains__, starts[:-1]))
        if spaced.count(True) == len(chunks) - 1:
            starts = list(map(add, starts, accumulate(spaced)))
            return tuple(_make_tokens(zip(words, starts, map(add, starts, lengths), strict=False)))
    # 2. Else word by word.
    tokens, position = list[Token](), 0
    for word in words:
        start = text.find(word, position)
        if start != position and (start < 0 or text[position:start].strip()):
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


def tell_of_spaces(sentences: Iterable[Sentence]) -> bool:
    """True if somewhere a token touches the next one: column files without spaces part all tokens."""
    return any(any(sentence.touching) for sentence in sentences)


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


def unknown_by_character(words: Sequence[str], unknown: Iterable[Unknown]) -> tuple[Unknown, ...]:
    """The unknown tokens among words as unknown characters, see `by_character`.

    Example:
        >>> unknown_by_character(["北京", "很"], [Unknown(0, frozenset({"S-LOC"}))])[1]
        Unknown(token=1, tags=frozenset({'E-LOC'}))
    """
    lengths = [len(characters_of(word)) for word in words]
    starts = list(accumulate(lengths, initial=0))
    found = list[Unknown]()
    for token, tags in unknown:
        for at in range(lengths[token]):
            # What begins with the word begins with its first character, and what ends with it ends with its last.
            opens, closes = at == 0, at == lengths[token] - 1
            moved = None if tags is None else {_within(tag, opens=opens, closes=closes) for tag in tags}
            found.append(Unknown(starts[token] + at, None if moved is None else frozenset(moved)))
    return tuple(found)


def _within(tag: str, *, opens: bool, closes: bool) -> str:
    """The BIOES tag of a character of a word that has a tag; it is the first of the word, the last, both or neither."""
    if tag == "O":
        return tag
    opens, closes = opens and tag[0] in "BS", closes and tag[0] in "ES"
    return ("S" if closes else "B") + tag[1:] if opens else ("E" if closes else "I") + tag[1:]


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
