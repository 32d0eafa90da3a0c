"""A run and its directory: trained, interrupted, resumed, replaced; of one network and of several."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Generator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save

from ner_lstm_crf.config import Config, HeadName
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.evaluation.calibration import fitted_temperature
from ner_lstm_crf.features.vectors import Vectors
from ner_lstm_crf.runs.data import Data, resolve_defaults
from ner_lstm_crf.runs.processes import PlannedRun, plan_seeds, train_runs
from ner_lstm_crf.runs.results import RunResult
from ner_lstm_crf.runs.run import CURVES, SUMMARY, Run
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.saving.tensors import write_tensors
from ner_lstm_crf.tagging.tagger import Tagger
from ner_lstm_crf.text.annotation import Sentence, Span, Token
from ner_lstm_crf.training.trainer import EpochReport, Trainer
from ner_lstm_crf.training.warm_start import warm_start
from tests.made import changed, same_networks

Make = Callable[..., list[Sentence]]
Reports = Generator[EpochReport]


def several(config: Config, networks: int, **settings: object) -> Config:
    """The configuration with so many networks, and two epochs unless others are given."""
    return changed(config, **{"ensemble_size": networks, "epochs": 2, **settings})


def broken_after(run: Run, data: Data, config: Config, epochs: int) -> None:
    """Train a new run for so many epochs and leave it."""
    reports = cast("Reports", run.epochs(data, config))
    for _ in range(epochs):
        next(reports)
    reports.close()


@pytest.fixture(scope="module")
def data(make_sentences: Make) -> Data:
    """Data with vectors that know more words than the training sentences."""
    words = ("met", "oslo", "unseen", "Quito")
    vectors = Vectors(words, torch.randn(len(words), 12, generator=torch.Generator().manual_seed(0)).numpy())
    return Data(make_sentences(60), make_sentences(15, seed=1), vectors=vectors)


@pytest.fixture(scope="module")
def trio(data: Data, tiny: Config, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run of three networks; not to be written to."""
    run = Run(tmp_path_factory.mktemp("run") / "trio")
    list(run.epochs(data, several(tiny, 3)))
    return run


@pytest.fixture(scope="module")
def alone(data: Data, tiny: Config, trio: Run, tmp_path_factory: pytest.TempPathFactory) -> list[Model]:
    """The same three networks, each trained by itself."""
    folder = tmp_path_factory.mktemp("alone")
    for network in trio.networks(several(tiny, 3)):
        list(Run(folder / str(network.number)).epochs(data, network.config))
    return [Model.load(folder / str(number)) for number in (1, 2, 3)]


# Resumed


@pytest.mark.parametrize("settings", [{}, {"optimizer": "sgd", "momentum": 0.9}, {"char_encoder": "intnet"}], ids=str)
@pytest.mark.parametrize("epochs", [1, 3])
def test_a_resumed_run_ends_where_an_unbroken_one_does(
    make_sentences: Make, tiny: Config, tmp_path: Path, epochs: int, settings: dict[str, object]
) -> None:
    data = Data(make_sentences(60), make_sentences(10, seed=1))
    config = changed(tiny, epochs=5, **settings)
    whole, broken = Run(tmp_path / "whole"), Run(tmp_path / "broken")
    unbroken = list(whole.epochs(data, config))
    broken_after(broken, data, config, epochs)
    resumed = list(broken.epochs(data, config, resume=True))
    assert Model.load(broken.directory).temperature == Model.load(whole.directory).temperature
    assert [report.epoch for report in resumed] == list(range(epochs + 1, 6))
    assert same_networks(whole.directory, broken.directory)
    losses = [[report["loss"] for report in run.history()] for run in (whole, broken)]
    assert losses[0] == losses[1] == [report.loss for report in unbroken]


