"""All token features, one line each, and the token features of a model together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.batch import RaggedSentences, WordTypes
from ner_lstm_crf.features.bigrams import Bigrams
from ner_lstm_crf.features.casing import Casing
from ner_lstm_crf.features.characters import Characters
from ner_lstm_crf.features.gazetteer import NameLists
from ner_lstm_crf.features.lexicon import Lexicon
from ner_lstm_crf.features.token_feature import ContextFeature, Resources, Rows, SavedFeature, TokenFeature
from ner_lstm_crf.features.transformer.feature import Transformer
from ner_lstm_crf.features.word import Words
from ner_lstm_crf.text.normalization import normalized_words

FEATURES: Mapping[str, type[TokenFeature]] = {
    feature.name: feature
    for feature in (
        Words,
        Casing,
        Characters,
        Transformer,
        Bigrams,
        Lexicon,
        NameLists,
    )
}
"""Every token feature by its name, in the order in which the first weights of a network are drawn."""


class Features(dict[str, TokenFeature]):
    """The token features of a model by name, in the order of `FEATURES`: strings become ids."""

    @classmethod
    def build(cls, resources: Resources) -> Features:
        """The features that the configuration asks for, for the training data.

        Raises:
            InputError: If resources are given that a feature cannot use.
        """
        built = {name: feature.build(resources) for name, feature in FEATURES.items()}
        return cls({name: feature for name, feature in built.items() if feature is not None})

    @classmethod
    def load(
        cls, config: ModelConfig, values: Any, frozen: Mapping[str, Rows], folders: Mapping[str, Path]
    ) -> Features:
        """The features that were saved.

        Args:
            config: The configuration of the model.
            values: The result of `to_json`.
            frozen: The frozen vectors of features that have them, by name.
            folders: The folders of features that write files, by name.

        Raises:
            InputError: If something is missing or damaged.
        """
        if not isinstance(values, dict) or not values or not values.keys() <= FEATURES.keys():
            raise InputError(f"expected a JSON object of token features ({', '.join(FEATURES)})")
        features = cls()
        for name in (name for name in FEATURES if name in values):
            saved = SavedFeature(config, values[name], frozen.get(name), folders.get(name))
            features[name] = FEATURES[name].load(saved)
        return features

    @property
    def reads_touching(self) -> bool:
        """True if one of them reads whether tokens touch."""
        return any(feature.reads_touching for feature in self.values())

    def to_json(self) -> dict[str, Any]:
        """The features as JSON, for `load`."""
        return {name: feature.to_json() for name, feature in self.items()}

    def encode(
        self,
        words: Sequence[str],
        lengths: Sequence[int],
        word_types: WordTypes | None = None,
        computed: Mapping[str, Any] | None = None,
        touching: Sequence[bool] = (),
    ) -> RaggedSentences:
        """Sentences as ids.

        Args:
            words: The tokens, sentences end to end (N,).
            lengths: Tokens of each sentence (S,).
            word_types: The word types to add the words to; new ones if not given.
            computed: Results of `ContextFeature.encode` that are known already, by name.
            touching: See `ContextFeature.encode`; of use if `reads_touching`.
        """
        words = normalized_words(words)
        word_types = WordTypes(self) if word_types is None else word_types
        types, counts, computed = word_types.rows(words), np.array(lengths, np.int64), computed or {}
        context = {}
        for name, feature in self.items():
            if isinstance(feature, ContextFeature):
                ids = computed.get(name)
                if ids is None:
                    ids = feature.encode(words, word_types.columns[name].ids(types), counts, touching)
                context[name] = feature, ids
        return RaggedSentences(word_types, types, counts, context)
