"""Models small enough to be sent along: word vectors in eight bits, the other weights in sixteen.

A vector v is written as whole numbers q and a scale s, v = s q with s = max |v| / 127: each value is off by little more
than s / 2. The maximum is first rounded to the half precision in which a reserve of words lies in memory, so that what
was read from such a file and is written again gives the same file.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.embedding import WordEmbedding
from ner_lstm_crf.features.vocabulary import WordVocabulary
from ner_lstm_crf.saving.model import Model, featurizer_for, network_for

__all__ = ["compacted", "expanded", "with_words"]

_WORD = "embedding.word."
_VECTORS = (f"{_WORD}trained", f"{_WORD}reserve", "embedding.bigrams.table.trained", "embedding.lexicon.table.trained")
_SCALE = ".scale"
_LARGEST = 127
_LEAST_HALF = torch.finfo(torch.float16).smallest_normal


def compacted(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of a model in a quarter of the space or less.

    Raises:
        InputError: If a weight is beyond what 16 bits hold.
    """
    small: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if name.endswith(_VECTORS):  # each member of an ensemble has its own
            small[name], small[name + _SCALE] = _quantised(tensor.float())
        else:
            small[name] = tensor.half() if tensor.dtype == torch.float32 else tensor
            if not bool(small[name].isfinite().all()):
                raise InputError(f"a compact model holds weights below 65,504, found a larger one in '{name}'")
    return small


def expanded(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights that a network can take up, from `compacted` ones or any others; those are left as they are."""
    full: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if name.endswith(_SCALE) and name.removesuffix(_SCALE) in tensors:
            continue
        scale = tensors.get(name + _SCALE)
        full[name] = tensor if scale is None else tensor.float() * scale.unsqueeze(1)
    return full


def with_words(model: Model, words: Container[str]) -> Model:
    """The same model, which knows only these words; any other is the unknown word to it from now on.

    Args:
        model: The model, of one network without a transformer.
        words: Words as `WordVocabulary.symbols` spells them.
    """
    featurizer, config = model.featurizer, model.config
    symbols, counts = featurizer.words.symbols, featurizer.words.counts
    kept = [place for place, symbol in enumerate(symbols) if symbol in words]
    trained = [place for place in kept if place < len(counts)]
    vocabulary = WordVocabulary(tuple(symbols[place] for place in kept), tuple(counts[place] for place in trained))
    fewer = featurizer_for(config, replace(featurizer.vocabularies, words=vocabulary), featurizer.labels)
    first, old = featurizer.words.trainable_size - len(counts), model.single.embedding.word
    rows = torch.tensor([*range(first), *(place + first for place in trained)])
    reserve = torch.tensor([place - len(counts) for place in kept[len(trained) :]], dtype=torch.int64)
    word = WordEmbedding(old.trained.detach()[rows], old.reserve[reserve])
    network = network_for(config, fewer, word, None, initialise=False)
    network.load_state_dict(model.single.state_dict() | {f"{_WORD}{name}": w for name, w in word.state_dict().items()})
    return replace(model, featurizer=fewer, network=network.eval())


def _quantised(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Whole numbers (V, D) from -127 to 127, and what one is worth in each row (V,)."""
    if not bool(vectors.isfinite().all()):
        raise InputError("a compact model holds finite vectors, found one that is not")
    largest = vectors.abs().amax(1) if vectors.numel() else vectors.new_zeros(len(vectors))
    half = largest.half().float()
    scale = half.where((half >= _LEAST_HALF) & ~half.isinf(), largest) / _LARGEST
    steps = vectors / scale.clamp(min=torch.finfo(torch.float32).tiny).unsqueeze(1)
    return steps.round().clamp(-_LARGEST, _LARGEST).to(torch.int8), scale
