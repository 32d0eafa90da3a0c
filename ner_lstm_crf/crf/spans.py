"""The probability of spans under a CRF: of those that are given, and all spans that are probable (kernels/crf_spans.c).

A path of tags reads back as spans, by the rules of `tags.scheme`: between two neighbouring tags a span may end, and one
may begin (`events`); an `O` stands before and behind the sentence. The probability of the span [s, e) with label L is
the sum over all paths, well formed or not, that read back with exactly this span. Given the words, the tags of a
linear-chain CRF are a Markov chain, so the sum is a product of small matrices.
With q_t[i, j] = p(y_(t+1) = j | y_t = i),

    u_s[j]     = sum_i p(y_(s-1) = i) q_(s-1)[i, j]     over pairs where a span begins, j a tag of L
    u_(t+1)[j] = sum_i u_t[i] q_t[i, j]                 over pairs of tags of L where none ends
    p(span)    = sum_ij u_(e-1)[i] q_(e-1)[i, j]        over pairs where a span ends

The arguments that all functions here have besides those of the other functions of a CRF:

    labels  (K,)    int64: the number of each tag's label, 0..K-1; -1 for `O`, which is tag 0
    events  (K, K)  int64: CLOSES and OPENS, added, between two neighbouring tags [from, to]; row and column 0 are also
                    those before and behind the sentence
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ner_lstm_crf import kernels
from ner_lstm_crf.crf.calls import BAD_LABEL, BAD_SPAN, address, as_it_is_read, call_kernel, check, checked_mask
from ner_lstm_crf.crf.scores import Floats, Numbers, ScoreTables
from ner_lstm_crf.crf.sums import log_messages, softmax

CLOSES, OPENS = 1, 2
"""The events between two neighbouring tags, as in `tags.scheme`: a span ends before the second, one begins with it."""


def span_probabilities(
    emissions: Floats, lengths: Numbers, tables: ScoreTables, spans: Numbers, labels: Numbers, events: Numbers
) -> Floats:
    """Return the probability of each span (P,), that it is there with exactly these ends and this label.

    Each row of `spans`, int64 (P, 4), is sentence, start, end and label number of a span; they may come in any order.

    Raises:
        ValueError: A shape, type, length, label or span is not what is described.
    """
    check(emissions, lengths, tables, labels=labels, events=events)
    if spans.ndim != 2 or spans.shape[1] != 4 or spans.dtype != np.int64:
        raise ValueError(f"expected spans of shape (P, 4) and type int64, got {spans.shape} {spans.dtype}")
    if kernels.available_for(emissions):
        probabilities = np.empty(len(spans), emissions.dtype)
        given = [as_it_is_read(array) for array in (labels, events, spans)]
        addresses = [address(array) for array in given]
        more = *addresses, len(spans), address(probabilities)
        call_kernel("crf_span_probabilities", emissions, lengths, tables, *more)
        return probabilities
    return _portable_span_probabilities(emissions, lengths, tables, spans, labels, events)


@np.errstate(all="ignore")
def _portable_span_probabilities(
    emissions: Floats, lengths: Numbers, tables: ScoreTables, spans: Numbers, labels: Numbers, events: Numbers
) -> Floats:
    """`span_probabilities` in plain numpy, where a sum that is too large is no warning."""
    chain = _Chain.of(emissions, lengths, tables, labels, events)
    _check_spans(spans, lengths, len(labels))
    if not len(spans):
        return np.empty(0, emissions.dtype)
    sentence, first, stop, label = spans.T
    mass = chain.begin(sentence, first, label)
    for step in range(int((stop - first).max()) - 1):
        goes_on = first + step + 1 < stop
        mass = np.where(goes_on[:, None], chain.go_on(mass, sentence, first + step), mass)
    return chain.close(mass, sentence, stop - 1).astype(emissions.dtype)


@np.errstate(all="ignore")
def probable_spans(
    emissions: Floats, lengths: Numbers, tables: ScoreTables, labels: Numbers, events: Numbers, least: float
) -> tuple[Numbers, Floats]:
    """Return every span whose probability is at least `least`, above 0 and at most 1: spans (P, 4), probabilities (P,).

    Each row is sentence, start, end and label number of a span, int64; they are sorted. Spans that begin at one place
    exclude each other, so there are at most 1 / `least` of them.

    Raises:
        ValueError: A shape, type, length or label is not what is described, or `least` is out of range.
    """
    check(emissions, lengths, tables, labels=labels, events=events)
    if not 0 < least <= 1:
        raise ValueError(f"expected a least probability above 0 and at most 1, got {least}")
    if kernels.available_for(emissions):
        return _sorted(*_compiled_probable_spans(emissions, lengths, tables, labels, events, least))
    chain = _Chain.of(emissions, lengths, tables, labels, events)
    found, probabilities = [np.empty((0, 4), np.int64)], [np.empty(0)]
    # 1. Every place where a span may begin, with every label.
    places, known = np.argwhere(checked_mask(emissions, lengths)), np.unique(labels[labels >= 0])
    sentence, first = places.repeat(len(known), 0).T
    label = np.tile(known, len(places))
    mass, last = chain.begin(sentence, first, label), first
    while True:
        # 2. Follow those that begin here and still go on, as long as that is probable enough.
        probable = mass.sum(1) >= least
        sentence, first, label, last, mass = (x[probable] for x in (sentence, first, label, last, mass))
        if not len(mass):
            break
        # 3. Those that end here.
        ends = chain.close(mass, sentence, last)
        chosen = ends >= least
        found.append(np.stack([sentence, first, last + 1, label], 1)[chosen])
        probabilities.append(ends[chosen])
        inside = last + 1 < lengths[sentence]
        sentence, first, label, last, mass = (x[inside] for x in (sentence, first, label, last, mass))
        mass, last = chain.go_on(mass, sentence, last), last + 1
    return _sorted(np.concatenate(found), np.concatenate(probabilities).astype(emissions.dtype))


def _compiled_probable_spans(
    emissions: Floats, lengths: Numbers, tables: ScoreTables, labels: Numbers, events: Numbers, least: float
) -> tuple[Numbers, Floats]:
    """Probable spans (P, 4) and their probabilities (P,), sentence by sentence."""
    sentences, tokens, _ = emissions.shape
    given = as_it_is_read(labels), as_it_is_read(events), np.array(least, np.float64)
    found = np.empty(sentences, np.int64)
    capacity = 2 * tokens + 64  # of a sentence; more are rare
    while True:
        spans = np.empty((sentences, capacity, 4), np.int64)
        probabilities = np.empty((sentences, capacity), emissions.dtype)
        addresses = [array.ctypes.data for array in given]
        outputs = [array.ctypes.data for array in (found, spans, probabilities)]
        call_kernel("crf_probable_spans", emissions, lengths, tables, *addresses, capacity, *outputs)
        most = int(found.max())
        if most <= capacity:
            kept = np.arange(capacity) < found[:, None]
            return spans[kept], probabilities[kept]
        capacity = most


class _Chain(NamedTuple):
    """The tags of a batch as a Markov chain, in plain numpy; N counts places in it: a sentence and a token each.

    Attributes:
        lengths: Tokens of each sentence (B,).
        marginals: p(y_t = i) (B, T, K).
        ahead: log of the sum over all paths from tag i of token t to the end, with the token itself (B, T, K), up to an
            offset for each token.
        transitions: Their scores (K, K).
        labels: Label number of each tag (K,).
        opens: True where a span begins with the second of two tags (K, K).
        closes: True where one ends before it (K, K).
        inside: True where both are in one span (K, K).
    """

    lengths: Numbers
    marginals: NDArray[np.float64]
    ahead: NDArray[np.float64]
    transitions: NDArray[np.float64]
    labels: Numbers
    opens: NDArray[np.bool_]
    closes: NDArray[np.bool_]
    inside: NDArray[np.bool_]

    @classmethod
    def of(cls, emissions: Floats, lengths: Numbers, tables: ScoreTables, labels: Numbers, events: Numbers) -> _Chain:
        """The chain of these scores."""
        if labels.min() < -1 or labels.max() >= len(labels):
            raise ValueError(BAD_LABEL.format(len(labels) - 1))
        messages = log_messages(emissions, lengths, tables)
        ahead = np.where(checked_mask(emissions, lengths)[:, :, None], emissions, 0) + messages.backward
        named = labels >= 0
        opens, closes = (events & OPENS != 0) & named, (events & CLOSES != 0) & named[:, None]
        inside = (events & (OPENS | CLOSES) == 0) & (labels == labels[:, None]) & named
        transitions = tables.transitions.astype(np.float64)
        return cls(lengths, messages.marginals(), ahead, transitions, labels, opens, closes, inside)

    def following(self, sentence: Numbers, token: Numbers) -> NDArray[np.float64]:
        """p(y_(t+1) = j | y_t = i) at each place (N, K, K); of the last token of a batch anything."""
        token = (token + 1).clip(max=self.ahead.shape[1] - 1)
        return softmax(self.transitions + self.ahead[sentence, token][:, None])

    def begin(self, sentence: Numbers, first: Numbers, label: Numbers) -> NDArray[np.float64]:
        """p(a span with the label begins here, and its first tag is j) (N, K)."""
        before = (first - 1).clip(min=0)
        pairs = self.marginals[sentence, before][:, :, None] * self.following(sentence, before)
        inner = (pairs * self.opens).sum(1)
        mass = np.where(first[:, None] == 0, self.marginals[sentence, first] * self.opens[0], inner)
        of_label: NDArray[np.float64] = mass * (self.labels == label[:, None])
        return of_label

    def go_on(self, mass: NDArray[np.float64], sentence: Numbers, token: Numbers) -> NDArray[np.float64]:
        """The share of `mass` (N, K) at each next token that still belongs to the same span (N, K)."""
        shares: NDArray[np.float64] = (mass[:, :, None] * self.following(sentence, token) * self.inside).sum(1)
        return shares

    def close(self, mass: NDArray[np.float64], sentence: Numbers, token: Numbers) -> NDArray[np.float64]:
        """The share of `mass` (N, K) of spans whose last token this is (N,)."""
        inner = (mass[:, :, None] * self.following(sentence, token) * self.closes).sum((1, 2))
        is_last = token + 1 == self.lengths[sentence]
        probabilities: NDArray[np.float64] = np.where(is_last, (mass * self.closes[:, 0]).sum(1), inner).clip(max=1.0)
        return probabilities


def _sorted(spans: Numbers, probabilities: Floats) -> tuple[Numbers, Floats]:
    """Spans (P, 4) and their probabilities (P,) by sentence, start, end and label."""
    order = np.lexsort(spans.T[::-1])
    return spans[order], probabilities[order]


def _check_spans(spans: Numbers, lengths: Numbers, count: int) -> None:
    """Refuse spans that are out of range, as the kernel does itself."""
    sentence, first, stop, label = spans.T
    fits = (sentence >= 0) & (sentence < len(lengths)) & (first >= 0) & (first < stop) & (label >= 0) & (label < count)
    fits &= stop <= lengths[sentence.clip(0, len(lengths) - 1)]
    if not fits.all():
        raise ValueError(BAD_SPAN)
