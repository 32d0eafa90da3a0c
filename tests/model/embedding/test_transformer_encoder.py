"""Pooled vectors equal a slow reference, whatever else is in the batch; frozen means frozen; saving keeps all."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from safetensors.torch import load_file
from torch import Tensor, nn

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.transformer.subtokens import (
    Framing,
    SubTokens,
    collate_subtokens,
    cut_windows,
    quiet_transformers,
)
from ner_lstm_crf.model.cpu import quickest_dtype
from ner_lstm_crf.model.embedding import transformer
from ner_lstm_crf.model.embedding.transformer import PretrainedEncoder, contextual_vectors
from tests.encoders import windows_of

transformers = pytest.importorskip("transformers")

FRAMING = Framing(16, (1,), (2,))
SIZES = {"vocab_size": 50, "hidden_size": 12, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 16}


def tiny_bert(**options: Any) -> Any:
    """A BERT with random weights, large enough ones that context matters."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        config = transformers.BertConfig(**SIZES, max_position_embeddings=16, initializer_range=0.5, **options)
        return transformers.BertModel(config).eval()


def embedding(**options: Any) -> PretrainedEncoder:
    return PretrainedEncoder(tiny_bert(), **({"layers": 2} | options))


def cut(sentences: Sequence[Sequence[Sequence[int]]]) -> list[SubTokens]:
    return [windows_of(pieces, FRAMING) for pieces in sentences]


pieces = st.lists(st.lists(st.integers(3, 49), min_size=1, max_size=4), max_size=20)
MIXED: list[list[list[int]]] = [[[3, 4], [5]], [], [[6 + i % 40] for i in range(45)], [[7] * 30, [8]]]


def slowly(encoder: nn.Module, sentence: SubTokens, layers: int) -> Tensor:
    """(T, D), one window, one sub-token at a time."""
    found: list[list[Tensor]] = [[] for _ in range(sentence.tokens)]
    for ids, *places in zip(sentence.ids.tolist(), sentence.targets.tolist(), sentence.counts.tolist(), strict=True):
        with torch.no_grad():
            states = encoder(torch.tensor([ids]), output_hidden_states=True).hidden_states
        for position, (target, count) in enumerate(zip(*places, strict=True)):
            for token in range(target, target + count):
                found[token].append(sum(state[0, position] for state in states[-layers:]) / layers)
    return torch.stack([torch.stack(vectors).mean(0) for vectors in found]) if found else torch.zeros(0, 12)


@given(sentences=st.lists(pieces, max_size=5), layers=st.integers(1, 4))
@settings(deadline=None, max_examples=8)
def test_vectors_equal_a_slow_reference(sentences: list[list[list[int]]], layers: int) -> None:
    model, expected = embedding(layers=layers), cut(sentences)
    vectors = model(collate_subtokens(expected))
    assert vectors.shape == (len(sentences), max(map(len, sentences), default=0), model.size)
    for rows, sentence in zip(vectors, expected, strict=True):
        torch.testing.assert_close(
            rows[: sentence.tokens], slowly(model.encoder, sentence, layers), atol=1e-5, rtol=1e-5
        )
        assert (rows[sentence.tokens :] == 0).all()


@given(counts=st.lists(st.integers(1, 4), min_size=1, max_size=30))
@settings(deadline=None, max_examples=8)
def test_a_subtoken_of_several_tokens_gives_each_its_vector(counts: list[int]) -> None:
    model, targets = embedding(), np.cumsum([0, *counts[:-1]]).tolist()
    sentence = cut_windows(list(range(3, 3 + len(counts))), targets, counts, FRAMING)
    vectors = model(collate_subtokens([*cut(MIXED), sentence]))[-1, : sum(counts)]
    torch.testing.assert_close(vectors, slowly(model.encoder, sentence, 2), atol=1e-5, rtol=1e-5)
    for target, count in zip(targets, counts, strict=True):
        assert (vectors[target : target + count] == vectors[target]).all()


