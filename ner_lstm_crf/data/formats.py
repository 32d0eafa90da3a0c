"""Annotated files of any form: which form a file has, its sentences, and one form written as another."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Literal, get_args

from ner_lstm_crf.config import Unit
from ner_lstm_crf.data.annotation import Sentence
from ner_lstm_crf.data.columns import ColumnOptions
from ner_lstm_crf.data.conll import ReadReport, read_conll, warn_of_missing_labels
from ner_lstm_crf.data.inline import format_inline, parse_inline, read_inline
from ner_lstm_crf.data.jsonl import read_jsonl, record_of
from ner_lstm_crf.data.records import Record, Shape, read_records, write_records
from ner_lstm_crf.data.rewriting import convert_columns, write_conll
from ner_lstm_crf.data.text_files import TextFile, writing
from ner_lstm_crf.errors import InputError

__all__ = [
    "FORMATS",
    "Format",
    "convert",
    "detect_format",
    "format_of_name",
    "iterate_sentences",
    "read_sentences",
    "require_entities",
    "write_sentences",
]

_log = logging.getLogger(__name__)

Format = Literal["conll", "jsonl", "cluener", "inline"]
FORMATS: tuple[Format, ...] = get_args(Format)

_PACKED = (".gz", ".xz", ".bz2")
_BY_SUFFIX: dict[str, Format] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".inline": "inline"}
_COLUMNS = (".conll", ".conllu", ".iob", ".iob2", ".bio", ".bieo", ".bioes", ".tsv")
_MARKED = re.compile(r"(?<!\\)\[[^\[\]]+\]\([^()\[\]\s]+\)")
_SAMPLE_LINES = 200
_SHARE_MARKED = 0.05  # of inline-marked lines many hold an entity; of columns of tokens hardly one looks like it


def format_of_name(path: str | os.PathLike[str]) -> Format | None:
    """The form that a file's name tells, whether packed or not; None if it could be any."""
    suffix = next((suffix for suffix in reversed(Path(path).suffixes) if suffix.lower() not in _PACKED), "").lower()
    return "conll" if suffix in _COLUMNS else _BY_SUFFIX.get(suffix)


def detect_format(path: str | os.PathLike[str], encoding: str = "utf-8") -> Format:
    """The form of a file, by its name or else by its first lines: JSON objects, inline marks, or columns.

    A pipe, which can be read only once, is taken to hold columns.

    Raises:
        InputError: If it cannot be read.
    """
    if Path(path).is_fifo():
        return "conll"
    lines = [line.strip() for line in islice(TextFile(path, encoding).lines(), _SAMPLE_LINES)]
    named = format_of_name(path)
    if named in ("jsonl", "inline"):
        return named
    content = [line for line in lines if line and not line.startswith("#")]
    if content and content[0].startswith("{") and _is_json(content[0]):
        return "jsonl"
    marked = sum(_MARKED.search(line) is not None for line in content)
    is_inline = named is None and marked > _SHARE_MARKED * len(content) and "\t" not in "".join(content)
    return "inline" if is_inline else "conll"


def iterate_sentences(
    path: str | os.PathLike[str], options: ColumnOptions | None = None, *, report: ReadReport | None = None
) -> Iterator[Sentence]:
    """The sentences of a file of any form, one at a time.

    Raises:
        InputError: If the file cannot be read or is malformed; the message names the line.
    """
    options = options or ColumnOptions()
    form = detect_format(path, options.encoding)
    if form == "conll":
        return read_conll(path, options, report=report)
    if form == "inline":
        return _iterate_inline(path, options, report if report is not None else ReadReport())
    return read_jsonl(path, options, report=report)


def read_sentences(
    path: str | os.PathLike[str], options: ColumnOptions | None = None, *, report: ReadReport | None = None
) -> list[Sentence]:
    """All sentences of a file of any form: columns, JSON lines, CLUENER, or inline marks.

    Raises:
        InputError: If the file cannot be read or is malformed; the message names the line.
    """
    return list(iterate_sentences(path, options, report=report))


def require_entities(sentences: Iterable[Sentence], path: str | os.PathLike[str]) -> None:
    """Refuse a file without a single entity, from which nothing can be learnt or measured.

    Raises:
        InputError: If there is none.
    """
    if not any(sentence.spans for sentence in sentences):
        raise InputError("expected entities, found none: every token is outside (O)", path=path)


