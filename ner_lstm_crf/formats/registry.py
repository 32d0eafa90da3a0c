"""Annotated files of any form: which form a file has, its sentences, and one form written as another."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Literal, get_args

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.compression import COMPRESSORS
from ner_lstm_crf.files.json import parse_object
from ner_lstm_crf.files.text import TextFile
from ner_lstm_crf.formats.columns import ReadOptions
from ner_lstm_crf.formats.conll import read_conll
from ner_lstm_crf.formats.inline_files import convert_inline, read_inline_sentences, write_inline
from ner_lstm_crf.formats.records import JsonStyle, write_records
from ner_lstm_crf.formats.report import ReadReport, some_lines, warn_of_losses, warn_of_missing_labels
from ner_lstm_crf.formats.rewriting import convert_columns, write_conll
from ner_lstm_crf.formats.text_json import read_jsonl, record_of, relabelled_records
from ner_lstm_crf.formats.token_json import convert_tokens, has_tokens, read_tokens, write_tokens
from ner_lstm_crf.text.annotation import Sentence
from ner_lstm_crf.text.token_unit import unspaced_chinese

__all__ = [
    "FORMATS",
    "Format",
    "convert",
    "detect_format",
    "format_of_name",
    "iterate_sentences",
    "read_sentences",
    "suffix_of",
    "write_sentences",
]

_log = logging.getLogger(__name__)

Format = Literal["conll", "tokens", "jsonl", "cluener", "inline"]
FORMATS: tuple[Format, ...] = get_args(Format)

_COLUMNS = (".conll", ".conllu", ".iob", ".iob2", ".bio", ".bieo", ".bioes", ".bmes", ".tsv", ".ner")
_BY_SUFFIX: dict[str, Format] = {
    **dict.fromkeys(_COLUMNS, "conll"),
    **dict.fromkeys((".jsonl", ".ndjson", ".json"), "jsonl"),
    ".inline": "inline",
}
_MARKED = re.compile(r"(?<!\\)\[[^\[\]]+\]\([^()\[\]\s]+\)")
_SAMPLE_LINES = 200
_SHARE_MARKED = 0.05  # of inline-marked lines many hold an entity; of columns of tokens hardly one looks like it


def format_of_name(path: str | os.PathLike[str]) -> Format | None:
    """The form that a file's name tells, whether packed or not; None if it could be any."""
    return _BY_SUFFIX.get(suffix_of(path))


def suffix_of(path: str | os.PathLike[str]) -> str:
    """The suffix of a file's name in lower case, without that of its packing.

    Example:
        >>> suffix_of("news.CoNLL.gz"), suffix_of("news")
        ('.conll', '')
    """
    suffixes = (suffix.lower() for suffix in reversed(Path(path).suffixes))
    return next((suffix for suffix in suffixes if suffix not in COMPRESSORS), "")


def detect_format(path: str | os.PathLike[str], encoding: str = "utf-8") -> Format:
    """The form of a file, by its first lines and its name: JSON objects, inline marks, or columns.

    A pipe, which can be read only once, is taken to hold columns.

    Raises:
        InputError: If it cannot be read.
    """
    if Path(path).is_fifo():
        return "conll"
    lines = [line.strip() for line in islice(TextFile(path, encoding).lines(), _SAMPLE_LINES)]
    named = format_of_name(path)
    content = [line for line in lines if line and not line.startswith("#")]
    record = _json_object(content[0]) if content and named != "inline" else None
    if record is not None and has_tokens(record):
        return "tokens"
    if named in ("jsonl", "inline"):
        return named
    if record is not None:
        return "jsonl"
    marked = sum(_MARKED.search(line) is not None for line in content)
    is_inline = named is None and marked > _SHARE_MARKED * len(content) and "\t" not in "".join(content)
    return "inline" if is_inline else "conll"


def iterate_sentences(
    path: str | os.PathLike[str], options: ReadOptions | None = None, *, report: ReadReport | None = None
) -> Iterator[Sentence]:
    """The sentences of a file of any form, one at a time; Chinese characters of columns touch, as in running text.

    Raises:
        InputError: If the file cannot be read or is malformed; the message names the line.
    """
    options = options or ReadOptions()
    form = detect_format(path, options.encoding)
    if form in ("conll", "tokens"):
        read = read_conll if form == "conll" else read_tokens
        sentences = read(path, options, report=report)
        return sentences if options.token_unit else unspaced_chinese(sentences)
    if form == "inline":
        return read_inline_sentences(path, options, report if report is not None else ReadReport())
    return read_jsonl(path, options, report=report)


