"""Vectors of tokens from a pretrained `transformers` encoder, frozen or fine-tuned.

Letters: B sentences, T tokens, W windows, S sub-tokens, P pooled sub-tokens, Q additions of one to a token, D vector
size.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from math import prod
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import torch
from torch import Tensor, nn

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.token_feature import Rows, TokenFeature
from ner_lstm_crf.features.transformer.feature import Transformer
from ner_lstm_crf.features.transformer.subtokens import (
    SubTokenBatch,
    SubTokens,
    collate_subtokens,
    pretrained_folder,
    quiet_transformers,
    unreadable,
)
from ner_lstm_crf.isolation import computing
from ner_lstm_crf.model.embedding.feature_module import ContextModule, FeatureModule
from ner_lstm_crf.model.generators import explicit
from ner_lstm_crf.progress import Progress, silent

# Sub-tokens, padding included, that go through the encoder at once: on two cores the quickest of 512 to 8192, and a
# bound on memory however long a text is.
_AT_ONCE = 2048

_HARMLESS = 50_000_000  # weights that a file lacks; another architecture is told by the names of its tensors


class PretrainedEncoder(nn.Module):
    """The mean of a token's sub-token vectors, each the mean over the encoder's last layers.

    Several layers are better than the last one, which is specialised on the pre-training task: on CoNLL-2003 (Devlin
    et al. 2019, table 7) a frozen BERT's last layer gives a dev F1 of 94.9, the weighted sum of its last four 95.9, and
    fine-tuning 96.4.

    Args:
        encoder: A model of `transformers.AutoModel`: takes ids and a mask, returns hidden states.
        layers: How many of its last layers are averaged, the embedding layer counted as one.
        mix: True to keep these layers apart, side by side, for a mix that is learnt (see `TransformerVectors`).
        fine_tune: True if its weights are trained. If not it stays in evaluation mode, and gradients end at its output.

    Attributes:
        in_bfloat16: True if it multiplies in bfloat16 in training. Its weights, their gradients and its output stay
            float32: a step of the optimizer is too small for the 8 bits of bfloat16.
        generator: The source of dropout; None for torch's own.

    Raises:
        InputError: If the encoder has fewer layers, or is to be fine-tuned in less than float32.
    """

    generator: torch.Generator | None = None

    def __init__(self, encoder: nn.Module, *, layers: int = 4, mix: bool = False, fine_tune: bool = False) -> None:
        super().__init__()
        depth = int(_config(encoder).num_hidden_layers) + 1
        if not 1 <= layers <= depth:
            raise InputError(f"expected between 1 and {depth} layers of the transformer, got {layers}")
        if fine_tune and any(weight.dtype != torch.float32 for weight in encoder.parameters()):
            raise InputError("expected float32 weights to fine-tune, got a transformer in lower precision")
        self.encoder = encoder.requires_grad_(fine_tune)
        self.layers, self.mix, self.fine_tune, self.in_bfloat16 = layers, mix, fine_tune, False
        self.train(self.training)

    @classmethod
    def from_pretrained(
        cls,
        name: str | os.PathLike[str],
        *,
        depth: int = 0,
        layers: int = 4,
        mix: bool = False,
        fine_tune: bool = False,
    ) -> Self:
        """The encoder `name`, a folder or a name on the Hugging Face hub.

        Args:
            name: See `pretrained_folder`.
            depth: How many of its layers are read, from the first one on; 0 for all. The others are left out.
            layers: How many of the last layers of these are averaged.
            mix: True to keep them apart instead.
            fine_tune: True if its weights are trained.

        Raises:
            InputError: If there is no such encoder, its weights are missing, damaged or another architecture's, or it
                has fewer layers.
        """
        folder = pretrained_folder(name)
        return cls(_read_encoder(folder, depth), layers=layers, mix=mix, fine_tune=fine_tune)

    @property
    def size(self) -> int:
        """D, the values per token."""
        return int(_config(self.encoder).hidden_size) * (self.layers if self.mix else 1)

    def train(self, mode: bool = True) -> Self:
        """Set training mode; a frozen encoder stays in evaluation mode, so that its dropout does nothing."""
        super().train(mode)
        if not self.fine_tune:
            self.encoder.eval()
        return self

    def forward(self, batch: SubTokenBatch) -> Tensor:
        """Vectors of the tokens (B, T, D), float32, on its device; zero where a sentence is padded."""
        device = next(self.encoder.parameters()).device
        arrays = (batch.ids, batch.mask, batch.pooled, batch.sources, batch.targets, batch.weights)
        ids, mask, pooled, sources, targets, weights = (torch.from_numpy(array).to(device) for array in arrays)
        with torch.set_grad_enabled(self.fine_tune and torch.is_grad_enabled()):
            pieces = [
                self._hidden(ids[rows, :longest], mask[rows, :longest])[pooled[rows, :longest]]
                for rows, longest in _portions(batch.lengths)
            ]
            empty = weights.new_zeros((0, self.size))  # of a batch without tokens
            vectors = torch.cat([empty, *pieces])[sources] * weights[:, None]  # (Q, D)
            sentences, tokens = batch.shape
            means = vectors.new_zeros((sentences * tokens, self.size)).index_add(0, targets, vectors)
        return means.view(sentences, tokens, self.size)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the encoder (config.json, model.safetensors) into `folder`; `from_pretrained` reads it."""
        with quiet_transformers():
            self.encoder.save_pretrained(Path(folder))  # type: ignore[operator]

    def _hidden(self, ids: Tensor, mask: Tensor) -> Tensor:
        """The mean over the last layers, or these side by side (W, S, D), float32."""
        is_trained = self.training and self.fine_tune
        quick = self.in_bfloat16 and is_trained
        # What it draws and makes would come from torch's global settings.
        is_global = is_trained or torch.get_default_dtype() != torch.float32
        with (
            explicit(self.generator) if is_global else nullcontext(),
            torch.autocast(ids.device.type, torch.bfloat16, enabled=quick),
        ):
            states = self.encoder(input_ids=ids, attention_mask=mask.long(), output_hidden_states=True).hidden_states
        last = [state.float() for state in states[-self.layers :]]
        return torch.cat(last, dim=-1) if self.mix else torch.stack(last).mean(0)


