from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ner_lstm_crf.config import Hyphens
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.tagging.decoding import THRESHOLD
from tests.cli.conftest import Files, Run, column_text


def test_table_and_interval(model: Path, files: Files, run: Run) -> None:
    result = run("evaluate", model, files.test)
    assert result.code == 0
    lines = result.out.splitlines()
    assert [line.split()[0] for line in lines[1:5]] == ["LOC", "PER", "micro", "macro"]
    assert lines[-1].startswith("F1 ")
    assert "bootstrap" in lines[-1]


def test_json_is_one_object_of_fractions_and_counts(model: Path, files: Files, run: Run) -> None:
    result = run("evaluate", model, files.test, "--json", "--threads", "1")
    scores = json.loads(result.out)
    assert scores["support"] == 40
    assert 0.9 < scores["f1"] <= 1
    assert scores["per_label"].keys() == {"LOC", "PER"}
    assert sum(label["support"] for label in scores["per_label"].values()) == 40
    assert scores["interval"]["low"] <= scores["f1"] == scores["interval"]["value"] <= scores["interval"]["high"]
    assert scores["ill_formed"] == 0
    assert (scores["sentences"], scores["precision"] > 0.9, scores["recall"] > 0.9) == (20, True, True)


def test_it_agrees_with_scoring_the_written_predictions(model: Path, tmp_path: Path, run: Run) -> None:
    hard = tmp_path / "hard.conll"
    hard.write_text(column_text(30, 8).replace("B-LOC", "B-PER"))
    predicted = tmp_path / "predicted.conll"
    assert run("tag", "--model", model, "--input", hard, "--output", predicted, "--output-scheme", "BIOES").code == 0
    evaluated = json.loads(run("evaluate", model, hard, "--json").out)
    scored = json.loads(run("score", hard, predicted, "--json").out)
    assert 0 < evaluated["f1"] < 1
    assert (scored.pop("gold_scheme"), scored.pop("predicted_scheme")) == ("IOB2", "BIOES")
    assert {key: evaluated[key] for key in scored} == scored


def test_labels_are_mapped_and_unknown_ones_warned_of(model: Path, files: Files, tmp_path: Path, run: Run) -> None:
    other = tmp_path / "other.conll"
    other.write_text(files.test.read_text().replace("-PER", "-person"))
    result = run("evaluate", model, other, "--json")
    assert "20 entities have labels that the model does not know (person)" in result.err
    assert json.loads(result.out)["recall"] <= 0.5
    mapped = run("evaluate", model, other, "--json", "--rename", "person=PER")
    assert "warning" not in mapped.err
    assert json.loads(mapped.out)["recall"] > 0.9
    kept = json.loads(run("evaluate", model, other, "--json", "--labels", "LOC").out)
    assert kept["support"] == 20


def test_labels_are_dropped_from_what_the_model_finds_too(model: Path, files: Files, run: Run) -> None:
    whole = json.loads(run("evaluate", model, files.test, "--json").out)["per_label"]["LOC"]
    result = run("evaluate", model, files.test, "--json", "--labels", "LOC")
    kept = json.loads(result.out)
    assert kept["per_label"] == {"LOC": whole}
    assert (kept["precision"], kept["predicted"]) == (whole["precision"], whole["predicted"])
    assert kept["precision"] > 0.9  # the 20 persons it finds do not count as wrong
    renamed = run("evaluate", model, files.test, "--json", "--rename", "LOC=city,PER=O")
    assert json.loads(renamed.out)["per_label"] == {"city": whole}
    assert "warning" not in result.err + renamed.err


def test_labels_that_the_model_finds_and_the_file_lacks_are_said_and_the_hint_leaves_them_out(
    model: Path, files: Files, tmp_path: Path, run: Run
) -> None:
    places = tmp_path / "places.conll"
    places.write_text(files.test.read_text().replace("B-PER", "O").replace("I-PER", "O"))
    result = run("evaluate", model, places, "--json")
    predicted = json.loads(result.out)["per_label"]["PER"]["predicted"]
    assert f"{predicted} entities found have labels that the file lacks (PER): counted as wrong" in result.err
    assert "(--rename PER=O leaves them out)" in result.err
    without = run("evaluate", model, places, "--json", "--rename", "PER=O")
    assert "warning" not in without.err
    assert json.loads(without.out)["per_label"].keys() == {"LOC"}


def test_labels_that_only_case_tells_apart_are_said_and_the_hint_makes_them_the_same(
    model: Path, files: Files, tmp_path: Path, run: Run
) -> None:
    lower = tmp_path / "lower.conll"
    lower.write_text(files.test.read_text().replace("-PER", "-per").replace("-LOC", "-Loc"))
    result = run("evaluate", model, lower)
    assert "counted as missed (--rename Loc=LOC,per=PER makes them the same)" in result.err
    assert "leaves them out" not in result.err
    renamed = run("evaluate", model, lower, "--rename", "Loc=LOC,per=PER", "--json")
    assert "warning" not in renamed.err
    assert json.loads(renamed.out)["f1"] == json.loads(run("evaluate", model, files.test, "--json").out)["f1"]


