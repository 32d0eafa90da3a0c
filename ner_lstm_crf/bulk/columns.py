"""The columns of Parquet that rows of JSON become: of all values of a key, the narrowest type that holds each of them.

What has no such type stays as JSON text: values of different kinds under one key, objects without keys or with very
many, whole numbers beyond 64 bits. So no value is lost, and no row is refused for its other columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from ner_lstm_crf.files.json import json_text

Shape: TypeAlias = "str | list[Shape] | dict[str, Shape]"
"""The type of a column: "null", "bool", "int" (exact as a float), "long", "float", "string", "json", which is any value
as text; [shape] for a list, {key: shape} for an object. It can be written as JSON."""

_MOST_KEYS, _DEEPEST = 100, 16
_EXACT, _LONGEST = 2**53, 2**63


def shape_of(value: Any, depth: int = 0) -> Shape:  # noqa: PLR0911  (one for each kind)
    """The narrowest shape of a value of JSON.

    Example:
        >>> shape_of({"id": 7, "tags": ["a", None]}), shape_of([1, "a"])
        ({'id': 'int', 'tags': ['string']}, ['json'])
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int" if abs(value) <= _EXACT else "long" if -_LONGEST <= value < _LONGEST else "json"
    if isinstance(value, float):
        return "float"
    if isinstance(value, str):
        return "string" if is_unicode(value) else "json"
    if depth == _DEEPEST:
        return "json"
    if isinstance(value, list):
        shape: Shape = "null"
        for item in value:
            shape = joined(shape, shape_of(item, depth + 1))
        return [shape]
    if len(value) > _MOST_KEYS or not all(map(is_unicode, value)):
        return "json"
    return {key: shape_of(item, depth + 1) for key, item in value.items()}


def is_unicode(text: str) -> bool:
    """False if a text has half of a surrogate pair, which JSON can hold and Parquet cannot."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def joined(one: Shape, other: Shape) -> Shape:
    """The narrowest shape of the values of two shapes.

    Example:
        >>> joined("int", "float"), joined({"a": "int"}, {"b": "string"}), joined("int", "string")
        ('float', {'a': 'int', 'b': 'string'}, 'json')
    """
    if one == other or other == "null":  # noqa: PLR1714  (a shape has no hash)
        return one
    if one == "null":
        return other
    if isinstance(one, list) and isinstance(other, list):
        return [joined(one[0], other[0])]
    if isinstance(one, dict) and isinstance(other, dict):
        keys = {**one, **other}
        both = {key: joined(one.get(key, "null"), other.get(key, "null")) for key in keys}
        return both if len(both) <= _MOST_KEYS else "json"
    numbers = {str(one), str(other)}
    return "float" if numbers == {"int", "float"} else "long" if numbers == {"int", "long"} else "json"


def arrow_type(shape: Shape) -> Any:
    """The type of Arrow for a shape; a column that is always null becomes one of strings."""
    import pyarrow as pa

    if isinstance(shape, list):
        return pa.list_(arrow_type(shape[0]))
    if isinstance(shape, dict) and shape:
        return pa.struct({key: arrow_type(of_key) for key, of_key in shape.items()})
    simple = {"bool": pa.bool_(), "int": pa.int64(), "long": pa.int64(), "float": pa.float64()}
    return simple.get(shape, pa.string()) if isinstance(shape, str) else pa.string()


def fitted(value: Any, shape: Shape) -> Any:
    """A value of JSON as a column of this shape takes it.

    Example:
        >>> fitted([1, "a"], ["json"]), fitted({}, {}), fitted({"a": 1}, {"a": "int", "b": "int"})
        (['1', '"a"'], '{}', {'a': 1, 'b': None})
    """
    if value is None:
        return None
    if isinstance(shape, list):
        return [fitted(item, shape[0]) for item in value]
    if isinstance(shape, Mapping) and shape:
        return {key: fitted(value.get(key), of_key) for key, of_key in shape.items()}
    if shape == "json" or isinstance(shape, Mapping):
        return json_text(value)
    return float(value) if shape == "float" else value
