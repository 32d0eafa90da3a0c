"""Training that starts from a trained model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ner_lstm_crf.config import Config
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.vectors import Vectors
from ner_lstm_crf.runs.data import Data, resolve_defaults
from ner_lstm_crf.runs.run import Run, prepare_trainer
from ner_lstm_crf.saving import model as saving
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.tagging.predictor import predict
from ner_lstm_crf.tagging.tagger import Tagger
from ner_lstm_crf.text.annotation import Sentence, Span
from ner_lstm_crf.training.warm_start import warm_start
from tests.plain_path import words_of
from tests.trained import trained_model

Make = Callable[..., list[Sentence]]


@pytest.fixture(scope="module", params=["word", "character"])
def base(request: pytest.FixtureRequest, make_sentences: Make, tiny: Config) -> Model:
    config = replace(tiny, model=replace(tiny.model, token_unit=request.param))
    return trained_model(make_sentences(60), config, config.training.epochs)


def spans(model: Model, sentences: list[Sentence]) -> list[tuple[Span, ...]]:
    return [decoded.spans for decoded in predict(model, model.encode(sentences))]


def test_on_data_of_the_same_kind_nothing_is_lost(base: Model, make_sentences: Make) -> None:
    new = make_sentences(60)
    model = warm_start(base, new, seed=5)
    assert spans(model, new) == spans(base, new)
    old, table = (one.networks[0].embedding.tables["word"] for one in (base, model))
    assert not table.pretrained.any()  # so that they learn at the whole rate
    assert old.trainable.data_ptr() != table.trainable.data_ptr()


def test_what_the_new_data_bring_is_added_and_what_they_lack_is_kept(base: Model) -> None:
    strange = Sentence.from_words(["Ŋoro", "met", "Anna"], [Span(0, 1, "GOD"), Span(2, 3, "PER")])
    model = warm_start(base, [strange, strange])
    words, tags, old = words_of(model), model.tags, base.tags
    assert tags.labels == ("GOD", "LOC", "PER")
    assert words.first_frozen == 5
    assert words.type_ids(["Oslo"]) >= words.first_frozen
    characters, known = (one.features["characters"].vocabulary.symbols for one in (model, base))
    assert characters[: len(known)] == known
    assert "Ŋ" in characters
    for word in ("Anna", "Oslo"):
        ids = [torch.from_numpy(words_of(one).type_ids([word])) for one in (base, model)]
        vectors = [one.networks[0].embedding.tables["word"](i) for one, i in zip((base, model), ids, strict=True)]
        torch.testing.assert_close(*vectors, rtol=1e-3, atol=1e-3)  # frozen rows are in half precision
    weights = [one.networks[0].state_dict() for one in (base, model)]
    place, was = tags.names.index("B-PER"), old.names.index("B-PER")
    end, ended = tags.names.index("E-PER"), old.names.index("E-PER")
    assert torch.equal(weights[1]["projection.weight"][place], weights[0]["projection.weight"][was])
    assert weights[1]["head.transitions"][place, end] == weights[0]["head.transitions"][was, ended]
    for tag in old.names:  # those of LOC too, of which the data have no example
        assert torch.equal(
            weights[1]["projection.weight"][tags.names.index(tag)],
            weights[0]["projection.weight"][old.names.index(tag)],
        )
    assert weights[1]["head.start_transitions"][place] == weights[0]["head.start_transitions"][was]
    assert not torch.equal(
        weights[1]["projection.weight"][tags.names.index("B-GOD")], weights[0]["projection.weight"][was]
    )


def test_a_run_starts_from_the_model_and_can_be_resumed(base: Model, make_sentences: Make, tmp_path: Path) -> None:
    base.save(tmp_path / "base")
    sentences = make_sentences(40, seed=7)
    data = Data(sentences, sentences, init_from=tmp_path / "base")
    config = Config(model=base.config, training=replace(Config().training, epochs=2, min_steps=0, learning_rate=1e-4))
    whole = list(Run(tmp_path / "whole").epochs(data, config))
    assert whole[0].dev is not None
    assert whole[0].dev.micro.f1 > 0.9  # what the base has learnt is there after a small step
    next(iter(Run(tmp_path / "cut").epochs(data, config)))
    rest = list(Run(tmp_path / "cut").epochs(data, config, resume=True))
    assert rest[-1].loss == whole[-1].loss
    warm_start(base, sentences).save(tmp_path / "base")
    with pytest.raises(InputError, match="had another model to start from, or none"):
        list(Run(tmp_path / "whole").epochs(data, config, resume=True))


def test_words_of_which_the_model_knows_few_are_told(
    base: Model, make_sentences: Make, caplog: pytest.LogCaptureFixture
) -> None:
    warm_start(base, make_sentences(40, seed=7))
    assert not caplog.messages
    warm_start(base, [Sentence.from_words(["Ŋoro", "þing", "Anna"], [Span(0, 1, "PER")])] * 2)
    assert caplog.messages == [
        "the model to start from knows 33.3% of the training tokens: it was made for other data, or another language"
    ]


def test_another_shape_is_refused(base: Model, make_sentences: Make, tmp_path: Path) -> None:
    base.save(tmp_path)
    other = Config(model=replace(base.config, hidden_size=13))
    with pytest.raises(InputError, match="configuration of the model to start from"):
        resolve_defaults(Data(make_sentences(9), init_from=tmp_path), other.model)


def test_frozen_vectors_stay_frozen(base: Model) -> None:
    strange = [Sentence.from_words(["Ŋoro", "met", "Anna"], [Span(0, 1, "PER")])] * 2
    words = words_of(warm_start(base, strange, freeze_vectors=True))
    assert words.vocabulary.symbols[: len(words.counts)] == ("ŋoro",)
    assert set(words.vocabulary.symbols) == {*words_of(base).vocabulary.symbols, "ŋoro"}


def test_the_seed_draws_what_is_new_and_the_base_is_left_as_it_is(base: Model) -> None:
    strange = [Sentence.from_words(["Ŋoro", "met"], [Span(0, 1, "GOD")])] * 2
    before = {name: tensor.clone() for name, tensor in base.networks[0].state_dict().items()}
    one, two, same = (warm_start(base, strange, seed=seed).networks[0].state_dict() for seed in (1, 2, 1))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], two[name]) for name in one)
    assert all(torch.equal(tensor, before[name]) for name, tensor in base.networks[0].state_dict().items())


def test_an_unbroken_run_and_one_taken_up_again_end_with_the_same_weights(
    base: Model, make_sentences: Make, tmp_path: Path
) -> None:
    base.save(tmp_path / "base", quantize=True)
    data = Data(make_sentences(30, seed=7), make_sentences(9, seed=8), init_from=tmp_path / "base")
    config = Config(model=base.config, training=replace(Config().training, epochs=2, min_steps=0))
    list(Run(tmp_path / "whole").epochs(data, config))
    next(iter(Run(tmp_path / "cut").epochs(data, config)))
    list(Run(tmp_path / "cut").epochs(data, config, resume=True))
    files = [(tmp_path / name / "network-1.safetensors").read_bytes() for name in ("whole", "cut")]
    assert files[0] == files[1]
    other = Data(make_sentences(30, seed=7), make_sentences(9, seed=8))
    with pytest.raises(InputError, match="had another model to start from, or none"):
        list(Run(tmp_path / "cut").epochs(other, config, resume=True))


def test_a_shipped_tagger_is_named(
    base: Model, make_sentences: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base.save(tmp_path / "en")
    monkeypatch.setattr(saving, "_SHIPPED_FOLDER", tmp_path)
    config = Config(model=Tagger.load("en").model.config)
    named, by_path, none = (
        resolve_defaults(Data(make_sentences(9), init_from=source), config.model)
        for source in ("en", tmp_path / "en", None)
    )
    assert named.fingerprints == by_path.fingerprints != none.fingerprints
    started = prepare_trainer(named, config).model
    assert set(words_of(base).vocabulary.symbols) <= set(words_of(started).vocabulary.symbols)


def test_vectors_of_their_own_are_refused(base: Model, make_sentences: Make, tmp_path: Path) -> None:
    base.save(tmp_path)
    vectors = Vectors(("met",), torch.ones(1, base.config.word_size).numpy())
    with pytest.raises(InputError, match="and no vectors"):
        resolve_defaults(Data(make_sentences(9), vectors=vectors, init_from=tmp_path), Config(model=base.config).model)


def test_a_model_does_not_start_from_the_directory_it_goes_to(
    base: Model, make_sentences: Make, tmp_path: Path
) -> None:
    base.save(tmp_path)
    data = Data(make_sentences(9), init_from=tmp_path)
    with pytest.raises(InputError, match="another directory than that of the model to start from"):
        list(Run(tmp_path).epochs(data, Config(model=base.config), overwrite=True))


def test_what_is_refused_leaves_the_old_run_as_it_was(base: Model, make_sentences: Make, tmp_path: Path) -> None:
    base.save(tmp_path / "base")
    small = replace(Config().training, epochs=1, min_steps=0)
    data = Data(make_sentences(9), init_from=tmp_path / "base")
    list(Run(tmp_path / "run").epochs(data, Config(model=base.config, training=small)))
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    other = Config(model=replace(base.config, hidden_size=13), training=small)
    with pytest.raises(InputError, match="configuration of the model to start from"):
        list(Run(tmp_path / "run").epochs(data, other, overwrite=True))
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before
