"""What a frozen transformer makes of a corpus, computed once and kept in a file.

contextual-0123456789ab.safetensors    the vectors of all tokens (N, D), float16; named by what they were made of

So each epoch, seed and head costs what the LSTM costs. The file is read through memory mapping: what is not in use
takes no memory, and training processes share it.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.transformer.encoder import contextual_vectors
from ner_lstm_crf.features.transformer.feature import Transformer
from ner_lstm_crf.features.transformer.pretrained import pretrained_folder
from ner_lstm_crf.files.atomic import make_directory, remove_temp_files
from ner_lstm_crf.progress import Progress, silent
from ner_lstm_crf.saving.feature_folders import folder_digest
from ner_lstm_crf.saving.tensors import read_tensors, write_tensors
from ner_lstm_crf.text.annotation import Sentence

__all__ = ["contextual_file", "forget_contextual", "read_contextual", "scratch_of"]

_TENSOR = "vectors"
_SCRATCH = ".contextual"
_DAY = 86_400  # seconds
_VERSION = 1  # of what is computed: another is another file


def contextual_file(
    sentences: Sequence[Sentence], config: ModelConfig, directory: Path, progress: Progress = silent
) -> Path:
    """The file with what the frozen transformer of `config` makes of the sentences, made unless it is there.

    Args:
        sentences: The corpus.
        config: Names the transformer and its layers.
        directory: Where the file is, or goes.
        progress: Told how many sentences the transformer has read.

    Raises:
        InputError: If the transformer cannot be read, or the file cannot be written.
    """
    if config.transformer is None:
        raise ValueError("expected a configuration with a transformer")
    key = _key(sentences, config, pretrained_folder(config.transformer))
    path = directory / f"contextual-{key[:12]}.safetensors"
    if not _is_of(path, key):
        feature = Transformer.from_pretrained(config, config.transformer)
        subtokens = [feature.subtokenizer.encode(sentence.words) for sentence in sentences]
        make_directory(directory)
        remove_temp_files(directory, older_than=_DAY)
        vectors = contextual_vectors(feature.encoder, subtokens, progress=progress)
        write_tensors(path, {_TENSOR: vectors}, {"key": key})  # in one piece, whoever else writes the same
    return path


def read_contextual(path: Path, sentences: Sequence[Sentence], config: ModelConfig) -> Tensor:
    """The vectors of all tokens (N, D), float16.

    Args:
        path: What `contextual_file` returned.
        sentences: The corpus it was made of.
        config: The configuration it was made with.

    Raises:
        InputError: If the file is missing, damaged, or was made of something else.
    """
    tensors, metadata = read_tensors(path, "cache of contextual vectors")
    folder = pretrained_folder(config.transformer or "")
    if metadata.get("key") != _key(sentences, config, folder) or _TENSOR not in tensors:
        raise InputError("expected what the transformer makes of these sentences, found that of others", path=path)
    return tensors[_TENSOR]


def scratch_of(directory: Path) -> Path:
    """The folder of a run's directory for files that only the run needs."""
    return directory / _SCRATCH


def forget_contextual(directory: Path) -> None:
    """Remove the files that only the run in the directory needed; those of a cache that was asked for are not there."""
    shutil.rmtree(scratch_of(directory), ignore_errors=True)


def _is_of(path: Path, key: str) -> bool:
    """Whether the file is there, whole and made of what the key stands for."""
    try:
        return path.is_file() and read_tensors(path)[1].get("key") == key
    except InputError:  # damaged: it is made again
        return False


def _key(sentences: Sequence[Sentence], config: ModelConfig, folder: Path) -> str:
    """SHA-256 of the transformer's files, of what is taken from it, and of the tokens."""
    digest = hashlib.sha256(
        f"{_VERSION} {folder_digest(folder)} {config.transformer_layers} {config.transformer_mix}\0".encode()
    )
    for sentence in sentences:
        digest.update(repr(sentence.words).encode())
    return digest.hexdigest()
