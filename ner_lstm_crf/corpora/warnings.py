"""Warnings about data: what will go wrong in training on them, found in their statistics before an epoch is spent."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from ner_lstm_crf.corpora.statistics import LONG, FileStatistics, Overlap
from ner_lstm_crf.errors import counted
from ner_lstm_crf.tags.notation import OTHER_NOTATIONS, STANDARD, has_family, is_label
from ner_lstm_crf.tags.scheme import SCHEMES

VERY_LONG = 2000
"""Sentences of more tokens than this are read in windows."""

FEW = 5
"""Labels with fewer entities than this are hardly learnt."""

_LONG_ALONE = 200  # tokens of the only sentence of a file: more is a file without blank lines
_NEARLY_ALL = 0.5  # of the tokens in entities of one label: in no corpus of names
_MOST_FAMILIES = 3
_LEAK, _LEAST_SHARED = 0.02, 3  # share and number of the sentences that are in another file too


def file_warnings(statistics: FileStatistics, *, trains: bool = True) -> Iterator[str]:
    """The warnings about one file or part, without its name.

    Args:
        statistics: Its counts.
        trains: True if a model is to learn from it, so that rare labels matter.
    """
    # 1. Sentences.
    very_long = {length: count for length, count in statistics.lengths.items() if length > VERY_LONG}
    cause = "are blank lines between sentences missing, or are they numbered in a column?"
    if statistics.layout is None:
        cause = "is each sentence or text on a line of its own?"
    if very_long:
        count, longest = counted(sum(very_long.values()), "sentence"), max(very_long)
        yield f"{count} of more than {VERY_LONG:,} tokens, up to {longest:,}, read in windows: {cause}"
    elif statistics.sentences == 1 and statistics.tokens > _LONG_ALONE:
        yield f"all {statistics.tokens:,} tokens are one sentence: {cause}"
    # 2. Entities.
    inside = statistics.tokens_per_label.total()
    if not statistics.per_label:
        yield "no entities"
    elif inside == statistics.tokens and statistics.tokens > 1:
        yield "every token is in an entity, none is O: is a label such as OTHER to be O (--rename OTHER=O)?"
    else:
        label, tokens = statistics.tokens_per_label.most_common(1)[0]
        if tokens > _NEARLY_ALL * statistics.tokens:
            share = f"{tokens / statistics.tokens:.0%} of the tokens are in entities labelled {label}"
            yield f"{share}: if it stands for O, --rename {label}=O"
    # 3. Labels.
    yield from islice(_families(statistics), _MOST_FAMILIES)
    if trains and (rare := sorted(label for label, count in statistics.per_label.items() if count < FEW)):
        shown = ", ".join(f"{label} {statistics.per_label[label]}" for label in rare[:10])
        more = f" and {len(rare) - 10} more" if len(rare) > 10 else ""
        yield f"labels of fewer than {FEW} entities, too few to learn from: {shown}{more}"


def _families(statistics: FileStatistics) -> Iterator[str]:
    """Labels that are spellings of one, and labels that are tags."""
    spellings: dict[str, list[str]] = {}
    for label, _ in statistics.per_label.most_common():
        spellings.setdefault("".join(label.split()).casefold(), []).append(label)
    for usual, *others in spellings.values():
        for other in others:
            hint = f": --rename {other}={usual}" if is_label(other) and is_label(usual) else ""
            yield f"the labels {usual!r} and {other!r} differ by case or spaces alone{hint}"
    for style in (STANDARD, *OTHER_NOTATIONS):
        tags = [label for label in statistics.per_label if style.separators and style.read(label) is not None]
        if has_family(style, tags):
            shown = ", ".join(sorted(tags)[:4])
            yield f"the labels are tags ({shown}): each part of an entity is an entity of its own"


def pair_warnings(first: FileStatistics, second: FileStatistics) -> Iterator[str]:
    """The warnings about training on one of two files and measuring on the other, with their names."""
    # 1. Sentences in both, as a share of the file that has more of them.
    shares = []
    for one, other in ((first, second), (second, first)):
        long_sentences = sum(count for (_, is_long), count in other.hashes.items() if is_long)
        shared = Overlap.of(one, other).long_sentences
        shares.append((shared / max(long_sentences, 1), shared, long_sentences, other, one))
    share, shared, of, inner, outer = max(shares, key=lambda entry: entry[0])
    if share >= _LEAK and shared >= _LEAST_SHARED:
        yield (
            f"{shared:,} of {of:,} sentences ({share:.0%}) of more than {LONG} tokens in {inner.path} are in "
            f"{outer.path}: a model is measured on what it was trained on"
        )
    # 2. Schemes that were detected and are not the same, though one has the prefixes of the other.
    if first.scheme and second.scheme and first.scheme != second.scheme and first.per_label and second.per_label:
        schemes = [scheme for name, scheme in SCHEMES.items() if name in (first.scheme, second.scheme)]
        fuller = max(schemes, key=lambda scheme: len(scheme.prefixes))
        if all({*scheme.prefixes} <= {*fuller.prefixes} for scheme in schemes):
            yield (
                f"the tags of {first.path} are {first.scheme}, those of {second.path} {second.scheme}: if all are "
                f"{fuller.name}, --scheme {fuller.name}"
            )
