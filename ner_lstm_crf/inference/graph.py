"""A writer of ONNX models: nodes, their constants, inputs and outputs, as the bytes of a `ModelProto`.

The package onnx is not needed: a model is a message of Protocol Buffers with a few dozen kinds of fields, each of them
a number, a length and a content (https://protobuf.dev/programming-guides/encoding; the numbers are those of
onnx.proto3).

    graph = Graph("double")
    numbers = graph.input("numbers", np.float32, ["batch", 3])
    graph.output(graph.add("Mul", numbers, graph.constant(np.array([2], np.float32)), name="doubled"), ...)
    model = graph.to_bytes()
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from struct import pack
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array: TypeAlias = NDArray[Any]

IR_VERSION, OPSET = 8, 17
"""The versions of the format and of its operators, which every runtime since 2022 reads."""

MICROSOFT = "com.microsoft"
"""The domain of the operators that ONNX Runtime adds."""

_TYPES = {  # the number of each type of values
    "float32": 1,
    "uint8": 2,
    "int8": 3,
    "int32": 6,
    "int64": 7,
    "bool": 9,
    "float16": 10,
    "float64": 11,
}
_FLOAT, _INT, _STRING, _INTS, _STRINGS = 1, 2, 3, 7, 8  # the number of each type of attributes
_EXTERNAL = 1
_MOST = 2**31 - 2**24  # bytes of constants in a message, which may have 2^31


@dataclass(frozen=True, slots=True)
class _Value:
    """The name, type and shape of an input or output; a dimension is a size, or a name where it varies."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int | str, ...]

    def message(self) -> bytes:
        """A `ValueInfoProto`."""
        dimensions = (_field(1, _field(1, one) if isinstance(one, int) else _field(2, one)) for one in self.shape)
        tensor = _field(1, _TYPES[self.dtype.name]) + _field(2, b"".join(dimensions))
        return _field(1, self.name) + _field(2, _field(1, tensor))


