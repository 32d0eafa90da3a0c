"""The baseline: a BiLSTM-CRF as most people write it in an afternoon.

Batches of random neighbours, padded to the longest; a character CNN over every token; word vectors as one dense table
that Adam walks through in each step; a packed `nn.LSTM`; `torchcrf.CRF`. Nothing in it is slow on purpose.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from torchcrf import CRF

from ner_lstm_crf.config import ModelConfig, TrainingConfig
from ner_lstm_crf.features.vectors import Vectors
from ner_lstm_crf.tags.scheme import get_scheme
from ner_lstm_crf.tags.tag_set import TagSet
from ner_lstm_crf.text.annotation import Sentence

__all__ = ["HandRolled"]

BATCH = TrainingConfig().batch_size  # that of the preset it is measured beside
UNKNOWN = 1  # 0 is padding


class HandRolled(nn.Module):
    """The usual script: vocabularies, network, training loop and tagging loop in one.

    Args:
        sentences: The training data.
        config: Sizes, and the tag scheme.
        vectors: Pretrained word vectors; those of other sentences' words are added too, as far as `also` names them.
        also: Words beyond the training data that may take a pretrained vector.
    """

    def __init__(
        self, sentences: Sequence[Sentence], config: ModelConfig, vectors: Vectors | None, also: Iterable[str] = ()
    ) -> None:
        super().__init__()
        self.words, self.characters = {"": 0, "?": UNKNOWN}, {"": 0, "?": UNKNOWN}
        self.scheme = get_scheme(config.scheme)
        labels = sorted({span.label for sentence in sentences for span in sentence.spans})
        self.tags = {tag: number for number, tag in enumerate(TagSet(self.scheme, labels).names)}
        for sentence in sentences:
            for word in sentence.words:
                self.words.setdefault(word.lower(), len(self.words))
                for character in word:
                    self.characters.setdefault(character, len(self.characters))
        size = config.word_size if vectors is None else vectors.size
        table = self._table(size, vectors, also)
        self.word = nn.Embedding(len(table), size, padding_idx=0, _weight=table)
        self.character = nn.Embedding(len(self.characters), config.char_size, padding_idx=0)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(config.char_size, config.char_filters, width, padding=width // 2) for width in config.char_widths
        )
        inputs = size + config.char_filters * len(config.char_widths)
        self.lstm = nn.LSTM(inputs, config.hidden_size, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(0.5)
        self.projection = nn.Linear(2 * config.hidden_size, len(self.tags))
        self.crf = CRF(len(self.tags), batch_first=True)
        self.optimizer = torch.optim.Adam(self.parameters(), lr=1e-3)

    def _table(self, size: int, vectors: Vectors | None, also: Iterable[str]) -> Tensor:
        """One row per word: pretrained where there is one, else random."""
        rows = {} if vectors is None else {word: row for row, word in enumerate(vectors.words)}
        for word in also:
            if word.lower() in rows:
                self.words.setdefault(word.lower(), len(self.words))
        table = torch.empty(len(self.words), size).uniform_(-0.17, 0.17)
        table[0] = 0
        if vectors is not None:
            for word, row in self.words.items():
                if word in rows:
                    table[row] = torch.from_numpy(vectors.matrix[rows[word]])
        return table

    def emissions(self, words: Tensor, characters: Tensor, lengths: Tensor) -> Tensor:
        """(B, T) words and (B, T, C) characters to (B, T, K)."""
        batch, longest, width = characters.shape
        letters = self.character(characters.view(batch * longest, width)).transpose(1, 2)
        spelling = torch.cat([convolution(letters).amax(2) for convolution in self.convolutions], 1)
        spelling = spelling.view(batch, longest, -1)
        inputs = self.dropout(torch.cat([self.word(words), spelling], 2))
        packed = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)
        outputs, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        emitted: Tensor = self.projection(self.dropout(outputs))
        return emitted

    def _batch(self, sentences: Sequence[Sequence[str]]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Words, characters, lengths, mask."""
        lengths = torch.tensor([len(words) for words in sentences])
        rows = [torch.tensor([self.words.get(word.lower(), UNKNOWN) for word in words]) for words in sentences]
        ids = pad_sequence(rows, batch_first=True)
        width = max(len(word) for words in sentences for word in words)
        letters = torch.zeros(*ids.shape, width, dtype=torch.long)
        for row, words in enumerate(sentences):
            for column, word in enumerate(words):
                spelling = [self.characters.get(character, UNKNOWN) for character in word]
                letters[row, column, : len(word)] = torch.tensor(spelling)
        return ids, letters, lengths, torch.arange(ids.shape[1]) < lengths.unsqueeze(1)

    def train_epoch(self, sentences: Sequence[Sentence], seed: int = 1) -> float:
        """One pass over the sentences in random order; the mean loss of a batch."""
        self.train()
        order = list(sentences)
        random.Random(seed).shuffle(order)
        total = 0.0
        starts = range(0, len(order), BATCH)
        for start in starts:
            chosen = order[start : start + BATCH]
            ids, letters, lengths, mask = self._batch([sentence.words for sentence in chosen])
            tags = pad_sequence(
                [
                    torch.tensor([self.tags[tag] for tag in self.scheme.encode(one.spans, len(one.tokens))])
                    for one in chosen
                ],
                batch_first=True,
            )
            loss = -self.crf(self.emissions(ids, letters, lengths), tags, mask=mask, reduction="mean")
            self.optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.parameters(), 5.0)
            self.optimizer.step()
            total += float(loss.detach())
        return total / len(starts)

    @torch.no_grad()
    def tag(self, sentences: Sequence[Sequence[str]]) -> list[list[str]]:
        """The tags of each sentence, in batches in the order given."""
        self.eval()
        names = list(self.tags)
        found: list[list[str]] = []
        for start in range(0, len(sentences), BATCH):
            ids, letters, lengths, mask = self._batch(sentences[start : start + BATCH])
            paths = self.crf.decode(self.emissions(ids, letters, lengths), mask=mask)
            found += [[names[tag] for tag in path] for path in paths]
        return found