@pytest.mark.parametrize("epochs", [1, 2, 3, 4])
def test_a_resumed_ensemble_is_an_unbroken_one(data: Data, tiny: Config, tmp_path: Path, epochs: int) -> None:
    """Broken in the first network, between the two, in the second, and before the model of both is made."""
    config, whole, broken = several(tiny, 2), Run(tmp_path / "whole"), Run(tmp_path / "broken")
    list(whole.epochs(data, config))
    broken_after(broken, data, config, epochs)
    with pytest.raises(InputError, match=r"broken/\.training/network-1: this directory holds a model"):
        next(broken.epochs(data, config))
    with pytest.raises(InputError, match="the run to resume had ensemble_size = 2, this one has 3"):
        next(broken.epochs(data, several(tiny, 3), resume=True))
    rest = list(broken.epochs(data, config, resume=True))
    assert [(report.network, report.epoch) for report in rest] == list(product((1, 2), (1, 2)))[epochs:]
    assert same_networks(whole.directory, broken.directory)
    assert list(broken.epochs(data, config, resume=True)) == []


def test_the_patience_of_a_resumed_run_is_that_of_an_unbroken_one(
    make_sentences: Make, tiny: Config, tmp_path: Path
) -> None:
    data, config = Data(make_sentences(60), make_sentences(10, seed=1)), changed(tiny, epochs=60, patience=3)
    whole = [report.epoch for report in Run(tmp_path / "whole").epochs(data, config)]
    broken_after(Run(tmp_path / "broken"), data, config, len(whole) - 2)
    rest = [report.epoch for report in Run(tmp_path / "broken").epochs(data, config, resume=True)]
    assert rest == whole[-2:]
    assert len(whole) < 60


def test_resuming_a_finished_run_trains_nothing_and_removes_what_a_kill_left(
    make_sentences: Make, tiny: Config, tmp_path: Path
) -> None:
    data, config = Data(make_sentences(20)), changed(tiny, epochs=1)
    list(Run(tmp_path).epochs(data, config))
    left = (tmp_path / ".training" / "network-1" / "resume.safetensors", tmp_path / ".run.json.123-0.new")
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"left")
    assert list(Run(tmp_path).epochs(data, config, resume=True)) == []
    assert not list(tmp_path.glob(".*"))


