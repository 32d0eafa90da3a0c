"""Lines of JSON: whatever a value holds it is written so that it is read again, and what is no record is refused."""

from __future__ import annotations

import json
import re
from itertools import chain, repeat
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.json import LONGEST_VALUE, as_object, as_record, json_line, json_values, parse_json

ANY_TEXT = st.text(st.characters(), max_size=20)  # surrogates too
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=8,
)


def parse_record(line: str) -> dict[str, object]:
    """The record of a line that is not the first of its file."""
    (_, _), (_, value) = json_values(["{}\n", line])
    return as_record(as_object(value))


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
        ('{"text": "a", "n": 1e400}', "1e400, which is beyond all numbers"),
        ('{"text": "a", "text": "b"}', "the key 'text' stands twice in one object"),
    ],
)
def test_what_is_no_record_is_refused(line: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse_record(line)


def test_what_python_writes_for_no_number_is_kept_where_it_does_no_harm() -> None:
    assert json_line(parse_record('{"text": "a", "score": NaN}')) == '{"text": "a", "score": NaN}\n'


@pytest.mark.parametrize(
    "text", ["", "[", "{'a': 1}", "NaN", "-1e400", "1" * 5000, "[" * 100_000, '{"a": 1, "a": 2}', "\ufeff1"]
)
def test_whatever_is_damaged_is_one_line_with_its_path(text: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^[^\n]*x\.json: the run is damaged: [^\n]*$"):
        parse_json(text, tmp_path / "x.json", "run")


# Files of many values


@given(st.lists(VALUES, max_size=4), st.sampled_from([None, 1, "\t"]), st.integers(1, 30))
def test_the_items_of_an_array_are_read_whatever_the_pieces(
    values: list[object], indent: int | None, size: int
) -> None:
    text = json.dumps(values, indent=indent)
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    assert [value for _, value in json_values(pieces)] == values


@given(st.lists(st.dictionaries(ANY_TEXT, VALUES, min_size=1, max_size=3), max_size=4), st.sampled_from([None, 1]))
def test_objects_are_read_one_a_line_or_over_several_each_with_its_line(
    values: list[object], indent: int | None
) -> None:
    texts = [json.dumps(value, indent=indent) + "\n" for value in values]
    lines = "".join(texts).splitlines(keepends=True)
    expected, line = [], 1
    for text, value in zip(texts, values, strict=True):
        expected.append((line, value))
        line += text.count("\n")
    assert list(json_values(lines)) == expected


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("[1,\n2", 2, "expected ']' at the end of the array, found the end of the file"),
        ("[1,\n2] 3", 2, "expected nothing behind the end of the JSON array"),
        ("[1,\n2 3]", 2, "expected a comma between the items of an array, found '3'"),
        ('[1,\n{"a": x}]', 2, "found no valid JSON: Expecting value"),
        ('[\n{"a": 1,\n"a": 2}]', 2, "the key 'a' stands twice"),
        ('{"a": 1}\n{"a":', 2, "found no valid JSON"),
        ('{\n"a": 1\n}\n]', 4, "expected nothing behind"),
        ('{"a": 1}\n\n{"a": ' + "[" * 100_000, 3, "nested too deeply"),
    ],
)
def test_what_is_wrong_in_a_file_of_many_values_and_where(text: str, line: int, said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)) as caught:
        list(json_values(text.splitlines(keepends=True)))
    assert caught.value.line == line


def test_a_byte_order_mark_where_files_were_joined_is_passed_over() -> None:
    assert list(json_values(['{"a": 1}\n', '\ufeff{"b": 2}\n'])) == [(1, {"a": 1}), (2, {"b": 2})]


@pytest.mark.parametrize("begin", ["[", ""])
def test_a_value_that_would_fill_the_memory_is_refused(begin: str) -> None:
    pieces = chain([begin + '{"a": "'], repeat("b" * 2**20))
    with pytest.raises(InputError, match=f"expected at most {LONGEST_VALUE:,} characters"):
        next(json_values(pieces))


def test_a_message_is_one_line_whatever_stands_in_the_file(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        parse_record('{"a\\nb\\u001b[2J\\ud800": 1}')
    error = caught.value.at(tmp_path / "x\ny.jsonl", 3)
    assert str(error) == (
        f"{tmp_path}/x\\ny.jsonl:3: expected a string under the key 'text' (keys found: a\\nb\\x1b[2J\\ud800)"
    )


def test_lines_of_lists_are_values_and_a_list_alone_holds_them() -> None:
    assert list(json_values(['["a", {}]\n', "\n", '["b", {}]\n'])) == [(1, ["a", {}]), (3, ["b", {}])]
    assert list(json_values(['["a", {}]\n', "\n"])) == [(1, "a"), (1, {})]
    assert list(json_values(["[[1]\n", ",[2]]\n"])) == [(1, [1]), (2, [2])]
