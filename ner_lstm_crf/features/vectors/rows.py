"""The formats of files of word vectors: text (GloVe, word2vec, fastText) and word2vec binary.

GloVe text                word2vec / fastText text      word2vec binary
the -0.038 -0.245 ...     400000 100                    400000 100
of  -0.153 -0.243 ...     the -0.038 -0.245 ...         the <100 little-endian float32>
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Container
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.text import CompressedFile
from ner_lstm_crf.progress import Progress

__all__ = ["RowLayout", "RowStore", "detect_layout", "read_binary_rows", "read_text_rows"]

_BLOCK = 1 << 21  # bytes read at once, unpacked: large enough for the parser, small enough for memory
_BOM = b"\xef\xbb\xbf"
_CONTROL = frozenset(range(32)) - frozenset(b"\t\n\r\x0b\x0c")


@dataclass(frozen=True, slots=True)
class RowLayout:
    """The format of a file of vectors, as its first bytes show it.

    Attributes:
        size: Values per vector, D.
        count: The number of vectors that the header line announces; None without a header.
        binary: True for word2vec's binary format.
        start: The byte at which the first row starts.
    """

    size: int
    count: int | None
    binary: bool
    start: int


class RowStore:
    """The rows kept so far; the first of equal words wins.

    Args:
        size: Values per vector, D.
        needed: Words to keep, in any row.
        limit: Rows at the beginning to keep in any case. Without it, all are kept if `needed` is None, else none.

    Attributes:
        words: The kept words, in order.
        seen: The number of rows so far, kept or not.
        beyond: The number of kept words beyond the limit.
        duplicates: The number of rows left out because their word had one already.
        nameless: The number of rows left out because their word is empty or not UTF-8.
        goes_on: True if the file goes on after the vectors that its header announces.
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
        """True if no further row would be kept."""
        return self._needed is None and self.seen >= self._kept_anyway

    def take(self, raw: bytes) -> bool:
        """Note the word of the next row; True if the row is to be kept, and the caller must `add` its values."""
        self.seen += 1
        try:
            word = raw.decode()
        except UnicodeDecodeError:
            word = ""
        if not word:
            self.nameless += 1
            return False
        is_beyond = self.seen > self._kept_anyway
        if is_beyond and (self._needed is None or word not in self._needed):
            return False
        if word in self.words:
            self.duplicates += 1
            return False
        self.beyond += is_beyond and self._limit is not None
        self.words[word] = None
        return True

    def add(self, rows: npt.NDArray[np.float32]) -> None:
        """Add the values (N, D) of the words taken since the last call."""
        end = self._filled + len(rows)
        if end > len(self._matrix):
            # In place if the allocator can: two copies of a large matrix may not fit in memory.
            self._matrix.resize((max(end, len(self._matrix) * 3 // 2), rows.shape[1]), refcheck=False)
        self._matrix[self._filled : end] = rows
        self._filled = end

    def matrix(self) -> npt.NDArray[np.float32]:
        """The kept rows, (N, D)."""
        self._matrix.resize((self._filled, self._matrix.shape[1]), refcheck=False)
        return self._matrix


def detect_layout(head: bytes, path: str) -> RowLayout:
    """The layout of a file that starts with `head`.

    Raises:
        InputError: If the file is empty or holds no vectors.
    """
    start = len(_BOM) if head.startswith(_BOM) else 0
    lines = head[start:].split(b"\n", 101)
    if len(lines) > 1:
        lines.pop()  # cut off by the end of `head`, or the rest of it
    if not any(line.strip() for line in lines):
        raise InputError("expected word vectors, the file is empty", path=path)
    header = _header(lines[0])
    body = head[start + len(lines[0]) + 1 :]
    if header and _is_binary(body, header[1]):
        return RowLayout(header[1], header[0], True, start + len(lines[0]) + 1)
    if any(byte in _CONTROL for byte in head[:4096]):
        message = "expected vectors as text, or word2vec binary (which starts with a line 'COUNT SIZE')"
        raise InputError(message, path=path)
    if header and (len(lines) == 1 or len(lines[1].split()) != 2 or header[1] == 1):
        return RowLayout(header[1], header[0], False, start + len(lines[0]) + 1)
    size = Counter(len(line.split()) - 1 for line in lines if line.strip()).most_common(1)[0][0]
    if size < 1:
        raise InputError("expected a word and its values, found one column", path=path, line=1)
    return RowLayout(size, None, False, start)


def _header(line: bytes) -> tuple[int, int] | None:
    fields = line.split()
    if len(fields) == 2 and all(field.isdigit() for field in fields) and int(fields[1]) > 0:
        return int(fields[0]), int(fields[1])
    return None


def _is_binary(body: bytes, size: int) -> bool:
    """True if the bytes after a header are binary: they do not begin with a row of text, and some are in no text."""
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
    file: CompressedFile, head: bytes, layout: RowLayout, store: RowStore, *, progress: Progress
) -> None:
    """Read the rows of a text file into `store`, until it is full.

    The values of many rows are parsed together, which takes a third of the time of one by one.

    Raises:
        InputError: If a row has another number of values, or a value is not a finite number; with the line.
    """
    rest, number = head[layout.start :], 0 if layout.count is None else 1
    while True:
        # 1. The next lines; the last one is complete only at the end of the file.
        block = file.stream.read(_BLOCK)
        lines = (rest + block).split(b"\n")
        rest = lines.pop() if block else b""
        # 2. The values of the rows to keep, as text.
        rows, numbers = list[str](), list[int]()
        for raw in lines:
            if store.full:
                break
            number += 1
            if not (line := raw.rstrip()):
                continue
            word, _, values = line.partition(b" ")
            if values.count(b" ") != layout.size - 1 or not store.seen:
                word, values = _split(line, layout.size, file.path, number)
            if not store.seen:  # kept or not: the first row shows whether this is a file of vectors at all
                _parse([values.decode("latin-1")], [number], layout.size, file.path)
            if store.take(word):
                rows.append(values.decode("latin-1"))
                numbers.append(number)
        # 3. The same as numbers.
        if rows:
            store.add(_parse(rows, numbers, layout.size, file.path))
        progress(file.position, file.total)
        if store.full or not block:
            return


def _split(line: bytes, size: int, path: str, number: int) -> tuple[bytes, bytes]:
    """The word and the values of a line with tabs, several spaces, or spaces inside the word (`. . .`)."""
    fields = line.rsplit(None, size)
    # A word with spaces that ends in a number is a row with too many values: no published file has such a word.
    surplus = fields[0].split()[1:]
    if len(fields) <= size or (surplus and _parsed([surplus[-1].decode("latin-1")], 1) is not None):
        found = len(line.split()) - 1
        raise InputError(f"expected {size} values after the word, found {found}", path=path, line=number)
    return fields[0].lstrip(), b" ".join(fields[1:])


def _parse(rows: list[str], numbers: list[int], size: int, path: str) -> npt.NDArray[np.float32]:
    """The values (N, D) of rows of text.

    Raises:
        InputError: If a row is broken; with its line, one of `numbers`.
    """
    values = _parsed(rows, size)
    if values is not None:
        return values
    for number, row in zip(numbers, rows, strict=True):
        fields = row.split()
        if len(fields) != size:
            message = f"expected {size} values after the word, found {len(fields)}"
            raise InputError(message, path=path, line=number)
        for field in fields:
            if _parsed([field], 1) is None:
                shown = field if len(field) <= 40 else f"{field[:40]}..."
                raise InputError(f"expected a finite number, found '{shown}'", path=path, line=number)
    raise AssertionError("rows that cannot be parsed together can be parsed one by one")


def _parsed(rows: list[str], size: int) -> npt.NDArray[np.float32] | None:
    """The values (N, D) of rows of text; None if one is broken."""
    if not any(rows):
        return None
    try:
        with np.errstate(over="ignore"):
            values = np.loadtxt(rows, dtype=np.float32, comments=None, ndmin=2)
    except ValueError:
        return None
    return values if values.shape == (len(rows), size) and bool(np.isfinite(values).all()) else None


def read_binary_rows(
    file: CompressedFile, head: bytes, layout: RowLayout, store: RowStore, *, progress: Progress
) -> None:
    """Read the rows of a word2vec binary file into `store`, until it is full.

    Raises:
        InputError: If the file ends early, or a value is not finite; with the number of the vector.
    """
    count = layout.count or 0
    buffer, at = head[layout.start :], 0
    rows, numbers = list[bytes](), list[int]()
    for number in range(1, count + 1):
        if store.full:
            break
        # 1. Read on if the next row is not complete.
        space = buffer.find(b" ", at)
        if space < 0 or space + 1 + 4 * layout.size > len(buffer):
            _add_binary(rows, numbers, store, file.path)
            rows, numbers = [], []
            buffer, at = buffer[at:] + file.stream.read(_BLOCK), 0
            progress(file.position, file.total)
            space = buffer.find(b" ")
            if space < 0 or space + 1 + 4 * layout.size > len(buffer):
                raise InputError(f"expected {count} vectors, the file ends within vector {number}", path=file.path)
        # 2. The word ends at the space, and its values follow.
        end = space + 1 + 4 * layout.size
        if store.take(buffer[at:space].lstrip(b"\n")):
            rows.append(buffer[space + 1 : end])
            numbers.append(number)
        at = end
    _add_binary(rows, numbers, store, file.path)
    store.goes_on = not store.full and bool((buffer[at:] + file.stream.read(_BLOCK)).strip(b"\n"))


def _add_binary(rows: list[bytes], numbers: list[int], store: RowStore, path: str) -> None:
    """Add rows of binary values to the store.

    Raises:
        InputError: If a value is not finite; with the number of its vector, one of `numbers`.
    """
    if not rows:
        return
    values = np.frombuffer(b"".join(rows), dtype="<f4").reshape(len(rows), -1)
    broken = ~np.isfinite(values).all(axis=1)
    if broken.any():
        number = numbers[int(broken.argmax())]
        raise InputError(f"expected finite values, found others in vector {number}", path=path)
    store.add(values)