def contextual_vectors(
    encoder: PretrainedEncoder,
    sentences: Sequence[SubTokens],
    *,
    batch_subtokens: int = _AT_ONCE,
    progress: Progress = silent,
) -> Rows:
    """The vectors of many sentences, computed once: those of a frozen encoder do not change while others train.

    Sentences of like length go together, so little of the work is padding.

    Args:
        encoder: The encoder, frozen.
        sentences: Their sub-tokens.
        batch_subtokens: Most sub-tokens in one batch, padding included; a longer sentence is a batch of its own.
        progress: Called with the number of sentences done and in all.

    Returns:
        The vectors of all tokens, sentence after sentence (N, D), in float16: 2 * D bytes per token. Their
        rounding, 1 in 2,048, is far below what dropout adds.

    Raises:
        ValueError: If the encoder is not frozen.
        InputError: If a value is none, or too large for float16.
    """
    if encoder.fine_tune:
        raise ValueError("expected a frozen transformer: the vectors of one that is trained change at every step")
    lengths = [sentence.tokens for sentence in sentences]
    vectors = np.empty((sum(lengths), encoder.size), np.float16)
    views, done = np.split(vectors, np.cumsum(lengths)[:-1]), 0
    progress(0, len(sentences))
    longest_first = sorted(range(len(sentences)), key=lambda number: -sentences[number].ids.size)
    while done < len(sentences):
        most = batch_subtokens // max(sentences[longest_first[done]].ids.size, 1)
        batch = longest_first[done : done + max(most, 1)]
        with computing():
            computed = encoder(collate_subtokens([sentences[number] for number in batch])).half().cpu().numpy()
        for number, rows in zip(batch, computed, strict=True):
            views[number][:] = rows[: lengths[number]]
        done += len(batch)
        progress(done, len(sentences))
    if not np.isfinite(vectors).all():
        largest = float(np.finfo(vectors.dtype).max)
        raise InputError(f"expected vectors of the transformer up to {largest:,.0f}, got larger ones, or no numbers")
    return vectors


