"""The exported graph says what the networks say in torch, and its files are there whole or not at all."""

from __future__ import annotations

import builtins
import hashlib
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from ner_lstm_crf import InputError, Sentence, Span, Tagger, Vectors, read_sentences
from ner_lstm_crf.config import Config, ModelConfig
from ner_lstm_crf.inference import export
from ner_lstm_crf.inference.export import (
    DEVIATION,
    in_precision,
    model_graph,
    model_inputs,
    onnx_emissions,
    onnx_session,
)
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.tagging.analysis import TransitionTable
from tests.made import FILLER, FIRST, PLACES
from tests.plain_path import batch_of, mean_emissions

CHINESE = [
    ("王小明在巴黎读书。", [Span(0, 3, "PER"), Span(4, 6, "LOC")]),
    ("臺灣的李娜去了上海。", [Span(3, 5, "PER")]),
]
LEXICON = {"巴黎": "ns", "上海": "ns", "台湾": "ns", "读书": "v", "王小明": "nr", "小明": "nr"}
SMALL = ModelConfig(word_size=10, char_size=6, char_filters=5, casing_size=3, hidden_size=8)


def word_model(make_sentences: Callable[..., list[Sentence]], seed: int = 1, **settings: Any) -> Model:
    """A network for words with random weights, and pretrained vectors of words that training lacks."""
    frozen = Vectors.from_dict({word: np.full(10, number / 9) for number, word in enumerate(["osaka", "zebra", "Ely"])})
    return Model.build(make_sentences(30), replace(SMALL, **settings), vectors=frozen, seed=seed)


def character_model(seed: int = 1, **settings: Any) -> Model:
    """A network for characters with pairs and a lexicon."""
    config = replace(SMALL, token_unit="character", bigram_size=4, lexicon_size=6, **settings)
    sentences = [Sentence.from_words(list(text), spans) for text, spans in CHINESE * 3]
    model = Model.build(sentences, config, lexicon=LEXICON, seed=seed)
    table = model.networks[0].get_parameter("embedding.lexicon.table.trainable")
    torch.nn.init.normal_(table.data, generator=torch.Generator().manual_seed(seed))  # own rows are zero at first
    return model


MODELS: dict[str, Callable[[Callable[..., list[Sentence]]], Model]] = {
    "words": word_model,
    "no characters": lambda make: word_model(make, 2, char_filters=0),
    "no casing": lambda make: word_model(make, 3, casing_size=0),
    "filters of several widths": lambda make: word_model(make, 4, char_widths=(2, 3, 5)),
    "intnet": lambda make: word_model(make, 8, char_encoder="intnet", char_widths=(2, 3, 5)),
    "softmax": lambda make: word_model(make, 5, head="softmax"),
    "two layers": lambda make: word_model(make, 6, layers=2),
    "three layers, none added": lambda make: word_model(make, 7, layers=3, residual=False),
    "three networks": lambda make: Model.ensemble([word_model(make, seed) for seed in (1, 2, 3)]),
    "pairs and lexicon": lambda _: character_model(),
    "two networks with a lexicon": lambda _: Model.ensemble([character_model(seed, layers=2) for seed in (4, 5)]),
}


def sentences_for(model: Model, seed: int = 0) -> list[list[str]]:
    """Sentences of words, or characters, that the model knows and of others, of 1 to 30 tokens."""
    source = random.Random(seed)
    known = [*FIRST, *PLACES, *FILLER, "zebra", "ELY", "Zyx-19", "1998", ".", "北", "a" * 40]
    if model.config.token_unit == "character":
        known = [*"王小明在巴黎读书台臺灣李娜去了上海。龘A1"]
    return [source.choices(known, k=source.choice((1, 2, 5, 12, 30))) for _ in range(12)]


def in_torch(model: Model, sentences: Sequence[Sequence[str]]) -> np.ndarray:
    """The emissions of all tokens (N, K)."""
    with torch.inference_mode():
        emissions = mean_emissions(model, batch_of(model, sentences)).numpy()
    return np.concatenate([row[: len(words)] for row, words in zip(emissions, sentences, strict=True)])


