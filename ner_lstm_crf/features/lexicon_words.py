"""Where the words of a lexicon come from: a file, a dictionary that is installed, or the training data."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.lexicon import check_categories
from ner_lstm_crf.files.text import TextFile, quoted
from ner_lstm_crf.text.annotation import Sentence

__all__ = ["cohesive_words", "dictionary_file", "builtin_words", "read_lexicon", "training_words"]

_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_FIELDS = re.compile(r"[^,;]+[,;] ?[0-9]")  # of a word and its count, apart by what stands in no word

LONGEST_WORD = 4  # of the words guessed from raw text, in characters
LEAST_COUNT = 5
LEAST_COHESION = 3.0  # nats


def read_lexicon(path: str | Path) -> dict[str, str]:
    """The words of a UTF-8 file, also packed, one a line, each with its category, "" for none.

    A line is a word, a word and its count, or these and a category. After a tab a category may stand without a count.
    Of a word that occurs twice the last category counts. Single characters are left out: they are no words to look for.

    Raises:
        InputError: If it cannot be read, holds no word of two characters or more or too many categories, or has
            something other than a number after a word and a space, a comma before the number, or more than a category
            after it.
    """
    words: dict[str, str] = {}
    for number, line in enumerate(TextFile(path).lines(), 1):
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
    check_categories(words.values(), path)
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


def training_words(sentences: Sequence[Sentence]) -> dict[str, str]:
    """The words that training data show, without categories: entities named twice, and strings that keep together.

    An entity named once is left out: in training it would say where that entity stands, and nothing else would.
    """
    mentions = Counter(
        "".join(sentence.words[span.start : span.end]) for sentence in sentences for span in sentence.spans
    )
    twice = (mention for mention, count in mentions.items() if count > 1 and len(mention) > 1)
    return dict.fromkeys(sorted({*twice, *cohesive_words([sentence.words for sentence in sentences])}), "")


def cohesive_words(sentences: Iterable[Sequence[str]], *, least: float = LEAST_COHESION) -> list[str]:
    """The strings of 2 to 4 tokens that occur oftener together than chance has it.

    How well a string keeps together is the pointwise mutual information of the two parts it is cut in, in nats, at the
    place where that is lowest. Strings that occur less than 5 times are left out.
    """
    counts: list[Counter[tuple[str, ...]]] = [Counter() for _ in range(LONGEST_WORD + 1)]
    for words in sentences:
        for size in range(1, LONGEST_WORD + 1):
            counts[size].update(zip(*(words[offset:] for offset in range(size)), strict=False))
    total = max(counts[1].total(), 1)
    return sorted(
        "".join(string)
        for size in range(2, LONGEST_WORD + 1)
        for string, count in counts[size].items()
        if count >= LEAST_COUNT
        and all(token.isalpha() for token in string)
        and _cohesion(string, count, counts, total) >= least
    )


def _cohesion(string: tuple[str, ...], count: int, counts: Sequence[Counter[tuple[str, ...]]], total: int) -> float:
    cuts = range(1, len(string))
    apart = max(counts[cut][string[:cut]] * counts[len(string) - cut][string[cut:]] for cut in cuts)
    return math.log(count * total / apart)


def _count_and_category(cell: str) -> list[str]:
    """What stands after a tab: a category, a count, or both."""
    count, _, category = cell.partition(" ")
    return [count, category.strip()] if category and _is_number(count) else [cell]


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None
