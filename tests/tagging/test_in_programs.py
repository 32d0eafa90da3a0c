"""A tagger in programs as people write them: threads, forked processes, web servers, Ctrl-C.

Each program runs in a process of its own, where torch may use two threads on any machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

START = """
import os, random, signal, sys, threading, time
import torch
from ner_lstm_crf import Tagger

torch.set_num_threads(2)
SHORT = "Angela Merkel visited Rome with John Smith. "
LONG, CHINESE = SHORT * 100, "王小明从北京飞往巴黎。" * 400

def child(function):
    \"\"\"Call it in a forked process, which ends with 0 if it returns a true value.\"\"\"
    process = os.fork()
    if process == 0:
        try:
            os._exit(0 if function() else 1)
        finally:
            os._exit(2)
    return process

def ended(process):
    _, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status) == 0
"""

Program = Callable[[str], str]
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Runs a program and returns what it prints; one that hangs fails."""

    def run(source: str) -> str:
        path = tmp_path / "program.py"
        path.write_text(START + textwrap.dedent(source), encoding="utf-8")
        environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
        done = subprocess.run(
            [sys.executable, path], env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@needs_fork
def test_a_tagger_that_was_loaded_before_a_fork_tags_after_it(program: Program) -> None:
    printed = program("""
        english, chinese = Tagger.load("en"), Tagger.load("zh")

        def tag():
            return english.tag(SHORT), english.tag(LONG), chinese.tag(CHINESE), list(english.tag_many([SHORT] * 200))

        # 1. Nothing was tagged before the fork; then everything; then in a child of a child.
        cold = child(lambda: tag() == tag())
        expected = tag()
        assert ended(cold) and ended(child(lambda: tag() == expected))
        assert ended(child(lambda: ended(child(lambda: tag() == expected))))
        # 2. The application has used torch's threads itself, and goes on to do so.
        a = torch.ones(900, 900)
        assert ended(child(lambda: tag() == expected and (a @ a).sum() > 0))
        # 3. A tagger that is loaded in the child.
        assert ended(child(lambda: Tagger.load("zh").tag(CHINESE) == expected[2]))
        print(tag() == expected)
    """)
    assert printed == "True\n"


@needs_fork
def test_a_fork_while_other_threads_tag_leaves_a_tagger_that_tags(program: Program) -> None:
    printed = program("""
        tagger, over = Tagger.load("en"), threading.Event()
        expected = tagger.tag(LONG)

        def work(number):
            for count in range(1_000_000):
                if over.is_set():
                    return
                tagger.tag(f"{SHORT} in{number} town{count} " * 3)
                tagger.tag(LONG + f" word{number}x{count}")

        threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        children = []
        for number in range(25):
            time.sleep(random.random() / 50)
            children.append(child(lambda: tagger.tag(LONG) == expected and len(tagger.tag(SHORT)) == 3))
            if number % 5 == 4:
                print(all(map(ended, children[-5:])))
        over.set()
        for thread in threads:
            thread.join()
    """)
    assert printed == "True\n" * 5


@needs_fork
def test_results_that_the_parent_began_to_compute_are_not_waited_for_in_a_child(program: Program) -> None:
    printed = program("""
        tagger = Tagger.load("en")
        results = tagger.tag_many([LONG] * 60)
        next(results)

        def go_on():
            try:
                list(results)
            except RuntimeError as error:
                results.close()
                return "the process that began" in str(error) and len(tagger.tag(SHORT)) == 3

        print(ended(child(go_on)), len(list(results)))
    """)
    assert printed == "True 59\n"
