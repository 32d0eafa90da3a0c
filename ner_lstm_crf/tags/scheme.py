"""Spans ⇄ tags. One object per scheme owns its prefixes and its automaton: which tag may start, follow and end.

    spans of length    1      2      3          spans that touch and share a label
    IO                 I      I I    I I I      not told apart: they come back as one span
    IOB1               I      I I    I I I      the second begins with B
    IOE1               I      I I    I I I      the first ends with E
    IOB2 (BIO)         B      B I    B I I
    IOE2               E      I E    I I E
    BIEO               B      B E    B I E
    BIOES (IOBES)      S      B E    B I E
    BMES               S      B E    B M E
    BMEWO              W      B E    B M E
    BILOU (BILUO)      U      B L    B I L

Tags that break their scheme (a softmax head writes them, and so do people) need a decision, which alone moves F1 on
CoNLL-2003 by about half a point (Lignos and Kamyab 2020). It is taken here, by name, as a `Policy`:

- `conlleval`: two neighbours belong to one span if their labels are equal, the first does not close (E, L, S, U, W)
  and the second does not open (B, S, U, W). These are the chunk rules of conlleval.pl (Tjong Kim Sang and Buchholz
  2000), completed by the boundary that it misses: a `B` after an `E` begins a new span.
- `strict`: as before, but spans whose tags are not those that `encode` writes for them are dropped.
- `error`: the first tag that breaks the scheme raises `IllFormedError`.

On well-formed tags the three agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple, TypeAlias, get_args

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.tags.automaton import BREAKS, CLOSES, OPENS, AllowedTransitions, Automaton
from ner_lstm_crf.tags.tag import OUTSIDE, IllFormedError, TagError, UnknownTagError, split_tag
from ner_lstm_crf.text.annotation import Span

__all__ = [
    "POLICIES",
    "SCHEMES",
    "AllowedTransitions",
    "DecodedTags",
    "IllFormedError",
    "Policy",
    "Scheme",
    "TagError",
    "UnknownTagError",
    "get_scheme",
    "split_tag",
]

Policy: TypeAlias = Literal["conlleval", "strict", "error"]
POLICIES: tuple[Policy, ...] = get_args(Policy)
"""The names of all policies, for whoever offers the choice."""


class DecodedTags(NamedTuple):
    """The spans of one tag sequence, and the positions of the tags that break the scheme (`()` if well formed)."""

    spans: tuple[Span, ...]
    ill_formed: tuple[int, ...] = ()


_NOTHING = DecodedTags(())


@dataclass(frozen=True, slots=True, eq=False)
class Scheme(Automaton):
    """A way to write spans as tags, one per token, and to read them back.

    Example:
        >>> SCHEMES["BIEO"].encode([Span(0, 1, "LOC"), Span(1, 4, "PER")], 5)
        ['B-LOC', 'B-PER', 'I-PER', 'E-PER', 'O']
        >>> SCHEMES["BIEO"].decode(["B-LOC", "I-PER"])
        DecodedTags(spans=(Span(start=0, end=1, label='LOC'), Span(start=1, end=2, label='PER')), ill_formed=(1,))
    """

    def __reduce__(self) -> tuple[object, ...]:
        return get_scheme, (self.name,)

    @property
    def separates_neighbours(self) -> bool:
        """Whether touching spans of one label stay two spans; false for IO alone, whose `encode` merges them."""
        return self.name != "IO"

    def encode(self, spans: Iterable[Span], length: int) -> list[str]:
        """The tags of a sentence of `length` tokens.

        Raises:
            ValueError: If a span is empty, out of range, out of order or overlaps the one before it.
        """
        tags, end, previous_label = [OUTSIDE] * length, 0, ""
        for start, stop, label in spans:
            if not end <= start < stop <= length:
                raise ValueError(f"expected sorted spans without overlap within {length} tokens, got {(start, stop)}")
            if stop == start + 1:
                tags[start] = _join(self.single, label)
            else:
                tags[start:stop] = [_join(self.inside, label)] * (stop - start)
                tags[start], tags[stop - 1] = _join(self.first, label), _join(self.last, label)
            if start == end > 0 and label == previous_label:
                self._separate(tags, start, label)
            end, previous_label = stop, label
        return tags

    def _separate(self, tags: list[str], start: int, label: str) -> None:
        if self.after_same:
            tags[start] = _join(self.after_same, label)
        if self.before_same:
            tags[start - 1] = _join(self.before_same, label)

    def decode(self, tags: Sequence[str], policy: Policy = "conlleval") -> DecodedTags:
        """The spans that tags stand for, and the positions of those that break the scheme.

        A tag breaks the scheme if it may not follow the one before it, or is the last and may not end the sentence.

        Raises:
            UnknownTagError: If a tag has a prefix that the scheme does not have.
            IllFormedError: If a tag breaks the scheme and the policy is `error`.
            ValueError: If there is no such policy.
        """
        if policy not in POLICIES:
            raise ValueError(f"expected a policy ({', '.join(POLICIES)}), found {policy!r}")
        if tags.count(OUTSIDE) == len(tags):
            return _NOTHING
        try:
            decoded = self._read(tags)
        except UnknownTagError as error:
            raise UnknownTagError(error.message, tag=error.tag, position=tags.index(error.tag)) from None
        if not decoded.ill_formed or policy == "conlleval":
            return decoded
        if policy == "error":
            raise self._ill_formed(tags, decoded.ill_formed[0])
        return DecodedTags(self._as_written(tags, decoded.spans), decoded.ill_formed)

    def _read(self, tags: Sequence[str]) -> DecodedTags:
        spans: list[Span] = []
        ill_formed: list[int] = []
        state, start = self.state(OUTSIDE), 0
        for position, tag in enumerate(tags):
            before = state
            state, event = state[tag]
            if event:
                if event & CLOSES:
                    spans.append(Span(start, position, before.label))
                if event & OPENS:
                    start = position
                if event & BREAKS:
                    ill_formed.append(position)
        _, event = state[OUTSIDE]
        if event & CLOSES:
            spans.append(Span(start, len(tags), state.label))
        if event & BREAKS and ill_formed[-1:] != [len(tags) - 1]:
            ill_formed.append(len(tags) - 1)
        return DecodedTags(tuple(spans), tuple(ill_formed))

    def _as_written(self, tags: Sequence[str], spans: tuple[Span, ...]) -> tuple[Span, ...]:
        """The spans whose tags are those that `encode` writes (tags are compared parsed: `B_PER` equals `B-PER`)."""
        written = [split_tag(tag) for tag in self.encode(spans, len(tags))]
        found = [(self.state(tag).prefix, self.state(tag).label) for tag in tags]
        return tuple(span for span in spans if written[span.start : span.end] == found[span.start : span.end])

    def _ill_formed(self, tags: Sequence[str], position: int) -> IllFormedError:
        tag, before = tags[position], tags[position - 1] if position else OUTSIDE
        if self.may_follow(before, tag):
            reason = "may not end a sentence"
        else:
            reason = f"may not follow {before!r}" if position else "may not start a sentence"
        return IllFormedError(f"{tag!r} {reason} in {self.name}", tag=tag, position=position)

    def tags(self, labels: Iterable[str]) -> tuple[str, ...]:
        """The inventory in a fixed order: `O`, then for each label (in the order given) the tags of its prefixes."""
        return (OUTSIDE, *(_join(prefix, label) for label in labels for prefix in self.prefixes))

    def is_well_formed(self, tags: Sequence[str]) -> bool:
        """Whether every tag may stand where it stands: exactly then `encode(decode(tags)) == tags`."""
        return not self.decode(tags).ill_formed


def _join(prefix: str, label: str) -> str:
    return f"{prefix}-{label}" if label else prefix


SCHEMES: Mapping[str, Scheme] = MappingProxyType(
    {
        scheme.name: scheme
        for scheme in (
            Scheme("IO", single="I", first="I", inside="I", last="I", bare_labels=True),
            Scheme("IOB1", single="I", first="I", inside="I", last="I", after_same="B"),
            Scheme("IOB2", single="B", first="B", inside="I", last="I"),
            Scheme("IOE1", single="I", first="I", inside="I", last="I", before_same="E"),
            Scheme("IOE2", single="E", first="I", inside="I", last="E"),
            Scheme("BIEO", single="B", first="B", inside="I", last="E"),
            Scheme("BIOES", single="S", first="B", inside="I", last="E"),
            Scheme("BMES", single="S", first="B", inside="M", last="E"),
            Scheme("BMEWO", single="W", first="B", inside="M", last="E"),
            Scheme("BILOU", single="U", first="B", inside="I", last="L"),
        )
    }
)
"""Every scheme by its canonical name."""

# Other spellings name the same letters in another order; IOB and BIO do not, and mean what their authors meant.
_SPELLINGS = {"IOB": "IOB1", "BIO1": "IOB1", "BIO": "IOB2", "BIO2": "IOB2"}
_BY_LETTERS = {"".join(sorted({*name, "O"})): name for name in ("IO", "BIEO", "BIOES", "BMES", "BMEWO", "BILOU")}


def get_scheme(name: str) -> Scheme:
    """The scheme of that name, in any case and any usual spelling (BIO, IOB, IOBES, BMESO, BILUO, BIOUL, ...).

    `BIO` is IOB2 (every span begins with B), `IOB` is IOB1 (Ramshaw and Marcus 1995).

    Raises:
        InputError: If there is no such scheme.
    """
    key = name.strip().upper().replace("-", "")
    key = _SPELLINGS.get(key) or _BY_LETTERS.get("".join(sorted({*key, OUTSIDE})), key)
    if key not in SCHEMES:
        raise InputError(f"expected a tag scheme ({', '.join(SCHEMES)}), found {name!r}")
    return SCHEMES[key]
