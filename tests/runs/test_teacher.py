"""Runs that learn from a teacher, on labelled sentences and on others."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ner_lstm_crf.config import Config
from ner_lstm_crf.crf import FORBIDDEN
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.batch import MOST_TOKENS
from ner_lstm_crf.runs.data import Data, ResolvedData, resolve_defaults
from ner_lstm_crf.runs.processes import PlannedRun, train_runs
from ner_lstm_crf.runs.run import Run, prepare_trainer
from ner_lstm_crf.runs.teacher import read_with_teacher, taught_emissions
from ner_lstm_crf.runs.train import train
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.tags.scheme import SCHEMES
from ner_lstm_crf.tags.tag_set import TagSet
from ner_lstm_crf.text.annotation import Sentence
from tests.encoders import configured, write_encoder
from tests.made import changed, same_networks
from tests.plain_path import batch_of, mean_emissions

Make = Callable[..., list[Sentence]]


@pytest.fixture(scope="module")
def teacher(make_sentences: Make, tiny: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ensemble of two networks that knows the made corpus; not to be written to."""
    directory = tmp_path_factory.mktemp("teacher") / "pair"
    list(Run(directory).epochs(Data(make_sentences(60)), changed(tiny, epochs=10, ensemble_size=2)))
    return directory


@pytest.fixture(scope="module")
def blurred(make_sentences: Make) -> list[Sentence]:
    """Sentences in which every second entity is not annotated."""
    sentences = make_sentences(60, seed=2)
    return [replace(one, spans=one.spans[number % 2 :: 2]) for number, one in enumerate(sentences)]


def read(data: Data, config: Config, folder: Path) -> ResolvedData:
    """The data, which the teacher has read."""
    return read_with_teacher(resolve_defaults(data, config.model), config.model, folder)


def f1_of(data: Data, config: Config, directory: Path) -> float:
    """F1 on dev of the last epoch."""
    *_, report = Run(directory).epochs(data, config)
    assert report.dev is not None
    return report.dev.micro.f1


def without_teacher(data: Data) -> Data:
    return replace(data, teacher=None, unlabelled=())


def test_a_student_learns_what_its_teacher_knows_and_not_the_faults_of_its_data(
    make_sentences: Make, tiny: Config, teacher: Path, blurred: list[Sentence], tmp_path: Path
) -> None:
    data = Data(blurred, make_sentences(20, seed=1), teacher=teacher)
    config = changed(tiny, epochs=10, teacher_weight=1.0)
    assert f1_of(data, config, tmp_path / "taught") > 0.95
    assert f1_of(without_teacher(data), config, tmp_path / "alone") < 0.8
    assert f1_of(data, changed(config, teacher_weight=0.0), tmp_path / "weightless") < 0.8


@pytest.mark.parametrize("head", ["crf", "softmax"])
def test_sentences_without_labels_teach_what_the_teacher_finds_in_them(
    make_sentences: Make, tiny: Config, teacher: Path, tmp_path: Path, head: str
) -> None:
    few, dev = make_sentences(3, seed=5), make_sentences(20, seed=1)
    config = changed(tiny, epochs=10, head=head)
    data = Data(few, dev, teacher=teacher, unlabelled=make_sentences(60, seed=6))
    assert not any(sentence.spans for sentence in data.unlabelled)
    assert f1_of(data, config, tmp_path / "taught") > 0.9
    assert f1_of(without_teacher(data), config, tmp_path / "alone") < 0.7


@pytest.mark.parametrize("settings", [{}, {"adversarial_epsilon": 0.0}, {"head": "softmax"}, {"crf_loss": "labelwise"}])
def test_what_is_learnt_of_sentences_without_labels_is_the_teacher_alone(
    make_sentences: Make, tiny: Config, teacher: Path, tmp_path: Path, settings: dict[str, Any]
) -> None:
    """Whatever their share elsewhere, gold tags never count there: with others in their place nothing changes."""
    config = changed(tiny, epochs=1, teacher_weight=0.0, **settings)
    data = Data(make_sentences(6), teacher=teacher, unlabelled=make_sentences(20, seed=6))
    trainers = [prepare_trainer(read(data, config, tmp_path), config) for _ in range(2)]
    sentences = trainers[1].sentences
    assert sentences.labelled is not None
    assert sentences.tags is not None
    of_labelled = np.repeat(sentences.labelled, sentences.lengths)
    assert (~of_labelled).sum() == sum(map(len, data.unlabelled))
    sentences.tags = np.where(of_labelled, sentences.tags, 1)
    for one in trainers:
        list(one.epochs())
    for weights, others in zip(*(one.network.state_dict().values() for one in trainers), strict=True):
        torch.testing.assert_close(weights, others)


