"""The pictures of the README: what they show, and that they are drawn without anything from elsewhere."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from make_pictures import (
    FIRST_LINES,
    LAST_LINES,
    explanation_picture,
    svg,
    tagging_picture,
    training_picture,
    width,
    words,
)
from ner_lstm_crf import Entity, Tagger

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
SVG = "{http://www.w3.org/2000/svg}"


def texts(picture: str) -> list[str | None]:
    return [element.text for element in ElementTree.fromstring(picture).iter(f"{SVG}text")]


def test_an_entity_is_marked_where_it_stands() -> None:
    picture = tagging_picture([("In <b> Rome", [Entity(7, 11, "LOC", "Rome")])])
    (box,) = (one for one in ElementTree.fromstring(picture).iter(f"{SVG}rect") if one.get("class") == "LOC")
    start = float(box.get("x", "nan"))
    assert start < 24 + width("In <b> ") < start + float(box.get("width", "nan"))
    assert texts(picture) == ["LOC", "In <b> Rome"]


def test_a_path_runs_through_the_cells_of_the_best_tags() -> None:
    (analysis,) = Tagger.load("en").analyze("Ada Green met <b>Milo in New York.")
    picture = ElementTree.fromstring(explanation_picture(analysis))
    line = picture.find(f"{SVG}polyline")
    assert line is not None
    points = [tuple(map(float, point.split(","))) for point in line.get("points", "").split()]
    cells = [one for one in picture.iter(f"{SVG}rect") if one.get("class") == "cell"]
    assert len(cells) == len(analysis) * len(analysis.tag_names)
    for row, (x, y) in enumerate(points):
        tag = analysis.tag_names.index(analysis.best[row])
        cell = {
            name: float(value) for name, value in cells[row * len(analysis.tag_names) + tag].items() if name != "class"
        }
        assert (x, y) == pytest.approx((cell["x"] + cell["width"] / 2, cell["y"] + cell["height"] / 2))


def test_each_character_of_a_wide_text_has_a_position_of_its_own() -> None:
    line = ElementTree.fromstring(svg(10, 10, [words("北京!", 10, 0)])).find(f"{SVG}text")
    assert line is not None
    assert [float(x) for x in line.get("x", "").split()] == pytest.approx([10, 24.3, 38.6])


def test_a_run_is_shown_by_its_first_and_last_lines_and_its_curve() -> None:
    lines = [f"line {number}" for number in range(FIRST_LINES + LAST_LINES + 5)]
    history = [{"loss": 2.0, "f1": 0.0}, {"loss": 0.5, "f1": 0.5}, {"loss": 0.1, "f1": 1.0}]
    picture = training_picture(lines, history)
    shown = texts(picture)
    assert shown[1 : FIRST_LINES + LAST_LINES + 2] == [*lines[:FIRST_LINES], "...", *lines[-LAST_LINES:]]
    curves = {one.get("class"): one.get("points", "") for one in ElementTree.fromstring(picture).iter(f"{SVG}polyline")}
    heights = {name: [float(point.split(",")[1]) for point in points.split()] for name, points in curves.items()}
    assert heights["f1"] == sorted(heights["f1"], reverse=True)  # upwards
    assert heights["loss"] == sorted(heights["loss"])
    assert min(heights["f1"]) == pytest.approx(min(heights["loss"]))  # a loss beyond the top stays inside


@pytest.mark.parametrize("name", ["tagging.svg", "explanation.svg", "training.svg"])
def test_the_pictures_of_the_readme_need_nothing_from_elsewhere(name: str) -> None:
    picture = (IMAGES / name).read_text(encoding="utf-8")
    ElementTree.fromstring(picture)
    assert not [part for part in ("url(", "href", "@import", "<image", "@font-face") if part in picture]
