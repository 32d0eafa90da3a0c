"""The files of a bulk job, cut into slices. A slice is what one worker tags at a time, and becomes one shard.

Parquet is cut between rows, text and JSON lines that are not compressed at the line after a byte; any other file is one
slice. So the slices of a file follow from its size alone, and a slice is found without reading those before it.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, TypeAlias

from ner_lstm_crf.errors import InputError, counted, missing
from ner_lstm_crf.files.encodings import BYTE_ORDER_MARK
from ner_lstm_crf.files.json import json_values
from ner_lstm_crf.files.text import EmptyFileError, TextFile, open_compressed
from ner_lstm_crf.formats.registry import suffix_of

Kind: TypeAlias = Literal["parquet", "jsonl", "text"]

SUFFIXES: dict[str, Kind] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".txt": "text",
}
"""The kinds of files by their suffixes."""

_SHARD_NAME = "{stem}-{number:05d}-of-{count:05d}.{suffix}"


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a file.

    Attributes:
        path: The file.
        kind: Its kind.
        start: The first row of Parquet, from 0; of text, the lines that begin at this byte or after it.
        stop: The row, or the byte, before which it ends; None for all of a file that cannot be cut.
        shard: The shard that it becomes, a path within the output.
    """

    path: str
    kind: Kind
    start: int
    stop: int | None
    shard: str


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file of a bulk job.

    Attributes:
        path: Its absolute path.
        kind: Its kind.
        bytes: Its size.
        modified: When it was changed for the last time, in nanoseconds since 1970.
        slices: Its slices, in order.
    """

    path: str
    kind: Kind
    bytes: int
    modified: int
    slices: Sequence[Slice] = field(default=(), compare=False)


def find_files(patterns: Iterable[str], kind: Kind | None = None, *, apart_from: Path | None = None) -> list[InputFile]:
    """The files that patterns name, of one kind, each once.

    Args:
        patterns: Files, folders (the files in them whose suffix is known), and patterns such as `news/**/*.jsonl`.
        kind: The kind of all; None for that of their suffixes.
        apart_from: A folder whose files are left out: the output.

    Raises:
        InputError: If a pattern matches nothing, a file is of no known kind, or they are of several.
    """
    found = dict[str, InputFile]()
    left_out = None if apart_from is None else f"{os.path.abspath(apart_from)}{os.sep}"  # noqa: PTH100  links stay
    for pattern in patterns:
        for name in _matches(pattern):
            path = os.path.abspath(name)  # noqa: PTH100  links stay
            if path in found or (left_out is not None and path.startswith(left_out)):
                continue
            if (of_file := kind or SUFFIXES.get(suffix_of(path))) is None:
                known = ", ".join(SUFFIXES)
                raise InputError(f"expected one of {known} (also .gz, .xz, .bz2), or --input-format", path=name)
            try:
                stat = Path(path).stat()
            except OSError as error:
                raise InputError(f"cannot be read: {error.strerror}", path=name) from None
            found[path] = InputFile(path, of_file, stat.st_size, stat.st_mtime_ns)
    files = list(found.values())
    if not files:
        raise InputError("no file matches but those of --output", path=" ".join(patterns))
    if other := next((one for one in files if one.kind != files[0].kind), None):
        message = f"{files[0].path} is {files[0].kind}, {other.path} {other.kind}"
        raise InputError(f"{message}: expected files of one kind, tag them apart")
    return files


def _matches(pattern: str) -> list[str]:
    """The files that a pattern matches, sorted."""
    path = Path(pattern)
    if path.is_dir():
        names = [str(one) for one in path.iterdir() if one.name[:1] not in "._" and suffix_of(one) in SUFFIXES]
        what = f"no file in this folder has one of {', '.join(SUFFIXES)}"
    elif path.exists() or not glob.has_magic(pattern):
        names, what = [pattern] * path.exists(), ""
    else:
        names, what = glob.glob(pattern, recursive=True), "no file matches"  # noqa: PTH207  also absolute ones
    names = sorted(name for name in names if Path(name).is_file())
    if not names:
        raise InputError(what, path=pattern) if what else missing(pattern)
    return names


def cut_files(files: Sequence[InputFile], slice_bytes: int, suffix: str, encoding: str) -> list[InputFile]:
    """The files with their slices.

    Args:
        files: The files.
        slice_bytes: Bytes of a slice at most, if the file can be cut: of its text, of Parquet before compression.
        suffix: The suffix of shards, without its dot.
        encoding: The encoding of text.

    Raises:
        InputError: If a file cannot be read, or two would have shards of the same names.
    """
    folders = [os.path.dirname(one.path) for one in files]  # noqa: PTH120
    common, stems = os.path.commonpath(folders), dict[str, str]()
    cut = list[InputFile]()
    for one in files:
        # 1. The name of its shards: its own, without the suffixes, in the same folder below the one common to all.
        relative = Path(one.path).relative_to(common)
        stem = str(relative.parent / _stem(relative.name))
        if stem in stems:
            raise InputError(f"its shards would have the names of those of {stems[stem]}: rename one", path=one.path)
        stems[stem] = one.path
        # 2. Where it is cut.
        edges = _edges(one, slice_bytes, encoding)
        names = [
            _SHARD_NAME.format(stem=stem, number=number, count=len(edges), suffix=suffix)
            for number in range(len(edges))
        ]
        slices = [Slice(one.path, one.kind, *edge, name) for edge, name in zip(edges, names, strict=True)]
        cut.append(InputFile(one.path, one.kind, one.bytes, one.modified, tuple(slices)))
    return cut


def _stem(name: str) -> str:
    """The name of a file without the suffixes of its kind and its compression."""
    suffix = suffix_of(name)
    at = name.lower().rfind(suffix) if suffix in SUFFIXES else -1
    return name[:at] if at > 0 else name


def _edges(file: InputFile, slice_bytes: int, encoding: str) -> list[tuple[int, int | None]]:
    """The start and stop of each slice of a file.

    Raises:
        InputError: If it cannot be read.
    """
    if file.kind == "parquet":
        metadata = open_parquet(file.path).metadata
        size = sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))
        total = metadata.num_rows
    elif _may_be_cut(file, encoding):
        size = total = file.bytes
    else:
        return [(0, None)]
    count = max(1, min(-(-size // slice_bytes), total))
    return [*pairwise(total * number // count for number in range(count + 1))]


def _may_be_cut(file: InputFile, encoding: str) -> bool:
    """True for a file of lines whose ends are found in its bytes, each of which can be read by itself."""
    try:
        text = TextFile(file.path, encoding)  # which refuses what is no text
    except EmptyFileError:
        return False
    with open_compressed(file.path) as opened:
        if opened.stream is not opened.raw or text.encoding != "utf-8":
            return False
    if file.kind == "text":
        return True
    # One array, or objects over several lines, are read from their beginning.
    first = next((line for line in text.lines() if not line.isspace()), "").removeprefix(BYTE_ORDER_MARK)
    try:
        return first.startswith("{") and bool([*json_values([first])])
    except InputError:  # an object of several lines; what is wrong is said when it is read
        return False


def open_parquet(path: str) -> Any:
    """A Parquet file, as pyarrow's `ParquetFile`.

    Raises:
        InputError: If it is none, or cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"expected a Parquet file: {error}", path=path) from error


def described(files: Sequence[InputFile]) -> str:
    """How many files, slices and bytes there are, for the person who waits."""
    slices, size = sum(len(one.slices) for one in files), sum(one.bytes for one in files)
    return f"{counted(len(files), 'file')} of {size / 1e6:,.1f} MB in {counted(slices, 'slice')}"
