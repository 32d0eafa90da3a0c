from __future__ import annotations

import io
from contextlib import closing
from typing import Any

import pytest

from ner_lstm_crf.evaluation.metrics import evaluate_spans
from ner_lstm_crf.runs.display import TrainingDisplay, progress_bar, say
from ner_lstm_crf.text.annotation import Span
from ner_lstm_crf.training.trainer import EpochReport


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def report(epoch: int, **changes: Any) -> EpochReport:
    values = {
        "epoch": epoch,
        "epochs": 3,
        "loss": 0.5,
        "seconds": 2.0,
        "tokens_per_second": 12345.6,
        "learning_rate": 0.1,
        "dev": evaluate_spans([[Span(0, 1, "X"), Span(1, 2, "X")]], [[Span(0, 1, "X")]]),
        "best": epoch == 1,
        "last": epoch == 3,
    }
    return EpochReport(**(values | changes))


def test_plain_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with closing(TrainingDisplay(3, [""])) as display:
        for epoch in (1, 2, 3):
            display.batches(1, 2)
            display.epoch("", report(epoch))
    captured = capsys.readouterr()
    assert captured.out == ""
    first, second, third = captured.err.splitlines()
    assert first.startswith("epoch 1/3  loss 0.5000  12,346 tokens/s  dev P 1.0000 R 0.5000 F1 0.6667 *  2.0 s, 00:0")
    assert "F1 0.6667    2.0 s" in second
    assert third.endswith("00:00 left")


def test_a_bar_below_the_lines_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with closing(TrainingDisplay(3, [""])) as display:
        display.epoch("", report(1))
        display._bar.mininterval = 0
        display.batches(1, 2)
    drawn = terminal.getvalue()
    assert "epoch 1/3  loss 0.5000" in drawn
    assert "epoch 2/3  50%|" in drawn  # one epoch and a half
    assert "loss 0.5000  12,346 tokens/s  dev P 1.0000 R 0.5000 F1 0.6667 [" in drawn
    assert "<" in drawn.rpartition("[")[2]  # time left


def test_runs_have_names_and_share_the_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    with closing(TrainingDisplay(9, ["crf/seed-1", "softmax/seed-1"])) as display:
        display.epoch("softmax/seed-1", report(1, dev=None))
        display.epoch("crf/seed-1", report(2, last=True))  # stopped early
        assert display._done == {"crf/seed-1": 3, "softmax/seed-1": 1}
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("softmax/seed-1  epoch 1/3  loss 0.5000  12,346 tokens/s    2.0 s")
    assert second.startswith("crf/seed-1      epoch 2/3")


def test_runs_that_had_finished_count_as_done(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with closing(TrainingDisplay(3, ["seed-1", "seed-2"], {"seed-1": 2})) as display:  # seed 1 stopped early
        assert (display._bar.n, display._bar.total) == (3, 6)
        for epoch in (1, 2, 3):
            display.epoch("seed-2", report(epoch))
        assert display._bar.n == display._bar.total == 6
    with closing(
        TrainingDisplay(3, ["seed-1", "seed-2"], {"seed-1": 9})
    ) as display:  # of a small corpus, which takes more epochs
        assert (display._bar.n, display._bar.total) == (9, 18)
        display.epoch("seed-2", report(9, epochs=9, last=True))
        assert display._bar.n == display._bar.total == 18
    assert "00:00 left" in terminal.getvalue()


def test_progress_is_drawn_on_a_terminal_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress_bar("reading", unit="B") as progress:
        progress(1, 2)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("ner_lstm_crf.runs.display.DELAY", 0)
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with progress_bar("reading", unit="B") as progress:
        progress(1, 4)
        say("meanwhile")
        progress(4, 4)
    assert "reading" in terminal.getvalue()
    assert "meanwhile\n" in terminal.getvalue()


def test_a_log_gets_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = iter(range(0, 10_000, 5))
    monkeypatch.setattr("time.perf_counter", lambda: next(now))
    with progress_bar("reading", unit=" sentences") as progress:
        for done in range(1, 101):
            progress(done, None)
    lines = capsys.readouterr().err.splitlines()
    assert lines[:3] == [
        "reading: 2 sentences, 00:10 passed",
        "reading: 6 sentences, 00:30 passed",
        "reading: 14 sentences, 01:10 passed",
    ]
    assert len(lines) == 10  # then one a minute
    assert "\x1b" not in "".join(lines)
    with progress_bar("reading", unit=" files") as progress:
        for done in range(1, 4):
            progress(done, 4)
    assert capsys.readouterr().err == "reading: 50%, 00:10 passed, 00:10 left\n"


def test_a_terminal_that_can_only_write_lines_gets_no_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr("ner_lstm_crf.runs.display.DELAY", 0)
    monkeypatch.setenv("TERM", "dumb")
    with progress_bar("reading", unit="B") as progress, closing(TrainingDisplay(3, [""])) as display:
        progress(1, 4)
        display.batches(1, 2)
        display.epoch("", report(1))
    assert "\r" not in terminal.getvalue()
    assert len(terminal.getvalue().splitlines()) == 1


def test_before_the_first_batch_the_bar_says_what_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with closing(TrainingDisplay(3, [""])) as display:
        assert "building the vocabulary, encoding the sentences   0%|" in terminal.getvalue()
        display._bar.mininterval = 0
        display.batches(1, 2)
        assert terminal.getvalue().rpartition("\r")[2].startswith("epoch 1/3  17%|")
