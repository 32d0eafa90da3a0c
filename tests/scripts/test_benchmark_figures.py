"""scripts/benchmark.py: that its figures and options are what they say; no test looks at how fast anything is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "benchmark.py"
FIGURES = {"case", "ours_s", "baseline_s", "floor_s", "speedup", "over_floor"}
MACHINE = {"processor", "cores", "capability", "system", "python", "torch", "threads"}


class TestFigures:
    def test_come_from_the_medians_of_the_samples(self, measure):
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

    def test_are_none_where_there_is_nothing_to_compare_with(self, measure):
        figures = measure.Result("a", measure.Samples((1.0,))).to_json()
        assert figures["ours_s"] == 1.0
        assert {name for name in FIGURES - {"case", "ours_s"} if figures[name] is None} == FIGURES - {"case", "ours_s"}

    def test_tables_have_a_row_a_case(self, script, measure):
        machine = {**measure.machine(), "threads": [1]}
        samples = measure.Samples((0.25, 0.25))
        result = measure.Result("a/b", samples, samples, tokens=50)
        report = script.Report(machine, "benchmark.py tag", "news", None, [result])
        first, _, *rows = report.to_markdown().splitlines()
        assert first.startswith("`benchmark.py tag`: ")
        assert first.endswith("news.")
        assert [row.count("|") for row in rows] == [9, 9, 9]
        assert rows[2] == "| a/b | - | 200 tok/s | 200 tok/s | - | 1.00x | - |  |"
        assert "200 tok/s [250 ms .. 250 ms]" in report.to_text().splitlines()[-1]


class TestInterleaving:
    def test_contenders_take_turns(self, measure):
        turns: list[str] = []
        contenders = {name: lambda name=name: turns.append(name) for name in "abc"}
        samples = measure.interleave(contenders, 3, least_seconds=0)
        assert "".join(turns).endswith("abcabcabc")
        assert [len(samples[name].seconds) for name in "abc"] == [3, 3, 3]

    def test_a_sample_is_the_time_per_call_without_the_making(self, measure, monkeypatch):
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
    def test_sizes(self, script, given, size):
        assert script.memory.parse_size(given) == size

    @pytest.mark.parametrize("given", ["", "MB", "0", "-1MB", "1TB", "lots"])
    def test_what_is_no_size_is_refused(self, script, given):
        with pytest.raises(ValueError, match="expected a size"):
            script.memory.parse_size(given)

    @pytest.mark.parametrize(
        "arguments", [["crf", "--shapes", "3x4"], ["crf", "--repeats", "0"], ["memory", "--size", "x"], ["fly"], []]
    )
    def test_what_makes_no_sense_is_refused(self, script, arguments, capsys):
        with pytest.raises(SystemExit):
            script.main(arguments)
        assert "usage" in capsys.readouterr().err

    def test_the_script_runs_by_itself_and_writes_both_forms(self, tmp_path):
        path = tmp_path / "figures.json"
        command = [sys.executable, str(SCRIPT), "crf", "--shapes", "2x3x4", "--repeats", "1", "--json", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert "crf/loss/2x3x4" in done.stdout
        assert json.loads(path.read_text(encoding="utf-8"))["results"][0]["case"] == "crf/loss/2x3x4"
