"""What a teacher, a trained model, says of the sentences that a run learns from: computed once, kept in a file.

Its emissions and score tables are kept, those it decodes with: of an ensemble the mean. They say all of its
distribution over tag sequences in one number for each token and tag, 4 bytes; marginals of tags and of transitions,
which the loss needs, follow from them batch by batch (`training.trainer.taught_by`).
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.crf import FORBIDDEN, ScoreTables
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.atomic import make_directory, remove_temp_files
from ner_lstm_crf.progress import Progress, silent
from ner_lstm_crf.runs.data import ResolvedData, is_cached
from ner_lstm_crf.saving.model import Model, ModelDescription
from ner_lstm_crf.saving.tensors import read_tensors, write_tensors
from ner_lstm_crf.tagging.decoding import Emissions
from ner_lstm_crf.tagging.predictor import emissions_of
from ner_lstm_crf.tags.scheme import get_scheme
from ner_lstm_crf.tags.tag_set import TagSet

_EMISSIONS, _TABLES = "emissions", ("start", "transitions", "end")
_WHAT = "cache of what the teacher says"
_VERSION = 1  # of what is computed: another version is another file


def check_teacher(data: ResolvedData, config: ModelConfig) -> None:
    """Refuse a teacher whose tag sequences are not those of the network that is to learn.

    Raises:
        InputError: If it has other labels, another scheme or other tokens.
    """
    if data.teacher is None:
        return
    teacher = ModelDescription.read(data.teacher)
    labels = set().union(*(one.labels for one in data.train))
    if data.init_from is not None:
        labels.update(ModelDescription.read(data.init_from).labels)
    for what, expected, found in (
        ("of the labels", ", ".join(sorted(labels)), ", ".join(sorted(teacher.labels))),
        ("of the scheme", config.scheme, teacher.config.scheme),
        ("whose tokens are", f"{config.token_unit}s", f"{teacher.config.token_unit}s"),
    ):
        if expected != found:
            raise InputError(f"expected a teacher {what} {expected}, got {found}", path=data.teacher)


def read_with_teacher(
    data: ResolvedData, config: ModelConfig, directory: Path, progress: Progress = silent
) -> ResolvedData:
    """The data with what the teacher says of all sentences to learn from, so that no epoch or run computes it again.

    Args:
        data: The data; they are returned as they are if they have that, or there is no teacher.
        config: The network that is to learn.
        directory: The folder of the file, which is made unless it exists.
        progress: Called with the batches that the teacher has read.

    Raises:
        InputError: If the teacher cannot be read, or is another one now; if its tag sequences are not those of the
            network; if the file cannot be written.
    """
    if data.teacher is None or data.taught is not None:
        return data
    check_teacher(data, config)
    key = _key(data)
    path = directory / f"teacher-{key[:12]}.safetensors"
    if not is_cached(path, key):
        if ModelDescription.read(data.teacher).digest != data.fingerprints["teacher"]:
            raise InputError("expected the teacher that the run began with, found another model", path=data.teacher)
        model = Model.load(data.teacher)
        emissions, tables = emissions_of(model, model.encode(data.learnt), progress)
        make_directory(directory)
        remove_temp_files(directory)
        write_tensors(path, {_EMISSIONS: emissions, **dict(zip(_TABLES, tables, strict=True))}, {"key": key})
    return replace(data, taught=path)


def taught_emissions(data: ResolvedData, tags: TagSet, head: str) -> tuple[Emissions, ScoreTables] | None:
    """What the teacher says: the emissions of all tokens to learn from (N, K), and its score tables; None without one.

    Args:
        data: The data, which the teacher has read.
        tags: The tags of the network that learns, in whose order they are.
        head: Its head: a CRF learns nothing of sequences that its scheme forbids, which the softmax of a teacher does
            not forbid.

    Raises:
        InputError: If the teacher is missing; if the file is missing, damaged, or was made of other data.
    """
    if data.teacher is None:
        return None
    if data.taught is None:
        raise ValueError("expected data that the teacher has read, see read_with_teacher")
    tensors, metadata = read_tensors(data.taught, _WHAT)
    if metadata.get("key") != _key(data) or not {_EMISSIONS, *_TABLES} <= tensors.keys():
        raise InputError("expected what the teacher says of these sentences, found that of others", path=data.taught)
    description = ModelDescription.read(data.teacher)
    names = TagSet(get_scheme(description.config.scheme), description.labels).names
    order = np.array([names.index(name) for name in tags.names])
    start, transitions, end = (tensors[name] for name in _TABLES)
    tables = ScoreTables(start[order], transitions[order[:, None], order], end[order])
    if head == "crf":
        pairs = zip(tags.allowed_transitions(), tables, strict=True)
        tables = ScoreTables(*(np.where(allowed, table, np.float32(FORBIDDEN)) for allowed, table in pairs))
    return tensors[_EMISSIONS][:, order], tables


def _key(data: ResolvedData) -> str:
    """SHA-256 of the teacher and of the tokens."""
    digest = hashlib.sha256(f"{_VERSION} {data.fingerprints['teacher']}\0".encode())
    for sentence in data.learnt:
        digest.update(repr(sentence.words).encode())
    return digest.hexdigest()
