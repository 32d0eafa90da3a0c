"""The sentences of a pool that a model is least sure of."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ner_lstm_crf.config import Config
from ner_lstm_crf.curation.selection import CRITERIA, select, worth
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.tagging.tagger import Tagger
from ner_lstm_crf.text.annotation import Sentence, Span
from tests.trained import trained_model

Make = Callable[..., list[Sentence]]


@pytest.fixture(scope="module")
def tagger(make_sentences: Make, tiny: Config) -> Tagger:
    return Tagger(trained_model(make_sentences(80), tiny, 6))


@pytest.fixture(scope="module")
def pool(make_sentences: Make) -> list[Sentence]:
    """Sentences like those that were learnt, some twice, one empty, and one that is like none."""
    known = make_sentences(30, seed=5)
    strange = Sentence.from_words("Zw Qq , Xx Boris ! Oslo met Quist in in Kk".split())  # noqa: SIM905
    return [*known, known[3], Sentence(()), strange]


@pytest.mark.parametrize("by", [one for one in CRITERIA if one != "random"])
@pytest.mark.parametrize("per_token", [False, True])
def test_the_highest_values_are_chosen_in_order_and_no_sentence_twice(tagger, pool, by, per_token) -> None:
    values = {}
    for number, sentence in enumerate(pool):
        if sentence.tokens and sentence.words not in [pool[other].words for other in values]:
            (analysis,) = tagger.analyze(sentence)
            values[number] = worth(analysis, by) / (len(sentence.tokens) if per_token else 1)
    expected = sorted(values, key=lambda number: (-values[number], number))[:7]
    chosen = select(tagger, pool, 7, by=by, per_token=per_token)
    assert [choice.number for choice in chosen] == expected
    assert [choice.value for choice in chosen] == pytest.approx([values[number] for number in expected])
    assert len(select(tagger, pool, 1000, by=by)) == len(values)


def test_each_criterion_is_what_it_says(tagger, pool) -> None:
    for sentence in pool[:5] + pool[-1:]:
        (analysis,) = tagger.analyze(sentence)
        readings = analysis.alternatives(2)
        assert worth(analysis, "entropy") == analysis.entropy
        assert worth(analysis, "margin") == pytest.approx(1 - readings[0].probability + readings[1].probability)
        # The expected number of entities that the best reading has and the true one lacks, and of those it lacks.
        probable = {one.span: one.probability for one in analysis.probable_spans(0.01)}
        wrong = sum(1 - analysis.probability(span) for span in analysis.spans)
        missed = sum(probability for span, probability in probable.items() if span not in analysis.spans)
        assert worth(analysis, "errors") == pytest.approx(wrong + missed, abs=1e-6)


def test_a_sentence_unlike_all_others_comes_first_with_what_the_model_finds(tagger, pool) -> None:
    best = select(tagger, pool, 1)[0]
    assert best.number == len(pool) - 1
    (analysis,) = tagger.analyze(pool[-1])
    assert best.sentence.spans == analysis.spans
    assert best.sentence.scores == analysis.scores


def test_chance_depends_on_the_seed_alone(tagger, pool) -> None:
    first, again, other = (
        [one.number for one in select(tagger, pool, 9, by="random", seed=seed)] for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_what_is_wrong_is_refused(tagger, pool) -> None:
    with pytest.raises(
        InputError, match=r"expected one of entropy, margin, errors, random, got 'entropie'.*did you mean"
    ):
        select(tagger, pool, 1, by="entropie")
    with pytest.raises(ValueError, match="count of 1 or more, got 0"):
        select(tagger, pool, 0)
    with pytest.raises(TypeError, match="expected a Sentence as item 2"):
        select(tagger, [pool[0], "text"], 1)
    assert select(tagger, [Sentence.from_words(["a"], [Span(0, 1, "PER")])], 3)[0].number == 0
