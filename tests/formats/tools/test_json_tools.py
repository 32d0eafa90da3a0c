"""doccano, Label Studio and Prodigy: what each of them writes is read, and what is written is what each takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.formats.options import ReadOptions, ReadReport, WriteOptions
from ner_lstm_crf.formats.registry import convert, detect_format, read_sentences
from ner_lstm_crf.formats.text_json import AnnotatedText
from ner_lstm_crf.formats.tools.doccano import Doccano
from ner_lstm_crf.formats.tools.label_studio import LabelStudio
from ner_lstm_crf.formats.tools.prodigy import Prodigy
from ner_lstm_crf.tags.labels import LabelMap
from ner_lstm_crf.text.annotation import Entity


def lines(folder: Path, *records: object, name: str = "x.jsonl") -> Path:
    (folder / name).write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records))
    return folder / name


def again(path: Path, **options: Any) -> list[Any]:
    """The records of a file that is written again by its own format."""
    target = path.with_name("again" + path.suffix)
    convert(path, target, options=ReadOptions(**options), report=ReadReport())
    text = target.read_text()
    return json.loads(text) if text.startswith("[\n") else [json.loads(line) for line in text.splitlines()]


# doccano

RELATIONS = {
    "id": 4,
    "text": "😀 Ada met Lu in Oslo.",
    "entities": [
        {"id": 11, "label": "PER", "start_offset": 3, "end_offset": 6},
        {"id": 12, "label": "PER", "start_offset": 11, "end_offset": 13},
        {"id": 13, "label": "LOC", "start_offset": 17, "end_offset": 21},
    ],
    "relations": [{"id": 3, "from_id": 11, "to_id": 12, "type": "met"}],
    "Comments": [],
}


def test_the_two_exports_of_doccano_are_read_and_written_again_as_they_were(tmp_path: Path) -> None:
    plain = {"id": 3, "text": "Ada met Lu.", "label": [[0, 3, "PER"], [8, 10, "PER"]], "Comments": ["sure?"]}
    for record, covered in ((plain, ["Ada", "Lu"]), (RELATIONS, ["Ada", "Lu", "Oslo"])):
        path = lines(tmp_path, record)
        assert detect_format(path).name == "doccano"
        assert [entity.text for entity in Doccano().read_texts(path)[0].entities] == covered
        assert again(path) == [record]


def test_entities_that_stay_keep_their_numbers_for_the_relations_of_doccano(tmp_path: Path) -> None:
    (record,) = again(lines(tmp_path, RELATIONS), labels=LabelMap.parse("PER", []))
    assert record["relations"] == RELATIONS["relations"]
    assert [(one["id"], one["label"]) for one in record["entities"]] == [(11, "PER"), (12, "PER")]


def test_doccano_counts_an_emoji_as_two(tmp_path: Path) -> None:
    text = AnnotatedText("😀王小明", (Entity(1, 4, "PER", "王小明"),))
    Doccano().write_texts(tmp_path / "x.jsonl", [text, text])
    first, second = (json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines())
    assert (first["id"], second["id"], first["label"]) == (1, 2, [[2, 5, "PER"]])
    assert Doccano().read_texts(tmp_path / "x.jsonl")[0].entities == text.entities


# Label Studio

VALUE = {"start": 0, "end": 3, "text": "Ada", "labels": ["PER"]}
REGION = {"id": "a1B", "from_name": "ner", "to_name": "review", "type": "labels", "origin": "manual", "value": VALUE}
TASK = {
    "id": 7,
    "annotations": [
        {"id": 9, "completed_by": 1, "was_cancelled": True, "result": []},
        {
            "id": 10,
            "completed_by": 1,
            "was_cancelled": False,
            "ground_truth": False,
            "lead_time": 4.2,
            "result": [REGION, {"type": "relation", "from_id": "a1B", "to_id": "a1B", "direction": "right"}],
        },
    ],
    "drafts": [],
    "predictions": [{"result": [{**REGION, "value": {**VALUE, "end": 9, "text": "Ada sings"}}], "score": 0.1}],
    "data": {"review": "Ada sings.", "stars": 5},
    "meta": {},
    "total_annotations": 1,
}


def test_a_task_is_written_again_with_its_data_and_the_names_of_its_interface(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps([TASK], indent=2))
    assert detect_format(path).name == "label-studio"
    (record,) = again(path, labels=LabelMap.parse(None, ["PER=person"]))
    assert {key: record[key] for key in ("id", "data", "meta")} == {key: TASK[key] for key in ("id", "data", "meta")}
    ((region,),) = [one["result"] for one in record["annotations"]]
    assert (region["from_name"], region["to_name"], region["type"]) == ("ner", "review", "labels")
    assert region["value"] == {"start": 0, "end": 3, "text": "Ada", "labels": ["person"]}


def test_predictions_are_read_where_there_are_no_annotations_at_all(tmp_path: Path) -> None:
    only = {"data": {"text": "Ada sings."}, "predictions": [{"result": [REGION], "model_version": "x"}]}
    assert [one.text for one in LabelStudio().read_texts(lines(tmp_path, only))[0].entities] == ["Ada"]
    report = ReadReport()
    waiting = {**only, "annotations": []}
    assert LabelStudio().read_texts(lines(tmp_path, waiting), report=report)[0].entities == ()
    assert report.unannotated == [1]
    differing = {**only, "predictions": [*only["predictions"], {"result": []}]}
    with pytest.raises(InputError, match="2 predictions of one text differ"):
        LabelStudio().read_texts(lines(tmp_path, differing))


def test_json_min_becomes_tasks_that_can_be_imported(tmp_path: Path) -> None:
    record = {"id": 1, "text": "Ada sings.", "stars": 5, "label": [VALUE], "annotator": 1, "annotation_id": 3}
    times = {"created_at": "2024-01-01T00:00:00Z", "updated_at": "2024-01-01T00:00:00Z", "lead_time": 3.1}
    path = tmp_path / "x.json"
    path.write_text(json.dumps([record | times, {"id": 2, "text": "Nobody.", "annotator": 1, "annotation_id": 4}]))
    first, second = again(path)
    assert first["data"] == {"text": "Ada sings.", "stars": 5}
    assert [region["value"] for region in first["annotations"][0]["result"]] == [VALUE]
    assert (second["data"], second["annotations"]) == ({"text": "Nobody."}, [{"result": []}])


def test_label_studio_counts_code_points_and_its_old_versions_are_seen_by_the_texts(tmp_path: Path) -> None:
    text, entity = "😀 Ada", Entity(2, 5, "PER", "Ada")
    LabelStudio().write_texts(tmp_path / "x.json", [AnnotatedText(text, (entity,))])
    assert '"start": 2, "end": 5' in (tmp_path / "x.json").read_text()
    report = ReadReport()
    old = {"data": {"text": text}, "completions": [{"result": [{"value": {**VALUE, "start": 3, "end": 6}}]}]}
    assert LabelStudio().read_texts(lines(tmp_path, old), report=report)[0].entities == (entity,)
    assert report.utf_16 == [1]


def test_what_a_model_found_is_a_prediction_with_scores(tmp_path: Path) -> None:
    texts = [AnnotatedText("Ada", (Entity(0, 3, "PER", "Ada", 0.75),)), AnnotatedText("Nobody")]
    LabelStudio().write_texts(tmp_path / "x.json", texts, WriteOptions(are_predicted=True))
    first, second = json.loads((tmp_path / "x.json").read_text())
    ((prediction,), (nothing,)) = first["predictions"], second["predictions"]
    assert (prediction["score"], prediction["result"][0]["score"], nothing["result"]) == (0.75, 0.75, [])
    assert "annotations" not in first
    LabelStudio().write_texts(tmp_path / "x.json", [])
    assert json.loads((tmp_path / "x.json").read_text()) == []


# Prodigy

TOKENS = [
    {"text": "Ada", "start": 0, "end": 3, "id": 0, "ws": True},
    {"text": "sings", "start": 4, "end": 9, "id": 1, "ws": False},
    {"text": ".", "start": 9, "end": 10, "id": 2, "ws": False},
]
ANSWER = {
    "text": "Ada sings.",
    "meta": {"source": "news"},
    "_input_hash": -12,
    "_task_hash": 34,
    "tokens": TOKENS,
    "_view_id": "ner_manual",
    "spans": [{"start": 0, "end": 3, "token_start": 0, "token_end": 0, "label": "PER"}],
    "answer": "accept",
    "_timestamp": 1700000000,
}


def test_answers_of_prodigy_are_read_and_written_again_with_their_hashes(tmp_path: Path) -> None:
    rejected = ANSWER | {"answer": "reject"}
    path, report = lines(tmp_path, ANSWER, rejected, rejected | {"answer": "ignore"}), ReadReport()
    assert detect_format(path).name == "prodigy"
    assert [one.entities for one in Prodigy().read_texts(path, report=report)] == [(Entity(0, 3, "PER", "Ada"),)]
    assert report.rejected == [2, 3]
    assert again(path) == [ANSWER]


def test_texts_without_a_word_have_no_tokens_for_prodigy(tmp_path: Path) -> None:
    path = lines(tmp_path, {"tokens": ["", ""], "ner_tags": ["O", "O"]}, {"tokens": ["Ada"], "ner_tags": ["B-PER"]})
    convert(path, tmp_path / "y.jsonl", output_format="prodigy")
    found = [json.loads(line) for line in (tmp_path / "y.jsonl").read_text().splitlines()]
    assert [[token["text"] for token in one["tokens"]] for one in found] == [[], ["Ada"]]


def test_tokens_with_offsets_that_are_no_numbers_are_made_anew_for_prodigy(tmp_path: Path) -> None:
    tokens = [{"text": "Ada", "start": [0], "end": 3, "id": 0}]
    path = lines(tmp_path, {"text": "Ada", "tokens": tokens, "spans": [{"start": 0, "end": 3, "label": "PER"}]})
    (found,) = again(path, format="prodigy")
    assert found["tokens"] == [{"text": "Ada", "start": 0, "end": 3, "id": 0, "ws": False}]


def test_tokens_of_prodigy_are_made_where_there_are_none_that_fit(tmp_path: Path) -> None:
    entity = Entity(0, 2, "PER", "Ad")
    texts = [AnnotatedText("Ada sings.", (entity,), 1, {"tokens": TOKENS}), AnnotatedText("Ada sings.")]
    Prodigy().write_texts(tmp_path / "x.jsonl", texts)
    first, second = (json.loads(line) for line in (tmp_path / "x.jsonl").read_text().splitlines())
    assert [token["text"] for token in first["tokens"]] == ["Ad", "a", "sings", "."]
    assert first["spans"] == [{"start": 0, "end": 2, "token_start": 0, "token_end": 0, "label": "PER"}]
    assert (second["tokens"], second["spans"]) == (TOKENS, [])
    assert "answer" not in second


def test_chinese_is_read_with_the_same_offsets_from_each_of_them(tmp_path: Path) -> None:
    text = AnnotatedText("王小明从😀北京飞往巴黎。", (Entity(0, 3, "PER", "王小明"), Entity(5, 7, "LOC", "北京")))
    for chosen in (Doccano(), LabelStudio(), Prodigy()):
        chosen.write_texts(tmp_path / "x.json", [text])
        (read,) = chosen.read_texts(tmp_path / "x.json", report=ReadReport())
        assert (read.text, read.entities) == (text.text, text.entities)
        (sentence,) = read_sentences(tmp_path / "x.json", ReadOptions(token_unit="character"), report=ReadReport())
        assert [entity.text for entity in sentence.entities()] == ["王小明", "北京"]
