"""Fetching corpora, from a server on this machine that misbehaves on request, and from a local copy."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ner_lstm_crf.corpora import download
from ner_lstm_crf.corpora.catalogue import Corpus, CorpusFile, get_corpus
from ner_lstm_crf.corpora.download import fetch_corpus
from ner_lstm_crf.errors import InputError

TRAIN = b"".join(b"word%d\tO\n" % number for number in range(40_000))
TEST = b"Rome\tB-LOC\n\n"


@dataclass
class Server:
    """The files of the server, its misbehaviour, and the files that it was asked for."""

    address: str
    content: dict[str, bytes]
    cut: int | None = None  # close the connection after so many bytes
    endless: bool = False  # send the file over and over, until nobody listens
    asked: list[str] = field(default_factory=list)

    def corpus(self, name: str = "made-up", **contents: bytes) -> Corpus:
        """A corpus of files with these contents, whatever the server holds under their names."""
        files = tuple(
            CorpusFile(
                name=f"{stem}.conll",
                split="all",
                url=f"{self.address}/{stem}.conll",
                size=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
            )
            for stem, content in contents.items()
        )
        return Corpus(
            name=name, title="", language="en", licence="CC0", home="", citation="", labels=("LOC",), files=files
        )


def handler_of(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.asked.append(self.path)
            content = server.content.get(self.path)
            if content is None:
                self.send_error(404)
                return
            self.send_response(200)
            if not server.endless:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            while server.endless:
                try:
                    self.wfile.write(content)
                except ConnectionError:
                    return
            self.wfile.write(content[: server.cut])

        def log_message(self, *values: object) -> None:
            pass

    return Handler


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    made = Server("", {"/train.conll": TRAIN, "/test.conll": TEST})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler_of(made)) as listening:
        made.address = f"http://127.0.0.1:{listening.server_port}"
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield made
        listening.shutdown()
        thread.join()


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_all_files_arrive_whole(server: Server, tmp_path: Path) -> None:
    calls: list[tuple[int, int | None]] = []
    paths = fetch_corpus(
        server.corpus(train=TRAIN, test=TEST), tmp_path / "new", progress=lambda *call: calls.append(call)
    )
    assert paths == (tmp_path / "new/made-up/train.conll", tmp_path / "new/made-up/test.conll")
    assert files_in(tmp_path / "new/made-up") == {"train.conll": TRAIN, "test.conll": TEST}
    total = len(TRAIN) + len(TEST)
    assert calls[-1] == (total, total)
    assert calls == sorted(calls)
    assert len(calls) > 4


def test_whole_files_are_not_fetched_again(server: Server, tmp_path: Path) -> None:
    corpus = server.corpus(train=TRAIN, test=TEST)
    fetch_corpus(corpus, tmp_path)
    (tmp_path / "made-up/test.conll").unlink()
    server.asked.clear()
    calls: list[tuple[int, int | None]] = []
    fetch_corpus(corpus, tmp_path, progress=lambda *call: calls.append(call))
    assert server.asked == ["/test.conll"]
    assert calls[0] == (len(TRAIN), corpus.size)
    assert files_in(tmp_path / "made-up") == {"train.conll": TRAIN, "test.conll": TEST}


def test_a_changed_file_is_not_overwritten(server: Server, tmp_path: Path) -> None:
    (tmp_path / "made-up").mkdir()
    (tmp_path / "made-up/train.conll").write_text("mine")
    with pytest.raises(InputError, match=r"train\.conll: exists, but is not the file the catalogue describes"):
        fetch_corpus(server.corpus(train=TRAIN), tmp_path)
    assert files_in(tmp_path / "made-up") == {"train.conll": b"mine"}


def test_a_fetch_that_broke_off_leaves_nothing_and_begins_again(server: Server, tmp_path: Path) -> None:
    corpus = server.corpus(train=TRAIN)
    server.cut = 100_000
    with pytest.raises(InputError, match=rf"ended after 100,000 of {len(TRAIN):,} bytes: run the command again"):
        fetch_corpus(corpus, tmp_path)
    assert files_in(tmp_path / "made-up") == {}
    server.cut = None
    fetch_corpus(corpus, tmp_path)
    assert files_in(tmp_path / "made-up") == {"train.conll": TRAIN}


def test_what_a_killed_fetch_left_is_removed_a_day_later(server: Server, tmp_path: Path) -> None:
    (tmp_path / "made-up").mkdir()
    for name, age in (("old", 100_000), ("new", 0)):
        left = tmp_path / f"made-up/.{name}.conll.123-0.new"
        left.write_bytes(TRAIN[:1000])
        os.utime(left, (time.time() - age,) * 2)
    fetch_corpus(server.corpus(train=TRAIN), tmp_path)
    assert sorted(files_in(tmp_path / "made-up")) == [".new.conll.123-0.new", "train.conll"]


@pytest.mark.parametrize("content", [TRAIN[:-1] + b"x", TRAIN + b"more" * 100_000], ids=["damaged", "longer"])
def test_other_bytes_never_get_the_name(server: Server, tmp_path: Path, content: bytes) -> None:
    server.content["/train.conll"] = content
    with pytest.raises(InputError, match=r"/train\.conll: the checksum is not the catalogue's"):
        fetch_corpus(server.corpus(train=TRAIN), tmp_path)
    assert files_in(tmp_path / "made-up") == {}


def test_a_server_that_does_not_end(server: Server, tmp_path: Path) -> None:
    server.endless = True
    with pytest.raises(InputError, match=r"/train\.conll: the checksum is not the catalogue's"):
        fetch_corpus(server.corpus(train=TRAIN), tmp_path)


def test_a_file_that_has_become_shorter(server: Server, tmp_path: Path) -> None:
    server.content["/train.conll"] = TRAIN[:500]
    with pytest.raises(InputError, match="ended after 500 of"):
        fetch_corpus(server.corpus(train=TRAIN), tmp_path)


def test_a_missing_file(server: Server, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"^{server.address}/gone\.conll: the server answered 404 Not Found$"):
        fetch_corpus(server.corpus(gone=b"x"), tmp_path)


def test_no_server(server: Server, tmp_path: Path) -> None:
    server.address = "http://127.0.0.1:9"  # the discard port: nobody listens
    with pytest.raises(InputError, match=r"cannot be reached \(.*refused\): run .* or give a local copy with --from$"):
        fetch_corpus(server.corpus(train=TRAIN), tmp_path)


ANSWERS = {
    "a chunk of a negative size": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
        "cannot be reached|ended after|checksum",
    ),
    "a chunk whose size is no number": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhello\r\n",
        "cannot be reached",
    ),
    "a chunk larger than any": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 4000 + b"\r\n",
        "cannot be reached",
    ),
    "a length below zero": (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello", "ended after 5"),
    "a length that is no number": (b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nhello", "ended after 5"),
    "a redirect that is no address": (b"HTTP/1.1 302 Found\r\nLocation: http://[::1\r\n\r\n", "cannot be reached"),
    "a redirect to a port that is none": (
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:99999999/\r\n\r\n",
        "cannot be reached",
    ),
    "a redirect to a host that is none": (
        b"HTTP/1.1 302 Found\r\nLocation: http://" + b"a" * 300 + b".example/\r\n\r\n",
        "cannot be reached",
    ),
    "a redirect to nowhere": (b"HTTP/1.1 302 Found\r\n\r\n", "answered 302 Found, with an address that leads"),
    "a redirect to a file": (b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\n\r\n", "302 Found, with an"),
    "a redirect to FTP": (b"HTTP/1.1 302 Found\r\nLocation: ftp://127.0.0.1/x\r\n\r\n", "unknown url type: ftp"),
    "a redirect to data": (b"HTTP/1.1 302 Found\r\nLocation: data:,x\r\n\r\n", "302 Found, with an"),
    "a redirect to itself": (b"HTTP/1.1 302 Found\r\nLocation: /train.conll\r\n\r\n", "302 Found, with an"),
    "a status that is none": (b"HTTP/1.1 abc\r\n\r\n", "cannot be reached"),
    "a status with signs for the terminal": (b"HTTP/1.1 599 \x1b[2Jgone\r\n\r\n", "the server answered 599$"),
    "no HTTP": (b"\x00\x1b[2J\r\n\xff" * 9, "cannot be reached"),
    "headers without end": (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000, "cannot be reached"),
    "nothing": (b"", "cannot be reached"),
}


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bytes, bytes], Server]]:
    """Starts a server that answers with just these bytes, and then with others one by one, for ever."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    listening, ended = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def serve(answer: bytes, drip: bytes) -> None:
        while not ended.is_set():
            with suppress(OSError), listening.accept()[0] as connection:
                connection.recv(65536)
                connection.sendall(answer)
                while drip and not ended.wait(0.01):
                    connection.sendall(drip)

    def start(answer: bytes, drip: bytes = b"") -> Server:
        threading.Thread(target=serve, args=(answer, drip), daemon=True).start()
        return Server(f"http://127.0.0.1:{listening.getsockname()[1]}", {})

    yield start
    ended.set()
    listening.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # urllib leaves some sockets open
