"""Text in, entities out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from ner_lstm_crf.data.annotation import Entity, Sentence, Span, Token, entity_of
from ner_lstm_crf.data.schemes import Decoded
from ner_lstm_crf.data.splitter import sentence_edges, sentences, tokens_of
from ner_lstm_crf.tasks.assembly import Assembly
from ner_lstm_crf.tasks.checkpoint import load_assembly, save_assembly
from ner_lstm_crf.tasks.prediction import Predictor, Window, windows

__all__ = ["Tagger"]


class Tagger:
    """Finds entities with a trained model.

    Results do not depend on what else is tagged at the same time.

    Args:
        assembly: The model; `Tagger.load` reads one from a directory.

    Example:
        >>> tagger = Tagger.load("runs/news")  # doctest: +SKIP
        >>> tagger.tag("Angela Merkel visited Rome.")  # doctest: +SKIP
        [Entity(start=0, end=13, label='PER', text='Angela Merkel'), Entity(start=22, end=26, label='LOC', text='Rome')]
    """

    def __init__(self, assembly: Assembly) -> None:
        self.assembly = assembly
        assembly.network.eval()
        self._predictor = Predictor(assembly)

    @classmethod
    def load(cls, directory: str | Path) -> Tagger:
        """The tagger that `save` or training wrote.

        Raises:
            InputError: If there is none in the directory, or it is damaged, or was written by a newer version.
        """
        return cls(load_assembly(directory))

    def save(self, directory: str | Path) -> None:
        """Write the tagger into a directory, JSON and safetensors, in place of the one that may be there.

        Raises:
            InputError: If it cannot be written.
        """
        save_assembly(self.assembly, Path(directory))

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels it can give."""
        return self.assembly.featurizer.labels

    def split(self, text: str) -> list[Sentence]:
        """A text as the sentences that the model tags, without spans; their tokens keep their places in the text."""
        config = self.assembly.config
        return sentences(text, unit=config.unit, compounds="keep" if config.compounds == "keep" else "split")

    def tag(self, text: str) -> list[Entity]:
        """The entities of a text, in order; `text[e.start:e.end] == e.text`."""
        window, cut = Window[_Text](), self._cut(text)
        _add_text(window, cut)
        return _entities(cut, iter(self._predictor.decode(window)))

    def tag_many(self, texts: Iterable[str]) -> Iterator[list[Entity]]:
        """The entities of each text, in the order given; reads ahead a bounded number of tokens, never all."""
        for window, decoded in self._predictor.stream(windows(map(self._cut, texts), _add_text)):
            found = iter(decoded)
            for text in window.items:
                yield _entities(text, found)

    def tag_tokens(self, tokens: Sequence[str]) -> list[Span]:
        """The entities of one sentence that is already cut into tokens.

        Raises:
            TypeError: If `tokens` is a string: that is `tag`.
        """
        if isinstance(tokens, str):
            raise TypeError("expected a sequence of tokens, got a string: use tag(text)")
        return list(self._predictor.decode(Window([], list(tokens), [len(tokens)]))[0].spans)

    def tag_sentences(self, items: Iterable[Sentence]) -> Iterator[Sentence]:
        """The same sentences with the spans found in place of theirs; memory stays flat."""
        for window, decoded in self._predictor.stream(windows(items, _add_sentence)):
            for sentence, found in zip(window.items, decoded, strict=True):
                yield sentence if found.spans == sentence.spans else sentence.with_spans(found.spans)

    def _cut(self, text: str) -> _Text:
        config = self.assembly.config
        tokens = tokens_of(text, unit=config.unit, compounds="keep" if config.compounds == "keep" else "split")
        return _Text(text, tokens, sentence_edges(text, tokens))


class _Text(NamedTuple):
    """A text, its tokens, and the edges of its sentences among them."""

    text: str
    tokens: list[Token]
    edges: list[int]


def _add_text(window: Window[_Text], item: _Text) -> None:
    window.words.extend([token[0] for token in item.tokens])
    window.lengths.extend([end - start for start, end in pairwise(item.edges)])


def _add_sentence(window: Window[Sentence], item: Sentence) -> None:
    window.words.extend([token[0] for token in item.tokens])
    window.lengths.append(len(item.tokens))


def _entities(text: _Text, found: Iterator[Decoded]) -> list[Entity]:
    """The entities of a text, whose sentences are the next of those found."""
    entities: list[Entity] = []
    for start, decoded in zip(text.edges[:-1], found, strict=False):
        entities += [
            entity_of(Span(start + span[0], start + span[1], span[2]), text.tokens, text.text) for span in decoded.spans
        ]
    return entities