def _config(encoder: nn.Module) -> Any:
    return encoder.config


@computing()
def _read_encoder(folder: Path, depth: int) -> nn.Module:
    from transformers import AutoModel  # optional, slow

    try:
        with quiet_transformers(), explicit(torch.Generator()):  # it draws weights that the file then replaces
            config = _checked_config(folder)
            if depth:  # the layers behind it are not made, and their weights in the file are not read
                if depth > config.num_hidden_layers:
                    raise InputError(
                        f"transformer_depth: expected at most the {config.num_hidden_layers} layers of the encoder, "
                        f"got {depth}",
                        path=folder,
                    )
                config.num_hidden_layers = depth
            encoder, report = AutoModel.from_pretrained(
                folder,
                config=config,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,  # never what is pickled
                dtype=torch.float32,
                output_loading_info=True,
            )
            for name, weight in encoder.named_parameters():
                weight.data = weight.data.clone()  # not the mapped memory of a file that others may change
                if not all(bool(end.isfinite()) for end in weight.aminmax()):
                    raise ValueError(f"expected finite numbers, found others in '{name}'")
    except InputError:
        raise
    except Exception as error:  # whatever a damaged file makes it raise
        unreadable(error, folder, "weights")
    if encoder.config.is_encoder_decoder:
        raise InputError(
            f"expected an encoder like BERT, found '{encoder.config.model_type}', which also decodes", path=folder
        )
    # The pooler sums up a text for classification; many files lack it, and nothing here uses it.
    missing = sorted(name for name in report["missing_keys"] if "pooler" not in name)
    if missing:
        kind = encoder.config.model_type
        raise InputError(
            f"expected the weights of a '{kind}' encoder, {len(missing)} are missing: {missing[0]}", path=folder
        )
    vars(encoder.config).pop("auto_map", None)  # names code of its own, which is never run
    if "add_pooling_layer" in inspect.signature(type(encoder).__init__).parameters:
        encoder.pooler = None
    return encoder  # type: ignore[no-any-return]


def _checked_config(folder: Path) -> Any:
    """The configuration of an encoder; one that asks for far more than its file of weights has is refused.

    Raises:
        ValueError: If it has more layers than the file has tensors, or far more weights.
    """
    from safetensors import safe_open  # as slow as what needs it
    from transformers import AutoConfig, AutoModel

    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    sizes = []
    for path in folder.glob("model*.safetensors"):
        with safe_open(path, framework="pt") as file:
            sizes += [prod(file.get_slice(name).get_shape()) for name in file.keys()]  # noqa: SIM118
    layers = max(
        (value for name, value in config.to_dict().items() if "layer" in name and type(value) is int), default=0
    )
    if layers > len(sizes):
        raise ValueError(f"expected at most {len(sizes):,} layers, as many as there are tensors, found {layers:,}")
    with torch.device("meta"):  # which takes no memory
        model = AutoModel.from_config(config, trust_remote_code=False)
    weights = sum(weight.numel() for weight in model.parameters())
    if weights > 2 * sum(sizes) + _HARMLESS:
        raise ValueError(f"expected the {weights:,} weights of the configuration, found {sum(sizes):,}")
    return config


def _portions(lengths: Sequence[int]) -> Iterator[tuple[slice, int]]:
    """Runs of windows, longest first, that go through the encoder at once, each with the length of its longest."""
    start = 0
    while start < len(lengths):
        stop = start + max(_AT_ONCE // lengths[start], 1)
        yield slice(start, stop), lengths[start]
        start = stop


def pretrained_encoder(transformer: Transformer, config: ModelConfig) -> PretrainedEncoder:
    """The encoder of the feature, which is read when it is first asked for.

    Raises:
        InputError: If it is damaged or does not suit the configuration.
    """
    if transformer.encoder is None:
        transformer.encoder = PretrainedEncoder.from_pretrained(
            transformer.folder,
            depth=config.transformer_depth,
            layers=config.transformer_layers,
            mix=config.transformer_mix,
            fine_tune=config.fine_tune,
        )
    encoder: PretrainedEncoder = transformer.encoder
    return encoder


def read_encoder(features: Mapping[str, TokenFeature], config: ModelConfig) -> None:
    """Read the encoder of a transformer among the features, if there is one, before anything is drawn for a network.

    Raises:
        InputError: See `pretrained_encoder`.
    """
    for feature in features.values():
        if isinstance(feature, Transformer):
            pretrained_encoder(feature, config)


class TransformerVectors(ContextModule):
    """The vectors of an encoder, projected to a size that does not drown the others.

    If the encoder keeps its layers apart, they are mixed as a weighted sum whose weights are learnt (Peters et al.
    2018, eq. 1).

    Args:
        encoder: The encoder. It becomes a part of the network if it is fine-tuned; the files of the feature hold its
            weights, so those of the network do not.
        size: The size after projection; 0 for no projection.
    """

    looks_up = False

    def __init__(self, encoder: PretrainedEncoder, size: int) -> None:
        super().__init__()
        layers = encoder.layers if encoder.mix else 1
        mixed = encoder.size // layers
        self.weights = nn.Parameter(torch.zeros(layers, dtype=torch.float32)) if encoder.mix else None  # equal at first
        self.scale = nn.Parameter(torch.ones((), dtype=torch.float32)) if encoder.mix else None
        self.projection = nn.Linear(mixed, size) if size else nn.Identity()
        self.size = size or mixed
        self.encoder = encoder if encoder.fine_tune else None
        self._frozen = () if encoder.fine_tune else (encoder,)  # in a tuple, it is no part of the network
        self.register_state_dict_post_hook(_without_encoder)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_post_hook(_misses_no_encoder)  # type: ignore[no-untyped-call]

    @classmethod
    def build(cls, transformer: Transformer, config: ModelConfig) -> TransformerVectors:
        """The module for this transformer.

        Raises:
            InputError: See `pretrained_encoder`.
        """
        return cls(pretrained_encoder(transformer, config), config.transformer_size)

    def tensors(self, ids: SubTokenBatch | Rows, device: torch.device) -> Tensor | SubTokenBatch:
        """The vectors of a frozen encoder (B, T, D), computed here or before; the sub-tokens for another."""
        if not isinstance(ids, SubTokenBatch):
            return torch.from_numpy(ids).to(device)
        vectors: Tensor | None = next((encoder.to(device)(ids) for encoder in self._frozen), None)
        return ids if vectors is None else vectors

    def share_frozen(self, other: FeatureModule) -> None:
        """See `FeatureModule.share_frozen`."""
        if isinstance(other, TransformerVectors):
            self._frozen = other._frozen

    def forward(self, ids: Tensor | SubTokenBatch) -> Tensor:
        """One vector per token (B, T, D), of the encoder's vectors (B, T, D) or of the sub-tokens that it reads."""
        if isinstance(ids, SubTokenBatch):
            if self.encoder is None:
                raise ValueError("expected the vectors of a frozen encoder, got sub-tokens")
            ids = cast(Tensor, self.encoder(ids))
        vectors = ids.float()
        if self.weights is not None and self.scale is not None:
            layers = vectors.view(*vectors.shape[:2], len(self.weights), -1)  # (B, T, L, D)
            vectors = torch.einsum("btld,l->btd", layers, self.scale * self.weights.softmax(0))
        projected: Tensor = self.projection(vectors)
        return projected


def _without_encoder(_module: nn.Module, state: dict[str, Any], prefix: str, _metadata: Any) -> None:
    """Leave the encoder's weights out of the weights of a network."""
    for name in [name for name in state if name.startswith(f"{prefix}encoder.")]:
        del state[name]


def _misses_no_encoder(_module: nn.Module, keys: Any) -> None:
    """Do not miss the encoder's weights where those of a network are loaded."""
    keys.missing_keys[:] = [name for name in keys.missing_keys if f"{Transformer.name}.encoder." not in name]
