"""Text in, entities out: the class that users of a trained model meet."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsFloat, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from ner_lstm_crf.config import DecodingName, Device, Precision
from ner_lstm_crf.inference.export import WeightPrecision, export_model
from ner_lstm_crf.saving.model import SHIPPED, Model, model_directory
from ner_lstm_crf.tagging.analysis import Analysis, TransitionTable
from ner_lstm_crf.tagging.constraints import Constraints, constraints_of_sentences
from ner_lstm_crf.tagging.decoding import Decoding, at_least
from ner_lstm_crf.tagging.portions import TaggedPortion, tagged_portions
from ner_lstm_crf.tagging.predictor import Chunk, Predictor
from ner_lstm_crf.tags.labels import warn_of_unknown_labels
from ner_lstm_crf.text.annotation import Entity, Sentence, Span, Token, check_words, each, tokens_from_words
from ner_lstm_crf.text.sentences import Portion, portions, sentences
from ner_lstm_crf.text.tokenizer import check_characters

if TYPE_CHECKING:
    from ner_lstm_crf.evaluation.metrics import Evaluation
    from ner_lstm_crf.explanation.explanation import Explanation
    from ner_lstm_crf.explanation.marked_text import MarkedText

# Characters of the longest text that is tagged on the calling thread: there is too little to share.
SHORT_TEXT = 4000


class Tagger:
    """Finds entities with a trained model.

    Each entity has a score, the probability that exactly this is an entity with this label: that of all sequences of
    tags that say so. Where a sentence is read in pieces (a long one, or one that markup or a table interrupts) it is
    the probability within the piece. Results do not depend on what else is tagged at the same time.

    Args:
        model: The model; `Tagger.load` reads one from a directory.
        precision: What the LSTM computes in. With "int8" many texts are tagged twice as fast, and one sentence in some
            hundreds gets other spans, the same ones on every processor; "bfloat16" is for a model with a transformer,
            on processors that have it. The model, and what `save` writes, stays as it is.
        decoding: "viterbi": the entities of the most probable sequence of tags. "posterior": the entities that are
            each more probable than `min_score`, 0.4 if it is not given; of those that overlap the better ones. A lower
            `min_score` then finds more entities, of which more are wrong.
        device: What the networks compute on: "cpu", "cuda" or "mps". The networks of the model are moved there; None
            for where they are, the CPU unless they were moved.

    Attributes:
        model: The model.
        decoding: How entities are found.
        directory: The directory that it was loaded from; None if it was not.

    Raises:
        TypeError: If `model` is none.
        InputError: If the processor lacks the precision, or it is "int8" and the model has a transformer; or if the
            machine lacks the device.
        ValueError: If there is no such decoding.

    Example:
        >>> tagger = Tagger.load("en")
        >>> [(entity.text, entity.label, entity.score > 0.9) for entity in tagger.tag("Angela Merkel visited Rome.")]
        [('Angela Merkel', 'PER', True), ('Rome', 'LOC', True)]
    """

    def __init__(
        self,
        model: Model,
        precision: Precision = "float32",
        *,
        decoding: DecodingName = "viterbi",
        device: Device | None = None,
    ) -> None:
        given: object = model
        if not isinstance(given, Model):
            load = f": use Tagger.load({str(given)!r})" if isinstance(given, str | os.PathLike) else ""
            raise TypeError(f"expected a Model, got {type(given).__name__}{load}")
        if decoding not in get_args(DecodingName):
            raise ValueError(f"expected a decoding ({', '.join(get_args(DecodingName))}), got {decoding!r}")
        self.model, self.decoding, self._precision = model, decoding, precision
        self.directory: Path | None = None
        if device is not None:
            model.move(device)
        self._predictor = Predictor(model, precision)
        self._units = model.config.token_unit, model.config.hyphens

    def __repr__(self) -> str:
        return f"<Tagger: {', '.join(self.labels)} over {self._units[0]}s>"

    def __call__(self, text: str) -> list[Entity]:
        """Entities of a text: the same as `tag`."""
        return self.tag(text)

    @classmethod
    def load(
        cls,
        directory: str | Path,
        *,
        precision: Precision = "float32",
        decoding: DecodingName = "viterbi",
        device: Device = "cpu",
    ) -> Tagger:
        """Load the tagger that `save` or training wrote, or one that comes with the package.

        Args:
            directory: Its directory; or "en" or "zh", the shipped tagger of the language.
            precision: Number type of its LSTM; see the class.
            decoding: How it finds entities; see the class.
            device: What it computes on; see the class.

        Raises:
            InputError: If there is none in the directory, or it is damaged, or was written by another version, or the
                processor lacks the precision, or the machine the device.
            ValueError: If there is no such decoding.
        """
        folder = model_directory(directory)
        tagger = cls(Model.load(folder), precision, decoding=decoding, device=device)
        tagger.directory = folder
        return tagger

    @classmethod
    def from_pretrained(
        cls,
        repo: str | Path,
        *,
        revision: str | None = None,
        token: str | bool | None = None,
        cache_dir: str | Path | None = None,
        precision: Precision = "float32",
        decoding: DecodingName = "viterbi",
    ) -> Tagger:
        """Load a tagger from the hub of Hugging Face, or from a directory: `load` with more places to look in.

        Only the files of the model are fetched, once, into the cache of `huggingface_hub`. Nothing in them is run: they
        are JSON and safetensors, and their digest is checked.

        Args:
            repo: A repository, `NAME/MODEL`; or what `load` takes: a directory, "en" or "zh".
            revision: The branch, tag or commit of the repository; None for its main branch.
            token: A token of the hub, for a closed repository; None for that of `hf auth login`, False for none.
            cache_dir: The folder of the cache; None for the usual one.
            precision: Number type of its LSTM; see the class.
            decoding: How it finds entities; see the class.

        Raises:
            InputError: As `load` does; if there is no such repository, revision or model in it, or the hub cannot be
                reached and the cache does not have the model; if `huggingface_hub` is not installed.
        """
        from ner_lstm_crf.integrations.huggingface import download  # a door to another library; see pyproject.toml

        if isinstance(repo, str) and repo not in SHIPPED and not Path(repo).is_dir():
            repo = download(repo, revision=revision, token=token, cache_dir=cache_dir)
        return cls.load(repo, precision=precision, decoding=decoding)

    def push_to_hub(  # noqa: PLR0913  (one call)
        self,
        repo: str,
        *,
        private: bool | None = None,
        token: str | bool | None = None,
        commit_message: str = "A tagger of ner_lstm_crf",
        quantize: bool = False,
        licence: str | None = None,
        language: str | Sequence[str] | None = None,
        datasets: Sequence[str] = (),
    ) -> str:
        """Write the tagger into a repository of the hub of Hugging Face, made if there is none, in one commit.

        Its card is README.md of the directory that it was loaded from, as training writes it, or else a short one. Of
        the repository only the files of a model and the card change.

        Args:
            repo: The repository, `NAME/MODEL`, or `MODEL` for one of your own.
            private: True if only its owner may see a new one; None for what its owner has set.
            token: A token of the hub that may write; None for that of `hf auth login`.
            commit_message: The message of the commit.
            quantize: As in `save`.
            licence: The licence of the model, as the hub names it (`cc-by-4.0`), for the card.
            language: The language or languages of its texts (`en`), for the card.
            datasets: The names of the datasets on the hub that it was trained on, for the card.

        Returns:
            The address of the repository.

        Raises:
            InputError: If the hub refuses it or cannot be reached, or `huggingface_hub` is not installed.
        """
        from ner_lstm_crf.integrations.huggingface import upload  # as in `from_pretrained`

        about: dict[str, Any] = {"licence": licence, "language": language, "datasets": datasets}
        return upload(
            self, repo, private=private, token=token, commit_message=commit_message, quantize=quantize, **about
        )

    def save(self, directory: str | Path, *, quantize: bool = False) -> None:
        """Write the tagger into a directory, JSON and safetensors, in place of the one that may be there.

        Args:
            directory: The directory.
            quantize: True to round word vectors to 8 bits and other weights to 16: a quarter of the space. A
                transformer is written as it is.

        Raises:
            InputError: If it cannot be written, or a weight is too large for 16 bits.
        """
        self.model.save(directory, quantize=quantize)

    def export(self, path: str | Path, *, precision: WeightPrecision = "float32") -> Path:
        """Write the networks as an ONNX graph, and all else that tagging needs as JSON beside it; see docs/onnx.md.

        Args:
            path: The path of the graph, which ends with .onnx.
            precision: Number type of the weights in the file: "float32", "float16" or "int8". It is computed in float32
                anyway; smaller files have scores that are a little off.

        Returns:
            The path of the JSON file.

        Raises:
            InputError: If the package onnx is not installed, the path has another ending or cannot be written, the
                model has a transformer, or its scores in that precision are too far off.
        """
        predictor = self._predictor if self._precision == "float32" else Predictor(self.model)

        return export_model(
            self.model, path, lambda words, lengths: predictor.scores(Chunk([], [*words], [*lengths])), precision
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels that it can give."""
        return self.model.tags.labels

    def split(self, text: str) -> list[Sentence]:
        """Sentences of a text as the model reads them, without spans; their tokens keep their offsets in the text.

        `tag_sentences` may find more in them than `tag` in the text: sentences do not hold what lies between their
        tokens, so entities may go over markup, emoji or the bars of a table. `tag_portions` gives sentences with the
        entities that `tag` finds.
        """
        token_unit, hyphens = self._units
        return sentences(text, token_unit=token_unit, hyphens=hyphens)

    def tag(self, text: str, *, min_score: float | None = None, constraints: Constraints | None = None) -> list[Entity]:
        """Entities of a text, in order, with their scores; `text[e.start:e.end] == e.text`.

        Args:
            text: The text.
            min_score: The least score of an entity, from 0 to 1; None for all that the tagger's decoding finds.
            constraints: What is known of the entities; starts and ends count characters of the text. The others are
                those of the most probable sequence of tags that agrees, whatever the tagger's decoding.

        Raises:
            TypeError: If `text` is no string.
            ValueError: If `min_score` is no probability.
            InputError: If no sequence of tags agrees with the constraints, or one names an unknown label, or a place
                that is no token's.
        """
        if not isinstance(text, str):
            raise TypeError(f"expected a text, got {type(text).__name__}{_OTHER_METHODS.get(type(text), '')}")
        decoding, least = self._decoding(min_score)
        if constraints is not None:
            analyses = self.analyze(text)
            parts = constraints_of_sentences(constraints, [analysis.tokens for analysis in analyses])
            given = (analysis.given(part) for analysis, part in zip(analyses, parts, strict=True))
            return [entity for one in given for entity in one.entities if (entity.score or 0.0) >= least]
        if len(text) > SHORT_TEXT:
            return next(self.tag_many([text], min_score=min_score))
        decoded = (
            (chunk, self._predictor.decode(chunk, decoding)) for chunk in self._predictor.chunks(self._portions([text]))
        )
        return next(_entities(tagged_portions(decoded, least)))

    def tag_many(self, texts: Iterable[str], *, min_score: float | None = None) -> Iterator[list[Entity]]:
        """Entities of each text, in the order given; reads ahead a bounded number of tokens, never all.

        Args:
            texts: The texts.
            min_score: As in `tag`.

        Raises:
            TypeError: If `texts` is a string: that is `tag`; or if one of them is no string, with its number.
            ValueError: If `min_score` is no probability.
        """
        if isinstance(texts, str):
            raise TypeError("expected texts, got a string: use tag(text)")
        if isinstance(texts, bytes | Mapping) or hasattr(texts, "columns") or not isinstance(texts, Iterable):
            raise TypeError(f"expected texts, got {type(texts).__name__}")  # a table gives the names of its columns
        return _entities(self.tag_portions(each(str, texts), min_score=min_score))

    def tag_portions(
        self, texts: Iterable[str | Iterable[str]], *, min_score: float | None = None
    ) -> Iterator[TaggedPortion]:
        """The texts in portions of some thousand tokens with their entities: memory stays flat, however long a text is.

        Args:
            texts: Each text as a string, or as the parts of one, which are read when they are needed.
            min_score: As in `tag`.

        Raises:
            TypeError: If `texts` is a string: that is `tag`.
            ValueError: If `min_score` is no probability.
        """
        if isinstance(texts, str):
            raise TypeError("expected texts, got a string: use tag(text)")
        decoding, least = self._decoding(min_score)
        return tagged_portions(self._predictor.stream(self._predictor.chunks(self._portions(texts)), decoding), least)

    def tag_tokens(self, tokens: Sequence[str], *, min_score: float | None = None) -> list[Span]:
        """Spans of one sentence that is already cut into tokens; `tag_sentences` gives their scores, too.

        Args:
            tokens: The tokens.
            min_score: As in `tag`.

        Raises:
            TypeError: If `tokens` is a string: that is `tag`; or if one of them is no string, with its number.
            ValueError: If `min_score` is no probability.
            InputError: If the model's tokens are characters, and one of these has several.
        """
        tokens = self._checked(tokens)
        decoding, least = self._decoding(min_score)
        (decoded,) = self._predictor.decode(Chunk([], tokens, [len(tokens)]), decoding)
        return at_least(least, decoded.spans, decoded.scores)[0]

    def tag_sentences(self, items: Iterable[Sentence], *, min_score: float | None = None) -> Iterator[Sentence]:
        """Sentences with the spans found and their scores in place of theirs, in the order given; memory stays flat.

        Args:
            items: The sentences.
            min_score: As in `tag`.

        Raises:
            TypeError: If one of them is no `Sentence`, with its number.
            ValueError: If `min_score` is no probability.
            InputError: If the model's tokens are characters, and one of these has several.
        """

        def with_words() -> Iterator[tuple[Sentence, list[str], tuple[int], tuple[()]]]:
            """Sentences with their words and their length; no barriers."""
            for sentence in each(Sentence, items):
                words = sentence.words
                if self._units[0] == "character":
                    check_characters(words)
                yield sentence, words, (len(words),), ()

        decoding, least = self._decoding(min_score)
        for chunk, decoded in self._predictor.stream(self._predictor.chunks(with_words()), decoding):
            for sentence, found in zip(chunk.items, decoded, strict=True):
                spans, scores = at_least(least, found.spans, found.scores)
                changes = spans or sentence.spans or sentence.unknown
                yield sentence.with_spans(spans, scores) if changes else sentence

    def analyze(self, given: str | Sentence | Sequence[str]) -> list[Analysis]:
        """What the model knows of each sentence: scores, probabilities, other readings.

        Args:
            given: A text; or one sentence, or its tokens. A sentence of more characters than are read at once is cut,
                as in `tag_portions`, and its parts overlap.

        Raises:
            TypeError: If it is none of these.
            InputError: If the model's tokens are characters, and one of these has several.

        Example:
            >>> (analysis,) = Tagger.load("en").analyze("She lives in Rome.")
            >>> analysis.best
            ['O', 'O', 'O', 'B-LOC', 'O']
        """
        sentences, chunk = self._sentences(given)
        emissions, tables = self._predictor.scores(chunk)
        source, found, first = given if isinstance(given, str) else None, list[Analysis](), 0
        for tokens, barriers in sentences:
            own = emissions[first : first + len(tokens)]
            first += len(tokens)
            found.append(Analysis(tokens, self.model.tags, own, *tables, self.model.temperature, source, barriers))
        return found

    def emissions(self, given: str | Sentence | Sequence[str]) -> list[NDArray[np.float32]]:
        """The score of each tag (`model.tags.names`) for each token of each sentence, (T, K); see `analyze`."""
        return [analysis.emissions for analysis in self.analyze(given)]

    def marginals(self, given: str | Sentence | Sequence[str]) -> list[NDArray[np.float64]]:
        """The probability of each tag for each token of each sentence, (T, K); see `analyze`."""
        return [analysis.marginals for analysis in self.analyze(given)]

    def vectors(self, given: str | Sentence | Sequence[str]) -> list[NDArray[np.float32]]:
        """The vector of each token of each sentence, (T, D), in its context; see `analyze`.

        It is what the encoder gives: the output of the LSTM, forwards and backwards. Of a model of several networks
        those of each stand side by side.
        """
        sentences, chunk = self._sentences(given)
        vectors, lengths = self._predictor.vectors(chunk), [len(tokens) for tokens, _ in sentences]
        return np.split(vectors, np.cumsum(lengths)[:-1]) if lengths else []

    @property
    def transitions(self) -> TransitionTable:
        """The score of each tag after each other, as a table; of several networks the mean."""
        _, tables = self._predictor.scores(Chunk())
        return TransitionTable(self.model.tags.names, *tables)

    def explain(self, given: str | Sentence | Sequence[str]) -> Explanation:
        """Why the tagger finds what it finds: a page in a notebook or a browser, or text on a terminal.

        The arguments and errors are those of `analyze`.
        """
        from ner_lstm_crf.explanation.explanation import Explanation  # which needs what is here; see pyproject.toml

        return Explanation(self.analyze(given))

    def show(self, text: str) -> MarkedText:
        """A text with its entities in colours, in a notebook or a browser; its errors are those of `tag`."""
        from ner_lstm_crf.explanation.marked_text import MarkedText  # as in `explain`

        return MarkedText(text, self.tag(text), self.labels)

    def evaluate(self, sentences: Iterable[Sentence]) -> Evaluation:
        """Precision, recall and F1 on sentences with gold spans.

        Labels of theirs that the tagger does not know are logged: they count as missed.

        Raises:
            TypeError: If one of them is no `Sentence`, with its number.
            ValueError: If there are none.
            InputError: If the model's tokens are characters, and one of these has several.

        Example:
            >>> gold = Sentence.from_words(["Anna", "saw", "Rome", "."], [Span(0, 1, "PER"), Span(2, 3, "LOC")])
            >>> Tagger.load("en").evaluate([gold])
            <Evaluation: F1 1.0000, precision 1.0000, recall 1.0000; 2 entities in 1 sentence>
        """
        from ner_lstm_crf.evaluation.evaluate import evaluate_model  # which needs what is here; see pyproject.toml

        if isinstance(sentences, str | os.PathLike | Sentence) or not isinstance(sentences, Iterable):
            raise TypeError(f"expected sentences, got {type(sentences).__name__}: read_sentences reads a file")
        gold = list(each(Sentence, sentences))
        if not gold:
            raise ValueError("expected sentences, got none")
        if self._units[0] == "character":
            for sentence in gold:
                check_characters(sentence.words)
        counts = Counter(span.label for sentence in gold for span in sentence.spans)
        warn_of_unknown_labels("evaluate", counts, self.labels, "the model does not know")
        decoding = Decoding(self.decoding, scored=False)
        return evaluate_model(self.model, gold, precision=self._precision, decoding=decoding).evaluation

    def _checked(self, tokens: Sequence[str]) -> list[str]:
        """The tokens of one sentence.

        Raises:
            TypeError: If `tokens` is a string, or is no sequence, or one of them is no string, with its number.
            InputError: If the model's tokens are characters, and one of these has several.
        """
        if isinstance(tokens, str):
            raise TypeError("expected a sequence of tokens, got a string: use tag(text)")
        if isinstance(tokens, bytes | Set | Mapping | Sentence) or not isinstance(tokens, Iterable):
            raise TypeError(f"expected a sequence of tokens, got {type(tokens).__name__}")
        tokens = list(tokens)
        check_words(tokens, "token")
        if self._units[0] == "character":
            check_characters(tokens)
        return tokens

    def _sentences(self, given: str | Sentence | Sequence[str]) -> tuple[list[ReadSentence], Chunk[object]]:
        """The sentences of what `analyze` is given that have tokens, and what the network reads of them.

        Raises:
            TypeError: If it is neither a text nor a sentence nor tokens.
            InputError: If the model's tokens are characters, and one of these has several.
        """
        if not isinstance(given, str):
            words = self._checked(given.words if isinstance(given, Sentence) else given)
            joiner = " " if self._units[0] == "word" else ""
            tokens = given.tokens if isinstance(given, Sentence) else tokens_from_words(words, joiner)
            touching = given.touching if isinstance(given, Sentence) else []
            return [(tokens, ())] * bool(tokens), Chunk([], words, [len(words)], touching=touching)
        found, chunk = list[ReadSentence](), Chunk[object]()
        for portion, words, lengths, barriers in self._portions([given]):
            chunk.words += words
            chunk.lengths += lengths
            chunk.touching += portion.touching
            for start, end in pairwise(portion.edges):
                inside = [(first, final) for first, final in barriers if start < final and first < end]
                places = tuple((max(first, start) - start, min(final, end) - start) for first, final in inside)
                found.append((tuple(portion.tokens(start, end)), places))
        return found, chunk

    def _decoding(self, min_score: float | None) -> tuple[Decoding, float]:
        """How spans are found for this least score, and the least score.

        Raises:
            ValueError: If it is no probability.
        """
        if min_score is None:
            return Decoding(self.decoding), 0.0
        given: object = min_score
        if isinstance(given, bool) or not isinstance(given, SupportsFloat) or not 0 <= float(given) <= 1:
            raise ValueError(f"expected a probability from 0 to 1 as min_score, got {min_score!r:.40}")
        return Decoding(self.decoding, threshold=float(given)), float(given)

    def _portions(
        self, texts: Iterable[str | Iterable[str]]
    ) -> Iterator[tuple[Portion, list[str], list[int], list[tuple[int, int]]]]:
        """The items of `chunks`: each portion of each text, its words, the lengths of its sentences, its barriers."""
        token_unit, hyphens = self._units
        for text in texts:
            for portion in portions(text, token_unit=token_unit, hyphens=hyphens, html=True):
                lengths = [end - start for start, end in pairwise(portion.edges)]
                yield portion, portion.words, lengths, portion.barriers


ReadSentence: TypeAlias = tuple[tuple[Token, ...], tuple[tuple[int, int], ...]]
"""The tokens of a sentence, and its barriers."""

_OTHER_METHODS = {
    list: ": use tag_many(texts)",
    tuple: ": use tag_many(texts)",
    bytes: ": decode it first",
    Sentence: ": use tag_sentences(sentences)",
}


def _entities(portions: Iterable[TaggedPortion]) -> Iterator[list[Entity]]:
    """The entities of each text, whose portions may be several."""
    entities: list[Entity] = []
    for portion in portions:
        entities += portion.entities()
        if portion.last:
            yield entities
            entities = []
