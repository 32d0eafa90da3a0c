"""scripts/benchmark.py: that its figures are what they say; no test looks at how fast anything is."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from ner_lstm_crf.config import Config, ModelConfig, TrainingConfig
from ner_lstm_crf.data.annotation import Sentence, Span
from ner_lstm_crf.features.batch import Featurizer
from ner_lstm_crf.model import crf as our_crf
from ner_lstm_crf.tasks.assembly import assemble
from ner_lstm_crf.tasks.tagger import Tagger
from ner_lstm_crf.tasks.training import Trainer

SCRIPT = Path(__file__).parents[1] / "scripts" / "benchmark.py"
FIGURES = {"case", "ours_s", "baseline_s", "floor_s", "speedup", "over_floor"}
MACHINE = {"processor", "cores", "capability", "system", "python", "torch", "threads"}
TINY = Config(
    model=ModelConfig(word_size=6, char_size=4, char_filters=5, casing_size=2, hidden_size=7),
    training=TrainingConfig(batch_sentences=8, least_steps=0),
)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark", SCRIPT)
    module = sys.modules["benchmark"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def measure(script):
    return sys.modules["benchmarks.measure"]


@pytest.fixture(scope="module")
def text(script):
    return sys.modules["benchmarks.text"]


@pytest.fixture(autouse=True)
def threads_as_before():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def tiny(script):
    """So little work that a command takes a second."""
    return script.Settings(
        threads=(1,),
        quick=True,
        repeats=2,
        shapes=((3, 6, 4), (2, 1, 3)),
        sentences=40,
        size=20_000,
        types=500,
        corpus=None,
        made=(60, 30),
        vectors=None,
        config=TINY,
    )


def run(script, settings, capsys, *arguments: str) -> dict:
    assert script.main([*arguments, "--json"], settings) == 0
    return json.loads(capsys.readouterr().out)


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

    def test_markdown_has_a_row_a_case(self, script, measure):
        machine = {**measure.machine(), "threads": [1]}
        samples = measure.Samples((0.25, 0.25))
        rows = script.report.as_markdown(machine, [measure.Result("a/b", samples, samples, tokens=50)]).splitlines()[2:]
        assert [row.count("|") for row in rows] == [9, 9, 9]
        assert rows[2] == "| a/b | - | 200 tok/s | 200 tok/s | - | 1.00x | - |  |"


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


@pytest.fixture(scope="module")
def sentences(text) -> list[Sentence]:
    return list(text.MadeText(1).sentences(5000))


class TestMadeText:
    """Against the figures of uner-en_ewt: 16.3 tokens a sentence, half of them up to 14, ..."""

    def test_has_the_lengths_of_real_sentences(self, sentences):
        lengths = np.array([len(sentence.tokens) for sentence in sentences])
        assert 14.5 < lengths.mean() < 18
        assert 9 <= np.median(lengths) <= 15
        assert lengths.min() >= 1
        assert lengths.max() <= 160

    def test_has_words_by_zipfs_law(self, sentences):
        counts = Counter(word.lower() for sentence in sentences for word in sentence.words)
        shares = np.array([count for _, count in counts.most_common()]) / counts.total()
        assert 0.03 < shares[0] < 0.08
        assert 0.4 < shares[:100].sum() < 0.6
        assert 0.65 < shares[:1000].sum() < 0.8
        assert sum(count == 1 for count in counts.values()) > 0.4 * len(counts)

    def test_has_entities_as_often(self, sentences):
        spans = [span for sentence in sentences for span in sentence.spans]
        tokens = sum(len(sentence.tokens) for sentence in sentences)
        assert 0.03 < len(spans) / tokens < 0.04
        assert 1.35 < np.mean([span.end - span.start for span in spans]) < 1.6
        assert {span.label for span in spans} == {"PER", "LOC", "ORG"}

    def test_is_the_same_for_a_seed(self, text, sentences):
        assert list(text.MadeText(1).sentences(50)) == list(text.MadeText(1).sentences(50))
        assert list(text.MadeText(2).sentences(50)) != list(text.MadeText(1).sentences(50))

    def test_lines_have_the_size_asked_for_and_many_words(self, script, tmp_path):
        script.memory.write_text(tmp_path / "text", 200_000, types=30_000)
        found = (tmp_path / "text").read_text(encoding="utf-8")
        assert abs((tmp_path / "text").stat().st_size - 200_000) <= 1
        assert len(set(found.split())) > 5000


def test_a_corpus_is_read_with_its_running_text(text, tmp_path):
    for part, word in (("train", "Rome"), ("dev", "Oslo"), ("test", "Turin")):
        lines = [
            f"# text = ({word})",
            *(f"{i}\t{w}\t{t}" for i, (w, t) in enumerate(zip(f"( {word} )".split(), "OBO", strict=True), 1)),
        ]
        found = "\n".join(lines).replace("\tB", "\tB-LOC")
        (tmp_path / f"{part}.iob2").write_text(found + "\n\n", encoding="utf-8")
    corpus = text.read_corpus(tmp_path)
    assert [sentence.words for sentence in corpus.train] == [["(", "Rome", ")"]]
    assert [sentence.spans for sentence in corpus.train] == [(Span(1, 2, "LOC"),)]
    assert list(corpus.texts) == ["(Turin)", "(Oslo)"]


class TestCrf:
    def test_every_shape_has_its_cases(self, script, tiny, capsys):
        found = run(script, tiny, capsys, "crf")
        assert set(found) == {"machine", "results"}
        assert set(found["machine"]) >= MACHINE
        works = [f"crf/{work}/{shape}" for shape in ("3x6x4", "2x1x3") for work in ("loss", "viterbi", "marginals")]
        assert [result["case"] for result in found["results"]] == works
        for result in found["results"]:
            assert set(result) >= FIGURES
            assert all(result[name] > 0 for name in FIGURES - {"case"})
        assert found["results"][2]["over_loss"] > 0

    def test_sentences_are_ragged(self, script):
        problem = script.crf.make_problem((50, 9, 3))
        assert problem.lengths[0] == 9
        assert set(problem.lengths.tolist()) == {5, 6, 7, 8, 9}

    @pytest.mark.parametrize("name", ["log_likelihood", "viterbi", "marginals"])
    def test_a_wrong_kernel_is_refused(self, script, tiny, capsys, monkeypatch, name):
        right = getattr(our_crf, name)

        def wrong(emissions, *others):
            if name == "viterbi":
                return torch.zeros_like(right(emissions, *others))
            return right(emissions, *others) * 1.01

        monkeypatch.setattr(our_crf, name, wrong)
        assert script.main(["crf", "--json"], tiny) == 1
        shown = capsys.readouterr()
        assert shown.out == ""
        assert "expected what the reference gives" in shown.err

    def test_a_wrong_gradient_is_refused(self, script, monkeypatch):
        right = our_crf.log_likelihood
        monkeypatch.setattr(
            our_crf, "log_likelihood", lambda scores, *rest: right(scores.detach(), *rest) + 0 * scores.sum()
        )
        with pytest.raises(script.WrongAnswerError, match="gradient of emissions"):
            script.crf.check(script.crf.make_problem((3, 6, 4)))


class TestTraining:
    def test_one_case_for_each_number_of_threads(self, script, tiny, capsys):
        found = run(script, tiny, capsys, "train", "--threads", "1", "2", "--repeats", "1")["results"]
        assert [result["case"] for result in found] == ["train/1-thread", "train/2-threads"]
        for result in found:
            assert result["ours_tokens_per_s"] == pytest.approx(result["tokens"] / result["ours_s"])
            assert all(result[name] > 0 for name in FIGURES - {"case"})

    def test_the_floor_reads_the_trainers_batches(self, script, text, monkeypatch):
        sentences = list(text.MadeText(1).sentences(60))
        seen: list[tuple[int, int]] = []
        collate = Featurizer.collate

        def watched(self, encoded):
            seen.append((len(encoded), max(map(len, encoded))))
            return collate(self, encoded)

        assembly = assemble(sentences, TINY.model)
        encoded = [assembly.featurizer.encode_gold(sentence) for sentence in sentences]
        monkeypatch.setattr(Featurizer, "collate", watched)
        next(Trainer(assembly, encoded, None, TINY.training).run())
        assert seen == script.training.training_shapes(sentences, TINY.training)

    def test_the_baseline_learns_and_tags(self, script, text):
        torch.manual_seed(0)
        sentences = list(text.MadeText(1).sentences(100))
        baseline = sys.modules["benchmarks.handrolled"].HandRolled(sentences, TINY.model, None)
        baseline.optimizer.param_groups[0]["lr"] = 0.02
        losses = [baseline.train_epoch(sentences) for _ in range(4)]
        assert losses[-1] < 0.7 * losses[0]
        tags = baseline.tag([sentence.words for sentence in sentences])
        assert [len(one) for one in tags] == [len(sentence.tokens) for sentence in sentences]


class TestTagging:
    def test_tokens_text_and_one_short_text(self, script, tiny, capsys):
        found = {result["case"]: result for result in run(script, tiny, capsys, "tag")["results"]}
        cases = {f"tag/{case}/1-thread" for case in ("tokens", "tokens-first", "text", "latency")}
        assert cases <= set(found) <= cases | {"tag/tokens-bfloat16/1-thread"}
        assert all(result["ours_s"] > 0 and result["over_floor"] > 0 for result in found.values())
        assert found["tag/tokens/1-thread"]["speedup"] > 0
        assert found["tag/text/1-thread"]["baseline_s"] is None
        of_tokens = found["tag/tokens/1-thread"]["ours_s"] / found["tag/text/1-thread"]["ours_s"]
        assert found["tag/text/1-thread"]["of_tokens"] == pytest.approx(of_tokens)

    def test_a_tagger_that_minds_its_company_is_refused(self, script, text, monkeypatch):
        corpus = text.read_corpus(None, train=30, test=10)
        tagger = Tagger(assemble(corpus.train, TINY.model))
        script.tagging.check(tagger, corpus)
        monkeypatch.setattr(Tagger, "tag_tokens", lambda self, tokens: [Span(0, 1, "FLAW")])
        with pytest.raises(script.WrongAnswerError, match="FLAW"):
            script.tagging.check(tagger, corpus)

    def test_short_texts_have_about_twenty_tokens(self, script, text):
        corpus = text.read_corpus(None, train=1, test=1000)
        assert {len(found.split()) for found in script.tagging.short_texts(corpus)} == {20}


@pytest.mark.slow
def test_start_runs_each_process(script, tiny, capsys, monkeypatch):
    done: dict[str, None] = {}
    process = script.start._process

    def once(command, environment) -> None:
        """A second run of a process would only be timed."""
        key = f"{command} in {environment.get('NUMBA_CACHE_DIR')}"
        if not key.startswith(tuple(done)):
            process(command, environment)
            done[str(command)] = None

    monkeypatch.setattr(script.start, "_process", once)
    found = {result["case"]: result for result in run(script, tiny, capsys, "start", "--repeats", "1")["results"]}
    assert set(found) == {f"start/{name}" for name in ("import", "help", "tag", "tag-command", "tag-first")}
    tagged = found["start/tag"]
    assert tagged["beyond_torch_s"] == pytest.approx(tagged["ours_s"] - tagged["floor_s"])
    assert len(done) == 5


@pytest.mark.slow
def test_memory_of_both_ways_at_two_sizes(script, tiny, capsys, monkeypatch):
    measured: dict[str, dict] = {}
    real = script.memory._measure
    monkeypatch.setattr(
        script.memory,
        "_measure",
        lambda way, *rest: dict(measured.setdefault(way, {}) or measured[way] | real(way, *rest)),
    )
    found = run(script, tiny, capsys, "memory")["results"]
    cases = [f"memory/{way}/{size}MB" for size in ("0.01", "0.02") for way in ("tag_many", "command")]
    assert [result["case"] for result in found] == cases
    for result in found:
        assert result["over_loaded_mb"] == pytest.approx(result["peak_mb"] - result["loaded_mb"])
        assert result["loaded_mb"] > 0
        assert -50 < result["over_loaded_mb"] < 500
        assert result["ours_s"] is None
    assert "growth_mb" not in found[0]
    assert abs(found[2]["growth_mb"]) < 100


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
