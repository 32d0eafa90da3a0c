"""Vectors computed once per form give the emissions of the whole network."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from ner_lstm_crf.features.ragged import InferenceBatch
from ner_lstm_crf.saving.build import Inventory, build_network, random_words

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.batch import Batch
from ner_lstm_crf.features.embedding import WordEmbedding
from ner_lstm_crf.model import cpu
from ner_lstm_crf.model.inference import InferenceNetwork
from ner_lstm_crf.model.network import Network


def made_network(**shape: object) -> Network:
    torch.manual_seed(0)
    sizes = {"char_size": 4, "char_filters": 5, "casing_size": 3, "hidden_size": 6}
    config = ModelConfig(**(sizes | shape))  # type: ignore[arg-type]
    everything = torch.ones(4, 4, dtype=torch.bool)
    bigrams = 9 if config.has_bigrams else 0
    inventory = Inventory(
        characters=7,
        casings=5,
        start=everything[0],
        transitions=everything,
        end=everything[0],
        bigrams=bigrams,
        lexicon=torch.arange(6) if config.has_bigrams else None,
    )
    return build_network(config, inventory, WordEmbedding(random_words(10, 8), torch.randn(5, 8))).eval()


def made_batch(sentences: list[list[int]], padding: int = 0) -> tuple[Batch, InferenceBatch]:
    """Sentences of forms 0 to 9 for either kind of network; the second longer by `padding` places."""
    lengths = torch.tensor([len(sentence) for sentence in sentences])
    tokens = torch.zeros(len(sentences), int(lengths.max()) + padding, dtype=torch.int64)
    for row, sentence in enumerate(sentences):
        tokens[row, : len(sentence)] = torch.tensor(sentence)
    forms = torch.arange(10)
    characters = torch.stack([forms % 5 + 2, forms % 3 + 2, torch.zeros_like(forms)], 1).flatten()
    ids = {"words": forms + 3, "casings": forms % 5, "characters": characters, "character_counts": torch.full((10,), 2)}
    bigrams = torch.stack([tokens * 7 % 9, tokens * 5 % 9], dim=2)
    longest = int(lengths.max())
    whole = Batch(**ids, tokens=tokens[:, :longest], lengths=lengths, bigrams=bigrams[:, :longest])
    lexicon = torch.stack([tokens * number % 6 for number in (2, 3, 5)], dim=2)
    whole = replace(whole, lexicon=lexicon[:, :longest])
    return whole, InferenceBatch(tokens, lengths, bigrams=bigrams, lexicon=lexicon)


def vectors_of(network: Network, batch: Batch) -> torch.Tensor:
    return network.embedding.type_vectors(batch.words, batch.casings, batch.characters, batch.character_counts)


Sentences = st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=7), min_size=1, max_size=5)


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"layers": 2},
        {"layers": 3, "residual": False},
        {"token_unit": "character", "bigram_size": 4},
        {"token_unit": "character", "bigram_size": 4, "layers": 2},
        {"token_unit": "character", "bigram_size": 0},
        {"casing_size": 0, "char_filters": 0},
        {"head": "softmax"},
    ],
    ids=str,
)
@given(sentences=Sentences, padding=st.integers(0, 3))
def test_emissions_and_tags_are_those_of_the_network(
    shape: dict[str, object], sentences: list[list[int]], padding: int
) -> None:
    network = made_network(**shape)
    batch, forms = made_batch(sentences, padding)
    with torch.inference_mode():
        expected, best = network.emissions(batch), network.decode(batch)
        vectors = vectors_of(network, batch)
        fast = InferenceNetwork(network)
        emissions, tags = fast.emissions([vectors], forms), fast.decode([vectors], forms)
    assert emissions.is_contiguous()
    for row, sentence in enumerate(sentences):
        torch.testing.assert_close(emissions[row, : len(sentence)], expected[row, : len(sentence)])
        assert tags[row, : len(sentence)].tolist() == best[row, : len(sentence)].tolist()
        assert not tags[row, len(sentence) :].any()


@pytest.mark.parametrize("shape", [{}, {"token_unit": "character", "bigram_size": 4}], ids=str)
def test_half_precision_is_near_follows_the_weights_and_leaves_them_alone(
    shape: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu, "quickest_dtype", lambda: torch.bfloat16)
    network = made_network(**shape)
    batch, forms = made_batch([[1, 2, 3], [4]])
    half = InferenceNetwork(network, "bfloat16")
    for _ in range(2):
        half.refresh()
        with torch.inference_mode():
            emissions = half.emissions([vectors_of(network, batch).bfloat16()], forms)
            expected = network.emissions(batch)
        assert emissions.dtype == torch.float32
        torch.testing.assert_close(emissions[0], expected[0], rtol=0.05, atol=0.05)
        assert not torch.equal(emissions[0], expected[0])
        with torch.no_grad():
            for weight in network.encoder.parameters():
                weight.mul_(-1.5)
    assert {weight.dtype for weight in network.parameters()} == {torch.float32}


def test_a_precision_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "quickest_dtype", lambda: torch.float32)
    with pytest.raises(InputError, match="AVX-512 BF16"):
        InferenceNetwork(made_network(), "bfloat16")
    with pytest.raises(InputError, match=r"float32, bfloat16.*'half'"):
        InferenceNetwork(made_network(), "half")  # type: ignore[arg-type]
