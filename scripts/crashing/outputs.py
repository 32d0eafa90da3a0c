"""Files that `convert` and `tag` write, whose command is killed at any moment.

Each command runs in a process of its own. It is killed at a random moment, by SIGKILL, SIGTERM or SIGINT, or before a
random one of its changes of the file system. All that time, and afterwards, the old file is there as it was, or the
whole new one, or none if there was none. The same command then succeeds, and leaves nothing but the new file.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from crashing.processes import Unbroken, ended, hidden, last_line, run_unbroken, start, wait
from locations import ROOT
from ner_lstm_crf.config import ModelConfig
from ner_lstm_crf.errors import InputError
from ner_lstm_crf.files.text import TextFile, writing
from ner_lstm_crf.formats.conll import read_conll
from ner_lstm_crf.formats.registry import write_sentences
from ner_lstm_crf.saving.model import Model

__all__ = ["OUTPUTS", "Output", "content", "kill_outputs", "write_inputs"]

INPUT = "input.conll"


@dataclass(frozen=True)
class Output:
    """A command that writes a file.

    Attributes:
        words: Its command line, with the names of files in the folder in which all of them are.
        target: The name of the file that it writes.
    """

    words: tuple[str, ...]
    target: str

    def arguments(self, folder: Path) -> list[str]:
        """The command line, with the paths of files."""
        names = (self.target, INPUT, "input.txt", "model")
        return [str(folder / word) if word in names else word for word in self.words]


TAG = ("tag", "--model", "model", "--input")
OUTPUTS = {
    "convert to JSON lines": Output(("convert", INPUT, "new.jsonl"), "new.jsonl"),
    "convert, compressed": Output(("convert", INPUT, "new.jsonl.gz"), "new.jsonl.gz"),
    "convert in place": Output(("convert", INPUT, INPUT, "--scheme", "BIOES"), INPUT),
    "tag text": Output((*TAG, "input.txt", "--output", "new.jsonl", "--output-format", "jsonl"), "new.jsonl"),
    "tag columns": Output((*TAG, INPUT, "--output", "new.conll"), "new.conll"),
    "tag into a page": Output((*TAG, "input.txt", "--output", "new.html"), "new.html"),
}


def kill_outputs(work: Path, kills: int, names: Sequence[str], source: random.Random) -> int:
    """Kill such commands in turn, and print what came of it.

    Args:
        work: An empty folder.
        kills: The number of kills, of all commands together.
        names: Names of `OUTPUTS`.
        source: Where the moments come from.

    Returns:
        The number of faults.
    """
    faults, inputs = 0, work / "inputs"
    print(f"{'command':<24} {'kills':>5} {'no file':>7} {'old file':>8} {'new file':>8} {'temporary left':>14}")
    for number, name in enumerate(names):
        output, counts, found = OUTPUTS[name], Counter[str](), list[str]()
        write_inputs(inputs, 4_000 if output.words[0] == "convert" else 400)
        shutil.rmtree(work / "unbroken", ignore_errors=True)
        shutil.copytree(inputs, work / "unbroken")
        unbroken = run_unbroken(work, output.arguments(work / "unbroken"))
        for _ in range(kills // len(names) + (number < kills % len(names))):
            found += kill_and_repeat(work, output, unbroken, source, counts)
        faults += len(found)
        print(
            f"{name:<24} {counts['kills']:>5} {counts['none']:>7} {counts['old']:>8} {counts['new']:>8} "
            f"{counts['left']:>14}",
            *(f"  FAULT: {fault}" for fault in found),
            sep="\n",
            flush=True,
        )
    return faults


def write_inputs(folder: Path, sentences: int) -> None:
    """Write so many sentences in columns and as text into a new folder, and a model of random weights beside them."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    known = list(read_conll(ROOT / "corpora" / "en" / "train.conll"))
    many = (known * (sentences // len(known) + 1))[:sentences]
    write_sentences(folder / INPUT, many)
    with writing(folder / "input.txt") as out:
        out.writelines(" ".join(token.text for token in sentence.tokens) + "\n" for sentence in many)
    model = Model.build(known, ModelConfig(word_size=8, char_size=6, char_filters=6, casing_size=2, hidden_size=12))
    with torch.no_grad():
        model.networks[0].projection.weight.mul_(30)  # finds entities everywhere
    model.save(folder / "model")


def content(path: Path) -> str:
    """The text of a file, compressed or not; "" if it is not there, or what is wrong with it."""
    try:
        return "".join(TextFile(path).pieces()) if path.exists() else ""
    except InputError as error:
        return f"not readable: {error}"


def kill_and_repeat(
    work: Path, output: Output, unbroken: Unbroken, source: random.Random, counts: Counter[str]
) -> list[str]:
    """Kill a command once, repeat it, and look at all that is promised; returns what is wrong."""
    folder = work / "disk"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(work / "inputs", folder)
    target = folder / output.target
    if not target.exists() and source.random() < 0.5:
        with writing(target) as out:
            out.write("an old file\n")
    old, new = content(target), content(work / "unbroken" / output.target)
    states = {new: "new", old: "old" if old else "none"}
    # 1. Kill it, and look at the file all the time.
    if source.random() < 0.6:
        number = source.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
        moment = source.uniform(0, unbroken.seconds)
        how, deadline = f"{number.name} after {moment:.2f} s", time.monotonic() + moment
        process = start(work, output.arguments(folder))
    else:
        number, change = signal.SIGKILL, source.randrange(unbroken.changes)
        how, deadline = f"SIGKILL before change {change}", time.monotonic() + 600
        process = start(work, output.arguments(folder), kill_at=change)
    faults = list[str]()
    while not faults and time.monotonic() < deadline and not ended(process):
        if content(target) not in states:
            faults.append(f"{how}: neither the old nor the new file, before the kill")
        time.sleep(0.005)
    if not ended(process):
        os.kill(process, number)
    code = wait(process)
    # 2. The old file is there, or the new one.
    state = states.get(content(target), "")
    counts.update(["kills", state, *(["left"] if hidden(folder) else [])])
    faults += [f"{how}: neither the old nor the new file"] * (not state)
    faults += [f"{how}: exit code 0, and not the new file"] * (code == 0 and state != "new")
    # 3. Once more.
    code = wait(start(work, output.arguments(folder)))
    faults += [f"{how}: exit code {code} afterwards: {last_line(work)}"] * bool(code)
    faults += [f"{how}: another file afterwards"] * (states.get(content(target)) != "new")
    faults += [f"{how}: left behind: {hidden(folder)}"] * bool(hidden(folder))
    return faults
