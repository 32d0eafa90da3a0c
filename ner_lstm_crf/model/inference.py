"""The networks of a model in tagging: the mean of their emissions, over vectors that are computed once per word type.

    word types -> type_vectors (cached) -> emissions of each network -> their mean -> best path

Several networks that were trained apart make different mistakes. Their emissions are averaged, and so are their
transition scores. A path's score is a sum of these, so it becomes the mean of its scores in the networks, and the
distribution over paths the geometric mean of theirs, normalised: a logarithmic opinion pool (Smith, Cohn and Osborne
2005, Logarithmic opinion pools for conditional random fields). One network is its own mean.

Letters: R word types, B sentences, T tokens of the longest, D vector size, H LSTM units per direction, K tags.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ner_lstm_crf.config import Precision
from ner_lstm_crf.crf import ScoreTables
from ner_lstm_crf.features.batch import Batch, WordTypes
from ner_lstm_crf.features.token_feature import Ids
from ner_lstm_crf.model.bilstm import BiLstm, reversal, run_lstm
from ner_lstm_crf.model.cpu import check_bfloat16
from ner_lstm_crf.model.embedding.token_embedding import TensorBatch
from ner_lstm_crf.model.heads import Head
from ner_lstm_crf.model.network import Network

# Rows that a cache has at first. Address space, not memory: a page is taken when a vector is written to it.
_FIRST_ROWS = 98_304
# Word types whose vectors are computed at once.
_TYPES_AT_ONCE = 1024


class InferenceNetwork:
    """The networks of a model in evaluation mode.

    Whoever tags calls `type_vectors` for the words of some sentences, then `emissions` for each batch of them, which
    decoding reads with `tables`; the latter two may run on other threads.

    Args:
        networks: The networks, with heads of one kind. They are shared, not copied, but for encoders of another
            precision.
        word_types: The word types that batches refer to.
        precision: Number type of the encoder: "float32", or "bfloat16" where the processor multiplies it natively. All
            else is float32.

    Raises:
        InputError: If the processor lacks the precision. In its place float32 would be as fast, and give the tags that
            the model gives elsewhere; so it is the caller who has to decide.
    """

    batch_sentences, batch_tokens = 256, 4096

    def __init__(self, networks: Sequence[Network], word_types: WordTypes, precision: Precision = "float32") -> None:
        if precision == "bfloat16":
            check_bfloat16("precision")
        self.networks = tuple(networks)
        self._dtype: torch.dtype = getattr(torch, precision)
        self._caches = [TypeVectorCache(network, word_types, self._dtype) for network in networks]
        self._encoders = [network.encoder for network in networks]
        self._tables = networks[0].head.tables()
        self._version = weights_version()

    def type_vectors(self, rows: Ids) -> list[Tensor]:
        """For each network the vectors of word types (R, D), of which these rows are computed.

        What was returned stays as it is, for these rows, whatever is computed later. Networks may have changed since
        the last call.
        """
        # 1. Bring up to date what is derived from other weights than those of type features.
        copied = self._dtype != torch.float32
        heads = [network.head for network in self.networks]
        version = weights_version(*heads, *([network.encoder for network in self.networks] if copied else []))
        if version != self._version:
            self._tables = mean_head(heads).tables()
            if copied:
                self._encoders = [deepcopy(network.encoder).to(self._dtype) for network in self.networks]
            self._version = version  # last: Ctrl-C may come in between
        # 2. Evaluation mode, and the vectors.
        for module in (*self.networks, *self._encoders):
            if module.training:
                module.eval()
        return [cache.vectors(rows) for cache in self._caches]

    @property
    def tables(self) -> ScoreTables:
        """The mean of the score tables of the networks; of the weights that the last `type_vectors` met."""
        return self._tables

    @torch.inference_mode()
    def emissions(self, type_vectors: Sequence[Tensor], batch: Batch) -> NDArray[np.float32]:
        """Emission scores of each token, the mean over the networks (B, T, K), float32.

        Args:
            type_vectors: The result of `type_vectors`, of rows that the batch's are among.
            batch: Sentences whose tokens are rows of the word types.
        """
        tensors, each = self.networks[0].tensors(batch), []
        for network, encoder, vectors in zip(self.networks, self._encoders, type_vectors, strict=True):
            if len(encoder.forwards) == 1 and network.embedding.looks_up:
                each.append(self._one_layer(network, encoder, vectors, tensors))
            else:
                each.append(network.projection(self._encoded(network, encoder, vectors, tensors)))
        mean: NDArray[np.float32] = torch.stack(each).mean(0).cpu().numpy()
        return mean

    @torch.inference_mode()
    def encoded(self, type_vectors: Sequence[Tensor], batch: Batch) -> NDArray[np.float32]:
        """The encoder's output for each token, those of the networks side by side (B, T, 2 H each), float32.

        The arguments are those of `emissions`.
        """
        tensors = self.networks[0].tensors(batch)
        parts = zip(self.networks, self._encoders, type_vectors, strict=True)
        vectors: NDArray[np.float32] = (
            torch.cat([self._encoded(*part, tensors) for part in parts], dim=-1).cpu().numpy()
        )
        return vectors

    def _encoded(self, network: Network, encoder: BiLstm, vectors: Tensor, batch: TensorBatch) -> Tensor:
        """The output of one network's encoder (B, T, 2 H)."""
        context = [module(batch.inputs[name]) for name, module in network.embedding.context]
        parts = [nn.functional.embedding(batch.tokens, vectors), *(part.to(self._dtype) for part in context)]
        encoded: Tensor = encoder(torch.cat(parts, dim=-1), batch.lengths)
        return encoded.float()

    def _one_layer(self, network: Network, encoder: BiLstm, vectors: Tensor, batch: TensorBatch) -> Tensor:
        """Emission scores of one network (B, T, K) whose encoder has one layer and whose context features look up ids.

        What the backward direction reads is reversed as ids, and its output as emissions. Both are far smaller than the
        vectors that `BiLstm` reverses. Time comes first, as `nn.LSTM` computes it.
        """
        order = reversal(batch.lengths, batch.tokens.shape[1])  # (B, T)
        half = encoder.size // 2
        emissions = []
        for direction, lstm in enumerate((encoder.forwards[0], encoder.backwards[0])):
            # 1. The tokens and ids in the order of this direction, time first (T, B).
            tokens, inputs = batch.tokens, batch.inputs
            if direction:
                tokens = tokens.gather(1, order)
                inputs = {name: ids.gather(1, order.unsqueeze(-1).expand_as(ids)) for name, ids in inputs.items()}
            context = [module(inputs[name].transpose(0, 1)) for name, module in network.embedding.context]
            # 2. Their vectors, the output of the LSTM, and its share of the emissions (T, B, K).
            parts = [nn.functional.embedding(tokens.T, vectors), *(part.to(self._dtype) for part in context)]
            values = torch.cat(parts, dim=-1) if len(parts) > 1 else parts[0]
            encoded = run_lstm(values.transpose(0, 1), *lstm.weights()).transpose(0, 1).float()  # type: ignore[operator]
            weight = network.projection.weight[:, half * direction : half * (direction + 1)]
            emissions.append(nn.functional.linear(encoded, weight))
        # 3. The backward share back in the order of the sentence.
        forwards, backwards = emissions
        backwards = backwards.gather(0, order.T.unsqueeze(-1).expand_as(backwards))
        return (forwards + backwards + network.projection.bias).transpose(0, 1)


