"""The score tables of a model, and scores at a temperature."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.floating[Any]]
Numbers: TypeAlias = NDArray[np.int64]

FORBIDDEN = -1e4
"""The score of a forbidden transition, start or end: low enough to hold no probability in float32, high enough that
gradients stay finite."""

FORBIDDING = -1e3
"""Scores of start, transitions and end that are at most this forbid: `FORBIDDEN` at any temperature up to 10. No
trained score comes near."""

NEVER = -1e30
"""The score that excludes a tag or a transition altogether; a sum that holds it is no path's."""


class ScoreTables(NamedTuple):
    """The scores of a CRF beside its emissions; zeros are those of a softmax.

    Attributes:
        start: The score of beginning with each tag (K,); `FORBIDDEN` if that is forbidden, as in the others.
        transitions: The score of a transition, [from, to] (K, K).
        end: The score of ending with each tag (K,).
    """

    start: Floats
    transitions: Floats
    end: Floats

    def astype(self, dtype: Any) -> ScoreTables:
        """The same scores in another number type."""
        return ScoreTables(*(table.astype(dtype, copy=False) for table in self))


def at_temperature(emissions: Floats, tables: ScoreTables, temperature: float) -> tuple[Floats, ScoreTables]:
    """Emissions, of any shape, and score tables divided by a temperature; what is forbidden in the tables stays so."""
    return emissions / temperature, ScoreTables(*(divided(table, temperature) for table in tables))


def divided(scores: Floats, temperature: float) -> Floats:
    """Scores divided by a temperature, but those that forbid: they stay `FORBIDDEN` or less."""
    lowest = FORBIDDEN / min(temperature, 1.0)
    return np.where(scores > FORBIDDEN / 2, scores / temperature, lowest).astype(scores.dtype)
