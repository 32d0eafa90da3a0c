"""The module of each token feature, one line each, and those of all features of a model together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.features.bigrams import Bigrams
from ner_lstm_crf.features.casing import Casing
from ner_lstm_crf.features.characters import Characters
from ner_lstm_crf.features.gazetteer import NameLists
from ner_lstm_crf.features.lexicon import Lexicon
from ner_lstm_crf.features.token_feature import TokenFeature
from ner_lstm_crf.features.transformer.feature import Transformer
from ner_lstm_crf.features.word import Words
from ner_lstm_crf.model.embedding.bigrams import BigramVectors
from ner_lstm_crf.model.embedding.characters import CharCnn
from ner_lstm_crf.model.embedding.feature_module import FeatureModule, IdVectors
from ner_lstm_crf.model.embedding.gazetteer import GazetteerVectors
from ner_lstm_crf.model.embedding.intnet import IntNet
from ner_lstm_crf.model.embedding.lexicon import LexiconVectors
from ner_lstm_crf.model.embedding.token_embedding import TokenEmbedding
from ner_lstm_crf.model.embedding.transformer import TransformerVectors
from ner_lstm_crf.model.embedding.word import WordVectors

BuildModule: TypeAlias = Callable[[Any, ModelConfig], FeatureModule]
"""Makes the module for a feature and a configuration. Its tables of vectors are still without values."""


def _character_vectors(feature: Characters, config: ModelConfig) -> FeatureModule:
    """The module of the encoder that the configuration names."""
    return (IntNet if config.char_encoder == "intnet" else CharCnn).build(feature, config)


MODULES: Mapping[str, BuildModule] = {
    Words.name: WordVectors.build,
    Casing.name: IdVectors.build,
    Characters.name: _character_vectors,
    Transformer.name: TransformerVectors.build,
    Bigrams.name: BigramVectors.build,
    Lexicon.name: LexiconVectors.build,
    NameLists.name: GazetteerVectors.build,
}
"""The module of every token feature of `FEATURES`, by its name."""


def new_embedding(
    features: Mapping[str, TokenFeature], config: ModelConfig, *, initialise: bool = True
) -> TokenEmbedding:
    """A new token embedding for the ids of these features.

    Args:
        features: The token features by name, in the order in which first weights are drawn.
        config: The configuration of the model.
        initialise: True to draw first values of all weights; False where saved ones take the place of tables.
    """
    modules = {}
    for name, feature in features.items():
        modules[name] = MODULES[name](feature, config)
        if initialise:
            modules[name].initialise(feature)
    return TokenEmbedding(modules)
