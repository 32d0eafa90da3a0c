"""The k best paths of a CRF: kernels and plain numpy against all paths, against Viterbi and against torchcrf."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import Tensor
from torchcrf import CRF

from tests.crf_paths import FORBIDDEN, PATHS, TYPES, Path, all_paths, crf_compiled, crf_portable, drawn, score

Tables = tuple[Tensor, ...]


def sorted_paths(emissions: Tensor, tables: Tables) -> list[tuple[float, list[int]]]:
    """All paths over no forbidden transition with their scores: the best first, ties by the last tags."""
    paths, scores = all_paths(emissions, tables)
    start, transitions, end = (table <= -1e3 for table in tables)
    forbidden = start[paths[:, 0]] | end[paths[:, -1]] | transitions[paths[:, :-1], paths[:, 1:]].any(1)
    each = zip(scores[~forbidden].tolist(), paths[~forbidden].tolist(), strict=True)
    return sorted(each, key=lambda pair: (-pair[0], pair[1][::-1]))


shapes = st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 5))


@PATHS
@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    shape=shapes,
    k=st.sampled_from([1, 2, 3, 10, 40, 4000]),
    forbidden=st.sampled_from([0.0, 0.3, 0.8]),
    largest=st.sampled_from([0, 1, 3, 1000]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_whole_scores_give_the_k_best_of_all_paths_ties_and_all(
    path: Path, seed: int, shape: tuple[int, int, int], k: int, forbidden: float, largest: int, dtype: torch.dtype
) -> None:
    emissions, _, lengths, tables = drawn(seed, *shape, scale=largest, forbidden=forbidden)
    # Sums of whole numbers have no rounding: equal scores are equal.
    emissions, tables = emissions.round().to(dtype), tuple(table.round().to(dtype) for table in tables)
    paths, scores = path.k_best(emissions, lengths, *tables, k)
    assert paths.shape == (shape[0], k, shape[1])
    assert paths.dtype == torch.int64
    assert scores.dtype == dtype
    for number, length in enumerate(lengths.tolist()):
        best = sorted_paths(emissions[number, :length].double(), tuple(table.double() for table in tables))[:k]
        assert scores[number].tolist() == [score for score, _ in best] + [-torch.inf] * (k - len(best))
        filled = [tags + [0] * (shape[1] - length) for _, tags in best]
        assert paths[number].tolist() == filled + [[0] * shape[1]] * (k - len(best))


@PATHS
@TYPES
@pytest.mark.parametrize("scale", [1.0, 40.0, 3000.0])
def test_scores_are_those_of_distinct_paths_and_no_path_is_left_out(
    path: Path, dtype: torch.dtype, scale: float
) -> None:
    for seed in range(8):
        emissions, _, lengths, tables = drawn(seed, 3, 5, 4, scale=scale, forbidden=0.2)
        tables = tuple(table.clamp(min=-999).where(table != FORBIDDEN, FORBIDDEN) for table in tables)
        emissions, tables = emissions.to(dtype), tuple(table.to(dtype) for table in tables)
        paths, scores = path.k_best(emissions, lengths, *tables, 20)
        for number, length in enumerate(lengths.tolist()):
            exact = emissions[number, :length].double(), tuple(table.double() for table in tables)
            best = sorted_paths(*exact)[:20]
            expected = torch.tensor([score for score, _ in best], dtype=torch.float64)
            digits = 1e-5 if dtype == torch.float32 else 1e-12
            torch.testing.assert_close(scores[number, : len(best)].double(), expected, rtol=digits, atol=digits * scale)
            found = paths[number, : len(best), :length]
            assert len({tuple(tags) for tags in found.tolist()}) == len(best)
            again = torch.stack([score(exact[0], tags, exact[1]) for tags in found])
            torch.testing.assert_close(again, expected, rtol=digits, atol=digits * scale)
            assert scores[number, len(best) :].eq(-torch.inf).all()


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    sentences=st.integers(1, 9),
    tokens=st.integers(1, 30),
    tags=st.integers(1, 40),
    k=st.integers(1, 30),
    scale=st.sampled_from([0.1, 1.0, 30.0, 1000.0]),
    forbidden=st.sampled_from([0.0, 0.5, 0.95]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_kernels_find_what_plain_numpy_finds(
    seed: int, sentences: int, tokens: int, tags: int, k: int, scale: float, forbidden: float, dtype: torch.dtype
) -> None:
    emissions, _, lengths, tables = drawn(seed, sentences, tokens, tags, scale=scale, forbidden=forbidden)
    emissions, tables = emissions.to(dtype), tuple(table.to(dtype) for table in tables)
    exact, exact_tables = emissions.double(), tuple(table.double() for table in tables)
    paths, scores = crf_compiled.k_best(emissions, lengths, *tables, k)
    expected_paths, expected = crf_portable.k_best(exact, lengths, *exact_tables, k)
    digits = (2e-6 if dtype == torch.float32 else 1e-13) * max(1, tokens)
    torch.testing.assert_close(scores.double(), expected, rtol=digits, atol=digits * scale)
    assert (scores[:, :-1] >= scores[:, 1:]).all()
    if dtype == torch.float64:
        # Where no neighbour in the order is within rounding, the paths are the same.
        differences = (expected[:, :-1] - expected[:, 1:]).nan_to_num(1.0)
        clear = (differences > digits * scale).all(1) if k > 1 else torch.ones(sentences, dtype=torch.bool)
        assert torch.equal(paths[clear][:, :-1], expected_paths[clear][:, :-1])
    for number, length in enumerate(lengths.tolist()):
        real = [tuple(tags) for tags in paths[number][scores[number] > -torch.inf].tolist()]
        assert len(set(real)) == len(real)
        for one, value in zip(real, scores[number].tolist(), strict=False):
            ours = float(score(exact[number, :length], torch.tensor(one[:length]), exact_tables))
            assert ours == pytest.approx(value, rel=digits, abs=digits * scale)


@PATHS
def test_the_first_is_what_viterbi_and_torchcrf_decode(path: Path) -> None:
    emissions, _, lengths, tables = drawn(3, 32, 50, 17)
    mask = torch.arange(50) < lengths.unsqueeze(1)
    peer = CRF(17, batch_first=True).double()
    with torch.no_grad():
        for own, table in zip((peer.start_transitions, peer.transitions, peer.end_transitions), tables, strict=True):
            own.copy_(table)
    paths, _ = path.k_best(emissions, lengths, *tables, 5)
    assert torch.equal(paths[:, 0], path.viterbi(emissions, lengths, *tables))
    decoded = [row[:length].tolist() for row, length in zip(paths[:, 0], lengths.tolist(), strict=True)]
    assert decoded == peer.decode(emissions, mask=mask)


@PATHS
def test_more_paths_do_not_change_the_first_ones(path: Path) -> None:
    emissions, _, lengths, tables = drawn(4, 4, 12, 6)
    results = [path.k_best(emissions, lengths, *tables, k) for k in (1, 7, 30)]
    for (fewer, low), (more, high) in combinations(results, 2):
        assert torch.equal(more[:, : fewer.shape[1]], fewer)
        assert torch.equal(high[:, : low.shape[1]], low)


@PATHS
def test_padding_is_never_read_and_stays_zero(path: Path) -> None:
    emissions, _, lengths, tables = drawn(5, 4, 6, 5)
    padding = torch.arange(6) >= lengths.unsqueeze(1)
    hostile = emissions.masked_fill(padding.unsqueeze(2), torch.nan)
    paths, scores = path.k_best(emissions, lengths, *tables, 8)
    dirty_paths, dirty_scores = path.k_best(hostile, lengths, *tables, 8)
    assert torch.equal(paths, dirty_paths)
    assert torch.equal(scores, dirty_scores)
    assert paths.transpose(1, 2)[padding].eq(0).all()


@PATHS
@pytest.mark.parametrize("table", [0, 1, 2])
def test_a_score_forbids_from_minus_1000_on_in_any_table(path: Path, table: int) -> None:
    for value, paths_left in ((-999.0, 8), (-1000.0, 4), (FORBIDDEN, 4)):
        tables = torch.zeros(2), torch.zeros(2, 2), torch.zeros(2)
        tables[table][0] = value  # a tag to begin with, both transitions from a tag, a tag to end with
        _, scores = path.k_best(torch.full((1, 3, 2), -9000.0), torch.tensor([3]), *tables, 9)
        # Both transitions from tag 0: only 1 1 0 and 1 1 1 are left.
        expected = paths_left if table != 1 or value > -1000 else 2
        assert scores.isfinite().sum() == expected


@PATHS
def test_an_emission_of_never_excludes_its_tag(path: Path) -> None:
    emissions, _, lengths, tables = drawn(12, 3, 4, 3)
    emissions[:, 1, 2] = -1e30
    paths, scores = path.k_best(emissions, lengths, *tables, 100)
    counts = [3**length * 2 // 3 if length > 1 else 3 for length in lengths.tolist()]
    assert scores.isfinite().sum(1).tolist() == counts
    assert not paths[:, :, 1].eq(2).any()


@PATHS
def test_a_sentence_with_no_path_has_none(path: Path) -> None:
    emissions, _, _, (start, transitions, end) = drawn(6, 3, 4, 3)
    lengths = torch.tensor([1, 2, 4])
    none = torch.full((3, 3), FORBIDDEN, dtype=torch.float64)
    paths, scores = path.k_best(emissions, lengths, start, none, end, 4)
    assert scores.isfinite().sum(1).tolist() == [3, 0, 0]
    assert paths[1:].eq(0).all()
    for tables in ((none[0], transitions, end), (start, transitions, none[0])):
        assert path.k_best(emissions, lengths, *tables, 4)[1].eq(-torch.inf).all()


def test_five_thousand_tokens_lose_no_digits() -> None:
    emissions, _, lengths, tables = drawn(7, 2, 5000, 5, forbidden=0.2)
    narrow, narrow_tables = emissions.float(), tuple(table.float() for table in tables)
    exact, exact_tables = narrow.double(), tuple(table.double() for table in narrow_tables)
    paths, scores = crf_compiled.k_best(narrow, lengths, *narrow_tables, 10)
    _, expected = crf_compiled.k_best(exact, lengths, *exact_tables, 10)
    torch.testing.assert_close(scores.double(), expected, rtol=1e-6, atol=1e-6)
    for number, length in enumerate(lengths.tolist()):
        again = [score(exact[number, :length], tags[:length], exact_tables) for tags in paths[number]]
        torch.testing.assert_close(torch.stack(again), expected[number], rtol=1e-9, atol=1e-4)


def test_results_depend_neither_on_threads_nor_on_layout() -> None:
    emissions, _, lengths, tables = drawn(8, 40, 60, 21)
    threads, results = torch.get_num_threads(), []
    by_tag = emissions.permute(2, 0, 1).contiguous().permute(1, 2, 0)
    try:
        for number, laid_out in ((1, emissions), (2, emissions), (2, by_tag)):
            torch.set_num_threads(number)
            results.append(crf_compiled.k_best(laid_out, lengths, *tables, 10))
    finally:
        torch.set_num_threads(threads)
    for paths, scores in results[1:]:
        assert torch.equal(paths, results[0][0])
        assert torch.equal(scores, results[0][1])


@TYPES
@pytest.mark.parametrize("broken", [torch.nan, -torch.inf, torch.inf, -3e30])
def test_tags_are_real_whatever_the_scores(dtype: torch.dtype, broken: float) -> None:
    for tags in (1, 3, 16, 33):
        emissions, _, lengths, tables = drawn(9, 3, 6, tags)
        emissions, tables = emissions.to(dtype), tuple(table.to(dtype) for table in tables)
        emissions[0], emissions[1, 0], emissions[2, lengths[2] - 1] = broken, broken, broken
        paths, _ = crf_compiled.k_best(emissions, lengths, *tables, 12)
        assert 0 <= paths.min() <= paths.max() < tags


@PATHS
@pytest.mark.parametrize("k", [0, -1])
def test_less_than_one_path_is_refused(path: Path, k: int) -> None:
    emissions, _, lengths, tables = drawn(10, 2, 3, 4)
    with pytest.raises(ValueError, match=f"expected k of at least 1, got {k}"):
        path.k_best(emissions, lengths, *tables, k)


@PATHS
def test_a_length_out_of_range_is_refused(path: Path) -> None:
    emissions, _, _, tables = drawn(11, 2, 3, 4)
    with pytest.raises(ValueError, match="lengths from 1 to 3"):
        path.k_best(emissions, torch.tensor([3, 4]), *tables, 2)
