"""The vectors that a frozen transformer gives the tokens of a corpus, computed once and kept in a file.

contextual-0123456789ab.safetensors    the vectors of all tokens (N, D), float16; named after what they were made of

So each epoch, seed and head costs only what the LSTM costs. The file is read through memory mapping: what is not in use
takes no memory, and training processes share it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.transformer.encoder import contextual_vectors
from ner_lstm_crf.features.transformer.feature import Transformer
from ner_lstm_crf.features.transformer.pretrained import pretrained_folder
from ner_lstm_crf.files.atomic import make_directory, remove_temp_files
from ner_lstm_crf.progress import Progress, silent
from ner_lstm_crf.runs.data import ResolvedData
from ner_lstm_crf.saving.feature_folders import folder_digest
from ner_lstm_crf.saving.tensors import read_tensors, write_tensors
from ner_lstm_crf.text.annotation import Sentence

__all__ = ["computed_features", "read_with_transformer"]

_TENSOR = "vectors"
_DAY = 86_400  # seconds
_VERSION = 1  # of what is computed: another version is another file


def read_with_transformer(
    data: ResolvedData, config: ModelConfig, directory: Path, progress: Progress = silent
) -> ResolvedData:
    """The data with the vectors of the frozen transformer of `config`, so that no epoch or run computes them again.

    Args:
        data: The data; they are returned as they are if they have the vectors, or there is no frozen transformer.
        config: The transformer and its layers.
        directory: The folder of the file, which is made unless it exists.
        progress: Called with the sentences that the transformer has read.

    Raises:
        InputError: If the transformer cannot be read, or the file cannot be written.
    """
    if config.transformer is None or config.fine_tune or data.contextual is not None:
        return data
    sentences = [*data.train, *data.dev]
    key = _key(sentences, config)
    path = directory / f"contextual-{key[:12]}.safetensors"
    try:
        exists = path.is_file() and read_tensors(path)[1].get("key") == key
    except InputError:  # damaged: it is made again
        exists = False
    if not exists:
        feature = Transformer.from_pretrained(config, config.transformer)
        subtokens = [feature.subtokenizer.encode(sentence.words) for sentence in sentences]
        make_directory(directory)
        remove_temp_files(directory, older_than=_DAY)  # other processes may write here
        vectors = contextual_vectors(feature.encoder, subtokens, progress=progress)
        write_tensors(path, {_TENSOR: vectors}, {"key": key})
    return replace(data, contextual=path)


def computed_features(data: ResolvedData, config: ModelConfig) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The vectors of the tokens of `train` and of `dev` (N, D), by the name of their feature, for `Model.encode`.

    Both are empty where no transformer has read the data.

    Raises:
        InputError: If the file is missing, damaged, or was made of other data.
    """
    if data.contextual is None:
        return {}, {}
    tensors, metadata = read_tensors(data.contextual, "cache of contextual vectors")
    if metadata.get("key") != _key([*data.train, *data.dev], config) or _TENSOR not in tensors:
        raise InputError(
            "expected the vectors that the transformer gives these sentences, found those of others",
            path=data.contextual,
        )
    tokens = sum(len(sentence.tokens) for sentence in data.train)
    return {Transformer.name: tensors[_TENSOR][:tokens]}, {Transformer.name: tensors[_TENSOR][tokens:]}


def _key(sentences: Sequence[Sentence], config: ModelConfig) -> str:
    """SHA-256 of the transformer's files, of what is taken from it, and of the tokens."""
    folder = pretrained_folder(config.transformer or "")
    digest = hashlib.sha256(
        f"{_VERSION} {folder_digest(folder)} {config.transformer_layers} {config.transformer_mix}\0".encode()
    )
    for sentence in sentences:
        digest.update(repr(sentence.words).encode())
    return digest.hexdigest()
