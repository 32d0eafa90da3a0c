"""A CRF by its definition, the sum or the best of all paths; and its functions with and without compiled kernels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor

from ner_lstm_crf import kernels
from ner_lstm_crf.model import crf

__all__ = ["FORBIDDEN", "PATHS", "TYPES", "Path", "all_paths", "crf_compiled", "crf_portable", "drawn", "score"]

FORBIDDEN = -1e4


class Path:
    """The functions of `crf` over compiled kernels, or in plain torch whatever the machine has."""

    def __init__(self, compiled: bool) -> None:
        self.compiled = compiled

    @contextmanager
    def chosen(self) -> Iterator[None]:
        """Whatever is called inside takes this path."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(kernels, "available_for", lambda _: self.compiled)
            yield

    def __getattr__(self, name: str) -> Any:
        if not hasattr(crf, name):
            raise AttributeError(name)

        def call(*arguments: Any) -> Any:
            with self.chosen():
                return getattr(crf, name)(*arguments)

        return call


crf_compiled, crf_portable = Path(compiled=True), Path(compiled=False)
PATHS = pytest.mark.parametrize("path", [crf_compiled, crf_portable], ids=["compiled", "portable"])
TYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])


def drawn(
    seed: int, sentences: int, tokens: int, tags: int, *, scale: float = 1.0, forbidden: float = 0.0
) -> tuple[Tensor, Tensor, Tensor, tuple[Tensor, Tensor, Tensor]]:
    """Emissions, gold tags, lengths and score tables in float64; a share of the transitions may be forbidden."""
    random = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return scale * torch.randn(*shape, generator=random, dtype=torch.float64)

    lengths = torch.randint(1, tokens + 1, (sentences,), generator=random)
    lengths[0] = tokens
    tables = normal(tags), normal(tags, tags), normal(tags)
    for table in tables:
        table[torch.rand(table.shape, generator=random) < forbidden] = FORBIDDEN
    gold = torch.randint(tags, (sentences, tokens), generator=random)
    return normal(sentences, tokens, tags), gold, lengths, tables


def score(emissions: Tensor, tags: Tensor, tables: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """The score of one path over one sentence, as the definition has it."""
    start, transitions, end = tables
    steps = torch.arange(len(tags))
    return start[tags[0]] + emissions[steps, tags].sum() + transitions[tags[:-1], tags[1:]].sum() + end[tags[-1]]


def all_paths(emissions: Tensor, tables: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Every path over one sentence (K^n, n) and its score (K^n,)."""
    paths = torch.tensor(list(product(range(emissions.shape[1]), repeat=len(emissions))))
    return paths, torch.stack([score(emissions, path, tables) for path in paths])
