"""The heads: what makes a CRF a CRF, and when it is a softmax."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from ner_lstm_crf.data.schemes import SCHEMES
from ner_lstm_crf.model.heads import CrfHead, SoftmaxHead, token_mask

LENGTHS = torch.tensor([5, 1, 3])
TAGS = SCHEMES["BIEO"].tags(["LOC", "PER"])


def bieo_head(*, labelwise: bool = False) -> CrfHead:
    moves = SCHEMES["BIEO"].moves(TAGS)
    return CrfHead(
        torch.tensor(moves.start), torch.tensor(moves.transitions), torch.tensor(moves.end), labelwise=labelwise
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
    softmax = SoftmaxHead()
    emissions, tags = torch.randn(3, 5, 4), gold(4)
    torch.testing.assert_close(crf.loss(emissions, tags, LENGTHS), softmax.loss(emissions, tags, LENGTHS))
    torch.testing.assert_close(crf.marginals(emissions, LENGTHS), softmax.marginals(emissions, LENGTHS))
    assert torch.equal(crf.decode(emissions, LENGTHS), softmax.decode(emissions, LENGTHS))


def test_the_legal_paths_hold_all_probability() -> None:
    torch.manual_seed(0)
    head, scheme = bieo_head(), SCHEMES["BIEO"]
    emissions = 3 * torch.randn(1, 4, len(TAGS))
    legal = [path for path in product(range(len(TAGS)), repeat=4) if scheme.is_well_formed([TAGS[t] for t in path])]
    losses = head.loss(emissions.expand(len(legal), -1, -1), torch.tensor(legal), torch.full((len(legal),), 4))
    assert torch.exp(-losses.double()).sum().item() == pytest.approx(1.0, abs=1e-4)


def test_no_decoded_sequence_is_ill_formed_however_hard_the_emissions_push() -> None:
    torch.manual_seed(0)
    head = bieo_head()
    emissions = 300 * torch.randn(200, 5, len(TAGS))
    lengths = torch.randint(1, 6, (200,))
    for path, length in zip(head.decode(emissions, lengths).tolist(), lengths.tolist(), strict=True):
        assert SCHEMES["BIEO"].is_well_formed([TAGS[tag] for tag in path[:length]])
    softmax = SoftmaxHead().decode(emissions, lengths)
    broken = [
        not SCHEMES["BIEO"].is_well_formed([TAGS[tag] for tag in path[:length]])
        for path, length in zip(softmax.tolist(), lengths.tolist(), strict=True)
    ]
    assert any(broken)


def test_illegal_moves_have_no_marginal_and_marginals_sum_to_one() -> None:
    torch.manual_seed(0)
    head = bieo_head()
    marginals = head.marginals(torch.randn(3, 5, len(TAGS)), LENGTHS)
    torch.testing.assert_close(marginals.sum(2), token_mask(LENGTHS, 5).float())
    inside = [number for number, tag in enumerate(TAGS) if tag.startswith(("I-", "E-"))]
    assert marginals[:, 0, inside].max() < 1e-6
    assert marginals[1, 0, TAGS.index("B-PER")] > 0  # a lone B is an entity of one token


@pytest.mark.parametrize("labelwise", [False, True])
def test_forbidden_moves_get_no_gradient_and_allowed_ones_do(labelwise: bool) -> None:
    torch.manual_seed(0)
    head = bieo_head(labelwise=labelwise)
    tags = torch.tensor([[TAGS.index(tag) for tag in ("B-PER", "E-PER", "O", "B-LOC", "O")]])
    head.loss(torch.randn(1, 5, len(TAGS)), tags, torch.tensor([5])).sum().backward()
    gradient = head.transitions.grad
    assert gradient is not None
    assert torch.isfinite(gradient).all()
    assert gradient[~head.transitions_allowed].abs().max() == 0
    assert gradient[TAGS.index("B-PER"), TAGS.index("E-PER")] != 0


@pytest.mark.parametrize("head", [bieo_head(), SoftmaxHead()], ids=["crf", "softmax"])
def test_results_do_not_depend_on_what_lies_beyond_the_length(head: CrfHead | SoftmaxHead) -> None:
    torch.manual_seed(0)
    emissions = torch.randn(3, 5, len(TAGS))
    changed = emissions.masked_fill(~token_mask(LENGTHS, 5).unsqueeze(2), 1e4)
    tags = torch.zeros(3, 5, dtype=torch.int64)
    assert torch.equal(head.loss(emissions, tags, LENGTHS), head.loss(changed, tags, LENGTHS))
    assert torch.equal(head.decode(emissions, LENGTHS), head.decode(changed, LENGTHS))
    assert torch.equal(head.marginals(emissions, LENGTHS), head.marginals(changed, LENGTHS))
