"""Directories of models that something has changed, signed again or not: refused in one clear line, or as before."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import torch
from hypothesis import HealthCheck, given, settings, strategies as st

from ner_lstm_crf.config import Config
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.saving.model import Model, _digest
from ner_lstm_crf.saving.tensors import TensorFile
from ner_lstm_crf.tagging.tagger import Tagger
from ner_lstm_crf.text.annotation import Sentence, Span
from tests.fuzz.test_files import in_time
from tests.trained import trained_model

Make = Callable[..., list[Sentence]]
Change: TypeAlias = Callable[[Path, st.DataObject], None]

TEXT = "Anna Okafor met Boris in Oslo. 王明在北京 Quito…\u200b\n"
JSON_FILES = ("config.json", "vocabulary.json")
WEIGHTS = ("frozen.safetensors", "network-1.safetensors")
FILES = (*JSON_FILES, *WEIGHTS)

hostile = st.one_of(
    st.sampled_from([None, True, False, -1, 0, 1, 2, 13, 2**31, 2**63, 10**30, -0.5, 1e308, "", "PER", "../x", "\0"]),
    st.sampled_from([[], {}, [[]], [0] * 5, ["a", "a"], {"a": []}, list(range(50)), "x" * 1000, "\ud800", "BIOES"]),
    st.text(max_size=3),
    st.integers(),
)


@pytest.fixture(scope="module")
def models(make_sentences: Make, tiny: Config, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Small models: of words, quantized, and of characters with a lexicon."""
    folder = tmp_path_factory.mktemp("models")
    words = trained_model(make_sentences(30), tiny, 2)
    words.save(folder / "words")
    words.save(folder / "quantized", quantize=True)
    config = replace(tiny, model=replace(tiny.model, token_unit="character", bigram_size=3, lexicon_size=3))
    sentences = [Sentence.from_words(list("王明在北京见李娜"), [Span(0, 2, "PER"), Span(3, 5, "LOC")])] * 8
    trained_model(sentences, config, 2, lexicon={"北京": "ns", "王明": "nr"}).save(folder / "characters")
    return {path.name: path for path in folder.iterdir()}


def change_bytes(directory: Path, data: st.DataObject) -> None:
    """Some bytes: others, more, fewer."""
    path = directory / data.draw(st.sampled_from(FILES))
    content = bytearray(path.read_bytes())
    start = data.draw(st.integers(0, len(content)))
    stop = min(len(content), start + data.draw(st.sampled_from([0, 1, 1, 2, 8, 1000])))
    content[start:stop] = data.draw(st.binary(max_size=9))
    path.write_bytes(content)


def change_json(directory: Path, data: st.DataObject) -> None:
    """A value somewhere in a JSON file: another one, one more, or none."""
    path = directory / data.draw(st.sampled_from(JSON_FILES))
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(changed_value(content, data)), encoding="utf-8")


def changed_value(value: Any, data: st.DataObject) -> Any:
    """A JSON value with a change at some depth."""
    if not isinstance(value, dict | list) or not value or data.draw(st.integers(0, 5)) == 0:
        return data.draw(hostile)
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = data.draw(st.sampled_from(keys))
    kind = data.draw(st.sampled_from(["into", "into", "into", "remove", "add"]))
    if kind == "into":
        value[key] = changed_value(value[key], data)
    elif kind == "remove":
        del value[key]
    elif isinstance(value, dict):
        value[data.draw(st.one_of(st.text(max_size=3), st.sampled_from(["digest", "transformer", "seed"])))] = value[
            key
        ]
    else:
        value.insert(key, data.draw(st.one_of(hostile, st.just(value[key]))))
    return value


def change_header(directory: Path, data: st.DataObject) -> None:
    """A value in the header of a file of weights, whose length is right."""
    path = directory / data.draw(st.sampled_from(WEIGHTS))
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.dumps(changed_value(json.loads(content[8 : 8 + length]), data)).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + content[8 + length :])


