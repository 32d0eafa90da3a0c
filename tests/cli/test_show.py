"""`show`: texts and annotated files in colours."""

from __future__ import annotations

from pathlib import Path

from ner_lstm_crf.tagging.tagger import Tagger
from tests.cli.conftest import Files, Run

TEXT = "Ada Brandt met Milo in Oslo."


def test_an_annotated_file_is_shown_as_it_is_annotated(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.conll").write_text("In\tO\nOslo\tB-LOC\n\nAda\tB-PER\n<b>\tO\n\nGraz\tB-LOC\n", encoding="utf-8")
    assert run("show", "--input", tmp_path / "a.conll").out == "In [Oslo](LOC)\n[Ada](PER) <b>\n[Graz](LOC)\n"
    assert run("show", "--input", tmp_path / "a.conll", "--output", tmp_path / "a.html").code == 0
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert '<mark class="c0">Oslo&nbsp;<b dir="ltr">LOC</b></mark>' in page
    assert '<mark class="c1">Ada&nbsp;<b dir="ltr">PER</b></mark> &lt;b&gt;</p>' in page


def test_texts_are_shown_as_they_are_tagged(model: Path, run: Run, tmp_path: Path) -> None:
    tagger = Tagger.load(model)
    assert run("show", "--model", model, TEXT, "Rain.").out == f"{tagger.show(TEXT)}\n{tagger.show('Rain.')}\n"
    assert run("show", "--model", model, TEXT, "--output", tmp_path / "a.html").code == 0
    assert run("tag", "--model", model, TEXT, "--output", tmp_path / "b.html").code == 0
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert (tmp_path / "a.html").read_text(encoding="utf-8") == tagger.show(TEXT).html()


def test_what_cannot_be_shown_is_refused(model: Path, files: Files, run: Run) -> None:
    assert "expected either texts or --input FILE" in run("show").complaint
    assert "expected either texts or --input FILE" in run("show", TEXT, "--input", files.test).complaint
    assert "a.txt: expected a page (.html)" in run("show", TEXT, "--output", "a.txt").complaint
    assert "shown as it is annotated" in run("show", "--input", files.test, "--model", model).complaint
