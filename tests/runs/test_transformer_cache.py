"""A frozen transformer reads the data once; runs with a transformer, frozen and fine-tuned."""

from __future__ import annotations

import dataclasses
import os
import pickle
import shutil
import time
from collections.abc import Callable, Sequence
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ner_lstm_crf.config import Config
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.evaluation.evaluate import evaluate_model
from ner_lstm_crf.model import cpu
from ner_lstm_crf.model.embedding import transformer as contextual
from ner_lstm_crf.model.embedding.transformer import PretrainedEncoder
from ner_lstm_crf.runs.data import Data, ResolvedData, computed_features, read_with_transformer, resolve_defaults
from ner_lstm_crf.runs.processes import PlannedRun, plan_seeds, train_runs
from ner_lstm_crf.runs.run import Run
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.tagging.tagger import Tagger
from ner_lstm_crf.text.annotation import Sentence
from tests.encoders import configured, write_encoder
from tests.made import same_networks

pytest.importorskip("transformers")

Make = Callable[..., list[Sentence]]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("encoders") / "first", 1)


@pytest.fixture(scope="module")
def data(make_sentences: Make) -> Data:
    return Data(make_sentences(40), make_sentences(8, seed=1))


def parts(data: Data) -> tuple[Sequence[Sentence], Sequence[Sentence]]:
    return data.train, data.dev


def folders(directory: Path) -> list[Path]:
    return sorted(directory.glob("transformer*"))


def same_files(first: Path, second: Path) -> bool:
    return {path.name: path.read_bytes() for path in first.iterdir()} == {
        path.name: path.read_bytes() for path in second.iterdir()
    }


@pytest.mark.parametrize("fine_tune", [False, True])
def test_a_resumed_run_ends_where_an_unbroken_one_does(
    data: Data, tiny: Config, encoder: Path, tmp_path: Path, make_sentences: Make, fine_tune: bool
) -> None:
    config = configured(tiny, encoder, fine_tune=fine_tune)
    losses = [report.loss for report in Run(tmp_path / "unbroken").epochs(data, config)]
    assert losses[-1] < losses[0]
    reports = Run(tmp_path / "broken").epochs(data, config)
    first = next(reports)
    reports.close()
    resumed = list(Run(tmp_path / "broken").epochs(data, config, resume=True))
    assert [first.loss, *(report.loss for report in resumed)] == losses

    whole, broken = (load_file(tmp_path / name / "network-1.safetensors") for name in ("unbroken", "broken"))
    assert all(torch.equal(whole[name], broken[name]) for name in whole)
    ((kept,), (again,)) = (folders(tmp_path / name) for name in ("unbroken", "broken"))
    assert kept.name == again.name
    assert same_files(kept, again)
    before, after = (PretrainedEncoder.from_pretrained(path, layers=1).state_dict() for path in (encoder, kept))
    assert all(torch.equal(before[name], after[name]) for name in after) != fine_tune

    shutil.move(encoder, tmp_path / "gone")  # the model needs only its own files
    try:
        sentences = make_sentences(10, seed=3)
        tagged = list(Tagger.load(tmp_path / "unbroken").tag_sentences(sentences))
        Tagger.load(tmp_path / "unbroken").save(tmp_path / "saved")
        assert list(Tagger.load(tmp_path / "saved").tag_sentences(sentences)) == tagged
        assert any(sentence.spans for sentence in tagged)
    finally:
        shutil.move(tmp_path / "gone", encoder)


@pytest.mark.parametrize("touching", [False, True])
def test_tags_are_those_of_the_dev_scores(
    data: Data, tiny: Config, encoder: Path, tmp_path: Path, touching: bool
) -> None:
    """Vectors that training computed once in half precision, tagging computes anew."""
    if touching:
        data = Data(*([Sentence.from_words(one.words, one.spans, joiner="") for one in part] for part in parts(data)))
    reports = list(Run(tmp_path).epochs(data, configured(tiny, encoder, epochs=6)))
    best = next(report for report in reversed(reports) if report.best)
    found = Tagger.load(tmp_path).tag_sentences(data.dev)
    right = sum(len({*a.spans} & {*b.spans}) for a, b in zip(found, data.dev, strict=True))
    assert best.dev is not None
    assert right == best.dev.micro.true_positives > 0
    evaluated = evaluate_model(Model.load(tmp_path), data.dev).evaluation
    assert evaluated.micro.true_positives == right
    assert Model.load(tmp_path).features.reads_touching == touching


