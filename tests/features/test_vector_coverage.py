"""The share of a text that the vectors know: each word is counted once, under the best spelling that has a vector."""

from __future__ import annotations

from hypothesis import given, strategies as st

from ner_lstm_crf.features.vectors import Coverage, coverage
from ner_lstm_crf.features.vocabulary import spellings


def test_coverage_counts_each_word_once_under_its_best_spelling() -> None:
    found = coverage({"Rome", "rome", "in", "0000", "b0"}, {"Rome": 2, "IN": 3, "1998": 4, "B2": 1, "Oslo": 5})
    assert found == Coverage(
        types={"surface": 1, "lower": 1, "digits": 2, "missing": 1},
        tokens={"surface": 2, "lower": 3, "digits": 5, "missing": 5},
    )
    assert found.share("lower") == 0.2
    assert found.share("lower", of="types") == 0.2
    assert str(found) == (
        "vectors know 66.7% of 15 tokens (surface 13.3%, lower 20.0%, digits 33.3%, missing 33.3%), "
        "80.0% of 5 word types"
    )
    assert coverage(set(), {}).share("missing") == 0


@given(st.sets(st.text("aA1", max_size=3)), st.dictionaries(st.text("aA12", min_size=1, max_size=3), st.integers(1, 9)))
def test_coverage_agrees_with_spellings(known: set[str], counts: dict[str, int]) -> None:
    found = coverage(known, counts)
    assert sum(found.types.values()) == len(counts)
    assert sum(found.tokens.values()) == sum(counts.values())
    assert found.types["missing"] == sum(not known & set(spellings(form)) for form in counts)
    assert found.types["surface"] == len(known & set(counts))
