"""scripts/check_with_seqeval.py: both scores of written predictions, and whether they agree."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import check_with_seqeval

GOLD = "Ada\tB-PER\nLee\tI-PER\nsaw\tO\nRome\tB-LOC\n.\tO\n\nOslo\tB-LOC\nfell\tO\n\n"
# One entity of three is right; one is too short, and one has another label.
PREDICTED = "Ada\tB-PER\nLee\tO\nsaw\tO\nRome\tB-LOC\n.\tO\n\nOslo\tB-PER\nfell\tO\n\n"
Write = Callable[[str, str], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, text: str) -> str:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def test_both_scores_are_those_counted_by_hand(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    files = write("gold.conll", GOLD), write("predicted.conll", PREDICTED)
    assert check_with_seqeval.main(files) == 0
    assert capsys.readouterr().out == "F1: seqeval (strict, IOB2) 0.333333, ner_lstm_crf 0.333333\n"


def test_schemes_may_differ(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    in_bioes = "Ada\tB-PER\nLee\tE-PER\nsaw\tO\nRome\tS-LOC\n.\tO\n\nOslo\tS-LOC\nfell\tO\n\n"
    assert check_with_seqeval.main([write("gold.conll", in_bioes), write("predicted.conll", GOLD)]) == 0
    assert "1.000000, ner_lstm_crf 1.000000" in capsys.readouterr().out


def test_labels_are_kept_and_words_split_as_asked(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    gold = write("gold.conll", "王明\tB-PER\n在\tO\n巴黎\tB-LOC\n会\tB-MISC\n\n")
    predicted = write("predicted.conll", "王\tB-PER\n明\tI-PER\n在\tO\n巴\tB-LOC\n黎\tI-LOC\n会\tO\n\n")
    assert check_with_seqeval.main([gold, predicted, "--characters", "--labels", "PER,LOC"]) == 0
    assert "1.000000, ner_lstm_crf 1.000000" in capsys.readouterr().out


def test_a_difference_is_told(
    write: Write, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    files = write("gold.conll", GOLD), write("predicted.conll", PREDICTED)
    monkeypatch.setattr(check_with_seqeval, "f1_score", lambda *_, **__: 0.5)
    assert check_with_seqeval.main(files) == 1
    assert "0.500000, ner_lstm_crf 0.333333" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        (
            PREDICTED.replace("saw", "met"),
            "{predicted}:1: expected the tokens of {gold}:1, found 'met' instead of 'saw'",
        ),
        (PREDICTED + "more\tO\n\n", "{predicted}:10: sentence 3 has no counterpart in {gold}"),
        (None, "{predicted}: no such file"),
    ],
)
def test_files_that_do_not_belong_together_are_refused(
    changed: str | None, complaint: str, write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gold = write("gold.conll", GOLD)
    predicted = str(tmp_path / "none.conll") if changed is None else write("predicted.conll", changed)
    with pytest.raises(SystemExit, match="2"):
        check_with_seqeval.main([gold, predicted])
    shown = capsys.readouterr()
    assert f"error: {complaint.format(gold=gold, predicted=predicted)}" in shown.err.splitlines()[-1]
    assert shown.out == ""
