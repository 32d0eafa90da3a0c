"""The spaCy component: what it finds, on whose tokens, beside which other components, saved and in other processes."""

from __future__ import annotations

import pickle
import random
import shutil
import tomllib
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, ClassVar

import pytest
import spacy
from hypothesis import given, settings, strategies as st
from spacy.language import Language
from spacy.tokens import Doc, Span as DocSpan
from spacy.training import Example

from ner_lstm_crf import InputError, Sentence, Tagger, read_sentences, sentences
from ner_lstm_crf.integrations import spacy as integration
from ner_lstm_crf.integrations.spacy import Recognizer

ROOT = Path(__file__).resolve().parents[2]
NAMES = ["Angela Merkel", "Barack Obama", "Rome", "Acme Corp.", "New-York", "Zoë O'Neal", "the U.S.", "Berlin/Paris"]
FILLER = ["visited", "isn't", "well-known", "(", ")", "'s", "in", "and", "5pm", "e-mail", "|", "😀", "<b>", "etc.", ","]
TEXTS = st.lists(
    st.one_of(
        st.sampled_from(NAMES), st.sampled_from(FILLER), st.sampled_from([" ", "  ", "\n\n", ".\n", "\t", "\u200b"])
    ),
    max_size=14,
).map(" ".join)
CHINESE = "李明在北京大学工作。他去了上海，见到了王小红和美国总统奥巴马。新华社北京3月5日电 (记者张三)"


def pipeline(language: str = "en", **config: Any) -> Language:
    """A blank pipeline with the component."""
    nlp = spacy.blank(language)
    nlp.add_pipe("ner_lstm_crf", config=config)
    return nlp


@pytest.fixture(scope="module")
def nlp() -> Language:
    """The shipped English tagger in a blank pipeline."""
    return pipeline()


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    """The shipped English tagger."""
    return Tagger.load("en")


@pytest.fixture(scope="module")
def chinese() -> Tagger:
    """The shipped Chinese tagger."""
    return Tagger.load("zh")


def found(doc: Doc) -> list[tuple[int, int, str]]:
    """The entities of a document over its tokens."""
    return [(ent.start, ent.end, ent.label_) for ent in doc.ents]


def cover(doc: Doc, start: int, end: int) -> tuple[int, int]:
    """The tokens that share a character with a part of the text."""
    tokens = [token.i for token in doc if token.idx < end and start < token.idx + len(token)]
    return tokens[0], tokens[-1] + 1


def check_cover(doc: Doc, expected: list[tuple[int, int, str, float]]) -> None:
    """See that a document has these entities of its text, but those that share a token with a more probable one."""
    covered = [(*cover(doc, start, end), label, score) for start, end, label, score in expected]
    ents = [(ent.start, ent.end, ent.label_, ent._.score) for ent in doc.ents]
    assert [one for one in covered if one in ents] == ents
    for start, end, _, score in (one for one in covered if one not in ents):
        assert any(first < end and start < final and least >= score for first, final, _, least in ents)


def test_the_entry_point_is_the_factory() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    ((name, value),) = project["entry-points"]["spacy_factories"].items()
    assert EntryPoint(name, value, "spacy_factories").load() is integration.make_recognizer
    assert spacy.blank("en").has_factory(name)


