"""scripts/scale.py: each piece of bulk tagging has its figure, and a terabyte follows from it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import scale

SENTENCE = (
    "# text = Ada met Milo in Oslo.\n1\tAda\tB-PER\n2\tmet\tO\n3\tMilo\tB-PER\n4\tin\tO\n5\tOslo\tB-LOC\n6\t.\tO\n\n"
)


@pytest.fixture
def corpora(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a small treebank; one tagger, and few files."""
    folder = tmp_path / "uner-en_ewt"
    folder.mkdir()
    for number, part in enumerate(scale.PARTS, start=1):
        (folder / part).write_text(SENTENCE * 40 * number, encoding="utf-8")
    monkeypatch.setattr(scale, "CORPORA", {"en": folder.name})
    monkeypatch.setattr(scale, "PRECISIONS", ("float32",))
    monkeypatch.setattr(scale, "FILES", 3)
    return tmp_path


def test_documents_hold_all_sentences_in_their_order(corpora: Path) -> None:
    texts = scale.documents(corpora / "uner-en_ewt", " ")
    assert " ".join(texts) == " ".join(["Ada met Milo in Oslo."] * 240)
    assert all(scale.DOCUMENT <= len(text) < 1.1 * scale.DOCUMENT for text in texts[:-1])


def test_each_piece_has_its_figure(corpora: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert scale.main(["rates", "--corpora", str(corpora), "--repeats", "1"]) == 0
    tables = [
        [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
        for table in capsys.readouterr().out.strip().split("\n\n")
    ]
    tagging, loading, reading, files = ([row for row in table if row[0] != "---"] for table in tables)
    assert [len(table) for table in (tagging, loading, reading, files)] == [2, 2, 6, 4]
    rate, hours = (float(cell.replace(",", "")) for cell in tagging[1][3:])
    assert hours == pytest.approx(1e12 / (rate * 1e3) / 3600, rel=0.01)
    assert float(loading[1][2]) > 0
    assert 50 < float(loading[1][3]) < 2000
    assert all(float(row[1]) >= 0 for row in files[1:])


def test_the_time_of_python_processes_below_is_counted() -> None:
    before, busy = scale.of_children(), "for _ in range(20_000_000): pass\nprint()\ninput()"
    with subprocess.Popen(
        [sys.executable, "-c", busy], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        java, python = (after - early for after, early in zip(scale.of_children(), before, strict=True))
        process.communicate("\n")
    assert java == 0
    assert python > 0.05
