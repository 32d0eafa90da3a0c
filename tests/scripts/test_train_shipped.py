"""scripts/train_shipped.py: from corpora to a tagger with its card, on made corpora within seconds."""

from __future__ import annotations

import random
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

import train_shipped
from ner_lstm_crf.config import Config, ModelConfig, TrainingConfig
from ner_lstm_crf.tagging.tagger import Tagger
from ner_lstm_crf.text.annotation import Sentence, Span
from shipping import corpora as shipping
from shipping.cut import words_of
from shipping.dictionary import dictionary
from tests.encoders import write_encoder
from train_shipped import _labelled

TINY = Config(
    model=ModelConfig(word_size=10, char_size=6, char_filters=8, casing_size=3, hidden_size=10, input_dropout=0.1),
    training=TrainingConfig(epochs=6, min_steps=0, batch_size=8, learning_rate=0.02),
)
PEOPLE, PLACES = ("Ada", "Ines", "Milo", "Tom"), ("Quito", "Oslo", "Graz", "Ely")
VECTORS = ("met", "oslo", "quito", "graz", "unseen", "rare")


def columns(count: int, seed: int, person: str = "PER", place: str = "LOC") -> str:
    draw = random.Random(seed)
    return "".join(
        f"{draw.choice(PEOPLE)}\tB-{person}\nmet\tO\n{draw.choice(PLACES)}\tB-{place}\nsong{number}\tB-MISC\n\n"
        for number in range(count)
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with three corpora, one without dev, one that is not trained on, and vectors."""
    for name, file, text in (
        ("one", "train.conll", columns(40, 1)),
        ("one", "dev.conll", columns(10, 2)),
        ("one", "test.conll", columns(10, 3)),
        ("two", "all.conll", columns(30, 4, "person", "location")),
        ("held", "test.conll", columns(10, 5)),
    ):
        path = tmp_path / "corpora" / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "vectors").mkdir()
    draw = random.Random(0)
    rows = [" ".join([word, *(f"{draw.gauss(0, 1):.3f}" for _ in range(10))]) for word in VECTORS]
    (tmp_path / "vectors" / "made.txt").write_text("\n".join(rows) + "\n")
    return tmp_path


@pytest.fixture
def language(monkeypatch: pytest.MonkeyPatch):
    """English made from those corpora."""
    labels = shipping.LabelMap.parse("PER,LOC,ORG", ["person=PER,location=LOC"])
    made = replace(
        shipping.LANGUAGES["en"],
        corpora=(
            shipping.Corpus("one", "CC0", "nobody", ["train.conll"], ["dev.conll"], "test.conll"),
            shipping.Corpus("two", "CC0", "nobody else", ["all.conll"], labels=labels),
            shipping.Corpus("held", "CC BY-SA 4.0", "somebody", test="test.conll"),
        ),
        words=1,
        vectors="made.txt",
    )
    monkeypatch.setitem(train_shipped.LANGUAGES, "en", made)
    monkeypatch.setattr(train_shipped, "SETTINGS", {"en": TINY})
    return made


def make(data: Path, monkeypatch: pytest.MonkeyPatch, *more: str) -> Path:
    folders = ["--data", str(data), "--runs", str(data / "runs"), "--output", str(data / "out")]
    monkeypatch.setattr(sys, "argv", ["train_shipped.py", "en", *folders, *more])
    train_shipped.main()
    return data / "out"


def test_it_writes_a_tagger_and_its_card(language, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = make(data, monkeypatch, "--seed", "3")
    assert {path.name for path in directory.iterdir()} == {
        "config.json", "vocabulary.json", "network-1.safetensors", "frozen.safetensors", "README.md",
    }  # fmt: skip
    tagger = Tagger.load(directory)
    assert tagger.labels == ("LOC", "PER")
    found = [tuple(span) for span in tagger.tag_tokens(["Milo", "met", "Graz", "again"])]
    assert found == [(0, 1, "PER"), (2, 3, "LOC")]
    words = words_of(tagger.model).vocabulary.symbols
    assert "unseen" in words  # the first of the frozen rows
    assert "rare" not in words  # these are cut
    card = (directory / "README.md").read_text()
    rows = [line.split(" | ")[:2] for line in card.splitlines() if line.startswith(("| one |", "| held"))]
    assert rows[:4] == [["| one", "yes"], ["| held", "no"], ["| held, lower case", "no"], ["| held, capitals", "no"]]
    assert "| two | CC0 | nobody else | training |" in card
    assert "python scripts/train_shipped.py en --seed 3\n" in card
    assert str(data) not in card


def test_it_goes_on_where_it_was_and_makes_the_same_again(
    language, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make(data, monkeypatch)
    weights = (first / "network-1.safetensors").read_bytes()
    make(data, monkeypatch)  # the run has ended: only what comes after is done again
    assert (first / "network-1.safetensors").read_bytes() == weights
    history = (data / "runs" / "en-seed-1" / "history.jsonl").read_text().splitlines()
    assert len(history) == TINY.training.epochs


def test_a_teacher_with_an_encoder_labels_running_text(
    language, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_shipped, "ENCODER_DEPTH", 1)
    monkeypatch.setattr(train_shipped, "LEAST_SURE", 0.0)
    tiny = replace(TINY, model=replace(TINY.model, transformer_layers=1))
    monkeypatch.setattr(train_shipped, "SETTINGS", {"en": tiny})
    encoder, text = write_encoder(tmp_path / "encoder", 1), tmp_path / "text.txt"
    text.write_text("Ada met Quito song1\nMilo met Graz song2\nTom met Ely song3\n", encoding="utf-8")
    learnt = list[Sentence]()
    monkeypatch.setattr(
        train_shipped, "_labelled", lambda *given: learnt.extend(labelled := _labelled(*given)) or labelled
    )
    directory = make(data, monkeypatch, "--encoder", str(encoder), "--unlabelled", str(text))
    assert [one.words for one in learnt] == [line.split() for line in text.read_text().splitlines()]
    assert sum(len(one.spans) for one in learnt) > 2
    teacher, tagger = Tagger.load(data / "runs" / "en-seed-1-teacher"), Tagger.load(directory)
    assert "transformer" in teacher.model.features
    assert "transformer" not in tagger.model.features
    card = (directory / "README.md").read_text()
    assert "python scripts/train_shipped.py en --seed 1 --encoder encoder --unlabelled text.txt\n" in card
    assert "which a teacher has labelled" in card


def test_a_sentence_of_which_the_teacher_is_not_sure_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    named, bare = Sentence.from_words(["Ada"], [Span(0, 1, "PER")]), Sentence.from_words(["Oslo"])
    found = [replace(named, scores=(0.4,)), replace(named, scores=(0.6,)), bare]
    monkeypatch.setattr(train_shipped, "Tagger", lambda _: SimpleNamespace(tag_sentences=lambda _: iter(found)))
    assert _labelled(None, [named, named, bare]) == found[1:]  # type: ignore[arg-type]


def test_a_trial_reads_no_test_set(language, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (data / "corpora").glob("*/test.conll"):
        path.unlink()
    card = (make(data, monkeypatch, "--trial", "2") / "README.md").read_text()
    assert "A trial of 2 epochs" in card
    assert "--seed 1 --trial 2\n" in card
    assert len((data / "runs" / "en-seed-1-trial" / "history.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize("language", ["en", "zh"])
def test_data_that_are_not_there_are_named(
    language: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = tmp_path / "runs"
    monkeypatch.setattr(sys, "argv", ["train_shipped.py", language, "--data", str(tmp_path), "--runs", str(runs)])
    with pytest.raises(SystemExit, match="2"):
        train_shipped.main()
    first = shipping.LANGUAGES[language].corpora[0]
    assert f"error: {tmp_path / 'corpora' / first.name / 'train.iob2'}: no such file" in capsys.readouterr().err
    assert not runs.exists()


@pytest.mark.parametrize(
    ("option", "value", "least"),
    [("--trial", "0", 1), ("--trial", "-1", 1), ("--threads", "0", 1), ("--seed", "-1", 0)],
)
def test_numbers_out_of_range_are_refused(
    option: str, value: str, least: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["train_shipped.py", "en", option, value])
    with pytest.raises(SystemExit, match="2"):
        train_shipped.main()
    complaint = f"argument {option}: expected a whole number of at least {least}, got '{value}'"
    assert complaint in capsys.readouterr().err


def test_labels_dev_sentences_and_variants(language, data: Path) -> None:
    found = train_shipped._data(language, data)
    assert len(found.dev) == 10 + 3  # a tenth of the corpus without dev
    assert len(found.train) == 40 + 27 + 28  # four in ten once more, all have spans
    assert {span.label for sentence in (*found.train, *found.dev) for span in sentence.spans} == {"PER", "LOC"}
    held = language.corpora[-1].read(data / "corpora", ["test.conll"], "word")
    assert len(held) == 10


@pytest.mark.real
@pytest.mark.parametrize("name", ["en", "zh"])
def test_the_real_corpora_are_read_as_their_notes_say(corpora: Path, name: str) -> None:
    """The training data have the three labels alone, and the last corpus is held back."""
    language = shipping.LANGUAGES[name]
    held = language.corpora[-1]
    assert not held.train
    assert not held.dev
    assert held.test
    parts = [corpus.training_data(corpora, language.token_unit) for corpus in language.corpora]
    train = [sentence for part, _ in parts for sentence in part]
    assert {span.label for sentence in train for span in sentence.spans} == {"PER", "LOC", "ORG"}
    if language.token_unit == "character":
        assert all(len(word) == 1 for sentence in train for word in sentence.words)


def test_the_chinese_tagger_looks_for_names_and_frequent_words() -> None:
    words = shipping.LANGUAGES["zh"].lexicon()
    assert {word: words[word] for word in ("毛泽东", "湖南", "国务院", "出生")} == {
        "毛泽东": "nr",
        "湖南": "ns",
        "国务院": "nt",
        "出生": "v",
    }
    counts = {entry.word: entry.occurrences for entry in dictionary()}
    assert (counts["一世之雄"] < 50, "一世之雄" in words) == (True, False)
    assert (counts["阿什哈巴德"] < 50, "阿什哈巴德" in words) == (True, True)
    assert len(words) < 0.5 * len(counts)
    assert shipping.LANGUAGES["en"].lexicon is None


def test_a_lexicon_is_trained_with_and_saved(language, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    characters = replace(
        language, token_unit="character", lexicon=lambda: {"Oslo": "ns", "nowhere": ""}, vectors="", words=5
    )
    monkeypatch.setitem(train_shipped.LANGUAGES, "en", characters)
    lexicon = Tagger.load(make(data, monkeypatch)).model.features["lexicon"]
    assert set(lexicon.words) == {"Oslo", "nowhere"}


def test_the_settings_at_the_top_are_those_of_the_training() -> None:
    for name, language in shipping.LANGUAGES.items():
        config = train_shipped._config(SimpleNamespace(language=name, seed=4, trial=None), language)
        assert config.training == replace(train_shipped.SETTINGS[name].training, seed=4)
        assert config.model == replace(
            train_shipped.SETTINGS[name].model, token_unit=language.token_unit, hyphens="split"
        )


def test_the_temperature_is_set_without_training(
    data: Path, language: shipping.Language, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = make(data, monkeypatch)
    weights, card = (out / "network-1.safetensors").read_bytes(), (out / "README.md").read_text()
    fitted = Tagger.load(out).model
    assert fitted.temperature != 1
    replace(fitted, temperature=1.0).save(out, quantize=True)
    make(data, monkeypatch, "--temperature")
    assert Tagger.load(out).model.temperature == fitted.temperature
    assert (out / "network-1.safetensors").read_bytes() == weights
    assert (out / "README.md").read_text() == card
    assert "The temperature of its probabilities was fitted on the dev sentences" in card
