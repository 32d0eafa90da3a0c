"""JSON as text: values written in any encoding, and read with one clear error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ner_lstm_crf.errors import InputError


def json_text(value: object, encoding: str = "utf-8", *, indent: int | None = None, compact: bool = False) -> str:
    r"""A value as JSON.

    Characters stay as they are unless the encoding lacks one: then all are written as `\u` escapes. So even half of
    a surrogate pair can be written, which JSON allows and no encoding has.

    Args:
        value: Dictionaries, lists, strings, numbers.
        encoding: The encoding in which the text will be written.
        indent: Spaces per level; all on one line if None.
        compact: True for no spaces at all.

    Raises:
        InputError: If the value is nested too deeply.
    """
    separators = (",", ":") if compact else None
    try:
        text = json.dumps(value, ensure_ascii=False, indent=indent, separators=separators)
        text.encode(encoding)
    except UnicodeEncodeError:
        return json.dumps(value, indent=indent, separators=separators)
    except RecursionError:
        raise InputError("expected JSON that can be written, found values nested too deeply") from None
    return text


def json_line(value: object, encoding: str = "utf-8") -> str:
    r"""A value as one line of JSON with its line end; see `json_text`.

    Example:
        >>> json_line({"text": "北京"}), json_line({"text": "\ud83d"})
        ('{"text": "北京"}\n', '{"text": "\\ud83d"}\n')
    """
    return json_text(value, encoding) + "\n"


def parse_json(text: str, path: Path, what: str = "model", *, line: int | None = None) -> Any:
    """The value of a JSON text that was read from a file (or from one of its lines) that is part of `what`.

    Raises:
        InputError: If the text is not JSON.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"the {what} is damaged: {error}", path=path, line=line) from error


def parse_object(line: str) -> dict[str, Any]:
    """The JSON object of a line.

    Raises:
        InputError: If the line holds anything else; without path and line, which the reader adds.
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
        InputError: If the line holds anything else; without path and line, which the reader adds.
    """
    content = parse_object(line)
    if not isinstance(content.get("text"), str):
        if "text" in content:
            raise InputError(f"expected a string under the key 'text', found {kind_of(content['text'])}")
        raise InputError(f"expected a string under the key 'text' (keys found: {', '.join(content) or 'none'})")
    return content


def kind_of(value: object) -> str:
    """The kind of a JSON value in words: `a list`."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
