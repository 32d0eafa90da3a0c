"""`benchmark.py memory`: resident memory while a large text is tagged, each run in a process of its own.

    memory/tag_many/SIZE   Tagger.tag_many over the lines of a file
    memory/command/SIZE    ner-lstm-crf tag --input FILE --output /dev/null

Both at half the size and at all of it, with the largest number of `--threads`, in the given `--precision`.
`loaded_mb` is what a process holds once it has loaded the model and tagged one sentence in Python, `peak_mb` the most
it ever held, `over_loaded_mb` the difference; `growth_mb` is how much higher the peak is than that at half the size:
flat memory has none. The text is made, with half a million distinct words, and numbers that may never come again.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measure import Result, say
from benchmarks.text import SENTENCE, MadeText
from ner_lstm_crf.config import Precision

__all__ = ["Tagging", "parse_size", "run", "write_text"]

UNITS = {"": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9}
WAYS = ("tag_many", "command")
_CHILD = Path(__file__).with_name("memory_child.py")


@dataclass(frozen=True, slots=True)
class Tagging:
    """A tagger and its settings.

    Attributes:
        model: Directory of the model.
        threads: Threads of torch.
        precision: The number type of the LSTM.
    """

    model: Path
    threads: int
    precision: Precision = "float32"


def parse_size(text: str) -> int:
    """`50MB` as bytes.

    Raises:
        ValueError: If it is no size.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmg]?b?)", text.strip().lower())
    token_unit = "" if found is None or found[2] in ("", "b") else found[2].rstrip("b") + "b"
    if found is None or float(found[1]) * UNITS[token_unit] < 1:
        raise ValueError(f"expected a size such as 50MB or 1GB, got {text!r}")
    return int(float(found[1]) * UNITS[token_unit])


def run(tagging: Tagging, size: int, *, types: int = 500_000) -> list[Result]:
    """Tag text of half the size and of all of it, both ways.

    Args:
        tagging: What tags it.
        size: Bytes of text.
        types: Distinct words of the text.
    """
    results: list[Result] = []
    peaks: dict[str, float] = {}  # at half the size
    with TemporaryDirectory(prefix="benchmark-") as folder:
        path = Path(folder) / "text.txt"
        for part in (size // 2, size):
            say(f"memory, {part:,} bytes")
            write_text(path, part, types)
            loaded = 0.0
            for way in WAYS:
                figures = _measure(way, tagging, path)
                loaded = figures.setdefault("loaded_mb", loaded)  # the command cannot tell its own
                peak = figures["peak_mb"]
                figures["over_loaded_mb"] = peak - loaded
                if way in peaks:
                    figures["growth_mb"] = peak - peaks[way]
                peaks.setdefault(way, peak)
                results.append(Result(f"memory/{way}/{part / 10**6:g}MB", threads=tagging.threads, extra=figures))
    return results


def write_text(path: Path, size: int, types: int) -> None:
    """Write so many bytes of made text."""
    made = MadeText(2, types=types)
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in made.lines(size))


def _measure(way: str, tagging: Tagging, text: Path) -> dict[str, float]:
    arguments = [way, str(tagging.model), str(text), SENTENCE, str(tagging.threads), tagging.precision]
    command = [sys.executable, "-P", str(_CHILD), *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures
