"""Sentences become tensors: `Featurizer` encodes and collates, `Batch` is what the network reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ner_lstm_crf.features.transformer.subtokens import SubTokenizer
from ner_lstm_crf.features.transformer.windows import SubTokenBatch, SubTokens, collate_subtokens
from ner_lstm_crf.features.vocabularies import Vocabularies
from ner_lstm_crf.features.vocabulary import WordVocabulary
from ner_lstm_crf.features.word_types import Ids, WordTypes
from ner_lstm_crf.tags.scheme import Scheme
from ner_lstm_crf.tags.tag_set import TagSet
from ner_lstm_crf.text.annotation import Sentence

__all__ = ["Batch", "EncodedSentence", "Featurizer", "of_all"]

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class EncodedSentence:
    """One sentence as numbers.

    Attributes:
        forms: The row of each token's surface form in the featurizer's table (T,).
        tags: The tag ids of its spans (T,); None where there are no gold spans.
        subtokens: The sub-tokens a transformer reads; None without one.
        contextual: What a frozen transformer made of them (T, D), computed once; None where it is still to run.
        bigrams: The pairs of each token with its neighbours (T, 2); None where pairs are not looked at.
        lexicon: The words of a lexicon around each token (T, 3); None without one.
    """

    forms: Ids
    tags: Ids | None = None
    subtokens: SubTokens | None = None
    contextual: Tensor | None = None
    bigrams: Ids | None = None
    lexicon: Ids | None = None

    def __len__(self) -> int:
        """The number of tokens."""
        return len(self.forms)


@dataclass(frozen=True, slots=True)
class Batch:
    """Padded sentences over the distinct words they are made of.

    Attributes:
        words: Word ids (W,).
        casings: Casing ids (W,).
        characters: Character ids of all words, each word followed by a gap of zeros (N,).
        character_counts: Characters of each word (W,).
        tokens: Which word stands where (B, T); 0 beyond the lengths.
        lengths: Tokens of each sentence (B,), at least 1.
        tags: Gold tag ids (B, T); None outside training.
        subtokens: What a transformer reads; None without one, or where `contextual` is given.
        contextual: What a frozen transformer made of it (B, T, D).
        bigrams: The pairs of each token with its neighbours (B, T, 2); None where pairs are not looked at.
        lexicon: The words of a lexicon around each token (B, T, 3); None without one.
    """

    words: Tensor
    casings: Tensor
    characters: Tensor
    character_counts: Tensor
    tokens: Tensor
    lengths: Tensor
    tags: Tensor | None = None
    subtokens: SubTokenBatch | None = None
    contextual: Tensor | None = None
    bigrams: Tensor | None = None
    lexicon: Tensor | None = None


class Featurizer:
    """Turns sentences into numbers and back: words, casing, characters, sub-tokens, tags.

    Args:
        vocabularies: What has a row in the network's tables.
        scheme: The scheme the tags are written in.
        labels: The labels, in the order of their tags.
        gap: Zeros after the characters of each word (`char_cnn.gap_of`).
        subtokenizer: Cuts words into the sub-tokens of a transformer; None without one.
    """

    def __init__(
        self,
        vocabularies: Vocabularies,
        *,
        scheme: Scheme,
        labels: Sequence[str],
        gap: int,
        subtokenizer: SubTokenizer | None = None,
    ) -> None:
        self.vocabularies, self.scheme, self.labels = vocabularies, scheme, tuple(labels)
        self.subtokenizer = subtokenizer
        self.tag_set = TagSet(scheme, labels)
        self.tags = self.tag_set.names
        self._gap = gap
        self.table = self.new_table()

    @property
    def words(self) -> WordVocabulary:
        """The word vocabulary."""
        return self.vocabularies.words

    def new_table(self) -> WordTypes:
        """A table of forms like the featurizer's own, without any: for whoever clears it now and then."""
        return WordTypes(self.words, self.vocabularies.characters, self._gap)

    def encode(self, words: Sequence[str], contextual: Tensor | None = None) -> EncodedSentence:
        """The tokens of one sentence, without tags.

        Args:
            words: The tokens.
            contextual: What a frozen transformer makes of them (T, D), if it has read them: no sub-tokens are needed.

        Raises:
            ValueError: If there are none.
        """
        if not words:
            raise ValueError("expected a sentence of at least one token, got none")
        encoded = self.from_forms(self.table.rows(words), contextual)
        if self.subtokenizer is None or contextual is not None:
            return encoded
        return replace(encoded, subtokens=self.subtokenizer.encode(words))

    def from_forms(self, forms: Ids, contextual: Tensor | None) -> EncodedSentence:
        """A sentence of these rows of `table` (T,), without tags and sub-tokens; `contextual` as in `encode`."""
        lengths = np.array([len(forms)])
        bigrams, lexicon = self.bigram_ids(self.table, forms, lengths), self.lexicon_ids(self.table, forms, lengths)
        return EncodedSentence(forms, contextual=contextual, bigrams=bigrams, lexicon=lexicon)

    def bigram_ids(self, table: WordTypes, forms: Ids, lengths: Ids) -> Ids | None:
        """The pairs of each token (N, 2) of sentences of these lengths (S,), whose forms (N,) are rows of `table`."""
        bigrams = self.vocabularies.bigrams
        return None if bigrams is None else bigrams.ids(table.codes(forms), lengths)

    def lexicon_ids(self, table: WordTypes, forms: Ids, lengths: Ids) -> Ids | None:
        """The words of the lexicon around each token (N, 3); arguments as those of `bigram_ids`."""
        lexicon = self.vocabularies.lexicon
        return None if lexicon is None else lexicon.ids(table.lexicon_codes(forms), lengths)

    def encode_gold(self, sentence: Sentence, contextual: Tensor | None = None) -> EncodedSentence:
        """The tokens of one sentence and the tags of its spans; `contextual` as in `encode`.

        Raises:
            ValueError: If there are no tokens, or a span's label is not among the labels.
        """
        encoded = self.encode(sentence.words, contextual)
        return replace(encoded, tags=self.tag_set.encode(sentence.spans, len(sentence.tokens)))

    def collate(self, sentences: Sequence[EncodedSentence]) -> Batch:
        """The sentences as one batch, in their order.

        Raises:
            ValueError: If there are none.
        """
        if not sentences:
            raise ValueError("expected at least one sentence, got none")
        forms = np.concatenate([sentence.forms for sentence in sentences])
        rows, where = np.unique(forms, return_inverse=True)
        characters, counts = self.table.characters(rows)
        lengths = np.array([len(sentence) for sentence in sentences], np.int64)
        place = np.arange(lengths.max()) < lengths[:, None]  # (B, T)
        contextual = _contextual(sentences, place)
        return Batch(
            words=torch.from_numpy(self.table.words(rows)),
            casings=torch.from_numpy(self.table.casings(rows)),
            characters=torch.from_numpy(characters),
            character_counts=torch.from_numpy(counts),
            tokens=_padded(where, place),
            lengths=torch.from_numpy(lengths),
            tags=_tags(sentences, place),
            subtokens=_subtokens(sentences) if contextual is None else None,
            contextual=contextual,
            bigrams=_neighbours((sentence.bigrams for sentence in sentences), place),
            lexicon=_neighbours((sentence.lexicon for sentence in sentences), place),
        )


