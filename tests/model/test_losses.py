"""What training minimizes, against sums over all tag sequences."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from ner_lstm_crf.config import Config, ModelConfig, TrainingConfig, weights_of
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.model.crf import log_likelihood, token_mask
from ner_lstm_crf.model.embedding.token_embedding import TensorBatch
from ner_lstm_crf.model.heads import CrfHead, SoftmaxHead
from ner_lstm_crf.model.losses import RATIO_MARGIN, RATIO_WEIGHT, Objective, StartingNetwork
from ner_lstm_crf.runs.data import Data
from ner_lstm_crf.tagging.predictor import predict
from ner_lstm_crf.tags.scheme import SCHEMES
from ner_lstm_crf.tags.tag_set import TagSet
from ner_lstm_crf.text.annotation import Span, Unknown
from ner_lstm_crf.training.trainer import objective_of
from tests.crf_paths import crf_compiled
from tests.made import changed, trainer_for

TAGS = TagSet(SCHEMES["BIEO"], ["PER"])
LENGTHS = torch.tensor([3, 2])
GOLD = torch.tensor([TAGS.encode([Span(0, 2, "PER")], 3).tolist(), [0, 1, 0]])
HEADS = ("crf", "labelwise", "softmax")


def head_of(name):
    """A head with drawn scores."""
    if name == "softmax":
        return SoftmaxHead(len(TAGS)).double()
    return CrfHead(*map(torch.tensor, TAGS.allowed_transitions()), labelwise=name == "labelwise").double()


def batch_of(*, partly_known=False):
    """Two sentences of three and two tokens."""
    allowed = None
    if partly_known:
        allowed = torch.ones(2, 3, len(TAGS), dtype=torch.bool)
        allowed[0] = torch.from_numpy(TAGS.allowed([], [Unknown(0, frozenset({"S-PER", "O"})), Unknown(2)], 3))
        allowed[1, :2] = torch.from_numpy(TAGS.allowed([Span(1, 2, "PER")], [], 2))
    return TensorBatch(torch.zeros(2, 3, dtype=torch.int64), LENGTHS, {}, GOLD, allowed)


def costs_of(missed, spurious):
    return objective_of(TAGS, TrainingConfig(missed_cost=missed, spurious_cost=spurious)).costs.double()


@pytest.mark.parametrize("name", ["crf", "softmax"])
@pytest.mark.parametrize("partly_known", [False, True])
@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 1), missed=st.floats(0, 3), spurious=st.floats(0.1, 3))
def test_costs_are_added_to_the_scores_of_sequences_with_mistakes(name, partly_known, seed, missed, spurious):
    torch.manual_seed(seed)
    head, batch = head_of(name), batch_of(partly_known=partly_known)
    emissions = torch.randn(2, 3, len(TAGS), dtype=torch.float64)
    losses = Objective(costs_of(missed, spurious)).losses(head, emissions, batch)
    start, transitions, end = head.scores()
    for number, length in enumerate(LENGTHS.tolist()):
        right, every = [], []
        for path in product(range(len(TAGS)), repeat=length):
            score = start[path[0]] + end[path[-1]] + sum(emissions[number, t, tag] for t, tag in enumerate(path))
            score = score + sum(transitions[pair] for pair in pairwise(path))
            cost, fits = 0.0, True
            for t, tag in enumerate(path):
                gold = [int(GOLD[number, t])] if batch.allowed is None else np.flatnonzero(batch.allowed[number, t])
                fits = fits and tag in gold
                if tag not in gold:
                    cost += missed if tag == 0 else spurious if list(gold) == [0] else 0.0
            every.append(score + cost)
            right += [score] if fits else []
        expected = torch.stack(every).logsumexp(0) - torch.stack(right).logsumexp(0)
        torch.testing.assert_close(losses[number], expected)


@pytest.mark.parametrize("name", ["labelwise", "softmax"])
@pytest.mark.parametrize("partly_known", [False, True])
def test_weights_multiply_the_loss_of_known_tokens(name, partly_known):
    torch.manual_seed(0)
    head, batch = head_of(name), batch_of(partly_known=partly_known)
    emissions = torch.randn(2, 3, len(TAGS), dtype=torch.float64)
    weights = objective_of(TAGS, TrainingConfig(class_weights="O=0.5,PER=3")).weights.double()
    assert weights.tolist() == [0.5, 3, 3, 3]
    marginals = head.marginals(emissions, LENGTHS)
    allowed = torch.nn.functional.one_hot(GOLD, len(TAGS)).bool() if batch.allowed is None else batch.allowed
    each = -(marginals * allowed).sum(2).log()
    weight = torch.tensor([[3, 3, 0.5], [0.5, 3, 0]]) if not partly_known else torch.tensor([[1, 0.5, 1], [0.5, 3, 0]])
    expected = torch.where(token_mask(LENGTHS, 3), each * weight, 0).sum(1)
    torch.testing.assert_close(Objective(weights=weights).losses(head, emissions, batch), expected)


@pytest.mark.parametrize("name", HEADS)
def test_the_expected_share_of_entities_is_drawn_to_the_ratio(name):
    torch.manual_seed(0)
    head, batch = head_of(name), batch_of(partly_known=True)
    emissions = torch.randn(2, 3, len(TAGS), dtype=torch.float64, requires_grad=True)
    expected = ((1 - head.marginals(emissions, LENGTHS)[:, :, 0]) * token_mask(LENGTHS, 3)).sum() / LENGTHS.sum()
    plain = Objective().losses(head, emissions, batch)
    for ratio in (0.05, expected.item() * 1.05, 0.95):
        losses = Objective(entity_ratio=ratio).losses(head, emissions, batch)
        beyond = max(0.0, abs(expected.item() - ratio) - RATIO_MARGIN * ratio)
        torch.testing.assert_close(losses - plain, RATIO_WEIGHT * beyond * LENGTHS.double())
    known = Objective(entity_ratio=0.05).losses(head, emissions, batch_of())
    torch.testing.assert_close(known, Objective().losses(head, emissions, batch_of()))


@pytest.mark.parametrize("name", HEADS)
def test_without_any_of_them_it_is_the_loss_of_the_head(name):
    torch.manual_seed(0)
    head, emissions = head_of(name), torch.randn(2, 3, len(TAGS), dtype=torch.float64)
    assert torch.equal(Objective().losses(head, emissions, batch_of()), head.loss(emissions, GOLD, LENGTHS))


def test_losses_that_have_no_meaning_are_refused_and_the_hint_is_one_that_has():
    sequence, labelwise = ModelConfig(), ModelConfig(crf_loss="labelwise")
    with pytest.raises(InputError, match=r"class_weights: expected a loss of single tokens .* missed_cost"):
        Config(model=sequence, training=TrainingConfig(class_weights="O=0.5"))
    Config(model=sequence, training=TrainingConfig(missed_cost=1.0))
    for name in ("missed_cost", "spurious_cost"):
        with pytest.raises(InputError, match=rf"{name}: .* got crf_loss labelwise: class_weights"):
            Config(model=labelwise, training=TrainingConfig(**{name: 1.0}))
    Config(model=labelwise, training=TrainingConfig(class_weights="O=0.5"))
    Config(model=ModelConfig(head="softmax"), training=TrainingConfig(class_weights="O=0.5", missed_cost=1.0))


def test_weights_are_numbers_above_0_of_labels_of_the_model(make_sentences, tiny):
    for text in ("O", "O=0", "O=-1", "O=x", "O=nan", "O=inf", "O=1,"):
        with pytest.raises(InputError, match="class_weights: expected weights above 0 such as"):
            weights_of(text)
    assert weights_of(" O = 0.5, a=b=2") == {"O": 0.5, "a=b": 2.0}
    config = changed(tiny, head="softmax", class_weights="per=2")
    with pytest.raises(InputError, match="class_weights: expected labels of the model, got per, did you mean PER"):
        trainer_for(Data(make_sentences(5)), config)


def test_a_cost_of_missed_entities_finds_more_of_them_and_one_of_spurious_ones_fewer(make_sentences, tiny):
    sentences = make_sentences(40)
    shown = [one.with_spans(one.spans[::2]) for one in sentences]  # half of them look like what is none
    found = {}
    for name in ("missed_cost", "spurious_cost"):
        trainer = trainer_for(Data(shown), changed(tiny, epochs=4, **{name: 3.0}))
        list(trainer.epochs())
        found[name] = sum(len(tags.spans) for tags in predict(trainer.model, trainer.sentences))
    assert found["missed_cost"] > found["spurious_cost"]


@pytest.mark.parametrize("name", ["crf", "softmax"])
def test_what_is_not_known_is_learnt_as_the_network_to_start_from_takes_it(name):
    torch.manual_seed(0)
    head, of_teacher, batch = head_of(name), head_of(name), batch_of(partly_known=True)
    emissions, taught = torch.randn(2, 2, 3, len(TAGS), dtype=torch.float64).unbind()
    losses = Objective(start=StartingNetwork(of_teacher, lambda _: taught)).losses(head, emissions, batch)
    for number, length in enumerate(LENGTHS.tolist()):
        paths = list(product(*(np.flatnonzero(row) for row in batch.allowed[number, :length])))
        padded = torch.tensor([[*path, *[0] * (3 - length)] for path in paths])
        many = LENGTHS[number].expand(len(paths))
        of_each, learnt = (
            log_likelihood(scores[number].expand(len(paths), -1, -1), padded, many, *one.scores())
            for one, scores in ((of_teacher, taught), (head, emissions))
        )
        torch.testing.assert_close(losses[number], -(of_each.softmax(0) * learnt).sum())


@pytest.mark.parametrize("name", ["crf", "softmax"])
def test_a_network_that_has_learnt_nothing_since_learns_nothing_of_what_is_not_known(name):
    torch.manual_seed(0)
    head = head_of(name)
    emissions = torch.randn(2, 3, len(TAGS), dtype=torch.float64, requires_grad=True)
    batch = batch_of()
    nothing = TensorBatch(batch.tokens, LENGTHS, {}, GOLD, torch.ones(2, 3, len(TAGS), dtype=torch.bool))
    losses = Objective(start=StartingNetwork(head, lambda _: emissions)).losses(head, emissions, nothing)
    torch.testing.assert_close(losses.sum(), crf_compiled.entropy(emissions, LENGTHS, *head.scores()).sum())
    (gradient,) = torch.autograd.grad(losses.sum(), emissions)
    torch.testing.assert_close(gradient, torch.zeros_like(gradient))
