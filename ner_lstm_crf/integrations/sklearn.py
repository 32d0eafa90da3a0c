"""A tagger as an estimator of scikit-learn: lists of tokens to lists of tags, as sklearn-crfsuite has them.

estimator = NerTagger("small", epochs=10).fit(X, y)  # X: the tokens of each sentence, y: their tags
estimator.predict(X), estimator.predict_marginals(X), estimator.score(X, y)
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Set
from numbers import Integral
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ner_lstm_crf.config import Config, settings as settings_of, tables_of
from ner_lstm_crf.errors import InputError, counted, did_you_mean
from ner_lstm_crf.evaluation.metrics import evaluate_spans
from ner_lstm_crf.features.vectors import Vectors
from ner_lstm_crf.integrations.model_bytes import tagger_from_bytes, tagger_to_bytes
from ner_lstm_crf.runs.data import Data, resolve_defaults, split_dev
from ner_lstm_crf.runs.processes import PlannedRun
from ner_lstm_crf.runs.train import config_for, train_planned
from ner_lstm_crf.tagging.tagger import Tagger
from ner_lstm_crf.tags.detect import NoSchemeError, detect_scheme
from ner_lstm_crf.tags.notation import STANDARD, has_prefix
from ner_lstm_crf.tags.scheme import OUTSIDE, Scheme, TagError, get_scheme, split_tag
from ner_lstm_crf.text.annotation import Sentence

_log = logging.getLogger(__name__)

_SETTINGS = frozenset((*settings_of("model"), *settings_of("training")))
_MOST_TO_SPLIT = 10  # sentences without which no tenth is set aside


class NerTagger(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Trains a tagger on lists of tokens and lists of tags, and predicts tags.

    Args:
        preset: The name of a preset or a configuration, as in `ner_lstm_crf.train`.
        y_scheme: The tag scheme of y; None to detect it.
        dev: "split" to choose the best epoch by every tenth sentence, where there are ten and `fit` is given no dev
            sentences; None to learn from all, and keep the last epoch.
        vectors: As in `Data`.
        lexicon: As in `Data`.
        lexicon_vectors: As in `Data`.
        names: As in `Data`.
        init_from: As in `Data`.
        random_state: The seed, or a generator that gives one; None for that of the settings, which is 1.
        verbose: True to show the epochs on standard error.
        **settings: Fields of `ModelConfig` and `TrainingConfig` that differ from the preset: `epochs=3`. They are
            parameters like the others, to `set_params`, `clone` and `GridSearchCV`.

    Attributes:
        tagger_: The trained `Tagger`.
        classes_: The tags that it can give, in the spelling of y.
        scheme_: The name of the tag scheme of y.

    Raises:
        TypeError: If there is no such setting.

    Example:
        >>> X = [["Ada", "met", "Milo"], ["Milo", "saw", "Oslo"]]
        >>> y = [["B-PER", "O", "B-PER"], ["B-PER", "O", "B-LOC"]]
        >>> NerTagger("small", epochs=1, hidden_size=4).fit(X, y).classes_.tolist()
        ['O', 'B-LOC', 'I-LOC', 'B-PER', 'I-PER']
    """

    def __init__(  # noqa: PLR0913  (one for each parameter)
        self,
        preset: str | Config = "fast",
        *,
        y_scheme: str | None = None,
        dev: Literal["split"] | None = "split",
        vectors: Vectors | Literal["builtin"] | None = "builtin",
        lexicon: Mapping[str, str] | Literal["builtin"] | None = "builtin",
        lexicon_vectors: Vectors | Literal["builtin"] | None = "builtin",
        names: Collection[tuple[str, str]] | Literal["builtin"] | None = None,
        init_from: str | Path | None = None,
        random_state: Any = None,
        verbose: bool = False,
        **settings: Any,
    ) -> None:
        tables_of(settings)
        self.preset, self.y_scheme, self.dev, self.vectors, self.lexicon = preset, y_scheme, dev, vectors, lexicon
        self.lexicon_vectors, self.names = lexicon_vectors, names
        self.init_from, self.random_state, self.verbose = init_from, random_state, verbose
        for name, value in settings.items():
            setattr(self, name, value)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters: those of the signature, and the settings that were given.

        Args:
            deep: As scikit-learn has it; there are no estimators within.
        """
        own: dict[str, Any] = super().get_params(deep)
        return own | {name: value for name, value in vars(self).items() if name in _SETTINGS}

    def set_params(self, **params: Any) -> NerTagger:
        """Set parameters; any setting is one.

        Raises:
            ValueError: If there is no such parameter.
        """
        known = {*self._get_param_names(), *_SETTINGS}
        if unknown := [name for name in params if name not in known]:
            near = did_you_mean(unknown[0], known) or ": see help(NerTagger)"
            raise ValueError(f"there is no parameter {unknown[0]!r}{near}")
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def fit(self, X: Any, y: Any, X_dev: Any = None, y_dev: Any = None) -> NerTagger:  # noqa: N803
        """Train a tagger.

        Args:
            X: The tokens of each sentence: any list, array or column of lists of strings.
            y: Their tags, in any scheme.
            X_dev: Sentences by which the best epoch is chosen; None for those that `dev` sets aside.
            y_dev: Their tags.

        Raises:
            TypeError: If X or y is something else, with the number of the sentence, from 0.
            InputError: If there is not one tag for each token, the tags are of no scheme, none is an entity, or a
                setting does not take its value.
        """
        words, tags = _pairs(X, y, "")
        # 1. The scheme of y, and how its tags are spelled.
        try:
            scheme = None if self.y_scheme is None else get_scheme(self.y_scheme)
            detection = detect_scheme(tags, scheme)
        except NoSchemeError as error:  # without its hints, which are options of the command line
            said = f"expected tags such as B-PER, found {error.tag!r:.40}" if error.is_ambiguous else error.message
            raise InputError(f"y: {said.partition(' (--')[0]}") from error
        if detection.notation.separators != STANDARD.separators:
            example = next(tag for tag in detection.tags if split_tag(detection.notation.read(tag) or OUTSIDE)[1])
            raise InputError(f"y: expected tags such as B-PER, found {example!r:.40}")
        scheme = get_scheme(detection.scheme)
        read = {tag: detection.notation.read(tag) or tag for tag in detection.tags}
        sentences = _sentences(words, tags, read, scheme, "y")
        # 2. The sentences to learn from, and those that choose the epoch.
        dev = list[Sentence]()
        if X_dev is not None or y_dev is not None:
            dev_words, dev_tags = _pairs(X_dev, y_dev, "_dev")
            dev = _sentences(dev_words, dev_tags, read, scheme, "y_dev")
        elif self.dev == "split" and len(sentences) >= _MOST_TO_SPLIT:
            sentences, dev = split_dev(sentences)
        elif self.dev not in ("split", None):
            raise InputError(f"dev: expected 'split' or None, got {self.dev!r:.40}: fit(X, y, X_dev, y_dev)")
        given: dict[str, Any] = {
            "vectors": self.vectors,
            "lexicon": self.lexicon,
            "lexicon_vectors": self.lexicon_vectors,
            "names": self.names,
        }
        data = Data(sentences, dev, init_from=self.init_from, **given)
        # 3. The configuration. The network is trained in a scheme that tells the tags of y apart.
        settings = {name: value for name, value in vars(self).items() if name in _SETTINGS}
        if self.random_state is not None:
            if "seed" in settings:
                raise InputError("expected random_state or the setting seed, got both")
            settings["seed"] = _seed(self.random_state)
        config = config_for(data, self.preset, settings)
        is_free = self.init_from is None and "scheme" not in settings
        if is_free and _told(get_scheme(config.model.scheme), scheme) is None:
            config = config.replace(scheme=scheme.name)
        # 4. The training, whose directory is not kept.
        with TemporaryDirectory(prefix="ner-lstm-crf-") as folder:
            directory = Path(folder) / "model"
            plan = PlannedRun(config, directory)
            train_planned(resolve_defaults(data, config.model), [plan], directory, shown=bool(self.verbose))
            self.tagger_ = Tagger.load(directory)
        self.scheme_, self._read = scheme.name, read
        # 5. The tags that it can give, as y spells them; those that y lacks are spelled like the others.
        names = [OUTSIDE, *_tags_of(self.tagger_.labels, scheme)]
        mark = "_" if any(has_prefix(tag) and tag[1:2] == "_" for tag in read) else "-"
        seen = {_standard(scheme, standard): tag for tag, standard in read.items()}
        self._spelling = {name: seen.get(name, name.replace("-", mark, 1)) for name in names}
        self.classes_ = np.array(self._spelled(names))
        return self

    def predict(self, X: Any) -> list[list[str]]:  # noqa: N803
        """The tags of the tokens of each sentence, in the scheme and the spelling of y.

        Args:
            X: The tokens of each sentence.

        Raises:
            TypeError: If X is something else.
        """
        scheme = get_scheme(self._fitted().scheme_)
        return [self._spelled(scheme.encode(one.spans, len(one.tokens))) for one in self._tag(_rows(X, "X", "token"))]

    def predict_marginals(self, X: Any) -> list[list[dict[str, float]]]:  # noqa: N803
        """The probability of each tag for each token of each sentence, over all sequences of tags.

        Args:
            X: The tokens of each sentence.

        Raises:
            TypeError: If X is something else.
            InputError: If the scheme of the network does not tell the tags of y apart.
        """
        model, scheme = self._fitted().tagger_.model, get_scheme(self.scheme_)
        told = _told(model.tags.scheme, scheme)
        if told is None:
            raise InputError(
                f"expected a network whose scheme tells the tags of {scheme.name} apart, found one of "
                f"{model.tags.scheme.name}: NerTagger(scheme={scheme.name!r}) trains one"
            )
        # 1. The tag of y that each tag of the network stands for.
        names = [OUTSIDE, *_tags_of(model.tags.labels, scheme)]
        stands_for = np.zeros((len(model.tags), len(names)))
        for number, name in enumerate(model.tags.names):
            prefix, label = split_tag(name)
            of_y = OUTSIDE if name == OUTSIDE else told[prefix] + (f"-{label}" if label else "")
            stands_for[number, names.index(of_y)] = 1.0
        # 2. Their probabilities.
        spelled, found = self._spelled(names), list[list[dict[str, float]]]()
        for words in _rows(X, "X", "token"):
            tables = [one @ stands_for for one in self.tagger_.marginals(words)]
            found.append([dict(zip(spelled, row, strict=True)) for table in tables for row in table.tolist()])
        return found

    def score(self, X: Any, y: Any) -> float:  # noqa: N803
        """F1 of the entities, over all labels: an entity is right if both ends and the label are.

        Args:
            X: The tokens of each sentence.
            y: Their tags, in the scheme of those that the tagger was trained on.

        Raises:
            TypeError: If X or y is something else.
            InputError: If there is not one tag for each token, or a tag is of another scheme.
        """
        scheme = get_scheme(self._fitted().scheme_)
        words, tags = _pairs(X, y, "")
        gold = _sentences(words, tags, self._read, scheme, "y")
        return evaluate_spans([one.spans for one in gold], [one.spans for one in self._tag(words)]).micro.f1

    def _fitted(self) -> NerTagger:
        """The estimator itself.

        Raises:
            NotFittedError: If it is not trained.
        """
        check_is_fitted(self, "tagger_")
        return self

    def _tag(self, words: Iterable[list[str]]) -> list[Sentence]:
        """Sentences of these tokens with the entities that the tagger finds."""
        return list(self.tagger_.tag_sentences(Sentence.from_words(tokens) for tokens in words))

    def _spelled(self, tags: Iterable[str]) -> list[str]:
        """Standard tags in the spelling of y: `B_PER`, `PER` for `I-PER`, or another sign for O."""
        return [self._spelling[tag] for tag in tags]

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled: the tagger as the bytes of its files, of which nothing is pickled."""
        state = dict(super().__getstate__())
        return state | {"tagger_": tagger_to_bytes(state["tagger_"])} if "tagger_" in state else state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state | {"tagger_": tagger_from_bytes(state["tagger_"])} if "tagger_" in state else state)

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn is told of the estimator: X is no table, and its values are strings."""
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.string = False, True
        tags.target_tags.required = tags.no_validation = True
        return tags


def _rows(given: Any, name: str, what: str) -> list[list[str]]:
    """Lists of strings.

    Args:
        given: Any iterable of iterables of strings.
        name: The name of the argument.
        what: What the strings are.

    Raises:
        TypeError: If it is something else, with the number of the sentence, from 0, and of the string.
    """
    if isinstance(given, str | bytes | Mapping) or hasattr(given, "columns") or not isinstance(given, Iterable):
        raise TypeError(f"{name}: expected a list of lists of {what}s, got {type(given).__name__}")
    rows = list[list[str]]()
    for number, row in enumerate(given):
        if isinstance(row, str | bytes | Mapping | Set | Sentence) or not isinstance(row, Iterable):
            found = f"{row!r:.40} ({type(row).__name__})"
            raise TypeError(f"{name}, sentence {number}: expected a list of {what}s, got {found}")
        cells = list(row)
        if not {*map(type, cells)} <= {str}:
            for at, cell in enumerate(cells):
                if not isinstance(cell, str):
                    hint = ": features are learnt, give the words" if isinstance(cell, Mapping) else ""
                    found = f"{cell!r:.40} ({type(cell).__name__}){hint}"
                    raise TypeError(f"{name}, sentence {number}: expected a string as {what} {at}, got {found}")
            cells = list(map(str, cells))  # those of numpy
        rows.append(cells)
    return rows


def _seed(random_state: Any) -> int:
    """A seed: the number given, or one that a generator draws."""
    is_seed = isinstance(random_state, Integral)
    return int(random_state if is_seed else check_random_state(random_state).randint(2**31 - 1))


def _pairs(X: Any, y: Any, suffix: str) -> tuple[list[list[str]], list[list[str]]]:  # noqa: N803
    """Tokens and tags, one for each.

    Raises:
        TypeError: As `_rows`.
        InputError: If there are more of one than of the other.
    """
    words, tags = _rows(X, f"X{suffix}", "token"), _rows(y, f"y{suffix}", "tag")
    if len(words) != len(tags):
        found = f"{len(tags):,} in y{suffix}"
        raise InputError(f"expected as many sentences as in X{suffix}, {len(words):,}, found {found}")
    for number, (tokens, of_tokens) in enumerate(zip(words, tags, strict=True)):
        if len(tokens) != len(of_tokens):
            found = f"{counted(len(of_tokens), 'tag')} for {counted(len(tokens), 'token')}"
            raise InputError(f"y{suffix}, sentence {number}: expected one tag for each token, found {found}")
    return words, tags


def _sentences(
    words: list[list[str]], tags: list[list[str]], read: Mapping[str, str], scheme: Scheme, name: str
) -> list[Sentence]:
    """Sentences of tokens and tags; tags that break the scheme are logged.

    Args:
        words: The tokens of each sentence.
        tags: Their tags.
        read: The standard notation of tags that are written in another.
        scheme: The scheme of the tags.
        name: The name of the argument that holds them.

    Raises:
        InputError: If a tag is of another scheme.
    """
    sentences, broken = list[Sentence](), list[int]()
    for number, (tokens, of_tokens) in enumerate(zip(words, tags, strict=True)):
        try:
            decoded = scheme.decode([read.get(tag, tag) for tag in of_tokens])
        except TagError as error:
            raise InputError(f"{name}, sentence {number}, {error}") from error
        broken += [number] * bool(decoded.ill_formed)
        sentences.append(Sentence.from_words(tokens, decoded.spans))
    if broken:
        found = counted(len(broken), "sentence")
        _log.warning("%s: %s with tags that break %s, the first is %d", name, found, scheme.name, broken[0])
    return sentences


def _tags_of(labels: Iterable[str], scheme: Scheme) -> list[str]:
    """The tags of a scheme for some labels, but O."""
    return [f"{prefix}-{label}" if label else prefix for label in labels for prefix in scheme.prefixes]


def _standard(scheme: Scheme, tag: str) -> str:
    """A tag as `Scheme.encode` writes it."""
    state = scheme.state(tag)
    return f"{state.prefix}-{state.label}" if state.label else state.prefix


def _told(model: Scheme, of_y: Scheme) -> dict[str, str] | None:
    """The prefix of one scheme that each prefix of another stands for; None if one may stand for several.

    Example:
        >>> from ner_lstm_crf.tags.scheme import SCHEMES
        >>> _told(SCHEMES["BIEO"], SCHEMES["IOB2"]), _told(SCHEMES["IOB2"], SCHEMES["BIEO"])
        ({'B': 'B', 'I': 'I', 'E': 'I'}, None)
    """
    if model is of_y:
        return {prefix: prefix for prefix in model.prefixes}
    if of_y.after_same or of_y.before_same:  # which depend on the entity beside a token
        return None
    pairs = {(getattr(model, part), getattr(of_y, part)) for part in ("first", "inside", "last", "single")}
    pairs |= {(model.after_same, part) for part in (of_y.first, of_y.single) if model.after_same}
    pairs |= {(model.before_same, part) for part in (of_y.last, of_y.single) if model.before_same}
    told = dict(sorted(pairs))
    return {prefix: told[prefix] for prefix in model.prefixes} if len(told) == len(pairs) else None
