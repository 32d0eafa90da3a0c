"""The weights of a network on disk: in 32 or 16 bits, or in eight, row by row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.vectors import LARGEST
from ner_lstm_crf.saving.tensors import Array, type_name

_ROWS = (".trainable", ".frozen")  # the ends of the names of tables
_SCALE = ".scale"
_LARGEST = 127
_LEAST_HALF = np.finfo(np.float16).smallest_normal
_AT_ONCE = 1 << 14  # rows


class Weights(Mapping[str, NDArray[np.float32]]):
    """Weights by name, as they are on disk; one in fewer bits becomes float32 when it is asked for.

    Args:
        tensors: Weights as `quantized` makes them, or any others; those in float32 are left as they are.

    Raises:
        ValueError: If one is neither in 16 nor in 32 bits, nor a table in eight bits with the worth of each row; or if
            a value is larger than `LARGEST` or no number.
    """

    def __init__(self, tensors: Mapping[str, Array]) -> None:
        self._scales: dict[str, Array] = {name: tensors[name + _SCALE] for name in tensors if name + _SCALE in tensors}
        of_others = {name + _SCALE for name in self._scales}
        self._stored = {name: tensor for name, tensor in tensors.items() if name not in of_others}
        for name, weight in self._stored.items():
            scale = self._scales.get(name)
            if scale is None:
                if weight.dtype not in (np.float16, np.float32):
                    raise ValueError(f"expected {name!r:.80} in 16 or 32 bits, found {type_name(weight)}")
                ends = weight
            else:
                is_table = weight.dtype == np.int8 and weight.ndim == 2
                if not is_table or scale.dtype != np.float32 or len(weight) != scale.size:
                    raise ValueError(f"expected {name!r:.80} in eight bits, and the worth of each of its rows")
                largest = np.float32(max(int(weight.max(initial=0)), -int(weight.min(initial=0))))
                with np.errstate(all="ignore"):
                    ends = scale * largest
            # No sum or product of two such weights is infinite; min and max pass on what is no number.
            if ends.size and not -LARGEST <= float(ends.min()) <= float(ends.max()) <= LARGEST:
                raise ValueError(f"expected finite numbers up to {LARGEST:g}, found others in {name!r:.80}")

    def __len__(self) -> int:
        """The number of weights."""
        return len(self._stored)

    def __iter__(self) -> Iterator[str]:
        """Their names."""
        return iter(self._stored)

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        """A weight in float32."""
        return self._rows(name, slice(None))

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a weight."""
        return self._stored[name].shape

    def in_half(self, name: str) -> NDArray[np.float16] | NDArray[np.float32]:
        """A table in float16 if that holds its values, else in float32; never as a whole in both."""
        stored = self._stored[name]
        if stored.dtype == np.float16:
            return stored
        half = np.empty(stored.shape, np.float16)
        for start in range(0, len(stored), _AT_ONCE):
            block = slice(start, start + _AT_ONCE)
            with np.errstate(all="ignore"):
                half[block] = self._rows(name, block)
            if not np.isfinite(half[block]).all():
                return self[name]
        return half

    def _rows(self, name: str, rows: slice) -> NDArray[np.float32]:
        stored, scale = self._stored[name], self._scales.get(name)
        if scale is not None:
            with np.errstate(all="ignore"):
                return stored[rows].astype(np.float32) * scale.reshape(-1, 1)[rows]
        whole = stored if stored.ndim == 0 else stored[rows]
        return whole.astype(np.float32, copy=False)


def quantized(tensors: Mapping[str, Array]) -> dict[str, Array]:
    """Weights in a quarter of the space or less.

    Raises:
        InputError: If a weight is beyond what 16 bits hold.
    """
    small: dict[str, Array] = {}
    for name, tensor in tensors.items():
        if not name.endswith(_ROWS):
            with np.errstate(all="ignore"):
                small[name] = tensor.astype(np.float16) if tensor.dtype == np.float32 else tensor
            if not bool(np.isfinite(small[name]).all()):
                raise InputError(f"a quantized model holds weights below 65,504, found a larger one in '{name}'")
            continue
        vectors = tensor.astype(np.float32, copy=False)
        if not bool(np.isfinite(vectors).all()):
            raise InputError("a quantized model holds finite vectors, found one that is not")
        # Whole numbers (V, D) from -127 to 127, and the worth of one in each row (V,).
        largest = np.abs(vectors).max(1) if vectors.size else np.zeros(len(vectors), np.float32)
        with np.errstate(all="ignore"):
            half = largest.astype(np.float16).astype(np.float32)
            scale = np.where((half >= _LEAST_HALF) & np.isfinite(half), half, largest) / np.float32(_LARGEST)
            steps = vectors / np.maximum(scale, np.finfo(np.float32).tiny)[:, None]
        small[name] = np.rint(steps).clip(-_LARGEST, _LARGEST).astype(np.int8)
        small[name + _SCALE] = scale
    return small
