"""The folders of the scripts: the checkout, and the one beside it with data too large for it."""

from __future__ import annotations

from pathlib import Path

__all__ = ["ROOT", "SHARED"]

ROOT = Path(__file__).resolve().parents[1]
"""The checkout."""

SHARED = ROOT.parent / "shared"
"""The folder of `corpora/` and `vectors/`: ../shared from the checkout, whatever folder a script is called from."""
