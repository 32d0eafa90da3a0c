"""What a user knows of the entities of a sentence or of a text.

A person confirms an entity, a list of names favours another, a label cannot occur in this kind of text. Each is a
condition on the spans of the sentence. `Analysis.given` conditions the model's distribution on them, exactly: the rest
of the sentence adapts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Literal, NamedTuple

from ner_lstm_crf.errors import InputError, did_you_mean
from ner_lstm_crf.tags.scheme import OUTSIDE
from ner_lstm_crf.text.annotation import Entity, Span, Token

LARGEST_BONUS = 100.0
"""In nats, either way. What is to be certain is locked."""


@dataclass(frozen=True, slots=True)
class Gazetteer:
    """Phrases with their labels, each locked or favoured wherever it occurs.

    A phrase is found where it begins and ends with a token; white space does not count, case does.

    Args:
        phrases: The label of each phrase.
        bonus: Nats by which a phrase is favoured: the odds of "this span has this label" grow by exp(bonus), and a
            negative one makes it rarer. None locks: a phrase that occurs is an entity. Of locked phrases that overlap,
            the first and longest counts, and none counts against a span that the constraints name.

    Raises:
        TypeError: If the phrases are no mapping of strings.
        ValueError: If the bonus is not within 100 nats.
    """

    phrases: Mapping[str, str]
    bonus: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.phrases, Mapping):
            raise TypeError(f"expected a mapping of phrases to labels, got {type(self.phrases).__name__}")
        for phrase, label in self.phrases.items():
            if not isinstance(phrase, str) or not isinstance(label, str):
                raise TypeError(f"expected phrases and labels as strings, got {phrase!r:.40}: {label!r:.40}")
        if self.bonus is not None:
            _check_bonus(self.bonus)
        object.__setattr__(self, "phrases", {"".join(phrase.split()): of for phrase, of in self.phrases.items()})

    def find(self, tokens: Sequence[Token]) -> list[Span]:
        """Every place where a phrase occurs, sorted, the longer of two that begin alike first; they may overlap.

        Example:
            >>> words = ["In", "New", "York", "City"]
            >>> Gazetteer({"New York": "LOC", "New York City": "LOC"}).find([Token(word, 0, 0) for word in words])
            [Span(start=1, end=4, label='LOC'), Span(start=1, end=3, label='LOC')]
        """
        longest = max(map(len, self.phrases), default=0)
        words, found = ["".join(token.text.split()) for token in tokens], list[Span]()
        for start in range(len(words)):
            phrase, of_start = "", list[Span]()
            for end in range(start, len(words)):
                phrase += words[end]
                if len(phrase) > longest:
                    break
                if phrase in self.phrases:
                    of_start.append(Span(start, end + 1, self.phrases[phrase]))
            found += reversed(of_start)
        return found


@dataclass(frozen=True, slots=True)
class Constraints:
    """What is known of the entities of a sentence, or of a text.

    Starts and ends count tokens in `Analysis.given`, and characters of the text in `Tagger.tag`; ends are exclusive.
    The label "O" stands for tokens in no entity. `first | second` is both.

    Args:
        spans: Entities that are there, with exactly these ends and labels: (start, end, label), `Span` or `Entity`.
        rejected: Entities that are not there; others with the same ends, or the same label, may be.
        forbidden: Labels that do not occur, as "ORG"; or not from a start to an end, as (start, end, "ORG").
        allowed: (start, end, labels): each token from start to end has one of these labels.
        favoured: (start, end, label, bonus): the odds of this entity grow by exp(bonus); the bonus is in nats.
        gazetteers: Lists of phrases that are locked or favoured where they occur.

    Raises:
        TypeError: If one of them has not its form.
        ValueError: If a start is not before its end, or a bonus is not within 100 nats.

    Example:
        >>> Constraints(spans=[(0, 2, "PER")], forbidden=["ORG"]) | Constraints(allowed=[(3, 4, ["LOC", "O"])])
        Constraints(spans=(Span(start=0, end=2, label='PER'),), rejected=(), forbidden=('ORG',), \
allowed=((3, 4, ('LOC', 'O')),), favoured=(), gazetteers=())
    """

    spans: Sequence[Span | Entity | tuple[int, int, str]] = ()
    rejected: Sequence[Span | Entity | tuple[int, int, str]] = ()
    forbidden: Sequence[str | tuple[int, int, str]] = ()
    allowed: Sequence[tuple[int, int, Collection[str]]] = ()
    favoured: Sequence[tuple[int, int, str, float]] = ()
    gazetteers: Sequence[Gazetteer] = ()

    def __post_init__(self) -> None:
        forbidden: list[str | Span] = []
        for name in ("spans", "rejected", "forbidden", "allowed", "favoured", "gazetteers"):
            value = getattr(self, name)
            if isinstance(value, str | Mapping | Gazetteer) or not isinstance(value, Iterable):
                raise TypeError(f"expected a list as {name} of the constraints, got {value!r:.60}")
        for one in self.forbidden:
            forbidden.append(one if isinstance(one, str) else _span(one, "forbidden"))
        allowed = list[tuple[int, int, tuple[str, ...]]]()
        for given in self.allowed:
            match given:
                case (int(start), int(end), Collection() as labels) if not isinstance(labels, str):
                    _span((start, end, OUTSIDE), "allowed")
                    allowed.append((start, end, tuple(labels)))
                case _:
                    raise TypeError(f"expected (start, end, labels) in allowed, got {given!r:.60}")
        favoured = list[tuple[int, int, str, float]]()
        for chosen in self.favoured:
            if not isinstance(chosen, tuple | list) or len(chosen) != 4:
                raise TypeError(f"expected (start, end, label, bonus) in favoured, got {chosen!r:.60}")
            _check_bonus(chosen[3])
            favoured.append((*_span(tuple(chosen[:3]), "favoured"), float(chosen[3])))
        if not all(isinstance(one, Gazetteer) for one in self.gazetteers):
            raise TypeError("expected Gazetteer objects as gazetteers of the constraints")
        values = {
            "spans": tuple(_span(one, "spans") for one in self.spans),
            "rejected": tuple(_span(one, "rejected") for one in self.rejected),
            "forbidden": tuple(forbidden),
            "allowed": tuple(allowed),
            "favoured": tuple(favoured),
            "gazetteers": tuple(self.gazetteers),
        }
        for name, tuples in values.items():
            object.__setattr__(self, name, tuples)

    def __or__(self, other: Constraints) -> Constraints:
        """Both."""
        if not isinstance(other, Constraints):
            return NotImplemented
        return Constraints(
            [*self.spans, *other.spans],
            [*self.rejected, *other.rejected],
            [*self.forbidden, *other.forbidden],
            [*self.allowed, *other.allowed],
            [*self.favoured, *other.favoured],
            [*self.gazetteers, *other.gazetteers],
        )

    def __bool__(self) -> bool:
        """True if there are any."""
        return any((self.spans, self.rejected, self.forbidden, self.allowed, self.favoured, self.gazetteers))

    def rules(self, tokens: Sequence[Token], labels: Sequence[str]) -> list[Rule]:
        """The constraints one by one, over the tokens of a sentence; the phrases of gazetteers found in it.

        Raises:
            InputError: If a label is none of the model's, or a place is not in the sentence.
        """
        # 1. Those that are named.
        length, everything = len(tokens), (*labels, OUTSIDE)
        rules = [Rule("span", start, end, (label,)) for start, end, label in self.spans]  # type: ignore[misc]
        rules += [Rule("rejected", start, end, (label,)) for start, end, label in self.rejected]  # type: ignore[misc]
        for one in self.forbidden:
            start, end, label = (0, length, one) if isinstance(one, str) else one
            _check_labels([label], everything)
            rules.append(Rule("allowed", start, end, tuple(other for other in everything if other != label)))
        rules += [Rule("allowed", start, end, tuple(of)) for start, end, of in self.allowed]
        rules += [Rule("favoured", start, end, (label,), bonus) for start, end, label, bonus in self.favoured]
        for rule in rules:
            _check_labels(rule.labels, everything if rule.kind == "allowed" else labels)
            if rule.end > length:
                raise InputError(f"expected a place within the {length} tokens of the sentence, got {rule}")
        # 2. Phrases that occur. A locked one gives way to what is named, and to one before it.
        taken = [rule for rule in rules if rule.kind in ("span", "rejected")]
        for gazetteer in self.gazetteers:
            for start, end, label in gazetteer.find(tokens):
                _check_labels([label], labels)
                if gazetteer.bonus is not None:
                    rules.append(Rule("favoured", start, end, (label,), gazetteer.bonus))
                elif not any(start < other.end and other.start < end for other in taken):
                    taken.append(Rule("span", start, end, (label,)))
                    rules.append(taken[-1])
        return rules


def constraints_of_sentences(constraints: Constraints, sentences: Sequence[Sequence[Token]]) -> list[Constraints]:
    """Constraints that count characters as those of each sentence, which count its tokens.

    Args:
        constraints: The constraints on a text.
        sentences: The tokens of its sentences, in order, each of one token or more.

    Raises:
        InputError: If an entity does not begin and end with a token of one sentence, or a range holds no token.
    """
    found = [defaultdict[str, list[object]](list) for _ in sentences]
    for name in ("spans", "rejected", "favoured"):
        for one in getattr(constraints, name):
            number, start, end = _tokens_of(one[0], one[1], sentences)
            found[number][name].append((start, end, *one[2:]))
    for name in ("forbidden", "allowed"):
        for one in getattr(constraints, name):
            if isinstance(one, str):
                for of_sentence in found:
                    of_sentence[name].append(one)
                continue
            is_found = False
            for tokens, of_sentence in zip(sentences, found, strict=True):
                inside = [number for number, token in enumerate(tokens) if token.start < one[1] and one[0] < token.end]
                if inside:
                    is_found = True
                    of_sentence[name].append((inside[0], inside[-1] + 1, one[2]))
            if not is_found:
                raise InputError(f"expected a token within the characters {one[0]} to {one[1]}, found none")
    return [replace(Constraints(**of_sentence), gazetteers=constraints.gazetteers) for of_sentence in found]  # type: ignore[arg-type]


class Rule(NamedTuple):
    """One constraint on a sentence.

    Attributes:
        kind: What it says: an entity is there, or is not, or these labels are allowed, or an entity is favoured.
        start: The first token.
        end: The token behind the last one.
        labels: The label; or those that are allowed.
        bonus: Nats of what is favoured.
    """

    kind: Literal["span", "rejected", "allowed", "favoured"]
    start: int
    end: int
    labels: tuple[str, ...]
    bonus: float = 0.0

    def __str__(self) -> str:
        where = f"{self.start}-{self.end}"
        if self.kind == "allowed":
            return f"only {', '.join(self.labels) or 'no label'} at {where}"
        return f"{'no ' * (self.kind == 'rejected')}{self.labels[0]} at {where}"


def _span(given: object, name: str) -> Span:
    """A span of constraints, checked.

    Raises:
        TypeError: If it is none.
        ValueError: If it does not start before its end.
    """
    match (given.start, given.end, given.label) if isinstance(given, Entity) else given:
        case (int(start), int(end), str(label)):
            if not 0 <= start < end:
                raise ValueError(f"expected a start before the end in {name}, got {(start, end, label)}")
            return Span(start, end, label)
        case _:
            raise TypeError(f"expected (start, end, label) in {name}, got {given!r:.60}")


def _check_bonus(bonus: object) -> None:
    """Refuse what is no bonus.

    Raises:
        TypeError: If it is no number.
        ValueError: If it is not within the limits.
    """
    if isinstance(bonus, bool) or not isinstance(bonus, int | float):
        raise TypeError(f"expected a bonus in nats, got {bonus!r:.40}")
    if not isfinite(bonus) or abs(bonus) > LARGEST_BONUS:
        raise ValueError(
            f"expected a bonus from -{LARGEST_BONUS:g} to {LARGEST_BONUS:g} nats, got {bonus:g}: spans and rejected "
            "make certain, as a gazetteer without a bonus does"
        )


def _check_labels(labels: Iterable[str], known: Sequence[str]) -> None:
    """Refuse labels that a model does not have.

    Raises:
        InputError: If one is none of those known.
    """
    for label in labels:
        if label not in known:
            near = did_you_mean(label, known)
            raise InputError(f"expected a label of the model ({', '.join(known)}), found {label!r:.40}{near}")


def _tokens_of(start: int, end: int, sentences: Sequence[Sequence[Token]]) -> tuple[int, int, int]:
    """The number of the sentence that characters are in, and the tokens that they are: first, and behind the last.

    Raises:
        InputError: If they do not begin and end with a token of one sentence.
    """
    for number, tokens in enumerate(sentences):
        if not tokens[0].start <= start < tokens[-1].end:
            continue
        starts = {token.start: token_number for token_number, token in enumerate(tokens)}
        ends = {token.end: token_number + 1 for token_number, token in enumerate(tokens)}
        if start in starts and end in ends:
            return number, starts[start], ends[end]
        if end > tokens[-1].end:
            raise InputError(
                f"expected an entity within a sentence, got {start}-{end}: the sentence ends at {tokens[-1].end}"
            )
        near = next(token for token in tokens if (token.end > start if start not in starts else token.end > end))
        token = f"the token {near.text!r:.40} goes from {near.start} to {near.end}"
        raise InputError(f"expected an entity that begins and ends with a token, got {start}-{end}: {token}")
    raise InputError(f"expected an entity within the text, got {start}-{end}: no sentence holds its start")
