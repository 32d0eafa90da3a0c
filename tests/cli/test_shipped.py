"""Taggers by name on the command line: `tag` without a model, `train --init-from`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ner_lstm_crf.cli import tag
from ner_lstm_crf.config import preset
from ner_lstm_crf.saving import model as saving
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.tagging import script_tagger
from tests.cli.conftest import ZH, Files, Run, call, column_text, equal_weights

ENGLISH = "Ada Brandt met Port Alba today."
CHINESE = "王小明去北京。"
ROWS = "0\t10\tPER\tAda Brandt\n15\t24\tLOC\tPort Alba\n"
COLUMNS = "Milo O\nsaw O\nOslo O\n. O\n\n"
CHARACTERS = "".join(f"{char} O\n" for char in CHINESE) + "\n"
CHOSEN = "the tagger that comes with the package for '{}' (by the script of the text; --model names another)\n"


@pytest.fixture(scope="session")
def taggers(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two taggers: `en` knows the made corpus, `zh` the one Chinese sentence."""
    folder = tmp_path_factory.mktemp("shipped")
    shutil.copytree(model, folder / "en")
    tags = ["B-PER", "I-PER", "I-PER", "O", "B-LOC", "I-LOC", "O"]
    train = folder / "train.conll"
    train.write_text("".join(f"{char}\t{tag}\n" for char, tag in zip(CHINESE, tags, strict=True)) + "\n" * 2)
    train.write_text(train.read_text() * 20)
    small = folder / "small.toml"
    small.write_text("[model]\nhidden_size = 12\nword_size = 8\ninput_dropout = 0.1\noutput_dropout = 0.0\n")
    arguments = ["train", "--train", train, "--dev", train, "--config", small, "--preset", "small", "--epochs", 15]
    characters = ["--token-unit", "character", "--lexicon", "none", "--vectors", "none"]
    assert call([*arguments, *characters, "--threads", 1, "--output", folder / "zh"]).code == 0
    return folder


