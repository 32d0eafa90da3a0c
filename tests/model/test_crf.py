"""The CRF's mathematics: kernels and plain torch against all paths, against each other and against torchcrf."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import Tensor
from torchcrf import CRF

from tests.crf_paths import FORBIDDEN, PATHS, TYPES, Path, all_paths, crf_compiled, crf_portable, drawn, score


def with_gradients(
    path: Path, emissions: Tensor, gold: Tensor, lengths: Tensor, tables: tuple[Tensor, ...], weights: Tensor
) -> tuple[Tensor, list[Tensor]]:
    """The likelihoods, and the gradients of their weighted sum."""
    leaves = [tensor.detach().clone().requires_grad_() for tensor in (emissions, *tables)]
    likelihood = path.log_likelihood(leaves[0], gold, lengths, *leaves[1:])
    gradients = torch.autograd.grad((likelihood * weights).sum(), leaves, allow_unused=True, materialize_grads=True)
    return likelihood.detach(), list(gradients)


@PATHS
@TYPES
@pytest.mark.parametrize("forbidden", [0.0, 0.4])
def test_likelihood_gradients_and_marginals_are_those_of_all_paths(
    path: Path, dtype: torch.dtype, forbidden: float
) -> None:
    emissions, gold, lengths, tables = drawn(1, 5, 4, 3, forbidden=forbidden)
    leaves = [tensor.clone().requires_grad_() for tensor in (emissions, *tables)]
    expected, marginals = [], torch.zeros_like(emissions)
    for number, length in enumerate(lengths.tolist()):
        paths, scores = all_paths(leaves[0][number, :length], (leaves[1], leaves[2], leaves[3]))
        tags = gold[number, :length]
        expected.append(
            score(leaves[0][number, :length], tags, (leaves[1], leaves[2], leaves[3])) - scores.logsumexp(0)
        )
        shares = scores.detach().softmax(0)
        for position in range(length):
            marginals[number, position].index_add_(0, paths[:, position], shares)
    weights = torch.linspace(0.5, 2, 5, dtype=torch.float64)
    gradients = torch.autograd.grad((torch.stack(expected) * weights).sum(), leaves)
    given_tables = tuple(table.to(dtype) for table in tables)
    likelihood, found = with_gradients(path, emissions.to(dtype), gold, lengths, given_tables, weights.to(dtype))
    tolerance = {"rtol": 1e-4, "atol": 1e-4} if dtype == torch.float32 else {"rtol": 1e-9, "atol": 1e-9}
    torch.testing.assert_close(likelihood.double(), torch.stack(expected).detach(), **tolerance)
    for one, other in zip(found, gradients, strict=True):
        torch.testing.assert_close(one.double(), other, **tolerance)
    found_marginals = path.marginals(emissions.to(dtype), lengths, *given_tables)
    torch.testing.assert_close(found_marginals.double(), marginals, **tolerance)


@PATHS
@TYPES
def test_viterbi_finds_the_best_of_all_paths(path: Path, dtype: torch.dtype) -> None:
    for seed in range(10):
        emissions, _, lengths, tables = drawn(seed, 4, 5, 3, forbidden=0.3)
        found = path.viterbi(emissions.to(dtype), lengths, *(table.to(dtype) for table in tables))
        for number, length in enumerate(lengths.tolist()):
            paths, scores = all_paths(emissions[number, :length], tables)
            assert found[number].tolist() == paths[scores.argmax()].tolist() + [0] * (5 - length)


@PATHS
def test_ties_go_to_the_lower_tag(path: Path) -> None:
    zeros = torch.zeros(40)
    found = path.viterbi(torch.zeros(2, 9, 40), torch.tensor([9, 4]), zeros, torch.zeros(40, 40), zeros)
    assert found.tolist() == [[0] * 9] * 2


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    sentences=st.integers(1, 9),
    tokens=st.integers(1, 40),
    tags=st.integers(1, 40),
    scale=st.sampled_from([0.0, 0.1, 1.0, 5.0, 30.0, 300.0, 1e4]),
    forbidden=st.sampled_from([0.0, 0.5, 0.95]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_kernels_agree_with_plain_torch_for_any_scores(
    seed: int, sentences: int, tokens: int, tags: int, scale: float, forbidden: float, dtype: torch.dtype
) -> None:
    drawn_emissions, gold, lengths, drawn_tables = drawn(
        seed, sentences, tokens, tags, scale=scale, forbidden=forbidden
    )
    # The same rounded scores for both: at 1e4 float32 keeps three decimals.
    emissions, tables = drawn_emissions.to(dtype), tuple(table.to(dtype) for table in drawn_tables)
    exact = emissions.double(), gold, lengths, tuple(table.double() for table in tables)
    weights = torch.linspace(-1, 2, sentences, dtype=torch.float64)
    likelihood, gradients = with_gradients(crf_compiled, emissions, gold, lengths, tables, weights.to(dtype))
    expected, expected_gradients = with_gradients(crf_portable, *exact, weights)
    digits = 1e-5 if dtype == torch.float32 else 1e-10
    torch.testing.assert_close(likelihood.double(), expected, rtol=10 * digits, atol=20 * digits * (1 + scale))
    for one, other in zip(gradients, expected_gradients, strict=True):
        torch.testing.assert_close(one.double(), other, rtol=10 * digits, atol=50 * digits)
    marginals = crf_compiled.marginals(emissions, lengths, *tables)
    torch.testing.assert_close(
        marginals.double(), crf_portable.marginals(exact[0], lengths, *exact[3]), rtol=0, atol=10 * digits
    )


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    tokens=st.integers(1, 60),
    tags=st.integers(1, 80),
    scale=st.sampled_from([1.0, 30.0, 1e4]),
    forbidden=st.sampled_from([0.0, 0.5, 0.95]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_no_path_beats_the_kernels_viterbi(
    seed: int, tokens: int, tags: int, scale: float, forbidden: float, dtype: torch.dtype
) -> None:
    drawn_emissions, _, lengths, drawn_tables = drawn(seed, 3, tokens, tags, scale=scale, forbidden=forbidden)
    emissions, tables = drawn_emissions.to(dtype), tuple(table.to(dtype) for table in drawn_tables)
    exact, exact_tables = emissions.double(), tuple(table.double() for table in tables)
    found = crf_compiled.viterbi(emissions, lengths, *tables)
    best = crf_portable.viterbi(exact, lengths, *exact_tables)
    for number, length in enumerate(lengths.tolist()):
        ours, theirs = (score(exact[number, :length], path[number, :length], exact_tables) for path in (found, best))
        # Two paths closer than rounding are both best.
        slack = (1e-6 if dtype == torch.float32 else 1e-14) * max(scale, abs(FORBIDDEN)) * length
        assert float(theirs - ours) <= slack
        assert found[number, length:].eq(0).all()


def test_kernels_agree_with_torchcrf() -> None:
    emissions, gold, lengths, tables = drawn(3, 32, 50, 17)
    mask = torch.arange(50) < lengths.unsqueeze(1)
    peer = CRF(17, batch_first=True).double()
    with torch.no_grad():
        for own, table in zip((peer.start_transitions, peer.transitions, peer.end_transitions), tables, strict=True):
            own.copy_(table)
    leaf = emissions.clone().requires_grad_()
    theirs = peer(leaf, gold, mask=mask, reduction="none")
    theirs.sum().backward()
    likelihood, gradients = with_gradients(
        crf_compiled, emissions, gold, lengths, tables, torch.ones(32, dtype=torch.float64)
    )
    torch.testing.assert_close(likelihood, theirs.detach())
    peers = (leaf.grad, peer.start_transitions.grad, peer.transitions.grad, peer.end_transitions.grad)
    for one, other in zip(gradients, peers, strict=True):
        torch.testing.assert_close(one, other)
    decoded = crf_compiled.viterbi(emissions, lengths, *tables)
    paths = [row[:length].tolist() for row, length in zip(decoded, lengths.tolist(), strict=True)]
    assert paths == peer.decode(emissions, mask=mask)


@pytest.mark.parametrize("scale", [1.0, 50.0])
def test_five_thousand_tokens_lose_no_digits(scale: float) -> None:
    emissions, gold, lengths, tables = drawn(4, 2, 5000, 5, scale=scale, forbidden=0.2)
    narrow, narrow_tables = emissions.float(), tuple(table.float() for table in tables)
    exact, exact_tables = narrow.double(), tuple(table.double() for table in narrow_tables)
    likelihood, gradients = with_gradients(crf_compiled, narrow, gold, lengths, narrow_tables, torch.ones(2))
    expected, _ = with_gradients(crf_compiled, exact, gold, lengths, exact_tables, torch.ones(2, dtype=torch.float64))
    oracle = crf_portable.log_likelihood(exact, gold, lengths, *exact_tables)
    torch.testing.assert_close(expected, oracle, rtol=1e-9, atol=1e-6)
    torch.testing.assert_close(likelihood.double(), expected, rtol=1e-6, atol=0)
    assert all(gradient.isfinite().all() for gradient in gradients)
    marginals = crf_compiled.marginals(narrow, lengths, *narrow_tables)
    torch.testing.assert_close(marginals.sum(2), (torch.arange(5000) < lengths.unsqueeze(1)).float())
    path = crf_compiled.viterbi(narrow, lengths, *narrow_tables)
    best = crf_portable.viterbi(exact, lengths, *exact_tables)
    for row, other, length, sentence in zip(path, best, lengths.tolist(), exact, strict=True):
        scores = [score(sentence[:length], tags[:length], exact_tables) for tags in (row, other)]
        torch.testing.assert_close(scores[0], scores[1], rtol=1e-9, atol=0.1)


@pytest.mark.parametrize("broken", [torch.nan, torch.inf])
def test_scores_that_are_no_numbers_give_none_and_harm_no_other_sentence(broken: float) -> None:
    emissions, gold, lengths, tables = drawn(9, 3, 6, 5)
    expected = crf_compiled.log_likelihood(emissions, gold, lengths, *tables)
    emissions[1, 0, 2] = broken
    found = crf_compiled.log_likelihood(emissions, gold, lengths, *tables)
    assert not found[1].isfinite()
    assert torch.equal(found[[0, 2]], expected[[0, 2]])
    assert crf_compiled.viterbi(emissions, lengths, *tables).max() < 5


@pytest.mark.parametrize("table", [0, 1, 2])
@pytest.mark.parametrize("broken", [torch.nan, torch.inf])
def test_tables_that_are_no_numbers_give_no_likelihood(table: int, broken: float) -> None:
    emissions, gold, lengths, tables = drawn(10, 3, 6, 5)
    tables[table].view(-1)[1] = broken  # a tag or transition that the gold path need not take
    found = crf_compiled.log_likelihood(emissions, gold, lengths, *tables)
    assert not found[lengths > 1].isfinite().any()  # a sentence of one token has no transitions


@TYPES
@pytest.mark.parametrize("tags", [1, 3, 10, 16, 33])
@pytest.mark.parametrize("broken", [torch.nan, -torch.inf, torch.inf, -3e30])
def test_a_best_path_is_always_of_real_tags(dtype: torch.dtype, tags: int, broken: float) -> None:
    emissions, _, lengths, tables = drawn(11, 3, 6, tags)
    emissions, tables = emissions.to(dtype), tuple(table.to(dtype) for table in tables)
    emissions[0], emissions[1, 0], emissions[2, lengths[2] - 1] = broken, broken, broken
    found = crf_compiled.viterbi(emissions, lengths, *tables)
    assert 0 <= found.min() <= found.max() < tags


def test_lengths_of_any_layout_give_the_same_gradients() -> None:
    emissions, gold, lengths, tables = drawn(12, 3, 6, 5)
    weights = torch.ones(3, dtype=torch.float64)
    expected = with_gradients(crf_compiled, emissions, gold, lengths, tables, weights)[1]
    strided = torch.stack([lengths, torch.full((3,), 10**9)], dim=1)[:, 0]
    assert not strided.is_contiguous()
    found = with_gradients(crf_compiled, emissions, gold, strided, tables, weights)[1]
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
    same = torch.tensor([6])
    found = with_gradients(crf_compiled, emissions, gold, same.expand(3), tables, weights)[1]
    expected = with_gradients(crf_compiled, emissions, gold, same.repeat(3), tables, weights)[1]
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


@PATHS
def test_padding_is_never_read(path: Path) -> None:
    emissions, gold, lengths, tables = drawn(5, 4, 6, 5)
    padding = torch.arange(6) >= lengths.unsqueeze(1)
    hostile = emissions.masked_fill(padding.unsqueeze(2), torch.nan)
    wrong = gold.masked_fill(padding, -7)
    weights = torch.ones(4, dtype=torch.float64)
    clean = with_gradients(path, emissions, gold, lengths, tables, weights)
    dirty = with_gradients(path, hostile, wrong, lengths, tables, weights)
    assert torch.equal(clean[0], dirty[0])
    assert all(torch.equal(one, other) for one, other in zip(clean[1], dirty[1], strict=True))
    assert dirty[1][0][padding].eq(0).all()
    for function in (path.marginals, path.viterbi):
        result = function(hostile, lengths, *tables)
        assert torch.equal(function(emissions, lengths, *tables), result)
        assert result[padding].eq(0).all()


def test_tensors_of_any_layout_are_read_where_they_lie() -> None:
    emissions, gold, lengths, tables = drawn(6, 4, 6, 5)
    by_token = emissions.transpose(0, 1).contiguous().transpose(0, 1)
    by_tag = emissions.permute(2, 0, 1).contiguous().permute(1, 2, 0)
    wide = torch.cat([emissions, emissions], 2)[:, :, :5]
    tags, transitions = gold.T.contiguous().T, tables[1].T.contiguous().T
    expected = crf_compiled.log_likelihood(emissions, gold, lengths, *tables)
    for laid_out in (by_token, by_tag, wide):
        arguments = laid_out, tags, lengths, tables[0], transitions, tables[2]
        assert torch.equal(crf_compiled.log_likelihood(*arguments), expected)
        assert torch.equal(
            crf_compiled.viterbi(laid_out, lengths, *tables), crf_compiled.viterbi(emissions, lengths, *tables)
        )


def test_results_depend_neither_on_threads_nor_on_the_rest_of_the_batch() -> None:
    emissions, gold, lengths, tables = drawn(7, 40, 90, 21)
    weights = torch.ones(40, dtype=torch.float64)
    threads, results = torch.get_num_threads(), []
    try:
        for number in (1, 2):
            torch.set_num_threads(number)
            likelihood, gradients = with_gradients(crf_compiled, emissions, gold, lengths, tables, weights)
            marginals = crf_compiled.marginals(emissions, lengths, *tables)
            results.append((likelihood, *gradients, marginals, crf_compiled.viterbi(emissions, lengths, *tables)))
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))
    for number, length in enumerate(lengths.tolist()):
        alone = emissions[number : number + 1, :length], lengths[number : number + 1]
        assert torch.equal(crf_compiled.marginals(*alone, *tables)[0], results[0][5][number, :length])
        assert torch.equal(crf_compiled.viterbi(*alone, *tables)[0], results[0][6][number, :length])


def test_a_gradient_is_no_function_to_derive_again() -> None:
    emissions, gold, lengths, tables = drawn(8, 2, 3, 4)
    leaf = emissions.requires_grad_()
    likelihood = crf_compiled.log_likelihood(leaf, gold, lengths, *tables)
    (gradient,) = torch.autograd.grad(likelihood.square().sum(), leaf, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"emissions": torch.zeros(2, 3)}, r"emissions of shape \(B, T, K\)"),
        ({"emissions": torch.zeros(2, 3, 4, dtype=torch.int64)}, "floating type"),
        ({"lengths": torch.tensor([3, 4])}, "lengths from 1 to 3"),
        ({"lengths": torch.tensor([3, 0])}, "lengths from 1 to 3"),
        ({"lengths": torch.tensor([3])}, r"lengths of shape \(2,\)"),
        ({"tags": torch.tensor([[0, 1, 4], [0, 0, 0]])}, "tags from 0 to 3"),
        ({"tags": torch.tensor([[0, 1, -1], [0, 0, 0]])}, "tags from 0 to 3"),
        ({"tags": torch.zeros(2, 2, dtype=torch.int64)}, r"tags of shape \(2, 3\)"),
        ({"transitions": torch.zeros(4, 5)}, r"transitions of shape \(4, 4\)"),
        ({"end": torch.zeros(4, dtype=torch.float64)}, "end of shape"),
        ({"end": torch.zeros(4, device="meta")}, "end on cpu, where the emissions are, got meta"),
        ({"lengths": torch.zeros(2, dtype=torch.int64, device="meta")}, "lengths on cpu"),
        ({"tags": torch.zeros(2, 3, dtype=torch.int64, device="meta")}, "tags on cpu"),
    ],
)
@PATHS
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
        path.log_likelihood(
            *(arguments[name] for name in ("emissions", "tags", "lengths", "start", "transitions", "end"))
        )
