"""One run writes in a directory at a time: of other processes, of forked ones, and of the same one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.runs.lock import locked

HOLD = """
import os, sys, time
from pathlib import Path
from ner_lstm_crf.runs.lock import locked
with locked(Path(sys.argv[1])):
    if sys.argv[2:] and os.fork() == 0:
        time.sleep(60)
        os._exit(0)
    print("held", flush=True)
    time.sleep(60)
"""


def holder(directory: Path, *forks: str) -> subprocess.Popen[str]:
    """A process that holds the lock."""
    command = [sys.executable, "-c", HOLD, str(directory), *forks]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_another_process_is_kept_out_until_it_ends(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        with (
            pytest.raises(InputError, match="another run is writing here: wait for it, or end it"),
            locked(tmp_path),
        ):
            pass
        process.kill()
        process.wait()
        with locked(tmp_path) as check:
            check()
    assert not list(tmp_path.iterdir())


def test_what_a_process_forked_does_not_hold_its_lock(tmp_path: Path) -> None:
    with holder(tmp_path, "forks") as process:
        os.kill(process.pid, signal.SIGKILL)  # its child lives on
        process.wait()
        with locked(tmp_path) as check:
            check()
        os.killpg(process.pid, signal.SIGKILL)


def test_a_forked_copy_of_a_run_neither_goes_on_nor_releases_its_lock(tmp_path: Path) -> None:
    with locked(tmp_path) as check:
        if (child := os.fork()) == 0:
            try:
                check()
            except InputError:
                os._exit(7)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        if (child := os.fork()) == 0:
            with locked(tmp_path / "other"):  # whatever it does with locks of its own
                os._exit(0)
        os.waitpid(child, 0)
        check()
        done = subprocess.run([sys.executable, "-c", HOLD, str(tmp_path)], capture_output=True, text=True, check=False)
        assert "another run is writing here" in done.stderr


def test_a_run_of_the_same_process_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    with locked(tmp_path) as first:
        first()
        with locked(tmp_path) as second:
            second()
            with pytest.raises(InputError, match="taken the place of this one"):
                first()
        with pytest.raises(InputError, match="taken the place of this one"):
            first()


def test_the_lock_of_one_that_was_replaced_holds_when_it_is_left(tmp_path: Path) -> None:
    first = locked(tmp_path)
    first.__enter__()
    with locked(tmp_path) as second:
        first.__exit__(None, None, None)
        second()
        with pytest.raises(subprocess.CalledProcessError):
            subprocess.run([sys.executable, "-c", HOLD, str(tmp_path)], check=True, capture_output=True, timeout=20)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_takes_no_file_of_ours_is_not_called_that_of_another_run(tmp_path, monkeypatch):
    def refused(*args: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkstemp", refused)
    with locked(tmp_path) as check:  # what cannot be written is said where it is written
        check()


def test_a_lock_that_a_full_disk_refuses_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with locked(tmp_path):
        assert not list(tmp_path.glob("*.new"))


def test_a_lock_that_cannot_be_closed_hides_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = os.close

    def broken(descriptor: int) -> None:
        closed(descriptor)
        raise OSError(5, "Input/output error")

    with pytest.raises(RuntimeError, match="the error that matters"), locked(tmp_path):  # noqa: PT012
        monkeypatch.setattr(os, "close", broken)
        raise RuntimeError("the error that matters")
    monkeypatch.undo()