def test_a_run_killed_before_it_was_marked_finished_is_finished_again(
    data: Data, tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, run = several(tiny, 2), Run(tmp_path / "run")
    monkeypatch.setattr("ner_lstm_crf.runs.run.shutil.rmtree", lambda *_, **__: None)
    list(run.epochs(data, config))
    monkeypatch.undo()
    expected = run.history()
    (run.directory / "run.json").write_text(
        json.dumps(json.loads((run.directory / "run.json").read_text()) | {"finished": False})
    )
    (run.directory / "history.jsonl").unlink()
    (run.directory / "network-2.safetensors").write_bytes(b"cut")
    assert list(run.epochs(data, config, resume=True)) == []
    assert run.finished
    assert run.history() == expected
    assert len(Model.load(run.directory).networks) == 2
    assert not list(run.directory.glob(".*"))


def test_a_run_killed_as_it_was_created_goes_on(data: Data, tiny: Config, tmp_path: Path) -> None:
    config, run = several(tiny, 2), Run(tmp_path)
    run.create(resolve_defaults(data, config.model), config)
    assert len(list(run.epochs(data, config, resume=True))) == 4
    assert len(Model.load(tmp_path).networks) == 2


def test_only_the_same_run_can_be_resumed(make_sentences: Make, tiny: Config, tmp_path: Path) -> None:
    data, config, run = Data(make_sentences(20)), changed(tiny, epochs=1), Run(tmp_path / "run")
    with pytest.raises(InputError, match="expected a run to resume, found none"):
        next(run.epochs(data, config, resume=True))
    assert not run.directory.exists()
    list(run.epochs(data, config))
    with pytest.raises(InputError, match=r"the run to resume had hidden_size = 12, this one has 13"):
        next(run.epochs(data, changed(config, hidden_size=13), resume=True))
    with pytest.raises(InputError, match=r"had other training data$"):
        next(run.epochs(Data(make_sentences(21)), config, resume=True))
    other = Data(data.train, make_sentences(3), Vectors(("a",), np.zeros((1, 3), np.float32)))
    with pytest.raises(InputError, match=r"had other dev data and other vectors$"):
        next(run.epochs(other, config, resume=True))


# Damaged


@pytest.fixture
def broken(make_sentences: Make, tiny: Config, tmp_path: Path) -> Callable[[], list[EpochReport]]:
    """Resumes a run of three epochs that broke after the second; its directory is `tmp_path`."""
    data, config = Data(make_sentences(20)), changed(tiny, epochs=3)
    broken_after(Run(tmp_path), data, config, 2)
    return lambda: list(Run(tmp_path).epochs(data, config, resume=True))


HISTORY, RESUME = ".training/network-1/history.jsonl", ".training/network-1/resume.safetensors"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("run.json", b'{"config": {"mod'),
        ("run.json", b"[1, 2]"),
        ("run.json", b'{"config": {"model": {}}, "data": {}, "finished": false}'),
        ("run.json", b'{"config": {"model": {}, "training": {}}, "data": "0123", "finished": false}'),
        ("run.json", b"\xff"),
        (HISTORY, b'{"epoch": 1, "lo\n'),
        (HISTORY, b'{"epoch": 1}\n{"epoch": 2}\n'),
        (HISTORY, b""),
        (RESUME, b"cut"),
        (RESUME, save({"weight.projection.bias": np.zeros(1)})),
        (RESUME, save({"progress": np.zeros(3)})),
        (RESUME, save({})),
    ],
    ids=str,
)
def test_a_damaged_run_is_one_line_that_names_the_file(
    tmp_path: Path, broken: Callable[[], list[EpochReport]], name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"{name}(:1)?: the run (to resume )?is damaged"):
        broken()


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors: tensors.pop("average.projection.bias"),
        lambda tensors: tensors.pop("progress"),
        lambda tensors: tensors.pop("steps"),
        lambda tensors: tensors.update({"weight.more": np.zeros(1)}),
        lambda tensors: tensors.update({"exp_avg.projection.bias": np.zeros(1)}),
        lambda tensors: tensors.update({"weight.projection.bias": np.zeros(1)}),  # would fit by broadcasting
        lambda tensors: [tensors.pop(name) for name in list(tensors) if name.startswith("exp_avg.")],
        lambda tensors: tensors.pop("step.projection.bias"),
        lambda tensors: tensors.update({"zzz.projection.bias": np.zeros(())}),
    ],
)
def test_another_networks_state_is_refused(
    tmp_path: Path, broken: Callable[[], list[EpochReport]], change: Callable[[dict[str, NDArray[np.float64]]], object]
) -> None:
    path = tmp_path / RESUME
    tensors = load_file(path)
    change(tensors)
    write_tensors(path, tensors, {})
    with pytest.raises(InputError, match="is damaged: expected the state of the same network"):
        broken()


def test_a_missing_history_is_no_missing_model(tmp_path: Path, broken: Callable[[], list[EpochReport]]) -> None:
    (tmp_path / HISTORY).unlink()
    with pytest.raises(InputError, match="expected a run, but this file is missing"):
        broken()


def test_a_half_written_last_report_is_dropped(tmp_path: Path, broken: Callable[[], list[EpochReport]]) -> None:
    with (tmp_path / HISTORY).open("a", encoding="utf-8") as file:
        file.write('{"epoch": 3, "lo')
    assert [report.epoch for report in broken()] == [3]
    assert [report["epoch"] for report in Run(tmp_path).history()] == [1, 2, 3]


def test_a_network_without_its_history_is_damaged(data: Data, tiny: Config, tmp_path: Path) -> None:
    broken_after(Run(tmp_path), data, several(tiny, 2), 4)
    (tmp_path / HISTORY).write_text("")
    with pytest.raises(InputError, match=r"network-1/history\.jsonl: the run is damaged: expected the reports"):
        list(Run(tmp_path).epochs(data, several(tiny, 2), resume=True))


