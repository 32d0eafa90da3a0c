"""Pictures of training runs: drawn from the numbers that they show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ner_lstm_crf.crf import FORBIDDEN
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.evaluation.calibration import Bin
from ner_lstm_crf.explanation import plots
from ner_lstm_crf.tagging.analysis import TransitionTable

pytest.importorskip("matplotlib")
HISTORY = [
    {"epoch": epoch, "loss": 1 / epoch, "dev": {"f1": 0.2 * epoch}, "best": epoch == 3} for epoch in range(1, 4)
]  # fmt: skip
TABLE = TransitionTable(
    ("O", "B-LOC"), np.array([0.5, 1], "f"), np.array([[1, 2], [FORBIDDEN, 3]], "f"), np.array([-1, 0.25], "f")
)


def test_curves_are_those_of_the_history() -> None:
    without_dev = [{**report, "dev": None} for report in HISTORY]
    loss, f1 = plots.learning_curves({"one": HISTORY, "two": without_dev}).axes
    assert [line.get_ydata().tolist() for line in loss.lines] == [[1, 1 / 2, 1 / 3]] * 2
    assert [line.get_ydata().tolist() for line in f1.lines] == [[report["dev"]["f1"] for report in HISTORY]]
    assert f1.collections[0].get_offsets().tolist() == [[3, pytest.approx(0.6)]]
    assert [text.get_text() for text in loss.get_legend().get_texts()] == ["one", "two"]


def test_transitions_are_shown_by_name_and_forbidden_ones_are_empty() -> None:
    axes, _ = plots.transition_picture(TABLE).axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["O", "B-LOC", "end"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["start", "O", "B-LOC"]
    shown = {text.get_position(): text.get_text() for text in axes.texts}
    assert shown == {
        (0, 0): "+0.5", (1, 0): "+1.0", (0, 1): "+1.0", (1, 1): "+2.0", (2, 1): "-1.0", (1, 2): "+3.0", (2, 2): "+0.2"
    }  # fmt: skip


def test_confusions_are_counted_by_gold_and_predicted_label() -> None:
    (axes,) = plots.confusion_picture({("LOC", "LOC"): 7, ("LOC", None): 2, (None, "PER"): 1}).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["LOC", "PER", "(none)"]
    assert {text.get_position(): text.get_text() for text in axes.texts} == {(0, 0): "7", (2, 0): "2", (1, 2): "1"}


def test_reliability_is_precision_by_score() -> None:
    bins = [Bin(0.2, 0.4, 4, score=0.3, precision=0.25), Bin(0.8, 1.0, 8, score=0.9, precision=1.0)]
    (axes,) = plots.reliability_picture(bins, 0.06).axes
    assert axes.collections[0].get_offsets().tolist() == [[0.3, 0.25], [0.9, 1.0]]
    assert "0.060" in axes.get_title(loc="left")


@pytest.mark.parametrize(("suffix", "begins"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_pictures_are_written_in_the_format_of_their_suffix(suffix: str, begins: bytes, tmp_path: Path) -> None:
    path = plots.saved(plots.transition_picture(TABLE), tmp_path / f"a.{suffix}")
    assert path.read_bytes().startswith(begins)
    with pytest.raises(InputError, match="expected a suffix of a picture"):
        plots.saved(plots.transition_picture(TABLE), tmp_path / "a.txt")


def test_without_matplotlib_the_package_to_install_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"pip install 'ner-lstm-crf\[plots\]'"):
        plots.learning_curves({})
