r"""Text files of any encoding, compressed or not, with or without a byte order mark; what is not text is refused.

A line ends at `\n` alone and keeps its end (`\n` or `\r\n`), so that unchanged lines can be written back byte for
byte. `str.splitlines` would also cut at U+2028 and U+0085, which stand inside tokens of real corpora.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import os
import re
import sys
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from os import PathLike
from pathlib import Path
from typing import IO, Any, BinaryIO, TextIO, TypeAlias, cast

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.atomic import replacing
from ner_lstm_crf.text.scripts import has_han

FilePath: TypeAlias = str | PathLike[str]
"""A file, as the caller names it."""

_Opener: TypeAlias = Callable[..., Any]  # gzip.open and its like: (path or stream, mode) -> a stream of bytes

COMPRESSORS: Mapping[str, _Opener] = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}
"""The function that opens the files of each suffix."""

ZIP = b"PK\x03\x04"
"""The first bytes of a zip archive, which may hold any number of files."""

_OPENERS: Mapping[bytes, _Opener] = {b"\x1f\x8b": gzip.open, b"\xfd7zXZ\x00": lzma.open, b"BZh": bz2.open}
_DAMAGE = (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)  # gzip and bzip2 raise OSError


@dataclass(frozen=True, slots=True)
class CompressedFile:
    """A file that `open_compressed` opened.

    Attributes:
        path: The file.
        stream: Its decompressed bytes.
        raw: Its bytes as they are.
        total: Their number, which `position` approaches.
    """

    path: str
    stream: IO[bytes]
    raw: io.BufferedReader[Any]
    total: int

    @property
    def position(self) -> int:
        """The number of bytes of the compressed file that have been read."""
        return min(self.raw.tell(), self.total)


@contextmanager
def open_compressed(
    path: FilePath, content: bytes | None = None, *, zip_allowed: bool = False
) -> Iterator[CompressedFile]:
    """Open a file for reading its bytes, decompressed if they are compressed, whatever its name.

    Args:
        path: The file.
        content: Its bytes, if they have been read before.
        zip_allowed: True to open zip archives of one file, too.

    Raises:
        InputError: If the file is missing, a directory, or may not be read; if it is damaged or cut short, also while
            it is read; if it is a zip archive of several files.
    """
    try:
        raw = io.BufferedReader(io.FileIO(path) if content is None else io.BytesIO(content))
        total = Path(path).stat().st_size if content is None else len(content)
    except FileNotFoundError:
        raise InputError("no such file", path=path) from None
    except IsADirectoryError:
        raise InputError("expected a file, found a directory", path=path) from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=path) from None
    try:
        with raw:
            first_bytes = raw.peek(max(map(len, _OPENERS)))
            openers = dict(_OPENERS) | ({ZIP: partial(_open_zip, path)} if zip_allowed else {})
            opener = next((openers[known] for known in openers if first_bytes.startswith(known)), None)
            with opener(raw, "rb") if opener else raw as stream:
                yield CompressedFile(os.fspath(path), stream, raw, total)
    except _DAMAGE as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise InputError(f"cannot be read: {error.strerror}", path=path) from error
        raise InputError(f"the compressed data are damaged or cut short ({error})", path=path) from error


def _open_zip(path: FilePath, raw: IO[bytes], mode: str) -> IO[bytes]:
    """The only file of a zip archive."""
    del mode  # of an opener
    archive = zipfile.ZipFile(raw)
    names = [member.filename for member in archive.infolist() if not member.is_dir()]
    if len(names) != 1:
        message = f"expected one file in the zip archive, found {len(names)} ({', '.join(names[:4])})"
        raise InputError(f"{message}: unpack the one you want", path=path)
    try:
        return archive.open(names[0])
    except (NotImplementedError, RuntimeError) as error:  # another method of compression, a password
        raise zipfile.BadZipFile(str(error)) from error


STANDARD_STREAM = "-"  # as a path: standard input or output

_WITHOUT_MARK = {"utf-8": "utf-8-sig"}  # the codec that leaves out a byte order mark; that of UTF-16 does so itself
_WIDE = ("utf-16", "utf-32")  # encodings whose characters all have several bytes
_ARCHIVES = {ZIP: "zip", b"7z\xbc\xaf": "7z", b"Rar!": "rar", b"\x28\xb5\x2f\xfd": "zstd"}
_SAMPLE_BYTES = 65536


class TextFile:
    """One text file, to be read from the start as often as needed; standard input (`-`) and pipes are held in memory.

    Args:
        path: The file; gzip, xz and bzip2 are recognised by their first bytes, whatever the name.
        encoding: Any encoding Python knows.

    Attributes:
        byte_order_mark: True if the file is UTF-8 and begins with one.

    Raises:
        InputError: If the file is missing, a directory, empty, an archive or binary, or the encoding is unknown.

    Example:
        >>> for line in TextFile("train.conll").lines():  # doctest: +SKIP
        ...     print(line, end="")
    """

    def __init__(self, path: str | os.PathLike[str], encoding: str = "utf-8") -> None:
        self.path = os.fspath(path)
        self.encoding = _known_encoding(encoding)
        # 1. A stream can be read only once.
        self._content: bytes | None = None
        if self.path == STANDARD_STREAM:
            with standard_input() as stream:
                self._content = _content(stream)
        elif Path(path).is_fifo():
            self._content = Path(path).read_bytes()
        # 2. The first bytes show what is not text.
        with open_compressed(self.path, self._content) as file:
            sample = file.stream.read(_SAMPLE_BYTES)
        archive = next((kind for first, kind in _ARCHIVES.items() if sample.startswith(first)), None)
        is_wide = self.encoding.startswith(_WIDE)
        if not sample:
            problem = "the file is empty"
        elif archive:
            problem = f"expected text, found a {archive} archive: unpack it first"
        elif not is_wide and sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            problem = f"expected {self.encoding} text, found UTF-16: read it with --encoding utf-16"
        elif not is_wide and b"\0" in sample:
            problem = f"expected text, found binary data (a NUL byte at offset {sample.find(0)})"
        elif not is_wide and b"\n" not in sample and b"\r" in sample.rstrip(b"\r"):
            problem = "lines end in CR alone: convert them to LF or CRLF first"
        else:
            problem = None
        if problem:
            raise InputError(problem, path=self.path)
        self.byte_order_mark = self.encoding == "utf-8" and sample.startswith(codecs.BOM_UTF8)

    def lines(self) -> Iterator[str]:
        """Every line with its own end, without the byte order mark.

        Raises:
            InputError: If bytes do not fit the encoding or the compressed data are damaged.
        """
        encoding = _WITHOUT_MARK.get(self.encoding, self.encoding)
        try:
            with (
                open_compressed(self.path, self._content) as file,
                io.TextIOWrapper(file.stream, encoding, newline="\n") as text,  # lines end at a line feed alone
            ):
                yield from text
        except UnicodeDecodeError as error:
            raise self._wrong_encoding(error) from None
        except UnicodeError as error:  # UTF-16 without a byte order mark
            raise InputError(f"{error}: say --encoding utf-16-le or utf-16-be", path=self.path) from None

    def _wrong_encoding(self, error: UnicodeDecodeError) -> InputError:
        """The first byte that does not fit, found again line by line: the decoder only knows its own buffer."""
        if self.encoding.startswith(_WIDE):
            return self._wrong_wide_encoding(error)
        offset = 0
        with open_compressed(self.path, self._content) as file:
            for number, line in enumerate(file.stream, 1):
                try:
                    line.decode(self.encoding)
                except UnicodeDecodeError as precise:
                    byte = line[precise.start]
                    message = f"byte 0x{byte:02x} at offset {offset + precise.start} is not valid {self.encoding}"
                    if self.encoding == "utf-8":
                        message += f": read the file in its own encoding, for instance --encoding {_likely(line)}"
                    return InputError(message, path=self.path, line=number)
                offset += len(line)
        return InputError(f"the text is not valid {self.encoding}: {error.reason}", path=self.path)

    def _wrong_wide_encoding(self, error: UnicodeDecodeError) -> InputError:
        """The same where a line feed has several bytes, so that lines are known only once decoded."""
        with open_compressed(self.path, self._content) as file:
            content = file.stream.read()
        try:
            content.decode(self.encoding)
        except UnicodeDecodeError as precise:
            error = precise
        line = content[: error.start].decode(self.encoding, "replace").count("\n") + 1
        message = f"the bytes at offset {error.start} are not valid {self.encoding}: {error.reason}"
        return InputError(message, path=self.path, line=line)


def _likely(line: bytes) -> str:
    """An encoding that a line may well be in: one for Chinese, if that makes mostly Han of what is not ASCII."""
    for encoding in ("gb18030", "big5"):
        with suppress(UnicodeDecodeError):
            beyond = [character for character in line.decode(encoding) if not character.isascii()]
            if sum(map(has_han, beyond)) > len(beyond) / 2:
                return encoding
    return "latin-1"


def read_text(path: Path, what: str = "model") -> str:
    """A UTF-8 text file that is part of `what`.

    Raises:
        InputError: If the file is missing or unreadable.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"expected a {what}, but this file is missing", path=path) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the {what} is damaged: {error}", path=path) from error


