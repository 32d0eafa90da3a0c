"""What a file's name says of its format, to the commands that write text beside annotation."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

__all__ = ["TagFormat", "named_format"]

TagFormat: TypeAlias = Literal["text", "conll", "jsonl"]

_PACKED = (".gz", ".xz", ".bz2")
_BY_SUFFIX: dict[str, TagFormat] = {
    ".txt": "text",
    **dict.fromkeys((".jsonl", ".ndjson", ".json"), "jsonl"),
    **dict.fromkeys((".conll", ".conllu", ".iob", ".iob2", ".bio", ".bioes", ".bmes", ".tsv", ".ner"), "conll"),
}


def named_format(path: str) -> TagFormat | None:
    """The format that a file's suffix tells, packed or not; None if it tells none.

    Example:
        >>> named_format("news.conll.gz"), named_format("news")
        ('conll', None)
    """
    suffixes = [suffix.lower() for suffix in Path(path).suffixes if suffix.lower() not in _PACKED]
    return _BY_SUFFIX.get(suffixes[-1]) if suffixes else None
