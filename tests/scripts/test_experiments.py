"""scripts/partial_labels.py and scripts/losses.py: that they hide what they say, and make each result once."""

from __future__ import annotations

import json
import sys

import pytest

import experiments
import losses
import partial_labels
from ner_lstm_crf.config import preset
from ner_lstm_crf.text.annotation import Sentence

SENTENCE = Sentence.from_words(["Ada", "met", "Milo", "Fox"], [(0, 1, "PER"), (2, 4, "PER")])


@pytest.mark.parametrize("told", [False, True])
def test_half_of_the_entities_are_hidden(told):
    sentences = [SENTENCE] * 500
    found = partial_labels.without_half(sentences, 1, told=told)
    assert 420 < sum(len(one.spans) for one in found) < 580
    for one in found:
        assert set(one.spans) <= set(SENTENCE.spans)
        hidden = {at for span in set(SENTENCE.spans) - set(one.spans) for at in range(span.start, span.end)}
        assert {token for token, _ in one.unknown} == (hidden if told else set())
    assert found == partial_labels.without_half(sentences, 1, told=told)
    of_told, of_not_told = (partial_labels.without_half(sentences, 2, told=one) for one in (True, False))
    assert [one.spans for one in of_told] == [one.spans for one in of_not_told]


def test_where_another_model_finds_an_entity_it_is_not_known_what_is_there():
    seen = SENTENCE.with_spans(SENTENCE.spans[:1])
    found = partial_labels.with_guesses(seen, SENTENCE.with_spans([(0, 1, "LOC"), (2, 4, "PER")]))
    assert found.spans == seen.spans
    assert [token for token, _ in found.unknown] == [2, 3]


def test_the_share_of_tokens_in_entities():
    assert partial_labels.ratio_of([SENTENCE, SENTENCE.with_spans([])]) == 3 / 8


def test_a_result_is_made_once(tmp_path, capsys):
    made = []
    for _ in range(2):
        results = experiments.Results(tmp_path, ("f1", "seconds"))
        for seed in (1, 2):
            results.make("corpus", "way", seed, lambda seed=seed: made.append(seed) or {"f1": 0.5 + seed / 100})
    assert made == [1, 2]
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert results.table().splitlines()[2].startswith("| corpus | way | 2 | 51.5 ± 0.7 | ")


def test_the_losses_are_those_of_configurations():
    for settings in losses.LOSSES.values():
        preset("fast").replace(**settings)  # refused if two of them have no meaning together
    assert len({str(preset("fast").replace(**one)) for one in losses.LOSSES.values()}) == len(losses.LOSSES)


@pytest.mark.parametrize("script", [losses, partial_labels])
def test_a_small_corpus_gives_a_table(script, tmp_path, monkeypatch, capsys):
    text = "Ada\tB-PER\nmet\tO\nMilo\tB-PER\nin\tO\nRome\tB-LOC\n.\tO\n\nIBM\tB-ORG\nbuilt\tO\nit\tO\n\n" * 12
    (tmp_path / "wnut17").mkdir()
    for part in ("train", "dev", "test"):
        (tmp_path / "wnut17" / f"{part}.conll").write_text(text, encoding="utf-8")
    monkeypatch.setattr(losses, "CORPORA", {"wnut17": ()})
    monkeypatch.setattr(losses, "LOSSES", {name: losses.LOSSES[name] for name in ("CRF", "softmax, missed 1")})
    folder = tmp_path / "wnut17" if script is partial_labels else tmp_path
    ways = ["unannotated, distill", "as ?", "cross-fitted"] if script is partial_labels else list(losses.LOSSES)
    only = ["--only", *ways] if script is partial_labels else []
    monkeypatch.setattr(sys, "argv", ["script", str(folder), "--output", str(tmp_path / "runs"), "--quick", *only])
    small = preset("small").replace(hidden_size=8, word_size=6, char_filters=4, epochs=1)
    monkeypatch.setattr(script, "preset", lambda _: small)
    script.main()
    *_, table = capsys.readouterr().out.split("| experiment")
    assert all(f"| {way} | 1 |" in table for way in ways)
    lines = (tmp_path / "runs" / "results.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["way"] for line in lines] == ways
