"""The corpus that is trained on and tagged: a real one if there is one, else text made to the same statistics.

The statistics are those of the English Web Treebank (uner-en_ewt): lengths of sentences are about log-normal, words
follow Zipf's law, 3.5% of the tokens begin an entity of 1.5 tokens on average. Every random number comes from a seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ner_lstm_crf.formats.options import ReadOptions
from ner_lstm_crf.tags.labels import LabelMap
from ner_lstm_crf.text.annotation import Sentence, Span
from treebanks import sentences_and_texts

__all__ = ["PARTS", "SENTENCE", "Corpus", "MadeText", "read_corpus"]

LABELS = "PER,LOC,ORG"
PARTS = ("train.iob2", "dev.iob2", "test.iob2")
"""The files of a corpus."""

SENTENCE = "Ada Lovelace met Charles Babbage in London ."
"""A sentence to tag."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """Sentences to train on, sentences to tag, and the running text of these.

    Attributes:
        name: The name of their source.
        train: Sentences to train on.
        test: Sentences to tag.
        texts: The text of each of `test`.
    """

    name: str
    train: Sequence[Sentence]
    test: Sequence[Sentence]
    texts: Sequence[str]


def read_corpus(folder: Path | None, *, train: int = 12_500, test: int = 4_000, seed: int = 1) -> Corpus:
    """The corpus in the folder, of which dev and test are what is tagged; without one a made one of the sizes given.

    Raises:
        InputError: If a file of the folder is missing or malformed.
    """
    if folder is None:
        made = MadeText(seed)
        trained, tagged = list(made.sentences(train)), list(made.sentences(test))
        return Corpus("made text", trained, tagged, [" ".join(sentence.words) for sentence in tagged])
    options = ReadOptions(labels=LabelMap.parse(LABELS))
    train_part, dev_part, test_part = (list(sentences_and_texts(folder / part, options)) for part in PARTS)
    pairs = [*test_part, *dev_part]
    texts = [" ".join(sentence.words) if text is None else text for sentence, text in pairs]
    return Corpus(folder.name, [sentence for sentence, _ in train_part], [sentence for sentence, _ in pairs], texts)


class MadeText:
    """An endless text of made words.

    Args:
        seed: Of all random numbers; the same seed gives the same text.
        types: Distinct words.
    """

    def __init__(self, seed: int = 1, *, types: int = 30_000) -> None:
        self._random = np.random.default_rng(seed)
        self.words = _spell(types, self._random)
        rank = np.arange(types)
        weights = (rank + 2.0) ** -1.08
        self._below = np.cumsum(weights) / weights.sum()

    def sentences(self, count: int) -> Iterator[Sentence]:
        """So many sentences, with entities."""
        for length in self._lengths(count):
            words, spans = self._drawn(length), []
            at = 0
            while at < length:
                if self._random.random() < 0.036:
                    size = min(int(self._random.geometric(0.67)), length - at)
                    label = ("PER", "LOC", "ORG")[self._random.choice(3, p=(0.41, 0.38, 0.21))]
                    spans.append(Span(at, at + size, label))
                    words[at : at + size] = [word.title() for word in words[at : at + size]]
                    at += size
                at += 1
            yield Sentence.from_words(words, spans)

    def lines(self, size: int) -> Iterator[str]:
        """Lines of one to five sentences, `size` bytes in all (line ends counted), the last line cut short."""
        left = size
        while left > 0:
            parts = [" ".join(self._drawn(length)).capitalize() + "." for length in self._lengths(1000)]
            at = 0
            while left > 0 and at < len(parts):
                some = int(self._random.integers(1, 6))
                line = " ".join(parts[at : at + some])[: max(left - 1, 1)]
                at += some
                left -= len(line) + 1
                yield line

    def _lengths(self, count: int) -> list[int]:
        drawn = np.ceil(self._random.lognormal(2.35, 0.9, count))
        return [int(length) for length in np.clip(drawn, 1, 160)]

    def _drawn(self, count: int) -> list[str]:
        """Words by their frequency, and now and then a number that may never come again."""
        ranks = np.searchsorted(self._below, self._random.random(count))
        words = [self.words[at] for at in ranks.tolist()]
        for at in np.flatnonzero(self._random.random(count) < 0.01).tolist():
            words[at] = str(self._random.integers(1, 10**6))
        return words


def _spell(types: int, random: np.random.Generator) -> list[str]:
    """Distinct words of letters a to z, the frequent ones short."""
    letters = np.array(list("etaoinshrdlucmfwypvbgkjqxz"))
    words: dict[str, None] = {}
    while len(words) < types:
        length = 1 + int(1.3 * np.log10(len(words) + 2)) + int(random.integers(0, 3))
        words["".join(letters[np.minimum(random.geometric(0.13, length) - 1, 25)])] = None
    return list(words)