@pytest.mark.parametrize("at_once", [1, 20, 40, 10_000])
def test_portions_change_nothing(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    batch = collate_subtokens(cut(MIXED))
    expected = embedding()(batch)
    monkeypatch.setattr(transformer, "_AT_ONCE", at_once)
    torch.testing.assert_close(embedding()(batch), expected, atol=1e-5, rtol=1e-5)


def test_what_stands_in_the_padding_changes_nothing() -> None:
    batch = collate_subtokens(cut(MIXED))
    spoilt = dataclasses.replace(batch, ids=np.where(batch.mask, batch.ids, 9))
    torch.testing.assert_close(embedding()(spoilt), embedding()(batch), atol=1e-6, rtol=1e-6)


class Neighbours(nn.Module):
    """An encoder that sees `reach` places to each side: what it says of a token depends on nothing further away."""

    def __init__(self, reach: int) -> None:
        super().__init__()
        self.config = SimpleNamespace(num_hidden_layers=1, hidden_size=1)
        self.weights = nn.Parameter(torch.arange(1.0, 2 * reach + 2)[None, None])
        self.reach = reach

    def forward(self, *, input_ids: Tensor, attention_mask: Tensor, output_hidden_states: bool) -> Any:
        values = (input_ids * attention_mask).float()[:, None]
        summed = nn.functional.conv1d(values, self.weights, padding=self.reach)
        return SimpleNamespace(hidden_states=(summed.transpose(1, 2),))


@given(counts=st.lists(st.integers(1, 4), min_size=1, max_size=120))
@settings(deadline=None, max_examples=40)
def test_windows_equal_the_whole_where_context_allows(counts: list[int]) -> None:
    ids = iter(range(3, 10_000))
    sentence = [[next(ids) for _ in range(count)] for count in counts]
    windowed = windows_of(sentence, Framing(66, (1,), (2,)))  # overlaps of 16: 8 to each side, less half a token
    whole = windows_of(sentence, Framing(10_000, (1,), (2,)))
    model = PretrainedEncoder(Neighbours(6), layers=1)
    expected = model(collate_subtokens([whole]))
    torch.testing.assert_close(model(collate_subtokens([windowed])), expected)


def test_frozen_it_neither_trains_nor_drops_out() -> None:
    model = embedding()
    nn.Sequential(model).train()
    assert not model.encoder.training
    vectors = model(collate_subtokens(cut(MIXED)))
    assert not vectors.requires_grad
    assert not any(weight.requires_grad for weight in model.parameters())
    assert torch.equal(vectors, model(collate_subtokens(cut(MIXED))))


def test_fine_tuned_it_does_both() -> None:
    model = embedding(fine_tune=True)
    assert model.encoder.training
    batch = collate_subtokens(cut(MIXED))
    assert not torch.equal(model(batch), model(batch))
    assert not model.eval().encoder.training
    model(batch).square().sum().backward()
    reached = {name for name, weight in model.named_parameters() if weight.grad is not None and weight.grad.any()}
    assert "encoder.embeddings.word_embeddings.weight" in reached
    assert "encoder.encoder.layer.2.output.dense.weight" in reached
    with torch.no_grad():
        assert not model(batch).requires_grad


def test_gradients_equal_those_of_the_slow_way() -> None:
    def gradient(*, together: bool) -> Tensor:
        model = embedding(fine_tune=True).eval()
        for batch in [cut(MIXED)] if together else [[sentence] for sentence in cut(MIXED) if sentence.tokens]:
            model(collate_subtokens(batch)).square().sum().backward()
        grad = model.encoder.embeddings.word_embeddings.weight.grad  # type: ignore[union-attr]
        assert isinstance(grad, Tensor)
        return grad

    torch.testing.assert_close(gradient(together=True), gradient(together=False), atol=1e-3, rtol=1e-4)


def test_contextual_vectors_are_those_of_each_sentence() -> None:
    model, sentences, reports = embedding(), cut([*MIXED, *MIXED[::-1]]), []
    computed = contextual_vectors(
        model, sentences, batch_subtokens=40, progress=lambda done, total: reports.append((done, total))
    )
    assert computed.dtype == np.float16
    vectors_of_each = torch.from_numpy(computed).float().split([one.tokens for one in sentences])
    for vectors, sentence in zip(vectors_of_each, sentences, strict=True):
        torch.testing.assert_close(vectors, slowly(model.encoder, sentence, 2), atol=2e-3, rtol=2e-3)
    assert [done for done, _ in reports] == sorted({done for done, _ in reports})
    assert reports[0] == (0, 8)
    assert reports[-1] == (8, 8)


def test_contextual_vectors_can_be_trained_on() -> None:
    vectors = contextual_vectors(embedding(), cut(MIXED))
    layer = nn.Linear(12, 1)
    layer(torch.from_numpy(vectors).float()).sum().backward()
    assert layer.weight.grad is not None


def test_contextual_vectors_of_nothing() -> None:
    assert contextual_vectors(embedding(), []).shape == (0, 12)
    assert contextual_vectors(embedding(), cut([[], []])).shape == (0, 12)


@pytest.mark.parametrize("value", [7e4, float("nan")])
def test_contextual_vectors_beyond_half_precision_are_refused(value: float) -> None:
    model = embedding()
    with torch.no_grad():
        model.encoder.encoder.layer[-1].output.LayerNorm.bias[0] = value
    with pytest.raises(InputError, match=r"expected vectors of the transformer up to 65,504, got larger ones, or no"):
        contextual_vectors(PretrainedEncoder(model.encoder, layers=1), cut(MIXED))


def test_contextual_vectors_need_a_frozen_encoder() -> None:
    with pytest.raises(ValueError, match="expected a frozen transformer"):
        contextual_vectors(embedding(fine_tune=True), cut(MIXED))


@pytest.mark.parametrize("layers", [0, 5])
def test_layers_are_those_it_has(layers: int) -> None:
    with pytest.raises(InputError, match=f"expected between 1 and 4 layers of the transformer, got {layers}"):
        embedding(layers=layers)


def test_layers_of_a_mix_lie_side_by_side_in_order() -> None:
    batch = collate_subtokens(cut(MIXED))
    apart = embedding(layers=4, mix=True)
    assert apart.size == 48
    parts = apart(batch).split(12, dim=-1)
    torch.testing.assert_close(parts[-1], embedding(layers=1)(batch))
    torch.testing.assert_close(torch.stack(parts).mean(0), embedding(layers=4)(batch))


def test_in_bfloat16_only_the_products_of_training_are_rounded() -> None:
    undropped = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    exact, quick = (PretrainedEncoder(tiny_bert(**undropped), layers=4, fine_tune=True) for _ in range(2))
    quick.in_bfloat16 = True
    batch = collate_subtokens(cut(MIXED))
    vectors = {True: exact.train()(batch), False: quick.train()(batch)}
    assert vectors[False].dtype == torch.float32
    assert not torch.equal(vectors[True], vectors[False])
    assert (vectors[True] - vectors[False]).norm() < 0.02 * vectors[True].norm()
    for model, found in ((exact, vectors[True]), (quick, vectors[False])):
        (found * torch.linspace(-1, 1, found.numel()).view_as(found)).sum().backward()
        assert all(weight.dtype == torch.float32 for weight in model.parameters())
    gradients = [
        torch.cat([weight.grad.double().flatten() for weight in model.parameters() if weight.grad is not None])
        for model in (exact, quick)
    ]
    assert torch.cosine_similarity(*gradients, dim=0) > 0.99
    assert torch.equal(exact.eval()(batch), quick.eval()(batch))


def test_half_precision_is_not_trained() -> None:
    with pytest.raises(InputError, match="float32"):
        PretrainedEncoder(tiny_bert().bfloat16(), layers=1, fine_tune=True)


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [({"amx_bf16": True}, torch.bfloat16), ({"avx512_bf16": False}, torch.float32), ({}, torch.float32)],
)
def test_the_quickest_type_is_what_the_processor_multiplies(
    monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, bool], expected: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert quickest_dtype() == expected


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    embedding().save(tmp_path / "encoder")
    return tmp_path / "encoder"


