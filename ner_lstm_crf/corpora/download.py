"""Corpora of the catalogue, downloaded or copied, and checked before they appear under their names."""

from __future__ import annotations

import hashlib
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Thread

from ner_lstm_crf.corpora.catalogue import Corpus, CorpusFile
from ner_lstm_crf.errors import InputError, path_given
from ner_lstm_crf.files.atomic import make_directory, remove_temp_files, replacing
from ner_lstm_crf.files.text import FilePath
from ner_lstm_crf.progress import Progress, silent

_BLOCK = 1 << 16  # bytes between two reports of progress
_TIMEOUT = 30.0  # seconds without an answer or a byte
_PATIENCE, _SLOWEST = 60.0, 10_000.0  # seconds, and bytes a second beside them, that a file may take
_LONGEST = 200  # characters of a reason
_AGAIN = "run the command again, or give a local copy with --from"


def fetch_corpus(
    corpus: Corpus, target: FilePath, *, source: FilePath | None = None, progress: Progress = silent
) -> tuple[Path, ...]:
    """Put the files of a corpus into the folder `target/NAME`. Files that are complete already are left alone.

    Args:
        corpus: The corpus; `get_corpus` finds it by its name in the catalogue.
        target: The folder of corpora; made if it is missing.
        source: A local copy to take the files from, in place of the network: a folder that holds them, or that holds
            a folder of the corpus's name.
        progress: Called with the bytes of all files so far, and in all.

    Returns:
        The files, in the order of the catalogue.

    Raises:
        InputError: If the corpus is restricted, cannot be reached, is not what the catalogue describes, or cannot be
            written.
    """
    if corpus.restricted:
        raise InputError(f"{corpus.name} is restricted ({corpus.licence}); obtain it from {corpus.obtain}")
    folder = Path(path_given(target)) / corpus.name
    make_directory(folder)
    remove_temp_files(folder)
    finished, paths = 0, [folder / file.name for file in corpus.files]
    for file, path in zip(corpus.files, paths, strict=True):
        if path.exists():
            if not path.is_file() or path.stat().st_size != file.size or _digest(path) != file.sha256:
                message = "exists, but is not the file the catalogue describes: move it away to fetch it"
                raise InputError(message, path=path)
        else:
            origin = file.url if source is None else _local_copy(corpus, file, Path(path_given(source)))
            blocks = _downloaded(origin, file.size) if isinstance(origin, str) else _copied(origin, file.size)
            digest, size = hashlib.sha256(), 0
            with replacing(path) as new, new.open("wb") as out:
                for block in blocks:
                    out.write(block)
                    digest.update(block)
                    size += len(block)
                    progress(min(finished + size, corpus.size), corpus.size)
                if source is None and size < file.size:
                    raise InputError(
                        f"the connection ended after {size:,} of {file.size:,} bytes: {_AGAIN}", path=origin
                    )
                if digest.hexdigest() != file.sha256:
                    raise InputError("the checksum is not the catalogue's: another version, or damaged", path=origin)
        finished += file.size
        progress(finished, corpus.size)
    return tuple(paths)


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=path) from error


def _local_copy(corpus: Corpus, file: CorpusFile, source: Path) -> Path:
    for path in (source / corpus.name / file.name, source / file.name):
        if path.is_file():
            return path
    raise InputError(f"expected {corpus.name}/{file.name} or {file.name} in the folder", path=source)


def _copied(path: Path, size: int) -> Iterator[bytes]:
    """The bytes of a file, up to one more than it should have: enough for its checksum to fail."""
    try:
        with path.open("rb") as stream:
            while block := stream.read(min(_BLOCK, size + 1 - stream.tell())):
                yield block
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=path) from error


def _downloaded(url: str, size: int) -> Iterator[bytes]:
    """The bytes at an address, up to one more than the file should have.

    They are received in a thread of their own: a server may be slow without end at each step of its answer.
    """
    received, wanted = SimpleQueue[bytes | Exception](), Event()
    wanted.set()
    Thread(target=_receive, args=(url, size, received, wanted), daemon=True).start()
    limit = _PATIENCE + size / _SLOWEST
    deadline = time.monotonic() + limit
    try:
        while block := received.get(timeout=max(deadline - time.monotonic(), 0.001)):
            if isinstance(block, Exception):
                raise block
            yield block
    except Empty:
        raise InputError(f"the server is too slow, {limit:,.0f} s were not enough: {_AGAIN}", path=url) from None
    except urllib.error.HTTPError as error:
        phrase = f" {HTTPStatus(error.code).phrase}" if error.code in set(HTTPStatus) else ""
        onwards = ", with an address that leads nowhere" if 300 <= error.code < 400 else ""
        raise InputError(f"the server answered {error.code}{phrase}{onwards}", path=url) from error
    except (OSError, HTTPException, ValueError) as error:
        if isinstance(error, InputError):  # of whoever writes the blocks
            raise
        reason = str(getattr(error, "reason", "") or error)[:_LONGEST]
        raise InputError(f"cannot be reached ({reason}): {_AGAIN}", path=url) from error
    finally:
        wanted.clear()


def _receive(url: str, size: int, received: SimpleQueue[bytes | Exception], wanted: Event) -> None:
    """Put what a server answers into a queue, block by block, then b""; or the error that ends it."""
    opener = urllib.request.OpenerDirector()  # of the web alone: no file, no FTP, whatever a server redirects to
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.UnknownHandler,
    ):
        opener.add_handler(handler())
    request = urllib.request.Request(url, headers={"User-Agent": "ner-lstm-crf"})
    try:
        with opener.open(request, timeout=_TIMEOUT) as stream:
            left = size + 1
            while left and wanted.is_set() and (block := stream.read1(min(_BLOCK, left))):
                left -= len(block)
                received.put(block)
        received.put(b"")
    except Exception as error:
        received.put(error)
        if isinstance(error, urllib.error.HTTPError):
            error.close()
