"""The encoder of a network in whole numbers of 8 bits: half the time, and the same emissions in any batch.

ONNX Runtime multiplies weights of 8 bits with values that it rounds to 8 bits, too, and by itself it spreads their 256
steps over the values of the whole batch. A sentence would have other emissions beside other sentences. So each matrix
gets two values that are as large as any in it can be, whatever the batch, and the steps are always the same:

    vectors of tokens    divided by what is large for each column, cut at -1 and 1; two more columns hold 1 and -1
    hidden states        two more cells, of open gates, to which each token adds 1 and -1: no cell can hold more
    layers above         read those two cells of each direction as well

Weights have 7 bits: where a processor adds two products in 16 bits, as those without VNNI do, none overflows.

Letters: R rows of a table, W words, T tokens, B sentences, D vector size, H LSTM units per direction, K tags.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.features.batch import WordTypes
from ner_lstm_crf.inference.graph import MICROSOFT, Array, Graph
from ner_lstm_crf.inference.network_graph import (
    DIRECTIONS,
    LOOKED_UP,
    Floats,
    Weights,
    context_table,
    directions,
    ids_of_a_token,
    layer_output,
)
from ner_lstm_crf.inference.type_vectors import TypeVectors, Vectors

_LARGEST = 63  # of a weight
_OPEN = 30.0  # what an open gate reads
_SAMPLE = 2000  # words that say what is large for the vector of a word


@dataclass(frozen=True, slots=True)
class Scales:
    """What the columns of the tokens' vectors are divided by, so that they lie between -1 and 1.

    Attributes:
        types: Those of the vectors of word types (D,).
        context: Those of the vector of one id, for each context feature.
        ids: The ids that a token has of each of these.
    """

    types: Floats
    context: Mapping[str, Floats]
    ids: Mapping[str, int]

    @classmethod
    def of(cls, features: Mapping[str, Any], weights: Weights, parts: Mapping[str, Vectors]) -> Self:
        """The largest values of the tables of context features, and of the vectors of words of the vocabulary.

        Args:
            features: The features by name.
            weights: The weights of the network.
            parts: The result of `vectors_of` for them.
        """
        symbols = features["word"].vocabulary.symbols
        sample = symbols[:: len(symbols) // _SAMPLE + 1]
        word_types = WordTypes(features)
        rows = word_types.rows(sample)
        types = TypeVectors(parts, word_types).of(rows)[rows]
        tables = {
            name: context_table(features[name], weights[f"embedding.{name}.table.trainable"])
            for name in features
            if isinstance(features[name], LOOKED_UP)
        }
        counts = {name: ids_of_a_token(features[name]) for name in tables}
        return cls(_largest(types), {name: _largest(table) for name, table in tables.items()}, counts)

    def scaled(self, vectors: Floats) -> Floats:
        """The vectors of words (W, D) between -1 and 1, and behind them the two constant columns (W, D + 2)."""
        constant = np.ones((len(vectors), 1), np.float32)
        return np.concatenate([np.clip(vectors / self.types, -1, 1), constant, -constant], axis=1)

    def weights(self, config: ModelConfig, weights: Weights) -> dict[str, Array]:
        """The weights for scaled vectors, with columns for what is constant; those of type features are left out."""
        adapted = {name: weights[name] for name in weights if not name.startswith("embedding.")}
        # 1. Tables of context features, which `token_vectors` divides by their scales.
        for name in self.context:
            table = f"embedding.{name}.table.trainable"
            adapted[table] = weights[table]
        # 2. What the first layer reads: vectors of word types, the two constant columns, those of context features.
        context = [np.tile(scales, self.ids[name]) for name, scales in self.context.items()]
        columns, types = np.concatenate([self.types, *context]), len(self.types)
        for direction in DIRECTIONS:
            name = f"encoder.{direction}.0.lstm.weight_ih_l0"
            adapted[name] = np.insert(adapted[name] * columns, [types, types], 0, axis=1)
        # 3. What reads both directions of a layer.
        above = [f"encoder.{way}.{depth}.lstm.weight_ih_l0" for way in DIRECTIONS for depth in range(1, config.layers)]
        for name in (*above, "projection.weight"):
            adapted[name] = with_constant_units(adapted[name].T, config.hidden_size).T
        return adapted


def _largest(vectors: Floats) -> Floats:
    """The largest absolute value of each column (D,), 1 where all are 0."""
    largest = np.abs(vectors).max(0, initial=0)
    return np.where(largest > 0, largest, 1).astype(np.float32)


def quantized_encoder(
    graph: Graph, config: ModelConfig, weights: Weights, values: str, lengths: str, prefix: str = ""
) -> str:
    """As `network_graph.encoder`; behind the units of each direction come its two constant ones (T, B, 2 H + 4).

    Args:
        graph: The graph.
        config: The configuration of the network.
        weights: `Scales.weights`.
        values: The scaled vectors of tokens (T, B, D + 2).
        lengths: Tokens of each sentence (B,), int32.
        prefix: What the names of this network's constants begin with.
    """
    size = config.hidden_size
    zeros = graph.constant(np.zeros((2, 4 * (size + 2)), np.int8))  # the number that stands for 0
    for depth in range(config.layers):
        both: list[list[Array]] = []
        for from_input, from_hidden, biases in directions(weights, depth):
            # 1. The two constant cells: the gates input, output and forget are open, and the cells read 1 and -1.
            own = np.pad(from_hidden, [(0, 0), (0, 2)])
            with_cells = with_constant_units(biases, size).reshape(2, 4, size + 2)
            with_cells[0, :, size:] = [[_OPEN, _OPEN], [_OPEN, _OPEN], [_OPEN, _OPEN], [_OPEN, -_OPEN]]
            # 2. In whole numbers.
            parts = [_whole(with_constant_units(part, size)) for part in (from_input, own)]
            both.append([*parts[0], *parts[1], with_cells.ravel()])
        names = "lstm-input", "lstm-input-scales", "lstm-hidden", "lstm-hidden-scales", "lstm-biases"
        inputs, input_scales, hidden, hidden_scales, all_biases = (
            graph.constant(np.stack(pair), f"{prefix}{name}-{depth}")
            for name, pair in zip(names, zip(*both, strict=True), strict=True)
        )
        output = graph.add(
            "DynamicQuantizeLSTM",
            *(values, inputs, hidden, all_biases, lengths, "", "", ""),
            *(input_scales, zeros, hidden_scales, zeros),
            domain=MICROSOFT,
            hidden_size=size + 2,
            direction="bidirectional",
        )
        values = layer_output(graph, config, values, output, depth)
        # 4. The constant units have reached 1 and -1 before the first token already, for the layer above.
        if depth + 1 < config.layers:
            most = np.float32(depth + 1 if config.residual else 1)
            units = np.full((2, size + 2), most)
            floor, ceiling = -units, units
            floor[:, size], ceiling[:, size + 1] = most, -most
            values = graph.add("Max", values, graph.constant(floor.ravel()))
            values = graph.add("Min", values, graph.constant(ceiling.ravel()))
    return values


def with_constant_units(rows: Floats, size: int) -> Floats:
    """Rows (n H, ...) with two rows of zeros behind each H, `size`, of them."""
    parts = rows.reshape(-1, size, *rows.shape[1:])
    padded = np.pad(parts, [(0, 0), (0, 2)] + [(0, 0)] * (rows.ndim - 1))
    return padded.reshape(-1, *rows.shape[1:])


def _whole(weight: Floats) -> tuple[NDArray[np.int8], Floats]:
    """A weight (N, D) as whole numbers (D, N), and the worth of 1 in each row (N,)."""
    scales = _largest(weight.T) / np.float32(_LARGEST)
    return np.ascontiguousarray(np.round(weight / scales[:, None]).T, np.int8), scales
