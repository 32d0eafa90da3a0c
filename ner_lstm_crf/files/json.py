"""JSON as text: values written in any encoding, and read with one clear error."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from json import JSONDecodeError
from math import isinf
from pathlib import Path
from typing import Any, NoReturn

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.encodings import BYTE_ORDER_MARK

LONGEST_VALUE = 2**24
"""The most characters that one value of a file of many may have. All of a value is in memory at once."""

_SPACE = re.compile(r"\s*")
_PIECE = 2**16  # characters that are read at once
_LONGEST_SIGN = len("-Infinity")
_MOST_KEYS, _LONGEST_KEY = 12, 40  # of an object, in a message
_MOST_BLANK = 1000  # lines below the first one that are looked at for the second

_EXPECTED = "expected one JSON object per line"


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
        InputError: If the text is not JSON, or holds a number that is infinite or none.
    """
    try:
        return _decode(_STRICT, text)[0]
    except JSONDecodeError as error:
        raise InputError(f"the {what} is damaged: {error}", path=path, line=line) from error
    except InputError as error:
        raise InputError(f"the {what} is damaged: {error.message}", path=path, line=line) from error


def as_object(value: object) -> dict[str, Any]:
    """A JSON value, refused unless it is an object.

    Raises:
        InputError: If it is none; without path and line, which the reader adds.
    """
    if not isinstance(value, dict):
        raise InputError(f"expected one JSON object per line, found {kind_of(value)}")
    return value


def as_record(content: dict[str, Any], key: str = "text") -> dict[str, Any]:
    """A JSON object, refused unless it has a string under the key `text`, or another one.

    Raises:
        InputError: If it has none; without path and line, which the reader adds.
    """
    if not isinstance(content.get(key), str):
        found = f", found {kind_of(content[key])}" if key in content else f" ({keys_of(content)})"
        raise InputError(f"expected a string under the key {key!r}{found}")
    return content


def json_values(pieces: Iterable[str]) -> Iterator[tuple[int, Any]]:
    r"""The values of a file of JSON lines; or the items of a file that is one array; or objects over several lines.

    Args:
        pieces: The lines of the file, with their ends; long ones may be cut into several.

    Yields:
        The line in which a value begins, from 1, and the value.

    Raises:
        InputError: If the file is none of these, or a value has more than `LONGEST_VALUE` characters; with the line,
            and without path, which the reader adds.

    Example:
        >>> list(json_values(['{"a": 1}\n', "\n", '{"a": 2}\n'])), list(json_values(["[1,\n", "2]"]))
        ([(1, {'a': 1}), (3, {'a': 2})], [(1, 1), (2, 2)])
    """
    remaining, number = iter(pieces), 1
    # 1. The first value shows which of them the file is.
    first = next(remaining, "")
    while first.isspace():
        first, number = next(remaining, ""), number + first.count("\n")
    if not first:
        return
    first = first.removeprefix(BYTE_ORDER_MARK)
    ahead = [first]
    if first.startswith("[") and first.rstrip(" \t\r").endswith("]\n"):  # a list on a line: is it the only one?
        for piece in islice(remaining, _MOST_BLANK):
            ahead.append(piece)
            if not piece.isspace():
                break
    are_lists = len(ahead) > 1 and ahead[-1].startswith("[")
    remaining = chain(ahead, remaining)
    if (first.lstrip()[:1] == "[" and not are_lists) or _goes_on(first):
        yield from _Stream(remaining, number).values()
        return
    # 2. JSON lines.
    for line_number, line in _whole_lines(remaining, number):
        if line.isspace():
            continue
        try:
            yield line_number, _parse_line(line.removeprefix(BYTE_ORDER_MARK))
        except InputError as error:
            raise error.at(line=line_number) from None


def keys_of(content: Mapping[str, Any]) -> str:
    """The keys of an object, as an error message shows them."""
    keys = ", ".join(key[:_LONGEST_KEY] for key in islice(content, _MOST_KEYS)) or "none"
    return f"keys found: {keys}{', ...' if len(content) > _MOST_KEYS else ''}"


def kind_of(value: object) -> str:
    """The kind of a JSON value in words: `a list`."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def quoted_json(value: object, most: int = 80) -> str:
    """A value of a file as an error message shows it: as it stands there, on one line, cut if it is long."""
    text = json_text(value)
    return text if len(text) <= most else f"{text[:most]}..."


# Parsing: Python's parser, its errors in one line, and nothing read that another program would read otherwise.


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object, whose keys must be different: of two values under one key another program may read the other."""
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for number, key in enumerate(keys) if key in keys[:number])
        raise InputError(f"the key {twice[:80]!r} stands twice in one object")
    return content


def _no_number(name: str) -> NoReturn:
    raise InputError(f"{name} is no number of JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    return _no_number(f"{digits[:20]}, which is beyond all numbers that a computer holds,") if isinf(number) else number


# NaN, which Python's programs write into their data, is read where it does no harm, and written again.
_PARSER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_finite)
_STRICT = json.JSONDecoder(object_pairs_hook=_object, parse_float=_finite, parse_constant=_no_number)


