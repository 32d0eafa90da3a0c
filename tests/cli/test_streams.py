"""Standard streams that are closed, full, or whose reader has left, for every command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.cli.conftest import Files

SERVER = """
import json, os, sys
import torch
import ner_lstm_crf.evaluation.evaluate, ner_lstm_crf.runs.processes, ner_lstm_crf.tagging.tagger
from ner_lstm_crf.cli.main import main
for line in os.fdopen(os.dup(0), encoding="utf-8"):
    arguments, streams = json.loads(line)
    child = os.fork()
    if not child:
        for number, (name, path) in enumerate(zip(("stdin", "stdout", "stderr"), streams)):
            os.close(number)
            if path is not None:
                os.dup2(os.open(path, os.O_RDWR), number)
            setattr(sys, name, None if path is None else open(number, "w" if number else "r", closefd=False))
        sys.exit(main(arguments))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
"""Runs command lines in children that begin with the imports done, and end as Python does."""


class Ended(NamedTuple):
    code: int
    out: str
    err: str


class Server:
    """Runs command lines with streams from a file, to a file, closed (None) or full."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self.process, self.folder = process, folder

    def run(self, arguments: list[str], **streams: str | None) -> Ended:
        out, err = self.folder / "out", self.folder / "err"
        for path in (out, err):
            path.write_text("")
        chosen = {"stdin": os.devnull, "stdout": str(out), "stderr": str(err)} | streams
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps([arguments, [*chosen.values()]]), file=self.process.stdin, flush=True)
        code = int(self.process.stdout.readline())
        return Ended(code, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with ExitStack() as stack:
        process = stack.enter_context(
            subprocess.Popen([sys.executable, "-c", SERVER], text=True, env=environment, **pipes)
        )
        yield Server(process, tmp_path_factory.mktemp("streams"))
        assert process.stdin is not None
        process.stdin.close()


COMMANDS = {
    "help": ["--help"],
    "version": ["--version"],
    "tag": ["tag", "--model", "MODEL", "Ada Brandt met Milo."],
    "tag jsonl": ["tag", "--model", "MODEL", "--output-format", "jsonl", "Ada Brandt met Milo."],
    "tag columns": ["tag", "--model", "MODEL", "--input", "TEST"],
    "evaluate": ["evaluate", "MODEL", "TEST"],
    "evaluate json": ["evaluate", "MODEL", "TEST", "--json"],
    "score": ["score", "TEST", "TEST"],
    "inspect": ["inspect", "TEST"],
    "inspect json": ["inspect", "TEST", "--json"],
    "convert": ["convert", "TEST", "-"],
    "convert jsonl": ["convert", "TEST", "-", "--output-format", "jsonl"],
    "corpora": ["corpora", "list"],
    "train": ["train", "--train", "TEST", "--test", "TEST", "--config", "CONFIG", "--epochs", "1", "--output", "NEW"],
    "compare": ["compare", "--train", "TEST", "--test", "TEST", "--config", "CONFIG", "--epochs", "1", "--seeds", "1"],
}


@pytest.fixture
def arguments(request: pytest.FixtureRequest, model: Path, files: Files, tmp_path: Path) -> list[str]:
    """The arguments of a command, with the files of the test for the words in capitals."""
    given = {"MODEL": model, "TEST": files.test, "CONFIG": files.config, "NEW": tmp_path / "new"}
    return [str(given.get(word, word)) for word in COMMANDS[request.param]]


@pytest.mark.parametrize("arguments", COMMANDS, indirect=True)
def test_results_that_cannot_be_written_are_one_error(arguments: list[str], server: Server) -> None:
    for stream, why in ((None, "Bad file descriptor"), ("/dev/full", "No space left on device")):
        ended = server.run(arguments, stdout=stream)
        assert ended.code == 2, ended
        assert ended.err.splitlines()[-1] == f"error: standard output: cannot be written: {why}"
        assert "Traceback" not in ended.err
        if "--output" in arguments:
            arguments = [*arguments, "--overwrite"]


@pytest.mark.parametrize("arguments", [name for name in COMMANDS if " " not in name], indirect=True)
@pytest.mark.parametrize("stream", [None, "/dev/full"], ids=["closed", "full"])
def test_messages_that_cannot_be_written_change_no_result(
    arguments: list[str], stream: str | None, server: Server
) -> None:
    ended = server.run(arguments, stderr=stream)
    assert ended.code == 0
    assert ended.out
    assert ended.err == ""


@pytest.mark.parametrize("stream", [None, "/dev/full"], ids=["closed", "full"])
def test_a_mistake_is_one_even_if_nothing_can_be_said(stream: str | None, server: Server) -> None:
    assert server.run(["inspect", "nothing.conll"], stderr=stream).code == 2
    assert server.run(["inspect", "nothing.conll"], stderr=stream, stdout=stream).code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["tag", "--input", "-"],
        ["tag", "--input", "-", "--input-format", "conll"],
        ["tag", "--input", "-", "--input-format", "jsonl"],
        ["convert", "-", "-"],
        ["inspect", "-"],
        ["score", "-", "-"],
        ["evaluate", "en", "-"],
        ["train", "--train", "-", "--output", "NEW"],
    ],
    ids=" ".join,
)
def test_input_that_is_closed_is_one_error(arguments: list[str], server: Server, tmp_path: Path) -> None:
    arguments = [word.replace("NEW", str(tmp_path / "new")) for word in arguments]
    ended = server.run(arguments, stdin=None)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.splitlines()[-1] == "error: standard input: cannot be read: Bad file descriptor"


@pytest.mark.parametrize("command", [["convert", "FILE", "-"], ["tag", "--input", "FILE"]], ids=["convert", "tag"])
def test_a_file_that_is_the_output_as_well_is_not_read(command: list[str], files: Files, server: Server) -> None:
    same = server.folder / "out"
    ended = server.run([word.replace("FILE", str(same)) for word in command])
    assert ended.code == 2
    assert ended.err == f"error: {same}: this file is the output as well: choose another one\n"


def test_no_file_gets_the_number_of_a_closed_stream(server: Server, files: Files, tmp_path: Path) -> None:
    target = tmp_path / "new.conll"
    arguments = ["convert", str(files.test), str(target)]
    assert server.run(arguments, stdin=None, stdout=None, stderr=None).code == 0
    assert target.read_bytes() == files.test.read_bytes()


@pytest.mark.parametrize("redirected", ["", "2>&1"])
def test_a_reader_that_leaves_is_no_error(redirected: str, files: Files) -> None:
    command = f"{sys.executable} -m ner_lstm_crf convert {files.test} - {redirected} | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert (done.stdout.splitlines()[-1], done.stderr) == ("0", "")
