"""Which tag may follow which: the automaton of a tag scheme, built from the prefixes that its spans bear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ner_lstm_crf.tags.tag import CLOSING, OPENING, OUTSIDE, PREFIXES, UnknownTagError, split_tag

__all__ = ["BREAKS", "CLOSES", "OPENS", "AllowedTransitions", "Automaton", "State"]

CLOSES, OPENS, BREAKS = 1, 2, 4  # what happens between two neighbouring tags


class AllowedTransitions(NamedTuple):
    """The automaton over an inventory of K tags, as a CRF needs it.

    Attributes:
        start: Whether tag k may start a sentence. (K,)
        transitions: Whether tag j may follow tag i. [i][j] (K, K)
        end: Whether tag k may end a sentence. (K,)
    """

    start: list[bool]
    transitions: list[list[bool]]
    end: list[bool]


class State(dict[str, "tuple[State, int]"]):
    """One tag, and for every tag that came after it so far: the state it leads to, and what happens in between.

    What happens is a sum of `CLOSES` (a span ends before the new tag), `OPENS` (one begins with it) and `BREAKS` (the
    new tag may not stand here). Tags are parsed and compared once per pair of tags, not once per token: reading a
    sequence is then one look-up per token.
    """

    __slots__ = ("automaton", "label", "prefix")

    def __init__(self, automaton: Automaton, prefix: str, label: str) -> None:
        super().__init__()
        self.automaton, self.prefix, self.label = automaton, prefix, label

    def __missing__(self, tag: str) -> tuple[State, int]:
        after = self.automaton.state(tag)
        event = 0 if self.automaton.allows(self, after) else BREAKS
        if not self.same_label(after) or self.prefix in CLOSING or after.prefix in OPENING:
            event |= (CLOSES if self.prefix != OUTSIDE else 0) | (OPENS if after.prefix != OUTSIDE else 0)
        self[tag] = after, event
        return after, event

    def same_label(self, other: State) -> bool:
        """Whether both belong to entities, and these have one label."""
        return OUTSIDE not in (self.prefix, other.prefix) and self.label == other.label


@dataclass(frozen=True, slots=True, eq=False)
class Automaton:
    """The prefixes of a scheme, and which of its tags may start a sentence, follow one another and end it.

    A sentence reads as if an `O` stood before and after it: what may follow `O` may start, and what `O` may follow
    may end.

    Attributes:
        name: The scheme's canonical name.
        single: The prefix of a span of one token.
        first: The prefix of the first token of a longer span.
        inside: The prefix of the tokens between the first and the last.
        last: The prefix of the last token of a longer span.
        after_same: What replaces the prefix of a span's first token right after a span of the same label, or "".
        before_same: What replaces the prefix of a span's last token right before a span of the same label, or "".
        bare_labels: Whether a label without a prefix (`PER`, `person-actor`) stands for the prefix `inside`.
    """

    name: str
    single: str
    first: str
    inside: str
    last: str
    after_same: str = ""
    before_same: str = ""
    bare_labels: bool = False
    _states: dict[str, State] = field(default_factory=dict, init=False, repr=False)

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The prefixes in the order of the inventory: first, inside, last, single, then that for touching spans."""
        used = (self.first, self.inside, self.last, self.single, self.after_same, self.before_same)
        return tuple(dict.fromkeys(prefix for prefix in used if prefix))

    def has(self, tag: str) -> bool:
        """Whether the scheme can read this tag at all."""
        try:
            self.state(tag)
        except UnknownTagError:
            return False
        return True

    def may_follow(self, previous: str, tag: str) -> bool:
        """Whether `tag` may stand right after `previous`."""
        return self.allows(self.state(previous), self.state(tag))

    def allowed_transitions(self, tags: Sequence[str]) -> AllowedTransitions:
        """The automaton as tables over an inventory of tags."""
        states, outside = [self.state(tag) for tag in tags], self.state(OUTSIDE)
        return AllowedTransitions(
            start=[self.allows(outside, state) for state in states],
            transitions=[[self.allows(before, after) for after in states] for before in states],
            end=[self.allows(state, outside) for state in states],
        )

    def allows(self, before: State, after: State) -> bool:
        """Whether one state may follow another: a span goes on, or one ends (or none was) and one begins (or none)."""
        same = before.same_label(after)
        if same and before.prefix in {self.first, self.inside} and after.prefix in {self.inside, self.last}:
            return True
        if before.prefix not in {OUTSIDE, self.single, self.last, self.after_same, self.before_same}:
            return False
        if after.prefix not in {OUTSIDE, self.single, self.first, self.after_same, self.before_same}:
            return False
        return same or (after.prefix != self.after_same and before.prefix != self.before_same)

    def state(self, tag: str) -> State:
        """The state that stands for a tag.

        Raises:
            UnknownTagError: If the scheme does not have the tag's prefix.
        """
        state = self._states.get(tag)
        if state is None:
            state = self._states[tag] = State(self, *self._parse(tag))
        return state

    def _parse(self, tag: str) -> tuple[str, str]:
        prefix, label = split_tag(tag)
        if tag == OUTSIDE or prefix in self.prefixes:
            return prefix, label
        if self.bare_labels and tag and prefix not in PREFIXES:
            return self.inside, tag
        expected = ", ".join([OUTSIDE, *(f"{prefix}-" for prefix in self.prefixes)])
        raise UnknownTagError(f"expected a tag of {self.name} ({expected}), found {tag!r}", tag=tag, position=0)