class TypeVectorCache:
    """The vectors that a network's type features give word types, computed when they are first needed.

    They are computed anew when a weight that they depend on has changed, or the word types were cleared.

    Args:
        network: The network, which has to be in evaluation mode when vectors are computed.
        word_types: The word types.
        dtype: Number type of the vectors.
    """

    def __init__(self, network: Network, word_types: WordTypes, dtype: torch.dtype = torch.float32) -> None:
        self._embedding, self._word_types, self._dtype = network.embedding, word_types, dtype
        self._weight = network.projection.weight
        self._state: tuple[int, dict[Tensor, tuple[int, int]]] | None = None
        self._vectors = torch.empty(0, dtype=dtype)
        self._is_known = np.zeros(0, np.bool_)

    def vectors(self, rows: Ids) -> Tensor:
        """Vectors (R, D) of which these rows are computed; see `InferenceNetwork.type_vectors`."""
        device = self._weight.device
        # 1. Drop vectors that are out of date. They are not overwritten: other threads may still read them.
        state = self._word_types.generation, weights_version(*(module for _, module in self._embedding.types))
        if state != self._state:
            self._is_known = np.zeros(0, np.bool_)
            self._vectors = torch.empty(0, self._embedding.type_size, dtype=self._dtype, device=device)
            self._state = state  # last: Ctrl-C may come in between
        # 2. Make room for new word types.
        used = len(self._is_known)
        if len(self._word_types) > used:
            size = max(len(self._word_types), _FIRST_ROWS, 2 * used)
            vectors, is_known = (
                torch.empty(size, self._embedding.type_size, dtype=self._dtype, device=device),
                np.zeros(size, np.bool_),
            )
            vectors[:used], is_known[:used] = self._vectors, self._is_known
            self._vectors, self._is_known = vectors, is_known
        # 3. Compute those that are missing.
        new = np.unique(rows[~self._is_known[rows]])
        with torch.inference_mode():
            for start in range(0, len(new), _TYPES_AT_ONCE):
                part = new[start : start + _TYPES_AT_ONCE]
                inputs = self._word_types.inputs(part)
                computed = torch.cat(
                    [module(module.tensors(inputs[name], device)) for name, module in self._embedding.types],
                    dim=1,
                )
                self._vectors[torch.from_numpy(part).to(device)] = computed.to(self._dtype)
        self._is_known[new] = True
        return self._vectors


def weights_version(*modules: nn.Module) -> dict[Tensor, tuple[int, int]]:
    """Differs from an earlier one if a weight was replaced or changed in place, by `Trainer` or `load_state_dict`.

    Changes that escape autograd escape it too: those through `weight.data`, and those of torch's fused optimizers,
    unless they call `torch.autograd.graph.increment_version`.
    """
    weights = chain.from_iterable(chain(module.parameters(), module.buffers()) for module in modules)
    return {weight: (weight.data_ptr(), 0 if weight.is_inference() else weight._version) for weight in weights}


def mean_head(heads: Sequence[Head]) -> Head:
    """A head whose weights are the mean of those of other heads."""
    head = deepcopy(heads[0]).requires_grad_(False).eval()
    with torch.no_grad():
        for name, weight in head.named_parameters():
            weight.copy_(torch.stack([other.get_parameter(name) for other in heads]).mean(0))
    return head
