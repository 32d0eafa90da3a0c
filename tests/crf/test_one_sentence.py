"""One sentence at a time gives what the functions for many give, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from ner_lstm_crf import crf, kernels
from ner_lstm_crf.crf import OneSentence, ScoreTables
from ner_lstm_crf.tags.scheme import SCHEMES
from ner_lstm_crf.tags.tag_set import TagSet


def drawn(seed: int, dtype: type = np.float32) -> tuple[TagSet, ScoreTables, np.random.Generator]:
    """Tags and their score tables; every fifth time those of a model without a CRF."""
    random = np.random.default_rng(seed)
    tags = TagSet(SCHEMES["BIEO"], ["LOC", "ORG", "PER"][: 1 + seed % 3])
    count = len(tags)
    tables = [random.normal(size=shape).astype(dtype) for shape in ((count,), (count, count), (count,))]
    return tags, ScoreTables(*(table * (seed % 5 > 0) for table in tables)), random


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("kind", ["float32", "float64", "no kernels", "strides"])
def test_paths_and_probabilities_are_those_of_the_functions(
    seed: int, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "no kernels":
        monkeypatch.setattr(kernels, "available_for", lambda _: False)
    tags, tables, random = drawn(seed, np.float64 if kind == "float64" else np.float32)
    cooled = ScoreTables(*(table / np.float32(1.5) for table in tables))
    reading = tags.label_numbers(), tags.events()
    one_sentence = OneSentence(tables, cooled, *reading)
    for tokens in (1, 2, 9, 30):
        emissions = random.normal(size=(1, tokens, len(tags))).astype(tables.start.dtype)
        if kind == "strides":
            emissions = np.repeat(emissions, 2, axis=2)[..., ::2]
        lengths = np.array([tokens])
        expected = crf.viterbi(emissions, lengths, tables)[0]
        assert np.array_equal(one_sentence.best_path(emissions), expected)
        starts = random.integers(0, tokens, 5)
        ends = starts + 1 + (random.random(5) * (tokens - starts)).astype(int)
        spans = np.stack([np.zeros(5, int), starts, ends, random.integers(0, len(tags.labels), 5)], 1)
        probabilities = crf.span_probabilities(emissions, lengths, cooled, spans, *reading)
        assert np.array_equal(one_sentence.span_probabilities(emissions, spans), probabilities)


def test_a_span_beyond_the_sentence_is_refused() -> None:
    tags, tables, _ = drawn(1)
    one_sentence = OneSentence(tables, tables, tags.label_numbers(), tags.events())
    with pytest.raises(ValueError, match="expected spans"):
        one_sentence.span_probabilities(np.zeros((1, 3, len(tags)), np.float32), np.array([[0, 1, 4, 0]]))


def test_tables_that_do_not_fit_are_refused() -> None:
    tags, tables, _ = drawn(1)
    with pytest.raises(ValueError, match=r"expected labels of shape \(7,\)"):
        OneSentence(tables, tables, np.zeros(2, np.int64), tags.events())
