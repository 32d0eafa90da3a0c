"""A network from its configuration."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.features.char_cnn import CharCnn
from ner_lstm_crf.features.embedding import (
    BigramEmbedding,
    ContextualInput,
    LexiconEmbedding,
    TokenEmbedding,
    WordEmbedding,
)
from ner_lstm_crf.features.transformer.encoder import TransformerEmbedding
from ner_lstm_crf.features.vocabulary import PADDING
from ner_lstm_crf.model.bilstm import BiLstm
from ner_lstm_crf.model.heads import CrfHead, Head, SoftmaxHead
from ner_lstm_crf.model.network import Network

__all__ = ["Inventory", "build_network", "random_words"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """How many of everything the network has to tell apart, and which transitions are allowed.

    Attributes:
        characters: Size of the character vocabulary.
        casings: Number of casing classes.
        start: Which tags may start a sentence (K,), bool.
        transitions: Which tag (column) may follow which (row) (K, K), bool.
        end: Which tags may end a sentence (K,), bool.
        bigrams: Pairs of characters that have a vector, padding and unknown included; 0 where none are looked at.
        lexicon: The row of a lexicon's words that each row shares with others (W,); None without a lexicon.
    """

    characters: int
    casings: int
    start: Tensor
    transitions: Tensor
    end: Tensor
    bigrams: int = 0
    lexicon: Tensor | None = None


def build_network(
    config: ModelConfig,
    inventory: Inventory,
    word: WordEmbedding,
    transformer: TransformerEmbedding | None = None,
    *,
    initialise: bool = True,
) -> Network:
    """The network that `config` describes, its weights drawn from torch's random numbers.

    Args:
        config: Its shape.
        inventory: What it has to tell apart.
        word: Its word vectors.
        transformer: The transformer joined to them, if there is one.
        initialise: Whether the encoder's weights are drawn with care; not where others take the place of all weights.
    """
    embedding = TokenEmbedding(
        word,
        casing=nn.Embedding(inventory.casings, config.casing_size) if config.casing_size else None,
        characters=_char_cnn(config, inventory.characters),
        contextual=ContextualInput(transformer, config.transformer_size) if transformer else None,
        bigrams=_bigrams(config, inventory.bigrams),
        lexicon=_lexicon(config, inventory.lexicon),
        word_dropout=config.word_dropout,
    )
    encoder = BiLstm(
        embedding.size,
        config.hidden_size,
        layers=config.layers,
        residual=config.residual,
        dropouts=(config.input_dropout, config.recurrent_dropout, config.output_dropout),
        initialise=initialise,
    )
    # The head draws its numbers last, so that networks of one seed are equal below it, whatever the head.
    projection = nn.Linear(encoder.size, len(inventory.start))
    return Network(embedding, encoder, projection, _head(config, inventory))


def _bigrams(config: ModelConfig, bigrams: int) -> BigramEmbedding | None:
    if not bigrams:
        return None
    table = WordEmbedding(random_words(bigrams, config.bigram_size), torch.zeros(0, config.bigram_size))
    return BigramEmbedding(table, config.bigram_dropout)


def _lexicon(config: ModelConfig, shared: Tensor | None) -> LexiconEmbedding | None:
    if shared is None:
        return None
    vectors = random_words(len(shared), config.lexicon_size)
    vectors[shared != torch.arange(len(shared))] = 0  # of its own a word has nothing at first
    table = WordEmbedding(vectors, torch.zeros(0, config.lexicon_size))
    return LexiconEmbedding(table, shared, config.lexicon_dropout)


def _char_cnn(config: ModelConfig, characters: int) -> CharCnn | None:
    if not config.char_filters:
        return None
    return CharCnn(
        characters,
        size=config.char_size,
        filters=config.char_filters,
        widths=config.char_widths,
        dropout=config.char_dropout,
    )


def _head(config: ModelConfig, inventory: Inventory) -> Head:
    if config.head == "softmax":
        return SoftmaxHead()
    labelwise = config.crf_loss == "labelwise"
    return CrfHead(inventory.start, inventory.transitions, inventory.end, labelwise=labelwise)


def random_words(size: int, dimension: int) -> Tensor:
    """Vectors for words without pretrained ones: uniform within sqrt(3 / D) (Ma and Hovy 2016), padding zero."""
    bound = (3 / dimension) ** 0.5
    vectors = torch.empty(size, dimension).uniform_(-bound, bound)
    vectors[PADDING] = 0
    return vectors
