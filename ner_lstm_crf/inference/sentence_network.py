"""One network for one sentence at a time, in C (`kernels/lstm.c`): two thirds of the time of ONNX Runtime.

    vectors of tokens -> for each layer both directions of its LSTM -> emissions

The sentences of a batch share what is read of the weights, and ONNX Runtime is as fast. One sentence alone pays for all
of it. So here the weights lie in the order in which they are read, and in 16 bits where these hold them exactly, as
those of a quantized model. The results are those of a batch but for rounding.

Letters: T tokens, D vector size, H LSTM units per direction, K tags.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ner_lstm_crf import kernels
from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.inference.graph import Array
from ner_lstm_crf.inference.network_graph import Floats, Weights, directions

_LANES = 16  # the units of a gate are padded to a multiple of them
_READ_HALVES = "x86-64-v3", "x86-64-v4"  # the levels of the processor whose kernels read numbers of 16 bits


def has_kernel() -> bool:
    """True if the kernel was compiled for this machine."""
    return kernels.available_for(np.zeros(0, np.float32))


@dataclass(frozen=True, slots=True)
class _Direction:
    """The weights of one direction of a layer, as `kernels/lstm.c` reads them; P is H and padding.

    Attributes:
        from_input: In panels of 16 columns (4 P / 16, D, 16).
        from_hidden: In panels of 64 columns (4 P / 64, H, 64), in 16 bits if these hold it exactly.
        biases: (4 P,).
        backwards: True for the direction that reads the last token first.
    """

    from_input: Floats
    from_hidden: Array
    biases: Floats
    backwards: bool

    @classmethod
    def of(cls, from_input: Floats, from_hidden: Floats, biases: Floats, backwards: bool) -> _Direction:
        """The weights of ONNX's LSTM (4 H, D), (4 H, H) and (8 H,)."""
        units = from_hidden.shape[1]
        hidden = _padded(from_hidden, units)
        with np.errstate(over="ignore"):  # what is too large becomes infinite, and is not exact
            half = hidden.astype(np.float16)
        is_exact = kernels.level_in_use() in _READ_HALVES and bool((half == hidden).all())
        summed = _padded((biases[: 4 * units] + biases[4 * units :])[:, None], units)[0]
        panels = _panels(_padded(from_input, units), 16), _panels(half if is_exact else hidden, 64)
        return cls(*panels, summed, backwards)

    def write(self, values: Floats, out: Floats) -> None:
        """Write the hidden states of a sentence (T, D) into `out` (T, H), a part of the rows of an array."""
        tokens, size = values.shape
        gates = np.empty((tokens + 1, len(self.biases)), np.float32)
        gates[:tokens] = self.biases
        kernels.kernel("lstm_sentence", out.dtype)(
            *(values.ctypes.data, tokens, size),
            *(self.from_input.ctypes.data, self.from_hidden.ctypes.data, self.from_hidden.itemsize == 2),
            *(out.shape[1], len(self.biases) // 4, self.backwards),
            *(gates.ctypes.data, out.ctypes.data, out.strides[0] // out.itemsize),
        )


def _padded(weights: Floats, units: int) -> Floats:
    """Weights (4 H, N) as rows (N, 4 P)."""
    gates = weights.reshape(4, units, -1)
    padded = np.pad(gates, [(0, 0), (0, -units % _LANES), (0, 0)])
    return np.asarray(padded.reshape(-1, weights.shape[1]).T, np.float32)


def _panels(weights: Array, columns: int) -> Array:
    """Weights (N, M) in panels of so many columns (M / columns, N, columns)."""
    return np.ascontiguousarray(weights.reshape(len(weights), -1, columns).swapaxes(0, 1))


class SentenceNetwork:
    """The encoder and the projection of one network.

    Args:
        config: The configuration of the network.
        weights: Its weights.
        tables: The vector of each id of the context features, by their names (V, D).
    """

    def __init__(self, config: ModelConfig, weights: Weights, tables: Mapping[str, Floats]) -> None:
        self._residual, self._size, self._tables = config.residual, config.hidden_size, tables
        self._layers = [
            [_Direction.of(*parts, bool(number)) for number, parts in enumerate(directions(weights, depth))]
            for depth in range(config.layers)
        ]
        self._projection = np.ascontiguousarray(weights["projection.weight"].T)
        self._bias = weights["projection.bias"]

    def encoded(self, types: Floats, context: Mapping[str, Any]) -> Floats:
        """The vectors of the tokens of a sentence in their context (T, 2 H).

        Args:
            types: The vectors of their word types (T, D).
            context: The ids of each context feature (T, k).
        """
        tokens = len(types)
        looked_up = [table[context[name]].reshape(tokens, -1) for name, table in self._tables.items()]
        values = np.ascontiguousarray(np.concatenate([types, *looked_up], axis=1) if looked_up else types)
        for depth, layer in enumerate(self._layers):
            output = np.empty((tokens, 2 * self._size), np.float32)
            for number, direction in enumerate(layer):
                direction.write(values, output[:, number * self._size : (number + 1) * self._size])
            values = output + values if self._residual and depth else output
        return values

    def emissions(self, types: Floats, context: Mapping[str, Any]) -> Floats:
        """The emission scores of the tokens of a sentence (T, K); the arguments are those of `encoded`."""
        emissions: Floats = self.encoded(types, context) @ self._projection + self._bias
        return emissions
