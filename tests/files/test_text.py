from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import os
import sys
from itertools import islice
from pathlib import Path
from threading import Event, Thread

import pytest
from hypothesis import given, strategies as st

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.text import LONGEST_LINE, TextFile, printable, quoted, stream_lines, writing

COMPRESSORS = {"plain": bytes, "gz": gzip.compress, "xz": lzma.compress, "bz2": bz2.compress}


@given(
    text=st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1),
    compression=st.sampled_from([*COMPRESSORS]),
)
def test_lines_joined_are_the_file_and_only_a_line_feed_ends_a_line(text, compression, tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "file"
    path.write_bytes(COMPRESSORS[compression](("x" + text).encode()))
    if "\n" not in text and "\r" in text.rstrip("\r"):
        text += "\n"
        path.write_bytes(COMPRESSORS[compression](("x" + text).encode()))
    lines = list(TextFile(path).lines())
    assert "".join(lines) == "x" + text
    assert all("\n" not in line[:-1] for line in lines)


@pytest.mark.parametrize("compression", COMPRESSORS)
def test_compression_is_recognised_by_content_not_by_name(compression, tmp_path):
    path = tmp_path / "misnamed.txt"
    path.write_bytes(COMPRESSORS[compression]("Zoë\n".encode()))
    assert list(TextFile(path).lines()) == ["Zoë\n"]


def test_a_byte_order_mark_is_dropped_at_the_start_alone(tmp_path):
    path = tmp_path / "bom.txt"
    path.write_bytes(codecs.BOM_UTF8 + "a\n\ufeffb\n".encode())
    file = TextFile(path)
    assert file.byte_order_mark
    assert list(file.lines()) == ["a\n", "\ufeffb\n"]


def test_line_separators_of_unicode_stay_inside_lines(tmp_path):
    path = tmp_path / "odd.txt"
    path.write_text("a\u2028b\u0085c\x1cd\x0be\x0c\rf\n", encoding="utf-8", newline="")
    assert len(list(TextFile(path).lines())) == 1


def test_other_encodings(tmp_path):
    path = tmp_path / "latin.txt"
    path.write_bytes("Zoë in Köln\n".encode("latin-1"))
    assert list(TextFile(path, "latin-1").lines()) == ["Zoë in Köln\n"]
    path.write_bytes("罗马\n".encode("utf-16"))
    assert list(TextFile(path, "utf-16").lines()) == ["罗马\n"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_damaged_text_of_wide_characters_is_reported_with_its_line(encoding, tmp_path):
    path = tmp_path / "wide.txt"
    path.write_bytes("罗马\n\u0a0a\n巴黎\n".encode(encoding) + "\ud800\n".encode("utf-32-le", "surrogatepass")[:3])
    with pytest.raises(InputError) as caught:
        list(TextFile(path, encoding).lines())
    assert caught.value.line == 4
    assert f"not valid {encoding}" in str(caught.value)


@pytest.mark.parametrize("before", ["a", "a" * 100_000, "é\n" * 30_000])
def test_a_wrong_encoding_is_reported_with_its_place(before, tmp_path):
    path = tmp_path / "latin.txt"
    path.write_bytes(before.encode() + b"\nZo\xeb\n")
    with pytest.raises(InputError) as caught:
        list(TextFile(path).lines())
    line = before.count("\n") + 2
    offset = len(before.encode()) + 3
    assert str(caught.value).startswith(f"{path}:{line}: byte 0xeb at offset {offset} is not valid utf-8")
    hint = "which the rest is" if "é" in before else "--encoding latin-1"
    assert hint in str(caught.value)


def refused(content: bytes, tmp_path: Path) -> str:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        list(TextFile(path).lines())
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
    return caught.value.message


def test_what_is_not_text_is_refused(tmp_path):
    assert refused(b"", tmp_path) == "the file is empty"
    assert refused(gzip.compress(b""), tmp_path) == "the file is empty"
    assert "NUL byte at offset 3" in refused(b"abc\0def", tmp_path)
    assert "zip archive" in refused(b"PK\x03\x04rest", tmp_path)
    assert "--encoding utf-16" in refused("Rome O\n".encode("utf-16"), tmp_path)
    assert "CR alone" in refused(b"Rome O\rParis O\r", tmp_path)
    assert "damaged or cut short" in refused(gzip.compress(os.urandom(200_000).hex().encode())[:-5000], tmp_path)
    assert "damaged or cut short" in refused(lzma.compress(os.urandom(200_000).hex().encode())[:-5000], tmp_path)


def test_a_stream_that_breaks_off_late_is_refused_while_reading(tmp_path):
    path = tmp_path / "late.gz"
    path.write_bytes(gzip.compress(b"".join(b"%d O\n" % number for number in range(200_000)))[:-20])
    with pytest.raises(InputError, match="cut short"):
        list(TextFile(path).lines())


@pytest.mark.parametrize("encoding", ["gb18030", "big5"])
def test_an_encoding_for_chinese_is_proposed_where_it_makes_chinese_of_the_bytes(encoding, tmp_path):
    text = "王小明從北京飛往巴黎\n" if encoding == "big5" else "王小明从北京飞往巴黎\n"
    assert f"--encoding {encoding}" in refused(text.encode(encoding), tmp_path)


def test_missing_file_directory_and_unknown_encoding(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        TextFile(tmp_path / "missing.conll")
    with pytest.raises(InputError, match="found a directory"):
        TextFile(tmp_path)
    with pytest.raises(InputError, match="unknown encoding 'klingon'"):
        TextFile(tmp_path / "missing.conll", "klingon")


def test_standard_input_can_be_read_twice(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(b"Rome O\n"))))
    for _ in range(2):
        assert list(TextFile("-").lines()) == ["Rome O\n"]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"Paris O\n")))
    assert list(TextFile("-").lines()) == ["Paris O\n"]


