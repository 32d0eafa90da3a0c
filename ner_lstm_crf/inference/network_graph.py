"""One network as parts of an ONNX graph: the vectors of its features, its encoder, its emissions.

    ids of each feature -> vectors side by side -> encoder -> emissions
                           `token_vectors`         `encoder`   `projection`

Each part adds nodes and constants to a graph, and returns the name of its value. Weights are those of the network's
`state_dict`, by name. Within the graph time comes first, as the LSTM of ONNX reads it.

Letters: B sentences, T tokens of the longest, C characters of the longest word, D vector size, H LSTM units per
direction, K tags.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.bigrams import Bigrams
from ner_lstm_crf.features.characters import Characters
from ner_lstm_crf.features.gazetteer import NameLists
from ner_lstm_crf.features.lexicon import Lexicon
from ner_lstm_crf.features.token_feature import ContextFeature, TypeFeature
from ner_lstm_crf.features.word import Words
from ner_lstm_crf.inference.graph import Array, Graph

Floats: TypeAlias = NDArray[np.float32]
Weights: TypeAlias = Mapping[str, Array]
"""The weights of a network by name, float32."""

LOOKED_UP = (Bigrams, Lexicon, NameLists)
"""The context features that look up several vectors of a token, each in one table."""

DIRECTIONS = "forwards", "backwards"
"""The directions of a layer of the encoder, as the names of weights have them."""

_NO_CHARACTER = -1e9  # the score of a filter behind the end of a word


def has_graph(features: Mapping[str, Any]) -> bool:
    """True if all features look up vectors, so that their network can be a graph; a transformer does more."""
    return all(isinstance(one, (TypeFeature, *LOOKED_UP)) for one in features.values())


def ids_of_a_token(feature: Any) -> int:
    """How many ids a token has of a context feature of `LOOKED_UP`."""
    return len(feature.lists) if isinstance(feature, NameLists) else 2 if isinstance(feature, Bigrams) else 3


def token_vectors(
    graph: Graph,
    features: Mapping[str, Any],
    weights: Weights,
    ids: Mapping[str, str],
    prefix: str = "",
    scales: Mapping[str, Floats] | None = None,
) -> str:
    """The vectors of some features side by side (T, B, D), those of type features first.

    Args:
        graph: The graph.
        features: The features by name, in their order in the model.
        weights: The weights of the network.
        ids: The value with the ids of each feature, by name: for characters (T, B, C), 0 behind the end of a word; for
            bigrams (T, B, 2); for the lexicon (T, B, 3); for the gazetteer (T, B, lists); for all others (T, B).
        prefix: What the names of this network's constants begin with.
        scales: What the columns of a context feature's vectors (D,) are divided by, by its name; None for nothing.

    Raises:
        InputError: If a feature does more than look up vectors: a transformer.
    """
    vectors = []
    for name in sorted(features, key=lambda name: isinstance(features[name], ContextFeature)):
        feature, own = features[name], f"embedding.{name}."
        if isinstance(feature, Words):
            vectors.append(_words(graph, feature, weights[f"{own}table.trainable"], ids[name], prefix))
        elif isinstance(feature, Characters):
            vectors.append(_characters(graph, own, weights, ids[name], prefix))
        elif isinstance(feature, LOOKED_UP):
            table = context_table(feature, weights[f"{own}table.trainable"])
            table = table / scales[name] if scales else table
            rows = _rows(graph, table, ids[name], f"{prefix}{name}-table")  # (T, B, k, D)
            vectors.append(graph.add("Reshape", rows, _numbers(graph, 0, 0, -1)))
        elif isinstance(feature, TypeFeature):
            vectors.append(_rows(graph, weights[f"{own}embedding.weight"], ids[name], f"{prefix}{name}-table"))
        else:
            raise InputError(f"expected a model whose features look up vectors, found the feature {name!r}")
    return graph.add("Concat", *vectors, axis=2) if len(vectors) > 1 else vectors[0]


def context_table(feature: Bigrams | Lexicon | NameLists, table: Floats) -> Floats:
    """The vector of each id of a context feature (V, D), given its trained rows.

    The vector of a word of the lexicon is the sum of what it shares with others, and of what is its own, trained or
    frozen.
    """
    if not isinstance(feature, Lexicon):
        return table
    shared = feature.shared_rows()
    if feature.frozen is not None:
        table = np.concatenate([table, feature.frozen.astype(np.float32)])
    is_own = shared != np.arange(len(shared))
    return np.where(is_own[:, None], table[shared] + table, table)


def _words(graph: Graph, words: Words, trainable: Floats, ids: str, prefix: str) -> str:
    """The vectors of words: in trainable rows, and behind these in frozen ones, which networks share."""
    frozen = words.frozen
    if not len(frozen):
        return _rows(graph, trainable, ids, f"{prefix}word-table")
    # Each id is looked up in both, if need be at another row; which one counts is chosen then.
    first, last, zero = (_number(graph, number) for number in (len(trainable), len(trainable) - 1, 0))
    is_trainable = graph.add("Unsqueeze", graph.add("Less", ids, first), _numbers(graph, -1))
    trained = _rows(graph, trainable, graph.add("Min", ids, last), f"{prefix}word-table")
    name = "word-frozen-table"
    shared = name if name in graph.constants else graph.constant(frozen, name)
    fixed = graph.add("Gather", shared, graph.add("Max", graph.add("Sub", ids, first), zero))
    if frozen.dtype != np.float32:
        fixed = graph.add("Cast", fixed, to=1)
    return graph.add("Where", is_trainable, trained, fixed)


def convolutions(weights: Weights, prefix: str = "") -> Iterator[tuple[Floats, Floats]]:
    """The filters (F, D, width) and biases (F,) of the convolutions of several widths whose names begin so."""
    number = 0
    while (filters := weights.get(f"{prefix}convolutions.{number}.weight")) is not None:
        yield filters, weights[f"{prefix}convolutions.{number}.bias"]
        number += 1


def is_intnet(weights: Weights, prefix: str = "") -> bool:
    """True if the weights of a feature, whose names begin so, are those of IntNet; else they are a char-CNN's."""
    return f"{prefix}blocks.0.narrow.weight" in weights


