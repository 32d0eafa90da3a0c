"""The process: it listens, has workers, and stops without losing a request."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from ner_lstm_crf.cli.main import main

BODY = json.dumps({"text": "Angela Merkel visited Rome."})


@contextmanager
def served(*options: str, python: str = sys.executable) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A process that serves the tagger of English, and its port."""
    command = [python, "-m", "ner_lstm_crf", "serve", "en", "--port", "0", "--threads", "1", *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", process.stderr.readline())
        assert found is not None
        wait_for_ready(int(found[1]))
        yield process, int(found[1])
    finally:
        process.kill()
        process.communicate()


def wait_for_ready(port: int) -> None:
    """Return when the service answers."""
    for _ in range(600):
        try:
            if get(port, "/ready")[0] == 200:
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise AssertionError("the service does not answer")


def get(port: int, path: str) -> tuple[int, str]:
    """The status and the text of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def ask_until_refused(port: int) -> tuple[int, list[str]]:
    """Requests on connections that are kept as long as the service keeps them: answers, and requests without one."""
    answered, lost = 0, list[str]()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    while True:
        try:
            connection.connect()
        except ConnectionRefusedError:
            return answered, lost
        ends = False
        while not ends:
            try:
                connection.request("POST", "/tag", BODY, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                assert json.loads(answer.read())["results"][0]["entities"][0]["text"] == "Angela Merkel"
                answered += 1
                ends = answer.getheader("Connection") == "close"
            except (OSError, http.client.HTTPException) as error:
                lost.append(repr(error))
                ends = True
        connection.close()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_stop_under_load_loses_no_request(workers: str) -> None:
    with served("--workers", workers) as (process, port), ThreadPoolExecutor(8) as pool:
        running = [pool.submit(ask_until_refused, port) for _ in range(8)]
        time.sleep(1.0)
        process.send_signal(signal.SIGTERM)
        results = [one.result(timeout=30) for one in running]
        assert process.wait(timeout=20) == 0
    assert [lost for _, lost in results if lost] == []
    assert sum(answered for answered, _ in results) > 50


def exchanged(port: int, *parts: bytes) -> bytes:
    """What comes back for bytes that are sent one part after the other."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        try:
            for part in parts:
                connection.sendall(part)
                time.sleep(0.2)
            connection.shutdown(socket.SHUT_WR)
            received = b""
            while more := connection.recv(65_536):
                received += more
        except OSError:  # what it refuses it does not read to its end
            return b"refused"
    return received


def test_a_request_is_one_whatever_its_headers_and_they_are_bounded() -> None:
    head = "POST /tag HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n"
    upgrade = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n"
    inner = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    with served() as (_, port):
        # As curl --http2 and Java's client ask. The body is a body, even one that looks like a request.
        answer = exchanged(port, (head.format(len(BODY)) + upgrade).encode() + BODY.encode())
        assert answer.startswith(b"HTTP/1.1 200")
        assert b"Angela Merkel" in answer
        answer = exchanged(port, (head.format(len(inner)) + upgrade).encode(), inner)
        assert answer.startswith(b"HTTP/1.1 422")
        assert answer.count(b"HTTP/1.1 ") == 1
        # A header without an end.
        answer = exchanged(port, b"GET /health HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 2_000_000)
        assert answer == b"refused" or answer.startswith(b"HTTP/1.1 400")
        assert get(port, "/health")[0] == 200


def test_workers_count_together_and_one_that_dies_is_replaced() -> None:
    with served("--workers", "2") as (process, port):
        for _ in range(20):
            assert get(port, "/health")[0] == 200
        counted = re.search(r'requests_total\{path="/health",status="200"\} (\d+)', get(port, "/metrics")[1])
        assert counted is not None
        assert int(counted[1]) == 20
        children = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True)
        workers = [int(one) for one in children.stdout.split() if b"spawn_main" in command_of(int(one))]
        assert len(workers) == 2
        os.kill(workers[0], signal.SIGKILL)
        time.sleep(0.3)
        wait_for_ready(port)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0


def command_of(process: int) -> bytes:
    """The command line of a process."""
    with open(f"/proc/{process}/cmdline", "rb") as file:  # noqa: PTH123
        return file.read()


def test_a_port_that_is_taken_and_wrong_models_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["serve", "en", "--port", port]) == 2
    assert f"cannot listen at 127.0.0.1, port {port}" in capsys.readouterr().err
    assert main(["serve", "en", "--port", "99999"]) == 2
    assert "expected a port from 0 to 65535, got 99999" in capsys.readouterr().err
    assert main(["serve", "en", "--stop-seconds", "nan"]) == 2
    assert "--stop-seconds: expected 0 to 3600, found nan" in capsys.readouterr().err
    assert main(["serve", "nowhere"]) == 2
    assert "nowhere: expected the directory of a model" in capsys.readouterr().err
    assert main(["serve", "a=en", "a=zh"]) == 2
    assert "found 'a' twice: NAME=DIR gives another name" in capsys.readouterr().err
    assert main(["serve", "--most-waiting", "0"]) == 2
    assert "--most-waiting: expected a number of 1 or more, found 0" in capsys.readouterr().err
