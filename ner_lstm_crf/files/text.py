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
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import IO, Any, BinaryIO, TextIO, TypeAlias, cast

from ner_lstm_crf.errors import InputError, missing, path_given
from ner_lstm_crf.files.atomic import replacing
from ner_lstm_crf.files.encodings import MARKS, WIDE, known_encoding, likely_encoding

FilePath: TypeAlias = str | PathLike[str]
"""A file, as the caller names it."""

_Opener: TypeAlias = Callable[..., Any]  # gzip.open and its like: (path or stream, mode) -> a stream of bytes

COMPRESSORS: Mapping[str, _Opener] = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}
"""The function that opens the files of each suffix."""

ZIP = b"PK\x03\x04"
"""The first bytes of a zip archive, which may hold any number of files."""

_OPENERS: Mapping[bytes, _Opener] = {b"\x1f\x8b": gzip.open, b"\xfd7zXZ\x00": lzma.open, b"BZh": bz2.open}
_DAMAGE = (EOFError, OSError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)  # gzip and bzip2 raise OSError

LONGEST_LINE = 2**24
"""The most bytes of a line of an annotated file."""

_MOST_EXPANSION = 200  # of a compressed file of text; column files that repeat themselves reach some 50
_SMALL_EXPANDED = 2**25  # bytes that a compressed file may become in any case
_MOST_HELD = 2**30  # bytes of a pipe, which are in memory, since they can be read only once


class EmptyFileError(InputError):
    """A file holds nothing, or nothing but blank lines; see `InputError`."""


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
        raw = io.BufferedReader(io.FileIO(path_given(path)) if content is None else io.BytesIO(content))
        total = os.fstat(raw.fileno()).st_size if content is None else len(content)
    except FileNotFoundError:
        raise missing(path) from None
    except IsADirectoryError:
        raise InputError("expected a file, found a directory", path=path) from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=path) from None
    except ValueError:  # a NUL in the name
        raise InputError("no such file", path=path) from None
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
_SAMPLE_BYTES, _SAMPLE_CHARACTERS = 2**16, 2**20

# Documents that are zip archives, by what is in them.
_IN_ZIP: Mapping[bytes, str] = {
    b"word/": "a document of Word (docx): save it as plain text, UTF-8",
    b"xl/": "a table of Excel (xlsx): save it as CSV, UTF-8",
    b"ppt/": "slides of PowerPoint (pptx): save their text as UTF-8",
    b"opendocument": "a document of LibreOffice: save it as plain text, or a table as CSV",
    b"application/epub": "a book (epub): save its text as UTF-8",
}
# Files that are no text, by their first bytes, and what to do with them.
_NO_TEXT: Mapping[bytes, str] = {
    ZIP: "a zip archive: unpack it first",
    b"7z\xbc\xaf": "a 7z archive: unpack it first",
    b"Rar!": "a rar archive: unpack it first",
    b"\x28\xb5\x2f\xfd": "a zstd archive: unpack it first",
    b"%PDF-": "a PDF document: save its text as UTF-8",
    b"\xd0\xcf\x11\xe0": "a document of an office program: save it as plain text, or a table as tab-separated text",
    b"PAR1": "a Parquet file: write its rows as JSON lines, "
    "pandas.read_parquet(FILE).to_json(NEW, orient='records', lines=True, force_ascii=False)",
    b"ARROW1": "an Arrow file: write its rows as JSON lines, datasets.Dataset.from_file(FILE).to_json(NEW)",
    b"\xff\xff\xff\xff": "an Arrow file: write its rows as JSON lines, datasets.Dataset.from_file(FILE).to_json(NEW)",
    b"\x80\x04": "a Python pickle: write its content as JSON lines",
    b"\x80\x05": "a Python pickle: write its content as JSON lines",
    b"SQLite format 3": "an SQLite database: write its rows as JSON lines",
    b"\x93NUMPY": "a NumPy array: write its content as JSON lines",
    b"{\\rtf": "a document in Rich Text Format: save it as plain text",
}


