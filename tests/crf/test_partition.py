"""The partition of a CRF, of all paths and of those of allowed tags, and the entropy of its paths."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
import torch_struct
from hypothesis import given, settings, strategies as st
from torch import Tensor

from ner_lstm_crf.model import crf
from ner_lstm_crf.model.heads import CrfHead, SoftmaxHead
from tests.crf_paths import FORBIDDEN, PATHS, TYPES, Path, all_paths, crf_compiled, crf_portable, drawn

SEEDS = st.integers(0, 10**6)


def by_enumeration(
    emissions: Tensor, lengths: Tensor, tables: tuple[Tensor, Tensor, Tensor], allowed: Tensor | None = None
) -> Tensor:
    """Log of the sum over all paths; over those of allowed tags without a forbidden transition, if tags are allowed."""
    found = []
    for sentence, length in enumerate(lengths.tolist()):
        paths, scores = all_paths(emissions[sentence, :length], tables)
        if allowed is not None:
            start, transitions, end = (table > FORBIDDEN for table in tables)
            kept = allowed[sentence, torch.arange(length), paths].all(1) & start[paths[:, 0]] & end[paths[:, -1]]
            kept &= transitions[paths[:, :-1], paths[:, 1:]].all(1)
            scores = scores.masked_fill(~kept, -torch.inf)
        nothing = emissions[sentence].sum() * 0 - torch.inf
        found.append(scores.logsumexp(0) if scores.isfinite().any() else nothing)
    return torch.stack(found)


@PATHS
@TYPES
@settings(max_examples=25)
@given(
    seed=SEEDS,
    tokens=st.integers(1, 5),
    tags=st.integers(1, 5),
    scale=st.sampled_from([0.0, 1.0, 10.0, 1e3]),
    forbidden=st.sampled_from([0.0, 0.4]),
    share=st.sampled_from([None, 0.4, 0.7, 1.0]),
)
def test_the_partition_and_its_gradients_are_those_of_all_allowed_paths(
    path: Path,
    dtype: torch.dtype,
    seed: int,
    tokens: int,
    tags: int,
    scale: float,
    forbidden: float,
    share: float | None,
) -> None:
    emissions, _, lengths, tables = drawn(seed, 3, tokens, tags, scale=scale)
    random = torch.Generator().manual_seed(seed)
    for table in tables:
        table.clamp_(-5, 5)[torch.rand(table.shape, generator=random) < forbidden] = FORBIDDEN
    allowed = None if share is None else torch.rand(emissions.shape, generator=random) < share
    emissions, *tables = (tensor.to(dtype) for tensor in (emissions, *tables))  # type: ignore[assignment]
    padding = ~crf.token_mask(lengths, tokens)
    given_leaves = [
        x.clone().requires_grad_() for x in (emissions.masked_fill(padding.unsqueeze(2), torch.nan), *tables)
    ]
    exact = [x.double().requires_grad_() for x in (emissions, *tables)]

    found = path.log_partition(given_leaves[0], lengths, *given_leaves[1:], allowed)
    expected = by_enumeration(exact[0], lengths, (exact[1], exact[2], exact[3]), allowed)
    digits = 1e-5 if dtype == torch.float32 else 1e-11
    torch.testing.assert_close(found.double(), expected, rtol=digits, atol=10 * digits)
    weights = torch.tensor([1.0, -0.5, 2.0])
    feasible = expected.isfinite()
    gradients, wanted = (
        torch.autograd.grad(
            (log_z * weights.to(log_z.dtype))[feasible].sum(), leaves, allow_unused=True, materialize_grads=True
        )
        for log_z, leaves in ((found, given_leaves), (expected, exact))
    )
    near = (300 if forbidden else 100) * digits  # a path over what is forbidden has a score of -1e4 or less
    for gradient, oracle in zip(gradients, wanted, strict=True):
        torch.testing.assert_close(gradient.double(), oracle.nan_to_num(), rtol=10 * digits, atol=near)


@PATHS
@TYPES
def test_where_no_path_is_allowed_the_partition_is_zero_and_so_are_its_gradients(
    path: Path, dtype: torch.dtype
) -> None:
    emissions, _, _, tables = drawn(1, 3, 4, 3)
    lengths = torch.tensor([4, 4, 2])
    leaves = [tensor.to(dtype).requires_grad_() for tensor in (emissions, *tables)]
    with torch.no_grad():
        leaves[2][0, 1] = FORBIDDEN / 4  # as at a temperature of 4
    allowed = torch.ones(3, 4, 3, dtype=torch.bool)
    allowed[0, 2] = False  # a token without a tag
    allowed[1, 1], allowed[1, 2] = torch.tensor([True, False, False]), torch.tensor([False, True, False])
    allowed[2, 2] = False  # beyond the sentence
    found = path.log_partition(leaves[0], lengths, *leaves[1:], allowed)
    assert found[:2].tolist() == [-math.inf] * 2
    assert torch.equal(found[2], path.log_partition(leaves[0], lengths, *leaves[1:])[2])
    for gradient in torch.autograd.grad(found.sum(), leaves, retain_graph=True):
        assert gradient.isfinite().all()
    for gradient in torch.autograd.grad(found[:2].sum(), leaves):
        assert gradient.eq(0).all()


@pytest.mark.parametrize("path", [crf_compiled, crf_portable], ids=["compiled", "portable"])
@pytest.mark.parametrize("restricted", [False, True])
def test_gradients_are_those_of_finite_differences(path: Path, restricted: bool) -> None:
    emissions, _, lengths, tables = drawn(3, 3, 5, 4)
    allowed = torch.rand(emissions.shape) < 0.7
    allowed[:, :, 1] = True
    leaves = [tensor.requires_grad_() for tensor in (emissions, *tables)]
    assert torch.autograd.gradcheck(
        lambda one, *rest: path.log_partition(one, lengths, *rest, allowed if restricted else None), leaves
    )


@PATHS
def test_emissions_of_minus_ten_thousand_exclude_tags_as_well(path: Path) -> None:
    emissions, _, lengths, tables = drawn(5, 4, 6, 5)
    allowed = torch.rand(emissions.shape, generator=torch.Generator().manual_seed(1)) < 0.6
    allowed[:, :, 3] = True
    excluded = emissions.float().masked_fill(~allowed, FORBIDDEN).requires_grad_()
    narrow = tuple(table.float() for table in tables)
    loss = path.log_partition(emissions.float(), lengths, *narrow) - path.log_partition(excluded, lengths, *narrow)
    expected = path.log_partition(emissions, lengths, *tables) - path.log_partition(
        emissions, lengths, *tables, allowed
    )
    torch.testing.assert_close(loss.double(), expected, rtol=1e-5, atol=2e-5)
    assert (expected > 0).all()
    (gradient,) = torch.autograd.grad(loss.sum(), excluded)
    assert gradient.isfinite().all()
    assert gradient[~allowed].eq(0).all()


@PATHS
def test_one_allowed_path_has_the_probability_that_the_likelihood_gives(path: Path) -> None:
    emissions, gold, lengths, tables = drawn(6, 4, 9, 5)
    only = torch.nn.functional.one_hot(gold, 5).bool()
    share = path.log_partition(emissions, lengths, *tables, only) - path.log_partition(emissions, lengths, *tables)
    torch.testing.assert_close(share, path.log_likelihood(emissions, gold, lengths, *tables))


@PATHS
@TYPES
@settings(max_examples=25)
@given(
    seed=SEEDS,
    tokens=st.integers(1, 5),
    tags=st.integers(1, 4),
    scale=st.sampled_from([0.1, 1.0, 10.0]),
    forbidden=st.sampled_from([0.0, 0.4]),
    restricted=st.booleans(),
)
def test_expected_counts_are_those_of_all_paths_that_fit(
    path: Path, dtype: torch.dtype, seed: int, tokens: int, tags: int, scale: float, forbidden: float, restricted: bool
) -> None:
    emissions, _, lengths, tables = drawn(seed, 3, tokens, tags, scale=scale, forbidden=forbidden)
    emissions, *tables = (tensor.to(dtype) for tensor in (emissions, *tables))  # type: ignore[assignment]
    allowed = torch.rand(emissions.shape, generator=torch.Generator().manual_seed(seed)) < 0.6
    padding = ~crf.token_mask(lengths, tokens).unsqueeze(2)
    of_tags, of_transitions = path.expected_counts(
        emissions.masked_fill(padding, torch.nan), lengths, *tables, *([allowed] if restricted else [])
    )
    assert of_tags.dtype == of_transitions.dtype == dtype
    start, between, end = tables
    for sentence, length in enumerate(lengths.tolist()):
        exact = (start.double(), between.double(), end.double())
        paths, scores = all_paths(emissions[sentence, :length].double(), exact)
        if restricted:
            fits = allowed[sentence, torch.arange(length), paths].all(1) & (scores > FORBIDDEN / 2)
            paths, scores = paths[fits], scores[fits]
        probabilities = scores.softmax(0)
        tags_expected = torch.zeros(tokens, tags, dtype=torch.float64)
        pairs_expected = torch.zeros(tags, tags, dtype=torch.float64)
        for tag_path, probability in zip(paths.tolist(), probabilities, strict=True):
            for token, tag in enumerate(tag_path):
                tags_expected[token, tag] += probability
            for before, after in pairwise(tag_path):
                pairs_expected[before, after] += probability
        slack = {"rtol": 1e-5, "atol": 1e-5} if dtype == torch.float32 else {"rtol": 1e-9, "atol": 1e-9}
        torch.testing.assert_close(of_tags[sentence].double(), tags_expected, **slack)
        torch.testing.assert_close(of_transitions[sentence].double(), pairs_expected, **slack)


@PATHS
@TYPES
@settings(max_examples=25)
@given(
    seed=SEEDS,
    tokens=st.integers(1, 5),
    tags=st.integers(1, 5),
    scale=st.sampled_from([0.0, 0.1, 1.0, 10.0, 1e3]),
    forbidden=st.sampled_from([0.0, 0.4]),
)
def test_the_entropy_is_that_of_all_paths(
    path: Path, dtype: torch.dtype, seed: int, tokens: int, tags: int, scale: float, forbidden: float
) -> None:
    emissions, _, lengths, tables = drawn(seed, 3, tokens, tags, scale=scale, forbidden=forbidden)
    emissions, *tables = (tensor.to(dtype) for tensor in (emissions, *tables))  # type: ignore[assignment]
    padding = ~crf.token_mask(lengths, tokens).unsqueeze(2)
    found = path.entropy(emissions.masked_fill(padding, torch.nan), lengths, *tables)
    assert found.dtype == dtype
    expected = []
    for sentence, length in enumerate(lengths.tolist()):
        exact = (tables[0].double(), tables[1].double(), tables[2].double())
        _, scores = all_paths(emissions[sentence, :length].double(), exact)
        expected.append(torch.special.entr(scores.softmax(0)).sum())
    torch.testing.assert_close(found.double(), torch.stack(expected), rtol=1e-6, atol=1e-6 if scale > 1 else 1e-9)
    assert (found >= 0).all()


@PATHS
@pytest.mark.parametrize("tokens", [1, 7, 2000])
def test_the_entropy_is_nothing_if_a_path_is_certain_and_n_log_k_if_none_is_better(path: Path, tokens: int) -> None:
    lengths, tables = torch.tensor([tokens, 1]), (torch.zeros(5), torch.zeros(5, 5), torch.zeros(5))
    flat = torch.zeros(2, tokens, 5)
    torch.testing.assert_close(path.entropy(flat, lengths, *tables), lengths * math.log(5))
    certain = flat.clone()
    certain[:, :, 2] = 300
    assert path.entropy(certain, lengths, *tables).tolist() == pytest.approx([0, 0], abs=1e-9)


@settings(max_examples=40)
@given(seed=SEEDS, tokens=st.integers(1, 40), tags=st.integers(1, 40), scale=st.sampled_from([0.1, 3.0, 300.0, 1e4]))
def test_kernels_agree_with_plain_numpy_for_any_scores(seed: int, tokens: int, tags: int, scale: float) -> None:
    emissions, _, lengths, tables = drawn(seed, 4, tokens, tags, scale=scale, forbidden=0.3)
    arguments = emissions, lengths, *tables
    allowed = torch.rand(emissions.shape, generator=torch.Generator().manual_seed(seed)) < 0.8
    slack = {"rtol": 1e-9, "atol": 1e-8 * (1 + scale)}
    torch.testing.assert_close(crf_compiled.entropy(*arguments), crf_portable.entropy(*arguments), **slack)
    for restriction in (None, allowed):
        found, expected = (path.log_partition(*arguments, restriction) for path in (crf_compiled, crf_portable))
        torch.testing.assert_close(found, expected, **slack)


@PATHS
def test_a_softmax_head_is_a_crf_of_zeros(path: Path) -> None:
    emissions, gold, lengths, _ = drawn(8, 4, 7, 5, scale=2)
    everything = torch.ones(5, dtype=torch.bool)
    softmax, head = SoftmaxHead(5).double(), CrfHead(everything, everything.expand(5, 5), everything).double()
    with torch.no_grad():
        for scores in head.parameters():
            scores.zero_()
    mask = crf.token_mask(lengths, 7)
    expected = (emissions.logsumexp(2) * mask).sum(1)
    with path.chosen():
        for one in (softmax, head):
            torch.testing.assert_close(one.log_partition(emissions, lengths), expected)
        torch.testing.assert_close(head.loss(emissions, gold, lengths), softmax.loss(emissions, gold, lengths))
    alone = torch.special.entr(emissions.softmax(2)).sum(2)
    torch.testing.assert_close(path.entropy(emissions, lengths, *softmax.scores()), (alone * mask).sum(1))


@pytest.mark.filterwarnings("ignore:.*does not define `arg_constraints`")
def test_partition_and_entropy_agree_with_torch_struct() -> None:
    emissions, _, _, (start, transitions, end) = drawn(9, 5, 12, 6, scale=2)
    lengths = torch.full((5,), 12)
    edges = transitions + emissions[:, 1:, None, :]  # (B, T - 1, from, to)
    edges[:, 0] += (start + emissions[:, 0]).unsqueeze(2)
    edges[:, -1] += end
    theirs = torch_struct.LinearChainCRF(edges.transpose(2, 3))
    torch.testing.assert_close(
        crf_compiled.log_partition(emissions, lengths, start, transitions, end), theirs.partition
    )
    torch.testing.assert_close(crf_compiled.entropy(emissions, lengths, start, transitions, end), theirs.entropy)


@PATHS
def test_what_may_be_allowed_has_the_shape_of_the_emissions(path: Path) -> None:
    zeros = torch.zeros(2, 3, 4), torch.tensor([3, 2]), torch.zeros(4), torch.zeros(4, 4), torch.zeros(4)
    for wrong in (torch.ones(2, 3, 5, dtype=torch.bool), torch.ones(2, 3, 4)):
        with pytest.raises(ValueError, match=r"expected allowed of shape \(2, 3, 4\) and type bool"):
            path.log_partition(*zeros, wrong)
