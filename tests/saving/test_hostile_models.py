"""Models that were made to do harm: signed, but not what a training writes. Each is refused at once, in one line."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch

from ner_lstm_crf.config import Config
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.text.annotation import Sentence
from tests.saving.signing import change_weights, config_of, sign

Make = Callable[..., list[Sentence]]
NETWORK, FROZEN = "network-1.safetensors", "frozen.safetensors"


@pytest.fixture(scope="module")
def saved(make_sentences: Make, tiny: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("model")
    Model.build(make_sentences(30), tiny.model).save(directory)
    return directory


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "copy"))


def refused(directory: Path, match: str) -> None:
    with pytest.raises(InputError, match=match) as raised:
        Model.load(directory)
    assert raised.value.path is not None
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 1000


def test_a_model_that_is_signed_again_is_loaded(copy: Path) -> None:
    sign(copy, config_of(copy))
    Model.load(copy)


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("layers", 1_000_000, "at most 100"),
        ("layers", 100, "expected at least 101 tensors"),
        ("layers", 2, "expected the tensor 'encoder.backwards.1"),
        ("char_widths", [3] * 100_000, "expected at least 100,001 tensors"),
        ("char_widths", [10**9], "at most 100"),
        ("char_widths", [99], "in the shape"),
        ("char_encoder", "intnet", "expected the tensor 'embedding.characters.blocks.0"),
        ("char_encoder", "rnn", "one of cnn, intnet"),
        ("char_blocks", 10**9, "at most 100"),
        ("hidden_size", 10_000, "in the shape"),
        ("hidden_size", 2**62, "at most 10000"),
        ("hidden_size", 10**100, "at most 10000"),
        ("char_filters", 10_000, "in the shape"),
        ("word_size", 10_000, "expected the frozen vectors"),
        ("casing_size", 10_000, "in the shape"),
        ("scheme", "BMEWO", "expected the weights of 9 tags"),
        ("scheme", "BIOES2", "expected one of"),
        ("hidden_size", -1, "of at least 1"),
        ("hidden_size", 12.0, "a whole number"),
        ("hidden_size", True, "a whole number"),
        ("hidden_size", None, "a whole number"),
        ("char_widths", [], "whole numbers"),
        ("char_widths", [[3]], "whole numbers"),
        ("word_dropout", float("nan"), "number"),
        ("trust_remote_code", True, "unknown key"),
    ],
)
def test_a_configuration_of_other_weights_is_refused_before_a_network_is_built(
    copy: Path, setting: str, value: Any, message: str
) -> None:
    config = config_of(copy)
    sign(copy, config | {"model": config["model"] | {setting: value}})
    refused(copy, message)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("labels", [f"L{number}" for number in range(5000)], "expected the weights of 15,001 tags"),
        ("labels", ["PER", "PER"], "distinct labels"),
        ("labels", ["PER", 3], "distinct labels"),
        ("labels", ["PER", ["LOC"]], "distinct labels"),
        ("labels", "PER", "expected labels"),
        ("labels", [], "expected the weights of 1 tags"),
        ("networks", 10**300, "network-2.safetensors: expected a model, but this file is missing"),
        ("networks", True, "expected labels, networks"),
        ("folders", {"transformer": "../../etc"}, "expected the name of a folder"),
        ("folders", {"transformer": "transformer-0123456789ab"}, "this folder is missing"),
        ("version", [1] * 1000, "format version"),
        ("model", [], "expected labels, networks"),
    ],
)
def test_a_description_of_another_model_is_refused(copy: Path, key: str, value: Any, message: str) -> None:
    sign(copy, config_of(copy) | {key: value})
    refused(copy, message)


@pytest.mark.parametrize("name", ["config.json", "vocabulary.json"])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("1" * 5000, "digits"),
        ("no JSON", "Expecting value"),
        ("", "Expecting value"),
        ("[1, 2", "Expecting"),
    ],
)
def test_what_is_no_json_is_refused(copy: Path, name: str, text: str, message: str) -> None:
    config = config_of(copy)
    (copy / name).write_text(text)
    if name != "config.json":
        sign(copy, config)
    refused(copy, rf"{name}: .*{message}")


@pytest.mark.parametrize(
    ("feature", "value", "message"),
    [
        ("word", None, "expected a word vocabulary"),
        ("word", {"symbols": ["a", "a"], "counts": [1, 1]}, "found one twice"),
        ("word", {"symbols": ["a", 1], "counts": [1, 1]}, "list of strings"),
        ("word", {"symbols": ["a"], "counts": ["b"]}, "whole numbers"),
        ("word", {"symbols": ["a"], "counts": [1, 1]}, "expected the frozen vectors"),
        ("characters", "abc", "list of strings"),
        ("characters", [], "in the shape"),
        ("bigrams", ["abc"], "pairs of characters"),
        ("bigrams", ["ab"], "expected the tensor"),
        ("lexicon", {}, "expected a lexicon"),
        (
            "lexicon",
            {"words": ["ab"], "trainable": 1, "categories": [""], "category_ids": [2**70]},
            "a category of each word",
        ),
        (
            "lexicon",
            {"words": ["a" * 20_000], "trainable": 1, "categories": [""], "category_ids": [0]},
            "up to 10,000 characters",
        ),
        ("transformer", None, "expected the folder of a model's transformer"),
        ("gazetteer", None, "expected a gazetteer: lists of names"),
        ("colour", None, "expected a JSON object of token features"),
    ],
)
def test_a_vocabulary_of_another_model_is_refused(copy: Path, feature: str, value: Any, message: str) -> None:
    path = copy / "vocabulary.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | {feature: value}), encoding="utf-8")
    sign(copy, config_of(copy))
    refused(copy, message)


def weights_of(copy: Path) -> dict[str, torch.Tensor]:
    return Model.load(copy).networks[0].state_dict()


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        *product([float("nan"), float("inf"), -float("inf")], [torch.float32, torch.float16]),
        (3e38, torch.float32),
        (-2e16, torch.float32),
    ],
)
def test_weights_that_are_no_finite_numbers_are_refused(copy: Path, value: float, dtype: torch.dtype) -> None:
    bias = weights_of(copy)["projection.bias"].to(dtype)
    bias[2] = value
    change_weights(copy, NETWORK, projection__bias=bias)
    refused(copy, r"network-1.safetensors: .*expected finite numbers up to 1e\+16, found others in 'projection.bias'")


@pytest.mark.parametrize("dtype", [torch.int64, torch.int8, torch.float64, torch.bfloat16, torch.bool])
def test_weights_of_another_type_are_refused(copy: Path, dtype: torch.dtype) -> None:
    change_weights(copy, NETWORK, projection__bias=weights_of(copy)["projection.bias"].to(dtype))
    refused(copy, "expected 'projection.bias' in 16 or 32 bits")


def test_weights_too_many_too_few_or_of_another_shape_are_refused(copy: Path) -> None:
    bias = weights_of(copy)["projection.bias"]
    change_weights(copy, NETWORK, more=torch.zeros(1))
    refused(copy, "expected no tensor 'more'")
    change_weights(copy, NETWORK, more=None, head__transitions=None)
    refused(copy, "expected the tensor 'head.transitions'")
    change_weights(copy, NETWORK, head__transitions=torch.zeros(len(bias) ** 2))
    refused(copy, r"expected 'head.transitions' in the shape \(7, 7\), found \(49,\)")
    change_weights(copy, NETWORK, projection__bias=None)
    refused(copy, "expected the weights of 7 tags")


def test_frozen_vectors_that_nobody_reads_are_refused(copy: Path) -> None:
    change_weights(copy, FROZEN, casing__frozen=torch.zeros(1, 3))
    refused(copy, "expected nothing more of the feature 'casing'")


@pytest.mark.parametrize(
    ("table", "scale"),
    [
        (torch.zeros(3, 12, dtype=torch.int8), torch.zeros(2)),
        (torch.zeros(3, 12), torch.zeros(3)),
        (torch.zeros(3, dtype=torch.int8), torch.zeros(3)),
        (torch.zeros(3, 12, dtype=torch.int8), torch.zeros(3, dtype=torch.int64)),
    ],
)
def test_a_table_in_eight_bits_has_the_worth_of_each_row(copy: Path, table: torch.Tensor, scale: torch.Tensor) -> None:
    name = "embedding__word__table__trainable"
    change_weights(copy, NETWORK, **{name: table, f"{name}__scale": scale})
    refused(copy, "in eight bits, and the worth of each of its rows")


# Files that are none


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def directory(path: Path) -> None:
    path.mkdir()


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def endless(path: Path) -> None:
    """A file of nothing, far larger than memory."""
    with path.open("wb") as file:
        file.truncate(1 << 43)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
@pytest.mark.parametrize("kind", [pipe, device, directory, loop, endless])
@pytest.mark.parametrize("name", ["config.json", "vocabulary.json", FROZEN, NETWORK])
def test_only_plain_files_of_a_sane_size_are_opened(copy: Path, kind: Callable[[Path], None], name: str) -> None:
    (copy / name).unlink()
    try:
        kind(copy / name)
    except OSError:
        pytest.skip("the file system has no files of that size")
    refused(copy, f"{name}: the model is damaged")


@pytest.mark.parametrize(
    ("header", "values", "message"),
    [
        (b"[" * 50_000, b"", "nested too deeply"),
        (b"[]", b"", "no JSON object"),
        (b"{ ", b"", "Expecting property name"),
        (b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', b"", "bytes of values where the header says 4"),
        (b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', b"12345678", "8 bytes of values"),
        (b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', b"12345678", "a gap or an overlap"),
        (b'{"a":{"dtype":"F32","shape":[-1],"data_offsets":[4,0]}}', b"1234", "no list of whole numbers"),
        (b'{"a":{"dtype":"F32","shape":[true],"data_offsets":[0,4]}}', b"1234", "no list of whole numbers"),
        (b'{"a":{"dtype":"F32","shape":[2305843009213693952,2],"data_offsets":[0,4]}}', b"1234", "another size"),
        (b'{"a":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}}', b"1234", "values of the type 'F99'"),
        (b'{"a":{"dtype":["F32"],"shape":[1],"data_offsets":[0,4]}}', b"1234", "values of the type"),
        (b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}', b"1234", "another size"),
        (b'{"a":{}}', b"", "an entry of the header without"),
        (b'{"__metadata__":{"a":1}}', b"", "metadata that are no strings"),
        (b"\xff\xfe", b"", "codec can't decode"),
    ],
)
def test_a_header_that_does_not_fit_the_file_is_refused(copy: Path, header: bytes, values: bytes, message: str) -> None:
    (copy / NETWORK).write_bytes(len(header).to_bytes(8, "little") + header + values)
    refused(copy, f"{NETWORK}: the model is damaged: .*{message}")


@pytest.mark.parametrize("length", [0, 1, 10**6, 2**63, 2**64 - 1])
def test_a_header_longer_than_the_file_is_refused(copy: Path, length: int) -> None:
    (copy / NETWORK).write_bytes(length.to_bytes(8, "little") + b"{}")
    refused(copy, "a header of .* bytes in a file of 10")
