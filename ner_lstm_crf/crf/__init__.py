"""The mathematics of a linear-chain CRF, as functions of its scores, over arrays of numpy.

A path of tags y over a sentence of n tokens scores

    score(y) = start[y_1] + sum_t emissions[t, y_t] + sum_t transitions[y_t, y_(t+1)] + end[y_n]

and has probability exp(score(y)) / Z, where the partition Z sums over all K^n paths (Lafferty, McCallum and
Pereira 2001, Conditional random fields). Where all scores of `tables` are 0 it is a softmax at each token.

Every function takes, in this order, where B counts sentences, T tokens of the longest one, K tags:

    emissions    (B, T, K)  float; what lies beyond a sentence's length is never read, whatever it holds
    lengths      (B,)       int64, 1..T
    tables       the scores of the model, of the same type as emissions:
      start        (K,)       score of beginning with a tag
      transitions  (K, K)     score of a transition, [from, to]
      end          (K,)       score of ending with a tag

Scores must be finite: a forbidden transition has a score such as -1e4 (`FORBIDDEN`), never -inf.

    scores.py        ScoreTables, and scores at a temperature
    sums.py          sums over all paths: partition, marginals, expected counts, entropy
    best.py          the best path, and the k best
    spans.py         the probability of spans
    one_sentence.py  the best path and the probability of its spans, for one sentence after the other
    calls.py         checks of arguments, calls of compiled kernels, and what the portable paths share

Arrays of float32 and float64 go through compiled kernels (`kernels/crf_*.c`), which read them as they lie and visit no
padding. Where these were not compiled, plain numpy gives the same results, slower: loops over tokens in float64. The
tests hold the two paths against each other and against the sum over all paths. What training needs, likelihoods with
gradients, is in `model/crf.py`, over the same kernels.
"""

from __future__ import annotations

from ner_lstm_crf.crf.best import k_best as k_best, viterbi as viterbi
from ner_lstm_crf.crf.one_sentence import OneSentence as OneSentence
from ner_lstm_crf.crf.scores import FORBIDDEN as FORBIDDEN, ScoreTables as ScoreTables, at_temperature as at_temperature
from ner_lstm_crf.crf.spans import probable_spans as probable_spans, span_probabilities as span_probabilities
from ner_lstm_crf.crf.sums import (
    entropy as entropy,
    expected_counts as expected_counts,
    log_partition as log_partition,
    marginals as marginals,
)
