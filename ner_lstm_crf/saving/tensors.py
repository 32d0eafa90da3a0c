"""Tensors on disk: safetensors files, written whole or not at all, checked before they are read, and read into memory.

In memory they are arrays of numpy.

A file is never used as mapped memory: what another process does to it then would change the weights, or end the
process. So `TensorFile` reads the format itself: the length of the header in 8 bytes, the header in JSON, the values.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import save_file

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.atomic import replacing
from ner_lstm_crf.files.json import parse_json
from ner_lstm_crf.files.saved import open_saved

Array: TypeAlias = NDArray[Any]

_TYPES: dict[str, np.dtype[Any]] = {
    "F64": np.dtype(np.float64),
    "F32": np.dtype(np.float32),
    "F16": np.dtype(np.float16),
    "BF16": np.dtype("V2"),  # which numpy lacks: two bytes that mean nothing to it
    "I64": np.dtype(np.int64),
    "I32": np.dtype(np.int32),
    "I16": np.dtype(np.int16),
    "I8": np.dtype(np.int8),
    "U8": np.dtype(np.uint8),
    "BOOL": np.dtype(np.bool_),
}
_MOST_HEADER = 100_000_000  # bytes, as in the library safetensors
_METADATA, _ABOUT = "__metadata__", "about"
_BLOCK = 1 << 22  # bytes compared at once


def write_tensors(path: Path, tensors: Mapping[str, Array], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file with a digest of its content in place of the old one, or leave the old one whole.

    Raises:
        InputError: If it cannot be written.
    """
    about = json.dumps({**metadata, "digest": _digest_of(tensors, metadata)})  # in one, as a file has no order of them
    with replacing(path) as temporary:
        save_tensors(temporary, tensors, {_ABOUT: about})


