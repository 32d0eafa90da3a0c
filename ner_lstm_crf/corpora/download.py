"""Corpora of the catalogue, fetched: resumed where a fetch broke off, checked before they appear under their names.

A file grows as `NAME.part` and becomes `NAME` only when its checksum is the catalogue's, so what has its name is whole.
"""

from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from http.client import HTTPException
from os import PathLike
from pathlib import Path
from typing import Any

from ner_lstm_crf.corpora.catalogue import Corpus, CorpusFile, get_corpus
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.progress import Progress, silent

__all__ = ["fetch", "fetch_corpus"]

_BLOCK = 1 << 16  # bytes between two reports of progress
_TIMEOUT = 30.0  # seconds without an answer or a byte
_AGAIN = "run the command again to go on from there, or give a local copy with --from"

Report = Callable[[int], None]


def fetch(
    name: str,
    target: str | PathLike[str],
    *,
    source: str | PathLike[str] | None = None,
    progress: Progress = silent,
) -> tuple[Path, ...]:
    """Put the files of a corpus of the catalogue into the folder `target/NAME`.

    Files that are there and whole are left alone.

    Args:
        name: The corpus, as the catalogue calls it.
        target: The folder of corpora; made if it is missing.
        source: A local copy to take the files from, in place of the network: a folder that holds them, or that holds
            a folder of the corpus's name.
        progress: Told the bytes of all files so far, and in all.

    Returns:
        The files, in the order of the catalogue.

    Raises:
        InputError: If there is no such corpus, it is restricted, it cannot be reached, is not what the catalogue
            describes, or cannot be written.
    """
    return fetch_corpus(get_corpus(name), target, source=source, progress=progress)


def fetch_corpus(
    corpus: Corpus,
    target: str | PathLike[str],
    *,
    source: str | PathLike[str] | None = None,
    progress: Progress = silent,
) -> tuple[Path, ...]:
    """The same as `fetch`, for a corpus that need not be in the catalogue."""
    if corpus.restricted:
        raise InputError(f"{corpus.name} is restricted ({corpus.licence}); obtain it from {corpus.obtain}")
    folder = Path(target) / corpus.name
    paths = []
    finished = 0
    for file in corpus.files:
        path = folder / file.name
        if not _is_there(path, file):
            report = _report(progress, finished, corpus.size)
            part = _new_part(path)
            if source is None:
                _download(file, part, report)
            else:
                _copy(_local_copy(corpus, file, Path(source)), file, part, report)
            part.replace(path)
        finished += file.size
        progress(finished, corpus.size)
        paths.append(path)
    return tuple(paths)


def _report(progress: Progress, before: int, total: int) -> Report:
    return lambda done: progress(min(before + done, total), total)


def _is_there(path: Path, file: CorpusFile) -> bool:
    """Whether the file is there and whole. What else may stand at its place is not ours to overwrite."""
    if not path.exists():
        return False
    if not path.is_file() or not _is_whole(path, file):
        raise InputError("exists, but is not the file the catalogue describes: move it away to fetch it", path=path)
    return True


def _is_whole(path: Path, file: CorpusFile) -> bool:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256


def _new_part(path: Path) -> Path:
    """Where the file grows."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot make the folder: {error.strerror}", path=path.parent) from error
    return path.with_name(f"{path.name}.part")


def _download(file: CorpusFile, part: Path, report: Report) -> None:
    """Bring `part` to the whole file; once more from the start if what an earlier fetch left does not fit."""
    start = part.stat().st_size if part.exists() else 0
    if start < file.size:
        start = _receive(file, part, start, report)
    if _is_whole(part, file):
        return
    part.unlink()
    if not start:
        raise InputError("the checksum is not the catalogue's: the file has changed or was damaged", path=file.url)
    _download(file, part, report)


def _receive(file: CorpusFile, part: Path, start: int, report: Report) -> int:
    """Add the bytes from `start` on to `part`; where they really began, 0 if the server sent the whole file."""
    request = urllib.request.Request(file.url, headers={"User-Agent": "ner-lstm-crf"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if start and error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return _receive(file, part, 0, report)
        raise InputError(f"the server answered {error.code} {error.reason}", path=file.url) from error
    except (OSError, HTTPException) as error:
        raise _broken(file, error) from error
    with response:
        if response.status != HTTPStatus.PARTIAL_CONTENT:
            start = 0
        size = _write(part, _blocks(response, file, start), start, report)
    if size < file.size:
        raise InputError(f"the connection ended after {size:,} of {file.size:,} bytes: {_AGAIN}", path=file.url)
    return start


def _blocks(response: Any, file: CorpusFile, start: int) -> Iterator[bytes]:
    """What the server sends, up to one byte more than the file should have: enough for its checksum to fail."""
    left = file.size - start + 1
    try:
        while left and (block := response.read(min(_BLOCK, left))):
            left -= len(block)
            yield block
    except (OSError, HTTPException) as error:
        raise _broken(file, error) from error


def _broken(file: CorpusFile, error: Exception) -> InputError:
    reason = getattr(error, "reason", None) or error
    return InputError(f"cannot be reached ({reason}): {_AGAIN}", path=file.url)


def _write(part: Path, blocks: Iterable[bytes], start: int, report: Report) -> int:
    """Write the blocks from the byte `start` on; the size the file then has."""
    size = start
    try:
        with part.open("ab" if start else "wb") as stream:
            for block in blocks:
                stream.write(block)
                size += len(block)
                report(size)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror}", path=part) from error
    return size


def _local_copy(corpus: Corpus, file: CorpusFile, source: Path) -> Path:
    places = (source / corpus.name / file.name, source / file.name)
    for place in places:
        if place.is_file():
            return place
    raise InputError(f"expected {corpus.name}/{file.name} or {file.name} in the folder", path=source)


def _copy(place: Path, file: CorpusFile, part: Path, report: Report) -> None:
    try:
        with place.open("rb") as stream:
            _write(part, iter(lambda: stream.read(_BLOCK), b""), 0, report)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=place) from error
    if not _is_whole(part, file):
        part.unlink()
        raise InputError("the checksum is not the catalogue's: another version, or damaged", path=place)