def stream_lines(path: str | os.PathLike[str], encoding: str = "utf-8") -> Generator[str, None, None]:
    """The lines of a file, read once and as they come: standard input (`-`) and pipes are never held in memory.

    Raises:
        InputError: As `TextFile` does; a pipe's first bytes are not looked at, so it must be plain text.
    """
    path, encoding = os.fspath(path), _known_encoding(encoding)
    if path != STANDARD_STREAM and not Path(path).is_fifo():
        yield from TextFile(path, encoding).lines()
        return
    with standard_input() if path == STANDARD_STREAM else Path(path).open("rb") as raw:
        text = io.TextIOWrapper(raw, _WITHOUT_MARK.get(encoding, encoding), newline="\n")
        try:
            for line in text:  # noqa: UP028 `yield from` would close it, and standard input, with this generator
                yield line
        except UnicodeDecodeError as error:
            where = "standard input" if path == STANDARD_STREAM else path
            message = f"byte 0x{error.object[error.start]:02x} is not valid {encoding}: say --encoding"
            raise InputError(message, path=where) from None
        finally:
            text.detach()  # else it would close standard input


@contextmanager
def standard_input() -> Iterator[BinaryIO]:
    """The bytes of standard input.

    Raises:
        InputError: If they cannot be read.
    """
    try:
        yield sys.stdin.buffer
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path="standard input") from error


