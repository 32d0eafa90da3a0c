"""Forms of annotated text that are not read: the error says what a file is, and how it becomes one of ours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NoReturn

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.text import FilePath
from ner_lstm_crf.formats.format import Format
from ner_lstm_crf.formats.options import ReadOptions, ReadReport, WriteOptions
from ner_lstm_crf.text.annotation import Sentence

_AS_JSON = 'write its texts and entities as JSON lines, {"text": ..., "entities": [[start, end, label]]}'
_FORMS: Sequence[tuple[str, str, str]] = (
    (
        ".ann",
        r"T\d+\t\S+ \d+ \d+.*",
        "brat's annotations, which stand apart from their text: name the file .ann, and put the .txt file beside it",
    ),
    (".pubtator", r"\d+\|[ta]\|.*", f"PubTator's texts and annotations: {_AS_JSON}"),
    (
        ".xmi",
        r".*(<xmi:XMI|<CAS\b|xmlns:cas=).*",
        "a document of UIMA (XMI, CAS): export it as WebAnno TSV 3, as INCEpTION can",
    ),
    (
        ".html",
        r"<(!DOCTYPE html|html|head|body)\b.*",
        "an HTML page: save its text as UTF-8, and tag that",
    ),
    (".xml", r"<(\?xml|!DOCTYPE)\b.*|[^<>]*<(\w+)[^<>]*>.*</\2>.*", f"XML: {_AS_JSON}"),
)
"""Suffix, pattern of the first lines, and what the form is."""

_SHOWN = 3  # lines that a pattern is tried on, as one


class Foreign(Format):
    """A form that is not read."""

    name = "foreign"
    description = "a form that is not read"

    def __init__(self, message: str) -> None:
        self.message = message

    def read(self, path: FilePath, options: ReadOptions, report: ReadReport) -> Iterator[Sentence]:
        """See `Format.read`; always an error."""
        del options, report
        self._refuse(path)

    def write(self, path: FilePath, sentences: Iterable[Sentence], options: WriteOptions) -> None:
        """See `Format.write`; always an error."""
        del sentences, options
        self._refuse(path)

    def rewrite(
        self, source: FilePath, target: FilePath, options: ReadOptions, output: WriteOptions, report: ReadReport
    ) -> None:
        """See `Format.rewrite`; always an error."""
        del target, options, output, report
        self._refuse(source)

    def _refuse(self, path: FilePath) -> NoReturn:
        raise InputError(f"expected sentences, found {self.message}", path=path)


def foreign_format(suffix: str, lines: Sequence[str]) -> Foreign | None:
    """The format of a file that is known and not read; None for all others.

    Args:
        suffix: The suffix of its name.
        lines: Its first lines.
    """
    for known, pattern, message in _FORMS:
        first = " ".join(lines[:_SHOWN]) if known in (".xmi", ".html") else "".join(lines[:1])
        if lines and (suffix == known or re.fullmatch(pattern, first, re.IGNORECASE | re.DOTALL)):
            return Foreign(message)
    return None