def _characters(graph: Graph, own: str, weights: Weights, ids: str, prefix: str) -> str:
    """The char-CNN or IntNet: the largest value of each filter over the positions of a word."""
    # 1. The vectors of the characters of each word (N, D, C), N being T * B.
    vectors = weights[f"{own}embedding.weight"].copy()
    vectors[0] = 0  # behind the end
    most = graph.add("Shape", ids, start=2, end=3)
    flat = graph.add("Reshape", ids, graph.add("Concat", _numbers(graph, -1), most, axis=0))
    embedded = graph.add("Transpose", _rows(graph, vectors, flat, f"{prefix}characters-table"), perm=[0, 2, 1])
    is_character = graph.add("Unsqueeze", graph.add("Greater", flat, _number(graph, 0)), _numbers(graph, 1))
    # 2. What the filters have for each position (N, F, C).
    found = _convolved(graph, embedded, weights, own, prefix)
    if is_intnet(weights, own):
        # Blocks, each of which reads what is before it, through a convolution of width 1. Behind the end there is zero.
        number, zero = 0, graph.constant(np.array(0, np.float32))
        found = [graph.add("Relu", one) for one in found]
        while (narrow := weights.get(f"{own}blocks.{number}.narrow.weight")) is not None:
            name = f"{prefix}characters-narrow-{number}"
            constants = (
                graph.constant(narrow[:, :, None], name),
                graph.constant(weights[f"{own}blocks.{number}.narrow.bias"], f"{name}-biases"),
            )
            read = graph.add("Relu", graph.add("Conv", graph.add("Concat", *found, axis=1), *constants))
            inside = graph.add("Where", is_character, read, zero)
            convolved = _convolved(graph, inside, weights, f"{own}blocks.{number}.", f"{prefix}block-{number}-")
            found += [graph.add("Relu", one) for one in convolved]
            number += 1
    # 3. The best of each filter, side by side, and the words as they were (T, B, F).
    none = graph.constant(np.array(_NO_CHARACTER, np.float32))
    best = [graph.add("ReduceMax", graph.add("Where", is_character, one, none), axes=[2], keepdims=0) for one in found]
    side_by_side = graph.add("Concat", *best, axis=1)
    shape = graph.add("Concat", graph.add("Shape", ids, start=0, end=2), _numbers(graph, -1), axis=0)
    return graph.add("Reshape", side_by_side, shape)


