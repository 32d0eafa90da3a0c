"""A tagger in programs as people write them: threads, forked processes, web servers, Ctrl-C.

Each program runs in a process of its own, where two threads may be used on any machine: by torch, which the program
has imported before, or without torch, which the library then leaves alone.
"""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import pytest
import torch

from ner_lstm_crf import isolation
from ner_lstm_crf.config import Config
from ner_lstm_crf.tagging import predictor
from ner_lstm_crf.tagging.tagger import Tagger
from ner_lstm_crf.text.annotation import Sentence
from tests.trained import trained_model

WITH_TORCH = """
import torch

torch.set_num_threads(2)
"""
START = """
import dataclasses, os, random, signal, sys, threading, time
from ner_lstm_crf import Tagger

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

WITHOUT_TORCH = """
assert "torch" not in sys.modules
"""


class Program(Protocol):
    """Runs a program and returns what it prints; one that hangs fails."""

    def __call__(self, source: str, *, torch: bool | None = True) -> str:
        """The source, and whether it has imported torch before; with False it may not do so later either."""


TORCH = pytest.mark.parametrize("torch", [True, False], ids=["with torch", "without torch"])
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Runs a program in a process of its own."""

    def run(source: str, *, torch: bool | None = True) -> str:
        path, before, behind = tmp_path / "program.py", WITH_TORCH * (torch is True), WITHOUT_TORCH * (torch is False)
        path.write_text(before + START + textwrap.dedent(source) + behind, encoding="utf-8")
        environment = os.environ | {"OMP_NUM_THREADS": "2"}
        done = subprocess.run(
            [sys.executable, path], env=environment, capture_output=True, text=True, timeout=240, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@TORCH
@needs_fork
def test_a_tagger_that_was_loaded_before_a_fork_tags_after_it(program: Program, torch: bool) -> None:
    source = """
        english, chinese = Tagger.load("en"), Tagger.load("zh")

        def tag():
            return english.tag(SHORT), english.tag(LONG), chinese.tag(CHINESE), list(english.tag_many([SHORT] * 200))

        # 1. Nothing was tagged before the fork; then everything; then in a child of a child.
        cold = child(lambda: tag() == tag())
        expected = tag()
        assert ended(cold) and ended(child(lambda: tag() == expected))
        assert ended(child(lambda: ended(child(lambda: tag() == expected))))
        # 2. A tagger that is loaded in the child.
        assert ended(child(lambda: Tagger.load("zh").tag(CHINESE) == expected[2]))
        # 3. The application has used torch's threads itself, and goes on to do so.
        if "torch" in sys.modules:
            a = torch.ones(900, 900)
            assert ended(child(lambda: tag() == expected and (a @ a).sum() > 0))
        print(tag() == expected)
    """
    assert program(source, torch=torch) == "True\n"


@needs_fork
def test_kernels_that_were_loaded_before_torch_end_their_threads_before_a_fork(program: Program) -> None:
    source = """
        import numpy as np
        from ner_lstm_crf import crf

        emissions, lengths = np.random.default_rng(1).random((64, 200, 30)), np.full(64, 200)
        tables = crf.ScoreTables(emissions[0, 0], emissions[1, :30], emissions[2, 0])

        def compute():
            return float(crf.marginals(emissions, lengths, tables)[:, :, 0].sum())

        expected = compute()
        assert len(os.listdir("/proc/self/task")) > 1 and "torch" not in sys.modules
        assert ended(child(lambda: compute() == expected and ended(child(lambda: compute() == expected))))
        import torch

        a = torch.ones(900, 900)
        print(ended(child(lambda: compute() == expected and (a @ a).sum() > 0)), compute() == expected)
    """
    assert program(source, torch=None) == "True True\n"


@TORCH
@needs_fork
def test_a_fork_while_other_threads_tag_leaves_a_tagger_that_tags(program: Program, torch: bool) -> None:
    source = """
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
    """
    assert program(source, torch=torch) == "True\n" * 5


@TORCH
@needs_fork
def test_results_that_the_parent_began_to_compute_are_not_waited_for_in_a_child(program: Program, torch: bool) -> None:
    source = """
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
    """
    assert program(source, torch=torch) == "True 59\n"


@needs_fork
def test_a_training_goes_on_in_a_child_as_in_its_parent(program: Program) -> None:
    printed = program("""
        from ner_lstm_crf import Sentence, preset
        from ner_lstm_crf.saving.model import Model
        from ner_lstm_crf.training.trainer import Trainer

        sentences = [Sentence.from_words(["Ada", "met", f"Bo{number}"], [(0, 1, "PER")]) for number in range(40)]

        def train():
            fast = preset("fast")
            model = Model.build(sentences, fast.model)
            return next(Trainer(model, model.encode(sentences, gold=True), None, fast.training).epochs()).loss

        cold = child(lambda: train() == train())
        loss = train()
        print(ended(cold), ended(child(lambda: train() == loss)))
    """)
    assert printed == "True True\n"


@pytest.mark.slow
@needs_fork
def test_workers_of_multiprocessing_and_joblib_tag(program: Program) -> None:
    printed = program("""
        import multiprocessing
        import joblib

        def tag(text):
            return tagger.tag(text)

        def spans(tagger, text):
            return tagger.tag(text)

        tagger = Tagger.load("zh")
        if __name__ == "__main__":
            expected = [tagger.tag(text) for text in (CHINESE, CHINESE[:20])]
            for method in ("fork", "forkserver"):
                with multiprocessing.get_context(method).Pool(1) as pool:
                    print(method, pool.map(tag, [CHINESE, CHINESE[:20]], chunksize=1) == expected)
            for backend in ("loky", "multiprocessing", "threading"):
                calls = (joblib.delayed(spans)(tagger, text) for text in (CHINESE, CHINESE[:20]))
                print(backend, joblib.Parallel(n_jobs=2, backend=backend)(calls) == expected)
    """)
    assert printed == "fork True\nforkserver True\nloky True\nmultiprocessing True\nthreading True\n"


@needs_fork
def test_a_web_server_loads_the_tagger_once_and_tags_in_its_workers(tmp_path: Path) -> None:
    pytest.importorskip("gunicorn")
    (tmp_path / "app.py").write_text(
        textwrap.dedent("""
        import torch
        from ner_lstm_crf import Tagger

        torch.set_num_threads(2)
        taggers = {name: Tagger.load(name) for name in ("en", "zh")}
        taggers["en"].tag("Angela Merkel visited Rome. " * 200)  # a warm-up, as people do it

        def app(environ, start_response):
            text = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])).decode()
            found = taggers[environ["PATH_INFO"].strip("/")].tag(text)
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [f"{len(found)}".encode()]
        """)
    )
    # 1. Start it on a socket in the file system, where no port is taken.
    address = tmp_path / "socket"
    command = [sys.executable, "-m", "gunicorn", "--preload", "--workers", "2", "--bind", f"unix:{address}", "app:app"]
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log)
    # 2. Several requests, which either worker answers.
    try:
        while not address.exists():
            assert server.poll() is None, (tmp_path / "log").read_text()
            time.sleep(0.05)
        english, chinese = "Angela Merkel visited Rome. " * 200, "王小明从北京飞往巴黎。" * 400
        for _ in range(3):
            assert ask(address, "en", english) == "400"
            assert ask(address, "zh", chinese) == "1200"
            assert ask(address, "zh", chinese[:11]) == "3"
    finally:
        server.terminate()
        assert server.wait(20) == 0