def test_one_sentence_has_no_interval(model: Path, write, run: Run) -> None:
    path = write("one.conll", "Milo\tB-PER\nsaw\tO\nOslo\tB-LOC\n")
    assert "F1 1.0000 (no interval: it takes more than one sentence)" in run("evaluate", model, path).out
    assert json.loads(run("evaluate", model, path, "--json").out)["interval"] is None


@pytest.mark.parametrize(("hyphens", "tokens"), [("split", 8), ("keep", 6)])
def test_texts_are_cut_as_the_model_cuts_them(
    hyphens: Hyphens, tokens: int, model: Path, write, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = Model.load(model)
    changed = replace(loaded, config=replace(loaded.config, hyphens=hyphens))
    monkeypatch.setattr(Model, "load", lambda _: changed)
    path = write("x.jsonl", json.dumps({"text": "Milo met well-known Oslo again.", "entities": [[0, 4, "PER"]]}))
    result = run("evaluate", model, path)
    assert result.code == 0, result.err
    assert f"{tokens} tokens tagged" in result.err


def test_texts_do_not_give_their_entities_away(model: Path, write, run: Run) -> None:
    """Cut at its entity, `Osloville` would be the known word `Oslo` and a rest."""
    texts = [
        {"text": "Milo saw Osloville today.", "entities": [[0, 4, "PER"], [9, 13, "LOC"]]},
        {
            "text": "Ada Brandt met Oslo again. Milo left.",
            "entities": [[0, 10, "PER"], [15, 19, "LOC"], [27, 31, "PER"]],
        },
    ]
    path = write("x.jsonl", "\n".join(map(json.dumps, texts)))
    predicted = write("y.jsonl", run("tag", "--model", model, "--input", path).out)
    evaluated = json.loads(run("evaluate", model, path, "--json").out)
    scored = json.loads(run("score", path, predicted, "--json").out)
    assert {key: evaluated[key] for key in scored} == scored
    assert evaluated["per_label"]["LOC"]["recall"] == 0.5
    assert (evaluated["sentences"], evaluated["per_label"]["PER"]["recall"]) == (2, 1.0)


def test_no_model_there(files: Files, tmp_path: Path, run: Run) -> None:
    assert "no such directory" in run("evaluate", tmp_path / "none", files.test).complaint
    assert "config.json" in run("evaluate", tmp_path, files.test).complaint


@pytest.fixture
def copy(model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(model, tmp_path / "copy"))


def test_a_model_of_another_version(copy: Path, files: Files, run: Run) -> None:
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"version": 9}))
    complaint = run("evaluate", copy, files.test).complaint
    assert "format version 9" in complaint


@pytest.mark.parametrize("name", ["config.json", "vocabulary.json", "frozen.safetensors", "network-1.safetensors"])
@pytest.mark.parametrize("damage", ["gone", "cut", "changed"])
def test_a_damaged_model(name: str, damage: str, copy: Path, files: Files, run: Run) -> None:
    path = copy / name
    content = bytearray(path.read_bytes())
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    else:
        places = {
            "config.json": content.find(b"PER"),
            "vocabulary.json": content.find(b"oslo"),
            "frozen.safetensors": -1,
            "network-1.safetensors": -9,
        }
        content[places[name]] ^= 1
        path.write_bytes(content)
    assert str(copy) in run("evaluate", copy, files.test).complaint


def test_nothing_to_find_is_nothing_to_measure(model: Path, write, run: Run) -> None:
    for path in (write("x.conll", "Ada\tO\n"), write("x.jsonl", '{"text": "Ada"}\n')):
        complaint = run("evaluate", model, path).complaint
        assert f"{path}: expected entities, found none: nothing in it is annotated" in complaint


# The errors

GOLD = """Ada\tB-PER
Green\tI-PER
met\tO
Milo\tB-PER
in\tO
New\tB-LOC
York\tI-LOC

The\tO
Red\tB-ORG
Lantern\tI-ORG
opened\tO
in\tO
Oslo\tB-LOC

"""
PREDICTED = GOLD.replace("Milo\tB-PER", "Milo\tB-ORG").replace("Red\tB-ORG\nLantern\tI-ORG", "Red\tO\nLantern\tB-ORG")
PREDICTED = PREDICTED.replace("Oslo\tB-LOC", "Oslo\tO").replace("met\tO", "met\tB-LOC")


@pytest.fixture
def both(write) -> tuple[Path, Path]:
    return write("gold.conll", GOLD), write("predicted.conll", PREDICTED)