def in_onnx(session: Any, model: Model, sentences: Sequence[Sequence[str]]) -> np.ndarray:
    """The same from a session of the graph."""
    lengths = list(map(len, sentences))
    return onnx_emissions(session, model_inputs(model.features, list(chain.from_iterable(sentences)), lengths), lengths)


@pytest.mark.parametrize("name", MODELS)
def test_the_graph_says_what_the_networks_say(name: str, make_sentences: Callable[..., list[Sentence]]) -> None:
    model = MODELS[name](make_sentences)
    for network in model.networks:
        network.eval()
    content = model_graph(model)
    onnx.checker.check_model(content, full_check=True)
    session = onnx_session(content)
    for seed in range(3):
        sentences = sentences_for(model, seed)
        expected = in_torch(model, sentences)
        assert np.ptp(expected) > 0.1  # there is something to say
        np.testing.assert_allclose(in_onnx(session, model, sentences), expected, atol=1e-5)
        # What else is in the batch does not matter.
        alone = np.concatenate([in_onnx(session, model, [words]) for words in sentences])
        np.testing.assert_allclose(alone, expected, atol=1e-5)


@pytest.mark.parametrize("precision", ["float16", "int8"])
@pytest.mark.parametrize("name", ["filters of several widths", "three networks", "two networks with a lexicon"])
def test_smaller_weights_change_little_and_halve_the_file(
    name: str, precision: Any, make_sentences: Callable[..., list[Sentence]]
) -> None:
    model = MODELS[name](make_sentences)
    for network in model.networks:
        network.eval()
    content = in_precision(model_graph(model), precision)
    onnx.checker.check_model(content, full_check=True)
    session = onnx_session(content)
    sentences = sentences_for(model)
    difference = np.abs(in_onnx(session, model, sentences) - in_torch(model, sentences)).max()
    assert 0 < difference <= DEVIATION[precision] * 10
    weights = [onnx.numpy_helper.to_array(one) for one in onnx.load_from_string(content).graph.initializer]
    large = [weight for weight in weights if weight.dtype == np.float32 and weight.ndim > 1]
    assert all(weight.shape[-1] == 1 for weight in large)  # scales of rows


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_shipped_taggers_say_the_same_in_onnx(language: str, tmp_path: Path) -> None:
    tagger, path = Tagger.load(language), tmp_path / "new" / "tagger.onnx"
    assert tagger.export(path) == path.with_suffix(".json")
    corpus = Path(__file__).parents[2] / "corpora" / language / "test.conll"
    words = [[line.split()[0] for line in one.splitlines()] for one in corpus.read_text("utf-8").split("\n\n") if one]
    content = path.read_bytes()
    onnx.checker.check_model(content, full_check=True)
    session = onnx_session(content)
    assert len(words) > 50
    np.testing.assert_allclose(
        in_onnx(session, tagger.model, words[:50]),
        np.concatenate([tagger.emissions(one)[0] for one in words[:50]]),
        atol=1e-4,
    )


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize(("language", "corpus"), [("en", "uner-en_ewt"), ("zh", "uner-zh_gsdsimp")])
def test_the_spans_of_a_whole_corpus_are_the_same(
    language: str, corpus: str, corpus_file: Callable[[str], Path]
) -> None:
    tagger = Tagger.load(language)
    sentences = [
        Sentence.from_words(list("".join(one.words)) if language == "zh" else one.words)
        for one in read_sentences(corpus_file(f"{corpus}/test.iob2"))
    ]
    sentences.sort(key=lambda one: len(one.words))
    session, tables = onnx_session(model_graph(tagger.model)), tagger.transitions
    found = []
    for batch in (sentences[at : at + 32] for at in range(0, len(sentences), 32)):
        emissions = in_onnx(session, tagger.model, [one.words for one in batch])
        for own in np.split(emissions, np.cumsum([len(one.words) for one in batch])[:-1]):
            found.append(tagger.model.tags.decode(np.array(best_path(own, tables))).spans)
    assert found == [one.spans for one in tagger.tag_sentences(sentences)]