def test_the_web_program_of_the_documentation_answers_whatever_comes() -> None:
    page = (Path(__file__).parents[2] / "docs" / "python.md").read_text(encoding="utf-8")
    code = page.split("## In a web program")[1].split("```python\n")[1].split("```")[0]
    names: dict[str, Any] = {}
    exec(code, names)

    def answer(body: bytes, **environ: str) -> tuple[str, Any]:
        """The status of the answer and its content."""
        started = list[str]()
        parts = names["application"](
            {"wsgi.input": io.BytesIO(body), **environ}, lambda status, _: started.append(status)
        )
        return started[0], json.loads(b"".join(parts))

    text = "Angela Merkel visited Rome."
    status, entities = answer(text.encode(), CONTENT_LENGTH=str(len(text)))
    assert status == "200 OK"
    assert [text[entity["start"] : entity["end"]] for entity in entities] == ["Angela Merkel", "Rome"]
    assert answer(b"") == ("200 OK", [])  # as a GET request has it
    status, error = answer(b"Merkel \xe9", CONTENT_LENGTH="8")
    assert status == "400 Bad Request"
    assert "UTF-8" in error["error"]


def ask(address: Path, tagger: str, text: str) -> str:
    """The answer of the server."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(str(address))
        body = text.encode()
        head = f"POST /{tagger} HTTP/1.0\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    return answer.decode().split("\r\n\r\n", 1)[1]


def test_eight_threads_tag_as_one_does(program: Program) -> None:
    printed = program("""
        from concurrent.futures import ThreadPoolExecutor

        # Words that few texts share, so that caches grow all the time; TEXTS=10000 for the long run.
        count = int(os.environ.get("TEXTS", 150))
        names = ["Angela Merkel", "Rome", "Ada Green", "Oslo", "Google", "John Smith", "Peru"]
        draw = random.Random(1)

        def sentence():
            return f"{draw.choice(names)} met {draw.choice(names)} in town{draw.randrange(count)}."

        sizes = [150 if number % 50 == 0 else draw.choice([1, 2, 5]) for number in range(count)]
        texts = [" ".join(sentence() for _ in range(size)) for size in sizes]
        tagger = Tagger.load("en")
        expected = [tagger.tag(text) for text in texts]
        several = Tagger.load("en")
        with ThreadPoolExecutor(8) as pool:
            print(list(pool.map(several.tag, texts, chunksize=1)) == expected)
            many = [pool.submit(lambda: list(several.tag_many(texts[:50]))) for _ in range(3)]
            print([one.result() == expected[:50] for one in many])
    """)
    assert printed == "True\n[True, True, True]\n"


def test_ctrl_c_ends_tagging_and_training_and_leaves_no_thread(program: Program) -> None:
    printed = program("""
        from ner_lstm_crf import Sentence, preset
        from ner_lstm_crf.saving.model import Model
        from ner_lstm_crf.training.trainer import Trainer

        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `&` ignores it
        tagger = Tagger.load("en")
        sentences = [Sentence.from_words(["Ada", "met", f"Bo{number}"], [(0, 1, "PER")]) for number in range(40)]
        fast = preset("fast")
        model, training = Model.build(sentences, fast.model), dataclasses.replace(fast.training, epochs=100_000)
        trainer = Trainer(model, model.encode(sentences, gold=True), None, training)

        for work in (tagger.tag_many(LONG for _ in range(1_000_000)), trainer.epochs()):
            next(work)
            threading.Timer(1.5, signal.raise_signal, [signal.SIGINT]).start()
            try:
                for _ in work:
                    pass
            except KeyboardInterrupt:
                print("ended", end=" ")
            left = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
            print(left, torch.get_num_threads(), len(tagger.tag(SHORT)))

        # A loop that is left before its end, and then forgotten.
        for _ in tagger.tag_many(LONG for _ in range(1000)):
            break
        print(threading.active_count())
    """)
    assert printed == "ended [] 2 3\nended [] 2 3\n1\n"


def test_ctrl_c_at_any_moment_leaves_a_tagger_that_tags(
    make_sentences: Callable[..., list[Sentence]], tiny: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = trained_model(make_sentences(60), tiny, 4)
    monkeypatch.setattr(predictor, "CACHED_TYPES", 6)  # they are cleared again and again
    texts = [" ".join(sentence.words) for sentence in make_sentences(8, seed=3)]
    expected = [Tagger(model).tag(text) for text in texts]
    tagger, lines, package = Tagger(model), 0, str(Path(isolation.__file__).parent)
    threads = torch.get_num_threads()
    torch.set_num_threads(3)

    def trace(frame: FrameType, event: str, _: object) -> Callable[..., object] | None:
        """Be Ctrl-C at one line of the package."""
        nonlocal lines
        if not frame.f_code.co_filename.startswith(package):
            return None
        if event == "line":
            lines -= 1
            if lines == 0:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    for number in range(1, 200):
        lines = 7 * number % 401
        sys.settrace(trace)
        try:
            tagger.tag(texts[number % 8])
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(before)
        assert tagger.tag(texts[number % 8]) == expected[number % 8]
        assert tagger.tag(texts[-1 - number % 8]) == expected[-1 - number % 8]
        assert torch.get_num_threads() == 3
    assert not isolation._gate.threads
    torch.set_num_threads(threads)
