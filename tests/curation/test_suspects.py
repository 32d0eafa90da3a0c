"""Annotations that models trained on the other sentences doubt."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st

from ner_lstm_crf.config import Config
from ner_lstm_crf.curation.suspects import find_suspects, fold_of, suspects_by
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.runs.data import Data
from ner_lstm_crf.tagging.tagger import Tagger
from ner_lstm_crf.text.annotation import Sentence, Span
from tests.trained import trained_model

Make = Callable[..., list[Sentence]]


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 60)), min_size=9, max_size=60), st.integers(2, 4))
def test_equal_sentences_and_those_of_one_document_share_a_fold(pairs, folds) -> None:
    words = [Sentence.from_words([f"w{word}"]) for word, _ in pairs]
    groups = [word for word, _ in pairs]
    if len({document for _, document in pairs}) >= 10 * folds:
        groups = [document for _, document in pairs]
    sentences = [replace(one, document=document) for one, (_, document) in zip(words, pairs, strict=True)]
    if len(set(groups)) < folds:
        with pytest.raises(InputError, match=f"at least {folds} different sentences"):
            fold_of(sentences, folds)
        return
    found, of_group = fold_of(sentences, folds), defaultdict(set)
    for group, fold in zip(groups, found.tolist(), strict=True):
        of_group[group].add(fold)
    assert all(len(one) == 1 for one in of_group.values())
    sizes = np.bincount([next(iter(one)) for one in of_group.values()], minlength=folds)
    assert sizes.max() - sizes.min() <= 1  # as many groups in each
    assert found.tolist() == fold_of(sentences, folds).tolist()


@pytest.mark.slow
def test_mistakes_that_were_made_on_purpose_come_first(make_sentences: Make, tiny: Config) -> None:
    sentences, draw = make_sentences(240), random.Random(1)
    # In a twentieth of the entities the label is another, the end is wrong, or the entity is gone.
    spoilt = draw.sample([(number, span) for number, one in enumerate(sentences) for span in one.spans], 24)
    mistakes = set()
    for at, (number, span) in enumerate(spoilt):
        spans = [one for one in sentences[number].spans if one != span]
        wrong = span._replace(label="LOC" if span.label == "PER" else "PER")
        if at % 3:
            spans = sorted([*spans, wrong])
        mistakes.add((number, wrong if at % 3 else span))
        sentences[number] = sentences[number].with_spans(spans)
    config = replace(tiny, training=replace(tiny.training, epochs=8))
    suspects = find_suspects(Data(sentences, vectors=None), config, folds=3)
    assert [one.suspicion for one in suspects] == sorted((one.suspicion for one in suspects), reverse=True)
    first = {(one.sentence, one.span) for one in suspects[: 2 * len(mistakes)]}
    assert len(mistakes & first) >= 0.6 * len(mistakes)
    annotated = [(one.sentence, one.span) for one in suspects if one.kind == "annotated"]
    assert sorted(annotated) == [(number, span) for number, one in enumerate(sentences) for span in one.spans]


def test_suspicion_is_what_the_model_leaves_of_the_probability(make_sentences: Make, tiny: Config) -> None:
    tagger = Tagger(trained_model(make_sentences(80), tiny, 6))
    (right, *_) = make_sentences(1, seed=9)
    wrong = right.with_spans([Span(0, 1, "GOD"), *right.spans[2:]])  # a label that the model does not know
    for number, sentence in enumerate((right, wrong)):
        (analysis,) = tagger.analyze(sentence)
        found = {(one.kind, one.span): one for one in suspects_by(tagger, [Sentence(())] * number + [sentence])}
        for span in sentence.spans:
            expected = 0.0 if span.label == "GOD" else analysis.probability(span)
            assert found["annotated", span].suspicion == pytest.approx(1 - expected)
            assert found["annotated", span].sentence == number
        covered = {token for start, end, _ in sentence.spans for token in range(start, end)}
        free = [span for span in analysis.spans if covered.isdisjoint(range(span.start, span.end))]
        assert sorted(span for kind, span in found if kind == "missing") == free
        for span in free:
            assert found["missing", span].suspicion == pytest.approx(analysis.probability(span))


def test_too_few_folds_are_refused(make_sentences: Make, tiny: Config) -> None:
    with pytest.raises(InputError, match="at least 2 folds, got 1"):
        find_suspects(Data(make_sentences(9)), tiny, folds=1)
