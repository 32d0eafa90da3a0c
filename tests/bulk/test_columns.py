"""The columns that rows of JSON become: no value is lost."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, strategies as st

from ner_lstm_crf.bulk.columns import Shape, arrow_type, fitted, joined, shape_of

SIMPLE = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=4)
)
VALUES = st.recursive(
    SIMPLE | st.just("\ud83d"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)


def restored(value: Any, shape: Shape) -> Any:
    """The value of JSON that a column's value was made of, but for keys that are null, which a column cannot tell."""
    if value is None:
        return None
    if shape == "json" or shape == {}:
        return without_nulls(json.loads(value))
    if isinstance(shape, list):
        return [restored(item, shape[0]) for item in value]
    if isinstance(shape, dict):
        return without_nulls({key: restored(value[key], of_key) for key, of_key in shape.items()})
    return value


def without_nulls(value: Any) -> Any:
    """A value without the keys that are null."""
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return value


def shape_of_all(values: list[Any]) -> Shape:
    shape: Shape = "null"
    for value in values:
        shape = joined(shape, shape_of(value))
    return shape


@given(st.lists(VALUES, max_size=5))
def test_a_column_of_any_values_of_json_gives_them_back(values: list[Any]) -> None:
    shape = shape_of_all(values)
    column = pa.array([fitted(value, shape) for value in values], arrow_type(shape))
    assert [restored(value, shape) for value in column.to_pylist()] == [without_nulls(value) for value in values]


@given(st.lists(VALUES, max_size=5), st.randoms())
def test_the_shape_does_not_depend_on_the_order_of_the_slices(values: list[Any], rng: Any) -> None:
    shuffled = [*values]
    rng.shuffle(shuffled)
    assert shape_of_all(shuffled) == shape_of_all(values)


@pytest.mark.parametrize(
    ("values", "shape"),
    [
        ([1, None, 2.5], "float"),
        ([1, 2**60], "long"),
        ([2**60, 0.5], "json"),  # a float would lose digits
        ([2**64], "json"),
        ([True, 1], "json"),
        ([{f"key {number}": 1} for number in range(101)], "json"),  # a name for each row is no column
        ([[], [1]], ["int"]),
    ],
)
def test_the_narrowest_type_is_taken(values: list[Any], shape: Shape) -> None:
    assert shape_of_all(values) == shape
