"""Which tag scheme a file is written in, and what speaks for it.

One pass counts the pairs of neighbouring tags, which is all that tells schemes apart. Of the schemes that have every
prefix seen, that one wins whose rules the fewest pairs break, so a few slips of the annotators do not matter; where
several fit equally well they give the same spans, and the most usual one wins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeAlias, TypeVar

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.tags.automaton import CLOSES, OPENS
from ner_lstm_crf.tags.scheme import SCHEMES, Scheme
from ner_lstm_crf.tags.tag import OUTSIDE

__all__ = ["Detection", "NoSchemeError", "detect_scheme"]

_USUAL_FIRST = ("IOB2", "IOB1", "BIOES", "BIEO", "IOE2", "IOE1", "BILOU", "BMES", "BMEWO", "IO")

_Pair: TypeAlias = tuple[str, str]
_Key = TypeVar("_Key")


@dataclass(frozen=True, slots=True)
class Detection:
    """The scheme found in tag sequences.

    Attributes:
        scheme: Its canonical name.
        evidence: Why, in words, after the name: `IOB1: 5,893 entities begin with I-, 28 B- only after a span of the
            same label`.
        candidates: Every scheme that fits equally well, the chosen one first. All give the same spans, but perhaps
            where tags are ill-formed.
        ill_formed: How many pairs of neighbouring tags break the scheme.
    """

    scheme: str
    evidence: str
    candidates: tuple[str, ...]
    ill_formed: int = 0


class NoSchemeError(InputError):
    """No scheme has all the prefixes that occur.

    Args:
        message: What was expected and what came.
        tag: The most frequent of the tags that do not fit.
    """

    def __init__(self, message: str, tag: str) -> None:
        super().__init__(message)
        self.tag = tag

    def __reduce__(self) -> tuple[object, ...]:
        return NoSchemeError, (self.message, self.tag)


def detect_scheme(tag_sequences: Iterable[Sequence[str]]) -> Detection:
    """The tag scheme of a file, given the tags of its sentences.

    Raises:
        NoSchemeError: If no scheme has all the prefixes that occur; the message names the tag that fits none.

    Example:
        >>> detect_scheme([["I-PER", "I-PER", "B-PER", "O", "I-LOC"]]).evidence
        'IOB1: 2 entities begin with I-, 1 B- only after a span of the same label'
    """
    pairs: Counter[tuple[str, str]] = Counter()
    for tags in tag_sequences:
        pairs.update(zip(chain((OUTSIDE,), tags), chain(tags, (OUTSIDE,)), strict=True))
    seen = _total((tag, count) for (_, tag), count in pairs.items() if tag != OUTSIDE)
    if not seen:
        return Detection("IOB2", "IOB2: assumed, there is no entity that could tell", _USUAL_FIRST)
    broken = {name: _breaking(SCHEMES[name], pairs) for name in _USUAL_FIRST if _fits(SCHEMES[name], seen) == seen}
    if not broken:
        raise _no_scheme(seen)
    fewest = min(breaking.total() for breaking in broken.values())
    candidates = tuple(name for name, breaking in broken.items() if breaking.total() == fewest)
    name = candidates[0]
    others = _others(candidates[1:], well_formed=not fewest)
    reasons = [_reason(SCHEMES[name], pairs, seen), others, _slips(broken[name])]
    return Detection(name, f"{name}: {'; '.join(filter(None, reasons))}", candidates, fewest)


def _total(counts: Iterable[tuple[_Key, int]]) -> Counter[_Key]:
    """The sum of the counts of each key."""
    total: Counter[_Key] = Counter()
    for key, count in counts:
        total[key] += count
    return total


def _fits(scheme: Scheme, seen: Counter[str]) -> Counter[str]:
    """Those tags, with their counts, whose prefix the scheme has."""
    return Counter({tag: count for tag, count in seen.items() if scheme.has(tag)})


def _breaking(scheme: Scheme, pairs: Counter[_Pair]) -> Counter[_Pair]:
    """Those pairs of neighbours, with their counts, that break the scheme."""
    return Counter({pair: count for pair, count in pairs.items() if not scheme.may_follow(*pair)})


def _no_scheme(seen: Counter[str]) -> NoSchemeError:
    nearest = max((SCHEMES[name] for name in _USUAL_FIRST), key=lambda scheme: _fits(scheme, seen).total())
    odd, count = (seen - _fits(nearest, seen)).most_common(1)[0]
    message = (
        f"expected the tags of one scheme ({', '.join(SCHEMES)}), "
        f"found {odd!r} ({_count(count, 'time', 'times')}), which does not fit {nearest.name}, the nearest"
    )
    return NoSchemeError(message, odd)


def _reason(scheme: Scheme, pairs: Counter[_Pair], seen: Counter[str]) -> str:
    """What speaks for the scheme: how the entities begin and end, counted by prefix."""
    begin, end = _boundaries(scheme, pairs)
    if scheme.name == "IO":
        labels = ", ".join(tag for tag, _ in seen.most_common(3))
        count = _count(seen.total(), "tag is a label", "tags are labels")
        return f"{count} without a prefix ({labels}{', ...' if len(seen) > 3 else ''})"
    if scheme.name == "IOB1":
        rest = f"{begin['B']:,} B- only after a span of the same label" if begin["B"] else "there is no B-"
        return f"{_count(begin['I'], 'entity begins', 'entities begin')} with I-, {rest}"
    if scheme.name == "IOE1":
        rest = f"{end['E']:,} E- only before a span of the same label" if end["E"] else "there is no E-"
        return f"{_count(end['I'], 'entity ends', 'entities end')} with I-, {rest}"
    if scheme.name == "IOB2":
        return f"{_share(begin, 'B')}{_count(begin.total(), 'entity begins', 'entities begin')} with B-"
    if scheme.name == "IOE2":
        return f"{_share(end, 'E')}{_count(end.total(), 'entity ends', 'entities end')} with E-"
    alone = "a lone B-, there is no S-" if scheme.name == "BIEO" else f"{scheme.single}-"
    longer = _count(end[scheme.last], "entity runs", "entities run")
    return f"{longer} from B- to {scheme.last}-, {_count(end[scheme.single], 'is', 'are')} {alone}"


def _boundaries(scheme: Scheme, pairs: Counter[_Pair]) -> tuple[Counter[str], Counter[str]]:
    """How many entities begin with each prefix, and how many end with it."""
    begin: Counter[str] = Counter()
    end: Counter[str] = Counter()
    for (before, after), count in pairs.items():
        state = scheme.state(before)
        following, event = state[after]
        if event & CLOSES:
            end[state.prefix] += count
        if event & OPENS:
            begin[following.prefix] += count
    return begin, end


def _count(count: int, one: str, more: str) -> str:
    return f"{count:,} {one if count == 1 else more}"


def _share(counts: Counter[str], prefix: str) -> str:
    """What comes before the number of all entities: `all`, or how many of them."""
    if counts[prefix] < counts.total():
        return f"{counts[prefix]:,} of "
    return "all " if counts.total() > 1 else ""


def _others(names: Sequence[str], *, well_formed: bool) -> str:
    same = ", with the same spans" if well_formed else ""
    return f"{', '.join(names)} would fit as well{same}" if names else ""


def _slips(breaking: Counter[_Pair]) -> str:
    if not breaking:
        return ""
    shown = ", ".join(f"{before} {after} ({count:,})" for (before, after), count in breaking.most_common(3))
    return f"{breaking.total():,} ill-formed: {shown}{', ...' if len(breaking) > 3 else ''}"
