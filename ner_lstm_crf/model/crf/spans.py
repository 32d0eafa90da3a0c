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

import torch
from torch import Tensor

from ner_lstm_crf import kernels
from ner_lstm_crf.model.crf.calls import BAD_LABEL, BAD_SPAN, call_kernel, check, checked_mask
from ner_lstm_crf.model.crf.sums import log_messages

CLOSES, OPENS = 1, 2
"""The events between two neighbouring tags, as in `tags.scheme`: a span ends before the second, one begins with it."""


@torch.no_grad()
def span_probabilities(  # noqa: PLR0913, PLR0917
    emissions: Tensor,
    lengths: Tensor,
    start: Tensor,
    transitions: Tensor,
    end: Tensor,
    spans: Tensor,
    labels: Tensor,
    events: Tensor,
) -> Tensor:
    """Return the probability of each span (P,), that it is there with exactly these ends and this label.

    Each row of `spans`, int64 (P, 4), is sentence, start, end and label number of a span; they may come in any order.

    Raises:
        ValueError: A shape, type, length, label or span is not what is described.
    """
    check(emissions, lengths, (start, transitions, end), labels=labels, events=events)
    if spans.ndim != 2 or spans.shape[1] != 4 or spans.dtype != torch.int64:
        raise ValueError(f"expected spans of shape (P, 4) and type torch.int64, got {tuple(spans.shape)} {spans.dtype}")
    if spans.device != emissions.device:
        raise ValueError(f"expected spans on {emissions.device}, where the emissions are, got {spans.device}")
    if kernels.available_for(emissions):
        probabilities = emissions.new_empty(len(spans))
        given = [tensor.contiguous() for tensor in (labels, events, spans)]
        addresses = [tensor.data_ptr() for tensor in given]
        inputs = (emissions, lengths, start, transitions, end)
        call_kernel("crf_span_probabilities", inputs, *addresses, len(spans), probabilities.data_ptr())
        return probabilities
    chain = _Chain.of(emissions, lengths, (start, transitions, end), labels, events)
    _check_spans(spans, lengths, len(labels))
    if not len(spans):
        return emissions.new_empty(0)
    sentence, first, stop, label = spans.unbind(1)
    mass = chain.begin(sentence, first, label)
    for step in range(int((stop - first).max()) - 1):
        goes_on = first + step + 1 < stop
        mass = torch.where(goes_on.unsqueeze(1), chain.go_on(mass, sentence, first + step), mass)
    return chain.close(mass, sentence, stop - 1)


@torch.no_grad()
def probable_spans(  # noqa: PLR0913, PLR0917
    emissions: Tensor,
    lengths: Tensor,
    start: Tensor,
    transitions: Tensor,
    end: Tensor,
    labels: Tensor,
    events: Tensor,
    least: float,
) -> tuple[Tensor, Tensor]:
    """Return every span whose probability is at least `least`, above 0 and at most 1: spans (P, 4), probabilities (P,).

    Each row is sentence, start, end and label number of a span, int64; they are sorted. Spans that begin at one place
    exclude each other, so there are at most 1 / `least` of them.

    Raises:
        ValueError: A shape, type, length or label is not what is described, or `least` is out of range.
    """
    check(emissions, lengths, (start, transitions, end), labels=labels, events=events)
    if not 0 < least <= 1:
        raise ValueError(f"expected a least probability above 0 and at most 1, got {least}")
    if kernels.available_for(emissions):
        return _sorted(*_compiled_probable_spans((emissions, lengths, start, transitions, end), labels, events, least))
    chain = _Chain.of(emissions, lengths, (start, transitions, end), labels, events)
    found, probabilities = [torch.empty(0, 4, dtype=torch.int64, device=emissions.device)], [emissions.new_empty(0)]
    # 1. Every place where a span may begin, with every label.
    mask = checked_mask(emissions, lengths)
    known = torch.unique(labels[labels >= 0])
    sentence, first = mask.nonzero().repeat_interleave(len(known), 0).unbind(1)
    label = known.repeat(int(mask.sum()))
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
        found.append(torch.stack([sentence, first, last + 1, label], 1)[chosen])
        probabilities.append(ends[chosen])
        inside = last + 1 < lengths[sentence]
        sentence, first, label, last, mass = (x[inside] for x in (sentence, first, label, last, mass))
        mass, last = chain.go_on(mass, sentence, last), last + 1
    return _sorted(torch.cat(found), torch.cat(probabilities))


