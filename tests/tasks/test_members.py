"""Networks that learn side by side under one head: each as it would by itself, their emissions averaged."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ner_lstm_crf.config import Config, ModelConfig
from ner_lstm_crf.data.annotation import Sentence
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.vectors import Vectors
from ner_lstm_crf.model.network import Network
from ner_lstm_crf.tasks.assembly import Assembly, assemble
from ner_lstm_crf.tasks.checkpoint import load_assembly, save_assembly
from ner_lstm_crf.tasks.runs import Data, prepare, train_run
from ner_lstm_crf.tasks.tagger import Tagger
from ner_lstm_crf.tasks.training import Trainer

Make = Callable[..., list[Sentence]]


def with_members(config: Config, members: int, **training: object) -> Config:
    """The configuration with so many members."""
    return Config(
        model=replace(config.model, members=members),
        training=replace(config.training, **training),  # type: ignore[arg-type]
    )


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    """Vectors that know more words than the training data."""
    words = ("met", "oslo", "unseen", "Quito")
    return Vectors(words, torch.randn(len(words), 12, generator=torch.Generator().manual_seed(0)).numpy())


@pytest.fixture(scope="module")
def trained(make_sentences: Make, tiny: Config, vectors: Vectors) -> Assembly:
    """Three members, trained for two epochs."""
    trainer = prepare(Data(make_sentences(60), vectors=vectors), with_members(tiny, 3))
    reports = trainer.run()
    for _ in range(2):
        next(reports)
    trainer.assembly.network.eval()
    return trainer.assembly


def test_emissions_and_loss_are_the_means_of_the_members(trained: Assembly, make_sentences: Make) -> None:
    network, sentences = trained.network, make_sentences(9, seed=3)
    batch = trained.featurizer.collate([trained.featurizer.encode_gold(sentence) for sentence in sentences])
    assert batch.tags is not None
    alone = [
        Network(reader.embedding, reader.encoder, reader.projection, network.head).eval() for reader in network.readers
    ]
    emissions = torch.stack([one.emissions(batch) for one in alone])
    losses = torch.stack([one.loss(batch) for one in alone])
    torch.testing.assert_close(network.emissions(batch), emissions.mean(0))
    torch.testing.assert_close(network.loss(batch), losses.mean(0))
    torch.testing.assert_close(network.marginals(batch), network.head.marginals(emissions.mean(0), batch.lengths))
    assert emissions.std(0).mean() > 0.01  # they do not say the same


def epoch_of(trainer: Trainer) -> dict[str, torch.Tensor]:
    """The weights after one epoch."""
    next(trainer.run())
    trainer.state()  # brings all word vectors up to date
    return {name: weight.clone() for name, weight in trainer.assembly.network.state_dict().items()}


@pytest.mark.parametrize("training", [{}, {"optimizer": "sgd", "learning_rate": 0.1}], ids=str)
@pytest.mark.parametrize("clip_norm", [0.0, 0.5])
def test_each_member_learns_as_it_would_by_itself(
    make_sentences: Make, tiny: Config, training: dict[str, object], clip_norm: float
) -> None:
    rates = ("word_dropout", "char_dropout", "input_dropout", "recurrent_dropout", "output_dropout")
    model = replace(tiny.model, head="softmax", **dict.fromkeys(rates, 0.0))  # type: ignore[arg-type]
    config = replace(tiny, model=model, training=replace(tiny.training, clip_norm=clip_norm, ema_decay=0.0, **training))  # type: ignore[arg-type]
    one, three = (prepare(Data(make_sentences(40)), with_members(config, members)) for members in (1, 3))
    if clip_norm:  # the norm is that of all: with like members it is clipped as that of each
        first = three.assembly.network.readers[0].state_dict()
        own = {name: weight for name, weight in first.items() if not name.startswith(("others.", "head."))}
        for other in three.assembly.network.others:
            other.load_state_dict(own)
    alone, together = epoch_of(one), epoch_of(three)
    for name, weight in alone.items():
        torch.testing.assert_close(together[name], weight, rtol=1e-4, atol=1e-5)
    same = torch.allclose(together["projection.weight"], together["others.1.projection.weight"], atol=1e-4)
    assert same == bool(clip_norm)


def test_a_model_is_what_it_was_and_holds_the_common_vectors_once(
    trained: Assembly, make_sentences: Make, tmp_path: Path
) -> None:
    save_assembly(trained, tmp_path)
    names = set(load_file(tmp_path / "model.safetensors"))
    assert {"embedding.word.reserve", "others.0.embedding.word.trained", "others.1.projection.weight"} <= names
    assert not any(name.startswith("others.") and name.endswith("reserve") for name in names)
    description = json.loads((tmp_path / "config.json").read_text())
    assert (description["version"], description["model"]["members"]) == (4, 3)
    loaded = load_assembly(tmp_path)
    own, others = loaded.network.embedding.word, loaded.network.others
    assert all(other.embedding.word.reserve is own.reserve for other in others)  # type: ignore[union-attr]
    state = trained.network.state_dict()
    assert all(torch.equal(weight, state[name]) for name, weight in loaded.network.state_dict().items())
    tokens = [sentence.words for sentence in make_sentences(30, seed=5)]
    assert list(map(Tagger(loaded).tag_tokens, tokens)) == list(map(Tagger(trained).tag_tokens, tokens))


def test_tags_are_those_of_the_network(trained: Assembly, make_sentences: Make) -> None:
    tagger = Tagger(trained)
    for sentence in make_sentences(20, seed=6):
        batch = trained.featurizer.collate([trained.featurizer.encode(sentence.words)])
        tags = [trained.featurizer.tags[tag] for tag in trained.network.decode(batch)[0].tolist()]
        assert tagger.tag_tokens(sentence.words) == list(trained.featurizer.scheme.decode(tags).spans)


def test_a_model_that_lacks_a_member_is_refused(trained: Assembly, tmp_path: Path) -> None:
    fewer = replace(trained, config=replace(trained.config, members=4))
    save_assembly(fewer, tmp_path)
    with pytest.raises(InputError, match=r"do not fit the configuration: others\.2\.embedding\.word\.trained"):
        load_assembly(tmp_path)


def test_training_that_is_resumed_is_unbroken_training(make_sentences: Make, tiny: Config, tmp_path: Path) -> None:
    data, config = Data(make_sentences(40), make_sentences(10, seed=1)), with_members(tiny, 2, epochs=3)
    list(train_run(data, config, tmp_path / "whole"))
    reports = train_run(data, config, tmp_path / "broken")
    next(reports)
    reports.close()  # type: ignore[attr-defined]
    list(train_run(data, config, tmp_path / "broken", resume=True))
    whole, broken = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "broken"))
    assert whole == broken


def test_the_first_member_begins_as_a_network_by_itself(make_sentences: Make, tiny: Config) -> None:
    one, two = (assemble(make_sentences(20), with_members(tiny, members).model).network for members in (1, 2))
    alone, together = one.state_dict(), two.state_dict()
    below = [name for name in alone if not name.startswith("head.")]
    assert all(torch.equal(alone[name], together[name]) for name in below)
    assert not torch.equal(together["projection.weight"], together["others.0.projection.weight"])


def test_there_is_a_member_at_least() -> None:
    with pytest.raises(InputError, match="members: expected at least 1, got 0"):
        ModelConfig(members=0)