class TestTokens:
    """The model reads spaCy's tokens."""

    @pytest.mark.real
    @pytest.mark.slow
    def test_a_thousand_sentences_get_the_entities_that_their_tokens_get(
        self, nlp: Language, tagger: Tagger, corpus_file: Callable[[str], Path]
    ) -> None:
        gold = read_sentences(corpus_file("uner-en_ewt/test.iob2"))[:1000]
        docs = [Doc(nlp.vocab, one.words, sent_starts=[at == 0 for at in range(len(one))]) for one in gold]
        expected = list(tagger.tag_sentences(gold))
        count = 0
        for doc, sentence in zip(nlp.pipe(docs, batch_size=150), expected, strict=True):
            assert found(doc) == tagger.tag_tokens(sentence.words)
            assert [ent._.score for ent in doc.ents] == pytest.approx(sentence.scores, abs=1e-4)
            count += len(doc.ents)
        assert len(expected) == 1000
        assert count > 400

    @settings(max_examples=60)
    @given(TEXTS)
    def test_without_sentences_the_document_is_cut_as_the_package_cuts_its_text(
        self, nlp: Language, tagger: Tagger, text: str
    ) -> None:
        doc = nlp(text)
        starts, expected = [one.tokens[0].start for one in sentences(text)], list[tuple[int, int, str]]()
        for start, stop in zip(starts, [*starts[1:], len(text)], strict=False):
            tokens = [token for token in doc if start <= token.idx < stop and not token.is_space]
            spans = tagger.tag_tokens([token.text for token in tokens])
            expected += [(tokens[span.start].i, tokens[span.end - 1].i + 1, span.label) for span in spans]
        assert found(doc) == expected

    def test_the_sentences_of_the_document_come_first(self, nlp: Language) -> None:
        words = ["Yesterday", "Angela", "Merkel", "visited", "Barack", "Obama"]
        whole = nlp(Doc(nlp.vocab, words, sent_starts=[at == 0 for at in range(6)]))
        halves = nlp(Doc(nlp.vocab, words, sent_starts=[at in (0, 2) for at in range(6)]))
        assert found(whole) == [(1, 3, "PER"), (4, 6, "PER")]
        assert found(halves) != found(whole)
        assert all(end <= 2 or start >= 2 for start, end, _ in found(halves))

    def test_sentences_of_a_hook_are_those_of_the_document(self, nlp: Language) -> None:
        doc = nlp.make_doc("Yesterday Angela Merkel visited Barack Obama")
        doc.user_hooks["sents"] = lambda doc: [doc[:2], doc[2:]]
        by_starts = Doc(nlp.vocab, [token.text for token in doc], sent_starts=[at in (0, 2) for at in range(6)])
        assert found(nlp(doc)) == found(nlp(by_starts))

    def test_white_space_and_nothing_have_no_entities(self, nlp: Language) -> None:
        docs = list(nlp.pipe(["", " ", "\n\n", "\u200b", "Angela   Merkel\n\nleft"]))
        assert [found(doc) for doc in docs[:4]] == [[], [], [], []]
        assert all(not ent[0].is_space and not ent[-1].is_space for ent in docs[4].ents)

    def test_a_tagger_takes_the_tokens_of_any_language(self) -> None:
        nlp = pipeline("de", model="en")
        assert [(ent.text, ent.label_) for ent in nlp("Angela Merkel fuhr nach Berlin.").ents] == [
            ("Angela Merkel", "PER"),
            ("Berlin", "LOC"),
        ]


class TestOwnTokens:
    """The model reads the text, and the entities get spaCy's tokens."""

    @settings(max_examples=60)
    @given(text=TEXTS)
    def test_entities_are_those_of_the_text_on_the_tokens_that_they_touch(self, tagger: Tagger, text: str) -> None:
        doc = OWN(text)
        check_cover(doc, [(one.start, one.end, one.label, one.score or 0.0) for one in tagger.tag(text)])

    def test_tokens_that_hold_two_entities_get_the_more_probable(self, tagger: Tagger) -> None:
        text = "She flew from Rome to Paris with Angela Merkel."
        entities = tagger.tag(text)
        doc = Doc(OWN.vocab, ["She", "flew", "from", "Rome to Paris with", "Angela", "Merkel."])
        assert doc.text.strip() == text
        OWN(doc)
        best = max(entities[:2], key=lambda one: one.score or 0.0)
        assert [(ent.start, ent.end, ent.label_) for ent in doc.ents] == [(3, 4, "LOC"), (4, 6, "PER")]
        assert doc.ents[0]._.score == pytest.approx(best.score)

    def test_no_entity_goes_over_an_emoji(self) -> None:
        assert all("😀" not in ent.text for ent in OWN("Angela 😀 Merkel and Barack 😀 Obama").ents)


OWN = pipeline(tokenization="own")


