"""The word itself: a vector for each word of the training data and for each pretrained one.

How a word finds its vector. It is tried in four spellings, and the first that has a vector counts:

    as it is            Rome-1998
    lower case          rome-1998
    digits as 0         Rome-0000
    both                rome-0000

If none has one, it is the unknown word. Which spellings have vectors is decided when the vocabulary is built: a word of
the training data takes the first of the four that the pretrained vectors know, so cased vectors keep case apart and
lower-cased ones do not; what the vectors do not know is kept under the last, the lower-cased word with its digits as 0.
Case is not lost by that: the network sees it through the casing class and the char-CNN.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.token_feature import Ids, Resources, Rows, SavedFeature, TypeFeature, compact
from ner_lstm_crf.features.vectors import Vectors, coverage
from ner_lstm_crf.features.vocabulary import FIRST, UNKNOWN, Vocabulary, by_frequency, is_list_of, spellings

_log = logging.getLogger(__name__)

_LEAST_KNOWN = 0.5  # of the training tokens; a tagger of their language knows nine in ten


class Words(TypeFeature):
    """The vocabulary of words: the trainable ones, most frequent first, and behind them those with frozen vectors.

    The trainable words are those of the training data. The frozen ones are words that the pretrained vectors know and
    the training data lack, so that new text profits from them; with `Resources.freeze_vectors` all that they know.

    Args:
        vocabulary: The spelling of each word.
        counts: How often each trainable word occurred in the training data; these are the first of the vocabulary.
        frozen: The vectors of the others (R, D), kept as `compact` has them.
        pretrained: Ids of trainable words (P,) and their pretrained vectors (P, D); None if the first values of a
            network are not needed any more.

    Attributes:
        first_frozen: The id of the first frozen word: the number of trainable rows.
        pretrained: See above.

    Raises:
        ValueError: If there are more counts than words.
    """

    name = "word"

    def __init__(
        self,
        vocabulary: Vocabulary,
        counts: Sequence[int],
        frozen: Rows,
        pretrained: tuple[Ids, Rows] | None = None,
    ) -> None:
        if len(counts) > len(vocabulary.symbols):
            raise ValueError(f"expected at most {len(vocabulary.symbols)} counts, got {len(counts)}")
        self.vocabulary, self.counts, self.pretrained = vocabulary, tuple(counts), pretrained
        self.first_frozen = FIRST + len(counts)
        self.frozen: Rows = compact(frozen)

    @classmethod
    def build(cls, resources: Resources) -> Words:
        """The words of the training data, singletons too (only word dropout trains the unknown one), and of vectors."""
        vectors, size = resources.vectors, resources.config.word_size
        known = frozenset(vectors.words if vectors else ())
        # 1. The spelling of each training word, the first of four that the vectors know.
        counts = Counter[str]()
        for word, count in resources.counts.items():
            tried = spellings(word)
            counts[next((spelling for spelling in tried if spelling in known), tried[-1])] += count
        # 2. The trainable words, then those that the vectors know beside them.
        frozen = known if resources.freeze_vectors else frozenset()
        trainable = by_frequency({word: count for word, count in counts.items() if word not in frozen})
        vocabulary = Vocabulary(trainable).extended(vectors.words if vectors else ())
        first_frozen = FIRST + len(trainable)
        rows = np.zeros((len(vocabulary) - first_frozen, size), np.float32)
        pretrained = None
        # 3. The vectors of both.
        if vectors is not None:
            ids = vocabulary.ids(vectors.words)
            is_frozen = ids >= first_frozen
            rows[ids[is_frozen] - first_frozen] = vectors.matrix[is_frozen]
            pretrained = ids[~is_frozen], vectors.matrix[~is_frozen]
        return cls(vocabulary, [counts[word] for word in trainable], rows, pretrained)

    @classmethod
    def load(cls, saved: SavedFeature) -> Words:
        """See `TokenFeature.load`."""
        value = saved.value
        if not isinstance(value, dict) or set(value) != {"symbols", "counts"}:
            raise InputError("expected a word vocabulary with 'symbols' and 'counts'")
        vocabulary, counts = Vocabulary.from_json(value["symbols"]), value["counts"]
        if not is_list_of(int, counts) or min(counts, default=0) < 0:
            raise InputError("expected a word vocabulary whose counts are whole numbers")
        rows = len(vocabulary.symbols) - len(counts)
        if saved.frozen is None or saved.frozen.shape != (rows, saved.config.word_size):
            raise InputError(f"expected the frozen vectors of {rows} words")
        return cls(vocabulary, counts, saved.frozen)

    def to_json(self) -> Any:
        """The spellings, and the counts of the trainable words."""
        return {"symbols": list(self.vocabulary.symbols), "counts": list(self.counts)}

    def type_ids(self, words: Sequence[str]) -> Ids:
        """The id of each word (W,), that of its first spelling which has one, else 1.

        Example:
            >>> from ner_lstm_crf.config import ModelConfig
            >>> resources = Resources(ModelConfig(), [["Rome", "in", "1998", "Rome"]])
            >>> Words.build(resources).type_ids(["ROME", "in", "2024", "Oslo"]).tolist()
            [2, 4, 3, 1]
        """
        get = self.vocabulary.id_of.get
        ids = [get(word) or next(filter(None, map(get, spellings(word))), UNKNOWN) for word in words]  # no id is 0
        return np.array(ids, np.int64)

    def vector_size(self, config: ModelConfig) -> int:
        """See `TokenFeature.vector_size`."""
        return config.word_size

    def weight_shapes(self, config: ModelConfig) -> Mapping[str, tuple[int, ...]]:
        """See `TokenFeature.weight_shapes`."""
        return {"table.trainable": (self.first_frozen, config.word_size)}

    def extended(self, resources: Resources, vectors: Rows | None) -> Words:
        """The words of other training data, which begin with these vectors; those that they lack are frozen.

        Logs a warning if too few words of the training data are known.

        Raises:
            ValueError: If there are no vectors.
        """
        if vectors is None:
            raise ValueError("expected the trained vectors of words, got none")
        found = coverage(frozenset(self.vocabulary.symbols), resources.counts)
        share = 1 - found.share("missing")
        if share < _LEAST_KNOWN:
            _log.warning(
                "the model to start from knows %.1f%% of the training tokens: it was made for other data, or another "
                "language",
                100 * share,
            )
        rows = np.concatenate([vectors[FIRST:], self.frozen.astype(np.float32)])
        return Words.build(replace(resources, vectors=Vectors(self.vocabulary.symbols, rows)))