def read_sentences(
    path: str | os.PathLike[str], options: ReadOptions | None = None, *, report: ReadReport | None = None
) -> list[Sentence]:
    """All sentences of a file of any form: columns, JSON lines of texts or of tokens, CLUENER, or inline marks.

    Args:
        path: The file, packed or not, or `-` for standard input.
        options: What is known of it; the rest is found out.
        report: Receives what was met, which is logged where there is none.

    Raises:
        InputError: If the file cannot be read or is malformed; the message names the line.
    """
    return list(iterate_sentences(path, options, report=report))


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
    form = _known(form) or format_of_name(path) or "conll"
    if form == "conll":
        write_conll(path, sentences, scheme=scheme, encoding=encoding)
    elif form == "tokens":
        write_tokens(path, sentences, scheme=scheme, encoding=encoding)
    elif form == "inline":
        write_inline(path, sentences, encoding)
    else:
        write_records(path, map(record_of, sentences), shape=_shape(form), encoding=encoding)


def convert(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    scheme: str | None = None,
    form: Format | None = None,
    options: ReadOptions | None = None,
    report: ReadReport | None = None,
) -> None:
    """Write a file in another form or another tag scheme.

    Columns to columns keeps everything but the tags, JSON lines to JSON lines the texts and all keys, inline to inline
    the comments and sections. Between forms, what the new one cannot say (other columns, keys, comments) is left
    behind.

    Args:
        source: The file to read, of any form.
        target: The file to write.
        scheme: The tag scheme of columns, or of tokens with their tags, to write; None keeps that of the source where
            the form stays (else IOB2).
        form: The form to write; None goes by the target's name (JSON lines of tokens stay such); if that tells nothing,
            a scheme asks for columns, and else the source's form is kept.
        options: How to read the source; labels may be renamed or dropped.
        report: Receives what was met.

    Raises:
        InputError: If the source cannot be read or the target not written, or a scheme is asked for where there are no
            tags.
    """
    options, form = options or ReadOptions(), _known(form)
    old, named = detect_format(source, options.encoding), format_of_name(target)
    if old == "tokens" and named in ("jsonl", None):
        named = old
    new = form or named or ("conll" if scheme else old)
    if scheme and new not in ("conll", "tokens"):
        raise InputError(f"the scheme {scheme}: columns and lists of tokens have tags, not {new}: leave it out")
    if old == new == "conll":
        convert_columns(source, target, scheme, options=options, report=report)
    elif old == new == "tokens":
        convert_tokens(source, target, scheme, options=options, report=report)
    elif old == "jsonl" and new in ("jsonl", "cluener"):
        _convert_records(source, target, new, options, report)
    elif old == new == "inline":
        convert_inline(source, target, options, report if report is not None else ReadReport())
    else:
        sentences = iterate_sentences(source, options, report=report)
        write_sentences(target, sentences, form=new, scheme=scheme or "IOB2", encoding=options.encoding)


def _known(form: Format | None) -> Format | None:
    """The form that was asked for, if there is one of that name.

    Raises:
        InputError: If there is none.
    """
    if form is not None and form not in FORMATS:
        raise InputError(f"expected a form ({', '.join(FORMATS)}), found {form!r}")
    return form


def _shape(form: Format) -> JsonStyle:
    return "cluener" if form == "cluener" else "entities"


def _json_object(line: str) -> dict[str, Any] | None:
    """The JSON object that a line is; None if it is none, or none that Python reads."""
    try:
        return parse_object(line) if line.startswith("{") else None
    except InputError:
        return None


def _convert_records(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    form: Format,
    options: ReadOptions,
    report: ReadReport | None,
) -> None:
    found = report if report is not None else ReadReport()
    records = relabelled_records(source, options, report=found)
    write_records(target, records, shape=_shape(form), encoding=options.encoding)
    warn_of_missing_labels(os.fspath(source), options.labels, found)
    if report is not None:
        return
    warn_of_losses(os.fspath(source), found)
    if found.reduced:
        message = "%s: of entities only start, end and label are kept, not what else they hold: lines %s"
        _log.warning(message, source, some_lines(found.reduced))
