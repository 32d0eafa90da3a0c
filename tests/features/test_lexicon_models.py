"""Models of characters, which read pairs and a lexicon: built, trained, saved, cut, started from, and predicting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ner_lstm_crf.config import Config
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.lexicon import Lexicon
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.tagging import predictor as prediction
from ner_lstm_crf.tagging.predictor import predict
from ner_lstm_crf.text.annotation import Sentence, Span
from ner_lstm_crf.training.trainer import Trainer
from ner_lstm_crf.training.warm_start import warm_start
from shipping.cut import with_words
from tests.plain_path import decode_one_by_one

Make = Callable[..., list[Sentence]]
LEXICON = {"Oslo": "place", "Osaka": "place", "metin": "", "quietly": "", "never": ""}


def in_characters(sentence: Sentence) -> Sentence:
    words = sentence.words
    starts = [sum(map(len, words[:number])) for number in range(len(words) + 1)]
    spans = [Span(starts[span.start], starts[span.end], span.label) for span in sentence.spans]
    return Sentence.from_words(list("".join(words)), spans)


@pytest.fixture(scope="module")
def sentences(make_sentences: Make) -> list[Sentence]:
    return [in_characters(sentence) for sentence in make_sentences(40)]


@pytest.fixture(scope="module")
def config(tiny: Config) -> Config:
    return replace(tiny, model=replace(tiny.model, token_unit="character", lexicon_size=5))


@pytest.fixture(scope="module")
def model(sentences: list[Sentence], config: Config) -> Model:
    made = Model.build(sentences, config.model, lexicon=LEXICON)
    with torch.no_grad():
        made.networks[0].projection.weight.mul_(30)
    made.networks[0].eval()
    return made


def lexicon_of(model: Model) -> Lexicon:
    lexicon = model.features["lexicon"]
    assert isinstance(lexicon, Lexicon)
    return lexicon


def test_a_model_reads_a_lexicon_that_is_given_if_tokens_are_characters(
    sentences: list[Sentence], config: Config, make_sentences: Make, tiny: Config
) -> None:
    assert "lexicon" not in Model.build(sentences, config.model).features
    built = Model.build(sentences, config.model, lexicon=LEXICON)
    rows, shared = built.networks[0].embedding.tables["lexicon"].trainable, lexicon_of(built).shared_rows()
    own = torch.from_numpy(shared) != torch.arange(len(shared))
    assert own.any()
    assert not rows[own].any()  # a word has nothing of its own before training
    assert rows[~own][1:].any(1).all()  # all but that of no word
    with pytest.raises(InputError, match="a lexicon: expected data whose tokens are characters"):
        Model.build(make_sentences(5), tiny.model, lexicon=LEXICON)
    with pytest.raises(InputError, match="this one has lexicon_size = 0"):
        Model.build(sentences, replace(config.model, lexicon_size=0), lexicon=LEXICON)


def test_tags_do_not_depend_on_the_batch(
    model: Model, sentences: list[Sentence], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction, "BATCH_TOKENS", 200)
    expected = decode_one_by_one(model, [sentence.words for sentence in sentences])
    assert predict(model, model.encode(sentences)) == expected
    items = ((number, sentence.words, [len(sentence.words)], ()) for number, sentence in enumerate(sentences))
    stream = prediction.Predictor(model).stream(prediction.chunks(items))
    assert [decoded for _, of_chunk in stream for decoded in of_chunk] == expected
    assert any(decoded.spans for decoded in expected)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_words_that_the_data_hold_are_trained(sentences: list[Sentence], config: Config, optimizer: str) -> None:
    training = replace(config.training, optimizer=optimizer, weight_decay=0.0)
    model = Model.build(sentences, config.model, lexicon=LEXICON)
    rows = model.networks[0].embedding.tables["lexicon"].trainable
    before = rows.detach().clone()
    trainer = Trainer(model, model.encode(sentences, gold=True), None, training)
    next(iter(trainer.epochs()))
    lexicon = lexicon_of(model)
    assert lexicon.words[: lexicon.trainable] == ("Osaka", "Oslo", "never", "quietly")
    assert lexicon.categories == ("", "place")
    of_lengths = [False, False, False, True, False, False, True, True]  # 2, 3, 4, 5 and more, without and with category
    assert (before != rows).any(1).tolist() == [True, *of_lengths, *[True] * 4]


@pytest.mark.parametrize("quantize", [False, True])
def test_what_was_saved_is_loaded(model: Model, sentences: list[Sentence], tmp_path: Path, quantize: bool) -> None:
    model.save(tmp_path, quantize=quantize)
    loaded = Model.load(tmp_path)
    assert loaded.config == model.config
    assert loaded.features.to_json() == model.features.to_json()
    if quantize:
        weights = load_file(tmp_path / "network-1.safetensors")
        assert weights["embedding.lexicon.table.trainable"].dtype == torch.int8
    else:
        assert predict(loaded, loaded.encode(sentences)) == predict(model, model.encode(sentences))


def test_a_cut_model_and_one_started_from_keep_the_lexicon(model: Model, sentences: list[Sentence]) -> None:
    for made in (with_words(model, {"a"}), warm_start(model, sentences[:5])):
        assert lexicon_of(made).to_json() == lexicon_of(model).to_json()
        old, new = (one.networks[0].embedding.tables["lexicon"].trainable for one in (model, made))
        assert torch.equal(new, old)
