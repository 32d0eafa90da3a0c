"""The network in evaluation mode, over vectors of forms that were computed before.

Letters: R forms, B sentences, T tokens of the longest, D vector size, H LSTM units per direction, K tags.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from typing import get_args

import torch
from torch import Tensor, nn

from ner_lstm_crf.config import Precision
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.ragged import InferenceBatch
from ner_lstm_crf.model.bilstm import reversal, run_lstm
from ner_lstm_crf.model.cpu import check_bfloat16
from ner_lstm_crf.model.ensemble import Ensemble
from ner_lstm_crf.model.network import Network
from ner_lstm_crf.model.weights_version import WeightsVersion

__all__ = ["InferenceNetwork"]


class InferenceNetwork:
    """Decodes as a network's `decode` does in evaluation mode, if it is given what the embedding says of each form.

    Args:
        network: The network, or several as one, in evaluation mode. It is shared, not copied, but for encoders of other
            precision.
        precision: What the encoder computes in: "float32", or "bfloat16" where the processor multiplies it natively.
            All else is float32.

    Attributes:
        dtype: What `emissions` expects the vectors of forms in.

    Raises:
        InputError: If the processor lacks the precision. In its place float32 would be as fast, and give what the
            model gives elsewhere; so which of the two it is has to be said.
    """

    def __init__(self, network: Network | Ensemble, precision: Precision = "float32") -> None:
        self.network, self.dtype = network, _dtype(precision)
        self._members = [_InferenceMember(member, self.dtype) for member in network.members]

    def refresh(self) -> None:
        """Follow the network: to be called where its weights may have changed."""
        for member in self._members:
            member.refresh()

    def emissions(self, vectors: Sequence[Tensor], batch: InferenceBatch) -> Tensor:
        """How well each tag suits each token by itself (B, T, K), float32.

        Args:
            vectors: What `TokenEmbedding.type_vectors` of each member says of each form, in the encoder's type (R, D).
            batch: The sentences; their rows are those of `vectors`.
        """
        if len(self._members) == 1:
            return self._members[0].emissions(vectors[0], batch)
        batch = self._read_once(batch)
        said = [member.emissions(own, batch) for member, own in zip(self._members, vectors, strict=True)]
        return torch.stack(said).mean(0)

    def decode(self, vectors: Sequence[Tensor], batch: InferenceBatch) -> Tensor:
        """The best tag of each token (B, T), zero beyond the lengths; arguments as those of `emissions`."""
        return self.network.head.decode(self.emissions(vectors, batch), batch.lengths)

    def _read_once(self, batch: InferenceBatch) -> InferenceBatch:
        """The batch with what the transformer that all members share makes of it, if there is one."""
        contextual = self.network.members[0].embedding.contextual
        if contextual is None or batch.contextual is not None or batch.subtokens is None:
            return batch
        return replace(batch, contextual=contextual.transformer(batch.subtokens))


class _InferenceMember:
    """One network of those that are averaged."""

    def __init__(self, network: Network, dtype: torch.dtype) -> None:
        self._network, self._dtype = network, dtype
        self._encoder, self._state = network.encoder, WeightsVersion()
        self.refresh()

    def refresh(self) -> None:
        """See `InferenceNetwork.refresh`."""
        if self._dtype == torch.float32:
            self._encoder = self._network.encoder
            return
        state = WeightsVersion(self._network.encoder)
        if state != self._state:
            self._encoder, self._state = deepcopy(self._network.encoder).to(self._dtype).eval(), state

    def emissions(self, vectors: Tensor, batch: InferenceBatch) -> Tensor:
        """What this network says (B, T, K), float32, of forms that have these vectors (R, D)."""
        embedding = self._network.embedding
        if embedding.contextual is None and len(self._encoder.forwards) == 1:
            return self._emissions_of_one_layer(vectors, batch)
        embedded = nn.functional.embedding(batch.rows, vectors)  # (B, T, D)
        longest = embedded.shape[1]
        context = [nn.functional.pad(part, (0, 0, 0, longest - part.shape[1])) for part in embedding.in_context(batch)]
        embedded = torch.cat([embedded, *(part.to(self._dtype) for part in context)], dim=-1)
        encoded = self._encoder(embedded, batch.lengths)  # (B, T, 2 H)
        projected: Tensor = self._network.projection(encoded.float())
        return projected

    def _emissions_of_one_layer(self, vectors: Tensor, batch: InferenceBatch) -> Tensor:
        """The same, for one layer: what the backward direction reads is reversed as rows, what it says as emissions.

        Both are far smaller than the vectors that `BiLstm` reverses. Time comes first, as `nn.LSTM` computes it.
        """
        order = reversal(batch.lengths, batch.rows.shape[1])  # (B, T)
        projection, size = self._network.projection, self._encoder.size // 2
        sides = zip(
            (self._encoder.forwards[0], self._encoder.backwards[0]),
            (self._time_first(batch, vectors), self._time_first(_reordered(batch, order), vectors)),
            (projection.weight[:, :size], projection.weight[:, size:]),
            strict=True,
        )
        ahead, back = (
            nn.functional.linear(run_lstm(values, *lstm.weights()).transpose(0, 1).float(), weight)  # type: ignore[operator]
            for lstm, values, weight in sides
        )
        back = back.gather(0, order.T.unsqueeze(-1).expand_as(back))
        return (ahead + back + projection.bias).transpose(0, 1).contiguous()

    def _time_first(self, batch: InferenceBatch, vectors: Tensor) -> Tensor:
        """What is known of each token without a transformer, (B, T, D), which lies in memory as (T, B, D)."""
        parts = [nn.functional.embedding(batch.rows.T, vectors)]
        ids = (None if ids is None else ids.transpose(0, 1) for ids in (batch.bigrams, batch.lexicon))
        parts += [part.to(self._dtype) for part in self._network.embedding.neighbours(*ids)]
        return (torch.cat(parts, dim=-1) if len(parts) > 1 else parts[0]).transpose(0, 1)


def _dtype(precision: str) -> torch.dtype:
    known = {name: getattr(torch, name) for name in get_args(Precision)}
    if precision not in known:
        raise InputError(f"expected a precision ({', '.join(known)}), got {precision!r}")
    if precision == "bfloat16":
        check_bfloat16("precision")
    dtype: torch.dtype = known[precision]
    return dtype


def _reordered(batch: InferenceBatch, order: Tensor) -> InferenceBatch:
    """The batch with its tokens in another order (B, T)."""
    bigrams, lexicon = (
        None if ids is None else ids.gather(1, order.unsqueeze(-1).expand_as(ids))
        for ids in (batch.bigrams, batch.lexicon)
    )
    return replace(batch, rows=batch.rows.gather(1, order), bigrams=bigrams, lexicon=lexicon)
