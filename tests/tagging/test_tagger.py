"""Tagging: offsets, order, flat memory, and the same result whatever else is tagged."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from ner_lstm_crf.config import Config
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.evaluation.metrics import evaluate_spans
from ner_lstm_crf.model import cpu
from ner_lstm_crf.runs.data import Data
from ner_lstm_crf.tagging import predictor as module
from ner_lstm_crf.tagging.constraints import Constraints, Gazetteer
from ner_lstm_crf.tagging.tagger import Tagger
from ner_lstm_crf.text import sentences as splitter
from ner_lstm_crf.text.annotation import Entity, Sentence, Span
from tests.made import trainer_for

Make = Callable[..., list[Sentence]]


@pytest.fixture(scope="module")
def tagger(make_sentences: Make, tiny: Config) -> Tagger:
    config = dataclasses.replace(tiny, training=dataclasses.replace(tiny.training, epochs=12))
    trainer = trainer_for(Data(make_sentences(200)), config)
    list(trainer.epochs())
    return Tagger(trainer.model)


def test_entities_have_the_offsets_of_the_untouched_text(tagger: Tagger) -> None:
    text = "  Anna Okafor met Boris Singh in\u00a0Oslo today.\n\nEmil met Clara Quist in Quito."
    found = tagger.tag(text)
    assert [(entity.text, entity.label) for entity in found] == [
        ("Anna Okafor", "PER"),
        ("Boris Singh", "PER"),
        ("Oslo", "LOC"),
        ("Emil", "PER"),
        ("Clara Quist", "PER"),
        ("Quito", "LOC"),
    ]
    assert all(text[entity.start : entity.end] == entity.text for entity in found)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=60), max_size=5))
def test_any_text_can_be_tagged(tagger: Tagger, texts: list[str]) -> None:
    found = list(tagger.tag_many(texts))
    assert len(found) == len(texts)
    for text, entities in zip(texts, found, strict=True):
        assert all(text[entity.start : entity.end] == entity.text for entity in entities)
        assert entities == sorted(entities)


def test_tokens_are_tagged_as_given(tagger: Tagger) -> None:
    assert tagger.tag_tokens(["Anna", "Okafor", "met", "in", "Oslo"]) == [Span(0, 2, "PER"), Span(4, 5, "LOC")]
    assert tagger.tag_tokens([]) == []
    with pytest.raises(TypeError, match=r"use tag\(text\)"):
        tagger.tag_tokens("Anna met Boris")


def test_the_result_does_not_depend_on_the_company(tagger: Tagger, make_sentences: Make) -> None:
    sentences = make_sentences(60, seed=3)
    together = [sentence.spans for sentence in tagger.tag_sentences(sentences)]
    alone = [tuple(tagger.tag_tokens(sentence.words)) for sentence in sentences]
    assert together == alone
    assert sum(spans == sentence.spans for spans, sentence in zip(alone, sentences, strict=True)) > 50


def test_order_is_kept_and_the_stream_is_read_chunk_by_chunk(tagger: Tagger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK_TOKENS", 50)
    read = 0

    def texts() -> Iterator[str]:
        nonlocal read
        for number in range(500):
            read += 1
            yield f"Anna met {'often ' * (number % 7)}in Oslo ." if number % 3 else ""

    stream = tagger.tag_many(texts())
    first = next(stream)
    assert first == []
    assert read < 60
    lengths = [len(first), *(len(entities) for entities in stream)]
    assert lengths == [2 if number % 3 else 0 for number in range(500)]


def test_features_of_words_do_not_pile_up(tagger: Tagger, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"Anna met w{number} in Oslo" for number in range(400)]
    expected = list(tagger.tag_many(texts))
    assert any(expected)
    monkeypatch.setattr(module, "CHUNK_TOKENS", 50)
    monkeypatch.setattr(module, "CACHED_TYPES", 100)
    assert list(tagger.tag_many(texts)) == expected
    assert len(tagger._predictor._word_types) < 200


def test_a_saved_tagger_tags_alike(tagger: Tagger, tmp_path: Path) -> None:
    tagger.save(tmp_path / "model")
    text = "Farida Singh met Deniz in Perth and Turin."
    assert Tagger.load(tmp_path / "model").tag(text) == tagger.tag(text) != []
    assert Tagger.load(str(tmp_path / "model")).labels == ("LOC", "PER")


def test_a_long_text_is_tagged_portion_by_portion(tagger: Tagger, monkeypatch: pytest.MonkeyPatch) -> None:
    one = "Anna Okafor met Boris in Oslo often. "
    expected = [(entity.start, entity.text) for entity in tagger.tag(one)]
    assert len(expected) == 3
    monkeypatch.setattr(splitter, "BLOCK", 200)
    monkeypatch.setattr(splitter, "_MARGIN", 50)
    monkeypatch.setattr(module, "CHUNK_TOKENS", 60)
    text = one * 200
    found = tagger.tag(text)
    repeated = [(number * len(one) + start, word) for number in range(200) for start, word in expected]
    assert [(entity.start, entity.text) for entity in found] == repeated
    assert list(tagger.tag_many([one, text, "", one])) == [tagger.tag(one), found, [], tagger.tag(one)]


def test_a_stream_that_is_left_leaves_no_thread(tagger: Tagger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK_TOKENS", 50)
    before, threads = threading.active_count(), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        stream = tagger.tag_many(f"Anna met w{number} in Oslo" for number in range(10**9))
        assert next(stream)
        assert before < threading.active_count() <= before + 2
        del stream
        assert threading.active_count() == before
    finally:
        torch.set_num_threads(threads)


def test_lower_precision_finds_nearly_the_same_and_is_not_saved(
    tagger: Tagger, make_sentences: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu, "quickest_dtype", lambda: torch.bfloat16)
    tagger.save(tmp_path / "model")
    half = Tagger.load(tmp_path / "model", precision="bfloat16")
    half.save(tmp_path / "half")
    assert equal_files(tmp_path / "model", tmp_path / "half")
    sentences = make_sentences(100, seed=4)
    pairs = zip(half.tag_sentences(sentences), tagger.tag_sentences(sentences), strict=True)
    assert sum(one == other for one, other in pairs) > 90
    monkeypatch.setattr(cpu, "quickest_dtype", lambda: torch.float32)
    with pytest.raises(InputError, match="float32 is the precision to use here"):
        Tagger.load(tmp_path / "model", precision="bfloat16")


def equal_files(one: Path, other: Path) -> bool:
    names = sorted(path.name for path in one.iterdir())
    return names == sorted(path.name for path in other.iterdir()) and all(
        (one / name).read_bytes() == (other / name).read_bytes() for name in names
    )


def test_very_long_sentences_and_words_are_tagged_whole(tagger: Tagger) -> None:
    words = ["often"] * 19_997 + ["in", "Oslo", "x" * 5000]
    assert tagger.tag_tokens(words) == [Span(19_998, 19_999, "LOC")]


def test_a_long_sentence_is_measured_and_tagged_as_a_whole_whatever_stands_beside_it(
    tagger: Tagger, make_sentences: Make
) -> None:
    made = make_sentences(400, seed=3)
    starts = accumulate((len(one.tokens) for one in made), initial=0)
    spans = [
        (start + span.start, start + span.end, span.label)
        for start, one in zip(starts, made, strict=False)
        for span in one.spans
    ]
    long = Sentence.from_words([word for one in made for word in one.words], spans)
    assert len(long.tokens) > 2000
    assert tagger.evaluate([long]).micro.f1 > 0.95
    found = list(tagger.tag_sentences([made[0], long, made[1], long]))
    assert found[1] == found[3]
    assert list(found[1].spans) == tagger.tag_tokens(long.words)
    assert found[2].spans == next(tagger.tag_sentences([made[1]])).spans


def test_one_text_in_place_of_many_is_refused(tagger: Tagger) -> None:
    with pytest.raises(TypeError, match=r"expected texts, got a string: use tag\(text\)"):
        tagger.tag_many("Anna met Boris.")


# Called wrongly


@pytest.fixture(scope="module")
def english() -> Tagger:
    return Tagger.load("en")


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda _: Tagger("en"), r"expected a Model, got str: use Tagger.load\('en'\)"),
        (lambda _: Tagger(None), "expected a Model, got NoneType$"),
        (lambda _: Tagger.load(None), "expected the directory of a model, or 'en' or 'zh', got NoneType"),
        (lambda tagger: tagger.tag(None), "expected a text, got NoneType$"),
        (lambda tagger: tagger.tag(b"Rome"), "expected a text, got bytes: decode it first"),
        (lambda tagger: tagger.tag(["Rome"]), r"expected a text, got list: use tag_many\(texts\)"),
        (lambda tagger: tagger(Sentence(())), r"expected a text, got Sentence: use tag_sentences"),
        (lambda tagger: list(tagger.tag_many("Rome")), r"expected texts, got a string: use tag\(text\)"),
        (lambda tagger: list(tagger.tag_many(None)), "expected texts, got NoneType"),
        (lambda tagger: list(tagger.tag_many(b"Rome")), "expected texts, got bytes"),
        (lambda tagger: list(tagger.tag_many({"text": "Rome"})), "expected texts, got dict"),
        (lambda tagger: list(tagger.tag_many(["Rome", float("nan")])), r"a string as item 2, got nan \(float\)"),
        (lambda tagger: list(tagger.tag_many(["Rome", None, 3])), r"a string as item 2, got None \(NoneType\)"),
        (lambda tagger: tagger.tag_tokens("Rome"), r"expected a sequence of tokens, got a string: use tag\(text\)"),
        (lambda tagger: tagger.tag_tokens(["a", None]), r"expected a string as token 2, got None \(NoneType\)"),
        (lambda tagger: tagger.tag_tokens({"Rome"}), "expected a sequence of tokens, got set"),
        (lambda tagger: tagger.tag_tokens(3), "expected a sequence of tokens, got int"),
        (
            lambda tagger: list(tagger.tag_sentences([["Rome"]])),
            r"expected a Sentence as item 1, got \['Rome'\] \(list\)",
        ),
        (lambda tagger: list(tagger.tag_sentences(["Rome"])), r"expected a Sentence as item 1, got 'Rome' \(str\)"),
        (lambda tagger: tagger.evaluate("test.conll"), "expected sentences, got str: read_sentences reads a file"),
        (lambda tagger: tagger.evaluate(Sentence(())), "expected sentences, got Sentence"),
        (lambda tagger: tagger.evaluate([None]), r"expected a Sentence as item 1, got None \(NoneType\)"),
    ],
)
def test_a_wrong_call_names_what_came_and_where(english: Tagger, call: Callable[[Any], object], said: str) -> None:
    with pytest.raises(TypeError, match=said):
        call(english)


def test_nothing_and_strings_of_other_libraries_are_tagged(english: Tagger) -> None:
    assert english.tag("") == english("") == english.tag_tokens([]) == list(english.tag_many([])) == []
    assert list(english.tag_sentences([])) == []
    rome = np.array(["Rome"])
    assert english.tag_tokens(rome) == [Span(0, 1, "LOC")]
    assert list(english.tag_many(rome)) == [english.tag("Rome")]
    assert english.tag_tokens(token for token in ["Rome"]) == [Span(0, 1, "LOC")]  # type: ignore[arg-type]


def test_an_evaluation_is_that_of_the_spans_found(english: Tagger, caplog: pytest.LogCaptureFixture) -> None:
    gold = [Sentence.from_text("Angela Merkel visited Rome.", [(0, 13, "PER"), (22, 26, "GPE")])]
    found = evaluate_spans([gold[0].spans], [one.spans for one in english.tag_sentences(gold)])
    assert english.evaluate(iter(gold)).per_label == found.per_label
    assert caplog.messages == ["evaluate: 1 entity has a label that the model does not know (GPE): counted as missed"]
    with pytest.raises(ValueError, match="expected sentences, got none"):
        english.evaluate([])


def test_what_there_is_shows_itself_on_one_short_line(english: Tagger) -> None:
    assert repr(english) == "<Tagger: LOC, ORG, PER over words>"
    assert repr(english.model) == "<Model: LOC, ORG, PER over words, 1 network of 200 units>"


def test_a_directory_that_is_named_like_a_shipped_tagger_is_told(
    english: Tagger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    Tagger.load("en")
    (tmp_path / "en").mkdir()
    Tagger.load("en")
    assert not caplog.messages
    english.save("en")
    Tagger.load("en")
    assert caplog.messages == ["en: taken for the shipped tagger, the model in this directory is ./en"]
    Tagger.load("./en")
    assert len(caplog.messages) == 1


def test_an_analysis_is_that_of_tagging(tagger: Tagger, make_sentences: Make) -> None:
    text = "Anna Okafor met <b>Boris</b> Singh in #Oslo today. Emil 😀 Quist met Clara.\n\nIt rains in Quito"
    analyses = tagger.analyze(text)
    assert [analysis.words for analysis in analyses] == [sentence.words for sentence in tagger.split(text)]
    entities = [entity for analysis in analyses for entity in analysis.entities]
    assert entities == tagger.tag(text)
    assert [one.score for one in entities] == pytest.approx([one.score for one in tagger.tag(text)], abs=1e-5)
    for sentence in make_sentences(20, seed=5):
        (analysis,) = tagger.analyze(sentence)
        assert list(analysis.spans) == tagger.tag_tokens(sentence.words)
        assert [same.spans for same in tagger.analyze(sentence.words)] == [analysis.spans]
        with torch.no_grad():
            head, lengths = tagger.model.networks[0].head, torch.tensor([len(analysis)])
            marginals = head.marginals(torch.from_numpy(analysis.emissions)[None], lengths)[0]
        np.testing.assert_allclose(analysis.marginals, marginals, atol=1e-5)
    assert tagger.analyze("") == tagger.analyze([]) == tagger.vectors(" ") == []


def test_the_insides_are_arrays_that_fit_together(tagger: Tagger) -> None:
    text = "Anna met Boris Singh. He was in Oslo."
    network, lengths = tagger.model.networks[0], [5, 5]
    emissions, vectors = tagger.emissions(text), tagger.vectors(text)
    assert [one.shape for one in emissions] == [(length, len(tagger.model.tags)) for length in lengths]
    assert [one.shape for one in vectors] == [(length, network.encoder.size) for length in lengths]
    for of_sentence, own in zip(emissions, vectors, strict=True):
        with torch.no_grad():
            projected = network.projection(torch.from_numpy(own))
        np.testing.assert_allclose(of_sentence, projected, atol=1e-5)
    assert [one.sum(1) == pytest.approx(1.0) for one in tagger.marginals(text)] == [True, True]
    with torch.no_grad():
        start, transitions, end = network.head.scores()
    assert np.asarray(tagger.transitions).tolist() == transitions.tolist()
    assert tagger.transitions.start.tolist() == start.tolist()
    assert tagger.transitions.end.tolist() == end.tolist()


@pytest.mark.parametrize("wrong", [3, None, b"Anna", {"Anna": 1}, [1, 2]])
def test_what_is_no_text_is_not_analysed(tagger: Tagger, wrong: Any) -> None:
    with pytest.raises(TypeError, match="expected a"):
        tagger.analyze(wrong)


def test_entities_under_constraints_are_counted_in_characters(tagger: Tagger) -> None:
    text = "  Anna Okafor met Boris in\u00a0Oslo.\n\nEmil met <b>Clara</b> in Quito."
    assert tagger.tag(text, constraints=Constraints()) == tagger.tag(text)
    known = Constraints(
        spans=[(2, 6, "PER"), Entity(18, 23, "LOC", "Boris")],
        rejected=[(27, 31, "LOC")],
        forbidden=[(34, 38, "PER")],
        allowed=[(46, 51, ["LOC"])],
        gazetteers=[Gazetteer({"Quito": "PER"})],
    )
    found = tagger.tag(text, constraints=known)
    assert all(text[entity.start : entity.end] == entity.text for entity in found)
    labels = {entity.text: entity.label for entity in found}
    assert labels | {"Anna": "PER", "Boris": "LOC", "Clara": "LOC", "Quito": "PER"} == labels
    assert "Anna Okafor" not in labels
    assert labels.get("Oslo") != "LOC"
    assert labels.get("Emil") != "PER"
    scores = {entity.text: entity.score for entity in found}
    assert [scores[name] for name in ("Anna", "Boris", "Quito")] == pytest.approx([1.0, 1.0, 1.0])
    sure = tagger.tag(text, constraints=known, min_score=0.99)
    assert sure == [entity for entity in found if (entity.score or 0) >= 0.99]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"spans": [(0, 3, "PER")]}, "begins and ends with a token, got 0-3: the token 'Anna' goes from 0 to 4"),
        ({"spans": [(0, 6, "PER")]}, "the token 'met' goes from 5 to 8"),
        ({"rejected": [(10, 16, "PER")]}, "an entity within a sentence, got 10-16: the sentence ends at 14"),
        ({"favoured": [(20, 24, "PER", 1.0)]}, "an entity within the text, got 20-24: no sentence holds its start"),
        ({"allowed": [(14, 15, ["PER"])]}, "a token within the characters 14 to 15, found none"),
        ({"spans": [(0, 4, "PER")], "forbidden": ["PER"]}, r"PER at 0-1 \(Anna\); only LOC, O"),
    ],
)
def test_constraints_that_do_not_fit_a_text_are_refused(tagger: Tagger, wanted: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        tagger.tag("Anna met Oslo. Emil", constraints=Constraints(**wanted))
