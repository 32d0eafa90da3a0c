"""Sums over all paths of a CRF: partition, marginals, expected counts, entropy (kernels/crf_sums.c)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ner_lstm_crf import kernels
from ner_lstm_crf.crf.calls import as_it_is_read, call_kernel, check, checked_mask
from ner_lstm_crf.crf.scores import FORBIDDING, NEVER, Floats, Numbers, ScoreTables


@np.errstate(all="ignore")
def log_partition(
    emissions: Floats, lengths: Numbers, tables: ScoreTables, allowed: NDArray[np.bool_] | None = None
) -> Floats:
    """Return log Z of each sentence (B,).

    With `allowed`, bool (B, T, K), the sum is over the paths whose tags are all allowed and that take no forbidden
    transition, start or end (a score of `FORBIDDING`, -1000, or less). Less log Z of all paths it is the logarithm of
    their probability. If there is no such path it is -inf.

    Raises:
        ValueError: A shape, type or length is not what the package describes.
    """
    check(emissions, lengths, tables, allowed=allowed)
    if allowed is not None:
        emissions, tables = only_allowed(emissions, tables, allowed)
    if kernels.available_for(emissions):
        return -likelihoods("crf_log_likelihood", emissions, None, lengths, tables).values
    log_z = log_messages(emissions, lengths, tables).log_z
    return np.where(log_z > NEVER / 10, log_z, -np.inf).astype(emissions.dtype)


@np.errstate(all="ignore")
def marginals(emissions: Floats, lengths: Numbers, tables: ScoreTables) -> Floats:
    """Return each token's distribution over tags (B, T, K), 0 on padding.

    Raises:
        ValueError: A shape, type or length is not what the package describes.
    """
    check(emissions, lengths, tables)
    if kernels.available_for(emissions):
        probabilities = np.empty(emissions.shape, emissions.dtype)
        call_kernel("crf_marginals", emissions, lengths, tables, probabilities.ctypes.data)
        return probabilities
    mask = checked_mask(emissions, lengths)
    return np.where(mask[:, :, None], log_messages(emissions, lengths, tables).marginals(), 0.0).astype(emissions.dtype)


class ExpectedCounts(NamedTuple):
    """What is expected of the paths of each sentence.

    Attributes:
        tags: Each token's distribution over tags (B, T, K), 0 on padding.
        transitions: How often a tag follows another, [from, to], summed over the sentence (B, K, K).
    """

    tags: Floats
    transitions: Floats


@np.errstate(all="ignore")
def expected_counts(
    emissions: Floats, lengths: Numbers, tables: ScoreTables, allowed: NDArray[np.bool_] | None = None
) -> ExpectedCounts:
    """Return how often each tag and each transition is expected: the gradients of log Z.

    With `allowed`, bool (B, T, K), of the paths that fit, as `log_partition` has them; all counts are 0 if there is
    none.

    Raises:
        ValueError: A shape, type or length is not what the package describes.
    """
    check(emissions, lengths, tables, allowed=allowed)
    if allowed is not None:
        emissions, tables = only_allowed(emissions, tables, allowed)
    if kernels.available_for(emissions):
        _, of_tags, of_transitions = likelihoods("crf_log_likelihood", emissions, None, lengths, tables)
        return ExpectedCounts(-of_tags, -of_transitions)
    mask = checked_mask(emissions, lengths)
    scores, (start, transitions, end) = (
        np.where(mask[:, :, None], emissions, 0).astype(np.float64),
        tables.astype(float),
    )
    forward, backward, log_z = messages = log_messages(scores, lengths, ScoreTables(start, transitions, end))
    some = log_z > NEVER / 10  # sentences with a path
    counts = np.zeros((len(scores), *transitions.shape))
    for t in range(1, scores.shape[1]):
        # p(y_(t-1) = from, y_t = to) ~ exp(alpha_(t-1)[from] + transitions[from, to] + emissions_t[to] + beta_t[to])
        ahead = (scores[:, t] + backward[:, t])[:, None]
        pairs = softmax((forward[:, t - 1, :, None] + transitions + ahead).reshape(len(scores), -1))
        counts += np.where((mask[:, t] & some)[:, None], pairs, 0.0).reshape(counts.shape)
    tags = np.where(mask[:, :, None] & some[:, None, None], messages.marginals(), 0.0)
    return ExpectedCounts(tags.astype(emissions.dtype), counts.astype(emissions.dtype))


@np.errstate(all="ignore")
def entropy(emissions: Floats, lengths: Numbers, tables: ScoreTables) -> Floats:
    """Return the entropy of each sentence's distribution over paths (B,), in nats.

    H = log Z - E[score], computed in float64: the two are large, and their difference is small. It is 0 where one path
    is certain, and n log K where all are equally probable.

    Raises:
        ValueError: A shape, type or length is not what the package describes.
    """
    check(emissions, lengths, tables)
    mask = checked_mask(emissions, lengths)
    exact, (start, transitions, end) = np.where(mask[:, :, None], emissions, 0).astype(np.float64), tables.astype(float)
    if kernels.available_for(exact):
        # The gradients of -log Z are what is expected of each tag and transition, less than zero.
        less_log_z, tags, pairs = likelihoods(
            "crf_log_likelihood", exact, None, lengths, ScoreTables(start, transitions, end)
        )
        ends = tags[:, 0] @ start + tags[np.arange(len(tags)), lengths - 1] @ end
        surplus = (tags * exact).sum((1, 2)) + (pairs * transitions).sum((1, 2)) + ends - less_log_z
    else:
        # H(y_1) + sum_t H(y_t, y_(t+1)) - H(y_t)
        forward, backward, _ = messages = log_messages(exact, lengths, ScoreTables(start, transitions, end))
        alone = _of_probabilities(messages.marginals()).sum(2)  # (B, T)
        surplus = alone[:, 0]
        for t in range(1, exact.shape[1]):
            ahead = (exact[:, t] + backward[:, t])[:, None]
            pairs = softmax((forward[:, t - 1, :, None] + transitions + ahead).reshape(len(exact), -1))
            surplus = surplus + np.where(mask[:, t], _of_probabilities(pairs).sum(1) - alone[:, t - 1], 0.0)
    found: Floats = surplus.clip(min=0.0).astype(emissions.dtype)
    return found


def only_allowed(emissions: Floats, tables: ScoreTables, allowed: NDArray[np.bool_]) -> tuple[Floats, ScoreTables]:
    """The scores with `NEVER` for tags that are not allowed (B, T, K), and in place of all that forbids."""
    lower = (np.where(table <= FORBIDDING, NEVER, table).astype(table.dtype) for table in tables)
    return np.where(allowed, emissions, NEVER).astype(emissions.dtype), ScoreTables(*lower)


class Likelihoods(NamedTuple):
    """Log-likelihoods and their gradients.

    Attributes:
        values: The log-likelihood of each sentence's path (B,).
        of_emissions: Its gradient of each emission (B, T, K).
        of_transitions: Its gradient of each transition (B, K, K).
    """

    values: Floats
    of_emissions: Floats
    of_transitions: Floats


def likelihoods(
    name: str,
    emissions: Floats,
    tags: Numbers | None,
    lengths: Numbers,
    tables: ScoreTables,
) -> Likelihoods:
    """The log-likelihood of each sentence's tags and its gradients, by a compiled kernel.

    Args:
        name: The kernel: "crf_log_likelihood" of the whole path, "crf_labelwise" of each tag by itself.
        emissions: (B, T, K), float32 or float64.
        tags: The paths (B, T); None for one whose score is 0, which gives -log Z.
        lengths: (B,).
        tables: The score tables.

    Raises:
        ValueError: If a length or a tag is out of range.
    """
    sentences, _, count = emissions.shape
    found = Likelihoods(
        np.empty(sentences, emissions.dtype),
        np.empty(emissions.shape, emissions.dtype),
        np.empty((sentences, count, count), emissions.dtype),
    )
    path = (0, 0)  # none
    if tags is not None:
        tags = as_it_is_read(tags)
        path = (tags.ctypes.data, tags.shape[1])
    outputs = (array.ctypes.data for array in found)
    call_kernel(name, emissions, lengths, tables, *path, *outputs)
    return found


class Messages(NamedTuple):
    """What forward-backward finds (Rabiner 1989), each message up to an offset for its token.

    Attributes:
        forward: log of the sum over all paths up to a token that end in a tag (B, T, K); on padding as before it.
        backward: log of the sum over all paths from a tag to the end, without the token itself (B, T, K).
        log_z: The partition of each sentence (B,).
    """

    forward: NDArray[np.float64]
    backward: NDArray[np.float64]
    log_z: NDArray[np.float64]

    def marginals(self) -> NDArray[np.float64]:
        """The distribution over tags of each token (B, T, K); anything finite on padding."""
        return softmax(self.forward + self.backward)


def log_messages(emissions: Floats, lengths: Numbers, tables: ScoreTables) -> Messages:
    """Return forward and backward messages and log Z, in plain numpy and in float64.

    Each message is shifted so that its maximum is 0, lest a long sentence's sums swallow the digits in which tags
    differ.

    Raises:
        ValueError: A length is not from 1 to T.
    """
    mask = checked_mask(emissions, lengths)
    start, transitions, end = tables.astype(float)
    scores = np.where(mask[:, :, None], emissions, 0).astype(np.float64)
    forward, backward = np.empty_like(scores), np.empty_like(scores)
    message, log_scale = start + scores[:, 0], np.zeros(len(scores))
    for t in range(scores.shape[1]):
        if t:
            # alpha_t[to] = log sum_from exp(alpha_(t-1)[from] + transitions[from, to]) + emissions_t[to]
            longer = np.logaddexp.reduce(message[:, :, None] + transitions, axis=1) + scores[:, t]
            message = np.where(mask[:, t, None], longer, message)  # on padding it stays as it was
        largest = message.max(1)
        log_scale += largest
        message = message - largest[:, None]
        forward[:, t] = message
    log_z = np.logaddexp.reduce(message + end, axis=1) + log_scale
    message = np.repeat(end[None], len(scores), axis=0)
    for t in range(scores.shape[1] - 1, -1, -1):
        backward[:, t] = message
        # beta_(t-1)[from] = log sum_to exp(transitions[from, to] + emissions_t[to] + beta_t[to])
        longer = np.logaddexp.reduce((message + scores[:, t])[:, None] + transitions, axis=2)
        message = np.where(mask[:, t, None], longer, message)
        message = message - message.max(1, keepdims=True)
    return Messages(forward, backward, log_z)


def softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """The distribution over the last dimension."""
    factors = np.exp(scores - scores.max(-1, keepdims=True))
    probabilities: NDArray[np.float64] = factors / factors.sum(-1, keepdims=True)
    return probabilities


def _of_probabilities(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of each probability in an entropy, -p log p."""
    shares: NDArray[np.float64] = -probabilities * np.log(np.where(probabilities > 0, probabilities, 1.0))
    return shares
