"""scripts/benchmark.py: that its commands measure what they say; no test looks at how fast anything is."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import benchmark
from benchmarks.handrolled import HandRolled
from benchmarks.text import SENTENCE, MadeText, read_corpus
from ner_lstm_crf import crf as of_arrays, kernels
from ner_lstm_crf.features.batch import RaggedSentences
from ner_lstm_crf.model import cpu, crf as of_tensors
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.tagging.tagger import Tagger
from ner_lstm_crf.text.annotation import Span
from ner_lstm_crf.training.trainer import Trainer

FIGURES = {"case", "ours_s", "baseline_s", "floor_s", "speedup", "over_floor"}
MACHINE = {"processor", "cores", "capability", "system", "python", "torch", "threads"}

PEAKS = {  # in MB, by the way of tagging and the size of the text
    ("tag_many", 10_000): 350.0,
    ("command", 10_000): 340.0,
    ("tag_many", 20_000): 360.0,
    ("command", 20_000): 338.0,
}


def run(settings, capsys, *arguments: str) -> dict:
    assert benchmark.main([*arguments, "--json"], settings) == 0
    return json.loads(capsys.readouterr().out)


class TestCrf:
    def test_every_shape_has_its_cases(self, tiny, capsys):
        found = run(tiny, capsys, "crf")
        assert set(found) == {"machine", "command", "corpus", "vectors", "results"}
        assert found["command"] == "python scripts/benchmark.py crf --json"
        assert set(found["machine"]) >= MACHINE
        works = ("loss", "viterbi", "marginals", "labelwise", "k-best", "spans")
        cases = [f"crf/{work}/{shape}" for shape in ("3x6x4", "2x1x3") for work in works]
        assert [result["case"] for result in found["results"]] == cases
        for result in found["results"]:
            assert set(result) >= FIGURES
            assert all(result[name] > 0 for name in FIGURES - {"case"})
        assert found["results"][2]["over_loss"] > 0

    def test_sentences_are_ragged(self):
        problem = benchmark.crf.make_problem((50, 9, 3))
        assert problem.lengths[0] == 9
        assert set(problem.lengths.tolist()) == {5, 6, 7, 8, 9}

    @pytest.mark.parametrize(
        "name", ["log_likelihood", "viterbi", "marginals", "labelwise_log_likelihood", "k_best", "probable_spans"]
    )
    def test_a_wrong_kernel_is_refused(self, tiny, capsys, monkeypatch, name):
        room = of_tensors if name.endswith("likelihood") else of_arrays
        right = getattr(room, name)

        def wrong(emissions, *others):
            result = right(emissions, *others)
            if not kernels.available_for(emissions):
                return result
            if name == "viterbi":
                return np.zeros_like(result)
            if name == "probable_spans":
                return result[0][1:], result[1][1:]  # one is missing
            return (result[0][:, ::-1].copy(), result[1]) if isinstance(result, tuple) else result * 1.01

        monkeypatch.setattr(room, name, wrong)
        assert benchmark.main(["crf", "--json"], tiny) == 1
        shown = capsys.readouterr()
        assert shown.out == ""
        assert "expected what the reference gives" in shown.err

    def test_a_wrong_gradient_is_refused(self, monkeypatch):
        right = of_tensors.log_likelihood
        monkeypatch.setattr(
            of_tensors, "log_likelihood", lambda scores, *rest: right(scores.detach(), *rest) + 0 * scores.sum()
        )
        with pytest.raises(benchmark.WrongAnswerError, match="gradient of emissions"):
            benchmark.crf.check(benchmark.crf.make_problem((3, 6, 4)))


class TestTraining:
    def test_one_case_for_each_number_of_threads(self, tiny, capsys):
        found = run(tiny, capsys, "train", "--threads", "1", "2", "--repeats", "1")["results"]
        assert [result["case"] for result in found] == [
            f"train/{threads}{how}" for threads in ("1-thread", "2-threads") for how in ("", "/adversarial")
        ]
        for result in found:
            assert result["ours_tokens_per_s"] == pytest.approx(result["tokens"] / result["ours_s"])
            assert all(result[name] > 0 for name in FIGURES - {"case"})

    def test_the_floor_reads_the_trainers_batches(self, tiny, monkeypatch):
        sentences = list(MadeText(1).sentences(60))
        seen: list[tuple[int, int]] = []
        training_batch = RaggedSentences.training_batch

        def watched(self, numbers):
            seen.append((len(numbers), max(len(sentences[number].tokens) for number in numbers)))
            return training_batch(self, numbers)

        model = Model.build(sentences, tiny.config.model)
        monkeypatch.setattr(RaggedSentences, "training_batch", watched)
        next(Trainer(model, model.encode(sentences, gold=True), None, tiny.config.training).epochs())
        assert seen == benchmark.training.training_shapes(sentences, tiny.config.training)

    def test_the_baseline_learns_and_tags(self, tiny):
        torch.manual_seed(0)
        sentences = list(MadeText(1).sentences(100))
        baseline = HandRolled(sentences, tiny.config.model, None)
        baseline.optimizer.param_groups[0]["lr"] = 0.02
        losses = [baseline.train_epoch(sentences) for _ in range(4)]
        assert losses[-1] < 0.7 * losses[0]
        tags = baseline.tag([sentence.words for sentence in sentences])
        assert [len(one) for one in tags] == [len(sentence.tokens) for sentence in sentences]


class TestTagging:
    def test_tokens_text_and_one_short_text(self, tiny, capsys):
        report = run(tiny, capsys, "tag")
        assert (report["corpus"], report["vectors"]) == ("made text", None)
        found = {result["case"]: result for result in report["results"]}
        cases = {f"tag/{case}/1-thread" for case in ("tokens", "tokens-first", "text", "latency")}
        others = {f"tag/tokens-{precision}/1-thread" for precision in ("int8", "bfloat16")}
        assert cases <= set(found) <= cases | others
        assert all(result["ours_s"] > 0 and result["over_floor"] > 0 for result in found.values())
        assert found["tag/tokens/1-thread"]["speedup"] > 0
        assert found["tag/text/1-thread"]["baseline_s"] is None
        of_tokens = found["tag/tokens/1-thread"]["ours_s"] / found["tag/text/1-thread"]["ours_s"]
        assert found["tag/text/1-thread"]["of_tokens"] == pytest.approx(of_tokens)

    def test_one_short_text_at_a_time_by_every_way_of_calling(self, tiny, capsys):
        found = {result["case"]: result for result in run(tiny, capsys, "latency", "--repeats", "2")["results"]}
        for precision in benchmark.tagging.taggers(tiny.model or "en"):
            for way in ("", "/rested", f"/{benchmark.latency.CALLERS}-callers"):
                assert found[f"latency/{precision}{way}"]["speedup"] > 0
        rested = found["latency/float32/rested"]
        assert rested["ours_s"] < benchmark.latency.REST  # which is not measured

    def test_a_tagger_that_minds_its_company_is_refused(self, tiny, monkeypatch):
        corpus = read_corpus(None, train=30, test=10)
        tagger = Tagger(Model.build(corpus.train, tiny.config.model))
        benchmark.tagging.check(tagger, corpus)
        monkeypatch.setattr(Tagger, "tag_tokens", lambda self, tokens: [Span(0, 1, "FLAW")])
        with pytest.raises(benchmark.WrongAnswerError, match="FLAW"):
            benchmark.tagging.check(tagger, corpus)

    def test_short_texts_have_about_twenty_tokens(self):
        corpus = read_corpus(None, train=1, test=1000)
        assert {len(found.split()) for found in benchmark.tagging.short_texts(corpus)} == {20}


def test_the_spacy_component_is_timed_beside_the_tagger(tiny, capsys):
    found = run(tiny, capsys, "spacy", "--threads", "1", "--repeats", "1")["results"]
    assert [result["case"] for result in found] == [f"spacy/{case}/1-thread" for case in ("tokens", "text", "latency")]
    assert all(result["over_floor"] == pytest.approx(result["ours_s"] / result["floor_s"]) for result in found)


@pytest.mark.slow
def test_start_runs_each_process(tiny, capsys, monkeypatch):
    done: set[tuple[tuple[str, ...], bool]] = set()
    process = benchmark.start._process

    def once(command, environment) -> None:
        """A second run of a process in the same kind of home would only be timed."""
        is_new = environment.get("HOME") != os.environ.get("HOME")
        if is_new:
            assert list(Path(environment["HOME"]).iterdir()) == []
        if (tuple(command), is_new) not in done:
            process(command, environment)
            done.add((tuple(command), is_new))

    monkeypatch.setattr(benchmark.start, "_process", once)
    found = {result["case"]: result for result in run(tiny, capsys, "start", "--repeats", "1")["results"]}
    assert set(found) == {f"start/{name}" for name in ("import", "help", "tag", "tag-command", "tag-first")}
    tagged = found["start/tag"]
    assert tagged["beyond_torch_s"] == pytest.approx(tagged["ours_s"] - tagged["floor_s"])
    assert len(done) == 6
    (in_new_home,) = (command for command, is_new in done if is_new)
    assert (in_new_home, False) in done


class TestMemory:
    def test_figures_of_both_ways_at_two_sizes(self, tiny, capsys, monkeypatch):
        def measured(way, tagging, text):
            assert tagging == benchmark.memory.Tagging(tagging.model, threads=2, precision="bfloat16")
            loaded = {"loaded_mb": 300.0} if way == "tag_many" else {}
            return {**loaded, "peak_mb": PEAKS[way, round(text.stat().st_size, -3)]}

        monkeypatch.setattr(benchmark.memory, "_measure", measured)
        monkeypatch.setattr(cpu, "quickest_dtype", lambda: torch.bfloat16)  # whatever this processor has
        found = run(tiny, capsys, "memory", "--threads", "1", "2", "--precision", "bfloat16")["results"]
        cases = [f"memory/{way}/{size}MB" for size in ("0.01", "0.02") for way in ("tag_many", "command")]
        assert [result["case"] for result in found] == cases
        assert [result["peak_mb"] for result in found] == list(PEAKS.values())
        assert [result["loaded_mb"] for result in found] == [300.0] * 4
        assert [result["over_loaded_mb"] for result in found] == [50.0, 40.0, 60.0, 38.0]
        assert [result.get("growth_mb") for result in found] == [None, None, 10.0, -2.0]
        assert {(result["threads"], result["ours_s"]) for result in found} == {(2, None)}

    @pytest.mark.slow
    @pytest.mark.parametrize("way", ["tag_many", "command"])
    def test_a_process_of_its_own_tells_what_it_held(self, tiny, tmp_path, way):
        corpus = read_corpus(None, train=30, test=10)
        Tagger(Model.build(corpus.train, tiny.config.model)).save(tmp_path / "model")
        (tmp_path / "text.txt").write_text("\n".join(corpus.texts), encoding="utf-8")
        found = benchmark.memory._measure(way, benchmark.memory.Tagging(tmp_path / "model", 1), tmp_path / "text.txt")
        loaded = {"loaded_mb", "peak_loading_mb"} if way == "tag_many" else set()
        assert set(found) == {"peak_mb", "text_mb_per_s", *loaded}
        assert min(found.values()) > 0
        assert found["peak_mb"] >= found.get("loaded_mb", 0)

    def test_threads_and_precision_are_passed_to_the_process(self, tmp_path, monkeypatch):
        commands: list[list[str]] = []

        def called(command, **_):
            commands.append(command)
            return SimpleNamespace(stdout="{}")

        monkeypatch.setattr(benchmark.memory.subprocess, "run", called)
        benchmark.memory._measure("command", benchmark.memory.Tagging(Path("m"), 3, "bfloat16"), Path("t"))
        assert commands[0][-6:] == ["command", "m", "t", SENTENCE, "3", "bfloat16"]

    def test_the_process_tags_with_them(self, tmp_path, monkeypatch, capsys):
        from benchmarks import memory_child  # which not every system can import

        text, told = tmp_path / "text", []
        text.write_text("Rome\n", encoding="utf-8")

        class Watched:
            def __init__(self, model, precision):
                told.append((model, precision, torch.get_num_threads()))

            def tag(self, text):
                told.append(text)

            def tag_many(self, texts):
                told.append(list(texts))
                return []

        monkeypatch.setattr(memory_child.Tagger, "load", Watched)
        memory_child.main("tag_many", "m", str(text), SENTENCE, "3", "bfloat16")
        assert told == [("m", "bfloat16", 3), SENTENCE, ["Rome"]]
        assert set(json.loads(capsys.readouterr().out)) == {"loaded_mb", "peak_loading_mb", "peak_mb", "text_mb_per_s"}
        arguments: list[list[str]] = []
        monkeypatch.setattr(memory_child, "command", lambda given: arguments.append(given) or 0)
        memory_child.main("command", "m", str(text), SENTENCE, "3", "bfloat16")
        options = ["--model", "m", "--threads", "3", "--precision", "bfloat16"]
        assert arguments == [["tag", *options, "--input", str(text), "--output", os.devnull]]