def write_sentences(
    path: str | os.PathLike[str],
    sentences: Iterable[Sentence],
    *,
    form: Format | None = None,
    scheme: str = "IOB2",
    encoding: str = "utf-8",
) -> None:
    """Write sentences as a new file, in the form asked for, else the one its name tells, else columns.

    Raises:
        InputError: If the file cannot be written, or a token or label cannot stand in it.
    """
    form = form or format_of_name(path) or "conll"
    if form == "conll":
        write_conll(path, sentences, scheme=scheme, encoding=encoding)
    elif form == "inline":
        _write_inline(path, sentences, encoding)
    else:
        write_records(path, map(record_of, sentences), shape=_shape(form), encoding=encoding)


def convert(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    scheme: str | None = None,
    form: Format | None = None,
    options: ColumnOptions | None = None,
    report: ReadReport | None = None,
) -> None:
    """Write a file in another form or another tag scheme.

    Columns to columns keeps everything but the tags; JSON lines to JSON lines keeps the texts. What JSON lines cannot
    say about columns (other columns, comments) is left behind.

    Args:
        source: The file to read, of any form.
        target: The file to write.
        scheme: The tag scheme of the columns to write; None keeps that of the source (IOB2 if it has none).
        form: The form to write; None goes by the target's name; if that tells nothing, a scheme asks for columns, and
            else the source's form is kept.
        options: How to read the source; labels may be renamed or dropped.
        report: Receives what was met.

    Raises:
        InputError: If the source cannot be read or the target not written.
    """
    options = options or ColumnOptions()
    old = detect_format(source, options.encoding)
    new = form or format_of_name(target) or ("conll" if scheme else old)
    if old == new == "conll":
        convert_columns(source, target, scheme, options=options, report=report)
    elif old == "jsonl" and new in ("jsonl", "cluener"):
        records = (_relabelled(record, options) for record in read_records(source, options.encoding, report=report))
        write_records(target, records, shape=_shape(new), encoding=options.encoding)
    else:
        sentences = iterate_sentences(source, options, report=report)
        write_sentences(target, sentences, form=new, scheme=scheme or "IOB2", encoding=options.encoding)


def _shape(form: Format) -> Shape:
    return "cluener" if form == "cluener" else "entities"


def _is_json(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except json.JSONDecodeError:
        return False


def _relabelled(record: Record, options: ColumnOptions) -> Record:
    renamed = ((entity, options.labels.renaming(entity.label)) for entity in record.entities)
    return record._replace(entities=tuple(replace(entity, label=new) for entity, new in renamed if new is not None))


def _iterate_inline(path: str | os.PathLike[str], options: ColumnOptions, report: ReadReport) -> Iterator[Sentence]:
    unit = options.unit or _unit_of_inline(path)
    for sentence in read_inline(path, unit=unit):
        report.labels.update(span.label for span in sentence.spans)
        report.count(sentence)
        yield sentence.with_spans(options.labels(sentence.spans) if options.read_tags else ())
    if not report.sentences:
        raise InputError("expected sentences, found none", path=path)
    warn_of_missing_labels(os.fspath(path), options, report)


def _unit_of_inline(path: str | os.PathLike[str]) -> Unit:
    """Characters, if entities touch the text around them; words else."""
    lines = (line.rstrip("\r\n") for line in islice(TextFile(path).lines(), _SAMPLE_LINES) if not line.startswith("#"))
    touches = any(not _parses(line, "word") and _parses(line, "character") for line in lines)
    return "character" if touches else "word"


def _parses(line: str, unit: Unit) -> bool:
    try:
        parse_inline(line, unit)
    except InputError:
        return False
    return True


def _write_inline(path: str | os.PathLike[str], sentences: Iterable[Sentence], encoding: str) -> None:
    """Lines of words, or of characters if that is what all tokens of a sentence are, as in Chinese corpora."""
    held = list(sentences)
    unit: Unit = "character" if all(len(word) == 1 for sentence in held for word in sentence.words) else "word"
    document = 0
    with writing(path, encoding) as out:
        for sentence in held:
            if sentence.document != document:
                document = sentence.document
                out.write(f"\n## {document}\n")
            try:
                out.write(format_inline(sentence, unit) + "\n")
            except ValueError as error:
                raise InputError(str(error), path=path) from None
