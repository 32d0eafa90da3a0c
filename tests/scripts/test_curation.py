"""The experiments on data: what is spoilt, and that both run."""

from __future__ import annotations

import pytest

import curation
from ner_lstm_crf.config import preset
from ner_lstm_crf.formats.registry import write_sentences
from ner_lstm_crf.runs.train import train


def test_a_share_of_the_entities_is_spoilt_and_nothing_else(make_sentences) -> None:
    sentences = make_sentences(100)
    spoilt, mistakes = curation.spoil(sentences, 0.05, seed=1)
    entities = [(number, span) for number, one in enumerate(sentences) for span in one.spans]
    assert len(mistakes) == round(0.05 * len(entities))
    for number, span in entities:
        assert (span in spoilt[number].spans) == ((number, (span.start, span.end)) not in mistakes)


@pytest.mark.slow
def test_both_experiments_run(make_sentences, tmp_path, monkeypatch, capsys) -> None:
    quick = preset("small").replace(hidden_size=8, epochs=2)
    write_sentences(tmp_path / "pool.conll", make_sentences(60))
    write_sentences(tmp_path / "test.conll", make_sentences(20, seed=1))
    monkeypatch.setattr(curation, "train", lambda data, _, *more, **named: train(data, quick, *more, **named))
    monkeypatch.setattr("ner_lstm_crf.curation.suspects.train", curation.train)
    for words in (["suspects", "pool.conll"], ["select", "pool.conll", "--test", "test.conll"]):
        monkeypatch.setattr("sys.argv", ["curation.py", *words, "--seeds", "1", "--labels", "PER,LOC"])
        monkeypatch.chdir(tmp_path)
        curation.main()
    out = capsys.readouterr().out
    assert "among the first tenth: " in out
    assert [line.split("|")[1].strip() for line in out.splitlines()[3:]] == [
        "entropy",
        "margin",
        "errors",
        "random",
        "all sentences",
    ]
