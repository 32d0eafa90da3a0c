"""Words of a lexicon found in a text of characters, after SoftLexicon.

SoftLexicon (Ma et al. 2020, "Simplify the Usage of Lexicon in Chinese NER") gives each character the words that begin
with it, go on over it and end with it, and pools the vectors of each of these sets. Here the longest word stands for
its set: one row to look up.

All words of one length and category share a row, so that a word no other vector was learnt for still says where words
begin and end and, if the lexicon does, what kind of word this is. A word that occurs twice in the training data has a
row of its own besides.

Whether a character is written in its traditional or its simplified form makes no difference to which words are found.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.simplified import simplified
from ner_lstm_crf.features.vocabulary import is_list_of
from ner_lstm_crf.features.word_types import CODES, Ids, code_of

__all__ = ["Lexicon", "build_lexicon", "check_categories", "lexicon_code"]

NO_WORD = 0
LENGTHS = 4  # words of 2, 3, 4, and of 5 characters or more
MOST_CATEGORIES = 1000  # more are no categories
_LEAST = 2  # a word that occurs once teaches the network nothing but that sentence


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Words of two characters or more.

    Attributes:
        words: The distinct words.
        trained: How many of them have a row of their own, the first ones.
        categories: The distinct kinds of words there are.
        kinds: The category of each word, as its place among them.
        simplify: Whether traditional characters, of words and of texts, are taken for their simplified forms. Of words
            that are the same then the first counts.

    Raises:
        ValueError: If a word is too short or occurs twice, or has no category.
    """

    words: tuple[str, ...]
    trained: int
    categories: tuple[str, ...]
    kinds: tuple[int, ...]
    simplify: bool = True
    _trie: _Trie = field(init=False, repr=False, compare=False)
    _shared: Ids = field(init=False, repr=False, compare=False)  # the row that each word shares (words,)

    def __post_init__(self) -> None:
        if len(set(self.words)) != len(self.words) or min(map(len, self.words), default=2) < 2:
            raise ValueError("expected distinct words of at least two characters")
        kinds = np.array(self.kinds, np.int64)
        if len(kinds) != len(self.words) or kinds.min(initial=0) < 0 or kinds.max(initial=-1) >= len(self.categories):
            raise ValueError("expected a category of each word")
        lengths = np.array([len(word) for word in self.words], np.int64)
        object.__setattr__(self, "_shared", 1 + kinds * LENGTHS + np.minimum(lengths - 2, LENGTHS - 1))
        object.__setattr__(self, "_trie", _Trie(self.words, simplify=self.simplify))

    def __len__(self) -> int:
        """All rows."""
        return self._own + self.trained

    @property
    def _own(self) -> int:
        """Where the rows of words begin that have one of their own: before lie that of no word and the shared ones."""
        return 1 + LENGTHS * len(self.categories)

    def shared(self) -> Ids:
        """The row that each row shares with words of its length and category; that of a shared row is itself (W,)."""
        return np.concatenate([np.arange(self._own), self._shared[: self.trained]])

    def ids(self, codes: Ids, lengths: Ids) -> Ids:
        """The rows of the longest words that begin with each token, go on over it, and end with it (N, 3).

        Of two words of one length that go on over a token, the later one counts.

        Args:
            codes: What `lexicon_code` says of each token, sentences end to end (N,).
            lengths: Tokens of each sentence (S,).
        """
        ids = np.full((len(codes), 3), NO_WORD, np.int64)
        for size, starts, words in self._trie.matches(codes, lengths):  # a longer word overwrites a shorter one
            rows = np.where(words < self.trained, words + self._own, self._shared[words])
            ids[starts, 0] = rows
            for inner in range(size - 2, 0, -1):  # the latest start last
                ids[starts + inner, 1] = rows
            ids[starts + size - 1, 2] = rows
        return ids

    def to_json(self) -> Any:
        """What `from_json` makes the same lexicon of."""
        return {
            "words": list(self.words),
            "trained": self.trained,
            "categories": list(self.categories),
            "kinds": list(self.kinds),
            "simplify": self.simplify,
        }

    @classmethod
    def from_json(cls, value: Any) -> Lexicon:
        """The lexicon that `to_json` wrote; one of an earlier release says nothing of `simplify` and does not.

        Raises:
            InputError: If the value is something else.
        """
        names = ("words", "trained", "categories", "kinds")
        if not isinstance(value, dict) or value.keys() - {"simplify"} != {*names}:
            raise InputError("expected a lexicon with 'words', 'trained', 'categories', 'kinds' and 'simplify'")
        words, trained, categories, kinds = (value[name] for name in names)
        if not is_list_of(str, words) or min(map(len, words), default=2) < 2:
            raise InputError("expected the words of a lexicon to be a list of strings of two characters or more")
        if len(set(words)) != len(words):
            raise InputError("expected distinct words in a lexicon, found one twice")
        if type(trained) is not int or not 0 <= trained <= len(words):
            raise InputError(f"expected at most {len(words)} trained words in a lexicon, got {trained!r}")
        if not is_list_of(str, categories):
            raise InputError("expected the categories of a lexicon to be a list of strings")
        if not is_list_of(int, kinds) or min(kinds, default=0) < 0 or max(kinds, default=-1) >= len(categories):
            raise InputError(f"expected the kinds of a lexicon's words to be numbers below {len(categories)}")
        if len(kinds) != len(words):
            raise InputError(f"expected the kinds of {len(words)} words of a lexicon, got {len(kinds)}")
        simplify = value.get("simplify", False)
        if type(simplify) is not bool:
            raise InputError(f"expected true or false for 'simplify' of a lexicon, got {simplify!r}")
        return cls(tuple(words), trained, tuple(categories), tuple(kinds), simplify)


