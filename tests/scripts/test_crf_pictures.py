"""The pictures of docs/why-a-crf.md: that they show what the shipped taggers compute, and are those of the page."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import crf_pictures
from crf_pictures import FORBIDDEN, SENTENCE, best_scores, emission_picture, lstm_sizes, path_picture, sequence_score
from ner_lstm_crf import Analysis, Tagger

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "why-a-crf.md").read_text(encoding="utf-8")
SVG = "{http://www.w3.org/2000/svg}"
NUMBER = re.compile(r"-?\d[\d,]*\.?\d*")


def texts(picture: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(picture).iter(f"{SVG}text")]


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    (found,) = Tagger.load("en").analyze(SENTENCE)
    return found


@pytest.fixture(scope="module")
def pictures() -> dict[str, str]:
    return crf_pictures.pictures()


@pytest.mark.parametrize("name", ["emissions.svg", "lstm.svg", "paths.svg"])
def test_the_pictures_of_the_page_are_those_that_the_script_draws(name: str, pictures: dict[str, str]) -> None:
    """But for the last digit, which another processor may round otherwise."""
    kept, now = (texts(one) for one in ((DOCS / "images" / name).read_text(encoding="utf-8"), pictures[name]))
    assert f"(images/{name})" in PAGE
    assert [NUMBER.sub("#", text) for text in kept] == [NUMBER.sub("#", text) for text in now]
    for before, after in zip(kept, now, strict=True):
        numbers = ([float(one.replace(",", "")) for one in NUMBER.findall(text)] for text in (before, after))
        assert np.allclose(*numbers, rtol=0, atol=1 if "%" in before else 0.1001), (before, after)


@pytest.mark.parametrize("name", ["emissions.svg", "lstm.svg", "paths.svg"])
def test_all_of_a_picture_is_on_its_card(name: str, pictures: dict[str, str]) -> None:
    picture = ElementTree.fromstring(pictures[name])
    across = float(picture.get("width", "nan"))
    for text in picture.iter(f"{SVG}text"):
        places = [float(x) for x in text.get("x", "").split()]
        assert max(places) + float(text.get("textLength", 14)) <= across - 12, text.text
    assert not [part for part in ("url(", "href", "@import", "<image", "@font-face") if part in pictures[name]]


def test_the_sentence_shows_what_the_page_says_of_it(analysis: Analysis) -> None:
    """`scripts/crf_pictures.py` and the page need another sentence if a new tagger reads this one otherwise."""
    assert f"`{' '.join(analysis.softmax)}`" in PAGE
    assert analysis.softmax != analysis.best
    assert [entity.label for entity in analysis.entities] == ["ORG", "PER"]
    inputs, units = lstm_sizes(Tagger.load("en"))
    for said in (f"*{units} units*", f"{inputs} numbers", f"{4 * units * (inputs + units):,} weights"):
        assert said in PAGE
    allowed = analysis.transitions[analysis.transitions > FORBIDDEN]
    assert f"{allowed.min():.1f} and {allowed.max():+.1f}" in PAGE.replace("\n", " ")


def test_the_best_scores_are_those_of_all_sequences(analysis: Analysis) -> None:
    tags = range(len(analysis.tag_names))
    found = best_scores(analysis)
    for length in (1, 2, 3):
        for last in tags:
            scores = []
            for before in product(tags, repeat=length - 1):
                path = [*before, last]
                emissions, transitions = sequence_score(analysis, path)
                scores.append(emissions + transitions - float(analysis.end[last]))
            assert found[length - 1, last] == pytest.approx(max(scores), abs=1e-2 if max(scores) < FORBIDDEN else 1e-4)


def test_a_picture_of_paths_names_both_sequences_and_the_probability(analysis: Analysis) -> None:
    shown = texts(path_picture(analysis))
    assert f"highest emissions: {' '.join(analysis.softmax)}" in shown
    assert f"best sequence: {' '.join(analysis.best)}" in shown
    assert "forbidden: probability 0" in " ".join(shown)
    probability = analysis.alternatives(1)[0].probability
    assert any(text.endswith(f"probability {100 * probability:.1f}%") for text in shown)


def test_the_highest_emission_of_each_token_is_framed(analysis: Analysis) -> None:
    picture = ElementTree.fromstring(emission_picture([analysis]))
    cells = [one for one in picture.iter(f"{SVG}rect") if one.get("class") == "cell"]
    framed = [one for one in picture.iter(f"{SVG}rect") if one.get("class") == "alone"]
    tags = len(analysis.tag_names)
    assert len(cells) == analysis.emissions.size
    for token, (tag, frame) in enumerate(zip(analysis.emissions.argmax(1), framed, strict=True)):
        cell = cells[token * tags + tag]
        assert float(frame.get("x", "nan")) == pytest.approx(float(cell.get("x", "nan")) + 2, abs=0.11)
        assert float(frame.get("y", "nan")) == float(cell.get("y", "nan")) + 2