def test_the_teacher_says_what_it_decodes_with(
    make_sentences: Make, tiny: Config, teacher: Path, tmp_path: Path
) -> None:
    sentences = make_sentences(8, seed=3)
    data = read(Data(sentences[:5], teacher=teacher, unlabelled=sentences[5:]), tiny, tmp_path)
    model = Model.load(teacher)
    found = taught_emissions(data, model.tags, "crf")
    assert found is not None
    emissions, tables = found
    rows = np.split(emissions, np.cumsum([len(one) for one in sentences])[:-1])
    heads = [network.head.tables() for network in model.networks]
    for sentence, of_sentence in zip(sentences, rows, strict=True):
        with torch.inference_mode():
            expected = mean_emissions(model, batch_of(model, [sentence.words]))[0]
        torch.testing.assert_close(torch.from_numpy(of_sentence), expected, rtol=1e-4, atol=1e-4)
    for table, one, other in zip(tables, *heads, strict=True):
        np.testing.assert_allclose(table, (one + other) / 2, rtol=1e-5)


def test_tags_are_told_apart_by_their_names(make_sentences: Make, tiny: Config, teacher: Path, tmp_path: Path) -> None:
    data = read(Data(make_sentences(8), teacher=teacher), tiny, tmp_path)
    orders = [["LOC", "PER"], ["PER", "LOC"]]
    sets = [TagSet(SCHEMES["BIEO"], labels) for labels in orders]
    (emissions, tables), (turned, of_turned) = (taught_emissions(data, tags, "crf") or ((), ()) for tags in sets)
    for number, name in enumerate(sets[0].names):
        other = sets[1].names.index(name)
        assert np.array_equal(emissions[:, number], turned[:, other])
        assert tables[0][number] == of_turned[0][other]
        for second, after in enumerate(sets[0].names):
            assert tables[1][number, second] == of_turned[1][other, sets[1].names.index(after)]


def test_a_crf_learns_no_sequence_that_its_scheme_forbids(make_sentences: Make, tiny: Config, tmp_path: Path) -> None:
    list(Run(tmp_path / "softmax").epochs(Data(make_sentences(30)), changed(tiny, head="softmax", epochs=2)))
    data = read(Data(make_sentences(8), teacher=tmp_path / "softmax"), tiny, tmp_path / "cache")
    tags = Model.load(tmp_path / "softmax").tags
    for head in ("crf", "softmax"):
        found = taught_emissions(data, tags, head)
        assert found is not None
        for allowed, table in zip(tags.allowed_transitions(), found[1], strict=True):
            assert (table == np.where(allowed | (head == "softmax"), 0, np.float32(FORBIDDEN))).all()
    trainer = prepare_trainer(data, tiny)
    assert next(trainer.epochs()).loss < 10


def test_long_sentences_are_learnt_in_pieces(make_sentences: Make, tiny: Config, teacher: Path, tmp_path: Path) -> None:
    words = [word for one in make_sentences(700) for word in one.words]
    assert len(words) > 2 * MOST_TOKENS
    config, long = changed(tiny, max_batch_tokens=MOST_TOKENS), Sentence.from_words(words)
    data = read(Data([*make_sentences(2), long], teacher=teacher, unlabelled=[long]), config, tmp_path)
    trainer = prepare_trainer(data, config)
    sentences = trainer.sentences
    assert sentences.taught is not None
    assert sentences.labelled is not None
    assert len(sentences.taught) == sentences.lengths.sum()
    assert sentences.lengths[~sentences.labelled].sum() == len(words)
    assert np.isfinite(next(trainer.epochs()).loss)


# Interrupted and resumed


def data_of(make_sentences: Make, teacher: Path) -> Data:
    return Data(make_sentences(20), make_sentences(5, seed=1), teacher=teacher, unlabelled=make_sentences(10, seed=4))


@pytest.mark.parametrize("left", ["kept", "gone", "damaged"])
def test_a_resumed_run_ends_where_an_unbroken_one_does(
    make_sentences: Make, tiny: Config, teacher: Path, tmp_path: Path, left: str
) -> None:
    data, config = data_of(make_sentences, teacher), changed(tiny, epochs=3)
    list(Run(tmp_path / "whole").epochs(data, config))
    next(Run(tmp_path / "broken").epochs(data, config))
    (cache,) = (tmp_path / "broken" / ".teacher").iterdir()
    if left == "gone":
        cache.unlink()
    elif left == "damaged":
        cache.write_bytes(cache.read_bytes()[:-1])
    list(Run(tmp_path / "broken").epochs(data, config, resume=True))
    assert same_networks(tmp_path / "whole", tmp_path / "broken")
    assert not list((tmp_path / "broken").glob(".*"))


def test_networks_side_by_side_have_one_teacher(
    make_sentences: Make, tiny: Config, teacher: Path, tmp_path: Path
) -> None:
    data, config = data_of(make_sentences, teacher), changed(tiny, epochs=1, ensemble_size=2)
    list(Run(tmp_path / "in turn").epochs(data, config))
    plan = PlannedRun(config, tmp_path / "side by side")
    list(train_runs(resolve_defaults(data, config.model), [plan], workers=2))
    assert same_networks(tmp_path / "in turn", tmp_path / "side by side")
    assert not list(tmp_path.glob("*/.*"))


