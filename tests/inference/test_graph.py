"""What the writer writes is what the package onnx reads, and what ONNX Runtime computes."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from ner_lstm_crf.inference.graph import MICROSOFT, OPSET, Graph

DTYPES = ("float16", "float32", "float64", "int8", "uint8", "int32", "int64", "bool")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def read(graph: Graph, **more: Any) -> onnx.ModelProto:
    """The model as the package onnx reads it, after its checks."""
    model = onnx.load_from_string(graph.to_bytes(**more))
    onnx.checker.check_model(model, full_check=True)
    return model


def product(weight: np.ndarray) -> Graph:
    """numbers (B, D) times weight (D, N)."""
    graph = Graph("product")
    numbers = graph.input("numbers", weight.dtype, ["batch", len(weight)])
    graph.output(
        graph.add("MatMul", numbers, graph.constant(weight, "weight"), name="product"),
        weight.dtype,
        ["batch", weight.shape[1]],
    )
    return graph


@given(st.data(), st.sampled_from(DTYPES))
def test_constants_of_any_type_and_shape_are_read_as_they_were(data: st.DataObject, dtype: str) -> None:
    values = data.draw(arrays(dtype, array_shapes(min_dims=0, min_side=0)))
    values = values.T if data.draw(st.booleans()) else values  # not contiguous
    graph = Graph("constant")
    graph.output(graph.add("Identity", graph.constant(values), name="same"), dtype, values.shape)
    found = onnx.numpy_helper.to_array(read(graph).graph.initializer[0])
    assert found.dtype == values.dtype
    np.testing.assert_array_equal(found, values)


@given(
    st.dictionaries(TEXT, TEXT, max_size=3),
    st.integers(-(2**63), 2**63 - 1),
    st.lists(st.integers(-(2**63), 2**63 - 1)),
)
def test_texts_and_numbers_are_read_as_they_were(metadata: dict[str, str], number: int, numbers: list[int]) -> None:
    graph = Graph("names")
    graph.input("numbers", np.int64, ["rows", 2, "columns"])
    graph.add(
        "Made",
        "numbers",
        "",
        "numbers",
        name="made",
        domain=MICROSOFT,
        number=number,
        numbers=numbers,
        share=0.5,
        text="ä",
        texts=["b", ""],
    )
    model = onnx.load_from_string(graph.to_bytes(metadata))
    assert {entry.key: entry.value for entry in model.metadata_props} == metadata
    node = model.graph.node[0]
    expected = {"number": number, "numbers": numbers, "share": 0.5, "text": "ä".encode(), "texts": [b"b", b""]}
    assert {
        one.name: onnx.helper.get_attribute_value(one) for one in node.attribute if numbers or one.name != "numbers"
    } == {name: value for name, value in expected.items() if numbers or name != "numbers"}
    assert (list(node.input), list(node.output), node.op_type, node.domain) == (
        ["numbers", "", "numbers"],
        ["made"],
        "Made",
        MICROSOFT,
    )
    assert {one.domain: one.version for one in model.opset_import} == {"": OPSET, MICROSOFT: 1}
    shape = model.graph.input[0].type.tensor_type.shape.dim
    assert [one.dim_param or one.dim_value for one in shape] == ["rows", 2, "columns"]


@pytest.mark.parametrize("external", [(), ("weight",)], ids=["in the model", "given to the session"])
def test_a_session_computes_the_graph_for_any_number_of_rows(external: tuple[str, ...]) -> None:
    weight = np.random.default_rng(1).normal(size=(3, 5)).astype(np.float32)
    graph, options = product(weight), onnxruntime.SessionOptions()
    values = [onnxruntime.OrtValue.ortvalue_from_numpy(graph.constants[name]) for name in external]
    options.add_external_initializers(list(external), values)
    model = graph.to_bytes(external=external)
    assert (weight.tobytes() in model) != bool(external)
    session = onnxruntime.InferenceSession(model, options)
    for rows in (1, 4):
        numbers = np.random.default_rng(rows).normal(size=(rows, 3)).astype(np.float32)
        np.testing.assert_allclose(session.run(None, {"numbers": numbers})[0], numbers @ weight, rtol=1e-5)


def test_shapes_that_do_not_fit_are_found_by_the_check_of_onnx() -> None:
    graph = product(np.zeros((3, 5), np.float32))
    graph.add("MatMul", "product", "weight", name="wrong")
    with pytest.raises(onnx.shape_inference.InferenceError, match="MatMul"):
        read(graph)


def test_a_name_is_given_once_and_known_before_it_is_used() -> None:
    graph = product(np.zeros((3, 5), np.float32))
    for wrong in (
        lambda: graph.input("weight", np.float32, []),
        lambda: graph.constant(np.zeros(1), "numbers"),
        lambda: graph.add("Neg", "numbers", name="product"),
    ):
        with pytest.raises(ValueError, match="expected a new name in the graph 'product', got '"):
            wrong()
    with pytest.raises(ValueError, match="expected values of the graph 'product', got 'nothing'"):
        graph.add("Add", "numbers", "nothing")
    with pytest.raises(ValueError, match="expected a value of the graph 'product', got 'nothing'"):
        graph.output("nothing", np.float32, [])


def test_the_same_memory_may_be_added_again_under_its_name() -> None:
    weight = np.zeros((3, 5), np.float32)
    graph = product(weight)
    assert graph.constant(weight[:], "weight") == "weight"
    with pytest.raises(ValueError, match="expected a new name"):
        graph.constant(weight.copy(), "weight")


@pytest.mark.parametrize("value", [None, True, [1, "a"], b"", struct, [1.5]], ids=repr)
def test_what_an_attribute_cannot_be_is_refused(value: object) -> None:
    graph = product(np.zeros((3, 5), np.float32))
    with pytest.raises(TypeError, match="expected a number, a string or a list of these for 'value', got "):
        graph.add("Neg", "numbers", value=value)


def test_a_type_of_values_that_the_format_lacks_is_refused() -> None:
    with pytest.raises(KeyError, match="complex"):
        Graph("complex").constant(np.zeros(1, np.complex64))


def test_a_model_of_two_gigabytes_is_refused_before_it_is_written() -> None:
    graph = Graph("large")
    graph.constant(np.broadcast_to(np.float32(0), (2**29,)), "zeros")
    with pytest.raises(ValueError, match="expected constants of less than two gigabytes, got 2,147,483,648 bytes"):
        graph.to_bytes()
