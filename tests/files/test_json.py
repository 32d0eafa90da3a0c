"""Lines of JSON: whatever a value holds it is written so that it is read again, and what is no record is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.json import json_line, parse_record

ANY_TEXT = st.text(st.characters(), max_size=20)  # surrogates too
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(VALUES, st.sampled_from(["utf-8", "latin-1", "gb18030", "utf-16"]))
def test_what_is_written_is_read_again_in_any_encoding(value: object, encoding: str) -> None:
    line = json_line(value, encoding)
    assert line.endswith("\n")
    assert "\n" not in line[:-1]
    assert json.loads(line.encode(encoding).decode(encoding)) == value


def test_characters_stand_as_they_are_where_they_can() -> None:
    assert json_line({"text": "北京"}) == '{"text": "北京"}\n'
    assert json_line({"text": "北京"}, "latin-1") == '{"text": "\\u5317\\u4eac"}\n'
    assert json_line({"text": "\ud83d é"}) == '{"text": "\\ud83d \\u00e9"}\n'


def test_what_is_nested_too_deeply_to_be_written_is_refused() -> None:
    value: list[object] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(InputError, match="nested too deeply"):
        json_line(value)
    while value:
        value = value.pop()  # type: ignore[assignment]  # else freeing it would recurse as deeply


def test_a_record_keeps_its_keys_in_order() -> None:
    assert list(parse_record('{"id": 7, "text": "", "meta": {"a": []}}').items()) == [
        ("id", 7),
        ("text", ""),
        ("meta", {"a": []}),
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"text": "a"', "found no valid JSON: .* \\(column 13\\)"),
        ('["text"]', "expected one JSON object per line, found a list"),
        ("3", "found a number"),
        ("true", "found a boolean"),
        ('{"text": 3, "id": 1}', "a string under the key 'text', found a number"),
        ("{}", "keys found: none"),
        ('{"text": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deeply"),
        ('{"text": "a", "n": ' + "1" * 5000 + "}", "a number with too many digits"),
    ],
)
def test_what_is_no_record_is_refused(line: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse_record(line)
