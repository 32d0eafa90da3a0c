"""scripts/benchmark.py: that its commands measure what they say; no test looks at how fast anything is."""

from __future__ import annotations

import json
import sys

import pytest
import torch

from ner_lstm_crf.data.annotation import Span
from ner_lstm_crf.features.batch import Featurizer
from ner_lstm_crf.model import crf as our_crf
from ner_lstm_crf.tasks.assembly import assemble
from ner_lstm_crf.tasks.tagger import Tagger
from ner_lstm_crf.tasks.training import Trainer

FIGURES = {"case", "ours_s", "baseline_s", "floor_s", "speedup", "over_floor"}
MACHINE = {"processor", "cores", "capability", "system", "python", "torch", "threads"}


def run(script, settings, capsys, *arguments: str) -> dict:
    assert script.main([*arguments, "--json"], settings) == 0
    return json.loads(capsys.readouterr().out)


class TestCrf:
    def test_every_shape_has_its_cases(self, script, tiny, capsys):
        found = run(script, tiny, capsys, "crf")
        assert set(found) == {"machine", "command", "corpus", "vectors", "results"}
        assert found["command"] == "python scripts/benchmark.py crf --json"
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
        assert [result["case"] for result in found] == [
            f"train/{threads}{how}" for threads in ("1-thread", "2-threads") for how in ("", "/adversarial")
        ]
        for result in found:
            assert result["ours_tokens_per_s"] == pytest.approx(result["tokens"] / result["ours_s"])
            assert all(result[name] > 0 for name in FIGURES - {"case"})

    def test_the_floor_reads_the_trainers_batches(self, script, text, tiny, monkeypatch):
        sentences = list(text.MadeText(1).sentences(60))
        seen: list[tuple[int, int]] = []
        collate = Featurizer.collate

        def watched(self, encoded):
            seen.append((len(encoded), max(map(len, encoded))))
            return collate(self, encoded)

        assembly = assemble(sentences, tiny.config.model)
        encoded = [assembly.featurizer.encode_gold(sentence) for sentence in sentences]
        monkeypatch.setattr(Featurizer, "collate", watched)
        next(Trainer(assembly, encoded, None, tiny.config.training).run())
        assert seen == script.training.training_shapes(sentences, tiny.config.training)

    def test_the_baseline_learns_and_tags(self, text, tiny):
        torch.manual_seed(0)
        sentences = list(text.MadeText(1).sentences(100))
        baseline = sys.modules["benchmarks.handrolled"].HandRolled(sentences, tiny.config.model, None)
        baseline.optimizer.param_groups[0]["lr"] = 0.02
        losses = [baseline.train_epoch(sentences) for _ in range(4)]
        assert losses[-1] < 0.7 * losses[0]
        tags = baseline.tag([sentence.words for sentence in sentences])
        assert [len(one) for one in tags] == [len(sentence.tokens) for sentence in sentences]


class TestTagging:
    def test_tokens_text_and_one_short_text(self, script, tiny, capsys):
        report = run(script, tiny, capsys, "tag")
        assert (report["corpus"], report["vectors"]) == ("made text", None)
        found = {result["case"]: result for result in report["results"]}
        cases = {f"tag/{case}/1-thread" for case in ("tokens", "tokens-first", "text", "latency")}
        assert cases <= set(found) <= cases | {"tag/tokens-bfloat16/1-thread"}
        assert all(result["ours_s"] > 0 and result["over_floor"] > 0 for result in found.values())
        assert found["tag/tokens/1-thread"]["speedup"] > 0
        assert found["tag/text/1-thread"]["baseline_s"] is None
        of_tokens = found["tag/tokens/1-thread"]["ours_s"] / found["tag/text/1-thread"]["ours_s"]
        assert found["tag/text/1-thread"]["of_tokens"] == pytest.approx(of_tokens)

    def test_a_tagger_that_minds_its_company_is_refused(self, script, text, tiny, monkeypatch):
        corpus = text.read_corpus(None, train=30, test=10)
        tagger = Tagger(assemble(corpus.train, tiny.config.model))
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
