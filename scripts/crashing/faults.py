"""Every operation on files that a command does fails once: with a full disk, an I/O error, or a missing right.

A command is run to its end to count its operations. Then it is run once for each of them, for each error that the
operation can have, and once more with an error that lasts: all later operations that it fits fail, too. What must hold:

1. The command succeeds all the same, with the right result; or it ends with exit code 2 and a line that names a path.
2. The old file or model is there as it was, or the whole new one.
3. No temporary file is left, if it could be removed.
4. The same command then succeeds, a training with `--resume`: the result of the unbroken one, and nothing beside it.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from build_kernels import compiler
from crashing.outputs import OUTPUTS, content, write_inputs
from crashing.processes import forked, hidden, last_line, run_unbroken, same, start, wait, weights
from crashing.trainings import NOTHING_BEGUN, training, write_data
from locations import ROOT
from ner_lstm_crf.cli.main import main as command_line
from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.corpora.catalogue import Corpus, CorpusFile
from ner_lstm_crf.corpora.download import fetch_corpus
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.saving.model import Model
from ner_lstm_crf.text.annotation import Sentence

__all__ = ["SCENES", "try_faults"]

ERRORS = {  # of each kind of operation, see faults.c
    "o": (errno.EACCES, errno.EIO),
    "c": (errno.ENOSPC, errno.EACCES, errno.EIO),
    "r": (errno.EIO,),
    "w": (errno.ENOSPC, errno.EIO),
    "x": (errno.ENOSPC, errno.EIO),
    "s": (errno.ENOSPC, errno.EIO),
    "n": (errno.ENOSPC, errno.EACCES, errno.EIO),
    "m": (errno.ENOSPC, errno.EACCES, errno.EIO),
    "u": (errno.EACCES, errno.EIO),
    "t": (errno.ENOSPC, errno.EIO),
    "p": (errno.EACCES, errno.EIO),
    "l": (errno.EACCES, errno.EIO),
}
LATER = {errno.ENOSPC: "cwxsnmt", errno.EACCES: "cnmup", errno.EIO: "".join(ERRORS)}  # that fail too, if it lasts
REMOVING = "ul"  # whose failure may leave temporary files


@dataclass(frozen=True)
class Scene:
    """A command and what it has to leave.

    Attributes:
        before: The folder with all that is there before.
        call: Runs the command in a copy of that folder; its exit code.
        again: Runs the command that has to succeed afterwards; its exit code.
        state: What a copy holds: "old", "new", or what is wrong.
        is_late: True if the command may fail although what it wrote is in its place, as a training whose card fails.
    """

    before: Path
    call: Callable[[Path], int]
    again: Callable[[Path], int]
    state: Callable[[Path], str]
    is_late: bool = False


@dataclass(frozen=True)
class Fault:
    """An operation that fails.

    Attributes:
        number: Its number, from 0; -1 for none.
        error: The error.
        later: The kinds of operations that fail from then on.
    """

    number: int = -1
    error: int = 0
    later: str = ""


def try_faults(work: Path, most: int | None, names: Sequence[str], source: random.Random) -> int:
    """Try the faults of such scenes, and print what came of it.

    Args:
        work: An empty folder.
        most: The number of faults of each scene, drawn from all; None for all.
        names: Names of `SCENES`.
        source: Where the faults are drawn from.

    Returns:
        The number of faults that ended in another way than they should.
    """
    if not hasattr(ctypes.CDLL(None), "faults_begin"):
        return _with_library(work, most, names, source)
    wrong = 0
    print(f"{'command':<24} {'operations':>10} {'faults':>6} {'one line':>8} {'no harm':>7} {'not reached':>11}")
    for name in names:
        folder = work / name.replace(" ", "-")
        folder.mkdir()
        with SCENES[name](folder) as scene:
            kinds = _kinds(scene, folder)
            faults = [
                Fault(number, error, later)
                for number, kind in enumerate(kinds)
                for error in ERRORS[kind]
                for later in ("", LATER[error])
            ]
            counts, found = Counter[str](), list[str]()
            for fault in faults if most is None else source.sample(faults, min(most, len(faults))):
                found += _fail(scene, folder, fault, counts)
        shutil.rmtree(folder)
        wrong += len(found)
        print(
            f"{name:<24} {len(kinds):>10} {counts.total():>6} {counts['one line']:>8} {counts['no harm']:>7} "
            f"{counts['not reached']:>11}",
            *(f"  FAULT: {line}" for line in found),
            sep="\n",
            flush=True,
        )
    return wrong


def _with_library(work: Path, most: int | None, names: Sequence[str], source: random.Random) -> int:
    """The same in a process that has loaded faults.c before the C library."""
    library = work / "faults.so"
    command = compiler() or ["cc"]
    subprocess.run([*command, "-shared", "-fPIC", "-O1", "-o", library, Path(__file__).with_suffix(".c")], check=True)
    arguments = ["faults", "--seed", str(source.randrange(10**9)), *(f"--only={name}" for name in names)]
    arguments += [] if most is None else ["--most", str(most)]
    environment = os.environ | {"LD_PRELOAD": str(library)}
    script = [sys.executable, str(ROOT / "scripts" / "crash.py"), *arguments]
    return subprocess.run(script, env=environment, check=False).returncode


def _kinds(scene: Scene, work: Path) -> str:
    """The kind of each operation of a command.

    Raises:
        RuntimeError: If it fails.
    """
    code, report = _run(scene, work, Fault())
    state = scene.state(work / "disk")
    if code or state != "new":
        raise RuntimeError(f"expected exit code 0 and the new state, got {code} and {state}: {last_line(work)}")
    return str(report["kinds"])


def _run(scene: Scene, work: Path, fault: Fault) -> tuple[int, dict[str, Any]]:
    """Run a command whose operation fails: its exit code, the kinds of its operations, and what failed."""
    folder, library = work / "disk", ctypes.CDLL(None)
    library.faults_kinds.restype = library.faults_failed.restype = ctypes.c_char_p
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(scene.before, folder)

    def action() -> int:
        """Run it in the process that was forked."""
        library.faults_begin(os.fsencode(folder), ctypes.c_long(fault.number), fault.error, fault.later.encode())
        try:
            return scene.call(folder)
        finally:
            library.faults_end()
            report = {"kinds": library.faults_kinds().decode(), "failed": os.fsdecode(library.faults_failed())}
            (work / "report").write_text(json.dumps(report))

    code = wait(forked(action, work / "output"))
    return code, json.loads((work / "report").read_text())


def _fail(scene: Scene, work: Path, fault: Fault, counts: Counter[str]) -> list[str]:
    """Let an operation of a command fail, and look at all that is promised; returns what is wrong."""
    folder = work / "disk"
    # 1. The command succeeds or says in one line what it could not do.
    code, report = _run(scene, work, fault)
    failed, printed = str(report["failed"]), (work / "output").read_text()
    lasts = " from then on" if fault.later else ""
    how = f"{errno.errorcode[fault.error]}{lasts} at {fault.number} {failed}"
    counts["not reached" if not failed else "no harm" if not code else "one line"] += 1
    wrong = list[str]()
    if "Traceback" in printed or code not in (0, 2):
        wrong.append(f"exit code {code}: {' | '.join(map(str.strip, printed.splitlines()[-6:]))}")
    elif code and not (last_line(work).startswith("error: ") and str(folder) in last_line(work)):
        wrong.append(f"no path: {last_line(work)}")
    # 2. The old state is there, or the new one.
    state = scene.state(folder)
    if state != "new" and (state != "old" or not code):
        wrong.append(f"exit code {code}, but the state is {state}")
    if state == "new" and code and not scene.is_late:
        wrong.append(f"the new state, but {last_line(work)}")
    # 3. Nothing is left that could be removed.
    left = {path for path in hidden(folder).split(", ") if path.endswith(".new")}
    left -= {*hidden(scene.before).split(", ")}
    if left and not (set(REMOVING) & {*fault.later, *failed[:1]}):
        wrong.append(f"left behind: {', '.join(sorted(left))}")
    # 4. Once more.
    code = wait(forked(partial(scene.again, folder), work / "output"))
    state = scene.state(folder)
    if code or state != "new":
        wrong.append(f"afterwards exit code {code}, {state}: {last_line(work)}")
    elif hidden(folder):
        wrong.append(f"left behind afterwards: {hidden(folder)}")
    return [f"{how}: {one}" for one in wrong]


def _state_of_model(directory: Path, old: Sequence[torch.Tensor], new: Sequence[torch.Tensor]) -> str:
    try:
        found = weights(directory)
    except Exception as error:
        return f"not loadable: {error}"
    return "new" if same(found, new) else "old" if same(found, old) else "another model"


@contextmanager
def _saving(work: Path) -> Iterator[Scene]:
    """A model of two networks is saved in the place of one with other words."""
    config = ModelConfig(word_size=8, char_size=6, char_filters=6, casing_size=2, hidden_size=12)
    old, *new = (
        Model.build([Sentence.from_words(words.split(), [(0, 1, "PER")])], config, seed=seed)
        for seed, words in ((1, "Ada left ."), (2, "Ada came back ."), (3, "Ada came back ."))
    )
    whole = Model.ensemble(new)
    old.save(work / "before" / "model")
    whole.save(work / "new")

    def save(folder: Path) -> int:
        """Save as a command does."""
        try:
            whole.save(folder / "model")
        except InputError as error:
            print(f"error: {error}")
            return 2
        return 0

    models = weights(work / "before" / "model"), weights(work / "new")
    yield Scene(work / "before", save, save, lambda folder: _state_of_model(folder / "model", *models))


@contextmanager
def _training(work: Path, *options: str, resumed: bool = False) -> Iterator[Scene]:
    """A model is trained in the place of an old one; or a training that was killed half-way is resumed."""
    before = work / "before"
    before.mkdir()
    write_data(before, 24, 6)

    def train(folder: Path, *more: str) -> list[str]:
        """The command line."""
        return training(folder, folder / "run", *options, *more)

    shutil.copytree(before, work / "unbroken")
    unbroken = run_unbroken(work, train(work / "unbroken"))
    run_unbroken(work, training(before, before / "run", "--preset", "small", "--seed", "9"))
    models = weights(before / "run"), weights(work / "unbroken" / "run")
    if resumed:
        wait(start(work, train(before, "--overwrite"), kill_at=unbroken.changes * 2 // 3))

    def again(folder: Path) -> int:
        """Go on, or begin again if nothing was begun."""
        if not (code := command_line(train(folder, "--resume"))):
            return code
        sys.stdout.flush()
        begun = not any(message in last_line(work) for message in NOTHING_BEGUN)
        return code if begun else command_line(train(folder, "--overwrite"))

    yield Scene(
        before,
        lambda folder: command_line(train(folder, "--resume" if resumed else "--overwrite")),
        again,
        lambda folder: _state_of_model(folder / "run", *models),
        is_late=True,
    )


@contextmanager
def _output(work: Path, name: str) -> Iterator[Scene]:
    """`convert` or `tag` writes a file in the place of an old one."""
    output, before = OUTPUTS[name], work / "before"
    write_inputs(before, 300)
    shutil.copytree(before, work / "unbroken")
    run_unbroken(work, output.arguments(work / "unbroken"))
    if not (before / output.target).exists():
        shutil.copy(work / "unbroken" / output.target, before / output.target)
        (before / output.target).write_text("an old file\n")
    states = {content(work / "unbroken" / output.target): "new", content(before / output.target): "old"}

    def run(folder: Path) -> int:
        """Run the command."""
        return command_line(output.arguments(folder))

    yield Scene(before, run, run, lambda folder: states.get(content(folder / output.target), "another file"))


@contextmanager
def _fetching(work: Path, *, from_server: bool) -> Iterator[Scene]:
    """A corpus of two files is fetched, from a server or a local copy; the first is there already."""
    contents = {f"{name}.conll": name.encode() * 60_000 for name in ("train", "test")}
    copy = work / "server" if from_server else work / "before" / "copy"
    copy.mkdir(parents=True)
    (work / "before" / "corpora" / "made-up").mkdir(parents=True)
    for name, one in contents.items():
        (copy / name).write_bytes(one)
    shutil.copy(copy / "train.conll", work / "before" / "corpora" / "made-up")
    os.environ["no_proxy"] = "*"
    serve = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory", str(copy)]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        port = (server.stdout.readline() if server.stdout else "").split()[5]
        files = tuple(
            CorpusFile(
                name=name,
                split="all",
                url=f"http://127.0.0.1:{port}/{name}",
                size=len(one),
                sha256=hashlib.sha256(one).hexdigest(),
            )
            for name, one in contents.items()
        )
        made_up = Corpus(
            name="made-up", title="", language="en", licence="CC0", home="", citation="", labels=("LOC",), files=files
        )

        def fetch(folder: Path) -> int:
            """Fetch as a command does."""
            try:
                fetch_corpus(made_up, folder / "corpora", source=None if from_server else folder / "copy")
            except InputError as error:
                print(f"error: {error}")
                return 2
            return 0

        def state(folder: Path) -> str:
            """The first file alone, or both."""
            paths = {path.name: path for path in (folder / "corpora" / "made-up").glob("[!.]*")}
            if any(path.read_bytes() != contents[name] for name, path in paths.items()):
                return "a wrong file"
            return "new" if len(paths) == 2 else "old" if "train.conll" in paths else "a lost file"

        yield Scene(work / "before", fetch, fetch, state)
        server.terminate()


SCENES: dict[str, Callable[[Path], Any]] = {
    "save": _saving,
    "train": lambda work: _training(work, "--preset", "small"),
    "train 2 networks": lambda work: _training(work, "--preset", "small", "--ensemble", "2"),
    "resume 2 networks": lambda work: _training(work, "--preset", "small", "--ensemble", "2", resumed=True),
    **{name: partial(_output, name=name) for name in OUTPUTS},
    "fetch": partial(_fetching, from_server=True),
    "fetch from a copy": partial(_fetching, from_server=False),
}
