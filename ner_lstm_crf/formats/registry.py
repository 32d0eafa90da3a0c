"""The registry of file formats, and the reading, writing and converting of annotated files of any format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ner_lstm_crf.errors import InputError, did_you_mean, path_given
from ner_lstm_crf.files.json import json_values
from ner_lstm_crf.files.text import COMPRESSORS, FilePath, TextFile, is_pipe, quoted
from ner_lstm_crf.formats.cluener import Cluener
from ner_lstm_crf.formats.conll import Conll, holds_tags
from ner_lstm_crf.formats.foreign import foreign_format
from ner_lstm_crf.formats.format import Format, Sample
from ner_lstm_crf.formats.inline import Inline
from ner_lstm_crf.formats.options import ReadOptions, ReadReport, WriteOptions
from ner_lstm_crf.formats.text_json import TextFormat, TextJson, TextWriter, as_text
from ner_lstm_crf.formats.token_json import TokenJson
from ner_lstm_crf.formats.tools.brat import Brat
from ner_lstm_crf.formats.tools.docbin import DocBin
from ner_lstm_crf.formats.tools.doccano import Doccano
from ner_lstm_crf.formats.tools.label_studio import LabelStudio
from ner_lstm_crf.formats.tools.prodigy import Prodigy
from ner_lstm_crf.formats.tools.webanno import WebAnno
from ner_lstm_crf.progress import Progress, silent
from ner_lstm_crf.text.annotation import Sentence, each
from ner_lstm_crf.text.sentences import sentence_tokens

FORMATS: Mapping[str, Format] = {
    one.name: one
    for one in (
        *(Conll(), TextJson(), Cluener(), TokenJson(), Inline()),
        *(Doccano(), Prodigy(), LabelStudio(), WebAnno(), Brat(), DocBin()),
    )
}
"""Every format by its name, the general ones first: a suffix means the first format that has it, and detection asks the
last format first."""

_COLUMNS = FORMATS["conll"]  # the format of files that no format claims, and of files to write that none is named for


def suffix_of(path: FilePath) -> str:
    """The suffix of a file's name in lower case, without that of its compression.

    Example:
        >>> suffix_of("news.CoNLL.gz"), suffix_of("news")
        ('.conll', '')
    """
    suffixes = (suffix.lower() for suffix in reversed(Path(path_given(path)).suffixes))
    return next((suffix for suffix in suffixes if suffix not in COMPRESSORS), "")


def format_of_name(path: FilePath) -> Format | None:
    """The format of a file by its name, compressed or not; None if it could be any."""
    suffix = suffix_of(path)
    return next((known for known in FORMATS.values() if suffix in known.suffixes), None)


def detect_format(path: FilePath, options: ReadOptions | None = None) -> Format:
    """The format of a file or folder: the one that the options name, else by its name and its first lines.

    A file that no format claims, and a pipe, which can be read only once, are taken to hold columns.

    Args:
        path: The file, or the folder of a format of several files.
        options: Name the encoding, and perhaps the format.

    Raises:
        InputError: If it cannot be read, or there is no format of the name that the options give.
    """
    options = options or ReadOptions()
    if (chosen := _format_named(options.format)) is not None:
        return chosen
    if is_pipe(path_given(path)):
        return _COLUMNS
    # 1. What is no text, or has its text in another file.
    claimed = next((known for known in FORMATS.values() if known.claims(path)), None)
    if claimed is not None:
        return claimed
    # 2. The first lines, and the first JSON value if the file begins with one.
    named, file = format_of_name(path), TextFile(path, options.encoding)
    first = file.first_lines()
    lines = [line for line in map(str.strip, first) if line and not line.startswith("#")]
    value = _first_value(file) if lines and lines[0].startswith(("{", "[")) else None
    sample = Sample(suffix_of(path) if named else "", lines, _as_object(value), "".join(first[:1]), value)
    # 3. The suffix decides, unless there is a JSON object: then the file may hold columns under no name.
    if named is not None and sample.content is None and named.detect(sample):
        return named
    # 4. Else the format that claims the file, or the reason why none can.
    found = next((known for known in reversed(tuple(FORMATS.values())) if known.detect(sample)), None)
    return found or foreign_format(suffix_of(path), lines) or _COLUMNS


def _first_value(file: TextFile) -> object:
    """The JSON value with which a file begins, or the first of an array; None if it begins otherwise."""
    try:
        return next((value for _, value in json_values(file.pieces())), None)
    except InputError:
        return None


def _as_object(value: object) -> dict[str, Any] | None:
    """A JSON value as an object with a text, if it is one, else as it stands; None if it is no object."""
    try:
        return as_text(value)
    except InputError:
        return value if isinstance(value, dict) else None


def read_sentences(
    path: FilePath,
    options: ReadOptions | None = None,
    *,
    report: ReadReport | None = None,
    progress: Progress = silent,
) -> list[Sentence]:
    """All sentences of a file of any format: columns, JSON lines of texts or of tokens, CLUENER, or inline marks.

    Args:
        path: The file, compressed or not, or `-` for standard input.
        options: The options of reading; the rest is detected.
        report: Receives the findings, which are logged if there is none.
        progress: Called with the number of sentences read.

    Raises:
        TypeError: If `options` are no `ReadOptions`.
        InputError: If the file cannot be read or is malformed; the message names the line.
    """
    if not isinstance(options, ReadOptions | None):
        raise TypeError(f"expected ReadOptions, got {type(options).__name__}: ReadOptions(scheme='BIOES')")
    options, findings = options or ReadOptions(), report if report is not None else ReadReport()
    sentences = list[Sentence]()
    for sentence in detect_format(path, options).read(path, options, findings):
        sentences.append(sentence)
        progress(len(sentences), None)
    if report is None:
        findings.warn(path, options)
    return sentences


def read_unlabelled(path: FilePath, options: ReadOptions | None = None) -> Iterator[Sentence]:
    """The sentences of a file of any format, whose tags are not read, or of running text.

    Args:
        path: The file. If its name ends in .txt, and it has neither a column of tags nor the content of another format,
            each of its lines is a text, to be split into sentences and tokens.
        options: The options of reading; the rest is detected. Running text is split by `token_unit` and `hyphens`.

    Raises:
        InputError: If the file cannot be read or is malformed; the message names the line.
    """
    options = replace(options or ReadOptions(), read_tags=False)
    is_columns = suffix_of(path) == ".txt" and detect_format(path, options) is _COLUMNS  # as what no format claims is
    if not is_columns or options.format is not None or holds_tags(path, options.encoding):
        yield from read_sentences(path, options)
        return
    token_unit = options.token_unit or "word"
    for line, text in enumerate(TextFile(path, options.encoding).lines(), 1):
        for tokens in sentence_tokens(text, token_unit=token_unit, hyphens=options.hyphens):
            yield Sentence(tuple(tokens), line=line)


def write_sentences(
    path: FilePath,
    sentences: Iterable[Sentence],
    *,
    output_format: str | None = None,
    scheme: str = "IOB2",
    encoding: str = "utf-8",
    label_names: Sequence[str] | None = None,
) -> None:
    """Write sentences as a new file.

    Args:
        path: The file, or `-` for standard output.
        sentences: The sentences.
        output_format: The name of a format; None goes by the suffix of the file. Without one, columns are written.
        scheme: The tag scheme, if the format has tags.
        encoding: The encoding of the file.
        label_names: The names of all tags, if JSON lines of tokens shall have the number of each, from 0, in its place.

    Raises:
        TypeError: If one of them is no `Sentence`, with its number; the old file is unharmed.
        InputError: If there is no such format, or the suffix is that of none; if the file cannot be written, or cannot
            hold a token or a label.
    """
    if isinstance(sentences, str | Sentence) or not isinstance(sentences, Iterable):
        raise TypeError(f"expected sentences, got {type(sentences).__name__}")
    chosen = _format_named(output_format) or format_of_name(path) or _without_name(path, _COLUMNS)
    output = WriteOptions(scheme, encoding, label_names=_names_for(chosen, label_names))
    chosen.write(path, _writable(each(Sentence, sentences), chosen, path), output)


def convert(  # noqa: PLR0913  (one call)
    source: FilePath,
    target: FilePath,
    *,
    scheme: str | None = None,
    output_format: str | None = None,
    label_names: Sequence[str] | None = None,
    options: ReadOptions | None = None,
    report: ReadReport | None = None,
) -> None:
    """Write a file in another format or another tag scheme.

    As long as the format stays, or both are running text, everything but the entities is kept. Between other formats
    the content that the new one has no room for (other columns, keys, comments) is lost.

    Args:
        source: The file to read, of any format.
        target: The file to write.
        scheme: The tag scheme to write, if the format has tags; None keeps that of the source if the format stays (else
            IOB2).
        output_format: The name of the format to write. None goes by the target's suffix: the source's format if it has
            that suffix, or the same as the source; else the first that has it. Without a suffix, the source's format
            is kept, unless it has no tags and a scheme is given: then columns are written.
        label_names: The names of all tags, if JSON lines of tokens shall have the number of each, from 0, in its place.
        options: The options of reading the source; labels may be renamed or dropped.
        report: Receives the findings, which are logged if there is none.

    Raises:
        InputError: If the source cannot be read or the target not written, a scheme is given for a format without
            tags, or the target has a suffix of no format.
    """
    options, findings = options or ReadOptions(), report if report is not None else ReadReport()
    new = _format_named(output_format)
    old = detect_format(source, options)
    if new is None:
        kept = old if old.has_tags or not scheme else _COLUMNS
        is_same = suffix_of(target) in (*old.suffixes, suffix_of(source))
        new = old if is_same else format_of_name(target) or _without_name(target, kept)
    if scheme and not new.has_tags:
        tagged = " and ".join(known.name for known in FORMATS.values() if known.has_tags)
        raise InputError(f"the scheme {scheme}: the formats {tagged} have tags, not {new.name}: leave it out")
    numbers = _names_for(new, label_names)
    output = WriteOptions(scheme, options.encoding, options.token_unit, label_names=numbers)
    is_kept = True  # with all that stands beside the entities
    if new.can_rewrite(old):
        new.rewrite(source, target, options, output, findings)
    elif isinstance(new, TextWriter) and isinstance(old, TextFormat):
        new.write_texts(target, old.texts(source, options, findings), output)
    else:
        new.write(target, _writable(old.read(source, options, findings), new, target), output)
        is_kept = False
    if report is None:
        findings.warn(source, options, rewritten=is_kept)


def _names_for(chosen: Format, names: Sequence[str] | None) -> Sequence[str] | None:
    """The names of tags that become numbers.

    Raises:
        TypeError: If it is a string.
        InputError: If the format has no room for numbers, or a name stands twice.
    """
    if names is None:
        return None
    if isinstance(names, str):
        raise TypeError("expected a list of names of tags as label_names, got a string")
    if not chosen.has_numbers:
        numbered = " and ".join(known.name for known in FORMATS.values() if known.has_numbers)
        raise InputError(f"names of tags that become numbers: the format {numbered} has these, not {chosen.name}")
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise InputError(f"expected each name of a tag once, found {quoted(twice[0])} twice")
    return names


def _writable(sentences: Iterable[Sentence], chosen: Format, path: FilePath) -> Iterator[Sentence]:
    """The sentences, each checked when its turn comes.

    Raises:
        InputError: If one has unknown tokens, and the format has no tags to say so.
    """
    for sentence in sentences:
        if sentence.unknown and not (chosen.says_unknown):
            tagged = ", ".join(known.name for known in FORMATS.values() if known.says_unknown)
            origin = "" if sentence.line is None else f" (line {sentence.line} of its source)"
            message = f"a token whose tag is unknown cannot stand in {chosen.description}{origin}: {tagged} can say so"
            raise InputError(message, path=path)
        yield sentence


def _without_name(path: FilePath, default: Format) -> Format:
    """The format of a file to write whose name is that of no format.

    Raises:
        InputError: If its name has a suffix, which would then promise another.
    """
    if suffix := suffix_of(path):
        known = ", ".join(f"{one.name} {one.suffixes[0]}" for one in FORMATS.values() if one.suffixes)
        message = f"no format has the suffix {suffix}: choose one ({known}), or say --output-format"
        raise InputError(message, path=path)
    return default


def _format_named(name: str | None) -> Format | None:
    """The format of that name; None without a name."""
    if name is not None and name not in FORMATS:
        raise InputError(f"expected a format ({', '.join(FORMATS)}), found {name!r}{did_you_mean(name, FORMATS)}")
    return None if name is None else FORMATS[name]
