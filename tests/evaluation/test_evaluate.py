"""Two annotations of the same tokens are scored; anything else is named with file and line."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.evaluation.evaluate import score_sentences
from ner_lstm_crf.evaluation.metrics import Score
from ner_lstm_crf.text.annotation import Sentence, Span


def sentence(text: str, *spans: Span, line: int | None = None) -> Sentence:
    return replace(Sentence.from_words(text.split(), spans), line=line)


GOLD = [
    sentence("Mara Lind left Oslo .", Span(0, 2, "PER"), Span(3, 4, "LOC"), line=1),
    sentence("She returned .", line=7),
]


def score(predicted):
    return score_sentences(GOLD, predicted, gold_path="gold.conll", predicted_path="pred.conll")


def test_the_spans_are_compared():
    found = [GOLD[0].with_spans([Span(0, 1, "PER"), Span(3, 4, "LOC")]), GOLD[1]]
    evaluation = score_sentences(iter(GOLD), iter(found), ill_formed_lines=[2])
    assert evaluation.micro == Score(1, 2, 2)
    assert evaluation.ill_formed == 1


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (
            sentence("She went .", line=8),
            "pred.conll:8: expected the tokens of gold.conll:7, "
            "found 'went' instead of 'returned' (token 2 of the sentence)",
        ),
        (sentence("She returned", line=8), "pred.conll:8: expected the tokens of gold.conll:7, found 2 instead of 3"),
        (sentence("She returned", line=None), "pred.conll: expected the tokens of gold.conll:7, found 2 instead of 3"),
    ],
)
def test_other_tokens(second, message):
    with pytest.raises(InputError) as caught:
        score([GOLD[0], second])
    assert str(caught.value) == message


def test_a_sentence_too_few_or_too_many():
    with pytest.raises(InputError, match=r"^gold.conll:7: sentence 2 has no counterpart in pred.conll$"):
        score(GOLD[:1])
    with pytest.raises(InputError, match=r"^pred.conll:11: sentence 3 has no counterpart in gold.conll$"):
        score([*GOLD, sentence("Then ?", line=11)])


def test_ill_formed_lines_count_for_the_sentence_they_are_in():
    for lines, counts in (([2, 9, 7], (2, 3)), ([6, 1, 2], (1, 3)), ([], (0, 0))):
        evaluation = score_sentences(GOLD, GOLD, ill_formed_lines=lines)
        assert (evaluation.ill_formed, evaluation.ill_formed_tags) == counts
    with pytest.raises(ValueError, match="expected lines from 1, where the first sentence begins, got 0"):
        score_sentences(GOLD, GOLD, ill_formed_lines=[0])
    with pytest.raises(ValueError, match="expected sentences that know their lines"):
        score_sentences(GOLD, [GOLD[0], sentence("She returned .")], ill_formed_lines=[2])
