"""The best path of a CRF, and the k best (kernels/crf_viterbi.c, kernels/crf_k_best.c)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from ner_lstm_crf import kernels
from ner_lstm_crf.model.crf.calls import FORBIDDING, NEVER, TorchCrf, call_kernel, check, checked_mask, without_padding


@torch.no_grad()
def viterbi(emissions: Tensor, lengths: Tensor, start: Tensor, transitions: Tensor, end: Tensor) -> Tensor:
    """Return each sentence's most probable path of tags (B, T) int64, 0 on padding; ties go to the lower tag.

    Raises:
        ValueError: A shape, type or length is not what the module describes.
    """
    check(emissions, lengths, (start, transitions, end))
    if kernels.available_for(emissions):
        best = torch.empty(emissions.shape[:2], dtype=torch.int64)
        call_kernel("crf_viterbi", (emissions, lengths, start, transitions, end), best.data_ptr())
        return best
    mask = checked_mask(emissions, lengths)
    paths = TorchCrf(start, transitions, end).decode(without_padding(emissions, mask), mask=mask)
    best = pad_sequence([torch.tensor(path) for path in paths], batch_first=True)  # (B, longest)
    return nn.functional.pad(best, (0, emissions.shape[1] - best.shape[1])).to(emissions.device)


@torch.no_grad()
def k_best(
    emissions: Tensor, lengths: Tensor, start: Tensor, transitions: Tensor, end: Tensor, k: int
) -> tuple[Tensor, Tensor]:
    """Return each sentence's k best paths, the best first, and their scores (Lawler 1972).

    Of paths with equal scores, that with the lower tag comes first at the last token in which they differ. A path over
    a forbidden transition counts as none: one where a score of start, transitions or end is `FORBIDDING` (-1000) or
    less. Scores above that, and emissions of any score, may be taken; only an emission of `NEVER` (-1e30) excludes its
    tag.

    Args:
        emissions: Scores of tags (B, T, K).
        lengths: Tokens of each sentence (B,).
        start: Scores of beginning with a tag (K,).
        transitions: Scores of transitions (K, K).
        end: Scores of ending with a tag (K,).
        k: How many paths, at least 1.

    Returns:
        The tags (B, k, T) int64, 0 on padding, and the scores (B, k). Where a sentence has fewer paths, the tags are
        0 and the score is -inf.

    Raises:
        ValueError: A shape, type or length is not what the package describes, or k is less than 1.
    """
    check(emissions, lengths, (start, transitions, end))
    if k < 1:
        raise ValueError(f"expected k of at least 1, got {k}")
    if kernels.available_for(emissions):
        sentences, tokens, _ = emissions.shape
        paths = torch.empty(sentences, k, tokens, dtype=torch.int64)
        scores = emissions.new_empty(sentences, k)
        addresses = (paths.data_ptr(), scores.data_ptr())
        call_kernel("crf_k_best", (emissions, lengths, start, transitions, end), k, *addresses)
        return paths, scores
    mask = checked_mask(emissions, lengths)
    tables = tuple(table.masked_fill(table <= FORBIDDING, -torch.inf) for table in (start, transitions, end))
    emissions = without_padding(emissions, mask)
    return _k_best_of_lists(emissions.masked_fill(emissions < NEVER / 10, -torch.inf), mask, tables, k)


def _k_best_of_lists(emissions: Tensor, mask: Tensor, tables: tuple[Tensor, ...], k: int) -> tuple[Tensor, Tensor]:
    """`k_best` in plain torch: Viterbi with a list of the k best scores for each tag (Seshadri and Sundberg 1994)."""
    start, transitions, end = tables
    sentences, tokens, count = emissions.shape
    # 1. Forward: for each tag the scores of the k best paths that end in it (B, K, k), and what each of them extends.
    best = emissions.new_full((sentences, count, k), -torch.inf)
    best[:, :, 0] = start + emissions[:, 0]
    same = torch.arange(count * k, device=emissions.device).view(1, count, k)  # on padding a path stays as it is
    extended = []  # for each token but the first (B, K, k): which of the K * k paths before, in the order of tags
    for t in range(1, tokens):
        longer = best.reshape(sentences, count * k, 1) + transitions.repeat_interleave(k, 0)  # (B, K * k, K)
        scores, which = longer.sort(dim=1, descending=True, stable=True)
        scores, which = scores[:, :k].transpose(1, 2) + emissions[:, t].unsqueeze(2), which[:, :k].transpose(1, 2)
        now = mask[:, t, None, None]
        best, which = torch.where(now, scores, best), torch.where(now, which, same)
        extended.append(which.reshape(sentences, count * k))
    # 2. The k best paths of all.
    scores, which = (best + end.unsqueeze(1)).reshape(sentences, count * k).sort(dim=1, descending=True, stable=True)
    scores, which = scores[:, :k], which[:, :k]
    # 3. Backward: their tags.
    tags = [which // k]
    for before in reversed(extended):
        which = before.gather(1, which)
        tags.append(which // k)
    paths = torch.stack(tags[::-1], 2)  # (B, k, T)
    return paths.masked_fill(~mask.unsqueeze(1) | scores.eq(-torch.inf).unsqueeze(2), 0), scores
