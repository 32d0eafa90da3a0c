"""The best path of a CRF, and the k best (kernels/crf_viterbi.c, kernels/crf_k_best.c)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ner_lstm_crf import kernels
from ner_lstm_crf.crf.calls import address, call_kernel, check, checked_mask
from ner_lstm_crf.crf.scores import FORBIDDING, NEVER, Floats, Numbers, ScoreTables


def viterbi(emissions: Floats, lengths: Numbers, tables: ScoreTables) -> Numbers:
    """Return each sentence's most probable path of tags (B, T) int64, 0 on padding; ties go to the lower tag.

    Raises:
        ValueError: A shape, type or length is not what the package describes.
    """
    check(emissions, lengths, tables)
    if not any(table.any() for table in tables):  # each token by itself: no sum with others rounds what differs little
        own: Numbers = emissions.argmax(2) * checked_mask(emissions, lengths)
        return own
    if kernels.available_for(emissions):
        best = np.empty(emissions.shape[:2], np.int64)
        call_kernel("crf_viterbi", emissions, lengths, tables, address(best))
        return best
    return _portable_viterbi(emissions, lengths, tables)


@np.errstate(all="ignore")
def _portable_viterbi(emissions: Floats, lengths: Numbers, tables: ScoreTables) -> Numbers:
    """`viterbi` in plain numpy, where a sum that is too large is no warning."""
    mask = checked_mask(emissions, lengths)
    start, transitions, end = tables.astype(float)
    scores = np.where(mask[:, :, None], emissions, 0).astype(np.float64)
    # 1. Forward: for each tag the score of the best path that ends in it (B, K), and the tag before it there.
    best_score, previous = start + scores[:, 0], []
    same = np.arange(emissions.shape[2])  # on padding a path stays as it is
    for t in range(1, emissions.shape[1]):
        longer = best_score[:, :, None] + transitions  # (B, from, to)
        is_token = mask[:, t, None]
        previous.append(np.where(is_token, longer.argmax(1), same))
        best_score = np.where(is_token, longer.max(1) + scores[:, t], best_score)
    # 2. Backward: the best last tag, and the best tag before each.
    tags = [(best_score + end).argmax(1)]
    for before in reversed(previous):
        tags.append(np.take_along_axis(before, tags[-1][:, None], 1)[:, 0])
    return np.where(mask, np.stack(tags[::-1], 1), 0)


@np.errstate(all="ignore")
def k_best(emissions: Floats, lengths: Numbers, tables: ScoreTables, k: int) -> tuple[Numbers, Floats]:
    """Return each sentence's k best paths, the best first, and their scores (Lawler 1972).

    Of paths with equal scores, that with the lower tag comes first at the last token in which they differ. A path over
    a forbidden transition counts as none: one where a score of start, transitions or end is `FORBIDDING` (-1000) or
    less. Scores above that, and emissions of any score, may be taken; only an emission of `NEVER` (-1e30) excludes its
    tag.

    Args:
        emissions: Scores of tags (B, T, K).
        lengths: Tokens of each sentence (B,).
        tables: The score tables.
        k: How many paths, at least 1.

    Returns:
        The tags (B, k, T) int64, 0 on padding, and the scores (B, k). Where a sentence has fewer paths, the tags are
        0 and the score is -inf.

    Raises:
        ValueError: A shape, type or length is not what the package describes, or k is less than 1.
    """
    check(emissions, lengths, tables)
    if k < 1:
        raise ValueError(f"expected k of at least 1, got {k}")
    if kernels.available_for(emissions):
        sentences, tokens, _ = emissions.shape
        paths, scores = np.empty((sentences, k, tokens), np.int64), np.empty((sentences, k), emissions.dtype)
        call_kernel("crf_k_best", emissions, lengths, tables, k, paths.ctypes.data, scores.ctypes.data)
        return paths, scores
    mask = checked_mask(emissions, lengths)
    allowed = ScoreTables(*(np.where(table <= FORBIDDING, -np.inf, table) for table in tables.astype(np.float64)))
    exact = np.where(mask[:, :, None], emissions, 0).astype(np.float64)
    paths, found = _k_best_of_lists(np.where(exact < NEVER / 10, -np.inf, exact), mask, allowed, k)
    return paths, found.astype(emissions.dtype)


def _k_best_of_lists(
    emissions: NDArray[np.float64], mask: NDArray[np.bool_], tables: ScoreTables, k: int
) -> tuple[Numbers, NDArray[np.float64]]:
    """`k_best` in plain numpy: Viterbi with a list of the k best scores for each tag (Seshadri and Sundberg 1994)."""
    start, transitions, end = tables
    sentences, tokens, count = emissions.shape
    # 1. Forward: for each tag the scores of the k best paths that end in it (B, K, k), and what each of them extends.
    best: NDArray[np.float64] = np.full((sentences, count, k), -np.inf)
    best[:, :, 0] = start + emissions[:, 0]
    same = np.arange(count * k).reshape(1, count, k)  # on padding a path stays as it is
    extended = []  # for each token but the first (B, K * k): which of the K * k paths before, in the order of tags
    for t in range(1, tokens):
        longer = best.reshape(sentences, count * k, 1) + transitions.repeat(k, 0)  # (B, K * k, K)
        which = np.argsort(-longer, axis=1, kind="stable")[:, :k]  # (B, k, K)
        scores = np.take_along_axis(longer, which, 1).swapaxes(1, 2) + emissions[:, t, :, None]
        is_token = mask[:, t, None, None]
        best = np.where(is_token, scores, best)
        extended.append(np.where(is_token, which.swapaxes(1, 2), same).reshape(sentences, count * k))
    # 2. The k best paths of all.
    all_scores = (best + end[:, None]).reshape(sentences, count * k)
    which = np.argsort(-all_scores, axis=1, kind="stable")[:, :k]
    found: NDArray[np.float64] = np.take_along_axis(all_scores, which, 1)
    # 3. Backward: their tags.
    tags = [which // k]
    for before in reversed(extended):
        which = np.take_along_axis(before, which, 1)
        tags.append(which // k)
    paths = np.stack(tags[::-1], 2)  # (B, k, T)
    is_real = mask[:, None] & (found > -np.inf)[:, :, None]
    return np.where(is_real, paths, 0).astype(np.int64), found
