"""Treebanks: column files that give the running text of a sentence in a comment, `# text = `, as those of UNER do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.formats.conll import ColumnFile
from ner_lstm_crf.formats.options import ReadOptions, ReadReport
from ner_lstm_crf.text.annotation import Sentence

__all__ = ["read_sentences_with_text", "sentences_and_texts"]

_TEXT = "# text = "


def sentences_and_texts(path: Path, options: ReadOptions) -> Iterator[tuple[Sentence, str | None]]:
    """The sentences that have tokens, each with its text; None where no comment gives it.

    Raises:
        InputError: If the file cannot be read or is malformed.
    """
    report = ReadReport()
    for raw, sentence in ColumnFile(path, options).read(report):
        if sentence is not None and sentence.tokens:
            texts = (line.removeprefix(_TEXT).strip() for line in raw.comments if line.startswith(_TEXT))
            yield sentence, next(texts, None)
    report.warn(path, options)


def read_sentences_with_text(path: Path, options: ReadOptions) -> list[tuple[Sentence, str]]:
    """The sentences whose text a comment gives, each with its text.

    Raises:
        InputError: If the file cannot be read or is malformed, or there are none.
    """
    found = [(sentence, text) for sentence, text in sentences_and_texts(path, options) if text is not None]
    if not found:
        raise InputError(f"expected sentences with their text in a comment, '{_TEXT}...', found none", path=path)
    return found
