"""Networks that are trained apart and joined: each as it is by itself, their model the mean of what they say."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise, product
from pathlib import Path

import pytest
import torch
from ner_lstm_crf.model.ensemble import Ensemble
from ner_lstm_crf.saving.checkpoint import load_model, save_model
from safetensors.torch import load_file

from ner_lstm_crf.config import Config, HeadName
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.batch import Batch
from ner_lstm_crf.features.vectors.vectors import Vectors
from ner_lstm_crf.model.network import Network
from ner_lstm_crf.runs.data import Data
from ner_lstm_crf.runs.processes import Job, network_jobs, run_jobs, seeded
from ner_lstm_crf.runs.results import RunResult
from ner_lstm_crf.runs.run import begin_run, members_of, train_run
from ner_lstm_crf.runs.run_files import read_history
from ner_lstm_crf.saving.model import Model, build_model
from ner_lstm_crf.saving.quantize import with_words
from ner_lstm_crf.tagging.tagger import Tagger
from ner_lstm_crf.text.annotation import Sentence, Span, Token
from ner_lstm_crf.training.trainer import Trainer
from ner_lstm_crf.training.warm_start import warm_start

Make = Callable[..., list[Sentence]]


def several(config: Config, members: int, **training: object) -> Config:
    """The configuration with so many members, and two epochs unless others are asked for."""
    training = {"epochs": 2, **training}
    return replace(config, training=replace(config.training, ensemble_size=members, **training))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    """Vectors that know more words than the training data."""
    words = ("met", "oslo", "unseen", "Quito")
    return Vectors(words, torch.randn(len(words), 12, generator=torch.Generator().manual_seed(0)).numpy())


@pytest.fixture(scope="module")
def data(make_sentences: Make, vectors: Vectors) -> Data:
    return Data(make_sentences(60), make_sentences(15, seed=1), vectors=vectors)


@pytest.fixture(scope="module")
def run(data: Data, tiny: Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a run of three networks."""
    directory = tmp_path_factory.mktemp("run") / "three"
    list(train_run(data, several(tiny, 3), directory))
    return directory


@pytest.fixture(scope="module")
def alone(data: Data, tiny: Config, tmp_path_factory: pytest.TempPathFactory) -> list[Model]:
    """The same three networks, each trained by itself."""
    folder = tmp_path_factory.mktemp("alone")
    for config, place in members_of(several(tiny, 3), folder):
        list(train_run(data, config, place))
    return [load_model(folder / f"member-{number}") for number in (1, 2, 3)]


@pytest.fixture(scope="module")
def untrained(data: Data, tiny: Config, vectors: Vectors) -> Model:
    """Three networks as they begin, which hardly ever agree."""
    ones = [build_model(data.train, tiny.model, vectors=vectors, seed=seed) for seed in (1, 2, 3)]
    return replace(ones[0], network=Ensemble([one.single for one in ones]).eval())


def collated(model: Model, sentences: list[Sentence]) -> Batch:
    return model.featurizer.collate([model.featurizer.encode(sentence.words) for sentence in sentences])


def test_each_network_is_the_one_it_would_be_by_itself(run: Path, alone: list[Model]) -> None:
    members = load_model(run).network.members
    assert len(members) == 3
    for member, other in zip(members, alone, strict=True):
        expected = other.network.state_dict()
        assert all(torch.equal(weight, expected[name]) for name, weight in member.state_dict().items())
    assert not torch.equal(members[0].projection.weight, members[1].projection.weight)


def test_a_path_has_the_mean_of_the_scores_that_the_members_give_it(untrained: Model, make_sentences: Make) -> None:
    """Over all paths: the best is found, and the marginals are those of the normalised geometric mean."""
    model, sentences = untrained, make_sentences(3, seed=3)
    batch = collated(model, [replace(sentence, tokens=sentence.tokens[:3], spans=()) for sentence in sentences])
    tags, marginals = model.network.decode(batch), model.network.marginals(batch)
    for row, length in enumerate(batch.lengths.tolist()):
        paths = list(product(range(len(model.featurizer.tags)), repeat=length))
        scores = torch.stack([_scores(member, batch, row, paths) for member in model.network.members]).mean(0)
        assert tuple(tags[row, :length].tolist()) == paths[int(scores.argmax())]
        shares = scores.softmax(0)
        for place in range(length):
            chosen = torch.tensor([path[place] for path in paths])
            expected = torch.zeros(len(model.featurizer.tags)).index_add(0, chosen, shares)
            torch.testing.assert_close(marginals[row, place], expected, atol=1e-4, rtol=1e-3)


