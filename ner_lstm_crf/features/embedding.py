"""What the encoder reads of each token: its word, casing, characters and, if there is one, a transformer's vector."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ner_lstm_crf.features.batch import Batch
from ner_lstm_crf.features.char_cnn import CharCnn
from ner_lstm_crf.features.ragged import InferenceBatch
from ner_lstm_crf.features.transformer.encoder import TransformerEmbedding
from ner_lstm_crf.features.vocabulary import UNKNOWN

__all__ = ["BigramEmbedding", "ContextualInput", "LexiconEmbedding", "TokenEmbedding", "WordEmbedding"]


class WordEmbedding(nn.Module):
    """Word vectors in two blocks: one that is trained, and the reserve, pretrained and kept as it is.

    The reserve lets a tagger profit in new text from words it never saw in training, and holds the pretrained vectors
    that are not to change. It is no parameter: no gradient, weight decay or averaging touches it, and its size costs
    nothing in training. It lies in half precision, unless that would overflow.

    Args:
        trained: Vectors of the padding, the unknown word and the words that are trained (V, D).
        reserve: Vectors of the rows after these (R, D); R may be 0. `build_words` says which word is in which block.
        pretrained: Which of the trained vectors are pretrained (V,), bool; None for none of them.

    Attributes:
        sparse_gradient: Whether the gradient of the trained block has the rows of the batch alone.
    """

    reserve: Tensor
    pretrained: Tensor

    def __init__(self, trained: Tensor, reserve: Tensor, pretrained: Tensor | None = None) -> None:
        super().__init__()
        self.trained = nn.Parameter(trained)
        self.sparse_gradient = False
        half = reserve.half()
        self.register_buffer("reserve", half if bool(half.isfinite().all()) else reserve)
        known = torch.zeros(len(trained), dtype=torch.bool) if pretrained is None else pretrained
        self.register_buffer("pretrained", known, persistent=False)  # of no use but in training
        self.size = trained.shape[1]

    def forward(self, words: Tensor) -> Tensor:
        """The vectors of word ids (W,): (W, D)."""
        rows = self.trained_rows(words)
        vectors = nn.functional.embedding(rows, self.trained, sparse=self.sparse_gradient)
        size = len(self.trained)
        known = words < size
        if not len(self.reserve) or bool(known.all()):
            return vectors
        kept = self.reserve[(words - size).clamp(min=0)].to(vectors.dtype)
        return torch.where(known.unsqueeze(1), vectors, kept)

    def trained_rows(self, words: Tensor) -> Tensor:
        """The rows of the trained block that are read for these words (W,), that of the unknown one for the reserve."""
        return words.where(words < len(self.trained), UNKNOWN)


class ContextualInput(nn.Module):
    """The vectors of a transformer, projected to a size that does not drown the others.

    Args:
        transformer: The encoder; where it is frozen a batch may bring its output instead of its input.
        size: The size after projection; 0 for none.

    Where the transformer keeps its layers apart, they are mixed as a weighted sum whose weights are learnt (Peters et
    al. 2018, eq. 1).
    """

    def __init__(self, transformer: TransformerEmbedding, size: int) -> None:
        super().__init__()
        self.transformer = transformer
        layers = transformer.layers if transformer.mix else 1
        mixed = transformer.size // layers
        self.weights = nn.Parameter(torch.zeros(layers)) if transformer.mix else None  # equal at first
        self.scale = nn.Parameter(torch.ones(())) if transformer.mix else None
        self.projection = nn.Linear(mixed, size) if size else nn.Identity()
        self.size = size or mixed

    def forward(self, batch: Batch | InferenceBatch) -> Tensor:
        """One vector per token (B, T, D)."""
        if batch.contextual is not None:
            vectors = batch.contextual.float()
        elif batch.subtokens is not None:
            vectors = self.transformer(batch.subtokens)
        else:
            raise ValueError("expected a batch with sub-tokens or contextual vectors, got neither")
        if self.weights is not None and self.scale is not None:
            layers = vectors.view(*vectors.shape[:2], len(self.weights), -1)  # (B, T, L, D)
            vectors = torch.einsum("btld,l->btd", layers, self.scale * self.weights.softmax(0))
        projected: Tensor = self.projection(vectors)
        return projected


class BigramEmbedding(nn.Module):
    """The vectors of the two pairs that a character makes with its neighbours.

    Args:
        table: The vectors of pairs.
        dropout: Share of pairs in training that are taken for the unknown one.
    """

    def __init__(self, table: WordEmbedding, dropout: float) -> None:
        super().__init__()
        self.table, self.dropout = table, dropout
        self.size = 2 * table.size

    def forward(self, bigrams: Tensor) -> Tensor:
        """The vectors of pairs (B, T, 2), those of a token side by side: (B, T, D)."""
        if self.training and self.dropout:
            dropped = torch.rand(bigrams.shape, device=bigrams.device) < self.dropout
            bigrams = bigrams.masked_fill(dropped, UNKNOWN)
        vectors: Tensor = self.table(bigrams.flatten())
        return vectors.view(*bigrams.shape[:2], self.size)


class LexiconEmbedding(nn.Module):
    """The vectors of the three words of a lexicon that begin at a character, go on over it and end at it.

    A word's vector is the sum of what it shares with words of its length and category, and of what is its own.

    Args:
        table: The vectors of both.
        shared: The row that each row shares with others, itself for one that is shared (W,).
        dropout: Share of words in training that are left with what they share.
    """

    shared: Tensor

    def __init__(self, table: WordEmbedding, shared: Tensor, dropout: float) -> None:
        super().__init__()
        self.table, self.dropout = table, dropout
        self.register_buffer("shared", shared, persistent=False)
        self.size = 3 * table.size

    def forward(self, words: Tensor) -> Tensor:
        """The vectors of words (B, T, 3), those of a token side by side: (B, T, D)."""
        shared = self.shared[words]
        own = words != shared
        if self.training and self.dropout:
            own &= torch.rand(words.shape, device=words.device) >= self.dropout
        vectors: Tensor = self.table(shared.flatten()) + self.table(words.flatten()) * own.reshape(-1, 1)
        return vectors.view(*words.shape[:2], self.size)

    def rows(self, words: Tensor) -> Tensor:
        """What of the table is read for these words (N,)."""
        return torch.cat([words.flatten(), self.shared[words.flatten()]])


class TokenEmbedding(nn.Module):
    """Joins what is known of each token into one vector.

    Args:
        word: Word vectors.
        casing: Casing vectors, or None.
        characters: The char-CNN, or None.
        contextual: A transformer's vectors, or None.
        bigrams: Vectors of pairs of neighbouring characters, or None.
        lexicon: Vectors of a lexicon's words, or None.
        word_dropout: Share of tokens in training whose word is taken for the unknown one (Lample et al. 2016).
    """

    def __init__(  # noqa: PLR0913 (each is a part passed in)
        self,
        word: WordEmbedding,
        *,
        casing: nn.Embedding | None = None,
        characters: CharCnn | None = None,
        contextual: ContextualInput | None = None,
        bigrams: BigramEmbedding | None = None,
        lexicon: LexiconEmbedding | None = None,
        word_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.word, self.casing, self.characters, self.contextual = word, casing, characters, contextual
        self.bigrams, self.lexicon, self.word_dropout = bigrams, lexicon, word_dropout
        self.type_size = word.size + (casing.embedding_dim if casing else 0) + (characters.size if characters else 0)
        self.size = self.type_size + sum(part.size for part in (bigrams, lexicon, contextual) if part is not None)

    def forward(self, batch: Batch) -> Tensor:
        """The vector of each token (B, T, D)."""
        parts = [self._words(batch)]
        forms = self._spelling(batch.casings, batch.characters, batch.character_counts)
        if forms:
            parts.append(nn.functional.embedding(batch.tokens, torch.cat(forms, dim=1)))
        return torch.cat([*parts, *self.in_context(batch)], dim=-1)

    def in_context(self, batch: Batch | InferenceBatch) -> list[Tensor]:
        """What depends on a token's neighbours: see `neighbours`, and what a transformer makes of it (B, T, D each)."""
        parts = self.neighbours(batch.bigrams, batch.lexicon)
        if self.contextual is not None:
            parts.append(self.contextual(batch))
        return parts

    def neighbours(self, bigrams: Tensor | None, lexicon: Tensor | None) -> list[Tensor]:
        """The vectors of a token's pairs and of the lexicon's words around it (B, T, D each), from those of a batch."""
        parts: list[Tensor] = []
        if self.bigrams is not None:
            if bigrams is None:
                raise ValueError("expected a batch with the pairs of its tokens, got none")
            parts.append(self.bigrams(bigrams))
        if self.lexicon is not None:
            if lexicon is None:
                raise ValueError("expected a batch with the lexicon's words around its tokens, got none")
            parts.append(self.lexicon(lexicon))
        return parts

    def tables(self) -> dict[str, WordEmbedding]:
        """The tables of vectors of which a batch reads some rows."""
        tables = {"word": self.word}
        if self.bigrams is not None:
            tables["bigrams"] = self.bigrams.table
        if self.lexicon is not None:
            tables["lexicon"] = self.lexicon.table
        return tables

    def table_ids(self, batch: Batch) -> dict[str, Tensor]:
        """The ids that a batch reads from each table, beside the unknown one."""
        ids = {"word": batch.words}
        if batch.bigrams is not None:
            ids["bigrams"] = batch.bigrams
        if self.lexicon is not None and batch.lexicon is not None:
            ids["lexicon"] = self.lexicon.rows(batch.lexicon)
        return ids

    def type_vectors(self, words: Tensor, casings: Tensor, characters: Tensor, character_counts: Tensor) -> Tensor:
        """What `forward` knows of each word by itself, in evaluation (W, D without what `in_context` gives).

        Args:
            words: Word ids (W,).
            casings: Casing ids (W,).
            characters: Character ids of all words, each word followed by a gap of zeros (N,).
            character_counts: Characters of each word (W,).
        """
        return torch.cat([self.word(words), *self._spelling(casings, characters, character_counts)], dim=1)

    def _spelling(self, casings: Tensor, characters: Tensor, character_counts: Tensor) -> list[Tensor]:
        """What depends on how a word is written, computed once per distinct word: casing and characters (W, D each)."""
        parts: list[Tensor] = []
        if self.casing is not None:
            parts.append(self.casing(casings))
        if self.characters is not None:
            parts.append(self.characters(characters, character_counts))
        return parts

    def _words(self, batch: Batch) -> Tensor:
        words, tokens = batch.words, batch.tokens
        if self.training and self.word_dropout:  # the unknown word is one more word of the batch
            dropped = torch.rand(tokens.shape, device=tokens.device) < self.word_dropout
            tokens = tokens.masked_fill(dropped, len(words))
            words = torch.cat([words, words.new_tensor([UNKNOWN])])
        return nn.functional.embedding(tokens, self.word(words))  # (B, T, D)
