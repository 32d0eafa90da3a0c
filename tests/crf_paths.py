"""A CRF by its definition, the sum or the best of all paths; and its functions with and without compiled kernels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor

from ner_lstm_crf import crf, kernels
from ner_lstm_crf.crf import ScoreTables
from ner_lstm_crf.model import crf as differentiable

__all__ = ["FORBIDDEN", "PATHS", "TYPES", "Path", "all_paths", "crf_compiled", "crf_portable", "drawn", "score"]

FORBIDDEN = -1e4


OF_ARRAYS = (
    "viterbi",
    "k_best",
    "marginals",
    "expected_counts",
    "entropy",
    "span_probabilities",
    "probable_spans",
)


class Path:
    """The functions of a CRF, all of them over tensors: over compiled kernels, or in plain numpy and torch.

    Those of `crf` read the tensors as arrays, where they lie.
    """

    def __init__(self, compiled: bool) -> None:
        self.compiled = compiled

    @contextmanager
    def chosen(self) -> Iterator[None]:
        """Whatever is called inside takes this path."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(kernels, "available_for", lambda _: self.compiled)
            yield

    def __getattr__(self, name: str) -> Any:
        if name not in OF_ARRAYS and not hasattr(differentiable, name):
            raise AttributeError(name)

        def call(*arguments: Any) -> Any:
            with self.chosen():
                if name in OF_ARRAYS:
                    return over_tensors(name, *arguments)
                found = getattr(differentiable, name)(*arguments)
                if name == "log_partition":  # the two rooms say the same
                    assert torch.equal(over_tensors(name, *arguments), found.detach()) or not self.compiled
                return found

        return call


def over_tensors(name: str, emissions: Tensor, lengths: Tensor, *others: Any) -> Any:
    """The result of a function of `crf`, as tensors."""
    arrays = [x.detach().numpy() if isinstance(x, Tensor) else x for x in (emissions, lengths, *others)]
    found = getattr(crf, name)(arrays[0], arrays[1], ScoreTables(*arrays[2:5]), *arrays[5:])
    return tuple(map(torch.from_numpy, found)) if isinstance(found, tuple) else torch.from_numpy(found)


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
