"""Each distinct word once."""

from __future__ import annotations

import pytest

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.features import casing
from ner_lstm_crf.features.batch import WordTypes
from ner_lstm_crf.features.registry import Features
from ner_lstm_crf.features.token_feature import Resources


@pytest.fixture
def types() -> WordTypes:
    return WordTypes(Features.build(Resources(ModelConfig(), [["Rome", "in", "w0123456789"]])))


def test_they_grow_and_can_be_cleared(types: WordTypes) -> None:
    words = [f"w{number}" for number in range(5000)]
    assert types.rows(words).tolist() == list(range(5000))
    assert types.rows([words[7], "new", words[7]]).tolist() == [7, 5000, 7]
    characters, lengths = types.inputs(types.rows(words[4998:]))["characters"]
    assert lengths.tolist() == [5, 5]
    assert len(characters) == 12
    types.clear()
    assert (len(types), types.generation) == (0, 1)
    assert types.rows(["in"]).tolist() == [0]


def test_a_failure_leaves_them_as_they_were(types: WordTypes, monkeypatch: pytest.MonkeyPatch) -> None:
    before = types.inputs(types.rows(["Rome", "in"]))

    def refuse(word: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(casing, "casing", refuse)
        with pytest.raises(KeyboardInterrupt):
            types.rows(["Rome", "never", "met"])
    assert len(types) == 2
    after = types.inputs(types.rows(["Rome", "in", "never"]))
    assert after["word"].tolist()[:2] == before["word"].tolist()
    assert after["characters"].lengths.tolist() == [4, 2, 5]
    size = len(before["characters"].characters)
    assert after["characters"].characters.tolist()[:size] == before["characters"].characters.tolist()
