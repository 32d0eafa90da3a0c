"""Models that read pairs of characters and a lexicon: made, trained, saved, cut, started from, and predicting."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
import torch
from ner_lstm_crf.saving.checkpoint import load_model, save_model

from ner_lstm_crf.config import Config
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.embedding import LexiconEmbedding, WordEmbedding
from ner_lstm_crf.runs import data as run_data
from ner_lstm_crf.runs.data import Data
from ner_lstm_crf.runs.run import Run
from ner_lstm_crf.saving import checkpoint
from ner_lstm_crf.saving.model import Model, build_model
from ner_lstm_crf.saving.quantize import with_words
from ner_lstm_crf.saving.tensors import read_tensors
from ner_lstm_crf.tagging import predictor as prediction
from ner_lstm_crf.tagging.predictor import predict
from ner_lstm_crf.text.annotation import Sentence, Span
from ner_lstm_crf.training.warm_start import warm_start
from tests.made import trainer_for

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
    made = build_model(sentences, config.model, lexicon=LEXICON)
    with torch.no_grad():
        made.network.projection.weight.mul_(30)
    made.network.eval()
    return made


def test_a_lexicon_is_there_where_it_is_given_and_tokens_are_characters(
    sentences: list[Sentence], config: Config, make_sentences: Make, tiny: Config
) -> None:
    assert build_model(sentences, config.model).featurizer.vocabularies.lexicon is None
    embedding = build_model(sentences, config.model, lexicon=LEXICON).network.embedding.lexicon
    assert embedding is not None
    own = embedding.shared != torch.arange(len(embedding.shared))
    assert own.any()
    assert not embedding.table.trained[own].any()  # a word has nothing of its own before training
    assert embedding.table.trained[~own][1:].any(1).all()  # all but that of no word
    words = build_model(make_sentences(5), tiny.model)
    assert words.featurizer.encode(["a"]).lexicon is None
    assert words.network.embedding.lexicon is None
    with pytest.raises(InputError, match="a lexicon: expected data whose tokens are characters"):
        build_model(make_sentences(5), tiny.model, lexicon=LEXICON)


def test_tags_do_not_depend_on_the_batch(
    model: Model, sentences: list[Sentence], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction, "BATCH_TOKENS", 200)
    featurizer = model.featurizer
    encoded = [featurizer.encode(sentence.words) for sentence in sentences]
    for sentence, found in zip(encoded, predict(model, encoded), strict=True):
        with torch.inference_mode():
            alone = model.network.decode(featurizer.collate([sentence])).numpy()[0]
        assert found == featurizer.tag_set.decode(alone)
    items = ((sentence, sentence.words, [len(sentence.tokens)]) for sentence in sentences)
    stream = prediction.Predictor(model).stream(prediction.chunks(items))
    streamed = [decoded for _, of_chunk in stream for decoded in of_chunk]
    assert streamed == predict(model, encoded)
    assert any(decoded.spans for decoded in streamed)


def test_a_batch_without_the_words_of_the_lexicon_is_refused(model: Model) -> None:
    batch = model.featurizer.collate([model.featurizer.encode(["O", "s"])])
    with pytest.raises(ValueError, match="lexicon's words around its tokens, got none"):
        model.network.decode(replace(batch, lexicon=None))


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_words_that_the_data_hold_are_trained(sentences: list[Sentence], config: Config, optimizer: str) -> None:
    config = replace(config, training=replace(config.training, optimizer=optimizer, weight_decay=0.0))
    trainer = trainer_for(Data(sentences, lexicon=LEXICON), config)
    lexicon, embedding = trainer.model.featurizer.vocabularies.lexicon, trainer.model.network.embedding.lexicon
    assert lexicon is not None
    assert embedding is not None
    before = embedding.table.trained.detach().clone()
    next(trainer.epochs())
    assert lexicon.words[: lexicon.trained] == ("Osaka", "Oslo", "never", "quietly")
    moved = (before != embedding.table.trained).any(1)
    assert lexicon.categories == ("", "place")
    of_lengths = [False, False, False, True, False, False, True, True]  # 2, 3, 4, 5 and more, without and with category
    assert moved.tolist() == [True, *of_lengths, *[True] * 4]


@pytest.mark.parametrize("compact", [False, True])
def test_what_was_saved_is_loaded(model: Model, sentences: list[Sentence], tmp_path: Path, compact: bool) -> None:
    save_model(model, tmp_path, compact=compact)
    loaded = load_model(tmp_path)
    assert loaded.config == model.config
    assert loaded.featurizer.vocabularies.lexicon == model.featurizer.vocabularies.lexicon
    if compact:
        assert read_tensors(tmp_path / "model.safetensors")[0]["embedding.lexicon.table.trained"].dtype == torch.int8
    else:
        encoded = [model.featurizer.encode(sentence.words) for sentence in sentences]
        again = [loaded.featurizer.encode(sentence.words) for sentence in sentences]
        assert predict(loaded, again) == predict(model, encoded)


def test_a_cut_model_and_one_started_from_keep_the_lexicon(model: Model, sentences: list[Sentence]) -> None:
    old = model.network.embedding.lexicon
    assert old is not None
    for made in (with_words(model, {"a"}), warm_start(model, sentences[:5])):
        new = made.network.embedding.lexicon
        assert made.featurizer.vocabularies.lexicon == model.featurizer.vocabularies.lexicon
        assert new is not None
        assert torch.equal(new.table.trained, old.table.trained)


def test_a_word_has_what_its_kind_shares_and_what_is_its_own_of_which_a_share_is_dropped_in_training() -> None:
    torch.manual_seed(0)
    shared = torch.tensor([0, 1, 2, 3, 4, 1, 2])
    table = WordEmbedding(torch.randn(7, 2), torch.zeros(0, 2))
    embedding = LexiconEmbedding(table, shared, 0.25)
    ids = torch.randint(7, (1, 10_000, 3))
    table.trained.data[5:] = 100
    kind = table.trained[shared[ids]].detach()
    own = (ids >= 5).unsqueeze(-1) * 100.0
    assert torch.allclose(embedding.eval()(ids), (kind + own).flatten(2))
    seen = embedding.train()(ids).view(1, 10_000, 3, 2)
    dropped = ((seen - kind).abs() < 1).all(-1)
    assert torch.allclose(seen, kind + own * ~dropped.unsqueeze(-1))
    assert abs(float(dropped[ids >= 5].float().mean()) - 0.25) < 0.02


def test_another_lexicon_makes_other_data(sentences: list[Sentence]) -> None:
    lexicons: list[Mapping[str, str] | Literal["builtin"] | None] = [
        None,
        "builtin",
        {"ab": ""},
        {"ab": "n"},
        {"ab": "", "cd": ""},
    ]
    assert len({Data(sentences, lexicon=lexicon).fingerprints()["lexicon"] for lexicon in lexicons}) == 5


def test_characters_have_the_general_lexicon_unless_none_is_given_or_looked_at(
    sentences: list[Sentence], config: Config, make_sentences: Make, tiny: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_data, "builtin_words", lambda: {"Oslo": "ns", "nowhere": ""})
    lexicon = trainer_for(Data(sentences), config).model.featurizer.vocabularies.lexicon
    assert lexicon is not None
    assert lexicon.words == ("Oslo", "nowhere")
    without = replace(config, model=replace(config.model, lexicon_size=0))
    for other in (
        trainer_for(Data(sentences, lexicon=None), config),
        trainer_for(Data(sentences), without),
        trainer_for(Data(make_sentences(5)), tiny),
    ):
        assert other.model.featurizer.vocabularies.lexicon is None
        assert other.model.network.embedding.lexicon is None


@pytest.mark.parametrize(
    ("lexicon", "size", "initial", "message"),
    [
        (LEXICON, 0, None, "this one has lexicon_size = 0"),
        (LEXICON, 5, "zh", "expected none beside a model to start from"),
        ("words.txt", 5, None, "expected words and their categories, 'builtin' or None, got 'words.txt'"),
        (["ab"], 5, None, r"'builtin' or None, got \['ab'\]"),
    ],
)
def test_a_lexicon_that_would_not_be_looked_at_is_refused(
    sentences: list[Sentence], config: Config, lexicon: object, size: int, initial: str | None, message: str
) -> None:
    config = replace(config, model=replace(config.model, lexicon_size=size))
    with pytest.raises(InputError, match=message):
        trainer_for(Data(sentences, init_from=initial, lexicon=lexicon), config)  # type: ignore[arg-type]


def test_a_run_without_a_lexicon_is_the_same_whether_none_or_the_general_one_was_left_out(
    make_sentences: Make, tiny: Config, tmp_path: Path
) -> None:
    short = replace(tiny, training=replace(tiny.training, epochs=1))
    list(Run(tmp_path).train(Data(make_sentences(10), lexicon=None), short))
    assert list(Run(tmp_path).train(Data(make_sentences(10)), short, resume=True)) == []


def test_only_a_lexicon_asks_for_a_newer_format(
    model: Model, sentences: list[Sentence], config: Config, tmp_path: Path
) -> None:
    for made, version in ((model, 4), (build_model(sentences, config.model), 2)):
        save_model(made, tmp_path)
        assert json.loads((tmp_path / "config.json").read_text())["version"] == version
        assert load_model(tmp_path).config == made.config


def test_a_model_with_a_lexicon_of_an_older_release_is_refused_by_name(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "_WITH_LEXICON", 2)
    save_model(model, tmp_path)
    with pytest.raises(InputError, match=rf"{tmp_path}.*looks for words as an older release did: train it again"):
        load_model(tmp_path)