def lexicon_code(form: str) -> int:
    """The number that a token has in a word: the code of its character; 0, which is in no word, if it is not one."""
    return code_of(form) if len(form) == 1 else 0


def check_categories(categories: Iterable[str], path: str | Path | None = None) -> list[str]:
    """The distinct categories of words, sorted.

    Raises:
        InputError: If there are more than 1,000: then they are something else. It names the file, if that is given.
    """
    distinct = sorted(set(categories))
    if len(distinct) > MOST_CATEGORIES:
        found = f"expected at most {MOST_CATEGORIES:,} categories in a lexicon, found {len(distinct):,}"
        raise InputError(found, path=path)
    return distinct


def build_lexicon(words: Mapping[str, str], sentences: Sequence[Sequence[str]]) -> Lexicon:
    """A lexicon of these words; those that occur twice in the training data have a row of their own.

    Args:
        words: The category of each word, "" for none, in any order; whitespace in words is left out, as a text's is.
        sentences: The tokens of each training sentence.

    Raises:
        InputError: If there are more than 1,000 categories.
    """
    spelled = {"".join(word.split()): category for word, category in sorted(words.items())}
    known = sorted(word for word in spelled if len(word) > 1)
    categories = check_categories(spelled[word] for word in known)
    counts = _occurrences(known, sentences)
    trained = [word for word in known if counts[word] >= _LEAST]
    taken, place = frozenset(trained), {category: number for number, category in enumerate(categories)}
    in_order = (*trained, *(word for word in known if word not in taken))
    return Lexicon(in_order, len(trained), tuple(categories), tuple(place[spelled[word]] for word in in_order))


def _occurrences(words: Sequence[str], sentences: Sequence[Sequence[str]]) -> Counter[str]:
    """How often each word occurs, whatever other word it is a part of, in either form of its characters."""
    codes = np.array([lexicon_code(form) for sentence in sentences for form in sentence], np.int64)
    lengths = np.array([len(sentence) for sentence in sentences], np.int64)
    counts = np.zeros(len(words), np.int64)
    for _, _, found in _Trie(words, simplify=True).matches(codes, lengths):
        counts += np.bincount(found, minlength=len(words))
    return Counter(dict(zip(words, counts.tolist(), strict=True)))


class _Trie:
    """The words as a tree of their characters: node n > 0 is reached by key n - 1, a node and a character.

    Args:
        words: The words; of those that are the same the first is found.
        simplify: Whether traditional characters are taken for their simplified forms, here and in texts.
    """

    def __init__(self, words: Sequence[str], *, simplify: bool) -> None:
        self._simplify = simplify
        lengths = np.array([len(word) for word in words], np.int64)
        codes = np.frombuffer("".join(words).encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.int64)
        codes = simplified(codes) if simplify else codes
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
        self._word[nodes[::-1]] = np.arange(len(words))[::-1]  # what is assigned last, the first word, stays

    def matches(self, codes: Ids, lengths: Ids) -> list[tuple[int, Ids, Ids]]:
        """For each length of words from 1: the length, where words of it start, rising, and their numbers."""
        ends = np.repeat(lengths.cumsum(), lengths)
        codes = simplified(codes) if self._simplify else codes
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
