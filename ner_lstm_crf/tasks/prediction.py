"""Encoded sentences to tags, in batches of like length, whatever the order they come in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from ner_lstm_crf.data.schemes import Decoded
from ner_lstm_crf.features.batch import Encoded
from ner_lstm_crf.features.batching import batches_by_length
from ner_lstm_crf.progress import Progress, silent
from ner_lstm_crf.tasks.assembly import Assembly

__all__ = ["predict", "predict_tags", "predict_words"]

BATCH_SENTENCES = 256
BATCH_TOKENS = 4096


def predict(assembly: Assembly, sentences: Sequence[Encoded], *, progress: Progress = silent) -> list[Decoded]:
    """The spans of each sentence and its ill-formed tags (none with a CRF), in the order given."""
    return [assembly.featurizer.decode(tags) for tags in predict_tags(assembly, sentences, progress=progress)]


def predict_words(
    assembly: Assembly, sentences: Sequence[Sequence[str]], *, progress: Progress = silent
) -> list[Decoded]:
    """As `predict`, of sentences given as their words; one without any has nothing to be found."""
    filled = [number for number, words in enumerate(sentences) if words]
    encoded = [assembly.featurizer.encode(sentences[number]) for number in filled]
    found = [Decoded(())] * len(sentences)
    for number, decoded in zip(filled, predict(assembly, encoded, progress=progress), strict=True):
        found[number] = decoded
    return found


@torch.inference_mode()
def predict_tags(
    assembly: Assembly, sentences: Sequence[Encoded], *, progress: Progress = silent
) -> list[NDArray[np.int64]]:
    """The tag ids of each sentence (T,), in the order given."""
    network, featurizer = assembly.network, assembly.featurizer
    lengths = [len(sentence) for sentence in sentences]
    tags: list[NDArray[np.int64]] = [np.zeros(0, np.int64)] * len(sentences)
    was_training = network.training
    network.eval()
    done = 0
    try:
        for batch in batches_by_length(lengths, sentences=BATCH_SENTENCES, tokens=BATCH_TOKENS):
            best = network.decode(featurizer.collate([sentences[number] for number in batch])).numpy()
            for row, number in enumerate(batch):
                tags[number] = best[row, : lengths[number]]
            done += len(batch)
            progress(done, len(sentences))
    finally:
        network.train(was_training)
    return tags
