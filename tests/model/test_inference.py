"""Vectors computed once per word type give the emissions of whole networks, and follow their weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise, product

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from torch import Tensor

from ner_lstm_crf.config import Config
from ner_lstm_crf.crf import FORBIDDEN, viterbi
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.batch import Batch, WordTypes
from ner_lstm_crf.features.vectors import Vectors
from ner_lstm_crf.model import cpu, inference
from ner_lstm_crf.model.embedding.token_embedding import TensorBatch
from ner_lstm_crf.model.heads import CrfHead
from ner_lstm_crf.model.inference import InferenceNetwork, TypeVectorCache, mean_head
from ner_lstm_crf.model.network import Network
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.text.annotation import Sentence
from tests.made_batches import made_network
from tests.plain_path import batch_of

Make = Callable[..., list[Sentence]]
Sentences = st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=7), min_size=1, max_size=5)
WORDS = ["Anna", "met", "", "Öslo-3", "x" * 300, "nowhere"]


def made_batches(sentences: list[list[int]], padding: int = 0) -> tuple[TensorBatch, Batch]:
    """Sentences of word types 0 to 9 for training and for tagging; the latter longer by `padding` positions."""
    lengths = torch.tensor([len(sentence) for sentence in sentences])
    longest = int(lengths.max())
    tokens = torch.zeros(len(sentences), longest + padding, dtype=torch.int64)
    for row, sentence in enumerate(sentences):
        tokens[row, : len(sentence)] = torch.tensor(sentence)
    types = torch.arange(10)
    characters = torch.stack([types % 5 + 2, types % 3 + 2, torch.zeros_like(types)], 1).flatten()
    inputs = {"word": types + 3, "casing": types % 5, "characters": (characters, torch.full((10,), 2))}
    context = {
        "bigrams": torch.stack([tokens * 7 % 9, tokens * 5 % 9], dim=2),
        "lexicon": torch.stack([tokens * number % 6 for number in (2, 3, 5)], dim=2),
    }
    short = {name: ids[:, :longest] for name, ids in context.items()}
    tagging = Batch(tokens.numpy(), lengths.numpy(), {name: ids.numpy() for name, ids in context.items()})
    return TensorBatch(tokens[:, :longest], lengths, inputs | short), tagging


def for_network(network: Network, batch: TensorBatch) -> TensorBatch:
    """The batch with the inputs of the network's features alone."""
    return replace(batch, inputs={name: ids for name, ids in batch.inputs.items() if name in network.embedding})


def type_vectors(network: Network, batch: TensorBatch) -> Tensor:
    return torch.cat([module(batch.inputs[name]) for name, module in network.embedding.types], dim=1)


def plain_emissions(network: Network, batch: TensorBatch) -> Tensor:
    return network.emissions(network.embedding(for_network(network, batch)), batch.lengths)


@cache
def made_networks(count: int, shape: tuple[tuple[str, object], ...]) -> list[Network]:
    """Networks that differ in their projection."""
    networks = [made_network(**dict(shape)) for _ in range(count)]
    for number, network in enumerate(networks, 1):
        with torch.no_grad():
            network.projection.weight.mul_(number)
    return networks