class Graph:
    """An ONNX graph that grows node by node. Every value has a name, by which nodes refer to it.

    Args:
        name: The name of the graph.

    Attributes:
        constants: The constants by name, in the order in which they were added. They are not copied.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.constants: dict[str, Array] = {}
        self._nodes: list[bytes] = []
        self._inputs: list[_Value] = []
        self._outputs: list[_Value] = []
        self._names: set[str] = set()
        self._domains = {"": OPSET}

    def input(self, name: str, dtype: DTypeLike, shape: Sequence[int | str]) -> str:
        """Add an input.

        Args:
            name: Its name.
            dtype: The type of its values.
            shape: Its dimensions: sizes, and names of those that vary.

        Returns:
            Its name.
        """
        self._inputs.append(_Value(self._new(name), np.dtype(dtype), tuple(shape)))
        return name

    def constant(self, values: Array, name: str = "") -> str:
        """Add values that do not change, such as weights.

        Args:
            values: The values. Whoever changes them later changes the graph.
            name: Their name; if not given, one is made. The same memory may be added again under its name.

        Returns:
            Their name.

        Raises:
            KeyError: If the format has no such type of values.
        """
        _TYPES[values.dtype.name]  # a type that it does not have is met here, where it comes from
        known = self.constants.get(name)
        if known is not None and known.__array_interface__ == values.__array_interface__:
            return name
        name = self._new(name or f"constant-{len(self.constants)}")
        self.constants[name] = values
        return name

    def add(self, operator: str, *inputs: str, name: str = "", domain: str = "", **attributes: Any) -> str:
        """Add a node.

        Args:
            operator: What it computes, such as "MatMul".
            inputs: The names of what it reads; "" for an optional input that is left out.
            name: The name of its first output, the only one that can be read; if not given, one is made.
            domain: The domain of the operator; "" for those of ONNX.
            attributes: Numbers, strings, or lists of whole numbers or strings.

        Returns:
            The name of its output.

        Raises:
            ValueError: If an input is not known.
        """
        unknown = [one for one in inputs if one and one not in self._names]
        if unknown:
            raise ValueError(f"expected values of the graph {self.name!r}, got {unknown[0]!r}")
        self._domains.setdefault(domain, 1)
        name = self._new(name or f"{operator}-{len(self._nodes)}")
        parts = [*(_field(1, one) for one in inputs), _field(2, name), _field(3, name), _field(4, operator)]
        parts += [_field(5, _attribute(key, value)) for key, value in attributes.items()]
        self._nodes.append(b"".join(parts) + (_field(7, domain) if domain else b""))
        return name

    def output(self, name: str, dtype: DTypeLike, shape: Sequence[int | str]) -> None:
        """Make a value an output; the arguments are as those of `input`.

        Raises:
            ValueError: If there is no such value.
        """
        if name not in self._names:
            raise ValueError(f"expected a value of the graph {self.name!r}, got {name!r}")
        self._outputs.append(_Value(name, np.dtype(dtype), tuple(shape)))

    def to_bytes(self, metadata: Mapping[str, str] | None = None, *, external: Iterable[str] = ()) -> bytes:
        """The model, a `ModelProto`.

        Args:
            metadata: Texts beside the graph.
            external: Names of constants whose values are left out. Whoever makes a session of the model gives them to
                it (`SessionOptions.add_external_initializers`), so that they are in memory once.

        Raises:
            ValueError: If the constants have two gigabytes or more, which the format does not allow.
        """
        # 1. The graph. What is beside its constants is small.
        left_out = set(external)
        size = sum(one.nbytes for name, one in self.constants.items() if name not in left_out)
        if size > _MOST:
            raise ValueError(f"expected constants of less than two gigabytes, got {size:,} bytes")
        constants = (_tensor(name, one, external=name in left_out) for name, one in self.constants.items())
        graph = [
            *(_field(1, node) for node in self._nodes),
            _field(2, self.name),
            *(_field(5, constant) for constant in constants),
            *(_field(11, value.message()) for value in self._inputs),
            *(_field(12, value.message()) for value in self._outputs),
        ]
        # 2. The model around it.
        parts = [_field(1, IR_VERSION), _field(2, "ner_lstm_crf"), _head(7, sum(map(len, graph))), *graph]
        for domain, version in self._domains.items():
            parts.append(_field(8, (_field(1, domain) if domain else b"") + _field(2, version)))
        for key, text in (metadata or {}).items():
            parts.append(_field(14, _field(1, key) + _field(2, text)))
        return b"".join(parts)

    def _new(self, name: str) -> str:
        if name in self._names:
            raise ValueError(f"expected a new name in the graph {self.name!r}, got {name!r} again")
        self._names.add(name)
        return name


def _tensor(name: str, values: Array, *, external: bool) -> bytes:
    """A `TensorProto`."""
    parts = [*(_field(1, size) for size in values.shape), _field(2, _TYPES[values.dtype.name]), _field(8, name)]
    if external:
        parts += [_field(13, _field(1, "location") + _field(2, "in memory")), _field(14, _EXTERNAL)]
    else:
        raw = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"), copy=False)
        parts.append(_field(9, raw.tobytes()))
    return b"".join(parts)


def _attribute(name: str, value: Any) -> bytes:
    """An `AttributeProto`.

    Raises:
        TypeError: If the value is none of those that `Graph.add` takes.
    """
    kinds = {float: (2, _FLOAT), int: (3, _INT), str: (4, _STRING)}
    if type(value) in kinds:
        number, kind = kinds[type(value)]
        content = _field(number, value)
    elif isinstance(value, list) and all(type(one) is int for one in value):
        kind, content = _INTS, b"".join(_field(8, one) for one in value)
    elif isinstance(value, list) and all(type(one) is str for one in value):
        kind, content = _STRINGS, b"".join(_field(9, one) for one in value)
    else:
        raise TypeError(f"expected a number, a string or a list of these for {name!r}, got {value!r}")
    return _field(1, name) + content + _field(20, kind)


def _field(number: int, content: int | float | str | bytes) -> bytes:
    """A field of a message: whole numbers as varints, other numbers in four bytes, all else with its length."""
    if isinstance(content, int):
        return _varint(number << 3) + _varint(content)
    if isinstance(content, float):
        return _varint(number << 3 | 5) + pack("<f", content)
    data = content.encode() if isinstance(content, str) else content
    return _head(number, len(data)) + data


def _head(number: int, size: int) -> bytes:
    """What comes before the content of a field of this many bytes."""
    return _varint(number << 3 | 2) + _varint(size)


def _varint(number: int) -> bytes:
    """A whole number in groups of 7 bits, the lowest first; a negative one as that plus 2^64."""
    number, groups = number % (1 << 64), bytearray()
    while number > 127:
        groups.append(number & 127 | 128)
        number >>= 7
    groups.append(number)
    return bytes(groups)
