"""The mathematics of a linear-chain CRF, as functions of the scores.

A path of tags y over a sentence of n tokens scores

    score(y) = start[y_1] + sum_t emissions[t, y_t] + sum_t transitions[y_t, y_(t+1)] + end[y_n]

and has probability exp(score(y)) / Z, where the partition Z sums over all K^n paths (Lafferty, McCallum and
Pereira 2001, Conditional random fields).

Every function takes, in this order, where B counts sentences, T tokens of the longest one, K tags:

    emissions    (B, T, K)  float; what lies beyond a sentence's length is never read, whatever it holds
    tags         (B, T)     int64, 0..K-1 within the sentence (only where a path is given)
    lengths      (B,)       int64, 1..T
    start        (K,)       score of beginning with a tag
    transitions  (K, K)     score of a transition, [from, to]
    end          (K,)       score of ending with a tag

Scores must be finite: a forbidden transition has a score such as -1e4, never -inf, so that gradients stay finite.

    sums.py   sums over all paths: partition, likelihood, marginals, entropy
    best.py   the best path, and the k best
    spans.py  the probability of spans
    calls.py  checks of arguments, calls of compiled kernels, and what the portable paths share

CPU tensors go through compiled kernels (`kernels/crf_*.c`), which read torch's memory as it is and visit no padding.
On other devices, and where the kernels were not compiled, plain torch gives the same results, slower: likelihood and
decoding of pytorch-crf (`torchcrf.CRF`), which is small and well tested, and for sums over single tokens, which it does
not offer, `log_marginals`. The tests hold the two paths against each other and against the sum over all paths.
"""

from __future__ import annotations

from ner_lstm_crf.model.crf.best import k_best as k_best, viterbi as viterbi
from ner_lstm_crf.model.crf.calls import token_mask as token_mask
from ner_lstm_crf.model.crf.spans import probable_spans as probable_spans, span_probabilities as span_probabilities
from ner_lstm_crf.model.crf.sums import (
    entropy as entropy,
    labelwise_log_likelihood as labelwise_log_likelihood,
    log_likelihood as log_likelihood,
    log_marginals as log_marginals,
    log_partition as log_partition,
    marginals as marginals,
)
