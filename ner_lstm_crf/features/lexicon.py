"""Words of a lexicon found in a text of characters, after SoftLexicon.

SoftLexicon (Ma et al. 2020, "Simplify the Usage of Lexicon in Chinese NER") gives each character the words that begin
with it, go on over it and end with it, and pools the vectors of each of these sets. Here the longest word stands for
its set: one row to look up.

All words of one length and category share a row, so that a word without a trained vector still says where words begin
and end and, if the lexicon does, what kind of word this is. A word that occurs twice in the training data has a row of
its own besides, and so has every word with a pretrained vector.

Whether a character is written in its traditional or its simplified form makes no difference to which words are found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.simplified import simplified, simplified_form
from ner_lstm_crf.features.token_feature import ContextFeature, Ids, Resources, Rows, SavedFeature, compact
from ner_lstm_crf.features.trie import Trie
from ner_lstm_crf.features.vectors import Vectors
from ner_lstm_crf.features.vocabulary import is_list_of
from ner_lstm_crf.files.text import TextFile, quoted

NO_WORD = 0
LENGTHS = 4  # words of 2, 3, 4, and of 5 characters or more
MOST_CATEGORIES = 1000  # more are no categories
_LEAST = 2  # a word that occurs once teaches the network nothing but that sentence
_LONGEST = 10_000  # characters of a word in a model; each takes a step when it is loaded
_CODES = 0x110000  # the number of code points of Unicode
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_MARKS = re.compile(r"[\t,;]")
_FIELDS = re.compile(r"[^,;]+[,;] ?[0-9]")  # a word and its count, separated by what is in no word


class Lexicon(ContextFeature):
    """The words of a lexicon around each token.

    Args:
        words: The distinct words, of two characters or more. Of words that are the same in simplified characters the
            first counts.
        trainable: Number of words with a row of their own that is trained, the first ones.
        categories: The distinct categories of words.
        category_ids: The category of each word, as its position among them.
        frozen: The vectors of the words behind the trainable ones (R, D), which are pretrained and stay as they are;
            None if no word has a pretrained vector.
        pretrained: Positions of trainable words (P,) and their pretrained vectors (P, D); None if the first values of a
            network are not needed any more.

    Attributes:
        first_own: The first row that is a word's own; those before it are shared.
        own: Number of words with a row of their own, trainable or frozen.

    Raises:
        ValueError: If a word is too short or occurs twice, or has no category, or there are vectors of more words.
    """

    name = "lexicon"

    def __init__(
        self,
        words: Sequence[str],
        trainable: int,
        categories: Sequence[str],
        category_ids: Sequence[int],
        *,
        frozen: Rows | None = None,
        pretrained: tuple[Ids, Rows] | None = None,
    ) -> None:
        if len(set(words)) != len(words) or min(map(len, words), default=2) < 2:
            raise ValueError("expected distinct words of at least two characters")
        ids = np.array(category_ids, np.int64)
        if len(ids) != len(words) or ids.min(initial=0) < 0 or ids.max(initial=-1) >= len(categories):
            raise ValueError("expected a category of each word")
        self.words, self.trainable, self.pretrained = tuple(words), trainable, pretrained
        self.frozen = None if frozen is None else compact(frozen)
        self.own = trainable + (0 if frozen is None else len(frozen))
        if self.own > len(words):
            raise ValueError(f"expected vectors of at most {len(words)} words, got {self.own}")
        self.categories, self.category_ids = tuple(categories), tuple(category_ids)
        lengths = np.array([len(word) for word in words], np.int64)
        # Rows: that of no word, those that words share, those of trainable words, those of words with frozen vectors.
        self._shared = (
            1 + ids * LENGTHS + np.minimum(lengths - 2, LENGTHS - 1)
        )  # the row that each word shares (words,)
        self.first_own = 1 + LENGTHS * len(categories)
        self._trie = _trie(words)

    @classmethod
    def build(cls, resources: Resources) -> Lexicon | None:
        """The lexicon that is given, if there is one."""
        if resources.lexicon is None:
            return None
        check_lexicon(resources.config)
        return cls.of_words(resources.lexicon, resources.sentences, resources.lexicon_vectors)

    @classmethod
    def of_words(
        cls, words: Mapping[str, str], sentences: Sequence[Sequence[str]], vectors: Vectors | None = None
    ) -> Lexicon:
        """A lexicon of these words; those that occur twice in the training data have a row of their own.

        Args:
            words: The category of each word, "" for none, in any order; whitespace in words is left out.
            sentences: The tokens of each training sentence.
            vectors: Pretrained vectors of words, in simplified characters or as the lexicon has them.

        Raises:
            InputError: If there are more than 1,000 categories.
        """
        spelled = {"".join(word.split()): category for word, category in sorted(words.items())}
        known = sorted(word for word in spelled if len(word) > 1)
        categories = _distinct(spelled[word] for word in known)
        # How often each word occurs, whatever other word it is a part of.
        codes = np.array([_code(token) for tokens in sentences for token in tokens], np.int64)
        lengths = np.array([len(tokens) for tokens in sentences], np.int64)
        counts = np.zeros(len(known), np.int64)
        for _, _, found in _trie(known).matches(simplified(codes), lengths):
            counts += np.bincount(found, minlength=len(known))
        # The trainable words first, then those with a pretrained vector, then all others.
        row_of = {} if vectors is None else {word: row for row, word in enumerate(vectors.words)}
        rows = np.array([_row(word, row_of) for word in known], np.int64)
        ranks = np.where(counts >= _LEAST, 0, np.where(rows >= 0, 1, 2))
        order = np.argsort(ranks, kind="stable")
        in_order, rows, ranks = [known[number] for number in order], rows[order], ranks[order]
        category_ids = {category: number for number, category in enumerate(categories)}
        frozen = pretrained = None
        if vectors is not None:
            frozen = vectors.matrix[rows[ranks == 1]]
            positions = np.flatnonzero((ranks == 0) & (rows >= 0))
            pretrained = positions, vectors.matrix[rows[positions]]
        return cls(
            in_order,
            int(np.count_nonzero(ranks == 0)),
            categories,
            [category_ids[spelled[word]] for word in in_order],
            frozen=frozen,
            pretrained=pretrained,
        )

    @classmethod
    def load(cls, saved: SavedFeature) -> Lexicon:
        """See `TokenFeature.load`."""
        value, names = saved.value, ("words", "trainable", "categories", "category_ids")
        if not isinstance(value, dict) or value.keys() != {*names}:
            raise InputError("expected a lexicon with 'words', 'trainable', 'categories' and 'category_ids'")
        words, trainable, categories, ids = (value[name] for name in names)
        if not is_list_of(str, words) or not is_list_of(str, categories) or not is_list_of(int, ids):
            raise InputError("expected words, categories and the numbers of categories in a lexicon")
        if type(trainable) is not int or not 0 <= trainable <= len(words):
            raise InputError(f"expected at most {len(words)} trainable words in a lexicon, got {trainable!r}")
        if max(map(len, words), default=0) > _LONGEST:
            raise InputError(f"expected words of up to {_LONGEST:,} characters in a lexicon, found a longer one")
        if saved.frozen is not None and saved.frozen.shape[1:] != (saved.config.lexicon_size,):
            raise InputError(f"expected frozen vectors of {saved.config.lexicon_size} values in a lexicon")
        try:
            return cls(words, trainable, categories, ids, frozen=saved.frozen)
        except OverflowError:
            raise InputError("a lexicon: expected a category of each word") from None
        except ValueError as error:
            raise InputError(f"a lexicon: {error}") from error

    def to_json(self) -> Any:
        """The words, the number of trainable ones, the categories and those of the words."""
        return {
            "words": list(self.words),
            "trainable": self.trainable,
            "categories": list(self.categories),
            "category_ids": list(self.category_ids),
        }

    def type_ids(self, words: Sequence[str]) -> Ids:
        """The code point of each word of one character (W,); 0, which is in no word of the lexicon, of others."""
        return np.array([_code(word) for word in words], np.int64)

    def encode(self, _: Sequence[str], codes: Ids, lengths: Ids, _touching: Sequence[bool] = ()) -> Ids:
        """The rows of the longest words that begin with each token, go on over it, and end with it (N, 3).

        Of two words of one length that go on over a token, the later one counts.
        """
        ids = np.full((len(codes), 3), NO_WORD, np.int64)
        for size, starts, words in self._trie.matches(
            simplified(codes), lengths
        ):  # a longer word overwrites a shorter one
            rows = np.where(words < self.own, words + self.first_own, self._shared[words])
            ids[starts, 0] = rows
            for inner in range(size - 2, 0, -1):  # the latest start last
                ids[starts + inner, 1] = rows
            ids[starts + size - 1, 2] = rows
        return ids

    def shared_rows(self) -> Ids:
        """The row that each row shares with words of its length and category; that of a shared row is itself (V,)."""
        return np.concatenate([np.arange(self.first_own), self._shared[: self.own]])

    def word_rows(self) -> Ids:
        """The row of each word: its own, or the one it shares with words of its length and category (words,)."""
        rows = self._shared.copy()
        rows[: self.own] = self.first_own + np.arange(self.own)
        return rows

    def vector_size(self, config: ModelConfig) -> int:
        """See `TokenFeature.vector_size`."""
        return 3 * config.lexicon_size

    def weight_shapes(self, config: ModelConfig) -> Mapping[str, tuple[int, ...]]:
        """See `TokenFeature.weight_shapes`."""
        return {"table.trainable": (self.first_own + self.trainable, config.lexicon_size)}


def _trie(words: Sequence[str]) -> Trie:
    """The words as a tree of their characters, traditional ones taken for their simplified forms."""
    lengths = np.array([len(word) for word in words], np.int64)
    codes = np.frombuffer("".join(words).encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.int64)
    return Trie(simplified(codes), lengths, _CODES)


def _row(word: str, row_of: Mapping[str, int]) -> int:
    """The row of a word's vector, that of its simplified form if it has none; -1 if that has none either."""
    row = row_of.get(word)
    if row is None and row_of:
        row = row_of.get(simplified_form(word))
    return -1 if row is None else row


