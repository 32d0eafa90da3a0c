"""Windows: nothing lost, nothing twice, each token where it has most context; batches as a loop makes them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from ner_lstm_crf.features.transformer.subtokens import Framing, SubTokens, collate_subtokens
from tests.encoders import windows_of

PREFIX, SUFFIX = (-7,), (-8, -9)


def pieces_of(counts: list[int]) -> list[list[int]]:
    """Sub-tokens, all different, so that each can be followed."""
    ids = iter(range(sum(counts)))
    return [[next(ids) for _ in range(count)] for count in counts]


framings = st.builds(
    lambda capacity, prefix, suffix: Framing(capacity + len(prefix) + len(suffix), prefix, suffix),
    st.integers(1, 24),
    st.sampled_from([(), PREFIX]),
    st.sampled_from([(), SUFFIX]),
)
token_lengths = st.lists(st.one_of(st.just(1), st.integers(1, 4), st.integers(1, 60)), max_size=60)


@given(token_lengths, framings)
def test_every_subtoken_is_pooled_once_into_its_token(counts: list[int], framing: Framing) -> None:
    pieces = pieces_of(counts)
    cut = windows_of(pieces, framing)
    pooled: list[list[int]] = [[] for _ in counts]
    for ids, targets in zip(cut.ids, cut.targets, strict=True):
        for id_, target in zip(ids.tolist(), targets.tolist(), strict=True):
            if target >= 0:
                pooled[target].append(id_)
    assert pooled == pieces
    assert cut.tokens == len(counts)


@given(token_lengths, framings)
def test_windows_are_framed_stretches_of_the_text(counts: list[int], framing: Framing) -> None:
    cut = windows_of(pieces_of(counts), framing)
    for ids in cut.ids.tolist():
        inner = ids[len(framing.prefix) : len(ids) - len(framing.suffix)]
        assert (*framing.prefix, *inner, *framing.suffix) == tuple(ids)
        assert inner == list(range(inner[0], inner[0] + len(inner)))
        assert 1 <= len(inner) <= framing.capacity
    assert (cut.targets[:, : len(framing.prefix)] == -1).all()
    assert (cut.targets[:, cut.targets.shape[1] - len(framing.suffix) :] == -1).all()


@given(st.integers(1, 300), st.integers(1, 24))
def test_each_subtoken_comes_from_the_window_with_most_context(length: int, capacity: int) -> None:
    cut = windows_of(pieces_of([1] * length), Framing(capacity))

    def context(window: list[int], id_: int) -> float:
        left = math.inf if window[0] == 0 else id_ - window[0]
        right = math.inf if window[-1] == length - 1 else window[-1] - id_
        return min(left, right)

    windows = cut.ids.tolist()
    for window, targets in zip(windows, cut.targets.tolist(), strict=True):
        for id_ in (target for target in targets if target >= 0):
            assert context(window, id_) == max(context(other, id_) for other in windows if id_ in other)
            assert context(window, id_) >= capacity // 4 // 2


@given(token_lengths, st.integers(4, 40))
def test_a_token_no_longer_than_an_overlap_is_not_divided(counts: list[int], capacity: int) -> None:
    cut = windows_of(pieces_of(counts), Framing(capacity))
    for token, count in enumerate(counts):
        if count <= capacity // 4:
            assert (cut.targets == token).any(axis=1).sum() == 1


@pytest.mark.parametrize(("length", "windows"), [(1, 1), (16, 1), (17, 2), (28, 2), (29, 3), (16_000, 1333)])
def test_windows_overlap_by_a_quarter(length: int, windows: int) -> None:
    assert windows_of([[1]] * length, Framing(16)).ids.shape == (windows, min(length, 16))


@settings(deadline=None)
@given(st.lists(token_lengths, max_size=6), framings)
def test_collating_equals_a_loop(sentences: list[list[int]], framing: Framing) -> None:
    cut = [windows_of(pieces_of(counts), framing) for counts in sentences]
    batch = collate_subtokens(cut)
    width = max(map(len, sentences), default=0)
    assert batch.shape == (len(sentences), width)
    assert list(batch.lengths) == sorted((len(ids) for sentence in cut for ids in sentence.ids), reverse=True)
    assert batch.mask.sum(1).tolist() == list(batch.lengths)
    rows = [batch.ids[w, :length].tolist() for w, length in enumerate(batch.lengths)]
    assert sorted(rows) == sorted(ids.tolist() for sentence in cut for ids in sentence.ids)
    # The sum of what is pooled, by place, against the mean of each token's pieces.
    added = batch.ids[batch.pooled][batch.sources] * batch.weights
    sums = np.bincount(batch.targets, added, len(sentences) * width)
    expected = np.zeros((len(sentences), width))
    for b, counts in enumerate(sentences):
        for t, ids in enumerate(pieces_of(counts)):
            expected[b, t] = float(np.mean(ids))
    np.testing.assert_allclose(sums.reshape(batch.shape), expected, rtol=1e-6)
    assert not batch.pooled[~batch.mask].any()
    assert (batch.ids[~batch.mask] == 0).all()


def test_values_do_not_change() -> None:
    with pytest.raises(AttributeError):
        windows_of([[1]], Framing(8)).tokens = 2  # type: ignore[misc]
    assert isinstance(windows_of([], Framing(8)), SubTokens)
