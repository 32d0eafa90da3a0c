"""Files of word vectors: every format, plain and packed, gives the same rows; every defect gives one clear line."""

from __future__ import annotations

import bz2
import gzip
import logging
import lzma
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.features.vectors import Vectors, read_vectors

WORDS = ("the", "Rome", ". . .", "北京", "1998", "\x85")
MATRIX = np.array([[0.5, -1.25, 3e-5], [1, 2, 3], [-0.0, 7, 8], [9, 1e10, 2], [0.1, 0.2, 0.3], [4, 5, 6]], np.float32)


def text(words: tuple[str, ...], matrix: np.ndarray, *, separator: str = " ", end: str = "\n") -> bytes:
    lines = (separator.join([word, *map(repr, map(float, row))]) + end for word, row in zip(words, matrix, strict=True))
    return "".join(lines).encode()


def binary(words: tuple[str, ...], matrix: np.ndarray, *, end: bytes = b"\n") -> bytes:
    rows = (word.encode() + b" " + row.astype("<f4").tobytes() + end for word, row in zip(words, matrix, strict=True))
    return f"{len(matrix)} {matrix.shape[1]}\n".encode() + b"".join(rows)


def header(body: bytes) -> bytes:
    return b"%d %d\n" % MATRIX.shape + body


ONE_WORD = tuple(word for word in WORDS if " " not in word)
ONE = MATRIX[[0, 1, 3, 4, 5]]
FORMATS = {
    "glove": text(WORDS, MATRIX),
    "word2vec text": header(text(WORDS, MATRIX)),
    "fasttext": header(text(WORDS, MATRIX, end=" \n")),
    "tabs": text(WORDS, MATRIX, separator="\t"),
    "several spaces": text(WORDS, MATRIX, separator="  "),
    "crlf": text(WORDS, MATRIX, end="\r\n"),
    "byte order mark": b"\xef\xbb\xbf" + text(WORDS, MATRIX),
    "no final newline": text(WORDS, MATRIX).removesuffix(b"\n"),
    "blank lines": text(WORDS, MATRIX).replace(b"\n", b"\n\n"),
}
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
}


def same(vectors: Vectors, words: tuple[str, ...], matrix: np.ndarray) -> bool:
    return vectors.words == words and vectors.matrix.dtype == np.float32 and np.array_equal(vectors.matrix, matrix)


@pytest.mark.parametrize("name", FORMATS)
def test_text_formats(tmp_path: Path, name: str) -> None:
    path = tmp_path / "vectors"
    path.write_bytes(FORMATS[name])
    vectors = read_vectors(path)
    assert same(vectors, WORDS, MATRIX)
    assert (len(vectors), vectors.size) == MATRIX.shape


@pytest.mark.parametrize("end", [b"\n", b""])  # the original tool ends rows with a newline, others do not
def test_word2vec_binary(tmp_path: Path, end: bytes) -> None:
    path = tmp_path / "vectors.txt"  # the content counts, not the name
    path.write_bytes(binary(ONE_WORD, ONE, end=end))
    assert same(read_vectors(path), ONE_WORD, ONE)


@pytest.mark.parametrize("pack", PACKED)
@pytest.mark.parametrize("content", [FORMATS["glove"], binary(WORDS[:2], MATRIX[:2])])
def test_packed_files(tmp_path: Path, pack: str, content: bytes) -> None:
    path = tmp_path / "vectors.bin"
    path.write_bytes(PACKED[pack](content))
    count = len(WORDS) if content is FORMATS["glove"] else 2
    assert same(read_vectors(path), WORDS[:count], MATRIX[:count])


def test_zip_of_one_file(tmp_path: Path) -> None:
    path = tmp_path / "glove.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("folder")
        archive.writestr("folder/vectors.txt", FORMATS["glove"])
    assert same(read_vectors(path), WORDS, MATRIX)


