"""Inline-marked files become Sentences and Sentences such files; `inline` knows the lines, this module the files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from itertools import islice

from ner_lstm_crf.config import TokenUnit
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.text import TextFile, writing
from ner_lstm_crf.formats.columns import ReadOptions
from ner_lstm_crf.formats.inline import format_inline, inline_lines, parse_inline, rewrite_inline
from ner_lstm_crf.formats.report import ReadReport, warn_of_missing_labels
from ner_lstm_crf.text.annotation import Sentence
from ner_lstm_crf.text.scripts import has_han

__all__ = ["convert_inline", "read_inline_sentences", "write_inline"]

_SPACE = re.compile(r"(?<!\\)\s")
_SAMPLE_LINES = 200


def read_inline_sentences(path: str | os.PathLike[str], options: ReadOptions, report: ReadReport) -> Iterator[Sentence]:
    """The sentences of a file.

    Raises:
        InputError: If it cannot be read, a line is malformed, or there are no sentences.
    """
    token_unit = options.token_unit or _unit_of_inline(path, options.encoding)
    for _, sentence in _counted_inline(path, token_unit, options, report):
        if sentence is not None:
            yield sentence.with_spans(options.labels(sentence.spans) if options.read_tags else ())


def write_inline(path: str | os.PathLike[str], sentences: Iterable[Sentence], encoding: str) -> None:
    """Lines of words, or of characters if that is what all tokens of a sentence are, as in Chinese corpora."""
    held = list(sentences)
    token_unit: TokenUnit = (
        "character" if all(len(word) == 1 for sentence in held for word in sentence.words) else "word"
    )
    document = 0
    with writing(path, encoding) as out:
        if held and held[0].tokens and held[0].tokens[0].text.startswith("\ufeff"):
            out.write("\ufeff")  # else the token's own would be read as the file's byte order mark
        for sentence in held:
            if sentence.document != document:
                document = sentence.document
                out.write(f"\n## {document}\n")
            try:
                out.write(format_inline(sentence, token_unit) + "\n")
            except ValueError as error:
                raise InputError(str(error), path=path) from None


def convert_inline(
    source: str | os.PathLike[str], target: str | os.PathLike[str], options: ReadOptions, report: ReadReport
) -> None:
    """Write a file again under other labels, its comments and sections as they are.

    Raises:
        InputError: As `read_inline_sentences`, and if the target cannot be written.
    """
    token_unit = options.token_unit or _unit_of_inline(source, options.encoding)
    lines = _counted_inline(source, token_unit, options, report)
    rewrite_inline(lines, target, labels=options.labels, token_unit=token_unit, encoding=options.encoding)


def _counted_inline(
    path: str | os.PathLike[str], token_unit: TokenUnit, options: ReadOptions, report: ReadReport
) -> Iterator[tuple[str, Sentence | None]]:
    """The lines with their sentences, their labels as in the file; the report counts them."""
    for line, sentence in inline_lines(path, token_unit=token_unit, encoding=options.encoding):
        if sentence is not None:
            report.labels.update(span.label for span in sentence.spans)
            report.count(sentence)
        elif not line.isspace():
            report.comments += 1
        yield line, sentence
    if not report.sentences:
        raise InputError("expected sentences, found none", path=path)
    warn_of_missing_labels(os.fspath(path), options.labels, report)


def _unit_of_inline(path: str | os.PathLike[str], encoding: str) -> TokenUnit:
    """Characters, if entities touch the text around them, or if it is Chinese without white space; words else."""
    sample = islice(TextFile(path, encoding).lines(), _SAMPLE_LINES)
    lines = [line.rstrip("\r\n") for line in sample if not line.startswith("#")]
    touches = any(not _parses(line, "word") and _parses(line, "character") for line in lines)
    unspaced = not any(_SPACE.search(line.strip()) for line in lines) and any(map(has_han, lines))
    return "character" if touches or unspaced else "word"


def _parses(line: str, token_unit: TokenUnit) -> bool:
    try:
        parse_inline(line, token_unit)
    except InputError:
        return False
    return True
