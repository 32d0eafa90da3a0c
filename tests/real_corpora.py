"""The known facts about the files of the real corpora, whether they are beside this checkout or not."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

__all__ = ["EVERY_FILE", "FACTS", "Facts"]


@dataclass(frozen=True)
class Facts:
    """The known facts about a file.

    Attributes:
        name: The corpus and the file, `wnut17/dev.conll`.
        scheme: Its tag scheme.
        sentences: How many it has.
        tokens: How many it has.
        broken: Tags that break the rules of IOB2, whatever the scheme.
        widths: How many lines have how many columns.
        labels: How many entities each label has.
    """

    name: str
    scheme: str
    sentences: int
    tokens: int
    broken: int
    widths: dict[int, int]
    labels: dict[str, int]

    @property
    def ill_formed(self) -> int:
        """Tags that break the rules of the file's own scheme; in IOB1 none do."""
        return self.broken if self.scheme == "IOB2" else 0


def _read() -> list[Facts]:
    text = Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
    return [
        Facts(
            name=name,
            scheme=entry["scheme"],
            sentences=entry["sentences"],
            tokens=entry["tokens"],
            broken=entry.get("broken", 0),
            widths={int(width): lines for width, lines in entry["widths"].items()},
            labels=entry["labels"],
        )
        for name, entry in tomllib.loads(text).items()
    ]


FACTS = _read()
EVERY_FILE = pytest.mark.parametrize("facts", FACTS, ids=lambda facts: facts.name)
