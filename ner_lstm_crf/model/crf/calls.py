"""What the functions of a CRF share: checks of their arguments, calls of compiled kernels, the portable CRF."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchcrf import CRF

from ner_lstm_crf import kernels

FORBIDDING = -1e3
"""Scores of start, transitions and end that are at most this forbid: -1e4 (`heads.FORBIDDEN`) at any temperature up to
10. No trained score comes near."""

NEVER = -1e30
"""The score that excludes a tag or a transition altogether; a sum that holds it is no path's."""

BAD_LABEL = "expected label numbers from -1 to {}, got one out of range"
BAD_SPAN = "expected spans (sentence, start, end, label) within their sentences, got one out of range"


def token_mask(lengths: Tensor, longest: int) -> Tensor:
    """True where there is a token (B, T), given the lengths (B,) and T."""
    return torch.arange(longest, device=lengths.device).unsqueeze(0) < lengths.unsqueeze(1)


def call_kernel(name: str, inputs: tuple[Tensor, ...], *more: int) -> None:
    """Call a compiled kernel.

    Args:
        name: The C function.
        inputs: Emissions, lengths and the three score tables. Emissions may have any strides but between tags.
        more: Its other arguments: addresses and numbers.

    Raises:
        ValueError: If a length, a tag, a label number or a span is out of range.
        MemoryError: If there is no memory left.
    """
    emissions = inputs[0] if inputs[0].stride(2) == 1 else inputs[0].contiguous()
    others = [tensor.contiguous() for tensor in inputs[1:]]
    addresses = [tensor.data_ptr() for tensor in others]
    sizes = (*emissions.shape, torch.get_num_threads())
    call = kernels.kernel(name, emissions.dtype)
    failure = call(emissions.data_ptr(), *emissions.stride()[:2], *addresses, *sizes, *more)
    if failure == 0:
        return
    _, tokens, count = emissions.shape
    if failure == 1:
        raise ValueError(f"expected lengths from 1 to {tokens}, got one out of range")
    if failure == 2:
        raise ValueError(f"expected tags from 0 to {count - 1}, got one out of range")
    if failure == 4:
        raise ValueError(BAD_LABEL.format(count - 1))
    if failure == 5:
        raise ValueError(BAD_SPAN)
    raise MemoryError(f"{name}: no memory for emissions of shape {tuple(emissions.shape)}")


class TorchCrf(CRF):  # type: ignore[misc]
    """torchcrf.CRF as a function of its score tables: the tables are given tensors, not parameters of its own."""

    def __init__(self, start: Tensor, transitions: Tensor, end: Tensor) -> None:
        nn.Module.__init__(self)  # CRF's own would draw parameters from the global random generator
        self.num_tags, self.batch_first = len(start), True
        self.start_transitions, self.transitions, self.end_transitions = start, transitions, end


def without_padding(emissions: Tensor, mask: Tensor) -> Tensor:
    """Emissions with zeros on padding: torchcrf multiplies by the mask, and 0 * inf would not be 0."""
    return emissions.masked_fill(~mask.unsqueeze(2), 0.0)


def checked_mask(emissions: Tensor, lengths: Tensor) -> Tensor:
    """True where there is a token (B, T); refuses lengths out of range, as the kernels do themselves."""
    tokens = emissions.shape[1]
    if int(lengths.min()) < 1 or int(lengths.max()) > tokens:
        raise ValueError(f"expected lengths from 1 to {tokens}, got {int(lengths.min())} to {int(lengths.max())}")
    return token_mask(lengths, tokens)


def checked_tags(tags: Tensor, mask: Tensor, count: int) -> Tensor:
    """Tags with 0 on padding; refuses those out of range, as the kernels do themselves."""
    tags = tags.masked_fill(~mask, 0)
    if int(tags.min()) < 0 or int(tags.max()) >= count:
        raise ValueError(f"expected tags from 0 to {count - 1}, got {int(tags.min())} to {int(tags.max())}")
    return tags


def check(emissions: Tensor, lengths: Tensor, tables: tuple[Tensor, ...], **others: Tensor | None) -> None:
    """Raise ValueError, with what was expected and what came, unless the arguments fit together.

    `tables` are start, transitions and end; `others` are tags, allowed, labels, events, where a function has them.
    """
    if emissions.ndim != 3 or 0 in emissions.shape:
        raise ValueError(f"expected emissions of shape (B, T, K), each at least 1, got {tuple(emissions.shape)}")
    if not emissions.is_floating_point():
        raise ValueError(f"expected emissions of a floating type, got {emissions.dtype}")
    batch, tokens, count = emissions.shape
    start, transitions, end = tables
    for name, tensor, shape, dtype in (
        ("start", start, (count,), emissions.dtype),
        ("transitions", transitions, (count, count), emissions.dtype),
        ("end", end, (count,), emissions.dtype),
        ("lengths", lengths, (batch,), torch.int64),
        ("tags", others.get("tags"), (batch, tokens), torch.int64),
        ("allowed", others.get("allowed"), (batch, tokens, count), torch.bool),
        ("labels", others.get("labels"), (count,), torch.int64),
        ("events", others.get("events"), (count, count), torch.int64),
    ):
        if tensor is None:
            continue
        if tensor.device != emissions.device:
            raise ValueError(f"expected {name} on {emissions.device}, where the emissions are, got {tensor.device}")
        if tensor.shape != shape or tensor.dtype != dtype:
            raise ValueError(
                f"expected {name} of shape {shape} and type {dtype}, got {tuple(tensor.shape)} {tensor.dtype}"
            )
