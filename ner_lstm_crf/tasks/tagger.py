"""Text in, entities out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TypeVar

from ner_lstm_crf.data.annotation import Entity, Sentence, Span
from ner_lstm_crf.data.splitter import sentences
from ner_lstm_crf.tasks.assembly import Assembly
from ner_lstm_crf.tasks.checkpoint import load_assembly, save_assembly
from ner_lstm_crf.tasks.prediction import predict_words

__all__ = ["Tagger"]

Item = TypeVar("Item")

# Enough tokens to fill batches of like length, few enough that memory stays flat and the first result comes soon.
WINDOW_TOKENS = 32_768
# Distinct words whose features are remembered between windows.
KNOWN_FORMS = 200_000


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
        return next(self.tag_many([text]))

    def tag_many(self, texts: Iterable[str]) -> Iterator[list[Entity]]:
        """The entities of each text, in the order given; reads ahead a bounded number of tokens, never all."""
        split = ((text, self.split(text)) for text in texts)
        for window in _windows(split, lambda item: sum(len(sentence.tokens) for sentence in item[1])):
            found = iter(self._spans([sentence.words for _, parts in window for sentence in parts]))
            for text, parts in window:
                tagged = (sentence.with_spans(next(found)) for sentence in parts)
                yield list(chain.from_iterable(sentence.entities(text) for sentence in tagged))

    def tag_tokens(self, tokens: Sequence[str]) -> list[Span]:
        """The entities of one sentence that is already cut into tokens.

        Raises:
            TypeError: If `tokens` is a string: that is `tag`.
        """
        if isinstance(tokens, str):
            raise TypeError("expected a sequence of tokens, got a string: use tag(text)")
        return list(self._spans([list(tokens)])[0])

    def tag_sentences(self, items: Iterable[Sentence]) -> Iterator[Sentence]:
        """The same sentences with the spans found in place of theirs; memory stays flat."""
        for window in _windows(items, lambda sentence: len(sentence.tokens)):
            spans = self._spans([sentence.words for sentence in window])
            yield from (sentence.with_spans(found) for sentence, found in zip(window, spans, strict=True))

    def _spans(self, words: Sequence[Sequence[str]]) -> list[tuple[Span, ...]]:
        """The spans of each sentence; none where there is no token."""
        table = self.assembly.featurizer.table
        if len(table) > KNOWN_FORMS:
            table.clear()
        return [decoded.spans for decoded in predict_words(self.assembly, words)]


def _windows(items: Iterable[Item], tokens: Callable[[Item], int]) -> Iterator[list[Item]]:
    """Cut a stream into runs of about `WINDOW_TOKENS` tokens, in order; a longer item is a run of its own."""
    window: list[Item] = []
    size = 0
    for item in items:
        window.append(item)
        size += tokens(item) + 1  # one for the item itself: a stream of empty texts must not pile up
        if size >= WINDOW_TOKENS:
            yield window
            window, size = [], 0
    if window:
        yield window
