"""A bulk job in one process: equal to tagging row by row, resumed after any kill, refused if it is another."""

from __future__ import annotations

import datetime
import json
import shutil
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ner_lstm_crf import InputError, Tagger
from ner_lstm_crf.bulk.inputs import Slice
from ner_lstm_crf.cli.main import main
from tests.bulk.made import made_rows, tagged, write_lines
from tests.killing import Killed, kill_at


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    """The shipped tagger."""
    return Tagger.load("en")


def entities_of(tagger: Tagger, text: str, min_score: float | None = None) -> list[dict[str, Any]]:
    """What the tagger finds in one text, as JSON."""
    return [entity.to_json() for entity in tagger.tag(text, min_score=min_score)]


def read(folder: Path) -> list[dict[str, Any]]:
    """All rows of a folder of Parquet, in the order of the shards, as another program reads them."""
    return pq.read_table(folder).to_pylist()


@pytest.mark.parametrize("shard_bytes", [500, 10**9])
def test_json_lines_become_parquet_with_all_columns(tagger: Tagger, tmp_path: Path, shard_bytes: int) -> None:
    rows = made_rows(40)
    write_lines(tmp_path / "in" / "a.jsonl", rows[:25])
    write_lines(tmp_path / "in" / "b.jsonl", rows[25:])
    job = tagged(tagger, tmp_path / "in", tmp_path / "out", shard_bytes=shard_bytes, min_score=0.5)
    assert (len(job.slices) > 2) == (shard_bytes == 500)
    columns = ("id", "text", "source", "note", "score")
    expected = [
        {key: row.get(key) for key in columns} | {"entities": entities_of(tagger, row["text"], 0.5)} for row in rows
    ]
    assert read(tmp_path / "out") == expected
    assert pd.read_parquet(tmp_path / "out")["score"].dtype == "float64"


