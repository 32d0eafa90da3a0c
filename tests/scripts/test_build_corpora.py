"""scripts/build_corpora.py: what it refuses; tests/corpora looks at what it builds."""

from __future__ import annotations

from pathlib import Path

import pytest

import build_corpora


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Both sources and the README."""
    for language, text in (("en", "[Oslo](LOC) is far\n"), ("zh", "[巴黎](LOC)很远\n")):
        (tmp_path / language).mkdir()
        (tmp_path / language / "source.txt").write_text(text, encoding="utf-8")
    readme = build_corpora.COUNTS_BEGIN + build_corpora.COUNTS_END
    (tmp_path / "README.md").write_text(readme, encoding="utf-8")
    return tmp_path


def test_the_made_folder_is_built(folder: Path) -> None:
    assert build_corpora.main(["--corpora", str(folder)]) == 0
    assert (folder / "zh" / "train.conll").read_text(encoding="utf-8") == "巴\tB-LOC\n黎\tI-LOC\n很\tO\n远\tO\n\n"
    assert "| zh/train.conll | 1 | 4 | 0 | 1 | 0 | 0 |\n" in (folder / "README.md").read_text(encoding="utf-8")
    assert build_corpora.main(["--check", "--corpora", str(folder)]) == 0


@pytest.mark.parametrize("name", ["README.md", "en/source.txt", "zh/source.txt"])
def test_a_missing_file_is_named_and_nothing_is_written(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / name).unlink()
    assert build_corpora.main(["--corpora", str(folder)]) == 2
    assert capsys.readouterr().err == f"{folder / name}: no such file\n"
    assert not list(folder.rglob("*.conll"))


def test_a_readme_without_a_place_for_the_counts_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "README.md").write_text("# Corpora\n", encoding="utf-8")
    assert build_corpora.main(["--corpora", str(folder)]) == 2
    assert f"{folder / 'README.md'}: expected the lines '<!-- counts" in capsys.readouterr().err
