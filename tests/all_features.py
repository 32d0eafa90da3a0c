"""Every token feature at once, for sentences that have something for each of them."""

from __future__ import annotations

import numpy as np

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.features.registry import FEATURES, Features
from ner_lstm_crf.features.token_feature import Resources
from ner_lstm_crf.features.vectors import Vectors

CONFIG = ModelConfig(token_unit="character", word_size=6, hidden_size=4)
SENTENCES = [list("他在北京大学"), list("北京人在巴黎"), ["", "ab", "北"]]
RESOURCES = Resources(
    CONFIG,
    SENTENCES,
    lexicon={"北京": "ns", "巴黎": "ns", "大学": ""},
    lexicon_vectors=Vectors(("北京", "大学"), np.full((2, CONFIG.lexicon_size), 0.5)),
)


def all_features() -> Features:
    """All that a configuration asks for, but the transformer, which needs files."""
    made = Features.build(RESOURCES)
    assert {"word", "casing", "characters", "bigrams", "lexicon"} <= made.keys()
    assert list(made) == [name for name in FEATURES if name in made]
    return made
