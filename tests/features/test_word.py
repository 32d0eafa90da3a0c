"""Words: every training word finds the vector it was given, and pretrained vectors stay what they are."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from numpy.typing import NDArray

from ner_lstm_crf.config import ModelConfig, TrainingConfig
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.token_feature import Resources, SavedFeature
from ner_lstm_crf.features.vectors import Vectors
from ner_lstm_crf.features.vocabulary import UNKNOWN, Vocabulary, spellings
from ner_lstm_crf.features.word import Words
from ner_lstm_crf.model.embedding.word import WordVectors
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.text.annotation import Sentence, Span
from ner_lstm_crf.training.trainer import Trainer
from tests.plain_path import words_of

CONFIG = ModelConfig(word_size=3)
FORMS = st.text("abAB01İß-", min_size=1, max_size=4)
COUNTS = st.dictionaries(FORMS, st.integers(1, 5), max_size=12)
KNOWN = st.lists(FORMS, unique=True, max_size=12)


def build(counts: dict[str, int], known: list[str] | tuple[str, ...] = (), *, frozen: bool = False) -> Words:
    """The words of training data whose words occur so often, and of vectors: the n-th is filled with n."""
    matrix = torch.arange(float(len(known))).repeat(3, 1).T.numpy()
    sentences = [[word] * count for word, count in counts.items()]
    return Words.build(Resources(CONFIG, sentences, Vectors(tuple(known), matrix) if known else None, frozen))


def spelling_of(form: str, known: list[str]) -> str:
    """The oracle: the rule of the module's docstring."""
    return next((spelling for spelling in spellings(form) if spelling in known), spellings(form)[-1])


def id_of(words: Words, form: str) -> int:
    return int(words.type_ids([form])[0])


@given(COUNTS, KNOWN, st.booleans())
def test_a_training_word_takes_the_first_spelling_the_vectors_know(counts: Any, known: Any, frozen: bool) -> None:
    words = build(counts, known, frozen=frozen)
    for form in counts:
        assert words.vocabulary.symbols[id_of(words, form) - 2] == spelling_of(form, known)


@given(COUNTS, KNOWN)
def test_training_words_first_then_those_that_only_the_vectors_know(counts: Any, known: Any) -> None:
    words = build(counts, known)
    symbols, count = words.vocabulary.symbols, words.first_frozen - 2
    assert set(symbols[:count]) == {spelling_of(form, known) for form in counts}
    assert list(symbols[count:]) == [word for word in known if word not in symbols[:count]]
    assert list(words.counts) == sorted(words.counts, reverse=True)
    assert sum(words.counts) == sum(counts.values())


@given(COUNTS, KNOWN, st.booleans())
def test_each_pretrained_word_has_its_vector(counts: Any, known: Any, frozen: bool) -> None:
    words = build(counts, known, frozen=frozen)
    module = WordVectors.build(words, CONFIG)
    module.initialise(words)
    ids = words.vocabulary.ids(known)
    found = module(torch.from_numpy(ids))
    assert found.tolist() == [[number] * 3 for number in range(len(known))]
    pretrained = {number for number in ids.tolist() if number < words.first_frozen}
    assert set(module.table.pretrained.nonzero().flatten().tolist()) == pretrained
    assert not module.table.trainable[0].any()


@given(COUNTS, KNOWN)
def test_frozen_words_are_all_that_the_vectors_know(counts: Any, known: Any) -> None:
    plain, frozen = build(counts, known), build(counts, known, frozen=True)
    symbols, count = frozen.vocabulary.symbols, frozen.first_frozen - 2
    assert list(symbols[count:]) == known
    assert dict(zip(symbols[:count], frozen.counts, strict=True)) == {
        word: number for word, number in zip(plain.vocabulary.symbols, plain.counts, strict=False) if word not in known
    }
    for form in [*counts, *known, "Ab01"]:  # each word finds the same spelling as without freezing
        ids = [id_of(words, form) - 2 for words in (plain, frozen)]
        assert (ids[0] < 0) == (ids[1] < 0)
        assert ids[0] < 0 or plain.vocabulary.symbols[ids[0]] == symbols[ids[1]]


@given(COUNTS, KNOWN, st.lists(FORMS))
def test_look_up_takes_the_first_spelling_that_is_known(counts: Any, known: Any, forms: list[str]) -> None:
    words = build(counts, known)
    symbols = words.vocabulary.symbols
    expected = [
        next((2 + symbols.index(spelling) for spelling in spellings(form) if spelling in symbols), UNKNOWN)
        for form in forms
    ]
    assert words.type_ids(forms).tolist() == expected