class TestChinese:
    """A model of characters, whatever spaCy's tokens are."""

    def test_characters_get_the_entities_of_the_text(self, chinese: Tagger) -> None:
        doc = pipeline("zh")(CHINESE)
        expected = chinese.tag(CHINESE)
        assert len(expected) > 5
        assert [(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents] == [
            (one.start, one.end, one.label) for one in expected
        ]

    def test_words_get_the_entities_that_they_touch(self, chinese: Tagger) -> None:
        nlp = pipeline("zh")
        source = random.Random(0)
        for _ in range(30):
            words, at = list[str](), 0
            while at < len(CHINESE):
                size = source.randint(1, 4)
                words.append(CHINESE[at : at + size])
                at += size
            doc = nlp(Doc(nlp.vocab, words, spaces=[False] * len(words)))
            assert doc.text == CHINESE
            check_cover(doc, [(one.start, one.end, one.label, one.score or 0.0) for one in chinese.tag(doc.text)])

    def test_jieba_cuts_words_that_entities_begin_and_end_with(self) -> None:
        nlp = spacy.blank("zh", config={"nlp": {"tokenizer": {"segmenter": "jieba"}}})
        nlp.add_pipe("ner_lstm_crf")
        doc = nlp("李明在北京大学工作。")
        assert any(len(token) > 1 for token in doc)
        assert [(ent.text, ent.label_) for ent in doc.ents] == [("李明", "PER"), ("北京大学", "ORG")]

    def test_the_sentences_of_the_document_are_read_character_by_character(self, chinese: Tagger) -> None:
        nlp = pipeline("zh")
        words = ["李明", "在", "北京大学", "工作", "。", "他", "去了", "上海", "。"]
        doc = nlp(Doc(nlp.vocab, words, spaces=[False] * 9, sent_starts=[at in (0, 5) for at in range(9)]))
        halves = [chinese.tag_tokens(list("".join(part))) for part in (words[:5], words[5:])]
        offset = len("".join(words[:5]))
        places = [(start, end, label) for start, end, label in halves[0]]
        places += [(start + offset, end + offset, label) for start, end, label in halves[1]]
        assert [(ent.start_char, ent.end_char, ent.label_) for ent in doc.ents] == places


class TestEarlierEntities:
    """What other components have found."""

    TEXT = "Angela Merkel visited Rome with Milo."

    def doc(self, **config: Any) -> Doc:
        """The text with Merkel as a NAME, Rome as a CITY and Milo blocked, by the component."""
        nlp = pipeline(**config)
        doc = nlp.make_doc(self.TEXT)
        ents = [DocSpan(doc, 1, 3, label="NAME"), DocSpan(doc, 3, 4, label="CITY")]
        doc.set_ents(ents, blocked=[doc[5:6]])
        for ent in doc.ents:
            ent._.set(config.get("score", "score"), 0.25)
        return nlp(doc)

    def test_they_are_kept_and_blocked_tokens_stay_so(self) -> None:
        doc = self.doc()
        assert found(doc) == [(1, 3, "NAME"), (3, 4, "CITY")]
        assert (doc[5].ent_iob_, doc[5].ent_type_) == ("B", "")
        assert [ent._.score for ent in doc.ents] == [0.25, 0.25]

    def test_they_are_overwritten_where_they_share_a_token(self) -> None:
        doc = self.doc(earlier_ents="overwrite")
        assert found(doc)[:2] == [(0, 2, "PER"), (3, 4, "LOC")]
        assert all(ent._.score > 0.25 for ent in doc.ents)
        assert DocSpan(doc, 1, 3, label="NAME")._.score is None

    def test_they_are_removed(self) -> None:
        nlp = pipeline(earlier_ents="remove")
        doc = nlp.make_doc(self.TEXT)
        doc.ents = [DocSpan(doc, 2, 3, label="VERB")]
        assert found(nlp(doc))[0] == (0, 2, "PER")
        assert "VERB" not in {label for _, _, label in found(doc)}
        overwriting = pipeline(earlier_ents="overwrite")
        doc.ents = [DocSpan(doc, 2, 3, label="VERB")]
        assert (2, 3, "VERB") in found(overwriting(doc))

    def test_an_entity_ruler_before_it_keeps_its_entities(self) -> None:
        nlp = pipeline()
        ruler: Any = nlp.add_pipe("entity_ruler", before="ner_lstm_crf")
        ruler.add_patterns([{"label": "GPE", "pattern": "Rome"}])
        ents = nlp("Angela Merkel visited Rome.").ents
        assert [(ent.text, ent.label_, ent._.score is None) for ent in ents] == [
            ("Angela Merkel", "PER", False),
            ("Rome", "GPE", True),
        ]


class TestScores:
    """The extension of spans."""

    def test_two_components_keep_their_scores_under_names_of_their_own(self) -> None:
        nlp = spacy.blank("en")
        nlp.add_pipe("ner_lstm_crf", name="first", config={"score": "first_score", "min_score": 0.99})
        nlp.add_pipe("ner_lstm_crf", name="second", config={"score": "second_score"})
        doc = nlp("Angela Merkel visited Rome with Acme Corp. and Milo Fox.")
        only_first = [ent for ent in doc.ents if ent._.first_score is not None]
        assert all(ent._.first_score >= 0.99 and ent._.second_score is None for ent in only_first)
        assert all(ent._.second_score < 0.99 for ent in doc.ents if ent not in only_first)
        assert 0 < len(doc.ents) > len(only_first)

    def test_no_scores_are_set_without_a_name(self) -> None:
        doc = pipeline(score=None)("Angela Merkel left.")
        assert found(doc) == [(0, 2, "PER")]
        assert not doc.user_data

    def test_the_name_of_an_extension_with_a_getter_is_refused(self) -> None:
        DocSpan.set_extension("shout", getter=lambda span: span.text.upper())
        try:
            with pytest.raises(InputError, match=r"score: expected a name of its own, found .*'shout'"):
                Recognizer("en", score="shout")
        finally:
            DocSpan.remove_extension("shout")

    def test_min_score_leaves_out_what_is_less_probable(self, tagger: Tagger) -> None:
        text = "Angela Merkel visited Rome with Acme Corp. and Milo Fox."
        doc = pipeline(min_score=0.9)(text)
        expected = [one.text for one in tagger.tag(text, min_score=0.9)]
        assert [ent.text for ent in doc.ents] == expected
        assert len(expected) < len(tagger.tag(text))


class TestPipe:
    """Many documents."""

    TEXTS: ClassVar = [f"Angela Merkel met {name} in Rome {at} times." for at, name in enumerate(NAMES * 3)]

    def test_batches_change_nothing(self, nlp: Language) -> None:
        alone = [found(nlp(text)) for text in self.TEXTS]
        for size in (1, 7, 1000):
            assert [found(doc) for doc in nlp.pipe(self.TEXTS, batch_size=size)] == alone

    def test_a_stream_is_read_batch_by_batch(self, nlp: Language) -> None:
        taken = list[int]()

        def stream() -> Iterator[str]:
            for number in range(100):
                taken.append(number)
                yield "Angela Merkel left."

        assert found(next(nlp.pipe(stream(), batch_size=5))) == [(0, 2, "PER")]
        assert len(taken) <= 10

    def test_a_document_that_fails_goes_to_the_error_handler_and_no_other(self, nlp: Language) -> None:
        docs = [nlp.make_doc(text) for text in self.TEXTS[:5]]
        docs[2].user_hooks["sents"] = lambda doc: 1 // 0
        seen = list[tuple[str, list[Doc], str]]()
        component: Any = nlp.get_pipe("ner_lstm_crf")
        with pytest.raises(ZeroDivisionError):
            list(component.pipe(docs))
        component.set_error_handler(lambda name, _, docs, error: seen.append((name, docs, str(error))))
        try:
            done = list(component.pipe(docs))
        finally:
            del component.error_handler
        assert done == [docs[0], docs[1], docs[3], docs[4]]
        assert seen == [("ner_lstm_crf", [docs[2]], "integer division or modulo by zero")]
        assert all(found(doc)[0] == (0, 2, "PER") for doc in done)

    def test_two_processes_give_what_one_gives(self, nlp: Language) -> None:
        one = list(nlp.pipe(self.TEXTS))
        two = list(nlp.pipe(self.TEXTS, n_process=2, batch_size=5))
        assert list(map(found, two)) == list(map(found, one))
        for doc, expected in zip(two, one, strict=True):
            assert [ent._.score for ent in doc.ents] == pytest.approx([ent._.score for ent in expected.ents], abs=1e-4)


class TestSaving:
    """The pipeline on disk and as bytes, with the model inside."""

    TEXT = "Angela Merkel visited Rome.\n\nShe met Barack Obama."

    @pytest.fixture
    def moved(self, tagger: Tagger, tmp_path: Path) -> Language:
        """A pipeline that has read its model, whose directory is gone."""
        tagger.save(tmp_path / "model")
        nlp = pipeline(model=str(tmp_path / "model"), min_score=0.5)
        nlp(self.TEXT)
        shutil.rmtree(tmp_path / "model")
        return nlp

    def test_a_pipeline_on_disk_needs_no_other_file(self, moved: Language, tmp_path: Path) -> None:
        moved.to_disk(tmp_path / "pipeline")
        files = [path for path in (tmp_path / "pipeline" / "ner_lstm_crf").rglob("*") if path.is_file()]
        assert {path.suffix for path in files} == {".json", ".safetensors"}
        (tmp_path / "pipeline").rename(tmp_path / "elsewhere")
        nlp = spacy.load(tmp_path / "elsewhere")
        assert found(nlp(self.TEXT)) == found(moved(self.TEXT)) != []
        assert nlp.meta["labels"]["ner_lstm_crf"] == ["LOC", "ORG", "PER"]
        nlp.to_disk(tmp_path / "again")
        assert found(spacy.load(tmp_path / "again")(self.TEXT)) == found(moved(self.TEXT))

    def test_a_pipeline_as_bytes_needs_no_file(self, moved: Language) -> None:
        content = moved.to_bytes()
        nlp = pipeline(min_score=0.5).from_bytes(content)
        assert found(nlp(self.TEXT)) == found(moved(self.TEXT))
        before, after = (one.get_pipe("ner_lstm_crf") for one in (moved, nlp))
        assert after.to_bytes() == before.to_bytes()  # type: ignore[attr-defined]

    def test_a_component_goes_to_another_process_as_it_is(self, moved: Language) -> None:
        component = pickle.loads(pickle.dumps(moved.get_pipe("ner_lstm_crf")))
        assert found(component(moved.make_doc(self.TEXT))) == found(moved(self.TEXT))

    def test_what_is_excluded_is_not_saved(self, moved: Language, tmp_path: Path) -> None:
        component: Any = moved.get_pipe("ner_lstm_crf")
        component.to_disk(tmp_path / "none", exclude=["model"])
        assert not (tmp_path / "none").exists()
        assert component.to_bytes(exclude=["model"]) == b""
        assert component.from_bytes(b"", exclude=["model"]).from_disk(tmp_path, exclude=["model"]).labels

    @pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x05\x06" + bytes(18)])
    def test_bytes_of_something_else_are_refused(self, content: bytes) -> None:
        with pytest.raises(InputError, match="expected the bytes of a tagger"):
            Recognizer("en").from_bytes(content)


class TestSettings:
    """The settings of the component."""

    def test_a_language_without_a_tagger_asks_for_one(self) -> None:
        nlp = pipeline("de")
        assert nlp.pipe_labels["ner_lstm_crf"] == []
        with pytest.raises(
            InputError, match=r"none comes with the package for the language 'de'.*\"model\": DIRECTORY"
        ):
            nlp("Berlin")

    def test_a_model_that_is_missing_is_named_when_it_is_needed(self, tmp_path: Path) -> None:
        nlp = pipeline(model=str(tmp_path / "none"))
        assert nlp.pipe_labels["ner_lstm_crf"] == []
        with pytest.raises(InputError, match="none"):
            nlp.initialize()

    @pytest.mark.parametrize(
        ("config", "said"),
        [
            ({"decoding": "best"}, "decoding: expected one of viterbi, posterior, got 'best'"),
            ({"tokenization": "mine"}, "tokenization: expected one of spacy, own, got 'mine'"),
            ({"earlier_ents": "drop"}, "earlier_ents: expected one of keep, overwrite, remove, got 'drop'"),
            ({"precision": "int3"}, "precision: expected one of .*, got 'int3'"),
            ({"min_score": 2.0}, "min_score: expected a probability from 0 to 1, got 2.0"),
        ],
    )
    def test_a_setting_says_what_it_takes(self, config: dict[str, Any], said: str) -> None:
        with pytest.raises(InputError, match=said):
            pipeline(**config)

    def test_initializing_a_pipeline_keeps_its_tagger(self) -> None:
        nlp = pipeline()
        nlp.initialize()
        assert found(nlp("Angela Merkel left.")) == [(0, 2, "PER")]

    def test_spacy_evaluates_the_pipeline(self, nlp: Language) -> None:
        reference = nlp("Angela Merkel visited Rome.")
        scores = nlp.evaluate([Example(nlp.make_doc(reference.text), reference)])
        assert (scores["ents_f"], scores["ents_per_type"]["PER"]["r"]) == (1.0, 1.0)

    def test_posterior_decoding_finds_what_is_probable_enough(self, tagger: Tagger) -> None:
        text = "Angela Merkel visited Rome with Acme Corp. and Milo Fox."
        nlp = pipeline(decoding="posterior", min_score=0.05, tokenization="own")
        expected = Tagger(tagger.model, decoding="posterior").tag(text, min_score=0.05)
        check_cover(nlp(text), [(one.start, one.end, one.label, one.score or 0.0) for one in expected])


def test_sentences_of_documents_evaluate_the_tagger_that_set_them(nlp: Language, tagger: Tagger) -> None:
    docs = list(nlp.pipe(["Angela Merkel visited Rome.", "It rains."]))
    gold = list(integration.sentences_from_docs(docs))
    assert tagger.evaluate(gold).micro.f1 == 1.0
    assert all(isinstance(one, Sentence) for one in gold)
