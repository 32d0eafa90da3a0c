"""Words of a lexicon found in a text of characters, after SoftLexicon.

SoftLexicon (Ma et al. 2020, "Simplify the Usage of Lexicon in Chinese NER") gives each character the words that begin
with it, go on over it and end with it, and pools the vectors of each of these sets. Here the longest word stands for
its set: one row to look up.

A word that occurs twice in the training data has a row of its own. All others share a row with those of their length,
so that a word no vector was learnt for still says where words begin and end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.forms import CODES, Ids, code_of

__all__ = ["SHARED_ROWS", "Lexicon", "build_lexicon", "lexicon_code"]

NO_WORD = 0
LONGEST_CLASS = 5  # words of so many characters or more share a row
SHARED_ROWS = LONGEST_CLASS  # no word, and words of 2, 3, 4, 5 characters or more
_LEAST = 2  # a word that occurs once teaches the network nothing but that sentence


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Words of two characters or more.

    Attributes:
        words: The distinct words.
        trained: How many of them have a row of their own, the first ones.

    Raises:
        ValueError: If a word is too short or occurs twice.
    """

    words: tuple[str, ...]
    trained: int
    _trie: _Trie = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(set(self.words)) != len(self.words) or min(map(len, self.words), default=2) < 2:
            raise ValueError("expected distinct words of at least two characters")
        object.__setattr__(self, "_trie", _Trie(self.words))

    def __len__(self) -> int:
        """All rows."""
        return SHARED_ROWS + self.trained

    def shared(self) -> Ids:
        """The row that each row shares with unknown words of its length; that of a shared row is itself (W,)."""
        own = [_length_row(len(word)) for word in self.words[: self.trained]]
        return np.array([*range(SHARED_ROWS), *own], np.int64)

    def ids(self, codes: Ids, lengths: Ids) -> Ids:
        """The rows of the longest words that begin with each token, go on over it, and end with it (N, 3).

        Of two words of one length that go on over a token, the later one counts.

        Args:
            codes: What `lexicon_code` says of each token, sentences end to end (N,).
            lengths: Tokens of each sentence (S,).
        """
        ids = np.full((len(codes), 3), NO_WORD, np.int64)
        for size, starts, words in self._trie.matches(codes, lengths):  # a longer word overwrites a shorter one
            rows = np.where(words < self.trained, words + SHARED_ROWS, _length_row(size))
            ids[starts, 0] = rows
            for inner in range(size - 2, 0, -1):  # the latest start last
                ids[starts + inner, 1] = rows
            ids[starts + size - 1, 2] = rows
        return ids

    def to_json(self) -> Any:
        """What `from_json` makes the same lexicon of."""
        return {"words": list(self.words), "trained": self.trained}

    @classmethod
    def from_json(cls, value: Any) -> Lexicon:
        """The lexicon that `to_json` wrote.

        Raises:
            InputError: If the value is something else.
        """
        if not isinstance(value, dict) or set(value) != {"words", "trained"}:
            raise InputError("expected a lexicon with 'words' and 'trained'")
        words, trained = value["words"], value["trained"]
        if not isinstance(words, list) or not all(type(word) is str and len(word) > 1 for word in words):
            raise InputError("expected the words of a lexicon to be a list of strings of two characters or more")
        if len(set(words)) != len(words):
            raise InputError("expected distinct words in a lexicon, found one twice")
        if type(trained) is not int or not 0 <= trained <= len(words):
            raise InputError(f"expected at most {len(words)} trained words in a lexicon, got {trained!r}")
        return cls(tuple(words), trained)


def lexicon_code(form: str) -> int:
    """The number that a token has in a word: the code of its character; 0, which is in no word, if it is not one."""
    return code_of(form) if len(form) == 1 else 0


def build_lexicon(words: Iterable[str], sentences: Sequence[Sequence[str]]) -> Lexicon:
    """A lexicon of these words; those that occur twice in the training data have a row of their own.

    Args:
        words: The words, in any order; whitespace in them is left out, as a text's is.
        sentences: The tokens of each training sentence.
    """
    known = sorted(word for word in dict.fromkeys("".join(word.split()) for word in words) if len(word) > 1)
    counts = _occurrences(known, sentences)
    trained = [word for word in known if counts[word] >= _LEAST]
    taken = frozenset(trained)
    return Lexicon((*trained, *(word for word in known if word not in taken)), len(trained))


def _occurrences(words: Sequence[str], sentences: Sequence[Sequence[str]]) -> Counter[str]:
    """How often each word occurs, whatever other word it is a part of."""
    codes = np.array([lexicon_code(form) for sentence in sentences for form in sentence], np.int64)
    lengths = np.array([len(sentence) for sentence in sentences], np.int64)
    counts = np.zeros(len(words), np.int64)
    for _, _, found in _Trie(words).matches(codes, lengths):
        counts += np.bincount(found, minlength=len(words))
    return Counter(dict(zip(words, counts.tolist(), strict=True)))


def _length_row(size: int) -> int:
    return min(size, LONGEST_CLASS) - 1


class _Trie:
    """The words as a tree of their characters: node n > 0 is reached by key n - 1, a node and a character."""

    def __init__(self, words: Sequence[str]) -> None:
        lengths = np.array([len(word) for word in words], np.int64)
        codes = np.frombuffer("".join(words).encode("utf-32-le"), np.uint32).astype(np.int64)
        first, self._longest = lengths.cumsum() - lengths, int(lengths.max(initial=0))
        nodes, size, keys = np.zeros(len(words), np.int64), 1, list[Ids]()
        for depth in range(self._longest):
            here = np.flatnonzero(lengths > depth)
            new, which = np.unique(nodes[here] * CODES + codes[first[here] + depth], return_inverse=True)
            nodes[here] = size + which
            keys.append(new)
            size += len(new)
        # A depth's nodes follow those of the depth before, so that the keys rise from first to last.
        self._keys = np.concatenate([np.zeros(0, np.int64), *keys])
        self._word = np.full(size, -1, np.int64)
        self._word[nodes] = np.arange(len(words))

    def matches(self, codes: Ids, lengths: Ids) -> list[tuple[int, Ids, Ids]]:
        """For each length of words from 1: the length, where words of it start, rising, and their numbers."""
        ends = np.repeat(lengths.cumsum(), lengths)
        found = list[tuple[int, Ids, Ids]]()
        starts, nodes = np.arange(len(codes)), np.zeros(len(codes), np.int64)
        for size in range(1, self._longest + 1):
            inside = starts + size <= ends[starts]
            starts, nodes = starts[inside], nodes[inside]
            keys = nodes * CODES + codes[starts + size - 1]
            places = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
            known = self._keys[places] == keys
            starts, nodes = starts[known], places[known] + 1
            if not len(starts):
                break
            words = self._word[nodes]
            found.append((size, starts[words >= 0], words[words >= 0]))
        return found
