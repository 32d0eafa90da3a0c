"""The transformer as a token feature: vectors where it is frozen, sub-tokens where it is trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features import batch
from ner_lstm_crf.features.registry import Features
from ner_lstm_crf.features.token_feature import Resources, SavedFeature
from ner_lstm_crf.features.transformer.feature import Transformer
from ner_lstm_crf.features.transformer.subtokens import SubTokenBatch
from ner_lstm_crf.model.embedding.registry import new_embedding
from ner_lstm_crf.model.embedding.transformer import TransformerVectors, contextual_vectors, pretrained_encoder
from tests.encoders import write_encoder

pytest.importorskip("transformers")

CPU = torch.device("cpu")
SENTENCES = [["anna", "met", "boris"], [], ["in", "oslo"], ["quietly"]]
WORDS, LENGTHS = [word for words in SENTENCES for word in words], [len(words) for words in SENTENCES]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("encoders") / "first", 1)


def configured(encoder: Path, **settings: object) -> ModelConfig:
    config = ModelConfig(transformer=str(encoder), transformer_layers=2, transformer_size=5)
    return replace(config, **settings)  # type: ignore[arg-type]


def build(config: ModelConfig) -> Transformer:
    feature = Transformer.build(Resources(config, SENTENCES))
    assert feature is not None
    return feature


def test_frozen_its_vectors_are_those_computed_before(encoder: Path) -> None:
    config = configured(encoder)
    feature = build(config)
    subtokens = feature.encode(WORDS, np.zeros(len(WORDS), np.int64), np.array(LENGTHS))
    computed = contextual_vectors(pretrained_encoder(feature, config), subtokens)
    features = Features({"transformer": feature})
    now, before = (features.encode(WORDS, LENGTHS, computed=one) for one in ({}, {"transformer": computed}))
    module = TransformerVectors.build(feature, config).eval()
    assert feature.encoder not in list(module.modules())  # no network holds a frozen encoder
    for numbers in ([0, 2, 3], [3], [2, 0]):
        longest = max(LENGTHS[number] for number in numbers)
        ours, theirs = (
            module.tensors(one.tagging_batch(np.array(numbers), longest)[0].inputs["transformer"], CPU)
            for one in (now, before)
        )
        assert ours.shape == theirs.shape
        torch.testing.assert_close(ours, theirs.float(), atol=2e-3, rtol=2e-3)
        assert module(theirs).shape == (len(numbers), longest, 5)
        for row, number in enumerate(numbers):
            assert not ours[row, LENGTHS[number] :].any()


@pytest.mark.parametrize("fine_tune", [False, True])
def test_windows_of_a_long_sentence_have_the_vectors_of_the_whole(
    encoder: Path, fine_tune: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "MOST_TOKENS", 12)
    config = configured(encoder, fine_tune=fine_tune)
    feature = build(config)
    words = [word for words in SENTENCES for word in words] * 10
    whole = Features({"transformer": feature}).encode(words, [len(words)])
    module = TransformerVectors.build(feature, config).eval()
    rows = len(whole.rows.lengths)
    assert rows > 5
    with torch.inference_mode():
        reference = module(module.tensors(whole.training_batch([0]).inputs["transformer"], CPU))
        for numbers in ([0], [3, 1], list(range(rows))):
            given, positions, _ = whole.tagging_batch(np.array(numbers), 12)
            vectors = module(module.tensors(given.inputs["transformer"], CPU))
            for row in range(len(numbers)):
                torch.testing.assert_close(vectors[row], reference[0, positions[row]], atol=1e-4, rtol=1e-4)


def test_trained_it_is_a_part_of_the_network_but_not_of_its_saved_weights(encoder: Path) -> None:
    config = configured(encoder, fine_tune=True)
    feature = build(config)
    features = Features({"transformer": feature})
    embedding = new_embedding(features, config)
    assert embedding.fine_tuned() is feature.encoder
    assert all(name.startswith("transformer.projection.") for name in embedding.state_dict())
    embedding.load_state_dict(embedding.state_dict())  # misses nothing
    given = features.encode(WORDS, LENGTHS).training_batch([0, 3])
    assert isinstance(given.inputs["transformer"], SubTokenBatch)
    vectors = embedding(embedding.tensors(given, CPU))
    assert vectors.shape == (2, 3, 5)
    vectors.square().sum().backward()
    assert any(weight.grad is not None and weight.grad.any() for weight in feature.encoder.parameters())


def test_words_are_read_as_they_touch_if_the_training_data_tell(encoder: Path) -> None:
    config, words, touching = configured(encoder), ["os", "lo", "anna"], [True, False, False]
    told, untold = (Transformer.build(Resources(config, SENTENCES, touching=one)) for one in (True, False))
    assert told is not None
    assert untold is not None
    assert (told.reads_touching, untold.reads_touching) == (True, False)
    lengths, none = np.array([3]), np.zeros(3, np.int64)
    (apart,), (together,) = (one.encode(words, none, lengths, touching) for one in (untold, told))
    assert apart.ids.tolist() == untold.encode(words, none, lengths)[0].ids.tolist()
    assert together.ids.tolist() == untold.encode(["oslo", "anna"], none[:2], np.array([2]))[0].ids.tolist()
    assert together.targets.tolist()[0][1:-1] == [0, 0, 1, 1, 2, 2, 2, 2]
    for feature in (told, untold):
        again = Transformer.load(SavedFeature(config, feature.to_json(), folder=encoder))
        assert again.reads_touching == feature.reads_touching
    characters = replace(config, token_unit="character")
    feature = Transformer.build(Resources(characters, SENTENCES, touching=True))
    assert feature is not None
    assert not feature.reads_touching  # they do without being told


@pytest.mark.parametrize("value", [None, 1, "true"])
def test_a_damaged_value_is_refused(encoder: Path, value: object) -> None:
    with pytest.raises(InputError, match="expected true or false"):
        Transformer.load(SavedFeature(configured(encoder), value, folder=encoder))


def test_sub_tokens_without_an_encoder_are_refused(encoder: Path) -> None:
    trained, frozen = build(configured(encoder, fine_tune=True)), build(configured(encoder))
    ids = Features({"transformer": trained}).encode(["oslo"], [1]).training_batch([0]).inputs["transformer"]
    with pytest.raises(ValueError, match="expected the vectors of a frozen encoder, got sub-tokens"):
        TransformerVectors.build(frozen, configured(encoder))(ids)


@pytest.mark.parametrize("size", [0, 3])
def test_vectors_are_projected_to_a_size(encoder: Path, size: int) -> None:
    config = configured(encoder)
    module = TransformerVectors(pretrained_encoder(build(config), config), size)
    vectors = torch.randn(2, 3, 12)
    assert module.size == (size or 12)
    assert torch.equal(module(vectors.half()), module.projection(vectors.half().float()))


def test_layers_are_mixed_by_their_weights(encoder: Path) -> None:
    config = configured(encoder, transformer_mix=True)
    module = TransformerVectors(pretrained_encoder(build(config), config), 0)
    assert module.size == 12
    vectors = torch.randn(3, 4, 24)
    with torch.no_grad():
        module.weights.copy_(torch.tensor([1.0, 3.0]).log())
        module.scale.fill_(2)
    torch.testing.assert_close(module(vectors), 2 * (0.25 * vectors[..., :12] + 0.75 * vectors[..., 12:]))


def test_written_and_loaded_it_is_the_same(encoder: Path, tmp_path: Path) -> None:
    config = configured(encoder)
    feature = build(config)
    with pytest.raises(ValueError, match="got one without weights"):
        feature.write_files(tmp_path)
    pretrained_encoder(feature, config)
    feature.write_files(tmp_path)
    loaded = Transformer.load(SavedFeature(config, feature.to_json(), folder=tmp_path))
    given = Features({"transformer": feature}).encode(WORDS, LENGTHS).training_batch([0, 2]).inputs["transformer"]
    ours, theirs = (pretrained_encoder(one, config)(given) for one in (feature, loaded))
    assert torch.equal(ours, theirs)
    assert loaded.saved_as == tmp_path.name
    with pytest.raises(InputError, match="expected the folder of a model's transformer"):
        Transformer.load(SavedFeature(config, None))


def test_without_one_in_the_configuration_there_is_none() -> None:
    assert Transformer.build(Resources(ModelConfig(), SENTENCES)) is None
