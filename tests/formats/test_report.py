"""Every count of a report is that of an independent count over the same file."""

from __future__ import annotations

import json
import re
from collections import Counter

from hypothesis import given, settings, strategies as st

from ner_lstm_crf.formats.options import ReadOptions, ReadReport
from ner_lstm_crf.formats.registry import read_sentences
from ner_lstm_crf.tags.labels import LabelMap

WORDS = st.sampled_from(["Ada", "Green", "met", "us", "in", "Oslo", "."])
LABELS = ("PER", "LOC")


@st.composite
def rows(draw) -> list[tuple[str, str]]:
    """One sentence with any IOB2 tags, ill-formed ones included."""
    tags = st.sampled_from(["O", "O", *(f"{prefix}-{label}" for prefix in "BI" for label in LABELS)])
    return draw(st.lists(st.tuples(WORDS, tags), min_size=1, max_size=7))


def entities_in(sentence: list[tuple[str, str]]) -> list[str]:
    """The labels of the entities by the rule of conlleval, written as a pattern over the tags of a sentence."""
    text = " ".join(tag for _, tag in sentence)
    return [match[1] for match in re.finditer(r"(?:B|I)-(\w+)(?: I-\1(?!\w))*", text)]


@given(st.lists(rows(), min_size=1, max_size=6), st.integers(0, 3))
def test_the_counts_of_column_files(tmp_path_factory, sample, comments):
    sample.append([("Ada", "B-PER"), ("met", "O"), ("Oslo", "B-LOC"), ("Green", "I-LOC")])  # tells the scheme
    path = tmp_path_factory.mktemp("report") / "x.conll"
    blocks = ["".join(f"{word}\t{tag}\n" for word, tag in sentence) for sentence in sample]
    path.write_text("# a comment without a tab\n" * comments + "\n".join(blocks))
    report = ReadReport()
    sentences = read_sentences(path, ReadOptions(scheme="IOB2"), report=report)
    expected = Counter(label for sentence in sample for label in entities_in(sentence))
    assert (report.sentences, len(sentences)) == (len(sample), len(sample))
    assert report.tokens == sum(map(len, sample))
    assert report.labels == expected == Counter(span.label for one in sentences for span in one.spans)
    assert report.comments == comments
    lines = path.read_text().splitlines()
    broken = [
        number
        for number, (before, line) in enumerate(zip(["", *lines], lines, strict=False), 1)
        if (tag := line.rpartition("\t")[2]).startswith("I-") and before.rpartition("\t")[2][1:] != tag[1:]
    ]
    assert report.ill_formed == broken
    # What the options leave out is missing from the sentences, not from the report.
    kept = ReadReport()
    fewer = read_sentences(path, ReadOptions(scheme="IOB2", labels=LabelMap.parse("PER")), report=kept)
    assert kept.labels == expected
    assert sum(len(one.spans) for one in fewer) == expected["PER"]


TEXT = "Ada Green met Blueco in Oslo."
INNER = {at for at in range(1, len(TEXT)) if TEXT[at - 1].isalnum() and TEXT[at].isalnum()}
"""The positions within a word."""


@st.composite
def marks(draw) -> list[list[object]]:
    """Entities of the text by their offsets, some of which overlap or end within a word."""
    found = draw(st.lists(st.tuples(st.integers(0, 28), st.integers(1, 8), st.sampled_from(LABELS)), max_size=5))
    pieces = [[start, min(start + size, len(TEXT)), label] for start, size, label in found]
    pieces = [[start, end, label] for start, end, label in pieces if TEXT[start:end].strip() == TEXT[start:end] != ""]
    return [mark for number, mark in enumerate(pieces) if mark not in pieces[:number]]


@settings(deadline=None)
@given(st.lists(marks(), min_size=1, max_size=5))
def test_the_counts_of_texts(tmp_path_factory, sample):
    path = tmp_path_factory.mktemp("report") / "x.jsonl"
    path.write_text("".join(json.dumps({"text": TEXT, "entities": entities}) + "\n" for entities in sample))
    report = ReadReport()
    sentences = read_sentences(path, report=report)
    kept, dropped, cut = Counter[str](), Counter[int](), Counter[int]()
    for number, entities in enumerate(sample, 1):
        taken = set[int]()
        for start, end, label in sorted(entities, key=lambda one: (one[0] - one[1], one[0])):  # the longest first
            if taken.isdisjoint(range(start, end)):
                taken.update(range(start, end))
                kept[label] += 1
                cut[number] += bool({start, end} & INNER)
            else:
                dropped[number] += 1
    assert Counter(report.dropped) == +dropped
    assert Counter(span.label for one in sentences for span in one.spans) == kept
    assert Counter(report.cut) == +cut
    assert report.documents == len(sample)
    assert (report.sentences, report.tokens) == (len(sentences), sum(len(one.tokens) for one in sentences))
