"""The heads: what makes a CRF a CRF, and when it is a softmax."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import Tensor

from ner_lstm_crf.model.crf import token_mask
from ner_lstm_crf.model.heads import CrfHead, Head, SoftmaxHead
from ner_lstm_crf.tags.scheme import SCHEMES
from ner_lstm_crf.tags.tag_set import TagSet
from tests.crf_paths import crf_compiled

LENGTHS = torch.tensor([5, 1, 3])
TAG_SET = TagSet(SCHEMES["BIEO"], ["LOC", "PER"])
TAGS = TAG_SET.names


def bieo_head(*, labelwise: bool = False) -> CrfHead:
    allowed = TAG_SET.allowed_transitions()
    return CrfHead(
        torch.tensor(allowed.start), torch.tensor(allowed.transitions), torch.tensor(allowed.end), labelwise=labelwise
    )


def gold(tags: int) -> torch.Tensor:
    return torch.randint(tags, (3, 5)) * token_mask(LENGTHS, 5)


@pytest.mark.parametrize("labelwise", [False, True])
def test_a_crf_whose_transitions_are_zero_is_the_softmax_head(labelwise: bool) -> None:
    torch.manual_seed(0)
    everything = torch.ones(4, dtype=torch.bool)
    crf = CrfHead(everything, torch.ones(4, 4, dtype=torch.bool), everything, labelwise=labelwise)
    with torch.no_grad():
        for scores in crf.parameters():
            scores.zero_()
    softmax = SoftmaxHead(4)
    emissions, tags = torch.randn(3, 5, 4), gold(4)
    torch.testing.assert_close(crf.loss(emissions, tags, LENGTHS), softmax.loss(emissions, tags, LENGTHS))
    torch.testing.assert_close(crf.marginals(emissions, LENGTHS), softmax.marginals(emissions, LENGTHS))
    assert torch.equal(crf.decode(emissions, LENGTHS), softmax.decode(emissions, LENGTHS))


def test_the_legal_paths_hold_all_probability() -> None:
    torch.manual_seed(0)
    head = bieo_head()
    emissions = 3 * torch.randn(1, 4, len(TAGS))
    legal = [path for path in product(range(len(TAGS)), repeat=4) if not TAG_SET.decode(np.array(path)).ill_formed]
    losses = head.loss(emissions.expand(len(legal), -1, -1), torch.tensor(legal), torch.full((len(legal),), 4))
    assert torch.exp(-losses.double()).sum().item() == pytest.approx(1.0, abs=1e-4)


def test_no_decoded_sequence_is_ill_formed_however_hard_the_emissions_push() -> None:
    torch.manual_seed(0)
    head = bieo_head()
    emissions = 300 * torch.randn(200, 5, len(TAGS))
    lengths = torch.randint(1, 6, (200,))
    for path, length in zip(head.decode(emissions, lengths).tolist(), lengths.tolist(), strict=True):
        assert not TAG_SET.decode(np.array(path[:length])).ill_formed
    softmax = SoftmaxHead(len(TAGS)).decode(emissions, lengths)
    broken = [
        TAG_SET.decode(np.array(path[:length])).ill_formed
        for path, length in zip(softmax.tolist(), lengths.tolist(), strict=True)
    ]
    assert any(broken)


def test_the_k_best_paths_are_all_well_formed_and_those_of_a_softmax_need_not_be() -> None:
    torch.manual_seed(0)
    emissions, head, softmax = 300 * torch.randn(20, 4, len(TAGS)), bieo_head(), SoftmaxHead(len(TAGS))
    lengths = torch.full((20,), 4)
    paths, scores = crf_compiled.k_best(emissions, lengths, *head.scores(), 400)
    legal = sum(not TAG_SET.decode(np.array(path)).ill_formed for path in product(range(len(TAGS)), repeat=4))
    assert scores.isfinite().sum(1).tolist() == [legal] * 20
    for path in paths[:, :legal].reshape(-1, 4).tolist():
        assert not TAG_SET.decode(np.array(path)).ill_formed
    free = crf_compiled.k_best(emissions, lengths, *softmax.scores(), 3000)[1]
    assert free.isfinite().sum(1).tolist() == [len(TAGS) ** 4] * 20
    lengths = LENGTHS.repeat(7)[:20].clamp(max=4)
    for one in (head, softmax):
        best = crf_compiled.k_best(emissions, lengths, *one.scores(), 1)[0][:, 0]
        assert torch.equal(best, one.decode(emissions, lengths))


def test_illegal_transitions_have_no_marginal_and_marginals_sum_to_one() -> None:
    torch.manual_seed(0)
    head = bieo_head()
    marginals = head.marginals(torch.randn(3, 5, len(TAGS)), LENGTHS)
    torch.testing.assert_close(marginals.sum(2), token_mask(LENGTHS, 5).float())
    inside = [number for number, tag in enumerate(TAGS) if tag.startswith(("I-", "E-"))]
    assert marginals[:, 0, inside].max() < 1e-6
    assert marginals[1, 0, TAGS.index("B-PER")] > 0  # a lone B is an entity of one token


@pytest.mark.parametrize("labelwise", [False, True])
def test_forbidden_transitions_get_no_gradient_and_allowed_ones_do(labelwise: bool) -> None:
    torch.manual_seed(0)
    head = bieo_head(labelwise=labelwise)
    tags = torch.tensor([[TAGS.index(tag) for tag in ("B-PER", "E-PER", "O", "B-LOC", "O")]])
    head.loss(torch.randn(1, 5, len(TAGS)), tags, torch.tensor([5])).sum().backward()
    gradient = head.transitions.grad
    assert gradient is not None
    assert torch.isfinite(gradient).all()
    assert gradient[~head.transitions_allowed].abs().max() == 0
    assert gradient[TAGS.index("B-PER"), TAGS.index("E-PER")] != 0


@pytest.mark.parametrize("head", [bieo_head(), SoftmaxHead(len(TAGS))], ids=["crf", "softmax"])
def test_results_do_not_depend_on_what_lies_beyond_the_length(head: Head) -> None:
    torch.manual_seed(0)
    emissions = torch.randn(3, 5, len(TAGS))
    changed = emissions.masked_fill(~token_mask(LENGTHS, 5).unsqueeze(2), torch.nan)
    tags = torch.zeros(3, 5, dtype=torch.int64)
    assert torch.equal(head.loss(emissions, tags, LENGTHS), head.loss(changed, tags, LENGTHS))
    assert torch.equal(head.decode(emissions, LENGTHS), head.decode(changed, LENGTHS))
    assert torch.equal(head.marginals(emissions, LENGTHS), head.marginals(changed, LENGTHS))


def random_head(tags: int, *, labelwise: bool) -> CrfHead:
    """A head in double precision with random scores; it forbids a third of all transitions or so, but never O O O."""
    allowed = [torch.rand(*shape) < 0.7 for shape in ((tags,), (tags, tags), (tags,))]
    for table in allowed:
        table.view(-1)[0] = True
    head = CrfHead(*allowed, labelwise=labelwise).double()
    with torch.no_grad():
        for scores in head.parameters():
            scores.normal_(std=2)
    return head


def legal_paths(head: CrfHead, length: int) -> list[tuple[int, ...]]:
    def legal(path: tuple[int, ...]) -> bool:
        inner = all(head.transitions_allowed[pair] for pair in pairwise(path))
        return bool(inner and head.start_allowed[path[0]] and head.end_allowed[path[-1]])

    return [path for path in product(range(len(head.start_allowed)), repeat=length) if legal(path)]


def path_scores(head: CrfHead, emissions: Tensor, paths: Tensor) -> Tensor:
    """The score of each path (P, n), term by term as the class's docstring has it: (P,)."""
    score = head.start_transitions[paths[:, 0]] + head.end_transitions[paths[:, -1]]
    score = score + sum(emissions[t, paths[:, t]] for t in range(paths.shape[1]))
    return score + sum(head.transitions[paths[:, t], paths[:, t + 1]] for t in range(paths.shape[1] - 1))


