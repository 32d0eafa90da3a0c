"""scripts/why_a_crf.py: both heads learn from the same sentences, each result is made once, the picture shows them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import why_a_crf
from ner_lstm_crf import Config, Data, Sentence
from why_a_crf import Part, picture, table

DOCS = Path(__file__).resolve().parents[2] / "docs"
SVG = "{http://www.w3.org/2000/svg}"
PARTS = [
    Part(250, {"crf": [0.4, 0.5], "softmax": [0.3, 0.36]}, {"crf": [0, 0], "softmax": [20, 30]}),
    Part(1000, {"crf": [0.6, 0.62], "softmax": [0.56, 0.6]}, {"crf": [0, 0], "softmax": [10, 10]}),
]


def test_the_gain_is_that_of_pairs() -> None:
    assert table(PARTS).splitlines()[2] == "| 250 | 45.0 ± 7.1 | 33.0 ± 4.2 | +12.0 ± 2.8 | 25 |"
    assert table([Part(250, {"crf": [0.4], "softmax": [0.3]}, {"crf": [0], "softmax": [20]})]).endswith(
        "| 250 | 40.0 | 30.0 | +10.0 | 20 |"
    )


def test_better_is_higher_and_more_is_further_right() -> None:
    shown = ElementTree.fromstring(picture(PARTS, "a corpus"))
    curves = {
        one.get("class"): [tuple(map(float, point.split(","))) for point in one.get("points", "").split()]
        for one in shown.iter(f"{SVG}polyline")
    }
    (few, many), (few_alone, many_alone) = curves["path"], curves["alone"]
    assert few[0] == few_alone[0] < many[0] == many_alone[0]
    assert few_alone[1] > few[1] > many_alone[1] > many[1]  # downwards
    assert len(list(shown.iter(f"{SVG}circle"))) == 8
    assert {"250", "1,000", "+12.0", "+3.0", "a corpus"} <= {one.text for one in shown.iter(f"{SVG}text")}


def test_both_heads_learn_from_the_same_sentences_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sentences = "".join(f"Ada{number}\tB-PER\nmet\tO\n\n" for number in range(30))
    for part in ("train", "dev", "test"):
        (tmp_path / f"{part}.iob2").write_text(sentences, encoding="utf-8")
    made: dict[tuple[int, int, str], list[str]] = {}

    def figures(data: Data, config: Config, folder: Path, test: list[Sentence]) -> dict[str, float]:
        key = config.training.seed, len(data.train), config.model.head
        assert key not in made, "made twice"
        made[key] = [sentence.words[0] for sentence in data.train]
        return {"f1": len(data.train) / 100 + 0.1 * (config.model.head == "crf"), "ill_formed": 1}

    monkeypatch.setattr(why_a_crf, "figures", figures)
    arguments: list[Any] = ["why_a_crf.py", tmp_path, "--output", tmp_path / "runs", "--picture", tmp_path / "data.svg"]
    monkeypatch.setattr(sys, "argv", [*map(str, arguments), "--sizes", "20", "10", "--seeds", "2"])
    for _ in range(2):
        why_a_crf.main()
    assert capsys.readouterr().out.splitlines()[-1] == "| 20 | 30.0 ± 0.0 | 20.0 ± 0.0 | +10.0 ± 0.0 | 1 |"
    assert len(made) == 8
    for seed in (1, 2):
        assert made[seed, 20, "crf"] == made[seed, 20, "softmax"]
        assert made[seed, 20, "crf"][:10] == made[seed, 10, "softmax"]
    assert made[1, 20, "crf"] != made[2, 20, "crf"]
    ElementTree.parse(tmp_path / "data.svg")


def test_too_many_sentences_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for part in ("train", "dev", "test"):
        (tmp_path / f"{part}.iob2").write_text("Ada\tB-PER\n\n", encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["why_a_crf.py", str(tmp_path), "--output", str(tmp_path), "--sizes", "2"])
    with pytest.raises(SystemExit, match="2"):
        why_a_crf.main()
    assert "expected a seed or more, and 1 to 1 sentences" in capsys.readouterr().err


def rows_of(page: str, start: str) -> list[list[str]]:
    """The cells of a table of a page, from the row that begins so."""
    text = (DOCS / page).read_text(encoding="utf-8")
    rows = text[text.index(start) :].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def test_the_page_quotes_the_results_of_both_heads() -> None:
    quoted = {row[0].split()[0]: row for row in rows_of("why-a-crf.md", "| corpus | labels |")}
    results = {row[0].split()[0]: row for row in rows_of("results.md", "| corpus | CRF | softmax | gain of the CRF")}
    assert quoted.keys() == results.keys()
    for name, (_, crf, softmax, gain, interval, of_crf, of_softmax, sentences) in results.items():
        ends = interval.replace(" to ", ", ")
        assert quoted[name][2:] == [crf, softmax, f"{gain} [{ends}]", f"{of_softmax} of {sentences}"]
        assert of_crf == "0"


def test_the_picture_of_the_page_shows_its_table() -> None:
    shown = ElementTree.parse(DOCS / "images" / "crf-data.svg").iter(f"{SVG}text")
    texts = [element.text for element in shown]
    for sentences, _, _, gain, _ in rows_of("why-a-crf.md", "| sentences | CRF | softmax |"):
        assert texts.index(sentences) + 1 == texts.index(gain.split()[0], texts.index(sentences))