@contextmanager
def writing(path: str | os.PathLike[str], encoding: str = "utf-8") -> Iterator[TextIO]:
    """Open a text file that appears under its name only when it is complete; `-` is standard output.

    The name's suffix (.gz, .xz, .bz2) decides whether it is compressed. Line ends are written as given. Since the new
    file takes the old one's place at the very end, a file may be rewritten while it is read.

    Raises:
        InputError: If the file cannot be written, or a character does not fit the encoding.
    """
    path, encoding = os.fspath(path), _known_encoding(encoding)
    shown = "standard output" if path == STANDARD_STREAM else path
    try:
        if path == STANDARD_STREAM:
            sys.stdout.flush()
            out = codecs.getwriter(encoding)(sys.stdout.buffer)
            yield cast(TextIO, _Terminal(out) if sys.stdout.isatty() else out)
            sys.stdout.buffer.flush()
        elif Path(path).is_dir():
            raise InputError("expected a file to write, found a directory", path=path)
        elif Path(path).exists() and not Path(path).is_file():  # a device or a pipe has no content to replace
            with Path(path).open("w", encoding=encoding, newline="") as stream:
                yield stream
        else:
            opener = COMPRESSORS.get(Path(os.path.realpath(path)).suffix.lower())
            with replacing(Path(path)) as new:
                raw = cast(IO[bytes], opener(new, "wb")) if opener else new.open("wb")
                with io.TextIOWrapper(raw, encoding=encoding, newline="") as stream:
                    yield stream
    except UnicodeEncodeError as error:
        character = error.object[error.start]
        if "\ud800" <= character <= "\udfff":
            message = f"{character!r} is half of a surrogate pair and cannot be written: only JSON lines can hold it"
        else:
            message = f"{character!r} cannot be written in {encoding}: use --encoding utf-8"
        raise InputError(message, path=shown) from None
    except BrokenPipeError:  # the reader of a pipe has had enough: no mistake of anyone's
        raise
    except OSError as error:
        raise InputError(f"cannot be written: {error.strerror or error}", path=shown) from error


_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]|\r(?!\n)")


def printable(text: str) -> str:
    r"""A text for a terminal or a log: what would control the terminal, or is no character, is written as an escape.

    Example:
        >>> print(printable("\x1b[2J\udcff"))
        \x1b[2J\udcff
    """
    return _UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


class _Terminal:
    """Writes texts as `printable` makes them."""

    def __init__(self, stream: codecs.StreamWriter) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """Write a text."""
        self._stream.write(printable(text))

    def writelines(self, lines: Iterable[str]) -> None:
        """Write texts one after another."""
        for line in lines:
            self.write(line)


def quoted(text: str, most: int = 80) -> str:
    """A piece of a file as an error message shows it: quoted, on one line, cut if it is long."""
    return repr(text if len(text) <= most else f"{text[:most]}...")


@lru_cache(maxsize=1)
def _content(stream: BinaryIO) -> bytes:
    """The content of standard input, kept for the second time its lines are read."""
    return stream.read()


def _known_encoding(encoding: str) -> str:
    try:
        "".encode(encoding)  # refuses what `lookup` finds but is no encoding of text, such as base64
        return codecs.lookup(encoding).name
    except (LookupError, ValueError):
        raise InputError(f"unknown encoding {encoding!r}: expected utf-8, latin-1, gb18030 or the like") from None
