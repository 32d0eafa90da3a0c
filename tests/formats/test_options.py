"""The options of reading, and the findings that are logged."""

from __future__ import annotations

import pytest

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.formats.columns import ColumnLayout
from ner_lstm_crf.formats.options import ReadOptions, ReadReport, some_lines
from ner_lstm_crf.tags.labels import LabelMap


def test_unknown_units_and_separators_are_refused() -> None:
    with pytest.raises(InputError, match="expected as token_unit one of word, character, found 'char'"):
        ReadOptions(token_unit="char")
    with pytest.raises(InputError, match="expected as separator one of tab, space, comma, semicolon, found ','"):
        ReadOptions(separator=",")
    with pytest.raises(TypeError, match=r"see LabelMap\.parse"):
        ReadOptions(labels=["PER"])
    with pytest.raises(TypeError, match="got a string"):
        LabelMap(keep="PER")


def test_line_numbers_for_people() -> None:
    assert (some_lines([3]), some_lines([3, 18])) == ("line 3", "lines 3, 18")
    assert some_lines(range(1, 15)) == "lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 4 more"


def test_findings_are_warnings_with_their_lines(caplog: pytest.LogCaptureFixture) -> None:
    report = ReadReport(scheme="IOB2", ill_formed=[1, 2], cut=[3], dropped=[4, 9], unannotated=[5], reduced=[6])
    report.warn("x.jsonl", ReadOptions())
    assert caplog.messages[0].startswith("x.jsonl: 2 tags against IOB2, read by the policy conlleval: ")
    assert caplog.messages[1].startswith("x.jsonl: 1 entity with a begin or an end within a word")
    assert caplog.messages[2].startswith("x.jsonl: 2 entities left out")
    assert [message.rpartition(": ")[2] for message in caplog.messages] == [
        "lines 1, 2",
        "line 3",
        "lines 4, 9",
        "line 5",
    ]
    caplog.clear()
    report.warn("x.jsonl", ReadOptions(read_tags=False), ill_formed=False)  # then no entities are no finding
    assert [message.rpartition(": ")[2] for message in caplog.messages] == ["line 3", "lines 4, 9"]
    caplog.clear()
    report.warn("x.jsonl", ReadOptions(), rewritten=True)
    assert "x.jsonl: of entities only start, end and label are kept, not what else they hold: line 6" in caplog.messages
    caplog.clear()
    ReadReport().warn("x.jsonl", ReadOptions())
    assert caplog.messages == []


@pytest.mark.parametrize("separator", ["tab", "space"])
def test_ragged_rows_matter_where_spaces_separate(separator: str, caplog: pytest.LogCaptureFixture) -> None:
    ReadReport(layout=ColumnLayout(0, 1, 2, separator), ragged=[7]).warn("x", ReadOptions())
    expected = ["x: rows with fewer or more columns than most, which have 2: line 7"]
    assert caplog.messages == (expected if separator == "space" else [])


def test_labels_to_keep_that_never_come_are_named(caplog: pytest.LogCaptureFixture) -> None:
    report = ReadReport()
    report.labels.update(["person", "LOC"])
    report.warn("x", ReadOptions(labels=LabelMap.parse("PER,LOC", ["person=PER"])))
    assert caplog.messages == []
    report.warn("x", ReadOptions(labels=LabelMap.parse("PER,LOC")))
    assert caplog.messages == ["x: no entity is labelled PER (labels found: LOC, person), did you mean person?"]
    caplog.clear()
    report.warn("x", ReadOptions(labels=LabelMap.parse(None, ["persn=PER,LOC=PLACE", "=GENE"])))
    assert caplog.messages == [
        "x: no entity is labelled persn, to be renamed (labels found: LOC, person), did you mean person?",
        "x: no tag is a prefix alone, to be renamed (labels found: LOC, person)",
    ]
