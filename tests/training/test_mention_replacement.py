"""Replacing entities changes what was drawn, and nothing else of a sentence."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from ner_lstm_crf.config import Config
from ner_lstm_crf.features.batch import EncodedSentence, Featurizer
from ner_lstm_crf.runs.data import Data
from ner_lstm_crf.runs.network_runs import prepare
from ner_lstm_crf.saving.model import build_model
from ner_lstm_crf.tags.scheme import SCHEMES
from ner_lstm_crf.text.annotation import Sentence, Span
from ner_lstm_crf.training.mention_replacement import MentionReplacement
from ner_lstm_crf.training.trainer import Trainer

WORDS = [
    (["Anna", "Berg", "met", "Li", "in", "Rome"], [Span(0, 2, "PER"), Span(3, 4, "PER"), Span(5, 6, "LOC")]),
    (["Oslo", "is", "far"], [Span(0, 1, "LOC")]),
    (["nobody", "came"], []),
    (["Jo", "de", "la", "Cruz"], [Span(0, 4, "PER")]),
]
SENTENCES = [Sentence.from_words(words, spans) for words, spans in WORDS]


TOUCHING = Sentence.from_words(["Li", "Jo", "Rome"], [Span(0, 1, "PER"), Span(1, 2, "PER"), Span(2, 3, "LOC")])


def replacement(
    config: Config, rate: float, sentences: Sequence[Sentence] = SENTENCES
) -> tuple[Featurizer, list[EncodedSentence], MentionReplacement]:
    featurizer = build_model(sentences, config.model).featurizer
    encoded = [featurizer.encode_gold(sentence) for sentence in sentences]
    return featurizer, encoded, MentionReplacement(encoded, featurizer, rate)


def text(featurizer: Featurizer, sentence: EncodedSentence) -> tuple[list[str], tuple[Span, ...]]:
    words = [word for sentence in (*SENTENCES, TOUCHING) for word in sentence.words]
    spelled = dict(zip(featurizer.table.rows(words).tolist(), words, strict=True))
    assert sentence.tags is not None
    spans, ill_formed = featurizer.tag_set.decode(sentence.tags)
    assert not ill_formed
    return [spelled[row] for row in sentence.forms.tolist()], spans


@pytest.mark.parametrize("scheme", SCHEMES)
def test_contexts_stay_and_entities_are_those_of_the_data_with_their_labels(tiny: Config, scheme: str) -> None:
    config = dataclasses.replace(tiny, model=dataclasses.replace(tiny.model, scheme=scheme))
    # Spans that touch are one to a scheme without beginnings.
    sentences = SENTENCES if scheme == "IO" else [*SENTENCES, TOUCHING]
    featurizer, encoded, replaced = replacement(config, 0.5, sentences)
    known = {(tuple(s.words[x.start : x.end]), x.label) for s in sentences for x in s.spans}
    seen, random = set(), np.random.default_rng(1)
    for _ in range(200):
        for number, sentence in enumerate(sentences):
            words, spans = text(featurizer, replaced(number, random))
            assert [span.label for span in spans] == [span.label for span in sentence.spans]
            inside = {place for span in spans for place in range(span.start, span.end)}
            gold = {place for span in sentence.spans for place in range(span.start, span.end)}
            outside = [word for place, word in enumerate(words) if place not in inside]
            assert outside == [word for place, word in enumerate(sentence.words) if place not in gold]
            mentions = {(tuple(words[span.start : span.end]), span.label) for span in spans}
            assert mentions <= known
            seen |= {(number, mention) for mention in mentions}
    per = {mention for mention in known if mention[1] == "PER"}
    assert {(0, mention) for mention in per} <= seen  # each of them at some time
    assert text(featurizer, replaced(2, random)) == (["nobody", "came"], ())
    assert [text(featurizer, sentence)[0] for sentence in encoded] == [sentence.words for sentence in sentences]


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5])
def test_the_share_of_entities_that_are_replaced_is_the_rate(tiny: Config, rate: float) -> None:
    others = [Sentence.from_words([f"Name{number}", "ran"], [Span(0, 1, "PER")]) for number in range(1000)]
    _, encoded, replaced = replacement(tiny, rate, others)
    random = np.random.default_rng(3)
    changed = sum(
        not np.array_equal(replaced(number, random).forms, sentence.forms) for number, sentence in enumerate(encoded)
    )
    assert abs(changed / 1000 - rate) < 4 * np.sqrt(rate * (1 - rate) / 1000) + 0.002
    if not rate:
        assert all(replaced(number, random) is sentence for number, sentence in enumerate(encoded))


def test_what_a_frozen_transformer_said_comes_along_and_sentences_for_one_in_training_stay(tiny: Config) -> None:
    featurizer = build_model(SENTENCES, tiny.model).featurizer
    encoded, first = list[EncodedSentence](), 0.0
    for sentence in SENTENCES:
        vectors = torch.arange(first, first + len(sentence.tokens)).unsqueeze(1)
        encoded.append(featurizer.encode_gold(sentence, vectors))
        first += len(sentence.tokens)
    replaced, random = MentionReplacement(encoded, featurizer, 0.9), np.random.default_rng(1)
    forms = np.concatenate([sentence.forms for sentence in encoded])
    for number in (0, 1, 3) * 20:
        sentence = replaced(number, random)
        assert sentence.contextual is not None
        assert np.array_equal(forms[sentence.contextual[:, 0].long().numpy()], sentence.forms)
    tuned = [dataclasses.replace(sentence, subtokens=object()) for sentence in encoded]  # type: ignore[arg-type]
    still = MentionReplacement(tuned, featurizer, 0.9)
    assert all(still(number, random) is sentence for number, sentence in enumerate(tuned))


def test_pairs_and_words_around_characters_are_those_of_the_new_sentence(tiny: Config) -> None:
    texts = [("我爱北京", [Span(2, 4, "LOC")]), ("上海很大", [Span(0, 2, "LOC")])]
    sentences = [Sentence.from_words(list(words), spans) for words, spans in texts] * 2  # pairs have to occur twice
    config = dataclasses.replace(tiny.model, token_unit="character", bigram_size=4, lexicon_size=4)
    featurizer = build_model(sentences, config, lexicon={"北京": "ns", "爱上": "v", "上海": "ns"}).featurizer
    encoded = [featurizer.encode_gold(sentence) for sentence in sentences]
    replaced, random = MentionReplacement(encoded, featurizer, 0.99), np.random.default_rng(1)
    whole = featurizer.encode(list("我爱上海"))
    found = [sentence for _ in range(20) if np.array_equal((sentence := replaced(0, random)).forms, whole.forms)]
    assert found
    assert whole.bigrams is not None
    assert whole.lexicon is not None
    assert whole.lexicon[1, 0] > 0  # a word that neither of the two sentences has
    for sentence in found:
        assert np.array_equal(sentence.bigrams, whole.bigrams)  # type: ignore[arg-type]
        assert np.array_equal(sentence.lexicon, whole.lexicon)  # type: ignore[arg-type]


def test_training_sees_other_entities_in_each_epoch_and_the_same_with_the_same_seed(
    tiny: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, ...]] = []
    step = Trainer._step

    def watched(self: Trainer, sentences: Sequence[EncodedSentence]) -> torch.Tensor:
        seen.extend(sorted(tuple(sentence.forms.tolist()) for sentence in sentences))
        return step(self, sentences)

    monkeypatch.setattr(Trainer, "_step", watched)

    def epochs(rate: float) -> list[list[tuple[int, ...]]]:
        training = dataclasses.replace(tiny.training, mention_replacement=rate, epochs=3, min_steps=0)
        found = []
        for _ in prepare(Data(SENTENCES), Config(model=tiny.model, training=training)).run():
            found.append(sorted(seen))
            seen.clear()
        return found

    first, second, third = epochs(0.9)
    assert first != second or second != third
    assert [first, second, third] == epochs(0.9)
    plain = epochs(0.0)
    assert plain[0] == plain[1] == plain[2] != first
