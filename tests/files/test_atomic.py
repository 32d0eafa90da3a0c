"""Files are written whole or not at all, under the permissions of new files, and nothing is left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files import atomic
from ner_lstm_crf.files.atomic import (
    append_line,
    located,
    make_directory,
    remove_temp_files,
    remove_together,
    replacing,
    seal,
    write_text,
    write_together,
)
from tests.killing import Killed, kill_at


def full(path: Path) -> None:
    path.write_bytes(b"half of it")
    raise OSError(28, "No space left on device")


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_file_appears_whole_and_alone(tmp_path: Path) -> None:
    write_text(tmp_path / "x", "new\n")
    write_text(tmp_path / "x", "newer: 北京\n")
    assert (tmp_path / "x").read_text(encoding="utf-8") == "newer: 北京\n"
    assert names(tmp_path) == ["x"]


@pytest.mark.parametrize(
    ("old", "said"), [("old", "written, the old file is unharmed: No space left"), (None, "written: No space left")]
)
def test_a_failure_leaves_the_old_file_or_none(old: str | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    if old:
        path.write_text(old)
    with pytest.raises(InputError, match=f"x: cannot be {said}"), replacing(path) as temporary:
        full(temporary)
    assert names(tmp_path) == (["x"] if old else [])
    assert not old or path.read_text() == old


def test_a_folder_that_cannot_be_listed_ends_no_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", broken)
        write_text(tmp_path / "x", "new\n")
    assert names(tmp_path) == ["x"]


def test_two_threads_may_write_the_same_file(tmp_path: Path) -> None:
    with replacing(tmp_path / "x") as first, replacing(tmp_path / "x") as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert (tmp_path / "x").read_text() == "first"  # it was closed last


def test_the_reader_of_a_pipe_that_has_had_enough_is_no_mistake_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(BrokenPipeError), replacing(tmp_path / "x"):
        raise BrokenPipeError
    assert names(tmp_path) == []


UMASK = """
import os, sys
from pathlib import Path
from ner_lstm_crf.files.atomic import replacing, write_text, write_together
from tests.killing import Killed, kill_at
os.umask(0o027)
folder = Path(sys.argv[1])
def secret(path):
    path.touch(mode=0o600)
write_text(folder / "alone", "")
with replacing(folder / "secret") as temporary:
    secret(temporary)
