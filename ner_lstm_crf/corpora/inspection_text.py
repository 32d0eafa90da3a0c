"""An inspection as text for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

from ner_lstm_crf.corpora.inspect import LONG, FileFacts, Inspection, Overlap
from ner_lstm_crf.formats.report import counted, some_lines

__all__ = ["describe"]

_EDGES = (0, 1, 5, 10, 20, 40, 80, 160, 320)
_BAR = 40  # characters of the longest bar


def describe(inspection: Inspection) -> str:
    """The findings, file by file, then what the files share."""
    parts = ["\n".join([facts.path, *_file(facts)]) for facts in inspection.files]
    if inspection.overlap:
        parts.append(
            "\n".join(["overlap", *(line for pair in inspection.overlap for line in _overlap(pair, inspection))])
        )
    return "\n\n".join(parts)


def _file(facts: FileFacts) -> Iterator[str]:
    yield _row("columns", _columns(facts))
    yield _row("scheme", facts.evidence or ("none: there are no tags" if facts.format == "conll" else "none"))
    sizes = ((facts.documents, "document"), (facts.sentences, "sentence"), (facts.tokens, "token"))
    yield _row("size", ", ".join(counted(count, name) for count, name in sizes))
    labels = ", ".join(f"{label} {count:,}" for label, count in facts.per_label.items())
    yield _row("entities", f"{facts.entities:,}: {labels}" if labels else "none")
    yield _row("ill-formed", _places(facts.ill_formed, facts.ill_formed_lines))
    if facts.format == "conll":
        yield _row("ragged", _places(facts.ragged, facts.ragged_lines) + _widths(facts))
    stand = "sentence stands" if facts.duplicates == 1 else "sentences stand"
    yield _row("duplicates", f"{facts.duplicates:,} {stand} in the file before" if facts.duplicates else "none")
    for name, lines, meaning in (
        ("cut words", facts.cut, "lines where an entity begins or ends within a word"),
        ("dropped", facts.dropped, "entities that longer ones overlap"),
        ("unannotated", facts.unannotated, "records that say nothing about entities"),
    ):
        if lines:
            yield _row(name, f"{len(lines):,} {meaning}: lines {some_lines(lines)}")
    yield from _lengths(facts)


def _columns(facts: FileFacts) -> str:
    if facts.columns is None:
        forms = {"tokens": "JSON lines of tokens and tags", "jsonl": "JSON lines of texts", "inline": "inline marks"}
        return f"none: {forms[facts.format]}"
    tag = "no tag" if facts.tag_column is None else f"tag {facts.tag_column}"
    if facts.other_tag_columns:
        tag += f" (not read: the tags of {', '.join(map(str, facts.other_tag_columns))})"
    places = " (a character and its place in the word, which is left out)" if facts.placed else ""
    if facts.language:
        places = f" (behind '{facts.language}', which is left out)"
    return f"token {facts.token_column}{places}, {tag}, of {facts.columns}, separated by {facts.separator}s"


def _widths(facts: FileFacts) -> str:
    rows = ", ".join(f"{counted(count, 'row')} of {width}" for width, count in facts.column_counts.items())
    return f" ({rows})" if facts.ragged else ""


def _places(count: int, lines: tuple[int, ...]) -> str:
    return f"{count:,}: lines {some_lines(lines)}" if count else "none"


def _lengths(facts: FileFacts) -> Iterator[str]:
    lengths = facts.lengths
    yield _row(
        "length",
        f"{lengths.shortest:,} to {lengths.longest:,} tokens, mean {lengths.mean:.1f}, "
        f"half up to {lengths.median:,}, 95% up to {lengths.most:,}",
    )
    bins = _bins(lengths.counts)
    widest = max(bins.values())
    for name, count in bins.items():
        yield _row("", f"{name:>9}  {count:>9,}  {'#' * round(_BAR * count / widest)}".rstrip())


def _bins(counts: Mapping[int, int]) -> dict[str, int]:
    """The number of sentences by ranges of length."""
    bins = {"0": counts[0]} if 0 in counts else {}
    for low, high in pairwise((*_EDGES, max(*counts, _EDGES[-1] + 1))):
        name = f"{low + 1}-{high}" if high > low + 1 else str(high)
        bins[name] = sum(count for length, count in counts.items() if low < length <= high)
    last = max((index for index, count in enumerate(bins.values()) if count), default=0)
    return dict(list(bins.items())[: last + 1])


def _overlap(pair: Overlap, inspection: Inspection) -> Iterator[str]:
    facts = next(facts for facts in inspection.files if facts.path == pair.second)
    share = pair.sentences / facts.sentences
    yield f"  of {pair.second} in {pair.first}"
    yield _row(
        "sentences",
        f"{pair.sentences:,} of {facts.sentences:,} ({share:.1%}), "
        f"{pair.long_sentences:,} of them of more than {LONG} tokens",
    )
    if facts.entities:
        yield _row("entities", f"{pair.entities:,} of {facts.entities:,} ({pair.entities / facts.entities:.1%})")
    if pair.new_labels:
        yield _row("new labels", f"{', '.join(pair.new_labels)}: they are not in {pair.first}")


def _row(name: str, text: str) -> str:
    return f"  {name:<11} {text}"