def test_networks_of_other_words_make_no_model(data: Data, tiny: Config, tmp_path: Path) -> None:
    broken_after(Run(tmp_path), data, several(tiny, 2), 4)
    Model.build(data.train[:5], tiny.model).save(tmp_path / ".training" / "network-2")
    with pytest.raises(InputError, match="the run is damaged: expected networks for the same words"):
        list(Run(tmp_path).epochs(data, several(tiny, 2), resume=True))


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.8, 0.999])
def test_one_flipped_bit_in_the_state_of_a_run_is_refused(
    tmp_path: Path, broken: Callable[[], list[EpochReport]], share: float
) -> None:
    content = bytearray((tmp_path / RESUME).read_bytes())
    content[int(share * len(content))] ^= 4
    (tmp_path / RESUME).write_bytes(content)
    with pytest.raises(InputError, match=r"resume\.safetensors: the run is damaged"):
        broken()


def test_a_finished_run_whose_model_is_damaged_or_gone_is_not_resumed(
    make_sentences: Make, tiny: Config, tmp_path: Path
) -> None:
    data, config = Data(make_sentences(20)), changed(tiny, epochs=1)
    list(Run(tmp_path / "run").epochs(data, config))
    for name in ("config.json", "vocabulary.json", "network-1.safetensors", "frozen.safetensors", "history.jsonl"):
        for content in (b"cut", None):
            copy = Path(shutil.copytree(tmp_path / "run", tmp_path / "copy"))
            (copy / name).unlink()
            if content is not None:
                (copy / name).write_bytes(content)
            with pytest.raises(
                InputError, match=r"copy.*: (the .* is damaged|expected a .*, but this file is missing)"
            ):
                list(Run(copy).epochs(data, config, resume=True))
            shutil.rmtree(copy)


# Replaced


def test_a_model_is_not_overwritten_unless_asked(make_sentences: Make, tiny: Config, tmp_path: Path) -> None:
    data, config, run = Data(make_sentences(20)), changed(tiny, epochs=1), Run(tmp_path / "run")
    list(run.epochs(data, config))
    shutil.copytree(run.directory, tmp_path / "before")
    with pytest.raises(InputError, match="holds a model"):
        next(run.epochs(data, changed(config, seed=2)))
    assert same_networks(tmp_path / "before", run.directory)
    list(run.epochs(data, changed(config, seed=2), overwrite=True))
    assert not same_networks(tmp_path / "before", run.directory)


def test_the_old_model_stays_until_the_new_one_is_finished(data: Data, tiny: Config, trio: Run, tmp_path: Path) -> None:
    shutil.copytree(trio.directory, tmp_path / "run")
    run, config = Run(tmp_path / "run"), several(tiny, 2)
    with pytest.raises(InputError, match="this directory holds a model"):
        next(run.epochs(data, config))
    reports = cast("Reports", run.epochs(data, config, overwrite=True))
    assert [next(reports).epoch for _ in range(4)] == [1, 2, 1, 2]
    assert same_networks(run.directory, trio.directory)
    assert list(reports) == []
    assert len(Model.load(run.directory).networks) == 2


@pytest.mark.parametrize("networks", [1, 2])
def test_a_run_in_place_of_another_leaves_nothing_of_it(
    data: Data, tiny: Config, tmp_path: Path, networks: int
) -> None:
    run = Run(tmp_path)
    broken_after(run, data, several(tiny, 3), 5)
    for name in (SUMMARY, CURVES):
        (tmp_path / name).write_text("old")
    list(run.epochs(data, several(tiny, networks), overwrite=True))
    assert [report["network"] for report in run.history()] == [one for one in range(1, networks + 1) for _ in range(2)]
    files = {"config.json", "vocabulary.json", "frozen.safetensors", "history.jsonl", "run.json"}
    assert {path.name for path in tmp_path.iterdir()} == files | {
        f"network-{number}.safetensors" for number in range(1, networks + 1)
    }


