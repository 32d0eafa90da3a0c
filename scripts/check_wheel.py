"""Try an installed package as its users have it: without a checkout, with its compiled kernels and its shipped taggers.

cibuildwheel runs it for each Python. By hand, in an environment that has the wheel alone:
`python scripts/check_wheel.py`.
"""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import ner_lstm_crf
from ner_lstm_crf import Tagger, kernels

EXPECTED = {
    "en": ("Angela Merkel visited Rome.", [("Angela Merkel", "PER"), ("Rome", "LOC")]),
    "zh": ("王小明从北京飞往巴黎。", [("王小明", "PER"), ("北京", "LOC"), ("巴黎", "LOC")]),
}


def check() -> None:
    """Try the package.

    Raises:
        SystemExit: With what is wrong.
    """
    # 1. It is the installed package, not the checkout that this script is in.
    package = Path(ner_lstm_crf.__file__).parent
    if Path(__file__).resolve().parents[1] in package.resolve().parents:
        sys.exit(f"expected an installed package, found the checkout: {package}")
    # 2. The taggers find what they should.
    for name, (text, expected) in EXPECTED.items():
        found = [(entity.text, entity.label) for entity in Tagger.load(name).tag(text)]
        if found != expected:
            sys.exit(f"{name}: expected {expected}, found {found}")
    # 3. And they did with the kernels, which are looked up when they are first called.
    if not kernels.kernel.cache_info().currsize:
        sys.exit(f"expected compiled kernels in {package}, found none that this machine can load")
    # 4. The command is there.
    done = subprocess.run(
        [sys.executable, "-P", "-m", "ner_lstm_crf", "--version"], capture_output=True, text=True, check=True
    )
    print(f"{done.stdout}{platform.platform()}: kernels and taggers work")


if __name__ == "__main__":
    check()
