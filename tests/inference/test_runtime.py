"""ONNX Runtime in a program: it starts no thread, and a forked process ends as any other does."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os, sys, time
before, threads = dict(os.environ), len(os.listdir("/proc/self/task"))
from ner_lstm_crf.inference.runtime import onnx_runtime
onnx_runtime()
from ner_lstm_crf import Tagger
tagger = Tagger.load("en")
found = tagger.tag("Angela Merkel visited Rome.")
print(len(os.listdir("/proc/self/task")) == threads, os.environ == before)
sys.stdout.flush()
child = os.fork()
if not child:
    sys.exit(len(tagger.tag("Angela Merkel visited Rome.")) != len(found))  # with all that ends with a process
print(os.waitpid(child, 0)[1])
"""


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="threads are counted in /proc")  # noqa: PTH112
def test_no_thread_is_left_that_a_forked_process_would_wait_for() -> None:
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # numpy's own threads
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert (done.stdout, done.stderr) == ("True True\n0\n", "")