@pytest.fixture
def here(taggers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, where the two taggers are the shipped ones."""
    monkeypatch.setattr(saving, "_SHIPPED_FOLDER", taggers)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("text", "name", "rows"), [(ENGLISH, "en", ROWS), (CHINESE, "zh", "0\t3\tPER\t王小明\n")])
def test_the_script_of_a_text_chooses_the_tagger(here: Path, text: str, name: str, rows: str, run: Run) -> None:
    result = run("tag", text)
    assert (result.code, result.err) == (0, CHOSEN.format(name))
    assert result.out.startswith(rows)
    named = run("tag", "--model", name, text)
    assert (named.code, named.out, named.err) == (0, result.out, "")


@pytest.mark.parametrize(
    ("language", "name", "content"),
    [
        ("en", "in.txt", f"\n  \n{ENGLISH}\n\n"),
        ("en", "in.jsonl", f'{{"text": ""}}\n{{"text": "{ENGLISH}"}}\n'),
        ("en", "in.conll", COLUMNS * 20 + CHARACTERS * 20),
        ("zh", "in.txt", f"{CHINESE}\n\n12\n"),
        ("zh", "in.jsonl", f'{{"text": "{CHINESE}"}}\n{{"text": ""}}\n'),
        ("zh", "in.conll", CHARACTERS),
    ],
)
@pytest.mark.parametrize("piped", [False, True])
def test_the_script_of_a_file_or_pipe_chooses(
    here: Path, language: str, name: str, content: str, piped: bool, run: Run
) -> None:
    form = {"in.txt": "text", "in.jsonl": "jsonl", "in.conll": "conll"}[name]
    Path(name).write_text(content, encoding="utf-8")
    source = ["--input", "-", "--input-format", form] if piped else ["--input", name]
    result = run("tag", *source, stdin=content.encode())
    assert (result.code, result.err) == (0, CHOSEN.format(language))
    assert result.out == run("tag", "--model", language, *source, stdin=content.encode()).out != ""
    if form == "jsonl":  # what was looked at is tagged too
        texts = [[json.loads(line)["text"] for line in lines.splitlines()] for lines in (result.out, content)]
        assert texts[0] == texts[1]


@pytest.mark.parametrize("form", ["text", "jsonl", "conll"])
@pytest.mark.parametrize("most_texts", [1, 3, 1000])
def test_each_text_goes_to_the_tagger_of_its_script(
    here: Path, form: str, most_texts: int, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script_tagger, "_MOST_TEXTS", most_texts)
    texts = [ENGLISH, "", CHINESE, CHINESE, f"{ENGLISH} {ENGLISH}", "12", CHINESE, ENGLISH]
    result = run("tag", "--output-format", form, *texts)
    assert result.err == CHOSEN.format("en") + CHOSEN.format("zh")
    alone = [
        run("tag", "--model", "zh" if text == CHINESE else "en", "--output-format", form, text).out for text in texts
    ]
    if form == "text":
        alone = ["".join(f"{number}\t{row}\n" for row in rows.splitlines()) for number, rows in enumerate(alone, 1)]
    found = result.out
    if form == "conll":
        found = found.replace("-DOCSTART-\tO\n\n", "")
        alone = [rows.replace("-DOCSTART-\tO\n\n", "") for rows in alone]
    assert found == "".join(alone)
    Path("in.txt").write_text("\n".join(texts), encoding="utf-8")
    assert run("tag", "--output-format", form, "--input", "in.txt").out == result.out


def test_a_script_that_no_tagger_knows_is_said_once(here: Path, run: Run) -> None:
    result = run(
        "tag", "Она живёт в Перми.", ENGLISH, "Он живёт в Уфе.", "서울에서 만나요.", "東京タワーへ行きました。"
    )
    said = [line for line in result.err.splitlines() if "was trained on" in line]
    assert [line.partition("trained on ")[2].split()[0] for line in said] == ["Cyrillic", "Hangul", "Japanese"]
    assert run("tag", "--model", "en", "Она живёт в Перми.").err == ""


@pytest.mark.parametrize("form", ["text", "jsonl", "conll", "inline", "colours", "html"])
def test_a_long_line_is_tagged_in_pieces(here: Path, form: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tag, "_LONGEST_PIECE", 50)
    lines = [ENGLISH, f"{ENGLISH} " * 40, "", CHINESE * 30, ENGLISH, "x" * 50, "y" * 49]
    Path("in.txt").write_text("\n".join(lines), encoding="utf-8")
    result = run("tag", "--input", "in.txt", "--output-format", form)
    assert result.code == 0
    assert result.out == run("tag", "--output-format", form, *lines).out


def test_nothing_at_all_is_no_mistake(here: Path, run: Run) -> None:
    assert (run("tag", "").code, run("tag", "").out) == (0, "")
    assert (run("tag", "--input", "-").code, run("tag", "--input", "-").out) == (0, "")


def test_a_name_that_is_neither_names_both_possibilities(here: Path, run: Run) -> None:
    for command in (["tag", "--model", "de", ENGLISH], ["evaluate", "de", "file.conll"]):
        complaint = run(*command).complaint
        assert "de: expected the directory of a model, or 'en' or 'zh': found no such directory" in complaint


def test_a_directory_of_that_name_is_reached_by_its_path(here: Path, taggers: Path, run: Run) -> None:
    shutil.copytree(taggers / "zh", here / "en")
    assert run("tag", "--model", "en", ENGLISH).out == ROWS
    assert run("tag", "--model", "./en", CHINESE).out == run("tag", "--model", "zh", CHINESE).out != ""


def test_evaluate_takes_a_name(here: Path, files: Files, run: Run) -> None:
    assert run("evaluate", "en", files.test).out == run("evaluate", saving.model_directory("en"), files.test).out != ""


# train --init-from


def options(files: Files) -> list[str]:
    return ["--train", str(files.train), "--dev", str(files.dev), "--epochs", "1", "--threads", "1"]


def test_training_starts_from_a_shipped_tagger(here: Path, files: Files, run: Run) -> None:
    result = run("train", "--init-from", "en", *options(files), "--output", "m")
    assert result.code == 0, result.err
    assert Model.load("m").config == Model.load(saving.model_directory("en")).config
    summary = json.loads(Path("m/summary.json").read_text())
    assert summary["dev_f1"]["mean"] > 0.9  # a new model is near 0 after an epoch of two steps
    assert json.loads(Path("m/run.json").read_text())["config"]["training"]["epochs"] == 1


def test_training_that_starts_from_characters_is_that_of_characters(here: Path, write, run: Run) -> None:
    train = write("zh.conll", ZH)
    result = run("train", "--init-from", "zh", "--train", train, "--epochs", 1, "--output", "m")
    assert result.code == 0, result.err
    assert Model.load("m").config == Model.load(saving.model_directory("zh")).config
    training = json.loads(Path("m/run.json").read_text())["config"]["training"]
    assert training["adversarial_epsilon"] == preset("fast", token_unit="character").training.adversarial_epsilon


def test_new_labels_are_learnt_beside_those_of_the_model(here: Path, write, run: Run) -> None:
    train = write("drugs.conll", column_text(30, 5).replace("LOC", "CITY"))
    result = run("train", "--init-from", "./base", "--train", train, "--dev", train, "--epochs", 8, "--output", "m")
    assert "base" in result.complaint
    arguments = ["--init-from", "en", "--train", train, "--dev", train, "--epochs", 20, "--preset", "small"]
    assert run("train", *arguments, "--output", "m").code == 0
    assert Model.load("m").tags.labels == ("CITY", "LOC", "PER")
    assert json.loads(Path("m/summary.json").read_text())["dev_f1"]["mean"] > 0.9


def test_several_seeds_and_jobs_and_a_run_taken_up_again(here: Path, files: Files, run: Run) -> None:
    arguments = ["train", "--init-from", "en", *options(files), "--output", "m", "--seeds", 2]
    assert run(*arguments, "--workers", 2).code == 0
    assert not equal_weights(here / "m" / "seed-1", here / "m" / "seed-2")
    weights = (here / "m" / "network-1.safetensors").read_bytes()
    assert run(*arguments, "--resume").code == 0
    assert (here / "m" / "network-1.safetensors").read_bytes() == weights
    other = [argument for argument in arguments if argument not in ("--init-from", "en")]
    assert "the run to resume had another model to start from, or none" in run(*other, "--resume").complaint


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (["--vectors", "glove.txt"], "--init-from: expected the model as it is, without --vectors"),
        (["--vectors-limit", "5"], "without --vectors-limit"),
        (["--head", "softmax"], "without --head"),
        (["--crf-loss", "labelwise"], "without --crf-loss"),
        (["--transformer", "folder"], "without --transformer"),
        (["--token-unit", "character"], "without --token-unit"),
        (["--config", "{config}"], "without [model] in"),
        (["--config", "same.toml"], "without [model] in"),
        (["--preset", "paper", "--config", "{config}"], "without [model] in"),
    ],
)
def test_what_contradicts_the_model_is_refused(here: Path, files: Files, extra: list[str], said: str, run: Run) -> None:
    extra = [str(files.config) if argument == "{config}" else argument for argument in extra]
    Path("same.toml").write_text("[model]\nhidden_size = 200\n", encoding="utf-8")  # as the preset has it
    assert said in run("train", "--init-from", "en", *options(files), "--output", "m", *extra).complaint
    assert "or 'en' or 'zh'" in run("train", "--init-from", "de", *options(files), "--output", "m").complaint
    assert not Path("m").exists()
