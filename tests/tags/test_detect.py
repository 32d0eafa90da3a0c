"""The scheme of a file is found, with its evidence, in clean, ambiguous, faulty and real files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.tags.detect import detect_scheme
from ner_lstm_crf.tags.scheme import SCHEMES
from ner_lstm_crf.text.annotation import Span
from tests.real_corpora import EVERY_FILE, Facts

EVERY = pytest.mark.parametrize("scheme", SCHEMES.values(), ids=list(SCHEMES))

# One token, two, three, touching spans of one label and of two.
VARIED = ((Span(0, 1, "X"), Span(1, 3, "X"), Span(3, 4, "Y"), Span(6, 9, "X")), 10)


def read(*lines: str):
    return detect_scheme(line.split() for line in lines)


@EVERY
def test_a_varied_file_is_recognised(scheme):
    detection = detect_scheme([scheme.encode(*VARIED)])
    assert detection.scheme == ("IOB1" if scheme.name == "IO" else scheme.name)
    assert detection.ill_formed == 0
    assert detection.evidence.startswith(f"{detection.scheme}: ")
    assert scheme.name in detection.candidates


@st.composite
def sentences(draw):
    sentences = []
    for shape in draw(st.lists(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3), st.sampled_from("XY"))))):
        spans, position = [], 0
        for gap, size, label in shape:
            spans.append(Span(position + gap, position + gap + size, label))
            position += gap + size
        sentences.append((spans, position + 1))
    return sentences


@EVERY
@given(sentences())
def test_the_detected_scheme_reads_the_same_spans(scheme, sample):
    tags = [scheme.encode(spans, length) for spans, length in sample]
    detection = detect_scheme(tags)
    assert scheme.name in detection.candidates
    assert detection.candidates[0] == detection.scheme
    assert detection.ill_formed == 0
    for name in detection.candidates:
        assert [SCHEMES[name].decode(s) for s in tags] == [scheme.decode(s) for s in tags]


@pytest.mark.parametrize(
    ("lines", "evidence"),
    [
        (["I-PER I-PER B-PER O I-LOC"], "IOB1: 2 entities begin with I-, 1 B- only after a span of the same label"),
        (
            ["I-PER I-PER O I-LOC"],
            "IOB1: 2 entities begin with I-, there is no B-; IOE1, IO would fit as well, with the same spans",
        ),
        (["I-X E-X I-X"], "IOE1: 1 entity ends with I-, 1 E- only before a span of the same label"),
        (["B-PER I-PER O B-LOC"], "IOB2: all 2 entities begin with B-"),
        (["B-PER O B-LOC"], "IOB2: all 2 entities begin with B-; BIEO would fit as well, with the same spans"),
        (["I-X E-X O E-X"], "IOE2: all 2 entities end with E-"),
        (["B-X E-X O B-X"], "BIEO: 1 entity runs from B- to E-, 1 is a lone B-, there is no S-"),
        (
            ["B-X I-X E-X"],
            "BIOES: 1 entity runs from B- to E-, 0 are S-; BIEO would fit as well, with the same spans",
        ),
        (["B-X I-X E-X S-X", "S-X"], "BIOES: 1 entity runs from B- to E-, 2 are S-"),
        (["B-X L-X U-X"], "BILOU: 1 entity runs from B- to L-, 1 is U-"),
        (["B-X M-X E-X S-X"], "BMES: 1 entity runs from B- to E-, 1 is S-"),
        (["B-X M-X E-X W-X"], "BMEWO: 1 entity runs from B- to E-, 1 is W-"),
        (["PER PER O person-actor"], "IO: 3 tags are labels without a prefix (PER, person-actor)"),
        (["B_X I_X", "B I"], "IOB2: all 2 entities begin with B-"),
        (["O O", ""], "IOB2: assumed, there is no entity that could tell"),
        ([], "IOB2: assumed, there is no entity that could tell"),
    ],
)
def test_evidence(lines, evidence):
    assert read(*lines).evidence == evidence


def test_a_few_slips_do_not_matter():
    good = ["B-PER I-PER O B-LOC O", "O B-ORG I-ORG I-ORG"] * 20
    detection = read(*good, "O I-LOC", "O I-LOC O", "B-LOC I-PER")
    assert detection.scheme == "IOB2"
    assert detection.ill_formed == 3
    assert detection.evidence == ("IOB2: 61 of 64 entities begin with B-; 3 ill-formed: O I-LOC (2), B-LOC I-PER (1)")


def test_large_numbers_are_grouped():
    assert "all 1,200 entities" in read(*["B-X I-X"] * 1200).evidence


@pytest.mark.parametrize(
    ("lines", "odd"),
    [
        (["B-X I-X O", "Q-X"], "'Q-X' (1 time), which does not fit IOB2"),
        (["B-X E-X S-X B-X E-X", "U-X U-X"], "'U-X' (2 times), which does not fit BIOES"),
        (["B-X PER"], "'PER' (1 time), which does not fit IOB2"),
    ],
)
def test_no_scheme_fits(lines, odd):
    with pytest.raises(InputError, match=re.escape(odd)):
        read(*lines)


def tags_of(path: Path):
    """The tag sequences of a corpus file, read the plainest way."""
    numbered = path.parent.name.startswith(("uner", "germeval"))
    sequences = [[]]
    for line in path.read_text(encoding="utf-8").split("\n"):
        if not line.strip():
            sequences.append([])
        elif not (line.startswith("-DOCSTART-") or (numbered and line.startswith("#"))):
            columns = line.split("\t") if "\t" in line else line.split(" ")
            sequences[-1].append(columns[2 if numbered else -1])
    return sequences


@pytest.mark.real
@EVERY_FILE
def test_real_corpora(facts: Facts, corpus_file: Callable[[str], Path]):
    sequences = tags_of(corpus_file(facts.name))
    detection = detect_scheme(sequences)
    assert detection.scheme == facts.scheme
    assert detection.ill_formed == facts.ill_formed
    decoded = [SCHEMES[detection.scheme].decode(tags) for tags in sequences]
    assert Counter(span.label for result in decoded for span in result.spans) == facts.labels
    as_iob2 = [SCHEMES["IOB2"].decode(tags) for tags in sequences]
    assert sum(len(result.ill_formed) for result in as_iob2) == facts.broken
    for result, tags in zip(decoded, sequences, strict=True):
        bieo = SCHEMES["BIEO"].encode(result.spans, len(tags))
        assert SCHEMES["BIEO"].decode(bieo, "error").spans == result.spans


def test_what_breaks_all_schemes_may_give_other_spans_in_each():
    detection = read("B-X E-X O", "I-Y O")
    assert detection.ill_formed == 2
    assert detection.candidates == ("BIOES", "BIEO")
    assert "would fit as well" in detection.evidence
    assert "same spans" not in detection.evidence
