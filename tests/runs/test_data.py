"""The data of a run: what is general, and when it is taken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ner_lstm_crf.config import Config
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.gazetteer import read_names
from ner_lstm_crf.features.vectors import Vectors, builtin_character_vectors, builtin_lexicon_vectors
from ner_lstm_crf.runs.data import Data, check_settings, read_lexicon_vectors, resolve_defaults
from ner_lstm_crf.tagging.tagger import Tagger
from ner_lstm_crf.text.annotation import Sentence, Span
from tests.made import trainer_for

Make = Callable[..., list[Sentence]]
CHINESE = [Sentence.from_words(list("王明在巴黎。"), [Span(0, 2, "PER"), Span(3, 5, "LOC")])] * 4


@pytest.fixture
def characters(tiny: Config) -> Config:
    return replace(tiny, model=replace(tiny.model, token_unit="character"))


def test_the_vectors_of_characters_are_those_of_the_package(characters: Config) -> None:
    model = trainer_for(Data(CHINESE, lexicon=None), characters).model
    vectors = builtin_character_vectors()
    assert model.config.word_size == vectors.size
    table, words = model.networks[0].embedding.tables["word"], model.features["word"].vocabulary
    rows = torch.cat([table.trainable.detach(), table.frozen.float()])
    for character, is_in_training in (("王", True), ("澳", False)):
        number = words.id_of[character]
        assert (number < len(table.trainable)) == is_in_training
        expected = vectors.matrix[vectors.words.index(character)]
        assert np.allclose(rows[number].numpy(), expected, atol=1e-3)


def test_they_are_not_taken_for_words_nor_where_none_are_asked_for_nor_beside_a_model_to_start_from(
    make_sentences: Make, tiny: Config, characters: Config
) -> None:
    assert resolve_defaults(Data(make_sentences(3)), tiny.model).vectors is None
    assert resolve_defaults(Data(CHINESE, vectors=None), characters.model).vectors is None
    base = Tagger.load("zh").model.config
    assert resolve_defaults(Data(CHINESE, init_from="zh"), base).vectors is None
    own = Vectors(("王",), np.ones((1, 8), np.float32))
    assert resolve_defaults(Data(CHINESE, vectors=own), characters.model).vectors is own


@pytest.mark.parametrize("given", ["glove.txt", ["王"], np.ones((2, 3), np.float32), 0])
def test_what_are_no_vectors_and_no_lexicon_is_refused(given: Any) -> None:
    with pytest.raises(TypeError, match=r"vectors: expected Vectors, 'builtin' or None, got \w+: read_vectors reads"):
        Data(CHINESE, vectors=given)
    with pytest.raises(TypeError, match=r"lexicon_vectors: expected Vectors, 'builtin' or None, got \w+: read_vectors"):
        Data(CHINESE, lexicon_vectors=given)
    with pytest.raises(TypeError, match=r"lexicon: expected Mapping, 'builtin' or None, got \w+: read_lexicon reads"):
        Data(CHINESE, lexicon=given)
    for wrong in ({"王": 3}, {3: "nr"}, {"王": None}):
        with pytest.raises(TypeError, match="lexicon: expected words and their categories, got"):
            Data(CHINESE, lexicon=wrong)  # type: ignore[dict-item]


def test_words_are_told_where_they_are_learnt_as_characters(
    characters: Config, make_sentences: Make, caplog: pytest.LogCaptureFixture
) -> None:
    trainer_for(Data(CHINESE, lexicon=None), characters)
    assert not caplog.messages
    for data in (Data(CHINESE, make_sentences(2)), Data(make_sentences(2))):
        trainer_for(replace(data, lexicon=None), characters)
        (message,) = caplog.messages
        assert message.startswith("expected tokens of one character, found '")
        caplog.clear()


def test_characters_are_told_where_they_are_learnt_as_words(
    tiny: Config, make_sentences: Make, caplog: pytest.LogCaptureFixture
) -> None:
    letters = [Sentence.from_words(["a", "b"], [Span(0, 1, "X")])]
    for data in (
        Data(make_sentences(2)),
        Data(letters),
        Data([Sentence.from_words(["王明", "在"], [Span(0, 1, "PER")])] * 9),
    ):
        trainer_for(data, tiny)
    assert not caplog.messages
    trainer_for(Data(CHINESE), tiny)
    (message,) = caplog.messages
    assert message.startswith("expected words, found tokens of one character: preset('fast', token_unit='character')")


def test_words_are_refused_where_characters_are_tagged(characters: Config) -> None:
    tagger = Tagger(trainer_for(Data(CHINESE, lexicon=None), characters).model)
    for tokens in (["王明", "在"], ["在", "巴黎"]):
        with pytest.raises(InputError, match="expected tokens of one character"):
            tagger.tag_tokens(tokens)
        with pytest.raises(InputError, match="expected tokens of one character"):
            list(tagger.tag_sentences([CHINESE[0], Sentence.from_words(tokens, [])]))
    assert len(list(tagger.tag_sentences(tagger.split("王明在2026年。")))) == 1


def test_sentences_without_a_token_are_left_out(tiny: Config, make_sentences: Make) -> None:
    empty, sentences = Sentence.from_words([], []), make_sentences(4)
    data = Data([empty, *sentences], [*sentences, empty])
    assert data.train == data.dev == tuple(sentences)
    assert next(trainer_for(data, tiny).epochs()).dev is not None


def test_the_words_of_a_lexicon_have_the_vectors_of_the_package_or_those_that_are_given(
    characters: Config, caplog: pytest.LogCaptureFixture
) -> None:
    words = {"王明": "nr", "巴黎": "ns", "东京": "ns", "京东方呢": ""}
    builtin = builtin_lexicon_vectors()
    config = replace(characters, model=replace(characters.model, lexicon_size=4))
    model = trainer_for(Data(CHINESE, lexicon=words, vectors=None), config).model
    lexicon = model.features["lexicon"]
    assert lexicon.words[: lexicon.own] == ("巴黎", "王明", "东京")
    assert np.allclose(lexicon.frozen, builtin.matrix[[builtin.words.index("东京")], :4], atol=1e-3)
    # One's own bring their size.
    own = Vectors(("东京", "大阪"), np.ones((2, 8), np.float32))
    model = trainer_for(Data(CHINESE, lexicon=words, vectors=None, lexicon_vectors=own), config).model
    assert model.config.lexicon_size == 8
    assert model.networks[0].embedding.tables["lexicon"].frozen.tolist() == [[1.0] * 8]
    assert "lexicon_size is 4: the vectors, of 8 values, count instead" in caplog.text
    # None, and none to have.
    model = trainer_for(Data(CHINESE, lexicon=words, vectors=None, lexicon_vectors=None), config).model
    assert model.features["lexicon"].frozen is None
    assert resolve_defaults(Data(CHINESE, lexicon=None), config.model).lexicon_vectors is None
    with pytest.raises(InputError, match="lexicon_vectors: expected a lexicon of these words, got none"):
        resolve_defaults(Data(CHINESE, lexicon=None, lexicon_vectors=own), config.model)
    base = Tagger.load("zh").model.config
    assert resolve_defaults(Data(CHINESE, init_from="zh"), base).lexicon_vectors is None


def test_other_vectors_of_the_lexicon_make_other_data(characters: Config) -> None:
    own = Vectors(("王明",), np.ones((1, characters.model.lexicon_size), np.float32))
    fingerprints = [
        resolve_defaults(Data(CHINESE, lexicon={"王明": ""}, lexicon_vectors=one), characters.model).fingerprints
        for one in (None, "builtin", own)
    ]
    assert len({one["vectors of the lexicon"] for one in fingerprints}) == 3


def test_names_are_found_in_words_alone_and_are_a_part_of_the_data(
    make_sentences: Make, tiny: Config, characters: Config, tmp_path: Path
) -> None:
    path = tmp_path / "names.txt"
    path.write_text("Oslo\tplace\nNew York\tplace\n", encoding="utf-8")
    sentences = make_sentences(12)
    pairs = [("New York", "place"), ("Oslo", "place"), ("Oslo", "place")]
    data = replace(Data(sentences, names=pairs), names=read_names(path))
    model = trainer_for(data, tiny).model
    assert model.features["gazetteer"].lists == {"place": ("new york", "oslo")}
    assert "gazetteer" not in trainer_for(Data(sentences), tiny).model.features
    fingerprints = [
        resolve_defaults(Data(sentences, names=names), tiny.model).fingerprints["gazetteer"]
        for names in (None, pairs, pairs[::-1], [("Oslo", "town")], "builtin")
    ]
    assert fingerprints[1] == fingerprints[2]
    assert len(set(fingerprints)) == 4
    with pytest.raises(InputError, match="a gazetteer: expected data whose tokens are words"):
        resolve_defaults(Data(CHINESE, names=pairs), characters.model)
    base = Tagger.load("en").model.config
    with pytest.raises(InputError, match="a gazetteer: expected none beside a model to start from"):
        resolve_defaults(Data(sentences, init_from="en", names=pairs), base)
    with pytest.raises(TypeError, match="names: expected pairs"):
        Data(sentences, names={"Oslo": "place"})  # type: ignore[arg-type]


def test_the_vectors_of_a_file_are_those_of_words_of_the_lexicon(tmp_path: Path) -> None:
    path = tmp_path / "vectors.txt"
    path.write_text("东京 1 2\n台湾 3 4\n大阪 5 6\n", encoding="utf-8")
    found = read_lexicon_vectors(path, ["臺灣", "东京", "王明"])
    assert (found.words, found.matrix.tolist()) == (("东京", "台湾"), [[1, 2], [3, 4]])
    with pytest.raises(InputError, match=r"vectors.txt: expected vectors of words of the lexicon, found none of them"):
        read_lexicon_vectors(path, ["王明"])


def test_the_order_of_a_lexicon_is_no_part_of_the_data(characters: Config) -> None:
    one, other = (
        resolve_defaults(Data(CHINESE, lexicon=words), characters.model)
        for words in ({"北京": "", "上海": "ns"}, {"上海": "ns", "北京": ""})
    )
    assert one.fingerprints == other.fingerprints


def test_other_vectors_make_other_data(characters: Config) -> None:
    own = [Vectors(("王",), np.full((1, 8), value, np.float32)) for value in (1, 2)]
    fingerprints = [
        resolve_defaults(Data(CHINESE, vectors=vectors, lexicon=None), characters.model).fingerprints["vectors"]
        for vectors in (None, "builtin", *own)
    ]
    assert len(set(fingerprints)) == 4
    one, other = (
        resolve_defaults(data, characters.model).fingerprints
        for data in (Data(CHINESE, lexicon=None), Data(CHINESE, vectors=None))
    )
    assert one != other
    named, default = (
        resolve_defaults(data, characters.model).fingerprints
        for data in (Data(CHINESE, vectors=builtin_character_vectors(), lexicon=None), Data(CHINESE, lexicon=None))
    )
    assert named == default


def test_data_are_other_data_by_their_words_and_spans_alone(tiny: Config) -> None:
    sentence = Sentence.from_words(["Ada", "met", "Milo"], [Span(0, 1, "PER")])
    elsewhere = replace(sentence, line=7, document=2)
    one, same, *others = (
        resolve_defaults(Data([given]), tiny.model).fingerprints["training data"]
        for given in (
            sentence,
            elsewhere,
            sentence.with_spans([Span(0, 1, "LOC")]),
            Sentence.from_words(["Ada", "met", "milo"], [Span(0, 1, "PER")]),
        )
    )
    assert one == same
    assert one not in others


def test_sentences_may_come_one_by_one(make_sentences: Make) -> None:
    sentences = [*make_sentences(2), Sentence(())]
    data = Data(iter(sentences), iter(sentences))  # type: ignore[arg-type]
    assert data.train == data.dev == tuple(sentences[:2])


@pytest.mark.parametrize(
    ("given", "named"), [("train.conll", "str"), (None, "NoneType"), (["Ada"], "str as number 1: Sentence.from_tags")]
)
def test_what_is_no_sentence_is_named(given: object, named: str) -> None:
    with pytest.raises(TypeError, match=f"expected sentences as train, got {named}"):
        Data(given)  # type: ignore[arg-type]


def test_sentences_that_teach_nothing_or_stand_in_no_file_are_named(make_sentences: Make, tiny: Config) -> None:
    one = Sentence.from_words(["Ada", "met"], [Span(0, 1, "PER")])
    for train, said in (
        ([], "train: expected sentences with tokens, found none"),
        ([Sentence(())], "train: expected sentences with tokens, found none"),
        ([Sentence.from_words(["a", ""])], "train: expected sentences with tokens, found none"),
        ([Sentence.from_words(["a\nb"])], r"train, sentence 1: expected tokens .* found 'a\\nb'"),
        ([one.with_spans([Span(0, 1, "PER ")])], "train, sentence 1: expected a label without white space around it"),
    ):
        with pytest.raises(InputError, match=said):
            Data(train)
    with pytest.raises(InputError, match="dev, sentence 1: expected a label without white space"):
        Data([one], [one.with_spans([Span(0, 1, "A\nB")])])
    both = iter([one])
    with pytest.raises(TypeError, match="expected dev sentences of their own, got the iterator"):
        Data(both, both)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="expected sentences as train, got Sentence: put it into a list"):
        Data(one)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="train: expected entities, found none: nothing in these"):
        resolve_defaults(Data([one.with_spans([])]), tiny.model)


def test_sentences_with_a_token_of_no_character_are_left_out_and_told(caplog: pytest.LogCaptureFixture) -> None:
    one, bare = (Sentence.from_words(["Ada", word], [Span(0, 1, "PER")]) for word in ("met", ""))
    data = Data([one, bare, bare], [bare, one])
    assert data.train == data.dev == (one,)
    assert caplog.messages == [
        "train: 2 sentences have a token without a character: left out",
        "dev: 1 sentence has a token without a character: left out",
    ]


def test_a_model_of_characters_is_no_start_for_words(caplog: pytest.LogCaptureFixture) -> None:
    base = Config(model=Tagger.load("zh").model.config)
    words = [Sentence.from_words(["Ada", "met", "Bob", "Fox"], [Span(0, 1, "PER")])]
    check_settings(resolve_defaults(Data(words, words, init_from="zh"), base.model), base)
    assert any("every letter of the training data is a token of its own" in message for message in caplog.messages)
    caplog.clear()
    check_settings(resolve_defaults(Data(CHINESE, init_from="zh"), base.model), base)
    assert not any("letter" in message for message in caplog.messages)


def test_labels_that_cannot_be_learnt_are_told(tiny: Config, caplog: pytest.LogCaptureFixture) -> None:
    one = Sentence.from_words(["Ada", "met"], [Span(0, 1, "PER")])
    resolve_defaults(Data([one], [one.with_spans([Span(0, 1, "GOD")])]), tiny.model)
    assert caplog.messages == ["dev: 1 entity has a label that the training data lack (GOD): counted as missed"]
    caplog.clear()
    base = Tagger.load("en").model.config
    resolve_defaults(Data([one.with_spans([Span(0, 1, "GOD")])], [one], init_from="en"), base)
    assert caplog.messages == [
        "no example of LOC, ORG, PER in the training data: the model to start from knows such entities, and unlearns "
        "them where these data leave them unmarked (--unannotated LOC,ORG,PER says that they do)"
    ]


def test_a_size_that_gives_way_to_that_of_the_vectors_is_told(tiny: Config, caplog: pytest.LogCaptureFixture) -> None:
    one = Sentence.from_words(["Ada", "met"], [Span(0, 1, "PER")])
    resolve_defaults(Data([one], vectors=Vectors(["ada"], np.ones((1, 8)))), tiny.model)
    assert caplog.messages == ["word_size is 12: the vectors, of 8 values, count instead"]


def test_files_are_read_as_the_command_line_reads_them(tmp_path: Path) -> None:
    (tmp_path / "train.conll").write_text("Ada\tB-PER\nmet\tO\n\n" * 20)
    (tmp_path / "dev.conll").write_text("Milo\tB-PER\nmet\tO\n\n")
    (tmp_path / "zh.conll").write_text("王\tB-PER\n明\tI-PER\n来\tO\n。\tO\n\n" * 20, encoding="utf-8")
    (tmp_path / "vectors.txt").write_text("ada 1 2\nmilo 3 4\nother 5 6\n")
    (tmp_path / "words.txt").write_text("王明\n", encoding="utf-8")
    train, dev = tmp_path / "train.conll", tmp_path / "dev.conll"
    data = Data.read(train, dev, vectors=tmp_path / "vectors.txt")
    assert (len(data.train), len(data.dev)) == (20, 1)
    assert isinstance(data.vectors, Vectors)
    assert repr(data) == "<Data: 20 training and 1 dev sentences, vectors <Vectors: 3 words, 2 values each>>"
    for of_dev, sizes in (("split", (36, 4)), (None, (40, 0))):
        data = Data.read([train, str(train)], of_dev)
        assert (len(data.train), len(data.dev)) == sizes
    data = Data.read(tmp_path / "zh.conll", lexicon=tmp_path / "words.txt")
    assert data.train[0].words == ["王", "明", "来", "。"]
    assert data.lexicon == {"王明": ""}
    with pytest.raises(InputError, match=r"missing\.conll"):
        Data.read(tmp_path / "missing.conll")
    for nothing in (None, [], 3):
        with pytest.raises(TypeError, match="expected the path of a training file, or several, got"):
            Data.read(nothing)  # type: ignore[arg-type]