def _padded(values: NDArray[np.int64], place: NDArray[np.bool_]) -> Tensor:
    """`values`, laid into the True places of (B, T) row by row, zero elsewhere."""
    padded = np.zeros(place.shape, np.int64)
    padded[place] = values
    return torch.from_numpy(padded)


def of_all(values: Iterable[Value | None]) -> list[Value] | None:
    """The values, if there is one of each sentence; else None."""
    found = list(values)
    present = [value for value in found if value is not None]
    return present if len(present) == len(found) else None


def _tags(sentences: Sequence[EncodedSentence], place: NDArray[np.bool_]) -> Tensor | None:
    tags = of_all(sentence.tags for sentence in sentences)
    return None if tags is None else _padded(np.concatenate(tags), place)


def _neighbours(sentences: Iterable[Ids | None], place: NDArray[np.bool_]) -> Tensor | None:
    ids = of_all(sentences)
    if ids is None:
        return None
    padded = np.zeros((*place.shape, ids[0].shape[1]), np.int64)
    padded[place] = np.concatenate(ids)
    return torch.from_numpy(padded)


def _contextual(sentences: Sequence[EncodedSentence], place: NDArray[np.bool_]) -> Tensor | None:
    contextual = of_all(sentence.contextual for sentence in sentences)
    if contextual is None:
        return None
    vectors = contextual[0].new_zeros(*place.shape, contextual[0].shape[1])
    vectors[torch.from_numpy(place)] = torch.cat(contextual)
    return vectors


def _subtokens(sentences: Sequence[EncodedSentence]) -> SubTokenBatch | None:
    subtokens = of_all(sentence.subtokens for sentence in sentences)
    return None if subtokens is None else collate_subtokens(subtokens)
