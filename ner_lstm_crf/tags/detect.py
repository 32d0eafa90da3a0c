"""Detection of a file's tag scheme, with the evidence.

One pass counts the pairs of neighbouring tags, which is all that tells schemes apart. Of the schemes that have every
prefix in the file, the one wins whose rules the fewest pairs break, so a few slips of the annotators do not matter.
Where several fit equally well they give the same spans, and the most usual one wins. Tags that are not written in the
standard notation (`PER-B`, `-` for O; see `notation`) are read as if they were, if no other reading is as likely.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, pairwise
from os import PathLike
from types import MappingProxyType
from typing import Any, TypeAlias

from ner_lstm_crf.errors import InputError, counted
from ner_lstm_crf.files.text import quoted
from ner_lstm_crf.tags.notation import (
    PERHAPS_A_LABEL,
    STANDARD,
    Notation,
    has_family,
    has_prefix,
    is_outside,
    notations_of,
)
from ner_lstm_crf.tags.scheme import (
    BREAKS,
    CLOSES,
    OPENS,
    OUTSIDE,
    SCHEMES,
    Scheme,
    UnknownTagError,
    split_tag,
)

_Pair: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Detection:
    """The scheme found in tag sequences.

    Attributes:
        scheme: Its canonical name.
        evidence: The name and the reasons: `IOB1: 5,893 entities begin with I-, 28 B- only after a span of the same
            label`.
        candidates: Every scheme that fits equally well, the chosen one first. All give the same spans, except
            perhaps for ill-formed tags.
        ill_formed: The number of pairs of neighbouring tags that break the scheme.
        notation: The notation of the tags.
        notation_words: The same in words; "" for the standard notation.
        tags: The tags as they are written, with their numbers.
    """

    scheme: str
    evidence: str
    candidates: tuple[str, ...]
    ill_formed: int = 0
    notation: Notation = STANDARD
    notation_words: str = ""
    tags: Mapping[str, int] = field(default_factory=dict)


class NoSchemeError(InputError):
    """No scheme has all the prefixes that occur, the one that is given lacks one, or tags can be read in two ways.

    Args:
        message: The expected and the actual tag.
        tag: The most frequent of the tags that do not fit, or one that can be read in two ways.
        is_ambiguous: True if the tags can be read in two ways.
        path: The file.
        line: The line of the tag.
    """

    def __init__(
        self,
        message: str,
        tag: str,
        *,
        is_ambiguous: bool = False,
        path: str | PathLike[str] | None = None,
        line: int | None = None,
    ) -> None:
        super().__init__(message, path=path, line=line)
        self.tag, self.is_ambiguous = tag, is_ambiguous

    def __reduce__(self) -> tuple[object, ...]:
        more: dict[str, Any] = {"is_ambiguous": self.is_ambiguous, "path": self.path, "line": self.line}
        return partial(NoSchemeError, **more), (self.message, self.tag)


def detect_scheme(
    tag_sequences: Iterable[Sequence[str]],
    scheme: Scheme | None = None,
    labels: Container[str] = (),
    unknown: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> Detection:
    """The tag scheme of a file, given the tags of its sentences.

    Args:
        tag_sequences: The tags of each sentence.
        scheme: The scheme, if it is known; then only the notation of its tags is detected.
        labels: Tags that are known to be labels without a prefix.
        unknown: What is written where a tag is not known, and the tags it may be, `()` if it may be any. Pairs with it
            say nothing of the scheme. It is looked at after the last sequence.

    Raises:
        NoSchemeError: If no scheme has all the prefixes that occur, or the tags can be read in two ways; the message
            names a tag.

    Example:
        >>> detect_scheme([["I-PER", "I-PER", "B-PER", "O", "I-LOC"]]).evidence
        'IOB1: 2 entities begin with I-, 1 B- only after a span of the same label'
        >>> detect_scheme([["PER-B", "PER-I", "-", "LOC-B"]]).evidence
        'IOB2: all 2 entities begin with B-; tags are written PER-B: read as B-PER; - is read as O'
    """
    # 1. Count the pairs of neighbouring tags; None stands before the first and after the last tag of a sentence.
    ended = chain.from_iterable(chain(tags, (None,)) for tags in tag_sequences)
    raw: Counter[tuple[str | None, str | None]] = Counter(pairwise(chain((None,), ended)))
    written: Counter[str] = Counter()
    for (_, tag), count in raw.items():
        written.update(dict.fromkeys(() if tag is None else unknown.get(tag, (tag,)), count))
    # 2. Write them in the standard notation, with an O before and after each sentence.
    notation = _notation(written, scheme, labels)
    standard: dict[str | None, str] = {tag: notation.read(tag) or tag for tag in written}
    standard[None] = OUTSIDE
    words = notation.describe(next((tag for tag in written if split_tag(standard[tag])[1]), ""))
    if scheme is not None:
        evidence = f"{scheme.name}: as given{words and '; '}{words}"
        return Detection(scheme.name, evidence, (scheme.name,), notation=notation, notation_words=words, tags=written)
    # 3. Read the pairs with every scheme.
    pairs: Counter[_Pair] = Counter()
    for (before, after), count in raw.items():
        if before not in unknown and after not in unknown:
            pairs[standard[before], standard[after]] += count
    try:
        detection = _best_scheme(pairs, _of_entities(written, standard))
    except NoSchemeError as error:
        raise NoSchemeError(error.message, next(tag for tag in written if standard[tag] == error.tag)) from None
    return replace(
        detection,
        evidence=f"{detection.evidence}{words and '; '}{words}",
        notation=notation,
        notation_words=words,
        tags=written,
    )


def _of_entities(written: Counter[str], standard: Mapping[str | None, str]) -> Counter[str]:
    """The tags but O in the standard notation, with their numbers."""
    counts: Counter[str] = Counter()
    for tag, count in written.items():
        if standard[tag] != OUTSIDE:
            counts[standard[tag]] += count
    return counts


def _best_scheme(pairs: Counter[_Pair], counts: Counter[str]) -> Detection:
    """The scheme whose rules pairs of neighbouring tags break least.

    Args:
        pairs: The pairs and their numbers.
        counts: The tags, without O, and their numbers.

    Raises:
        NoSchemeError: If none has all their prefixes.
    """
    if not counts:
        return Detection("IOB2", "IOB2: assumed, there is no entity that could tell", tuple(SCHEMES))
    # 1. Read the pairs with every scheme, the most usual first.
    readings = [_read(scheme, pairs, counts) for scheme in SCHEMES.values()]
    fitting = [reading for reading in readings if not reading.unknown]
    if not fitting:
        raise _no_scheme(readings)
    # 2. Of the schemes that have all prefixes, the fewest broken rules decide.
    fewest = min(reading.broken.total() for reading in fitting)
    best = [reading for reading in fitting if reading.broken.total() == fewest]
    names = tuple(reading.scheme.name for reading in best)
    # 3. Say why.
    reasons = [_boundaries(best[0], counts)]
    if len(names) > 1:
        reasons.append(f"{', '.join(names[1:])} would fit as well{'' if fewest else ', with the same spans'}")
    if broken := best[0].broken:
        shown = ", ".join(f"{before} {after} ({count:,})" for (before, after), count in broken.most_common(3))
        reasons.append(f"{fewest:,} ill-formed: {shown}{', ...' if len(broken) > 3 else ''}")
    return Detection(names[0], f"{names[0]}: {'; '.join(reasons)}", names, fewest)


def _no_scheme(readings: Sequence[_Reading]) -> NoSchemeError:
    """The error that no scheme fits, about the most frequent tag that does not fit the nearest."""
    nearest = min(readings, key=lambda reading: reading.unknown.total())
    tag, count = nearest.unknown.most_common(1)[0]
    hint = "" if has_prefix(tag) else f" (--rename {tag}=O reads it as O)"
    message = (
        f"expected the tags of one scheme ({', '.join(SCHEMES)}), found {quoted(tag)} "
        f"({counted(count, 'time')}), which does not fit {nearest.scheme.name}, the nearest{hint}"
    )
    return NoSchemeError(message, tag)


def _notation(counts: Counter[str], scheme: Scheme | None, labels: Container[str]) -> Notation:
    """The notation of the tags of a file: the only one, or the one that its scheme or its labels show.

    Raises:
        NoSchemeError: If they can be read in two ways.
    """
    notations = notations_of(counts)
    signs = [tag for tag in counts if is_outside(tag)]
    without_prefix = replace(STANDARD, outside=signs[0]) if len(signs) == 1 else STANDARD
    if scheme is not None:
        # 1. A scheme that is given: the standard notation, if all tags are then its own, else the first of the others.
        fitting = (notation for notation in (without_prefix, *notations) if _fits(notation, counts, scheme))
        return next(fitting, STANDARD)
    # 2. The standard notation, and one in which a label has several prefixes.
    likely = [
        notation
        for notation in notations
        if replace(notation, outside=OUTSIDE) == STANDARD or has_family(notation, counts)
    ]
    if len({tuple(map(notation.read, counts)) for notation in likely}) == 1:
        return likely[0]
    # 3. Else the tags may be labels. Refuse what may be something else, unless a tag is known to be a label.
    if not any(tag in labels for tag in counts):
        for notation in notations:
            tags = [tag for tag in counts if tag != notation.outside]
            prefixes = {split_tag(notation.read(tag) or tag)[0] for tag in tags}
            name = next((one.name for one in SCHEMES.values() if prefixes <= {*one.prefixes, OUTSIDE}), None)
            if notation.separators and name:
                raise NoSchemeError(
                    f"found {quoted(tags[0])}, which may be a label (--scheme IO) or {notation.read(tags[0])} "
                    f"(--scheme {name})",
                    tags[0],
                    is_ambiguous=True,
                )
        other = next((tag for tag in counts if tag.upper() == PERHAPS_A_LABEL), None)
        if other and not signs and not any(map(has_prefix, counts)):
            raise NoSchemeError(
                f"found labels without a prefix and no O: {quoted(other)} may stand for O (--rename {other}=O) or be a "
                "label (--scheme IO)",
                other,
                is_ambiguous=True,
            )
    return without_prefix if not any(map(has_prefix, counts)) else STANDARD


def _fits(notation: Notation, counts: Counter[str], scheme: Scheme) -> bool:
    """True if all tags, written so, are those of a scheme."""
    for tag in counts:
        try:
            scheme.state(notation.read(tag) or tag)
        except UnknownTagError:
            return False
    return True


@dataclass(frozen=True, slots=True)
class _Reading:
    """The tags of a file, read with one scheme.

    Attributes:
        scheme: The scheme.
        unknown: The tags that the scheme does not have, with their counts; if there are any, nothing else is counted.
        broken: The pairs of neighbours that break the scheme.
        begin: The number of entities that begin with each prefix.
        end: The number of entities that end with each prefix.
    """

    scheme: Scheme
    unknown: Counter[str] = field(default_factory=Counter)
    broken: Counter[_Pair] = field(default_factory=Counter)
    begin: Counter[str] = field(default_factory=Counter)
    end: Counter[str] = field(default_factory=Counter)


def _read(scheme: Scheme, pairs: Counter[_Pair], counts: Counter[str]) -> _Reading:
    """Read pairs of neighbouring tags with a scheme."""
    reading = _Reading(scheme)
    for tag, count in counts.items():
        try:
            scheme.state(tag)
        except UnknownTagError:
            reading.unknown[tag] = count
    if reading.unknown:
        return reading
    for (before, tag), count in pairs.items():
        state = scheme.state(before)
        after, event = state[tag]
        if event & CLOSES:
            reading.end[state.prefix] += count
        if event & OPENS:
            reading.begin[after.prefix] += count
        if event & BREAKS:
            reading.broken[before, tag] += count
    return reading


def _boundaries(reading: _Reading, counts: Counter[str]) -> str:
    """The evidence for a scheme: how the entities begin and end, counted by prefix."""
    scheme, begin, end = reading.scheme, reading.begin, reading.end
    first, inside, last, single = scheme.first, scheme.inside, scheme.last, scheme.single
    if scheme.bare_labels:
        labels = ", ".join(tag for tag, _ in counts.most_common(3)) + (", ..." if len(counts) > 3 else "")
        return f"{counted(counts.total(), 'tag is a label', 'tags are labels')} without a prefix ({labels})"
    if inside not in (first, last):  # both sides of every entity are marked
        longer = counted(end[last], "entity runs", "entities run")
        alone = f"a lone {single}-, there is no S-" if single == first else f"{single}-"
        return f"{longer} from {first}- to {last}-, {counted(end[single], 'is', 'are')} {alone}"
    side, verb, position = (end, "end", "before")
    if inside == last and not scheme.before_same:
        side, verb, position = (begin, "begin", "after")
    one, more = f"entity {verb}s", f"entities {verb}"
    if mark := scheme.after_same or scheme.before_same:  # IOB1, IOE1: a mark between spans of one label
        marked = f"{side[mark]:,} {mark}- only {position} a span of the same label"
        return f"{counted(side[inside], one, more)} with {inside}-, {marked if side[mark] else f'there is no {mark}-'}"
    some = "all " if side.total() > 1 else ""  # IOB2, IOE2: a mark on every entity
    if side[single] < side.total():
        some = f"{side[single]:,} of "
    return f"{some}{counted(side.total(), one, more)} with {single}-"
