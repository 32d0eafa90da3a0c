"""Training in one call: what it writes, what it shows, and what is wrong with how it was called."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ner_lstm_crf import Config, Data, InputError, Run, Sentence, Span, Tagger, preset, read_config, train
from tests.made import same_networks

Make = Callable[..., list[Sentence]]
SMALL: dict[str, Any] = {"hidden_size": 8, "word_size": 8, "char_filters": 4, "epochs": 2, "adversarial_epsilon": 0.0}


@pytest.fixture(scope="module")
def data(make_sentences: Make) -> Data:
    return Data(make_sentences(40), make_sentences(8, seed=1))


def test_one_call_trains_and_writes_what_the_command_line_writes(
    data: Data, make_sentences: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    test = make_sentences(5, seed=2)
    tagger = train(data, "fast", tmp_path / "my-model", test=iter(test), seed=2, **SMALL)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert re.findall(r"epoch \d/\d", shown.err) == ["epoch 1/2", "epoch 2/2"]
    assert "my-model: the model of epoch" in shown.err.splitlines()[-1]
    # 1. The tagger is that of the same run, epoch by epoch.
    config = preset("fast").replace(seed=2, **SMALL)
    assert [report.epoch for report in Run(tmp_path / "run").epochs(data, config)] == [1, 2]
    assert same_networks(tmp_path / "my-model", tmp_path / "run")
    assert list(tagger.tag_sentences(test)) == list(Tagger.load(tmp_path / "my-model").tag_sentences(test))
    # 2. The figures and the card.
    summary = json.loads((tmp_path / "my-model" / "summary.json").read_text())
    assert summary["runs"][0]["test"]["f1"] == tagger.evaluate(test).micro.f1
    assert {path.name for path in (tmp_path / "my-model").iterdir()} >= {"curve.png", "history.jsonl", "README.md"}


def test_the_card_says_what_the_model_is(data: Data, make_sentences: Make, tmp_path: Path) -> None:
    test = [sentence.with_spans([Span(0, 1, "A|B")]) for sentence in make_sentences(3)]
    train(data, "small", tmp_path / "m", test=test, progress=False, **SMALL)
    card = (tmp_path / "m" / "README.md").read_text()
    assert "Finds LOC, PER in text, whose tokens are words." in card
    tokens = sum(map(len, data.train))
    entities = [sum(span.label == label for one in data.train for span in one.spans) for label in ("LOC", "PER")]
    assert f"| train | 40 | {tokens} | 0 | {entities[0]} | {entities[1]} |" in card
    assert "| A&#124;B | 0.0000 | 0.0000 | 0.0000 | 3 |" in card
    assert "TODO: the licence of this model" in card
    # Its settings make the same configuration.
    (toml,) = re.findall(r"```toml\n(.*?)```", card, re.DOTALL)
    (tmp_path / "card.toml").write_text(toml)
    expected, training = preset("small").replace(**SMALL), Config().training
    least = {"min_epochs": training.min_epochs, "min_steps": training.min_steps}  # which do not count beside epochs
    assert read_config(tmp_path / "card.toml") == replace(expected, training=replace(expected.training, **least))
    # A card that somebody has made their own stays, and another one goes with its model.
    train(data, "small", tmp_path / "m", overwrite=True, progress=False, **SMALL)
    assert "A&#124;B" not in (tmp_path / "m" / "README.md").read_text()
    (tmp_path / "m" / "README.md").write_text("mine")
    train(data, "small", tmp_path / "m", overwrite=True, progress=False, **SMALL)
    assert (tmp_path / "m" / "README.md").read_text() == "mine"


def test_nothing_is_shown_where_nothing_is_asked_for(
    data: Data, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    train(data, "small", tmp_path / "quiet", progress=False, **SMALL)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr("sys.stderr", None)  # a program without a console
    train(data, "small", tmp_path / "none", **SMALL)


def test_a_call_that_was_interrupted_goes_on(data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = preset("small").replace(**SMALL)
    for _ in Run(tmp_path / "m").epochs(data, config):
        break
    train(data, config, tmp_path / "m", resume=True, progress=False)
    train(data, config, tmp_path / "whole", progress=False)
    assert same_networks(tmp_path / "m", tmp_path / "whole")
    with pytest.raises(InputError, match=r"this directory holds a model: .*overwrite=True.*resume=True"):
        train(data, config, tmp_path / "m")
    with pytest.raises(InputError, match="expected a run to resume, found none"):
        train(data, config, tmp_path / "other", resume=True)
    with pytest.raises(ValueError, match="expected resume or overwrite, got both"):
        train(data, config, tmp_path / "m", resume=True, overwrite=True)


def test_a_preset_suits_the_data(tmp_path: Path, make_sentences: Make) -> None:
    chinese = [Sentence.from_words(list("王明在巴黎。"), [Span(0, 2, "PER"), Span(3, 5, "LOC")])] * 12
    data = Data(chinese, vectors=None, lexicon=None)
    tagger = train(data, "fast", tmp_path / "zh", progress=False, **SMALL)
    assert tagger.model.config.token_unit == "character"
    started = Data(make_sentences(12), init_from=tmp_path / "en")
    train(Data(make_sentences(12)), "fast", tmp_path / "en", progress=False, **SMALL)
    tagger = train(started, "fast", tmp_path / "more", progress=False, epochs=1)
    assert tagger.model.config.hidden_size == 8
    with pytest.raises(InputError, match="expected the model to start from as it is, without hidden_size"):
        train(started, "fast", tmp_path / "other", hidden_size=9)


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"epoch": 2}, TypeError, "there is no setting 'epoch', did you mean epochs"),
        ({"epochs": 0}, InputError, r"epochs: expected a whole number of at least 1.*, got 0"),
        ({"char_widths": "3"}, InputError, r"char_widths: expected whole numbers of at least 1.*, got .3."),
        ({"epochs": 2, "min_steps": 9}, InputError, "min_steps: expected none beside epochs"),
        ({"config": "fsat"}, InputError, "expected a preset, one of .*, got 'fsat', did you mean fast"),
        ({"config": None}, TypeError, "expected the name of a preset or a Config, got NoneType"),
        ({"config": {"epochs": 3}}, TypeError, "expected the name of a preset or a Config, got dict"),
        ({"config": Path("a.toml")}, TypeError, "preset or a Config, got PosixPath: read_config reads a file"),
        ({"data": "train.conll"}, TypeError, r"expected Data, got str: Data.read\('train.conll'\) reads files"),
        ({"data": []}, TypeError, r"expected Data, got list: Data\(sentences\)"),
        ({"directory": None}, TypeError, "expected the path of a file or folder, got NoneType"),
        ({"test": "test.conll"}, TypeError, "expected sentences as test, got str: read_sentences reads a file"),
    ],
    ids=str,
)
def test_a_wrong_call_is_one_clear_line(
    data: Data, tmp_path: Path, change: dict[str, Any], error: type[Exception], said: str
) -> None:
    arguments: dict[str, Any] = {"data": data, "config": "fast", "directory": tmp_path / "m"}
    with pytest.raises(error, match=said):
        train(**arguments | change)
    assert not (tmp_path / "m").exists()


def test_epochs_take_data_and_a_configuration(data: Data, tmp_path: Path) -> None:
    for given, config in (("train.conll", preset("fast")), (data, "fast")):
        with pytest.raises(
            TypeError, match=r"expected Data and a Config, got \w+ and \w+: Data.read, preset\('fast'\)"
        ):
            next(iter(Run(tmp_path).epochs(given, config)))  # type: ignore[arg-type]
    assert repr(Run("my-model")) == "Run('my-model')"


def test_what_has_no_effect_is_told_before_the_training(
    data: Data, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = preset("small").replace(**SMALL, momentum=0.5, patience=3)
    train(Data(data.train), config, tmp_path / "m", progress=False)
    assert caplog.messages == [
        "momentum has no effect without the optimizer sgd",
        "patience has no effect without entities in dev: nothing tells epochs apart",
    ]
    caplog.clear()
    train(Data(data.train, data.train), "small", tmp_path / "n", progress=False, **SMALL)
    assert caplog.messages == ["dev: these are the training sentences, so their F1 says nothing about other text"]
    with pytest.raises(InputError, match="freeze_vectors: expected vectors as well"):
        train(data, "small", tmp_path / "o", freeze_vectors=True)


def test_what_will_go_wrong_with_the_data_is_told_as_for_files(
    make_sentences: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rare = Sentence.from_tags(["Odin", "saw", "the", "sea"], ["B-GOD", "O", "O", "O"])
    train(Data([*make_sentences(20), rare]), "small", tmp_path / "m", test=[rare] * 3, progress=False, **SMALL)
    assert "train: labels of fewer than 5 entities, too few to learn from: GOD 1" in caplog.messages
    assert [line for line in caplog.messages if "3 of 3 sentences (100%) of more than 3 tokens in test" in line]


def test_a_model_to_start_from_keeps_its_labels(
    data: Data, make_sentences: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train(data, "small", tmp_path / "old", progress=False, **SMALL)
    gods = [Sentence.from_tags(["Odin", "saw", "Anna"], ["B-GOD", "O", "B-PER"])] * 12
    tagger = train(Data(gods, init_from=tmp_path / "old"), "small", tmp_path / "new", progress=False, epochs=1)
    assert tagger.labels == ("GOD", "LOC", "PER")
    assert caplog.messages[0].startswith("no example of LOC in the training data: the model to start from knows such")
