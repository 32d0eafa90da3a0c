"""Single lines of JSON: objects with a text, read with one clear complaint, and any value written."""

from __future__ import annotations

import json
from typing import Any

from ner_lstm_crf.errors import InputError

__all__ = ["json_line", "kind_of", "parse_object", "parse_record"]


def json_line(value: object, encoding: str = "utf-8") -> str:
    r"""A value as one line of JSON, with its line end.

    Characters stand as they are, unless the encoding lacks one: then the line is written with `\u` escapes. So even
    half of a surrogate pair, which JSON may hold and no encoding has, can be written again.

    Raises:
        InputError: If the value is nested too deeply.

    Example:
        >>> json_line({"text": "北京"}), json_line({"text": "\ud83d"})
        ('{"text": "北京"}\n', '{"text": "\\ud83d"}\n')
    """
    try:
        line = json.dumps(value, ensure_ascii=False)
        line.encode(encoding)
    except UnicodeEncodeError:
        line = json.dumps(value)
    except RecursionError:
        raise InputError("expected JSON that can be written, found values nested too deeply") from None
    return line + "\n"


def parse_object(line: str) -> dict[str, Any]:
    """The JSON object of a line.

    Raises:
        InputError: If the line holds anything else; without the place, which the reader adds.
    """
    try:
        content = json.loads(line)
    except json.JSONDecodeError as error:
        hint = ", an array: write one object a line" if line.lstrip().startswith("[") else ""
        message = f"expected one JSON object per line, found no valid JSON: {error.msg} (column {error.colno}){hint}"
        raise InputError(message) from None
    except RecursionError:
        raise InputError("expected one JSON object per line, found values nested too deeply") from None
    except ValueError:  # Python's limit for the digits of whole numbers
        raise InputError("expected one JSON object per line, found a number with too many digits") from None
    if not isinstance(content, dict):
        raise InputError(f"expected one JSON object per line, found {kind_of(content)}")
    return content


def parse_record(line: str) -> dict[str, Any]:
    """The JSON object of a line, with a string under the key `text`.

    Raises:
        InputError: If the line holds anything else; without the place, which the reader adds.
    """
    content = parse_object(line)
    if not isinstance(content.get("text"), str):
        if "text" in content:
            raise InputError(f"expected a string under the key 'text', found {kind_of(content['text'])}")
        raise InputError(f"expected a string under the key 'text' (keys found: {', '.join(content) or 'none'})")
    return content


def kind_of(value: object) -> str:
    """What a JSON value is, for people: `a list`."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
