"""Replacing entities changes what was drawn, and nothing else of a sentence."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from ner_lstm_crf.config import Config
from ner_lstm_crf.data.annotation import Sentence, Span
from ner_lstm_crf.features.batch import Encoded
from ner_lstm_crf.tasks.assembly import assemble
from ner_lstm_crf.tasks.mention_replacement import MentionReplacement
from ner_lstm_crf.tasks.runs import Data, prepare

WORDS = [
    (["Anna", "Berg", "met", "Li", "in", "Rome"], [Span(0, 2, "PER"), Span(3, 4, "PER"), Span(5, 6, "LOC")]),
    (["Oslo", "is", "far"], [Span(0, 1, "LOC")]),
    (["nobody", "came"], []),
    (["Jo", "de", "la", "Cruz"], [Span(0, 4, "PER")]),
]
SENTENCES = [Sentence.from_words(words, spans) for words, spans in WORDS]


def replacement(
    config: Config, rate: float, sentences: Sequence[Sentence] = SENTENCES
) -> tuple[list[Encoded], MentionReplacement]:
    featurizer = assemble(sentences, config.model).featurizer
    encoded = [featurizer.encode_gold(sentence) for sentence in sentences]
    return encoded, MentionReplacement(encoded, featurizer, rate)


def text(config: Config, sentence: Encoded) -> tuple[list[str], tuple[Span, ...]]:
    featurizer = assemble(SENTENCES, config.model).featurizer
    words = [word for sentence in SENTENCES for word in sentence.words]
    spelled = dict(zip(featurizer.table.rows(words).tolist(), words, strict=True))
    assert sentence.tags is not None
    return [spelled[row] for row in sentence.forms.tolist()], featurizer.decode(sentence.tags).spans


def test_contexts_stay_and_entities_are_those_of_the_data_with_their_labels(tiny: Config) -> None:
    encoded, replaced = replacement(tiny, 0.5)
    known = {(tuple(s.words[x.start : x.end]), x.label) for s in SENTENCES for x in s.spans}
    seen, random = set(), np.random.default_rng(1)
    for _ in range(200):
        for number, sentence in enumerate(SENTENCES):
            words, spans = text(tiny, replaced(number, random))
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
    assert text(tiny, replaced(2, random)) == (["nobody", "came"], ())
    assert [text(tiny, sentence)[0] for sentence in encoded] == [words for words, _ in WORDS]


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5])
def test_the_share_of_entities_that_are_replaced_is_the_rate(tiny: Config, rate: float) -> None:
    others = [Sentence.from_words([f"Name{number}", "ran"], [Span(0, 1, "PER")]) for number in range(1000)]
    encoded, replaced = replacement(tiny, rate, others)
    random = np.random.default_rng(3)
    changed = sum(
        not np.array_equal(replaced(number, random).forms, sentence.forms) for number, sentence in enumerate(encoded)
    )
    assert abs(changed / 1000 - rate) < 4 * np.sqrt(rate * (1 - rate) / 1000) + 0.002
    if not rate:
        assert all(replaced(number, random) is sentence for number, sentence in enumerate(encoded))


def test_what_a_frozen_transformer_said_comes_along_and_sentences_for_one_in_training_stay(tiny: Config) -> None:
    featurizer = assemble(SENTENCES, tiny.model).featurizer
    encoded, first = list[Encoded](), 0.0
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


def test_pairs_of_characters_are_those_of_the_new_sentence(tiny: Config) -> None:
    texts = [("我爱北京", [Span(2, 4, "LOC")]), ("上海很大", [Span(0, 2, "LOC")])]
    sentences = [Sentence.from_words(list(words), spans) for words, spans in texts] * 2  # pairs have to occur twice
    config = dataclasses.replace(tiny.model, unit="character", bigram_size=4)
    featurizer = assemble(sentences, config).featurizer
    encoded = [featurizer.encode_gold(sentence) for sentence in sentences]
    replaced, random = MentionReplacement(encoded, featurizer, 0.99), np.random.default_rng(1)
    whole = featurizer.encode(list("我爱上海"))
    found = [sentence for _ in range(20) if np.array_equal((sentence := replaced(0, random)).forms, whole.forms)]
    assert found
    assert whole.bigrams is not None
    assert all(np.array_equal(sentence.bigrams, whole.bigrams) for sentence in found if sentence.bigrams is not None)
    assert all(sentence.bigrams is not None for sentence in found)


def test_training_sees_other_entities_in_each_epoch_and_the_same_with_the_same_seed(tiny: Config) -> None:
    def losses(rate: float) -> list[float]:
        training = dataclasses.replace(tiny.training, mention_replacement=rate, epochs=2, least_steps=0)
        return [report.loss for report in prepare(Data(SENTENCES), Config(model=tiny.model, training=training)).run()]

    assert losses(0.9) == losses(0.9)
    assert losses(0.9) != losses(0.0)