SHAPES = pytest.mark.parametrize(
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


@SHAPES
@pytest.mark.parametrize("count", [1, 3])
@given(sentences=Sentences, padding=st.integers(0, 3))
def test_emissions_and_tags_are_those_of_the_networks(
    shape: dict[str, object], count: int, sentences: list[list[int]], padding: int
) -> None:
    networks = made_networks(count, tuple(shape.items()))
    batch, tagging = made_batches(sentences, padding)
    fast = InferenceNetwork(networks, WordTypes({}))
    with torch.inference_mode():
        expected = torch.stack([plain_emissions(network, batch) for network in networks]).mean(0)
        best = mean_head([network.head for network in networks]).decode(expected, batch.lengths)
        vectors = [type_vectors(network, batch) for network in networks]
        fast.type_vectors(np.zeros(0, np.int64))
        emissions = fast.emissions(vectors, tagging)
        tags = viterbi(emissions, tagging.lengths, fast.tables)
    for row, sentence in enumerate(sentences):
        torch.testing.assert_close(torch.from_numpy(emissions[row, : len(sentence)]), expected[row, : len(sentence)])
        assert tags[row, : len(sentence)].tolist() == best[row, : len(sentence)].tolist()
        assert not tags[row, len(sentence) :].any()


def test_a_path_has_the_mean_of_its_scores_in_the_networks() -> None:
    """The distribution over paths is the geometric mean of theirs, normalised."""
    networks = [made_network() for _ in range(3)]
    for number, network in enumerate(networks):
        with torch.no_grad():
            network.projection.bias.add_(torch.tensor([0.1, 0.7, 0.3, 0.9]) * number)
            for weight in network.head.parameters():
                weight.add_(0.3 * number)
    sentences = [[1, 2, 3], [4, 7]]
    batch, _ = made_batches(sentences)
    each = [plain_emissions(network, batch).detach() for network in networks]
    head = mean_head([network.head for network in networks])
    paths_of = {length: list(product(range(4), repeat=length)) for length in (2, 3)}
    mean = torch.stack(each).mean(0)
    marginals, tags = head.marginals(mean, batch.lengths), head.decode(mean, batch.lengths)
    for row, sentence in enumerate(sentences):
        paths = paths_of[len(sentence)]
        scores = torch.stack(
            [
                torch.stack([path_score(network.head, one[row], path).detach() for path in paths])
                for network, one in zip(networks, each, strict=True)
            ]
        ).mean(0)
        assert tuple(tags[row, : len(sentence)].tolist()) == paths[int(scores.argmax())]
        shares = scores.softmax(0)
        for position in range(len(sentence)):
            chosen = torch.tensor([path[position] for path in paths])
            torch.testing.assert_close(marginals[row, position], torch.zeros(4).index_add(0, chosen, shares))


def path_score(head: torch.nn.Module, emissions: Tensor, path: Sequence[int]) -> Tensor:
    assert isinstance(head, CrfHead)
    start, transitions, end = head.scores()
    score = start[path[0]] + end[path[-1]] + sum(emissions[position, tag] for position, tag in enumerate(path))
    return score + sum(transitions[one, other] for one, other in pairwise(path))


def test_the_mean_of_heads_keeps_what_is_forbidden_and_leaves_them_alone() -> None:
    heads = [
        CrfHead(*(torch.eye(3, dtype=torch.bool)[0], torch.eye(3, dtype=torch.bool), torch.ones(3) > 0)) for _ in "ab"
    ]
    before = [weight.clone() for head in heads for weight in head.parameters()]
    mean = mean_head(heads)
    for scores, *theirs in zip(mean.scores(), *(head.scores() for head in heads), strict=True):
        torch.testing.assert_close(scores, torch.stack(theirs).mean(0))
        assert (scores == FORBIDDEN).equal(theirs[0] == FORBIDDEN)
    assert all(map(torch.equal, before, (weight for head in heads for weight in head.parameters())))
    assert all(
        torch.equal(one, other) for one, other in zip(mean_head(heads[:1]).scores(), heads[0].scores(), strict=True)
    )


@pytest.mark.parametrize("shape", [{}, {"token_unit": "character", "bigram_size": 4}], ids=str)
def test_half_precision_is_near_follows_the_weights_and_leaves_them_alone(
    shape: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu, "quickest_dtype", lambda: torch.bfloat16)
    network = made_network(**shape)
    batch, tagging = made_batches([[1, 2, 3], [4]])
    half = InferenceNetwork([network], WordTypes({}), "bfloat16")
    for _ in range(2):
        half.type_vectors(np.zeros(0, np.int64))
        with torch.inference_mode():
            vectors = type_vectors(network, batch).bfloat16()
            emissions = torch.from_numpy(half.emissions([vectors], for_network(network, tagging)))
            expected = plain_emissions(network, batch)
        assert emissions.dtype == torch.float32
        torch.testing.assert_close(emissions[0], expected[0], rtol=0.05, atol=0.05)
        assert not torch.equal(emissions[0], expected[0])
        with torch.no_grad():
            for weight in network.encoder.parameters():
                weight.mul_(-1.5)
    assert {weight.dtype for weight in network.parameters()} == {torch.float32}


def test_a_precision_that_is_not_available_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "quickest_dtype", lambda: torch.float32)
    with pytest.raises(InputError, match="AVX-512 BF16"):
        InferenceNetwork([made_network()], WordTypes({}), "bfloat16")


