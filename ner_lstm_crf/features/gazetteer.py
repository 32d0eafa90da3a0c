"""Names of lists found in a text of words: places, given names, family names, or lists of one's own.

Each list says of each token whether it is a name of the list, or begins one, is inside of one, or ends one. The longest
name that covers the token counts. Upper and lower case make no difference to which names are found, but a name that is
written with a small letter at its beginning (`will`, `reading`) has vectors of its own: it is seldom one.

Not to be taken for `tagging.constraints.Gazetteer`, which says what the entities of a text are, whatever a model finds:
here a model learns how far to trust a list.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ner_lstm_crf.config import Hyphens, ModelConfig
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.token_feature import ContextFeature, Ids, Resources, SavedFeature
from ner_lstm_crf.features.trie import Trie
from ner_lstm_crf.features.vocabulary import is_list_of
from ner_lstm_crf.files.text import TextFile, quoted
from ner_lstm_crf.text.normalization import is_visible, normalized
from ner_lstm_crf.text.tokenizer import tokenize

NAMES = Path(__file__).parents[1] / "shipped" / "names.txt.xz"
"""The file of `builtin_names`, made by `scripts/make_names.py`."""

NO_NAME = 0
WHOLE, BEGIN, INSIDE, END = range(4)  # what a token is of a name
ROLES = 4
MOST_LISTS = 20  # more are no lists
_LONGEST = 100  # tokens of a name in a model; each takes a step when text is read
_ALPHABET = 1 << 32


class NameLists(ContextFeature):
    """The names of some lists around each token.

    Args:
        lists: The names of each list, in lower case, their tokens separated by a space.

    Raises:
        ValueError: If there is no list, or too many; if one is empty, or a name is or has too many tokens.
    """

    name = "gazetteer"

    def __init__(self, lists: Mapping[str, Iterable[str]]) -> None:
        self.lists = {label: tuple(sorted({*lists[label]})) for label in sorted(lists)}
        names = [name.split(" ") for of_list in self.lists.values() for name in of_list]
        if not 0 < len(self.lists) <= MOST_LISTS or not all(self.lists.values()):
            raise ValueError(f"expected names in each of 1 to {MOST_LISTS} lists")
        if not all(map(all, names)) or max(map(len, names)) > _LONGEST:
            raise ValueError(f"expected names of 1 to {_LONGEST} tokens, separated by a space")
        tokens = sorted({token for name in names for token in name})
        self._number = {token: number for number, token in enumerate(tokens, 1)}
        self._tries = [self._trie(of_list) for of_list in self.lists.values()]

    def _trie(self, names: Sequence[str]) -> Trie:
        cut = [name.split(" ") for name in names]
        symbols = np.array([self._number[token] for name in cut for token in name], np.int64)
        return Trie(symbols, np.array(list(map(len, cut)), np.int64), _ALPHABET)

    @classmethod
    def build(cls, resources: Resources) -> NameLists | None:
        """The lists that are given, if there are any."""
        if resources.names is None:
            return None
        check_names(resources.config)
        lists: dict[str, set[str]] = {}
        for name, label in resources.names:
            lists.setdefault(label, set()).update(token_forms(name, resources.config.hyphens))
        if empty := min((label for label, names in lists.items() if not names), default=None):
            raise InputError(f"a gazetteer: expected names of 1 to {_LONGEST} tokens in the list {empty!r}, found none")
        return cls(lists)

    @classmethod
    def load(cls, saved: SavedFeature) -> NameLists:
        """See `TokenFeature.load`."""
        value = saved.value
        if not isinstance(value, dict) or not all(is_list_of(str, names) for names in value.values()):
            raise InputError("expected a gazetteer: lists of names")
        try:
            return cls(value)
        except ValueError as error:
            raise InputError(f"a gazetteer: {error}") from error

    def to_json(self) -> Any:
        """The names of each list."""
        return {label: list(names) for label, names in self.lists.items()}

    def type_ids(self, words: Sequence[str]) -> Ids:
        """Twice the number of each word (W,), 0 for one in no name; 1 more if it begins with a small letter."""
        get = self._number.get
        return np.array([2 * get(word.lower(), 0) + word[:1].islower() for word in words], np.int64)

    def encode(self, _: Sequence[str], type_ids: Ids, lengths: Ids, _touching: Sequence[bool] = ()) -> Ids:
        """For each list the row of what each token is of the longest name that covers it (N, lists).

        Of two names of one length the earlier one counts.
        """
        tokens, small = type_ids >> 1, type_ids & 1
        ids = np.full((len(tokens), len(self._tries)), NO_NAME, np.int64)
        for number, trie in enumerate(self._tries):
            for size, starts, _names in trie.matches(tokens, lengths):  # a longer name overwrites a shorter one
                first = 1 + 2 * ROLES * number + ROLES * small[starts]
                for place in range(size):  # the earliest start last
                    role = WHOLE if size == 1 else BEGIN if not place else END if place == size - 1 else INSIDE
                    ids[starts + place, number] = first + role
        return ids

    def vector_size(self, config: ModelConfig) -> int:
        """See `TokenFeature.vector_size`."""
        return len(self.lists) * config.gazetteer_size

    def weight_shapes(self, config: ModelConfig) -> Mapping[str, tuple[int, ...]]:
        """See `TokenFeature.weight_shapes`."""
        return {"table.trainable": (self.rows, config.gazetteer_size)}

    @property
    def rows(self) -> int:
        """The number of vectors: of no name, and for each list of a token's parts in names of either case."""
        return 1 + 2 * ROLES * len(self.lists)