def test_errors_are_shown_in_context_with_their_line(both: tuple[Path, Path], run: Run) -> None:
    shown = run("score", *both, "--errors").out.partition("\n\n")[2]
    assert (
        shown
        == """\
gold \\ predicted  LOC  ORG  PER  (none)
LOC                 1    .    .       1
ORG                 .    1    .       .
PER                 .    1    1       .
(none)              1    .    .       .

missed: 1
  line  gold      predicted  in
     9  LOC Oslo  -          The Red Lantern opened in [Oslo]

spurious: 1
  line  gold  predicted  in
     1  -     LOC met    Ada Green [met] Milo in New York

wrong label: 1
  line  gold      predicted  in
     1  PER Milo  ORG Milo   Ada Green met [Milo] in New York

wrong boundary: 1
  line  gold             predicted    in
     9  ORG Red Lantern  ORG Lantern  The [Red Lantern] opened in Oslo
"""
    )


def test_errors_of_texts_count_characters(both: tuple[Path, Path], tmp_path: Path, run: Run) -> None:
    texts = [tmp_path / "gold.jsonl", tmp_path / "predicted.jsonl"]
    for columns, text in zip(both, texts, strict=True):
        run("convert", columns, text)
    found = json.loads(run("score", *texts, "--errors", "--json").out)
    of_columns = json.loads(run("score", *both, "--errors", "--json").out)
    assert [error | {"line": 0} for error in found["errors"]] == [error | {"line": 0} for error in of_columns["errors"]]
    assert found["confusion"] == of_columns["confusion"]
    assert {"gold": "PER", "predicted": "ORG", "count": 1} in found["confusion"]
    assert sorted(error["kind"] for error in found["errors"]) == [
        "missed",
        "spurious",
        "wrong boundary",
        "wrong label",
    ]
    for error in found["errors"]:
        for entity in filter(None, (error["gold"], error["predicted"])):
            assert error["text"][entity["start"] : entity["end"]] == entity["text"]


def test_a_few_errors_of_each_kind_are_shown(model: Path, files: Files, write, run: Run) -> None:
    other = write("other.conll", files.test.read_text().replace("B-LOC", "B-PER").replace("I-LOC", "I-PER"))
    shown = run("evaluate", model, other, "--errors").out
    assert "wrong label: 20, the first 10\n" in shown
    assert shown.count("PER Oslo") < run("evaluate", model, other, "--show", "99").out.count("PER Oslo")
    assert "\n\n" not in run("evaluate", model, other).out
    everything = json.loads(run("evaluate", model, other, "--errors", "--json").out)
    assert len(everything["errors"]) >= 20


def test_of_many_labels_the_pairs_are_listed(write, run: Run) -> None:
    rows = [f"w{number}\tB-{'ABCDEFGHIJKL'[number]}\n\n" for number in range(12)]
    gold = write("gold.conll", "".join(rows))
    predicted = write("predicted.conll", "".join(rows).replace("B-L", "B-A"))
    shown = run("score", gold, predicted, "--errors").out
    assert "gold  predicted  times\nL     A              1\n" in shown


def test_no_errors_are_said_to_be_none(both: tuple[Path, Path], run: Run) -> None:
    assert run("score", both[0], both[0], "--errors").out.endswith("\n\nno errors\n")


def test_calibration_and_curve(model: Path, files: Files, run: Run) -> None:
    result = run("evaluate", model, files.test, "--calibration", "--curve")
    assert result.code == 0
    assert "probability (temperature" in result.out
    assert "product of softmax of emissions" in result.out
    assert "ECE of a model whose scores are perfect" in result.out
    found = json.loads(run("evaluate", model, files.test, "--calibration", "--curve", "--json").out)
    assert all(0 <= one["ece"] <= 1 for one in found["calibration"].values())
    assert {one["entities"] for one in found["calibration"].values()} == {found["predicted"]}
    first, *others = found["curve"]
    assert first["min_score"] == 0
    assert (first["f1"], first["predicted"]) == (found["f1"], found["predicted"])
    predicted = [one["predicted"] for one in found["curve"]]
    assert predicted == sorted(predicted, reverse=True)
    at = next(one for one in others if one["min_score"] == 0.9)
    chosen = json.loads(run("evaluate", model, files.test, "--min-score", "0.9", "--json").out)
    assert (chosen["precision"], chosen["recall"]) == (at["precision"], at["recall"])
    posterior = json.loads(run("evaluate", model, files.test, "--decoding", "posterior", "--curve", "--json").out)
    assert posterior["curve"][0]["predicted"] >= predicted[0]
    usual = next(one for one in posterior["curve"] if one["min_score"] == THRESHOLD)
    assert usual["f1"] == posterior["f1"]


def test_texts_and_chosen_labels_are_calibrated_too(model: Path, files: Files, tmp_path: Path, run: Run) -> None:
    texts = tmp_path / "test.jsonl"
    assert run("convert", files.test, texts).code == 0
    found = json.loads(run("evaluate", model, texts, "--calibration", "--labels", "PER", "--json").out)
    names = list(found["calibration"])
    assert all(name.startswith("probability") for name in names)
    assert found["calibration"][names[0]]["entities"] == found["predicted"]
    assert set(found["per_label"]) == {"PER"}
