"""A model as one standard ONNX graph, from the ids of tokens to emissions, and a description of all else in JSON.

    MODEL.onnx   ids of words, casing, characters, pairs, lexicon words; lengths -> emissions (B, T, K)
    MODEL.json   how a text becomes ids, and emissions become entities: rules, symbols, tags, score tables

Both are described in docs/onnx.md. The graph has operators of ONNX alone, so that every runtime computes it. Weights of
fewer bits become float32 again when the graph is loaded, which makes the file smaller and not faster.

Letters: B sentences, T tokens of the longest, C characters of the longest word, D vector size, H LSTM units per
direction, K tags, R rows of a table.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from ner_lstm_crf import __version__
from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.bigrams import Bigrams
from ner_lstm_crf.features.casing import CASINGS
from ner_lstm_crf.features.characters import Characters
from ner_lstm_crf.features.lexicon import Lexicon
from ner_lstm_crf.features.registry import Features
from ner_lstm_crf.features.simplified import simplified_pairs
from ner_lstm_crf.features.vocabulary import PADDING
from ner_lstm_crf.features.word import Words
from ner_lstm_crf.files.atomic import Content, make_directory, write_together
from ner_lstm_crf.files.json import json_text
from ner_lstm_crf.inference.ecmascript import ecmascript
from ner_lstm_crf.inference.graph import Array, Graph
from ner_lstm_crf.inference.network_graph import encoder, mean, projection, token_vectors
from ner_lstm_crf.inference.runtime import onnx_runtime
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.tags.tag_set import TagSet
from ner_lstm_crf.text.normalization import normalized_words
from ner_lstm_crf.text.scripts import HAN
from ner_lstm_crf.text.sentences import PATTERNS, WORD_LISTS
from ner_lstm_crf.text.tokenizer import token_pattern

WeightPrecision: TypeAlias = Literal["float32", "float16", "int8"]
Scores: TypeAlias = Callable[[Sequence[str], Sequence[int]], tuple[NDArray[np.float32], Sequence[NDArray[np.float32]]]]
"""From the tokens of sentences, end to end, and the lengths of these to the emissions of all tokens (N, K), and the
score tables: of the start (K,), of transitions (K, K), of the end (K,)."""

FORMAT, VERSION = "ner_lstm_crf-onnx", 1

DEVIATION: Mapping[WeightPrecision, float] = {"float32": 1e-5, "float16": 1e-3, "int8": 0.02}
"""The most that an emission may be off, as a share of the largest one, and of 10 if that is less."""


def export_model(model: Model, path: str | Path, scores: Scores, precision: WeightPrecision = "float32") -> Path:
    """Write a model as MODEL.onnx and MODEL.json, once it is known that both say what the library says.

    Args:
        model: The model.
        path: The path of the graph, which ends with .onnx. The description is beside it.
        scores: What the library says of sentences, in float32.
        precision: The number type of weights in the file.

    Returns:
        The path of the description.

    Raises:
        InputError: If the package onnx is not installed, the path has another ending or cannot be written, there is no
            such precision, the model has a transformer, or its emissions in ONNX are others.
    """
    # 1. Refuse what cannot be done, before the work.
    path = Path(path)
    if path.suffix != ".onnx":
        raise InputError("expected the path of a graph to write, which ends with .onnx", path=path)
    if path.is_dir():
        raise InputError("expected the path of a graph to write, found a folder", path=path)
    if precision not in get_args(WeightPrecision):
        raise InputError(f"expected a precision ({', '.join(get_args(WeightPrecision))}), got {precision!r:.40}")
    if other := model.features.keys() - _INPUTS.keys():
        raise InputError(
            f"expected a model whose features are {', '.join(_INPUTS)}: one with a {min(other)} cannot be exported"
        )
    try:
        import onnx
    except ImportError:
        raise InputError("export: expected the package onnx: pip install 'ner-lstm-crf[onnx]'") from None
    # 2. The graph, checked by itself and against the library.
    content = in_precision(model_graph(model), precision)
    try:
        onnx.checker.check_model(content, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise AssertionError(f"expected a valid graph, got one of which onnx says: {error}") from error
    words, lengths = _probe(model)
    expected, tables = scores(words, lengths)
    found = onnx_emissions(onnx_session(content), model_inputs(model.features, words, lengths), lengths)
    difference, limit = float(np.abs(found - expected).max()), DEVIATION[precision] * max(10.0, np.abs(expected).max())
    if not difference <= limit:
        raise InputError(
            f"expected emissions that differ by at most {limit:.2g}, found {difference:.2g}: this model does not bear "
            f"the precision {precision}",
            path=path,
        )
    # 3. Both files.
    description = {
        "format": FORMAT,
        "version": VERSION,
        "made_by": f"ner_lstm_crf {__version__}",
        "precision": precision,
        "sha256": hashlib.sha256(content).hexdigest(),
        "text": _describe_text(model.config),
        "features": {name: _DESCRIPTIONS[name](feature) for name, feature in model.features.items()},
        "decoding": _describe_decoding(model.tags, tables, model.temperature),
    }
    beside = path.with_suffix(".json")
    make_directory(path.parent)
    files: dict[str, Content] = {
        path.name: lambda file: file.write_bytes(content),
        beside.name: json_text(description, compact=True) + "\n",
    }
    write_together(path.parent, files)
    return beside


def onnx_session(content: bytes) -> Any:
    """A session of ONNX Runtime that computes a graph on one thread."""
    onnxruntime = onnx_runtime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def onnx_emissions(session: Any, inputs: Mapping[str, Array], lengths: Sequence[int]) -> NDArray[np.float32]:
    """The emissions that a session computes for the tokens of all sentences (N, K).

    Args:
        session: The result of `onnx_session`.
        inputs: The result of `model_inputs`.
        lengths: Tokens of each sentence.
    """
    (emissions,) = session.run(None, dict(inputs))
    rows = [row[:length] for row, length in zip(emissions, lengths, strict=True)]
    of_tokens: NDArray[np.float32] = np.concatenate(rows)
    return of_tokens


def model_inputs(features: Features, words: Sequence[str], lengths: Sequence[int]) -> dict[str, NDArray[np.int32]]:
    """The inputs of the graph for sentences of one token or more, int32.

    Args:
        features: The features of the model.
        words: The tokens, sentences end to end (N,).
        lengths: Tokens of each sentence (B,).

    Returns:
        `lengths` (B,), and for each feature its ids: (B, T), or (B, T, k) if it has several for a token.
    """
    words = normalized_words(words)
    real = np.arange(max(lengths)) < np.array(lengths)[:, None]  # (B, T)
    inputs = {"lengths": np.array(lengths, np.int32)}
    for name, feature in features.items():
        if isinstance(feature, Characters):
            spelled = [feature.vocabulary.ids(word or [""]) for word in words]
            ids = np.full((len(words), max(map(len, spelled))), PADDING)
            for row, characters in zip(ids, spelled, strict=True):
                row[: len(characters)] = characters
        elif isinstance(feature, Bigrams | Lexicon):
            ids = feature.encode(words, feature.type_ids(words), np.array(lengths, np.int64))
        else:
            ids = feature.type_ids(words)
        inputs[name] = np.zeros((*real.shape, *ids.shape[1:]), np.int32)
        inputs[name][real] = ids
    return inputs


def _probe(model: Model) -> tuple[list[str], list[int]]:
    """Some sentences of words that the model knows and of others, end to end, and their lengths."""
    random = np.random.default_rng(0)
    lengths = [1, 2, 3, 7, 20, 40]
    if model.config.token_unit == "character":
        own = [*"我们在北京看长江大桥，从2024年到现在。", "龘", "A", "é"]
        known: Sequence[str] = [word for word in _symbols(model.features) if len(word) == 1]
    else:
        own = ["Rome", "rome", "IBM", "iPhone", "1998", "x-17b", "J.", "!", "北京", "zyzzyva", "Zyzzyvas"]
        known = _symbols(model.features)
    some = known[:: max(len(known) // 1000, 1)]
    return [str(word) for word in random.choice([*own, *some], sum(lengths))], lengths


def _symbols(features: Features) -> Sequence[str]:
    words = features["word"]
    assert isinstance(words, Words)
    return words.vocabulary.symbols


# The graph.


def model_graph(model: Model) -> bytes:
    """The networks of a model as one graph in float32, whose output is the mean of their emissions."""
    graph = Graph("ner_lstm_crf")
    # 1. The inputs, in the order in which the graph reads them: time first, int64.
    ids = {}
    for name in model.features:
        given = graph.input(name, np.int32, ["batch", "tokens", *_INPUTS[name]])
        order = [1, 0, 2] if _INPUTS[name] else [1, 0]
        ids[name] = graph.add("Cast", graph.add("Transpose", given, perm=order), to=7)
    lengths = graph.input("lengths", np.int32, ["batch"])
    # 2. Each network, and the mean of all.
    each = []
    for number, weights in enumerate(model.weights, 1):
        prefix = f"network-{number}-"
        vectors = token_vectors(graph, model.features, weights, ids, prefix)
        encoded = encoder(graph, model.config, weights, vectors, lengths, prefix)
        each.append(projection(graph, weights, encoded, prefix))
    mean(graph, each, "emissions")
    graph.output("emissions", np.float32, ["batch", "tokens", len(model.tags)])
    return graph.to_bytes()


def in_precision(content: bytes, precision: WeightPrecision) -> bytes:
    """The same graph, whose weights are stored in a number type and become float32 where they are read.

    Tables are converted behind the look-up, row by row; other weights when the graph is loaded. Vectors, such as
    biases, stay as they are.
    """
    import onnx
    from onnx import helper, numpy_helper

    if precision == "float32":
        return content
    model = onnx.load_from_string(content)
    graph = model.graph
    # 1. The weights as they are stored: one array each, or whole numbers and the scales of rows.
    arrays = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    parts = dict[str, list[str]]()
    for name, array in arrays.items():
        if array.dtype in (np.float32, np.float16) and array.ndim > 1:
            with np.errstate(over="ignore"):  # what is too large becomes infinite, which the check finds
                changed = rounded(array) if precision == "int8" else (array.astype(np.float16),)
            parts[name] = [f"{name}-{part}" for part in range(len(changed))]
            graph.initializer.extend(map(numpy_helper.from_array, changed, parts[name]))

    def restored(stored: Sequence[str], name: str) -> list[Any]:
        """The nodes that make float32 of what is stored."""
        if len(stored) == 1:
            return [helper.make_node("Cast", stored, [name], to=1)]
        cast = helper.make_node("Cast", stored[:1], [f"{name}-cast"], to=1)
        return [cast, helper.make_node("Mul", [f"{name}-cast", stored[1]], [name])]

    # 2. The look-ups; then, in front of all, the weights that are read as a whole.
    nodes, whole = list[Any](), dict[str, None]()
    for node in graph.node:
        if node.op_type == "Gather" and node.input[0] in parts:
            (output,), stored = node.output, parts[node.input[0]]
            rows = [f"{output}-{part}" for part in range(len(stored))]
            nodes += [
                helper.make_node("Gather", [one, node.input[1]], [row]) for one, row in zip(stored, rows, strict=True)
            ]
            nodes += restored(rows, output)
        else:
            nodes.append(node)
            whole |= dict.fromkeys(name for name in node.input if name in parts)
    nodes = [made for name in whole for made in restored(parts[name], name)] + nodes
    # 3. In place of what there was.
    kept = [one for one in graph.initializer if one.name not in parts]
    for field, values in ((graph.node, nodes), (graph.initializer, kept)):
        del field[:]
        field.extend(values)
    changed_content: bytes = model.SerializeToString()
    return changed_content


def rounded(values: Array) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Values in 8 bits, and the scale of each of their rows, those of the last dimension."""
    exact = np.asarray(values, np.float32)
    scale = np.abs(exact).max(-1, keepdims=True) / np.float32(127)
    scale[scale == 0] = 1
    return np.rint(exact / scale).astype(np.int8), scale