def _scores(member: Network, batch: Batch, row: int, paths: list[tuple[int, ...]]) -> torch.Tensor:
    emissions = member.emissions(batch)[row]
    start, moves, end = member.head.scores()  # type: ignore[operator]
    return torch.stack(
        [
            start[path[0]]
            + sum(emissions[place, tag] for place, tag in enumerate(path))
            + sum(moves[old, new] for old, new in pairwise(path))
            + end[path[-1]]
            for path in paths
        ]
    )


def test_tags_are_those_of_the_networks_together(untrained: Model, make_sentences: Make) -> None:
    model = untrained
    tagger, sentences = Tagger(model), make_sentences(20, seed=6)
    expected = []
    for sentence in sentences:
        tags = [model.featurizer.tags[tag] for tag in model.network.decode(collated(model, [sentence]))[0]]
        expected.append(list(model.featurizer.scheme.decode(tags).spans))
    assert [list(found.spans) for found in tagger.tag_sentences(sentences)] == expected
    by_one = [Tagger(replace(model, network=member)) for member in model.network.members]
    assert all([one.tag_tokens(s.words) for s in sentences] != expected for one in by_one)


def test_a_model_holds_the_reserve_of_vectors_once(run: Path, alone: list[Model], tmp_path: Path) -> None:
    names = set(load_file(run / "model.safetensors"))
    assert {"members.0.embedding.word.reserve", "members.2.head.transitions"} <= names
    assert sum(name.endswith("reserve") for name in names) == 1
    description = json.loads((run / "config.json").read_text())
    assert (description["version"], description["members"]) == (5, 3)
    first, *others = load_model(run).network.members
    assert all(other.embedding.word.reserve is first.embedding.word.reserve for other in others)
    save_model(alone[0], tmp_path)
    single = json.loads((tmp_path / "config.json").read_text())
    assert (single["version"], "members" in single) == (2, False)


@pytest.mark.parametrize("compact", [False, True])
def test_a_model_is_what_it_was_after_saving(run: Path, make_sentences: Make, tmp_path: Path, *, compact: bool) -> None:
    model = load_model(run)
    save_model(model, tmp_path / "again", compact=compact)
    again, batch = load_model(tmp_path / "again"), collated(model, make_sentences(20, seed=5))
    torch.testing.assert_close(
        again.network.emissions(batch), model.network.emissions(batch), atol=0.1 if compact else 0.0, rtol=0.0
    )
    size, whole = ((folder / "model.safetensors").stat().st_size for folder in (tmp_path / "again", run))
    assert (size < 0.6 * whole) == compact


def test_the_history_says_what_each_network_adds(run: Path, alone: list[Model], data: Data) -> None:
    reports = read_history(run)
    assert [(report["epoch"], report["epochs"], report["best"]) for report in reports] == [
        (number, 3, True) for number in (1, 2, 3)
    ]
    for number, report in enumerate(reports, 1):
        together = replace(alone[0], network=Ensemble([one.single for one in alone[:number]]).eval())
        found = [list(sentence.spans) for sentence in Tagger(together).tag_sentences(data.dev)]
        right = sum(span in gold.spans for spans, gold in zip(found, data.dev, strict=True) for span in spans)
        assert report["dev"]["predicted"] == sum(map(len, found))
        assert report["dev"]["precision"] == pytest.approx(right / max(1, report["dev"]["predicted"]))


def test_the_models_of_single_networks_go_and_their_histories_stay(run: Path) -> None:
    for number in (1, 2, 3):
        assert sorted(path.name for path in (run / f"member-{number}").iterdir()) == ["history.jsonl", "run.json"]


def test_no_two_seeds_share_a_network(tiny: Config, tmp_path: Path) -> None:
    jobs = seeded(Job(several(tiny, 3, seed=0), tmp_path), 4)
    seeds = [job.config.training.seed for job in network_jobs(jobs)]
    assert len(set(seeds)) == 12
    assert seeds[3:6] == [1, 2, 3]  # of seed 1 those that single runs begin with
    assert all(job.config.training.ensemble_size == 1 for job in network_jobs(jobs))


@pytest.mark.parametrize("epochs", [1, 2, 3, 4])
def test_a_run_that_is_resumed_is_an_unbroken_run(data: Data, tiny: Config, tmp_path: Path, epochs: int) -> None:
    """Broken in the first network, between the two, in the second, and before they are joined."""
    config = several(tiny, 2)
    list(train_run(data, config, tmp_path / "whole"))
    reports = train_run(data, config, tmp_path / "broken")
    for _ in range(epochs):
        next(reports)
    reports.close()  # type: ignore[attr-defined]
    with pytest.raises(InputError, match=r"broken/member-1: this directory holds a model"):
        next(train_run(data, config, tmp_path / "broken"))
    with pytest.raises(InputError, match="the run to resume had ensemble_size = 2, this one has 3"):
        next(train_run(data, several(tiny, 3), tmp_path / "broken", resume=True))
    assert len(list(train_run(data, config, tmp_path / "broken", resume=True))) == 4 - epochs
    whole, broken = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "broken"))
    assert whole == broken
    assert list(train_run(data, config, tmp_path / "broken", resume=True)) == []


