"""Every short tag sequence of every scheme."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest

from ner_lstm_crf.tags.scheme import SCHEMES, Scheme
from ner_lstm_crf.tags.tag_set import TagSet

LABELS = ("PER", "creative-work")
EVERY_SCHEME = pytest.mark.parametrize("scheme", SCHEMES.values(), ids=list(SCHEMES))


def sequences(scheme: Scheme, longest: int, labels: tuple[str, ...] = LABELS) -> Iterator[list[str]]:
    """Every tag sequence of length 0 to `longest`."""
    for length in range(longest + 1):
        for tags in product(TagSet(scheme, labels).names, repeat=length):
            yield list(tags)