def _code(token: str) -> int:
    return ord(token) if len(token) == 1 else 0


def check_lexicon(config: ModelConfig) -> None:
    """Refuse a lexicon that a model of this configuration would not use.

    Raises:
        InputError: If tokens are words, or the words of a lexicon have no vectors.
    """
    if config.token_unit != "character":
        raise InputError("a lexicon: expected data whose tokens are characters, got words")
    if not config.lexicon_size:
        raise InputError("a lexicon: expected a model that looks for words, this one has lexicon_size = 0")


def _distinct(categories: Iterable[str], path: str | Path | None = None) -> list[str]:
    """The distinct categories of words, sorted.

    Raises:
        InputError: If there are more than 1,000: then they are something else. It names the file, if that is given.
    """
    distinct = sorted(set(categories))
    if len(distinct) > MOST_CATEGORIES:
        message = f"expected at most {MOST_CATEGORIES:,} categories in a lexicon, found {len(distinct):,}"
        raise InputError(message, path=path)
    return distinct


def read_lexicon(path: str | Path) -> dict[str, str]:
    """The words of a UTF-8 file, also compressed, one a line, each with its category, "" for none.

    A line is a word, a word and its count, or these and a category. After a tab a category may stand without a count.
    Of a word that occurs twice the last category counts. Single characters are left out: they are no words to look for.

    Raises:
        InputError: If it cannot be read, holds no word of two characters or more or too many categories, or has
            something other than a number after a word and a space, a comma before the number, or more than a category
            after it.
    """
    words: dict[str, str] = {}
    for number, line in enumerate(TextFile(path).lines(), 1):
        # As nearly all lines of a large lexicon are: a word, a count and a category, apart by spaces.
        parts = line.split()
        if len(parts) == 3 and parts[1].isascii() and parts[1].isdigit() and not _MARKS.search(line):
            if len(parts[0]) > 1:
                words[parts[0]] = parts[2]
            continue
        cells = list(filter(None, map(str.strip, line.split("\t")))) or [""]
        word, *rest = cells[0].split() or [""]
        surplus = rest[2:]
        rest += chain.from_iterable(map(_count_and_category, cells[1:]))
        if _FIELDS.match(line):
            wanted = f"expected a word, or a word and its count, apart by a space or tab, found {quoted(line.strip())}"
            raise InputError(wanted, path=path, line=number)
        if rest and not _is_number(rest[0]):
            if not line.strip().startswith(f"{word}\t"):
                found = quoted(f"{word} {rest[0]}")
                wanted = f"expected a word, or a word and its count, found {found}"
                raise InputError(f"{wanted} (a category follows the count, or a tab)", path=path, line=number)
            rest = ["", *rest]
        if surplus:
            wanted = f"expected a word, its count and a category, found {quoted(line.strip())}"
            raise InputError(f"{wanted} (a category of several words stands after a tab)", path=path, line=number)
        if len(word) > 1:
            words[word] = rest[1] if len(rest) > 1 else ""
    if not words:
        raise InputError("expected a lexicon of one word a line, found no word of two characters or more", path=path)
    _distinct(words.values(), path)
    return words


def builtin_words() -> dict[str, str]:
    """The words of general Chinese in simplified characters, each with its part of speech: the dictionary of jieba.

    Its tags tell names of persons (nr), places (ns) and organisations (nt) from other words.

    Raises:
        InputError: If the package is not installed as a whole.
    """
    return read_lexicon(dictionary_file())


def dictionary_file() -> Path:
    """The dictionary of jieba: a word, its count and its part of speech a line.

    Raises:
        InputError: If the package is not installed.
    """
    package = find_spec("jieba")  # not imported: its file is all that is needed
    if package is None or package.origin is None:
        raise InputError("expected the package jieba, whose dictionary is the general lexicon: pip install jieba")
    return Path(package.origin).with_name("dict.txt")


def _count_and_category(cell: str) -> list[str]:
    """The fields after a tab: a category, a count, or both."""
    count, _, category = cell.partition(" ")
    return [count, category.strip()] if category and _is_number(count) else [cell]


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None
