"""The bytes of a file of vectors: plain, or packed with gzip, xz, bzip2 or zip, told by the content, not the name."""

from __future__ import annotations

import zipfile
from pathlib import Path
from types import TracebackType
from typing import IO

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.compression import DAMAGE, HEAD, ZIP, unpacked

__all__ = ["ByteSource"]

_DAMAGE = (*DAMAGE, zipfile.BadZipFile, NotImplementedError, RuntimeError)


class ByteSource:
    """The unpacked bytes of a file, read in blocks; a context manager.

    Attributes:
        path: The file.
        total: Its size on disk in bytes, the whole that `position` counts towards.

    Raises:
        InputError: If the file is missing, is a folder, is damaged, or is a zip archive of several files.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._raw = path.open("rb")
            self.total = path.stat().st_size
        except OSError as error:
            raise InputError(f"expected a readable file: {error.strerror}", path=path) from error
        try:
            self._stream = self._unpacked()
        except _DAMAGE as error:
            self._raw.close()
            raise InputError(f"expected a sound archive: {error}", path=path) from error
        except InputError:
            self._raw.close()
            raise

    def __enter__(self) -> ByteSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()
        self._raw.close()

    @property
    def position(self) -> int:
        """How many bytes of the file on disk have been read."""
        return min(self._raw.tell(), self.total)

    def read(self, size: int) -> bytes:
        """The next `size` bytes; fewer only at the end of the file.

        Raises:
            InputError: If the file is damaged or ends early.
        """
        parts, missing = [], size
        try:
            while missing and (part := self._stream.read(missing)):
                parts.append(part)
                missing -= len(part)
        except _DAMAGE as error:
            raise InputError(f"expected a sound archive: {error}", path=self.path) from error
        return b"".join(parts)

    def _unpacked(self) -> IO[bytes]:
        head = self._raw.read(HEAD)
        self._raw.seek(0)
        return self._only_member() if head.startswith(ZIP) else unpacked(self._raw, head)

    def _only_member(self) -> IO[bytes]:
        archive = zipfile.ZipFile(self._raw)
        members = [member.filename for member in archive.infolist() if not member.is_dir()]
        if len(members) != 1:
            names = ", ".join(members[:4])
            raise InputError(
                f"expected one file in the zip archive, found {len(members)} ({names}): unpack the one you want",
                path=self.path,
            )
        return archive.open(members[0])
