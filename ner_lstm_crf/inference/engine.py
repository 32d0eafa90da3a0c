"""The networks of a model in tagging, without torch: the mean of their emissions, computed by ONNX Runtime.

    word types -> type vectors (cached) -> the graph of the networks -> the mean of their emissions

The vectors of tokens' word types and the ids of context features are what the graph reads; it holds the LSTMs and the
projections of all networks. Why the mean is that of an ensemble: `model/inference.py`.

Letters: R word types, B sentences, T tokens of the longest, D vector size, H LSTM units per direction, K tags.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, get_args

import numpy as np

from ner_lstm_crf.config import Precision
from ner_lstm_crf.crf import FORBIDDEN, ScoreTables
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.batch import Batch, WordTypes
from ner_lstm_crf.features.token_feature import ContextFeature, Ids
from ner_lstm_crf.inference.graph import Graph
from ner_lstm_crf.inference.network_graph import (
    Floats,
    Weights,
    encoder,
    has_graph,
    ids_of_a_token,
    mean,
    projection,
    token_vectors,
)
from ner_lstm_crf.inference.quantized_network import Scales, quantized_encoder
from ner_lstm_crf.inference.runtime import session
from ner_lstm_crf.inference.sentence_network import SentenceNetwork, has_kernel
from ner_lstm_crf.inference.type_vectors import TypeVectors, vectors_of
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.saving.networks import LoadedNetworks


class Engine(Protocol):
    """The networks of a model in tagging.

    Whoever tags calls `type_vectors` for the words of some sentences, then `emissions` for each batch of them, which
    decoding reads with `tables`. The latter two may run on several threads at once.

    Attributes:
        batch_sentences: How many sentences a batch should have at most.
        batch_tokens: How many tokens, padding included.
    """

    batch_sentences: int
    batch_tokens: int

    @property
    def tables(self) -> ScoreTables:
        """The mean of the score tables of the networks."""

    def type_vectors(self, rows: Ids) -> list[Any]:
        """For each network the vectors of word types (R, D), of which these rows are computed.

        What was returned stays as it is, for these rows, whatever is computed later.
        """

    def emissions(self, type_vectors: Sequence[Any], batch: Batch) -> Floats:
        """Emission scores of each token, the mean over the networks (B, T, K).

        Args:
            type_vectors: The result of `type_vectors`, of rows that the batch's are among.
            batch: Sentences whose tokens are rows of the word types.
        """

    def encoded(self, type_vectors: Sequence[Any], batch: Batch) -> Floats:
        """The encoder's output for each token, those of the networks side by side (B, T, 2 H each).

        The arguments are those of `emissions`.
        """


def engine_for(model: Model, word_types: WordTypes, precision: Precision = "float32") -> Engine:
    """What computes the emissions of a model.

    ONNX Runtime computes in float32 what was read from a directory: one short sentence in a third of the time of torch,
    a batch as fast; and in 8 bits any model, more than twice as fast. Torch computes networks whose weights may change,
    as in training, transformers, and bfloat16.

    Args:
        model: The model.
        word_types: The word types that batches refer to.
        precision: What the LSTM computes in.

    Raises:
        InputError: If the precision is none, the processor lacks it, or it is "int8" and the model has a transformer.
    """
    if precision not in get_args(Precision):
        raise InputError(f"expected a precision ({', '.join(get_args(Precision))}), got {precision!r}")
    if precision == "int8" or (precision == "float32" and is_fixed(model) and has_graph(model.features)):
        return OnnxEngine(model, word_types, quantized=precision == "int8")
    from ner_lstm_crf.model.inference import InferenceNetwork

    return InferenceNetwork(model.networks, word_types, precision)


def is_fixed(model: Model) -> bool:
    """True if a model was read from a directory, and no network was made of its weights, which could change them."""
    return isinstance(model.networks, LoadedNetworks) and model.networks.weights is not None


class OnnxEngine(Engine):
    """The networks of a model, whose weights do not change, on ONNX Runtime; in float32 one sentence alone in C.

    Each thread computes on its own, and none is started.

    Args:
        model: The model, with the weights that it has now.
        word_types: The word types that batches refer to.
        quantized: True to compute the LSTM in 8 bits.

    Raises:
        InputError: If a feature does more than look up vectors; see `network_graph.has_graph`.
    """

    batch_sentences, batch_tokens = 128, 1024  # what a batch needs stays in the processor's cache

    def __init__(self, model: Model, word_types: WordTypes, *, quantized: bool = False) -> None:
        config, features, weights = model.config, model.features, model.weights
        self._size, self._tables = config.hidden_size, score_tables(model, weights)
        self._types: list[TypeVectors] = []
        self._encoded: list[str] = []
        self._alone: list[SentenceNetwork] = []  # the networks once more, for one sentence at a time
        context = {name: one for name, one in features.items() if isinstance(one, ContextFeature)}
        # 1. The inputs that the networks share.
        graph = Graph("emissions of tokens")
        lengths = graph.input("lengths", np.int32, ["sentences"])
        ids = {}
        for name, feature in context.items():
            ids[name] = graph.input(name, np.int64, ["tokens", "sentences", ids_of_a_token(feature)])
        self._context = tuple(ids)
        # 2. The networks.
        emissions = []
        for number, own in enumerate(weights, 1):
            prefix, used, parts, of_context = f"network-{number}-", own, vectors_of(features, own), None
            if quantized:
                scales = Scales.of(features, own, parts)
                used, types = scales.weights(config, own), TypeVectors(parts, word_types, scales.scaled)
                of_context = scales.context
            else:
                types = TypeVectors(parts, word_types)
            values = graph.input(f"{prefix}types", np.float32, ["tokens", "sentences", types.size])
            if context:
                values = graph.add(
                    "Concat", values, token_vectors(graph, context, used, ids, prefix, of_context), axis=2
                )
            encode = quantized_encoder if quantized else encoder
            encoded = encode(graph, config, used, values, lengths, prefix)
            emissions.append(projection(graph, used, encoded, prefix))
            graph.output(encoded, np.float32, ["tokens", "sentences", 2 * self._size + 4 * quantized])
            self._types.append(types)
            self._encoded.append(encoded)
            if not quantized and has_kernel():
                tables = {name: graph.constants[f"{prefix}{name}-table"] for name in context}
                self._alone.append(SentenceNetwork(config, own, tables))
        # 3. Their mean.
        self._emissions = [mean(graph, emissions, "emissions")]
        graph.output("emissions", np.float32, ["sentences", "tokens", len(model.tags)])
        self._session = session(graph)

    @property
    def tables(self) -> ScoreTables:
        """The mean of the score tables of the networks."""
        return self._tables

    def type_vectors(self, rows: Ids) -> list[Floats]:
        """See `Engine.type_vectors`."""
        return [types.of(rows) for types in self._types]

    def emissions(self, type_vectors: Sequence[Floats], batch: Batch) -> Floats:
        """See `Engine.emissions`."""
        if self._alone and _is_one_sentence(batch):
            each = [
                network.emissions(*_sentence(vectors, batch))
                for network, vectors in zip(self._alone, type_vectors, strict=True)
            ]
            return (each[0] if len(each) == 1 else np.mean(each, axis=0))[None]
        emissions: Floats = self._session.run(self._emissions, self._inputs(type_vectors, batch))[0]
        return emissions

    def encoded(self, type_vectors: Sequence[Floats], batch: Batch) -> Floats:
        """See `Engine.encoded`."""
        if self._alone and _is_one_sentence(batch):
            alone = zip(self._alone, type_vectors, strict=True)
            return np.concatenate([network.encoded(*_sentence(one, batch)) for network, one in alone], axis=1)[None]
        each = self._session.run(self._encoded, self._inputs(type_vectors, batch))
        tokens, sentences = each[0].shape[:2]
        units = [
            one.reshape(tokens, sentences, 2, -1)[..., : self._size].reshape(tokens, sentences, -1) for one in each
        ]
        return np.concatenate(units, axis=2).swapaxes(0, 1)

    def _inputs(self, type_vectors: Sequence[Floats], batch: Batch) -> dict[str, Any]:
        """What the graph reads, time first."""
        tokens = batch.tokens.T
        inputs: dict[str, Any] = {"lengths": batch.lengths.astype(np.int32)}
        for name in self._context:
            inputs[name] = np.ascontiguousarray(batch.inputs[name].swapaxes(0, 1))
        for number, vectors in enumerate(type_vectors, 1):
            inputs[f"network-{number}-types"] = vectors.take(tokens, axis=0)
        return inputs


def _is_one_sentence(batch: Batch) -> bool:
    """True for one sentence without padding."""
    return len(batch.lengths) == 1 and batch.tokens.shape[1] == batch.lengths[0]


def _sentence(vectors: Floats, batch: Batch) -> tuple[Floats, dict[str, Any]]:
    """The vectors of the word types of a batch's only sentence (T, D), and the ids of its context features (T, k)."""
    return vectors.take(batch.tokens[0], axis=0), {name: ids[0] for name, ids in batch.inputs.items()}


def score_tables(model: Model, weights: Sequence[Weights]) -> ScoreTables:
    """The mean of the score tables of some networks of a model; zeros without a CRF."""
    allowed = model.tags.allowed_transitions()
    if model.config.head == "softmax":
        return ScoreTables(*(np.zeros(one.shape, np.float32) for one in allowed))
    names = "start_transitions", "transitions", "end_transitions"
    means = [np.mean([own[f"head.{name}"] for own in weights], axis=0, dtype=np.float32) for name in names]
    tables = zip(allowed, means, strict=True)
    return ScoreTables(*(np.where(one, mean, np.float32(FORBIDDEN)) for one, mean in tables))