write_together(folder, {"text": "", "written": secret})
"""


def test_new_files_have_the_permissions_that_the_umask_allows(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", UMASK, str(tmp_path)], check=True)
    assert {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == dict.fromkeys(
        ("alone", "secret", "text", "written"), 0o640
    )


def test_the_umask_of_the_process_is_never_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(mask: int) -> int:
        raise AssertionError("it holds for every thread")

    monkeypatch.setattr(os, "umask", refused)
    write_text(tmp_path / "x", "")
    write_together(tmp_path, {"y": ""})


def test_what_is_sealed_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
    for name in ("a", "b"):
        (tmp_path / name).touch()
        seal(tmp_path / name, 0o600)
    assert synced == [(tmp_path / name).stat().st_ino for name in ("a", "b")]


# Several files together


def test_a_kill_at_any_time_leaves_all_the_old_or_all_the_new_files(tmp_path: Path) -> None:
    """The process ends before each change of the folder in turn; the next write goes well whatever was left."""
    found, ended = [], False
    while not ended:
        folder = tmp_path / str(len(found))
        folder.mkdir()
        write_together(folder, {"a": "old", "b": "old"})
        with pytest.MonkeyPatch.context() as patch:
            kill_at(patch, len(found))
            try:
                write_together(folder, {"a": "new", "b": "new"})
                ended = True
            except Killed:
                pass
        (content,) = {located(folder, name).read_text() for name in ("a", "b")}
        found.append(content)
        write_together(folder, {"a": "newest", "b": "newest"})
        assert {(folder / name).read_text() for name in ("a", "b")} == {"newest"}
        assert names(folder) == ["a", "b"]
    assert found == sorted(found, reverse=True)
    assert found.count("old") > 5
    assert found.count("new") > 3


def test_a_full_disk_leaves_all_the_old_files(tmp_path: Path) -> None:
    write_together(tmp_path, {"a": "old", "b": "old"})
    with pytest.raises(InputError, match="b: cannot be written, the old file is unharmed: No space left"):
        write_together(tmp_path, {"a": "new", "b": full})
    assert {path.read_text() for path in tmp_path.iterdir()} == {"old"}
    assert names(tmp_path) == ["a", "b"]


def test_files_removed_together_are_gone_even_after_a_kill(tmp_path: Path) -> None:
    (tmp_path / ".files.ready").mkdir()
    (tmp_path / ".files.ready" / "a").write_text("new")
    (tmp_path / "a").write_text("old")
    (tmp_path / "other").touch()
    remove_together(tmp_path, ("a", "b"))
    assert names(tmp_path) == ["other"]


# Lines, directories, leftovers


def test_lines_are_added_at_the_end(tmp_path: Path) -> None:
    for line in ("one", "two"):
        append_line(tmp_path / "x", line)
    assert (tmp_path / "x").read_text() == "one\ntwo\n"
    with pytest.raises(InputError, match="cannot be written: Is a directory"):
        append_line(tmp_path, "three")


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    make_directory(tmp_path / "a" / "b")
    make_directory(tmp_path / "a" / "b")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file/c: expected a directory that can be written"):
        make_directory(tmp_path / "file" / "c")


def test_what_a_killed_process_left_is_removed_by_the_next_that_writes_there(tmp_path: Path) -> None:
    """Not what a living process or another host may still be writing."""
    host, dead = atomic._HOST, 2**22 + 1  # no process has a number that high
    ours, parents = f".x.{host}-{os.getpid()}-900.new", f".x.{host}-{os.getppid()}-1.new"
    left, other, elsewhere = f".x.{host}-{dead}-1.new", f".y.{host}-{dead}-1.new", f".x.another_host-{dead}-1.new"
    kept = [".x.mine.new", ".x.new"]
    for name in (ours, parents, left, elsewhere, *kept):
        (tmp_path / name).touch()
    (tmp_path / other).mkdir()
    (tmp_path / other / "part").touch()
    with replacing(tmp_path / "x") as temporary:
        write_text(tmp_path / "x", "whole")
        assert names(tmp_path) == sorted([temporary.name, parents, other, elsewhere, "x", *kept])
    remove_temp_files(tmp_path)
    assert names(tmp_path) == sorted([parents, elsewhere, "x", *kept])
    os.utime(tmp_path / elsewhere, (0, 0))
    remove_temp_files(tmp_path)
    assert names(tmp_path) == sorted([parents, "x", *kept])
    remove_temp_files(tmp_path, alone=True)
    assert names(tmp_path) == [".x.mine.new", ".x.new", "x"]


def test_a_link_under_a_temporary_name_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "victim").write_text("precious")
    monkeypatch.setattr(atomic, "_NUMBERS", iter([7]))
    (tmp_path / f".x.{atomic._HOST}-{os.getpid()}-7.new").symlink_to("victim")
    with pytest.raises(InputError, match="x: cannot be written: File exists"):
        write_text(tmp_path / "x", "new")
    assert (tmp_path / "victim").read_text() == "precious"


@pytest.mark.parametrize("name", ["n" * 255, "名" * 85])
def test_a_name_may_be_as_long_as_the_system_allows(tmp_path: Path, name: str) -> None:
    write_text(tmp_path / name, "new")
    assert names(tmp_path) == [name]


def test_writers_in_threads_do_not_meet(tmp_path: Path) -> None:
    threads = [threading.Thread(target=write_text, args=(tmp_path / "x", str(number) * 9)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "x").read_text() in {str(number) * 9 for number in range(8)}
    assert names(tmp_path) == ["x"]


def test_a_loop_of_links_is_an_error_and_stays(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(InputError, match="a: cannot be written: Too many levels of symbolic links"):
        write_text(tmp_path / "a", "text")
    assert (tmp_path / "a").is_symlink()
    assert names(tmp_path) == ["a", "b"]


def test_a_text_with_half_of_a_surrogate_pair_is_written_with_an_escape(tmp_path: Path) -> None:
    """As in the name of a file that is no UTF-8."""
    write_text(tmp_path / "one", "a\udcff\n")
    append_line(tmp_path / "one", "b\udcff")
    write_together(tmp_path, {"two": "c\udcff"})
    assert (tmp_path / "one").read_bytes() == b"a\\udcff\nb\\udcff\n"
    assert (tmp_path / "two").read_bytes() == b"c\\udcff"