@pytest.mark.parametrize("fine_tune", [False, True])
def test_saved_and_loaded_it_is_the_same(folder: Path, fine_tune: bool, capfd: pytest.CaptureFixture[str]) -> None:
    assert {path.name for path in folder.iterdir()} == {"config.json", "model.safetensors"}
    loaded = PretrainedEncoder.from_pretrained(str(folder), layers=2, fine_tune=fine_tune)
    assert loaded.training
    assert loaded.encoder.training == fine_tune
    batch = collate_subtokens(cut(MIXED))
    assert torch.equal(loaded.eval()(batch), embedding()(batch))
    loaded.save(folder)
    assert torch.equal(PretrainedEncoder.from_pretrained(folder, layers=2)(batch), embedding()(batch))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_layers_behind_the_depth_are_left_out(folder: Path, depth: int) -> None:
    batch = collate_subtokens(cut(MIXED))
    cut_off = PretrainedEncoder.from_pretrained(folder, depth=depth, layers=depth)
    whole = embedding(layers=4, mix=True)(batch).view(*batch.shape, 4, 12)  # the embedding layer first
    torch.testing.assert_close(cut_off(batch), whole[:, :, 1 : depth + 1].mean(2), atol=1e-5, rtol=1e-5)
    cut_off.save(folder)
    names = load_file(folder / "model.safetensors")
    assert {name.split(".")[2] for name in names if name.startswith("encoder.layer.")} == set("012"[:depth])
    assert torch.equal(PretrainedEncoder.from_pretrained(folder, depth=depth, layers=depth)(batch), cut_off(batch))
    assert torch.equal(PretrainedEncoder.from_pretrained(folder, layers=depth)(batch), cut_off(batch))


