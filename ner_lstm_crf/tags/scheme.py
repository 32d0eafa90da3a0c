"""Spans ⇄ tags: the ten tag schemes, one entry each, and the automaton that reads them.

    spans of length    1      2      3          spans that touch and share a label
    IO                 I      I I    I I I      read back as one span
    IOB1               I      I I    I I I      the second begins with B
    IOE1               I      I I    I I I      the first ends with E
    IOB2 (BIO)         B      B I    B I I
    IOE2               E      I E    I I E
    BIEO               B      B E    B I E
    BIOES (IOBES)      S      B E    B I E
    BMES               S      B E    B M E
    BMEWO              W      B E    B M E
    BILOU (BILUO)      U      B L    B I L

To add a scheme, add an entry to `SCHEMES`, its name to `SchemeName` in `config.py`, and a new letter, if it has one, to
`PREFIXES`. Everything else (the automaton, detection, the tags of a model) follows from its prefixes.

Tags that break their scheme (a softmax head writes them, and so do people) need a decision, which alone changes F1 on
CoNLL-2003 by about half a point (Lignos and Kamyab 2020). It is made here, by name, as a `Policy`:

- `conlleval`: two neighbours belong to one span if their labels are equal, the first does not close (E, L, S, U, W)
  and the second does not open (B, S, U, W). These are the chunk rules of conlleval.pl (Tjong Kim Sang and Buchholz
  2000), completed by the boundary that it misses: a `B` after an `E` begins a new span.
- `strict`: as before, but spans whose tags are not those that `encode` writes for them are dropped.
- `error`: the first tag that breaks the scheme raises `IllFormedError`.

On well-formed tags the three agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Literal, NamedTuple, TypeAlias, get_args

from ner_lstm_crf.errors import InputError, did_you_mean
from ner_lstm_crf.files.text import quoted
from ner_lstm_crf.text.annotation import Span

OUTSIDE = "O"
"""The tag of a token in no entity."""

OPENING = frozenset("BSUW")
"""Prefixes that always begin a span, whatever comes before them."""

CLOSING = frozenset("ESLUW")
"""Prefixes that always end a span, whatever comes after them."""

PREFIXES = frozenset("IM") | OPENING | CLOSING
"""Every prefix of some scheme (`O` is a tag, not a prefix)."""

CLOSES, OPENS, BREAKS = 1, 2, 4
"""The events between two neighbouring tags: a span ends before the second, one begins with it, it is not allowed."""

Policy: TypeAlias = Literal["conlleval", "strict", "error"]
POLICIES: tuple[Policy, ...] = get_args(Policy)
"""The names of all policies for ill-formed tags."""


class TagError(ValueError):
    """A tag sequence that cannot be read; readers of files add the path and the line.

    Args:
        message: The expected and the actual tag.
        tag: The tag it is about.
        position: The tag's position in its sequence, from 0.
    """

    def __init__(self, message: str, *, tag: str, position: int) -> None:
        self.message, self.tag, self.position = message, tag, position
        super().__init__(f"position {position}: {message}")


class UnknownTagError(TagError):
    """A tag with a prefix that the scheme does not have."""


class IllFormedError(TagError):
    """A tag that its scheme does not allow after the tag before it, or at the end."""


def split_tag(tag: str) -> tuple[str, str]:
    """A tag's prefix and label, split once: at the `-` (or, in some corpora, the `_`) after its prefix.

    `O` has no label. A prefix alone (`B`, in corpora with one kind of entity) has the label `""`, and a label alone
    (`PER`) the prefix `""`. Where nothing before a `-` or `_` is a known prefix, the first `-` splits.

    Example:
        >>> split_tag("B-creative-work"), split_tag("I_PER"), split_tag("O"), split_tag("PER")
        (('B', 'creative-work'), ('I', 'PER'), ('O', ''), ('', 'PER'))
    """
    if tag == OUTSIDE or tag in PREFIXES:
        return tag, ""
    if tag[1:2] in ("-", "_") and tag[0] in PREFIXES:
        return tag[0], tag[2:]
    prefix, hyphen, label = tag.partition("-")
    return (prefix, label) if hyphen else ("", tag)


class DecodedTags(NamedTuple):
    """The spans of one tag sequence.

    Attributes:
        spans: The spans.
        ill_formed: The positions of the tags that break the scheme.
        scores: The probability of each span; () if it was not asked for.
    """

    spans: tuple[Span, ...]
    ill_formed: tuple[int, ...] = ()
    scores: tuple[float, ...] = ()


class State(dict[str, "tuple[State, int]"]):
    """A state of the automaton: one tag, and for every tag that came after it so far the next state and the event.

    Tags are parsed and compared once per pair of tags, not once per token: reading a sequence is then one look-up per
    token.

    Args:
        scheme: The scheme.
        prefix: The tag's prefix.
        label: The tag's label.
    """

    __slots__ = ("label", "prefix", "scheme")

    def __init__(self, scheme: Scheme, prefix: str, label: str) -> None:
        super().__init__()
        self.scheme, self.prefix, self.label = scheme, prefix, label

    def __missing__(self, tag: str) -> tuple[State, int]:
        if not isinstance(tag, str):
            raise TypeError(f"expected tags as strings, got {tag!r:.40} ({type(tag).__name__})")
        after = self.scheme.state(tag)
        self[tag] = after, self.event(after)
        return self[tag]

    def event(self, after: State) -> int:
        """The event between this tag and the one `after` it, a sum of `CLOSES`, `OPENS` and `BREAKS`."""
        scheme, first, second = self.scheme, self.prefix, after.prefix
        same_label = OUTSIDE not in (first, second) and self.label == after.label
        # 1. Do both belong to one span? If not, one may end before the second tag, and one may begin with it.
        event = 0
        if not same_label or first in CLOSING or second in OPENING:
            event = (CLOSES if first != OUTSIDE else 0) | (OPENS if second != OUTSIDE else 0)
        # 2. Does the scheme allow the second tag? Either a span goes on, ...
        if same_label and first in {scheme.first, scheme.inside} and second in {scheme.inside, scheme.last}:
            return event
        # ... or the first tag ends a span or is in none, and the second begins one or is in none. The prefixes for
        # touching spans of one label are for these alone.
        is_end = first in {OUTSIDE, scheme.single, scheme.last, scheme.after_same, scheme.before_same}
        is_begin = second in {OUTSIDE, scheme.single, scheme.first, scheme.after_same, scheme.before_same}
        is_needed = same_label or (second != scheme.after_same and first != scheme.before_same)
        return event if is_end and is_begin and is_needed else event | BREAKS


@dataclass(frozen=True, slots=True, eq=False)
class Scheme:
    """A way to write spans as tags, one per token, and to read them back.

    A sentence reads as if an `O` stood before and after it: tags that may follow `O` may start, and tags that `O` may
    follow may end.

    Attributes:
        name: The scheme's canonical name.
        single: The prefix of a span of one token.
        first: The prefix of the first token of a longer span.
        inside: The prefix of the tokens between the first and the last.
        last: The prefix of the last token of a longer span.
        after_same: Replaces the prefix of a span's first token right after a span of the same label, if it is not "".
        before_same: Replaces the prefix of a span's last token right before a span of the same label, if it is not "".
        bare_labels: True if a label without a prefix (`PER`, `person-actor`) stands for the prefix `inside`.
        spellings: Other names of the scheme. Names with the same letters in another order are known anyway.

    Example:
        >>> SCHEMES["BIEO"].encode([Span(0, 1, "LOC"), Span(1, 4, "PER")], 5)
        ['B-LOC', 'B-PER', 'I-PER', 'E-PER', 'O']
        >>> SCHEMES["BIEO"].decode(["B-LOC", "I-PER"])[:2]
        ((Span(start=0, end=1, label='LOC'), Span(start=1, end=2, label='PER')), (1,))
    """

    name: str
    single: str
    first: str
    inside: str
    last: str
    after_same: str = ""
    before_same: str = ""
    bare_labels: bool = False
    spellings: tuple[str, ...] = ()
    _states: dict[str, State] = field(default_factory=dict, init=False, repr=False)

    def __reduce__(self) -> tuple[object, ...]:
        return get_scheme, (self.name,)

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The prefixes in the order of a tag set: first, inside, last, single, then that for touching spans."""
        used = (self.first, self.inside, self.last, self.single, self.after_same, self.before_same)
        return tuple(dict.fromkeys(prefix for prefix in used if prefix))

    @property
    def separates_neighbours(self) -> bool:
        """True if touching spans of one label stay two spans; false for IO alone, whose `encode` merges them."""
        return bool(self.after_same or self.before_same or self.single in OPENING | CLOSING)

    def encode(self, spans: Iterable[Span], length: int) -> list[str]:
        """The tags of a sentence of `length` tokens.

        Raises:
            TypeError: If one is no span.
            ValueError: If a span is empty, out of range, out of order or overlaps the one before it.
        """
        tags, end, previous_label = [OUTSIDE] * length, 0, ""
        for span in spans:
            if not isinstance(span, tuple) or len(span) != 3 or not isinstance(span[2], str):
                raise TypeError(f"expected spans such as Span(0, 2, 'PER'), got {span!r:.40}")
            start, stop, label = span
            if not end <= start < stop <= length:
                raise ValueError(f"expected sorted spans without overlap within {length} tokens, got {(start, stop)}")
            suffix = f"-{label}" if label else ""
            if stop == start + 1:
                tags[start] = self.single + suffix
            else:
                tags[start:stop] = [self.inside + suffix] * (stop - start)
                tags[start], tags[stop - 1] = self.first + suffix, self.last + suffix
            if start == end > 0 and label == previous_label:  # the span touches one of its own label
                if self.after_same:
                    tags[start] = self.after_same + suffix
                if self.before_same:
                    tags[start - 1] = self.before_same + suffix
            end, previous_label = stop, label
        return tags

    def decode(self, tags: Sequence[str], policy: Policy = "conlleval") -> DecodedTags:
        """The spans of a tag sequence, and the positions of the tags that break the scheme.

        A tag breaks the scheme if it may not follow the one before it, or is the last and may not end the sentence.

        Raises:
            UnknownTagError: If a tag has a prefix that the scheme does not have.
            IllFormedError: If a tag breaks the scheme and the policy is `error`.
            TypeError: If `tags` is no list of strings.
            ValueError: If there is no such policy.
        """
        if isinstance(tags, str) or not isinstance(tags, Sequence):
            raise TypeError(f"expected a list of tags, got {tags!r:.40} ({type(tags).__name__})")
        if policy not in POLICIES:
            raise ValueError(f"expected a policy ({', '.join(POLICIES)}), found {policy!r}")
        spans: list[Span] = []
        ill_formed: list[int] = []
        if tags.count(OUTSIDE) == len(tags):
            return DecodedTags(())
        # Follow the automaton from an O before the sentence to an O after it.
        try:
            state, start = self.state(OUTSIDE), 0
            for position, tag in enumerate(chain(tags, (OUTSIDE,))):
                before = state
                state, event = state[tag]
                if event:
                    if event & CLOSES:
                        spans.append(Span(start, position, before.label))
                    if event & OPENS:
                        start = position
                    if event & BREAKS:
                        ill_formed.append(min(position, len(tags) - 1))  # the last tag, if no O may follow
        except UnknownTagError as error:
            raise UnknownTagError(error.message, tag=error.tag, position=tags.index(error.tag)) from None
        decoded = DecodedTags(tuple(spans), tuple(dict.fromkeys(ill_formed)))
        return decoded if policy == "conlleval" else self._judged(tags, decoded, policy)

    def _judged(self, tags: Sequence[str], decoded: DecodedTags, policy: Policy) -> DecodedTags:
        """Ill-formed tags by the policies `strict` and `error`."""
        spans, ill_formed, _ = decoded
        if not ill_formed:
            return decoded
        if policy == "error":
            position = ill_formed[0]
            tag, before = tags[position], tags[position - 1] if position else OUTSIDE
            reason = f"may not follow {quoted(before)}" if position else "may not start a sentence"
            if not self.state(before)[tag][1] & BREAKS:
                reason = "may not end a sentence"
            raise IllFormedError(f"{quoted(tag)} {reason} in {self.name}", tag=tag, position=position)
        # Keep the spans whose tags are those that `encode` writes. Tags are compared parsed: `B_PER` equals `B-PER`.
        written = [split_tag(tag) for tag in self.encode(spans, len(tags))]
        found = [(self.state(tag).prefix, self.state(tag).label) for tag in tags]
        kept = tuple(span for span in spans if written[span.start : span.end] == found[span.start : span.end])
        return DecodedTags(kept, ill_formed)

    def state(self, tag: str) -> State:
        """The automaton's state for a tag.

        Raises:
            UnknownTagError: If the scheme does not have the tag's prefix.
        """
        if (state := self._states.get(tag)) is not None:
            return state
        prefix, label = split_tag(tag)
        if tag != OUTSIDE and prefix not in self.prefixes:
            if not (self.bare_labels and tag and prefix not in PREFIXES):
                expected = ", ".join([OUTSIDE, *(f"{known}-" for known in self.prefixes)])
                raise UnknownTagError(
                    f"expected a tag of {self.name} ({expected}), found {quoted(tag)}", tag=tag, position=0
                )
            prefix, label = self.inside, tag
        return self._states.setdefault(tag, State(self, prefix, label))


