"""`benchmark.py start`: processes from nothing, in turns. The floor is `python -c "import torch"`.

    start/import         import the package and one of its names that needs no torch
    start/help           ner-lstm-crf --help
    start/tag            load a model from Python and tag one sentence
    start/tag-command    the same by `ner-lstm-crf tag`
    start/tag-first      as start/tag, in an empty home with no caches: as if the machine had never run it

`beyond_torch_s` is what it takes beyond the floor, `beyond_warm_s` what the first run takes beyond start/tag.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measure import Fresh, Result, Samples, interleave, say
from benchmarks.text import SENTENCE

__all__ = ["run"]

_TAG = "import sys; from ner_lstm_crf import Tagger; Tagger.load(sys.argv[1]).tag(sys.argv[2])"
_CACHES = ("HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR", "TMPDIR")


def run(model: Path, repeats: int) -> list[Result]:
    """Time the processes, with the model in that directory."""
    say("start")
    program = [sys.executable, "-m", "ner_lstm_crf"]
    tag = [sys.executable, "-c", _TAG, str(model), SENTENCE]
    commands: dict[str, list[str]] = {
        "torch": [sys.executable, "-c", "import torch"],
        "import": [sys.executable, "-c", "import ner_lstm_crf; ner_lstm_crf.read_conll"],
        "help": [*program, "--help"],
        "tag": tag,
        "tag-command": [*program, "tag", "--model", str(model), SENTENCE],
    }
    with TemporaryDirectory(prefix="benchmark-") as folder:
        contenders: dict[str, Callable[[], object] | Fresh] = {
            name: partial(_process, command, os.environ) for name, command in commands.items()
        }
        contenders["tag-first"] = Fresh(lambda: _in_new_home(tag, Path(folder)))
        samples = interleave(contenders, repeats, least_seconds=0)
    return [_result(name, samples) for name in samples if name != "torch"]


def _result(name: str, samples: dict[str, Samples]) -> Result:
    extra: dict[str, float | None] = {"beyond_torch_s": samples[name].median - samples["torch"].median}
    if name == "tag-first":
        extra["beyond_warm_s"] = samples[name].median - samples["tag"].median
    return Result(f"start/{name}", samples[name], floor=samples["torch"], extra=extra)


def _in_new_home(command: list[str], folder: Path) -> Callable[[], None]:
    """The command with an empty folder for everything that programs keep between runs."""
    home = folder / str(len(list(folder.iterdir())))
    home.mkdir()
    return partial(_process, command, {**os.environ, **dict.fromkeys(_CACHES, str(home))})


def _process(command: list[str], environment: Mapping[str, str]) -> None:
    subprocess.run(command, env=dict(environment), stdout=subprocess.DEVNULL, check=True)
