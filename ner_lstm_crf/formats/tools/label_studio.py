"""JSON of Label Studio: one array of tasks, each with its data, and annotations or predictions.

    [{"id": 1, "data": {"text": "Rome is old"}, "annotations": [{"result": [{"id": "e1", "from_name": "label",
      "to_name": "text", "type": "labels", "value": {"start": 0, "end": 4, "text": "Rome", "labels": ["LOC"]}}]}]}]

What is written can be imported by a project whose labelling interface is that of the template for named entities, with
`<Labels name="label" toName="text">` and `<Text name="text" value="$text"/>`: annotations, or predictions for what a
model found. Of a task that was read, the data and the names of its interface are kept. Label Studio counts code points;
older versions counted UTF-16 units, which the texts of regions show. JSON_MIN, which it only exports, is read, too, and
written as tasks. `text_json` reads both as it reads all texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import fmean
from typing import Any

from ner_lstm_crf.files.json import json_text
from ner_lstm_crf.files.text import FilePath, writing
from ner_lstm_crf.formats.format import Sample
from ner_lstm_crf.formats.options import WriteOptions
from ner_lstm_crf.formats.text_json import AnnotatedText, JsonTextFormat, are_regions, text_key_of

_OF_MIN = {"annotation_id", "annotator", "lead_time", "created_at", "updated_at"}  # beside the data, in JSON_MIN


class LabelStudio(JsonTextFormat):
    """JSON of Label Studio."""

    name = "label-studio"
    description = "JSON of Label Studio"

    def detect(self, sample: Sample) -> bool:
        """True if the first object is a task, or has regions or an annotator as JSON_MIN has."""
        value = sample.value
        if not isinstance(value, dict):
            return False
        if isinstance(value.get("data"), dict):
            return any(key in value for key in ("annotations", "completions", "predictions"))
        has_regions = any(isinstance(one, list) and are_regions(one) for one in value.values())
        return has_regions or {"annotation_id", "annotator"} <= value.keys()

    def content_of(self, text: AnnotatedText, options: WriteOptions) -> dict[str, object]:
        """The task with one annotation, or with one prediction."""
        origin = text.origin if isinstance(text.origin, dict) else {}
        data, task = origin.get("data"), dict[str, object]()
        if isinstance(data, dict):
            task = {key: value for key, value in origin.items() if key not in ("annotations", "completions")}
            task["data"] = {**data, text_key_of(data): text.text}
        else:
            rest = {key: value for key, value in text.rest.items() if key not in {"id", *_OF_MIN}}
            task["data"] = {**rest, "text": text.text}
        from_name, to_name = _names_of(origin)
        regions = [
            {
                "id": f"e{number}",
                "from_name": from_name,
                "to_name": to_name,
                "type": "labels",
                "value": {"start": one.start, "end": one.end, "text": one.text, "labels": [one.label]},
                **({} if one.score is None else {"score": round(one.score, 4)}),
            }
            for number, one in enumerate(text.entities, 1)
        ]
        if not options.are_predicted:
            return {**task, "annotations": [{"result": regions}]}
        scores = [one.score for one in text.entities if one.score is not None]
        mean = {"score": round(fmean(scores), 4)} if scores else {}
        return {**task, "predictions": [{"model_version": "ner_lstm_crf", **mean, "result": regions}]}

    def write_checked(self, path: FilePath, texts: Iterable[AnnotatedText], options: WriteOptions) -> None:
        """Write the tasks as one array, a line for each."""
        before = "[\n"
        with writing(path, options.encoding) as out:
            for text in texts:
                out.write(before + json_text(self.content_of(text, options), options.encoding))
                before = ",\n"
            out.write("[]\n" if before == "[\n" else "\n]\n")


def _names_of(task: Mapping[str, Any]) -> tuple[str, str]:
    """The names of the labels and of the text in the interface that a task was annotated in."""
    for kind in ("annotations", "completions", "predictions"):
        for one in task.get(kind) or ():
            for region in one.get("result") or () if isinstance(one, dict) else ():
                match region:
                    case {"from_name": str(from_name), "to_name": str(to_name), "value": {"labels": _}}:
                        return from_name, to_name
    return "label", "text"
