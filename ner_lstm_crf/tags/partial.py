"""Partly known tags: what the tags of a file say of each token, whatever its scheme, and the same in another scheme.

    in a file     in IOB2 it says
    ?             nothing
    B-PER|O       the token begins a PER, or is in no entity
    I-PER|I-LOC   it goes on with the entity before it, whose label is PER or LOC

What may be true of a token is a set of BIOES tags, since these alone say of a token by itself whether it begins its
entity and whether it ends it. Two neighbours belong together as in `Scheme.decode`: a `B-PER` of IOB2 before a `?` is
`B-PER` or `S-PER`, and before an `O` it is `S-PER`. A token whose neighbours leave it one tag is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise, product
from typing import NamedTuple, TypeAlias

from ner_lstm_crf.files.text import quoted
from ner_lstm_crf.tags.scheme import (
    BREAKS,
    CLOSES,
    OPENS,
    OUTSIDE,
    SCHEMES,
    IllFormedError,
    Policy,
    Scheme,
    split_tag,
)
from ner_lstm_crf.text.annotation import Span, Unknown

Tags: TypeAlias = frozenset[str] | None
"""The tags that a token may have; None if it may have any."""

_LETTERS = {(True, True): "S", (True, False): "B", (False, False): "I", (False, True): "E"}  # begins, ends
_ANOTHER = "\0"  # stands for every label that the neighbours do not have; no label of a file holds it
_LONGEST_CACHED, _MOST_CACHED = 16, 4096


class PartlyDecoded(NamedTuple):
    """The spans that are known, the positions of the tags that break the scheme, and the unknown tokens."""

    spans: tuple[Span, ...]
    ill_formed: tuple[int, ...]
    unknown: tuple[Unknown, ...]


class _Run(NamedTuple):
    """What neighbours say of each other, from a token with one tag to the next such token.

    Attributes:
        tags: The BIOES tags that each token between them may have.
        closes: What may be true of the first token: that an entity ends with it, or not.
        opens: What may be true of the last one: that an entity begins with it, or not.
        broken: The positions of tags that break the scheme, counted from the first token.
    """

    tags: tuple[Tags, ...]
    closes: frozenset[bool]
    opens: frozenset[bool]
    broken: tuple[int, ...]


class PartialReader:
    """Reads partly known tag sequences of a scheme.

    Args:
        scheme: The scheme.
    """

    def __init__(self, scheme: Scheme) -> None:
        self.scheme = scheme
        self._cache: dict[tuple[Tags, ...], _Run] = {}

    def decode(self, cells: Sequence[Tags], policy: Policy = "conlleval") -> PartlyDecoded:
        """The spans and the unknown tokens of a sentence. Of all readings those count that break the scheme least.

        Args:
            cells: The tags of the scheme that each token may have.
            policy: The policy for tags that break the scheme.

        Raises:
            UnknownTagError: If a tag has a prefix that the scheme does not have.
            IllFormedError: If every reading breaks the scheme and the policy is `error`.

        Example:
            >>> reader = PartialReader(SCHEMES["IOB2"])
            >>> decoded = reader.decode([frozenset({"B-PER"}), frozenset({"O"}), frozenset({"B-PER"}), None])
            >>> decoded.spans, decoded.unknown[1]
            ((Span(start=0, end=1, label='PER'),), Unknown(token=3, tags=None))
            >>> sorted(decoded.unknown[0].tags)
            ['B-PER', 'S-PER']
        """
        # 1. Runs between tokens with one tag, with an O before and after the sentence.
        padded: list[Tags] = [frozenset((OUTSIDE,)), *cells, frozenset((OUTSIDE,))]
        single = [at for at, tags in enumerate(padded) if tags is not None and len(tags) == 1]
        runs = [self._run(tuple(padded[first : last + 1])) for first, last in pairwise(single)]
        broken = [at - 1 + one for at, run in zip(single, runs, strict=False) for one in run.broken]
        broken = sorted({min(at, len(cells) - 1) for at in broken})
        if broken and policy == "error":
            tag = "|".join(sorted(cells[broken[0]] or ()))
            message = f"{quoted(tag)} breaks {self.scheme.name}, whatever the unknown tags beside it are"
            raise IllFormedError(message, tag=tag, position=broken[0])
        # 2. The BIOES tags of each token: of one with a single tag its neighbours say where its entity begins and ends.
        found: list[Tags] = []
        for number, at in enumerate(single[1:], 1):
            before = runs[number - 1]
            found += before.tags
            if at <= len(cells):
                tag = min(padded[at] or (OUTSIDE,))
                state = self.scheme.state(tag)
                letters = {_LETTERS[pair] for pair in product(before.opens, runs[number].closes)}
                found.append(
                    frozenset((OUTSIDE,)) if tag == OUTSIDE else frozenset(_tag(one, state.label) for one in letters)
                )
        # 3. Entities whose tokens are all known are spans.
        spans, unknown = _spans_of(found)
        if policy == "strict" and broken:
            written = self.scheme.encode(spans, len(cells))
            spans = tuple(
                span
                for span in spans
                if not any(span.start <= at <= span.end for at in broken)
                or all(
                    split_tag(written[at]) == split_tag(min(cells[at] or ("",))) for at in range(span.start, span.end)
                )
            )
        return PartlyDecoded(spans, tuple(broken), unknown)

    def _run(self, cells: tuple[Tags, ...]) -> _Run:
        """The readings of a run, looked up if it was read before."""
        if (run := self._cache.get(cells)) is None:
            run = self._read(cells)
            if len(cells) <= _LONGEST_CACHED and len(self._cache) < _MOST_CACHED:
                self._cache[cells] = run
        return run

    def _read(self, cells: tuple[Tags, ...]) -> _Run:
        """The readings of a run that break the scheme least: all pairs of neighbours in them, by forward-backward."""
        # 1. The tags that each token may have. Of any tag, those with the labels around it, and with another one.
        labels = sorted({self.scheme.state(tag).label for cell in cells for tag in cell or () if tag != OUTSIDE})
        every = [OUTSIDE, *(_tag(prefix, label) for label in (*labels, _ANOTHER) for prefix in self.scheme.prefixes)]
        states = [[self.scheme.state(tag) for tag in (every if cell is None else sorted(cell))] for cell in cells]
        # 2. The fewest broken rules on the way to each tag, and from it to the end.
        events = [[[before.event(after) for after in second] for before in first] for first, second in pairwise(states)]
        costs = [[[int(event & BREAKS > 0) for event in row] for row in table] for table in events]
        forward = [[0] * len(states[0])]
        for table in costs:
            ways = [[so_far + cost for cost in row] for so_far, row in zip(forward[-1], table, strict=True)]
            forward.append([min(column) for column in zip(*ways, strict=True)])
        backward = [[0] * len(states[-1])]
        for table in reversed(costs):
            backward.append([min(map(sum, zip(row, backward[-1], strict=True))) for row in table])
        backward.reverse()
        fewest = min(forward[-1])
        # 3. Of the pairs on the best ways: where does an entity begin and end?
        closes = [[set[bool]() for _ in column] for column in states]
        opens = [[set[bool]() for _ in column] for column in states]
        broken = []
        for at, table in enumerate(costs):
            best = [
                (i, j)
                for i, row in enumerate(table)
                for j, cost in enumerate(row)
                if forward[at][i] + cost + backward[at + 1][j] == fewest
            ]
            for i, j in best:
                closes[at][i].add(events[at][i][j] & CLOSES > 0)
                opens[at + 1][j].add(events[at][i][j] & OPENS > 0)
            if all(table[i][j] for i, j in best):
                broken.append(at + 1)
        # 4. The BIOES tags that follow.
        found = list[Tags]()
        for column, begins, ends in list(zip(states, opens, closes, strict=True))[1:-1]:
            tags = set[str]()
            for state, of_begin, of_end in zip(column, begins, ends, strict=True):
                for pair in product(of_begin, of_end):
                    tags.add(OUTSIDE if state.prefix == OUTSIDE else _tag(_LETTERS[pair], state.label))
            is_any = any(tag.endswith(_ANOTHER) for tag in tags)
            found.append(None if is_any else frozenset(tags))
        return _Run(tuple(found), frozenset(closes[0][0]), frozenset(opens[-1][0]), tuple(broken))


def encode_partial(scheme: Scheme, spans: Iterable[Span], unknown: Iterable[Unknown], length: int) -> list[Tags]:
    """The tags of a scheme that each token of a partly known sentence may have.

    Args:
        scheme: The scheme.
        spans: The spans that are known.
        unknown: The unknown tokens.
        length: The number of tokens.

    Example:
        >>> tags = encode_partial(SCHEMES["IOB2"], [Span(0, 2, "PER")], [Unknown(2, frozenset({"S-LOC", "O"}))], 3)
        >>> [sorted(one) for one in tags]
        [['B-PER'], ['I-PER'], ['B-LOC', 'O']]
    """
    may_be: list[Tags] = [frozenset((tag,)) for tag in SCHEMES["BIOES"].encode(spans, length)]
    for token, tags in unknown:
        may_be[token] = tags
    prefix_of = {"S": scheme.single, "B": scheme.first, "I": scheme.inside, "E": scheme.last}
    cells = list[Tags]()
    for at, tags in enumerate(may_be):
        if tags is None:
            cells.append(None)
            continue
        before: Tags = may_be[at - 1] if at else frozenset((OUTSIDE,))
        after: Tags = may_be[at + 1] if at + 1 < length else frozenset((OUTSIDE,))
        found = set[str]()
        for tag in tags:
            letter, label = split_tag(tag)
            if tag == OUTSIDE:
                found.add(OUTSIDE)
                continue
            # The usual prefix, and that for spans of one label that touch where these may, or must, touch.
            usual, prefixes = True, list[str]()
            if scheme.after_same and letter in "BS":
                usual = _touch(before, {f"{one}{tag[1:]}" for one in "ES"}, scheme.after_same, prefixes) and usual
            if scheme.before_same and letter in "ES":
                usual = _touch(after, {f"{one}{tag[1:]}" for one in "BS"}, scheme.before_same, prefixes) and usual
            found.update(_tag(prefix, label) for prefix in [*prefixes, *([prefix_of[letter]] if usual else [])])
        cells.append(frozenset(found))
    return cells


def _touch(neighbour: Tags, touching: set[str], prefix: str, prefixes: list[str]) -> bool:
    """Add the prefix for touching spans if the neighbour may touch; returns False if it surely does."""
    if neighbour is None or neighbour & touching:
        prefixes.append(prefix)
    return neighbour is None or not neighbour <= touching


def _tag(prefix: str, label: str) -> str:
    return f"{prefix}-{label}" if label else prefix


def rename_partial(
    spans: Iterable[Span], unknown: Iterable[Unknown], renaming: Callable[[str], str | None], length: int
) -> tuple[tuple[Span, ...], tuple[Unknown, ...]]:
    """The spans and the unknown tokens under other labels; `renaming` gives None for a label that is dropped."""
    renamed: list[Tags] = [frozenset((OUTSIDE,))] * length
    for start, end, label in spans:
        if (new := renaming(label)) is not None:
            of_span = SCHEMES["BIOES"].encode([Span(0, end - start, new)], end - start)
            renamed[start:end] = [frozenset((tag,)) for tag in of_span]
    for token, tags in unknown:
        renamed[token] = tags if tags is None else frozenset(_renamed(tag, renaming) for tag in tags)
    return _spans_of(renamed)


def _renamed(tag: str, renaming: Callable[[str], str | None]) -> str:
    new = None if tag == OUTSIDE else renaming(tag[2:])
    return OUTSIDE if new is None else _tag(tag[0], new)


def _spans_of(tags: Sequence[Tags]) -> tuple[tuple[Span, ...], tuple[Unknown, ...]]:
    """The entities whose BIOES tags are known, and the tokens that are unknown beside them."""
    known = [min(one) if one is not None and len(one) == 1 else "" for one in tags]
    spans, at = list[Span](), 0
    unknown = {token for token, tag in enumerate(known) if tag != OUTSIDE}
    while at < len(known):
        letter, label = split_tag(known[at]) if known[at] else ("", "")
        end = at + 1
        if letter == "B":
            while end < len(known) and known[end][:1] == "I":
                end += 1
            end += 1
        if letter == "S" or (letter == "B" and end <= len(known) and known[end - 1][:1] == "E"):
            spans.append(Span(at, end, label))
            unknown -= set(range(at, end))
            at = end
        else:
            at += 1
    return tuple(spans), tuple(Unknown(token, tags[token]) for token in sorted(unknown))