def _compiled_probable_spans(
    inputs: tuple[Tensor, ...], labels: Tensor, events: Tensor, least: float
) -> tuple[Tensor, Tensor]:
    """Probable spans (P, 4) and their probabilities (P,), sentence by sentence."""
    sentences, tokens, _ = inputs[0].shape
    labels, events, bound = labels.contiguous(), events.contiguous(), torch.tensor(least, dtype=torch.float64)
    found = torch.empty(sentences, dtype=torch.int64)
    capacity = 2 * tokens + 64  # of a sentence; more are rare
    while True:
        spans = torch.empty(sentences, capacity, 4, dtype=torch.int64)
        probabilities = inputs[0].new_empty(sentences, capacity)
        outputs = (found.data_ptr(), spans.data_ptr(), probabilities.data_ptr())
        addresses = (labels.data_ptr(), events.data_ptr(), bound.data_ptr())
        call_kernel("crf_probable_spans", inputs, *addresses, capacity, *outputs)
        most = int(found.max())
        if most <= capacity:
            kept = torch.arange(capacity) < found.unsqueeze(1)
            return spans[kept], probabilities[kept]
        capacity = most


class _Chain(NamedTuple):
    """The tags of a batch as a Markov chain, in plain torch; N counts places in it: a sentence and a token each.

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

    lengths: Tensor
    marginals: Tensor
    ahead: Tensor
    transitions: Tensor
    labels: Tensor
    opens: Tensor
    closes: Tensor
    inside: Tensor

    @classmethod
    def of(
        cls, emissions: Tensor, lengths: Tensor, tables: tuple[Tensor, Tensor, Tensor], labels: Tensor, events: Tensor
    ) -> _Chain:
        """The chain of these scores."""
        if int(labels.min()) < -1 or int(labels.max()) >= len(labels):
            raise ValueError(BAD_LABEL.format(len(labels) - 1))
        forward, backward = log_messages(emissions, lengths, *tables)
        ahead = emissions.masked_fill(~checked_mask(emissions, lengths).unsqueeze(2), 0.0) + backward
        named = labels >= 0
        opens, closes = (events & OPENS != 0) & named, (events & CLOSES != 0) & named.unsqueeze(1)
        inside = (events & (OPENS | CLOSES) == 0) & (labels == labels.unsqueeze(1)) & named
        marginals = (forward + backward).softmax(2)
        return cls(lengths, marginals, ahead, tables[1], labels, opens, closes, inside)

    def following(self, sentence: Tensor, token: Tensor) -> Tensor:
        """p(y_(t+1) = j | y_t = i) at each place (N, K, K); of the last token of a batch anything."""
        token = (token + 1).clamp(max=self.ahead.shape[1] - 1)
        return (self.transitions + self.ahead[sentence, token].unsqueeze(1)).softmax(2)

    def begin(self, sentence: Tensor, first: Tensor, label: Tensor) -> Tensor:
        """p(a span with the label begins here, and its first tag is j) (N, K)."""
        before = (first - 1).clamp(min=0)
        pairs = self.marginals[sentence, before].unsqueeze(2) * self.following(sentence, before)
        inner = (pairs * self.opens).sum(1)
        mass = torch.where(first.unsqueeze(1) == 0, self.marginals[sentence, first] * self.opens[0], inner)
        return mass * (self.labels == label.unsqueeze(1))

    def go_on(self, mass: Tensor, sentence: Tensor, token: Tensor) -> Tensor:
        """The share of `mass` (N, K) at each next token that still belongs to the same span (N, K)."""
        return (mass.unsqueeze(2) * self.following(sentence, token) * self.inside).sum(1)

    def close(self, mass: Tensor, sentence: Tensor, token: Tensor) -> Tensor:
        """The share of `mass` (N, K) of spans whose last token this is (N,)."""
        inner = (mass.unsqueeze(2) * self.following(sentence, token) * self.closes).sum((1, 2))
        is_last = token + 1 == self.lengths[sentence]
        return torch.where(is_last, (mass * self.closes[:, 0]).sum(1), inner).clamp(max=1.0)


def _sorted(spans: Tensor, probabilities: Tensor) -> tuple[Tensor, Tensor]:
    """Spans (P, 4) and their probabilities (P,) by sentence, start, end and label."""
    key = torch.zeros_like(probabilities, dtype=torch.int64)
    for column in spans.unbind(1) if len(spans) else ():
        key = key * (column.max() + 1) + column
    order = key.argsort()
    return spans[order], probabilities[order]


def _check_spans(spans: Tensor, lengths: Tensor, count: int) -> None:
    """Refuse spans that are out of range, as the kernel does itself."""
    sentence, first, stop, label = spans.unbind(1)
    fits = (sentence >= 0) & (sentence < len(lengths)) & (first >= 0) & (first < stop) & (label >= 0) & (label < count)
    fits &= stop <= lengths[sentence.clamp(0, len(lengths) - 1)]
    if not fits.all():
        raise ValueError(BAD_SPAN)