def test_zip_of_several_files_is_refused_with_their_names(tmp_path: Path) -> None:
    path = tmp_path / "glove.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.50d.txt", "a 1\n")
        archive.writestr("a.100d.txt", "a 1\n")
    with pytest.raises(InputError, match=r"found 2 \(a\.50d\.txt, a\.100d\.txt\)"):
        read_vectors(path)


@given(
    st.dictionaries(
        # Control characters stand in words of real files, but not on the first pages, where they mark binary files.
        st.text(st.characters(exclude_categories=["Cs"], min_codepoint=33), min_size=1, max_size=5),
        st.integers(0, 2**32 - 1),
        min_size=1,
        max_size=8,
    ),
    st.integers(1, 5),
    st.booleans(),
)
def test_what_is_written_is_read(words: dict[str, int], size: int, as_text: bool) -> None:
    matrix = np.stack([np.random.default_rng(seed).normal(size=size) for seed in words.values()]).astype(np.float32)
    if not as_text:
        matrix[0, 0] = 0  # a binary file is told by bytes that no text has: kilobytes of values do, a few may not
    names = tuple(words)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vectors"
        path.write_bytes(text(names, matrix) if as_text else binary(names, matrix))
        assert same(read_vectors(path), names, matrix)


@pytest.mark.parametrize("content", [FORMATS["glove"], binary(WORDS, MATRIX).replace(b". . .", b"dots.")])
def test_only_needed_words_in_the_order_of_the_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "vectors"
    path.write_bytes(content)
    vectors = read_vectors(path, needed={"北京", "Rome", "absent"})
    assert same(vectors, ("Rome", "北京"), MATRIX[[1, 3]])
    nothing = read_vectors(path, needed={"absent"})
    assert nothing.words == ()
    assert nothing.matrix.shape == (0, 3)


@pytest.mark.parametrize("content", [*FORMATS.values(), binary(ONE_WORD, ONE)])
@pytest.mark.parametrize("limit", [1, 2])
def test_limit_counts_rows(tmp_path: Path, content: bytes, limit: int) -> None:
    path = tmp_path / "vectors"
    path.write_bytes(content)
    assert same(read_vectors(path, limit=limit), WORDS[:limit], MATRIX[:limit])


@pytest.mark.parametrize(
    "content", [FORMATS["glove"], FORMATS["blank lines"], binary(WORDS, MATRIX).replace(b". . .", b"dots.")]
)
def test_what_is_needed_is_kept_beyond_the_limit(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "vectors"
    path.write_bytes(content)
    vectors = read_vectors(path, limit=2, needed={"北京", "the", "absent"})
    assert same(vectors, ("the", "Rome", "北京"), MATRIX[[0, 1, 3]])
    assert (vectors.rows, vectors.beyond) == (6, 1)
    everything = read_vectors(path, limit=6, needed={"北京"})
    assert (len(everything), everything.rows, everything.beyond) == (6, 6, 0)


def test_a_limit_alone_reads_no_further(tmp_path: Path) -> None:
    path = tmp_path / "vectors"
    path.write_bytes(FORMATS["glove"] + b"broken 1\n")
    assert read_vectors(path, limit=6).rows == 6
    with pytest.raises(InputError, match=":7: expected 3 values"):
        read_vectors(path, limit=6, needed={"absent"})


def test_many_rows_beyond_the_limit(tmp_path: Path) -> None:
    """Over the seams of blocks, too, exactly the first and the needed are kept."""
    count, size = 30_000, 12
    matrix = np.arange(count * size, dtype=np.float32).reshape(count, size)
    words = tuple(f"w{number}" for number in range(count))
    needed = {f"w{number}" for number in range(0, count, 997)}
    kept = [number for number in range(count) if number < 20_001 or words[number] in needed]
    for content in (text(words, matrix), binary(words, matrix)):
        (tmp_path / "vectors").write_bytes(content)
        vectors = read_vectors(tmp_path / "vectors", limit=20_001, needed=needed)
        assert same(vectors, tuple(words[number] for number in kept), matrix[kept])


def test_limit_below_one_is_a_programming_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="limit"):
        read_vectors(tmp_path / "absent", limit=0)


