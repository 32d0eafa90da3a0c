"""What the functions of a CRF share: checks of their arguments, calls of compiled kernels, padding."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from ctypes import addressof, c_char
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ner_lstm_crf import kernels
from ner_lstm_crf.crf.scores import Floats, Numbers, ScoreTables
from ner_lstm_crf.threads import usable_threads

_FIRST_BYTE: Callable[[Any], c_char] = c_char.from_buffer

BAD_LABEL = "expected label numbers from -1 to {}, got one out of range"
BAD_SPAN = "expected spans (sentence, start, end, label) within their sentences, got one out of range"


def call_kernel(name: str, emissions: Floats, lengths: Numbers, tables: ScoreTables, *more: int) -> None:
    """Call a compiled kernel; if it is much work, threads share the sentences.

    Args:
        name: The C function.
        emissions: (B, T, K), of any strides.
        lengths: (B,).
        tables: The score tables.
        more: Its other arguments: addresses and numbers.

    Raises:
        ValueError: If a length, a tag, a label number or a span is out of range.
        MemoryError: If there is no memory left.
    """
    size = emissions.itemsize
    steps = emissions.strides
    if steps[2] != size or steps[0] % size or steps[1] % size or not emissions.flags.aligned:
        emissions = emissions.copy("C")
        steps = emissions.strides
    others = [as_it_is_read(array) for array in (lengths, *tables)]
    call = kernels.kernel(name, emissions.dtype)
    addresses = [address(array) for array in others]
    sizes = *emissions.shape, usable_threads()
    failure = call(address(emissions), steps[0] // size, steps[1] // size, *addresses, *sizes, *more)
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
    raise MemoryError(f"{name}: no memory for emissions of shape {emissions.shape}")


def as_it_is_read(array: NDArray[Any]) -> NDArray[Any]:
    """The array as C reads it: in order, at an even address; a copy only if it is not."""
    flags = array.flags
    return array if flags.c_contiguous and flags.aligned else np.require(array, requirements=("C", "A"))


def address(array: NDArray[Any]) -> int:
    """The address of an array's first value: `array.ctypes.data`, in a fifth of the time where it can be written to."""
    try:
        return addressof(_FIRST_BYTE(array))
    except (TypeError, ValueError):  # it is read-only, not in order, or empty
        return array.ctypes.data


def checked_mask(emissions: Floats, lengths: Numbers) -> NDArray[np.bool_]:
    """True where there is a token (B, T); refuses lengths out of range, as the kernels do themselves."""
    tokens = emissions.shape[1]
    if lengths.min() < 1 or lengths.max() > tokens:
        raise ValueError(f"expected lengths from 1 to {tokens}, got {lengths.min()} to {lengths.max()}")
    mask: NDArray[np.bool_] = np.arange(tokens) < lengths[:, None]
    return mask


def check(emissions: Any, lengths: Any, tables: Sequence[Any], **others: Any) -> None:
    """Raise ValueError, with what was expected and what came, unless the arguments fit together.

    They are arrays of numpy, or tensors of torch on one device. `others` are tags, allowed, labels, events, where a
    function has them.
    """
    shape, dtype = tuple(emissions.shape), type_of(emissions)
    if len(shape) != 3 or 0 in shape:
        raise ValueError(f"expected emissions of shape (B, T, K), each at least 1, got {shape}")
    if not dtype.startswith(("float", "bfloat")):
        raise ValueError(f"expected emissions of a floating type, got {dtype}")
    batch, tokens, count = shape
    start, transitions, end = tables
    device = getattr(emissions, "device", None)
    for name, values, expected_shape, expected in (
        ("start", start, (count,), dtype),
        ("transitions", transitions, (count, count), dtype),
        ("end", end, (count,), dtype),
        ("lengths", lengths, (batch,), "int64"),
        ("tags", others.get("tags"), (batch, tokens), "int64"),
        ("allowed", others.get("allowed"), (batch, tokens, count), "bool"),
        ("labels", others.get("labels"), (count,), "int64"),
        ("events", others.get("events"), (count, count), "int64"),
    ):
        if values is None:
            continue
        if getattr(values, "device", None) != device:
            raise ValueError(f"expected {name} on {device}, where the emissions are, got {values.device}")
        if tuple(values.shape) != expected_shape or type_of(values) != expected:
            raise ValueError(
                f"expected {name} of shape {expected_shape} and type {expected}, got {tuple(values.shape)} "
                f"{type_of(values)}"
            )


def type_of(values: Any) -> str:
    """The name of the number type of an array or a tensor: `float32`."""
    return _name_of(values.dtype)


@cache
def _name_of(dtype: Hashable) -> str:
    return str(dtype).removeprefix("torch.")