def is_pipe(path: FilePath) -> bool:
    """True for a pipe with a name, which can be read only once."""
    try:
        return Path(path).is_fifo()
    except (OSError, ValueError):  # what cannot be looked at is refused when it is opened
        return False


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
        self.path = path_given(path)
        self.encoding = known_encoding(encoding)
        # 1. A stream can be read only once.
        self._content: bytes | None = None
        if self.path == STANDARD_STREAM:
            with standard_input() as stream:
                self._content = _standard_content(stream)
        elif is_pipe(path):
            with Path(path).open("rb") as stream:
                self._content = _held(stream, self.path)
        # 2. The first bytes show what is not text. If they are all, the file need not be opened again.
        with open_compressed(self.path, self._content) as file:
            sample = file.stream.read(_SAMPLE_BYTES)
        if not sample:
            raise EmptyFileError("the file is empty", path=self.path)
        self._whole = sample if len(sample) < _SAMPLE_BYTES else None
        problem = self._problem(sample)
        if problem:
            raise InputError(problem, path=self.path)
        self.byte_order_mark = self.encoding == "utf-8" and sample.startswith(codecs.BOM_UTF8)

    def _problem(self, sample: bytes) -> str | None:
        """The reason why a file that begins with these bytes cannot be read; None if there is none."""
        is_wide, problem = self.encoding.startswith(WIDE), None
        kind = next((kind for first, kind in _NO_TEXT.items() if sample.startswith(first)), None)
        if sample.startswith(ZIP):
            kind = next((kind for part, kind in _IN_ZIP.items() if part in sample), kind)
        marked = next((encoding for mark, encoding in MARKS.items() if sample.startswith(mark)), "")
        if marked.startswith(WIDE) and not is_wide:
            problem = f"expected {self.encoding} text, found {marked.upper()}: read it with --encoding {marked}"
        elif kind:
            problem = f"expected text, found {kind}"
        elif is_wide and not marked.startswith(WIDE) and b"\0" not in sample and (likely := likely_encoding(sample)):
            problem = f"expected {self.encoding} text, found none of its zero bytes: say --encoding {likely}"
        elif not is_wide and b"\0" in sample:
            likely = likely_encoding(sample)
            problem = f"expected text, found binary data (a NUL byte at offset {sample.find(0)})"
            if likely:
                problem = f"expected {self.encoding} text, found {likely.upper()}: read it with --encoding {likely}"
        elif not is_wide and b"\n" not in sample and b"\r" in sample.rstrip(b"\r"):
            problem = "lines end in CR alone: convert them to LF or CRLF first"
        return problem

    def lines(self) -> Iterator[str]:
        """Every line with its own end, without the byte order mark.

        Raises:
            InputError: If bytes do not fit the encoding, the compressed data are damaged or become too many, or a line
                has more than `LONGEST_LINE` bytes.
        """
        held = list[str]()  # a line whose end has not been read
        for text in self._texts(LONGEST_LINE):
            end = text.rfind("\n") + 1
            if end:
                yield from io.StringIO("".join([*held, text[:end]]), "\n")  # lines end at a line feed alone
                held.clear()
            held.append(text[end:])
        if last := "".join(held):
            yield last

    def pieces(self, longest: int = 2**16) -> Iterator[str]:
        """Every line as `lines` gives it, those of more than `longest` characters in several pieces.

        Raises:
            InputError: If bytes do not fit the encoding, or the compressed data are damaged or become too many.
        """
        held = ""
        for text in self._texts(None):
            stream, held = io.StringIO(held + text, "\n"), ""
            for piece in iter(partial(stream.readline, longest), ""):
                if len(piece) < longest and piece[-1] != "\n":
                    held = piece  # the line goes on
                else:
                    yield piece
        if held:
            yield held

    def _texts(self, longest_line: int | None) -> Iterator[str]:
        """The text in parts of some size; lines of more bytes than `longest_line`, if it is given, are refused."""
        decoder = codecs.getincrementaldecoder(_WITHOUT_MARK.get(self.encoding, self.encoding))()
        try:
            if self._whole is not None:
                yield decoder.decode(self._whole, True)
                return
            with open_compressed(self.path, self._content) as file:
                for content in _bounded(file, longest_line):
                    yield decoder.decode(content)
                yield decoder.decode(b"", True)
        except UnicodeDecodeError as error:
            raise self._wrong_encoding(error) from None
        except UnicodeError as error:  # UTF-16 or UTF-32 without a byte order mark
            raise self._without_mark(error) from None

    def first_lines(self, most: int = 200) -> list[str]:
        """The first lines, for a guess at what the file holds; of long ones the beginning.

        Raises:
            InputError: As `pieces` does.
        """
        lines, length = list[str](), 0
        for line in islice(self.pieces(_SAMPLE_CHARACTERS), most):
            lines.append(line)
            length += len(line)
            if length > _SAMPLE_CHARACTERS:
                break
        return lines

    def _without_mark(self, error: UnicodeError) -> InputError:
        """The error of a file that does not say in which order its bytes are."""
        with open_compressed(self.path, self._content) as file:
            likely = likely_encoding(file.stream.read(_SAMPLE_BYTES))
        choice = likely or f"{self.encoding}-le or {self.encoding}-be"
        return InputError(f"{error}: say --encoding {choice}", path=self.path)

    def _wrong_encoding(self, error: UnicodeDecodeError) -> InputError:
        """The first byte that does not fit, found again piece by piece: the decoder only knows its own buffer."""
        decoder = codecs.getincrementaldecoder(self.encoding)()
        before, line, offset, content = b"", 1, 0, b""
        with open_compressed(self.path, self._content) as file:
            while True:
                content = file.stream.read(_SAMPLE_BYTES)
                pending = decoder.getstate()[0]
                try:
                    line += decoder.decode(content, not content).count("\n")
                except UnicodeDecodeError as precise:
                    error = precise
                    offset -= len(pending)
                    break
                except UnicodeError as unmarked:  # UTF-16 without a byte order mark, and cut short besides
                    return self._without_mark(unmarked)
                if not content:
                    break
                before, offset = before or content, offset + len(content)
        seen = error.object[: error.start]
        line += seen.decode(self.encoding, "ignore").count("\n")
        name = f"byte 0x{error.object[error.start]:02x}" if error.start < len(error.object) else "the byte"
        message = f"{name} at offset {offset + error.start} is not valid {self.encoding}"
        likely = likely_encoding(before + error.object)
        if likely == self.encoding == "utf-8":
            message += ", which the rest is: this byte is damaged, or this part is in another encoding"
        elif likely and likely != self.encoding:
            message += f": read the file in its own encoding, for instance --encoding {likely}"
        else:
            message += ": read the file in its own encoding, with --encoding"
        return InputError(message, path=self.path, line=line)


