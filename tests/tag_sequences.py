"""Every short tag sequence of every scheme."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest

from ner_lstm_crf.tags.scheme import SCHEMES, Scheme

LABELS = ("PER", "creative-work")
EVERY_SCHEME = pytest.mark.parametrize("scheme", SCHEMES.values(), ids=list(SCHEMES))


def sequences(scheme: Scheme, longest: int) -> Iterator[list[str]]:
    """Every tag sequence of length 0 to `longest`."""
    for length in range(longest + 1):
        for tags in product(scheme.tags(LABELS), repeat=length):
            yield list(tags)