def test_the_depth_is_at_most_that_of_the_encoder(folder: Path) -> None:
    with pytest.raises(InputError, match="transformer_depth: expected at most the 3 layers of the encoder, got 4"):
        PretrainedEncoder.from_pretrained(folder, depth=4)
    with pytest.raises(InputError, match="expected between 1 and 3 layers of the transformer, got 4"):
        PretrainedEncoder.from_pretrained(folder, depth=2)  # of which the last four are to be averaged


def test_loading_draws_no_random_numbers(folder: Path) -> None:
    PretrainedEncoder.from_pretrained(folder, layers=2).save(folder)  # now without a pooler, which is then made up
    before = torch.random.get_rng_state()
    PretrainedEncoder.from_pretrained(folder, layers=2)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_damaged_weights(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(InputError, match="expected an encoder's weights") as raised:
        PretrainedEncoder.from_pretrained(folder)
    assert str(raised.value).startswith(str(folder))
    assert "\n" not in str(raised.value)


def test_weights_of_another_architecture_are_not_made_up(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "distilbert"}), encoding="utf-8")
    with pytest.raises(InputError, match=r"expected the weights of a 'distilbert' encoder, \d+ are missing"):
        PretrainedEncoder.from_pretrained(folder)


def test_a_decoder_is_refused(tmp_path: Path) -> None:
    config = transformers.T5Config(vocab_size=20, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2)
    with quiet_transformers():
        transformers.T5Model(config).save_pretrained(tmp_path)
    with pytest.raises(InputError, match="expected an encoder like BERT, found 't5'"):
        PretrainedEncoder.from_pretrained(tmp_path)


def test_a_missing_folder() -> None:
    with pytest.raises(InputError, match="found no folder '/no/such/encoder'"):
        PretrainedEncoder.from_pretrained("/no/such/encoder")
