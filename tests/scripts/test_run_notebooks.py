"""scripts/run_notebooks.py, and the notebooks that are kept."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

import run_notebooks
from run_notebooks import FOLDER, found_wrong, main

NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def written(path: Path, *cells: str) -> Path:
    """A notebook that was never run."""
    notebook = new_notebook(cells=[new_markdown_cell("# Title"), *map(new_code_cell, cells)])
    path.write_text(nbformat.writes(notebook), encoding="utf-8")
    return path


def test_a_notebook_is_run_and_kept_and_then_needs_no_change(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data.txt").write_text("Ada")
    path = written(tmp_path / "one.ipynb", "name = open('data.txt').read()", "print(name)\nname")
    assert main(["--check", str(path)]) == 1
    assert "one.ipynb: expected cells that were run in order" in capsys.readouterr().out
    assert main([str(path)]) == 0
    cell = nbformat.read(path, as_version=4).cells[-1]
    assert cell.outputs[0].text == "Ada\n"
    assert cell.outputs[1].data == {"text/plain": "'Ada'"}
    kept = path.read_bytes()
    assert main(["--check", str(path)]) == 0
    assert main([str(path)]) == 0
    assert path.read_bytes() == kept


def test_a_cell_that_fails_is_named_and_nothing_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path / "two.ipynb", "1 / 0")
    before = path.read_bytes()
    assert main([str(path)]) == 1
    shown = capsys.readouterr().out
    assert shown.startswith("two.ipynb: ")
    assert "ZeroDivisionError: division by zero" in shown
    assert path.read_bytes() == before


def test_a_notebook_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "three.ipynb")
    assert found_wrong(nbformat.read(path, as_version=4), path) is None
    monkeypatch.setattr(run_notebooks, "MOST", 10)
    assert "expected at most 10 bytes" in str(found_wrong(nbformat.read(path, as_version=4), path))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_every_notebook_is_kept_as_it_was_run(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    assert found_wrong(notebook, path) is None
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert {output.output_type for output in outputs} <= {"display_data", "execute_result", "stream"}
    assert not [output.text for output in outputs if output.get("name") == "stderr"]
    assert len(outputs) >= 5


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_every_link_of_a_notebook_leads_somewhere(path: Path) -> None:
    prose = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown")
    links = re.findall(r"\]\((?!https?://)([^)#\s]+)", prose)
    assert links
    for link in links:
        assert (path.parent / link).exists(), link


def test_all_notebooks_are_on_their_page() -> None:
    page = (FOLDER.parent / "notebooks.md").read_text(encoding="utf-8")
    assert {path.name for path in NOTEBOOKS} == set(re.findall(r"notebooks/([\w-]+\.ipynb)", page))