def save_tensors(path: Path, tensors: Mapping[str, Array], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file at a path, for `write_together`.

    Raises:
        OSError: If it cannot be written.
    """
    try:
        save_file(dict(tensors), path, dict(metadata))
    except SafetensorError as error:  # such as a full disk
        raise OSError(str(error)) from error


def read_tensors(path: Path, what: str) -> tuple[dict[str, Array], dict[str, str]]:
    """The tensors of a file that `write_tensors` wrote as a part of `what`, and its metadata.

    Raises:
        InputError: If the file is missing or damaged, or its content is not that of its digest.
    """
    with open_saved(path, what) as stream:
        file = TensorFile.open(stream, path, what)
        tensors, metadata = file.read(), parse_json(file.metadata.get(_ABOUT, "{}"), path, what)
    if not isinstance(metadata, dict) or metadata.pop("digest", None) != _digest_of(tensors, metadata):
        raise InputError(f"the {what} is damaged: this file has changed", path=path)
    return tensors, metadata


def _digest_of(tensors: Mapping[str, Array], metadata: Mapping[str, str]) -> str:
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for part in digest_parts(tensors):
        digest.update(part)
    return digest.hexdigest()


def digest_parts(tensors: Mapping[str, Array]) -> Iterable[Any]:
    """The bytes that a digest of these tensors is made of: names, types, shapes and values."""
    for name in sorted(tensors):
        yield f"\0{name}\0{type_name(tensors[name])}\0{tensors[name].shape}\0".encode()
        yield as_bytes(tensors[name]).data


def as_bytes(tensor: Array) -> NDArray[np.uint8]:
    """The values of a tensor as bytes (N,)."""
    return tensor.ravel().view(np.uint8)


def type_name(tensor: Array) -> str:
    """The type of the values as torch calls it, which digests are made of: torch.float32."""
    return "torch.bfloat16" if tensor.dtype.kind == "V" else f"torch.{tensor.dtype.name}"


class StoredTensor(NamedTuple):
    """An entry of the header of a file: the type, shape and bytes of a tensor.

    Attributes:
        dtype: The type of its values.
        shape: Its shape.
        start: Its first byte, counted from the end of the header.
        end: The byte behind its last.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class TensorFile:
    """An open safetensors file. Its header has been read and fits its size; its values have not been read.

    Attributes:
        path: The path of the file.
        what: What it is part of.
        stream: The file.
        first: The first byte of its values.
        tensors: Its tensors by name, in the order of their values.
        metadata: Strings beside them.
    """

    path: Path
    what: str
    stream: BinaryIO
    first: int
    tensors: Mapping[str, StoredTensor]
    metadata: Mapping[str, str]

    @classmethod
    def open(cls, stream: BinaryIO, path: Path, what: str = "model") -> TensorFile:
        """Read the header of an open file.

        Raises:
            InputError: If the file is no safetensors file, or its size is not what its header says.
        """
        try:
            # 1. The header.
            values = os.fstat(stream.fileno()).st_size - 8
            length = int.from_bytes(stream.read(8), "little")
            if not 2 <= length <= min(values, _MOST_HEADER):
                raise ValueError(f"a header of {length:,} bytes in a file of {values + 8:,}")
            header = parse_json(stream.read(length).decode(), path, what)
            if not isinstance(header, dict):
                raise ValueError("a header that is no JSON object")
            metadata = header.pop(_METADATA, {})
            if not isinstance(metadata, dict) or not all(isinstance(one, str) for one in metadata.values()):
                raise ValueError("metadata that are no strings")
            # 2. The tensors: one begins where the other ends, and the last ends with the file.
            stored = [(_stored(entry), name) for name, entry in header.items()]
            stored.sort(key=lambda item: (item[0].start, item[0].end))
            end = 0
            for one, name in stored:
                if one.start != end:
                    raise ValueError(f"a gap or an overlap before {name!r:.80}")
                end = one.end
            if end != values - length:
                raise ValueError(f"{values - length:,} bytes of values where the header says {end:,}")
        except (OSError, ValueError, MemoryError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"the {what} is damaged: found {error}", path=path) from error
        return cls(path, what, stream, 8 + length, {name: one for one, name in stored}, metadata)

    def read(self) -> dict[str, Array]:
        """Read the values into memory.

        Raises:
            InputError: If the file has become shorter, or there is not enough memory.
        """
        size = max((one.end for one in self.tensors.values()), default=0)
        try:
            memory = np.empty(size, np.uint8)
            self.stream.seek(self.first)
            if self.stream.readinto(memory) != size:  # type: ignore[attr-defined]
                raise OSError("it was cut while it was read")
        except (OSError, ValueError, MemoryError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(
                f"the {self.what} is damaged: {size:,} bytes cannot be read: {reason}", path=self.path
            ) from error
        tensors = {}
        for name, one in self.tensors.items():
            values = memory[one.start : one.end]
            if one.start % one.dtype.itemsize:  # as the library safetensors never writes
                values = values.copy()
            tensors[name] = values.view(one.dtype).reshape(one.shape)
        return tensors

    def holds(self, tensors: Mapping[str, Array]) -> bool:
        """True if the file has just these tensors, bit for bit; it is read piece by piece.

        Raises:
            OSError: If it cannot be read.
        """
        if self.tensors.keys() != tensors.keys():
            return False
        for name, one in self.tensors.items():
            if (one.dtype, one.shape) != (tensors[name].dtype, tensors[name].shape):
                return False
        self.stream.seek(self.first)
        return all(
            self.stream.read(min(_BLOCK, len(values) - first)) == values[first : first + _BLOCK].data
            for values in (as_bytes(tensors[name]) for name in self.tensors)
            for first in range(0, len(values), _BLOCK)
        )


def _stored(entry: Any) -> StoredTensor:
    """An entry of a header.

    Raises:
        ValueError: If it is something else, or its bytes are not as many as its type and shape say.
    """
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError("an entry of the header without 'dtype', 'shape' and 'data_offsets'")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _TYPES:
        raise ValueError(f"values of the type {dtype!r:.20}")
    if not all(
        isinstance(one, list) and all(type(n) is int and 0 <= n < 2**62 for n in one) for one in (shape, offsets)
    ):
        raise ValueError("a shape or an offset that is no list of whole numbers")
    if len(offsets) != 2 or len(shape) > 8 or offsets[1] - offsets[0] != prod(shape) * _TYPES[dtype].itemsize:
        raise ValueError("values of another size than their shape has")
    return StoredTensor(_TYPES[dtype], tuple(shape), *offsets)
