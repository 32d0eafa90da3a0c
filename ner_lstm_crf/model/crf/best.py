"""The best path of a CRF (kernels/crf_viterbi.c)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from ner_lstm_crf import kernels
from ner_lstm_crf.model.crf.calls import TorchCrf, call_kernel, check, checked_mask, without_padding


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
