"""Text in, entities out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise
from pathlib import Path
from typing import NamedTuple

from ner_lstm_crf.config import Precision
from ner_lstm_crf.saving.checkpoint import load_model, save_model
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.saving.shipped import model_directory
from ner_lstm_crf.tagging.predictor import Predictor, Window, windows
from ner_lstm_crf.tags.scheme import DecodedTags
from ner_lstm_crf.text.annotation import Entity, Sentence, Span
from ner_lstm_crf.text.sentences import Portion, portions, sentences
from ner_lstm_crf.text.tokenizer import check_characters, hyphen_rule

__all__ = ["Tagger"]

# Characters up to which a text is tagged where it is asked for: there is nothing to do side by side.
SHORT_TEXT = 4000


class Tagger:
    """Finds entities with a trained model.

    Results do not depend on what else is tagged at the same time.

    Args:
        model: The model; `Tagger.load` reads one from a directory.
        precision: What the LSTM computes in. With "bfloat16" a processor that has it is half as fast again, and a
            sentence in some thousands comes out otherwise; the model, and what `save` writes, stays as it is.

    Raises:
        InputError: If the processor lacks the precision.

    Example:
        >>> tagger = Tagger.load("en")
        >>> tagger.tag("Angela Merkel visited Rome.")
        [Entity(start=0, end=13, label='PER', text='Angela Merkel'), Entity(start=22, end=26, label='LOC', text='Rome')]
    """

    def __init__(self, model: Model, precision: Precision = "float32") -> None:
        self.model = model
        model.network.eval()
        self._predictor = Predictor(model, precision)
        self._units = model.config.token_unit, hyphen_rule(model.config.hyphens)

    @classmethod
    def load(cls, directory: str | Path, *, precision: Precision = "float32") -> Tagger:
        """The tagger that `save` or training wrote, or one that comes with the package.

        Args:
            directory: Where it was written; or "en" or "zh", the shipped tagger of the language.
            precision: What its LSTM computes in; see the class.

        Raises:
            InputError: If there is none in the directory, or it is damaged, or was written by a newer version, or the
                processor lacks the precision.
        """
        return cls(load_model(model_directory(directory)), precision)

    def save(self, directory: str | Path, *, compact: bool = False) -> None:
        """Write the tagger into a directory, JSON and safetensors, in place of the one that may be there.

        Args:
            directory: Where to.
            compact: Whether weights are rounded, word vectors to 8 bits and the others to 16: a quarter of the space,
                but for the words of a lexicon. A transformer is written as it is.

        Raises:
            InputError: If it cannot be written, or a weight is too large for 16 bits.
        """
        save_model(self.model, Path(directory), compact=compact)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels it can give."""
        return self.model.featurizer.labels

    def split(self, text: str) -> list[Sentence]:
        """A text as the sentences that the model tags, without spans; their tokens keep their places in the text."""
        token_unit, hyphens = self._units
        return sentences(text, token_unit=token_unit, hyphens=hyphens)

    def tag(self, text: str) -> list[Entity]:
        """The entities of a text, in order; `text[e.start:e.end] == e.text`."""
        if len(text) > SHORT_TEXT:
            return next(self.tag_many([text]))
        window = Window[_Part]()
        for part in self._parts(text):
            _add_part(window, part)
        found = iter(self._predictor.decode(window))
        return [entity for part in window.items for entity in _entities(part, found)]

    def tag_many(self, texts: Iterable[str]) -> Iterator[list[Entity]]:
        """The entities of each text, in the order given; reads ahead a bounded number of tokens, never all.

        Raises:
            TypeError: If `texts` is a string: that is `tag`.
        """
        if isinstance(texts, str):
            raise TypeError("expected texts, got a string: use tag(text)")
        return self._tag_many(texts)

    def _tag_many(self, texts: Iterable[str]) -> Iterator[list[Entity]]:
        entities: list[Entity] = []
        parts = chain.from_iterable(map(self._parts, texts))
        for window, decoded in self._predictor.stream(windows(parts, _add_part)):
            found = iter(decoded)
            for part in window.items:
                entities += _entities(part, found)
                if part.portion.last:
                    yield entities
                    entities = []

    def tag_tokens(self, tokens: Sequence[str]) -> list[Span]:
        """The entities of one sentence that is already cut into tokens.

        Raises:
            TypeError: If `tokens` is a string: that is `tag`.
            InputError: If the model's tokens are characters, and one of these has several.
        """
        if isinstance(tokens, str):
            raise TypeError("expected a sequence of tokens, got a string: use tag(text)")
        if self._units[0] == "character":
            check_characters(tokens)
        return list(self._predictor.decode(Window([], list(tokens), [len(tokens)]))[0].spans)

    def tag_sentences(self, items: Iterable[Sentence]) -> Iterator[Sentence]:
        """The same sentences with the spans found in place of theirs; memory stays flat.

        Raises:
            InputError: If the model's tokens are characters, and one of these has several.
        """
        add = _add_characters if self._units[0] == "character" else _add_sentence
        for window, decoded in self._predictor.stream(windows(items, add)):
            for sentence, found in zip(window.items, decoded, strict=True):
                yield sentence if found.spans == sentence.spans else sentence.with_spans(found.spans)

    def _parts(self, text: str) -> Iterator[_Part]:
        token_unit, hyphens = self._units
        return (_Part(text, portion) for portion in portions(text, token_unit=token_unit, hyphens=hyphens))


class _Part(NamedTuple):
    """A text, or what comes next of a long one."""

    text: str
    portion: Portion


def _add_part(window: Window[_Part], part: _Part) -> None:
    window.items.append(part)
    window.words.extend(part.portion.words)
    window.lengths.extend([end - start for start, end in pairwise(part.portion.edges)])


def _add_sentence(window: Window[Sentence], item: Sentence) -> None:
    window.items.append(item)
    window.words.extend([token[0] for token in item.tokens])
    window.lengths.append(len(item.tokens))


def _add_characters(window: Window[Sentence], item: Sentence) -> None:
    check_characters(item.words)
    _add_sentence(window, item)


def _entities(part: _Part, found: Iterator[DecodedTags]) -> Iterator[Entity]:
    """The entities of a part, whose sentences are the next of those found."""
    text, (words, starts, edges, _) = part
    for first, decoded in zip(edges[:-1], found, strict=False):
        for begin, end, label in decoded.spans:
            last = first + end - 1
            start, stop = starts[first + begin], starts[last] + len(words[last])
            yield Entity(start, stop, label, text[start:stop])
