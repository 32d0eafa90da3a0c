"""`explain`: the text or the page of `Tagger.explain`."""

from __future__ import annotations

from pathlib import Path

import pytest

from ner_lstm_crf.cli import explain
from ner_lstm_crf.tagging.tagger import Tagger
from tests.cli.conftest import Run

TEXT = "Ada Brandt met Milo in Oslo."


def test_a_text_is_explained_on_standard_output(model: Path, run: Run) -> None:
    done = run("explain", "--model", model, TEXT)
    assert done.out == Tagger.load(model).explain(TEXT).text(width=120)
    assert run("explain", "--model", model, "-", stdin=TEXT.encode()).out == done.out


def test_a_page_is_written(model: Path, run: Run, tmp_path: Path) -> None:
    assert run("explain", "--model", model, TEXT, "--output", tmp_path / "page.html").code == 0
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == Tagger.load(model).explain(TEXT).html()


def test_the_model_is_that_of_the_script(run: Run) -> None:
    done = run("explain", "李娜去了上海。")
    assert "上海 LOC" in done.out
    assert "the tagger that comes with the package for 'zh'" in done.err


def test_what_cannot_be_explained_or_written_is_refused(model: Path, run: Run) -> None:
    assert "at least one token" in run("explain", "--model", model, " ").complaint
    assert "page.pdf: expected a page (.html) or a text" in run("explain", TEXT, "--output", "page.pdf").complaint


def test_a_terminal_gets_shades(model: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explain, "shows_colours", lambda: True)
    assert "\x1b[38;5;16;48;5;" in run("explain", "--model", model, TEXT).out