def test_only_the_same_run_can_be_resumed(make_sentences: Make, tiny: Config, teacher: Path, tmp_path: Path) -> None:
    data, run = data_of(make_sentences, teacher), Run(tmp_path / "run")
    next(run.epochs(data, tiny))
    kept = json.loads((run.directory / "run.json").read_text())["data"]
    assert kept["teacher"] == json.loads((teacher / "config.json").read_text())["digest"]
    with pytest.raises(InputError, match=r"had other unlabelled data$"):
        next(run.epochs(replace(data, unlabelled=data.unlabelled[1:]), tiny, resume=True))
    other = Path(shutil.copytree(teacher, tmp_path / "other"))
    Model.load(teacher).save(other, quantize=True)
    with pytest.raises(InputError, match=r"had other teacher$"):
        next(run.epochs(replace(data, teacher=other), tiny, resume=True))
    with pytest.raises(InputError, match=r"had teacher_weight = 0.5, this one has 0.7"):
        next(run.epochs(data, changed(tiny, teacher_weight=0.7), resume=True))


# Refused


def test_a_teacher_of_other_tags_or_tokens_is_refused(
    make_sentences: Make, tiny: Config, teacher: Path, tmp_path: Path
) -> None:
    places = [one.with_spans(span for span in one.spans if span.label == "LOC") for one in make_sentences(20)]
    same = make_sentences(20)
    for sentences, config, message in (
        (places, tiny, "expected a teacher of the labels LOC, got LOC, PER"),
        (same, changed(tiny, scheme="BIOES"), "expected a teacher of the scheme BIOES, got BIEO"),
        (same, changed(tiny, token_unit="character"), "expected a teacher whose tokens are characters, got words"),
    ):
        with pytest.raises(InputError, match=rf"pair: {message}$"):
            next(Run(tmp_path / "run").epochs(Data(sentences, teacher=teacher, lexicon=None), config))
        assert not (tmp_path / "run").exists()


def test_sentences_without_labels_need_a_teacher(make_sentences: Make, tiny: Config, tmp_path: Path, caplog) -> None:
    with pytest.raises(InputError, match="unlabelled: expected a teacher as well"):
        Data(make_sentences(5), unlabelled=make_sentences(5))
    with pytest.raises(TypeError, match="expected sentences as unlabelled, got str as number 1"):
        Data(make_sentences(5), teacher="en", unlabelled=["Ada Fox"])  # type: ignore[list-item]
    with caplog.at_level(logging.WARNING):
        next(Run(tmp_path).epochs(Data(make_sentences(5)), changed(tiny, teacher_weight=0.7)))
    assert "teacher_weight has no effect without a teacher" in caplog.text


def test_a_teacher_is_never_replaced(make_sentences: Make, tiny: Config, teacher: Path, tmp_path: Path) -> None:
    own = Path(shutil.copytree(teacher, tmp_path / "own"))
    data = Data(make_sentences(5), teacher=own)
    for start in (
        lambda: next(Run(own).epochs(data, tiny, overwrite=True)),
        lambda: train(data, tiny, own, overwrite=True),
    ):
        with pytest.raises(InputError, match="own: expected another directory than that of the teacher"):
            start()
    assert same_networks(own, teacher)


def test_a_teacher_that_has_changed_since_is_refused(
    make_sentences: Make, tiny: Config, teacher: Path, tmp_path: Path
) -> None:
    own = Path(shutil.copytree(teacher, tmp_path / "own"))
    data = resolve_defaults(Data(make_sentences(5), teacher=own), tiny.model)
    Model.load(teacher).save(own, quantize=True)
    with pytest.raises(InputError, match="own: expected the teacher that the run began with"):
        read_with_teacher(data, tiny.model, tmp_path / "cache")


def test_the_card_names_the_teacher(make_sentences: Make, tiny: Config, teacher: Path, tmp_path: Path) -> None:
    data = data_of(make_sentences, teacher)
    train(data, changed(tiny, epochs=1), tmp_path / "m", progress=False)
    assert "It was taught by `pair`, also on 10 sentences without labels." in (tmp_path / "m" / "README.md").read_text()


# Transformers


def test_a_teacher_may_have_a_transformer_and_a_student_none_or_another(
    make_sentences: Make, tiny: Config, tmp_path: Path
) -> None:
    pytest.importorskip("transformers")
    first, second = (write_encoder(tmp_path / f"encoder-{number}", number) for number in (1, 2))
    list(Run(tmp_path / "teacher").epochs(Data(make_sentences(30)), configured(tiny, first)))
    data = data_of(make_sentences, tmp_path / "teacher")
    for name, config in (("static", changed(tiny, epochs=2)), ("contextual", configured(tiny, second, epochs=2))):
        whole = [report.loss for report in Run(tmp_path / name).epochs(data, config)]
        next(Run(tmp_path / f"broken-{name}").epochs(data, config))
        rest = [report.loss for report in Run(tmp_path / f"broken-{name}").epochs(data, config, resume=True)]
        assert rest == whole[1:]
    assert Model.load(tmp_path / "static").config.transformer is None
