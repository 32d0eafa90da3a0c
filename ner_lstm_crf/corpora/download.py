"""Corpora of the catalogue, downloaded or copied, and checked before they appear under their names."""

from __future__ import annotations

import hashlib
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path

from ner_lstm_crf.corpora.catalogue import Corpus, CorpusFile
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.atomic import make_directory, remove_temp_files, replacing
from ner_lstm_crf.files.text import FilePath
from ner_lstm_crf.progress import Progress, silent

_BLOCK = 1 << 16  # bytes between two reports of progress
_TIMEOUT = 30.0  # seconds without an answer or a byte
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
    folder = Path(target) / corpus.name
    make_directory(folder)
    remove_temp_files(folder)
    finished, paths = 0, [folder / file.name for file in corpus.files]
    for file, path in zip(corpus.files, paths, strict=True):
        if path.exists():
            if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != file.sha256:
                message = "exists, but is not the file the catalogue describes: move it away to fetch it"
                raise InputError(message, path=path)
        else:
            origin = file.url if source is None else _local_copy(corpus, file, Path(source))
            digest, size = hashlib.sha256(), 0
            with replacing(path) as new, new.open("wb") as out:
                for block in _blocks(origin, file.size):
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


def _local_copy(corpus: Corpus, file: CorpusFile, source: Path) -> Path:
    for path in (source / corpus.name / file.name, source / file.name):
        if path.is_file():
            return path
    raise InputError(f"expected {corpus.name}/{file.name} or {file.name} in the folder", path=source)


def _blocks(origin: str | Path, size: int) -> Iterator[bytes]:
    """The bytes at a URL or a path, up to one more than the file should have: enough for its checksum to fail."""
    request = (
        urllib.request.Request(str(origin), headers={"User-Agent": "ner-lstm-crf"}) if isinstance(origin, str) else None
    )
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) if request else Path(origin).open("rb") as stream:
            left = size + 1
            while left and (block := stream.read(min(_BLOCK, left))):
                left -= len(block)
                yield block
    except urllib.error.HTTPError as error:
        error.close()
        raise InputError(f"the server answered {error.code} {error.reason}", path=origin) from error
    except (OSError, HTTPException) as error:
        if isinstance(origin, Path):
            raise InputError(f"cannot be read: {error}", path=origin) from error
        raise InputError(
            f"cannot be reached ({getattr(error, 'reason', None) or error}): {_AGAIN}", path=origin
        ) from error