def test_networks_trained_side_by_side_are_the_same(data: Data, tiny: Config, tmp_path: Path) -> None:
    for name, workers in (("alone", 1), ("together", 2)):
        reports = list(run_jobs(data, seeded(Job(several(tiny, 2), tmp_path / name), 2), workers=workers))
        assert {str(job.directory.relative_to(tmp_path / name)) for job, _ in reports} == {
            f"seed-{seed}/member-{number}" for seed, number in product((1, 2), (1, 2))
        }
    for seed in (1, 2):
        one, other = (tmp_path / name / f"seed-{seed}" / "model.safetensors" for name in ("alone", "together"))
        assert one.read_bytes() == other.read_bytes()


def test_a_result_is_that_of_all_networks(run: Path, data: Data, tiny: Config) -> None:
    result = RunResult.of(Job(several(tiny, 3), run), data.dev)
    assert result.test is not None
    assert result.dev_f1 == result.test.evaluation.micro.f1 == read_history(run)[-1]["dev"]["f1"]
    assert {name: len(curve) for name, curve in result.curves.items()} == dict.fromkeys(
        ("member-1", "member-2", "member-3"), 2
    )
    figures = result.to_json()
    assert (figures["members"], figures["epochs"], figures["best_epoch"]) == (3, 6, None)
    assert result.seconds == pytest.approx(
        sum(report["seconds"] for curve in result.curves.values() for report in curve)
    )


