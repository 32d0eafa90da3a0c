"""How the bytes of a file of word vectors become rows: text (GloVe, word2vec, fastText) and word2vec binary.

GloVe text                word2vec / fastText text      word2vec binary
the -0.038 -0.245 ...     400000 100                    400000 100
of  -0.153 -0.243 ...     the -0.038 -0.245 ...         the <100 little-endian float32>
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.compression import CompressedFile
from ner_lstm_crf.progress import Progress

__all__ = ["RowLayout", "RowStore", "detect_layout", "read_binary_rows", "read_text_rows"]

_BLOCK = 1 << 21  # bytes read at once, unpacked: large enough for the parser, small enough for memory
_BOM = b"\xef\xbb\xbf"
_CONTROL = frozenset(range(32)) - frozenset(b"\t\n\r\x0b\x0c")


@dataclass(frozen=True, slots=True)
class RowLayout:
    """What the first bytes of a file of vectors say about the rest.

    Attributes:
        size: Values per vector, D.
        count: The number of vectors that the header line announces; None without a header.
        binary: Whether this is word2vec's binary format.
        start: Where the first row starts, in bytes.
    """

    size: int
    count: int | None
    binary: bool
    start: int


class RowStore:
    """The rows kept so far; the first of equal words wins.

    Args:
        size: Values per vector, D.
        needed: Words to keep wherever they stand.
        limit: Rows at the beginning to keep in any case. Without it, all are kept if `needed` is None, else none.

    Attributes:
        words: The kept words, in order.
        seen: The rows so far, kept or not.
        beyond: How many of the words stand beyond the limit.
        duplicates: How many rows were left out since their word had one already.
        nameless: How many rows were left out since their word is empty or no UTF-8.
        goes_on: Whether the file goes on after the vectors that its header announces.
    """

    def __init__(self, size: int, needed: Container[str] | None, limit: int | None) -> None:
        self.words: dict[str, None] = {}
        self.seen = self.beyond = self.duplicates = self.nameless = 0
        self.goes_on = False
        self._needed, self._limit = needed, limit
        self._kept_anyway = limit if limit is not None else 0 if needed is not None else sys.maxsize
        self._matrix: npt.NDArray[np.float32] = np.empty((1024, size), dtype=np.float32)
        self._filled = 0

    @property
    def full(self) -> bool:
        """Whether no further row would be kept."""
        return self._needed is None and self.seen >= self._kept_anyway

    def take(self, raw: bytes) -> str | None:
        """The word of the next row if it is to be kept (the caller then adds its values), else None."""
        self.seen += 1
        try:
            word = raw.decode()
        except UnicodeDecodeError:
            word = ""
        if not word:
            self.nameless += 1
            return None
        is_beyond = self.seen > self._kept_anyway
        if is_beyond and (self._needed is None or word not in self._needed):
            return None
        if word in self.words:
            self.duplicates += 1
            return None
        self.beyond += is_beyond and self._limit is not None
        self.words[word] = None
        return word

    def add(self, rows: npt.NDArray[np.float32]) -> None:
        """Keep the values (N, D) of the words taken since the last call."""
        end = self._filled + len(rows)
        if end > len(self._matrix):
            # In place where the allocator can: two copies of a large file's matrix may not fit in memory.
            self._matrix.resize((max(end, len(self._matrix) * 3 // 2), rows.shape[1]), refcheck=False)
        self._matrix[self._filled : end] = rows
        self._filled = end

    def matrix(self) -> npt.NDArray[np.float32]:
        """The kept rows, (N, D)."""
        self._matrix.resize((self._filled, self._matrix.shape[1]), refcheck=False)
        return self._matrix


def detect_layout(head: bytes, source: CompressedFile) -> RowLayout:
    """The layout of a file that starts with `head`.

    Raises:
        InputError: If the file is empty or holds no vectors.
    """
    start = len(_BOM) if head.startswith(_BOM) else 0
    lines = head[start:].split(b"\n", 101)
    if len(lines) > 1:
        lines.pop()  # cut off by the end of `head`, or the rest of it
    if not any(line.strip() for line in lines):
        raise InputError("expected word vectors, the file is empty", path=source.path)
    header = _header(lines[0])
    body = head[start + len(lines[0]) + 1 :]
    if header and _is_binary(body, header[1]):
        return RowLayout(header[1], header[0], True, start + len(lines[0]) + 1)
    if any(byte in _CONTROL for byte in head[:4096]):
        message = "expected vectors as text, or word2vec binary (which starts with a line 'COUNT SIZE')"
        raise InputError(message, path=source.path)
    if header and (len(lines) == 1 or len(lines[1].split()) != 2 or header[1] == 1):
        return RowLayout(header[1], header[0], False, start + len(lines[0]) + 1)
    size = Counter(len(line.split()) - 1 for line in lines if line.strip()).most_common(1)[0][0]
    if size < 1:
        raise InputError("expected a word and its values, found one column", path=source.path, line=1)
    return RowLayout(size, None, False, start)


def _header(line: bytes) -> tuple[int, int] | None:
    fields = line.split()
    if len(fields) == 2 and all(field.isdigit() for field in fields) and int(fields[1]) > 0:
        return int(fields[0]), int(fields[1])
    return None


def _is_binary(body: bytes, size: int) -> bool:
    """Whether what follows a header is binary: its first line is no row of text, and it has bytes that no text has."""
    line = body.partition(b"\n")[0]
    if _parsed([line.decode("latin-1").partition(" ")[2]], size) is not None:
        return False
    sample = body[:4096]
    try:
        sample.decode()
    except UnicodeDecodeError as error:
        if error.start < len(sample) - 4 or len(body) <= len(sample):  # else a character cut by the sample's end
            return True
    return any(byte in _CONTROL for byte in sample)


def read_text_rows(
    source: CompressedFile, head: bytes, layout: RowLayout, store: RowStore, *, progress: Progress
) -> None:
    """Read the rows of a text file into `store`, until it is full.

    Raises:
        InputError: If a row has another number of values, or a value is no finite number; with the line.
    """
    for first, lines in _line_blocks(source, head[layout.start :], 1 if layout.count is None else 2):
        block = _TextBlock(layout.size, store, source)
        for number, line in enumerate(lines, first):
            if store.full:
                break
            if not store.seen and line.strip():
                block.check(line, number)
            block.read(line.rstrip(), number)
        block.flush()
        progress(source.position, source.total)
        if store.full:
            break


def _line_blocks(source: CompressedFile, rest: bytes, first: int) -> Iterator[tuple[int, list[bytes]]]:
    """The lines of the file without their ends, a block at a time, each block with the number of its first line."""
    while block := source.stream.read(_BLOCK):
        lines = (rest + block).split(b"\n")
        rest = lines.pop()
        yield first, lines
        first += len(lines)
    yield first, rest.split(b"\n")


class _TextBlock:
    """Lines of text whose values are parsed together, which takes a third of the time of one by one."""

    def __init__(self, size: int, store: RowStore, source: CompressedFile) -> None:
        self._size, self._store, self._source = size, store, source
        self._rows: list[str] = []
        self._numbers: list[int] = []

    def check(self, line: bytes, number: int) -> None:
        """Parse one line by itself, needed or not: a file of something else is told by its first row."""
        _, values = self._split(line.rstrip(), number)
        if _parsed([values.decode("latin-1")], self._size) is None:
            raise self._complaint([(number, values.decode("latin-1"))])

    def read(self, line: bytes, number: int) -> None:
        """Read one line; a blank one is no row."""
        if not line:
            return
        word, _, values = line.partition(b" ")
        if values.count(b" ") != self._size - 1:
            word, values = self._split(line, number)
        if self._store.take(word) is not None:
            self._rows.append(values.decode("latin-1"))
            self._numbers.append(number)

    def flush(self) -> None:
        """Parse what was read and hand it to the store."""
        if not self._rows:
            return
        rows = _parsed(self._rows, self._size)
        if rows is None:
            raise self._complaint(zip(self._numbers, self._rows, strict=True))
        self._store.add(rows)
        self._rows, self._numbers = [], []

    def _split(self, line: bytes, number: int) -> tuple[bytes, bytes]:
        """The word and the values of a line with tabs, several spaces, or spaces inside the word (`. . .`)."""
        fields = line.rsplit(None, self._size)
        # A word with spaces that ends in a number is a row with too many values: no published file has such a word.
        surplus = fields[0].split()[1:]
        if len(fields) <= self._size or (surplus and _parsed([surplus[-1].decode("latin-1")], 1) is not None):
            found = len(line.split()) - 1
            raise InputError(
                f"expected {self._size} values after the word, found {found}", path=self._source.path, line=number
            )
        return fields[0].lstrip(), b" ".join(fields[1:])

    def _complaint(self, rows: Iterable[tuple[int, str]]) -> InputError:
        """What is wrong with the first broken row."""
        for number, row in rows:
            fields = row.split()
            if len(fields) != self._size:
                message = f"expected {self._size} values after the word, found {len(fields)}"
                return InputError(message, path=self._source.path, line=number)
            for field in fields:
                if _parsed([field], 1) is None:
                    shown = field if len(field) <= 40 else f"{field[:40]}..."
                    return InputError(f"expected a finite number, found '{shown}'", path=self._source.path, line=number)
        raise AssertionError("a block that cannot be parsed holds no broken row")


def _parsed(rows: list[str], size: int) -> npt.NDArray[np.float32] | None:
    """The values (N, D) of rows of text, None if one is broken."""
    if not any(rows):
        return None
    try:
        with np.errstate(over="ignore"):
            values = np.loadtxt(rows, dtype=np.float32, comments=None, ndmin=2)
    except ValueError:
        return None
    return values if values.shape == (len(rows), size) and bool(np.isfinite(values).all()) else None


def read_binary_rows(
    source: CompressedFile, head: bytes, layout: RowLayout, store: RowStore, *, progress: Progress
) -> None:
    """Read the rows of a word2vec binary file into `store`, until it is full.

    Raises:
        InputError: If the file ends early, or a value is not finite; with the number of the vector.
    """
    count = layout.count or 0
    buffer, at = head[layout.start :], 0
    kept: list[tuple[int, bytes]] = []
    for number in range(1, count + 1):
        if store.full:
            break
        space = buffer.find(b" ", at)
        if space < 0 or space + 1 + 4 * layout.size > len(buffer):
            _flush(kept, store, source)
            buffer, at = buffer[at:] + source.stream.read(_BLOCK), 0
            progress(source.position, source.total)
            space = buffer.find(b" ")
            if space < 0 or space + 1 + 4 * layout.size > len(buffer):
                raise InputError(f"expected {count} vectors, the file ends within vector {number}", path=source.path)
        end = space + 1 + 4 * layout.size
        if store.take(buffer[at:space].lstrip(b"\n")) is not None:
            kept.append((number, buffer[space + 1 : end]))
        at = end
    _flush(kept, store, source)
    store.goes_on = not store.full and bool((buffer[at:] + source.stream.read(_BLOCK)).strip(b"\n"))


def _flush(kept: list[tuple[int, bytes]], store: RowStore, source: CompressedFile) -> None:
    """Hand the collected values to the store."""
    if not kept:
        return
    rows = np.frombuffer(b"".join(values for _, values in kept), dtype="<f4").reshape(len(kept), -1)
    broken = ~np.isfinite(rows).all(axis=1)
    if broken.any():
        number = kept[int(broken.argmax())][0]
        raise InputError(f"expected finite values, found others in vector {number}", path=source.path)
    store.add(rows)
    kept.clear()
