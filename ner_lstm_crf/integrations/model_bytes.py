"""A tagger as bytes: the files of its directory in a zip archive, where another library wants one string of bytes."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import BadZipFile, ZipFile, ZipInfo

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.tagging.tagger import Tagger


def tagger_to_bytes(tagger: Tagger) -> bytes:
    """The files that `Tagger.save` writes, as a zip archive; the same tagger gives the same bytes.

    Example:
        >>> tagger_from_bytes(tagger_to_bytes(Tagger.load("en"))).labels
        ('LOC', 'ORG', 'PER')
    """
    archive = BytesIO()
    with TemporaryDirectory(prefix="ner-lstm-crf-") as folder, ZipFile(archive, "w") as files:
        tagger.save(folder)
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file():
                files.writestr(ZipInfo(path.relative_to(folder).as_posix()), path.read_bytes())
    return archive.getvalue()


def tagger_from_bytes(content: bytes, **options: Any) -> Tagger:
    """The tagger that `tagger_to_bytes` made bytes of.

    Args:
        content: The bytes.
        **options: Those of `Tagger.load`.

    Raises:
        InputError: If they are none of a tagger, or are damaged.
    """
    with TemporaryDirectory(prefix="ner-lstm-crf-") as folder:
        try:
            with ZipFile(BytesIO(content)) as files:
                files.extractall(folder)  # within the folder, whatever the names are
        except (BadZipFile, OSError, ValueError) as error:
            raise InputError(f"expected the bytes of a tagger: {error}") from error
        try:
            return Tagger.load(folder, **options)
        except InputError as error:
            raise InputError(f"expected the bytes of a tagger: {error.message}") from error
