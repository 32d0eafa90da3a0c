"""scripts/benchmark.py: that its figures and options are what they say; no test looks at how fast anything is."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch

import benchmark
from benchmarks import measure
from benchmarks.memory import parse_size
from ner_lstm_crf.model import cpu

FIGURES = {"case", "ours_s", "baseline_s", "floor_s", "speedup", "over_floor"}
MACHINE = {"processor", "cores", "capability", "system", "python", "torch", "threads"}


class TestFigures:
    def test_come_from_the_medians_of_the_samples(self):
        ours, baseline = measure.Samples((1.0, 3.0, 2.0, 9.0, 2.0)), measure.Samples((10.0, 8.0, 9.0))
        result = measure.Result(
            "a/b", ours, baseline, measure.Samples((0.5,)), threads=2, tokens=100, extra={"more": 7}
        )
        assert result.to_json() == {
            "case": "a/b",
            "ours_s": 2.0,
            "baseline_s": 9.0,
            "floor_s": 0.5,
            "speedup": 4.5,
            "over_floor": 4.0,
            "threads": 2,
            "tokens": 100,
            "ours_tokens_per_s": 50.0,
            "baseline_tokens_per_s": 100 / 9,
            "floor_tokens_per_s": 200.0,
            "ours_spread_s": [2.0, 3.0],
            "baseline_spread_s": [8.5, 9.5],
            "floor_spread_s": [0.5, 0.5],
            "repeats": 5,
            "more": 7,
        }

    def test_are_none_where_there_is_nothing_to_compare_with(self):
        figures = measure.Result("a", measure.Samples((1.0,))).to_json()
        assert figures["ours_s"] == 1.0
        assert {name for name in FIGURES - {"case", "ours_s"} if figures[name] is None} == FIGURES - {"case", "ours_s"}

    def test_tables_have_a_row_a_case(self):
        machine = {**measure.machine(), "threads": [1]}
        samples = measure.Samples((0.25, 0.25))
        result = measure.Result("a/b", samples, samples, tokens=50)
        report = benchmark.Report(machine, "benchmark.py tag", "news", None, [result])
        first, _, *rows = report.to_markdown().splitlines()
        assert first.startswith("`benchmark.py tag`: ")
        assert first.endswith("news.")
        assert [row.count("|") for row in rows] == [9, 9, 9]
        assert rows[2] == "| a/b | - | 200 tok/s | 200 tok/s | - | 1.00x | - |  |"
        assert "200 tok/s [250 ms .. 250 ms]" in report.to_text().splitlines()[-1]


class TestInterleaving:
    def test_contenders_take_turns(self):
        turns: list[str] = []
        contenders = {name: lambda name=name: turns.append(name) for name in "abc"}
        samples = measure.interleave(contenders, 3, least_seconds=0)
        assert "".join(turns).endswith("abcabcabc")
        assert [len(samples[name].seconds) for name in "abc"] == [3, 3, 3]

    def test_a_sample_is_the_time_per_call_without_the_making(self, monkeypatch):
        now = 0.0

        def pass_time(seconds: float) -> None:
            nonlocal now
            now += seconds

        def make():
            pass_time(100.0)
            return lambda: pass_time(3.0)

        monkeypatch.setattr(measure.time, "perf_counter", lambda: now)
        contenders = {"short": lambda: pass_time(0.25), "fresh": measure.Fresh(make)}
        samples = measure.interleave(contenders, 2, least_seconds=1.0)
        assert samples["short"].seconds == (0.25, 0.25)
        assert samples["fresh"].seconds == (3.0, 3.0)


class TestOptions:
    @pytest.mark.parametrize(
        ("given", "size"), [("50MB", 50_000_000), ("1gb", 10**9), ("2.5 kb", 2500), ("700", 700), ("3M", 3_000_000)]
    )
    def test_sizes(self, given, size):
        assert parse_size(given) == size

    @pytest.mark.parametrize("given", ["", "MB", "0", "-1MB", "1TB", "lots"])
    def test_what_is_no_size_is_refused(self, given):
        with pytest.raises(ValueError, match="expected a size"):
            parse_size(given)

    @pytest.mark.parametrize(
        "arguments", [["crf", "--shapes", "3x4"], ["crf", "--repeats", "0"], ["memory", "--size", "x"], ["fly"], []]
    )
    def test_what_makes_no_sense_is_refused(self, arguments, capsys):
        with pytest.raises(SystemExit):
            benchmark.main(arguments)
        assert "usage" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("option", "complaint"),
        [
            ("--corpus", "expected a folder of train.iob2, dev.iob2, test.iob2, found no dev.iob2 in {path}"),
            ("--vectors", "expected a file, found none: {path}"),
            ("--model", "{path}/config.json: expected a model, but this file is missing"),
        ],
    )
    def test_what_is_named_must_be_there(self, option, complaint, tmp_path, capsys):
        (tmp_path / "train.iob2").write_text("1\tRome\tB-LOC\n\n", encoding="utf-8")
        with pytest.raises(SystemExit, match="2"):
            benchmark.main(["crf", option, str(tmp_path)])
        shown = capsys.readouterr()
        assert shown.err.splitlines()[-1].endswith(f"argument {option}: {complaint.format(path=tmp_path)}")
        assert shown.out == ""

    def test_what_is_named_must_hold_what_is_needed(self, tiny, tmp_path, capsys):
        (tmp_path / "vectors.txt").write_text("alone\n", encoding="utf-8")
        assert benchmark.main(["train", "--vectors", str(tmp_path / "vectors.txt")], tiny) == 2
        assert capsys.readouterr().err.splitlines()[-1].startswith(f"error: {tmp_path / 'vectors.txt'}:1: expected")

    def test_without_a_name_text_is_made_where_there_is_no_corpus(self, tmp_path, monkeypatch):
        monkeypatch.setattr(benchmark, "CORPUS", tmp_path)
        monkeypatch.setattr(benchmark, "VECTORS", tmp_path / "none.txt")
        settings = benchmark.Settings(threads=(1,))
        assert (settings.corpus, settings.vectors) == (tmp_path, None)

    def test_a_precision_that_the_processor_lacks_is_refused(self, monkeypatch, capsys):
        monkeypatch.setattr(cpu, "quickest_dtype", lambda: torch.float32)
        for given, complaint in (
            ("bfloat16", "expected a processor that"),
            ("int4", "one of float32, int8, bfloat16, got"),
        ):
            with pytest.raises(SystemExit, match="2"):
                benchmark.main(["memory", "--precision", given])
            assert complaint in capsys.readouterr().err

    def test_the_script_runs_by_itself_and_writes_both_forms(self, tmp_path):
        path = tmp_path / "figures.json"
        command = [
            sys.executable,
            benchmark.__file__,
            "crf",
            "--shapes",
            "2x3x4",
            "--repeats",
            "1",
            "--json",
            str(path),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert "crf/loss/2x3x4" in done.stdout
        assert json.loads(path.read_text(encoding="utf-8"))["results"][0]["case"] == "crf/loss/2x3x4"
