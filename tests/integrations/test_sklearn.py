"""The estimator: what it learns and predicts, and that scikit-learn can do with it what it does with its own."""

from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from joblib.externals.loky import get_reusable_executor
from seqeval.metrics import f1_score
from sklearn.base import clone
from sklearn.exceptions import NotFittedError, SkipTestWarning
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import check_estimator, estimator_checks_generator

from ner_lstm_crf import SCHEMES, Data, InputError, Sentence, Tagger, preset, train
from ner_lstm_crf.integrations.model_bytes import tagger_to_bytes
from ner_lstm_crf.integrations.sklearn import NerTagger

TINY: dict[str, Any] = {
    "epochs": 3, "hidden_size": 8, "word_size": 8, "char_filters": 4, "casing_size": 2, "learning_rate": 0.02
}  # fmt: skip
Corpus = tuple[list[list[str]], list[list[str]]]


def tiny(**params: Any) -> NerTagger:
    """An estimator that is trained in a blink."""
    return NerTagger("small", **(TINY | params))


@pytest.fixture(scope="module")
def made(make_sentences: Callable[..., list[Sentence]]) -> list[Sentence]:
    """Sentences with persons and places."""
    return make_sentences(40)


@pytest.fixture(scope="module")
def corpus(made: list[Sentence]) -> Corpus:
    """Their tokens and their tags in IOB2."""
    return [one.words for one in made], [one.tags() for one in made]


@pytest.fixture(scope="module")
def fitted(corpus: Corpus) -> NerTagger:
    """An estimator that has learnt them, so far as that is possible in a blink."""
    return tiny(epochs=8).fit(*corpus)


class TestLearning:
    """Fit, predict, score and marginals."""

    def test_it_learns_what_train_learns(self, made: list[Sentence], corpus: Corpus, tmp_path: Path) -> None:
        train_part, dev = made[:36], made[36:]
        estimator = tiny(random_state=3).fit(corpus[0][:36], corpus[1][:36], corpus[0][36:], corpus[1][36:])
        tagger = train(Data(train_part, dev), "small", tmp_path / "model", progress=False, seed=3, **TINY)
        assert tagger_to_bytes(estimator.tagger_) == tagger_to_bytes(tagger)

    def test_every_tenth_sentence_is_set_aside_unless_dev_is_none(self, made: list[Sentence], corpus: Corpus) -> None:
        tenths = [one for number, one in enumerate(made, 1) if number % 10 == 0]
        rest = [one for number, one in enumerate(made, 1) if number % 10]
        parts = [([one.words for one in part], [one.tags() for one in part]) for part in (rest, tenths)]
        split, given, whole = tiny().fit(*corpus), tiny().fit(*parts[0], *parts[1]), tiny(dev=None).fit(*corpus)
        assert tagger_to_bytes(split.tagger_) == tagger_to_bytes(given.tagger_)
        assert tagger_to_bytes(whole.tagger_) != tagger_to_bytes(split.tagger_)
        assert whole.tagger_.model.temperature == 1.0  # which only dev sentences change

    def test_predictions_are_the_tags_of_the_taggers_spans(self, fitted: NerTagger, corpus: Corpus) -> None:
        assert fitted.predict(corpus[0]) == [
            SCHEMES["IOB2"].encode(fitted.tagger_.tag_tokens(words), len(words)) for words in corpus[0]
        ]
        assert fitted.predict([[], ["Anna"]])[0] == []

    def test_the_score_is_the_f1_of_seqeval(self, fitted: NerTagger, make_sentences: Any) -> None:
        others = make_sentences(40, seed=1)
        words, tags = [one.words for one in others], [one.tags() for one in others]
        assert fitted.score(words, tags) == pytest.approx(f1_score(tags, fitted.predict(words)))
        assert fitted.score(words, tags) > 0.5

    def test_few_sentences_are_all_learnt_from(self) -> None:
        estimator = tiny(epochs=1).fit([["Ada", "left"]], [["B-PER", "O"]])
        assert estimator.classes_.tolist() == ["O", "B-PER", "I-PER"]

    def test_tags_that_break_the_scheme_are_read_and_logged(self, caplog: pytest.LogCaptureFixture) -> None:
        X, y = [["Ada", "left"], ["In", "Rome", "Italy"]] * 2, [["B-PER", "O"], ["O", "B-LOC", "I-PER"]] * 2
        tiny(epochs=1, y_scheme="IOB2").fit(X, y)
        assert "y: 2 sentences with tags that break IOB2, the first is 1" in caplog.messages

    def test_it_begins_with_a_tagger_and_a_configuration_of_its_own(self, corpus: Corpus, tmp_path: Path) -> None:
        tiny().fit(*corpus).tagger_.save(tmp_path / "model")
        further = NerTagger("small", init_from=str(tmp_path / "model"), epochs=1).fit(*corpus)
        assert further.tagger_.model.config == Tagger.load(tmp_path / "model").model.config
        config = preset("small").replace(**TINY)
        assert tagger_to_bytes(NerTagger(config).fit(*corpus).tagger_) == tagger_to_bytes(tiny().fit(*corpus).tagger_)

    def test_epochs_are_shown_if_asked_for(self, corpus: Corpus, capsys: pytest.CaptureFixture[str]) -> None:
        tiny(epochs=1).fit(*corpus)
        assert capsys.readouterr() == ("", "")
        tiny(epochs=1, verbose=True).fit(*corpus)
        shown = capsys.readouterr()
        assert shown.out == ""
        assert "epoch" in shown.err


