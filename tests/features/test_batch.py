"""Sentences to batches and tags back to spans."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from ner_lstm_crf.features.transformer.windows import Framing, cut_windows
from ner_lstm_crf.features.vocabularies import Vocabularies

from ner_lstm_crf.features.batch import Featurizer
from ner_lstm_crf.features.casing import casing
from ner_lstm_crf.features.vocabulary import build_characters, build_words
from ner_lstm_crf.tags.scheme import SCHEMES
from ner_lstm_crf.text.annotation import Sentence, Span

WORDS = {"Rome": 2, "in": 5, "1998": 1, "": 1, "Ünïcode": 1}


def featurizer(gap: int = 1) -> Featurizer:
    return Featurizer(
        Vocabularies(build_words(WORDS), build_characters(WORDS)),
        scheme=SCHEMES["BIEO"],
        labels=["LOC", "PER"],
        gap=gap,
    )


@given(st.lists(st.lists(st.text(max_size=6), min_size=1, max_size=9), min_size=1, max_size=6), st.integers(0, 3))
def test_every_token_finds_its_word_casing_and_characters(sentences: list[list[str]], gap: int) -> None:
    features = featurizer(gap)
    batch = features.collate([features.encode(words) for words in sentences])
    assert batch.lengths.tolist() == [len(words) for words in sentences]
    assert batch.tags is None
    starts = torch.cat([torch.zeros(1, dtype=torch.int64), (batch.character_counts + gap).cumsum(0)])
    for row, words in enumerate(sentences):
        for column, word in enumerate(words):
            form = batch.tokens[row, column]
            assert batch.words[form] == features.words.word_ids([word])[0]
            assert batch.casings[form] == casing(word)
            start, count = int(starts[form]), int(batch.character_counts[form])
            expected = features.vocabularies.characters.ids(word).tolist() or [1]
            assert batch.characters[start : start + count + gap].tolist() == expected + [0] * gap


def test_a_word_stands_in_the_batch_once() -> None:
    features = featurizer()
    batch = features.collate([features.encode(["in", "Rome", "in"]), features.encode(["Rome"])])
    assert len(batch.words) == 2
    assert batch.tokens.tolist()[1][1:] == [0, 0]


def test_the_table_grows_and_can_be_cleared() -> None:
    features = featurizer()
    words = [f"w{number}" for number in range(5000)]
    rows = features.table.rows(words)
    assert rows.tolist() == list(range(5000))
    characters, counts = features.table.characters(rows[4998:])
    assert counts.tolist() == [5, 5]
    assert len(characters) == 12
    features.table.clear()
    assert len(features.table) == 0
    assert features.table.rows(["in"]).tolist() == [0]


def test_a_failure_leaves_the_table_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    features = featurizer()
    before = features.collate([features.encode(["Rome", "in"])])

    def refuse(forms: list[str]) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("ner_lstm_crf.features.word_types.casing_ids", refuse)
        with pytest.raises(KeyboardInterrupt):
            features.encode(["Rome", "never", "met"])
    assert len(features.table) == 2
    after = features.collate([features.encode(["Rome", "in", "never"])])
    assert after.words.tolist()[:2] == before.words.tolist()
    assert after.character_counts.tolist() == [4, 2, 5]


def test_gold_spans_become_tags_and_come_back() -> None:
    features = featurizer()
    sentence = Sentence.from_words(["in", "Rome", "x", "y"], [Span(1, 2, "LOC"), Span(2, 4, "PER")])
    encoded = features.encode_gold(sentence)
    assert encoded.tags is not None
    assert [features.tags[tag] for tag in encoded.tags] == ["O", "B-LOC", "B-PER", "E-PER"]
    assert features.tag_set.decode(encoded.tags) == (sentence.spans, ())
    batch = features.collate([encoded, features.encode_gold(Sentence.from_words(["in"]))])
    assert batch.tags is not None
    assert batch.tags.tolist()[1] == [0, 0, 0, 0]


def test_a_transformers_output_takes_the_place_of_its_input() -> None:
    features = featurizer()
    sentences = [
        replace(features.encode(words), subtokens=cut_windows([[5]] * len(words), Framing(8)))
        for words in (["in", "Rome"], ["x"])
    ]
    batch = features.collate(sentences)
    assert batch.contextual is None
    assert batch.subtokens is not None
    assert batch.subtokens.shape == (2, 2)
    first, second = torch.randn(2, 3), torch.randn(1, 3)
    batch = features.collate([replace(sentences[0], contextual=first), replace(sentences[1], contextual=second)])
    assert batch.subtokens is None
    assert batch.contextual is not None
    assert torch.equal(batch.contextual, torch.stack([first, torch.cat([second, torch.zeros(1, 3)])]))
    plain = features.collate([features.encode(["in"])])
    assert plain.subtokens is None
    assert plain.contextual is None


def test_ill_formed_tags_are_reported() -> None:
    features = featurizer()
    spans, ill_formed = features.tag_set.decode(np.array([0, features.tags.index("E-PER")]))
    assert spans == (Span(1, 2, "PER"),)
    assert ill_formed == (1,)


def test_unknown_labels_and_empty_sentences_are_refused() -> None:
    with pytest.raises(ValueError, match="expected tags of the labels LOC, PER, got 'B-ORG'"):
        featurizer().encode_gold(Sentence.from_words(["in"], [Span(0, 1, "ORG")]))
    with pytest.raises(ValueError, match="at least one token"):
        featurizer().encode([])
    with pytest.raises(ValueError, match="at least one sentence"):
        featurizer().collate([])
