"""Training on sentences of which not all is known."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from ner_lstm_crf.config import Config
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.model.crf import token_mask
from ner_lstm_crf.model.heads import CrfHead, Head, SoftmaxHead
from ner_lstm_crf.runs.data import Data
from ner_lstm_crf.runs.run import Run
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.tags.scheme import SCHEMES
from ner_lstm_crf.tags.tag_set import TagSet
from ner_lstm_crf.text.annotation import Sentence, Span, Unknown
from tests.made import changed, same_networks, trainer_for
from tests.tag_sequences import EVERY_SCHEME

Make = Callable[..., list[Sentence]]
HEADS = ("crf", "labelwise", "softmax")


def head_of(name: str, tags: TagSet) -> Head:
    """A head with drawn scores."""
    if name == "softmax":
        return SoftmaxHead(len(tags)).double()
    return CrfHead(*map(torch.tensor, tags.allowed_transitions()), labelwise=name == "labelwise").double()


@EVERY_SCHEME
@pytest.mark.parametrize("name", HEADS)
@settings(max_examples=5)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_loss_is_that_of_all_tag_sequences_that_fit(scheme, name, seed):
    torch.manual_seed(seed)
    tags = TagSet(scheme, ["PER"])
    head, lengths = head_of(name, tags), torch.tensor([3, 2])
    emissions = torch.randn(2, 3, len(tags), dtype=torch.float64)
    may_be = Unknown(1, frozenset({"S-PER", "E-PER", "O"}))
    allowed = np.ones((2, 3, len(tags)), np.bool_)
    allowed[0] = tags.allowed([], [Unknown(0), may_be], 3)
    allowed[1, :2] = tags.allowed([Span(0, 1, "PER")], [may_be], 2)
    losses = head.partial_loss(emissions, torch.tensor(allowed), lengths)
    if name == "labelwise":
        each = (head.marginals(emissions, lengths) * torch.tensor(allowed)).sum(2)  # (B, T)
        expected = -torch.where(token_mask(lengths, 3), each.log(), 0).sum(1)
    else:
        expected = torch.empty(2, dtype=torch.float64)
        for number, length in enumerate(lengths.tolist()):
            paths = product(*(np.flatnonzero(row) for row in allowed[number, :length]))
            padded = torch.tensor([[*path, *[0] * (3 - length)] for path in paths])
            of_paths = emissions[number].expand(len(padded), -1, -1)
            scores = -head.loss(of_paths, padded, lengths[number].expand(len(padded)))
            expected[number] = -scores.logsumexp(0)
    torch.testing.assert_close(losses, expected)


@pytest.mark.parametrize("name", HEADS)
def test_where_all_is_known_it_is_the_loss_of_the_gold_tags(name):
    torch.manual_seed(0)
    tags = TagSet(SCHEMES["BIEO"], ["LOC", "PER"])
    head, lengths = head_of(name, tags), torch.tensor([4, 2])
    emissions = torch.randn(2, 4, len(tags), dtype=torch.float64, requires_grad=True)
    gold = torch.from_numpy(np.stack([tags.encode([Span(1, 3, "PER")], 4), tags.encode([Span(0, 1, "LOC")], 4)]))
    allowed = torch.nn.functional.one_hot(gold, len(tags)).bool() | ~token_mask(lengths, 4).unsqueeze(2)
    losses, expected = head.partial_loss(emissions, allowed, lengths), head.loss(emissions, gold, lengths)
    torch.testing.assert_close(losses, expected)
    gradients = (torch.autograd.grad(one.sum(), emissions, retain_graph=True)[0] for one in (losses, expected))
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("name", HEADS)
def test_a_sentence_of_which_nothing_is_known_teaches_nothing(name):
    torch.manual_seed(0)
    tags = TagSet(SCHEMES["BIEO"], ["LOC", "PER"])
    emissions = torch.randn(1, 4, len(tags), dtype=torch.float64, requires_grad=True)
    loss = head_of(name, tags).partial_loss(emissions, torch.ones(1, 4, len(tags)).bool(), torch.tensor([4]))
    torch.testing.assert_close(loss, torch.zeros(1, dtype=torch.float64))
    (gradient,) = torch.autograd.grad(loss.sum(), emissions)
    torch.testing.assert_close(gradient, torch.zeros_like(gradient))


def half_unknown(sentences: list[Sentence]) -> list[Sentence]:
    """The sentences, of every second of which the tokens behind the first are unknown."""
    return [
        one
        if number % 2
        else replace(
            one,
            spans=tuple(span for span in one.spans if span.end <= 1),
            unknown=tuple(
                Unknown(token) for token in range(next((s.end for s in one.spans if s.end <= 1), 0), len(one))
            ),
        )
        for number, one in enumerate(sentences)
    ]


def test_a_batch_has_allowed_tags_only_if_one_of_its_sentences_has_unknown_tokens(make_sentences: Make, tiny: Config):
    sentences = half_unknown(make_sentences(4))
    model = Model.build(sentences, tiny.model)
    encoded = model.encode(sentences, gold=True)
    assert encoded.training_batch([1, 3]).allowed is None
    batch = encoded.training_batch([1, 2])
    assert batch.allowed is not None
    padding = batch.tokens.shape[1] - batch.lengths
    assert (batch.allowed.all(2).sum(1) - padding).tolist() == [0, len(sentences[2].unknown)]
    assert batch.tags is not None
    known = np.take_along_axis(batch.allowed, batch.tags[:, :, None], axis=2)
    assert known.all()  # the gold tag of a known token is the one that it may have


@pytest.mark.parametrize("head", ["crf", "softmax"])
def test_half_of_what_is_annotated_is_enough_to_learn_the_rest(make_sentences: Make, tiny: Config, head: str):
    dev = make_sentences(20, seed=1)
    trainer = trainer_for(Data(half_unknown(make_sentences(80)), dev), changed(tiny, head=head, epochs=10))
    reports = list(trainer.epochs())
    assert reports[-1].dev is not None
    assert reports[-1].dev.micro.f1 > 0.9
    assert reports[-1].loss < reports[0].loss


def test_a_resumed_run_is_that_of_an_unbroken_one(make_sentences: Make, tiny: Config, tmp_path: Path):
    data, config = Data(half_unknown(make_sentences(20)), make_sentences(5, seed=1)), changed(tiny, epochs=3)
    list(Run(tmp_path / "whole").epochs(data, config))
    next(Run(tmp_path / "broken").epochs(data, config))
    list(Run(tmp_path / "broken").epochs(data, config, resume=True))
    assert same_networks(tmp_path / "whole", tmp_path / "broken")


def test_other_unknown_tokens_are_other_data(make_sentences: Make, tiny: Config, tmp_path: Path):
    sentences = make_sentences(20)
    next(Run(tmp_path).epochs(Data(half_unknown(sentences)), tiny))
    with pytest.raises(InputError, match="other training data"):
        list(
            Run(tmp_path).epochs(
                Data([replace(one, spans=(), unknown=()) if one.unknown else one for one in half_unknown(sentences)]),
                tiny,
                resume=True,
            )
        )


def test_labels_that_are_not_annotated_are_kept(make_sentences: Make, tiny: Config, tmp_path: Path, caplog):
    places = [one.with_spans(s for s in one.spans if s.label == "LOC") for one in make_sentences(60)]
    dev = make_sentences(20, seed=1)
    config = changed(tiny, epochs=10)
    list(
        Run(tmp_path / "old").epochs(
            Data([one.with_spans(s for s in one.spans if s.label == "PER") for one in make_sentences(60)]), config
        )
    )
    config = replace(config, model=Model.load(tmp_path / "old").config)
    people = {}
    for name, unannotated in (("fuzzy", ["PER"]), ("naive", [])):
        with caplog.at_level(logging.WARNING):
            data = Data(places, dev, init_from=tmp_path / "old", unannotated=unannotated)
            reports = list(Run(tmp_path / name).epochs(data, config))
        assert ("--unannotated PER says that they do" in caplog.text) == (not unannotated)
        caplog.clear()
        assert reports[-1].dev is not None
        people[name] = reports[-1].dev.per_label["PER"].f1
        assert reports[-1].dev.per_label["LOC"].f1 > 0.9
    assert people["fuzzy"] > 0.9 > 0.5 > people["naive"]


def test_a_model_to_start_from_teaches_what_is_not_annotated(make_sentences: Make, tiny: Config, tmp_path: Path):
    people = [one.with_spans(s for s in one.spans if s.label == "PER") for one in make_sentences(60)]
    places = [one.with_spans(s for s in one.spans if s.label == "LOC") for one in make_sentences(60)]
    list(Run(tmp_path / "old").epochs(Data(people), changed(tiny, epochs=10)))
    config = changed(tiny, epochs=10, distill_unknown=True)
    config = replace(config, model=Model.load(tmp_path / "old").config)
    data = Data(places, make_sentences(20, seed=1), init_from=tmp_path / "old", unannotated=["PER"])
    *_, report = Run(tmp_path / "whole").epochs(data, config)
    assert report.dev is not None
    assert all(score.f1 > 0.9 for score in report.dev.per_label.values())
    next(Run(tmp_path / "broken").epochs(data, config))
    list(Run(tmp_path / "broken").epochs(data, config, resume=True))
    assert same_networks(tmp_path / "whole", tmp_path / "broken")


def test_where_every_o_may_be_an_entity_the_share_of_entities_says_which_are(make_sentences: Make, tiny: Config):
    sentences, dev = make_sentences(200), make_sentences(50, seed=1)
    inside = sum(span.end - span.start for one in sentences for span in one.spans) / sum(map(len, sentences))
    source = random.Random(1)
    half = [one.with_spans(span for span in one.spans if source.random() < 0.5) for one in sentences]
    f1 = []
    for ratio in (0.0, inside):
        data = Data(half, dev, unannotated=["LOC", "PER"])
        *_, report = trainer_for(data, changed(tiny, epochs=12, entity_ratio=ratio)).epochs()
        assert report.dev is not None
        f1.append(report.dev.micro.f1)
    assert f1[0] < 0.6 < 0.9 < f1[1]


def test_only_a_model_to_start_from_can_teach(make_sentences: Make, tiny: Config, tmp_path: Path):
    with pytest.raises(InputError, match="distill_unknown: expected a model to start from"):
        next(Run(tmp_path).epochs(Data(half_unknown(make_sentences(5))), changed(tiny, distill_unknown=True)))
    for others in ({"crf_loss": "labelwise"}, {"head": "softmax", "class_weights": "O=2"}):
        with pytest.raises(
            InputError, match="distill_unknown: expected the loss of whole sequences, or the head softmax"
        ):
            changed(tiny, distill_unknown=True, **others)


def test_what_dev_does_not_annotate_is_not_counted(make_sentences: Make, tiny: Config, tmp_path: Path):
    places = [one.with_spans(s for s in one.spans if s.label == "LOC") for one in make_sentences(40)]
    list(Run(tmp_path / "old").epochs(Data(make_sentences(60)), changed(tiny, epochs=10)))
    data = Data(places[:30], places[30:], init_from=tmp_path / "old", unannotated=["PER"])
    config = replace(tiny, model=Model.load(tmp_path / "old").config)
    *_, report = Run(tmp_path / "new").epochs(data, config)
    assert report.dev is not None
    assert report.dev.micro.f1 > 0.9


def test_a_label_without_any_example_is_refused(make_sentences: Make, tiny: Config, tmp_path: Path):
    data = Data(make_sentences(5), unannotated=["Per"])
    with pytest.raises(InputError, match=r"an example in the training data.* got Per, did you mean PER"):
        next(Run(tmp_path).epochs(data, tiny))
    with pytest.raises(TypeError, match="expected a list of labels"):
        Data(make_sentences(5), unannotated="PER")


def test_dev_sentences_with_unknown_tokens_are_left_out(make_sentences: Make, caplog):
    data = Data(make_sentences(5), half_unknown(make_sentences(4)))
    assert len(data.dev) == 2
    assert "dev: 2 sentences have tokens of unknown tags: left out" in caplog.text
    with pytest.raises(InputError, match="dev: expected sentences to measure on"):
        Data(make_sentences(5), half_unknown(make_sentences(1)))


def test_unknown_tokens_that_no_tags_fit_are_refused():
    sentence = Sentence.from_words(["Ada", "Fox"])
    lost = replace(sentence, unknown=(Unknown(1, frozenset({"E-PER"})),))
    with pytest.raises(InputError, match="train, sentence 1: expected unknown tokens that some tags fit, token 2"):
        Data([lost])
    Data([replace(sentence, unknown=(Unknown(0), Unknown(1, frozenset({"E-PER"}))))])
