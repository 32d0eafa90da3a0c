"""A tagger for new data that starts from the weights of a trained one."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence, Set

import torch
from torch import Tensor

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.bigrams import Bigrams, build_bigrams
from ner_lstm_crf.features.vectors.vectors import Vectors, coverage
from ner_lstm_crf.features.vocabularies import Vocabularies
from ner_lstm_crf.features.vocabulary import FIRST, Vocabulary, build_characters, build_words
from ner_lstm_crf.saving.model import Model, featurizer_for, network_for, word_embedding
from ner_lstm_crf.text.annotation import Sentence

__all__ = ["warm_start"]

_log = logging.getLogger(__name__)

_LEAST_KNOWN = 0.5  # of the training tokens; a tagger of their language knows nine in ten


def warm_start(base: Model, sentences: Sequence[Sentence], *, freeze_vectors: bool = False, seed: int = 1) -> Model:
    """A tagger of the shape of `base` for the words, characters and labels of `sentences`, which knows what it knew.

    Words of `base` keep their vectors: those in the sentences are trained on, the others are its reserve. Characters
    are those of both, its lexicon stays. Labels are those of the sentences; the emissions and transitions of a tag that
    `base` knows go on from its weights, those of another begin at random.

    Args:
        base: The trained tagger; it is left as it is.
        sentences: The training data.
        freeze_vectors: Whether the vectors of words that `base` knows stay as they are.
        seed: Seed of the weights that `base` has no value for.

    Raises:
        InputError: If `base` has a transformer, or is several networks as one.
    """
    if base.config.transformer is not None:
        raise InputError("expected a model without a transformer to start from")
    counts = Counter(token.text for sentence in sentences for token in sentence.tokens)
    old = base.featurizer
    _warn_of_unknown(counts, set(old.words.symbols))
    vectors = _vectors(base)
    words = build_words(counts, vectors.words, frozen=freeze_vectors)
    characters = _united(old.vocabularies.characters, build_characters(counts))
    labels = sorted({span.label for sentence in sentences for span in sentence.spans})
    bigrams = _united_bigrams(old.vocabularies.bigrams, sentences)
    featurizer = featurizer_for(base.config, Vocabularies(words, characters, bigrams, old.vocabularies.lexicon), labels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        word = word_embedding(words, vectors.size, vectors)
        word.pretrained.zero_()  # none of them is to learn slowly
        network = network_for(base.config, featurizer, word, None)
    places = [featurizer.tags.index(tag) if tag in featurizer.tags else -1 for tag in old.tags]
    _copy(base.single.state_dict(), network.state_dict(), places)
    return Model(base.config, featurizer, network)


def _warn_of_unknown(counts: Mapping[str, int], known: Set[str]) -> None:
    """Log that the tagger to start from knows too few of these words to be of use."""
    share = 1 - coverage(known, counts).share("missing")
    if share < _LEAST_KNOWN:
        _log.warning(
            "the model to start from knows %.1f%% of the training tokens: it was made for others, or another language",
            100 * share,
        )


def _united(old: Vocabulary, new: Vocabulary) -> Vocabulary:
    """The symbols of both, the old ones first."""
    return Vocabulary((*old.symbols, *(symbol for symbol in new.symbols if symbol not in old)))


def _united_bigrams(old: Bigrams | None, sentences: Sequence[Sentence]) -> Bigrams | None:
    if old is None:
        return None
    new = build_bigrams(sentence.words for sentence in sentences)
    return Bigrams(_united(old.vocabulary, new.vocabulary))


def _vectors(base: Model) -> Vectors:
    """All words of a tagger as pretrained vectors."""
    word = base.single.embedding.word
    rows = torch.cat([word.trained.detach()[FIRST:], word.reserve.float()])
    return Vectors(base.featurizer.words.symbols, rows.numpy())


def _copy(source: dict[str, Tensor], target: dict[str, Tensor], places: Sequence[int]) -> None:
    """Let the weights `target`, in place, be those of `source`, wherever these have a value for them.

    Args:
        source: Weights by name.
        target: Weights by name, of the same network but for the number of words, characters and tags.
        places: Where each tag of the source stands in the target; -1 for nowhere.
    """
    shared = [tag for tag, place in enumerate(places) if place >= 0]
    old, new = torch.tensor(shared, dtype=torch.int64), torch.tensor([places[tag] for tag in shared], dtype=torch.int64)
    for name, weight in target.items():
        if name.startswith("embedding.word."):
            continue
        values = source[name]
        if name == "head.transitions":
            weight[new[:, None], new] = values[old[:, None], old]
        elif name.startswith(("head.", "projection.")):
            weight[new] = values[old]
        else:  # characters and pairs of the source come first
            weight[: len(values)] = values
    for row in range(FIRST):
        target["embedding.word.trained"][row] = source["embedding.word.trained"][row]
