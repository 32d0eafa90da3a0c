"""JSON lines of doccano: the entities under `label`, or under `entities` where a project has relations.

    {"id": 1, "text": "Rome is old", "label": [[0, 4, "LOC"]]}
    {"id": 1, "text": "Rome is old", "entities": [{"id": 7, "label": "LOC", "start_offset": 0, "end_offset": 4}],
     "relations": []}

doccano's offsets are those of JavaScript: a character beyond U+FFFF, such as an emoji, counts as two. They are written
so. `text_json` reads these lines as it reads all texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import Any

from ner_lstm_crf.files.text import FilePath
from ner_lstm_crf.formats.format import Sample
from ner_lstm_crf.formats.options import WriteOptions
from ner_lstm_crf.formats.text_json import ENTITY_KEYS, AnnotatedText, JsonTextFormat

_KEYS = ("label", "entities")


class Doccano(JsonTextFormat):
    """JSON lines of doccano."""

    name = "doccano"
    description = "JSON lines of doccano"

    def detect(self, sample: Sample) -> bool:
        """True if the first line is an object with offsets and labels in lists, or with `start_offset`."""
        content = sample.content or {}
        return isinstance(content.get("text"), str) and any(_is_doccano(content, key) for key in _KEYS)

    def content_of(self, text: AnnotatedText, options: WriteOptions) -> dict[str, object]:
        """The object with the entities under the key that the source has, else under `label`."""
        del options
        units = list(accumulate((1 + (character > "\uffff") for character in text.text), initial=0))
        rest = {key: value for key, value in text.rest.items() if key not in ENTITY_KEYS}
        entities = [(units[one.start], units[one.end], one.label) for one in text.entities]
        content = {"id": text.line, **rest, "text": text.text}
        origin = text.origin if isinstance(text.origin, dict) else {}
        if "relations" not in origin:
            return {**content, "label": [list(one) for one in entities]}
        # Relations name entities by their numbers: those that stay keep theirs.
        old = {(one.get("start_offset"), one.get("end_offset")): one.get("id") for one in origin.get("entities") or ()}
        first = 1 + max((number for number in old.values() if isinstance(number, int)), default=0)
        return content | {
            "entities": [
                {"id": old.get((start, end), number), "label": label, "start_offset": start, "end_offset": end}
                for number, (start, end, label) in enumerate(entities, first)
            ]
        }

    def write_checked(self, path: FilePath, texts: Iterable[AnnotatedText], options: WriteOptions) -> None:
        """Write the lines, each with a number of its own."""
        numbered = (text if text.line else text._replace(line=number) for number, text in enumerate(texts, 1))
        super().write_checked(path, numbered, options)


def _is_doccano(content: Mapping[str, Any], key: str) -> bool:
    """True if the entities under a key have doccano's form; if there are none, the names of the other keys tell."""
    match content.get(key):
        case [[int(), int(), str()], *_]:
            return key == _KEYS[0]
        case [{"start_offset": _, "end_offset": _}, *_]:
            return True
        case []:
            return content.keys() <= {"id", "text", key, "relations", "Comments", "meta"} and "id" in content
        case _:
            return False