def test_a_run_that_is_half_removed_is_not_a_finished_one(
    data: Data, tiny: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(tmp_path)
    list(run.epochs(data, several(tiny, 2)))
    (tmp_path / ".training").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr("ner_lstm_crf.runs.run.shutil.rmtree", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run.delete()
    assert not run.finished
    run.delete()
    assert not run.exists
    assert not (tmp_path / ".training").exists()


def test_nothing_is_lost_to_a_run_that_cannot_be_created(
    data: Data, tiny: Config, trio: Run, alone: list[Model], tmp_path: Path
) -> None:
    """Neither a run that was there before, nor the network of one that training is to start from."""
    shutil.copytree(trio.directory, tmp_path / "run")
    run = Run(tmp_path / "run")
    alone[0].save(run.directory / ".training" / "network-1")
    before = {path: path.read_bytes() for path in run.directory.rglob("*") if path.is_file()}
    nowhere = several(replace(tiny, model=replace(tiny.model, transformer=str(tmp_path / "nowhere"))), 2)
    with pytest.raises(InputError, match="nowhere"):
        list(run.epochs(data, nowhere, overwrite=True))
    for networks in (1, 2):
        again = Data(data.train, data.dev, vectors=None, init_from=run.directory / ".training" / "network-1")
        config = replace(several(tiny, networks), model=alone[0].config)
        with pytest.raises(InputError, match="expected another directory than that of the model to start from"):
            list(run.epochs(again, config, overwrite=True))
    assert all(path.read_bytes() == content for path, content in before.items())


def test_a_run_that_was_left_goes_on_in_the_same_process(make_sentences: Make, tiny: Config, tmp_path: Path) -> None:
    data, config = Data(make_sentences(20)), changed(tiny, epochs=3)
    left = Run(tmp_path / "left").epochs(data, config)
    for _ in left:
        break
    assert [report.epoch for report in Run(tmp_path / "left").epochs(data, config, resume=True)] == [2, 3]
    list(Run(tmp_path / "whole").epochs(data, config))
    before = {path: path.read_bytes() for path in (tmp_path / "left").iterdir()}
    with pytest.raises(InputError, match="another run has begun here and taken the place of this one"):
        next(left)
    assert {path: path.read_bytes() for path in (tmp_path / "left").iterdir()} == before
    assert same_networks(tmp_path / "left", tmp_path / "whole")


# Of several networks


def test_each_network_is_the_one_it_would_be_by_itself(trio: Run, alone: list[Model]) -> None:
    networks = Model.load(trio.directory).networks
    assert len(networks) == 3
    for network, model in zip(networks, alone, strict=True):
        expected = model.networks[0].state_dict()
        assert all(torch.equal(weight, expected[name]) for name, weight in network.state_dict().items())
    assert not torch.equal(networks[0].projection.weight, networks[1].projection.weight)


def test_the_temperature_of_all_networks_together_is_fitted_on_dev(
    trio: Run, alone: list[Model], data: Data, tiny: Config, tmp_path: Path
) -> None:
    model = Model.load(trio.directory)
    assert model.temperature == fitted_temperature(Model.ensemble(alone), data.dev) != 1
    single = Run(tmp_path / "single")
    list(single.epochs(replace(data, dev=[]), changed(tiny, epochs=1)))
    assert Model.load(single.directory).temperature == 1.0


def test_the_history_shows_what_each_network_adds(trio: Run, alone: list[Model], data: Data) -> None:
    reports = trio.history()
    assert [(report["network"], report["epoch"]) for report in reports] == list(product((1, 2, 3), (1, 2)))
    lasts = [report for report in reports if report["last"]]
    assert [report for report in reports if "ensemble_dev" in report] == lasts
    for number, report in enumerate(lasts, 1):
        ensemble = Model.ensemble(alone[:number])
        found = [list(sentence.spans) for sentence in Tagger(ensemble).tag_sentences(data.dev)]
        right = sum(span in gold.spans for spans, gold in zip(found, data.dev, strict=True) for span in spans)
        dev = report["ensemble_dev"]
        assert dev["predicted"] == sum(map(len, found))
        assert dev["precision"] == pytest.approx(right / max(1, dev["predicted"]))


def test_no_two_seeds_share_a_network(tiny: Config, tmp_path: Path) -> None:
    plans = plan_seeds(PlannedRun(several(tiny, 3, seed=0), tmp_path), 4)
    networks = [network for plan in plans for network in Run(plan.directory).networks(plan.config)]
    seeds = [network.config.training.seed for network in networks]
    assert len(set(seeds)) == 12
    assert seeds[3:6] == [1, 2, 3]  # of seed 1 those that single runs begin with
    assert all(network.config.training.ensemble_size == 1 for network in networks)


def test_networks_trained_side_by_side_are_the_same(data: Data, tiny: Config, tmp_path: Path) -> None:
    config = several(tiny, 2)
    for name, workers in (("alone", 1), ("together", 2)):
        plans = plan_seeds(PlannedRun(config, tmp_path / name), 2)
        reports = list(train_runs(resolve_defaults(data, config.model), plans, workers=workers))
        assert {(plan.directory.name, report.network) for plan, report in reports} == set(
            product(("seed-1", "seed-2"), (1, 2))
        )
    for seed in ("seed-1", "seed-2"):
        assert same_networks(tmp_path / "alone" / seed, tmp_path / "together" / seed)


def test_a_result_is_that_of_all_networks(trio: Run, data: Data, tiny: Config) -> None:
    result = RunResult.of(PlannedRun(several(tiny, 3), trio.directory), data.dev)
    assert result.test is not None
    assert result.dev_f1 == result.test.evaluation.micro.f1 == trio.history()[-1]["ensemble_dev"]["f1"]
    assert [len(history) for history in result.histories] == [2, 2, 2]
    figures = result.to_json()
    assert (figures["ensemble_size"], figures["epochs"], len(figures["best_epochs"])) == (3, 6, 3)
    assert result.seconds == pytest.approx(sum(report["seconds"] for report in trio.history()))


@pytest.mark.parametrize("head", ["crf", "softmax"])
def test_characters_with_a_lexicon_and_no_dev_set(tiny: Config, tmp_path: Path, head: HeadName) -> None:
    gold = [
        Sentence(tuple(Token(one, place, place + 1) for place, one in enumerate(text)), (Span(0, 2, "PER"),))
        for text in ("王明去巴黎", "李华在上海", "张伟来北京") * 6
    ]
    shape = replace(tiny.model, token_unit="character", head=head, bigram_size=4, lexicon_size=5)
    data = Data(gold, lexicon={"王明": "nr", "巴黎": "ns", "上海": "ns"}, vectors=None)
    list(Run(tmp_path).epochs(data, several(replace(tiny, model=shape), 2)))
    assert [report["dev"] for report in Run(tmp_path).history()] == [None] * 4
    model = Model.load(tmp_path)
    one, other = (network.embedding.tables["lexicon"].trainable for network in model.networks)
    assert not torch.equal(one, other)
    assert all(len(spans) <= 2 for spans in map(Tagger(model).tag_tokens, (sentence.words for sentence in gold[:3])))


def test_what_cannot_be_done_with_several_networks_is_refused(trio: Run, data: Data, tiny: Config) -> None:
    model = Model.load(trio.directory)
    with pytest.raises(InputError, match="expected a model of one network"):
        warm_start(model, data.train)
    with pytest.raises(InputError, match="expected a model of one network to train, got one of 3"):
        Trainer(model, model.encode(data.train, gold=True), None, tiny.training)