def test_a_pipe_can_be_read_twice(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = Thread(target=pipe.write_bytes, args=(b"Rome O\n",))
    writer.start()
    file = TextFile(pipe)
    writer.join()
    assert list(file.lines()) == list(file.lines()) == ["Rome O\n"]


def test_a_pipe_that_does_not_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("ner_lstm_crf.files.text._MOST_HELD", 1_000_000)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"Rome O\n" * 200_000)))
    with pytest.raises(InputError, match="standard input: more than 1,000,000 bytes came through the pipe"):
        TextFile("-")
    assert sum(1 for _ in islice(stream_lines("-"), 10)) <= 10  # read as it comes, it needs no end


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz", ".bz2"])
def test_what_is_written_is_read_back_with_its_line_ends(suffix, tmp_path):
    path = tmp_path / f"out.txt{suffix}"
    with writing(path) as out:
        out.write("a\r\nb\nü")
    assert list(TextFile(path).lines()) == ["a\r\n", "b\n", "ü"]
    assert (path.read_bytes() == "a\r\nb\nü".encode()) == (suffix == "")
    assert list(tmp_path.iterdir()) == [path]


def test_the_old_file_survives_a_failure(tmp_path):
    path = tmp_path / "out.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), writing(path) as out:
        out.writelines(["new", str(1 // len(""))])
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_can_be_written_while_it_is_read(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("a\n" * 50_000)
    with writing(path) as out:
        out.writelines(line.upper() for line in TextFile(path).lines())
    assert path.read_text() == "A\n" * 50_000


def test_links_and_permissions_are_kept(tmp_path):
    path, link = tmp_path / "file.txt", tmp_path / "link.txt"
    path.write_text("old")
    path.chmod(0o640)
    link.symlink_to(path)
    with writing(link) as out:
        out.write("new")
    assert link.is_symlink()
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o640


def test_places_that_cannot_be_written(tmp_path):
    with (
        pytest.raises(InputError, match="cannot be written: No such file or directory"),
        writing(tmp_path / "no" / "file"),
    ):
        pass
    with pytest.raises(InputError, match="found a directory"), writing(tmp_path):
        pass
    with (
        pytest.raises(InputError, match="'罗' cannot be written in iso8859-1"),
        writing(tmp_path / "x", "latin-1") as out,
    ):
        out.write("罗马")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_one_clear_line():
    with (
        pytest.raises(InputError, match="/dev/full: cannot be written: No space left on device"),
        writing("/dev/full") as out,
    ):
        out.write("text")


def test_writing_to_standard_output(capsysbinary):
    with writing("-") as out:
        out.write("Zoë\n")
    with writing("-", "latin-1") as out:
        out.write("Zoë\n")
    assert capsysbinary.readouterr().out == "Zoë\n".encode() + "Zoë\n".encode("latin-1")


def test_quoted_text_is_one_short_line():
    assert quoted("a\nb") == r"'a\nb'"
    assert len(quoted("x" * 5000)) < 90


# Streams


def test_a_stream_gives_the_lines_that_a_file_gives(tmp_path, monkeypatch):
    content = "\ufeffAda\r\n\u2028King\ufeff\nRome".encode()
    path = tmp_path / "x"
    path.write_bytes(content)
    expected = ["Ada\r\n", "\u2028King\ufeff\n", "Rome"]
    assert list(stream_lines(path)) == list(TextFile(path).lines()) == expected
    stdin = io.TextIOWrapper(io.BytesIO(content))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert list(stream_lines("-")) == expected
    assert not stdin.buffer.closed


def test_lines_of_a_live_pipe_come_before_it_ends(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    answered = Event()

    def write():
        with path.open("wb", buffering=0) as out:
            out.write(b"one\ntwo\n")
            if answered.wait(timeout=20):
                out.write(b"three\n")

    writer = Thread(target=write)
    writer.start()
    lines = stream_lines(path)
    assert next(lines) == "one\n"  # the writer has not ended: it waits for us
    answered.set()
    assert list(lines) == ["two\n", "three\n"]
    writer.join()


@pytest.mark.parametrize(
    "encoding",
    ["latin-99", "base64", "rot13", "zlib", "punycode", "idna", "unicode_escape", "raw_unicode_escape", "undefined"],
)
def test_what_is_no_encoding_is_refused_for_streams_as_for_files(encoding, tmp_path):
    for read in (lambda: list(stream_lines("-", encoding)), lambda: TextFile(tmp_path / "x", encoding)):
        with pytest.raises(InputError, match=f"unknown encoding '{encoding}'"):
            read()


def test_wrong_bytes_of_a_stream(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"caf\xe9\n")))
    with pytest.raises(InputError, match=r"^standard input: byte 0xe9 is not valid utf-8: say --encoding$"):
        list(stream_lines("-"))


def test_half_a_surrogate_pair_cannot_be_written_and_the_message_says_so(tmp_path):
    with pytest.raises(InputError, match="half of a surrogate pair"), writing(tmp_path / "x") as out:
        out.write("\ud83d")
    assert not list(tmp_path.iterdir())


def test_damaged_bzip2_is_named_with_its_path(tmp_path):
    path = tmp_path / "x.bz2"
    content = bytearray(bz2.compress(b"Rome\n" * 5000))
    content[20] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"x\.bz2: the compressed data are damaged"):
        list(TextFile(path).lines())


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_wide_characters_without_a_mark_are_recognised_and_the_hint_reads_them(encoding, tmp_path):
    path = tmp_path / "x.conll"
    path.write_bytes("Rome\tB-LOC\n罗马\tB-LOC\n".encode(encoding))
    for named in ("utf-8", "latin-1", encoding[:6]):
        with pytest.raises(InputError, match=rf"x\.conll:.* --encoding {encoding}$"):
            list(TextFile(path, named).lines())
    assert list(TextFile(path, encoding).lines()) == ["Rome\tB-LOC\n", "罗马\tB-LOC\n"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_a_mark_of_wide_characters_names_its_encoding_and_the_hint_reads_them(encoding, tmp_path):
    path = tmp_path / "x.conll"
    path.write_bytes("Rome\tB-LOC\n".encode(encoding))
    with pytest.raises(InputError, match=f"found {encoding.upper()}: read it with --encoding {encoding}$"):
        TextFile(path)
    assert list(TextFile(path, encoding).lines()) == ["Rome\tB-LOC\n"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_plain_text_is_not_read_as_wide_characters(encoding, tmp_path):
    """Two letters would become one Chinese character."""
    path = tmp_path / "x.conll"
    path.write_bytes("Zürich\tB-LOC\nOslo\tB-LOC\n".encode())
    with pytest.raises(InputError, match=r"say --encoding utf-8$"):
        TextFile(path, encoding)


def test_a_stream_of_wide_characters_without_a_mark_is_one_clear_line(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("Rome\n".encode("utf-16-le"))))
    with pytest.raises(InputError, match=r"^standard input: .*: say --encoding utf-16-le or utf-16-be$"):
        list(stream_lines("-", "utf-16"))


FOREIGN = {
    "a zip archive": b"PK\x03\x04 news.txt",
    "a document of Word (docx)": b"PK\x03\x04 [Content_Types].xml PK\x03\x04 word/document.xml",
    "a table of Excel (xlsx)": b"PK\x03\x04 [Content_Types].xml PK\x03\x04 xl/workbook.xml",
    "a document of LibreOffice": b"PK\x03\x04 mimetypeapplication/vnd.oasis.opendocument.text",
    "a PDF document": b"%PDF-1.7\n",
    "a Parquet file": b"PAR1\x15\x04",
    "a document in Rich Text Format": b"{\\rtf1 Ada}",
    "a Python pickle": b"\x80\x04\x95",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_files_that_are_no_text_are_named(name, tmp_path):
    assert f"expected text, found {name}: " in refused(FOREIGN[name] + bytes(range(40)), tmp_path)


def test_a_long_line_is_refused_before_it_is_in_memory(tmp_path):
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(b"Rome\n" + b"a" * (LONGEST_LINE + 1)))
    with pytest.raises(InputError, match=r"x\.gz:2: expected lines of at most 16,777,216 bytes"):
        list(TextFile(path).lines())
    assert sum(map(len, TextFile(path).pieces(1000))) == 5 + LONGEST_LINE + 1


def test_a_compressed_file_does_not_become_any_number_of_bytes(tmp_path, monkeypatch):
    path = tmp_path / "x.xz"
    path.write_bytes(lzma.compress(b"Rome O\n" * 500_000))
    assert sum(1 for _ in TextFile(path).lines()) == 500_000
    monkeypatch.setattr("ner_lstm_crf.files.text._SMALL_EXPANDED", 1_000_000)
    with pytest.raises(
        InputError, match=r"x\.xz: the file has become more than 200 times as large: decompress it first"
    ):
        list(TextFile(path).lines())


@pytest.mark.parametrize("name", ["loop", "a\0b", "x" * 300, "none/x"])
def test_paths_that_lead_to_no_file_are_one_clear_line(name, tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(InputError, match=r"no such file|cannot be read: "):
        TextFile(tmp_path / name)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Zoë 北京 😀\tnext\nline\r\n", "Zoë 北京 😀\tnext\nline\r\n"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("over\rwritten\x7f", "over\\rwritten\\x7f"),
        ("caf\udce9", "caf\\udce9"),
    ],
)
def test_what_would_control_a_terminal_is_shown_as_an_escape(text, shown):
    assert printable(text) == shown


@pytest.mark.parametrize("is_terminal", [True, False])
def test_only_a_terminal_is_spared_control_characters(is_terminal, monkeypatch):
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr(out, "isatty", lambda: is_terminal)
    monkeypatch.setattr("sys.stdout", out)
    with writing("-") as stream:
        stream.write("\x1b[2J\n")
        stream.writelines(["\x1b", "\n"])
    assert out.buffer.getvalue() == (rb"\x1b[2J" b"\n" rb"\x1b" b"\n" if is_terminal else b"\x1b[2J\n\x1b\n")


def test_utf_16_without_a_mark_that_is_cut_short_is_named_for_its_mark(tmp_path: Path) -> None:
    path = tmp_path / "x.conll"
    path.write_bytes(b"\x00\x00\xfe\xffAda\tB-PER\n")  # an odd number of bytes
    with pytest.raises(InputError, match="does not start with BOM: say --encoding "):
        list(TextFile(path, "utf-16").lines())
