"""Kill commands at any moment and let operations on files fail, and look at what is left.

    trainings    trainings that are killed and resumed
    outputs      `convert` and `tag` that are killed while they write a file
    faults       every operation on files fails in turn: a full disk, an I/O error, a missing right

What each of them does and has to find is described in `scripts/crashing/`.

    python scripts/crash.py trainings --kills 100
    python scripts/crash.py outputs --kills 100
    python scripts/crash.py faults
    python scripts/crash.py faults --most 20 --only train
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch

from crashing import faults, outputs, trainings
from ner_lstm_crf.cli.options import at_least

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Do one of them, and print what came of it; 1 if something was wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name, kinds in (("trainings", trainings.SHAPES), ("outputs", outputs.OUTPUTS), ("faults", faults.SCENES)):
        command = commands.add_parser(name)
        command.add_argument("--only", choices=kinds, action="append", default=[], help="this kind alone")
        command.add_argument("--seed", type=int, default=1, help="seed of all that is drawn")
        if name == "faults":
            command.add_argument("--most", type=at_least(1), help="faults of each kind, drawn from all (default: all)")
        else:
            command.add_argument("--kills", type=at_least(1), default=100, help="number of kills (default: 100)")
    options = parser.parse_args(arguments)
    source = random.Random(options.seed)
    torch.set_num_threads(1)  # a process that is forked has no other threads
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder).resolve()
        if options.command == "trainings":
            wrong = trainings.kill_trainings(work, options.kills, options.only or list(trainings.SHAPES), source)
        elif options.command == "outputs":
            wrong = outputs.kill_outputs(work, options.kills, options.only or list(outputs.OUTPUTS), source)
        else:
            wrong = faults.try_faults(work, options.most, options.only or list(faults.SCENES), source)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
