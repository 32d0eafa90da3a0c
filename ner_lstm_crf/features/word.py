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
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.embedding import EmbeddingTable
from ner_lstm_crf.features.token_feature import (
    FeatureModule,
    Ids,
    Resources,
    SavedFeature,
    TypeFeature,
    TypeModule,
    drawn,
)
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
        frozen: The vectors of the others (R, D). They are kept in half precision unless that overflows.
        pretrained: Ids of trainable words (P,) and their pretrained vectors (P, D); None if the first values of a
            network are not needed any more.

    Attributes:
        first_frozen: The id of the first frozen word: the number of trainable rows.

    Raises:
        ValueError: If there are more counts than words.
    """

    name = "word"

    def __init__(
        self,
        vocabulary: Vocabulary,
        counts: Sequence[int],
        frozen: Tensor,
        pretrained: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        if len(counts) > len(vocabulary.symbols):
            raise ValueError(f"expected at most {len(vocabulary.symbols)} counts, got {len(counts)}")
        self.vocabulary, self.counts, self._pretrained = vocabulary, tuple(counts), pretrained
        self.first_frozen = FIRST + len(counts)
        half = frozen.half()
        self.frozen: Tensor = half if bool(half.isfinite().all()) else frozen

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
        rows = torch.zeros(len(vocabulary) - first_frozen, size, dtype=torch.float32)
        pretrained = None
        # 3. The vectors of both.
        if vectors is not None:
            ids, matrix = torch.from_numpy(vocabulary.ids(vectors.words)), torch.from_numpy(vectors.matrix)
            is_frozen = ids >= first_frozen
            rows[ids[is_frozen] - first_frozen] = matrix[is_frozen]
            pretrained = ids[~is_frozen], matrix[~is_frozen]
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
            >>> resources = Resources(ModelConfig(), [["Rome", "in", "1998", "Rome"]])
            >>> Words.build(resources).type_ids(["ROME", "in", "2024", "Oslo"]).tolist()
            [2, 4, 3, 1]
        """
        get = self.vocabulary.id_of.get
        ids = [get(word) or next(filter(None, map(get, spellings(word))), UNKNOWN) for word in words]  # no id is 0
        return np.array(ids, np.int64)

    def module(self, config: ModelConfig) -> WordVectors:
        """See `TokenFeature.module`."""
        return WordVectors(EmbeddingTable(self.first_frozen, config.word_size, self.frozen), config.word_dropout)

    def initialise(self, module: WordVectors) -> None:
        """Draw the vectors of the trainable words, but for those that are pretrained."""
        module.table.draw()
        if self._pretrained is not None:
            ids, vectors = self._pretrained
            module.table.trainable.data[ids] = vectors
            module.table.pretrained[ids] = True

    def extended(self, resources: Resources, module: WordVectors) -> Words:
        """The words of other training data, which begin with the vectors of `module`; those that they lack are frozen.

        Logs a warning if too few words of the training data are known.
        """
        found = coverage(frozenset(self.vocabulary.symbols), resources.counts)
        share = 1 - found.share("missing")
        if share < _LEAST_KNOWN:
            _log.warning(
                "the model to start from knows %.1f%% of the training tokens: it was made for other data, or another "
                "language",
                100 * share,
            )
        rows = torch.cat([module.table.trainable.detach()[FIRST:], self.frozen.float()])
        return Words.build(replace(resources, vectors=Vectors(self.vocabulary.symbols, rows.numpy())))


class WordVectors(TypeModule):
    """Word vectors, in training with word dropout.

    Args:
        table: The vectors.
        dropout: Share of tokens in training whose word is taken for the unknown one (Lample et al. 2016).
    """

    def __init__(self, table: EmbeddingTable, dropout: float) -> None:
        super().__init__()
        self.table, self.dropout, self.size = table, dropout, table.size

    def forward(self, words: Tensor) -> Tensor:
        """The vectors of word ids (W,): (W, D)."""
        vectors: Tensor = self.table(words)
        return vectors

    def at_tokens(self, words: Tensor, tokens: Tensor) -> Tensor:
        """The vectors of tokens (B, T, D), given the ids of words (W,) and the word of each token (B, T)."""
        if self.training and self.dropout:  # the unknown word is one more word of the batch
            dropped = drawn(tokens, self.dropout, self.generator)
            tokens = tokens.masked_fill(dropped, len(words))
            words = torch.cat([words, words.new_tensor([UNKNOWN])])
        return nn.functional.embedding(tokens, self.table(words))

    def start_from(self, other: FeatureModule) -> None:
        """Take over the vectors of padding and of the unknown word; `Words.extended` keeps those of all others."""
        with torch.no_grad():
            self.table.trainable[:FIRST] = other.get_parameter("table.trainable")[:FIRST]