SCHEMES: Mapping[str, Scheme] = {
    scheme.name: scheme
    for scheme in (
        Scheme("IOB2", single="B", first="B", inside="I", last="I", spellings=("BIO", "BIO2")),
        Scheme("IOB1", single="I", first="I", inside="I", last="I", after_same="B", spellings=("IOB", "BIO1")),
        Scheme("BIOES", single="S", first="B", inside="I", last="E"),
        Scheme("BIEO", single="B", first="B", inside="I", last="E"),
        Scheme("IOE2", single="E", first="I", inside="I", last="E"),
        Scheme("IOE1", single="I", first="I", inside="I", last="I", before_same="E"),
        Scheme("BILOU", single="U", first="B", inside="I", last="L"),
        Scheme("BMES", single="S", first="B", inside="M", last="E"),
        Scheme("BMEWO", single="W", first="B", inside="M", last="E"),
        Scheme("IO", single="I", first="I", inside="I", last="I", bare_labels=True),
    )
}
"""Every scheme by its canonical name, the most usual first: where several fit a file, detection takes the first."""

_BY_SPELLING = {spelling: scheme for scheme in SCHEMES.values() for spelling in (scheme.name, *scheme.spellings)}
_BY_LETTERS = {"".join(sorted({*name, OUTSIDE})): scheme for name, scheme in SCHEMES.items() if name.isalpha()}


def get_scheme(name: str) -> Scheme:
    """The scheme of that name, in any case and any usual spelling (BIO, IOB, IOBES, BMESO, BILUO, BIOUL, ...).

    `BIO` is IOB2 (every span begins with B), `IOB` is IOB1 (Ramshaw and Marcus 1995). Of the names without a digit the
    letters may come in any order, with or without the O.

    Raises:
        TypeError: If `name` is no string.
        InputError: If there is no such scheme.
    """
    if not isinstance(name, str):
        raise TypeError(f"expected the name of a tag scheme, got {type(name).__name__}")
    key = name.strip().upper().replace("-", "")
    scheme = _BY_SPELLING.get(key) or _BY_LETTERS.get("".join(sorted({*key, OUTSIDE})))
    if scheme is None:
        raise InputError(f"expected a tag scheme ({', '.join(SCHEMES)}), found {name!r}{did_you_mean(name, SCHEMES)}")
    return scheme