@pytest.mark.parametrize("kind", ANSWERS)
def test_whatever_a_server_answers_is_one_clear_line(
    answering: Callable[[bytes, bytes], Server], tmp_path: Path, kind: str
) -> None:
    answer, message = ANSWERS[kind]
    with pytest.raises(InputError, match=message) as raised:
        fetch_corpus(answering(answer, b"").corpus(train=TRAIN), tmp_path)
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 400
    assert files_in(tmp_path / "made-up") == {}


@pytest.mark.parametrize(
    ("answer", "drip"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 400000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
        (b"HTTP/1.1 ", b" "),
    ],
    ids=["body", "body of a length", "chunks", "size of a chunk", "header", "status"],
)
def test_a_server_that_drips_for_ever_has_a_limit(
    answering: Callable[[bytes, bytes], Server],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: bytes,
    drip: bytes,
) -> None:
    monkeypatch.setattr(download, "_PATIENCE", 0.2)
    monkeypatch.setattr(download, "_SLOWEST", 1e9)
    with pytest.raises(InputError, match="the server is too slow, 0 s were not enough: run the command again"):
        fetch_corpus(answering(answer, drip).corpus(train=TRAIN), tmp_path)
    assert files_in(tmp_path / "made-up") == {}


def test_a_full_disk(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no device that is always full")
    opened = Path.open
    full = Path("/dev/full")
    monkeypatch.setattr(Path, "open", lambda path, mode="r": opened(full if path.suffix == ".new" else path, mode))
    with pytest.raises(InputError, match=r"train\.conll: cannot be written: No space left on device"):
        fetch_corpus(server.corpus(train=TRAIN), tmp_path)


def test_a_file_that_is_there_and_cannot_be_read(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch_corpus(server.corpus(train=TRAIN), tmp_path)

    def broken(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(hashlib, "file_digest", broken)
    with pytest.raises(InputError, match=r"made-up/train\.conll: cannot be read: Input/output error"):
        fetch_corpus(server.corpus(train=TRAIN), tmp_path)


def test_a_folder_that_cannot_be_made(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="expected a directory that can be written"):
        fetch_corpus(server.corpus(train=TRAIN), tmp_path / "file")


@pytest.mark.parametrize("place", ["", "made-up"])
def test_a_local_copy_needs_no_server(server: Server, tmp_path: Path, place: str) -> None:
    (tmp_path / "copy" / place).mkdir(parents=True)
    (tmp_path / "copy" / place / "train.conll").write_bytes(TRAIN)
    calls: list[tuple[int, int | None]] = []
    corpus = server.corpus(train=TRAIN)
    fetch_corpus(corpus, tmp_path / "new", source=tmp_path / "copy", progress=lambda *call: calls.append(call))
    assert files_in(tmp_path / "new/made-up") == {"train.conll": TRAIN}
    assert not server.asked
    assert calls[-1] == (len(TRAIN), len(TRAIN))


def test_a_local_copy_is_checked_too(server: Server, tmp_path: Path) -> None:
    (tmp_path / "train.conll").write_bytes(TRAIN[1:])
    with pytest.raises(InputError, match=rf"^{tmp_path}/train\.conll: the checksum is not the catalogue's"):
        fetch_corpus(server.corpus(train=TRAIN), tmp_path / "new", source=tmp_path)
    assert files_in(tmp_path / "new/made-up") == {}
    with pytest.raises(InputError, match=r"expected made-up/test\.conll or test\.conll in the folder"):
        fetch_corpus(server.corpus(test=TEST), tmp_path / "new", source=tmp_path)


def test_a_restricted_corpus_is_not_fetched(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"conll2003 is restricted \(.*Reuters.*\); obtain it from .*https://"):
        fetch_corpus(get_corpus("conll2003"), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.real
@pytest.mark.parametrize("name", ["wnut17", "uner-tl_trg"])
def test_real_corpora_from_a_local_copy(
    name: str, corpora: Path, corpus_file: Callable[[str], Path], tmp_path: Path
) -> None:
    originals = [corpus_file(f"{name}/{file.name}") for file in get_corpus(name).files]
    paths = fetch_corpus(get_corpus(name), tmp_path, source=corpora)
    assert [path.name for path in paths] == [original.name for original in originals]
    assert [path.read_bytes() for path in paths] == [original.read_bytes() for original in originals]
