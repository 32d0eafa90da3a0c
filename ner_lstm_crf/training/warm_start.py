"""A model for new data that starts from the weights of a trained one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.registry import Features
from ner_lstm_crf.features.token_feature import Resources
from ner_lstm_crf.isolation import computing
from ner_lstm_crf.model.embedding.feature_module import FeatureModule
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.saving.networks import new_network
from ner_lstm_crf.tags.tag_set import TagSet
from ner_lstm_crf.text.annotation import Sentence
from ner_lstm_crf.text.normalization import normalized_words


@computing()
def warm_start(base: Model, sentences: Sequence[Sentence], *, freeze_vectors: bool = False, seed: int = 1) -> Model:
    """A model of the configuration of `base` for the words, characters and labels of other data.

    Words of `base` keep their vectors: those in the sentences are trained on, the others are frozen. Characters are
    those of both, a lexicon stays as it is. Labels are those of both: the emissions and transitions of a tag that
    `base` has go on from its weights, those of another begin at random.

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
    words = [normalized_words(sentence.words) for sentence in sentences]
    resources = Resources(base.config, words, freeze_vectors=freeze_vectors)
    old = base.networks[0]
    tables = {name: table.trainable.detach().numpy() for name, table in old.embedding.tables.items()}
    features = Features({name: one.extended(resources, tables.get(name)) for name, one in base.features.items()})
    labels = set(base.tags.labels).union(*(one.labels for one in sentences))
    tags = TagSet(base.tags.scheme, sorted(labels))
    # 2. A new network, and in it the weights of the old one.
    network = new_network(base.config, features, tags, seed)
    for name, module in network.embedding.items():
        trained = old.embedding[name]
        if isinstance(module, FeatureModule) and isinstance(trained, FeatureModule):
            module.start_from(trained)
    for table in network.embedding.tables.values():
        table.pretrained.zero_()  # none of these rows is to learn slowly
    network.encoder.load_state_dict(old.encoder.state_dict())
    both = [(base.tags.names.index(tag), number) for number, tag in enumerate(tags.names) if tag in base.tags.names]
    was, now = torch.tensor(both, dtype=torch.int64).reshape(-1, 2).T
    with torch.no_grad():
        for name, weight in network.projection.named_parameters():
            weight[now] = old.projection.get_parameter(name)[was]
        for name, weight in network.head.named_parameters():
            scores = old.head.get_parameter(name)
            if weight.ndim == 2:  # transitions, [from, to]
                weight[now[:, None], now] = scores[was[:, None], was]
            else:
                weight[now] = scores[was]
    return replace(base, features=features, tags=tags, networks=(network,), temperature=1.0)


def check_start(config: ModelConfig, networks: int) -> None:
    """Refuse a model that training cannot start from.

    Raises:
        InputError: If it has a transformer, or several networks.
    """
    if config.transformer is not None:
        raise InputError("expected a model without a transformer to start from")
    if networks > 1:
        raise InputError(f"expected a model of one network to start from, got one of {networks}")
