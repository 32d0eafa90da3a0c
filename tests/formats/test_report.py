from __future__ import annotations

import pytest

from ner_lstm_crf.formats.report import ReadReport, some_lines, warn_of_losses, warn_of_missing_labels
from ner_lstm_crf.tags.labels import LabelMap


def test_line_numbers_for_people():
    assert some_lines([3, 18]) == "3, 18"
    assert some_lines(range(1, 15)) == "1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 4 more"


def test_losses_are_warnings_with_their_lines(caplog: pytest.LogCaptureFixture) -> None:
    report = ReadReport(cut=[3], dropped=[4, 9], unannotated=[5])
    warn_of_losses("x.jsonl", report)
    assert [message.partition(" entities")[0] for message in caplog.messages[:2]] == ["x.jsonl: 1", "x.jsonl: 2"]
    assert [message.rpartition("lines ")[2] for message in caplog.messages] == ["3", "4, 9", "5"]
    caplog.clear()
    warn_of_losses("x.jsonl", report, read_tags=False)  # then nothing is to be said of entities
    assert len(caplog.messages) == 2
    caplog.clear()
    warn_of_losses("x.jsonl", ReadReport())
    assert caplog.messages == []


def test_labels_that_never_came_are_named(caplog: pytest.LogCaptureFixture) -> None:
    report = ReadReport()
    report.labels.update(["person", "LOC"])
    warn_of_missing_labels("x", LabelMap.parse("PER,LOC", ["person=PER"]), report)
    assert caplog.messages == []
    warn_of_missing_labels("x", LabelMap.parse("PER,LOC"), report)
    assert caplog.messages == ["x: no entity is labelled PER (labels found: LOC, person)"]
