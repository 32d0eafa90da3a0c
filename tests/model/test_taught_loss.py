"""The loss that a teacher gives, against sums over all tag sequences."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import Tensor

from ner_lstm_crf.crf.sums import expected_counts
from ner_lstm_crf.model.crf import log_likelihood
from ner_lstm_crf.model.embedding.token_embedding import Taught, TensorBatch
from ner_lstm_crf.model.heads import CrfHead, Head, SoftmaxHead
from ner_lstm_crf.model.losses import Objective
from ner_lstm_crf.tags.scheme import SCHEMES
from ner_lstm_crf.tags.tag_set import TagSet
from ner_lstm_crf.text.annotation import Span
from tests.crf_paths import PATHS, Path

TAGS = TagSet(SCHEMES["BIEO"], ["PER"])
LENGTHS = torch.tensor([3, 2, 1])
GOLD = torch.tensor([TAGS.encode([Span(0, 2, "PER")], 3).tolist(), [0, 1, 0], [0, 0, 0]])
HEADS = ("crf", "labelwise", "softmax")
SEEDS = st.integers(0, 2**32 - 1)


def head_of(name: str) -> Head:
    """A head with drawn scores."""
    if name == "softmax":
        return SoftmaxHead(len(TAGS)).double()
    head = CrfHead(*map(torch.tensor, TAGS.allowed_transitions()), labelwise=name == "labelwise").double()
    with torch.no_grad():
        for scores in head.parameters():
            scores.normal_()
    return head


def emissions_drawn() -> Tensor:
    return torch.randn(3, 3, len(TAGS), dtype=torch.float64)


def counts_of(head: Head, emissions: Tensor) -> tuple[Tensor, Tensor]:
    """What a head expects of tags and transitions."""
    found = expected_counts(emissions.detach().numpy(), LENGTHS.numpy(), head.tables())
    return torch.from_numpy(found.tags), torch.from_numpy(found.transitions)


def counts_of_gold() -> tuple[Tensor, Tensor]:
    """The tags and transitions of the gold sequences: a teacher that is certain of these."""
    tags, transitions = torch.zeros(3, 3, len(TAGS)).double(), torch.zeros(3, len(TAGS), len(TAGS)).double()
    for number, length in enumerate(LENGTHS.tolist()):
        path = GOLD[number, :length].tolist()
        tags[number, range(length), path] = 1
        for before, after in pairwise(path):
            transitions[number, before, after] += 1
    return tags, transitions


@pytest.mark.parametrize("of_teacher", ["crf", "softmax"])
@pytest.mark.parametrize("name", ["crf", "softmax"])
@settings(max_examples=10)
@given(seed=SEEDS)
def test_it_is_the_cross_entropy_over_all_tag_sequences(name: str, of_teacher: str, seed: int) -> None:
    torch.manual_seed(seed)
    head, teacher, emissions, taught = head_of(name), head_of(of_teacher), emissions_drawn(), emissions_drawn()
    losses = head.taught_loss(emissions, *counts_of(teacher, taught), LENGTHS)
    for number, length in enumerate(LENGTHS.tolist()):
        paths = list(product(range(len(TAGS)), repeat=length))
        padded = torch.tensor([[*path, *[0] * (3 - length)] for path in paths])
        many = LENGTHS[number].expand(len(paths))
        taught_paths, learnt = (
            log_likelihood(scores[number].expand(len(paths), -1, -1), padded, many, *one.scores())
            for one, scores in ((teacher, taught), (head, emissions))
        )
        torch.testing.assert_close(losses[number], -(taught_paths.softmax(0) * learnt).sum(), rtol=1e-8, atol=1e-8)


@settings(max_examples=10)
@given(seed=SEEDS)
def test_the_label_wise_loss_takes_each_token_by_itself(seed: int) -> None:
    torch.manual_seed(seed)
    head, teacher, emissions, taught = head_of("labelwise"), head_of("crf"), emissions_drawn(), emissions_drawn()
    losses = head.taught_loss(emissions, *counts_of(teacher, taught), LENGTHS)
    own, of_teacher = head.marginals(emissions, LENGTHS), teacher.marginals(taught, LENGTHS)
    expected = -torch.where(of_teacher > 0, of_teacher * own.clamp(min=1e-300).log(), 0).sum((1, 2))
    torch.testing.assert_close(losses, expected)


@pytest.mark.parametrize("name", ["crf", "softmax"])
@PATHS
def test_its_gradients_are_what_the_head_expects_less_what_the_teacher_does(name: str, path: Path) -> None:
    torch.manual_seed(0)
    head, teacher, emissions = head_of(name), head_of(name), emissions_drawn().requires_grad_()
    with path.chosen():
        taught = counts_of(teacher, emissions_drawn())
        head.taught_loss(emissions, *taught, LENGTHS).sum().backward()
        own = counts_of(head, emissions)
    of_tags, of_transitions = own[0] - taught[0], own[1] - taught[1]
    torch.testing.assert_close(emissions.grad, of_tags)
    if isinstance(head, CrfHead):
        torch.testing.assert_close(head.transitions.grad, of_transitions.sum(0) * head.transitions_allowed)
        torch.testing.assert_close(head.start_transitions.grad, of_tags[:, 0].sum(0) * head.start_allowed)
        last = of_tags[torch.arange(3), LENGTHS - 1].sum(0)
        torch.testing.assert_close(head.end_transitions.grad, last * head.end_allowed)


@pytest.mark.parametrize("name", HEADS)
def test_a_teacher_that_is_certain_of_the_gold_tags_gives_their_loss_and_its_gradients(name: str) -> None:
    torch.manual_seed(0)
    head, emissions = head_of(name), emissions_drawn().requires_grad_()
    taught, gold = head.taught_loss(emissions, *counts_of_gold(), LENGTHS), head.loss(emissions, GOLD, LENGTHS)
    torch.testing.assert_close(taught, gold)
    weights = [emissions, *head.parameters()]
    for one, other in zip(*(torch.autograd.grad(loss.sum(), weights) for loss in (taught, gold)), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("name", HEADS)
def test_who_knows_what_the_teacher_knows_learns_nothing(name: str) -> None:
    torch.manual_seed(0)
    head, emissions = head_of(name), emissions_drawn().requires_grad_()
    head.taught_loss(emissions, *counts_of(head, emissions), LENGTHS).sum().backward()
    torch.testing.assert_close(emissions.grad, torch.zeros_like(emissions))


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("shares", [[0.0, 0.0, 0.0], [0.3, 1.0, 0.0], [1.0, 1.0, 1.0]])
def test_each_sentence_mixes_both_losses_by_its_share(name: str, shares: list[float]) -> None:
    torch.manual_seed(0)
    head, emissions, taught = head_of(name), emissions_drawn(), counts_of(head_of("crf"), emissions_drawn())
    share = torch.tensor(shares, dtype=torch.float64)
    batch = TensorBatch(torch.zeros(3, 3, dtype=torch.int64), LENGTHS, {}, GOLD, None, Taught(*taught, share))
    gold, of_teacher = head.loss(emissions, GOLD, LENGTHS), head.taught_loss(emissions, *taught, LENGTHS)
    losses = Objective().losses(head, emissions, batch)
    torch.testing.assert_close(losses, (1 - share) * gold + share * of_teacher)
    # What mistakes cost is asked of the gold tags alone.
    costs = torch.from_numpy(np.where(np.eye(len(TAGS)), 0.0, 1.0))
    if name != "labelwise":
        costly = Objective(costs).losses(head, emissions, batch)
        torch.testing.assert_close(costly[share == 1], losses[share == 1])
        assert (costly[share < 1] > losses[share < 1]).all()