def token_forms(name: str, hyphens: Hyphens) -> set[str]:
    """A name in lower case, its tokens separated by a space: as a text is cut into tokens, and as its spaces cut it.

    Example:
        >>> sorted(token_forms("Guinea-Bissau", "split"))
        ['guinea - bissau', 'guinea-bissau']
    """
    text = normalized(name).text
    cut = " ".join(token.text for token in tokenize(text, hyphens="keep" if hyphens == "keep" else "split"))
    return {form.lower() for form in (cut, " ".join(text.split())) if form and form.count(" ") < _LONGEST}


def check_names(config: ModelConfig) -> None:
    """Refuse lists of names that a model of this configuration would not use.

    Raises:
        InputError: If tokens are characters, or names have no vectors.
    """
    if config.token_unit != "word":
        raise InputError("a gazetteer: expected data whose tokens are words, got characters: a lexicon is for these")
    if not config.gazetteer_size:
        raise InputError("a gazetteer: expected a model that looks for names, this one has gazetteer_size = 0")


def read_names(path: str | Path) -> list[tuple[str, str]]:
    """The names of a UTF-8 file, also compressed, one a line, each with its list, "name" where the file has none.

    A line is a name, or a name, a tab and its list. A name may be in several lists, on a line each.

    Raises:
        InputError: If it cannot be read, holds no name, more than one tab in a line, or more than 20 lists; with the
            line.
    """
    names: dict[tuple[str, str], None] = {}
    lists = set[str]()
    for number, line in enumerate(TextFile(path).lines(), 1):
        if not line.strip():
            continue
        name, *rest = map(str.strip, line.rstrip("\r\n").split("\t"))
        if len(rest) > 1 or not is_visible(name) or rest == [""]:
            wanted = f"expected a name, or a name, a tab and its list, found {quoted(line.strip())}"
            raise InputError(wanted, path=path, line=number)
        lists.add(rest[0] if rest else "name")
        if len(lists) > MOST_LISTS:
            found = quoted(rest[0])
            raise InputError(f"expected at most {MOST_LISTS} lists, found one more, {found}", path=path, line=number)
        names[name, rest[0] if rest else "name"] = None
    if not names:
        raise InputError("expected a gazetteer of one name a line, found no name", path=path)
    return list(names)


def builtin_names() -> list[tuple[str, str]]:
    """Names of places, given names and family names in Latin letters, which come with the package.

    Places are countries, their capitals, regions of the United States and towns above 15,000 inhabitants (GeoNames);
    names of persons are those of the package Faker, of 60 countries.
    """
    return read_names(NAMES)


def checked_names(names: Collection[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Names and their lists, sorted, each once.

    Raises:
        TypeError: If they are something else.
        InputError: If there are none, or more than 20 lists, or nobody would see a name.
    """
    if isinstance(names, str | Mapping) or not all(
        isinstance(pair, tuple) and len(pair) == 2 and all(isinstance(part, str) for part in pair) for pair in names
    ):
        raise TypeError("names: expected pairs of a name and its list: read_names reads a file")
    if invisible := next((name for name, _ in names if not is_visible(name)), None):
        raise InputError(f"names: expected names of visible characters, got {invisible!r:.40}")
    lists = {label for _, label in names}
    if not 0 < len(lists) <= MOST_LISTS:
        raise InputError(f"names: expected names of 1 to {MOST_LISTS} lists, got {len(lists)} lists")
    return tuple(sorted({*names}))