def test_json_lines_become_those_that_tag_writes(tagger: Tagger, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", made_rows(30))
    job = tagged(tagger, path, tmp_path / "out", shard_bytes=500, output_format="jsonl")
    found = "".join((tmp_path / "out" / part.shard).read_text("utf-8") for part in job.slices)
    assert main(["tag", "--model", "en", "--input", str(path), "--output", str(tmp_path / "one.jsonl")]) == 0
    assert found == (tmp_path / "one.jsonl").read_text("utf-8")


def test_parquet_keeps_its_types_and_its_index(tagger: Tagger, tmp_path: Path) -> None:
    rows = made_rows(30)
    frame = pd.DataFrame(
        {
            "body": pd.Categorical([row["text"] for row in rows]),
            "when": [datetime.datetime(2026, 1, 1 + number) for number in range(30)],
            "raw": [bytes([number]) for number in range(30)],
            "entities": ["old"] * 30,
        },
        index=pd.Index([f"row {number}" for number in range(30)], name="name"),
    )
    frame.to_parquet(tmp_path / "a.parquet", row_group_size=8)
    job = tagged(tagger, tmp_path / "a.parquet", tmp_path / "out", shard_bytes=300, text_column="body")
    assert len(job.slices) > 2
    found = pd.concat([pd.read_parquet(tmp_path / "out" / part.shard) for part in job.slices])
    assert list(found.index) == list(frame.index)
    assert found["when"].tolist() == frame["when"].tolist()
    assert found["raw"].tolist() == frame["raw"].tolist()
    assert found["body"].astype(str).tolist() == [row["text"] for row in rows]
    for text, entities in zip(found["body"], found["entities"], strict=True):
        assert list(entities) == entities_of(tagger, text)


@pytest.mark.parametrize("output_format", ["parquet", "jsonl"])
def test_a_text_of_parquet_that_is_null_has_null_for_entities(
    tagger: Tagger, tmp_path: Path, output_format: str
) -> None:
    pq.write_table(pa.table({"text": ["Anna lives in Rome.", None, ""]}), tmp_path / "a.parquet")
    tagged(tagger, tmp_path / "a.parquet", tmp_path / "out", output_format=output_format)
    (shard,) = (tmp_path / "out").glob("a*")
    rows = [*map(json.loads, shard.read_text("utf-8").splitlines())] if output_format == "jsonl" else read(shard)
    assert [row["text"] for row in rows] == ["Anna lives in Rome.", None, ""]
    assert [row["entities"] for row in rows] == [entities_of(tagger, "Anna lives in Rome."), None, []]


def test_lines_of_text_become_a_column(tagger: Tagger, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Anna lives in Rome.\n\nShe sings.\n", encoding="utf-8")
    (tmp_path / "empty.txt").write_text("", encoding="utf-8")
    job = tagged(tagger, tmp_path / "*.txt", tmp_path / "out")
    assert [row["text"] for row in read(tmp_path / "out")] == ["Anna lives in Rome.", "", "She sings."]
    assert [file["rows"] for file in job.to_json()["files"]] == [3, 0]


def test_the_manifest_tells_which_shard_is_from_where(tagger: Tagger, tmp_path: Path) -> None:
    write_lines(tmp_path / "a.jsonl", made_rows(20))
    write_lines(tmp_path / "more" / "b.jsonl", made_rows(9))
    tagged(tagger, tmp_path / "**" / "*.jsonl", tmp_path / "out", shard_bytes=1000)
    manifest = json.loads((tmp_path / "out" / "_manifest.json").read_text("utf-8"))
    assert manifest["complete"]
    assert manifest["rows"] == 29
    assert manifest["options"]["shard_bytes"] == 1000
    assert manifest["model"] == {"name": "en", "digest": "digest"}
    entities = 0
    for file, rows in zip(manifest["files"], (20, 9), strict=True):
        assert file["bytes"] == Path(file["path"]).stat().st_size
        assert file["rows"] == rows == sum(shard["rows"] for shard in file["shards"])
        for shard in file["shards"]:
            path = tmp_path / "out" / shard["name"]
            assert path.stat().st_size == shard["bytes"]
            table = pq.read_table(path)
            assert table.num_rows == shard["rows"]
            found = sum(map(len, table["entities"].to_pylist()))
            assert found == shard["entities"]
            entities += found
    assert entities == manifest["entities"]
    visible = {path for path in (tmp_path / "out").rglob("*.*") if path.name[0] not in "._"}
    assert visible == {tmp_path / "out" / shard["name"] for file in manifest["files"] for shard in file["shards"]}


@pytest.mark.parametrize("step", [*range(40), 50, 60, 80])
def test_a_job_that_is_killed_anywhere_is_resumed_without_losing_or_doubling_a_row(
    tagger: Tagger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    rows = made_rows(12)
    path, out = write_lines(tmp_path / "a.jsonl", rows), tmp_path / "out"
    with monkeypatch.context() as patch, suppress(Killed):
        kill_at(patch, step)
        tagged(tagger, path, out, shard_bytes=400)
    # 1. What is under its own name is whole.
    for shard in out.glob("[!._]*.parquet"):
        pq.read_table(shard)
    # 2. The rest follows.
    shutil.rmtree(out / ".lock", ignore_errors=True)
    tagged(tagger, path, out, shard_bytes=400, resume=True)
    assert [row["id"] for row in read(out)] == list(range(12))
    assert json.loads((out / "_manifest.json").read_text("utf-8"))["complete"]
    assert {name.suffix for name in out.iterdir()} == {".parquet", ".json"}


def test_nothing_is_left_of_a_worker_that_was_killed_in_the_middle_of_the_job(tagger: Tagger, tmp_path: Path) -> None:
    for name in ("a", "more/b"):
        write_lines(tmp_path / "in" / f"{name}.jsonl", made_rows(6))
    out = tmp_path / "out"

    def leave_half(part: Slice) -> None:
        shard = out / part.shard
        shard.parent.mkdir(exist_ok=True)
        shard.with_name(f".{shard.name}.another_host-18956-6.new").write_bytes(b"PAR1")

    tagged(tagger, tmp_path / "in" / "**" / "*.jsonl", out, shard_bytes=400, before=leave_half)
    assert {name.suffix for name in out.rglob("*") if name.is_file()} == {".parquet", ".json"}
    assert {name.suffix for name in (out / "more").iterdir()} == {".parquet"}


def test_only_what_is_missing_is_tagged_again(tagger: Tagger, tmp_path: Path) -> None:
    path, out, seen = write_lines(tmp_path / "a.jsonl", made_rows(30)), tmp_path / "out", Counter[str]()

    def stop_at_third(part: Slice) -> None:
        if len(seen) == 3:
            raise Killed
        seen[part.shard] += 1

    with pytest.raises(Killed):
        tagged(tagger, path, out, shard_bytes=500, before=stop_at_third)
    with (out / "_progress.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"name": "a-0')  # cut short by the kill
    before = {one.name: one.stat().st_mtime_ns for one in out.glob("*.parquet")}
    assert len(before) == 3
    job = tagged(tagger, path, out, shard_bytes=500, resume=True, before=lambda part: seen.update([part.shard]))
    assert seen == Counter(part.shard for part in job.slices)
    assert {name: (out / name).stat().st_mtime_ns for name in before} == before
    # A shard that is gone, or is not as it was entered, is made again; a job that is done has nothing to do.
    seen.clear()
    shards = [part.shard for part in job.slices]
    (out / shards[0]).unlink()
    (out / shards[1]).write_bytes(b"")
    for _ in range(2):
        tagged(tagger, path, out, shard_bytes=500, resume=True, before=lambda part: seen.update([part.shard]))
    assert seen == Counter(shards[:2])
    assert [row["id"] for row in read(out)] == list(range(30))


class TestRefusals:
    """What is not tagged, or not gone on with, and why."""

    @pytest.fixture
    def begun(self, tagger: Tagger, tmp_path: Path) -> Path:
        """The output of a job."""
        write_lines(tmp_path / "in" / "a.jsonl", made_rows(5))
        write_lines(tmp_path / "in" / "b.jsonl", made_rows(5))
        tagged(tagger, tmp_path / "in", tmp_path / "out")
        return tmp_path / "out"

    def test_a_folder_that_holds_other_things(self, tagger: Tagger, begun: Path, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="out: this folder holds a job: go on with --resume"):
            tagged(tagger, tmp_path / "in", begun)
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "notes.md").touch()
        with pytest.raises(InputError, match=r"other: expected a new or empty folder, found 'notes\.md' in it"):
            tagged(tagger, tmp_path / "in", tmp_path / "other")

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"min_score": 0.5}, r"out: the job to resume had min_score = None, this one has 0\.5"),
            ({"model": "other"}, "out: the job to resume had another model: en, this is en"),
            ({"shard_bytes": 7}, "out: the job to resume had shard_bytes = 32000000, this one has 7"),
            ({"inputs": "in/a.jsonl"}, r"b\.jsonl: the job to resume had this file as well"),
            ({"add": "c.jsonl"}, r"c\.jsonl: the job to resume had not this file"),
            ({"add": "b.jsonl"}, r"b\.jsonl: this file has changed since the job to resume was begun"),
        ],
    )
    def test_another_job(
        self, tagger: Tagger, begun: Path, tmp_path: Path, change: dict[str, Any], message: str
    ) -> None:
        given = {**change}
        inputs = tmp_path / given.pop("inputs", "in")
        if name := given.pop("add", None):
            write_lines(tmp_path / "in" / name, made_rows(6))
        with pytest.raises(InputError, match=message):
            tagged(tagger, inputs, begun, resume=True, **given)

    def test_a_damaged_manifest(self, tagger: Tagger, begun: Path, tmp_path: Path) -> None:
        (begun / "_manifest.json").write_text('{"version": "0.1.0"}', encoding="utf-8")
        with pytest.raises(InputError, match=r"_manifest\.json: the manifest is damaged"):
            tagged(tagger, tmp_path / "in", begun, resume=True)

    def test_what_the_format_of_the_shards_cannot_hold(self, tagger: Tagger, tmp_path: Path) -> None:
        (tmp_path / "a.jsonl").write_text('{"text": "Rome"}\n{"text": "\\ud83d"}\n', encoding="utf-8")
        with pytest.raises(InputError, match=r"a\.jsonl:2: half of a surrogate pair cannot be written to Parquet"):
            tagged(tagger, tmp_path / "a.jsonl", tmp_path / "out")
        pq.write_table(pa.table({"text": ["Rome"], "raw": [b"\0"]}), tmp_path / "b.parquet")
        with pytest.raises(InputError, match=r"b\.parquet: JSON lines cannot hold the column 'raw' of the type binary"):
            tagged(tagger, tmp_path / "b.parquet", tmp_path / "out", output_format="jsonl")
        assert not list((tmp_path / "out").glob("*"))  # nothing was tagged

    def test_a_file_that_changes_in_the_meantime(self, tagger: Tagger, tmp_path: Path) -> None:
        path = write_lines(tmp_path / "a.jsonl", made_rows(5))

        def add(_: Slice) -> None:
            write_lines(path, made_rows(4))

        with pytest.raises(InputError, match=r"a\.jsonl: this file has changed: expected 5 rows, found 4"):
            tagged(tagger, path, tmp_path / "out", before=add)

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            (["--input", "a.txt", "--resume"], "--resume: expected --engine ray as well"),
            (["--input", "a.txt", "--workers", "2"], "--workers: expected --engine ray as well"),
            (["--input", "a.txt", "--output-format", "parquet"], "--output-format parquet: expected --engine ray as"),
            (["--input", "a.parquet"], "a.parquet: Parquet is read with --engine ray, and a folder as --output"),
            (["--input", "."], ".: expected a file, found a directory: --engine ray tags folders"),
            (["--engine", "ray", "--input", "a.txt"], "--engine ray: expected --input with files and --output with a"),
            (["--engine", "ray", "A text.", "--output", "o"], "--engine ray: expected --input with files and --output"),
            (
                ["--engine", "ray", "--input", "a.txt", "--output", "o", "--wrapped"],
                "--wrapped is not for --engine ray",
            ),
            (
                ["--engine", "ray", "--input", "a.txt", "--output", "o", "--output-format", "html"],
                "--output-format html is not for --engine ray",
            ),
            (["--engine", "ray", "--input", "no/*.txt", "--output", "o"], "no/*.txt: no file matches"),
        ],
    )
    def test_options_that_do_not_go_together(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, given: list[str], message: str
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert main(["tag", *given]) == 2
        assert f"error: {message}" in capsys.readouterr().err
