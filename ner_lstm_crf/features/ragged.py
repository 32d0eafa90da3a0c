"""Many sentences end to end, and the batches of like length that are cut from them without an object per sentence.

Letters: S sentences, N tokens of all of them; B sentences of a batch, T tokens of its longest, rounded up.

The shape of a batch is one of a few dozen. For every shape that `nn.LSTM` meets on a CPU, oneDNN compiles code in some
milliseconds and keeps it, 0.3 MB for each of the last 1,024 shapes: with shapes as they come, tagging would be slow at
first and come to hold 300 MB more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ner_lstm_crf.features.batch import EncodedSentence, of_all
from ner_lstm_crf.features.transformer.windows import SubTokenBatch, SubTokens, collate_subtokens
from ner_lstm_crf.features.word_types import Ids

__all__ = ["RaggedSentences", "InferenceBatch", "rounded_up"]


@dataclass(frozen=True, slots=True, eq=False)
class InferenceBatch:
    """Sentences of like length, for a network that has the vector of each form already.

    Attributes:
        rows: The row of each token's form in the table (B, T); that of some form beyond the lengths, none of
            which need be T.
        lengths: Tokens of each sentence (B,), at least 1.
        subtokens: What a transformer reads; None without one, or where `contextual` is given.
        contextual: What a frozen transformer made of it (B, T, D).
        bigrams: The pairs of each token with its neighbours (B, T, 2); None where pairs are not looked at.
        lexicon: The words of a lexicon around each token (B, T, 3); None without one.
    """

    rows: Tensor
    lengths: Tensor
    subtokens: SubTokenBatch | None = None
    contextual: Tensor | None = None
    bigrams: Tensor | None = None
    lexicon: Tensor | None = None


@dataclass(frozen=True, slots=True, eq=False)
class RaggedSentences:
    """Sentences as one array of forms; some may have no token.

    Attributes:
        forms: The row of each token's form in the featurizer's table (N,).
        lengths: Tokens of each sentence (S,).
        subtokens: What a transformer reads of each sentence; None without one.
        contextual: What a frozen transformer made of each sentence (T, D); None where it is still to run.
        bigrams: The pairs of each token with its neighbours (N, 2); None where pairs are not looked at.
        lexicon: The words of a lexicon around each token (N, 3); None without one.
        starts: Where each sentence begins (S,).
    """

    forms: Ids
    lengths: Ids
    subtokens: Sequence[SubTokens] | None = None
    contextual: Sequence[Tensor] | None = None
    bigrams: Ids | None = None
    lexicon: Ids | None = None
    starts: Ids = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "starts", self.lengths.cumsum() - self.lengths)

    @classmethod
    def of_encoded(cls, sentences: Sequence[EncodedSentence]) -> RaggedSentences:
        """EncodedSentence sentences end to end; their tags are left behind."""
        return cls(
            np.concatenate([np.zeros(0, np.int64), *(sentence.forms for sentence in sentences)]),
            np.array([len(sentence) for sentence in sentences], np.int64),
            of_all(sentence.subtokens for sentence in sentences),
            of_all(sentence.contextual for sentence in sentences),
            _joined(sentence.bigrams for sentence in sentences),
            _joined(sentence.lexicon for sentence in sentences),
        )

    def batches(self, *, sentences: int, tokens: int) -> list[Ids]:
        """The numbers of the sentences that go together, longest first; those without tokens are in none.

        Args:
            sentences: Most sentences in a batch.
            tokens: Most tokens in a batch, padding included; a longer sentence is a batch of its own.
        """
        order = np.argsort(-self.lengths, kind="stable")
        order = order[: np.count_nonzero(self.lengths)]
        batches, start = list[Ids](), 0
        while start < len(order):
            most = tokens // rounded_up(int(self.lengths[order[start]]))
            stop = start + _rounded_down(min(max(most, 1), sentences, len(order) - start))
            batches.append(order[start:stop])
            start = stop
        return batches

    def places(self, numbers: Ids) -> tuple[Ids, NDArray[np.bool_]]:
        """Where in the flat arrays the tokens of these sentences stand (B, T), and which of the places hold one."""
        lengths = self.lengths[numbers]
        steps = np.arange(rounded_up(int(lengths.max())))
        places = np.minimum(self.starts[numbers, None] + steps, len(self.forms) - 1)
        return places, steps < lengths[:, None]

    def batch(self, numbers: Ids, places: Ids) -> InferenceBatch:
        """These sentences as a batch.

        Args:
            numbers: Which sentences (B,).
            places: Where their tokens stand (B, T); see `places`.
        """
        contextual = self._contextual(numbers, places.shape[1])
        subtokens = None
        if contextual is None and self.subtokens is not None:
            subtokens = collate_subtokens([self.subtokens[number] for number in numbers])
        rows, lengths = torch.from_numpy(self.forms[places]), torch.from_numpy(self.lengths[numbers])
        bigrams = None if self.bigrams is None else torch.from_numpy(self.bigrams[places])
        lexicon = None if self.lexicon is None else torch.from_numpy(self.lexicon[places])
        return InferenceBatch(rows, lengths, subtokens, contextual, bigrams, lexicon)

    def _contextual(self, numbers: Ids, longest: int) -> Tensor | None:
        if self.contextual is None:
            return None
        first = self.contextual[int(numbers[0])]
        vectors = first.new_zeros(len(numbers), longest, first.shape[1])
        for row, number in enumerate(numbers.tolist()):
            vectors[row, : self.lengths[number]] = self.contextual[number]
        return vectors


def _joined(sentences: Iterable[Ids | None]) -> Ids | None:
    ids = of_all(sentences)
    return np.concatenate(ids) if ids else None


def rounded_up(tokens: int) -> int:
    """The tokens of a batch: eight sizes between a power of two and the next.

    Example:
        >>> [rounded_up(tokens) for tokens in (5, 16, 17, 33, 1000)]
        [5, 16, 18, 36, 1024]
    """
    step = 1 << max((tokens - 1).bit_length() - 4, 0)
    return -(-tokens // step) * step


def _rounded_down(sentences: int) -> int:
    """The sentences of a batch: a power of two, or half as many again.

    Example:
        >>> [_rounded_down(sentences) for sentences in (1, 3, 5, 7, 100)]
        [1, 3, 4, 6, 96]
    """
    power = 1 << (sentences.bit_length() - 1)
    return power + power // 2 if sentences >= power + power // 2 else power
