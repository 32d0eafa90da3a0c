"""JSON lines of running text in the style of CLUENER: the entities by label and name, their ends inclusive.

    {"text": "罗马很老", "label": {"address": {"罗马": [[0, 1]]}}}

`text_json` reads these lines as it reads all texts.
"""

from __future__ import annotations

from ner_lstm_crf.formats.format import Sample
from ner_lstm_crf.formats.options import WriteOptions
from ner_lstm_crf.formats.text_json import ENTITY_KEYS, AnnotatedText, JsonTextFormat


class Cluener(JsonTextFormat):
    """JSON lines of texts in the style of CLUENER. Without a unit Chinese ones are read as characters."""

    name = "cluener"
    description = "JSON lines of texts, in the style of CLUENER"
    prefers_characters = True

    def detect(self, sample: Sample) -> bool:
        """True if the first line is an object with a text and an object of entities."""
        content = sample.content or {}
        value = next((content[key] for key in ENTITY_KEYS if content.get(key) is not None), None)
        return isinstance(content.get("text"), str) and isinstance(value, dict)

    def content_of(self, text: AnnotatedText, options: WriteOptions) -> dict[str, object]:
        """The object with names and offsets by label, under `label`."""
        del options
        labels: dict[str, dict[str, list[list[int]]]] = {}
        for entity in text.entities:
            labels.setdefault(entity.label, {}).setdefault(entity.text, []).append([entity.start, entity.end - 1])
        # Another key for entities would be read in place of `label`.
        rest = {key: value for key, value in text.rest.items() if key not in ENTITY_KEYS}
        return {**rest, "text": text.text, "label": labels}