def _decode(parser: json.JSONDecoder, text: str, start: int | None = None) -> tuple[Any, int]:
    """The value of a text, or the one that begins at `start`; and where it ends.

    Raises:
        JSONDecodeError: If there is none.
        InputError: If Python cannot hold it, or an object has a key twice.
    """
    try:
        return (parser.decode(text), len(text)) if start is None else parser.raw_decode(text, start)
    except (JSONDecodeError, InputError):
        raise
    except RecursionError:
        raise InputError("values nested too deeply") from None
    except ValueError:  # Python's limit for the digits of whole numbers
        raise InputError("a number with too many digits") from None


def _parse_line(line: str) -> Any:
    """The value of a line."""
    try:
        return _decode(_PARSER, line)[0]
    except JSONDecodeError as error:
        raise InputError(f"{_EXPECTED}, found no valid JSON: {error.msg} (column {error.colno})") from None
    except InputError as error:
        raise InputError(f"{_EXPECTED}, found {error.message}") from None


def _whole_lines(pieces: Iterable[str], number: int) -> Iterator[tuple[int, str]]:
    """The lines of which these are the pieces, with their numbers, of which this is the first."""
    parts, length = list[str](), 0
    for piece in pieces:
        parts.append(piece)
        length += len(piece)
        if length > LONGEST_VALUE:
            message = f"expected at most {LONGEST_VALUE:,} characters in one line: cut its text into several"
            raise InputError(message, line=number)
        if piece.endswith("\n"):
            yield number, "".join(parts)
            parts, length, number = [], 0, number + 1
    if parts:
        yield number, "".join(parts)


def _goes_on(line: str) -> bool:
    """True if a line is the beginning of an object that is written over several."""
    if line.startswith("{") and line.rstrip().endswith(("{", "[", ",")):
        with suppress(InputError):
            try:
                _decode(_PARSER, line)
            except JSONDecodeError as error:
                return error.pos >= len(line.rstrip())
    return False


@dataclass(slots=True)
class _Stream:
    """Values that are read while their text comes in pieces; only one of them is in memory.

    Attributes:
        pieces: The text that has not been read.
        line: The line at which reading is.
        held: The text that has been read and holds the next value.
        at: The offset in it at which reading is.
    """

    pieces: Iterator[str]
    line: int
    held: str = ""
    at: int = 0

    def values(self) -> Iterator[tuple[int, Any]]:
        """The items of an array, or values one after another, each with its line."""
        is_array = self._sign() == "["
        self.at += is_array
        while (sign := self._sign()) not in ("", "]"):
            value, end = self._value()
            yield self.line, value
            self._pass_to(end)
            if is_array and (sign := self._sign()) == ",":
                self.at += 1
            elif is_array and sign not in ("", "]"):
                raise self._error(f"expected a comma between the items of an array, found {sign!r}")
        if not is_array and not sign:
            return
        if not sign:
            raise self._error("expected ']' at the end of the array, found the end of the file")
        self.at += 1
        if not is_array or self._sign():
            raise self._error("expected nothing behind the end of the JSON array, found more")

    def _value(self) -> tuple[Any, int]:
        """The next value and its end in `held`, for which more is read as long as it goes on."""
        while True:
            try:
                value, end = _decode(_PARSER, self.held, self.at)
                if end < len(self.held) or not self._read():
                    return value, end
            except JSONDecodeError as error:
                is_cut = error.msg.startswith("Unterminated") or error.pos + _LONGEST_SIGN >= len(self.held)
                if is_cut and self._read():
                    continue
                self._pass_to(error.pos)
                raise self._error(f"found no valid JSON: {error.msg}") from None
            except InputError as error:
                raise self._error(f"found {error.message}") from None

    def _sign(self) -> str:
        """The next character that is no white space, at which reading then is; "" at the end."""
        while True:
            self._pass_to(_SPACE.match(self.held, self.at).end())  # type: ignore[union-attr]  # it matches anything
            if self.at < len(self.held):
                return self.held[self.at]
            if not self._read():
                return ""

    def _pass_to(self, offset: int) -> None:
        self.line += self.held.count("\n", self.at, offset)
        self.at = offset

    def _read(self) -> bool:
        """Read on, at least as much as is held: so a long value is not parsed too often. False at the end."""
        rest = self.held[self.at :]
        if len(rest) > LONGEST_VALUE:
            raise self._error(f"expected at most {LONGEST_VALUE:,} characters in one item of the array")
        new, length = list[str](), 0
        for piece in self.pieces:
            new.append(piece)
            length += len(piece)
            if length >= max(len(rest), _PIECE):
                break
        if new:
            self.held, self.at = "".join([rest, *new]), 0
        return bool(new)

    def _error(self, message: str) -> InputError:
        return InputError(message, line=self.line)
