"""A tagger's parts, put together for training: vocabularies, features, network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.batch import Featurizer
from ner_lstm_crf.features.bigrams import build_bigrams
from ner_lstm_crf.features.casing import CASINGS
from ner_lstm_crf.features.char_cnn import gap_of
from ner_lstm_crf.features.embedding import WordEmbedding
from ner_lstm_crf.features.lexicon import build_lexicon
from ner_lstm_crf.features.transformer.encoder import TransformerEmbedding
from ner_lstm_crf.features.transformer.subtokens import SubTokenizer
from ner_lstm_crf.features.vectors.vectors import Vectors
from ner_lstm_crf.features.vocabularies import Vocabularies
from ner_lstm_crf.features.vocabulary import UNKNOWN, WordVocabulary, build_characters, build_words
from ner_lstm_crf.model.ensemble import Ensemble
from ner_lstm_crf.model.network import Network
from ner_lstm_crf.saving.build import Inventory, build_network, random_words
from ner_lstm_crf.tags.scheme import get_scheme
from ner_lstm_crf.text.annotation import Sentence
from ner_lstm_crf.text.tokenizer import detect_hyphens

__all__ = [
    "Model",
    "build_model",
    "check_lexicon",
    "featurizer_for",
    "network_for",
    "transformer_for",
    "word_embedding",
]


@dataclass(frozen=True, slots=True)
class Model:
    """What a tagger is made of.

    Attributes:
        config: The shape of the network.
        featurizer: Turns sentences into numbers and tags into spans.
        network: Turns numbers into tags; several networks as one where these were joined.
    """

    config: ModelConfig
    featurizer: Featurizer
    network: Network | Ensemble

    @property
    def single(self) -> Network:
        """The network, for what cannot be done with several as one.

        Raises:
            InputError: If it is several.
        """
        if isinstance(self.network, Network):
            return self.network
        raise InputError(f"expected a model of one network, got one of {len(self.network.members)} that were joined")


def build_model(
    sentences: Sequence[Sentence],
    config: ModelConfig,
    *,
    vectors: Vectors | None = None,
    lexicon: Mapping[str, str] | None = None,
    freeze_vectors: bool = False,
    seed: int = 1,
) -> Model:
    """A tagger for the words, characters and labels of `sentences`, its weights drawn with `seed`.

    Args:
        sentences: The training data.
        config: The shape of the network; its `word_size` gives way to the size of the vectors.
        vectors: Pretrained word vectors.
        lexicon: Words to look for in the text, whose tokens have to be characters, each with its category, "" for none;
            None for no lexicon.
        freeze_vectors: Whether the pretrained vectors of training words stay as they are.
        seed: Seed of the first weights.

    Raises:
        InputError: If a lexicon is given that the model would not look at.
    """
    if lexicon is not None:
        check_lexicon(config)
    if vectors is not None:
        config = replace(config, word_size=vectors.size)
    counts = Counter(token.text for sentence in sentences for token in sentence.tokens)
    if config.hyphens == "auto":
        config = replace(config, hyphens=detect_hyphens(counts.elements()))
    words = build_words(counts, vectors.words if vectors else (), frozen=freeze_vectors)
    labels = sorted({span.label for sentence in sentences for span in sentence.spans})
    vocabularies = Vocabularies(
        words,
        build_characters(counts),
        build_bigrams(sentence.words for sentence in sentences) if config.has_bigrams else None,
        None if lexicon is None else build_lexicon(lexicon, [sentence.words for sentence in sentences]),
    )
    featurizer = featurizer_for(config, vocabularies, labels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        word = word_embedding(words, config.word_size, vectors)
        network = network_for(config, featurizer, word, transformer_for(config))
    return Model(config, featurizer, network)


def check_lexicon(config: ModelConfig) -> None:
    """Refuse a lexicon that a model of this shape would not look at.

    Raises:
        InputError: If tokens are words, or the words of a lexicon have no vectors.
    """
    if config.uses_lexicon:
        return
    if config.token_unit != "character":
        raise InputError("a lexicon: expected data whose tokens are characters, got words")
    raise InputError("a lexicon: expected a model that looks for words, this one has lexicon_size = 0")


def featurizer_for(
    config: ModelConfig,
    vocabularies: Vocabularies,
    labels: Sequence[str],
    transformer: str | Path | None = None,
) -> Featurizer:
    """The featurizer that `config` describes, with the sub-tokens of the folder `transformer` if it is given."""
    source = transformer or config.transformer
    return Featurizer(
        vocabularies,
        scheme=get_scheme(config.scheme),
        labels=labels,
        gap=gap_of(config.char_widths),
        subtokenizer=SubTokenizer.from_pretrained(source) if source else None,
    )


def network_for(
    config: ModelConfig,
    featurizer: Featurizer,
    word: WordEmbedding,
    transformer: TransformerEmbedding | None,
    *,
    initialise: bool = True,
) -> Network:
    """The network that `config` describes, for what `featurizer` produces; see `build_network`."""
    return build_network(config, _inventory(featurizer), word, transformer, initialise=initialise)


def _inventory(featurizer: Featurizer) -> Inventory:
    allowed = featurizer.tag_set.allowed_transitions()
    lexicon = featurizer.vocabularies.lexicon
    return Inventory(
        characters=len(featurizer.vocabularies.characters),
        bigrams=len(featurizer.vocabularies.bigrams or ()),
        lexicon=None if lexicon is None else torch.from_numpy(lexicon.shared()),
        casings=len(CASINGS),
        start=torch.tensor(allowed.start),
        transitions=torch.tensor(allowed.transitions),
        end=torch.tensor(allowed.end),
    )


def word_embedding(words: WordVocabulary, size: int, vectors: Vectors | None) -> WordEmbedding:
    """Random rows for the trained words, pretrained ones where there are any, and the reserve behind them."""
    rows = random_words(words.trainable_size, size)
    if vectors is None:
        return WordEmbedding(rows, torch.zeros(0, size))
    matrix = torch.from_numpy(vectors.matrix)
    place = torch.from_numpy(words.ids(vectors.words))
    trained = (place > UNKNOWN) & (place < len(rows))
    rows[place[trained]] = matrix[trained]
    pretrained = torch.zeros(len(rows), dtype=torch.bool)
    pretrained[place[trained]] = True
    reserve = torch.zeros(len(words) - len(rows), size)
    kept = place >= len(rows)
    reserve[place[kept] - len(rows)] = matrix[kept]
    return WordEmbedding(rows, reserve, pretrained)


def transformer_for(config: ModelConfig, folder: str | Path | None = None) -> TransformerEmbedding | None:
    """The transformer that `config` names, read from `folder` if it is given; None where it names none."""
    if config.transformer is None:
        return None
    return TransformerEmbedding.from_pretrained(
        folder or config.transformer,
        layers=config.transformer_layers,
        mix=config.transformer_mix,
        fine_tune=config.fine_tune,
    )
