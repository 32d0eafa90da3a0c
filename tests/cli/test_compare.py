from __future__ import annotations

import json
from pathlib import Path

import pytest

from ner_lstm_crf.cli.compare import marked
from ner_lstm_crf.config import preset
from ner_lstm_crf.text.annotation import Span
from tests.cli.conftest import ZH, Files, Run


@pytest.fixture
def options(files: Files) -> list[object]:
    return [*files.options, "--test", files.test, "--seeds", "2", "--epochs", "2"]


def test_both_heads_side_by_side_and_where_they_differ(
    options: list[object], files: Files, tmp_path: Path, run: Run
) -> None:
    directory = tmp_path / "both"
    result = run("compare", *options, "--output", directory, "--show", "2")
    assert result.code == 0, result.err
    lines = result.out.splitlines()
    assert [line.split()[0] for line in lines[1:3]] == ["crf", "softmax"]
    assert lines[3].startswith("gain of the CRF: ")
    assert "2 seeds" in lines[3]
    shown = [line for line in lines[4:] if line.startswith(f"{files.test}:")]
    assert len(shown) == 2  # two epochs leave enough to differ in
    assert sum(line.startswith("  gold ") for line in lines) == 2
    for head in ("crf", "softmax"):
        assert {path.name for path in (directory / head).iterdir()} == {"seed-1", "seed-2"}
        assert json.loads((directory / head / "seed-1" / "config.json").read_text())["model"]["head"] == head
    assert "holds a model" in run("compare", *options, "--output", directory).complaint
    resumed = run("compare", *options, "--output", directory, "--resume", "--json")
    assert "epoch" not in resumed.err
    figures = json.loads(resumed.out)
    assert [head["head"] for head in figures["heads"]] == ["crf", "softmax"]
    assert figures["gain"]["value"] == pytest.approx(
        figures["heads"][0]["f1"]["mean"] - figures["heads"][1]["f1"]["mean"]
    )
    assert len(figures["differences"]) == min(10, figures["differing_sentences"])
    assert {"line", "tokens", "gold", "crf", "softmax"} == figures["differences"][0].keys()


def test_without_output_nothing_is_left(
    options: list[object], tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    result = run("compare", *options[:-4], "--seeds", "1", "--epochs", "2", "--json")
    assert result.code == 0, result.err
    assert json.loads(result.out)["sentences"] == 20
    assert not list(tmp_path.iterdir())
    assert "--output" in run("compare", *options, "--resume").complaint


def test_characters_are_found_and_trained_as_such(write, tmp_path: Path, run: Run) -> None:
    data = write("zh.conll", ZH)
    small = write("small.toml", "[model]\nhidden_size = 4\n[training]\nmin_steps = 1\n")
    options = ["--train", data, "--test", data, "--config", small, "--vectors", "none", "--lexicon", "none"]
    result = run("compare", *options, "--seeds", "1", "--output", tmp_path / "both")
    assert result.code == 0, result.err
    epsilon = preset("fast", token_unit="character").training.adversarial_epsilon
    assert epsilon != preset("fast").training.adversarial_epsilon
    for head in ("crf", "softmax"):
        config = json.loads((tmp_path / "both" / head / "seed-1" / "run.json").read_text())["config"]
        assert (config["model"]["token_unit"], config["training"]["adversarial_epsilon"]) == ("character", epsilon)


def test_two_models_that_find_nothing_are_not_compared_in_silence(write, run: Run) -> None:
    data, unlike = write("zh.conll", ZH), write("unlike.conll", ZH.replace("PER", "X").replace("LOC", "X"))
    small = write("small.toml", "[model]\nhidden_size = 4\n[training]\nmin_steps = 1\n")
    options = ["--train", data, "--config", small, "--vectors", "none", "--lexicon", "none", "--seeds", "1"]
    said = "neither head finds an entity of test: train longer, with more --epochs"
    assert said in run("compare", *options, "--test", unlike).said
    assert said not in run("compare", *options, "--test", data, "--epochs", "9").said


def test_the_head_is_not_a_choice(options: list[object], run: Run) -> None:
    assert "--head" in run("compare", *options, "--head", "crf").complaint


def test_a_long_sentence_is_cut_to_where_it_differs() -> None:
    words = [str(number) for number in range(1000)]
    line = marked(words, [Span(500, 502, "X")], around=500)
    assert line.startswith("… 460 ")
    assert "[500 501](X)" in line
    assert line.endswith(" 539 …")
    assert marked(words[:80], [], around=3) == " ".join(words[:80])
    assert marked(["北", "京"], [Span(0, 2, "LOC")], joiner="") == "[北京](LOC)"


def test_the_next_command_line_has_the_settings_of_this_one(
    options: list[object], files: Files, write, run: Run
) -> None:
    vectors = write("vectors.txt", "ada 1 2\nmet 3 4\n")
    more = ["--seeds", "1", "--epochs", "2", "--vectors", vectors, "--no-residual", "--char-widths", "2,3"]
    (words,) = run("compare", *options[:-4], *more).next
    assert words[0] == "train"
    for pair in (["--epochs", "2"], ["--vectors", str(vectors)], ["--char-widths", "2,3"], ["--preset", "fast"]):
        assert words[words.index(pair[0]) + 1] == pair[1]
    assert "--no-residual" in words
    assert "--seeds" not in words
