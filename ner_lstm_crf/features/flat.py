"""Many sentences end to end, and the batches of like length that are cut from them without an object per sentence.

Letters: S sentences, N tokens of all of them; B sentences of a batch, T tokens of its longest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ner_lstm_crf.features.batch import Encoded
from ner_lstm_crf.features.forms import Ids
from ner_lstm_crf.features.windows import SubTokenBatch, SubTokens, collate_subtokens

__all__ = ["FlatSentences", "FormBatch"]


@dataclass(frozen=True, slots=True, eq=False)
class FormBatch:
    """Sentences of like length, for a network that has the vector of each form already.

    Attributes:
        rows: The row of each token's form in the table (B, T); that of some form beyond the lengths.
        lengths: Tokens of each sentence (B,), at least 1.
        subtokens: What a transformer reads; None without one, or where `contextual` is given.
        contextual: What a frozen transformer made of it (B, T, D).
    """

    rows: Tensor
    lengths: Tensor
    subtokens: SubTokenBatch | None = None
    contextual: Tensor | None = None


@dataclass(frozen=True, slots=True, eq=False)
class FlatSentences:
    """Sentences as one array of forms; some may have no token.

    Attributes:
        forms: The row of each token's form in the featurizer's table (N,).
        lengths: Tokens of each sentence (S,).
        subtokens: What a transformer reads of each sentence; None without one.
        contextual: What a frozen transformer made of each sentence (T, D); None where it is still to run.
        starts: Where each sentence begins (S,).
    """

    forms: Ids
    lengths: Ids
    subtokens: Sequence[SubTokens] | None = None
    contextual: Sequence[Tensor] | None = None
    starts: Ids = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "starts", self.lengths.cumsum() - self.lengths)

    @classmethod
    def of_encoded(cls, sentences: Sequence[Encoded]) -> FlatSentences:
        """Encoded sentences end to end; their tags are left behind."""
        subtokens = [sentence.subtokens for sentence in sentences if sentence.subtokens is not None]
        contextual = [sentence.contextual for sentence in sentences if sentence.contextual is not None]
        return cls(
            np.concatenate([np.zeros(0, np.int64), *(sentence.forms for sentence in sentences)]),
            np.array([len(sentence) for sentence in sentences], np.int64),
            subtokens if len(subtokens) == len(sentences) else None,
            contextual if len(contextual) == len(sentences) else None,
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
            longest = int(self.lengths[order[start]])
            stop = start + min(max(tokens // longest, 1), sentences)
            batches.append(order[start:stop])
            start = stop
        return batches

    def places(self, numbers: Ids) -> tuple[Ids, NDArray[np.bool_]]:
        """Where in the flat arrays the tokens of these sentences stand (B, T), and which of the places hold one."""
        lengths, steps = self.lengths[numbers], np.arange(self.lengths[numbers].max())
        places = np.minimum(self.starts[numbers, None] + steps, len(self.forms) - 1)
        return places, steps < lengths[:, None]

    def batch(self, numbers: Ids, places: Ids) -> FormBatch:
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
        return FormBatch(rows, lengths, subtokens, contextual)

    def _contextual(self, numbers: Ids, longest: int) -> Tensor | None:
        if self.contextual is None:
            return None
        first = self.contextual[int(numbers[0])]
        vectors = first.new_zeros(len(numbers), longest, first.shape[1])
        for row, number in enumerate(numbers.tolist()):
            vectors[row, : self.lengths[number]] = self.contextual[number]
        return vectors
