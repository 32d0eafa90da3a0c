"""A model for new data that starts from the weights of a trained one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import nn

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.registry import Features
from ner_lstm_crf.features.token_feature import FeatureModule, Resources
from ner_lstm_crf.saving.model import Model, new_network
from ner_lstm_crf.tags.tag_set import TagSet
from ner_lstm_crf.text.annotation import Sentence

__all__ = ["check_start", "warm_start"]


def warm_start(base: Model, sentences: Sequence[Sentence], *, freeze_vectors: bool = False, seed: int = 1) -> Model:
    """A model of the configuration of `base` for the words, characters and labels of other data.

    Words of `base` keep their vectors: those in the sentences are trained on, the others are frozen. Characters are
    those of both, a lexicon stays as it is. Labels are those of the sentences; the emissions and transitions of a tag
    that `base` has go on from its weights, those of another begin at random.

    Args:
        base: The trained model, of one network; it is left as it is.
        sentences: The training data.
        freeze_vectors: True if the vectors of words that `base` knows stay as they are.
        seed: Seed of the weights that `base` has no value for.

    Raises:
        InputError: If `base` has a transformer, or several networks.
    """
    check_start(base.config, len(base.networks))
    # 1. Features and tags of both.
    words = [sentence.words for sentence in sentences]
    resources = Resources(base.config, words, freeze_vectors=freeze_vectors)
    old = base.networks[0]
    extended = {name: one.extended(resources, old.embedding[name]) for name, one in base.features.items()}
    features = Features(extended)
    tags = TagSet(base.tags.scheme, sorted({span.label for one in sentences for span in one.spans}))
    # 2. A new network, and in it the weights of the old one.
    network = new_network(base.config, features, tags, seed)
    for name, module in network.embedding.items():
        trained = old.embedding[name]
        if isinstance(module, FeatureModule) and isinstance(trained, FeatureModule):
            module.start_from(trained)
    for table in network.embedding.tables.values():
        table.pretrained.zero_()  # none of these rows is to learn slowly
    network.encoder.load_state_dict(old.encoder.state_dict())
    shared = [(base.tags.names.index(tag), new) for new, tag in enumerate(tags.names) if tag in base.tags.names]
    rows = torch.tensor(shared, dtype=torch.int64).reshape(-1, 2)
    for part, trained in ((network.projection, old.projection), (network.head, old.head)):
        _copy_tags(part, trained, rows[:, 0], rows[:, 1])
    return replace(base, features=features, tags=tags, networks=(network,))


def check_start(config: ModelConfig, networks: int) -> None:
    """Refuse a model that training cannot start from.

    Raises:
        InputError: If it has a transformer, or several networks.
    """
    if config.transformer is not None:
        raise InputError("expected a model without a transformer to start from")
    if networks > 1:
        raise InputError(f"expected a model of one network to start from, got one of {networks}")


@torch.no_grad()
def _copy_tags(module: nn.Module, trained: nn.Module, old: torch.Tensor, new: torch.Tensor) -> None:
    """Take over the weights of tags: those of the numbers `old` in the trained module become those of `new`."""
    for name, weight in module.named_parameters():
        values = trained.get_parameter(name)
        if len(weight) == weight.shape[-1] and weight.ndim == 2:  # transitions, from each tag to each
            weight[new[:, None], new] = values[old[:, None], old]
        else:
            weight[new] = values[old]
