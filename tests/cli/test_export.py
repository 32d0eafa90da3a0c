"""`export`: the files of `Tagger.export`."""

from __future__ import annotations

import json
from pathlib import Path

from ner_lstm_crf.tagging.tagger import Tagger
from tests.cli.conftest import Run


def test_both_files_are_written(model: Path, run: Run, tmp_path: Path) -> None:
    done = run("export", model, tmp_path / "tagger.onnx", "--precision", "int8")
    assert (done.code, done.out) == (0, "")
    assert done.err == f"wrote {tmp_path / 'tagger.onnx'} and {tmp_path / 'tagger.json'}\n"
    assert json.loads((tmp_path / "tagger.json").read_text("utf-8"))["precision"] == "int8"
    Tagger.load(model).export(tmp_path / "same.onnx", precision="int8")
    assert (tmp_path / "same.onnx").read_bytes() == (tmp_path / "tagger.onnx").read_bytes()


def test_another_ending_and_no_model_are_refused(model: Path, run: Run, tmp_path: Path) -> None:
    assert "ends with .onnx" in run("export", model, tmp_path / "tagger").complaint
    assert "no such directory" in run("export", tmp_path / "none", tmp_path / "tagger.onnx").complaint
    assert not list(tmp_path.iterdir())