def _convolved(graph: Graph, values: str, weights: Weights, own: str, prefix: str) -> list[str]:
    """Convolutions of several widths over values (N, D, C). One of even width reads one more before than behind."""
    convolved = []
    for number, (weight, bias) in enumerate(convolutions(weights, own)):
        constants = (
            graph.constant(weight, f"{prefix}characters-filters-{number}"),
            graph.constant(bias, f"{prefix}characters-biases-{number}"),
        )
        width = weight.shape[2]
        convolved.append(graph.add("Conv", values, *constants, pads=[width // 2, (width - 1) // 2]))
    return convolved


def _rows(graph: Graph, table: Array, ids: str, name: str) -> str:
    """The rows of a table."""
    return graph.add("Gather", graph.constant(table, name), ids)


def _number(graph: Graph, number: int) -> str:
    return graph.constant(np.array(number, np.int64))


def _numbers(graph: Graph, *numbers: int) -> str:
    return graph.constant(np.array(numbers, np.int64))


def encoder(graph: Graph, config: ModelConfig, weights: Weights, values: str, lengths: str, prefix: str = "") -> str:
    """The vectors of tokens in their context (T, B, 2 H); zero beyond the lengths.

    Args:
        graph: The graph.
        config: The configuration of the network.
        weights: Its weights.
        values: The vectors of tokens (T, B, D).
        lengths: Tokens of each sentence (B,), int32; what is behind them reaches no token.
        prefix: What the names of this network's constants begin with.
    """
    for depth in range(config.layers):
        names = (f"{prefix}{name}-{depth}" for name in ("lstm-input", "lstm-hidden", "lstm-biases"))
        read = map(np.stack, zip(*directions(weights, depth), strict=True))
        constants = [graph.constant(one, name) for one, name in zip(read, names, strict=True)]
        output = graph.add(
            "LSTM", values, *constants, lengths, hidden_size=config.hidden_size, direction="bidirectional"
        )
        values = layer_output(graph, config, values, output, depth)
    return values


def layer_output(graph: Graph, config: ModelConfig, values: str, output: str, depth: int) -> str:
    """The output of a layer: both directions (T, 2, B, H) of a token side by side, and the residual connection."""
    in_order = graph.add("Transpose", output, perm=[0, 2, 1, 3])
    side_by_side = graph.add("Reshape", in_order, _numbers(graph, 0, 0, -1))
    return graph.add("Add", side_by_side, values) if config.residual and depth else side_by_side


def directions(weights: Weights, depth: int) -> Iterator[tuple[Floats, Floats, Floats]]:
    """For each direction of a layer: weights from the input (4 H, D), from the hidden state (4 H, H), biases (8 H,).

    Torch orders the gates input, forget, cell, output; ONNX input, output, forget, cell.
    """
    for direction in DIRECTIONS:
        parts = []
        for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
            gates = np.split(weights[f"encoder.{direction}.{depth}.lstm.{name}"], 4)
            parts.append(np.concatenate([gates[0], gates[3], gates[1], gates[2]]))
        from_input, from_hidden, input_bias, hidden_bias = parts
        yield from_input, from_hidden, np.concatenate([input_bias, hidden_bias])


def projection(graph: Graph, weights: Weights, values: str, prefix: str = "") -> str:
    """The emission scores of tokens (B, T, K), given their vectors in context (T, B, 2 H)."""
    weight = np.ascontiguousarray(weights["projection.weight"].T)
    product = graph.add("MatMul", values, graph.constant(weight, f"{prefix}projection"))
    biased = graph.add("Add", product, graph.constant(weights["projection.bias"], f"{prefix}projection-bias"))
    return graph.add("Transpose", biased, perm=[1, 0, 2])


def mean(graph: Graph, values: Sequence[str], name: str) -> str:
    """The mean of the emissions of several networks, under a name of its own."""
    return graph.add("Mean", *values, name=name)