def test_sentences_without_labels_are_read_as_the_model_will_read_text(
    data: Data, tiny: Config, encoder: Path, tmp_path: Path
) -> None:
    """That they tell where spaces are counts, though the labelled ones do not."""
    model = configured(tiny, encoder).model
    joined = [Sentence.from_words(one.words, one.spans, joiner="") for one in data.train]
    vectors = []
    for number, (train, unlabelled) in enumerate([(data.train, joined), ([*data.train, *joined], ())]):
        resolved = dataclasses.replace(resolve_defaults(Data(train, data.dev), model), unlabelled=unlabelled)
        read = read_with_transformer(resolved, model, tmp_path / f"cache-{number}")
        vectors.append(computed_features(read, model)[0]["transformer"])
    assert len(vectors[0]) == 2 * sum(map(len, data.train))
    assert (vectors[0] == vectors[1]).all()


def test_a_frozen_transformer_reads_the_data_once_for_all_runs(
    data: Data, tiny: Config, encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, int | None]] = []
    config = configured(tiny, encoder, epochs=1)
    cache, resolved = tmp_path / "cache", resolve_defaults(data, config.model)
    cache.mkdir()
    abandoned, growing = (cache / f".contextual-{name}.safetensors.123-0.new" for name in ("old", "new"))
    for temporary, age in ((abandoned, 2 * 86_400), (growing, 60)):
        temporary.touch()
        os.utime(temporary, (time.time() - age,) * 2)
    read = read_with_transformer(resolved, config.model, cache, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (48, 48)
    tokens = [sum(len(sentence.tokens) for sentence in part) for part in (data.train, data.dev)]
    computed = computed_features(read, config.model)
    assert [part["transformer"].shape for part in computed] == [(count, 12) for count in tokens]
    assert read_with_transformer(read, config.model, cache) is read
    assert read_with_transformer(resolved, tiny.model, cache) is resolved
    fine_tuned = dataclasses.replace(config.model, fine_tune=True)
    assert read_with_transformer(resolved, fine_tuned, cache) is resolved

    sent: ResolvedData = pickle.loads(bytes(ForkingPickler.dumps(read)))  # as a worker gets it
    list(Run(tmp_path / "alone").epochs(data, config))
    assert not list((tmp_path / "alone").rglob("contextual-*"))  # removed when the run is finished
    assert (abandoned.exists(), growing.exists()) == (False, True)  # another run may be writing the second
    assert list(cache.glob("contextual-*"))  # kept: it was asked for
    monkeypatch.setattr(contextual, "contextual_vectors", lambda *_, **__: pytest.fail("the transformer was run again"))
    assert read_with_transformer(resolved, config.model, cache).contextual == read.contextual
    list(train_runs(sent, [PlannedRun(config, tmp_path / "shared")]))
    assert list(cache.glob("contextual-*"))
    assert same_networks(tmp_path / "alone", tmp_path / "shared")


def test_runs_that_are_trained_together_read_the_data_once(
    data: Data, tiny: Config, encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, calls, whole = configured(tiny, encoder, epochs=1), list[int](), contextual.contextual_vectors
    monkeypatch.setattr(
        contextual, "contextual_vectors", lambda *given, **named: calls.append(1) or whole(*given, **named)
    )
    plans = plan_seeds(PlannedRun(config, tmp_path), 2)
    assert len(list(train_runs(resolve_defaults(data, config.model), plans))) == 2
    assert calls == [1]
    assert not list(tmp_path.rglob("contextual-*"))
    resumed = [dataclasses.replace(plan, resume=True) for plan in plans]
    assert list(train_runs(resolve_defaults(data, config.model), resumed)) == []
    assert calls == [1]  # there is nothing left to train


def test_vectors_are_made_again_where_they_are_damaged_or_of_something_else(
    data: Data, tiny: Config, encoder: Path, tmp_path: Path
) -> None:
    model = configured(tiny, encoder).model
    resolved = resolve_defaults(data, model)
    read = read_with_transformer(resolved, model, tmp_path)
    assert read.contextual is not None
    content = read.contextual.read_bytes()
    assert read_with_transformer(resolved, model, tmp_path, lambda *_: pytest.fail("read again")) == read
    joined = [Sentence.from_words(one.words, one.spans, joiner="") for one in data.train]
    for change in ({"train": data.train[1:]}, {"dev": ()}, {"train": joined}):
        other = dataclasses.replace(resolved, **change)
        assert read_with_transformer(other, model, tmp_path).contextual != read.contextual
        with pytest.raises(InputError, match="found those of others"):
            computed_features(dataclasses.replace(other, contextual=read.contextual), model)
    for change in ({"transformer_mix": True}, {"transformer_layers": 2}, {"transformer_depth": 1}):
        changed = dataclasses.replace(model, **change)
        assert read_with_transformer(resolved, changed, tmp_path).contextual != read.contextual
    read.contextual.write_bytes(content[:-9])
    with pytest.raises(InputError, match="cache of contextual vectors is damaged"):
        computed_features(read, model)
    assert read_with_transformer(resolved, model, tmp_path) == read
    assert read.contextual.read_bytes() == content


def test_the_networks_of_an_ensemble_share_a_frozen_transformer(
    data: Data, tiny: Config, encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configured(tiny, encoder, epochs=1)
    config = dataclasses.replace(config, training=dataclasses.replace(config.training, ensemble_size=2))
    calls, whole = list[int](), contextual.contextual_vectors
    monkeypatch.setattr(
        contextual, "contextual_vectors", lambda *given, **named: calls.append(1) or whole(*given, **named)
    )
    list(Run(tmp_path).epochs(data, config))
    assert calls == [1]  # for all networks, and to measure them, once
    assert not list(tmp_path.rglob("contextual-*"))
    assert len(list(tmp_path.rglob("transformer-*"))) == 1
    model = Model.load(tmp_path)
    batch = model.networks[0].tensors(model.encode(data.dev).training_batch(range(len(data.dev))))
    first, second = (network.embedding["transformer"](batch.inputs["transformer"]) for network in model.networks)
    assert not torch.equal(first, second)  # each projects the vectors in its own way
    encoder_calls = list[int]()
    model.features["transformer"].encoder.register_forward_hook(lambda *_: encoder_calls.append(1))
    found = list(Tagger(model).tag_sentences(data.dev))
    assert len(found) == len(data.dev)
    assert len(encoder_calls) == 1  # for both networks, once a batch


@pytest.mark.parametrize("fine_tune", [False, True])
def test_a_model_keeps_the_layers_that_it_reads(
    data: Data, tiny: Config, encoder: Path, tmp_path: Path, fine_tune: bool
) -> None:
    config = configured(tiny, encoder, fine_tune=fine_tune, epochs=2).replace(transformer_depth=1, transformer_layers=2)
    list(Run(tmp_path / "run").epochs(data, config))
    (kept,) = folders(tmp_path / "run")
    assert not any(name.startswith("encoder.layer.1.") for name in load_file(kept / "model.safetensors"))
    assert (kept / "model.safetensors").stat().st_size < (encoder / "model.safetensors").stat().st_size
    tagger = Tagger.load(tmp_path / "run")
    tagged = list(tagger.tag_sentences(data.dev))
    tagger.save(tmp_path / "copy")
    assert list(Tagger.load(tmp_path / "copy").tag_sentences(data.dev)) == tagged
    assert any(sentence.spans for sentence in tagged)


def test_a_mix_of_layers_is_learnt_and_saved(data: Data, tiny: Config, encoder: Path, tmp_path: Path) -> None:
    config = configured(tiny, encoder, epochs=2)
    config = dataclasses.replace(
        config, model=dataclasses.replace(config.model, transformer_mix=True, transformer_layers=3)
    )
    reports = list(Run(tmp_path).epochs(data, config))
    weights = load_file(tmp_path / "network-1.safetensors")["embedding.transformer.weights"]
    assert weights.shape == (3,)
    assert weights[0] != weights[1]
    best = max(reports, key=lambda report: report.dev.micro.f1 if report.dev else 0)
    found = Tagger.load(tmp_path).tag_sentences(data.dev)
    right = sum(len({*a.spans} & {*b.spans}) for a, b in zip(found, data.dev, strict=True))
    assert best.dev is not None
    assert right == best.dev.micro.true_positives


def test_a_transformer_is_trained_in_bfloat16_where_the_processor_has_it(
    data: Data, tiny: Config, encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = configured(tiny, encoder, epochs=2, fine_tune=True)
    quick = dataclasses.replace(exact, training=dataclasses.replace(exact.training, transformer_precision="bfloat16"))
    monkeypatch.setattr(cpu, "quickest_dtype", lambda: torch.float32)
    with pytest.raises(InputError, match="transformer_precision: expected a processor that multiplies bfloat16"):
        list(Run(tmp_path / "refused").epochs(data, quick))
    monkeypatch.setattr(cpu, "quickest_dtype", lambda: torch.bfloat16)
    losses = [[report.loss for report in Run(tmp_path / "exact").epochs(data, exact)]]
    losses += [[report.loss for report in Run(tmp_path / "quick").epochs(data, quick)]]
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=0.05)
    (folder,) = folders(tmp_path / "quick")
    assert {weight.dtype for weight in load_file(folder / "model.safetensors").values()} == {torch.float32}


def test_a_run_does_not_go_on_with_another_transformer(data: Data, tiny: Config, tmp_path: Path) -> None:
    """Exchanged in its folder."""
    encoder = tmp_path / "encoder"
    write_encoder(encoder, 2)
    config = configured(tiny, encoder, epochs=2)
    reports = Run(tmp_path / "run").epochs(data, config)
    next(reports)
    reports.close()
    shutil.rmtree(encoder)
    write_encoder(encoder, 3)
    with pytest.raises(InputError, match="the run to resume had other transformer"):
        next(Run(tmp_path / "run").epochs(data, config, resume=True))