def test_a_run_in_place_of_another_leaves_nothing_of_it(data: Data, tiny: Config, run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    with pytest.raises(InputError, match="this directory holds a model"):
        next(train_run(data, several(tiny, 2), tmp_path / "run"))
    list(train_run(data, several(tiny, 2), tmp_path / "run", overwrite=True))
    assert not (tmp_path / "run" / "member-3").exists()
    list(train_run(data, several(tiny, 1), tmp_path / "run", overwrite=True))
    assert not any(path.name.startswith("member") for path in (tmp_path / "run").iterdir())
    assert len(load_model(tmp_path / "run").network.members) == 1


def test_a_run_killed_as_it_began_goes_on(data: Data, tiny: Config, tmp_path: Path) -> None:
    config = several(tiny, 2)
    begin_run(data, config, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "member-2")
    assert len(list(train_run(data, config, tmp_path / "run", resume=True))) == 4
    assert len(load_model(tmp_path / "run").network.members) == 2


def test_models_left_by_a_kill_after_joining_go(data: Data, tiny: Config, run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    left = tmp_path / "run" / "member-2"
    save_model(load_model(run), left)
    (left / ".files.ready").mkdir()  # as a kill leaves them amid the last write
    (left / "model.safetensors").rename(left / ".files.ready" / "model.safetensors")
    (left / "model.safetensors").write_bytes(b"older")
    assert list(train_run(data, several(tiny, 3), tmp_path / "run", resume=True)) == []
    assert sorted(path.name for path in left.iterdir()) == ["history.jsonl", "run.json"]


def test_other_settings_do_not_resume_a_run_that_has_ended(data: Data, tiny: Config, run: Path) -> None:
    for config in (several(tiny, 3, epochs=3), several(tiny, 4)):
        with pytest.raises(InputError, match="the run to resume had "):
            list(run_jobs(data, [Job(config, run, resume=True)]))


def test_a_run_without_its_history_is_damaged(data: Data, tiny: Config, tmp_path: Path) -> None:
    reports = train_run(data, several(tiny, 2), tmp_path)
    for _ in range(4):
        next(reports)
    reports.close()  # type: ignore[attr-defined]
    (tmp_path / "member-1" / "history.jsonl").write_text("")
    with pytest.raises(InputError, match=r"member-1/history\.jsonl: the run is damaged: expected the reports"):
        list(train_run(data, several(tiny, 2), tmp_path, resume=True))


def test_nothing_is_lost_to_a_run_that_cannot_begin(data: Data, tiny: Config, run: Path, tmp_path: Path) -> None:
    """Neither a run that was there before, nor the network of one that training is to start from."""
    shutil.copytree(run, tmp_path / "run")
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    nowhere = several(replace(tiny, model=replace(tiny.model, transformer=str(tmp_path / "nowhere"))), 2)
    with pytest.raises(InputError, match="nowhere"):
        list(train_run(data, nowhere, tmp_path / "run", overwrite=True))
    base = tmp_path / "run" / "member-1"
    for members in (1, 2):
        again = replace(data, vectors=None, initial=base)
        save_model(replace(load_model(run), network=load_model(run).network.members[0]), base)
        with pytest.raises(InputError, match="expected another directory than that of the model to start from"):
            list(train_run(again, several(tiny, members), tmp_path / "run", overwrite=True))
    assert all(path.read_bytes() == content for path, content in before.items())


def test_folders_that_only_look_like_networks_are_left_alone(data: Data, tiny: Config, tmp_path: Path) -> None:
    other = tmp_path / "member-2"
    list(train_run(data, several(tiny, 1, epochs=1), other))
    list(train_run(data, several(tiny, 1, epochs=1), tmp_path))
    list(train_run(data, several(tiny, 1, epochs=1), tmp_path, overwrite=True))
    assert load_model(other).config == load_model(tmp_path).config


@pytest.mark.parametrize("head", ["crf", "softmax"])
def test_characters_with_a_lexicon_and_no_dev_set(tiny: Config, tmp_path: Path, head: HeadName) -> None:
    gold = [
        Sentence(tuple(Token(one, place, place + 1) for place, one in enumerate(text)), (Span(0, 2, "PER"),))
        for text in ("王明去巴黎", "李华在上海", "张伟来北京") * 6
    ]
    model = replace(tiny.model, token_unit="character", head=head, bigram_size=4, lexicon_size=5)
    data = Data(gold, lexicon={"王明": "nr", "巴黎": "ns", "上海": "ns"}, vectors=None)
    list(train_run(data, several(replace(tiny, model=model), 2), tmp_path))
    assert [report["dev"] for report in read_history(tmp_path)] == [None, None]
    model = load_model(tmp_path)
    one, other = (member.embedding for member in model.network.members)
    assert one.lexicon is not None
    assert other.lexicon is not None
    assert not torch.equal(one.lexicon.table.trained, other.lexicon.table.trained)
    tagger = Tagger(model)
    for sentence in gold[:3]:
        tags = [model.featurizer.tags[tag] for tag in model.network.decode(collated(model, [sentence]))[0]]
        assert tagger.tag_tokens(sentence.words) == list(model.featurizer.scheme.decode(tags).spans)


def test_what_cannot_be_done_with_several_networks_is_refused(run: Path, data: Data, tiny: Config) -> None:
    model = load_model(run)
    gold = [model.featurizer.encode_gold(sentence) for sentence in data.train]
    for refused in (
        lambda: warm_start(model, data.train),
        lambda: with_words(model, {"met"}),
        lambda: Trainer(model, gold, None, tiny.training),
    ):
        with pytest.raises(InputError, match="expected a model of one network, got one of 3 that were joined"):
            refused()
    trained = replace(tiny, model=replace(tiny.model, transformer="somewhere", fine_tune=True))
    with pytest.raises(InputError, match="ensemble_size: expected 1 where a transformer is fine-tuned, got 2"):
        several(trained, 2)
    with pytest.raises(InputError, match="ensemble_size: expected a whole number of at least 1, got 0"):
        several(tiny, 0)


def test_networks_of_other_words_are_no_ensemble(data: Data, tiny: Config) -> None:
    one, other = (build_model(part, tiny.model, vectors=data.vectors).network for part in (data.train, data.train[:5]))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected networks with the same words and reserve"):
        Ensemble([one, other])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="expected at least one network"):
        Ensemble([])


@pytest.mark.parametrize("members", [0, "three", 4])
def test_a_model_that_lacks_a_network_is_refused(run: Path, tmp_path: Path, members: object) -> None:
    from ner_lstm_crf.saving import checkpoint

    shutil.copytree(run, tmp_path / "model")
    path = tmp_path / "model" / "config.json"
    text = json.dumps(json.loads(path.read_text()) | {"members": members})
    path.write_text(text)
    tensors = load_file(run / "model.safetensors")
    digest = checkpoint._digest(text, (run / "vocabulary.json").read_text(), tensors)
    checkpoint.write_together(
        tmp_path / "model", {"model.safetensors": lambda new: checkpoint.save_tensors(new, tensors, {"digest": digest})}
    )
    with pytest.raises(InputError, match=r"expected the number of its networks|found none at 'members\.3\.'"):
        load_model(tmp_path / "model")
