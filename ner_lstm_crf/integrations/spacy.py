"""The spaCy component `ner_lstm_crf`: a tagger in a pipeline, which sets `doc.ents` and the score of each entity.

    nlp = spacy.blank("en")
    nlp.add_pipe("ner_lstm_crf", config={"model": "en"})

spaCy finds the factory by its entry point. `sentences_from_docs` and `docs_from_sentences` are for training data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import numpy as np
from spacy.language import Language
from spacy.pipeline import Pipe
from spacy.tokens import Span as DocSpan
from spacy.util import minibatch

from ner_lstm_crf.config import DecodingName, Precision
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.formats.spacy_docs import (
    doc_sentences,
    doc_text,
    doc_tokens,
    docs_from_sentences,
    sentences_from_docs,
)
from ner_lstm_crf.integrations.model_bytes import tagger_from_bytes, tagger_to_bytes
from ner_lstm_crf.saving.model import SHIPPED, ModelDescription, model_directory
from ner_lstm_crf.tagging.tagger import Tagger
from ner_lstm_crf.text.annotation import Sentence, Token

__all__ = ["Recognizer", "docs_from_sentences", "sentences_from_docs"]

Tokenization: TypeAlias = Literal["spacy", "own"]
"""Whose tokens and sentences the model reads."""

EarlierEnts: TypeAlias = Literal["keep", "overwrite", "remove"]
"""What becomes of the entities that a document already has."""

_MODEL = "model"  # the key, and the folder, of what is saved


class Found(NamedTuple):
    """An entity over the tokens, or the characters, of a document, and its score."""

    start: int
    end: int
    label: str
    score: float


class Recognizer(Pipe):  # type: ignore[misc]  # spaCy has no types
    """Sets `doc.ents` by a tagger.

    The tagger is loaded when it is first needed: a saved pipeline, which holds its own, is loaded where the directory
    of its model is gone.

    Args:
        language: The language of the pipeline, as `nlp.lang`.
        name: The name of the component.
        model: The directory of a tagger, or "en" or "zh"; None for the one that comes with the package for the
            language.
        precision: As in `Tagger`.
        decoding: As in `Tagger`.
        min_score: As in `Tagger.tag`.
        tokenization: "spacy": the model reads spaCy's tokens (of a model of characters, the characters of these), in
            the sentences of the document if it has such, else in those that the package finds. "own": the entities are
            those of `Tagger.tag(doc.text)`.
        earlier_ents: "keep": entities that a document has stay, and those found that share a token with one, or with
            one that spaCy calls blocked, are left out. "overwrite": those found stay, and earlier ones that share a
            token with one are removed. "remove": all earlier ones are removed.
        score: The name of the extension that holds the score of each entity, `span._.score`; None for no scores.
        scorer: The function of `nlp.evaluate`.

    Raises:
        InputError: If there is no such option, or another extension of spans has the name.
    """

    def __init__(  # noqa: PLR0913  (one for each setting of the component)
        self,
        language: str,
        name: str = "ner_lstm_crf",
        *,
        model: str | None = None,
        precision: Precision = "float32",
        decoding: DecodingName = "viterbi",
        min_score: float | None = None,
        tokenization: Tokenization = "spacy",
        earlier_ents: EarlierEnts = "keep",
        score: str | None = "score",
        scorer: Callable[..., dict[str, Any]] | None = None,
    ) -> None:
        for what, given, known in (
            ("precision", precision, Precision),
            ("decoding", decoding, DecodingName),
            ("tokenization", tokenization, Tokenization),
            ("earlier_ents", earlier_ents, EarlierEnts),
        ):
            if given not in get_args(known):
                raise InputError(f"{what}: expected one of {', '.join(get_args(known))}, got {given!r:.40}")
        if min_score is not None and not 0 <= min_score <= 1:
            raise InputError(f"min_score: expected a probability from 0 to 1, got {min_score!r:.40}")
        self.name, self.language, self.model, self.min_score = name, language, model, min_score
        self.tokenization, self.earlier_ents, self.score_name, self.scorer = tokenization, earlier_ents, score, scorer
        self._options = {"precision": precision, "decoding": decoding}
        self._tagger: Tagger | None = None
        if score is not None:
            _declare(score)

    @property
    def tagger(self) -> Tagger:
        """The tagger.

        Raises:
            InputError: If there is none, or it is damaged; if none comes with the package for the language.
        """
        if self._tagger is None:
            self._tagger = Tagger.load(self._source, **self._options)  # type: ignore[arg-type]
        return self._tagger

    @property
    def _source(self) -> str:
        """The tagger to load.

        Raises:
            InputError: If none is named, and none comes with the package for the language.
        """
        if self.model is None and self.language not in SHIPPED:
            raise InputError(
                f"expected a model: none comes with the package for the language {self.language!r} of the pipeline "
                '(config={"model": DIRECTORY})'
            )
        return self.model or self.language

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that it can give; () as long as there is no tagger."""
        if self._tagger is not None:
            return self._tagger.labels
        try:
            return ModelDescription.read(model_directory(self._source)).labels
        except InputError:
            return ()

    def initialize(self, get_examples: Callable[[], Iterable[Any]], *, nlp: Any = None) -> None:  # noqa: ARG002
        """Load the tagger. `nlp.initialize` calls this; nothing is trained by spaCy.

        Raises:
            InputError: As `tagger`.
        """
        _ = self.tagger

    def __call__(self, doc: Any) -> Any:
        """Set the entities of one document.

        Raises:
            InputError: As `tagger`.
        """
        self._annotate([doc])
        return doc

    def pipe(self, stream: Iterable[Any], *, batch_size: int = 128) -> Iterator[Any]:
        """Set the entities of documents, in batches and in order.

        Args:
            stream: The documents.
            batch_size: The documents of a batch.

        Yields:
            The documents. One that fails is given to the error handler of the pipeline, and the others of its batch go
            on.
        """
        handle = self.get_error_handler()
        for docs in minibatch(stream, batch_size):
            try:
                self._annotate(docs)
            except Exception:
                for doc in docs:
                    try:
                        self._annotate([doc])
                    except Exception as error:
                        handle(self.name, self, [doc], error)
                    else:
                        yield doc
            else:
                yield from docs

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Write the tagger into a directory: `nlp.to_disk` calls this.

        Args:
            path: The directory.
            exclude: "model" for nothing.

        Raises:
            InputError: As `tagger` and `Tagger.save`.
        """
        if _MODEL not in exclude:
            self.tagger.save(Path(path) / _MODEL)

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> Recognizer:
        """Load the tagger that `to_disk` wrote.

        Args:
            path: The directory.
            exclude: "model" for nothing.

        Raises:
            InputError: If there is none, or it is damaged.
        """
        if _MODEL not in exclude:
            self._tagger = Tagger.load(Path(path).absolute() / _MODEL, **self._options)  # type: ignore[arg-type]
        return self

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """The tagger as bytes: the files of its directory, nothing pickled.

        Args:
            exclude: "model" for no bytes.

        Raises:
            InputError: As `tagger`.
        """
        return b"" if _MODEL in exclude else tagger_to_bytes(self.tagger)

    def from_bytes(self, content: bytes, *, exclude: Iterable[str] = ()) -> Recognizer:
        """Load the tagger that `to_bytes` made bytes of.

        Args:
            content: The bytes.
            exclude: "model" for nothing.

        Raises:
            InputError: If they are none of a tagger, or are damaged.
        """
        if _MODEL not in exclude:
            self._tagger = tagger_from_bytes(content, **self._options)
        return self

    def _annotate(self, docs: list[Any]) -> None:
        """Set the entities of some documents, and the scores of these."""
        if self.score_name is not None:
            _declare(self.score_name)  # in a process that was given the component
        for doc, found in zip(docs, self._find(docs), strict=True):
            ents = {DocSpan(doc, start, end, label=label): score for start, end, label, score in found}
            earlier, removed, blocked = list(doc.ents), list[Any](), list[Any]()
            # 1. Of those that share a token the earlier ones stay, or those found.
            if self.earlier_ents == "keep":
                if doc.has_annotation("ENT_IOB"):
                    iob, of_type = doc.to_array(["ENT_IOB", "ENT_TYPE"]).reshape(-1, 2).T
                    blocked = [doc[at : at + 1] for at in np.flatnonzero((iob == 3) & (of_type == 0)).tolist()]
                taken = _tokens([*earlier, *blocked])
                ents = {ent: score for ent, score in ents.items() if taken.isdisjoint(range(ent.start, ent.end))}
            else:
                taken = _tokens(ents) if self.earlier_ents == "overwrite" else set(range(len(doc)))
                removed = [ent for ent in earlier if not taken.isdisjoint(range(ent.start, ent.end))]
                earlier = [ent for ent in earlier if ent not in removed]
            # 2. Set them, and the scores. An entity that stays keeps what it has.
            doc.set_ents([*earlier, *ents], blocked=blocked)
            if self.score_name is not None:
                for ent, score in [*((ent, None) for ent in removed), *ents.items()]:
                    ent._.set(self.score_name, score)

    def _find(self, docs: list[Any]) -> list[list[Found]]:
        """The entities of each document, over its tokens."""
        tagger, least = self.tagger, self.min_score
        of_characters, hyphens = tagger.model.config.token_unit == "character", tagger.model.config.hyphens
        # 1. What the model reads of each document: its sentences, or None for its text.
        read = list[list[Sentence] | None]()
        for doc in docs:
            if self.tokenization == "own" or (of_characters and not doc.has_annotation("SENT_START")):
                read.append(None)
                continue
            tokens = doc_tokens(doc)
            if of_characters:
                tokens = [
                    Token(char, at, at + 1)
                    for text, start, _ in tokens
                    for at, char in enumerate(text, start)
                    if not char.isspace()
                ]
            read.append([Sentence(tuple(one)) for one in doc_sentences(doc, tokens, hyphens=hyphens)])
        # 2. What it finds, as offsets in the text.
        of_texts = (doc_text(doc) for doc, one in zip(docs, read, strict=True) if one is None)
        by_text = tagger.tag_many(of_texts, min_score=least)
        tagged = tagger.tag_sentences(chain.from_iterable(one for one in read if one is not None), min_score=least)
        found = list[list[Found]]()
        for doc, sentences in zip(docs, read, strict=True):
            if sentences is None:
                places = [Found(one.start, one.end, one.label, one.score or 0.0) for one in next(by_text)]
            else:
                places = [
                    Found(tokens[start].start, tokens[end - 1].end, label, score)
                    for tokens, spans, scores in map(_OF_SENTENCE, islice(tagged, len(sentences)))
                    for (start, end, label), score in zip(spans, scores, strict=True)
                ]
            found.append(_over_tokens(doc, places) if places else [])
        return found


_OF_SENTENCE = attrgetter("tokens", "spans", "scores")


def _over_tokens(doc: Any, places: Sequence[Found]) -> list[Found]:
    """Entities over the tokens that they share a character with; of those that share a token, the more probable.

    Args:
        doc: The document.
        places: The entities, as offsets in its text.
    """
    starts, lengths = doc.to_array(["IDX", "LENGTH"]).reshape(-1, 2).T.astype(np.int64)
    edges = np.array([(one.start, one.end) for one in places]).T
    firsts, finals = np.searchsorted(starts + lengths, edges[0], side="right"), np.searchsorted(starts, edges[1])
    taken, found = set[int](), list[Found]()
    over_tokens = (
        Found(first, final, one.label, one.score)
        for first, final, one in zip(firsts.tolist(), finals.tolist(), places, strict=True)
    )
    for one in sorted(over_tokens, key=attrgetter("score"), reverse=True):
        tokens = range(one.start, one.end)
        if taken.isdisjoint(tokens):
            taken.update(tokens)
            found.append(one)
    return sorted(found)


def _tokens(spans: Iterable[Any]) -> set[int]:
    """The tokens of some spans."""
    return {token for span in spans for token in range(span.start, span.end)}


def _declare(name: str) -> None:
    """Make an extension of spans for scores, unless there is one.

    Raises:
        InputError: If there is one that holds no value.
    """
    if not DocSpan.has_extension(name):
        DocSpan.set_extension(name, default=None)
    _, method, getter, _ = DocSpan.get_extension(name)
    if method is not None or getter is not None:
        raise InputError(f"score: expected a name of its own, found that of another extension of spans: {name!r:.40}")


@Language.factory(  # type: ignore[untyped-decorator]
    "ner_lstm_crf",
    assigns=["doc.ents", "token.ent_iob", "token.ent_type", "span._.score"],
    default_config={
        "model": None,
        "precision": "float32",
        "decoding": "viterbi",
        "min_score": None,
        "tokenization": "spacy",
        "earlier_ents": "keep",
        "score": "score",
        "scorer": {"@scorers": "spacy.ner_scorer.v1"},
    },
    default_score_weights={"ents_f": 1.0, "ents_p": 0.0, "ents_r": 0.0, "ents_per_type": None},
)
def make_recognizer(  # noqa: PLR0913  (one for each setting of the component)
    nlp: Any,
    name: str,
    *,
    model: str | None,
    precision: str,
    decoding: str,
    min_score: float | None,
    tokenization: str,
    earlier_ents: str,
    score: str | None,
    scorer: Callable[..., dict[str, Any]] | None,
) -> Recognizer:
    """The component of a pipeline, see `Recognizer`."""
    given: dict[str, Any] = {"precision": precision, "decoding": decoding, "tokenization": tokenization}
    given |= {"min_score": min_score, "earlier_ents": earlier_ents, "score": score, "scorer": scorer}
    return Recognizer(nlp.lang, name, model=model, **given)