class TestSchemes:
    """y comes and goes in one scheme and spelling."""

    @pytest.mark.parametrize("name", SCHEMES)
    def test_predictions_and_marginals_are_in_the_scheme_of_y(self, made: list[Sentence], name: str) -> None:
        scheme, words = SCHEMES[name], [one.words for one in made]
        given = name if name in ("IO", "IOE1", "BMES") else None  # others fit these sentences as well
        estimator = tiny(epochs=5, y_scheme=given).fit(words, [one.tags(name) for one in made])
        assert estimator.scheme_ == name
        spans = [estimator.tagger_.tag_tokens(one) for one in words]
        assert estimator.predict(words) == [scheme.encode(*one) for one in zip(spans, map(len, words), strict=True)]
        # The probability that a token begins, continues or ends an entity is that of all spans that do so.
        for sentence, table in zip(words[:6], estimator.predict_marginals(words[:6]), strict=True):
            (analysis,) = estimator.tagger_.analyze(sentence)
            assert len(table) == len(sentence)
            assert all(sum(row.values()) == pytest.approx(1) for row in table)
            if scheme.after_same or scheme.before_same:
                continue  # there the tag depends on the neighbour
            expected = [dict.fromkeys(estimator.classes_.tolist(), 0.0) for _ in sentence]
            for (start, end, label), probability in analysis.probable_spans(1e-9):
                for at, tag in enumerate(scheme.encode([(0, end - start, label)], end - start), start):  # type: ignore[list-item]
                    expected[at][tag] += probability
            for row, of_spans in zip(table, expected, strict=True):
                assert {**row, "O": 0} == pytest.approx({**of_spans, "O": 0}, abs=1e-5)

    def test_a_network_that_cannot_tell_the_tags_says_which_can(self, made: list[Sentence]) -> None:
        words, tags = [one.words for one in made], [one.tags("BIOES") for one in made]
        estimator = tiny(epochs=1, scheme="IOB2").fit(words, tags)
        with pytest.raises(InputError, match=r"tells the tags of BIOES apart.*IOB2: NerTagger\(scheme='BIOES'\)"):
            estimator.predict_marginals(words)
        assert tiny(epochs=1, scheme="BIOES").fit(words, tags).predict_marginals(words[:1])

    @pytest.mark.parametrize(
        "spell",
        [
            lambda tag: tag.replace("-", "_"),
            lambda tag: "-" if tag == "O" else tag,
            lambda tag: tag.partition("-")[2] or tag,  # PER, O: as in IO
        ],
    )
    def test_predictions_are_spelled_as_y_is(self, made: list[Sentence], spell: Callable[[str], str]) -> None:
        words, tags = [one.words for one in made], [[*map(spell, one.tags())] for one in made]
        estimator = tiny(epochs=8).fit(words, tags)
        assert {tag for row in estimator.predict(words) for tag in row} <= {tag for row in tags for tag in row}
        assert {*estimator.classes_.tolist()} == {*map(spell, ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"])}
        assert estimator.score(words, tags) > 0.5
        assert {*estimator.predict_marginals(words[:1])[0][0]} == {*estimator.classes_.tolist()}


class TestInput:
    """What X and y may be."""

    def test_any_array_of_lists_is_the_same(self, fitted: NerTagger, corpus: Corpus) -> None:
        X, y = corpus[0][:20], corpus[1][:20]
        arrays = [np.empty(20, object), np.empty(20, object)]
        for array, rows in zip(arrays, (X, y), strict=True):
            array[:] = rows
        column = pd.Series(X, index=range(100, 120))
        expected = tagger_to_bytes(tiny(epochs=1).fit(X, y).tagger_)
        for words, tags in [
            (tuple(map(tuple, X)), tuple(map(tuple, y))),
            (arrays[0], arrays[1]),
            (column, pd.Series(y, index=column.index)),
            ([np.array(row) for row in X], [np.array(row) for row in y]),
        ]:
            assert tagger_to_bytes(tiny(epochs=1).fit(words, tags).tagger_) == expected
            assert fitted.predict(words) == fitted.predict(X)
        square = [row[:3] for row in X]
        assert fitted.predict(np.array(square)) == fitted.predict(square)

    @pytest.mark.parametrize(
        ("X", "y", "kind", "said"),
        [
            ("Ada", [["O"]], TypeError, "X: expected a list of lists of tokens, got str"),
            (pd.DataFrame({"a": ["Ada"]}), [["O"]], TypeError, "X: expected a list of lists of tokens, got DataFrame"),
            (3, [["O"]], TypeError, "X: expected a list of lists of tokens, got int"),
            (["Ada"], [["O"]], TypeError, r"X, sentence 0: expected a list of tokens, got 'Ada' \(str\)"),
            ([["Ada"], float("nan")], [["O"]], TypeError, r"X, sentence 1: .* list of tokens, got nan \(float\)"),
            ([[{"word": "Ada"}]], [["O"]], TypeError, r"token 0, got .* \(dict\): features are learnt, give the words"),
            ([["Ada", 3]], [["O", "O"]], TypeError, r"X, sentence 0: expected a string as token 1, got 3 \(int\)"),
            ([["Ada"]], [[0]], TypeError, r"y, sentence 0: expected a string as tag 0, got 0 \(int\)"),
            ([["Ada"]], None, TypeError, "y: expected a list of lists of tags, got NoneType"),
            ([["Ada"]], [], InputError, "expected as many sentences as in X, 1, found 0 in y"),
            ([["Ada"], ["a", "b"]], [["O"], ["O"]], InputError, "y, sentence 1: .* found 1 tag for 2 tokens"),
            ([["Ada"]], [["O"]], InputError, "expected entities, found none"),
            ([["Ada", "b"]], [["PER-B", "O"]], InputError, "y: expected tags such as B-PER, found 'PER-B'"),
            ([["Ada", "b", "c"]], [["B-PER", "Q-X", "L-PER"]], InputError, r"^y: expected the tags of one .*[^)]$"),
            ([], [], InputError, "expected sentences with tokens, found none"),
        ],
    )  # fmt: skip
    def test_a_mistake_is_named_with_its_place(self, X: Any, y: Any, kind: type[Exception], said: str) -> None:
        with pytest.raises(kind, match=said):
            tiny().fit(X, y)

    def test_the_dev_sentences_are_checked_too(self, corpus: Corpus) -> None:
        with pytest.raises(InputError, match="y_dev, sentence 0: expected one tag for each token"):
            tiny().fit(*corpus, [["Ada"]], [[]])
        with pytest.raises(TypeError, match="y_dev: expected a list of lists of tags, got NoneType"):
            tiny().fit(*corpus, [["Ada"]])
        with pytest.raises(InputError, match=r"dev: expected 'split' or None, got 0.1"):
            tiny(dev=0.1).fit(*corpus)

    def test_a_tag_of_another_scheme_is_named_when_it_is_scored(self, fitted: NerTagger) -> None:
        with pytest.raises(InputError, match=r"y, sentence 0, position 1: expected a tag of IOB2 .* found 'S-PER'"):
            fitted.score([["hi", "Ada"]], [["O", "S-PER"]])

    def test_nothing_is_predicted_before_it_is_trained(self, corpus: Corpus) -> None:
        for call in (tiny().predict, tiny().predict_marginals, lambda X: tiny().score(X, corpus[1])):
            with pytest.raises(NotFittedError):
                call(corpus[0])

    def test_a_training_that_fails_leaves_what_was_learnt(self, corpus: Corpus) -> None:
        estimator = tiny(epochs=1).fit(*corpus)
        before = estimator.predict(corpus[0])
        with pytest.raises(InputError):
            estimator.fit([["Ada"]], [["O"]])
        assert estimator.predict(corpus[0]) == before


class TestParameters:
    """Parameters are those of the signature and all settings."""

    def test_settings_are_parameters(self) -> None:
        estimator = NerTagger("best", hidden_size=50, random_state=2)
        params = estimator.get_params()
        assert (params["preset"], params["hidden_size"], params["random_state"]) == ("best", 50, 2)
        assert "epochs" not in params
        assert estimator.set_params(epochs=3, hidden_size=60) is estimator
        assert clone(estimator).get_params() == {**params, "epochs": 3, "hidden_size": 60}
        assert repr(estimator) == "NerTagger(epochs=3, hidden_size=60, preset='best', random_state=2)"

    def test_a_parameter_that_is_none_is_refused(self) -> None:
        with pytest.raises(TypeError, match="no setting 'hiden_size', did you mean hidden_size"):
            NerTagger(hiden_size=3)
        with pytest.raises(ValueError, match="no parameter 'random_stat', did you mean random_state"):
            NerTagger().set_params(random_stat=3)

    def test_a_value_that_does_not_fit_is_named_by_fit(self, corpus: Corpus) -> None:
        with pytest.raises(InputError, match=r"hidden_size: expected .* got -1"):
            tiny(hidden_size=-1).fit(*corpus)
        with pytest.raises(InputError, match=r"expected a preset, one of fast, .* got 'fest', did you mean fast"):
            NerTagger("fest").fit(*corpus)
        with pytest.raises(InputError, match="expected a tag scheme"):
            tiny(y_scheme="BOI1").fit(*corpus)

    def test_a_random_state_is_a_seed(self, corpus: Corpus) -> None:
        def weights(**params: Any) -> bytes:
            return tagger_to_bytes(tiny(epochs=1, **params).fit(*corpus).tagger_)

        assert weights(random_state=5) == weights(random_state=np.int64(5)) == weights(seed=5) != weights()
        assert weights() == weights(random_state=1)
        drawn = [weights(random_state=np.random.RandomState(seed)) for seed in (7, 7, 8)]
        assert drawn[0] == drawn[1] != drawn[2]
        with pytest.raises(InputError, match="expected random_state or the setting seed, got both"):
            weights(random_state=5, seed=5)


class TestScikitLearn:
    """What scikit-learn does with estimators."""

    def test_cross_validation_trains_on_each_part(self, corpus: Corpus) -> None:
        scores = cross_val_score(tiny(), *corpus, cv=2)
        by_hand = []
        for start in (0, 20):
            inside = [start <= number < start + 20 for number in range(40)]
            parts = [
                [[row for row, at in zip(rows, inside, strict=True) if at is chosen] for rows in corpus]
                for chosen in (False, True)
            ]
            by_hand.append(tiny().fit(*parts[0]).score(*parts[1]))
        assert scores.tolist() == by_hand
        seqeval = cross_val_score(tiny(), *corpus, cv=2, scoring=make_scorer(f1_score))
        assert seqeval == pytest.approx(scores)

    @pytest.mark.slow
    def test_a_grid_search_in_two_processes_finds_what_one_finds(self, corpus: Corpus) -> None:
        grid = {"hidden_size": [4, 12]}
        try:
            one, two = (GridSearchCV(tiny(epochs=1), grid, cv=2, n_jobs=jobs).fit(*corpus) for jobs in (1, 2))
        finally:
            get_reusable_executor().shutdown(wait=True)  # joblib would keep its processes for the next search
        assert one.cv_results_["mean_test_score"].tolist() == two.cv_results_["mean_test_score"].tolist()
        assert one.best_params_ == two.best_params_
        assert two.best_estimator_.get_params()["hidden_size"] in (4, 12)
        assert two.predict(corpus[0]) == one.predict(corpus[0])

    def test_it_is_pickled_as_the_bytes_of_its_files(self, fitted: NerTagger, corpus: Corpus) -> None:
        content = pickle.dumps(fitted)
        assert b"torch" not in content
        for again in (pickle.loads(content), copy.deepcopy(fitted)):
            assert again.predict(corpus[0]) == fitted.predict(corpus[0])
            assert again.predict_marginals(corpus[0][:3]) == fitted.predict_marginals(corpus[0][:3])
            assert again.get_params() == fitted.get_params()
        with pytest.raises(NotFittedError):
            pickle.loads(pickle.dumps(tiny())).predict(corpus[0])

    def test_it_ends_a_pipeline(self, corpus: Corpus) -> None:
        lower = FunctionTransformer(lambda X: [[word.lower() for word in row] for row in X])
        pipeline = make_pipeline(lower, tiny()).fit(*corpus)
        lowered = [[word.lower() for word in row] for row in corpus[0]]
        assert pipeline.predict(corpus[0]) == tiny().fit(lowered, corpus[1]).predict(lowered)

    def test_check_estimator_finds_nothing_in_what_it_checks_of_such_an_estimator(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SkipTestWarning)  # X is no table, as the tags of the estimator say
            check_estimator(tiny(epochs=1))


class OfTables(NerTagger):
    """The estimator under the checks for tables of numbers: a number is a word, and y the label of each first word."""

    def fit(self, X: Any, y: Any) -> OfTables:  # type: ignore[override]
        """Learn that rows begin with an entity."""
        super().fit(self.words(X), self.tags(X, y))
        return self

    def predict(self, X: Any) -> Any:
        """What is predicted for the first word of each row."""
        return np.array([self.classes_.tolist().index(tags[0]) for tags in super().predict(self.words(X))])

    def score(self, X: Any, y: Any) -> float:
        """The F1 of the labels."""
        return super().score(self.words(X), self.tags(X, y))

    def words(self, X: Any) -> list[list[str]]:
        """The numbers as words."""
        return [[f"{value:.1f}" for value in row] for row in np.asarray(X)]

    def tags(self, X: Any, y: Any) -> list[list[str]]:
        """The classes as labels."""
        return [[f"B-{int(label) % 3}", *["O"] * (len(row) - 1)] for row, label in zip(X, np.asarray(y), strict=True)]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        return tags


NOT_APPLICABLE = {
    "check_no_attributes_set_in_init": "settings that were given are attributes: run without such below",
    "check_do_not_raise_errors_in_init_or_set_params": "a setting that does not exist is refused at once",
    "check_estimator_sparse_tag": "words have no sparse form",
    "check_estimator_sparse_array": "words have no sparse form",
    "check_estimator_sparse_matrix": "words have no sparse form",
    "check_array_api_input": "words are no numbers",
}
SMALLEST: dict[str, Any] = {
    "epochs": 1, "hidden_size": 2, "word_size": 2, "char_filters": 0, "casing_size": 0, "dev": None
}  # fmt: skip


def every_check() -> dict[str, Callable[[Any], None]]:
    """All checks that scikit-learn has for an estimator of tables, by name."""
    found = dict[str, Callable[[Any], None]]()
    for _, check in estimator_checks_generator(OfTables("small", **SMALLEST), legacy=True, mark=None):
        name = check.func.__name__ if hasattr(check, "func") else check.__name__
        found[name if name not in found else f"{name}-2"] = check
    return found


CHECKS = every_check()


@pytest.mark.parametrize("name", [name for name in CHECKS if name not in NOT_APPLICABLE])
@pytest.mark.filterwarnings("ignore")
def test_the_check_of_scikit_learn_holds(name: str) -> None:
    CHECKS[name](OfTables("small", **SMALLEST))


def test_the_checks_that_do_not_apply_are_checks_and_most_do() -> None:
    assert NOT_APPLICABLE.keys() <= CHECKS.keys()
    assert len(CHECKS) - len(NOT_APPLICABLE) > 25
    CHECKS["check_no_attributes_set_in_init"](NerTagger())