def change_weights(directory: Path, data: st.DataObject) -> None:
    """Some values of a file of weights: none, infinite, huge."""
    path = directory / data.draw(st.sampled_from(WEIGHTS))
    content = bytearray(path.read_bytes())
    first = 8 + int.from_bytes(content[:8], "little")
    values = torch.tensor(data.draw(st.sampled_from([float("nan"), float("inf"), -3e38, 3e38, 1e10, 0.0])))
    for _ in range(data.draw(st.sampled_from([1, 1, 20, 500]))):
        if first + 4 <= len(content):
            start = first + 4 * data.draw(st.integers(0, (len(content) - first) // 4 - 1))
            content[start : start + 4] = values.view(1).view(torch.uint8).numpy().tobytes()
    path.write_bytes(content)


def change_files(directory: Path, data: st.DataObject) -> None:
    """A file that is gone, empty, a folder, a link, or that of another name or model."""
    name = data.draw(st.sampled_from(FILES))
    path, kind = directory / name, data.draw(st.sampled_from(["gone", "empty", "folder", "link", "other", "model"]))
    path.unlink()
    if kind == "empty":
        path.touch()
    elif kind == "folder":
        path.mkdir()
    elif kind == "link":
        path.symlink_to(data.draw(st.sampled_from(["nowhere", name, "/dev/zero", "config.json", ".."])))
    elif kind == "other":
        shutil.copy(directory / data.draw(st.sampled_from([other for other in FILES if other != name])), path)
    elif kind == "model":
        others = sorted(other for other in directory.parent.glob("models*/*") if other.is_dir())
        shutil.copy(data.draw(st.sampled_from(others)) / name, path)


def sign(directory: Path) -> None:
    """Write the digest of the files as they are, if they can be read."""
    with suppress(OSError, ValueError, TypeError, LookupError, RecursionError):
        if not all((directory / name).is_file() for name in FILES):
            return
        content = json.loads((directory / "config.json").read_text(encoding="utf-8"))
        weights = []
        for name in (
            "frozen.safetensors",
            *(f"network-{n}.safetensors" for n in range(1, min(content["networks"], 3) + 1)),
        ):
            with (directory / name).open("rb") as file:
                weights.append(TensorFile.open(file, directory / name).read())
        content.pop("digest", None)
        vocabulary = (directory / "vocabulary.json").read_text(encoding="utf-8")
        content["digest"] = _digest(json.dumps(content, ensure_ascii=False), vocabulary, weights)
        (directory / "config.json").write_text(json.dumps(content), encoding="utf-8")


CHANGES: Mapping[str, Change] = {
    "bytes": change_bytes,
    "json": change_json,
    "header": change_header,
    "weights": change_weights,
    "files": change_files,
}


@settings(settings.get_profile("fuzz"), suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_changed_model_is_refused_or_tags(
    models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    source = models[data.draw(st.sampled_from(sorted(models)))]
    directory = tmp_path_factory.getbasetemp() / "fuzzed"
    shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(source, directory)
    for _ in range(data.draw(st.sampled_from([1, 1, 1, 2, 3]))):
        change = CHANGES[data.draw(st.sampled_from(sorted(CHANGES)))]
        if all((directory / name).is_file() for name in FILES):
            with suppress(ValueError):  # an earlier change has left no JSON
                change(directory, data)
    signed = data.draw(st.booleans())
    if signed:
        sign(directory)
    refused = None
    with in_time():
        try:
            model = Model.load(directory)
            found = Tagger(model).tag(TEXT)
        except InputError as error:
            refused = error
    if refused:
        assert refused.path is not None
        assert str(refused).isprintable()
        assert len(refused.message) < 1000
        return
    assert all(TEXT[entity.start : entity.end] == entity.text for entity in found)
    if not signed:
        assert found == Tagger(Model.load(source)).tag(TEXT)
