"""Tags are read wherever their prefix stands, and never as something that they are not."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from ner_lstm_crf.tags.detect import NoSchemeError, detect_scheme
from ner_lstm_crf.tags.notation import (
    OTHER_NOTATIONS,
    STANDARD,
    Notation,
    has_family,
    is_label,
    notations_of,
    tags_within,
)
from ner_lstm_crf.tags.scheme import SCHEMES, split_tag
from ner_lstm_crf.text.annotation import Span

NOTATIONS = (STANDARD, *OTHER_NOTATIONS)
EVERY_NOTATION = pytest.mark.parametrize("notation", NOTATIONS, ids=str)


def written(tag: str, notation: Notation, outside: str) -> str:
    """A tag of the standard notation in another one."""
    prefix, label = split_tag(tag)
    if not label:
        return outside
    if notation.words:
        prefix = {"B": "BEGIN", "I": "Inside", "M": "middle", "E": "end", "L": "LAST", "S": "Single", "U": "unit"}[
            prefix
        ]
    prefix = prefix.lower() if notation.small else prefix
    mark = notation.separators[:1]
    return f"{label}{mark}{prefix}" if notation.prefix_last else f"{prefix}{mark}{label}"


@EVERY_NOTATION
@given(
    lengths=st.lists(st.tuples(st.integers(1, 3), st.sampled_from(["PER", "place", "creative-work"])), max_size=8),
    name=st.sampled_from(["IOB2", "BIOES", "BIEO", "BMES", "BILOU", "IOE2"]),
    outside=st.sampled_from(["O", "-", "", "0", "OTHER", "none"]),
)
def test_every_notation_gives_the_same_spans_as_the_standard_notation(notation, lengths, name, outside):
    scheme, spans, end = SCHEMES[name], [], 1
    for length, label in [(1, "PER"), (3, "PER"), *lengths]:
        spans.append(Span(end, end + length, label))
        end += length + 1
    standard = scheme.encode(spans, end)
    tags = [written(tag, notation, outside) for tag in standard]
    detection = detect_scheme([tags])
    assert detection.scheme == detect_scheme([standard]).scheme
    assert [detection.notation.read(tag) for tag in tags] == standard


@EVERY_NOTATION
def test_a_notation_that_no_label_proves_is_not_chosen_by_itself(notation):
    tags = [written(tag, notation, "O") for tag in ("B-PER", "B-LOC", "O")]
    if notation == STANDARD:
        assert detect_scheme([tags]).scheme == "IOB2"
    elif notation.separators:
        with pytest.raises(NoSchemeError, match="--scheme IO") as caught:
            detect_scheme([tags])
        assert caught.value.is_ambiguous
        assert detect_scheme([tags], labels=[tags[0]]).scheme == "IO"
    else:
        assert detect_scheme([tags]).scheme == "IO"
    assert detect_scheme([tags], SCHEMES["IOB2"]).notation.read(tags[0]) == "B-PER"


@given(st.lists(st.text("BIEO-_.PERx", max_size=6)))
def test_a_notation_fits_only_if_it_reads_every_tag(tags):
    for notation in notations_of(tags):
        assert all(notation.read(tag) is not None for tag in tags)
        pairs = [split_tag(notation.read(tag)) for tag in tags if notation.read(tag) != "O"]
        assert has_family(notation, tags) == any(
            one[1] == two[1] and one[0] != two[0] for one in pairs for two in pairs
        )


def test_names_are_labels_and_others_are_not():
    assert all(map(is_label, ["PER", "creative-work", "PER.NOM", "组织", "R&D"]))
    assert not any(map(is_label, ["", "0", "-", "two words", ".", "1st"]))


def test_one_tag_stays_one():
    for cell in ("O", "B-PER", "PER", "B-R&D", "and/or", "B-creative work", "", "|", "O|", "B-DNA/RNA-I", "A/B"):
        assert tags_within(cell) == [cell]
    assert tags_within("PER-B|LOC-B") == ["PER-B", "LOC-B"]
    assert tags_within("O+O") == ["O", "O"]
