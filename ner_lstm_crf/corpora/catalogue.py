"""The public corpora that people train on: their addresses, their licences, and how to read them.

The entries are in `catalogue.toml` beside this file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Literal
from urllib.parse import urljoin

from ner_lstm_crf.errors import InputError, did_you_mean

Split = Literal["train", "dev", "test", "all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusFile:
    """One file of a corpus.

    Attributes:
        name: Its name in the folder of the corpus.
        split: The part it is; "all" if the authors published no split.
        url: Its address, pinned to a version.
        size: Its size in bytes.
        sha256: The SHA-256 checksum of its bytes, in hexadecimal.
    """

    name: str
    split: Split
    url: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """A corpus of the catalogue.

    Attributes:
        name: Its name in the catalogue.
        title: Its name as its authors write it.
        language: ISO 639 code; "mul" for several.
        licence: The name of its licence, or the conditions of use.
        home: The page of its authors.
        citation: The papers to cite.
        labels: Its labels, sorted, before `rename`.
        domain: The kind of its texts.
        format: "conll" for columns, "cluener" for JSON lines of that corpus's shape.
        scheme: Its tag scheme; None if it is not in columns or is in use under several.
        separator: The separator of its columns, "tab" or "space".
        token_column: The column of the token, from 1.
        tag_column: The column of the tag, from 1.
        rename: Labels to rename before training; "O" drops them.
        note: A warning to its users, if there is one.
        obtain: The source of a corpus whose licence forbids a download; empty for the others.
        files: Its files; none if it is restricted.
    """

    name: str
    title: str
    language: str
    licence: str
    home: str
    citation: str
    labels: tuple[str, ...]
    domain: str = ""
    format: Literal["conll", "cluener"] = "conll"
    scheme: str | None = None
    separator: Literal["tab", "space"] | None = None
    token_column: int | None = None
    tag_column: int | None = None
    rename: Mapping[str, str] = field(default_factory=dict, hash=False)
    note: str = ""
    obtain: str = ""
    files: tuple[CorpusFile, ...] = ()

    @property
    def restricted(self) -> bool:
        """True if it cannot be downloaded by this package."""
        return bool(self.obtain)

    @property
    def size(self) -> int:
        """All its files together, in bytes."""
        return sum(file.size for file in self.files)


@cache
def catalogue() -> Mapping[str, Corpus]:
    """All corpora by name: those that can be fetched, then those that are restricted."""
    text = files("ner_lstm_crf.corpora").joinpath("catalogue.toml").read_text(encoding="utf-8")
    corpora = (_corpus(entry) for entry in tomllib.loads(text)["corpus"])
    return {corpus.name: corpus for corpus in corpora}


def get_corpus(name: str) -> Corpus:
    """The corpus of that name.

    Raises:
        InputError: If there is none.
    """
    known = catalogue()
    if name in known:
        return known[name]
    hint = did_you_mean(name, known) or f", one of {', '.join(known)}"
    raise InputError(f"expected the name of a corpus in the catalogue, got '{name}'{hint}")


def _corpus(entry: dict[str, Any]) -> Corpus:
    """The corpus of an entry, in which the addresses of its files stand below that of its source."""
    source = entry.pop("source", "")
    found = (CorpusFile(url=urljoin(source, file.pop("path")), **file) for file in entry.pop("files", ()))
    return Corpus(**entry | {"labels": tuple(entry["labels"]), "files": tuple(found)})
