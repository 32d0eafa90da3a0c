"""The label-wise likelihood of a CRF: kernels and plain torch against all paths, and against each other."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import Tensor

from tests.crf_paths import FORBIDDEN, PATHS, TYPES, Path, all_paths, crf_compiled, crf_portable, drawn


def with_gradients(
    path: Path, emissions: Tensor, gold: Tensor, lengths: Tensor, tables: tuple[Tensor, ...], weights: Tensor
) -> tuple[Tensor, ...]:
    """The likelihoods, and the gradients of their weighted sum."""
    leaves = [tensor.detach().clone().requires_grad_() for tensor in (emissions, *tables)]
    likelihood = path.labelwise_log_likelihood(leaves[0], gold, lengths, *leaves[1:])
    gradients = torch.autograd.grad((likelihood * weights).sum(), leaves, allow_unused=True, materialize_grads=True)
    return likelihood.detach(), *gradients


def assert_near(found: tuple[Tensor, ...], expected: tuple[Tensor, ...], rtol: float, atol: float) -> None:
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=rtol, atol=atol)


@PATHS
@TYPES
@pytest.mark.parametrize("forbidden", [0.0, 0.3])
def test_likelihood_and_gradients_are_those_of_all_paths(path: Path, dtype: torch.dtype, forbidden: float) -> None:
    for seed in range(5):
        emissions, gold, lengths, tables = drawn(seed, 4, 4, 4, scale=2.0, forbidden=forbidden)
        leaves = [tensor.clone().requires_grad_() for tensor in (emissions, *tables)]
        expected = []
        for number, length in enumerate(lengths.tolist()):
            paths, scores = all_paths(leaves[0][number, :length], (leaves[1], leaves[2], leaves[3]))
            log_z = scores.logsumexp(0)
            given_tag = [scores[paths[:, t] == gold[number, t]].logsumexp(0) for t in range(length)]
            expected.append(torch.stack(given_tag).sum() - length * log_z)
        weights = torch.linspace(-0.5, 2, 4, dtype=torch.float64)
        gradients = torch.autograd.grad((torch.stack(expected) * weights).sum(), leaves)
        narrow = tuple(table.to(dtype) for table in tables)
        found = with_gradients(path, emissions.to(dtype), gold, lengths, narrow, weights.to(dtype))
        tolerance = (1e-4, 2e-4) if dtype == torch.float32 else (1e-9, 1e-9)
        assert_near(found, (torch.stack(expected).detach(), *gradients), *tolerance)


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    sentences=st.integers(1, 9),
    tokens=st.integers(1, 40),
    tags=st.integers(1, 40),
    scale=st.sampled_from([0.0, 0.1, 1.0, 5.0, 30.0, 300.0, 1e4]),
    forbidden=st.sampled_from([0.0, 0.5, 0.95]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_the_labelwise_kernel_agrees_with_plain_torch_for_any_scores(
    seed: int, sentences: int, tokens: int, tags: int, scale: float, forbidden: float, dtype: torch.dtype
) -> None:
    emissions, gold, lengths, tables = drawn(seed, sentences, tokens, tags, scale=scale, forbidden=forbidden)
    # The same rounded scores for both: at 1e4 float32 keeps three decimals.
    emissions, tables = emissions.to(dtype), tuple(table.to(dtype) for table in tables)
    weights = torch.linspace(-1, 2, sentences, dtype=torch.float64)
    found = with_gradients(crf_compiled, emissions, gold, lengths, tables, weights.to(dtype))
    exact_tables = tuple(table.double() for table in tables)
    expected = with_gradients(crf_portable, emissions.double(), gold, lengths, exact_tables, weights)
    digits = 1e-5 if dtype == torch.float32 else 1e-10
    torch.testing.assert_close(found[0].double(), expected[0], rtol=10 * digits, atol=20 * digits * (1 + scale))
    # In logarithms, sums of such scores have lost these digits in float64, too.
    assert_near(found[1:], expected[1:], rtol=20 * digits, atol=100 * digits + 1e-11 * scale)


@TYPES
@pytest.mark.parametrize("surprise", [5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 800.0, 5000.0])
def test_a_gold_tag_of_any_improbability_has_its_gradients(dtype: torch.dtype, surprise: float) -> None:
    emissions, gold, lengths, tables = drawn(1, 6, 12, 5)
    emissions.scatter_add_(2, gold.unsqueeze(2), torch.full_like(emissions[:, :, :1], 4.0))
    emissions[:, 0].scatter_add_(1, gold[:, :1], torch.full((6, 1), -surprise, dtype=torch.float64))
    emissions, tables = emissions.to(dtype), tuple(table.to(dtype) for table in tables)
    found = with_gradients(crf_compiled, emissions, gold, lengths, tables, torch.ones(6, dtype=dtype))
    exact = emissions.double(), gold, lengths, tuple(table.double() for table in tables)
    expected = with_gradients(crf_portable, *exact, torch.ones(6, dtype=torch.float64))
    assert_near(found, expected, *((2e-5, 2e-5) if dtype == torch.float32 else (1e-10, 1e-10)))


def test_gold_tags_over_forbidden_transitions_have_finite_gradients() -> None:
    emissions, gold, lengths, tables = drawn(2, 5, 8, 4)
    tables = tables[0], torch.full((4, 4), FORBIDDEN, dtype=torch.float64), tables[2]
    tables[1].fill_diagonal_(0.0)  # the tag of a sentence never changes, but for the gold ones
    found = with_gradients(crf_compiled, emissions, gold, lengths, tables, torch.ones(5, dtype=torch.float64))
    expected = with_gradients(crf_portable, emissions, gold, lengths, tables, torch.ones(5, dtype=torch.float64))
    assert_near(found, expected, rtol=1e-8, atol=1e-8)
    assert all(tensor.isfinite().all() for tensor in found)


def test_gradients_are_those_of_small_changes() -> None:
    emissions, gold, lengths, tables = drawn(3, 3, 5, 4)
    leaves = [tensor.requires_grad_() for tensor in (emissions, *tables)]

    def likelihood(scores: Tensor, *score_tables: Tensor) -> Tensor:
        return crf_compiled.labelwise_log_likelihood(scores, gold, lengths, *score_tables)

    assert torch.autograd.gradcheck(likelihood, leaves)


@PATHS
def test_padding_is_never_read(path: Path) -> None:
    emissions, gold, lengths, tables = drawn(5, 4, 6, 5)
    padding = torch.arange(6) >= lengths.unsqueeze(1)
    hostile = emissions.masked_fill(padding.unsqueeze(2), torch.nan)
    weights = torch.ones(4, dtype=torch.float64)
    clean = with_gradients(path, emissions, gold, lengths, tables, weights)
    dirty = with_gradients(path, hostile, gold.masked_fill(padding, -7), lengths, tables, weights)
    assert all(torch.equal(one, other) for one, other in zip(clean, dirty, strict=True))
    assert dirty[1][padding].eq(0).all()


def test_results_depend_neither_on_threads_nor_on_the_rest_of_the_batch() -> None:
    emissions, gold, lengths, tables = drawn(7, 40, 90, 21)
    weights = torch.ones(40, dtype=torch.float64)
    threads, results = torch.get_num_threads(), []
    try:
        for number in (1, 2):
            torch.set_num_threads(number)
            results.append(with_gradients(crf_compiled, emissions, gold, lengths, tables, weights))
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))
    for number, length in enumerate(lengths.tolist()):
        alone = emissions[number : number + 1, :length], gold[number : number + 1, :length], lengths[number, None]
        found = with_gradients(crf_compiled, *alone, tables, weights[:1])
        assert torch.equal(found[0][0], results[0][0][number])
        assert torch.equal(found[1][0], results[0][1][number, :length])


def test_five_thousand_tokens_lose_no_digits() -> None:
    emissions, gold, lengths, tables = drawn(4, 2, 5000, 5, scale=3.0, forbidden=0.2)
    narrow, narrow_tables = emissions.float(), tuple(table.float() for table in tables)
    found = with_gradients(crf_compiled, narrow, gold, lengths, narrow_tables, torch.ones(2))
    exact_tables = tuple(table.double() for table in narrow_tables)
    exact = with_gradients(crf_compiled, narrow.double(), gold, lengths, exact_tables, torch.ones(2).double())
    torch.testing.assert_close(found[0].double(), exact[0], rtol=1e-6, atol=0)
    assert_near(found[1:], exact[1:], rtol=1e-4, atol=2e-3)
    oracle = crf_portable.labelwise_log_likelihood(narrow.double(), gold, lengths, *exact_tables)
    torch.testing.assert_close(exact[0], oracle, rtol=1e-9, atol=1e-6)


@pytest.mark.parametrize("broken", [torch.nan, torch.inf])
def test_scores_that_are_no_numbers_give_none_and_harm_no_other_sentence(broken: float) -> None:
    emissions, gold, lengths, tables = drawn(9, 3, 6, 5)
    expected = crf_compiled.labelwise_log_likelihood(emissions, gold, lengths, *tables)
    emissions[1, 0, 2] = broken
    found = crf_compiled.labelwise_log_likelihood(emissions, gold, lengths, *tables)
    assert not found[1].isfinite()
    assert torch.equal(found[[0, 2]], expected[[0, 2]])


@PATHS
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lengths": torch.tensor([3, 4])}, "lengths from 1 to 3"),
        ({"tags": torch.tensor([[0, 1, 4], [0, 0, 0]])}, "tags from 0 to 3"),
        ({"tags": torch.zeros(2, 2, dtype=torch.int64)}, r"tags of shape \(2, 3\)"),
        ({"transitions": torch.zeros(4, 5)}, r"transitions of shape \(4, 4\)"),
    ],
)
def test_what_does_not_fit_is_said(path: Path, change: dict[str, Tensor], message: str) -> None:
    arguments = {
        "emissions": torch.zeros(2, 3, 4),
        "tags": torch.zeros(2, 3, dtype=torch.int64),
        "lengths": torch.tensor([3, 2]),
        "start": torch.zeros(4),
        "transitions": torch.zeros(4, 4),
        "end": torch.zeros(4),
    } | change
    with pytest.raises(ValueError, match=message):
        path.labelwise_log_likelihood(*arguments.values())