@pytest.fixture
def model(make_sentences: Make, tiny: Config) -> Model:
    size = tiny.model.word_size
    vectors = Vectors(("nowhere",), torch.full((1, size), 0.5).numpy())  # which training does not have: it is frozen
    made = Model.build(make_sentences(20), tiny.model, vectors=vectors)
    made.networks[0].eval()
    return made


def expected_vectors(model: Model, words: list[str]) -> Tensor:
    """The vector of each word, computed from nothing."""
    with torch.no_grad():
        return torch.stack([model.networks[0].embedding(batch_of(model, [[word]]))[0, 0] for word in words])


def test_each_word_type_is_computed_once(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "_FIRST_ROWS", 2)
    monkeypatch.setattr(inference, "_TYPES_AT_ONCE", 2)
    types, network = WordTypes(model.features), model.networks[0]
    computed: list[int] = []
    network.embedding["word"].register_forward_hook(lambda module, words, vectors: computed.append(len(words[0])))
    types.rows(["a", "lot", "of", "others"])
    cache, rows = TypeVectorCache(network, types), types.rows(WORDS * 2)
    for _ in range(2):
        torch.testing.assert_close(cache.vectors(rows)[rows], expected_vectors(model, WORDS * 2))
    assert computed == [2, 2, 2]
    more = types.rows(["one", "more", *WORDS])
    torch.testing.assert_close(cache.vectors(more)[more], expected_vectors(model, ["one", "more", *WORDS]))
    assert sum(computed) == len(WORDS) + 2


@pytest.mark.parametrize(
    "part",
    ["word.table.trainable", "word.table.frozen", "casing.embedding.weight", "characters.convolutions.0.weight"],
)
def test_vectors_follow_every_weight(model: Model, part: str) -> None:
    types, network = WordTypes(model.features), model.networks[0]
    assert len(network.embedding.tables["word"].frozen) == 1
    cache, rows = TypeVectorCache(network, types), types.rows(WORDS)
    before = cache.vectors(rows)[rows].clone()
    tensors = dict(network.embedding.named_parameters()) | dict(network.embedding.named_buffers())
    with torch.no_grad():
        tensors[part].add_(1)
    torch.testing.assert_close(cache.vectors(rows)[rows], expected_vectors(model, WORDS))
    assert not torch.equal(cache.vectors(rows)[rows], before)
    doubled = {name: tensor * 2 for name, tensor in network.embedding.state_dict().items()}
    network.embedding.load_state_dict(doubled, assign=True)
    torch.testing.assert_close(cache.vectors(rows)[rows], expected_vectors(model, WORDS))


def test_the_score_tables_follow_their_weights(model: Model) -> None:
    fast, rows = InferenceNetwork(model.networks, WordTypes(model.features)), np.zeros(0, np.int64)
    for _ in range(2):
        fast.type_vectors(rows)
        for scores, theirs in zip(fast.tables, model.networks[0].head.scores(), strict=True):
            assert torch.equal(torch.from_numpy(scores), theirs)
        with torch.no_grad():
            model.networks[0].head.transitions.add_(1)


def test_networks_in_training_are_put_into_evaluation_mode(model: Model) -> None:
    model.networks[0].train()
    InferenceNetwork(model.networks, WordTypes(model.features)).type_vectors(np.zeros(0, np.int64))
    assert not model.networks[0].training


def test_cleared_word_types_leave_the_vectors_that_were_given_out(model: Model) -> None:
    types = WordTypes(model.features)
    cache, rows = TypeVectorCache(model.networks[0], types), types.rows(WORDS)
    given_out, content = cache.vectors(rows), cache.vectors(rows)[rows].clone()
    types.clear()
    others = types.rows(["entirely", "different", *WORDS])
    expected = expected_vectors(model, ["entirely", "different", *WORDS])
    torch.testing.assert_close(cache.vectors(others)[others], expected)
    assert torch.equal(given_out[rows], content)