def best_path(emissions: np.ndarray, tables: TransitionTable) -> list[int]:
    """Viterbi's algorithm, as the page tells it."""
    best, back = tables.start + emissions[0], []
    for scores in emissions[1:]:
        sums = best[:, None] + tables.scores
        back.append(sums.argmax(0))
        best = sums.max(0) + scores
    path = [int((best + tables.end).argmax())]
    for before in reversed(back):
        path.append(int(before[path[-1]]))
    return path[::-1]


def test_the_description_says_how_to_decode(make_sentences: Callable[..., list[Sentence]], tmp_path: Path) -> None:
    model = replace(MODELS["three networks"](make_sentences), temperature=1.25)
    tagger = Tagger(model)
    description = json.loads(tagger.export(tmp_path / "tagger.onnx").read_text("utf-8"))
    assert description["sha256"] == hashlib.sha256((tmp_path / "tagger.onnx").read_bytes()).hexdigest()
    decoding, tables = description["decoding"], tagger.transitions
    assert decoding["tags"] == list(model.tags.names)
    assert decoding["temperature"] == 1.25
    np.testing.assert_allclose(decoding["start"], tables.start, atol=1e-6)
    np.testing.assert_allclose(decoding["transitions"], tables.scores, atol=1e-6)
    np.testing.assert_allclose(decoding["end"], tables.end, atol=1e-6)
    session = onnx_session((tmp_path / "tagger.onnx").read_bytes())
    assert {one.name for one in session.get_inputs()} == {*description["features"], "lengths"}
    assert {one.type for one in session.get_inputs()} == {"tensor(int32)"}
    assert [one.name for one in session.get_outputs()] == ["emissions"]


def test_emissions_that_differ_are_found_before_anything_is_written(
    make_sentences: Callable[..., list[Sentence]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tagger, path = Tagger(word_model(make_sentences)), tmp_path / "tagger.onnx"
    tagger.export(path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    weights = tagger.model.networks[0].get_parameter("projection.weight")
    with torch.no_grad():
        weights[0, 0] = 1e6  # more than 16 bits hold
    with pytest.raises(InputError, match="this model does not bear the precision float16"):
        tagger.export(path, precision="float16")
    monkeypatch.setattr(export, "projection", _doubled)
    with pytest.raises(InputError, match="expected emissions that differ by at most"):
        tagger.export(path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def _doubled(graph: Any, *rest: Any) -> str:
    from ner_lstm_crf.inference.network_graph import projection

    value = projection(graph, *rest)
    return str(graph.add("Add", value, value))


def test_without_the_package_onnx_the_extra_is_named(
    make_sentences: Callable[..., list[Sentence]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = builtins.__import__

    def without_onnx(name: str, *rest: Any) -> Any:
        if name == "onnx":
            raise ImportError(name)
        return known(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_onnx)
    with pytest.raises(InputError, match=r"pip install 'ner-lstm-crf\[onnx\]'"):
        Tagger(word_model(make_sentences)).export(tmp_path / "tagger.onnx")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_exported_is_refused(
    make_sentences: Callable[..., list[Sentence]], tiny: Config, tmp_path: Path
) -> None:
    tagger = Tagger(word_model(make_sentences))
    (tmp_path / "folder.onnx").mkdir()
    for path, precision, said in (
        ("tagger.bin", "float32", "ends with .onnx"),
        ("folder.onnx", "float32", "found a folder"),
        ("tagger.onnx", "bfloat16", "expected a precision"),
    ):
        with pytest.raises(InputError, match=said):
            tagger.export(tmp_path / path, precision=precision)  # type: ignore[arg-type]
    tagger.model.features["transformer"] = tagger.model.features["word"]
    with pytest.raises(InputError, match="one with a transformer cannot be exported"):
        tagger.export(tmp_path / "tagger.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.onnx"]