def test_many_blocks(tmp_path: Path) -> None:
    """More than a block of text and of binary: rows across the seams are whole."""
    count, size = 30_000, 12
    matrix = np.arange(count * size, dtype=np.float32).reshape(count, size)
    words = tuple(f"w{number}" for number in range(count))
    for content in (text(words, matrix), binary(words, matrix)):
        assert len(content) > 1 << 20
        (tmp_path / "vectors").write_bytes(content)
        assert same(read_vectors(tmp_path / "vectors"), words, matrix)


def test_progress_ends_at_the_size_on_disk(tmp_path: Path) -> None:
    rows = 200_000
    path = tmp_path / "vectors.gz"
    path.write_bytes(gzip.compress(text(tuple(map(str, range(rows))), np.tile(MATRIX[0], (rows, 1)))))
    calls: list[tuple[int, int | None]] = []
    read_vectors(path, needed=frozenset(), progress=lambda done, total: calls.append((done, total)))
    size = path.stat().st_size
    assert {total for _, total in calls} == {size}
    done = [done for done, _ in calls]
    assert done == sorted(done)
    assert done[-1] == size
    assert len(set(done)) > 2


def test_first_of_equal_words_wins_and_it_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "v").write_text("a 1 2\nb 3 4\na 5 6\n")
    with caplog.at_level(logging.WARNING):
        assert same(read_vectors(tmp_path / "v"), ("a", "b"), np.array([[1, 2], [3, 4]], np.float32))
    assert "(1 rows)" in caplog.text


def test_rows_without_a_readable_word_are_left_out_and_it_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "v").write_bytes(b"a 1 2\n 3 4\ncaf\xe9 5 6\n")
    with caplog.at_level(logging.WARNING):
        assert read_vectors(tmp_path / "v").words == ("a",)
    assert "left out 2 rows" in caplog.text


def test_a_header_that_announces_another_number_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "v").write_text("3 2\na 1 2\nb 3 4\n")
    with caplog.at_level(logging.WARNING):
        assert len(read_vectors(tmp_path / "v")) == 2
    assert "announces 3 vectors, the file holds 2" in caplog.text
    caplog.clear()
    read_vectors(tmp_path / "v", limit=1)
    assert not caplog.records


def test_vectors_beyond_those_a_binary_header_announces_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    body = binary(WORDS, MATRIX)
    fewer = body.replace(f"{len(WORDS)} ".encode(), f"{len(WORDS) - 1} ".encode(), 1)
    for content, said in ((fewer, True), (body, False), (body + b"\n", False)):
        (tmp_path / "v").write_bytes(content)
        read_vectors(tmp_path / "v")
        assert (f"announces {len(WORDS) - 1} vectors, the file goes on" in caplog.text) == said
        caplog.clear()


def test_spaces_before_a_word_are_no_part_of_it(tmp_path: Path) -> None:
    (tmp_path / "v").write_text("a 1 2\n  b 3 4\n")
    assert read_vectors(tmp_path / "v").words == ("a", "b")