def _bounded(file: CompressedFile, longest_line: int | None) -> Iterator[bytes]:
    """The decompressed bytes of a file in parts, refused if they, or those of a line, become too many.

    Some kilobytes of a compressed file can become any number.
    """
    length = line_length = 0
    while content := file.stream.read(_SAMPLE_BYTES):
        length += len(content)
        if file.stream is not file.raw and length > max(_SMALL_EXPANDED, _MOST_EXPANSION * file.total):
            message = f"the file has become more than {_MOST_EXPANSION} times as large: decompress it first"
            raise InputError(message, path=file.path)
        end = content.rfind(b"\n") + 1
        line_length = len(content) - end + (0 if end else line_length)
        if longest_line is not None and line_length > longest_line:
            message = f"expected lines of at most {longest_line:,} bytes, found a longer one"
            file.stream.seek(0)
            before = iter(partial(file.stream.read, _SAMPLE_BYTES), b"")
            ends = sum(part.count(b"\n") for part in islice(before, -(-length // _SAMPLE_BYTES)))
            raise InputError(message, path=file.path, line=ends + 1)
        yield content


def stream_lines(
    path: str | os.PathLike[str], encoding: str = "utf-8", *, longest: int | None = None
) -> Generator[str, None, None]:
    """The lines of a file, read once and as they come: standard input (`-`) and pipes are never held in memory.

    Args:
        path: The file.
        encoding: Its encoding.
        longest: Lines of more characters come in several pieces; None for whole lines.

    Raises:
        InputError: As `TextFile` does; a pipe's first bytes are not looked at, so it must be plain text.
    """
    path, encoding = path_given(path), known_encoding(encoding)
    if path != STANDARD_STREAM and not is_pipe(path):
        file = TextFile(path, encoding)
        yield from file.lines() if longest is None else file.pieces(longest)
        return
    with standard_input() if path == STANDARD_STREAM else Path(path).open("rb") as raw:
        text = io.TextIOWrapper(raw, _WITHOUT_MARK.get(encoding, encoding), newline="\n")
        try:
            lines = text if longest is None else iter(partial(text.readline, longest), "")
            for line in lines:  # noqa: UP028 `yield from` would close it, and standard input, with this generator
                yield line
        except UnicodeError as error:
            message = f"{error}: say --encoding {encoding}-le or {encoding}-be"  # without a byte order mark
            if isinstance(error, UnicodeDecodeError):
                message = f"byte 0x{error.object[error.start]:02x} is not valid {encoding}: say --encoding"
            raise InputError(message, path=input_name(path)) from None
        finally:
            text.detach()  # else it would close standard input


def input_name(path: FilePath) -> str:
    """The name of an input in messages."""
    return "standard input" if path == STANDARD_STREAM else os.fspath(path)


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
def writing(path: str | os.PathLike[str], encoding: str = "utf-8", *, coloured: bool = False) -> Iterator[TextIO]:
    """Open a text file that appears under its name only when it is complete; `-` is standard output.

    The name's suffix (.gz, .xz, .bz2) decides whether it is compressed. Line ends are written as given. Since the new
    file takes the old one's place at the very end, a file may be rewritten while it is read. On a terminal control
    characters are written as `printable` escapes them, unless the text is `coloured`: then its writer has done so.

    Raises:
        InputError: If the file cannot be written, or a character does not fit the encoding.
    """
    path, encoding = path_given(path), known_encoding(encoding)
    shown = "standard output" if path == STANDARD_STREAM else path
    try:
        if path == STANDARD_STREAM:
            sys.stdout.flush()
            out = codecs.getwriter(encoding)(sys.stdout.buffer)
            yield cast(TextIO, _Terminal(out) if sys.stdout.isatty() and not coloured else out)
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
def _standard_content(stream: BinaryIO) -> bytes:
    """The content of standard input, kept for the second time its lines are read."""
    return _held(stream, "standard input")


def _held(stream: IO[bytes], path: str) -> bytes:
    """All that comes through a pipe, unless it does not end."""
    content = bytearray()
    while piece := stream.read(_SAMPLE_BYTES):
        content += piece
        if len(content) > _MOST_HELD:
            raise InputError(f"more than {_MOST_HELD:,} bytes came through the pipe: write them into a file", path=path)
    return bytes(content)