# The description.

_INPUTS: Mapping[str, tuple[int | str, ...]] = {
    "word": (),
    "casing": (),
    "characters": ("characters",),
    "bigrams": (2,),
    "lexicon": (3,),
}
"""The features that can be exported, and the dimensions of the ids of one token."""


def _describe_vocabulary(feature: Any) -> dict[str, Any]:
    return {"symbols": list(feature.vocabulary.symbols)}


def _describe_lexicon(feature: Any) -> dict[str, Any]:
    traditional, simplified = map("".join, zip(*simplified_pairs(), strict=True))
    return {
        "words": list(feature.words),
        "rows": feature.word_rows().tolist(),
        "longest": max(map(len, feature.words), default=0),
        "traditional": traditional,
        "simplified": simplified,
    }


_DESCRIPTIONS: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "word": _describe_vocabulary,
    "casing": lambda _: {"classes": list(CASINGS)},
    "characters": _describe_vocabulary,
    "bigrams": _describe_vocabulary,
    "lexicon": _describe_lexicon,
}


def _describe_text(config: ModelConfig) -> dict[str, Any]:
    """How a text becomes sentences and tokens."""
    patterns = {"token": token_pattern(config.hyphens).pattern, "han": f"[{HAN}]"}
    patterns |= {name: pattern.pattern for name, pattern in PATTERNS.items()}
    return {
        "token_unit": config.token_unit,
        "hyphens": config.hyphens,
        "patterns": {
            "python": patterns,
            "ecmascript": {name: ecmascript(pattern) for name, pattern in patterns.items()},
        },
        "words": {name: sorted(words) for name, words in WORD_LISTS.items()},
    }


def _describe_decoding(tags: TagSet, tables: Iterable[NDArray[np.float32]], temperature: float) -> dict[str, Any]:
    """How emissions become spans."""
    start, transitions, end = ([[round(float(x), 6) for x in row] for row in np.atleast_2d(one)] for one in tables)
    return {
        "scheme": tags.scheme.name,
        "labels": list(tags.labels),
        "tags": list(tags.names),
        "label_numbers": tags.label_numbers().tolist(),
        "events": tags.events().tolist(),
        "start": start[0],
        "transitions": transitions,
        "end": end[0],
        "temperature": temperature,
    }
