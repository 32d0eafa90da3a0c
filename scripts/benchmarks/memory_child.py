"""Tag a file and print, as JSON, the memory that it took; run by `memory.py` in a process of its own.

python memory_child.py tag_many|command MODEL FILE SENTENCE THREADS PRECISION
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import cast

import torch

from ner_lstm_crf.cli.main import main as command
from ner_lstm_crf.config import Precision
from ner_lstm_crf.tagging.tagger import Tagger


def _status(field: str) -> float | None:
    """A field of Linux's /proc/self/status, in MB; None elsewhere."""
    path = Path("/proc/self/status")
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) * 1024 / 10**6
    return None


def _peak() -> float:
    """The most memory this process ever held, in MB.

    `ru_maxrss` would begin with that of the process which started this one, so it only serves where nothing else does.
    """
    known = _status("VmHWM")
    if known is not None:
        return known
    token_unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * token_unit / 10**6


def main(way: str, model: str, text: str, sentence: str, threads: str, precision: str) -> None:
    """Tag and print.

    Args:
        way: What tags, `tag_many` or the `command`.
        model: Directory of the model.
        text: File to tag.
        sentence: Is tagged before, for all that a tagger does at its first sentence.
        threads: Threads of torch.
        precision: What the LSTM computes in.
    """
    figures = {}
    began = time.perf_counter()
    if way == "tag_many":
        torch.set_num_threads(int(threads))
        tagger = Tagger.load(model, precision=cast(Precision, precision))
        tagger.tag(sentence)
        figures = {"loaded_mb": _status("VmRSS") or _peak(), "peak_loading_mb": _peak()}
        began = time.perf_counter()
        with Path(text).open(encoding="utf-8") as lines:
            for _ in tagger.tag_many(line.rstrip("\n") for line in lines):
                pass
    else:
        options = ["--model", model, "--threads", threads, "--precision", precision]
        status = command(["tag", *options, "--input", text, "--output", os.devnull])
        if status:
            sys.exit(status)
    rate = Path(text).stat().st_size / 10**6 / (time.perf_counter() - began)
    print(json.dumps({**figures, "peak_mb": _peak(), "text_mb_per_s": rate}))


if __name__ == "__main__":
    main(*sys.argv[1:])
