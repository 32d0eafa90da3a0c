"""The CRF of the sequences of tags that agree with constraints.

Conditioning is exact, and needs no new pass of the LSTM. A condition such as "tokens 3 to 5 are one PER" is not one on
single tags in every scheme: whether a span ends depends on two neighbouring tags. So each tag gets copies, the states
of a larger CRF:

    tag                   as before, but for tokens at which a span of its label begins that a condition is about
    (pattern, offset)     inside such a span, `offset` tokens behind its first one
    going on              at the token at which such a span would begin, within one that began earlier

A state that a token cannot have gets a forbidden emission there. A transition between copies has the score of that
between their tags, plus a bonus where it ends a span that is favoured, and is forbidden where it ends one that must not
be, or cuts or prolongs one that must be. Each sequence of tags that agrees with the conditions is exactly one path of
the larger CRF, with its own score, and no other is one. So every function of `crf` is exact on it.

Barriers (see `tagging.predictor`) are one more state, which stands for the edge of a piece.

Letters: T places (tokens, and one more at each barrier between two tokens), K states, each of which stands for a tag.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ner_lstm_crf.crf import FORBIDDEN, ScoreTables
from ner_lstm_crf.tagging.constraints import Rule
from ner_lstm_crf.tags.scheme import CLOSES, OPENS, OUTSIDE
from ner_lstm_crf.tags.tag_set import TagSet
from ner_lstm_crf.text.annotation import Span

Floats: TypeAlias = NDArray[np.float64]
Numbers: TypeAlias = NDArray[np.int64]


class Lattice(NamedTuple):
    """A CRF over the states of one sentence, each of which stands for a tag.

    Attributes:
        emissions: Score of each state at each place (T, K); `FORBIDDEN` where it cannot be.
        tables: Scores of the start, of transitions and of the end.
        tags: The tag that each state stands for (K,).
        labels: The number of its label, -1 for none (K,).
        events: What happens between two states, [from, to] (K, K); row and column 0 stand for what is around.
        places: The place of each token among the rows of the emissions.
    """

    emissions: Floats
    tables: ScoreTables
    tags: Numbers
    labels: Numbers
    events: Numbers
    places: Numbers

    def forbids(self, path: Numbers) -> bool:
        """True if a path (T,) has a state or a transition that is forbidden."""
        scores = np.concatenate([
            self.emissions[np.arange(len(path)), path],
            self.tables.transitions[path[:-1], path[1:]],
            [self.tables.start[path[0]], self.tables.end[path[-1]]],
        ])  # fmt: skip
        return bool(scores.min() <= FORBIDDEN / 2)

    def spans(self, path: Numbers, labels: Sequence[str]) -> tuple[Span, ...]:
        """The spans of a path (T,), over tokens."""
        path = np.concatenate([[0], path, [0]])
        events = self.events[path[:-1], path[1:]]
        found, start = list[Span](), 0
        for place in np.flatnonzero(events).tolist():
            if events[place] & CLOSES:
                label = labels[self.labels[path[place]]]
                found.append(self.over_tokens(start, place, label))
            if events[place] & OPENS:
                start = place
        return tuple(found)

    def over_tokens(self, start: int, end: int, label: str) -> Span:
        """A span over places as one over tokens."""
        first, last = np.searchsorted(self.places, (start, end - 1)).tolist()
        return Span(first, last + 1, label)


def lattice_of(
    tags: TagSet,
    emissions: NDArray[np.floating],
    tables: ScoreTables,
    barriers: Iterable[tuple[int, int]],
) -> Lattice:
    """The CRF of a sentence without constraints.

    Args:
        tags: The tags.
        emissions: The emissions (T, K).
        tables: The score tables of the model.
        barriers: What no entity holds, as tokens from the first to the last (exclusive); an empty one is a place
            between two tokens.
    """
    start, transitions, end = exact = tables.astype(np.float64)
    length, numbers = emissions.shape
    states, labels, events = np.arange(numbers), tags.label_numbers(), tags.events()
    held = np.zeros(length, np.bool_)
    cuts = set[int]()
    for first, final in barriers:
        held[first:final] = True
        if first >= final and 0 < first < length:
            cuts.add(first)
    if not cuts and not held.any():
        return Lattice(np.asarray(emissions, np.float64), exact, states, labels, events, np.arange(length))
    # 1. One more place at each barrier between two tokens.
    places = np.arange(length) + np.searchsorted(sorted(cuts), np.arange(length), side="right")
    is_barrier = np.ones(length + len(cuts), np.bool_)
    is_barrier[places[~held]] = False
    # 2. One more state, which these places have and no other. A piece ends before it and starts behind it.
    widened = np.full((len(is_barrier), numbers + 1), FORBIDDEN)
    widened[places, :-1] = emissions
    widened[is_barrier, :-1] = FORBIDDEN
    widened[is_barrier, -1] = 0.0
    return Lattice(
        widened,
        ScoreTables(np.append(start, 0.0), np.block([[transitions, end[:, None]], [start, 0.0]]), np.append(end, 0.0)),
        np.append(states, 0),
        np.append(labels, -1),
        np.block([[events, events[:, :1]], [events[:1], 0]]),
        places,
    )


class Pattern(NamedTuple):
    """Spans of one label that rules treat alike, wherever they begin.

    Attributes:
        label: The number of their label.
        bonuses: The bonus of a span of each length, minus infinity if there must be none.
        is_fixed: True if such a span must be there, of the only length.
    """

    label: int
    bonuses: tuple[tuple[int, float], ...]
    is_fixed: bool

    @property
    def longest(self) -> int:
        """The length of the longest of them."""
        return self.bonuses[-1][0]


def constrained(lattice: Lattice, rules: Iterable[Rule], labels: Sequence[str], temperature: float = 1.0) -> Lattice:
    """The CRF of the sequences of tags that agree with rules.

    Args:
        lattice: The CRF without them, see `lattice_of`.
        rules: The rules.
        labels: The labels.
        temperature: What scores are divided by to give probabilities; a bonus is multiplied by it.
    """
    # 1. The labels that each place may have, the last column for none, and the patterns with their first places.
    may_have = np.ones((len(lattice.emissions), len(labels) + 1), np.bool_)
    fixed, bonuses = set[tuple[int, int, int]](), defaultdict[tuple[int, int], dict[int, float]](dict)
    for rule in rules:
        numbers = [-1 if label == OUTSIDE else labels.index(label) for label in rule.labels]
        if rule.kind == "allowed":
            excluded = np.ones(len(labels) + 1, np.bool_)
            excluded[numbers] = False
            may_have[np.ix_(lattice.places[rule.start : rule.end], excluded)] = False
            continue
        first, last = lattice.places[[rule.start, rule.end - 1]].tolist()
        if rule.kind == "span":
            fixed.add((first, numbers[0], last + 1 - first))
            continue
        of_start = bonuses[first, numbers[0]]
        bonus = rule.bonus * temperature if rule.kind == "favoured" else -np.inf
        of_start[last + 1 - first] = of_start.get(last + 1 - first, 0.0) + bonus
    patterns = defaultdict[Pattern, list[int]](list)
    for (first, label), by_length in bonuses.items():
        patterns[Pattern(label, tuple(sorted(by_length.items())), False)].append(first)
    for first, label, length in fixed:
        of_length = bonuses.get((first, label), {}).get(length, 0.0)
        if of_length == -np.inf:  # to be there and not to be
            may_have[first] = False
        patterns[Pattern(label, ((length, of_length),), True)].append(first)
    # 2. Without patterns the states are those of before.
    widened = _with_states(lattice, patterns) if patterns else lattice
    emissions = np.where(may_have[:, widened.labels], widened.emissions, FORBIDDEN)
    return widened._replace(emissions=emissions)


class _States(NamedTuple):
    """The states of a lattice with patterns (K,).

    Attributes:
        copied: The state of the lattice without them that each is a copy of.
        pattern: The number of the pattern that it is for; -1 for none, -2 for going on.
        offset: The tokens since the first one of the span.
        labels: The number of its label.
    """

    copied: Numbers
    pattern: Numbers
    offset: Numbers
    labels: Numbers


def _with_states(lattice: Lattice, patterns: Mapping[Pattern, Sequence[int]]) -> Lattice:
    """The CRF with the states of patterns, which begin at given places; see the module."""
    # 1. The states.
    rows = [(state, -1, 0) for state in range(len(lattice.tags))]
    for number, pattern in enumerate(patterns):
        of_label = np.flatnonzero(lattice.labels == pattern.label).tolist()
        rows += [(state, number, offset) for offset in range(pattern.longest) for state in of_label]
    for label in sorted({pattern.label for pattern in patterns if not pattern.is_fixed}):
        rows += [(state, -2, 0) for state in np.flatnonzero(lattice.labels == label).tolist()]
    copied, which, offset = np.array(rows, np.int64).T
    states = _States(copied, which, offset, lattice.labels[copied])
    pairs = np.ix_(copied, copied)
    closes, opens = (lattice.events[pairs] & CLOSES) > 0, (lattice.events[pairs] & OPENS) > 0
    # 2. The transitions. Those into a pattern open a span, those within it neither close nor open one. Who leaves it
    #    closes the span, or has one that is longer than all that the pattern is about.
    inside, is_first = which >= 0, (which >= 0) & (offset == 0)
    ends_open = [-1 if pattern.is_fixed else pattern.longest - 1 for pattern in patterns]
    is_last = inside & (offset == np.array([*ends_open, 0, 0])[which])
    within = inside[:, None] & ~closes
    goes_on = within & ~opens & (which[:, None] == which) & (offset[:, None] + 1 == offset)
    leaves = ~within | is_last[:, None]
    may_follow = np.where(inside, np.where(is_first, opens, goes_on), leaves & ~(opens & (which == -2)))
    may_start = np.where(inside, is_first & opens[0], which == -1)
    # 3. The bonus of a span that ends with each state; minus infinity where there must be none.
    bonus = np.zeros(len(rows))
    for number, pattern in enumerate(patterns):
        if pattern.is_fixed:
            bonus[which == number] = -np.inf
        for length, of_length in pattern.bonuses:
            bonus[(which == number) & (offset + 1 == length)] = of_length
    with_bonus = lattice.tables.transitions[pairs] + np.where(closes, bonus[:, None], 0.0)
    return lattice._replace(
        emissions=np.where(_may_be(states, patterns, len(lattice.emissions)), lattice.emissions[:, copied], FORBIDDEN),
        tables=ScoreTables(
            np.where(may_start, lattice.tables.start[copied], FORBIDDEN),
            np.maximum(np.where(may_follow, with_bonus, FORBIDDEN), FORBIDDEN),
            np.maximum(lattice.tables.end[copied] + bonus, FORBIDDEN),
        ),
        tags=lattice.tags[copied],
        labels=states.labels,
        events=lattice.events[pairs],
    )


def _may_be(states: _States, patterns: Mapping[Pattern, Sequence[int]], length: int) -> NDArray[np.bool_]:
    """True for the states that each place may have (T, K)."""
    may_be = np.repeat(states.pattern[None] == -1, length, axis=0)
    # 1. Those of patterns, each at its offset from where the pattern begins. Going on is for these places alone.
    for number, (pattern, places) in enumerate(patterns.items()):
        firsts = np.array(places, np.int64)
        if not pattern.is_fixed:
            of_label = states.labels == pattern.label
            may_be[np.ix_(firsts, of_label & (states.pattern == -1))] = False
            may_be[np.ix_(firsts, of_label & (states.pattern == -2))] = True
        for offset in range(pattern.longest):
            reached = firsts[firsts + offset < length] + offset
            may_be[np.ix_(reached, (states.pattern == number) & (states.offset == offset))] = True
    # 2. Where a span must be there is no other state.
    for number, (pattern, places) in enumerate(patterns.items()):
        for offset in range(pattern.longest if pattern.is_fixed else 0):
            others = (states.pattern != number) | (states.offset != offset)
            may_be[np.ix_(np.array(places, np.int64) + offset, others)] = False
    return may_be