def loss_by_enumeration(head: CrfHead, emissions: Tensor, path: tuple[int, ...]) -> Tensor:
    """The loss of one sentence with tags `path`, from the scores of all its legal paths."""
    paths = legal_paths(head, len(path))
    scores = path_scores(head, emissions, torch.tensor(paths))
    if not head.labelwise:
        return scores.logsumexp(0) - scores[paths.index(path)]
    log_marginals = [
        scores[[other[position] == tag for other in paths]].logsumexp(0) - scores.logsumexp(0)
        for position, tag in enumerate(path)
    ]
    return -torch.stack(log_marginals).sum()


LENGTHS_OF_SENTENCES = st.lists(st.integers(1, 5), min_size=1, max_size=3)


@settings(max_examples=25)
@given(st.integers(1, 4), LENGTHS_OF_SENTENCES, st.booleans(), st.integers(0, 2**32 - 1))
def test_loss_and_its_gradients_are_those_of_the_sum_over_all_legal_paths(
    tags: int, lengths: list[int], labelwise: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    head = random_head(tags, labelwise=labelwise)
    emissions = (3 * torch.randn(len(lengths), max(lengths), tags, dtype=torch.float64)).requires_grad_()
    weights = torch.rand(len(lengths), dtype=torch.float64)
    given_paths, padded = [], torch.zeros(len(lengths), max(lengths), dtype=torch.int64)
    for row, length in enumerate(lengths):
        paths = legal_paths(head, length)
        given_paths.append(paths[int(torch.randint(len(paths), ()))])
        padded[row, :length] = torch.tensor(given_paths[-1])

    found = head.loss(emissions, padded, torch.tensor(lengths))
    expected = torch.stack([loss_by_enumeration(head, emissions[row], path) for row, path in enumerate(given_paths)])
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    inputs = [emissions, head.start_transitions, head.transitions, head.end_transitions]
    gradients, oracle = (
        torch.autograd.grad((loss * weights).sum(), inputs, materialize_grads=True) for loss in (found, expected)
    )
    for gradient, wanted in zip(gradients, oracle, strict=True):
        torch.testing.assert_close(gradient, wanted, rtol=1e-9, atol=1e-9)


@settings(max_examples=25)
@given(st.integers(1, 4), LENGTHS_OF_SENTENCES, st.integers(0, 2**32 - 1))
def test_marginals_and_best_path_are_those_of_all_legal_paths(tags: int, lengths: list[int], seed: int) -> None:
    torch.manual_seed(seed)
    head = random_head(tags, labelwise=False)
    emissions = 3 * torch.randn(len(lengths), max(lengths), tags, dtype=torch.float64)
    marginals = head.marginals(emissions, torch.tensor(lengths))
    best = head.decode(emissions, torch.tensor(lengths))
    for row, length in enumerate(lengths):
        paths = torch.tensor(legal_paths(head, length))
        scores = path_scores(head, emissions[row], paths).detach()
        chosen = torch.nn.functional.one_hot(paths, tags).double()  # (P, n, K)
        expected = torch.zeros(max(lengths), tags, dtype=torch.float64)
        expected[:length] = torch.einsum("p,pnk->nk", scores.softmax(0), chosen)
        torch.testing.assert_close(marginals[row], expected, rtol=1e-9, atol=1e-9)
        assert best[row].tolist() == paths[scores.argmax()].tolist() + [0] * (max(lengths) - length)