def test_lower_cased_vectors_join_case_and_cased_ones_keep_it() -> None:
    counts = {"Bank": 2, "bank": 3, "BANK": 1}
    lower = build(counts, ["bank"])
    assert lower.vocabulary.symbols == ("bank",)
    assert lower.counts == (6,)
    cased = build(counts, ["Bank", "bank"])
    assert id_of(cased, "Bank") != id_of(cased, "bank") == id_of(cased, "BANK")


def test_numbers_share_a_vector_unless_the_pretrained_ones_know_them() -> None:
    words = build({"1998": 1, "2007": 1, "3,141": 1}, ["1998"])
    exact, masked, grouped = words.vocabulary.ids(["1998", "0000", "0,000"]).tolist()
    assert words.type_ids(["1998", "2007", "2031", "2,718"]).tolist() == [exact, masked, masked, grouped]
    assert len({exact, masked, grouped, UNKNOWN}) == 4


@given(COUNTS, KNOWN)
def test_words_survive_json(counts: Any, known: Any) -> None:
    words = build(counts, known)
    again = Words.load(SavedFeature(CONFIG, json.loads(json.dumps(words.to_json())), words.frozen))
    assert (again.vocabulary.symbols, again.counts) == (words.vocabulary.symbols, words.counts)
    assert again.frozen is words.frozen


@pytest.mark.parametrize(
    "value",
    [["a"], {"symbols": ["a"]}, {"symbols": ["a"], "counts": [1, 2]}, {"symbols": ["a"], "counts": ["1"]},
     {"symbols": ["a"], "counts": [True]}, {"symbols": ["a"], "counts": [-1]}, {"symbols": "a", "counts": [1]}],
)  # fmt: skip
def test_damaged_words_are_refused(value: Any) -> None:
    with pytest.raises(InputError, match=r"vocabulary|frozen vectors"):
        Words.load(SavedFeature(CONFIG, value, np.zeros((0, 3))))


@pytest.mark.parametrize("frozen", [None, np.zeros((2, 3)), np.zeros((1, 4))])
def test_frozen_vectors_that_do_not_fit_are_refused(frozen: NDArray[np.float64] | None) -> None:
    with pytest.raises(InputError, match="expected the frozen vectors of 1 words"):
        Words.load(SavedFeature(CONFIG, {"symbols": ["a", "b"], "counts": [1]}, frozen))
    with pytest.raises(ValueError, match="at most 1 counts"):
        Words(Vocabulary(["a"]), (1, 2), np.zeros((0, 3)))


def test_frozen_vectors_are_in_half_precision_unless_that_overflows() -> None:
    vocabulary = Vocabulary(["a", "b"])
    assert Words(vocabulary, (1,), np.ones((1, 3), np.float32)).frozen.dtype == np.float16
    large = np.array([[1e5, -1.0, 0.0]], np.float32)
    assert np.array_equal(Words(vocabulary, (1,), large).frozen, large)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_freezing_keeps_pretrained_vectors_and_trains_all_other_rows(optimizer: str) -> None:
    vectors = Vectors(("rome", "met", "oslo"), torch.randn(3, 12, generator=torch.Generator().manual_seed(0)).numpy())
    sentences = [Sentence.from_words(["Anna", "met", "Rome", "again"], [Span(2, 3, "LOC")])] * 3
    config = ModelConfig(word_size=12, char_size=4, char_filters=4, hidden_size=6, word_dropout=0.3)
    model = Model.build(sentences, config, vectors=vectors, freeze_vectors=True)
    table = model.networks[0].embedding.tables["word"]
    ids = torch.from_numpy(words_of(model).type_ids(["Rome", "met", "oslo", "anna", "again", "xyzzy"]))
    before = table(ids).detach().clone()
    torch.testing.assert_close(before[:3], torch.from_numpy(vectors.matrix)[[0, 1, 2]], atol=1e-3, rtol=1e-3)
    training = TrainingConfig(
        epochs=3, min_steps=0, optimizer=optimizer, learning_rate=1e-3, weight_decay=0.1, ema_decay=0.5
    )
    trainer = Trainer(model, model.encode(sentences, gold=True), None, training)
    for _ in trainer.epochs():
        with trainer.optimizer.averaged_weights():
            assert torch.equal(table(ids)[:3], before[:3])
    assert (table(ids)[3:] != before[3:]).any(1).all()