BROKEN = {
    "too few values": (b"a 1 2 3\nb 4 5\nc 6 7 8\n", r"v:2: expected 3 values after the word, found 2$"),
    "too many values": (b"a 1 2 3\nb 4 5 6 7\nc 6 7 8\n", r"v:2: expected 3 values after the word, found 4$"),
    "too few for the header": (b"2 3\na 1 2\nb 4 5\n", r"v:2: expected 3 values after the word, found 2$"),
    "a word for a value": (b"a 1 2 3\nb 4 x5 6\n", r"v:2: expected a finite number, found 'x5'$"),
    "a decimal comma": (b"a 1 2 3\nb 4 0,5 6\n", r"v:2: expected a finite number, found '0,5'$"),
    "an underscore": (b"a 1 2 3\nb 4 1_0 6\n", r"v:2: expected a finite number, found '1_0'$"),
    "glued values": (b"a 1 2 3\nb 4 5-6 7\n", r"v:2: expected a finite number, found '5-6'$"),
    "two spaces for a value": (b"a 1 2 3\nb 4  6\nc 1 2 3\n", r"v:2: expected 3 values after the word, found 2$"),
    "nan": (b"a 1 2 3\nb 4 nan 6\n", r"v:2: expected a finite number, found 'nan'$"),
    "inf": (b"a 1 2 3\nb 4 -inf 6\n", r"v:2: expected a finite number, found '-inf'$"),
    "beyond float32": (b"a 1 2 3\nb 4 1e39 6\n", r"v:2: expected a finite number, found '1e39'$"),
    "a value of any length": (b"a 1 2\nb %s 2\n" % (b"x" * 5000), r"v:2: .* found 'x{40}\.{3}'$"),
    "header and broken row": (b"2 2\na 1 x\nb 1 2\n", r"v:2: expected a finite number, found 'x'$"),
    "after a header": (b"2 2\na 1 2\nb 1 x\n", r"v:3: expected a finite number, found 'x'$"),
    "words only": (b"the\nof\n", r"v:1: expected a word and its values, found one column$"),
    "a word only, with a header": (b"1 1\nthe\n", r"v:2: expected 1 values after the word, found 0$"),
    "no vectors at all": (b"EU B-ORG\nrejects O\n", r"v:1: expected a finite number, found 'B-ORG'$"),
    "empty": (b"", r"v: expected word vectors, the file is empty$"),
    "blank": (b"\n \n", r"v: expected word vectors, the file is empty$"),
    "only a header": (b"3 2\n", r"v: expected word vectors, found only a header line$"),
    "binary without header": (b"\x00\x01\x02\x03" * 9, r"v: expected vectors as text, or word2vec binary"),
    "a cut gzip": (gzip.compress(FORMATS["glove"] * 99, mtime=0)[:-20], r"the compressed data are damaged or cut"),
    "a cut xz": (lzma.compress(FORMATS["glove"] * 99)[:-20], r"the compressed data are damaged or cut"),
    "a damaged zip": (b"PK\x03\x04" + b"x" * 99, r"the compressed data are damaged or cut"),
    "a cut binary": (binary(ONE_WORD, ONE)[:-3], r"v: expected 5 vectors, the file ends within vector 5$"),
    "a shorter binary": (binary(ONE_WORD, ONE)[:-15], r"v: expected 5 vectors, the file ends within vector 5$"),
    "nan in a binary": (
        binary(("a", "b"), np.array([[1, 2], [3, np.nan]])),
        r"v: expected finite values, found others in vector 2$",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_defects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    content, message = BROKEN[name]
    monkeypatch.chdir(tmp_path)
    Path("v").write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_vectors("v")
    assert "\n" not in str(caught.value)


def test_what_is_no_file_of_vectors_is_refused_even_if_nothing_is_needed(tmp_path: Path) -> None:
    (tmp_path / "v").write_text("EU B-ORG\nrejects O\n")
    with pytest.raises(InputError, match=r"v:1: expected a finite number"):
        read_vectors(tmp_path / "v", needed=frozenset())


def test_the_line_of_a_defect_far_inside(tmp_path: Path) -> None:
    lines = [f"w{number} 1.5 2.5" for number in range(300_000)]
    lines[250_000] = "w250000 1.5 2.5x"
    (tmp_path / "v").write_text("300000 2\n" + "\n".join(lines))
    with pytest.raises(InputError, match=r":250002: expected a finite number, found '2\.5x'"):
        read_vectors(tmp_path / "v")


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="absent: no such file"):
        read_vectors(tmp_path / "absent")
    with pytest.raises(InputError, match="expected a file, found a directory"):
        read_vectors(tmp_path)


@pytest.mark.real
def test_glove(glove: Path) -> None:
    with gzip.open(glove, "rt", encoding="utf-8") as lines:
        first = next(lines).split()
    needed = {first[0], "rome", "1998", "no such word at all"}
    calls: list[int] = []
    vectors = read_vectors(glove, needed=needed, progress=lambda done, total: calls.append(done))
    assert vectors.words[0] == first[0]
    assert set(vectors.words) == needed - {"no such word at all"}
    assert vectors.size == 100
    assert np.array_equal(vectors.matrix[0], np.array(first[1:], dtype=np.float32))
    assert calls[-1] == glove.stat().st_size


# In memory


@pytest.mark.parametrize("number", [np.float64, np.float16, np.int32])
def test_vectors_of_other_numbers_are_converted(number: type) -> None:
    vectors = Vectors(["a", "b"], np.array([[1, 2], [3, 4]], number).T)  # of another layout too
    assert vectors.words == ("a", "b")
    assert vectors.matrix.dtype == np.float32
    assert vectors.matrix.flags.c_contiguous
    assert vectors.matrix.tolist() == [[1, 3], [2, 4]]
    assert Vectors.from_dict({"a": [1, 3], "b": np.array([2.0, 4.0])}).matrix.tolist() == [[1, 3], [2, 4]]
    assert repr(vectors) == "<Vectors: 2 words, 2 values each>"


@pytest.mark.parametrize(
    ("words", "matrix", "said"),
    [
        (
            ["a", "b"],
            [[1.0, 2.0], [3.0, np.nan]],
            r"expected numbers up to 1e\+16, got nan for the word 'b'",
        ),
        (
            ["a", "b"],
            [[np.inf, 2.0], [3.0, 4.0]],
            r"expected numbers up to 1e\+16, got inf for the word 'a'",
        ),
        (["a"], [[-2e16]], r"expected numbers up to 1e\+16, got -2.*e\+16 for the word 'a'"),
        (["a"], [[1e39]], r"expected numbers up to 1e\+16, got inf for the word 'a'"),
        (["a", "b"], [[1.0, 2.0]], "expected a row for each of 2 words, got 1 rows: 'b' has none"),
        (["a"], [[1.0], [2.0]], "expected a row for each of 1 words, got 2 rows"),
        (["a", "b", "a"], [[1.0], [2.0], [3.0]], "expected each word once, got 'a' several times"),
        (["a"], [1.0], r"expected a matrix \(N, D\), got one of shape \(1,\)"),
        ([], [], r"expected a matrix \(N, D\), got one of shape \(0,\)"),
        ("ab", [[1.0], [2.0]], "expected a sequence of words, got 'ab'"),
        (None, None, "expected a sequence of words, got None"),
        (["a", 7], [[1.0], [2.0]], r"expected a string as word 2, got 7 \(int\)"),
        (["a", "b"], [[1.0], [2.0, 3.0]], r"expected numbers \(N, D\), got list"),
        (["a"], "glove.txt", r"expected numbers \(N, D\), got str"),
    ],
)
def test_vectors_that_do_not_fit_are_refused_with_the_word(words: Any, matrix: Any, said: str) -> None:
    with pytest.raises((TypeError, InputError), match=said):
        Vectors(words, matrix)
    with pytest.raises(InputError, match=r"expected \(2,\) values for each word, got \(1,\) for 'b'"):
        Vectors.from_dict({"a": [1, 2], "b": [1]})


@pytest.mark.parametrize("text", [f"{'9' * 5000} 3\na 1 2 3\n", "1 99999999999\na 1 2 3\n", f"a 1\nb {'9' * 5000}\n"])
def test_numbers_of_any_length_are_one_clear_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "vectors.txt").write_text(text)
    with pytest.raises(InputError, match=r"vectors\.txt:2: expected "):
        read_vectors(tmp_path / "vectors.txt")
