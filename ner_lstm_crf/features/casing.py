"""What a word's casing and shape say about it, as one of a few classes.

Pretrained vectors are mostly lower-cased, so `Bank` and `bank` share a row. The class keeps the difference for the
network, beside the char-CNN, as in Reimers and Gurevych 2017 (section 5.2), with more classes: a lone capital (an
initial), punctuation, and the scripts that have no case, Han apart.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ner_lstm_crf.text.scripts import has_han

__all__ = ["CASINGS", "casing", "casing_ids"]

CASINGS: tuple[str, ...] = (
    "padding",  # 0, as everywhere: no word at all
    "lower",  # bank, e-mail, don't
    "upper",  # NATO, U.S.
    "capital",  # a lone capital: A, J.
    "initial upper",  # Bank, Jean's
    "mixed",  # iPhone, McDonald, Jean-Luc
    "numeric",  # 1998, 1,000.5, -3, 9/11
    "mostly numeric",  # 1990s, 747s: more than half of it digits
    "contains digit",  # B2B, Covid-19
    "han",  # 北京
    "caseless",  # Kana, Hangul, Arabic, Hebrew, Thai, ...
    "punctuation",  # . ( ...
    "other",  # symbols, emoji, white space
)
_CLASS = {name: number for number, name in enumerate(CASINGS)}
_LOWER, _UPPER, _CAPITAL, _INITIAL, _MIXED = (
    _CLASS[name] for name in ("lower", "upper", "capital", "initial upper", "mixed")
)
_NUMERIC_SIGNS = frozenset(".,:;/%+-−–'’")


def casing(form: str) -> int:
    """The class of a word, an index into `CASINGS`; never 0, which pads.

    Example:
        >>> [CASINGS[casing(form)] for form in ("Bank", "J.", "1,000", "北京")]
        ['initial upper', 'capital', 'numeric', 'han']
    """
    if form.isascii() and form.isalpha():  # most words, decided without a look at each character
        return _cased(form, len(form))
    return _other(form)


def casing_ids(forms: Iterable[str]) -> npt.NDArray[np.int64]:
    """The class of each word, (T,)."""
    return np.array([casing(form) for form in forms], dtype=np.int64)


def _cased(form: str, letters: int) -> int:
    """The class of a word with cased letters, `letters` of any case in all."""
    if form.islower():
        return _LOWER
    if form.isupper():
        return _CAPITAL if letters == 1 else _UPPER
    first = next((index for index, char in enumerate(form) if char.isalpha()), None)
    if first is None:  # cased signs that are no letters, such as Roman numerals
        return _MIXED
    rest = form[first + 1 :]
    return _INITIAL if form[first].isupper() and rest == rest.lower() else _MIXED


@lru_cache(maxsize=4096)
def _other(form: str) -> int:
    """The class of a word that is not all ASCII letters."""
    digits = sum(char.isdigit() for char in form)
    letters = sum(char.isalpha() for char in form)
    if digits:
        return _CLASS[_digits(form, digits)]
    if form.islower() or form.isupper() or form.lower() != form:
        return _cased(form, letters)
    if letters:
        return _CLASS["han" if has_han(form) else "caseless"]
    if form and all(unicodedata.category(char).startswith("P") for char in form):
        return _CLASS["punctuation"]
    return _CLASS["other"]


def _digits(form: str, digits: int) -> str:
    if all(char.isdigit() or char in _NUMERIC_SIGNS for char in form):
        return "numeric"
    return "mostly numeric" if 2 * digits > len(form) else "contains digit"
